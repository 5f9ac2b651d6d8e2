//! RSA decryption of encoded messages that are wrong in one way or another, or right.
//!
//! Owns: encoding (RFC 8017, 7.1.1 and 7.2.1) with chosen faults; the module itself raises to the public exponent, and digests.
//! A plaintext that comes out has a length; right messages have random ones, because those that implicit rejection
//! makes up have, too.

use crate::compare::{Budget, Class, Outcome, Told, compare, timed};
use crate::symmetric::started;
use perilune_tests::ck::*;
use perilune_tests::raw::{input, plain, with};
use perilune_tests::{Dice, Place, Raw, Template, ck};
use std::ptr::null_mut;

const MODULUS_BYTES: usize = 256;

/// A token with an RSA pair, and what makes inputs.
struct Bench {
    raw: Raw,
    session: CK_SESSION_HANDLE,
    public: CK_OBJECT_HANDLE,
    private: CK_OBJECT_HANDLE,
    dice: Dice,
    /// How many inputs a class gets.
    inputs: usize,
}

impl Bench {
    fn new(budget: Budget) -> Self {
        let (raw, session) = started();
        let (public, private) = raw.rsa(session);
        Self { raw, session, public, private, dice: Dice::new(6), inputs: budget.inputs() }
    }

    /// Ciphertexts of messages that `encode` makes and that decrypt to something with `mechanism`, or to an error.
    fn class(
        &mut self,
        name: &'static str,
        mechanism: &mut CK_MECHANISM,
        mut encode: impl FnMut(&Self, &mut Dice) -> Vec<u8>,
    ) -> Class {
        let mut inputs = Vec::new();
        while inputs.len() < self.inputs {
            let mut dice = self.dice.clone();
            let encoded = encode(self, &mut dice);
            self.dice = dice;
            assert_eq!(encoded.len(), MODULUS_BYTES);
            let ciphertext = self.raw.encrypt(self.session, plain(CKM_RSA_X_509), self.public, &encoded);
            let ciphertext = ciphertext.expect("a ciphertext");
            // No key can be unwrapped from nothing, and that answer comes sooner.
            if self.decrypt(mechanism, &ciphertext).0 != Ok(0) {
                inputs.push(ciphertext);
            }
        }
        Class { name, inputs }
    }

    fn decrypt(&self, mechanism: &mut CK_MECHANISM, ciphertext: &[u8]) -> (Result<usize, CK_RV>, std::time::Duration) {
        assert_eq!(ck!(self.raw, C_DecryptInit, self.session, mechanism, self.private), CKR_OK);
        let mut out = [0; MODULUS_BYTES];
        let ((data, length), mut room) = (input(ciphertext), out.len() as CK_ULONG);
        let (code, took) = timed(|| ck!(self.raw, C_Decrypt, self.session, data, length, out.as_mut_ptr(), &mut room));
        (if code == CKR_OK { Ok(room as usize) } else { Err(code) }, took)
    }

    fn pkcs1_classes(&mut self) -> [Class; 5] {
        let mut pkcs1 = plain(CKM_RSA_PKCS);
        let mut class = |name, fault: fn(&mut [u8], &mut Dice)| {
            self.class(name, &mut pkcs1, |_, dice| {
                let mut encoded = pkcs1_encoded(dice);
                fault(&mut encoded, dice);
                encoded
            })
        };
        [
            class("right", |_, _| {}),
            class("first byte 1", |encoded, _| encoded[0] = 1),
            class("second byte wrong", |encoded, dice| encoded[1] = 3 + dice.below(253) as u8),
            class("padding too short", |encoded, dice| encoded[2 + dice.below(8) as usize] = 0),
            class("no separator", |encoded, _| encoded[2..].iter_mut().for_each(|byte| *byte |= 1)),
        ]
    }

    fn sha1(&self, parts: &[&[u8]]) -> [u8; 20] {
        let (mut mechanism, text, mut out) = (plain(CKM_SHA_1), parts.concat(), [0; 20]);
        assert_eq!(ck!(self.raw, C_DigestInit, self.session, &mut mechanism), CKR_OK);
        let ((data, length), mut room) = (input(&text), 20);
        assert_eq!(ck!(self.raw, C_Digest, self.session, data, length, out.as_mut_ptr(), &mut room), CKR_OK);
        out
    }

    /// Combines `data` with MGF1 of `seed`.
    fn mask(&self, seed: &[u8], data: &mut [u8]) {
        for (counter, chunk) in (0_u32..).zip(data.chunks_mut(20)) {
            let mask = self.sha1(&[seed, &counter.to_be_bytes()]);
            chunk.iter_mut().zip(mask).for_each(|(byte, part)| *byte ^= part);
        }
    }

    /// EME-OAEP with SHA-1 of a message of 32 bytes; `fault` changes the data block before it is masked.
    fn oaep_encoded(&self, dice: &mut Dice, first: u8, fault: fn(&mut [u8], &mut Dice)) -> Vec<u8> {
        let mut block = vec![0; MODULUS_BYTES - 21];
        block[..20].copy_from_slice(&self.sha1(&[]));
        let start = block.len() - 33;
        block[start] = 1;
        random(dice, &mut block[start + 1..]);
        fault(&mut block, dice);
        let mut seed = [0; 20];
        random(dice, &mut seed);
        self.mask(&seed, &mut block);
        self.mask(&block, &mut seed);
        [&[first], &seed[..], &block].concat()
    }

    fn oaep_classes(&mut self, oaep: &mut CK_MECHANISM) -> [Class; 5] {
        let right = self.class("right", oaep, |bench, dice| bench.oaep_encoded(dice, 0, |_, _| {}));
        assert_eq!(self.decrypt(oaep, &right.inputs[0]).0, Ok(32), "the encoding of this test");
        let mut class = |name, first, fault: fn(&mut [u8], &mut Dice)| {
            self.class(name, oaep, |bench, dice| bench.oaep_encoded(dice, first, fault))
        };
        [
            class("first octet 1", 1, |_, _| {}),
            class("hash wrong at its begin", 0, |block, dice| block[0] ^= 1 + dice.below(255) as u8),
            class("hash wrong at its end", 0, |block, dice| block[19] ^= 1 + dice.below(255) as u8),
            class("wrong byte before the separator", 0, |block, dice| {
                let place = 20 + dice.below(150) as usize;
                block[place] = 2 + dice.below(254) as u8;
            }),
            class("no separator", 0, |block, _| block[20..].fill(0)),
        ]
    }

    /// C_UnwrapKey of a generic secret; what comes out is destroyed.
    fn unwrap(&self, mechanism: &mut CK_MECHANISM, wrapped: &[u8]) -> (CK_RV, std::time::Duration) {
        let mut template = Template::new()
            .number(CKA_CLASS, CKO_SECRET_KEY)
            .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
            .flag(CKA_TOKEN, false);
        let mut list = template.attributes();
        let ((data, length), mut key) = (input(wrapped), 0);
        let (entries, count) = (list.as_mut_ptr(), list.len() as CK_ULONG);
        let (raw, session, private) = (&self.raw, self.session, self.private);
        let (code, took) =
            timed(|| ck!(raw, C_UnwrapKey, session, mechanism, private, data, length, entries, count, &mut key));
        if code == CKR_OK {
            assert_eq!(raw.destroy(session, key), Ok(()));
        }
        (code, took)
    }
}

pub fn measure_pkcs1(_place: &Place, budget: Budget) -> Vec<Outcome> {
    let mut bench = Bench::new(budget);
    let classes = bench.pkcs1_classes();
    let mut pkcs1 = plain(CKM_RSA_PKCS);
    let call = |ciphertext: &[u8]| bench.decrypt(&mut pkcs1, ciphertext).1;
    let outcomes = compare("RSA PKCS#1 C_Decrypt", budget, Told::Nothing, &classes, call);
    bench.raw.finalize();
    outcomes
}

pub fn measure_pkcs1_unwrap(_place: &Place, budget: Budget) -> Vec<Outcome> {
    let mut bench = Bench::new(budget);
    let classes = bench.pkcs1_classes();
    let mut pkcs1 = plain(CKM_RSA_PKCS);
    let call = |wrapped: &[u8]| bench.unwrap(&mut pkcs1, wrapped).1;
    let outcomes = compare("RSA PKCS#1 C_UnwrapKey", budget, Told::Nothing, &classes, call);
    bench.raw.finalize();
    outcomes
}

pub fn measure_oaep(_place: &Place, budget: Budget) -> Vec<Outcome> {
    let mut bench = Bench::new(budget);
    let mut parameters = sha1_oaep();
    let mut oaep = with(CKM_RSA_PKCS_OAEP, &mut parameters);
    let classes = bench.oaep_classes(&mut oaep);
    let call = |ciphertext: &[u8]| {
        let (answer, took) = bench.decrypt(&mut oaep, ciphertext);
        assert!(answer.is_err(), "a wrong encoding");
        took
    };
    let outcomes = compare("RSA OAEP C_Decrypt", budget, Told::Nothing, &classes, call);
    bench.raw.finalize();
    outcomes
}

pub fn measure_oaep_unwrap(_place: &Place, budget: Budget) -> Vec<Outcome> {
    let mut bench = Bench::new(budget);
    let mut parameters = sha1_oaep();
    let mut oaep = with(CKM_RSA_PKCS_OAEP, &mut parameters);
    let classes = bench.oaep_classes(&mut oaep);
    let call = |wrapped: &[u8]| {
        let (code, took) = bench.unwrap(&mut oaep, wrapped);
        assert_eq!(code, CKR_WRAPPED_KEY_INVALID);
        took
    };
    let outcomes = compare("RSA OAEP C_UnwrapKey", budget, Told::Nothing, &classes, call);
    bench.raw.finalize();
    outcomes
}

fn sha1_oaep() -> CK_RSA_PKCS_OAEP_PARAMS {
    CK_RSA_PKCS_OAEP_PARAMS {
        hashAlg: CKM_SHA_1,
        mgf: CKG_MGF1_SHA1,
        source: CKZ_DATA_SPECIFIED,
        pSourceData: null_mut(),
        ulSourceDataLen: 0,
    }
}

/// EME-PKCS1-v1_5 of a message of any length but 0.
fn pkcs1_encoded(dice: &mut Dice) -> Vec<u8> {
    let mut encoded = vec![0; MODULUS_BYTES];
    random(dice, &mut encoded);
    encoded[..2].copy_from_slice(&[0, 2]);
    let separator = 10 + dice.below(MODULUS_BYTES as u64 - 11) as usize;
    for byte in &mut encoded[2..separator] {
        *byte = 1 + dice.below(255) as u8;
    }
    encoded[separator] = 0;
    encoded
}

fn random(dice: &mut Dice, bytes: &mut [u8]) {
    bytes.iter_mut().for_each(|byte| *byte = dice.number() as u8);
}
