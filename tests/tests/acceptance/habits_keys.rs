//! Habits of real clients with keys: how they make, copy, import and use them.
//!
//! Owns: templates and call orders that a client is known to use. The table "What clients bring along" of
//! docs/testing.md says which client. Parameters of mechanisms are in `parameters.rs`.

use perilune_tests::ck::*;
use perilune_tests::raw::{Answer, answer, input, plain, sized, with, with_bytes};
use perilune_tests::{Raw, TOKEN_LABEL, Template, USER_PIN, ck, isolated, outside};

const P256: &[u8] = &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
const ED25519: &[u8] = &[0x06, 0x03, 0x2B, 0x65, 0x70];

fn wrap(
    raw: &Raw,
    session: CK_SESSION_HANDLE,
    mut mechanism: CK_MECHANISM,
    wrapping: CK_OBJECT_HANDLE,
    key: CK_OBJECT_HANDLE,
) -> Answer<Vec<u8>> {
    sized(|out, room| ck!(raw, C_WrapKey, session, &mut mechanism, wrapping, key, out, room))
}

fn unwrap(
    raw: &Raw,
    session: CK_SESSION_HANDLE,
    mut mechanism: CK_MECHANISM,
    wrapping: CK_OBJECT_HANDLE,
    wrapped: &[u8],
    mut template: Template,
) -> Answer<CK_OBJECT_HANDLE> {
    let (mut list, (data, length), mut key) = (template.attributes(), input(wrapped), 0);
    let (entries, count) = (list.as_mut_ptr(), list.len() as CK_ULONG);
    answer(ck!(raw, C_UnwrapKey, session, &mut mechanism, wrapping, data, length, entries, count, &mut key))?;
    Ok(key)
}

/// Signs with the private and verifies with the public key.
fn works(raw: &Raw, session: CK_SESSION_HANDLE, kind: CK_MECHANISM_TYPE, public: CK_ULONG, private: CK_ULONG) {
    let signature = raw.sign(session, plain(kind), private, &[b'm'; 32]).expect("signed");
    assert_eq!(raw.verify(session, plain(kind), public, &[b'm'; 32], &signature), Ok(()));
    assert!(raw.verify(session, plain(kind), public, &[b'n'; 32], &signature).is_err());
}

/// An RSA pair of session keys whose private half may leave.
fn open_rsa(raw: &Raw, session: CK_SESSION_HANDLE) -> (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
    let public = Template::new().number(CKA_MODULUS_BITS, 2048).bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1]);
    let private = Template::new().flag(CKA_EXTRACTABLE, true).flag(CKA_SENSITIVE, false);
    raw.generate_pair(session, plain(CKM_RSA_PKCS_KEY_PAIR_GEN), public, private).expect("a pair")
}

#[test]
fn nss_unwraps_a_private_key_with_aes_cbc_pad_renames_it_and_copies_it_twice() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (public, private) = open_rsa(&raw, session);
        let wrapping = raw.aes(session, 32);
        let mut iv = [5; 16];
        let cbc = with_bytes(CKM_AES_CBC_PAD, &mut iv);
        let wrapped = wrap(&raw, session, cbc, wrapping, private).expect("wrapped");
        let template = Template::new()
            .number(CKA_CLASS, CKO_PRIVATE_KEY)
            .number(CKA_KEY_TYPE, CKK_RSA)
            .flag(CKA_TOKEN, true)
            .flag(CKA_PRIVATE, true)
            .flag(CKA_SENSITIVE, true)
            .flag(CKA_DECRYPT, true)
            .flag(CKA_SIGN, true)
            .flag(CKA_SIGN_RECOVER, true)
            .flag(CKA_UNWRAP, false)
            .flag(CKA_DERIVE, false);
        let key = unwrap(&raw, session, cbc, wrapping, &wrapped, template).expect("unwrapped");
        let subject = [0x30, 0x0B, 0x31, 0x09, 0x30, 0x07, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0C, 0x00];
        for (kind, value) in [(CKA_SUBJECT, &subject[..]), (CKA_ID, b"id"), (CKA_LABEL, b"imported")] {
            assert_eq!(raw.set(session, key, Template::new().bytes(kind, value)), Ok(()), "{kind:#x}");
        }
        let one = raw.copy(session, key, Template::new().flag(CKA_TOKEN, true)).expect("a copy");
        let other = raw.copy(session, one, Template::new()).expect("a copy with NULL and 0");
        for key in [key, one, other] {
            assert_eq!(raw.attribute(session, key, CKA_SUBJECT).as_deref(), Ok(&subject[..]));
            assert_eq!(raw.attribute(session, key, CKA_LABEL).as_deref(), Ok(&b"imported"[..]));
            assert!(raw.flag(session, key, CKA_TOKEN) && !raw.flag(session, key, CKA_UNWRAP));
            works(&raw, session, CKM_SHA256_RSA_PKCS, public, key);
        }
    });
}

#[test]
fn templates_may_say_false_of_every_usage_that_is_not_wanted() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let flags = |kinds: &[(CK_ULONG, bool)]| {
            kinds.iter().fold(Template::new(), |template, &(kind, value)| template.flag(kind, value))
        };
        let verify = flags(&[(CKA_VERIFY, true), (CKA_VERIFY_RECOVER, false), (CKA_ENCRYPT, false), (CKA_WRAP, false)]);
        let verify = verify.flag(CKA_DERIVE, false);
        let sign = flags(&[(CKA_SIGN, true), (CKA_SIGN_RECOVER, true), (CKA_DECRYPT, false), (CKA_UNWRAP, false)]);
        let sign = sign.flag(CKA_DERIVE, false);
        let size = Template::new().number(CKA_MODULUS_BITS, 2048);
        let curve = Template::new().bytes(CKA_EC_PARAMS, P256);
        for (generate, kind, what) in
            [(CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_SHA256_RSA_PKCS, size), (CKM_EC_KEY_PAIR_GEN, CKM_ECDSA, curve)]
        {
            let pair = raw.generate_pair(session, plain(generate), what.and(&verify), sign.clone());
            let (public, private) = pair.unwrap_or_else(|code| panic!("{generate:#x}: {code:#x}"));
            works(&raw, session, kind, public, private);
            assert!(!raw.flag(session, private, CKA_DECRYPT) && !raw.flag(session, public, CKA_WRAP));
        }
        let (_, private) = raw.rsa(session);
        let taken_back = raw.set(session, private, flags(&[(CKA_DECRYPT, false)]));
        assert_eq!(taken_back, Ok(()), "a usage may be taken back");
        let mut mechanism = plain(CKM_RSA_PKCS);
        assert_eq!(ck!(raw, C_DecryptInit, session, &mut mechanism, private), CKR_KEY_FUNCTION_NOT_PERMITTED);
    });
}

#[test]
fn pkcs11_provider_generates_an_edwards_pair_with_usages_it_can_never_have() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let token = Template::new().flag(CKA_TOKEN, true);
        let public = token.clone().bytes(CKA_EC_PARAMS, ED25519).flag(CKA_VERIFY, true).flag(CKA_WRAP, true);
        let private = token.flag(CKA_PRIVATE, true).flag(CKA_SIGN, true).flag(CKA_UNWRAP, true).flag(CKA_DERIVE, true);
        let public = public.flag(CKA_DERIVE, true).flag(CKA_ENCRYPT, true);
        let private = private.flag(CKA_DECRYPT, true);
        let pair = raw.generate_pair(session, plain(CKM_EC_EDWARDS_KEY_PAIR_GEN), public, private);
        let (public, private) = pair.expect("a pair");
        works(&raw, session, CKM_EDDSA, public, private);
    });
}

#[test]
fn pkcs11_provider_copies_each_private_key_into_its_read_only_session() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let writer = raw.user_session();
        let kept = Template::new().flag(CKA_TOKEN, true).text(CKA_LABEL, "kept");
        let public = kept.clone().bytes(CKA_EC_PARAMS, P256).flag(CKA_PRIVATE, false);
        let private = kept.flag(CKA_SENSITIVE, true).flag(CKA_EXTRACTABLE, false);
        let (public, private) = raw.generate_pair(writer, plain(CKM_EC_KEY_PAIR_GEN), public, private).expect("a pair");
        let slot = raw.slot_of(TOKEN_LABEL).expect("the token");
        let readers = [0; 3].map(|_| raw.open(slot, CKF_SERIAL_SESSION).expect("a read-only session"));
        for reader in readers {
            let cached = raw.copy(reader, private, Template::new().flag(CKA_TOKEN, false)).expect("a copy");
            assert!(!raw.flag(reader, cached, CKA_TOKEN));
            assert!(!raw.flag(reader, cached, CKA_EXTRACTABLE) && raw.flag(reader, cached, CKA_SENSITIVE));
            works(&raw, reader, CKM_ECDSA, public, cached);
            assert_eq!(raw.destroy(reader, cached), Ok(()));
        }
        assert_eq!(raw.find(writer, Template::new().number(CKA_CLASS, CKO_PRIVATE_KEY), 64), [private]);
    });
}

#[test]
fn the_states_of_a_digest_and_of_a_signature_are_given_and_both_go_on() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (public, private) = raw.rsa(session);
        let state = || {
            let mut room = 0;
            ck!(raw, C_GetOperationState, session, std::ptr::null_mut(), &mut room)
        };
        let (half, length) = input(b"half");
        let mut mechanism = plain(CKM_SHA256_RSA_PKCS);
        assert_eq!(ck!(raw, C_SignInit, session, &mut mechanism, private), CKR_OK);
        assert_eq!(ck!(raw, C_SignUpdate, session, half, length), CKR_OK);
        assert_eq!(state(), CKR_OK);
        assert_eq!(ck!(raw, C_SignUpdate, session, half, length), CKR_OK);
        let signature = sized(|out, room| ck!(raw, C_SignFinal, session, out, room)).expect("signed");
        assert_eq!(raw.verify(session, mechanism, public, b"halfhalf", &signature), Ok(()));
        // SunPKCS11 asks to clone a digest.
        assert_eq!(ck!(raw, C_DigestInit, session, &mut plain(CKM_SHA256)), CKR_OK);
        assert_eq!(ck!(raw, C_DigestUpdate, session, half, length), CKR_OK);
        assert_eq!(state(), CKR_OK);
        let digest = sized(|out, room| ck!(raw, C_DigestFinal, session, out, room)).expect("a digest");
        assert_eq!(digest.len(), 32);
    });
}

#[test]
fn an_input_of_no_bytes_is_encrypted_with_and_without_a_pointer() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 32);
        let (mut iv, mut short) = ([1; 16], [2u8; 8]);
        let mut ctr = CK_AES_CTR_PARAMS { ulCounterBits: 128, cb: [7; 16] };
        let mut gcm = CK_GCM_PARAMS {
            pIv: short.as_mut_ptr(),
            ulIvLen: 8,
            ulIvBits: 64,
            pAAD: std::ptr::null_mut(),
            ulAADLen: 0,
            ulTagBits: 128,
        };
        for (mut mechanism, sealed_bytes) in [
            (with_bytes(CKM_AES_CBC_PAD, &mut iv.clone()), 16),
            (with_bytes(CKM_AES_CBC, &mut iv), 0),
            (with(CKM_AES_CTR, &mut ctr), 0),
            (with(CKM_AES_GCM, &mut gcm), 16),
        ] {
            let mut one = [0u8; 1];
            for pointer in [one.as_mut_ptr(), std::ptr::null_mut()] {
                let name = mechanism.mechanism;
                let (mut out, mut room) = ([0u8; 64], 64);
                assert_eq!(ck!(raw, C_EncryptInit, session, &mut mechanism, key), CKR_OK, "{name:#x}");
                let code = ck!(raw, C_Encrypt, session, pointer, 0, out.as_mut_ptr(), &mut room);
                assert_eq!((code, room), (CKR_OK, sealed_bytes), "{name:#x}");
                let sealed = &out[..room as usize];
                assert_eq!(raw.decrypt(session, mechanism, key, sealed).as_deref(), Ok(&[][..]), "{name:#x}");
            }
        }
    });
}

#[test]
fn libhsm_keeps_the_private_key_in_the_token_and_the_public_key_in_the_session() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let id = "0123456789abcdef0123456789abcdef";
        let named = |token| Template::new().flag(CKA_TOKEN, token).text(CKA_LABEL, id).text(CKA_ID, id);
        let public = named(false).bytes(CKA_EC_PARAMS, P256);
        let (public, private) =
            raw.generate_pair(session, plain(CKM_EC_KEY_PAIR_GEN), public, named(true)).expect("a pair");
        works(&raw, session, CKM_ECDSA, public, private);
        let second = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
        assert_eq!(ck!(raw, C_CloseSession, session), CKR_OK);
        assert_eq!(raw.find(second, Template::new().text(CKA_ID, id), 10), [private], "the public key has gone");
        assert!(raw.sign(second, plain(CKM_ECDSA), private, &[7; 32]).is_ok());
    });
}

#[test]
fn a_key_handle_that_nobody_gave_is_named_by_every_init() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        for garbage in [0, 1, 12_345, 0xDEAD_BEEF, CK_ULONG::MAX] {
            let codes = [
                ck!(raw, C_SignInit, session, &mut plain(CKM_SHA256_RSA_PKCS), garbage),
                ck!(raw, C_VerifyInit, session, &mut plain(CKM_SHA256_RSA_PKCS), garbage),
                ck!(raw, C_EncryptInit, session, &mut plain(CKM_RSA_PKCS), garbage),
                ck!(raw, C_DecryptInit, session, &mut plain(CKM_RSA_PKCS), garbage),
            ];
            let named = [CKR_KEY_HANDLE_INVALID, CKR_OBJECT_HANDLE_INVALID];
            assert!(codes.iter().all(|code| named.contains(code)), "{garbage:#x}: {codes:x?}");
        }
    });
}

#[test]
fn a_wrapped_private_key_is_a_pkcs8_file_of_exactly_its_length() {
    isolated!(|place, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (public, private) = open_rsa(&raw, session);
        let wrapping = raw.aes(session, 32);
        let mut iv = [8; 16];
        let cbc = with_bytes(CKM_AES_CBC_PAD, &mut iv);
        let file = |key| {
            let wrapped = wrap(&raw, session, cbc, wrapping, key).expect("wrapped");
            raw.decrypt(session, cbc, wrapping, &wrapped).expect("the wrapping key may decrypt")
        };
        let original = file(private);
        place.write("key.der", &original);
        let said = outside::openssl(place, &["pkey", "-inform", "DER", "-in", "key.der", "-noout", "-check"]);
        assert!(said.contains("valid"), "{said}");
        assert_eq!(original[..2], [0x30, 0x82], "a DER sequence");
        assert_eq!(
            usize::from(original[2]) << 8 | usize::from(original[3]),
            original.len() - 4,
            "and nothing after it"
        );
        for mechanism in [plain(CKM_AES_KEY_WRAP_PAD), plain(CKM_AES_KEY_WRAP_KWP), cbc] {
            let name = mechanism.mechanism;
            let wrapped = wrap(&raw, session, mechanism, wrapping, private).expect("wrapped");
            let template = Template::new().number(CKA_CLASS, CKO_PRIVATE_KEY).number(CKA_KEY_TYPE, CKK_RSA);
            let template = template.flag(CKA_EXTRACTABLE, true).flag(CKA_SENSITIVE, false);
            let again = unwrap(&raw, session, mechanism, wrapping, &wrapped, template).expect("unwrapped");
            works(&raw, session, CKM_SHA256_RSA_PKCS, public, again);
            assert_eq!(file(again), original, "{name:#x}");
        }
        // A secret that is no multiple of eight bytes.
        let secret = Template::new()
            .number(CKA_CLASS, CKO_SECRET_KEY)
            .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
            .flag(CKA_EXTRACTABLE, true)
            .flag(CKA_SENSITIVE, false);
        let key = raw.create(session, secret.clone().bytes(CKA_VALUE, &[9; 21])).expect("a secret");
        for mechanism in [plain(CKM_AES_KEY_WRAP_KWP), cbc] {
            let wrapped = wrap(&raw, session, mechanism, wrapping, key).expect("wrapped");
            let again = unwrap(&raw, session, mechanism, wrapping, &wrapped, secret.clone()).expect("unwrapped");
            assert_eq!(raw.attribute(session, again, CKA_VALUE), Ok(vec![9; 21]), "{:#x}", mechanism.mechanism);
        }
    });
}

#[test]
fn sunpkcs11_makes_and_destroys_session_objects_all_the_time() {
    isolated!(|place, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let before = place.store_content();
        let template = Template::new()
            .number(CKA_CLASS, CKO_SECRET_KEY)
            .number(CKA_KEY_TYPE, CKK_AES)
            .bytes(CKA_VALUE, &[4; 32])
            .flag(CKA_ENCRYPT, true);
        for _ in 0..3000 {
            let key = raw.create(session, template.clone()).expect("a session key");
            assert_eq!(raw.destroy(session, key), Ok(()));
        }
        assert_eq!(raw.find(session, Template::new(), 100), []);
        assert!(place.store_content() == before, "session objects never touch the disk");
    });
}

#[test]
fn the_id_of_a_generated_key_is_set_afterwards_and_found_after_the_next_login() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (_, private) = raw.rsa(session);
        let kept = raw.copy(session, private, Template::new().flag(CKA_TOKEN, true).bytes(CKA_ID, b"first"));
        let kept = kept.expect("a token key");
        assert_eq!(raw.set(session, kept, Template::new().bytes(CKA_ID, b"alias")), Ok(()));
        assert_eq!(ck!(raw, C_CloseSession, session), CKR_OK);
        let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        let found = |id: &[u8]| raw.find(session, Template::new().flag(CKA_TOKEN, true).bytes(CKA_ID, id), 100).len();
        assert_eq!((found(b"alias"), found(b"first")), (1, 0));
    });
}

/// libp11 does the padding itself where it knows no mechanism for it.
#[test]
fn rsa_without_padding_signs_and_decrypts_what_the_client_padded() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (public, private) = raw.rsa(session);
        let text = b"padded outside";
        let mut block = vec![0xFF; 256];
        (block[0], block[1]) = (0, 1);
        block[256 - text.len() - 1] = 0;
        block[256 - text.len()..].copy_from_slice(text);
        let signature = raw.sign(session, plain(CKM_RSA_X_509), private, &block).expect("signed");
        assert_eq!(raw.sign(session, plain(CKM_RSA_PKCS), private, text).as_ref(), Ok(&signature));
        assert_eq!(raw.verify(session, plain(CKM_RSA_PKCS), public, text, &signature), Ok(()));
        let sealed = raw.encrypt(session, plain(CKM_RSA_PKCS), public, text).expect("sealed");
        let opened = raw.decrypt(session, plain(CKM_RSA_X_509), private, &sealed).expect("opened");
        assert_eq!((opened.len(), &opened[..2]), (256, &[0, 2][..]));
        assert!(opened.ends_with(text));
    });
}
