//! Writing: changes that are collected and committed together.
//!
//! Owns: what may be written where, sizes, and the change list of the commit. Does not know: how the
//! medium makes a batch whole and durable.
//! Called from `hsm-core` inside `Store::transact`, and from `login` for the counters.

use crate::error::{Result, StoreError};
use crate::format::{self, CHANGES_KEPT};
use crate::medium::{Batch, after};
use crate::origin::{Origin, OriginId};
use crate::store::{Change, PartitionId, PartitionKey, PreparedRole, RecordId, RoleId, Visibility, damaged, short};
use crate::view::{View, ordinal};
use hsm_crypto::SecretBytes;
use std::collections::BTreeSet;

/// Largest content of a record or of a partition's descriptive bytes.
pub const CONTENT_BYTES_MAX: usize = 8 << 20;
/// Most bytes in one transaction.
pub const BATCH_BYTES_MAX: usize = 64 << 20;

/// Write access. Reads see the state before the transaction, not what it has collected so far; the checks of
/// the writing functions ("is there such a partition") do see it.
pub struct Transaction<'a> {
    view: View<'a>,
    batch: &'a mut Batch,
    changes: BTreeSet<Change>,
    bytes: usize,
}

impl<'a> core::ops::Deref for Transaction<'a> {
    type Target = View<'a>;
    fn deref(&self) -> &View<'a> {
        &self.view
    }
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(view: View<'a>, batch: &'a mut Batch) -> Self {
        Self { view, batch, changes: BTreeSet::new(), bytes: 0 }
    }

    /// Adds a partition with a new random number.
    ///
    /// # Errors
    /// `Crypto(RandomFailed)`, `TooLarge`, the medium's errors.
    pub fn create_partition(&mut self, meta: &SecretBytes) -> Result<PartitionId> {
        let id = self.view.store.new_partition_id()?;
        self.add_partition(id, meta)?;
        Ok(id)
    }

    /// Adds a partition whose number was made before ([`crate::Store::new_partition_id`]), for roles prepared outside.
    ///
    /// # Errors
    /// `TooLarge`, the medium's errors.
    pub fn add_partition(&mut self, id: PartitionId, meta: &SecretBytes) -> Result<()> {
        let ordinal = self.next_ordinal()?;
        self.put_partition_value(id, ordinal, meta)
    }

    /// Replaces a partition's descriptive bytes.
    ///
    /// # Errors
    /// `NoPartition`, `TooLarge`, the medium's errors.
    pub fn put_partition(&mut self, id: PartitionId, meta: &SecretBytes) -> Result<()> {
        let value = self.value(&format::partition_key(id))?.ok_or(StoreError::NoPartition)?;
        self.put_partition_value(id, ordinal(&value), meta)
    }

    /// Deletes all records and roles of a partition, and its origin: what comes into it now is born here. The partition
    /// itself stays.
    ///
    /// # Errors
    /// `NoPartition`, the medium's errors.
    pub fn clear_partition(&mut self, id: PartitionId) -> Result<()> {
        self.require_partition(id)?;
        let roles = format::role_prefix(id);
        for key in self.keys_below(&roles)? {
            if let Some(&role) = key.get(roles.len()) {
                self.delete(key, Change::Role(id, RoleId(role)));
            }
        }
        let records = format::record_prefix(id);
        for key in self.keys_below(&records)? {
            if let Some(record) = format::id_after(records.len(), &key) {
                self.delete(key, Change::Record(id, RecordId(record)));
            }
        }
        let origin = format::origin_key(id);
        if self.value(&origin)?.is_some() {
            self.delete(origin, Change::Partition(id));
        }
        Ok(())
    }

    /// Deletes a partition with everything in it.
    ///
    /// # Errors
    /// `NoPartition`, the medium's errors.
    pub fn delete_partition(&mut self, id: PartitionId) -> Result<()> {
        self.clear_partition(id)?;
        self.delete(format::partition_key(id), Change::Partition(id));
        Ok(())
    }

    /// Stores a role's record; its failed-login counter starts at 0.
    ///
    /// # Errors
    /// `NoPartition`, `Changed` when the partition has got or lost its origin since the key was made or opened (no PIN
    /// would open the role), the medium's errors.
    pub fn put_role(&mut self, role: PreparedRole) -> Result<()> {
        self.require_partition(role.partition)?;
        if self.origin_id(role.partition)? != role.origin {
            return Err(StoreError::Changed { what: format!("partition {}", short(&role.partition.0)) });
        }
        let key = format::role_key(role.partition, role.role);
        self.put(key, role.record, Change::Role(role.partition, role.role))
    }

    /// Removes a role; one that has no PIN is left as it is.
    ///
    /// # Errors
    /// `NoPartition`, the medium's errors.
    pub fn delete_role(&mut self, partition: PartitionId, role: RoleId) -> Result<()> {
        self.require_partition(partition)?;
        let key = format::role_key(partition, role);
        if self.value(&key)?.is_some() {
            self.delete(key, Change::Role(partition, role));
        }
        Ok(())
    }

    /// Writes a record (new or in place of the one with this number). `key` is needed for private records.
    ///
    /// # Errors
    /// `NoPartition`, `TooLarge`, `Damaged` when a private record comes without a key, the medium's errors.
    pub fn put_record(
        &mut self,
        partition: PartitionId,
        id: RecordId,
        visibility: Visibility,
        key: Option<&PartitionKey>,
        content: &SecretBytes,
    ) -> Result<()> {
        self.require_partition(partition)?;
        check_size(content.len(), CONTENT_BYTES_MAX)?;
        let store = self.view.store;
        let private = match (visibility, key) {
            (Visibility::Public, _) => None,
            (Visibility::Private, Some(key)) => Some(store.keys.private(partition, key)),
            (Visibility::Private, None) => {
                return Err(damaged(&format!("record {} (private, and written without its key)", short(&id.0))));
            }
        };
        let value = store.keys.seal_record((partition, id), private.as_ref(), content, &*store.random)?;
        self.put(format::record_key(partition, id), value, Change::Record(partition, id))
    }

    /// Deletes a record.
    ///
    /// # Errors
    /// `NoRecord` when it is not there (another process deleted it), the medium's errors.
    pub fn delete_record(&mut self, partition: PartitionId, id: RecordId) -> Result<()> {
        let key = format::record_key(partition, id);
        if self.value(&key)?.is_none() {
            return Err(StoreError::NoRecord);
        }
        self.delete(key, Change::Record(partition, id));
        Ok(())
    }

    /// Writes a role's record with changed counters.
    pub(crate) fn put_role_content(
        &mut self,
        partition: PartitionId,
        role: RoleId,
        content: &format::Role,
    ) -> Result<()> {
        let store = self.view.store;
        let value = store.keys.seal_role(partition, role, content, &*store.random)?;
        self.put(format::role_key(partition, role), value, Change::Role(partition, role))
    }

    /// Says where a partition was born.
    pub(crate) fn put_origin(&mut self, id: PartitionId, origin: &Origin) -> Result<()> {
        let store = self.view.store;
        let value = store.keys.seal_origin(id, origin, &*store.random)?;
        self.put(format::origin_key(id), value, Change::Partition(id))
    }

    /// Keeps programs away that know no origins.
    pub(crate) fn raise_version(&mut self) -> Result<()> {
        let header = self.value(format::HEADER_KEY)?.unwrap_or_default();
        if format::version_of(&header) == Some(format::STORE_WITH_ORIGINS) {
            return Ok(());
        }
        let store = self.view.store;
        let header = store.keys.seal_header(format::STORE_WITH_ORIGINS, &*store.random)?;
        self.put_unseen(format::HEADER_KEY.to_vec(), header)
    }

    /// The value of a public record.
    pub(crate) fn seal_public(&self, partition: PartitionId, id: RecordId, content: &SecretBytes) -> Result<Vec<u8>> {
        let store = self.view.store;
        store.keys.seal_record((partition, id), None, content, &*store.random)
    }

    /// Adds the change list to a batch that changes anything.
    pub(crate) fn finish(self) -> Result<()> {
        if self.batch.changes.is_empty() {
            return Ok(());
        }
        let store = self.view.store;
        let at = after(self.view.generation())?;
        let list = store.keys.seal_changes(at, &self.changes, &*store.random)?;
        self.batch.changes.insert(format::changes_key(at), Some(list));
        if let Some(old) = at.checked_sub(CHANGES_KEPT).filter(|&old| old > 0) {
            self.batch.changes.insert(format::changes_key(old), None);
        }
        Ok(())
    }

    pub(crate) fn put_partition_value(&mut self, id: PartitionId, ordinal: u64, meta: &SecretBytes) -> Result<()> {
        check_size(meta.len(), CONTENT_BYTES_MAX)?;
        let store = self.view.store;
        let value = store.keys.seal_partition(id, ordinal, meta, &*store.random)?;
        self.put(format::partition_key(id), value, Change::Partition(id))
    }

    fn put(&mut self, key: Vec<u8>, value: Vec<u8>, change: Change) -> Result<()> {
        self.put_unseen(key, value)?;
        self.changes.insert(change);
        Ok(())
    }

    fn delete(&mut self, key: Vec<u8>, change: Change) {
        self.delete_unseen(key);
        self.changes.insert(change);
    }

    /// Writes a value that nobody needs to hear of: its partition becomes visible in another way.
    pub(crate) fn put_unseen(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<()> {
        check_size(self.bytes + key.len() + value.len(), BATCH_BYTES_MAX)?;
        self.bytes += key.len() + value.len();
        self.batch.changes.insert(key, Some(value));
        Ok(())
    }

    /// Deletes a value that nobody knows of.
    pub(crate) fn delete_unseen(&mut self, key: Vec<u8>) {
        self.batch.changes.insert(key, None);
    }

    /// The value of a key as it will be after the commit.
    pub(crate) fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.batch.changes.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.view.reader.get(key),
        }
    }

    /// The keys that begin with `prefix` and would be there after the commit.
    pub(crate) fn keys_below(&self, prefix: &[u8]) -> Result<BTreeSet<Vec<u8>>> {
        let mut keys = BTreeSet::new();
        self.view.reader.scan(prefix, &mut |key, _| {
            keys.insert(key.to_vec());
            Ok(())
        })?;
        let pending = self.batch.changes.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix));
        for (key, value) in pending {
            if value.is_some() {
                keys.insert(key.clone())
            } else {
                keys.remove(key)
            };
        }
        Ok(keys)
    }

    /// Where a partition will have been born after the commit.
    fn origin_id(&self, id: PartitionId) -> Result<Option<OriginId>> {
        let Some(value) = self.value(&format::origin_key(id))? else { return Ok(None) };
        let origin = self.view.store.keys.open_origin(id, &value);
        origin
            .map(|origin| Some(origin.id()))
            .ok_or_else(|| damaged(&format!("the origin of partition {}", short(&id.0))))
    }

    fn require_partition(&self, id: PartitionId) -> Result<()> {
        self.value(&format::partition_key(id))?.map(drop).ok_or(StoreError::NoPartition)
    }

    /// One more than the ordinal of every partition there is or will be.
    pub(crate) fn next_ordinal(&self) -> Result<u64> {
        let mut last = 0;
        let mut look = |value: &[u8]| match ordinal(value) {
            u64::MAX => {}
            found => last = last.max(found),
        };
        self.view.reader.scan(format::PARTITION_PREFIX, &mut |_, value| {
            look(value);
            Ok(())
        })?;
        let pending = self.batch.changes.iter().filter(|(key, _)| key.starts_with(format::PARTITION_PREFIX));
        pending.filter_map(|(_, value)| value.as_deref()).for_each(&mut look);
        Ok(last.saturating_add(1))
    }
}

fn check_size(bytes: usize, bytes_max: usize) -> Result<()> {
    if bytes > bytes_max { Err(StoreError::TooLarge { bytes, bytes_max }) } else { Ok(()) }
}
