//! Backup and restore of tokens: which slots they get, what other processes see, what is refused.

use crate::bench::*;
use hsm_core::*;
use token_store::medium::Memory;

/// The backup of all tokens, after its way through bytes.
fn backup(hsm: &Hsm) -> Backup {
    let (backup, left_out) = hsm.backup(None).unwrap();
    assert!(left_out.is_empty(), "{left_out:?}");
    let mut bytes = Vec::new();
    backup.write(&mut bytes).unwrap();
    Backup::read(&mut bytes.as_slice()).unwrap()
}

fn restore(hsm: &Hsm, backup: &Backup, replace: bool) -> Result<Vec<SlotId>> {
    hsm.restore(&backup.partitions.iter().collect::<Vec<_>>(), replace)
}

/// A token with a private and a public object.
fn filled() -> (Hsm, Memory) {
    let (hsm, medium, session) = logged_in();
    hsm.create_object(session, &data("private", true, true)).unwrap();
    hsm.create_object(session, &data("public", true, false)).unwrap();
    hsm.close_session(session).unwrap();
    (hsm, medium)
}

/// What the user finds in the token of a slot.
fn labels(hsm: &Hsm, slot: SlotId) -> Vec<String> {
    let session = hsm.open_session(slot, true).unwrap();
    hsm.login(session, CKU_USER, &pin(USER_PIN)).unwrap();
    let mut labels: Vec<String> = found(hsm, session, &template::Template::default())
        .into_iter()
        .map(|object| {
            let answers = hsm.attributes(session, object, &[CKA_LABEL]).unwrap();
            let [Answer::Bytes(label)] = &answers[..] else { panic!("{answers:?}") };
            String::from_utf8(label.expose().to_vec()).unwrap()
        })
        .collect();
    labels.sort();
    hsm.close_session(session).unwrap();
    labels
}

#[test]
fn a_token_comes_to_a_fresh_store_with_everything_and_gets_its_slot() {
    let (from, _) = filled();
    let (to, _) = fresh();
    let (old, new) = (from.token_info(SLOT).unwrap(), restore(&to, &backup(&from), false).unwrap());
    assert_eq!(new, [SLOT], "the empty slot of a fresh store makes room");
    let info = to.token_info(SLOT).unwrap();
    assert_eq!((info.label, info.serial), (old.label, old.serial));
    assert_eq!(labels(&to, SLOT), ["private", "public"]);
    assert_eq!(to.slots(true).unwrap(), [SLOT, SlotId(1)], "with a spare slot beside it");
    let session = to.open_session(SLOT, true).unwrap();
    to.login(session, CKU_SO, &pin(SO_PIN)).unwrap();
    to.init_pin(session, &pin("reset by the SO")).unwrap();
    to.logout(session).unwrap();
    to.login(session, CKU_USER, &pin("reset by the SO")).unwrap();
    assert_eq!(
        found(&to, session, &labelled("private")).len(),
        1,
        "a PIN set after the restore opens what came with it"
    );
}

#[test]
fn a_token_initialised_anew_after_a_restore_is_like_any_other() {
    let (from, _) = filled();
    let (to, medium) = fresh();
    restore(&to, &backup(&from), false).unwrap();
    to.init_token(SLOT, &pin(SO_PIN), LABEL).unwrap();
    assert!(medium.dump().keys().all(|key| key[0] != b'g'));
    let session = to.open_session(SLOT, true).unwrap();
    to.login(session, CKU_SO, &pin(SO_PIN)).unwrap();
    to.init_pin(session, &pin(USER_PIN)).unwrap();
    to.close_session(session).unwrap();
    assert!(labels(&to, SLOT).is_empty());
}

#[test]
fn a_token_that_is_there_already_is_refused_and_nothing_changes() {
    let (from, medium) = filled();
    let taken = backup(&from);
    let before = medium.dump();
    let answer = restore(&from, &taken, false);
    assert!(matches!(&answer, Err(Reason::TokenPresent { slot: 0, .. })), "{answer:?}");
    assert_eq!(medium.dump(), before);
}

#[test]
fn a_token_beside_another_in_its_slot_gets_a_new_one() {
    let (from, _) = filled();
    let (to, _) = filled();
    assert_eq!(restore(&to, &backup(&from), false).unwrap(), [SlotId(2)], "0 is taken, 1 is the spare one's");
    assert_eq!(labels(&to, SlotId(2)), ["private", "public"]);
    assert_eq!(labels(&to, SLOT), ["private", "public"]);
}

#[test]
fn a_slot_that_was_emptied_takes_its_token_back() {
    let (hsm, _) = filled();
    let taken = backup(&hsm);
    hsm.remove_token(SLOT).unwrap();
    assert_eq!(restore(&hsm, &taken, false).unwrap(), [SLOT]);
    assert_eq!(labels(&hsm, SLOT), ["private", "public"]);
    assert_eq!(hsm.slots(true).unwrap().len(), 2);
}

#[test]
fn an_emptied_slot_of_another_serial_is_left_to_its_serial() {
    let (from, _) = filled();
    let (to, _) = filled();
    let serial = to.token_info(SLOT).unwrap().serial;
    to.remove_token(SLOT).unwrap();
    assert_eq!(restore(&to, &backup(&from), false).unwrap(), [SlotId(2)]);
    assert_eq!(to.token_info(SLOT).unwrap().serial, serial);
}

#[test]
fn another_process_sees_a_replaced_token_as_another_one() {
    let (here, medium) = filled();
    let taken = backup(&here);
    let there = start(&medium, Config::default()).unwrap();
    let session = user_session(&there);
    let object = there.create_object(session, &data("later", true, true)).unwrap();
    assert_eq!(restore(&here, &taken, true).unwrap(), [SLOT]);

    assert_eq!(there.slots(true).unwrap(), [SLOT, SlotId(1)]);
    assert_eq!(state(&there, session), CKS_RW_PUBLIC_SESSION, "the login is over");
    check(there.attributes(session, object, &[CKA_LABEL]), CKR_OBJECT_HANDLE_INVALID);
    assert!(found(&there, session, &template::Template::default()).is_empty());
    check(there.create_object(session, &data("x", true, false)), CKR_TOKEN_NOT_PRESENT);
    check(there.login(session, CKU_USER, &pin(USER_PIN)), CKR_TOKEN_NOT_RECOGNIZED);
    there.close_session(session).unwrap();
    assert_eq!(labels(&there, SLOT), ["private", "public"], "and a new session finds the restored one");
}

#[test]
fn what_this_process_uses_is_not_replaced() {
    let (hsm, _) = filled();
    let taken = backup(&hsm);
    let session = user_session(&hsm);
    check(restore(&hsm, &taken, true), CKR_SESSION_EXISTS);
    hsm.close_session(session).unwrap();
    restore(&hsm, &taken, true).unwrap();
}

#[test]
fn several_tokens_come_together_or_not_at_all() {
    let (from, _) = filled();
    from.init_token(SlotId(1), &pin(SO_PIN), b"second                          ").unwrap();
    let both = backup(&from);
    assert_eq!(both.partitions.len(), 2);
    let (to, medium) = fresh();
    restore_one(&to, &both, 1, SlotId(1));
    let before = medium.dump();
    check(restore(&to, &both, false), CKR_FUNCTION_REJECTED);
    assert_eq!(medium.dump(), before, "the first one is not there either");
    assert_eq!(restore(&to, &both, true).unwrap(), [SLOT, SlotId(1)]);
    let twice = [&both.partitions[0], &both.partitions[0]];
    assert!(matches!(to.restore(&twice, true), Err(Reason::Damaged(_))));
}

fn restore_one(to: &Hsm, backup: &Backup, number: usize, slot: SlotId) {
    assert_eq!(to.restore(&[&backup.partitions[number]], false).unwrap(), [slot]);
}

#[test]
fn a_backup_says_what_is_in_it() {
    let (hsm, _) = filled();
    let session = hsm.open_session(SLOT, true).unwrap();
    check(hsm.login(session, CKU_USER, &pin("wrong pin")), CKR_PIN_INCORRECT);
    let token = BackupToken::of(&backup(&hsm).partitions[0]).unwrap();
    assert_eq!((token.slot, &token.label), (SLOT, LABEL));
    assert_eq!((token.public_objects, token.private_objects, token.damaged), (1, 1, 0));
    let failed: Vec<_> = token.roles.iter().map(|(role, state)| (*role, state.failed)).collect();
    assert_eq!(failed, [(role::Role::CryptoOfficer, 1), (role::Role::SecurityOfficer, 0)]);
}

#[test]
fn only_what_is_a_token_can_be_backed_up() {
    let (hsm, _) = filled();
    check(hsm.backup(Some(&[SlotId(1)])), CKR_TOKEN_NOT_RECOGNIZED);
    check(hsm.backup(Some(&[SlotId(7)])), CKR_SLOT_ID_INVALID);
    assert_eq!(hsm.backup(Some(&[SLOT])).unwrap().0.partitions.len(), 1);
    assert_eq!(fresh().0.backup(None).unwrap().0.partitions.len(), 0);
}
