//! Every Weierstrass curve against signatures and agreements of another library, deterministic signatures, and the two ways
//! to draw a scalar; over every engine.

#![allow(clippy::unwrap_used, reason = "the lint knows test functions, and not what they share")]

mod common;

use common::{Broken, System, check_count, engines, hex, random_bytes};
use hsm_crypto::ec::{Curve, ScalarMethod};
use hsm_crypto::{CryptoError, Hash, Random, Result};

fn curve(name: &str) -> Curve {
    Curve::ALL.into_iter().find(|curve| format!("{curve:?}") == name).unwrap()
}

fn hash(name: &str) -> Hash {
    Hash::ALL.into_iter().find(|hash| format!("{hash:?}").eq_ignore_ascii_case(name)).unwrap()
}

fn digest(hash: Hash, message: &[u8]) -> Vec<u8> {
    let mut digest = (engines()[0].digest)(hash);
    digest.update(message);
    digest.finish()
}

/// The fields of each line of a vector file.
fn lines<const FIELDS: usize>(text: &str) -> impl Iterator<Item = [&str; FIELDS]> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(' ').collect::<Vec<&str>>().try_into().unwrap())
}

#[test]
fn every_curve_gives_the_points_and_agreements_of_openssl_and_verifies_its_signatures() {
    let mut ran = 0;
    for [name, scalar, point, peer, shared, hash_name, signature] in lines(include_str!("vectors/curves_openssl.txt")) {
        let curve = curve(name);
        let message = match curve {
            Curve::P224 => "secp224r1".to_owned(),
            Curve::P256 => "prime256v1".to_owned(),
            Curve::P384 => "secp384r1".to_owned(),
            Curve::P521 => "secp521r1".to_owned(),
            Curve::K256 => "secp256k1".to_owned(),
            _ => name.replace('B', "b"),
        };
        let digest = digest(hash(hash_name), message.as_bytes());
        for engine in engines() {
            let key = (engine.ec_private)(curve, &hex(scalar)).unwrap();
            assert_eq!(key.public_point(), hex(point), "{}, {name}", engine.name);
            assert_eq!(key.agree(&hex(peer)).unwrap().expose(), hex(shared), "{}, {name}", engine.name);
            let public = (engine.ec_public)(curve, &hex(point)).unwrap();
            assert_eq!(public.verify(&digest, &hex(signature)), Ok(()), "{}, {name}", engine.name);
            ran += 1;
        }
    }
    check_count(ran, Curve::ALL.len());
}

#[test]
fn deterministic_signatures_are_those_of_rfc_6979() {
    let mut ran = 0;
    for [name, scalar, hash_name, message, signature] in lines(include_str!("vectors/rfc6979.txt")) {
        let hash = hash(hash_name);
        for engine in engines() {
            let key = (engine.ec_private)(curve(name), &hex(scalar)).unwrap();
            let made = key.sign_deterministic(hash, &digest(hash, message.as_bytes())).unwrap();
            assert_eq!(made, hex(signature), "{}, {name} {hash_name} {message}", engine.name);
            ran += 1;
        }
    }
    check_count(ran, 40);
}

/// From the tests of ethers-rs, which the crate `k256` repeats: a transaction's Keccak-256 digest, the nonce by SHA-256.
#[test]
fn deterministic_signatures_on_secp256k1_are_those_of_ethereum_wallets() {
    let scalar = hex("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318");
    let digest = hex("88cfbd7e51c7a40540b233cf68b62ad1df3e92462f1c6018d6d67eae0f3b08f5");
    let signature = "c9cf86333bcb065d140032ecaab5d9281bde80f21b9687b3e94161de42d51895\
         727a108a0b8d101465414033c3f705a9c7b826e596766046ee1183dbc8aeaa68";
    for engine in engines() {
        let key = (engine.ec_private)(Curve::K256, &scalar).unwrap();
        assert_eq!(key.sign_deterministic(Hash::Sha256, &digest).unwrap(), hex(signature), "{}", engine.name);
    }
}

/// Half the order of secp256k1, rounded down.
const HALF_ORDER: &str = "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0";
const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

/// Bitcoin's BIP 146 and Ethereum's EIP 2 take no other; both values of `s` verify.
#[test]
fn signatures_on_secp256k1_have_the_lower_s_and_both_verify() {
    for engine in engines() {
        let key = (engine.ec_private)(Curve::K256, &[7]).unwrap();
        let public = (engine.ec_public)(Curve::K256, &key.public_point()).unwrap();
        for round in 0..40 {
            let digest = random_bytes(32);
            let signature = match round % 2 {
                0 => key.sign(&digest, &System).unwrap(),
                _ => key.sign_deterministic(Hash::Sha256, &digest).unwrap(),
            };
            assert!(signature[32..] <= hex(HALF_ORDER)[..], "{}", engine.name);
            let high = [&signature[..32], &minus(&hex(ORDER), &signature[32..])].concat();
            assert_eq!(public.verify(&digest, &signature), Ok(()), "{}", engine.name);
            assert_eq!(public.verify(&digest, &high), Ok(()), "{}", engine.name);
        }
    }
}

fn minus(larger: &[u8], smaller: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut digits: Vec<u8> = larger
        .iter()
        .zip(smaller)
        .rev()
        .map(|(l, s)| {
            let difference = i16::from(*l) - i16::from(*s) - borrow;
            borrow = i16::from(difference < 0);
            u8::try_from(difference.rem_euclid(256)).unwrap()
        })
        .collect();
    digits.reverse();
    digits
}

#[test]
fn deterministic_signatures_need_a_whole_digest() {
    for engine in engines() {
        for curve in Curve::ALL {
            let key = (engine.ec_private)(curve, &[7]).unwrap();
            let public = (engine.ec_public)(curve, &key.public_point()).unwrap();
            for hash in [Hash::Sha1, Hash::Sha224, Hash::Sha256, Hash::Sha384, Hash::Sha512] {
                let digest = random_bytes(hash.output_bytes());
                let signature = key.sign_deterministic(hash, &digest).unwrap();
                assert_eq!(public.verify(&digest, &signature), Ok(()), "{}, {curve:?}", engine.name);
                for wrong in [&[][..], &digest[1..], &[&digest[..], &[0]].concat()] {
                    assert_eq!(key.sign_deterministic(hash, wrong), Err(CryptoError::InputLength));
                }
            }
        }
    }
}

/// Wycheproof has signatures whose r or s is 0, the order and more for each of its curves; these are the same for the others.
#[test]
fn signatures_with_a_number_out_of_range_are_refused_on_every_curve() {
    for engine in engines() {
        for curve in Curve::ALL {
            let field = curve.field_bytes();
            let key = (engine.ec_private)(curve, &[7]).unwrap();
            let public = (engine.ec_public)(curve, &key.public_point()).unwrap();
            let digest = random_bytes(32);
            let good = key.sign(&digest, &System).unwrap();
            let (r, s) = good.split_at(field);
            let (zero, largest) = (vec![0; field], vec![0xFF; field]);
            for [r, s] in [[&zero[..], s], [r, &zero], [&zero, &zero], [&largest, s], [r, &largest], [s, r]] {
                assert_eq!(public.verify(&digest, &[r, s].concat()), Err(CryptoError::BadSignature), "{curve:?}");
            }
            for wrong in [&good[1..], &[], &[&good[..], &[0, 0]].concat()] {
                assert_eq!(public.verify(&digest, wrong), Err(CryptoError::SignatureLength), "{curve:?}");
            }
        }
    }
}

/// A random source of one value.
struct Same(u8);

impl Random for Same {
    fn fill(&self, out: &mut [u8]) -> Result<()> {
        out.fill(self.0);
        Ok(())
    }
}

#[test]
fn extra_bits_make_working_pairs_and_reduce_as_the_standard_says() {
    for engine in engines() {
        for curve in Curve::ALL {
            let pair = (engine.ec_generate)(curve, ScalarMethod::ExtraBits, &System).unwrap();
            let digest = random_bytes(32);
            let signature = pair.private.sign(&digest, &System).unwrap();
            assert_eq!(pair.public.verify(&digest, &signature), Ok(()), "{}, {curve:?}", engine.name);
            // The number 0 gives the scalar 1.
            let pair = (engine.ec_generate)(curve, ScalarMethod::ExtraBits, &Same(0)).unwrap();
            assert_eq!(pair.scalar.expose().iter().map(|byte| usize::from(*byte)).sum::<usize>(), 1);
            assert_eq!(pair.scalar.len(), curve.field_bytes());
            let outcome = (engine.ec_generate)(curve, ScalarMethod::ExtraBits, &Broken).map(drop);
            assert_eq!(outcome, Err(CryptoError::RandomFailed));
        }
        // (2^320 - 1) modulo (n - 1), plus 1, for n of P-256; computed with Python.
        let pair = (engine.ec_generate)(Curve::P256, ScalarMethod::ExtraBits, &Same(0xFF)).unwrap();
        assert_eq!(pair.scalar.expose(), hex(P256_OF_ONES), "{}", engine.name);
        // (2^585 - 1) modulo (n - 1), plus 1, for n of P-521.
        let pair = (engine.ec_generate)(Curve::P521, ScalarMethod::ExtraBits, &Same(0xFF)).unwrap();
        assert_eq!(pair.scalar.expose(), hex(P521_OF_ONES), "{}", engine.name);
    }
}

const P256_OF_ONES: &str = "fffffffe00000001431905529c0166cd22159165b6faae71f756a572fc632550";
const P521_OF_ONES: &str = "0000000000000000000000000000000000000000000000000005ae79787c40d069\
     948033feb708f65a2fc44a36477663b851449048e16ec79bf80000000000000000";
