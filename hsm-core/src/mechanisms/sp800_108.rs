//! CKM_SP800_108_COUNTER_KDF, CKM_SP800_108_FEEDBACK_KDF and CKM_SP800_108_DOUBLE_PIPELINE_KDF, with additional derived keys.
//!
//! The input of the function is the caller's fields in the caller's order. Each key begins with a round of its own, so no two
//! keys share one. A counter has 8 to 32 bits and a length 8 to 64, in whole bytes.
//! Rule source: PKCS#11 v3.1, 6.42, and v3.2 (CK_SP800_108_KEY_HANDLE); SP 800-108 rev. 1.

use super::combine::SECRETS;
use super::derive::{Derive, Heritage, Product, Request, value, wrong_params};
use super::{EVERYTHING, KeyRule, Row, SizeUnit, hashes};
use crate::derivation::{DeriveParams, DeriveShape, Derived, PrfField, PrfKdfParams, PrfNumber};
use crate::keys::{ciphers, material, secret_target};
use crate::limits::{PRF_COUNTER_BITS_MAX, PRF_LENGTH_BITS_MAX, SECRET_BYTES_MAX};
use crate::object::Object;
use crate::reason::{Reason, Result};
use crate::template::Template;
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::SecretBytes;
use hsm_crypto::kdf::{self, Integer, Kbkdf, KbkdfField, KbkdfMode, Prf};

const COMMON: Row = Row {
    shape: ParamShape::Derive(DeriveShape::PrfKdf),
    keys: KeyRule::Types(SECRETS),
    unit: SizeUnit::Bits,
    size_min: 8,
    size_max: 8 * SECRET_BYTES_MAX as u64,
    approved: EVERYTHING,
    approved_size_min: 112,
    heritage: Heritage::Inherited,
    ..Row::BLANK
};

pub(super) const ROWS: &[Row] = &[
    row!(Row {
        kind: CKM_SP800_108_COUNTER_KDF,
        name: "CKM_SP800_108_COUNTER_KDF",
        judge: |params| judge(params, Mode::Counter),
        vectors: "NIST CAVP KBKDF counter mode, all locations and widths of the counter",
        derive: Some(Derive::Keys { make: |request| derive(request, Mode::Counter), returns_key: true }),
        ..COMMON
    }),
    row!(Row {
        kind: CKM_SP800_108_FEEDBACK_KDF,
        name: "CKM_SP800_108_FEEDBACK_KDF",
        shape: ParamShape::Derive(DeriveShape::FeedbackKdf),
        judge: |params| judge(params, Mode::Feedback),
        vectors: "BouncyCastle (through Botan); several rounds computed with OpenSSL",
        derive: Some(Derive::Keys { make: |request| derive(request, Mode::Feedback), returns_key: true }),
        ..COMMON
    }),
    row!(Row {
        kind: CKM_SP800_108_DOUBLE_PIPELINE_KDF,
        name: "CKM_SP800_108_DOUBLE_PIPELINE_KDF",
        judge: |params| judge(params, Mode::DoublePipeline),
        vectors: "NIST CAVP KBKDF double pipeline mode (through Botan)",
        derive: Some(Derive::Keys { make: |request| derive(request, Mode::DoublePipeline), returns_key: true }),
        ..COMMON
    }),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Counter,
    Feedback,
    DoublePipeline,
}

fn prf_kdf(params: &Params) -> Result<&PrfKdfParams> {
    match params {
        Params::Derive(DeriveParams::PrfKdf(params) | DeriveParams::FeedbackKdf(params)) => Ok(params),
        _ => Err(wrong_params()),
    }
}

/// Judges which fields are there, how often, and in which form.
fn judge(params: &Params, mode: Mode) -> Result<()> {
    let params = prf_kdf(params)?;
    prf(params.prf)?;
    let count = |which: fn(&PrfField) -> bool| params.fields.iter().filter(|field| which(field)).count();
    if count(|field| matches!(field, PrfField::Iteration(_))) != 1 {
        return Err(Reason::MechanismParam("the iteration variable must stand in the data once"));
    }
    let counters = count(|field| matches!(field, PrfField::Counter(_)));
    if counters > usize::from(mode != Mode::Counter) {
        return Err(Reason::MechanismParam("a counter of its own stands in the data too often for the mode"));
    }
    if count(|field| matches!(field, PrfField::Length { .. })) > 1 {
        return Err(Reason::MechanismParam("the length stands in the data more than once"));
    }
    params.fields.iter().try_for_each(|field| judge_field(field, mode))
}

fn judge_field(field: &PrfField, mode: Mode) -> Result<()> {
    match field {
        PrfField::Iteration(Some(format)) if mode == Mode::Counter => {
            integer(*format, PRF_COUNTER_BITS_MAX).map(|_| ())
        }
        PrfField::Iteration(None) if mode != Mode::Counter => Ok(()),
        PrfField::Iteration(_) => Err(Reason::MechanismParam("only a counter as iteration variable has a format")),
        PrfField::Counter(format) => integer(*format, PRF_COUNTER_BITS_MAX).map(|_| ()),
        PrfField::Length { method, format } => {
            if !matches!(*method, CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS | CK_SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS) {
                return Err(Reason::MechanismParam("dkmLengthMethod is none of the standard"));
            }
            integer(*format, PRF_LENGTH_BITS_MAX).map(|_| ())
        }
        PrfField::Bytes(bytes) if bytes.is_empty() => Err(Reason::MechanismParam("a byte array is empty")),
        PrfField::Bytes(_) | PrfField::Key(_) => Ok(()),
    }
}

fn integer(format: PrfNumber, bits_max: u64) -> Result<Integer> {
    if format.bits == 0 || format.bits > bits_max || !format.bits.is_multiple_of(8) {
        return Err(Reason::MechanismParam("ulWidthInBits is no whole number of bytes in the range of the field"));
    }
    let bytes = usize::try_from(format.bits / 8).map_err(|_| wrong_params())?;
    Ok(Integer { bytes, little_endian: format.little_endian })
}

fn prf(kind: u64) -> Result<Prf> {
    match kind {
        CKM_AES_CMAC => Ok(Prf::AesCmac),
        _ => hashes::by_hmac(kind).map(Prf::Hmac).ok_or(Reason::MechanismParam("prfType is no function of the token")),
    }
}

/// A key that is asked for.
struct Wanted<'a> {
    template: &'a Template,
    key_type: u64,
    bytes: usize,
}

impl<'a> Wanted<'a> {
    fn of(template: &'a Template) -> Result<Self> {
        let (key_type, bytes) = secret_target(template)?;
        Ok(Self { template, key_type, bytes: bytes.ok_or(Reason::TemplateIncomplete(CKA_VALUE_LEN))? })
    }
}

fn derive(request: &Request<'_>, mode: Mode) -> Result<Derived<Product>> {
    let params = prf_kdf(request.params)?;
    let prf = prf(params.prf)?;
    if prf == Prf::AesCmac && request.sources.base.key_type() != Some(CKK_AES) {
        return Err(Reason::KeyTypeInconsistent);
    }
    let mut wanted = vec![Wanted::of(request.template)?];
    for (place, template) in params.further.iter().enumerate() {
        wanted.push(Wanted::of(template).map_err(|reason| reason.at(place))?);
    }
    let rounded = |bytes: usize| bytes.next_multiple_of(prf.output_bytes());
    let segments: usize = wanted.iter().map(|key| rounded(key.bytes)).sum();
    let sum = wanted.iter().map(|key| key.bytes).sum();
    let stream = stream(request, params, mode, prf, segments, sum)?;
    let mut products = Vec::with_capacity(wanted.len());
    let mut rest = stream.expose();
    for key in wanted {
        let cut = "the derived bytes are fewer than the keys ask for";
        let (segment, after) = rest.split_at_checked(rounded(key.bytes)).ok_or(Reason::Internal(cut))?;
        let value = segment.get(..key.bytes).ok_or(Reason::Internal(cut))?;
        let material =
            material::secret(key.key_type, ciphers::derived(key.key_type, SecretBytes::copy_of(value))).into();
        products.push(Product { template: key.template.clone(), material });
        rest = after;
    }
    let further = products.split_off(1);
    Ok(Derived { key: products.pop(), further, values: Vec::new() })
}

/// All bytes that the keys are cut from.
fn stream(
    request: &Request<'_>,
    params: &PrfKdfParams,
    mode: Mode,
    prf: Prf,
    segments: usize,
    sum: usize,
) -> Result<SecretBytes> {
    // Where no counter is written, it takes no part.
    let mut counter = Integer { bytes: 4, little_endian: false };
    let mut length = Vec::new();
    for field in &params.fields {
        match field {
            PrfField::Iteration(Some(format)) | PrfField::Counter(format) => {
                counter = integer(*format, PRF_COUNTER_BITS_MAX)?;
            }
            PrfField::Length { method, format } => {
                let bytes = if *method == CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS { sum } else { segments };
                length = integer(*format, PRF_LENGTH_BITS_MAX)?.write(8 * bytes as u64)?;
            }
            PrfField::Iteration(None) | PrfField::Bytes(_) | PrfField::Key(_) => {}
        }
    }
    let mut fields = Vec::with_capacity(params.fields.len());
    for field in &params.fields {
        fields.push(match field {
            PrfField::Iteration(_) => KbkdfField::Iteration,
            PrfField::Counter(_) => KbkdfField::Counter,
            PrfField::Length { .. } => KbkdfField::Bytes(&length),
            PrfField::Bytes(bytes) => KbkdfField::Bytes(bytes),
            PrfField::Key(handle) => KbkdfField::Bytes(input_key(request, *handle)?),
        });
    }
    let mode = match mode {
        Mode::Counter => KbkdfMode::Counter,
        Mode::Feedback => KbkdfMode::Feedback(&params.initial),
        Mode::DoublePipeline => KbkdfMode::DoublePipeline,
    };
    let how = Kbkdf { prf, mode, counter, fields: &fields };
    super::rules::with_secret(request.env, request.sources.base, |key| {
        Ok(kdf::kbkdf(request.env.engine, key, &how, segments)?)
    })
}

fn input_key<'a>(request: &Request<'a>, handle: crate::types::ObjectHandle) -> Result<&'a [u8]> {
    let key: &'a Object = request.key(handle)?;
    value(key)
}
