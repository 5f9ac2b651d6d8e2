//! C_UnwrapKey of wrapped keys that are wrong in one way or another.
//!
//! Owns: composing AES key wrap (RFC 3394, RFC 5649) with chosen faults from the block cipher of the module itself. All of them are
//! refused with the same answer. RSA is in `rsa.rs`.

use crate::compare::{Budget, Class, Outcome, Told, compare, timed};
use crate::symmetric::{bad_paddings, started};
use perilune_tests::ck::*;
use perilune_tests::raw::{input, plain, with_bytes};
use perilune_tests::{Dice, Place, Raw, Template, ck};
use std::time::Duration;

const SEMIBLOCK: usize = 8;
const BLOCK: usize = 16;
/// The initial value of KWP, before the length.
const KWP_INITIAL: [u8; 4] = [0xA6, 0x59, 0x59, 0xA6];

pub fn measure_cbc_pad(_place: &Place, budget: Budget) -> Vec<Outcome> {
    let (raw, session) = started();
    let key = raw.aes(session, 32);
    let mut iv = [9; BLOCK];
    let classes = bad_paddings(&raw, session, key, &mut iv);
    let door = Unwrapping::new(&raw, session, key);
    let call = |wrapped: &[u8]| door.refused(&mut with_bytes(CKM_AES_CBC_PAD, &mut iv), wrapped);
    let outcomes = compare("AES-CBC-PAD C_UnwrapKey", budget, Told::Nothing, &classes, call);
    raw.finalize();
    outcomes
}

pub fn measure_key_wrap_pad(_place: &Place, budget: Budget) -> Vec<Outcome> {
    let (raw, session) = started();
    let key = raw.aes(session, 32);
    let mut dice = Dice::new(7);
    let door = Unwrapping::new(&raw, session, key);
    // 33 bytes of a key and seven of padding in five semiblocks.
    let mut class = |name, fault: &dyn Fn(&mut [u8], &mut Dice)| {
        let mut one = || {
            let mut work = vec![0; 6 * SEMIBLOCK];
            work[..4].copy_from_slice(&KWP_INITIAL);
            work[7] = 33;
            work[8..41].iter_mut().for_each(|byte| *byte = dice.number() as u8);
            fault(&mut work, &mut dice);
            door.wrap(&work)
        };
        Class { name, inputs: (0..budget.inputs()).map(|_| one()).collect() }
    };
    let right = class("right", &|_, _| {});
    let classes = [
        class("initial value wrong at its begin", &|work, dice| work[0] ^= 1 + dice.below(255) as u8),
        class("initial value wrong at its end", &|work, dice| work[3] ^= 1 + dice.below(255) as u8),
        class("length too small", &|work, dice| work[7] = dice.below(33) as u8),
        class("length too large", &|work, dice| work[7] = 41 + dice.below(200) as u8),
        class("length far too large", &|work, dice| work[4] = 1 + dice.below(255) as u8),
        class("first byte of the padding wrong", &|work, dice| work[41] = 1 + dice.below(255) as u8),
        class("last byte of the padding wrong", &|work, dice| work[47] = 1 + dice.below(255) as u8),
    ];
    assert_eq!(door.unwrap(&mut plain(CKM_AES_KEY_WRAP_KWP), &right.inputs[0]).0, CKR_OK, "the wrapping of this test");
    let call = |wrapped: &[u8]| door.refused(&mut plain(CKM_AES_KEY_WRAP_KWP), wrapped);
    let outcomes = compare("AES-KWP C_UnwrapKey", budget, Told::Nothing, &classes, call);
    raw.finalize();
    outcomes
}

pub fn measure_key_wrap(_place: &Place, budget: Budget) -> Vec<Outcome> {
    let (raw, session) = started();
    let key = raw.aes(session, 32);
    let mut dice = Dice::new(8);
    let door = Unwrapping::new(&raw, session, key);
    let mut class = |name, wrong: Option<usize>| {
        let mut one = || {
            let mut work = vec![0xA6; 5 * SEMIBLOCK];
            work[SEMIBLOCK..].iter_mut().for_each(|byte| *byte = dice.number() as u8);
            if let Some(place) = wrong {
                work[place] ^= 1 + dice.below(255) as u8;
            }
            door.wrap(&work)
        };
        Class { name, inputs: (0..budget.inputs()).map(|_| one()).collect() }
    };
    let right = class("right", None);
    let classes = [
        class("initial value wrong at its begin", Some(0)),
        class("initial value wrong at its end", Some(SEMIBLOCK - 1)),
        class("initial value wrong at its begin, again", Some(0)),
    ];
    assert_eq!(door.unwrap(&mut plain(CKM_AES_KEY_WRAP), &right.inputs[0]).0, CKR_OK, "the wrapping of this test");
    let call = |wrapped: &[u8]| door.refused(&mut plain(CKM_AES_KEY_WRAP), wrapped);
    let outcomes = compare("AES-KW C_UnwrapKey", budget, Told::Nothing, &classes, call);
    raw.finalize();
    outcomes
}

/// A session with an AES key that unwraps generic secrets.
struct Unwrapping<'a> {
    raw: &'a Raw,
    session: CK_SESSION_HANDLE,
    key: CK_OBJECT_HANDLE,
}

impl<'a> Unwrapping<'a> {
    fn new(raw: &'a Raw, session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) -> Self {
        Self { raw, session, key }
    }

    /// W of RFC 3394, 2.2.1, of an initial semiblock and the others, whatever they are.
    fn wrap(&self, work: &[u8]) -> Vec<u8> {
        let (mut initial, mut rest) = (work[..SEMIBLOCK].to_vec(), work[SEMIBLOCK..].to_vec());
        let count = rest.len() / SEMIBLOCK;
        for step in 0..6 * count {
            let place = step % count * SEMIBLOCK..(step % count + 1) * SEMIBLOCK;
            let block = [&initial[..], &rest[place.clone()]].concat();
            let block = self.raw.encrypt(self.session, plain(CKM_AES_ECB), self.key, &block).expect("a block");
            initial.copy_from_slice(&block[..SEMIBLOCK]);
            initial.iter_mut().zip((step as u64 + 1).to_be_bytes()).for_each(|(byte, part)| *byte ^= part);
            rest[place].copy_from_slice(&block[SEMIBLOCK..]);
        }
        [initial, rest].concat()
    }

    fn unwrap(&self, mechanism: &mut CK_MECHANISM, wrapped: &[u8]) -> (CK_RV, Duration) {
        let mut template = Template::new()
            .number(CKA_CLASS, CKO_SECRET_KEY)
            .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
            .flag(CKA_TOKEN, false);
        let mut list = template.attributes();
        let ((data, length), mut made) = (input(wrapped), 0);
        let (entries, count) = (list.as_mut_ptr(), list.len() as CK_ULONG);
        let (raw, session, key) = (self.raw, self.session, self.key);
        timed(|| ck!(raw, C_UnwrapKey, session, mechanism, key, data, length, entries, count, &mut made))
    }

    fn refused(&self, mechanism: &mut CK_MECHANISM, wrapped: &[u8]) -> Duration {
        let (code, took) = self.unwrap(mechanism, wrapped);
        assert_eq!(code, CKR_WRAPPED_KEY_INVALID);
        took
    }
}
