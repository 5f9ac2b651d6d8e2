//! The end of a message in CBC-CS1, from the `cts` crate; both engines use it.
//!
//! Owns: the choice of crate types. Does not know: what comes before the end, which is [`crate::modes::stealing`]'s.

use crate::cipher::Direction;
use crate::error::{CryptoError, Result};
use crate::modes::block::BLOCK_BYTES;
use crate::modes::stealing::Tail;
use crate::portable::cipher::Aes;
use crate::secret::SecretBox;
use crate::secret::boxed;
use aes::cipher::InnerIvInit;
use aes::cipher::array::Array;
use cts::{CbcCs1, Decrypt, Encrypt};

#[cfg(feature = "aws-lc")]
use crate::portable::hash::AES_KEY_LENGTH;

/// The end of messages under a key.
///
/// # Errors
/// `InvalidKey` unless the key has 16, 24 or 32 bytes.
#[cfg(feature = "aws-lc")]
pub(crate) fn tail(key: &[u8], direction: Direction) -> Result<SecretBox<dyn Tail>> {
    Ok(match key.len() {
        16 => tail_of(aes::Aes128::expand(key)?, direction),
        24 => tail_of(aes::Aes192::expand(key)?, direction),
        32 => tail_of(aes::Aes256::expand(key)?, direction),
        _ => return Err(CryptoError::InvalidKey(AES_KEY_LENGTH)),
    })
}

/// As [`tail`], with the expanded key.
pub(crate) fn tail_of<A: Aes>(aes: A, direction: Direction) -> SecretBox<dyn Tail> {
    boxed(Cs1 { aes, direction })
}

struct Cs1<A> {
    aes: A,
    direction: Direction,
}

impl<A: Aes> Tail for Cs1<A> {
    fn transform(&mut self, before: &[u8; BLOCK_BYTES], data: &mut [u8]) -> Result<()> {
        let mode = CbcCs1::<A>::inner_iv_init(self.aes.clone(), &Array::from(*before));
        let outcome = match self.direction {
            Direction::Encrypt => mode.encrypt(data),
            Direction::Decrypt => mode.decrypt(data),
        };
        // The only error is less than a block.
        outcome.map_err(|_| CryptoError::InputLength)
    }
}
