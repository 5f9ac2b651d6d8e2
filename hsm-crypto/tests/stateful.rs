//! HSS/LMS, XMSS and XMSS^MT against published signatures and against other implementations, over every engine.

#![allow(clippy::unwrap_used, reason = "the lint knows test functions, and not what they share")]

mod common;

use common::engines;
use hsm_crypto::stateful::{HSS_SEED_BYTES, StatefulPublicKey, XmssSet};
use hsm_crypto::{CryptoError, Provider};
use std::sync::Arc;
use xmss::{DetachedSignature, KeyPair, XmssParameter};

const HSS: &str = include_str!("vectors/stateful/hss.txt");
const XMSS: &str = include_str!("vectors/stateful/xmss.txt");

/// A signature to verify.
struct Vector {
    name: &'static str,
    public: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

fn vectors(text: &'static str) -> Vec<Vector> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let of = |four: &[&'static str]| Vector {
        name: four[0],
        public: hex(four[1]),
        message: hex(four[2]),
        signature: hex(four[3]),
    };
    lines.chunks(4).map(of).collect()
}

fn set_of(vector: &Vector) -> XmssSet {
    let number = u32::from_be_bytes(*vector.public.first_chunk().unwrap());
    let set = if vector.name.starts_with("XMSSMT") { XmssSet::xmss_mt(number) } else { XmssSet::xmss(number) };
    set.unwrap()
}

/// Every vector with its public key.
fn parsed(engine: &Provider) -> Vec<(Vector, Arc<dyn StatefulPublicKey>)> {
    let hss = vectors(HSS).into_iter().map(|vector| {
        let key = (engine.stateful.hss_public)(&vector.public).unwrap();
        (vector, key)
    });
    let xmss = vectors(XMSS).into_iter().map(|vector| {
        let key = (engine.stateful.xmss_public)(set_of(&vector), &vector.public).unwrap();
        (vector, key)
    });
    hss.chain(xmss).collect()
}

#[test]
fn published_signatures_verify_and_changed_ones_do_not() {
    for engine in engines() {
        let vectors = parsed(engine);
        assert_eq!(vectors.len(), 21 + 9);
        for (vector, key) in vectors {
            assert_eq!(key.verify(&vector.message, &vector.signature), Ok(()), "{}", vector.name);
            let mut message = vector.message.clone();
            message[0] ^= 1;
            assert_eq!(key.verify(&message, &vector.signature), Err(CryptoError::BadSignature), "{}", vector.name);
            assert_eq!(key.verify(b"", &vector.signature), Err(CryptoError::BadSignature), "{}", vector.name);
            // A byte of each part: some sixty places, the first and the last among them.
            for at in
                (0..vector.signature.len()).step_by(vector.signature.len() / 60).chain([vector.signature.len() - 1])
            {
                let mut signature = vector.signature.clone();
                signature[at] ^= 0x10;
                let refused = key.verify(&vector.message, &signature);
                assert!(refused.is_err(), "{}, byte {at}", vector.name);
            }
        }
    }
}

#[test]
fn every_length_but_the_right_one_is_refused_and_none_panics() {
    let engine = engines()[0];
    for (vector, key) in parsed(engine) {
        let whole = &vector.signature;
        // Each length near the front and the end, where the headers are, and some in between.
        let near = |bytes: &usize| *bytes < 64 || whole.len() - bytes < 64 || bytes.is_multiple_of(61);
        for bytes in (0..whole.len()).filter(near) {
            let refused = key.verify(&vector.message, &whole[..bytes]);
            assert_eq!(refused, Err(CryptoError::SignatureLength), "{}, {bytes} bytes", vector.name);
        }
        for more in [1, 4, 60, 10_000, 200_000] {
            let longer = [&whole[..], &vec![0; more]].concat();
            assert_eq!(key.verify(&vector.message, &longer), Err(CryptoError::SignatureLength), "{}", vector.name);
        }
    }
}

/// Numbers, types and indices are what a parser believes: every value of each of their bytes, in every level.
#[test]
fn no_byte_of_a_header_makes_another_signature_or_a_panic() {
    let engine = engines()[0];
    let mut tried = 0;
    for (vector, key) in parsed(engine) {
        // Large ones are alike; those of one level with few chains, and all with more levels, say everything.
        let levels = vector.signature[3];
        if vector.name.starts_with("XMSS") && vector.signature.len() > 5000
            || levels == 0 && vector.signature.len() > 1500
        {
            continue;
        }
        for at in headers(&vector) {
            for value in 0..=255 {
                let mut signature = vector.signature.clone();
                if core::mem::replace(&mut signature[at], value) == value {
                    continue;
                }
                tried += 1;
                assert!(key.verify(&vector.message, &signature).is_err(), "{}, {value} at {at}", vector.name);
            }
        }
    }
    assert!(tried > 30_000, "{tried}");
}

/// Where numbers stand in a signature.
fn headers(vector: &Vector) -> Vec<usize> {
    if vector.name.starts_with("XMSS") {
        return (0..4).collect();
    }
    let number = |at: usize| u32::from_be_bytes(*vector.signature[at..].first_chunk().unwrap());
    let mut places: Vec<usize> = (0..4).collect();
    let mut at = 4;
    for level in 0..=number(0) {
        let (bytes, chains) = ots(number(at + 4));
        let lms = at + 8 + bytes * (chains + 1);
        places.extend((at..at + 8).chain(lms..lms + 4));
        at = lms + 4 + bytes * (5 * ((number(lms) as usize - 5) % 5) + 5);
        if level < number(0) {
            places.extend(at..at + 8);
            at += 24 + bytes;
        }
    }
    assert_eq!(at, vector.signature.len());
    places
}

/// Bytes of a hash and number of chains of an LM-OTS type, written out a second time.
fn ots(number: u32) -> (usize, usize) {
    let long = [265, 133, 67, 34];
    let short = [200, 101, 51, 26];
    let place = number as usize - 1;
    if (place / 4).is_multiple_of(2) { (32, long[place % 4]) } else { (24, short[place % 4]) }
}

#[test]
fn malformed_public_keys_are_refused() {
    let engine = engines()[0];
    let refused = |key: &[u8]| matches!((engine.stateful.hss_public)(key), Err(CryptoError::InvalidKey(_)));
    let key = vectors(HSS).remove(0).public;
    for bytes in 0..key.len() {
        assert!(refused(&key[..bytes]), "{bytes}");
    }
    assert!(refused(&[&key[..], &[0]].concat()));
    // Levels 0 and 9, unknown types, and types of two families.
    for (at, value) in [(3, 0), (3, 9), (0, 1), (7, 0), (7, 4), (7, 10), (7, 25), (11, 0), (11, 5), (11, 17), (4, 0xff)]
    {
        let mut key = key.clone();
        key[at] = value;
        assert!(refused(&key), "{value} at {at}");
    }
    for vector in vectors(XMSS) {
        let set = set_of(&vector);
        let refused = |key: &[u8]| matches!((engine.stateful.xmss_public)(set, key), Err(CryptoError::InvalidKey(_)));
        let mut other = vector.public.clone();
        other[3] ^= 1;
        assert!(refused(&other) && refused(&vector.public[1..]) && refused(&[]), "{}", vector.name);
    }
}

#[test]
fn other_implementations_verify_what_is_signed_here() {
    for engine in engines() {
        for types in [&[(5, 4)][..], &[(5, 1)], &[(5, 3), (5, 2)], &[(6, 3), (5, 4), (5, 4)]] {
            let key = (engine.stateful.hss_private)(types, &[0x31; HSS_SEED_BYTES]).unwrap();
            let public = key.public_key().unwrap();
            for index in [0, 1, key.signatures() / 2, key.signatures() - 1] {
                let signature = key.sign(index, b"message").unwrap();
                assert_eq!(signature.len(), key.signature_bytes());
                assert!(hbs_lms::verify::<hbs_lms::Sha256_256>(b"message", &signature, &public).is_ok(), "{types:?}");
                assert!(hbs_lms::verify::<hbs_lms::Sha256_256>(b"messagf", &signature, &public).is_err(), "{types:?}");
            }
        }
    }
}

#[test]
fn every_pair_of_types_signs_what_verifies() {
    let engine = engines()[0];
    for lmots in 1..17 {
        let types = [(5 + (lmots - 1) / 4 * 5, lmots); 2];
        let key = (engine.stateful.hss_private)(&types, &[0x32; HSS_SEED_BYTES]).unwrap();
        let public = (engine.stateful.hss_public)(&key.public_key().unwrap()).unwrap();
        for index in [0, 1023] {
            assert_eq!(public.verify(b"message", &key.sign(index, b"message").unwrap()), Ok(()), "{lmots}");
        }
    }
}

/// Both make the same key of the same seeds, the same first signature, and verify each other's.
fn agrees<P: XmssParameter>(set: Option<XmssSet>) {
    let engine = engines()[0];
    let set = set.unwrap();
    let seeds: Vec<u8> = (0..).take(P::SEED_LEN).collect();
    let mut theirs = KeyPair::<P>::from_seed(&seeds).unwrap();
    let ours = (engine.stateful.xmss_private)(set, &seeds).unwrap();
    assert_eq!(ours.public_key().unwrap(), theirs.verifying_key().as_ref(), "{}", P::NAME);
    let public = (engine.stateful.xmss_public)(set, theirs.verifying_key().as_ref()).unwrap();
    for index in 0..2 {
        let signature = ours.sign(index, b"message").unwrap();
        assert_eq!(signature, theirs.signing_key().sign_detached(b"message").unwrap().as_ref(), "{}", P::NAME);
        assert_eq!(public.verify(b"message", &signature), Ok(()), "{}", P::NAME);
    }
    for index in [ours.signatures() / 3, ours.signatures() - 1] {
        let signature = ours.sign(index, b"message").unwrap();
        assert_eq!((signature.len(), set.signature_bytes()), (P::SIG_LEN, P::SIG_LEN), "{}", P::NAME);
        assert_eq!(public.verify(b"message", &signature), Ok(()), "{}", P::NAME);
        let signature = DetachedSignature::<P>::try_from(signature).unwrap();
        assert!(theirs.verifying_key().verify_detached(&signature, b"message").is_ok(), "{}", P::NAME);
    }
    assert!(matches!(ours.sign(ours.signatures(), b""), Err(CryptoError::InputRange)));
}

#[test]
fn another_implementation_of_xmss_agrees() {
    agrees::<xmss::XmssSha2_10_256>(XmssSet::xmss(0x01));
    agrees::<xmss::XmssSha2_10_192>(XmssSet::xmss(0x0d));
    // Trees of height 5 in every family but the slowest, SHAKE256 with 64 bytes, of which there is a published signature.
    agrees::<xmss::XmssMtSha2_20_4_256>(XmssSet::xmss_mt(0x02));
    agrees::<xmss::XmssMtSha2_60_12_256>(XmssSet::xmss_mt(0x08));
    agrees::<xmss::XmssMtSha2_20_4_512>(XmssSet::xmss_mt(0x0a));
    agrees::<xmss::XmssMtShake_20_4_256>(XmssSet::xmss_mt(0x12));
    agrees::<xmss::XmssMtSha2_20_4_192>(XmssSet::xmss_mt(0x22));
    agrees::<xmss::XmssMtShake256_20_4_256>(XmssSet::xmss_mt(0x2a));
    agrees::<xmss::XmssMtShake256_20_4_192>(XmssSet::xmss_mt(0x32));
}
