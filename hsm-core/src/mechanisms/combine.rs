//! Keys made of the bytes of others: CKM_CONCATENATE_*, CKM_XOR_BASE_AND_DATA and CKM_EXTRACT_KEY_FROM_KEY.
//!
//! The result reveals no more than the keys it comes from (`Heritage::Protected`). And it is no way to find a hidden key piece by
//! piece: of a key that is sensitive or not extractable it holds all bytes, none, or at least [`HIDDEN_PIECE_BYTES_MIN`] of them
//! (Clulow 2003; CVE-2015-5464). A key that reveals its value may be cut at will.
//! Rule source: PKCS#11 v2.40, 2.31; v3.1, 6.43; SP 800-133, 6.3 (which of them are approved).

use super::derive::{Derive, Heritage, Request, value, wrong_params};
use super::{EVERYTHING, KeyRule, Row, SizeUnit, named};
use crate::derivation::{DeriveParams, DeriveShape};
use crate::limits::{HIDDEN_PIECE_BYTES_MIN, SECRET_BYTES_MAX};
use crate::object::Object;
use crate::reason::{Reason, Result};
use crate::types::ParamShape;
use ffi_headers::*;
use hsm_crypto::SecretBytes;

/// The types of keys that are plain bytes; any of them can be a base key.
pub(super) const SECRETS: &[u64] = &[
    CKK_GENERIC_SECRET,
    CKK_AES,
    CKK_HKDF,
    CKK_SHA_1_HMAC,
    CKK_SHA224_HMAC,
    CKK_SHA256_HMAC,
    CKK_SHA384_HMAC,
    CKK_SHA512_HMAC,
    CKK_SHA512_224_HMAC,
    CKK_SHA512_256_HMAC,
    CKK_SHA3_224_HMAC,
    CKK_SHA3_256_HMAC,
    CKK_SHA3_384_HMAC,
    CKK_SHA3_512_HMAC,
];

const COMMON: Row = Row {
    keys: KeyRule::Types(SECRETS),
    unit: SizeUnit::Bytes,
    size_min: 1,
    size_max: SECRET_BYTES_MAX as u64,
    approved_size_min: HIDDEN_PIECE_BYTES_MIN as u64,
    heritage: Heritage::Protected,
    ..Row::BLANK
};

pub(super) const ROWS: &[Row] = &[
    row!(Row {
        kind: CKM_CONCATENATE_BASE_AND_KEY,
        name: "CKM_CONCATENATE_BASE_AND_KEY",
        shape: ParamShape::Derive(DeriveShape::Key),
        approved: EVERYTHING,
        vectors: "its definition",
        derive: Some(Derive::Secret(base_and_key)),
        ..COMMON
    }),
    row!(Row {
        kind: CKM_CONCATENATE_BASE_AND_DATA,
        name: "CKM_CONCATENATE_BASE_AND_DATA",
        shape: ParamShape::Derive(DeriveShape::Data),
        vectors: "its definition",
        derive: Some(Derive::Secret(base_and_data)),
        ..COMMON
    }),
    row!(Row {
        kind: CKM_CONCATENATE_DATA_AND_BASE,
        name: "CKM_CONCATENATE_DATA_AND_BASE",
        shape: ParamShape::Derive(DeriveShape::Data),
        vectors: "its definition",
        derive: Some(Derive::Secret(data_and_base)),
        ..COMMON
    }),
    row!(Row {
        kind: CKM_XOR_BASE_AND_DATA,
        name: "CKM_XOR_BASE_AND_DATA",
        shape: ParamShape::Derive(DeriveShape::Data),
        approved: EVERYTHING,
        vectors: "its definition",
        derive: Some(Derive::Secret(xor)),
        ..COMMON
    }),
    row!(Row {
        shape: ParamShape::Derive(DeriveShape::BitOffset),
        vectors: "the example of the standard (6.43.7)",
        derive: Some(Derive::Secret(extract)),
        keys: COMMON.keys,
        unit: COMMON.unit,
        size_min: COMMON.size_min,
        size_max: COMMON.size_max,
        heritage: COMMON.heritage,
        ..named!(CKM_EXTRACT_KEY_FROM_KEY)
    }),
];

fn base_and_key(request: &Request<'_>, wanted: Option<usize>) -> Result<SecretBytes> {
    let DeriveParams::Key(handle) = request.params()? else { return Err(wrong_params()) };
    let second = request.key(*handle)?;
    let (base, other) = (request.base_value()?, value(second)?);
    let bytes = length(wanted, base.len() + other.len())?;
    judge_piece(request.sources.base, bytes.min(base.len()))?;
    judge_piece(second, bytes.saturating_sub(base.len()))?;
    Ok(joined(base, other, bytes))
}

fn base_and_data(request: &Request<'_>, wanted: Option<usize>) -> Result<SecretBytes> {
    let (base, data) = (request.base_value()?, data(request)?);
    let bytes = length(wanted, base.len() + data.len())?;
    judge_piece(request.sources.base, bytes.min(base.len()))?;
    Ok(joined(base, data, bytes))
}

fn data_and_base(request: &Request<'_>, wanted: Option<usize>) -> Result<SecretBytes> {
    let (base, data) = (request.base_value()?, data(request)?);
    let bytes = length(wanted, base.len() + data.len())?;
    judge_piece(request.sources.base, bytes.saturating_sub(data.len()))?;
    Ok(joined(data, base, bytes))
}

/// As long as the shorter of the two.
fn xor(request: &Request<'_>, wanted: Option<usize>) -> Result<SecretBytes> {
    let (base, data) = (request.base_value()?, data(request)?);
    let bytes = length(wanted, base.len().min(data.len()))?;
    judge_piece(request.sources.base, bytes)?;
    let mut out = joined(base, &[], bytes);
    for (byte, with) in out.expose_mut().iter_mut().zip(data) {
        *byte ^= with;
    }
    Ok(out)
}

/// Takes bits from an offset on, the first bit being the highest of the first byte, and goes on at the beginning after the last one.
fn extract(request: &Request<'_>, wanted: Option<usize>) -> Result<SecretBytes> {
    let DeriveParams::BitOffset(offset) = request.params()? else { return Err(wrong_params()) };
    let base = request.base_value()?;
    let offset = usize::try_from(*offset)
        .ok()
        .filter(|offset| *offset < 8 * base.len())
        .ok_or(Reason::MechanismParam("the first bit lies behind the end of the key"))?;
    let bytes = length(Some(wanted.ok_or(Reason::TemplateIncomplete(CKA_VALUE_LEN))?), base.len())?;
    judge_piece(request.sources.base, bytes)?;
    let (start, shift) = (offset / 8, offset % 8);
    let from_start = || base.iter().cycle().skip(start);
    let mut out = SecretBytes::zeroed(bytes);
    for ((byte, high), low) in out.expose_mut().iter_mut().zip(from_start()).zip(from_start().skip(1)) {
        let both = u16::from_be_bytes([*high, *low]) << shift;
        *byte = both.to_be_bytes()[0];
    }
    Ok(out)
}

fn data<'a>(request: &Request<'a>) -> Result<&'a [u8]> {
    match request.params()? {
        DeriveParams::Data(data) => Ok(data.expose()),
        _ => Err(wrong_params()),
    }
}

/// The length of the result: what is wanted, or all there is.
pub(super) fn length(wanted: Option<usize>, available: usize) -> Result<usize> {
    match wanted.unwrap_or(available) {
        bytes if bytes > available => {
            Err(Reason::AttributeValue { kind: CKA_VALUE_LEN, problem: "longer than what the mechanism gives" })
        }
        0 => Err(Reason::MechanismParam("nothing is left to make a key of")),
        bytes if bytes > SECRET_BYTES_MAX => {
            Err(Reason::AttributeValue { kind: CKA_VALUE_LEN, problem: "longer than any key" })
        }
        bytes => Ok(bytes),
    }
}

/// Refuses a result with so few bytes of a hidden key that they could be found by trying.
pub(super) fn judge_piece(key: &Object, bytes: usize) -> Result<()> {
    let hidden = key.flag(CKA_SENSITIVE) || !key.flag(CKA_EXTRACTABLE);
    let whole = bytes == value(key)?.len();
    if hidden && !whole && bytes > 0 && bytes < HIDDEN_PIECE_BYTES_MIN {
        return Err(Reason::AttributeValue {
            kind: CKA_VALUE_LEN,
            problem: "so short a piece of a key that hides its value could be found by trying",
        });
    }
    Ok(())
}

/// The first `bytes` bytes of two values one after the other.
fn joined(first: &[u8], second: &[u8], bytes: usize) -> SecretBytes {
    let mut out = SecretBytes::zeroed(bytes);
    for (place, byte) in out.expose_mut().iter_mut().zip(first.iter().chain(second)) {
        *place = *byte;
    }
    out
}
