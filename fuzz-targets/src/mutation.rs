//! Inputs made of others by dice with a seed: what stable tests run in place of a fuzzer.
//!
//! Owns: the dice and the changes. The same seed gives the same inputs on every machine.

/// Dice (SplitMix64).
pub struct Dice(u64);

impl Dice {
    /// Begins with a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// A number below `end`, 0 for 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % end.max(1) as u64).unwrap_or(0)
    }

    /// A byte; small ones and those near 255 come more often than others.
    pub fn byte(&mut self) -> u8 {
        let [byte, form, ..] = self.number().to_le_bytes();
        match form % 4 {
            0 => byte % 8,
            1 => 255 - byte % 4,
            _ => byte,
        }
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }

    /// One input changed in a few places, or two of them put together.
    pub fn mutation(&mut self, of: &[Vec<u8>]) -> Vec<u8> {
        let any = |dice: &mut Self| of.get(dice.below(of.len())).cloned().unwrap_or_default();
        let mut input = any(self);
        for _ in 0..=self.below(4) {
            let at = self.below(input.len());
            match self.below(6) {
                0 if !input.is_empty() => input[at] = self.byte(),
                1 if !input.is_empty() => input[at] ^= 1 << self.below(8),
                2 => {
                    let new_bytes = self.below(16);
                    let new = self.bytes(new_bytes);
                    input.splice(at..at, new);
                }
                3 => {
                    let end = (at + self.below(16)).min(input.len());
                    input.drain(at..end);
                }
                4 => {
                    let other = any(self);
                    let from = self.below(other.len());
                    input.truncate(at);
                    input.extend_from_slice(&other[from..]);
                }
                _ => {
                    let end = (at + self.below(64)).min(input.len());
                    let again = input[at..end].to_vec();
                    input.splice(at..at, again);
                }
            }
        }
        input.truncate(1 << 13);
        input
    }
}
