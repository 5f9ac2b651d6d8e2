//! Backups as files: encrypted in the age format, written whole or not at all, and read back.
//!
//! Owns: what a backup file is locked with, and its way to the disk. Does not know: which tokens are in it and where they go.
//! Called from `commands::backup` and `commands::restore`. Rule source: docs/format.md, "Content of a backup".

mod draft;

use crate::cli;
use crate::failure::{EXIT_PIN, Failure};
use draft::Draft;
use hsm_core::{Backup, BackupError};
use hsm_crypto::SecretBytes;
use hsm_crypto::age::{self, AgeError, Header, Identity, Lock, Recipient, Unlock};
use hsm_platform::{OsRandom, descriptor};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind};
use std::path::Path;

/// What a new backup is locked with.
pub enum Key {
    /// For these recipients.
    Recipients(Vec<Recipient>),
    /// With a passphrase.
    Passphrase(SecretBytes),
}

impl Key {
    /// Obtains what the options name; a person is asked for a passphrase, twice.
    ///
    /// # Errors
    /// `Usage` for what is no recipient or an empty passphrase; when a file cannot be read.
    pub fn obtain(args: &cli::Backup) -> Result<Self, Failure> {
        let mut recipients = Vec::new();
        for text in &args.recipient {
            recipients.push(recipient(text)?);
        }
        if let Some(path) = &args.recipients_file {
            let text = small_file(path, "the recipients")?;
            for line in lines(&text) {
                recipients.push(recipient(&String::from_utf8_lossy(line))?);
            }
            if recipients.is_empty() {
                return Err(Failure::Usage(format!("there is no recipient in {}", path.display())));
            }
        }
        if !recipients.is_empty() {
            return Ok(Self::Recipients(recipients));
        }
        let passphrase = args.passphrase.source().obtain_new("Passphrase of the backup")?;
        match passphrase.is_empty() {
            true => Err(Failure::Usage("an empty passphrase protects nothing".to_owned())),
            false => Ok(Self::Passphrase(passphrase)),
        }
    }
}

/// Whether a backup may be written there; asked before anything else, so that nobody types a passphrase in vain.
///
/// # Errors
/// `Usage` when there is a file and --overwrite is not given.
pub fn check_free(path: &Path, overwrite: bool) -> Result<(), Failure> {
    if !overwrite && path.symlink_metadata().is_ok() {
        return Err(Failure::Usage(format!("{} is there already; --overwrite replaces it", path.display())));
    }
    Ok(())
}

/// Writes a backup into a file that appears when it is whole and on the disk.
///
/// # Errors
/// When it cannot be written; there is no new file then, and an old one is as it was.
pub fn write(backup: &Backup, key: &Key, path: &Path, overwrite: bool) -> Result<(), Failure> {
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Failure::Usage(format!("{} is there already; --overwrite replaces it", path.display()))
        }
        _ => Failure::new(format!("cannot write the backup {}", path.display()), error, ""),
    };
    let lock = match key {
        Key::Recipients(recipients) => Lock::Recipients(recipients),
        Key::Passphrase(passphrase) => Lock::Passphrase(passphrase),
    };
    let draft = Draft::beside(path).map_err(failed)?;
    let mut writer = age::encrypt(&lock, &OsRandom, BufWriter::new(draft.file())).map_err(failed)?;
    backup.write(&mut writer).map_err(failed)?;
    let buffered = writer.finish().map_err(failed)?;
    buffered.into_inner().map_err(|error| failed(error.into_error()))?;
    draft.publish(overwrite).map_err(failed)
}

/// Reads a backup to its end. A person is asked for the passphrase if the file wants one and no option gives it.
///
/// # Errors
/// Why it cannot be read: no such file, another format, a wrong passphrase or identity, damage.
pub fn read(args: &cli::Restore) -> Result<Backup, Failure> {
    let path = &args.input;
    let what = || format!("cannot read the backup {}", path.display());
    let file = File::open(path).map_err(|error| Failure::new(what(), error, ""))?;
    let mut input = BufReader::with_capacity(1 << 16, file);
    let header = Header::read(&mut input).map_err(|error| refused(what(), &error))?;
    let mut content = match unlocking(args, &header)? {
        Unlocking::Passphrase(passphrase) => header.open(&Unlock::Passphrase(&passphrase), input),
        Unlocking::Identities(identities) => header.open(&Unlock::Identities(&identities), input),
    }
    .map_err(|error| refused(what(), &error))?;
    Backup::read(&mut content).map_err(|error| {
        let advice = match &error {
            BackupError::Io(error) if error.kind() == ErrorKind::InvalidData => DAMAGED,
            BackupError::Version { .. } => "a newer perilune reads it",
            BackupError::Io(_) | BackupError::Damaged(_) => "",
        };
        Failure::new(what(), error, advice)
    })
}

/// What a backup is opened with.
enum Unlocking {
    Identities(Vec<Identity>),
    Passphrase(SecretBytes),
}

fn unlocking(args: &cli::Restore, header: &Header) -> Result<Unlocking, Failure> {
    let source = args.passphrase.source();
    match (&args.identity_file, header.wants_passphrase()) {
        (None, true) => Ok(Unlocking::Passphrase(source.obtain("Passphrase of the backup")?)),
        (Some(_), true) => Err(Failure::Usage(format!(
            "{} is locked with a passphrase, so --identity-file has no meaning",
            args.input.display()
        ))),
        (None, false) => Err(Failure::Usage(format!(
            "{} is locked for age recipients; --identity-file names the file with the identity of one",
            args.input.display()
        ))),
        (Some(path), false) => Ok(Unlocking::Identities(identities(path)?)),
    }
}

fn identities(path: &Path) -> Result<Vec<Identity>, Failure> {
    let text = small_file(path, "the identities")?;
    let parse = |line: &[u8]| std::str::from_utf8(line).ok().and_then(Identity::parse);
    let found: Option<Vec<_>> = lines(&text).map(parse).collect();
    match found {
        Some(found) if !found.is_empty() => Ok(found),
        Some(_) | None => Err(Failure::new(
            format!("cannot read the identities in {}", path.display()),
            "there are other lines in it than AGE-SECRET-KEY-1... and comments, or none",
            "`age-keygen -o FILE` makes such a file; decrypt one that is encrypted itself first",
        )),
    }
}

fn recipient(text: &str) -> Result<Recipient, Failure> {
    Recipient::parse(text).ok_or_else(|| {
        Failure::Usage(format!("{text:?} is no age recipient (age1... of 62 letters, which `age-keygen -y` prints)"))
    })
}

/// The lines of a key file that are neither empty nor comments.
fn lines(text: &SecretBytes) -> impl Iterator<Item = &[u8]> {
    let lines = text.expose().split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"))
}

fn small_file(path: &Path, name: &str) -> Result<SecretBytes, Failure> {
    let read = File::open(path).and_then(|file| descriptor::read_all(file, KEY_FILE_BYTES_MAX));
    read.map_err(|error| Failure::new(format!("cannot read {name} in {}", path.display()), error, ""))
}

fn refused(what: String, error: &AgeError) -> Failure {
    let (advice, exit) = match error {
        AgeError::PassphraseWrong => ("try again with the right passphrase", EXIT_PIN),
        AgeError::Header(_) => (DAMAGED, crate::failure::EXIT_FAILED),
        AgeError::NoMatch(_) => {
            ("`--identity-file` must hold the identity of a recipient", crate::failure::EXIT_FAILED)
        }
        AgeError::Io(_) | AgeError::NotAge | AgeError::Armored | AgeError::Version | AgeError::Crypto(_) => {
            ("", crate::failure::EXIT_FAILED)
        }
    };
    Failure::Failed { what, why: error.to_string(), advice, exit }
}

/// What helps against damage.
const DAMAGED: &str = "nothing of it was taken; use another copy";
/// Longest file of recipients or identities.
const KEY_FILE_BYTES_MAX: usize = 1 << 20;
