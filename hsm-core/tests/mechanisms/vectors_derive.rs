//! Derivations from keys: those that join, mix, cut and digest bytes.

use crate::support::{FURTHER, derive, derive_all, hex, mechanism, rv, secret, with};
use crate::vectors::{Runner, run};
use ffi_headers::*;
use hsm_core::object::{Object, Value};
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_core::{DeriveParams, Params, Result};

pub const RUNNERS: &[(u64, Runner)] = &[
    (CKM_CONCATENATE_BASE_AND_KEY, |env| {
        joins(env, CKM_CONCATENATE_BASE_AND_KEY, &DeriveParams::Key(FURTHER), "0102030405")
    }),
    (CKM_CONCATENATE_BASE_AND_DATA, |env| joins(env, CKM_CONCATENATE_BASE_AND_DATA, &data("0a0b"), "0102030a0b")),
    (CKM_CONCATENATE_DATA_AND_BASE, |env| joins(env, CKM_CONCATENATE_DATA_AND_BASE, &data("0a0b"), "0a0b010203")),
    (CKM_XOR_BASE_AND_DATA, |env| {
        joins(env, CKM_XOR_BASE_AND_DATA, &data("0a0b"), "0b09")
            + joins(env, CKM_XOR_BASE_AND_DATA, &data("ffffffffff"), "fefdfc")
    }),
    (CKM_EXTRACT_KEY_FROM_KEY, extractions),
    (CKM_SHA1_KEY_DERIVATION, |env| digests(env, CKM_SHA1_KEY_DERIVATION, SHA1)),
    (CKM_SHA224_KEY_DERIVATION, |env| digests(env, CKM_SHA224_KEY_DERIVATION, SHA224)),
    (CKM_SHA256_KEY_DERIVATION, |env| digests(env, CKM_SHA256_KEY_DERIVATION, SHA256)),
    (CKM_SHA384_KEY_DERIVATION, |env| digests(env, CKM_SHA384_KEY_DERIVATION, SHA384)),
    (CKM_SHA512_KEY_DERIVATION, |env| digests(env, CKM_SHA512_KEY_DERIVATION, SHA512)),
    (CKM_SHA512_224_KEY_DERIVATION, |env| {
        digests(env, CKM_SHA512_224_KEY_DERIVATION, "4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa")
    }),
    (CKM_SHA512_256_KEY_DERIVATION, |env| {
        digests(env, CKM_SHA512_256_KEY_DERIVATION, "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23")
    }),
    (CKM_SHA3_224_KEY_DERIVATION, |env| {
        digests(env, CKM_SHA3_224_KEY_DERIVATION, "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf")
    }),
    (CKM_SHA3_256_KEY_DERIVATION, |env| {
        digests(env, CKM_SHA3_256_KEY_DERIVATION, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532")
    }),
    (CKM_SHA3_384_KEY_DERIVATION, |env| {
        digests(
            env,
            CKM_SHA3_384_KEY_DERIVATION,
            "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b2\
         98d88cea927ac7f539f1edf228376d25",
        )
    }),
    (CKM_SHA3_512_KEY_DERIVATION, |env| {
        digests(
            env,
            CKM_SHA3_512_KEY_DERIVATION,
            "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e\
         10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0",
        )
    }),
    (CKM_BLAKE2B_160_KEY_DERIVE, |env| {
        digests(env, CKM_BLAKE2B_160_KEY_DERIVE, "384264f676f39536840523f284921cdc68b6846b")
    }),
    (CKM_BLAKE2B_256_KEY_DERIVE, |env| {
        digests(env, CKM_BLAKE2B_256_KEY_DERIVE, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319")
    }),
    (CKM_BLAKE2B_384_KEY_DERIVE, |env| {
        digests(
            env,
            CKM_BLAKE2B_384_KEY_DERIVE,
            "6f56a82c8e7ef526dfe182eb5212f7db9df1317e57815dbda46083fc30f54ee6\
         c66ba83be64b302d7cba6ce15bb556f4",
        )
    }),
    (CKM_BLAKE2B_512_KEY_DERIVE, |env| {
        digests(
            env,
            CKM_BLAKE2B_512_KEY_DERIVE,
            "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1\
         7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
        )
    }),
    (CKM_SHAKE_128_KEY_DERIVATION, |env| shakes(env, CKM_SHAKE_128_KEY_DERIVATION, SHAKE128)),
    (CKM_SHAKE_256_KEY_DERIVATION, |env| shakes(env, CKM_SHAKE_256_KEY_DERIVATION, SHAKE256)),
];

#[test]
fn derivations_give_the_published_values() {
    run(RUNNERS);
}

/// The digests of "abc" (FIPS 180-4 examples).
const SHA1: &str = "a9993e364706816aba3e25717850c26c9cd0d89d";
const SHA224: &str = "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7";
const SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const SHA384: &str = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7";
const SHA512: &str = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                      2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

/// Of "abc", computed with Python's hashlib.
const SHAKE128: &str = "5881092dd818bf5cf8a3ddb793fbcba74097d5c526a6d35f97b83351940f2cc844c50af32acd3f2c";
const SHAKE256: &str = "483366601360a8771c6863080cc4114d8db44530f8f1e1ee4f94ea37e78b5739d5a15bef186a5386c75744c0527e1faa9f8726e462a12a\
                        4feb06bd8801e751e41385141204f3";

fn data(bytes: &str) -> DeriveParams {
    DeriveParams::Data(hex(bytes).into())
}

fn bytes(count: u64) -> Template {
    Template::default().with_number(CKA_VALUE_LEN, count)
}

fn value(outcome: Result<Object>) -> Result<Vec<u8>> {
    outcome.map(|key| key.bytes(CKA_VALUE).unwrap().to_vec())
}

fn here() -> Env<'static> {
    crate::support::env(hsm_crypto::preferred())
}

/// From the base key 010203, and the second key 0405 where one is named.
fn joins(env: &Env<'_>, kind: u64, params: &DeriveParams, expect: &str) -> usize {
    let (base, second) = (secret(CKK_GENERIC_SECRET, &[1, 2, 3]), secret(CKK_AES, &[4, 5]));
    let mechanism = mechanism(kind, &Params::Derive(params.clone()));
    let made =
        |template: &Template| value(derive_all(env, &mechanism, &base, &second, template).map(|d| d.key.unwrap()));
    let whole = hex(expect);
    assert_eq!(made(&Template::default()).unwrap(), whole);
    for length in 1..=whole.len() {
        assert_eq!(made(&bytes(length as u64)).unwrap(), whole[..length]);
    }
    assert_eq!(rv(&made(&bytes(whole.len() as u64 + 1))), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_eq!(rv(&made(&Template::default().with_number(CKA_KEY_TYPE, CKK_AES))), CKR_TEMPLATE_INCOMPLETE);
    1
}

/// The example of the standard, and every offset and length against the bits one by one.
fn extractions(env: &Env<'_>) -> usize {
    let extract = |base: &[u8], offset: u64, template: &Template| {
        let mechanism = mechanism(CKM_EXTRACT_KEY_FROM_KEY, &Params::Derive(DeriveParams::BitOffset(offset)));
        value(derive(env, &mechanism, &secret(CKK_GENERIC_SECRET, base), template))
    };
    let base = hex("329f84a9");
    assert_eq!(extract(&base, 21, &bytes(2)).unwrap(), hex("9526"));
    let bit = |at: usize| base[at % 32 / 8] >> (7 - at % 8) & 1;
    for offset in 0..32 {
        for length in 1..=4 {
            let expect: Vec<u8> =
                (0..length).map(|byte| (0..8).fold(0, |value, at| value << 1 | bit(offset + 8 * byte + at))).collect();
            assert_eq!(extract(&base, offset as u64, &bytes(length as u64)).unwrap(), expect, "{offset} {length}");
        }
    }
    assert_eq!(rv(&extract(&base, 32, &bytes(1))), CKR_MECHANISM_PARAM_INVALID);
    assert_eq!(rv(&extract(&base, u64::MAX, &bytes(1))), CKR_MECHANISM_PARAM_INVALID);
    assert_eq!(rv(&extract(&base, 0, &bytes(5))), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_eq!(rv(&extract(&base, 0, &Template::default())), CKR_TEMPLATE_INCOMPLETE);
    1
}

fn digests(env: &Env<'_>, kind: u64, expect: &str) -> usize {
    let (base, expect) = (secret(CKK_GENERIC_SECRET, b"abc"), hex(expect));
    let mechanism = mechanism(kind, &Params::None);
    assert_eq!(value(derive(env, &mechanism, &base, &Template::default())).unwrap(), expect);
    assert_eq!(value(derive(env, &mechanism, &base, &bytes(16))).unwrap(), expect[..16]);
    let long = bytes(expect.len() as u64 + 1);
    assert_eq!(rv(&derive(env, &mechanism, &base, &long)), CKR_ATTRIBUTE_VALUE_INVALID);
    1
}

/// As many bytes as are asked for, and an error where none are.
fn shakes(env: &Env<'_>, kind: u64, expect: &str) -> usize {
    let (base, expect) = (secret(CKK_GENERIC_SECRET, b"abc"), hex(expect));
    let mechanism = mechanism(kind, &Params::None);
    for length in [1, 16, expect.len()] {
        let made = value(derive(env, &mechanism, &base, &bytes(length as u64))).unwrap();
        assert_eq!(made, expect[..length]);
    }
    assert_eq!(rv(&derive(env, &mechanism, &base, &Template::default())), CKR_TEMPLATE_INCOMPLETE);
    1
}

/// A key that hides its value.
fn hidden(value: &[u8]) -> Object {
    with(
        &with(&secret(CKK_GENERIC_SECRET, value), CKA_SENSITIVE, Value::Flag(true)),
        CKA_EXTRACTABLE,
        Value::Flag(false),
    )
}

/// Clulow's attack and CVE-2015-5464: a short piece of a hidden key, found by trying, gives the key away piece by piece.
#[test]
fn no_short_piece_of_a_hidden_key_becomes_a_key() {
    let base = hidden(&[7; 32]);
    let attempt = |params: &DeriveParams, kind, second: &Object, length| {
        let mechanism = mechanism(kind, &Params::Derive(params.clone()));
        rv(&derive_all(&here(), &mechanism, &base, second, &bytes(length)))
    };
    let open = secret(CKK_GENERIC_SECRET, &[9; 32]);
    let key = DeriveParams::Key(FURTHER);
    let zeros = |count: usize| DeriveParams::Data(vec![0; count].into());
    let refused = CKR_ATTRIBUTE_VALUE_INVALID;
    for (length, expect) in [(1, refused), (13, refused), (14, CKR_OK), (32, CKR_OK)] {
        assert_eq!(attempt(&DeriveParams::BitOffset(5), CKM_EXTRACT_KEY_FROM_KEY, &open, length), expect);
        assert_eq!(attempt(&zeros(8), CKM_CONCATENATE_BASE_AND_DATA, &open, length), expect);
        assert_eq!(attempt(&zeros(64), CKM_XOR_BASE_AND_DATA, &open, length), expect);
        assert_eq!(attempt(&key, CKM_CONCATENATE_BASE_AND_KEY, &open, length), expect);
        // Known bytes before the piece do not make it longer; bytes of an open key may be cut at will.
        assert_eq!(attempt(&zeros(20), CKM_CONCATENATE_DATA_AND_BASE, &open, length + 20), expect);
        assert_eq!(attempt(&key, CKM_CONCATENATE_BASE_AND_KEY, &open, length + 32), CKR_OK);
        assert_eq!(attempt(&key, CKM_CONCATENATE_BASE_AND_KEY, &hidden(&[1; 32]), length + 32), expect);
    }
    let short = DeriveParams::Data(vec![0; 5].into());
    assert_eq!(attempt(&short, CKM_XOR_BASE_AND_DATA, &open, 5), refused);
}

#[test]
fn what_is_made_of_the_bytes_of_a_protected_key_is_as_protected() {
    let open = secret(CKK_GENERIC_SECRET, &[9; 32]);
    let join = |base: &Object, second: &Object, template: &Template| {
        let mechanism = mechanism(CKM_CONCATENATE_BASE_AND_KEY, &Params::Derive(DeriveParams::Key(FURTHER)));
        derive_all(&here(), &mechanism, base, second, template).map(|derived| derived.key.unwrap())
    };
    for (kind, protects) in [(CKA_SENSITIVE, true), (CKA_EXTRACTABLE, false), (CKA_WRAP_WITH_TRUSTED, true)] {
        let protected = with(&open, kind, Value::Flag(protects));
        let lenient = Template::default().with_flag(kind, !protects);
        for (base, second) in [(&protected, &open), (&open, &protected)] {
            assert_eq!(join(base, second, &Template::default()).unwrap().flag(kind), protects);
            assert_eq!(rv(&join(base, second, &lenient)), CKR_TEMPLATE_INCONSISTENT);
            assert!(join(base, second, &Template::default().with_flag(kind, protects)).is_ok());
        }
        assert_eq!(join(&open, &open, &lenient).unwrap().flag(kind), !protects);
    }
}

#[test]
fn marks_of_origin_need_every_key_to_have_them() {
    let marked = |kind| with(&hidden(&[7; 32]), kind, Value::Flag(true));
    let plain = hidden(&[8; 32]);
    for kind in [CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE] {
        let mechanism = mechanism(CKM_CONCATENATE_BASE_AND_KEY, &Params::Derive(DeriveParams::Key(FURTHER)));
        let made = |base: &Object, second: &Object| {
            derive_all(&here(), &mechanism, base, second, &Template::default()).unwrap().key.unwrap().flag(kind)
        };
        assert!(made(&marked(kind), &marked(kind)));
        assert!(!made(&marked(kind), &plain) && !made(&plain, &marked(kind)));
    }
}

#[test]
fn a_further_key_is_judged_as_the_base_key_is() {
    let base = secret(CKK_GENERIC_SECRET, &[1; 32]);
    let mechanism = mechanism(CKM_CONCATENATE_BASE_AND_KEY, &Params::Derive(DeriveParams::Key(FURTHER)));
    let with_second = |second: &Object| rv(&derive_all(&here(), &mechanism, &base, second, &Template::default()));
    let second = secret(CKK_AES, &[2; 16]);
    assert_eq!(with_second(&second), CKR_OK);
    assert_eq!(with_second(&with(&second, CKA_DERIVE, Value::Flag(false))), CKR_KEY_FUNCTION_NOT_PERMITTED);
    let others_only = Value::Mechanisms([CKM_AES_ECB][..].into());
    assert_eq!(with_second(&with(&second, CKA_ALLOWED_MECHANISMS, others_only)), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_eq!(with_second(&crate::operability::sample_pair(CKK_EC).1), CKR_KEY_TYPE_INCONSISTENT);
    let prescribes = Template::default().with(CKA_LABEL, b"from it");
    let prescribing = with(&second, CKA_DERIVE_TEMPLATE, Value::Template(prescribes.into()));
    let made = derive_all(&here(), &mechanism, &base, &prescribing, &Template::default()).unwrap().key.unwrap();
    assert_eq!(made.bytes(CKA_LABEL), Some(&b"from it"[..]));
}
