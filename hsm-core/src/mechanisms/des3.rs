//! Triple DES with three keys, for data and devices that still have it: CKM_DES3_KEY_GEN, ECB, CBC, CBC_PAD, MAC, CMAC.
//!
//! Outlived: blocks of 64 bits repeat after some gigabytes (SP 800-131A forbids encryption since 2024), so every row stands behind the
//! legacy switch, and an approved token only decrypts, verifies and unwraps. Keys have odd parity in each byte, as the standard asks.
//! Rule source: PKCS#11 v2.40, "Double and Triple-length DES" and its CMAC; SP 800-67, SP 800-38B, FIPS 113.

use super::aes_modes::{iv, padded_to, start};
use super::mac::{MacOperation, judge_length};
use super::parts::{crypt_and_wrap, unwrap_by, wrap_by};
use super::{Crypter, KeyRule, Row, SizeUnit, Wraps, rules};
use crate::keys::ciphers::{self, DES3_KEY_BYTES};
use crate::keys::material;
use crate::object::{Attributes, Object};
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::template::Template;
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::SecretBytes;
use hsm_crypto::cipher::{DesMode, Direction, Mode};
use hsm_crypto::hash::CipherMac;

/// Length of a block, and of a whole tag, in bytes.
const BLOCK_BYTES: usize = 8;

/// What every mechanism of triple DES has in common.
const SIZES: Row = Row {
    unit: SizeUnit::Bytes,
    size_min: DES3_KEY_BYTES as u64,
    size_max: DES3_KEY_BYTES as u64,
    legacy: true,
    ..Row::BLANK
};

const CIPHER: Row = Row { keys: KeyRule::Types(&[CKK_DES3]), approved: CKF_DECRYPT | CKF_UNWRAP, ..SIZES };
const MAC: Row = Row { keys: KeyRule::Types(&[CKK_DES3]), approved: CKF_VERIFY, ..SIZES };

pub(super) const ROWS: &[Row] = &[
    row!(Row {
        kind: CKM_DES3_KEY_GEN,
        name: "CKM_DES3_KEY_GEN",
        vectors: "none can be (random by nature): the value is the random source's with its parity, which the test plays",
        generate: Some(generate),
        ..SIZES
    }),
    row!(Row {
        kind: CKM_DES3_ECB,
        name: "CKM_DES3_ECB",
        vectors: "NIST SP 800-67, B.1; NIST CAVP TECBMMT3",
        encrypt: Some(encrypt_ecb),
        decrypt: Some(decrypt_ecb),
        wraps: Wraps::SecretKeys,
        zero_pads: true,
        wrap: Some(|env, params, key, material| {
            wrap_by(encrypt_ecb, env, params, key, &padded_to(material, BLOCK_BYTES))
        }),
        unwrap: Some(|env, params, key, wrapped| unwrap_by(decrypt_ecb, env, params, key, wrapped)),
        ..CIPHER
    }),
    row!(Row {
        kind: CKM_DES3_CBC,
        name: "CKM_DES3_CBC",
        shape: ParamShape::Iv8,
        vectors: "OpenSSL evpciph_des3_common (DES-EDE3-CBC); NIST CAVP TCBCMMT3",
        encrypt: Some(encrypt_cbc),
        decrypt: Some(decrypt_cbc),
        wraps: Wraps::SecretAndPrivateKeys,
        zero_pads: true,
        wrap: Some(|env, params, key, material| {
            wrap_by(encrypt_cbc, env, params, key, &padded_to(material, BLOCK_BYTES))
        }),
        unwrap: Some(|env, params, key, wrapped| unwrap_by(decrypt_cbc, env, params, key, wrapped)),
        ..CIPHER
    }),
    row!(crypt_and_wrap!(
        |env, params, key| begin(env, DesMode::CbcPad { iv: iv(params)? }, Direction::Encrypt, key),
        |env, params, key| begin(env, DesMode::CbcPad { iv: iv(params)? }, Direction::Decrypt, key),
        Wraps::SecretAndPrivateKeys,
        Row {
            kind: CKM_DES3_CBC_PAD,
            name: "CKM_DES3_CBC_PAD",
            shape: ParamShape::Iv8,
            vectors: "OpenSSL evpciph_des3_common (DES-EDE3-CBC) with a padding block made by the openssl command",
            ..CIPHER
        }
    )),
    row!(Row {
        kind: CKM_DES3_MAC,
        name: "CKM_DES3_MAC",
        vectors: "FIPS 113, its example (one key three times)",
        sign: Some(|env, _, key| Ok(Box::new(half(env, key)?))),
        verify: Some(|env, _, key| Ok(Box::new(half(env, key)?))),
        ..MAC
    }),
    row!(Row {
        kind: CKM_DES3_MAC_GENERAL,
        name: "CKM_DES3_MAC_GENERAL",
        shape: ParamShape::MacLength,
        judge: |params| judge_length(params, BLOCK_BYTES).map(|_| ()),
        vectors: "FIPS 113, its example (one key three times; cut to every length)",
        sign: Some(|env, params, key| Ok(Box::new(whole(env, params, CipherMac::TripleDesCbc, key)?))),
        verify: Some(|env, params, key| Ok(Box::new(whole(env, params, CipherMac::TripleDesCbc, key)?))),
        ..MAC
    }),
    row!(Row {
        kind: CKM_DES3_CMAC,
        name: "CKM_DES3_CMAC",
        vectors: "NIST SP 800-38B, D.4",
        sign: Some(|env, params, key| Ok(Box::new(whole(env, params, CipherMac::TripleDesCmac, key)?))),
        verify: Some(|env, params, key| Ok(Box::new(whole(env, params, CipherMac::TripleDesCmac, key)?))),
        ..MAC
    }),
    row!(Row {
        kind: CKM_DES3_CMAC_GENERAL,
        name: "CKM_DES3_CMAC_GENERAL",
        shape: ParamShape::MacLength,
        judge: |params| judge_length(params, BLOCK_BYTES).map(|_| ()),
        vectors: "NIST SP 800-38B, D.4 (cut to every length)",
        sign: Some(|env, params, key| Ok(Box::new(whole(env, params, CipherMac::TripleDesCmac, key)?))),
        verify: Some(|env, params, key| Ok(Box::new(whole(env, params, CipherMac::TripleDesCmac, key)?))),
        ..MAC
    }),
];

fn generate(env: &Env<'_>, _params: &Params, template: &Template) -> Result<Attributes> {
    if material::value_len(template)?.is_some_and(|bytes| bytes != DES3_KEY_BYTES) {
        return Err(Reason::AttributeValue { kind: CKA_VALUE_LEN, problem: "a key of triple DES has 24 bytes" });
    }
    let mut value = SecretBytes::zeroed(DES3_KEY_BYTES);
    env.random.fill(value.expose_mut())?;
    Ok(material::secret(CKK_DES3, ciphers::derived(CKK_DES3, value)))
}

fn begin(env: &Env<'_>, mode: DesMode, direction: Direction, key: &Object) -> Result<Box<dyn Crypter>> {
    start(env, &Mode::TripleDes(mode), direction, key)
}

fn encrypt_ecb(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    begin(env, DesMode::Ecb, Direction::Encrypt, key)
}

fn decrypt_ecb(env: &Env<'_>, _params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    begin(env, DesMode::Ecb, Direction::Decrypt, key)
}

fn encrypt_cbc(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    begin(env, DesMode::Cbc { iv: iv(params)? }, Direction::Encrypt, key)
}

fn decrypt_cbc(env: &Env<'_>, params: &Params, key: &Object) -> Result<Box<dyn Crypter>> {
    begin(env, DesMode::Cbc { iv: iv(params)? }, Direction::Decrypt, key)
}

/// CKM_DES3_MAC: the first half of the last block.
fn half(env: &Env<'_>, key: &Object) -> Result<MacOperation> {
    let mac = rules::with_secret(env, key, |key| Ok((env.engine.cipher_mac)(&CipherMac::TripleDesCbc, key)?))?;
    Ok(MacOperation::cut(mac, BLOCK_BYTES / 2))
}

fn whole(env: &Env<'_>, params: &Params, mac: CipherMac<'_>, key: &Object) -> Result<MacOperation> {
    let mac = rules::with_secret(env, key, |key| Ok((env.engine.cipher_mac)(&mac, key)?))?;
    MacOperation::new(mac, params)
}
