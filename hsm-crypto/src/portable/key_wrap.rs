//! AES key wrap, KW and KWP of SP 800-38F (RFC 3394 and RFC 5649), from the `aes-kw` crate.
//!
//! Owns: lengths, initial values, and PKCS#7 padding in front of KW. The crate knows the default initial values only; for another one the wrapping
//! function W is composed here from the block cipher (SP 800-38F, 6.1), and the tests hold the two against each other. KWP is always unwrapped here, too.
//! Both engines use this file: wrapped keys are short, so speed does not matter.

use crate::cipher::KeyWrap;
use crate::error::{CryptoError, Result};
use crate::memory;
use crate::portable::cipher::Aes;
use crate::portable::hash::AES_KEY_LENGTH;
use crate::secret::SecretBytes;
use aes::cipher::array::Array;
use aes_kw::{AesKw, AesKwp, InnerInit};
use subtle::{ConstantTimeEq, ConstantTimeGreater};
use zeroize::Zeroizing;

/// Wraps `data`; `initial` replaces the default initial value: 8 bytes for KW (ICV1), 4 for KWP (ICV2).
///
/// # Errors
/// `InvalidKey` for a key-encryption key that is no AES key, `InvalidParameter` for an initial value of a wrong
/// length, `InputLength` for data that the kind cannot wrap.
pub(crate) fn key_wrap(kind: KeyWrap, key: &[u8], initial: Option<&[u8]>, data: &[u8]) -> Result<Vec<u8>> {
    if kind == KeyWrap::Pkcs7 {
        return key_wrap(KeyWrap::Kw, key, initial, filled_up(data)?.expose());
    }
    match key.len() {
        16 => wrap::<aes::Aes128>(kind, key, initial, data),
        24 => wrap::<aes::Aes192>(kind, key, initial, data),
        32 => wrap::<aes::Aes256>(kind, key, initial, data),
        _ => Err(CryptoError::InvalidKey(AES_KEY_LENGTH)),
    }
}

/// Unwraps what [`key_wrap`] made.
///
/// # Errors
/// As [`key_wrap`]; `DecryptionFailed` for every failure of integrity.
pub(crate) fn key_unwrap(kind: KeyWrap, key: &[u8], initial: Option<&[u8]>, wrapped: &[u8]) -> Result<SecretBytes> {
    if kind == KeyWrap::Pkcs7 {
        let mut plain = key_unwrap(KeyWrap::Kw, key, initial, wrapped)?;
        plain.truncate(message_bytes(plain.expose())?);
        return Ok(plain);
    }
    match key.len() {
        16 => unwrap::<aes::Aes128>(kind, key, initial, wrapped),
        24 => unwrap::<aes::Aes192>(kind, key, initial, wrapped),
        32 => unwrap::<aes::Aes256>(kind, key, initial, wrapped),
        _ => Err(CryptoError::InvalidKey(AES_KEY_LENGTH)),
    }
}

/// Half a block, the unit of both algorithms.
const SEMIBLOCK_BYTES: usize = 8;
/// Default ICV1 of KW.
const KW_INITIAL: [u8; 8] = [0xA6; 8];
/// Default ICV2 of KWP.
const KWP_INITIAL: [u8; 4] = [0xA6, 0x59, 0x59, 0xA6];

/// Fills up to whole semiblocks with the number of bytes that are missing (RFC 5652, 6.3).
fn filled_up(data: &[u8]) -> Result<SecretBytes> {
    let missing = SEMIBLOCK_BYTES - data.len() % SEMIBLOCK_BYTES;
    let mut filled = SecretBytes::try_zeroed(data.len() + missing)?;
    let (message, padding) = filled.expose_mut().split_at_mut(data.len());
    message.copy_from_slice(data);
    padding.fill(missing as u8);
    Ok(filled)
}

/// How many bytes are in front of the padding. It is looked at after the integrity check, so that it tells an attacker nothing.
fn message_bytes(filled: &[u8]) -> Result<usize> {
    let missing = filled.last().map_or(0, |last| usize::from(*last));
    let padding = filled.len().checked_sub(missing).and_then(|kept| filled.get(kept..));
    match padding {
        Some(padding) if (1..=8).contains(&missing) && padding.iter().all(|byte| usize::from(*byte) == missing) => {
            Ok(filled.len() - missing)
        }
        _ => Err(CryptoError::DecryptionFailed),
    }
}

fn wrap<A: Aes>(kind: KeyWrap, key: &[u8], initial: Option<&[u8]>, data: &[u8]) -> Result<Vec<u8>> {
    let aes = A::expand(key)?;
    check_plain_length(kind, data.len())?;
    let mut out = memory::zeroed(data.len().next_multiple_of(SEMIBLOCK_BYTES) + SEMIBLOCK_BYTES)?;
    match initial_value(kind, initial)? {
        Initial::Default => {
            // Both errors of the crate are about lengths, which were checked above.
            let outcome = match kind {
                KeyWrap::Kw | KeyWrap::Pkcs7 => AesKw::inner_init(aes).wrap_key(data, &mut out).map(<[u8]>::len),
                KeyWrap::Kwp => AesKwp::inner_init(aes).wrap_key(data, &mut out).map(<[u8]>::len),
            };
            outcome.map_err(|_| CryptoError::InputLength)?;
        }
        Initial::Kw(value) => {
            out[..SEMIBLOCK_BYTES].copy_from_slice(&value);
            out[SEMIBLOCK_BYTES..].copy_from_slice(data);
            wrapping_function(&aes, &mut out);
        }
        Initial::Kwp(value) => {
            let length = u32::try_from(data.len()).map_err(|_| CryptoError::InputLength)?;
            out[..4].copy_from_slice(&value);
            out[4..8].copy_from_slice(&length.to_be_bytes());
            out[8..8 + data.len()].copy_from_slice(data);
            if out.len() == 16 {
                encrypt_block(&aes, &mut out);
            } else {
                wrapping_function(&aes, &mut out);
            }
        }
    }
    Ok(out)
}

fn unwrap<A: Aes>(kind: KeyWrap, key: &[u8], initial: Option<&[u8]>, wrapped: &[u8]) -> Result<SecretBytes> {
    let aes = A::expand(key)?;
    let shortest = match kind {
        KeyWrap::Kw | KeyWrap::Pkcs7 => 3 * SEMIBLOCK_BYTES,
        KeyWrap::Kwp => 2 * SEMIBLOCK_BYTES,
    };
    if wrapped.len() < shortest || !wrapped.len().is_multiple_of(SEMIBLOCK_BYTES) {
        return Err(CryptoError::InputLength);
    }
    match unwrapping_value(kind, initial)? {
        Initial::Default => {
            let mut plain = SecretBytes::try_zeroed(wrapped.len() - SEMIBLOCK_BYTES)?;
            // Lengths are right, so the only error left is the failed integrity check.
            let kept = AesKw::inner_init(aes).unwrap_key(wrapped, plain.expose_mut()).map(<[u8]>::len);
            plain.truncate(kept.map_err(|_| CryptoError::DecryptionFailed)?);
            Ok(plain)
        }
        Initial::Kw(value) => {
            let mut work = Zeroizing::new(memory::copied(wrapped)?);
            unwrapping_function(&aes, &mut work);
            if !bool::from(work[..SEMIBLOCK_BYTES].ct_eq(&value)) {
                return Err(CryptoError::DecryptionFailed);
            }
            SecretBytes::try_copy_of(&work[SEMIBLOCK_BYTES..])
        }
        Initial::Kwp(value) => {
            let mut work = Zeroizing::new(memory::copied(wrapped)?);
            if work.len() == 16 {
                decrypt_block(&aes, &mut work);
            } else {
                unwrapping_function(&aes, &mut work);
            }
            match kwp_message_bytes(&work, value) {
                Some(kept) => SecretBytes::try_copy_of(&work[SEMIBLOCK_BYTES..SEMIBLOCK_BYTES + kept]),
                None => Err(CryptoError::DecryptionFailed),
            }
        }
    }
}

/// How many bytes the message has that stands behind the initial semiblock (RFC 5649, 3), `None` if anything is wrong with
/// that or the padding. All of it is looked at, so that the time does not tell which part was wrong.
fn kwp_message_bytes(work: &[u8], value: [u8; 4]) -> Option<usize> {
    let (initial, body) = work.split_first_chunk::<SEMIBLOCK_BYTES>()?;
    let (before, last) = body.split_last_chunk::<SEMIBLOCK_BYTES>()?;
    let (start, length) = initial.split_at(4);
    let length = u32::from_be_bytes(length.try_into().ok()?);
    // How much of the last semiblock belongs to the message: 1 to 8 bytes.
    let kept = u64::from(length).wrapping_sub(before.len() as u64);
    let mut right = start.ct_eq(&value) & kept.ct_gt(&0) & !kept.ct_gt(&(SEMIBLOCK_BYTES as u64));
    for (place, byte) in (0_u64..).zip(last) {
        right &= kept.ct_gt(&place) | byte.ct_eq(&0);
    }
    bool::from(right).then_some(length as usize)
}

enum Initial {
    Default,
    Kw([u8; 8]),
    Kwp([u8; 4]),
}

fn initial_value(kind: KeyWrap, given: Option<&[u8]>) -> Result<Initial> {
    const WRONG_LENGTH: CryptoError =
        CryptoError::InvalidParameter("the initial value has 8 bytes for KW and 4 bytes for KWP");
    Ok(match (kind, given) {
        (_, None) => Initial::Default,
        (KeyWrap::Kw | KeyWrap::Pkcs7, Some(value)) => match <[u8; 8]>::try_from(value) {
            Ok(KW_INITIAL) => Initial::Default,
            Ok(value) => Initial::Kw(value),
            Err(_) => return Err(WRONG_LENGTH),
        },
        (KeyWrap::Kwp, Some(value)) => match <[u8; 4]>::try_from(value) {
            Ok(KWP_INITIAL) => Initial::Default,
            Ok(value) => Initial::Kwp(value),
            Err(_) => return Err(WRONG_LENGTH),
        },
    })
}

/// As [`initial_value`]; KWP is always unwrapped here, because the crate stops at the first thing that is wrong: the initial
/// value, the length, the padding.
fn unwrapping_value(kind: KeyWrap, given: Option<&[u8]>) -> Result<Initial> {
    Ok(match (kind, initial_value(kind, given)?) {
        (KeyWrap::Kwp, Initial::Default) => Initial::Kwp(KWP_INITIAL),
        (_, other) => other,
    })
}

fn check_plain_length(kind: KeyWrap, bytes: usize) -> Result<()> {
    let fits = match kind {
        KeyWrap::Kw | KeyWrap::Pkcs7 => bytes >= 2 * SEMIBLOCK_BYTES && bytes.is_multiple_of(SEMIBLOCK_BYTES),
        KeyWrap::Kwp => bytes >= 1 && u32::try_from(bytes).is_ok(),
    };
    if fits { Ok(()) } else { Err(CryptoError::InputLength) }
}

/// W of SP 800-38F, 6.1, in place: `work` is the initial semiblock followed by two or more others.
fn wrapping_function<A: Aes>(aes: &A, work: &mut [u8]) {
    let count = work.len() / SEMIBLOCK_BYTES - 1;
    let mut block = Zeroizing::new([0; 16]);
    block[..8].copy_from_slice(&work[..8]);
    for round in 0..6 {
        for place in 1..=count {
            let semiblock = place * SEMIBLOCK_BYTES..(place + 1) * SEMIBLOCK_BYTES;
            block[8..].copy_from_slice(&work[semiblock.clone()]);
            encrypt_block(aes, &mut *block);
            mix_step(&mut block, count * round + place);
            work[semiblock].copy_from_slice(&block[8..]);
        }
    }
    work[..8].copy_from_slice(&block[..8]);
}

/// The inverse of [`wrapping_function`], SP 800-38F, 6.1.
fn unwrapping_function<A: Aes>(aes: &A, work: &mut [u8]) {
    let count = work.len() / SEMIBLOCK_BYTES - 1;
    let mut block = Zeroizing::new([0; 16]);
    block[..8].copy_from_slice(&work[..8]);
    for round in (0..6).rev() {
        for place in (1..=count).rev() {
            let semiblock = place * SEMIBLOCK_BYTES..(place + 1) * SEMIBLOCK_BYTES;
            mix_step(&mut block, count * round + place);
            block[8..].copy_from_slice(&work[semiblock.clone()]);
            decrypt_block(aes, &mut *block);
            work[semiblock].copy_from_slice(&block[8..]);
        }
    }
    work[..8].copy_from_slice(&block[..8]);
}

/// Mixes the number of the step into the left half.
fn mix_step(block: &mut [u8; 16], step: usize) {
    for (byte, part) in block.iter_mut().zip((step as u64).to_be_bytes()) {
        *byte ^= part;
    }
}

fn encrypt_block<A: Aes>(aes: &A, bytes: &mut [u8]) {
    let (blocks, _) = Array::slice_as_chunks_mut(bytes);
    aes.encrypt_blocks(blocks);
}

fn decrypt_block<A: Aes>(aes: &A, bytes: &mut [u8]) {
    let (blocks, _) = Array::slice_as_chunks_mut(bytes);
    aes.decrypt_blocks(blocks);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With the default initial value the crate's result is the reference for the function composed here.
    #[test]
    fn the_wrapping_function_gives_the_same_bytes_as_the_crate() {
        let key = [7; 32];
        let aes = aes::Aes256::expand(&key).unwrap();
        for semiblocks in [2, 3, 4, 100, 300] {
            let data: Vec<u8> = (0..semiblocks * 8).map(|place| place as u8).collect();
            let reference = key_wrap(KeyWrap::Kw, &key, None, &data).unwrap();
            let mut work = [KW_INITIAL.as_slice(), &data].concat();
            wrapping_function(&aes, &mut work);
            assert_eq!(work, reference);
            unwrapping_function(&aes, &mut work);
            assert_eq!(work[8..], data);
            assert_eq!(key_wrap(KeyWrap::Kw, &key, Some(&KW_INITIAL), &data).unwrap(), reference);
        }
    }
}
