//! Mechanism parameters and key parameters in every form that real clients send.
//!
//! Rule source: PKCS#11 3.2 mechanisms; facts about SunPKCS11 (GCM parameters of 40 bytes), pkcs11-tool
//! (OAEP source 0, printable curve names), GnuTLS (key pairs by CKM_EDDSA), pkcs11-provider (OAEP hash 0).

use perilune_tests::ck::*;
use perilune_tests::raw::{Answer, answer, input, plain, sized, with, with_bytes};
use perilune_tests::{Raw, Template, ck, isolated};
use std::ptr::null_mut;

const P256: &[u8] = &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22];
const P521: &[u8] = &[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23];
const K256: &[u8] = &[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x0A];
const ED25519: &[u8] = &[0x06, 0x03, 0x2B, 0x65, 0x70];
const X25519: &[u8] = &[0x06, 0x03, 0x2B, 0x65, 0x6E];

/// A DER PrintableString.
fn printable(name: &str) -> Vec<u8> {
    let mut der = vec![0x13, name.len() as u8];
    der.extend(name.as_bytes());
    der
}

fn sign_rights() -> Template {
    Template::new()
}

#[test]
fn gcm_parameters_of_40_and_of_48_bytes_mean_the_same() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 32);
        let (mut iv, mut aad) = ([1u8; 12], *b"header");
        let mut long = CK_GCM_PARAMS {
            pIv: iv.as_mut_ptr(),
            ulIvLen: 12,
            ulIvBits: 96,
            pAAD: aad.as_mut_ptr(),
            ulAADLen: 6,
            ulTagBits: 128,
        };
        // The structure of the 2.20 headers, which SunPKCS11 sends first: without ulIvBits.
        let mut short = [iv.as_ptr() as u64, 12, aad.as_ptr() as u64, 6, 128];
        assert_eq!((size_of_val(&long), size_of_val(&short)), (48, 40));
        for message in [&b""[..], b"x", b"a message of some length"] {
            let new = raw.encrypt(session, with(CKM_AES_GCM, &mut long), key, message).expect("48 bytes");
            assert_eq!(new.len(), message.len() + 16);
            let old = raw.encrypt(session, with(CKM_AES_GCM, &mut short), key, message);
            // Refusing is as good: SunPKCS11 then sends the other form. Reading beyond it is not.
            match old {
                Ok(old) => assert_eq!(old, new),
                Err(code) => assert!(matches!(code, CKR_MECHANISM_PARAM_INVALID | CKR_ARGUMENTS_BAD), "{code:#x}"),
            }
            assert_eq!(raw.decrypt(session, with(CKM_AES_GCM, &mut long), key, &new).as_deref(), Ok(message));
        }
    });
}

#[test]
fn gcm_takes_any_iv_length_and_tags_of_32_to_128_bits() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 16);
        for iv_bytes in [1, 8, 12, 16, 60, 256] {
            for tag_bits in [32, 64, 96, 104, 112, 120, 128] {
                let mut iv = vec![4u8; iv_bytes];
                let mut gcm = gcm(&mut iv, tag_bits);
                let sealed = raw.encrypt(session, with(CKM_AES_GCM, &mut gcm), key, b"text").expect("sealed");
                assert_eq!(sealed.len(), 4 + tag_bits as usize / 8);
                assert_eq!(
                    raw.decrypt(session, with(CKM_AES_GCM, &mut gcm), key, &sealed).as_deref(),
                    Ok(&b"text"[..])
                );
                let mut broken = sealed.clone();
                broken[0] ^= 1;
                let code = raw.decrypt(session, with(CKM_AES_GCM, &mut gcm), key, &broken);
                assert_eq!(code, Err(CKR_ENCRYPTED_DATA_INVALID));
            }
        }
        for (iv_bytes, tag_bits) in [(0, 128), (12, 0), (12, 24), (12, 129), (12, 136)] {
            let mut iv = vec![4u8; iv_bytes];
            let mut gcm = gcm(&mut iv, tag_bits);
            let code = raw.encrypt(session, with(CKM_AES_GCM, &mut gcm), key, b"text");
            assert!(
                matches!(code, Err(CKR_MECHANISM_PARAM_INVALID | CKR_ARGUMENTS_BAD)),
                "{iv_bytes} {tag_bits} {code:?}"
            );
        }
    });
}

#[test]
fn a_gcm_message_with_a_wrong_tag_leaves_no_plaintext_in_the_callers_buffer() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 32);
        for bytes in [1, 64, 100_000] {
            let (mut iv, plaintext) = ([3; 12], vec![0xA5; bytes]);
            let mut gcm = gcm(&mut iv, 128);
            let mut sealed = raw.encrypt(session, with(CKM_AES_GCM, &mut gcm), key, &plaintext).expect("sealed");
            *sealed.last_mut().expect("a tag") ^= 1;
            for in_parts in [false, true] {
                let mut out = vec![0x11; bytes + 16];
                let mut room = out.len() as CK_ULONG;
                let mut mechanism = with(CKM_AES_GCM, &mut gcm);
                assert_eq!(ck!(raw, C_DecryptInit, session, &mut mechanism, key), CKR_OK);
                let (data, length) = input(&sealed);
                let code = if in_parts {
                    assert_eq!(ck!(raw, C_DecryptUpdate, session, data, length, out.as_mut_ptr(), &mut room), CKR_OK);
                    room = out.len() as CK_ULONG;
                    ck!(raw, C_DecryptFinal, session, out.as_mut_ptr(), &mut room)
                } else {
                    ck!(raw, C_Decrypt, session, data, length, out.as_mut_ptr(), &mut room)
                };
                assert_eq!(code, CKR_ENCRYPTED_DATA_INVALID, "{bytes} bytes, in parts: {in_parts}");
                assert!(!out.contains(&0xA5), "{bytes} bytes, in parts: {in_parts}: plaintext of a forged message");
            }
        }
    });
}

fn gcm(iv: &mut [u8], tag_bits: CK_ULONG) -> CK_GCM_PARAMS {
    CK_GCM_PARAMS {
        pIv: iv.as_mut_ptr(),
        ulIvLen: iv.len() as CK_ULONG,
        ulIvBits: iv.len() as CK_ULONG * 8,
        pAAD: null_mut(),
        ulAADLen: 0,
        ulTagBits: tag_bits,
    }
}

#[test]
fn parameters_of_a_wrong_size_are_refused() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 16);
        let (_, private) = raw.rsa(session);
        let mut page = [0u8; 512];
        for (mechanism, right) in [(CKM_AES_CBC, 16), (CKM_AES_CBC_PAD, 16), (CKM_AES_CTR, 24), (CKM_AES_GCM, 48)] {
            for size in [0, 1, right - 1, right + 1, 500] {
                let mut wrong = with_bytes(mechanism, &mut page[..size]);
                let code = ck!(raw, C_EncryptInit, session, &mut wrong, key);
                assert!(
                    matches!(code, CKR_MECHANISM_PARAM_INVALID | CKR_ARGUMENTS_BAD),
                    "{mechanism:#x} {size} {code:#x}"
                );
            }
            let mut null = CK_MECHANISM { mechanism, pParameter: null_mut(), ulParameterLen: right as CK_ULONG };
            let code = ck!(raw, C_EncryptInit, session, &mut null, key);
            assert!(matches!(code, CKR_MECHANISM_PARAM_INVALID | CKR_ARGUMENTS_BAD), "{mechanism:#x} NULL {code:#x}");
        }
        for size in [0, 8, 23, 25] {
            let mut wrong = with_bytes(CKM_SHA256_RSA_PKCS_PSS, &mut page[..size]);
            let code = ck!(raw, C_SignInit, session, &mut wrong, private);
            assert!(matches!(code, CKR_MECHANISM_PARAM_INVALID | CKR_ARGUMENTS_BAD), "PSS {size} {code:#x}");
        }
    });
}

#[test]
fn counter_mode_takes_widths_of_1_to_128_bits() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 16);
        for bits in [0, 1, 8, 32, 64, 128, 129, CK_ULONG::MAX] {
            let mut ctr = CK_AES_CTR_PARAMS { ulCounterBits: bits, cb: [0; 16] };
            let code = raw.encrypt(session, with(CKM_AES_CTR, &mut ctr), key, &[0; 16]);
            if (1..=128).contains(&bits) {
                let sealed = code.expect("a valid width");
                assert_eq!(raw.decrypt(session, with(CKM_AES_CTR, &mut ctr), key, &sealed), Ok(vec![0; 16]));
            } else {
                assert_eq!(code, Err(CKR_MECHANISM_PARAM_INVALID), "{bits}");
            }
        }
    });
}

#[test]
fn parameters_and_templates_may_lie_unaligned() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 16);
        let mut ctr = CK_AES_CTR_PARAMS { ulCounterBits: 128, cb: [7; 16] };
        let straight = raw.encrypt(session, with(CKM_AES_CTR, &mut ctr), key, b"unaligned").expect("aligned");
        let mut shifted = [0u8; 25];
        shifted[1..9].copy_from_slice(&128u64.to_ne_bytes());
        shifted[9..25].copy_from_slice(&[7; 16]);
        let odd = raw.encrypt(session, with_bytes(CKM_AES_CTR, &mut shifted[1..]), key, b"unaligned");
        assert_eq!(odd, Ok(straight));

        // A template, and the mechanism itself, at odd addresses.
        let mut length = [0u8; 9];
        length[1..].copy_from_slice(&32u64.to_ne_bytes());
        let entry = [CKA_VALUE_LEN, length[1..].as_ptr() as u64, 8];
        let mut memory = vec![0u8; 1 + 24 + 24];
        for (index, word) in entry.iter().chain(&[CKM_AES_KEY_GEN, 0, 0]).enumerate() {
            memory[1 + index * 8..9 + index * 8].copy_from_slice(&word.to_ne_bytes());
        }
        let template = memory.as_mut_ptr().wrapping_add(1).cast::<CK_ATTRIBUTE>();
        let mechanism = memory.as_mut_ptr().wrapping_add(25).cast::<CK_MECHANISM>();
        let mut made = 0;
        assert_eq!(ck!(raw, C_GenerateKey, session, mechanism, template, 1, &mut made), CKR_OK);
        assert_eq!(raw.attribute(session, made, CKA_VALUE_LEN), Ok(32u64.to_ne_bytes().to_vec()));
    });
}

#[test]
fn oaep_source_0_without_data_is_accepted() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (public, private) = raw.rsa(session);
        let label = *b"label";
        for (source, data, length) in [
            (0, null_mut(), 0),
            (CKZ_DATA_SPECIFIED, null_mut(), 0),
            (CKZ_DATA_SPECIFIED, label.as_ptr().cast_mut().cast(), label.len() as CK_ULONG),
        ] {
            for (hash, mgf) in [
                (CKM_SHA_1, CKG_MGF1_SHA1),
                (CKM_SHA224, CKG_MGF1_SHA224),
                (CKM_SHA256, CKG_MGF1_SHA256),
                (CKM_SHA384, CKG_MGF1_SHA384),
                (CKM_SHA512, CKG_MGF1_SHA512),
                (CKM_SHA256, CKG_MGF1_SHA1),
            ] {
                let mut oaep =
                    CK_RSA_PKCS_OAEP_PARAMS { hashAlg: hash, mgf, source, pSourceData: data, ulSourceDataLen: length };
                let sealed =
                    raw.encrypt(session, with(CKM_RSA_PKCS_OAEP, &mut oaep), public, b"short text").expect("sealed");
                let opened = raw.decrypt(session, with(CKM_RSA_PKCS_OAEP, &mut oaep), private, &sealed);
                assert_eq!(opened.as_deref(), Ok(&b"short text"[..]), "{hash:#x} {mgf} {source}");
            }
        }
        // No hash named: strict, as decided; and data without a source is a contradiction.
        let mut none =
            CK_RSA_PKCS_OAEP_PARAMS { hashAlg: 0, mgf: 0, source: 0, pSourceData: null_mut(), ulSourceDataLen: 0 };
        let code = ck!(raw, C_EncryptInit, session, &mut with(CKM_RSA_PKCS_OAEP, &mut none), public);
        assert_eq!(code, CKR_MECHANISM_PARAM_INVALID);
    });
}

#[test]
fn curves_are_named_by_oid_and_by_printable_name() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        for (oid, names, bits) in [
            (P256, &["prime256v1", "secp256r1"][..], 256),
            (P384, &["secp384r1"], 384),
            (P521, &["secp521r1"], 521),
            (K256, &["secp256k1"], 256),
        ] {
            for parameters in std::iter::once(oid.to_vec()).chain(names.iter().map(|name| printable(name))) {
                let pair = raw.ec(session, CKM_EC_KEY_PAIR_GEN, &parameters, &sign_rights());
                let (public, private) = pair.unwrap_or_else(|code| panic!("{parameters:x?}: {code:#x}"));
                let signature = raw.sign(session, plain(CKM_ECDSA), private, &[9; 32]).expect("signed");
                assert_eq!(signature.len(), 2 * usize::div_ceil(bits, 8));
                assert_eq!(raw.verify(session, plain(CKM_ECDSA), public, &[9; 32], &signature), Ok(()));
            }
        }
        for unknown in [printable("secp112r1"), vec![0x06, 0x01, 0x00], vec![], vec![0x30, 0x00], vec![0x06, 0x7F]] {
            let code = raw.ec(session, CKM_EC_KEY_PAIR_GEN, &unknown, &sign_rights());
            let refused = [CKR_CURVE_NOT_SUPPORTED, CKR_DOMAIN_PARAMS_INVALID, CKR_ATTRIBUTE_VALUE_INVALID];
            assert!(code.is_err_and(|code| refused.contains(&code)), "{unknown:x?}: {code:?}");
        }
    });
}

#[test]
fn edwards_and_montgomery_keys_are_made_in_each_known_way() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        // GnuTLS generates by the number of the signature mechanism.
        for mechanism in [CKM_EC_EDWARDS_KEY_PAIR_GEN, CKM_EDDSA] {
            for parameters in [ED25519.to_vec(), printable("edwards25519")] {
                let pair = raw.ec(session, mechanism, &parameters, &sign_rights());
                let (public, private) = pair.unwrap_or_else(|code| panic!("{mechanism:#x} {parameters:x?}: {code:#x}"));
                let signature = raw.sign(session, plain(CKM_EDDSA), private, b"message").expect("signed");
                assert_eq!(signature.len(), 64);
                assert_eq!(raw.verify(session, plain(CKM_EDDSA), public, b"message", &signature), Ok(()));
                let code = raw.verify(session, plain(CKM_EDDSA), public, b"messagE", &signature);
                assert_eq!(code, Err(CKR_SIGNATURE_INVALID));
            }
        }
        for parameters in [X25519.to_vec(), printable("curve25519")] {
            let pair = raw.ec(session, CKM_EC_MONTGOMERY_KEY_PAIR_GEN, &parameters, &sign_rights());
            assert!(pair.is_ok(), "{parameters:x?}: {pair:?}");
        }
    });
}

fn derive(raw: &Raw, session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE, peer: &[u8]) -> Answer<Vec<u8>> {
    let (point, length) = input(peer);
    let mut ecdh = CK_ECDH1_DERIVE_PARAMS {
        kdf: CKD_NULL,
        ulSharedDataLen: 0,
        pSharedData: null_mut(),
        ulPublicDataLen: length,
        pPublicData: point,
    };
    let mut template = Template::new()
        .number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
        .number(CKA_VALUE_LEN, 32)
        .flag(CKA_SENSITIVE, false)
        .flag(CKA_EXTRACTABLE, true)
        .flag(CKA_ENCRYPT, true)
        .flag(CKA_DECRYPT, true);
    let mut list = template.attributes();
    let mut mechanism = with(CKM_ECDH1_DERIVE, &mut ecdh);
    let mut derived = 0;
    answer(ck!(
        raw,
        C_DeriveKey,
        session,
        &mut mechanism,
        key,
        list.as_mut_ptr(),
        list.len() as CK_ULONG,
        &mut derived
    ))?;
    raw.attribute(session, derived, CKA_VALUE)
}

#[test]
fn ecdh_takes_points_raw_and_in_der_and_both_sides_agree() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let rights = Template::new();
        let derive_right = Template::new().flag(CKA_DERIVE, true);
        for (mechanism, curve) in [(CKM_EC_KEY_PAIR_GEN, P256), (CKM_EC_MONTGOMERY_KEY_PAIR_GEN, X25519)] {
            let pair = |_| {
                let public = Template::new().bytes(CKA_EC_PARAMS, curve).and(&rights);
                raw.generate_pair(session, plain(mechanism), public, derive_right.clone()).expect("a pair")
            };
            let [(public_a, private_a), (public_b, private_b)] = [0, 1].map(pair);
            let point = |public| raw.attribute(session, public, CKA_EC_POINT).expect("a point");
            let (a, b) = (point(public_a), point(public_b));
            assert_eq!(a[0], 0x04, "CKA_EC_POINT is a DER octet string");
            let secret = derive(&raw, session, private_a, &b).expect("DER");
            assert_eq!(derive(&raw, session, private_a, &b[2..]).as_ref(), Ok(&secret), "raw");
            assert_eq!(derive(&raw, session, private_b, &a).as_ref(), Ok(&secret), "the other side");
            let mut off = b[2..].to_vec();
            off.push(0);
            assert!(derive(&raw, session, private_a, &off).is_err());
            assert!(derive(&raw, session, private_a, &[]).is_err());
        }
        // A point that is not on the curve must not be used.
        let (_, private) = raw
            .generate_pair(
                session,
                plain(CKM_EC_KEY_PAIR_GEN),
                Template::new().bytes(CKA_EC_PARAMS, P256),
                derive_right,
            )
            .expect("a pair");
        let mut wrong = [1u8; 65];
        wrong[0] = 4;
        assert!(derive(&raw, session, private, &wrong).is_err());
    });
}

#[test]
fn pss_parameters_are_checked_against_the_mechanism() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (public, private) = raw.rsa(session);
        for salt in [0, 20, 32, 222] {
            let mut pss = CK_RSA_PKCS_PSS_PARAMS { hashAlg: CKM_SHA256, mgf: CKG_MGF1_SHA256, sLen: salt };
            let signature = raw.sign(session, with(CKM_SHA256_RSA_PKCS_PSS, &mut pss), private, b"message");
            let signature = signature.unwrap_or_else(|code| panic!("salt of {salt}: {code:#x}"));
            let good = raw.verify(session, with(CKM_SHA256_RSA_PKCS_PSS, &mut pss), public, b"message", &signature);
            assert_eq!(good, Ok(()));
            let mut other = CK_RSA_PKCS_PSS_PARAMS { sLen: salt + 1, ..pss };
            let wrong = raw.verify(session, with(CKM_SHA256_RSA_PKCS_PSS, &mut other), public, b"message", &signature);
            assert!(wrong.is_err(), "the salt length is checked, not guessed");
        }
        let mut contradiction = CK_RSA_PKCS_PSS_PARAMS { hashAlg: CKM_SHA_1, mgf: CKG_MGF1_SHA1, sLen: 20 };
        let code = raw.sign(session, with(CKM_SHA256_RSA_PKCS_PSS, &mut contradiction), private, b"message");
        assert_eq!(code, Err(CKR_MECHANISM_PARAM_INVALID));
        let mut raw_pss = CK_RSA_PKCS_PSS_PARAMS { hashAlg: CKM_SHA256, mgf: CKG_MGF1_SHA256, sLen: 32 };
        assert!(raw.sign(session, with(CKM_RSA_PKCS_PSS, &mut raw_pss), private, &[1; 32]).is_ok());
        assert_eq!(raw.sign(session, with(CKM_RSA_PKCS_PSS, &mut raw_pss), private, &[1; 31]), Err(CKR_DATA_LEN_RANGE));
    });
}

#[test]
fn key_wrap_returns_exactly_what_was_wrapped() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let wrapping = raw.aes(session, 32);
        for (mechanism, class, kind) in [
            (CKM_AES_KEY_WRAP, CKO_SECRET_KEY, CKK_AES),
            (CKM_AES_KEY_WRAP_KWP, CKO_SECRET_KEY, CKK_AES),
            (CKM_AES_KEY_WRAP_KWP, CKO_PRIVATE_KEY, CKK_EC),
            (CKM_AES_KEY_WRAP_PAD, CKO_PRIVATE_KEY, CKK_EC),
            (CKM_AES_CBC_PAD, CKO_PRIVATE_KEY, CKK_EC),
        ] {
            let mut iv = [6; 16];
            let mut mechanism =
                if mechanism == CKM_AES_CBC_PAD { with_bytes(mechanism, &mut iv) } else { plain(mechanism) };
            let (verify, key) = if class == CKO_SECRET_KEY {
                (0, raw.aes(session, 16))
            } else {
                let private = Template::new().flag(CKA_EXTRACTABLE, true).flag(CKA_SENSITIVE, false);
                let public = Template::new().bytes(CKA_EC_PARAMS, P256);
                raw.generate_pair(session, plain(CKM_EC_KEY_PAIR_GEN), public, private).expect("a pair")
            };
            let wrapped = sized(|out, room| ck!(raw, C_WrapKey, session, &mut mechanism, wrapping, key, out, room));
            let wrapped = wrapped.unwrap_or_else(|code| panic!("{:#x}: {code:#x}", mechanism.mechanism));
            let mut template = Template::new()
                .number(CKA_CLASS, class)
                .number(CKA_KEY_TYPE, kind)
                .flag(CKA_SENSITIVE, false)
                .flag(CKA_EXTRACTABLE, true);
            let mut list = template.attributes();
            let ((data, length), mut again) = (input(&wrapped), 0);
            let count = list.len() as CK_ULONG;
            let code = ck!(
                raw,
                C_UnwrapKey,
                session,
                &mut mechanism,
                wrapping,
                data,
                length,
                list.as_mut_ptr(),
                count,
                &mut again
            );
            assert_eq!(code, CKR_OK, "{:#x}", mechanism.mechanism);
            let value = |key| raw.attribute(session, key, CKA_VALUE).expect("an extractable key");
            assert_eq!(value(again), value(key));
            if verify != 0 {
                let signature = raw.sign(session, plain(CKM_ECDSA), again, &[3; 32]).expect("signed");
                assert_eq!(raw.verify(session, plain(CKM_ECDSA), verify, &[3; 32], &signature), Ok(()));
            }
            let mut broken = wrapped.clone();
            *broken.last_mut().unwrap() ^= 1;
            let data = broken.as_mut_ptr();
            let code = ck!(
                raw,
                C_UnwrapKey,
                session,
                &mut mechanism,
                wrapping,
                data,
                length,
                list.as_mut_ptr(),
                count,
                &mut again
            );
            assert_ne!(code, CKR_OK, "{:#x}: a broken wrapping was taken", mechanism.mechanism);
        }
    });
}
