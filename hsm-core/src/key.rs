//! A key in the form the engine uses, parsed from an object's attributes.

use hsm_crypto::SecretBytes;
use hsm_crypto::ec::{EcPrivateKey, EcPublicKey, EdPrivateKey, EdPublicKey, XPrivateKey};
use hsm_crypto::rsa::{RsaPrivateKey, RsaPublicKey};
use std::sync::Arc;

/// A parsed key.
#[derive(Clone)]
pub enum Key {
    /// CKK_RSA, private.
    RsaPrivate(Arc<dyn RsaPrivateKey>),
    /// CKK_RSA, public.
    RsaPublic(Arc<dyn RsaPublicKey>),
    /// CKK_EC, private.
    EcPrivate(Arc<dyn EcPrivateKey>),
    /// CKK_EC, public.
    EcPublic(Arc<dyn EcPublicKey>),
    /// CKK_EC_EDWARDS with Ed25519, private.
    EdPrivate(Arc<dyn EdPrivateKey>),
    /// CKK_EC_EDWARDS with Ed25519, public.
    EdPublic(Arc<dyn EdPublicKey>),
    /// CKK_EC_MONTGOMERY with X25519, private.
    XPrivate(Arc<dyn XPrivateKey>),
    /// CKK_EC_MONTGOMERY with X25519, public.
    XPublic([u8; 32]),
    /// CKK_AES, CKK_GENERIC_SECRET, CKK_SHA*_HMAC.
    Secret(SecretBytes),
}
