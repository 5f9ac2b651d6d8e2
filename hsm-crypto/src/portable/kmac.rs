//! KMAC of the portable engine: the framing of key and length around the crate `cshake`.
//!
//! Owns: the encodings of SP 800-185 that KMAC adds to cSHAKE. Does not know: what is authenticated. No crate of the family
//! offers KMAC itself. Called from `portable::PROVIDER`. Rule source: NIST SP 800-185, 2.3 and 4.3.

use crate::error::Result;
use crate::hash::{KmacParams, KmacStrength, MAC_IS_OVER, Mac};
use crate::secret::SecretBox;
use crate::secret::boxed;
use crate::symmetric::SymmetricKey;
use cshake::CShake;
use cshake::digest::{ExtendableOutput, Update, XofReader};

/// Starts a KMAC.
///
/// # Errors
/// None of its own.
pub(crate) fn kmac(params: &KmacParams<'_>, key: &SymmetricKey) -> Result<SecretBox<dyn Mac>> {
    let (customisation, tag_bytes) = (params.customisation, params.tag_bytes);
    Ok(match params.strength {
        KmacStrength::Bits128 => boxed(Running { sponge: Some(keyed::<168>(customisation, key)), tag_bytes }),
        KmacStrength::Bits256 => boxed(Running { sponge: Some(keyed::<136>(customisation, key)), tag_bytes }),
    })
}

/// A sponge that has absorbed `bytepad(encode_string(K), RATE)`.
fn keyed<const RATE: usize>(customisation: &[u8], key: &SymmetricKey) -> CShake<RATE> {
    let key = key.expose();
    let mut sponge = CShake::<RATE>::new_with_function_name(b"KMAC", customisation);
    let (unit, length) = (left_encode(RATE as u64), left_encode(8 * key.len() as u64));
    for part in [&unit, &length, key] {
        sponge.update(part);
    }
    let filled = (unit.len() + length.len() + key.len()) % RATE;
    sponge.update(&[0; RATE][filled..]);
    sponge
}

/// The number's length in bytes, and the number big-endian without leading zeros, at least one byte.
fn left_encode(number: u64) -> Vec<u8> {
    let digits = digits(number);
    [&[digits.len() as u8], &digits[..]].concat()
}

/// The number as in `left_encode`, and then its length.
fn right_encode(number: u64) -> Vec<u8> {
    let mut digits = digits(number);
    digits.push(digits.len() as u8);
    digits
}

fn digits(number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let zeros = bytes.iter().take(7).take_while(|byte| **byte == 0).count();
    bytes[zeros..].to_vec()
}

/// A KMAC until its tag is taken; the crate wipes the sponge on drop.
struct Running<const RATE: usize> {
    sponge: Option<CShake<RATE>>,
    tag_bytes: usize,
}

impl<const RATE: usize> Mac for Running<RATE> {
    fn update(&mut self, data: &[u8]) -> Result<()> {
        self.sponge.as_mut().ok_or(MAC_IS_OVER)?.update(data);
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        let mut sponge = self.sponge.take().ok_or(MAC_IS_OVER)?;
        sponge.update(&right_encode(8 * self.tag_bytes as u64));
        let mut tag = vec![0; self.tag_bytes];
        sponge.finalize_xof().read(&mut tag);
        Ok(tag)
    }

    fn tag_bytes(&self) -> usize {
        self.tag_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SP 800-185, 2.3.1.
    #[test]
    fn numbers_are_encoded_as_the_standard_says() {
        assert_eq!(left_encode(0), [1, 0]);
        assert_eq!(right_encode(0), [0, 1]);
        assert_eq!(left_encode(168), [1, 168]);
        assert_eq!(right_encode(256), [1, 0, 2]);
        assert_eq!(left_encode(65_536), [3, 1, 0, 0]);
        assert_eq!(left_encode(u64::MAX), [8, 255, 255, 255, 255, 255, 255, 255, 255]);
    }
}
