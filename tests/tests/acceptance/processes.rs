//! Several processes on one store: each sees what the others did, and nothing is lost.
//!
//! Rule source: DESIGN of the store; SoftHSM2 fails here (a login of one hides the token from others).

use perilune_tests::ck::*;
use perilune_tests::raw::plain;
use perilune_tests::{Place, Raw, TOKEN_LABEL, Template, USER_PIN, child, ck, isolated};

fn open(raw: &Raw) -> CK_SESSION_HANDLE {
    let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
    assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
    session
}

fn data(label: &str) -> Template {
    Template::new().number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true).text(CKA_LABEL, label)
}

fn labelled(label: &str) -> Template {
    Template::new().text(CKA_LABEL, label)
}

#[test]
fn two_processes_see_each_others_objects_at_their_next_look() {
    isolated!(|place, role| {
        let raw = Raw::start();
        if role == "other" {
            let session = open(&raw);
            let found = raw.find(session, labelled("from the first"), 10);
            assert_eq!(found.len(), 1, "the other process sees the object");
            assert_eq!(raw.destroy(session, found[0]), Ok(()));
            raw.create(session, data("from the other")).expect("an object");
            let key = raw.find(session, labelled("key"), 10);
            assert_eq!(raw.set(session, key[0], labelled("renamed")), Ok(()));
            return;
        }
        let session = raw.user_session();
        let object = raw.create(session, data("from the first")).expect("an object");
        let key = Template::new().number(CKA_VALUE_LEN, 32).flag(CKA_TOKEN, true).text(CKA_LABEL, "key");
        let key = raw.generate(session, plain(CKM_AES_KEY_GEN), key).expect("a key");
        child::role(place, "other", "").succeed();
        assert_eq!(raw.find(session, labelled("from the first"), 10).len(), 0, "its end is seen");
        assert_eq!(raw.attribute(session, object, CKA_LABEL), Err(CKR_OBJECT_HANDLE_INVALID));
        assert_eq!(raw.find(session, labelled("from the other"), 10).len(), 1);
        assert_eq!(raw.attribute(session, key, CKA_LABEL).as_deref(), Ok(&b"renamed"[..]), "the change is seen");
    });
}

#[test]
fn a_token_made_by_one_process_is_there_for_another_that_runs_already() {
    isolated!(|place, role| {
        let raw = Raw::start();
        if role == "maker" {
            raw.new_token();
            return;
        }
        assert_eq!(raw.slots(false).len(), 1);
        child::role(place, "maker", "").succeed();
        assert_eq!(raw.slots(false).len(), 2);
        assert!(raw.slot_of(TOKEN_LABEL).is_some());
        open(&raw);
    });
}

#[test]
fn everything_is_there_again_after_the_process_ended_without_finalise() {
    isolated!(|place, role| {
        let raw = Raw::start();
        if role == "writer" {
            let session = open(&raw);
            let public = Template::new().bytes(CKA_EC_PARAMS, &[6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7]);
            let public = public.flag(CKA_TOKEN, true).text(CKA_LABEL, "pair");
            let private = Template::new().flag(CKA_TOKEN, true).text(CKA_LABEL, "pair");
            raw.generate_pair(session, plain(CKM_EC_KEY_PAIR_GEN), public, private).expect("a pair");
            return; // No C_Finalize, as libp11 does.
        }
        raw.new_token();
        raw.finalize();
        child::role(place, "writer", "").succeed();
        assert_eq!(ck!(raw, C_Initialize, std::ptr::null_mut()), CKR_OK);
        let session = open(&raw);
        let private = raw.find(session, labelled("pair").number(CKA_CLASS, CKO_PRIVATE_KEY), 10);
        let public = raw.find(session, labelled("pair").number(CKA_CLASS, CKO_PUBLIC_KEY), 10);
        let signature = raw.sign(session, plain(CKM_ECDSA), private[0], &[1; 32]).expect("signed");
        assert_eq!(raw.verify(session, plain(CKM_ECDSA), public[0], &[1; 32], &signature), Ok(()));
    });
}

#[test]
fn eight_processes_write_at_once_and_nothing_is_lost_or_doubled() {
    isolated!(|place, role| {
        if role == "writer" {
            let raw = Raw::start();
            let session = open(&raw);
            let name = child::word();
            for number in 0..10 {
                raw.create(session, data(&format!("{name}-{number}"))).expect("an object");
                let doomed = raw.create(session, data(&format!("{name}-doomed"))).expect("an object");
                assert_eq!(raw.destroy(session, doomed), Ok(()));
                assert_eq!(raw.find(session, labelled(&format!("{name}-{number}")), 10).len(), 1);
            }
            return;
        }
        let raw = Raw::start();
        let session = raw.user_session();
        let writers: Vec<_> = (0..8).map(|number| child::role(place, "writer", &format!("w{number}"))).collect();
        for writer in writers {
            writer.succeed();
        }
        assert_eq!(raw.find(session, Template::new().number(CKA_CLASS, CKO_DATA), 100).len(), 80);
        for writer in 0..8 {
            for number in 0..10 {
                assert_eq!(raw.find(session, labelled(&format!("w{writer}-{number}")), 10).len(), 1);
            }
        }
    });
}

#[test]
fn many_processes_log_in_while_one_writes_and_each_finds_the_token() {
    isolated!(|place, role| {
        match role {
            "reader" => {
                for _ in 0..10 {
                    let raw = Raw::start();
                    let session = open(&raw);
                    assert_eq!(raw.find(session, labelled("steady"), 10).len(), 1);
                    raw.finalize();
                }
            }
            "writer" => {
                let raw = Raw::start();
                let session = open(&raw);
                for number in 0..40 {
                    raw.create(session, data(&format!("more-{number}"))).expect("an object");
                }
            }
            _ => {
                let raw = Raw::start();
                let session = raw.user_session();
                raw.create(session, data("steady")).expect("an object");
                let others: Vec<_> =
                    ["reader", "writer", "reader", "reader"].map(|role| child::role(place, role, "")).into();
                for other in others {
                    other.succeed();
                }
                assert_eq!(raw.find(session, Template::new().number(CKA_CLASS, CKO_DATA), 100).len(), 41);
            }
        }
    });
}

#[test]
fn a_process_killed_in_the_middle_of_writing_loses_nothing_that_was_acknowledged() {
    isolated!(|place, role| {
        if role == "writer" {
            let raw = Raw::start();
            let session = open(&raw);
            for number in 0..100_000 {
                raw.create(session, data(&format!("{}-{number}", child::word()))).expect("an object");
                // Acknowledged: the parent counts these.
                std::fs::write(place.file(&child::word()), number.to_string()).expect("a note");
            }
            return;
        }
        let raw = Raw::start();
        let session = raw.user_session();
        for round in 0..5 {
            let name = format!("round-{round}");
            let mut writer = child::role(place, "writer", &name);
            let acknowledged = wait_for_note(place, &mut writer, &name, 5 + round * 3);
            // SAFETY: the writer is our own child and not waited for yet.
            assert_eq!(unsafe { libc::kill(writer.id() as libc::pid_t, libc::SIGKILL) }, 0);
            assert!(!writer.finish().success());
            for number in 0..=acknowledged {
                assert_eq!(raw.find(session, labelled(&format!("{name}-{number}")), 10).len(), 1, "{name}-{number}");
            }
        }
        raw.create(session, data("afterwards")).expect("the store can still be written");
    });
}

fn wait_for_note(place: &Place, writer: &mut child::Running, name: &str, least: u32) -> u32 {
    while !writer.has_ended() {
        let note = std::fs::read_to_string(place.file(name)).unwrap_or_default();
        if let Ok(number) = note.parse::<u32>()
            && number >= least
        {
            return number;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("the writer ended by itself");
}
