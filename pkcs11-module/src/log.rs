//! The log line of a finished call.
//!
//! Owns: what the line says: function, slot or session, return value by name, and the reason in words.
//! Never a secret: only handles and the reason's text go in, and reasons hold no values.
//! Does not know: where the log goes (`hsm-platform` starts it when the settings ask for it).
//! Called from the guard after each call; costs one load of a static number while the log is off.

use ffi_headers::{
    CK_RV, CKR_DEVICE_ERROR, CKR_DEVICE_MEMORY, CKR_FUNCTION_FAILED, CKR_GENERAL_ERROR, CKR_HOST_MEMORY,
    CKR_TOKEN_WRITE_PROTECTED, names,
};
use hsm_core::Reason;
use tracing::level_filters::LevelFilter;

use crate::functions::Row;
use crate::panics;

/// What a call was about.
#[derive(Debug, Clone, Copy)]
pub enum Subject {
    /// The library as a whole.
    None,
    /// The slot of this number.
    Slot(u64),
    /// The session of this handle.
    Session(u64),
}

/// Logs a finished call: failures of the module and of what it stands on as errors, all others for debugging.
pub fn call(row: &Row, subject: Subject, rv: CK_RV, reason: Option<&Reason>) {
    if LevelFilter::current() == LevelFilter::OFF {
        return;
    }
    // A log that breaks (a full disk, an exit handler after the thread's destructors) must not change an answer.
    let _ = panics::quietly(|| line(row, subject, rv, reason));
}

fn line(row: &Row, subject: Subject, rv: CK_RV, reason: Option<&Reason>) {
    let function = row.name;
    let answer = names::printable(names::return_value, rv);
    let reason = reason.map(tracing::field::display);
    let (slot, session) = match subject {
        Subject::None => (None, None),
        Subject::Slot(slot) => (Some(slot), None),
        Subject::Session(session) => (None, Some(session)),
    };
    if is_fault(rv) {
        tracing::error!(target: "perilune", function, slot, session, answer, reason);
    } else {
        tracing::debug!(target: "perilune", function, slot, session, answer, reason);
    }
}

/// Whether a person has to look into it: the engine room failed, or the ground it stands on (a full or read-only
/// disk, a store that stays busy). Everything else is a call that was refused or served.
fn is_fault(rv: CK_RV) -> bool {
    matches!(
        rv,
        CKR_GENERAL_ERROR
            | CKR_DEVICE_ERROR
            | CKR_DEVICE_MEMORY
            | CKR_TOKEN_WRITE_PROTECTED
            | CKR_FUNCTION_FAILED
            | CKR_HOST_MEMORY
    )
}
