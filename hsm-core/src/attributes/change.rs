//! Changes to objects that exist, and copies of them.
//!
//! Owns: what C_SetAttributeValue and C_CopyObject may change. Does not know: handles, sessions, the
//! store. Objects never change in place: both functions make a new one, so a refused change has had
//! no effect. Called from `attributes` alone.
//! Rule source: PKCS#11 v3.1, 5.7.2 and 5.7.6, and v2.40, table 15, footnotes 8 to 12.

use super::row::{Change, Row};
use super::tables::{self, Table};
use super::{Actor, build, values};
use crate::object::{Attributes, Object, Value, ValueRef};
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::template::{Entry, Template};
use ffi_headers::*;

/// See [`super::copy`].
pub(super) fn copy(env: &Env<'_>, actor: Actor, source: &Object, template: &Template) -> Result<Object> {
    refuse_unless(source, CKA_COPYABLE)?;
    let mut attributes = changed(env, actor, source, template, |row| row.copy)?;
    attributes.insert(CKA_UNIQUE_ID, build::unique_id(env)?);
    source.with_attributes(&attributes)
}

/// See [`super::modify`].
pub(super) fn modify(env: &Env<'_>, actor: Actor, object: &Object, template: &Template) -> Result<Object> {
    refuse_unless(object, CKA_MODIFIABLE)?;
    object.with_attributes(&changed(env, actor, object, template, |row| row.set)?)
}

/// Refuses what one of the flags MODIFIABLE, COPYABLE and DESTROYABLE forbids.
///
/// # Errors
/// `ActionProhibited` when the flag is there and false.
pub(super) fn refuse_unless(object: &Object, kind: u64) -> Result<()> {
    match object.value(kind) {
        Some(ValueRef::Flag(false)) => Err(Reason::ActionProhibited(kind)),
        _ => Ok(()),
    }
}

/// The attributes of the object with the template's changes, judged by one column of the table.
fn changed(
    env: &Env<'_>,
    actor: Actor,
    object: &Object,
    template: &Template,
    column: fn(&Row) -> Change,
) -> Result<Attributes> {
    values::refuse_duplicates(template)?;
    let table = tables::find(object.class(), object.key_type()).ok_or(Reason::Damaged("an object of unknown class"))?;
    let mut attributes = object.attributes();
    for entry in &template.entries {
        let row = table.row(entry.kind).ok_or(Reason::AttributeUnknown(entry.kind))?;
        change(actor, table, row, column(row), entry, &mut attributes)?;
    }
    build::check_together(&attributes)?;
    env.policy.judge_usages(object, &attributes)?;
    Ok(attributes)
}

fn change(
    actor: Actor,
    table: &Table,
    row: &Row,
    rule: Change,
    entry: &Entry,
    attributes: &mut Attributes,
) -> Result<()> {
    let refused = |rule| Err(Reason::AttributeReadOnly { kind: row.kind, rule });
    if rule == Change::Never {
        return refused("it does not change after the object is made");
    }
    let value = values::judge(row, &entry.value)?;
    let old = attributes.get(row.kind);
    build::check_officer(row, actor, old, &value)?;
    match (rule, old, &value) {
        (Change::Same, _, _) => {
            let empty = super::read::fallback(table, row);
            if !old.or(empty.as_ref()).is_some_and(|old| values::same(row.kind, old, &value)) {
                return refused("a copy has the value of the original");
            }
            return Ok(());
        }
        (Change::OnlyTrue, Some(Value::Flag(true)), Value::Flag(false)) if row.kind == CKA_PRIVATE => {
            let problem = "the copy of a private object is private";
            return Err(Reason::TemplateInconsistent { kind: row.kind, problem });
        }
        (Change::OnlyTrue, Some(Value::Flag(true)), Value::Flag(false)) => return refused("once true, it stays true"),
        (Change::OnlyFalse, Some(Value::Flag(false)), Value::Flag(true)) => {
            return refused("once false, it stays false");
        }
        _ => {}
    }
    attributes.insert(row.kind, value);
    Ok(())
}
