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
    let both = aes().with_flag(CKA_WRAP, true).with_flag(CKA_UNWRAP, true);
    let wrapping = hsm.generate_key(session, &plain(CKM_AES_KEY_GEN), &both).unwrap();
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
    let derived = hsm.derive_key(session, &derive, mine, &secret).unwrap().key.unwrap();
    let reader = hsm.open_session(SLOT, false).unwrap();
    hsm.close_session(session).unwrap();
    check(hsm.attributes(reader, derived, &[CKA_CLASS]), CKR_OBJECT_HANDLE_INVALID);
}

#[test]
fn the_handle_of_a_further_key_is_judged_as_that_of_the_base_key() {
    let (hsm, _, session) = logged_in();
    let derivable = |bytes| Template::default().with_number(CKA_VALUE_LEN, bytes).with_flag(CKA_DERIVE, true);
    let key = |bytes| hsm.generate_key(session, &plain(CKM_GENERIC_SECRET_KEY_GEN), &derivable(bytes)).unwrap();
    let (base, second) = (key(20), key(12));
    let no_key = hsm.create_object(session, &data("a", false, false)).unwrap();
    let with =
        |handle| Mechanism { kind: CKM_CONCATENATE_BASE_AND_KEY, params: Params::Derive(DeriveParams::Key(handle)) };
    for handle in [no_key, ObjectHandle(0), ObjectHandle(u64::MAX)] {
        check(hsm.derive_key(session, &with(handle), base, &Template::default()), CKR_KEY_HANDLE_INVALID);
    }
    let derived = hsm.derive_key(session, &with(second), base, &Template::default()).unwrap();
    assert_eq!((derived.further.len(), derived.values.len()), (0, 0));
    let length = hsm.attributes(session, derived.key.unwrap(), &[CKA_VALUE_LEN]).unwrap().remove(0);
    assert_eq!(length, Answer::Bytes(32_u64.to_ne_bytes().to_vec().into()));
    // The base key and the further one may be the same.
    assert!(hsm.derive_key(session, &with(base), base, &Template::default()).is_ok());
}

/// CKR_KEY_HANDLE_INVALID stands for handles of nothing and of what is no key; a public key is a key.
#[test]
fn the_handle_of_an_object_that_is_no_key_is_an_invalid_key_handle() {
    let (hsm, _, session) = logged_in();
    let wrapping = hsm.generate_key(session, &plain(CKM_AES_KEY_GEN), &aes()).unwrap();
    let no_key = hsm.create_object(session, &data("a", false, false)).unwrap();
    let wrap = plain(CKM_AES_KEY_WRAP);
    let secret = Template::default().with_number(CKA_CLASS, CKO_SECRET_KEY).with_number(CKA_KEY_TYPE, CKK_AES);
    for handle in [no_key, ObjectHandle(0), ObjectHandle(u64::MAX)] {
        check(hsm.sign_init(session, &plain(CKM_ECDSA), handle), CKR_KEY_HANDLE_INVALID);
        check(hsm.encrypt_init(session, &plain(CKM_AES_ECB), handle), CKR_KEY_HANDLE_INVALID);
        check(hsm.wrap_key(session, &wrap, handle, wrapping, Room::Ask), CKR_WRAPPING_KEY_HANDLE_INVALID);
        check(hsm.wrap_key(session, &wrap, wrapping, handle, Room::Ask), CKR_KEY_HANDLE_INVALID);
        check(hsm.unwrap_key(session, &wrap, handle, &[0; 24], &secret), CKR_UNWRAPPING_KEY_HANDLE_INVALID);
    }
    let (public, _) =
        hsm.generate_key_pair(session, &plain(CKM_EC_KEY_PAIR_GEN), &p256(), &Template::default()).unwrap();
    check(hsm.wrap_key(session, &wrap, wrapping, public, Room::Ask), CKR_KEY_NOT_WRAPPABLE);
}

/// The size that C_Encrypt asks for is the size of the wrapped data, not more.
#[test]
fn a_buffer_of_exactly_the_right_size_is_enough_for_key_wrap_by_encryption() {
    let (hsm, _, session) = logged_in();
    let key = hsm.generate_key(session, &plain(CKM_AES_KEY_GEN), &aes()).unwrap();
    let cases = [
        (CKM_AES_KEY_WRAP, 16, 24),
        (CKM_AES_KEY_WRAP, 32, 40),
        (CKM_AES_KEY_WRAP_KWP, 1, 16),
        (CKM_AES_KEY_WRAP_KWP, 8, 16),
        (CKM_AES_KEY_WRAP_PAD, 9, 24),
    ];
    for (kind, input, output) in cases {
        hsm.encrypt_init(session, &plain(kind), key).unwrap();
        let data = vec![7; input];
        assert_eq!(hsm.encrypt(session, &data, Room::Ask).unwrap(), Reply::Size(output), "{kind:#x} {input}");
        check(hsm.encrypt(session, &data, Room::Bytes(output - 1)), CKR_BUFFER_TOO_SMALL);
        assert!(
            matches!(hsm.encrypt(session, &data, Room::Bytes(output)).unwrap(), Reply::Data(data) if data.len() == output)
        );
    }
}

#[test]
fn a_second_curve_in_a_template_is_never_dropped_in_silence() {
    let (hsm, _, session) = logged_in();
    let none = Template::default();
    let ec = |public: &Template, private: &Template| {
        hsm.generate_key_pair(session, &plain(CKM_EC_KEY_PAIR_GEN), public, private)
    };
    let p384 = b"\x13\x05P-384";
    check(ec(&p256().with(CKA_EC_PARAMS, p384), &none), CKR_TEMPLATE_INCONSISTENT);
    check(ec(&p256(), &none.clone().with(CKA_EC_PARAMS, p384)), CKR_TEMPLATE_INCONSISTENT);
    ec(&p256(), &p256()).unwrap();
    let rsa = none.clone().with_number(CKA_MODULUS_BITS, 2048).with(CKA_EC_PARAMS, p384);
    check(hsm.generate_key_pair(session, &plain(CKM_RSA_PKCS_KEY_PAIR_GEN), &rsa, &none), CKR_ATTRIBUTE_TYPE_INVALID);
}

/// A private or secret key is private where the template is silent, so the login is asked for before the work.
#[test]
fn without_a_login_no_key_is_generated_in_vain() {
    let (hsm, _) = ready();
    let session = hsm.open_session(SLOT, true).unwrap();
    let none = Template::default();
    let incomplete = |template: &Template| hsm.generate_key(session, &plain(CKM_AES_KEY_GEN), template);
    check(incomplete(&none), CKR_USER_NOT_LOGGED_IN);
    check(incomplete(&none.clone().with_flag(CKA_PRIVATE, false)), CKR_TEMPLATE_INCOMPLETE);
    check(hsm.generate_key_pair(session, &plain(CKM_EC_KEY_PAIR_GEN), &none, &none), CKR_USER_NOT_LOGGED_IN);
    hsm.generate_key(session, &plain(CKM_AES_KEY_GEN), &aes().with_flag(CKA_PRIVATE, false)).unwrap();
}

/// Whatever a token object's key encloses is kept where its template says, and a question for the size makes nothing.
#[test]
fn an_encapsulation_makes_one_key_or_none() {
    let (hsm, _, session) = logged_in();
    let set = Template::default().with_number(CKA_PARAMETER_SET, CKP_ML_KEM_768);
    let (public, private) = hsm.generate_key_pair(session, &plain(CKM_ML_KEM_KEY_PAIR_GEN), &set, &stored()).unwrap();
    let before = found(&hsm, session, &Template::default());
    let (kem, template) = (plain(CKM_ML_KEM), Template::default().with(CKA_LABEL, b"enclosed"));
    let enclose = |key, room| hsm.encapsulate_key(session, &kem, key, &template, room);
    assert_eq!(enclose(public, Room::Ask).unwrap(), (Reply::Size(1088), None));
    check(enclose(public, Room::Bytes(1087)), CKR_BUFFER_TOO_SMALL);
    check(enclose(private, Room::Bytes(2000)), CKR_KEY_TYPE_INCONSISTENT);
    check(enclose(ObjectHandle(999), Room::Bytes(2000)), CKR_KEY_HANDLE_INVALID);
    assert_eq!(found(&hsm, session, &Template::default()), before);
    let (Reply::Data(ciphertext), Some(key)) = enclose(public, Room::Bytes(1088)).unwrap() else {
        panic!("ciphertext and key")
    };
    let open = |key, ciphertext: &[u8]| hsm.decapsulate_key(session, &kem, key, ciphertext, &template);
    let opened = open(private, &ciphertext).unwrap();
    assert_eq!(found(&hsm, session, &template).len(), 2);
    let value = |key| hsm.attributes(session, key, &[CKA_CHECK_VALUE]).unwrap();
    assert_eq!(value(key), value(opened));
    check(open(private, &ciphertext[1..]), CKR_WRAPPED_KEY_LEN_RANGE);
    check(open(public, &ciphertext), CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT);
    check(open(ObjectHandle(999), &ciphertext), CKR_UNWRAPPING_KEY_HANDLE_INVALID);
    let reader = hsm.open_session(SLOT, false).unwrap();
    let kept = hsm.encapsulate_key(reader, &kem, public, &stored(), Room::Bytes(1088));
    check(kept, CKR_SESSION_READ_ONLY);
}
