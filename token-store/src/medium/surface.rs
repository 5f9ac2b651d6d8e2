//! What a journal can stand on: a file, or memory.
//!
//! Owns: reading and writing at an offset, and the errors of that. Does not know: what the bytes mean.
//! Called from the journal, made by the sled medium.

use crate::error::Result;
use crate::medium::folder::{Access, io_error, open_private_file};
use crate::medium::journal::Surface;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file.
pub(crate) struct FileSurface {
    file: ArcSwap<File>,
    path: PathBuf,
    identity: (u64, u64),
}

impl FileSurface {
    /// Takes an open file; `path` is what errors name.
    ///
    /// # Errors
    /// `Io`.
    pub(crate) fn new(file: File, path: &Path) -> Result<Self> {
        let found = file.metadata().map_err(|error| io_error("stat", path, error))?;
        let identity = (found.dev(), found.ino());
        Ok(Self { file: ArcSwap::from_pointee(file), path: path.to_owned(), identity })
    }
}

impl Surface for FileSurface {
    fn identity(&self) -> (u64, u64) {
        self.identity
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<usize> {
        loop {
            match self.file.load().read_at(buffer, at) {
                Ok(read) => return Ok(read),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(io_error("read", &self.path, error)),
            }
        }
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> Result<()> {
        self.file.load().write_all_at(bytes, at).map_err(|error| io_error("write", &self.path, error))
    }

    fn sync(&self) -> Result<()> {
        self.file.load().sync_data().map_err(|error| io_error("fsync", &self.path, error))
    }

    fn length(&self) -> Result<u64> {
        Ok(self.file.load().metadata().map_err(|error| io_error("stat", &self.path, error))?.len())
    }

    fn cut(&self, length: u64) -> Result<()> {
        self.file.load().set_len(length).map_err(|error| io_error("truncate", &self.path, error))
    }

    fn rest(&self) {
        // A file that is open for writing would stand in the way of whoever makes the disk read-only.
        // What cannot be opened or is another file by now leaves all as it is; the next turn names what is wrong.
        if let Ok(Some(file)) = open_private_file(&self.path, Access::Read)
            && file.metadata().is_ok_and(|found| (found.dev(), found.ino()) == self.identity)
        {
            self.file.store(Arc::new(file));
        }
    }
}

/// Memory, for a journal that nobody will find again.
#[derive(Default)]
pub(crate) struct MemorySurface(Mutex<Vec<u8>>);

impl Surface for MemorySurface {
    fn identity(&self) -> (u64, u64) {
        (0, 0)
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<usize> {
        let bytes = self.0.lock();
        let there = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
        let read = there.len().min(buffer.len());
        buffer[..read].copy_from_slice(&there[..read]);
        Ok(read)
    }

    fn write_at(&self, new: &[u8], at: u64) -> Result<()> {
        let mut bytes = self.0.lock();
        let at = usize::try_from(at).unwrap_or(usize::MAX - new.len());
        if bytes.len() < at + new.len() {
            bytes.resize(at + new.len(), 0);
        }
        bytes[at..at + new.len()].copy_from_slice(new);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn length(&self) -> Result<u64> {
        Ok(self.0.lock().len() as u64)
    }

    fn cut(&self, length: u64) -> Result<()> {
        self.0.lock().truncate(usize::try_from(length).unwrap_or(usize::MAX));
        Ok(())
    }
}
