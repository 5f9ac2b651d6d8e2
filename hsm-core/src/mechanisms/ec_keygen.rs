//! Key pairs on elliptic curves: CKM_EC_KEY_PAIR_GEN, CKM_EC_KEY_PAIR_GEN_W_EXTRA_BITS, CKM_EC_EDWARDS_KEY_PAIR_GEN,
//! CKM_EC_MONTGOMERY_KEY_PAIR_GEN.
//!
//! The curve comes by object identifier or by name, in the public or the private template; where both
//! have it, they must mean the same curve. The first two mechanisms differ in how the scalar is drawn; the second one also goes
//! by the number that Luna had for it before 3.0.
//! Rule source: PKCS#11 v2.40, 2.3.5; v3.1, 6.3 (Edwards and Montgomery key pairs); FIPS 186-5, A.2.1 and A.2.2.

use super::{EVERYTHING, PairMaterial, Row, SizeUnit};
use crate::attributes::curves::CurveName;
use crate::key::Key;
use crate::keys::material;
use crate::limits::EC_BITS_MAX;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::template::Template;
use crate::types::Params;
use ffi_headers::vendor::CKM_EC_KEY_PAIR_GEN_W_EXTRA_BITS_OLD;
use ffi_headers::*;
use hsm_crypto::SecretBytes;
use hsm_crypto::ec::{EcPair, ScalarMethod};
use hsm_crypto::encoding::{PrivateForm, PublicForm};

/// What the token's Weierstrass curves and points are.
pub(super) const EC_FLAGS: u64 = CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS | CKF_EC_CURVENAME;

/// The smallest Weierstrass curve.
pub(super) const EC_BITS_MIN: u64 = 224;

/// What the rows for pairs on Weierstrass curves share.
const fn named(kind: u64, name: &'static str) -> Row {
    Row {
        kind,
        name,
        unit: SizeUnit::Bits,
        size_min: EC_BITS_MIN,
        size_max: EC_BITS_MAX,
        extra_flags: EC_FLAGS,
        approved: EVERYTHING,
        vectors: "RFC 6979, A.2.5 (public point of a scalar); OpenSSL for every curve",
        ..Row::BLANK
    }
}

pub(super) const ROWS: &[Row] = &[
    row!(Row { generate_pair: Some(generate_weierstrass), ..named(CKM_EC_KEY_PAIR_GEN, "CKM_EC_KEY_PAIR_GEN") }),
    row!(Row {
        generate_pair: Some(generate_with_extra_bits),
        ..named(CKM_EC_KEY_PAIR_GEN_W_EXTRA_BITS, "CKM_EC_KEY_PAIR_GEN_W_EXTRA_BITS")
    }),
    row!(Row {
        generate_pair: Some(generate_with_extra_bits),
        ..named(CKM_EC_KEY_PAIR_GEN_W_EXTRA_BITS_OLD, "CKM_EC_KEY_PAIR_GEN_W_EXTRA_BITS_OLD")
    }),
    row!(Row {
        unit: SizeUnit::Bits,
        size_min: 255,
        size_max: 448,
        extra_flags: EC_FLAGS,
        approved: EVERYTHING,
        vectors: "RFC 8032, 7.1 and 7.4 (public key of a seed)",
        generate_pair: Some(generate_edwards),
        ..super::named!(CKM_EC_EDWARDS_KEY_PAIR_GEN)
    }),
    row!(Row {
        unit: SizeUnit::Bits,
        size_min: 255,
        size_max: 448,
        extra_flags: EC_FLAGS,
        vectors: "RFC 7748, 6.1 and 6.2 (public value of a scalar)",
        generate_pair: Some(generate_montgomery),
        ..super::named!(CKM_EC_MONTGOMERY_KEY_PAIR_GEN)
    }),
];

fn generate_weierstrass(env: &Env<'_>, _: &Params, public: &Template, private: &Template) -> Result<PairMaterial> {
    generate(env, ScalarMethod::Rejection, public, private)
}

fn generate_with_extra_bits(env: &Env<'_>, _: &Params, public: &Template, private: &Template) -> Result<PairMaterial> {
    generate(env, ScalarMethod::ExtraBits, public, private)
}

fn generate(env: &Env<'_>, method: ScalarMethod, public: &Template, private: &Template) -> Result<PairMaterial> {
    let (params, name) = curve(CKK_EC, public, private)?;
    let CurveName::Weierstrass(curve) = name else { return Err(Reason::CurveUnknown) };
    let EcPair { scalar, private, public } = (env.engine.ec_generate)(curve, method, env.random)?;
    let point = public.point();
    let public = (PublicForm::Ec { curve, point: point.clone() }, Key::EcPublic(public));
    let private = (PrivateForm::Ec { curve, scalar, point: Some(point) }, Key::EcPrivate(private));
    Ok(material::ec_pair(&params, public, private))
}

/// Also C_GenerateKeyPair by CKM_EDDSA's number, which GnuTLS uses.
pub(super) fn generate_edwards(
    env: &Env<'_>,
    _params: &Params,
    public: &Template,
    private: &Template,
) -> Result<PairMaterial> {
    let (params, name) = curve(CKK_EC_EDWARDS, public, private)?;
    let seed = random_secret(env, name)?;
    let ed448 = name == CurveName::Ed448;
    let (parse_private, parse_public) = match ed448 {
        true => (env.engine.ed448_private, env.engine.ed448_public),
        false => (env.engine.ed25519_private, env.engine.ed25519_public),
    };
    let key = parse_private(seed.expose())?;
    let point = key.public_key();
    let public = parse_public(&point)?;
    // The proof of a fresh pair, one signature (FIPS 140-3, pairwise consistency).
    let proof = key.sign(&point)?;
    public.verify(&point, &proof)?;
    let (public_form, private_form) = match ed448 {
        true => (PublicForm::Ed448(point), PrivateForm::Ed448(seed)),
        false => (PublicForm::Ed25519(point), PrivateForm::Ed25519(seed)),
    };
    Ok(material::ec_pair(&params, (public_form, Key::EdPublic(public)), (private_form, Key::EdPrivate(key))))
}

fn generate_montgomery(env: &Env<'_>, _: &Params, public: &Template, private: &Template) -> Result<PairMaterial> {
    let (params, name) = curve(CKK_EC_MONTGOMERY, public, private)?;
    let scalar = random_secret(env, name)?;
    let x448 = name == CurveName::X448;
    let parse = if x448 { env.engine.x448_private } else { env.engine.x25519_private };
    let key = parse(scalar.expose())?;
    let point = key.public_key();
    // The proof: both sides of an agreement with a second fresh key come to the same value.
    let other = parse(random_secret(env, name)?.expose())?;
    if key.agree(&other.public_key())? != other.agree(&point)? {
        return Err(hsm_crypto::CryptoError::SelfTest("a fresh X25519 or X448 pair does not agree").into());
    }
    let public = Key::XPublic(point.clone());
    let (public_form, private_form) = match x448 {
        true => (PublicForm::X448(point), PrivateForm::X448(scalar)),
        false => (PublicForm::X25519(point), PrivateForm::X25519(scalar)),
    };
    Ok(material::ec_pair(&params, (public_form, public), (private_form, Key::XPrivate(key))))
}

fn random_secret(env: &Env<'_>, curve: CurveName) -> Result<SecretBytes> {
    let mut secret = SecretBytes::zeroed(curve.key_bytes());
    env.random.fill(secret.expose_mut())?;
    Ok(secret)
}

/// The curve that the templates name, and CKA_EC_PARAMS as both objects will keep it.
fn curve(key_type: u64, public: &Template, private: &Template) -> Result<(Vec<u8>, CurveName)> {
    let (Some(given), other) = (match public.bytes(CKA_EC_PARAMS) {
        Some(given) => (Some(given), private.bytes(CKA_EC_PARAMS)),
        None => (private.bytes(CKA_EC_PARAMS), None),
    }) else {
        return Err(Reason::TemplateIncomplete(CKA_EC_PARAMS));
    };
    let curve = CurveName::parse_for(key_type, given)?;
    if let Some(other) = other
        && CurveName::parse_for(key_type, other)? != curve
    {
        return Err(Reason::TemplateInconsistent { kind: CKA_EC_PARAMS, problem: "the two templates name two curves" });
    }
    Ok((curve.stored_params(given), curve))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hsm_crypto::ec::Curve;

    const P256: &[u8] = b"\x13\x05P-256";
    const P384: &[u8] = b"\x13\x05P-384";

    fn named_by(public: Option<&[u8]>, private: Option<&[u8]>) -> Result<CurveName> {
        let template = |params: Option<&[u8]>| match params {
            Some(params) => Template::default().with(CKA_EC_PARAMS, params),
            None => Template::default(),
        };
        curve(CKK_EC, &template(public), &template(private)).map(|(_, name)| name)
    }

    #[test]
    fn the_curve_may_stand_in_either_template() {
        let p256 = CurveName::Weierstrass(Curve::P256);
        assert_eq!(named_by(Some(P256), None).unwrap(), p256);
        assert_eq!(named_by(None, Some(P256)).unwrap(), p256);
        assert_eq!(named_by(Some(P256), Some(p256.oid_der())).unwrap(), p256, "two forms of one curve agree");
    }

    #[test]
    fn no_curve_and_two_curves_are_refused() {
        assert!(matches!(named_by(None, None), Err(Reason::TemplateIncomplete(CKA_EC_PARAMS))));
        assert!(matches!(
            named_by(Some(P256), Some(P384)),
            Err(Reason::TemplateInconsistent { kind: CKA_EC_PARAMS, .. })
        ));
    }
}
