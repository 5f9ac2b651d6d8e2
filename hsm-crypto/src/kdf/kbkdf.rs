//! The key derivation functions of SP 800-108 in all three modes, over the MACs of an engine.
//!
//! Owns: what the pseudorandom function is fed in each round. Does not know: how a label, a context or a length is encoded; the
//! caller gives the input as fields in its own order.
//! Rule source: NIST SP 800-108 rev. 1, 4.1 to 4.3.

use crate::error::{CryptoError, Result};
use crate::hash::{CipherMac, Hash, Mac};
use crate::provider::Provider;
use crate::secret::SecretBox;
use crate::secret::SecretBytes;
use crate::symmetric::SymmetricKey;

/// A pseudorandom function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prf {
    /// HMAC.
    Hmac(Hash),
    /// AES-CMAC; the key has 16, 24 or 32 bytes.
    AesCmac,
    /// CMAC of triple DES; the key has 24 bytes.
    TripleDesCmac,
}

/// Where the rounds take their iteration variable from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KbkdfMode<'a> {
    /// A counter (SP 800-108, 4.1).
    Counter,
    /// The round before; this before the first one (4.2).
    Feedback(&'a [u8]),
    /// A second chain of the function over the input (4.3).
    DoublePipeline,
}

/// One field of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KbkdfField<'a> {
    /// The iteration variable; in counter mode this is the counter, elsewhere a result of the function.
    Iteration,
    /// The counter beside another iteration variable.
    Counter,
    /// Bytes.
    Bytes(&'a [u8]),
}

/// How the counter is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Integer {
    /// Its length in bytes, 1 to 8.
    pub bytes: usize,
    /// The least significant byte first.
    pub little_endian: bool,
}

/// Everything that says how a key is derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kbkdf<'a> {
    /// The function.
    pub prf: Prf,
    /// The iteration variable.
    pub mode: KbkdfMode<'a>,
    /// The counter.
    pub counter: Integer,
    /// The input in its order.
    pub fields: &'a [KbkdfField<'a>],
}

impl Prf {
    /// Length of a result in bytes.
    #[must_use]
    pub const fn output_bytes(self) -> usize {
        match self {
            Prf::Hmac(hash) => hash.output_bytes(),
            Prf::AesCmac => 16,
            Prf::TripleDesCmac => 8,
        }
    }

    /// Starts the function with a key.
    ///
    /// # Errors
    /// The engine's.
    pub fn start(self, engine: &Provider, key: &SymmetricKey) -> Result<SecretBox<dyn Mac>> {
        match self {
            Prf::Hmac(hash) => (engine.hmac)(hash, key),
            Prf::AesCmac => (engine.cmac)(key),
            Prf::TripleDesCmac => (engine.cipher_mac)(&CipherMac::TripleDesCmac, key),
        }
    }
}

impl Integer {
    /// Writes a number.
    ///
    /// # Errors
    /// `InvalidParameter` when it has more bytes, or the length is not 1 to 8.
    pub fn write(self, number: u64) -> Result<Vec<u8>> {
        let fault = || CryptoError::InvalidParameter("a counter or length does not fit its field");
        let all = number.to_be_bytes();
        let (zeros, digits) =
            all.len().checked_sub(self.bytes).and_then(|at| all.split_at_checked(at)).ok_or_else(fault)?;
        if digits.is_empty() || zeros.iter().any(|byte| *byte != 0) {
            return Err(fault());
        }
        let mut digits = digits.to_vec();
        if self.little_endian {
            digits.reverse();
        }
        Ok(digits)
    }
}

/// Derives so many bytes.
///
/// # Errors
/// `InvalidParameter` when the counter does not reach that far; the engine's.
pub fn kbkdf(engine: &Provider, key: &SymmetricKey, how: &Kbkdf<'_>, len: usize) -> Result<SecretBytes> {
    kbkdf_from(engine, key, how, 1, len)
}

/// Derives so many bytes with a first counter that is not 1, as SP 800-108 has it.
///
/// # Errors
/// As [`kbkdf`].
pub fn kbkdf_from(
    engine: &Provider,
    key: &SymmetricKey,
    how: &Kbkdf<'_>,
    first: u64,
    len: usize,
) -> Result<SecretBytes> {
    let round = how.prf.output_bytes();
    if u32::try_from(len.div_ceil(round)).is_err() {
        return Err(CryptoError::InvalidParameter("SP 800-108 ends after 2^32 - 1 rounds"));
    }
    let mut out = SecretBytes::zeroed(len);
    let mut chain = match how.mode {
        KbkdfMode::Feedback(initial) => SecretBytes::copy_of(initial),
        KbkdfMode::Counter | KbkdfMode::DoublePipeline => SecretBytes::default(),
    };
    for (number, chunk) in (first..).zip(out.expose_mut().chunks_mut(round)) {
        if how.mode == KbkdfMode::DoublePipeline {
            chain = pipeline(engine, key, how, &chain)?;
        }
        let counter = how.counter.write(number)?;
        let mut mac = how.prf.start(engine, key)?;
        for field in how.fields {
            match field {
                KbkdfField::Iteration if how.mode != KbkdfMode::Counter => mac.update(chain.expose())?,
                KbkdfField::Iteration | KbkdfField::Counter => mac.update(&counter)?,
                KbkdfField::Bytes(bytes) => mac.update(bytes)?,
            }
        }
        let result = SecretBytes::new(mac.finish()?);
        for (place, byte) in chunk.iter_mut().zip(result.expose()) {
            *place = *byte;
        }
        if let KbkdfMode::Feedback(_) = how.mode {
            chain = result;
        }
    }
    Ok(out)
}

/// The next link of the second chain, whose first one is made of the input without iteration variable and counter.
fn pipeline(engine: &Provider, key: &SymmetricKey, how: &Kbkdf<'_>, last: &SecretBytes) -> Result<SecretBytes> {
    let mut mac = how.prf.start(engine, key)?;
    if !last.is_empty() {
        mac.update(last.expose())?;
        return mac.finish().map(SecretBytes::new);
    }
    for field in how.fields {
        if let KbkdfField::Bytes(bytes) = field {
            mac.update(bytes)?;
        }
    }
    mac.finish().map(SecretBytes::new)
}
