//! Names of constants, for logs and documents.

/// The name of a `CKA_*`.
#[must_use]
pub fn attribute(_kind: u64) -> Option<&'static str> {
    None
}
