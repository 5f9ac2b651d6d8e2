//! Putting partitions of a backup into a store: all of them at once, or nothing.
//!
//! Owns: the order of batches (docs/format.md, "Restore under way"), the numbers of restored partitions, and that no restore
//! takes back a counted wrong PIN of a partition that it replaces. Does not know: the backup's encryption, which
//! partition may stand beside which: `place` decides that. Called from `hsm-core`.

use crate::backup::{BackedUp, Record};
use crate::error::{Result, StoreError};
use crate::format::{self, ID_BYTES, Role};
use crate::store::{PartitionId, RoleId, Store, Visibility};
use crate::transaction::Transaction;
use crate::view::View;
use hsm_crypto::SecretBytes;

/// Up to this size a restore is one batch.
pub const RESTORE_AT_ONCE_BYTES_MAX: usize = 32 << 20;
/// Size of the batches in which a larger one goes; a record fits in any case.
const STAGE_BYTES: usize = 16 << 20;

/// Where a partition of a backup goes.
pub struct Placement {
    /// Its descriptive bytes in this store.
    pub meta: SecretBytes,
    /// The partition in whose place it comes; that one is deleted.
    pub replaces: Option<PartitionId>,
}

/// The answer of `place`: the store's errors outside, the caller's inside.
pub type Placed<E> = Result<core::result::Result<Vec<Placement>, E>>;

impl Store {
    /// Puts partitions of a backup into the store and answers their numbers, in the same order.
    ///
    /// `place` says for each where it goes. It is asked twice: before anything is written, and again in the batch that makes
    /// everything visible, because another process may have written in between. Failed logins come along; where the
    /// replaced partition has the same PIN with more of them, those count.
    ///
    /// # Errors
    /// What `place` answers (inside), `Changed` when another restore ran meanwhile, `TooLarge`, the medium's; nothing is visible then.
    pub fn restore<E>(
        &self,
        partitions: &[&BackedUp],
        mut place: impl FnMut(&View<'_>) -> Placed<E>,
    ) -> Result<core::result::Result<Vec<PartitionId>, E>> {
        if let Err(refused) = self.view(&mut place)? {
            return Ok(Err(refused));
        }
        let ids: Vec<PartitionId> = partitions.iter().map(|_| self.new_id().map(PartitionId)).collect::<Result<_>>()?;
        let bytes = partitions.iter().flat_map(|partition| &partition.records).map(record_bytes).sum::<usize>();
        let staged = bytes > RESTORE_AT_ONCE_BYTES_MAX;
        let done = match staged {
            true => self.stage(&ids, partitions).and_then(|()| self.commit(&ids, partitions, &mut place, staged)),
            false => self.commit(&ids, partitions, &mut place, staged),
        };
        if staged && !matches!(done, Ok(Ok(()))) {
            // The first error is the one to tell, and the next restore makes up for what is not done here.
            let _ = self.transact(|tx| ids.iter().try_for_each(|&id| tx.remove_staged(id)));
        }
        Ok(done?.map(|()| ids))
    }

    /// Writes the records of all partitions under numbers that nobody knows.
    fn stage(&self, ids: &[PartitionId], partitions: &[&BackedUp]) -> Result<()> {
        self.transact(|tx| {
            tx.sweep()?;
            ids.iter().try_for_each(|&id| tx.put_unseen(format::staging_key(id), format::STAGING_MARK.to_vec()))
        })?;
        for (&id, partition) in ids.iter().zip(partitions) {
            let mut rest = partition.records.as_slice();
            while !rest.is_empty() {
                let mut bytes = 0;
                let fits = rest.iter().take_while(|record| {
                    bytes += record_bytes(record);
                    bytes <= STAGE_BYTES
                });
                let (now, later) = rest.split_at(fits.count().max(1));
                self.transact(|tx| {
                    tx.require_staging(id)?;
                    now.iter().try_for_each(|record| tx.put_restored(id, record))
                })?;
                rest = later;
            }
        }
        Ok(())
    }

    /// Makes all partitions visible in one batch.
    fn commit<E>(
        &self,
        ids: &[PartitionId],
        partitions: &[&BackedUp],
        place: &mut impl FnMut(&View<'_>) -> Placed<E>,
        staged: bool,
    ) -> Result<core::result::Result<(), E>> {
        let (done, _) = self.transact(|tx| {
            let placements = match place(tx)? {
                Ok(placements) => placements,
                Err(refused) => return Ok(Err(refused)),
            };
            if !staged {
                tx.sweep()?;
            }
            for ((&id, partition), placement) in ids.iter().zip(partitions).zip(&placements) {
                tx.restore(id, partition, placement, staged)?;
            }
            tx.raise_version()?;
            Ok(Ok(()))
        })?;
        Ok(done)
    }
}

impl Transaction<'_> {
    /// Writes one partition of a backup, and deletes what it replaces.
    fn restore(&mut self, id: PartitionId, from: &BackedUp, placement: &Placement, staged: bool) -> Result<()> {
        let ordinal = self.next_ordinal()?;
        let failed = match placement.replaces {
            Some(old) => self.failures_of(old, from)?,
            None => Vec::new(),
        };
        if let Some(old) = placement.replaces {
            self.delete_partition(old)?;
        }
        if staged {
            self.require_staging(id)?;
            self.delete_unseen(format::staging_key(id));
        } else {
            from.records.iter().try_for_each(|record| self.put_restored(id, record))?;
        }
        self.put_partition_value(id, ordinal, &placement.meta)?;
        self.put_origin(id, &from.origin)?;
        for (role, content) in &from.roles {
            let counted = failed.iter().find(|(failed, _)| failed == role).map_or(0, |(_, count)| *count);
            let content = Role { failed: content.failed.max(counted), ..content.clone() };
            self.put_role_content(id, *role, &content)?;
        }
        Ok(())
    }

    /// The failed logins of roles that have the same PIN in the backup.
    fn failures_of(&self, old: PartitionId, from: &BackedUp) -> Result<Vec<(RoleId, u32)>> {
        let mut failures = Vec::new();
        for (role, content) in &from.roles {
            match self.role_content(old, *role) {
                Ok(Some(now)) if now.same_pin_as(content) => failures.push((*role, now.failed)),
                // A damaged role locks nobody who can restore: what is in the backup holds.
                Ok(_) | Err(StoreError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(failures)
    }

    fn put_restored(&mut self, id: PartitionId, record: &Record) -> Result<()> {
        let value = match record.visibility {
            Visibility::Public => self.seal_public(id, record.id, &record.bytes)?,
            Visibility::Private => record.bytes.expose().to_vec(),
        };
        self.put_unseen(format::record_key(id, record.id), value)
    }

    fn require_staging(&self, id: PartitionId) -> Result<()> {
        let mark = self.value(&format::staging_key(id))?;
        mark.map(drop).ok_or_else(|| StoreError::Changed { what: "the store with a restore of its own".to_owned() })
    }

    /// Deletes what restores left behind that did not come to their end.
    fn sweep(&mut self) -> Result<()> {
        for key in self.keys_below(format::STAGING_PREFIX)? {
            match format::id_after(format::STAGING_PREFIX.len(), &key) {
                Some(id) => self.remove_staged(PartitionId(id))?,
                None => self.delete_unseen(key),
            }
        }
        Ok(())
    }

    fn remove_staged(&mut self, id: PartitionId) -> Result<()> {
        let mark = format::staging_key(id);
        if self.value(&mark)?.is_none() {
            return Ok(());
        }
        self.delete_unseen(mark);
        // A mark beside a partition that is there for all to see is none of ours, whoever made it.
        if self.value(&format::partition_key(id))?.is_none() {
            for key in self.keys_below(&format::record_prefix(id))? {
                self.delete_unseen(key);
            }
        }
        Ok(())
    }
}

/// The size of a record in a batch, about.
fn record_bytes(record: &Record) -> usize {
    // The key, and what sealing adds to a public record.
    record.bytes.len() + 3 * ID_BYTES + 32
}
