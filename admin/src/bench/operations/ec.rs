//! Elliptic curves: ECDSA, ECDH, Ed25519.
//!
//! Owns: the rows. The module generates the pair; its point is read from the token, signatures are verified and secrets computed
//! outside.

use super::{Operation, Prepared, message, unchecked};
use crate::bench::desk::{Calling, Desk, Keys, Trouble};
use ffi_headers::*;
use hsm_core::attributes::curves::CurveName;
use hsm_crypto::ec::{Curve, ScalarMethod};
use hsm_crypto::portable;
use hsm_platform::OsRandom;
use pkcs11_client::{Mechanism, Parameter, Template};

const FAMILY: &str = "Elliptic curves";

const CURVES: [(Curve, &str); 4] =
    [(Curve::P256, "P-256"), (Curve::P384, "P-384"), (Curve::P521, "P-521"), (Curve::K256, "secp256k1")];

/// The rows.
pub fn operations() -> Vec<Operation> {
    let mut list = Vec::new();
    for (curve, name) in CURVES {
        let quick = curve == Curve::P256;
        list.push(Operation::new(FAMILY, format!("ECDSA {name} sign"), move |desk| sign(desk, curve)).quick_if(quick));
        list.push(
            Operation::new(FAMILY, format!("ECDSA {name} verify"), move |desk| verify(desk, curve)).quick_if(quick),
        );
    }
    for (curve, name) in CURVES {
        list.push(
            Operation::new(FAMILY, format!("ECDH {name}"), move |desk| agree(desk, curve))
                .quick_if(curve == Curve::P256),
        );
    }
    list.push(Operation::new(FAMILY, "Ed25519 sign", ed25519_sign).quick_if(true));
    list.push(Operation::new(FAMILY, "Ed25519 verify", ed25519_verify));
    list
}

fn sign(desk: &mut Desk, curve: Curve) -> Result<Prepared, Trouble> {
    let how = Mechanism::plain(desk.either(&[CKM_ECDSA])?);
    let (public, private) = pair(desk, curve)?;
    let outside = (portable().ec_public)(curve, &point(desk, public, curve)?).map_err(unchecked)?;
    let digest = digest(curve);
    let signed = digest.clone();
    Prepared::new(curve.field_bytes() * 2, move |module, session, hand| {
        hand.length = module.sign(session, &how, private, &digest, &mut hand.out)?;
        Ok(())
    })
    .proved(desk, "C_Sign", |signature| Ok(outside.verify(&signed, signature).is_ok()))
}

fn verify(desk: &mut Desk, curve: Curve) -> Result<Prepared, Trouble> {
    let how = Mechanism::plain(desk.either(&[CKM_ECDSA])?);
    let (public, private) = pair(desk, curve)?;
    let digest = digest(curve);
    let mut signature = vec![0; curve.field_bytes() * 2];
    desk.module.sign(desk.session, &how, private, &digest, &mut signature).calling("C_Sign")?;
    let mut wrong = signature.clone();
    wrong[curve.field_bytes() - 1] ^= 1;
    let refused = desk.module.verify(desk.session, &how, public, &digest, &wrong).is_err();
    Prepared::new(0, move |module, session, _| module.verify(session, &how, public, &digest, &signature)).proved(
        desk,
        "C_Verify",
        |_| Ok(refused),
    )
}

fn agree(desk: &mut Desk, curve: Curve) -> Result<Prepared, Trouble> {
    let kind = desk.either(&[CKM_ECDH1_DERIVE])?;
    let (public, private) = pair(desk, curve)?;
    let peer = (portable().ec_generate)(curve, ScalarMethod::Rejection, &OsRandom).map_err(unchecked)?.private;
    let shared = peer.agree(&point(desk, public, curve)?).map_err(unchecked)?;
    let how = Mechanism::new(kind, Parameter::Ecdh(peer.public_point()));
    let secret = secret(desk, curve.field_bytes());
    let derived = desk.module.derive(desk.session, &how, private, &secret).calling("C_DeriveKey")?;
    let value = desk.attribute(derived, CKA_VALUE);
    desk.module.destroy(desk.session, derived).calling("C_DestroyObject")?;
    let right = shared.ct_eq(&value?);
    Prepared::new(0, move |module, session, hand| {
        let derived = hand.count(|| module.derive(session, &how, private, &secret))?;
        module.destroy(session, derived)
    })
    .proved(desk, "C_DeriveKey", |_| Ok(right))
}

/// What a derived secret is: readable, so that it can be checked.
fn secret(desk: &Desk, bytes: usize) -> Template {
    desk.own()
        .number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
        .number(CKA_VALUE_LEN, bytes as CK_ULONG)
        .flag(CKA_SENSITIVE, false)
        .flag(CKA_EXTRACTABLE, true)
}

fn ed25519_sign(desk: &mut Desk) -> Result<Prepared, Trouble> {
    let how = Mechanism::plain(desk.either(&[CKM_EDDSA])?);
    let (public, private) = edwards(desk)?;
    let outside = (portable().ed25519_public)(&edwards_point(desk, public)?).map_err(unchecked)?;
    let data = message(64);
    let signed = data.clone();
    Prepared::new(64, move |module, session, hand| {
        hand.length = module.sign(session, &how, private, &data, &mut hand.out)?;
        Ok(())
    })
    .proved(desk, "C_Sign", |signature| Ok(outside.verify(&signed, signature).is_ok()))
}

fn ed25519_verify(desk: &mut Desk) -> Result<Prepared, Trouble> {
    let how = Mechanism::plain(desk.either(&[CKM_EDDSA])?);
    let (public, private) = edwards(desk)?;
    let data = message(64);
    let mut signature = vec![0; 64];
    desk.module.sign(desk.session, &how, private, &data, &mut signature).calling("C_Sign")?;
    let mut wrong = signature.clone();
    wrong[3] ^= 1;
    let refused = desk.module.verify(desk.session, &how, public, &data, &wrong).is_err();
    Prepared::new(0, move |module, session, _| module.verify(session, &how, public, &data, &signature)).proved(
        desk,
        "C_Verify",
        |_| Ok(refused),
    )
}

/// The family's pair on a curve.
fn pair(desk: &mut Desk, curve: Curve) -> Result<Keys, Trouble> {
    desk.keys(&format!("{curve:?}"), |desk| {
        let how = Mechanism::plain(desk.either(&[CKM_EC_KEY_PAIR_GEN])?);
        let (public, private) = templates(desk, curve, false);
        let pair = desk.module.generate_pair(desk.session, &how, &public, &private).calling("C_GenerateKeyPair");
        // Modules that have only the curves of NIST say so in many ways.
        if curve == Curve::K256 { pair.map_err(no_such_curve) } else { pair }
    })
}

fn no_such_curve(trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Failed(why) => Trouble::Missing(format!("no such curve: {why}")),
        other => other,
    }
}

/// The templates of a pair.
pub(super) fn templates(desk: &Desk, curve: Curve, token: bool) -> (Template, Template) {
    let public = desk.own_in(token).bytes(CKA_EC_PARAMS, parameters(curve)).flag(CKA_VERIFY, true);
    let private = desk
        .own_in(token)
        .flag(CKA_SENSITIVE, true)
        .flag(CKA_EXTRACTABLE, false)
        .flag(CKA_SIGN, true)
        .flag(CKA_DERIVE, true);
    (public, private)
}

fn edwards(desk: &mut Desk) -> Result<Keys, Trouble> {
    desk.keys("ed25519", |desk| {
        let how = Mechanism::plain(desk.either(&[CKM_EC_EDWARDS_KEY_PAIR_GEN])?);
        let private = desk.own().flag(CKA_SENSITIVE, true).flag(CKA_EXTRACTABLE, false).flag(CKA_SIGN, true);
        let mut outcome = Err(Trouble::Missing("no Ed25519".to_owned()));
        // By object identifier, and for older modules by name.
        for parameters in [&[0x06, 0x03, 0x2B, 0x65, 0x70][..], b"\x13\x0cedwards25519"] {
            let public = desk.own().bytes(CKA_EC_PARAMS, parameters).flag(CKA_VERIFY, true);
            let made = desk.module.generate_pair(desk.session, &how, &public, &private);
            outcome = made.calling("C_GenerateKeyPair");
            if outcome.is_ok() {
                break;
            }
        }
        outcome.map_err(no_such_curve)
    })
}

/// The public point, out of the DER octet string where it is in one.
pub(super) fn point(desk: &Desk, public: u64, curve: Curve) -> Result<Vec<u8>, Trouble> {
    last(desk.attribute(public, CKA_EC_POINT)?, curve.field_bytes() * 2 + 1)
}

fn edwards_point(desk: &Desk, public: u64) -> Result<Vec<u8>, Trouble> {
    last(desk.attribute(public, CKA_EC_POINT)?, 32)
}

fn last(value: Vec<u8>, bytes: usize) -> Result<Vec<u8>, Trouble> {
    match value.len().checked_sub(bytes) {
        Some(header) => Ok(value[header..].to_vec()),
        None => Err(Trouble::Failed("CKA_EC_POINT is too short".to_owned())),
    }
}

/// A digest as long as the curve asks for.
fn digest(curve: Curve) -> Vec<u8> {
    message(curve.field_bytes().min(64))
}

/// The curve's object identifier in DER.
fn parameters(curve: Curve) -> &'static [u8] {
    CurveName::Weierstrass(curve).oid_der()
}
