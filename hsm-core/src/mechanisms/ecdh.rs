//! CKM_ECDH1_DERIVE and CKM_ECDH1_COFACTOR_DERIVE, on Weierstrass curves, X25519 and X448.
//!
//! The Weierstrass curves have cofactor 1, and X25519 and X448 clear their own, so both mechanisms
//! give the same secret. Without a KDF a shorter result is the trailing end of the secret (the standard
//! takes bytes from the leading end away); with a KDF it is what the KDF gives for that length. An encapsulation derives with a pair
//! of its own; its ciphertext is the public point, raw.
//! Rule source: PKCS#11 v2.40, 2.3.9 and 2.3.10; v3.1, 6.3 (X25519, X448, KDFs); SEC 1, 3.6.1; SP 800-56A rev. 2, 5.8.1.

use super::derive::{Derive, Request};
use super::ec_keygen::EC_FLAGS;
use super::{EVERYTHING, Encapsulation, KeyRule, Row, SizeUnit, Wanted, hashes};
use crate::attributes::curves::CurveName;
use crate::key::Key;
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::ec::{EcPair, ScalarMethod};
use hsm_crypto::post_quantum::Encapsulated;
use hsm_crypto::{CryptoError, Hash, SecretBytes, kdf};

const COMMON: Row = Row {
    shape: ParamShape::Ecdh1,
    judge,
    keys: KeyRule::Types(&[CKK_EC, CKK_EC_MONTGOMERY]),
    unit: SizeUnit::Bits,
    size_min: 224,
    size_max: 521,
    extra_flags: EC_FLAGS,
    approved: EVERYTHING,
    vectors: "Wycheproof ecdh_*, x25519 and x448; NIST CAVP X9.63 and SP 800-56A concatenation KDF",
    derive: Some(Derive::Secret(derive)),
    encapsulate: Some(Encapsulation { ciphertext_bytes, run: encapsulate }),
    decapsulate: Some(decapsulate),
    ..Row::BLANK
};

pub(super) const ROWS: &[Row] = &[
    row!(Row { kind: CKM_ECDH1_DERIVE, name: "CKM_ECDH1_DERIVE", ..COMMON }),
    row!(Row { kind: CKM_ECDH1_COFACTOR_DERIVE, name: "CKM_ECDH1_COFACTOR_DERIVE", ..COMMON }),
];

fn judge(params: &Params) -> Result<()> {
    let Params::Ecdh1 { kdf, shared, .. } = params else {
        return Err(Reason::MechanismParam("CK_ECDH1_DERIVE_PARAMS is needed"));
    };
    if matches!(Kdf::of(*kdf)?, Kdf::None) && !shared.is_empty() {
        return Err(Reason::MechanismParam("CKD_NULL takes no shared data"));
    }
    // Whether there is a point depends on the function: that of an encapsulation is its ciphertext.
    Ok(())
}

fn derive(request: &Request<'_>, bytes: Option<usize>) -> Result<SecretBytes> {
    let env = request.env;
    let Params::Ecdh1 { kdf, shared, public } = request.params else {
        return Err(Reason::MechanismParam("CK_ECDH1_DERIVE_PARAMS is needed"));
    };
    if public.is_empty() {
        return Err(Reason::MechanismParam("the peer's public key is missing"));
    }
    let secret = agree(env, request.sources.base, public)?;
    keyed(env, *kdf, shared, secret, bytes)
}

/// What the KDF makes of a shared secret.
fn keyed(env: &Env<'_>, kdf: u64, shared: &[u8], secret: SecretBytes, bytes: Option<usize>) -> Result<SecretBytes> {
    match Kdf::of(kdf)? {
        Kdf::None => trailing(secret, bytes),
        Kdf::X963(hash) => {
            let bytes = bytes.unwrap_or(hash.output_bytes());
            Ok(kdf::x963(env.engine, hash, secret.expose(), shared, bytes)?)
        }
        Kdf::Concatenation(hash) => {
            let bytes = bytes.unwrap_or(hash.output_bytes());
            Ok(kdf::concatenation(env.engine, hash, secret.expose(), shared, bytes)?)
        }
    }
}

/// The KDF of an encapsulation and its data; the ciphertext is the point, so the parameter has none.
fn without_point(params: &Params) -> Result<(u64, &[u8])> {
    match params {
        Params::Ecdh1 { kdf, shared, public } if public.is_empty() => Ok((*kdf, shared)),
        _ => Err(Reason::MechanismParam("pPublicData is not NULL, though the ciphertext is the public key")),
    }
}

fn ciphertext_bytes(env: &Env<'_>, params: &Params, key: &Object) -> Result<usize> {
    without_point(params)?;
    match key.key(env)? {
        Key::EcPublic(key) => Ok(key.point().len()),
        Key::XPublic(point) => Ok(point.len()),
        _ => Err(Reason::KeyTypeInconsistent),
    }
}

fn encapsulate(env: &Env<'_>, params: &Params, key: &Object, wanted: Wanted) -> Result<Encapsulated> {
    let (kdf, shared) = without_point(params)?;
    let (ciphertext, secret) = with_fresh_pair(env, key)?;
    Ok(Encapsulated { ciphertext, secret: keyed(env, kdf, shared, secret, wanted.bytes)? })
}

fn decapsulate(env: &Env<'_>, params: &Params, key: &Object, ciphertext: &[u8], wanted: Wanted) -> Result<SecretBytes> {
    let (kdf, shared) = without_point(params)?;
    if ciphertext.is_empty() {
        return Err(Reason::WrappedKeyLength);
    }
    let secret = agree(env, key, ciphertext).map_err(|reason| match reason {
        // The point is no part of the parameter here.
        Reason::MechanismParam(_) => Reason::WrappedKeyInvalid,
        other => other,
    })?;
    keyed(env, kdf, shared, secret, wanted.bytes)
}

/// Makes a pair on the curve of a public key: its point, uncompressed, and what both come to.
pub(super) fn with_fresh_pair(env: &Env<'_>, key: &Object) -> Result<(Vec<u8>, SecretBytes)> {
    match key.key(env)? {
        Key::EcPublic(key) => {
            let EcPair { private, public, .. } =
                (env.engine.ec_generate)(key.curve(), ScalarMethod::Rejection, env.random)?;
            Ok((public.point(), private.agree(&key.point())?))
        }
        Key::XPublic(point) => {
            let mut scalar = SecretBytes::zeroed(point.len());
            env.random.fill(scalar.expose_mut())?;
            let x448 = point.len() == CurveName::X448.key_bytes();
            let parse = if x448 { env.engine.x448_private } else { env.engine.x25519_private };
            let fresh = parse(scalar.expose())?;
            let secret = fresh.agree(point).map_err(|error| match error {
                CryptoError::InputRange => Reason::KeyMaterial("the public key is a point of small order"),
                other => Reason::Crypto(other),
            })?;
            Ok((fresh.public_key(), secret))
        }
        _ => Err(Reason::KeyTypeInconsistent),
    }
}

/// What is done with the secret.
enum Kdf {
    /// CKD_NULL: nothing.
    None,
    /// CKD_*_KDF: ANSI X9.63.
    X963(Hash),
    /// CKD_*_KDF_SP800: the concatenation KDF of SP 800-56A.
    Concatenation(Hash),
}

impl Kdf {
    fn of(kdf: u64) -> Result<Self> {
        if let Some(hash) = hashes::by_concatenation_kdf(kdf) {
            return Ok(Kdf::Concatenation(hash));
        }
        Ok(hashes::by_kdf(kdf)?.map_or(Kdf::None, Kdf::X963))
    }
}

/// The x coordinate, or the X25519 value, that both sides come to.
fn agree(env: &Env<'_>, base: &Object, peer: &[u8]) -> Result<SecretBytes> {
    let result = match base.key(env)? {
        Key::EcPrivate(key) => key.agree(point(CurveName::Weierstrass(key.curve()), peer)?),
        // The peer's value is as long as ours.
        Key::XPrivate(key) if key.public_key().len() == CurveName::X448.key_bytes() => {
            key.agree(point(CurveName::X448, peer)?)
        }
        Key::XPrivate(key) => key.agree(point(CurveName::X25519, peer)?),
        _ => return Err(Reason::KeyTypeInconsistent),
    };
    result.map_err(|error| match error {
        CryptoError::InputLength | CryptoError::InputRange | CryptoError::InvalidKey(_) => {
            Reason::MechanismParam("the peer's public key is not a valid point of the curve")
        }
        other => Reason::Crypto(other),
    })
}

/// The peer's point, raw or wrapped.
fn point(curve: CurveName, given: &[u8]) -> Result<&[u8]> {
    curve.parse_point(given).map_err(|reason| match reason {
        // It is not an attribute here but a part of the parameter.
        Reason::AttributeValue { .. } => Reason::MechanismParam("the peer's public key has no form of the curve"),
        other => other,
    })
}

/// The last `bytes` of a secret, or all of it.
fn trailing(secret: SecretBytes, bytes: Option<usize>) -> Result<SecretBytes> {
    let Some(bytes) = bytes else { return Ok(secret) };
    let cut = secret.len().checked_sub(bytes).ok_or(Reason::AttributeValue {
        kind: CKA_VALUE_LEN,
        problem: "longer than the shared secret, and CKD_NULL cannot lengthen it",
    })?;
    Ok(SecretBytes::copy_of(&secret.expose()[cut..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncation_takes_bytes_from_the_leading_end() {
        let secret = || SecretBytes::copy_of(&[1, 2, 3, 4]);
        assert_eq!(trailing(secret(), None).unwrap().expose(), [1, 2, 3, 4]);
        assert_eq!(trailing(secret(), Some(4)).unwrap().expose(), [1, 2, 3, 4]);
        assert_eq!(trailing(secret(), Some(1)).unwrap().expose(), [4]);
        assert!(matches!(trailing(secret(), Some(5)), Err(Reason::AttributeValue { kind: CKA_VALUE_LEN, .. })));
    }
}
