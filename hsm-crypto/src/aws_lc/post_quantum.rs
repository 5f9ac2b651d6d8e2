//! ML-KEM and ML-DSA of AWS-LC, on `aws-lc-sys`: `aws-lc-rs` has neither seeds nor message representatives.
//!
//! Owns: the keys, made once and never changed. ML-KEM draws nothing: seeds and messages come from the caller's random source. A hedged
//! ML-DSA signature draws from AWS-LC's generator, through the door of [`super::exit`]; a deterministic one, which AWS-LC does not
//! offer, is the portable engine's. Called from `aws_lc::PROVIDER`. Rule source: FIPS 203, FIPS 204.

use super::exit::Drawing;
use super::object::{NO_MEMORY, Owned, forget_errors, succeeded};
use crate::error::{CryptoError, Result};
use crate::portable;
use crate::post_quantum::{
    Encapsulated, MlDsaPrivateKey, MlDsaPublicKey, MlDsaSet, MlKemPrivateKey, MlKemPublicKey, MlKemSet, Mu, Secret,
};
use crate::random::Random;
use crate::secret::SecretBytes;
use aws_lc_sys::{
    EVP_PKEY, EVP_PKEY_CTX, EVP_PKEY_CTX_kem_set_params, EVP_PKEY_CTX_new, EVP_PKEY_CTX_new_id, EVP_PKEY_KEM,
    EVP_PKEY_decapsulate, EVP_PKEY_encapsulate_deterministic, EVP_PKEY_get_raw_private_key,
    EVP_PKEY_get_raw_public_key, EVP_PKEY_kem_new_raw_public_key, EVP_PKEY_kem_new_raw_secret_key,
    EVP_PKEY_keygen_deterministic, EVP_PKEY_keygen_init, EVP_PKEY_pqdsa_new_raw_private_key,
    EVP_PKEY_pqdsa_new_raw_public_key, EVP_PKEY_sign, EVP_PKEY_sign_init, EVP_PKEY_verify, EVP_PKEY_verify_init,
    NID_MLDSA44, NID_MLDSA65, NID_MLDSA87, NID_MLKEM512, NID_MLKEM768, NID_MLKEM1024,
};
use std::os::raw::c_int;
use std::ptr;
use std::sync::{Arc, OnceLock};

const KEM_FAILED: CryptoError = CryptoError::EngineFailed("ML-KEM");
const DSA_FAILED: CryptoError = CryptoError::EngineFailed("ML-DSA");

/// Makes a decapsulation key of its seed, or parses an expanded one, which the portable engine checks.
///
/// # Errors
/// `InvalidKey`.
pub(super) fn ml_kem_private(set: MlKemSet, secret: Secret<'_>) -> Result<Arc<dyn MlKemPrivateKey>> {
    let (expanded, public) = match secret {
        Secret::Seed(seed) => {
            let key = kem_key_of_seed(set, seed)?;
            (
                raw(&key, set.private_bytes(), EVP_PKEY_get_raw_private_key, KEM_FAILED)?.into(),
                kem_public_of(set, &key)?,
            )
        }
        Secret::Expanded(bytes) => {
            let checked = portable::ml_kem::private(set, secret)?;
            (SecretBytes::copy_of(bytes), checked.public_key())
        }
    };
    let bytes = expanded.expose();
    // SAFETY: `bytes` is readable at its length; AWS-LC copies it.
    let key = unsafe { EVP_PKEY_kem_new_raw_secret_key(kem_number(set), bytes.as_ptr(), bytes.len()) };
    let key = Owned::take(key, portable::ml_kem::BAD_EXPANDED)?;
    Ok(Arc::new(KemPrivate { set, key, public }))
}

/// Parses an encapsulation key; the portable engine looks at the modulus.
///
/// # Errors
/// `InvalidKey`.
pub(super) fn ml_kem_public(set: MlKemSet, bytes: &[u8]) -> Result<Arc<dyn MlKemPublicKey>> {
    portable::ml_kem::public(set, bytes)?;
    // SAFETY: `bytes` is readable at its length; AWS-LC copies it.
    let key = unsafe { EVP_PKEY_kem_new_raw_public_key(kem_number(set), bytes.as_ptr(), bytes.len()) };
    Ok(Arc::new(KemPublic { set, key: Owned::take(key, portable::ml_kem::BAD_PUBLIC)? }))
}

/// Makes a private key of its seed, or parses an expanded one. AWS-LC computes the public key from it and compares the parts.
///
/// # Errors
/// `InvalidKey`.
pub(super) fn ml_dsa_private(set: MlDsaSet, secret: Secret<'_>) -> Result<Arc<dyn MlDsaPrivateKey>> {
    let bytes = match secret {
        Secret::Seed(seed) if seed.len() == MlDsaSet::SEED_BYTES => seed,
        Secret::Seed(_) => return Err(portable::ml_dsa::BAD_SEED),
        Secret::Expanded(bytes) => {
            portable::ml_dsa::private(set, secret)?;
            bytes
        }
    };
    // SAFETY: `bytes` is readable at its length; AWS-LC copies it.
    let key = unsafe { EVP_PKEY_pqdsa_new_raw_private_key(dsa_number(set), bytes.as_ptr(), bytes.len()) };
    let key = Owned::take(key, portable::ml_dsa::BAD_EXPANDED)?;
    let public = raw(&key, set.public_bytes(), EVP_PKEY_get_raw_public_key, DSA_FAILED)?;
    Ok(Arc::new(DsaPrivate { set, key, public, portable: OnceLock::new() }))
}

/// Parses a public key.
///
/// # Errors
/// `InvalidKey`.
pub(super) fn ml_dsa_public(set: MlDsaSet, bytes: &[u8]) -> Result<Arc<dyn MlDsaPublicKey>> {
    if bytes.len() != set.public_bytes() {
        return Err(portable::ml_dsa::BAD_PUBLIC);
    }
    // SAFETY: `bytes` is readable at its length; AWS-LC copies it.
    let key = unsafe { EVP_PKEY_pqdsa_new_raw_public_key(dsa_number(set), bytes.as_ptr(), bytes.len()) };
    Ok(Arc::new(DsaPublic { set, key: Owned::take(key, portable::ml_dsa::BAD_PUBLIC)?, bytes: bytes.to_vec() }))
}

const fn kem_number(set: MlKemSet) -> c_int {
    match set {
        MlKemSet::MlKem512 => NID_MLKEM512,
        MlKemSet::MlKem768 => NID_MLKEM768,
        MlKemSet::MlKem1024 => NID_MLKEM1024,
    }
}

const fn dsa_number(set: MlDsaSet) -> c_int {
    match set {
        MlDsaSet::MlDsa44 => NID_MLDSA44,
        MlDsaSet::MlDsa65 => NID_MLDSA65,
        MlDsaSet::MlDsa87 => NID_MLDSA87,
    }
}

/// A function that writes a raw key: to where, and the room, which becomes the length.
type Writes = unsafe extern "C" fn(*const EVP_PKEY, *mut u8, *mut usize) -> c_int;

/// The raw form of a key, of exactly so many bytes.
fn raw(key: &Owned<EVP_PKEY>, bytes: usize, write: Writes, failure: CryptoError) -> Result<Vec<u8>> {
    let (mut out, mut length) = (vec![0; bytes], bytes);
    // SAFETY: the key is alive, `out` is writable at `length`.
    let answer = unsafe { write(key.as_ptr(), out.as_mut_ptr(), &mut length) };
    succeeded(answer, failure)?;
    if length == bytes { Ok(out) } else { Err(failure) }
}

fn kem_public_of(set: MlKemSet, key: &Owned<EVP_PKEY>) -> Result<Vec<u8>> {
    raw(key, set.public_bytes(), EVP_PKEY_get_raw_public_key, KEM_FAILED)
}

fn kem_key_of_seed(set: MlKemSet, seed: &[u8]) -> Result<Owned<EVP_PKEY>> {
    if seed.len() != MlKemSet::SEED_BYTES {
        return Err(portable::ml_kem::BAD_SEED);
    }
    // SAFETY: the number is a constant, and null asks for no engine.
    let context = Owned::take(unsafe { EVP_PKEY_CTX_new_id(EVP_PKEY_KEM, ptr::null_mut()) }, NO_MEMORY)?;
    // SAFETY: the context is alive.
    succeeded(unsafe { EVP_PKEY_CTX_kem_set_params(context.as_ptr(), kem_number(set)) }, KEM_FAILED)?;
    // SAFETY: the context is alive.
    succeeded(unsafe { EVP_PKEY_keygen_init(context.as_ptr()) }, KEM_FAILED)?;
    let (mut key, mut length) = (ptr::null_mut(), seed.len());
    // SAFETY: the context is alive, `seed` is readable at `length`, and `key` is a place for the new key.
    let answer = unsafe { EVP_PKEY_keygen_deterministic(context.as_ptr(), &mut key, seed.as_ptr(), &mut length) };
    succeeded(answer, KEM_FAILED)?;
    Owned::take(key, KEM_FAILED)
}

/// A context for one operation with a key.
fn context_of(key: &Owned<EVP_PKEY>) -> Result<Owned<EVP_PKEY_CTX>> {
    // SAFETY: the key is alive, and the context holds a reference of its own; null asks for no engine.
    Owned::take(unsafe { EVP_PKEY_CTX_new(key.as_ptr(), ptr::null_mut()) }, NO_MEMORY)
}

struct KemPrivate {
    set: MlKemSet,
    key: Owned<EVP_PKEY>,
    public: Vec<u8>,
}

impl MlKemPrivateKey for KemPrivate {
    fn set(&self) -> MlKemSet {
        self.set
    }

    fn public_key(&self) -> Vec<u8> {
        self.public.clone()
    }

    fn expanded(&self) -> Result<SecretBytes> {
        raw(&self.key, self.set.private_bytes(), EVP_PKEY_get_raw_private_key, KEM_FAILED).map(SecretBytes::new)
    }

    fn decapsulate(&self, ciphertext: &[u8]) -> Result<SecretBytes> {
        if ciphertext.len() != self.set.ciphertext_bytes() {
            return Err(CryptoError::InputLength);
        }
        let context = context_of(&self.key)?;
        let (mut secret, mut length) = (SecretBytes::zeroed(MlKemSet::SECRET_BYTES), MlKemSet::SECRET_BYTES);
        let room = secret.expose_mut();
        // SAFETY: the context is alive, `room` is writable at `length`, and `ciphertext` is readable at its length.
        let answer = unsafe {
            EVP_PKEY_decapsulate(
                context.as_ptr(),
                room.as_mut_ptr(),
                &mut length,
                ciphertext.as_ptr(),
                ciphertext.len(),
            )
        };
        succeeded(answer, KEM_FAILED)?;
        Ok(secret)
    }
}

struct KemPublic {
    set: MlKemSet,
    key: Owned<EVP_PKEY>,
}

impl MlKemPublicKey for KemPublic {
    fn set(&self) -> MlKemSet {
        self.set
    }

    fn encapsulate(&self, random: &dyn Random) -> Result<Encapsulated> {
        let mut message = SecretBytes::zeroed(MlKemSet::SECRET_BYTES);
        random.fill(message.expose_mut())?;
        let context = context_of(&self.key)?;
        let (mut ciphertext, mut ciphertext_length) =
            (vec![0; self.set.ciphertext_bytes()], self.set.ciphertext_bytes());
        let (mut secret, mut secret_length) = (SecretBytes::zeroed(MlKemSet::SECRET_BYTES), MlKemSet::SECRET_BYTES);
        let mut message_length = message.len();
        let (room, message) = (secret.expose_mut(), message.expose());
        // SAFETY: the context is alive, both places are writable at their lengths, and `message` is readable at its own.
        let answer = unsafe {
            EVP_PKEY_encapsulate_deterministic(
                context.as_ptr(),
                ciphertext.as_mut_ptr(),
                &mut ciphertext_length,
                room.as_mut_ptr(),
                &mut secret_length,
                message.as_ptr(),
                &mut message_length,
            )
        };
        succeeded(answer, KEM_FAILED)?;
        Ok(Encapsulated { ciphertext, secret })
    }
}

struct DsaPrivate {
    set: MlDsaSet,
    key: Owned<EVP_PKEY>,
    public: Vec<u8>,
    /// The same key for deterministic signatures, made at the first.
    portable: OnceLock<Arc<dyn MlDsaPrivateKey>>,
}

impl DsaPrivate {
    fn portable(&self) -> Result<&Arc<dyn MlDsaPrivateKey>> {
        if let Some(key) = self.portable.get() {
            return Ok(key);
        }
        let key = portable::ml_dsa::private(self.set, Secret::Expanded(self.expanded()?.expose()))?;
        Ok(self.portable.get_or_init(|| key))
    }
}

impl MlDsaPrivateKey for DsaPrivate {
    fn set(&self) -> MlDsaSet {
        self.set
    }

    fn public_key(&self) -> Vec<u8> {
        self.public.clone()
    }

    fn expanded(&self) -> Result<SecretBytes> {
        raw(&self.key, self.set.private_bytes(), EVP_PKEY_get_raw_private_key, DSA_FAILED).map(SecretBytes::new)
    }

    /// The random bytes of a hedged signature come from AWS-LC's own generator, so `hedge` is asked only when that one is closed.
    fn sign(&self, mu: &[u8; Mu::BYTES], hedge: Option<&dyn Random>) -> Result<Vec<u8>> {
        let (Some(_), Some(_drawing)) = (hedge, Drawing::begin()) else {
            return self.portable()?.sign(mu, hedge);
        };
        let context = context_of(&self.key)?;
        // SAFETY: the context is alive and has its key.
        succeeded(unsafe { EVP_PKEY_sign_init(context.as_ptr()) }, DSA_FAILED)?;
        let (mut signature, mut length) = (vec![0; self.set.signature_bytes()], self.set.signature_bytes());
        // SAFETY: the context is alive, `signature` is writable at `length`, and `mu` is readable at its length.
        let answer =
            unsafe { EVP_PKEY_sign(context.as_ptr(), signature.as_mut_ptr(), &mut length, mu.as_ptr(), mu.len()) };
        succeeded(answer, DSA_FAILED)?;
        if length == signature.len() { Ok(signature) } else { Err(forget_errors(DSA_FAILED)) }
    }
}

struct DsaPublic {
    set: MlDsaSet,
    key: Owned<EVP_PKEY>,
    bytes: Vec<u8>,
}

impl MlDsaPublicKey for DsaPublic {
    fn set(&self) -> MlDsaSet {
        self.set
    }

    fn public_key(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    fn verify(&self, mu: &[u8; Mu::BYTES], signature: &[u8]) -> Result<()> {
        if signature.len() != self.set.signature_bytes() {
            return Err(CryptoError::SignatureLength);
        }
        let context = context_of(&self.key)?;
        // SAFETY: the context is alive and has its key.
        succeeded(unsafe { EVP_PKEY_verify_init(context.as_ptr()) }, DSA_FAILED)?;
        // SAFETY: the context is alive, and both slices are readable at their lengths.
        let answer =
            unsafe { EVP_PKEY_verify(context.as_ptr(), signature.as_ptr(), signature.len(), mu.as_ptr(), mu.len()) };
        succeeded(answer, CryptoError::BadSignature)
    }
}
