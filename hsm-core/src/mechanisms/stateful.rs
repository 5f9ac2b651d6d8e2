//! HSS/LMS, XMSS and XMSS^MT: key pairs and signatures, each signature with an index that is then gone.
//!
//! Owns: what a template may ask for, when the index is reserved: after everything else has been judged, before the signature is made.
//! Does not know: where the count is kept ([`OneTime`](crate::platform::OneTime)), trees.
//! Rule source: PKCS#11 v3.2, 6.65 (HSS) and 6.66 (XMSS); RFC 8554, RFC 8391, SP 800-208.
//!
//! A fresh pair is not proved by a signature, which would use up an index: its public key is read from the tree that its private key grew.
//! SP 800-208 approves of these signatures where keys are made and used in hardware alone. This token is none, so it
//! approves of verification only.

use super::parts::{OnePartSigner, OnePartVerifier};
use super::{KeyRule, PairMaterial, Row, Signer, SizeUnit, Verifier, faults};
use crate::attributes::Material;
use crate::key::Key;
use crate::keys::material::number;
use crate::limits::{HSS_TREE_HEIGHT_MAX, XMSS_TREE_HEIGHT_MAX};
use crate::object::{Attributes, Object, Value};
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::stateful;
use crate::template::Template;
use crate::types::Params;
use ffi_headers::*;
use hsm_crypto::encoding::HashScheme;
use hsm_crypto::stateful::{HSS_LEVELS_MAX, HSS_SEED_BYTES, StatefulPrivateKey, StatefulPublicKey, lms_height};
use hsm_crypto::{CryptoError, SecretBytes};
use std::sync::Arc;

/// The standard wants both sizes to be 0.
const PAIR: Row = Row { unit: SizeUnit::None, ..Row::BLANK };
const COMMON: Row = Row {
    one_part: true,
    approved: CKF_VERIFY,
    sign: Some(sign),
    verify: Some(verify),
    unit: SizeUnit::None,
    ..Row::BLANK
};

pub(super) const ROWS: &[Row] = &[
    row!(Row {
        kind: CKM_HSS_KEY_PAIR_GEN,
        name: "CKM_HSS_KEY_PAIR_GEN",
        vectors: "NIST ACVP LMS-keyGen and RFC 8554 (trees of their seeds); signatures verified with hbs-lms and pyhsslms",
        generate_pair: Some(hss_pair),
        ..PAIR
    }),
    row!(Row {
        kind: CKM_HSS,
        name: "CKM_HSS",
        keys: KeyRule::Types(&[CKK_HSS]),
        vectors: "RFC 8554, appendix F; pyhsslms, another implementation (every LM-OTS type)",
        ..COMMON
    }),
    row!(Row {
        kind: CKM_XMSS_KEY_PAIR_GEN,
        name: "CKM_XMSS_KEY_PAIR_GEN",
        vectors: "the crate xmss, another implementation (keys of the same seeds)",
        generate_pair: Some(|env, _, public, private| xmss_pair(env, CKK_XMSS, public, private)),
        ..PAIR
    }),
    row!(Row {
        kind: CKM_XMSS,
        name: "CKM_XMSS",
        keys: KeyRule::Types(&[CKK_XMSS]),
        vectors: "liboqs; Bouncy Castle and the crate xmss, other implementations",
        ..COMMON
    }),
    row!(Row {
        kind: CKM_XMSSMT_KEY_PAIR_GEN,
        name: "CKM_XMSSMT_KEY_PAIR_GEN",
        vectors: "the crate xmss, another implementation (keys of the same seeds)",
        generate_pair: Some(|env, _, public, private| xmss_pair(env, CKK_XMSSMT, public, private)),
        ..PAIR
    }),
    row!(Row {
        kind: CKM_XMSSMT,
        name: "CKM_XMSSMT",
        keys: KeyRule::Types(&[CKK_XMSSMT]),
        vectors: "Bouncy Castle and the crate xmss, other implementations",
        ..COMMON
    }),
];

// --- signatures ---

fn sign(env: &Env<'_>, _: &Params, key: &Object) -> Result<Box<dyn Signer>> {
    let Key::StatefulPrivate(private) = key.key(env)? else { return Err(Reason::KeyTypeInconsistent) };
    if stateful::left(key)? == 0 {
        return Err(Reason::KeyExhausted);
    }
    let private = Arc::clone(private);
    let unique_id = key.bytes(CKA_UNIQUE_ID).unwrap_or_default().to_vec();
    Ok(Box::new(OnePartSigner {
        bytes: private.signature_bytes(),
        sign: move |env: &Env<'_>, data: &[u8]| {
            let keeper = env.one_time.ok_or(Reason::Internal("a stateful key signs where nobody counts"))?;
            let index = keeper.reserve(&unique_id)?;
            faults::data(private.sign(index, data))
        },
    }))
}

fn verify(env: &Env<'_>, _: &Params, key: &Object) -> Result<Box<dyn Verifier>> {
    let Key::StatefulPublic(public) = key.key(env)? else { return Err(Reason::KeyTypeInconsistent) };
    if env.policy.approved
        && let Some((key_type, number)) = key.key_type().zip(key.number(CKA_PARAMETER_SET))
        && !stateful::xmss_set(key_type, number)?.approved()
    {
        let kind = if key_type == CKK_XMSS { CKM_XMSS } else { CKM_XMSSMT };
        return Err(Reason::MechanismNotPermitted { kind, why: "SP 800-208 does not have the key's parameter set" });
    }
    let public = Arc::clone(public);
    Ok(Box::new(OnePartVerifier(move |data: &[u8], signature: &[u8]| {
        faults::signature(public.verify(data, signature))
    })))
}

// --- key pairs ---

/// C_GenerateKeyPair by CKM_HSS_KEY_PAIR_GEN: levels and types come in the private template.
fn hss_pair(env: &Env<'_>, _: &Params, _: &Template, private: &Template) -> Result<PairMaterial> {
    let types = hss_types(private)?;
    let seed = random(env, HSS_SEED_BYTES)?;
    let key = (env.engine.stateful.hss_private)(&types, seed.expose()).map_err(|error| match error {
        CryptoError::InvalidParameter(problem) => Reason::AttributeValue { kind: CKA_HSS_LMOTS_TYPES, problem },
        other => other.into(),
    })?;
    let value = key.public_key()?;
    let public = (env.engine.stateful.hss_public)(&value)?;
    let mut attributes = stateful::public_material(HashScheme::Hss, value.clone());
    attributes.extend(stateful::top_level(&value)?);
    let mut secret = private_material(CKK_HSS, &seed);
    secret.insert(CKA_HSS_KEYS_REMAINING, stateful::shown(key.signatures()));
    Ok(pair((attributes, public), (secret, key)))
}

/// The types of each level, top first.
fn hss_types(template: &Template) -> Result<Vec<(u32, u32)>> {
    let levels = number(template, CKA_HSS_LEVELS)?.ok_or(Reason::TemplateIncomplete(CKA_HSS_LEVELS))?;
    let levels = usize::try_from(levels)
        .ok()
        .filter(|levels| (1..=HSS_LEVELS_MAX).contains(levels))
        .ok_or(Reason::AttributeValue { kind: CKA_HSS_LEVELS, problem: "HSS has 1 to 8 levels" })?;
    let lms = type_list(template, CKA_HSS_LMS_TYPES, levels)?;
    let lmots = type_list(template, CKA_HSS_LMOTS_TYPES, levels)?;
    let wrong = |problem| Err(Reason::AttributeValue { kind: CKA_HSS_LMS_TYPES, problem });
    for one in &lms {
        match lms_height(*one) {
            None => return wrong("not a type of LMS"),
            Some(height) if height > HSS_TREE_HEIGHT_MAX => return wrong("trees above height 15 are not grown here"),
            Some(_) => {}
        }
    }
    Ok(lms.into_iter().zip(lmots).collect())
}

/// A list with a number for each level.
fn type_list(template: &Template, kind: u64, levels: usize) -> Result<Vec<u32>> {
    let bytes = template.bytes(kind).ok_or(Reason::TemplateIncomplete(kind))?;
    let (numbers, rest) = bytes.as_chunks::<8>();
    if numbers.len() != levels || !rest.is_empty() {
        return Err(Reason::AttributeValue { kind, problem: "not one CK_ULONG for each level of CKA_HSS_LEVELS" });
    }
    let numbers = numbers.iter().map(|number| u32::try_from(u64::from_ne_bytes(*number)));
    // Types have 32 bits; a larger number is none.
    numbers
        .collect::<core::result::Result<_, _>>()
        .map_err(|_| Reason::AttributeValue { kind, problem: "no such type" })
}

/// C_GenerateKeyPair by CKM_XMSS_KEY_PAIR_GEN and CKM_XMSSMT_KEY_PAIR_GEN: the set comes in the public template.
fn xmss_pair(env: &Env<'_>, key_type: u64, public: &Template, _: &Template) -> Result<PairMaterial> {
    let number = number(public, CKA_PARAMETER_SET)?.ok_or(Reason::TemplateIncomplete(CKA_PARAMETER_SET))?;
    let set = stateful::xmss_set(key_type, number)?;
    if set.tree_height() > XMSS_TREE_HEIGHT_MAX {
        return Err(Reason::ParameterSetUnknown(number));
    }
    let seeds = random(env, set.seed_bytes())?;
    let key = (env.engine.stateful.xmss_private)(set, seeds.expose())?;
    let value = key.public_key()?;
    let public = (env.engine.stateful.xmss_public)(set, &value)?;
    let scheme = if key_type == CKK_XMSS { HashScheme::Xmss } else { HashScheme::XmssMt };
    let mut secret = private_material(key_type, &seeds);
    secret.insert(CKA_PARAMETER_SET, Value::Number(number));
    Ok(pair((stateful::public_material(scheme, value), public), (secret, key)))
}

fn random(env: &Env<'_>, bytes: usize) -> Result<SecretBytes> {
    let mut secret = SecretBytes::zeroed(bytes);
    env.random.fill(secret.expose_mut())?;
    Ok(secret)
}

/// What every private key is: v3.2, 6.65.3 says that it must be sensitive, and must be neither extractable nor copyable. Nor may those of
/// XMSS be copied: the copy would sign with the same indices.
fn private_material(key_type: u64, seed: &SecretBytes) -> Attributes {
    Attributes::from([
        (CKA_CLASS, Value::Number(CKO_PRIVATE_KEY)),
        (CKA_KEY_TYPE, Value::Number(key_type)),
        (CKA_SENSITIVE, Value::Flag(true)),
        (CKA_EXTRACTABLE, Value::Flag(false)),
        (CKA_COPYABLE, Value::Flag(false)),
        (CKA_VALUE, Value::Bytes(stateful::fresh_value(seed.expose()))),
    ])
}

fn pair(
    (public, public_key): (Attributes, Arc<dyn StatefulPublicKey>),
    (private, private_key): (Attributes, Arc<dyn StatefulPrivateKey>),
) -> PairMaterial {
    (
        Material { attributes: public, key: Some(Key::StatefulPublic(public_key)) },
        Material { attributes: private, key: Some(Key::StatefulPrivate(private_key)) },
    )
}
