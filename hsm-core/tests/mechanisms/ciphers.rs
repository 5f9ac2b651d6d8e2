//! What ciphers must refuse, and what their lengths must be: the corners in which other tokens went wrong.

use crate::operability::{DATA, USER, sample_params};
use crate::support::{aes, decrypt, derive, encrypt, engines, env, mechanism, rv, secret, sign, verify};
use ffi_headers::*;
use hsm_core::attributes::{self, Origin};
use hsm_core::mechanisms;
use hsm_core::object::{Attributes, Object};
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_core::{Mechanism, Params, Result, keys};

fn for_each_engine(judge: impl Fn(&Env<'_>)) {
    engines().into_iter().for_each(|engine| judge(&env(engine)));
}

fn ccm(data_bytes: u64, mac_bytes: u64) -> Mechanism {
    mechanism(CKM_AES_CCM, &Params::Ccm { data_bytes, nonce: vec![1; 13], aad: b"aad".to_vec(), mac_bytes })
}

#[test]
fn gcm_takes_every_tag_of_32_to_128_bits_and_every_iv_of_1_to_256_bytes() {
    for_each_engine(|env| {
        let gcm = |iv: usize, tag_bits| {
            mechanism(CKM_AES_GCM, &Params::Gcm { iv: vec![7; iv], aad: b"aad".to_vec(), tag_bits })
        };
        for tag_bits in (32..=128).step_by(8) {
            let sealed = encrypt(env, &gcm(12, tag_bits), &aes(&DATA), b"message").unwrap();
            assert_eq!(sealed.len() as u64, 7 + tag_bits / 8);
            assert_eq!(decrypt(env, &gcm(12, tag_bits), &aes(&DATA), &sealed).unwrap(), b"message");
        }
        for iv in 1..=256 {
            let sealed = encrypt(env, &gcm(iv, 128), &aes(&DATA), b"message").unwrap();
            assert_eq!(decrypt(env, &gcm(iv, 128), &aes(&DATA), &sealed).unwrap(), b"message");
        }
    });
}

#[test]
fn ccm_takes_exactly_the_length_that_was_announced() {
    for_each_engine(|env| {
        let key = aes(&DATA);
        for announced in [0_u64, 6, 8, 1000] {
            let outcome = encrypt(env, &ccm(announced, 16), &key, b"message");
            assert_eq!(rv(&outcome), CKR_DATA_LEN_RANGE, "{announced}");
        }
        let sealed = encrypt(env, &ccm(7, 16), &key, b"message").unwrap();
        assert_eq!(sealed.len(), 7 + 16);
        for (announced, tag) in [(6, 16), (8, 16), (7, 14)] {
            let outcome = decrypt(env, &ccm(announced, tag), &key, &sealed);
            assert_eq!(rv(&outcome), CKR_ENCRYPTED_DATA_LEN_RANGE, "{announced}");
        }
        for bytes in [0, 1, 15] {
            assert_eq!(rv(&decrypt(env, &ccm(0, 16), &key, &sealed[..bytes])), CKR_ENCRYPTED_DATA_LEN_RANGE, "{bytes}");
        }
        let nothing = encrypt(env, &ccm(0, 4), &key, b"").unwrap();
        assert_eq!(nothing.len(), 4);
        assert_eq!(decrypt(env, &ccm(0, 4), &key, &nothing).unwrap(), b"");
    });
}

#[test]
fn an_authenticated_decryption_gives_out_nothing_before_the_tag_was_checked() {
    for_each_engine(|env| {
        let chacha = secret(CKK_CHACHA20, &DATA);
        let poly = mechanism(CKM_CHACHA20_POLY1305, &Params::ChaCha20Poly1305 { nonce: vec![5; 12], aad: vec![] });
        let gcm = mechanism(CKM_AES_GCM, &Params::Gcm { iv: vec![5; 12], aad: vec![], tag_bits: 128 });
        for (mechanism, key) in [(ccm(100, 16), aes(&DATA)), (gcm, aes(&DATA)), (poly, chacha)] {
            let mut sealed = encrypt(env, &mechanism, &key, &[7; 100]).unwrap();
            *sealed.last_mut().unwrap() ^= 1;
            let mut operation = mechanisms::start_decrypt(env, &mechanism, &key).unwrap();
            assert_eq!(operation.update_bytes(90), 0);
            assert_eq!(operation.update(&sealed[..90], &mut []).unwrap(), 0);
            operation.update(&sealed[90..], &mut []).unwrap();
            let mut out = vec![0; operation.finish_bytes()];
            assert_eq!(rv(&operation.finish(env, &mut out)), CKR_ENCRYPTED_DATA_INVALID);
            assert_eq!(out, vec![0; 100], "no plaintext is left");
        }
    });
}

#[test]
fn an_authenticated_encryption_in_parts_gives_out_each_part() {
    for_each_engine(|env| {
        let chacha = secret(CKK_CHACHA20, &DATA);
        let poly = mechanism(CKM_CHACHA20_POLY1305, &Params::ChaCha20Poly1305 { nonce: vec![5; 24], aad: vec![] });
        for (mechanism, key) in [(ccm(100, 16), aes(&DATA)), (poly, chacha)] {
            let operation = mechanisms::start_encrypt(env, &mechanism, &key).unwrap();
            assert_eq!((operation.update_bytes(90), operation.finish_bytes()), (90, 16));
        }
    });
}

/// Lengths of whole blocks, and the answers to others in both directions.
#[test]
fn a_part_of_a_block_is_refused_where_the_mode_has_no_place_for_it() {
    for_each_engine(|env| {
        let (aes, des) = (aes(&DATA), secret(CKK_DES3, &[0x25; 24]));
        let cases = [
            (mechanism(CKM_AES_ECB, &Params::None), &aes, 16),
            (mechanism(CKM_AES_CBC, &Params::Iv(vec![1; 16])), &aes, 16),
            (mechanism(CKM_DES3_ECB, &Params::None), &des, 8),
            (mechanism(CKM_DES3_CBC, &Params::Iv(vec![1; 8])), &des, 8),
        ];
        for (mechanism, key, block) in cases {
            for bytes in 0..=3 * block {
                let (plain, whole) = (vec![3; bytes], bytes % block == 0);
                let outcome = encrypt(env, &mechanism, key, &plain);
                assert_eq!(rv(&outcome), if whole { CKR_OK } else { CKR_DATA_LEN_RANGE }, "{bytes}");
                let outcome = decrypt(env, &mechanism, key, &plain);
                assert_eq!(rv(&outcome), if whole { CKR_OK } else { CKR_ENCRYPTED_DATA_LEN_RANGE }, "{bytes}");
            }
        }
    });
}

#[test]
fn cts_and_xts_take_a_block_at_least_and_give_as_much_as_they_took() {
    for_each_engine(|env| {
        let cts = mechanism(CKM_AES_CTS, &Params::Iv(vec![1; 16]));
        let xts = mechanism(CKM_AES_XTS, &Params::Iv(vec![1; 16]));
        let (half, whole): (Vec<u8>, Vec<u8>) = ((0..32).collect(), (0..64).collect());
        let keys = [(&cts, aes(&DATA)), (&xts, secret(CKK_AES_XTS, &half)), (&xts, secret(CKK_AES_XTS, &whole))];
        for (mechanism, key) in keys {
            for bytes in 0..16 {
                let outcome = encrypt(env, mechanism, &key, &vec![3; bytes]);
                assert_eq!(rv(&outcome), CKR_DATA_LEN_RANGE, "{bytes}");
                let outcome = decrypt(env, mechanism, &key, &vec![3; bytes]);
                assert_eq!(rv(&outcome), CKR_ENCRYPTED_DATA_LEN_RANGE, "{bytes}");
            }
            for bytes in 16..100 {
                let plain: Vec<u8> = (0..).take(bytes).collect();
                let sealed = encrypt(env, mechanism, &key, &plain).unwrap();
                assert_eq!(sealed.len(), bytes);
                assert_eq!(decrypt(env, mechanism, &key, &sealed).unwrap(), plain);
            }
        }
    });
}

#[test]
fn a_data_unit_of_xts_has_16_mib_at_most() {
    let env = env(hsm_crypto::preferred());
    let key = secret(CKK_AES_XTS, &(0..64).collect::<Vec<u8>>());
    let xts = mechanism(CKM_AES_XTS, &Params::Iv(vec![1; 16]));
    let mut operation = mechanisms::start_encrypt(&env, &xts, &key).unwrap();
    operation.update(&vec![0; 1 << 24], &mut []).unwrap();
    assert_eq!(rv(&operation.update(&[0], &mut [])), CKR_DATA_LEN_RANGE);
}

#[test]
fn streams_take_any_length_and_none_at_all() {
    for_each_engine(|env| {
        for kind in [CKM_AES_OFB, CKM_AES_CFB8, CKM_AES_CFB128, CKM_CHACHA20, CKM_SALSA20] {
            let row = mechanisms::find(kind).unwrap();
            let mechanisms::KeyRule::Types([key_type, ..]) = row.keys else { panic!("{}", row.name) };
            let (mechanism, key) = (mechanism(kind, &sample_params(row)), secret(*key_type, &DATA));
            for bytes in [0, 1, 15, 16, 17, 63, 64, 65, 300] {
                let plain: Vec<u8> = (0..=255).cycle().take(bytes).collect();
                let sealed = encrypt(env, &mechanism, &key, &plain).unwrap();
                assert_eq!(sealed.len(), bytes);
                assert_eq!(decrypt(env, &mechanism, &key, &sealed).unwrap(), plain, "{} {bytes}", row.name);
            }
        }
    });
}

#[test]
fn a_key_stream_ends() {
    for_each_engine(|env| {
        let params = Params::Stream { counter: vec![0xFF; 4], nonce: vec![1; 12] };
        let (mechanism, key) = (mechanism(CKM_CHACHA20, &params), secret(CKK_CHACHA20, &DATA));
        assert_eq!(rv(&encrypt(env, &mechanism, &key, &[0; 65])), CKR_DATA_LEN_RANGE);
        assert_eq!(rv(&decrypt(env, &mechanism, &key, &[0; 65])), CKR_ENCRYPTED_DATA_LEN_RANGE);
    });
}

#[test]
fn padded_cbc_holds_a_block_back_and_refuses_every_wrong_padding() {
    for_each_engine(|env| {
        let cases = [
            (CKM_AES_CBC_PAD, CKM_AES_CBC, aes(&DATA), 16),
            (CKM_DES3_CBC_PAD, CKM_DES3_CBC, secret(CKK_DES3, &[0x25; 24]), 8),
        ];
        for (padded, bare, key, block) in cases {
            let with_iv = |kind| mechanism(kind, &Params::Iv(vec![1; block]));
            for bytes in 0..=2 * block {
                let sealed = encrypt(env, &with_iv(padded), &key, &vec![9; bytes]).unwrap();
                assert_eq!(sealed.len(), (bytes / block + 1) * block);
                let mut operation = mechanisms::start_decrypt(env, &with_iv(padded), &key).unwrap();
                assert_eq!(operation.update_bytes(sealed.len()), sealed.len() - block, "the last block waits");
                let mut out = vec![0; sealed.len() - block];
                operation.update(&sealed, &mut out).unwrap();
                let promised = operation.finish_bytes();
                let mut rest = vec![0; promised];
                assert_eq!(operation.finish(env, &mut rest).unwrap(), bytes % block);
            }
            for wrong in [0, block as u8 + 1, 0xFF] {
                let mut plain = vec![9; block];
                *plain.last_mut().unwrap() = wrong;
                let sealed = encrypt(env, &with_iv(bare), &key, &plain).unwrap();
                assert_eq!(rv(&decrypt(env, &with_iv(padded), &key, &sealed)), CKR_ENCRYPTED_DATA_INVALID, "{wrong}");
            }
            // The count is right and one of the bytes is not.
            let mut plain = vec![3; block];
            plain[block - 2] = 4;
            let sealed = encrypt(env, &with_iv(bare), &key, &plain).unwrap();
            assert_eq!(rv(&decrypt(env, &with_iv(padded), &key, &sealed)), CKR_ENCRYPTED_DATA_INVALID);
        }
    });
}

#[test]
fn key_wrap_with_padding_takes_payloads_of_one_to_eight_bytes() {
    for_each_engine(|env| {
        let (kwp, kek) = (mechanism(CKM_AES_KEY_WRAP_KWP, &Params::None), aes(&DATA));
        for bytes in 1..=8 {
            let key = secret(CKK_GENERIC_SECRET, &vec![7; bytes]);
            let wrapped = keys::wrap_key(env, &kwp, &kek, &key).unwrap();
            assert_eq!(wrapped.len(), 16);
            let template = of(CKK_GENERIC_SECRET);
            let back = keys::unwrap_key(env, USER, &kwp, &kek, &wrapped, &template).unwrap();
            assert_eq!(back.bytes(CKA_VALUE), Some(&vec![7; bytes][..]));
        }
        let pkcs7 = mechanism(CKM_AES_KEY_WRAP_PKCS7, &Params::None);
        assert_eq!(rv(&encrypt(env, &pkcs7, &kek, &[7; 7])), CKR_DATA_LEN_RANGE, "one semiblock is too little for KW");
        let kw = mechanism(CKM_AES_KEY_WRAP, &Params::None);
        for wrong in [[0; 16], [9; 16], [255; 16]] {
            let wrapped = encrypt(env, &kw, &kek, &wrong).unwrap();
            assert_eq!(rv(&decrypt(env, &pkcs7, &kek, &wrapped)), CKR_ENCRYPTED_DATA_INVALID);
        }
    });
}

#[test]
fn raw_rsa_wraps_and_unwraps_nothing() {
    let row = mechanisms::find(CKM_RSA_X_509).unwrap();
    assert!(row.wrap.is_none() && row.unwrap.is_none());
}

#[test]
fn the_mac_of_an_empty_message_needs_the_key() {
    for_each_engine(|env| {
        for (kind, key_type, other) in [(CKM_AES_MAC, CKK_AES, 32), (CKM_DES3_MAC, CKK_DES3, 24)] {
            let mechanism = mechanism(kind, &Params::None);
            let tag = sign(env, &mechanism, &secret(key_type, &vec![0x25; other]), b"", true).unwrap();
            assert_ne!(tag, vec![0; tag.len()]);
            let outcome = verify(env, &mechanism, &secret(key_type, &vec![0x26; other]), b"", &tag);
            assert_eq!(rv(&outcome), CKR_SIGNATURE_INVALID);
        }
    });
}

#[test]
fn data_in_the_parameter_of_gmac_comes_before_the_message() {
    for_each_engine(|env| {
        let with =
            |aad: &[u8]| mechanism(CKM_AES_GMAC, &Params::Gcm { iv: vec![3; 12], aad: aad.to_vec(), tag_bits: 128 });
        let whole = sign(env, &with(b""), &aes(&DATA), b"before and after", true).unwrap();
        assert_eq!(sign(env, &with(b"before "), &aes(&DATA), b"and after", true).unwrap(), whole);
    });
}

// --- keys ---

fn of(key_type: u64) -> Template {
    Template::default().with_number(CKA_CLASS, CKO_SECRET_KEY).with_number(CKA_KEY_TYPE, key_type)
}

fn created(key_type: u64, value: &[u8]) -> Result<Object> {
    let template = of(key_type).with(CKA_VALUE, value);
    attributes::build(&env(hsm_crypto::preferred()), USER, Origin::Create, &template, Attributes::default())
}

#[test]
fn keys_of_each_cipher_have_its_length_and_form() {
    let halves: Vec<u8> = (0..64).collect();
    for (key_type, good, wrong) in [
        (CKK_AES_XTS, &halves[..], &[7; 64][..]),
        (CKK_AES_XTS, &halves[..32], &halves[..48]),
        (CKK_DES3, &[0x25; 24], &[0x24; 24]),
        (CKK_DES3, &[0x25; 24], &[0x25; 16]),
        (CKK_CHACHA20, &halves[..32], &halves[..31]),
        (CKK_SALSA20, &halves[..32], &halves[..16]),
        (CKK_POLY1305, &halves[..32], &halves[..33]),
    ] {
        let key = created(key_type, good).unwrap();
        assert_eq!(key.number(CKA_VALUE_LEN), Some(good.len() as u64));
        assert_eq!(rv(&created(key_type, wrong)), CKR_ATTRIBUTE_VALUE_INVALID, "{key_type:#x}");
    }
}

/// Triple DES of eight zero bytes, made with the openssl command.
#[test]
fn the_check_value_of_a_des_key_is_a_block_of_zeros_encrypted() {
    let key = created(CKK_DES3, &[0x25; 24]).unwrap();
    assert_eq!(key.bytes(CKA_CHECK_VALUE), Some(&DES3_CHECK_VALUE[..]));
}

const DES3_CHECK_VALUE: [u8; 3] = [0xc3, 0x35, 0xc9];

#[test]
fn an_unwrapped_key_without_parity_or_with_equal_halves_is_none() {
    for_each_engine(|env| {
        let (kwp, kek) = (mechanism(CKM_AES_KEY_WRAP_KWP, &Params::None), aes(&DATA));
        for (key_type, content, expect) in [
            (CKK_DES3, vec![0x24; 24], CKR_WRAPPED_KEY_INVALID),
            (CKK_DES3, vec![0x25; 24], CKR_OK),
            (CKK_AES_XTS, vec![0x24; 32], CKR_WRAPPED_KEY_INVALID),
            (CKK_AES_XTS, (0..32).collect(), CKR_OK),
            (CKK_CHACHA20, vec![0x24; 24], CKR_WRAPPED_KEY_INVALID),
        ] {
            let wrapped = encrypt(env, &kwp, &kek, &content).unwrap();
            let outcome = keys::unwrap_key(env, USER, &kwp, &kek, &wrapped, &of(key_type));
            assert_eq!(rv(&outcome), expect, "{key_type:#x}");
        }
    });
}

#[test]
fn a_derived_des_key_has_parity() {
    let env = env(hsm_crypto::preferred());
    let (public, private) = crate::operability::sample_pair(CKK_EC);
    let params =
        Params::Ecdh1 { kdf: CKD_SHA256_KDF, shared: vec![], public: public.bytes(CKA_EC_POINT).unwrap().to_vec() };
    let template = of(CKK_DES3).with_number(CKA_VALUE_LEN, 24);
    let key = derive(&env, &mechanism(CKM_ECDH1_DERIVE, &params), &private, &template).unwrap();
    assert!(key.bytes(CKA_VALUE).unwrap().iter().all(|byte| byte.count_ones() % 2 == 1));
}

#[test]
fn generation_refuses_lengths_that_the_cipher_has_not() {
    let env = env(hsm_crypto::preferred());
    for (kind, bytes) in [
        (CKM_AES_XTS_KEY_GEN, 16),
        (CKM_AES_XTS_KEY_GEN, 48),
        (CKM_CHACHA20_KEY_GEN, 16),
        (CKM_SALSA20_KEY_GEN, 64),
        (CKM_POLY1305_KEY_GEN, 31),
        (CKM_DES3_KEY_GEN, 16),
    ] {
        let template = Template::default().with_number(CKA_VALUE_LEN, bytes);
        let outcome = keys::generate_key(&env, USER, &mechanism(kind, &Params::None), &template);
        assert_eq!(rv(&outcome), CKR_ATTRIBUTE_VALUE_INVALID, "{kind:#x}");
    }
    for kind in [CKM_CHACHA20_KEY_GEN, CKM_SALSA20_KEY_GEN, CKM_POLY1305_KEY_GEN, CKM_DES3_KEY_GEN] {
        keys::generate_key(&env, USER, &mechanism(kind, &Params::None), &Template::default()).unwrap();
    }
    let outcome = keys::generate_key(&env, USER, &mechanism(CKM_AES_XTS_KEY_GEN, &Params::None), &Template::default());
    assert_eq!(rv(&outcome), CKR_TEMPLATE_INCOMPLETE);
}
