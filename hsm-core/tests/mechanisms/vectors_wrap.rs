//! Keys that travel under a fresh AES key, which itself travels under RSA-OAEP or is agreed on.

use crate::operability::{USER, sample_pair};
use crate::support::{aes, decrypt, env, hex, key, mechanism, numbers, private, rv, secret};
use crate::vectors::{Runner, run};
use ffi_headers::*;
use hsm_core::object::{self, Object, Value};
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_core::{Mechanism, Params, keys};
use hsm_crypto::Hash;
use hsm_crypto::SecretBytes;
use hsm_crypto::encoding::{PrivateForm, PublicForm, decode_pkcs8};
use serde_json::Value as Json;

pub const RUNNERS: &[(u64, Runner)] = &[
    (CKM_RSA_AES_KEY_WRAP, rsa_aes),
    (CKM_ECDH_AES_KEY_WRAP, |env| ecdh_aes(env, CKM_ECDH_AES_KEY_WRAP, false)),
    (CKM_ECDH_COF_AES_KEY_WRAP, |env| ecdh_aes(env, CKM_ECDH_COF_AES_KEY_WRAP, false)),
    (CKM_ECDH_X_AES_KEY_WRAP, |env| ecdh_aes(env, CKM_ECDH_X_AES_KEY_WRAP, true)),
];

#[test]
fn keys_that_others_wrapped_come_in_and_ours_come_back() {
    run(RUNNERS);
}

fn vectors() -> Json {
    serde_json::from_str(include_str!("../vectors/key_transport.json")).unwrap()
}

fn text<'a>(vector: &'a Json, name: &str) -> &'a str {
    vector[name].as_str().unwrap()
}

fn hash(vector: &Json) -> Option<Hash> {
    vector["hash"].as_str().map(|name| match name {
        "SHA-1" => Hash::Sha1,
        "SHA-256" => Hash::Sha256,
        _ => Hash::Sha384,
    })
}

/// Private and public key of a PKCS#8.
fn pair(der: &str) -> (Object, Object) {
    let form = decode_pkcs8(&hex(der)).unwrap();
    let public = match &form {
        PrivateForm::Rsa(parts) => object::public_material(PublicForm::Rsa {
            modulus: parts.modulus.clone(),
            public_exponent: parts.public_exponent.clone(),
        }),
        _ => {
            let private = private(form.clone());
            let point = private.key(&env(hsm_crypto::portable())).unwrap().public_point().unwrap();
            let mut material = private.attributes();
            material.insert(CKA_CLASS, Value::Number(CKO_PUBLIC_KEY));
            material.insert(CKA_EC_POINT, Value::Bytes(hsm_core::attributes::curves::octet_string(&point).into()));
            material.remove(CKA_VALUE);
            material
        }
    };
    (private(form), key(public))
}

fn template(class: u64, key_type: u64) -> Template {
    Template::default().with_number(CKA_CLASS, class).with_number(CKA_KEY_TYPE, key_type)
}

/// Unwraps what others wrapped, wraps the same and unwraps that; and sees that each change is noticed.
fn there_and_back(env: &Env<'_>, mechanism: &Mechanism, vector: &Json, private: &Object, public: &Object) {
    let (target, wrapped) = (hex(text(vector, "target")), hex(text(vector, "wrapped")));
    let is_private = vector["private"].as_bool().unwrap();
    let template =
        if is_private { template(CKO_PRIVATE_KEY, CKK_EC) } else { template(CKO_SECRET_KEY, CKK_GENERIC_SECRET) };
    let unwrapped = |wrapped: &[u8]| keys::unwrap_key(env, USER, mechanism, private, wrapped, &template);
    let came = unwrapped(&wrapped).unwrap();
    let sent = if is_private { pair(text(vector, "target")).0 } else { secret(CKK_GENERIC_SECRET, &target) };
    assert_eq!(came.bytes(CKA_VALUE), sent.bytes(CKA_VALUE));

    let ours = keys::wrap_key(env, mechanism, public, &sent).unwrap();
    if !is_private {
        assert_eq!(ours.len(), wrapped.len());
    }
    assert_eq!(unwrapped(&ours).unwrap().bytes(CKA_VALUE), sent.bytes(CKA_VALUE));
    // The length that a caller is told is that of a key wrapped a moment before: it must not vary.
    for _ in 0..3 {
        assert_eq!(keys::wrap_key(env, mechanism, public, &sent).unwrap().len(), ours.len());
    }
    for place in [0, 1, ours.len() / 2, ours.len() - 1] {
        let mut changed = ours.clone();
        changed[place] ^= 1;
        assert_eq!(rv(&unwrapped(&changed)), CKR_WRAPPED_KEY_INVALID, "{place}");
    }
    for bytes in [0, 1, 31] {
        assert_eq!(rv(&unwrapped(&ours[..bytes])), CKR_WRAPPED_KEY_LEN_RANGE, "{bytes}");
    }
    assert_eq!(rv(&unwrapped(&ours[..ours.len() - 1])), CKR_WRAPPED_KEY_LEN_RANGE);
}

fn oaep(vector: &Json) -> Params {
    let (hash, mgf) = numbers(hash(vector).unwrap());
    Params::Oaep { hash, mgf, source: CKZ_DATA_SPECIFIED, label: hex(text(vector, "label")) }
}

fn rsa_aes(env: &Env<'_>) -> usize {
    let all = vectors();
    let (private, public) = pair(text(&all, "rsa_key"));
    let vectors = all["rsa"].as_array().unwrap();
    for vector in vectors {
        let aes_bits = vector["bits"].as_u64().unwrap();
        let params = Params::RsaAesWrap { aes_bits, oaep: Box::new(oaep(vector)) };
        let mechanism = mechanism(CKM_RSA_AES_KEY_WRAP, &params);
        there_and_back(env, &mechanism, vector, &private, &public);
        takes_apart(env, &mechanism, &oaep(vector), &private, &public);
        let other_key = sample_pair(CKK_RSA).1;
        let outcome = keys::unwrap_key(
            env,
            USER,
            &mechanism,
            &other_key,
            &hex(text(vector, "wrapped")),
            &template(CKO_SECRET_KEY, CKK_GENERIC_SECRET),
        );
        assert_eq!(rv(&outcome), CKR_WRAPPED_KEY_INVALID);
    }
    vectors.len()
}

/// What one mechanism wraps, two others unwrap: the form that Azure and others import.
fn takes_apart(env: &Env<'_>, whole: &Mechanism, oaep: &Params, private: &Object, public: &Object) {
    let Params::RsaAesWrap { aes_bits, .. } = whole.params else { panic!("not the parameter") };
    let wrapped = keys::wrap_key(env, whole, public, &secret(CKK_GENERIC_SECRET, b"a key of 19 bytes !")).unwrap();
    let (first, second) = wrapped.split_at(256);
    let key = decrypt(env, &mechanism(CKM_RSA_PKCS_OAEP, oaep), private, first).unwrap();
    assert_eq!(key.len() as u64 * 8, aes_bits);
    let kwp = mechanism(CKM_AES_KEY_WRAP_KWP, &Params::None);
    assert_eq!(decrypt(env, &kwp, &aes(&key), second).unwrap(), b"a key of 19 bytes !");
}

fn ecdh_aes(env: &Env<'_>, kind: u64, montgomery: bool) -> usize {
    let mut ran = 0;
    for vector in vectors()["ecdh"].as_array().unwrap() {
        if text(vector, "curve").starts_with('X') != montgomery {
            continue;
        }
        let kdf = match hash(vector) {
            None => CKD_NULL,
            Some(Hash::Sha1) => CKD_SHA1_KDF,
            Some(_) => CKD_SHA256_KDF,
        };
        let aes_bits = vector["bits"].as_u64().unwrap();
        let params = Params::EcdhAesWrap { aes_bits, kdf, shared: hex(text(vector, "shared")) };
        let (private, public) = pair(text(vector, "key"));
        there_and_back(env, &mechanism(kind, &params), vector, &private, &public);
        ran += 1;
    }
    ran
}

#[test]
fn an_aes_key_of_another_length_and_a_modulus_too_small_are_refused() {
    let env = env(hsm_crypto::preferred());
    let (_, public) = pair(text(&vectors(), "rsa_key"));
    let params = |aes_bits, hash| {
        let (hash, mgf) = numbers(hash);
        let oaep = Box::new(Params::Oaep { hash, mgf, source: CKZ_DATA_SPECIFIED, label: vec![] });
        mechanism(CKM_RSA_AES_KEY_WRAP, &Params::RsaAesWrap { aes_bits, oaep })
    };
    let target = aes(&[7; 16]);
    for bits in [0, 64, 127, 160, 512, u64::MAX] {
        let outcome = keys::wrap_key(&env, &params(bits, Hash::Sha1), &public, &target);
        assert_eq!(rv(&outcome), CKR_MECHANISM_PARAM_INVALID, "{bits}");
        let ecdh = Params::EcdhAesWrap { aes_bits: bits, kdf: CKD_SHA256_KDF, shared: vec![] };
        let outcome = keys::wrap_key(&env, &mechanism(CKM_ECDH_AES_KEY_WRAP, &ecdh), &sample_pair(CKK_EC).0, &target);
        assert_eq!(rv(&outcome), CKR_MECHANISM_PARAM_INVALID, "{bits}");
    }
    let modulus = Value::Bytes(SecretBytes::new(vec![0xff; 128]));
    let small = crate::support::with(&public, CKA_MODULUS, modulus);
    let outcome = keys::wrap_key(&env, &params(256, Hash::Sha512), &small, &target);
    assert_eq!(rv(&outcome), CKR_WRAPPING_KEY_SIZE_RANGE);
    let null_with_data = Params::EcdhAesWrap { aes_bits: 256, kdf: CKD_NULL, shared: vec![1] };
    let ecdh = mechanism(CKM_ECDH_AES_KEY_WRAP, &null_with_data);
    assert_eq!(rv(&keys::wrap_key(&env, &ecdh, &sample_pair(CKK_EC).0, &target)), CKR_MECHANISM_PARAM_INVALID);
}
