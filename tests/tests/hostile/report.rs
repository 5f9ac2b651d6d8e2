//! What was found, as lines, as a sentence and as `docs/conformance.md`.
//!
//! Owns: the document's form. Does not know: how cases are run.

use crate::cases::{Case, ITEMS};
use crate::contestant::{Contestant, Via};
use crate::runner::{Outcome, Verdict};
use perilune_tests::module;
use serde_json::json;
use std::collections::BTreeMap;

/// The document, from the folder of the workspace.
const DOCUMENT: &str = "docs/conformance.md";
/// What is tried where.
const CATALOGUE: &str = "docs/testing.md";

/// What p11-kit 0.24 does itself between its client and the module, and the cases that show it.
const EXCUSED: [(&str, &str); 12] = [
    ("C_InitToken", "its client crashes"),
    ("4.1.11/a token's label", "C_InitToken, as above"),
    ("C_GetMechanismList", "its client crashes when the room is exactly right"),
    ("4.1.10/", "it refuses such attributes itself, with words of its own, and rounds lengths"),
    ("4.1.4/CKM_RSA_PKCS_OAEP", "it leaves a NULL label out"),
    ("4.2.2/", "a NULL signature does not leave the client, so the verification goes on"),
    ("4.2.3/", "parameters of mechanisms that have none do not leave the client"),
    ("4.2.12/no room", "it has a word of its own for no room"),
    ("4.3.1/too little room", "no room is a question for the size to it"),
    ("4.5.1/a4", "it does not know CKM_AES_KEY_WRAP"),
    ("4.2.6/nothing at all", "NULL for no data does not leave the client"),
    ("4.5.6/GHSA-r6vc", "it does not take its own server's answer with a list of mechanisms"),
];

/// What OpenSC's spy 0.23 does itself.
const EXCUSED_SPY: [(&str, &str); 6] = [
    ("4.1.4/CKM_AES_GCM", "it prints as many bytes as the parameter says"),
    ("4.1.4/CKM_ECDH1_DERIVE", "as above"),
    ("4.1.4/CKM_RSA_PKCS_OAEP", "as above"),
    ("4.1.10/a class of 4 bytes", "it reads a class as one, however short it is"),
    ("4.1.10/a key type of 1 byte", "as above"),
    ("4.5.6/CVE-2026-2100", "it reads the parameter that the mechanism should have"),
];

/// Whether this is the carrier's doing.
pub fn is_excused(verdict: &Verdict) -> bool {
    let excused: &[(&str, &str)] = match verdict.via {
        Via::Nothing => &[],
        Via::Server => &EXCUSED,
        Via::Spy => &EXCUSED_SPY,
    };
    excused.iter().any(|(title, _)| verdict.title.contains(title))
}

/// Prints one line, for cases that are not ok, or all of them in JSON.
pub fn say(verdict: &Verdict, as_json: bool) {
    let Verdict { item, title, outcome, reason, milliseconds, .. } = verdict;
    if as_json {
        let outcome = outcome.word();
        println!(
            "{}",
            json!({ "item": item, "case": title, "outcome": outcome, "reason": reason, "ms": *milliseconds as u64 })
        );
    } else if *outcome > Outcome::Ok {
        println!("{title}: {}: {reason}", outcome.word());
    }
}

/// How many cases ended in which way.
pub fn summary<'v>(verdicts: impl IntoIterator<Item = &'v Verdict>) -> String {
    let mut counts = BTreeMap::new();
    for verdict in verdicts {
        *counts.entry(verdict.outcome).or_insert(0) += 1;
    }
    let parts: Vec<_> = counts.iter().map(|(outcome, count)| format!("{count} {}", outcome.word())).collect();
    parts.join(", ")
}

const HEAD: &str = "# Perilune and other tokens under a hostile caller

Written by `make conformance`; do not edit. Each case is a process of its own in which one thing is wrong and all else is right, with an unreadable page behind
(and before) every buffer that the module is given; the right call is made first. `make test` runs Perilune's column, in which everything must be ok, and sees that
this document knows each item with its number of cases. How to run the cases on any other module: [testing.md](testing.md#a-hostile-caller).

- *ok*: refused with the right word and without effect, or accepted where that is right;
- *not offered*: the module has no such function or mechanism; *no control*: the right call does not work, so nothing is said about the wrong one;
- *refused differently*: refused, with another return value than the standard's;
- *wrong effect*: accepted, or something is not as it must be afterwards;
- *hung*: no end within two minutes; *crashed*: the process was ended.

";

/// The document.
pub fn markdown(columns: &[(&Contestant, Vec<Verdict>)]) -> String {
    let mut text = HEAD.to_owned();
    for (contestant, verdicts) in columns {
        text += &format!("{}: {}; {}.\n", contestant.name, contestant.note, summary(verdicts));
    }
    let names: Vec<_> = columns.iter().map(|(contestant, _)| contestant.name.clone()).collect();
    text += &format!(
        "\n## Items\n\n| item | what | cases | {} |\n|---|---|---|{}\n",
        names.join(" | "),
        "---|".repeat(names.len())
    );
    for (item, what) in ITEMS {
        let of_item =
            |verdicts: &[Verdict]| verdicts.iter().filter(|one| one.item == *item).cloned().collect::<Vec<_>>();
        let count = columns.iter().map(|(_, verdicts)| of_item(verdicts).len()).max().unwrap_or_default();
        let cells: Vec<_> = columns.iter().map(|(_, verdicts)| cell(&of_item(verdicts))).collect();
        text += &format!("{}{} |\n", row(item, what, count), cells.join(" | "));
    }
    for (contestant, verdicts) in columns {
        let found = findings(verdicts);
        if !found.is_empty() {
            text += &format!(
                "\n## {}\n\n| item | outcome | cases | first of them |\n|---|---|---|---|\n{found}",
                contestant.name
            );
        }
    }
    text
}

/// The beginning of an item's row, which `make test` looks for.
fn row(item: &str, what: &str, count: usize) -> String {
    format!("| {item} | {what} | {count} | ")
}

fn cell(verdicts: &[Verdict]) -> String {
    match summary(verdicts).as_str() {
        "" => "-".into(),
        one if !one.contains(',') && one.ends_with(" ok") => "ok".into(),
        more => more.into(),
    }
}

/// One row for each item and outcome, the worst first.
fn findings(verdicts: &[Verdict]) -> String {
    let mut groups: BTreeMap<_, Vec<&Verdict>> = BTreeMap::new();
    for verdict in verdicts.iter().filter(|verdict| verdict.outcome > Outcome::NoControl) {
        let place = ITEMS.iter().position(|(item, _)| *item == verdict.item);
        groups.entry((std::cmp::Reverse(verdict.outcome), place)).or_default().push(verdict);
    }
    let mut text = String::new();
    for ((outcome, _), group) in groups {
        let names: Vec<_> =
            group.iter().filter_map(|verdict| verdict.title.split_once('/')).map(|(_, name)| name).collect();
        let shown = names.iter().take(8).copied().collect::<Vec<_>>().join("; ");
        let more = if names.len() > 8 { format!("; {} more", names.len() - 8) } else { String::new() };
        let reason = group[0].reason.replace('|', "/").replace('<', "&lt;");
        text += &format!("| {} | {} | {shown}{more} | {reason} |\n", group[0].item, outcome.0.word());
    }
    text
}

/// Sees that the document knows every item with its number of cases, and that the catalogue of `docs/testing.md` names every item.
pub fn check(cases: &[Case]) -> Result<(), String> {
    let read = |name: &str| std::fs::read_to_string(module::workspace().join(name)).map_err(|e| format!("{name}: {e}"));
    let text = read(DOCUMENT)?;
    for (item, what) in ITEMS {
        let count = cases.iter().filter(|case| case.item == *item).count();
        let wanted = row(item, what, count);
        if !text.contains(&wanted) {
            return Err(format!("{DOCUMENT} does not say {wanted:?}: write it again with `make conformance`"));
        }
    }
    let text = read(CATALOGUE)?;
    let table = text.split("### The catalogue\n").nth(1).and_then(|rest| rest.split("\n#").next()).unwrap_or_default();
    let named: Vec<&str> = table.split('`').filter_map(|part| part.strip_prefix("hostile ")).collect();
    let missing = ITEMS.iter().map(|(item, _)| *item).find(|item| !named.contains(item));
    let unknown = named.iter().find(|name| !ITEMS.iter().any(|(item, _)| item == *name));
    match (missing, unknown) {
        (Some(item), _) => Err(format!("{CATALOGUE}: the catalogue does not name `hostile {item}`")),
        (_, Some(name)) => Err(format!("{CATALOGUE}: there is no item {name}")),
        _ => Ok(()),
    }
}
