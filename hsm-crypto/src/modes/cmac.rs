//! AES-CMAC and AES-XCBC-MAC over a CBC encryption that takes many blocks at once.
//!
//! Owns: the two subkeys and their use at the last block (SP 800-38B, 6.1 and 6.2; RFC 3566, 4). Does not know: AES and
//! chaining, which the engine supplies as [`Chain`]. The portable engine takes CMAC from the `cmac` crate, against which this is tested.

use crate::error::Result;
use crate::hash::{MAC_IS_OVER, Mac};
use crate::modes::block::BLOCK_BYTES;
use crate::modes::chain::{Chain, HeldChain};
use crate::secret::SecretBytes;
use zeroize::Zeroizing;

/// What the last block is combined with; wiped on drop.
#[derive(Clone)]
pub(crate) struct Subkeys {
    whole: Zeroizing<[u8; BLOCK_BYTES]>,
    filled: Zeroizing<[u8; BLOCK_BYTES]>,
}

impl Subkeys {
    /// Computes those of CMAC with a chain that has taken in nothing and is not used again.
    ///
    /// # Errors
    /// The engine's.
    #[cfg(feature = "aws-lc")]
    pub(crate) fn of(chain: &mut impl Chain) -> Result<Self> {
        let mut block = Zeroizing::new([0; BLOCK_BYTES]);
        chain.last(&mut block)?;
        let whole = Zeroizing::new(doubled(*block));
        let filled = Zeroizing::new(doubled(*whole));
        Ok(Self { whole, filled })
    }

    /// Takes those of XCBC-MAC: for a last block that is whole, and for one that was filled up.
    pub(crate) fn given(whole: Zeroizing<[u8; BLOCK_BYTES]>, filled: Zeroizing<[u8; BLOCK_BYTES]>) -> Self {
        Self { whole, filled }
    }
}

#[cfg(feature = "aws-lc")]
fn doubled(block: [u8; BLOCK_BYTES]) -> [u8; BLOCK_BYTES] {
    use aes::cipher::array::Array;
    use aes::cipher::consts::U16;
    use dbl::Dbl;
    Array::<u8, U16>::from(block).dbl().into()
}

/// A running MAC, until its tag is taken.
pub(crate) struct CmacStream<C> {
    chain: Option<HeldChain<C>>,
    subkeys: Subkeys,
}

impl<C: Chain> CmacStream<C> {
    /// Starts with a chain that has taken in nothing.
    pub(crate) fn new(chain: C, subkeys: Subkeys) -> Self {
        Self { chain: Some(HeldChain::new(chain)), subkeys }
    }
}

impl<C: Chain> Mac for CmacStream<C> {
    fn update(&mut self, data: &[u8]) -> Result<()> {
        self.chain.as_mut().ok_or(MAC_IS_OVER)?.take_in(data)
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        let mut chain = self.chain.take().ok_or(MAC_IS_OVER)?;
        let subkey = if chain.is_whole() { &self.subkeys.whole } else { &self.subkeys.filled };
        chain.fill_up(0x80);
        Ok(chain.finish(subkey)?.to_vec())
    }

    fn tag_bytes(&self) -> usize {
        BLOCK_BYTES
    }

    fn save(&self) -> Option<SecretBytes> {
        self.chain.as_ref().map(HeldChain::save)
    }

    fn resume(&mut self, state: &[u8]) -> Result<()> {
        self.chain.as_mut().ok_or(MAC_IS_OVER)?.resume(state)
    }
}
