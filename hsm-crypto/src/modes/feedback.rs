//! OFB and CFB: ciphers whose key stream is made from what went before.
//!
//! Owns: the last block that was fed back and what came after it, so that a message can be gone on with. Does not know: AES, which
//! the engine supplies as [`Keystream`]. Every byte leaves at once. Rule source: SP 800-38A, 6.3 and 6.4.

use crate::cipher::{Cipher, Direction, Position};
use crate::error::Result;
use crate::modes::block::BLOCK_BYTES;
use crate::modes::counter::Keystream;
use crate::secret::SecretBytes;
use zeroize::{Zeroize, Zeroizing};

/// What is fed back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fed {
    /// A block of the key stream (OFB).
    Keystream,
    /// A block of ciphertext (CFB128).
    Block,
    /// A byte of ciphertext, shifted into a block (CFB8).
    Byte,
}

/// A running OFB or CFB operation.
pub(crate) struct FeedbackStream<K> {
    keystream: K,
    fed: Fed,
    direction: Direction,
    /// The last whole block that was fed back, and whether there was one.
    register: Option<Zeroizing<[u8; BLOCK_BYTES]>>,
    /// What was fed back of the block after it, and what came in for that.
    partial: Zeroizing<[u8; BLOCK_BYTES]>,
    input: Zeroizing<[u8; BLOCK_BYTES]>,
    partial_bytes: usize,
}

impl<K> FeedbackStream<K> {
    /// Starts with a key stream that begins at the initialisation vector.
    pub(crate) fn new(keystream: K, fed: Fed, direction: Direction) -> Self {
        let zeros = || Zeroizing::new([0; BLOCK_BYTES]);
        Self { keystream, fed, direction, register: None, partial: zeros(), input: zeros(), partial_bytes: 0 }
    }

    /// Notes the end of what went through, as far as it is needed to go on from there.
    fn remember(&mut self, input: &[u8], output: &[u8]) {
        let total = self.partial_bytes + input.len();
        // All but the last whole block and what follows it is skipped, from the beginning of a block.
        let skipped = (total / BLOCK_BYTES).saturating_sub(1) * BLOCK_BYTES;
        let skipped = match skipped.checked_sub(self.partial_bytes) {
            Some(bytes) if skipped > 0 => {
                self.partial_bytes = 0;
                bytes
            }
            Some(_) | None => 0,
        };
        for (input, output) in input.iter().zip(output).skip(skipped) {
            let ciphertext = if self.direction == Direction::Encrypt { output } else { input };
            self.partial[self.partial_bytes] = match self.fed {
                Fed::Keystream => input ^ output,
                Fed::Block | Fed::Byte => *ciphertext,
            };
            self.input[self.partial_bytes] = *input;
            self.partial_bytes += 1;
            if self.partial_bytes == BLOCK_BYTES {
                self.register = Some(self.partial.clone());
                self.partial_bytes = 0;
            }
        }
    }

    /// Where to start, and with what.
    fn place(&self) -> Position {
        let register = self.register.as_ref().map(|register| register.to_vec());
        let lead = match self.fed {
            // Any input makes the key stream go on; this one gives no ciphertext away.
            Fed::Keystream => SecretBytes::zeroed(self.partial_bytes),
            Fed::Block | Fed::Byte => SecretBytes::copy_of(&self.input[..self.partial_bytes]),
        };
        Position { register, lead }
    }
}

impl<K: Keystream> Cipher for FeedbackStream<K> {
    fn update_into(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize> {
        let out = &mut out[..input.len()];
        self.keystream.apply_into(input, out)?;
        self.remember(input, out);
        Ok(input.len())
    }

    fn finish_into(&mut self, _out: &mut [u8]) -> Result<usize> {
        self.partial.zeroize();
        self.input.zeroize();
        Ok(0)
    }

    fn position(&self) -> Option<Position> {
        Some(self.place())
    }

    fn update_bytes(&self, input_bytes: usize) -> usize {
        input_bytes
    }

    fn finish_bytes_max(&self, _input_bytes: usize) -> usize {
        0
    }
}
