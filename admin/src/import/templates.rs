//! What objects a key or certificate becomes.
//!
//! Owns: attributes, IDs and labels of imported objects. Does not know: files, sessions. The core fills
//! in what can be computed (CHECK_VALUE, PUBLIC_KEY_INFO, subject, issuer and serial number).

use super::file::{Cert, Key, Parcel};
use crate::cli::{Import, KeyUsage};
use crate::failure::Failure;
use ffi_headers::*;
use hsm_core::attributes::curves::{CurveName, octet_string};
use hsm_core::object::{self, Attributes};
use hsm_core::post_quantum;
use hsm_core::stateful;
use hsm_core::template::Template;
use hsm_crypto::encoding::{PrivateForm, PublicForm, encode_spki};
use hsm_crypto::{CryptoError, Hash};
use pkcs8::spki::SubjectPublicKeyInfoRef;
use x509_cert::der::Encode;

/// An object that is to be created.
pub struct Planned {
    /// What it is, for messages.
    pub what: &'static str,
    /// Its ID.
    pub id: Vec<u8>,
    /// Its attributes.
    pub template: Template,
}

/// Plans the objects of a parcel: per key the private and the public key, then the certificates.
///
/// # Errors
/// `Usage` when --id cannot be meant for all keys; `Failed` for a key that is not valid.
pub fn plan(parcel: &Parcel, args: &Import) -> Result<Vec<Planned>, Failure> {
    if args.id.is_some() && (parcel.keys.len() > 1 || (parcel.keys.is_empty() && parcel.certificates.len() > 1)) {
        return Err(Failure::Usage("the file holds more than one key, so one --id cannot be meant for all".to_owned()));
    }
    let given = args.id.as_ref().map(|id| id.0.clone());
    let mut planned = Vec::new();
    let mut own: Vec<(Vec<u8>, Vec<u8>, String)> = Vec::new();
    for key in &parcel.keys {
        let invalid = |error: CryptoError| Failure::new(format!("cannot import {}", args.file.display()), error, "");
        let public = public_form(&key.form).map_err(invalid)?;
        let hash = key_hash(&encode_spki(&public).map_err(invalid)?, args)?;
        let certificate =
            parcel.certificates.iter().find(|cert| certificate_hash(cert, args).is_ok_and(|it| it == hash));
        let id = given.clone().unwrap_or_else(|| hash.clone());
        let label = label(args, key, certificate, parcel);
        let mut private = private_template(&key.form, args);
        let mut public = public_template(&public);
        for template in [&mut private, &mut public] {
            template.push(CKA_LABEL, label.as_bytes());
            template.push(CKA_ID, &id);
            if let Some(subject) = certificate.and_then(|cert| cert.decoded.tbs_certificate().subject().to_der().ok()) {
                template.push(CKA_SUBJECT, &subject);
            }
        }
        planned.push(Planned { what: "private key", id: id.clone(), template: private });
        planned.push(Planned { what: "public key", id: id.clone(), template: public });
        own.push((hash, id, label));
    }
    for cert in &parcel.certificates {
        let hash = certificate_hash(cert, args)?;
        let (id, label) = match own.iter().find(|(known, _, _)| *known == hash) {
            Some((_, id, label)) => (id.clone(), label.clone()),
            // A certificate of the chain: the label given is the key's, so it keeps its own name.
            None if !parcel.keys.is_empty() => (hash, certificate_name(cert)),
            None => {
                let label = args.label.clone().or_else(|| cert.name.clone()).unwrap_or_else(|| certificate_name(cert));
                (given.clone().unwrap_or(hash), label)
            }
        };
        planned.push(Planned { what: "certificate", template: certificate_template(cert, &id, &label), id });
    }
    Ok(planned)
}

fn label(args: &Import, key: &Key, certificate: Option<&Cert>, parcel: &Parcel) -> String {
    let named = args.label.clone().or_else(|| key.name.clone());
    named.or_else(|| certificate.and_then(|cert| cert.name.clone())).unwrap_or_else(|| parcel.name.clone())
}

/// The public half of a private key.
fn public_form(key: &PrivateForm) -> Result<PublicForm, CryptoError> {
    let engine = hsm_crypto::preferred();
    Ok(match key {
        PrivateForm::Rsa(parts) => {
            PublicForm::Rsa { modulus: parts.modulus.clone(), public_exponent: parts.public_exponent.clone() }
        }
        // The point is computed even where the file has one, so that a wrong one in the file does no harm.
        PrivateForm::Ec { curve, scalar, point: _ } => {
            PublicForm::Ec { curve: *curve, point: (engine.ec_private)(*curve, scalar.expose())?.public_point() }
        }
        PrivateForm::Ed25519(seed) => PublicForm::Ed25519((engine.ed25519_private)(seed.expose())?.public_key()),
        PrivateForm::X25519(key) => PublicForm::X25519((engine.x25519_private)(key.expose())?.public_key()),
        PrivateForm::Ed448(seed) => PublicForm::Ed448((engine.ed448_private)(seed.expose())?.public_key()),
        PrivateForm::X448(key) => PublicForm::X448((engine.x448_private)(key.expose())?.public_key()),
        PrivateForm::PostQuantum { set, seed, key } => {
            post_quantum::public_of_form(engine, *set, seed.as_ref(), key.as_ref())?
        }
    })
}

/// The SHA-1 hash of the key bits of a SubjectPublicKeyInfo (RFC 5280, 4.2.1.2, method 1).
fn key_hash(spki: &[u8], args: &Import) -> Result<Vec<u8>, Failure> {
    let malformed = |error| Failure::new(format!("cannot import {}", args.file.display()), error, "");
    let info = SubjectPublicKeyInfoRef::try_from(spki).map_err(malformed)?;
    let mut digest = (hsm_crypto::preferred().digest)(Hash::Sha1);
    digest.update(info.subject_public_key.raw_bytes());
    Ok(digest.finish())
}

fn certificate_hash(cert: &Cert, args: &Import) -> Result<Vec<u8>, Failure> {
    let spki = cert.decoded.tbs_certificate().subject_public_key_info().to_der();
    key_hash(&spki.map_err(|error| Failure::new(format!("cannot import {}", args.file.display()), error, ""))?, args)
}

/// The common name of a certificate's subject, or all of it.
fn certificate_name(cert: &Cert) -> String {
    let subject = cert.decoded.tbs_certificate().subject().to_string();
    let common = subject.split(',').find_map(|part| part.trim().strip_prefix("CN="));
    common.unwrap_or(&subject).to_owned()
}

fn private_template(key: &PrivateForm, args: &Import) -> Template {
    let mut template = Template::default()
        .with_number(CKA_CLASS, CKO_PRIVATE_KEY)
        .with_flag(CKA_TOKEN, true)
        .with_flag(CKA_PRIVATE, true)
        .with_flag(CKA_SENSITIVE, args.sensitive)
        .with_flag(CKA_EXTRACTABLE, args.extractable);
    if !args.usage.is_empty() {
        for (usage, kind) in USAGES {
            template = template.with_flag(kind, args.usage.contains(&usage));
        }
    }
    match key {
        PrivateForm::Rsa(parts) => template
            .with_number(CKA_KEY_TYPE, CKK_RSA)
            .with(CKA_MODULUS, &parts.modulus)
            .with(CKA_PUBLIC_EXPONENT, &parts.public_exponent)
            .with(CKA_PRIVATE_EXPONENT, parts.private_exponent.expose())
            .with(CKA_PRIME_1, parts.prime_1.expose())
            .with(CKA_PRIME_2, parts.prime_2.expose())
            .with(CKA_EXPONENT_1, parts.exponent_1.expose())
            .with(CKA_EXPONENT_2, parts.exponent_2.expose())
            .with(CKA_COEFFICIENT, parts.coefficient.expose()),
        PrivateForm::Ec { curve, scalar, point: _ } => {
            on_curve(template, CurveName::Weierstrass(*curve)).with(CKA_VALUE, scalar.expose())
        }
        PrivateForm::Ed25519(seed) => on_curve(template, CurveName::Ed25519).with(CKA_VALUE, seed.expose()),
        PrivateForm::X25519(key) => on_curve(template, CurveName::X25519).with(CKA_VALUE, key.expose()),
        PrivateForm::Ed448(seed) => on_curve(template, CurveName::Ed448).with(CKA_VALUE, seed.expose()),
        PrivateForm::X448(key) => on_curve(template, CurveName::X448).with(CKA_VALUE, key.expose()),
        PrivateForm::PostQuantum { set, seed, key } => {
            let material = post_quantum::private_material(*set, seed.clone(), key.clone());
            with_material(template, &material)
        }
    }
}

fn public_template(key: &PublicForm) -> Template {
    let template = Template::default()
        .with_number(CKA_CLASS, CKO_PUBLIC_KEY)
        .with_flag(CKA_TOKEN, true)
        .with_flag(CKA_PRIVATE, false);
    match key {
        PublicForm::Rsa { modulus, public_exponent } => template
            .with_number(CKA_KEY_TYPE, CKK_RSA)
            .with(CKA_MODULUS, modulus)
            .with(CKA_PUBLIC_EXPONENT, public_exponent),
        PublicForm::Ec { curve, point } => {
            on_curve(template, CurveName::Weierstrass(*curve)).with(CKA_EC_POINT, &octet_string(point))
        }
        PublicForm::Ed25519(point) => on_curve(template, CurveName::Ed25519).with(CKA_EC_POINT, &octet_string(point)),
        PublicForm::X25519(point) => on_curve(template, CurveName::X25519).with(CKA_EC_POINT, &octet_string(point)),
        PublicForm::Ed448(point) => on_curve(template, CurveName::Ed448).with(CKA_EC_POINT, &octet_string(point)),
        PublicForm::X448(point) => on_curve(template, CurveName::X448).with(CKA_EC_POINT, &octet_string(point)),
        PublicForm::PostQuantum { set, key } => {
            with_material(template, &post_quantum::public_material(*set, key.clone()))
        }
        PublicForm::HashBased { scheme, key } => {
            with_material(template, &stateful::public_material(*scheme, key.clone()))
        }
    }
}

/// The template with all of a key's material but its class, which the template has.
fn with_material(mut template: Template, material: &Attributes) -> Template {
    let material = object::template(material).entries;
    template.entries.extend(material.into_iter().filter(|entry| entry.kind != CKA_CLASS));
    template
}

fn on_curve(template: Template, curve: CurveName) -> Template {
    template.with_number(CKA_KEY_TYPE, curve.key_type()).with(CKA_EC_PARAMS, curve.oid_der())
}

fn certificate_template(cert: &Cert, id: &[u8], label: &str) -> Template {
    Template::default()
        .with_number(CKA_CLASS, CKO_CERTIFICATE)
        .with_number(CKA_CERTIFICATE_TYPE, CKC_X_509)
        .with_flag(CKA_TOKEN, true)
        .with_flag(CKA_PRIVATE, false)
        .with(CKA_LABEL, label.as_bytes())
        .with(CKA_ID, id)
        .with(CKA_VALUE, &cert.der)
}

/// The usages of a private key and the attributes that allow them.
const USAGES: [(KeyUsage, u64); 5] = [
    (KeyUsage::Sign, CKA_SIGN),
    (KeyUsage::Sign, CKA_SIGN_RECOVER),
    (KeyUsage::Decrypt, CKA_DECRYPT),
    (KeyUsage::Unwrap, CKA_UNWRAP),
    (KeyUsage::Derive, CKA_DERIVE),
];
