//! Stateful keys: no index is ever given twice, whoever asks, and what a backup brings back signs nothing.

use crate::bench::*;
use hsm_core::template::Template;
use hsm_core::*;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

const SIGNATURES: u64 = 32;

/// An HSS pair of one level with 32 signatures: public and private key.
pub fn pair(hsm: &Hsm, session: SessionHandle, token: bool) -> (ObjectHandle, ObjectHandle) {
    pair_with(hsm, session, &labelled("hss").with_flag(CKA_TOKEN, token))
}

fn pair_with(hsm: &Hsm, session: SessionHandle, private: &Template) -> (ObjectHandle, ObjectHandle) {
    let levels = private
        .clone()
        .with_number(CKA_HSS_LEVELS, 1)
        .with(CKA_HSS_LMS_TYPES, &5_u64.to_ne_bytes())
        .with(CKA_HSS_LMOTS_TYPES, &3_u64.to_ne_bytes());
    hsm.generate_key_pair(session, &plain(CKM_HSS_KEY_PAIR_GEN), &labelled("hss"), &levels).unwrap()
}

fn begin(hsm: &Hsm, session: SessionHandle, key: ObjectHandle) -> Result<()> {
    hsm.sign_init(session, &plain(CKM_HSS), key)
}

fn finish(hsm: &Hsm, session: SessionHandle) -> Result<Vec<u8>> {
    match hsm.sign(session, b"message", Room::Bytes(10_000))? {
        Reply::Data(signature) => Ok(signature),
        other => panic!("{other:?}"),
    }
}

/// The leaf that signed.
fn sign(hsm: &Hsm, session: SessionHandle, key: ObjectHandle) -> Result<u32> {
    begin(hsm, session, key)?;
    finish(hsm, session).map(|signature| leaf(&signature))
}

fn leaf(signature: &[u8]) -> u32 {
    u32::from_be_bytes(signature[4..8].try_into().unwrap())
}

fn remaining(hsm: &Hsm, session: SessionHandle, key: ObjectHandle) -> u64 {
    let answers = hsm.attributes(session, key, &[CKA_HSS_KEYS_REMAINING]).unwrap();
    let [Answer::Bytes(bytes)] = &answers[..] else { panic!("{answers:?}") };
    u64::from_ne_bytes(bytes.expose().try_into().unwrap())
}

/// The private key as another process or a later one finds it.
fn find(hsm: &Hsm, session: SessionHandle) -> ObjectHandle {
    let wanted = labelled("hss").with_number(CKA_CLASS, CKO_PRIVATE_KEY);
    let [key] = found(hsm, session, &wanted)[..] else { panic!("not one") };
    key
}

#[test]
fn a_key_counts_down_to_its_end_and_stays_there_in_every_process() {
    let (hsm, medium, session) = logged_in();
    let (public, private) = pair(&hsm, session, true);
    for signed in 0..SIGNATURES {
        assert_eq!(remaining(&hsm, session, private), SIGNATURES - signed);
        begin(&hsm, session, private).unwrap();
        let signature = finish(&hsm, session).unwrap();
        assert_eq!(u64::from(leaf(&signature)), signed);
        hsm.verify_init(session, &plain(CKM_HSS), public).unwrap();
        hsm.verify(session, b"message", &signature).unwrap();
        hsm.verify_signature_init(session, &plain(CKM_HSS), public, &signature).unwrap();
        hsm.verify_signature(session, b"message").unwrap();
    }
    check(begin(&hsm, session, private), CKR_KEY_EXHAUSTED);
    assert_eq!(remaining(&hsm, session, private), 0);
    let later = start(&medium, Config::default()).unwrap();
    let session = user_session(&later);
    let key = find(&later, session);
    assert_eq!(remaining(&later, session, key), 0);
    check(begin(&later, session, key), CKR_KEY_EXHAUSTED);
}

#[test]
fn two_processes_never_take_the_same_index_and_see_each_others_count() {
    let (here, medium, mine) = logged_in();
    let (_, key) = pair(&here, mine, true);
    let there = start(&medium, Config::default()).unwrap();
    let theirs = user_session(&there);
    let same = find(&there, theirs);
    let mut leaves = BTreeSet::new();
    for turn in 0..8 {
        // Both begin before either signs: what they began with is the same.
        begin(&here, mine, key).unwrap();
        begin(&there, theirs, same).unwrap();
        assert!(leaves.insert(leaf(&finish(&there, theirs).unwrap())));
        assert!(leaves.insert(leaf(&finish(&here, mine).unwrap())));
        let left = SIGNATURES - 2 * (turn + 1);
        assert_eq!((remaining(&here, mine, key), remaining(&there, theirs, same)), (left, left));
    }
    // The last one is taken between the other's beginning and end.
    for _ in 0..15 {
        sign(&here, mine, key).unwrap();
    }
    begin(&here, mine, key).unwrap();
    assert_eq!(sign(&there, theirs, same).unwrap(), 31);
    check(finish(&here, mine), CKR_KEY_EXHAUSTED);
}

#[test]
fn questions_for_the_size_and_refused_calls_cost_no_signature() {
    let (hsm, _, session) = logged_in();
    let (_, key) = pair(&hsm, session, true);
    begin(&hsm, session, key).unwrap();
    let Reply::Size(bytes) = hsm.sign(session, b"message", Room::Ask).unwrap() else { panic!("no size") };
    check(hsm.sign(session, b"message", Room::Bytes(bytes - 1)), CKR_BUFFER_TOO_SMALL);
    check(hsm.sign_update(session, b"message"), CKR_FUNCTION_NOT_SUPPORTED);
    check(hsm.copy_object(session, key, &Template::default()), CKR_ACTION_PROHIBITED);
    check(
        hsm.set_attributes(session, key, &Template::default().with_flag(CKA_COPYABLE, true)),
        CKR_ATTRIBUTE_READ_ONLY,
    );
    assert_eq!(remaining(&hsm, session, key), SIGNATURES);
    hsm.set_attributes(session, key, &Template::default().with(CKA_ID, b"id")).unwrap();
    assert_eq!(sign(&hsm, session, key).unwrap(), 0);
    hsm.set_attributes(session, key, &labelled("other")).unwrap();
    assert_eq!((sign(&hsm, session, key).unwrap(), remaining(&hsm, session, key)), (1, SIGNATURES - 2));
}

#[test]
fn threads_of_one_process_share_the_count() {
    let (hsm, _, session) = logged_in();
    for token in [true, false] {
        let (_, key) = pair(&hsm, session, token);
        let (hsm, leaves) = (&hsm, &Arc::new(Mutex::new(Vec::new())));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(move || {
                    let session = hsm.open_session(SLOT, true).unwrap();
                    for _ in 0..8 {
                        let leaf = sign(hsm, session, key).unwrap();
                        leaves.lock().unwrap().push(leaf);
                    }
                    hsm.close_session(session).unwrap();
                });
            }
        });
        let mut leaves = leaves.lock().unwrap().clone();
        leaves.sort_unstable();
        assert_eq!(leaves, (0..32).collect::<Vec<_>>(), "token object: {token}");
        check(begin(hsm, session, key), CKR_KEY_EXHAUSTED);
    }
}

#[test]
fn a_message_run_takes_an_index_for_each_message() {
    let (hsm, _, session) = logged_in();
    let (_, key) = pair(&hsm, session, true);
    hsm.message_sign_init(session, &plain(CKM_HSS), key).unwrap();
    for expected in 0..3 {
        let Reply::Data(signature) = hsm.sign_message(session, b"message", Room::Bytes(10_000)).unwrap() else {
            panic!("no signature")
        };
        assert_eq!(leaf(&signature), expected);
    }
    assert_eq!(remaining(&hsm, session, key), SIGNATURES - 3);
}

#[test]
fn a_read_only_session_signs_and_a_destroyed_key_does_not() {
    let (hsm, _, session) = logged_in();
    let (_, key) = pair(&hsm, session, true);
    let reader = hsm.open_session(SLOT, false).unwrap();
    assert_eq!(sign(&hsm, reader, key).unwrap(), 0);
    begin(&hsm, reader, key).unwrap();
    hsm.destroy_object(session, key).unwrap();
    check(finish(&hsm, reader), CKR_KEY_EXHAUSTED);
    begin(&hsm, reader, key).unwrap_err();
}

#[test]
fn a_public_private_key_counts_without_a_login() {
    let (hsm, _, session) = logged_in();
    let template = labelled("hss").with_flag(CKA_TOKEN, true).with_flag(CKA_PRIVATE, false);
    let (_, key) = pair_with(&hsm, session, &template);
    assert_eq!(sign(&hsm, session, key).unwrap(), 0);
    hsm.logout(session).unwrap();
    assert_eq!(sign(&hsm, session, key).unwrap(), 1);
    assert_eq!(remaining(&hsm, session, key), SIGNATURES - 2);
}

#[test]
fn a_restored_key_has_nothing_left_and_the_one_that_was_backed_up_goes_on() {
    let (from, _, session) = logged_in();
    let (_, key) = pair(&from, session, true);
    assert_eq!(sign(&from, session, key).unwrap(), 0);
    let (backup, left_out) = from.backup(None).unwrap();
    assert!(left_out.is_empty());
    assert_eq!(sign(&from, session, key).unwrap(), 1);
    let partitions: Vec<_> = backup.partitions.iter().collect();
    let (elsewhere, _) = fresh();
    elsewhere.restore(&partitions, false).unwrap();
    let restored = |hsm: &Hsm| {
        let session = user_session(hsm);
        let key = find(hsm, session);
        assert_eq!(remaining(hsm, session, key), 0);
        check(sign(hsm, session, key), CKR_KEY_EXHAUSTED);
        // It can be told apart and removed, as any key.
        hsm.destroy_object(session, key).unwrap();
    };
    restored(&elsewhere);
    assert_eq!(sign(&from, session, key).unwrap(), 2);
    from.close_session(session).unwrap();
    from.restore(&partitions, true).unwrap();
    restored(&from);
}

/// Both halves of a pair of XMSS^MT, whose count no attribute shows.
#[test]
fn xmss_counts_as_well() {
    let (hsm, medium, session) = logged_in();
    let public = Template::default().with_number(CKA_PARAMETER_SET, 0x22);
    let private = labelled("hss").with_flag(CKA_TOKEN, true);
    let pair = hsm.generate_key_pair(session, &plain(CKM_XMSSMT_KEY_PAIR_GEN), &public, &private).unwrap();
    let sign = |hsm: &Hsm, session, key| {
        hsm.sign_init(session, &plain(CKM_XMSSMT), key).unwrap();
        finish(hsm, session).unwrap()
    };
    for index in 0..2 {
        let signature = sign(&hsm, session, pair.1);
        assert_eq!(signature[..3], [0, 0, index]);
        hsm.verify_init(session, &plain(CKM_XMSSMT), pair.0).unwrap();
        hsm.verify(session, b"message", &signature).unwrap();
    }
    let later = start(&medium, Config::default()).unwrap();
    let session = user_session(&later);
    let key = find(&later, session);
    assert_eq!(sign(&later, session, key)[..3], [0, 0, 2]);
}
