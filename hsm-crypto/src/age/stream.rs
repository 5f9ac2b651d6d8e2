//! The content of an age file: chunks of 64 KiB, each with a tag, numbered, the last one marked.
//!
//! Owns: that nothing is handed out before its tag is checked, and that the end is the end. Does not know: headers.
//! Rule source: the age specification, "Payload" (the STREAM construction).

use super::keys::cipher;
use crate::error::{CryptoError, Result};
use crate::kdf::hkdf_sha256;
use crate::secret::SecretBytes;
use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::AeadInOut;
use std::io::{self, Read, Write};
use zeroize::Zeroizing;

/// Content of a full chunk.
const CHUNK_BYTES: usize = 64 << 10;
/// Its tag.
const TAG_BYTES: usize = 16;
/// A full chunk in the file.
const SEALED_BYTES: usize = CHUNK_BYTES + TAG_BYTES;

/// Seals or opens chunk after chunk.
struct Chunks {
    cipher: ChaCha20Poly1305,
    number: u64,
}

impl Chunks {
    fn new(file_key: &SecretBytes, nonce: &[u8; 16]) -> Result<Self> {
        let key = hkdf_sha256(file_key.expose(), nonce, b"payload", 32)?;
        Ok(Self { cipher: cipher(&key)?, number: 0 })
    }

    /// The nonce of the next chunk: its number in 11 bytes, and whether it is the last.
    fn nonce(&mut self, last: bool) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&self.number.to_be_bytes());
        nonce[11] = last.into();
        self.number += 1;
        nonce
    }
}

/// Takes the content of a file; [`Writer::finish`] ends it.
pub struct Writer<W> {
    out: W,
    chunks: Chunks,
    held: Zeroizing<Vec<u8>>,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W, file_key: &SecretBytes, nonce: &[u8; 16]) -> io::Result<Self> {
        let chunks = Chunks::new(file_key, nonce).map_err(io::Error::other)?;
        // Room for the tag, too, so that no unwiped copy is left behind.
        Ok(Self { out, chunks, held: Zeroizing::new(Vec::with_capacity(SEALED_BYTES)) })
    }

    /// Writes the last chunk and answers the writer underneath, which is not flushed.
    ///
    /// # Errors
    /// The writer's.
    pub fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        Ok(self.out)
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let nonce = self.chunks.nonce(last).into();
        let sealed = self.chunks.cipher.encrypt_in_place(&nonce, b"", &mut *self.held);
        // The only error is a chunk above the mode's limit.
        sealed.map_err(|_| io::Error::other(CryptoError::InputLength))?;
        self.out.write_all(&self.held)?;
        self.held.clear();
        Ok(())
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits for more, because only then it is not the last.
        if self.held.len() == CHUNK_BYTES && !bytes.is_empty() {
            self.seal(false)?;
        }
        let taken = bytes.len().min(CHUNK_BYTES - self.held.len());
        self.held.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Gives the content of a file, chunk by checked chunk; what was changed, cut off or added is an error of kind `InvalidData`.
pub struct Reader<R> {
    input: R,
    chunks: Chunks,
    /// The opened chunk, and how much of it was handed out.
    open: SecretBytes,
    given: usize,
    /// The first byte of the next chunk, which tells that the present one is not the last.
    next: Option<u8>,
    ended: bool,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(input: R, file_key: &SecretBytes, nonce: &[u8; 16]) -> Result<Self> {
        let chunks = Chunks::new(file_key, nonce)?;
        Ok(Self { input, chunks, open: SecretBytes::default(), given: 0, next: None, ended: false })
    }

    fn open_next(&mut self) -> io::Result<()> {
        let mut sealed = Vec::with_capacity(SEALED_BYTES + 1);
        sealed.extend(self.next.take());
        let room = SEALED_BYTES + 1 - sealed.len();
        self.input.by_ref().take(room as u64).read_to_end(&mut sealed)?;
        if sealed.len() > SEALED_BYTES {
            self.next = sealed.pop();
        }
        let last = self.next.is_none();
        let first = self.chunks.number == 0;
        let Some((text, tag)) = sealed.split_last_chunk::<TAG_BYTES>() else { return Err(damaged("ends too early")) };
        if text.is_empty() && !first {
            return Err(damaged("has an empty last part"));
        }
        let mut opened = SecretBytes::copy_of(text);
        let (nonce, tag) = (self.chunks.nonce(last).into(), (*tag).into());
        let done = self.chunks.cipher.decrypt_inout_detached(&nonce, b"", opened.expose_mut().into(), &tag);
        // Decryption has one answer for every failure.
        done.map_err(|_| damaged("does not decrypt: it was cut off or changed"))?;
        (self.open, self.given, self.ended) = (opened, 0, last);
        Ok(())
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.open.len() {
            if self.ended {
                return Ok(0);
            }
            self.open_next()?;
        }
        let rest = &self.open.expose()[self.given..];
        let taken = rest.len().min(out.len());
        out[..taken].copy_from_slice(&rest[..taken]);
        self.given += taken;
        Ok(taken)
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the content {what}"))
}
