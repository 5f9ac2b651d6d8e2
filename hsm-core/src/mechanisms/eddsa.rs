//! CKM_EDDSA: pure Ed25519, in one part.
//!
//! The parameter may be absent; a context or the prehash flag means another scheme, which is refused
//! rather than ignored. The row also makes key pairs, because GnuTLS generates by this number.
//! Rule source: PKCS#11 v3.1, 6.3 (EdDSA); RFC 8032, 5.1.

use super::ec_keygen::{EC_FLAGS, generate_edwards};
use super::parts::{OnePartSigner, OnePartVerifier};
use super::{EVERYTHING, KeyRule, Row, Signer, SizeUnit, Verifier, faults, named};
use crate::key::Key;
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use std::sync::Arc;

/// Length of an Ed25519 signature in bytes.
const SIGNATURE_BYTES: usize = 64;

pub(super) const ROWS: &[Row] = &[Row {
    shape: ParamShape::OptionalEddsa,
    judge,
    keys: KeyRule::Types(&[CKK_EC_EDWARDS]),
    unit: SizeUnit::Bits,
    size_min: 255,
    size_max: 255,
    extra_flags: EC_FLAGS,
    approved: EVERYTHING,
    vectors: "RFC 8032, 7.1; Wycheproof ed25519",
    sign: Some(sign),
    verify: Some(verify),
    generate_pair: Some(generate_edwards),
    ..named!(CKM_EDDSA)
}];

fn judge(params: &Params) -> Result<()> {
    match params {
        Params::Eddsa { prehash: true, .. } => Err(Reason::MechanismParam("Ed25519ph is not supported")),
        Params::Eddsa { context, .. } if !context.is_empty() => {
            Err(Reason::MechanismParam("Ed25519ctx is not supported"))
        }
        _ => Ok(()),
    }
}

fn sign(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Signer>> {
    let Key::EdPrivate(key) = key.key(env)? else { return Err(Reason::KeyTypeInconsistent) };
    let key = Arc::clone(key);
    Ok(Box::new(OnePartSigner {
        bytes: SIGNATURE_BYTES,
        sign: move |_env: &Env<'_>, message: &[u8]| faults::data(key.sign(message)).map(Vec::from),
    }))
}

fn verify(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Verifier>> {
    let Key::EdPublic(key) = key.key(env)? else { return Err(Reason::KeyTypeInconsistent) };
    let key = Arc::clone(key);
    Ok(Box::new(OnePartVerifier(move |message: &[u8], signature: &[u8]| {
        faults::signature(key.verify(message, signature))
    })))
}
