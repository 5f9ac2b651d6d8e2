//! PBKDF2 of AWS-LC, through the safe interface of `aws-lc-rs`.

use crate::error::{CryptoError, Result};
use crate::hash::Hash;
use crate::portable;
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA384, PBKDF2_HMAC_SHA512};
use core::num::NonZeroU32;

/// Fills `out` from a password and a salt in so many rounds.
///
/// # Errors
/// `InvalidParameter` for no rounds.
pub(super) fn pbkdf2(hash: Hash, password: &[u8], salt: &[u8], rounds: u32, out: &mut [u8]) -> Result<()> {
    let algorithm = match hash {
        Hash::Sha1 => PBKDF2_HMAC_SHA1,
        Hash::Sha256 => PBKDF2_HMAC_SHA256,
        Hash::Sha384 => PBKDF2_HMAC_SHA384,
        Hash::Sha512 => PBKDF2_HMAC_SHA512,
        // `aws-lc-rs` names no other.
        _ => return portable::pbkdf2::pbkdf2(hash, password, salt, rounds, out),
    };
    let rounds = NonZeroU32::new(rounds).ok_or(CryptoError::InvalidParameter("PBKDF2 has one round at least"))?;
    pbkdf2::derive(algorithm, rounds, salt, password, out);
    Ok(())
}
