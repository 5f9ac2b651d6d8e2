//! AES without authentication: CKM_AES_ECB, CKM_AES_CBC, CKM_AES_CBC_PAD, CKM_AES_CTR.
//!
//! Owns: which mode a parameter means, and the answers for partial blocks and bad padding. Wrapping in
//! ECB and CBC fills up with zero bytes, as the standard says; CBC_PAD wraps private keys too (NSS's
//! PKCS#12 import unwraps them so). A padding failure is one answer.
//! Rule source: PKCS#11 v2.40, 2.8 (AES) and 2.9 (AES with counter).

use super::parts::{crypt_and_wrap, unwrap_by, wrap_by};
use super::{Crypter, KeyRule, Row, SizeUnit, Wraps, faults, rules};
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::SecretBytes;
use hsm_crypto::cipher::{Cipher, Direction, Mode, Position};
use hsm_crypto::secret::SecretBox;

/// Length of an AES block in bytes.
const BLOCK_BYTES: usize = 16;

/// Keys are wrapped by approved tokens with KW and KWP (SP 800-38F).
const ENCRYPTION: u64 = CKF_ENCRYPT | CKF_DECRYPT;

/// What every AES mechanism has in common.
pub(super) const AES: Row =
    Row { keys: KeyRule::Types(&[CKK_AES]), unit: SizeUnit::Bytes, size_min: 16, size_max: 32, ..Row::BLANK };

pub(super) const ROWS: &[Row] = &[
    row!(Row {
        kind: CKM_AES_ECB,
        name: "CKM_AES_ECB",
        approved: ENCRYPTION,
        vectors: "NIST SP 800-38A, F.1; NIST CAVP AESVS",
        encrypt: Some(encrypt_ecb),
        decrypt: Some(decrypt_ecb),
        wraps: Wraps::SecretKeys,
        zero_pads: true,
        wrap: Some(|env, params, key, material| wrap_by(encrypt_ecb, env, params, key, &padded(material))),
        unwrap: Some(|env, params, key, wrapped| unwrap_by(decrypt_ecb, env, params, key, wrapped)),
        ..AES
    }),
    row!(Row {
        kind: CKM_AES_CBC,
        name: "CKM_AES_CBC",
        shape: ParamShape::Iv16,
        approved: ENCRYPTION,
        vectors: "NIST SP 800-38A, F.2; NIST CAVP AESVS",
        encrypt: Some(encrypt_cbc),
        decrypt: Some(decrypt_cbc),
        wraps: Wraps::SecretAndPrivateKeys,
        zero_pads: true,
        wrap: Some(|env, params, key, material| wrap_by(encrypt_cbc, env, params, key, &padded(material))),
        unwrap: Some(|env, params, key, wrapped| unwrap_by(decrypt_cbc, env, params, key, wrapped)),
        ..AES
    }),
    row!(crypt_and_wrap!(
        encrypt_cbc_pad,
        decrypt_cbc_pad,
        Wraps::SecretAndPrivateKeys,
        Row {
            kind: CKM_AES_CBC_PAD,
            name: "CKM_AES_CBC_PAD",
            shape: ParamShape::Iv16,
            approved: ENCRYPTION,
            vectors: "Wycheproof aes_cbc_pkcs5",
            ..AES
        }
    )),
    row!(Row {
        kind: CKM_AES_CTR,
        name: "CKM_AES_CTR",
        shape: ParamShape::Ctr,
        judge: |params| ctr(params).map(|_| ()),
        approved: ENCRYPTION,
        vectors: "NIST SP 800-38A, F.5; RFC 3686, 6",
        encrypt: Some(encrypt_ctr),
        decrypt: Some(decrypt_ctr),
        ..AES
    }),
];

fn encrypt_ecb(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    start(env, &Mode::Ecb, Direction::Encrypt, key)
}

fn decrypt_ecb(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    start(env, &Mode::Ecb, Direction::Decrypt, key)
}

fn encrypt_cbc(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    start(env, &Mode::Cbc { iv: iv(params)? }, Direction::Encrypt, key)
}

fn decrypt_cbc(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    start(env, &Mode::Cbc { iv: iv(params)? }, Direction::Decrypt, key)
}

fn encrypt_cbc_pad(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    start(env, &Mode::CbcPad { iv: iv(params)? }, Direction::Encrypt, key)
}

fn decrypt_cbc_pad(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    start(env, &Mode::CbcPad { iv: iv(params)? }, Direction::Decrypt, key)
}

fn encrypt_ctr(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    start(env, &ctr(params)?, Direction::Encrypt, key)
}

fn decrypt_ctr(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    start(env, &ctr(params)?, Direction::Decrypt, key)
}

/// The initialisation vector, of which the shape has seen the length.
///
/// # Errors
/// `MechanismParam`.
pub(super) fn iv<const BYTES: usize>(params: &Params) -> Result<[u8; BYTES]> {
    let Params::Iv(iv) = params else { return Err(Reason::MechanismParam("an initialisation vector is needed")) };
    // Only the length can be wrong, and the text says so.
    iv.as_slice().try_into().map_err(|_| Reason::MechanismParam("the initialisation vector has not a block's length"))
}

fn ctr(params: &Params) -> Result<Mode> {
    let Params::Ctr { counter_bits, block } = params else {
        return Err(Reason::MechanismParam("CK_AES_CTR_PARAMS is needed"));
    };
    let counter_bits = u32::try_from(*counter_bits)
        .ok()
        .filter(|bits| (1..=128).contains(bits))
        .ok_or(Reason::MechanismParam("ulCounterBits is not from 1 to 128"))?;
    Ok(Mode::Ctr { block: *block, counter_bits })
}

/// Starts a cipher as an operation.
///
/// # Errors
/// The engine's.
pub(super) fn start(env: &Env<'_>, mode: &Mode, direction: Direction, key: &Object) -> Result<Box<dyn Crypter>> {
    let cipher = rules::with_secret(env, key, |key| Ok((env.engine.cipher)(mode, direction, key)?))?;
    Ok(Box::new(CipherOperation { cipher, direction }))
}

fn padded(material: &SecretBytes) -> SecretBytes {
    padded_to(material, BLOCK_BYTES)
}

/// Fills up to whole blocks with zero bytes.
pub(super) fn padded_to(material: &SecretBytes, block_bytes: usize) -> SecretBytes {
    let mut padded = SecretBytes::zeroed(material.len().next_multiple_of(block_bytes));
    padded.expose_mut()[..material.len()].copy_from_slice(material.expose());
    padded
}

/// The engine's answer in the words of the direction.
pub(super) fn judged<T>(direction: Direction, result: hsm_crypto::Result<T>) -> Result<T> {
    match direction {
        Direction::Encrypt => faults::data(result),
        Direction::Decrypt => faults::ciphertext(result),
    }
}

/// A running cipher as an operation.
struct CipherOperation {
    cipher: SecretBox<dyn Cipher>,
    direction: Direction,
}

impl Crypter for CipherOperation {
    fn multi_part(&self) -> bool {
        true
    }
    fn one_shot_bytes(&self, input_bytes: usize) -> usize {
        self.cipher.update_bytes(input_bytes).saturating_add(self.cipher.finish_bytes_max(input_bytes))
    }
    fn one_shot(&mut self, env: &Env<'_>, input: &[u8], out: &mut [u8]) -> Result<usize> {
        let made = self.update(input, out)?;
        Ok(made + self.finish(env, &mut out[made..])?)
    }
    fn update_bytes(&self, input_bytes: usize) -> usize {
        self.cipher.update_bytes(input_bytes)
    }
    fn update(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize> {
        judged(self.direction, self.cipher.update_into(input, out))
    }
    fn finish_bytes(&self) -> usize {
        self.cipher.finish_bytes_max(0)
    }
    fn finish(&mut self, _env: &Env<'_>, out: &mut [u8]) -> Result<usize> {
        judged(self.direction, self.cipher.finish_into(out))
    }
    fn position(&self) -> Option<Position> {
        self.cipher.position()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counter_widths_are_1_to_128_bits() {
        let given = |counter_bits| ctr(&Params::Ctr { counter_bits, block: [0; 16] });
        assert!(given(1).is_ok() && given(32).is_ok() && given(128).is_ok());
        for bits in [0, 129, u64::MAX, 1 << 32] {
            assert!(matches!(given(bits), Err(Reason::MechanismParam(_))), "{bits}");
        }
    }

    #[test]
    fn wrapping_fills_up_to_whole_blocks() {
        for (bytes, expect) in [(1, 16), (16, 16), (24, 32), (33, 48)] {
            let padded = padded(&SecretBytes::new(vec![7; bytes]));
            assert_eq!(padded.len(), expect);
            assert!(padded.expose()[bytes..].iter().all(|byte| *byte == 0));
        }
    }
}
