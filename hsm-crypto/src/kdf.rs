//! Key derivation: from PINs (Argon2id), from keys (HKDF, SP 800-108), from shared secrets (ANSI X9.63, SP 800-56).
//!
//! Owns: limits of cost, salt and length. Does not know: whose PIN or key it is. Called from `hsm-core` (derive) and
//! `token-store` (wrap keys of roles). Argon2id and HKDF come from RustCrypto in every build: AWS-LC has no
//! Argon2, and the HKDF runs here are too few to matter.
//! Rule source: RFC 9106, RFC 5869, ANSI X9.63 as in SEC 1, 3.6.1.

mod hkdf;
mod kbkdf;
pub mod tree;

pub use self::hkdf::{hkdf_expand, hkdf_extract};
pub use self::kbkdf::{Integer, Kbkdf, KbkdfField, KbkdfMode, Prf, kbkdf, kbkdf_from};

use crate::error::{CryptoError, Result};
use crate::hash::{Digest, Hash};
use crate::provider::Provider;
use crate::secret::{SecretBytes, on_wiped_stack};
use ::hkdf::Hkdf;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use sha2::Sha256;
use shake::digest::{ExtendableOutput, Update, XofReader};
use zeroize::{Zeroize, Zeroizing};

/// What one Argon2id computation costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2Cost {
    /// Memory in KiB, 8 per lane at least.
    pub memory_kib: u32,
    /// Passes over the memory, 1 at least.
    pub passes: u32,
    /// Lanes, 1 at least.
    pub lanes: u32,
}

/// Length of an Argon2id result in bytes.
const ARGON2_BYTES: usize = 32;

/// Derives 32 bytes from a PIN with Argon2id version 1.3 (RFC 9106).
///
/// The lanes are computed one after the other: no thread is started. The memory that it took is wiped.
///
/// # Errors
/// `InvalidParameter` when the cost or the salt (8 bytes at least) is out of range; `OutOfMemory`.
pub fn argon2id(pin: &[u8], salt: &[u8], cost: Argon2Cost) -> Result<SecretBytes> {
    // Both refusals are about ranges: cost parameters here, lengths of salt and PIN below.
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(ARGON2_BYTES))
        .map_err(|_| CryptoError::InvalidParameter("the Argon2id cost is out of range"))?;
    // The crate's own allocation is freed as it is; who finds it can test PINs without paying the cost.
    let mut memory = Zeroizing::new(Vec::new());
    let blocks = params.block_count();
    crate::memory::reserve(&mut memory, blocks)?;
    memory.resize(blocks, Block::new());
    let mut out = SecretBytes::zeroed(ARGON2_BYTES);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(pin, salt, out.expose_mut(), memory.as_mut_slice())
        .map_err(|_| CryptoError::InvalidParameter("the Argon2id salt has 8 bytes at least"))?;
    Ok(out)
}

/// Derives `len` bytes with HKDF-SHA-256 (RFC 5869).
///
/// # Errors
/// `InvalidParameter` above 8160 bytes.
pub fn hkdf_sha256(key: &[u8], salt: &[u8], info: &[u8], len: usize) -> Result<SecretBytes> {
    if len > 255 * Hash::Sha256.output_bytes() {
        return Err(CryptoError::InvalidParameter("HKDF-SHA-256 gives 8160 bytes at most"));
    }
    let mut out = SecretBytes::zeroed(len);
    // The one error of the crate is the length that was checked above.
    Hkdf::<Sha256>::new(Some(salt), key)
        .expand(info, out.expose_mut())
        .map_err(|_| CryptoError::InvalidParameter("HKDF-SHA-256 gives 8160 bytes at most"))?;
    Ok(out)
}

/// Derives `len` bytes from a shared secret with the ANSI X9.63 KDF (SEC 1, 3.6.1).
///
/// # Errors
/// `InvalidParameter` when `len` is above the counter's range.
pub fn x963(engine: &Provider, hash: Hash, shared: &[u8], info: &[u8], len: usize) -> Result<SecretBytes> {
    hashed(engine, hash, len, |digest, counter| {
        [shared, counter, info].into_iter().for_each(|part| digest.update(part))
    })
}

/// Derives `len` bytes from a shared secret with the one-step KDF of SP 800-56C, 4.1, on a hash (the concatenation KDF of SP 800-56A).
///
/// # Errors
/// As [`x963`].
pub fn concatenation(engine: &Provider, hash: Hash, shared: &[u8], info: &[u8], len: usize) -> Result<SecretBytes> {
    hashed(engine, hash, len, |digest, counter| {
        [counter, shared, info].into_iter().for_each(|part| digest.update(part))
    })
}

/// Digests of what `take` takes in for a counter of four bytes from 1 on, one after the other.
fn hashed(engine: &Provider, hash: Hash, len: usize, take: impl Fn(&mut dyn Digest, &[u8])) -> Result<SecretBytes> {
    let blocks = len.div_ceil(hash.output_bytes());
    if u32::try_from(blocks).is_err() {
        return Err(CryptoError::InvalidParameter("the KDF counts 2^32 - 1 blocks at most"));
    }
    let mut out = SecretBytes::zeroed(len);
    // The states of hashes are moved about, and with them what they have not yet compressed.
    on_wiped_stack(|| {
        let mut digest = (engine.digest)(hash);
        for (counter, chunk) in (1_u32..).zip(out.expose_mut().chunks_mut(hash.output_bytes())) {
            take(&mut *digest, &counter.to_be_bytes());
            let mut block = digest.finish();
            chunk.copy_from_slice(&block[..chunk.len()]);
            block.zeroize();
        }
    });
    Ok(out)
}

/// The digest of a secret.
#[must_use]
pub fn digest_of(engine: &Provider, hash: Hash, secret: &[u8]) -> SecretBytes {
    on_wiped_stack(|| {
        let mut digest = (engine.digest)(hash);
        digest.update(secret);
        SecretBytes::new(digest.finish())
    })
}

/// A function with results of any length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Xof {
    /// SHAKE128.
    Shake128,
    /// SHAKE256.
    Shake256,
}

/// So many bytes that a function makes of an input (FIPS 202, 6.2). Both engines use this: there is no such interface in `aws-lc-rs`.
#[must_use]
pub fn xof(function: Xof, input: &[u8], len: usize) -> SecretBytes {
    let mut out = SecretBytes::zeroed(len);
    match function {
        Xof::Shake128 => read_xof::<shake::Shake128>(input, out.expose_mut()),
        Xof::Shake256 => read_xof::<shake::Shake256>(input, out.expose_mut()),
    }
    out
}

fn read_xof<X: Default + Update + ExtendableOutput>(input: &[u8], out: &mut [u8]) {
    let mut state = X::default();
    state.update(input);
    state.finalize_xof().read(out);
}
