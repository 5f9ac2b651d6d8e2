//! Shared bodies: results pointers before work, limits, pieces.

use core::cell::RefCell;

use super::*;
use crate::memory::testing::*;

#[test]
fn a_session_is_serial_and_may_be_asynchronous() {
    let mut handle = 0;
    for (flags, expected) in [
        (0, Err(CKR_SESSION_PARALLEL_NOT_SUPPORTED)),
        (CKF_RW_SESSION, Err(CKR_SESSION_PARALLEL_NOT_SUPPORTED)),
        (CKF_ASYNC_SESSION, Err(CKR_SESSION_PARALLEL_NOT_SUPPORTED)),
        (CKF_SERIAL_SESSION, Ok(10)),
        (CKF_SERIAL_SESSION | CKF_RW_SESSION, Ok(11)),
        (CKF_SERIAL_SESSION | CKF_ASYNC_SESSION, Ok(12)),
        (CKF_SERIAL_SESSION | CKF_RW_SESSION | CKF_ASYNC_SESSION, Ok(13)),
    ] {
        let outcome =
            open_session(raw(&mut handle), flags, |rw, own| Ok(SessionHandle(10 + u64::from(rw) + 2 * u64::from(own))));
        assert_eq!(outcome.map(|()| handle).map_err(|reason| reason.rv()), expected, "flags {flags:#x}");
    }
    assert!(matches!(open_session(null(), 0, |_, _| panic!("no work")), Err(Reason::ArgumentsBad(_))));
}

#[test]
fn a_missing_result_pointer_is_found_before_the_work() {
    let mut handle = 5;
    assert!(matches!(new_object(null(), || panic!("no work")), Err(Reason::ArgumentsBad(_))));
    assert!(matches!(new_pair(raw(&mut handle), null(), || panic!("no work")), Err(Reason::ArgumentsBad(_))));
    assert!(matches!(new_pair(null(), raw(&mut handle), || panic!("no work")), Err(Reason::ArgumentsBad(_))));
    assert!(matches!(object_size(null(), || panic!("no work")), Err(Reason::ArgumentsBad(_))));
    assert!(matches!(token_info_of(null(), || panic!("no work")), Err(Reason::ArgumentsBad(_))));
    assert_eq!(handle, 5);
}

#[test]
fn an_encapsulation_writes_ciphertext_and_handle_together_or_tells_the_size() {
    let made = |room| match room {
        Room::Ask => Ok((Reply::Size(4), None)),
        Room::Bytes(have) if have < 4 => Err(Reason::BufferTooSmall { need: 4 }),
        Room::Bytes(_) => Ok((Reply::Data(vec![1, 2, 3, 4]), Some(ObjectHandle(7)))),
    };
    let (mut ciphertext, mut length, mut key) = ([0; 6], 6, 0);
    encapsulate(raw_slice(&mut ciphertext), raw(&mut length), raw(&mut key), made).unwrap();
    assert_eq!((ciphertext, length, key), ([1, 2, 3, 4, 0, 0], 4, 7));
    (length, key) = (0, 9);
    encapsulate(null(), raw(&mut length), null(), made).unwrap();
    assert_eq!((length, key), (4, 9), "a question for the size makes no key and needs no place for one");
    length = 3;
    let small = encapsulate(raw_slice(&mut ciphertext), raw(&mut length), raw(&mut key), made);
    assert!(matches!(small, Err(Reason::BufferTooSmall { need: 4 })));
    assert_eq!((length, key), (4, 9));
    let missing = encapsulate(raw_slice(&mut ciphertext), raw(&mut length), null(), |_| panic!("no work"));
    assert!(matches!(missing, Err(Reason::ArgumentsBad(_))));
    let missing = encapsulate(raw_slice(&mut ciphertext), null(), raw(&mut key), |_| panic!("no work"));
    assert!(matches!(missing, Err(Reason::ArgumentsBad(_))));
}

#[test]
fn found_objects_are_written_up_to_the_callers_count() {
    let mut objects = [0; 4];
    let mut count = 9;
    find_objects(raw_slice(&mut objects), 3, raw(&mut count), |most| {
        assert_eq!(most, 3);
        Ok(vec![ObjectHandle(5), ObjectHandle(6)])
    })
    .unwrap();
    assert_eq!((objects, count), ([5, 6, 0, 0], 2));

    find_objects(null(), 0, raw(&mut count), |most| Ok(vec![ObjectHandle(1); most])).unwrap();
    assert_eq!(count, 0);
    let outcome = find_objects(null(), 1, raw(&mut count), |_| panic!("no work"));
    assert!(matches!(outcome, Err(Reason::ArgumentsBad(_))));
    let outcome = find_objects(raw_slice(&mut objects), 1, null(), |_| panic!("no work"));
    assert!(matches!(outcome, Err(Reason::ArgumentsBad(_))));
}

#[test]
fn a_count_near_the_end_of_numbers_is_served_in_part() {
    let mut objects = [0; 1];
    let mut count = 0;
    find_objects(raw_slice(&mut objects), CK_ULONG::MAX, raw(&mut count), |most| {
        assert_eq!(most, 1 << 20);
        Ok(vec![ObjectHandle(7)])
    })
    .unwrap();
    assert_eq!((objects, count), ([7], 1));
}

#[test]
fn random_bytes_are_fetched_in_pieces_and_fill_the_buffer_exactly() {
    let asked = RefCell::new(Vec::new());
    let work = |bytes| {
        asked.borrow_mut().push(bytes);
        Ok(vec![1; bytes])
    };
    let mut buffer = vec![0xEE; (1 << 17) + 5 + 8];
    random_bytes(raw_slice(&mut buffer), (1 << 17) + 5, work).unwrap();
    assert_eq!(*asked.borrow(), [1 << 16, 1 << 16, 5]);
    assert!(buffer[..(1 << 17) + 5].iter().all(|byte| *byte == 1));
    assert_eq!(buffer[(1 << 17) + 5..], [0xEE; 8]);
}

#[test]
fn no_random_bytes_still_ask_the_session() {
    assert!(random_bytes(null(), 0, |_| Ok(Vec::new())).is_ok());
    let unknown = random_bytes(null(), 0, |_| Err(Reason::SessionUnknown(1)));
    assert!(matches!(unknown, Err(Reason::SessionUnknown(1))));
    assert!(matches!(random_bytes(null(), 1, |_| panic!("no work")), Err(Reason::ArgumentsBad(_))));
    let mut byte = 0;
    let huge = random_bytes(raw(&mut byte), CK_ULONG::MAX, |_| panic!("no work"));
    assert!(matches!(huge, Err(Reason::ArgumentsBad(_))));
}
