//! The order of events in authenticated encryption, GCM's first of all: encryption streams, decryption keeps everything until the tag is checked.
//!
//! Owns: parameter and length limits (SP 800-38D, 5.2.1), buffering, the tag comparison. Does not know: ciphers and
//! hashes, which the engine supplies as [`Galois`]. Used by both engines.

use crate::cipher::{Aead, Direction, GcmParams};
use crate::error::{CryptoError, Result};
use crate::memory;
use zeroize::Zeroize;

/// Length of the full tag in bytes.
pub(crate) const TAG_BYTES: usize = 16;
/// The most bytes one message may have: 2^39 - 256 bits.
const MESSAGE_BYTES_MAX: u64 = (1 << 36) - 32;

/// A computation that has taken in key, IV and associated data.
pub(crate) trait Galois: Send {
    /// The most bytes of plaintext.
    fn message_bytes_max(&self) -> u64 {
        MESSAGE_BYTES_MAX
    }

    /// Judges the length of the whole plaintext, before the tag is made and before anything is decrypted.
    ///
    /// # Errors
    /// `InputLength`.
    fn check_message_bytes(&self, _bytes: u64) -> Result<()> {
        Ok(())
    }

    /// Encrypts `input` into `out` of the same length and hashes the ciphertext.
    ///
    /// # Errors
    /// Only what the engine itself may fail with.
    fn encrypt(&mut self, input: &[u8], out: &mut [u8]) -> Result<()>;

    /// Hashes the ciphertext `input` and decrypts it into `out` of the same length, before anybody has looked at a tag:
    /// the caller wipes `out` when the tag turns out to be wrong. Called once, with the whole message.
    ///
    /// # Errors
    /// Only what the engine itself may fail with.
    fn decrypt(&mut self, input: &[u8], out: &mut [u8]) -> Result<()>;

    /// Returns the full tag of everything that was encrypted.
    ///
    /// # Errors
    /// Only what the engine itself may fail with.
    fn tag(&mut self) -> Result<[u8; TAG_BYTES]>;

    /// Compares in constant time `tag`, which may be a truncation, with that of everything that was decrypted.
    ///
    /// # Errors
    /// `DecryptionFailed` when it differs.
    fn check_tag(&mut self, tag: &[u8]) -> Result<()>;
}

/// A running operation.
pub(crate) struct GaloisStream<G> {
    galois: G,
    direction: Direction,
    tag_bytes: usize,
    message_bytes: u64,
    /// Ciphertext and tag so far, when decrypting in parts.
    held: Vec<u8>,
}

/// Refuses parameters that GCM does not have.
///
/// # Errors
/// `InvalidParameter` for an empty IV, one above 2^61 - 1 bytes, or a tag that is not 4 to 16 bytes long.
pub(crate) fn check_params(params: &GcmParams<'_>) -> Result<()> {
    if params.iv.is_empty() {
        return Err(CryptoError::InvalidParameter("a GCM IV has one byte at least"));
    }
    if !(4..=TAG_BYTES).contains(&params.tag_bytes) {
        return Err(CryptoError::InvalidParameter("a GCM tag has 4 to 16 bytes"));
    }
    Ok(())
}

impl<G: Galois> GaloisStream<G> {
    /// Starts a stream over a computation prepared from parameters that [`check_params`] accepted.
    pub(crate) fn new(galois: G, direction: Direction, tag_bytes: usize) -> Self {
        Self { galois, direction, tag_bytes, message_bytes: 0, held: Vec::new() }
    }
}

impl<G: Galois> GaloisStream<G> {
    /// Counts more of the message.
    ///
    /// # Errors
    /// `InputLength` above the mode's limit.
    fn count(&mut self, input: &[u8]) -> Result<()> {
        let total = self.message_bytes.saturating_add(input.len() as u64);
        let limit = match self.direction {
            Direction::Encrypt => self.galois.message_bytes_max(),
            Direction::Decrypt => self.galois.message_bytes_max().saturating_add(self.tag_bytes as u64),
        };
        if total > limit {
            return Err(CryptoError::InputLength);
        }
        self.message_bytes = total;
        Ok(())
    }
}

/// Decrypts a whole message, ciphertext and tag, to the beginning of `out`, and wipes that when the tag is wrong.
fn open(galois: &mut impl Galois, tag_bytes: usize, message: &[u8], out: &mut [u8]) -> Result<usize> {
    let text_bytes = message.len().checked_sub(tag_bytes).ok_or(CryptoError::InputLength)?;
    galois.check_message_bytes(text_bytes as u64)?;
    let (text, tag) = message.split_at(text_bytes);
    let out = &mut out[..text_bytes];
    let outcome = galois.decrypt(text, out).and_then(|()| galois.check_tag(tag));
    if outcome.is_err() {
        out.zeroize();
    }
    outcome.map(|()| text_bytes)
}

impl<G: Galois> Aead for GaloisStream<G> {
    fn update_into(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize> {
        self.count(input)?;
        match self.direction {
            Direction::Encrypt => {
                self.galois.encrypt(input, &mut out[..input.len()])?;
                Ok(input.len())
            }
            Direction::Decrypt => {
                memory::reserve(&mut self.held, input.len())?;
                self.held.extend_from_slice(input);
                Ok(0)
            }
        }
    }

    fn finish_into(&mut self, out: &mut [u8]) -> Result<usize> {
        match self.direction {
            Direction::Encrypt => {
                self.galois.check_message_bytes(self.message_bytes)?;
                let tag = self.galois.tag()?;
                out[..self.tag_bytes].copy_from_slice(&tag[..self.tag_bytes]);
                Ok(self.tag_bytes)
            }
            Direction::Decrypt => open(&mut self.galois, self.tag_bytes, &self.held, out),
        }
    }

    fn one_shot_into(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize> {
        match self.direction {
            Direction::Encrypt => {
                let text_bytes = self.update_into(input, out)?;
                Ok(text_bytes + self.finish_into(&mut out[text_bytes..])?)
            }
            Direction::Decrypt => {
                self.count(input)?;
                open(&mut self.galois, self.tag_bytes, input, out)
            }
        }
    }

    fn update_bytes(&self, input_bytes: usize) -> usize {
        match self.direction {
            Direction::Encrypt => input_bytes,
            Direction::Decrypt => 0,
        }
    }

    fn finish_bytes(&self, input_bytes: usize) -> usize {
        match self.direction {
            Direction::Encrypt => self.tag_bytes,
            Direction::Decrypt => self.held.len().saturating_add(input_bytes).saturating_sub(self.tag_bytes),
        }
    }
}
