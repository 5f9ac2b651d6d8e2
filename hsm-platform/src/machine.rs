//! The random source and the clock of this machine.
//!
//! Owns: the two calls to the system behind them. Does not know: who asks. Handed to the core by `start`.

use hsm_core::Clock;
use hsm_crypto::{CryptoError, Random};
use std::time::{SystemTime, UNIX_EPOCH};

/// The kernel's random source.
///
/// Every request goes to the kernel and nothing is kept in the process, so a forked child cannot repeat its parent.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, out: &mut [u8]) -> hsm_crypto::Result<()> {
        // The kernel's number is dropped: it says only that the call is missing or forbidden here, as RandomFailed does.
        getrandom::fill(out).map_err(|_| CryptoError::RandomFailed)
    }
}

/// The system's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn unix_seconds(&self) -> i64 {
        let seconds = |span: std::time::Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => seconds(since),
            // A clock before 1970 is wrong but not fatal: certificates will look not yet valid.
            Err(before) => -seconds(before.duration()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_fills_the_whole_buffer_and_does_not_repeat() {
        let mut first = [0u8; 64];
        let mut second = [0u8; 64];
        OsRandom.fill(&mut first).unwrap();
        OsRandom.fill(&mut second).unwrap();
        assert_ne!(first, second);
        assert!(first[48..].iter().any(|byte| *byte != 0));
    }

    #[test]
    fn the_clock_stands_after_this_code_was_written() {
        assert!(SystemClock.unix_seconds() > 1_735_689_600);
    }
}
