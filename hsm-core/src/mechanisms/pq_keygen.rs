//! Key pairs of the post-quantum algorithms, for the families that have their rows.
//!
//! The parameter set comes in the public template, and may be repeated in the private one. A fresh pair is proved: an ML-KEM pair by one
//! encapsulation, a pair for signatures by one signature (FIPS 140-3, pairwise consistency).
//! Rule source: PKCS#11 v3.2, 6.66 to 6.69; FIPS 203 (7.1), FIPS 204 (5.1), FIPS 205 (10.1).

use super::PairMaterial;
use crate::attributes::Material;
use crate::key::Key;
use crate::keys::material;
use crate::platform::Env;
use crate::post_quantum;
use crate::reason::{Reason, Result};
use crate::template::Template;
use crate::types::Params;
use ffi_headers::*;
use hsm_crypto::encoding::PqSet;
use hsm_crypto::post_quantum::{MlDsaSet, MlKemSet, Mu, Secret, SlhDsaSet};
use hsm_crypto::{CryptoError, SecretBytes};

/// C_GenerateKeyPair by CKM_ML_KEM_KEY_PAIR_GEN.
pub(super) fn ml_kem(env: &Env<'_>, _: &Params, public: &Template, private: &Template) -> Result<PairMaterial> {
    let named = set(CKK_ML_KEM, public, private)?;
    let PqSet::MlKem(set) = named else { return Err(OTHER_TYPE) };
    let engine = &env.engine.post_quantum;
    let seed = random(env, MlKemSet::SEED_BYTES)?;
    let private = (engine.ml_kem_private)(set, Secret::Seed(seed.expose()))?;
    let point = private.public_key();
    let public = (engine.ml_kem_public)(set, &point)?;
    let proof = public.encapsulate(env.random)?;
    if private.decapsulate(&proof.ciphertext)? != proof.secret {
        return Err(CryptoError::SelfTest("a fresh ML-KEM pair does not open its own secret").into());
    }
    let expanded = private.expanded()?;
    Ok(pair(named, (point, Key::MlKemPublic(public)), (Some(seed), expanded, Key::MlKemPrivate(private))))
}

/// C_GenerateKeyPair by CKM_ML_DSA_KEY_PAIR_GEN.
pub(super) fn ml_dsa(env: &Env<'_>, _: &Params, public: &Template, private: &Template) -> Result<PairMaterial> {
    let named = set(CKK_ML_DSA, public, private)?;
    let PqSet::MlDsa(set) = named else { return Err(OTHER_TYPE) };
    let engine = &env.engine.post_quantum;
    let seed = random(env, MlDsaSet::SEED_BYTES)?;
    let private = (engine.ml_dsa_private)(set, Secret::Seed(seed.expose()))?;
    let point = private.public_key();
    let public = (engine.ml_dsa_public)(set, &point)?;
    let representative = Mu::new(&point, &[]).finish();
    public.verify(&representative, &private.sign(&representative, Some(env.random))?)?;
    let expanded = private.expanded()?;
    Ok(pair(named, (point, Key::MlDsaPublic(public)), (Some(seed), expanded, Key::MlDsaPrivate(private))))
}

/// C_GenerateKeyPair by CKM_SLH_DSA_KEY_PAIR_GEN.
pub(super) fn slh_dsa(env: &Env<'_>, _: &Params, public: &Template, private: &Template) -> Result<PairMaterial> {
    let named = set(CKK_SLH_DSA, public, private)?;
    let PqSet::SlhDsa(set) = named else { return Err(OTHER_TYPE) };
    let engine = &env.engine.post_quantum;
    let seeds = random(env, 3 * SlhDsaSet::n(set))?;
    let value = (engine.slh_dsa_expand)(set, seeds.expose())?;
    let private = (engine.slh_dsa_private)(set, value.expose())?;
    let point = private.public_key();
    let public = (engine.slh_dsa_public)(set, &point)?;
    public.verify(&[&point], &private.sign(&[&point], Some(env.random))?)?;
    Ok(pair(named, (point, Key::SlhDsaPublic(public)), (None, value, Key::SlhDsaPrivate(private))))
}

const OTHER_TYPE: Reason = Reason::Internal("a parameter set of another key type");

/// The parameter set that the templates name.
fn set(key_type: u64, public: &Template, private: &Template) -> Result<PqSet> {
    let number = material::number(public, CKA_PARAMETER_SET)?.ok_or(Reason::TemplateIncomplete(CKA_PARAMETER_SET))?;
    if material::number(private, CKA_PARAMETER_SET)?.is_some_and(|other| other != number) {
        let problem = "the two templates name two parameter sets";
        return Err(Reason::TemplateInconsistent { kind: CKA_PARAMETER_SET, problem });
    }
    post_quantum::set(key_type, number)
}

fn random(env: &Env<'_>, bytes: usize) -> Result<SecretBytes> {
    let mut secret = SecretBytes::zeroed(bytes);
    env.random.fill(secret.expose_mut())?;
    Ok(secret)
}

fn pair(
    set: PqSet,
    (public, public_key): (Vec<u8>, Key),
    (seed, value, private_key): (Option<SecretBytes>, SecretBytes, Key),
) -> PairMaterial {
    let public = post_quantum::public_material(set, public);
    let private = post_quantum::private_material(set, seed, Some(value));
    (Material { attributes: public, key: Some(public_key) }, Material { attributes: private, key: Some(private_key) })
}
