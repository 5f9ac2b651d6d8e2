//! Many threads on one HSM.

use crate::bench::*;
use crate::objects::p256;
use hsm_core::template::Template;
use hsm_core::*;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

const THREADS: usize = 4;
const ROUNDS: usize = 40;

#[test]
fn threads_with_own_sessions_sign_create_and_destroy_without_meeting() {
    let (hsm, _, main) = logged_in();
    let (public, private) =
        hsm.generate_key_pair(main, &plain(CKM_EC_KEY_PAIR_GEN), &p256(), &Template::default()).unwrap();
    thread::scope(|scope| {
        for number in 0..THREADS {
            let hsm = &hsm;
            scope.spawn(move || {
                let session = hsm.open_session(SLOT, true).unwrap();
                for round in 0..ROUNDS {
                    let digest = [u8::try_from(round).unwrap(); 32];
                    hsm.sign_init(session, &plain(CKM_ECDSA), private).unwrap();
                    let Reply::Data(signature) = hsm.sign(session, &digest, Room::Bytes(64)).unwrap() else {
                        panic!("a size")
                    };
                    hsm.verify_init(session, &plain(CKM_ECDSA), public).unwrap();
                    hsm.verify(session, &digest, &signature).unwrap();
                    let label = format!("{number}/{round}");
                    let object = hsm.create_object(session, &data(&label, round % 2 == 0, true)).unwrap();
                    assert_eq!(found(hsm, session, &labelled(&label)), [object]);
                    hsm.destroy_object(session, object).unwrap();
                    assert!(found(hsm, session, &labelled(&label)).is_empty());
                }
                hsm.close_session(session).unwrap();
            });
        }
    });
    assert_eq!(found(&hsm, main, &Template::default()), [public, private]);
}

#[test]
fn threads_on_one_session_wait_for_each_other() {
    let (hsm, _, session) = logged_in();
    let signed: usize = thread::scope(|scope| {
        let (_, private) =
            hsm.generate_key_pair(session, &plain(CKM_EC_KEY_PAIR_GEN), &p256(), &Template::default()).unwrap();
        let hsm = &hsm;
        let work = move || {
            let mut signed = 0;
            for _ in 0..ROUNDS {
                match hsm.sign_init(session, &plain(CKM_ECDSA), private) {
                    Ok(()) | Err(Reason::OperationActive) => {}
                    Err(reason) => panic!("{reason}"),
                }
                match hsm.sign(session, &[1; 32], Room::Bytes(64)) {
                    Ok(_) => signed += 1,
                    Err(Reason::OperationNotInitialized) => {}
                    Err(reason) => panic!("{reason}"),
                }
            }
            signed
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(signed >= ROUNDS, "one thread alone would have signed so often");
}

#[test]
fn logins_and_logouts_beside_signing_never_leak_a_private_key() {
    let (hsm, _, main) = logged_in();
    let private = Template::default().with_flag(CKA_TOKEN, true).with_flag(CKA_PRIVATE, true);
    let (_, private) = hsm.generate_key_pair(main, &plain(CKM_EC_KEY_PAIR_GEN), &p256(), &private).unwrap();
    thread::scope(|scope| {
        let hsm = &hsm;
        scope.spawn(move || {
            for _ in 0..ROUNDS {
                hsm.logout(main).unwrap();
                hsm.login(main, CKU_USER, &pin(USER_PIN)).unwrap();
            }
        });
        for _ in 0..2 {
            scope.spawn(move || {
                let session = hsm.open_session(SLOT, false).unwrap();
                for _ in 0..ROUNDS * 10 {
                    match hsm.sign_init(session, &plain(CKM_ECDSA), private) {
                        Ok(()) => {}
                        Err(Reason::KeyUnknown(_)) => continue,
                        Err(reason) => panic!("{reason}"),
                    }
                    match hsm.sign(session, &[1; 32], Room::Bytes(64)) {
                        Ok(_) | Err(Reason::OperationNotInitialized) => {}
                        Err(reason) => panic!("{reason}"),
                    }
                }
            });
        }
    });
    hsm.logout(main).unwrap();
    check(hsm.sign_init(main, &plain(CKM_ECDSA), private), CKR_KEY_HANDLE_INVALID);
}

#[test]
fn sessions_may_be_closed_under_the_hands_of_other_threads() {
    let (hsm, _) = ready();
    thread::scope(|scope| {
        let hsm = &hsm;
        for _ in 0..THREADS {
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    let session = hsm.open_session(SLOT, true).unwrap();
                    let answers = [
                        rv(hsm.create_object(session, &data("a", false, false))),
                        rv(hsm.digest_init(session, &plain(CKM_SHA256))),
                        rv(hsm.session_info(session)),
                    ];
                    assert!(answers.iter().all(|rv| [CKR_OK, CKR_SESSION_HANDLE_INVALID].contains(rv)), "{answers:?}");
                }
            });
        }
        scope.spawn(move || {
            for _ in 0..ROUNDS {
                hsm.close_all_sessions(SLOT).unwrap();
            }
        });
    });
    hsm.close_all_sessions(SLOT).unwrap();
    assert_eq!(hsm.token_info(SLOT).unwrap().sessions, 0);
    let session = hsm.open_session(SLOT, false).unwrap();
    assert!(found(&hsm, session, &Template::default()).is_empty(), "no object outlived its session");
}

#[test]
fn the_login_ends_with_the_last_session_also_when_two_threads_close_the_last_two() {
    let (hsm, _, first) = logged_in();
    hsm.close_session(first).unwrap();
    for round in 0..200 {
        let sessions = [(); 2].map(|()| hsm.open_session(SLOT, true).unwrap());
        hsm.login(sessions[0], CKU_USER, &pin(USER_PIN)).unwrap();
        let gate = Barrier::new(2);
        thread::scope(|scope| {
            for session in sessions {
                let (hsm, gate) = (&hsm, &gate);
                scope.spawn(move || {
                    gate.wait();
                    hsm.close_session(session).unwrap();
                });
            }
        });
        let session = hsm.open_session(SLOT, true).unwrap();
        assert_eq!(hsm.session_info(session).unwrap().state, CKS_RW_PUBLIC_SESSION, "round {round}");
        hsm.close_session(session).unwrap();
    }
}

#[test]
fn a_read_only_session_and_a_login_of_the_so_never_come_about_together() {
    let (hsm, _, first) = logged_in();
    hsm.close_session(first).unwrap();
    let mut outcomes = [0; 2];
    for round in 0..5_000 {
        if round >= 200 && !outcomes.contains(&0) {
            break;
        }
        let session = hsm.open_session(SLOT, true).unwrap();
        let gate = Barrier::new(2);
        let (login, opened) = thread::scope(|scope| {
            let (hsm, gate) = (&hsm, &gate);
            let login = scope.spawn(move || {
                gate.wait();
                // The login interrupts the other thread wherever that is, also where both share one processor.
                if round % 2 == 1 {
                    thread::sleep(Duration::from_micros(50));
                }
                hsm.login(session, CKU_SO, &pin(SO_PIN))
            });
            gate.wait();
            // Until the PIN is being looked at, or a little longer.
            thread::yield_now();
            let opened = loop {
                match hsm.open_session(SLOT, false) {
                    Ok(session) if !login.is_finished() => hsm.close_session(session).unwrap(),
                    answer => break answer,
                }
            };
            (login.join().unwrap(), opened)
        });
        match (login, opened) {
            (Ok(()), Err(Reason::SessionReadWriteSoExists)) => outcomes[0] += 1,
            (Err(Reason::SessionReadOnlyExists), Ok(_)) => outcomes[1] += 1,
            // The read-only session of the last turn was closed before the login looked, and the next one came after it.
            (login, opened) => panic!("{login:?} and {opened:?}"),
        }
        hsm.close_all_sessions(SLOT).unwrap();
    }
    assert!(outcomes.iter().all(|count| *count > 0), "each of both happens: {outcomes:?}");
}
