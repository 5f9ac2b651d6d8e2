//! CKM_AES_CTS: AES-CBC with ciphertext stealing, for any length from one block.
//!
//! The standard refers to NIST's three variants and names none; here it is CBC-CS1, as in NSS and in pkcs11-provider.
//! Rule source: PKCS#11 v2.40, "AES CBC with Cipher Text Stealing"; addendum to NIST SP 800-38A.

use super::aes_modes::{AES, iv, start};
use super::{EVERYTHING, Row};
use crate::types::ParamShape;
use ffi_headers::*;
use hsm_crypto::cipher::{Direction, Mode};

pub(super) const ROWS: &[Row] = &[row!(Row {
    kind: CKM_AES_CTS,
    name: "CKM_AES_CTS",
    shape: ParamShape::Iv16,
    approved: EVERYTHING,
    vectors: "RFC 3962, appendix B (with the last two blocks where CS1 has them); OpenSSL evpciph_aes_cts",
    encrypt: Some(|env, params, key| start(env, &Mode::CbcCs1 { iv: iv(params)? }, Direction::Encrypt, key)),
    decrypt: Some(|env, params, key| start(env, &Mode::CbcCs1 { iv: iv(params)? }, Direction::Decrypt, key)),
    ..AES
})];
