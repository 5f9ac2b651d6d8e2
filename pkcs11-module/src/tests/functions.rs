//! The table against the standard's lists, and the printed document.

use core::mem::size_of;
use std::collections::BTreeSet;

use ffi_headers::*;

use super::*;
use crate::interface::{LIST_2_40, LIST_3_0, LIST_3_2, addresses};

/// Rows per version of the standard.
const COUNTS: [(Since, usize); 3] =
    [(Since { major: 2, minor: 40 }, 68), (Since { major: 3, minor: 0 }, 24), (Since { major: 3, minor: 2 }, 12)];

#[test]
fn each_version_brought_its_number_of_functions() {
    for (since, count) in COUNTS {
        assert_eq!(FUNCTIONS.iter().filter(|row| row.since == since).count(), count, "{since:?}");
    }
    let names: BTreeSet<_> = FUNCTIONS.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), FUNCTIONS.len());
}

/// The entries of a function list, as numbers, in the order of memory.
#[allow(unsafe_code, reason = "only the memory tells the order")]
fn entries<T>(list: &'static T) -> Vec<usize> {
    let words = size_of::<T>() / size_of::<usize>() - 1;
    let first = core::ptr::from_ref(list).cast::<usize>();
    // SAFETY: a function list is a version, padded to a word, and pointers of a word each.
    let words = unsafe { core::slice::from_raw_parts(first.wrapping_add(1), words) };
    words.to_vec()
}

#[test]
fn the_lists_hold_the_rows_in_their_order_and_no_null() {
    let expected = addresses();
    assert_eq!(expected.len(), FUNCTIONS.len());
    assert!(expected.iter().all(|address| *address != 0));
    assert_eq!(expected.iter().collect::<BTreeSet<_>>().len(), expected.len(), "each row has a function of its own");
    assert_eq!(entries(&LIST_2_40), expected[..68]);
    assert_eq!(entries(&LIST_3_0), expected[..92]);
    assert_eq!(entries(&LIST_3_2), expected);
}

#[test]
fn the_lists_tell_their_versions() {
    let versions = [LIST_2_40.version, LIST_3_0.version, LIST_3_2.version];
    let versions = versions.map(|CK_VERSION { major, minor }| (major, minor));
    assert_eq!(versions, [(2, 40), (3, 0), (3, 2)]);
}

#[test]
fn an_enum_value_finds_its_own_row() {
    assert_eq!(Function::C_Initialize.row().name, "C_Initialize");
    assert_eq!(Function::C_GetInterface.row().name, "C_GetInterface");
    assert_eq!(Function::C_UnwrapKeyAuthenticated.row().name, "C_UnwrapKeyAuthenticated");
}

#[test]
fn symbols_are_those_of_2_40_and_the_two_that_lead_to_the_rest() {
    for row in &FUNCTIONS {
        let leads_on = matches!(row.name, "C_GetInterfaceList" | "C_GetInterface");
        assert_eq!(row.exported, row.since.major == 2 || leads_on, "{}", row.name);
    }
}

#[test]
fn the_document_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/functions.md");
    let printed = functions_document();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &printed).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == printed, "docs/functions.md is not what the table says; run with UPDATE_GOLDEN=1 to print it anew");
}
