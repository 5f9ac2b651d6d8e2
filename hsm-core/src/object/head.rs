//! What every call asks of an object, taken out of the packed form once.
//!
//! Owns: class, type, and the flags that access and mechanisms look at, as bits. Does not know: which may be set when.
//! Called from `object` alone.

use super::{Attributes, Value, ValueRef};
use ffi_headers::*;

/// See the file.
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
        CKA_ENCAPSULATE => 10,
        CKA_DECAPSULATE => 11,
        _ => return None,
    };
    Some(1 << place)
}

impl Head {
    const EMPTY: Self = Self { class: u64::MAX, key_type: None, restricts_mechanisms: false, flags: 0 };

    /// Reads the attributes of a record.
    pub(super) fn of_record<'a>(attributes: impl Iterator<Item = (u64, ValueRef<'a>)>) -> Self {
        let mut head = Self::EMPTY;
        for (kind, value) in attributes {
            match value {
                ValueRef::Flag(flag) => head.note_flag(kind, flag),
                ValueRef::Number(number) => head.note_number(kind, number),
                ValueRef::Mechanisms(_) => head.note_list(kind),
                ValueRef::Bytes(_) | ValueRef::Template(_) => {}
            }
        }
        head
    }

    /// Reads attributes that are separate values.
    pub(super) fn of_values(attributes: &Attributes) -> Self {
        let mut head = Self::EMPTY;
        for (kind, value) in attributes {
            match value {
                Value::Flag(flag) => head.note_flag(*kind, *flag),
                Value::Number(number) => head.note_number(*kind, *number),
                Value::Mechanisms(_) => head.note_list(*kind),
                Value::Bytes(_) | Value::Template(_) => {}
            }
        }
        head
    }

    fn note_flag(&mut self, kind: u64, flag: bool) {
        if flag {
            self.flags |= bit(kind).unwrap_or(0);
        }
    }

    fn note_number(&mut self, kind: u64, number: u64) {
        match kind {
            CKA_CLASS => self.class = number,
            CKA_KEY_TYPE => self.key_type = Some(number),
            _ => {}
        }
    }

    fn note_list(&mut self, kind: u64) {
        self.restricts_mechanisms |= kind == CKA_ALLOWED_MECHANISMS;
    }

    /// A flag that is kept as a bit, `false` when absent; `None` for every other attribute.
    pub(super) fn flag(&self, kind: u64) -> Option<bool> {
        bit(kind).map(|bit| self.flags & bit != 0)
    }
}
