//! C_EncapsulateKey and C_DecapsulateKey, from mechanism and template to finished object.
//!
//! Owns: the order of the checks, CKA_ENCAPSULATE_TEMPLATE and CKA_DECAPSULATE_TEMPLATE. Does not know: sessions, handles, the store.
//! Called from the kernel, through `keys`.
//! Rule source: PKCS#11 v3.2, 5.18.8 and 5.18.9.
//!
//! A new key is a generic secret where the template names no type, and as long as the mechanism's secret where it names no length. A
//! shorter key is the beginning of an ML-KEM secret (SP 800-227, 5.1), and the end of an ECDH one (as C_DeriveKey).

use super::{enforced, material, secret_target};
use crate::attributes::{self, Actor, Origin};
use crate::mechanisms::column;
use crate::mechanisms::rules::{self, Usage};
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
    let target = Target::of(&template)?;
    let bytes = (encapsulation.ciphertext_bytes)(env, &mechanism.params, public)?;
    match room {
        Room::Ask => return Ok(Enclosed::Size(bytes)),
        Room::Bytes(have) if have < bytes => return Err(Reason::BufferTooSmall { need: bytes }),
        Room::Bytes(_) => {}
    }
    let made = (encapsulation.run)(env, &mechanism.params, public, target.bytes)?;
    let key = target.key(env, actor, mechanism, &template, made.secret)?;
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
    let target = Target::of(&template)?;
    let secret = decapsulate(env, &mechanism.params, private, ciphertext, target.bytes)?;
    target.key(env, actor, mechanism, &template, secret)
}

/// What the template says of the new key.
struct Target {
    key_type: u64,
    /// CKA_VALUE_LEN.
    bytes: Option<usize>,
}

impl Target {
    fn of(template: &Template) -> Result<Self> {
        let (key_type, bytes) = secret_target(template)?;
        Ok(Self { key_type, bytes })
    }

    fn key(
        &self,
        env: &Env<'_>,
        actor: Actor,
        mechanism: &Mechanism,
        template: &Template,
        secret: SecretBytes,
    ) -> Result<Object> {
        if !material::fits(self.key_type, secret.len()) {
            return Err(Reason::TemplateIncomplete(CKA_VALUE_LEN));
        }
        let material = material::secret(self.key_type, secret);
        attributes::build(env, actor, Origin::Encapsulate(mechanism.kind), template, material)
    }
}
