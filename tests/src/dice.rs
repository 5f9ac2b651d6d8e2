//! Numbers that look random and come again from the same seed.
//!
//! Owns: the seed of a run (`PERILUNE_SEED`, else a fresh one) and what is drawn from it. Not for secrets.

/// The environment variable that names the seed of a run.
pub const SEED: &str = "PERILUNE_SEED";

/// The seed of this run: `PERILUNE_SEED`, else one that nobody has seen yet.
///
/// # Panics
/// When the variable holds no number.
#[must_use]
pub fn seed() -> u64 {
    match std::env::var(SEED) {
        Ok(text) => text.parse().unwrap_or_else(|error| panic!("{SEED}={text}: {error}")),
        Err(_) => std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), std::process::id()) >> 16,
    }
}

/// A source of numbers (SplitMix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The source of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    /// One of a list.
    pub fn one<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len() as u64) as usize]
    }
}
