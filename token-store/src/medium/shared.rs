//! The medium that processes share: the order of steps that keeps journal, map and announced number in agreement.
//!
//! Owns: how a state is found, looked at, changed, and brought from the journal into the map. Does not know: files and
//! engines (`ground`), the bytes of the journal, what keys and values mean. Called from the store.
//! Rule source: docs/format.md, "A commit" and "The fold".
//!
//! Lock order: the gate of a fork, the ground's turn, `known`. A look at what is known takes no turn.

use crate::error::{Result, StoreError};
use crate::medium::ground::{Announced, GENERATION_KEY, Ground, Map, Turn, generation_of};
use crate::medium::journal::{self, Changes, Frames, Header};
use crate::medium::known::{Known, Lookup};
use crate::medium::{Batch, Each, Medium, Reader, after};
use parking_lot::RwLock;
use std::cell::{Cell, OnceCell, RefCell};
use std::time::{Duration, Instant};

/// A medium on a ground.
pub struct Shared<G> {
    pub(crate) ground: G,
    known: RwLock<Known>,
    fold_bytes: u64,
}

impl<G: Ground> Shared<G> {
    pub(crate) fn on(ground: G, fold_bytes: u64) -> Self {
        Self { ground, known: RwLock::default(), fold_bytes }
    }

    /// Runs `work` on what is known; `None` when that is not the present state, or not all that `work` asks for.
    fn view_known(&self, work: &mut dyn FnMut(&dyn Reader) -> Result<()>) -> Result<Option<Result<()>>> {
        // Inside the gate, as with a turn: a fork in between would leave the child a lock on what is known.
        let Some(_inside) = self.ground.gate().enter() else { return Ok(None) };
        // The number alone would not tell that the store was replaced.
        if !self.ground.is_in_place()? {
            return Ok(None);
        }
        let Some(announced) = self.ground.announced()? else { return Ok(None) };
        let number = announced.number;
        if self.known.read().generation().is_none_or(|known| known < number) {
            // What cannot be read here is tried again, and named, with the turn.
            let _followed = self.known.write().follow(number, Some(number));
        }
        let known = self.known.read();
        if !known.is_present(announced) {
            return Ok(None);
        }
        let reader = Remembered { known: &known, generation: number, missed: Cell::new(false) };
        let answer = work(&reader);
        Ok((!reader.missed.get()).then_some(answer))
    }

    /// Whether what is known is the announced state.
    fn knows(&self, announced: Announced) -> bool {
        let Some(_inside) = self.ground.gate().enter() else { return false };
        self.known.read().is_present(announced)
    }

    /// Brings what is known up to the present state, and says what it is.
    fn catch_up(&self, known: &mut Known, turn: &G::Turn<'_>) -> Result<State> {
        let caught_up = self.read_journal(known, turn);
        if caught_up.is_err() {
            known.forget();
        }
        caught_up
    }

    fn read_journal(&self, known: &mut Known, turn: &G::Turn<'_>) -> Result<State> {
        let surface = turn.journal()?;
        let header = Header::read(&*surface)?;
        if known.generation().is_some_and(|known| known > turn.number()) {
            // Put back from a copy, in place: what was read is not its past.
            known.forget();
        }
        known.attach(surface.clone(), &header);
        if let Some(from) = known.follow(turn.number(), None)?
            && let Some(end) = known.position()
            && turn.is_writable()
        {
            // Its writer died before it announced this, or the announcement was lost with the power.
            journal::confirm(&*surface, from, end.offset)?;
        }
        let generation = known.generation().unwrap_or(header.base);
        if turn.number() > generation {
            // Announced is only what the journal held durably.
            return Err(damaged(&format!(
                "the journal (changes up to number {} were made, and it ends with {generation}: put the store back from a \
                 backup, or remove the file `generation` to go on without what is lost; the store otherwise)",
                turn.number()
            )));
        }
        if turn.is_writable() && (turn.number() != generation || turn.is_under_way()) {
            turn.announce(generation)?;
        }
        Ok(State { header, generation })
    }

    /// Appends a batch to the journal; durable and announced afterwards. Returns its generation, and by how many bytes the
    /// journal grew.
    fn commit(&self, known: &mut Known, turn: &G::Turn<'_>, header: &Header, changes: Changes) -> Result<(u64, u64)> {
        let surface = turn.journal()?;
        let at = known.position().ok_or_else(nothing_known)?;
        let generation = after(at.generation)?;
        turn.begin()?;
        let end = journal::append(&*surface, header, at, generation, &changes).inspect_err(|_| {
            // Where this fails too, whoever finds it still under way looks for himself.
            let _best_effort = turn.announce(at.generation);
        })?;
        known.advance(changes, end);
        // Not announced, it stays for the next turn to find.
        turn.announce(generation).inspect_err(|_| known.forget())?;
        Ok((generation, end.offset - at.offset))
    }

    /// Brings the map closer to the state that is known, and begins the journal anew when it holds all of it.
    ///
    /// Others may be waiting, so this stops after a while; but it takes in more than the last commit added, so that
    /// the journal comes to its end however large the commits are.
    fn fold(&self, known: &mut Known, turn: &G::Turn<'_>, header: &Header, added_bytes: u64) -> Result<()> {
        let surface = turn.journal()?;
        let end = known.position().ok_or_else(nothing_known)?;
        let begun = Instant::now();
        let mut map = turn.map()?;
        let present = generation_of(&*map)?;
        let mut at = known.folded().filter(|folded| folded.generation <= present).unwrap_or_else(|| header.start());
        let first = at.offset;
        while at != end && (begun.elapsed() < FOLD_TIME || at.offset - first < 2 * added_bytes) {
            let mut changes = Changes::new();
            let mut frames = Frames::behind(&*surface, at);
            while frames.position() != end && frames.position().offset - at.offset < FOLD_STEP_BYTES {
                let frame = frames.next()?.ok_or_else(|| damaged("the journal (it became shorter)"))?;
                if frame.generation > present {
                    changes.extend(frame.changes);
                }
            }
            at = frames.position();
            if at.generation > present {
                changes.insert(GENERATION_KEY.to_vec(), Some(at.generation.to_be_bytes().to_vec()));
                map.apply(changes)?;
            }
        }
        map.close()?;
        known.set_folded(at);
        if at == end {
            let header = header.restart(&*surface, end)?;
            known.attach(surface, &header);
        }
        Ok(())
    }
}

/// How long the journal may become before it is folded into the map, bytes.
pub(crate) const FOLD_BYTES: u64 = 4 << 20;
/// How much of it goes into the map as one batch.
const FOLD_STEP_BYTES: u64 = 128 << 10;
/// After what time a fold lets others have their turn.
const FOLD_TIME: Duration = Duration::from_millis(25);

/// The present state.
struct State {
    header: Header,
    generation: u64,
}

impl<G: Ground> Medium for Shared<G> {
    fn generation(&self) -> Result<u64> {
        let announced = if self.ground.was_in_place_lately()? { self.ground.announced()? } else { None };
        if let Some(announced) = announced
            && (!announced.under_way || self.knows(announced))
        {
            return Ok(announced.number);
        }
        // New, torn by a power cut, left by a process that died, or another one than before: the journal knows, and
        // reading it with the turn repairs the announcement.
        let mut number = 0;
        self.view(&mut |reader| {
            number = reader.generation();
            Ok(())
        })?;
        Ok(number)
    }

    fn view(&self, work: &mut dyn FnMut(&dyn Reader) -> Result<()>) -> Result<()> {
        if let Some(answer) = self.view_known(work)? {
            return answer;
        }
        let turn = self.ground.turn()?;
        let mut known = self.known.write();
        let state = self.catch_up(&mut known, &turn)?;
        let reader = InTurn::new(&mut known, &turn, &state);
        let answer = work(&reader);
        let closed = reader.close();
        answer.and(closed)
    }

    fn transact(&self, work: &mut dyn FnMut(&dyn Reader, &mut Batch) -> Result<()>) -> Result<u64> {
        if !self.ground.is_writable()? {
            return Err(StoreError::ReadOnly { path: self.ground.place().to_owned() });
        }
        let turn = self.ground.turn()?;
        let mut known = self.known.write();
        let state = self.catch_up(&mut known, &turn)?;
        let mut batch = Batch::default();
        let reader = InTurn::new(&mut known, &turn, &state);
        let answer = work(&reader, &mut batch);
        let closed = reader.close();
        answer.and(closed)?;
        if batch.changes.is_empty() {
            return Ok(state.generation);
        }
        let (generation, added_bytes) = self.commit(&mut known, &turn, &state.header, batch.changes)?;
        // The commit is durable whatever becomes of this; the next one tries again.
        if known.position().is_some_and(|position| position.offset > self.fold_bytes)
            && self.fold(&mut known, &turn, &state.header, added_bytes).is_err()
        {
            known.forget();
        }
        Ok(generation)
    }

    fn replaced(&self) -> u64 {
        self.ground.replaced()
    }

    fn is_writable(&self) -> Result<bool> {
        self.ground.is_writable()
    }

    fn fork_prepare(&self) {
        self.ground.gate().close_for_fork();
    }

    fn fork_release(&self) {
        self.ground.gate().open_after_fork();
    }

    fn fork_child(&self) {
        self.ground.gate().reset_in_child();
    }
}

/// Reads from what is known, and notes when that is not enough.
struct Remembered<'a> {
    known: &'a Known,
    generation: u64,
    missed: Cell<bool>,
}

impl Remembered<'_> {
    fn miss<T>(&self) -> Result<T> {
        self.missed.set(true);
        Err(StoreError::Engine("this is not in memory".to_owned()))
    }
}

impl Reader for Remembered<'_> {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.known.lookup(key) {
            Lookup::Known(value) => Ok(value.map(<[u8]>::to_vec)),
            Lookup::Unknown => self.miss(),
        }
    }

    fn scan(&self, prefix: &[u8], each: &mut Each<'_>) -> Result<()> {
        if self.known.is_complete(prefix) { self.known.scan(prefix, each) } else { self.miss() }
    }
}

/// Reads from what is known and from the map, which is opened when it is needed first.
struct InTurn<'a, T> {
    known: RefCell<&'a mut Known>,
    turn: &'a T,
    state: &'a State,
    map: OnceCell<Box<dyn Map + 'a>>,
}

impl<'a, T: Turn> InTurn<'a, T> {
    fn new(known: &'a mut Known, turn: &'a T, state: &'a State) -> Self {
        Self { known: RefCell::new(known), turn, state, map: OnceCell::new() }
    }

    fn close(self) -> Result<()> {
        self.map.into_inner().map_or(Ok(()), Map::close)
    }

    fn map(&self) -> Result<&dyn Map> {
        if let Some(map) = self.map.get() {
            return Ok(&**map);
        }
        let map = self.turn.map()?;
        let generation = generation_of(&*map)?;
        // Between what the journal was begun on and what it holds: a fold may have died half-way.
        if generation < self.state.header.base || generation > self.state.generation {
            return Err(damaged("the store (its map and its journal are of different times)"));
        }
        if map.is_small() {
            self.learn(&*map, &[])?;
        }
        Ok(&**self.map.get_or_init(|| map))
    }

    /// Reads all keys of the map with this prefix into memory; answers whether they are all known now.
    fn learn(&self, map: &dyn Map, prefix: &[u8]) -> Result<bool> {
        // `scan` may have been called from within a scan, which then reads what is known.
        let Ok(mut known) = self.known.try_borrow_mut() else { return Ok(false) };
        if !known.may_learn_all() {
            return Ok(false);
        }
        map.scan(prefix, &mut |key, value| {
            known.learn(key, Some(value));
            Ok(())
        })?;
        Ok(known.complete(prefix))
    }

    /// Hands the map's pairs to `each`, with what is known in front of it.
    fn merge(&self, map: &dyn Map, prefix: &[u8], each: &mut Each<'_>) -> Result<()> {
        let known = self.known.borrow();
        let mut newer = known.range(prefix).peekable();
        map.scan(prefix, &mut |key, value| {
            while let Some((known_key, known_value)) = newer.next_if(|(known_key, _)| *known_key < key) {
                known_value.map_or(Ok(()), |value| each(known_key, value))?;
            }
            match newer.next_if(|(known_key, _)| *known_key == key) {
                Some((_, known_value)) => known_value.map_or(Ok(()), |value| each(key, value)),
                None => each(key, value),
            }
        })?;
        newer.filter_map(|(key, value)| Some((key, value?))).try_for_each(|(key, value)| each(key, value))
    }
}

impl<T: Turn> Reader for InTurn<'_, T> {
    fn generation(&self) -> u64 {
        self.state.generation
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        if let Lookup::Known(value) = self.known.borrow().lookup(key) {
            return Ok(value.map(<[u8]>::to_vec));
        }
        let map = self.map()?;
        // Opening may have brought it.
        if let Lookup::Known(value) = self.known.borrow().lookup(key) {
            return Ok(value.map(<[u8]>::to_vec));
        }
        let value = map.get(key)?;
        if let Ok(mut known) = self.known.try_borrow_mut() {
            known.learn(key, value.as_deref());
        }
        Ok(value)
    }

    fn scan(&self, prefix: &[u8], each: &mut Each<'_>) -> Result<()> {
        let complete = || self.known.borrow().is_complete(prefix);
        if !complete() {
            let map = self.map()?;
            if !complete() && !self.learn(map, prefix)? {
                return self.merge(map, prefix, each);
            }
        }
        self.known.borrow().scan(prefix, each)
    }
}

fn nothing_known() -> StoreError {
    StoreError::Engine("a commit without a state".to_owned())
}

fn damaged(what: &str) -> StoreError {
    StoreError::Damaged { what: what.to_owned() }
}

#[cfg(test)]
#[path = "tests/shared.rs"]
mod tests;
