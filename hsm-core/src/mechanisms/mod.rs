//! The mechanism table: a family is one file, a mechanism one static row.
//!
//! `CKF_*` flags, C_GetMechanismList, C_GetMechanismInfo, `docs/mechanisms.md` and the generic misuse
//! tests come from the rows. Does not know: sessions, handles, the store.

use crate::object::{Attributes, Object};
use crate::platform::Env;
use crate::reason::Result;
use crate::template::Template;
use crate::types::{MechanismInfo, ParamShape, Params};
use hsm_crypto::SecretBytes;

/// A signature or MAC in the making.
pub trait Signer: Send {
    /// Size of the result in bytes; exact, or an upper bound.
    fn signature_bytes(&self) -> usize;
    /// Whether the mechanism takes its message in parts.
    fn multi_part(&self) -> bool;
    /// Signs the whole message at once.
    ///
    /// # Errors
    /// `DataLength`, `DataInvalid`.
    fn sign(&mut self, env: &Env<'_>, data: &[u8]) -> Result<Vec<u8>>;
    /// Takes in a part; called only when `multi_part`.
    ///
    /// # Errors
    /// `DataLength`.
    fn update(&mut self, data: &[u8]) -> Result<()>;
    /// Signs what was taken in.
    ///
    /// # Errors
    /// `DataLength`.
    fn finish(&mut self, env: &Env<'_>) -> Result<Vec<u8>>;
}

/// A verification in the making.
pub trait Verifier: Send {
    /// Whether the mechanism takes its message in parts.
    fn multi_part(&self) -> bool;
    /// Verifies the whole message at once.
    ///
    /// # Errors
    /// `SignatureInvalid`, `SignatureLength`, `DataLength`.
    fn verify(&mut self, env: &Env<'_>, data: &[u8], signature: &[u8]) -> Result<()>;
    /// Takes in a part; called only when `multi_part`.
    ///
    /// # Errors
    /// `DataLength`.
    fn update(&mut self, data: &[u8]) -> Result<()>;
    /// Verifies what was taken in.
    ///
    /// # Errors
    /// `SignatureInvalid`, `SignatureLength`.
    fn finish(&mut self, env: &Env<'_>, signature: &[u8]) -> Result<()>;
}

/// An encryption or decryption in the making. All outputs are appended to `out`.
pub trait Crypter: Send {
    /// Whether the mechanism takes its input in parts.
    fn multi_part(&self) -> bool;
    /// Size of the result of `one_shot` for so many input bytes; exact, or an upper bound.
    fn one_shot_bytes(&self, input_bytes: usize) -> usize;
    /// Does the whole message at once; called only before any `update`.
    ///
    /// # Errors
    /// `DataLength`, `EncryptedDataLength`, `EncryptedDataInvalid`.
    fn one_shot(&mut self, env: &Env<'_>, input: &[u8], out: &mut Vec<u8>) -> Result<()>;
    /// Exact size of the result of `update` for so many input bytes.
    fn update_bytes(&self, input_bytes: usize) -> usize;
    /// Takes in a part; called only when `multi_part`.
    ///
    /// # Errors
    /// `DataLength`, `EncryptedDataLength`.
    fn update(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<()>;
    /// Size of the result of `finish`; exact, or an upper bound.
    fn finish_bytes(&self) -> usize;
    /// Ends the message.
    ///
    /// # Errors
    /// `DataLength`, `EncryptedDataLength`, `EncryptedDataInvalid`.
    fn finish(&mut self, env: &Env<'_>, out: &mut Vec<u8>) -> Result<()>;
}

/// Which keys a mechanism works with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRule {
    /// No key (digests, key generation).
    None,
    /// Keys of these `CKK_*`.
    Types(&'static [u64]),
}

/// The unit of a mechanism's key sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeUnit {
    /// No key, or sizes have no meaning: both are 0.
    None,
    /// Bits.
    Bits,
    /// Bytes.
    Bytes,
}

/// Starts an operation with a key that passed the row's rules.
pub type Start<T> = fn(&Env<'_>, &Params, &Object) -> Result<Box<T>>;

/// One mechanism.
pub struct Row {
    /// `CKM_*`.
    pub kind: u64,
    /// Its name in the standard.
    pub name: &'static str,
    /// Its parameter.
    pub shape: ParamShape,
    /// The keys it works with.
    pub keys: KeyRule,
    /// Unit of the sizes below.
    pub unit: SizeUnit,
    /// Smallest key.
    pub size_min: u64,
    /// Largest key.
    pub size_max: u64,
    /// Flags that no function column implies (`CKF_EC_*`).
    pub extra_flags: u64,
    /// Where its test vectors come from; a row without any fails the tests.
    pub vectors: &'static str,
    /// C_DigestInit.
    pub digest: Option<hsm_crypto::Hash>,
    /// C_SignInit.
    pub sign: Option<Start<dyn Signer>>,
    /// C_VerifyInit.
    pub verify: Option<Start<dyn Verifier>>,
    /// C_EncryptInit.
    pub encrypt: Option<Start<dyn Crypter>>,
    /// C_DecryptInit.
    pub decrypt: Option<Start<dyn Crypter>>,
    /// C_WrapKey: wraps the bytes of a key.
    pub wrap: Option<fn(&Env<'_>, &Params, &Object, &SecretBytes) -> Result<Vec<u8>>>,
    /// C_UnwrapKey: the bytes of the key.
    pub unwrap: Option<fn(&Env<'_>, &Params, &Object, &[u8]) -> Result<SecretBytes>>,
    /// C_DeriveKey: so many bytes, or as many as the mechanism gives.
    pub derive: Option<fn(&Env<'_>, &Params, &Object, Option<usize>) -> Result<SecretBytes>>,
    /// C_GenerateKey: the material of a secret key.
    pub generate: Option<fn(&Env<'_>, &Params, &Template) -> Result<Attributes>>,
    /// C_GenerateKeyPair: the material of public and private key.
    pub generate_pair: Option<fn(&Env<'_>, &Params, &Template, &Template) -> Result<(Attributes, Attributes)>>,
}

/// Finds a mechanism's row.
#[must_use]
pub fn find(_kind: u64) -> Option<&'static Row> {
    todo!("contract skeleton")
}

/// Every row, in the order of the families' files.
pub fn all() -> impl Iterator<Item = &'static Row> {
    core::iter::empty()
}

impl Row {
    /// The row as C_GetMechanismInfo tells it.
    #[must_use]
    pub fn info(&self) -> MechanismInfo {
        todo!("contract skeleton")
    }
}

/// Starts a signature: judges mechanism, parameter, key type, usage and ALLOWED_MECHANISMS, in that order.
///
/// # Errors
/// `MechanismUnknown`, `MechanismParam`, `KeyTypeInconsistent`, `KeyLacksUsage`, `KeySize`.
pub fn start_sign(_env: &Env<'_>, _mechanism: &crate::types::Mechanism, _key: &Object) -> Result<Box<dyn Signer>> {
    todo!("contract skeleton")
}

/// Starts a verification, as `start_sign`.
///
/// # Errors
/// As `start_sign`.
pub fn start_verify(_env: &Env<'_>, _mechanism: &crate::types::Mechanism, _key: &Object) -> Result<Box<dyn Verifier>> {
    todo!("contract skeleton")
}

/// Starts an encryption, as `start_sign`.
///
/// # Errors
/// As `start_sign`.
pub fn start_encrypt(_env: &Env<'_>, _mechanism: &crate::types::Mechanism, _key: &Object) -> Result<Box<dyn Crypter>> {
    todo!("contract skeleton")
}

/// Starts a decryption, as `start_sign`.
///
/// # Errors
/// As `start_sign`.
pub fn start_decrypt(_env: &Env<'_>, _mechanism: &crate::types::Mechanism, _key: &Object) -> Result<Box<dyn Crypter>> {
    todo!("contract skeleton")
}

/// Starts a digest.
///
/// # Errors
/// `MechanismUnknown`, `MechanismParam`.
pub fn start_digest(
    _env: &Env<'_>,
    _mechanism: &crate::types::Mechanism,
) -> Result<(hsm_crypto::Hash, Box<dyn hsm_crypto::hash::Digest>)> {
    todo!("contract skeleton")
}
