//! Hashes, HMAC and AES-CMAC of the portable engine: `sha1`, `sha2`, `hmac` and `cmac` behind the traits
//! of [`crate::hash`].
//!
//! Owns: the choice of the crate type for a [`Hash`]. Does not know: what is hashed.
//! Called from `portable::PROVIDER`. Rule source: FIPS 180-4, FIPS 198-1, SP 800-38B.

use crate::error::{CryptoError, Result};
use crate::hash::{Digest, Hash, MAC_IS_OVER, Mac};
use crate::symmetric::SymmetricKey;
use cmac::Cmac;
use hmac::digest::common::KeySizeUser;
use hmac::digest::{self, FixedOutputReset, Key, KeyInit};
use hmac::{EagerHash, Hmac};
use std::sync::OnceLock;
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

/// What this engine has prepared from a key: keyed states, in the order of [`Hash::ALL`].
#[derive(Default)]
pub(crate) struct Prepared {
    hmacs: [OnceLock<Box<dyn Template>>; Hash::ALL.len()],
}

/// Starts an HMAC with a key of any length.
///
/// # Errors
/// None of its own.
pub(crate) fn hmac(hash: Hash, key: &SymmetricKey) -> Result<Box<dyn Mac>> {
    let keyed = || -> Box<dyn Template> { with_hash!(hash, D => Box::new(keyed_hash::<D>(key.expose()))) };
    Ok(key.portable.hmacs[hash as usize].get_or_init(keyed).start())
}

/// Starts an AES-CMAC.
///
/// # Errors
/// `InvalidKey` unless the key has 16, 24 or 32 bytes.
pub(crate) fn cmac(key: &SymmetricKey) -> Result<Box<dyn Mac>> {
    fn keyed<C: KeyInit + digest::Mac + Send + 'static>(key: &[u8]) -> Result<Box<dyn Mac>> {
        // The only error of `new_from_slice` is a wrong length, which the caller's match has excluded.
        let mac = <C as KeyInit>::new_from_slice(key).map_err(|_| CryptoError::InvalidKey(AES_KEY_LENGTH))?;
        Ok(Box::new(Keyed(Some(mac))))
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

/// Makes the HMAC state; a key longer than the block is hashed first (RFC 2104, section 2).
fn keyed_hash<D: EagerHash + sha2::Digest>(key: &[u8]) -> Hmac<D>
where
    Hmac<D>: KeyInit + KeySizeUser,
{
    let mut block = Key::<Hmac<D>>::default();
    if key.len() > block.len() {
        let mut digest = <D as sha2::Digest>::digest(key);
        block[..digest.len()].copy_from_slice(&digest);
        digest.zeroize();
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let mac = Hmac::<D>::new(&block);
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

/// A running MAC of the crate type `M`, until its tag is taken; the crates wipe their state on drop.
struct Keyed<M>(Option<M>);

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

/// A MAC that has its key and nothing else: operations begin with copies of it.
trait Template: Send + Sync {
    fn start(&self) -> Box<dyn Mac>;
}

impl<M: digest::Mac + Clone + Send + Sync + 'static> Template for M {
    fn start(&self) -> Box<dyn Mac> {
        Box::new(Keyed(Some(self.clone())))
    }
}
