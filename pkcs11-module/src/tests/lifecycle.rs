//! The forms of C_Initialize's argument. What follows from it is tested through the built library.

use core::ptr;

use ffi_headers::*;

use super::*;
use crate::memory::testing::*;

extern "C" fn create(_: *mut *mut c_void) -> CK_RV {
    CKR_GENERAL_ERROR
}

extern "C" fn other(_: *mut c_void) -> CK_RV {
    CKR_GENERAL_ERROR
}

/// Judges arguments with these flags and the mutex functions of a mask.
fn judged(flags: CK_FLAGS, functions: u8, reserved: bool) -> Result<()> {
    let bit = |bit: u8| functions & (1 << bit) != 0;
    let mut byte = 0_u8;
    let mut buffer = [0_u8; size_of::<CK_C_INITIALIZE_ARGS>() + 1];
    let arguments = CK_C_INITIALIZE_ARGS {
        CreateMutex: bit(0).then_some(create),
        DestroyMutex: bit(1).then_some(other),
        LockMutex: bit(2).then_some(other),
        UnlockMutex: bit(3).then_some(other),
        flags,
        pReserved: if reserved { (&raw mut byte).cast() } else { ptr::null_mut() },
    };
    raw_inside::<CK_C_INITIALIZE_ARGS>(&mut buffer, 1).out("arguments").unwrap().write(arguments);
    check_arguments(raw_inside(&mut buffer, 1)).map(drop)
}

#[test]
fn all_forms_that_clients_use_are_served() {
    check_arguments(null()).unwrap();
    for flags in [0, CKF_OS_LOCKING_OK, CKF_LIBRARY_CANT_CREATE_OS_THREADS, 3] {
        judged(flags, 0b0000, false).unwrap();
        judged(flags, 0b1111, false).unwrap();
    }
}

#[test]
fn mutex_functions_come_all_or_not_at_all() {
    for functions in 0b0001..0b1111 {
        assert!(matches!(judged(0, functions, false), Err(Reason::ArgumentsBad(_))), "{functions:04b}");
        assert!(matches!(judged(CKF_OS_LOCKING_OK, functions, false), Err(Reason::ArgumentsBad(_))));
    }
}

#[test]
fn reserved_pointers_are_null() {
    let mut byte = 0_u8;
    assert!(matches!(judged(0, 0, true), Err(Reason::ArgumentsBad(_))));
    assert!(matches!(finalize(raw_inside(core::slice::from_mut(&mut byte), 1 - 1)), Err(Reason::ArgumentsBad(_))));
}
