//! Authenticated encryption of the portable engine other than GCM: AES-CCM, and the way to ChaCha20-Poly1305.
//!
//! Owns: the choice of crate types. Does not know: the format of CCM, which is [`crate::modes::ccm`]'s for both engines.

use crate::cipher::{Aead, AeadParams, CcmParams, Direction};
use crate::error::{CryptoError, Result};
use crate::modes::block::BLOCK_BYTES;
use crate::modes::ccm::{Ccm, check_params, first_counter_block};
use crate::modes::chain::{Chain, last_block};
use crate::modes::counter::Keystream;
use crate::modes::galois::GaloisStream;
use crate::portable::cipher::{Aes, whole_blocks};
use crate::portable::hash::AES_KEY_LENGTH;
use crate::portable::stream;
use crate::secret::SecretBox;
use crate::secret::boxed;
use crate::symmetric::SymmetricKey;
use aes::cipher::array::Array;
use aes::cipher::{BlockModeEncrypt, InnerIvInit, SetIvState, StreamCipher};
use ctr::{Ctr128BE, CtrCore};
use zeroize::Zeroize;

/// Starts an authenticated encryption.
///
/// # Errors
/// `InvalidKey` for a key of another length than the cipher's; `InvalidParameter` for a nonce, tag or length out of range.
pub(crate) fn aead(params: &AeadParams<'_>, direction: Direction, key: &SymmetricKey) -> Result<SecretBox<dyn Aead>> {
    let key = key.expose();
    match params {
        AeadParams::ChaCha20Poly1305 { nonce, aad } => stream::chacha20_poly1305(nonce, aad, direction, key),
        AeadParams::Ccm(params) => {
            check_params(params)?;
            match key.len() {
                16 => ccm::<aes::Aes128>(params, direction, key),
                24 => ccm::<aes::Aes192>(params, direction, key),
                32 => ccm::<aes::Aes256>(params, direction, key),
                _ => Err(CryptoError::InvalidKey(AES_KEY_LENGTH)),
            }
        }
    }
}

fn ccm<A: Aes>(params: &CcmParams<'_>, direction: Direction, key: &[u8]) -> Result<SecretBox<dyn Aead>> {
    let aes = A::expand(key)?;
    let chain = CbcChain(cbc::Encryptor::inner_iv_init(aes.clone(), &Array::default()));
    let counter = Array::from(first_counter_block(params));
    let keystream = Counter(Ctr128BE::<A>::from_core(CtrCore::inner_iv_init(aes, &counter)));
    let ccm = Ccm::new(chain, keystream, params)?;
    Ok(boxed(GaloisStream::new(ccm, direction, params.tag_bytes)))
}

/// A CBC encryption of which the last block matters.
pub(crate) struct CbcChain<A: Aes>(pub(crate) cbc::Encryptor<A>);

impl<A: Aes> Chain for CbcChain<A> {
    fn absorb(&mut self, blocks: &[u8]) -> Result<[u8; BLOCK_BYTES]> {
        const PIECE_BYTES: usize = 64 * BLOCK_BYTES;
        let (mut dropped, mut register) = ([0; PIECE_BYTES], [0; BLOCK_BYTES]);
        for piece in blocks.chunks(PIECE_BYTES) {
            let place = &mut dropped[..piece.len()];
            place.copy_from_slice(piece);
            self.0.encrypt_blocks(whole_blocks(place)?);
            register = last_block(place)?;
        }
        dropped[..blocks.len().min(PIECE_BYTES)].zeroize();
        Ok(register)
    }

    fn restart(&mut self, register: &[u8; BLOCK_BYTES]) -> Result<()> {
        self.0.set_iv(&Array::from(*register));
        Ok(())
    }

    fn last(&mut self, block: &mut [u8; BLOCK_BYTES]) -> Result<()> {
        self.0.encrypt_blocks(whole_blocks(block)?);
        Ok(())
    }
}

/// Counter mode over the whole block; CCM's limits keep the counter from wrapping round.
struct Counter<A: Aes>(Ctr128BE<A>);

impl<A: Aes> Keystream for Counter<A> {
    fn apply(&mut self, data: &mut [u8]) -> Result<()> {
        self.0.try_apply_keystream(data).map_err(|_| CryptoError::InputLength)
    }
}
