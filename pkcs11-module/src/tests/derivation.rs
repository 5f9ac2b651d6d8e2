//! Places in parameters: filled in order, and only when everything fits.

use super::*;
use crate::memory::testing::*;

#[test]
fn results_are_written_to_their_places_in_order() {
    let (mut first, mut second, mut iv) = (0, 0, [0_u8; 4]);
    let places = Places {
        keys: vec![raw(&mut first).out("").unwrap(), raw(&mut second).out("").unwrap()],
        values: vec![raw_slice(&mut iv).array(4, 4, "").unwrap()],
    };
    let derived =
        Derived { key: None, further: vec![ObjectHandle(7), ObjectHandle(9)], values: vec![vec![1, 2, 3, 4]] };
    places.write(&derived).unwrap();
    assert_eq!((first, second, iv), (7, 9, [1, 2, 3, 4]));
}

#[test]
fn results_without_a_place_of_their_size_are_not_written() {
    let (mut key, mut iv) = (0, [0_u8; 4]);
    for (further, values) in [(vec![], vec![vec![1; 4]]), (vec![ObjectHandle(7)], vec![vec![1; 3]])] {
        let places = Places {
            keys: vec![raw(&mut key).out("").unwrap()],
            values: vec![raw_slice(&mut iv).array(4, 4, "").unwrap()],
        };
        let outcome = places.write(&Derived { key: None, further, values });
        assert!(matches!(outcome, Err(Reason::Internal(_))));
    }
    assert_eq!((key, iv), (0, [0; 4]));
}
