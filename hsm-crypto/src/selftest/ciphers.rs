//! The known-answer tests of ciphers beyond AES-ECB, CBC, CTR and GCM, with their questions and answers.
//!
//! From SP 800-38A (F.3, F.4), RFC 3962, IEEE 1619, SP 800-38C, RFC 3566, FIPS 113, RFC 8439, SP 800-67, SP 800-38B and the
//! eSTREAM set of Salsa20; what has no short vector of its own follows from one of those, as the comment beside it says.

use super::known::{AES_BLOCK, AES_KEY, CBC_ANSWER, CBC_IV, GCM_IV, hex};
use super::{changed, mac_answers, through, through_aead};
use crate::cipher::{AeadParams, CcmParams, DesMode, Direction, Mode, StreamCipher};
use crate::error::{CryptoError, Result};
use crate::hash::CipherMac;
use crate::provider::Provider;
use crate::symmetric::SymmetricKey;

/// One question to a cipher, asked in both directions.
fn answers(provider: &Provider, mode: &Mode, key: &[u8], plain: &[u8], answer: &[u8]) -> Result<bool> {
    let key = SymmetricKey::copy_of(key);
    let sealed = through((provider.cipher)(mode, Direction::Encrypt, &key)?, plain)?;
    let opened = through((provider.cipher)(mode, Direction::Decrypt, &key)?, answer)?;
    Ok(sealed == answer && opened == plain)
}

/// One question to an authenticated encryption, asked in both directions and with a changed ciphertext.
fn aead_answers(provider: &Provider, params: &AeadParams<'_>, key: &[u8], plain: &[u8], answer: &[u8]) -> Result<bool> {
    let key = SymmetricKey::copy_of(key);
    let start = |direction| (provider.aead)(params, direction, &key);
    let sealed = through_aead(start(Direction::Encrypt)?, plain)?;
    let opened = through_aead(start(Direction::Decrypt)?, answer)?;
    let refused = through_aead(start(Direction::Decrypt)?, &changed(answer)) == Err(CryptoError::DecryptionFailed);
    Ok(sealed == answer && opened == plain && refused)
}

fn cipher_mac_answers(
    provider: &Provider,
    mac: &CipherMac<'_>,
    key: &[u8],
    message: &[u8],
    tag: &[u8],
) -> Result<bool> {
    let key = SymmetricKey::copy_of(key);
    mac_answers(|| (provider.cipher_mac)(mac, &key), message, tag)
}

pub(super) fn modes(provider: &Provider) -> Result<bool> {
    let ask = |mode: &Mode, key: &[u8], plain: &[u8], answer: &[u8]| answers(provider, mode, key, plain, answer);
    Ok(ask(&Mode::Ofb { iv: CBC_IV }, &AES_KEY, &AES_BLOCK, &FEEDBACK_ANSWER)?
        && ask(&Mode::Cfb128 { iv: CBC_IV }, &AES_KEY, &AES_BLOCK, &FEEDBACK_ANSWER)?
        && ask(&Mode::Cfb8 { iv: CBC_IV }, &AES_KEY, &CFB8_PLAIN, &CFB8_ANSWER)?
        && ask(&Mode::Cfb1 { iv: CBC_IV }, &AES_KEY, &CFB8_PLAIN[..2], &CFB1_ANSWER)?
        && ask(&Mode::Cfb64 { iv: CBC_IV }, &AES_KEY, &AES_BLOCK, &CFB64_ANSWER)?
        && ask(&Mode::CbcCs1 { iv: [0; 16] }, CS1_KEY, CS1_PLAIN, &CS1_ANSWER)?
        && ask(&Mode::Xts { tweak: XTS_TWEAK }, &XTS_KEY, &[0x44; 32], &XTS_ANSWER)?
        && ask(&Mode::Xts { tweak: XTS_256_TWEAK }, &XTS_256_KEY, &XTS_256_PLAIN, &XTS_256_ANSWER)?)
}

pub(super) fn ccm(provider: &Provider) -> Result<bool> {
    let params = CcmParams { nonce: &CCM_NONCE, aad: &CCM_AAD, tag_bytes: 4, message_bytes: 4 };
    aead_answers(provider, &AeadParams::Ccm(params), &CCM_KEY, &CCM_PLAIN, &CCM_ANSWER)
}

pub(super) fn macs(provider: &Provider) -> Result<bool> {
    // CBC-MAC starts at zeros, so the block that CBC combines with its IV is given combined.
    let mut block = AES_BLOCK;
    for (byte, iv) in block.iter_mut().zip(CBC_IV) {
        *byte ^= iv;
    }
    let gmac = CipherMac::Gmac { iv: &GCM_IV };
    Ok(cipher_mac_answers(provider, &CipherMac::AesCbc, &AES_KEY, &block, &CBC_ANSWER)?
        && cipher_mac_answers(provider, &CipherMac::AesXcbc, &XCBC_KEY, &XCBC_KEY[..3], &XCBC_ANSWER)?
        && cipher_mac_answers(provider, &gmac, &GMAC_KEY, &GMAC_MESSAGE, &GMAC_ANSWER)?)
}

pub(super) fn stream(provider: &Provider) -> Result<bool> {
    let chacha = Mode::Stream(StreamCipher::ChaCha20 { block: 1, nonce: CHACHA_NONCE });
    let salsa = Mode::Stream(StreamCipher::Salsa20 { block: 0, nonce: [0; 8] });
    let mut salsa_key = [0; 32];
    salsa_key[0] = 0x80;
    let chacha_poly = AeadParams::ChaCha20Poly1305 { nonce: &CHACHA_POLY_NONCE, aad: &CHACHA_POLY_AAD };
    Ok(answers(provider, &chacha, &CHACHA_KEY, CHACHA_PLAIN, &CHACHA_ANSWER)?
        && answers(provider, &salsa, &salsa_key, &[0; 16], &SALSA_ANSWER)?
        && cipher_mac_answers(provider, &CipherMac::Poly1305, &POLY_KEY, POLY_MESSAGE, &POLY_ANSWER)?
        && aead_answers(provider, &chacha_poly, &CHACHA_POLY_KEY, CHACHA_PLAIN, &CHACHA_POLY_ANSWER)?)
}

pub(super) fn triple_des(provider: &Provider) -> Result<bool> {
    let ask =
        |mode, key: &[u8], plain: &[u8], answer: &[u8]| answers(provider, &Mode::TripleDes(mode), key, plain, answer);
    let single = [FIPS113_KEY; 3].concat();
    Ok(ask(DesMode::Ecb, &DES_KEY, DES_PLAIN, &DES_ANSWER)?
        && ask(DesMode::Cbc { iv: DES_CBC_IV }, &DES_CBC_KEY, &DES_CBC_PLAIN, &DES_CBC_ANSWER)?
        && cipher_mac_answers(provider, &CipherMac::TripleDesCmac, &DES_CMAC_KEY, &AES_BLOCK[..8], &DES_CMAC_ANSWER)?
        && cipher_mac_answers(provider, &CipherMac::TripleDesCbc, &single, FIPS113_MESSAGE, &FIPS113_ANSWER)?)
}

/// Of a first block, OFB and CFB by blocks make the same.
const FEEDBACK_ANSWER: [u8; 16] = hex("3b3fd92eb72dad20333449f8e83cfb4a");
const CFB8_PLAIN: [u8; 18] = hex("6bc1bee22e409f96e93d7e117393172aae2d");
// SP 800-38A, F.3.1; and with 64 bits, computed with PyCryptodome.
const CFB1_ANSWER: [u8; 2] = hex("68b3");
const CFB64_ANSWER: [u8; 16] = hex("3b3fd92eb72dad20764bc8b40ee0de40");
const CFB8_ANSWER: [u8; 18] = hex("3b79424c9c0dd436bace9e0ed4586a4f32b9");

/// RFC 3962, appendix B, the message of 17 bytes; its last two blocks change places between CS3 and CS1.
const CS1_KEY: &[u8; 16] = b"chicken teriyaki";
const CS1_PLAIN: &[u8; 17] = b"I would like the ";
const CS1_ANSWER: [u8; 17] = hex("97c6353568f2bf8cb4d8a580362da7ff7f");

/// IEEE 1619, vector 2.
const XTS_KEY: [u8; 32] = hex("1111111111111111111111111111111122222222222222222222222222222222");
const XTS_TWEAK: [u8; 16] = hex("33333333330000000000000000000000");
const XTS_ANSWER: [u8; 32] = hex("c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0");
/// IEEE 1619, vector 10, its first 32 bytes: nothing is stolen, so the beginning does not depend on the end.
const XTS_256_KEY: [u8; 64] = hex("2718281828459045235360287471352662497757247093699959574966967627\
     3141592653589793238462643383279502884197169399375105820974944592");
const XTS_256_TWEAK: [u8; 16] = hex("ff000000000000000000000000000000");
const XTS_256_PLAIN: [u8; 32] = hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
const XTS_256_ANSWER: [u8; 32] = hex("1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b");

/// SP 800-38C, C.1.
const CCM_KEY: [u8; 16] = hex("404142434445464748494a4b4c4d4e4f");
const CCM_NONCE: [u8; 7] = hex("10111213141516");
const CCM_AAD: [u8; 8] = hex("0001020304050607");
const CCM_PLAIN: [u8; 4] = hex("20212223");
const CCM_ANSWER: [u8; 8] = hex("7162015b4dac255d");

/// RFC 3566, 4.6, test case 2; its message is the beginning of its key.
const XCBC_KEY: [u8; 16] = hex("000102030405060708090a0b0c0d0e0f");
const XCBC_ANSWER: [u8; 16] = hex("5b376580ae2f19afe7219ceef172756f");

const GMAC_KEY: [u8; 16] = hex("feffe9928665731c6d6a8f9467308308");
const GMAC_MESSAGE: [u8; 20] = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
/// Made with OpenSSL.
const GMAC_ANSWER: [u8; 16] = hex("ef6995e531e81a01f5b2f7762cc60bd2");

/// RFC 8439, 2.4.2.
const CHACHA_KEY: [u8; 32] = hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
const CHACHA_NONCE: [u8; 12] = hex("000000000000004a00000000");
const CHACHA_PLAIN: &[u8; 114] = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
const CHACHA_ANSWER: [u8; 114] = hex("6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0b\
     f91b65c5524733ab8f593dabcd62b3571639d624e65152ab8f530c359f0861d8\
     07ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806818ce91ab7793736\
     5af90bbf74a35be6b40b8eedf2785e42874d");
/// The eSTREAM set 1, vector 0, for keys of 256 bits: the first 16 bytes of the key stream.
const SALSA_ANSWER: [u8; 16] = hex("e3be8fdd8beca2e3ea8ef9475b29a6e7");

/// RFC 8439, 2.5.2.
const POLY_KEY: [u8; 32] = hex("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b");
const POLY_MESSAGE: &[u8; 34] = b"Cryptographic Forum Research Group";
const POLY_ANSWER: [u8; 16] = hex("a8061dc1305136c6c22b8baf0c0127a9");

/// RFC 8439, 2.8.2.
const CHACHA_POLY_KEY: [u8; 32] = hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
const CHACHA_POLY_NONCE: [u8; 12] = hex("070000004041424344454647");
const CHACHA_POLY_AAD: [u8; 12] = hex("50515253c0c1c2c3c4c5c6c7");
const CHACHA_POLY_ANSWER: [u8; 130] = hex("d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6\
     3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36\
     92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc\
     3ff4def08e4b7a9de576d26586cec64b6116\
     1ae10b594f09e26a7e902ecbd0600691");

/// SP 800-67, B.1.
const DES_KEY: [u8; 24] = hex("0123456789abcdef23456789abcdef01456789abcdef0123");
const DES_PLAIN: &[u8; 24] = b"The qufck brown fox jump";
const DES_ANSWER: [u8; 24] = hex("a826fd8ce53b855fcce21c8112256fe668d5c05dd9b6b900");
/// From the tests of OpenSSL.
const DES_CBC_KEY: [u8; 24] = hex("0123456789abcdeff1e0d3c2b5a49786fedcba9876543210");
const DES_CBC_IV: [u8; 8] = hex("fedcba9876543210");
const DES_CBC_PLAIN: [u8; 32] = hex("37363534333231204e6f77206973207468652074696d6520666f722000000000");
const DES_CBC_ANSWER: [u8; 32] = hex("3fe301c962ac01d02213763c1cbd4cdc799657c064ecf5d41c673812cfde9675");
/// SP 800-38B, D.4, the message of one block.
const DES_CMAC_KEY: [u8; 24] = hex("8aa83bf8cbda10620bc1bf19fbb6cd58bc313d4a371ca8b5");
const DES_CMAC_ANSWER: [u8; 8] = hex("8e8f293136283797");
/// The example of FIPS 113: single DES, which is triple DES with one key three times.
const FIPS113_KEY: [u8; 8] = hex("0123456789abcdef");
const FIPS113_MESSAGE: &[u8; 28] = b"7654321 Now is the time for ";
const FIPS113_ANSWER: [u8; 8] = hex("f1d30f6849312ca4");
