//! Every flag that a row shows is carried out once: nothing is advertised that does not work.

use crate::pairs::generated_pair_works;
use crate::support::{
    FURTHER, RSA, aes, decrypt, derive_all, digest, encrypt, engines, env, key, mechanism, numbers, private,
    rsa_public, rv, secret, sign, sign_recover, verify, verify_recover,
};
use crate::vectors_pq;
use ffi_headers::vendor::CKM_EXTMU_ML_DSA;
use ffi_headers::*;
use hsm_core::attributes::Actor;
use hsm_core::mechanisms::{self, KeyRule, Row};
use hsm_core::object::{self, Object};
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_core::{
    DeriveParams, DeriveShape, HkdfParams, HkdfSalt, Ike1Params, IkeParams, IkeStreamParams, LunaKdfParams, Mechanism,
    ParamShape, Params, PasswordParams, PrfField, PrfKdfParams, PrfNumber, TlsExtendedParams, TlsKdfParams,
    TlsKeyParams, TlsMasterParams, TlsPrfParams, TlsRandom, TreeParams, keys,
};
use hsm_crypto::Hash;
use hsm_crypto::ec::Curve;
use hsm_crypto::encoding::PrivateForm;

pub const USER: Actor = Actor { security_officer: false, user: true };

/// A good parameter for a row.
pub fn sample_params(row: &Row) -> Params {
    let hash = Hash::ALL.into_iter().find(|hash| row.name.contains(&format!("{hash:?}_").to_uppercase()));
    let rsa = matches!(row.shape, ParamShape::Pss | ParamShape::Oaep);
    let (hash, mgf) = numbers(hash.filter(|_| rsa).unwrap_or(Hash::Sha256));
    match row.shape {
        ParamShape::None | ParamShape::OptionalIv(_) | ParamShape::OptionalEddsa | ParamShape::OptionalKmac => {
            Params::None
        }
        ParamShape::Iv16 => Params::Iv(vec![7; 16]),
        ParamShape::Ctr => Params::Ctr { counter_bits: 32, block: [9; 16] },
        ParamShape::Gcm => Params::Gcm { iv: vec![3; 12], aad: b"aad".to_vec(), tag_bits: 128 },
        ParamShape::Pss => Params::Pss { hash, mgf, salt_bytes: 20 },
        ParamShape::Oaep => Params::Oaep { hash, mgf, source: 0, label: Vec::new() },
        ParamShape::Ecdh1 => Params::Ecdh1 { kdf: CKD_NULL, shared: Vec::new(), public: sample_point(CKK_EC) },
        // Half a block of triple DES, and more than that of the others.
        ParamShape::MacLength if row.size_max == 24 => Params::MacLength(4),
        // t of SHA-512/t, in bits.
        ParamShape::MacLength if row.name.starts_with("CKM_SHA512_T") => Params::MacLength(256),
        ParamShape::MacLength => Params::MacLength(10),
        ParamShape::TlsMac => Params::TlsMac { hash: CKM_SHA256, bytes: 12, side: 1 },
        // The shape is the counter mode's, the rules are not.
        ParamShape::Derive(DeriveShape::PrfKdf) if row.kind == CKM_SP800_108_DOUBLE_PIPELINE_KDF => {
            Params::Derive(DeriveParams::PrfKdf(sample_prf(None)))
        }
        ParamShape::Derive(shape) => Params::Derive(sample_derivation(shape)),
        ParamShape::Iv8 => Params::Iv(vec![7; 8]),
        ParamShape::Gmac => Params::Gcm { iv: vec![3; 12], aad: Vec::new(), tag_bits: 96 },
        ParamShape::Ccm => {
            Params::Ccm { data_bytes: DATA.len() as u64, nonce: vec![3; 12], aad: b"aad".to_vec(), mac_bytes: 16 }
        }
        ParamShape::RsaAesWrap => Params::RsaAesWrap {
            aes_bits: 256,
            oaep: Box::new(Params::Oaep { hash, mgf, source: CKZ_DATA_SPECIFIED, label: Vec::new() }),
        },
        ParamShape::EcdhAesWrap => Params::EcdhAesWrap { aes_bits: 256, kdf: CKD_SHA256_KDF, shared: Vec::new() },
        ParamShape::ChaCha20 => Params::Stream { counter: vec![1, 0, 0, 0], nonce: vec![3; 12] },
        ParamShape::Salsa20 => Params::Stream { counter: vec![0; 8], nonce: vec![3; 8] },
        ParamShape::ChaCha20Poly1305 => Params::ChaCha20Poly1305 { nonce: vec![3; 12], aad: b"aad".to_vec() },
        ParamShape::OptionalSignContext => Params::None,
        ParamShape::HashSignContext => {
            Params::SignContext { hedge: CKH_HEDGE_REQUIRED, context: b"context".to_vec(), hash: Some(CKM_SHA256) }
        }
    }
}

/// The same parameter for an encapsulation, whose ciphertext is the peer's point.
pub fn enclosing(params: Params) -> Params {
    match params {
        Params::Ecdh1 { kdf, shared, .. } => Params::Ecdh1 { kdf, shared, public: Vec::new() },
        other => other,
    }
}

/// A good parameter of a derivation.
fn sample_derivation(shape: DeriveShape) -> DeriveParams {
    match shape {
        DeriveShape::Key => DeriveParams::Key(FURTHER),
        DeriveShape::Data => DeriveParams::Data(vec![0x25; 32].into()),
        DeriveShape::BitOffset => DeriveParams::BitOffset(3),
        DeriveShape::Hkdf => DeriveParams::Hkdf(HkdfParams {
            extract: true,
            expand: true,
            hash: CKM_SHA256,
            salt: HkdfSalt::Key(FURTHER),
            info: b"info".to_vec(),
        }),
        DeriveShape::PrfKdf => DeriveParams::PrfKdf(sample_prf(Some(PrfNumber { little_endian: false, bits: 32 }))),
        DeriveShape::CbcData => DeriveParams::CbcData { iv: [1; 16], data: vec![0x25; 32].into() },
        DeriveShape::Password => DeriveParams::Password(PasswordParams {
            salt_source: CKZ_SALT_SPECIFIED,
            salt: b"salt".to_vec(),
            rounds: 2,
            prf: CKP_PKCS5_PBKD2_HMAC_SHA256,
            has_prf_data: false,
            password: b"password".to_vec().into(),
        }),
        DeriveShape::TlsMaster => {
            DeriveParams::TlsMaster(TlsMasterParams { hash: CKM_SHA256, random: tls_random(), wants_version: false })
        }
        DeriveShape::TlsExtendedMaster => DeriveParams::TlsExtendedMaster(TlsExtendedParams {
            hash: CKM_SHA256,
            session_hash: vec![3; 32],
            wants_version: false,
        }),
        DeriveShape::TreeMaster => {
            DeriveParams::TreeMaster(TreeParams { templates: Default::default(), path: Vec::new() })
        }
        DeriveShape::TreeChild => {
            DeriveParams::TreeChild(TreeParams { templates: Default::default(), path: vec![0, 1] })
        }
        DeriveShape::TlsKeys => DeriveParams::TlsKeys(tls_keys()),
        DeriveShape::TlsSafeKeys => DeriveParams::TlsSafeKeys(tls_keys()),
        DeriveShape::TlsKdf => DeriveParams::TlsKdf(TlsKdfParams {
            hash: CKM_SHA256,
            label: b"EXPORTER-label".to_vec(),
            random: tls_random(),
            context: None,
        }),
        DeriveShape::FeedbackKdf => DeriveParams::FeedbackKdf(sample_prf(None)),
        DeriveShape::Ike => DeriveParams::Ike(IkeParams {
            prf: CKM_SHA256_HMAC,
            data_as_key: false,
            new_key: Some(FURTHER),
            initiator: vec![1; 16],
            responder: vec![2; 16],
        }),
        DeriveShape::Ike1 => DeriveParams::Ike1(Ike1Params {
            prf: CKM_SHA256_HMAC,
            shared: FURTHER,
            previous: Some(FURTHER),
            initiator: vec![1; 8],
            responder: vec![2; 8],
            number: 1,
        }),
        DeriveShape::Ike1Extended => DeriveParams::Ike1Extended(sample_stream()),
        DeriveShape::Ike2Plus => DeriveParams::Ike2Plus(sample_stream()),
        DeriveShape::TlsPrf => {
            DeriveParams::TlsPrf(TlsPrfParams { label: b"label".to_vec(), seed: vec![1; 64], bytes: 16 })
        }
        DeriveShape::LunaKdf => DeriveParams::LunaKdf(LunaKdfParams {
            prf: vendor::CK_NIST_PRF_KDF_HMAC_SHA256,
            label: b"label".to_vec(),
            context: b"context".to_vec(),
            counter: 1,
            scheme: vendor::LUNA_PRF_KDF_ENCODING_SCHEME_1,
        }),
    }
}

fn sample_stream() -> IkeStreamParams {
    IkeStreamParams { prf: CKM_SHA256_HMAC, key: Some(FURTHER), data: vec![3; 32] }
}

fn sample_prf(counter: Option<PrfNumber>) -> PrfKdfParams {
    let fields = vec![PrfField::Iteration(counter), PrfField::Bytes(b"label".to_vec())];
    PrfKdfParams { prf: CKM_SHA256_HMAC, fields, initial: Vec::new(), further: Vec::new() }
}

fn tls_random() -> TlsRandom {
    TlsRandom { client: vec![1; 32], server: vec![2; 32] }
}

fn tls_keys() -> TlsKeyParams {
    TlsKeyParams { mac_bits: 160, key_bits: 128, iv_bits: 0, export: false, random: tls_random(), hash: CKM_SHA256 }
}

/// A template with which the derivation of a row works.
pub fn sample_derived(row: u64) -> Template {
    let bytes = match row {
        CKM_TLS12_MASTER_KEY_DERIVE
        | CKM_TLS12_MASTER_KEY_DERIVE_DH
        | CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE
        | CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE_DH => 48,
        CKM_IKE_PRF_DERIVE => 32,
        _ => 16,
    };
    let template = Template::default().with_number(CKA_VALUE_LEN, bytes);
    match row {
        CKM_IKE_PRF_DERIVE | CKM_IKE1_PRF_DERIVE => template.with_number(CKA_KEY_TYPE, CKK_GENERIC_SECRET),
        _ => template,
    }
}

/// A public point of the sample key of this type.
pub fn sample_point(key_type: u64) -> Vec<u8> {
    sample_pair(key_type).0.bytes(CKA_EC_POINT).unwrap().to_vec()
}

/// Public and private key of a type; for secret keys, the same key twice.
pub fn sample_pair(key_type: u64) -> (Object, Object) {
    let env = env(hsm_crypto::preferred());
    let form = match key_type {
        CKK_RSA => {
            return (rsa_public(&RSA.modulus, &RSA.public_exponent), private(PrivateForm::Rsa(RSA.clone())));
        }
        CKK_EC => PrivateForm::Ec { curve: Curve::P256, scalar: vec![0x21; 32].into(), point: None },
        CKK_EC_EDWARDS => PrivateForm::Ed25519(vec![0x22; 32].into()),
        CKK_EC_MONTGOMERY => PrivateForm::X25519(vec![0x23; 32].into()),
        // The one length that every mechanism of AES takes.
        CKK_AES => return (secret(key_type, &[0x24; 16]), secret(key_type, &[0x24; 16])),
        CKK_DES3 => return (secret(key_type, &[0x25; 24]), secret(key_type, &[0x25; 24])),
        CKK_AES_XTS => {
            let halves = [[0x24; 16], [0x25; 16]].concat();
            return (secret(key_type, &halves), secret(key_type, &halves));
        }
        vendor::CKK_BIP32 => return crate::vectors_trees::master(&env),
        // As long as a master secret of TLS.
        CKK_GENERIC_SECRET => return (secret(key_type, &[0x24; 48]), secret(key_type, &[0x24; 48])),
        CKK_ML_KEM | CKK_ML_DSA | CKK_SLH_DSA => return vectors_pq::sample_pair(key_type),
        CKK_HSS | CKK_XMSS | CKK_XMSSMT => return crate::vectors_stateful::sample_pair(key_type),
        _ => return (secret(key_type, &[0x24; 32]), secret(key_type, &[0x24; 32])),
    };
    let private = private(form);
    let point = private.key(&env).unwrap().public_point().unwrap();
    let mut material = private.attributes();
    material.insert(CKA_CLASS, object::Value::Number(CKO_PUBLIC_KEY));
    material.insert(CKA_EC_POINT, object::Value::Bytes(hsm_core::attributes::curves::octet_string(&point).into()));
    material.remove(CKA_VALUE);
    // Without the key that was parsed for its point: whoever uses it parses it.
    (key(material), Object::new(&private.attributes()))
}

/// Data that every mechanism takes: two blocks, as long as the digest that raw PSS asks for.
pub const DATA: [u8; 32] = [0x5a; 32];

#[test]
fn every_advertised_function_works() {
    for engine in engines() {
        let env = env(engine);
        for row in mechanisms::all() {
            carry_out(&env, row);
        }
    }
}

/// Carries out every function of a row, with a key of each type that it takes.
pub fn carry_out(env: &Env<'_>, row: &Row) {
    match row.keys {
        KeyRule::None => without_key(env, row),
        KeyRule::Types(types) => types.iter().for_each(|key_type| with_key(env, row, *key_type)),
    }
}

fn without_key(env: &Env<'_>, row: &Row) {
    let mechanism = mechanism(row.kind, &sample_params(row));
    if row.digest.is_some() {
        let (hash, mut running) = mechanisms::start_digest(env, &mechanism).unwrap();
        running.update(&DATA);
        assert_eq!(running.finish(), digest(env, hash, &DATA), "{}", row.name);
    }
    if row.generate.is_some() {
        let bytes = if row.kind == CKM_DES3_KEY_GEN { 24 } else { 32 };
        let mut template = Template::default().with_number(CKA_VALUE_LEN, bytes);
        if row.kind == CKM_PKCS5_PBKD2 {
            // From the same password comes the same key; its vectors say more.
            template = template.with_number(CKA_KEY_TYPE, CKK_AES);
            assert!(keys::generate_key(env, USER, &mechanism, &template).is_ok());
            return;
        }
        let first = keys::generate_key(env, USER, &mechanism, &template).unwrap();
        let second = keys::generate_key(env, USER, &mechanism, &template).unwrap();
        assert_ne!(first.bytes(CKA_VALUE), second.bytes(CKA_VALUE), "{}", row.name);
    }
    generate_pair(env, row);
}

fn generate_pair(env: &Env<'_>, row: &Row) {
    if row.generate_pair.is_none() {
        return;
    }
    let template = match row.kind {
        CKM_RSA_PKCS_KEY_PAIR_GEN => Template::default().with_number(CKA_MODULUS_BITS, 1024),
        CKM_EC_KEY_PAIR_GEN | CKM_EC_KEY_PAIR_GEN_W_EXTRA_BITS | vendor::CKM_EC_KEY_PAIR_GEN_W_EXTRA_BITS_OLD => {
            Template::default().with(CKA_EC_PARAMS, b"\x13\x05P-384")
        }
        CKM_EC_MONTGOMERY_KEY_PAIR_GEN => Template::default().with(CKA_EC_PARAMS, b"\x13\x0acurve25519"),
        CKM_ML_KEM_KEY_PAIR_GEN => Template::default().with_number(CKA_PARAMETER_SET, CKP_ML_KEM_768),
        CKM_ML_DSA_KEY_PAIR_GEN => Template::default().with_number(CKA_PARAMETER_SET, CKP_ML_DSA_87),
        CKM_SLH_DSA_KEY_PAIR_GEN => Template::default().with_number(CKA_PARAMETER_SET, CKP_SLH_DSA_SHAKE_128F),
        CKM_HSS_KEY_PAIR_GEN => Template::default(),
        CKM_XMSS_KEY_PAIR_GEN => Template::default().with_number(CKA_PARAMETER_SET, crate::vectors_stateful::XMSS_SET),
        CKM_XMSSMT_KEY_PAIR_GEN => {
            Template::default().with_number(CKA_PARAMETER_SET, crate::vectors_stateful::XMSSMT_SET)
        }
        _ => Template::default().with(CKA_EC_PARAMS, b"\x13\x0cedwards25519"),
    };
    let (_, first) = generated_pair_works(env, row.kind, &template);
    let (_, second) = generated_pair_works(env, row.kind, &template);
    let secret = if first.key_type() == Some(CKK_RSA) { CKA_PRIVATE_EXPONENT } else { CKA_VALUE };
    assert_ne!(first.bytes(secret), second.bytes(secret), "{}", row.name);
}

fn with_key(env: &Env<'_>, row: &Row, key_type: u64) {
    let (public, private) = sample_pair(key_type);
    let mechanism = mechanism(row.kind, &sample_params(row));
    // What has no other half would not be carried out here. Messages are in the tests of the kernel.
    for (one, other) in [
        (row.sign.is_some(), row.verify.is_some()),
        (row.sign_recover.is_some(), row.verify_recover.is_some()),
        (row.encrypt.is_some(), row.decrypt.is_some()),
        (row.wrap.is_some(), row.unwrap.is_some()),
        (row.encapsulate.is_some(), row.decapsulate.is_some()),
    ] {
        assert_eq!(one, other, "{} has one half of two functions", row.name);
    }
    if row.sign.is_some() && row.verify.is_some() {
        // A message representative has 64 bytes.
        let data = if row.kind == CKM_EXTMU_ML_DSA { DATA.repeat(2) } else { DATA.to_vec() };
        let signature = sign(env, &mechanism, &private, &data, false).unwrap();
        verify(env, &mechanism, &public, &data, &signature).unwrap();
        let mut other = data.clone();
        other[31] ^= 1;
        assert_eq!(rv(&verify(env, &mechanism, &public, &other, &signature)), CKR_SIGNATURE_INVALID, "{}", row.name);
        for wrong in [&signature[1..], &[], &[&signature[..], &[0]].concat()] {
            assert_eq!(rv(&verify(env, &mechanism, &public, &data, wrong)), CKR_SIGNATURE_LEN_RANGE, "{}", row.name);
        }
    }
    let parts = row.info().flags & CKF_MULTI_MESSAGE != 0;
    for (flag, multi_part) in [
        (CKF_MESSAGE_SIGN, row.sign.map(|_| mechanisms::start_sign(env, &mechanism, &private).unwrap().multi_part())),
        (
            CKF_MESSAGE_VERIFY,
            row.verify.map(|_| mechanisms::start_verify(env, &mechanism, &public).unwrap().multi_part()),
        ),
    ] {
        if matches!(row.kind, CKM_AES_GMAC | CKM_POLY1305) {
            assert_eq!(row.info().flags & flag, 0, "{} is for one message", row.name);
            continue;
        }
        assert_eq!(row.info().flags & flag != 0, multi_part.is_some(), "{}", row.name);
        assert!(multi_part.is_none_or(|multi_part| multi_part == parts), "CKF_MULTI_MESSAGE of {}", row.name);
    }
    if row.sign_recover.is_some() && row.verify_recover.is_some() {
        recovers(env, row, &mechanism, &public, &private);
    }
    if row.encrypt.is_some() && row.decrypt.is_some() {
        let ciphertext = encrypt(env, &mechanism, &public, &DATA).unwrap();
        assert_ne!(ciphertext, DATA);
        let plaintext = decrypt(env, &mechanism, &private, &ciphertext).unwrap();
        // Without padding, RSA gives the whole block back.
        assert_eq!(plaintext.strip_prefix(&vec![0; plaintext.len() - DATA.len()][..]), Some(&DATA[..]), "{}", row.name);
    }
    if row.wrap.is_some() && row.unwrap.is_some() {
        wraps(env, row, &mechanism, &public, &private);
    }
    if row.derive.is_some() {
        derives(env, row, key_type);
    }
    if row.encapsulate.is_some() && row.decapsulate.is_some() {
        let mechanism = crate::support::mechanism(row.kind, &enclosing(sample_params(row)));
        vectors_pq::encapsulates(env, row, &mechanism, &public, &private);
    }
    generate_pair(env, row);
}

fn recovers(env: &Env<'_>, row: &Row, mechanism: &Mechanism, public: &Object, private: &Object) {
    let mut signature = sign_recover(env, mechanism, private, &DATA).unwrap();
    let data = verify_recover(env, mechanism, public, &signature).unwrap();
    // Without padding, RSA gives the whole block back.
    assert_eq!(data.strip_prefix(&vec![0; data.len() - DATA.len()][..]), Some(&DATA[..]), "{}", row.name);
    let shorter = verify_recover(env, mechanism, public, &signature[1..]);
    assert_eq!(rv(&shorter), CKR_SIGNATURE_LEN_RANGE, "{}", row.name);
    signature[9] ^= 1;
    assert_ne!(verify_recover(env, mechanism, public, &signature).ok(), Some(data), "{}", row.name);
}

fn wraps(env: &Env<'_>, row: &Row, mechanism: &Mechanism, public: &Object, private: &Object) {
    let wrapped = keys::wrap_key(env, mechanism, public, &aes(&DATA)).unwrap();
    let template = Template::default().with_number(CKA_CLASS, CKO_SECRET_KEY).with_number(CKA_KEY_TYPE, CKK_AES);
    let key = keys::unwrap_key(env, USER, mechanism, private, &wrapped, &template).unwrap();
    assert_eq!(key.bytes(CKA_VALUE), Some(&DATA[..]), "{}", row.name);
    assert!(!key.flag(CKA_LOCAL), "an unwrapped key came from outside");
}

fn derives(env: &Env<'_>, row: &Row, key_type: u64) {
    let (_, base) = sample_pair(key_type);
    let params = match sample_params(row) {
        Params::Ecdh1 { kdf, shared, .. } => Params::Ecdh1 { kdf, shared, public: sample_point(key_type) },
        other => other,
    };
    let template = sample_derived(row.kind);
    let derived =
        derive_all(env, &mechanism(row.kind, &params), &base, &secret(CKK_AES, &[0x26; 32]), &template).unwrap();
    assert_eq!(derived.key.is_some(), mechanisms::derivation_returns_key(row.kind), "{}", row.name);
    let Some(key) = derived.key else {
        if row.kind == CKM_TLS_PRF {
            assert_eq!((derived.further.len(), derived.values.len(), derived.values[0].len()), (0, 1, 16));
            return;
        }
        assert!(derived.further.iter().all(|key| !key.flag(CKA_LOCAL)) && !derived.further.is_empty());
        return;
    };
    if row.kind == CKM_HKDF_DATA {
        assert_eq!((key.class(), key.bytes(CKA_VALUE).unwrap().len()), (CKO_DATA, 16));
        return;
    }
    assert_eq!(key.key_type(), Some(CKK_GENERIC_SECRET), "{}", row.name);
    assert_eq!(key.bytes(CKA_VALUE).unwrap().len() as u64, template.number(CKA_VALUE_LEN).unwrap(), "{}", row.name);
    assert!(!key.flag(CKA_LOCAL), "a derived key was not made here");
}
