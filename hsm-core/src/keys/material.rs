//! Key material between its three forms: attributes, PKCS#8, plain bytes.
//!
//! Owns: which attributes hold the parts of a key, what a template says about the length and type of
//! a secret key. Does not know: usage flags and defaults (the attribute tables do), mechanisms.
//! Called from [`crate::keys`] and from the families that generate.
//! Rule source: PKCS#11 v2.40, 2.5 (wrapping and unwrapping private keys); RFC 5958.

use crate::attributes::curves::{CurveName, octet_string};
use crate::key::Key;
use crate::limits::GENERIC_SECRET_BYTES_MAX;
use crate::object::{Attributes, Object, Value};
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::template::Template;
use ffi_headers::*;
use hsm_crypto::SecretBytes;
use hsm_crypto::encoding::{PrivateForm, decode_pkcs8, encode_pkcs8};
use hsm_crypto::rsa::RsaParts;

/// Longest zero padding that a block mode leaves behind, bytes.
const PADDING_BYTES_MAX: usize = 15;

/// Reads a `CK_ULONG` of a template.
///
/// # Errors
/// `AttributeValue` when it is there with another length.
pub(crate) fn number(template: &Template, kind: u64) -> Result<Option<u64>> {
    if template.entries.iter().all(|entry| entry.kind != kind) {
        return Ok(None);
    }
    template.number(kind).map(Some).ok_or(Reason::AttributeValue { kind, problem: "not a CK_ULONG" })
}

/// Reads CKA_VALUE_LEN of a template.
///
/// # Errors
/// `AttributeValue` when it is 0 or longer than any secret key.
pub(crate) fn value_len(template: &Template) -> Result<Option<usize>> {
    let Some(bytes) = number(template, CKA_VALUE_LEN)? else { return Ok(None) };
    usize::try_from(bytes)
        .ok()
        .filter(|bytes| (1..=GENERIC_SECRET_BYTES_MAX).contains(bytes))
        .map(Some)
        .ok_or(Reason::AttributeValue { kind: CKA_VALUE_LEN, problem: "0, or longer than any key" })
}

/// Whether keys of this `CKK_*` are plain bytes.
pub(crate) const fn is_secret_type(key_type: u64) -> bool {
    matches!(
        key_type,
        CKK_AES
            | CKK_GENERIC_SECRET
            | CKK_SHA_1_HMAC
            | CKK_SHA224_HMAC
            | CKK_SHA256_HMAC
            | CKK_SHA384_HMAC
            | CKK_SHA512_HMAC
    )
}

/// Whether a secret key of this type can have so many bytes.
pub(crate) const fn fits(key_type: u64, bytes: usize) -> bool {
    match key_type {
        CKK_AES => matches!(bytes, 16 | 24 | 32),
        _ => bytes > 0,
    }
}

/// The material of a secret key.
pub(crate) fn secret(key_type: u64, value: SecretBytes) -> Attributes {
    let bytes = value.len() as u64;
    Attributes::from([
        (CKA_CLASS, Value::Number(CKO_SECRET_KEY)),
        (CKA_KEY_TYPE, Value::Number(key_type)),
        (CKA_VALUE_LEN, Value::Number(bytes)),
        (CKA_VALUE, Value::Bytes(value)),
    ])
}

/// The material of an RSA public key.
pub(crate) fn rsa_public(modulus: &[u8], public_exponent: &[u8]) -> Attributes {
    let bits = crate::mechanisms::rules::bit_length(modulus) as u64;
    Attributes::from([
        (CKA_CLASS, Value::Number(CKO_PUBLIC_KEY)),
        (CKA_KEY_TYPE, Value::Number(CKK_RSA)),
        (CKA_MODULUS, bytes(modulus)),
        (CKA_MODULUS_BITS, Value::Number(bits)),
        (CKA_PUBLIC_EXPONENT, bytes(public_exponent)),
    ])
}

/// The material of a public key on a curve; `params` is what CKA_EC_PARAMS will hold, `point` is raw.
pub(crate) fn ec_public(curve: CurveName, params: &[u8], point: &[u8]) -> Attributes {
    Attributes::from([
        (CKA_CLASS, Value::Number(CKO_PUBLIC_KEY)),
        (CKA_KEY_TYPE, Value::Number(curve.key_type())),
        (CKA_EC_PARAMS, bytes(params)),
        (CKA_EC_POINT, bytes(&octet_string(point))),
    ])
}

/// The material of a private key on a curve.
pub(crate) fn ec_private(curve: CurveName, params: &[u8], scalar: SecretBytes) -> Attributes {
    Attributes::from([
        (CKA_CLASS, Value::Number(CKO_PRIVATE_KEY)),
        (CKA_KEY_TYPE, Value::Number(curve.key_type())),
        (CKA_EC_PARAMS, bytes(params)),
        (CKA_VALUE, Value::Bytes(scalar)),
    ])
}

/// The material of a private key in any form.
pub(crate) fn private(form: &PrivateForm) -> Attributes {
    match form {
        PrivateForm::Rsa(parts) => rsa_private(parts),
        PrivateForm::Ec { curve, scalar, point: _ } => {
            let name = CurveName::Weierstrass(*curve);
            ec_private(name, name.oid_der(), scalar.clone())
        }
        PrivateForm::Ed25519(seed) => ec_private(CurveName::Ed25519, CurveName::Ed25519.oid_der(), seed.clone()),
        PrivateForm::X25519(scalar) => ec_private(CurveName::X25519, CurveName::X25519.oid_der(), scalar.clone()),
    }
}

fn rsa_private(parts: &RsaParts) -> Attributes {
    let secret = |part: &SecretBytes| Value::Bytes(part.clone());
    Attributes::from([
        (CKA_CLASS, Value::Number(CKO_PRIVATE_KEY)),
        (CKA_KEY_TYPE, Value::Number(CKK_RSA)),
        (CKA_MODULUS, bytes(&parts.modulus)),
        (CKA_PUBLIC_EXPONENT, bytes(&parts.public_exponent)),
        (CKA_PRIVATE_EXPONENT, secret(&parts.private_exponent)),
        (CKA_PRIME_1, secret(&parts.prime_1)),
        (CKA_PRIME_2, secret(&parts.prime_2)),
        (CKA_EXPONENT_1, secret(&parts.exponent_1)),
        (CKA_EXPONENT_2, secret(&parts.exponent_2)),
        (CKA_COEFFICIENT, secret(&parts.coefficient)),
    ])
}

/// The `CKK_*` of a private key.
pub(crate) const fn key_type(form: &PrivateForm) -> u64 {
    match form {
        PrivateForm::Rsa(_) => CKK_RSA,
        PrivateForm::Ec { .. } => CKK_EC,
        PrivateForm::Ed25519(_) => CKK_EC_EDWARDS,
        PrivateForm::X25519(_) => CKK_EC_MONTGOMERY,
    }
}

/// The bytes that stand for a key when it is wrapped: the value of a secret key, the PKCS#8 of a private one.
///
/// # Errors
/// `KeyNotWrappable` for other classes, and for a private key that lacks parts that PKCS#8 needs.
pub(crate) fn wrappable(env: &Env<'_>, key: &Object) -> Result<SecretBytes> {
    match key.class() {
        CKO_SECRET_KEY => part(key, CKA_VALUE),
        CKO_PRIVATE_KEY => Ok(encode_pkcs8(&private_form(env, key)?)?),
        _ => Err(Reason::KeyNotWrappable("only secret and private keys can be wrapped")),
    }
}

fn private_form(env: &Env<'_>, key: &Object) -> Result<PrivateForm> {
    match &*key.key(env)? {
        Key::RsaPrivate(_) => Ok(PrivateForm::Rsa(RsaParts {
            modulus: part(key, CKA_MODULUS)?.into_public("the modulus is public"),
            public_exponent: part(key, CKA_PUBLIC_EXPONENT)?.into_public("the public exponent is public"),
            private_exponent: part(key, CKA_PRIVATE_EXPONENT)?,
            prime_1: part(key, CKA_PRIME_1)?,
            prime_2: part(key, CKA_PRIME_2)?,
            exponent_1: part(key, CKA_EXPONENT_1)?,
            exponent_2: part(key, CKA_EXPONENT_2)?,
            coefficient: part(key, CKA_COEFFICIENT)?,
        })),
        Key::EcPrivate(parsed) => Ok(PrivateForm::Ec {
            curve: parsed.curve(),
            scalar: padded(&part(key, CKA_VALUE)?, parsed.curve().field_bytes()),
            point: Some(parsed.public_point()),
        }),
        Key::EdPrivate(_) => Ok(PrivateForm::Ed25519(part(key, CKA_VALUE)?)),
        Key::XPrivate(_) => Ok(PrivateForm::X25519(part(key, CKA_VALUE)?)),
        Key::RsaPublic(_) | Key::EcPublic(_) | Key::EdPublic(_) | Key::XPublic(_) | Key::Secret(_) => {
            Err(Reason::KeyNotWrappable("not a private key"))
        }
    }
}

/// One part of a key to wrap.
fn part(key: &Object, kind: u64) -> Result<SecretBytes> {
    match key.bytes(kind) {
        Some(bytes) if !bytes.is_empty() => Ok(SecretBytes::copy_of(bytes)),
        _ => Err(Reason::KeyNotWrappable("the key lacks a part that its encoding needs")),
    }
}

/// A scalar at full length; a client may have stored it without its leading zero bytes.
fn padded(scalar: &SecretBytes, bytes: usize) -> SecretBytes {
    let Some(pad) = bytes.checked_sub(scalar.len()) else { return scalar.clone() };
    let mut padded = SecretBytes::zeroed(bytes);
    padded.expose_mut()[pad..].copy_from_slice(scalar.expose());
    padded
}

/// Decodes an unwrapped private key. `zero_pads` allows the zero bytes that a block mode filled up with.
///
/// # Errors
/// `WrappedKeyInvalid`, whatever is wrong.
pub(crate) fn unwrapped_private(content: &SecretBytes, zero_pads: bool) -> Result<PrivateForm> {
    let der = if zero_pads { without_padding(content.expose()) } else { content.expose() };
    // One answer: what exactly is wrong with decrypted bytes would tell an attacker about them.
    decode_pkcs8(der).map_err(|_| Reason::WrappedKeyInvalid)
}

/// Cuts the zero bytes behind one DER value; what does not look like that is left as it is, to be refused.
fn without_padding(content: &[u8]) -> &[u8] {
    let length = match content {
        [0x30, low, ..] if *low < 0x80 => 2 + usize::from(*low),
        [0x30, 0x81, low, ..] => 3 + usize::from(*low),
        [0x30, 0x82, high, low, ..] => 4 + usize::from(u16::from_be_bytes([*high, *low])),
        _ => return content,
    };
    match content.split_at_checked(length) {
        Some((der, rest)) if rest.len() <= PADDING_BYTES_MAX && rest.iter().all(|byte| *byte == 0) => der,
        _ => content,
    }
}

fn bytes(value: &[u8]) -> Value {
    Value::Bytes(SecretBytes::copy_of(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_padding_is_cut_and_nothing_else() {
        let der = [0x30, 0x03, 1, 2, 3];
        let with = |rest: &[u8]| [&der[..], rest].concat();
        assert_eq!(without_padding(&der), der);
        assert_eq!(without_padding(&with(&[0; 11])), der);
        for kept in [with(&[0; 16]), with(&[0, 1]), vec![0x30, 0x05, 1], vec![0x31, 0, 0], vec![]] {
            assert_eq!(without_padding(&kept), kept, "{kept:02x?}");
        }
    }

    #[test]
    fn value_len_is_a_ulong_within_limits() {
        let given = |bytes: u64| value_len(&Template::default().with_number(CKA_VALUE_LEN, bytes));
        assert_eq!(value_len(&Template::default()).unwrap(), None);
        assert_eq!(given(1).unwrap(), Some(1));
        assert_eq!(given(GENERIC_SECRET_BYTES_MAX as u64).unwrap(), Some(GENERIC_SECRET_BYTES_MAX));
        for bytes in [0, GENERIC_SECRET_BYTES_MAX as u64 + 1, u64::MAX] {
            assert!(matches!(given(bytes), Err(Reason::AttributeValue { kind: CKA_VALUE_LEN, .. })), "{bytes}");
        }
        let four = Template::default().with(CKA_VALUE_LEN, &[16, 0, 0, 0]);
        assert!(matches!(value_len(&four), Err(Reason::AttributeValue { kind: CKA_VALUE_LEN, .. })));
    }
}
