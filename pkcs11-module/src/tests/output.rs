//! The protocol of variable-length results, with guard bytes around every buffer.

use super::*;
use crate::memory::testing::*;

const GUARD: u8 = 0xEE;

/// Runs `produce` on a buffer of so many bytes with a result of so many; returns outcome, buffer and length.
fn produced(room: usize, result: &[u8]) -> (Result<()>, Vec<u8>, CK_ULONG) {
    let mut buffer = vec![GUARD; room + 8];
    let mut length = room as CK_ULONG;
    let outcome = produce(raw_slice(&mut buffer), raw(&mut length), |asked| {
        assert_eq!(asked, Room::Bytes(room));
        if result.len() > room {
            Err(Reason::BufferTooSmall { need: result.len() })
        } else {
            Ok(Reply::Data(result.to_vec()))
        }
    });
    (outcome, buffer, length)
}

#[test]
fn a_null_buffer_asks_for_the_size() {
    let mut length = 3;
    produce(null(), raw(&mut length), |room| {
        assert_eq!(room, Room::Ask);
        Ok(Reply::Size(256))
    })
    .unwrap();
    assert_eq!(length, 256);
}

#[test]
fn a_null_length_is_refused_before_the_work() {
    let mut buffer = [GUARD; 4];
    let outcome = produce(raw_slice(&mut buffer), null(), |_| panic!("the work must not run"));
    assert!(matches!(outcome, Err(Reason::ArgumentsBad(_))));
    assert_eq!(buffer, [GUARD; 4]);
}

#[test]
fn a_result_that_fits_is_written_with_its_length_and_nothing_beyond() {
    for room in [5, 6, 100] {
        let (outcome, buffer, length) = produced(room, b"12345");
        outcome.unwrap();
        assert_eq!(length, 5);
        assert_eq!(&buffer[..5], b"12345");
        assert!(buffer[5..].iter().all(|byte| *byte == GUARD), "room {room}");
    }
}

#[test]
fn too_little_room_answers_the_size_and_writes_nothing() {
    for room in [0, 1, 4] {
        let (outcome, buffer, length) = produced(room, b"12345");
        assert!(matches!(outcome, Err(Reason::BufferTooSmall { need: 5 })), "room {room}");
        assert_eq!(length, 5);
        assert!(buffer.iter().all(|byte| *byte == GUARD), "room {room}");
    }
}

#[test]
fn another_error_leaves_buffer_and_length_alone() {
    let mut buffer = [GUARD; 4];
    let mut length = 4;
    let outcome = produce(raw_slice(&mut buffer), raw(&mut length), |_| Err(Reason::DataLength));
    assert!(matches!(outcome, Err(Reason::DataLength)));
    assert_eq!((buffer, length), ([GUARD; 4], 4));
}

#[test]
fn a_result_larger_than_its_room_is_a_fault_of_ours_and_is_not_written() {
    let mut buffer = [GUARD; 4];
    let mut length = 2;
    let outcome = produce(raw_slice(&mut buffer), raw(&mut length), |_| Ok(Reply::Data(vec![1, 2, 3])));
    assert!(matches!(outcome, Err(Reason::Internal(_))));
    assert_eq!((buffer, length), ([GUARD; 4], 2));

    let outcome = produce(null(), raw(&mut length), |_| Ok(Reply::Data(vec![1])));
    assert!(matches!(outcome, Err(Reason::Internal(_))));
}

#[test]
fn an_absurd_length_is_taken_for_the_largest_that_memory_can_have() {
    let mut buffer = [GUARD; 4];
    let mut length = CK_ULONG::MAX;
    produce(raw_slice(&mut buffer), raw(&mut length), |room| {
        assert_eq!(room, Room::Bytes(isize::MAX as usize));
        Ok(Reply::Data(vec![1]))
    })
    .unwrap();
    assert_eq!((buffer, length), ([1, GUARD, GUARD, GUARD], 1));
}

#[test]
fn the_length_may_stand_inside_the_output() {
    let mut buffer = [GUARD; 24];
    raw_inside::<CK_ULONG>(&mut buffer, 5).out("length").unwrap().write(16);
    let (output, length) = raw_pair::<CK_BYTE, CK_ULONG>(&mut buffer, 0, 5);
    produce(output, length, |room| {
        assert_eq!(room, Room::Bytes(16));
        Ok(Reply::Data(vec![1; 16]))
    })
    .unwrap();
    assert_eq!(raw_inside::<CK_ULONG>(&mut buffer, 5).read("length").unwrap(), 16);
    assert_eq!((&buffer[..5], &buffer[13..16], &buffer[16..]), (&[1; 5][..], &[1; 3][..], &[GUARD; 8][..]));
}

#[test]
fn input_and_output_may_be_the_same_buffer_at_any_shift() {
    for (from, to) in [(0, 0), (0, 3), (3, 0), (0, 16)] {
        let mut buffer: Vec<u8> = (0..40).collect();
        let expected: Vec<u8> = buffer[from..from + 16].iter().map(|byte| byte ^ 0xFF).chain([9; 4]).collect();
        let mut length = 20;
        let (input, output) = raw_pair::<CK_BYTE, CK_BYTE>(&mut buffer, from, to);
        crate::calls::transform(input.input(16), output, raw(&mut length), |data, _| {
            let mut result: Vec<u8> = data.iter().map(|byte| byte ^ 0xFF).collect();
            result.extend([9; 4]);
            Ok(Reply::Data(result))
        })
        .unwrap();
        assert_eq!(buffer[to..to + 20], expected, "from {from} to {to}");
    }
}

/// The work writes at once where the buffers are apart, and through memory of ours where they are not.
#[test]
fn a_result_is_written_at_once_exactly_where_its_place_is_apart_from_the_input() {
    for (from, to, apart) in
        [(0, 16, true), (16, 0, true), (0, 20, true), (20, 0, true), (0, 0, false), (0, 15, false), (15, 0, false)]
    {
        let mut buffer: Vec<u8> = (0..40).collect();
        let expected: Vec<u8> = buffer[from..from + 16].iter().map(|byte| byte ^ 0xFF).collect();
        let mut length = 16;
        let (input, output) = raw_pair::<CK_BYTE, CK_BYTE>(&mut buffer, from, to);
        let mut lent = false;
        crate::calls::stream(input.input(16), output, raw(&mut length), |data, place| {
            let made = data.iter().map(|byte| byte ^ 0xFF);
            let Some(out) = place.lend(16) else { return Ok(Reply::Data(made.collect())) };
            lent = true;
            out.iter_mut().zip(made).for_each(|(out, byte)| *out = byte);
            Ok(Reply::Written(16))
        })
        .unwrap();
        assert_eq!((lent, length), (apart, 16), "from {from} to {to}");
        assert_eq!(buffer[to..to + 16], expected, "from {from} to {to}");
    }
}

/// The length may stand inside the output: the caller wants the length.
#[test]
fn a_place_with_its_own_length_inside_is_not_lent() {
    let mut buffer = [0; 40];
    buffer[8..16].copy_from_slice(&32_u64.to_ne_bytes());
    let (output, length) = raw_pair::<CK_BYTE, CK_ULONG>(&mut buffer, 0, 8);
    crate::calls::stream(null::<CK_BYTE>().input(0), output, length, |_, place| {
        assert!(place.lend(32).is_none() && place.lend(9).is_none() && place.lend(8).is_some());
        Ok(Reply::Data(vec![7; 32]))
    })
    .unwrap();
    assert_eq!(buffer[8..16], 32_u64.to_ne_bytes());
    assert_eq!((buffer[7], buffer[16], buffer[31], buffer[32]), (7, 7, 7, 0));
}

#[test]
fn a_list_follows_the_same_protocol_in_elements() {
    let work = || Ok(vec![7, 8, 9]);
    let mut places: [CK_ULONG; 4] = [0; 4];
    let mut count = 0;
    list(null(), raw(&mut count), work).unwrap();
    assert_eq!(count, 3);

    count = 2;
    assert!(matches!(list(raw_slice(&mut places), raw(&mut count), work), Err(Reason::BufferTooSmall { need: 3 })));
    assert_eq!((places, count), ([0; 4], 3));

    count = 4;
    list(raw_slice(&mut places), raw(&mut count), work).unwrap();
    assert_eq!((places, count), ([7, 8, 9, 0], 3));

    assert!(matches!(list::<CK_ULONG>(null(), null(), || panic!("no work")), Err(Reason::ArgumentsBad(_))));
}

#[test]
fn an_empty_list_needs_no_room() {
    let mut places: [CK_ULONG; 1] = [5];
    let mut count = 0;
    list(raw_slice(&mut places), raw(&mut count), || Ok(Vec::new())).unwrap();
    assert_eq!((places, count), ([5], 0));
}
