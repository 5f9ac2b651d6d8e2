//! `perilune restore`: shows, checks and restores what is in a backup.

use crate::archive;
use crate::cli::Restore;
use crate::failure::{During, Failure};
use crate::output::{self, Table, printable};
use crate::token::{self, Token};
use hsm_core::platform::utc_time;
use hsm_core::role::Role;
use hsm_core::{Backup, BackupToken, Reason};
use serde::Serialize;

/// Does what the options say.
///
/// # Errors
/// Why the backup cannot be read; the HSM's. Nothing was restored then.
pub fn run(args: &Restore) -> Result<(), Failure> {
    let backup = archive::read(args)?;
    let tokens = tokens_of(&backup)?;
    let chosen = chosen(args, &tokens)?;
    let contents = Contents::of(&backup, chosen.iter().map(|&place| &tokens[place]));
    if args.verify || args.list {
        return match (args.json, args.list) {
            (true, _) => output::print_json("backup", &contents),
            (false, true) => output::print(&contents.text()),
            (false, false) => output::print(&format!("{} is whole: {}\n", args.input.display(), contents.sum())),
        };
    }
    let wanted: Vec<_> = chosen.iter().map(|&place| &backup.partitions[place]).collect();
    let (_, hsm) = token::start()?;
    let slots = hsm.restore(&wanted, args.replace).during(|| "nothing was restored".to_owned())?;
    let restored = slots.into_iter().map(|slot| Token::in_slot(&hsm, slot)).collect::<Result<Vec<_>, _>>()?;
    let lines: Vec<Line> = restored.iter().map(Line::of).collect();
    if args.json {
        return output::print_json("restored", &lines);
    }
    let mut table = Table::new(&["SLOT", "LABEL", "SERIAL", "URI"]);
    for line in lines {
        table.row([line.slot.to_string(), line.label, line.serial, line.uri]);
    }
    output::print(&table.text())
}

/// What the backup says about its tokens.
///
/// # Errors
/// When one of them cannot be understood.
pub fn tokens_of(backup: &Backup) -> Result<Vec<BackupToken>, Failure> {
    let tokens: hsm_core::Result<_> = backup.partitions.iter().map(BackupToken::of).collect();
    tokens.during(|| "cannot read the backup".to_owned())
}

/// The places of the tokens that the options name; all without them.
fn chosen(args: &Restore, tokens: &[BackupToken]) -> Result<Vec<usize>, Failure> {
    let missing = |what: &str, name: &str| {
        let why = format!("there is no token with the {what} {name:?} in it");
        Failure::new(format!("nothing was taken from {}", args.input.display()), why, "--list shows what there is")
    };
    for label in &args.token {
        match tokens.iter().filter(|token| text(&token.label) == *label).count() {
            0 => return Err(missing("label", label)),
            1 => {}
            count => {
                return Err(Failure::Usage(format!(
                    "{count} tokens of the backup have the label {label:?}; say which one with --serial (see --list)"
                )));
            }
        }
    }
    for serial in &args.serial {
        if !tokens.iter().any(|token| text(&token.serial) == *serial) {
            return Err(missing("serial number", serial));
        }
    }
    let everything = args.token.is_empty() && args.serial.is_empty();
    let named =
        |token: &BackupToken| args.token.contains(&text(&token.label)) || args.serial.contains(&text(&token.serial));
    let chosen: Vec<usize> = (0..tokens.len()).filter(|&place| everything || named(&tokens[place])).collect();
    match chosen.is_empty() {
        true => Err(Failure::of("nothing was restored", &Reason::Damaged("the backup holds no token"))),
        false => Ok(chosen),
    }
}

/// What is told about a backup; also its form in JSON.
#[derive(Serialize)]
pub struct Contents {
    /// When it was made, in UTC.
    made: String,
    /// The generation of the store at which it was taken.
    generation: u64,
    tokens: Vec<TokenLine>,
}

#[derive(Serialize)]
struct TokenLine {
    label: String,
    serial: String,
    slot: u64,
    public_objects: usize,
    private_objects: usize,
    /// Public objects that were damaged already.
    damaged_objects: usize,
    user_pin: &'static str,
    so_pin: &'static str,
}

/// What is told about a restored token.
#[derive(Serialize)]
struct Line {
    slot: u64,
    label: String,
    serial: String,
    uri: String,
}

impl Contents {
    /// Describes these tokens of a backup.
    pub fn of<'a>(backup: &Backup, tokens: impl IntoIterator<Item = &'a BackupToken>) -> Self {
        let tokens = tokens.into_iter().map(TokenLine::of).collect();
        Self { made: time(backup.made), generation: backup.generation, tokens }
    }

    /// As text, with a table of the tokens.
    pub fn text(&self) -> String {
        let mut table = Table::new(&["LABEL", "SERIAL", "SLOT", "PUBLIC", "PRIVATE", "USER PIN", "SO PIN"]);
        for token in &self.tokens {
            let damaged = match token.damaged_objects {
                0 => String::new(),
                count => format!(" ({count} damaged)"),
            };
            table.row([
                token.label.clone(),
                token.serial.clone(),
                token.slot.to_string(),
                format!("{}{damaged}", token.public_objects),
                token.private_objects.to_string(),
                token.user_pin.to_owned(),
                token.so_pin.to_owned(),
            ]);
        }
        format!("made {} at generation {}\n{}", self.made, self.generation, table.text())
    }

    /// In a line.
    fn sum(&self) -> String {
        let objects: usize = self.tokens.iter().map(|token| token.public_objects + token.private_objects).sum();
        let labels: Vec<String> = self.tokens.iter().map(|token| printable(&format!("{:?}", token.label))).collect();
        let tokens = if labels.len() == 1 { "the token" } else { "the tokens" };
        let objects = if objects == 1 { "1 object".to_owned() } else { format!("{objects} objects") };
        format!("{tokens} {} with {objects}, made {}", labels.join(", "), self.made)
    }
}

impl TokenLine {
    fn of(token: &BackupToken) -> Self {
        Self {
            label: text(&token.label),
            serial: text(&token.serial),
            slot: token.slot.0,
            public_objects: token.public_objects,
            private_objects: token.private_objects,
            damaged_objects: token.damaged,
            user_pin: pin(token, Role::CryptoOfficer),
            so_pin: pin(token, Role::SecurityOfficer),
        }
    }
}

impl Line {
    fn of(token: &Token) -> Self {
        Self { slot: token.slot.0, label: token.label(), serial: token.serial(), uri: token.uri() }
    }
}

/// The state of a role's PIN in a word.
fn pin(token: &BackupToken, role: Role) -> &'static str {
    match token.roles.iter().find(|(known, _)| *known == role) {
        None => "unset",
        Some((_, state)) if state.locked() => "locked",
        Some((_, state)) if state.failed > 0 => "low",
        Some(_) => "set",
    }
}

/// A label or serial number without its padding.
fn text(padded: &[u8]) -> String {
    String::from_utf8_lossy(padded).trim_end_matches(' ').to_owned()
}

/// Seconds since 1970 as `2026-01-31 23:59:59 UTC`.
fn time(seconds: u64) -> String {
    let digits = utc_time(i64::try_from(seconds).unwrap_or(i64::MAX));
    let digits = String::from_utf8_lossy(&digits).into_owned();
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default().to_owned();
    let date = [part(0, 4), part(4, 6), part(6, 8)].join("-");
    let clock = [part(8, 10), part(10, 12), part(12, 14)].join(":");
    format!("{date} {clock} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_for_people() {
        assert_eq!(time(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(time(1_709_251_199), "2024-02-29 23:59:59 UTC");
    }
}
