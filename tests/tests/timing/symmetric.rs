//! AES-CBC with bad padding, and tags that are wrong at one end or the other.
//!
//! Owns: how such inputs are made, by the module itself. All of them are refused with the same answer.

use crate::compare::{Budget, Class, Outcome, Told, compare, timed};
use crate::{leaky, wrong_at};
use perilune_tests::ck::*;
use perilune_tests::raw::{input, plain, with, with_bytes};
use perilune_tests::{Dice, Place, Raw, TOKEN_LABEL, Template, USER_PIN, ck};
use std::ptr::null_mut;

const BLOCK: usize = 16;

pub fn measure_cbc_pad(_place: &Place, budget: Budget) -> Vec<Outcome> {
    let (raw, session) = started();
    let key = raw.aes(session, 32);
    let mut iv = [9; BLOCK];
    let classes = bad_paddings(&raw, session, key, &mut iv);
    let mut out = [0; 5 * BLOCK];
    let call = |ciphertext: &[u8]| {
        let mut mechanism = with_bytes(CKM_AES_CBC_PAD, &mut iv);
        assert_eq!(ck!(raw, C_DecryptInit, session, &mut mechanism, key), CKR_OK);
        let ((data, length), mut room) = (input(ciphertext), out.len() as CK_ULONG);
        let (code, took) = timed(|| ck!(raw, C_Decrypt, session, data, length, out.as_mut_ptr(), &mut room));
        assert_ne!(code, CKR_OK, "bad padding");
        took
    };
    let outcomes = compare("AES-CBC-PAD C_Decrypt", budget, Told::Nothing, &classes, call);
    raw.finalize();
    outcomes
}

/// Ciphertexts of four blocks with a PKCS#7 padding that is wrong in one way or another.
pub fn bad_paddings(raw: &Raw, session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE, iv: &mut [u8; BLOCK]) -> [Class; 6] {
    let mut dice = Dice::new(3);
    // The last bytes of four blocks.
    let mut class = |name, end: &dyn Fn(&mut Dice) -> Vec<u8>| {
        let mut one = || {
            let end = end(&mut dice);
            let mut text: Vec<u8> = (end.len()..4 * BLOCK).map(|_| dice.number() as u8).collect();
            text.extend(end);
            raw.encrypt(session, with_bytes(CKM_AES_CBC, iv), key, &text).expect("a ciphertext")
        };
        Class { name, inputs: (0..64).map(|_| one()).collect() }
    };
    [
        class("0 at the end", &|_| vec![0]),
        class("17 at the end", &|_| vec![17]),
        class("more than 128 at the end", &|dice| vec![129 + dice.below(127) as u8]),
        class("2, first wrong", &|dice| vec![3 + dice.below(200) as u8, 2]),
        class("16, first wrong", &|dice| [&[17 + dice.below(200) as u8], &[16; 15][..]].concat()),
        class("16, last wrong", &|dice| [&[16; 14], &[17 + dice.below(200) as u8, 16][..]].concat()),
    ]
}

pub fn measure_mac(_place: &Place, budget: Budget) -> Vec<Outcome> {
    let (raw, session) = started();
    let text = [5; 64];
    let template = Template::new()
        .number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
        .bytes(CKA_VALUE, &[7; 32])
        .flag(CKA_SIGN, true)
        .flag(CKA_VERIFY, true);
    let key = raw.create(session, template).expect("a key");
    let right = raw.sign(session, plain(CKM_SHA256_HMAC), key, &text).expect("a tag");
    let classes = wrong_at(&right, &mut Dice::new(4));
    let verify = |tag: &[u8], more: &dyn Fn(&[u8]) -> bool| {
        let mut mechanism = plain(CKM_SHA256_HMAC);
        assert_eq!(ck!(raw, C_VerifyInit, session, &mut mechanism, key), CKR_OK);
        let ((data, length), (proof, proof_length)) = (input(&text), input(tag));
        let (answer, took) = timed(|| (ck!(raw, C_Verify, session, data, length, proof, proof_length), more(tag)));
        assert_eq!(answer, (CKR_SIGNATURE_INVALID, false));
        took
    };
    let what = "HMAC-SHA-256 C_Verify";
    let outcomes = compare(what, budget, Told::Nothing, &classes, |tag| verify(tag, &|_| false));
    // The control: were the tag compared byte by byte in there, it would be seen.
    let control = "control: the same with a leaky compare";
    let control = compare(control, budget, Told::ByTheAnswer, &classes, |tag| verify(tag, &|tag| leaky(tag, &right)));
    if matches!(budget, Budget::Time(_)) {
        assert!(control[0].finding.t.abs() >= crate::statistics::CERTAIN, "too short to see anything");
    }
    raw.finalize();
    outcomes
}

pub fn measure_gcm(_place: &Place, budget: Budget) -> Vec<Outcome> {
    let (raw, session) = started();
    let key = raw.aes(session, 32);
    let mut iv = [3; 12];
    let mut gcm = CK_GCM_PARAMS {
        pIv: iv.as_mut_ptr(),
        ulIvLen: 12,
        ulIvBits: 96,
        pAAD: null_mut(),
        ulAADLen: 0,
        ulTagBits: 128,
    };
    let sealed = raw.encrypt(session, with(CKM_AES_GCM, &mut gcm), key, &[5; 64]).expect("a ciphertext");
    let (text, tag) = sealed.split_at(64);
    let classes = wrong_at(tag, &mut Dice::new(5));
    let mut out = [0; 96];
    let mut both = text.to_vec();
    let call = |tag: &[u8]| {
        both.truncate(text.len());
        both.extend_from_slice(tag);
        let mut mechanism = with(CKM_AES_GCM, &mut gcm);
        assert_eq!(ck!(raw, C_DecryptInit, session, &mut mechanism, key), CKR_OK);
        let ((data, length), mut room) = (input(&both), out.len() as CK_ULONG);
        let (code, took) = timed(|| ck!(raw, C_Decrypt, session, data, length, out.as_mut_ptr(), &mut room));
        assert_ne!(code, CKR_OK, "a wrong tag");
        took
    };
    let outcomes = compare("AES-GCM C_Decrypt", budget, Told::Nothing, &classes, call);
    raw.finalize();
    outcomes
}

/// The module with a session of the user; the token is made where it is not there yet.
pub fn started() -> (Raw, CK_SESSION_HANDLE) {
    let raw = Raw::start();
    let session = raw.session(token(&raw));
    assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
    (raw, session)
}

/// The slot of the token.
pub fn token(raw: &Raw) -> CK_SLOT_ID {
    raw.slot_of(TOKEN_LABEL).unwrap_or_else(|| raw.new_token())
}
