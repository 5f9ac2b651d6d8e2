//! The log of the shim, read back.
//!
//! Owns: the layout of a record. Does not know: what the changes amount to. Called from [`super`] and the scenarios.
//! Rule source: `struct record` and `enum kind` in `tests/c/disk_shim_base.h`.

use std::path::Path;

/// One change, in the order in which they were made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what their names say")]
pub enum Change {
    /// A new file.
    Create { file: u64, path: String },
    /// Bytes written into a file.
    Write { file: u64, path: String, offset: u64, data: Vec<u8> },
    /// A new length.
    Truncate { file: u64, length: u64 },
    /// At least this length.
    Allocate { file: u64, length: u64 },
    /// A range that reads as zeros from now on.
    Punch { file: u64, offset: u64, length: u64 },
    /// A name became another.
    Rename { from: String, to: String },
    /// Two names changed places.
    Exchange { one: String, other: String },
    /// A file's name was removed.
    Unlink { path: String },
    /// A new folder.
    MakeFolder { path: String },
    /// A folder was removed.
    RemoveFolder { path: String },
    /// A further name of a file.
    Link { from: String, to: String },
    /// A file or folder was made durable.
    Sync { file: u64, path: String },
    /// Everything was made durable.
    SyncAll,
    /// A mark.
    Mark(String),
    /// A change that cannot be replayed; it was refused.
    Unseen { path: String, what: String },
}

/// Reads the whole log.
///
/// # Panics
/// When it cannot be read or is not whole.
#[must_use]
pub fn read(path: &Path) -> Vec<Change> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut rest = bytes.as_slice();
    let mut changes = Vec::new();
    while !rest.is_empty() {
        changes.push(one(&mut rest));
    }
    changes
}

fn one(rest: &mut &[u8]) -> Change {
    assert_eq!(number(rest, 4), 0x4c53_4431, "a record begins here");
    let kind = number(rest, 4);
    let [file, offset, length, data_bytes] = [8; 4].map(|bytes| number(rest, bytes));
    let [path_bytes, other_bytes, _process, _reserved] = [4; 4].map(|bytes| number(rest, bytes));
    let path = text(rest, path_bytes);
    let other = text(rest, other_bytes);
    let data = take(rest, data_bytes).to_vec();
    match kind {
        1 => Change::Create { file, path },
        2 => Change::Write { file, path, offset, data },
        3 => Change::Truncate { file, length },
        4 => Change::Allocate { file, length },
        5 => Change::Punch { file, offset, length },
        6 => Change::Rename { from: path, to: other },
        7 => Change::Exchange { one: path, other },
        8 => Change::Unlink { path },
        9 => Change::MakeFolder { path },
        10 => Change::RemoveFolder { path },
        11 => Change::Link { from: path, to: other },
        12 => Change::Sync { file, path },
        13 => Change::SyncAll,
        14 => Change::Mark(path),
        15 => Change::Unseen { path, what: other },
        other => panic!("a record of kind {other}"),
    }
}

fn take<'a>(rest: &mut &'a [u8], count: u64) -> &'a [u8] {
    let (taken, left) = rest.split_at_checked(count as usize).expect("the log is whole");
    *rest = left;
    taken
}

fn number(rest: &mut &[u8], bytes: u64) -> u64 {
    take(rest, bytes).iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn text(rest: &mut &[u8], bytes: u64) -> String {
    String::from_utf8(take(rest, bytes).to_vec()).expect("names are UTF-8")
}
