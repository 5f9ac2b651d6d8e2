//! `CK_MECHANISM` and its parameter, as values.
//!
//! Owns: the memory layout of each parameter structure, by the shape in the mechanism's row. A length that
//! is not the structure's is refused before a byte is read. Does not know: whether a value makes sense for
//! the mechanism (hash, tag length, curve); that is the mechanism's own business in the core.
//! Rule source: PKCS#11 v3.1, 6 (the parameter structure of each mechanism); the older form of CK_GCM_PARAMS.

use ffi_headers::vendor::CK_KMAC_PARAMS;
use ffi_headers::*;
use hsm_core::mechanisms;
use hsm_core::{Mechanism, MessageShape, ParamShape, Params, Reason, Result, limits, memory};

use crate::derivation::Places;
use crate::memory::{Input, Raw};

mod ciphers;

/// `CK_GCM_PARAMS` of 2.30 and of many 2.40 headers, which have no `ulIvBits`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct GcmParamsWithoutIvBits {
    pub p_iv: *mut CK_BYTE,
    pub iv_length: CK_ULONG,
    pub p_aad: *mut CK_BYTE,
    pub aad_length: CK_ULONG,
    pub tag_bits: CK_ULONG,
}

/// Decodes a mechanism.
///
/// # Errors
/// `ArgumentsBad` for a null pointer, `MechanismUnknown` (before the parameter is looked at), `MechanismParam`.
pub fn decode(place: Raw<'_, CK_MECHANISM>) -> Result<Mechanism> {
    decode_with_places(place).map(|(mechanism, _)| mechanism)
}

/// Decodes a mechanism, and finds the places in its parameter that the work will fill.
///
/// # Errors
/// As [`decode`].
pub fn decode_with_places(place: Raw<'_, CK_MECHANISM>) -> Result<(Mechanism, Places<'_>)> {
    let mechanism = place.read("pMechanism is null")?;
    let kind = mechanism.mechanism;
    let row = mechanisms::find(kind).ok_or(Reason::MechanismUnknown(kind))?;
    let mut reader = Reader::new(place, &mechanism);
    let params = reader.params(row.shape)?;
    Ok((Mechanism { kind, params }, reader.places))
}

/// A mechanism whose parameter is that of a message: its number, the shape of its messages, and the parameter unread.
///
/// # Errors
/// `ArgumentsBad` for a null pointer, `MechanismUnknown` also for a mechanism without messages.
pub fn for_messages<'call>(place: Raw<'call, CK_MECHANISM>) -> Result<(u64, MessageShape, Input<'call>)> {
    let mechanism = place.read("pMechanism is null")?;
    let kind = mechanism.mechanism;
    let row = mechanisms::find(kind).ok_or(Reason::MechanismUnknown(kind))?;
    let shape = row.messages.ok_or(Reason::MechanismUnknown(kind))?.shape;
    Ok((kind, shape, place.parameter(&mechanism)))
}

/// Reads one parameter.
pub(crate) struct Reader<'call> {
    pub(crate) place: Raw<'call, CK_MECHANISM>,
    pub(crate) parameter: Input<'call>,
    pub(crate) places: Places<'call>,
}

impl<'call> Reader<'call> {
    pub(crate) fn new(place: Raw<'call, CK_MECHANISM>, mechanism: &CK_MECHANISM) -> Self {
        Self { place, parameter: place.parameter(mechanism), places: Places::default() }
    }

    pub(crate) fn params(&mut self, shape: ParamShape) -> Result<Params> {
        match shape {
            ParamShape::None if self.parameter.is_empty() => Ok(Params::None),
            ParamShape::None => Err(Reason::MechanismParam("the mechanism has no parameter")),
            ParamShape::Iv16 => self.initial_value(16),
            ParamShape::OptionalIv(_) if self.parameter.is_empty() => Ok(Params::None),
            ParamShape::OptionalIv(bytes) => self.initial_value(bytes),
            ParamShape::Ctr => {
                let params: CK_AES_CTR_PARAMS = self.structure()?;
                Ok(Params::Ctr { counter_bits: params.ulCounterBits, block: params.cb })
            }
            ParamShape::Gcm => self.gcm(),
            ParamShape::Pss => {
                let params: CK_RSA_PKCS_PSS_PARAMS = self.structure()?;
                Ok(Params::Pss { hash: params.hashAlg, mgf: params.mgf, salt_bytes: params.sLen })
            }
            ParamShape::Oaep => self.oaep(self.structure()?),
            ParamShape::Ecdh1 => {
                let params: CK_ECDH1_DERIVE_PARAMS = self.structure()?;
                Ok(Params::Ecdh1 {
                    kdf: params.kdf,
                    shared: self.field(params.pSharedData, params.ulSharedDataLen, "pSharedData")?,
                    public: self.field(params.pPublicData, params.ulPublicDataLen, "pPublicData")?,
                })
            }
            ParamShape::MacLength => self.structure::<CK_ULONG>().map(Params::MacLength),
            ParamShape::OptionalKmac if self.parameter.is_empty() => Ok(Params::None),
            ParamShape::OptionalKmac => {
                let params: CK_KMAC_PARAMS = self.structure()?;
                Ok(Params::Kmac {
                    mac_bytes: params.ulMacLen,
                    customisation: self.field(params.pCustomization, params.ulCustomizationLen, "pCustomization")?,
                })
            }
            ParamShape::OptionalEddsa if self.parameter.is_empty() => Ok(Params::None),
            ParamShape::OptionalEddsa => self.eddsa(),
            ParamShape::TlsMac => {
                let params: CK_TLS_MAC_PARAMS = self.structure()?;
                let (hash, bytes, side) = (params.prfHashMechanism, params.ulMacLength, params.ulServerOrClient);
                Ok(Params::TlsMac { hash, bytes, side })
            }
            ParamShape::Derive(shape) => self.derivation(shape).map(Params::Derive),
            ParamShape::Iv8 => self.initial_value(8),
            ParamShape::Gmac if self.parameter.length() == 12 => self.initial_value(12),
            ParamShape::Gmac => self.gcm(),
            ParamShape::Ccm => self.ccm(),
            ParamShape::ChaCha20 => self.chacha20(),
            ParamShape::RsaAesWrap => self.rsa_aes_wrap(),
            ParamShape::EcdhAesWrap => self.ecdh_aes_wrap(),
            ParamShape::Salsa20 => self.salsa20(),
            ParamShape::ChaCha20Poly1305 => self.chacha20_poly1305(),
            ParamShape::OptionalSignContext if self.parameter.is_empty() => Ok(Params::None),
            ParamShape::OptionalSignContext => {
                let params: CK_SIGN_ADDITIONAL_CONTEXT = self.structure()?;
                let context = self.field(params.pContext, params.ulContextLen, "pContext")?;
                Ok(Params::SignContext { hedge: params.hedgeVariant, context, hash: None })
            }
            ParamShape::HashSignContext => {
                let params: CK_HASH_SIGN_ADDITIONAL_CONTEXT = self.structure()?;
                let context = self.field(params.pContext, params.ulContextLen, "pContext")?;
                Ok(Params::SignContext { hedge: params.hedgeVariant, context, hash: Some(params.hash) })
            }
        }
    }

    fn initial_value(&self, bytes: usize) -> Result<Params> {
        let value = self
            .parameter
            .bytes(bytes, "")
            .ok()
            .filter(|value| value.len() == bytes)
            .ok_or(Reason::MechanismParam("the initialisation vector is missing or has a wrong length"))?;
        Ok(Params::Iv(value.to_vec()))
    }

    /// `CK_GCM_PARAMS`: the length alone tells which of its two forms the caller was compiled with.
    fn gcm(&self) -> Result<Params> {
        let params = match self.parameter.structure::<CK_GCM_PARAMS>() {
            Some(params) => GcmParamsWithoutIvBits {
                p_iv: params.pIv,
                iv_length: params.ulIvLen,
                p_aad: params.pAAD,
                aad_length: params.ulAADLen,
                tag_bits: params.ulTagBits,
            },
            None => self.structure()?,
        };
        Ok(Params::Gcm {
            iv: self.field(params.p_iv, params.iv_length, "pIv")?,
            aad: self.field(params.p_aad, params.aad_length, "pAAD")?,
            tag_bits: params.tag_bits,
        })
    }

    /// What `CK_RSA_PKCS_OAEP_PARAMS` points to, wherever the structure itself stands.
    fn oaep(&self, params: CK_RSA_PKCS_OAEP_PARAMS) -> Result<Params> {
        let label = self.field(params.pSourceData, params.ulSourceDataLen, "pSourceData")?;
        Ok(Params::Oaep { hash: params.hashAlg, mgf: params.mgf, source: params.source, label })
    }

    fn eddsa(&self) -> Result<Params> {
        let params: CK_EDDSA_PARAMS = self.structure()?;
        let prehash = match params.phFlag {
            CK_FALSE => false,
            CK_TRUE => true,
            _ => return Err(Reason::MechanismParam("phFlag is neither CK_TRUE nor CK_FALSE")),
        };
        Ok(Params::Eddsa {
            prehash,
            context: self.field(params.pContextData, params.ulContextDataLen, "pContextData")?,
        })
    }

    /// The whole parameter as a structure.
    pub(crate) fn structure<T: crate::memory::Plain>(&self) -> Result<T> {
        self.parameter
            .structure()
            .ok_or(Reason::MechanismParam("the parameter is missing or does not have the length of its structure"))
    }

    /// Bytes that the structure points to; `name` is the pointer's name in it.
    pub(crate) fn field<T>(&self, address: *mut T, length: CK_ULONG, name: &'static str) -> Result<Vec<u8>> {
        match self.place.pointed(address, length).bytes(limits::PARAM_BYTES_MAX, name) {
            Ok(bytes) => Ok(memory::copied(bytes)?),
            // The same fault as in an argument of the call, but the standard has a return value for this place.
            Err(Reason::ArgumentsBad(name)) => Err(Reason::MechanismParam(name)),
            Err(reason) => Err(reason),
        }
    }
}

#[cfg(test)]
#[path = "tests/mechanism.rs"]
mod tests;
