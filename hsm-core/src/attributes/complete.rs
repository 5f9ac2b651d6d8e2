//! Key attributes checked against each other and completed: what a client leaves out is computed.
//!
//! Owns: normal forms of key material, sizes, CHECK_VALUE, PUBLIC_KEY_INFO, EC points, missing RSA
//! numbers. Does not know: templates, who may give what. The engine is the judge of key material; a
//! key that this file lets pass can be used.
//! Rule source: PKCS#11 v3.1, 6.1.2, 6.1.3, 6.3.3 to 6.3.8, 6.8.2, 6.10.2 and 4.10.2 (check values).

use super::curves::{CurveName, octet_string};
use super::tables::Table;
use super::values::{bit_length, strip_zeros};
use crate::key::{self, Key};
use crate::keys::ciphers::{is_cipher_type, judge_value};
use crate::keys::material;
use crate::limits::SECRET_BYTES_MAX;
use crate::object::{self, Attributes, Value};
use crate::platform::Env;
use crate::post_quantum;
use crate::reason::{Reason, Result};
use crate::stateful;
use ffi_headers::*;
use hsm_crypto::cipher::{DesMode, Direction, Mode};
use hsm_crypto::encoding::{decode_spki, encode_spki};
use hsm_crypto::{CryptoError, Hash, SecretBytes, SymmetricKey, kdf};
use std::sync::Arc;

/// Length of a key's or certificate's check value in bytes.
pub(crate) const CHECK_VALUE_BYTES: usize = 3;
/// The public exponents that are tried where a private key comes without, the most frequent one first.
const USUAL_EXPONENTS: [&[u8]; 5] = [&[1, 0, 1], &[3], &[17], &[5], &[1, 1]];
/// So many of them are tried where the primes are missing, too: then each wrong guess costs a factorisation.
const EXPONENTS_WITHOUT_PRIMES: usize = 2;

/// Completes the attributes of a key and returns the parsed key: the one that the operation `made` together with the
/// attributes, or what the engine makes of them.
///
/// # Errors
/// `AttributeValue` on the attribute that is wrong; for a key that was `unwrapped`, `WrappedKeyInvalid`
/// where its material makes no key. `CurveUnknown`, `TemplateIncomplete`.
pub(super) fn complete(
    env: &Env<'_>,
    table: &Table,
    unwrapped: bool,
    made: Option<Key>,
    attributes: &mut Attributes,
) -> Result<Arc<Key>> {
    let fault = |reason| match reason {
        Reason::KeyMaterial(_) if unwrapped => Reason::WrappedKeyInvalid,
        Reason::KeyMaterial(problem) => Reason::AttributeValue { kind: table.material, problem },
        other => other,
    };
    normalise(env, table, made.as_ref(), attributes).map_err(fault)?;
    let key = Arc::new(match made {
        Some(key) => key,
        None => key::parse(env, attributes).map_err(fault)?,
    });
    if table.class == CKO_SECRET_KEY {
        complete_secret(env, table, &key, attributes)?;
    } else {
        complete_asymmetric(table, &key, attributes).map_err(fault)?;
    }
    Ok(key)
}

/// Brings the material into the form that objects keep.
fn normalise(env: &Env<'_>, table: &Table, made: Option<&Key>, attributes: &mut Attributes) -> Result<()> {
    match (table.class, table.key_type) {
        (CKO_PUBLIC_KEY, Some(CKK_RSA)) => {
            attributes.fill(CKA_PUBLIC_EXPONENT, || bytes(USUAL_EXPONENTS[0]));
            Ok(())
        }
        (CKO_PRIVATE_KEY, Some(CKK_RSA)) => complete_rsa(attributes),
        (CKO_PRIVATE_KEY, Some(key_type)) if post_quantum::is_key_type(key_type) => {
            post_quantum::normalise_private(env, made.is_some(), attributes)
        }
        (CKO_PRIVATE_KEY, Some(key_type)) if stateful::is_key_type(key_type) => match made {
            Some(_) => Ok(()),
            // Whoever brings one could bring it twice.
            None => Err(Reason::TemplateInconsistent {
                kind: CKA_KEY_TYPE,
                problem: "a private key that counts its signatures is made by the token alone",
            }),
        },
        (CKO_PUBLIC_KEY, Some(key_type)) if stateful::is_key_type(key_type) => Ok(()),
        // The engine judges a public one whole.
        (CKO_PUBLIC_KEY, Some(key_type)) if post_quantum::is_key_type(key_type) => Ok(()),
        (CKO_PUBLIC_KEY | CKO_PRIVATE_KEY, Some(key_type)) => normalise_curve(env, table, key_type, made, attributes),
        (_, Some(key_type)) if is_cipher_type(key_type) => judge_value(key_type, of(attributes, CKA_VALUE)?),
        (_, Some(key_type)) if !material::fits(key_type, of(attributes, CKA_VALUE)?.len()) => {
            Err(Reason::KeyMaterial("no key of this type has so many bytes"))
        }
        _ => match of(attributes, CKA_VALUE)?.len() {
            1..=SECRET_BYTES_MAX => Ok(()),
            _ => Err(Reason::KeyMaterial("a secret has 1 to 65536 bytes")),
        },
    }
}

/// Computes what is missing of an RSA private key: CRT numbers and, among the usual ones, the public exponent.
fn complete_rsa(attributes: &mut Attributes) -> Result<()> {
    let mut parts = object::rsa_parts(attributes)?;
    let mut outcome = Err(CryptoError::InvalidKey("the public exponent is none of the usual ones and is not given"));
    if parts.public_exponent.is_empty() {
        let guesses = if parts.prime_1.is_empty() { EXPONENTS_WITHOUT_PRIMES } else { USUAL_EXPONENTS.len() };
        for exponent in &USUAL_EXPONENTS[..guesses] {
            parts.public_exponent = exponent.to_vec();
            outcome = outcome.or_else(|_| parts.completed());
        }
    } else if !object::has_all_parts(&parts) {
        outcome = parts.completed();
    } else {
        // Nothing to compute; the engine checks the numbers when it parses them.
        return Ok(());
    }
    let completed = outcome.map_err(key::refusal)?;
    attributes.extend(object::rsa_attributes(completed));
    Ok(())
}

/// Checks the curve, and brings parameters, point and scalar into the form that objects keep.
fn normalise_curve(
    env: &Env<'_>,
    table: &Table,
    key_type: u64,
    made: Option<&Key>,
    attributes: &mut Attributes,
) -> Result<()> {
    let params = of(attributes, CKA_EC_PARAMS)?;
    let curve = CurveName::parse_for(key_type, params)?;
    let params = curve.stored_params(params);
    attributes.insert(CKA_EC_PARAMS, Value::Bytes(params.into()));
    if let (CurveName::Weierstrass(curve), CKO_PRIVATE_KEY) = (curve, table.class) {
        let scalar = strip_zeros(of(attributes, CKA_VALUE)?);
        let mut padded = SecretBytes::zeroed(curve.field_bytes());
        let start =
            padded.len().checked_sub(scalar.len()).ok_or(Reason::KeyMaterial("longer than the curve's order"))?;
        padded.expose_mut()[start..].copy_from_slice(scalar);
        attributes.insert(CKA_VALUE, Value::Bytes(padded));
    }
    if let Some(Value::Bytes(given)) = attributes.get(CKA_EC_POINT) {
        let point = curve.parse_point(given.expose())?;
        let point = match curve {
            // The engine has made this very point.
            _ if made.and_then(Key::public_point).is_some_and(|made| made == point) => point.to_vec(),
            CurveName::Weierstrass(curve) => {
                // The engine decompresses, and refuses points that are not on the curve.
                (env.engine.ec_public)(curve, point).map_err(not_on_curve)?.point()
            }
            CurveName::Ed25519 | CurveName::X25519 | CurveName::Ed448 | CurveName::X448 => point.to_vec(),
        };
        attributes.insert(CKA_EC_POINT, Value::Bytes(octet_string(&point).into()));
    }
    Ok(())
}

fn not_on_curve(error: CryptoError) -> Reason {
    match error {
        CryptoError::InvalidKey(_) | CryptoError::InputRange | CryptoError::InputLength => {
            Reason::AttributeValue { kind: CKA_EC_POINT, problem: "not a point of the curve" }
        }
        other => Reason::Crypto(other),
    }
}

/// Fills in the length and the check value of a secret key.
fn complete_secret(env: &Env<'_>, table: &Table, key: &Key, attributes: &mut Attributes) -> Result<()> {
    let Key::Secret(key) = key else { return Err(Reason::Internal("a secret key was parsed as another")) };
    let value = key.expose();
    attributes.insert(CKA_VALUE_LEN, Value::Number(value.len() as u64));
    match table.key_type {
        Some(CKK_AES) => put_check_value(attributes, &block_check_value(env, &Mode::Ecb, 16, key)?),
        Some(CKK_DES3) => put_check_value(attributes, &block_check_value(env, &Mode::TripleDes(DesMode::Ecb), 8, key)?),
        _ => put_check_value(attributes, &sha1_check_value(env, value)),
    }
}

/// Fills in what follows from a parsed public or private key.
fn complete_asymmetric(table: &Table, key: &Key, attributes: &mut Attributes) -> Result<()> {
    if let Key::RsaPublic(_) = key {
        let bits = bit_length(of(attributes, CKA_MODULUS)?) as u64;
        attributes.insert(CKA_MODULUS_BITS, Value::Number(bits));
    }
    if let (Some(point), CKO_PRIVATE_KEY) = (key.public_point(), table.class) {
        let wrapped = bytes(&octet_string(&point));
        match attributes.get(CKA_EC_POINT) {
            Some(given) if *given != wrapped => {
                return Err(Reason::AttributeValue {
                    kind: CKA_EC_POINT,
                    problem: "not the point of this private key",
                });
            }
            _ => attributes.insert(CKA_EC_POINT, wrapped),
        };
    }
    if let (Key::StatefulPublic(_), Some(CKK_HSS)) = (key, table.key_type) {
        let top = stateful::top_level(of(attributes, CKA_VALUE)?)?;
        attributes.extend(top);
    }
    let form = match (key, post_quantum::public_of_private(key)) {
        (_, Some(form)) => form,
        (Key::StatefulPrivate(key), None) => {
            stateful::form(table.key_type.unwrap_or_default(), key.public_key().map_err(key::refusal)?)?
        }
        (_, None) => object::public_form(attributes)?,
    };
    if let Some(Value::Bytes(given)) = attributes.get(CKA_PUBLIC_KEY_INFO)
        && !given.is_empty()
        && decode_spki(given.expose()).ok().as_ref() != Some(&form)
    {
        return Err(Reason::AttributeValue { kind: CKA_PUBLIC_KEY_INFO, problem: "not of this key" });
    }
    let info = encode_spki(&form).map_err(key::refusal)?;
    attributes.insert(CKA_PUBLIC_KEY_INFO, Value::Bytes(info.into()));
    Ok(())
}

/// Puts a check value, unless the template has one: that must be right, or empty for "none".
///
/// # Errors
/// `AttributeValue` for one that is wrong.
pub(crate) fn put_check_value(attributes: &mut Attributes, computed: &[u8]) -> Result<()> {
    match attributes.get(CKA_CHECK_VALUE) {
        None => {
            attributes.insert(CKA_CHECK_VALUE, bytes(computed));
            Ok(())
        }
        Some(Value::Bytes(given)) if given.is_empty() || given.ct_eq(computed) => Ok(()),
        Some(_) => Err(Reason::AttributeValue { kind: CKA_CHECK_VALUE, problem: "not the check value of this object" }),
    }
}

/// The check value of a certificate, generic secret or HMAC key: the first bytes of its SHA-1.
pub(crate) fn sha1_check_value(env: &Env<'_>, value: &[u8]) -> Vec<u8> {
    let digest = kdf::digest_of(env.engine, Hash::Sha1, value);
    digest.expose().iter().take(CHECK_VALUE_BYTES).copied().collect()
}

/// The check value of a block cipher's key: the first bytes of a block of zeros, encrypted.
fn block_check_value(
    env: &Env<'_>,
    ecb: &Mode,
    block_bytes: usize,
    key: &SymmetricKey,
) -> Result<[u8; CHECK_VALUE_BYTES]> {
    let mut cipher = (env.engine.cipher)(ecb, Direction::Encrypt, key)?;
    let mut block = [0; 16];
    cipher.update_into(&[0; 16][..block_bytes], &mut block)?;
    let [first, second, third, ..] = block;
    Ok([first, second, third])
}

fn bytes(value: &[u8]) -> Value {
    Value::Bytes(SecretBytes::copy_of(value))
}

/// The bytes of an attribute that the key cannot be without.
fn of(attributes: &Attributes, kind: u64) -> Result<&[u8]> {
    match attributes.get(kind) {
        Some(Value::Bytes(bytes)) => Ok(bytes.expose()),
        _ => Err(Reason::TemplateIncomplete(kind)),
    }
}
