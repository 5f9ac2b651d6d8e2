//! Ciphers whose every byte leaves at once: feedback modes and stream ciphers.
//!
//! Owns: nothing but the form of a [`Cipher`]. Does not know: which cipher, and how long its key stream is.

use crate::cipher::Cipher;
use crate::error::Result;
use crate::modes::counter::Keystream;

/// A running cipher over a key stream, which refuses by itself what is beyond its end.
pub(crate) struct ByteStream<K>(pub(crate) K);

impl<K: Keystream> Cipher for ByteStream<K> {
    fn update_into(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize> {
        self.0.apply_into(input, &mut out[..input.len()])?;
        Ok(input.len())
    }

    fn finish_into(&mut self, _out: &mut [u8]) -> Result<usize> {
        Ok(0)
    }

    fn update_bytes(&self, input_bytes: usize) -> usize {
        input_bytes
    }

    fn finish_bytes_max(&self, _input_bytes: usize) -> usize {
        0
    }
}
