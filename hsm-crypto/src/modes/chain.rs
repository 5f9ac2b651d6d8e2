//! A CBC encryption of which only the last block matters, as CMAC, XCBC-MAC and CCM use it.
//!
//! Owns: cutting a message into blocks and holding back the last one. Does not know: AES and chaining, which the engine
//! supplies as [`Chain`], nor what becomes of the last block.

use crate::error::Result;
use crate::modes::block::BLOCK_BYTES;
use zeroize::{Zeroize, Zeroizing};

/// A CBC encryption from an initialisation vector of zeros, of which only the last block matters.
pub(crate) trait Chain: Send {
    /// Takes in whole blocks.
    ///
    /// # Errors
    /// Only what the engine itself may fail with.
    fn absorb(&mut self, blocks: &[u8]) -> Result<()>;

    /// Encrypts the last block in place.
    ///
    /// # Errors
    /// As `absorb`.
    fn last(&mut self, block: &mut [u8; BLOCK_BYTES]) -> Result<()>;
}

/// A chain with the end of the message so far held back.
pub(crate) struct HeldChain<C> {
    chain: C,
    /// A block at most, and empty only before the first byte.
    held: Zeroizing<[u8; BLOCK_BYTES]>,
    held_bytes: usize,
}

impl<C: Chain> HeldChain<C> {
    /// Starts with a chain that has taken in nothing.
    pub(crate) fn new(chain: C) -> Self {
        Self { chain, held: Zeroizing::new([0; BLOCK_BYTES]), held_bytes: 0 }
    }

    /// Takes in more of the message.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) fn take_in(&mut self, mut data: &[u8]) -> Result<()> {
        if self.held_bytes + data.len() > BLOCK_BYTES && self.held_bytes > 0 {
            let (now, later) = data.split_at(BLOCK_BYTES - self.held_bytes);
            self.held[self.held_bytes..].copy_from_slice(now);
            self.chain.absorb(&*self.held)?;
            self.held_bytes = 0;
            data = later;
        }
        // The last block stays, also when it is whole: it may be combined with a subkey.
        let ready = data.len().saturating_sub(1) / BLOCK_BYTES * BLOCK_BYTES;
        let ready = if self.held_bytes == 0 { ready } else { 0 };
        let (now, later) = data.split_at(ready);
        if !now.is_empty() {
            self.chain.absorb(now)?;
        }
        self.held[self.held_bytes..][..later.len()].copy_from_slice(later);
        self.held_bytes += later.len();
        Ok(())
    }

    /// Whether the block held back is whole.
    pub(crate) fn is_whole(&self) -> bool {
        self.held_bytes == BLOCK_BYTES
    }

    /// Fills the block held back with `first` and zero bytes, unless it is whole.
    pub(crate) fn fill_up(&mut self, first: u8) {
        if let Some((next, rest)) = self.held[self.held_bytes..].split_first_mut() {
            *next = first;
            rest.zeroize();
            self.held_bytes = BLOCK_BYTES;
        }
    }

    /// Combines the block held back, which is whole, with a mask, and returns what the chain makes of it.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) fn finish(mut self, mask: &[u8; BLOCK_BYTES]) -> Result<[u8; BLOCK_BYTES]> {
        for (byte, mask) in self.held.iter_mut().zip(mask) {
            *byte ^= mask;
        }
        self.chain.last(&mut self.held)?;
        Ok(*self.held)
    }
}
