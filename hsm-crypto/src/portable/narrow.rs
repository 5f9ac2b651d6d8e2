//! CFB by less than a block where no crate has it: by single bits and by 64 of them.
//!
//! Owns: the shift register of SP 800-38A, 6.3, over AES of the crate `aes`. Both engines use it. Does not know: framing
//! ([`crate::modes`]). The register holds ciphertext, which is no secret; the key stream is wiped.

use crate::cipher::{Cipher, Direction};
use crate::error::Result;
use crate::modes::block::BLOCK_BYTES;
use crate::modes::counter::Keystream;
use crate::modes::feedback::{Fed, FeedbackStream};
use crate::portable::cipher::Aes;
use crate::secret::SecretBox;
use crate::secret::boxed;
use aes::cipher::array::Array;
use aes::cipher::consts::U16;
use zeroize::Zeroize;

/// Starts CFB by single bits.
pub(crate) fn cfb1<A: Aes>(aes: A, iv: &[u8; BLOCK_BYTES], direction: Direction) -> SecretBox<dyn Cipher> {
    let keystream = Bits { aes, register: u128::from_be_bytes(*iv), direction };
    boxed(FeedbackStream::new(keystream, Fed::Byte, direction))
}

/// Starts CFB by half blocks.
pub(crate) fn cfb64<A: Aes>(aes: A, iv: &[u8; BLOCK_BYTES], direction: Direction) -> SecretBox<dyn Cipher> {
    let keystream = Halves { aes, register: u128::from_be_bytes(*iv), stream: 0, used: HALF_BYTES, direction };
    // Whatever the width, a whole block of ciphertext fills the register.
    boxed(FeedbackStream::new(keystream, Fed::Block, direction))
}

/// Bytes of a half block.
const HALF_BYTES: usize = BLOCK_BYTES / 2;

/// The register, encrypted.
fn encrypted<A: Aes>(aes: &A, register: u128) -> u128 {
    let mut block: Array<u8, U16> = Array::from(register.to_be_bytes());
    aes.encrypt_block(&mut block);
    let stream = u128::from_be_bytes(block.into());
    block.zeroize();
    stream
}

struct Bits<A: Aes> {
    aes: A,
    register: u128,
    direction: Direction,
}

impl<A: Aes> Keystream for Bits<A> {
    fn apply(&mut self, data: &mut [u8]) -> Result<()> {
        for byte in data {
            for place in (0..u8::BITS).rev() {
                let input = u128::from(*byte >> place & 1);
                let output = input ^ (encrypted(&self.aes, self.register) >> 127);
                let ciphertext = if self.direction == Direction::Encrypt { output } else { input };
                self.register = self.register << 1 | ciphertext;
                *byte = *byte & !(1 << place) | (u8::from(output == 1) << place);
            }
        }
        Ok(())
    }
}

struct Halves<A: Aes> {
    aes: A,
    /// The ciphertext that is encrypted next, as far as it has come.
    register: u128,
    /// The key stream of the half block under way.
    stream: u64,
    /// How many of its bytes are used.
    used: usize,
    direction: Direction,
}

impl<A: Aes> Keystream for Halves<A> {
    fn apply(&mut self, data: &mut [u8]) -> Result<()> {
        for byte in data {
            if self.used == HALF_BYTES {
                self.stream = (encrypted(&self.aes, self.register) >> 64) as u64;
                self.used = 0;
            }
            let input = *byte;
            *byte ^= self.stream.to_be_bytes().get(self.used).copied().unwrap_or_default();
            let ciphertext = if self.direction == Direction::Encrypt { *byte } else { input };
            self.register = self.register << 8 | u128::from(ciphertext);
            self.used += 1;
        }
        Ok(())
    }
}

impl<A: Aes> Drop for Halves<A> {
    fn drop(&mut self) {
        self.stream.zeroize();
    }
}
