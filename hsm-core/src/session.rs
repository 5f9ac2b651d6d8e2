//! Sessions and the table that finds them by handle.
//!
//! Owns: handles (never 0, never reused), the limit of sessions, one lock per session. Does not know:
//! tokens' rules, what the operations do. Called from `api/`.
//!
//! The table is a slab in chunks that are made once and never moved: finding a session reads
//! shared memory that nobody writes, then takes that session's own lock. Two threads with different
//! sessions never meet; two threads with one session wait for each other. Free places lie on several
//! shelves, and each thread takes from one, so that threads do not meet in opening and closing either.

use crate::access::Subject;
use crate::attributes::Actor;
use crate::job::Job;
use crate::limits::SESSIONS_MAX;
use crate::lock::{Mutex, MutexGuard};
use crate::operation::Operations;
use crate::policy::Policy;
use crate::reason::{Reason, Result};
use crate::recent::Recent;
use crate::register::SHELVES;
use crate::role::Role;
use crate::token::{Standing, Token};
use crate::types::SessionHandle;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// A session.
pub struct Session {
    /// Its handle.
    pub handle: SessionHandle,
    /// Its token.
    pub token: Arc<Token>,
    /// Opened with CKF_RW_SESSION.
    pub read_write: bool,
    /// A panic went through it: it can only be closed.
    pub faulted: bool,
    /// The key that it used last.
    pub recent: Option<Recent>,
    /// What it has under way.
    pub operations: Operations,
    /// Opened with CKF_ASYNC_SESSION.
    pub asynchronous: bool,
    /// The function that goes on without its caller, or whose outcome nobody has heard yet.
    pub job: Option<Job>,
    /// How many of those there were.
    pub jobs_begun: u64,
    /// Opened on a token in approved mode, so that each of its operations began in it.
    pub approved: bool,
}

impl Session {
    /// Who asks, for the access question.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject { role: self.standing().role, read_write: self.read_write }
    }

    /// Who asks, for the attribute tables.
    #[must_use]
    pub fn actor(&self) -> Actor {
        let role = self.standing().role;
        Actor { security_officer: role == Some(Role::SecurityOfficer), user: role.is_some_and(Role::is_user) }
    }

    /// What the token may do, as it is now.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.token.policy()
    }

    /// The login of the token as it is now.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.token.standing()
    }
}

/// Sessions in one chunk.
const CHUNK: usize = 256;
/// Bits of a handle that say where the session lies; those above count how often the place was used.
const PLACE_BITS: u32 = 16;
const _: () = assert!(SESSIONS_MAX <= 1 << PLACE_BITS, "every place fits into the handle");

/// A place for a session, alone on its cache lines.
#[repr(align(128))]
#[derive(Default)]
struct Place(Mutex<Seat>);

#[derive(Default)]
struct Seat {
    /// How often the place was used; part of the handle.
    used: u64,
    session: Option<Session>,
}

/// The table of all sessions of an HSM.
pub struct SessionTable {
    chunks: Vec<OnceLock<Box<[Place]>>>,
    free: [Shelf; SHELVES],
}

/// Places to give out: every so manyth, beginning with the shelf's own number.
#[derive(Default)]
#[repr(align(128))]
struct Shelf(Mutex<Free>);

/// Those given back, and how many were ever given.
#[derive(Default)]
struct Free {
    returned: Vec<usize>,
    given: usize,
}

impl Default for SessionTable {
    fn default() -> Self {
        Self { chunks: (0..SESSIONS_MAX.div_ceil(CHUNK)).map(|_| OnceLock::new()).collect(), free: Default::default() }
    }
}

impl SessionTable {
    /// Adds a session.
    ///
    /// # Errors
    /// `SessionCount` at the limit.
    pub fn open(&self, token: Arc<Token>, read_write: bool) -> Result<SessionHandle> {
        let number = self.take().ok_or(Reason::SessionCount)?;
        let place = self.place_or_new(number).ok_or(Reason::SessionCount)?;
        let approved = token.policy().approved;
        let mut seat = place.0.lock();
        seat.used += 1;
        let handle = SessionHandle(seat.used << PLACE_BITS | number as u64);
        seat.session = Some(Session {
            handle,
            token,
            read_write,
            faulted: false,
            recent: None,
            operations: Operations::default(),
            asynchronous: false,
            job: None,
            jobs_begun: 0,
            approved,
        });
        Ok(handle)
    }

    /// Removes a session after `farewell` to its token; its place is free for another, its handle dead for ever.
    ///
    /// # Errors
    /// `SessionUnknown`.
    pub fn close(&self, handle: SessionHandle, farewell: impl FnOnce(&Token)) -> Result<()> {
        let mut seat = self.seat(handle)?;
        if let Some(session) = &seat.session {
            farewell(&session.token);
        }
        // It ends where it lies: moving it out would copy some hundred bytes of what it has under way.
        seat.session = None;
        drop(seat);
        let number = number_of(handle);
        self.free[number % SHELVES].0.lock().returned.push(number);
        Ok(())
    }

    /// Runs `work` on a session under its lock, waiting for a call of another thread on the same session.
    ///
    /// # Errors
    /// `SessionUnknown`, `SessionFaulted`, and those of `work`.
    pub fn with<T>(&self, handle: SessionHandle, work: impl FnOnce(&mut Session) -> Result<T>) -> Result<T> {
        self.with_faulted(handle, |session| if session.faulted { Err(Reason::SessionFaulted) } else { work(session) })
    }

    /// As `with`, also for a session that is out of use.
    ///
    /// # Errors
    /// `SessionUnknown`, and those of `work`.
    pub fn with_faulted<T>(&self, handle: SessionHandle, work: impl FnOnce(&mut Session) -> Result<T>) -> Result<T> {
        let mut seat = self.seat(handle)?;
        // `seat` has just seen the session there; the error is for the type only.
        work(seat.session.as_mut().ok_or(Reason::SessionUnknown(handle.0))?)
    }

    /// The seat on which `handle` sits.
    fn seat(&self, handle: SessionHandle) -> Result<MutexGuard<'_, Seat>> {
        let unknown = || Reason::SessionUnknown(handle.0);
        let number = number_of(handle);
        let chunk = self.chunks.get(number / CHUNK).and_then(OnceLock::get).ok_or_else(unknown)?;
        let seat = chunk.get(number % CHUNK).ok_or_else(unknown)?.0.lock();
        match &seat.session {
            Some(session) if session.handle == handle => Ok(seat),
            Some(_) | None => Err(unknown()),
        }
    }

    /// A free place, of this thread's shelf if there is one.
    fn take(&self) -> Option<usize> {
        let own = own_shelf();
        (own..own + SHELVES).find_map(|shelf| self.free[shelf % SHELVES].0.lock().take(shelf % SHELVES))
    }

    fn place_or_new(&self, number: usize) -> Option<&Place> {
        let chunk = self.chunks.get(number / CHUNK)?;
        chunk.get_or_init(|| (0..CHUNK).map(|_| Place::default()).collect()).get(number % CHUNK)
    }
}

impl Free {
    /// A place of the shelf.
    fn take(&mut self, shelf: usize) -> Option<usize> {
        if let Some(number) = self.returned.pop() {
            return Some(number);
        }
        let number = self.given * SHELVES + shelf;
        (number < SESSIONS_MAX).then(|| {
            self.given += 1;
            number
        })
    }
}

/// The shelf from which this thread takes first.
fn own_shelf() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = THREADS.fetch_add(1, Ordering::Relaxed) % SHELVES;
    }
    // Where the thread is ending, any will do.
    OWN.try_with(|own| *own).unwrap_or(0)
}

fn number_of(handle: SessionHandle) -> usize {
    // The mask keeps it below 2^16, which fits every `usize`.
    usize::try_from(handle.0 & ((1 << PLACE_BITS) - 1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Handles;
    use crate::slot::Description;
    use crate::types::SlotId;
    use std::collections::HashSet;
    use token_store::PartitionId;

    fn token() -> Arc<Token> {
        let description = Description {
            slot: SlotId(0),
            serial: [b'0'; 16],
            initialised: true,
            label: [b' '; 32],
            epoch: [1; 16],
            policy: Policy::default(),
        };
        Arc::new(Token::new(PartitionId([0; 16]), description, Arc::new(Handles::default())))
    }

    #[test]
    fn a_handle_is_never_zero_and_never_given_twice() {
        let (table, token) = (SessionTable::default(), token());
        let mut seen = HashSet::new();
        for _ in 0..1000 {
            let handle = table.open(token.clone(), false).unwrap();
            assert_ne!(handle.0, 0);
            assert!(seen.insert(handle));
            table.close(handle, |_| {}).unwrap();
        }
    }

    #[test]
    fn a_closed_handle_stays_dead_when_its_place_is_used_again() {
        let (table, token) = (SessionTable::default(), token());
        let first = table.open(token.clone(), false).unwrap();
        table.close(first, |_| {}).unwrap();
        let second = table.open(token, true).unwrap();
        assert!(matches!(table.with(first, |_| Ok(())), Err(Reason::SessionUnknown(_))));
        assert!(matches!(table.close(first, |_| {}), Err(Reason::SessionUnknown(_))));
        assert!(table.with(second, |session| Ok(session.read_write)).unwrap());
    }

    #[test]
    fn handles_that_nobody_gave_are_unknown() {
        let table = SessionTable::default();
        for handle in [0, 1, 0xffff, 0x1_0000, u64::MAX, u64::MAX - 1] {
            let answer = table.with(SessionHandle(handle), |_| Ok(()));
            assert!(matches!(answer, Err(Reason::SessionUnknown(_))), "{handle:#x}");
        }
    }

    #[test]
    fn the_limit_is_met_exactly_and_a_closed_session_makes_room() {
        let (table, token) = (SessionTable::default(), token());
        let handles: Vec<_> = (0..SESSIONS_MAX).map(|_| table.open(token.clone(), false).unwrap()).collect();
        assert!(matches!(table.open(token.clone(), false), Err(Reason::SessionCount)));
        table.close(handles[12_345], |_| {}).unwrap();
        table.open(token.clone(), false).unwrap();
        assert!(matches!(table.open(token, false), Err(Reason::SessionCount)));
    }

    #[test]
    fn a_faulted_session_can_only_be_closed() {
        let (table, token) = (SessionTable::default(), token());
        let handle = table.open(token, false).unwrap();
        let fault = |session: &mut Session| {
            session.faulted = true;
            Ok(())
        };
        table.with_faulted(handle, fault).unwrap();
        assert!(matches!(table.with(handle, |_| Ok(())), Err(Reason::SessionFaulted)));
        table.close(handle, |_| {}).unwrap();
    }
}
