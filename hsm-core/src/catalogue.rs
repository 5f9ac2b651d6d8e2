//! The tokens of this process, kept in step with the store that other processes change too.
//!
//! Owns: which tokens there are, up to which generation the store has been read, the order of this
//! process's writes. Does not know: sessions' contents, attributes' rules, operations. Called from `api/`.
//!
//! When nothing changed, `refresh` reads one number. When something did, it reads only what changed. The records of a
//! token are read when something first asks for its objects (`look`), so that starting costs the same whatever is stored.
//! Writes of this process go one after the other through `turn`, together with what they mean for the
//! index, so that an older state never overwrites a newer one. `turn` is taken after a session's lock
//! and before the store's; the tokens' own locks are leaves below it.

use crate::config::Config;
use crate::events::Events;
use crate::index::{Handles, Known, News, Wanted};
use crate::lock::Turn;
use crate::object::Object;
use crate::platform::Platform;
use crate::reason::{Reason, Result};
use crate::role::ROLES;
use crate::slot::{Description, Epoch, next_number};
use crate::together::{Deed, Outcome, Queue, Ticket, put};
use crate::token::{Login, Token};
use crate::types::{ObjectHandle, SessionHandle, SlotId};
use arc_swap::ArcSwap;
use hsm_crypto::memory;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use token_store::{
    Change, Changes, Entry, PartitionEntry, PartitionId, RecordContent, RecordId, RoleId, RoleState, Store, StoreError,
    Transaction, View,
};

/// The tokens and the store they stand for.
pub struct Catalogue {
    store: Arc<Store>,
    /// Read by every call that names a slot; changed under `turn`, by putting another map in its place.
    tokens: ArcSwap<Tokens>,
    /// The generation up to which the store has been read.
    seen: AtomicU64,
    /// How often the store had been replaced by then.
    seen_replaced: AtomicU64,
    /// Held while this process writes, and while it takes in what others wrote.
    turn: Turn,
    /// What waits to be written together.
    queue: Queue,
    handles: Arc<Handles>,
    events: Events,
}

/// The tokens by their slots.
type Tokens = BTreeMap<SlotId, Arc<Token>>;

/// Records that a transaction wrote, with the object each holds now; `None` for a deleted one.
pub type Written = Vec<(RecordId, Option<Arc<Object>>)>;

/// The answer of work inside the store: the store's errors outside, the core's inside. Work that answers
/// an inner error has written nothing.
pub type Within<T> = token_store::Result<Result<T>>;

/// What a view of the store brought.
struct Report {
    generation: u64,
    /// How often the store had been replaced when it was looked at.
    replaced: u64,
    /// Partitions that are new, were initialised anew, or changed in more ways than can be told.
    whole: Vec<Whole>,
    /// Tokens whose description changed and nothing else (the policy).
    described: Vec<(Arc<Token>, Description)>,
    /// Partitions that are gone.
    gone: Vec<PartitionId>,
    roles: Vec<(PartitionId, RoleId, Option<RoleState>)>,
    records: Vec<(PartitionId, RecordId, Option<Entry>)>,
}

struct Whole {
    partition: PartitionId,
    description: Description,
    roles: Vec<(RoleId, Option<RoleState>)>,
}

impl Catalogue {
    /// Reads the store, and makes the first or the spare slot where it is missing.
    ///
    /// # Errors
    /// The store's. A spare slot that cannot be made in a read-only store is no error.
    pub fn start(platform: &Platform, config: &Config) -> Result<Self> {
        let catalogue = Self {
            store: platform.store.clone(),
            tokens: ArcSwap::default(),
            seen: AtomicU64::new(0),
            seen_replaced: AtomicU64::new(0),
            turn: Turn::default(),
            queue: Queue::default(),
            handles: Arc::new(Handles::default()),
            events: Events::default(),
        };
        let (report, partitions) = catalogue.store.view(|view| {
            let mut report = Report::new(view.generation());
            let partitions = catalogue.read_everything(view, &mut report)?;
            Ok((report, partitions))
        })?;
        catalogue.apply(report);
        if catalogue.write_missing_slot(platform, config, &partitions)? {
            catalogue.refresh()?;
        }
        catalogue.events.clear();
        Ok(catalogue)
    }

    /// What has happened in the slots since the start: a token appeared, went, or was initialised anew, by whatever process.
    #[must_use]
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// Makes the first or the spare slot where it is missing, and takes it in.
    ///
    /// # Errors
    /// The store's, but none when the store is read-only.
    pub fn add_missing_slot(&self, platform: &Platform, config: &Config) -> Result<()> {
        let partitions = self.store.view(|view| view.partitions())?;
        self.write_missing_slot(platform, config, &partitions)?;
        self.refresh()
    }

    /// Makes a slot if `partitions` lacks one; says whether it did.
    fn write_missing_slot(&self, platform: &Platform, config: &Config, partitions: &[PartitionEntry]) -> Result<bool> {
        if !lacks_slot(partitions, config, None) {
            return Ok(false);
        }
        let blank = Description::new(SlotId(0), &*platform.random)?;
        match self.store.transact(|tx| add_slot(tx, config, &blank, None)) {
            Ok(_) => Ok(true),
            Err(StoreError::ReadOnly { path }) if !partitions.is_empty() => {
                tracing::debug!(path = %path.display(), "the store is read-only: no spare slot is made");
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Runs `work`, which brings whole partitions or takes them away, then reads back what it changed.
    ///
    /// # Errors
    /// The store's, or what `work` answers; nothing has then changed.
    pub fn replace<T>(&self, work: impl FnOnce(&Store) -> Within<T>) -> Result<T> {
        let _turn = self.turn.lock();
        let answer = work(&self.store)?;
        self.catch_up()?;
        answer
    }

    /// All tokens by slot number.
    #[must_use]
    pub fn tokens(&self) -> Vec<(SlotId, Arc<Token>)> {
        self.tokens.load().iter().map(|(slot, token)| (*slot, token.clone())).collect()
    }

    /// The token in a slot.
    ///
    /// # Errors
    /// `SlotUnknown`.
    pub fn token(&self, slot: SlotId) -> Result<Arc<Token>> {
        self.with_token(slot, |token| Ok(token.clone()))
    }

    /// Asks the token in a slot, without a word of memory that other threads write meanwhile.
    ///
    /// # Errors
    /// `SlotUnknown`, or what `work` answers.
    pub fn with_token<T>(&self, slot: SlotId, work: impl FnOnce(&Arc<Token>) -> Result<T>) -> Result<T> {
        self.tokens.load().get(&slot).ok_or(Reason::SlotUnknown(slot.0)).and_then(work)
    }

    /// Puts changed tokens in place of those there are; the caller holds `turn`, or is alone.
    fn change_tokens(&self, change: impl FnOnce(&mut Tokens)) {
        let mut tokens = Tokens::clone(&self.tokens.load());
        change(&mut tokens);
        self.tokens.store(Arc::new(tokens));
    }

    /// Takes in what other processes changed; costs one look at the generation when they changed nothing.
    ///
    /// # Errors
    /// The store's.
    pub fn refresh(&self) -> Result<()> {
        if self.store.generation()? == self.seen.load(Ordering::Acquire) && !self.is_replaced() {
            return Ok(());
        }
        let _turn = self.turn.lock();
        self.catch_up()
    }

    /// Asks the objects of a token, and reads its records first where that has to be.
    ///
    /// # Errors
    /// The store's, when the records cannot be read; the next call tries again. `TokenChanged`.
    pub fn look<T>(&self, token: &Token, question: impl Fn(&Token) -> Known<T>) -> Result<T> {
        loop {
            if let Ok(answer) = question(token) {
                return Ok(answer);
            }
            // Again and again only while others log out and in, or initialise the token, in between.
            let _turn = self.turn.lock();
            self.read_records(token)?;
        }
    }

    /// Reads the records that the token's index wants; the caller holds `turn`.
    fn read_records(&self, token: &Token) -> Result<()> {
        let (wanted, epoch, key) = token.wanted();
        if wanted == Wanted::Nothing {
            // Another thread read them, or logged out, while this one waited for its turn.
            return Ok(());
        }
        let read = self.store.view(|view| match description_of(view, token.partition, epoch)? {
            Ok(_) => match (wanted, &key) {
                (Wanted::Private, Some(key)) => view.private_records(token.partition, key).map(Ok),
                _ => view.records(token.partition, key.as_ref()).map(Ok),
            },
            Err(reason) => Ok(Err(reason)),
        });
        let read = match read {
            // Another process took it out of the store: there is nothing in it for ever.
            Err(StoreError::NoPartition) => {
                self.catch_up()?;
                token.take_in(Wanted::All, Vec::new())?;
                return Ok(());
            }
            other => other?,
        };
        match read {
            Ok(entries) => {
                let records = memory::collected(entries.into_iter().map(|entry| (entry.id, news(entry))))?;
                Ok(token.take_in(wanted, records)?)
            }
            Err(Reason::TokenChanged) => {
                self.catch_up()?;
                // What was asked for is now asked of the new token, unless the store contradicts itself.
                if token.epoch() == epoch { Err(Reason::TokenChanged) } else { Ok(()) }
            }
            Err(reason) => Err(reason),
        }
    }

    /// Runs `work` in a transaction on a token that must still be of `epoch`, then reads back what it changed.
    ///
    /// # Errors
    /// `TokenChanged`, the store's, or what `work` answers; nothing has then changed.
    pub fn write<T>(
        &self,
        token: &Token,
        epoch: Epoch,
        mut work: impl FnMut(&mut Transaction<'_>, &Description) -> Within<T>,
    ) -> Result<T> {
        memory::enough()?;
        let _turn = self.turn.lock();
        let done = self.store.transact(|tx| match description_of(tx, token.partition, epoch)? {
            Ok(description) => work(tx, &description),
            Err(reason) => Ok(Err(reason)),
        });
        let (answer, _) = done?;
        match self.catch_up() {
            // It is written. What cannot be read back for want of memory is read by the next look.
            Err(reason) if answer.is_ok() && reason.is_shortage() => {}
            caught_up => caught_up?,
        }
        answer
    }

    /// Runs `work` in a transaction as `write` does, and makes the records that it wrote visible at once.
    ///
    /// # Errors
    /// As `write`.
    pub fn write_records(
        &self,
        token: &Token,
        epoch: Epoch,
        mut work: impl FnMut(&mut Transaction<'_>) -> Within<Written>,
    ) -> Result<Vec<ObjectHandle>> {
        let _turn = self.turn.lock();
        let mut outcomes = self.commit_records(&[token], |tx| Ok(vec![on_epoch(tx, token, epoch, &mut work)?]))?;
        outcomes.pop().unwrap_or_else(|| Err(without_outcome()))
    }

    /// Puts what `change` makes of a record's object in its place. What stands in the store counts, not what this process
    /// remembers.
    ///
    /// # Errors
    /// As `write_records`; what `gone` answers when there is no such record, `NotLoggedIn`, `Damaged`, and what `change` answers.
    pub fn change_record(
        &self,
        token: &Token,
        record: RecordId,
        gone: impl Fn() -> Reason,
        mut change: impl FnMut(Object) -> Result<Object>,
    ) -> Result<()> {
        let (epoch, key) = token.write_key();
        let written = self.write_records(token, epoch, |tx| {
            let Some(entry) = tx.record(token.partition, record, key.as_ref())? else { return Ok(Err(gone())) };
            let present = match entry.content {
                RecordContent::Open(content) => Object::decode(content),
                RecordContent::Closed => Err(Reason::NotLoggedIn),
                RecordContent::Damaged => Err(Reason::Damaged("the record does not open")),
            };
            match present.and_then(&mut change) {
                Ok(changed) => {
                    put(tx, token.partition, record, key.as_ref(), &changed)?;
                    Ok(Ok(vec![(record, Some(Arc::new(changed)))]))
                }
                Err(reason) => Ok(Err(reason)),
            }
        });
        written.map(|_| ())
    }

    /// Writes as `write_records` does, in one commit with what other threads have to write at this moment.
    ///
    /// # Errors
    /// `TokenChanged`, `ObjectUnknown` for the deletion of what is gone, the store's; nothing of the deed has then changed.
    pub fn write_together(&self, deed: Deed) -> Outcome {
        let ticket = self.queue.join(deed);
        let _turn = self.turn.lock();
        loop {
            if let Some(outcome) = ticket.outcome() {
                return outcome;
            }
            let group = self.queue.take();
            if group.is_empty() {
                // A panic went through the thread that had taken it.
                return Err(without_outcome());
            }
            self.settle(&group);
        }
    }

    /// Commits deeds and tells each its outcome; the caller holds `turn`.
    fn settle(&self, group: &[Arc<Ticket>]) {
        let tokens: Vec<_> = group.iter().map(|ticket| &*ticket.deed.token).collect();
        let write = |tx: &mut Transaction<'_>, deed: &Deed| on_epoch(tx, &deed.token, deed.epoch, |tx| deed.write(tx));
        let done = self.commit_records(&tokens, |tx| group.iter().map(|ticket| write(tx, &ticket.deed)).collect());
        match (done, group) {
            (Ok(outcomes), _) => group.iter().zip(outcomes).for_each(|(ticket, outcome)| ticket.settle(outcome)),
            (Err(reason), [ticket]) => ticket.settle(Err(reason)),
            // All of them have waited as long as anybody has to.
            (Err(Reason::Store(StoreError::Busy { path, waited_ms })), _) => {
                let busy = || StoreError::Busy { path: path.clone(), waited_ms };
                group.iter().for_each(|ticket| ticket.settle(Err(busy().into())));
            }
            // It may have been the fault of one of them.
            (Err(_), _) => group.chunks(1).for_each(|alone| self.settle(alone)),
        }
    }

    /// Runs `work` in a transaction and takes in the records that it wrote for each of `tokens`; the caller holds `turn`.
    fn commit_records(
        &self,
        tokens: &[&Token],
        mut work: impl FnMut(&mut Transaction<'_>) -> token_store::Result<Vec<Result<Written>>>,
    ) -> Result<Vec<Outcome>> {
        let seen = self.seen.load(Ordering::Acquire);
        let mut alone = false;
        let (answers, generation) = self.store.transact(|tx| {
            alone = tx.generation() == seen && !self.is_replaced();
            work(tx)
        })?;
        let refused = answers.iter().any(Result::is_err);
        let take_in = |(token, answer): (&&Token, Result<Written>)| {
            let written = answer?;
            Ok(token
                .set_records(written.into_iter().map(|(record, object)| (record, object.map(News::Object))).collect()))
        };
        let outcomes = tokens.iter().zip(answers).map(take_in).collect();
        // Where others wrote in between, the next refresh reads their changes, and ours once more.
        if alone {
            self.seen.store(generation, Ordering::Release);
        }
        if refused {
            // It was refused for what others did. Where that cannot be read now, the next look tries again.
            let _best_effort = self.catch_up();
        }
        Ok(outcomes)
    }

    /// Runs `work` while no other thread of this process changes objects.
    pub fn in_turn<T>(&self, work: impl FnOnce() -> T) -> T {
        let _turn = self.turn.lock();
        work()
    }

    /// Logs a role in whose PIN was right.
    ///
    /// # Errors
    /// As `Token::begin_login`, and the store's.
    pub fn begin_login(&self, token: &Token, session: SessionHandle, login: Login, epoch: Epoch) -> Result<()> {
        let _turn = self.turn.lock();
        // The token may have been initialised anew while the PIN was looked at.
        if self.store.generation()? != self.seen.load(Ordering::Acquire) || self.is_replaced() {
            self.catch_up()?;
        }
        token.begin_login(session, login, epoch)
    }

    /// Whether another store than before stands in the place: its generations count something else.
    fn is_replaced(&self) -> bool {
        self.store.replaced() != self.seen_replaced.load(Ordering::Acquire)
    }

    /// Reads what changed since `seen`; the caller holds `turn`.
    fn catch_up(&self) -> Result<()> {
        let seen = self.seen.load(Ordering::Acquire);
        let report = self.store.view(|view| {
            let mut report = Report::new(view.generation());
            report.replaced = self.store.replaced();
            if self.is_replaced() {
                self.read_everything(view, &mut report)?;
                return Ok(report);
            }
            if report.generation == seen {
                return Ok(report);
            }
            match view.changes_since(seen)? {
                Changes::Everything => {
                    self.read_everything(view, &mut report)?;
                }
                Changes::Only(changes) => self.read_changes(view, &changes, &mut report)?,
            }
            Ok(report)
        })?;
        self.apply(report);
        Ok(())
    }

    /// Reads all partitions with their roles, and answers them.
    fn read_everything(&self, view: &View<'_>, report: &mut Report) -> token_store::Result<Vec<PartitionEntry>> {
        let partitions = view.partitions()?;
        let present: HashSet<PartitionId> = partitions.iter().map(|entry| entry.id).collect();
        report.gone = self.known().into_keys().filter(|partition| !present.contains(partition)).collect();
        for entry in &partitions {
            read_partition(view, entry, report)?;
        }
        Ok(partitions)
    }

    fn read_changes(&self, view: &View<'_>, changes: &[Change], report: &mut Report) -> token_store::Result<()> {
        let known = self.known();
        let mut read_whole = HashSet::new();
        for change in changes {
            let Change::Partition(partition) = change else { continue };
            let entry = match view.partition(*partition) {
                Ok(entry) => entry,
                Err(StoreError::NoPartition) => {
                    report.gone.push(*partition);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let same = known.get(partition).zip(Description::of(&entry).ok());
            match same.filter(|(token, description)| description.epoch == token.epoch()) {
                Some((token, description)) => report.described.push((token.clone(), description)),
                None => {
                    read_partition(view, &entry, report)?;
                    read_whole.insert(*partition);
                }
            }
        }
        for change in changes {
            match change {
                Change::Role(partition, role) if known.contains_key(partition) && !read_whole.contains(partition) => {
                    report.roles.push((*partition, *role, role_state(view, *partition, *role)?));
                }
                Change::Record(partition, record) if !read_whole.contains(partition) => {
                    let Some(token) = known.get(partition).filter(|token| token.follows(*record)) else { continue };
                    let key = token.private_key().map(|(_, key)| key);
                    report.records.push((*partition, *record, view.record(*partition, *record, key.as_ref())?));
                }
                Change::Partition(_) | Change::Role(..) | Change::Record(..) => {}
            }
        }
        Ok(())
    }

    fn apply(&self, report: Report) {
        // Looked up first: a partition that came in place of one that is gone may have its slot.
        let known = self.known();
        let vanished: Vec<_> = report.gone.iter().filter_map(|partition| known.get(partition)).collect();
        for whole in report.whole {
            let slot = whole.description.slot;
            let token = self.known().get(&whole.partition).cloned();
            let token = token.unwrap_or_else(|| {
                let token = Token::new(whole.partition, whole.description.clone(), self.handles.clone());
                let token = Arc::new(token);
                self.change_tokens(|tokens| drop(tokens.insert(slot, token.clone())));
                self.events.raise(slot);
                token
            });
            if token.set_description(whole.description) {
                self.events.raise(slot);
                tracing::debug!(slot = slot.0, "the token was initialised anew");
            } else {
                token.doubt();
            }
            for (role, state) in whole.roles {
                token.set_role(role, state);
            }
        }
        for (token, description) in report.described {
            token.set_description(description);
        }
        let known = self.known();
        for (partition, role, state) in report.roles {
            if let Some(token) = known.get(&partition) {
                token.set_role(role, state);
            }
        }
        // All of a token's at once: a search of another thread finds both halves of a new pair or none.
        let mut changed: BTreeMap<PartitionId, Vec<_>> = BTreeMap::new();
        for (partition, record, entry) in report.records {
            changed.entry(partition).or_default().push((record, entry.map(news)));
        }
        for (partition, records) in changed {
            if let Some(token) = known.get(&partition) {
                token.set_records(records);
            }
        }
        for token in vanished {
            token.vanish();
            self.events.raise(token.slot());
        }
        if !report.gone.is_empty() {
            self.change_tokens(|tokens| tokens.retain(|_, token| !report.gone.contains(&token.partition)));
        }
        self.seen_replaced.store(report.replaced, Ordering::Release);
        self.seen.store(report.generation, Ordering::Release);
    }

    fn known(&self) -> BTreeMap<PartitionId, Arc<Token>> {
        self.tokens.load().values().map(|token| (token.partition, token.clone())).collect()
    }
}

impl Report {
    fn new(generation: u64) -> Self {
        Self {
            generation,
            replaced: 0,
            whole: Vec::new(),
            described: Vec::new(),
            gone: Vec::new(),
            roles: Vec::new(),
            records: Vec::new(),
        }
    }
}

/// Reads a partition with its roles; its records are read when somebody asks for them.
fn read_partition(view: &View<'_>, entry: &PartitionEntry, report: &mut Report) -> token_store::Result<()> {
    let description = match Description::of(entry) {
        Ok(description) => description,
        Err(reason) => {
            tracing::warn!(%reason, "a slot is left out");
            return Ok(());
        }
    };
    let mut roles = Vec::with_capacity(ROLES.len());
    for row in &ROLES {
        roles.push((row.store_id, role_state(view, entry.id, row.store_id)?));
    }
    report.whole.push(Whole { partition: entry.id, description, roles });
    Ok(())
}

/// What a record holds, as the index takes it in.
fn news(entry: Entry) -> News {
    match entry.content {
        RecordContent::Closed => News::Closed,
        RecordContent::Damaged => {
            tracing::warn!(record = ?entry.id, "a stored object does not open");
            News::Damaged
        }
        RecordContent::Open(content) => match Object::decode(content) {
            Ok(object) => News::Object(Arc::new(object)),
            Err(reason) => {
                tracing::warn!(record = ?entry.id, %reason, "a stored object does not decode");
                News::Damaged
            }
        },
    }
}

/// The state of a role. A damaged record counts as locked: nobody gets in, and nothing else of the token suffers.
fn role_state(view: &View<'_>, partition: PartitionId, role: RoleId) -> token_store::Result<Option<RoleState>> {
    match view.role(partition, role) {
        Err(StoreError::Damaged { what }) => {
            tracing::warn!(%what, "a role is taken as locked");
            Ok(Some(RoleState { failed: 1, failed_max: 1 }))
        }
        other => other,
    }
}

/// The description of a partition, which must still be of `epoch`.
fn description_of(view: &View<'_>, partition: PartitionId, epoch: Epoch) -> Within<Description> {
    let description = Description::of(&view.partition(partition)?);
    Ok(description.and_then(|found| if found.epoch == epoch { Ok(found) } else { Err(Reason::TokenChanged) }))
}

/// Runs `work` if the token still is of `epoch`.
fn on_epoch<T>(
    tx: &mut Transaction<'_>,
    token: &Token,
    epoch: Epoch,
    work: impl FnOnce(&mut Transaction<'_>) -> Within<T>,
) -> Within<T> {
    match description_of(tx, token.partition, epoch)? {
        Ok(_) => work(tx),
        Err(reason) => Ok(Err(reason)),
    }
}

/// No thread says what became of a deed.
fn without_outcome() -> Reason {
    Reason::Internal("a write has no outcome")
}

/// Whether a slot has to be made; `about` is a partition about to be initialised, which no longer counts as free.
fn lacks_slot(partitions: &[PartitionEntry], config: &Config, about: Option<PartitionId>) -> bool {
    let free = |entry: &PartitionEntry| {
        Some(entry.id) != about && Description::of(entry).is_ok_and(|description| !description.initialised)
    };
    partitions.is_empty() || config.spare_slot && !partitions.iter().any(free)
}

/// Makes a slot where one is missing; decided inside the transaction, so that two processes never both make one.
///
/// # Errors
/// The store's.
pub fn add_slot(
    tx: &mut Transaction<'_>,
    config: &Config,
    blank: &Description,
    about: Option<PartitionId>,
) -> token_store::Result<()> {
    let partitions = tx.partitions()?;
    if !lacks_slot(&partitions, config, about) {
        return Ok(());
    }
    if let Some(slot) = next_number(&partitions) {
        tx.create_partition(&Description { slot, ..blank.clone() }.encode())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
