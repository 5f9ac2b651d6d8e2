//! `docs/peers.md`: what it says of this module is true, and no row lacks what a peer has.

use crate::functions::{FUNCTIONS, Status};
use hsm_core::{attributes, mechanisms};

/// What is left out on purpose, though a peer has it; the page says why.
const LEFT_OUT: [&str; 2] = ["DH / DSA", "GOST / Camellia / other"];

/// What a peer has and this module not yet.
const NOT_YET: [&str; 0] = [];

/// The rows of both tables: name, our cell, the peers' cells.
fn rows(page: &str) -> Vec<(&str, &str, Vec<&str>)> {
    let lines = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("|  |"));
    lines
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [name, ours, peers @ ..] = &cells[..] else { panic!("a row without cells: {line}") };
            (*name, *ours, peers.to_vec())
        })
        .collect()
}

/// Whether a name is that of a pattern, in which `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => name
            .strip_prefix(head)
            .is_some_and(|rest| (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|rest| fits(tail, rest)))),
    }
}

/// Whether a name, which may have a `*` in it, is that of something that works.
fn works(name: &str) -> bool {
    match name.split_once('_').map(|(kind, _)| kind) {
        Some("CKM") => mechanisms::all().any(|row| fits(name, row.name)),
        Some("C") => FUNCTIONS.iter().any(|function| fits(name, function.name) && function.status == Status::Supported),
        Some("CKA" | "CKO") => attributes::document().contains(&format!("`{name}`")),
        _ => false,
    }
}

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/peers.md");

fn page() -> String {
    std::fs::read_to_string(PAGE).unwrap()
}

#[test]
fn every_name_on_the_page_works() {
    for (row, ours, _) in rows(&page()) {
        for name in ours.split('`').skip(1).step_by(2) {
            assert!(works(name), "{row}: {name} is not there");
        }
    }
}

/// Mechanisms come and go with their families, so `UPDATE_GOLDEN=1` rewrites this one cell.
#[test]
fn the_number_of_mechanisms_is_the_real_one() {
    let (row, count) = ("| Mechanisms counted in source | ", mechanisms::all().count().to_string());
    let page = page();
    let (before, rest) = page.split_once(row).unwrap();
    let (told, after) = rest.split_once(" |").unwrap();
    if told != count && std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(PAGE, format!("{before}{row}{count} |{after}")).unwrap();
        return;
    }
    assert_eq!(told, count, "run with UPDATE_GOLDEN=1");
}

#[test]
fn no_row_lacks_what_a_peer_has() {
    let page = page();
    let rows = rows(&page);
    assert!(rows.len() > 50, "only {} rows were read", rows.len());
    for (row, ours, peers) in rows {
        let a_peer_has = peers.iter().any(|cell| cell.starts_with('Y'));
        let left_out = LEFT_OUT.contains(&row) && ours.starts_with("N, left out: ");
        let not_yet = NOT_YET.contains(&row) && ours == "N, not yet";
        assert!(!a_peer_has || ours.starts_with("Y: `") || left_out || not_yet, "{row}: {ours}");
    }
}
