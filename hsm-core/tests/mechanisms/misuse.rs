//! Misuse made from the rows: wrong parameters, keys, classes, usages and sizes, in the right order of answers.

use crate::operability::{DATA, USER, enclosing, sample_derived, sample_pair, sample_params};
use crate::support::{aes, derive_all, env, mechanism, rsa_public, with};
use ffi_headers::vendor::CKM_EXTMU_ML_DSA;
use ffi_headers::*;
use hsm_core::mechanisms::{self, KeyRule, Row, SizeUnit};
use hsm_core::object::{Object, Value};
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_core::{Mechanism, Params, Reason, Room, keys};
use hsm_crypto::SecretBytes;

/// What a key can be used for, as the caller sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Use {
    Sign,
    Verify,
    SignRecover,
    VerifyRecover,
    Encrypt,
    Decrypt,
    Wrap,
    Unwrap,
    Derive,
    Encapsulate,
    Decapsulate,
}

const USES: [Use; 11] = [
    Use::Sign,
    Use::Verify,
    Use::SignRecover,
    Use::VerifyRecover,
    Use::Encrypt,
    Use::Decrypt,
    Use::Wrap,
    Use::Unwrap,
    Use::Derive,
    Use::Encapsulate,
    Use::Decapsulate,
];

const KEY_TYPES: [u64; 12] = [
    CKK_RSA,
    CKK_EC,
    CKK_EC_EDWARDS,
    CKK_EC_MONTGOMERY,
    CKK_AES,
    CKK_GENERIC_SECRET,
    CKK_SHA256_HMAC,
    CKK_ML_KEM,
    CKK_ML_DSA,
    CKK_SLH_DSA,
    CKK_HSS,
    CKK_XMSSMT,
];

impl Use {
    fn flag(self) -> (u64, u64) {
        match self {
            Use::Sign => (CKF_SIGN, CKA_SIGN),
            Use::Verify => (CKF_VERIFY, CKA_VERIFY),
            Use::SignRecover => (CKF_SIGN_RECOVER, CKA_SIGN_RECOVER),
            Use::VerifyRecover => (CKF_VERIFY_RECOVER, CKA_VERIFY_RECOVER),
            Use::Encrypt => (CKF_ENCRYPT, CKA_ENCRYPT),
            Use::Decrypt => (CKF_DECRYPT, CKA_DECRYPT),
            Use::Wrap => (CKF_WRAP, CKA_WRAP),
            Use::Unwrap => (CKF_UNWRAP, CKA_UNWRAP),
            Use::Derive => (CKF_DERIVE, CKA_DERIVE),
            Use::Encapsulate => (CKF_ENCAPSULATE, CKA_ENCAPSULATE),
            Use::Decapsulate => (CKF_DECAPSULATE, CKA_DECAPSULATE),
        }
    }

    /// The right key of a pair, and the wrong one.
    fn halves(self, key_type: u64) -> (Object, Object) {
        let (public, private) = sample_pair(key_type);
        match self {
            Use::Verify | Use::VerifyRecover | Use::Encrypt | Use::Wrap | Use::Encapsulate => (public, private),
            Use::Sign | Use::SignRecover | Use::Decrypt | Use::Unwrap | Use::Derive | Use::Decapsulate => {
                (private, public)
            }
        }
    }

    /// The use begun with a key; what would come after the judgement of the key counts as well.
    fn begin(self, env: &Env<'_>, mechanism: &Mechanism, key: &Object) -> u64 {
        let outcome = match self {
            Use::Sign => mechanisms::start_sign(env, mechanism, key).map(|_| ()),
            Use::Verify => mechanisms::start_verify(env, mechanism, key).map(|_| ()),
            Use::SignRecover => mechanisms::start_sign_recover(env, mechanism, key).map(|_| ()),
            Use::VerifyRecover => mechanisms::start_verify_recover(env, mechanism, key).map(|_| ()),
            Use::Encrypt => mechanisms::start_encrypt(env, mechanism, key).map(|_| ()),
            Use::Decrypt => mechanisms::start_decrypt(env, mechanism, key).map(|_| ()),
            Use::Wrap => keys::wrap_key(env, mechanism, key, &aes(&DATA)).map(|_| ()),
            Use::Unwrap => keys::unwrap_key(env, USER, mechanism, key, &[], &Template::default()).map(|_| ()),
            Use::Derive => {
                let further = aes(&DATA);
                derive_all(env, mechanism, key, &further, &sample_derived(mechanism.kind)).map(|_| ())
            }
            Use::Encapsulate => {
                keys::encapsulate_key(env, USER, mechanism, key, &Template::default(), Room::Ask).map(|_| ())
            }
            Use::Decapsulate => keys::decapsulate_key(env, USER, mechanism, key, &[], &Template::default()).map(|_| ()),
        };
        // With an empty template the good case of unwrapping ends where the template is looked at.
        match outcome {
            Ok(()) => CKR_OK,
            Err(Reason::TemplateIncomplete(CKA_CLASS)) if self == Use::Unwrap => CKR_OK,
            // With an empty ciphertext that of decapsulation ends where the ciphertext is looked at.
            Err(Reason::WrappedKeyLength) if self == Use::Decapsulate => CKR_OK,
            Err(reason) => reason.rv(),
        }
    }

    fn wrong_type(self) -> u64 {
        match self {
            Use::Wrap => CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
            Use::Unwrap | Use::Decapsulate => CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
            _ => CKR_KEY_TYPE_INCONSISTENT,
        }
    }

    fn wrong_size(self) -> u64 {
        match self {
            Use::Wrap => CKR_WRAPPING_KEY_SIZE_RANGE,
            Use::Unwrap | Use::Decapsulate => CKR_UNWRAPPING_KEY_SIZE_RANGE,
            _ => CKR_KEY_SIZE_RANGE,
        }
    }
}

/// Calls `judge` for every row, use and key type that the row has.
fn for_each_use(judge: impl Fn(&Env<'_>, &Row, Use, u64)) {
    let env = env(hsm_crypto::preferred());
    for row in mechanisms::all() {
        let KeyRule::Types(types) = row.keys else { continue };
        for use_ in USES.into_iter().filter(|use_| row.info().flags & use_.flag().0 != 0) {
            for key_type in types {
                judge(&env, row, use_, *key_type);
            }
        }
    }
}

/// A good parameter of the row for a key of this type (the peer's point must be of its curve).
fn params_for(row: &Row, use_: Use, key_type: u64) -> Params {
    match sample_params(row) {
        params if matches!(use_, Use::Encapsulate | Use::Decapsulate) => enclosing(params),
        Params::Ecdh1 { kdf, shared, .. } => {
            Params::Ecdh1 { kdf, shared, public: crate::operability::sample_point(key_type) }
        }
        other => other,
    }
}

#[test]
fn every_use_begins_with_a_good_key() {
    for_each_use(|env, row, use_, key_type| {
        let (key, _) = use_.halves(key_type);
        let mechanism = mechanism(row.kind, &params_for(row, use_, key_type));
        assert_eq!(use_.begin(env, &mechanism, &key), CKR_OK, "{} {use_:?} {key_type:#x}", row.name);
    });
}

#[test]
fn a_use_that_a_row_has_not_is_an_invalid_mechanism_whatever_the_key() {
    let env = env(hsm_crypto::preferred());
    for row in mechanisms::all() {
        for use_ in USES.into_iter().filter(|use_| row.info().flags & use_.flag().0 == 0) {
            for key_type in [CKK_RSA, CKK_AES] {
                let (key, _) = use_.halves(key_type);
                let mechanism = mechanism(row.kind, &Params::MacLength(u64::MAX));
                assert_eq!(use_.begin(&env, &mechanism, &key), CKR_MECHANISM_INVALID, "{} {use_:?}", row.name);
            }
        }
        if row.digest.is_none() {
            let outcome = mechanisms::start_digest(&env, &mechanism(row.kind, &Params::None));
            assert_eq!(outcome.err().map(|reason| reason.rv()), Some(CKR_MECHANISM_INVALID), "{}", row.name);
        }
    }
    let unknown = mechanism(CKM_MD2_RSA_PKCS, &Params::None);
    for use_ in USES {
        assert_eq!(use_.begin(&env, &unknown, &use_.halves(CKK_RSA).0), CKR_MECHANISM_INVALID);
    }
}

/// What tells parameters of two shapes apart.
fn shape_of(params: &Params) -> impl PartialEq + use<> {
    let derivation = match params {
        Params::Derive(params) => Some(params.shape()),
        _ => None,
    };
    (core::mem::discriminant(params), derivation)
}

#[test]
fn a_parameter_of_another_shape_is_refused_before_the_key_is_looked_at() {
    for_each_use(|env, row, use_, key_type| {
        let samples: Vec<Params> = mechanisms::all().map(sample_params).collect();
        let own = shape_of(&sample_params(row));
        for wrong in samples.iter().filter(|params| shape_of(params) != own) {
            for other_type in [key_type, CKK_SHA512_HMAC] {
                let (key, _) = use_.halves(other_type);
                // An optional initial value of key wrap is an IV of its own length.
                if matches!((row.shape, wrong), (hsm_core::ParamShape::OptionalIv(bytes), Params::Iv(iv)) if iv.len() == bytes)
                {
                    continue;
                }
                let rv = use_.begin(env, &mechanism(row.kind, wrong), &key);
                assert_eq!(rv, CKR_MECHANISM_PARAM_INVALID, "{} {use_:?} {wrong:?}", row.name);
            }
        }
    });
}

#[test]
fn parameters_out_of_range_are_refused() {
    let (sha256, mgf) = (CKM_SHA256, CKG_MGF1_SHA256);
    let oaep = |hash, mgf, source, label: &[u8]| Params::Oaep { hash, mgf, source, label: label.to_vec() };
    let ecdh =
        |kdf, shared: &[u8], public: &[u8]| Params::Ecdh1 { kdf, shared: shared.to_vec(), public: public.to_vec() };
    let gcm = |iv: &[u8], tag_bits| Params::Gcm { iv: iv.to_vec(), aad: vec![], tag_bits };
    let eddsa = |prehash, context: &[u8]| Params::Eddsa { prehash, context: context.to_vec() };
    let context = |hedge, context: &[u8], hash| Params::SignContext { hedge, context: context.to_vec(), hash };
    let point = crate::operability::sample_point(CKK_EC);
    let off_curve = [&[4], &[1; 64][..]].concat();
    let cases: &[(u64, u64, Use, Params)] = &[
        (CKM_RSA_PKCS_OAEP, CKK_RSA, Use::Encrypt, oaep(0, 0, CKZ_DATA_SPECIFIED, b"")),
        (CKM_RSA_PKCS_OAEP, CKK_RSA, Use::Decrypt, oaep(CKM_MD5, mgf, CKZ_DATA_SPECIFIED, b"")),
        (CKM_RSA_PKCS_OAEP, CKK_RSA, Use::Wrap, oaep(sha256, 99, CKZ_DATA_SPECIFIED, b"")),
        (CKM_RSA_PKCS_OAEP, CKK_RSA, Use::Unwrap, oaep(sha256, mgf, 0, b"label")),
        (CKM_RSA_PKCS_OAEP, CKK_RSA, Use::Encrypt, oaep(sha256, mgf, 2, b"")),
        (CKM_RSA_PKCS_PSS, CKK_RSA, Use::Sign, Params::Pss { hash: 0, mgf, salt_bytes: 32 }),
        (CKM_RSA_PKCS_PSS, CKK_RSA, Use::Verify, Params::Pss { hash: sha256, mgf: 0, salt_bytes: 32 }),
        (CKM_RSA_PKCS_PSS, CKK_RSA, Use::Sign, Params::Pss { hash: sha256, mgf, salt_bytes: u64::MAX }),
        (CKM_SHA384_RSA_PKCS_PSS, CKK_RSA, Use::Sign, Params::Pss { hash: sha256, mgf, salt_bytes: 32 }),
        (CKM_AES_CTR, CKK_AES, Use::Encrypt, Params::Ctr { counter_bits: 0, block: [0; 16] }),
        (CKM_AES_CTR, CKK_AES, Use::Decrypt, Params::Ctr { counter_bits: 129, block: [0; 16] }),
        (CKM_AES_GCM, CKK_AES, Use::Encrypt, gcm(&[], 128)),
        (CKM_AES_GCM, CKK_AES, Use::Decrypt, gcm(&[1; 12], 100)),
        (CKM_AES_GCM, CKK_AES, Use::Wrap, gcm(&[1; 12], 24)),
        (CKM_AES_CBC, CKK_AES, Use::Encrypt, Params::Iv(vec![0; 15])),
        (CKM_AES_KEY_WRAP, CKK_AES, Use::Wrap, Params::Iv(vec![0; 4])),
        (CKM_AES_KEY_WRAP_KWP, CKK_AES, Use::Wrap, Params::Iv(vec![0; 8])),
        (CKM_AES_CMAC_GENERAL, CKK_AES, Use::Sign, Params::MacLength(0)),
        (CKM_AES_CMAC_GENERAL, CKK_AES, Use::Verify, Params::MacLength(17)),
        (CKM_SHA256_HMAC_GENERAL, CKK_GENERIC_SECRET, Use::Sign, Params::MacLength(0)),
        (CKM_SHA256_HMAC_GENERAL, CKK_GENERIC_SECRET, Use::Verify, Params::MacLength(33)),
        (CKM_EDDSA, CKK_EC_EDWARDS, Use::Sign, eddsa(true, &[1; 256])),
        (CKM_EDDSA, CKK_EC_EDWARDS, Use::Verify, eddsa(false, &[1; 256])),
        (CKM_ML_DSA, CKK_ML_DSA, Use::Sign, context(3, &[], None)),
        (CKM_ML_DSA, CKK_ML_DSA, Use::Verify, context(0, &[7; 256], None)),
        (CKM_HASH_ML_DSA_SHA256, CKK_ML_DSA, Use::Sign, context(0, &[7; 256], None)),
        (CKM_HASH_ML_DSA_SHA256, CKK_ML_DSA, Use::Sign, context(0, &[], Some(CKM_SHA256))),
        (CKM_HASH_ML_DSA, CKK_ML_DSA, Use::Sign, context(0, &[], Some(CKM_SHA_1))),
        (CKM_HASH_ML_DSA, CKK_ML_DSA, Use::Verify, context(0, &[], None)),
        (CKM_EXTMU_ML_DSA, CKK_ML_DSA, Use::Sign, context(0, b"context", None)),
        (CKM_SLH_DSA, CKK_SLH_DSA, Use::Sign, context(0, &[7; 256], None)),
        (CKM_SLH_DSA, CKK_SLH_DSA, Use::Verify, context(9, &[], None)),
        (CKM_HASH_SLH_DSA, CKK_SLH_DSA, Use::Verify, context(0, &[], Some(CKM_ML_DSA))),
        (CKM_HASH_SLH_DSA_SHAKE256, CKK_SLH_DSA, Use::Sign, context(u64::MAX, &[], None)),
        (CKM_ECDH1_DERIVE, CKK_EC, Use::Derive, ecdh(CKD_NULL, b"info", &point)),
        (CKM_ECDH1_DERIVE, CKK_EC, Use::Derive, ecdh(0, b"", &point)),
        (CKM_ECDH1_DERIVE, CKK_EC, Use::Derive, ecdh(CKD_NULL, b"", b"")),
        (CKM_ECDH1_DERIVE, CKK_EC, Use::Derive, ecdh(CKD_NULL, b"", &off_curve)),
        (CKM_ECDH1_DERIVE, CKK_EC, Use::Derive, ecdh(CKD_NULL, b"", &[0])),
        (CKM_ECDH1_DERIVE, CKK_EC_MONTGOMERY, Use::Derive, ecdh(CKD_NULL, b"", &point)),
        (CKM_ECDH1_DERIVE, CKK_EC_MONTGOMERY, Use::Derive, ecdh(CKD_NULL, b"", &[0; 32])),
    ];
    let env = env(hsm_crypto::preferred());
    for (kind, key_type, use_, params) in cases {
        let rv = use_.begin(&env, &mechanism(*kind, params), &use_.halves(*key_type).0);
        assert_eq!(rv, CKR_MECHANISM_PARAM_INVALID, "{kind:#x} {params:?}");
    }
}

#[test]
fn a_key_of_another_type_is_refused() {
    for_each_use(|env, row, use_, key_type| {
        let KeyRule::Types(types) = row.keys else { return };
        let mechanism = mechanism(row.kind, &params_for(row, use_, key_type));
        for other in KEY_TYPES.into_iter().filter(|other| !types.contains(other)) {
            let (key, _) = use_.halves(other);
            assert_eq!(use_.begin(env, &mechanism, &key), use_.wrong_type(), "{} {use_:?} {other:#x}", row.name);
        }
    });
}

#[test]
fn the_wrong_half_of_a_pair_is_refused() {
    for_each_use(|env, row, use_, key_type| {
        let (right, wrong) = use_.halves(key_type);
        // In a tree, both halves have children.
        if right.class() == CKO_SECRET_KEY || key_type == vendor::CKK_BIP32 {
            return;
        }
        let mechanism = mechanism(row.kind, &params_for(row, use_, key_type));
        assert_eq!(use_.begin(env, &mechanism, &wrong), use_.wrong_type(), "{} {use_:?}", row.name);
    });
}

#[test]
fn a_key_without_the_usage_is_refused_and_the_reason_names_it() {
    for_each_use(|env, row, use_, key_type| {
        let (key, _) = use_.halves(key_type);
        let key = with(&key, use_.flag().1, Value::Flag(false));
        let mechanism = mechanism(row.kind, &params_for(row, use_, key_type));
        assert_eq!(use_.begin(env, &mechanism, &key), CKR_KEY_FUNCTION_NOT_PERMITTED, "{} {use_:?}", row.name);
    });
    let (_, private) = sample_pair(CKK_RSA);
    let private = with(&private, CKA_SIGN, Value::Flag(false));
    let outcome =
        mechanisms::start_sign(&env(hsm_crypto::preferred()), &mechanism(CKM_RSA_PKCS, &Params::None), &private);
    assert!(matches!(outcome.err(), Some(Reason::KeyLacksUsage { need: CKA_SIGN })));
}

#[test]
fn allowed_mechanisms_exclude_all_others() {
    for_each_use(|env, row, use_, key_type| {
        let mechanism = mechanism(row.kind, &params_for(row, use_, key_type));
        let allowing = |list: &[u64]| {
            let (key, _) = use_.halves(key_type);
            use_.begin(env, &mechanism, &with(&key, CKA_ALLOWED_MECHANISMS, Value::Mechanisms((*list).into())))
        };
        assert_eq!(allowing(&[CKM_MD5]), CKR_KEY_FUNCTION_NOT_PERMITTED, "{} {use_:?}", row.name);
        assert_eq!(allowing(&[CKM_MD5, row.kind]), CKR_OK, "{} {use_:?}", row.name);
        assert_eq!(allowing(&[]), CKR_OK, "an empty list says nothing");
    });
}

#[test]
fn a_key_below_or_above_the_row_sizes_is_refused() {
    for_each_use(|env, row, use_, key_type| {
        let (key, _) = use_.halves(key_type);
        let mechanism = mechanism(row.kind, &params_for(row, use_, key_type));
        let sized = |bytes: usize| {
            let (attribute, mut value) = (if key_type == CKK_RSA { CKA_MODULUS } else { CKA_VALUE }, vec![0; bytes]);
            value.iter_mut().for_each(|byte| *byte = 0xff);
            use_.begin(env, &mechanism, &with(&key, attribute, Value::Bytes(SecretBytes::new(value))))
        };
        let unit = match row.unit {
            SizeUnit::Bits => 8,
            SizeUnit::Bytes | SizeUnit::None => 1,
        };
        // The size of the others is that of their curve or parameter set.
        let on_curve = matches!(key_type, CKK_EC | CKK_EC_EDWARDS | CKK_EC_MONTGOMERY | vendor::CKK_BIP32);
        let in_set = matches!(key_type, CKK_ML_KEM | CKK_ML_DSA | CKK_SLH_DSA | CKK_HSS | CKK_XMSS | CKK_XMSSMT);
        if !on_curve && !in_set {
            let bytes = |size: u64| usize::try_from(size / unit).unwrap();
            assert_eq!(sized(bytes(row.size_min) - 1), use_.wrong_size(), "{} {use_:?}", row.name);
            assert_eq!(sized(bytes(row.size_max) + 1), use_.wrong_size(), "{} {use_:?}", row.name);
        }
    });
}

#[test]
fn a_modulus_too_small_for_the_padding_is_refused_at_the_start() {
    let env = env(hsm_crypto::preferred());
    let small = rsa_public(&[0xff; 128], &[1, 0, 1]);
    let pss = Params::Pss { hash: CKM_SHA512, mgf: CKG_MGF1_SHA512, salt_bytes: 63 };
    let oaep = Params::Oaep { hash: CKM_SHA512, mgf: CKG_MGF1_SHA1, source: CKZ_DATA_SPECIFIED, label: vec![] };
    for (use_, kind, params) in [
        (Use::Verify, CKM_RSA_PKCS_PSS, &pss),
        (Use::Verify, CKM_SHA512_RSA_PKCS_PSS, &pss),
        (Use::Encrypt, CKM_RSA_PKCS_OAEP, &oaep),
    ] {
        assert_eq!(use_.begin(&env, &mechanism(kind, params), &small), CKR_KEY_SIZE_RANGE, "{kind:#x}");
    }
}
