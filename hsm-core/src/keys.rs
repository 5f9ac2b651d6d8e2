//! Key management: generate, wrap, unwrap and derive, from mechanism and template to finished object.
//!
//! Owns: which checks come in which order, the wrap rules (EXTRACTABLE, WRAP_WITH_TRUSTED, the three
//! templates), the PKCS#8 form of private keys. Does not know: sessions, handles, the store.

use crate::attributes::Actor;
use crate::object::Object;
use crate::platform::Env;
use crate::reason::Result;
use crate::template::Template;
use crate::types::Mechanism;

/// C_GenerateKey: makes a secret key.
///
/// # Errors
/// `Mechanism*`, `Template*`, `Attribute*`.
pub fn generate_key(_env: &Env<'_>, _actor: Actor, _mechanism: &Mechanism, _template: &Template) -> Result<Object> {
    todo!("contract skeleton")
}

/// C_GenerateKeyPair: makes a public and a private key.
///
/// # Errors
/// `Mechanism*`, `Template*`, `Attribute*`.
pub fn generate_key_pair(
    _env: &Env<'_>,
    _actor: Actor,
    _mechanism: &Mechanism,
    _public: &Template,
    _private: &Template,
) -> Result<(Object, Object)> {
    todo!("contract skeleton")
}

/// C_WrapKey: returns the wrapped key.
///
/// # Errors
/// `Mechanism*`, `Key*`, `WrappingKey*`.
pub fn wrap_key(_env: &Env<'_>, _mechanism: &Mechanism, _wrapping: &Object, _key: &Object) -> Result<Vec<u8>> {
    todo!("contract skeleton")
}

/// C_UnwrapKey: makes the object that the wrapped bytes hold.
///
/// # Errors
/// `Mechanism*`, `UnwrappingKey*`, `WrappedKey*`, `Template*`, `Attribute*`.
pub fn unwrap_key(
    _env: &Env<'_>,
    _actor: Actor,
    _mechanism: &Mechanism,
    _unwrapping: &Object,
    _wrapped: &[u8],
    _template: &Template,
) -> Result<Object> {
    todo!("contract skeleton")
}

/// C_DeriveKey: makes a secret key from a base key.
///
/// # Errors
/// `Mechanism*`, `Key*`, `Template*`, `Attribute*`.
pub fn derive_key(
    _env: &Env<'_>,
    _actor: Actor,
    _mechanism: &Mechanism,
    _base: &Object,
    _template: &Template,
) -> Result<Object> {
    todo!("contract skeleton")
}
