//! C_Initialize in every form that real clients use, C_Finalize, and threads that race for them.
//!
//! Rule source: PKCS#11 2.40, 5.4 and facts about strongSwan (callbacks with flags 0), node (flags 0
//! without callbacks), NSS (flags 3 with callbacks), GnuTLS (flags 3 without).

use perilune_tests::ck::*;
use perilune_tests::{Raw, ck, isolated};
use std::ptr::{from_mut, null_mut};
use std::sync::Barrier;

unsafe extern "C" fn create(mutex: *mut *mut std::ffi::c_void) -> CK_RV {
    // SAFETY: the standard passes a place for the new mutex.
    unsafe { *mutex = Box::into_raw(Box::new(0u8)).cast() };
    CKR_OK
}

unsafe extern "C" fn destroy(mutex: *mut std::ffi::c_void) -> CK_RV {
    // SAFETY: it was made by `create` and is destroyed once.
    drop(unsafe { Box::from_raw(mutex.cast::<u8>()) });
    CKR_OK
}

unsafe extern "C" fn lock(_mutex: *mut std::ffi::c_void) -> CK_RV {
    CKR_OK
}

fn arguments(callbacks: [bool; 4], flags: CK_FLAGS) -> CK_C_INITIALIZE_ARGS {
    CK_C_INITIALIZE_ARGS {
        CreateMutex: if callbacks[0] { Some(create) } else { None },
        DestroyMutex: if callbacks[1] { Some(destroy) } else { None },
        LockMutex: if callbacks[2] { Some(lock) } else { None },
        UnlockMutex: if callbacks[3] { Some(lock) } else { None },
        flags,
        pReserved: null_mut(),
    }
}

fn initialise(raw: &Raw, mut arguments: CK_C_INITIALIZE_ARGS) -> CK_RV {
    ck!(raw, C_Initialize, from_mut(&mut arguments).cast())
}

const ALL: [bool; 4] = [true; 4];
const NONE: [bool; 4] = [false; 4];

#[test]
fn every_form_that_clients_use_is_accepted() {
    isolated!(|_, _| {
        let raw = Raw::load();
        assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK);
        raw.finalize();
        for (callbacks, flags) in [
            (NONE, 0),
            (NONE, CKF_OS_LOCKING_OK),
            (NONE, CKF_OS_LOCKING_OK | CKF_LIBRARY_CANT_CREATE_OS_THREADS),
            (ALL, CKF_OS_LOCKING_OK),
            (ALL, CKF_OS_LOCKING_OK | CKF_LIBRARY_CANT_CREATE_OS_THREADS),
        ] {
            assert_eq!(initialise(&raw, arguments(callbacks, flags)), CKR_OK, "{callbacks:?} {flags}");
            assert!(!raw.slots(false).is_empty());
            raw.finalize();
        }
    });
}

#[test]
fn application_mutexes_alone_are_used_or_refused_as_the_standard_says() {
    isolated!(|_, _| {
        let raw = Raw::load();
        // strongSwan does this and goes on only after CKR_OK or CKR_CANT_LOCK with a second try.
        let code = initialise(&raw, arguments(ALL, 0));
        assert_eq!(code, CKR_OK, "{code:#x}: strongSwan could not use the module");
        raw.finalize();
    });
}

#[test]
fn malformed_arguments_are_refused_and_leave_nothing_behind() {
    isolated!(|_, _| {
        let raw = Raw::load();
        for missing in 0..4 {
            let mut callbacks = ALL;
            callbacks[missing] = false;
            assert_eq!(initialise(&raw, arguments(callbacks, CKF_OS_LOCKING_OK)), CKR_ARGUMENTS_BAD, "{missing}");
            let mut callbacks = NONE;
            callbacks[missing] = true;
            assert_eq!(initialise(&raw, arguments(callbacks, 0)), CKR_ARGUMENTS_BAD, "{missing}");
        }
        let mut word = 0u64;
        let mut reserved = arguments(NONE, CKF_OS_LOCKING_OK);
        reserved.pReserved = from_mut(&mut word).cast();
        assert_eq!(initialise(&raw, reserved), CKR_ARGUMENTS_BAD);
        assert_eq!(ck!(raw, C_GetInfo, &mut CK_INFO::default()), CKR_CRYPTOKI_NOT_INITIALIZED);
        assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK, "a refused call leaves no half state");
        raw.finalize();
    });
}

#[test]
fn a_second_initialise_is_refused_and_harmless() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_CRYPTOKI_ALREADY_INITIALIZED);
        assert_eq!(initialise(&raw, arguments(NONE, CKF_OS_LOCKING_OK)), CKR_CRYPTOKI_ALREADY_INITIALIZED);
        assert_eq!(ck!(raw, C_GetSessionInfo, session, &mut CK_SESSION_INFO::default()), CKR_OK);
    });
}

#[test]
fn finalise_takes_null_only_and_ends_everything() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let mut word = 0u64;
        assert_eq!(ck!(raw, C_Finalize, from_mut(&mut word).cast()), CKR_ARGUMENTS_BAD);
        assert_eq!(ck!(raw, C_GetSessionInfo, session, &mut CK_SESSION_INFO::default()), CKR_OK);
        raw.finalize();
        assert_eq!(ck!(raw, C_Finalize, null_mut()), CKR_CRYPTOKI_NOT_INITIALIZED);
        assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK);
        let code = ck!(raw, C_GetSessionInfo, session, &mut CK_SESSION_INFO::default());
        assert_eq!(code, CKR_SESSION_HANDLE_INVALID, "sessions do not outlive C_Finalize");
    });
}

#[test]
fn initialise_and_finalise_many_times_as_p11_kit_does() {
    isolated!(|_, _| {
        let raw = Raw::load();
        for _ in 0..20 {
            assert_eq!(initialise(&raw, arguments(NONE, CKF_OS_LOCKING_OK)), CKR_OK);
            assert_eq!(raw.slots(false).len(), 1);
            raw.finalize();
        }
    });
}

#[test]
fn of_many_threads_that_initialise_at_once_exactly_one_does() {
    isolated!(|_, _| {
        let raw = Raw::load();
        for _ in 0..10 {
            let gate = Barrier::new(8);
            let codes: Vec<CK_RV> = std::thread::scope(|scope| {
                let racers: Vec<_> = (0..8)
                    .map(|_| {
                        scope.spawn(|| {
                            gate.wait();
                            let code = initialise(&raw, arguments(NONE, CKF_OS_LOCKING_OK));
                            assert_eq!(ck!(raw, C_GetInfo, &mut CK_INFO::default()), CKR_OK);
                            code
                        })
                    })
                    .collect();
                racers.into_iter().map(|racer| racer.join().expect("a racer")).collect()
            });
            assert_eq!(codes.iter().filter(|&&code| code == CKR_OK).count(), 1, "{codes:?}");
            assert!(codes.iter().all(|&code| code == CKR_OK || code == CKR_CRYPTOKI_ALREADY_INITIALIZED));
            raw.finalize();
        }
    });
}

#[test]
fn information_about_the_module_is_as_stated() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let mut info = CK_INFO::default();
        assert_eq!(ck!(raw, C_GetInfo, &mut info), CKR_OK);
        assert_eq!((info.cryptokiVersion.major, info.cryptokiVersion.minor), (3, 2), "the newest interface");
        assert_eq!(info.flags, 0);
        for text in [&info.manufacturerID, &info.libraryDescription] {
            assert!(text.iter().all(|byte| (0x20..0x7F).contains(byte)), "blank-padded text: {text:?}");
        }
        assert!(String::from_utf8_lossy(&info.libraryDescription).contains("Perilune"));
        assert_eq!(ck!(raw, C_GetInfo, null_mut()), CKR_ARGUMENTS_BAD);
    });
}
