//! The objects of one token in memory, found by handle, by record and by what searches ask for.
//!
//! Owns: handles of objects, which objects are visible now, the order that makes searches cheap, and how much of the
//! store has been read. Does not know: the store, templates' rules, who may do what. Called from `token` under its lock.
//!
//! A token object keeps its handle as long as it exists and the library lives, also while a logout
//! hides it. Handles of all tokens come from one counter, so one handle never means two things.
//!
//! The records of a token are read when something first asks for its objects: public ones, and private ones once the
//! user has logged in. Until then the index knows only what this process wrote, and answers [`Unread`] to every question
//! that it cannot answer from that.

use crate::object::{Object, ValueRef};
use crate::template::{Given, Template};
use crate::types::{ObjectHandle, SessionHandle};
use ffi_headers::{CKA_CLASS, CKA_ID, CKA_KEY_TYPE, CKA_LABEL, CKA_UNIQUE_ID};
use hsm_crypto::memory;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
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
    /// Nowhere: the token has it by itself. The index holds no such object.
    BuiltIn,
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

/// The question cannot be answered before the token's records are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unread;

/// An answer of the index, or that it has none yet.
pub type Known<T> = Result<T, Unread>;

/// Which records have to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// None: everything that can be visible is there.
    Nothing,
    /// Private ones; the public ones are there.
    Private,
    /// All.
    All,
}

/// The attributes that searches are narrowed by, in no particular order.
const INDEXED: [u64; 5] = [CKA_CLASS, CKA_KEY_TYPE, CKA_ID, CKA_LABEL, CKA_UNIQUE_ID];

/// Hashes handles. They are numbers that this process counts up, so nobody can choose them to collide.
type Counted = BuildHasherDefault<CountedHasher>;

/// See [`Counted`].
#[derive(Default)]
struct CountedHasher(u64);

impl Hasher for CountedHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        // The golden ratio as an odd number: neighbours stay apart in the low bits, and the high ones, which hash maps
        // compare first, differ.
        self.0 = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The objects of one token.
#[derive(Default)]
pub struct Index {
    /// Objects that are visible now.
    visible: HashMap<ObjectHandle, Held, Counted>,
    /// Every token object that ever was visible and still exists.
    records: HashMap<RecordId, ObjectHandle>,
    /// Records that do not open.
    damaged: HashSet<RecordId>,
    /// Session objects by owner.
    by_session: HashMap<SessionHandle, BTreeSet<ObjectHandle>, Counted>,
    /// Visible objects, each under the keyed hash of each indexed attribute with its value; a collision only costs time.
    /// One ordered set and not a set for each value: most labels and ids belong to one or two objects.
    entries: BTreeSet<(u64, ObjectHandle)>,
    /// Whether the user is logged in, so that private objects may be visible.
    private_open: bool,
    /// Whether the public records have been read.
    public_read: bool,
    /// Whether the private records have been read in this login.
    private_read: bool,
    /// Whether token objects may have changed in a way that was not looked at: none is then answered for.
    doubted: bool,
    hasher: RandomState,
}

impl Index {
    /// The object behind a handle.
    ///
    /// # Errors
    /// `Unread` when it may be in a record that was not read.
    pub fn object(&self, handle: ObjectHandle) -> Known<Option<&Held>> {
        match self.visible.get(&handle) {
            Some(Held { home: Home::Record(_), .. }) if self.doubted => Err(Unread),
            Some(held) => Ok(Some(held)),
            None => self.ensure_read().map(|()| None),
        }
    }

    /// Whether an object was visible at the last look at the store.
    #[must_use]
    pub fn is_visible(&self, handle: ObjectHandle) -> bool {
        self.visible.contains_key(&handle)
    }

    /// Records that do not open.
    ///
    /// # Errors
    /// `Unread`.
    pub fn damaged(&self) -> Known<&HashSet<RecordId>> {
        self.ensure_read().map(|()| &self.damaged)
    }

    // --- reading ---

    /// Which records have to be read before every question has its answer.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        match (self.public_read, self.private_open && !self.private_read) {
            (false, _) => Wanted::All,
            (true, true) => Wanted::Private,
            (true, false) => Wanted::Nothing,
        }
    }

    /// Whether a change of this record must be looked at now; otherwise it will be read with the others.
    #[must_use]
    pub fn follows(&self, record: RecordId) -> bool {
        !self.doubted && (self.public_read || self.records.contains_key(&record))
    }

    /// Notes that more has changed than can be told: all records will be read anew.
    pub fn doubt(&mut self) {
        // Where nothing was read or written yet, there is nothing to doubt.
        self.doubted = self.public_read || !self.records.is_empty();
        self.public_read = false;
        self.private_read = false;
    }

    /// Makes room for so many more objects, so that taking them in cannot fail.
    ///
    /// # Errors
    /// `OutOfMemory`; nothing has changed then.
    pub fn room(&mut self, objects: usize) -> hsm_crypto::Result<()> {
        self.records.try_reserve(objects).map_err(memory::refused)?;
        self.visible.try_reserve(objects).map_err(memory::refused)?;
        memory::enough()
    }

    /// Takes in the records that were `wanted`, all at once.
    ///
    /// # Errors
    /// `OutOfMemory`; nothing has changed then.
    pub fn take_in(
        &mut self,
        wanted: Wanted,
        records: Vec<(RecordId, News)>,
        handles: &Handles,
    ) -> hsm_crypto::Result<()> {
        self.room(records.len())?;
        let mut present = HashSet::new();
        let doubted = self.doubted && wanted == Wanted::All;
        if doubted {
            present.try_reserve(records.len()).map_err(memory::refused)?;
        }
        let mut entries = memory::with_room(records.len() * INDEXED.len())?;
        // The nodes of the ordered set cannot be asked for one by one, so they are asked for at once.
        drop(memory::with_room::<[u64; 3]>(records.len() * INDEXED.len())?);
        if doubted {
            present.extend(records.iter().map(|(record, _)| *record));
            self.retain_records(&present);
        }
        for (record, news) in records {
            self.place(record, news, handles, &mut entries);
        }
        // Sorted and merged: a hundred thousand objects are in place in a fraction of the time of that many insertions.
        self.entries.append(&mut entries.into_iter().collect());
        match wanted {
            Wanted::Nothing => {}
            Wanted::Private => self.private_read = self.private_open,
            Wanted::All => {
                self.public_read = true;
                self.private_read = self.private_open;
                self.doubted = false;
            }
        }
        Ok(())
    }

    // --- the login ---

    /// Lets private objects in (the user has logged in).
    pub fn open_private(&mut self) {
        self.private_open = true;
    }

    /// Hides private token objects and destroys private session objects (the user has logged out).
    pub fn close_private(&mut self) {
        self.private_open = false;
        self.private_read = false;
        // All at once: hidden one by one, a hundred thousand objects would make every other call wait for the logout.
        let visible = &mut self.visible;
        visible.retain(|_, held| !held.object.is_private());
        self.entries.retain(|(_, handle)| visible.contains_key(handle));
        self.by_session.retain(|_, owned| {
            owned.retain(|handle| visible.contains_key(handle));
            !owned.is_empty()
        });
    }

    // --- token objects ---

    /// Notes what a record holds now; returns the handle of an object.
    pub fn set_record(&mut self, record: RecordId, news: News, handles: &Handles) -> Option<ObjectHandle> {
        let mut entries = Vec::new();
        let handle = self.place(record, news, handles, &mut entries);
        self.entries.extend(entries);
        handle
    }

    /// Puts a record in its place, all but its `entries`, which are added to those that the caller will enter.
    fn place(
        &mut self,
        record: RecordId,
        news: News,
        handles: &Handles,
        entries: &mut Vec<(u64, ObjectHandle)>,
    ) -> Option<ObjectHandle> {
        let known = self.records.get(&record).copied();
        if let Some(known) = known {
            if let (News::Object(object), Some(before)) = (&news, self.visible.get(&known)) {
                object.inherit(&before.object);
            }
            self.hide(known);
        }
        self.damaged.remove(&record);
        match news {
            News::Object(object) => {
                let handle = known.unwrap_or_else(|| handles.next());
                if known.is_none() {
                    self.records.insert(record, handle);
                }
                if self.private_open || !object.is_private() {
                    entries.extend(entries_of(&self.hasher, handle, &object));
                    self.visible.insert(handle, Held { object, home: Home::Record(record) });
                }
                Some(handle)
            }
            News::Closed => None,
            News::Damaged => {
                self.damaged.insert(record);
                None
            }
        }
    }

    /// Forgets a record that is gone; its handle is dead for ever.
    pub fn remove_record(&mut self, record: RecordId) {
        self.damaged.remove(&record);
        if let Some(handle) = self.records.remove(&record) {
            self.hide(handle);
        }
    }

    /// Forgets every record that `keep` does not name.
    fn retain_records(&mut self, keep: &HashSet<RecordId>) {
        let known = self.records.keys().chain(&self.damaged);
        let gone: Vec<RecordId> = known.filter(|record| !keep.contains(record)).copied().collect();
        for record in gone {
            self.remove_record(record);
        }
    }

    /// Forgets everything: the token has been initialised anew.
    pub fn clear(&mut self) {
        *self = Self { hasher: self.hasher.clone(), ..Self::default() };
    }

    // --- session objects ---

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
        self.by_session.entry(session).or_default().insert(handle);
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

    /// How many sessions own objects.
    #[must_use]
    pub fn owners(&self) -> usize {
        self.by_session.len()
    }

    /// Whether a session owns objects.
    #[must_use]
    pub fn has_objects_of(&self, session: SessionHandle) -> bool {
        self.by_session.contains_key(&session)
    }

    /// Destroys the objects of a session that is closed.
    pub fn remove_session(&mut self, session: SessionHandle) {
        for handle in self.by_session.remove(&session).unwrap_or_default() {
            self.hide(handle);
        }
    }

    // --- searching ---

    /// Visible objects that satisfy `matches`, in the order of their handles; the template narrows the walk.
    ///
    /// # Errors
    /// `Unread`.
    pub fn search(
        &self,
        template: &Template,
        matches: impl Fn(&Object) -> bool,
    ) -> Known<hsm_crypto::Result<Vec<ObjectHandle>>> {
        self.ensure_read()?;
        let fits = |handle: &ObjectHandle| self.visible.get(handle).is_some_and(|held| matches(&held.object));
        Ok(match self.narrowest(template) {
            Some(hash) => memory::collected(self.under(hash).filter(fits)),
            None => {
                let found = memory::collected(self.visible.keys().filter(|handle| fits(handle)).copied());
                found.map(|mut found| {
                    found.sort_unstable();
                    found
                })
            }
        })
    }

    /// The hash in the template under which the fewest objects are; `None` when no indexed attribute is asked for.
    fn narrowest(&self, template: &Template) -> Option<u64> {
        let asked = template.entries.iter().filter(|entry| INDEXED.contains(&entry.kind));
        let hashes: Vec<u64> = asked
            .filter_map(|entry| match &entry.value {
                Given::Bytes(value) => Some(hash(&self.hasher, entry.kind, value.expose())),
                Given::Template(_) => None,
            })
            .collect();
        if hashes.len() < 2 {
            return hashes.first().copied();
        }
        // All are walked abreast until the first one ends: it is the shortest, and no other was walked further.
        let mut walks: Vec<_> = hashes.iter().map(|hash| (*hash, self.under(*hash))).collect();
        loop {
            for (hash, walk) in &mut walks {
                if walk.next().is_none() {
                    return Some(*hash);
                }
            }
        }
    }

    /// The objects under a hash, in the order of their handles.
    fn under(&self, hash: u64) -> impl Iterator<Item = ObjectHandle> {
        let range = (hash, ObjectHandle(0))..=(hash, ObjectHandle(u64::MAX));
        self.entries.range(range).map(|(_, handle)| *handle)
    }

    fn ensure_read(&self) -> Known<()> {
        if self.wanted() == Wanted::Nothing { Ok(()) } else { Err(Unread) }
    }

    fn show(&mut self, handle: ObjectHandle, held: Held) {
        entries_of(&self.hasher, handle, &held.object).for_each(|entry| {
            self.entries.insert(entry);
        });
        self.visible.insert(handle, held);
    }

    fn hide(&mut self, handle: ObjectHandle) {
        let Some(held) = self.visible.remove(&handle) else { return };
        for entry in entries_of(&self.hasher, handle, &held.object) {
            self.entries.remove(&entry);
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
}

/// What the index finds a visible object by.
fn entries_of(
    hasher: &RandomState,
    handle: ObjectHandle,
    object: &Object,
) -> impl Iterator<Item = (u64, ObjectHandle)> {
    INDEXED.iter().filter_map(move |kind| {
        let value = match *kind {
            // Every object has these two at hand.
            CKA_CLASS => ValueRef::Number(object.class()),
            CKA_KEY_TYPE => ValueRef::Number(object.key_type()?),
            kind => object.value(kind)?,
        };
        let hash = match value {
            ValueRef::Number(number) => hash(hasher, *kind, &number.to_ne_bytes()),
            ValueRef::Bytes(bytes) => hash(hasher, *kind, bytes),
            ValueRef::Flag(_) | ValueRef::Mechanisms(_) | ValueRef::Template(_) => return None,
        };
        Some((hash, handle))
    })
}

/// Keyed, because labels and ids come from callers.
fn hash(hasher: &RandomState, kind: u64, value: &[u8]) -> u64 {
    hasher.hash_one((kind, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Value;
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
        Arc::new(Object::new(&attributes.into()))
    }

    fn record(number: u8) -> RecordId {
        RecordId([number; 16])
    }

    fn labelled(label: &str) -> Template {
        Template::default().with(CKA_LABEL, label.as_bytes())
    }

    /// Walks everything that the index lets through: what it narrows away is what these tests look at.
    fn found(index: &Index, template: &Template) -> Vec<ObjectHandle> {
        index.search(template, |_| true).unwrap().unwrap()
    }

    /// An index of an empty token that has been read.
    fn read() -> (Index, Handles) {
        let (mut index, handles) = (Index::default(), Handles::default());
        index.take_in(Wanted::All, Vec::new(), &handles).unwrap();
        (index, handles)
    }

    /// As another process's record arrives in the course of reading.
    fn news(class: u64, label: &str, private: bool) -> News {
        News::Object(object(class, label, private))
    }

    fn is_there(index: &Index, handle: ObjectHandle) -> bool {
        index.object(handle).unwrap().is_some()
    }

    #[test]
    fn a_record_keeps_its_handle_through_change_logout_and_login() {
        let (mut index, handles) = read();
        index.open_private();
        let first = index.set_record(record(1), news(CKO_DATA, "a", true), &handles).unwrap();
        let changed = index.set_record(record(1), news(CKO_DATA, "b", true), &handles).unwrap();
        index.close_private();
        assert!(!is_there(&index, first), "hidden while logged out");
        let closed = index.set_record(record(1), News::Closed, &handles);
        index.open_private();
        assert_eq!(index.object(first).err(), Some(Unread), "the new login has not read it yet");
        let opened = index.set_record(record(1), news(CKO_DATA, "b", true), &handles).unwrap();
        assert_eq!((changed, closed, opened), (first, None, first));
        assert!(is_there(&index, first));
    }

    #[test]
    fn a_destroyed_record_never_gives_its_handle_back() {
        let (mut index, handles) = read();
        let first = index.set_record(record(1), news(CKO_DATA, "a", false), &handles).unwrap();
        index.remove_record(record(1));
        assert!(!is_there(&index, first));
        assert!(found(&index, &labelled("a")).is_empty());
        let second = index.set_record(record(1), news(CKO_DATA, "a", false), &handles).unwrap();
        assert_ne!(first, second);
    }

    #[test]
    fn a_private_object_that_arrives_after_the_logout_stays_hidden() {
        let (mut index, handles) = read();
        let handle = index.set_record(record(1), news(CKO_DATA, "a", true), &handles).unwrap();
        assert!(!is_there(&index, handle));
        assert!(found(&index, &Template::default()).is_empty());
        let session = SessionHandle(7);
        assert!(index.add_session_object(session, object(CKO_DATA, "b", true), &handles).is_none());
    }

    #[test]
    fn searches_walk_the_smallest_bucket_and_follow_a_change_of_label() {
        let (mut index, handles) = read();
        let a = index.set_record(record(1), news(CKO_DATA, "a", false), &handles).unwrap();
        let b = index.set_record(record(2), news(CKO_DATA, "b", false), &handles).unwrap();
        let c = index.set_record(record(3), news(CKO_SECRET_KEY, "c", false), &handles).unwrap();
        assert_eq!(found(&index, &Template::default()), [a, b, c]);
        assert_eq!(found(&index, &Template::default().with_number(CKA_CLASS, CKO_DATA)), [a, b]);
        assert_eq!(found(&index, &labelled("b").with_number(CKA_CLASS, CKO_DATA)), [b]);
        assert!(found(&index, &labelled("no such")).is_empty());
        index.set_record(record(2), news(CKO_DATA, "new", false), &handles);
        assert!(found(&index, &labelled("b")).is_empty());
        assert_eq!(found(&index, &labelled("new")), [b]);
    }

    #[test]
    fn session_objects_die_with_their_session_and_no_other() {
        let (mut index, handles) = read();
        let (one, two) = (SessionHandle(1), SessionHandle(2));
        let mine = index.add_session_object(one, object(CKO_DATA, "a", false), &handles).unwrap();
        let other = index.add_session_object(two, object(CKO_DATA, "a", false), &handles).unwrap();
        assert!(index.replace_session_object(mine, object(CKO_DATA, "changed", false)));
        index.remove_session(one);
        assert!(!is_there(&index, mine));
        assert!(is_there(&index, other));
        assert!(!index.replace_session_object(mine, object(CKO_DATA, "late", false)));
        assert_eq!(found(&index, &Template::default()), [other]);
    }

    #[test]
    fn logout_destroys_private_session_objects_and_keeps_public_ones() {
        let (mut index, handles) = read();
        index.open_private();
        let session = SessionHandle(1);
        let private = index.add_session_object(session, object(CKO_DATA, "a", true), &handles).unwrap();
        let public = index.add_session_object(session, object(CKO_DATA, "b", false), &handles).unwrap();
        index.close_private();
        index.open_private();
        index.take_in(Wanted::Private, Vec::new(), &handles).unwrap();
        assert!(!is_there(&index, private));
        assert!(is_there(&index, public));
    }

    #[test]
    fn damaged_records_are_counted_until_they_heal_or_go() {
        let (mut index, handles) = read();
        index.set_record(record(1), News::Damaged, &handles);
        index.set_record(record(2), News::Damaged, &handles);
        assert_eq!(index.damaged().unwrap().len(), 2);
        index.set_record(record(1), news(CKO_DATA, "a", false), &handles);
        index.remove_record(record(2));
        assert!(index.damaged().unwrap().is_empty());
    }

    #[test]
    fn nothing_is_left_behind_when_everything_is_gone() {
        let (mut index, handles) = read();
        for number in 0..50 {
            index.set_record(record(number), news(CKO_DATA, "a", false), &handles);
            index.add_session_object(SessionHandle(1), object(CKO_DATA, "s", false), &handles).unwrap();
        }
        index.remove_session(SessionHandle(1));
        index.doubt();
        index.take_in(Wanted::All, Vec::new(), &handles).unwrap();
        assert!(index.visible.is_empty() && index.records.is_empty());
        assert!(index.entries.is_empty() && index.by_session.is_empty());
    }

    #[test]
    fn an_index_that_was_not_read_answers_only_what_it_knows() {
        let (mut index, handles) = (Index::default(), Handles::default());
        let written = index.set_record(record(1), news(CKO_DATA, "mine", false), &handles).unwrap();
        let in_session = index.add_session_object(SessionHandle(1), object(CKO_DATA, "s", false), &handles).unwrap();
        assert!(is_there(&index, written) && is_there(&index, in_session));
        assert_eq!(index.object(ObjectHandle(99)).err(), Some(Unread));
        assert_eq!(index.search(&labelled("mine"), |_| true), Err(Unread));
        assert_eq!(index.damaged().err(), Some(Unread));
        assert!(index.follows(record(1)) && !index.follows(record(2)), "it must not miss that its own was destroyed");
        let both = vec![(record(1), news(CKO_DATA, "mine", false)), (record(2), news(CKO_DATA, "theirs", false))];
        index.take_in(Wanted::All, both, &handles).unwrap();
        assert_eq!(found(&index, &labelled("mine")), [written], "under its own handle");
        assert_eq!(found(&index, &labelled("theirs")).len(), 1);
        assert!(index.object(ObjectHandle(99)).unwrap().is_none());
        assert!(index.follows(record(3)));
    }

    #[test]
    fn after_a_login_only_private_records_are_wanted() {
        let (mut index, handles) = read();
        assert_eq!(index.wanted(), Wanted::Nothing);
        index.open_private();
        assert_eq!(index.wanted(), Wanted::Private);
        index.take_in(Wanted::Private, vec![(record(1), news(CKO_DATA, "p", true))], &handles).unwrap();
        assert_eq!(index.wanted(), Wanted::Nothing);
        assert_eq!(found(&index, &labelled("p")).len(), 1);
        index.close_private();
        assert_eq!(index.wanted(), Wanted::Nothing);
        index.open_private();
        assert_eq!(index.wanted(), Wanted::Private);
    }

    /// The user logs out in another thread between the reading of the records and their being taken in.
    #[test]
    fn records_that_were_opened_for_a_login_that_ended_stay_hidden() {
        let (mut index, handles) = (Index::default(), Handles::default());
        index.open_private();
        let wanted = index.wanted();
        index.close_private();
        index.take_in(wanted, vec![(record(1), news(CKO_DATA, "p", true))], &handles).unwrap();
        assert!(found(&index, &Template::default()).is_empty());
        index.open_private();
        assert_eq!(index.wanted(), Wanted::Private, "the next login reads them anew");
    }

    #[test]
    fn what_is_doubted_is_asked_for_again_and_keeps_its_handle_if_it_is_still_there() {
        let (mut index, handles) = read();
        let stays = index.set_record(record(1), news(CKO_DATA, "stays", false), &handles).unwrap();
        let goes = index.set_record(record(2), news(CKO_DATA, "goes", false), &handles).unwrap();
        index.set_record(record(3), News::Damaged, &handles);
        let in_session = index.add_session_object(SessionHandle(1), object(CKO_DATA, "s", false), &handles).unwrap();
        index.doubt();
        assert_eq!(index.object(stays).err(), Some(Unread));
        assert!(is_there(&index, in_session), "nobody else changes it");
        assert!(!index.follows(record(1)), "it will be read with the others");
        index.take_in(Wanted::All, vec![(record(1), news(CKO_DATA, "changed", false))], &handles).unwrap();
        assert!(!is_there(&index, goes));
        assert_eq!(found(&index, &labelled("changed")), [stays]);
        assert!(found(&index, &labelled("stays")).is_empty() && index.damaged().unwrap().is_empty());
    }

    #[test]
    fn many_objects_are_found_by_each_of_their_attributes() {
        let (mut index, handles) = (Index::default(), Handles::default());
        let label = |number: u8| format!("pair-{}", number / 2);
        let all = (0..200).map(|number| (record(number), news(CKO_DATA, &label(number), number % 2 == 0))).collect();
        index.open_private();
        index.take_in(Wanted::All, all, &handles).unwrap();
        for number in (0..200).step_by(2) {
            let pair = found(&index, &labelled(&label(number)).with_number(CKA_CLASS, CKO_DATA));
            assert_eq!(pair, [ObjectHandle(u64::from(number) + 1), ObjectHandle(u64::from(number) + 2)]);
        }
        assert_eq!(found(&index, &Template::default().with_number(CKA_CLASS, CKO_DATA)).len(), 200);
        index.close_private();
        assert_eq!(found(&index, &labelled("pair-7")), [ObjectHandle(16)]);
        assert_eq!(found(&index, &Template::default().with_number(CKA_CLASS, CKO_DATA)).len(), 100);
    }
}
