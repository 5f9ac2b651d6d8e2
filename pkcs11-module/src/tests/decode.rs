//! PINs and labels at their limits.

use super::*;
use crate::memory::testing::*;

#[test]
fn a_pin_that_no_pin_can_be_is_never_read() {
    let mut one = 1;
    for length in [256, 1 << 63, CK_ULONG::MAX] {
        // What stands for it is too long for the core.
        assert_eq!(pin(raw(&mut one).input(length)).unwrap().expose(), [0; 256], "length {length}");
        assert_eq!(pin(null().input(length)).unwrap().expose(), [0; 256], "null, length {length}");
    }
}

#[test]
fn a_null_pin_is_empty_but_for_login_it_asks_for_a_pin_pad() {
    assert!(pin(null().input(0)).unwrap().is_empty());
    assert!(matches!(pin(null().input(4)), Err(Reason::ArgumentsBad(_))));
    assert!(matches!(login_pin(null().input(0)), Err(Reason::ArgumentsBad(_))));
    assert_eq!(login_pin(raw_slice(&mut *b"1234".to_owned().as_mut_slice()).input(4)).unwrap().expose(), b"1234");
}

#[test]
fn what_stands_behind_a_null_in_a_label_is_not_part_of_it() {
    let mut label = [0xFF; 32];
    label[..4].copy_from_slice(b"tok\0");
    assert_eq!(&token_label(raw_slice(&mut label)).unwrap(), b"tok                             ");
    assert_eq!(token_label(raw_slice(&mut [0; 32])).unwrap(), [b' '; 32]);
}

#[test]
fn a_label_is_32_bytes_whatever_they_are() {
    let mut label = [0xFF; 32];
    assert_eq!(token_label(raw_slice(&mut label)).unwrap(), [0xFF; 32]);
    assert!(matches!(token_label(null()), Err(Reason::ArgumentsBad(_))));
}
