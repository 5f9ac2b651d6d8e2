//! Differential tests of ciphers and their MACs: every engine gives the same bytes, in one part and in many, and CCM
//! those of the `ccm` crate.

#![allow(clippy::unwrap_used, reason = "the lint knows test functions, and not what they share")]

mod common;

use ccm::aead::array::typenum::Unsigned;
use ccm::aead::{AeadInOut, KeyInit};
use ccm::consts::{U4, U7, U8, U12, U13, U16};
use common::{engines, random_bytes};
use hsm_crypto::cipher::{AeadParams, CcmParams, DesMode, Direction, Mode, StreamCipher};
use hsm_crypto::hash::CipherMac;
use hsm_crypto::{CryptoError, Provider, Result, SymmetricKey, portable};

/// Sizes of parts that cross block boundaries in every way.
const PARTS: [usize; 7] = [1, 15, 16, 17, 0, 33, 64];
const LENGTHS: [usize; 12] = [16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 1000];

fn parts(data: &[u8]) -> Vec<&[u8]> {
    let (mut parts, mut rest) = (Vec::new(), data);
    for size in PARTS.iter().cycle() {
        if rest.is_empty() {
            return parts;
        }
        let (part, left) = rest.split_at(rest.len().min(*size));
        parts.push(part);
        rest = left;
    }
    parts
}

fn cipher(engine: &Provider, mode: &Mode, direction: Direction, key: &[u8], parts: &[&[u8]]) -> Result<Vec<u8>> {
    let mut cipher = (engine.cipher)(mode, direction, &SymmetricKey::copy_of(key))?;
    let mut out = Vec::new();
    for part in parts {
        cipher.update(part, &mut out)?;
    }
    cipher.finish(&mut out)?;
    Ok(out)
}

fn aead(
    engine: &Provider,
    params: &AeadParams<'_>,
    direction: Direction,
    key: &[u8],
    parts: &[&[u8]],
) -> Result<Vec<u8>> {
    let mut aead = (engine.aead)(params, direction, &SymmetricKey::copy_of(key))?;
    let mut out = Vec::new();
    for part in parts {
        aead.update(part, &mut out)?;
    }
    aead.finish(&mut out)?;
    Ok(out)
}

#[test]
fn every_engine_gives_the_same_ciphertext_in_one_part_and_in_many() {
    let iv = *b"sixteen bytes iv";
    let eight = *b"8 bytes!";
    let modes: [(Mode, &[usize]); 15] = [
        (Mode::Cfb1 { iv }, &[16, 24, 32]),
        (Mode::Cfb64 { iv }, &[16, 24, 32]),
        (Mode::Ofb { iv }, &[16, 24, 32]),
        (Mode::Cfb8 { iv }, &[16, 24, 32]),
        (Mode::Cfb128 { iv }, &[16, 24, 32]),
        (Mode::CbcCs1 { iv }, &[16, 24, 32]),
        (Mode::Xts { tweak: iv }, &[32, 64]),
        (Mode::TripleDes(DesMode::CbcPad { iv: eight }), &[24]),
        (Mode::Stream(StreamCipher::ChaCha20 { block: 1, nonce: [7; 12] }), &[32]),
        (Mode::Stream(StreamCipher::ChaCha20Original { block: u64::from(u32::MAX), nonce: eight }), &[32]),
        (Mode::Stream(StreamCipher::XChaCha20 { block: 9, nonce: [7; 24] }), &[32]),
        (Mode::Stream(StreamCipher::Salsa20 { block: 1 << 40, nonce: eight }), &[32]),
        (Mode::Stream(StreamCipher::XSalsa20 { block: 3, nonce: [7; 24] }), &[32]),
        (Mode::CbcPad { iv }, &[16, 24, 32]),
        (Mode::Ctr { block: iv, counter_bits: 128 }, &[16, 24, 32]),
    ];
    for (mode, key_lengths) in modes {
        for key_bytes in key_lengths {
            let key = random_bytes(*key_bytes);
            for bytes in LENGTHS {
                let plain = random_bytes(bytes);
                let expect = cipher(portable(), &mode, Direction::Encrypt, &key, &[&plain]).unwrap();
                for engine in engines() {
                    let place = format!("{}, {mode:?}, {key_bytes}, {bytes}", engine.name);
                    let sealed = cipher(engine, &mode, Direction::Encrypt, &key, &parts(&plain)).unwrap();
                    assert_eq!(sealed, expect, "{place}");
                    for opened in [&parts(&sealed)[..], &[&sealed]] {
                        assert_eq!(cipher(engine, &mode, Direction::Decrypt, &key, opened).unwrap(), plain, "{place}");
                    }
                }
            }
        }
    }
}

#[test]
fn keys_of_another_length_are_refused() {
    let iv = [0; 16];
    let wrong: [(Mode, &[usize]); 8] = [
        (Mode::Cfb1 { iv }, &[8, 64]),
        (Mode::Cfb64 { iv }, &[8, 64]),
        (Mode::Ofb { iv }, &[0, 15, 33]),
        (Mode::Cfb128 { iv }, &[8, 64]),
        (Mode::CbcCs1 { iv }, &[8, 64]),
        (Mode::Xts { tweak: iv }, &[16, 48, 63, 65]),
        (Mode::TripleDes(DesMode::Ecb), &[8, 16, 25]),
        (Mode::Stream(StreamCipher::Salsa20 { block: 0, nonce: [0; 8] }), &[16, 31, 33]),
    ];
    for engine in engines() {
        for (mode, lengths) in &wrong {
            for bytes in *lengths {
                let outcome = cipher(engine, mode, Direction::Encrypt, &random_bytes(*bytes), &[]);
                assert!(matches!(outcome, Err(CryptoError::InvalidKey(_))), "{}, {mode:?}, {bytes}", engine.name);
            }
        }
        for (bytes, equal) in [(32, [7; 64]), (64, [7; 64])] {
            let outcome = cipher(engine, &Mode::Xts { tweak: iv }, Direction::Encrypt, &equal[..bytes], &[]);
            assert!(matches!(outcome, Err(CryptoError::InvalidKey(_))), "equal halves");
        }
        for mac in [CipherMac::AesXcbc, CipherMac::Poly1305, CipherMac::TripleDesCmac, CipherMac::TripleDesCbc] {
            assert!(matches!(
                (engine.cipher_mac)(&mac, &SymmetricKey::copy_of(&[1; 17])),
                Err(CryptoError::InvalidKey(_))
            ));
        }
    }
}

#[test]
fn every_engine_gives_the_same_tag_in_one_part_and_in_many() {
    let macs: [(CipherMac<'_>, &[usize]); 7] = [
        (CipherMac::Gmac { iv: b"twelve bytes" }, &[16, 24, 32]),
        (CipherMac::Gmac { iv: b"another length of an iv" }, &[16, 24, 32]),
        (CipherMac::AesCbc, &[16, 24, 32]),
        (CipherMac::AesXcbc, &[16]),
        (CipherMac::TripleDesCmac, &[24]),
        (CipherMac::TripleDesCbc, &[24]),
        (CipherMac::Poly1305, &[32]),
    ];
    for (mac, key_lengths) in macs {
        for key_bytes in key_lengths {
            let key = SymmetricKey::copy_of(&random_bytes(*key_bytes));
            for bytes in [0, 1, 15].into_iter().chain(LENGTHS) {
                let message = random_bytes(bytes);
                let tag = |engine: &Provider, parts: &[&[u8]]| {
                    let mut running = (engine.cipher_mac)(&mac, &key).unwrap();
                    parts.iter().for_each(|part| running.update(part).unwrap());
                    let tag = running.finish().unwrap();
                    assert_eq!(tag.len(), running.tag_bytes());
                    assert!(running.update(b"more").is_err(), "it is over");
                    tag
                };
                let expect = tag(portable(), &[&message]);
                for engine in engines() {
                    assert_eq!(tag(engine, &parts(&message)), expect, "{}, {mac:?}, {bytes}", engine.name);
                }
            }
        }
    }
}

/// Holds CCM against the crate's, which has the lengths of tag and nonce in its type.
macro_rules! check_ccm {
    ($tag:ty, $nonce:ty) => {
        let (tag_bytes, nonce_bytes) = (<$tag>::USIZE, <$nonce>::USIZE);
        let (key, nonce) = (random_bytes(32), random_bytes(nonce_bytes));
        // Associated data around the place where its length gets a longer field.
        for (aad_bytes, bytes) in [(0, 0), (0, 33), (1, 16), (14, 1), (0xFEFF, 40), (0xFF00, 40), (70_000, 200)] {
            let (aad, plain) = (random_bytes(aad_bytes), random_bytes(bytes));
            let reference = ccm::Ccm::<aes::Aes256, $tag, $nonce>::new_from_slice(&key).unwrap();
            let mut expect = plain.clone();
            let nonce_array = nonce.as_slice().try_into().unwrap();
            let tag = reference.encrypt_inout_detached(nonce_array, &aad, expect.as_mut_slice().into()).unwrap();
            expect.extend_from_slice(&tag);
            let params =
                AeadParams::Ccm(CcmParams { nonce: &nonce, aad: &aad, tag_bytes, message_bytes: bytes as u64 });
            for engine in engines() {
                let sealed = aead(engine, &params, Direction::Encrypt, &key, &parts(&plain)).unwrap();
                assert_eq!(sealed, expect, "{}, {nonce_bytes}, {tag_bytes}, {aad_bytes}, {bytes}", engine.name);
                assert_eq!(aead(engine, &params, Direction::Decrypt, &key, &parts(&sealed)).unwrap(), plain);
            }
        }
    };
}

#[test]
fn ccm_is_what_the_crate_of_that_name_computes() {
    check_ccm!(U16, U13);
    check_ccm!(U8, U12);
    check_ccm!(U4, U7);
}

#[test]
fn chacha20_poly1305_is_the_same_in_every_engine_and_notices_each_change() {
    for nonce_bytes in [12, 24] {
        let (key, nonce) = (random_bytes(32), random_bytes(nonce_bytes));
        for (aad_bytes, bytes) in [(0, 0), (0, 1), (1, 0), (16, 16), (17, 63), (5, 64), (33, 1000)] {
            let (aad, plain) = (random_bytes(aad_bytes), random_bytes(bytes));
            let params = AeadParams::ChaCha20Poly1305 { nonce: &nonce, aad: &aad };
            let expect = aead(portable(), &params, Direction::Encrypt, &key, &[&plain]).unwrap();
            for engine in engines() {
                let sealed = aead(engine, &params, Direction::Encrypt, &key, &parts(&plain)).unwrap();
                assert_eq!(sealed, expect, "{}", engine.name);
                assert_eq!(aead(engine, &params, Direction::Decrypt, &key, &parts(&sealed)).unwrap(), plain);
                for place in [0, sealed.len() / 2, sealed.len() - 1] {
                    let mut changed = sealed.clone();
                    changed[place] ^= 1;
                    let outcome = aead(engine, &params, Direction::Decrypt, &key, &[&changed]);
                    assert_eq!(outcome, Err(CryptoError::DecryptionFailed), "{place}");
                }
            }
        }
    }
}
