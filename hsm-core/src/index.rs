//! The objects of one token in memory, found by handle, by record and by what searches ask for.
//!
//! Owns: handles of objects, which objects are visible now, the buckets that make searches cheap.
//! Does not know: the store, templates' rules, who may do what. Called from `token` under its lock.
//!
//! A token object keeps its handle as long as it exists and the library lives, also while a logout
//! hides it. Handles of all tokens come from one counter, so one handle never means two things.

use crate::object::{Object, Value};
use crate::template::{Given, Template};
use crate::types::{ObjectHandle, SessionHandle};
use ffi_headers::{CKA_CLASS, CKA_ID, CKA_KEY_TYPE, CKA_LABEL, CKA_UNIQUE_ID};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use token_store::RecordId;

/// The source of object handles, one for all tokens of an HSM.
#[derive(Debug, Default)]
pub struct Handles(AtomicU64);

impl Handles {
    /// A handle that was never given before; never 0.
    pub fn next(&self) -> ObjectHandle {
        ObjectHandle(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// Where an object lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// In the store.
    Record(RecordId),
    /// In memory, as long as this session.
    Session(SessionHandle),
}

/// An object as the index knows it.
#[derive(Clone)]
pub struct Held {
    /// The object.
    pub object: Arc<Object>,
    /// Where it lives.
    pub home: Home,
}

/// What is known of a record.
pub enum News {
    /// It holds this object.
    Object(Arc<Object>),
    /// It is private, and no login opens it now.
    Closed,
    /// It does not open or decode.
    Damaged,
}

/// The attributes that searches are narrowed by, in no particular order.
const INDEXED: [u64; 5] = [CKA_CLASS, CKA_KEY_TYPE, CKA_ID, CKA_LABEL, CKA_UNIQUE_ID];

/// The objects of one token.
#[derive(Default)]
pub struct Index {
    /// Objects that are visible now.
    visible: HashMap<ObjectHandle, Held>,
    /// Every token object that exists, closed and damaged ones included.
    records: HashMap<RecordId, ObjectHandle>,
    /// Records that do not open.
    damaged: HashSet<RecordId>,
    /// Session objects by owner.
    by_session: HashMap<SessionHandle, BTreeSet<ObjectHandle>>,
    /// Visible objects by keyed hash of an indexed attribute and its value; a collision only costs time.
    buckets: HashMap<u64, BTreeSet<ObjectHandle>>,
    /// Whether the user is logged in, so that private objects may be visible.
    private_open: bool,
    hasher: RandomState,
}

impl Index {
    /// The object behind a handle.
    #[must_use]
    pub fn object(&self, handle: ObjectHandle) -> Option<&Held> {
        self.visible.get(&handle)
    }

    /// Records that do not open.
    #[must_use]
    pub fn damaged(&self) -> &HashSet<RecordId> {
        &self.damaged
    }

    /// Lets private objects in (the user has logged in).
    pub fn open_private(&mut self) {
        self.private_open = true;
    }

    /// Hides private token objects and destroys private session objects (the user has logged out).
    pub fn close_private(&mut self) {
        self.private_open = false;
        let private: Vec<ObjectHandle> =
            self.visible.iter().filter(|(_, held)| held.object.is_private()).map(|(handle, _)| *handle).collect();
        for handle in private {
            self.hide(handle);
        }
    }

    /// Notes what a record holds now, and returns its handle.
    pub fn set_record(&mut self, record: RecordId, news: News, handles: &Handles) -> ObjectHandle {
        let handle = *self.records.entry(record).or_insert_with(|| handles.next());
        self.hide(handle);
        self.damaged.remove(&record);
        match news {
            News::Object(object) if self.private_open || !object.is_private() => {
                self.show(handle, Held { object, home: Home::Record(record) });
            }
            News::Object(_) | News::Closed => {}
            News::Damaged => {
                self.damaged.insert(record);
            }
        }
        handle
    }

    /// Forgets a record that is gone; its handle is dead for ever.
    pub fn remove_record(&mut self, record: RecordId) {
        self.damaged.remove(&record);
        if let Some(handle) = self.records.remove(&record) {
            self.hide(handle);
        }
    }

    /// Forgets every record that `keep` does not name.
    pub fn retain_records(&mut self, keep: &HashSet<RecordId>) {
        let gone: Vec<RecordId> = self.records.keys().filter(|record| !keep.contains(record)).copied().collect();
        for record in gone {
            self.remove_record(record);
        }
    }

    /// Takes in a session object; `None` when it is private and the user is not (or no longer) logged in.
    pub fn add_session_object(
        &mut self,
        session: SessionHandle,
        object: Arc<Object>,
        handles: &Handles,
    ) -> Option<ObjectHandle> {
        if object.is_private() && !self.private_open {
            return None;
        }
        let handle = handles.next();
        self.by_session.entry(session).or_default().insert(handle);
        self.show(handle, Held { object, home: Home::Session(session) });
        Some(handle)
    }

    /// Puts a changed session object in place of the old; `false` when that is gone.
    pub fn replace_session_object(&mut self, handle: ObjectHandle, object: Arc<Object>) -> bool {
        let Some(Held { home: home @ Home::Session(session), .. }) = self.visible.get(&handle).cloned() else {
            return false;
        };
        self.hide(handle);
        if let Home::Session(_) = home {
            self.by_session.entry(session).or_default().insert(handle);
        }
        self.show(handle, Held { object, home });
        true
    }

    /// Destroys a session object; `false` when it is gone already.
    pub fn remove_session_object(&mut self, handle: ObjectHandle) -> bool {
        let live = matches!(self.visible.get(&handle), Some(Held { home: Home::Session(_), .. }));
        if live {
            self.hide(handle);
        }
        live
    }

    /// Destroys the objects of a session that is closed.
    pub fn remove_session(&mut self, session: SessionHandle) {
        for handle in self.by_session.remove(&session).unwrap_or_default() {
            self.hide(handle);
        }
    }

    /// Forgets everything: the token has been initialised anew.
    pub fn clear(&mut self) {
        *self = Self { hasher: self.hasher.clone(), ..Self::default() };
    }

    /// Visible objects that satisfy `matches`, in the order of their handles; the template narrows the walk.
    pub fn search(&self, template: &Template, matches: impl Fn(&Object) -> bool) -> Vec<ObjectHandle> {
        let fits = |handle: &ObjectHandle| self.visible.get(handle).is_some_and(|held| matches(&held.object));
        match self.narrowest(template) {
            Narrowed::Nothing => Vec::new(),
            Narrowed::Bucket(bucket) => bucket.iter().filter(|handle| fits(handle)).copied().collect(),
            Narrowed::All => {
                let mut found: Vec<_> = self.visible.keys().filter(|handle| fits(handle)).copied().collect();
                found.sort_unstable();
                found
            }
        }
    }

    fn narrowest(&self, template: &Template) -> Narrowed<'_> {
        let mut best = Narrowed::All;
        for entry in &template.entries {
            let Given::Bytes(value) = &entry.value else { continue };
            if !INDEXED.contains(&entry.kind) {
                continue;
            }
            let Some(bucket) = self.buckets.get(&self.bucket(entry.kind, value.expose())) else {
                return Narrowed::Nothing;
            };
            match best {
                Narrowed::Bucket(smallest) if smallest.len() <= bucket.len() => {}
                _ => best = Narrowed::Bucket(bucket),
            }
        }
        best
    }

    fn show(&mut self, handle: ObjectHandle, held: Held) {
        for bucket in self.buckets_of(&held.object) {
            self.buckets.entry(bucket).or_default().insert(handle);
        }
        self.visible.insert(handle, held);
    }

    fn hide(&mut self, handle: ObjectHandle) {
        let Some(held) = self.visible.remove(&handle) else { return };
        for key in self.buckets_of(&held.object) {
            if let Some(bucket) = self.buckets.get_mut(&key) {
                bucket.remove(&handle);
                if bucket.is_empty() {
                    self.buckets.remove(&key);
                }
            }
        }
        if let Home::Session(session) = held.home
            && let Some(owned) = self.by_session.get_mut(&session)
        {
            owned.remove(&handle);
            if owned.is_empty() {
                self.by_session.remove(&session);
            }
        }
    }

    fn buckets_of(&self, object: &Object) -> Vec<u64> {
        let of = |kind: u64| match object.attributes().get(&kind)? {
            Value::Number(number) => Some(self.bucket(kind, &number.to_ne_bytes())),
            Value::Bytes(bytes) => Some(self.bucket(kind, bytes.expose())),
            Value::Flag(_) | Value::Mechanisms(_) | Value::Template(_) => None,
        };
        INDEXED.iter().filter_map(|kind| of(*kind)).collect()
    }

    fn bucket(&self, kind: u64, value: &[u8]) -> u64 {
        self.hasher.hash_one((kind, value))
    }
}

/// What a template narrows a search to.
enum Narrowed<'a> {
    /// No object can match.
    Nothing,
    /// Only these can.
    Bucket(&'a BTreeSet<ObjectHandle>),
    /// Any object can.
    All,
}

#[cfg(test)]
mod tests {
    use super::*;
    use ffi_headers::{CKA_PRIVATE, CKA_TOKEN, CKO_DATA, CKO_SECRET_KEY};
    use hsm_crypto::SecretBytes;

    fn object(class: u64, label: &str, private: bool) -> Arc<Object> {
        let bytes = |text: &str| Value::Bytes(SecretBytes::copy_of(text.as_bytes()));
        let attributes = [
            (CKA_CLASS, Value::Number(class)),
            (CKA_TOKEN, Value::Flag(true)),
            (CKA_PRIVATE, Value::Flag(private)),
            (CKA_LABEL, bytes(label)),
        ];
        Arc::new(Object::new(attributes.into()))
    }

    fn record(number: u8) -> RecordId {
        RecordId([number; 16])
    }

    fn labelled(label: &str) -> Template {
        Template::default().with(CKA_LABEL, label.as_bytes())
    }

    /// Walks everything that the index lets through: what it narrows away is what these tests look at.
    fn found(index: &Index, template: &Template) -> Vec<ObjectHandle> {
        index.search(template, |_| true)
    }

    #[test]
    fn a_record_keeps_its_handle_through_change_logout_and_login() {
        let (mut index, handles) = (Index::default(), Handles::default());
        index.open_private();
        let first = index.set_record(record(1), News::Object(object(CKO_DATA, "a", true)), &handles);
        let changed = index.set_record(record(1), News::Object(object(CKO_DATA, "b", true)), &handles);
        index.close_private();
        assert!(index.object(first).is_none(), "hidden while logged out");
        let closed = index.set_record(record(1), News::Closed, &handles);
        index.open_private();
        let opened = index.set_record(record(1), News::Object(object(CKO_DATA, "b", true)), &handles);
        assert_eq!([changed, closed, opened], [first; 3]);
        assert!(index.object(first).is_some());
    }

    #[test]
    fn a_destroyed_record_never_gives_its_handle_back() {
        let (mut index, handles) = (Index::default(), Handles::default());
        let first = index.set_record(record(1), News::Object(object(CKO_DATA, "a", false)), &handles);
        index.remove_record(record(1));
        assert!(index.object(first).is_none());
        assert!(found(&index, &labelled("a")).is_empty());
        let second = index.set_record(record(1), News::Object(object(CKO_DATA, "a", false)), &handles);
        assert_ne!(first, second);
    }

    #[test]
    fn a_private_object_that_arrives_after_the_logout_stays_hidden() {
        let (mut index, handles) = (Index::default(), Handles::default());
        let handle = index.set_record(record(1), News::Object(object(CKO_DATA, "a", true)), &handles);
        assert!(index.object(handle).is_none());
        assert!(found(&index, &Template::default()).is_empty());
        let session = SessionHandle(7);
        assert!(index.add_session_object(session, object(CKO_DATA, "b", true), &handles).is_none());
    }

    #[test]
    fn searches_walk_the_smallest_bucket_and_follow_a_change_of_label() {
        let (mut index, handles) = (Index::default(), Handles::default());
        let a = index.set_record(record(1), News::Object(object(CKO_DATA, "a", false)), &handles);
        let b = index.set_record(record(2), News::Object(object(CKO_DATA, "b", false)), &handles);
        let c = index.set_record(record(3), News::Object(object(CKO_SECRET_KEY, "c", false)), &handles);
        assert_eq!(found(&index, &Template::default()), [a, b, c]);
        assert_eq!(found(&index, &Template::default().with_number(CKA_CLASS, CKO_DATA)), [a, b]);
        assert_eq!(found(&index, &labelled("b").with_number(CKA_CLASS, CKO_DATA)), [b]);
        assert!(found(&index, &labelled("no such")).is_empty());
        index.set_record(record(2), News::Object(object(CKO_DATA, "new", false)), &handles);
        assert!(found(&index, &labelled("b")).is_empty());
        assert_eq!(found(&index, &labelled("new")), [b]);
    }

    #[test]
    fn session_objects_die_with_their_session_and_no_other() {
        let (mut index, handles) = (Index::default(), Handles::default());
        let (one, two) = (SessionHandle(1), SessionHandle(2));
        let mine = index.add_session_object(one, object(CKO_DATA, "a", false), &handles).unwrap();
        let other = index.add_session_object(two, object(CKO_DATA, "a", false), &handles).unwrap();
        assert!(index.replace_session_object(mine, object(CKO_DATA, "changed", false)));
        index.remove_session(one);
        assert!(index.object(mine).is_none());
        assert!(index.object(other).is_some());
        assert!(!index.replace_session_object(mine, object(CKO_DATA, "late", false)));
        assert_eq!(found(&index, &Template::default()), [other]);
    }

    #[test]
    fn logout_destroys_private_session_objects_and_keeps_public_ones() {
        let (mut index, handles) = (Index::default(), Handles::default());
        index.open_private();
        let session = SessionHandle(1);
        let private = index.add_session_object(session, object(CKO_DATA, "a", true), &handles).unwrap();
        let public = index.add_session_object(session, object(CKO_DATA, "b", false), &handles).unwrap();
        index.close_private();
        index.open_private();
        assert!(index.object(private).is_none());
        assert!(index.object(public).is_some());
    }

    #[test]
    fn damaged_records_are_counted_until_they_heal_or_go() {
        let (mut index, handles) = (Index::default(), Handles::default());
        index.set_record(record(1), News::Damaged, &handles);
        index.set_record(record(2), News::Damaged, &handles);
        assert_eq!(index.damaged().len(), 2);
        index.set_record(record(1), News::Object(object(CKO_DATA, "a", false)), &handles);
        index.remove_record(record(2));
        assert!(index.damaged().is_empty());
    }

    #[test]
    fn nothing_is_left_behind_when_everything_is_gone() {
        let (mut index, handles) = (Index::default(), Handles::default());
        for number in 0..50 {
            index.set_record(record(number), News::Object(object(CKO_DATA, "a", false)), &handles);
            index.add_session_object(SessionHandle(1), object(CKO_DATA, "s", false), &handles).unwrap();
        }
        index.remove_session(SessionHandle(1));
        index.retain_records(&HashSet::new());
        assert!(index.visible.is_empty() && index.records.is_empty());
        assert!(index.buckets.is_empty() && index.by_session.is_empty());
    }
}
