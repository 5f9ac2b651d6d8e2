//! Hashes and AES-CMAC of the portable engine: the crates of the hashes and `cmac` behind the traits of [`crate::hash`].
//!
//! Owns: the choice of the crate type for a [`Hash`]. Does not know: what is hashed.
//! Called from `portable::PROVIDER`. Rule source: FIPS 180-4, FIPS 202, SP 800-38B.

use crate::error::{CryptoError, Result};
use crate::hash::{Digest, Hash, MAC_IS_OVER, Mac};
use crate::portable::resumable;
use crate::secret::SecretBox;
use crate::secret::boxed;
use crate::symmetric::SymmetricKey;
use blake2::digest::consts::{U20, U32, U48, U64};
use cmac::Cmac;
use cmac::digest::{self, FixedOutputReset, KeyInit};

/// Runs `$body` with `$D` standing for the crate type of `$hash`.
macro_rules! with_hash {
    ($hash:expr, $D:ident => $body:expr) => {
        $crate::portable::hash::choose_hash!($hash, $D;
            $body => [
                Sha1: sha1::Sha1, Sha224: sha2::Sha224, Sha256: sha2::Sha256, Sha384: sha2::Sha384, Sha512: sha2::Sha512,
                Sha512_224: sha2::Sha512_224, Sha512_256: sha2::Sha512_256, Md5: md5::Md5, Ripemd160: ripemd::Ripemd160,
                Sha3_224: sha3::Sha3_224, Sha3_256: sha3::Sha3_256, Sha3_384: sha3::Sha3_384, Sha3_512: sha3::Sha3_512,
                Shake128: $crate::portable::shake::Shake128Digest, Shake256: $crate::portable::shake::Shake256Digest,
                Blake2b160: blake2::Blake2b<blake2::digest::consts::U20>, Blake2b256: blake2::Blake2b256,
                Blake2b384: blake2::Blake2b<blake2::digest::consts::U48>, Blake2b512: blake2::Blake2b512,
                Keccak224: sha3::Keccak224, Keccak256: sha3::Keccak256, Keccak384: sha3::Keccak384,
                Keccak512: sha3::Keccak512,
            ]
        )
    };
}
pub(crate) use with_hash;

/// The match behind [`with_hash`].
macro_rules! choose_hash {
    ($hash:expr, $D:ident; $body:expr => [$($variant:ident: $kind:ty),* $(,)?]) => {
        match $hash {
            $($crate::hash::Hash::$variant => {
                type $D = $kind;
                $body
            })*
        }
    };
}
pub(crate) use choose_hash;

/// Starts a digest.
pub(crate) fn digest(hash: Hash) -> SecretBox<dyn Digest> {
    // One whose state can be saved, where there is one.
    resumable::start(hash).unwrap_or_else(|| with_hash!(hash, D => boxed(Running(D::default()))))
}

/// Starts a keyed BLAKE2b (RFC 7693, 2.5).
///
/// # Errors
/// `InvalidParameter` for another hash, `InvalidKey` unless the key has 1 to 64 bytes.
pub(crate) fn keyed_blake2b(hash: Hash, key: &SymmetricKey) -> Result<SecretBox<dyn Mac>> {
    fn keyed<M: KeyInit + digest::Mac + Send + 'static>(key: &[u8]) -> Result<SecretBox<dyn Mac>> {
        // Without a key it would be the digest, and no MAC.
        let mac = Some(key).filter(|key| !key.is_empty()).and_then(|key| <M as KeyInit>::new_from_slice(key).ok());
        Ok(boxed(Keyed(Some(mac.ok_or(CryptoError::InvalidKey("a key of BLAKE2b has 1 to 64 bytes"))?))))
    }
    match hash {
        Hash::Blake2b160 => keyed::<blake2::Blake2bMac<U20>>(key.expose()),
        Hash::Blake2b256 => keyed::<blake2::Blake2bMac<U32>>(key.expose()),
        Hash::Blake2b384 => keyed::<blake2::Blake2bMac<U48>>(key.expose()),
        Hash::Blake2b512 => keyed::<blake2::Blake2bMac<U64>>(key.expose()),
        _ => Err(CryptoError::InvalidParameter("the hash is no BLAKE2b")),
    }
}

/// Starts an AES-CMAC.
///
/// # Errors
/// `InvalidKey` unless the key has 16, 24 or 32 bytes.
pub(crate) fn cmac(key: &SymmetricKey) -> Result<SecretBox<dyn Mac>> {
    fn keyed<C: KeyInit + digest::Mac + Send + 'static>(key: &[u8]) -> Result<SecretBox<dyn Mac>> {
        // The only error of `new_from_slice` is a wrong length, which the caller's match has excluded.
        let mac = <C as KeyInit>::new_from_slice(key).map_err(|_| CryptoError::InvalidKey(AES_KEY_LENGTH))?;
        Ok(boxed(Keyed(Some(mac))))
    }
    match key.expose().len() {
        16 => keyed::<Cmac<aes::Aes128>>(key.expose()),
        24 => keyed::<Cmac<aes::Aes192>>(key.expose()),
        32 => keyed::<Cmac<aes::Aes256>>(key.expose()),
        _ => Err(CryptoError::InvalidKey(AES_KEY_LENGTH)),
    }
}

/// The text for an AES key of a wrong length.
pub(crate) const AES_KEY_LENGTH: &str = "an AES key has 16, 24 or 32 bytes";

/// A running digest of the crate type `D`.
struct Running<D>(D);

impl<D: sha2::Digest + FixedOutputReset + Clone + Send + 'static> Digest for Running<D> {
    fn update(&mut self, data: &[u8]) {
        sha2::Digest::update(&mut self.0, data);
    }

    fn finish(&mut self) -> Vec<u8> {
        sha2::Digest::finalize_reset(&mut self.0).to_vec()
    }

    fn fork(&self) -> SecretBox<dyn Digest> {
        boxed(Running(self.0.clone()))
    }
}

/// A running MAC of the crate type `M`, until its tag is taken; the crates wipe their state on drop.
pub(crate) struct Keyed<M>(pub(crate) Option<M>);

impl<M: digest::Mac + Send> Mac for Keyed<M> {
    fn update(&mut self, data: &[u8]) -> Result<()> {
        self.0.as_mut().ok_or(MAC_IS_OVER)?.update(data);
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        Ok(self.0.take().ok_or(MAC_IS_OVER)?.finalize().into_bytes().to_vec())
    }

    fn tag_bytes(&self) -> usize {
        M::output_size()
    }
}
