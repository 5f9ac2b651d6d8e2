//! Wrapping with associated data, where IV and tag stand apart from the wrapped key.
//!
//! Owns: which IVs may be generated here. Does not know: sessions, handles; which key may leave under which, and what the
//! unwrapped bytes are, is the business of [`super`]. Called from the kernel.
//! Rule source: PKCS#11 v3.2, 5.18 (C_WrapKeyAuthenticated) and 6.13.3.
//!
//! Each call stands for itself, so a counter would begin at zero every time and make the same IV twice under one key:
//! CKG_GENERATE_COUNTER and CKG_GENERATE_COUNTER_XOR are refused.

use super::{judge_wrappable, material, of_unwrapping_key, of_wrapping_key, unwrapped};
use crate::attributes::Actor;
use crate::mechanisms::Wraps;
use crate::mechanisms::messages::{MessageKey, key_for_messages, messages, opened, sealed};
use crate::mechanisms::rules::Usage;
use crate::message::MessageParams;
use crate::object::Object;
use crate::operation::Ivs;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::template::Template;
use ffi_headers::*;
use hsm_crypto::{SecretBytes, memory};
use std::sync::Arc;

/// A wrapped key with what belongs to it.
pub struct Wrapped {
    /// The wrapped key.
    pub key: Vec<u8>,
    /// The IV, where it was generated.
    pub iv: Option<Vec<u8>>,
    /// The tag.
    pub tag: Vec<u8>,
}

/// C_WrapKeyAuthenticated.
///
/// # Errors
/// `Mechanism*`, `Key*`, `WrappingKey*`.
pub fn wrap_key_authenticated(
    env: &Env<'_>,
    kind: u64,
    params: &MessageParams,
    aad: &[u8],
    wrapping: &Arc<Object>,
    key: &Object,
) -> Result<Wrapped> {
    let (row, _) = messages(env.policy, kind, Usage::Wrap)?;
    if row.wraps == Wraps::Nothing {
        return Err(Reason::MechanismUnknown(kind));
    }
    if matches!(params.generator, CKG_GENERATE_COUNTER | CKG_GENERATE_COUNTER_XOR) {
        return Err(Reason::MechanismParam("a counter would begin anew with each wrapped key"));
    }
    let with = key_for_messages(env.policy, kind, Arc::clone(wrapping), Usage::Wrap).map_err(of_wrapping_key)?;
    let tag_bytes = with.judge(params)?;
    judge_wrappable(row, wrapping, key)?;
    env.policy.judge_wrapping(row.kind, wrapping, key)?;
    let content = material::wrappable(key)?;
    let params = &told(params, content.len());
    let iv = Ivs::default().next(env, params)?;
    let (key, tag) =
        seal(env, &with, params, iv.as_deref().unwrap_or(&params.iv), aad, &content, tag_bytes).map_err(|reason| {
            match reason {
                // The data is the key, so a fault in the data is one in the key.
                Reason::DataLength | Reason::DataInvalid => Reason::WrappedKeySize,
                other => other,
            }
        })?;
    Ok(Wrapped { key, iv, tag })
}

/// C_UnwrapKeyAuthenticated.
///
/// # Errors
/// `Mechanism*`, `UnwrappingKey*`, `WrappedKey*`, `Template*`, `Attribute*`.
#[expect(clippy::too_many_arguments, reason = "a wrapped key has as many parts")]
pub fn unwrap_key_authenticated(
    env: &Env<'_>,
    actor: Actor,
    kind: u64,
    params: &MessageParams,
    tag: &[u8],
    aad: &[u8],
    unwrapping: &Arc<Object>,
    wrapped: &[u8],
    template: &Template,
) -> Result<Object> {
    let (row, _) = messages(env.policy, kind, Usage::Unwrap)?;
    if row.wraps == Wraps::Nothing {
        return Err(Reason::MechanismUnknown(kind));
    }
    let with = key_for_messages(env.policy, kind, Arc::clone(unwrapping), Usage::Unwrap).map_err(of_unwrapping_key)?;
    with.judge(params)?;
    let params = &told(params, wrapped.len());
    unwrapped(env, actor, row, unwrapping, template, || {
        let mut aead = with.start(env, params, &params.iv, aad)?;
        // A half-decrypted key is wiped when it is dropped.
        let mut content = SecretBytes::try_zeroed(wrapped.len())?;
        let mut sealed = memory::with_room(wrapped.len().saturating_add(tag.len()))?;
        sealed.extend_from_slice(wrapped);
        sealed.extend_from_slice(tag);
        let made = opened(aead.one_shot_into(&sealed, content.expose_mut()))?;
        content.truncate(made);
        Ok(content)
    })
}

/// The parameter with the length of the data, which the caller of a wrapping cannot know before (PKCS#8).
fn told(params: &MessageParams, bytes: usize) -> MessageParams {
    MessageParams { data_bytes: params.data_bytes.map(|_| bytes as u64), ..params.clone() }
}

fn seal(
    env: &Env<'_>,
    with: &MessageKey,
    params: &MessageParams,
    iv: &[u8],
    aad: &[u8],
    content: &SecretBytes,
    tag_bytes: usize,
) -> Result<(Vec<u8>, Vec<u8>)> {
    let mut aead = with.start(env, params, iv, aad)?;
    // A secret until it is known to be ciphertext: wiped when the encryption fails half-way.
    let mut out = SecretBytes::try_zeroed(content.len().saturating_add(tag_bytes))?;
    let made = sealed(aead.one_shot_into(content.expose(), out.expose_mut()))?;
    let key_bytes = made.checked_sub(tag_bytes).ok_or(Reason::Internal("a tag is not as long as it was to be"))?;
    let tag = out.expose().get(key_bytes..made).unwrap_or_default().to_vec();
    out.truncate(key_bytes);
    Ok((out.into_public("the caller gets the wrapped key")?, tag))
}
