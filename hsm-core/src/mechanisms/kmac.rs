//! CKM_KMAC128 and CKM_KMAC256, under numbers of our own; the standard has none up to 3.2.
//!
//! The parameter may be left out: the MAC then has 32 or 64 bytes, and no customisation string.
//! Rule source: NIST SP 800-185, 4 and 8.4.2 (no MAC shorter than 32 bits).

use super::hmac::APPROVED_KEY_BYTES_MIN;
use super::mac::MacOperation;
use super::{EVERYTHING, KeyRule, Row, Signer, SizeUnit, Verifier, named, rules};
use crate::limits::{ATTRIBUTE_BYTES_MAX, KMAC_BYTES_MAX};
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::{ParamShape, Params};
use ffi_headers::CKK_GENERIC_SECRET;
use ffi_headers::vendor::*;
use hsm_crypto::hash::{KmacParams, KmacStrength};

macro_rules! kmac {
    ($kind:ident, $strength:expr) => {
        Row {
            shape: ParamShape::OptionalKmac,
            judge: |params| parse($strength, params).map(|_| ()),
            keys: KeyRule::Types(&[CKK_GENERIC_SECRET]),
            unit: SizeUnit::Bytes,
            size_min: 1,
            size_max: ATTRIBUTE_BYTES_MAX as u64,
            approved: EVERYTHING,
            approved_size_min: APPROVED_KEY_BYTES_MIN,
            vectors: "NIST KMAC_samples.pdf; Wycheproof kmac*_no_customization",
            sign: Some(|env, params, key| sign($strength, env, params, key)),
            verify: Some(|env, params, key| verify($strength, env, params, key)),
            ..named!($kind)
        }
    };
}

pub(super) const ROWS: &[Row] =
    &[row!(kmac!(CKM_KMAC128, KmacStrength::Bits128)), row!(kmac!(CKM_KMAC256, KmacStrength::Bits256))];

/// The shortest MAC (SP 800-185, 8.4.2).
const KMAC_BYTES_MIN: usize = 4;

fn sign(strength: KmacStrength, env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Signer>> {
    Ok(Box::new(start(strength, env, params, key)?))
}

fn verify(strength: KmacStrength, env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Verifier>> {
    Ok(Box::new(start(strength, env, params, key)?))
}

fn start(strength: KmacStrength, env: &Env<'_>, params: &Params, key: &Object) -> Result<MacOperation> {
    let parsed = parse(strength, params)?;
    let mac = rules::with_secret(env, key, |key| Ok((env.engine.kmac)(&parsed, key)?))?;
    MacOperation::new(mac, params)
}

fn parse(strength: KmacStrength, params: &Params) -> Result<KmacParams<'_>> {
    match params {
        Params::None => Ok(KmacParams { strength, customisation: &[], tag_bytes: strength.usual_tag_bytes() }),
        Params::Kmac { mac_bytes, customisation } => {
            let tag_bytes = usize::try_from(*mac_bytes)
                .ok()
                .filter(|bytes| (KMAC_BYTES_MIN..=KMAC_BYTES_MAX).contains(bytes))
                .ok_or(Reason::MechanismParam("ulMacLen of KMAC is below 4 or above 1024"))?;
            Ok(KmacParams { strength, customisation, tag_bytes })
        }
        _ => Err(Reason::MechanismParam("CK_KMAC_PARAMS is needed")),
    }
}
