//! What an authority has validated, as whoever deploys the module declares it.
//!
//! Owns: the declaration, its object, the flag that stands for it in sessions. Does not know: whether it is true; nobody has
//! validated the module as it is published, and the module cannot know which build an authority saw. So there is none by default.
//! Called from `built_in` and `api/sessions`; `hsm-platform` reads the declarations.
//! Rule source: PKCS#11 3.2, 4.15 (validation objects and indicators).
//!
//! Keys say nothing of it (CKA_OBJECT_VALIDATION_FLAGS is 0): what they said would outlive the declaration.

use crate::object::{Attributes, Object, Value};
use ffi_headers::*;

/// One validation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validation {
    /// CKA_VALIDATION_TYPE, a `CKV_TYPE_*`.
    pub kind: u64,
    /// CKA_VALIDATION_VERSION, of the standard that it was validated by: major and minor.
    pub version: (u8, u8),
    /// CKA_VALIDATION_LEVEL.
    pub level: u64,
    /// CKA_VALIDATION_MODULE_ID: the module's name in the documents.
    pub module: String,
    /// CKA_VALIDATION_AUTHORITY_TYPE, a `CKV_AUTHORITY_TYPE_*`.
    pub authority: u64,
    /// CKA_VALIDATION_COUNTRY: two letters, or empty, as all that follows may be.
    pub country: String,
    /// CKA_VALIDATION_CERTIFICATE_IDENTIFIER.
    pub certificate: String,
    /// CKA_VALIDATION_CERTIFICATE_URI.
    pub certificate_uri: String,
    /// CKA_VALIDATION_VENDOR_URI.
    pub vendor_uri: String,
    /// CKA_VALIDATION_PROFILE.
    pub profile: String,
}

impl Validation {
    /// The object that tells of the validation in this place of the configuration.
    #[must_use]
    pub fn object(&self, place: usize) -> Object {
        let text = |text: &str| Value::Bytes(text.as_bytes().to_vec().into());
        Object::new(&Attributes::from([
            (CKA_CLASS, Value::Number(CKO_VALIDATION)),
            (CKA_TOKEN, Value::Flag(true)),
            (CKA_PRIVATE, Value::Flag(false)),
            (CKA_MODIFIABLE, Value::Flag(false)),
            (CKA_COPYABLE, Value::Flag(false)),
            (CKA_DESTROYABLE, Value::Flag(false)),
            (CKA_LABEL, text(&self.module)),
            (CKA_UNIQUE_ID, text(&format!("validation-{place}"))),
            (CKA_VALIDATION_TYPE, Value::Number(self.kind)),
            (CKA_VALIDATION_VERSION, Value::Bytes(vec![self.version.0, self.version.1].into())),
            (CKA_VALIDATION_LEVEL, Value::Number(self.level)),
            (CKA_VALIDATION_MODULE_ID, text(&self.module)),
            (CKA_VALIDATION_FLAG, Value::Number(flag(place))),
            (CKA_VALIDATION_AUTHORITY_TYPE, Value::Number(self.authority)),
            (CKA_VALIDATION_COUNTRY, text(&self.country)),
            (CKA_VALIDATION_CERTIFICATE_IDENTIFIER, text(&self.certificate)),
            (CKA_VALIDATION_CERTIFICATE_URI, text(&self.certificate_uri)),
            (CKA_VALIDATION_VENDOR_URI, text(&self.vendor_uri)),
            (CKA_VALIDATION_PROFILE, text(&self.profile)),
        ]))
    }
}

/// The flags of so many validations.
#[must_use]
pub fn flags(count: usize) -> u64 {
    (0..count).fold(0, |flags, place| flags | flag(place))
}

/// The flag of the validation in this place; there are not more places than flags ([`crate::limits::VALIDATIONS_MAX`]).
fn flag(place: usize) -> u64 {
    u32::try_from(place).ok().and_then(|place| 1_u64.checked_shl(place)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_validation_has_a_flag_of_its_own() {
        assert_eq!((flags(0), flags(1), flags(3)), (0, 1, 7));
        assert_eq!(flag(64), 0);
    }
}
