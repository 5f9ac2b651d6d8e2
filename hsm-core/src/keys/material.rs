//! Key material between its three forms: attributes, PKCS#8, plain bytes.
//!
//! Owns: which attributes hold the parts of a key, what a template says about the length and type of
//! a secret key. Does not know: usage flags and defaults (the attribute tables do), mechanisms.
//! Called from [`crate::keys`] and from the families that generate.
//! Rule source: PKCS#11 v2.40, 2.5 (wrapping and unwrapping private keys); RFC 5958.

use super::ciphers::{DES3_KEY_BYTES, is_cipher_type};
use crate::attributes::{self, Material};
use crate::key::Key;
use crate::limits::{BLAKE2B_KEY_BYTES_MAX, SECRET_BYTES_MAX};
use crate::mechanisms::PairMaterial;
use crate::object::{self, Attributes, Object, Value};
use crate::reason::{Reason, Result};
use crate::template::Template;
use ffi_headers::*;
use hsm_crypto::SecretBytes;
use hsm_crypto::encoding::{PqSet, PrivateForm, PublicForm, decode_pkcs8, encode_pkcs8};
use hsm_crypto::rsa::RsaPair;

/// Length of an AES block in bytes; zero padding is shorter.
const BLOCK_BYTES: usize = 16;

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
        .filter(|bytes| (1..=SECRET_BYTES_MAX).contains(bytes))
        .map(Some)
        .ok_or(Reason::AttributeValue { kind: CKA_VALUE_LEN, problem: "0, or longer than any key" })
}

/// Whether keys of this `CKK_*` are plain bytes.
pub(crate) const fn is_secret_type(key_type: u64) -> bool {
    matches!(key_type, CKK_GENERIC_SECRET | CKK_HKDF) || is_mac_type(key_type) || is_cipher_type(key_type)
}

/// Whether keys of this `CKK_*` are made for one MAC.
pub(crate) const fn is_mac_type(key_type: u64) -> bool {
    is_blake2b_type(key_type)
        || matches!(
            key_type,
            CKK_MD5_HMAC
                | CKK_RIPEMD160_HMAC
                | CKK_SHA_1_HMAC
                | CKK_SHA224_HMAC
                | CKK_SHA256_HMAC
                | CKK_SHA384_HMAC
                | CKK_SHA512_HMAC
                | CKK_SHA512_224_HMAC
                | CKK_SHA512_256_HMAC
                | CKK_SHA512_T_HMAC
                | CKK_SHA3_224_HMAC
                | CKK_SHA3_256_HMAC
                | CKK_SHA3_384_HMAC
                | CKK_SHA3_512_HMAC
        )
}

const fn is_blake2b_type(key_type: u64) -> bool {
    matches!(key_type, CKK_BLAKE2B_160_HMAC | CKK_BLAKE2B_256_HMAC | CKK_BLAKE2B_384_HMAC | CKK_BLAKE2B_512_HMAC)
}

/// Whether a secret key of this type can have so many bytes.
pub(crate) const fn fits(key_type: u64, bytes: usize) -> bool {
    match key_type {
        CKK_AES => matches!(bytes, 16 | 24 | 32),
        // RFC 7693, 2.1: the key is a part of the first block, and has a byte for its length.
        _ if is_blake2b_type(key_type) => 1 <= bytes && bytes <= BLAKE2B_KEY_BYTES_MAX,
        CKK_AES_XTS => matches!(bytes, 32 | 64),
        _ => match fixed_bytes(key_type) {
            Some(fixed) => bytes == fixed,
            None => bytes > 0,
        },
    }
}

/// The length of every secret key of this type, where there is one.
pub(crate) const fn fixed_bytes(key_type: u64) -> Option<usize> {
    match key_type {
        CKK_CHACHA20 | CKK_POLY1305 | CKK_SALSA20 => Some(32),
        CKK_DES3 => Some(DES3_KEY_BYTES),
        _ => None,
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

/// The material of a fresh RSA key pair.
pub(crate) fn rsa_pair(pair: RsaPair) -> PairMaterial {
    let RsaPair { parts, private, public } = pair;
    let (public_key, private_key) = (Some(Key::RsaPublic(public)), Some(Key::RsaPrivate(private)));
    let bits = attributes::bit_length(&parts.modulus) as u64;
    let mut public = object::public_material(PublicForm::Rsa {
        modulus: parts.modulus.clone(),
        public_exponent: parts.public_exponent.clone(),
    });
    public.insert(CKA_MODULUS_BITS, Value::Number(bits));
    let private = object::private_material(PrivateForm::Rsa(parts));
    (Material { attributes: public, key: public_key }, Material { attributes: private, key: private_key })
}

/// The material of a fresh key pair on a curve; `params` is what CKA_EC_PARAMS of both will hold.
pub(crate) fn ec_pair(params: &[u8], public: (PublicForm, Key), private: (PrivateForm, Key)) -> PairMaterial {
    let with_params = |mut attributes: Attributes, key: Key| {
        attributes.insert(CKA_EC_PARAMS, Value::Bytes(SecretBytes::copy_of(params)));
        Material { attributes, key: Some(key) }
    };
    let ((public, public_key), (private, private_key)) = (public, private);
    (
        with_params(object::public_material(public), public_key),
        with_params(object::private_material(private), private_key),
    )
}

/// The `CKK_*` of a private key.
pub(crate) const fn key_type(form: &PrivateForm) -> u64 {
    match form {
        PrivateForm::Rsa(_) => CKK_RSA,
        PrivateForm::Ec { .. } => CKK_EC,
        PrivateForm::Ed25519(_) | PrivateForm::Ed448(_) => CKK_EC_EDWARDS,
        PrivateForm::X25519(_) | PrivateForm::X448(_) => CKK_EC_MONTGOMERY,
        PrivateForm::PostQuantum { set: PqSet::MlKem(_), .. } => CKK_ML_KEM,
        PrivateForm::PostQuantum { set: PqSet::MlDsa(_), .. } => CKK_ML_DSA,
        PrivateForm::PostQuantum { set: PqSet::SlhDsa(_), .. } => CKK_SLH_DSA,
    }
}

/// The bytes that stand for a key when it is wrapped: the value of a secret key, the PKCS#8 of a private one.
///
/// # Errors
/// `KeyNotWrappable` for other classes, and for a private key without all its parts.
pub(crate) fn wrappable(key: &Object) -> Result<SecretBytes> {
    match key.class() {
        CKO_SECRET_KEY => {
            key.bytes(CKA_VALUE).map(SecretBytes::copy_of).ok_or(Reason::KeyMaterial("CKA_VALUE is missing"))
        }
        CKO_PRIVATE_KEY => {
            let form = object::private_form(key).map_err(|reason| match reason {
                Reason::KeyMaterial(problem) => Reason::KeyNotWrappable(problem),
                other => other,
            })?;
            Ok(encode_pkcs8(&form)?)
        }
        _ => Err(Reason::KeyNotWrappable("only secret and private keys can be wrapped")),
    }
}

/// Decodes an unwrapped private key. `zero_pads` allows the zero bytes that a block mode filled up with.
///
/// # Errors
/// `WrappedKeyInvalid`, whatever is wrong.
pub(crate) fn unwrapped_private(content: &SecretBytes, zero_pads: bool) -> Result<PrivateForm> {
    let der = if zero_pads { without_padding(content.expose()) } else { content.expose() };
    // One answer: what exactly is wrong with decrypted bytes would tell an attacker about them.
    // A point that does not belong to its scalar is refused there, too.
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
        Some((der, rest)) if rest.len() < BLOCK_BYTES && rest.iter().all(|byte| *byte == 0) => der,
        _ => content,
    }
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
        assert_eq!(given(SECRET_BYTES_MAX as u64).unwrap(), Some(SECRET_BYTES_MAX));
        for bytes in [0, SECRET_BYTES_MAX as u64 + 1, u64::MAX] {
            assert!(matches!(given(bytes), Err(Reason::AttributeValue { kind: CKA_VALUE_LEN, .. })), "{bytes}");
        }
        let four = Template::default().with(CKA_VALUE_LEN, &[16, 0, 0, 0]);
        assert!(matches!(value_len(&four), Err(Reason::AttributeValue { kind: CKA_VALUE_LEN, .. })));
    }
}
