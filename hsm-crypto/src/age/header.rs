//! The part of an age file in front of its content: for whom the file is locked, and a code over that.
//!
//! Owns: the strict reading of the header, its making, and finding the file key. Does not know: the content.
//! Rule source: the age specification, "Header" and "The scrypt recipient type".

use super::keys::{self, WRAPPED_BYTES};
use super::{AgeError, Lock, Reader, Unlock};
use crate::error::{CryptoError, Result};
use crate::kdf::hkdf_sha256;
use crate::random::Random;
use crate::secret::SecretBytes;
use base64ct::{Base64Unpadded, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::io::Read;

/// The first line.
const INTRO: &[u8] = b"age-encryption.org/v1";
/// What all versions begin with.
const INTRO_ANY: &[u8] = b"age-encryption.org/";
/// What the textual form begins with.
const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
/// Letters in a full line of a stanza's body.
const COLUMNS: usize = 64;
/// Longest header; one of a hundred recipients has 15,000 bytes.
const HEADER_BYTES_MAX: usize = 1 << 20;
/// The work factor of new files, that of the `age` program: a quarter of a gigabyte of memory, about a second.
const WORK_FACTOR: u8 = 18;
/// The largest work factor that is accepted, that of the `age` program.
const WORK_FACTOR_MAX: u8 = 22;
const SCRYPT_LABEL: &[u8] = b"age-encryption.org/v1/scrypt";

/// A header taken apart.
#[derive(Debug)]
pub struct Header {
    stanzas: Vec<Stanza>,
    /// Everything that the code is over.
    coded: Vec<u8>,
    code: Vec<u8>,
}

#[derive(Debug)]
struct Stanza {
    kind: String,
    arguments: Vec<String>,
    body: Vec<u8>,
}

impl Header {
    /// Reads a header; the reader stands at the content afterwards. Bytes are read one by one, so let it be buffered.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn read(input: &mut impl Read) -> core::result::Result<Self, AgeError> {
        let mut lines = Lines { input, read: Vec::new() };
        let intro = lines.next(true)?;
        if intro != INTRO {
            return Err(match intro {
                intro if intro.starts_with(INTRO_ANY) => AgeError::Version,
                intro if intro.starts_with(ARMOR) => AgeError::Armored,
                _ => AgeError::NotAge,
            });
        }
        let mut stanzas = Vec::new();
        loop {
            let line = lines.next(false)?;
            if let Some(code) = line.strip_prefix(b"---") {
                let code = code.strip_prefix(b" ").and_then(base64);
                let code = code.filter(|code| code.len() == 32).ok_or(AgeError::Header("the code of the header"))?;
                // The code is over everything up to and with the three hyphens.
                let coded = lines.read.len() - line.len() - 1 + 3;
                lines.read.truncate(coded);
                return match stanzas.is_empty() {
                    true => Err(AgeError::Header("it is locked for nobody")),
                    false => Ok(Self { stanzas, coded: lines.read, code }),
                };
            }
            stanzas.push(Stanza::read(&line, &mut lines)?);
        }
    }

    /// Whether a passphrase opens the file; identities do otherwise.
    #[must_use]
    pub fn wants_passphrase(&self) -> bool {
        self.stanzas.iter().any(|stanza| stanza.kind == "scrypt")
    }

    /// Opens the file; `input` is what follows the header.
    ///
    /// # Errors
    /// Why it cannot be opened.
    pub fn open<R: Read>(&self, unlock: &Unlock<'_>, mut input: R) -> core::result::Result<Reader<R>, AgeError> {
        let file_key = match unlock {
            Unlock::Passphrase(passphrase) => self.by_passphrase(passphrase)?,
            Unlock::Identities(identities) => self.by_identities(identities)?,
        };
        // The one error is a code that is another one.
        mac(&file_key, &self.coded)?
            .verify_slice(&self.code)
            .map_err(|_| AgeError::Header("the code of the header"))?;
        let mut nonce = [0; 16];
        input.read_exact(&mut nonce).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => AgeError::Header("it ends behind the header"),
            _ => AgeError::Io(error),
        })?;
        Ok(Reader::new(input, &file_key, &nonce)?)
    }

    fn by_passphrase(&self, passphrase: &SecretBytes) -> core::result::Result<SecretBytes, AgeError> {
        const OTHER: AgeError = AgeError::NoMatch("it is not locked with a passphrase but for recipients");
        let stanza = self.stanzas.iter().find(|stanza| stanza.kind == "scrypt").ok_or(OTHER)?;
        if self.stanzas.len() != 1 {
            return Err(AgeError::Header("a passphrase beside other locks"));
        }
        let [salt, factor] = &stanza.arguments[..] else { return Err(AgeError::Header("the passphrase's lock")) };
        let salt = base64(salt.as_bytes()).filter(|salt| salt.len() == 16);
        let salt = salt.ok_or(AgeError::Header("the passphrase's salt"))?;
        let digits = factor.bytes().all(|digit| digit.is_ascii_digit()) && !factor.starts_with('0');
        // Anything that does not fit the type is above the limit, too.
        let factor = factor.parse::<u8>().ok().filter(|factor| digits && *factor <= WORK_FACTOR_MAX);
        let factor = factor.ok_or(AgeError::Header("the passphrase's work factor is none, or too large"))?;
        if stanza.body.len() != WRAPPED_BYTES {
            return Err(AgeError::Header("the length of a wrapped key"));
        }
        keys::open(&stretch(passphrase, &salt, factor)?, &stanza.body)?.ok_or(AgeError::PassphraseWrong)
    }

    fn by_identities(&self, identities: &[super::Identity]) -> core::result::Result<SecretBytes, AgeError> {
        if self.wants_passphrase() {
            return Err(AgeError::NoMatch("it is locked with a passphrase"));
        }
        for stanza in self.stanzas.iter().filter(|stanza| stanza.kind == "X25519") {
            let [share] = &stanza.arguments[..] else { return Err(AgeError::Header("a recipient's lock")) };
            let share = base64(share.as_bytes()).and_then(|share| <[u8; 32]>::try_from(share).ok());
            let share = share.ok_or(AgeError::Header("a recipient's share"))?;
            if stanza.body.len() != WRAPPED_BYTES {
                return Err(AgeError::Header("the length of a wrapped key"));
            }
            for identity in identities {
                if let Some(file_key) = identity.unwrap(&share, &stanza.body)? {
                    return Ok(file_key);
                }
            }
        }
        Err(AgeError::NoMatch("it is locked for none of these identities"))
    }
}

impl Stanza {
    fn read(line: &[u8], lines: &mut Lines<'_, impl Read>) -> core::result::Result<Self, AgeError> {
        let line = line.strip_prefix(b"-> ").ok_or(AgeError::Header("a line that is no lock"))?;
        // The line is checked to be visible ASCII before it becomes text.
        let mut words = line.split(|byte| *byte == b' ').map(|word| {
            let visible = !word.is_empty() && word.iter().all(u8::is_ascii_graphic);
            visible.then(|| String::from_utf8_lossy(word).into_owned()).ok_or(AgeError::Header("the words of a lock"))
        });
        let kind = words.next().unwrap_or(Err(AgeError::Header("the words of a lock")))?;
        let arguments = words.collect::<core::result::Result<_, _>>()?;
        let mut text = Vec::new();
        loop {
            let line = lines.next(false)?;
            if line.len() > COLUMNS {
                return Err(AgeError::Header("a line is too long"));
            }
            text.extend_from_slice(&line);
            if line.len() < COLUMNS {
                break;
            }
        }
        let body = base64(&text).ok_or(AgeError::Header("the key in a lock"))?;
        Ok(Self { kind, arguments, body })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("-> {} {}\n", self.kind, self.arguments.join(" ")).as_bytes());
        let body = Base64Unpadded::encode_string(&self.body);
        for line in body.as_bytes().chunks(COLUMNS) {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
        // A full last line is followed by an empty one; what is wrapped here never fills one.
        if body.len().is_multiple_of(COLUMNS) {
            out.push(b'\n');
        }
    }
}

/// Makes the header of a file.
pub(super) fn make(lock: &Lock<'_>, file_key: &SecretBytes, random: &dyn Random) -> Result<Vec<u8>> {
    let mut stanzas = Vec::new();
    match lock {
        Lock::Recipients(recipients) => {
            for recipient in *recipients {
                let (share, body) = recipient.wrap(file_key, random)?;
                let arguments = vec![Base64Unpadded::encode_string(&share)];
                stanzas.push(Stanza { kind: "X25519".to_owned(), arguments, body });
            }
        }
        Lock::Passphrase(passphrase) => {
            let mut salt = [0; 16];
            random.fill(&mut salt)?;
            let body = keys::seal(&stretch(passphrase, &salt, WORK_FACTOR)?, file_key.expose())?;
            let arguments = vec![Base64Unpadded::encode_string(&salt), WORK_FACTOR.to_string()];
            stanzas.push(Stanza { kind: "scrypt".to_owned(), arguments, body });
        }
    }
    if stanzas.is_empty() {
        return Err(CryptoError::InvalidParameter("a file is locked for somebody"));
    }
    let mut out = [INTRO, b"\n"].concat();
    stanzas.iter().for_each(|stanza| stanza.write(&mut out));
    out.extend_from_slice(b"---");
    let code = mac(file_key, &out)?.finalize().into_bytes();
    out.extend_from_slice(format!(" {}\n", Base64Unpadded::encode_string(&code)).as_bytes());
    Ok(out)
}

/// The key that a passphrase gives.
fn stretch(passphrase: &SecretBytes, salt: &[u8], factor: u8) -> Result<SecretBytes> {
    const RANGE: CryptoError = CryptoError::InvalidParameter("the work factor is out of range");
    // Both refusals are about ranges.
    let params = scrypt::Params::new(factor, 8, 1).map_err(|_| RANGE)?;
    let mut key = SecretBytes::zeroed(32);
    let salt = [SCRYPT_LABEL, salt].concat();
    scrypt::scrypt(passphrase.expose(), &salt, &params, key.expose_mut()).map_err(|_| RANGE)?;
    Ok(key)
}

/// The code over a header, begun.
fn mac(file_key: &SecretBytes, coded: &[u8]) -> Result<Hmac<Sha256>> {
    let key = hkdf_sha256(file_key.expose(), b"", b"header", 32)?;
    // HMAC takes keys of every length.
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).map_err(|_| CryptoError::InvalidKey("of HMAC"))?;
    mac.update(coded);
    Ok(mac)
}

/// Base64 without padding, in its one canonical form.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = core::str::from_utf8(text).ok()?;
    let bytes = Base64Unpadded::decode_vec(text).ok()?;
    (Base64Unpadded::encode_string(&bytes) == text).then_some(bytes)
}

/// The lines of a header, remembered for the code over it.
struct Lines<'a, R> {
    input: &'a mut R,
    read: Vec<u8>,
}

impl<R: Read> Lines<'_, R> {
    /// The next line without its end. The `first` may be anything.
    fn next(&mut self, first: bool) -> core::result::Result<Vec<u8>, AgeError> {
        let begin = self.read.len();
        loop {
            let mut byte = [0];
            self.input.read_exact(&mut byte).map_err(|error| match error.kind() {
                std::io::ErrorKind::UnexpectedEof if first => AgeError::NotAge,
                std::io::ErrorKind::UnexpectedEof => AgeError::Header("it ends in the header"),
                _ => AgeError::Io(error),
            })?;
            self.read.push(byte[0]);
            if byte[0] == b'\n' {
                return Ok(self.read[begin..self.read.len() - 1].to_vec());
            }
            if first && self.read.len() > COLUMNS {
                return Err(AgeError::NotAge);
            }
            if self.read.len() > HEADER_BYTES_MAX {
                return Err(AgeError::Header("the header is too long"));
            }
        }
    }
}
