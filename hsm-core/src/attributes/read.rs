//! Questions about objects: the value of an attribute, and whether an object fits a search.
//!
//! Owns: what is revealed. Does not know: who asks (private objects are hidden by `access`), buffers.
//! A sensitive value is neither answered nor compared, so that a search is no oracle for it.
//! Rule source: PKCS#11 v3.1, 5.7.5 and 5.7.7, and v2.40, table 15, footnote 7.

use super::curves::CurveName;
use super::row::{Fill, Form, Row};
use super::tables::{self, Table};
use crate::object::{Object, Value, ValueRef};
use crate::template::{Entry, Given, Template};
use crate::types::Answer;
use ffi_headers::*;
use hsm_crypto::SecretBytes;

/// See [`super::answer`].
pub(super) fn answer(object: &Object, kind: u64) -> Answer {
    let Some(table) = tables::find(object.class(), object.key_type()) else { return Answer::Invalid };
    let Some(row) = table.row(kind) else { return Answer::Invalid };
    if row.sensitive && !is_open(object) {
        return Answer::Sensitive;
    }
    match object.value(kind) {
        Some(value) => encoded(value),
        None => fallback(table, row).map_or(Answer::Invalid, |value| encoded(value.lend())),
    }
}

/// See [`super::matches`].
pub(super) fn matches(object: &Object, template: &Template) -> bool {
    // The class is what most searches differ in, and the table of the object is looked for only after it.
    if template.number(CKA_CLASS).is_some_and(|class| class != object.class()) {
        return false;
    }
    if template.entries.is_empty() {
        return true;
    }
    let Some(table) = tables::find(object.class(), object.key_type()) else { return false };
    template.entries.iter().all(|entry| fits(object, table, entry))
}

/// The value that an absent attribute stands for: its default, or the list or template that restricts nothing.
pub(super) fn fallback(table: &Table, row: &Row) -> Option<Value> {
    match (row.fill, row.form) {
        (Fill::Absent, Form::Mechanisms) => Some(Value::Mechanisms(Box::default())),
        (Fill::Absent, Form::Template) => Some(Value::Template(Box::default())),
        (Fill::Absent | Fill::Computed, _) => None,
        (Fill::Empty, _) => Some(Value::Bytes(SecretBytes::default())),
        (Fill::Flag(flag), _) => Some(Value::Flag(flag)),
        (Fill::Number(number) | Fill::Always(number), _) => Some(Value::Number(number)),
        (Fill::KeysPrivate, _) => Some(Value::Flag(table.is_secret())),
        // A usage that was not written down is not allowed.
        (Fill::Usage, _) => Some(Value::Flag(false)),
    }
}

/// Whether the secrets of a key may be revealed; what is not written down is not.
fn is_open(object: &Object) -> bool {
    matches!(object.value(CKA_SENSITIVE), Some(ValueRef::Flag(false))) && object.flag(CKA_EXTRACTABLE)
}

fn encoded(value: ValueRef<'_>) -> Answer {
    match value {
        ValueRef::Flag(flag) => Answer::Bytes(vec![u8::from(flag)].into()),
        ValueRef::Number(number) => Answer::Bytes(number.to_ne_bytes().to_vec().into()),
        ValueRef::Bytes(bytes) => Answer::Bytes(SecretBytes::copy_of(bytes)),
        ValueRef::Mechanisms(list) => Answer::Bytes(native(&list).into()),
        ValueRef::Template(template) => Answer::Template(template),
    }
}

fn native(list: &[u64]) -> Vec<u8> {
    list.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

fn fits(object: &Object, table: &Table, entry: &Entry) -> bool {
    let Some(row) = table.row(entry.kind) else { return false };
    if row.sensitive {
        return false;
    }
    match object.value(entry.kind) {
        Some(value) => equals(object, entry, &value),
        None => fallback(table, row).is_some_and(|value| equals(object, entry, &value.lend())),
    }
}

fn equals(object: &Object, entry: &Entry, value: &ValueRef<'_>) -> bool {
    match (&entry.value, value) {
        (Given::Bytes(given), ValueRef::Flag(flag)) => given.expose() == [u8::from(*flag)],
        (Given::Bytes(given), ValueRef::Number(number)) => given.expose() == number.to_ne_bytes(),
        (Given::Bytes(given), ValueRef::Bytes(bytes)) => {
            given.ct_eq(bytes) || (entry.kind == CKA_EC_POINT && is_same_point(object, given.expose(), bytes))
        }
        (Given::Bytes(given), ValueRef::Mechanisms(list)) => given.expose() == native(list),
        (Given::Bytes(given), ValueRef::Template(template)) => given.is_empty() && template.entries.is_empty(),
        (Given::Template(given), ValueRef::Template(template)) => given == template,
        (Given::Template(_), _) => false,
    }
}

/// Some clients search for the point without the OCTET STRING around it.
fn is_same_point(object: &Object, given: &[u8], kept: &[u8]) -> bool {
    let Some(Ok(curve)) = object.bytes(CKA_EC_PARAMS).map(CurveName::parse) else { return false };
    matches!((curve.parse_point(given), curve.parse_point(kept)), (Ok(given), Ok(kept)) if given == kept)
}
