//! AES modes as the engines offer them: running ciphers, authenticated encryption, key wrap.

use crate::error::Result;

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
    /// Takes in `input` and appends to `out` what is ready.
    ///
    /// # Errors
    /// `InputLength` when a counter would wrap round.
    fn update(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<()>;
    /// Ends the message and appends the rest to `out`.
    ///
    /// # Errors
    /// `InputLength` when whole blocks are needed and a part is left; `DecryptionFailed` for bad padding.
    fn finish(&mut self, out: &mut Vec<u8>) -> Result<()>;
    /// Exactly how many bytes `update` would append for `input_bytes` more.
    fn update_bytes(&self, input_bytes: usize) -> usize;
    /// At most how many bytes `finish` would append after `input_bytes` more.
    fn finish_bytes_max(&self, input_bytes: usize) -> usize;
}

/// A running AES-GCM operation with any IV length from 1 byte and a tag of 32 to 128 bits (SP 800-38D).
///
/// Encryption streams. Decryption holds everything back until the tag, the last `tag_bytes` of the
/// input, has been checked; nothing is released before.
pub trait Aead: Send {
    /// Takes in more input and appends to `out` what is ready (always nothing when decrypting).
    ///
    /// # Errors
    /// `InputLength` above the mode's limit of 2^36 - 32 bytes.
    fn update(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<()>;
    /// Ends the message: appends the tag when encrypting, the plaintext when decrypting.
    ///
    /// # Errors
    /// `DecryptionFailed` when the tag does not match, `InputLength` when there was less input than a tag.
    fn finish(&mut self, out: &mut Vec<u8>) -> Result<()>;
    /// Exactly how many bytes `update` would append for `input_bytes` more.
    fn update_bytes(&self, input_bytes: usize) -> usize;
    /// Exactly how many bytes `finish` would append after `input_bytes` more (0 when input is shorter than a tag).
    fn finish_bytes(&self, input_bytes: usize) -> usize;
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcmParams {
    /// Initialisation vector, 1 byte or more.
    pub iv: Vec<u8>,
    /// Additional authenticated data.
    pub aad: Vec<u8>,
    /// Tag length in bytes, 4 to 16.
    pub tag_bytes: usize,
}
