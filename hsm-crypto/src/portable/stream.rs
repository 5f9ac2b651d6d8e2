//! ChaCha20, Salsa20, Poly1305 and ChaCha20-Poly1305: `chacha20`, `salsa20` and `poly1305` behind the traits of this crate.
//!
//! Owns: the choice of crate types, the block from which a key stream is taken, and the joining of ChaCha20 and Poly1305 to a
//! running authenticated encryption (RFC 8439, 2.8), which the `chacha20poly1305` crate offers for whole messages only.
//! The crates wipe their state on drop. Rule source: RFC 8439, draft-irtf-cfrg-xchacha, Bernstein's Salsa20 family.

use crate::cipher::{Aead, Cipher, Direction, StreamCipher};
use crate::error::{CryptoError, Result};
use crate::hash::{MAC_IS_OVER, Mac};
use crate::modes::counter::Keystream;
use crate::modes::galois::{Galois, GaloisStream, TAG_BYTES};
use crate::modes::held::Held;
use crate::modes::stream::ByteStream;
use crate::secret::SecretBox;
use crate::secret::boxed;
use aes::cipher::{KeyIvInit, StreamCipher as ByteCipher, StreamCipherSeek};
use chacha20::{ChaCha20, ChaCha20Legacy, XChaCha20};
use poly1305::Poly1305;
use poly1305::universal_hash::{KeyInit, UniversalHash};
use salsa20::{Salsa20, XSalsa20};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Length of a block of key stream in bytes.
const STREAM_BLOCK_BYTES: u64 = 64;
/// Length of a block of Poly1305 in bytes.
const POLY_BLOCK_BYTES: usize = 16;

const KEY_LENGTH: CryptoError = CryptoError::InvalidKey("a key of this cipher has 32 bytes");

/// Starts a stream cipher; encryption and decryption are the same.
///
/// # Errors
/// `InvalidKey` unless the key has 32 bytes; `InvalidParameter` for a first block beyond the end of the key stream.
pub(crate) fn stream(cipher: &StreamCipher, key: &[u8]) -> Result<SecretBox<dyn Cipher>> {
    match cipher {
        StreamCipher::ChaCha20 { block, nonce } => at::<ChaCha20>(key, nonce, u64::from(*block)),
        StreamCipher::ChaCha20Original { block, nonce } => at::<ChaCha20Legacy>(key, nonce, *block),
        StreamCipher::XChaCha20 { block, nonce } => at::<XChaCha20>(key, nonce, u64::from(*block)),
        StreamCipher::Salsa20 { block, nonce } => at::<Salsa20>(key, nonce, *block),
        StreamCipher::XSalsa20 { block, nonce } => at::<XSalsa20>(key, nonce, *block),
    }
}

fn at<C>(key: &[u8], nonce: &[u8], block: u64) -> Result<SecretBox<dyn Cipher>>
where
    C: KeyIvInit + ByteCipher + StreamCipherSeek + Send + 'static,
{
    let mut cipher = keyed::<C>(key, nonce)?;
    // The position may need more bits than a block number has.
    let position = u128::from(block) * u128::from(STREAM_BLOCK_BYTES);
    cipher.try_seek(position).map_err(|_| CryptoError::InvalidParameter("the key stream has no such block"))?;
    Ok(boxed(ByteStream(Running(cipher))))
}

fn keyed<C: KeyIvInit>(key: &[u8], nonce: &[u8]) -> Result<C> {
    // The nonce has its length by its type or was judged, so the key's is all that can be wrong.
    C::new_from_slices(key, nonce).map_err(|_| KEY_LENGTH)
}

struct Running<C>(C);

impl<C: ByteCipher + Send> Keystream for Running<C> {
    fn apply(&mut self, data: &mut [u8]) -> Result<()> {
        // The only error is the end of the key stream.
        self.0.try_apply_keystream(data).map_err(|_| CryptoError::InputLength)
    }
}

/// A Poly1305 with the bytes that wait for the rest of their block.
struct RunningPoly {
    poly: Poly1305,
    partial: Held,
}

impl RunningPoly {
    fn new(key: &[u8]) -> Result<Self> {
        let poly = Poly1305::new_from_slice(key).map_err(|_| KEY_LENGTH)?;
        Ok(Self { poly, partial: Held::default() })
    }

    fn take_in(&mut self, mut data: &[u8]) {
        if self.partial.len() > 0 {
            let (now, later) = data.split_at(data.len().min(POLY_BLOCK_BYTES - self.partial.len()));
            self.partial.extend(now);
            data = later;
            if self.partial.len() < POLY_BLOCK_BYTES {
                return;
            }
            self.fill_up();
        }
        let (whole, rest) = data.split_at(data.len() - data.len() % POLY_BLOCK_BYTES);
        self.poly.update_padded(whole);
        self.partial.extend(rest);
    }

    /// Fills the last block with zero bytes.
    fn fill_up(&mut self) {
        self.poly.update_padded(self.partial.bytes());
        self.partial.clear();
    }
}

/// Starts a Poly1305.
///
/// # Errors
/// `InvalidKey` unless the key has 32 bytes.
pub(crate) fn poly1305(key: &[u8]) -> Result<SecretBox<dyn Mac>> {
    Ok(boxed(PolyMac(Some(RunningPoly::new(key)?))))
}

struct PolyMac(Option<RunningPoly>);

impl Mac for PolyMac {
    fn update(&mut self, data: &[u8]) -> Result<()> {
        self.0.as_mut().ok_or(MAC_IS_OVER)?.take_in(data);
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        let RunningPoly { poly, partial } = self.0.take().ok_or(MAC_IS_OVER)?;
        // A last block that is not whole ends with a one bit, not with zeros alone.
        Ok(poly.compute_unpadded(partial.bytes()).to_vec())
    }

    fn tag_bytes(&self) -> usize {
        TAG_BYTES
    }
}

/// Starts ChaCha20-Poly1305, or XChaCha20-Poly1305 where the nonce has 24 bytes.
///
/// # Errors
/// `InvalidKey` unless the key has 32 bytes, `InvalidParameter` unless the nonce has 12 or 24.
pub(crate) fn chacha20_poly1305(
    nonce: &[u8],
    aad: &[u8],
    direction: Direction,
    key: &[u8],
) -> Result<SecretBox<dyn Aead>> {
    Ok(match nonce.len() {
        12 => boxed(GaloisStream::new(ChaChaPoly::<ChaCha20>::new(key, nonce, aad)?, direction, TAG_BYTES)),
        24 => boxed(GaloisStream::new(ChaChaPoly::<XChaCha20>::new(key, nonce, aad)?, direction, TAG_BYTES)),
        _ => return Err(CryptoError::InvalidParameter("a nonce of ChaCha20-Poly1305 has 12 or 24 bytes")),
    })
}

/// ChaCha20 from its second block on, and Poly1305 over associated data, ciphertext and their lengths.
struct ChaChaPoly<C> {
    cipher: C,
    poly: Option<RunningPoly>,
    aad_bytes: u64,
    text_bytes: u64,
}

impl<C: KeyIvInit + ByteCipher + StreamCipherSeek> ChaChaPoly<C> {
    fn new(key: &[u8], nonce: &[u8], aad: &[u8]) -> Result<Self> {
        let mut cipher = keyed::<C>(key, nonce)?;
        let mut first = Zeroizing::new([0; STREAM_BLOCK_BYTES as usize]);
        cipher.try_apply_keystream(&mut *first).map_err(|_| CryptoError::InputLength)?;
        let mut poly = RunningPoly::new(&first[..32])?;
        poly.take_in(aad);
        poly.fill_up();
        Ok(Self { cipher, poly: Some(poly), aad_bytes: aad.len() as u64, text_bytes: 0 })
    }

    fn hash(&mut self, ciphertext: &[u8]) -> Result<()> {
        self.poly.as_mut().ok_or(MAC_IS_OVER)?.take_in(ciphertext);
        self.text_bytes += ciphertext.len() as u64;
        Ok(())
    }

    fn apply(&mut self, input: &[u8], out: &mut [u8]) -> Result<()> {
        out.copy_from_slice(input);
        // The only error is the end of the key stream, which the message limit keeps out of reach.
        self.cipher.try_apply_keystream(out).map_err(|_| CryptoError::InputLength)
    }
}

impl<C: KeyIvInit + ByteCipher + StreamCipherSeek + Send> Galois for ChaChaPoly<C> {
    fn encrypt(&mut self, input: &[u8], out: &mut [u8]) -> Result<()> {
        self.apply(input, out)?;
        self.hash(out)
    }

    fn decrypt(&mut self, input: &[u8], out: &mut [u8]) -> Result<()> {
        self.hash(input)?;
        self.apply(input, out)
    }

    fn tag(&mut self) -> Result<[u8; TAG_BYTES]> {
        let mut poly = self.poly.take().ok_or(MAC_IS_OVER)?;
        poly.fill_up();
        let mut lengths = [0; POLY_BLOCK_BYTES];
        lengths[..8].copy_from_slice(&self.aad_bytes.to_le_bytes());
        lengths[8..].copy_from_slice(&self.text_bytes.to_le_bytes());
        poly.take_in(&lengths);
        Ok(poly.poly.finalize().into())
    }

    fn check_tag(&mut self, tag: &[u8]) -> Result<()> {
        let full = self.tag()?;
        let expected = full.get(..tag.len()).ok_or(CryptoError::DecryptionFailed)?;
        if bool::from(expected.ct_eq(tag)) { Ok(()) } else { Err(CryptoError::DecryptionFailed) }
    }
}
