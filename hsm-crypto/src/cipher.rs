//! AES modes as the engines offer them: running ciphers, authenticated encryption, key wrap.

use crate::error::Result;
use zeroize::Zeroize;

/// Whether a cipher encrypts or decrypts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Plaintext to ciphertext.
    Encrypt,
    /// Ciphertext to plaintext.
    Decrypt,
}

/// An AES mode without authentication, with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// ECB without padding.
    Ecb,
    /// CBC without padding.
    Cbc {
        /// Initialisation vector.
        iv: [u8; 16],
    },
    /// CBC with PKCS#7 padding.
    CbcPad {
        /// Initialisation vector.
        iv: [u8; 16],
    },
    /// Counter mode; only the low `counter_bits` of the block count up.
    Ctr {
        /// First counter block.
        block: [u8; 16],
        /// Width of the counter, 1 to 128 bits.
        counter_bits: u32,
    },
}

/// A running cipher; holds key material and wipes it on drop.
pub trait Cipher: Send {
    /// Takes in `input`, writes to the beginning of `out` what is ready, and returns how many bytes that was.
    ///
    /// `out` has `update_bytes` bytes at least. After an error its content is unspecified, and may be plaintext.
    ///
    /// # Errors
    /// `InputLength` when a counter would wrap round.
    fn update_into(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize>;
    /// Ends the message, writes the rest to the beginning of `out`, and returns how many bytes that was.
    ///
    /// `out` has `finish_bytes_max` bytes at least.
    ///
    /// # Errors
    /// `InputLength` when whole blocks are needed and a part is left; `DecryptionFailed` for bad padding.
    fn finish_into(&mut self, out: &mut [u8]) -> Result<usize>;
    /// As `update_into`, appending to a vector, in which an error leaves nothing.
    ///
    /// # Errors
    /// As `update_into`.
    fn update(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let bytes = self.update_bytes(input.len());
        append(out, bytes, |room| self.update_into(input, room))
    }
    /// As `finish_into`, appending to a vector, in which an error leaves nothing.
    ///
    /// # Errors
    /// As `finish_into`.
    fn finish(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let bytes = self.finish_bytes_max(0);
        append(out, bytes, |room| self.finish_into(room))
    }
    /// Exactly how many bytes `update` would append for `input_bytes` more.
    fn update_bytes(&self, input_bytes: usize) -> usize;
    /// At most how many bytes `finish` would append after `input_bytes` more.
    fn finish_bytes_max(&self, input_bytes: usize) -> usize;
}

/// A running AES-GCM operation with any IV length from 1 byte and a tag of 32 to 128 bits (SP 800-38D).
///
/// Encryption streams. Decryption holds everything back until the tag, the last `tag_bytes` of the
/// input, has been checked; when it does not match, no plaintext is left anywhere.
pub trait Aead: Send {
    /// Takes in more input, writes to the beginning of `out` what is ready (always nothing when decrypting), and returns
    /// how many bytes that was. `out` has `update_bytes` bytes at least.
    ///
    /// # Errors
    /// `InputLength` above the mode's limit of 2^36 - 32 bytes.
    fn update_into(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize>;
    /// Ends the message: writes the tag when encrypting, the plaintext when decrypting, and returns how many bytes that
    /// was. `out` has `finish_bytes` bytes at least.
    ///
    /// # Errors
    /// `DecryptionFailed` when the tag does not match, `InputLength` when there was less input than a tag.
    fn finish_into(&mut self, out: &mut [u8]) -> Result<usize>;
    /// Does a whole message at once, before any `update_into`; needs no memory of its own, also when decrypting.
    ///
    /// `out` has the room for `update_bytes` and `finish_bytes`.
    ///
    /// # Errors
    /// As `update_into` and `finish_into`.
    fn one_shot_into(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize>;
    /// As `update_into`, appending to a vector, in which an error leaves nothing.
    ///
    /// # Errors
    /// As `update_into`.
    fn update(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let bytes = self.update_bytes(input.len());
        append(out, bytes, |room| self.update_into(input, room))
    }
    /// As `finish_into`, appending to a vector, in which an error leaves nothing.
    ///
    /// # Errors
    /// As `finish_into`.
    fn finish(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let bytes = self.finish_bytes(0);
        append(out, bytes, |room| self.finish_into(room))
    }
    /// Exactly how many bytes `update` would append for `input_bytes` more.
    fn update_bytes(&self, input_bytes: usize) -> usize;
    /// Exactly how many bytes `finish` would append after `input_bytes` more (0 when input is shorter than a tag).
    fn finish_bytes(&self, input_bytes: usize) -> usize;
}

/// Lets `write` fill at most `bytes` bytes at the end of `out`, and keeps what it wrote.
fn append(out: &mut Vec<u8>, bytes: usize, write: impl FnOnce(&mut [u8]) -> Result<usize>) -> Result<()> {
    let start = out.len();
    out.resize(start + bytes, 0);
    let outcome = write(&mut out[start..]);
    let kept = start + outcome.as_ref().map_or(0, |written| *written);
    out[kept..].zeroize();
    out.truncate(kept);
    outcome.map(drop)
}

/// AES key wrap of SP 800-38F.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyWrap {
    /// KW: multiples of 8 bytes, 16 at least.
    Kw,
    /// KWP: 1 byte or more, padded to 8.
    Kwp,
}

/// Parameters of AES-GCM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GcmParams<'a> {
    /// Initialisation vector, 1 byte or more.
    pub iv: &'a [u8],
    /// Additional authenticated data.
    pub aad: &'a [u8],
    /// Tag length in bytes, 4 to 16.
    pub tag_bytes: usize,
}
