//! The parameters of IKE, of the function of TLS 1.0 and 1.1, and of Luna's derivations.
//!
//! Owns: their layout, and the place for what CKM_TLS_PRF gives. Does not know: what is derived.
//! Rule source: PKCS#11 v2.40, "TLS PRF"; v3.1, 6.64; Luna's client headers.

use ffi_headers::vendor::CK_KDF_PRF_PARAMS;
use ffi_headers::*;
use hsm_core::{Ike1Params, IkeParams, IkeStreamParams, LunaKdfParams, ObjectHandle, Result, TlsPrfParams, limits};

use super::{as_param, truth};
use crate::mechanism::Reader;
use crate::memory::Raw;

impl<'call> Reader<'call> {
    pub(super) fn ike(&self) -> Result<IkeParams> {
        let params: CK_IKE_PRF_DERIVE_PARAMS = self.structure()?;
        Ok(IkeParams {
            prf: params.prfMechanism,
            data_as_key: truth(params.bDataAsKey)?,
            new_key: truth(params.bRekey)?.then_some(ObjectHandle(params.hNewKey)),
            initiator: self.field(params.pNi, params.ulNiLen, "pNi")?,
            responder: self.field(params.pNr, params.ulNrLen, "pNr")?,
        })
    }

    pub(super) fn ike1(&self) -> Result<Ike1Params> {
        let params: CK_IKE1_PRF_DERIVE_PARAMS = self.structure()?;
        Ok(Ike1Params {
            prf: params.prfMechanism,
            shared: ObjectHandle(params.hKeygxy),
            previous: truth(params.bHasPrevKey)?.then_some(ObjectHandle(params.hPrevKey)),
            initiator: self.field(params.pCKYi, params.ulCKYiLen, "pCKYi")?,
            responder: self.field(params.pCKYr, params.ulCKYrLen, "pCKYr")?,
            number: params.keyNumber,
        })
    }

    pub(super) fn ike1_extended(&self) -> Result<IkeStreamParams> {
        let params: CK_IKE1_EXTENDED_DERIVE_PARAMS = self.structure()?;
        Ok(IkeStreamParams {
            prf: params.prfMechanism,
            key: truth(params.bHasKeygxy)?.then_some(ObjectHandle(params.hKeygxy)),
            data: self.field(params.pExtraData, params.ulExtraDataLen, "pExtraData")?,
        })
    }

    pub(super) fn ike2_plus(&self) -> Result<IkeStreamParams> {
        let params: CK_IKE2_PRF_PLUS_DERIVE_PARAMS = self.structure()?;
        Ok(IkeStreamParams {
            prf: params.prfMechanism,
            key: truth(params.bHasSeedKey)?.then_some(ObjectHandle(params.hSeedKey)),
            data: self.field(params.pSeedData, params.ulSeedDataLen, "pSeedData")?,
        })
    }

    /// The place for the result is kept; its length is the one asked for.
    pub(super) fn tls_prf(&mut self) -> Result<TlsPrfParams> {
        let params: CK_TLS_PRF_PARAMS = self.structure()?;
        let length: Raw<'call, CK_ULONG> = self.place.pointed_at(params.pulOutputLen);
        let count = as_param(length.read("pulOutputLen is null"))?;
        let out = self.place.pointed_at(params.pOutput).array(count, limits::PARAM_BYTES_MAX, "pOutput");
        let out = as_param(out)?;
        let bytes = out.count();
        self.places.values.push(out);
        Ok(TlsPrfParams {
            label: self.field(params.pLabel, params.ulLabelLen, "pLabel")?,
            seed: self.field(params.pSeed, params.ulSeedLen, "pSeed")?,
            bytes,
        })
    }

    pub(super) fn luna_kdf(&self) -> Result<LunaKdfParams> {
        let params: CK_KDF_PRF_PARAMS = self.structure()?;
        Ok(LunaKdfParams {
            prf: params.prfType,
            label: self.field(params.pLabel, params.ulLabelLen, "pLabel")?,
            context: self.field(params.pContext, params.ulContextLen, "pContext")?,
            counter: params.ulCounter,
            scheme: params.ulEncodingScheme,
        })
    }
}
