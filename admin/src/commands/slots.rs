//! `perilune slots`: lists slots and their tokens.

use crate::cli::Slots;
use crate::failure::Failure;
use crate::output::{self, Table};
use crate::token::{self, Token};
use ffi_headers::*;
use serde::Serialize;

/// What is told about a slot.
#[derive(Serialize)]
struct Line {
    slot: u64,
    initialised: bool,
    label: String,
    serial: String,
    model: String,
    user_pin: &'static str,
    so_pin: &'static str,
    uri: String,
}

/// Lists the slots.
///
/// # Errors
/// The HSM's.
pub fn run(args: &Slots) -> Result<(), Failure> {
    let (_, hsm) = token::start()?;
    let lines: Vec<Line> = Token::all(&hsm)?.iter().map(line).collect();
    if args.json {
        return output::print_json("slots", &lines);
    }
    let mut table = Table::new(&["SLOT", "LABEL", "SERIAL", "USER PIN", "SO PIN", "URI"]);
    for line in lines {
        let (label, uri) = match line.initialised {
            true => (line.label, line.uri),
            false => ("(no token)".to_owned(), "-".to_owned()),
        };
        let (slot, user_pin, so_pin) = (line.slot.to_string(), line.user_pin.to_owned(), line.so_pin.to_owned());
        table.row([slot, label, line.serial, user_pin, so_pin, uri]);
    }
    output::print(&table.text())
}

fn line(token: &Token) -> Line {
    Line {
        slot: token.slot.0,
        initialised: token.is_initialised(),
        label: token.label(),
        serial: token.serial(),
        model: token.info.model.trim_end().to_owned(),
        user_pin: user_pin(token),
        so_pin: so_pin(token),
        uri: token.uri(),
    }
}

/// The state of the user's PIN in a word: `unset`, `set`, `low`, `final-try` or `locked`.
fn user_pin(token: &Token) -> &'static str {
    if !token.has(CKF_USER_PIN_INITIALIZED) {
        return "unset";
    }
    state(token, CKF_USER_PIN_LOCKED, CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_COUNT_LOW)
}

/// The state of the Security Officer's PIN, as `user_pin`.
fn so_pin(token: &Token) -> &'static str {
    if !token.is_initialised() {
        return "unset";
    }
    state(token, CKF_SO_PIN_LOCKED, CKF_SO_PIN_FINAL_TRY, CKF_SO_PIN_COUNT_LOW)
}

fn state(token: &Token, locked: u64, final_try: u64, low: u64) -> &'static str {
    [(locked, "locked"), (final_try, "final-try"), (low, "low")]
        .into_iter()
        .find(|(flag, _)| token.has(*flag))
        .map_or("set", |(_, name)| name)
}
