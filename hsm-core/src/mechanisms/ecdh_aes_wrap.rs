//! A key under AES-KWP, the AES key agreed on with a fresh pair: CKM_ECDH_AES_KEY_WRAP, CKM_ECDH_COF_AES_KEY_WRAP and
//! CKM_ECDH_X_AES_KEY_WRAP.
//!
//! The wrapped key is the public point of the fresh pair, uncompressed and without any wrapping of its own (32 bytes on X25519, 56 on X448), and what KWP
//! made. All Weierstrass curves of the token have cofactor 1, so the first two are the same. Without a KDF the AES key is the beginning of
//! the shared secret, as the text on this mechanism says, other than in CKM_ECDH1_DERIVE.
//! Rule source: PKCS#11 v2.40 and v3.2, "ECDH AES KEY WRAP"; SEC 1, 3.6.1; RFC 5649.

use super::ec_keygen::EC_FLAGS;
use super::rsa_aes_wrap::aes_bytes;
use super::{EVERYTHING, KeyRule, Row, SizeUnit, Wraps, ecdh, faults, hashes};
use crate::key::Key;
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::cipher::KeyWrap;
use hsm_crypto::{CryptoError, Hash, SecretBytes, kdf};

const COMMON: Row = Row {
    shape: ParamShape::EcdhAesWrap,
    judge: |params| parse(params).map(|_| ()),
    unit: SizeUnit::Bits,
    size_min: 224,
    size_max: 521,
    extra_flags: EC_FLAGS,
    vectors: "made with the cryptography library of Python (ECDH, X25519 or X448, X963KDF and KWP)",
    wraps: Wraps::SecretAndPrivateKeys,
    wrap: Some(wrap),
    unwrap: Some(unwrap),
    ..Row::BLANK
};

const WEIERSTRASS: Row = Row { keys: KeyRule::Types(&[CKK_EC]), approved: EVERYTHING, ..COMMON };

pub(super) const ROWS: &[Row] = &[
    row!(Row { kind: CKM_ECDH_AES_KEY_WRAP, name: "CKM_ECDH_AES_KEY_WRAP", ..WEIERSTRASS }),
    row!(Row { kind: CKM_ECDH_COF_AES_KEY_WRAP, name: "CKM_ECDH_COF_AES_KEY_WRAP", ..WEIERSTRASS }),
    row!(Row {
        kind: CKM_ECDH_X_AES_KEY_WRAP,
        name: "CKM_ECDH_X_AES_KEY_WRAP",
        keys: KeyRule::Types(&[CKK_EC_MONTGOMERY]),
        ..COMMON
    }),
];

/// What `CK_ECDH_AES_KEY_WRAP_PARAMS` says.
struct Agreement<'a> {
    aes_bytes: usize,
    hash: Option<Hash>,
    shared: &'a [u8],
}

fn parse(params: &Params) -> Result<Agreement<'_>> {
    let Params::EcdhAesWrap { aes_bits, kdf, shared } = params else {
        return Err(Reason::MechanismParam("CK_ECDH_AES_KEY_WRAP_PARAMS is needed"));
    };
    let hash = hashes::by_kdf(*kdf)?;
    if hash.is_none() && !shared.is_empty() {
        return Err(Reason::MechanismParam("CKD_NULL takes no shared data"));
    }
    Ok(Agreement { aes_bytes: aes_bytes(*aes_bits)?, hash, shared })
}

impl Agreement<'_> {
    /// The AES key that follows from a shared secret.
    fn aes_key(&self, env: &Env<'_>, secret: &SecretBytes) -> Result<SecretBytes> {
        match self.hash {
            Some(hash) => Ok(kdf::x963(env.engine, hash, secret.expose(), self.shared, self.aes_bytes)?),
            None => secret
                .expose()
                .get(..self.aes_bytes)
                .map(SecretBytes::copy_of)
                .ok_or(Reason::MechanismParam("ulAESKeyBits is more than CKD_NULL gives on this curve")),
        }
    }
}

fn wrap(env: &Env<'_>, params: &Params, key: &Object, material: &SecretBytes) -> Result<Vec<u8>> {
    let agreement = parse(params)?;
    let (mut wrapped, secret) = ecdh::with_fresh_pair(env, key)?;
    let aes = agreement.aes_key(env, &secret)?;
    wrapped.extend(faults::data((env.engine.key_wrap)(KeyWrap::Kwp, aes.expose(), None, material.expose()))?);
    Ok(wrapped)
}

fn unwrap(env: &Env<'_>, params: &Params, key: &Object, wrapped: &[u8]) -> Result<SecretBytes> {
    let agreement = parse(params)?;
    let split = |point_bytes| wrapped.split_at_checked(point_bytes).ok_or(Reason::EncryptedDataLength);
    let (secret, second) = match key.key(env)? {
        Key::EcPrivate(key) => {
            let (point, second) = split(key.public_point().len())?;
            (key.agree(point), second)
        }
        Key::XPrivate(key) => {
            let (point, second) = split(key.public_key().len())?;
            (key.agree(point), second)
        }
        _ => return Err(Reason::UnwrappingKeyType),
    };
    let secret = secret.map_err(|error| match error {
        // The point is a part of the wrapped key; what is wrong with it is told like all else.
        CryptoError::InputLength | CryptoError::InputRange | CryptoError::InvalidKey(_) => Reason::EncryptedDataInvalid,
        other => Reason::Crypto(other),
    })?;
    let aes = agreement.aes_key(env, &secret)?;
    faults::ciphertext((env.engine.key_unwrap)(KeyWrap::Kwp, aes.expose(), None, second))
}
