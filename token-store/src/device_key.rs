//! The device key: 32 random bytes that play the HSM's tamper key.
//!
//! It seals public records, counters, role and partition records, and is mixed into every PIN's wrap
//! key, so that a stolen store without it cannot be searched for PINs.
//! Owns: making the key file whole or not at all. Does not know: what is sealed with the key.
//! Called from `hsm-platform`. Rule source: docs/format.md, "Files in the folder".

use crate::error::{Result, StoreError};
use crate::medium::folder::{self, io_error};
use hsm_crypto::aead::{KEY_BYTES, SealKey};
use hsm_crypto::{CryptoError, Random, SecretBytes};
use rustix::fs::{CWD, RenameFlags, linkat, renameat_with};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// The key that belongs to one device; wiped on drop.
pub struct DeviceKey {
    bytes: SecretBytes,
}

impl DeviceKey {
    /// Takes 32 bytes from elsewhere (a file descriptor, a test).
    ///
    /// # Errors
    /// `StoreError::Crypto(InvalidKey)` for any other length.
    pub fn new(bytes: SecretBytes) -> Result<Self> {
        if bytes.len() != KEY_BYTES {
            return Err(CryptoError::InvalidKey("a device key has 32 bytes").into());
        }
        Ok(Self { bytes })
    }

    /// Reads the key from an open file, pipe or descriptor; `name` is what error messages call it.
    ///
    /// # Errors
    /// `Io`, `Unsafe` when there are not exactly 32 bytes.
    pub fn read_from(source: &mut dyn Read, name: &Path) -> Result<Self> {
        // One byte of room more than a key: a longer file is noticed without reading all of it.
        let mut bytes = SecretBytes::zeroed(KEY_BYTES + 1);
        let mut filled = 0;
        while filled < bytes.len() {
            match source.read(&mut bytes.expose_mut()[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(io_error("read", name, error)),
            }
        }
        if filled != KEY_BYTES {
            let found = if filled > KEY_BYTES { "more".to_owned() } else { filled.to_string() };
            let problem = format!(
                "is not a device key: it has {found} bytes instead of {KEY_BYTES}; put the key back from a copy \
                 (without it the store cannot be opened), or remove the file if there is no store yet"
            );
            return Err(StoreError::Unsafe { path: name.to_owned(), problem });
        }
        bytes.truncate(KEY_BYTES);
        Self::new(bytes)
    }

    /// Reads the key file; where there is none, makes one (mode 0600, whole or not at all) and reads it back.
    /// Folders above it that are missing are made with mode 0700. Processes that do this at the same time get the
    /// same key.
    ///
    /// # Errors
    /// `Io`, `Full`, `ReadOnly`, `Unsafe` for a symbolic link, a foreign owner, a mode wider than 0600 or a wrong
    /// length.
    pub fn load_or_create(path: &Path, random: &dyn Random) -> Result<Self> {
        if let Some(key) = Self::load(path)? {
            return Ok(key);
        }
        let parent = folder::parent_of(path);
        // Root makes none beside another user's store, who could not read it.
        if parent.is_dir() && !folder::is_writable(parent)? {
            return Err(StoreError::ReadOnly { path: parent.to_owned() });
        }
        create(path, random)?;
        let missing = || io_error("read", path, std::io::ErrorKind::NotFound.into());
        Self::load(path)?.ok_or_else(missing)
    }

    /// Reads the key file; `None` where there is none.
    ///
    /// # Errors
    /// As `load_or_create`.
    pub fn load(path: &Path) -> Result<Option<Self>> {
        let Some(mut file) = folder::open_private_file(path, folder::Access::Read)? else { return Ok(None) };
        Self::read_from(&mut file, path).map(Some)
    }

    pub(crate) fn seal_key(&self) -> Result<SealKey> {
        Ok(SealKey::new(self.bytes.clone())?)
    }
}

/// Writes a new key beside its place and moves it there, unless somebody else was faster.
fn create(path: &Path, random: &dyn Random) -> Result<()> {
    let parent = folder::parent_of(path);
    folder::create_parents(path)?;
    let mut bytes = SecretBytes::zeroed(KEY_BYTES);
    random.fill(bytes.expose_mut())?;
    let mut tail = [0; 8];
    random.fill(&mut tail)?;
    let draft = draft_path(path, u64::from_be_bytes(tail));
    let placed = write_draft(&draft, &bytes).and_then(|()| place(&draft, path));
    // After a link the draft is a second name of the key, after a failure it is of no use; after a rename it is gone.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            placed.and(Err(io_error("remove", &draft, error)))
        }
        Ok(()) | Err(_) => placed,
    }?;
    folder::sync_folder(parent)
}

fn draft_path(path: &Path, tail: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".new-{tail:016x}"));
    PathBuf::from(name)
}

fn write_draft(draft: &Path, bytes: &SecretBytes) -> Result<()> {
    let mut file: File = folder::create_private_file(draft)?;
    file.write_all(bytes.expose()).map_err(|error| io_error("write", draft, error))?;
    file.sync_all().map_err(|error| io_error("fsync", draft, error))
}

/// Gives the draft its name, unless the name is taken; both ways are atomic and never replace a file.
fn place(draft: &Path, path: &Path) -> Result<()> {
    let linked = match linkat(CWD, draft, CWD, path, rustix::fs::AtFlags::empty()) {
        // File systems without hard links.
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {
            renameat_with(CWD, draft, CWD, path, RenameFlags::NOREPLACE)
        }
        other => other,
    };
    match linked {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(io_error("create", path, errno.into())),
    }
}
