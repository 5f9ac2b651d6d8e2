//! Ciphers as the engines offer them: running ciphers, authenticated encryption, key wrap.
//!
//! Owns: what can be asked of an engine, and how a running operation behaves. Does not know: engines. A [`Mode`] is one of AES
//! unless it names another cipher.

use crate::error::Result;
use crate::made_by::MadeBy;
use crate::secret::SecretBytes;
use crate::secret::seen_as;
use zeroize::Zeroize;

/// Whether a cipher encrypts or decrypts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Plaintext to ciphertext.
    Encrypt,
    /// Ciphertext to plaintext.
    Decrypt,
}

/// A cipher without authentication, with its parameters: a mode of AES, or another cipher.
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
    /// Output feedback (SP 800-38A, 6.4).
    Ofb {
        /// Initialisation vector.
        iv: [u8; 16],
    },
    /// Cipher feedback by single bytes (SP 800-38A, 6.3, with s = 8).
    Cfb8 {
        /// Initialisation vector.
        iv: [u8; 16],
    },
    /// Cipher feedback by single bits (s = 1), the highest of a byte first.
    Cfb1 {
        /// Initialisation vector.
        iv: [u8; 16],
    },
    /// Cipher feedback by half blocks (s = 64); the last one may be cut short.
    Cfb64 {
        /// Initialisation vector.
        iv: [u8; 16],
    },
    /// Cipher feedback by whole blocks (s = 128); the last one may be cut short.
    Cfb128 {
        /// Initialisation vector.
        iv: [u8; 16],
    },
    /// CBC with ciphertext stealing, variant CS1 (addendum to SP 800-38A): any length from one block.
    CbcCs1 {
        /// Initialisation vector.
        iv: [u8; 16],
    },
    /// XTS (SP 800-38E): the key is two different AES keys of 16 or 32 bytes, the message one data unit of 16 bytes to 16 MiB.
    Xts {
        /// Number of the data unit, as IEEE 1619 writes it: little-endian.
        tweak: [u8; 16],
    },
    /// Triple DES with three keys.
    TripleDes(DesMode),
    /// A stream cipher.
    Stream(StreamCipher),
}

/// A mode of triple DES, whose key has 24 bytes; parity bits are not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DesMode {
    /// ECB without padding.
    Ecb,
    /// CBC without padding.
    Cbc {
        /// Initialisation vector.
        iv: [u8; 8],
    },
    /// CBC with PKCS#7 padding.
    CbcPad {
        /// Initialisation vector.
        iv: [u8; 8],
    },
}

/// A stream cipher, whose key has 32 bytes, at the block of 64 bytes from which its key stream is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamCipher {
    /// ChaCha20 of RFC 8439.
    ChaCha20 {
        /// First block.
        block: u32,
        /// Nonce.
        nonce: [u8; 12],
    },
    /// ChaCha20 as Bernstein published it.
    ChaCha20Original {
        /// First block.
        block: u64,
        /// Nonce.
        nonce: [u8; 8],
    },
    /// XChaCha20 (draft-irtf-cfrg-xchacha).
    XChaCha20 {
        /// First block.
        block: u32,
        /// Nonce.
        nonce: [u8; 24],
    },
    /// Salsa20.
    Salsa20 {
        /// First block.
        block: u64,
        /// Nonce.
        nonce: [u8; 8],
    },
    /// XSalsa20.
    XSalsa20 {
        /// First block.
        block: u64,
        /// Nonce.
        nonce: [u8; 24],
    },
}

/// A running cipher; holds key material and wipes it on drop.
pub trait Cipher: MadeBy + Send {
    /// Takes in `input`, writes to the beginning of `out` what is ready, and returns how many bytes that was.
    ///
    /// `out` has `update_bytes` bytes at least. After an error its content is unspecified, and may be plaintext.
    ///
    /// # Errors
    /// `InputLength` when a counter would wrap round, or a message grows longer than the mode takes.
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
    /// Where the message is, so that another operation can go on from there; `None` where that cannot be told.
    fn position(&self) -> Option<Position> {
        None
    }
}

seen_as!(Cipher);

/// Where in a message a running cipher is: one that is started at `register`, and takes in `lead`, goes on from here.
pub struct Position {
    /// The initialisation vector or counter block to start with; `None` for that with which this one was started.
    pub register: Option<Vec<u8>>,
    /// What is taken in first; what it gives has left already.
    pub lead: SecretBytes,
}

/// A running authenticated encryption or decryption.
///
/// Encryption streams. Decryption holds everything back until the tag, the last `tag_bytes` of the
/// input, has been checked; when it does not match, no plaintext is left anywhere.
pub trait Aead: MadeBy + Send {
    /// Takes in more input, writes to the beginning of `out` what is ready (always nothing when decrypting), and returns
    /// how many bytes that was. `out` has `update_bytes` bytes at least.
    ///
    /// # Errors
    /// `InputLength` above the mode's limit: GCM's 2^36 - 32 bytes, to which ChaCha20-Poly1305 keeps here as well; in CCM
    /// the length announced.
    fn update_into(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize>;
    /// Ends the message: writes the tag when encrypting, the plaintext when decrypting, and returns how many bytes that
    /// was. `out` has `finish_bytes` bytes at least.
    ///
    /// # Errors
    /// `DecryptionFailed` when the tag does not match, `InputLength` when there was less input than a tag, or in CCM less
    /// than announced.
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

seen_as!(Aead);

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
    /// KW of what PKCS#7 has filled up to multiples of 8 bytes: 8 bytes or more, since KW takes 16 at least.
    Pkcs7,
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

/// Parameters of AES-CCM (SP 800-38C).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CcmParams<'a> {
    /// Nonce, 7 to 13 bytes: the longer it is, the shorter the message may be.
    pub nonce: &'a [u8],
    /// Additional authenticated data.
    pub aad: &'a [u8],
    /// Tag length in bytes: 4, 6, 8, 10, 12, 14 or 16.
    pub tag_bytes: usize,
    /// Length of the plaintext in bytes, which the first block of the computation contains.
    pub message_bytes: u64,
}

/// An authenticated encryption other than AES-GCM, with its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AeadParams<'a> {
    /// AES-CCM.
    Ccm(CcmParams<'a>),
    /// ChaCha20-Poly1305 (RFC 8439, 2.8), or XChaCha20-Poly1305 with the longer nonce; the tag has 16 bytes.
    ChaCha20Poly1305 {
        /// Nonce, 12 or 24 bytes.
        nonce: &'a [u8],
        /// Additional authenticated data.
        aad: &'a [u8],
    },
}
