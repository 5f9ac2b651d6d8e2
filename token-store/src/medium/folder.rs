//! Files and folders that only their owner may reach: how they are made, opened and checked.
//!
//! Owns: modes (0700, 0600), owners, the refusal of symbolic links, fsync of folders. Does not know: what is
//! in the files. Called from the sled medium and from the device key.
//! Rule source: docs/format.md, "Files in the folder".

use crate::error::{Result, StoreError};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, accessat, fstat, open, openat, stat};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::geteuid;
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    ReadWrite,
}

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
}

/// Turns the system's answer into the error that says what to do.
pub(crate) fn io_error(action: &'static str, path: &Path, source: std::io::Error) -> StoreError {
    use std::io::ErrorKind;
    let path = path.to_owned();
    match source.kind() {
        // A limit on file sizes is, for whoever has to help, one way of having no space.
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => StoreError::Full { path },
        ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { path },
        _ => StoreError::Io { action, path, source },
    }
}

/// Opens a file that must be private: regular, ours, not wider than 0600, not a symbolic link. `None` when there is none.
pub(crate) fn open_private_file(path: &Path, access: Access) -> Result<Option<File>> {
    let flags = match access {
        Access::Read => OFlags::RDONLY,
        Access::ReadWrite => OFlags::RDWR,
    };
    // NONBLOCK: a FIFO in place of the file is refused below and not waited for.
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match retry_on_intr(|| openat(CWD, path, flags, Mode::empty())) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err(symbolic_link(path)),
        Err(errno) => return Err(io_error("open", path, errno.into())),
    };
    check(&file, path, Kind::File, ModeRule::Private)?;
    Ok(Some(file))
}

/// Makes a file with mode 0600; it must not be there yet.
pub(crate) fn create_private_file(path: &Path) -> Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = retry_on_intr(|| open(path, flags, Mode::RUSR | Mode::WUSR));
    let file = file.map_err(|errno| io_error("create", path, errno.into()))?;
    Ok(File::from(file))
}

/// Opens a private file, and makes it where there is none; says whether it was made.
pub(crate) fn open_or_create_private_file(path: &Path) -> Result<(File, bool)> {
    loop {
        if let Some(file) = open_private_file(path, Access::ReadWrite)? {
            return Ok((file, false));
        }
        match create_private_file(path) {
            Ok(file) => return Ok((file, true)),
            // Another process made it between the two calls.
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(other) => return Err(other),
        }
    }
}

/// Makes a folder with mode 0700; it must not be there yet.
pub(crate) fn create_private_folder(path: &Path) -> Result<()> {
    DirBuilder::new().mode(0o700).create(path).map_err(|error| io_error("create", path, error))
}

/// Makes a private folder (and what is missing above it), or checks the one that is there. Says whether it was made.
pub(crate) fn open_or_create_private_folder(path: &Path) -> Result<bool> {
    create_parents(path)?;
    let made = match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => true,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => false,
        // A folder on a read-only medium: whether it is there is found out below.
        Err(error) if error.kind() == std::io::ErrorKind::ReadOnlyFilesystem => {
            if std::fs::symlink_metadata(path).is_err() {
                return Err(io_error("create", path, error));
            }
            false
        }
        Err(error) => return Err(io_error("create", path, error)),
    };
    check_private_folder(path)?;
    if made {
        sync_folder(parent_of(path))?;
    }
    Ok(made)
}

/// Checks that a folder is ours, not wider than 0700 and not a symbolic link.
pub(crate) fn check_private_folder(path: &Path) -> Result<()> {
    // PATH: the check itself needs no right to read the folder.
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder =
        retry_on_intr(|| open(path, flags, Mode::empty())).map_err(|errno| io_error("open", path, errno.into()))?;
    check(&File::from(folder), path, Kind::Folder, ModeRule::Private)
}

/// Checks that a file or folder inside a private folder is ours and not a symbolic link; its mode does not matter there.
pub(crate) fn check_owned(path: &Path, kind: Kind) -> Result<()> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file =
        retry_on_intr(|| open(path, flags, Mode::empty())).map_err(|errno| io_error("open", path, errno.into()))?;
    check(&File::from(file), path, kind, ModeRule::Any)
}

/// Whether this process may write in a folder: its user may, and the medium is not read-only.
///
/// Root may only look at what belongs to another user: a file that root makes there would lock that user out.
pub(crate) fn is_writable(path: &Path) -> Result<bool> {
    if geteuid().is_root() {
        let owner = stat(path).map_err(|errno| io_error("look at", path, errno.into()))?.st_uid;
        if owner != geteuid().as_raw() {
            return Ok(false);
        }
    }
    let asked = accessat(CWD, path, rustix::fs::Access::WRITE_OK, AtFlags::EACCESS);
    // Some containers answer PERM to system calls that they do not know; the older call asks for the real user, who
    // is the effective one except in set-user-id programs.
    let answered = match asked {
        Err(Errno::PERM) => accessat(CWD, path, rustix::fs::Access::WRITE_OK, AtFlags::empty()),
        other => other,
    };
    match answered {
        Ok(()) => Ok(true),
        Err(Errno::ROFS | Errno::ACCESS | Errno::PERM) => Ok(false),
        Err(errno) => Err(io_error("look at", path, errno.into())),
    }
}

/// Makes the folders above `path` that are missing, with mode 0700. Those that exist are the system's or the user's
/// business, and may be reached through symbolic links.
pub(crate) fn create_parents(path: &Path) -> Result<()> {
    let parent = parent_of(path);
    if parent.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(|error| io_error("create", parent, error))
}

/// The folder that `path` is in.
pub(crate) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes new names in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    let folder = File::open(path).map_err(|error| io_error("open", path, error))?;
    folder.sync_all().map_err(|error| io_error("fsync", path, error))
}

/// Names in a folder, in no order.
pub(crate) fn names_in(path: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(path).map_err(|error| io_error("list", path, error))?;
    let names = entries.map(|entry| entry.map(|entry| entry.path()));
    names.collect::<std::io::Result<_>>().map_err(|error| io_error("list", path, error))
}

/// Whether the mode of a file or folder counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ModeRule {
    Private,
    Any,
}

fn check(file: &File, path: &Path, kind: Kind, rule: ModeRule) -> Result<()> {
    let stat = fstat(file).map_err(|errno| io_error("stat", path, errno.into()))?;
    match problem_of(&stat, kind, rule, rightful_owner(&stat, path, kind)) {
        None => Ok(()),
        Some(problem) => Err(StoreError::Unsafe { path: path.to_owned(), problem }),
    }
}

/// To whom a file or folder must belong: to the user of this process.
///
/// Root reads everybody's files in any case, and may look at another user's store, as the master of a web server does whose
/// workers the store belongs to; it must be that user's throughout. Root never writes there: see `is_writable`.
fn rightful_owner(stat: &Stat, path: &Path, kind: Kind) -> u32 {
    let user = geteuid();
    if !user.is_root() || stat.st_uid == user.as_raw() {
        return user.as_raw();
    }
    match kind {
        Kind::Folder => stat.st_uid,
        Kind::File => rustix::fs::stat(parent_of(path)).map_or(user.as_raw(), |folder| folder.st_uid),
    }
}

/// What is wrong with a file or folder, and what would be right.
fn problem_of(stat: &Stat, kind: Kind, rule: ModeRule, user: u32) -> Option<String> {
    let found = FileType::from_raw_mode(stat.st_mode);
    let (noun, wanted, mode_max) = match kind {
        Kind::Folder => ("folder", FileType::Directory, 0o700),
        Kind::File => ("file", FileType::RegularFile, 0o600),
    };
    if found == FileType::Symlink {
        return Some(LINK_PROBLEM.to_owned());
    }
    if found != wanted {
        return Some(format!("is not a {noun}; move it out of the way"));
    }
    if stat.st_uid != user {
        return Some(format!(
            "belongs to user {} and this program runs as user {user}; run it as the owner, or give the {noun} to \
             user {user} with chown",
            stat.st_uid
        ));
    }
    let mode = stat.st_mode & 0o7777;
    if rule == ModeRule::Private && mode & 0o777 & !mode_max != 0 {
        return Some(format!(
            "has mode {mode:04o}, which lets others in; it must not be wider than {mode_max:04o} (chmod {mode_max:o})"
        ));
    }
    None
}

fn symbolic_link(path: &Path) -> StoreError {
    StoreError::Unsafe { path: path.to_owned(), problem: LINK_PROBLEM.to_owned() }
}

const LINK_PROBLEM: &str = "is a symbolic link; name the place that it leads to";
