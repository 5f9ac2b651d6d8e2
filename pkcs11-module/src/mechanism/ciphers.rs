//! The parameter structures of single ciphers (CCM, ChaCha20, Salsa20, ChaCha20-Poly1305) and of the wrapping mechanisms made of two.
//!
//! Owns: their memory layout, and lengths that are given in bits. Does not know: which lengths the ciphers have.
//! Rule source: PKCS#11 v3.1, 6: the mechanism parameters of each.

use super::Reader;
use ffi_headers::*;
use hsm_core::{Params, Reason, Result};

/// Lengths of nonces in bits, each of which is no nonce's length in bytes: for ulNonceLen the standard says bits, and many clients bytes.
const NONCE_BITS: [CK_ULONG; 3] = [64, 96, 192];

impl Reader<'_> {
    /// `CK_CCM_PARAMS`.
    pub(super) fn ccm(&self) -> Result<Params> {
        let params: CK_CCM_PARAMS = self.structure()?;
        Ok(Params::Ccm {
            data_bytes: params.ulDataLen,
            nonce: self.field(params.pNonce, params.ulNonceLen, "pNonce")?,
            aad: self.field(params.pAAD, params.ulAADLen, "pAAD")?,
            mac_bytes: params.ulMACLen,
        })
    }

    /// `CK_RSA_AES_KEY_WRAP_PARAMS`, which points to a second structure.
    pub(super) fn rsa_aes_wrap(&self) -> Result<Params> {
        let params: CK_RSA_AES_KEY_WRAP_PARAMS = self.structure()?;
        let bytes = size_of::<CK_RSA_PKCS_OAEP_PARAMS>() as CK_ULONG;
        let oaep = self
            .place
            .pointed(params.pOAEPParams, bytes)
            .structure()
            .ok_or(Reason::MechanismParam("pOAEPParams is null"))?;
        Ok(Params::RsaAesWrap { aes_bits: params.ulAESKeyBits, oaep: Box::new(self.oaep(oaep)?) })
    }

    /// `CK_ECDH_AES_KEY_WRAP_PARAMS`.
    pub(super) fn ecdh_aes_wrap(&self) -> Result<Params> {
        let params: CK_ECDH_AES_KEY_WRAP_PARAMS = self.structure()?;
        Ok(Params::EcdhAesWrap {
            aes_bits: params.ulAESKeyBits,
            kdf: params.kdf,
            shared: self.field(params.pSharedData, params.ulSharedDataLen, "pSharedData")?,
        })
    }

    /// `CK_CHACHA20_PARAMS`.
    pub(super) fn chacha20(&self) -> Result<Params> {
        let params: CK_CHACHA20_PARAMS = self.structure()?;
        Ok(Params::Stream {
            counter: self.field(params.pBlockCounter, bytes_of(params.blockCounterBits)?, "pBlockCounter")?,
            nonce: self.field(params.pNonce, bytes_of(params.ulNonceBits)?, "pNonce")?,
        })
    }

    /// `CK_SALSA20_PARAMS`, whose counter always has 64 bits.
    pub(super) fn salsa20(&self) -> Result<Params> {
        let params: CK_SALSA20_PARAMS = self.structure()?;
        let counter_bytes = if params.pBlockCounter.is_null() { 0 } else { 8 };
        Ok(Params::Stream {
            counter: self.field(params.pBlockCounter, counter_bytes, "pBlockCounter")?,
            nonce: self.field(params.pNonce, bytes_of(params.ulNonceBits)?, "pNonce")?,
        })
    }

    /// `CK_SALSA20_CHACHA20_POLY1305_PARAMS`.
    pub(super) fn chacha20_poly1305(&self) -> Result<Params> {
        let params: CK_SALSA20_CHACHA20_POLY1305_PARAMS = self.structure()?;
        let nonce_bytes = match params.ulNonceLen {
            bits if NONCE_BITS.contains(&bits) => bits / 8,
            bytes => bytes,
        };
        Ok(Params::ChaCha20Poly1305 {
            nonce: self.field(params.pNonce, nonce_bytes, "pNonce")?,
            aad: self.field(params.pAAD, params.ulAADLen, "pAAD")?,
        })
    }
}

/// A length in whole bytes, given in bits.
fn bytes_of(bits: CK_ULONG) -> Result<CK_ULONG> {
    if bits.is_multiple_of(8) {
        Ok(bits / 8)
    } else {
        Err(Reason::MechanismParam("a length in bits is not in whole bytes"))
    }
}
