//! ECB and CBC as streams: blocks are cut here, padding is added and checked here.
//!
//! Owns: the held-back bytes and PKCS#7 padding (RFC 5652, 6.3). Does not know: AES and chaining, which the
//! engine supplies as [`Blocks`]. Used by both engines. Bad padding is found in constant time and reported as
//! `DecryptionFailed`, the one answer that an attacker gets.

use crate::cipher::{Cipher, Direction, Position};
use crate::error::{CryptoError, Result};
use crate::secret::SecretBytes;
use core::ops::{Deref, DerefMut};
use subtle::{ConstantTimeEq, ConstantTimeGreater};
use zeroize::{Zeroize, Zeroizing};

/// Length of an AES block in bytes.
pub(crate) const BLOCK_BYTES: usize = 16;

/// The transformation of whole blocks, with whatever chaining the mode has.
pub(crate) trait Blocks: Send {
    /// Length of a block in bytes: that of AES, or less.
    const BYTES: usize = BLOCK_BYTES;

    /// Transforms `data`, a multiple of the block, in place.
    ///
    /// # Errors
    /// Only what the engine itself may fail with.
    fn transform(&mut self, data: &mut [u8]) -> Result<()>;

    /// Transforms `input` into `out` of the same length.
    ///
    /// # Errors
    /// As `transform`.
    fn transform_into(&mut self, input: &[u8], out: &mut [u8]) -> Result<()> {
        out.copy_from_slice(input);
        self.transform(out)
    }
}

/// Bytes of a block, with the operation itself; wiped on drop.
#[derive(Default)]
struct LastBlock {
    bytes: Zeroizing<[u8; BLOCK_BYTES]>,
    len: usize,
}

impl LastBlock {
    fn extend(&mut self, data: &[u8]) {
        self.bytes[self.len..self.len + data.len()].copy_from_slice(data);
        self.len += data.len();
    }

    fn clear(&mut self) {
        self.bytes.zeroize();
        self.len = 0;
    }
}

impl Deref for LastBlock {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl DerefMut for LastBlock {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }
}

/// A running ECB or CBC operation.
pub(crate) struct BlockStream<B> {
    blocks: B,
    direction: Direction,
    padded: bool,
    /// Input that waits for the rest of its block; a whole block waits only when it may carry the padding.
    held: LastBlock,
    /// The last block of ciphertext that has left or was taken in, with which the next one is chained.
    register: Option<[u8; BLOCK_BYTES]>,
}

impl<B: Blocks> BlockStream<B> {
    /// Starts a stream; `padded` asks for PKCS#7.
    pub(crate) fn new(blocks: B, direction: Direction, padded: bool) -> Self {
        Self { blocks, direction, padded, held: LastBlock::default(), register: None }
    }

    /// Notes the last block of some ciphertext, which ends with a whole one.
    fn remember(&mut self, ciphertext: &[u8]) {
        if let Some(last) = ciphertext.len().checked_sub(B::BYTES).and_then(|start| ciphertext.get(start..)) {
            self.register.get_or_insert_default()[..B::BYTES].copy_from_slice(last);
        }
    }

    /// How many of `total` bytes can leave now.
    fn ready_bytes(&self, total: usize) -> usize {
        let whole = total - total % B::BYTES;
        let may_carry_padding = self.padded && self.direction == Direction::Decrypt;
        if may_carry_padding && whole == total { whole.saturating_sub(B::BYTES) } else { whole }
    }
}

impl<B: Blocks> Cipher for BlockStream<B> {
    fn update_into(&mut self, mut input: &[u8], out: &mut [u8]) -> Result<usize> {
        let ready = self.ready_bytes(self.held.len() + input.len());
        if ready == 0 {
            self.held.extend(input);
            return Ok(0);
        }
        let (mut first, mut rest) = out[..ready].split_at_mut(0);
        if !self.held.is_empty() {
            // At least one block leaves, and less than one block or a whole last block was held: all of it leaves.
            (first, rest) = out[..ready].split_at_mut(B::BYTES);
            let (of_held, of_input) = first.split_at_mut(self.held.len());
            let (missing, after) = input.split_at(of_input.len());
            of_held.copy_from_slice(&self.held);
            of_input.copy_from_slice(missing);
            input = after;
            self.held.clear();
        }
        let (now, later) = input.split_at(rest.len());
        self.held.extend(later);
        if self.direction == Direction::Decrypt {
            self.remember(if now.is_empty() { first } else { now });
        }
        if !first.is_empty() {
            self.blocks.transform(first)?;
        }
        self.blocks.transform_into(now, rest)?;
        if self.direction == Direction::Encrypt {
            self.remember(&out[..ready]);
        }
        Ok(ready)
    }

    fn finish_into(&mut self, out: &mut [u8]) -> Result<usize> {
        match (self.padded, self.direction) {
            (false, _) => {
                if self.held.is_empty() {
                    Ok(0)
                } else {
                    Err(CryptoError::InputLength)
                }
            }
            (true, Direction::Encrypt) => {
                let last = &mut out[..B::BYTES];
                last.copy_from_slice(&padded_block(&self.held, B::BYTES)[..B::BYTES]);
                self.held.clear();
                self.blocks.transform(last)?;
                Ok(B::BYTES)
            }
            (true, Direction::Decrypt) => {
                if self.held.len() != B::BYTES {
                    return Err(CryptoError::InputLength);
                }
                self.blocks.transform(&mut self.held)?;
                let kept = unpadded_bytes(&self.held)?;
                out[..kept].copy_from_slice(&self.held[..kept]);
                self.held.clear();
                Ok(kept)
            }
        }
    }

    fn position(&self) -> Option<Position> {
        let register = self.register.map(|register| register[..B::BYTES].to_vec());
        Some(Position { register, lead: SecretBytes::copy_of(&self.held) })
    }

    fn update_bytes(&self, input_bytes: usize) -> usize {
        self.ready_bytes(self.held.len().saturating_add(input_bytes))
    }

    fn finish_bytes_max(&self, input_bytes: usize) -> usize {
        let total = self.held.len().saturating_add(input_bytes);
        match (self.padded, self.direction) {
            (false, _) => 0,
            (true, Direction::Encrypt) => B::BYTES,
            // The last block carries one byte of padding at least.
            (true, Direction::Decrypt) => (total - self.ready_bytes(total)).saturating_sub(1),
        }
    }
}

/// Fills the last block with the number of bytes that it lacks.
fn padded_block(rest: &[u8], block_bytes: usize) -> [u8; BLOCK_BYTES] {
    // `rest` is shorter than a block, so the number is 1 to 16.
    let missing = (block_bytes - rest.len()) as u8;
    let mut block = [missing; BLOCK_BYTES];
    block[..rest.len()].copy_from_slice(rest);
    block
}

/// Finds how many bytes of the last block are message, looking at every byte whatever the padding says.
fn unpadded_bytes(block: &[u8]) -> Result<usize> {
    let pad = block[block.len() - 1];
    let mut good = pad.ct_gt(&0) & !pad.ct_gt(&(block.len() as u8));
    for (place, byte) in block.iter().rev().enumerate() {
        let in_padding = pad.ct_gt(&(place as u8));
        good &= byte.ct_eq(&pad) | !in_padding;
    }
    if bool::from(good) { Ok(block.len() - usize::from(pad)) } else { Err(CryptoError::DecryptionFailed) }
}
