//! Post-quantum keys between attributes, encodings and engine keys.
//!
//! Owns: which number of CKA_PARAMETER_SET is which set, which attribute holds which part of a key, and what makes an imported key
//! whole: CKA_SEED and CKA_VALUE must belong together, and what is missing of the expanded key is computed. Does not know:
//! templates, mechanisms. Called from `key`, `object` and the completion of new keys.
//! Rule source: PKCS#11 v3.2, 6.66 to 6.69 (ML-DSA, ML-KEM, SLH-DSA); FIPS 203, 204, 205.

use crate::key::{self, Key};
use crate::object::{self, Attributes, Value};
use crate::platform::Env;
use crate::reason::{Reason, Result};
use ffi_headers::*;
use hsm_crypto::encoding::{PqSet, PrivateForm, PublicForm};
use hsm_crypto::post_quantum::{MlDsaSet, MlKemSet, Secret, SlhDsaSet};
use hsm_crypto::{CryptoError, Provider, SecretBytes};

/// The sets by their `CKP_*`, in the order of the standard.
const ML_KEM: [(u64, MlKemSet); 3] = [
    (CKP_ML_KEM_512, MlKemSet::MlKem512),
    (CKP_ML_KEM_768, MlKemSet::MlKem768),
    (CKP_ML_KEM_1024, MlKemSet::MlKem1024),
];
const ML_DSA: [(u64, MlDsaSet); 3] =
    [(CKP_ML_DSA_44, MlDsaSet::MlDsa44), (CKP_ML_DSA_65, MlDsaSet::MlDsa65), (CKP_ML_DSA_87, MlDsaSet::MlDsa87)];
const SLH_DSA: [(u64, SlhDsaSet); 12] = [
    (CKP_SLH_DSA_SHA2_128S, SlhDsaSet::Sha2_128s),
    (CKP_SLH_DSA_SHAKE_128S, SlhDsaSet::Shake128s),
    (CKP_SLH_DSA_SHA2_128F, SlhDsaSet::Sha2_128f),
    (CKP_SLH_DSA_SHAKE_128F, SlhDsaSet::Shake128f),
    (CKP_SLH_DSA_SHA2_192S, SlhDsaSet::Sha2_192s),
    (CKP_SLH_DSA_SHAKE_192S, SlhDsaSet::Shake192s),
    (CKP_SLH_DSA_SHA2_192F, SlhDsaSet::Sha2_192f),
    (CKP_SLH_DSA_SHAKE_192F, SlhDsaSet::Shake192f),
    (CKP_SLH_DSA_SHA2_256S, SlhDsaSet::Sha2_256s),
    (CKP_SLH_DSA_SHAKE_256S, SlhDsaSet::Shake256s),
    (CKP_SLH_DSA_SHA2_256F, SlhDsaSet::Sha2_256f),
    (CKP_SLH_DSA_SHAKE_256F, SlhDsaSet::Shake256f),
];

/// Whether keys of this `CKK_*` have a parameter set of this file.
#[must_use]
pub const fn is_key_type(key_type: u64) -> bool {
    matches!(key_type, CKK_ML_KEM | CKK_ML_DSA | CKK_SLH_DSA)
}

/// The set that a key type's CKA_PARAMETER_SET means.
///
/// # Errors
/// `ParameterSetUnknown`.
pub fn set(key_type: u64, number: u64) -> Result<PqSet> {
    fn find<T: Copy>(sets: &[(u64, T)], number: u64, make: fn(T) -> PqSet) -> Option<PqSet> {
        sets.iter().find(|(known, _)| *known == number).map(|(_, set)| make(*set))
    }
    match key_type {
        CKK_ML_KEM => find(&ML_KEM, number, PqSet::MlKem),
        CKK_ML_DSA => find(&ML_DSA, number, PqSet::MlDsa),
        CKK_SLH_DSA => find(&SLH_DSA, number, PqSet::SlhDsa),
        _ => None,
    }
    .ok_or(Reason::ParameterSetUnknown(number))
}

/// The `CKK_*` and `CKP_*` of a set.
#[must_use]
pub fn numbers(set: PqSet) -> (u64, u64) {
    fn number<T: PartialEq>(sets: &[(u64, T)], set: T) -> u64 {
        sets.iter().find(|(_, known)| *known == set).map_or(CK_UNAVAILABLE_INFORMATION, |(number, _)| *number)
    }
    match set {
        PqSet::MlKem(set) => (CKK_ML_KEM, number(&ML_KEM, set)),
        PqSet::MlDsa(set) => (CKK_ML_DSA, number(&ML_DSA, set)),
        PqSet::SlhDsa(set) => (CKK_SLH_DSA, number(&SLH_DSA, set)),
    }
}

/// The set of a key with these attributes.
///
/// # Errors
/// `TemplateIncomplete`, `ParameterSetUnknown`.
pub fn set_of(attributes: &Attributes) -> Result<PqSet> {
    match (attributes.get(CKA_KEY_TYPE), attributes.get(CKA_PARAMETER_SET)) {
        (Some(Value::Number(key_type)), Some(Value::Number(number))) => set(*key_type, *number),
        _ => Err(Reason::TemplateIncomplete(CKA_PARAMETER_SET)),
    }
}

/// Parses the key that the attributes make.
///
/// # Errors
/// `KeyMaterial`, `ParameterSetUnknown`, or the engine's own failure.
pub fn parse(env: &Env<'_>, class: u64, attributes: &Attributes) -> Result<Key> {
    let (engine, value) = (&env.engine.post_quantum, object::part(attributes, CKA_VALUE)?);
    let secret = Secret::Expanded(value);
    let parsed = match (class, set_of(attributes)?) {
        (CKO_PUBLIC_KEY, PqSet::MlKem(set)) => (engine.ml_kem_public)(set, value).map(Key::MlKemPublic),
        (CKO_PUBLIC_KEY, PqSet::MlDsa(set)) => (engine.ml_dsa_public)(set, value).map(Key::MlDsaPublic),
        (CKO_PUBLIC_KEY, PqSet::SlhDsa(set)) => (engine.slh_dsa_public)(set, value).map(Key::SlhDsaPublic),
        (_, PqSet::MlKem(set)) => (engine.ml_kem_private)(set, secret).map(Key::MlKemPrivate),
        (_, PqSet::MlDsa(set)) => (engine.ml_dsa_private)(set, secret).map(Key::MlDsaPrivate),
        (_, PqSet::SlhDsa(set)) => (engine.slh_dsa_private)(set, value).map(Key::SlhDsaPrivate),
    };
    parsed.map_err(key::refusal)
}

/// Brings the parts of a private key into the form that objects keep: CKA_VALUE always there and of CKA_SEED's key. A pair that
/// the token `made` is in that form.
///
/// # Errors
/// `TemplateIncomplete` without both, `KeyMaterial` where they contradict each other or themselves.
pub fn normalise_private(env: &Env<'_>, made: bool, attributes: &mut Attributes) -> Result<()> {
    for kind in [CKA_SEED, CKA_VALUE] {
        if matches!(attributes.get(kind), Some(Value::Bytes(bytes)) if bytes.is_empty()) {
            attributes.remove(kind);
        }
    }
    if made {
        return Ok(());
    }
    let set = set_of(attributes)?;
    let bytes = |kind| match attributes.get(kind) {
        Some(Value::Bytes(bytes)) => Some(bytes.expose()),
        _ => None,
    };
    match (bytes(CKA_SEED), bytes(CKA_VALUE)) {
        (None, None) => Err(Reason::TemplateIncomplete(CKA_VALUE)),
        (Some(seed), value) => {
            let expanded = expand(env, set, seed)?;
            if value.is_some_and(|value| !expanded.ct_eq(value)) {
                return Err(Reason::KeyMaterial("CKA_SEED and CKA_VALUE do not belong together"));
            }
            attributes.insert(CKA_VALUE, Value::Bytes(expanded));
            Ok(())
        }
        (None, Some(value)) => check_value(env, set, value),
    }
}

/// The expanded key of a seed.
fn expand(env: &Env<'_>, set: PqSet, seed: &[u8]) -> Result<SecretBytes> {
    let (engine, secret) = (&env.engine.post_quantum, Secret::Seed(seed));
    match set {
        PqSet::MlKem(set) => (engine.ml_kem_private)(set, secret).and_then(|key| key.expanded()),
        PqSet::MlDsa(set) => (engine.ml_dsa_private)(set, secret).and_then(|key| key.expanded()),
        PqSet::SlhDsa(_) => Err(CryptoError::InvalidKey("an SLH-DSA key has no seed")),
    }
    .map_err(key::refusal)
}

/// Checks what the engines do not at each parse: that a decapsulation key opens what its encapsulation key makes, and that the root in
/// an SLH-DSA key is that of its seeds.
fn check_value(env: &Env<'_>, set: PqSet, value: &[u8]) -> Result<()> {
    let engine = &env.engine.post_quantum;
    let fits = match set {
        PqSet::MlKem(set) => (engine.ml_kem_private)(set, Secret::Expanded(value)).and_then(|private| {
            let made = (engine.ml_kem_public)(set, &private.public_key())?.encapsulate(env.random)?;
            Ok(private.decapsulate(&made.ciphertext)? == made.secret)
        }),
        PqSet::MlDsa(set) => (engine.ml_dsa_private)(set, Secret::Expanded(value)).map(|_| true),
        PqSet::SlhDsa(set) => match value.get(..3 * set.n()) {
            Some(seeds) if value.len() == set.private_bytes() => {
                (engine.slh_dsa_expand)(set, seeds).map(|right| right.ct_eq(value))
            }
            _ => Ok(false),
        },
    };
    if fits.map_err(key::refusal)? { Ok(()) } else { Err(Reason::KeyMaterial("the parts of the key do not fit")) }
}

/// The private key in the form that PKCS#8 carries.
///
/// # Errors
/// `KeyMaterial` when a part is missing; `ParameterSetUnknown`.
pub fn private_form(attributes: &Attributes) -> Result<PrivateForm> {
    let seed = match attributes.get(CKA_SEED) {
        Some(Value::Bytes(seed)) if !seed.is_empty() => Some(seed.clone()),
        _ => None,
    };
    let key = Some(SecretBytes::copy_of(object::part(attributes, CKA_VALUE)?));
    Ok(PrivateForm::PostQuantum { set: set_of(attributes)?, seed, key })
}

/// The attributes of a private key.
#[must_use]
pub fn private_material(set: PqSet, seed: Option<SecretBytes>, key: Option<SecretBytes>) -> Attributes {
    let mut attributes = material(CKO_PRIVATE_KEY, set);
    attributes.extend(seed.map(|seed| (CKA_SEED, Value::Bytes(seed))));
    attributes.extend(key.map(|key| (CKA_VALUE, Value::Bytes(key))));
    attributes
}

/// The attributes of a public key.
#[must_use]
pub fn public_material(set: PqSet, key: Vec<u8>) -> Attributes {
    let mut attributes = material(CKO_PUBLIC_KEY, set);
    attributes.insert(CKA_VALUE, Value::Bytes(key.into()));
    attributes
}

fn material(class: u64, set: PqSet) -> Attributes {
    let (key_type, number) = numbers(set);
    Attributes::from([
        (CKA_CLASS, Value::Number(class)),
        (CKA_KEY_TYPE, Value::Number(key_type)),
        (CKA_PARAMETER_SET, Value::Number(number)),
    ])
}

/// The public key in the attributes of a public key.
///
/// # Errors
/// `KeyMaterial` for a private key, whose CKA_VALUE is its secret; `ParameterSetUnknown`.
pub fn public_form(attributes: &Attributes) -> Result<PublicForm> {
    if attributes.get(CKA_CLASS) != Some(&Value::Number(CKO_PUBLIC_KEY)) {
        return Err(Reason::KeyMaterial("the object is not a public key"));
    }
    let key = object::part(attributes, CKA_VALUE)?.to_vec();
    Ok(PublicForm::PostQuantum { set: set_of(attributes)?, key })
}

/// The public key of a private one in the form that PKCS#8 carries.
///
/// # Errors
/// `InvalidKey`, or the engine's own failure.
pub fn public_of_form(
    engine: &Provider,
    set: PqSet,
    seed: Option<&SecretBytes>,
    key: Option<&SecretBytes>,
) -> hsm_crypto::Result<PublicForm> {
    let engine = &engine.post_quantum;
    let secret = match (seed, key) {
        (Some(seed), _) => Secret::Seed(seed.expose()),
        (None, Some(key)) => Secret::Expanded(key.expose()),
        (None, None) => return Err(CryptoError::InvalidKey("a part of the key is missing")),
    };
    let key = match (set, secret) {
        (PqSet::MlKem(set), secret) => (engine.ml_kem_private)(set, secret)?.public_key(),
        (PqSet::MlDsa(set), secret) => (engine.ml_dsa_private)(set, secret)?.public_key(),
        (PqSet::SlhDsa(set), Secret::Seed(key) | Secret::Expanded(key)) => {
            (engine.slh_dsa_private)(set, key)?.public_key()
        }
    };
    Ok(PublicForm::PostQuantum { set, key })
}

/// The public key of a parsed private one.
#[must_use]
pub fn public_of_private(key: &Key) -> Option<PublicForm> {
    let (set, key) = match key {
        Key::MlKemPrivate(key) => (PqSet::MlKem(key.set()), key.public_key()),
        Key::MlDsaPrivate(key) => (PqSet::MlDsa(key.set()), key.public_key()),
        Key::SlhDsaPrivate(key) => (PqSet::SlhDsa(key.set()), key.public_key()),
        _ => return None,
    };
    Some(PublicForm::PostQuantum { set, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_has_a_number_and_every_number_its_set() {
        for one in PqSet::all() {
            let (key_type, number) = numbers(one);
            assert!(is_key_type(key_type));
            assert_eq!(set(key_type, number).unwrap(), one);
        }
        for (key_type, most) in [(CKK_ML_KEM, 3), (CKK_ML_DSA, 3), (CKK_SLH_DSA, 12)] {
            assert!((1..=most).all(|number| set(key_type, number).is_ok()));
            for number in [0, most + 1, u64::MAX] {
                assert!(matches!(set(key_type, number), Err(Reason::ParameterSetUnknown(_))));
            }
        }
        assert!(set(CKK_RSA, 1).is_err());
    }
}
