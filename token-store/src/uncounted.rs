//! Wrong PINs that could not be written down: the disk is full, the store is read-only, or its lock is not to be had.
//!
//! Owns: how many there were since this store was opened, for each role. Does not know: PINs, the medium.
//! Called from `login`. Without it guessing would be free wherever writing fails, since a right PIN needs none.
//! It lasts as long as the process: the store has no other place for it then.

use crate::format::Role;
use crate::store::{PartitionId, RoleId};
use arc_swap::ArcSwap;
use std::collections::BTreeMap;

/// The salt tells the PIN that was guessed at: a new PIN starts anew.
type Salt = [u8; 16];

/// The failures that are in memory only.
#[derive(Default)]
pub(crate) struct Uncounted {
    // Lock-free, so that a fork at any instant leaves the child nothing to wait for.
    failures: ArcSwap<BTreeMap<(PartitionId, RoleId), (Salt, u32)>>,
}

impl Uncounted {
    /// How many there are for the present PIN of a role.
    pub(crate) fn of(&self, partition: PartitionId, role: RoleId, content: &Role) -> u32 {
        match self.failures.load().get(&(partition, role)) {
            Some((salt, failures)) if *salt == content.salt => *failures,
            Some(_) | None => 0,
        }
    }

    /// Adds one.
    pub(crate) fn add(&self, partition: PartitionId, role: RoleId, content: &Role) {
        self.failures.rcu(|failures| {
            let mut failures = BTreeMap::clone(failures);
            let entry = failures.entry((partition, role)).or_insert((content.salt, 0));
            if entry.0 != content.salt {
                *entry = (content.salt, 0);
            }
            entry.1 = entry.1.saturating_add(1);
            failures
        });
    }

    /// Forgets those of a role: they are written down now, or the right PIN came.
    pub(crate) fn forget(&self, partition: PartitionId, role: RoleId) {
        if self.failures.load().contains_key(&(partition, role)) {
            self.failures.rcu(|failures| {
                let mut failures = BTreeMap::clone(failures);
                failures.remove(&(partition, role));
                failures
            });
        }
    }
}
