//! Encodings that come from outside: PKCS#8, SubjectPublicKeyInfo, certificates, curves and points, post-quantum keys, signatures of trees.
//!
//! Owns: that what is taken is encoded again as the same thing, that both engines take the same points, and that a private
//! key which is unwrapped, or a public one which is created, is refused or works.

use crate::abi::arguments::Arguments;
use crate::abi::functions;
use crate::abi::world;
use crate::bytes::Bytes;
use ffi_headers::*;
use hsm_core::attributes::curves::{CurveName, octet_string, octet_string_content};
use hsm_core::certificate;
use hsm_crypto::ec::Curve;
use hsm_crypto::encoding::{PqSet, PrivateForm, PublicForm, decode_pkcs8, decode_spki, encode_pkcs8, encode_spki};
use hsm_crypto::stateful::XmssSet;
use hsm_crypto::{SecretBytes, portable, preferred};

/// The functions through which DER comes in, for programs.
const FUNCTIONS: &[&str] =
    &["C_CreateObject", "C_UnwrapKey", "C_Encrypt", "C_EncryptInit", "C_DeriveKey", "C_GetAttributeValue"];

/// Reads the input as what its first byte says.
pub fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    match bytes.byte() {
        0x00..0x40 => pkcs8(bytes.rest()),
        0x40..0x60 => spki(bytes.rest()),
        0x60..0x80 => certificate(bytes.rest()),
        0x80..0x90 => curve(&mut bytes),
        0x90..0xa0 => points(&mut bytes),
        0xa0..0xa8 => post_quantum(&mut bytes),
        0xa8..0xb0 => stateful(&mut bytes),
        0xb0..0xe0 => unwrapped(&mut bytes),
        _ => program(bytes.rest()),
    }
}

/// What decodes has one encoding, which decodes to the same.
fn pkcs8(der: &[u8]) {
    let Ok(form) = decode_pkcs8(der) else { return };
    if matches!(form, PrivateForm::PostQuantum { set: PqSet::SlhDsa(_), .. }) {
        return; // What its numbers are worth takes a second to say.
    }
    let Ok(encoded) = encode_pkcs8(&form) else { return };
    let again = decode_pkcs8(encoded.expose()).and_then(|form| encode_pkcs8(&form));
    assert!(again.is_ok_and(|again| again == encoded), "a private key changes when it is encoded again");
    if let PrivateForm::Ec { curve, scalar, .. } = &form {
        let (one, other) =
            ((preferred().ec_private)(*curve, scalar.expose()), (portable().ec_private)(*curve, scalar.expose()));
        assert_eq!(one.is_ok(), other.is_ok(), "the engines do not take the same scalars on {curve:?}");
    }
    if let PrivateForm::Rsa(parts) = &form
        && parts.modulus.len() <= 256
    {
        let (one, other) = ((preferred().rsa_private)(parts), (portable().rsa_private)(parts));
        assert_eq!(one.is_ok(), other.is_ok(), "the engines do not take the same RSA keys");
    }
}

fn spki(der: &[u8]) {
    let Ok(form) = decode_spki(der) else { return };
    let Ok(encoded) = encode_spki(&form) else { return };
    assert_eq!(decode_spki(&encoded).as_ref(), Ok(&form), "a public key changes when it is encoded again");
    if let PublicForm::Rsa { modulus, public_exponent } = &form
        && modulus.len() <= 512
    {
        let (one, other) =
            ((preferred().rsa_public)(modulus, public_exponent), (portable().rsa_public)(modulus, public_exponent));
        assert_eq!(one.is_ok(), other.is_ok(), "the engines do not take the same public RSA keys");
    }
}

/// Each field is a part of the certificate, in the order of the standard.
fn certificate(der: &[u8]) {
    let Ok(fields) = certificate::parse(der) else { return };
    let mut behind = 0;
    for field in [fields.serial_number, fields.issuer, fields.subject, fields.public_key_info] {
        let place = field.as_ptr().addr() - der.as_ptr().addr();
        assert!(place >= behind && place + field.len() <= der.len(), "a field lies elsewhere");
        behind = place + field.len();
    }
    for date in [fields.start_date, fields.end_date].into_iter().flatten() {
        assert!(date.len() == 8 && date.bytes().all(|digit| digit.is_ascii_digit()), "{date:?} is no date");
    }
}

fn curve(bytes: &mut Bytes<'_>) {
    let key_type = bytes.one(&[CKK_EC, CKK_EC_EDWARDS, CKK_EC_MONTGOMERY]);
    let params = bytes.counted();
    let Ok(curve) = CurveName::parse(params) else { return };
    let _other_type = CurveName::parse_for(key_type, params);
    assert_eq!(
        CurveName::parse(&curve.stored_params(params)).ok(),
        Some(curve),
        "stored parameters name another curve"
    );
    let given = bytes.rest();
    if let Ok(point) = curve.parse_point(given) {
        let wrapped = octet_string(point);
        assert_eq!(octet_string_content(&wrapped), Some(point), "a point changes in its OCTET STRING");
        assert_eq!(curve.parse_point(&wrapped).ok(), Some(point), "a point is another one when it is wrapped");
    }
}

/// Both engines take the same points, and say the same of them.
fn points(bytes: &mut Bytes<'_>) {
    let curve = bytes.one(&Curve::ALL);
    let point = bytes.rest();
    let (one, other) = ((preferred().ec_public)(curve, point), (portable().ec_public)(curve, point));
    match (one, other) {
        (Ok(one), Ok(other)) => {
            assert_eq!(one.point(), other.point(), "the engines read a point of {curve:?} differently")
        }
        (one, other) => assert_eq!(one.is_ok(), other.is_ok(), "the engines do not take the same points of {curve:?}"),
    }
}

fn post_quantum(bytes: &mut Bytes<'_>) {
    let sets: Vec<PqSet> = PqSet::all().collect();
    let set = bytes.one(&sets);
    let public = PublicForm::PostQuantum { set, key: bytes.long().to_vec() };
    if let Ok(encoded) = encode_spki(&public) {
        assert_eq!(decode_spki(&encoded), Ok(public), "a public key changes when it is encoded");
    }
    let part = |bytes: &mut Bytes<'_>| (bytes.byte() < 0x80).then(|| SecretBytes::copy_of(bytes.long()));
    let private = PrivateForm::PostQuantum { set, seed: part(bytes), key: part(bytes) };
    if let Ok(encoded) = encode_pkcs8(&private) {
        let again = decode_pkcs8(encoded.expose()).and_then(|form| encode_pkcs8(&form));
        assert!(again.is_ok_and(|again| again == encoded), "a private key changes when it is encoded");
    }
}

/// A public key of HSS, XMSS or XMSS^MT, a message and a signature: refused or verified, and no longer once the message is another.
fn stateful(bytes: &mut Bytes<'_>) {
    let engine = preferred().stateful;
    let (scheme, number) = (bytes.byte(), u32::from(bytes.byte()));
    let (public, message) = (bytes.long(), bytes.counted());
    let public = match scheme % 3 {
        0 => Some((engine.hss_public)(public)),
        1 => XmssSet::xmss(number).map(|set| (engine.xmss_public)(set, public)),
        _ => XmssSet::xmss_mt(number).map(|set| (engine.xmss_public)(set, public)),
    };
    let Some(Ok(public)) = public else { return };
    let signature = bytes.rest();
    if public.verify(message, signature).is_ok() {
        let other = [message, &[0]].concat();
        assert!(public.verify(&other, signature).is_err(), "a signature is one of two messages");
    }
}

/// Encrypts the rest under a key of the token that unwraps, too, and unwraps that as a private key of some type.
fn unwrapped(bytes: &mut Bytes<'_>) {
    let key_type = bytes.one(&[CKK_RSA, CKK_EC, CKK_EC_EDWARDS, CKK_EC_MONTGOMERY, CKK_ML_KEM, CKK_ML_DSA, CKK_AES]);
    let class = if key_type == CKK_AES { CKO_SECRET_KEY } else { CKO_PRIVATE_KEY };
    world::with(|world| {
        let session = world.open(CKF_RW_SESSION);
        let wrapped = world.encrypt(session, bytes.rest());
        let object = world.unwrap(session, &wrapped, class, key_type);
        if let Some(object) = object {
            world.use_key(session, object);
        }
        world.close(&[session]);
    });
}

/// Objects with DER in their attributes, over the C interface.
fn program(data: &[u8]) {
    world::with(|world| {
        let mut arguments = Arguments::new(data, vec![world.open(CKF_RW_SESSION)], world.planted.clone());
        for _ in 0..8 {
            if arguments.program.is_empty() {
                break;
            }
            let name = arguments.program.one(FUNCTIONS);
            functions::call(&mut arguments, world, functions::number(name), true);
        }
        world.close(&arguments.sessions);
    });
}
