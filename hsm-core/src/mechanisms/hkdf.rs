//! CKM_HKDF_DERIVE, CKM_HKDF_DATA and CKM_HKDF_KEY_GEN.
//!
//! The salt is absent, given as bytes, or another key. Keys of any length are taken: RFC 5869 asks for a full hash where only the
//! second half of HKDF runs, and as with HMAC that is the choice of the key's maker. The result of the first half alone is
//! as long as the hash and not cut, as the standard has it.
//! Rule source: PKCS#11 v3.1, 6.62; RFC 5869; SP 800-56C rev. 2.

use super::combine::SECRETS;
use super::derive::{Derive, Product, Request, value, wrong_params};
use super::{EVERYTHING, KeyRule, Row, SizeUnit, hashes, named};
use crate::derivation::{DeriveParams, DeriveShape, Derived, HkdfParams, HkdfSalt};
use crate::keys::material;
use crate::limits::SECRET_BYTES_MAX;
use crate::object::{Attributes, Value};
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::template::Template;
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::{SecretBytes, kdf};

const COMMON: Row = Row {
    shape: ParamShape::Derive(DeriveShape::Hkdf),
    judge,
    keys: KeyRule::Types(SECRETS),
    unit: SizeUnit::Bytes,
    size_min: 1,
    size_max: SECRET_BYTES_MAX as u64,
    approved: EVERYTHING,
    approved_size_min: 14,
    vectors: "Wycheproof hkdf_sha*; RFC 5869 appendix A for the halves",
    ..Row::BLANK
};

pub(super) const ROWS: &[Row] = &[
    row!(Row { kind: CKM_HKDF_DERIVE, name: "CKM_HKDF_DERIVE", derive: Some(Derive::Secret(derive)), ..COMMON }),
    row!(Row {
        kind: CKM_HKDF_DATA,
        name: "CKM_HKDF_DATA",
        derive: Some(Derive::Keys { make: data, returns_key: true }),
        ..COMMON
    }),
    row!(Row {
        unit: SizeUnit::Bytes,
        size_min: 1,
        size_max: SECRET_BYTES_MAX as u64,
        approved: EVERYTHING,
        vectors: "none can be (random by nature): the value is the random source's, which the test plays",
        generate: Some(generate),
        ..named!(CKM_HKDF_KEY_GEN)
    }),
];

fn hkdf(params: &Params) -> Result<&HkdfParams> {
    match params {
        Params::Derive(DeriveParams::Hkdf(params)) => Ok(params),
        _ => Err(wrong_params()),
    }
}

fn judge(params: &Params) -> Result<()> {
    let params = hkdf(params)?;
    if !params.extract && !params.expand {
        return Err(Reason::MechanismParam("neither bExtract nor bExpand is set"));
    }
    hashes::by_mechanism(params.hash).map(|_| ())
}

fn derive(request: &Request<'_>, wanted: Option<usize>) -> Result<SecretBytes> {
    let params = hkdf(request.params)?;
    let (engine, hash) = (request.env.engine, hashes::by_mechanism(params.hash)?);
    let extracted = if params.extract {
        let salt = match &params.salt {
            HkdfSalt::None => &[],
            HkdfSalt::Bytes(salt) => &salt[..],
            HkdfSalt::Key(handle) => value(request.key(*handle)?)?,
        };
        Some(kdf::hkdf_extract(engine, hash, salt, request.base_value()?)?)
    } else {
        None
    };
    if let (Some(extracted), false) = (&extracted, params.expand) {
        return match wanted {
            Some(bytes) if bytes != extracted.len() => Err(Reason::AttributeValue {
                kind: CKA_VALUE_LEN,
                problem: "without bExpand the key is as long as the hash",
            }),
            _ => Ok(extracted.clone()),
        };
    }
    let bytes = wanted.ok_or(Reason::TemplateIncomplete(CKA_VALUE_LEN))?;
    if bytes > 255 * hash.output_bytes() {
        return Err(Reason::AttributeValue { kind: CKA_VALUE_LEN, problem: "above 255 times the length of the hash" });
    }
    let key = match &extracted {
        Some(extracted) => extracted.expose(),
        None => request.base_value()?,
    };
    Ok(kdf::hkdf_expand(engine, hash, key, &params.info, bytes)?)
}

/// The same bytes as a data object.
fn data(request: &Request<'_>) -> Result<Derived<Product>> {
    if material::number(request.template, CKA_CLASS)?.is_some_and(|class| class != CKO_DATA) {
        return Err(Reason::TemplateInconsistent { kind: CKA_CLASS, problem: "the result is a data object" });
    }
    let value = derive(request, material::value_len(request.template)?)?;
    let material = Attributes::from([(CKA_CLASS, Value::Number(CKO_DATA)), (CKA_VALUE, Value::Bytes(value))]);
    // The length has done its work; a data object has no such attribute.
    let template = request.template.without(CKA_VALUE_LEN);
    Ok(Derived::one(Product { template, material: material.into() }))
}

fn generate(env: &Env<'_>, _params: &Params, template: &Template) -> Result<Attributes> {
    if material::number(template, CKA_KEY_TYPE)?.is_some_and(|key_type| key_type != CKK_HKDF) {
        return Err(Reason::TemplateInconsistent { kind: CKA_KEY_TYPE, problem: "the mechanism makes HKDF keys" });
    }
    let bytes = material::value_len(template)?.ok_or(Reason::TemplateIncomplete(CKA_VALUE_LEN))?;
    let mut value = SecretBytes::zeroed(bytes);
    env.random.fill(value.expose_mut())?;
    Ok(material::secret(CKK_HKDF, value))
}
