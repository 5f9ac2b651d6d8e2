//! ML-DSA: key pairs, pure signatures in one part or many, pre-hashed ones, and Luna's CKM_EXTMU_ML_DSA over a message representative
//! that the caller has computed.
//!
//! All of them sign a representative of 64 bytes, which takes its message in parts: verification in parts, for which the standard offers
//! C_VerifySignatureInit, works with C_VerifyInit as well.
//! Rule source: PKCS#11 v3.2, 6.66; FIPS 204.

use super::parts::{OnePartSigner, OnePartVerifier};
use super::pq_signatures::{
    SignsFramed, VerifiesFramed, frame, hedge, is_hedged, judge, sign_digest, sign_hashed, verify_digest, verify_hashed,
};
use super::{EVERYTHING, KeyRule, Row, Signer, SizeUnit, Verifier, faults, pq_keygen};
use crate::key::Key;
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::{ParamShape, Params};
use ffi_headers::vendor::CKM_EXTMU_ML_DSA;
use ffi_headers::*;
use hsm_crypto::post_quantum::{MlDsaPrivateKey, MlDsaPublicKey, Mu};
use hsm_crypto::{Hash, Random};
use std::sync::Arc;

/// Smallest and largest public key, and what all signatures share.
const COMMON: Row = Row {
    shape: ParamShape::OptionalSignContext,
    judge,
    keys: KeyRule::Types(&[CKK_ML_DSA]),
    unit: SizeUnit::Bytes,
    size_min: 1312,
    size_max: 2592,
    approved: EVERYTHING,
    ..Row::BLANK
};

const HASHED: &str = "the crate fips204, another implementation; recomputed from FIPS 204, 5.4";

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
        kind: CKM_ML_DSA_KEY_PAIR_GEN,
        name: "CKM_ML_DSA_KEY_PAIR_GEN",
        unit: SizeUnit::Bytes,
        size_min: 1312,
        size_max: 2592,
        approved: EVERYTHING,
        vectors: "Wycheproof mldsa_*_sign_seed (public key of a seed)",
        generate_pair: Some(pq_keygen::ml_dsa),
        ..Row::BLANK
    }),
    row!(Row {
        kind: CKM_ML_DSA,
        name: "CKM_ML_DSA",
        vectors: "Wycheproof mldsa_*_sign_seed, mldsa_*_sign_noseed, mldsa_*_verify",
        sign: Some(sign),
        verify: Some(verify),
        ..COMMON
    }),
    row!(Row {
        kind: CKM_HASH_ML_DSA,
        name: "CKM_HASH_ML_DSA",
        shape: ParamShape::HashSignContext,
        vectors: HASHED,
        one_part: true,
        sign: Some(|env, params, key| sign_digest(params, private(env, key)?)),
        verify: Some(|env, params, key| verify_digest(params, public(env, key)?)),
        ..COMMON
    }),
    // FIPS 204, 5.4.1: the hash must resist collisions as well as the signature, which 28 bytes do not for any set.
    row!(hashed!(CKM_HASH_ML_DSA_SHA224, Hash::Sha224, 0)),
    row!(hashed!(CKM_HASH_ML_DSA_SHA256, Hash::Sha256, EVERYTHING)),
    row!(hashed!(CKM_HASH_ML_DSA_SHA384, Hash::Sha384, EVERYTHING)),
    row!(hashed!(CKM_HASH_ML_DSA_SHA512, Hash::Sha512, EVERYTHING)),
    row!(hashed!(CKM_HASH_ML_DSA_SHA3_224, Hash::Sha3_224, 0)),
    row!(hashed!(CKM_HASH_ML_DSA_SHA3_256, Hash::Sha3_256, EVERYTHING)),
    row!(hashed!(CKM_HASH_ML_DSA_SHA3_384, Hash::Sha3_384, EVERYTHING)),
    row!(hashed!(CKM_HASH_ML_DSA_SHA3_512, Hash::Sha3_512, EVERYTHING)),
    row!(hashed!(CKM_HASH_ML_DSA_SHAKE128, Hash::Shake128, EVERYTHING)),
    row!(hashed!(CKM_HASH_ML_DSA_SHAKE256, Hash::Shake256, EVERYTHING)),
    row!(Row {
        kind: CKM_EXTMU_ML_DSA,
        name: "CKM_EXTMU_ML_DSA",
        judge: judge_external,
        vectors: "Wycheproof mldsa_*_sign_seed, mldsa_*_sign_noseed (tests with a representative)",
        one_part: true,
        sign: Some(sign_external),
        verify: Some(verify_external),
        ..COMMON
    }),
];

/// The context is in the representative already.
fn judge_external(params: &Params) -> Result<()> {
    match params {
        Params::SignContext { context, .. } if !context.is_empty() => {
            Err(Reason::MechanismParam("a context belongs into the representative"))
        }
        other => judge(other),
    }
}

fn private(env: &Env<'_>, key: &Object) -> Result<Arc<dyn MlDsaPrivateKey>> {
    match key.key(env)? {
        Key::MlDsaPrivate(key) => Ok(Arc::clone(key)),
        _ => Err(Reason::KeyTypeInconsistent),
    }
}

fn public(env: &Env<'_>, key: &Object) -> Result<Arc<dyn MlDsaPublicKey>> {
    match key.key(env)? {
        Key::MlDsaPublic(key) => Ok(Arc::clone(key)),
        _ => Err(Reason::KeyTypeInconsistent),
    }
}

fn representative(public_key: &[u8], frame: &[u8], message: &[u8]) -> [u8; Mu::BYTES] {
    let mut mu = Mu::new(public_key, frame);
    mu.update(message);
    mu.finish()
}

// --- pure ---

struct PureSigner {
    mu: Mu,
    key: Arc<dyn MlDsaPrivateKey>,
    hedged: bool,
}

struct PureVerifier {
    mu: Mu,
    key: Arc<dyn MlDsaPublicKey>,
}

fn sign(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Signer>> {
    let key = private(env, key)?;
    let mu = Mu::new(&key.public_key(), &frame(params, None)?);
    Ok(Box::new(PureSigner { mu, key, hedged: is_hedged(params)? }))
}

fn verify(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Verifier>> {
    let key = public(env, key)?;
    let mu = Mu::new(&key.public_key(), &frame(params, None)?);
    Ok(Box::new(PureVerifier { mu, key }))
}

impl Signer for PureSigner {
    fn signature_bytes(&self) -> usize {
        self.key.set().signature_bytes()
    }
    fn multi_part(&self) -> bool {
        true
    }
    fn sign(&mut self, env: &Env<'_>, data: &[u8]) -> Result<Vec<u8>> {
        self.mu.update(data);
        self.finish(env)
    }
    fn update(&mut self, data: &[u8]) -> Result<()> {
        self.mu.update(data);
        Ok(())
    }
    fn finish(&mut self, env: &Env<'_>) -> Result<Vec<u8>> {
        faults::data(self.key.sign(&self.mu.finish(), hedge(env, self.hedged)))
    }
}

impl Verifier for PureVerifier {
    fn multi_part(&self) -> bool {
        true
    }
    fn verify(&mut self, env: &Env<'_>, data: &[u8], signature: &[u8]) -> Result<()> {
        self.mu.update(data);
        self.finish(env, signature)
    }
    fn update(&mut self, data: &[u8]) -> Result<()> {
        self.mu.update(data);
        Ok(())
    }
    fn finish(&mut self, _env: &Env<'_>, signature: &[u8]) -> Result<()> {
        faults::signature(self.key.verify(&self.mu.finish(), signature))
    }
}

// --- pre-hashed ---

impl SignsFramed for Arc<dyn MlDsaPrivateKey> {
    fn framed_bytes(&self) -> usize {
        self.set().signature_bytes()
    }
    fn sign_framed(&self, frame: &[u8], digest: &[u8], random: Option<&dyn Random>) -> hsm_crypto::Result<Vec<u8>> {
        self.sign(&representative(&self.public_key(), frame, digest), random)
    }
}

impl VerifiesFramed for Arc<dyn MlDsaPublicKey> {
    fn verify_framed(&self, frame: &[u8], digest: &[u8], signature: &[u8]) -> hsm_crypto::Result<()> {
        self.verify(&representative(&self.public_key(), frame, digest), signature)
    }
}

// --- a representative from outside ---

fn sign_external(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Signer>> {
    let (key, hedged) = (private(env, key)?, is_hedged(params)?);
    Ok(Box::new(OnePartSigner {
        bytes: key.set().signature_bytes(),
        sign: move |env: &Env<'_>, mu: &[u8]| {
            let mu = mu.try_into().map_err(|_| Reason::DataLength)?;
            faults::data(key.sign(mu, hedge(env, hedged)))
        },
    }))
}

fn verify_external(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Verifier>> {
    let key = public(env, key)?;
    Ok(Box::new(OnePartVerifier(move |mu: &[u8], signature: &[u8]| {
        let mu = mu.try_into().map_err(|_| Reason::DataLength)?;
        faults::signature(key.verify(mu, signature))
    })))
}
