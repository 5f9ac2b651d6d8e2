//! CKM_AES_GCM, and Luna's older number for it.
//!
//! Any IV from one byte, tags of 32 to 128 bits in whole bytes. Decryption gives out nothing before the
//! tag is checked: parts are taken in and C_DecryptFinal returns the whole.
//! Rule source: PKCS#11 v2.40, 2.11 (additional AES mechanisms); NIST SP 800-38D.

use super::aes_modes::{AES, judged};
use super::messages::{Message, Messages};
use super::parts::crypt_and_wrap;
use super::{Crypter, EVERYTHING, Row, Wraps, rules};
use crate::message::{MessageParams, MessageShape};
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::{ParamShape, Params};
use ffi_headers::vendor::CKM_AES_GCM_OLD;
use ffi_headers::*;
use hsm_crypto::cipher::{Aead, Direction, GcmParams};
use hsm_crypto::secret::SecretBox;

macro_rules! gcm {
    ($kind:ident) => {
        crypt_and_wrap!(
            encrypt,
            decrypt,
            Wraps::SecretAndPrivateKeys,
            Row {
                kind: $kind,
                name: stringify!($kind),
                shape: ParamShape::Gcm,
                judge: |params| parse(params).map(|_| ()),
                // An approved token makes the initialisation vectors itself (SP 800-38D, 8.2), which these functions do not let it.
                approved: EVERYTHING & !(CKF_ENCRYPT | CKF_WRAP),
                vectors: "Wycheproof aes_gcm",
                messages: Some(Messages { shape: MessageShape::Gcm, judge: judge_message, start: start_message }),
                ..AES
            }
        )
    };
}

pub(super) const ROWS: &[Row] = &[row!(gcm!(CKM_AES_GCM)), row!(gcm!(CKM_AES_GCM_OLD))];

fn encrypt(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    start(env, params, Direction::Encrypt, key)
}

fn decrypt(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    start(env, params, Direction::Decrypt, key)
}

fn start(env: &Env<'_>, params: &Params, direction: Direction, key: &Object) -> Result<Box<dyn Crypter>> {
    let params = parse(params)?;
    let aead = rules::with_secret(env, key, |key| Ok((env.engine.gcm)(&params, direction, key)?))?;
    Ok(operation(aead, direction))
}

/// Reads `CK_GCM_PARAMS`.
///
/// # Errors
/// `MechanismParam`.
pub(super) fn parse(params: &Params) -> Result<GcmParams<'_>> {
    let Params::Gcm { iv, aad, tag_bits } = params else {
        return Err(Reason::MechanismParam("CK_GCM_PARAMS is needed"));
    };
    Ok(GcmParams { iv, aad, tag_bytes: lengths(iv, *tag_bits)? })
}

/// Judges the lengths of IV and tag; returns that of the tag in bytes.
fn lengths(iv: &[u8], tag_bits: u64) -> Result<usize> {
    if iv.is_empty() {
        return Err(Reason::MechanismParam("the IV is empty"));
    }
    let bits = usize::try_from(tag_bits).ok().filter(|bits| (32..=128).contains(bits) && bits % 8 == 0);
    bits.map(|bits| bits / 8).ok_or(Reason::MechanismParam("ulTagBits is not from 32 to 128 in whole bytes"))
}

fn judge_message(params: &MessageParams) -> Result<()> {
    lengths(&params.iv, params.tag_bits).map(drop)
}

fn start_message(
    env: &Env<'_>,
    message: &Message<'_>,
    direction: Direction,
    key: &Object,
) -> Result<SecretBox<dyn Aead>> {
    let params = GcmParams { iv: message.iv, aad: message.aad, tag_bytes: message.tag_bytes };
    rules::with_secret(env, key, |key| Ok((env.engine.gcm)(&params, direction, key)?))
}

/// A running authenticated encryption as an operation.
pub(super) fn operation(aead: SecretBox<dyn Aead>, direction: Direction) -> Box<dyn Crypter> {
    Box::new(AeadOperation { aead, direction })
}

struct AeadOperation {
    aead: SecretBox<dyn Aead>,
    direction: Direction,
}

impl Crypter for AeadOperation {
    fn multi_part(&self) -> bool {
        true
    }
    fn one_shot_bytes(&self, input_bytes: usize) -> usize {
        self.aead.update_bytes(input_bytes).saturating_add(self.aead.finish_bytes(input_bytes))
    }
    fn one_shot(&mut self, _env: &Env<'_>, input: &[u8], out: &mut [u8]) -> Result<usize> {
        judged(self.direction, self.aead.one_shot_into(input, out))
    }
    fn update_bytes(&self, input_bytes: usize) -> usize {
        self.aead.update_bytes(input_bytes)
    }
    fn update(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize> {
        judged(self.direction, self.aead.update_into(input, out))
    }
    fn finish_bytes(&self) -> usize {
        self.aead.finish_bytes(0)
    }
    fn finish(&mut self, _env: &Env<'_>, out: &mut [u8]) -> Result<usize> {
        judged(self.direction, self.aead.finish_into(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_have_32_to_128_bits_in_whole_bytes_and_the_iv_a_byte_at_least() {
        let given =
            |iv: &[u8], tag_bits| parse(&Params::Gcm { iv: iv.to_vec(), aad: vec![], tag_bits }).map(|p| p.tag_bytes);
        for bits in (32..=128).step_by(8) {
            assert_eq!(given(&[1], bits).unwrap() as u64, bits / 8);
        }
        for bits in [0, 8, 24, 31, 33, 100, 129, 136, u64::MAX] {
            assert!(matches!(given(&[1; 12], bits), Err(Reason::MechanismParam(_))), "{bits}");
        }
        assert!(matches!(given(&[], 128), Err(Reason::MechanismParam(_))));
    }
}
