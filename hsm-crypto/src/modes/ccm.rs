//! AES-CCM (SP 800-38C, appendix A): a CBC-MAC over lengths, associated data and plaintext, masked, and counter mode.
//!
//! Owns: the formatting of the first block, of associated data and of counter blocks, and the limits of nonce, tag and
//! lengths. Does not know: AES, which the engine supplies as a [`Chain`] and as a [`Keystream`]; the order of events is
//! [`crate::modes::galois`]'. The `ccm` crate has lengths of nonce and tag in its types and whole messages only; the tests hold
//! the two against each other.

use crate::cipher::CcmParams;
use crate::error::{CryptoError, Result};
use crate::modes::block::BLOCK_BYTES;
use crate::modes::chain::{Chain, HeldChain};
use crate::modes::counter::Keystream;
use crate::modes::galois::{Galois, TAG_BYTES};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Nonce and length field share all of a block but one byte.
const NONCE_AND_LENGTH_BYTES: usize = BLOCK_BYTES - 1;
/// Shorter associated data has its length in two bytes.
const SHORT_AAD_BYTES: usize = 0xFF00;

/// Refuses parameters that CCM does not have.
///
/// # Errors
/// `InvalidParameter` for a nonce, a tag or an announced length out of range.
pub(crate) fn check_params(params: &CcmParams<'_>) -> Result<()> {
    if !(7..=13).contains(&params.nonce.len()) {
        return Err(CryptoError::InvalidParameter("a CCM nonce has 7 to 13 bytes"));
    }
    if !(4..=16).contains(&params.tag_bytes) || !params.tag_bytes.is_multiple_of(2) {
        return Err(CryptoError::InvalidParameter("a CCM tag has 4 to 16 bytes and an even number of them"));
    }
    let length_bits = 8 * length_bytes(params) as u32;
    if params.message_bytes.checked_shr(length_bits).is_some_and(|above| above != 0) {
        return Err(CryptoError::InvalidParameter("a message of this length takes a shorter nonce"));
    }
    Ok(())
}

/// Width of the length field (q, or L of RFC 3610) in bytes.
fn length_bytes(params: &CcmParams<'_>) -> usize {
    NONCE_AND_LENGTH_BYTES - params.nonce.len()
}

/// The counter block from which the tag's mask comes; the message's follow it. The parameters were judged.
pub(crate) fn first_counter_block(params: &CcmParams<'_>) -> [u8; BLOCK_BYTES] {
    block_of(length_bytes(params) as u8 - 1, params, 0)
}

/// A block of flags, nonce and a number in the rest.
fn block_of(flags: u8, params: &CcmParams<'_>, number: u64) -> [u8; BLOCK_BYTES] {
    let mut block = [0; BLOCK_BYTES];
    // The number goes first: with a long nonce its upper bytes, zeros as judged, stand where the nonce is written.
    block[BLOCK_BYTES - 8..].copy_from_slice(&number.to_be_bytes());
    block[0] = flags;
    block[1..=params.nonce.len()].copy_from_slice(params.nonce);
    block
}

/// A running CCM computation.
pub(crate) struct Ccm<C, K> {
    /// Until the tag is taken.
    chain: Option<HeldChain<C>>,
    keystream: K,
    /// The encrypted first counter block, with which the tag is masked.
    mask: Zeroizing<[u8; TAG_BYTES]>,
    message_bytes: u64,
}

impl<C: Chain, K: Keystream> Ccm<C, K> {
    /// Takes in the parameters, which were judged; the chain has taken in nothing, and the key stream begins at
    /// [`first_counter_block`].
    ///
    /// # Errors
    /// The engine's.
    pub(crate) fn new(chain: C, mut keystream: K, params: &CcmParams<'_>) -> Result<Self> {
        let mut mask = Zeroizing::new([0; TAG_BYTES]);
        keystream.apply(&mut *mask)?;
        let mut chain = HeldChain::new(chain);
        let flags = if params.aad.is_empty() { 0 } else { 0x40 };
        let flags = flags | (((params.tag_bytes as u8 - 2) / 2) << 3) | (length_bytes(params) as u8 - 1);
        chain.take_in(&block_of(flags, params, params.message_bytes))?;
        if !params.aad.is_empty() {
            let bytes = params.aad.len();
            if bytes < SHORT_AAD_BYTES {
                chain.take_in(&(bytes as u16).to_be_bytes())?;
            } else if let Ok(bytes) = u32::try_from(bytes) {
                chain.take_in(&[0xFF, 0xFE])?;
                chain.take_in(&bytes.to_be_bytes())?;
            } else {
                chain.take_in(&[0xFF, 0xFF])?;
                chain.take_in(&(bytes as u64).to_be_bytes())?;
            }
            chain.take_in(params.aad)?;
            chain.fill_up(0);
        }
        Ok(Self { chain: Some(chain), keystream, mask, message_bytes: params.message_bytes })
    }

    fn chain(&mut self) -> Result<&mut HeldChain<C>> {
        self.chain.as_mut().ok_or(IS_OVER)
    }
}

const IS_OVER: CryptoError = CryptoError::EngineFailed("the encryption is over");

impl<C: Chain, K: Keystream> Galois for Ccm<C, K> {
    fn message_bytes_max(&self) -> u64 {
        self.message_bytes
    }

    fn check_message_bytes(&self, bytes: u64) -> Result<()> {
        if bytes == self.message_bytes { Ok(()) } else { Err(CryptoError::InputLength) }
    }

    fn encrypt(&mut self, input: &[u8], out: &mut [u8]) -> Result<()> {
        self.chain()?.take_in(input)?;
        self.keystream.apply_into(input, out)
    }

    fn decrypt(&mut self, input: &[u8], out: &mut [u8]) -> Result<()> {
        self.keystream.apply_into(input, out)?;
        self.chain()?.take_in(out)
    }

    fn tag(&mut self) -> Result<[u8; TAG_BYTES]> {
        let mut chain = self.chain.take().ok_or(IS_OVER)?;
        chain.fill_up(0);
        let mut tag = chain.finish(&[0; TAG_BYTES])?;
        for (byte, mask) in tag.iter_mut().zip(&*self.mask) {
            *byte ^= mask;
        }
        Ok(tag)
    }

    fn check_tag(&mut self, tag: &[u8]) -> Result<()> {
        let full = self.tag()?;
        let expected = full.get(..tag.len()).ok_or(CryptoError::DecryptionFailed)?;
        if bool::from(expected.ct_eq(tag)) { Ok(()) } else { Err(CryptoError::DecryptionFailed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_the_nonce_the_shorter_the_message() {
        let judged = |nonce: usize, tag_bytes, message_bytes| {
            check_params(&CcmParams { nonce: &[0; 16][..nonce], aad: &[], tag_bytes, message_bytes }).is_ok()
        };
        assert!(judged(7, 16, u64::MAX) && judged(13, 4, 0xFFFF) && judged(12, 16, 0xFF_FFFF));
        assert!(!judged(13, 16, 0x1_0000) && !judged(12, 16, 0x100_0000) && !judged(8, 16, 1 << 56));
        for nonce in [0, 6, 14, 16] {
            assert!(!judged(nonce, 16, 0), "{nonce}");
        }
        for tag_bytes in [0, 2, 3, 5, 15, 17, 18] {
            assert!(!judged(12, tag_bytes, 0), "{tag_bytes}");
        }
    }

    /// SP 800-38C, C.1: the first block and the first counter block.
    #[test]
    fn blocks_are_formatted_as_the_standard_shows() {
        let nonce: [u8; 7] = [0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16];
        let params = CcmParams { nonce: &nonce, aad: &[0; 8], tag_bytes: 4, message_bytes: 4 };
        let expect = [0x4F, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0, 0, 0, 0, 0, 0, 0, 4];
        assert_eq!(block_of(0x4F, &params, 4), expect);
        assert_eq!(first_counter_block(&params)[..8], [0x07, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16]);
    }
}
