//! AES-XTS of the portable engine, from the `xts-mode` crate.
//!
//! Owns: the choice of crate types. The crate's ciphers wipe their round keys on drop.

use crate::cipher::{Cipher, Direction};
use crate::error::{CryptoError, Result};
use crate::modes::block::BLOCK_BYTES;
use crate::modes::unit::{DataUnit, UnitStream, halves};
use crate::portable::cipher::Aes;
use crate::secret::SecretBox;
use crate::secret::boxed;
use aes::cipher::array::Array;
use xts_mode::Xts128;

/// Starts XTS.
///
/// # Errors
/// `InvalidKey` as [`halves`].
pub(crate) fn xts(tweak: &[u8; BLOCK_BYTES], direction: Direction, key: &[u8]) -> Result<SecretBox<dyn Cipher>> {
    fn of<A: Aes + Sync>(
        tweak: &[u8; 16],
        direction: Direction,
        keys: (&[u8], &[u8]),
    ) -> Result<SecretBox<dyn Cipher>> {
        let xts = Xts128::new(A::expand(keys.0)?, A::expand(keys.1)?);
        Ok(boxed(UnitStream::new(Unit { xts, tweak: *tweak, direction })))
    }
    let keys = halves(key)?;
    match keys.0.len() {
        16 => of::<aes::Aes128>(tweak, direction, keys),
        _ => of::<aes::Aes256>(tweak, direction, keys),
    }
}

struct Unit<A> {
    xts: Xts128<A>,
    tweak: [u8; BLOCK_BYTES],
    direction: Direction,
}

impl<A: Aes> DataUnit for Unit<A> {
    fn transform(&mut self, data: &mut [u8]) -> Result<()> {
        // The crate ends the process for less than a block.
        if data.len() < BLOCK_BYTES {
            return Err(CryptoError::InputLength);
        }
        let tweak = Array::from(self.tweak);
        match self.direction {
            Direction::Encrypt => self.xts.encrypt_sector(data, tweak),
            Direction::Decrypt => self.xts.decrypt_sector(data, tweak),
        }
        Ok(())
    }
}
