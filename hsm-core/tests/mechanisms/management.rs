//! The rules of wrapping, unwrapping, derivation and generation.

use crate::operability::{DATA, USER, sample_pair, sample_params};
use crate::support::{self, aes, encrypt, engines, env, mechanism, private, rv, secret, with};
use ffi_headers::*;
use hsm_core::mechanisms::{self, Wraps};
use hsm_core::object::{Object, Value};
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_core::{Mechanism, Params, Result, keys};
use hsm_crypto::encoding::{PrivateForm, encode_pkcs8};

const PRIVATE_TYPES: [u64; 4] = [CKK_RSA, CKK_EC, CKK_EC_EDWARDS, CKK_EC_MONTGOMERY];

fn here() -> Env<'static> {
    env(hsm_crypto::preferred())
}

fn of(class: u64, key_type: u64) -> Template {
    Template::default().with_number(CKA_CLASS, class).with_number(CKA_KEY_TYPE, key_type)
}

fn cbc() -> Mechanism {
    mechanism(CKM_AES_CBC, &Params::Iv(vec![1; 16]))
}

fn cbc_pad() -> Mechanism {
    mechanism(CKM_AES_CBC_PAD, &Params::Iv(vec![1; 16]))
}

fn kw() -> Mechanism {
    mechanism(CKM_AES_KEY_WRAP, &Params::None)
}

fn kwp() -> Mechanism {
    mechanism(CKM_AES_KEY_WRAP_KWP, &Params::None)
}

fn wrap(mechanism: &Mechanism, wrapping: &Object, key: &Object) -> u64 {
    rv(&keys::wrap_key(&here(), mechanism, wrapping, key))
}

fn unwrap(mechanism: &Mechanism, key: &Object, wrapped: &[u8], template: &Template) -> Result<Object> {
    keys::unwrap_key(&here(), USER, mechanism, key, wrapped, template)
}

/// Content as a wrapping key would have encrypted it.
fn sealed(mechanism: &Mechanism, content: &[u8]) -> Vec<u8> {
    encrypt(&here(), mechanism, &aes(&DATA), content).unwrap()
}

// --- wrapping ---

#[test]
fn a_key_leaves_only_if_it_is_extractable_and_its_wishes_are_met() {
    let (kek, key) = (aes(&DATA), aes(&[1; 32]));
    let no = |kind| with(&key, kind, Value::Flag(false));
    let yes = |kind| with(&key, kind, Value::Flag(true));
    let trusted = with(&kek, CKA_TRUSTED, Value::Flag(true));
    let only = |template: Template| with(&kek, CKA_WRAP_TEMPLATE, Value::Template(template.into()));
    let aes_only = only(of(CKO_SECRET_KEY, CKK_AES));
    assert_eq!(wrap(&kwp(), &kek, &key), CKR_OK);
    assert_eq!(wrap(&kwp(), &kek, &no(CKA_EXTRACTABLE)), CKR_KEY_UNEXTRACTABLE);
    assert_eq!(wrap(&kwp(), &kek, &yes(CKA_WRAP_WITH_TRUSTED)), CKR_KEY_NOT_WRAPPABLE);
    assert_eq!(wrap(&kwp(), &trusted, &yes(CKA_WRAP_WITH_TRUSTED)), CKR_OK);
    assert_eq!(wrap(&kwp(), &aes_only, &key), CKR_OK);
    assert_eq!(wrap(&kwp(), &aes_only, &secret(CKK_GENERIC_SECRET, &DATA)), CKR_KEY_NOT_WRAPPABLE);
}

#[test]
fn public_keys_are_not_wrapped_and_private_ones_only_where_the_row_says_so() {
    let (public, private) = sample_pair(CKK_EC);
    for row in mechanisms::all().filter(|row| row.wrap.is_some()) {
        let mechanisms::KeyRule::Types([key_type, ..]) = row.keys else { panic!("{}", row.name) };
        let (kek, _) = sample_pair(*key_type);
        let mechanism = mechanism(row.kind, &sample_params(row));
        assert_eq!(wrap(&mechanism, &kek, &public), CKR_KEY_NOT_WRAPPABLE, "{}", row.name);
        let rv = wrap(&mechanism, &kek, &private);
        if row.wraps == Wraps::SecretAndPrivateKeys {
            let expect = match (row.kind, row.shape) {
                (CKM_AES_KEY_WRAP_PKCS7, _) => CKR_OK,
                // The 138 bytes of the PKCS#8 are no multiple of 8, nor the length that the sample announces.
                (_, hsm_core::ParamShape::OptionalIv(8) | hsm_core::ParamShape::Ccm) => CKR_KEY_SIZE_RANGE,
                _ => CKR_OK,
            };
            assert_eq!(rv, expect, "{}", row.name);
        } else {
            assert_eq!(rv, CKR_KEY_NOT_WRAPPABLE, "{}", row.name);
        }
    }
}

#[test]
fn a_private_key_without_all_its_parts_cannot_be_wrapped() {
    let (_, rsa) = sample_pair(CKK_RSA);
    let mut attributes = rsa.attributes();
    attributes.remove(CKA_COEFFICIENT);
    assert_eq!(wrap(&kwp(), &aes(&DATA), &Object::new(&attributes)), CKR_KEY_NOT_WRAPPABLE);
}

#[test]
fn a_secret_that_does_not_fit_the_mechanism_is_a_size_error() {
    let rsa = sample_pair(CKK_RSA).0;
    assert_eq!(
        wrap(&mechanism(CKM_RSA_PKCS, &Params::None), &rsa, &secret(CKK_GENERIC_SECRET, &[1; 246])),
        CKR_KEY_SIZE_RANGE
    );
    let kek = aes(&DATA);
    for bytes in [1, 8, 15, 17] {
        let short = secret(CKK_GENERIC_SECRET, &vec![1; bytes]);
        assert_eq!(wrap(&kw(), &kek, &short), CKR_KEY_SIZE_RANGE, "{bytes}");
        assert_eq!(wrap(&kwp(), &kek, &short), CKR_OK, "{bytes}");
    }
}

#[test]
fn private_keys_of_every_type_travel_under_every_mechanism_that_takes_them() {
    for engine in engines() {
        let env = env(engine);
        let kek = aes(&DATA);
        for mechanism in [cbc(), cbc_pad(), kwp(), mechanism(CKM_AES_GCM, &gcm())] {
            for key_type in PRIVATE_TYPES {
                let (_, key) = sample_pair(key_type);
                let wrapped = keys::wrap_key(&env, &mechanism, &kek, &key).unwrap();
                let template = of(CKO_PRIVATE_KEY, key_type);
                let back = keys::unwrap_key(&env, USER, &mechanism, &kek, &wrapped, &template).unwrap();
                for kind in [CKA_VALUE, CKA_MODULUS, CKA_PRIVATE_EXPONENT, CKA_COEFFICIENT] {
                    assert_eq!(back.bytes(kind), key.bytes(kind), "{key_type:#x} {kind:#x}");
                }
                assert!(back.key(&env).is_ok());
            }
        }
    }
}

fn gcm() -> Params {
    Params::Gcm { iv: vec![1; 8], aad: vec![], tag_bits: 96 }
}

// --- unwrapping ---

#[test]
fn the_template_says_what_the_key_is() {
    let wrapped = sealed(&kwp(), &DATA);
    let kek = aes(&DATA);
    let check = |template: Template, expect: u64| {
        assert_eq!(rv(&unwrap(&kwp(), &kek, &wrapped, &template)), expect, "{template:?}");
    };
    check(of(CKO_SECRET_KEY, CKK_AES), CKR_OK);
    check(of(CKO_SECRET_KEY, CKK_GENERIC_SECRET), CKR_OK);
    check(of(CKO_SECRET_KEY, CKK_SHA256_HMAC), CKR_OK);
    check(Template::default(), CKR_TEMPLATE_INCOMPLETE);
    check(Template::default().with_number(CKA_CLASS, CKO_SECRET_KEY), CKR_TEMPLATE_INCOMPLETE);
    check(Template::default().with(CKA_CLASS, &[4]), CKR_ATTRIBUTE_VALUE_INVALID);
    check(of(CKO_PUBLIC_KEY, CKK_RSA), CKR_TEMPLATE_INCONSISTENT);
    check(of(CKO_DATA, CKK_AES), CKR_TEMPLATE_INCONSISTENT);
    check(of(CKO_SECRET_KEY, CKK_RSA), CKR_TEMPLATE_INCONSISTENT);
    check(of(CKO_PRIVATE_KEY, CKK_RSA), CKR_WRAPPED_KEY_INVALID);
    check(of(CKO_SECRET_KEY, CKK_AES).with_number(CKA_VALUE_LEN, 32), CKR_OK);
    check(of(CKO_SECRET_KEY, CKK_AES).with_number(CKA_VALUE_LEN, 16), CKR_WRAPPED_KEY_INVALID);
    check(of(CKO_SECRET_KEY, CKK_AES).with_number(CKA_VALUE_LEN, 0), CKR_ATTRIBUTE_VALUE_INVALID);
}

#[test]
fn zero_padding_goes_where_the_length_says_so() {
    let kek = aes(&DATA);
    let key = aes(&[7; 24]);
    let ecb = mechanism(CKM_AES_ECB, &Params::None);
    for mechanism in [cbc(), ecb] {
        let wrapped = keys::wrap_key(&here(), &mechanism, &kek, &key).unwrap();
        assert_eq!(wrapped.len(), 32, "24 bytes fill two blocks");
        let template = of(CKO_SECRET_KEY, CKK_AES);
        let back = unwrap(&mechanism, &kek, &wrapped, &template.clone().with_number(CKA_VALUE_LEN, 24)).unwrap();
        assert_eq!(back.bytes(CKA_VALUE), Some(&[7; 24][..]), "the leading bytes are the key");
        assert_eq!(unwrap(&mechanism, &kek, &wrapped, &template).unwrap().bytes(CKA_VALUE).unwrap().len(), 32);
        let long = template.with_number(CKA_VALUE_LEN, 48);
        assert_eq!(rv(&unwrap(&mechanism, &kek, &wrapped, &long)), CKR_WRAPPED_KEY_INVALID);
    }
}

#[test]
fn whatever_is_wrong_with_the_decrypted_bytes_is_one_answer() {
    let kek = aes(&DATA);
    let (_, ec) = sample_pair(CKK_EC);
    let pkcs8 = encode_pkcs8(&PrivateForm::Ec {
        curve: hsm_crypto::ec::Curve::P256,
        scalar: vec![0x21; 32].into(),
        point: None,
    })
    .unwrap();
    let zero =
        encode_pkcs8(&PrivateForm::Ec { curve: hsm_crypto::ec::Curve::P256, scalar: vec![0; 32].into(), point: None });
    let mut contents = vec![
        ("empty", vec![]),
        ("no DER", vec![0xff; 64]),
        ("cut short", pkcs8.expose()[..pkcs8.len() - 1].to_vec()),
        ("trailing byte", [pkcs8.expose(), &[0]].concat()),
    ];
    if let Ok(zero) = zero {
        contents.push(("scalar 0", zero.expose().to_vec()));
    }
    for mechanism in [cbc_pad(), mechanism(CKM_AES_GCM, &gcm())] {
        for (what, content) in &contents {
            let outcome = unwrap(&mechanism, &kek, &sealed(&mechanism, content), &of(CKO_PRIVATE_KEY, CKK_EC));
            assert_eq!(rv(&outcome), CKR_WRAPPED_KEY_INVALID, "{what}");
        }
        let other_type = unwrap(&mechanism, &kek, &sealed(&mechanism, pkcs8.expose()), &of(CKO_PRIVATE_KEY, CKK_RSA));
        assert_eq!(rv(&other_type), CKR_WRAPPED_KEY_INVALID, "another key type");
        for bytes in [0, 15, 17, 33] {
            let outcome = unwrap(&mechanism, &kek, &sealed(&mechanism, &vec![1; bytes]), &of(CKO_SECRET_KEY, CKK_AES));
            assert_eq!(rv(&outcome), CKR_WRAPPED_KEY_INVALID, "{bytes} bytes are no AES key");
        }
    }
    // Every changed byte of a good wrapping: integrity or padding, the same answer.
    for mechanism in [kwp(), mechanism(CKM_AES_GCM, &gcm())] {
        let good = keys::wrap_key(&here(), &mechanism, &kek, &ec).unwrap();
        for at in [0, 7, 8, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let outcome = unwrap(&mechanism, &kek, &bad, &of(CKO_PRIVATE_KEY, CKK_EC));
            assert_eq!(rv(&outcome), CKR_WRAPPED_KEY_INVALID, "byte {at}");
        }
    }
}

#[test]
fn a_private_key_may_be_followed_by_zeros_only_where_the_mechanism_pads_with_them() {
    let kek = aes(&DATA);
    let template = of(CKO_PRIVATE_KEY, CKK_EC);
    let pkcs8 = encode_pkcs8(&hsm_core::object::private_form(&sample_pair(CKK_EC).1).unwrap()).unwrap();
    let mut content = pkcs8.expose().to_vec();
    content.resize(content.len().next_multiple_of(16), 0);
    assert!(unwrap(&cbc(), &kek, &sealed(&cbc(), &content), &template).is_ok());
    assert_eq!(rv(&unwrap(&cbc_pad(), &kek, &sealed(&cbc_pad(), &content), &template)), CKR_WRAPPED_KEY_INVALID);
    let last = content.len() - 1;
    content[last] = 1;
    assert_eq!(rv(&unwrap(&cbc(), &kek, &sealed(&cbc(), &content), &template)), CKR_WRAPPED_KEY_INVALID);
}

#[test]
fn a_wrapped_length_that_cannot_be_is_a_length_error() {
    let kek = aes(&DATA);
    let template = of(CKO_SECRET_KEY, CKK_AES);
    for mechanism in [cbc(), cbc_pad(), kw(), kwp()] {
        assert_eq!(rv(&unwrap(&mechanism, &kek, &[1; 33], &template)), CKR_WRAPPED_KEY_LEN_RANGE, "{mechanism:?}");
    }
    let (_, rsa) = sample_pair(CKK_RSA);
    let pkcs1 = mechanism(CKM_RSA_PKCS, &Params::None);
    assert_eq!(rv(&unwrap(&pkcs1, &rsa, &[1; 255], &template)), CKR_WRAPPED_KEY_LEN_RANGE);
}

/// Bleichenbacher: bad padding and a wrong length inside give the same answer, or a key nobody knows.
#[test]
fn bad_pkcs1_padding_is_no_oracle() {
    let (_, rsa) = sample_pair(CKK_RSA);
    let pkcs1 = mechanism(CKM_RSA_PKCS, &Params::None);
    let template = of(CKO_SECRET_KEY, CKK_AES).with_number(CKA_VALUE_LEN, 32);
    for first in 1..40_u8 {
        let mut ciphertext = vec![first; 256];
        ciphertext[0] = 0;
        let rv = rv(&unwrap(&pkcs1, &rsa, &ciphertext, &template));
        assert!(rv == CKR_WRAPPED_KEY_INVALID || rv == CKR_OK, "{rv:#x}");
    }
}

#[test]
fn the_unwrap_template_is_added_and_cannot_be_contradicted() {
    let prescribed = Template::default().with_flag(CKA_EXTRACTABLE, false).with_number(CKA_KEY_TYPE, CKK_AES);
    let kek = with(&aes(&DATA), CKA_UNWRAP_TEMPLATE, Value::Template(prescribed.into()));
    let wrapped = sealed(&kwp(), &[3; 16]);
    let class = Template::default().with_number(CKA_CLASS, CKO_SECRET_KEY);
    let key = unwrap(&kwp(), &kek, &wrapped, &class).unwrap();
    assert_eq!((key.key_type(), key.flag(CKA_EXTRACTABLE)), (Some(CKK_AES), false));
    for against in [class.clone().with_flag(CKA_EXTRACTABLE, true), of(CKO_SECRET_KEY, CKK_GENERIC_SECRET)] {
        assert_eq!(rv(&unwrap(&kwp(), &kek, &wrapped, &against)), CKR_TEMPLATE_INCONSISTENT);
    }
}

#[test]
fn a_point_that_is_not_the_scalars_makes_no_key() {
    let curve = hsm_crypto::ec::Curve::P256;
    let pkcs8 = |byte: u8| {
        let key = private(PrivateForm::Ec { curve, scalar: vec![byte; 32].into(), point: None });
        let point = key.key(&here()).unwrap().public_point();
        let form = PrivateForm::Ec { curve, scalar: vec![byte; 32].into(), point };
        encode_pkcs8(&form).unwrap().expose().to_vec()
    };
    // The point is the last thing in both encodings: 64 bytes behind its form byte.
    let (mut mixed, other) = (pkcs8(0x21), pkcs8(9));
    let point_at = mixed.len() - 64;
    let check = |content: &[u8], expect| {
        let outcome = unwrap(&kwp(), &aes(&DATA), &sealed(&kwp(), content), &of(CKO_PRIVATE_KEY, CKK_EC));
        assert_eq!(rv(&outcome), expect);
    };
    check(&mixed, CKR_OK);
    mixed[point_at..].copy_from_slice(&other[point_at..]);
    check(&mixed, CKR_WRAPPED_KEY_INVALID);
}

// --- derivation ---

fn derive(base: &Object, kdf: u64, template: &Template) -> Result<Object> {
    let curve_type = base.key_type().unwrap();
    let params = Params::Ecdh1 { kdf, shared: vec![], public: crate::operability::sample_point(curve_type) };
    support::derive(&here(), &mechanism(CKM_ECDH1_DERIVE, &params), base, template)
}

#[test]
fn a_derived_key_has_the_type_and_length_of_its_template() {
    let (_, base) = sample_pair(CKK_EC);
    let full = derive(&base, CKD_NULL, &Template::default()).unwrap();
    let full = full.bytes(CKA_VALUE).unwrap();
    let aes_key = derive(&base, CKD_NULL, &of(CKO_SECRET_KEY, CKK_AES)).unwrap();
    assert_eq!(aes_key.bytes(CKA_VALUE), Some(full), "32 bytes are an AES key");
    let short = derive(&base, CKD_NULL, &of(CKO_SECRET_KEY, CKK_AES).with_number(CKA_VALUE_LEN, 16)).unwrap();
    assert_eq!(short.bytes(CKA_VALUE), Some(&full[16..]), "bytes go from the leading end");
    let check =
        |kdf, template: Template, expect| assert_eq!(rv(&derive(&base, kdf, &template)), expect, "{template:?}");
    check(CKD_SHA1_KDF, of(CKO_SECRET_KEY, CKK_AES), CKR_TEMPLATE_INCOMPLETE);
    check(CKD_SHA1_KDF, of(CKO_SECRET_KEY, CKK_AES).with_number(CKA_VALUE_LEN, 24), CKR_OK);
    check(CKD_NULL, of(CKO_SECRET_KEY, CKK_AES).with_number(CKA_VALUE_LEN, 20), CKR_ATTRIBUTE_VALUE_INVALID);
    check(CKD_NULL, Template::default().with_number(CKA_VALUE_LEN, 33), CKR_ATTRIBUTE_VALUE_INVALID);
    check(CKD_NULL, of(CKO_SECRET_KEY, CKK_EC), CKR_TEMPLATE_INCONSISTENT);
    check(CKD_NULL, of(CKO_PRIVATE_KEY, CKK_EC), CKR_TEMPLATE_INCONSISTENT);
    check(CKD_NULL, of(CKO_SECRET_KEY, CKK_SHA256_HMAC), CKR_OK);
}

#[test]
fn the_derive_template_is_added_and_cannot_be_contradicted() {
    let (_, base) = sample_pair(CKK_EC);
    let prescribed = Template::default().with_flag(CKA_SENSITIVE, true);
    let base = with(&base, CKA_DERIVE_TEMPLATE, Value::Template(prescribed.into()));
    assert!(derive(&base, CKD_NULL, &Template::default()).unwrap().flag(CKA_SENSITIVE));
    let against = Template::default().with_flag(CKA_SENSITIVE, false);
    assert_eq!(rv(&derive(&base, CKD_NULL, &against)), CKR_TEMPLATE_INCONSISTENT);
}

#[test]
fn the_marks_of_the_base_key_go_on() {
    let (_, base) = sample_pair(CKK_EC);
    let marked = |always, never| {
        let base = with(&base, CKA_ALWAYS_SENSITIVE, Value::Flag(always));
        let base = with(&base, CKA_NEVER_EXTRACTABLE, Value::Flag(never));
        let template = Template::default().with_flag(CKA_SENSITIVE, true).with_flag(CKA_EXTRACTABLE, false);
        let key = derive(&base, CKD_NULL, &template).unwrap();
        assert!(!key.flag(CKA_LOCAL), "a derived key was not generated");
        (key.flag(CKA_ALWAYS_SENSITIVE), key.flag(CKA_NEVER_EXTRACTABLE))
    };
    assert_eq!(marked(true, true), (true, true));
    assert_eq!(marked(false, true), (false, true));
    assert_eq!(marked(true, false), (true, false));
}

// --- generation ---

#[test]
fn generation_asks_for_a_length_or_a_size_or_a_curve() {
    let check = |kind, template: &Template, expect| {
        let mechanism = mechanism(kind, &Params::None);
        let outcome = rv(&keys::generate_key(&here(), USER, &mechanism, template));
        assert_eq!(outcome, expect, "{kind:#x} {template:?}");
    };
    let bytes = |bytes| Template::default().with_number(CKA_VALUE_LEN, bytes);
    check(CKM_AES_KEY_GEN, &Template::default(), CKR_TEMPLATE_INCOMPLETE);
    check(CKM_GENERIC_SECRET_KEY_GEN, &Template::default(), CKR_TEMPLATE_INCOMPLETE);
    for wrong in [0, 8, 17, 33, 1 << 40] {
        check(CKM_AES_KEY_GEN, &bytes(wrong), CKR_ATTRIBUTE_VALUE_INVALID);
    }
    check(CKM_AES_KEY_GEN, &bytes(24), CKR_OK);
    check(CKM_GENERIC_SECRET_KEY_GEN, &bytes(1), CKR_OK);
    check(CKM_GENERIC_SECRET_KEY_GEN, &bytes(20).with_number(CKA_KEY_TYPE, CKK_SHA_1_HMAC), CKR_OK);
    check(CKM_GENERIC_SECRET_KEY_GEN, &bytes(16).with_number(CKA_KEY_TYPE, CKK_AES), CKR_TEMPLATE_INCONSISTENT);
    check(CKM_AES_KEY_GEN, &bytes(16).with_number(CKA_KEY_TYPE, CKK_GENERIC_SECRET), CKR_TEMPLATE_INCONSISTENT);
    check(CKM_RSA_PKCS_KEY_PAIR_GEN, &bytes(16), CKR_MECHANISM_INVALID);

    let pair = |kind, public: &Template| {
        let mechanism = mechanism(kind, &Params::None);
        rv(&keys::generate_key_pair(&here(), USER, &mechanism, public, &Template::default()))
    };
    let params = |params: &[u8]| Template::default().with(CKA_EC_PARAMS, params);
    assert_eq!(pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &Template::default()), CKR_TEMPLATE_INCOMPLETE);
    assert_eq!(pair(CKM_EC_KEY_PAIR_GEN, &Template::default()), CKR_TEMPLATE_INCOMPLETE);
    assert_eq!(pair(CKM_EC_KEY_PAIR_GEN, &params(b"\x13\x0cedwards25519")), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_eq!(pair(CKM_EC_EDWARDS_KEY_PAIR_GEN, &params(b"\x13\x08curve448")), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_eq!(pair(CKM_EC_KEY_PAIR_GEN, &params(b"\x13\x09secp192r1")), CKR_CURVE_NOT_SUPPORTED);
    assert_eq!(pair(CKM_AES_KEY_GEN, &Template::default()), CKR_MECHANISM_INVALID);
}

/// SunPKCS11 and others give the curve to both halves; it is refused only where they disagree.
#[test]
fn a_pair_takes_its_curve_from_either_template() {
    let mechanism = mechanism(CKM_EC_KEY_PAIR_GEN, &Params::None);
    let params = |params: &[u8]| Template::default().with(CKA_EC_PARAMS, params);
    let none = Template::default();
    let pair =
        |public: &Template, private: &Template| keys::generate_key_pair(&here(), USER, &mechanism, public, private);
    let p256 = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
    for (public, private) in
        [(params(b"\x13\x05P-256"), none.clone()), (none, params(p256)), (params(p256), params(p256))]
    {
        let (public, private) = pair(&public, &private).unwrap();
        assert_eq!(public.bytes(CKA_EC_PARAMS), Some(&p256[..]));
        assert_eq!(private.bytes(CKA_EC_PARAMS), Some(&p256[..]));
    }
    assert_eq!(rv(&pair(&params(p256), &params(b"\x13\x05P-384"))), CKR_TEMPLATE_INCONSISTENT);
}
