//! One token in this process: what is known of it, who is logged in, its sessions and its objects.
//!
//! Owns: the rules of login states (v2.40, 5.4 and 5.6) as far as one process goes. Does not know: the
//! store, session contents, operations. Called from `sync` (news from the store) and from `api/`.
//!
//! Locks, outermost first: `state`, the shelves of the register, `index`; all are leaves, held for memory operations only and never
//! across crypto or the store. What the hot path asks (the role, and how often it changed) is one atomic on a line of
//! its own. A login begins while no session comes or goes, so that either it sees a session or the session sees it.

use crate::built_in::is_built_in;
use crate::index::{Handles, Held, Home, Index, Known, News, Wanted};
use crate::lock::{Mutex, RwLock, RwLockWriteGuard};
use crate::object::Object;
use crate::policy::Policy;
use crate::reason::{Reason, Result};
use crate::register::{Register, Standstill};
use crate::role::{ROLES, Role};
use crate::slot::{Description, Epoch};
use crate::template::Template;
use crate::types::{ObjectHandle, SessionHandle, SlotId};
use hsm_crypto::memory;
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use token_store::{PartitionId, PartitionKey, RecordId, RoleId, RoleState};

/// A token in this process.
pub struct Token {
    /// Its partition.
    pub partition: PartitionId,
    slot: SlotId,
    standing: LoneCounter,
    policy: AtomicU8,
    initialised: AtomicBool,
    register: Register,
    state: Mutex<State>,
    index: RwLock<Index>,
    index_changes: LoneCounter,
    /// How many sessions own objects.
    owners: LoneCounter,
    handles: Arc<Handles>,
}

/// What changes when somebody logs in or out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The role that is logged in.
    pub role: Option<Role>,
    /// How often a login ended; an operation on a private key lives only as long as its login.
    pub ended: u64,
}

/// A number alone on its cache lines: read by every call, and seldom written.
#[derive(Default)]
#[repr(align(128))]
struct LoneCounter(AtomicU64);

/// The index as its one writer holds it; letting go counts a change.
struct IndexMut<'a> {
    index: RwLockWriteGuard<'a, Index>,
    token: &'a Token,
}

/// What a token tells about itself.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Number, serial, label, epoch.
    pub description: Description,
    /// The roles that have a PIN, by their place in the store.
    pub roles: BTreeMap<RoleId, RoleState>,
    /// Open sessions of this process.
    pub sessions: usize,
    /// Those of them that are read-write.
    pub sessions_read_write: usize,
}

/// What is known of a token.
struct State {
    description: Description,
    /// The roles that have a PIN, by their place in the store.
    roles: BTreeMap<RoleId, RoleState>,
    login: Option<Login>,
}

/// A login.
#[derive(Clone)]
pub struct Login {
    /// Who.
    pub role: Role,
    /// What the PIN opened.
    pub key: PartitionKey,
}

impl Deref for IndexMut<'_> {
    type Target = Index;

    fn deref(&self) -> &Index {
        &self.index
    }
}

impl DerefMut for IndexMut<'_> {
    fn deref_mut(&mut self) -> &mut Index {
        &mut self.index
    }
}

impl Drop for IndexMut<'_> {
    fn drop(&mut self) {
        // The lock is still held: whoever reads this number finds the index that belongs to it, or a newer one.
        self.token.index_changes.0.fetch_add(1, Ordering::Release);
        self.token.count_owners(&self.index);
    }
}

impl Token {
    /// Makes a token of what the store says.
    #[must_use]
    pub fn new(partition: PartitionId, description: Description, handles: Arc<Handles>) -> Self {
        let state = State { description, roles: BTreeMap::new(), login: None };
        Self {
            partition,
            slot: state.description.slot,
            standing: LoneCounter::default(),
            policy: AtomicU8::new(state.description.policy.bits()),
            initialised: AtomicBool::new(state.description.initialised),
            register: Register::default(),
            state: Mutex::new(state),
            index: RwLock::new(Index::default()),
            index_changes: LoneCounter::default(),
            owners: LoneCounter::default(),
            handles,
        }
    }

    /// The role that is logged in, and how often a login ended.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let word = self.standing.0.load(Ordering::Acquire);
        let place = usize::try_from(word & 0xff).unwrap_or(0);
        Standing { role: place.checked_sub(1).and_then(|place| ROLES.get(place)).map(|row| row.role), ended: word >> 8 }
    }

    /// What the token tells about itself at this moment.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let state = self.state.lock();
        let (sessions, sessions_read_write) = self.register.count();
        Facts { description: state.description.clone(), roles: state.roles.clone(), sessions, sessions_read_write }
    }

    /// The epoch; a new one means another token in the same slot.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.state.lock().description.epoch
    }

    /// What it may do; asked by each operation that begins, hence without a lock.
    #[must_use]
    pub fn policy(&self) -> Policy {
        // The bits come from a policy; no others are ever stored.
        Policy::of_bits(self.policy.load(Ordering::Acquire)).unwrap_or_default()
    }

    /// The slot's number.
    #[must_use]
    pub fn slot(&self) -> SlotId {
        self.slot
    }

    /// The login with its key, and the epoch it belongs to.
    #[must_use]
    pub fn login_of_epoch(&self) -> Option<(Epoch, Login)> {
        let state = self.state.lock();
        Some((state.description.epoch, state.login.clone()?))
    }

    /// The key that opens private objects now, with the epoch it belongs to.
    #[must_use]
    pub fn private_key(&self) -> Option<(Epoch, PartitionKey)> {
        let state = self.state.lock();
        Some((state.description.epoch, state.user_key()?))
    }

    /// The epoch, and the key for private records as far as the login has one.
    #[must_use]
    pub fn write_key(&self) -> (Epoch, Option<PartitionKey>) {
        let state = self.state.lock();
        (state.description.epoch, state.user_key())
    }

    // --- sessions ---

    /// Judges whether a session may be opened now.
    ///
    /// # Errors
    /// `TokenNotInitialized`, `SessionReadWriteSoExists`.
    pub fn admits_session(&self, read_write: bool) -> Result<()> {
        if !self.initialised.load(Ordering::Acquire) {
            return Err(Reason::TokenNotInitialized);
        }
        if !read_write && self.standing().role == Some(Role::SecurityOfficer) {
            return Err(Reason::SessionReadWriteSoExists);
        }
        Ok(())
    }

    /// Enters a session that was opened.
    ///
    /// # Errors
    /// As `admits_session`.
    pub fn enter(&self, session: SessionHandle, read_write: bool) -> Result<()> {
        self.register.enter(session, read_write, || self.admits_session(read_write))
    }

    /// Takes leave of a session: its objects die, and with the last session the login ends.
    pub fn leave(&self, session: SessionHandle) {
        self.register.remove(session);
        // Most sessions own nothing, and their end is then no change of the index.
        if self.owners.0.load(Ordering::Acquire) > 0 && self.index.read().has_objects_of(session) {
            self.index_mut().remove_session(session);
        }
        if self.standing().role.is_some() && self.register.seems_empty() {
            let mut state = self.state.lock();
            let still = self.register.stand_still();
            if state.login.is_some() && still.count().0 == 0 {
                self.end_login(&mut state);
            }
        }
    }

    /// The open sessions.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionHandle> {
        self.register.stand_still().sessions().collect()
    }

    // --- login ---

    /// Judges whether `role` could log in now, PIN aside; returns the epoch for which that holds.
    ///
    /// # Errors
    /// `TokenNotInitialized`, `AlreadyLoggedIn`, `AnotherLoggedIn`, `SessionReadOnlyExists`.
    pub fn admits(&self, role: Role) -> Result<Epoch> {
        let state = self.state.lock();
        state.admits(role, &self.register.stand_still())?;
        Ok(state.description.epoch)
    }

    /// Logs a role in after its PIN was right. Private objects are read when they are first asked for.
    ///
    /// # Errors
    /// As `admits`; `TokenChanged` when the epoch is another; `SessionUnknown` when the session was closed meanwhile.
    pub fn begin_login(&self, session: SessionHandle, login: Login, epoch: Epoch) -> Result<()> {
        let mut state = self.state.lock();
        if state.description.epoch != epoch {
            return Err(Reason::TokenChanged);
        }
        let still = self.register.stand_still();
        state.admits(login.role, &still)?;
        if !still.contains(session) {
            return Err(Reason::SessionUnknown(session.0));
        }
        if login.role.is_user() {
            self.index_mut().open_private();
        }
        let place = ROLES.iter().position(|row| row.role == login.role).map_or(0, |place| place as u64 + 1);
        state.login = Some(login);
        let ended = self.standing().ended;
        self.standing.0.store(ended << 8 | place, Ordering::Release);
        Ok(())
    }

    /// Logs out: private objects vanish, and operations that began before are void.
    ///
    /// # Errors
    /// `NotLoggedIn`.
    pub fn logout(&self) -> Result<()> {
        let mut state = self.state.lock();
        if state.login.is_none() {
            return Err(Reason::NotLoggedIn);
        }
        self.end_login(&mut state);
        Ok(())
    }

    fn end_login(&self, state: &mut State) {
        state.login = None;
        let ended = self.standing().ended + 1;
        self.standing.0.store(ended << 8, Ordering::Release);
        self.index_mut().close_private();
    }

    // --- news from the store ---

    /// Takes in a description; a new epoch ends the login and empties the token. Returns whether it was new.
    pub fn set_description(&self, description: Description) -> bool {
        let mut state = self.state.lock();
        let changed = state.description.epoch != description.epoch;
        self.policy.store(description.policy.bits(), Ordering::Release);
        self.initialised.store(description.initialised, Ordering::Release);
        state.description = description;
        if changed {
            state.roles.clear();
            self.end_login(&mut state);
            self.index_mut().clear();
        }
        changed
    }

    /// Takes in that the partition is gone: the login ends, and the sessions that are open find an empty slot.
    pub fn vanish(&self) {
        let description = self.state.lock().description.clone();
        self.set_description(Description { initialised: false, epoch: [0; 16], ..description });
    }

    /// Takes in the state of a role, `None` when it has no PIN.
    pub fn set_role(&self, role: RoleId, role_state: Option<RoleState>) {
        let mut state = self.state.lock();
        match role_state {
            Some(role_state) => state.roles.insert(role, role_state),
            None => state.roles.remove(&role),
        };
    }

    /// Takes in what records hold, `None` for those that are gone; returns the handles of the objects.
    pub fn set_records(&self, records: Vec<(RecordId, Option<News>)>) -> Vec<ObjectHandle> {
        let mut index = self.index_mut();
        let mut handles = Vec::with_capacity(records.len());
        for (record, news) in records {
            match news {
                Some(news) => handles.extend(index.set_record(record, news, &self.handles)),
                None => index.remove_record(record),
            }
        }
        handles
    }

    /// Notes that more has changed than can be told: all records will be read anew when they are asked for.
    pub fn doubt(&self) {
        self.index_mut().doubt();
    }

    /// Whether a change of this record must be looked at now; otherwise it will be read with the others.
    #[must_use]
    pub fn follows(&self, record: RecordId) -> bool {
        self.index.read().follows(record)
    }

    /// Which records have to be read, of which epoch, with which key.
    #[must_use]
    pub fn wanted(&self) -> (Wanted, Epoch, Option<PartitionKey>) {
        let state = self.state.lock();
        let wanted = self.index.read().wanted();
        (wanted, state.description.epoch, state.user_key())
    }

    /// Takes in the records that were wanted.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn take_in(&self, wanted: Wanted, records: Vec<(RecordId, News)>) -> hsm_crypto::Result<()> {
        self.index_mut().take_in(wanted, records, &self.handles)
    }

    /// Makes room for so many more objects.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn room(&self, objects: usize) -> hsm_crypto::Result<()> {
        // No change that is counted: every handle means what it meant.
        self.index.write().room(objects)
    }

    // --- objects ---

    /// The object behind a handle, if it is visible.
    ///
    /// # Errors
    /// `Unread`.
    pub fn object(&self, handle: ObjectHandle) -> Known<Option<Held>> {
        self.index.read().object(handle).map(|held| held.cloned())
    }

    /// How often objects of the token, or who sees them, have changed in this process. As long as this stays the same, every
    /// handle has the object that it had; others may have come.
    #[must_use]
    pub fn index_changes(&self) -> u64 {
        self.index_changes.0.load(Ordering::Acquire)
    }

    fn index_mut(&self) -> IndexMut<'_> {
        IndexMut { index: self.index.write(), token: self }
    }

    /// Notes how many sessions own objects; the index is held.
    fn count_owners(&self, index: &Index) {
        self.owners.0.store(index.owners() as u64, Ordering::Release);
    }

    /// Whether this is the handle of a session object, whatever the store holds by now.
    #[must_use]
    pub fn is_session_object(&self, handle: ObjectHandle) -> bool {
        matches!(self.index.read().object(handle), Ok(Some(held)) if held.record().is_none())
    }

    /// Takes in a session object.
    ///
    /// # Errors
    /// `NotLoggedIn` for a private object when the user has logged out meanwhile.
    pub fn add_session_object(&self, session: SessionHandle, object: Arc<Object>) -> Result<ObjectHandle> {
        // No change that is counted: every other handle means what it meant.
        let mut index = self.index.write();
        let handle = index.add_session_object(session, object, &self.handles);
        self.count_owners(&index);
        handle.ok_or(Reason::NotLoggedIn)
    }

    /// Puts a changed session object in place of the old.
    ///
    /// # Errors
    /// `ObjectUnknown` when it is gone.
    pub fn replace_session_object(&self, handle: ObjectHandle, object: Arc<Object>) -> Result<()> {
        let live = self.index_mut().replace_session_object(handle, object);
        if live { Ok(()) } else { Err(Reason::ObjectUnknown(handle.0)) }
    }

    /// Destroys a session object.
    ///
    /// # Errors
    /// `ObjectUnknown` when it is gone.
    pub fn remove_session_object(&self, handle: ObjectHandle) -> Result<()> {
        let live = self.index_mut().remove_session_object(handle);
        if live { Ok(()) } else { Err(Reason::ObjectUnknown(handle.0)) }
    }

    /// The visible objects that satisfy `matches`.
    ///
    /// # Errors
    /// `Unread`.
    pub fn search(
        &self,
        template: &Template,
        matches: impl Fn(&Object) -> bool,
    ) -> Known<hsm_crypto::Result<Vec<ObjectHandle>>> {
        self.index.read().search(template, matches)
    }

    /// Those of `handles` that are still visible, up to `most`; takes them off the front of the queue.
    ///
    /// # Errors
    /// `OutOfMemory`; none has been taken then.
    pub fn still_visible(
        &self,
        handles: &mut impl ExactSizeIterator<Item = ObjectHandle>,
        most: usize,
    ) -> hsm_crypto::Result<Vec<ObjectHandle>> {
        let mut found = memory::with_room(most.min(handles.len()))?;
        let index = self.index.read();
        found.extend(handles.filter(|handle| is_built_in(*handle) || index.is_visible(*handle)).take(most));
        Ok(found)
    }

    /// Records that do not open.
    ///
    /// # Errors
    /// `Unread`.
    pub fn damaged(&self) -> Known<Vec<RecordId>> {
        let mut damaged: Vec<_> = self.index.read().damaged()?.iter().copied().collect();
        damaged.sort_unstable();
        Ok(damaged)
    }
}

impl Facts {
    /// The state of a role; `None` when it has no PIN.
    #[must_use]
    pub fn role(&self, role: Role) -> Option<RoleState> {
        self.roles.get(&role.row().store_id).copied()
    }
}

impl State {
    fn role(&self) -> Option<Role> {
        self.login.as_ref().map(|login| login.role)
    }

    /// The key that opens private objects.
    fn user_key(&self) -> Option<PartitionKey> {
        self.login.as_ref().filter(|login| login.role.is_user()).map(|login| login.key.clone())
    }

    fn admits(&self, role: Role, sessions: &Standstill<'_>) -> Result<()> {
        if !self.description.initialised {
            return Err(Reason::TokenNotInitialized);
        }
        match self.role() {
            Some(present) if present == role => return Err(Reason::AlreadyLoggedIn),
            Some(_) => return Err(Reason::AnotherLoggedIn),
            None => {}
        }
        let (all, read_write) = sessions.count();
        if role == Role::SecurityOfficer && all > read_write {
            return Err(Reason::SessionReadOnlyExists);
        }
        // Whether the role has a PIN is the store's to say, after the work that a wrong one costs.
        Ok(())
    }
}

impl Held {
    /// The record of a token object.
    #[must_use]
    pub fn record(&self) -> Option<RecordId> {
        match self.home {
            Home::Record(record) => Some(record),
            Home::Session(_) | Home::BuiltIn => None,
        }
    }
}
