//! Keys: generated, wrapped, unwrapped and derived through sessions.

use crate::bench::*;
use crate::objects::p256;
use hsm_core::template::Template;
use hsm_core::*;

fn stored() -> Template {
    Template::default().with_flag(CKA_TOKEN, true)
}

fn aes() -> Template {
    Template::default().with_number(CKA_VALUE_LEN, 32)
}

#[test]
fn a_key_pair_is_one_batch() {
    let (hsm, medium, session) = logged_in();
    let commits = medium.commits();
    let (public, private) = hsm
        .generate_key_pair(
            session,
            &plain(CKM_EC_KEY_PAIR_GEN),
            &p256().with_flag(CKA_TOKEN, true),
            &stored().with_flag(CKA_PRIVATE, true),
        )
        .unwrap();
    assert_eq!(medium.commits(), commits + 1);
    assert_eq!(found(&hsm, session, &Template::default()), [public, private]);
    medium.set_full(true);
    let pair =
        hsm.generate_key_pair(session, &plain(CKM_EC_KEY_PAIR_GEN), &p256().with_flag(CKA_TOKEN, true), &stored());
    check(pair, CKR_DEVICE_MEMORY);
    assert_eq!(found(&hsm, session, &Template::default()), [public, private], "not half of it");
}

#[test]
fn a_pair_of_session_and_token_object_leaves_nothing_when_the_store_refuses() {
    let (hsm, medium, session) = logged_in();
    let (public, private) = hsm.generate_key_pair(session, &plain(CKM_EC_KEY_PAIR_GEN), &p256(), &stored()).unwrap();
    assert_eq!(found(&hsm, session, &stored()), [private]);
    medium.set_full(true);
    check(hsm.generate_key_pair(session, &plain(CKM_EC_KEY_PAIR_GEN), &p256(), &stored()), CKR_DEVICE_MEMORY);
    let mut both = [public, private];
    both.sort();
    assert_eq!(found(&hsm, session, &Template::default()), both);
}

#[test]
fn a_read_only_session_generates_session_keys_only() {
    let (hsm, _, _writer) = logged_in();
    let reader = hsm.open_session(SLOT, false).unwrap();
    check(hsm.generate_key(reader, &plain(CKM_AES_KEY_GEN), &aes().with_flag(CKA_TOKEN, true)), CKR_SESSION_READ_ONLY);
    hsm.generate_key(reader, &plain(CKM_AES_KEY_GEN), &aes()).unwrap();
}

#[test]
fn wrapping_obeys_the_protocol_of_sizes_and_names_each_bad_handle() {
    let (hsm, _, session) = logged_in();
    let wrapping = hsm.generate_key(session, &plain(CKM_AES_KEY_GEN), &aes()).unwrap();
    let exportable = aes().with_flag(CKA_EXTRACTABLE, true);
    let key = hsm.generate_key(session, &plain(CKM_AES_KEY_GEN), &exportable).unwrap();
    let (wrap, nobody) = (plain(CKM_AES_KEY_WRAP), ObjectHandle(999));
    assert_eq!(hsm.wrap_key(session, &wrap, wrapping, key, Room::Ask).unwrap(), Reply::Size(40));
    check(hsm.wrap_key(session, &wrap, wrapping, key, Room::Bytes(39)), CKR_BUFFER_TOO_SMALL);
    check(hsm.wrap_key(session, &wrap, nobody, key, Room::Ask), CKR_WRAPPING_KEY_HANDLE_INVALID);
    check(hsm.wrap_key(session, &wrap, wrapping, nobody, Room::Ask), CKR_KEY_HANDLE_INVALID);
    let Reply::Data(wrapped) = hsm.wrap_key(session, &wrap, wrapping, key, Room::Bytes(40)).unwrap() else {
        panic!("a size")
    };
    let secret = Template::default().with_number(CKA_CLASS, CKO_SECRET_KEY).with_number(CKA_KEY_TYPE, CKK_AES);
    check(hsm.unwrap_key(session, &wrap, nobody, &wrapped, &secret), CKR_UNWRAPPING_KEY_HANDLE_INVALID);
    let unwrapped = hsm.unwrap_key(session, &wrap, wrapping, &wrapped, &secret).unwrap();
    let check_values = [key, unwrapped].map(|key| hsm.attributes(session, key, &[CKA_CHECK_VALUE]).unwrap());
    assert_eq!(check_values[0], check_values[1]);
}

#[test]
fn deriving_names_a_bad_base_key_and_makes_a_key_of_the_session() {
    let (hsm, _, session) = logged_in();
    let pair = |hsm: &Hsm| hsm.generate_key_pair(session, &plain(CKM_EC_KEY_PAIR_GEN), &p256(), &Template::default());
    let ((_, mine), (other, _)) = (pair(&hsm).unwrap(), pair(&hsm).unwrap());
    let Answer::Bytes(point) = hsm.attributes(session, other, &[CKA_EC_POINT]).unwrap().remove(0) else {
        panic!("no point")
    };
    let derive = Mechanism {
        kind: CKM_ECDH1_DERIVE,
        params: Params::Ecdh1 { kdf: CKD_NULL, shared: Vec::new(), public: point.expose().to_vec() },
    };
    let secret = Template::default()
        .with_number(CKA_CLASS, CKO_SECRET_KEY)
        .with_number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
        .with_number(CKA_VALUE_LEN, 32);
    check(hsm.derive_key(session, &derive, ObjectHandle(999), &secret), CKR_KEY_HANDLE_INVALID);
    let derived = hsm.derive_key(session, &derive, mine, &secret).unwrap();
    let reader = hsm.open_session(SLOT, false).unwrap();
    hsm.close_session(session).unwrap();
    check(hsm.attributes(reader, derived, &[CKA_CLASS]), CKR_OBJECT_HANDLE_INVALID);
}
