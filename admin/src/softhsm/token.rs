//! A SoftHSM2 token: who it is, whether PINs are its PINs, and its objects as templates.
//!
//! Owns: which attributes of `token.object` mean what, and how an object's file becomes a template. Does not know:
//! files and locks, what Perilune takes.

use crate::softhsm::folder::Folder;
use crate::softhsm::object::{self, Attributes, Malformed, Stored};
use crate::softhsm::pins::{Closed, TokenKey};
use ffi_headers::{CKA_END_DATE, CKA_PRIVATE, CKA_START_DATE};
use hsm_core::template::{Entry, Given, Template};
use hsm_crypto::SecretBytes;
use thiserror::Error;

/// A token's description.
pub struct Description {
    /// The label, padded with blanks.
    pub label: [u8; 32],
    /// The serial number, 16 characters if SoftHSM2 made it.
    pub serial: Vec<u8>,
    so_wrap: SecretBytes,
    user_wrap: Option<SecretBytes>,
}

/// Why a token's own file is not one.
#[derive(Debug, Error)]
pub enum NoToken {
    /// The file does not parse.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// An attribute is not there, or of another kind.
    #[error("it has no {0}")]
    Lacks(&'static str),
}

/// Why an object's file gives no template.
#[derive(Debug, Error)]
pub enum Damaged {
    /// The file is too large to be one.
    #[error("the file is larger than any object")]
    TooLarge,
    /// The file does not parse.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// An encrypted value does not open.
    #[error("{}: {why}", ffi_headers::names::printable(ffi_headers::names::attribute, *kind))]
    Closed {
        /// `CKA_*`.
        kind: u64,
        /// Why.
        why: Closed,
    },
}

impl Description {
    /// Reads a token's own file.
    ///
    /// # Errors
    /// `NoToken`.
    pub fn parse(file: &[u8]) -> Result<Self, NoToken> {
        let attributes = object::parse(file)?;
        let bytes = |kind| attributes.iter().find(|(found, _)| *found == kind).and_then(|(_, value)| bytes_of(value));
        let label = bytes(LABEL).ok_or(NoToken::Lacks("label"))?.expose();
        let mut padded = [b' '; 32];
        padded.get_mut(..label.len()).ok_or(NoToken::Lacks("label of at most 32 bytes"))?.copy_from_slice(label);
        Ok(Self {
            label: padded,
            serial: bytes(SERIAL).ok_or(NoToken::Lacks("serial number"))?.expose().to_vec(),
            so_wrap: bytes(SO_WRAP).ok_or(NoToken::Lacks("Security Officer's PIN: it is not initialised"))?.clone(),
            user_wrap: bytes(USER_WRAP).cloned(),
        })
    }

    /// The label without its padding.
    pub fn label_text(&self) -> String {
        String::from_utf8_lossy(&self.label).trim_end_matches(' ').to_owned()
    }

    /// The serial number as text.
    pub fn serial_text(&self) -> String {
        String::from_utf8_lossy(&self.serial).trim_end().to_owned()
    }

    /// The serial number, if it can be one of Perilune's: 16 printable characters.
    pub fn serial_kept(&self) -> Option<[u8; 16]> {
        let serial: [u8; 16] = self.serial.as_slice().try_into().ok()?;
        serial.iter().all(u8::is_ascii_graphic).then_some(serial)
    }

    /// Whether the user's PIN is set.
    pub fn has_user(&self) -> bool {
        self.user_wrap.is_some()
    }

    /// Opens the token's key with the Security Officer's PIN.
    ///
    /// # Errors
    /// `Closed`.
    pub fn open_as_so(&self, pin: &SecretBytes) -> Result<TokenKey, Closed> {
        TokenKey::open(self.so_wrap.expose(), pin)
    }

    /// Opens the token's key with the user's PIN; `None` where none is set.
    ///
    /// # Errors
    /// `Closed`.
    pub fn open_as_user(&self, pin: &SecretBytes) -> Result<Option<TokenKey>, Closed> {
        self.user_wrap.as_ref().map(|wrap| TokenKey::open(wrap.expose(), pin)).transpose()
    }
}

/// The objects of a token as templates, or why not, by the names of their files.
pub fn templates<'a>(
    folder: &'a Folder,
    key: &'a TokenKey,
) -> impl Iterator<Item = (&'a str, Result<Template, Damaged>)> {
    folder.objects.iter().map(|(name, content)| {
        let template = match content {
            Some(content) => template(content.expose(), key),
            None => Err(Damaged::TooLarge),
        };
        (name.as_str(), template)
    })
}

/// The attributes of an object's file, decrypted.
pub fn template(file: &[u8], key: &TokenKey) -> Result<Template, Damaged> {
    let attributes = object::parse(file)?;
    // What is not said to be public is private, as in SoftHSM2.
    let private = !attributes.contains(&(CKA_PRIVATE, Stored::Flag(false)));
    let mut entries = Vec::with_capacity(attributes.len());
    for (kind, value) in attributes {
        let value = match value {
            Stored::Bytes(bytes) if private && !is_clear_date(kind, &bytes) => {
                Given::Bytes(key.decrypt(&bytes).map_err(|why| Damaged::Closed { kind, why })?)
            }
            other => given(other),
        };
        entries.push(Entry { kind, value });
    }
    Ok(Template { entries })
}

/// Whether a value is a date in the clear: SoftHSM2 2.6.1 encrypts them not even in private objects, and then cannot
/// read them itself. Nothing that is encrypted is as short as a date.
fn is_clear_date(kind: u64, value: &SecretBytes) -> bool {
    matches!(kind, CKA_START_DATE | CKA_END_DATE) && value.len() == DATE_BYTES
}

/// A value in the form in which a caller of PKCS#11 gives it. Byte strings in maps are never encrypted.
fn given(value: Stored) -> Given {
    match value {
        Stored::Flag(flag) => Given::Bytes(vec![u8::from(flag)].into()),
        Stored::Number(number) => Given::Bytes(number.to_ne_bytes().to_vec().into()),
        Stored::Bytes(bytes) => Given::Bytes(bytes),
        Stored::Mechanisms(list) => {
            Given::Bytes(list.iter().flat_map(|number| number.to_ne_bytes()).collect::<Vec<u8>>().into())
        }
        Stored::Map(map) => Given::Template(within(map)),
    }
}

fn within(map: Attributes) -> Template {
    Template { entries: map.into_iter().map(|(kind, value)| Entry { kind, value: given(value) }).collect() }
}

fn bytes_of(value: &Stored) -> Option<&SecretBytes> {
    match value {
        Stored::Bytes(bytes) => Some(bytes),
        Stored::Flag(_) | Stored::Number(_) | Stored::Mechanisms(_) | Stored::Map(_) => None,
    }
}

/// Attributes of `token.object`, in SoftHSM2's vendor space.
const LABEL: u64 = 0x8000_5349;
const SERIAL: u64 = 0x8000_534A;
const SO_WRAP: u64 = 0x8000_534C;
const USER_WRAP: u64 = 0x8000_534D;
/// Bytes of a date, `YYYYMMDD`.
const DATE_BYTES: usize = 8;
