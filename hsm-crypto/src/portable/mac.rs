//! MACs from ciphers: GMAC, CBC-MAC, XCBC-MAC, those of triple DES, and Poly1305.
//!
//! Owns: which crate or file serves which [`CipherMac`], and what a CBC-MAC makes of an empty message. Both engines use this file,
//! but for GMAC. Rule source: FIPS 113 and ISO/IEC 9797-1 (padding method 1), RFC 3566, RFC 8439.

use crate::error::{CryptoError, Result};
use crate::hash::{CipherMac, MAC_IS_OVER, Mac};
use crate::modes::cmac::{CmacStream, Subkeys};
use crate::portable::ccm::CbcChain;
use crate::portable::cipher::{Aes, gmac};
use crate::portable::hash::{AES_KEY_LENGTH, Keyed};
use crate::portable::{des, stream};
use crate::secret::SecretBox;
use crate::secret::boxed;
use crate::symmetric::SymmetricKey;
use aes::cipher::array::Array;
use aes::cipher::{BlockCipherEncrypt, InnerIvInit};
use cbc_mac::CbcMac;
use cmac::digest::common::InnerInit;
use cmac::digest::{self, FixedOutput};
use zeroize::Zeroizing;

/// Starts a MAC.
///
/// # Errors
/// `InvalidKey` for a key of another length than the MAC's; `InvalidParameter` for an empty IV.
pub(crate) fn cipher_mac(mac: &CipherMac<'_>, key: &SymmetricKey) -> Result<SecretBox<dyn Mac>> {
    match mac {
        CipherMac::Gmac { iv } => gmac(iv, key),
        CipherMac::AesCbc => aes_cbc(key.expose()),
        CipherMac::AesXcbc => aes_xcbc(key.expose()),
        CipherMac::TripleDesCmac => des::cmac(key.expose()),
        CipherMac::TripleDesCbc => des::cbc_mac(key.expose()),
        CipherMac::Poly1305 => stream::poly1305(key.expose()),
    }
}

fn aes_cbc(key: &[u8]) -> Result<SecretBox<dyn Mac>> {
    Ok(match key.len() {
        16 => chained(CbcMac::inner_init(aes::Aes128::expand(key)?)),
        24 => chained(CbcMac::inner_init(aes::Aes192::expand(key)?)),
        32 => chained(CbcMac::inner_init(aes::Aes256::expand(key)?)),
        _ => return Err(CryptoError::InvalidKey(AES_KEY_LENGTH)),
    })
}

/// The three keys of RFC 3566, 4.1, are three blocks encrypted; the first one is the key of a CBC-MAC, and the others are
/// used at the last block as those of CMAC are.
fn aes_xcbc(key: &[u8]) -> Result<SecretBox<dyn Mac>> {
    if key.len() != 16 {
        return Err(CryptoError::InvalidKey("a key of AES-XCBC-MAC has 16 bytes"));
    }
    let aes = aes::Aes128::expand(key)?;
    let derived = |byte| {
        let mut block = Array::from([byte; 16]);
        aes.encrypt_block(&mut block);
        Zeroizing::new(<[u8; 16]>::from(block))
    };
    let inner = aes::Aes128::expand(&*derived(1))?;
    let chain = CbcChain(cbc::Encryptor::inner_iv_init(inner, &Array::default()));
    Ok(boxed(CmacStream::new(chain, Subkeys::given(derived(2), derived(3)))))
}

/// A MAC of a crate behind the trait of this one.
pub(crate) fn keyed<M: digest::Mac + Send + 'static>(mac: M) -> SecretBox<dyn Mac> {
    boxed(Keyed(Some(mac)))
}

/// A CBC-MAC of the crate behind the trait of this one.
pub(crate) fn chained<M: digest::Update + FixedOutput + Send + 'static>(mac: M) -> SecretBox<dyn Mac> {
    boxed(Cbc { mac: Some(mac), empty: true })
}

struct Cbc<M> {
    mac: Option<M>,
    empty: bool,
}

impl<M: digest::Update + FixedOutput + Send> Mac for Cbc<M> {
    fn update(&mut self, data: &[u8]) -> Result<()> {
        self.mac.as_mut().ok_or(MAC_IS_OVER)?.update(data);
        self.empty &= data.is_empty();
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        let mut mac = self.mac.take().ok_or(MAC_IS_OVER)?;
        if self.empty {
            // A message has one block at least: without this the tag would be zeros, which needs no key.
            mac.update(&[0]);
        }
        Ok(mac.finalize_fixed().to_vec())
    }

    fn tag_bytes(&self) -> usize {
        M::output_size()
    }
}
