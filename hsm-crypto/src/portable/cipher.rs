//! AES modes of the portable engine: `aes`, `cbc`, `ctr` and `ghash` behind the framing of [`crate::modes`].
//!
//! Owns: the choice of crate types for mode, direction and key length, and the joining of CTR and GHASH to GCM with
//! any IV length (SP 800-38D, 7.1), which the `aes-gcm` crate offers for fixed lengths and whole messages only.
//! Called from `portable::PROVIDER`. The crates wipe their round keys on drop.

use crate::cipher::{Aead, Cipher, Direction, GcmParams, Mode};
use crate::error::{CryptoError, Result};
use crate::hash::{MAC_IS_OVER, Mac};
use crate::modes::block::{BLOCK_BYTES, BlockStream, Blocks};
use crate::modes::counter::{CounterStream, Keystream, check_counter_bits};
use crate::modes::galois::{Galois, GaloisStream, TAG_BYTES, check_params};
use crate::modes::stealing::StealingStream;
use crate::portable::hash::AES_KEY_LENGTH;
use crate::portable::{des, feedback, narrow, stealing, stream, xts};
use crate::secret::SecretBox;
use crate::secret::boxed;
use crate::symmetric::SymmetricKey;
use aes::cipher::array::Array;
use aes::cipher::consts::U16;
use aes::cipher::{
    BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, BlockSizeUser, InnerIvInit, Iv,
    KeyInit, StreamCipher,
};
use ctr::{Ctr32BE, Ctr128BE};
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Starts a cipher.
///
/// # Errors
/// `InvalidKey` for a key of another length than the mode's; `InvalidParameter` for a counter of impossible width.
pub(crate) fn cipher(mode: &Mode, direction: Direction, key: &SymmetricKey) -> Result<SecretBox<dyn Cipher>> {
    let key = key.expose();
    match mode {
        Mode::Xts { tweak } => return xts::xts(tweak, direction, key),
        Mode::TripleDes(mode) => return des::cipher(mode, direction, key),
        Mode::Stream(cipher) => return stream::stream(cipher, key),
        Mode::Ecb
        | Mode::Cbc { .. }
        | Mode::CbcPad { .. }
        | Mode::Ctr { .. }
        | Mode::Ofb { .. }
        | Mode::Cfb8 { .. }
        | Mode::Cfb1 { .. }
        | Mode::Cfb64 { .. }
        | Mode::Cfb128 { .. }
        | Mode::CbcCs1 { .. } => {}
    }
    match key.len() {
        16 => cipher_of::<aes::Aes128>(mode, direction, key),
        24 => cipher_of::<aes::Aes192>(mode, direction, key),
        32 => cipher_of::<aes::Aes256>(mode, direction, key),
        _ => Err(CryptoError::InvalidKey(AES_KEY_LENGTH)),
    }
}

/// Starts AES-GCM.
///
/// # Errors
/// `InvalidKey` unless the key has 16, 24 or 32 bytes; `InvalidParameter` as [`check_params`].
pub(crate) fn gcm(params: &GcmParams<'_>, direction: Direction, key: &SymmetricKey) -> Result<SecretBox<dyn Aead>> {
    check_params(params)?;
    let key = key.expose();
    match key.len() {
        16 => gcm_of::<aes::Aes128>(params, direction, key),
        24 => gcm_of::<aes::Aes192>(params, direction, key),
        32 => gcm_of::<aes::Aes256>(params, direction, key),
        _ => Err(CryptoError::InvalidKey(AES_KEY_LENGTH)),
    }
}

/// AES with a fixed key length, as every mode needs it.
pub(crate) trait Aes:
    BlockCipherEncrypt
    + BlockCipherDecrypt
    + BlockSizeUser<BlockSize = U16>
    + KeyInit
    + Clone
    + ZeroizeOnDrop
    + Send
    + 'static
{
    /// Expands a key of the right length.
    ///
    /// # Errors
    /// `InvalidKey` for any other length.
    fn expand(key: &[u8]) -> Result<Self> {
        // The only error of `new_from_slice` is a wrong length.
        Self::new_from_slice(key).map_err(|_| CryptoError::InvalidKey(AES_KEY_LENGTH))
    }
}

impl Aes for aes::Aes128 {}
impl Aes for aes::Aes192 {}
impl Aes for aes::Aes256 {}

fn cipher_of<A: Aes>(mode: &Mode, direction: Direction, key: &[u8]) -> Result<SecretBox<dyn Cipher>> {
    let aes = A::expand(key)?;
    Ok(match (mode, direction) {
        (Mode::Ecb, Direction::Encrypt) => boxed(BlockStream::new(EcbEncrypt(aes), direction, false)),
        (Mode::Ecb, Direction::Decrypt) => boxed(BlockStream::new(EcbDecrypt(aes), direction, false)),
        (Mode::Cbc { iv } | Mode::CbcPad { iv }, _) => {
            let padded = matches!(mode, Mode::CbcPad { .. });
            let iv = Array::from(*iv);
            match direction {
                Direction::Encrypt => {
                    let chain = CbcEncrypt(cbc::Encryptor::inner_iv_init(aes, &iv));
                    boxed(BlockStream::new(chain, direction, padded))
                }
                Direction::Decrypt => {
                    let chain = CbcDecrypt(cbc::Decryptor::inner_iv_init(aes, &iv));
                    boxed(BlockStream::new(chain, direction, padded))
                }
            }
        }
        (Mode::Ctr { block, counter_bits }, _) => {
            check_counter_bits(*counter_bits)?;
            let keystream =
                CtrKeystream(Ctr128BE::<A>::from_core(ctr::CtrCore::inner_iv_init(aes, &Array::from(*block))));
            boxed(CounterStream::new(keystream, block, *counter_bits)?)
        }
        (Mode::Ofb { iv }, _) => return Ok(feedback::ofb(aes, iv, direction)),
        (Mode::Cfb8 { iv }, _) => return Ok(feedback::cfb8(aes, iv, direction)),
        (Mode::Cfb1 { iv }, _) => return Ok(narrow::cfb1(aes, iv, direction)),
        (Mode::Cfb64 { iv }, _) => return Ok(narrow::cfb64(aes, iv, direction)),
        (Mode::Cfb128 { iv }, _) => return Ok(feedback::cfb128(aes, iv, direction)),
        (Mode::CbcCs1 { iv }, Direction::Encrypt) => {
            let (tail, iv_block) = (stealing::tail_of(aes.clone(), direction), Array::from(*iv));
            let chain = CbcEncrypt(cbc::Encryptor::inner_iv_init(aes, &iv_block));
            boxed(StealingStream::new(chain, tail, direction, iv))
        }
        (Mode::CbcCs1 { iv }, Direction::Decrypt) => {
            let (tail, iv_block) = (stealing::tail_of(aes.clone(), direction), Array::from(*iv));
            let chain = CbcDecrypt(cbc::Decryptor::inner_iv_init(aes, &iv_block));
            boxed(StealingStream::new(chain, tail, direction, iv))
        }
        (Mode::Xts { .. } | Mode::TripleDes(_) | Mode::Stream(_), _) => {
            return Err(CryptoError::Unsupported("not a cipher with a single AES key"));
        }
    })
}

struct EcbEncrypt<A>(A);

impl<A: Aes> Blocks for EcbEncrypt<A> {
    fn transform(&mut self, data: &mut [u8]) -> Result<()> {
        self.0.encrypt_blocks(whole_blocks(data)?);
        Ok(())
    }
}

struct EcbDecrypt<A>(A);

impl<A: Aes> Blocks for EcbDecrypt<A> {
    fn transform(&mut self, data: &mut [u8]) -> Result<()> {
        self.0.decrypt_blocks(whole_blocks(data)?);
        Ok(())
    }
}

struct CbcEncrypt<A: Aes>(cbc::Encryptor<A>);

impl<A: Aes> Blocks for CbcEncrypt<A> {
    fn transform(&mut self, data: &mut [u8]) -> Result<()> {
        self.0.encrypt_blocks(whole_blocks(data)?);
        Ok(())
    }
}

struct CbcDecrypt<A: Aes>(cbc::Decryptor<A>);

impl<A: Aes> Blocks for CbcDecrypt<A> {
    fn transform(&mut self, data: &mut [u8]) -> Result<()> {
        self.0.decrypt_blocks(whole_blocks(data)?);
        Ok(())
    }
}

/// Sees `data` as blocks.
pub(crate) fn whole_blocks(data: &mut [u8]) -> Result<&mut [Array<u8, U16>]> {
    let (blocks, rest) = Array::slice_as_chunks_mut(data);
    if rest.is_empty() { Ok(blocks) } else { Err(CryptoError::InputLength) }
}

struct CtrKeystream<A: Aes>(Ctr128BE<A>);

impl<A: Aes> Keystream for CtrKeystream<A> {
    fn apply(&mut self, data: &mut [u8]) -> Result<()> {
        // The only error is the end of the key stream, which the counter range keeps out of reach.
        self.0.try_apply_keystream(data).map_err(|_| CryptoError::InputLength)
    }
}

fn gcm_of<A: Aes>(params: &GcmParams<'_>, direction: Direction, key: &[u8]) -> Result<SecretBox<dyn Aead>> {
    let computation = Gcm::<A>::new(A::expand(key)?, params.iv, params.aad);
    Ok(boxed(GaloisStream::new(computation, direction, params.tag_bytes)))
}

/// CTR with a 32-bit counter and GHASH over the ciphertext.
struct Gcm<A: Aes> {
    keystream: Ctr32BE<A>,
    hash: GHash,
    /// Ciphertext that waits for the rest of its GHASH block.
    partial: Vec<u8>,
    /// The encrypted first counter block, with which the tag is masked.
    mask: [u8; TAG_BYTES],
    aad_bytes: u64,
    text_bytes: u64,
}

impl<A: Aes> Gcm<A> {
    fn new(aes: A, iv: &[u8], aad: &[u8]) -> Self {
        let mut subkey = Array::<u8, U16>::default();
        aes.encrypt_block(&mut subkey);
        let mut hash = GHash::new(&subkey);
        let first = first_counter_block(&hash, iv);
        subkey.zeroize();

        let mut mask = Array::from(first);
        aes.encrypt_block(&mut mask);
        let next = Iv::<Ctr32BE<A>>::from(next_counter_block(first));
        hash.update_padded(aad);
        Self {
            keystream: Ctr32BE::<A>::from_core(ctr::CtrCore::inner_iv_init(aes, &next)),
            hash,
            partial: Vec::with_capacity(BLOCK_BYTES),
            mask: mask.into(),
            aad_bytes: aad.len() as u64,
            text_bytes: 0,
        }
    }

    /// Hashes more ciphertext, in whole blocks.
    fn hash_text(&mut self, mut data: &[u8]) {
        self.text_bytes += data.len() as u64;
        if !self.partial.is_empty() {
            let taken = data.len().min(BLOCK_BYTES - self.partial.len());
            self.partial.extend_from_slice(&data[..taken]);
            data = &data[taken..];
            if self.partial.len() < BLOCK_BYTES {
                return;
            }
            self.hash.update_padded(&self.partial);
            self.partial.clear();
        }
        let whole = data.len() - data.len() % BLOCK_BYTES;
        self.hash.update_padded(&data[..whole]);
        self.partial.extend_from_slice(&data[whole..]);
    }

    /// The tag of data that is authenticated alone, and came through `hash_text`.
    fn tag_of_data_alone(&mut self) -> [u8; TAG_BYTES] {
        self.tag_over(self.text_bytes, 0)
    }

    fn tag_over(&self, aad_bytes: u64, text_bytes: u64) -> [u8; TAG_BYTES] {
        let mut hash = self.hash.clone();
        hash.update_padded(&self.partial);
        hash.update(&[lengths_block(aad_bytes, text_bytes)]);
        let mut tag: [u8; TAG_BYTES] = hash.finalize().into();
        for (byte, mask) in tag.iter_mut().zip(self.mask) {
            *byte ^= mask;
        }
        tag
    }

    fn apply_keystream(&mut self, input: &[u8], out: &mut [u8]) -> Result<()> {
        out.copy_from_slice(input);
        // The only error is the end of the key stream, which the message limit keeps out of reach.
        self.keystream.try_apply_keystream(out).map_err(|_| CryptoError::InputLength)
    }
}

impl<A: Aes> Galois for Gcm<A> {
    fn encrypt(&mut self, input: &[u8], out: &mut [u8]) -> Result<()> {
        self.apply_keystream(input, out)?;
        self.hash_text(out);
        Ok(())
    }

    fn decrypt(&mut self, input: &[u8], out: &mut [u8]) -> Result<()> {
        self.hash_text(input);
        self.apply_keystream(input, out)
    }

    fn tag(&mut self) -> Result<[u8; TAG_BYTES]> {
        Ok(self.tag_over(self.aad_bytes, self.text_bytes))
    }

    fn check_tag(&mut self, tag: &[u8]) -> Result<()> {
        let full = self.tag()?;
        let expected = full.get(..tag.len()).ok_or(CryptoError::DecryptionFailed)?;
        if bool::from(expected.ct_eq(tag)) { Ok(()) } else { Err(CryptoError::DecryptionFailed) }
    }
}

impl<A: Aes> Drop for Gcm<A> {
    fn drop(&mut self) {
        self.mask.zeroize();
    }
}

/// A GMAC: the message is what GCM calls associated data.
struct Gmac<A: Aes>(Option<Gcm<A>>);

/// Starts a GMAC.
///
/// # Errors
/// `InvalidKey` unless the key has 16, 24 or 32 bytes; `InvalidParameter` for an empty IV.
pub(crate) fn gmac(iv: &[u8], key: &SymmetricKey) -> Result<SecretBox<dyn Mac>> {
    fn of<A: Aes>(iv: &[u8], key: &[u8]) -> Result<SecretBox<dyn Mac>> {
        Ok(boxed(Gmac(Some(Gcm::<A>::new(A::expand(key)?, iv, &[])))))
    }
    check_params(&GcmParams { iv, aad: &[], tag_bytes: TAG_BYTES })?;
    let key = key.expose();
    match key.len() {
        16 => of::<aes::Aes128>(iv, key),
        24 => of::<aes::Aes192>(iv, key),
        32 => of::<aes::Aes256>(iv, key),
        _ => Err(CryptoError::InvalidKey(AES_KEY_LENGTH)),
    }
}

impl<A: Aes> Mac for Gmac<A> {
    fn update(&mut self, data: &[u8]) -> Result<()> {
        self.0.as_mut().ok_or(MAC_IS_OVER)?.hash_text(data);
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        Ok(self.0.take().ok_or(MAC_IS_OVER)?.tag_of_data_alone().to_vec())
    }

    fn tag_bytes(&self) -> usize {
        TAG_BYTES
    }
}

/// Makes J0 of SP 800-38D, 7.1: an IV of 96 bits is used as it is, any other is hashed.
fn first_counter_block(hash: &GHash, iv: &[u8]) -> [u8; BLOCK_BYTES] {
    if iv.len() == 12 {
        let mut block = [0; BLOCK_BYTES];
        block[..12].copy_from_slice(iv);
        block[15] = 1;
        return block;
    }
    let mut hash = hash.clone();
    hash.update_padded(iv);
    hash.update(&[lengths_block(0, iv.len() as u64)]);
    hash.finalize().into()
}

/// Adds one to the low 32 bits, modulo 2^32.
fn next_counter_block(mut block: [u8; BLOCK_BYTES]) -> [u8; BLOCK_BYTES] {
    let low = u32::from_be_bytes([block[12], block[13], block[14], block[15]]);
    block[12..].copy_from_slice(&low.wrapping_add(1).to_be_bytes());
    block
}

/// Two lengths in bits, as GHASH ends with them. Lengths in memory are far below 2^61 bytes.
fn lengths_block(first_bytes: u64, second_bytes: u64) -> Array<u8, U16> {
    let mut block = Array::<u8, U16>::default();
    block[..8].copy_from_slice(&(first_bytes << 3).to_be_bytes());
    block[8..].copy_from_slice(&(second_bytes << 3).to_be_bytes());
    block
}
