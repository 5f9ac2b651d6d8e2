//! Known-answer tests: does the machine at hand compute what the standards say?
//!
//! Owns: one short test for each family of algorithms, and the gate through which `preferred` runs each of them once,
//! before the first key or cipher of that family is made. Does not know: which engine it tests.
//! A failure is `CryptoError::SelfTest`, today and for the life of the process. The vectors are those of the standards, or
//! made with OpenSSL where a standard has none of use; the large sets are in the tests of this crate.

mod ciphers;
pub(crate) mod gate;
mod known;
mod post_quantum;
mod stateful;

use crate::cipher::{Aead, Cipher, Direction, GcmParams, KeyWrap, Mode};
use crate::ec::{Curve, EdScheme};
use crate::error::{CryptoError, Result};
use crate::hash::{Hash, KmacParams, KmacStrength, Mac};
use crate::provider::Provider;
use crate::random::Random;
use crate::rsa::{OaepParams, PssParams, RsaParts};
use crate::secret::SecretBox;
use crate::secret::SecretBytes;
use crate::symmetric::SymmetricKey;

/// A family of algorithms that is tested together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Every hash.
    Digest,
    /// HMAC, CMAC, KMAC and keyed BLAKE2b.
    Mac,
    /// RSA signatures and decryption.
    Rsa,
    /// ECDSA and ECDH on the curves of NIST and SEC.
    Ec,
    /// ECDSA and ECDH on the Brainpool curves.
    Brainpool,
    /// Ed25519 and X25519.
    Edwards,
    /// Ed448 and X448.
    Goldilocks,
    /// AES-ECB, CBC and CTR.
    Cipher,
    /// AES-GCM.
    Gcm,
    /// AES key wrap.
    KeyWrap,
    /// AES-OFB, CFB, CTS and XTS.
    MoreModes,
    /// AES-CCM.
    Ccm,
    /// GMAC, AES CBC-MAC and XCBC-MAC.
    CipherMac,
    /// ChaCha20, Salsa20, Poly1305 and ChaCha20-Poly1305.
    Stream,
    /// Triple DES and its MACs.
    TripleDes,
    /// PBKDF2.
    Pbkdf2,
    /// ML-KEM.
    MlKem,
    /// ML-DSA.
    MlDsa,
    /// SLH-DSA.
    SlhDsa,
    /// HSS and LMS.
    Hss,
    /// XMSS and XMSS^MT.
    Xmss,
}

impl Family {
    /// Every family; the ones that others are built on come first.
    pub const ALL: [Family; 21] = [
        Family::Digest,
        Family::Mac,
        Family::Rsa,
        Family::Ec,
        Family::Brainpool,
        Family::Edwards,
        Family::Goldilocks,
        Family::Cipher,
        Family::Gcm,
        Family::KeyWrap,
        Family::MoreModes,
        Family::Ccm,
        Family::CipherMac,
        Family::Stream,
        Family::TripleDes,
        Family::Pbkdf2,
        Family::MlKem,
        Family::MlDsa,
        Family::SlhDsa,
        Family::Hss,
        Family::Xmss,
    ];

    /// The family of a Weierstrass curve.
    #[must_use]
    pub const fn of(curve: Curve) -> Self {
        match curve {
            Curve::P224 | Curve::P256 | Curve::P384 | Curve::P521 | Curve::K256 => Family::Ec,
            _ => Family::Brainpool,
        }
    }

    /// The name that a failure carries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Family::Digest => "the hashes",
            Family::Mac => "HMAC, CMAC, KMAC and keyed BLAKE2b",
            Family::Rsa => "RSA",
            Family::Ec => "ECDSA and ECDH",
            Family::Brainpool => "ECDSA and ECDH on Brainpool curves",
            Family::Edwards => "Ed25519 and X25519",
            Family::Goldilocks => "Ed448 and X448",
            Family::Cipher => "AES-ECB, CBC and CTR",
            Family::Gcm => "AES-GCM",
            Family::KeyWrap => "AES key wrap",
            Family::MoreModes => "AES-OFB, CFB, CTS and XTS",
            Family::Ccm => "AES-CCM",
            Family::CipherMac => "GMAC and AES CBC-MACs",
            Family::Stream => "ChaCha20, Salsa20 and Poly1305",
            Family::TripleDes => "triple DES",
            Family::Pbkdf2 => "PBKDF2",
            Family::MlKem => "ML-KEM",
            Family::MlDsa => "ML-DSA",
            Family::SlhDsa => "SLH-DSA",
            Family::Hss => "HSS and LMS",
            Family::Xmss => "XMSS and XMSS^MT",
        }
    }
}

/// Tests one family of an engine.
///
/// # Errors
/// `SelfTest` with the family's name when an answer is wrong or refused; `OutOfMemory` when memory is short.
pub fn run(provider: &Provider, family: Family) -> Result<()> {
    let right = match family {
        Family::Digest => digests(provider),
        Family::Mac => macs(provider),
        Family::Rsa => rsa(provider),
        Family::Ec => ec(provider),
        Family::Brainpool => brainpool(provider),
        Family::Edwards => edwards(provider),
        Family::Goldilocks => goldilocks(provider),
        Family::Cipher => ciphers(provider),
        Family::Gcm => gcm(provider),
        Family::KeyWrap => key_wrap(provider),
        Family::MoreModes => ciphers::modes(provider),
        Family::Ccm => ciphers::ccm(provider),
        Family::CipherMac => ciphers::macs(provider),
        Family::Stream => ciphers::stream(provider),
        Family::TripleDes => ciphers::triple_des(provider),
        Family::Pbkdf2 => pbkdf2(provider),
        Family::MlKem => post_quantum::ml_kem(provider),
        Family::MlDsa => post_quantum::ml_dsa(provider),
        Family::SlhDsa => post_quantum::slh_dsa(provider),
        Family::Hss => stateful::hss(provider),
        Family::Xmss => stateful::xmss(provider),
    };
    match right {
        Ok(true) => Ok(()),
        Err(error @ (CryptoError::OutOfMemory | CryptoError::EngineFailed(_))) => Err(error),
        // An algorithm that refuses its own known answer is as wrong as one that computes another.
        Ok(false) | Err(_) => Err(CryptoError::SelfTest(family.name())),
    }
}

/// Tests every family of an engine.
///
/// # Errors
/// As [`run`], for the first family that fails.
pub fn run_all(provider: &Provider) -> Result<()> {
    Family::ALL.into_iter().try_for_each(|family| run(provider, family))
}

fn digests(provider: &Provider) -> Result<bool> {
    let answers: [(Hash, &[u8]); Hash::ALL.len()] = [
        (Hash::Sha1, &known::SHA1_ABC),
        (Hash::Sha224, &known::SHA224_ABC),
        (Hash::Sha256, &known::SHA256_ABC),
        (Hash::Sha384, &known::SHA384_ABC),
        (Hash::Sha512, &known::SHA512_ABC),
        (Hash::Sha512_224, &known::SHA512_224_ABC),
        (Hash::Sha512_256, &known::SHA512_256_ABC),
        (Hash::Sha3_224, &known::SHA3_224_ABC),
        (Hash::Sha3_256, &known::SHA3_256_ABC),
        (Hash::Sha3_384, &known::SHA3_384_ABC),
        (Hash::Sha3_512, &known::SHA3_512_ABC),
        (Hash::Shake128, &known::SHAKE128_ABC),
        (Hash::Shake256, &known::SHAKE256_ABC),
        (Hash::Blake2b160, &known::BLAKE2B_160_ABC),
        (Hash::Blake2b256, &known::BLAKE2B_256_ABC),
        (Hash::Blake2b384, &known::BLAKE2B_384_ABC),
        (Hash::Blake2b512, &known::BLAKE2B_512_ABC),
        (Hash::Keccak224, &known::KECCAK_224_ABC),
        (Hash::Keccak256, &known::KECCAK_256_ABC),
        (Hash::Keccak384, &known::KECCAK_384_ABC),
        (Hash::Keccak512, &known::KECCAK_512_ABC),
        (Hash::Md5, &known::MD5_ABC),
        (Hash::Ripemd160, &known::RIPEMD160_ABC),
    ];
    Ok(answers.into_iter().all(|(hash, answer)| {
        let mut digest = (provider.digest)(hash);
        digest.update(b"abc");
        digest.finish() == answer
    }))
}

fn macs(provider: &Provider) -> Result<bool> {
    let (hmac_key, cmac_key) = (SymmetricKey::copy_of(b"Jefe"), SymmetricKey::copy_of(&known::AES_KEY));
    let hmac = || (provider.hmac)(Hash::Sha256, &hmac_key);
    // Sponges have an HMAC of their own.
    let hmac_sha3 = || (provider.hmac)(Hash::Sha3_256, &hmac_key);
    let cmac = || (provider.cmac)(&cmac_key);
    let (blake2b_key, kmac_key) = (SymmetricKey::copy_of(&[0, 1, 2]), SymmetricKey::copy_of(&known::KMAC_KEY));
    let blake2b = || (provider.keyed_blake2b)(Hash::Blake2b160, &blake2b_key);
    let tag_bytes = known::KMAC_ANSWER.len();
    let params = KmacParams { strength: KmacStrength::Bits128, customisation: b"My Tagged Application", tag_bytes };
    let kmac = || (provider.kmac)(&params, &kmac_key);
    Ok(mac_answers(hmac, b"what do ya want for nothing?", &known::HMAC_ANSWER)?
        && mac_answers(hmac_sha3, b"what do ya want for nothing?", &known::HMAC_SHA3_ANSWER)?
        && mac_answers(blake2b, b"abc", &known::BLAKE2B_MAC_ANSWER)?
        && mac_answers(kmac, &[0, 1, 2, 3], &known::KMAC_ANSWER)?
        && mac_answers(cmac, &known::AES_BLOCK, &known::CMAC_ANSWER)?)
}

fn mac_answers(start: impl Fn() -> Result<SecretBox<dyn Mac>>, message: &[u8], answer: &[u8]) -> Result<bool> {
    let (mut signing, mut verifying, mut empty) = (start()?, start()?, start()?);
    signing.update(message)?;
    verifying.update(message)?;
    Ok(signing.finish()? == answer && verifying.verify(answer).is_ok() && empty.verify(answer).is_err())
}

fn rsa(provider: &Provider) -> Result<bool> {
    let parts = RsaParts {
        modulus: known::RSA_MODULUS.to_vec(),
        public_exponent: vec![1, 0, 1],
        private_exponent: SecretBytes::copy_of(&known::RSA_PRIVATE_EXPONENT),
        prime_1: SecretBytes::default(),
        prime_2: SecretBytes::default(),
        exponent_1: SecretBytes::default(),
        exponent_2: SecretBytes::default(),
        coefficient: SecretBytes::default(),
    };
    let key = (provider.rsa_private)(&parts)?;
    let public = (provider.rsa_public)(&parts.modulus, &parts.public_exponent)?;
    let signature = key.sign_pkcs1(known::RSA_MESSAGE, &Unrandom)?;
    let pss = PssParams { hash: Hash::Sha256, mgf_hash: Hash::Sha256, salt_bytes: 32 };
    let pss_signature = key.sign_pss(&pss, &known::SHA256_ABC, &Unrandom)?;
    let oaep = OaepParams { hash: Hash::Sha256, mgf_hash: Hash::Sha1, label: Vec::new() };
    Ok(signature == known::RSA_SIGNATURE
        && public.verify_pkcs1(known::RSA_MESSAGE, &signature).is_ok()
        && public.verify_pkcs1(b"another message", &signature).is_err()
        && public.verify_pss(&pss, &known::SHA256_ABC, &pss_signature).is_ok()
        && public.verify_pss(&pss, &[0; 32], &pss_signature).is_err()
        && key.decrypt_oaep(&oaep, &known::RSA_OAEP, &Unrandom)?.expose() == known::RSA_MESSAGE
        && key.decrypt_pkcs1(&known::RSA_PKCS1, &Unrandom)?.expose() == known::RSA_MESSAGE)
}

fn ec(provider: &Provider) -> Result<bool> {
    if !sign_and_verify(provider, Family::Ec)? {
        return Ok(false);
    }
    let key = (provider.ec_private)(Curve::P256, &known::ECDH_SCALAR)?;
    let shared = key.agree(&known::ECDH_PEER)?;
    let verifier = (provider.ec_public)(Curve::P256, &known::ECDSA_POINT)?;
    let mut digest = (provider.digest)(Hash::Sha512);
    digest.update(b"sample");
    Ok(shared.expose() == known::ECDH_SHARED && verifier.verify(&digest.finish(), &known::ECDSA_SIGNATURE).is_ok())
}

/// The point and the agreed value of Wycheproof's first case on brainpoolP256r1, and each curve against itself.
fn brainpool(provider: &Provider) -> Result<bool> {
    let key = (provider.ec_private)(Curve::BrainpoolP256r1, &known::BRAINPOOL_SCALAR)?;
    let shared = key.agree(&known::BRAINPOOL_PEER)?;
    Ok(shared.expose() == known::BRAINPOOL_SHARED && sign_and_verify(provider, Family::Brainpool)?)
}

/// Whether a signature on each curve of the family holds, and for its digest alone.
fn sign_and_verify(provider: &Provider, family: Family) -> Result<bool> {
    for curve in Curve::ALL.into_iter().filter(|curve| Family::of(*curve) == family) {
        let scalar = vec![1; curve.field_bytes()];
        let key = (provider.ec_private)(curve, &scalar)?;
        let public = (provider.ec_public)(curve, &key.public_point())?;
        let signature = key.sign(&known::SHA256_ABC, &Unrandom)?;
        let holds = public.verify(&known::SHA256_ABC, &signature).is_ok();
        if !holds || public.verify(&[9; 32], &signature).is_ok() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn edwards(provider: &Provider) -> Result<bool> {
    let key = (provider.ed25519_private)(&known::ED25519_SEED)?;
    let public = (provider.ed25519_public)(&known::ED25519_PUBLIC)?;
    let signature = key.sign(&[0x72])?;
    let shared = (provider.x25519_private)(&known::X25519_PRIVATE)?.agree(&known::X25519_PEER)?;
    Ok(key.public_key() == known::ED25519_PUBLIC
        && signature == known::ED25519_SIGNATURE
        && public.verify(&[0x72], &signature).is_ok()
        && public.verify(&[0x73], &signature).is_err()
        && shared.expose() == known::X25519_SHARED)
}

fn goldilocks(provider: &Provider) -> Result<bool> {
    let key = (provider.ed448_private)(&known::ED448_SEED)?;
    let public = (provider.ed448_public)(&known::ED448_PUBLIC)?;
    let signature = key.sign_as(EdScheme::Context(b"foo"), &[3])?;
    let shared = (provider.x448_private)(&known::X448_PRIVATE)?.agree(&known::X448_PEER)?;
    Ok(key.public_key() == known::ED448_PUBLIC
        && signature == known::ED448_SIGNATURE
        && public.verify_as(EdScheme::Context(b"foo"), &[3], &signature).is_ok()
        && public.verify(&[3], &signature).is_err()
        && shared.expose() == known::X448_SHARED)
}

fn ciphers(provider: &Provider) -> Result<bool> {
    let modes: [(Mode, &[u8]); 3] = [
        (Mode::Ecb, &known::ECB_ANSWER),
        (Mode::Cbc { iv: known::CBC_IV }, &known::CBC_ANSWER),
        (Mode::Ctr { block: known::CTR_BLOCK, counter_bits: 128 }, &known::CTR_ANSWER),
    ];
    let key = SymmetricKey::copy_of(&known::AES_KEY);
    for (mode, answer) in modes {
        let sealed = through((provider.cipher)(&mode, Direction::Encrypt, &key)?, &known::AES_BLOCK)?;
        let opened = through((provider.cipher)(&mode, Direction::Decrypt, &key)?, answer)?;
        if sealed != answer || opened != known::AES_BLOCK {
            return Ok(false);
        }
    }
    Ok(true)
}

fn through(mut cipher: SecretBox<dyn Cipher>, input: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    cipher.update(input, &mut out)?;
    cipher.finish(&mut out)?;
    Ok(out)
}

fn gcm(provider: &Provider) -> Result<bool> {
    let params = GcmParams { iv: &known::GCM_IV, aad: &known::GCM_AAD, tag_bytes: 16 };
    let key = SymmetricKey::copy_of(&known::GCM_KEY);
    let start = |direction| (provider.gcm)(&params, direction, &key);
    let sealed = through_aead(start(Direction::Encrypt)?, &known::GCM_PLAIN)?;
    let opened = through_aead(start(Direction::Decrypt)?, &known::GCM_SEALED)?;
    let mut changed = known::GCM_SEALED;
    changed[0] ^= 1;
    let refused = through_aead(start(Direction::Decrypt)?, &changed) == Err(CryptoError::DecryptionFailed);
    Ok(sealed == known::GCM_SEALED && opened == known::GCM_PLAIN && refused)
}

fn through_aead(mut aead: SecretBox<dyn Aead>, input: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    aead.update(input, &mut out)?;
    aead.finish(&mut out)?;
    Ok(out)
}

fn key_wrap(provider: &Provider) -> Result<bool> {
    let answers = |kind, key: &[u8], plain: &[u8], wrapped: &[u8]| -> Result<bool> {
        let wraps = (provider.key_wrap)(kind, key, None, plain)? == wrapped;
        let unwraps = (provider.key_unwrap)(kind, key, None, wrapped)?.expose() == plain;
        Ok(wraps && unwraps && (provider.key_unwrap)(kind, key, None, &changed(wrapped)).is_err())
    };
    Ok(answers(KeyWrap::Kw, &known::KW_KEY, &known::KW_PLAIN, &known::KW_WRAPPED)?
        && answers(KeyWrap::Kwp, &known::KWP_KEY, &known::KWP_PLAIN, &known::KWP_WRAPPED)?)
}

/// RFC 6070, the second test.
fn pbkdf2(provider: &Provider) -> Result<bool> {
    let mut out = [0; 20];
    (provider.pbkdf2)(Hash::Sha1, b"password", b"salt", 2, &mut out)?;
    Ok(out == known::PBKDF2_ANSWER)
}

/// A wrapped key with one bit changed.
fn changed(wrapped: &[u8]) -> Vec<u8> {
    let mut changed = wrapped.to_vec();
    if let Some(first) = changed.first_mut() {
        *first ^= 1;
    }
    changed
}

/// Bytes that are not random at all: the keys of these tests are printed in standards and in this file.
struct Unrandom;

impl Random for Unrandom {
    fn fill(&self, out: &mut [u8]) -> Result<()> {
        out.fill(0x5A);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::AeadParams;
    use crate::hash::{CipherMac, Digest};
    use crate::post_quantum::{PostQuantum, Secret};
    use crate::{portable, preferred};

    #[test]
    fn both_engines_stand_every_test() {
        for engine in [portable(), preferred()] {
            for family in Family::ALL {
                assert_eq!(run(engine, family), Ok(()), "{}, {family:?}", engine.name);
            }
            assert_eq!(run_all(engine), Ok(()));
        }
    }

    fn with_pq(change: fn(&mut PostQuantum)) -> Provider {
        let mut engine = Provider { ..*portable() };
        change(&mut engine.post_quantum);
        engine
    }

    /// An engine with one wrong part each.
    #[test]
    fn a_wrong_answer_is_found_and_names_its_family() {
        fn wrong_digest(_: Hash) -> SecretBox<dyn Digest> {
            (portable().digest)(Hash::Sha1)
        }
        fn wrong_hmac(_: Hash, key: &SymmetricKey) -> Result<SecretBox<dyn Mac>> {
            (portable().hmac)(Hash::Sha512, key)
        }
        fn wrong_cipher(mode: &Mode, _: Direction, key: &SymmetricKey) -> Result<SecretBox<dyn Cipher>> {
            (portable().cipher)(mode, Direction::Decrypt, key)
        }
        fn wrong_gcm(params: &GcmParams<'_>, direction: Direction, key: &SymmetricKey) -> Result<SecretBox<dyn Aead>> {
            (portable().gcm)(&GcmParams { aad: &[], ..*params }, direction, key)
        }
        fn wrong_wrap(_: KeyWrap, _: &[u8], _: Option<&[u8]>, data: &[u8]) -> Result<Vec<u8>> {
            Ok(data.to_vec())
        }
        fn no_cipher_mac(_: &CipherMac<'_>, key: &SymmetricKey) -> Result<SecretBox<dyn Mac>> {
            (portable().hmac)(Hash::Sha256, key)
        }
        fn no_aead(params: &AeadParams<'_>, _: Direction, key: &SymmetricKey) -> Result<SecretBox<dyn Aead>> {
            (portable().aead)(params, Direction::Encrypt, key)
        }
        let wrong_seed = |_: &[u8]| (portable().ed25519_private)(&[0; 32]);
        let no_rsa = |_: &RsaParts| Err(CryptoError::InvalidKey("refused"));
        fn wrong_pbkdf2(_: Hash, _: &[u8], _: &[u8], _: u32, out: &mut [u8]) -> Result<()> {
            out.fill(7);
            Ok(())
        }
        let wrong_curve = |_: Curve, _: &[u8]| (portable().ec_private)(Curve::P256, &[1; 32]);
        let wrong_brainpool = |curve: Curve, scalar: &[u8]| match Family::of(curve) {
            Family::Brainpool => (portable().ec_private)(curve, &scalar[1..]),
            _ => (portable().ec_private)(curve, scalar),
        };
        let wrong_448 = |_: &[u8]| (portable().ed448_private)(&[0; 57]);
        let engines = [
            (Provider { pbkdf2: wrong_pbkdf2, ..*portable() }, Family::Pbkdf2),
            (Provider { digest: wrong_digest, ..*portable() }, Family::Digest),
            (Provider { hmac: wrong_hmac, ..*portable() }, Family::Mac),
            (Provider { rsa_private: no_rsa, ..*portable() }, Family::Rsa),
            (Provider { ec_private: wrong_curve, ..*portable() }, Family::Ec),
            (Provider { ec_private: wrong_brainpool, ..*portable() }, Family::Brainpool),
            (Provider { ed25519_private: wrong_seed, ..*portable() }, Family::Edwards),
            (Provider { ed448_private: wrong_448, ..*portable() }, Family::Goldilocks),
            (Provider { cipher: wrong_cipher, ..*portable() }, Family::Cipher),
            (Provider { gcm: wrong_gcm, ..*portable() }, Family::Gcm),
            (Provider { key_wrap: wrong_wrap, ..*portable() }, Family::KeyWrap),
            (Provider { cipher_mac: no_cipher_mac, ..*portable() }, Family::CipherMac),
            (Provider { aead: no_aead, ..*portable() }, Family::Ccm),
            (
                with_pq(|pq| {
                    pq.ml_kem_private = |set, _| (portable().post_quantum.ml_kem_private)(set, Secret::Seed(&[1; 64]))
                }),
                Family::MlKem,
            ),
            (
                with_pq(|pq| {
                    pq.ml_dsa_private = |set, _| (portable().post_quantum.ml_dsa_private)(set, Secret::Seed(&[1; 32]))
                }),
                Family::MlDsa,
            ),
            (with_pq(|pq| pq.slh_dsa_expand = |_, _| Ok(SecretBytes::zeroed(64))), Family::SlhDsa),
        ];
        for (engine, family) in engines {
            assert_eq!(run(&engine, family), Err(CryptoError::SelfTest(family.name())));
            assert_eq!(run_all(&engine), Err(CryptoError::SelfTest(family.name())));
        }
    }
}
