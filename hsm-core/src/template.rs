//! A caller's list of attributes, decoded but not yet judged.
//!
//! Values are bytes as the caller gave them (a `CK_ULONG` in native order), because only the
//! attribute table knows what they mean. They may hold key material, so they are secrets.

use hsm_crypto::SecretBytes;

/// A list of attributes in the caller's order; duplicates are possible and judged by the table's interpreter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template {
    /// The attributes.
    pub entries: Vec<Entry>,
}

/// One attribute of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `CKA_*`.
    pub kind: u64,
    /// Its value.
    pub value: Given,
}

/// The value of an attribute as a caller gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// Plain bytes, possibly none.
    Bytes(SecretBytes),
    /// A template in the template (`CKA_WRAP_TEMPLATE` and its sisters).
    Template(Template),
}

impl Template {
    /// The first value of an attribute as bytes, where the template has it and it is not a template itself.
    #[must_use]
    pub fn bytes(&self, kind: u64) -> Option<&[u8]> {
        self.entries.iter().find(|entry| entry.kind == kind).and_then(|entry| match &entry.value {
            Given::Bytes(bytes) => Some(bytes.expose()),
            Given::Template(_) => None,
        })
    }

    /// The first value of an attribute as a native `CK_ULONG`; `None` when absent or of another length.
    #[must_use]
    pub fn number(&self, kind: u64) -> Option<u64> {
        self.bytes(kind)?.try_into().ok().map(u64::from_ne_bytes)
    }

    /// The first value of an attribute as a `CK_BBOOL`; `None` when absent or of another length.
    #[must_use]
    pub fn flag(&self, kind: u64) -> Option<bool> {
        match self.bytes(kind)? {
            [byte] => Some(*byte != 0),
            _ => None,
        }
    }

    /// Adds an attribute.
    pub fn push(&mut self, kind: u64, value: &[u8]) {
        self.entries.push(Entry { kind, value: Given::Bytes(SecretBytes::copy_of(value)) });
    }

    /// Adds an attribute and returns the template, for building one in a chain.
    #[must_use]
    pub fn with(mut self, kind: u64, value: &[u8]) -> Self {
        self.push(kind, value);
        self
    }

    /// The template without an attribute.
    #[must_use]
    pub fn without(&self, kind: u64) -> Self {
        Self { entries: self.entries.iter().filter(|entry| entry.kind != kind).cloned().collect() }
    }

    /// Adds a `CK_BBOOL`.
    #[must_use]
    pub fn with_flag(self, kind: u64, value: bool) -> Self {
        self.with(kind, &[u8::from(value)])
    }

    /// Adds a `CK_ULONG`.
    #[must_use]
    pub fn with_number(self, kind: u64, value: u64) -> Self {
        self.with(kind, &value.to_ne_bytes())
    }
}
