//! The small values that travel between the edge and the core: handles, requests for room, replies.

use crate::derivation::{DeriveParams, DeriveShape};
use crate::template::Template;
use hsm_crypto::SecretBytes;

/// A slot's number; given once and never changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId(pub u64);

/// A session's handle; never 0, never reused while the library lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionHandle(pub u64);

/// An object's handle; never 0, stable and never reused while the library lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectHandle(pub u64);

/// How much room the caller has for a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// The caller asks for the size only (a null output pointer).
    Ask,
    /// The caller has so many bytes.
    Bytes(usize),
}

/// Where the caller wants a result that may be long.
pub trait Destination {
    /// How much room there is.
    fn room(&self) -> Room;
    /// Lends the first `bytes` bytes of the caller's memory, which has them, to write the result there at once; `None` where that
    /// cannot be, for instance because the input lies there.
    fn lend(&mut self, bytes: usize) -> Option<&mut [u8]>;
}

impl<T: Destination + ?Sized> Destination for &mut T {
    fn room(&self) -> Room {
        (**self).room()
    }

    fn lend(&mut self, bytes: usize) -> Option<&mut [u8]> {
        (**self).lend(bytes)
    }
}

/// Room without memory: the result comes back as [`Reply::Data`].
impl Destination for Room {
    fn room(&self) -> Room {
        *self
    }

    fn lend(&mut self, _bytes: usize) -> Option<&mut [u8]> {
        None
    }
}

/// The answer of a function with a variable-length result (PKCS#11 v2.40, 5.2).
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// The size asked for; the operation goes on. An upper bound where the exact size is not yet known.
    Size(usize),
    /// The result.
    Data(Vec<u8>),
    /// The length of the result, which stands where the [`Destination`] lent memory.
    Written(usize),
}

/// The kinds of operation that a session can have active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// C_EncryptInit and on.
    Encrypt,
    /// C_DecryptInit and on.
    Decrypt,
    /// C_DigestInit and on.
    Digest,
    /// C_SignInit and on.
    Sign,
    /// C_VerifyInit and on.
    Verify,
    /// C_FindObjectsInit and on.
    Find,
    /// C_SignRecoverInit and on.
    SignRecover,
    /// C_VerifyRecoverInit and on.
    VerifyRecover,
    /// C_VerifySignatureInit and on.
    VerifySignature,
    /// C_MessageEncryptInit and on: the run of messages.
    MessageEncrypt,
    /// C_MessageDecryptInit and on.
    MessageDecrypt,
    /// C_MessageSignInit and on.
    MessageSign,
    /// C_MessageVerifyInit and on.
    MessageVerify,
    /// C_EncryptMessageBegin and on: the message under way in such a run.
    EncryptMessage,
    /// C_DecryptMessageBegin and on.
    DecryptMessage,
    /// C_SignMessageBegin and on.
    SignMessage,
    /// C_VerifyMessageBegin and on.
    VerifyMessage,
}

/// A mechanism with its parameter, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mechanism {
    /// `CKM_*`.
    pub kind: u64,
    /// Its parameter.
    pub params: Params,
}

/// The shape a mechanism's parameter has in memory; a column of the mechanism table, read by the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamShape {
    /// None: a null pointer and length 0.
    None,
    /// Exactly 16 bytes of initialisation vector.
    Iv16,
    /// No parameter, or so many bytes of initial value (key wrap).
    OptionalIv(usize),
    /// `CK_AES_CTR_PARAMS`.
    Ctr,
    /// `CK_GCM_PARAMS` with 48 bytes, or the 40 bytes without `ulIvBits` of 2.30 and 2.40 headers.
    Gcm,
    /// `CK_RSA_PKCS_PSS_PARAMS`.
    Pss,
    /// `CK_RSA_PKCS_OAEP_PARAMS`.
    Oaep,
    /// `CK_ECDH1_DERIVE_PARAMS`.
    Ecdh1,
    /// `CK_MAC_GENERAL_PARAMS`, a `CK_ULONG`.
    MacLength,
    /// None, or `CK_KMAC_PARAMS`, a structure of our own.
    OptionalKmac,
    /// None, or `CK_EDDSA_PARAMS`.
    OptionalEddsa,
    /// `CK_TLS_MAC_PARAMS`.
    TlsMac,
    /// That of a derivation which has more than one result or takes more than one key.
    Derive(DeriveShape),
    /// Exactly 8 bytes of initialisation vector.
    Iv8,
    /// 12 bytes of initialisation vector (v2.40), or `CK_GCM_PARAMS` (v3.0) in both of its forms.
    Gmac,
    /// `CK_CCM_PARAMS`.
    Ccm,
    /// `CK_CHACHA20_PARAMS`.
    ChaCha20,
    /// `CK_SALSA20_PARAMS`.
    Salsa20,
    /// `CK_SALSA20_CHACHA20_POLY1305_PARAMS`.
    ChaCha20Poly1305,
    /// `CK_RSA_AES_KEY_WRAP_PARAMS`.
    RsaAesWrap,
    /// `CK_ECDH_AES_KEY_WRAP_PARAMS`.
    EcdhAesWrap,
    /// None, or `CK_SIGN_ADDITIONAL_CONTEXT`.
    OptionalSignContext,
    /// `CK_HASH_SIGN_ADDITIONAL_CONTEXT`.
    HashSignContext,
}

/// A mechanism's parameter as values. Constants (`CKM_*`, `CKG_*`, `CKD_*`, `CKZ_*`) are as the caller gave them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Params {
    /// No parameter.
    None,
    /// Initialisation vector or initial value.
    Iv(Vec<u8>),
    /// `CK_AES_CTR_PARAMS`.
    Ctr {
        /// `ulCounterBits`.
        counter_bits: u64,
        /// `cb`.
        block: [u8; 16],
    },
    /// `CK_GCM_PARAMS`; `ulIvBits` is not used, as the standard says.
    Gcm {
        /// `pIv`, `ulIvLen`.
        iv: Vec<u8>,
        /// `pAAD`, `ulAADLen`.
        aad: Vec<u8>,
        /// `ulTagBits`.
        tag_bits: u64,
    },
    /// `CK_RSA_PKCS_PSS_PARAMS`.
    Pss {
        /// `hashAlg`, a `CKM_*`.
        hash: u64,
        /// `mgf`, a `CKG_*`.
        mgf: u64,
        /// `sLen`, bytes.
        salt_bytes: u64,
    },
    /// `CK_RSA_PKCS_OAEP_PARAMS`.
    Oaep {
        /// `hashAlg`, a `CKM_*`.
        hash: u64,
        /// `mgf`, a `CKG_*`.
        mgf: u64,
        /// `source`, a `CKZ_*`; 0 with no data is what pkcs11-tool sends.
        source: u64,
        /// `pSourceData`, `ulSourceDataLen`.
        label: Vec<u8>,
    },
    /// `CK_ECDH1_DERIVE_PARAMS`.
    Ecdh1 {
        /// `kdf`, a `CKD_*`.
        kdf: u64,
        /// `pSharedData`, `ulSharedDataLen`.
        shared: Vec<u8>,
        /// `pPublicData`, `ulPublicDataLen`: the peer's point, raw or wrapped in a DER OCTET STRING.
        public: Vec<u8>,
    },
    /// `CK_MAC_GENERAL_PARAMS`: length of the MAC in bytes.
    MacLength(u64),
    /// `CK_CCM_PARAMS`.
    Ccm {
        /// `ulDataLen`: length of the plaintext, in encryption and in decryption.
        data_bytes: u64,
        /// `pNonce`, `ulNonceLen`.
        nonce: Vec<u8>,
        /// `pAAD`, `ulAADLen`.
        aad: Vec<u8>,
        /// `ulMACLen`.
        mac_bytes: u64,
    },
    /// `CK_CHACHA20_PARAMS` or `CK_SALSA20_PARAMS`.
    Stream {
        /// `pBlockCounter`, little-endian as the cipher has it; empty for a null pointer.
        counter: Vec<u8>,
        /// `pNonce`, `ulNonceBits`.
        nonce: Vec<u8>,
    },
    /// `CK_RSA_AES_KEY_WRAP_PARAMS`.
    RsaAesWrap {
        /// `ulAESKeyBits`.
        aes_bits: u64,
        /// `pOAEPParams`: always [`Params::Oaep`].
        oaep: Box<Params>,
    },
    /// `CK_ECDH_AES_KEY_WRAP_PARAMS`.
    EcdhAesWrap {
        /// `ulAESKeyBits`.
        aes_bits: u64,
        /// `kdf`, a `CKD_*`.
        kdf: u64,
        /// `pSharedData`, `ulSharedDataLen`.
        shared: Vec<u8>,
    },
    /// `CK_SALSA20_CHACHA20_POLY1305_PARAMS`.
    ChaCha20Poly1305 {
        /// `pNonce`, `ulNonceLen`.
        nonce: Vec<u8>,
        /// `pAAD`, `ulAADLen`.
        aad: Vec<u8>,
    },
    /// `CK_KMAC_PARAMS`.
    Kmac {
        /// `ulMacLen`, bytes.
        mac_bytes: u64,
        /// `pCustomization`, `ulCustomizationLen`.
        customisation: Vec<u8>,
    },
    /// `CK_SIGN_ADDITIONAL_CONTEXT`, or with a hash `CK_HASH_SIGN_ADDITIONAL_CONTEXT`.
    SignContext {
        /// `hedgeVariant`, a `CKH_*`.
        hedge: u64,
        /// `pContext`, `ulContextLen`.
        context: Vec<u8>,
        /// `hash`, a `CKM_*`.
        hash: Option<u64>,
    },
    /// `CK_EDDSA_PARAMS`.
    Eddsa {
        /// `phFlag`.
        prehash: bool,
        /// `pContextData`, `ulContextDataLen`.
        context: Vec<u8>,
    },
    /// `CK_TLS_MAC_PARAMS`.
    TlsMac {
        /// `prfHashMechanism`, a `CKM_*`.
        hash: u64,
        /// `ulMacLength`.
        bytes: u64,
        /// `ulServerOrClient`: 1 or 2.
        side: u64,
    },
    /// The parameter of a derivation.
    Derive(DeriveParams),
}

/// The answer to one attribute of C_GetAttributeValue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Its value as bytes in the caller's native form.
    Bytes(SecretBytes),
    /// Its value is a template (`CKA_WRAP_TEMPLATE` and its sisters).
    Template(Template),
    /// The object has it and does not reveal it: `CKR_ATTRIBUTE_SENSITIVE`.
    Sensitive,
    /// The object has no such attribute: `CKR_ATTRIBUTE_TYPE_INVALID`.
    Invalid,
}

/// What C_GetInfo tells, less the version of the interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// `manufacturerID`, at most 32 bytes.
    pub manufacturer: &'static str,
    /// `libraryDescription`, at most 32 bytes.
    pub description: &'static str,
    /// `libraryVersion`.
    pub version: (u8, u8),
}

/// What C_GetSlotInfo tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotInfo {
    /// `slotDescription`, at most 64 bytes.
    pub description: String,
    /// `manufacturerID`, at most 32 bytes.
    pub manufacturer: String,
    /// `CKF_TOKEN_PRESENT`, `CKF_REMOVABLE_DEVICE`, `CKF_HW_SLOT`.
    pub flags: u64,
    /// `hardwareVersion`.
    pub hardware: (u8, u8),
    /// `firmwareVersion`.
    pub firmware: (u8, u8),
}

/// What C_GetTokenInfo tells; counts and sizes are native (`CK_UNAVAILABLE_INFORMATION` where not known).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// `label`, blank-padded.
    pub label: [u8; 32],
    /// `manufacturerID`, at most 32 bytes.
    pub manufacturer: String,
    /// `model`, at most 16 bytes.
    pub model: String,
    /// `serialNumber`, 16 characters.
    pub serial: [u8; 16],
    /// `CKF_*` of a token.
    pub flags: u64,
    /// `ulMaxSessionCount`.
    pub sessions_max: u64,
    /// `ulSessionCount`, of this process.
    pub sessions: u64,
    /// `ulMaxRwSessionCount`.
    pub rw_sessions_max: u64,
    /// `ulRwSessionCount`, of this process.
    pub rw_sessions: u64,
    /// `ulMaxPinLen`, bytes.
    pub pin_bytes_max: u64,
    /// `ulMinPinLen`, bytes.
    pub pin_bytes_min: u64,
    /// `hardwareVersion`.
    pub hardware: (u8, u8),
    /// `firmwareVersion`.
    pub firmware: (u8, u8),
    /// `utcTime`, 16 characters, all blank when the token has no clock.
    pub utc_time: [u8; 16],
}

/// What C_GetSessionInfo tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionInfo {
    /// `slotID`.
    pub slot: SlotId,
    /// `CKS_*`.
    pub state: u64,
    /// `CKF_RW_SESSION`, `CKF_SERIAL_SESSION`.
    pub flags: u64,
    /// `ulDeviceError`.
    pub device_error: u64,
}

/// What C_GetMechanismInfo tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MechanismInfo {
    /// `ulMinKeySize`, in the unit the standard gives for the mechanism.
    pub key_size_min: u64,
    /// `ulMaxKeySize`.
    pub key_size_max: u64,
    /// `CKF_*` of a mechanism.
    pub flags: u64,
}
