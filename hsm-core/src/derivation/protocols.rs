//! The parameters of IKE, of the function of TLS 1.0 and 1.1, and of Luna's derivations.
//!
//! Owns: their fields as values. Does not know: what is derived with them.
//! Rule source: PKCS#11 v3.1, 6.40.8 (TLS) and 6.64 (IKE); Luna's client headers (`CK_KDF_PRF_PARAMS`).

use crate::types::ObjectHandle;

/// `CK_IKE_PRF_DERIVE_PARAMS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IkeParams {
    /// `prfMechanism`, a `CKM_*`.
    pub prf: u64,
    /// `bDataAsKey`.
    pub data_as_key: bool,
    /// `bRekey`, `hNewKey`.
    pub new_key: Option<ObjectHandle>,
    /// `pNi`, `ulNiLen`.
    pub initiator: Vec<u8>,
    /// `pNr`, `ulNrLen`.
    pub responder: Vec<u8>,
}

/// `CK_IKE1_PRF_DERIVE_PARAMS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ike1Params {
    /// `prfMechanism`, a `CKM_*`.
    pub prf: u64,
    /// `hKeygxy`.
    pub shared: ObjectHandle,
    /// `bHasPrevKey`, `hPrevKey`.
    pub previous: Option<ObjectHandle>,
    /// `pCKYi`, `ulCKYiLen`.
    pub initiator: Vec<u8>,
    /// `pCKYr`, `ulCKYrLen`.
    pub responder: Vec<u8>,
    /// `keyNumber`.
    pub number: u8,
}

/// `CK_IKE2_PRF_PLUS_DERIVE_PARAMS` or `CK_IKE1_EXTENDED_DERIVE_PARAMS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IkeStreamParams {
    /// `prfMechanism`, a `CKM_*`.
    pub prf: u64,
    /// `bHasSeedKey`, `hSeedKey`; `bHasKeygxy`, `hKeygxy`.
    pub key: Option<ObjectHandle>,
    /// `pSeedData`, `ulSeedDataLen`; `pExtraData`, `ulExtraDataLen`.
    pub data: Vec<u8>,
}

/// `CK_TLS_PRF_PARAMS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsPrfParams {
    /// `pLabel`, `ulLabelLen`.
    pub label: Vec<u8>,
    /// `pSeed`, `ulSeedLen`.
    pub seed: Vec<u8>,
    /// What `pulOutputLen` points to.
    pub bytes: usize,
}

/// `CK_KDF_PRF_PARAMS` of Luna clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LunaKdfParams {
    /// `prfType`, a `CK_NIST_PRF_KDF_*` or `CK_PRF_KDF_*`.
    pub prf: u64,
    /// `pLabel`, `ulLabelLen`.
    pub label: Vec<u8>,
    /// `pContext`, `ulContextLen`.
    pub context: Vec<u8>,
    /// `ulCounter`: that of the first round.
    pub counter: u64,
    /// `ulEncodingScheme`, a `LUNA_PRF_KDF_ENCODING_SCHEME_*`.
    pub scheme: u64,
}
