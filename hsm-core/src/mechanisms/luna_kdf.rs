//! CKM_NIST_PRF_KDF and CKM_PRF_KDF, the counter mode of SP 800-108 as Luna clients ask for it.
//!
//! The counter of the first round is the caller's, which is 1 in SP 800-108; counters and lengths are big-endian, the length in bits. The first of the
//! two has the functions of SP 800-108, the second those that are none, too: of them HMAC with RIPEMD-160, behind the legacy switch, as is CMAC of
//! triple DES. ARIA and SEED are not here.
//! Rule source: Luna's client headers and documentation; SP 800-108 rev. 1, 4.1.

use super::combine::SECRETS;
use super::derive::{Derive, Heritage, Request, wrong_params};
use super::{EVERYTHING, KeyRule, Row, SizeUnit};
use crate::derivation::{DeriveParams, DeriveShape, LunaKdfParams};
use crate::limits::SECRET_BYTES_MAX;
use crate::reason::{Reason, Result};
use crate::types::{ParamShape, Params};
use ffi_headers::vendor::*;
use ffi_headers::*;
use hsm_crypto::kdf::{self, Integer, Kbkdf, KbkdfField, KbkdfMode, Prf};
use hsm_crypto::{Hash, SecretBytes};

const COMMON: Row = Row {
    shape: ParamShape::Derive(DeriveShape::LunaKdf),
    keys: KeyRule::Types(&KEYS),
    unit: SizeUnit::Bits,
    size_min: 8,
    size_max: 8 * SECRET_BYTES_MAX as u64,
    heritage: Heritage::Inherited,
    vectors: "NIST CAVP KBKDF counter mode, the counter of 32 bits first; the other encodings by their definition",
    derive: Some(Derive::Secret(derive)),
    ..Row::BLANK
};

pub(super) const ROWS: &[Row] = &[
    row!(Row {
        kind: CKM_NIST_PRF_KDF,
        name: "CKM_NIST_PRF_KDF",
        judge: |params| judge(params, false),
        approved: EVERYTHING,
        approved_size_min: 112,
        ..COMMON
    }),
    row!(Row { kind: CKM_PRF_KDF, name: "CKM_PRF_KDF", judge: |params| judge(params, true), ..COMMON }),
];

/// What other derivations take, and triple DES for its CMAC.
const KEYS: [u64; SECRETS.len() + 1] = {
    let mut keys = [CKK_DES3; SECRETS.len() + 1];
    let mut at = 0;
    while at < SECRETS.len() {
        keys[at] = SECRETS[at];
        at += 1;
    }
    keys
};

fn luna(params: &Params) -> Result<&LunaKdfParams> {
    match params {
        Params::Derive(DeriveParams::LunaKdf(params)) => Ok(params),
        _ => Err(wrong_params()),
    }
}

fn judge(params: &Params, others: bool) -> Result<()> {
    let params = luna(params)?;
    if prf(params.prf)? == Prf::Hmac(Hash::Ripemd160) && !others {
        return Err(Reason::MechanismParam("prfType is no function of SP 800-108"));
    }
    encoding(params, &[]).map(|_| ())
}

fn prf(kind: u64) -> Result<Prf> {
    Ok(match kind {
        CK_NIST_PRF_KDF_DES3_CMAC => Prf::TripleDesCmac,
        CK_NIST_PRF_KDF_AES_CMAC => Prf::AesCmac,
        CK_NIST_PRF_KDF_HMAC_SHA1 => Prf::Hmac(Hash::Sha1),
        CK_NIST_PRF_KDF_HMAC_SHA224 => Prf::Hmac(Hash::Sha224),
        CK_NIST_PRF_KDF_HMAC_SHA256 => Prf::Hmac(Hash::Sha256),
        CK_NIST_PRF_KDF_HMAC_SHA384 => Prf::Hmac(Hash::Sha384),
        CK_NIST_PRF_KDF_HMAC_SHA512 => Prf::Hmac(Hash::Sha512),
        CK_PRF_KDF_HMAC_RIPEMD160 => Prf::Hmac(Hash::Ripemd160),
        CK_NIST_PRF_KDF_HMAC_SHA3_224 => Prf::Hmac(Hash::Sha3_224),
        CK_NIST_PRF_KDF_HMAC_SHA3_256 => Prf::Hmac(Hash::Sha3_256),
        CK_NIST_PRF_KDF_HMAC_SHA3_384 => Prf::Hmac(Hash::Sha3_384),
        CK_NIST_PRF_KDF_HMAC_SHA3_512 => Prf::Hmac(Hash::Sha3_512),
        _ => return Err(Reason::MechanismParam("prfType is no function of the token")),
    })
}

/// The input of the function in the order of the scheme, with the bytes of the counter.
fn encoding<'a>(params: &'a LunaKdfParams, length: &'a [u8]) -> Result<(Vec<KbkdfField<'a>>, usize)> {
    let (context, label) = (KbkdfField::Bytes(&params.context), KbkdfField::Bytes(&params.label));
    let (counter, separator, length) = (KbkdfField::Iteration, KbkdfField::Bytes(&[0]), KbkdfField::Bytes(length));
    Ok(match params.scheme {
        LUNA_PRF_KDF_ENCODING_SCHEME_1 => (vec![counter, context, separator, label, length], 4),
        LUNA_PRF_KDF_ENCODING_SCHEME_2 => (vec![counter, context, label], 4),
        LUNA_PRF_KDF_ENCODING_SCHEME_3 => (vec![counter, label, separator, context, length], 4),
        LUNA_PRF_KDF_ENCODING_SCHEME_4 => (vec![counter, label, context], 4),
        LUNA_PRF_KDF_ENCODING_SCHEME_SCP03 => (vec![label, separator, length, counter, context], 1),
        LUNA_PRF_KDF_ENCODING_SCHEME_HID_KD => (vec![counter, label, separator, context, length], 1),
        _ => return Err(Reason::MechanismParam("ulEncodingScheme is none of LUNA_PRF_KDF_ENCODING_SCHEME_*")),
    })
}

fn derive(request: &Request<'_>, wanted: Option<usize>) -> Result<SecretBytes> {
    let params = luna(request.params)?;
    let prf = prf(params.prf)?;
    let key_type = request.sources.base.key_type();
    let of_cipher = match prf {
        Prf::AesCmac => Some(CKK_AES),
        Prf::TripleDesCmac => Some(CKK_DES3),
        Prf::Hmac(_) => None,
    };
    if of_cipher.is_some_and(|needed| key_type != Some(needed)) {
        return Err(Reason::KeyTypeInconsistent);
    }
    let bytes = wanted.ok_or(Reason::TemplateIncomplete(CKA_VALUE_LEN))?;
    let short = matches!(params.scheme, LUNA_PRF_KDF_ENCODING_SCHEME_SCP03 | LUNA_PRF_KDF_ENCODING_SCHEME_HID_KD);
    let length = Integer { bytes: if short { 2 } else { 4 }, little_endian: false };
    let too_long = |_| Reason::AttributeValue { kind: CKA_VALUE_LEN, problem: "longer than the encoding can say" };
    let length = length.write(8 * bytes as u64).map_err(too_long)?;
    let (fields, counter_bytes) = encoding(params, &length)?;
    let counter = Integer { bytes: counter_bytes, little_endian: false };
    let rounds = bytes.div_ceil(prf.output_bytes()) as u64;
    let last = params.counter.checked_add(rounds.saturating_sub(1));
    last.and_then(|last| counter.write(last).ok())
        .ok_or(Reason::MechanismParam("the counter does not reach as far as the key is long"))?;
    let how = Kbkdf { prf, mode: KbkdfMode::Counter, counter, fields: &fields };
    super::rules::with_secret(request.env, request.sources.base, |key| {
        Ok(kdf::kbkdf_from(request.env.engine, key, &how, params.counter, bytes)?)
    })
}
