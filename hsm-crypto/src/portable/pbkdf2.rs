//! PBKDF2 of the portable engine: the crate `pbkdf2`.

use crate::error::{CryptoError, Result};
use crate::hash::Hash;

/// Fills `out` from a password and a salt in so many rounds (RFC 8018, 5.2).
///
/// # Errors
/// `InvalidParameter` for hashes other than SHA-1 and SHA-2, and for no rounds.
pub(crate) fn pbkdf2(hash: Hash, password: &[u8], salt: &[u8], rounds: u32, out: &mut [u8]) -> Result<()> {
    if rounds == 0 {
        return Err(CryptoError::InvalidParameter("PBKDF2 has one round at least"));
    }
    let fill = match hash {
        Hash::Sha1 => pbkdf2::pbkdf2_hmac::<sha1::Sha1>,
        Hash::Sha224 => pbkdf2::pbkdf2_hmac::<sha2::Sha224>,
        Hash::Sha256 => pbkdf2::pbkdf2_hmac::<sha2::Sha256>,
        Hash::Sha384 => pbkdf2::pbkdf2_hmac::<sha2::Sha384>,
        Hash::Sha512 => pbkdf2::pbkdf2_hmac::<sha2::Sha512>,
        Hash::Sha512_224 => pbkdf2::pbkdf2_hmac::<sha2::Sha512_224>,
        Hash::Sha512_256 => pbkdf2::pbkdf2_hmac::<sha2::Sha512_256>,
        _ => return Err(CryptoError::InvalidParameter("PBKDF2 is not offered with this hash")),
    };
    fill(password, salt, rounds, out);
    Ok(())
}
