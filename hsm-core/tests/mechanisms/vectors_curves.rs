//! Every Weierstrass curve: key pairs by each name, OpenSSL's keys, agreements and signatures, deterministic signatures.

use crate::pairs::generated_pair_works;
use crate::support::{derive, digest, engines, hex, mechanism, private, public, rv, sign, verify};
use crate::vectors::{Runner, run};
use crate::vectors_ec::{rfc6979_key, rfc6979_point};
use ffi_headers::vendor::*;
use ffi_headers::*;
use hsm_core::Params;
use hsm_core::attributes::{self, Actor, Origin};
use hsm_core::object::{self, Attributes, Value};
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_crypto::Hash;
use hsm_crypto::ec::Curve;
use hsm_crypto::encoding::{PrivateForm, PublicForm};

pub const RUNNERS: &[(u64, Runner)] = &[
    (CKM_EC_KEY_PAIR_GEN, |env| pairs_on_every_curve(env, CKM_EC_KEY_PAIR_GEN) + openssl(env)),
    (CKM_EC_KEY_PAIR_GEN_W_EXTRA_BITS, |env| pairs_on_every_curve(env, CKM_EC_KEY_PAIR_GEN_W_EXTRA_BITS)),
    (CKM_EC_KEY_PAIR_GEN_W_EXTRA_BITS_OLD, |env| {
        let p256 = Template::default().with(CKA_EC_PARAMS, b"\x13\x05P-256");
        generated_pair_works(env, CKM_EC_KEY_PAIR_GEN_W_EXTRA_BITS_OLD, &p256);
        1
    }),
    (CKM_ECDSA_DETERMINISTIC, |env| {
        let hashes = [Hash::Sha1, Hash::Sha224, Hash::Sha256, Hash::Sha384, Hash::Sha512];
        hashes.into_iter().map(|hash| deterministic(env, CKM_ECDSA_DETERMINISTIC, hash, true)).sum()
    }),
    (CKM_ECDSA_DETERMINISTIC_SHA224, |env| deterministic(env, CKM_ECDSA_DETERMINISTIC_SHA224, Hash::Sha224, false)),
    (CKM_ECDSA_DETERMINISTIC_SHA256, |env| deterministic(env, CKM_ECDSA_DETERMINISTIC_SHA256, Hash::Sha256, false)),
    (CKM_ECDSA_DETERMINISTIC_SHA384, |env| deterministic(env, CKM_ECDSA_DETERMINISTIC_SHA384, Hash::Sha384, false)),
    (CKM_ECDSA_DETERMINISTIC_SHA512, |env| deterministic(env, CKM_ECDSA_DETERMINISTIC_SHA512, Hash::Sha512, false)),
];

#[test]
fn weierstrass_curves_give_the_published_values() {
    run(RUNNERS);
}

const USER: Actor = Actor { security_officer: false, user: true };

/// The name of each curve in SEC 2 or RFC 5639.
fn name(curve: Curve) -> String {
    match curve {
        Curve::P224 => "secp224r1".to_owned(),
        Curve::P256 => "secp256r1".to_owned(),
        Curve::P384 => "secp384r1".to_owned(),
        Curve::P521 => "secp521r1".to_owned(),
        Curve::K256 => "secp256k1".to_owned(),
        brainpool => format!("{brainpool:?}").replace('B', "b"),
    }
}

fn pairs_on_every_curve(env: &Env<'_>, kind: u64) -> usize {
    for curve in Curve::ALL {
        let name = name(curve);
        let params = [&[0x13, u8::try_from(name.len()).unwrap()], name.as_bytes()].concat();
        generated_pair_works(env, kind, &Template::default().with(CKA_EC_PARAMS, &params));
    }
    assert_eq!(rfc6979_key().key(env).unwrap().public_point(), Some(rfc6979_point()));
    Curve::ALL.len()
}

fn by_name(name: &str) -> Curve {
    Curve::ALL.into_iter().find(|curve| format!("{curve:?}") == name).unwrap()
}

fn openssl(env: &Env<'_>) -> usize {
    let mut ran = 0;
    let text = include_str!("../../../hsm-crypto/tests/vectors/curves_openssl.txt");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let fields: [&str; 7] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let [curve, scalar, point, peer, shared, hash, signature] = fields;
        let curve = by_name(curve);
        let base = private(PrivateForm::Ec { curve, scalar: hex(scalar).into(), point: Some(hex(point)) });
        assert_eq!(base.key(env).unwrap().public_point(), Some(hex(point)), "{curve:?}");
        let params = Params::Ecdh1 { kdf: CKD_NULL, shared: Vec::new(), public: hex(peer) };
        let key = derive(env, &mechanism(CKM_ECDH1_DERIVE, &params), &base, &Template::default()).unwrap();
        assert_eq!(key.bytes(CKA_VALUE), Some(&hex(shared)[..]), "{curve:?}");
        let message = if curve == Curve::P256 { "prime256v1".to_owned() } else { name(curve) };
        let kind = match hash {
            "sha224" => CKM_ECDSA_SHA224,
            "sha256" => CKM_ECDSA_SHA256,
            "sha384" => CKM_ECDSA_SHA384,
            _ => CKM_ECDSA_SHA512,
        };
        let key = public(PublicForm::Ec { curve, point: hex(point) });
        verify(env, &mechanism(kind, &Params::None), &key, message.as_bytes(), &hex(signature)).unwrap();
        ran += 1;
    }
    assert_eq!(ran, Curve::ALL.len());
    ran
}

/// `digested` has the test make the digest.
fn deterministic(env: &Env<'_>, kind: u64, hash: Hash, digested: bool) -> usize {
    let mechanism = mechanism(kind, &Params::None);
    let mut ran = 0;
    let text = include_str!("../../../hsm-crypto/tests/vectors/rfc6979.txt");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let [curve, scalar, hash_name, message, signature] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        if !format!("{hash:?}").eq_ignore_ascii_case(hash_name) {
            continue;
        }
        let key = private(PrivateForm::Ec { curve: by_name(curve), scalar: hex(scalar).into(), point: None });
        let message = if digested { digest(env, hash, message.as_bytes()) } else { message.as_bytes().to_vec() };
        assert_eq!(sign(env, &mechanism, &key, &message, !digested).unwrap(), hex(signature), "{curve} {hash_name}");
        ran += 1;
    }
    ran
}

#[test]
fn a_deterministic_signature_takes_digests_of_the_known_lengths_only() {
    for engine in engines() {
        let env = crate::support::env(engine);
        let key = rfc6979_key();
        let mechanism = mechanism(CKM_ECDSA_DETERMINISTIC, &Params::None);
        for bytes in [0, 1, 16, 31, 33, 63, 65] {
            assert_eq!(rv(&sign(&env, &mechanism, &key, &vec![1; bytes], false)), CKR_DATA_LEN_RANGE, "{bytes}");
        }
        let signature = sign(&env, &mechanism, &key, &[1; 32], false).unwrap();
        let public = public(PublicForm::Ec { curve: Curve::P256, point: rfc6979_point() });
        let plain = crate::support::mechanism(CKM_ECDSA, &Params::None);
        verify(&env, &plain, &public, &[1; 32], &signature).unwrap();
    }
}

/// A point that is not on the curve (an invalid-curve attack) never becomes a key, nor does one agree with it.
#[test]
fn points_off_the_curve_are_refused_on_import_and_by_agreements() {
    for engine in engines() {
        let env = crate::support::env(engine);
        for curve in Curve::ALL {
            let base = private(PrivateForm::Ec { curve, scalar: vec![7].into(), point: None });
            let point = base.key(&env).unwrap().public_point().unwrap();
            let field = curve.field_bytes();
            let mut off_curve = point.clone();
            off_curve[2 * field] ^= 1;
            let cases =
                [off_curve, [&[4], &vec![0; 2 * field][..]].concat(), [&[4], &vec![0xFF; 2 * field][..]].concat()];
            for bad in &cases {
                let outcome = attributes::build(&env, USER, Origin::Create, &import(curve, bad), Attributes::default());
                assert_eq!(outcome.err().map(|reason| reason.rv()), Some(CKR_ATTRIBUTE_VALUE_INVALID), "{curve:?}");
                let params = Params::Ecdh1 { kdf: CKD_NULL, shared: Vec::new(), public: bad.clone() };
                let agreement = mechanism(CKM_ECDH1_DERIVE, &params);
                let outcome = derive(&env, &agreement, &base, &Template::default());
                assert_eq!(rv(&outcome), CKR_MECHANISM_PARAM_INVALID, "{curve:?}");
            }
            // The right one, to show that it is the point that was refused.
            let template = import(curve, &point);
            let key = attributes::build(&env, USER, Origin::Create, &template, Attributes::default()).unwrap();
            assert_eq!(key.key(&env).unwrap().public_point(), Some(point), "{curve:?}");
        }
    }
}

/// The template that imports a public key.
fn import(curve: Curve, point: &[u8]) -> Template {
    let mut material = object::public_material(PublicForm::Ec { curve, point: point.to_vec() });
    material.insert(CKA_VERIFY, Value::Flag(true));
    object::template(&material)
}
