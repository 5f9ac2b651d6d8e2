//! The command line: every command and option, with the text that help and manual page print.
//!
//! Owns: words and their meaning to clap. Does not know: what the commands do. The manual page and
//! the shell completions are made from these types, so they cannot disagree with what is accepted.

use crate::bench::{self, ModuleChoice};
use crate::objects::Class;
use crate::secret::{BackupPassphrase, FilePassword, NewPin, SoPin, UserPin};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Sets up and looks after Perilune tokens.
///
/// A token holds keys that programs use through the PKCS#11 module libperilune_pkcs11.so. This
/// command makes tokens, shows and imports what is in them, changes PINs, and checks the installation.
#[derive(Debug, Parser)]
#[command(name = "perilune", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    Init(Init),
    Slots(Slots),
    Objects(Objects),
    Import(Import),
    Migrate(Migrate),
    Delete(Delete),
    #[command(subcommand)]
    Pin(Pin),
    #[command(subcommand)]
    Policy(Policy),
    Backup(Backup),
    Restore(Restore),
    Doctor(Doctor),
    Bench(Bench),
    Completions(Completions),
    /// Print the manual page in roff form, for `man -l -` or a package
    Man,
}

/// Make a token: label, Security Officer's PIN, user's PIN
///
/// Takes the first slot without a token, or the one that --slot names. PINs are asked for on the
/// terminal, twice each, unless they come from a file, a variable or a descriptor.
#[derive(Debug, Args)]
pub struct Init {
    /// Label of the token, 1 to 32 bytes; applications find the token by it
    #[arg(long)]
    pub label: String,
    /// Slot to use instead of the first one without a token
    #[arg(long, value_name = "N")]
    pub slot: Option<u64>,
    /// Erase the token that is in the slot of --slot; its Security Officer's PIN must be given
    #[arg(long, requires = "slot")]
    pub overwrite: bool,
    #[command(flatten)]
    pub so_pin: SoPin,
    #[command(flatten)]
    pub pin: UserPin,
    /// Leave the user's PIN unset; `perilune pin reset` sets it later
    #[arg(long, conflicts_with_all = ["pin-file", "pin-env", "pin-fd"])]
    pub without_user: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// List slots and their tokens
#[derive(Debug, Args)]
pub struct Slots {
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// List the objects in a token
///
/// Public objects need no PIN. Private ones are listed when a PIN is given, or asked for with --login.
#[derive(Debug, Args)]
pub struct Objects {
    #[command(flatten)]
    pub token: TokenChoice,
    #[command(flatten)]
    pub pin: UserPin,
    /// Ask for the user's PIN and list private objects, too
    #[arg(long)]
    pub login: bool,
    #[command(flatten)]
    pub which: Criteria,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Import keys and certificates from a file
///
/// Takes PKCS#8 (also encrypted), PKCS#12 and X.509 certificates, as DER or PEM; a PEM file may hold
/// several. A private key gets its public key beside it, and a certificate of the same key gets the
/// same ID, which is how applications find one from the other. All is imported, or nothing.
#[derive(Debug, Args)]
pub struct Import {
    /// File to import
    pub file: PathBuf,
    #[command(flatten)]
    pub token: TokenChoice,
    #[command(flatten)]
    pub pin: UserPin,
    #[command(flatten)]
    pub password: FilePassword,
    /// Label of the objects; default is the name in the file, or the file's name
    #[arg(long)]
    pub label: Option<String>,
    /// ID in hexadecimal; default is the SHA-1 hash of the public key, as in a subject key identifier
    #[arg(long, value_name = "HEX", value_parser = id)]
    pub id: Option<Id>,
    /// What the private key may be used for, separated by commas; default is all that its type can do
    #[arg(long, value_delimiter = ',', value_name = "USAGE")]
    pub usage: Vec<KeyUsage>,
    /// Allow that the private key is wrapped and leaves the token encrypted
    #[arg(long)]
    pub extractable: bool,
    /// Whether the private key's value is hidden from applications
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub sensitive: bool,
    /// Print what was imported as JSON
    #[arg(long)]
    pub json: bool,
}

/// Take over a token of SoftHSM2, with its PINs and all its objects
///
/// Reads the token's files and changes nothing in them. Both its PINs must be given; they become the PINs of the
/// new token, which has the same label and serial number. It is there whole or not at all: objects that Perilune does
/// not have (DES, DSA and the like) are named and left out, and a damaged object stops the migration. Programs that
/// use SoftHSM2 may keep running, but what they change afterwards is not taken over.
#[derive(Debug, Args)]
pub struct Migrate {
    /// Folder of SoftHSM2's tokens, or of one token; default is the one of SoftHSM2's own configuration
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
    #[command(flatten)]
    pub which: SoftHsmToken,
    #[command(flatten)]
    pub so_pin: SoPin,
    #[command(flatten)]
    pub pin: UserPin,
    /// List what would be taken over and what not, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Take over a token that is there already once more, with another serial number
    #[arg(long)]
    pub again: bool,
    /// Leave damaged objects out instead of stopping
    #[arg(long)]
    pub skip_damaged: bool,
    /// Print what was taken over as JSON
    #[arg(long)]
    pub json: bool,
}

/// Which token of SoftHSM2; needed when there is more than one.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct SoftHsmToken {
    /// Label of the token; not needed when there is one only
    #[arg(long, value_name = "LABEL")]
    pub token: Option<String>,
    /// Serial number of the token, instead of its label
    #[arg(long, value_name = "SERIAL")]
    pub serial: Option<String>,
    /// Every token; PINs that are not asked for are tried on each
    #[arg(long)]
    pub all: bool,
}

/// Delete objects, or a whole token
///
/// Objects that fit all of --label, --id and --class are deleted. With --whole-token the token and
/// everything in it is erased, and its slot is free for a new one. With --record a damaged object that
/// `perilune doctor` has named is removed, and nothing else.
#[derive(Debug, Args)]
pub struct Delete {
    #[command(flatten)]
    pub token: TokenChoice,
    #[command(flatten)]
    pub pin: UserPin,
    #[command(flatten)]
    pub which: Criteria,
    /// Erase the token that --token or --slot names, with all its keys
    #[arg(long, conflicts_with_all = ["label", "id", "class"])]
    pub whole_token: bool,
    /// Remove the damaged object that `perilune doctor` names like this; a whole object is left alone
    #[arg(long, value_name = "HEX", value_parser = record, conflicts_with_all = ["label", "id", "class", "whole_token"])]
    pub record: Option<[u8; 16]>,
    /// Do not ask: needed for a whole token, and for objects without --label and --id
    #[arg(long)]
    pub yes: bool,
    /// Print what was deleted as JSON
    #[arg(long)]
    pub json: bool,
}

/// Change, reset or look at PINs
#[derive(Debug, Subcommand)]
pub enum Pin {
    /// Change a PIN, knowing the present one
    Change(PinChange),
    /// Set a new user's PIN as Security Officer; also unlocks the user
    Reset(PinReset),
    /// Show which PINs are set and how many tries are left
    Status(PinStatus),
}

/// Arguments of `pin change`.
#[derive(Debug, Args)]
pub struct PinChange {
    #[command(flatten)]
    pub token: TokenChoice,
    /// Change the Security Officer's PIN instead of the user's
    #[arg(long)]
    pub so: bool,
    #[command(flatten)]
    pub pin: UserPin,
    #[command(flatten)]
    pub so_pin: SoPin,
    #[command(flatten)]
    pub new_pin: NewPin,
}

/// Arguments of `pin reset`.
#[derive(Debug, Args)]
pub struct PinReset {
    #[command(flatten)]
    pub token: TokenChoice,
    #[command(flatten)]
    pub so_pin: SoPin,
    #[command(flatten)]
    pub new_pin: NewPin,
}

/// Arguments of `pin status`.
#[derive(Debug, Args)]
pub struct PinStatus {
    #[command(flatten)]
    pub token: TokenChoice,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Show or set what a token may do with which algorithm
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Show the token's policy and how many mechanisms it has with it
    Show(PolicyShow),
    /// Set the token's policy as Security Officer; it holds from the next operation on
    ///
    /// In approved mode the token has only what a module under FIPS 140-3 may do: approved mechanisms, key sizes and curves; keys come
    /// in wrapped or are made in the token. It is no validation. A token leaves the mode only by `perilune init --overwrite`.
    /// Unless it is compatible, a sensitive key leaves only under a key that was generated in the token or marked trusted, and that does not
    /// decrypt as well.
    Set(PolicySet),
}

/// Arguments of `policy show`.
#[derive(Debug, Args)]
pub struct PolicyShow {
    #[command(flatten)]
    pub token: TokenChoice,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `policy set`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("value").required(true).multiple(true).args(["approved", "legacy", "compatible"]))]
pub struct PolicySet {
    #[command(flatten)]
    pub token: TokenChoice,
    /// Keep to approved algorithms
    #[arg(long, value_name = "on|off", value_parser = on_off)]
    pub approved: Option<bool>,
    /// Have algorithms that are broken or outlived, too
    #[arg(long, value_name = "on|off", value_parser = on_off)]
    pub legacy: Option<bool>,
    /// Wrap and unwrap by the rules of the standard alone, which do not stop the known attacks
    #[arg(long, value_name = "on|off", value_parser = on_off)]
    pub compatible: Option<bool>,
    #[command(flatten)]
    pub so_pin: SoPin,
}

/// Write tokens into one encrypted file
///
/// The file holds the tokens of one moment, with all objects and PINs, while other programs go on using them. No PIN is needed and
/// none is revealed: private objects stay sealed. It is encrypted with a passphrase, or for the keys of `age-keygen`
/// (--recipient), so that a timed job needs no secret. It is a file in the age format: what is in it is described in docs/format.md.
#[derive(Debug, Args)]
pub struct Backup {
    #[command(flatten)]
    pub token: TokenChoice,
    /// Back up all tokens
    #[arg(long, conflicts_with_all = ["token", "slot"])]
    pub all: bool,
    /// File to write; it appears when it is whole
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace the file if there is one
    #[arg(long)]
    pub overwrite: bool,
    /// Encrypt for this age recipient instead of a passphrase; may be repeated
    #[arg(long, value_name = "AGE1...", conflicts_with_all = BackupPassphrase::OPTIONS)]
    pub recipient: Vec<String>,
    /// Encrypt for the age recipients in a file, one a line
    #[arg(long, value_name = "FILE", conflicts_with_all = BackupPassphrase::OPTIONS)]
    pub recipients_file: Option<PathBuf>,
    #[command(flatten)]
    pub passphrase: BackupPassphrase,
    /// Print what was backed up as JSON
    #[arg(long)]
    pub json: bool,
}

/// Bring tokens back from a backup
///
/// The tokens come with all objects; PINs, labels and serial numbers stay as they were, also in another store with another device key. So do
/// counted wrong PINs: a locked role is locked. A token gets the slot it had where that is free. All tokens come, or none.
#[derive(Debug, Args)]
pub struct Restore {
    /// The backup
    #[arg(long = "in", value_name = "FILE")]
    pub input: PathBuf,
    /// Restore only the token with this label; may be repeated
    #[arg(long, value_name = "LABEL")]
    pub token: Vec<String>,
    /// Restore only the token with this serial number; may be repeated
    #[arg(long, value_name = "SERIAL")]
    pub serial: Vec<String>,
    /// Replace a token that is there already (same serial number), with all its keys
    #[arg(long)]
    pub replace: bool,
    /// Decrypt with the age identities in a file (`age-keygen -o`)
    #[arg(long, value_name = "FILE", conflicts_with_all = BackupPassphrase::OPTIONS)]
    pub identity_file: Option<PathBuf>,
    #[command(flatten)]
    pub passphrase: BackupPassphrase,
    /// Only show what is in the backup, after checking all of it
    #[arg(long, conflicts_with = "replace")]
    pub list: bool,
    /// Only check that the backup is whole and can be decrypted
    #[arg(long, conflicts_with_all = ["replace", "list"])]
    pub verify: bool,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Check configuration, store, module and tokens, and say what each client needs to be told
///
/// Changes nothing. The exit code is 1 when a problem is found. Private objects are sealed, so damage to
/// them is found only in the token whose user's PIN is given.
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    pub token: TokenChoice,
    #[command(flatten)]
    pub pin: UserPin,
    /// The module to check and to name to the clients, instead of the one that is found
    #[arg(long, value_name = "FILE")]
    pub module: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Compare the speed of PKCS#11 modules
///
/// Does the same operations on each module, in turns, and compares the first module with the best of the others. Perilune is one
/// module like any other here. Each module needs a token with a user's PIN; the bench makes objects of its own in it,
/// checks once that each result is right, and removes its objects in the end, also when it is interrupted.
/// What a module does not support is shown as "-".
#[derive(Debug, Args)]
pub struct Bench {
    /// A module: its path, or KEY=VALUE pairs with commas between them: name, path, token or slot (not needed when it has one
    /// token only), pin-file, pin-env or pin-fd (otherwise its PIN is asked for), objects-max, note (for the report). `pin=` takes
    /// the PIN itself, which every user of the machine can then see. May be repeated
    #[arg(long, value_name = "MODULE", value_parser = bench::module, required_unless_present_any = ["list", "from", "start_only"])]
    pub module: Vec<ModuleChoice>,
    /// Only the operation of this name, or those with all these words in family and name; may be repeated
    #[arg(long, value_name = "WORDS")]
    pub operation: Vec<String>,
    /// Numbers of threads, separated by commas; each thread has a session of its own
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "1",
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub threads: Vec<usize>,
    /// How often each measurement is made; the median counts. Default is 3
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1000))]
    pub rounds: Option<usize>,
    /// How long one measurement takes. Default is 0.5, with --quick 0.1
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub seconds: Option<f64>,
    /// Search among at most so many objects; 100000 takes SoftHSM2 very long to make. Default is 1000, with --quick 10
    #[arg(long, value_name = "N")]
    pub objects_max: Option<usize>,
    /// Measure a few operations of each family, for a short time
    #[arg(long)]
    pub quick: bool,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw the ratios into an SVG picture
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Write a page in Markdown
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Measure nothing: show the result that --json wrote, again
    #[arg(long, value_name = "FILE", conflicts_with_all = ["module", "json"])]
    pub from: Option<PathBuf>,
    /// List the operations
    #[arg(long)]
    pub list: bool,
    /// The measurement of the start: a child that loads and initialises a module and says how long it took
    #[arg(long, hide = true, value_name = "FILE", exclusive = true)]
    pub start_only: Option<PathBuf>,
}

/// Print shell completions
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Which token; needed when there is more than one.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct TokenChoice {
    /// Label of the token; not needed when there is one token only
    #[arg(long, value_name = "LABEL")]
    pub token: Option<String>,
    /// Slot of the token, instead of its label
    #[arg(long, value_name = "N")]
    pub slot: Option<u64>,
}

/// Which objects.
#[derive(Debug, Args)]
pub struct Criteria {
    /// Only objects with this label
    #[arg(long)]
    pub label: Option<String>,
    /// Only objects with this ID, in hexadecimal
    #[arg(long, value_name = "HEX", value_parser = id)]
    pub id: Option<Id>,
    /// Only objects of this class
    #[arg(long)]
    pub class: Option<Class>,
}

/// What a private key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum KeyUsage {
    Sign,
    Decrypt,
    Unwrap,
    Derive,
}

/// An object's ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Id(pub Vec<u8>);

/// Reads an ID: hexadecimal digits, with or without colons between bytes.
fn id(text: &str) -> Result<Id, String> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|character| *character != ':')
        .map(|character| character.to_digit(16).ok_or(format!("`{character}` is not a hexadecimal digit")))
        .collect::<Result<_, _>>()?;
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return Err("an ID has an even number of hexadecimal digits, two a byte".to_owned());
    }
    // Two hexadecimal digits are below 256.
    Ok(Id(digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()))
}

/// Reads a switch.
fn on_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("it is on or off".to_owned()),
    }
}

/// Reads how long a measurement takes.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.001..=3600.0).contains(&value) => Ok(value),
        _ => Err("it is a number of seconds from 0.001 to 3600".to_owned()),
    }
}

/// Reads a record's number: 32 hexadecimal digits.
fn record(text: &str) -> Result<[u8; 16], String> {
    let Id(bytes) = id(text)?;
    bytes.try_into().map_err(|bytes: Vec<u8>| format!("a record has 16 bytes, not {}", bytes.len()))
}

/// The end of the help text.
pub const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 failed, or doctor found a problem; 2 wrong usage; 3 a PIN or a backup's passphrase is wrong, or a PIN
locked or of impossible length.

Environment: PERILUNE_CONF names the configuration file, PERILUNE_LOG turns on the log (debug, or debug:FILE).";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_in_itself() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_id_is_whole_bytes_of_hexadecimal_digits() {
        assert_eq!(id("01aF"), Ok(Id(vec![1, 0xAF])));
        assert_eq!(id("01:af:00"), Ok(Id(vec![1, 0xAF, 0])));
        for text in ["", "1", "0x01", "zz", "é1"] {
            assert!(id(text).is_err(), "{text:?}");
        }
    }
}
