//! The attribute tables and the one interpreter that applies them.
//!
//! Owns: per class and key type a row an attribute (kind of value, default, what create, generate,
//! unwrap, derive and copy may do with it, how it may change, who may set it, whether it is
//! sensitive). Does not know: sessions, handles, the store. `docs/attributes.md` is printed from here.
//! Rule source: PKCS#11 v3.1, 4.1 to 4.14, and v2.40 table 15 for the footnotes.

pub mod curves;

use crate::object::{Attributes, Object};
use crate::platform::Env;
use crate::reason::Result;
use crate::template::Template;
use crate::types::Answer;

/// Who asks for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// The session is the SO's.
    pub security_officer: bool,
    /// The normal user (or a role that stands for it) is logged in.
    pub user: bool,
}

/// Where a new object comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// C_CreateObject.
    Create,
    /// C_GenerateKey or C_GenerateKeyPair by this `CKM_*`.
    Generate(u64),
    /// C_UnwrapKey by this `CKM_*`.
    Unwrap(u64),
    /// C_DeriveKey by this `CKM_*` from a base key with these one-way marks.
    Derive {
        /// `CKM_*`.
        mechanism: u64,
        /// `CKA_ALWAYS_SENSITIVE` of the base key.
        always_sensitive: bool,
        /// `CKA_NEVER_EXTRACTABLE` of the base key.
        never_extractable: bool,
    },
}

/// Makes a new object from the caller's template and what the operation itself made.
///
/// `material` holds what the mechanism computed (class, key type, modulus, value, ...). A template that
/// contradicts it is refused. Defaults are filled in, and all that can be computed is (EC point of a
/// public key, public exponent, CHECK_VALUE, PUBLIC_KEY_INFO, certificate fields, UNIQUE_ID).
///
/// # Errors
/// `TemplateIncomplete`, `TemplateInconsistent`, `AttributeUnknown`, `AttributeReadOnly`, `AttributeValue`,
/// each with the attribute and the rule.
pub fn build(
    _env: &Env<'_>,
    _actor: Actor,
    _origin: Origin,
    _template: &Template,
    _material: Attributes,
) -> Result<Object> {
    todo!("contract skeleton")
}

/// Makes a copy with the template's changes (C_CopyObject); the caller has checked CKA_COPYABLE is asked here.
///
/// # Errors
/// As `build`, and `ActionProhibited` when `CKA_COPYABLE` is false.
pub fn copy(_env: &Env<'_>, _actor: Actor, _source: &Object, _template: &Template) -> Result<Object> {
    todo!("contract skeleton")
}

/// Makes the changed object (C_SetAttributeValue): all changes or none.
///
/// # Errors
/// As `build`, and `ActionProhibited` when `CKA_MODIFIABLE` is false.
pub fn modify(_env: &Env<'_>, _actor: Actor, _object: &Object, _template: &Template) -> Result<Object> {
    todo!("contract skeleton")
}

/// The answer to one attribute of C_GetAttributeValue.
#[must_use]
pub fn answer(_object: &Object, _kind: u64) -> Answer {
    todo!("contract skeleton")
}

/// Whether the object has every attribute of the template with exactly that value.
///
/// Sensitive attributes never match, so that a search is no oracle; unknown attributes match nothing.
#[must_use]
pub fn matches(_object: &Object, _template: &Template) -> bool {
    todo!("contract skeleton")
}
