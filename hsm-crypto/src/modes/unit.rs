//! XTS: a message is one data unit, and the end of it decides how its last two blocks are made.
//!
//! Owns: the limits of a data unit (SP 800-38E, 4) and the waiting for its end. Does not know: AES and tweaks, which the
//! engine supplies as [`DataUnit`].

use crate::cipher::Cipher;
use crate::error::{CryptoError, Result};
use crate::modes::block::BLOCK_BYTES;
use crate::modes::held::Held;

/// The most bytes of a data unit: 2^20 blocks.
const UNIT_BYTES_MAX: usize = BLOCK_BYTES << 20;

/// The transformation of one whole data unit.
pub(crate) trait DataUnit: Send {
    /// Transforms `data`, a block at least, in place; called once.
    ///
    /// # Errors
    /// Only what the engine itself may fail with.
    fn transform(&mut self, data: &mut [u8]) -> Result<()>;
}

/// A running XTS operation.
pub(crate) struct UnitStream<U> {
    unit: U,
    held: Held,
}

impl<U: DataUnit> UnitStream<U> {
    /// Starts with a unit that has its key and its tweak.
    pub(crate) fn new(unit: U) -> Self {
        Self { unit, held: Held::default() }
    }
}

/// Splits a key into its halves.
///
/// # Errors
/// `InvalidKey` unless there are two different AES keys of 16 or 32 bytes (SP 800-38E; FIPS 140-3 IG C.I).
pub(crate) fn halves(key: &[u8]) -> Result<(&[u8], &[u8])> {
    if !matches!(key.len(), 32 | 64) {
        return Err(CryptoError::InvalidKey("an XTS key has 32 or 64 bytes"));
    }
    let (first, second) = key.split_at(key.len() / 2);
    if bool::from(subtle::ConstantTimeEq::ct_eq(first, second)) {
        return Err(CryptoError::InvalidKey("the halves of an XTS key differ"));
    }
    Ok((first, second))
}

impl<U: DataUnit> Cipher for UnitStream<U> {
    fn update_into(&mut self, input: &[u8], _out: &mut [u8]) -> Result<usize> {
        if self.held.len() + input.len() > UNIT_BYTES_MAX {
            return Err(CryptoError::InputLength);
        }
        self.held.try_extend(input)?;
        Ok(0)
    }

    fn finish_into(&mut self, out: &mut [u8]) -> Result<usize> {
        let bytes = self.held.len();
        if bytes < BLOCK_BYTES {
            return Err(CryptoError::InputLength);
        }
        let out = &mut out[..bytes];
        out.copy_from_slice(self.held.bytes());
        self.held.clear();
        self.unit.transform(out)?;
        Ok(bytes)
    }

    fn update_bytes(&self, _input_bytes: usize) -> usize {
        0
    }

    fn finish_bytes_max(&self, input_bytes: usize) -> usize {
        self.held.len().saturating_add(input_bytes)
    }
}
