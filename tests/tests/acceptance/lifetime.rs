//! Beginning and end of the process: unload, reload, exit in every order, foreign allocators.
//!
//! Owns: the C programs of `tests/c`, which are hosts that no Rust test program can be. Rule source: facts
//! about OPENSSL_cleanup (calls after exit handlers), BIND (RTLD_DEEPBIND with jemalloc).

use perilune_tests::ck::*;
use perilune_tests::host::{compiled, host};
use perilune_tests::raw::plain;
use perilune_tests::{Place, Raw, child, ck, isolated, module, outside};
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn the_module_is_unloaded_and_loaded_again() {
    isolated!(|_, _| {
        for round in 0..4 {
            let raw = Raw::load();
            let code = ck!(raw, C_Initialize, std::ptr::null_mut());
            // The library stays mapped, so that what one user left initialised the next one finds so.
            assert!(code == CKR_OK || round == 2 && code == CKR_CRYPTOKI_ALREADY_INITIALIZED, "{round}: {code:#x}");
            if round == 0 {
                raw.user_session();
            }
            let session = raw.session(raw.slot_of(perilune_tests::TOKEN_LABEL).expect("the token"));
            let login = raw.login(session, CKU_USER, perilune_tests::USER_PIN);
            assert!(matches!(login, Ok(()) | Err(CKR_USER_ALREADY_LOGGED_IN)), "{login:?}");
            raw.rsa(session);
            if round != 1 {
                raw.finalize();
            }
        }
    });
}

#[test]
fn two_copies_under_different_names_work_side_by_side() {
    isolated!(|place, _| {
        let copy = place.file("copy.so");
        std::fs::copy(module::path(), &copy).expect("a copy");
        let (one, other) = (Raw::start(), Raw::load_path(&copy));
        assert_eq!(ck!(other, C_Initialize, std::ptr::null_mut()), CKR_OK);
        let session = one.user_session();
        let slot = other.slot_of(perilune_tests::TOKEN_LABEL).expect("the other copy sees the token");
        let second = other.session(slot);
        assert_eq!(other.login(second, CKU_USER, perilune_tests::USER_PIN), Ok(()));
        let object = perilune_tests::Template::new().number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true);
        other.create(second, object).expect("an object");
        assert_eq!(one.find(session, perilune_tests::Template::new(), 10).len(), 1);
    });
}

#[test]
fn finalise_while_other_threads_sign_ends_them_cleanly() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (_, private) = raw.rsa(session);
        let slot = raw.slot_of(perilune_tests::TOKEN_LABEL).expect("the token");
        let begun = AtomicBool::new(false);
        let sessions = [0; 4].map(|_| raw.session(slot));
        std::thread::scope(|scope| {
            let signers = sessions.map(|mine| {
                let (raw, begun) = (&raw, &begun);
                scope.spawn(move || {
                    loop {
                        match raw.sign(mine, plain(CKM_SHA256_RSA_PKCS), private, b"data") {
                            Ok(signature) => assert_eq!(signature.len(), 256),
                            Err(code) => break code,
                        }
                        begun.store(true, Ordering::Relaxed);
                    }
                })
            });
            while !begun.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            raw.finalize();
            for signer in signers {
                let code = signer.join().expect("a signer");
                let expected =
                    [CKR_CRYPTOKI_NOT_INITIALIZED, CKR_SESSION_HANDLE_INVALID, CKR_OPERATION_NOT_INITIALIZED];
                assert!(expected.contains(&code), "{code:#x}");
            }
        });
        assert_eq!(ck!(raw, C_Initialize, std::ptr::null_mut()), CKR_OK);
        raw.finalize();
    });
}

#[test]
fn no_thread_is_left_running_between_calls() {
    isolated!(|_, _| {
        let threads = || std::fs::read_dir("/proc/self/task").expect("the list of threads").count();
        let before = threads();
        let raw = Raw::start();
        let session = raw.user_session();
        raw.rsa(session);
        let object = perilune_tests::Template::new().number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true);
        raw.create(session, object).expect("an object");
        assert_eq!(threads(), before);
    });
}

#[test]
fn exit_without_finalise_is_clean() {
    let place = Place::new();
    let program = compiled(&place, "exit", &[]);
    for way in ["return", "exit", "thread"] {
        assert!(host(&place, &program, &[way], &[]).contains("used"), "{way}");
    }
}

#[test]
fn calls_after_the_exit_handlers_have_run_do_not_crash() {
    let place = Place::new();
    let program = compiled(&place, "exit", &[]);
    for way in ["atexit-early", "atexit-late", "destructor"] {
        let said = host(&place, &program, &[way], &[]);
        assert!(said.contains("used") && said.contains("late calls done"), "{way}: {said}");
    }
}

#[test]
fn a_host_with_another_allocator_loads_the_module_with_deep_binding() {
    let place = Place::new();
    let program = compiled(&place, "deepbind", &[]);
    let jemalloc = ["/usr/lib/x86_64-linux-gnu/libjemalloc.so.2", "/usr/lib/aarch64-linux-gnu/libjemalloc.so.2"];
    let Some(jemalloc) = jemalloc.into_iter().find(|path| std::path::Path::new(path).exists()) else {
        return outside::skip("deepbind", "libjemalloc.so.2 is not here");
    };
    for environment in [&[][..], &[("LD_PRELOAD", jemalloc)]] {
        assert!(host(&place, &program, &[], environment).contains("signed"));
    }
}

#[test]
fn a_fork_in_a_plain_c_host_is_survived_by_both() {
    let place = Place::new();
    let program = compiled(&place, "fork", &[]);
    let said = host(&place, &program, &[], &[]);
    assert!(said.contains("child signed") && said.contains("parent signed"), "{said}");
}

/// The child module is used by every scenario here; this one proves that a crash in a scenario is seen.
#[test]
#[should_panic(expected = "signal")]
fn a_crash_in_a_scenario_is_reported() {
    let code = child::forked(|| {
        // SAFETY: ends this process by a signal, which is what the harness must notice.
        unsafe { libc::abort() }
    });
    assert_eq!(code, 0);
}
