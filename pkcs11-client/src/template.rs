//! Attribute lists that own their values.
//!
//! Owns: the memory behind the pointers of a `CK_ATTRIBUTE` list, and making that list on the stack. Does not know: which
//! attributes belong together.

use ffi_headers::{CK_ATTRIBUTE, CK_ATTRIBUTE_TYPE, CK_ULONG};
use std::ptr::null_mut;

/// A list of attributes.
#[derive(Debug, Clone, Default)]
pub struct Template {
    values: Vec<(CK_ATTRIBUTE_TYPE, Vec<u8>)>,
}

/// More attributes than this are not needed by any template here.
const ATTRIBUTES_MAX: usize = 24;

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

    /// Adds a byte string; a template takes at most 24 attributes, and what is beyond is not passed on.
    #[must_use]
    pub fn bytes(mut self, kind: CK_ATTRIBUTE_TYPE, value: &[u8]) -> Self {
        debug_assert!(self.values.len() < ATTRIBUTES_MAX, "a template of more than {ATTRIBUTES_MAX} attributes");
        self.values.push((kind, value.to_vec()));
        self
    }

    /// Appends another template.
    #[must_use]
    pub fn and(mut self, other: &Template) -> Self {
        self.values.extend(other.values.iter().cloned());
        self
    }

    /// Shows the list to a call; modules only read it, though the C type says otherwise.
    pub(crate) fn with<R>(&self, call: impl FnOnce(*mut CK_ATTRIBUTE, CK_ULONG) -> R) -> R {
        let mut list = [CK_ATTRIBUTE { type_: 0, pValue: null_mut(), ulValueLen: 0 }; ATTRIBUTES_MAX];
        let mut count = 0;
        for (place, (kind, value)) in list.iter_mut().zip(&self.values) {
            *place = CK_ATTRIBUTE {
                type_: *kind,
                pValue: value.as_ptr().cast_mut().cast(),
                ulValueLen: value.len() as CK_ULONG,
            };
            count += 1;
        }
        call(if count == 0 { null_mut() } else { list.as_mut_ptr() }, count)
    }
}
