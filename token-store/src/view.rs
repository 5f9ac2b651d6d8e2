//! Reading: one consistent state of the store.
//!
//! Owns: opening partitions, roles and records, and collecting the change list. Does not know: how the
//! medium keeps the state still. A damaged value is reported where it stands and hides nothing else.
//! Called from `hsm-core` inside `Store::view` and `Store::transact`.

use crate::error::{Result, StoreError};
use crate::format::{self, CHANGES_KEPT, Kind, Seal, Sealed};
use crate::medium::Reader;
use crate::origin::Origin;
use crate::store::{
    Changes, Entry, PartitionEntry, PartitionId, PartitionKey, RecordId, RoleId, RoleState, Store, damaged, short,
};
use hsm_crypto::memory;
use std::collections::BTreeSet;

/// Read access to a consistent state.
pub struct View<'a> {
    pub(crate) store: &'a Store,
    pub(crate) reader: &'a dyn Reader,
}

impl View<'_> {
    /// The generation of the state.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.reader.generation()
    }

    /// What changed after `generation`. A generation from the future (the store was put back from a copy) means
    /// everything.
    ///
    /// # Errors
    /// The medium's errors.
    pub fn changes_since(&self, generation: u64) -> Result<Changes> {
        let now = self.generation();
        let mut changes = BTreeSet::new();
        if generation > now || now - generation > CHANGES_KEPT {
            return Ok(Changes::Everything);
        }
        for at in (generation..now).map(|before| before + 1) {
            let list = self.reader.get(&format::changes_key(at))?;
            if self.store.keys.open_changes(at, list.as_deref(), &mut changes).is_none() {
                return Ok(Changes::Everything);
            }
        }
        Ok(format::listed(changes))
    }

    /// All partitions, oldest first.
    ///
    /// # Errors
    /// The medium's errors.
    pub fn partitions(&self) -> Result<Vec<PartitionEntry>> {
        let mut found = Vec::new();
        self.reader.scan(format::PARTITION_PREFIX, &mut |key, value| {
            if let Some(id) = format::id_after(format::PARTITION_PREFIX.len(), key) {
                found.push((ordinal(value), self.partition_entry(PartitionId(id), value)));
            }
            Ok(())
        })?;
        found.sort_by_key(|(ordinal, entry)| (*ordinal, entry.id));
        Ok(found.into_iter().map(|(_, entry)| entry).collect())
    }

    /// One partition.
    ///
    /// # Errors
    /// `NoPartition`, the medium's errors.
    pub fn partition(&self, id: PartitionId) -> Result<PartitionEntry> {
        let value = self.reader.get(&format::partition_key(id))?.ok_or(StoreError::NoPartition)?;
        Ok(self.partition_entry(id, &value))
    }

    /// The state of a role; `None` when it has no PIN yet.
    ///
    /// # Errors
    /// `Damaged`, the medium's errors.
    pub fn role(&self, partition: PartitionId, role: RoleId) -> Result<Option<RoleState>> {
        let content = self.role_content(partition, role)?;
        Ok(content.map(|content| RoleState { failed: content.failed, failed_max: content.failed_max }))
    }

    /// All records of a partition; private ones are opened when `key` is given.
    ///
    /// # Errors
    /// The medium's errors; a damaged record is an entry, not an error.
    pub fn records(&self, partition: PartitionId, key: Option<&PartitionKey>) -> Result<Vec<Entry>> {
        self.scan_records(partition, key, |_| true)
    }

    /// The private records of a partition.
    ///
    /// # Errors
    /// As `records`.
    pub fn private_records(&self, partition: PartitionId, key: &PartitionKey) -> Result<Vec<Entry>> {
        self.scan_records(partition, Some(key), |value| {
            Sealed::parse(Kind::Record, value).is_some_and(|sealed| sealed.seal == Seal::Partition)
        })
    }

    fn scan_records(
        &self,
        partition: PartitionId,
        key: Option<&PartitionKey>,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<Entry>> {
        let prefix = format::record_prefix(partition);
        let private = key.map(|key| self.store.keys.private(partition, key));
        let mut found = Vec::new();
        self.reader.scan(&prefix, &mut |map_key, value| {
            if let Some(id) = format::id_after(prefix.len(), map_key).filter(|_| wanted(value)) {
                // There may be a hundred thousand of them.
                memory::enough()?;
                let (visibility, content) =
                    self.store.keys.open_record((partition, RecordId(id)), private.as_ref(), value)?;
                memory::push(&mut found, Entry { id: RecordId(id), visibility, content })?;
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// One record; `None` when it is not (or no longer) there.
    ///
    /// # Errors
    /// The medium's errors; a damaged record is an entry, not an error.
    pub fn record(&self, partition: PartitionId, id: RecordId, key: Option<&PartitionKey>) -> Result<Option<Entry>> {
        let Some(value) = self.reader.get(&format::record_key(partition, id))? else { return Ok(None) };
        let private = key.map(|key| self.store.keys.private(partition, key));
        let (visibility, content) = self.store.keys.open_record((partition, id), private.as_ref(), &value)?;
        Ok(Some(Entry { id, visibility, content }))
    }

    /// The content of a role's record; `None` when it has no PIN yet.
    pub(crate) fn role_content(&self, partition: PartitionId, role: RoleId) -> Result<Option<format::Role>> {
        let Some(value) = self.reader.get(&format::role_key(partition, role))? else { return Ok(None) };
        let content = self.store.keys.open_role(partition, role, &value);
        let what = || damaged(&format!("role {} of partition {}", role.0, short(&partition.0)));
        content.map(Some).ok_or_else(what)
    }

    /// Where a partition was born; `None` when that was here.
    pub(crate) fn origin(&self, partition: PartitionId) -> Result<Option<Origin>> {
        let Some(value) = self.reader.get(&format::origin_key(partition))? else { return Ok(None) };
        let origin = self.store.keys.open_origin(partition, &value);
        origin.map(Some).ok_or_else(|| damaged(&format!("the origin of partition {}", short(&partition.0))))
    }

    fn partition_entry(&self, id: PartitionId, value: &[u8]) -> PartitionEntry {
        let meta = self.store.keys.open_partition(id, value);
        PartitionEntry { id, damaged: meta.is_none(), meta: meta.unwrap_or_default() }
    }
}

/// The ordinal of a partition's record, also of a damaged one; one too short to have any comes last.
pub(crate) fn ordinal(value: &[u8]) -> u64 {
    let bytes = value.get(format::HEAD_BYTES..).and_then(<[u8]>::first_chunk);
    bytes.map_or(u64::MAX, |bytes| u64::from_be_bytes(*bytes))
}
