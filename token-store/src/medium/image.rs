//! What the map holds, kept in memory while nobody changes it.
//!
//! Owns: a copy of a small map (sealed, as on the disk) and the generation it belongs to. Does not know: files,
//! locks, what keys and values mean. Called from the sled medium.
//!
//! The engine cannot open a map without writing to it. A view of a generation that is known here opens nothing,
//! takes no file lock and writes nothing, so that a login in a quiet store leaves the disk alone.

use crate::error::{Result, StoreError};
use crate::medium::{Each, Reader};
use parking_lot::RwLock;
use std::collections::BTreeMap;

/// Largest map that is kept, bytes of keys and values; larger ones are read from the disk.
const IMAGE_BYTES_MAX: usize = 8 << 20;

/// The copy, where there is one.
#[derive(Default)]
pub(crate) struct Image {
    kept: RwLock<Kept>,
}

#[derive(Default)]
enum Kept {
    /// Nothing is known.
    #[default]
    Nothing,
    /// The map is too large; it is not read for this purpose again.
    TooLarge,
    /// The map at a generation.
    Pairs(Pairs),
}

#[derive(Default)]
struct Pairs {
    generation: u64,
    bytes: usize,
    pairs: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Image {
    /// Runs `work` on the copy if it is that of `generation`; `None` when it is not.
    ///
    /// A commit of this process waits for `work`.
    ///
    /// # Errors
    /// What `work` answers.
    pub(crate) fn view(&self, generation: u64, work: &mut dyn FnMut(&dyn Reader) -> Result<()>) -> Option<Result<()>> {
        match &*self.kept.read() {
            Kept::Pairs(pairs) if pairs.generation == generation => Some(work(pairs)),
            Kept::Pairs(_) | Kept::Nothing | Kept::TooLarge => None,
        }
    }

    /// Copies the state that `reader` shows, unless it is too large. The caller holds the map's lock.
    ///
    /// # Errors
    /// The reader's; nothing is then kept.
    pub(crate) fn take(&self, reader: &dyn Reader) -> Result<()> {
        if matches!(&*self.kept.read(), Kept::TooLarge) {
            return Ok(());
        }
        let mut pairs = Pairs { generation: reader.generation(), ..Pairs::default() };
        let answer = reader.scan(&[], &mut |key, value| {
            pairs.put(key.to_vec(), value.to_vec());
            // The error ends the scan: a large map must not be read to its end only to be let go.
            if pairs.bytes > IMAGE_BYTES_MAX {
                return Err(StoreError::TooLarge { bytes: pairs.bytes, bytes_max: IMAGE_BYTES_MAX });
            }
            Ok(())
        });
        let (kept, answer) = match answer {
            Ok(()) => (Kept::Pairs(pairs), Ok(())),
            Err(StoreError::TooLarge { .. }) => (Kept::TooLarge, Ok(())),
            Err(error) => (Kept::Nothing, Err(error)),
        };
        *self.kept.write() = kept;
        answer
    }

    /// Whether there is a copy that a commit would have to be followed with.
    pub(crate) fn is_kept(&self) -> bool {
        matches!(&*self.kept.read(), Kept::Pairs(_))
    }

    /// Follows a commit from the generation before `generation` to it, after the commit is durable.
    pub(crate) fn follow(&self, changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>, generation: u64) {
        let mut kept = self.kept.write();
        let Kept::Pairs(pairs) = &mut *kept else { return };
        if pairs.generation + 1 != generation {
            *kept = Kept::Nothing;
            return;
        }
        pairs.generation = generation;
        for (key, value) in changes {
            match value {
                Some(value) => pairs.put(key, value),
                None => pairs.remove(&key),
            }
        }
        if pairs.bytes > IMAGE_BYTES_MAX {
            *kept = Kept::TooLarge;
        }
    }
}

impl Pairs {
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.bytes += key.len() + value.len();
        let key_bytes = key.len();
        if let Some(old) = self.pairs.insert(key, value) {
            self.bytes -= key_bytes + old.len();
        }
    }

    fn remove(&mut self, key: &[u8]) {
        if let Some(old) = self.pairs.remove(key) {
            self.bytes -= key.len() + old.len();
        }
    }
}

impl Reader for Pairs {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.pairs.get(key).cloned())
    }

    fn scan(&self, prefix: &[u8], each: &mut Each<'_>) -> Result<()> {
        let found = self.pairs.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix));
        for (key, value) in found {
            each(key, value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(generation: u64, all: &[(&[u8], usize)]) -> Pairs {
        let mut pairs = Pairs { generation, ..Pairs::default() };
        for (key, bytes) in all {
            pairs.put(key.to_vec(), vec![7; *bytes]);
        }
        pairs
    }

    /// The keys seen in a view of `generation`, `None` when the image is of another one.
    fn keys(image: &Image, generation: u64) -> Option<Vec<Vec<u8>>> {
        let mut keys = Vec::new();
        let answer = image.view(generation, &mut |reader| {
            reader.scan(b"", &mut |key, _| {
                keys.push(key.to_vec());
                Ok(())
            })
        });
        answer.map(|answer| {
            answer.unwrap();
            keys
        })
    }

    #[test]
    fn only_the_generation_that_was_taken_is_shown() {
        let image = Image::default();
        assert_eq!(keys(&image, 0), None);
        image.take(&pairs(5, &[(b"a", 1), (b"b", 1)])).unwrap();
        assert_eq!(keys(&image, 4), None);
        assert_eq!(keys(&image, 6), None);
        assert_eq!(keys(&image, 5), Some(vec![b"a".to_vec(), b"b".to_vec()]));
    }

    #[test]
    fn a_commit_is_followed_and_a_gap_forgets_everything() {
        let image = Image::default();
        image.take(&pairs(5, &[(b"a", 1), (b"b", 1)])).unwrap();
        image.follow(BTreeMap::from([(b"a".to_vec(), None), (b"c".to_vec(), Some(vec![1]))]), 6);
        assert_eq!(keys(&image, 5), None);
        assert_eq!(keys(&image, 6), Some(vec![b"b".to_vec(), b"c".to_vec()]));
        image.follow(BTreeMap::new(), 8);
        assert_eq!(keys(&image, 6), None);
        assert_eq!(keys(&image, 8), None);
    }

    #[test]
    fn a_map_that_is_too_large_is_not_kept_nor_tried_again() {
        let image = Image::default();
        image.take(&pairs(5, &[(b"a", IMAGE_BYTES_MAX), (b"b", 1)])).unwrap();
        assert_eq!(keys(&image, 5), None);
        image.take(&pairs(6, &[(b"a", 1)])).unwrap();
        assert_eq!(keys(&image, 6), None);
    }

    #[test]
    fn a_map_that_grows_too_large_is_let_go() {
        let image = Image::default();
        image.take(&pairs(5, &[(b"a", 1)])).unwrap();
        image.follow(BTreeMap::from([(b"b".to_vec(), Some(vec![0; IMAGE_BYTES_MAX]))]), 6);
        assert_eq!(keys(&image, 6), None);
    }
}
