//! RSA of AWS-LC, on `aws-lc-sys`: `aws-lc-rs` lacks raw RSA, free PSS salts and hashes, and OAEP with two hashes.
//!
//! Owns: `RSA` objects, made once and never changed. Does not know: which keys are acceptable (`rsa_parts` decides for
//! both engines). AWS-LC blinds every private operation and checks its result with the public exponent before it comes
//! out. Salts, seeds, blinding values and primes come from AWS-LC's own generator, which reseeds after a fork.
//! Padding of PKCS#1 v1.5 is taken off by `rsa_rejection`, since AWS-LC reports bad padding instead of rejecting implicitly. The raw
//! operation on 0, 1 and n - 1, which AWS-LC refuses though RFC 8017 defines it, stays with the portable engine.
//! Called from `aws_lc::PROVIDER`.

use super::exit::{Drawing, generator_is_closed};
use super::object::{NO_MEMORY, Owned, forget_errors, message_digests, number, number_bytes, succeeded};
use crate::error::{CryptoError, Result};
use crate::portable::rsa::{self as portable, PKCS1_OVERHEAD_BYTES, check_block, check_generation, prove};
use crate::portable::rsa_padding::check_pss;
use crate::random::Random;
use crate::rsa::{OaepParams, PssParams, RsaPair, RsaParts, RsaPrivateKey, RsaPublicKey};
use crate::rsa_parts;
use crate::rsa_rejection;
use crate::secret::SecretBytes;
use aws_lc_sys::{
    BIGNUM, BN_GENCB, BN_GENCB_new, BN_GENCB_set, EVP_MD, EVP_PKEY, EVP_PKEY_CTX, EVP_PKEY_CTX_new,
    EVP_PKEY_CTX_set_rsa_mgf1_md, EVP_PKEY_CTX_set_rsa_oaep_md, EVP_PKEY_CTX_set_rsa_padding,
    EVP_PKEY_CTX_set0_rsa_oaep_label, EVP_PKEY_decrypt, EVP_PKEY_decrypt_init, EVP_PKEY_encrypt, EVP_PKEY_encrypt_init,
    EVP_PKEY_new, EVP_PKEY_set1_RSA, OPENSSL_free, OPENSSL_memdup, RSA, RSA_NO_PADDING, RSA_PKCS1_OAEP_PADDING,
    RSA_PKCS1_PADDING, RSA_encrypt, RSA_generate_key_ex, RSA_get0_d, RSA_get0_dmp1, RSA_get0_dmq1, RSA_get0_e,
    RSA_get0_iqmp, RSA_get0_n, RSA_get0_p, RSA_get0_q, RSA_new, RSA_new_public_key, RSA_set0_crt_params,
    RSA_set0_factors, RSA_set0_key, RSA_sign_pss_mgf1, RSA_sign_raw, RSA_verify_pss_mgf1, RSA_verify_raw,
};
use std::os::raw::c_int;
use std::ptr;
use std::sync::{Arc, OnceLock};

/// Generates a pair and proves it by one signature.
///
/// # Errors
/// `InvalidParameter` for the size, `InvalidKey` for the exponent, `SelfTest` when the proof fails.
pub(super) fn generate(bits: usize, public_exponent: &[u8], random: &dyn Random) -> Result<RsaPair> {
    check_generation(bits, public_exponent)?;
    // AWS-LC rounds other sizes down and refuses longer exponents.
    if !bits.is_multiple_of(128) || rsa_parts::bit_length(public_exponent) > 32 {
        return portable::generate(bits, public_exponent, random);
    }
    // The size was checked above to be 8192 at most.
    let Some(rsa) = search(bits as c_int, public_exponent)? else {
        return portable::generate(bits, public_exponent, random);
    };
    let parts = exported(&rsa)?;
    let (private, public) = (private(&parts)?, public(&parts.modulus, &parts.public_exponent)?);
    prove(&*private, &*public, random)?;
    Ok(RsaPair { parts, private, public })
}

/// Makes a key; `None` when the process is ending.
fn search(bits: c_int, public_exponent: &[u8]) -> Result<Option<Owned<RSA>>> {
    let Some(_drawing) = Drawing::begin() else { return Ok(None) };
    let exponent = number(public_exponent)?;
    // SAFETY: has no preconditions.
    let rsa = Owned::take(unsafe { RSA_new() }, NO_MEMORY)?;
    // SAFETY: has no preconditions.
    let progress = Owned::<BN_GENCB>::take(unsafe { BN_GENCB_new() }, NO_MEMORY)?;
    // SAFETY: the object is alive, and the function, which needs no argument, lives as long as the library.
    unsafe { BN_GENCB_set(progress.as_ptr(), Some(goes_on), ptr::null_mut()) };
    // SAFETY: key, number and progress object are alive.
    let answer = unsafe { RSA_generate_key_ex(rsa.as_ptr(), bits, exponent.as_ptr(), progress.as_ptr()) };
    if answer != 1 && generator_is_closed() {
        forget_errors(FAILED);
        return Ok(None);
    }
    succeeded(answer, CryptoError::EngineFailed("RSA key generation"))?;
    Ok(Some(rsa))
}

/// What AWS-LC asks at each candidate for a prime and each test of one: whether to go on.
unsafe extern "C" fn goes_on(_event: c_int, _number: c_int, _progress: *mut BN_GENCB) -> c_int {
    c_int::from(!generator_is_closed())
}

/// Parses and checks a private key.
///
/// # Errors
/// `InvalidKey` with what is wrong.
pub(super) fn private(parts: &RsaParts) -> Result<Arc<dyn RsaPrivateKey>> {
    if rsa_parts::lacks_crt(parts) {
        return private(&rsa_parts::parse(parts)?.1);
    }
    // The portable engine finds the words for what is wrong.
    rsa_parts::check_whole(parts).map_err(|error| rsa_parts::parse(parts).err().unwrap_or(error))?;
    let secret = |part: &SecretBytes| number(part.expose());
    // SAFETY: has no preconditions.
    let rsa = Owned::take(unsafe { RSA_new() }, NO_MEMORY)?;
    let (n, e, d) = (number(&parts.modulus)?, number(&parts.public_exponent)?, secret(&parts.private_exponent)?);
    // SAFETY: all are alive. A key that has no number yet takes the three over, and this function has no other failure.
    succeeded(unsafe { RSA_set0_key(rsa.as_ptr(), n.release(), e.release(), d.release()) }, FAILED)?;
    let (p, q) = (secret(&parts.prime_1)?, secret(&parts.prime_2)?);
    // SAFETY: as above.
    succeeded(unsafe { RSA_set0_factors(rsa.as_ptr(), p.release(), q.release()) }, FAILED)?;
    let (dp, dq) = (secret(&parts.exponent_1)?, secret(&parts.exponent_2)?);
    let qinv = secret(&parts.coefficient)?;
    // SAFETY: as above.
    succeeded(unsafe { RSA_set0_crt_params(rsa.as_ptr(), dp.release(), dq.release(), qinv.release()) }, FAILED)?;
    let envelope = envelope(&rsa)?;
    let modulus = rsa_parts::trimmed(&parts.modulus).to_vec();
    Ok(Arc::new(PrivateKey { rsa, envelope, modulus, portable: OnceLock::new() }))
}

/// Parses and checks a public key.
///
/// # Errors
/// `InvalidKey` with what is wrong.
pub(super) fn public(modulus: &[u8], public_exponent: &[u8]) -> Result<Arc<dyn RsaPublicKey>> {
    rsa_parts::check_public(modulus, public_exponent, rsa_parts::PUBLIC_BITS_MAX)?;
    let (n, e) = (number(modulus)?, number(public_exponent)?);
    // SAFETY: both numbers are alive, and the key copies them.
    let rsa = unsafe { RSA_new_public_key(n.as_ptr(), e.as_ptr()) };
    let rsa = Owned::take(rsa, CryptoError::InvalidKey("the RSA key is not consistent"))?;
    let envelope = envelope(&rsa)?;
    let modulus = rsa_parts::trimmed(modulus).to_vec();
    Ok(Arc::new(PublicKey { rsa, envelope, modulus, public_exponent: public_exponent.to_vec() }))
}

const FAILED: CryptoError = CryptoError::EngineFailed("RSA");

/// Reads every number of a key that AWS-LC generated.
fn exported(rsa: &Owned<RSA>) -> Result<RsaParts> {
    let part = |read| exported_part(rsa, read);
    let secret = |read| part(read).map(SecretBytes::new);
    Ok(RsaParts {
        modulus: part(RSA_get0_n)?,
        public_exponent: part(RSA_get0_e)?,
        private_exponent: secret(RSA_get0_d)?,
        prime_1: secret(RSA_get0_p)?,
        prime_2: secret(RSA_get0_q)?,
        exponent_1: secret(RSA_get0_dmp1)?,
        exponent_2: secret(RSA_get0_dmq1)?,
        coefficient: secret(RSA_get0_iqmp)?,
    })
}

/// Reads one number of a key.
fn exported_part(rsa: &Owned<RSA>, read: unsafe extern "C" fn(*const RSA) -> *const BIGNUM) -> Result<Vec<u8>> {
    // SAFETY: the key is alive.
    let number = unsafe { read(rsa.as_ptr()) };
    // SAFETY: the number is null or belongs to the key, which is alive.
    unsafe { number_bytes(number) }
}

/// Puts a key into the envelope that AWS-LC's OAEP functions want.
fn envelope(rsa: &Owned<RSA>) -> Result<Owned<EVP_PKEY>> {
    // SAFETY: has no preconditions.
    let envelope = Owned::take(unsafe { EVP_PKEY_new() }, NO_MEMORY)?;
    // SAFETY: both are alive; the envelope takes a reference of its own.
    let answer = unsafe { EVP_PKEY_set1_RSA(envelope.as_ptr(), rsa.as_ptr()) };
    succeeded(answer, FAILED)?;
    Ok(envelope)
}

/// Starts an OAEP operation with `init`, which says its direction.
fn oaep_context(
    envelope: &Owned<EVP_PKEY>,
    label: &[u8],
    hashes: (*const EVP_MD, *const EVP_MD),
    init: unsafe extern "C" fn(*mut EVP_PKEY_CTX) -> c_int,
) -> Result<Owned<EVP_PKEY_CTX>> {
    // SAFETY: the envelope is alive, and the context takes a reference of its own; null means no other engine.
    let context = Owned::take(unsafe { EVP_PKEY_CTX_new(envelope.as_ptr(), ptr::null_mut()) }, NO_MEMORY)?;
    // SAFETY: the context is alive.
    succeeded(unsafe { init(context.as_ptr()) }, FAILED)?;
    // SAFETY: the context is alive and initialised.
    succeeded(unsafe { EVP_PKEY_CTX_set_rsa_padding(context.as_ptr(), RSA_PKCS1_OAEP_PADDING) }, FAILED)?;
    // SAFETY: the context is alive and set to OAEP, and the hash is a constant.
    succeeded(unsafe { EVP_PKEY_CTX_set_rsa_oaep_md(context.as_ptr(), hashes.0) }, FAILED)?;
    // SAFETY: as above.
    succeeded(unsafe { EVP_PKEY_CTX_set_rsa_mgf1_md(context.as_ptr(), hashes.1) }, FAILED)?;
    set_label(&context, label)?;
    Ok(context)
}

/// Gives the context its own copy of the label; an empty label is the default.
fn set_label(context: &Owned<EVP_PKEY_CTX>, label: &[u8]) -> Result<()> {
    if label.is_empty() {
        return Ok(());
    }
    // SAFETY: the slice is readable at its length.
    let copy = unsafe { OPENSSL_memdup(label.as_ptr().cast(), label.len()) };
    if copy.is_null() {
        return Err(NO_MEMORY);
    }
    // SAFETY: the context is alive and set to OAEP; when this succeeds, it owns the copy.
    let answer = unsafe { EVP_PKEY_CTX_set0_rsa_oaep_label(context.as_ptr(), copy.cast(), label.len()) };
    if answer != 1 {
        // SAFETY: the context did not take the copy, so it is still ours, and it is not used again.
        unsafe { OPENSSL_free(copy) };
    }
    succeeded(answer, FAILED)
}

/// AWS-LC wipes the key when it is freed.
struct PrivateKey {
    rsa: Owned<RSA>,
    envelope: Owned<EVP_PKEY>,
    /// The modulus without leading zeros.
    modulus: Vec<u8>,
    /// For the operations that AWS-LC does not offer; made when the first one comes.
    portable: OnceLock<portable::PrivateKey>,
}

impl PrivateKey {
    fn portable(&self) -> Result<&portable::PrivateKey> {
        if let Some(key) = self.portable.get() {
            return Ok(key);
        }
        let key = portable::PrivateKey::new(rsa_parts::parse(&exported(&self.rsa)?)?.0);
        Ok(self.portable.get_or_init(|| key))
    }

    /// Pads as `padding` says and raises to the private exponent.
    fn raise(&self, input: &[u8], padding: c_int) -> Result<Vec<u8>> {
        let mut out = vec![0; self.modulus.len()];
        let mut written = 0;
        // SAFETY: the key is alive and has its private part, `out` is writable and `input` readable at their lengths.
        let answer = unsafe {
            RSA_sign_raw(
                self.rsa.as_ptr(),
                &raw mut written,
                out.as_mut_ptr(),
                out.len(),
                input.as_ptr(),
                input.len(),
                padding,
            )
        };
        succeeded(answer, FAILED)?;
        if written == out.len() { Ok(out) } else { Err(FAILED) }
    }
}

impl RsaPrivateKey for PrivateKey {
    fn modulus_bytes(&self) -> usize {
        self.modulus.len()
    }

    fn sign_pkcs1(&self, payload: &[u8], random: &dyn Random) -> Result<Vec<u8>> {
        let Some(_drawing) = Drawing::begin() else {
            return self.portable()?.sign_pkcs1(payload, random);
        };
        if payload.len() + PKCS1_OVERHEAD_BYTES > self.modulus.len() {
            return Err(CryptoError::InputLength);
        }
        self.raise(payload, RSA_PKCS1_PADDING)
    }

    fn sign_pss(&self, params: &PssParams, digest: &[u8], random: &dyn Random) -> Result<Vec<u8>> {
        let hashes = message_digests(params.hash, params.mgf_hash);
        let (Some(_drawing), Some((hash, mgf_hash))) = (Drawing::begin(), hashes) else {
            return self.portable()?.sign_pss(params, digest, random);
        };
        check_pss(params, digest, rsa_parts::bit_length(&self.modulus) - 1)?;
        let mut out = vec![0; self.modulus.len()];
        let mut written = 0;
        // SAFETY: the key is alive and has its private part, `out` is writable and `digest` readable at their lengths,
        // the hashes are constants; the salt is shorter than the modulus, so it fits an `int` and is no special value.
        let answer = unsafe {
            RSA_sign_pss_mgf1(
                self.rsa.as_ptr(),
                &raw mut written,
                out.as_mut_ptr(),
                out.len(),
                digest.as_ptr(),
                digest.len(),
                hash,
                mgf_hash,
                params.salt_bytes as c_int,
            )
        };
        succeeded(answer, FAILED)?;
        if written == out.len() { Ok(out) } else { Err(FAILED) }
    }

    fn decrypt_pkcs1(&self, ciphertext: &[u8], random: &dyn Random) -> Result<SecretBytes> {
        let mut encoded = self.raw(ciphertext, random)?;
        let exponent = SecretBytes::new(exported_part(&self.rsa, RSA_get0_d)?);
        Ok(rsa_rejection::decode(&mut encoded, exponent.expose(), ciphertext))
    }

    fn decrypt_oaep(&self, params: &OaepParams, ciphertext: &[u8], random: &dyn Random) -> Result<SecretBytes> {
        let hashes = message_digests(params.hash, params.mgf_hash);
        let (Some(_drawing), Some(hashes)) = (Drawing::begin(), hashes) else {
            return self.portable()?.decrypt_oaep(params, ciphertext, random);
        };
        check_block(ciphertext, &self.modulus)?;
        let context = oaep_context(&self.envelope, &params.label, hashes, EVP_PKEY_decrypt_init)?;
        let mut out = SecretBytes::zeroed(self.modulus.len());
        let room = out.expose_mut();
        let mut written = room.len();
        // SAFETY: the context is alive and initialised for decryption, `room` is writable at the length given in
        // `written`, and the ciphertext is readable at its length.
        let answer = unsafe {
            EVP_PKEY_decrypt(
                context.as_ptr(),
                room.as_mut_ptr(),
                &raw mut written,
                ciphertext.as_ptr(),
                ciphertext.len(),
            )
        };
        succeeded(answer, CryptoError::DecryptionFailed)?;
        out.truncate(written);
        Ok(out)
    }

    fn raw(&self, block: &[u8], random: &dyn Random) -> Result<SecretBytes> {
        check_block(block, &self.modulus)?;
        if is_fixed_point(block, &self.modulus) {
            return self.portable()?.raw(block, random);
        }
        let Some(_drawing) = Drawing::begin() else {
            return self.portable()?.raw(block, random);
        };
        self.raise(block, RSA_NO_PADDING).map(SecretBytes::new)
    }
}

/// Whether `block` is 0, 1 or n - 1, which every exponent maps to themselves. `block` has the modulus' length.
fn is_fixed_point(block: &[u8], modulus: &[u8]) -> bool {
    let (Some((last, head)), Some((modulus_last, modulus_head))) = (block.split_last(), modulus.split_last()) else {
        return false;
    };
    let small = *last <= 1 && head.iter().all(|byte| *byte == 0);
    // The modulus is odd, so taking one away borrows from no other byte.
    small || (head == modulus_head && *last == modulus_last - 1)
}

struct PublicKey {
    rsa: Owned<RSA>,
    envelope: Owned<EVP_PKEY>,
    /// The modulus without leading zeros.
    modulus: Vec<u8>,
    public_exponent: Vec<u8>,
}

impl PublicKey {
    fn check_signature_length(&self, signature: &[u8]) -> Result<()> {
        if signature.len() == self.modulus.len() { Ok(()) } else { Err(CryptoError::SignatureLength) }
    }

    /// Raises to the public exponent.
    fn raise(&self, block: &[u8], failure: CryptoError) -> Result<Vec<u8>> {
        let mut out = vec![0; self.modulus.len()];
        let mut written = 0;
        // SAFETY: the key is alive, `out` is writable and `block` readable at their lengths.
        let answer = unsafe {
            RSA_verify_raw(
                self.rsa.as_ptr(),
                &raw mut written,
                out.as_mut_ptr(),
                out.len(),
                block.as_ptr(),
                block.len(),
                RSA_NO_PADDING,
            )
        };
        succeeded(answer, failure)?;
        if written == out.len() { Ok(out) } else { Err(FAILED) }
    }
}

impl RsaPublicKey for PublicKey {
    fn modulus_bytes(&self) -> usize {
        self.modulus.len()
    }

    fn verify_pkcs1(&self, payload: &[u8], signature: &[u8]) -> Result<()> {
        // The whole encoded message is rebuilt and compared, so nothing in it is parsed (RFC 8017, 8.2.2, step 3).
        let padding_bytes = (self.modulus.len().checked_sub(payload.len() + 3))
            .filter(|bytes| *bytes >= PKCS1_OVERHEAD_BYTES - 3)
            .ok_or(CryptoError::InputLength)?;
        self.check_signature_length(signature)?;
        let expected = [&[0, 1], vec![0xFF; padding_bytes].as_slice(), &[0], payload].concat();
        let encoded = self.raise(signature, CryptoError::BadSignature)?;
        if encoded == expected { Ok(()) } else { Err(CryptoError::BadSignature) }
    }

    fn verify_pss(&self, params: &PssParams, digest: &[u8], signature: &[u8]) -> Result<()> {
        let Some((hash, mgf_hash)) = message_digests(params.hash, params.mgf_hash) else {
            return portable::public(&self.modulus, &self.public_exponent)?.verify_pss(params, digest, signature);
        };
        check_pss(params, digest, rsa_parts::bit_length(&self.modulus) - 1)?;
        self.check_signature_length(signature)?;
        // SAFETY: the key is alive, both slices are readable at their lengths, the hashes are constants; the salt is
        // shorter than the modulus, so it fits an `int` and is no special value.
        let answer = unsafe {
            RSA_verify_pss_mgf1(
                self.rsa.as_ptr(),
                digest.as_ptr(),
                digest.len(),
                hash,
                mgf_hash,
                params.salt_bytes as c_int,
                signature.as_ptr(),
                signature.len(),
            )
        };
        succeeded(answer, CryptoError::BadSignature)
    }

    fn encrypt_pkcs1(&self, plaintext: &[u8], random: &dyn Random) -> Result<Vec<u8>> {
        let Some(_drawing) = Drawing::begin() else {
            return portable::public(&self.modulus, &self.public_exponent)?.encrypt_pkcs1(plaintext, random);
        };
        if plaintext.len() + PKCS1_OVERHEAD_BYTES > self.modulus.len() {
            return Err(CryptoError::InputLength);
        }
        let mut out = vec![0; self.modulus.len()];
        let mut written = 0;
        // SAFETY: the key is alive, `out` is writable and `plaintext` readable at their lengths.
        let answer = unsafe {
            RSA_encrypt(
                self.rsa.as_ptr(),
                &raw mut written,
                out.as_mut_ptr(),
                out.len(),
                plaintext.as_ptr(),
                plaintext.len(),
                RSA_PKCS1_PADDING,
            )
        };
        succeeded(answer, FAILED)?;
        if written == out.len() { Ok(out) } else { Err(FAILED) }
    }

    fn encrypt_oaep(&self, params: &OaepParams, plaintext: &[u8], random: &dyn Random) -> Result<Vec<u8>> {
        let hashes = message_digests(params.hash, params.mgf_hash);
        let (Some(_drawing), Some(hashes)) = (Drawing::begin(), hashes) else {
            return portable::public(&self.modulus, &self.public_exponent)?.encrypt_oaep(params, plaintext, random);
        };
        if plaintext.len() + 2 * params.hash.output_bytes() + 2 > self.modulus.len() {
            return Err(CryptoError::InputLength);
        }
        let context = oaep_context(&self.envelope, &params.label, hashes, EVP_PKEY_encrypt_init)?;
        let mut out = vec![0; self.modulus.len()];
        let mut written = out.len();
        // SAFETY: the context is alive and initialised for encryption, `out` is writable at the length given in `written`,
        // and the plaintext is readable at its length.
        let answer = unsafe {
            EVP_PKEY_encrypt(context.as_ptr(), out.as_mut_ptr(), &raw mut written, plaintext.as_ptr(), plaintext.len())
        };
        succeeded(answer, FAILED)?;
        if written == out.len() { Ok(out) } else { Err(FAILED) }
    }

    fn raw(&self, block: &[u8]) -> Result<Vec<u8>> {
        check_block(block, &self.modulus)?;
        self.raise(block, FAILED)
    }
}
