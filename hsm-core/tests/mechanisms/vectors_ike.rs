//! IKE, the function of TLS 1.0 and 1.1, and Luna's counter mode: published values, refusals, and what a hidden key keeps.

use crate::operability::{sample_derived, sample_params};
use crate::support::{FURTHER, derive, derive_all, engines, env, hex, mechanism, rv, secret, with};
use crate::vectors::{Runner, run};
use ffi_headers::vendor::*;
use ffi_headers::*;
use hsm_core::mechanisms;
use hsm_core::object::{Object, Value};
use hsm_core::platform::Env;
use hsm_core::policy::Policy;
use hsm_core::template::Template;
use hsm_core::{
    DeriveParams, Ike1Params, IkeParams, IkeStreamParams, LunaKdfParams, Mechanism, ObjectHandle, Params, Result,
    Sources, TlsKdfParams, TlsPrfParams, TlsRandom, keys,
};
use std::sync::Arc;

pub const RUNNERS: &[(u64, Runner)] = &[
    (CKM_IKE_PRF_DERIVE, |env| ike(env, &["init", "psk", "rekey"])),
    (CKM_IKE1_PRF_DERIVE, |env| ike(env, &["d", "a", "e"])),
    (CKM_IKE1_EXTENDED_DERIVE, |env| ike(env, &["extended"])),
    (CKM_IKE2_PRF_PLUS_DERIVE, |env| ike(env, &["plus"])),
    (CKM_TLS_PRF, tls_prf),
    (CKM_NIST_PRF_KDF, |env| luna(env, CKM_NIST_PRF_KDF)),
    (CKM_PRF_KDF, |env| luna(env, CKM_PRF_KDF)),
];

#[test]
fn protocols_give_the_published_keys() {
    run(RUNNERS);
}

/// The handle of a second further key.
const SECOND: ObjectHandle = ObjectHandle(78);

fn value(key: Result<Object>) -> Result<Vec<u8>> {
    key.map(|key| key.bytes(CKA_VALUE).unwrap().to_vec())
}

fn of_type(key_type: u64, bytes: usize) -> Template {
    Template::default().with_number(CKA_KEY_TYPE, key_type).with_number(CKA_VALUE_LEN, bytes as u64)
}

fn generic(bytes: usize) -> Template {
    of_type(CKK_GENERIC_SECRET, bytes)
}

fn function(name: &str) -> u64 {
    match name {
        "SHA1" => CKM_SHA_1_HMAC,
        "SHA256" => CKM_SHA256_HMAC,
        "SHA384" => CKM_SHA384_HMAC,
        "SHA512" => CKM_SHA512_HMAC,
        "XCBC" => CKM_AES_XCBC_MAC,
        "CMAC" => CKM_AES_CMAC,
        other => panic!("{other}"),
    }
}

/// The lines of `ike.txt` of these kinds.
fn ike(env: &Env<'_>, kinds: &[&str]) -> usize {
    let mut ran = 0;
    let mut before = Vec::new();
    for line in include_str!("../vectors/ike.txt").lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let [kind, prf, base, further, first, second, result] = words[..] else { panic!("{line}") };
        let prf = function(prf);
        let [base, further, first, second, result] = [base, further, first, second, result].map(hex);
        let key = (!further.is_empty()).then_some(FURTHER);
        let stream = IkeStreamParams { prf, key, data: first.clone() };
        let (row, params) = match kind {
            "init" | "psk" | "rekey" => {
                let data_as_key = kind == "init";
                let params = IkeParams { prf, data_as_key, new_key: key, initiator: first, responder: second };
                (CKM_IKE_PRF_DERIVE, DeriveParams::Ike(params))
            }
            "d" | "a" | "e" => {
                let (number, previous) = match kind {
                    "d" => (0, None),
                    "a" => (1, Some(SECOND)),
                    _ => (2, Some(SECOND)),
                };
                let params = Ike1Params { prf, shared: FURTHER, previous, initiator: first, responder: second, number };
                (CKM_IKE1_PRF_DERIVE, DeriveParams::Ike1(params))
            }
            "plus" => (CKM_IKE2_PRF_PLUS_DERIVE, DeriveParams::Ike2Plus(stream)),
            "extended" => (CKM_IKE1_EXTENDED_DERIVE, DeriveParams::Ike1Extended(stream)),
            other => panic!("{other}"),
        };
        if kinds.contains(&kind) {
            let known = [
                (FURTHER, Arc::new(secret(CKK_GENERIC_SECRET, &further))),
                (SECOND, Arc::new(secret(CKK_GENERIC_SECRET, &before))),
            ];
            let (base, mechanism) = (secret(CKK_GENERIC_SECRET, &base), mechanism(row, &Params::Derive(params)));
            let sources = Sources { base: &base, further: &known };
            let user = crate::operability::USER;
            let made = keys::derive_key(env, user, &mechanism, sources, &generic(result.len())).unwrap();
            assert_eq!(made.key.unwrap().bytes(CKA_VALUE), Some(&result[..]), "{line}");
            ran += 1;
        }
        before = result;
    }
    ran
}

fn tls_prf_mechanism(label: &[u8], seed: &[u8], bytes: usize) -> Mechanism {
    let params = TlsPrfParams { label: label.to_vec(), seed: seed.to_vec(), bytes };
    mechanism(CKM_TLS_PRF, &Params::Derive(DeriveParams::TlsPrf(params)))
}

fn given(env: &Env<'_>, mechanism: &Mechanism, base: &Object) -> Result<Vec<u8>> {
    derive_all(env, mechanism, base, base, &Template::default()).map(|mut derived| {
        assert!(derived.key.is_none() && derived.further.is_empty());
        derived.values.remove(0)
    })
}

/// NIST CAVP TLS 1.0/1.1 KDF, as published with OpenSSL: secret, label, both halves of the seed, result.
const TLS: [[&str; 5]; 2] = [
    [
        "bded7fa5c1699c010be23dd06ada3a48349f21e5f86263d512c0c5cc379f0e780ec55d9844b2f1db02a96453513568d0",
        "master secret",
        "e5acaf549cd25c22d964c0d930fa4b5261d2507fad84c33715b7b9a864020693",
        "135e4d557fdf3aa6406d82975d5c606a9734c9334b42136e96990fbd5358cdb2",
        "2f6962dfbc744c4b2138bb6b3d33054c5ecc14f24851d9896395a44ab3964efc2090c5bf51a0891209f46c1e1e998f62",
    ],
    [
        "2f6962dfbc744c4b2138bb6b3d33054c5ecc14f24851d9896395a44ab3964efc2090c5bf51a0891209f46c1e1e998f62",
        "key expansion",
        "67267e650eb32444119d222a368c191af3082888dc35afe8368e638c828874be",
        "d58a7b1cd4fedaa232159df652ce188f9d997e061b9bf48e83b62990440931f6",
        "3088825988e77fce68d19f756e18e43eb7fe672433504feaf99b3c503d9091b164f166db301d70c9fc0870b4a94563907bee1a61f\
         b786cb717576890bcc51cb9ead97e01d0a2fea99c953377b195205ff07b369589178796edc963fd80fdbe518a2fc1c35c18ae8d",
    ],
];

fn tls_prf(env: &Env<'_>) -> usize {
    for [key, label, first, second, result] in TLS {
        let (base, result) = (secret(CKK_GENERIC_SECRET, &hex(key)), hex(result));
        let seed = [hex(first), hex(second)].concat();
        assert_eq!(given(env, &tls_prf_mechanism(label.as_bytes(), &seed, result.len()), &base).unwrap(), result);
        // The same function makes keys.
        let kdf = TlsKdfParams {
            hash: CKM_TLS_PRF,
            label: label.as_bytes().to_vec(),
            random: TlsRandom { client: hex(first), server: hex(second) },
            context: None,
        };
        let mechanism = mechanism(CKM_TLS_KDF, &Params::Derive(DeriveParams::TlsKdf(kdf)));
        assert_eq!(value(derive(env, &mechanism, &base, &generic(result.len()))).unwrap(), result);
    }
    // A secret of an odd length: both halves have its middle byte (OpenSSL, TLS1-PRF of MD5-SHA1).
    let odd = given(env, &tls_prf_mechanism(b"label", b"seed", 20), &secret(CKK_GENERIC_SECRET, b"odd")).unwrap();
    assert_eq!(odd, hex(ODD));
    TLS.len() + 1
}

const ODD: &str = "dacc8628cf9bedd07e50f80ec12a8d869a862054";

fn luna_mechanism(kind: u64, prf: u64, label: &[u8], context: &[u8], counter: u64, scheme: u64) -> Mechanism {
    let params = LunaKdfParams { prf, label: label.to_vec(), context: context.to_vec(), counter, scheme };
    mechanism(kind, &Params::Derive(DeriveParams::LunaKdf(params)))
}

/// The published vectors whose counter stands first and has 32 bits: the fixed input is context and label, cut anywhere.
fn luna(env: &Env<'_>, kind: u64) -> usize {
    let mut ran = 0;
    for line in include_str!("../vectors/kbkdf_counter.txt").lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let [prf, "32", key, "-", behind, result] = words[..] else { continue };
        let (prf, key_type) = match prf {
            "HMAC_SHA1" => (CK_NIST_PRF_KDF_HMAC_SHA1, CKK_GENERIC_SECRET),
            "HMAC_SHA224" => (CK_NIST_PRF_KDF_HMAC_SHA224, CKK_GENERIC_SECRET),
            "HMAC_SHA256" => (CK_NIST_PRF_KDF_HMAC_SHA256, CKK_GENERIC_SECRET),
            "HMAC_SHA384" => (CK_NIST_PRF_KDF_HMAC_SHA384, CKK_GENERIC_SECRET),
            "HMAC_SHA512" => (CK_NIST_PRF_KDF_HMAC_SHA512, CKK_GENERIC_SECRET),
            other if other.starts_with("CMAC_AES") => (CK_NIST_PRF_KDF_AES_CMAC, CKK_AES),
            other => panic!("{other}"),
        };
        let (base, behind, result) = (secret(key_type, &hex(key)), hex(behind), hex(result));
        for (cut, scheme) in [(20, LUNA_PRF_KDF_ENCODING_SCHEME_2), (33, LUNA_PRF_KDF_ENCODING_SCHEME_4)] {
            let (first, second) = behind.split_at(cut);
            let (context, label) =
                if scheme == LUNA_PRF_KDF_ENCODING_SCHEME_2 { (first, second) } else { (second, first) };
            let mechanism = luna_mechanism(kind, prf, label, context, 1, scheme);
            assert_eq!(value(derive(env, &mechanism, &base, &generic(result.len()))).unwrap(), result, "{line}");
        }
        ran += 1;
    }
    ran + other_encodings(env, kind)
}

/// Every encoding by its definition, over two rounds of the function.
fn other_encodings(env: &Env<'_>, kind: u64) -> usize {
    let (label, context): (&[u8], &[u8]) = (b"the label", b"the context");
    let key = [0x4b; 24];
    let hmac = |number: u64, data: &[u8]| {
        let hash = if number == CK_NIST_PRF_KDF_HMAC_SHA3_256 {
            hsm_crypto::Hash::Sha3_256
        } else {
            hsm_crypto::Hash::Ripemd160
        };
        let mut mac = (env.engine.hmac)(hash, &hsm_crypto::SymmetricKey::copy_of(&key)).unwrap();
        mac.update(data).unwrap();
        mac.finish().unwrap()
    };
    let others = if kind == CKM_PRF_KDF { &[CK_PRF_KDF_HMAC_RIPEMD160][..] } else { &[] };
    for prf in [&[CK_NIST_PRF_KDF_HMAC_SHA3_256], others].concat() {
        for scheme in LUNA_PRF_KDF_ENCODING_SCHEME_1..=LUNA_PRF_KDF_ENCODING_SCHEME_HID_KD {
            for first in [1_u32, 7] {
                let round = |counter: u32| {
                    let (four, one) = (counter.to_be_bytes(), [counter.to_be_bytes()[3]]);
                    let (long, short) = (320_u32.to_be_bytes(), 320_u16.to_be_bytes());
                    let parts: Vec<&[u8]> = match scheme {
                        LUNA_PRF_KDF_ENCODING_SCHEME_1 => vec![&four, context, &[0], label, &long],
                        LUNA_PRF_KDF_ENCODING_SCHEME_2 => vec![&four, context, label],
                        LUNA_PRF_KDF_ENCODING_SCHEME_3 => vec![&four, label, &[0], context, &long],
                        LUNA_PRF_KDF_ENCODING_SCHEME_4 => vec![&four, label, context],
                        LUNA_PRF_KDF_ENCODING_SCHEME_SCP03 => vec![label, &[0], &short, &one, context],
                        _ => vec![&one, label, &[0], context, &short],
                    };
                    hmac(prf, &parts.concat())
                };
                let expected = [round(first), round(first + 1)].concat();
                let mechanism = luna_mechanism(kind, prf, label, context, first.into(), scheme);
                let made = value(derive(env, &mechanism, &secret(CKK_GENERIC_SECRET, &key), &generic(40))).unwrap();
                assert_eq!(made, expected[..40], "{prf:#x} {scheme}");
            }
        }
    }
    // CMAC of triple DES, by the MAC itself.
    let base = crate::operability::sample_pair(CKK_DES3).1;
    let mechanism = luna_mechanism(kind, CK_NIST_PRF_KDF_DES3_CMAC, label, context, 1, LUNA_PRF_KDF_ENCODING_SCHEME_4);
    let made = value(derive(env, &mechanism, &base, &generic(8))).unwrap();
    let mac = crate::support::mechanism(CKM_DES3_CMAC, &Params::None);
    assert_eq!(made, crate::support::sign(env, &mac, &base, &[&[0, 0, 0, 1], label, context].concat(), true).unwrap());
    12
}

#[test]
fn luna_refuses_what_its_functions_and_encodings_cannot_say() {
    let env = env(hsm_crypto::preferred());
    let tried = |kind, prf, counter, scheme, bytes, base: &Object| {
        rv(&derive(&env, &luna_mechanism(kind, prf, b"l", b"c", counter, scheme), base, &generic(bytes)))
    };
    let (key, sha, nist) = (secret(CKK_GENERIC_SECRET, &[7; 24]), CK_NIST_PRF_KDF_HMAC_SHA256, CKM_NIST_PRF_KDF);
    for prf in [0, CK_PRF_KDF_ARIA_CMAC, CK_PRF_KDF_SEED_CMAC, CK_PRF_KDF_HMAC_RIPEMD160, 15] {
        assert_eq!(tried(nist, prf, 1, 0, 16, &key), CKR_MECHANISM_PARAM_INVALID, "{prf}");
    }
    assert_eq!(tried(nist, sha, 1, 6, 16, &key), CKR_MECHANISM_PARAM_INVALID);
    assert_eq!(tried(nist, sha, u64::from(u32::MAX), 0, 32, &key), CKR_OK);
    assert_eq!(tried(nist, sha, u64::from(u32::MAX), 0, 33, &key), CKR_MECHANISM_PARAM_INVALID);
    assert_eq!(tried(nist, sha, u64::MAX, 0, 33, &key), CKR_MECHANISM_PARAM_INVALID);
    for short in [LUNA_PRF_KDF_ENCODING_SCHEME_SCP03, LUNA_PRF_KDF_ENCODING_SCHEME_HID_KD] {
        assert_eq!(tried(nist, sha, 255, short, 32, &key), CKR_OK);
        assert_eq!(tried(nist, sha, 255, short, 33, &key), CKR_MECHANISM_PARAM_INVALID);
        assert_eq!(tried(nist, sha, 1, short, 8191, &key), CKR_MECHANISM_PARAM_INVALID, "more than 255 rounds");
        assert_eq!(tried(nist, sha, 1, short, 8192, &key), CKR_ATTRIBUTE_VALUE_INVALID, "more than 65535 bits");
    }
    assert_eq!(tried(nist, CK_NIST_PRF_KDF_AES_CMAC, 1, 0, 16, &key), CKR_KEY_TYPE_INCONSISTENT);
    assert_eq!(tried(nist, CK_NIST_PRF_KDF_DES3_CMAC, 1, 0, 16, &key), CKR_KEY_TYPE_INCONSISTENT);
    let des = crate::operability::sample_pair(CKK_DES3).1;
    assert_eq!(tried(nist, CK_NIST_PRF_KDF_AES_CMAC, 1, 0, 16, &des), CKR_KEY_TYPE_INCONSISTENT);
    assert_eq!(tried(nist, sha, 1, 0, 16, &des), CKR_OK);
}

#[test]
fn the_function_of_old_tls_gives_nothing_of_a_hidden_key_but_a_finished_message() {
    let env = env(hsm_crypto::preferred());
    let open = secret(CKK_GENERIC_SECRET, &[5; 48]);
    let sensitive = with(&open, CKA_SENSITIVE, Value::Flag(true));
    let locked = with(&open, CKA_EXTRACTABLE, Value::Flag(false));
    let tried = |base: &Object, label: &[u8], bytes| rv(&given(&env, &tls_prf_mechanism(label, b"seed", bytes), base));
    for label in [&b"client finished"[..], b"server finished"] {
        for base in [&open, &sensitive, &locked] {
            assert_eq!(tried(base, label, 12), CKR_OK);
        }
        assert_eq!(tried(&sensitive, label, 13), CKR_MECHANISM_PARAM_INVALID);
    }
    for hidden in [&sensitive, &locked] {
        assert_eq!(tried(hidden, b"key expansion", 12), CKR_MECHANISM_PARAM_INVALID);
        assert_eq!(tried(hidden, b"", 1), CKR_MECHANISM_PARAM_INVALID);
    }
    assert_eq!(tried(&open, b"key expansion", 104), CKR_OK);
    assert_eq!(tried(&open, b"key expansion", 0), CKR_MECHANISM_PARAM_INVALID);
}

#[test]
fn ike_refuses_lengths_and_combinations_that_the_standard_excludes() {
    let env = env(hsm_crypto::preferred());
    let base = secret(CKK_GENERIC_SECRET, &[9; 40]);
    let tried = |kind, params: DeriveParams, template: &Template| {
        rv(&derive(&env, &mechanism(kind, &Params::Derive(params)), &base, template))
    };
    let first = |data_as_key, new_key| {
        let (initiator, responder) = (vec![1; 8], vec![2; 8]);
        DeriveParams::Ike(IkeParams { prf: CKM_SHA256_HMAC, data_as_key, new_key, initiator, responder })
    };
    assert_eq!(tried(CKM_IKE_PRF_DERIVE, first(true, Some(FURTHER)), &generic(32)), CKR_ARGUMENTS_BAD);
    for bytes in [31, 33] {
        assert_eq!(tried(CKM_IKE_PRF_DERIVE, first(false, None), &generic(bytes)), CKR_KEY_SIZE_RANGE);
    }
    // Without a type the key is one of the function's.
    let made =
        derive(&env, &mechanism(CKM_IKE_PRF_DERIVE, &Params::Derive(first(false, None))), &base, &Template::default());
    assert_eq!(made.unwrap().key_type(), Some(CKK_SHA256_HMAC));
    let next = DeriveParams::Ike1(Ike1Params {
        prf: CKM_SHA_1_HMAC,
        shared: FURTHER,
        previous: None,
        initiator: vec![1; 8],
        responder: vec![2; 8],
        number: 0,
    });
    assert_eq!(tried(CKM_IKE1_PRF_DERIVE, next.clone(), &Template::default()), CKR_TEMPLATE_INCOMPLETE);
    assert_eq!(tried(CKM_IKE1_PRF_DERIVE, next.clone(), &generic(21)), CKR_KEY_SIZE_RANGE);
    assert_eq!(tried(CKM_IKE1_PRF_DERIVE, next, &of_type(CKK_AES, 16)), CKR_OK);
    let stream = |prf, data: &[u8]| IkeStreamParams { prf, key: None, data: data.to_vec() };
    let plus = |prf, data: &[u8]| DeriveParams::Ike2Plus(stream(prf, data));
    assert_eq!(tried(CKM_IKE2_PRF_PLUS_DERIVE, plus(CKM_SHA_1_HMAC, b"seed"), &generic(255 * 20)), CKR_OK);
    for (params, template, expected) in [
        (plus(CKM_SHA_1_HMAC, b"seed"), generic(255 * 20 + 1), CKR_KEY_SIZE_RANGE),
        (plus(CKM_SHA_1_HMAC, b"seed"), Template::default(), CKR_TEMPLATE_INCOMPLETE),
        (plus(CKM_SHA_1_HMAC, b""), generic(20), CKR_MECHANISM_PARAM_INVALID),
        (plus(CKM_SHA256, b"seed"), generic(20), CKR_MECHANISM_PARAM_INVALID),
    ] {
        assert_eq!(tried(CKM_IKE2_PRF_PLUS_DERIVE, params, &template), expected);
    }
    let extended = |data: &[u8]| DeriveParams::Ike1Extended(stream(CKM_SHA256_HMAC, data));
    assert_eq!(tried(CKM_IKE1_EXTENDED_DERIVE, extended(b""), &generic(255 * 32 + 1)), CKR_KEY_SIZE_RANGE);
    assert_eq!(tried(CKM_IKE1_EXTENDED_DERIVE, extended(b""), &Template::default()), CKR_TEMPLATE_INCOMPLETE);
}

#[test]
fn keys_of_ike_reveal_as_little_as_those_they_come_from_and_no_short_piece_is_cut() {
    let env = env(hsm_crypto::preferred());
    let sensitive = with(&secret(CKK_GENERIC_SECRET, &[9; 32]), CKA_SENSITIVE, Value::Flag(true));
    for row in mechanisms::all().filter(|row| row.name.starts_with("CKM_IKE")) {
        let (mechanism, template) = (mechanism(row.kind, &sample_params(row)), sample_derived(row.kind));
        let made = derive(&env, &mechanism, &sensitive, &template).unwrap();
        assert!(made.flag(CKA_SENSITIVE), "{}", row.name);
        let clear = template.with_flag(CKA_SENSITIVE, false);
        assert_eq!(rv(&derive(&env, &mechanism, &sensitive, &clear)), CKR_TEMPLATE_INCONSISTENT, "{}", row.name);
    }
    let alone = IkeStreamParams { prf: CKM_SHA256_HMAC, key: None, data: Vec::new() };
    let cut = mechanism(CKM_IKE1_EXTENDED_DERIVE, &Params::Derive(DeriveParams::Ike1Extended(alone)));
    assert_eq!(rv(&derive(&env, &cut, &sensitive, &generic(2))), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_eq!(rv(&derive(&env, &cut, &sensitive, &generic(16))), CKR_OK);
}

#[test]
fn functions_that_are_not_approved_or_outlived_need_their_policy() {
    let approved = Policy { approved: true, legacy: true, compatible: true };
    let without = Policy { legacy: false, ..Policy::default() };
    let base = with(&secret(CKK_GENERIC_SECRET, &[9; 32]), CKA_SENSITIVE, Value::Flag(true));
    let plus = |prf| {
        let params = IkeStreamParams { prf, key: None, data: vec![1; 32] };
        mechanism(CKM_IKE2_PRF_PLUS_DERIVE, &Params::Derive(DeriveParams::Ike2Plus(params)))
    };
    let old_kdf = mechanism(
        CKM_TLS_KDF,
        &Params::Derive(DeriveParams::TlsKdf(TlsKdfParams {
            hash: CKM_TLS_PRF,
            label: b"l".to_vec(),
            random: TlsRandom { client: vec![1], server: vec![2] },
            context: None,
        })),
    );
    let master = with(&secret(CKK_GENERIC_SECRET, &[9; 48]), CKA_SENSITIVE, Value::Flag(true));
    let luna = |prf, counter| luna_mechanism(CKM_NIST_PRF_KDF, prf, b"l", b"c", counter, 0);
    let sha = CK_NIST_PRF_KDF_HMAC_SHA256;
    for (policy, mechanism, base, expected) in [
        (approved, plus(CKM_SHA256_HMAC), &base, CKR_OK),
        (approved, plus(CKM_AES_XCBC_MAC), &base, CKR_MECHANISM_PARAM_INVALID),
        (without, plus(CKM_AES_XCBC_MAC), &base, CKR_OK),
        (without, old_kdf.clone(), &master, CKR_MECHANISM_PARAM_INVALID),
        (approved, old_kdf, &master, CKR_MECHANISM_PARAM_INVALID),
        (approved, luna(sha, 1), &base, CKR_OK),
        (approved, luna(sha, 2), &base, CKR_MECHANISM_PARAM_INVALID),
        (without, luna(sha, 2), &base, CKR_OK),
        (without, luna(CK_NIST_PRF_KDF_DES3_CMAC, 1), &base, CKR_MECHANISM_PARAM_INVALID),
    ] {
        let env = Env { policy, ..env(engines()[0]) };
        assert_eq!(rv(&derive(&env, &mechanism, base, &generic(32))), expected, "{policy:?} {mechanism:?}");
    }
}
