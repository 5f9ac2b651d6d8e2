//! The reserve by itself: nothing is wrapped in this program, so the functions behind the wrapping are called here.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use std::collections::BTreeMap;

/// Gives back every piece of these, after it was seen to have kept its content.
fn give_back(pieces: BTreeMap<usize, (usize, u8)>) {
    for (address, (bytes, mark)) in pieces {
        let piece = ptr::with_exposed_provenance_mut::<c_void>(address);
        // SAFETY: the piece has so many bytes, and they were written.
        let content = unsafe { slice::from_raw_parts(piece.cast::<u8>(), bytes) };
        assert!(content.iter().all(|byte| *byte == mark), "{bytes} bytes at {address:x}");
        assert!(take_back(piece), "it is from the reserve");
    }
}

/// Takes a piece and marks it.
fn marked(pieces: &mut BTreeMap<usize, (usize, u8)>, alignment: usize, bytes: usize) -> bool {
    let piece = piece_of(alignment, bytes);
    if piece.is_null() {
        return false;
    }
    assert_eq!(piece.addr() % alignment.max(ALIGNMENT), 0);
    let mark = pieces.len() as u8;
    // SAFETY: so many bytes were served.
    unsafe { ptr::write_bytes(piece.cast::<u8>(), mark, bytes) };
    assert!(pieces.insert(piece.addr(), (bytes, mark)).is_none(), "a piece is given once");
    true
}

/// One test: the reserve is one for the process.
#[test]
fn the_reserve_serves_small_pieces_of_every_size_keeps_them_apart_and_is_whole_when_all_are_back() {
    begin().unwrap();
    let mut pieces = BTreeMap::new();
    for bytes in (0..300).chain([1000, 4096, 70_000, SMALL_BYTES_MAX]) {
        assert!(marked(&mut pieces, 1, bytes), "{bytes}");
    }
    for alignment in [32, 64, 4096] {
        assert!(marked(&mut pieces, alignment, 100), "{alignment}");
    }
    assert!(piece_of(1, SMALL_BYTES_MAX + 1).is_null(), "larger pieces are an error");
    memory::unrefused(|| {
        assert!(marked(&mut pieces, 1, 40 << 20), "who cannot be refused has larger ones");
        assert!(piece_of(1, LARGE_BYTES).is_null());
        assert!(piece_of(1, usize::MAX).is_null());
    });
    assert!(piece_of(1, usize::MAX).is_null());
    give_back(pieces);

    // It ends, and what came from it can be had again.
    for _ in 0..3 {
        let mut pieces = BTreeMap::new();
        while marked(&mut pieces, 16, 1000) {}
        assert!(pieces.len() > 1000, "{}", pieces.len());
        assert!(!RESERVE.iter().any(Region::is_enough), "nothing is left");
        give_back(pieces);
    }
    let nobodys = 7_u64;
    assert!(!take_back(ptr::from_ref(&nobodys).cast_mut().cast()), "what is from elsewhere goes elsewhere");

    // Threads take and give at once; nobody gets what another one has.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..2000 {
                    let mut pieces = BTreeMap::new();
                    for size in 0..8 {
                        marked(&mut pieces, 1, (round * 37 + size * 113) % 900);
                    }
                    give_back(pieces);
                }
            });
        }
    });
    assert!(RESERVE.iter().all(|region| region.used.load(Ordering::Acquire) & !EMPTYING == 0), "all is back");
    RESERVE.iter().for_each(Region::empty);
    assert!(RESERVE.iter().any(Region::is_enough), "a region without pieces is whole again");
}
