//! Keys in trees: BIP-32 and SLIP-10.

use crate::support::{derive_all, engines, env, hex, mechanism, rv, secret, sign, verify, with};
use crate::vectors::{Runner, run};
use ffi_headers::vendor::*;
use ffi_headers::*;
use hsm_core::object::{Object, Value};
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_core::{DeriveParams, Mechanism, Params, Reason, Result, TreeParams};
use hsm_crypto::kdf::tree::HARDENED;

pub const RUNNERS: &[(u64, Runner)] = &[
    (CKM_BIP32_MASTER_DERIVE, |env| trees(env, |path| path.is_empty())),
    (CKM_BIP32_CHILD_DERIVE, |env| trees(env, |path| !path.is_empty())),
];

#[test]
fn keys_in_trees_are_the_published_ones() {
    run(RUNNERS);
}

fn here() -> Env<'static> {
    env(hsm_crypto::preferred())
}

fn master_of(templates: [Template; 2]) -> Mechanism {
    let params = DeriveParams::TreeMaster(TreeParams { templates, path: Vec::new() });
    mechanism(CKM_BIP32_MASTER_DERIVE, &Params::Derive(params))
}

fn child_at(templates: [Template; 2], path: &[u64]) -> Mechanism {
    let params = DeriveParams::TreeChild(TreeParams { templates, path: path.to_vec() });
    mechanism(CKM_BIP32_CHILD_DERIVE, &Params::Derive(params))
}

/// The keys that a derivation writes into the parameter: the public one, and the private one where there is one.
fn keys(env: &Env<'_>, mechanism: &Mechanism, base: &Object) -> Result<Vec<Object>> {
    let derived = derive_all(env, mechanism, base, base, &Template::default())?;
    assert!(derived.key.is_none() && derived.values.is_empty());
    Ok(derived.further)
}

/// Templates that let everything be seen.
fn open() -> [Template; 2] {
    [Template::default(), Template::default().with_flag(CKA_SENSITIVE, false).with_flag(CKA_EXTRACTABLE, true)]
}

/// Any master key, public and private.
pub fn master(env: &Env<'_>) -> (Object, Object) {
    let mut made = keys(env, &master_of(open()), &secret(CKK_GENERIC_SECRET, &[0x27; 32])).unwrap();
    let private = made.pop().unwrap();
    (made.pop().unwrap(), private)
}

/// The templates of a tree in the file.
fn templates_of(tree: &str) -> [Template; 2] {
    let params: &[u8] = match tree {
        "bip32" => return open(),
        "secp256k1" => &[6, 5, 0x2b, 0x81, 4, 0, 0x0a],
        "secp256r1" => &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
        // The identifier that Luna clients use, and not that of RFC 8410.
        _ => &[6, 9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 0x0f, 1],
    };
    open().map(|template| template.with(CKA_EC_PARAMS, params))
}

#[test]
fn keys_in_trees_are_those_of_another_crate() {
    let seeds: [&[u8]; 3] = [&[0x31; 16], b"32 bytes of a seed that nobody h", &[0x5A; 64]];
    for engine in engines() {
        let env = env(engine);
        for seed in seeds {
            let master = keys(&env, &master_of(open()), &secret(CKK_GENERIC_SECRET, seed)).unwrap().pop().unwrap();
            for path in ["m/0", "m/0'", "m/44'/0'/0'/0/7", "m/2147483647'/1/2147483646'/2", "m/1/2/3/4/5/6/7/8/9"] {
                let made = keys(&env, &child_at(open(), &indices(path)), &master).unwrap();
                let other = bip32::XPrv::derive_from_path(seed, &path.parse().unwrap()).unwrap();
                assert_eq!(made[1].bytes(CKA_VALUE), Some(&other.private_key().to_bytes()[..]), "{path}");
                assert_eq!(compressed(&made[0]), other.public_key().to_bytes(), "{path}");
            }
        }
    }
}

fn indices(path: &str) -> Vec<u64> {
    let index = |step: &str| match step.strip_suffix('\'') {
        Some(step) => step.parse::<u64>().unwrap() + u64::from(HARDENED),
        None => step.parse().unwrap(),
    };
    path.split('/').skip(1).map(index).collect()
}

/// A compressed point, or the 32 bytes of Ed25519 behind a zero.
fn compressed(key: &Object) -> Vec<u8> {
    let point = &key.bytes(CKA_EC_POINT).unwrap()[2..];
    match point {
        [4, coordinates @ ..] => [&[2 + (coordinates[63] & 1)], &coordinates[..32]].concat(),
        _ => [&[0], point].concat(),
    }
}

fn trees(env: &Env<'_>, wanted: fn(&[u64]) -> bool) -> usize {
    let mut ran = 0;
    for line in include_str!("../vectors/key_trees.txt").lines().filter(|line| !line.starts_with('#')) {
        let [tree, seed, path, scalar, chain_code, point, depth, index, parent] =
            line.split(' ').collect::<Vec<_>>()[..]
        else {
            panic!("{line}")
        };
        let path = indices(path);
        if !wanted(&path) {
            continue;
        }
        let templates = templates_of(tree);
        let mut pair = keys(env, &master_of(templates.clone()), &secret(CKK_GENERIC_SECRET, &hex(seed))).unwrap();
        if !path.is_empty() {
            pair = keys(env, &child_at(templates, &path), &pair[1]).unwrap();
        }
        let [public, private] = &pair[..] else { panic!("{line}") };
        assert_eq!((public.class(), private.class()), (CKO_PUBLIC_KEY, CKO_PRIVATE_KEY));
        assert_eq!((public.key_type(), private.key_type()), (Some(CKK_BIP32), Some(CKK_BIP32)));
        assert_eq!(private.bytes(CKA_VALUE), Some(&hex(scalar)[..]), "{line}");
        for key in &pair {
            if chain_code != "-" {
                assert_eq!(key.bytes(CKA_BIP32_CHAIN_CODE), Some(&hex(chain_code)[..]), "{line}");
                assert_eq!(compressed(key), hex(point), "{line}");
            }
            if depth != "-" {
                assert_eq!(key.number(CKA_BIP32_CHILD_DEPTH), Some(depth.parse().unwrap()));
                assert_eq!(key.number(CKA_BIP32_CHILD_INDEX), Some(u64::from_str_radix(index, 16).unwrap()));
                assert_eq!(key.bytes(CKA_BIP32_PARENT_FINGERPRINT), Some(&hex(parent)[..]));
            }
        }
        ran += 1;
    }
    ran
}

/// BIP-32: the child of the public key is the public key of the child.
#[test]
fn public_and_private_derivation_meet() {
    for engine in engines() {
        let env = env(engine);
        for tree in ["bip32", "secp256k1", "secp256r1"] {
            let seed = secret(CKK_GENERIC_SECRET, &[5; 64]);
            let pair = keys(&env, &master_of(templates_of(tree)), &seed).unwrap();
            let path = [7, 0x7fff_ffff, 0];
            let of_private = keys(&env, &child_at(open(), &path), &pair[1]).unwrap();
            let of_public = keys(&env, &child_at(open(), &path), &pair[0]).unwrap();
            assert_eq!((of_private.len(), of_public.len()), (2, 1));
            for kind in [CKA_EC_POINT, CKA_BIP32_CHAIN_CODE, CKA_BIP32_ID, CKA_BIP32_PARENT_FINGERPRINT] {
                assert_eq!(of_public[0].bytes(kind), of_private[0].bytes(kind));
            }
            assert_eq!(
                of_public[0].bytes(CKA_BIP32_FINGERPRINT),
                Some(&of_public[0].bytes(CKA_BIP32_ID).unwrap()[..4])
            );
        }
    }
}

#[test]
fn keys_in_trees_sign_by_the_mechanisms_of_their_curve() {
    let seed = secret(CKK_GENERIC_SECRET, &[5; 16]);
    let (ecdsa, eddsa) = (mechanism(CKM_ECDSA_SHA256, &Params::None), mechanism(CKM_EDDSA, &Params::None));
    for (tree, right, wrong) in [("bip32", &ecdsa, &eddsa), ("secp256r1", &ecdsa, &eddsa), ("ed25519", &eddsa, &ecdsa)]
    {
        let pair = keys(&here(), &master_of(templates_of(tree)), &seed).unwrap();
        let path = [u64::from(HARDENED)];
        let [public, private] = &keys(&here(), &child_at(templates_of(tree), &path), &pair[1]).unwrap()[..] else {
            panic!("{tree}")
        };
        let signature = sign(&here(), right, private, b"message", false).unwrap();
        verify(&here(), right, public, b"message", &signature).unwrap();
        assert_eq!(rv(&verify(&here(), right, public, b"other", &signature)), CKR_SIGNATURE_INVALID);
        assert_eq!(rv(&sign(&here(), wrong, private, b"message", false)), CKR_KEY_TYPE_INCONSISTENT);
        let mute = with(private, CKA_SIGN, Value::Flag(false));
        assert_eq!(rv(&sign(&here(), right, &mute, b"message", false)), CKR_KEY_FUNCTION_NOT_PERMITTED);
    }
}

#[test]
fn faults_in_trees_have_the_return_values_of_luna() {
    let (public, private) = master(&here());
    let hardened = u64::from(HARDENED);
    let outcome = |base: &Object, path: &[u64]| rv(&keys(&here(), &child_at(open(), path), base));
    assert_eq!(outcome(&public, &[0, hardened]), CKR_BIP32_INVALID_HARDENED_DERIVATION);
    assert_eq!(outcome(&private, &[0, hardened]), CKR_OK);
    assert_eq!(outcome(&private, &[]), CKR_BIP32_INVALID_KEY_PATH_LEN);
    assert_eq!(outcome(&private, &[0; 256]), CKR_BIP32_INVALID_KEY_PATH_LEN);
    assert_eq!(outcome(&private, &[0, 1 << 32]), CKR_BIP32_CHILD_INDEX_INVALID);
    let deep = keys(&here(), &child_at(open(), &[0; 255]), &public).unwrap();
    assert_eq!(outcome(&deep[0], &[0]), CKR_BIP32_INVALID_KEY_PATH_LEN);
    let failed = keys(&here(), &child_at(open(), &[0, 1, hardened]), &public);
    assert!(matches!(failed, Err(Reason::Further { place: 2, .. })), "the step is named");
    for bytes in [15, 65] {
        let seed = secret(CKK_GENERIC_SECRET, &vec![1; bytes]);
        assert_eq!(rv(&keys(&here(), &master_of(open()), &seed)), CKR_BIP32_MASTER_SEED_LEN_INVALID);
    }
    let seed = secret(CKK_GENERIC_SECRET, &[1; 16]);
    let ed25519 = keys(&here(), &master_of(templates_of("ed25519")), &seed).unwrap();
    assert_eq!(outcome(&ed25519[1], &[0]), CKR_BIP32_CHILD_INDEX_INVALID);
    let [public_template, _] = templates_of("ed25519");
    let [_, private_template] = templates_of("secp256k1");
    let mixed = [public_template, private_template];
    assert_eq!(rv(&keys(&here(), &master_of(mixed), &seed)), CKR_TEMPLATE_INCONSISTENT);
    let other_curve = child_at(templates_of("secp256r1"), &[0]);
    assert_eq!(rv(&keys(&here(), &other_curve, &private)), CKR_TEMPLATE_INCONSISTENT);
    let p384 = open().map(|template| template.with(CKA_EC_PARAMS, b"\x13\x09secp384r1"));
    assert_eq!(rv(&keys(&here(), &master_of(p384), &seed)), CKR_CURVE_NOT_SUPPORTED);
}

/// With the parent's chain code and public key, a child that is not hardened gives the parent's private key away.
#[test]
fn a_child_reveals_as_little_as_its_parent() {
    let seed = secret(CKK_GENERIC_SECRET, &[5; 16]);
    let closed = || [Template::default(), Template::default()];
    let parent = keys(&here(), &master_of(closed()), &seed).unwrap().pop().unwrap();
    assert!(parent.flag(CKA_SENSITIVE) && !parent.flag(CKA_EXTRACTABLE));
    let child = keys(&here(), &child_at(closed(), &[0]), &parent).unwrap().pop().unwrap();
    assert!(child.flag(CKA_SENSITIVE) && !child.flag(CKA_EXTRACTABLE));
    assert_eq!(rv(&keys(&here(), &child_at(open(), &[0]), &parent)), CKR_TEMPLATE_INCONSISTENT);
    for kind in [CKA_VALUE, CKA_BIP32_CHAIN_CODE] {
        assert_eq!(hsm_core::attributes::answer(&child, kind), hsm_core::Answer::Sensitive);
    }
}

#[test]
fn version_bytes_are_four_bytes_or_a_number() {
    let seed = secret(CKK_GENERIC_SECRET, &[5; 16]);
    let versions = |templates: [Template; 2]| {
        let pair = keys(&here(), &master_of(templates), &seed)?;
        Ok::<_, Reason>(pair.iter().map(|key| key.bytes(CKA_BIP32_VERSION_BYTES).unwrap().to_vec()).collect::<Vec<_>>())
    };
    assert_eq!(versions(open()).unwrap(), [hex("0488b21e"), hex("0488ade4")]);
    let [public, private] = open();
    let templates = [
        public.with(CKA_BIP32_VERSION_BYTES, &[4, 0x35, 0x87, 0xcf]),
        private.with_number(CKA_BIP32_VERSION_BYTES, 0x0435_8394),
    ];
    assert_eq!(versions(templates).unwrap(), [hex("043587cf"), hex("04358394")]);
    let wrong = open().map(|template| template.with(CKA_BIP32_VERSION_BYTES, &[1, 2, 3]));
    assert_eq!(rv(&versions(wrong)), CKR_ATTRIBUTE_VALUE_INVALID);
}

#[test]
fn keys_in_trees_are_neither_created_nor_wrapped() {
    let (_, private) = master(&here());
    let wrap = mechanism(CKM_AES_KEY_WRAP_KWP, &Params::None);
    let wrapped = hsm_core::keys::wrap_key(&here(), &wrap, &crate::support::aes(&[1; 32]), &private);
    assert_eq!(rv(&wrapped), CKR_KEY_NOT_WRAPPABLE);
}
