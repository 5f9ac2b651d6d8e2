//! From the forms of keys that PKCS#8 and SubjectPublicKeyInfo carry to attributes, and back.
//!
//! Owns: which part of a key is which attribute. Does not know: DER, templates' rules. Called from
//! wrapping and unwrapping, from the import of keys, and from the completion of new keys.
//! Rule source: PKCS#11 v3.1, 6.1.2, 6.1.3, 6.3.3 to 6.3.8.

use super::{Attributes, Object, Value};
use crate::attributes::curves::{CurveName, octet_string, octet_string_content};
use crate::post_quantum;
use crate::reason::{Reason, Result};
use crate::stateful;
use crate::template::{Entry, Given, Template};
use ffi_headers::*;
use hsm_crypto::SecretBytes;
use hsm_crypto::encoding::{PrivateForm, PublicForm};
use hsm_crypto::rsa::RsaParts;

/// The private key of an object in the form that PKCS#8 carries.
///
/// # Errors
/// `KeyMaterial` when the object is no private key, or parts of it are missing.
pub fn private_form(object: &Object) -> Result<PrivateForm> {
    let attributes = &object.attributes();
    if object.class() != CKO_PRIVATE_KEY {
        return Err(Reason::KeyMaterial("the object is not a private key"));
    }
    if object.key_type() == Some(vendor::CKK_BIP32) {
        return Err(Reason::KeyMaterial("a key in a tree has no PKCS#8 form: its chain code would be lost"));
    }
    if object.key_type() == Some(CKK_RSA) {
        let parts = rsa_parts(attributes)?;
        return if has_all_parts(&parts) {
            Ok(PrivateForm::Rsa(parts))
        } else {
            Err(Reason::KeyMaterial("a part of the key is missing"))
        };
    }
    if stateful::is_private(object) {
        return Err(Reason::KeyMaterial("a stateful key has no PKCS#8 form: it would sign twice with one index"));
    }
    if object.key_type().is_some_and(post_quantum::is_key_type) {
        return post_quantum::private_form(attributes);
    }
    let secret = SecretBytes::copy_of(part(attributes, CKA_VALUE)?);
    Ok(match CurveName::parse(part(attributes, CKA_EC_PARAMS)?)? {
        CurveName::Weierstrass(curve) => {
            let point = object.bytes(CKA_EC_POINT).and_then(octet_string_content).map(<[u8]>::to_vec);
            PrivateForm::Ec { curve, scalar: secret, point }
        }
        CurveName::Ed25519 => PrivateForm::Ed25519(secret),
        CurveName::X25519 => PrivateForm::X25519(secret),
        CurveName::Ed448 => PrivateForm::Ed448(secret),
        CurveName::X448 => PrivateForm::X448(secret),
    })
}

/// The attributes of a private key that came as PKCS#8, as material for [`crate::attributes::build`].
#[must_use]
pub fn private_material(form: PrivateForm) -> Attributes {
    let on_curve = |curve: CurveName, secret: SecretBytes| {
        let mut attributes = key_attributes(CKO_PRIVATE_KEY, curve.key_type());
        attributes.insert(CKA_EC_PARAMS, bytes(curve.oid_der().to_vec()));
        attributes.insert(CKA_VALUE, Value::Bytes(secret));
        attributes
    };
    match form {
        PrivateForm::Rsa(parts) => {
            let mut attributes = key_attributes(CKO_PRIVATE_KEY, CKK_RSA);
            attributes.extend(rsa_attributes(parts));
            attributes
        }
        PrivateForm::Ec { curve, scalar, point } => {
            let mut attributes = on_curve(CurveName::Weierstrass(curve), scalar);
            if let Some(point) = point {
                attributes.insert(CKA_EC_POINT, bytes(octet_string(&point)));
            }
            attributes
        }
        PrivateForm::Ed25519(seed) => on_curve(CurveName::Ed25519, seed),
        PrivateForm::X25519(secret) => on_curve(CurveName::X25519, secret),
        PrivateForm::Ed448(seed) => on_curve(CurveName::Ed448, seed),
        PrivateForm::X448(secret) => on_curve(CurveName::X448, secret),
        PrivateForm::PostQuantum { set, seed, key } => post_quantum::private_material(set, seed, key),
    }
}

/// The public key in the attributes of a public key, or of a private key that has its public parts.
///
/// # Errors
/// `KeyMaterial` when parts of it are missing; `CurveUnknown`.
pub fn public_form(attributes: &Attributes) -> Result<PublicForm> {
    if attributes.get(CKA_KEY_TYPE) == Some(&Value::Number(CKK_RSA)) {
        let modulus = part(attributes, CKA_MODULUS)?.to_vec();
        return Ok(PublicForm::Rsa { modulus, public_exponent: part(attributes, CKA_PUBLIC_EXPONENT)?.to_vec() });
    }
    if matches!(attributes.get(CKA_KEY_TYPE), Some(Value::Number(key_type)) if post_quantum::is_key_type(*key_type)) {
        return post_quantum::public_form(attributes);
    }
    if let Some(Value::Number(key_type)) = attributes.get(CKA_KEY_TYPE)
        && stateful::is_key_type(*key_type)
    {
        return stateful::form(*key_type, part(attributes, CKA_VALUE)?.to_vec());
    }
    let curve = CurveName::parse(part(attributes, CKA_EC_PARAMS)?)?;
    let point = curve.parse_point(part(attributes, CKA_EC_POINT)?)?.to_vec();
    Ok(match curve {
        CurveName::Weierstrass(curve) => PublicForm::Ec { curve, point },
        CurveName::Ed25519 => PublicForm::Ed25519(point),
        CurveName::X25519 => PublicForm::X25519(point),
        CurveName::Ed448 => PublicForm::Ed448(point),
        CurveName::X448 => PublicForm::X448(point),
    })
}

/// The attributes of a public key that came as SubjectPublicKeyInfo.
#[must_use]
pub fn public_material(form: PublicForm) -> Attributes {
    let (curve, point) = match form {
        PublicForm::Rsa { modulus, public_exponent } => {
            let mut attributes = key_attributes(CKO_PUBLIC_KEY, CKK_RSA);
            attributes.insert(CKA_MODULUS, bytes(modulus));
            attributes.insert(CKA_PUBLIC_EXPONENT, bytes(public_exponent));
            return attributes;
        }
        PublicForm::Ec { curve, point } => (CurveName::Weierstrass(curve), point),
        PublicForm::Ed25519(point) => (CurveName::Ed25519, point),
        PublicForm::X25519(point) => (CurveName::X25519, point),
        PublicForm::Ed448(point) => (CurveName::Ed448, point),
        PublicForm::X448(point) => (CurveName::X448, point),
        PublicForm::PostQuantum { set, key } => return post_quantum::public_material(set, key),
        PublicForm::HashBased { scheme, key } => return stateful::public_material(scheme, key),
    };
    let mut attributes = key_attributes(CKO_PUBLIC_KEY, curve.key_type());
    attributes.insert(CKA_EC_PARAMS, bytes(curve.oid_der().to_vec()));
    attributes.insert(CKA_EC_POINT, bytes(octet_string(&point)));
    attributes
}

/// The attributes as a template in a caller's native form, for C_CreateObject.
#[must_use]
pub fn template(attributes: &Attributes) -> Template {
    let given = |value: &Value| match value {
        Value::Flag(flag) => Given::Bytes(vec![u8::from(*flag)].into()),
        Value::Number(number) => Given::Bytes(number.to_ne_bytes().to_vec().into()),
        Value::Bytes(bytes) => Given::Bytes(bytes.clone()),
        Value::Mechanisms(list) => {
            Given::Bytes(list.iter().flat_map(|mechanism| mechanism.to_ne_bytes()).collect::<Vec<u8>>().into())
        }
        Value::Template(template) => Given::Template(Template::clone(template)),
    };
    Template { entries: attributes.iter().map(|(kind, value)| Entry { kind: *kind, value: given(value) }).collect() }
}

/// The numbers of an RSA private key; what is absent is empty, but modulus and private exponent.
///
/// # Errors
/// `KeyMaterial` when modulus or private exponent is missing.
pub(crate) fn rsa_parts(attributes: &Attributes) -> Result<RsaParts> {
    let optional = |kind| match attributes.get(kind) {
        Some(Value::Bytes(bytes)) => bytes.clone(),
        _ => SecretBytes::default(),
    };
    Ok(RsaParts {
        modulus: part(attributes, CKA_MODULUS)?.to_vec(),
        public_exponent: optional(CKA_PUBLIC_EXPONENT).into_public("a public exponent is public")?,
        private_exponent: SecretBytes::copy_of(part(attributes, CKA_PRIVATE_EXPONENT)?),
        prime_1: optional(CKA_PRIME_1),
        prime_2: optional(CKA_PRIME_2),
        exponent_1: optional(CKA_EXPONENT_1),
        exponent_2: optional(CKA_EXPONENT_2),
        coefficient: optional(CKA_COEFFICIENT),
    })
}

/// Whether no number of the key is missing.
pub(crate) fn has_all_parts(parts: &RsaParts) -> bool {
    let secrets = [&parts.prime_1, &parts.prime_2, &parts.exponent_1, &parts.exponent_2, &parts.coefficient];
    !parts.public_exponent.is_empty() && secrets.iter().all(|part| !part.is_empty())
}

/// The numbers of an RSA private key as attributes.
pub(crate) fn rsa_attributes(parts: RsaParts) -> Attributes {
    Attributes::from([
        (CKA_MODULUS, bytes(parts.modulus)),
        (CKA_PUBLIC_EXPONENT, bytes(parts.public_exponent)),
        (CKA_PRIVATE_EXPONENT, Value::Bytes(parts.private_exponent)),
        (CKA_PRIME_1, Value::Bytes(parts.prime_1)),
        (CKA_PRIME_2, Value::Bytes(parts.prime_2)),
        (CKA_EXPONENT_1, Value::Bytes(parts.exponent_1)),
        (CKA_EXPONENT_2, Value::Bytes(parts.exponent_2)),
        (CKA_COEFFICIENT, Value::Bytes(parts.coefficient)),
    ])
}

fn key_attributes(class: u64, key_type: u64) -> Attributes {
    Attributes::from([(CKA_CLASS, Value::Number(class)), (CKA_KEY_TYPE, Value::Number(key_type))])
}

fn bytes(bytes: Vec<u8>) -> Value {
    Value::Bytes(bytes.into())
}

/// The bytes of a part that a key cannot be without.
pub(crate) fn part(attributes: &Attributes, kind: u64) -> Result<&[u8]> {
    match attributes.get(kind) {
        Some(Value::Bytes(bytes)) => Ok(bytes.expose()),
        _ => Err(Reason::KeyMaterial("a part of the key is missing")),
    }
}
