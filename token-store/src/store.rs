//! Partitions, roles and records, sealed on a medium.

use crate::device_key::DeviceKey;
use crate::error::{Result, StoreError};
use crate::medium::Medium;
use hsm_crypto::aead::SealKey;
use hsm_crypto::kdf::Argon2Cost;
use hsm_crypto::{Random, SecretBytes};
use std::sync::Arc;

/// The number of a partition, random, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionId(pub [u8; 16]);

/// The number of a record, random, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(pub [u8; 16]);

/// The number of a role within a partition; its meaning is the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleId(pub u8);

/// Who can open a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Sealed with the device key: readable without a login.
    Public,
    /// Sealed with the partition key: readable after a login only.
    Private,
}

/// A partition key, out of its wrap after a login; wiped on drop.
#[derive(Clone)]
pub struct PartitionKey(#[allow(dead_code, reason = "contract skeleton")] Arc<SealKey>);

/// A partition and its descriptive bytes, which are the caller's.
#[derive(Debug, Clone)]
pub struct PartitionEntry {
    /// Its number.
    pub id: PartitionId,
    /// What the caller stored about it (label, serial, ...); empty when damaged.
    pub meta: SecretBytes,
    /// Whether the record opened.
    pub damaged: bool,
}

/// A record as the store gives it out.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number.
    pub id: RecordId,
    /// Who can open it.
    pub visibility: Visibility,
    /// Its content as far as it could be opened.
    pub content: RecordContent,
}

/// The content of a record as far as it could be opened.
#[derive(Debug, Clone)]
pub enum RecordContent {
    /// Opened.
    Open(SecretBytes),
    /// Private, and no partition key was given.
    Closed,
    /// Does not open with the right key: damaged or swapped.
    Damaged,
}

/// The state of a role that anybody may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleState {
    /// Failed logins since the last good one.
    pub failed: u32,
    /// Failed logins that lock the role.
    pub failed_max: u32,
}

impl RoleState {
    /// Whether the role is locked.
    #[must_use]
    pub const fn locked(self) -> bool {
        self.failed >= self.failed_max
    }
}

/// A role's record made ready outside a transaction, because deriving from a PIN is slow.
pub struct PreparedRole {
    #[allow(dead_code, reason = "contract skeleton")]
    record: Vec<u8>,
}

/// What changed since a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// These, each named once.
    Only(Vec<Change>),
    /// More than the change list remembers: read everything anew.
    Everything,
}

/// One thing that changed (was written, or is gone).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Change {
    /// A partition's descriptive bytes, or the partition itself.
    Partition(PartitionId),
    /// A role of a partition.
    Role(PartitionId, RoleId),
    /// A record of a partition.
    Record(PartitionId, RecordId),
}

/// A store on a medium.
pub struct Store {
    #[allow(dead_code, reason = "contract skeleton")]
    medium: Box<dyn Medium>,
}

impl Store {
    /// Opens the store, and makes its header on an empty medium.
    ///
    /// # Errors
    /// `Damaged` when the header belongs to another device key, `FormatVersion`, and the medium's errors.
    pub fn open(
        _medium: Box<dyn Medium>,
        _device_key: &DeviceKey,
        _random: Arc<dyn Random>,
        _cost: Argon2Cost,
    ) -> Result<Self> {
        todo!("contract skeleton")
    }

    /// The number of the last change anywhere in the store.
    ///
    /// # Errors
    /// The medium's errors.
    pub fn generation(&self) -> Result<u64> {
        todo!("contract skeleton")
    }

    /// Runs `work` on a consistent state.
    ///
    /// # Errors
    /// The medium's errors, or what `work` answers.
    pub fn view<T>(&self, _work: impl FnMut(&View<'_>) -> Result<T>) -> Result<T> {
        todo!("contract skeleton")
    }

    /// Runs `work` while no other process writes and commits what it did as one batch; returns also the generation.
    ///
    /// # Errors
    /// The medium's errors, or what `work` answers; nothing has then changed.
    pub fn transact<T>(&self, _work: impl FnMut(&mut Transaction<'_>) -> Result<T>) -> Result<(T, u64)> {
        todo!("contract skeleton")
    }

    /// Opens the partition key with a role's PIN. Writes nothing, unless a failed-login counter changes.
    ///
    /// # Errors
    /// `RoleNotSet`, `RoleLocked`, `PinWrong` (already counted), `NoPartition`, the medium's errors.
    pub fn login(&self, _partition: PartitionId, _role: RoleId, _pin: &SecretBytes) -> Result<PartitionKey> {
        todo!("contract skeleton")
    }

    /// Makes a role's record with a fresh salt: the PIN wraps `key`. Takes as long as one login.
    ///
    /// # Errors
    /// `Crypto`.
    pub fn prepare_role(
        &self,
        _partition: PartitionId,
        _role: RoleId,
        _pin: &SecretBytes,
        _key: &PartitionKey,
        _failed_max: u32,
    ) -> Result<PreparedRole> {
        todo!("contract skeleton")
    }

    /// Makes a new partition key, for a token about to be initialised.
    ///
    /// # Errors
    /// `Crypto(RandomFailed)`.
    pub fn new_partition_key(&self) -> Result<PartitionKey> {
        todo!("contract skeleton")
    }

    /// Makes a number for a new record.
    ///
    /// # Errors
    /// `Crypto(RandomFailed)`.
    pub fn new_record_id(&self) -> Result<RecordId> {
        todo!("contract skeleton")
    }
}

/// Read access to a consistent state.
pub struct View<'a> {
    #[allow(dead_code, reason = "contract skeleton")]
    reader: &'a dyn crate::medium::Reader,
}

impl View<'_> {
    /// The generation of the state.
    #[must_use]
    pub fn generation(&self) -> u64 {
        todo!("contract skeleton")
    }
    /// What changed after `generation`.
    ///
    /// # Errors
    /// The medium's errors.
    pub fn changes_since(&self, _generation: u64) -> Result<Changes> {
        todo!("contract skeleton")
    }
    /// All partitions, oldest first.
    ///
    /// # Errors
    /// The medium's errors.
    pub fn partitions(&self) -> Result<Vec<PartitionEntry>> {
        todo!("contract skeleton")
    }
    /// One partition.
    ///
    /// # Errors
    /// `NoPartition`, the medium's errors.
    pub fn partition(&self, _id: PartitionId) -> Result<PartitionEntry> {
        todo!("contract skeleton")
    }
    /// The state of a role; `None` when it has no PIN yet.
    ///
    /// # Errors
    /// `Damaged`, the medium's errors.
    pub fn role(&self, _partition: PartitionId, _role: RoleId) -> Result<Option<RoleState>> {
        todo!("contract skeleton")
    }
    /// All records of a partition; private ones are opened when `key` is given.
    ///
    /// # Errors
    /// The medium's errors; a damaged record is an entry, not an error.
    pub fn records(&self, _partition: PartitionId, _key: Option<&PartitionKey>) -> Result<Vec<Entry>> {
        todo!("contract skeleton")
    }
    /// One record; `None` when it is not (or no longer) there.
    ///
    /// # Errors
    /// The medium's errors; a damaged record is an entry, not an error.
    pub fn record(&self, _partition: PartitionId, _id: RecordId, _key: Option<&PartitionKey>) -> Result<Option<Entry>> {
        todo!("contract skeleton")
    }
}

/// Write access: reads see the state before, writes are collected and applied together.
pub struct Transaction<'a> {
    #[allow(dead_code, reason = "contract skeleton")]
    view: View<'a>,
}

impl<'a> core::ops::Deref for Transaction<'a> {
    type Target = View<'a>;
    fn deref(&self) -> &View<'a> {
        &self.view
    }
}

impl Transaction<'_> {
    /// Adds a partition with a new random number.
    ///
    /// # Errors
    /// `Crypto(RandomFailed)`, `TooLarge`.
    pub fn create_partition(&mut self, _meta: &SecretBytes) -> Result<PartitionId> {
        todo!("contract skeleton")
    }
    /// Replaces a partition's descriptive bytes.
    ///
    /// # Errors
    /// `NoPartition`, `TooLarge`.
    pub fn put_partition(&mut self, _id: PartitionId, _meta: &SecretBytes) -> Result<()> {
        todo!("contract skeleton")
    }
    /// Deletes all records and roles of a partition; the partition itself stays.
    ///
    /// # Errors
    /// `NoPartition`, the medium's errors.
    pub fn clear_partition(&mut self, _id: PartitionId) -> Result<()> {
        todo!("contract skeleton")
    }
    /// Deletes a partition with everything in it.
    ///
    /// # Errors
    /// `NoPartition`, the medium's errors.
    pub fn delete_partition(&mut self, _id: PartitionId) -> Result<()> {
        todo!("contract skeleton")
    }
    /// Stores a role's record; its failed-login counter starts at 0.
    ///
    /// # Errors
    /// `NoPartition`.
    pub fn put_role(&mut self, _role: PreparedRole) -> Result<()> {
        todo!("contract skeleton")
    }
    /// Removes a role.
    ///
    /// # Errors
    /// `NoPartition`.
    pub fn delete_role(&mut self, _partition: PartitionId, _role: RoleId) -> Result<()> {
        todo!("contract skeleton")
    }
    /// Writes a record (new or in place of the one with this number). `key` is needed for private records.
    ///
    /// # Errors
    /// `NoPartition`, `TooLarge`, `Damaged` when a private record comes without a key.
    pub fn put_record(
        &mut self,
        _partition: PartitionId,
        _id: RecordId,
        _visibility: Visibility,
        _key: Option<&PartitionKey>,
        _content: &SecretBytes,
    ) -> Result<()> {
        todo!("contract skeleton")
    }
    /// Deletes a record.
    ///
    /// # Errors
    /// `NoRecord` when it is not there (another process deleted it).
    pub fn delete_record(&mut self, _partition: PartitionId, _id: RecordId) -> Result<()> {
        todo!("contract skeleton")
    }
}

/// Names the error for a value that is not what the format promises.
#[allow(dead_code, reason = "contract skeleton")]
fn damaged(what: &str) -> StoreError {
    StoreError::Damaged { what: what.to_owned() }
}
