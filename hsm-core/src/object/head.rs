//! What every call asks of an object, taken out of the packed form once.
//!
//! Owns: class, type, and the flags that access and mechanisms look at, as bits. Does not know: which may be set when.
//! Called from `object` alone.

use super::ValueRef;
use ffi_headers::*;

/// See the file.
#[derive(Default)]
pub(super) struct Head {
    pub(super) class: u64,
    pub(super) key_type: Option<u64>,
    pub(super) restricts_mechanisms: bool,
    flags: u16,
}

/// The bit of a flag that is kept as one.
fn bit(kind: u64) -> Option<u16> {
    let place = match kind {
        CKA_TOKEN => 0,
        CKA_PRIVATE => 1,
        CKA_SIGN => 2,
        CKA_VERIFY => 3,
        CKA_ENCRYPT => 4,
        CKA_DECRYPT => 5,
        CKA_WRAP => 6,
        CKA_UNWRAP => 7,
        CKA_DERIVE => 8,
        CKA_ALWAYS_AUTHENTICATE => 9,
        _ => return None,
    };
    Some(1 << place)
}

impl Head {
    /// Reads all attributes.
    pub(super) fn of<'a>(attributes: impl Iterator<Item = (u64, ValueRef<'a>)>) -> Self {
        let mut head = Self { class: u64::MAX, ..Self::default() };
        for (kind, value) in attributes {
            match (kind, value) {
                (CKA_CLASS, ValueRef::Number(class)) => head.class = class,
                (CKA_KEY_TYPE, ValueRef::Number(key_type)) => head.key_type = Some(key_type),
                (CKA_ALLOWED_MECHANISMS, _) => head.restricts_mechanisms = true,
                (kind, ValueRef::Flag(true)) => head.flags |= bit(kind).unwrap_or(0),
                _ => {}
            }
        }
        head
    }

    /// A flag that is kept as a bit, `false` when absent; `None` for every other attribute.
    pub(super) fn flag(&self, kind: u64) -> Option<bool> {
        bit(kind).map(|bit| self.flags & bit != 0)
    }
}
