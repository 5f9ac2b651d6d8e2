//! CBC with ciphertext stealing, variant CS1 of the addendum to SP 800-38A.
//!
//! Owns: which bytes wait until the end is known: more than a block and two blocks at most. Does not know: AES; the engine supplies
//! CBC as [`Blocks`], and the stealing at the end as [`Tail`]. A message of whole blocks is plain CBC.

use crate::cipher::{Cipher, Direction, Position};
use crate::error::{CryptoError, Result};
use crate::modes::block::{BLOCK_BYTES, Blocks};
use crate::modes::held::Held;
use crate::secret::SecretBox;
use crate::secret::SecretBytes;
use crate::secret::seen_as;

/// The end of a message in CS1.
pub(crate) trait Tail: Send {
    /// Transforms the last block and a part, in place, after the ciphertext block (or initialisation vector) before them.
    ///
    /// # Errors
    /// Only what the engine itself may fail with.
    fn transform(&mut self, before: &[u8; BLOCK_BYTES], data: &mut [u8]) -> Result<()>;
}

seen_as!(Tail);

/// A running CS1 operation.
pub(crate) struct StealingStream<B> {
    blocks: B,
    tail: SecretBox<dyn Tail>,
    direction: Direction,
    /// The last block of ciphertext that has left or was taken in; the initialisation vector before that.
    before: [u8; BLOCK_BYTES],
    held: Held,
}

impl<B: Blocks> StealingStream<B> {
    /// Starts with a CBC that begins at `iv`.
    pub(crate) fn new(blocks: B, tail: SecretBox<dyn Tail>, direction: Direction, iv: &[u8; BLOCK_BYTES]) -> Self {
        Self { blocks, tail, direction, before: *iv, held: Held::default() }
    }

    /// Sends whole blocks through CBC.
    fn chain(&mut self, data: &mut [u8]) -> Result<()> {
        if self.direction == Direction::Decrypt {
            self.remember(data);
        }
        self.blocks.transform(data)?;
        if self.direction == Direction::Encrypt {
            self.remember(data);
        }
        Ok(())
    }

    fn remember(&mut self, ciphertext: &[u8]) {
        if let Some(last) = ciphertext.last_chunk() {
            self.before = *last;
        }
    }
}

/// How many of `total` bytes can leave before the end is known.
fn ready_bytes(total: usize) -> usize {
    total.saturating_sub(BLOCK_BYTES + 1) / BLOCK_BYTES * BLOCK_BYTES
}

impl<B: Blocks> Cipher for StealingStream<B> {
    fn update_into(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize> {
        let ready = ready_bytes(self.held.len() + input.len());
        let of_held = ready.min(self.held.len());
        let (now, later) = input.split_at(ready - of_held);
        let out = &mut out[..ready];
        out[..of_held].copy_from_slice(&self.held.bytes()[..of_held]);
        out[of_held..].copy_from_slice(now);
        self.held.drop_first(of_held);
        self.held.extend(later);
        self.chain(out)?;
        Ok(ready)
    }

    fn finish_into(&mut self, out: &mut [u8]) -> Result<usize> {
        let bytes = self.held.len();
        if bytes < BLOCK_BYTES {
            return Err(CryptoError::InputLength);
        }
        let out = &mut out[..bytes];
        out.copy_from_slice(self.held.bytes());
        self.held.clear();
        if bytes.is_multiple_of(BLOCK_BYTES) {
            self.chain(out)?;
        } else {
            self.tail.transform(&self.before, out)?;
        }
        Ok(bytes)
    }

    fn position(&self) -> Option<Position> {
        Some(Position { register: Some(self.before.to_vec()), lead: SecretBytes::copy_of(self.held.bytes()) })
    }

    fn update_bytes(&self, input_bytes: usize) -> usize {
        ready_bytes(self.held.len().saturating_add(input_bytes))
    }

    fn finish_bytes_max(&self, input_bytes: usize) -> usize {
        let total = self.held.len().saturating_add(input_bytes);
        total - ready_bytes(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_block_and_two_at_most_wait() {
        for (total, ready) in [(0, 0), (16, 0), (17, 0), (32, 0), (33, 16), (48, 16), (49, 32)] {
            assert_eq!(ready_bytes(total), ready, "{total}");
        }
    }
}
