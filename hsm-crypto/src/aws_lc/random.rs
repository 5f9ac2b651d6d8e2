//! AWS-LC's random generator: a CTR_DRBG with AES-256 in each thread, seeded from the system and reseeded after a fork.
//!
//! Owns: nothing but the way in, through the door of [`super::exit`]. Called from `random::Generator`.
//! Rule source: SP 800-90A revision 1, 10.2.1.

use super::exit::Drawing;
use crate::error::{CryptoError, Result};

/// Fills the whole of `out`; `None` when the generator is closed because the process is ending.
pub(crate) fn fill(out: &mut [u8]) -> Option<Result<()>> {
    let _drawing = Drawing::begin()?;
    // AWS-LC gives no reason, and has none: it aborts the process when it finds no seed.
    Some(aws_lc_rs::rand::fill(out).map_err(|_| CryptoError::RandomFailed))
}
