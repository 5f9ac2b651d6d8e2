//! An object: a set of attributes with values of known kind, and the key parsed from them.
//!
//! Owns: the attribute map, its encoding in a record (docs/format.md), typed access. Does not know:
//! which attribute may be set when (that is `attributes`), handles, sessions.

use crate::key::Key;
use crate::platform::Env;
use crate::reason::Result;
use crate::template::Template;
use hsm_crypto::SecretBytes;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `CK_BBOOL`.
    Flag(bool),
    /// `CK_ULONG`.
    Number(u64),
    /// Bytes, strings, big integers, DER; `CK_DATE` as its 8 characters or empty.
    Bytes(SecretBytes),
    /// `CKA_ALLOWED_MECHANISMS`.
    Mechanisms(Vec<u64>),
    /// `CKA_WRAP_TEMPLATE` and its sisters.
    Template(Template),
}

/// The attributes of an object by type.
pub type Attributes = BTreeMap<u64, Value>;

/// An object. It never changes: a change makes a new one that takes its place.
pub struct Object {
    attributes: Attributes,
    #[allow(dead_code, reason = "contract skeleton")]
    parsed: OnceLock<Arc<Key>>,
}

impl Object {
    /// Makes an object of attributes that have been judged.
    #[must_use]
    pub fn new(attributes: Attributes) -> Self {
        Self { attributes, parsed: OnceLock::new() }
    }

    /// All attributes.
    #[must_use]
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// A `CK_BBOOL`; `false` when absent.
    #[must_use]
    pub fn flag(&self, kind: u64) -> bool {
        matches!(self.attributes.get(&kind), Some(Value::Flag(true)))
    }

    /// A `CK_ULONG`.
    #[must_use]
    pub fn number(&self, kind: u64) -> Option<u64> {
        match self.attributes.get(&kind) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// Bytes.
    #[must_use]
    pub fn bytes(&self, kind: u64) -> Option<&[u8]> {
        match self.attributes.get(&kind) {
            Some(Value::Bytes(bytes)) => Some(bytes.expose()),
            _ => None,
        }
    }

    /// `CKA_CLASS`.
    #[must_use]
    pub fn class(&self) -> u64 {
        self.number(ffi_headers::CKA_CLASS).unwrap_or(u64::MAX)
    }

    /// `CKA_KEY_TYPE`, for keys.
    #[must_use]
    pub fn key_type(&self) -> Option<u64> {
        self.number(ffi_headers::CKA_KEY_TYPE)
    }

    /// `CKA_TOKEN`.
    #[must_use]
    pub fn is_token(&self) -> bool {
        self.flag(ffi_headers::CKA_TOKEN)
    }

    /// `CKA_PRIVATE`.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.flag(ffi_headers::CKA_PRIVATE)
    }

    /// The parsed key, made at first use and kept with the object; wiped when the last user drops it.
    ///
    /// # Errors
    /// `Reason::KeyMaterial` when the attributes do not make a key.
    pub fn key(&self, _env: &Env<'_>) -> Result<Arc<Key>> {
        todo!("contract skeleton")
    }

    /// Encodes all attributes as the content of a record (docs/format.md).
    #[must_use]
    pub fn encode(&self) -> SecretBytes {
        todo!("contract skeleton")
    }

    /// Decodes the content of a record.
    ///
    /// # Errors
    /// `Reason::Damaged`.
    pub fn decode(_content: &[u8]) -> Result<Self> {
        todo!("contract skeleton")
    }
}
