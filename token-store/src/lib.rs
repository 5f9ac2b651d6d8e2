//! Sealed records of several partitions on a medium.
//!
//! Owns: what is on the disk (docs/format.md), sealing, roles and their failed-login counters, the
//! change list, the media. Does not know: PKCS#11, sessions, what a record means.
//! Called from `hsm-core` only; `hsm-platform` opens the medium.

#![forbid(unsafe_code)]

pub mod backup;
pub mod device_key;
pub mod error;
pub mod examine;
mod format;
#[doc(hidden)]
pub mod fuzzing;
mod keys;
mod login;
pub mod medium;
mod origin;
mod outside;
pub mod restore;
pub mod store;
pub mod transaction;
mod uncounted;
pub mod view;

pub use backup::{BackedUp, Backup, BackupError};
pub use device_key::DeviceKey;
pub use error::{Result, StoreError};
pub use examine::{Damage, Examination, Flaw, Place};
pub use medium::Medium;
pub use restore::Placement;
pub use store::{
    Change, Changes, Entry, PartitionEntry, PartitionId, PartitionKey, PreparedRole, RecordContent, RecordId, RoleId,
    RoleState, Store, Visibility,
};
pub use transaction::Transaction;
pub use view::View;
