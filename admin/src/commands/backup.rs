//! `perilune backup`: writes tokens into one encrypted file.

use super::restore::{Contents, tokens_of};
use crate::archive::{self, Key};
use crate::cli::Backup;
use crate::failure::{During, Failure};
use crate::output;
use crate::token::{self, Token};

/// Backs up what the options name.
///
/// # Errors
/// The HSM's; when the file cannot be written; when something damaged had to be left out, after writing the rest.
pub fn run(args: &Backup) -> Result<(), Failure> {
    archive::check_free(&args.out, args.overwrite)?;
    let (_, hsm) = token::start()?;
    let slots = match args.all {
        true => None,
        false => Some([Token::chosen(&hsm, &args.token)?.slot]),
    };
    let key = Key::obtain(args)?;
    // The passphrase first: the tokens are those of the moment at which the command goes on.
    let (backup, left_out) =
        hsm.backup(slots.as_ref().map(|slots| &slots[..])).during(|| "cannot take the backup".to_owned())?;
    if backup.partitions.is_empty() {
        let why = match left_out.is_empty() {
            true => "no slot holds a token".to_owned(),
            false => left_out.join(", "),
        };
        return Err(Failure::new("there is nothing to back up", why, "`perilune doctor` examines the store"));
    }
    // What is damaged now is whole in an older backup.
    if !left_out.is_empty() && args.out.symlink_metadata().is_ok() {
        return Err(Failure::new(
            format!("{} is left as it was, for not all of the store would be in the new one", args.out.display()),
            left_out.join(", "),
            "`perilune doctor` examines the store; write to another file to keep both",
        ));
    }
    let contents = Contents::of(&backup, &tokens_of(&backup)?);
    archive::write(&backup, &key, &args.out, args.overwrite)?;
    match args.json {
        true => output::print_json("backup", &contents)?,
        false => output::print(&format!("{}written to {}\n", contents.text(), args.out.display()))?,
    }
    match left_out.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(
            format!("the backup {} is written, but not all of the store is in it", args.out.display()),
            left_out.join(", "),
            "`perilune doctor` examines the store",
        )),
    }
}
