//! A file that gets its name when it is whole and on the disk.
//!
//! Owns: the order of steps for that. Does not know: what is in the file.

use hsm_crypto::{CryptoError, Random};
use hsm_platform::OsRandom;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The draft of a file; removed on drop unless it was published.
pub struct Draft {
    file: File,
    path: PathBuf,
    target: PathBuf,
}

impl Draft {
    /// Makes a draft in the folder of `target`, for its owner alone.
    ///
    /// # Errors
    /// The system's.
    pub fn beside(target: &Path) -> io::Result<Self> {
        let name = target.file_name().ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "this names no file"))?;
        let mut mark = [0; 8];
        OsRandom.fill(&mut mark).map_err(|error: CryptoError| io::Error::other(error))?;
        let mut draft = name.to_owned();
        draft.push(format!(".new-{:016x}", u64::from_be_bytes(mark)));
        let path = target.with_file_name(draft);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self { file, path, target: target.to_owned() })
    }

    /// The file to write into.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Gives the draft its name.
    ///
    /// # Errors
    /// `AlreadyExists` when there is such a file and `overwrite` is not set; the system's.
    pub fn publish(self, overwrite: bool) -> io::Result<()> {
        self.file.sync_all()?;
        match overwrite {
            true => fs::rename(&self.path, &self.target)?,
            false => self.link()?,
        }
        // The name is as durable as the folder it stands in.
        let folder = self.target.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    /// Gives the draft a second name: unlike renaming, that never replaces a file that appeared meanwhile.
    fn link(&self) -> io::Result<()> {
        match fs::hard_link(&self.path, &self.target) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists && self.target.symlink_metadata().is_err() => {
                // A file system without second names; the moment between looking and renaming is what is left open.
                fs::rename(&self.path, &self.target)
            }
            other => other,
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After renaming it is gone; where it cannot be removed, its name tells what it is.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_appears_whole_for_its_owner_alone_and_without_a_draft_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("file");
        for (overwrite, content) in [(false, "first"), (true, "second")] {
            let draft = Draft::beside(&target).unwrap();
            draft.file().write_all(content.as_bytes()).unwrap();
            draft.publish(overwrite).unwrap();
            assert_eq!(fs::read_to_string(&target).unwrap(), content);
            assert_eq!(fs::metadata(&target).unwrap().mode() & 0o777, 0o600);
            assert_eq!(names(folder.path()), ["file"]);
        }
    }

    #[test]
    fn a_file_that_appeared_meanwhile_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("file");
        let draft = Draft::beside(&target).unwrap();
        fs::write(&target, "theirs").unwrap();
        assert_eq!(draft.publish(false).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&target).unwrap(), "theirs");
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn a_draft_that_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        drop(Draft::beside(&folder.path().join("file")).unwrap());
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }
}
