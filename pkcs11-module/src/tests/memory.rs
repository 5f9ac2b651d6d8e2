//! What the caller's memory may look like without harm.

use super::testing::*;
use super::*;

#[test]
fn null_is_an_empty_input_and_nothing_else() {
    assert_eq!(null().input(0).bytes(100, "data").unwrap(), b"");
    for length in [1, 100, CK_ULONG::MAX] {
        let refused = null().input(length).bytes(usize::MAX, "data");
        assert!(matches!(refused, Err(Reason::ArgumentsBad("data"))), "length {length}");
    }
}

#[test]
fn a_length_that_no_memory_has_is_refused_before_a_byte_is_read() {
    let mut byte = 7;
    for length in [isize::MAX as CK_ULONG, 1 << 63, CK_ULONG::MAX, 101] {
        let refused = raw(&mut byte).input(length).bytes(100, "data");
        assert!(matches!(refused, Err(Reason::ArgumentsBad(_))), "length {length}");
    }
    let wrapping = raw(&mut byte).input(isize::MAX as CK_ULONG + 1).bytes(usize::MAX, "data");
    assert!(matches!(wrapping, Err(Reason::ArgumentsBad(_))));
}

#[test]
fn a_count_is_judged_in_bytes() {
    let mut attribute = CK_ATTRIBUTE::default();
    let size = size_of::<CK_ATTRIBUTE>() as CK_ULONG;
    for count in [CK_ULONG::MAX / size, CK_ULONG::MAX / size + 1, CK_ULONG::MAX, isize::MAX as CK_ULONG / size + 1] {
        let refused = raw(&mut attribute).array(count, usize::MAX, "template");
        assert!(matches!(refused, Err(Reason::ArgumentsBad(_))), "count {count}");
    }
    assert_eq!(raw(&mut attribute).array(1, usize::MAX, "template").unwrap().count(), 1);
}

#[test]
fn structures_are_read_and_written_at_odd_addresses() {
    let mut buffer = [0xAA; 64];
    raw_inside::<CK_ULONG>(&mut buffer, 3).out("place").unwrap().write(0x0102_0304_0506_0708);
    assert_eq!(raw_inside::<CK_ULONG>(&mut buffer, 3).read("place").unwrap(), 0x0102_0304_0506_0708);
    assert_eq!(&buffer[..3], [0xAA; 3]);
    assert_eq!(&buffer[11..], [0xAA; 53]);
}

#[test]
fn a_structure_has_exactly_its_length() {
    let mut buffer = [0; 64];
    for (length, fits) in [(0, false), (15, false), (16, true), (17, false), (CK_ULONG::MAX, false)] {
        let input = raw_slice(&mut buffer).input(length);
        assert_eq!(input.structure::<[CK_ULONG; 2]>().is_some(), fits, "length {length}");
    }
    assert!(null().input(16).structure::<[CK_ULONG; 2]>().is_none());
}

#[test]
fn a_string_is_compared_up_to_the_first_difference() {
    let mut same = *b"PKCS 11\0";
    let mut longer = *b"PKCS 11x";
    let mut shorter = *b"PKCS\0";
    assert!(raw_slice(&mut same).is_string(b"PKCS 11\0"));
    assert!(!raw_slice(&mut longer).is_string(b"PKCS 11\0"));
    assert!(!raw_slice(&mut shorter).is_string(b"PKCS 11\0"));
    assert!(!null::<CK_UTF8CHAR>().is_string(b"PKCS 11\0"));
}

#[test]
fn pieces_cover_the_array_once() {
    let mut buffer = [0; 10];
    let array = raw_slice(&mut buffer).array(10, 10, "buffer").unwrap();
    for (piece, bytes) in array.pieces(4) {
        piece.fill(&[1, 2, 3, 4][..bytes]);
    }
    assert_eq!(buffer, [1, 2, 3, 4, 1, 2, 3, 4, 1, 2]);
}

// SAFETY: numbers; any bits are a value.
unsafe impl Plain for [CK_ULONG; 2] {}
