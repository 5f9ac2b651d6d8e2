//! Hashes and HMAC of AWS-LC, through the safe interface of `aws-lc-rs`.
//!
//! Owns: the choice of algorithm for a [`Hash`] and starting anew after each result. Called from `aws_lc::PROVIDER`.
//! Rule source: FIPS 180-4, FIPS 198-1.

use crate::error::Result;
use crate::hash::{Digest, Hash, MAC_IS_OVER, Mac};
use crate::portable;
use crate::secret::SecretBox;
use crate::secret::boxed;
use crate::secret::on_wiped_stack;
use crate::symmetric::SymmetricKey;
use aws_lc_rs::{digest, hmac};
use std::sync::OnceLock;

/// Starts a digest; the portable engine's where `aws-lc-rs` does not offer the hash.
pub(super) fn digest(hash: Hash) -> SecretBox<dyn Digest> {
    let algorithm = match hash {
        Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha224 => &digest::SHA224,
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha384 => &digest::SHA384,
        Hash::Sha512 => &digest::SHA512,
        Hash::Sha512_256 => &digest::SHA512_256,
        Hash::Sha3_256 => &digest::SHA3_256,
        Hash::Sha3_384 => &digest::SHA3_384,
        Hash::Sha3_512 => &digest::SHA3_512,
        other => return portable::hash::digest(other),
    };
    boxed(Running { algorithm, context: None })
}

/// The keyed states of the first two hashes that a key was used with.
pub(super) type PreparedHmacs = [OnceLock<(Hash, SecretBox<hmac::Key>)>; 2];

/// Starts an HMAC with a key of any length; the portable engine's where `aws-lc-rs` does not offer the hash.
///
/// # Errors
/// None of its own.
pub(super) fn hmac(hash: Hash, key: &SymmetricKey) -> Result<SecretBox<dyn Mac>> {
    let algorithm = match hash {
        Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha224 => hmac::HMAC_SHA224,
        Hash::Sha256 => hmac::HMAC_SHA256,
        Hash::Sha384 => hmac::HMAC_SHA384,
        Hash::Sha512 => hmac::HMAC_SHA512,
        other => return portable::hmac::hmac(other, key),
    };
    // AWS-LC leaves the padded key, and what was moved into the box, where they were.
    let keyed = || on_wiped_stack(|| SecretBox::new(hmac::Key::new(algorithm, key.expose())));
    let start = |keyed: &hmac::Key| -> Result<SecretBox<dyn Mac>> {
        Ok(boxed(Keyed { context: Some(hmac::Context::with_key(keyed)), tag_bytes: hash.output_bytes() }))
    };
    for place in &key.aws_lc.hmacs {
        let (prepared, state) = place.get_or_init(|| (hash, keyed()));
        if *prepared == hash {
            return start(state);
        }
    }
    start(&keyed())
}

/// A digest; its context is made with the first byte, so that an operation never makes a second one for nothing.
struct Running {
    algorithm: &'static digest::Algorithm,
    context: Option<digest::Context>,
}

impl Digest for Running {
    fn update(&mut self, data: &[u8]) {
        self.context.get_or_insert_with(|| digest::Context::new(self.algorithm)).update(data);
    }

    fn finish(&mut self) -> Vec<u8> {
        let context = self.context.take().unwrap_or_else(|| digest::Context::new(self.algorithm));
        context.finish().as_ref().to_vec()
    }

    fn fork(&self) -> SecretBox<dyn Digest> {
        boxed(Running { algorithm: self.algorithm, context: self.context.clone() })
    }
}

/// A MAC until its tag is taken. AWS-LC wipes key and state when they are freed.
struct Keyed {
    context: Option<hmac::Context>,
    tag_bytes: usize,
}

impl Mac for Keyed {
    fn update(&mut self, data: &[u8]) -> Result<()> {
        self.context.as_mut().ok_or(MAC_IS_OVER)?.update(data);
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        Ok(self.context.take().ok_or(MAC_IS_OVER)?.sign().as_ref().to_vec())
    }

    fn tag_bytes(&self) -> usize {
        self.tag_bytes
    }
}
