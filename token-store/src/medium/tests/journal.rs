//! What stands in the journal, byte by byte, and what no longer counts when a byte of it is wrong.

use super::*;
use crate::medium::surface::MemorySurface;

fn journal(base: u64) -> MemorySurface {
    let surface = MemorySurface::default();
    Header::create(&surface, base).unwrap();
    surface
}

fn changes(all: &[(&[u8], Option<&[u8]>)]) -> Changes {
    all.iter().map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec))).collect()
}

/// Appends a frame for each generation, with a value that names it.
fn append_all(surface: &MemorySurface, generations: &[u64]) -> Position {
    let header = Header::read(surface).unwrap();
    let mut at = header.start();
    for generation in generations {
        let value = generation.to_be_bytes();
        at = append(surface, &header, at, *generation, &changes(&[(b"k", Some(&value)), (b"gone", None)])).unwrap();
    }
    at
}

/// The generations of the frames that are found.
fn found(surface: &MemorySurface) -> Vec<u64> {
    let mut frames = Frames::behind(surface, Header::read(surface).unwrap().start());
    std::iter::from_fn(|| frames.next().unwrap()).map(|frame| frame.generation).collect()
}

#[test]
fn the_documented_bytes_are_written() {
    let surface = journal(7);
    let header = Header::read(&surface).unwrap();
    append(&surface, &header, header.start(), 9, &changes(&[(b"ab", Some(b"xyz")), (b"c", None)])).unwrap();
    let mut bytes = [0; 96];
    surface.read_at(&mut bytes, 0).unwrap();
    let mut expected = b"PERIJRNL\x00\x01\x00\x00\x00\x00\x00\x00".to_vec();
    expected.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
    expected.extend([0; 32]);
    let header_check = Sha256::digest(&expected);
    assert_eq!(bytes[..64], expected);
    assert_eq!(bytes[64..], header_check[..]);

    let mut frame = [0; 80];
    surface.read_at(&mut frame, 8192).unwrap();
    let mut expected = vec![0, 0, 0, 22, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 2];
    expected.extend(b"\x00\x02\x00\x00\x00\x03abxyz");
    expected.extend(b"\x00\x01\xFF\xFF\xFF\xFFc");
    let check = Sha256::new().chain_update(header_check).chain_update(&expected).finalize();
    assert_eq!(frame[..32], check[..]);
    assert_eq!(frame[32..66], expected);
    assert_eq!(frame[66..], [0; 14]);
}

/// Two frames of the same length and generation begin alike, but for their checks.
#[test]
fn a_frame_written_in_part_over_one_that_was_taken_back_revives_neither() {
    let header = Header::read(&journal(0)).unwrap();
    let frame = |value: &[u8]| encode(header.start(), 1, &changes(&[(b"k", Some(value))])).unwrap().0;
    let (old, new) = (frame(b"old"), frame(b"new"));
    for length in 0..new.len() - 16 {
        let surface = journal(0);
        surface.write_at(&old, 8192).unwrap();
        cancel(&surface, header.start());
        assert_eq!(found(&surface), [0; 0]);
        surface.write_at(&new[..length], 8192).unwrap();
        assert_eq!(found(&surface), [0; 0], "{length} bytes");
    }
}

#[test]
fn frames_come_back_as_they_were_appended() {
    let surface = journal(0);
    let end = append_all(&surface, &[1, 2, 5]);
    let mut frames = Frames::behind(&surface, Header::read(&surface).unwrap().start());
    let first = frames.next().unwrap().unwrap();
    assert_eq!(first.changes, changes(&[(b"k", Some(&[0, 0, 0, 0, 0, 0, 0, 1])), (b"gone", None)]));
    assert_eq!(found(&surface), [1, 2, 5]);
    frames.next().unwrap().unwrap();
    assert_eq!(frames.next().unwrap().unwrap().next, end);
}

#[test]
fn a_frame_with_any_byte_changed_is_no_frame_and_nothing_behind_it_is() {
    let surface = journal(0);
    let begin = append_all(&surface, &[1]).offset;
    let end = append_all(&surface, &[1, 2]).offset;
    append_all(&surface, &[1, 2, 3]);
    // The last bytes may be padding.
    for at in begin..end - 15 {
        let mut byte = [0];
        surface.read_at(&mut byte, at).unwrap();
        surface.write_at(&[byte[0] ^ 0x10], at).unwrap();
        assert_eq!(found(&surface), [1], "byte {at}");
        surface.write_at(&byte, at).unwrap();
    }
    assert_eq!(found(&surface), [1, 2, 3]);
}

#[test]
fn a_frame_that_was_cancelled_is_gone_and_its_place_is_used_again() {
    let surface = journal(0);
    let header = Header::read(&surface).unwrap();
    let at = append_all(&surface, &[1]);
    append(&surface, &header, at, 2, &changes(&[(b"failed", Some(b"x"))])).unwrap();
    assert_eq!(found(&surface), [1, 2]);
    cancel(&surface, at);
    assert_eq!(found(&surface), [1]);
    append(&surface, &header, at, 2, &Changes::new()).unwrap();
    assert_eq!(found(&surface), [1, 2]);
}

#[test]
fn frames_of_before_a_restart_are_not_taken_for_new_ones() {
    let surface = journal(0);
    let end = append_all(&surface, &[1, 2, 3]);
    let before = Header::read(&surface).unwrap();
    let header = before.restart(&surface, end).unwrap();
    assert_eq!(Header::read(&surface).unwrap(), header);
    assert_eq!((header.base, header.previous), (3, end.check));
    assert_eq!(found(&surface), [0; 0], "the old ones still stand there");
    // As long as the old ones were, so that what follows in the file is the second of them.
    append_all(&surface, &[4]);
    assert_eq!(found(&surface), [4]);
}

#[test]
fn a_restart_that_was_torn_leaves_the_journal_of_before() {
    let surface = journal(0);
    let end = append_all(&surface, &[1, 2]);
    let before = Header::read(&surface).unwrap();
    before.restart(&surface, end).unwrap();
    for at in [4096, 4096 + 40, 4096 + 95] {
        let mut byte = [0];
        surface.read_at(&mut byte, at).unwrap();
        surface.write_at(&[byte[0] ^ 1], at).unwrap();
        assert_eq!(Header::read(&surface).unwrap(), before);
        assert_eq!(found(&surface), [1, 2]);
        surface.write_at(&byte, at).unwrap();
    }
    surface.write_at(&[9], 0).unwrap();
    surface.write_at(&[9], 4096).unwrap();
    assert!(matches!(Header::read(&surface), Err(StoreError::Damaged { .. })));
}

#[test]
fn a_frame_larger_than_the_room_and_the_read_ahead_is_found() {
    let surface = journal(0);
    let header = Header::read(&surface).unwrap();
    let large = vec![7; 1 << 20];
    let at = append(&surface, &header, header.start(), 1, &changes(&[(b"k", Some(&large))])).unwrap();
    append(&surface, &header, at, 2, &Changes::new()).unwrap();
    assert_eq!(found(&surface), [1, 2]);
}

#[test]
fn nonsense_behind_the_last_frame_is_not_read() {
    let surface = journal(0);
    let end = append_all(&surface, &[1]).offset;
    // A length of two gigabytes, and one that ends just behind the surface.
    for length in [u32::MAX / 2, u32::try_from(surface.length().unwrap() - end).unwrap()] {
        surface.write_at(&length.to_be_bytes(), end + 32).unwrap();
        assert_eq!(found(&surface), [1]);
    }
}

/// A write may be torn in the zeros behind a frame, at the end of a surface of which no longer length is durable.
#[test]
fn a_last_frame_without_the_zeros_behind_it_counts_and_has_them_when_it_is_confirmed() {
    let surface = journal(0);
    let start = Header::read(&surface).unwrap().start().offset;
    let end = append_all(&surface, &[1, 2]).offset;
    for missing in 1..=7 {
        surface.cut(end - missing).unwrap();
        assert_eq!(found(&surface), [1, 2], "{missing} zeros are missing");
        confirm(&surface, start, end).unwrap();
        assert_eq!(surface.length().unwrap(), end);
    }
    surface.cut(end - 8).unwrap();
    assert_eq!(found(&surface), [1], "its last byte is missing");
    surface.cut(end - 16).unwrap();
    assert!(matches!(confirm(&surface, start, end), Err(StoreError::Damaged { .. })));
}
