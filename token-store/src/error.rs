//! What can go wrong in the store; each text names the place and what a person can do about it.

use hsm_crypto::CryptoError;
use std::path::PathBuf;
use thiserror::Error;

/// The result of every fallible function of this crate.
pub type Result<T> = core::result::Result<T, StoreError>;

/// Why the store refused or failed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// An operation on a file or folder failed.
    #[error("{action} {path}: {source}")]
    Io {
        /// What was being done, as a verb phrase ("open", "fsync").
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The medium is full.
    #[error("no space left while writing {path}")]
    Full {
        /// The file or folder.
        path: PathBuf,
    },
    /// The medium cannot be written, or not by this user.
    #[error("{path} is read-only: its medium or its mode is, or it belongs to another user, who alone may write in it")]
    ReadOnly {
        /// The file or folder.
        path: PathBuf,
    },
    /// Owner, mode or kind of a file or folder is not safe.
    #[error("{path}: {problem}")]
    Unsafe {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// Another process held the store for longer than the waiting limit.
    #[error("the store stayed busy for {waited_ms} ms; another process holds {path}")]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// How long this process waited.
        waited_ms: u64,
    },
    /// The engine under the medium answered with an error.
    #[error("storage engine: {0}")]
    Engine(String),
    /// A record, role or header does not open: damaged, swapped, or sealed with another device key.
    #[error("{what} is damaged or belongs to another store")]
    Damaged {
        /// Which one.
        what: String,
    },
    /// The store was written by a newer version.
    #[error("format version {found} is newer than {known}, the newest this version reads")]
    FormatVersion {
        /// Version found.
        found: u16,
        /// Newest version known.
        known: u16,
    },
    /// Another process changed the same thing while this one prepared its change; nothing was written.
    #[error("another process changed {what} meanwhile")]
    Changed {
        /// Which thing.
        what: String,
    },
    /// No such partition.
    #[error("there is no such partition")]
    NoPartition,
    /// No such record.
    #[error("there is no such record")]
    NoRecord,
    /// The role has no PIN yet.
    #[error("the role has no PIN yet")]
    RoleNotSet,
    /// The PIN is wrong; the failed try has been counted.
    #[error("wrong PIN, {tries_left} tries left")]
    PinWrong {
        /// Tries left before the role locks.
        tries_left: u32,
    },
    /// The role is locked after too many wrong PINs; the PIN was not looked at.
    #[error("the role is locked after too many wrong PINs")]
    RoleLocked,
    /// The content of a record, or a batch, is larger than the store takes.
    #[error("too large for the store: {bytes} bytes, {bytes_max} allowed")]
    TooLarge {
        /// Size asked for.
        bytes: usize,
        /// Largest size.
        bytes_max: usize,
    },
    /// A cryptographic operation failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl StoreError {
    /// Whether memory is all that was missing: that says nothing about what was looked at.
    #[must_use]
    pub fn is_shortage(&self) -> bool {
        match self {
            StoreError::Crypto(CryptoError::OutOfMemory) => true,
            StoreError::Io { source, .. } => source.kind() == std::io::ErrorKind::OutOfMemory,
            _ => false,
        }
    }
}
