//! The formats that keys and certificates come in.
//!
//! Owns: telling PKCS#8, encrypted PKCS#8, PKCS#12 and X.509 apart, in DER and in PEM, and opening the
//! encrypted ones. Does not know: what objects they become. The algorithms are in the crates that it calls.
//! Rule source: RFC 7468 (PEM), RFC 5958 (PKCS#8), RFC 7292 (PKCS#12), RFC 5280 (X.509).

use crate::failure::Failure;
use crate::secret::Source;
use hsm_crypto::SecretBytes;
use hsm_crypto::encoding::{PrivateForm, decode_pkcs8};
use hsm_platform::descriptor;
use p12_keystore::Pkcs12Archive;
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::pkcs5::pbes2::{Kdf, ScryptParams};
use std::cell::OnceCell;
use std::fs::File;
use std::path::Path;
use x509_cert::Certificate;
use x509_cert::der::{Decode, pem};

/// The most memory, in bytes, that the scrypt of an encrypted key may take: sixty-four times what OpenSSL's `-scrypt` asks for.
const SCRYPT_MEMORY_MAX: u64 = 1 << 30;

/// What scrypt takes with these costs, in bytes (RFC 7914, 2).
fn scrypt_memory(asked: &ScryptParams) -> u64 {
    let rows = asked.cost_parameter.saturating_add(u64::from(asked.parallelization));
    rows.saturating_mul(128 * u64::from(asked.block_size))
}

/// What a file holds.
#[derive(Default)]
pub struct Parcel {
    /// The private keys.
    pub keys: Vec<Key>,
    /// The certificates.
    pub certificates: Vec<Cert>,
    /// A label to use when nobody gives one: the file's name without folder and ending.
    pub name: String,
}

/// A private key out of a file.
pub struct Key {
    /// The key.
    pub form: PrivateForm,
    /// Its name in the file, if it has one.
    pub name: Option<String>,
}

/// A certificate out of a file.
pub struct Cert {
    /// The certificate in DER.
    pub der: Vec<u8>,
    /// The same, decoded.
    pub decoded: Certificate,
    /// Its name in the file, if it has one.
    pub name: Option<String>,
}

/// Reads a file; the password is obtained only if something in it is encrypted.
///
/// # Errors
/// `Failed` with what is wrong and, for formats of the past, how to convert them.
pub fn read(path: &Path, password: &Source) -> Result<Parcel, Failure> {
    let what = format!("cannot import {}", path.display());
    let content = File::open(path)
        .and_then(|file| descriptor::read_all(file, FILE_BYTES_MAX))
        .map_err(|error| Failure::new(what.clone(), error, ""))?;
    let mut parcel = parse(content.expose(), what, password)?;
    parcel.name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(parcel)
}

/// Takes the content of a file apart; `what` is what a failure says was tried.
///
/// # Errors
/// As [`read`].
pub fn parse(content: &[u8], what: String, password: &Source) -> Result<Parcel, Failure> {
    let mut reader = Reader { what, password, obtained: OnceCell::new(), parcel: Parcel::default() };
    if find(content, PEM_BEGIN).is_some() {
        reader.pem(content)?;
    } else {
        reader.der(content)?;
    }
    if reader.parcel.keys.is_empty() && reader.parcel.certificates.is_empty() {
        return Err(reader.failed("there is no private key and no certificate in it", FORMATS));
    }
    Ok(reader.parcel)
}

struct Reader<'a> {
    what: String,
    password: &'a Source,
    obtained: OnceCell<SecretBytes>,
    parcel: Parcel,
}

impl Reader<'_> {
    fn failed(&self, why: impl std::fmt::Display, advice: &'static str) -> Failure {
        Failure::new(self.what.clone(), why, advice)
    }

    /// The password, asked for once.
    fn password(&self) -> Result<&SecretBytes, Failure> {
        if self.obtained.get().is_none() {
            let password = self.password.obtain("Password of the file")?;
            return Ok(self.obtained.get_or_init(|| password));
        }
        Ok(self.obtained.get_or_init(SecretBytes::default))
    }

    /// Takes each PEM block; text between blocks is skipped, as OpenSSL writes it there.
    fn pem(&mut self, mut rest: &[u8]) -> Result<(), Failure> {
        while let Some(begin) = find(rest, PEM_BEGIN) {
            rest = &rest[begin..];
            let end = find(rest, PEM_END).ok_or_else(|| self.failed("a PEM block has no end line", ""))?;
            let line_bytes = rest[end..].iter().position(|byte| *byte == b'\n').unwrap_or(rest.len() - end);
            let block = &rest[..end + line_bytes];
            rest = &rest[end + line_bytes..];
            let (label, der) = pem::decode_vec(block)
                .map_err(|error| self.failed(format!("a PEM block is malformed: {error}"), ADVICE_CONVERT))?;
            let der = SecretBytes::new(der);
            match label {
                "PRIVATE KEY" => self.pkcs8(der.expose(), None)?,
                "ENCRYPTED PRIVATE KEY" => self.encrypted_pkcs8(der.expose())?,
                "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => self.certificate(der.expose(), None)?,
                "RSA PRIVATE KEY" | "EC PRIVATE KEY" | "DSA PRIVATE KEY" => {
                    return Err(self.failed(format!("a {label} block is not PKCS#8"), ADVICE_CONVERT));
                }
                // Parameters, public keys and requests say nothing that key and certificate do not.
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes DER, telling the formats apart by their shape.
    fn der(&mut self, der: &[u8]) -> Result<(), Failure> {
        if pkcs8::PrivateKeyInfoRef::try_from(der).is_ok() {
            self.pkcs8(der, None)
        } else if EncryptedPrivateKeyInfoRef::try_from(der).is_ok() {
            self.encrypted_pkcs8(der)
        } else if Certificate::from_der(der).is_ok() {
            self.certificate(der, None)
        } else if is_pkcs12(der) {
            self.pkcs12(der)
        } else {
            Err(self.failed("its format is not known", FORMATS))
        }
    }

    fn pkcs8(&mut self, der: &[u8], name: Option<String>) -> Result<(), Failure> {
        let form = decode_pkcs8(der).map_err(|error| self.failed(error, ""))?;
        self.parcel.keys.push(Key { form, name });
        Ok(())
    }

    fn encrypted_pkcs8(&mut self, der: &[u8]) -> Result<(), Failure> {
        let sealed = EncryptedPrivateKeyInfoRef::try_from(der)
            .map_err(|error| self.failed(format!("the encrypted key is malformed: {error}"), ""))?;
        if let Some(Kdf::Scrypt(asked)) = sealed.encryption_algorithm.pbes2().map(|scheme| &scheme.kdf) {
            let bytes = scrypt_memory(asked);
            if bytes > SCRYPT_MEMORY_MAX {
                return Err(self.failed(
                    format!(
                        "its scrypt asks for {} MiB of memory; at most {} are given",
                        bytes >> 20,
                        SCRYPT_MEMORY_MAX >> 20
                    ),
                    "encrypt the key anew: `openssl pkcs8 -topk8 -v2 aes256`",
                ));
            }
        }
        let opened = sealed.decrypt(self.password()?.expose()).map_err(|error| {
            self.failed(
                format!("the key does not decrypt: {error}"),
                "the password is wrong, or see `openssl pkcs8 -topk8 -v2 aes256`",
            )
        })?;
        self.pkcs8(opened.as_bytes(), None)
    }

    fn pkcs12(&mut self, der: &[u8]) -> Result<(), Failure> {
        let text = str::from_utf8(self.password()?.expose())
            .map_err(|error| self.failed(format!("the password is not UTF-8: {error}"), ""))?;
        let archive = Pkcs12Archive::from_pkcs12(der, text)
            .map_err(|error| self.failed(format!("the PKCS#12 does not open: {error}"), "the password may be wrong"))?;
        for bag in archive.keys {
            self.pkcs8(bag.key.as_der(), bag.friendly_name)?;
        }
        for bag in archive.certs {
            self.certificate(bag.cert.as_der(), bag.friendly_name)?;
        }
        Ok(())
    }

    /// Takes a certificate; one that is in the file twice is taken once.
    fn certificate(&mut self, der: &[u8], name: Option<String>) -> Result<(), Failure> {
        if self.parcel.certificates.iter().any(|known| known.der == der) {
            return Ok(());
        }
        let decoded = Certificate::from_der(der)
            .map_err(|error| self.failed(format!("a certificate is malformed: {error}"), ""))?;
        self.parcel.certificates.push(Cert { der: der.to_vec(), decoded, name });
        Ok(())
    }
}

/// Whether DER begins as a PFX does: a sequence whose first element is the integer 3.
fn is_pkcs12(der: &[u8]) -> bool {
    let header_bytes = match der {
        [0x30, length, ..] if *length < 0x80 => 2,
        // BER with indefinite length is 0x80 and has no length bytes.
        [0x30, length, ..] => 2 + usize::from(length & 0x7F),
        _ => return false,
    };
    der.get(header_bytes..).is_some_and(|content| content.starts_with(&[0x02, 0x01, 0x03]))
}

/// The place of a byte string in another.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

const PEM_BEGIN: &[u8] = b"-----BEGIN ";
const PEM_END: &[u8] = b"-----END ";
const FORMATS: &str = "PKCS#8, PKCS#12 and X.509 certificates are taken, in DER or PEM";
const ADVICE_CONVERT: &str = "`openssl pkey -in FILE -out KEY.pem` converts keys";
/// Largest file in bytes; a PKCS#12 with a long chain is some 20 KiB.
const FILE_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pfx_is_known_by_its_version() {
        assert!(is_pkcs12(&[0x30, 0x03, 0x02, 0x01, 0x03]));
        assert!(is_pkcs12(&[0x30, 0x82, 0x01, 0x00, 0x02, 0x01, 0x03, 0x30]));
        assert!(is_pkcs12(&[0x30, 0x80, 0x02, 0x01, 0x03]));
        assert!(!is_pkcs12(&[0x30, 0x82, 0x01, 0x00, 0x02, 0x01, 0x00]));
        assert!(!is_pkcs12(&[0x30, 0x84]));
        assert!(!is_pkcs12(b""));
    }
}
