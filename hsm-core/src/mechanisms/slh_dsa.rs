//! SLH-DSA: key pairs, pure and pre-hashed signatures, all twelve parameter sets.
//!
//! A pure signature hashes its message twice, so the parts of one are kept until the end, up to a limit; one call takes any length.
//! Rule source: PKCS#11 v3.2, 6.69; FIPS 205.

use super::pq_signatures::{
    SignsFramed, VerifiesFramed, frame, hedge, is_hedged, judge, sign_digest, sign_hashed, verify_digest, verify_hashed,
};
use super::{EVERYTHING, KeyRule, Row, Signer, SizeUnit, Verifier, faults, pq_keygen};
use crate::key::Key;
use crate::limits::BUFFERED_MESSAGE_BYTES_MAX;
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::post_quantum::{SlhDsaPrivateKey, SlhDsaPublicKey};
use hsm_crypto::{Hash, Random, memory};
use std::sync::Arc;

/// Smallest and largest public key, and what all signatures share.
const COMMON: Row = Row {
    shape: ParamShape::OptionalSignContext,
    judge,
    keys: KeyRule::Types(&[CKK_SLH_DSA]),
    unit: SizeUnit::Bytes,
    size_min: 32,
    size_max: 64,
    approved: EVERYTHING,
    ..Row::BLANK
};

const HASHED: &str = "the crate fips205, another implementation";

macro_rules! hashed {
    ($kind:ident, $hash:expr, $approved:expr) => {
        Row {
            kind: $kind,
            name: stringify!($kind),
            approved: $approved,
            vectors: HASHED,
            sign: Some(|env, params, key| sign_hashed(env, params, private(env, key)?, $hash)),
            verify: Some(|env, params, key| verify_hashed(env, params, public(env, key)?, $hash)),
            ..COMMON
        }
    };
}

pub(super) const ROWS: &[Row] = &[
    row!(Row {
        kind: CKM_SLH_DSA_KEY_PAIR_GEN,
        name: "CKM_SLH_DSA_KEY_PAIR_GEN",
        unit: SizeUnit::Bytes,
        size_min: 32,
        size_max: 64,
        approved: EVERYTHING,
        vectors: "SPHINCS+ reference implementation, PQCgenKAT_sign (keys of the seeds)",
        generate_pair: Some(pq_keygen::slh_dsa),
        ..Row::BLANK
    }),
    row!(Row {
        kind: CKM_SLH_DSA,
        name: "CKM_SLH_DSA",
        vectors: "SPHINCS+ reference implementation, PQCgenKAT_sign; the crate fips205, another implementation",
        sign: Some(sign),
        verify: Some(verify),
        ..COMMON
    }),
    row!(Row {
        kind: CKM_HASH_SLH_DSA,
        name: "CKM_HASH_SLH_DSA",
        shape: ParamShape::HashSignContext,
        vectors: HASHED,
        one_part: true,
        sign: Some(|env, params, key| sign_digest(params, private(env, key)?)),
        verify: Some(|env, params, key| verify_digest(params, public(env, key)?)),
        ..COMMON
    }),
    // FIPS 205, 10.2.2: the hash must resist collisions as well as the signature, which 28 bytes do not for any set.
    row!(hashed!(CKM_HASH_SLH_DSA_SHA224, Hash::Sha224, 0)),
    row!(hashed!(CKM_HASH_SLH_DSA_SHA256, Hash::Sha256, EVERYTHING)),
    row!(hashed!(CKM_HASH_SLH_DSA_SHA384, Hash::Sha384, EVERYTHING)),
    row!(hashed!(CKM_HASH_SLH_DSA_SHA512, Hash::Sha512, EVERYTHING)),
    row!(hashed!(CKM_HASH_SLH_DSA_SHA3_224, Hash::Sha3_224, 0)),
    row!(hashed!(CKM_HASH_SLH_DSA_SHA3_256, Hash::Sha3_256, EVERYTHING)),
    row!(hashed!(CKM_HASH_SLH_DSA_SHA3_384, Hash::Sha3_384, EVERYTHING)),
    row!(hashed!(CKM_HASH_SLH_DSA_SHA3_512, Hash::Sha3_512, EVERYTHING)),
    row!(hashed!(CKM_HASH_SLH_DSA_SHAKE128, Hash::Shake128, EVERYTHING)),
    row!(hashed!(CKM_HASH_SLH_DSA_SHAKE256, Hash::Shake256, EVERYTHING)),
];

fn private(env: &Env<'_>, key: &Object) -> Result<Arc<dyn SlhDsaPrivateKey>> {
    match key.key(env)? {
        Key::SlhDsaPrivate(key) => Ok(Arc::clone(key)),
        _ => Err(Reason::KeyTypeInconsistent),
    }
}

fn public(env: &Env<'_>, key: &Object) -> Result<Arc<dyn SlhDsaPublicKey>> {
    match key.key(env)? {
        Key::SlhDsaPublic(key) => Ok(Arc::clone(key)),
        _ => Err(Reason::KeyTypeInconsistent),
    }
}

// --- pure ---

/// Parts of a message until its end.
#[derive(Default)]
struct Parts(Vec<u8>);

impl Parts {
    fn add(&mut self, data: &[u8]) -> Result<()> {
        if self.0.len().saturating_add(data.len()) > BUFFERED_MESSAGE_BYTES_MAX {
            return Err(Reason::DataLength);
        }
        memory::reserve(&mut self.0, data.len())?;
        self.0.extend_from_slice(data);
        Ok(())
    }
}

struct PureSigner {
    key: Arc<dyn SlhDsaPrivateKey>,
    frame: Vec<u8>,
    hedged: bool,
    parts: Parts,
}

struct PureVerifier {
    key: Arc<dyn SlhDsaPublicKey>,
    frame: Vec<u8>,
    parts: Parts,
}

fn sign(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Signer>> {
    Ok(Box::new(PureSigner {
        key: private(env, key)?,
        frame: frame(params, None)?,
        hedged: is_hedged(params)?,
        parts: Parts::default(),
    }))
}

fn verify(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Verifier>> {
    Ok(Box::new(PureVerifier { key: public(env, key)?, frame: frame(params, None)?, parts: Parts::default() }))
}

impl Signer for PureSigner {
    fn signature_bytes(&self) -> usize {
        self.key.set().signature_bytes()
    }
    fn multi_part(&self) -> bool {
        true
    }
    fn sign(&mut self, env: &Env<'_>, data: &[u8]) -> Result<Vec<u8>> {
        faults::data(self.key.sign(&[&self.frame, data], hedge(env, self.hedged)))
    }
    fn update(&mut self, data: &[u8]) -> Result<()> {
        self.parts.add(data)
    }
    fn finish(&mut self, env: &Env<'_>) -> Result<Vec<u8>> {
        faults::data(self.key.sign(&[&self.frame, &self.parts.0], hedge(env, self.hedged)))
    }
}

impl Verifier for PureVerifier {
    fn multi_part(&self) -> bool {
        true
    }
    fn verify(&mut self, _env: &Env<'_>, data: &[u8], signature: &[u8]) -> Result<()> {
        faults::signature(self.key.verify(&[&self.frame, data], signature))
    }
    fn update(&mut self, data: &[u8]) -> Result<()> {
        self.parts.add(data)
    }
    fn finish(&mut self, _env: &Env<'_>, signature: &[u8]) -> Result<()> {
        faults::signature(self.key.verify(&[&self.frame, &self.parts.0], signature))
    }
}

// --- pre-hashed ---

impl SignsFramed for Arc<dyn SlhDsaPrivateKey> {
    fn framed_bytes(&self) -> usize {
        self.set().signature_bytes()
    }
    fn sign_framed(&self, frame: &[u8], digest: &[u8], random: Option<&dyn Random>) -> hsm_crypto::Result<Vec<u8>> {
        self.sign(&[frame, digest], random)
    }
}

impl VerifiesFramed for Arc<dyn SlhDsaPublicKey> {
    fn verify_framed(&self, frame: &[u8], digest: &[u8], signature: &[u8]) -> hsm_crypto::Result<()> {
        self.verify(&[frame, digest], signature)
    }
}
