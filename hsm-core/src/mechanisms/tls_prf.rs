//! CKM_TLS_PRF, the function of TLS 1.0 and 1.1, which gives its result to the caller; and the same function as that of CKM_TLS_KDF.
//!
//! It is made of MD5 and SHA-1, so both need the legacy switch. The caller chooses the label, and with that of the key block the result
//! would be the keys of the connection. From a key that is sensitive or not extractable it therefore gives the `verify_data` of
//! a Finished message and nothing else; CKM_TLS_KDF makes keys.
//! Rule source: PKCS#11 v2.40, "TLS PRF"; v3.2, 6.40.8; RFC 4346, 5 and 7.4.9.

use super::derive::{Derive, Product, Request, wrong_params};
use super::{KeyRule, Row, SizeUnit, tls12};
use crate::derivation::{DeriveParams, DeriveShape, Derived, TlsPrfParams};
use crate::limits::SECRET_BYTES_MAX;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::{Hash, SecretBytes};

pub(super) const ROWS: &[Row] = &[row!(Row {
    kind: CKM_TLS_PRF,
    name: "CKM_TLS_PRF",
    shape: ParamShape::Derive(DeriveShape::TlsPrf),
    judge,
    keys: KeyRule::Types(&[CKK_GENERIC_SECRET]),
    unit: SizeUnit::Bytes,
    size_min: 1,
    size_max: SECRET_BYTES_MAX as u64,
    legacy: true,
    vectors: "NIST CAVP TLS 1.0/1.1 KDF (through OpenSSL)",
    derive: Some(Derive::Keys { make, returns_key: false }),
    ..Row::BLANK
})];

/// Labels of Finished messages.
const FINISHED: [&[u8]; 2] = [b"client finished", b"server finished"];
/// Length of their data in bytes.
const VERIFY_DATA_BYTES: usize = 12;

fn judge(params: &Params) -> Result<()> {
    match params {
        Params::Derive(DeriveParams::TlsPrf(params)) if params.bytes == 0 => {
            Err(Reason::MechanismParam("no byte is asked for"))
        }
        Params::Derive(DeriveParams::TlsPrf(_)) => Ok(()),
        _ => Err(wrong_params()),
    }
}

fn make(request: &Request<'_>) -> Result<Derived<Product>> {
    let DeriveParams::TlsPrf(TlsPrfParams { label, seed, bytes }) = request.params()? else {
        return Err(wrong_params());
    };
    let base = request.sources.base;
    let hidden = base.flag(CKA_SENSITIVE) || !base.flag(CKA_EXTRACTABLE);
    if hidden && !(FINISHED.contains(&&label[..]) && *bytes <= VERIFY_DATA_BYTES) {
        return Err(Reason::MechanismParam("of a hidden key only the data of a Finished message is given"));
    }
    let made = function(request.env, request.base_value()?, label, &[seed], *bytes)?;
    let values = vec![made.into_public("the caller gets what the function makes")?];
    Ok(Derived { key: None, further: Vec::new(), values })
}

/// P_MD5 of the first half of the secret and P_SHA-1 of the second, which have a byte in common where their number is odd, added.
pub(super) fn function(
    env: &Env<'_>,
    secret: &[u8],
    label: &[u8],
    seed: &[&[u8]],
    bytes: usize,
) -> Result<SecretBytes> {
    let half = secret.len().div_ceil(2);
    let (first, second) =
        (secret.get(..half).unwrap_or_default(), secret.get(secret.len() - half..).unwrap_or_default());
    let mut out = tls12::expand(env, Hash::Md5, first, label, seed, bytes)?;
    let other = tls12::expand(env, Hash::Sha1, second, label, seed, bytes)?;
    for (byte, with) in out.expose_mut().iter_mut().zip(other.expose()) {
        *byte ^= with;
    }
    Ok(out)
}
