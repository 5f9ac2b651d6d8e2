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
    Box::new(Running { algorithm, context: None })
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
    Box::new(Keyed { key: hmac::Key::new(algorithm, key), context: None, tag_bytes: hash.output_bytes() })
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

    fn fork(&self) -> Box<dyn Digest> {
        Box::new(Running { algorithm: self.algorithm, context: self.context.clone() })
    }
}

/// A MAC; its context is made as that of a digest. AWS-LC wipes key and state when they are freed.
struct Keyed {
    key: hmac::Key,
    context: Option<hmac::Context>,
    tag_bytes: usize,
}

impl Mac for Keyed {
    fn update(&mut self, data: &[u8]) {
        self.context.get_or_insert_with(|| hmac::Context::with_key(&self.key)).update(data);
    }

    fn finish(&mut self) -> Vec<u8> {
        let context = self.context.take().unwrap_or_else(|| hmac::Context::with_key(&self.key));
        context.sign().as_ref().to_vec()
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
