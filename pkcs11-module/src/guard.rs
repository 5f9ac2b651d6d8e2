//! The one way into the library: every C function runs its body through here.
//!
//! Owns: the question whether the library is initialised in this process, the boundary that stops
//! panics, the rule that an error ends an operation (the row's column), the session a panic costs, the
//! log line, and the turning of a [`Reason`] into a return value. Does not know: what a function does.
//! Called only from the C functions that `entries` makes.
//! Rule source: PKCS#11 v2.40, 5.1 (return values) and 5.2 (ending of operations); DESIGN section 3.

use ffi_headers::*;
use hsm_core::{Hsm, OperationKind, Reason, Result, SessionHandle, SlotId};

use crate::functions::{Function, Row};
use crate::log::{self, Subject};
use crate::{lifecycle, panics, reserve};

/// What the guard needs of the core for a call in a session.
pub trait Sessions {
    /// Ends the session's operation of that kind, if one is active.
    fn cancel(&self, session: SessionHandle, operation: OperationKind);
    /// Puts the session out of use.
    fn mark_faulted(&self, session: SessionHandle);
    /// Whether there is such a session.
    fn exists(&self, session: SessionHandle) -> bool;
}

impl Sessions for Hsm {
    fn cancel(&self, session: SessionHandle, operation: OperationKind) {
        Hsm::cancel(self, session, operation);
    }

    fn mark_faulted(&self, session: SessionHandle) {
        Hsm::mark_faulted(self, session);
    }

    fn exists(&self, session: SessionHandle) -> bool {
        !matches!(self.session_info(session), Err(Reason::SessionUnknown(_)))
    }
}

/// Runs a function that may be called before C_Initialize.
pub fn process(function: Function, body: impl FnOnce() -> Result<()>) -> CK_RV {
    finish(function.row(), Subject::None, body)
}

/// Runs a function of the initialised library.
pub fn module(function: Function, body: impl FnOnce(&Hsm) -> Result<()>) -> CK_RV {
    finish(function.row(), Subject::None, || lifecycle::with_hsm(body))
}

/// Runs a function of a slot.
pub fn slot(function: Function, slot: CK_SLOT_ID, body: impl FnOnce(&Hsm, SlotId) -> Result<()>) -> CK_RV {
    finish(function.row(), Subject::Slot(slot), || lifecycle::with_hsm(|hsm| body(hsm, SlotId(slot))))
}

/// Runs a function of a session.
pub fn session(
    function: Function,
    session: CK_SESSION_HANDLE,
    body: impl FnOnce(&Hsm, SessionHandle) -> Result<()>,
) -> CK_RV {
    let row = function.row();
    finish(row, Subject::Session(session), || {
        lifecycle::with_hsm(|hsm| in_session(row, hsm, SessionHandle(session), |session| body(hsm, session)))
    })
}

/// Runs a body in a session: what it leaves behind there when it fails is the row's business.
fn in_session(
    row: &Row,
    sessions: &impl Sessions,
    session: SessionHandle,
    body: impl FnOnce(SessionHandle) -> Result<()>,
) -> Result<()> {
    let reason = match panics::contain(|| body(session)) {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(reason)) => reason,
        Err(panic) => {
            // The panic may have left the session's state half changed; no lock is poisoned, so the mark stands for it.
            sessions.mark_faulted(session);
            return Err(panic.into());
        }
    };
    if !matches!(reason, Reason::BufferTooSmall { .. }) {
        for operation in row.ends {
            sessions.cancel(session, *operation);
        }
    }
    // Arguments are decoded before the session is looked up, but an unknown session outranks what is wrong with
    // them (v2.40, 5.1.2 comes before 5.1.6). Only failed calls pay for the question.
    if is_about_arguments(&reason) && !sessions.exists(session) {
        return Err(Reason::SessionUnknown(session.0));
    }
    Err(reason)
}

/// Whether the reason can come from decoding.
fn is_about_arguments(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::ArgumentsBad(_)
            | Reason::MechanismUnknown(_)
            | Reason::MechanismParam(_)
            | Reason::AttributeValue { .. }
            | Reason::PinLength { .. }
    )
}

/// Whether a function gives memory back rather than takes some, so that it is served also when memory is short.
fn gives_back(row: &Row) -> bool {
    [
        Function::C_Finalize,
        Function::C_CloseSession,
        Function::C_CloseAllSessions,
        Function::C_Logout,
        Function::C_FindObjectsFinal,
        Function::C_SessionCancel,
    ]
    .iter()
    .any(|function| core::ptr::eq(function.row(), row))
}

/// Runs the whole call, turns its outcome into a return value and logs it.
fn finish(row: &Row, subject: Subject, body: impl FnOnce() -> Result<()>) -> CK_RV {
    let outcome = match reserve::enough() {
        Err(short) if !gives_back(row) => Err(short),
        _ => panics::contain(body).unwrap_or_else(|panic| Err(panic.into())),
    };
    let rv = outcome.as_ref().map_or_else(Reason::rv, |()| CKR_OK);
    log::call(row, subject, rv, outcome.as_ref().err());
    rv
}

#[cfg(test)]
#[path = "tests/guard.rs"]
mod tests;
