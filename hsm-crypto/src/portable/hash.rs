//! Hashes, HMAC and AES-CMAC of the portable engine: `sha1`, `sha2`, `hmac` and `cmac` behind the traits
//! of [`crate::hash`].
//!
//! Owns: the choice of the crate type for a [`Hash`]. Does not know: what is hashed.
//! Called from `portable::PROVIDER`. Rule source: FIPS 180-4, FIPS 198-1, SP 800-38B.

use crate::error::{CryptoError, Result};
use crate::hash::{Digest, Hash, Mac};
use cmac::Cmac;
use hmac::digest::common::KeySizeUser;
use hmac::digest::{FixedOutputReset, Key, KeyInit};
use hmac::{EagerHash, HmacReset};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// Runs `$body` with `$D` standing for the crate type of `$hash`.
macro_rules! with_hash {
    ($hash:expr, $D:ident => $body:expr) => {
        match $hash {
            $crate::hash::Hash::Sha1 => {
                type $D = sha1::Sha1;
                $body
            }
            $crate::hash::Hash::Sha224 => {
                type $D = sha2::Sha224;
                $body
            }
            $crate::hash::Hash::Sha256 => {
                type $D = sha2::Sha256;
                $body
            }
            $crate::hash::Hash::Sha384 => {
                type $D = sha2::Sha384;
                $body
            }
            $crate::hash::Hash::Sha512 => {
                type $D = sha2::Sha512;
                $body
            }
        }
    };
}
pub(crate) use with_hash;

/// Starts a digest.
pub(crate) fn digest(hash: Hash) -> Box<dyn Digest> {
    with_hash!(hash, D => Box::new(Running(D::default())))
}

/// Starts an HMAC with a key of any length.
pub(crate) fn hmac(hash: Hash, key: &[u8]) -> Box<dyn Mac> {
    with_hash!(hash, D => Box::new(Keyed(keyed_hash::<D>(key))))
}

/// Starts an AES-CMAC.
///
/// # Errors
/// `InvalidKey` unless the key has 16, 24 or 32 bytes.
pub(crate) fn cmac(key: &[u8]) -> Result<Box<dyn Mac>> {
    fn keyed<C: KeyInit + hmac::digest::Mac + FixedOutputReset + Send + 'static>(key: &[u8]) -> Result<Box<dyn Mac>> {
        // The only error of `new_from_slice` is a wrong length, which the caller's match has excluded.
        let mac = C::new_from_slice(key).map_err(|_| CryptoError::InvalidKey(AES_KEY_LENGTH))?;
        Ok(Box::new(Keyed(mac)))
    }
    match key.len() {
        16 => keyed::<Cmac<aes::Aes128>>(key),
        24 => keyed::<Cmac<aes::Aes192>>(key),
        32 => keyed::<Cmac<aes::Aes256>>(key),
        _ => Err(CryptoError::InvalidKey(AES_KEY_LENGTH)),
    }
}

/// The text for an AES key of a wrong length.
pub(crate) const AES_KEY_LENGTH: &str = "an AES key has 16, 24 or 32 bytes";

/// Compares `tag` with the beginning of `full`, in constant time.
///
/// # Errors
/// `SignatureLength` when `tag` is empty or longer than `full`, `BadSignature` when it differs.
pub(crate) fn compare_tag(full: &[u8], tag: &[u8]) -> Result<()> {
    let expected = full.get(..tag.len()).filter(|part| !part.is_empty()).ok_or(CryptoError::SignatureLength)?;
    if bool::from(expected.ct_eq(tag)) { Ok(()) } else { Err(CryptoError::BadSignature) }
}

/// Makes the HMAC state; a key longer than the block is hashed first (RFC 2104, section 2).
fn keyed_hash<D: EagerHash + sha2::Digest>(key: &[u8]) -> HmacReset<D>
where
    HmacReset<D>: KeyInit + KeySizeUser,
{
    let mut block = Key::<HmacReset<D>>::default();
    if key.len() > block.len() {
        let mut digest = <D as sha2::Digest>::digest(key);
        block[..digest.len()].copy_from_slice(&digest);
        digest.zeroize();
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let mac = HmacReset::<D>::new(&block);
    block.zeroize();
    mac
}

/// A running digest of the crate type `D`.
struct Running<D>(D);

impl<D: sha2::Digest + FixedOutputReset + Clone + Send + 'static> Digest for Running<D> {
    fn update(&mut self, data: &[u8]) {
        sha2::Digest::update(&mut self.0, data);
    }

    fn finish(&mut self) -> Vec<u8> {
        sha2::Digest::finalize_reset(&mut self.0).to_vec()
    }

    fn fork(&self) -> Box<dyn Digest> {
        Box::new(Running(self.0.clone()))
    }
}

/// A running MAC of the crate type `M`; the crates wipe their state on drop.
struct Keyed<M>(M);

impl<M: hmac::digest::Mac + FixedOutputReset + Send> Mac for Keyed<M> {
    fn update(&mut self, data: &[u8]) {
        hmac::digest::Mac::update(&mut self.0, data);
    }

    fn finish(&mut self) -> Vec<u8> {
        self.0.finalize_fixed_reset().to_vec()
    }

    fn tag_bytes(&self) -> usize {
        M::output_size()
    }

    fn verify(&mut self, tag: &[u8]) -> Result<()> {
        let mut full = self.finish();
        let outcome = compare_tag(&full, tag);
        full.zeroize();
        outcome
    }
}
