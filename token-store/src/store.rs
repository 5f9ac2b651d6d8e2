//! A store: partitions, roles and records, sealed on a medium.
//!
//! Owns: the types of the interface, the header, and the way into views and transactions. Does not know:
//! what stands in a record, which medium it is on.
//! Called from `hsm-core`. Rule source: docs/format.md.
//!
//! Views and transactions do not nest: `work` must not call the store again. Values are opened inside, so do
//! little else there; deriving from PINs happens outside ([`Store::login`], [`Store::prepare_role`]).

use crate::device_key::DeviceKey;
use crate::error::{Result, StoreError};
use crate::format::{self, ID_BYTES, Kind, Sealed};
use crate::keys::Keys;
use crate::medium::{Medium, Reader};
use crate::origin::{Origin, OriginId};
use crate::transaction::Transaction;
use crate::uncounted::Uncounted;
use crate::view::View;
use hsm_crypto::aead::{KEY_BYTES, SealKey};
use hsm_crypto::kdf::Argon2Cost;
use hsm_crypto::{Random, SecretBytes};
use std::sync::{Arc, OnceLock};

/// The number of a partition, random, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionId(pub [u8; 16]);

/// The number of a record, random, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(pub [u8; 16]);

/// The number of a role within a partition; its meaning is the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleId(pub u8);

/// Who can open a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Sealed with the device key: readable without a login.
    Public,
    /// Sealed with the partition key: readable after a login only.
    Private,
}

/// A partition key, out of its wrap after a login; wiped on drop.
#[derive(Clone)]
pub struct PartitionKey {
    key: Arc<SealKey>,
    /// What its seals are bound to, where the partition was born elsewhere.
    origin: Option<Arc<Origin>>,
    /// The key that was derived first, and for what: a login's key serves one partition, whose records come one by one.
    derived: Arc<OnceLock<(Vec<u8>, SealKey)>>,
}

impl PartitionKey {
    pub(crate) fn new(bytes: SecretBytes, origin: Option<Origin>) -> Result<Self> {
        let (key, origin) = (Arc::new(SealKey::new(bytes)?), origin.map(Arc::new));
        Ok(Self { key, origin, derived: Arc::new(OnceLock::new()) })
    }

    pub(crate) fn seal_key(&self) -> &SealKey {
        &self.key
    }

    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.origin.as_deref()
    }

    /// The key derived for a purpose.
    pub(crate) fn derived(&self, info: Vec<u8>) -> SealKey {
        let (purpose, key) = self.derived.get_or_init(|| {
            let key = self.key.derive(&info);
            (info.clone(), key)
        });
        if *purpose == info { key.clone() } else { self.key.derive(&info) }
    }
}

impl core::fmt::Debug for PartitionKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PartitionKey")
    }
}

/// A partition and its descriptive bytes, which are the caller's.
#[derive(Debug, Clone)]
pub struct PartitionEntry {
    /// Its number.
    pub id: PartitionId,
    /// What the caller stored about it (label, serial, ...); empty when damaged.
    pub meta: SecretBytes,
    /// Whether the record does not open.
    pub damaged: bool,
}

/// A record as the store gives it out.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number.
    pub id: RecordId,
    /// Who can open it.
    pub visibility: Visibility,
    /// Its content as far as it could be opened.
    pub content: RecordContent,
}

/// The content of a record as far as it could be opened.
#[derive(Debug, Clone)]
pub enum RecordContent {
    /// Opened.
    Open(SecretBytes),
    /// Private, and no partition key was given.
    Closed,
    /// Does not open with the right key: damaged or swapped.
    Damaged,
}

/// The state of a role that anybody may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleState {
    /// Failed logins since the last good one.
    pub failed: u32,
    /// Failed logins that lock the role.
    pub failed_max: u32,
}

impl RoleState {
    /// Whether the role is locked.
    #[must_use]
    pub const fn locked(self) -> bool {
        self.failed >= self.failed_max
    }
}

/// A role's record made ready outside a transaction, because deriving from a PIN is slow.
pub struct PreparedRole {
    pub(crate) partition: PartitionId,
    pub(crate) role: RoleId,
    /// What its wrap is bound to.
    pub(crate) origin: Option<OriginId>,
    pub(crate) record: Vec<u8>,
}

/// What changed since a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// These, each named once.
    Only(Vec<Change>),
    /// More than the change list remembers: read everything anew.
    Everything,
}

/// One thing that changed (was written, or is gone).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Change {
    /// A partition's descriptive bytes, or the partition itself.
    Partition(PartitionId),
    /// A role of a partition.
    Role(PartitionId, RoleId),
    /// A record of a partition.
    Record(PartitionId, RecordId),
}

/// A store on a medium.
pub struct Store {
    pub(crate) medium: Box<dyn Medium>,
    pub(crate) keys: Keys,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) cost: Argon2Cost,
    pub(crate) uncounted: Uncounted,
}

impl Store {
    /// Opens the store, and makes its header on an empty medium.
    ///
    /// `cost` is what new PINs are stretched with; old ones keep the cost they were made with.
    ///
    /// # Errors
    /// `Damaged` when the header belongs to another device key, `FormatVersion`, and the medium's errors.
    pub fn open(
        medium: Box<dyn Medium>,
        device_key: &DeviceKey,
        random: Arc<dyn Random>,
        cost: Argon2Cost,
    ) -> Result<Self> {
        let device = device_key.seal_key()?;
        let mut header = None;
        medium.view(&mut |reader| {
            header = reader.get(format::HEADER_KEY)?;
            Ok(())
        })?;
        if header.is_none() {
            // Two processes may come here at once: the second one finds the header of the first.
            medium.transact(&mut |reader, batch| {
                header = reader.get(format::HEADER_KEY)?;
                if header.is_none() {
                    refuse_headless(reader)?;
                    let mut id = [0; ID_BYTES];
                    random.fill(&mut id)?;
                    let made = Keys::derive(&device, id).seal_header(format::STORE_PLAIN, &*random)?;
                    batch.changes.insert(format::HEADER_KEY.to_vec(), Some(made.clone()));
                    header = Some(made);
                }
                Ok(())
            })?;
        }
        let keys = open_header(&device, &header.unwrap_or_default())?;
        Ok(Self { medium, keys, random, cost, uncounted: Uncounted::default() })
    }

    /// The number of the last change anywhere in the store.
    ///
    /// # Errors
    /// The medium's errors.
    pub fn generation(&self) -> Result<u64> {
        self.medium.generation()
    }

    /// How often another state than before was found in the store's place (a copy was put back). A look at the
    /// generation, a view or a transaction finds it; what was read before is void then, whatever the generation says.
    #[must_use]
    pub fn replaced(&self) -> u64 {
        self.medium.replaced()
    }

    /// Whether the store can be changed, as far as can be told without changing it.
    ///
    /// # Errors
    /// The medium's errors.
    pub fn is_writable(&self) -> Result<bool> {
        self.medium.is_writable()
    }

    /// Reads all that the medium keeps more than once, and says what of it cannot be read. Nothing is lost by that: something
    /// else holds the same.
    ///
    /// # Errors
    /// The medium's errors.
    pub fn bad_copies(&self) -> Result<Vec<StoreError>> {
        self.medium.bad_copies()
    }

    /// Runs `work`, once, on a consistent state.
    ///
    /// # Errors
    /// The medium's errors, or what `work` answers.
    pub fn view<T>(&self, mut work: impl FnMut(&View<'_>) -> Result<T>) -> Result<T> {
        let mut answer = None;
        self.medium.view(&mut |reader| {
            self.check_header(reader)?;
            answer = Some(work(&View { store: self, reader })?);
            Ok(())
        })?;
        answer.ok_or_else(work_not_run)
    }

    /// Runs `work`, once, while no other process writes, and commits what it did as one batch; returns also the
    /// generation. Where `work` changed nothing, nothing is committed and the generation stays as it is.
    ///
    /// # Errors
    /// The medium's errors, or what `work` answers; nothing has then changed.
    pub fn transact<T>(&self, mut work: impl FnMut(&mut Transaction<'_>) -> Result<T>) -> Result<(T, u64)> {
        let mut answer = None;
        let generation = self.medium.transact(&mut |reader, batch| {
            self.check_header(reader)?;
            let mut transaction = Transaction::new(View { store: self, reader }, batch);
            let answered = work(&mut transaction)?;
            transaction.finish()?;
            answer = Some(answered);
            Ok(())
        })?;
        Ok((answer.ok_or_else(work_not_run)?, generation))
    }

    /// Makes a new partition key, for a token about to be initialised: what it seals is bound to this store, so a
    /// partition with an origin must be cleared before it gets this key.
    ///
    /// # Errors
    /// `Crypto(RandomFailed)`.
    pub fn new_partition_key(&self) -> Result<PartitionKey> {
        let mut bytes = SecretBytes::zeroed(KEY_BYTES);
        self.random.fill(bytes.expose_mut())?;
        PartitionKey::new(bytes, None)
    }

    /// Makes a number for a new partition.
    ///
    /// # Errors
    /// `Crypto(RandomFailed)`.
    pub fn new_partition_id(&self) -> Result<PartitionId> {
        Ok(PartitionId(self.new_id()?))
    }

    /// Makes a number for a new record.
    ///
    /// # Errors
    /// `Crypto(RandomFailed)`.
    pub fn new_record_id(&self) -> Result<RecordId> {
        Ok(RecordId(self.new_id()?))
    }

    /// Waits until no view or transaction runs in this process, and holds new ones off until `fork_release` (in the
    /// parent) or `fork_child` (in the child). For the prepare handler of `pthread_atfork`.
    pub fn fork_prepare(&self) {
        self.medium.fork_prepare();
    }

    /// Ends in the parent what `fork_prepare` began.
    pub fn fork_release(&self) {
        self.medium.fork_release();
    }

    /// Makes the inherited store usable in the child, whatever other threads of the parent were doing.
    pub fn fork_child(&self) {
        self.medium.fork_child();
    }

    pub(crate) fn new_id(&self) -> Result<[u8; ID_BYTES]> {
        let mut id = [0; ID_BYTES];
        self.random.fill(&mut id)?;
        Ok(id)
    }

    /// Checks that the state under `reader` still is this store's, in a version that this program may touch: the
    /// folder may have been replaced, or upgraded by a newer program, while this one was running.
    fn check_header(&self, reader: &dyn Reader) -> Result<()> {
        let header = reader.get(format::HEADER_KEY)?.unwrap_or_default();
        let sealed = parse_header(&header)?;
        if sealed.is_some_and(|sealed| sealed.clear == self.keys.store_id && self.keys.header_opens(&sealed)) {
            return Ok(());
        }
        Err(damaged("the store header (changed or replaced since this program opened the store)"))
    }
}

/// Derives the keys that belong to a header, and checks that they open it.
fn open_header(device: &SealKey, header: &[u8]) -> Result<Keys> {
    let other = || damaged("the store header (made with another device key, or changed)");
    let sealed = parse_header(header)?.ok_or_else(other)?;
    // `parse` gave the clear part of a header the length of an id; anything else would be another kind.
    let store_id = sealed.clear.try_into().map_err(|_| other())?;
    let keys = Keys::derive(device, store_id);
    if keys.header_opens(&sealed) { Ok(keys) } else { Err(other()) }
}

fn parse_header(header: &[u8]) -> Result<Option<Sealed<'_>>> {
    match format::version_of(header) {
        Some(found) if found > format::STORE_WITH_ORIGINS => {
            Err(StoreError::FormatVersion { found, known: format::STORE_WITH_ORIGINS })
        }
        _ => Ok(Sealed::parse(Kind::Header, header)),
    }
}

/// Refuses a map that has content and no header: a new header would make all of it unreadable for good.
fn refuse_headless(reader: &dyn Reader) -> Result<()> {
    reader.scan(format::PARTITION_PREFIX, &mut |_, _| Err(damaged("the store (its header is missing)")))
}

/// Names the error for a value that is not what the format promises.
pub(crate) fn damaged(what: &str) -> StoreError {
    StoreError::Damaged { what: what.to_owned() }
}

/// A medium answered "done" without running the work; no medium of this crate does.
fn work_not_run() -> StoreError {
    StoreError::Engine("the medium did not run the work".to_owned())
}

/// The first bytes of an id in hexadecimal, enough to name it in a message.
pub(crate) fn short(id: &[u8; 16]) -> String {
    id.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}
