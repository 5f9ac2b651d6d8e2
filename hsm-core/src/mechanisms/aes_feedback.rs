//! AES by feedback: CKM_AES_OFB, CKM_AES_CFB1, CKM_AES_CFB8, CKM_AES_CFB64, CKM_AES_CFB128, and Luna's older numbers for them.
//!
//! Every byte leaves at once, so there are no partial blocks. No wrapping: a stream of bits can be flipped bit by bit.
//! Rule source: PKCS#11 v2.40, "AES"; NIST SP 800-38A, 6.3 and 6.4.

use super::aes_modes::{AES, iv, start};
use super::{EVERYTHING, Row};
use crate::types::ParamShape;
use ffi_headers::vendor::{CKM_AES_CFB8_OLD, CKM_AES_CFB128_OLD, CKM_AES_OFB_OLD};
use ffi_headers::*;
use hsm_crypto::cipher::{Direction, Mode};

macro_rules! feedback {
    ($kind:ident, $mode:ident, $vectors:literal) => {
        Row {
            kind: $kind,
            name: stringify!($kind),
            shape: ParamShape::Iv16,
            approved: EVERYTHING,
            vectors: $vectors,
            encrypt: Some(|env, params, key| start(env, &Mode::$mode { iv: iv(params)? }, Direction::Encrypt, key)),
            decrypt: Some(|env, params, key| start(env, &Mode::$mode { iv: iv(params)? }, Direction::Decrypt, key)),
            ..AES
        }
    };
}

pub(super) const ROWS: &[Row] = &[
    row!(feedback!(CKM_AES_OFB, Ofb, "NIST SP 800-38A, F.4; NIST CAVP AESVS")),
    row!(feedback!(CKM_AES_CFB8, Cfb8, "NIST SP 800-38A, F.3.7 to F.3.12; NIST CAVP AESVS")),
    row!(feedback!(CKM_AES_CFB128, Cfb128, "NIST SP 800-38A, F.3.13 to F.3.18; NIST CAVP AESVS")),
    row!(feedback!(CKM_AES_CFB1, Cfb1, "NIST SP 800-38A, F.3.1 to F.3.6; more bits made with OpenSSL")),
    row!(feedback!(CKM_AES_CFB64, Cfb64, "made with PyCryptodome (no published set has 64 bits)")),
    row!(feedback!(CKM_AES_OFB_OLD, Ofb, "NIST SP 800-38A, F.4; NIST CAVP AESVS")),
    row!(feedback!(CKM_AES_CFB8_OLD, Cfb8, "NIST SP 800-38A, F.3.7 to F.3.12; NIST CAVP AESVS")),
    row!(feedback!(CKM_AES_CFB128_OLD, Cfb128, "NIST SP 800-38A, F.3.13 to F.3.18; NIST CAVP AESVS")),
];
