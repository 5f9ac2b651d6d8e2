//! Objects as the commands see them: found by criteria, described for a table or JSON.
//!
//! Owns: the words for classes, key types and usages. Does not know: what a command does with them.

use crate::cli::Criteria;
use crate::failure::{During, Failure};
use crate::output::hex;
use crate::token::Session;
use crate::uri;
use ffi_headers::*;
use hsm_core::attributes::curves::CurveName;
use hsm_core::template::Template;
use hsm_core::{Answer, ObjectHandle};
use hsm_crypto::ec::Curve;
use serde::Serialize;
use std::collections::BTreeMap;
use x509_cert::der::Decode;

/// A class of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Private keys
    PrivateKey,
    /// Public keys
    PublicKey,
    /// Secret keys, as AES
    SecretKey,
    /// X.509 certificates
    Certificate,
    /// Data objects
    Data,
    /// Any other.
    #[value(skip)]
    Other,
}

/// Per class: number, the word of the command line, the word of RFC 7512.
const CLASSES: [(Class, u64, &str, Option<&str>); 5] = [
    (Class::PrivateKey, CKO_PRIVATE_KEY, "private-key", Some("private")),
    (Class::PublicKey, CKO_PUBLIC_KEY, "public-key", Some("public")),
    (Class::SecretKey, CKO_SECRET_KEY, "secret-key", Some("secret-key")),
    (Class::Certificate, CKO_CERTIFICATE, "certificate", Some("cert")),
    (Class::Data, CKO_DATA, "data", Some("data")),
];

/// The usages, and the flags that allow them.
const USAGES: [(u64, &str); 10] = [
    (CKA_SIGN, "sign"),
    (CKA_SIGN_RECOVER, "sign-recover"),
    (CKA_VERIFY, "verify"),
    (CKA_VERIFY_RECOVER, "verify-recover"),
    (CKA_ENCRYPT, "encrypt"),
    (CKA_DECRYPT, "decrypt"),
    (CKA_WRAP, "wrap"),
    (CKA_UNWRAP, "unwrap"),
    (CKA_DERIVE, "derive"),
    (CKA_ALWAYS_AUTHENTICATE, "pin-each-time"),
];

impl Class {
    fn row(self) -> Option<&'static (Class, u64, &'static str, Option<&'static str>)> {
        CLASSES.iter().find(|row| row.0 == self)
    }
    /// The class of a `CKO_*`.
    pub fn of(number: Option<u64>) -> Self {
        CLASSES.iter().find(|row| Some(row.1) == number).map_or(Class::Other, |row| row.0)
    }
    /// The `CKO_*`; `None` for `Other`.
    pub fn number(self) -> Option<u64> {
        self.row().map(|row| row.1)
    }
    /// The word for it.
    pub fn name(self) -> &'static str {
        self.row().map_or("other", |row| row.2)
    }
    fn uri_type(self) -> Option<&'static str> {
        self.row().and_then(|row| row.3)
    }
}

/// What is told about an object; also its form in JSON.
#[derive(Debug, Serialize)]
pub struct Description {
    /// The class.
    pub class: Class,
    /// Key type, curve or certificate type.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Size of a key in bits.
    pub bits: Option<u64>,
    /// CKA_LABEL.
    pub label: String,
    /// CKA_ID in hexadecimal.
    pub id: String,
    /// What a key may be used for.
    pub usage: Vec<&'static str>,
    /// CKA_PRIVATE.
    pub private: bool,
    /// CKA_SENSITIVE, of private and secret keys.
    pub sensitive: Option<bool>,
    /// CKA_EXTRACTABLE, of private and secret keys.
    pub extractable: Option<bool>,
    /// Whether the key was generated in the token.
    pub local: Option<bool>,
    /// Subject of a certificate (RFC 4514).
    pub subject: Option<String>,
    /// The URI.
    pub uri: String,
}

impl Description {
    /// Type and size in one cell.
    pub fn type_cell(&self) -> String {
        type_cell(self.kind.as_deref(), self.bits)
    }

    /// Usage and protection in one cell.
    pub fn usage_cell(&self) -> String {
        let mut words = self.usage.clone();
        if self.sensitive == Some(false) {
            words.push("NOT-SENSITIVE");
        }
        if self.extractable == Some(true) {
            words.push("extractable");
        }
        if words.is_empty() { "-".to_owned() } else { words.join(",") }
    }
}

/// The template that finds the objects of some criteria.
pub fn template(which: &Criteria) -> Template {
    let mut template = Template::default().with_flag(CKA_TOKEN, true);
    if let Some(label) = &which.label {
        template.push(CKA_LABEL, label.as_bytes());
    }
    if let Some(id) = &which.id {
        template.push(CKA_ID, &id.0);
    }
    match which.class.and_then(Class::number) {
        Some(number) => template.with_number(CKA_CLASS, number),
        None => template,
    }
}

/// Finds all objects that a template matches.
///
/// # Errors
/// The HSM's.
pub fn find(session: &Session<'_>, template: &Template) -> Result<Vec<ObjectHandle>, Failure> {
    let what = || "cannot search the token".to_owned();
    session.hsm.find_init(session.handle, template).during(what)?;
    let mut all = Vec::new();
    loop {
        let some = session.hsm.find(session.handle, FIND_MOST).during(what)?;
        if some.is_empty() {
            break;
        }
        all.extend(some);
    }
    session.hsm.find_final(session.handle).during(what)?;
    Ok(all)
}

/// Describes an object of the token with the URI `token`.
///
/// # Errors
/// The HSM's.
pub fn describe(session: &Session<'_>, token: &str, object: ObjectHandle) -> Result<Description, Failure> {
    let seen = Seen::of(session, object)?;
    let class = Class::of(seen.number(CKA_CLASS));
    let id = seen.bytes(CKA_ID).unwrap_or_default();
    let label = String::from_utf8_lossy(seen.bytes(CKA_LABEL).unwrap_or_default()).into_owned();
    let (kind, bits) = seen.kind_and_bits(class);
    Ok(Description {
        class,
        kind,
        bits,
        uri: uri::object(token, id, &label, class.uri_type()),
        id: hex(id),
        label,
        usage: USAGES.iter().filter(|(kind, _)| seen.flag(*kind) == Some(true)).map(|(_, name)| *name).collect(),
        private: seen.flag(CKA_PRIVATE) == Some(true),
        sensitive: seen.flag(CKA_SENSITIVE),
        extractable: seen.flag(CKA_EXTRACTABLE),
        local: seen.flag(CKA_LOCAL),
        subject: (class == Class::Certificate).then(|| seen.bytes(CKA_SUBJECT).and_then(name_of)).flatten(),
    })
}

/// What a person knows an object by, in words.
#[derive(Debug, Clone, Serialize)]
pub struct Sketch {
    /// The class.
    pub class: String,
    /// Key type and size, curve or certificate type.
    #[serde(rename = "type")]
    pub kind: String,
    /// CKA_LABEL.
    pub label: String,
    /// CKA_ID in hexadecimal.
    pub id: String,
}

/// Sketches an object that is not in a token.
pub fn sketch(template: &Template) -> Sketch {
    let bytes = |kind: &u64| template.bytes(*kind).map(|value| (*kind, value.to_vec().into()));
    let seen = Seen(ASKED.iter().filter_map(bytes).collect());
    let class = match (Class::of(seen.number(CKA_CLASS)), seen.number(CKA_CLASS)) {
        (Class::Other, Some(number)) => names::printable(names::class, number),
        (class, _) => class.name().to_owned(),
    };
    let (kind, bits) = seen.kind_and_bits(Class::of(seen.number(CKA_CLASS)));
    Sketch {
        class,
        kind: type_cell(kind.as_deref(), bits),
        label: String::from_utf8_lossy(seen.bytes(CKA_LABEL).unwrap_or_default()).into_owned(),
        id: hex(seen.bytes(CKA_ID).unwrap_or_default()),
    }
}

/// Type and size in one cell.
fn type_cell(kind: Option<&str>, bits: Option<u64>) -> String {
    match (kind, bits) {
        (Some(kind), Some(bits)) if kind == "RSA" || kind == "AES" || kind == "generic" => format!("{kind} {bits}"),
        (Some(kind), _) => kind.to_owned(),
        (None, _) => "-".to_owned(),
    }
}

/// The text of a DER name (RFC 4514).
pub fn name_of(der: &[u8]) -> Option<String> {
    x509_cert::name::Name::from_der(der).ok().map(|name| name.to_string())
}

/// Attributes of an object as they were answered.
struct Seen(BTreeMap<u64, hsm_crypto::SecretBytes>);

impl Seen {
    fn of(session: &Session<'_>, object: ObjectHandle) -> Result<Self, Failure> {
        let kinds: Vec<u64> = ASKED.iter().copied().chain(USAGES.iter().map(|usage| usage.0)).collect();
        let answers = session
            .hsm
            .attributes(session.handle, object, &kinds)
            .during(|| format!("cannot read the attributes of object {}", object.0))?;
        let bytes = |answer: Answer| match answer {
            Answer::Bytes(bytes) => Some(bytes),
            Answer::Template(_) | Answer::Sensitive | Answer::Invalid => None,
        };
        Ok(Self(kinds.into_iter().zip(answers).filter_map(|(kind, answer)| Some((kind, bytes(answer)?))).collect()))
    }

    fn bytes(&self, kind: u64) -> Option<&[u8]> {
        self.0.get(&kind).map(hsm_crypto::SecretBytes::expose)
    }

    fn number(&self, kind: u64) -> Option<u64> {
        self.bytes(kind)?.try_into().ok().map(u64::from_ne_bytes)
    }

    fn flag(&self, kind: u64) -> Option<bool> {
        self.bytes(kind).map(|value| value == [1])
    }

    /// The type of a key or certificate in words, and a key's size in bits.
    fn kind_and_bits(&self, class: Class) -> (Option<String>, Option<u64>) {
        if class == Class::Certificate {
            let kind = (self.number(CKA_CERTIFICATE_TYPE) == Some(CKC_X_509)).then(|| "X.509".to_owned());
            return (kind, None);
        }
        let Some(key_type) = self.number(CKA_KEY_TYPE) else {
            return (None, None);
        };
        let length = self.number(CKA_VALUE_LEN).map(|bytes| bytes * 8);
        let (kind, bits) = match key_type {
            CKK_RSA => ("RSA", self.number(CKA_MODULUS_BITS).or_else(|| self.bytes(CKA_MODULUS).map(bit_length))),
            CKK_EC | CKK_EC_EDWARDS | CKK_EC_MONTGOMERY => return self.curve(),
            CKK_AES => ("AES", length),
            CKK_GENERIC_SECRET => ("generic", length),
            other => return (Some(names::printable(names::key_type, other)), length),
        };
        (Some(kind.to_owned()), bits)
    }

    fn curve(&self) -> (Option<String>, Option<u64>) {
        let curve = self.bytes(CKA_EC_PARAMS).and_then(|params| CurveName::parse(params).ok());
        let (name, bits) = match curve {
            Some(CurveName::Weierstrass(curve)) => (curve_name(curve), curve.bits() as u64),
            Some(CurveName::Ed25519) => ("Ed25519", 256),
            Some(CurveName::X25519) => ("X25519", 256),
            Some(CurveName::Ed448) => ("Ed448", 448),
            Some(CurveName::X448) => ("X448", 448),
            None => return (Some("EC".to_owned()), None),
        };
        (Some(name.to_owned()), Some(bits))
    }
}

fn curve_name(curve: Curve) -> &'static str {
    match curve {
        Curve::P224 => "P-224",
        Curve::P256 => "P-256",
        Curve::P384 => "P-384",
        Curve::P521 => "P-521",
        Curve::K256 => "secp256k1",
        Curve::BrainpoolP224r1 => "brainpoolP224r1",
        Curve::BrainpoolP224t1 => "brainpoolP224t1",
        Curve::BrainpoolP256r1 => "brainpoolP256r1",
        Curve::BrainpoolP256t1 => "brainpoolP256t1",
        Curve::BrainpoolP320r1 => "brainpoolP320r1",
        Curve::BrainpoolP320t1 => "brainpoolP320t1",
        Curve::BrainpoolP384r1 => "brainpoolP384r1",
        Curve::BrainpoolP384t1 => "brainpoolP384t1",
        Curve::BrainpoolP512r1 => "brainpoolP512r1",
        Curve::BrainpoolP512t1 => "brainpoolP512t1",
    }
}

/// The number of bits of a big-endian number.
fn bit_length(number: &[u8]) -> u64 {
    let digits = number.iter().skip_while(|byte| **byte == 0);
    let top = digits.clone().next().map_or(0, |byte| u64::from(byte.leading_zeros()));
    digits.count() as u64 * 8 - top
}

/// What is asked of every object, beside its usages.
const ASKED: [u64; 14] = [
    CKA_CLASS,
    CKA_KEY_TYPE,
    CKA_CERTIFICATE_TYPE,
    CKA_LABEL,
    CKA_ID,
    CKA_PRIVATE,
    CKA_SENSITIVE,
    CKA_EXTRACTABLE,
    CKA_LOCAL,
    CKA_MODULUS,
    CKA_MODULUS_BITS,
    CKA_EC_PARAMS,
    CKA_VALUE_LEN,
    CKA_SUBJECT,
];

/// Handles asked for at once.
const FIND_MOST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_number_does_not_count_leading_zeros() {
        assert_eq!(bit_length(&[0, 0x80, 0]), 16);
        assert_eq!(bit_length(&[1]), 1);
        assert_eq!(bit_length(&[]), 0);
    }

    #[test]
    fn every_class_has_a_row() {
        for class in [Class::PrivateKey, Class::PublicKey, Class::SecretKey, Class::Certificate, Class::Data] {
            assert_eq!(Class::of(class.number()), class);
        }
        assert_eq!(Class::of(Some(CKO_PROFILE)), Class::Other);
    }
}
