//! The catalogue beside other processes, and beside the threads of its own.

use super::*;
use crate::hsm::Hsm;
use crate::platform::Clock;
use crate::template::Template;
use crate::together::Work;
use crate::types::{SessionHandle, SlotId};
use ffi_headers::*;
use hsm_crypto::kdf::Argon2Cost;
use hsm_crypto::{CryptoError, Random, SecretBytes};
use token_store::medium::Memory;
use token_store::{DeviceKey, Visibility};

struct Bench;

impl Random for Bench {
    fn fill(&self, out: &mut [u8]) -> hsm_crypto::Result<()> {
        getrandom::fill(out).map_err(|_| CryptoError::RandomFailed)
    }
}

impl Clock for Bench {
    fn unix_seconds(&self) -> i64 {
        0
    }
}

fn start(medium: &Memory) -> Hsm {
    let cost = Argon2Cost { memory_kib: 8, passes: 1, lanes: 1 };
    let device_key = DeviceKey::new(SecretBytes::new(vec![7; 32])).unwrap();
    let store = Store::open(Box::new(medium.clone()), &device_key, Arc::new(Bench), cost).unwrap();
    let engine = hsm_crypto::portable();
    let store = Arc::new(store);
    Hsm::new(Platform { engine, random: Arc::new(Bench), clock: Arc::new(Bench), store }, Config::default()).unwrap()
}

/// What a long call sees when another process initialises the token while it computes: it read the old
/// epoch, and comes to the store with it.
#[test]
fn what_was_begun_on_the_old_token_is_not_written_to_the_new_one() {
    let pin = SecretBytes::copy_of(b"1234");
    let medium = Memory::new();
    let (here, there) = (start(&medium), start(&medium));
    there.init_token(SlotId(0), &pin, &[b'a'; 32]).unwrap();
    let token = here.token(SlotId(0)).unwrap();
    let session = here.open_session(SlotId(0), true).unwrap();
    let (old, commits) = (token.epoch(), {
        there.init_token(SlotId(0), &pin, &[b'b'; 32]).unwrap();
        medium.commits()
    });
    let record = here.platform.store.new_record_id().unwrap();
    let content = SecretBytes::copy_of(b"old");
    let written = here.catalogue.write_records(&token, old, |tx| {
        tx.put_record(token.partition, record, Visibility::Public, None, &content)?;
        Ok(Ok(Vec::new()))
    });
    assert!(matches!(written, Err(Reason::TokenChanged)));
    let done = here.catalogue.write(&token, old, |tx, _| Ok(Ok(tx.clear_partition(token.partition)?)));
    assert!(matches!(done, Err(Reason::TokenChanged)));
    assert_eq!(medium.commits(), commits, "nothing was written");
    assert_ne!(token.epoch(), old, "and the new token is known at once");

    let data = Template::default().with_number(CKA_CLASS, CKO_DATA).with_flag(CKA_TOKEN, true);
    here.create_object(session, &data.with_flag(CKA_PRIVATE, false)).unwrap();
}

/// A write that was decided before another process's write was seen must not make that one look seen.
#[test]
fn a_write_beside_an_unseen_one_leaves_it_to_be_seen() {
    let pin = SecretBytes::copy_of(b"1234");
    let medium = Memory::new();
    let (here, there) = (start(&medium), start(&medium));
    there.init_token(SlotId(0), &pin, &[b'a'; 32]).unwrap();
    let data = Template::default().with_number(CKA_CLASS, CKO_DATA).with_flag(CKA_PRIVATE, false);
    let stored = data.with_flag(CKA_TOKEN, true);
    let (mine, theirs) = (here.open_session(SlotId(0), true).unwrap(), there.open_session(SlotId(0), true).unwrap());
    there.create_object(theirs, &stored).unwrap();

    let token = here.catalogue.token(SlotId(0)).unwrap();
    let record = here.platform.store.new_record_id().unwrap();
    let object = Arc::new(Object::new(&[(CKA_TOKEN, crate::object::Value::Flag(true))].into()));
    let written = here.catalogue.write_records(&token, token.epoch(), |tx| {
        tx.put_record(token.partition, record, Visibility::Public, None, object.content())?;
        Ok(Ok(vec![(record, Some(object.clone()))]))
    });
    assert_eq!(written.unwrap().len(), 1);
    here.find_init(mine, &Template::default()).unwrap();
    assert_eq!(here.find(mine, 10).unwrap().len(), 2, "theirs and mine");
}

/// While one thread takes in what another process wrote, a second thread's search may come in between.
#[test]
fn a_search_beside_the_taking_in_of_pairs_finds_no_half_of_one() {
    let pin = SecretBytes::copy_of(b"1234");
    let medium = Memory::new();
    let (here, there) = (start(&medium), start(&medium));
    there.init_token(SlotId(0), &pin, &[b'a'; 32]).unwrap();
    let (token, theirs) = (here.token(SlotId(0)).unwrap(), there.token(SlotId(0)).unwrap());
    let object = Arc::new(Object::new(&[(CKA_TOKEN, crate::object::Value::Flag(true))].into()));
    let pair = || {
        let halves = [(); 2].map(|()| there.platform.store.new_record_id().unwrap());
        let written = there.catalogue.write_records(&theirs, theirs.epoch(), |tx| {
            for half in halves {
                tx.put_record(theirs.partition, half, Visibility::Public, None, object.content())?;
            }
            Ok(Ok(halves.map(|half| (half, Some(object.clone()))).into()))
        });
        assert_eq!(written.unwrap().len(), 2);
    };
    // Not read yet is no half either.
    let search = |token: &Token| token.search(&Template::default(), |_| true);
    let everything = || search(&token).map_or(0, |found| found.unwrap().len());
    here.catalogue.look(&token, search).unwrap().unwrap();
    let over = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let searching = scope.spawn(|| {
            while over.load(Ordering::SeqCst) == 0 {
                assert_eq!(everything() % 2, 0, "half a pair");
            }
        });
        for _ in 0..20 {
            (0..100).for_each(|_| pair());
            here.catalogue.refresh().unwrap();
        }
        over.store(1, Ordering::SeqCst);
        searching.join().unwrap();
    });
    assert_eq!(everything(), 4_000);
}

/// A call on a session.
type Call<'a> = dyn Fn(SessionHandle) -> Result<()> + Sync + 'a;

/// Runs `calls` in threads of their own, each with a session, and lets none write before all of them wait to.
fn at_once(hsm: &Hsm, calls: &[&Call<'_>]) -> Vec<Result<()>> {
    let sessions: Vec<_> = calls.iter().map(|_| hsm.open_session(SlotId(0), true).unwrap()).collect();
    std::thread::scope(|scope| {
        let turn = hsm.catalogue.turn.lock();
        let threads: Vec<_> =
            calls.iter().zip(&sessions).map(|(call, session)| scope.spawn(move || call(*session))).collect();
        while hsm.catalogue.queue.len() < calls.len() {
            std::thread::yield_now();
        }
        drop(turn);
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn stored_data(label: &[u8]) -> Template {
    let data = Template::default().with_number(CKA_CLASS, CKO_DATA).with_flag(CKA_PRIVATE, false);
    data.with_flag(CKA_TOKEN, true).with(CKA_LABEL, label)
}

fn labelled(hsm: &Hsm, label: &[u8]) -> usize {
    let session = hsm.open_session(SlotId(0), false).unwrap();
    hsm.find_init(session, &Template::default().with(CKA_LABEL, label)).unwrap();
    hsm.find(session, 100).unwrap().len()
}

#[test]
fn what_threads_write_while_another_commits_goes_into_one_commit() {
    let medium = Memory::new();
    let hsm = start(&medium);
    hsm.init_token(SlotId(0), &SecretBytes::copy_of(b"1234"), &[b'a'; 32]).unwrap();
    let commits = medium.commits();
    let create = |session| hsm.create_object(session, &stored_data(b"new")).map(drop);
    let created = at_once(&hsm, &[&create as &Call<'_>; 8]);
    assert!(created.iter().all(Result::is_ok), "{created:?}");
    assert_eq!(medium.commits(), commits + 1, "one for all");
    assert_eq!(labelled(&hsm, b"new"), 8);
    assert_eq!(labelled(&start(&medium), b"new"), 8, "and all are in the store");
}

#[test]
fn a_write_that_is_refused_takes_none_of_those_along_with_which_it_went() {
    let medium = Memory::new();
    let (here, there) = (start(&medium), start(&medium));
    here.init_token(SlotId(0), &SecretBytes::copy_of(b"1234"), &[b'a'; 32]).unwrap();
    let session = here.open_session(SlotId(0), true).unwrap();
    let object = here.create_object(session, &stored_data(b"old")).unwrap();
    let destroy = |session| here.destroy_object(session, object);
    let create = |session| here.create_object(session, &stored_data(b"new")).map(drop);
    let answers = at_once(&here, &[&destroy, &create, &destroy, &create]);
    let (destroyed, gone): (Vec<_>, Vec<_>) = [&answers[0], &answers[2]].into_iter().partition(|answer| answer.is_ok());
    assert_eq!((destroyed.len(), gone.len()), (1, 1), "only one of two destroys it: {answers:?}");
    assert!(matches!(gone[0], Err(Reason::ObjectUnknown(_))), "{gone:?}");
    assert!(answers[1].is_ok() && answers[3].is_ok(), "{answers:?}");
    assert_eq!((labelled(&there, b"old"), labelled(&there, b"new")), (0, 2));
}

#[test]
fn a_write_that_no_commit_can_hold_lets_the_others_be_made() {
    let medium = Memory::new();
    let hsm = start(&medium);
    hsm.init_token(SlotId(0), &SecretBytes::copy_of(b"1234"), &[b'a'; 32]).unwrap();
    let token = hsm.catalogue.token(SlotId(0)).unwrap();
    let large = Arc::new(Object::new(&[(CKA_VALUE, crate::object::Value::Bytes(SecretBytes::zeroed(9 << 20)))].into()));
    let record = hsm.platform.store.new_record_id().unwrap();
    let too_large = |_| {
        let work = Work::Add(vec![(record, large.clone())], None);
        hsm.catalogue.write_together(Deed { token: token.clone(), epoch: token.epoch(), work }).map(drop)
    };
    let create = |session| hsm.create_object(session, &stored_data(b"new")).map(drop);
    let answers = at_once(&hsm, &[&create, &too_large, &create]);
    assert!(answers[0].is_ok() && answers[2].is_ok(), "{answers:?}");
    assert!(matches!(answers[1], Err(Reason::Store(StoreError::TooLarge { .. }))), "{answers:?}");
    assert_eq!(labelled(&start(&medium), b"new"), 2);
}
