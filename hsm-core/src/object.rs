//! An object: a set of attributes with values of known kind, and the key parsed from them.
//!
//! Owns: the attribute map, its encoding in a record (docs/format.md), typed access, the way from key
//! forms to attributes and back. Does not know: which attribute may be set when (that is
//! `attributes`), handles, sessions.

mod encoding;
mod forms;

pub(crate) use forms::{has_all_parts, part, rsa_attributes, rsa_parts};
pub use forms::{private_form, private_material, public_form, public_material, template};

use crate::key::{self, Key};
use crate::platform::Env;
use crate::reason::Result;
use crate::template::Template;
use core::fmt;
use ffi_headers::names;
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
    parsed: OnceLock<Arc<Key>>,
}

impl Object {
    /// Makes an object of attributes that have been judged.
    #[must_use]
    pub fn new(attributes: Attributes) -> Self {
        Self { attributes, parsed: OnceLock::new() }
    }

    /// Makes an object whose key has been parsed already.
    #[must_use]
    pub fn with_key(attributes: Attributes, key: Arc<Key>) -> Self {
        Self { attributes, parsed: OnceLock::from(key) }
    }

    /// Makes an object with the same key material and other attributes; a parsed key is shared.
    #[must_use]
    pub fn with_attributes(&self, attributes: Attributes) -> Self {
        Self { attributes, parsed: self.parsed.clone() }
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
    pub fn key(&self, env: &Env<'_>) -> Result<Arc<Key>> {
        if let Some(key) = self.parsed.get() {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(key::parse(env, &self.attributes)?);
        // When two threads parse at once, the first result stays and both use it.
        Ok(Arc::clone(self.parsed.get_or_init(|| key)))
    }

    /// Encodes all attributes as the content of a record (docs/format.md).
    #[must_use]
    pub fn encode(&self) -> SecretBytes {
        encoding::encode(&self.attributes)
    }

    /// Decodes the content of a record.
    ///
    /// # Errors
    /// `Reason::Damaged`.
    pub fn decode(content: &[u8]) -> Result<Self> {
        encoding::decode(content).map(Self::new)
    }
}

impl fmt::Debug for Object {
    /// Prints class, type and the length of the label: all that a log may have.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label_bytes = self.bytes(ffi_headers::CKA_LABEL).map_or(0, <[u8]>::len);
        let mut out = f.debug_struct("Object");
        out.field("class", &names::printable(names::class, self.class()));
        if let Some(key_type) = self.key_type() {
            out.field("key_type", &names::printable(names::key_type, key_type));
        }
        out.field("label_bytes", &label_bytes).finish_non_exhaustive()
    }
}
