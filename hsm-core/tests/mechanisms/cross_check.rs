//! Every family that the `openssl` command has, against that command: digests, MACs, ciphers, key derivation.
//!
//! The vectors say that known answers come out; this says that for other keys and messages of awkward lengths a library that shares no
//! code with either engine comes to the same. `docs/testing.md`, "Cross-checks", says where the other families are compared.

use crate::support::{aes, decrypt, derive, encrypt, engines, env, mechanism, secret, sign, verify};
use ffi_headers::vendor::*;
use ffi_headers::*;
use hsm_core::object::Object;
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_core::{
    DeriveParams, HkdfParams, HkdfSalt, Params, PasswordParams, PrfField, PrfKdfParams, PrfNumber, keys, mechanisms,
};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Lengths about blocks of 8, 16, 64, 72 to 144 and 128 bytes.
const LENGTHS: [usize; 9] = [0, 1, 15, 16, 63, 64, 127, 144, 1000];
const KEY: [u8; 32] = *b"32 bytes that are no secret key.";
const IV: [u8; 16] = *b"16 bytes of a IV";

/// What the command makes of some input; `None` where it is not installed.
fn openssl(arguments: &str, input: &[u8]) -> Option<Vec<u8>> {
    let mut command = Command::new("openssl");
    command.args(arguments.split(' ')).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

/// Runs a comparison over every engine, unless there is nothing to compare with.
#[allow(clippy::print_stdout, reason = "whoever runs it should know that nothing was compared")]
fn compare(work: impl Fn(&Env<'_>)) {
    if openssl("version", &[]).is_none() {
        println!("openssl is not installed: nothing is compared");
        return;
    }
    engines().into_iter().for_each(|engine| work(&env(engine)));
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn message(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * 7 + bytes) as u8).collect()
}

const HASHES: [(&str, u64, Option<u64>); 16] = [
    ("md5", CKM_MD5, Some(CKM_MD5_HMAC)),
    ("ripemd160", CKM_RIPEMD160, Some(CKM_RIPEMD160_HMAC)),
    ("sha1", CKM_SHA_1, Some(CKM_SHA_1_HMAC)),
    ("sha224", CKM_SHA224, Some(CKM_SHA224_HMAC)),
    ("sha256", CKM_SHA256, Some(CKM_SHA256_HMAC)),
    ("sha384", CKM_SHA384, Some(CKM_SHA384_HMAC)),
    ("sha512", CKM_SHA512, Some(CKM_SHA512_HMAC)),
    ("sha512-224", CKM_SHA512_224, Some(CKM_SHA512_224_HMAC)),
    ("sha512-256", CKM_SHA512_256, Some(CKM_SHA512_256_HMAC)),
    ("sha3-224", CKM_SHA3_224, Some(CKM_SHA3_224_HMAC)),
    ("sha3-256", CKM_SHA3_256, Some(CKM_SHA3_256_HMAC)),
    ("sha3-384", CKM_SHA3_384, Some(CKM_SHA3_384_HMAC)),
    ("sha3-512", CKM_SHA3_512, Some(CKM_SHA3_512_HMAC)),
    ("shake128 -xoflen 32", CKM_SHAKE_128, None),
    ("shake256 -xoflen 64", CKM_SHAKE_256, None),
    ("blake2b512", CKM_BLAKE2B_512, None),
];

#[test]
fn digests_and_hmacs_are_those_of_openssl() {
    compare(|env| {
        for (name, kind, hmac) in HASHES {
            for message in LENGTHS.map(message) {
                let (_, mut digest) = mechanisms::start_digest(env, &mechanism(kind, &Params::None)).unwrap();
                digest.update(&message);
                assert_eq!(Some(digest.finish()), openssl(&format!("dgst -binary -{name}"), &message), "{name}");
                let Some(hmac) = hmac else { continue };
                // Shorter than the block, and longer than any.
                for key in [&KEY[..], &[0x4B; 150]] {
                    let arguments = format!("mac -digest {name} -macopt hexkey:{} -binary HMAC", digits(key));
                    mac_is(env, hmac, &Params::None, &secret(CKK_GENERIC_SECRET, key), &message, &arguments);
                }
            }
        }
    });
}

/// Signs, compares, and verifies.
fn mac_is(env: &Env<'_>, kind: u64, params: &Params, key: &Object, message: &[u8], arguments: &str) {
    let mechanism = mechanism(kind, params);
    let tag = openssl(arguments, message).unwrap();
    assert_eq!(sign(env, &mechanism, key, message, true).unwrap(), tag, "{arguments}, {} bytes", message.len());
    verify(env, &mechanism, key, message, &tag).unwrap();
}

#[test]
fn macs_are_those_of_openssl() {
    compare(|env| {
        let (key, iv) = (digits(&KEY), digits(&IV[..12]));
        let generic = secret(CKK_GENERIC_SECRET, &KEY);
        let gmac = Params::Gcm { iv: IV[..12].to_vec(), aad: Vec::new(), tag_bits: 128 };
        for message in LENGTHS.map(message) {
            for bytes in [16, 24, 32] {
                let cmac =
                    format!("mac -cipher AES-{}-CBC -macopt hexkey:{} -binary CMAC", 8 * bytes, &key[..2 * bytes]);
                mac_is(env, CKM_AES_CMAC, &Params::None, &aes(&KEY[..bytes]), &message, &cmac);
            }
            let cmac = format!("mac -cipher DES-EDE3-CBC -macopt hexkey:{} -binary CMAC", &key[..48]);
            mac_is(env, CKM_DES3_CMAC, &Params::None, &secret(CKK_DES3, &KEY[..24]), &message, &cmac);
            let arguments = format!("mac -cipher AES-256-GCM -macopt hexkey:{key} -macopt hexiv:{iv} -binary GMAC");
            mac_is(env, CKM_AES_GMAC, &gmac, &aes(&KEY), &message, &arguments);
            for (name, kind, bytes) in [("KMAC128", CKM_KMAC128, 32), ("KMAC256", CKM_KMAC256, 64)] {
                let kmac = format!("mac -macopt hexkey:{key} -macopt size:{bytes} -binary {name}");
                mac_is(env, kind, &Params::None, &generic, &message, &kmac);
            }
            let poly = format!("mac -macopt hexkey:{key} -binary Poly1305");
            mac_is(env, CKM_POLY1305, &Params::None, &secret(CKK_POLY1305, &KEY), &message, &poly);
            for (kind, bytes) in [(CKM_BLAKE2B_160_HMAC, 20), (CKM_BLAKE2B_384_HMAC, 48)] {
                let keyed = format!("mac -macopt hexkey:{key} -macopt size:{bytes} -binary BLAKE2BMAC");
                mac_is(env, kind, &Params::None, &generic, &message, &keyed);
            }
        }
    });
}

/// The MACs from before CMAC, which the command has not: they are made of its ciphers.
#[test]
fn macs_of_chained_blocks_are_what_openssl_chains() {
    compare(|env| {
        let chained = |key: &[u8], blocks: &[u8]| {
            let arguments = format!("enc -aes-128-cbc -nopad -K {} -iv {}", digits(key), digits(&[0; 16]));
            openssl(&arguments, blocks).unwrap().split_off(blocks.len() - 16)
        };
        let part = |number: u8| chained(&KEY[..16], &[number; 16]);
        let key = aes(&KEY[..16]);
        for message in LENGTHS.map(message).into_iter().filter(|message| !message.is_empty()) {
            let mut blocks = message.clone();
            blocks.resize(message.len().next_multiple_of(16), 0);
            let tag = &chained(&KEY[..16], &blocks)[..8];
            assert_eq!(sign(env, &mechanism(CKM_AES_MAC, &Params::None), &key, &message, true).unwrap(), tag);

            // RFC 3566, 4.2: the last block is masked, and marked where it is not whole.
            let mask = if message.len() == blocks.len() { part(2) } else { part(3) };
            if message.len() < blocks.len() {
                blocks[message.len()] = 0x80;
            }
            let last = blocks.len() - 16;
            blocks[last..].iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
            let tag = chained(&part(1), &blocks);
            let made = sign(env, &mechanism(CKM_AES_XCBC_MAC, &Params::None), &key, &message, true).unwrap();
            assert_eq!(made, tag, "{} bytes", message.len());
        }
    });
}

/// Another author's crate has what the command has not.
#[test]
fn salsa20_xchacha20_and_keccak_are_those_of_another_crate() {
    use cryptoxide::{chacha20, hashing::keccak, salsa20};
    let nonce: [u8; 24] = *b"24 bytes of a long nonce";
    let short = *nonce.first_chunk().unwrap();
    compare(|env| {
        for message in LENGTHS.map(message) {
            let streamed = |kind, key_type, nonce: &[u8]| {
                let params = Params::Stream { counter: vec![0; 8], nonce: nonce.to_vec() };
                encrypt(env, &mechanism(kind, &params), &secret(key_type, &KEY), &message).unwrap()
            };
            let mut other = message.clone();
            salsa20::Salsa20::new(&KEY, &short).process_mut(&mut other);
            assert_eq!(streamed(CKM_SALSA20, CKK_SALSA20, &short), other);
            let mut other = message.clone();
            salsa20::XSalsa20::new(&KEY, &nonce).process_mut(&mut other);
            assert_eq!(streamed(CKM_SALSA20, CKK_SALSA20, &nonce), other);
            // The first block of the stream is the key of the tag (RFC 8439, 2.8).
            let mut stream = chacha20::XChaCha::<20>::new(&KEY, &nonce);
            let (mut first, mut other) = ([0; 64], message.clone());
            stream.process_mut(&mut first);
            stream.process_mut(&mut other);
            let params = Params::ChaCha20Poly1305 { nonce: nonce.to_vec(), aad: Vec::new() };
            let key = secret(CKK_CHACHA20, &KEY);
            let sealed = encrypt(env, &mechanism(CKM_CHACHA20_POLY1305, &params), &key, &message).unwrap();
            let (ciphertext, tag) = sealed.split_at(message.len());
            assert_eq!(ciphertext, other);
            other.resize(message.len().next_multiple_of(16) + 8, 0);
            other.extend((message.len() as u64).to_le_bytes());
            let poly = format!("mac -macopt hexkey:{} -binary Poly1305", digits(&first[..32]));
            assert_eq!(Some(tag), openssl(&poly, &other).as_deref());

            let digest = |kind| {
                let (_, mut digest) = mechanisms::start_digest(env, &mechanism(kind, &Params::None)).unwrap();
                digest.update(&message);
                digest.finish()
            };
            assert_eq!(digest(CKM_KECCAK_224), keccak::Keccak224::new().update(&message).finalize());
            assert_eq!(digest(CKM_KECCAK_256), keccak::Keccak256::new().update(&message).finalize());
            assert_eq!(digest(CKM_KECCAK_384), keccak::Keccak384::new().update(&message).finalize());
            assert_eq!(digest(CKM_KECCAK_512), keccak::Keccak512::new().update(&message).finalize());
        }
    });
}

#[test]
fn ciphers_are_those_of_openssl() {
    let counter = Params::Ctr { counter_bits: 32, block: IV };
    let iv = Params::Iv(IV.to_vec());
    let stream = Params::Stream { counter: IV[..4].to_vec(), nonce: IV[4..].to_vec() };
    let modes = [
        (CKM_AES_ECB, "aes-256-ecb -nopad", 16, Params::None),
        (CKM_AES_CBC, "aes-256-cbc -nopad", 16, iv.clone()),
        (CKM_AES_CBC_PAD, "aes-256-cbc", 1, iv.clone()),
        (CKM_AES_CTR, "aes-256-ctr", 1, counter),
        (CKM_AES_OFB, "aes-256-ofb", 1, iv.clone()),
        (CKM_AES_CFB8, "aes-256-cfb8", 1, iv.clone()),
        (CKM_AES_CFB128, "aes-256-cfb", 1, iv),
        (CKM_DES3_ECB, "des-ede3-ecb -nopad", 8, Params::None),
        (CKM_DES3_CBC, "des-ede3-cbc -nopad", 8, Params::Iv(IV[..8].to_vec())),
        (CKM_DES3_CBC_PAD, "des-ede3-cbc", 1, Params::Iv(IV[..8].to_vec())),
        (CKM_CHACHA20, "chacha20", 1, stream),
    ];
    compare(|env| {
        for (kind, name, unit, params) in &modes {
            let (key_type, bytes) = match *kind {
                CKM_CHACHA20 => (CKK_CHACHA20, 32),
                CKM_DES3_ECB | CKM_DES3_CBC | CKM_DES3_CBC_PAD => (CKK_DES3, 24),
                _ => (CKK_AES, 32),
            };
            // The command warns of a vector that it does not need.
            let iv_bytes = if bytes == 24 { 8 } else { 16 };
            let vector =
                if *params == Params::None { String::new() } else { format!(" -iv {}", digits(&IV[..iv_bytes])) };
            let (key, mechanism) = (secret(key_type, &KEY[..bytes]), mechanism(*kind, params));
            for message in LENGTHS.map(|bytes| message(bytes / unit * unit)) {
                let arguments = format!("enc -{name} -K {}{vector}", digits(&KEY[..bytes]));
                let ciphertext = openssl(&arguments, &message).unwrap();
                assert_eq!(encrypt(env, &mechanism, &key, &message).unwrap(), ciphertext, "{arguments}");
                assert_eq!(decrypt(env, &mechanism, &key, &ciphertext).unwrap(), message, "{arguments}");
            }
        }
    });
}

#[test]
fn key_derivations_are_those_of_openssl() {
    let prfs = [
        (CKM_SHA_1_HMAC, CKM_SHA_1, "SHA1"),
        (CKM_SHA256_HMAC, CKM_SHA256, "SHA256"),
        (CKM_SHA512_HMAC, CKM_SHA512, "SHA512"),
        (CKM_SHA3_224_HMAC, CKM_SHA3_224, "SHA3-224"),
        (CKM_SHA3_256_HMAC, CKM_SHA3_256, "SHA3-256"),
        (CKM_SHA3_384_HMAC, CKM_SHA3_384, "SHA3-384"),
        (CKM_SHA3_512_HMAC, CKM_SHA3_512, "SHA3-512"),
    ];
    compare(|env| {
        let generic = secret(CKK_GENERIC_SECRET, &KEY);
        let inputs = format!(
            "-kdfopt hexkey:{} -kdfopt hexsalt:{} -kdfopt hexinfo:{}",
            digits(&KEY),
            digits(b"label"),
            digits(b"context")
        );
        for bytes in [1, 16, 32, 65, 200] {
            for (prf, hash, name) in prfs {
                let kbkdf =
                    format!("kdf -keylen {bytes} -kdfopt mac:HMAC -kdfopt digest:{name} {inputs} -binary KBKDF");
                derived_is(env, CKM_SP800_108_COUNTER_KDF, counter_kdf(prf), &generic, &kbkdf, bytes);
                let hkdf = format!("kdf -keylen {bytes} -kdfopt digest:{name} {inputs} -binary HKDF");
                let salt = HkdfSalt::Bytes(b"label".to_vec());
                let params = HkdfParams { extract: true, expand: true, hash, salt, info: b"context".to_vec() };
                derived_is(env, CKM_HKDF_DERIVE, DeriveParams::Hkdf(params), &generic, &hkdf, bytes);
            }
            let kbkdf =
                format!("kdf -keylen {bytes} -kdfopt mac:CMAC -kdfopt cipher:AES-256-CBC {inputs} -binary KBKDF");
            derived_is(env, CKM_SP800_108_COUNTER_KDF, counter_kdf(CKM_AES_CMAC), &aes(&KEY), &kbkdf, bytes);
            passwords(env, bytes);
        }
    });
}

fn derived_is(env: &Env<'_>, kind: u64, params: DeriveParams, base: &Object, arguments: &str, bytes: usize) {
    let template = Template::default().with_number(CKA_VALUE_LEN, bytes as u64);
    let key = derive(env, &mechanism(kind, &Params::Derive(params)), base, &template).unwrap();
    assert_eq!(key.bytes(CKA_VALUE).map(<[u8]>::to_vec), openssl(arguments, &[]), "{arguments}");
}

/// `[i] || label || 0 || context || [L]`, as OpenSSL fixes it (SP 800-108, 5.1).
fn counter_kdf(prf: u64) -> DeriveParams {
    let number = PrfNumber { little_endian: false, bits: 32 };
    let fields = vec![
        PrfField::Iteration(Some(number)),
        PrfField::Bytes(b"label\0context".to_vec()),
        PrfField::Length { method: CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS, format: number },
    ];
    DeriveParams::PrfKdf(PrfKdfParams { prf, fields, initial: Vec::new(), further: Vec::new() })
}

fn passwords(env: &Env<'_>, bytes: usize) {
    for (prf, name) in [
        (CKP_PKCS5_PBKD2_HMAC_SHA1, "SHA1"),
        (CKP_PKCS5_PBKD2_HMAC_SHA256, "SHA256"),
        (CKP_PKCS5_PBKD2_HMAC_SHA512, "SHA512"),
        (CKP_PKCS5_PBKD2_HMAC_SHA512_256, "SHA512-256"),
    ] {
        let params = PasswordParams {
            salt_source: CKZ_SALT_SPECIFIED,
            salt: b"salt".to_vec(),
            rounds: 7,
            prf,
            has_prf_data: false,
            password: b"password".to_vec().into(),
        };
        let mechanism = mechanism(CKM_PKCS5_PBKD2, &Params::Derive(DeriveParams::Password(params)));
        let template =
            Template::default().with_number(CKA_VALUE_LEN, bytes as u64).with_number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
        let key = keys::generate_key(env, crate::operability::USER, &mechanism, &template).unwrap();
        let options = "-kdfopt pass:password -kdfopt salt:salt -kdfopt iter:7 -kdfopt pkcs5:1 -binary PBKDF2";
        let expect = openssl(&format!("kdf -keylen {bytes} -kdfopt digest:{name} {options}"), &[]);
        assert_eq!(key.bytes(CKA_VALUE).map(<[u8]>::to_vec), expect, "{name}");
    }
}
