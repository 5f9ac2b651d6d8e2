//! Counter mode with a counter narrower than the block.
//!
//! Owns: how many blocks may follow before the low `counter_bits` overflow; such input is refused, as PKCS#11
//! v2.40 (2.12.2) demands and as key stream safety needs. Because no carry ever leaves the counter, a plain 128-bit
//! increment in the engine is right for every width. Does not know: AES, which the engine supplies as [`Keystream`].

use crate::cipher::{Cipher, Position};
use crate::error::{CryptoError, Result};
use crate::modes::block::BLOCK_BYTES;
use crate::secret::SecretBytes;

/// A key stream; in counter mode one made from 128-bit big-endian counter blocks.
pub(crate) trait Keystream: Send {
    /// Combines `data` with the next bytes of the key stream, in place.
    ///
    /// # Errors
    /// Only what the engine itself may fail with.
    fn apply(&mut self, data: &mut [u8]) -> Result<()>;

    /// Combines `input` with the next bytes of the key stream, into `out` of the same length.
    ///
    /// # Errors
    /// As `apply`.
    fn apply_into(&mut self, input: &[u8], out: &mut [u8]) -> Result<()> {
        out.copy_from_slice(input);
        self.apply(out)
    }
}

/// A running CTR operation; encryption and decryption are the same.
pub(crate) struct CounterStream<K> {
    keystream: K,
    /// Bytes of key stream left before the counter overflows; a width of 128 bits saturates here, far above
    /// what any input can reach.
    left_bytes: u128,
    /// The first counter block.
    first: u128,
    done_bytes: u128,
}

impl<K: Keystream> CounterStream<K> {
    /// Starts a stream whose first counter block is `block`.
    ///
    /// # Errors
    /// `InvalidParameter` unless `counter_bits` is 1 to 128.
    pub(crate) fn new(keystream: K, block: &[u8; BLOCK_BYTES], counter_bits: u32) -> Result<Self> {
        check_counter_bits(counter_bits)?;
        let mask = u128::MAX >> (128 - counter_bits);
        let first = u128::from_be_bytes(*block);
        let left_blocks = (mask - (first & mask)).saturating_add(1);
        let left_bytes = left_blocks.saturating_mul(BLOCK_BYTES as u128);
        Ok(Self { keystream, left_bytes, first, done_bytes: 0 })
    }
}

/// Refuses counter widths that do not exist.
///
/// # Errors
/// `InvalidParameter` unless `counter_bits` is 1 to 128.
pub(crate) fn check_counter_bits(counter_bits: u32) -> Result<()> {
    if (1..=128).contains(&counter_bits) {
        Ok(())
    } else {
        Err(CryptoError::InvalidParameter("a counter has 1 to 128 bits"))
    }
}

impl<K: Keystream> Cipher for CounterStream<K> {
    fn update_into(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize> {
        self.left_bytes = self.left_bytes.checked_sub(input.len() as u128).ok_or(CryptoError::InputLength)?;
        self.keystream.apply_into(input, &mut out[..input.len()])?;
        self.done_bytes += input.len() as u128;
        Ok(input.len())
    }

    fn finish_into(&mut self, _out: &mut [u8]) -> Result<usize> {
        Ok(0)
    }

    fn position(&self) -> Option<Position> {
        // The block of the last byte, and not that of the next one: when the counter has come to its end, there is none.
        let blocks = self.done_bytes.saturating_sub(1) / BLOCK_BYTES as u128;
        // No carry leaves the counter as long as it has not come to its end.
        let register = self.first.wrapping_add(blocks).to_be_bytes().to_vec();
        let lead = (self.done_bytes - blocks * BLOCK_BYTES as u128) as usize;
        Some(Position { register: Some(register), lead: SecretBytes::zeroed(lead) })
    }

    fn update_bytes(&self, input_bytes: usize) -> usize {
        input_bytes
    }

    fn finish_bytes_max(&self, _input_bytes: usize) -> usize {
        0
    }
}
