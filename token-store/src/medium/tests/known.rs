//! What a process knows of the shared state, and when it must forget it.

use super::*;
use crate::medium::journal::append;
use crate::medium::surface::MemorySurface;

fn changes(all: &[(&[u8], Option<&[u8]>)]) -> Changes {
    all.iter().map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec))).collect()
}

/// A journal that others write, and one who follows it.
fn beginning() -> (Arc<MemorySurface>, Header, Known) {
    let surface = Arc::new(MemorySurface::default());
    Header::create(&*surface, 0).unwrap();
    let header = Header::read(&*surface).unwrap();
    let mut known = Known::default();
    known.attach(surface.clone(), &header);
    (surface, header, known)
}

fn value(known: &Known, key: &[u8]) -> Option<Option<Vec<u8>>> {
    match known.lookup(key) {
        Lookup::Known(value) => Some(value.map(<[u8]>::to_vec)),
        Lookup::Unknown => None,
    }
}

#[test]
fn frames_are_followed_up_to_what_was_announced() {
    let (surface, header, mut known) = beginning();
    let at = append(&*surface, &header, header.start(), 1, &changes(&[(b"a", Some(b"1"))])).unwrap();
    append(&*surface, &header, at, 2, &changes(&[(b"a", None), (b"b", Some(b"2"))])).unwrap();
    assert_eq!(known.follow(1, Some(1)).unwrap(), None);
    assert_eq!((known.generation(), value(&known, b"a")), (Some(1), Some(Some(b"1".to_vec()))));
    let second = at.offset;
    assert_eq!(known.follow(1, None).unwrap(), Some(second), "the first frame that was not announced");
    assert_eq!((known.generation(), value(&known, b"a"), value(&known, b"c")), (Some(2), Some(None), None));
}

#[test]
fn what_is_learnt_from_the_map_never_hides_what_the_journal_says() {
    let (surface, header, mut known) = beginning();
    append(&*surface, &header, header.start(), 1, &changes(&[(b"oa", None), (b"ob", Some(b"new"))])).unwrap();
    known.follow(1, None).unwrap();
    for (key, old) in [(b"oa", b"old"), (b"ob", b"old"), (b"oc", b"old")] {
        known.learn(key, Some(old)).unwrap();
    }
    assert!(known.complete(b"o"));
    let mut pairs = Vec::new();
    let mut keep = |key: &[u8], value: &[u8]| {
        pairs.push((key.to_vec(), value.to_vec()));
        Ok(())
    };
    known.scan(b"o", &mut keep).unwrap();
    assert_eq!(pairs, [(b"ob".to_vec(), b"new".to_vec()), (b"oc".to_vec(), b"old".to_vec())]);
    assert_eq!(value(&known, b"od"), Some(None), "complete: what is not there is known not to be");
    assert_eq!(value(&known, b"p"), None);
}

#[test]
fn a_restart_by_another_is_followed_when_everything_before_was_read() {
    let (surface, header, mut known) = beginning();
    let end = append(&*surface, &header, header.start(), 1, &changes(&[(b"a", Some(b"1")), (b"b", None)])).unwrap();
    known.follow(1, None).unwrap();
    let next = header.restart(&*surface, end).unwrap();
    append(&*surface, &next, next.start(), 2, &changes(&[(b"c", Some(b"2"))])).unwrap();
    known.attach(surface, &next);
    known.follow(2, None).unwrap();
    assert_eq!(value(&known, b"a"), Some(Some(b"1".to_vec())), "kept");
    assert_eq!(value(&known, b"c"), Some(Some(b"2".to_vec())));
    assert_eq!(value(&known, b"b"), None, "that it was deleted is the map's to say now");
}

#[test]
fn a_restart_behind_unread_frames_forgets_everything() {
    let (surface, header, mut known) = beginning();
    let at = append(&*surface, &header, header.start(), 1, &changes(&[(b"a", Some(b"1"))])).unwrap();
    known.follow(1, None).unwrap();
    let end = append(&*surface, &header, at, 2, &changes(&[(b"a", Some(b"2"))])).unwrap();
    let next = header.restart(&*surface, end).unwrap();
    known.attach(surface, &next);
    assert_eq!((known.generation(), value(&known, b"a")), (Some(2), None));
}

#[test]
fn another_store_under_the_same_name_forgets_everything() {
    let (surface, header, mut known) = beginning();
    let at = append(&*surface, &header, header.start(), 1, &changes(&[(b"a", Some(b"1"))])).unwrap();
    known.follow(1, None).unwrap();
    // The journal of another store: the same generations, another history.
    let other = Arc::new(MemorySurface::default());
    Header::create(&*other, 0).unwrap();
    let other_header = Header::read(&*other).unwrap();
    let other_end = append(&*other, &other_header, other_header.start(), 1, &changes(&[(b"z", None)])).unwrap();
    let other_next = other_header.restart(&*other, other_end).unwrap();
    known.attach(other, &other_next);
    assert_eq!(value(&known, b"a"), None);
    assert_ne!(at, other_end);
}
