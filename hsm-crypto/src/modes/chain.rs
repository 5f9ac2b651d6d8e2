//! A CBC encryption of which only the last block matters, as CMAC, XCBC-MAC and CCM use it.
//!
//! Owns: cutting a message into blocks and holding back the last one. Does not know: AES and chaining, which the engine
//! supplies as [`Chain`], nor what becomes of the last block.

use crate::error::{CryptoError, Result};
use crate::hash::NO_STATE;
use crate::modes::block::BLOCK_BYTES;
use crate::secret::SecretBytes;
use zeroize::{Zeroize, Zeroizing};

/// A CBC encryption from an initialisation vector of zeros, of which only the last block matters.
pub(crate) trait Chain: Send {
    /// Takes in whole blocks, one at least, and returns what the last of them was encrypted to.
    ///
    /// # Errors
    /// Only what the engine itself may fail with.
    fn absorb(&mut self, blocks: &[u8]) -> Result<[u8; BLOCK_BYTES]>;

    /// Goes on after a block that was encrypted to `register`.
    ///
    /// # Errors
    /// As `absorb`.
    fn restart(&mut self, register: &[u8; BLOCK_BYTES]) -> Result<()>;

    /// Encrypts the last block in place.
    ///
    /// # Errors
    /// As `absorb`.
    fn last(&mut self, block: &mut [u8; BLOCK_BYTES]) -> Result<()>;
}

/// The last of whole blocks.
///
/// # Errors
/// `InputLength` where there is none.
pub(crate) fn last_block(blocks: &[u8]) -> Result<[u8; BLOCK_BYTES]> {
    blocks.last_chunk().copied().ok_or(CryptoError::InputLength)
}

/// A chain with the end of the message so far held back.
pub(crate) struct HeldChain<C> {
    chain: C,
    /// What the last block was encrypted to that the chain has taken in.
    register: Zeroizing<[u8; BLOCK_BYTES]>,
    /// A block at most, and empty only before the first byte.
    held: Zeroizing<[u8; BLOCK_BYTES]>,
    held_bytes: usize,
}

impl<C: Chain> HeldChain<C> {
    /// Starts with a chain that has taken in nothing.
    pub(crate) fn new(chain: C) -> Self {
        let zeros = || Zeroizing::new([0; BLOCK_BYTES]);
        Self { chain, register: zeros(), held: zeros(), held_bytes: 0 }
    }

    /// Takes in more of the message.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) fn take_in(&mut self, mut data: &[u8]) -> Result<()> {
        if self.held_bytes + data.len() > BLOCK_BYTES && self.held_bytes > 0 {
            let (now, later) = data.split_at(BLOCK_BYTES - self.held_bytes);
            self.held[self.held_bytes..].copy_from_slice(now);
            *self.register = self.chain.absorb(&*self.held)?;
            self.held_bytes = 0;
            data = later;
        }
        // The last block stays, also when it is whole: it may be combined with a subkey.
        let ready = data.len().saturating_sub(1) / BLOCK_BYTES * BLOCK_BYTES;
        let ready = if self.held_bytes == 0 { ready } else { 0 };
        let (now, later) = data.split_at(ready);
        if !now.is_empty() {
            *self.register = self.chain.absorb(now)?;
        }
        self.held[self.held_bytes..][..later.len()].copy_from_slice(later);
        self.held_bytes += later.len();
        Ok(())
    }

    /// What was taken in, as the register and the bytes held back.
    pub(crate) fn save(&self) -> SecretBytes {
        let mut state = SecretBytes::zeroed(BLOCK_BYTES + self.held_bytes);
        let (register, held) = state.expose_mut().split_at_mut(BLOCK_BYTES);
        register.copy_from_slice(&*self.register);
        held.copy_from_slice(&self.held[..self.held_bytes]);
        state
    }

    /// Goes on from what `save` gave, instead of from the beginning.
    ///
    /// # Errors
    /// `InvalidParameter` for anything else; the engine's.
    pub(crate) fn resume(&mut self, state: &[u8]) -> Result<()> {
        let (register, held) = state.split_first_chunk().ok_or(NO_STATE)?;
        self.held.get_mut(..held.len()).ok_or(NO_STATE)?.copy_from_slice(held);
        self.held_bytes = held.len();
        *self.register = *register;
        self.chain.restart(register)
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
