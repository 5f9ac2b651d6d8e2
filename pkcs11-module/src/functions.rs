//! The rows of the function table as data, and the document printed from them.
//!
//! Owns: what is known of a function besides its body: name, version of the standard, whether it is
//! supported, which operations its errors end. Does not know: arguments, bodies.
//! Called from: the guard (log name, ending rule), `xtask` (the document), the tests that call every row.
//! Rule source: PKCS#11 v2.40, v3.0 and v3.2, the function lists; v2.40, 5.2 for the ending of operations.

use core::fmt::Write as _;

use hsm_core::OperationKind;

pub use crate::entries::{FUNCTIONS, Function};

/// The version of the standard that brought a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Since {
    /// Major number.
    pub major: u8,
    /// Minor number, 40 in 2.40.
    pub minor: u8,
}

/// Whether a function does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Supported,
    /// It answers `CKR_FUNCTION_NOT_PARALLEL`, as the standard asks of every library.
    Legacy,
    /// It answers `CKR_FUNCTION_NOT_SUPPORTED`, for this reason.
    NotSupported(&'static str),
}

/// What a function works on; says which first argument it has and what must hold before its body runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The process: may be called before C_Initialize.
    Process,
    /// The initialised library.
    Module,
    /// A slot, by the first argument.
    Slot,
    /// A session, by the first argument.
    Session,
}

/// One row of the function table, less the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Its name in the standard, which is also its name in the log.
    pub name: &'static str,
    /// Since when the standard has it.
    pub since: Since,
    /// The version of Perilune that had it first.
    pub first_version: &'static str,
    /// Whether it is a symbol of the library (the others are reached through the function lists only).
    pub exported: bool,
    /// Whether it does its work.
    pub status: Status,
    /// What it works on.
    pub scope: Scope,
    /// The operations that are over after any error of this function, except `CKR_BUFFER_TOO_SMALL`.
    pub ends: &'static [OperationKind],
}

impl Function {
    /// The function's row.
    #[must_use]
    pub fn row(self) -> &'static Row {
        &FUNCTIONS[self as usize]
    }
}

/// Prints `docs/functions.md`.
#[must_use]
pub fn functions_document() -> String {
    let supported = FUNCTIONS.iter().filter(|row| row.status == Status::Supported).count();
    let mut text = format!(
        "# Functions\n\n\
         Printed from the function table (`pkcs11-module/src/table.rs`); do not edit.\n\n\
         {supported} of {all} functions do their work. The others are in the function lists too and answer\n\
         as their line says, `CKR_FUNCTION_NOT_SUPPORTED` in general\n\
         (`CKR_CRYPTOKI_NOT_INITIALIZED` before `C_Initialize`).\n\n\
         *Since* is the version of the standard, *first version* that of Perilune.\n\
         *Ends*: the operations that any error of the function ends; a request for the size and\n\
         `CKR_BUFFER_TOO_SMALL` never end one.\n\n\
         | Function | Since | First version | Symbol | Ends | Status |\n|---|---|---|---|---|---|\n",
        all = FUNCTIONS.len(),
    );
    for row in &FUNCTIONS {
        let Since { major, minor } = row.since;
        let symbol = if row.exported { "yes" } else { "no" };
        let ends = row.ends.iter().map(|kind| lower_case(&format!("{kind:?}"))).collect::<Vec<_>>().join(", ");
        let status = match row.status {
            Status::Supported => "supported".to_owned(),
            Status::Legacy => "`CKR_FUNCTION_NOT_PARALLEL`, as the standard asks".to_owned(),
            Status::NotSupported(why) => format!("not supported: {why}"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | {major}.{minor} | {} | {symbol} | {ends} | {status} |",
            row.name, row.first_version
        );
    }
    text
}

/// A name in words: `VerifyRecover` is "verify recover".
fn lower_case(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

#[cfg(test)]
#[path = "tests/functions.rs"]
mod tests;

#[cfg(test)]
#[path = "tests/peers.rs"]
mod peers;
