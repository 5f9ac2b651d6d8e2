//! Ownership of AWS-LC's C objects, and the few calls that every other file here needs.
//!
//! Owns: freeing each object exactly once, on every path; turning C outcomes into `Result`s; big numbers. Does not
//! know: algorithms. Unsafe code is confined to `object`, `rsa`, `ec`, `groups`, `post_quantum` and `cipher` in this folder: one
//! call in a block, and beside it who guarantees what. AWS-LC wipes all memory that it frees (`OPENSSL_free`).

use crate::error::{CryptoError, Result};
use crate::hash::Hash;
use crate::memory;
use aws_lc_sys::{
    BIGNUM, BN_GENCB, BN_GENCB_free, BN_bin2bn, BN_bn2bin, BN_free, BN_num_bytes, EC_GROUP, EC_GROUP_free, EC_KEY,
    EC_KEY_free, EC_POINT, EC_POINT_free, ECDSA_SIG, ECDSA_SIG_free, ERR_R_MALLOC_FAILURE, ERR_get_error,
    ERR_put_error, EVP_CIPHER_CTX, EVP_CIPHER_CTX_free, EVP_MD, EVP_PKEY, EVP_PKEY_CTX, EVP_PKEY_CTX_free,
    EVP_PKEY_free, EVP_sha1, EVP_sha3_224, EVP_sha3_256, EVP_sha3_384, EVP_sha3_512, EVP_sha224, EVP_sha256,
    EVP_sha384, EVP_sha512, EVP_sha512_224, EVP_sha512_256, RSA, RSA_free,
};
use std::os::raw::c_int;
use std::ptr::{self, NonNull};

/// An object of AWS-LC that is freed on drop.
pub(super) struct Owned<T: Freed>(NonNull<T>);

/// A C type with its destructor.
pub(super) trait Freed {
    /// Frees the object.
    ///
    /// # Safety
    /// `object` came from the constructor of its type, is not null, and is not used again.
    unsafe fn free(object: *mut Self);
}

macro_rules! freed {
    ($($object:ty: $destructor:ident),+ $(,)?) => {
        $(impl Freed for $object {
            unsafe fn free(object: *mut Self) {
                // SAFETY: the caller hands over the object for good, as the trait demands.
                unsafe { $destructor(object) }
            }
        })+
    };
}

freed! {
    BIGNUM: BN_free,
    BN_GENCB: BN_GENCB_free,
    EC_GROUP: EC_GROUP_free,
    EC_KEY: EC_KEY_free,
    EC_POINT: EC_POINT_free,
    ECDSA_SIG: ECDSA_SIG_free,
    EVP_CIPHER_CTX: EVP_CIPHER_CTX_free,
    EVP_PKEY: EVP_PKEY_free,
    EVP_PKEY_CTX: EVP_PKEY_CTX_free,
    RSA: RSA_free,
}

impl<T: Freed> Owned<T> {
    /// Takes over what a constructor returned; null becomes `failure`.
    ///
    /// # Errors
    /// `failure`.
    pub(super) fn take(object: *mut T, failure: CryptoError) -> Result<Self> {
        NonNull::new(object).map(Self).ok_or_else(|| forget_errors(failure))
    }

    /// Lends the object to a C function.
    pub(super) fn as_ptr(&self) -> *mut T {
        self.0.as_ptr()
    }

    /// Gives the object to a C function that takes ownership.
    pub(super) fn release(self) -> *mut T {
        let object = self.as_ptr();
        std::mem::forget(self);
        object
    }
}

impl<T: Freed> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the object came from its constructor and is not null (`take`), nobody else owns it
        // (`release` forgets the owner), and it cannot be reached after this.
        unsafe { T::free(self.as_ptr()) }
    }
}

// SAFETY: none of these objects is bound to the thread that made it.
unsafe impl<T: Freed> Send for Owned<T> {}
// SAFETY: a shared `RSA` or `EC_KEY` may be used by many threads at once as long as none changes it (rsa.h and
// ec_key.h, "thread safety"); AWS-LC guards its own caches, such as the blinding values, with a lock. After its
// constructor no function of this engine changes such an object.
unsafe impl Sync for Owned<RSA> {}
// SAFETY: as above.
unsafe impl Sync for Owned<EC_KEY> {}
// SAFETY: as above; an `EVP_PKEY` here is an envelope around an `RSA`, or an ML-KEM or ML-DSA key, which are plain bytes.
unsafe impl Sync for Owned<EVP_PKEY> {}

/// Empties this thread's error queue and passes the error on, or says that it was memory that AWS-LC did not get.
///
/// Its functions answer the same for a wrong signature and for want of memory; only the queue tells the two apart.
pub(super) fn forget_errors(error: CryptoError) -> CryptoError {
    let (mut short, mut any) = (false, false);
    while let Some(reason) = next_error() {
        any = true;
        short |= reason == ERR_R_MALLOC_FAILURE;
    }
    if any {
        return if short { CryptoError::OutOfMemory } else { error };
    }
    // The queue is memory, too. Where it cannot keep what is put into it, it has kept no word of what went wrong before.
    // SAFETY: has no preconditions; the name is a constant.
    unsafe { ERR_put_error(0, 0, ERR_R_MALLOC_FAILURE, c"".as_ptr(), 0) };
    if next_error().is_some() { error } else { CryptoError::OutOfMemory }
}

/// Takes the oldest error from this thread's queue: its reason, without the library and function that it is from.
fn next_error() -> Option<c_int> {
    // SAFETY: has no preconditions; it touches the queue of the calling thread only.
    let packed = unsafe { ERR_get_error() };
    (packed != 0).then_some((packed & 0xfff) as c_int)
}

/// Reads the usual answer of a C function: 1 for success.
///
/// # Errors
/// `failure` for every other answer.
pub(super) fn succeeded(answer: c_int, failure: CryptoError) -> Result<()> {
    if answer == 1 { Ok(()) } else { Err(forget_errors(failure)) }
}

/// Makes a number from big-endian bytes.
///
/// # Errors
/// `OutOfMemory`.
pub(super) fn number(bytes: &[u8]) -> Result<Owned<BIGNUM>> {
    // SAFETY: the slice is readable at its length; a null result pointer asks for a new number.
    let number = unsafe { BN_bin2bn(bytes.as_ptr(), bytes.len(), ptr::null_mut()) };
    Owned::take(number, NO_MEMORY)
}

/// Reads a number as big-endian bytes without leading zeros.
///
/// # Safety
/// `number` is null or a valid number that lives through the call.
///
/// # Errors
/// `EngineFailed` when it is null.
pub(super) unsafe fn number_bytes(number: *const BIGNUM) -> Result<Vec<u8>> {
    if number.is_null() {
        return Err(CryptoError::EngineFailed("a number of the key is missing"));
    }
    // SAFETY: not null, and valid as the caller promises.
    let bytes = unsafe { BN_num_bytes(number) };
    let mut out = memory::zeroed(bytes as usize)?;
    // SAFETY: valid as above, and `out` has exactly the room that the number needs.
    let written = unsafe { BN_bn2bin(number, out.as_mut_ptr()) };
    debug_assert_eq!(written, out.len(), "AWS-LC wrote another length than it announced");
    Ok(out)
}

/// A hash and the hash of the mask generation, as AWS-LC's functions for RSA name them; `None` where it lacks one of them.
pub(super) fn message_digests(hash: Hash, mgf_hash: Hash) -> Option<(*const EVP_MD, *const EVP_MD)> {
    Some((message_digest(hash)?, message_digest(mgf_hash)?))
}

fn message_digest(hash: Hash) -> Option<*const EVP_MD> {
    let function = match hash {
        Hash::Sha1 => EVP_sha1,
        Hash::Sha224 => EVP_sha224,
        Hash::Sha256 => EVP_sha256,
        Hash::Sha384 => EVP_sha384,
        Hash::Sha512 => EVP_sha512,
        Hash::Sha512_224 => EVP_sha512_224,
        Hash::Sha512_256 => EVP_sha512_256,
        Hash::Sha3_224 => EVP_sha3_224,
        Hash::Sha3_256 => EVP_sha3_256,
        Hash::Sha3_384 => EVP_sha3_384,
        Hash::Sha3_512 => EVP_sha3_512,
        _ => return None,
    };
    // SAFETY: these functions have no preconditions and return constants.
    Some(unsafe { function() })
}

/// The error for constructors that fail when memory is short, and for no other reason.
pub(super) const NO_MEMORY: CryptoError = CryptoError::OutOfMemory;
