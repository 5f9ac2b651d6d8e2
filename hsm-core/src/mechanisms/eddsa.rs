//! CKM_EDDSA, in one part: Ed25519, Ed25519ctx, Ed25519ph, Ed448 and Ed448ph.
//!
//! The key says which curve, CK_EDDSA_PARAMS which scheme: the flag asks for the prehash, which the token makes, and a context is
//! taken as it is. Without a parameter it is Ed25519, or Ed448 without a context. A parameter that has neither flag nor
//! context is Ed25519, too: by the letter of the standard it would be Ed25519ctx with an empty context, which RFC 8032 (8.3)
//! advises against and no library makes. The row also makes key pairs, because GnuTLS generates by this number.
//! Rule source: PKCS#11 v3.1, 6.3 (EdDSA); RFC 8032, 5.1 and 5.2.

use super::ec_keygen::{EC_FLAGS, generate_edwards};
use super::parts::{OnePartSigner, OnePartVerifier};
use super::{EVERYTHING, KeyRule, Row, Signer, SizeUnit, Verifier, faults, named};
use crate::key::Key;
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::ec::{CONTEXT_BYTES_MAX, EdScheme};
use std::sync::Arc;

pub(super) const ROWS: &[Row] = &[row!(Row {
    shape: ParamShape::OptionalEddsa,
    judge,
    keys: KeyRule::Types(&[CKK_EC_EDWARDS]),
    unit: SizeUnit::Bits,
    size_min: 255,
    size_max: 448,
    extra_flags: EC_FLAGS,
    approved: EVERYTHING,
    vectors: "RFC 8032, 7.1 to 7.5; Wycheproof ed25519 and ed448",
    one_part: true,
    sign: Some(sign),
    verify: Some(verify),
    generate_pair: Some(generate_edwards),
    ..named!(CKM_EDDSA)
})];

fn judge(params: &Params) -> Result<()> {
    match params {
        Params::Eddsa { context, .. } if context.len() > CONTEXT_BYTES_MAX => {
            Err(Reason::MechanismParam("a context has at most 255 bytes"))
        }
        _ => Ok(()),
    }
}

/// The scheme that a parameter asks for.
fn scheme(params: &Params) -> EdScheme<'_> {
    match params {
        Params::Eddsa { prehash: true, context } => EdScheme::Prehash(context),
        Params::Eddsa { prehash: false, context } if !context.is_empty() => EdScheme::Context(context),
        _ => EdScheme::Pure,
    }
}

fn sign(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Signer>> {
    let Key::EdPrivate(key) = key.key(env)? else { return Err(Reason::KeyTypeInconsistent) };
    let (key, params) = (Arc::clone(key), params.clone());
    Ok(Box::new(OnePartSigner {
        bytes: key.signature_bytes(),
        sign: move |_env: &Env<'_>, message: &[u8]| faults::data(key.sign_as(scheme(&params), message)),
    }))
}

fn verify(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Verifier>> {
    let Key::EdPublic(key) = key.key(env)? else { return Err(Reason::KeyTypeInconsistent) };
    let (key, params) = (Arc::clone(key), params.clone());
    Ok(Box::new(OnePartVerifier(move |message: &[u8], signature: &[u8]| {
        faults::signature(key.verify_as(scheme(&params), message, signature))
    })))
}
