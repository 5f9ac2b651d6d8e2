//! sled, opened for the length of one view or transaction.
//!
//! Owns: the settings of the engine, its leftovers, its errors and panics. Does not know: locks,
//! generations, what keys mean. Called from the sled medium, only under the lock.
//! Rule source: docs/format.md, "Generation file".
//!
//! The engine asserts what it believes about its files, and a damaged file makes it panic: every call goes through
//! [`guarded`], so that the host only sees an error.

use crate::error::{Result, StoreError};
use crate::medium::Each;
use crate::medium::folder::{self, io_error};
use crate::medium::journal::Changes;
use hsm_crypto::{CryptoError, memory};
use std::collections::BTreeSet;
use std::fs::{File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Page cache of the engine, bytes. It lives for one transaction, so it only has to hold what one touches.
const CACHE_BYTES: u64 = 32 << 20;
/// Largest map that is read whole when any of it is needed, bytes on the disk; dead space counts, of which a log has much.
const SMALL_BYTES_MAX: u64 = 16 << 20;
/// How long to wait for the engine's own file lock, which ours makes unnecessary.
const ENGINE_LOCK_WAIT: Duration = Duration::from_secs(2);

/// The open engine; closed when dropped.
pub(crate) struct Engine {
    // `None` only while it is being closed.
    db: Option<sled::Db>,
    folder: PathBuf,
}

impl Engine {
    /// Opens the map in `folder`, and makes it where there is none.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        // The engine does not ask for memory, it takes it: for the places of all pages while it reads its log.
        let log_bytes = std::fs::metadata(folder.join("db")).map_or(0, |log| log.len().min(CACHE_BYTES));
        drop(memory::with_room::<u64>(usize::try_from(log_bytes / 8).unwrap_or(0))?);
        // The engine's mode is left alone: this version never asks for it. Without the timer it starts no thread.
        let config = sled::Config::new().path(folder).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        let start = Instant::now();
        loop {
            match guarded("open", folder, || config.open()) {
                Ok(db) => return Ok(Self { db: Some(db), folder: folder.to_owned() }),
                Err(error) if lock_is_held(&error) && start.elapsed() < ENGINE_LOCK_WAIT => {
                    std::thread::sleep(Duration::from_micros(500));
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let db = self.db()?;
        let value = guarded("read", &self.folder, || db.get(key))?;
        Ok(value.map(|value| memory::copied(&value)).transpose()?)
    }

    pub(crate) fn scan(&self, prefix: &[u8], each: &mut Each<'_>) -> Result<()> {
        let mut pairs = self.db()?.scan_prefix(prefix);
        while let Some((key, value)) = guarded("read", &self.folder, || pairs.next().transpose())? {
            each(&key, &value)?;
        }
        Ok(())
    }

    /// Applies a batch whole and makes it durable, but for the names of new files.
    pub(crate) fn apply(&self, batch: Changes) -> Result<()> {
        let db = self.db()?;
        // It copies what it writes several times over.
        let bytes = batch.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len)).sum::<usize>();
        drop(memory::with_room::<[u8; 4]>(bytes)?);
        let mut changes = sled::Batch::default();
        for (key, value) in batch {
            match value {
                Some(value) => changes.insert(key, value),
                None => changes.remove(key),
            }
        }
        guarded("write", &self.folder, || db.apply_batch(changes))?;
        guarded("flush", &self.folder, || db.flush()).map(drop)
    }

    /// Closes the engine; its data file is then fsynced and its lock free.
    pub(crate) fn close(mut self) -> Result<()> {
        let db = self.db.take();
        guarded("close", &self.folder, || {
            drop(db);
            Ok(())
        })
    }

    /// Whether reading all of it costs no more than opening it.
    pub(crate) fn is_small(&self) -> bool {
        self.db()
            .and_then(|db| guarded("look at", &self.folder, || db.size_on_disk()))
            .is_ok_and(|bytes| bytes <= SMALL_BYTES_MAX)
    }

    fn db(&self) -> Result<&sled::Db> {
        self.db.as_ref().ok_or_else(|| StoreError::Engine("used while it was being closed".to_owned()))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let db = self.db.take();
        // Only after an error or a panic of the caller, who has something more important to report.
        let _closed = guarded("close", &self.folder, || {
            drop(db);
            Ok(())
        });
    }
}

/// Runs a call of the engine and turns its errors and panics into ours.
fn guarded<T>(action: &'static str, folder: &Path, call: impl FnOnce() -> sled::Result<T>) -> Result<T> {
    // The engine takes the memory of whole pages of the map, values and all.
    match catch_unwind(AssertUnwindSafe(|| memory::unrefused(call))) {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(sled::Error::Io(error))) => Err(io_error(action, folder, error)),
        // Whatever it says then, its files are not to blame.
        Ok(Err(_)) | Err(_) if memory::is_short() => Err(CryptoError::OutOfMemory.into()),
        Ok(Err(error)) => Err(StoreError::Engine(format!(
            "{action} {}: {error}; if it stays so, the files in this folder are damaged: put the store back from a copy",
            folder.display()
        ))),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            if let Some(error) = text.as_deref().and_then(system_error_in) {
                return Err(io_error(action, folder, error));
            }
            Err(StoreError::Engine(format!(
                "{action} {}: the engine gave up: {}; if it stays so, put the store back from a copy",
                folder.display(),
                text.as_deref().unwrap_or("no reason given")
            )))
        }
    }
}

/// The system's error in the words of a panic: where the engine closes its files it unwraps them.
fn system_error_in(panic: &str) -> Option<std::io::Error> {
    let (_, rest) = panic.split_once("Os { code: ")?;
    let (code, _) = rest.split_once(',')?;
    Some(std::io::Error::from_raw_os_error(code.parse().ok()?))
}

/// The engine reports its lock as an error of kind `Other` with this text.
fn lock_is_held(error: &StoreError) -> bool {
    let StoreError::Io { source, .. } = error else { return false };
    source.kind() == ErrorKind::Other && source.to_string().contains("could not acquire lock")
}

/// The files of the map, by name; also those in `blobs`.
pub(crate) type Files = BTreeSet<PathBuf>;

/// Lists the files of the map, refuses those that are not ours and removes what a killed process left unfinished.
///
/// `snap.*.generating` is a snapshot that was being written: the engine takes it for a complete one and then refuses
/// to open. `conf.generating` are its settings, before they have their name. Under the lock nobody is writing one.
pub(crate) fn tidy(folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    for path in folder::names_in(folder)? {
        let unfinished = path.extension().is_some_and(|extension| extension == "generating");
        if unfinished {
            std::fs::remove_file(&path).map_err(|error| io_error("remove", &path, error))?;
        } else if path.ends_with("blobs") {
            folder::check_owned(&path, folder::Kind::Folder)?;
            files.extend(folder::names_in(&path)?);
        } else {
            folder::check_owned(&path, folder::Kind::File)?;
            files.insert(path);
        }
    }
    Ok(files)
}

/// Removes all files of a map, and leaves its folder.
pub(crate) fn remove(map: &Path) -> Result<()> {
    for path in folder::names_in(map)? {
        let removed =
            if path.ends_with("blobs") { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        removed.map_err(|error| io_error("remove", &path, error))?;
    }
    Ok(())
}

/// Copies the files of a map that is not open into an empty folder; nothing is durable afterwards.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    copy_files(from, to)?;
    let (from, to) = (from.join("blobs"), to.join("blobs"));
    if !from.is_dir() {
        return Ok(());
    }
    folder::create_private_folder(&to)?;
    copy_files(&from, &to)
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    for path in folder::names_in(from)? {
        let unfinished = path.extension().is_some_and(|extension| extension == "generating");
        let (Some(name), true) = (path.file_name(), path.is_file() && !unfinished) else { continue };
        let target = to.join(name);
        folder::check_owned(&path, folder::Kind::File)?;
        let mut source = File::open(&path).map_err(|error| io_error("open", &path, error))?;
        let mut file = folder::create_private_file(&target)?;
        std::io::copy(&mut source, &mut file).map_err(|error| io_error("copy to", &target, error))?;
    }
    Ok(())
}

/// How much `settle` makes durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settle {
    /// Nothing: only the modes of new files are set.
    Modes,
    /// The names of new files.
    Names,
    /// All files and folders, after a crash.
    Everything,
}

/// Makes durable what a session may have left in the page cache, and closes new files to others.
///
/// The data file was fsynced when the engine closed, snapshots and the files of large values when they were written (the latter by
/// our engine only, see vendor/sled/CHANGES.md). The files of a new map are always made durable.
pub(crate) fn settle(folder: &Path, before: &Files, what: Settle) -> Result<()> {
    let what = if before.is_empty() { Settle::Everything } else { what };
    for path in tidy(folder)? {
        if what == Settle::Everything {
            settle_file(&path)?;
        } else {
            // Also those of before: their process may have been killed between making them and this.
            restrict(&path, 0o600)?;
        }
    }
    if what == Settle::Modes {
        return Ok(());
    }
    if what == Settle::Everything {
        let blobs = folder.join("blobs");
        restrict(&blobs, 0o700)?;
        folder::sync_folder(folder::parent_of(folder))?;
        if blobs.is_dir() {
            folder::sync_folder(&blobs)?;
        }
    }
    folder::sync_folder(folder)
}

fn settle_file(path: &Path) -> Result<()> {
    restrict(path, 0o600)?;
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| io_error("fsync", path, error))
}

/// Takes away what the process's umask left to others; the folder above has kept them out so far.
fn restrict(path: &Path, mode: u32) -> Result<()> {
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        // `blobs` of a map that was not opened yet.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error("stat", path, error)),
    };
    if found.mode() & 0o777 & !mode == 0 {
        return Ok(());
    }
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(|error| io_error("chmod", path, error))
}
