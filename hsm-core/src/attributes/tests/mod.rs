//! Tests of the attribute rules; here is what they share: an engine, keys, and short ways to say things.

mod certificates;
mod changes;
mod creation;
mod key_material;
mod origins;
mod reading;

use super::*;
use crate::object::{self, Value};
use crate::reason::Reason;
use ffi_headers::*;
use hsm_crypto::encoding::PrivateForm;
use hsm_crypto::rsa::RsaParts;
use hsm_crypto::{CryptoError, Random, SecretBytes};
use std::sync::LazyLock;

/// The random source of the operating system.
struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, out: &mut [u8]) -> hsm_crypto::Result<()> {
        getrandom::fill(out).map_err(|_| CryptoError::RandomFailed)
    }
}

pub(super) const USER: Actor = Actor { security_officer: false, user: true };
pub(super) const OFFICER: Actor = Actor { security_officer: true, user: false };

pub(super) fn env() -> Env<'static> {
    Env {
        engine: hsm_crypto::portable(),
        random: &OsRandom,
        policy: crate::policy::Policy { legacy: true, ..Default::default() },
        one_time: None,
    }
}

/// One RSA key for all tests; smaller than a token would generate, to be quick.
pub(super) static RSA: LazyLock<RsaParts> =
    LazyLock::new(|| (env().engine.rsa_generate)(1024, &[1, 0, 1], &OsRandom).unwrap().parts);

/// A private key of each type, as material.
pub(super) fn private_materials() -> Vec<Attributes> {
    let scalar =
        |curve| (env().engine.ec_generate)(curve, hsm_crypto::ec::ScalarMethod::Rejection, &OsRandom).unwrap().scalar;
    let mut forms = vec![
        PrivateForm::Rsa(RSA.clone()),
        PrivateForm::Ed25519(SecretBytes::new(vec![7; 32])),
        PrivateForm::X25519(SecretBytes::new(vec![9; 32])),
    ];
    for curve in hsm_crypto::ec::Curve::ALL {
        forms.push(PrivateForm::Ec { curve, scalar: scalar(curve), point: None });
    }
    forms.into_iter().map(object::private_material).collect()
}

/// A secret key of each type, as material.
pub(super) fn secret_materials() -> Vec<Attributes> {
    tables::all()
        .filter(|table| table.class == CKO_SECRET_KEY)
        .map(|table| match table.key_type.unwrap() {
            // Odd parity, and two different halves.
            CKK_DES3 => secret_material(CKK_DES3, &[0x43; 24]),
            CKK_AES_XTS => secret_material(CKK_AES_XTS, &[[0x42; 16], [0x43; 16]].concat()),
            other => secret_material(other, &[0x42; 32]),
        })
        .collect()
}

pub(super) fn secret_material(key_type: u64, value: &[u8]) -> Attributes {
    Attributes::from([
        (CKA_CLASS, Value::Number(CKO_SECRET_KEY)),
        (CKA_KEY_TYPE, Value::Number(key_type)),
        (CKA_VALUE, bytes(value)),
    ])
}

pub(super) fn bytes(value: &[u8]) -> Value {
    Value::Bytes(SecretBytes::copy_of(value))
}

/// A template of class and key type.
pub(super) fn of(class: u64, key_type: u64) -> Template {
    Template::default().with_number(CKA_CLASS, class).with_number(CKA_KEY_TYPE, key_type)
}

pub(super) fn aes_template() -> Template {
    of(CKO_SECRET_KEY, CKK_AES).with(CKA_VALUE, &[0x42; 16])
}

pub(super) fn data_template() -> Template {
    Template::default().with_number(CKA_CLASS, CKO_DATA)
}

/// C_CreateObject by the user.
pub(super) fn create(template: &Template) -> Result<Object> {
    build(&env(), USER, Origin::Create, template, Attributes::new())
}

/// A generated key of this material.
pub(super) fn generate(template: &Template, material: Attributes) -> Result<Object> {
    build(&env(), USER, Origin::Generate(CKM_AES_KEY_GEN), template, material)
}

/// A generated AES key.
pub(super) fn aes(template: &Template) -> Object {
    generate(template, secret_material(CKK_AES, &[0x42; 16])).unwrap()
}

pub(super) fn none() -> Template {
    Template::default()
}

pub(super) fn flags(pairs: &[(u64, bool)]) -> Template {
    pairs.iter().fold(none(), |template, (kind, flag)| template.with_flag(*kind, *flag))
}

/// The bytes of an answer.
pub(super) fn told(object: &Object, kind: u64) -> Vec<u8> {
    match answer(object, kind) {
        Answer::Bytes(bytes) => bytes.into_public("a test looks at it").unwrap(),
        other => panic!("{kind:#x}: {other:?}"),
    }
}

/// The return value that a result stands for.
pub(super) fn rv<T>(result: Result<T>) -> u64 {
    result.map_or_else(|reason| reason.rv(), |_| CKR_OK)
}

#[test]
fn every_kind_of_key_builds_encodes_and_comes_back() {
    for material in private_materials().into_iter().chain(secret_materials()) {
        let object = generate(&none(), material).unwrap();
        let decoded = Object::decode(object.content().clone()).unwrap();
        assert_eq!(decoded.attributes(), object.attributes(), "{object:?}");
        assert!(decoded.key(&env()).is_ok(), "{object:?}");
    }
}
