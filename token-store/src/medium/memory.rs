//! A medium in memory, for tests and for tokens that need not last.
//!
//! Owns: the map and its generation. Does not know: files, keys, values.
//! Clones share one state, so that a test can "reopen" it, or use it from several stores at once.

use crate::error::{Result, StoreError};
use crate::medium::{Batch, Each, Medium, Reader, after};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A map in memory; clones share it.
#[derive(Clone, Default)]
pub struct Memory(Arc<RwLock<State>>);

#[derive(Default)]
struct State {
    map: BTreeMap<Vec<u8>, Vec<u8>>,
    generation: u64,
    full: bool,
    commits: u64,
}

impl Memory {
    /// Makes an empty medium.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on every commit answers `Full` (or, with `false`, works again): what a full disk looks like from above.
    pub fn set_full(&self, full: bool) {
        self.0.write().full = full;
    }

    /// How many batches were committed so far, to prove that something did not write.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.0.read().commits
    }

    /// A copy of the whole map, to look at what is stored.
    #[must_use]
    pub fn dump(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.0.read().map.clone()
    }

    /// Changes a value (or adds or deletes one) behind the store's back: the generation stays as it is.
    pub fn tamper(&self, key: &[u8], value: Option<Vec<u8>>) {
        apply(&mut self.0.write().map, key.to_vec(), value);
    }
}

impl Medium for Memory {
    fn generation(&self) -> Result<u64> {
        Ok(self.0.read().generation)
    }

    fn view(&self, work: &mut dyn FnMut(&dyn Reader) -> Result<()>) -> Result<()> {
        work(&*self.0.read())
    }

    fn transact(&self, work: &mut dyn FnMut(&dyn Reader, &mut Batch) -> Result<()>) -> Result<u64> {
        let mut state = self.0.write();
        let mut batch = Batch::default();
        work(&*state, &mut batch)?;
        if batch.changes.is_empty() {
            return Ok(state.generation);
        }
        if state.full {
            return Err(StoreError::Full { path: PathBuf::from("memory") });
        }
        for (key, value) in batch.changes {
            apply(&mut state.map, key, value);
        }
        state.generation = after(state.generation)?;
        state.commits += 1;
        Ok(state.generation)
    }
}

impl Reader for State {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.map.get(key).cloned())
    }

    fn scan(&self, prefix: &[u8], each: &mut Each<'_>) -> Result<()> {
        let below = self.map.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix));
        for (key, value) in below {
            each(key, value)?;
        }
        Ok(())
    }
}

fn apply(map: &mut BTreeMap<Vec<u8>, Vec<u8>>, key: Vec<u8>, value: Option<Vec<u8>>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}
