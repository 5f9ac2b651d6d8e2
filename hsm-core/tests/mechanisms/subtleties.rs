//! Where modules are known to accept too much or too little: one test for each, by its name.
//!
//! Of those that stand beside the mechanism they are about, these are here: ciphers.rs has the tags and IVs of GCM, padding of CBC, payloads of
//! KWP; vectors_encapsulation.rs the secrets of RSA without padding; vectors_ec.rs every point of Wycheproof.

use crate::operability::{DATA, USER, sample_pair};
use crate::support::{
    RSA, aes, decrypt, derive, encrypt, engines, env, hex, mechanism, numbers, private, public as public_key,
    rsa_public, rv, secret, sign, verify, with,
};
use ffi_headers::*;
use hsm_core::keys::{self, Enclosed};
use hsm_core::object::{Object, Value};
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_core::{DeriveParams, HkdfParams, HkdfSalt, Mechanism, Params, Room};
use hsm_crypto::Hash;
use hsm_crypto::ec::Curve;
use hsm_crypto::encoding::{PrivateForm, PublicForm};

fn for_each_engine(judge: impl Fn(&Env<'_>)) {
    engines().into_iter().for_each(|engine| judge(&env(engine)));
}

fn plain(kind: u64) -> Mechanism {
    mechanism(kind, &Params::None)
}

fn rsa_pair() -> (Object, Object) {
    (rsa_public(&RSA.modulus, &RSA.public_exponent), private(PrivateForm::Rsa(RSA.clone())))
}

// --- RSA ---

#[test]
fn pkcs1_padding_needs_its_zero_its_two_eight_bytes_and_an_end() {
    for_each_engine(|env| {
        let (public, private) = rsa_pair();
        let block = |start: [u8; 2], padding: usize, rest: &[u8]| {
            let message = vec![0x4d; 256 - 2 - padding - rest.len()];
            let block = [&start[..], &vec![0x11; padding], rest, &message].concat();
            let sealed = encrypt(env, &plain(CKM_RSA_X_509), &public, &block).unwrap();
            (decrypt(env, &plain(CKM_RSA_PKCS), &private, &sealed).unwrap(), message)
        };
        for padding in [8, 9, 200, 253] {
            let (opened, message) = block([0, 2], padding, &[0]);
            assert_eq!(opened, message, "{padding}");
        }
        // What is wrong gives other bytes, as if it were right (implicit rejection): never what stands in the block.
        for (start, padding, rest) in [
            ([0, 1], 8, &[0][..]),
            ([0, 0], 8, &[0]),
            ([0, 3], 8, &[0]),
            ([0, 2], 7, &[0]),
            ([0, 2], 0, &[0]),
            ([0, 2], 254, &[]),
        ] {
            let (opened, message) = block(start, padding, rest);
            assert!(opened != message || message.is_empty(), "{start:?} {padding}");
            assert_eq!(block(start, padding, rest).0, opened, "always the same bytes");
        }
    });
}

#[test]
fn the_salt_of_pss_has_the_length_of_the_parameter_and_no_other() {
    for_each_engine(|env| {
        let (public, private) = rsa_pair();
        let (hash, mgf) = numbers(Hash::Sha256);
        let pss = |salt_bytes| mechanism(CKM_SHA256_RSA_PKCS_PSS, &Params::Pss { hash, mgf, salt_bytes });
        for made in [0, 20, 32, 222] {
            let signature = sign(env, &pss(made), &private, b"message", false).unwrap();
            for asked in [0, 20, 31, 32, 33, 222] {
                let expect = if asked == made { CKR_OK } else { CKR_SIGNATURE_INVALID };
                let outcome = verify(env, &pss(asked), &public, b"message", &signature);
                assert_eq!(rv(&outcome), expect, "{made} {asked}");
            }
        }
        let outcome = mechanism_refused(env, &pss(223), &private);
        assert!([CKR_MECHANISM_PARAM_INVALID, CKR_KEY_SIZE_RANGE].contains(&outcome), "{outcome:#x}");
    });
}

fn mechanism_refused(env: &Env<'_>, mechanism: &Mechanism, key: &Object) -> u64 {
    rv(&sign(env, mechanism, key, b"message", false))
}

// --- elliptic curves ---

#[test]
fn an_ecdsa_signature_has_two_numbers_from_one_to_below_the_order() {
    for_each_engine(|env| {
        let (public, private) = sample_pair(CKK_EC);
        let good = sign(env, &plain(CKM_ECDSA_SHA256), &private, b"message", false).unwrap();
        let order = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
        let (r, s) = good.split_at(32);
        let (zero, top) = ([0; 32], [0xff; 32]);
        for (r, s) in [
            (&zero[..], s),
            (r, &zero[..]),
            (&zero[..], &zero[..]),
            (&order[..], s),
            (r, &order[..]),
            (&top[..], s),
            (r, &top[..]),
            (&order[..], &order[..]),
        ] {
            let outcome = verify(env, &plain(CKM_ECDSA_SHA256), &public, b"message", &[r, s].concat());
            assert_eq!(rv(&outcome), CKR_SIGNATURE_INVALID, "{r:x?} {s:x?}");
        }
        assert_eq!(rv(&verify(env, &plain(CKM_ECDSA_SHA256), &public, b"message", &good)), CKR_OK);
    });
}

/// PKCS#11 3.2, 6.3.1: a signature to verify may be shorter than two times the order (its numbers without zeros in front), never longer.
#[test]
fn an_ecdsa_signature_has_two_equal_halves_not_longer_than_the_order() {
    for_each_engine(|env| {
        let (public, private) = sample_pair(CKK_EC);
        let good = sign(env, &plain(CKM_ECDSA_SHA256), &private, b"message", false).unwrap();
        let (r, s) = good.split_at(32);
        let padded = [&[0], r, &[0], s].concat();
        let trailing = [&good[..], &[0]].concat();
        let doubled = [&good[..], &good[..]].concat();
        for (wrong, expect) in [
            (&good[..63], CKR_SIGNATURE_LEN_RANGE),
            (&trailing, CKR_SIGNATURE_LEN_RANGE),
            (&padded, CKR_SIGNATURE_LEN_RANGE),
            (&doubled, CKR_SIGNATURE_LEN_RANGE),
            (&[], CKR_SIGNATURE_LEN_RANGE),
            (r, CKR_SIGNATURE_INVALID),
            (&good[..62], CKR_SIGNATURE_INVALID),
            (&good[2..], CKR_SIGNATURE_INVALID),
        ] {
            let outcome = verify(env, &plain(CKM_ECDSA_SHA256), &public, b"message", wrong);
            assert_eq!(rv(&outcome), expect, "{} bytes", wrong.len());
        }
        // Made with the cryptography library of Python: a key with which both numbers begin with a zero.
        let scalar = hex("613ab6d46db28157558dc41b871fff57d3eee15972c6c7d1d1205b4136c1bac3");
        let key = crate::support::private(PrivateForm::Ec { curve: Curve::P256, scalar: scalar.into(), point: None });
        let point = key.key(env).unwrap().public_point().unwrap();
        let public = public_key(PublicForm::Ec { curve: Curve::P256, point });
        let r = hex("5543894af3d00ed7d740abdbd75c96b06877b787db5f70eea78b90a8d7c00a");
        let s = hex("043a718774c572bd8a25adbeb1bfcd5c0256ae11cecf9f9c3f925d0e52beaf");
        for good in [[&r[..], &s].concat(), [&[0], &r[..], &[0], &s].concat()] {
            assert_eq!(rv(&verify(env, &plain(CKM_ECDSA_SHA256), &public, b"message", &good)), CKR_OK);
        }
    });
}

// --- MACs and ciphers ---

#[test]
fn a_cut_hmac_has_a_byte_at_least_and_the_digest_at_most() {
    for_each_engine(|env| {
        let key = secret(CKK_GENERIC_SECRET, &DATA);
        let cut = |bytes| mechanism(CKM_SHA256_HMAC_GENERAL, &Params::MacLength(bytes));
        let whole = sign(env, &plain(CKM_SHA256_HMAC), &key, b"message", true).unwrap();
        for bytes in 1..=32_u64 {
            let mac = sign(env, &cut(bytes), &key, b"message", true).unwrap();
            assert_eq!(mac, whole[..usize::try_from(bytes).unwrap()]);
            assert_eq!(rv(&verify(env, &cut(bytes), &key, b"message", &mac)), CKR_OK);
            let shorter = &mac[..mac.len() - 1];
            assert_eq!(rv(&verify(env, &cut(bytes), &key, b"message", shorter)), CKR_SIGNATURE_LEN_RANGE);
        }
        for bytes in [0, 33, 64, u64::MAX] {
            assert_eq!(rv(&sign(env, &cut(bytes), &key, b"message", true)), CKR_MECHANISM_PARAM_INVALID, "{bytes}");
            assert_eq!(rv(&verify(env, &cut(bytes), &key, b"message", b"")), CKR_MECHANISM_PARAM_INVALID, "{bytes}");
        }
    });
}

#[test]
fn ccm_has_nonces_of_7_to_13_bytes_and_even_tags_of_4_to_16() {
    for_each_engine(|env| {
        let ccm = |nonce: usize, mac_bytes, data_bytes| {
            let params = Params::Ccm { data_bytes, nonce: vec![1; nonce], aad: b"aad".to_vec(), mac_bytes };
            mechanism(CKM_AES_CCM, &params)
        };
        let key = aes(&DATA);
        for nonce in 0..=17 {
            for tag in 0..=18_u64 {
                let sound = (7..=13).contains(&nonce) && (4..=16).contains(&tag) && tag % 2 == 0;
                let outcome = encrypt(env, &ccm(nonce, tag, 7), &key, b"message");
                let expect = if sound { CKR_OK } else { CKR_MECHANISM_PARAM_INVALID };
                assert_eq!(rv(&outcome), expect, "{nonce} {tag}");
            }
        }
        // With a nonce of 13 bytes two are left for the length.
        let long = vec![0; 65536];
        assert_eq!(rv(&encrypt(env, &ccm(13, 16, 65535), &key, &long[1..])), CKR_OK);
        assert_ne!(rv(&encrypt(env, &ccm(13, 16, 65536), &key, &long)), CKR_OK);
        assert_eq!(rv(&encrypt(env, &ccm(12, 16, 65536), &key, &long)), CKR_OK);
    });
}

// --- HKDF ---

#[test]
fn hkdf_takes_no_salt_and_no_info_and_gives_255_digests_at_most() {
    for_each_engine(|env| {
        let base = secret(CKK_GENERIC_SECRET, &[0x0b; 22]);
        let hkdf = |salt, info: &[u8]| {
            let params = HkdfParams { extract: true, expand: true, hash: CKM_SHA256, salt, info: info.to_vec() };
            mechanism(CKM_HKDF_DERIVE, &Params::Derive(DeriveParams::Hkdf(params)))
        };
        let template =
            |bytes| Template::default().with_number(CKA_KEY_TYPE, CKK_GENERIC_SECRET).with_number(CKA_VALUE_LEN, bytes);
        let value = |mechanism: &Mechanism, bytes| {
            derive(env, mechanism, &base, &template(bytes)).map(|key| key.bytes(CKA_VALUE).unwrap().to_vec())
        };
        // RFC 5869, A.3: salt and info of no length.
        let expect = hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
        for salt in [HkdfSalt::None, HkdfSalt::Bytes(Vec::new()), HkdfSalt::Bytes(vec![0; 32])] {
            let kind = format!("{salt:?}");
            assert_eq!(value(&hkdf(salt, b""), 42).unwrap(), expect, "{kind}");
        }
        let longest = value(&hkdf(HkdfSalt::None, b""), 255 * 32).unwrap();
        assert_eq!((longest.len(), &longest[..42]), (255 * 32, &expect[..]));
        for bytes in [255 * 32 + 1, u64::MAX] {
            assert_ne!(rv(&value(&hkdf(HkdfSalt::None, b""), bytes)), CKR_OK, "{bytes}");
        }
        assert_ne!(rv(&value(&hkdf(HkdfSalt::None, b""), 0)), CKR_OK);
    });
}

// --- lattices ---

#[test]
fn a_context_of_ml_dsa_has_255_bytes_at_most() {
    for_each_engine(|env| {
        let (public, private) = sample_pair(CKK_ML_DSA);
        let ml_dsa = |bytes| {
            let params = Params::SignContext { hedge: CKH_HEDGE_PREFERRED, context: vec![7; bytes], hash: None };
            mechanism(CKM_ML_DSA, &params)
        };
        for bytes in [0, 1, 255] {
            let signature = sign(env, &ml_dsa(bytes), &private, b"message", false).unwrap();
            assert_eq!(rv(&verify(env, &ml_dsa(bytes), &public, b"message", &signature)), CKR_OK, "{bytes}");
        }
        for bytes in [256, 257, 511] {
            assert_eq!(mechanism_refused(env, &ml_dsa(bytes), &private), CKR_MECHANISM_PARAM_INVALID, "{bytes}");
            let outcome = verify(env, &ml_dsa(bytes), &public, b"message", &[0; 2420]);
            assert_eq!(rv(&outcome), CKR_MECHANISM_PARAM_INVALID, "{bytes}");
        }
    });
}

/// FIPS 204, algorithm 21: positions rise within a polynomial, counts never fall and are ω at most, what is behind them is zero.
#[test]
fn a_hint_of_ml_dsa_has_one_encoding() {
    for_each_engine(|env| {
        let (public, private) = sample_pair(CKK_ML_DSA);
        // Polynomials and ω of each parameter set, told by the length of its signatures.
        let mut ran = 0;
        for _ in 0..8 {
            let good = sign(env, &plain(CKM_ML_DSA), &private, b"message", false).unwrap();
            let (polynomials, omega) = match good.len() {
                2420 => (4, 80),
                3309 => (6, 55),
                4627 => (8, 75),
                other => panic!("a signature of {other} bytes"),
            };
            let at = good.len() - polynomials - omega;
            let counts = at + omega;
            let used = usize::from(good[counts + polynomials - 1]);
            assert!(used <= omega);
            let mut judge = |change: &dyn Fn(&mut [u8])| {
                let mut wrong = good.clone();
                change(&mut wrong);
                assert_ne!(wrong, good);
                let outcome = verify(env, &plain(CKM_ML_DSA), &public, b"message", &wrong);
                assert_eq!(rv(&outcome), CKR_SIGNATURE_INVALID);
                ran += 1;
            };
            if good[counts] >= 2 {
                judge(&|wrong| wrong.swap(at, at + 1));
                judge(&|wrong| wrong[at + 1] = wrong[at]);
            }
            if used < omega {
                judge(&|wrong| wrong[counts - 1] = 1);
                judge(&|wrong| wrong[at + used] = 0xff);
            }
            judge(&|wrong| wrong[counts + polynomials - 1] = u8::try_from(omega).unwrap() + 1);
            judge(&|wrong| wrong[counts] = 0xff);
        }
        assert!(ran >= 16, "{ran}");
    });
}

#[test]
fn coefficients_of_an_ml_kem_key_are_below_its_modulus() {
    for_each_engine(|env| {
        let (public, _) = sample_pair(CKK_ML_KEM);
        let enclose = |value: &[u8]| {
            let key = with(&public, CKA_VALUE, Value::Bytes(value.to_vec().into()));
            let outcome = keys::encapsulate_key(
                env,
                USER,
                &plain(CKM_ML_KEM),
                &key,
                &Template::default(),
                Room::Bytes(usize::MAX),
            );
            rv(&outcome.map(|enclosed| assert!(matches!(enclosed, Enclosed::Made(..)))))
        };
        let good = public.bytes(CKA_VALUE).unwrap();
        assert_eq!(enclose(good), CKR_OK);
        // The modulus is 3329; the first coefficient has the low twelve bits, the last one the high twelve before the seed.
        let seed = good.len() - 32;
        for coefficient in [3329_u16, 3330, 4095] {
            let [low, high] = coefficient.to_le_bytes();
            let mut first = good.to_vec();
            (first[0], first[1]) = (low, first[1] & 0xf0 | high);
            let mut last = good.to_vec();
            let shifted = (coefficient << 4).to_le_bytes();
            (last[seed - 2], last[seed - 1]) = (last[seed - 2] & 0x0f | shifted[0], shifted[1]);
            for wrong in [first, last] {
                assert_ne!(enclose(&wrong), CKR_OK, "{coefficient}");
            }
        }
        let mut largest = good.to_vec();
        (largest[0], largest[1]) = (0x00, largest[1] & 0xf0 | 0x0d);
        assert_eq!(enclose(&largest), CKR_OK, "3328");
    });
}
