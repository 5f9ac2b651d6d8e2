//! Paddings of RFC 8017 that the `rsa` crate does not offer in full.
//!
//! - EMSA-PSS with two different hashes (9.1): with one hash the crate does the work, and the tests hold both against
//!   each other. PSS works on a digest and a salt that become public with the signature.
//! - The decoding of EME-OAEP (7.1.2, step 3): the crate ignores the first octet, which the standard wants to be zero and
//!   Project Wycheproof tests. Nothing here may tell which check failed (Manger's attack), so every check is made, in
//!   constant time, and there is one answer.
//! - The encoding of EME-OAEP (7.1.1, step 2): the crate wants both hashes as types, and each pair of hashes would be code of
//!   its own.
//!
//! Does not know: keys; the private and public operations are the caller's.

use crate::error::{CryptoError, Result};
use crate::hash::Hash;
use crate::portable::hash::digest;
use crate::rsa::{OaepParams, PssParams};
use crate::secret::SecretBytes;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

/// The byte that ends every encoded message.
const TRAILER: u8 = 0xBC;

/// Refuses salt and hash that do not fit into an encoded message of `encoded_bits`, and digests of a wrong length.
///
/// # Errors
/// `InputLength` for the digest, `InvalidParameter` for the salt.
pub(crate) fn check_pss(params: &PssParams, digest: &[u8], encoded_bits: usize) -> Result<()> {
    if digest.len() != params.hash.output_bytes() {
        return Err(CryptoError::InputLength);
    }
    let room = encoded_bits.div_ceil(8).checked_sub(params.hash.output_bytes() + 2);
    if room.is_some_and(|room| params.salt_bytes <= room) {
        Ok(())
    } else {
        Err(CryptoError::InvalidParameter("the PSS salt and hash do not fit the modulus"))
    }
}

/// Encodes `digest` with `salt` into `ceil(encoded_bits / 8)` bytes (9.1.1).
///
/// # Errors
/// As [`check_pss`].
pub(crate) fn pss_encode(
    params: &PssParams,
    message_digest: &[u8],
    salt: &[u8],
    encoded_bits: usize,
) -> Result<Vec<u8>> {
    check_pss(params, message_digest, encoded_bits)?;
    let mut encoded = vec![0; encoded_bits.div_ceil(8)];
    let hash_start = encoded.len() - params.hash.output_bytes() - 1;
    let salt_start = hash_start - salt.len();
    encoded[salt_start - 1] = 1;
    encoded[salt_start..hash_start].copy_from_slice(salt);

    let seed = salted_digest(params.hash, message_digest, salt);
    mask(params.mgf_hash, &seed, &mut encoded[..hash_start]);
    encoded[0] &= first_byte_mask(encoded_bits);
    encoded[hash_start..hash_start + seed.len()].copy_from_slice(&seed);
    if let Some(last) = encoded.last_mut() {
        *last = TRAILER;
    }
    Ok(encoded)
}

/// Checks an encoded message of `ceil(encoded_bits / 8)` bytes (9.1.2).
///
/// # Errors
/// As [`check_pss`]; `BadSignature` when the message does not belong to the digest.
pub(crate) fn pss_verify(
    params: &PssParams,
    message_digest: &[u8],
    mut encoded: Vec<u8>,
    encoded_bits: usize,
) -> Result<()> {
    check_pss(params, message_digest, encoded_bits)?;
    if encoded.len() != encoded_bits.div_ceil(8) {
        return Err(CryptoError::BadSignature);
    }
    let hash_start = encoded.len() - params.hash.output_bytes() - 1;
    let salt_start = hash_start - params.salt_bytes;
    let mut wrong = encoded[encoded.len() - 1] ^ TRAILER;
    wrong |= encoded[0] & !first_byte_mask(encoded_bits);

    let (block, rest) = encoded.split_at_mut(hash_start);
    let seed = &rest[..params.hash.output_bytes()];
    mask(params.mgf_hash, seed, block);
    block[0] &= first_byte_mask(encoded_bits);
    for zero in &block[..salt_start - 1] {
        wrong |= zero;
    }
    wrong |= block[salt_start - 1] ^ 1;
    let expected = salted_digest(params.hash, message_digest, &block[salt_start..]);
    if wrong == 0 && bool::from(expected.ct_eq(seed)) { Ok(()) } else { Err(CryptoError::BadSignature) }
}

/// Encodes `plaintext` with `seed`, as long as the hash, into `modulus_bytes` bytes.
///
/// # Errors
/// `InputLength` when the plaintext does not fit.
pub(crate) fn oaep_encode(
    params: &OaepParams,
    plaintext: &[u8],
    seed: &[u8],
    modulus_bytes: usize,
) -> Result<Zeroizing<Vec<u8>>> {
    let hash_bytes = params.hash.output_bytes();
    if plaintext.len() + 2 * hash_bytes + 2 > modulus_bytes {
        return Err(CryptoError::InputLength);
    }
    let mut encoded = Zeroizing::new(vec![0; modulus_bytes]);
    let plaintext_start = modulus_bytes - plaintext.len();
    encoded[plaintext_start..].copy_from_slice(plaintext);
    encoded[plaintext_start - 1] = 1;
    let (masked_seed, block) = encoded[1..].split_at_mut(hash_bytes);
    let mut label = digest(params.hash);
    label.update(&params.label);
    block[..hash_bytes].copy_from_slice(&label.finish());
    masked_seed.copy_from_slice(seed);
    mask(params.mgf_hash, masked_seed, block);
    mask(params.mgf_hash, block, masked_seed);
    Ok(encoded)
}

/// Decodes what the private operation made of an OAEP ciphertext, working in place; `encoded` has the modulus' length.
///
/// # Errors
/// `DecryptionFailed`, whatever is wrong.
pub(crate) fn oaep_decode(params: &OaepParams, encoded: &mut [u8]) -> Result<SecretBytes> {
    let hash_bytes = params.hash.output_bytes();
    // Lengths are public: this depends on key and parameters only.
    if encoded.len() < 2 * hash_bytes + 2 {
        return Err(CryptoError::DecryptionFailed);
    }
    let (first, rest) = encoded.split_at_mut(1);
    let (seed, block) = rest.split_at_mut(hash_bytes);
    mask(params.mgf_hash, block, seed);
    mask(params.mgf_hash, seed, block);

    let mut label = digest(params.hash);
    label.update(&params.label);
    let (label_digest, message) = block.split_at(hash_bytes);
    let mut good = first[0].ct_eq(&0) & label_digest.ct_eq(&label.finish());

    // After zeros comes a one, and after that the plaintext. Every byte is looked at.
    let mut start = 0_u32;
    let mut searching = Choice::from(1);
    for (place, byte) in (1_u32..).zip(message) {
        let found = byte.ct_eq(&1);
        start.conditional_assign(&place, searching & found);
        good &= !searching | found | byte.ct_eq(&0);
        searching &= !found;
    }
    good &= !searching;
    if bool::from(good) {
        Ok(SecretBytes::copy_of(&message[start as usize..]))
    } else {
        Err(CryptoError::DecryptionFailed)
    }
}

/// Hashes eight zeros, the digest and the salt.
fn salted_digest(hash: Hash, message_digest: &[u8], salt: &[u8]) -> Vec<u8> {
    let mut running = digest(hash);
    running.update(&[0; 8]);
    running.update(message_digest);
    running.update(salt);
    running.finish()
}

/// Combines `data` with MGF1 of `seed` (RFC 8017, B.2.1).
fn mask(hash: Hash, seed: &[u8], data: &mut [u8]) {
    let mut running = digest(hash);
    for (counter, chunk) in (0_u32..).zip(data.chunks_mut(hash.output_bytes())) {
        running.update(seed);
        running.update(&counter.to_be_bytes());
        let mut block = running.finish();
        for (byte, part) in chunk.iter_mut().zip(&block) {
            *byte ^= part;
        }
        block.zeroize();
    }
}

/// The bits of the first byte that an encoded message of `encoded_bits` has.
fn first_byte_mask(encoded_bits: usize) -> u8 {
    0xFF >> (encoded_bits.div_ceil(8) * 8 - encoded_bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With one hash for both uses the crate's signatures must pass this check, and this encoding its check;
    /// the engine tests do that with keys. Here: what comes out of the encoding passes, and each change fails.
    #[test]
    fn an_encoded_message_passes_its_check_and_no_changed_one_does() {
        let params = PssParams { hash: Hash::Sha256, mgf_hash: Hash::Sha1, salt_bytes: 20 };
        for encoded_bits in [1023, 1024, 1025, 1030] {
            let digest = [7; 32];
            let encoded = pss_encode(&params, &digest, &[9; 20], encoded_bits).unwrap();
            assert_eq!(pss_verify(&params, &digest, encoded.clone(), encoded_bits), Ok(()));
            assert_eq!(pss_verify(&params, &[8; 32], encoded.clone(), encoded_bits), Err(CryptoError::BadSignature));
            for place in 0..encoded.len() {
                for bit in 0..8 {
                    let mut changed = encoded.clone();
                    changed[place] ^= 1 << bit;
                    let outcome = pss_verify(&params, &digest, changed, encoded_bits);
                    assert_eq!(outcome, Err(CryptoError::BadSignature), "byte {place}, bit {bit}");
                }
            }
        }
    }

    #[test]
    fn a_salt_that_does_not_fit_is_refused() {
        let params = |salt_bytes| PssParams { hash: Hash::Sha512, mgf_hash: Hash::Sha512, salt_bytes };
        assert_eq!(check_pss(&params(62), &[0; 64], 1023), Ok(()));
        assert!(matches!(check_pss(&params(63), &[0; 64], 1023), Err(CryptoError::InvalidParameter(_))));
        assert!(matches!(check_pss(&params(usize::MAX), &[0; 64], 1023), Err(CryptoError::InvalidParameter(_))));
        assert_eq!(check_pss(&params(0), &[0; 63], 1023), Err(CryptoError::InputLength));
    }
}
