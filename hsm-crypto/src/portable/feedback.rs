//! OFB and CFB of the portable engine: `ofb`, `cfb8` and `cfb-mode` behind the framing of [`crate::modes`].
//!
//! Owns: the choice of crate types. Called from `portable::cipher`. The crates wipe their state on drop.

use crate::cipher::{Cipher, Direction};
use crate::error::{CryptoError, Result};
use crate::modes::block::BLOCK_BYTES;
use crate::modes::counter::Keystream;
use crate::modes::feedback::{Fed, FeedbackStream};
use crate::portable::cipher::Aes;
use crate::secret::SecretBox;
use crate::secret::boxed;
use aes::cipher::array::Array;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, StreamCipher};

/// Starts OFB.
pub(crate) fn ofb<A: Aes>(aes: A, iv: &[u8; BLOCK_BYTES], direction: Direction) -> SecretBox<dyn Cipher> {
    let keystream = Ofb(ofb::Ofb::from_core(ofb::OfbCore::inner_iv_init(aes, &Array::from(*iv))));
    boxed(FeedbackStream::new(keystream, Fed::Keystream, direction))
}

/// Starts CFB by single bytes.
pub(crate) fn cfb8<A: Aes>(aes: A, iv: &[u8; BLOCK_BYTES], direction: Direction) -> SecretBox<dyn Cipher> {
    let iv = Array::from(*iv);
    match direction {
        Direction::Encrypt => {
            let cipher = Cfb8Encrypt(cfb8::Encryptor::inner_iv_init(aes, &iv));
            boxed(FeedbackStream::new(cipher, Fed::Byte, direction))
        }
        Direction::Decrypt => {
            let cipher = Cfb8Decrypt(cfb8::Decryptor::inner_iv_init(aes, &iv));
            boxed(FeedbackStream::new(cipher, Fed::Byte, direction))
        }
    }
}

/// Starts CFB by blocks.
pub(crate) fn cfb128<A: Aes>(aes: A, iv: &[u8; BLOCK_BYTES], direction: Direction) -> SecretBox<dyn Cipher> {
    let iv = Array::from(*iv);
    match direction {
        Direction::Encrypt => {
            let cipher = CfbEncrypt(cfb_mode::BufEncryptor::inner_iv_init(aes, &iv));
            boxed(FeedbackStream::new(cipher, Fed::Block, direction))
        }
        Direction::Decrypt => {
            let cipher = CfbDecrypt(cfb_mode::BufDecryptor::inner_iv_init(aes, &iv));
            boxed(FeedbackStream::new(cipher, Fed::Block, direction))
        }
    }
}

struct Ofb<A: Aes>(ofb::Ofb<A>);

impl<A: Aes> Keystream for Ofb<A> {
    fn apply(&mut self, data: &mut [u8]) -> Result<()> {
        // The key stream of OFB has no end, so the crate has no error here.
        self.0.try_apply_keystream(data).map_err(|_| CryptoError::InputLength)
    }
}

struct Cfb8Encrypt<A: Aes>(cfb8::Encryptor<A>);

impl<A: Aes> Keystream for Cfb8Encrypt<A> {
    fn apply(&mut self, data: &mut [u8]) -> Result<()> {
        self.0.encrypt_blocks(Array::slice_as_chunks_mut(data).0);
        Ok(())
    }
}

struct Cfb8Decrypt<A: Aes>(cfb8::Decryptor<A>);

impl<A: Aes> Keystream for Cfb8Decrypt<A> {
    fn apply(&mut self, data: &mut [u8]) -> Result<()> {
        self.0.decrypt_blocks(Array::slice_as_chunks_mut(data).0);
        Ok(())
    }
}

struct CfbEncrypt<A: Aes>(cfb_mode::BufEncryptor<A>);

impl<A: Aes> Keystream for CfbEncrypt<A> {
    fn apply(&mut self, data: &mut [u8]) -> Result<()> {
        self.0.encrypt(data);
        Ok(())
    }
}

struct CfbDecrypt<A: Aes>(cfb_mode::BufDecryptor<A>);

impl<A: Aes> Keystream for CfbDecrypt<A> {
    fn apply(&mut self, data: &mut [u8]) -> Result<()> {
        self.0.decrypt(data);
        Ok(())
    }
}
