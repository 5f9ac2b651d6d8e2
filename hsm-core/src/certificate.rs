//! What an X.509 certificate's DER says about the attributes of its object.
//!
//! Owns: reading serial number, names, validity and public key, each exactly as it is encoded, since
//! clients search for those bytes. Does not know: trust, signatures, extensions; a certificate whose
//! extensions are unusual is still stored. Called from `attributes::build`.
//! Rule source: RFC 5280, 4.1, and PKCS#11 v3.1, 4.6.3.

use crate::attributes::complete::{put_check_value, sha1_check_value};
use crate::object::{Attributes, Value};
use crate::platform::Env;
use crate::reason::{Reason, Result};
use der::{Decode, Reader, SliceReader, Tag, TagNumber};
use ffi_headers::*;
use hsm_crypto::SecretBytes;
use x509_cert::time::{Time, Validity};

/// The fields of a certificate that its object has as attributes; DER with tag and length.
#[derive(Debug, PartialEq, Eq)]
pub struct Fields<'a> {
    /// `serialNumber`, an INTEGER.
    pub serial_number: &'a [u8],
    /// `issuer`, a Name.
    pub issuer: &'a [u8],
    /// `subject`, a Name.
    pub subject: &'a [u8],
    /// `subjectPublicKeyInfo`.
    pub public_key_info: &'a [u8],
    /// First day of validity as `YYYYMMDD`, where a calendar has it.
    pub start_date: Option<String>,
    /// Last day of validity as `YYYYMMDD`, where a calendar has it.
    pub end_date: Option<String>,
}

/// Reads the fields of a DER certificate.
///
/// # Errors
/// `AttributeValue` for CKA_VALUE when the bytes are not one X.509 certificate.
pub fn parse(der: &[u8]) -> Result<Fields<'_>> {
    // What exactly is wrong with a DER structure helps nobody who holds the certificate; the attribute does.
    read(der).map_err(|_| Reason::AttributeValue { kind: CKA_VALUE, problem: "not an X.509 certificate in DER" })
}

/// Fills in what the template left out of a certificate object.
///
/// # Errors
/// `TemplateIncomplete` without CKA_VALUE or CKA_URL; `AttributeValue` for a value that is no certificate,
/// and for a check value or public key that is not the certificate's.
pub(crate) fn complete(env: &Env<'_>, attributes: &mut Attributes) -> Result<()> {
    let value = match attributes.get(CKA_VALUE) {
        Some(Value::Bytes(value)) => value.clone(),
        _ => SecretBytes::default(),
    };
    if value.is_empty() {
        return complete_without_value(attributes);
    }
    let fields = parse(value.expose())?;
    if let Some(Value::Bytes(given)) = attributes.get(CKA_PUBLIC_KEY_INFO)
        && !given.is_empty()
        && given.expose() != fields.public_key_info
    {
        return Err(Reason::AttributeValue { kind: CKA_PUBLIC_KEY_INFO, problem: "not of this certificate" });
    }
    fill(attributes, CKA_SUBJECT, fields.subject);
    fill(attributes, CKA_ISSUER, fields.issuer);
    fill(attributes, CKA_SERIAL_NUMBER, fields.serial_number);
    fill(attributes, CKA_PUBLIC_KEY_INFO, fields.public_key_info);
    fill(attributes, CKA_START_DATE, fields.start_date.unwrap_or_default().as_bytes());
    fill(attributes, CKA_END_DATE, fields.end_date.unwrap_or_default().as_bytes());
    put_check_value(attributes, &sha1_check_value(env, value.expose()))
}

/// A certificate that is somewhere else: CKA_URL says where, and the hashes say which.
fn complete_without_value(attributes: &mut Attributes) -> Result<()> {
    if is_empty(attributes, CKA_URL) {
        return Err(Reason::TemplateIncomplete(CKA_VALUE));
    }
    for kind in [CKA_SUBJECT, CKA_HASH_OF_SUBJECT_PUBLIC_KEY, CKA_HASH_OF_ISSUER_PUBLIC_KEY] {
        if is_empty(attributes, kind) {
            return Err(Reason::TemplateIncomplete(kind));
        }
    }
    for kind in [CKA_ISSUER, CKA_SERIAL_NUMBER, CKA_PUBLIC_KEY_INFO, CKA_START_DATE, CKA_END_DATE, CKA_CHECK_VALUE] {
        fill(attributes, kind, &[]);
    }
    Ok(())
}

fn is_empty(attributes: &Attributes, kind: u64) -> bool {
    !matches!(attributes.get(kind), Some(Value::Bytes(bytes)) if !bytes.is_empty())
}

/// Puts a value where the template has none, or an empty one.
fn fill(attributes: &mut Attributes, kind: u64, value: &[u8]) {
    if is_empty(attributes, kind) {
        attributes.insert(kind, Value::Bytes(SecretBytes::copy_of(value)));
    }
}

fn read(der: &[u8]) -> der::Result<Fields<'_>> {
    let mut outer = SliceReader::new(der)?;
    let fields = outer.sequence(|certificate| {
        let fields = certificate.sequence(read_to_be_signed)?;
        element(certificate, Tag::Sequence)?; // signatureAlgorithm
        element(certificate, Tag::BitString)?; // signatureValue
        Ok::<_, der::Error>(fields)
    })?;
    outer.finish()?;
    Ok(fields)
}

fn read_to_be_signed<'a>(reader: &mut SliceReader<'a>) -> der::Result<Fields<'a>> {
    let version = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
    if Tag::peek(reader)? == version {
        element(reader, version)?;
    }
    let serial_number = element(reader, Tag::Integer)?;
    element(reader, Tag::Sequence)?; // signature
    let issuer = element(reader, Tag::Sequence)?;
    let validity = element(reader, Tag::Sequence)?;
    let subject = element(reader, Tag::Sequence)?;
    let public_key_info = element(reader, Tag::Sequence)?;
    while !reader.is_finished() {
        reader.tlv_bytes()?; // unique identifiers, extensions
    }
    // A validity that cannot be read (a year before 1970) costs the dates, not the certificate.
    let validity = <Validity>::from_der(validity).ok();
    Ok(Fields {
        serial_number,
        issuer,
        subject,
        public_key_info,
        start_date: validity.map(|validity| date(&validity.not_before)),
        end_date: validity.map(|validity| date(&validity.not_after)),
    })
}

fn element<'a>(reader: &mut SliceReader<'a>, tag: Tag) -> der::Result<&'a [u8]> {
    Tag::peek(reader)?.assert_eq(tag)?;
    reader.tlv_bytes()
}

fn date(time: &Time) -> String {
    let time = time.to_date_time();
    format!("{:04}{:02}{:02}", time.year(), time.month(), time.day())
}
