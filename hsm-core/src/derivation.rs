//! What C_DeriveKey takes beyond a base key and a template, and what it gives beyond one key.
//!
//! Owns: the parameters of derivations as values, which of their parts are handles of further keys or templates of further
//! results, and the answer with all that the caller gets. Does not know: how anything is derived (`mechanisms`), where the caller
//! wants handles and values written (`pkcs11-module`). The edge decodes, the kernel resolves the handles.
//! Rule source: PKCS#11 v3.1, 5.18.5 (C_DeriveKey), and the section of each mechanism.

mod protocols;

pub use protocols::{Ike1Params, IkeParams, IkeStreamParams, LunaKdfParams, TlsPrfParams};

use crate::object::Object;
use crate::template::Template;
use crate::types::ObjectHandle;
use hsm_crypto::SecretBytes;
use std::sync::Arc;

/// The shape of a derivation's parameter in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeriveShape {
    /// `CK_OBJECT_HANDLE`.
    Key,
    /// `CK_KEY_DERIVATION_STRING_DATA`.
    Data,
    /// `CK_EXTRACT_PARAMS`, a `CK_ULONG`.
    BitOffset,
    /// `CK_HKDF_PARAMS`.
    Hkdf,
    /// `CK_SP800_108_KDF_PARAMS`.
    PrfKdf,
    /// `CK_SP800_108_FEEDBACK_KDF_PARAMS`.
    FeedbackKdf,
    /// `CK_AES_CBC_ENCRYPT_DATA_PARAMS`.
    CbcData,
    /// `CK_PKCS5_PBKD2_PARAMS2`, or `CK_PKCS5_PBKD2_PARAMS` of 2.40.
    Password,
    /// `CK_TLS12_MASTER_KEY_DERIVE_PARAMS`.
    TlsMaster,
    /// `CK_TLS12_EXTENDED_MASTER_KEY_DERIVE_PARAMS`.
    TlsExtendedMaster,
    /// `CK_TLS12_KEY_MAT_PARAMS`.
    TlsKeys,
    /// `CK_TLS12_KEY_MAT_PARAMS` without IVs.
    TlsSafeKeys,
    /// `CK_TLS_KDF_PARAMS`.
    TlsKdf,
    /// `CK_BIP32_MASTER_DERIVE_PARAMS`.
    TreeMaster,
    /// `CK_BIP32_CHILD_DERIVE_PARAMS`.
    TreeChild,
    /// `CK_IKE_PRF_DERIVE_PARAMS`.
    Ike,
    /// `CK_IKE1_PRF_DERIVE_PARAMS`.
    Ike1,
    /// `CK_IKE1_EXTENDED_DERIVE_PARAMS`.
    Ike1Extended,
    /// `CK_IKE2_PRF_PLUS_DERIVE_PARAMS`.
    Ike2Plus,
    /// `CK_TLS_PRF_PARAMS`.
    TlsPrf,
    /// `CK_KDF_PRF_PARAMS`.
    LunaKdf,
}

/// A derivation's parameter as values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeriveParams {
    /// `CK_OBJECT_HANDLE`: a second key.
    Key(ObjectHandle),
    /// `CK_KEY_DERIVATION_STRING_DATA`; what is mixed with a key may be as secret as one.
    Data(SecretBytes),
    /// `CK_EXTRACT_PARAMS`: the first bit that is taken.
    BitOffset(u64),
    /// `CK_HKDF_PARAMS`.
    Hkdf(HkdfParams),
    /// `CK_SP800_108_KDF_PARAMS`.
    PrfKdf(PrfKdfParams),
    /// `CK_SP800_108_FEEDBACK_KDF_PARAMS`.
    FeedbackKdf(PrfKdfParams),
    /// `CK_AES_CBC_ENCRYPT_DATA_PARAMS`.
    CbcData {
        /// `iv`.
        iv: [u8; 16],
        /// `pData`, `length`.
        data: SecretBytes,
    },
    /// `CK_PKCS5_PBKD2_PARAMS2`, or `CK_PKCS5_PBKD2_PARAMS` of 2.40.
    Password(PasswordParams),
    /// `CK_TLS12_MASTER_KEY_DERIVE_PARAMS`.
    TlsMaster(TlsMasterParams),
    /// `CK_TLS12_EXTENDED_MASTER_KEY_DERIVE_PARAMS`.
    TlsExtendedMaster(TlsExtendedParams),
    /// `CK_TLS12_KEY_MAT_PARAMS`.
    TlsKeys(TlsKeyParams),
    /// `CK_TLS12_KEY_MAT_PARAMS` without IVs.
    TlsSafeKeys(TlsKeyParams),
    /// `CK_TLS_KDF_PARAMS`.
    TlsKdf(TlsKdfParams),
    /// `CK_BIP32_MASTER_DERIVE_PARAMS`.
    TreeMaster(TreeParams),
    /// `CK_BIP32_CHILD_DERIVE_PARAMS`.
    TreeChild(TreeParams),
    /// `CK_IKE_PRF_DERIVE_PARAMS`.
    Ike(IkeParams),
    /// `CK_IKE1_PRF_DERIVE_PARAMS`.
    Ike1(Ike1Params),
    /// `CK_IKE1_EXTENDED_DERIVE_PARAMS`.
    Ike1Extended(IkeStreamParams),
    /// `CK_IKE2_PRF_PLUS_DERIVE_PARAMS`.
    Ike2Plus(IkeStreamParams),
    /// `CK_TLS_PRF_PARAMS`.
    TlsPrf(TlsPrfParams),
    /// `CK_KDF_PRF_PARAMS`.
    LunaKdf(LunaKdfParams),
}

/// `CK_BIP32_MASTER_DERIVE_PARAMS` or `CK_BIP32_CHILD_DERIVE_PARAMS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeParams {
    /// `pPublicKeyTemplate` and `pPrivateKeyTemplate` with their counts.
    pub templates: [Template; 2],
    /// `pulPath`, `ulPathLen`; empty where the structure has none.
    pub path: Vec<u64>,
}

/// `CK_PKCS5_PBKD2_PARAMS2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordParams {
    /// `saltSource`, a `CKZ_*`.
    pub salt_source: u64,
    /// `pSaltSourceData`, `ulSaltSourceDataLen`.
    pub salt: Vec<u8>,
    /// `iterations`.
    pub rounds: u64,
    /// `prf`, a `CKP_*`.
    pub prf: u64,
    /// Whether `pPrfData` or `ulPrfDataLen` is set.
    pub has_prf_data: bool,
    /// `pPassword`, `ulPasswordLen`.
    pub password: SecretBytes,
}

/// `CK_SSL3_RANDOM_DATA`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsRandom {
    /// `pClientRandom`, `ulClientRandomLen`.
    pub client: Vec<u8>,
    /// `pServerRandom`, `ulServerRandomLen`.
    pub server: Vec<u8>,
}

/// `CK_TLS12_MASTER_KEY_DERIVE_PARAMS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsMasterParams {
    /// `prfHashMechanism`, a `CKM_*`.
    pub hash: u64,
    /// `RandomInfo`.
    pub random: TlsRandom,
    /// Whether `pVersion` is set.
    pub wants_version: bool,
}

/// `CK_TLS12_EXTENDED_MASTER_KEY_DERIVE_PARAMS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsExtendedParams {
    /// `prfHashMechanism`, a `CKM_*`.
    pub hash: u64,
    /// `pSessionHash`, `ulSessionHashLen`.
    pub session_hash: Vec<u8>,
    /// Whether `pVersion` is set.
    pub wants_version: bool,
}

/// `CK_TLS12_KEY_MAT_PARAMS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsKeyParams {
    /// `ulMacSizeInBits`.
    pub mac_bits: u64,
    /// `ulKeySizeInBits`.
    pub key_bits: u64,
    /// `ulIVSizeInBits`.
    pub iv_bits: u64,
    /// `bIsExport`.
    pub export: bool,
    /// `RandomInfo`.
    pub random: TlsRandom,
    /// `prfHashMechanism`, a `CKM_*`.
    pub hash: u64,
}

/// `CK_TLS_KDF_PARAMS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsKdfParams {
    /// `prfMechanism`, a `CKM_*`.
    pub hash: u64,
    /// `pLabel`, `ulLabelLength`.
    pub label: Vec<u8>,
    /// `RandomInfo`.
    pub random: TlsRandom,
    /// `pContextData`, `ulContextDataLength`; a context of no bytes is another than none.
    pub context: Option<Vec<u8>>,
}

/// `CK_HKDF_PARAMS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HkdfParams {
    /// `bExtract`.
    pub extract: bool,
    /// `bExpand`.
    pub expand: bool,
    /// `prfHashMechanism`, a `CKM_*`.
    pub hash: u64,
    /// `ulSaltType` with what it names; `None` without `bExtract`, which does not look at a salt.
    pub salt: HkdfSalt,
    /// `pInfo`, `ulInfoLen`; empty without `bExpand`, which does not look at it.
    pub info: Vec<u8>,
}

/// The salt of HKDF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HkdfSalt {
    /// `CKF_HKDF_SALT_NULL`.
    None,
    /// `CKF_HKDF_SALT_DATA`: `pSalt`, `ulSaltLen`.
    Bytes(Vec<u8>),
    /// `CKF_HKDF_SALT_KEY`: `hSaltKey`.
    Key(ObjectHandle),
}

/// `CK_SP800_108_KDF_PARAMS` or `CK_SP800_108_FEEDBACK_KDF_PARAMS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrfKdfParams {
    /// `prfType`, a `CKM_*`.
    pub prf: u64,
    /// `pDataParams`, `ulNumberOfDataParams`.
    pub fields: Vec<PrfField>,
    /// `pIV`, `ulIVLen`; empty where the structure has none.
    pub initial: Vec<u8>,
    /// `pTemplate`, `ulAttributeCount` of each of `pAdditionalDerivedKeys`.
    pub further: Vec<Template>,
}

/// One `CK_PRF_DATA_PARAM`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrfField {
    /// `CK_SP800_108_ITERATION_VARIABLE`, with a `CK_SP800_108_COUNTER_FORMAT` where one is given.
    Iteration(Option<PrfNumber>),
    /// `CK_SP800_108_COUNTER`.
    Counter(PrfNumber),
    /// `CK_SP800_108_DKM_LENGTH`.
    Length {
        /// `dkmLengthMethod`, a `CK_SP800_108_DKM_LENGTH_*`.
        method: u64,
        /// `bLittleEndian`, `ulWidthInBits`.
        format: PrfNumber,
    },
    /// `CK_SP800_108_BYTE_ARRAY`.
    Bytes(Vec<u8>),
    /// `CK_SP800_108_KEY_HANDLE`.
    Key(ObjectHandle),
}

/// How a number is written into the input of a pseudorandom function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrfNumber {
    /// `bLittleEndian`.
    pub little_endian: bool,
    /// `ulWidthInBits`.
    pub bits: u64,
}

impl DeriveShape {
    /// The name of the structure in the standard.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            DeriveShape::Key => "CK_OBJECT_HANDLE",
            DeriveShape::Data => "CK_KEY_DERIVATION_STRING_DATA",
            DeriveShape::BitOffset => "CK_EXTRACT_PARAMS",
            DeriveShape::Hkdf => "CK_HKDF_PARAMS",
            DeriveShape::PrfKdf => "CK_SP800_108_KDF_PARAMS",
            DeriveShape::FeedbackKdf => "CK_SP800_108_FEEDBACK_KDF_PARAMS",
            DeriveShape::CbcData => "CK_AES_CBC_ENCRYPT_DATA_PARAMS",
            DeriveShape::Password => "CK_PKCS5_PBKD2_PARAMS2",
            DeriveShape::TlsMaster => "CK_TLS12_MASTER_KEY_DERIVE_PARAMS",
            DeriveShape::TlsExtendedMaster => "CK_TLS12_EXTENDED_MASTER_KEY_DERIVE_PARAMS",
            DeriveShape::TlsKeys | DeriveShape::TlsSafeKeys => "CK_TLS12_KEY_MAT_PARAMS",
            DeriveShape::TlsKdf => "CK_TLS_KDF_PARAMS",
            DeriveShape::TreeMaster => "CK_BIP32_MASTER_DERIVE_PARAMS",
            DeriveShape::TreeChild => "CK_BIP32_CHILD_DERIVE_PARAMS",
            DeriveShape::Ike => "CK_IKE_PRF_DERIVE_PARAMS",
            DeriveShape::Ike1 => "CK_IKE1_PRF_DERIVE_PARAMS",
            DeriveShape::Ike1Extended => "CK_IKE1_EXTENDED_DERIVE_PARAMS",
            DeriveShape::Ike2Plus => "CK_IKE2_PRF_PLUS_DERIVE_PARAMS",
            DeriveShape::TlsPrf => "CK_TLS_PRF_PARAMS",
            DeriveShape::LunaKdf => "CK_KDF_PRF_PARAMS",
        }
    }
}

impl DeriveParams {
    /// The shape that these values had.
    #[must_use]
    pub const fn shape(&self) -> DeriveShape {
        match self {
            DeriveParams::Key(_) => DeriveShape::Key,
            DeriveParams::Data(_) => DeriveShape::Data,
            DeriveParams::BitOffset(_) => DeriveShape::BitOffset,
            DeriveParams::Hkdf(_) => DeriveShape::Hkdf,
            DeriveParams::PrfKdf(_) => DeriveShape::PrfKdf,
            DeriveParams::FeedbackKdf(_) => DeriveShape::FeedbackKdf,
            DeriveParams::CbcData { .. } => DeriveShape::CbcData,
            DeriveParams::Password(_) => DeriveShape::Password,
            DeriveParams::TlsMaster(_) => DeriveShape::TlsMaster,
            DeriveParams::TlsExtendedMaster(_) => DeriveShape::TlsExtendedMaster,
            DeriveParams::TlsKeys(_) => DeriveShape::TlsKeys,
            DeriveParams::TlsSafeKeys(_) => DeriveShape::TlsSafeKeys,
            DeriveParams::TlsKdf(_) => DeriveShape::TlsKdf,
            DeriveParams::TreeMaster(_) => DeriveShape::TreeMaster,
            DeriveParams::TreeChild(_) => DeriveShape::TreeChild,
            DeriveParams::Ike(_) => DeriveShape::Ike,
            DeriveParams::Ike1(_) => DeriveShape::Ike1,
            DeriveParams::Ike1Extended(_) => DeriveShape::Ike1Extended,
            DeriveParams::Ike2Plus(_) => DeriveShape::Ike2Plus,
            DeriveParams::TlsPrf(_) => DeriveShape::TlsPrf,
            DeriveParams::LunaKdf(_) => DeriveShape::LunaKdf,
        }
    }

    /// The handles of further keys, in the order of their places in the parameter.
    #[must_use]
    pub fn keys(&self) -> Vec<ObjectHandle> {
        match self {
            DeriveParams::Key(handle) | DeriveParams::Hkdf(HkdfParams { salt: HkdfSalt::Key(handle), .. }) => {
                vec![*handle]
            }
            DeriveParams::PrfKdf(params) | DeriveParams::FeedbackKdf(params) => {
                let key = |field: &PrfField| match field {
                    PrfField::Key(handle) => Some(*handle),
                    _ => None,
                };
                params.fields.iter().filter_map(key).collect()
            }
            DeriveParams::Ike(params) => params.new_key.into_iter().collect(),
            DeriveParams::Ike1(params) => params.previous.into_iter().chain([params.shared]).collect(),
            DeriveParams::Ike1Extended(params) | DeriveParams::Ike2Plus(params) => params.key.into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// The templates of further results, in the order of their places in the parameter.
    #[must_use]
    pub fn templates(&self) -> &[Template] {
        match self {
            DeriveParams::PrfKdf(params) | DeriveParams::FeedbackKdf(params) => &params.further,
            DeriveParams::TreeMaster(params) | DeriveParams::TreeChild(params) => &params.templates,
            _ => &[],
        }
    }
}

/// The keys that go into a derivation, resolved and seen to be accessible.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The base key of the call.
    pub base: &'a Object,
    /// The keys whose handles stand in the parameter.
    pub further: &'a [(ObjectHandle, Arc<Object>)],
}

impl<'a> Sources<'a> {
    /// A derivation from one key.
    #[must_use]
    pub const fn only(base: &'a Object) -> Self {
        Self { base, further: &[] }
    }

    /// Every key, the base first.
    pub fn all(self) -> impl Iterator<Item = &'a Object> {
        core::iter::once(self.base).chain(self.further.iter().map(|(_, key)| &**key))
    }
}

/// What a derivation gave: to the call itself, and into the caller's parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived<Key> {
    /// The key of the call; `None` for mechanisms that hand all their keys back through the parameter.
    pub key: Option<Key>,
    /// The keys whose handles go into the parameter, in the order of their places there.
    pub further: Vec<Key>,
    /// Values that go into the parameter, in the order of their places there.
    pub values: Vec<Vec<u8>>,
}

impl<Key> Derived<Key> {
    /// One key and nothing else.
    pub const fn one(key: Key) -> Self {
        Self { key: Some(key), further: Vec::new(), values: Vec::new() }
    }

    /// The same with each key made into something else, the call's own first.
    ///
    /// # Errors
    /// The first that `make` gives.
    pub fn try_map<Other, Error>(
        self,
        mut make: impl FnMut(Key) -> Result<Other, Error>,
    ) -> Result<Derived<Other>, Error> {
        Ok(Derived {
            key: self.key.map(&mut make).transpose()?,
            further: self.further.into_iter().map(make).collect::<Result<_, _>>()?,
            values: self.values,
        })
    }
}
