//! An object: a set of attributes with values of known kind, and the key parsed from them.
//!
//! Owns: the attributes in the form of their record (docs/format.md), typed access, the way from key
//! forms to attributes and back. Does not know: which attribute may be set when (that is
//! `attributes`), handles, sessions.
//!
//! An object keeps the bytes of its record and reads each attribute from there. [`Attributes`], the map of separate values, is for
//! making and changing objects; asking for it decodes everything.

mod attributes;
mod encoding;
mod forms;
mod head;
mod packed;

pub use attributes::Attributes;
pub(crate) use forms::{has_all_parts, part, rsa_attributes, rsa_parts};
pub use forms::{private_form, private_material, public_form, public_material, template};

use crate::key::{self, Key};
use crate::platform::Env;
use crate::reason::Result;
use crate::stateful;
use crate::template::Template;
use core::fmt;
use ffi_headers::names;
use head::Head;
use hsm_crypto::SecretBytes;
use packed::Packed;
use std::sync::{Arc, OnceLock};

/// The value of an attribute. The rare kinds are boxed, so that it is as small as its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `CK_BBOOL`.
    Flag(bool),
    /// `CK_ULONG`.
    Number(u64),
    /// Bytes, strings, big integers, DER; `CK_DATE` as its 8 characters or empty.
    Bytes(SecretBytes),
    /// `CKA_ALLOWED_MECHANISMS`, and the types of an HSS key's levels.
    Mechanisms(Box<[u64]>),
    /// `CKA_WRAP_TEMPLATE` and its sisters.
    Template(Box<Template>),
}

/// The value of an attribute as an object lends it. It has no `Debug`: the bytes may be a secret.
pub enum ValueRef<'a> {
    /// `CK_BBOOL`.
    Flag(bool),
    /// `CK_ULONG`.
    Number(u64),
    /// As `Value::Bytes`.
    Bytes(&'a [u8]),
    /// As `Value::Mechanisms`.
    Mechanisms(Vec<u64>),
    /// `CKA_WRAP_TEMPLATE` and its sisters.
    Template(Template),
}

/// An object. It never changes: a change makes a new one that takes its place.
pub struct Object {
    packed: Packed,
    head: Head,
    bits: OnceLock<usize>,
    parsed: OnceLock<Arc<Key>>,
}

impl Value {
    /// Lends the value; lists and templates are copied.
    #[must_use]
    pub fn lend(&self) -> ValueRef<'_> {
        match self {
            Value::Flag(flag) => ValueRef::Flag(*flag),
            Value::Number(number) => ValueRef::Number(*number),
            Value::Bytes(bytes) => ValueRef::Bytes(bytes.expose()),
            Value::Mechanisms(list) => ValueRef::Mechanisms(list.to_vec()),
            Value::Template(template) => ValueRef::Template(Template::clone(template)),
        }
    }
}

impl ValueRef<'_> {
    /// A value of its own.
    #[must_use]
    pub fn into_owned(self) -> Value {
        match self {
            ValueRef::Flag(flag) => Value::Flag(flag),
            ValueRef::Number(number) => Value::Number(number),
            ValueRef::Bytes(bytes) => Value::Bytes(SecretBytes::copy_of(bytes)),
            ValueRef::Mechanisms(list) => Value::Mechanisms(list.into()),
            ValueRef::Template(template) => Value::Template(template.into()),
        }
    }
}

impl Object {
    /// Makes an object of attributes that are the library's own.
    #[must_use]
    pub fn new(attributes: &Attributes) -> Self {
        let (head, bits, parsed) = (Head::of_values(attributes), OnceLock::new(), OnceLock::new());
        Self { packed: Packed::of(attributes), head, bits, parsed }
    }

    /// Makes an object of a caller's attributes, whose key may have been parsed already.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn try_new(attributes: &Attributes, key: Option<Arc<Key>>) -> Result<Self> {
        let parsed = key.map_or_else(OnceLock::new, OnceLock::from);
        Ok(Self {
            packed: Packed::try_of(attributes)?,
            head: Head::of_values(attributes),
            bits: OnceLock::new(),
            parsed,
        })
    }

    /// Makes an object with the same key material and other attributes; a parsed key is shared.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn with_attributes(&self, attributes: &Attributes) -> Result<Self> {
        Self::try_new(attributes, self.parsed.get().cloned())
    }

    /// Decodes all attributes, for a change.
    #[must_use]
    pub fn attributes(&self) -> Attributes {
        self.packed.iter().map(|(kind, value)| (kind, value.into_owned())).collect()
    }

    /// The value of an attribute.
    #[must_use]
    pub fn value(&self, kind: u64) -> Option<ValueRef<'_>> {
        self.packed.get(kind)
    }

    /// A `CK_BBOOL`; `false` when absent.
    #[must_use]
    pub fn flag(&self, kind: u64) -> bool {
        self.head.flag(kind).unwrap_or_else(|| matches!(self.value(kind), Some(ValueRef::Flag(true))))
    }

    /// A `CK_ULONG`.
    #[must_use]
    pub fn number(&self, kind: u64) -> Option<u64> {
        match self.value(kind) {
            Some(ValueRef::Number(number)) => Some(number),
            _ => None,
        }
    }

    /// Bytes.
    #[must_use]
    pub fn bytes(&self, kind: u64) -> Option<&[u8]> {
        match self.value(kind) {
            Some(ValueRef::Bytes(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// `CKA_CLASS`.
    #[must_use]
    pub fn class(&self) -> u64 {
        self.head.class
    }

    /// `CKA_KEY_TYPE`, for keys.
    #[must_use]
    pub fn key_type(&self) -> Option<u64> {
        self.head.key_type
    }

    /// Whether it is a key. Domain parameters have a key type, too, and are none.
    #[must_use]
    pub fn is_key(&self) -> bool {
        self.head.key_type.is_some() && self.head.class != ffi_headers::CKO_DOMAIN_PARAMETERS
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

    /// Whether `CKA_ALLOWED_MECHANISMS` may name mechanisms; without it, the list need not be looked for.
    #[must_use]
    pub fn restricts_mechanisms(&self) -> bool {
        self.head.restricts_mechanisms
    }

    /// The size of a key in bits, counted at its first use.
    ///
    /// # Errors
    /// Those of `count`.
    pub(crate) fn bits(&self, count: impl FnOnce(&Self) -> Result<usize>) -> Result<usize> {
        if let Some(bits) = self.bits.get() {
            return Ok(*bits);
        }
        let bits = count(self)?;
        Ok(*self.bits.get_or_init(|| bits))
    }

    /// The parsed key, made at first use and kept with the object; wiped when the last user drops it.
    ///
    /// # Errors
    /// `Reason::KeyMaterial` when the attributes do not make a key.
    pub fn key(&self, env: &Env<'_>) -> Result<&Key> {
        if let Some(key) = self.parsed.get() {
            return Ok(key);
        }
        let key = Arc::new(key::parse(env, &self.attributes())?);
        // When two threads parse at once, the first result stays and both use it.
        Ok(self.parsed.get_or_init(|| key))
    }

    /// Takes over the parsed key of what was in the object's place, where that is the same key with more signatures left: its trees took a
    /// while to grow.
    pub(crate) fn inherit(&self, before: &Self) {
        if stateful::is_same(self, before)
            && let Some(key) = before.parsed.get()
        {
            // Parsed already is as good.
            let _ = self.parsed.set(Arc::clone(key));
        }
    }

    /// All attributes as the content of a record (docs/format.md).
    #[must_use]
    pub fn content(&self) -> &SecretBytes {
        self.packed.content()
    }

    /// Makes an object of the content of a record.
    ///
    /// # Errors
    /// `Reason::Damaged`.
    pub fn decode(content: SecretBytes) -> Result<Self> {
        let packed = Packed::parse(content)?;
        let head = Head::of_record(packed.iter());
        Ok(Self { packed, head, bits: OnceLock::new(), parsed: OnceLock::new() })
    }

    /// Says whether the content of a record makes an object, without making it.
    ///
    /// # Errors
    /// `Reason::Damaged`.
    pub fn check(content: &[u8]) -> Result<()> {
        encoding::places(content).map(drop)
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
