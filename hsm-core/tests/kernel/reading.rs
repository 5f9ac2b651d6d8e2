//! When the records of a token are read, and what a process that has not read them yet knows and misses.

use crate::bench::*;
use hsm_core::lock::Mutex;
use hsm_core::template::Template;
use hsm_core::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use token_store::StoreError;
use token_store::medium::{Batch, Medium, Memory, Reader};

/// A medium in memory that counts the records it hands out, fails when told to, and lets others act before a view.
#[derive(Clone, Default)]
struct Watched {
    memory: Memory,
    records: Arc<AtomicUsize>,
    failing: Arc<AtomicBool>,
    before_view: Arc<Mutex<Option<Act>>>,
}

type Act = Box<dyn FnOnce() + Send>;

impl Watched {
    /// How many records were read since this was last asked.
    fn records_read(&self) -> usize {
        self.records.swap(0, Ordering::Relaxed)
    }
}

impl Medium for Watched {
    fn generation(&self) -> token_store::Result<u64> {
        self.memory.generation()
    }

    fn view(&self, work: &mut dyn FnMut(&dyn Reader) -> token_store::Result<()>) -> token_store::Result<()> {
        let act = self.before_view.lock().take();
        if let Some(act) = act {
            act();
        }
        if self.failing.load(Ordering::Relaxed) {
            return Err(StoreError::Engine("told to fail".to_owned()));
        }
        self.memory.view(&mut |reader| work(&Counting { reader, records: &self.records }))
    }

    fn transact(
        &self,
        work: &mut dyn FnMut(&dyn Reader, &mut Batch) -> token_store::Result<()>,
    ) -> token_store::Result<u64> {
        self.memory.transact(work)
    }
}

struct Counting<'a> {
    reader: &'a dyn Reader,
    records: &'a AtomicUsize,
}

impl Counting<'_> {
    fn note(&self, key: &[u8]) {
        if key.starts_with(b"o") {
            self.records.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Reader for Counting<'_> {
    fn generation(&self) -> u64 {
        self.reader.generation()
    }

    fn get(&self, key: &[u8]) -> token_store::Result<Option<Vec<u8>>> {
        self.note(key);
        self.reader.get(key)
    }

    fn scan(&self, prefix: &[u8], each: &mut token_store::medium::Each<'_>) -> token_store::Result<()> {
        self.reader.scan(prefix, &mut |key, value| {
            self.note(key);
            each(key, value)
        })
    }
}

/// A process (`there`, logged in) on a token with 20 public and 20 private objects, and the medium for others.
fn stocked() -> (Hsm, SessionHandle, Watched) {
    let (there, memory, theirs) = logged_in();
    for _ in 0..20 {
        there.create_object(theirs, &data("public", true, false)).unwrap();
        there.create_object(theirs, &data("private", true, true)).unwrap();
    }
    (there, theirs, Watched { memory, ..Watched::default() })
}

/// Another process, with a session and nobody logged in.
fn another(medium: &Watched) -> (Hsm, SessionHandle) {
    let hsm = start_on(Box::new(medium.clone()), Config::default()).unwrap();
    let session = hsm.open_session(SLOT, true).unwrap();
    (hsm, session)
}

fn all() -> Template {
    Template::default()
}

fn login(hsm: &Hsm, session: SessionHandle) {
    hsm.login(session, CKU_USER, &pin(USER_PIN)).unwrap();
}

fn is_there(hsm: &Hsm, session: SessionHandle, object: ObjectHandle) -> bool {
    match hsm.attributes(session, object, &[CKA_LABEL]) {
        Ok(_) => true,
        Err(Reason::ObjectUnknown(_)) => false,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn starting_logging_in_and_asking_about_the_token_read_no_record() {
    let (_there, _, medium) = stocked();
    let (here, mine) = another(&medium);
    login(&here, mine);
    here.token_info(SLOT).unwrap();
    here.session_info(mine).unwrap();
    here.random(mine, 8).unwrap();
    here.set_pin(mine, &pin(USER_PIN), &pin(USER_PIN)).unwrap();
    assert_eq!(medium.records_read(), 0);
    assert_eq!(found(&here, mine, &all()).len(), 40);
    assert_eq!(medium.records_read(), 40, "public and private ones in one go");
    assert_eq!(found(&here, mine, &labelled("private")).len(), 20);
    assert_eq!(medium.records_read(), 0);
}

#[test]
fn a_search_before_the_login_and_one_after_it_see_what_they_should_under_lasting_handles() {
    let (_there, _, medium) = stocked();
    let (here, mine) = another(&medium);
    let public = found(&here, mine, &all());
    assert_eq!(public.len(), 20);
    login(&here, mine);
    let private = found(&here, mine, &labelled("private"));
    assert_eq!(private.len(), 20);
    assert_eq!(found(&here, mine, &labelled("public")), public);
    here.logout(mine).unwrap();
    assert_eq!(found(&here, mine, &all()), public);
    assert!(!private.iter().any(|object| is_there(&here, mine, *object)));
    login(&here, mine);
    assert!(private.iter().all(|object| is_there(&here, mine, *object)), "without another search");
    assert_eq!(found(&here, mine, &labelled("private")), private);
}

#[test]
fn what_others_did_between_the_start_and_the_first_search_is_not_missed() {
    let (there, theirs, medium) = stocked();
    let doomed = there.create_object(theirs, &data("doomed", true, true)).unwrap();
    let (here, mine) = another(&medium);
    login(&here, mine);
    there.destroy_object(theirs, doomed).unwrap();
    let [changed, ..] = found(&there, theirs, &labelled("public"))[..] else { panic!("none") };
    there.set_attributes(theirs, changed, &labelled("changed")).unwrap();
    there.create_object(theirs, &data("new", true, true)).unwrap();
    here.session_info(mine).unwrap();
    assert_eq!(medium.records_read(), 0, "a change in a token whose objects nobody asked for is not read");
    let counts =
        ["public", "private", "changed", "new", "doomed"].map(|label| found(&here, mine, &labelled(label)).len());
    assert_eq!(counts, [19, 20, 1, 1, 0]);
}

#[test]
fn what_a_process_writes_before_it_has_read_anything_stays_in_step_with_the_others() {
    let (there, theirs, medium) = stocked();
    let (here, mine) = another(&medium);
    login(&here, mine);
    let [kept, changed, doomed] =
        ["kept", "old", "doomed"].map(|label| here.create_object(mine, &data(label, true, true)).unwrap());
    assert_eq!(medium.records_read(), 0);
    let theirs_of = |label: &str| found(&there, theirs, &labelled(label))[0];
    there.destroy_object(theirs, theirs_of("doomed")).unwrap();
    there.set_attributes(theirs, theirs_of("old"), &labelled("new")).unwrap();
    assert!(!is_there(&here, mine, doomed));
    let label = here.attributes(mine, changed, &[CKA_LABEL]).unwrap();
    assert_eq!(label, [Answer::Bytes(pin("new"))]);
    assert_eq!(found(&here, mine, &labelled("kept")), [kept]);
    assert_eq!(found(&here, mine, &labelled("new")), [changed]);
    assert!(found(&here, mine, &labelled("doomed")).is_empty());
    assert_eq!(found(&here, mine, &all()).len(), 42);
}

#[test]
fn a_token_initialised_anew_by_another_process_while_unread_is_the_new_one() {
    let (there, theirs, medium) = stocked();
    let (here, mine) = another(&medium);
    login(&here, mine);
    there.close_session(theirs).unwrap();
    there.init_token(SLOT, &pin(SO_PIN), b"new                             ").unwrap();
    let session = there.open_session(SLOT, true).unwrap();
    there.create_object(session, &data("public of the new", true, false)).unwrap();
    assert_eq!(found(&here, mine, &all()).len(), 1);
    assert_eq!(state(&here, mine), CKS_RW_PUBLIC_SESSION);
}

/// The worst moment: the search has seen that nothing changed, and goes to read the records.
#[test]
fn a_token_initialised_anew_in_the_moment_of_reading_gives_none_of_its_old_objects() {
    let (there, theirs, medium) = stocked();
    let (here, mine) = another(&medium);
    login(&here, mine);
    there.close_session(theirs).unwrap();
    *medium.before_view.lock() = Some(Box::new(move || {
        there.init_token(SLOT, &pin(SO_PIN), b"new                             ").unwrap();
    }));
    here.find_init(mine, &all()).unwrap();
    check(here.find(mine, 100), CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(state(&here, mine), CKS_RW_PUBLIC_SESSION);
    assert_eq!(&here.token_info(SLOT).unwrap().label, b"new                             ");
    assert!(found(&here, mine, &all()).is_empty());
}

/// As above, with a write: what is read is newer than what the process has looked at so far.
#[test]
fn an_object_destroyed_in_the_moment_of_reading_does_not_come_back() {
    let (there, theirs, medium) = stocked();
    let (here, mine) = another(&medium);
    login(&here, mine);
    *medium.before_view.lock() = Some(Box::new(move || {
        for object in found(&there, theirs, &labelled("private")) {
            there.destroy_object(theirs, object).unwrap();
        }
        there.create_object(theirs, &data("new", true, true)).unwrap();
    }));
    for _ in 0..2 {
        assert_eq!(found(&here, mine, &all()).len(), 21);
        assert!(found(&here, mine, &labelled("private")).is_empty());
        assert_eq!(found(&here, mine, &labelled("new")).len(), 1);
    }
}

#[test]
fn a_damaged_record_is_named_and_hides_no_other() {
    let (_there, _, medium) = stocked();
    let is_record = |key: &&Vec<u8>| key.starts_with(b"o");
    let content = medium.memory.dump();
    for key in content.keys().filter(is_record).take(2) {
        let mut value = content[key].clone();
        *value.last_mut().unwrap() ^= 1;
        medium.memory.tamper(key, Some(value));
    }
    let (here, mine) = another(&medium);
    login(&here, mine);
    assert_eq!(here.damaged_records(SLOT).unwrap().len(), 2, "asked before any search");
    assert_eq!(found(&here, mine, &all()).len(), 38);
}

#[test]
fn a_store_that_fails_when_records_are_read_fails_that_call_and_not_the_next() {
    let (_there, _, medium) = stocked();
    let (here, mine) = another(&medium);
    login(&here, mine);
    medium.failing.store(true, Ordering::Relaxed);
    check(here.find_init(mine, &all()), CKR_DEVICE_ERROR);
    check(here.find_init(mine, &all()), CKR_DEVICE_ERROR);
    check(here.damaged_records(SLOT).map(drop), CKR_DEVICE_ERROR);
    medium.failing.store(false, Ordering::Relaxed);
    let objects = found(&here, mine, &all());
    assert_eq!(objects.len(), 40);

    let [private, ..] = found(&here, mine, &labelled("private"))[..] else { panic!("none") };
    here.logout(mine).unwrap();
    login(&here, mine);
    medium.failing.store(true, Ordering::Relaxed);
    check(here.attributes(mine, private, &[CKA_LABEL]).map(drop), CKR_DEVICE_ERROR);
    medium.failing.store(false, Ordering::Relaxed);
    assert!(is_there(&here, mine, private), "a handle is not lost because the store failed once");
}

#[test]
fn handles_outlast_more_changes_than_the_list_remembers() {
    let (there, theirs, medium) = stocked();
    let (here, mine) = another(&medium);
    login(&here, mine);
    let before = found(&here, mine, &all());
    let [stays, ..] = found(&here, mine, &labelled("private"))[..] else { panic!("none") };
    let doomed = found(&there, theirs, &labelled("public"));
    let memory_only = here.create_object(mine, &data("session", false, false)).unwrap();
    for object in doomed {
        there.destroy_object(theirs, object).unwrap();
    }
    let object = there.create_object(theirs, &data("busy", true, true)).unwrap();
    for round in 0..1100 {
        there.set_attributes(theirs, object, &labelled(&format!("busy {round}"))).unwrap();
    }
    medium.records_read();
    here.session_info(mine).unwrap();
    assert_eq!(medium.records_read(), 0, "a call that needs no object reads none");
    assert!(is_there(&here, mine, stays));
    assert_eq!(before.iter().filter(|object| is_there(&here, mine, **object)).count(), 20);
    assert_eq!(found(&here, mine, &labelled("busy 1099")).len(), 1);
    assert!(is_there(&here, mine, memory_only));
}

#[test]
fn threads_that_search_at_once_read_the_records_once() {
    let (_there, _, medium) = stocked();
    let (here, mine) = another(&medium);
    login(&here, mine);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let session = here.open_session(SLOT, false).unwrap();
                assert_eq!(found(&here, session, &all()).len(), 40);
            });
        }
    });
    assert_eq!(medium.records_read(), 40);
}

#[test]
fn a_search_while_others_log_in_and_out_sees_all_private_objects_or_none() {
    let (_there, _, medium) = stocked();
    let (here, mine) = another(&medium);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..200 {
                login(&here, mine);
                here.logout(mine).unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let session = here.open_session(SLOT, false).unwrap();
                while !done.load(Ordering::Relaxed) {
                    here.find_init(session, &all()).unwrap();
                    match here.find(session, 100) {
                        // A search begun before a logout may lose objects at it, one begun after it has none to lose.
                        Ok(objects) => assert!(objects.len() == 20 || objects.len() == 40, "{}", objects.len()),
                        Err(reason) => assert_eq!(reason.rv(), CKR_OPERATION_NOT_INITIALIZED),
                    }
                    here.cancel(session, OperationKind::Find);
                }
            });
        }
    });
}
