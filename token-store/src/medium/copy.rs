//! A private copy of a map that cannot be written, to be read and thrown away.
//!
//! Owns: the temporary folder, and the removal of those that killed processes left behind. Does not know: what is in the files (they are sealed).
//! Called from the sled medium when the store lies on a read-only medium: the engine cannot open a map without
//! writing, so it opens a copy. Costs one copy of the map per view.

use crate::error::Result;
use crate::medium::engine;
use crate::medium::folder::{self, Access, io_error};
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// How many names are tried before the temporary folder counts as unusable.
const NAMES_MAX: u32 = 64;

/// What the names of all copies begin with.
const NAME: &str = "perilune-view-";
/// The file in a copy's folder that is locked for the life of the copy.
const OWNER: &str = "owner";

/// A copy of a map; removed when dropped.
pub(crate) struct Copied {
    folder: PathBuf,
    map: PathBuf,
    /// Tells others that the copy is in use; closed after the folder is removed.
    _owner: File,
}

impl Copied {
    /// Copies the map; under the lock, because nobody may write meanwhile.
    pub(crate) fn of(map: &Path) -> Result<Self> {
        let parent = std::env::temp_dir();
        remove_leftovers(&parent);
        let folder = create_folder(&parent)?;
        let owner = own(&folder).inspect_err(|_| {
            // On a full disk, say; the folder is worth nothing then, and the error says what happened.
            let _removed = std::fs::remove_dir_all(&folder);
        })?;
        let copied = Self { map: folder.join("map"), _owner: owner, folder };
        folder::create_private_folder(&copied.map)?;
        engine::copy(map, &copied.map)?;
        Ok(copied)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.map
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        // A copy of sealed bytes that stays behind in the temporary folder is untidy and nothing else.
        let _removed = std::fs::remove_dir_all(&self.folder);
    }
}

/// Removes the copies of this user that nobody uses: their processes were killed.
///
/// What cannot be looked at or removed stays; it is in nobody's way.
fn remove_leftovers(parent: &Path) {
    let names = folder::names_in(parent).unwrap_or_default();
    let copies =
        names.iter().filter(|path| path.file_name().is_some_and(|name| name.as_bytes().starts_with(NAME.as_bytes())));
    for path in copies {
        let Ok(()) = folder::check_private_folder(path) else { continue };
        let Ok(Some(owner)) = folder::open_private_file(&path.join(OWNER), Access::Read) else { continue };
        if flock(&owner, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _removed = std::fs::remove_dir_all(path);
        }
    }
}

/// Marks a folder as in use. The mark gets its name when it is locked, so that nobody finds it without an owner.
fn own(folder: &Path) -> Result<File> {
    let (draft, name) = (folder.join("owner.new"), folder.join(OWNER));
    let file = folder::create_private_file(&draft)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|errno| io_error("lock", &draft, errno.into()))?;
    std::fs::rename(&draft, &name).map_err(|error| io_error("rename", &draft, error))?;
    Ok(file)
}

fn create_folder(parent: &Path) -> Result<PathBuf> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut tried = 0;
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("{NAME}{}-{number}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && tried < NAMES_MAX => tried += 1,
            Err(error) => return Err(io_error("create", &path, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_a_killed_process_left_is_removed_and_one_in_use_is_not() {
        let map = tempfile::tempdir().unwrap();
        std::fs::write(map.path().join("db"), b"sealed").unwrap();
        let used = Copied::of(map.path()).unwrap();
        let left = Copied::of(map.path()).unwrap();
        let (left_folder, left_map) = (left.folder.clone(), left.map.join("db"));
        // As after a kill: the file is closed, the folder stays.
        let left = std::mem::ManuallyDrop::new(left);
        flock(&left._owner, FlockOperation::Unlock).unwrap();
        assert!(left_map.exists());
        let next = Copied::of(map.path()).unwrap();
        assert!(!left_folder.exists());
        assert_eq!(std::fs::read(used.path().join("db")).unwrap(), b"sealed");
        let folder = next.folder.clone();
        drop(next);
        assert!(!folder.exists());
    }
}
