//! What the guard does with errors and panics.

use core::cell::RefCell;

use super::*;
use crate::functions::FUNCTIONS;

/// Sessions that note what is done to them; 1 exists, others do not.
#[derive(Default)]
struct Noted {
    notes: RefCell<Vec<String>>,
}

impl Sessions for Noted {
    fn cancel(&self, session: SessionHandle, operation: OperationKind) {
        self.notes.borrow_mut().push(format!("cancel {operation:?} of {}", session.0));
    }

    fn mark_faulted(&self, session: SessionHandle) {
        self.notes.borrow_mut().push(format!("fault {}", session.0));
    }

    fn exists(&self, session: SessionHandle) -> bool {
        session.0 == 1
    }
}

/// Runs a body as that function in a session; returns the return value and what was done to the session.
fn called(function: Function, session: u64, body: impl FnOnce() -> Result<()>) -> (CK_RV, Vec<String>) {
    panics::install_hook();
    let sessions = Noted::default();
    let row = function.row();
    let rv = finish(row, Subject::Session(session), || in_session(row, &sessions, SessionHandle(session), |_| body()));
    (rv, sessions.notes.into_inner())
}

#[test]
fn success_and_size_answers_end_nothing() {
    assert_eq!(called(Function::C_Sign, 1, || Ok(())), (CKR_OK, vec![]));
    let too_small = called(Function::C_Sign, 1, || Err(Reason::BufferTooSmall { need: 1 }));
    assert_eq!(too_small, (CKR_BUFFER_TOO_SMALL, vec![]));
}

#[test]
fn every_other_error_ends_the_operation_of_the_row() {
    for (function, note) in [
        (Function::C_Sign, "cancel Sign of 1"),
        (Function::C_SignUpdate, "cancel Sign of 1"),
        (Function::C_SignFinal, "cancel Sign of 1"),
        (Function::C_Verify, "cancel Verify of 1"),
        (Function::C_VerifyUpdate, "cancel Verify of 1"),
        (Function::C_VerifyFinal, "cancel Verify of 1"),
        (Function::C_Encrypt, "cancel Encrypt of 1"),
        (Function::C_EncryptUpdate, "cancel Encrypt of 1"),
        (Function::C_EncryptFinal, "cancel Encrypt of 1"),
        (Function::C_Decrypt, "cancel Decrypt of 1"),
        (Function::C_DecryptUpdate, "cancel Decrypt of 1"),
        (Function::C_DecryptFinal, "cancel Decrypt of 1"),
        (Function::C_Digest, "cancel Digest of 1"),
        (Function::C_DigestUpdate, "cancel Digest of 1"),
        (Function::C_DigestKey, "cancel Digest of 1"),
        (Function::C_DigestFinal, "cancel Digest of 1"),
    ] {
        for reason in [Reason::ArgumentsBad("x"), Reason::DataLength, Reason::SignatureInvalid, Reason::HostMemory] {
            let rv = reason.rv();
            assert_eq!(called(function, 1, || Err(reason)), (rv, vec![note.to_owned()]), "{function:?}");
        }
    }
}

#[test]
fn an_error_of_a_call_for_two_operations_ends_both() {
    for (function, first, second) in [
        (Function::C_DigestEncryptUpdate, "Digest", "Encrypt"),
        (Function::C_DecryptDigestUpdate, "Decrypt", "Digest"),
        (Function::C_SignEncryptUpdate, "Sign", "Encrypt"),
        (Function::C_DecryptVerifyUpdate, "Decrypt", "Verify"),
    ] {
        let (rv, notes) = called(function, 1, || Err(Reason::ArgumentsBad("x")));
        assert_eq!(rv, CKR_ARGUMENTS_BAD);
        assert_eq!(notes, [format!("cancel {first} of 1"), format!("cancel {second} of 1")], "{function:?}");
    }
}

#[test]
fn a_failed_initialisation_ends_no_operation() {
    for function in [
        Function::C_SignInit,
        Function::C_VerifyInit,
        Function::C_EncryptInit,
        Function::C_DecryptInit,
        Function::C_DigestInit,
        Function::C_FindObjectsInit,
    ] {
        assert_eq!(called(function, 1, || Err(Reason::OperationActive)), (CKR_OPERATION_ACTIVE, vec![]));
    }
}

#[test]
fn only_functions_of_a_session_end_operations() {
    for row in FUNCTIONS.iter().filter(|row| !row.ends.is_empty()) {
        assert_eq!(row.scope, crate::functions::Scope::Session, "{}", row.name);
    }
}

#[test]
fn a_panic_is_a_general_error_and_costs_the_session() {
    let (rv, notes) = called(Function::C_Sign, 1, || panic!("a broken rule"));
    assert_eq!((rv, notes), (CKR_GENERAL_ERROR, vec!["fault 1".to_owned()]));
}

#[test]
fn a_panic_outside_of_a_session_is_a_general_error() {
    panics::install_hook();
    assert_eq!(process(Function::C_GetFunctionList, || panic!("a broken rule")), CKR_GENERAL_ERROR);
    // The next call is none the worse.
    assert_eq!(process(Function::C_GetFunctionList, || Ok(())), CKR_OK);
}

#[test]
fn an_unknown_session_outranks_what_is_wrong_with_the_arguments() {
    let cases = [
        (1, CKR_ARGUMENTS_BAD, Reason::ArgumentsBad("x")),
        (2, CKR_SESSION_HANDLE_INVALID, Reason::ArgumentsBad("x")),
        (2, CKR_SESSION_HANDLE_INVALID, Reason::MechanismUnknown(1)),
        (2, CKR_SESSION_HANDLE_INVALID, Reason::MechanismParam("x")),
        (1, CKR_MECHANISM_INVALID, Reason::MechanismUnknown(1)),
        (2, CKR_KEY_HANDLE_INVALID, Reason::KeyUnknown(1)),
    ];
    for (session, rv, reason) in cases {
        assert_eq!(called(Function::C_SignInit, session, || Err(reason)).0, rv);
    }
}

#[test]
fn no_function_works_before_initialisation() {
    let body = |_: &Hsm| panic!("the body must not run");
    assert_eq!(module(Function::C_GetInfo, body), CKR_CRYPTOKI_NOT_INITIALIZED);
    let body = |_: &Hsm, _| panic!("the body must not run");
    assert_eq!(slot(Function::C_GetSlotInfo, 0, body), CKR_CRYPTOKI_NOT_INITIALIZED);
    let body = |_: &Hsm, _| panic!("the body must not run");
    assert_eq!(session(Function::C_Sign, 1, body), CKR_CRYPTOKI_NOT_INITIALIZED);
}
