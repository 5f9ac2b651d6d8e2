//! Why a command failed: one line that says what was tried, why it failed and what to do.
//!
//! Owns: exit codes and the advice to each reason. Does not know: which command runs.

use ffi_headers::{
    CKR_DEVICE_ERROR, CKR_FUNCTION_FAILED, CKR_FUNCTION_REJECTED, CKR_PIN_INCORRECT, CKR_PIN_LEN_RANGE, CKR_PIN_LOCKED,
    CKR_SESSION_EXISTS, CKR_SLOT_ID_INVALID, CKR_TOKEN_NOT_RECOGNIZED, CKR_TOKEN_WRITE_PROTECTED,
    CKR_USER_PIN_NOT_INITIALIZED,
};
use hsm_core::Reason;
use hsm_platform::StartError;
use std::fmt;

/// Exit code of a failure that is none of the others.
pub const EXIT_FAILED: u8 = 1;
/// Exit code of wrong usage; clap's is the same.
pub const EXIT_USAGE: u8 = 2;
/// Exit code when a PIN is wrong, locked or of impossible length.
pub const EXIT_PIN: u8 = 3;

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The command line asks for something that cannot be.
    Usage(String),
    /// Something could not be done.
    Failed {
        /// What was tried.
        what: String,
        /// Why it failed.
        why: String,
        /// What to do about it; empty where nothing sensible can be said.
        advice: &'static str,
        /// The exit code.
        exit: u8,
    },
    /// Whoever read the output has stopped reading.
    OutputClosed,
}

impl Failure {
    /// The exit code.
    pub fn exit(&self) -> u8 {
        match self {
            Failure::Usage(_) => EXIT_USAGE,
            Failure::Failed { exit, .. } => *exit,
            Failure::OutputClosed => 0,
        }
    }

    /// A failure outside the HSM.
    pub fn new(what: impl Into<String>, why: impl fmt::Display, advice: &'static str) -> Self {
        Failure::Failed { what: what.into(), why: why.to_string(), advice, exit: EXIT_FAILED }
    }

    /// A failure of the HSM.
    pub fn of(what: impl Into<String>, reason: &Reason) -> Self {
        let exit = match reason.rv() {
            CKR_PIN_INCORRECT | CKR_PIN_LOCKED | CKR_PIN_LEN_RANGE => EXIT_PIN,
            _ => EXIT_FAILED,
        };
        Failure::Failed { what: what.into(), why: reason.to_string(), advice: advice(reason), exit }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(text) => f.write_str(text),
            Failure::Failed { what, why, advice: "", .. } => write!(f, "{what}: {why}"),
            Failure::Failed { what, why, advice, .. } => write!(f, "{what}: {why}; {advice}"),
            Failure::OutputClosed => f.write_str("nobody reads the output"),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        const WHAT: &str = "cannot start";
        match error {
            StartError::Core(reason) => Failure::of(WHAT, &reason),
            StartError::Config { .. } => Failure::new(WHAT, error, "docs/perilune.toml shows every key"),
            StartError::Place(_) | StartError::DeviceKey { .. } => Failure::new(WHAT, error, ""),
        }
    }
}

/// Names what was being done when a call failed.
pub trait During<T> {
    /// Turns a reason into a failure of `what`.
    fn during(self, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T> During<T> for hsm_core::Result<T> {
    fn during(self, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|reason| Failure::of(what(), &reason))
    }
}

/// What a person can do about a reason. Reasons of the store come wrapped and are told apart by their return value.
fn advice(reason: &Reason) -> &'static str {
    match reason.rv() {
        CKR_PIN_LOCKED => "`perilune pin reset` unlocks the user; a locked Security Officer stays locked",
        CKR_PIN_INCORRECT => "try again with the right PIN",
        CKR_USER_PIN_NOT_INITIALIZED => "`perilune pin reset` sets the user's PIN",
        CKR_TOKEN_NOT_RECOGNIZED => "`perilune init` makes a token in the slot",
        CKR_SLOT_ID_INVALID => "`perilune slots` lists the slots",
        CKR_DEVICE_ERROR | CKR_TOKEN_WRITE_PROTECTED => "`perilune doctor` examines the store",
        CKR_FUNCTION_FAILED => "see which process holds the store, or wait longer (lock.wait_ms)",
        CKR_FUNCTION_REJECTED => "--replace puts the token of the backup in its place, with all its keys",
        CKR_SESSION_EXISTS => "close the sessions on the token first",
        _ => "",
    }
}
