//! A private copy of a map that cannot be written, to be read and thrown away.
//!
//! Owns: the temporary folder. Does not know: what is in the files (they are sealed).
//! Called from the sled medium when the store lies on a read-only medium: the engine cannot open a map without
//! writing, so it opens a copy. Costs one copy of the map per view.

use crate::error::Result;
use crate::medium::folder::{self, io_error};
use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// How many names are tried before the temporary folder counts as unusable.
const NAMES_MAX: u32 = 64;

/// A copy of a map; removed when dropped.
pub(crate) struct Copied(PathBuf);

impl Copied {
    /// Copies the map; under the lock, because nobody may write meanwhile.
    pub(crate) fn of(map: &Path) -> Result<Self> {
        let copied = Self(create_folder()?);
        copy_files(map, &copied.0)?;
        let blobs = map.join("blobs");
        if blobs.is_dir() {
            let target = copied.0.join("blobs");
            DirBuilder::new().mode(0o700).create(&target).map_err(|error| io_error("create", &target, error))?;
            copy_files(&blobs, &target)?;
        }
        Ok(copied)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        // A copy of sealed bytes that stays behind in the temporary folder is untidy and nothing else.
        let _removed = std::fs::remove_dir_all(&self.0);
    }
}

fn create_folder() -> Result<PathBuf> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let parent = std::env::temp_dir();
    let mut tried = 0;
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("perilune-view-{}-{number}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && tried < NAMES_MAX => tried += 1,
            Err(error) => return Err(io_error("create", &path, error)),
        }
    }
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    for path in folder::names_in(from)? {
        let unfinished = path.extension().is_some_and(|extension| extension == "generating");
        let (Some(name), true) = (path.file_name(), path.is_file() && !unfinished) else { continue };
        let target = to.join(name);
        folder::check_owned(&path, folder::Kind::File)?;
        let mut source = std::fs::File::open(&path).map_err(|error| io_error("open", &path, error))?;
        let mut file = folder::create_private_file(&target)?;
        std::io::copy(&mut source, &mut file).map_err(|error| io_error("copy to", &target, error))?;
    }
    Ok(())
}
