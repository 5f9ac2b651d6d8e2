//! What a token may do with which algorithm and with which key: the approved mode, the legacy switch, the key policy.
//!
//! Owns: the decisions of the Security Officer, and what follows from them for mechanisms, parameters, keys and new
//! objects; the key policy itself is in `wrapping`. Does not know: who may decide (`api/slots`), how it is stored (`slot`). Called from the mechanism table, from
//! `keys` and from the attribute tables, with the token's policy in [`crate::platform::Env`].
//!
//! The approved mode keeps a token to what a module under FIPS 140-3 may do. It is a value and no validation. What a mechanism may
//! do in it are the columns `approved` and `approved_size_min` of its row; this file has what no row can say: parameters,
//! curves, and how keys come to be.
//! Rule source: SP 800-131A revision 2, SP 800-186, FIPS 186-5; in the manner of Luna's policies 12 and 43.

mod wrapping;

use crate::attributes::curves::CurveName;
use crate::attributes::{Origin, bit_length};
use crate::derivation::{DeriveParams, Ike1Params, IkeParams, IkeStreamParams};
use crate::mechanisms::{self, Row, SizeUnit};
use crate::object::{Attributes, Object, Value};
use crate::reason::{Reason, Result};
use crate::types::{MechanismInfo, Params};
use ffi_headers::vendor::{CK_NIST_PRF_KDF_DES3_CMAC, CK_PRF_KDF_HMAC_RIPEMD160};
use ffi_headers::*;
use hsm_crypto::ec::Curve;

/// A token's decisions on algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// Only approved algorithms, sizes and ways for keys to come in. Cannot be undone but by a new initialisation.
    pub approved: bool,
    /// Also what is broken or outlived and still met in the field.
    pub legacy: bool,
    /// The wrapping rules of the standard alone, without what is here to stop the known attacks on them.
    pub compatible: bool,
}

/// Bits of an encoded policy.
const APPROVED: u8 = 1;
const LEGACY: u8 = 2;
const COMPATIBLE: u8 = 4;

/// Functions with those on messages that come to the same.
pub(crate) const fn with_messages(functions: u64) -> u64 {
    let sign = if functions & CKF_SIGN == 0 { 0 } else { CKF_MESSAGE_SIGN | CKF_MULTI_MESSAGE };
    let verify = if functions & CKF_VERIFY == 0 { 0 } else { CKF_MESSAGE_VERIFY | CKF_MULTI_MESSAGE };
    functions | sign | verify
}

/// What refuses something in approved mode.
const NOT_APPROVED: &str = "the token keeps to approved algorithms";

/// Public exponents below this are not approved (FIPS 186-5, 5.1).
const RSA_EXPONENT_MIN: u64 = 65_537;

impl Policy {
    /// The policy as the low bits of a byte.
    #[must_use]
    pub const fn bits(self) -> u8 {
        (if self.approved { APPROVED } else { 0 })
            | (if self.legacy { LEGACY } else { 0 })
            | (if self.compatible { COMPATIBLE } else { 0 })
    }

    /// The policy in these bits; `None` when there are others.
    #[must_use]
    pub const fn of_bits(bits: u8) -> Option<Self> {
        if bits & !(APPROVED | LEGACY | COMPATIBLE) != 0 {
            return None;
        }
        Some(Self { approved: bits & APPROVED != 0, legacy: bits & LEGACY != 0, compatible: bits & COMPATIBLE != 0 })
    }

    /// Judges the step from this policy to another one.
    ///
    /// # Errors
    /// `PolicyFixed` when it leaves the approved mode: keys of that mode would get into other hands.
    pub fn judge_change(self, next: Self) -> Result<()> {
        if self.approved && !next.approved { Err(Reason::PolicyFixed) } else { Ok(()) }
    }

    /// The mechanism as C_GetMechanismInfo tells it; `None` where the token does not have it.
    #[must_use]
    pub fn info(self, row: &Row) -> Option<MechanismInfo> {
        let functions = self.functions(row);
        if functions == 0 {
            return None;
        }
        let info = row.info();
        let key_size_min = if self.approved { info.key_size_min.max(row.approved_size_min) } else { info.key_size_min };
        Some(MechanismInfo { flags: functions | row.extra_flags, key_size_min, ..info })
    }

    /// The functions (`CKF_*`) that the token has of a mechanism.
    #[must_use]
    pub fn functions(self, row: &Row) -> u64 {
        let all = row.info().flags & !row.extra_flags;
        match self {
            Policy { legacy: false, .. } if row.legacy => 0,
            Policy { approved: true, .. } => all & with_messages(row.approved),
            Policy { approved: false, .. } => all,
        }
    }

    /// Judges a function that the mechanism has.
    ///
    /// # Errors
    /// `MechanismNotPermitted`.
    pub fn judge(self, row: &Row, function: u64) -> Result<()> {
        let refused = |why| Err(Reason::MechanismNotPermitted { kind: row.kind, why });
        if row.legacy && !self.legacy {
            return refused("the token has no legacy algorithms");
        }
        // Each operation that begins asks: the functions are gathered only where some may be held back.
        if self.approved && self.functions(row) & function == 0 {
            return refused(NOT_APPROVED);
        }
        Ok(())
    }

    /// Judges what a parameter chooses, for this function of the mechanism.
    ///
    /// # Errors
    /// `MechanismParam`.
    pub fn judge_params(self, params: &Params, function: u64) -> Result<()> {
        let sha1_signature =
            matches!(params, Params::Pss { hash, mgf, .. } if *hash == CKM_SHA_1 || *mgf == CKG_MGF1_SHA1);
        if self.approved && function == CKF_SIGN && sha1_signature {
            return Err(Reason::MechanismParam("SHA-1 makes no approved signature (SP 800-131A)"));
        }
        match params {
            Params::Derive(params) => self.judge_derivation(params),
            _ => Ok(()),
        }
    }

    /// Judges the function that a derivation is made of.
    fn judge_derivation(self, params: &DeriveParams) -> Result<()> {
        let (outlived, approved) = match params {
            DeriveParams::TlsKdf(params) => (params.hash == CKM_TLS_PRF, true),
            DeriveParams::LunaKdf(params) => {
                (matches!(params.prf, CK_NIST_PRF_KDF_DES3_CMAC | CK_PRF_KDF_HMAC_RIPEMD160), params.counter == 1)
            }
            // SP 800-135 has HMAC alone.
            DeriveParams::Ike(IkeParams { prf, .. })
            | DeriveParams::Ike1(Ike1Params { prf, .. })
            | DeriveParams::Ike1Extended(IkeStreamParams { prf, .. })
            | DeriveParams::Ike2Plus(IkeStreamParams { prf, .. }) => {
                (false, !matches!(*prf, CKM_AES_XCBC_MAC | CKM_AES_CMAC))
            }
            _ => return Ok(()),
        };
        match self {
            Policy { legacy: false, .. } if outlived => {
                Err(Reason::MechanismParam("the token has no legacy algorithms"))
            }
            Policy { approved: true, .. } if outlived || !approved => Err(Reason::MechanismParam(NOT_APPROVED)),
            _ => Ok(()),
        }
    }

    /// Judges the key of an operation: its curve, and its size, which for verification may be one of the past.
    ///
    /// # Errors
    /// `KeySize`, `MechanismNotPermitted`.
    pub fn judge_key(self, row: &Row, key: &Object, size: u64, function: u64) -> Result<()> {
        if !self.approved {
            return Ok(());
        }
        if function != CKF_VERIFY && size < row.approved_size_min {
            return Err(Reason::KeySize);
        }
        match (key.key_type(), key.bytes(CKA_EC_PARAMS)) {
            (Some(key_type), Some(params)) if !approved_curve(CurveName::parse_for(key_type, params)?) => {
                Err(Reason::MechanismNotPermitted { kind: row.kind, why: "the key's curve is not approved" })
            }
            _ => Ok(()),
        }
    }

    /// Judges a new object: in approved mode keys do not come in unwrapped and are never shown, and pairs are of
    /// approved sizes and curves.
    ///
    /// # Errors
    /// `KeyNotApproved`, `KeySize`, `AttributeValue`, `TemplateInconsistent`.
    pub fn judge_object(self, origin: Origin, attributes: &Attributes) -> Result<()> {
        let number = |kind| match attributes.get(kind) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        };
        let secret = matches!(number(CKA_CLASS), Some(CKO_SECRET_KEY | CKO_PRIVATE_KEY));
        if !self.legacy && secret && matches!(number(CKA_KEY_TYPE), Some(CKK_DES | CKK_DES2 | CKK_DES3)) {
            return Err(Reason::AttributeValue { kind: CKA_KEY_TYPE, problem: "the token has no legacy algorithms" });
        }
        if !self.approved || !secret && !matches!(origin, Origin::Generate(_)) {
            return Ok(());
        }
        if secret && origin == Origin::Create {
            return Err(Reason::KeyNotApproved("a key comes in wrapped or is made in the token"));
        }
        if secret && attributes.get(CKA_SENSITIVE) == Some(&Value::Flag(false)) {
            return Err(Reason::TemplateInconsistent { kind: CKA_SENSITIVE, problem: "an approved key is not shown" });
        }
        if let Origin::Generate(kind) = origin
            && mechanisms::find(kind).is_some_and(|row| made_size(row, attributes) < row.approved_size_min)
        {
            return Err(Reason::KeySize);
        }
        if let Some(Value::Bytes(exponent)) = attributes.get(CKA_PUBLIC_EXPONENT)
            && small(exponent.expose()).is_some_and(|exponent| exponent < RSA_EXPONENT_MIN)
        {
            let problem = "an approved public exponent is 65537 or larger";
            return Err(Reason::AttributeValue { kind: CKA_PUBLIC_EXPONENT, problem });
        }
        if let (Some(key_type), Some(Value::Bytes(params))) = (number(CKA_KEY_TYPE), attributes.get(CKA_EC_PARAMS))
            && !approved_curve(CurveName::parse_for(key_type, params.expose())?)
        {
            return Err(Reason::AttributeValue { kind: CKA_EC_PARAMS, problem: "not an approved curve" });
        }
        Ok(())
    }
}

/// The size of a new key in the unit of the mechanism that made it; the largest where the attributes have none.
fn made_size(row: &Row, attributes: &Attributes) -> u64 {
    let bits = match (attributes.get(CKA_MODULUS), attributes.get(CKA_VALUE)) {
        (Some(Value::Bytes(modulus)), _) => bit_length(modulus.expose()),
        (None, Some(Value::Bytes(value))) => 8 * value.len(),
        _ => return u64::MAX,
    };
    match row.unit {
        SizeUnit::Bits => bits as u64,
        SizeUnit::Bytes => bits as u64 / 8,
        SizeUnit::None => u64::MAX,
    }
}

/// SP 800-186 for signatures, SP 800-56A for agreement: the NIST curves, Ed25519 and Ed448. The Brainpool curves and secp256k1 are
/// allowed for old systems there, not approved.
fn approved_curve(curve: CurveName) -> bool {
    match curve {
        CurveName::Weierstrass(Curve::P224 | Curve::P256 | Curve::P384 | Curve::P521)
        | CurveName::Ed25519
        | CurveName::Ed448 => true,
        CurveName::Weierstrass(_) | CurveName::X25519 | CurveName::X448 => false,
    }
}

/// A big-endian number that fits into 64 bits.
fn small(bytes: &[u8]) -> Option<u64> {
    let digits = bytes.iter().skip_while(|byte| **byte == 0);
    let fits = digits.clone().count() <= 8;
    fits.then(|| digits.fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: [Policy; 4] = [
        Policy { approved: false, legacy: false, compatible: false },
        Policy { approved: false, legacy: true, compatible: true },
        Policy { approved: true, legacy: false, compatible: true },
        Policy { approved: true, legacy: true, compatible: false },
    ];

    #[test]
    fn a_policy_is_read_as_it_was_written_and_unknown_bits_are_none() {
        for policy in EVERY {
            assert_eq!(Policy::of_bits(policy.bits()), Some(policy));
        }
        for bits in 8..=u8::MAX {
            assert_eq!(Policy::of_bits(bits), None, "{bits:#x}");
        }
    }

    #[test]
    fn only_the_way_out_of_the_approved_mode_is_closed() {
        for (from, to) in EVERY.into_iter().flat_map(|from| EVERY.map(|to| (from, to))) {
            assert_eq!(from.judge_change(to).is_err(), from.approved && !to.approved, "{from:?} to {to:?}");
        }
    }

    #[test]
    fn a_policy_never_adds_a_function_and_both_switches_only_do_their_part() {
        let [plain, legacy, approved, approved_legacy] = EVERY;
        for row in mechanisms::all() {
            let whole = row.info().flags & !row.extra_flags;
            assert_eq!(legacy.functions(row), whole, "{}", row.name);
            assert_eq!(plain.functions(row), if row.legacy { 0 } else { whole }, "{}", row.name);
            assert_eq!(approved_legacy.functions(row), whole & with_messages(row.approved), "{}", row.name);
            assert_eq!(approved.functions(row), plain.functions(row) & with_messages(row.approved), "{}", row.name);
        }
    }

    #[test]
    fn what_the_approved_mode_is_for_is_there_and_what_it_forbids_is_not() {
        let approved = Policy { approved: true, ..Policy::default() };
        let has = |kind, function| mechanisms::find(kind).is_some_and(|row| approved.judge(row, function).is_ok());
        for (kind, function) in [
            (CKM_SHA256_RSA_PKCS, CKF_SIGN),
            (CKM_SHA1_RSA_PKCS, CKF_VERIFY),
            (CKM_ECDSA_SHA384, CKF_SIGN),
            (CKM_EDDSA, CKF_SIGN),
            (CKM_AES_GCM, CKF_DECRYPT),
            (CKM_AES_KEY_WRAP_KWP, CKF_WRAP),
            (CKM_RSA_PKCS_OAEP, CKF_UNWRAP),
        ] {
            assert!(has(kind, function), "{kind:#x} {function:#x}");
        }
        for (kind, function) in [
            (CKM_RSA_PKCS, CKF_DECRYPT),
            (CKM_RSA_PKCS, CKF_UNWRAP),
            (CKM_RSA_X_509, CKF_DECRYPT),
            (CKM_SHA1_RSA_PKCS, CKF_SIGN),
            (CKM_AES_GCM, CKF_ENCRYPT),
            (CKM_AES_CBC, CKF_WRAP),
        ] {
            assert!(!has(kind, function), "{kind:#x} {function:#x}");
        }
        let row = mechanisms::find(CKM_RSA_PKCS_PSS).unwrap();
        assert_eq!(approved.info(row).unwrap().key_size_min, 2048);
        assert_eq!(Policy::default().info(row).unwrap().key_size_min, 1024);
    }

    #[test]
    fn exponents_are_compared_as_numbers_whatever_their_leading_zeros() {
        assert_eq!(small(&[0, 0, 1, 0, 1]), Some(65_537));
        assert_eq!(small(&[3]), Some(3));
        assert_eq!(small(&[]), Some(0));
        assert_eq!(small(&[1; 9]), None);
    }
}
