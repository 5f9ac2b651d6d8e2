//! CKM_AES_ECB_ENCRYPT_DATA and CKM_AES_CBC_ENCRYPT_DATA: the encryption of the caller's data, or its first bytes, as a key.
//!
//! Rule source: PKCS#11 v2.40, 2.15; v3.1, 6.36.

use super::combine::length;
use super::derive::{Derive, Request, wrong_params};
use super::{KeyRule, Row, SizeUnit, rules};
use crate::derivation::{DeriveParams, DeriveShape};
use crate::reason::{Reason, Result};
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::SecretBytes;
use hsm_crypto::cipher::{Direction, Mode};

const COMMON: Row =
    Row { judge, keys: KeyRule::Types(&[CKK_AES]), unit: SizeUnit::Bytes, size_min: 16, size_max: 32, ..Row::BLANK };

pub(super) const ROWS: &[Row] = &[
    row!(Row {
        kind: CKM_AES_ECB_ENCRYPT_DATA,
        name: "CKM_AES_ECB_ENCRYPT_DATA",
        shape: ParamShape::Derive(DeriveShape::Data),
        vectors: "NIST SP 800-38A, F.1",
        derive: Some(Derive::Secret(derive)),
        ..COMMON
    }),
    row!(Row {
        kind: CKM_AES_CBC_ENCRYPT_DATA,
        name: "CKM_AES_CBC_ENCRYPT_DATA",
        shape: ParamShape::Derive(DeriveShape::CbcData),
        vectors: "NIST SP 800-38A, F.2",
        derive: Some(Derive::Secret(derive)),
        ..COMMON
    }),
];

fn parts(params: &Params) -> Result<(Mode, &SecretBytes)> {
    match params {
        Params::Derive(DeriveParams::Data(data)) => Ok((Mode::Ecb, data)),
        Params::Derive(DeriveParams::CbcData { iv, data }) => Ok((Mode::Cbc { iv: *iv }, data)),
        _ => Err(wrong_params()),
    }
}

fn judge(params: &Params) -> Result<()> {
    let (_, data) = parts(params)?;
    if data.is_empty() || !data.len().is_multiple_of(16) {
        return Err(Reason::MechanismParam("the data is no whole number of blocks"));
    }
    Ok(())
}

fn derive(request: &Request<'_>, wanted: Option<usize>) -> Result<SecretBytes> {
    let (mode, data) = parts(request.params)?;
    // The standard has a return value of its own for this.
    if wanted.is_some_and(|wanted| wanted > data.len()) {
        return Err(Reason::DataLength);
    }
    let bytes = length(wanted, data.len())?;
    let mut out = SecretBytes::try_zeroed(data.len())?;
    rules::with_secret(request.env, request.sources.base, |key| {
        let mut cipher = (request.env.engine.cipher)(&mode, Direction::Encrypt, key)?;
        cipher.update_into(data.expose(), out.expose_mut())?;
        Ok(())
    })?;
    out.truncate(bytes);
    Ok(out)
}
