//! Where SoftHSM2 keeps its tokens.
//!
//! Owns: the order in which SoftHSM2 looks for its configuration, and the two settings in it that matter here. Does
//! not know: what is in the folders. Rule source: softhsm2.conf(5).

use crate::failure::Failure;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The folder of tokens to look into: the one that is named, else the one of SoftHSM2's configuration.
///
/// # Errors
/// What is wrong with the configuration, or that there is none.
pub fn tokens(named: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(folder) = named {
        return Ok(folder.to_owned());
    }
    let variable = std::env::var_os("SOFTHSM2_CONF").filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".config/softhsm2/softhsm2.conf"));
    let candidates = match variable {
        Some(named) => vec![named],
        None => home.into_iter().chain([PathBuf::from(SYSTEM_FILE)]).collect(),
    };
    for file in &candidates {
        let failed =
            |error| Failure::new(format!("cannot read {}", file.display()), error, "name the folder with --from");
        match read(file) {
            Ok(text) => return folder_of(&text, file),
            Err(error) if error.kind() == ErrorKind::NotFound && candidates.len() > 1 => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(Failure::new(
        "found no SoftHSM2 here",
        "there is no softhsm2.conf",
        "name the folder of its tokens with --from",
    ))
}

/// The folder that a configuration names.
fn folder_of(text: &str, file: &Path) -> Result<PathBuf, Failure> {
    if let Some(backend) = setting(text, "objectstore.backend").filter(|backend| *backend != "file") {
        return Err(other_backend(&format!("{} says objectstore.backend = {backend}", file.display())));
    }
    let folder = setting(text, "directories.tokendir").map(PathBuf::from);
    folder.ok_or_else(|| {
        let why = "it has no line directories.tokendir";
        Failure::new(format!("found no tokens by {}", file.display()), why, "name the folder with --from")
    })
}

/// A token in a format that is not read here.
pub fn other_backend(what: &str) -> Failure {
    Failure::new(
        "cannot read this SoftHSM2 token",
        format!("{what}, and only tokens in files are read"),
        "make a token with objectstore.backend = file in a configuration of its own, copy the objects into it with a \
         PKCS#11 program, and migrate that one",
    )
}

/// The last value of a setting; lines that begin with `#` are comments.
fn setting<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let values = lines.filter_map(|line| line.split_once('=')).filter(|(key, _)| key.trim() == name);
    values.map(|(_, value)| value.trim()).rfind(|value| !value.is_empty())
}

fn read(file: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(file)?.take(CONFIGURATION_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

const SYSTEM_FILE: &str = "/etc/softhsm/softhsm2.conf";
const CONFIGURATION_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_setting_that_is_no_comment_counts() {
        let text = "#directories.tokendir = /no\n  directories.tokendir=/a\ndirectories.tokendir =  /b b  \nx\n";
        assert_eq!(folder_of(text, Path::new("f")).unwrap(), Path::new("/b b"));
        assert_eq!(
            folder_of(&format!("{text}objectstore.backend = file\n"), Path::new("f")).unwrap(),
            Path::new("/b b")
        );
    }

    #[test]
    fn a_configuration_of_the_database_backend_is_refused_by_name() {
        let error = folder_of("directories.tokendir = /a\nobjectstore.backend = db\n", Path::new("f")).unwrap_err();
        assert!(error.to_string().contains("objectstore.backend = db"), "{error}");
        let error = folder_of("objectstore.backend = file\n", Path::new("f")).unwrap_err();
        assert!(error.to_string().contains("directories.tokendir"), "{error}");
    }
}
