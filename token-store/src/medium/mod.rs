//! The medium: a map from byte strings to byte strings that several processes may share.
//!
//! Owns: files, locks, durability, the generation number. Does not know: what keys and values mean.
//! The store above never learns which medium it stands on. This folder is the only place in the
//! workspace's libraries where the store's files are touched.

mod copy;
mod engine;
mod fold;
pub(crate) mod folder;
mod generation;
mod ground;
pub(crate) mod journal;
mod known;
mod lock;
mod memory;
mod readers;
mod shared;
pub mod simulated;
mod sled;
pub(crate) mod surface;

pub use self::memory::Memory;
pub use self::sled::{SledMedium, WAIT_MAX};

use crate::error::{Result, StoreError};
use std::collections::BTreeMap;

/// A shared, durable, ordered map with transactions and a generation number.
pub trait Medium: Send + Sync {
    /// The number of the last committed transaction, 0 for an empty medium; costs no more than one `pread`.
    ///
    /// # Errors
    /// `Io`.
    fn generation(&self) -> Result<u64>;

    /// Runs `work` on a consistent state; may run it again from the beginning, and then the last answer counts.
    ///
    /// # Errors
    /// `Busy`, `Io`, `Engine`, or what `work` answers.
    fn view(&self, work: &mut dyn FnMut(&dyn Reader) -> Result<()>) -> Result<()>;

    /// Runs `work` while no other process writes, then applies its batch whole and durably, or not at all.
    /// An empty batch commits nothing and leaves the generation as it is. Returns the generation afterwards.
    ///
    /// # Errors
    /// `Busy`, `Io`, `Full`, `ReadOnly`, `Engine`, or what `work` answers; the state is then as before.
    fn transact(&self, work: &mut dyn FnMut(&dyn Reader, &mut Batch) -> Result<()>) -> Result<u64>;

    /// How often this process found another medium in the place of the one before (a store put back from a copy). What
    /// was read before is void then, whatever the generation says.
    fn replaced(&self) -> u64 {
        0
    }

    /// Whether transactions can be made at all, as far as can be told without making one.
    ///
    /// # Errors
    /// `Io`.
    fn is_writable(&self) -> Result<bool> {
        Ok(true)
    }

    /// Reads all that is kept more than once, and says what of it cannot be read. Nothing is lost by that: something else holds
    /// the same, and the next commit makes it anew from there.
    ///
    /// # Errors
    /// `Busy`, `Io`, `Damaged`.
    fn bad_copies(&self) -> Result<Vec<StoreError>> {
        Ok(Vec::new())
    }

    /// Waits until no view or transaction runs in this process and holds new ones off: the prepare handler of a fork.
    fn fork_prepare(&self) {}

    /// Lets views and transactions begin again, in the parent.
    fn fork_release(&self) {}

    /// Lets views and transactions begin again, in the child, where no other thread exists any more.
    fn fork_child(&self) {}
}

/// What `scan` calls with each key and value.
pub type Each<'a> = dyn FnMut(&[u8], &[u8]) -> Result<()> + 'a;

/// Read access inside a view or transaction; sees the state before the batch.
pub trait Reader {
    /// The generation of the state.
    fn generation(&self) -> u64;
    /// The value of one key.
    ///
    /// # Errors
    /// `Engine`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;
    /// All pairs whose key begins with `prefix`, in order, handed to `each` until it answers an error.
    ///
    /// # Errors
    /// `Engine`, or what `each` answers.
    fn scan(&self, prefix: &[u8], each: &mut Each<'_>) -> Result<()>;
}

/// The generation after `generation`.
///
/// # Errors
/// `Damaged` at the end of the range, which no store reaches by counting.
pub(crate) fn after(generation: u64) -> Result<u64> {
    generation.checked_add(1).ok_or_else(|| StoreError::Damaged { what: "the generation".to_owned() })
}

/// Changes to apply together: a value to put, or `None` to delete.
#[derive(Debug, Default)]
pub struct Batch {
    /// Key and what becomes of it.
    pub changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}
