//! Why a call was refused or failed, and the return value that says so.
//!
//! A [`Reason`] names what was wrong so that a support engineer can act on it; it goes to the log.
//! This file is the only one that turns reasons into `CKR_*`.

use ffi_headers::*;
use hsm_crypto::CryptoError;
use thiserror::Error;
use token_store::StoreError;

/// The result of every fallible function of this crate.
pub type Result<T> = core::result::Result<T, Reason>;

/// Why a call was refused or failed.
#[derive(Debug, Error)]
pub enum Reason {
    // --- the call itself ---
    /// A pointer, count or length that the function cannot take.
    #[error("bad argument: {0}")]
    ArgumentsBad(&'static str),
    /// The function is in the table and not built.
    #[error("the function is not supported")]
    FunctionNotSupported,
    /// A function of old versions that ran beside the caller; none ever does.
    #[error("no function runs in parallel")]
    FunctionNotParallel,
    /// The configuration or the places it names cannot be used; the text says which and why.
    #[error("{0}")]
    Configuration(String),
    /// C_Initialize has not been called in this process, or C_Finalize has.
    #[error("the library is not initialised in this process")]
    NotInitialized,
    /// C_Initialize was called twice.
    #[error("the library is already initialised")]
    AlreadyInitialized,
    /// The locking that the application asks for cannot be had.
    #[error("the locking asked for cannot be had: {0}")]
    CantLock(&'static str),
    /// Something in the module broke (a panic, an internal rule).
    #[error("internal failure: {0}")]
    Internal(&'static str),
    /// Memory could not be had.
    #[error("out of memory")]
    HostMemory,
    /// What the caller gave is too large for the token.
    #[error("too large for the token: {0}")]
    TokenMemory(&'static str),

    // --- slots and tokens ---
    /// No such slot.
    #[error("there is no slot {0}")]
    SlotUnknown(u64),
    /// The token in the slot has not been initialised.
    #[error("the token is not initialised")]
    TokenNotInitialized,
    /// Another process initialised or emptied the token while the call ran.
    #[error("another process initialised the token anew during the call")]
    TokenChanged,
    /// A token of a backup is in the store already.
    #[error("the token {label:?} (serial {serial}) is in slot {slot} already")]
    TokenPresent {
        /// Its label.
        label: String,
        /// Its serial number.
        serial: String,
        /// Its slot.
        slot: u64,
    },
    /// The store has as many slots as it may have.
    #[error("the store has no room for another slot")]
    SlotsFull,
    /// A token cannot be initialised while a session is open.
    #[error("a session is open on the token")]
    SessionExists,

    /// The approved mode ends only with a new initialisation.
    #[error("a token leaves the approved mode only when it is initialised anew")]
    PolicyFixed,

    /// Nothing has happened in any slot.
    #[error("nothing has happened in any slot since the last question")]
    NoEvent,

    // --- sessions and roles ---
    /// No such session.
    #[error("there is no session {0}")]
    SessionUnknown(u64),
    /// A panic went through the session; it can only be closed.
    #[error("the session is out of use after an internal failure")]
    SessionFaulted,
    /// The flag CKF_SERIAL_SESSION is missing.
    #[error("CKF_SERIAL_SESSION is not set")]
    SessionNotSerial,
    /// The flag CKF_ASYNC_SESSION is set.
    #[error("asynchronous sessions need threads, which the application has not allowed")]
    SessionAsync,
    /// The function goes on without its caller; C_AsyncComplete tells its outcome.
    #[error("the function goes on by itself")]
    Pending,
    /// A function that goes on by itself cannot outlive its session.
    #[error("what goes on by itself ends with its session and cannot be taken up by another")]
    JobUnsaveable,
    /// No function that goes on by itself has this number.
    #[error("no function that goes on by itself has this number")]
    JobUnknown,
    /// Too many sessions.
    #[error("too many sessions")]
    SessionCount,
    /// The session is read-only.
    #[error("the session is read-only")]
    SessionReadOnly,
    /// The SO cannot log in while a read-only session is open.
    #[error("a read-only session is open")]
    SessionReadOnlyExists,
    /// A read-only session cannot be opened while the SO is logged in.
    #[error("the SO is logged in, so every session must be read-write")]
    SessionReadWriteSoExists,
    /// The user type is unknown, or not available.
    #[error("user type {0:#x} cannot log in")]
    UserType(u64),
    /// The role is logged in already.
    #[error("this user is already logged in")]
    AlreadyLoggedIn,
    /// Another role is logged in.
    #[error("another user is logged in")]
    AnotherLoggedIn,
    /// The call needs a login.
    #[error("nobody is logged in who may do this")]
    NotLoggedIn,
    /// The user's PIN has not been set by the SO.
    #[error("the user PIN is not initialised")]
    UserPinNotInitialized,
    /// The PIN is wrong.
    #[error("wrong PIN, {tries_left} tries left")]
    PinIncorrect {
        /// Tries left.
        tries_left: u32,
    },
    /// The role is locked.
    #[error("the PIN is locked after too many wrong tries")]
    PinLocked,
    /// The PIN has a length that no PIN can have; it costs no try.
    #[error("a PIN has {min} to {max} bytes, not {}", if bytes > max { "more".to_owned() } else { bytes.to_string() })]
    PinLength {
        /// Bytes given; how many there are beyond `max` need not be right.
        bytes: usize,
        /// Shortest.
        min: usize,
        /// Longest.
        max: usize,
    },

    // --- objects and attributes ---
    /// No such object.
    #[error("there is no object {0}")]
    ObjectUnknown(u64),
    /// No such key.
    #[error("there is no key {0}")]
    KeyUnknown(u64),
    /// The object is private and nobody is logged in; callers answer as for an unknown handle.
    #[error("the object is private")]
    Hidden,
    /// The class or key type has no such attribute.
    #[error("{} is not an attribute of this object", attribute(*.0))]
    AttributeUnknown(u64),
    /// The object does not reveal the attribute.
    #[error("{} is sensitive or not extractable", attribute(*.0))]
    AttributeSensitive(u64),
    /// The caller may not set the attribute here.
    #[error("{} cannot be set: {rule}", attribute(*.kind))]
    AttributeReadOnly {
        /// `CKA_*`.
        kind: u64,
        /// The rule.
        rule: &'static str,
    },
    /// The value of an attribute has a wrong length or is out of range.
    #[error("{}: {problem}", attribute(*.kind))]
    AttributeValue {
        /// `CKA_*`.
        kind: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// An attribute that must be given is missing.
    #[error("{} is missing", attribute(*.0))]
    TemplateIncomplete(u64),
    /// Two attributes contradict each other or the operation.
    #[error("{}: {problem}", attribute(*.kind))]
    TemplateInconsistent {
        /// `CKA_*`.
        kind: u64,
        /// What it contradicts.
        problem: &'static str,
    },
    /// MODIFIABLE, COPYABLE or DESTROYABLE is false.
    #[error("{} of the object forbids it", attribute(*.0))]
    ActionProhibited(u64),
    /// The curve is not one the token has.
    #[error("the curve is not supported")]
    CurveUnknown,
    /// The parameter set is not one the token has.
    #[error("parameter set {0:#x} is not supported for the key type")]
    ParameterSetUnknown(u64),
    /// The token has the object by itself.
    #[error("the token has this object by itself: it cannot be changed, copied or destroyed")]
    BuiltIn,
    /// A stored record does not decode.
    #[error("a stored object is damaged: {0}")]
    Damaged(&'static str),

    /// The operator wants to remove a record as damaged, and it is whole.
    #[error("the record is not damaged; an object is destroyed by its user")]
    NotDamaged,

    // --- keys and mechanisms ---
    /// No such mechanism, or not for this function.
    #[error("mechanism {0:#x} is not available for this function")]
    MechanismUnknown(u64),
    /// The token's policy keeps the mechanism, or this function of it, away.
    #[error("mechanism {kind:#x}: {why}")]
    MechanismNotPermitted {
        /// `CKM_*`.
        kind: u64,
        /// The policy.
        why: &'static str,
    },
    /// The token's policy does not let a key come in like this.
    #[error("not in approved mode: {0}")]
    KeyNotApproved(&'static str),
    /// The mechanism's parameter is malformed or out of range.
    #[error("mechanism parameter: {0}")]
    MechanismParam(&'static str),
    /// The key is of a type or class that the mechanism does not take.
    #[error("the key's type does not fit the mechanism")]
    KeyTypeInconsistent,
    /// The key's size is outside the mechanism's range.
    #[error("the key's size does not fit the mechanism")]
    KeySize,
    /// The key lacks the attribute that allows this use, or ALLOWED_MECHANISMS excludes it.
    #[error("{} does not allow it", attribute(*.need))]
    KeyLacksUsage {
        /// The attribute that would allow it.
        need: u64,
    },
    /// The key needs a context-specific login before each use.
    #[error("the key asks for a context-specific login first")]
    ContextLoginNeeded,
    /// The key has made all signatures that it can make, or its count is not to be trusted.
    #[error("the key has no signature left")]
    KeyExhausted,
    /// The attributes of a key do not make a key.
    #[error("the key material is not valid: {0}")]
    KeyMaterial(&'static str),
    /// The key is a value C_DigestKey cannot digest.
    #[error("the key cannot be digested")]
    KeyIndigestible,
    /// CKA_EXTRACTABLE is false.
    #[error("the key is not extractable")]
    KeyUnextractable,
    /// The key cannot be wrapped by this key or mechanism (WRAP_WITH_TRUSTED, WRAP_TEMPLATE, class).
    #[error("the key cannot be wrapped: {0}")]
    KeyNotWrappable(&'static str),
    /// The template contradicts what the public key's CKA_ENCAPSULATE_TEMPLATE prescribes.
    #[error("{}: the public key's CKA_ENCAPSULATE_TEMPLATE prescribes another value", attribute(*.0))]
    EncapsulateTemplate(u64),
    /// The key to wrap has a size the mechanism cannot take.
    #[error("the size of the key to wrap does not fit the mechanism")]
    WrappedKeySize,
    /// The wrapping key's handle is unknown.
    #[error("there is no wrapping key {0}")]
    WrappingKeyUnknown(u64),
    /// The wrapping key's type does not fit.
    #[error("the wrapping key's type does not fit the mechanism")]
    WrappingKeyType,
    /// The wrapping key's size does not fit.
    #[error("the wrapping key's size does not fit the mechanism")]
    WrappingKeySize,
    /// The unwrapping key's handle is unknown.
    #[error("there is no unwrapping key {0}")]
    UnwrappingKeyUnknown(u64),
    /// The unwrapping key's type does not fit.
    #[error("the unwrapping key's type does not fit the mechanism")]
    UnwrappingKeyType,
    /// The unwrapping key's size does not fit.
    #[error("the unwrapping key's size does not fit the mechanism")]
    UnwrappingKeySize,
    /// The wrapped bytes do not unwrap to a key; deliberately without detail.
    #[error("the wrapped key is not valid")]
    WrappedKeyInvalid,
    /// The wrapped bytes have a length that cannot be.
    #[error("the wrapped key has a wrong length")]
    WrappedKeyLength,

    /// A seed of a key tree has a length that none may have.
    #[error("a seed has 16 to 64 bytes")]
    TreeSeedLength,
    /// A seed of a key tree gives no key.
    #[error("the seed gives no key")]
    TreeSeed,
    /// There is no key at an index of a key tree.
    #[error("the tree has no key at this index")]
    TreeIndex,
    /// A hardened child was asked for, and the parent is a public key.
    #[error("a hardened child needs the private key of its parent")]
    TreeHardened,
    /// A path in a key tree is empty or too long.
    #[error("a path has 1 to 255 steps, and no key is deeper than that")]
    TreePathLength,
    /// One of several results that a parameter asks for cannot be made.
    #[error("result {place} that the parameter asks for: {reason}")]
    Further {
        /// Its place in the parameter, from 0 on.
        place: usize,
        /// Why.
        reason: Box<Reason>,
    },

    // --- operations ---
    /// An operation of this kind is active.
    #[error("an operation is already active")]
    OperationActive,
    /// No operation of this kind is active.
    #[error("no operation is active")]
    OperationNotInitialized,
    /// The mechanism takes its message in one part only.
    #[error("the mechanism does not work in parts")]
    SinglePartOnly,
    /// The caller's buffer is too small.
    #[error("the buffer is too small, {need} bytes are needed")]
    BufferTooSmall {
        /// Bytes needed.
        need: usize,
    },
    /// The input's length does not fit the mechanism.
    #[error("the length of the data does not fit the mechanism")]
    DataLength,
    /// The input's value does not fit the mechanism.
    #[error("the data does not fit the mechanism")]
    DataInvalid,
    /// The ciphertext's length does not fit the mechanism.
    #[error("the length of the encrypted data does not fit the mechanism")]
    EncryptedDataLength,
    /// The ciphertext does not decrypt; deliberately without detail.
    #[error("the encrypted data is not valid")]
    EncryptedDataInvalid,
    /// The tag of a message does not match: it, its associated data or its IV are not what was sealed.
    #[error("the message or its associated data is not what was sealed")]
    MessageForged,
    /// What is under way has no state that may leave the token.
    #[error("what is under way has no state that may leave the token")]
    StateUnsaveable,
    /// A saved state is not one of this token, or was changed.
    #[error("the saved state is not one of this token, or was changed")]
    SavedStateInvalid,
    /// A saved state comes with a key, and no operation in it has one.
    #[error("the saved state needs no key")]
    KeyNotNeeded,
    /// A saved state has an operation with a key, and comes without.
    #[error("the saved state needs the key that its operation was begun with")]
    KeyNeeded,
    /// A saved state comes with another key than that of its operation.
    #[error("the key is not the one that the saved operation was begun with")]
    KeyChanged,
    /// The generator of a run of messages has no IV left that it has not made before.
    #[error("no IV is left for another message with this key: begin a new run")]
    IvsUsedUp,
    /// The signature does not match.
    #[error("the signature does not match")]
    SignatureInvalid,
    /// The signature has a length that cannot be right.
    #[error("the signature has a wrong length")]
    SignatureLength,

    /// The random source takes no seed: the operating system seeds it.
    #[error("the random source is seeded by the operating system and takes no seed")]
    SeedNotSupported,

    // --- from below ---
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An engine failed where no rule of PKCS#11 says more.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl Reason {
    /// The same, said of one of several results that a parameter asks for.
    #[must_use]
    pub(crate) fn at(self, place: usize) -> Self {
        Reason::Further { place, reason: Box::new(self) }
    }

    /// Whether memory is all that was missing.
    #[must_use]
    pub(crate) fn is_shortage(&self) -> bool {
        self.rv() == CKR_HOST_MEMORY
    }

    /// The return value that tells the caller.
    #[must_use]
    pub fn rv(&self) -> CK_RV {
        match self {
            Reason::ArgumentsBad(_) => CKR_ARGUMENTS_BAD,
            Reason::FunctionNotSupported => CKR_FUNCTION_NOT_SUPPORTED,
            Reason::FunctionNotParallel => CKR_FUNCTION_NOT_PARALLEL,
            Reason::Configuration(_) => CKR_GENERAL_ERROR,
            Reason::NotInitialized => CKR_CRYPTOKI_NOT_INITIALIZED,
            Reason::AlreadyInitialized => CKR_CRYPTOKI_ALREADY_INITIALIZED,
            Reason::CantLock(_) => CKR_CANT_LOCK,
            Reason::Internal(_) => CKR_GENERAL_ERROR,
            Reason::HostMemory => CKR_HOST_MEMORY,
            Reason::TokenMemory(_) => CKR_DEVICE_MEMORY,
            Reason::SlotUnknown(_) => CKR_SLOT_ID_INVALID,
            Reason::TokenNotInitialized => CKR_TOKEN_NOT_RECOGNIZED,
            Reason::TokenChanged => CKR_DEVICE_REMOVED,
            Reason::TokenPresent { .. } => CKR_FUNCTION_REJECTED,
            Reason::SlotsFull => CKR_DEVICE_MEMORY,
            Reason::NoEvent => CKR_NO_EVENT,
            Reason::SessionExists => CKR_SESSION_EXISTS,
            Reason::SessionUnknown(_) => CKR_SESSION_HANDLE_INVALID,
            Reason::SessionFaulted => CKR_GENERAL_ERROR,
            Reason::SessionNotSerial => CKR_SESSION_PARALLEL_NOT_SUPPORTED,
            Reason::SessionAsync => CKR_SESSION_ASYNC_NOT_SUPPORTED,
            Reason::SessionCount => CKR_SESSION_COUNT,
            Reason::Pending => CKR_PENDING,
            Reason::JobUnsaveable => CKR_STATE_UNSAVEABLE,
            Reason::JobUnknown => CKR_SAVED_STATE_INVALID,
            Reason::SessionReadOnly => CKR_SESSION_READ_ONLY,
            Reason::SessionReadOnlyExists => CKR_SESSION_READ_ONLY_EXISTS,
            Reason::SessionReadWriteSoExists => CKR_SESSION_READ_WRITE_SO_EXISTS,
            Reason::UserType(_) => CKR_USER_TYPE_INVALID,
            Reason::AlreadyLoggedIn => CKR_USER_ALREADY_LOGGED_IN,
            Reason::AnotherLoggedIn => CKR_USER_ANOTHER_ALREADY_LOGGED_IN,
            Reason::NotLoggedIn | Reason::ContextLoginNeeded => CKR_USER_NOT_LOGGED_IN,
            Reason::UserPinNotInitialized => CKR_USER_PIN_NOT_INITIALIZED,
            Reason::PinIncorrect { .. } => CKR_PIN_INCORRECT,
            Reason::PinLocked => CKR_PIN_LOCKED,
            Reason::PinLength { .. } => CKR_PIN_LEN_RANGE,
            Reason::ObjectUnknown(_) | Reason::Hidden => CKR_OBJECT_HANDLE_INVALID,
            // v3.2, 5.18.8 asks for this value, as C_WrapKey does for CKA_WRAP_TEMPLATE.
            Reason::KeyUnknown(_) | Reason::EncapsulateTemplate(_) => CKR_KEY_HANDLE_INVALID,
            Reason::AttributeUnknown(_) => CKR_ATTRIBUTE_TYPE_INVALID,
            Reason::AttributeSensitive(_) => CKR_ATTRIBUTE_SENSITIVE,
            Reason::AttributeReadOnly { .. } => CKR_ATTRIBUTE_READ_ONLY,
            Reason::AttributeValue { .. } => CKR_ATTRIBUTE_VALUE_INVALID,
            Reason::TemplateIncomplete(_) => CKR_TEMPLATE_INCOMPLETE,
            Reason::TemplateInconsistent { .. } => CKR_TEMPLATE_INCONSISTENT,
            Reason::ActionProhibited(_) | Reason::NotDamaged | Reason::PolicyFixed | Reason::KeyNotApproved(_) => {
                CKR_ACTION_PROHIBITED
            }
            Reason::BuiltIn => CKR_ACTION_PROHIBITED,
            Reason::CurveUnknown => CKR_CURVE_NOT_SUPPORTED,
            Reason::ParameterSetUnknown(_) => CKR_PARAMETER_SET_NOT_SUPPORTED,
            Reason::Damaged(_) => CKR_DEVICE_ERROR,
            Reason::MechanismUnknown(_) | Reason::MechanismNotPermitted { .. } => CKR_MECHANISM_INVALID,
            Reason::MechanismParam(_) => CKR_MECHANISM_PARAM_INVALID,
            Reason::KeyTypeInconsistent => CKR_KEY_TYPE_INCONSISTENT,
            Reason::KeySize => CKR_KEY_SIZE_RANGE,
            Reason::KeyLacksUsage { .. } => CKR_KEY_FUNCTION_NOT_PERMITTED,
            Reason::KeyExhausted => CKR_KEY_EXHAUSTED,
            Reason::KeyMaterial(_) => CKR_ATTRIBUTE_VALUE_INVALID,
            Reason::KeyIndigestible => CKR_KEY_INDIGESTIBLE,
            Reason::KeyUnextractable => CKR_KEY_UNEXTRACTABLE,
            Reason::KeyNotWrappable(_) => CKR_KEY_NOT_WRAPPABLE,
            Reason::WrappedKeySize => CKR_KEY_SIZE_RANGE,
            Reason::WrappingKeyUnknown(_) => CKR_WRAPPING_KEY_HANDLE_INVALID,
            Reason::WrappingKeyType => CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
            Reason::WrappingKeySize => CKR_WRAPPING_KEY_SIZE_RANGE,
            Reason::UnwrappingKeyUnknown(_) => CKR_UNWRAPPING_KEY_HANDLE_INVALID,
            Reason::UnwrappingKeyType => CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
            Reason::UnwrappingKeySize => CKR_UNWRAPPING_KEY_SIZE_RANGE,
            Reason::WrappedKeyInvalid => CKR_WRAPPED_KEY_INVALID,
            Reason::WrappedKeyLength => CKR_WRAPPED_KEY_LEN_RANGE,
            Reason::TreeSeedLength => vendor::CKR_BIP32_MASTER_SEED_LEN_INVALID,
            Reason::TreeSeed => vendor::CKR_BIP32_MASTER_SEED_INVALID,
            Reason::TreeIndex => vendor::CKR_BIP32_CHILD_INDEX_INVALID,
            Reason::TreeHardened => vendor::CKR_BIP32_INVALID_HARDENED_DERIVATION,
            Reason::TreePathLength => vendor::CKR_BIP32_INVALID_KEY_PATH_LEN,
            Reason::Further { reason, .. } => reason.rv(),
            Reason::OperationActive => CKR_OPERATION_ACTIVE,
            Reason::OperationNotInitialized => CKR_OPERATION_NOT_INITIALIZED,
            Reason::SinglePartOnly => CKR_FUNCTION_NOT_SUPPORTED,
            Reason::BufferTooSmall { .. } => CKR_BUFFER_TOO_SMALL,
            Reason::DataLength => CKR_DATA_LEN_RANGE,
            Reason::DataInvalid => CKR_DATA_INVALID,
            Reason::EncryptedDataLength => CKR_ENCRYPTED_DATA_LEN_RANGE,
            Reason::EncryptedDataInvalid => CKR_ENCRYPTED_DATA_INVALID,
            Reason::StateUnsaveable => CKR_STATE_UNSAVEABLE,
            Reason::SavedStateInvalid => CKR_SAVED_STATE_INVALID,
            Reason::KeyNotNeeded => CKR_KEY_NOT_NEEDED,
            Reason::KeyNeeded => CKR_KEY_NEEDED,
            Reason::KeyChanged => CKR_KEY_CHANGED,
            Reason::MessageForged => CKR_AEAD_DECRYPT_FAILED,
            Reason::IvsUsedUp => CKR_FUNCTION_FAILED,
            Reason::SignatureInvalid => CKR_SIGNATURE_INVALID,
            Reason::SignatureLength => CKR_SIGNATURE_LEN_RANGE,
            Reason::SeedNotSupported => CKR_RANDOM_SEED_NOT_SUPPORTED,
            Reason::Store(error) => store_rv(error),
            Reason::Crypto(error) => crypto_rv(*error),
        }
    }
}

fn store_rv(error: &StoreError) -> CK_RV {
    match error {
        error if error.is_shortage() => CKR_HOST_MEMORY,
        StoreError::Full { .. } | StoreError::TooLarge { .. } => CKR_DEVICE_MEMORY,
        StoreError::ReadOnly { .. } => CKR_TOKEN_WRITE_PROTECTED,
        StoreError::NoRecord => CKR_OBJECT_HANDLE_INVALID,
        StoreError::RoleNotSet => CKR_USER_PIN_NOT_INITIALIZED,
        StoreError::PinWrong { .. } => CKR_PIN_INCORRECT,
        StoreError::RoleLocked => CKR_PIN_LOCKED,
        StoreError::NoPartition => CKR_TOKEN_NOT_PRESENT,
        StoreError::Busy { .. } | StoreError::Changed { .. } => CKR_FUNCTION_FAILED,
        StoreError::Crypto(error) => crypto_rv(*error),
        StoreError::Io { .. }
        | StoreError::Unsafe { .. }
        | StoreError::Engine(_)
        | StoreError::Damaged { .. }
        | StoreError::FormatVersion { .. } => CKR_DEVICE_ERROR,
    }
}

fn crypto_rv(error: CryptoError) -> CK_RV {
    match error {
        CryptoError::InputLength => CKR_DATA_LEN_RANGE,
        CryptoError::InputRange => CKR_DATA_INVALID,
        CryptoError::InvalidKey(_) => CKR_ATTRIBUTE_VALUE_INVALID,
        CryptoError::InvalidParameter(_) => CKR_MECHANISM_PARAM_INVALID,
        CryptoError::BadSignature => CKR_SIGNATURE_INVALID,
        CryptoError::SignatureLength => CKR_SIGNATURE_LEN_RANGE,
        CryptoError::DecryptionFailed => CKR_ENCRYPTED_DATA_INVALID,
        CryptoError::Unsupported(_) => CKR_MECHANISM_INVALID,
        CryptoError::OutOfMemory => CKR_HOST_MEMORY,
        CryptoError::RandomFailed => CKR_FUNCTION_FAILED,
        CryptoError::SelfTest(_) | CryptoError::EngineFailed(_) => CKR_DEVICE_ERROR,
    }
}

/// The name of an attribute for a log line.
fn attribute(kind: u64) -> String {
    names::attribute(kind).map_or_else(|| format!("attribute {kind:#x}"), str::to_owned)
}
