//! ChaCha20: CKM_CHACHA20_KEY_GEN, CKM_CHACHA20, CKM_CHACHA20_POLY1305.
//!
//! Counter and nonce tell the variant: 32 and 96 bits are RFC 8439's, 64 and 64 the original, 32 and 192 XChaCha20. The
//! counter is little-endian, as it stands in the cipher's state. With Poly1305 the nonce has 96 bits, or 192 for XChaCha20-Poly1305;
//! the draft that joined the two with 64 bits was given up before it became a standard. The standard's table has no wrapping with it; this token
//! has, as with the other authenticated ciphers, for keys whose template says so.
//! Rule source: PKCS#11 v3.0 and later, "ChaCha20" and "Salsa20/Poly1305 and ChaCha20/Poly1305"; RFC 8439, draft-irtf-cfrg-xchacha.

use super::aes_gcm::operation;
use super::aes_modes::start;
use super::messages::{Message, Messages};
use super::parts::crypt_and_wrap;
use super::{Crypter, KeyRule, Row, SizeUnit, Wraps, rules};
use crate::keys::material;
use crate::message::{MessageParams, MessageShape};
use crate::object::{Attributes, Object};
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::template::Template;
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::SecretBytes;
use hsm_crypto::cipher::{Aead, AeadParams, Direction, Mode, StreamCipher};
use hsm_crypto::secret::SecretBox;

/// Length of every key of this family, of Salsa20 and of Poly1305 in bytes.
const KEY_BYTES: usize = 32;

/// What mechanisms of these ciphers have in common; none is an approved algorithm.
pub(super) const STREAM: Row =
    Row { unit: SizeUnit::Bytes, size_min: KEY_BYTES as u64, size_max: KEY_BYTES as u64, ..Row::BLANK };

const CHACHA20: Row = Row { keys: KeyRule::Types(&[CKK_CHACHA20]), ..STREAM };

pub(super) const ROWS: &[Row] = &[
    row!(Row {
        kind: CKM_CHACHA20_KEY_GEN,
        name: "CKM_CHACHA20_KEY_GEN",
        vectors: "none can be (random by nature): the value is the random source's, which the test plays",
        generate: Some(|env, _, template| generate(env, template, CKK_CHACHA20)),
        ..STREAM
    }),
    row!(Row {
        kind: CKM_CHACHA20,
        name: "CKM_CHACHA20",
        shape: ParamShape::ChaCha20,
        judge: |params| parse(params).map(|_| ()),
        vectors: "RFC 8439, 2.4.2 and A.2; draft-irtf-cfrg-xchacha, A.3.2; draft-strombergson-chacha-test-vectors",
        encrypt: Some(|env, params, key| start(env, &parse(params)?, Direction::Encrypt, key)),
        decrypt: Some(|env, params, key| start(env, &parse(params)?, Direction::Decrypt, key)),
        ..CHACHA20
    }),
    row!(crypt_and_wrap!(
        |env, params, key| start_aead(env, params, Direction::Encrypt, key),
        |env, params, key| start_aead(env, params, Direction::Decrypt, key),
        Wraps::SecretAndPrivateKeys,
        Row {
            kind: CKM_CHACHA20_POLY1305,
            name: "CKM_CHACHA20_POLY1305",
            shape: ParamShape::ChaCha20Poly1305,
            judge: |params| parse_aead(params).map(|_| ()),
            vectors: "Wycheproof chacha20_poly1305 and xchacha20_poly1305",
            messages: Some(Messages { shape: MessageShape::Poly1305, judge: judge_message, start: start_message }),
            ..CHACHA20
        }
    )),
];

/// Makes a key of 32 bytes; a CKA_VALUE_LEN that says something else is refused.
///
/// # Errors
/// `AttributeValue`, the random source's.
pub(super) fn generate(env: &Env<'_>, template: &Template, key_type: u64) -> Result<Attributes> {
    if material::value_len(template)?.is_some_and(|bytes| bytes != KEY_BYTES) {
        return Err(Reason::AttributeValue { kind: CKA_VALUE_LEN, problem: "a key of this cipher has 32 bytes" });
    }
    let mut value = SecretBytes::zeroed(KEY_BYTES);
    env.random.fill(value.expose_mut())?;
    Ok(material::secret(key_type, value))
}

/// Reads `CK_CHACHA20_PARAMS`.
fn parse(params: &Params) -> Result<Mode> {
    let Params::Stream { counter, nonce } = params else {
        return Err(Reason::MechanismParam("CK_CHACHA20_PARAMS is needed"));
    };
    Ok(Mode::Stream(if let (Ok(block), Ok(nonce)) = (counter32(counter), <[u8; 12]>::try_from(nonce.as_slice())) {
        StreamCipher::ChaCha20 { block, nonce }
    } else if let (Ok(block), Ok(nonce)) = (counter64(counter), <[u8; 8]>::try_from(nonce.as_slice())) {
        StreamCipher::ChaCha20Original { block, nonce }
    } else if let (Ok(block), Ok(nonce)) = (counter32(counter), <[u8; 24]>::try_from(nonce.as_slice())) {
        StreamCipher::XChaCha20 { block, nonce }
    } else {
        return Err(Reason::MechanismParam("counter and nonce have neither 32 and 96, 64 and 64, nor 32 and 192 bits"));
    }))
}

fn counter32(counter: &[u8]) -> core::result::Result<u32, core::array::TryFromSliceError> {
    counter.try_into().map(u32::from_le_bytes)
}

/// A block counter of 64 bits.
pub(super) fn counter64(counter: &[u8]) -> core::result::Result<u64, core::array::TryFromSliceError> {
    counter.try_into().map(u64::from_le_bytes)
}

fn start_aead(env: &Env<'_>, params: &Params, direction: Direction, key: &Object) -> Result<Box<dyn Crypter>> {
    let params = parse_aead(params)?;
    let aead = rules::with_secret(env, key, |key| Ok((env.engine.aead)(&params, direction, key)?))?;
    Ok(operation(aead, direction))
}

fn judge_message(params: &MessageParams) -> Result<()> {
    if matches!(params.iv.len(), 12 | 24) {
        Ok(())
    } else {
        Err(Reason::MechanismParam("the nonce has neither 96 nor 192 bits"))
    }
}

fn start_message(
    env: &Env<'_>,
    message: &Message<'_>,
    direction: Direction,
    key: &Object,
) -> Result<SecretBox<dyn Aead>> {
    let params = AeadParams::ChaCha20Poly1305 { nonce: message.iv, aad: message.aad };
    rules::with_secret(env, key, |key| Ok((env.engine.aead)(&params, direction, key)?))
}

fn parse_aead(params: &Params) -> Result<AeadParams<'_>> {
    match params {
        Params::ChaCha20Poly1305 { nonce, aad } if matches!(nonce.len(), 12 | 24) => {
            Ok(AeadParams::ChaCha20Poly1305 { nonce, aad })
        }
        Params::ChaCha20Poly1305 { .. } => Err(Reason::MechanismParam("the nonce has neither 96 nor 192 bits")),
        _ => Err(Reason::MechanismParam("CK_SALSA20_CHACHA20_POLY1305_PARAMS is needed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counter_and_nonce_tell_the_variant() {
        let given =
            |counter: usize, nonce: usize| parse(&Params::Stream { counter: vec![1; counter], nonce: vec![2; nonce] });
        assert!(matches!(given(4, 12), Ok(Mode::Stream(StreamCipher::ChaCha20 { block: 0x0101_0101, .. }))));
        assert!(matches!(given(8, 8), Ok(Mode::Stream(StreamCipher::ChaCha20Original { .. }))));
        assert!(matches!(given(4, 24), Ok(Mode::Stream(StreamCipher::XChaCha20 { .. }))));
        for (counter, nonce) in [(0, 12), (8, 12), (4, 8), (8, 24), (4, 16), (5, 12)] {
            assert!(matches!(given(counter, nonce), Err(Reason::MechanismParam(_))), "{counter}, {nonce}");
        }
    }
}
