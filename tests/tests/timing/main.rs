//! Whether the time of a call tells a secret: wrong PINs, paddings and tags of several kinds are sent in random turns, and a
//! statistical test looks for a difference.
//!
//! Owns: which scenarios there are, when they run, the control. With `PERILUNE_TIMING=SECONDS` each comparison takes so long,
//! and a difference that is certain is a failure; otherwise a few measurements show that all of it still runs. Works on
//! any module (`PERILUNE_MODULE`); figures mean something for an optimised one on a machine with little else to do.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test talks to the person who runs it")]

mod compare;
mod pins;
mod rsa;
mod statistics;
mod symmetric;
mod unwrapping;

use compare::{Budget, Class, Outcome, Told, timed};
use perilune_tests::{Dice, Place, isolated, outside};
use std::hint::black_box;
use std::sync::Mutex;
use std::time::Duration;

/// One at a time: two would disturb each other.
static TURN: Mutex<()> = Mutex::new(());

/// How long each comparison goes on, if it is asked for.
fn asked() -> Option<Budget> {
    let seconds = std::env::var("PERILUNE_TIMING").ok()?;
    Some(Budget::Time(Duration::from_secs(seconds.parse().expect("PERILUNE_TIMING in seconds"))))
}

/// Fails with every leak that was found.
fn judge(outcomes: &[Outcome]) {
    let leaks: Vec<&str> = outcomes.iter().filter(|outcome| outcome.is_leak()).map(|outcome| &*outcome.text).collect();
    assert!(leaks.is_empty(), "the time tells:\n{}", leaks.join("\n"));
}

/// A scenario: measures on the module in a place of its own.
type Scenario = fn(&Place, Budget) -> Vec<Outcome>;

macro_rules! scenarios {
    ($($name:ident => $scenario:path;)*) => {
        $(
            #[test]
            fn $name() {
                let Some(budget) = asked() else {
                    let name = concat!("timing::", stringify!($name));
                    return outside::skip(name, "PERILUNE_TIMING is not set (docs/testing.md)");
                };
                let _turn = TURN.lock();
                isolated!(|place, _role| judge(&$scenario(place, budget)));
            }
        )*

        /// As many measurements as the arithmetic needs: nothing is said about time.
        #[test]
        fn every_comparison_runs_with_a_few_measurements() {
            let _turn = TURN.lock();
            isolated!(|place, _role| {
                for scenario in [$($scenario as Scenario),*] {
                    assert!(!scenario(place, Budget::Count(600)).is_empty());
                }
            });
        }
    };
}

scenarios! {
    the_time_of_a_login_does_not_tell_how_much_of_a_pin_is_right => pins::measure;
    the_time_of_a_login_does_not_tell_whether_a_pin_of_a_locked_role_is_right => pins::measure_locked;
    the_time_of_a_change_of_pin_does_not_tell_how_much_of_the_old_one_is_right => pins::measure_set_pin;
    the_time_of_emptying_a_token_does_not_tell_how_much_of_a_pin_is_right => pins::measure_init_token;
    the_time_of_a_pkcs1_decryption_does_not_tell_whether_the_padding_is_right => rsa::measure_pkcs1;
    the_time_of_a_pkcs1_unwrapping_does_not_tell_whether_the_padding_is_right => rsa::measure_pkcs1_unwrap;
    the_time_of_an_oaep_decryption_does_not_tell_what_is_wrong => rsa::measure_oaep;
    the_time_of_an_oaep_unwrapping_does_not_tell_what_is_wrong => rsa::measure_oaep_unwrap;
    the_time_of_a_cbc_decryption_does_not_tell_what_is_wrong_with_the_padding => symmetric::measure_cbc_pad;
    the_time_of_a_cbc_unwrapping_does_not_tell_what_is_wrong_with_the_padding => unwrapping::measure_cbc_pad;
    the_time_of_a_key_wrap_with_padding_does_not_tell_what_is_wrong => unwrapping::measure_key_wrap_pad;
    the_time_of_a_key_wrap_does_not_tell_which_byte_of_the_initial_value_is_wrong => unwrapping::measure_key_wrap;
    the_time_of_a_verification_does_not_tell_which_byte_of_a_mac_is_wrong => symmetric::measure_mac;
    the_time_of_a_gcm_decryption_does_not_tell_which_byte_of_the_tag_is_wrong => symmetric::measure_gcm;
}

/// Tags of which the first byte, or the last one, is not as in `right`. The third class is as the first, which shows what
/// chance alone makes of so many measurements.
pub fn wrong_at(right: &[u8], dice: &mut Dice) -> [Class; 3] {
    let mut class = |name, place: usize| {
        let mut one = || {
            let mut tag = right.to_vec();
            tag[place] ^= 1 + dice.below(255) as u8;
            tag
        };
        Class { name, inputs: (0..64).map(|_| one()).collect() }
    };
    let last = right.len() - 1;
    [class("first byte wrong", 0), class("last byte wrong", last), class("first byte wrong, again", 0)]
}

/// A comparison as it must not be: it ends at the first difference.
pub fn leaky(one: &[u8], other: &[u8]) -> bool {
    for (a, b) in one.iter().zip(other) {
        if black_box(a) != black_box(b) {
            return false;
        }
    }
    true
}

/// A comparison as it must be.
fn steady(one: &[u8], other: &[u8]) -> bool {
    let mut different = 0;
    for (a, b) in one.iter().zip(other) {
        different |= black_box(a) ^ black_box(b);
    }
    black_box(different) == 0
}

#[test]
fn a_comparison_that_ends_at_the_first_difference_is_found_and_one_that_does_not_is_left_alone() {
    let _turn = TURN.lock();
    let right: Vec<u8> = (100..132).collect();
    let classes = wrong_at(&right, &mut Dice::new(1));
    // A machine with much else to do gets more measurements, not a lower bar.
    let found = [20_000, 80_000, 320_000].into_iter().any(|count| {
        let call = |input: &[u8]| timed(|| leaky(black_box(input), &right)).1;
        compare::compare("leaky compare", Budget::Count(count), Told::Nothing, &classes, call)[0].is_leak()
    });
    assert!(found, "the test would not see a leak");
    let clean = (0..3).any(|_| {
        let call = |input: &[u8]| timed(|| steady(black_box(input), &right)).1;
        !compare::compare("steady compare", Budget::Count(20_000), Told::Nothing, &classes, call)[0].is_leak()
    });
    assert!(clean, "the test sees leaks where there are none");
}
