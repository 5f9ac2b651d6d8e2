//! Hashes and HMAC of AWS-LC, through the safe interface of `aws-lc-rs`.
//!
//! Owns: the choice of algorithm for a [`Hash`] and starting anew after each result. Called from `aws_lc::PROVIDER`.
//! Rule source: FIPS 180-4, FIPS 198-1.

use crate::error::Result;
use crate::hash::{Digest, Hash, Mac};
use crate::portable::hash::compare_tag;
use aws_lc_rs::{digest, hmac};
use zeroize::Zeroize;

/// Starts a digest.
pub(super) fn digest(hash: Hash) -> Box<dyn Digest> {
    let algorithm = match hash {
        Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha224 => &digest::SHA224,
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha384 => &digest::SHA384,
        Hash::Sha512 => &digest::SHA512,
    };
    Box::new(Running(digest::Context::new(algorithm)))
}

/// Starts an HMAC with a key of any length.
pub(super) fn hmac(hash: Hash, key: &[u8]) -> Box<dyn Mac> {
    let algorithm = match hash {
        Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha224 => hmac::HMAC_SHA224,
        Hash::Sha256 => hmac::HMAC_SHA256,
        Hash::Sha384 => hmac::HMAC_SHA384,
        Hash::Sha512 => hmac::HMAC_SHA512,
    };
    let key = hmac::Key::new(algorithm, key);
    let context = hmac::Context::with_key(&key);
    Box::new(Keyed { key, context, tag_bytes: hash.output_bytes() })
}

struct Running(digest::Context);

impl Digest for Running {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn finish(&mut self) -> Vec<u8> {
        let fresh = digest::Context::new(self.0.algorithm());
        std::mem::replace(&mut self.0, fresh).finish().as_ref().to_vec()
    }

    fn fork(&self) -> Box<dyn Digest> {
        Box::new(Running(self.0.clone()))
    }
}

/// AWS-LC wipes key and state when they are freed.
struct Keyed {
    key: hmac::Key,
    context: hmac::Context,
    tag_bytes: usize,
}

impl Mac for Keyed {
    fn update(&mut self, data: &[u8]) {
        self.context.update(data);
    }

    fn finish(&mut self) -> Vec<u8> {
        let fresh = hmac::Context::with_key(&self.key);
        std::mem::replace(&mut self.context, fresh).sign().as_ref().to_vec()
    }

    fn tag_bytes(&self) -> usize {
        self.tag_bytes
    }

    fn verify(&mut self, tag: &[u8]) -> Result<()> {
        let mut full = self.finish();
        let outcome = compare_tag(&full, tag);
        full.zeroize();
        outcome
    }
}
