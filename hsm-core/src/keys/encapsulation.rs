//! C_EncapsulateKey and C_DecapsulateKey, from mechanism and template to finished object.
//!
//! Owns: the order of the checks, CKA_ENCAPSULATE_TEMPLATE and CKA_DECAPSULATE_TEMPLATE. Does not know: sessions, handles, the store.
//! Called from the kernel, through `keys`.
//! Rule source: PKCS#11 v3.2, 5.18.8 and 5.18.9.
//!
//! A new key is a generic secret where the template names no type, and as long as the mechanism's secret where it names no length. A
//! shorter key is the beginning of an ML-KEM secret (SP 800-227, 5.1), and the end of an ECDH one (as C_DeriveKey). Under RSA with a padding
//! the key is made here, so the template says its length.
//!
//! With an RSA key a decapsulation does what unwrapping does, and so falls under the rules of unwrapping in the token's policy.

use super::{ciphers, enforced, material, secret_target};
use crate::attributes::{self, Actor, Origin};
use crate::mechanisms::rules::{self, Usage};
use crate::mechanisms::{Wanted, column};
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::template::Template;
use crate::types::{Mechanism, Room};
use ffi_headers::*;
use hsm_crypto::SecretBytes;

/// What C_EncapsulateKey came to.
pub enum Enclosed {
    /// The length of the ciphertext; nothing was made.
    Size(usize),
    /// Ciphertext and key.
    Made(Vec<u8>, Box<Object>),
}

/// C_EncapsulateKey: makes a secret key and the ciphertext that holds it.
///
/// # Errors
/// `Mechanism*`, `Key*`, `EncapsulateTemplate`, `Template*`, `Attribute*`, `BufferTooSmall`.
pub fn encapsulate_key(
    env: &Env<'_>,
    actor: Actor,
    mechanism: &Mechanism,
    public: &Object,
    template: &Template,
    room: Room,
) -> Result<Enclosed> {
    let (row, encapsulation) = column(env, mechanism, CKF_ENCAPSULATE, |row| row.encapsulate)?;
    rules::judge_key(env.policy, row, public, Usage::Encapsulate)?;
    let template = enforced(template, public, CKA_ENCAPSULATE_TEMPLATE).map_err(|reason| match reason {
        Reason::TemplateInconsistent { kind, .. } => Reason::EncapsulateTemplate(kind),
        other => other,
    })?;
    let wanted = wanted(&template)?;
    let bytes = (encapsulation.ciphertext_bytes)(env, &mechanism.params, public)?;
    match room {
        Room::Ask => return Ok(Enclosed::Size(bytes)),
        Room::Bytes(have) if have < bytes => return Err(Reason::BufferTooSmall { need: bytes }),
        Room::Bytes(_) => {}
    }
    let made = (encapsulation.run)(env, &mechanism.params, public, wanted)?;
    let key = finished(env, actor, mechanism, wanted, &template, made.secret)?;
    Ok(Enclosed::Made(made.ciphertext, Box::new(key)))
}

/// C_DecapsulateKey: makes the secret key that a ciphertext holds.
///
/// # Errors
/// `Mechanism*`, `UnwrappingKey*`, `WrappedKey*`, `Template*`, `Attribute*`.
pub fn decapsulate_key(
    env: &Env<'_>,
    actor: Actor,
    mechanism: &Mechanism,
    private: &Object,
    ciphertext: &[u8],
    template: &Template,
) -> Result<Object> {
    let (row, decapsulate) = column(env, mechanism, CKF_DECAPSULATE, |row| row.decapsulate)?;
    rules::judge_key(env.policy, row, private, Usage::Decapsulate).map_err(|reason| match reason {
        Reason::KeyTypeInconsistent => Reason::UnwrappingKeyType,
        Reason::KeySize => Reason::UnwrappingKeySize,
        other => other,
    })?;
    let template = enforced(template, private, CKA_DECAPSULATE_TEMPLATE)?;
    if private.key_type() == Some(CKK_RSA) {
        env.policy.judge_unwrapping(private, &template)?;
    }
    let wanted = wanted(&template)?;
    let secret = decapsulate(env, &mechanism.params, private, ciphertext, wanted)?;
    finished(env, actor, mechanism, wanted, &template, secret).map_err(|reason| match reason {
        // The decrypted bytes make no key of the type.
        Reason::KeyMaterial(_) => Reason::WrappedKeyInvalid,
        other => other,
    })
}

/// What the template says of the new key.
fn wanted(template: &Template) -> Result<Wanted> {
    let (key_type, bytes) = secret_target(template)?;
    Ok(Wanted { key_type, bytes })
}

/// The new key, of the secret that the mechanism gave.
fn finished(
    env: &Env<'_>,
    actor: Actor,
    mechanism: &Mechanism,
    wanted: Wanted,
    template: &Template,
    secret: SecretBytes,
) -> Result<Object> {
    if !material::fits(wanted.key_type, secret.len()) {
        return Err(Reason::TemplateIncomplete(CKA_VALUE_LEN));
    }
    let material = material::secret(wanted.key_type, ciphers::derived(wanted.key_type, secret));
    attributes::build(env, actor, Origin::Encapsulate(mechanism.kind), template, material)
}
