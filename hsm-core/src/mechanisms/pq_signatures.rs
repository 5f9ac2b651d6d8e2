//! What ML-DSA and SLH-DSA have in common: the parameter with context, hedging and hash, and all that signs a digest.
//!
//! Owns: CK_SIGN_ADDITIONAL_CONTEXT and CK_HASH_SIGN_ADDITIONAL_CONTEXT as a frame and a way of signing; signatures over a message that is
//! hashed first, here or by the caller. Does not know: the algorithms, which sign a frame and what follows it.
//! Rule source: PKCS#11 v3.2, 6.66 and 6.69; FIPS 204, 5.2 and 5.4; FIPS 205, 10.2.

use super::parts::{HashedSigner, HashedVerifier, Hashing, OnePartSigner, OnePartVerifier};
use super::{Signer, Verifier, faults, hashes};
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::Params;
use ffi_headers::*;
use hsm_crypto::post_quantum::{CONTEXT_BYTES_MAX, framing};
use hsm_crypto::{Hash, Random};

/// Judges the parameter of a mechanism.
pub(super) fn judge(params: &Params) -> Result<()> {
    let Params::SignContext { hedge, context, hash } = params else { return Ok(()) };
    hedges(*hedge)?;
    if context.len() > CONTEXT_BYTES_MAX {
        return Err(Reason::MechanismParam("the context is longer than 255 bytes"));
    }
    hash.map_or(Ok(()), |hash| by_mechanism(hash).map(|_| ()))
}

/// What stands before the message, or before its digest.
pub(super) fn frame(params: &Params, hash: Option<Hash>) -> Result<Vec<u8>> {
    let context = match params {
        Params::SignContext { context, .. } => context.as_slice(),
        _ => &[],
    };
    Ok(framing(context, hash)?)
}

/// Whether a signature is hedged: always, where that is not forbidden.
pub(super) fn is_hedged(params: &Params) -> Result<bool> {
    match params {
        Params::SignContext { hedge, .. } => hedges(*hedge),
        _ => Ok(true),
    }
}

/// The source of a hedged signature's random bytes.
pub(super) fn hedge<'a>(env: &Env<'a>, hedged: bool) -> Option<&'a dyn Random> {
    hedged.then_some(env.random)
}

/// A private key that signs a frame and what follows it.
pub(super) trait SignsFramed: Send + 'static {
    /// Length of a signature in bytes.
    fn framed_bytes(&self) -> usize;
    /// Signs; with random bytes where the signature is hedged.
    fn sign_framed(&self, frame: &[u8], digest: &[u8], random: Option<&dyn Random>) -> hsm_crypto::Result<Vec<u8>>;
}

/// A public key that verifies a frame and what follows it.
pub(super) trait VerifiesFramed: Send + 'static {
    /// Verifies.
    fn verify_framed(&self, frame: &[u8], digest: &[u8], signature: &[u8]) -> hsm_crypto::Result<()>;
}

/// Signs a message that is hashed here.
pub(super) fn sign_hashed(
    env: &Env<'_>,
    params: &Params,
    key: impl SignsFramed,
    hash: Hash,
) -> Result<Box<dyn Signer>> {
    let (frame, hedged) = (frame(params, Some(hash))?, is_hedged(params)?);
    Ok(Box::new(HashedSigner {
        bytes: key.framed_bytes(),
        digest: Hashing::new(env, hash),
        sign: move |env: &Env<'_>, digest: &[u8]| faults::data(key.sign_framed(&frame, digest, hedge(env, hedged))),
    }))
}

/// Verifies a message that is hashed here.
pub(super) fn verify_hashed(
    env: &Env<'_>,
    params: &Params,
    key: impl VerifiesFramed,
    hash: Hash,
) -> Result<Box<dyn Verifier>> {
    let frame = frame(params, Some(hash))?;
    Ok(Box::new(HashedVerifier {
        digest: Hashing::new(env, hash),
        verify: move |digest: &[u8], signature: &[u8]| faults::signature(key.verify_framed(&frame, digest, signature)),
    }))
}

/// Signs a digest that the caller has made.
pub(super) fn sign_digest(params: &Params, key: impl SignsFramed) -> Result<Box<dyn Signer>> {
    let hash = prehash(params)?;
    let (frame, hedged) = (frame(params, Some(hash))?, is_hedged(params)?);
    Ok(Box::new(OnePartSigner {
        bytes: key.framed_bytes(),
        sign: move |env: &Env<'_>, digest: &[u8]| {
            check_digest(hash, digest)?;
            faults::data(key.sign_framed(&frame, digest, hedge(env, hedged)))
        },
    }))
}

/// Verifies a digest that the caller has made.
pub(super) fn verify_digest(params: &Params, key: impl VerifiesFramed) -> Result<Box<dyn Verifier>> {
    let hash = prehash(params)?;
    let frame = frame(params, Some(hash))?;
    Ok(Box::new(OnePartVerifier(move |digest: &[u8], signature: &[u8]| {
        check_digest(hash, digest)?;
        faults::signature(key.verify_framed(&frame, digest, signature))
    })))
}

/// The hash that the parameter names for a message that the caller has hashed.
fn prehash(params: &Params) -> Result<Hash> {
    match params {
        Params::SignContext { hash: Some(hash), .. } => by_mechanism(*hash),
        _ => Err(Reason::MechanismParam("CK_HASH_SIGN_ADDITIONAL_CONTEXT is needed")),
    }
}

fn hedges(variant: u64) -> Result<bool> {
    match variant {
        CKH_HEDGE_PREFERRED | CKH_HEDGE_REQUIRED => Ok(true),
        CKH_DETERMINISTIC_REQUIRED => Ok(false),
        _ => Err(Reason::MechanismParam("hedgeVariant is none of the three")),
    }
}

/// The two SHAKEs have no digest mechanism in the standard that could name them here.
fn by_mechanism(kind: u64) -> Result<Hash> {
    match hashes::by_mechanism(kind)? {
        Hash::Sha1 => Err(Reason::MechanismParam("not a hash of pre-hashed signatures")),
        hash => Ok(hash),
    }
}

/// Refuses a digest of another length than the hash makes.
fn check_digest(hash: Hash, digest: &[u8]) -> Result<()> {
    if digest.len() == hash.output_bytes() { Ok(()) } else { Err(Reason::DataLength) }
}
