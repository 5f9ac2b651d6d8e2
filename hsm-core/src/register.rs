//! The open sessions of a token, in shelves, so that threads that open and close sessions of their own do not meet.
//!
//! Owns: which sessions are open and how many of them are read-write. Does not know: what a session is, logins. Called
//! from `token`; its locks are leaves below the token's state.

use crate::lock::{Mutex, MutexGuard};
use crate::types::SessionHandle;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many parts the lists of sessions have: more than threads usually open and close sessions at the same moment.
pub const SHELVES: usize = 16;

/// The open sessions of one token.
#[derive(Default)]
pub struct Register {
    shelves: [Shelf; SHELVES],
}

/// The sessions of some places, alone on its cache lines.
#[derive(Default)]
#[repr(align(128))]
struct Shelf {
    /// Their number, and that of the read-write ones, to be read without the lock.
    count: AtomicUsize,
    read_write: AtomicUsize,
    sessions: Mutex<Sessions>,
}

/// Sessions in the order of their handles, and whether each is read-write.
type Sessions = Vec<(SessionHandle, bool)>;

/// All shelves, held: no session comes or goes.
pub struct Standstill<'a> {
    register: &'a Register,
    shelves: Vec<MutexGuard<'a, Sessions>>,
}

impl Register {
    /// Enters a session if `admit` answers no reason against it. Nobody holds a [`Standstill`] meanwhile.
    ///
    /// # Errors
    /// What `admit` answers.
    pub fn enter<E>(
        &self,
        session: SessionHandle,
        read_write: bool,
        admit: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let shelf = self.shelf(session);
        let mut sessions = shelf.sessions.lock();
        admit()?;
        if let Err(place) = sessions.binary_search_by_key(&session, |entry| entry.0) {
            sessions.insert(place, (session, read_write));
            shelf.count.fetch_add(1, Ordering::SeqCst);
            shelf.read_write.fetch_add(usize::from(read_write), Ordering::SeqCst);
        }
        Ok(())
    }

    /// Strikes a session out.
    pub fn remove(&self, session: SessionHandle) {
        let shelf = self.shelf(session);
        let mut sessions = shelf.sessions.lock();
        if let Ok(place) = sessions.binary_search_by_key(&session, |entry| entry.0) {
            let (_, read_write) = sessions.remove(place);
            shelf.count.fetch_sub(1, Ordering::SeqCst);
            shelf.read_write.fetch_sub(usize::from(read_write), Ordering::SeqCst);
        }
    }

    /// Whether there is no session, as far as can be told without a lock. Of several threads that each remove one and then ask, one at
    /// least hears of the end.
    #[must_use]
    pub fn seems_empty(&self) -> bool {
        self.shelves.iter().all(|shelf| shelf.count.load(Ordering::SeqCst) == 0)
    }

    /// How many sessions are open, and how many of them are read-write, as far as can be told without a lock.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        let sum =
            |of: fn(&Shelf) -> &AtomicUsize| self.shelves.iter().map(|shelf| of(shelf).load(Ordering::SeqCst)).sum();
        (sum(|shelf| &shelf.count), sum(|shelf| &shelf.read_write))
    }

    /// Lets no session come or go until the answer is dropped.
    #[must_use]
    pub fn stand_still(&self) -> Standstill<'_> {
        Standstill { register: self, shelves: self.shelves.iter().map(|shelf| shelf.sessions.lock()).collect() }
    }

    fn shelf(&self, session: SessionHandle) -> &Shelf {
        // The low bits say where the session lies, and so which thread opened it.
        &self.shelves[session.0 as usize % SHELVES]
    }
}

impl Standstill<'_> {
    /// The open sessions.
    pub fn sessions(&self) -> impl Iterator<Item = SessionHandle> {
        self.shelves.iter().flat_map(|sessions| sessions.iter().map(|(session, _)| *session))
    }

    /// Whether a session is open.
    #[must_use]
    pub fn contains(&self, session: SessionHandle) -> bool {
        self.sessions().any(|open| open == session)
    }

    /// How many sessions are open, and how many of them are read-write.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        self.register.count()
    }
}
