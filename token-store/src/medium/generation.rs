//! The generation file: 17 bytes that every process may read at any time and only the lock's holder writes.
//!
//! Owns: its layout and the retry that a torn read needs. Does not know: the map.
//! Called from the sled medium. Rule source: docs/format.md, "Generation file".

use crate::error::Result;
use crate::medium::folder::{self, Access, io_error};
use crate::medium::ground::Announced;
use arc_swap::ArcSwapOption;
use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// How often a number that does not match its inverse is read again before the file counts as broken.
const READS_MAX: u32 = 20;
/// The largest number that is believed. No store gets there by counting, and the file is not sealed.
const NUMBER_MAX: u64 = u64::MAX / 2;
/// In the state byte: a commit is under way, or its process died.
const UNDER_WAY: u8 = 2;
/// How long a process that only reads may take to notice that its store was moved or replaced, milliseconds.
const LOOK_MS: u64 = 500;
/// Where the state byte stands.
const STATE_AT: u64 = 16;

/// The file as a reader sees it, without the lock.
pub(crate) struct GenerationFile {
    path: PathBuf,
    // Swapped when the file was replaced by another one (a store put back from a copy); lock-free, so that a
    // fork in between leaves the child nothing to wait for.
    open: ArcSwapOption<Opened>,
    /// How often another file was found in the place of the one before.
    replaced: AtomicU64,
    begun: Instant,
    /// When it was last made sure that the file is in place, milliseconds after `begun`.
    looked_ms: AtomicU64,
}

/// The file and what tells it from another one under the same name.
struct Opened {
    file: File,
    identity: (u64, u64),
}

/// The file in the hands of the lock's holder.
pub(crate) struct Writer {
    file: File,
    path: PathBuf,
    number: Cell<u64>,
    under_way: Cell<bool>,
}

impl GenerationFile {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            path: folder.join("generation"),
            open: ArcSwapOption::empty(),
            replaced: AtomicU64::new(0),
            begun: Instant::now(),
            looked_ms: AtomicU64::new(0),
        }
    }

    /// Reads what is announced; `None` when there is no file yet or it does not say a number.
    pub(crate) fn read(&self) -> Result<Option<Announced>> {
        if self.open.load().is_none() {
            self.reopen()?;
        }
        let open = self.open.load();
        let Some(open) = open.as_ref() else { return Ok(None) };
        for _ in 0..READS_MAX {
            if let Some((number, under_way)) = parse(&open.file, &self.path)? {
                return Ok(Some(Announced { number, under_way }));
            }
            std::thread::yield_now();
        }
        Ok(None)
    }

    /// Whether the file that is being read still has its name: it has not where the store was replaced or removed.
    pub(crate) fn is_in_place(&self) -> Result<bool> {
        let open = self.open.load();
        let Some(open) = open.as_ref() else { return Ok(false) };
        match std::fs::symlink_metadata(&self.path) {
            Ok(named) => Ok(open.identity == (named.dev(), named.ino())),
            // Whatever is wrong with the place, opening the store there names it.
            Err(_) => Ok(false),
        }
    }

    /// As `is_in_place`, but looks only now and then, so that the many who ask for the number pay one `pread` for it.
    pub(crate) fn was_in_place_lately(&self) -> Result<bool> {
        let now_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        // One that is not open yet is opened by its name.
        if now_ms < self.looked_ms.load(Ordering::Relaxed) + LOOK_MS || self.open.load().is_none() {
            return Ok(true);
        }
        let in_place = self.is_in_place()?;
        if in_place {
            self.looked_ms.store(now_ms, Ordering::Relaxed);
        }
        Ok(in_place)
    }

    /// How often another file was found in the place of the one before.
    pub(crate) fn replaced(&self) -> u64 {
        self.replaced.load(Ordering::Acquire)
    }

    /// Reads from the file that has the name now, without writing.
    pub(crate) fn follow_name(&self) -> Result<()> {
        if self.open.load().is_some() && !self.is_in_place()? { self.reopen() } else { Ok(()) }
    }

    /// Opens the file for writing, and makes it where there is none; only under the lock.
    pub(crate) fn writer(&self) -> Result<Writer> {
        let (file, made) = folder::open_or_create_private_file(&self.path)?;
        if made {
            file.sync_all().map_err(|error| io_error("fsync", &self.path, error))?;
            folder::sync_folder(folder::parent_of(&self.path))?;
        }
        self.follow(&file)?;
        // Without a number, nothing good is assumed.
        let (number, under_way) = parse(&file, &self.path)?.unwrap_or((0, true));
        Ok(Writer { file, path: self.path.clone(), number: Cell::new(number), under_way: Cell::new(under_way) })
    }

    /// Lets readers use the file that stands there now, in case it is another one than before.
    fn follow(&self, present: &File) -> Result<()> {
        let same = match self.open.load().as_ref() {
            Some(open) => open.identity == self.identity(present)?,
            None => false,
        };
        if same { Ok(()) } else { self.reopen() }
    }

    fn identity(&self, file: &File) -> Result<(u64, u64)> {
        let found = file.metadata().map_err(|error| io_error("stat", &self.path, error))?;
        Ok((found.dev(), found.ino()))
    }

    fn reopen(&self) -> Result<()> {
        let present = folder::open_private_file(&self.path, Access::Read)?;
        let present = match present {
            Some(file) => Some(Opened { identity: self.identity(&file)?, file }),
            None => None,
        };
        if self.open.swap(present.map(Arc::new)).is_some() {
            self.replaced.fetch_add(1, Ordering::Release);
        }
        Ok(())
    }
}

impl Writer {
    /// The number that the file has, 0 when it has none.
    pub(crate) fn number(&self) -> u64 {
        self.number.get()
    }

    /// Whether a commit was begun and its end not announced.
    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.get()
    }

    /// Writes the number, and that no commit is under way; readers see it at once.
    pub(crate) fn set_number(&self, number: u64) -> Result<()> {
        let mut bytes = [0; 17];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        bytes[8..16].copy_from_slice(&(!number).to_be_bytes());
        self.write(&bytes, 0)?;
        self.number.set(number);
        self.under_way.set(false);
        Ok(())
    }

    /// Says that a commit is under way: until its end is announced, readers look for themselves what the journal holds.
    pub(crate) fn set_under_way(&self) -> Result<()> {
        self.write(&[UNDER_WAY], STATE_AT)?;
        self.under_way.set(true);
        Ok(())
    }

    fn write(&self, bytes: &[u8], at: u64) -> Result<()> {
        self.file.write_all_at(bytes, at).map_err(|error| io_error("write", &self.path, error))
    }
}

/// The number, and whether a commit is under way; `None` when the number does not match its inverse or cannot be.
fn parse(file: &File, path: &Path) -> Result<Option<(u64, bool)>> {
    let mut bytes = [0; 17];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(io_error("read", path, error)),
        }
    }
    let [number @ .., _] = bytes;
    let (number, inverse) = number.split_at(8);
    let matches = filled >= 16 && number.iter().zip(inverse).all(|(a, b)| *a == !*b);
    let number = number.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    // Without a state, nothing good is assumed.
    let under_way = filled < 17 || bytes[16] & UNDER_WAY != 0;
    Ok((matches && number <= NUMBER_MAX).then_some((number, under_way)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(number: u64, under_way: bool) -> Option<Announced> {
        Some(Announced { number, under_way })
    }

    #[test]
    fn the_documented_bytes_are_written_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let generation = GenerationFile::new(folder.path());
        assert_eq!(generation.read().unwrap(), None);
        let writer = generation.writer().unwrap();
        writer.set_number(0x0102).unwrap();
        let expected = [0, 0, 0, 0, 0, 0, 1, 2, 255, 255, 255, 255, 255, 255, 254, 253, 0];
        assert_eq!(std::fs::read(folder.path().join("generation")).unwrap(), expected);
        assert_eq!(generation.read().unwrap(), announced(0x0102, false));
        writer.set_under_way().unwrap();
        assert_eq!(std::fs::read(folder.path().join("generation")).unwrap()[16], 2);
        assert_eq!(generation.read().unwrap(), announced(0x0102, true));
        assert!(generation.writer().unwrap().is_under_way());
        writer.set_number(0x0103).unwrap();
        assert_eq!(generation.read().unwrap(), announced(0x0103, false));
    }

    #[test]
    fn torn_or_short_bytes_are_no_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("generation");
        let generation = GenerationFile::new(folder.path());
        generation.writer().unwrap().set_number(300).unwrap();
        let good = std::fs::read(&path).unwrap();
        for at in 0..16 {
            let mut bad = good.clone();
            bad[at] ^= 4;
            std::fs::write(&path, bad).unwrap();
            assert_eq!(generation.read().unwrap(), None, "byte {at}");
        }
        std::fs::write(&path, &good[..12]).unwrap();
        assert_eq!(generation.read().unwrap(), None);
        assert_eq!(generation.writer().unwrap().number(), 0);
    }

    #[test]
    fn a_replaced_file_is_followed_at_the_next_writing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("generation");
        let generation = GenerationFile::new(folder.path());
        generation.writer().unwrap().set_number(7).unwrap();
        assert_eq!(generation.read().unwrap(), announced(7, false));
        std::fs::remove_file(&path).unwrap();
        generation.writer().unwrap().set_number(3).unwrap();
        assert_eq!(generation.read().unwrap(), announced(3, false));
    }
}
