//! New objects: a template and what an operation made become one object.
//!
//! Owns: the order of the checks (who may give what, what is missing, what contradicts), defaults and
//! the marks of origin. Does not know: how keys are checked and computed (`complete`, `certificate`).
//! Called from `attributes::build` alone.
//! Rule source: PKCS#11 v2.40, table 15, and v3.1, 4.9 and 4.10 (LOCAL, ALWAYS_SENSITIVE, NEVER_EXTRACTABLE).

use super::row::{Fill, Give, Row};
use super::tables::{self, Table};
use super::{Actor, Material, Origin, complete, plain, values};
use crate::certificate;
use crate::object::{Attributes, Object, Value};
use crate::platform::Env;
use crate::policy::Policy;
use crate::reason::{Reason, Result};
use crate::template::{Entry, Template};
use ffi_headers::*;
use hsm_crypto::SecretBytes;

/// Random bytes of a CKA_UNIQUE_ID, printed as twice as many digits.
const UNIQUE_ID_BYTES: usize = 16;

/// An object in the making.
struct Draft {
    table: &'static Table,
    origin: Origin,
    attributes: Attributes,
    /// Values that must turn out to be what the template says.
    repeated: Vec<(u64, Value)>,
}

/// See [`super::build`].
pub(super) fn build(
    env: &Env<'_>,
    actor: Actor,
    origin: Origin,
    template: &Template,
    material: Material,
) -> Result<Object> {
    let Material { attributes: material, key: made } = material;
    values::refuse_duplicates(template)?;
    let table = choose_table(origin, template, &material)?;
    let mut draft = Draft { table, origin, attributes: Attributes::with_room(), repeated: Vec::new() };
    for entry in &template.entries {
        draft.take(actor, entry)?;
    }
    draft.add_material(material)?;
    draft.refuse_missing()?;
    draft.fill_defaults(env.policy);
    match origin {
        Origin::Migrate => draft.keep_origin()?,
        Origin::Create | Origin::Generate(_) | Origin::Unwrap(_) | Origin::Derive { .. } | Origin::Encapsulate(_) => {
            draft.mark_origin()
        }
    }
    let key = match table.class {
        CKO_DATA | CKO_TRUST => None,
        CKO_DOMAIN_PARAMETERS => {
            plain::complete_domain(&mut draft.attributes, table.row(CKA_SUBPRIME_BITS).is_some())?;
            None
        }
        CKO_CERTIFICATE => {
            certificate::complete(env, &mut draft.attributes)?;
            None
        }
        _ => Some(complete::complete(env, table, matches!(origin, Origin::Unwrap(_)), made, &mut draft.attributes)?),
    };
    draft.compare_repeated()?;
    check_together(&draft.attributes)?;
    env.policy.judge_object(origin, &draft.attributes)?;
    draft.attributes.insert(CKA_UNIQUE_ID, unique_id(env)?);
    Object::try_new(&draft.attributes, key)
}

/// A fresh value of CKA_UNIQUE_ID.
///
/// # Errors
/// The random source's.
pub(super) fn unique_id(env: &Env<'_>) -> Result<Value> {
    let mut bytes = [0; UNIQUE_ID_BYTES];
    env.random.fill(&mut bytes)?;
    let mut digits = Vec::with_capacity(2 * UNIQUE_ID_BYTES);
    for byte in bytes {
        digits.extend([byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
    }
    Ok(Value::Bytes(SecretBytes::new(digits)))
}

/// Refuses combinations of attributes that each are allowed.
///
/// # Errors
/// `TemplateInconsistent`; `TemplateIncomplete` for trust without a hash.
pub(super) fn check_together(attributes: &Attributes) -> Result<()> {
    if attributes.get(CKA_CLASS) == Some(&Value::Number(CKO_TRUST)) {
        return plain::check_trust(attributes);
    }
    let is_true = |kind| attributes.get(kind) == Some(&Value::Flag(true));
    if is_true(CKA_ALWAYS_AUTHENTICATE) && !is_true(CKA_PRIVATE) {
        let problem = "a key that asks for a login at each use must be private";
        return Err(Reason::TemplateInconsistent { kind: CKA_ALWAYS_AUTHENTICATE, problem });
    }
    Ok(())
}

/// Refuses a value that only the SO may give, from anybody else.
///
/// # Errors
/// `AttributeReadOnly`.
pub(super) fn check_officer(row: &Row, actor: Actor, old: Option<&Value>, new: &Value) -> Result<()> {
    let raises = *new == Value::Flag(true) && old != Some(&Value::Flag(true));
    if row.officer_only && raises && !actor.security_officer {
        return Err(Reason::AttributeReadOnly { kind: row.kind, rule: "only the SO makes it true" });
    }
    Ok(())
}

/// Stores a judged value; lists and templates without content are stored as absent: they restrict nothing.
pub(super) fn store(attributes: &mut Attributes, kind: u64, value: Value) {
    let empty = match &value {
        Value::Mechanisms(list) => list.is_empty(),
        Value::Template(template) => template.entries.is_empty(),
        Value::Flag(_) | Value::Number(_) | Value::Bytes(_) => false,
    };
    if !empty {
        attributes.insert(kind, value);
    }
}

/// Finds the table by the class and key type that the operation made, or the template asks for.
fn choose_table(origin: Origin, template: &Template, material: &Attributes) -> Result<&'static Table> {
    let number = |kind| -> Result<Option<u64>> {
        match (material.get(kind), template.entries.iter().find(|entry| entry.kind == kind)) {
            (Some(Value::Number(number)), _) => Ok(Some(*number)),
            (_, Some(entry)) => match template.number(kind) {
                Some(number) => Ok(Some(number)),
                None => Err(Reason::AttributeValue { kind: entry.kind, problem: "a CK_ULONG has eight bytes" }),
            },
            (_, None) => Ok(None),
        }
    };
    let class = number(CKA_CLASS)?.ok_or(Reason::TemplateIncomplete(CKA_CLASS))?;
    if let Some(problem) = tables::unmakeable(class) {
        return Err(Reason::AttributeValue { kind: CKA_CLASS, problem });
    }
    let made_here = match (class, origin) {
        (_, Origin::Create | Origin::Migrate) | (CKO_DATA, Origin::Derive { .. }) => true,
        _ => matches!(class, CKO_PUBLIC_KEY | CKO_PRIVATE_KEY | CKO_SECRET_KEY),
    };
    if !tables::has_class(class) || !made_here {
        return Err(Reason::AttributeValue { kind: CKA_CLASS, problem: "no such objects can be made here" });
    }
    if class == CKO_CERTIFICATE && number(CKA_CERTIFICATE_TYPE)?.unwrap_or(CKC_X_509) != CKC_X_509 {
        return Err(Reason::AttributeValue {
            kind: CKA_CERTIFICATE_TYPE,
            problem: "only X.509 certificates are known",
        });
    }
    if let Some(table) = tables::find(class, None) {
        return Ok(table);
    }
    let key_type = number(CKA_KEY_TYPE)?.ok_or(Reason::TemplateIncomplete(CKA_KEY_TYPE))?;
    if key_type == vendor::CKK_BIP32 && !matches!(origin, Origin::Derive { .. }) {
        return Err(Reason::AttributeValue { kind: CKA_KEY_TYPE, problem: "keys in trees are only derived" });
    }
    tables::find(class, Some(key_type))
        .ok_or(Reason::AttributeValue { kind: CKA_KEY_TYPE, problem: "no keys of this type in this class" })
}

impl Draft {
    /// What a template of this origin may do with an attribute.
    fn give(&self, row: &Row) -> Give {
        match self.origin {
            Origin::Create => row.create,
            Origin::Generate(_) => row.generate,
            Origin::Unwrap(_) => row.unwrap,
            Origin::Migrate => row.migrate,
            Origin::Derive { .. } | Origin::Encapsulate(_) => row.derive,
        }
    }

    /// Takes in one attribute of the template.
    fn take(&mut self, actor: Actor, entry: &Entry) -> Result<()> {
        let row = self.table.row(entry.kind).ok_or(Reason::AttributeUnknown(entry.kind))?;
        let give = self.give(row);
        if give == Give::Never {
            let rule = match self.origin {
                Origin::Create => "the token alone gives it",
                Origin::Generate(_) => "the generation gives it",
                Origin::Unwrap(_) => "the wrapped key gives it",
                Origin::Encapsulate(_) => "the encapsulation gives it",
                Origin::Migrate => "the new token gives it",
                Origin::Derive { .. } => "the derivation gives it",
            };
            return Err(Reason::AttributeReadOnly { kind: row.kind, rule });
        }
        let value = values::judge(row, &entry.value)?;
        check_officer(row, actor, None, &value)?;
        if give == Give::Same {
            self.repeated.push((row.kind, value));
        } else {
            store(&mut self.attributes, row.kind, value);
        }
        Ok(())
    }

    /// Adds what the operation made; it wins over nothing, so a template that differs is refused.
    fn add_material(&mut self, material: Attributes) -> Result<()> {
        for (kind, value) in material {
            if self.table.row(kind).is_none() {
                return Err(Reason::Internal("an operation made an attribute that the object has not"));
            }
            match self.attributes.get(kind) {
                Some(given) if !values::same(kind, given, &value) => {
                    return Err(Reason::TemplateInconsistent { kind, problem: "not what the operation makes" });
                }
                Some(_) => {}
                None => {
                    self.attributes.insert(kind, value);
                }
            }
        }
        // A client that named an Edwards curve in words gets the words back.
        if let Some((_, given)) = self.repeated.iter().find(|(kind, _)| *kind == CKA_EC_PARAMS)
            && let Some(made) = self.attributes.get_mut(CKA_EC_PARAMS)
            && values::same(CKA_EC_PARAMS, given, made)
        {
            *made = given.clone();
        }
        Ok(())
    }

    fn refuse_missing(&self) -> Result<()> {
        let missing = self.table.rows().find(|row| self.give(row) == Give::Must && !self.attributes.contains(row.kind));
        missing.map_or(Ok(()), |row| Err(Reason::TemplateIncomplete(row.kind)))
    }

    fn fill_defaults(&mut self, policy: Policy) {
        if matches!(self.origin, Origin::Encapsulate(_)) {
            // The one default that an origin changes (v3.2, 5.18.8 and 5.18.9).
            self.attributes.fill(CKA_EXTRACTABLE, || Value::Flag(true));
        }
        let given = [CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP]
            .map(|kind| (kind, self.attributes.get(kind) == Some(&Value::Flag(true))));
        let given = |kind| given.contains(&(kind, true));
        let default = |row: &Row| match row.fill {
            // The first three are not kept, so nobody asks for them.
            Fill::Absent | Fill::Computed | Fill::Always(_) | Fill::Empty => Value::Bytes(SecretBytes::default()),
            Fill::Flag(flag) => Value::Flag(flag),
            Fill::Number(number) => Value::Number(number),
            Fill::KeysPrivate => Value::Flag(self.table.is_secret()),
            // What another token has not allowed is not allowed.
            Fill::Usage => Value::Flag(
                self.origin != Origin::Migrate
                    && self.table.usages.contains(&row.kind)
                    && policy.defaults_to(self.table.class, row.kind, given),
            ),
        };
        let kept = self.table.rows().filter(|row| row.fill.is_kept());
        self.attributes.fill_all(kept.map(|row| (row.kind, row)), default);
    }

    /// Writes down where a key comes from.
    fn mark_origin(&mut self) {
        if !self.table.is_key() {
            self.mark_foreign();
            return;
        }
        let mechanism = match self.origin {
            Origin::Generate(mechanism) => Some(mechanism),
            Origin::Create | Origin::Unwrap(_) | Origin::Migrate | Origin::Derive { .. } | Origin::Encapsulate(_) => {
                None
            }
        };
        self.attributes.insert(CKA_LOCAL, Value::Flag(mechanism.is_some()));
        let mechanism = mechanism.unwrap_or(CK_UNAVAILABLE_INFORMATION);
        self.attributes.insert(CKA_KEY_GEN_MECHANISM, Value::Number(mechanism));
        if !self.table.is_secret() {
            return;
        }
        let sensitive = self.attributes.get(CKA_SENSITIVE) == Some(&Value::Flag(true));
        let locked = self.attributes.get(CKA_EXTRACTABLE) == Some(&Value::Flag(false));
        let (always, never) = match self.origin {
            Origin::Create | Origin::Unwrap(_) | Origin::Migrate | Origin::Encapsulate(_) => (false, false),
            Origin::Generate(_) => (sensitive, locked),
            Origin::Derive { always_sensitive, never_extractable, .. } => {
                (always_sensitive && sensitive, never_extractable && locked)
            }
        };
        self.attributes.insert(CKA_ALWAYS_SENSITIVE, Value::Flag(always));
        self.attributes.insert(CKA_NEVER_EXTRACTABLE, Value::Flag(never));
    }

    /// Writes down of domain parameters that the token has not made them, unless another token says that it has.
    fn mark_foreign(&mut self) {
        if self.table.row(CKA_LOCAL).is_some() {
            self.attributes.fill(CKA_LOCAL, || Value::Flag(false));
        }
    }

    /// Keeps what another token wrote down about where a key comes from; what it did not write down is not claimed.
    ///
    /// # Errors
    /// `TemplateInconsistent` for a mark that the key's present state contradicts.
    fn keep_origin(&mut self) -> Result<()> {
        if !self.table.is_key() {
            self.mark_foreign();
            return Ok(());
        }
        self.attributes.fill(CKA_LOCAL, || Value::Flag(false));
        self.attributes.fill(CKA_KEY_GEN_MECHANISM, || Value::Number(CK_UNAVAILABLE_INFORMATION));
        if !self.table.is_secret() {
            return Ok(());
        }
        for (mark, of, stays) in
            [(CKA_ALWAYS_SENSITIVE, CKA_SENSITIVE, true), (CKA_NEVER_EXTRACTABLE, CKA_EXTRACTABLE, false)]
        {
            let marked = *self.attributes.fill(mark, || Value::Flag(false)) == Value::Flag(true);
            if marked && self.attributes.get(of) != Some(&Value::Flag(stays)) {
                return Err(Reason::TemplateInconsistent { kind: mark, problem: "the key is no longer so" });
            }
        }
        Ok(())
    }

    fn compare_repeated(&self) -> Result<()> {
        let differs = |(kind, given): &&(u64, Value)| {
            self.attributes.get(*kind).is_none_or(|made| !values::same(*kind, given, made))
        };
        match self.repeated.iter().find(differs) {
            None => Ok(()),
            Some((kind, _)) => {
                Err(Reason::TemplateInconsistent { kind: *kind, problem: "not what the operation makes" })
            }
        }
    }
}
