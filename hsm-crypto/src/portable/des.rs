//! Triple DES with three keys: `des`, `cbc`, `cmac` and `cbc-mac`, for what is left of an outlived cipher.
//!
//! Owns: the choice of crate types. Both engines use this file: nobody needs it fast. Parity bits are not looked at.

use crate::cipher::{Cipher, DesMode, Direction};
use crate::error::{CryptoError, Result};
use crate::hash::Mac;
use crate::modes::block::{BlockStream, Blocks};
use crate::portable::mac::{chained, keyed};
use crate::secret::SecretBox;
use crate::secret::boxed;
use aes::cipher::array::Array;
use aes::cipher::consts::U8;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use cbc_mac::CbcMac;
use cmac::Cmac;
use cmac::digest::common::InnerInit;
use des::TdesEde3;

/// Length of a block in bytes.
const DES_BLOCK_BYTES: usize = 8;

/// Starts a cipher.
///
/// # Errors
/// `InvalidKey` unless the key has 24 bytes.
pub(crate) fn cipher(mode: &DesMode, direction: Direction, key: &[u8]) -> Result<SecretBox<dyn Cipher>> {
    let des = expand(key)?;
    Ok(match (mode, direction) {
        (DesMode::Ecb, Direction::Encrypt) => boxed(BlockStream::new(EcbEncrypt(des), direction, false)),
        (DesMode::Ecb, Direction::Decrypt) => boxed(BlockStream::new(EcbDecrypt(des), direction, false)),
        (DesMode::Cbc { iv } | DesMode::CbcPad { iv }, _) => {
            let padded = matches!(mode, DesMode::CbcPad { .. });
            let iv = Array::from(*iv);
            match direction {
                Direction::Encrypt => {
                    let chain = CbcEncrypt(cbc::Encryptor::inner_iv_init(des, &iv));
                    boxed(BlockStream::new(chain, direction, padded))
                }
                Direction::Decrypt => {
                    let chain = CbcDecrypt(cbc::Decryptor::inner_iv_init(des, &iv));
                    boxed(BlockStream::new(chain, direction, padded))
                }
            }
        }
    })
}

/// Starts a CMAC.
///
/// # Errors
/// `InvalidKey` unless the key has 24 bytes.
pub(crate) fn cmac(key: &[u8]) -> Result<SecretBox<dyn Mac>> {
    Ok(keyed(Cmac::inner_init(expand(key)?)))
}

/// Starts a CBC-MAC.
///
/// # Errors
/// `InvalidKey` unless the key has 24 bytes.
pub(crate) fn cbc_mac(key: &[u8]) -> Result<SecretBox<dyn Mac>> {
    Ok(chained(CbcMac::inner_init(expand(key)?)))
}

fn expand(key: &[u8]) -> Result<TdesEde3> {
    // The only error is a wrong length.
    TdesEde3::new_from_slice(key).map_err(|_| CryptoError::InvalidKey("a key of triple DES has 24 bytes"))
}

/// Sees `data` as blocks.
fn whole_blocks(data: &mut [u8]) -> Result<&mut [Array<u8, U8>]> {
    let (blocks, rest) = Array::slice_as_chunks_mut(data);
    if rest.is_empty() { Ok(blocks) } else { Err(CryptoError::InputLength) }
}

macro_rules! blocks {
    ($name:ident, $inner:ty, $transform:ident) => {
        struct $name($inner);

        impl Blocks for $name {
            const BYTES: usize = DES_BLOCK_BYTES;

            fn transform(&mut self, data: &mut [u8]) -> Result<()> {
                self.0.$transform(whole_blocks(data)?);
                Ok(())
            }
        }
    };
}

blocks!(EcbEncrypt, TdesEde3, encrypt_blocks);
blocks!(EcbDecrypt, TdesEde3, decrypt_blocks);
blocks!(CbcEncrypt, cbc::Encryptor<TdesEde3>, encrypt_blocks);
blocks!(CbcDecrypt, cbc::Decryptor<TdesEde3>, decrypt_blocks);
