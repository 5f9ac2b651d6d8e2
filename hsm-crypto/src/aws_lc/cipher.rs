//! AES modes, CMAC, GMAC and ChaCha20-Poly1305 of AWS-LC, on `aws-lc-sys`: `aws-lc-rs` streams only with its own padding rules and knows
//! GCM with 12-byte IVs and full tags only.
//!
//! Owns: one cipher context for one operation. Does not know: framing, padding, limits and lengths, which are
//! [`crate::modes`]' for both engines. Called from `aws_lc::PROVIDER`. Rule source: SP 800-38A, SP 800-38D.

use super::object::{NO_MEMORY, Owned, succeeded};
use crate::cipher::{Aead, AeadParams, Cipher, Direction, GcmParams, Mode};
use crate::error::{CryptoError, Result};
use crate::hash::{CipherMac, MAC_IS_OVER, Mac};
use crate::modes::block::{BLOCK_BYTES, BlockStream, Blocks};
use crate::modes::ccm::{self, Ccm};
use crate::modes::chain::{Chain, last_block};
use crate::modes::cmac::{CmacStream, Subkeys};
use crate::modes::counter::{CounterStream, Keystream, check_counter_bits};
use crate::modes::feedback::{Fed, FeedbackStream};
use crate::modes::galois::{Galois, GaloisStream, TAG_BYTES, check_params};
use crate::modes::stealing::StealingStream;
use crate::modes::unit::{DataUnit, UnitStream, halves};
use crate::portable;
use crate::portable::hash::AES_KEY_LENGTH;
use crate::secret::SecretBox;
use crate::secret::boxed;
use crate::symmetric::SymmetricKey;
use aws_lc_sys::{
    EVP_CIPHER, EVP_CIPHER_CTX, EVP_CIPHER_CTX_copy, EVP_CIPHER_CTX_ctrl, EVP_CIPHER_CTX_new,
    EVP_CIPHER_CTX_set_padding, EVP_CTRL_AEAD_GET_TAG, EVP_CTRL_AEAD_SET_IVLEN, EVP_CTRL_AEAD_SET_TAG,
    EVP_CipherFinal_ex, EVP_CipherInit_ex, EVP_CipherUpdate, EVP_aes_128_cbc, EVP_aes_128_cfb8, EVP_aes_128_cfb128,
    EVP_aes_128_ctr, EVP_aes_128_ecb, EVP_aes_128_gcm, EVP_aes_128_ofb, EVP_aes_192_cbc, EVP_aes_192_cfb8,
    EVP_aes_192_cfb128, EVP_aes_192_ctr, EVP_aes_192_ecb, EVP_aes_192_gcm, EVP_aes_192_ofb, EVP_aes_256_cbc,
    EVP_aes_256_cfb8, EVP_aes_256_cfb128, EVP_aes_256_ctr, EVP_aes_256_ecb, EVP_aes_256_gcm, EVP_aes_256_ofb,
    EVP_aes_256_xts, EVP_chacha20_poly1305,
};
use std::os::raw::c_int;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use zeroize::Zeroize;

/// Starts a cipher.
///
/// # Errors
/// `InvalidKey` for a key of another length than the mode's; `InvalidParameter` for a counter of impossible width.
pub(super) fn cipher(mode: &Mode, direction: Direction, key: &SymmetricKey) -> Result<SecretBox<dyn Cipher>> {
    let start = |kind, iv| Context::start(kind, direction, key, iv);
    Ok(match mode {
        Mode::Ecb => boxed(BlockStream::new(start(Kind::Ecb, None)?, direction, false)),
        Mode::Cbc { iv } => boxed(BlockStream::new(start(Kind::Cbc, Some(iv))?, direction, false)),
        Mode::CbcPad { iv } => boxed(BlockStream::new(start(Kind::Cbc, Some(iv))?, direction, true)),
        Mode::Ctr { block, counter_bits } => {
            check_counter_bits(*counter_bits)?;
            boxed(CounterStream::new(start(Kind::Ctr, Some(block))?, block, *counter_bits)?)
        }
        Mode::Ofb { iv } => boxed(FeedbackStream::new(start(Kind::Ofb, Some(iv))?, Fed::Keystream, direction)),
        Mode::Cfb8 { iv } => boxed(FeedbackStream::new(start(Kind::Cfb8, Some(iv))?, Fed::Byte, direction)),
        Mode::Cfb128 { iv } => boxed(FeedbackStream::new(start(Kind::Cfb128, Some(iv))?, Fed::Block, direction)),
        Mode::CbcCs1 { iv } => {
            let tail = portable::stealing::tail(key.expose(), direction)?;
            boxed(StealingStream::new(start(Kind::Cbc, Some(iv))?, tail, direction, iv))
        }
        // AWS-LC has XTS with AES-256 alone.
        Mode::Xts { tweak } if key.expose().len() == 64 => {
            halves(key.expose())?;
            boxed(UnitStream::new(start(Kind::Xts, Some(tweak))?))
        }
        Mode::Xts { .. } | Mode::TripleDes(_) | Mode::Stream(_) => portable::cipher::cipher(mode, direction, key)?,
        // AWS-LC has no CFB64, and its CFB1 is deprecated; both are rare.
        Mode::Cfb1 { .. } | Mode::Cfb64 { .. } => portable::cipher::cipher(mode, direction, key)?,
    })
}

/// Starts AES-GCM.
///
/// # Errors
/// `InvalidKey` unless the key has 16, 24 or 32 bytes; `InvalidParameter` as [`check_params`].
pub(super) fn gcm(params: &GcmParams<'_>, direction: Direction, key: &SymmetricKey) -> Result<SecretBox<dyn Aead>> {
    check_params(params)?;
    let context = Context::start_authenticated(Kind::Gcm, params, direction, key)?;
    Ok(boxed(GaloisStream::new(context, direction, params.tag_bytes)))
}

/// Starts an authenticated encryption other than AES-GCM.
///
/// # Errors
/// `InvalidKey` for a key of another length than the cipher's; `InvalidParameter` for a nonce, tag or length out of range.
pub(super) fn aead(params: &AeadParams<'_>, direction: Direction, key: &SymmetricKey) -> Result<SecretBox<dyn Aead>> {
    match params {
        AeadParams::Ccm(params) => {
            ccm::check_params(params)?;
            let (zeros, counter) = ([0; BLOCK_BYTES], ccm::first_counter_block(params));
            let chain = Context::start(Kind::Cbc, Direction::Encrypt, key, Some(&zeros))?;
            let keystream = Context::start(Kind::Ctr, Direction::Encrypt, key, Some(&counter))?;
            Ok(boxed(GaloisStream::new(Ccm::new(chain, keystream, params)?, direction, params.tag_bytes)))
        }
        AeadParams::ChaCha20Poly1305 { nonce, aad } if nonce.len() == 12 => {
            let params = GcmParams { iv: nonce, aad, tag_bytes: TAG_BYTES };
            let context = Context::start_authenticated(Kind::ChaChaPoly, &params, direction, key)?;
            Ok(boxed(GaloisStream::new(context, direction, TAG_BYTES)))
        }
        AeadParams::ChaCha20Poly1305 { .. } => portable::ccm::aead(params, direction, key),
    }
}

/// Starts a MAC from a cipher.
///
/// # Errors
/// `InvalidKey` for a key of another length than the MAC's; `InvalidParameter` for an empty IV.
pub(super) fn cipher_mac(mac: &CipherMac<'_>, key: &SymmetricKey) -> Result<SecretBox<dyn Mac>> {
    match mac {
        CipherMac::Gmac { iv } => {
            let params = GcmParams { iv, aad: &[], tag_bytes: TAG_BYTES };
            check_params(&params)?;
            let context = Context::start_authenticated(Kind::Gcm, &params, Direction::Encrypt, key)?;
            Ok(boxed(Gmac(Some(context))))
        }
        _ => portable::mac::cipher_mac(mac, key),
    }
}

/// Starts an AES-CMAC.
///
/// # Errors
/// `InvalidKey` unless the key has 16, 24 or 32 bytes.
pub(super) fn cmac(key: &SymmetricKey) -> Result<SecretBox<dyn Mac>> {
    let ciphers = &key.aws_lc.ciphers;
    let start = || Context::start(Kind::Cbc, Direction::Encrypt, key, Some(&[0; BLOCK_BYTES]));
    let subkeys = match ciphers.subkeys.get() {
        Some(subkeys) => subkeys,
        None => {
            let made = Subkeys::of(&mut start()?)?;
            ciphers.subkeys.get_or_init(|| made)
        }
    };
    Ok(boxed(CmacStream::new(start()?, subkeys.clone())))
}

#[derive(Clone, Copy)]
enum Kind {
    Ecb,
    Cbc,
    Ctr,
    Gcm,
    Ofb,
    Cfb8,
    Cfb128,
    Xts,
    ChaChaPoly,
}

/// How many kinds there are.
const KINDS: usize = Kind::ChaChaPoly as usize + 1;

/// Contexts that hold the key and nothing of a message, one for each kind and direction, and the subkeys of CMAC.
#[derive(Default)]
pub(super) struct PreparedCiphers {
    contexts: [OnceLock<Template>; 2 * KINDS],
    /// Which of them were wanted before, a bit each: the second operation is the first one that makes a template.
    wanted: AtomicU32,
    subkeys: OnceLock<Subkeys>,
}

/// A context that is only ever copied.
struct Template(Owned<EVP_CIPHER_CTX>);

// SAFETY: after it was made, `EVP_CIPHER_CTX_copy` alone reads it, which takes it as constant.
unsafe impl Sync for Template {}

/// The most bytes that one call of AWS-LC is given: lengths are C `int`s there, and whole blocks here.
const CALL_BYTES_MAX: usize = 1 << 30;

const FAILED: CryptoError = CryptoError::EngineFailed("a cipher of AWS-LC");

/// Finds AWS-LC's description of a cipher.
fn description(kind: Kind, key_bytes: usize) -> Result<*const EVP_CIPHER> {
    let describe = match (kind, key_bytes) {
        (Kind::Ecb, 16) => EVP_aes_128_ecb,
        (Kind::Ecb, 24) => EVP_aes_192_ecb,
        (Kind::Ecb, 32) => EVP_aes_256_ecb,
        (Kind::Cbc, 16) => EVP_aes_128_cbc,
        (Kind::Cbc, 24) => EVP_aes_192_cbc,
        (Kind::Cbc, 32) => EVP_aes_256_cbc,
        (Kind::Ctr, 16) => EVP_aes_128_ctr,
        (Kind::Ctr, 24) => EVP_aes_192_ctr,
        (Kind::Ctr, 32) => EVP_aes_256_ctr,
        (Kind::Gcm, 16) => EVP_aes_128_gcm,
        (Kind::Gcm, 24) => EVP_aes_192_gcm,
        (Kind::Gcm, 32) => EVP_aes_256_gcm,
        (Kind::Ofb, 16) => EVP_aes_128_ofb,
        (Kind::Ofb, 24) => EVP_aes_192_ofb,
        (Kind::Ofb, 32) => EVP_aes_256_ofb,
        (Kind::Cfb8, 16) => EVP_aes_128_cfb8,
        (Kind::Cfb8, 24) => EVP_aes_192_cfb8,
        (Kind::Cfb8, 32) => EVP_aes_256_cfb8,
        (Kind::Cfb128, 16) => EVP_aes_128_cfb128,
        (Kind::Cfb128, 24) => EVP_aes_192_cfb128,
        (Kind::Cfb128, 32) => EVP_aes_256_cfb128,
        (Kind::Xts, 64) => EVP_aes_256_xts,
        (Kind::ChaChaPoly, 32) => EVP_chacha20_poly1305,
        (Kind::ChaChaPoly, _) => return Err(CryptoError::InvalidKey("a key of this cipher has 32 bytes")),
        _ => return Err(CryptoError::InvalidKey(AES_KEY_LENGTH)),
    };
    // SAFETY: each of these functions has no preconditions and returns a constant.
    Ok(unsafe { describe() })
}

/// A cipher context that holds the key; AWS-LC wipes it when it is freed.
struct Context(Owned<EVP_CIPHER_CTX>);

impl Context {
    fn new() -> Result<Self> {
        // SAFETY: has no preconditions.
        let context = unsafe { EVP_CIPHER_CTX_new() };
        Ok(Self(Owned::take(context, NO_MEMORY)?))
    }

    /// A context with the key in it, copied from the key's template where this is not the first operation of its kind.
    fn keyed(kind: Kind, direction: Direction, key: &SymmetricKey) -> Result<Self> {
        let place = 2 * kind as usize + usize::from(direction == Direction::Decrypt);
        let ciphers = &key.aws_lc.ciphers;
        let prepared = &ciphers.contexts[place];
        let template = match prepared.get() {
            Some(template) => template,
            None if ciphers.wanted.fetch_or(1 << place, Ordering::Relaxed) & (1 << place) == 0 => {
                return Self::prepare(kind, direction, key.expose());
            }
            None => {
                let made = Self::prepare(kind, direction, key.expose())?;
                prepared.get_or_init(|| Template(made.0))
            }
        };
        let context = Self::new()?;
        // SAFETY: both contexts are alive; the new one is empty, and nobody writes to the other.
        let answer = unsafe { EVP_CIPHER_CTX_copy(context.0.as_ptr(), template.0.as_ptr()) };
        succeeded(answer, NO_MEMORY)?;
        Ok(context)
    }

    fn prepare(kind: Kind, direction: Direction, key: &[u8]) -> Result<Self> {
        let cipher = description(kind, key.len())?;
        let context = Self::new()?;
        context.init(cipher, key.as_ptr(), ptr::null(), direction)?;
        // SAFETY: the context is alive and initialised.
        let answer = unsafe { EVP_CIPHER_CTX_set_padding(context.0.as_ptr(), 0) };
        succeeded(answer, FAILED)?;
        Ok(context)
    }

    /// Starts a mode without authentication. `iv` is given for every kind but ECB.
    fn start(kind: Kind, direction: Direction, key: &SymmetricKey, iv: Option<&[u8; BLOCK_BYTES]>) -> Result<Self> {
        let context = Self::keyed(kind, direction, key)?;
        if let Some(iv) = iv {
            context.init(ptr::null(), ptr::null(), iv.as_ptr(), direction)?;
        }
        Ok(context)
    }

    /// Starts GCM or ChaCha20-Poly1305 and takes in the associated data.
    fn start_authenticated(
        kind: Kind,
        params: &GcmParams<'_>,
        direction: Direction,
        key: &SymmetricKey,
    ) -> Result<Self> {
        let iv_bytes = c_int::try_from(params.iv.len())
            .map_err(|_| CryptoError::InvalidParameter("a GCM IV is shorter than 2 GiB here"))?;
        let mut context = Self::keyed(kind, direction, key)?;
        context.control(EVP_CTRL_AEAD_SET_IVLEN, iv_bytes, ptr::null_mut())?;
        context.init(ptr::null(), ptr::null(), params.iv.as_ptr(), direction)?;
        for part in params.aad.chunks(CALL_BYTES_MAX) {
            context.authenticate(part)?;
        }
        Ok(context)
    }

    /// Sets cipher, key and IV, or those of them that are not null.
    fn init(&self, cipher: *const EVP_CIPHER, key: *const u8, iv: *const u8, direction: Direction) -> Result<()> {
        let encrypt = c_int::from(direction == Direction::Encrypt);
        // SAFETY: the context is alive. `cipher` is null or a constant of AWS-LC. The callers, all above, give a key of
        // the length that they chose the cipher by, or an IV of a block or of the length set just before, or null.
        let answer = unsafe { EVP_CipherInit_ex(self.0.as_ptr(), cipher, ptr::null_mut(), key, iv, encrypt) };
        succeeded(answer, FAILED)
    }

    fn control(&self, command: c_int, bytes: c_int, data: *mut u8) -> Result<()> {
        // SAFETY: the context is alive; the callers give null where the command has no data and otherwise
        // a buffer of `bytes` bytes, to read or to fill as the command says.
        let answer = unsafe { EVP_CIPHER_CTX_ctrl(self.0.as_ptr(), command, bytes, data.cast()) };
        succeeded(answer, FAILED)
    }

    /// Takes in associated data of [`CALL_BYTES_MAX`] bytes at most.
    fn authenticate(&mut self, data: &[u8]) -> Result<()> {
        let mut taken = 0;
        // SAFETY: the context is alive; a null output says that `data`, readable at its length, which fits an `int`, is
        // associated data.
        let answer = unsafe {
            EVP_CipherUpdate(self.0.as_ptr(), ptr::null_mut(), &raw mut taken, data.as_ptr(), data.len() as c_int)
        };
        succeeded(answer, FAILED)
    }

    /// Transforms `data` in place; for block modes it is a multiple of the block.
    fn process(&mut self, data: &mut [u8]) -> Result<()> {
        for part in data.chunks_mut(CALL_BYTES_MAX) {
            let place = part.as_mut_ptr();
            // SAFETY: `place` is readable and writable for the length of `part`.
            unsafe { self.process_part(place, place, part.len()) }?;
        }
        Ok(())
    }

    /// Transforms `input` into `out` of the same length; for block modes it is a multiple of the block.
    fn process_into(&mut self, input: &[u8], out: &mut [u8]) -> Result<()> {
        if input.len() != out.len() {
            return Err(CryptoError::InputLength);
        }
        for (input, out) in input.chunks(CALL_BYTES_MAX).zip(out.chunks_mut(CALL_BYTES_MAX)) {
            // SAFETY: both parts have one length; one is readable, the other writable, and they are apart.
            unsafe { self.process_part(input.as_ptr(), out.as_mut_ptr(), input.len()) }?;
        }
        Ok(())
    }

    /// Transforms at most [`CALL_BYTES_MAX`] bytes.
    ///
    /// # Safety
    /// `input` is readable and `out` writable for `bytes` bytes; they are apart, or the same.
    unsafe fn process_part(&mut self, input: *const u8, out: *mut u8, bytes: usize) -> Result<()> {
        let bytes = bytes as c_int;
        let mut written = 0;
        // SAFETY: the context is alive; the buffers are as the caller promises, and AWS-LC allows them to be the same. Without
        // padding, and with whole blocks in block modes, exactly as many bytes are written as were read.
        let answer = unsafe { EVP_CipherUpdate(self.0.as_ptr(), out, &raw mut written, input, bytes) };
        succeeded(answer, FAILED)?;
        if written == bytes { Ok(()) } else { Err(FAILED) }
    }

    /// Ends the operation; in GCM decryption this compares the tag.
    fn end(&mut self, failure: CryptoError) -> Result<()> {
        // GCM ends without output; the room is what the function may ask for in general.
        let mut room = [0; BLOCK_BYTES];
        let mut written = 0;
        // SAFETY: the context is alive, and `room` has the block that the function may write.
        let answer = unsafe { EVP_CipherFinal_ex(self.0.as_ptr(), room.as_mut_ptr(), &raw mut written) };
        succeeded(answer, failure)
    }
}

impl Blocks for Context {
    fn transform(&mut self, data: &mut [u8]) -> Result<()> {
        if data.len().is_multiple_of(BLOCK_BYTES) { self.process(data) } else { Err(CryptoError::InputLength) }
    }

    fn transform_into(&mut self, input: &[u8], out: &mut [u8]) -> Result<()> {
        if input.len().is_multiple_of(BLOCK_BYTES) {
            self.process_into(input, out)
        } else {
            Err(CryptoError::InputLength)
        }
    }
}

impl Chain for Context {
    fn absorb(&mut self, blocks: &[u8]) -> Result<[u8; BLOCK_BYTES]> {
        const PIECE_BYTES: usize = 64 * BLOCK_BYTES;
        let mut dropped = [0; PIECE_BYTES];
        let outcome = blocks.chunks(PIECE_BYTES).try_fold([0; BLOCK_BYTES], |_, piece| {
            let place = &mut dropped[..piece.len()];
            self.process_into(piece, place)?;
            last_block(place)
        });
        dropped[..blocks.len().min(PIECE_BYTES)].zeroize();
        outcome
    }

    fn restart(&mut self, register: &[u8; BLOCK_BYTES]) -> Result<()> {
        self.init(ptr::null(), ptr::null(), register.as_ptr(), Direction::Encrypt)
    }

    fn last(&mut self, block: &mut [u8; BLOCK_BYTES]) -> Result<()> {
        self.process(block)
    }
}

impl Keystream for Context {
    fn apply(&mut self, data: &mut [u8]) -> Result<()> {
        self.process(data)
    }

    fn apply_into(&mut self, input: &[u8], out: &mut [u8]) -> Result<()> {
        self.process_into(input, out)
    }
}

impl DataUnit for Context {
    fn transform(&mut self, data: &mut [u8]) -> Result<()> {
        // A data unit is shorter than what one call takes, so it is not cut.
        self.process(data)
    }
}

/// A GMAC: the message is what GCM calls associated data.
struct Gmac(Option<Context>);

impl Mac for Gmac {
    fn update(&mut self, data: &[u8]) -> Result<()> {
        let context = self.0.as_mut().ok_or(MAC_IS_OVER)?;
        data.chunks(CALL_BYTES_MAX).try_for_each(|part| context.authenticate(part))
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        let mut context = self.0.take().ok_or(MAC_IS_OVER)?;
        Ok(context.tag()?.to_vec())
    }

    fn tag_bytes(&self) -> usize {
        TAG_BYTES
    }
}

impl Galois for Context {
    fn encrypt(&mut self, input: &[u8], out: &mut [u8]) -> Result<()> {
        self.process_into(input, out)
    }

    fn decrypt(&mut self, input: &[u8], out: &mut [u8]) -> Result<()> {
        self.process_into(input, out)
    }

    fn tag(&mut self) -> Result<[u8; TAG_BYTES]> {
        self.end(FAILED)?;
        let mut tag = [0; TAG_BYTES];
        self.control(EVP_CTRL_AEAD_GET_TAG, TAG_BYTES as c_int, tag.as_mut_ptr())?;
        Ok(tag)
    }

    fn check_tag(&mut self, tag: &[u8]) -> Result<()> {
        let mut copy = [0; TAG_BYTES];
        let room = copy.get_mut(..tag.len()).ok_or(CryptoError::DecryptionFailed)?;
        room.copy_from_slice(tag);
        self.control(EVP_CTRL_AEAD_SET_TAG, tag.len() as c_int, room.as_mut_ptr())?;
        self.end(CryptoError::DecryptionFailed)
    }
}
