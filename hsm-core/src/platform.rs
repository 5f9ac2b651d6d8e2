//! What the HSM stands on: engine, randomness, clock and store, all handed in.
//!
//! Owns: the traits and the bundle. Does not know: any implementation of them; `hsm-platform` and the
//! tests bring those. Called from everywhere in this crate.

use crate::policy::Policy;
use crate::reason::Result;
use hsm_crypto::{Provider, Random};
use std::sync::Arc;
use token_store::Store;

/// A source of wall-clock time.
pub trait Clock: Send + Sync {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    fn unix_seconds(&self) -> i64;
}

/// Everything the HSM needs from outside.
#[derive(Clone)]
pub struct Platform {
    /// The crypto engine.
    pub engine: &'static Provider,
    /// The random source.
    pub random: Arc<dyn Random>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The store.
    pub store: Arc<Store>,
}

/// What a mechanism may use of the platform.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// The crypto engine.
    pub engine: &'static Provider,
    /// The random source.
    pub random: &'a dyn Random,
    /// What the token may do.
    pub policy: Policy,
    /// Who counts the signatures of stateful keys; `None` where nothing is signed.
    pub one_time: Option<&'a dyn OneTime>,
}

/// Who counts the signatures of stateful keys.
pub trait OneTime {
    /// Reserves the next index of the key with this CKA_UNIQUE_ID. When it answers, nobody will ever get that index again.
    ///
    /// # Errors
    /// `KeyExhausted`, the store's.
    fn reserve(&self, unique_id: &[u8]) -> Result<u64>;
}

/// Writes a time as the `utcTime` of C_GetTokenInfo: `YYYYMMDDhhmmss00` in the Gregorian calendar.
///
/// Years outside 0000 to 9999 do not fit the field and give 16 blanks.
#[must_use]
pub fn utc_time(unix_seconds: i64) -> [u8; 16] {
    let (days, second) = (unix_seconds.div_euclid(86_400), unix_seconds.rem_euclid(86_400));
    // Days are counted from 0000-03-01, so that the leap day is the last of its year and the months'
    // lengths repeat every five (153 days); 146097 days are 400 years.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let text = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}00");
    text.as_bytes().try_into().unwrap_or([b' '; 16])
}

impl Platform {
    /// The part that mechanisms see, on a token with this policy.
    #[must_use]
    pub fn env(&self, policy: Policy) -> Env<'_> {
        Env { engine: self.engine, random: &*self.random, policy, one_time: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_written_in_the_gregorian_calendar() {
        let cases: [(i64, &[u8; 16]); 7] = [
            (0, b"1970010100000000"),
            (-1, b"1969123123595900"),
            (951_782_400, b"2000022900000000"),
            (1_709_251_199, b"2024022923595900"),
            (1_709_251_200, b"2024030100000000"),
            (4_107_542_399, b"2100022823595900"),
            (4_107_542_400, b"2100030100000000"),
        ];
        for (seconds, text) in cases {
            assert_eq!(&utc_time(seconds), text, "{seconds}");
        }
        assert_eq!(utc_time(i64::MAX / 2), [b' '; 16]);
    }
}
