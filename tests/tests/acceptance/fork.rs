//! fork: the child begins anew, the parent is not touched, no lock of the parent's threads hangs the child.
//!
//! Rule source: PKCS#11 2.40, 5.4 (a child must call C_Initialize itself); facts about libp11 (C_Initialize
//! with NULL in each worker, then login and search by label).

use perilune_tests::ck::*;
use perilune_tests::raw::{answer, plain};
use perilune_tests::{Raw, TOKEN_LABEL, Template, USER_PIN, child, ck, isolated};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};

fn labelled(label: &str) -> Template {
    Template::new().text(CKA_LABEL, label)
}

/// A token with a P-256 pair in it; the session and its private and public key.
fn with_pair(raw: &Raw) -> (CK_SESSION_HANDLE, CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
    let session = raw.user_session();
    let both = Template::new().flag(CKA_TOKEN, true).text(CKA_LABEL, "pair");
    let curve = [6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];
    let (public, private) = raw.ec(session, CKM_EC_KEY_PAIR_GEN, &curve, &both).expect("a pair");
    (session, private, public)
}

/// What libp11 does in a worker: initialise with NULL, log in, find the key again, sign.
fn worker(raw: &Raw) -> i32 {
    assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK);
    let session = raw.open(raw.slot_of(TOKEN_LABEL).expect("the token"), CKF_SERIAL_SESSION).expect("a session");
    assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
    let key = raw.find(session, labelled("pair").number(CKA_CLASS, CKO_PRIVATE_KEY), 1);
    let public = raw.find(session, labelled("pair").number(CKA_CLASS, CKO_PUBLIC_KEY), 1);
    let signature = raw.sign(session, plain(CKM_ECDSA), key[0], &[5; 32]).expect("signed in the child");
    assert_eq!(raw.verify(session, plain(CKM_ECDSA), public[0], &[5; 32], &signature), Ok(()));
    0
}

#[test]
fn the_child_is_not_initialised_and_may_initialise_and_sign() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let (session, private, public) = with_pair(&raw);
        let code = child::forked(|| {
            assert_eq!(ck!(raw, C_GetInfo, &mut CK_INFO::default()), CKR_CRYPTOKI_NOT_INITIALIZED);
            assert_eq!(ck!(raw, C_CloseSession, session), CKR_CRYPTOKI_NOT_INITIALIZED);
            let mut count = 0;
            assert_eq!(ck!(raw, C_GetSlotList, CK_FALSE, null_mut(), &mut count), CKR_CRYPTOKI_NOT_INITIALIZED);
            assert_eq!(raw.sign(session, plain(CKM_ECDSA), private, &[5; 32]), Err(CKR_CRYPTOKI_NOT_INITIALIZED));
            worker(&raw)
        });
        assert_eq!(code, 0);
        let signature = raw.sign(session, plain(CKM_ECDSA), private, &[5; 32]).expect("the parent signs on");
        assert_eq!(raw.verify(session, plain(CKM_ECDSA), public, &[5; 32], &signature), Ok(()));
    });
}

#[test]
fn what_the_child_writes_the_parent_sees() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let (session, ..) = with_pair(&raw);
        let code = child::forked(|| {
            worker(&raw);
            let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
            let object = labelled("from the child").number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true);
            raw.create(session, object).expect("an object");
            0
        });
        assert_eq!(code, 0);
        assert_eq!(raw.find(session, labelled("from the child"), 10).len(), 1);
        raw.create(session, labelled("mine").number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true)).expect("an object");
    });
}

#[test]
fn finalise_and_exit_in_the_child_harm_nothing() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let (session, private, _) = with_pair(&raw);
        let code = child::forked(|| {
            let code = ck!(raw, C_Finalize, null_mut());
            assert!(matches!(code, CKR_OK | CKR_CRYPTOKI_NOT_INITIALIZED), "{code:#x}");
            0
        });
        assert_eq!(code, 0);
        // A child that leaves by exit runs the exit handlers.
        let code = child::forked(|| {
            // SAFETY: leaves this process with all its exit handlers.
            unsafe { libc::exit(7) }
        });
        assert_eq!(code, 7);
        assert!(raw.sign(session, plain(CKM_ECDSA), private, &[5; 32]).is_ok());
        raw.create(session, labelled("after").number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true)).expect("an object");
    });
}

#[test]
fn a_child_of_a_child_works_as_in_a_daemon() {
    isolated!(|_, _| {
        let raw = Raw::start();
        with_pair(&raw);
        let code = child::forked(|| child::forked(|| worker(&raw)));
        assert_eq!(code, 0);
    });
}

#[test]
fn parent_and_child_never_draw_the_same_random_bytes() {
    isolated!(|place, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let draw = |session| {
            let mut out = [0; 32];
            assert_eq!(ck!(raw, C_GenerateRandom, session, out.as_mut_ptr(), 32), CKR_OK);
            out
        };
        draw(session);
        let code = child::forked(|| {
            assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK);
            let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
            std::fs::write(place.file("random"), draw(session)).expect("a file");
            0
        });
        assert_eq!(code, 0);
        assert_ne!(place.read("random"), draw(session));
    });
}

#[test]
fn a_fork_while_other_threads_work_hangs_neither_side() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let (session, private, _) = with_pair(&raw);
        let slot = raw.slot_of(TOKEN_LABEL).expect("the token");
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for number in 0..4 {
                let (raw, stop) = (&raw, &stop);
                scope.spawn(move || {
                    let mine = raw.session(slot);
                    while !stop.load(Ordering::Relaxed) {
                        if number == 0 {
                            let object = labelled("churn").number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true);
                            let object = raw.create(mine, object).expect("an object");
                            assert_eq!(raw.destroy(mine, object), Ok(()));
                        } else {
                            raw.sign(mine, plain(CKM_ECDSA), private, &[number; 32]).expect("signed");
                            raw.find(mine, labelled("pair"), 10);
                        }
                    }
                });
            }
            for _ in 0..20 {
                assert_eq!(child::forked(|| worker(&raw)), 0);
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert!(raw.sign(session, plain(CKM_ECDSA), private, &[5; 32]).is_ok());
    });
}

#[test]
fn each_of_eight_workers_signs_at_once_as_in_a_web_server() {
    isolated!(|_, _| {
        let raw = Raw::start();
        with_pair(&raw);
        let workers: Vec<libc::pid_t> = (0..8)
            .map(|_| {
                // SAFETY: no other thread of this program is inside the module; the child leaves by _exit.
                let id = unsafe { libc::fork() };
                if id == 0 {
                    // SAFETY: a time limit for a child that hangs.
                    unsafe { libc::alarm(child::forked_limit_s()) };
                    let code = std::panic::catch_unwind(|| worker(&raw)).unwrap_or(101);
                    // SAFETY: ends this process.
                    unsafe { libc::_exit(code) }
                }
                id
            })
            .collect();
        for id in workers {
            let mut status = -1;
            // SAFETY: our own child; `status` outlives the call.
            assert_eq!(unsafe { libc::waitpid(id, &mut status, 0) }, id);
            assert_eq!(status, 0, "a worker failed; the status as waitpid gives it");
        }
        assert_eq!(answer(ck!(raw, C_GetInfo, &mut CK_INFO::default())), Ok(()));
    });
}
