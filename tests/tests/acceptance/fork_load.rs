//! fork again and again while other threads are in the middle of every kind of call.
//!
//! Rule source: PKCS#11 2.40, 5.4 and 6.6.1. A child has one thread only, so a lock that another thread of the parent
//! held, in the module or in an engine below it, must not be one that the child ever waits for. `PERILUNE_FORK_ROUNDS`
//! sets how often; a child that hangs is ended after two minutes and fails the test.

use crate::functions::{ALWAYS, every_entry};
use perilune_tests::busy::{Bench, P_256};
use perilune_tests::ck::*;
use perilune_tests::raw::{call_words, plain, with};
use perilune_tests::{Place, Raw, TOKEN_LABEL, Template, USER_PIN, child, ck, isolated};
use std::collections::HashSet;
use std::ptr::null_mut;

/// How many rounds of forks.
fn rounds(usual: usize) -> usize {
    std::env::var("PERILUNE_FORK_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Initialises, logs in and returns a read-write session, as a worker does.
fn begin(raw: &Raw) -> CK_SESSION_HANDLE {
    assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK);
    let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
    assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
    session
}

fn pss() -> CK_RSA_PKCS_PSS_PARAMS {
    CK_RSA_PKCS_PSS_PARAMS { hashAlg: CKM_SHA256, mgf: CKG_MGF1_SHA256, sLen: 32 }
}

/// Finds the keys of the token by label, signs with both kinds and proves it; returns the signatures.
fn sign(raw: &Raw, session: CK_SESSION_HANDLE) -> [Vec<u8>; 2] {
    let key =
        |label: &str, class| raw.find(session, Template::new().text(CKA_LABEL, label).number(CKA_CLASS, class), 1)[0];
    let prove = |label: &str, mechanism: CK_MECHANISM| {
        let signature = raw.sign(session, mechanism, key(label, CKO_PRIVATE_KEY), &[5; 32]).expect("signed");
        let public = key(label, CKO_PUBLIC_KEY);
        assert_eq!(raw.verify(session, mechanism, public, &[5; 32], &signature), Ok(()));
        signature
    };
    [prove("pair", plain(CKM_ECDSA)), prove("rsa", with(CKM_SHA256_RSA_PKCS_PSS, &mut pss()))]
}

fn labelled(label: &str) -> Template {
    Template::new().text(CKA_LABEL, label)
}

fn write(raw: &Raw, session: CK_SESSION_HANDLE, label: &str) {
    let object = labelled(label).number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true);
    raw.create(session, object).expect("a token object");
}

/// Leaves this process as `exit` and a return from `main` do: with all exit handlers, those of the engines too.
fn leave_by_exit() -> i32 {
    // SAFETY: ends this process.
    unsafe { libc::exit(0) }
}

/// Every function that may not be called before C_Initialize says so.
fn every_function_refuses(entries: &[(usize, &str, &str)], session: CK_SESSION_HANDLE) {
    for (entry, name, _) in entries.iter().filter(|(_, name, _)| !ALWAYS.contains(name)) {
        let words = [session as usize, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(call_words(*entry, words), CKR_CRYPTOKI_NOT_INITIALIZED, "{name}");
    }
}

/// Forks twice as a daemon does; the daemon begins, signs, writes and leaves by `exit`. Returns when it is gone.
fn daemon(raw: &Raw, label: &str) -> i32 {
    let mut ends = [0; 2];
    // SAFETY: room for both ends of the pipe.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    let code = child::forked(|| {
        // SAFETY: no argument; the child leads no group, so it cannot fail.
        assert!(unsafe { libc::setsid() } > 0);
        // SAFETY: this process has one thread.
        let grandchild = unsafe { libc::fork() };
        if grandchild != 0 {
            return i32::from(grandchild < 0);
        }
        // SAFETY: a time limit for a process that hangs.
        unsafe { libc::alarm(child::forked_limit_s()) };
        let session = begin(raw);
        sign(raw, session);
        write(raw, session, label);
        // SAFETY: one byte of a constant; a failure shows as a byte that the other end misses.
        unsafe { libc::write(ends[1], c"!".as_ptr().cast(), 1) };
        leave_by_exit()
    });
    assert_eq!(code, 0);
    // SAFETY: our own descriptor. The end of the daemon closes the last copy of it.
    unsafe { libc::close(ends[1]) };
    let mut said = [0_u8; 2];
    // SAFETY: room for one byte more than is sent.
    let first = unsafe { libc::read(ends[0], said.as_mut_ptr().cast(), 2) };
    // SAFETY: as above; it waits for the end of the daemon.
    let second = unsafe { libc::read(ends[0], said.as_mut_ptr().cast(), 2) };
    // SAFETY: our own descriptor.
    unsafe { libc::close(ends[0]) };
    assert_eq!(
        (first, second, said[0]),
        (1, 0, b'!'),
        "the daemon did not say that it did its work and end: see above"
    );
    0
}

/// A process that begins, lets two threads sign, and forks the next one meanwhile, so many deep.
fn nested(raw: &Raw, depth: u32) -> i32 {
    child::forked(|| {
        let session = begin(raw);
        let slot = raw.slot_of(TOKEN_LABEL).expect("the token");
        let mine = [raw.session(slot), raw.session(slot)];
        std::thread::scope(|scope| {
            for own in mine {
                let _ = scope.spawn(move || (0..3).for_each(|_| drop(sign(raw, own))));
            }
            if depth > 1 {
                assert_eq!(nested(raw, depth - 1), 0);
            }
        });
        sign(raw, session);
        leave_by_exit()
    })
}

#[test]
fn children_of_a_busy_parent_refuse_begin_sign_write_and_leave_in_every_way() {
    isolated!(|place, _| {
        let raw = Raw::start();
        let (bench, session) = Bench::new(&raw);
        let entries = every_entry(&raw);
        let count = rounds(6);
        bench.while_busy(|| {
            for round in 0..count {
                let refused = child::forked(|| {
                    every_function_refuses(&entries, session);
                    assert_eq!(ck!(raw, C_Finalize, null_mut()), CKR_CRYPTOKI_NOT_INITIALIZED);
                    leave_by_exit()
                });
                assert_eq!(refused, 0, "round {round}");
                assert_eq!(child::forked(|| 7), 7, "left by _exit");
                let worked = child::forked(|| {
                    assert_eq!(ck!(raw, C_Finalize, null_mut()), CKR_CRYPTOKI_NOT_INITIALIZED);
                    let session = begin(&raw);
                    sign(&raw, session);
                    write(&raw, session, &format!("child {round}"));
                    if round % 2 == 0 {
                        raw.finalize();
                    }
                    leave_by_exit()
                });
                assert_eq!(worked, 0, "round {round}");
                assert_eq!(raw.find(session, labelled(&format!("child {round}")), 10).len(), 1);
                daemon(&raw, &format!("daemon {round}"));
                assert_eq!(raw.find(session, labelled(&format!("daemon {round}")), 10).len(), 1);
                write(&raw, session, "parent");
            }
            assert_eq!(nested(&raw, 3), 0);
            posix_spawned(place, count);
        });
        sign(&raw, session);
        assert_eq!(raw.find(session, labelled("parent"), 10).len(), count);
    });
}

/// A program that loads the module itself, started by `posix_spawn`, sees what all wrote and writes too.
fn posix_spawned(place: &Place, count: usize) {
    let listed = place.pkcs11_tool_user(&["-O", "--type", "data"]);
    for label in ["child ", "daemon ", "parent"] {
        assert_eq!(listed.matches(&format!("label:          '{label}")).count(), count, "{label}: {listed}");
    }
    place.write("data", b"a third process");
    place.pkcs11_tool_user(&["--write-object", "data", "--type", "data", "--label", "third"]);
}

#[test]
fn a_child_never_waits_for_an_engine_that_a_thread_of_its_parent_was_in() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let (bench, session) = Bench::new(&raw);
        bench.while_signing(|| {
            for round in 0..rounds(40) {
                // At its exit the engine's destructor takes every lock that there is.
                for _ in 0..6 {
                    assert_eq!(child::forked(leave_by_exit), 0, "round {round}");
                }
                let code = child::forked(|| {
                    let session = begin(&raw);
                    sign(&raw, session);
                    leave_by_exit()
                });
                assert_eq!(code, 0, "round {round}");
            }
        });
        sign(&raw, session);
    });
}

/// What a process draws: random bytes, a new key, the nonce of an ECDSA signature, the salt of a PSS signature.
fn draws(raw: &Raw, session: CK_SESSION_HANDLE) -> Vec<Vec<u8>> {
    let mut random = vec![0; 32];
    assert_eq!(ck!(raw, C_GenerateRandom, session, random.as_mut_ptr(), 32), CKR_OK);
    let (public, _) = raw.ec(session, CKM_EC_KEY_PAIR_GEN, &P_256, &Template::new()).expect("a pair");
    let point = raw.attribute(session, public, CKA_EC_POINT).expect("a point");
    let [mut ecdsa, pss] = sign(raw, session);
    // `r` tells the nonce: one message, one key and one nonce make one signature.
    ecdsa.truncate(32);
    vec![random, point, ecdsa, pss]
}

#[test]
fn parent_child_and_grandchild_draw_different_numbers_also_from_the_middle_of_drawing() {
    isolated!(|place, _| {
        let raw = Raw::start();
        let (bench, session) = Bench::new(&raw);
        let mut all = draws(&raw, session);
        let keep = |name: &str, drawn: Vec<Vec<u8>>| {
            let _ = place.write(name, drawn.into_iter().map(|one| format!("{one:?}\n")).collect::<String>());
        };
        let mut files = Vec::new();
        bench.while_drawing(|| {
            for round in 0..rounds(8) {
                let code = child::forked(|| {
                    let session = begin(&raw);
                    // Forked before the first draw of the child, and after the last of the parent.
                    let code = child::forked(|| {
                        let session = begin(&raw);
                        keep(&format!("grandchild {round}"), draws(&raw, session));
                        0
                    });
                    keep(&format!("child {round}"), draws(&raw, session));
                    code
                });
                assert_eq!(code, 0);
                files.extend([format!("child {round}"), format!("grandchild {round}")]);
                all.extend(draws(&raw, session));
            }
        });
        let mut drawn: Vec<String> = all.iter().map(|one| format!("{one:?}")).collect();
        for file in &files {
            drawn.extend(String::from_utf8(place.read(file)).expect("text").lines().map(str::to_owned));
        }
        assert_eq!(drawn.len(), 4 + rounds(8) * 12);
        let different: HashSet<_> = drawn.iter().collect();
        assert_eq!(different.len(), drawn.len(), "something was drawn twice");
    });
}
