//! Templates that own their values, for raw calls.
//!
//! Owns: the memory behind the pointers of a `CK_ATTRIBUTE` list.

use crate::ck::{CK_ATTRIBUTE, CK_ATTRIBUTE_TYPE, CK_ULONG};

/// A list of attributes that owns its values.
#[derive(Debug, Clone, Default)]
pub struct Template {
    values: Vec<(CK_ATTRIBUTE_TYPE, Vec<u8>)>,
}

impl Template {
    /// An empty template.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a `CK_BBOOL`.
    #[must_use]
    pub fn flag(self, kind: CK_ATTRIBUTE_TYPE, value: bool) -> Self {
        self.bytes(kind, &[u8::from(value)])
    }

    /// Adds a `CK_ULONG`.
    #[must_use]
    pub fn number(self, kind: CK_ATTRIBUTE_TYPE, value: CK_ULONG) -> Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// Adds a byte string.
    #[must_use]
    pub fn bytes(mut self, kind: CK_ATTRIBUTE_TYPE, value: &[u8]) -> Self {
        self.values.push((kind, value.to_vec()));
        self
    }

    /// Adds a text.
    #[must_use]
    pub fn text(self, kind: CK_ATTRIBUTE_TYPE, value: &str) -> Self {
        self.bytes(kind, value.as_bytes())
    }

    /// Appends another template.
    #[must_use]
    pub fn and(mut self, other: &Template) -> Self {
        self.values.extend(other.values.iter().cloned());
        self
    }

    /// The attributes as the interface takes them; they point into `self`.
    pub fn attributes(&mut self) -> Vec<CK_ATTRIBUTE> {
        self.values
            .iter_mut()
            .map(|(kind, value)| CK_ATTRIBUTE {
                type_: *kind,
                pValue: value.as_mut_ptr().cast(),
                ulValueLen: value.len() as CK_ULONG,
            })
            .collect()
    }
}
