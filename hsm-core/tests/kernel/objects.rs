//! Objects: who may do what, how long they live, how they are found.

use crate::bench::*;
use hsm_core::template::Template;
use hsm_core::*;

fn label(hsm: &Hsm, session: SessionHandle, object: ObjectHandle) -> Answer {
    hsm.attributes(session, object, &[CKA_LABEL]).unwrap().remove(0)
}

fn text(value: &str) -> Answer {
    Answer::Bytes(pin(value))
}

#[test]
fn private_objects_are_invisible_without_the_users_login() {
    let (hsm, _, session) = logged_in();
    let private = hsm.create_object(session, &data("private", true, true)).unwrap();
    let public = hsm.create_object(session, &data("public", true, false)).unwrap();
    assert_eq!(found(&hsm, session, &Template::default()), [private, public]);
    hsm.logout(session).unwrap();
    for role in [None, Some(CKU_SO)] {
        if let Some(role) = role {
            hsm.login(session, role, &pin(SO_PIN)).unwrap();
        }
        assert_eq!(found(&hsm, session, &Template::default()), [public]);
        assert!(found(&hsm, session, &labelled("private")).is_empty());
        let bad = CKR_OBJECT_HANDLE_INVALID;
        check(hsm.attributes(session, private, &[CKA_LABEL]), bad);
        check(hsm.set_attributes(session, private, &labelled("x")), bad);
        check(hsm.copy_object(session, private, &Template::default()), bad);
        check(hsm.destroy_object(session, private), bad);
        check(hsm.object_size(session, private), bad);
    }
    hsm.logout(session).unwrap();
    hsm.login(session, CKU_USER, &pin(USER_PIN)).unwrap();
    assert_eq!(label(&hsm, session, private), text("private"), "the same handle again");
}

#[test]
fn private_objects_cannot_be_made_without_the_users_login_on_any_path() {
    let (hsm, _, session) = logged_in();
    let key = hsm.generate_key(session, &plain(CKM_AES_KEY_GEN), &aes(false)).unwrap();
    let public = hsm.create_object(session, &data("public", true, false)).unwrap();
    hsm.logout(session).unwrap();
    for role in [None, Some(CKU_SO)] {
        if let Some(role) = role {
            hsm.login(session, role, &pin(SO_PIN)).unwrap();
        }
        let private = Template::default().with_flag(CKA_PRIVATE, true);
        let no = CKR_USER_NOT_LOGGED_IN;
        check(hsm.create_object(session, &data("x", true, true)), no);
        check(hsm.create_object(session, &data("x", false, true)), no);
        check(hsm.copy_object(session, public, &private), no);
        check(hsm.generate_key(session, &plain(CKM_AES_KEY_GEN), &aes(true)), no);
        let wrapped = [0; 24];
        let secret = private.clone().with_number(CKA_CLASS, CKO_SECRET_KEY).with_number(CKA_KEY_TYPE, CKK_AES);
        check(hsm.unwrap_key(session, &plain(CKM_AES_KEY_WRAP), key, &wrapped, &secret), no);
        let pair = hsm.generate_key_pair(session, &plain(CKM_EC_KEY_PAIR_GEN), &p256(), &private);
        check(pair, no);
        assert_eq!(found(&hsm, session, &labelled("x")), []);
    }
}

fn aes(private: bool) -> Template {
    Template::default().with_number(CKA_VALUE_LEN, 32).with_flag(CKA_PRIVATE, private)
}

/// Public half of a P-256 key pair.
pub fn p256() -> Template {
    Template::default().with(CKA_EC_PARAMS, &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07])
}

#[test]
fn a_read_only_session_makes_session_objects_only() {
    let (hsm, _, writer) = logged_in();
    let reader = hsm.open_session(SLOT, false).unwrap();
    let no = CKR_SESSION_READ_ONLY;
    check(hsm.create_object(reader, &data("a", true, false)), no);
    check(hsm.create_object(reader, &data("a", true, true)), no);
    let mine = hsm.create_object(reader, &data("b", false, true)).unwrap();
    check(hsm.copy_object(reader, mine, &Template::default().with_flag(CKA_TOKEN, true)), no);
    hsm.set_attributes(reader, mine, &labelled("c")).unwrap();
    let stored = hsm.create_object(writer, &data("d", true, true)).unwrap();
    check(hsm.set_attributes(reader, stored, &labelled("e")), no);
    check(hsm.destroy_object(reader, stored), no);
    check(hsm.copy_object(reader, stored, &Template::default()), no);
    assert_eq!(label(&hsm, writer, stored), text("d"));
    hsm.destroy_object(reader, mine).unwrap();
}

#[test]
fn session_objects_are_seen_by_all_sessions_and_die_with_their_own() {
    let (hsm, medium, owner) = logged_in();
    let other = hsm.open_session(SLOT, false).unwrap();
    let commits = medium.commits();
    let public = hsm.create_object(owner, &data("a", false, false)).unwrap();
    let private = hsm.create_object(owner, &data("b", false, true)).unwrap();
    assert_eq!(found(&hsm, other, &Template::default()), [public, private]);
    assert_eq!(label(&hsm, other, private), text("b"));
    hsm.close_session(owner).unwrap();
    assert!(found(&hsm, other, &Template::default()).is_empty());
    check(hsm.attributes(other, public, &[CKA_LABEL]), CKR_OBJECT_HANDLE_INVALID);
    assert_eq!(medium.commits(), commits, "they never touched the store");
}

#[test]
fn logout_destroys_private_session_objects_and_keeps_public_ones() {
    let (hsm, _, session) = logged_in();
    let public = hsm.create_object(session, &data("a", false, false)).unwrap();
    let private = hsm.create_object(session, &data("b", false, true)).unwrap();
    hsm.logout(session).unwrap();
    hsm.login(session, CKU_USER, &pin(USER_PIN)).unwrap();
    check(hsm.attributes(session, private, &[CKA_LABEL]), CKR_OBJECT_HANDLE_INVALID);
    assert_eq!(found(&hsm, session, &Template::default()), [public]);
}

#[test]
fn token_objects_survive_their_session_with_the_same_handle() {
    let (hsm, _, session) = logged_in();
    let object = hsm.create_object(session, &data("a", true, true)).unwrap();
    hsm.close_session(session).unwrap();
    let session = user_session(&hsm);
    assert_eq!(found(&hsm, session, &labelled("a")), [object]);
}

#[test]
fn a_destroyed_object_is_gone_for_every_session_and_its_handle_never_returns() {
    let (hsm, _, session) = logged_in();
    let other = hsm.open_session(SLOT, true).unwrap();
    for token in [true, false] {
        let object = hsm.create_object(session, &data("a", token, false)).unwrap();
        hsm.destroy_object(other, object).unwrap();
        for session in [session, other] {
            check(hsm.attributes(session, object, &[CKA_LABEL]), CKR_OBJECT_HANDLE_INVALID);
            check(hsm.destroy_object(session, object), CKR_OBJECT_HANDLE_INVALID);
        }
        assert!(found(&hsm, session, &labelled("a")).is_empty());
        assert_ne!(hsm.create_object(session, &data("b", token, false)).unwrap(), object);
    }
}

#[test]
fn an_undestroyable_object_stays() {
    let (hsm, _, session) = logged_in();
    for token in [true, false] {
        let template = data("a", token, false).with_flag(CKA_DESTROYABLE, false);
        let object = hsm.create_object(session, &template).unwrap();
        check(hsm.destroy_object(session, object), CKR_ACTION_PROHIBITED);
        assert_eq!(label(&hsm, session, object), text("a"));
    }
}

#[test]
fn changes_are_all_or_none_and_last() {
    let (hsm, medium, session) = logged_in();
    for token in [true, false] {
        let object = hsm.create_object(session, &data("before", token, true)).unwrap();
        let half_bad = labelled("after").with_flag(CKA_TOKEN, !token);
        assert_ne!(rv(hsm.set_attributes(session, object, &half_bad)), CKR_OK);
        assert_eq!(label(&hsm, session, object), text("before"));
        hsm.set_attributes(session, object, &labelled("after")).unwrap();
        assert_eq!(label(&hsm, session, object), text("after"));
        assert!(found(&hsm, session, &labelled("before")).is_empty());
        assert_eq!(found(&hsm, session, &labelled("after")), [object]);
        hsm.destroy_object(session, object).unwrap();
    }
    let kept = hsm.create_object(session, &data("before", true, true)).unwrap();
    hsm.set_attributes(session, kept, &labelled("after")).unwrap();
    let other = start(&medium, Config::default()).unwrap();
    let there = user_session(&other);
    assert_eq!(found(&other, there, &labelled("after")).len(), 1);
}

#[test]
fn copies_go_from_token_to_session_and_back() {
    let (hsm, _, session) = logged_in();
    let stored = hsm.create_object(session, &data("a", true, true)).unwrap();
    let in_memory = hsm.copy_object(session, stored, &Template::default().with_flag(CKA_TOKEN, false)).unwrap();
    let twin = hsm.copy_object(session, in_memory, &Template::default()).unwrap();
    let stored_again = hsm.copy_object(session, twin, &labelled("b").with_flag(CKA_TOKEN, true)).unwrap();
    hsm.close_session(session).unwrap();
    let session = user_session(&hsm);
    assert_eq!(found(&hsm, session, &Template::default()), [stored, stored_again]);
    assert_eq!(label(&hsm, session, stored_again), text("b"));
}

#[test]
fn a_full_store_keeps_the_old_state_and_stays_usable() {
    let (hsm, medium, session) = logged_in();
    let object = hsm.create_object(session, &data("a", true, true)).unwrap();
    medium.set_full(true);
    check(hsm.create_object(session, &data("b", true, true)), CKR_DEVICE_MEMORY);
    check(hsm.set_attributes(session, object, &labelled("c")), CKR_DEVICE_MEMORY);
    let in_memory = hsm.create_object(session, &data("session", false, true)).unwrap();
    assert_eq!(found(&hsm, session, &Template::default()), [object, in_memory]);
    assert_eq!(label(&hsm, session, object), text("a"));
    medium.set_full(false);
    hsm.set_attributes(session, object, &labelled("c")).unwrap();
}

#[test]
fn a_damaged_record_is_left_out_and_told_and_the_rest_is_usable() {
    let (hsm, medium, session) = logged_in();
    for name in ["a", "b", "c"] {
        hsm.create_object(session, &data(name, true, true)).unwrap();
    }
    let (key, mut value) = medium.dump().into_iter().find(|(key, _)| key[0] == b'o').unwrap();
    *value.last_mut().unwrap() ^= 1;
    medium.tamper(&key, Some(value));
    let other = start(&medium, Config::default()).unwrap();
    let there = user_session(&other);
    assert_eq!(found(&other, there, &Template::default()).len(), 2);
    assert_eq!(other.damaged_records(SLOT).unwrap().len(), 1);
    other.create_object(there, &data("d", true, true)).unwrap();
}

#[test]
fn only_a_damaged_record_is_removed_and_only_by_who_can_see_that_it_is_damaged() {
    let (hsm, medium, session) = logged_in();
    for name in ["a", "b"] {
        hsm.create_object(session, &data(name, true, true)).unwrap();
    }
    let records: Vec<_> = medium.dump().into_iter().filter(|(key, _)| key[0] == b'o').collect();
    let id = |at: usize| RecordId(records[at].0[17..].try_into().unwrap());
    let mut bad = records[0].1.clone();
    *bad.last_mut().unwrap() ^= 1;
    medium.tamper(&records[0].0, Some(bad));
    let flaws = |hsm: &Hsm| hsm.examine().unwrap().flaws.into_iter().map(|flaw| flaw.place).collect::<Vec<_>>();
    let here = hsm.examine().unwrap();
    assert_eq!((here.flaws.len(), here.closed.len()), (1, 0));
    assert_eq!((here.flaws[0].slot, here.flaws[0].wrong), (Some(SLOT), Wrong::Sealed(Damage::Edited)));

    let other = start(&medium, Config::default()).unwrap();
    let there = other.open_session(SLOT, true).unwrap();
    assert_eq!((flaws(&other), other.examine().unwrap().closed[&SLOT]), (vec![], 2));
    check(other.remove_damaged(there, id(0)), CKR_USER_NOT_LOGGED_IN);
    check(hsm.remove_damaged(session, id(1)), CKR_ACTION_PROHIBITED);
    check(hsm.remove_damaged(session, RecordId([9; 16])), CKR_OBJECT_HANDLE_INVALID);
    let read_only = hsm.open_session(SLOT, false).unwrap();
    check(hsm.remove_damaged(read_only, id(0)), CKR_SESSION_READ_ONLY);
    hsm.remove_damaged(session, id(0)).unwrap();
    assert_eq!(flaws(&hsm), []);
    assert_eq!(found(&hsm, session, &Template::default()).len(), 1);
}

#[test]
fn a_search_sees_the_moment_it_began() {
    let (hsm, _, session) = logged_in();
    let first = hsm.create_object(session, &data("a", true, false)).unwrap();
    let second = hsm.create_object(session, &data("a", true, false)).unwrap();
    hsm.find_init(session, &labelled("a")).unwrap();
    hsm.create_object(session, &data("a", true, false)).unwrap();
    hsm.destroy_object(session, first).unwrap();
    assert_eq!(hsm.find(session, 10).unwrap(), [second], "neither the newcomer nor the dead");
    assert!(hsm.find(session, 10).unwrap().is_empty());
    hsm.find_final(session).unwrap();
}

#[test]
fn searches_hand_out_any_number_at_a_time_and_none_twice() {
    let (hsm, _, session) = logged_in();
    let all: Vec<_> = (0..20).map(|_| hsm.create_object(session, &data("a", false, false)).unwrap()).collect();
    hsm.find_init(session, &labelled("a")).unwrap();
    assert!(hsm.find(session, 0).unwrap().is_empty());
    let mut handed = Vec::new();
    for most in [1, 1, 2, 3, 8192] {
        handed.extend(hsm.find(session, most).unwrap());
    }
    assert_eq!(handed, all);
    hsm.find_final(session).unwrap();
}

#[test]
fn one_search_at_a_time_and_only_between_init_and_final() {
    let (hsm, _, session) = logged_in();
    check(hsm.find(session, 1), CKR_OPERATION_NOT_INITIALIZED);
    check(hsm.find_final(session), CKR_OPERATION_NOT_INITIALIZED);
    hsm.find_init(session, &Template::default()).unwrap();
    check(hsm.find_init(session, &Template::default()), CKR_OPERATION_ACTIVE);
    hsm.find(session, 1).unwrap();
    hsm.find_final(session).unwrap();
    check(hsm.find_final(session), CKR_OPERATION_NOT_INITIALIZED);
    hsm.find_init(session, &Template::default()).unwrap();
    hsm.cancel(session, OperationKind::Find);
    hsm.find_init(session, &Template::default()).unwrap();
}

#[test]
fn logout_ends_a_search_of_the_user() {
    let (hsm, _, session) = logged_in();
    hsm.create_object(session, &data("a", true, true)).unwrap();
    hsm.find_init(session, &Template::default()).unwrap();
    hsm.logout(session).unwrap();
    check(hsm.find(session, 10), CKR_OPERATION_NOT_INITIALIZED);
    hsm.find_init(session, &Template::default()).unwrap();
    assert!(hsm.find(session, 10).unwrap().is_empty());
}

#[test]
fn classes_that_the_token_does_not_know_are_simply_not_found() {
    let (hsm, _, session) = logged_in();
    hsm.create_object(session, &data("a", true, false)).unwrap();
    for class in [0xce53_4350_u64, 0xce53_4351, CKO_VALIDATION, u64::MAX] {
        assert!(found(&hsm, session, &Template::default().with_number(CKA_CLASS, class)).is_empty());
    }
}

#[test]
fn handles_that_are_no_objects_are_refused() {
    let (hsm, _, session) = logged_in();
    for handle in [0, 1, 999, u64::MAX].map(ObjectHandle) {
        check(hsm.attributes(session, handle, &[CKA_LABEL]), CKR_OBJECT_HANDLE_INVALID);
        check(hsm.destroy_object(session, handle), CKR_OBJECT_HANDLE_INVALID);
        check(hsm.copy_object(session, handle, &Template::default()), CKR_OBJECT_HANDLE_INVALID);
    }
}

#[test]
fn objects_of_one_token_are_unknown_in_another() {
    let (hsm, _, session) = logged_in();
    let object = hsm.create_object(session, &data("a", true, false)).unwrap();
    hsm.init_token(SlotId(1), &pin(SO_PIN), LABEL).unwrap();
    let elsewhere = hsm.open_session(SlotId(1), true).unwrap();
    check(hsm.attributes(elsewhere, object, &[CKA_LABEL]), CKR_OBJECT_HANDLE_INVALID);
    assert!(found(&hsm, elsewhere, &Template::default()).is_empty());
}
