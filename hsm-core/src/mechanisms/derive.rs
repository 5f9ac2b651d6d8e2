//! The column `derive`: what a mechanism of C_DeriveKey sees and what it gives.
//!
//! Owns: the two kinds of derivation. Does not know: any single one; handles and access (the kernel), the order of judgements
//! ([`crate::keys`], which calls the column).

use crate::attributes::Material;
use crate::derivation::{DeriveParams, Derived, Sources};
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::template::Template;
use crate::types::{ObjectHandle, Params};
use ffi_headers::CKA_VALUE;
use hsm_crypto::SecretBytes;

/// How a mechanism derives.
#[derive(Clone, Copy)]
pub enum Derive {
    /// The bytes of one secret key, whose type and length the template says: so many, or as many as the mechanism gives.
    Secret(fn(&Request<'_>, Option<usize>) -> Result<SecretBytes>),
    /// Keys of types that the mechanism itself names, one or several.
    Keys {
        /// Makes their material.
        make: fn(&Request<'_>) -> Result<Derived<Product>>,
        /// Whether the call hands a key back itself; if not, its pointer for a handle is not looked at.
        returns_key: bool,
    },
}

/// What new keys have of CKA_SENSITIVE, CKA_EXTRACTABLE and the marks of origin from the keys that they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heritage {
    /// The template decides, or a default; a mark needs all keys to have it.
    Free,
    /// The template decides, or the base key; a mark needs one of the keys to have it (SP 800-108 mixes them all).
    Inherited,
    /// A new key reveals as little as any of the keys, and is as bound to trusted wrapping keys; a mark needs all keys to have it.
    Protected,
    /// As `Protected`; where no key prescribes it, the template decides, or the base key (the exporter of TLS).
    ProtectedOrInherited,
    /// As the base key, and the template may say nothing else (the keys of a TLS connection).
    Same,
}

/// A derivation that passed the row's rules.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Engine and random source.
    pub env: &'a Env<'a>,
    /// The parameter.
    pub params: &'a Params,
    /// The keys.
    pub sources: Sources<'a>,
    /// The caller's template, with what the keys prescribe.
    pub template: &'a Template,
}

/// One key in the making: its template, and what the mechanism made for it.
pub struct Product {
    /// The template that it is judged by.
    pub template: Template,
    /// Its class, type and value.
    pub material: Material,
}

impl<'a> Request<'a> {
    /// The parameter of a derivation.
    ///
    /// # Errors
    /// `MechanismParam`, which the judgement of the shape has excluded.
    pub(crate) fn params(&self) -> Result<&'a DeriveParams> {
        match self.params {
            Params::Derive(params) => Ok(params),
            _ => Err(wrong_params()),
        }
    }

    /// The key that a handle of the parameter means.
    ///
    /// # Errors
    /// `KeyUnknown`, for a handle that the parameter did not list.
    pub(crate) fn key(&self, handle: ObjectHandle) -> Result<&'a Object> {
        let found = self.sources.further.iter().find(|(known, _)| *known == handle);
        found.map(|(_, key)| &**key).ok_or(Reason::KeyUnknown(handle.0))
    }

    /// The value of the base key.
    ///
    /// # Errors
    /// `KeyMaterial` for a key without one.
    pub(crate) fn base_value(&self) -> Result<&'a [u8]> {
        value(self.sources.base)
    }
}

/// The value of a secret key.
///
/// # Errors
/// `KeyMaterial` for a key without one.
pub(crate) fn value(key: &Object) -> Result<&[u8]> {
    key.bytes(CKA_VALUE).ok_or(Reason::KeyMaterial("CKA_VALUE is missing"))
}

/// The answer to a parameter that is not the mechanism's.
pub(crate) const fn wrong_params() -> Reason {
    Reason::MechanismParam("not the parameter that the mechanism takes")
}
