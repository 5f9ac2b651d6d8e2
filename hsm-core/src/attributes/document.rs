//! The attribute tables as a document, `docs/attributes.md`.
//!
//! Owns: the words around the tables. The rows are printed from the same data that judges templates,
//! so the document cannot lag behind; a test compares it with the file, and rewrites the file when
//! `UPDATE_GOLDEN=1` is set.

use super::row::{Change, Fill, Form, Give, Row};
use super::tables::{self, Group, Table};
use crate::reason::Reason;
use ffi_headers::names;

/// Renders `docs/attributes.md`.
#[must_use]
pub fn document() -> String {
    let mut out = head();
    for group in tables::groups() {
        out += &render_group(group);
    }
    out += "## Classes and key types\n\n";
    out += "An object has the attributes of each group named. Where a template is silent, the usages in the last column are\n";
    out += "true and all other usages are false; an explicit value is taken as it is, also one that the type cannot use.\n\n";
    out += "| Class | Key type | Groups | True by default |\n|---|---|---|---|\n";
    for table in tables::all() {
        out += &render_table(table);
    }
    out
}

/// The head, with the return values that the reasons stand for.
fn head() -> String {
    let (kind, rule, problem) = (0, "", "");
    let reasons = [
        ("{read_only}", Reason::AttributeReadOnly { kind, rule }),
        ("{inconsistent}", Reason::TemplateInconsistent { kind, problem }),
        ("{unknown}", Reason::AttributeUnknown(kind)),
        ("{value}", Reason::AttributeValue { kind, problem }),
    ];
    reasons.iter().fold(HEAD.to_owned(), |head, (place, reason)| {
        head.replace(place, &format!("`{}`", name(names::return_value, reason.rv())))
    })
}

fn render_group(group: &Group) -> String {
    let keys =
        group.rows.iter().any(|row| [row.generate, row.unwrap, row.derive].iter().any(|give| *give != Give::Never));
    let head: &[&str] = if keys {
        &["Attribute", "Value", "Default", "Create", "Generate", "Unwrap", "Derive", "Migrate", "Copy", "Set", "Notes"]
    } else {
        &["Attribute", "Value", "Default", "Create", "Migrate", "Copy", "Set", "Notes"]
    };
    let mut out = format!("## {}\n\n| {} |\n|{}\n", group.title, head.join(" | "), "---|".repeat(head.len()));
    for row in group.rows {
        let mut cells = vec![format!("`{}`", name(names::attribute, row.kind)), form(row.form), fill(row.fill)];
        cells.push(give(row.create).into());
        if keys {
            cells.extend([row.generate, row.unwrap, row.derive].map(|column| give(column).into()));
        }
        cells.push(give(row.migrate).into());
        cells.extend([change(row.copy).into(), change(row.set).into(), notes(row).into()]);
        out += &format!("| {} |\n", cells.join(" | "));
    }
    out.push('\n');
    out
}

fn render_table(table: &Table) -> String {
    let key_type = table.key_type.map_or_else(|| "-".to_owned(), |kind| format!("`{}`", name(names::key_type, kind)));
    let groups: Vec<&str> = table.groups.iter().map(|group| group.title).collect();
    let usages: Vec<String> = table.usages.iter().map(|kind| format!("`{}`", name(names::attribute, *kind))).collect();
    let usages = if usages.is_empty() { "-".to_owned() } else { usages.join(", ") };
    format!("| `{}` | {key_type} | {} | {usages} |\n", name(names::class, table.class), groups.join("; "))
}

fn name(table: fn(u64) -> Option<&'static str>, number: u64) -> String {
    names::printable(table, number)
}

fn form(form: Form) -> String {
    match form {
        Form::Flag => "flag".to_owned(),
        Form::Number(u64::MAX) => "number".to_owned(),
        Form::Number(most) => format!("number, 0 to {most}"),
        Form::Text => "text".to_owned(),
        Form::Bytes => "bytes".to_owned(),
        Form::Der => "DER".to_owned(),
        Form::BigInteger => "big integer".to_owned(),
        Form::Date => "date".to_owned(),
        Form::Mechanisms => "mechanisms".to_owned(),
        Form::Numbers => "numbers".to_owned(),
        Form::Template => "template".to_owned(),
    }
}

fn fill(fill: Fill) -> String {
    match fill {
        Fill::Absent => "-".to_owned(),
        Fill::Empty => "empty".to_owned(),
        Fill::Flag(flag) => flag.to_string(),
        Fill::Number(number) => number.to_string(),
        Fill::KeysPrivate => "true for private and secret keys, else false".to_owned(),
        Fill::Usage => "what the type can do".to_owned(),
        Fill::Computed => "computed".to_owned(),
        Fill::Always(number) => format!("always {number}"),
    }
}

fn give(give: Give) -> &'static str {
    match give {
        Give::Must => "must",
        Give::May => "may",
        Give::Same => "repeat",
        Give::Try => "try",
        Give::Never => "no",
    }
}

fn change(change: Change) -> &'static str {
    match change {
        Change::Yes => "yes",
        Change::Same => "repeat",
        Change::OnlyTrue => "only to true",
        Change::OnlyFalse => "only to false",
        Change::Never => "no",
    }
}

fn notes(row: &Row) -> &'static str {
    match (row.sensitive, row.officer_only) {
        (true, _) => "sensitive",
        (_, true) => "true only by the SO",
        _ => "",
    }
}

const HEAD: &str = "\
# Attributes

Printed from the tables in `hsm-core/src/attributes`; do not edit. `UPDATE_GOLDEN=1 cargo test -p hsm-core attributes` rewrites it.

- *Create*, *Generate*, *Unwrap*, *Derive*: what the template of the call may do with the attribute. **must**: it is missing
  otherwise; **may**; **repeat**: the operation makes the value, and the template may say the same and nothing else;
  **no**: the call is refused with {read_only}.
- *Migrate*: the same for what an object has that `perilune migrate` takes over from another token; what the token alone gives
  is carried as it was there. **try**: a value that cannot be kept is left out and told; for any other the object is refused.
- *Copy*, *Set*: how `C_CopyObject` and `C_SetAttributeValue` may change it.
- *sensitive*: not revealed while `CKA_SENSITIVE` is true or `CKA_EXTRACTABLE` is false, and never found by a search.
- A template that has an attribute twice is refused with {inconsistent}, one with an attribute that the object has
  not with {unknown}.
- An empty `CKA_ALLOWED_MECHANISMS` and an empty template restrict nothing and are kept as absent; asked for, they are empty.
- `CKA_EC_PARAMS` is taken as object identifier or as printable curve name. EC keys keep the identifier; Edwards and
  Montgomery keys keep the form that was given. `CKA_EC_POINT` is taken raw, compressed, or as DER OCTET STRING, which is kept.
- `CKA_CHECK_VALUE` that is given must be right; given empty, there is none.
- Classes and key types that are not in the last table are refused with {value}. Hardware features, mechanisms, profiles and the
  validations that the configuration declares (`[[validation]]`; none by default) are there by themselves: they are found by a search that names their class and by no other, and can be neither made, changed, copied nor
  destroyed. There are no keys for one-time passwords.
- A trust object that trusts its certificate for anything must have `CKA_HASH_OF_CERTIFICATE`: issuer and serial number alone may be another one's.

";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_document_is_the_checked_in_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/attributes.md");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, document()).unwrap();
        }
        let golden = std::fs::read_to_string(path).unwrap_or_default();
        assert!(golden == document(), "docs/attributes.md is old; run with UPDATE_GOLDEN=1 and look at the difference");
    }
}
