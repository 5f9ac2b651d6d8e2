//! PINs and passwords: from the terminal, a file, a variable or a descriptor.
//!
//! Owns: the options for that and what counts as the secret (exactly one trailing newline is not part
//! of it). Does not know: whose secret it is. Nothing here echoes, prints or keeps a secret.

use crate::failure::Failure;
use clap::Args;
use hsm_crypto::SecretBytes;
use hsm_platform::descriptor;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Asked for on the terminal.
    Prompt,
    /// The content of a file.
    File(PathBuf),
    /// The value of an environment variable.
    Variable(String),
    /// Everything behind a file descriptor.
    Descriptor(u32),
}

/// Makes the three options for one secret.
macro_rules! secret_options {
    ($($(#[$doc:meta])* $name:ident { $what:literal, $file:literal, $env:literal, $fd:literal })*) => { $(
        $(#[$doc])*
        #[derive(Debug, Args)]
        #[group(multiple = false)]
        pub struct $name {
            #[arg(id = $file, long = $file, value_name = "FILE",
                help = concat!("Read ", $what, " from a file; one trailing newline is not part of it"))]
            file: Option<PathBuf>,
            #[arg(id = $env, long = $env, value_name = "NAME",
                help = concat!("Take ", $what, " from an environment variable"))]
            variable: Option<String>,
            #[arg(id = $fd, long = $fd, value_name = "N",
                help = concat!("Read ", $what, " from a file descriptor; 0 is standard input"))]
            descriptor: Option<u32>,
        }

        impl $name {
            /// Where the secret comes from.
            pub fn source(&self) -> Source {
                match (&self.file, &self.variable, self.descriptor) {
                    (Some(file), _, _) => Source::File(file.clone()),
                    (_, Some(variable), _) => Source::Variable(variable.clone()),
                    (_, _, Some(number)) => Source::Descriptor(number),
                    _ => Source::Prompt,
                }
            }
        }
    )* };
}

secret_options! {
    /// The Security Officer's PIN.
    SoPin { "the Security Officer's PIN", "so-pin-file", "so-pin-env", "so-pin-fd" }
    /// The user's PIN.
    UserPin { "the user's PIN", "pin-file", "pin-env", "pin-fd" }
    /// A new PIN.
    NewPin { "the new PIN", "new-pin-file", "new-pin-env", "new-pin-fd" }
    /// The password of a file.
    FilePassword { "the password of the file", "password-file", "password-env", "password-fd" }
    /// The passphrase of a backup.
    BackupPassphrase { "the passphrase of the backup", "passphrase-file", "passphrase-env", "passphrase-fd" }
}

impl BackupPassphrase {
    /// Its options, for those that exclude it.
    pub const OPTIONS: [&str; 3] = ["passphrase-file", "passphrase-env", "passphrase-fd"];
}

impl Source {
    /// Whether a person is asked.
    pub fn is_prompt(&self) -> bool {
        *self == Source::Prompt
    }

    /// Obtains a secret that exists already; `name` is what the prompt calls it.
    ///
    /// # Errors
    /// `Usage` when nobody can be asked, `Failed` when the source cannot be read.
    pub fn obtain(&self, name: &str) -> Result<SecretBytes, Failure> {
        match self {
            Source::Prompt => prompt(&format!("{name}: ")),
            Source::File(path) => from_file(path, name),
            Source::Variable(variable) => match std::env::var_os(variable) {
                Some(value) => Ok(SecretBytes::new(value.into_vec())),
                None => Err(Failure::Usage(format!("{name}: the variable {variable} is not set"))),
            },
            Source::Descriptor(number) => descriptor::read(*number, SECRET_BYTES_MAX)
                .map(without_newline)
                .map_err(|error| Failure::new(format!("cannot read {name} from descriptor {number}"), error, "")),
        }
    }

    /// Obtains a secret that is being set: a person is asked twice.
    ///
    /// # Errors
    /// As `obtain`, and `Usage` when the two answers differ.
    pub fn obtain_new(&self, name: &str) -> Result<SecretBytes, Failure> {
        let secret = self.obtain(name)?;
        if self.is_prompt() && secret != prompt(&format!("{name} again: "))? {
            return Err(Failure::Usage(format!("{name}: the two answers differ, nothing was changed")));
        }
        Ok(secret)
    }
}

/// Asks on the terminal, without echo.
fn prompt(text: &str) -> Result<SecretBytes, Failure> {
    let answer = rpassword::prompt_password(text).map_err(|error| {
        if io::stdin().is_terminal() {
            Failure::new("cannot read from the terminal", error, "")
        } else {
            let name = text.trim_end_matches(": ");
            Failure::Usage(format!(
                "{name}: there is no terminal to ask on; use the -file, -env or -fd option (see --help)"
            ))
        }
    })?;
    Ok(SecretBytes::new(answer.into_bytes()))
}

/// Reads a file, and says so when others can read it, too.
fn from_file(path: &PathBuf, name: &str) -> Result<SecretBytes, Failure> {
    let failed = |error: io::Error| Failure::new(format!("cannot read {name} from {}", path.display()), error, "");
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_file() && metadata.mode() & 0o044 != 0 {
        // The warning is a courtesy; the command goes on without it.
        let _ = writeln!(io::stderr(), "perilune: warning: others can read {} (chmod 600)", path.display());
    }
    descriptor::read_all(file, SECRET_BYTES_MAX).map(without_newline).map_err(failed)
}

/// Drops exactly one newline from the end.
fn without_newline(mut secret: SecretBytes) -> SecretBytes {
    if secret.expose().last() == Some(&b'\n') {
        secret.truncate(secret.len() - 1);
    }
    secret
}

/// Longest secret in bytes, far above the longest PIN so that a too long one is reported as such.
const SECRET_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &[u8], expect: &[u8]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin");
        std::fs::write(&path, content).unwrap();
        assert!(Source::File(path).obtain("PIN").unwrap().ct_eq(expect), "{content:?}");
    }

    #[test]
    fn exactly_one_trailing_newline_is_not_part_of_the_secret() {
        check(b"1234", b"1234");
        check(b"1234\n", b"1234");
        check(b"1234\n\n", b"1234\n");
        check(b" 12 34 \r\n", b" 12 34 \r");
        check(b"\n", b"");
        check(b"", b"");
    }

    #[test]
    fn a_missing_source_names_itself() {
        let text = Source::Variable("PERILUNE_NO_SUCH".to_owned()).obtain("user PIN").unwrap_err().to_string();
        assert!(text.contains("PERILUNE_NO_SUCH") && text.contains("user PIN"), "{text}");
        let text = Source::File("/nonexistent/pin".into()).obtain("user PIN").unwrap_err().to_string();
        assert!(text.contains("/nonexistent/pin"), "{text}");
    }
}
