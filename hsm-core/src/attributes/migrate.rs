//! Objects that another token kept: what comes over as it was, and what is told instead.
//!
//! Owns: which values are left out of an object rather than the object left behind, and whether a refused
//! object is one that this token does not have or one that is broken. Does not know: whose files the object
//! comes from. The rules of each attribute are the column *Migrate* of the tables; key material is judged as
//! in any new object. Called from the command that takes tokens over.

use super::row::{Form, Give};
use super::tables::{self, Table};
use super::{Actor, Origin, build, values};
use crate::limits::{RSA_BITS_MAX, RSA_BITS_MIN, RSA_PRIVATE_BITS_MAX};
use crate::object::{Attributes, Object};
use crate::platform::Env;
use crate::reason::Reason;
use crate::template::{Given, Template};
use ffi_headers::*;

/// An object of another token, made one of this token.
#[derive(Debug)]
pub struct Migrated {
    /// The object.
    pub object: Object,
    /// The attributes that were left out, and why.
    pub without: Vec<(u64, Reason)>,
}

/// Why an object of another token does not come over.
#[derive(Debug)]
pub enum Refusal {
    /// This token has no such objects: class, type, curve or size are not supported.
    Unsupported(Reason),
    /// It is no working object: its key material makes no key.
    Faulty(Reason),
}

impl Refusal {
    /// The reason.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        match self {
            Refusal::Unsupported(reason) | Refusal::Faulty(reason) => reason,
        }
    }
}

/// Makes an object from all that another token kept of it.
///
/// The caller has shown both PINs of that token, so attributes that only the SO sets are kept, too. An empty value
/// of what can be computed counts as absent: some tokens store every attribute that they know.
///
/// # Errors
/// See [`Refusal`].
pub fn migrate(env: &Env<'_>, kept: &Template) -> Result<Migrated, Refusal> {
    let actor = Actor { security_officer: true, user: true };
    let table = table_of(kept);
    let mut template = without_blanks(table, kept);
    let mut without = Vec::new();
    loop {
        let reason = match build::build(env, actor, Origin::Migrate, &template, Attributes::new().into()) {
            Ok(object) => return Ok(Migrated { object, without }),
            Err(reason) => reason,
        };
        let entries = template.entries.len();
        if let Some(kind) = spared(table, &reason) {
            template.entries.retain(|entry| entry.kind != kind);
            if template.entries.len() < entries {
                without.push((kind, reason));
                continue;
            }
        }
        return Err(refusal(table, &template, reason));
    }
}

fn table_of(template: &Template) -> Option<&'static Table> {
    let class = template.number(CKA_CLASS)?;
    tables::find(class, None).or_else(|| tables::find(class, template.number(CKA_KEY_TYPE)))
}

/// The template without empty values of numbers and of what is computed.
fn without_blanks(table: Option<&'static Table>, template: &Template) -> Template {
    let blank = |kind, value: &Given| {
        let empty = matches!(value, Given::Bytes(bytes) if bytes.is_empty());
        let row = table.and_then(|table| table.row(kind));
        empty && row.is_some_and(|row| row.form == Form::BigInteger || row.fill == super::row::Fill::Computed)
    };
    let entries = template.entries.iter().filter(|entry| !blank(entry.kind, &entry.value)).cloned().collect();
    Template { entries }
}

/// The attribute that the reason is about, where the object is as good without it.
fn spared(table: Option<&'static Table>, reason: &Reason) -> Option<u64> {
    let kind = about(reason)?;
    match table?.row(kind) {
        Some(row) => matches!(row.migrate, Give::Try | Give::Same | Give::Never).then_some(kind),
        // Nothing here reads an attribute that the object cannot have.
        None => matches!(reason, Reason::AttributeUnknown(_)).then_some(kind),
    }
}

/// The attribute that a reason names.
fn about(reason: &Reason) -> Option<u64> {
    match reason {
        Reason::AttributeUnknown(kind)
        | Reason::AttributeReadOnly { kind, .. }
        | Reason::AttributeValue { kind, .. }
        | Reason::TemplateInconsistent { kind, .. }
        | Reason::TemplateIncomplete(kind) => Some(*kind),
        _ => None,
    }
}

/// Tells a key that is none from an object that the token does not have.
fn refusal(table: Option<&'static Table>, template: &Template, reason: Reason) -> Refusal {
    let Some(table) = table.filter(|table| table.key_type.is_some()) else { return Refusal::Unsupported(reason) };
    let modulus = template.bytes(CKA_MODULUS).map(values::bit_length);
    let bits_max = if table.class == CKO_PUBLIC_KEY { RSA_BITS_MAX } else { RSA_PRIVATE_BITS_MAX };
    if table.key_type == Some(CKK_RSA)
        && modulus.is_some_and(|bits| !(RSA_BITS_MIN..=bits_max).contains(&(bits as u64)))
    {
        let problem = "an RSA key of a size that the token does not have";
        return Refusal::Unsupported(Reason::AttributeValue { kind: CKA_MODULUS, problem });
    }
    match (&reason, about(&reason)) {
        (Reason::KeyMaterial(_) | Reason::Crypto(_), _) => Refusal::Faulty(reason),
        (Reason::CurveUnknown, _) | (_, Some(CKA_EC_PARAMS)) => Refusal::Unsupported(reason),
        (_, Some(kind)) if kind == table.material || is_material(table, kind) => Refusal::Faulty(reason),
        _ => Refusal::Unsupported(reason),
    }
}

fn is_material(table: &Table, kind: u64) -> bool {
    kind == CKA_EC_POINT || table.row(kind).is_some_and(|row| row.sensitive || row.form == Form::BigInteger)
}
