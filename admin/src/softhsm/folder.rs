//! The folder of one SoftHSM2 token, read as it stood at one moment.
//!
//! Owns: opening for reading only, SoftHSM2's locks in shared mode, and noticing that somebody writes meanwhile.
//! Does not know: what is in the files.
//!
//! A writer holds an exclusive lock on an object's `.lock` while it makes the object, and on the object's file while
//! it writes it. That alone is not enough: SoftHSM2 lets its lock go before the last bytes are written. So names,
//! sizes and times of all files must be the same before and after, or the folder is read again.

use crate::failure::Failure;
use crate::softhsm::object::FILE_BYTES_MAX;
use crate::softhsm::place;
use hsm_crypto::SecretBytes;
use rustix::fs::{FlockOperation, OFlags, fcntl_lock};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The file that describes the token.
pub const TOKEN_FILE: &str = "token.object";

/// What the folder of a token held.
pub struct Folder {
    /// The token's own file.
    pub token: SecretBytes,
    /// The objects' files by name; `None` for one that is larger than any object.
    pub objects: BTreeMap<String, Option<SecretBytes>>,
}

/// The folders of tokens in `place`, which is one itself or holds them. Those of other users are passed over, as SoftHSM2
/// does.
///
/// # Errors
/// When nothing of the kind is there, or nothing that may be read.
pub fn tokens(place: &Path) -> Result<Vec<PathBuf>, Failure> {
    if is_token(place)? == Some(true) {
        return Ok(vec![place.to_owned()]);
    }
    let failed = |error| unreadable(place, error);
    let (mut found, mut hidden) = (Vec::new(), 0);
    for entry in std::fs::read_dir(place).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        match path.is_dir().then(|| is_token(&path)).transpose()? {
            Some(Some(true)) => found.push(path),
            Some(None) => hidden += 1,
            Some(Some(false)) | None => {}
        }
    }
    found.sort();
    let what = format!("found no SoftHSM2 token in {}", place.display());
    match (found.is_empty(), hidden) {
        (false, _) => Ok(found),
        (true, 0) => Err(Failure::new(
            what,
            format!("no folder there has a file {TOKEN_FILE}"),
            "name the folder of SoftHSM2's tokens with --from",
        )),
        (true, _) => Err(Failure::new(
            what,
            format!("this user may not look into its folders ({hidden})"),
            "run this as the user who made the token, or copy its folder to where it can be read",
        )),
    }
}

/// Whether a folder holds a token; `None` when this user may not see that.
fn is_token(folder: &Path) -> Result<Option<bool>, Failure> {
    let there = |name| match folder.join(name).try_exists() {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(None),
        other => other.map(Some).map_err(|error| unreadable(folder, error)),
    };
    if there("sqlite3.db")? == Some(true) {
        return Err(place::other_backend(&format!("{} holds a database (sqlite3.db)", folder.display())));
    }
    there(TOKEN_FILE)
}

/// Reads the file that describes a token.
///
/// # Errors
/// When it cannot be read.
pub fn read_token_file(folder: &Path) -> Result<SecretBytes, Failure> {
    let file = folder.join(TOKEN_FILE);
    let content = locked(&file, Instant::now() + WAIT).map_err(|error| unreadable(&file, error))?;
    content.ok_or_else(|| unreadable(&file, "it is larger than any token's"))
}

/// Reads a token's folder.
///
/// # Errors
/// When it cannot be read, or somebody does not stop writing.
pub fn read(path: &Path) -> Result<Folder, Failure> {
    let deadline = Instant::now() + WAIT;
    for _ in 0..ATTEMPTS {
        let before = fingerprint(path).map_err(|error| unreadable(path, error))?;
        let mut folder = Folder { token: SecretBytes::default(), objects: BTreeMap::new() };
        let mut sizes = BTreeMap::new();
        for name in before.keys().filter(|name| name.ends_with(OBJECT_SUFFIX)) {
            let file = path.join(name);
            let content = match locked(&file, deadline) {
                // It was destroyed a moment ago, which the comparison will show.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                other => other.map_err(|error| unreadable(&file, error))?,
            };
            sizes.insert(name.clone(), content.as_ref().map(SecretBytes::len));
            match (name.as_str(), content) {
                (TOKEN_FILE, Some(content)) => folder.token = content,
                (TOKEN_FILE, None) => return Err(unreadable(&file, "it is larger than any token's")),
                (_, content) => drop(folder.objects.insert(name.clone(), content)),
            }
        }
        let after = fingerprint(path).map_err(|error| unreadable(path, error))?;
        let whole = |(name, size): (&String, &Option<usize>)| {
            size.is_none_or(|size| after.get(name).is_some_and(|seen| seen.size == size as u64))
        };
        if before == after && sizes.iter().all(whole) {
            return Ok(folder);
        }
    }
    Err(Failure::new(
        format!("cannot read {}", path.display()),
        "another program keeps changing the token",
        "stop the programs that use SoftHSM2, then try again",
    ))
}

/// What shows that a file is no longer the same.
#[derive(PartialEq, Eq)]
struct Trace {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

fn fingerprint(folder: &Path) -> io::Result<BTreeMap<String, Trace>> {
    let mut traces = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Lock files are emptied and locked also by those who only look.
        if !name.ends_with(OBJECT_SUFFIX) {
            continue;
        }
        let metadata = match std::fs::metadata(entry.path()) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            other => other?,
        };
        let changed = (metadata.mtime(), metadata.mtime_nsec());
        traces.insert(name, Trace { inode: metadata.ino(), size: metadata.size(), changed });
        if traces.len() > FILES_MAX {
            return Err(io::Error::other(format!("there are more than {FILES_MAX} objects")));
        }
    }
    Ok(traces)
}

/// Reads an object's file while no SoftHSM2 writes it; `None` for one that is too large.
fn locked(path: &Path, deadline: Instant) -> io::Result<Option<SecretBytes>> {
    let beside = match open(&path.with_extension("lock")) {
        // A copy of a token's folder need not have them.
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        other => Some(other?),
    };
    if let Some(beside) = &beside {
        share(beside, deadline)?;
    }
    let file = open(path)?;
    share(&file, deadline)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    if metadata.size() > FILE_BYTES_MAX as u64 {
        return Ok(None);
    }
    // Room for all and for the byte that would be too many, so that no unwiped copy is left behind by growing.
    let mut content = Vec::with_capacity(metadata.size() as usize + 1);
    file.take(metadata.size() + 1).read_to_end(&mut content)?;
    Ok(Some(SecretBytes::new(content)))
}

/// Opens for reading; a pipe in the folder does not make it wait.
fn open(path: &Path) -> io::Result<File> {
    // The bits of the flag are the same in either type.
    OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)
}

/// Takes SoftHSM2's lock in shared mode; closing the file lets it go.
fn share(file: &File, deadline: Instant) -> io::Result<()> {
    loop {
        match fcntl_lock(file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => return Ok(()),
            Err(Errno::AGAIN | Errno::ACCESS) if Instant::now() < deadline => std::thread::sleep(PAUSE),
            Err(Errno::AGAIN | Errno::ACCESS) => {
                return Err(io::Error::other("another program has locked it for too long"));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn unreadable(path: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::new(format!("cannot read {}", path.display()), error, "")
}

const OBJECT_SUFFIX: &str = ".object";
/// Most objects in a token.
const FILES_MAX: usize = 1 << 20;
/// How often a folder is read that somebody writes to.
const ATTEMPTS: usize = 5;
/// How long to wait for SoftHSM2's locks, which are held for milliseconds.
const WAIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);
