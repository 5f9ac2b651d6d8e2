//! AES-CMAC over a CBC encryption that takes many blocks at once.
//!
//! Owns: the two subkeys and the held-back last block (SP 800-38B, 6.1 and 6.2). Does not know: AES and chaining, which
//! the engine supplies as [`Chain`]. The portable engine takes the `cmac` crate, against which this is tested.

use crate::error::Result;
use crate::hash::{MAC_IS_OVER, Mac};
use crate::modes::block::BLOCK_BYTES;
use aes::cipher::array::Array;
use aes::cipher::consts::U16;
use dbl::Dbl;
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

/// What the last block is combined with; wiped on drop.
#[derive(Clone)]
pub(crate) struct Subkeys {
    whole: Zeroizing<[u8; BLOCK_BYTES]>,
    filled: Zeroizing<[u8; BLOCK_BYTES]>,
}

impl Subkeys {
    /// Computes them with a chain that has taken in nothing and is not used again.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) fn of(chain: &mut impl Chain) -> Result<Self> {
        let mut block = Zeroizing::new([0; BLOCK_BYTES]);
        chain.last(&mut block)?;
        let whole = Zeroizing::new(doubled(*block));
        let filled = Zeroizing::new(doubled(*whole));
        Ok(Self { whole, filled })
    }
}

fn doubled(block: [u8; BLOCK_BYTES]) -> [u8; BLOCK_BYTES] {
    Array::<u8, U16>::from(block).dbl().into()
}

/// A running CMAC, until its tag is taken.
pub(crate) struct CmacStream<C> {
    chain: Option<C>,
    subkeys: Subkeys,
    /// The end of the message so far: a block at most, and empty only before the first byte.
    held: Zeroizing<[u8; BLOCK_BYTES]>,
    held_bytes: usize,
}

impl<C: Chain> CmacStream<C> {
    /// Starts with a chain that has taken in nothing.
    pub(crate) fn new(chain: C, subkeys: Subkeys) -> Self {
        Self { chain: Some(chain), subkeys, held: Zeroizing::new([0; BLOCK_BYTES]), held_bytes: 0 }
    }
}

impl<C: Chain> Mac for CmacStream<C> {
    fn update(&mut self, mut data: &[u8]) -> Result<()> {
        let chain = self.chain.as_mut().ok_or(MAC_IS_OVER)?;
        if self.held_bytes + data.len() > BLOCK_BYTES && self.held_bytes > 0 {
            let (now, later) = data.split_at(BLOCK_BYTES - self.held_bytes);
            self.held[self.held_bytes..].copy_from_slice(now);
            chain.absorb(&*self.held)?;
            self.held_bytes = 0;
            data = later;
        }
        // The last block stays, also when it is whole: it is combined with a subkey.
        let ready = data.len().saturating_sub(1) / BLOCK_BYTES * BLOCK_BYTES;
        let ready = if self.held_bytes == 0 { ready } else { 0 };
        let (now, later) = data.split_at(ready);
        if !now.is_empty() {
            chain.absorb(now)?;
        }
        self.held[self.held_bytes..][..later.len()].copy_from_slice(later);
        self.held_bytes += later.len();
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        let mut chain = self.chain.take().ok_or(MAC_IS_OVER)?;
        let subkey = if self.held_bytes == BLOCK_BYTES {
            &self.subkeys.whole
        } else {
            self.held[self.held_bytes] = 0x80;
            self.held[self.held_bytes + 1..].zeroize();
            &self.subkeys.filled
        };
        for (byte, key) in self.held.iter_mut().zip(&**subkey) {
            *byte ^= key;
        }
        chain.last(&mut self.held)?;
        Ok(self.held.to_vec())
    }

    fn tag_bytes(&self) -> usize {
        BLOCK_BYTES
    }
}
