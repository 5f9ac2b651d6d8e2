//! Encrypted files in the age format, version 1: for X25519 recipients, or for one passphrase.
//!
//! Owns: what a file is locked and unlocked with, and the way into writing and reading. Does not know: what is in the file, where it
//! lies, where keys and passphrases come from. Called from `admin` for backups; the `age` program reads and writes
//! the same files. The library of that name brings some hundred crates, among them unreleased ones and older
//! generations of those used here, for four algorithms that are here already.
//! Rule source: <https://c2sp.org/age>.

mod bech32;
mod header;
mod keys;
mod stream;

pub use header::Header;
pub use keys::{Identity, Recipient};
pub use stream::{Reader, Writer};

use crate::error::CryptoError;
use crate::random::Random;
use crate::secret::SecretBytes;
use std::io::{self, Write};
use thiserror::Error;

/// What a file is locked with.
pub enum Lock<'a> {
    /// Each of these can open it.
    Recipients(&'a [Recipient]),
    /// Who knows the passphrase can open it.
    Passphrase(&'a SecretBytes),
}

/// What a file is unlocked with.
pub enum Unlock<'a> {
    /// One of these, if it is locked for one of them.
    Identities(&'a [Identity]),
    /// The passphrase.
    Passphrase(&'a SecretBytes),
}

/// Why a file cannot be opened.
#[derive(Debug, Error)]
pub enum AgeError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It begins with something else.
    #[error("it is not a file in the age format")]
    NotAge,
    /// It is the textual form.
    #[error("it is in the textual (armored) form of the age format, which is not read here; `age -d` opens it")]
    Armored,
    /// A newer version of the format.
    #[error("it is of a version of the age format that is not known here")]
    Version,
    /// The part in front of the content is not what the format promises.
    #[error("it is damaged or was changed: {0}")]
    Header(&'static str),
    /// The passphrase is another one.
    #[error("the passphrase is wrong")]
    PassphraseWrong,
    /// None of the identities fits, or the file is locked in the other way.
    #[error("{0}")]
    NoMatch(&'static str),
    /// An algorithm failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// Begins a file that `lock` locks; the writer takes the content, and must be finished.
///
/// # Errors
/// The writer's, and `Crypto` as an error of kind `Other`.
pub fn encrypt<W: Write>(lock: &Lock<'_>, random: &dyn Random, mut out: W) -> io::Result<Writer<W>> {
    let mut file_key = SecretBytes::zeroed(FILE_KEY_BYTES);
    random.fill(file_key.expose_mut()).map_err(io::Error::other)?;
    let header = header::make(lock, &file_key, random).map_err(io::Error::other)?;
    let mut nonce = [0; 16];
    random.fill(&mut nonce).map_err(io::Error::other)?;
    out.write_all(&header)?;
    out.write_all(&nonce)?;
    Writer::new(out, &file_key, &nonce)
}

/// Length of the key that a file is encrypted with.
const FILE_KEY_BYTES: usize = 16;

#[cfg(test)]
mod tests;
