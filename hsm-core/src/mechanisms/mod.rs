//! The mechanism table: a family is one file, a mechanism one static row.
//!
//! Owns: what each mechanism does, with which keys, sizes and parameters. `CKF_*` flags,
//! C_GetMechanismList, C_GetMechanismInfo, `docs/mechanisms.md` and the generic misuse tests come from
//! the rows. Does not know: sessions, handles, the store. Called from the kernel (`start_*`) and from
//! [`crate::keys`] (wrap, unwrap, derive, generate).
//! Rule source: PKCS#11 v2.40 and v3.1 "Current Mechanisms"; each family's file names its section.
//!
//! Sizes: `update_bytes` is exact; every other size is exact or an upper bound, and never too small.

/// A row as a constant of its own, so that the compiler looks at each alone: for many in one constant it takes gigabytes.
macro_rules! row {
    ($row:expr) => {{
        const ROW: $crate::mechanisms::Row = $row;
        ROW
    }};
}

mod aes_ccm;
mod aes_cmac;
mod aes_cts;
mod aes_feedback;
mod aes_gcm;
mod aes_gmac;
mod aes_keygen;
mod aes_mac;
mod aes_modes;
mod aes_wrap;
mod aes_xts;
mod bip32;
mod blake2b;
mod chacha20;
mod cipher_derive;
mod combine;
pub(crate) mod derive;
mod des3;
mod digest;
mod document;
mod ec_keygen;
mod ecdh;
mod ecdh_aes_wrap;
mod ecdsa;
mod ecdsa_deterministic;
mod eddsa;
mod faults;
mod generic;
mod hash_derive;
mod hashes;
mod hkdf;
mod hmac;
mod ike;
mod keccak;
mod kmac;
mod luna_kdf;
mod mac;
mod mac_keygen;
pub(crate) mod messages;
mod ml_dsa;
mod ml_kem;
mod outlived_hashes;
mod parts;
mod pbkdf2;
mod poly1305;
mod pq_keygen;
mod pq_signatures;
mod rsa_aes_wrap;
mod rsa_encapsulation;
mod rsa_hash;
mod rsa_keygen;
mod rsa_oaep;
mod rsa_pkcs;
mod rsa_pss;
mod rsa_x509;
pub(crate) mod rules;
mod salsa20;
mod sha512_t;
mod slh_dsa;
mod sp800_108;
mod stateful;
mod tls12;
mod tls_mac;
mod tls_prf;

use crate::attributes::Material;
use crate::object::{Attributes, Object};
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::template::Template;
use crate::types::{Mechanism, MechanismInfo, ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::SecretBytes;
use hsm_crypto::cipher::Position;
use hsm_crypto::post_quantum::Encapsulated;
use rules::Usage;
use std::sync::LazyLock;

pub use derive::{Derive, Heritage};
pub use document::document;

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
    /// What was taken in, for [`Signer::resume`]; `None` where that cannot be told. A secret.
    fn save(&self) -> Option<SecretBytes> {
        None
    }
    /// Goes on from what `save` gave, in a signature that was just started with the same mechanism and key.
    ///
    /// # Errors
    /// `SavedStateInvalid`.
    fn resume(&mut self, _state: &[u8]) -> Result<()> {
        Err(Reason::SavedStateInvalid)
    }
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
    /// As [`Signer::save`].
    fn save(&self) -> Option<SecretBytes> {
        None
    }
    /// As [`Signer::resume`].
    ///
    /// # Errors
    /// `SavedStateInvalid`.
    fn resume(&mut self, _state: &[u8]) -> Result<()> {
        Err(Reason::SavedStateInvalid)
    }
}

/// An encryption or decryption in the making. Results are written to the beginning of `out`, which has the announced size, and
/// their length is returned; after an error `out` is to be wiped.
pub trait Crypter: Send {
    /// Whether the mechanism takes its input in parts.
    fn multi_part(&self) -> bool;
    /// Size of the result of `one_shot` for so many input bytes; exact, or an upper bound.
    fn one_shot_bytes(&self, input_bytes: usize) -> usize;
    /// Does the whole message at once; called only before any `update`.
    ///
    /// # Errors
    /// `DataLength`, `EncryptedDataLength`, `EncryptedDataInvalid`.
    fn one_shot(&mut self, env: &Env<'_>, input: &[u8], out: &mut [u8]) -> Result<usize>;
    /// Exact size of the result of `update` for so many input bytes.
    fn update_bytes(&self, input_bytes: usize) -> usize;
    /// Takes in a part; called only when `multi_part`.
    ///
    /// # Errors
    /// `DataLength`, `EncryptedDataLength`.
    fn update(&mut self, input: &[u8], out: &mut [u8]) -> Result<usize>;
    /// Size of the result of `finish`; exact, or an upper bound.
    fn finish_bytes(&self) -> usize;
    /// Ends the message.
    ///
    /// # Errors
    /// `DataLength`, `EncryptedDataLength`, `EncryptedDataInvalid`.
    fn finish(&mut self, env: &Env<'_>, out: &mut [u8]) -> Result<usize>;
    /// Where in the message it is: an operation that begins there, with the rest of the parameter the same, goes on from here.
    /// `None` where that cannot be told.
    fn position(&self) -> Option<Position> {
        None
    }
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

/// Every function of a row, for its column `approved`.
pub const EVERYTHING: u64 = u64::MAX;

/// Which keys a mechanism can wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wraps {
    /// None.
    Nothing,
    /// Secret keys, by their value.
    SecretKeys,
    /// Secret keys, and private keys by their PKCS#8 encoding.
    SecretAndPrivateKeys,
}

/// The hash of a digest mechanism with a parameter that passed the row's rules.
pub type HashOf = fn(&Params) -> Result<hsm_crypto::Hash>;

/// Starts an operation with a key that passed the row's rules.
pub type Start<T> = fn(&Env<'_>, &Params, &Object) -> Result<Box<T>>;

/// Wraps the bytes of a key under a key that passed the row's rules.
pub type WrapBytes = fn(&Env<'_>, &Params, &Object, &SecretBytes) -> Result<Vec<u8>>;

/// Unwraps the bytes of a key under a key that passed the row's rules.
pub type UnwrapBytes = fn(&Env<'_>, &Params, &Object, &[u8]) -> Result<SecretBytes>;

/// The two steps of an encapsulation with a public key that passed the row's rules.
#[derive(Clone, Copy)]
pub struct Encapsulation {
    /// The length of the ciphertext.
    pub ciphertext_bytes: fn(&Env<'_>, &Params, &Object) -> Result<usize>,
    /// Makes ciphertext and secret.
    pub run: fn(&Env<'_>, &Params, &Object, Wanted) -> Result<Encapsulated>,
}

/// Takes the secret out of a ciphertext with a private key that passed the row's rules.
pub type Decapsulate = fn(&Env<'_>, &Params, &Object, &[u8], Wanted) -> Result<SecretBytes>;

/// What the template of an encapsulation says of the key that it is to make.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// `CKK_*`.
    pub key_type: u64,
    /// So many bytes, or as many as the mechanism gives.
    pub bytes: Option<usize>,
}

/// Makes the material of a secret key from the caller's template.
pub type Generate = fn(&Env<'_>, &Params, &Template) -> Result<Attributes>;

/// Makes the material of a key pair from the caller's templates, public and private.
pub type GeneratePair = fn(&Env<'_>, &Params, &Template, &Template) -> Result<PairMaterial>;

/// Material of a public key and of its private key, as key pair generation makes them.
pub type PairMaterial = (Material, Material);

/// One mechanism.
pub struct Row {
    /// `CKM_*`.
    pub kind: u64,
    /// Its name in the standard.
    pub name: &'static str,
    /// Its parameter.
    pub shape: ParamShape,
    /// Judges the values of a parameter of that shape, before any key is looked at.
    pub judge: fn(&Params) -> Result<()>,
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
    /// What a token that keeps to approved algorithms does with it, as `CKF_*` of functions: [`EVERYTHING`], some, or 0.
    pub approved: u64,
    /// Smallest key on such a token, where it is larger than `size_min`.
    pub approved_size_min: u64,
    /// Whether a token has it only with the legacy switch: broken or outlived, and still met in the field.
    pub legacy: bool,
    /// The version of Perilune that had it first.
    pub first_version: &'static str,
    /// Where its test vectors come from; a row without any fails the tests.
    pub vectors: &'static str,
    /// C_DigestInit.
    pub digest: Option<HashOf>,
    /// C_SignInit.
    pub sign: Option<Start<dyn Signer>>,
    /// Whether what it signs comes in one part: it is a digest, or the mechanism takes none. Says so in `CKF_MULTI_MESSAGE`.
    pub one_part: bool,
    /// C_VerifyInit.
    pub verify: Option<Start<dyn Verifier>>,
    /// C_SignRecoverInit: from data to signature.
    pub sign_recover: Option<Start<dyn Crypter>>,
    /// C_VerifyRecoverInit: from signature to data.
    pub verify_recover: Option<Start<dyn Crypter>>,
    /// C_EncryptInit.
    pub encrypt: Option<Start<dyn Crypter>>,
    /// C_DecryptInit.
    pub decrypt: Option<Start<dyn Crypter>>,
    /// C_MessageEncryptInit, C_MessageDecryptInit, and with `wraps` C_WrapKeyAuthenticated and C_UnwrapKeyAuthenticated.
    pub messages: Option<messages::Messages>,
    /// What C_WrapKey and C_UnwrapKey take.
    pub wraps: Wraps,
    /// Whether wrapping fills up with zero bytes, so that an unwrapped value may be longer than the key.
    pub zero_pads: bool,
    /// C_WrapKey: wraps the bytes of a key.
    pub wrap: Option<WrapBytes>,
    /// C_UnwrapKey: the bytes of the key.
    pub unwrap: Option<UnwrapBytes>,
    /// C_DeriveKey.
    pub derive: Option<Derive>,
    /// What derived keys have from the keys that they come from.
    pub heritage: Heritage,
    /// C_EncapsulateKey.
    pub encapsulate: Option<Encapsulation>,
    /// C_DecapsulateKey.
    pub decapsulate: Option<Decapsulate>,
    /// C_GenerateKey: the material of a secret key.
    pub generate: Option<Generate>,
    /// C_GenerateKeyPair: the material of public and private key.
    pub generate_pair: Option<GeneratePair>,
}

/// A row with its number and name and nothing else; families fill in the rest.
macro_rules! named {
    ($kind:ident) => {
        $crate::mechanisms::Row { kind: $kind, name: stringify!($kind), ..$crate::mechanisms::Row::BLANK }
    };
}
pub(crate) use named;

/// The families, in the order in which the table is listed.
const FAMILIES: [&[Row]; 53] = [
    rsa_keygen::ROWS,
    rsa_pkcs::ROWS,
    rsa_x509::ROWS,
    rsa_pss::ROWS,
    rsa_oaep::ROWS,
    rsa_hash::ROWS,
    ec_keygen::ROWS,
    ecdsa::ROWS,
    ecdsa_deterministic::ROWS,
    ecdh::ROWS,
    eddsa::ROWS,
    aes_keygen::ROWS,
    aes_modes::ROWS,
    aes_gcm::ROWS,
    aes_cmac::ROWS,
    aes_wrap::ROWS,
    aes_feedback::ROWS,
    aes_cts::ROWS,
    aes_xts::ROWS,
    aes_ccm::ROWS,
    aes_gmac::ROWS,
    aes_mac::ROWS,
    chacha20::ROWS,
    salsa20::ROWS,
    poly1305::ROWS,
    des3::ROWS,
    rsa_aes_wrap::ROWS,
    ecdh_aes_wrap::ROWS,
    generic::ROWS,
    digest::ROWS,
    hmac::ROWS,
    combine::ROWS,
    hash_derive::ROWS,
    hkdf::ROWS,
    sp800_108::ROWS,
    cipher_derive::ROWS,
    pbkdf2::ROWS,
    tls12::ROWS,
    tls_mac::ROWS,
    tls_prf::ROWS,
    ike::ROWS,
    luna_kdf::ROWS,
    bip32::ROWS,
    sha512_t::ROWS,
    blake2b::ROWS,
    outlived_hashes::ROWS,
    keccak::ROWS,
    kmac::ROWS,
    mac_keygen::ROWS,
    ml_kem::ROWS,
    ml_dsa::ROWS,
    slh_dsa::ROWS,
    stateful::ROWS,
];

/// Every row by its number.
struct Numbers {
    /// Where in `rows` the row of a low number stands, and one more; 0 where there is none.
    low: [u16; LOW_NUMBERS],
    /// In the order of their numbers, for the search of others.
    rows: Vec<&'static Row>,
}

/// The standard's numbers but for a few are below this.
const LOW_NUMBERS: usize = 0x1100;

static INDEX: LazyLock<Numbers> = LazyLock::new(|| {
    let mut numbers = Numbers { low: [0; LOW_NUMBERS], rows: all().collect() };
    numbers.rows.sort_unstable_by_key(|row| row.kind);
    for (row, place) in numbers.rows.iter().zip(1..) {
        if let Some(low) = usize::try_from(row.kind).ok().and_then(|kind| numbers.low.get_mut(kind)) {
            *low = place;
        }
    }
    numbers
});

/// Makes what `find` searches, if it is not there yet.
pub(crate) fn make_index() {
    LazyLock::force(&INDEX);
}

/// Finds a mechanism's row.
#[must_use]
pub fn find(kind: u64) -> Option<&'static Row> {
    let at = match usize::try_from(kind).ok().and_then(|kind| INDEX.low.get(kind)) {
        Some(place) => usize::from(place.checked_sub(1)?),
        None => INDEX.rows.binary_search_by_key(&kind, |row| row.kind).ok()?,
    };
    INDEX.rows.get(at).copied()
}

/// Whether C_DeriveKey hands a key back itself; true for mechanisms that do not derive at all.
#[must_use]
pub fn derivation_returns_key(kind: u64) -> bool {
    !matches!(find(kind).and_then(|row| row.derive), Some(Derive::Keys { returns_key: false, .. }))
}

/// Every row, in the order of the families' files.
pub fn all() -> impl Iterator<Item = &'static Row> {
    FAMILIES.into_iter().flatten()
}

impl Row {
    /// A row that can do nothing.
    pub(crate) const BLANK: Row = Row {
        kind: u64::MAX,
        name: "",
        shape: ParamShape::None,
        judge: |_| Ok(()),
        keys: KeyRule::None,
        unit: SizeUnit::None,
        size_min: 0,
        size_max: 0,
        extra_flags: 0,
        approved: 0,
        approved_size_min: 0,
        legacy: false,
        first_version: "0.1.0",
        vectors: "",
        digest: None,
        sign: None,
        one_part: false,
        verify: None,
        sign_recover: None,
        verify_recover: None,
        encrypt: None,
        decrypt: None,
        messages: None,
        wraps: Wraps::Nothing,
        zero_pads: false,
        wrap: None,
        unwrap: None,
        derive: None,
        heritage: Heritage::Free,
        encapsulate: None,
        decapsulate: None,
        generate: None,
        generate_pair: None,
    };

    /// The row as C_GetMechanismInfo tells it; CKF_HW is never set, because this is software.
    #[must_use]
    pub fn info(&self) -> MechanismInfo {
        MechanismInfo { key_size_min: self.size_min, key_size_max: self.size_max, flags: self.flags() }
    }

    /// Every function that the row has, as the flag that says so.
    fn flags(&self) -> u64 {
        let runs = messages::signs_messages(self.kind);
        let signs = runs && (self.sign.is_some() || self.verify.is_some());
        let columns = [
            (CKF_DIGEST, self.digest.is_some()),
            (CKF_SIGN, self.sign.is_some()),
            (CKF_VERIFY, self.verify.is_some()),
            (CKF_SIGN_RECOVER, self.sign_recover.is_some()),
            (CKF_VERIFY_RECOVER, self.verify_recover.is_some()),
            (CKF_ENCRYPT, self.encrypt.is_some()),
            (CKF_DECRYPT, self.decrypt.is_some()),
            (CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT, self.messages.is_some()),
            (CKF_MESSAGE_SIGN, runs && self.sign.is_some()),
            (CKF_MESSAGE_VERIFY, runs && self.verify.is_some()),
            (CKF_MULTI_MESSAGE, self.messages.is_some() || signs && !self.one_part),
            (CKF_WRAP, self.wrap.is_some()),
            (CKF_UNWRAP, self.unwrap.is_some()),
            (CKF_DERIVE, self.derive.is_some()),
            (CKF_ENCAPSULATE, self.encapsulate.is_some()),
            (CKF_DECAPSULATE, self.decapsulate.is_some()),
            (CKF_GENERATE, self.generate.is_some()),
            (CKF_GENERATE_KEY_PAIR, self.generate_pair.is_some()),
        ];
        columns.into_iter().filter(|(_, has)| *has).fold(self.extra_flags, |flags, (flag, _)| flags | flag)
    }
}

/// Finds the row of a mechanism and its function for a purpose (`CKF_*`), which the token's policy must allow; judges the parameter.
///
/// # Errors
/// `MechanismUnknown` when there is no such row or the row has no such function, `MechanismNotPermitted`, `MechanismParam`.
pub(crate) fn column<T>(
    env: &Env<'_>,
    mechanism: &Mechanism,
    purpose: u64,
    column: fn(&Row) -> Option<T>,
) -> Result<(&'static Row, T)> {
    let row = find(mechanism.kind).ok_or(Reason::MechanismUnknown(mechanism.kind))?;
    let function = column(row).ok_or(Reason::MechanismUnknown(mechanism.kind))?;
    env.policy.judge(row, purpose)?;
    rules::judge_params(row, &mechanism.params)?;
    env.policy.judge_params(&mechanism.params, purpose)?;
    Ok((row, function))
}

/// Judges mechanism, parameter and key, then starts the operation.
fn start<T: ?Sized>(
    env: &Env<'_>,
    mechanism: &Mechanism,
    key: &Object,
    usage: Usage,
    which: fn(&Row) -> Option<Start<T>>,
) -> Result<Box<T>> {
    let (row, start) = column(env, mechanism, usage.function(), which)?;
    rules::judge_key(env.policy, row, key, usage)?;
    start(env, &mechanism.params, key)
}

/// Starts a signature: judges mechanism, parameter, key type, usage, ALLOWED_MECHANISMS and size, in that order.
///
/// # Errors
/// `MechanismUnknown`, `MechanismParam`, `KeyTypeInconsistent`, `KeyLacksUsage`, `KeySize`.
pub fn start_sign(env: &Env<'_>, mechanism: &Mechanism, key: &Object) -> Result<Box<dyn Signer>> {
    start(env, mechanism, key, Usage::Sign, |row| row.sign)
}

/// Starts a verification, as `start_sign`.
///
/// # Errors
/// As `start_sign`.
pub fn start_verify(env: &Env<'_>, mechanism: &Mechanism, key: &Object) -> Result<Box<dyn Verifier>> {
    start(env, mechanism, key, Usage::Verify, |row| row.verify)
}

/// Starts a signature with data recovery, as `start_sign`.
///
/// # Errors
/// As `start_sign`.
pub fn start_sign_recover(env: &Env<'_>, mechanism: &Mechanism, key: &Object) -> Result<Box<dyn Crypter>> {
    start(env, mechanism, key, Usage::SignRecover, |row| row.sign_recover)
}

/// Starts a verification with data recovery, as `start_sign`.
///
/// # Errors
/// As `start_sign`.
pub fn start_verify_recover(env: &Env<'_>, mechanism: &Mechanism, key: &Object) -> Result<Box<dyn Crypter>> {
    start(env, mechanism, key, Usage::VerifyRecover, |row| row.verify_recover)
}

/// Starts an encryption, as `start_sign`.
///
/// # Errors
/// As `start_sign`.
pub fn start_encrypt(env: &Env<'_>, mechanism: &Mechanism, key: &Object) -> Result<Box<dyn Crypter>> {
    start(env, mechanism, key, Usage::Encrypt, |row| row.encrypt)
}

/// Starts a decryption, as `start_sign`.
///
/// # Errors
/// As `start_sign`.
pub fn start_decrypt(env: &Env<'_>, mechanism: &Mechanism, key: &Object) -> Result<Box<dyn Crypter>> {
    start(env, mechanism, key, Usage::Decrypt, |row| row.decrypt)
}

/// Starts a digest.
///
/// # Errors
/// `MechanismUnknown`, `MechanismParam`.
pub fn start_digest(
    env: &Env<'_>,
    mechanism: &Mechanism,
) -> Result<(hsm_crypto::Hash, hsm_crypto::secret::SecretBox<dyn hsm_crypto::hash::Digest>)> {
    let (_, hash) = column(env, mechanism, CKF_DIGEST, |row| row.digest)?;
    let hash = hash(&mechanism.params)?;
    Ok((hash, (env.engine.digest)(hash)))
}

/// The number of the mechanism that digests with a hash.
pub(crate) fn digest_number(hash: hsm_crypto::Hash) -> Option<u64> {
    let is = |row: &&Row| row.digest.is_some_and(|digest| digest(&Params::None).is_ok_and(|found| found == hash));
    all().find(is).map(|row| row.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_number_and_no_number_stands_twice() {
        for row in all() {
            let found = find(row.kind).unwrap();
            assert_eq!(found.name, row.name, "{:#x} stands twice", row.kind);
        }
        assert!(find(CKM_MD2_RSA_PKCS).is_none());
        assert!(find(u64::MAX).is_none());
    }

    #[test]
    fn every_row_does_something_names_its_vectors_and_has_sizes_that_fit_its_unit() {
        for row in all() {
            let flags = row.info().flags & !row.extra_flags;
            assert_ne!(flags, 0, "{} does nothing", row.name);
            assert_eq!(flags & CKF_HW, 0, "{} is software", row.name);
            assert!(!row.vectors.is_empty(), "{} has no vectors", row.name);
            assert!(row.size_min <= row.size_max, "{}", row.name);
            assert_eq!(row.unit == SizeUnit::None, row.size_max == 0, "{}", row.name);
            assert_eq!(row.wraps == Wraps::Nothing, row.wrap.is_none() && row.unwrap.is_none(), "{}", row.name);
        }
    }

    #[test]
    fn a_key_rule_stands_exactly_where_a_function_takes_a_key() {
        for row in all() {
            let takes_key = CKF_SIGN
                | CKF_VERIFY
                | CKF_ENCRYPT
                | CKF_DECRYPT
                | CKF_WRAP
                | CKF_UNWRAP
                | CKF_DERIVE
                | CKF_ENCAPSULATE
                | CKF_DECAPSULATE;
            assert_eq!(row.keys != KeyRule::None, row.info().flags & takes_key != 0, "{}", row.name);
        }
    }
}
