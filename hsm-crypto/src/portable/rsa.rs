//! RSA of the portable engine: the `rsa` crate behind the traits of [`crate::rsa`].
//!
//! Owns: the order of checks (length, range, operation) and the translation of the crate's errors. Does not know: how
//! numbers are checked (`rsa_parts`) or PSS is encoded with two hashes (`rsa_padding`). Every private operation is
//! blinded with the caller's randomness and proved with the public exponent by the crate before it is returned.
//! Rule source: RFC 8017; implicit rejection: draft-irtf-cfrg-rsa-guidance, section 7.

use crate::error::{CryptoError, Result};
use crate::portable::hash::with_hash;
use crate::portable::random::Source;
use crate::portable::rsa_padding::{check_pss, oaep_decode, oaep_encode, pss_encode, pss_verify};
use crate::random::Random;
use crate::rsa::{OaepParams, PssParams, RsaPair, RsaParts, RsaPrivateKey, RsaPublicKey};
use crate::rsa_parts;
use crate::secret::SecretBytes;
use rsa::traits::{PublicKeyParts, SignatureScheme};
use rsa::{BoxedUint, Pkcs1v15Encrypt, Pkcs1v15Sign, Pss, hazmat};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The bytes that PKCS#1 v1.5 padding takes at least.
pub(crate) const PKCS1_OVERHEAD_BYTES: usize = 11;

/// Generates a pair and proves it by one signature.
///
/// # Errors
/// `InvalidParameter` for the size, `InvalidKey` for the exponent, `RandomFailed`, `SelfTest` when the proof fails.
pub(crate) fn generate(bits: usize, public_exponent: &[u8], random: &dyn Random) -> Result<RsaPair> {
    check_generation(bits, public_exponent)?;
    let exponent = rsa_parts::number(public_exponent)?;
    let key = rsa::PrivateKey::new_with_exp(&mut Source(random), bits, exponent).map_err(translate)?;
    let parts = rsa_parts::complete(&key)?;
    let (private, public) = (private(&parts)?, public(&parts.modulus, &parts.public_exponent)?);
    prove(&*private, &*public, random)?;
    Ok(RsaPair { parts, private, public })
}

/// Refuses sizes and exponents that are not generated.
///
/// # Errors
/// `InvalidParameter` unless 1024 to 8192 bits in whole bytes, `InvalidKey` for the exponent.
pub(crate) fn check_generation(bits: usize, public_exponent: &[u8]) -> Result<()> {
    if !(rsa_parts::MODULUS_BITS_MIN..=rsa_parts::PRIVATE_BITS_MAX).contains(&bits) || !bits.is_multiple_of(8) {
        return Err(CryptoError::InvalidParameter("RSA keys are generated with 1024 to 8192 bits, in steps of 8"));
    }
    rsa_parts::check_exponent(public_exponent)
}

/// Signs and verifies once with a fresh pair.
///
/// # Errors
/// `SelfTest` when the pair does not work.
pub(crate) fn prove(private: &dyn RsaPrivateKey, public: &dyn RsaPublicKey, random: &dyn Random) -> Result<()> {
    const PAYLOAD: &[u8] = b"proof of a fresh key pair";
    let signature = private.sign_pkcs1(PAYLOAD, random)?;
    // Whatever the reason of a refusal is, a fresh pair must not be kept.
    public.verify_pkcs1(PAYLOAD, &signature).map_err(|_| CryptoError::SelfTest("fresh RSA key pair"))
}

/// Parses and checks a private key.
///
/// # Errors
/// `InvalidKey` with what is wrong.
pub(crate) fn private(parts: &RsaParts) -> Result<Arc<dyn RsaPrivateKey>> {
    Ok(Arc::new(PrivateKey::new(rsa_parts::parse(parts)?.0)))
}

/// Parses and checks a public key.
///
/// # Errors
/// `InvalidKey` with what is wrong.
pub(crate) fn public(modulus: &[u8], public_exponent: &[u8]) -> Result<Arc<dyn RsaPublicKey>> {
    rsa_parts::check_public(modulus, public_exponent, rsa_parts::PUBLIC_BITS_MAX)?;
    let sizes = rsa_parts::MODULUS_BITS_MIN..=rsa_parts::PUBLIC_BITS_MAX;
    let key =
        rsa::PublicKey::new_with_size_limits(rsa_parts::number(modulus)?, rsa_parts::number(public_exponent)?, sizes)
            .map_err(rsa_parts::refusal)?;
    Ok(Arc::new(PublicKey::new(key)))
}

/// Length and range of what goes into a raw operation.
///
/// # Errors
/// `InputLength` unless `block` is as long as `modulus`, `InputRange` unless it is below it.
pub(crate) fn check_block(block: &[u8], modulus: &[u8]) -> Result<()> {
    if block.len() != modulus.len() {
        return Err(CryptoError::InputLength);
    }
    if block >= modulus { Err(CryptoError::InputRange) } else { Ok(()) }
}

/// A private key of the `rsa` crate, which wipes it on drop.
pub(crate) struct PrivateKey {
    key: rsa::PrivateKey,
    /// The modulus without leading zeros, for the range check.
    modulus: Vec<u8>,
}

impl PrivateKey {
    pub(crate) fn new(key: rsa::PrivateKey) -> Self {
        let modulus = key.n_bytes().into();
        Self { key, modulus }
    }

    fn encoded_bits(&self) -> usize {
        rsa_parts::bit_length(&self.modulus) - 1
    }

    /// Raises a number below the modulus to the private exponent.
    fn raise(&self, block: &[u8], random: &dyn Random) -> Result<Zeroizing<BoxedUint>> {
        let number = Zeroizing::new(wide_number(block, self.key.n_bits_precision())?);
        let result = hazmat::rsa_decrypt_and_check(&self.key, Some(&mut Source(random)), &number);
        Ok(Zeroizing::new(result.map_err(translate)?))
    }
}

impl RsaPrivateKey for PrivateKey {
    fn modulus_bytes(&self) -> usize {
        self.modulus.len()
    }

    fn sign_pkcs1(&self, payload: &[u8], random: &dyn Random) -> Result<Vec<u8>> {
        self.key.sign_with_rng(&mut Source(random), Pkcs1v15Sign::new_unprefixed(), payload).map_err(translate)
    }

    fn sign_pss(&self, params: &PssParams, digest: &[u8], random: &dyn Random) -> Result<Vec<u8>> {
        check_pss(params, digest, self.encoded_bits())?;
        if params.hash == params.mgf_hash {
            return with_hash!(params.hash, D => {
                let scheme = Pss::<D>::new_with_salt(params.salt_bytes);
                self.key.sign_with_rng(&mut Source(random), scheme, digest).map_err(translate)
            });
        }
        let mut salt = vec![0; params.salt_bytes];
        random.fill(&mut salt)?;
        let encoded = pss_encode(params, digest, &salt, self.encoded_bits())?;
        Ok(fixed_width(&*self.raise(&encoded, random)?, self.modulus.len()))
    }

    fn decrypt_pkcs1(&self, ciphertext: &[u8], random: &dyn Random) -> Result<SecretBytes> {
        check_block(ciphertext, &self.modulus)?;
        let plaintext = self.key.decrypt_blinded(&mut Source(random), Pkcs1v15Encrypt, ciphertext);
        plaintext.map(SecretBytes::new).map_err(translate)
    }

    fn decrypt_oaep(&self, params: &OaepParams, ciphertext: &[u8], random: &dyn Random) -> Result<SecretBytes> {
        check_block(ciphertext, &self.modulus)?;
        // The crate's own decryption accepts a first octet that the standard refuses; see `rsa_padding`.
        let mut encoded = Zeroizing::new(fixed_width(&*self.raise(ciphertext, random)?, self.modulus.len()));
        oaep_decode(params, &mut encoded)
    }

    fn raw(&self, block: &[u8], random: &dyn Random) -> Result<SecretBytes> {
        check_block(block, &self.modulus)?;
        Ok(SecretBytes::new(fixed_width(&*self.raise(block, random)?, self.modulus.len())))
    }
}

/// A public key of the `rsa` crate.
pub(crate) struct PublicKey {
    key: rsa::PublicKey,
    /// The modulus without leading zeros.
    modulus: Vec<u8>,
}

impl PublicKey {
    fn new(key: rsa::PublicKey) -> Self {
        let modulus = key.n_bytes().into();
        Self { key, modulus }
    }

    fn check_signature_length(&self, signature: &[u8]) -> Result<()> {
        if signature.len() == self.modulus.len() { Ok(()) } else { Err(CryptoError::SignatureLength) }
    }

    /// Verifies PSS with two hashes.
    fn verify_mixed_pss(&self, params: &PssParams, digest: &[u8], signature: &[u8]) -> Result<()> {
        // Out of range means a signature that nobody made, RFC 8017, 8.1.2, step 2b.
        let message = RsaPublicKey::raw(self, signature).map_err(|_| CryptoError::BadSignature)?;
        let encoded_bits = rsa_parts::bit_length(&self.modulus) - 1;
        let surplus = message.len() - encoded_bits.div_ceil(8);
        if message[..surplus].iter().any(|byte| *byte != 0) {
            return Err(CryptoError::BadSignature);
        }
        pss_verify(params, digest, message[surplus..].to_vec(), encoded_bits)
    }
}

impl RsaPublicKey for PublicKey {
    fn modulus_bytes(&self) -> usize {
        self.modulus.len()
    }

    fn verify_pkcs1(&self, payload: &[u8], signature: &[u8]) -> Result<()> {
        if payload.len() + PKCS1_OVERHEAD_BYTES > self.modulus.len() {
            return Err(CryptoError::InputLength);
        }
        self.check_signature_length(signature)?;
        Pkcs1v15Sign::new_unprefixed().verify(&self.key, payload, signature).map_err(translate)
    }

    fn verify_pss(&self, params: &PssParams, digest: &[u8], signature: &[u8]) -> Result<()> {
        check_pss(params, digest, rsa_parts::bit_length(&self.modulus) - 1)?;
        self.check_signature_length(signature)?;
        if params.hash != params.mgf_hash {
            return self.verify_mixed_pss(params, digest, signature);
        }
        with_hash!(params.hash, D => {
            Pss::<D>::new_with_salt(params.salt_bytes).verify(&self.key, digest, signature).map_err(translate)
        })
    }

    fn encrypt_pkcs1(&self, plaintext: &[u8], random: &dyn Random) -> Result<Vec<u8>> {
        self.key.encrypt(&mut Source(random), Pkcs1v15Encrypt, plaintext).map_err(translate)
    }

    fn encrypt_oaep(&self, params: &OaepParams, plaintext: &[u8], random: &dyn Random) -> Result<Vec<u8>> {
        let mut seed = Zeroizing::new(vec![0; params.hash.output_bytes()]);
        random.fill(&mut seed)?;
        let encoded = oaep_encode(params, plaintext, &seed, self.modulus.len())?;
        let number = Zeroizing::new(wide_number(&encoded, self.key.n_bits_precision())?);
        let result = hazmat::rsa_encrypt(&self.key, &number).map_err(translate)?;
        Ok(fixed_width(&result, self.modulus.len()))
    }

    fn raw(&self, block: &[u8]) -> Result<Vec<u8>> {
        check_block(block, &self.modulus)?;
        let number = wide_number(block, self.key.n_bits_precision())?;
        let result = hazmat::rsa_encrypt(&self.key, &number).map_err(translate)?;
        Ok(fixed_width(&result, self.modulus.len()))
    }
}

/// Reads a number at the width that the crate works with.
fn wide_number(block: &[u8], bits: u32) -> Result<BoxedUint> {
    // The only errors are about the width, and the block is as long as the modulus at most.
    BoxedUint::from_be_slice(block, bits).map_err(|_| CryptoError::InputLength)
}

/// Writes a number below the modulus at the length of the modulus.
fn fixed_width(number: &BoxedUint, bytes: usize) -> Vec<u8> {
    let wide = Zeroizing::new(number.to_be_bytes());
    let mut out = vec![0; bytes];
    // The crate's width is the modulus rounded up to whole limbs, so the surplus is zeros.
    let kept = wide.len().min(bytes);
    out[bytes - kept..].copy_from_slice(&wide[wide.len() - kept..]);
    out
}

fn translate(error: rsa::Error) -> CryptoError {
    match error {
        rsa::Error::Verification => CryptoError::BadSignature,
        rsa::Error::Decryption => CryptoError::DecryptionFailed,
        rsa::Error::MessageTooLong | rsa::Error::InputNotHashed => CryptoError::InputLength,
        rsa::Error::LabelTooLong => CryptoError::InvalidParameter("the OAEP label is too long"),
        rsa::Error::Rng => CryptoError::RandomFailed,
        // After the checks above the crate reports this when the result of a private operation does not
        // stand its check with the public exponent.
        rsa::Error::Internal => CryptoError::SelfTest("the RSA result does not match its input"),
        other => rsa_parts::refusal(other),
    }
}
