//! The attribute tables and the one interpreter that applies them.
//!
//! Owns: per class and key type a row an attribute (kind of value, default, what create, generate,
//! unwrap, derive and copy may do with it, how it may change, who may set it, whether it is
//! sensitive). Does not know: sessions, handles, the store. `docs/attributes.md` is printed from here.
//! Rule source: PKCS#11 v3.1, 4.1 to 4.14, and v2.40 table 15 for the footnotes.

mod build;
mod change;
pub(crate) mod complete;
pub mod curves;
mod document;
pub mod migrate;
mod plain;
mod read;
pub mod row;
pub mod tables;
pub(crate) mod values;

pub use document::document;
pub(crate) use values::bit_length;

use crate::key::Key;
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
    /// C_EncapsulateKey or C_DecapsulateKey by this `CKM_*`.
    Encapsulate(u64),
    /// Another token: the object exists already and brings its history along.
    Migrate,
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

/// What an operation made for a new object.
pub struct Material {
    /// The attributes that it computed: class, key type, modulus, value, ...
    pub attributes: Attributes,
    /// The key in them, where the operation has parsed and proved it already: it is not parsed again.
    pub key: Option<Key>,
}

impl From<Attributes> for Material {
    fn from(attributes: Attributes) -> Self {
        Self { attributes, key: None }
    }
}

/// Makes a new object from the caller's template and what the operation itself made.
///
/// A template that contradicts the `material` is refused. Defaults are filled in, and all that can be computed is (EC point of a
/// public key, public exponent, CHECK_VALUE, PUBLIC_KEY_INFO, certificate fields, UNIQUE_ID).
///
/// # Errors
/// `TemplateIncomplete`, `TemplateInconsistent`, `AttributeUnknown`, `AttributeReadOnly`, `AttributeValue`,
/// each with the attribute and the rule.
pub fn build(
    env: &Env<'_>,
    actor: Actor,
    origin: Origin,
    template: &Template,
    material: impl Into<Material>,
) -> Result<Object> {
    build::build(env, actor, origin, template, material.into())
}

/// Makes a copy with the template's changes (C_CopyObject); CKA_COPYABLE is asked here.
///
/// The copy has a CKA_UNIQUE_ID of its own and keeps the marks of origin. An empty template is fine.
///
/// # Errors
/// As `build`, and `ActionProhibited` when `CKA_COPYABLE` is false.
pub fn copy(env: &Env<'_>, actor: Actor, source: &Object, template: &Template) -> Result<Object> {
    change::copy(env, actor, source, template)
}

/// Makes the changed object (C_SetAttributeValue): all changes or none.
///
/// # Errors
/// As `build`, and `ActionProhibited` when `CKA_MODIFIABLE` is false.
pub fn modify(env: &Env<'_>, actor: Actor, object: &Object, template: &Template) -> Result<Object> {
    change::modify(env, actor, object, template)
}

/// Says whether the object may be destroyed (C_DestroyObject).
///
/// # Errors
/// `ActionProhibited` when `CKA_DESTROYABLE` is false.
pub fn check_destroyable(object: &Object) -> Result<()> {
    change::refuse_unless(object, ffi_headers::CKA_DESTROYABLE)
}

/// The answer to one attribute of C_GetAttributeValue.
///
/// An attribute that the object's class has and that nobody gave is answered with its default or
/// empty; `Invalid` is for what the object cannot have.
#[must_use]
pub fn answer(object: &Object, kind: u64) -> Answer {
    read::answer(object, kind)
}

/// Whether the object has every attribute of the template with exactly that value.
///
/// Sensitive attributes never match, so that a search is no oracle; unknown attributes match nothing.
/// The one exception to "exactly" is CKA_EC_POINT, which is also found without its OCTET STRING.
#[must_use]
pub fn matches(object: &Object, template: &Template) -> bool {
    read::matches(object, template)
}

#[cfg(test)]
mod tests;
