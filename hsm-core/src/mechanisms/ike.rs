//! The keys of IKE: CKM_IKE_PRF_DERIVE, CKM_IKE1_PRF_DERIVE, CKM_IKE1_EXTENDED_DERIVE and CKM_IKE2_PRF_PLUS_DERIVE.
//!
//! The function is HMAC, or AES-XCBC or AES-CMAC in the form that IKE gives them, with keys of any length. The keys may be of any
//! secret type: the standard names one for each, and what an agreement or another derivation gave has not always that one. A new key reveals as little
//! as those it comes from.
//!
//! CKM_IKE1_EXTENDED_DERIVE gives the beginning of the base key where that is long enough (RFC 2409, appendix B), but never when there is
//! extra data: the keys of a quick mode (RFC 2409, 5.5) would be SKEYID_d itself.
//! Rule source: PKCS#11 v3.1, 6.64; RFC 2409, 5, 5.5 and appendix B; RFC 7296, 2.13 to 2.18; RFC 4434; RFC 4615.

use super::combine::{SECRETS, judge_piece};
use super::derive::{Derive, Heritage, Product, Request, value, wrong_params};
use super::{EVERYTHING, KeyRule, Row, SizeUnit, hashes};
use crate::derivation::{DeriveParams, DeriveShape, Derived, Ike1Params, IkeParams, IkeStreamParams};
use crate::keys::{ciphers, material, secret_target};
use crate::limits::SECRET_BYTES_MAX;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::{ObjectHandle, ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::hash::{CipherMac, Mac};
use hsm_crypto::secret::SecretBox;
use hsm_crypto::{Hash, SecretBytes, SymmetricKey};

const COMMON: Row = Row {
    judge,
    keys: KeyRule::Types(SECRETS),
    unit: SizeUnit::Bytes,
    size_min: 1,
    size_max: SECRET_BYTES_MAX as u64,
    approved: EVERYTHING,
    heritage: Heritage::Protected,
    ..Row::BLANK
};

pub(super) const ROWS: &[Row] = &[
    row!(Row {
        kind: CKM_IKE2_PRF_PLUS_DERIVE,
        name: "CKM_IKE2_PRF_PLUS_DERIVE",
        shape: ParamShape::Derive(DeriveShape::Ike2Plus),
        vectors: "NIST CAVP IKEv2; NSS",
        derive: Some(Derive::Keys { make: plus, returns_key: true }),
        ..COMMON
    }),
    row!(Row {
        kind: CKM_IKE_PRF_DERIVE,
        name: "CKM_IKE_PRF_DERIVE",
        shape: ParamShape::Derive(DeriveShape::Ike),
        vectors: "NIST CAVP IKEv2; NSS; RFC 4434; RFC 4615",
        derive: Some(Derive::Keys { make: first, returns_key: true }),
        ..COMMON
    }),
    row!(Row {
        kind: CKM_IKE1_PRF_DERIVE,
        name: "CKM_IKE1_PRF_DERIVE",
        shape: ParamShape::Derive(DeriveShape::Ike1),
        vectors: "computed with Python's hmac (RFC 2409, 5)",
        derive: Some(Derive::Keys { make: next, returns_key: true }),
        ..COMMON
    }),
    row!(Row {
        kind: CKM_IKE1_EXTENDED_DERIVE,
        name: "CKM_IKE1_EXTENDED_DERIVE",
        shape: ParamShape::Derive(DeriveShape::Ike1Extended),
        vectors: "computed with Python's hmac (RFC 2409, 5.5 and appendix B)",
        derive: Some(Derive::Keys { make: extended, returns_key: true }),
        ..COMMON
    }),
];

/// The function that a negotiation chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Hmac(Hash),
    Xcbc,
    Cmac,
}

impl Function {
    fn of(kind: u64) -> Result<Self> {
        match kind {
            CKM_AES_XCBC_MAC => Ok(Function::Xcbc),
            CKM_AES_CMAC => Ok(Function::Cmac),
            _ => hashes::by_hmac(kind)
                .map(Function::Hmac)
                .ok_or(Reason::MechanismParam("prfMechanism is no function of the token")),
        }
    }

    const fn output_bytes(self) -> usize {
        match self {
            Function::Hmac(hash) => hash.output_bytes(),
            Function::Xcbc | Function::Cmac => BLOCK_BYTES,
        }
    }

    fn run(self, env: &Env<'_>, key: &[u8], parts: &[&[u8]]) -> Result<SecretBytes> {
        let key = self.key(env, key)?;
        let mut mac = self.start(env, &key)?;
        for part in parts {
            mac.update(part)?;
        }
        Ok(SecretBytes::new(mac.finish()?))
    }

    fn start(self, env: &Env<'_>, key: &SymmetricKey) -> hsm_crypto::Result<SecretBox<dyn Mac>> {
        match self {
            Function::Hmac(hash) => (env.engine.hmac)(hash, key),
            Function::Xcbc => (env.engine.cipher_mac)(&CipherMac::AesXcbc, key),
            Function::Cmac => (env.engine.cmac)(key),
        }
    }

    /// The key of a MAC that has one length only (RFC 4434, 2; RFC 4615, 2).
    fn key(self, env: &Env<'_>, key: &[u8]) -> Result<SymmetricKey> {
        let short = key.len() < BLOCK_BYTES;
        match self {
            Function::Xcbc if short => {
                let mut filled = SecretBytes::zeroed(BLOCK_BYTES);
                for (place, byte) in filled.expose_mut().iter_mut().zip(key) {
                    *place = *byte;
                }
                Ok(SymmetricKey::copy_of(filled.expose()))
            }
            Function::Xcbc | Function::Cmac if key.len() != BLOCK_BYTES => {
                let mut mac = self.start(env, &SymmetricKey::copy_of(&[0; BLOCK_BYTES]))?;
                mac.update(key)?;
                Ok(SymmetricKey::copy_of(SecretBytes::new(mac.finish()?).expose()))
            }
            _ => Ok(SymmetricKey::copy_of(key)),
        }
    }

    /// The type of the keys of the function's MAC.
    const fn key_type(self) -> u64 {
        match self {
            Function::Hmac(Hash::Sha1) => CKK_SHA_1_HMAC,
            Function::Hmac(Hash::Sha224) => CKK_SHA224_HMAC,
            Function::Hmac(Hash::Sha256) => CKK_SHA256_HMAC,
            Function::Hmac(Hash::Sha384) => CKK_SHA384_HMAC,
            Function::Hmac(Hash::Sha512) => CKK_SHA512_HMAC,
            Function::Hmac(Hash::Sha512_224) => CKK_SHA512_224_HMAC,
            Function::Hmac(Hash::Sha512_256) => CKK_SHA512_256_HMAC,
            Function::Hmac(Hash::Sha3_224) => CKK_SHA3_224_HMAC,
            Function::Hmac(Hash::Sha3_256) => CKK_SHA3_256_HMAC,
            Function::Hmac(Hash::Sha3_384) => CKK_SHA3_384_HMAC,
            Function::Hmac(Hash::Sha3_512) => CKK_SHA3_512_HMAC,
            Function::Hmac(_) => CKK_GENERIC_SECRET,
            Function::Xcbc | Function::Cmac => CKK_AES,
        }
    }
}

/// Length of an AES block, and of the keys of both MACs made of it, in bytes.
const BLOCK_BYTES: usize = 16;
/// Number of the last result of the function that a key is cut from: it is counted in a byte.
const LAST_ROUND: usize = 255;

fn judge(params: &Params) -> Result<()> {
    let Params::Derive(params) = params else { return Err(wrong_params()) };
    let prf = match params {
        DeriveParams::Ike(params) => {
            if params.data_as_key && params.new_key.is_some() {
                return Err(Reason::ArgumentsBad("bDataAsKey and bRekey exclude each other"));
            }
            params.prf
        }
        DeriveParams::Ike1(params) => params.prf,
        DeriveParams::Ike2Plus(params) if params.key.is_none() && params.data.is_empty() => {
            return Err(Reason::MechanismParam("prf+ needs a seed"));
        }
        DeriveParams::Ike2Plus(params) | DeriveParams::Ike1Extended(params) => params.prf,
        _ => return Err(wrong_params()),
    };
    Function::of(prf).map(|_| ())
}

/// SKEYSEED or SKEYID.
fn first(request: &Request<'_>) -> Result<Derived<Product>> {
    let DeriveParams::Ike(IkeParams { prf, data_as_key, new_key, initiator, responder }) = request.params()? else {
        return Err(wrong_params());
    };
    let (function, base) = (Function::of(*prf)?, request.base_value()?);
    let (named, wanted) = target(request)?;
    if wanted.is_some_and(|wanted| wanted != function.output_bytes()) {
        return Err(Reason::KeySize);
    }
    let secret = if *data_as_key {
        let mut nonces = SecretBytes::try_zeroed(initiator.len() + responder.len())?;
        let (first, second) = nonces.expose_mut().split_at_mut(initiator.len());
        first.copy_from_slice(initiator);
        second.copy_from_slice(responder);
        function.run(request.env, nonces.expose(), &[base])?
    } else {
        function.run(request.env, base, &[further(request, *new_key)?, initiator, responder])?
    };
    product(request, named.unwrap_or(function.key_type()), secret)
}

/// SKEYID_d, SKEYID_a and SKEYID_e.
fn next(request: &Request<'_>) -> Result<Derived<Product>> {
    let DeriveParams::Ike1(Ike1Params { prf, shared, previous, initiator, responder, number }) = request.params()?
    else {
        return Err(wrong_params());
    };
    let function = Function::of(*prf)?;
    let (named, wanted) = target(request)?;
    let key_type = named.ok_or(Reason::TemplateIncomplete(CKA_KEY_TYPE))?;
    let bytes = wanted.unwrap_or(function.output_bytes());
    if bytes > function.output_bytes() {
        return Err(Reason::KeySize);
    }
    let (previous, shared) = (further(request, *previous)?, further(request, Some(*shared))?);
    let parts = [previous, shared, initiator, responder, &[*number]];
    let mut secret = function.run(request.env, request.base_value()?, &parts)?;
    secret.truncate(bytes);
    product(request, key_type, secret)
}

/// prf+, of which IKEv2 cuts all its keys.
fn plus(request: &Request<'_>) -> Result<Derived<Product>> {
    let DeriveParams::Ike2Plus(IkeStreamParams { prf, key, data }) = request.params()? else {
        return Err(wrong_params());
    };
    let function = Function::of(*prf)?;
    let (named, bytes) = stream_target(request, function)?;
    let (base, key) = (request.base_value()?, further(request, *key)?);
    let secret =
        stream(function, bytes, |last, number| function.run(request.env, base, &[last, key, data, &[number]]))?;
    product(request, named, secret)
}

/// Longer keys of IKEv1, and those of a quick mode.
fn extended(request: &Request<'_>) -> Result<Derived<Product>> {
    let DeriveParams::Ike1Extended(IkeStreamParams { prf, key, data }) = request.params()? else {
        return Err(wrong_params());
    };
    let function = Function::of(*prf)?;
    let (named, bytes) = stream_target(request, function)?;
    let base = request.base_value()?;
    let alone = key.is_none() && data.is_empty();
    if alone && bytes <= function.output_bytes() && bytes <= base.len() {
        judge_piece(request.sources.base, bytes)?;
        return product(request, named, SecretBytes::copy_of(base.get(..bytes).unwrap_or_default()));
    }
    let key = further(request, *key)?;
    let secret = stream(function, bytes, |last, number| {
        let zero: &[u8] = if alone && number == 1 { &[0] } else { &[] };
        function.run(request.env, base, &[last, key, data, zero])
    })?;
    product(request, named, secret)
}

/// So many bytes of results one after the other, each made of the one before and its number.
fn stream(
    function: Function,
    bytes: usize,
    mut round: impl FnMut(&[u8], u8) -> Result<SecretBytes>,
) -> Result<SecretBytes> {
    let mut out = SecretBytes::zeroed(bytes);
    let mut last = SecretBytes::default();
    for (number, chunk) in (1..=u8::MAX).zip(out.expose_mut().chunks_mut(function.output_bytes())) {
        last = round(last.expose(), number)?;
        for (place, byte) in chunk.iter_mut().zip(last.expose()) {
            *place = *byte;
        }
    }
    Ok(out)
}

/// The value of a key that the parameter may name; nothing where it names none.
fn further<'a>(request: &Request<'a>, handle: Option<ObjectHandle>) -> Result<&'a [u8]> {
    handle.map_or(Ok(&[]), |handle| value(request.key(handle)?))
}

/// The type of the new key, where the template says one, and its length.
fn target(request: &Request<'_>) -> Result<(Option<u64>, Option<usize>)> {
    let (_, wanted) = secret_target(request.template)?;
    Ok((material::number(request.template, CKA_KEY_TYPE)?, wanted))
}

/// Type and length of a new key that may be longer than the function's result.
fn stream_target(request: &Request<'_>, function: Function) -> Result<(u64, usize)> {
    let (key_type, wanted) = secret_target(request.template)?;
    let bytes = wanted.ok_or(Reason::TemplateIncomplete(CKA_VALUE_LEN))?;
    if bytes > LAST_ROUND * function.output_bytes() { Err(Reason::KeySize) } else { Ok((key_type, bytes)) }
}

fn product(request: &Request<'_>, key_type: u64, secret: SecretBytes) -> Result<Derived<Product>> {
    if !material::fits(key_type, secret.len()) {
        return Err(Reason::TemplateInconsistent { kind: CKA_KEY_TYPE, problem: "a key of the type is not so long" });
    }
    let material = material::secret(key_type, ciphers::derived(key_type, secret)).into();
    Ok(Derived::one(Product { template: request.template.clone(), material }))
}
