//! Decoding of PKCS#1 v1.5 encryption with implicit rejection: bad padding gives a message that looks like any other.
//!
//! Owns: the synthetic message of a key and a ciphertext, and choosing it without a trace in time or memory access. Does
//! not know: the private operation. Used by the engine whose library only says whether padding is good, which is the
//! oracle of Bleichenbacher's attack; the `rsa` crate has the same inside, and the tests hold the two against each other.
//! Rule source: RFC 8017, 7.2.2; draft-irtf-cfrg-rsa-guidance-10, 7.1 and 7.2.

use crate::secret::SecretBytes;
use hmac::digest::{KeyInit, Mac};
use sha2::Digest;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeGreater};

type Hmac = hmac::Hmac<sha2::Sha256>;

/// Bytes of the encoding that are not message: two in front, eight of padding, a separator.
const OVERHEAD_BYTES: usize = 11;
/// Bytes of candidates for the length of the synthetic message, two each.
const LENGTHS_BYTES: usize = 256;

/// Decodes what the private operation made of a ciphertext: both, and `encoded` is changed, have the modulus' length, which is
/// 11 bytes at least.
pub(crate) fn decode(encoded: &mut SecretBytes, private_exponent: &[u8], ciphertext: &[u8]) -> SecretBytes {
    let synthetic = Synthetic::of(private_exponent, ciphertext);
    let message = synthetic.bytes(b"message", encoded.len());
    let synthetic_bytes = synthetic.length(encoded.len() - OVERHEAD_BYTES);

    let encoded = encoded.expose_mut();
    let (good, message_bytes) = separated(encoded);
    let chosen_bytes = u32::conditional_select(&synthetic_bytes, &message_bytes, good);
    for (byte, other) in encoded.iter_mut().zip(message.expose()) {
        byte.conditional_assign(other, !good);
    }
    // The length of the answer is the caller's to know, whichever it is.
    SecretBytes::copy_of(&encoded[encoded.len() - chosen_bytes as usize..])
}

/// Whether the encoding is right, and how many bytes follow the first separator; looks at every byte.
fn separated(encoded: &[u8]) -> (Choice, u32) {
    let mut searching = Choice::from(1);
    let mut message_bytes = 0_u32;
    // Counted from the end, where the message is: 32 bits hold every modulus' length.
    for (after, byte) in (0_u32..encoded.len() as u32).rev().zip(encoded).skip(2) {
        let found = searching & byte.ct_eq(&0);
        message_bytes.conditional_assign(&after, found);
        searching &= !found;
    }
    let longest = encoded.len().saturating_sub(OVERHEAD_BYTES) as u32;
    let good = encoded[0].ct_eq(&0) & encoded[1].ct_eq(&2) & !searching & !message_bytes.ct_gt(&longest);
    (good, message_bytes)
}

/// The source of the synthetic message of one key and one ciphertext.
struct Synthetic(Hmac);

impl Synthetic {
    fn of(private_exponent: &[u8], ciphertext: &[u8]) -> Self {
        // The exponent at the length of the modulus.
        let mut padded = SecretBytes::zeroed(ciphertext.len());
        for (place, byte) in padded.expose_mut().iter_mut().rev().zip(private_exponent.iter().rev()) {
            *place = *byte;
        }
        let digest = SecretBytes::new(sha2::Sha256::digest(padded.expose()).to_vec());
        let mut mac = keyed(&digest);
        mac.update(ciphertext);
        Self(keyed(&SecretBytes::new(mac.finalize().into_bytes().to_vec())))
    }

    /// Pseudorandom bytes for a purpose.
    fn bytes(&self, purpose: &[u8], bytes: usize) -> SecretBytes {
        let mut out = SecretBytes::zeroed(bytes);
        // The longest modulus has 8,192 bits.
        let bits = (8 * bytes as u16).to_be_bytes();
        for (counter, part) in (0_u16..).zip(out.expose_mut().chunks_mut(32)) {
            let mut mac = self.0.clone();
            mac.update(&counter.to_be_bytes());
            mac.update(purpose);
            mac.update(&bits);
            let block = SecretBytes::new(mac.finalize().into_bytes().to_vec());
            part.copy_from_slice(&block.expose()[..part.len()]);
        }
        out
    }

    /// The length of the synthetic message: the last candidate that is not above `longest`, or none.
    fn length(&self, longest: usize) -> u32 {
        let longest = longest as u32;
        let mask = u32::MAX.checked_shr(longest.leading_zeros()).unwrap_or(0);
        let mut length = 0_u32;
        for candidate in self.bytes(b"length", LENGTHS_BYTES).expose().chunks_exact(2) {
            let candidate = (u32::from(candidate[0]) << 8 | u32::from(candidate[1])) & mask;
            length.conditional_assign(&candidate, !candidate.ct_gt(&longest));
        }
        length
    }
}

#[expect(clippy::expect_used, reason = "the only error of HMAC is about lengths, of which it takes all")]
fn keyed(key: &SecretBytes) -> Hmac {
    Hmac::new_from_slice(key.expose()).expect("HMAC takes keys of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An encoding of 64 bytes with its separator at a place.
    fn encoding(separator: usize) -> Vec<u8> {
        let mut encoded = vec![7; 64];
        encoded[..2].copy_from_slice(&[0, 2]);
        encoded[separator] = 0;
        encoded
    }

    fn decoded(encoded: &[u8]) -> Vec<u8> {
        decode(&mut SecretBytes::copy_of(encoded), &[5; 63], &[9; 64]).expose().to_vec()
    }

    #[test]
    fn what_follows_the_first_separator_is_the_message_if_eight_bytes_of_padding_precede_it() {
        for separator in 10..64 {
            let mut encoded = encoding(separator);
            assert_eq!(decoded(&encoded), vec![7; 63 - separator]);
            encoded[63] = 0;
            let expected = [vec![7; 62_usize.saturating_sub(separator)], vec![0]].concat();
            assert_eq!(decoded(&encoded), expected[..63 - separator], "later zeros belong to the message");
        }
    }

    #[test]
    fn every_wrong_encoding_gives_the_one_message_of_key_and_ciphertext() {
        let synthetic = decoded(&[1; 64]);
        assert!(synthetic.len() <= 53 && !synthetic.is_empty(), "{} bytes of this key and ciphertext", synthetic.len());
        for separator in 2..10 {
            assert_eq!(decoded(&encoding(separator)), synthetic);
        }
        for (place, value) in [(0, 1), (1, 1), (1, 0), (1, 3)] {
            let mut encoded = encoding(20);
            encoded[place] = value;
            assert_eq!(decoded(&encoded), synthetic);
        }
        let mut endless = vec![7; 64];
        endless[..2].copy_from_slice(&[0, 2]);
        assert_eq!(decoded(&endless), synthetic);
        assert_ne!(decode(&mut SecretBytes::copy_of(&[1; 64]), &[5; 63], &[8; 64]).expose(), synthetic);
        assert_ne!(decode(&mut SecretBytes::copy_of(&[1; 64]), &[6; 63], &[9; 64]).expose(), synthetic);
    }
}
