//! C_Login, C_SetPIN and C_InitToken with wrong PINs, and C_Login as a role that is locked.
//!
//! Owns: PINs that have more or less in common with the right one, and keeping the token from locking. That each refusal costs
//! one derivation is a test of the acceptance suite (`pins.rs`); here is what is left of a difference beside it. Each wrong PIN costs one
//! derivation and one commit of the counter, so this is the slowest comparison; the derivation is made cheap here, which
//! leaves everything around it to be seen. With the default one a login takes a hundred times longer and shows less.

use crate::compare::{Budget, Class, Outcome, Told, compare, timed};
use crate::symmetric::token;
use perilune_tests::ck::*;
use perilune_tests::{Dice, Place, Raw, SO_PIN, TOKEN_LABEL, USER_PIN, ck};
use std::time::Duration;

/// Wrong PINs in a row, after which the right one sets the counters back; the configuration allows more.
const WRONG_IN_A_ROW: u32 = 50;

/// So many tries that no comparison locks a role by the way.
const MANY_TRIES: &str = "[pin]\nuser_tries = 100\nso_tries = 100\n";

pub fn measure(place: &Place, budget: Budget) -> Vec<Outcome> {
    place.configure(MANY_TRIES);
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
    let mut outcomes = compare("C_Login", budget, Told::Nothing, &wrong_pins(USER_PIN), |pin| login(CKU_USER, pin));
    outcomes.extend(compare("C_Login", budget, Told::ByTheAnswer, &roles(), |input| {
        login(CK_USER_TYPE::from(input[0]), &input[1..])
    }));
    raw.finalize();
    outcomes
}

/// On a locked role the right PIN is as wrong as any other. What the answer tells, other states and lengths, is shown.
///
/// Argon2id reads memory where the PIN that is typed tells it to, so each PIN has a time of its own, by some nanoseconds,
/// whatever the right one is. Hence two tokens and two PINs, each right on one of them: both classes have all four.
pub fn measure_locked(place: &Place, budget: Budget) -> Vec<Outcome> {
    place.configure("");
    let raw = Raw::start();
    let other_pin: String = USER_PIN.bytes().map(|byte| char::from(byte ^ 1)).collect();
    // Tokens of its own: others are to be let in to theirs.
    let sessions = [("locked", USER_PIN), ("locked, too", &other_pin)].map(|(name, pin)| {
        let session = raw.session(raw.new_token_named(name));
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        assert_eq!(set_pin(&raw, session, USER_PIN.as_bytes(), pin.as_bytes()).0, CKR_OK);
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        session
    });
    let login = |session: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: &[u8]| {
        let (place, length) = (pin.as_ptr().cast_mut(), pin.len() as CK_ULONG);
        timed(|| ck!(raw, C_Login, session, user, place, length))
    };
    for session in sessions {
        while login(session, CKU_USER, b"wrong-pin").0 != CKR_PIN_LOCKED {}
    }
    let call = |input: &[u8]| {
        let (code, took) = login(sessions[usize::from(input[0])], CKU_USER, &input[1..]);
        assert_eq!(code, CKR_PIN_LOCKED);
        took
    };
    let input = |token: u8, pin: &str| [&[token], pin.as_bytes()].concat();
    let right = Class { name: "the right PIN", inputs: vec![input(0, USER_PIN), input(1, &other_pin)] };
    let wrong =
        Class { name: "the right one of another token", inputs: vec![input(0, &other_pin), input(1, USER_PIN)] };
    let mut outcomes = compare("C_Login, locked", budget, Told::Nothing, &[right, wrong], call);
    let wrong_here = wrong_pins(USER_PIN).map(|class| Class {
        inputs: class.inputs.into_iter().map(|pin| [&[0], &pin[..]].concat()).collect(),
        ..class
    });
    outcomes.extend(compare("C_Login, locked", budget, Told::Nothing, &wrong_here, call));
    // The SO has no PIN that is too short, so his count stays.
    let class = |name, user: CK_USER_TYPE, pin: &[u8]| Class { name, inputs: vec![[&[user as u8], pin].concat()] };
    let states = [
        class("locked user", CKU_USER, b"WRONG-PIN"),
        class("too short", CKU_USER, b"abc"),
        class("too short, SO", CKU_SO, b"abc"),
        class("too long", CKU_USER, &[b'x'; 254]),
    ];
    outcomes.extend(compare("C_Login, states", budget, Told::ByTheAnswer, &states, |input| {
        // The longest one that fits here is one byte below what a PIN may have.
        let pin = if input.len() == 255 { [&input[1..], b"xx"].concat() } else { input[1..].to_vec() };
        login(sessions[0], CK_USER_TYPE::from(input[0]), &pin).1
    }));
    raw.finalize();
    outcomes
}

pub fn measure_set_pin(place: &Place, budget: Budget) -> Vec<Outcome> {
    place.configure(MANY_TRIES);
    let raw = Raw::start();
    let session = raw.session(token(&raw));
    let change = |old: &[u8]| set_pin(&raw, session, old, USER_PIN.as_bytes());
    let reset = || assert_eq!(change(USER_PIN.as_bytes()).0, CKR_OK);
    let outcomes = compare("C_SetPIN", budget, Told::Nothing, &wrong_pins(USER_PIN), refused(change, reset));
    raw.finalize();
    outcomes
}

pub fn measure_init_token(place: &Place, budget: Budget) -> Vec<Outcome> {
    place.configure(MANY_TRIES);
    let raw = Raw::start();
    let slot = token(&raw);
    let mut label = [b' '; 32];
    label[..TOKEN_LABEL.len()].copy_from_slice(TOKEN_LABEL.as_bytes());
    let init = |pin: &[u8]| {
        let (place, length) = (pin.as_ptr().cast_mut(), pin.len() as CK_ULONG);
        timed(|| ck!(raw, C_InitToken, slot, place, length, label.as_ptr().cast_mut()))
    };
    let reset = || {
        let session = raw.session(slot);
        assert_eq!(raw.login(session, CKU_SO, SO_PIN), Ok(()));
        assert_eq!(ck!(raw, C_CloseSession, session), CKR_OK);
    };
    let outcomes = compare("C_InitToken", budget, Told::Nothing, &wrong_pins(SO_PIN), refused(init, reset));
    raw.finalize();
    outcomes
}

fn set_pin(raw: &Raw, session: CK_SESSION_HANDLE, old: &[u8], new: &[u8]) -> (CK_RV, Duration) {
    let (old, old_length) = (old.as_ptr().cast_mut(), old.len() as CK_ULONG);
    let (new, new_length) = (new.as_ptr().cast_mut(), new.len() as CK_ULONG);
    timed(|| ck!(raw, C_SetPIN, session, old, old_length, new, new_length))
}

/// A call with a wrong PIN that is measured, and now and then one that sets the counter back, which is not.
fn refused(call: impl Fn(&[u8]) -> (CK_RV, Duration), reset: impl Fn()) -> impl FnMut(&[u8]) -> Duration {
    let mut wrong = 0;
    move |pin| {
        if wrong == WRONG_IN_A_ROW {
            reset();
            wrong = 0;
        }
        wrong += 1;
        let (code, took) = call(pin);
        assert_eq!(code, CKR_PIN_INCORRECT);
        took
    }
}

/// PINs as long as the right one that share all characters but the last with it, or none.
fn wrong_pins(right: &str) -> [Class; 2] {
    let mut dice = Dice::new(2);
    let right = right.as_bytes();
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
