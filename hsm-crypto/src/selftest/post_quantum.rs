//! Known answers of the post-quantum families.
//!
//! Owns: what is asked of each. Called from [`super::run`].

use super::{Unrandom, known};
use crate::error::Result;
use crate::hash::Hash;
use crate::post_quantum::{MlDsaSet, MlKemSet, Mu, Secret, SlhDsaSet, framing};
use crate::provider::Provider;

pub(super) fn sha256(engine: &Provider, data: &[u8]) -> Vec<u8> {
    let mut digest = (engine.digest)(Hash::Sha256);
    digest.update(data);
    digest.finish()
}

pub(super) fn ml_kem(engine: &Provider) -> Result<bool> {
    let set = MlKemSet::MlKem512;
    let private = (engine.post_quantum.ml_kem_private)(set, Secret::Seed(&known::ML_KEM_SEED))?;
    let public_key = private.public_key();
    let public = (engine.post_quantum.ml_kem_public)(set, &public_key)?;
    let fresh = public.encapsulate(&Unrandom)?;
    let mut changed = known::ML_KEM_CIPHERTEXT;
    changed[0] ^= 1;
    // A changed ciphertext gives another secret: implicit rejection (FIPS 203, 10.2.3 of the guidance for FIPS 140-3).
    Ok(sha256(engine, &public_key) == known::ML_KEM_PUBLIC_SHA256
        && private.decapsulate(&known::ML_KEM_CIPHERTEXT)?.expose() == known::ML_KEM_SECRET
        && private.decapsulate(&changed)?.expose() != known::ML_KEM_SECRET
        && private.decapsulate(&fresh.ciphertext)? == fresh.secret)
}

pub(super) fn ml_dsa(engine: &Provider) -> Result<bool> {
    let set = MlDsaSet::MlDsa44;
    let private = (engine.post_quantum.ml_dsa_private)(set, Secret::Seed(&known::ML_DSA_SEED))?;
    let public_key = private.public_key();
    let public = (engine.post_quantum.ml_dsa_public)(set, &public_key)?;
    let mut mu = Mu::new(&public_key, &framing(b"", None)?);
    mu.update(&known::ML_DSA_MESSAGE);
    let mu = mu.finish();
    let (fixed, hedged) = (private.sign(&mu, None)?, private.sign(&mu, Some(&Unrandom))?);
    Ok(sha256(engine, &public_key) == known::ML_DSA_PUBLIC_SHA256
        && sha256(engine, &fixed) == known::ML_DSA_SIGNATURE_SHA256
        && public.verify(&mu, &fixed).is_ok()
        && public.verify(&mu, &hedged).is_ok()
        && public.verify(&[0; Mu::BYTES], &fixed).is_err())
}

pub(super) fn slh_dsa(engine: &Provider) -> Result<bool> {
    let mut seeds = [0; 48];
    for (byte, number) in seeds.iter_mut().zip(0..) {
        *byte = number;
    }
    for (set, answer) in [
        (SlhDsaSet::Sha2_128f, known::SLH_DSA_SHA2_128F_SHA256),
        (SlhDsaSet::Shake128f, known::SLH_DSA_SHAKE_128F_SHA256),
    ] {
        let private = (engine.post_quantum.slh_dsa_expand)(set, &seeds)?;
        let private = (engine.post_quantum.slh_dsa_private)(set, private.expose())?;
        let public = (engine.post_quantum.slh_dsa_public)(set, &private.public_key())?;
        let frame = framing(b"", None)?;
        let signature = private.sign(&[&frame, b"abc"], None)?;
        if sha256(engine, &signature) != answer
            || public.verify(&[&frame, b"ab", b"c"], &signature).is_err()
            || public.verify(&[&frame, b"abd"], &signature).is_ok()
        {
            return Ok(false);
        }
    }
    Ok(true)
}
