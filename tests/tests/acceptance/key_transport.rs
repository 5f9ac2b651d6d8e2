//! Keys enclosed, wrapped and made through the C interface, and what the token shows of its validation.
//!
//! Rule source: PKCS#11 3.2, 5.18 (encapsulation), 6.13.3 and 6.13.5 (wrapping with CK_GCM_WRAP_PARAMS and CK_CCM_WRAP_PARAMS), 4.15.

use perilune_tests::ck::*;
use perilune_tests::hand::P256;
use perilune_tests::raw::{answer, input, plain, sized, with, with_bytes};
use perilune_tests::{Place, Raw, Template, ck, ck3, isolated};
use std::ptr::null_mut;

type Answer<T> = Result<T, CK_RV>;

fn readable() -> Template {
    Template::new()
        .number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_AES)
        .flag(CKA_SENSITIVE, false)
        .flag(CKA_EXTRACTABLE, true)
}

/// C_EncapsulateKey, the size asked first.
fn encapsulate(
    raw: &Raw,
    session: CK_SESSION_HANDLE,
    mut mechanism: CK_MECHANISM,
    public: CK_OBJECT_HANDLE,
    mut template: Template,
) -> Answer<(Vec<u8>, CK_OBJECT_HANDLE)> {
    let mut list = template.attributes();
    let (entries, count) = (list.as_mut_ptr(), list.len() as CK_ULONG);
    let mut key = 0;
    let ciphertext = sized(|out, room| {
        let code = ck3!(raw, C_EncapsulateKey, session, &mut mechanism, public, entries, count, out, room, &mut key);
        assert!(!out.is_null() || key == 0, "a question makes no key");
        code
    })?;
    Ok((ciphertext, key))
}

fn decapsulate(
    raw: &Raw,
    session: CK_SESSION_HANDLE,
    mut mechanism: CK_MECHANISM,
    private: CK_OBJECT_HANDLE,
    mut template: Template,
    ciphertext: &[u8],
) -> Answer<CK_OBJECT_HANDLE> {
    let mut list = template.attributes();
    let (entries, count) = (list.as_mut_ptr(), list.len() as CK_ULONG);
    let (input, length) = input(ciphertext);
    let mut key = 0;
    answer(ck3!(raw, C_DecapsulateKey, session, &mut mechanism, private, entries, count, input, length, &mut key))?;
    Ok(key)
}

#[test]
fn a_key_is_enclosed_over_ecdh_with_a_parameter_that_names_no_point() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let public = Template::new().bytes(CKA_EC_PARAMS, P256).flag(CKA_ENCAPSULATE, true);
        let private = Template::new().flag(CKA_DECAPSULATE, true);
        let pair = raw.generate_pair(session, plain(CKM_EC_KEY_PAIR_GEN), public, private);
        let (public, private) = pair.expect("a pair that encloses");
        for kind in [CKM_ECDH1_DERIVE, CKM_ECDH1_COFACTOR_DERIVE] {
            let mut shared = *b"shared";
            let mut params = CK_ECDH1_DERIVE_PARAMS {
                kdf: CKD_SHA256_KDF,
                ulSharedDataLen: 6,
                pSharedData: shared.as_mut_ptr(),
                ulPublicDataLen: 0,
                pPublicData: null_mut(),
            };
            let template = || readable().number(CKA_VALUE_LEN, 32);
            let enclosed = encapsulate(&raw, session, with(kind, &mut params), public, template());
            let (ciphertext, key) = enclosed.expect("enclosed");
            assert_eq!((ciphertext.len(), ciphertext[0]), (65, 4), "a point, uncompressed");
            let opened = decapsulate(&raw, session, with(kind, &mut params), private, template(), &ciphertext);
            let value = raw.attribute(session, opened.expect("opened"), CKA_VALUE).expect("a value");
            assert_eq!(value.len(), 32);
            assert_eq!(raw.attribute(session, key, CKA_VALUE), Ok(value));
            let refused = decapsulate(&raw, session, with(kind, &mut params), private, template(), &ciphertext[..64]);
            assert_ne!(refused.err(), None);
        }
    });
}

#[test]
fn a_key_is_enclosed_over_rsa() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let public = Template::new().number(CKA_MODULUS_BITS, 2048).flag(CKA_ENCAPSULATE, true);
        let private = Template::new().flag(CKA_DECAPSULATE, true);
        let pair = raw.generate_pair(session, plain(CKM_RSA_PKCS_KEY_PAIR_GEN), public, private);
        let (public, private) = pair.expect("a pair that encloses");
        let mut params = CK_RSA_PKCS_OAEP_PARAMS {
            hashAlg: CKM_SHA256,
            mgf: CKG_MGF1_SHA256,
            source: CKZ_DATA_SPECIFIED,
            pSourceData: null_mut(),
            ulSourceDataLen: 0,
        };
        for mechanism in [with(CKM_RSA_PKCS_OAEP, &mut params), plain(CKM_RSA_PKCS)] {
            let template = || readable().number(CKA_VALUE_LEN, 32);
            let (ciphertext, key) = encapsulate(&raw, session, mechanism, public, template()).expect("enclosed");
            assert_eq!(ciphertext.len(), 256);
            let opened = decapsulate(&raw, session, mechanism, private, template(), &ciphertext).expect("opened");
            let value = raw.attribute(session, opened, CKA_VALUE).expect("a value");
            assert_eq!(raw.attribute(session, key, CKA_VALUE), Ok(value));
        }
    });
}

fn wrap(
    raw: &Raw,
    session: CK_SESSION_HANDLE,
    mut mechanism: CK_MECHANISM,
    (wrapping, key): (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE),
) -> Answer<Vec<u8>> {
    sized(|out, room| ck!(raw, C_WrapKey, session, &mut mechanism, wrapping, key, out, room))
}

fn unwrap(
    raw: &Raw,
    session: CK_SESSION_HANDLE,
    mut mechanism: CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
    wrapped: &[u8],
) -> Answer<CK_OBJECT_HANDLE> {
    let mut template = readable();
    let mut list = template.attributes();
    let (input, length) = input(wrapped);
    let (entries, count) = (list.as_mut_ptr(), list.len() as CK_ULONG);
    let mut back = 0;
    answer(ck!(raw, C_UnwrapKey, session, &mut mechanism, key, input, length, entries, count, &mut back))?;
    Ok(back)
}

#[test]
fn the_token_makes_the_iv_of_a_key_that_is_wrapped_with_gcm_or_ccm() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (wrapping, key) = (raw.aes(session, 32), raw.aes(session, 16));
        let value = raw.attribute(session, key, CKA_VALUE).expect("its value");
        let (aad, aad_length) = input(b"associated");

        let mut iv = *b"fixd________";
        let mut gcm = CK_GCM_WRAP_PARAMS {
            pIv: iv.as_mut_ptr(),
            ulIvLen: 12,
            ulIvFixedBits: 32,
            ivGenerator: CKG_GENERATE,
            pAAD: aad,
            ulAADLen: aad_length,
            ulTagBits: 128,
        };
        let mut room = 0;
        let mut mechanism = with(CKM_AES_GCM, &mut gcm);
        assert_eq!(ck!(raw, C_WrapKey, session, &mut mechanism, wrapping, key, null_mut(), &mut room), CKR_OK);
        assert_eq!((room, iv), (32, *b"fixd________"), "a question makes no IV");
        let mut small = [0; 31];
        room = 31;
        let place = small.as_mut_ptr();
        let code = ck!(raw, C_WrapKey, session, &mut mechanism, wrapping, key, place, &mut room);
        assert_eq!((code, room, iv), (CKR_BUFFER_TOO_SMALL, 32, *b"fixd________"));
        let wrapped = wrap(&raw, session, mechanism, (wrapping, key)).expect("wrapped");
        assert_eq!(wrapped.len(), 32);
        assert!(iv.starts_with(b"fixd") && iv != *b"fixd________", "the IV is written back");
        let mut older = CK_GCM_PARAMS {
            pIv: iv.as_mut_ptr(),
            ulIvLen: 12,
            ulIvBits: 96,
            pAAD: aad,
            ulAADLen: aad_length,
            ulTagBits: 128,
        };
        assert_eq!(raw.encrypt(session, with(CKM_AES_GCM, &mut older), wrapping, &value), Ok(wrapped.clone()));
        let back = unwrap(&raw, session, with(CKM_AES_GCM, &mut gcm), wrapping, &wrapped).expect("unwrapped");
        assert_eq!(raw.attribute(session, back, CKA_VALUE), Ok(value.clone()));
        let torn = unwrap(&raw, session, with(CKM_AES_GCM, &mut gcm), wrapping, &wrapped[..31]);
        assert_eq!(torn, Err(CKR_WRAPPED_KEY_INVALID));
        let short = unwrap(&raw, session, with(CKM_AES_GCM, &mut gcm), wrapping, &wrapped[..15]);
        assert_eq!(short, Err(CKR_WRAPPED_KEY_LEN_RANGE));

        // With the IV of the caller it is the same as with the older parameter.
        gcm.ivGenerator = CKG_NO_GENERATE;
        assert_eq!(wrap(&raw, session, with(CKM_AES_GCM, &mut gcm), (wrapping, key)), Ok(wrapped));

        let mut nonce = [0; 12];
        let mut ccm = CK_CCM_WRAP_PARAMS {
            ulDataLen: 16,
            pNonce: nonce.as_mut_ptr(),
            ulNonceLen: 12,
            ulNonceFixedBits: 0,
            nonceGenerator: CKG_GENERATE_RANDOM,
            pAAD: aad,
            ulAADLen: aad_length,
            ulMACLen: 16,
        };
        let wrapped = wrap(&raw, session, with(CKM_AES_CCM, &mut ccm), (wrapping, key)).expect("wrapped");
        assert_eq!(wrapped.len(), 32);
        assert_ne!(nonce, [0; 12]);
        let back = unwrap(&raw, session, with(CKM_AES_CCM, &mut ccm), wrapping, &wrapped).expect("unwrapped");
        assert_eq!(raw.attribute(session, back, CKA_VALUE), Ok(value));
    });
}

#[test]
fn a_wrap_parameter_with_places_that_are_missing_is_refused() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 32);
        let mut gcm = CK_GCM_WRAP_PARAMS {
            pIv: null_mut(),
            ulIvLen: 12,
            ulIvFixedBits: 0,
            ivGenerator: CKG_GENERATE,
            pAAD: null_mut(),
            ulAADLen: 0,
            ulTagBits: 128,
        };
        let refused = wrap(&raw, session, with(CKM_AES_GCM, &mut gcm), (key, key));
        assert_eq!(refused.err(), Some(CKR_MECHANISM_PARAM_INVALID));
        let mut iv = [0; 12];
        gcm.pIv = iv.as_mut_ptr();
        for (fixed, generator, tag) in [(97, CKG_GENERATE, 128), (0, 99, 128), (0, CKG_GENERATE, CK_ULONG::MAX)] {
            (gcm.ulIvFixedBits, gcm.ivGenerator, gcm.ulTagBits) = (fixed, generator, tag);
            let refused = wrap(&raw, session, with(CKM_AES_GCM, &mut gcm), (key, key));
            assert_eq!(refused.err(), Some(CKR_MECHANISM_PARAM_INVALID), "{fixed} {generator} {tag}");
        }
        let mut cut = [0; size_of::<CK_GCM_WRAP_PARAMS>() - 1];
        let refused = wrap(&raw, session, with_bytes(CKM_AES_GCM, &mut cut), (key, key));
        assert_eq!(refused.err(), Some(CKR_MECHANISM_PARAM_INVALID));
    });
}

#[test]
fn a_key_of_one_time_passwords_is_refused() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key =
            Template::new().number(CKA_CLASS, CKO_OTP_KEY).number(CKA_KEY_TYPE, CKK_HOTP).bytes(CKA_VALUE, &[1; 20]);
        assert_eq!(raw.create(session, key), Err(CKR_ATTRIBUTE_VALUE_INVALID));
        let made = raw.generate(session, plain(CKM_HOTP_KEY_GEN), Template::new().number(CKA_VALUE_LEN, 20));
        assert_eq!(made, Err(CKR_MECHANISM_INVALID));
    });
}

const DECLARED: &str = r#"
[[validation]]
type = "software"
version = "3.0"
level = 1
module = "Perilune of an example"
authority = "nist-cmvp"
country = "US"
certificate = "none"
"#;

#[test]
fn a_validation_is_shown_where_the_configuration_declares_it_and_claimed_in_approved_mode_alone() {
    isolated!(|place: &Place, _| {
        for approved in [false, true] {
            place.configure(&format!("[policy]\napproved = {approved}\n{DECLARED}"));
            let raw = Raw::start();
            let session = raw.session(raw.new_token_named(if approved { "approved" } else { "other" }));
            let found = raw.find(session, Template::new().number(CKA_CLASS, CKO_VALIDATION), 5);
            assert_eq!(found.len(), 1);
            let shown = |kind| raw.attribute(session, found[0], kind).expect("an attribute");
            assert_eq!(shown(CKA_VALIDATION_MODULE_ID), b"Perilune of an example");
            let flag = CK_ULONG::from_ne_bytes(shown(CKA_VALIDATION_FLAG).try_into().expect("a number"));
            assert_eq!(flag.count_ones(), 1);
            let mut flags = CK_FLAGS::MAX;
            let code = ck3!(raw, C_GetSessionValidationFlags, session, CKS_LAST_VALIDATION_OK, &mut flags);
            assert_eq!((code, flags), (CKR_OK, if approved { flag } else { 0 }));
            raw.finalize();
        }
    });
}
