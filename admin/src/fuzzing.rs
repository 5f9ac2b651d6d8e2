//! What of this room takes foreign bytes, for the fuzz targets: nothing else may use it.
//!
//! Owns: the ways into the private modules. Each function answers what a target can hold against a second opinion;
//! none has logic of its own. Not behind a feature: the tests of the workspace would build every room twice for it.

use crate::cli::Cli;
use crate::import::file;
use crate::secret::Source;
use crate::softhsm::token::Description;
use crate::{softhsm, uri};
use clap::Parser;
use hsm_core::TokenInfo;
use hsm_core::template::Template;
use hsm_crypto::SecretBytes;
use std::ffi::OsString;

/// The number of attributes in an object file of SoftHSM2; `None` for what is none.
#[must_use]
pub fn softhsm_object(file: &[u8]) -> Option<usize> {
    softhsm::object::parse(file).ok().map(|attributes| attributes.len())
}

/// Reads a token's own file, and an object's file with the key in it; `None` where one of them is none.
#[must_use]
pub fn softhsm_template(token: &[u8], pin: &[u8], object: &[u8]) -> Option<Template> {
    let description = Description::parse(token).ok()?;
    let _shown = (description.label_text(), description.serial_text(), description.serial_kept());
    let key = description.open_as_so(&SecretBytes::copy_of(pin)).ok()?;
    softhsm::token::template(object, &key).ok()
}

/// Whether the words are a command line.
#[must_use]
pub fn command_line(words: &[OsString]) -> bool {
    Cli::try_parse_from(words).is_ok()
}

/// The URI of an object of a token.
#[must_use]
pub fn object_uri(token: &TokenInfo, id: &[u8], label: &str, kind: Option<&str>) -> String {
    uri::object(&uri::token(token), id, label, kind)
}

/// The numbers of keys and certificates in a file for import, or the one line that a person sees.
///
/// # Errors
/// That line. What is encrypted is not opened, because nobody knows the password.
pub fn import(content: &[u8]) -> Result<(usize, usize), String> {
    let nobody = Source::Variable("PERILUNE_NO_SUCH_VARIABLE".to_owned());
    let parcel = file::parse(content, "cannot import".to_owned(), &nobody).map_err(|failure| failure.to_string())?;
    Ok((parcel.keys.len(), parcel.certificates.len()))
}
