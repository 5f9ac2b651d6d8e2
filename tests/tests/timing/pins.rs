//! C_Login with wrong PINs.
//!
//! Owns: PINs that have more or less in common with the right one, and keeping the token from locking. Each wrong PIN costs one
//! derivation and one commit of the counter, so this is the slowest comparison; the derivation is made cheap here, which
//! leaves everything around it to be seen. With the default one a login takes a hundred times longer and shows less.

use crate::compare::{Budget, Class, Outcome, Told, compare, timed};
use crate::symmetric::token;
use perilune_tests::ck::*;
use perilune_tests::{Dice, Place, Raw, SO_PIN, USER_PIN, ck};

/// Wrong PINs in a row, after which the right one sets the counters back; the configuration allows more.
const WRONG_IN_A_ROW: u32 = 50;

pub fn measure(place: &Place, budget: Budget) -> Vec<Outcome> {
    place.configure("[pin]\nuser_tries = 100\nso_tries = 100\n");
    let raw = Raw::start();
    let session = raw.session(token(&raw));
    let mut wrong = 0;
    let mut login = |user: CK_USER_TYPE, pin: &[u8]| {
        if wrong == WRONG_IN_A_ROW {
            for (user, pin) in [(CKU_USER, USER_PIN), (CKU_SO, SO_PIN)] {
                assert_eq!(raw.login(session, user, pin), Ok(()));
                assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
            }
            wrong = 0;
        }
        wrong += 1;
        let (place, length) = (pin.as_ptr().cast_mut(), pin.len() as CK_ULONG);
        let (code, took) = timed(|| ck!(raw, C_Login, session, user, place, length));
        assert_ne!(code, CKR_OK, "a wrong PIN");
        assert_ne!(code, CKR_PIN_LOCKED, "too many wrong PINs");
        took
    };
    let mut outcomes = compare("C_Login", budget, Told::Nothing, &pins(), |pin| login(CKU_USER, pin));
    outcomes.extend(compare("C_Login", budget, Told::ByTheAnswer, &roles(), |input| {
        login(CK_USER_TYPE::from(input[0]), &input[1..])
    }));
    raw.finalize();
    outcomes
}

/// PINs as long as the right one that share all characters but the last with it, or none.
fn pins() -> [Class; 2] {
    let mut dice = Dice::new(2);
    let right = USER_PIN.as_bytes();
    let mut class = |name, kept: usize| {
        let mut one = || {
            let mut pin = right[..kept].to_vec();
            while pin.len() < right.len() {
                let letter = b'A' + dice.below(26) as u8;
                pin.push(letter);
            }
            pin
        };
        Class { name, inputs: (0..64).map(|_| one()).collect() }
    };
    [class("nothing right", 0), class("all but the last right", right.len() - 1)]
}

/// Roles that are there, and one that is not, each with a wrong PIN behind its number.
fn roles() -> [Class; 3] {
    let class = |name, role: CK_USER_TYPE| Class { name, inputs: vec![[&[role as u8], &b"WRONG-PIN"[..]].concat()] };
    [class("user", CKU_USER), class("SO", CKU_SO), class("unknown role", 77)]
}
