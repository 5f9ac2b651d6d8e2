//! Slots, tokens and sessions: what is there at the first start and how it changes.
//!
//! Rule source: PKCS#11 2.40, 5.5 and 5.6.

use perilune_tests::ck::*;
use perilune_tests::{Raw, SO_PIN, TOKEN_LABEL, USER_PIN, ck, isolated};

fn flags(raw: &Raw, slot: CK_SLOT_ID) -> CK_FLAGS {
    raw.token_info(slot).expect("a token").flags
}

#[test]
fn the_first_start_shows_one_uninitialised_token_and_an_initialised_one_gets_a_neighbour() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let first = raw.slots(false);
        assert_eq!(first.len(), 1);
        assert_eq!(flags(&raw, first[0]) & CKF_TOKEN_INITIALIZED, 0);
        let slot = raw.new_token();
        assert_eq!(slot, first[0], "the slot keeps its number");
        assert_eq!(raw.slots(false).len(), 2);
        let state = flags(&raw, slot);
        for (flag, name) in [
            (CKF_TOKEN_INITIALIZED, "initialised"),
            (CKF_USER_PIN_INITIALIZED, "user PIN set"),
            (CKF_LOGIN_REQUIRED, "login required"),
            (CKF_RNG, "random source"),
        ] {
            assert_ne!(state & flag, 0, "{name}");
        }
        for flag in [CKF_USER_PIN_LOCKED, CKF_SO_PIN_LOCKED, CKF_USER_PIN_COUNT_LOW, CKF_WRITE_PROTECTED] {
            assert_eq!(state & flag, 0, "{flag:#x}");
        }
    });
}

#[test]
fn slots_and_serials_stay_what_they_are_over_restarts() {
    isolated!(|_, _| {
        let raw = Raw::start();
        raw.new_token();
        raw.new_token_named("second");
        let picture = || -> Vec<_> {
            raw.slots(false)
                .into_iter()
                .map(|slot| {
                    let info = raw.token_info(slot).expect("a token");
                    (slot, info.serialNumber, info.label, info.model, info.manufacturerID)
                })
                .collect()
        };
        let before = picture();
        raw.finalize();
        assert_eq!(ck!(raw, C_Initialize, std::ptr::null_mut()), CKR_OK);
        assert_eq!(picture(), before);
        assert_ne!(before[0].1, before[1].1, "serials differ");
        assert!(before[0].1.iter().all(u8::is_ascii_graphic), "16 characters: {:?}", before[0].1);
    });
}

#[test]
fn a_token_is_initialised_again_only_by_its_so_and_loses_everything() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let slot = raw.new_token();
        let session = raw.session(slot);
        assert_eq!(raw.init_token(slot, SO_PIN, TOKEN_LABEL), Err(CKR_SESSION_EXISTS));
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        let object = perilune_tests::Template::new().number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true);
        raw.create(session, object).expect("an object");
        assert_eq!(ck!(raw, C_CloseAllSessions, slot), CKR_OK);
        assert_eq!(raw.init_token(slot, "another-so-pin", TOKEN_LABEL), Err(CKR_PIN_INCORRECT));
        assert_eq!(raw.init_token(slot, SO_PIN, "renewed"), Ok(()));
        let slot = raw.slot_of("renewed").expect("the token under its new name");
        assert_eq!(flags(&raw, slot) & CKF_USER_PIN_INITIALIZED, 0);
        let session = raw.session(slot);
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Err(CKR_USER_PIN_NOT_INITIALIZED));
        assert_eq!(raw.find(session, perilune_tests::Template::new(), 10).len(), 0);
    });
}

#[test]
fn session_states_follow_the_logins() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let slot = raw.new_token();
        let state = |session| {
            let mut info = CK_SESSION_INFO::default();
            assert_eq!(ck!(raw, C_GetSessionInfo, session, &mut info), CKR_OK);
            assert_eq!(info.slotID, slot);
            info.state
        };
        let writer = raw.session(slot);
        let reader = raw.open(slot, CKF_SERIAL_SESSION).expect("a session");
        assert_eq!((state(writer), state(reader)), (CKS_RW_PUBLIC_SESSION, CKS_RO_PUBLIC_SESSION));
        assert_eq!(raw.login(writer, CKU_SO, SO_PIN), Err(CKR_SESSION_READ_ONLY_EXISTS));
        assert_eq!(raw.login(writer, CKU_USER, USER_PIN), Ok(()));
        assert_eq!((state(writer), state(reader)), (CKS_RW_USER_FUNCTIONS, CKS_RO_USER_FUNCTIONS));
        assert_eq!(raw.login(reader, CKU_USER, USER_PIN), Err(CKR_USER_ALREADY_LOGGED_IN));
        assert_eq!(raw.login(writer, CKU_SO, SO_PIN), Err(CKR_USER_ANOTHER_ALREADY_LOGGED_IN));
        assert_eq!(ck!(raw, C_Logout, reader), CKR_OK);
        assert_eq!((state(writer), state(reader)), (CKS_RW_PUBLIC_SESSION, CKS_RO_PUBLIC_SESSION));
        assert_eq!(ck!(raw, C_Logout, reader), CKR_USER_NOT_LOGGED_IN);
        assert_eq!(ck!(raw, C_CloseSession, reader), CKR_OK);
        assert_eq!(raw.login(writer, CKU_SO, SO_PIN), Ok(()));
        assert_eq!(state(writer), CKS_RW_SO_FUNCTIONS);
        assert_eq!(raw.open(slot, CKF_SERIAL_SESSION), Err(CKR_SESSION_READ_WRITE_SO_EXISTS));
    });
}

#[test]
fn sessions_need_the_serial_flag_and_a_slot() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let slot = raw.new_token();
        assert_eq!(raw.open(slot, 0), Err(CKR_SESSION_PARALLEL_NOT_SUPPORTED));
        assert_eq!(raw.open(0xFFFF_FFFF, CKF_SERIAL_SESSION), Err(CKR_SLOT_ID_INVALID));
        assert_eq!(raw.token_info(0xFFFF_FFFF).err(), Some(CKR_SLOT_ID_INVALID));
        let session = raw.session(slot);
        assert_eq!(ck!(raw, C_CloseSession, session), CKR_OK);
        assert_eq!(ck!(raw, C_CloseSession, session), CKR_SESSION_HANDLE_INVALID);
    });
}

#[test]
fn closing_the_last_session_logs_out() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let slot = raw.slot_of(TOKEN_LABEL).expect("the token");
        let second = raw.session(slot);
        assert_eq!(ck!(raw, C_CloseSession, session), CKR_OK);
        assert_eq!(raw.login(second, CKU_USER, USER_PIN), Err(CKR_USER_ALREADY_LOGGED_IN));
        assert_eq!(ck!(raw, C_CloseSession, second), CKR_OK);
        let third = raw.session(slot);
        assert_eq!(raw.login(third, CKU_USER, USER_PIN), Ok(()));
    });
}

#[test]
fn ten_thousand_sessions_come_and_go() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let slot = raw.new_token();
        for _ in 0..100 {
            let many: Vec<_> = (0..100).map(|_| raw.session(slot)).collect();
            for session in many {
                assert_eq!(ck!(raw, C_CloseSession, session), CKR_OK);
            }
        }
        assert_eq!(raw.token_info(slot).expect("a token").ulSessionCount, 0);
    });
}
