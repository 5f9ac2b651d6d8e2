//! CKM_PKCS5_PBKD2: a secret key from a password.
//!
//! The standard's two parameter structures differ in their last field only: `CK_PKCS5_PBKD2_PARAMS2` has the length of the
//! password there, `CK_PKCS5_PBKD2_PARAMS` of 2.40 a pointer to it. The edge tells them apart.
//! Rule source: PKCS#11 v3.1, 6.37; RFC 8018, 5.2; SP 800-132.

use super::derive::wrong_params;
use super::{EVERYTHING, Row, SizeUnit, named};
use crate::derivation::{DeriveParams, DeriveShape, PasswordParams};
use crate::keys::{material, secret_target};
use crate::limits::{PBKDF2_ROUNDS_MAX, SECRET_BYTES_MAX};
use crate::object::Attributes;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::template::Template;
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::{Hash, SecretBytes};

pub(super) const ROWS: &[Row] = &[row!(Row {
    shape: ParamShape::Derive(DeriveShape::Password),
    judge: |params| judge(params).map(|_| ()),
    unit: SizeUnit::Bytes,
    size_min: 1,
    size_max: SECRET_BYTES_MAX as u64,
    // For keys that protect stored data (SP 800-132).
    approved: EVERYTHING,
    vectors: "RFC 6070; Wycheproof pbkdf2_hmacsha*",
    generate: Some(generate),
    ..named!(CKM_PKCS5_PBKD2)
})];

/// Hash and rounds.
fn judge(params: &Params) -> Result<(&PasswordParams, Hash, u32)> {
    let Params::Derive(DeriveParams::Password(params)) = params else { return Err(wrong_params()) };
    if params.salt_source != CKZ_SALT_SPECIFIED {
        return Err(Reason::MechanismParam("saltSource is not CKZ_SALT_SPECIFIED"));
    }
    if params.has_prf_data {
        return Err(Reason::MechanismParam("the pseudorandom function takes no data"));
    }
    let hash = match params.prf {
        CKP_PKCS5_PBKD2_HMAC_SHA1 => Hash::Sha1,
        CKP_PKCS5_PBKD2_HMAC_SHA224 => Hash::Sha224,
        CKP_PKCS5_PBKD2_HMAC_SHA256 => Hash::Sha256,
        CKP_PKCS5_PBKD2_HMAC_SHA384 => Hash::Sha384,
        CKP_PKCS5_PBKD2_HMAC_SHA512 => Hash::Sha512,
        CKP_PKCS5_PBKD2_HMAC_SHA512_224 => Hash::Sha512_224,
        CKP_PKCS5_PBKD2_HMAC_SHA512_256 => Hash::Sha512_256,
        _ => return Err(Reason::MechanismParam("prf is no function of the token")),
    };
    let rounds = u32::try_from(params.rounds).ok().filter(|rounds| (1..=PBKDF2_ROUNDS_MAX).contains(rounds));
    Ok((params, hash, rounds.ok_or(Reason::MechanismParam("iterations is 0, or more than anybody can wait for"))?))
}

fn generate(env: &Env<'_>, params: &Params, template: &Template) -> Result<Attributes> {
    let (params, hash, rounds) = judge(params)?;
    if material::number(template, CKA_KEY_TYPE)?.is_none() {
        return Err(Reason::TemplateIncomplete(CKA_KEY_TYPE));
    }
    let (key_type, bytes) = secret_target(template)?;
    let mut value = SecretBytes::zeroed(bytes.ok_or(Reason::TemplateIncomplete(CKA_VALUE_LEN))?);
    (env.engine.pbkdf2)(hash, params.password.expose(), &params.salt, rounds, value.expose_mut())?;
    Ok(material::secret(key_type, value))
}
