//! What of this room takes foreign bytes and is private, for the fuzz targets: nothing else may use it.
//!
//! Owns: the ways to values, roles, change lists and the journal, each held against its own encoder. Does not know:
//! where bytes come from. Not behind a feature: the tests of the workspace would build every room twice for it.

use crate::format::{self, Kind, Role, Sealed};
use crate::medium::journal::{self, Frame, Frames, Header, Surface};
use crate::medium::surface::MemorySurface;
use crate::origin::Origin;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// Takes a value of the map apart as each kind that there is; answers as how many it can be read.
#[must_use]
pub fn value(bytes: &[u8]) -> usize {
    let kinds = [Kind::Header, Kind::Partition, Kind::Role, Kind::Record, Kind::Changes, Kind::Wrap, Kind::Origin];
    kinds
        .into_iter()
        .filter_map(|kind| Sealed::parse(kind, bytes))
        .filter(|sealed| sealed.clear.len() <= bytes.len())
        .count()
}

/// Reads the content of a role and writes it again; `None` where it is none.
#[must_use]
pub fn role(bytes: &[u8]) -> Option<Vec<u8>> {
    Role::decode(bytes).and_then(|role| role.encode().into_public("a role of a fuzz target is nobody's").ok())
}

/// Reads an origin and writes it again; `None` where it is none.
#[must_use]
pub fn origin(bytes: &[u8]) -> Option<Vec<u8>> {
    Origin::decode(bytes).and_then(|origin| origin.encode().into_public("an origin of a fuzz target is nobody's").ok())
}

/// Reads a change list and writes it again; `None` where it means everything.
#[must_use]
pub fn changes(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut found = BTreeSet::new();
    format::decode_changes(bytes, &mut found)?;
    Some(format::encode_changes(&found))
}

/// Reads a journal of any bytes to its end; `None` where it has no header, else the number of its frames.
///
/// # Panics
/// When a frame ends where no frame can.
#[must_use]
pub fn journal(bytes: &[u8]) -> Option<usize> {
    let surface = MemorySurface::default();
    surface.write_at(bytes, 0).ok()?;
    let _mark = journal::marked(&surface).ok()?;
    Some(frames(&surface)?.len())
}

/// Writes frames whose checks are right and whose contents are these, reads them, and writes what was read into a second
/// journal, which must say the same; answers how many there were.
///
/// # Panics
/// When the second journal says something else.
#[must_use]
pub fn framed(contents: &[&[u8]]) -> Option<usize> {
    let surface = MemorySurface::default();
    Header::create(&surface, 0).ok()?;
    let start = Header::read(&surface).ok()?.start();
    let (mut offset, mut check) = (start.offset, start.check);
    for content in contents {
        check = Sha256::new().chain_update(check).chain_update(content).finalize().into();
        surface.write_at(&[&check[..], content].concat(), offset).ok()?;
        offset += (check.len() + content.len()).next_multiple_of(16) as u64;
    }
    let read = frames(&surface)?;

    let second = MemorySurface::default();
    Header::create(&second, 0).ok()?;
    let header = Header::read(&second).ok()?;
    let mut at = header.start();
    for frame in &read {
        at = journal::append(&second, &header, at, frame.generation, &frame.changes).ok()?;
    }
    let again = frames(&second)?;
    let same = |(one, other): (&Frame, &Frame)| one.generation == other.generation && one.changes == other.changes;
    assert!(
        read.len() == again.len() && read.iter().zip(&again).all(same),
        "a journal written again says something else"
    );
    Some(read.len())
}

/// All frames of a journal.
fn frames(surface: &MemorySurface) -> Option<Vec<Frame>> {
    let mut frames = Frames::behind(surface, Header::read(surface).ok()?.start());
    let mut found = Vec::new();
    while let Some(frame) = frames.next().ok()? {
        assert!(frame.next.offset.is_multiple_of(16), "a frame ends where no frame can");
        found.push(frame);
    }
    Some(found)
}
