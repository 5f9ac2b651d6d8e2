//! The source of randomness, handed in by whoever assembles the HSM.

use crate::error::Result;

/// A source of cryptographically strong random bytes that several threads may use at once.
///
/// An implementation must never repeat itself between a process and its forked child.
pub trait Random: Send + Sync {
    /// Fills the whole of `out`.
    ///
    /// # Errors
    /// `CryptoError::RandomFailed`; the content of `out` is then unspecified.
    fn fill(&self, out: &mut [u8]) -> Result<()>;
}

/// The generator that a process draws from: AWS-LC's where it is built in, in front of the system's source.
///
/// The generator belongs to a thread, is seeded by the system, and notices a fork before it gives out another byte. It takes
/// a tenth of the system's time for a KiB and half of it for a key. Once the process is ending, and without AWS-LC, every
/// request goes to the system.
pub struct Generator<R>(R);

impl<R: Random> Generator<R> {
    /// Puts the generator in front of the `system`'s source.
    pub fn new(system: R) -> Self {
        #[cfg(feature = "aws-lc")]
        crate::aws_lc::begin();
        Self(system)
    }
}

impl<R: Random> Random for Generator<R> {
    fn fill(&self, out: &mut [u8]) -> Result<()> {
        #[cfg(feature = "aws-lc")]
        if let Some(outcome) = crate::aws_lc::random::fill(out) {
            return outcome;
        }
        self.0.fill(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct System;

    impl Random for System {
        fn fill(&self, out: &mut [u8]) -> Result<()> {
            getrandom::fill(out).map_err(|_| crate::CryptoError::RandomFailed)
        }
    }

    #[test]
    fn the_generator_fills_requests_of_any_length_and_repeats_none() {
        let generator = Generator::new(System);
        let mut seen = std::collections::HashSet::new();
        for length in [16, 17, 32, 1024, 65_536, 65_537, 200_000] {
            let mut out = vec![0; length];
            generator.fill(&mut out).unwrap();
            assert!(out[length - 16..].iter().any(|byte| *byte != 0), "{length} bytes are filled to the end");
            assert!(seen.insert(out[..16].to_vec()), "{length} bytes begin as others did");
        }
        assert_eq!(generator.fill(&mut []), Ok(()));
        let other = std::thread::spawn(move || {
            let mut out = vec![0; 16];
            generator.fill(&mut out).unwrap();
            out
        });
        assert!(seen.insert(other.join().unwrap()), "another thread has another sequence");
    }
}
