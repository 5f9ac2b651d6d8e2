//! Running ciphers and MACs go on from what they tell of themselves, in the same engine and in the other one.

#![allow(clippy::unwrap_used, reason = "helpers of tests may end the test")]

use hsm_crypto::cipher::{Cipher, DesMode, Direction, Mode};
use hsm_crypto::hash::{CipherMac, Mac};
use hsm_crypto::secret::SecretBox;
use hsm_crypto::{CryptoError, Hash, Provider, SymmetricKey, portable, preferred};

const IV: [u8; 16] = *b"an IV of a block";

/// Long enough for what is held back, chained, and skipped; every length of the first blocks and some beyond.
const CUTS: [usize; 17] = [0, 1, 7, 8, 15, 16, 17, 24, 31, 32, 33, 47, 48, 63, 64, 100, 512];

fn message() -> Vec<u8> {
    (0..=255).cycle().take(640).collect()
}

fn modes(iv: &[u8]) -> Vec<(Mode, usize)> {
    let long = || iv.try_into().unwrap_or(IV);
    let short = || iv[..8].try_into().unwrap();
    vec![
        (Mode::Ecb, 32),
        (Mode::Cbc { iv: long() }, 32),
        (Mode::CbcPad { iv: long() }, 16),
        (Mode::CbcCs1 { iv: long() }, 24),
        (Mode::Ctr { block: long(), counter_bits: 128 }, 32),
        (Mode::Ctr { block: long(), counter_bits: 8 }, 32),
        (Mode::Ofb { iv: long() }, 32),
        (Mode::Cfb8 { iv: long() }, 24),
        (Mode::Cfb128 { iv: long() }, 16),
        (Mode::Cfb1 { iv: long() }, 16),
        (Mode::Cfb64 { iv: long() }, 16),
        (Mode::TripleDes(DesMode::Ecb), 24),
        (Mode::TripleDes(DesMode::Cbc { iv: short() }), 24),
        (Mode::TripleDes(DesMode::CbcPad { iv: short() }), 24),
    ]
}

fn start(engine: &Provider, place: usize, iv: &[u8], direction: Direction) -> SecretBox<dyn Cipher> {
    let (mode, key_bytes) = modes(iv).swap_remove(place);
    let key = SymmetricKey::new(hsm_crypto::SecretBytes::new((1..=key_bytes as u8).collect()));
    (engine.cipher)(&mode, direction, &key).unwrap()
}

#[test]
fn a_cipher_goes_on_from_its_position_wherever_it_was_cut() {
    for (place, (mode, _)) in modes(&IV).iter().enumerate() {
        for (one, other) in [(portable(), preferred()), (preferred(), portable()), (preferred(), preferred())] {
            let mut input = message();
            for direction in [Direction::Encrypt, Direction::Decrypt] {
                let mut whole = Vec::new();
                let mut running = start(one, place, &IV, direction);
                running.update(&input, &mut whole).unwrap();
                running.finish(&mut whole).unwrap();
                for cut in CUTS {
                    // Taken in by two parts, so that what is remembered comes from both.
                    let mut running = start(one, place, &IV, direction);
                    let mut out = Vec::new();
                    running.update(&input[..cut / 3], &mut out).unwrap();
                    running.update(&input[cut / 3..cut], &mut out).unwrap();
                    // What was gone on with can be gone on with again.
                    let mut iv = IV.to_vec();
                    for _ in 0..2 {
                        let position = running.position().unwrap();
                        iv = position.register.unwrap_or(iv);
                        running = start(other, place, &iv, direction);
                        running.update(position.lead.expose(), &mut Vec::new()).unwrap();
                    }
                    running.update(&input[cut..], &mut out).unwrap();
                    running.finish(&mut out).unwrap();
                    assert!(out == whole, "{mode:?}, {direction:?}, cut at {cut}");
                }
                input = whole;
            }
        }
    }
}

#[test]
fn a_counter_that_is_used_up_stays_so() {
    let mode = Mode::Ctr { block: IV, counter_bits: 1 };
    let key = SymmetricKey::copy_of(&[7; 16]);
    for engine in [portable(), preferred()] {
        // The IV ends with a `k`, 0x6B: its last bit is set, so one block is left.
        let mut running = (engine.cipher)(&mode, Direction::Encrypt, &key).unwrap();
        running.update(&[0; 16], &mut Vec::new()).unwrap();
        let position = running.position().unwrap();
        let block = position.register.unwrap().try_into().unwrap();
        let mut resumed = (engine.cipher)(&Mode::Ctr { block, counter_bits: 1 }, Direction::Encrypt, &key).unwrap();
        resumed.update(position.lead.expose(), &mut Vec::new()).unwrap();
        assert_eq!(resumed.update(&[0], &mut Vec::new()), Err(CryptoError::InputLength));
    }
}

#[test]
fn what_cannot_be_gone_on_with_says_so() {
    let key = SymmetricKey::new(hsm_crypto::SecretBytes::new((0..64).collect()));
    for engine in [portable(), preferred()] {
        let running = (engine.cipher)(&Mode::Xts { tweak: IV }, Direction::Encrypt, &key).unwrap();
        assert!(running.position().is_none());
        let mut gmac =
            (engine.cipher_mac)(&CipherMac::Gmac { iv: &IV[..12] }, &SymmetricKey::copy_of(&[7; 16])).unwrap();
        gmac.update(b"abc").unwrap();
        assert!(gmac.save().is_none());
        assert!(gmac.resume(&[0; 16]).is_err());
    }
}

type StartMac = Box<dyn Fn(&Provider) -> SecretBox<dyn Mac>>;

/// MACs whose state can be told, with the engine that can.
fn macs() -> Vec<(StartMac, &'static Provider)> {
    let key = |bytes: usize| SymmetricKey::new(hsm_crypto::SecretBytes::new((0..bytes as u8).collect()));
    let mut macs: Vec<(StartMac, &'static Provider)> = Vec::new();
    for hash in Hash::ALL {
        if (portable().digest)(hash).is_resumable() {
            macs.push((Box::new(move |engine| (engine.hmac)(hash, &key(40)).unwrap()), portable()));
        }
    }
    macs.push((Box::new(move |engine| (engine.cipher_mac)(&CipherMac::AesXcbc, &key(16)).unwrap()), preferred()));
    for bytes in [16, 24, 32] {
        macs.push((Box::new(move |engine| (engine.cmac)(&key(bytes)).unwrap()), preferred()));
    }
    macs
}

#[test]
fn a_mac_goes_on_from_its_state_wherever_it_was_cut() {
    let message = message();
    for (start, engine) in macs() {
        if start(engine).save().is_none() {
            // The portable engine's CMAC is that of a crate that does not tell.
            assert_eq!((engine.name, cfg!(feature = "aws-lc")), (portable().name, false));
            continue;
        }
        let mut whole = start(engine);
        whole.update(&message).unwrap();
        let tag = whole.finish().unwrap();
        for cut in CUTS {
            let mut running = start(engine);
            running.update(&message[..cut / 3]).unwrap();
            running.update(&message[cut / 3..cut]).unwrap();
            let state = running.save().unwrap();
            let mut resumed = start(engine);
            resumed.resume(state.expose()).unwrap();
            resumed.update(&message[cut..]).unwrap();
            assert_eq!(resumed.finish().unwrap(), tag, "cut at {cut}");
            running.update(&message[cut..]).unwrap();
            assert_eq!(running.finish().unwrap(), tag, "to save a state changes nothing");
            assert!(running.save().is_none(), "it is over");
            for bad in [&[][..], &state.expose()[..1], &[state.expose(), &[0; 17]].concat()] {
                assert!(start(engine).resume(bad).is_err());
            }
        }
    }
}
