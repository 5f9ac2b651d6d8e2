//! The medium that processes share: the order of steps that keeps journal, map and announced number in agreement.
//!
//! Owns: how a state is found, looked at and changed. Does not know: how it is read from the maps (`readers`) and brought
//! into them (`fold`), files and engines (`ground`), the bytes of the journal, what keys and values mean. Called from the store.
//! Rule source: docs/format.md, "A commit" and "The fold".
//!
//! Lock order: the gate of a fork, the ground's turn, `known`. A look at what is known takes no turn.

use crate::error::{Result, StoreError};
use crate::medium::fold;
use crate::medium::ground::{Announced, Ground, Side, Turn, is_bad};
use crate::medium::journal::{self, Changes, Header};
use crate::medium::known::Known;
use crate::medium::readers::{self, InTurn, Remembered, State};
use crate::medium::{Batch, Medium, Reader, after};
use parking_lot::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A medium on a ground.
pub struct Shared<G> {
    pub(crate) ground: G,
    known: RwLock<Known>,
    fold_bytes: u64,
    /// Up to what length of the journal no fold is tried again.
    no_fold_before: AtomicU64,
}

impl<G: Ground> Shared<G> {
    pub(crate) fn on(ground: G, fold_bytes: u64) -> Self {
        Self { ground, known: RwLock::default(), fold_bytes, no_fold_before: AtomicU64::new(0) }
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
        let reader = Remembered::new(&known, number);
        let answer = work(&reader);
        Ok((!reader.has_missed()).then_some(answer))
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

    /// Folds a journal that has become long, or any when a map is to be made anew. The commit before is durable whatever
    /// becomes of this.
    fn fold_if_due(&self, known: &mut Known, turn: &G::Turn<'_>, header: &Header, added_bytes: u64) {
        let Some(end) = known.position().filter(|end| end.offset >= self.no_fold_before.load(Ordering::Relaxed)) else {
            return;
        };
        let marked = || turn.journal().and_then(|surface| journal::marked(&*surface)).is_ok_and(|side| side.is_some());
        if end.offset <= self.fold_bytes && !marked() {
            return;
        }
        let folded = fold::fold(known, turn, self.ground.pace(), header, added_bytes);
        if folded.is_err() {
            known.forget();
        }
        // What is in the way (a full disk, say) may last, and each try may cost a copy of a map.
        let next = if folded.is_ok() { 0 } else { end.offset + self.fold_bytes / 4 };
        self.no_fold_before.store(next, Ordering::Relaxed);
    }
}

/// How long the journal may become before it is folded into the map, bytes.
pub(crate) const FOLD_BYTES: u64 = 4 << 20;

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
        let reader = InTurn::new(&mut known, &turn, state);
        let answer = work(&reader);
        reader.close();
        answer
    }

    fn transact(&self, work: &mut dyn FnMut(&dyn Reader, &mut Batch) -> Result<()>) -> Result<u64> {
        if !self.ground.is_writable()? {
            return Err(StoreError::ReadOnly { path: self.ground.place().to_owned() });
        }
        let turn = self.ground.turn()?;
        let mut known = self.known.write();
        let state = self.catch_up(&mut known, &turn)?;
        let mut batch = Batch::default();
        let reader = InTurn::new(&mut known, &turn, state);
        let answer = work(&reader, &mut batch);
        reader.close();
        answer?;
        if batch.changes.is_empty() {
            return Ok(state.generation);
        }
        let (generation, added_bytes) = self.commit(&mut known, &turn, &state.header, batch.changes)?;
        self.fold_if_due(&mut known, &turn, &state.header, added_bytes);
        Ok(generation)
    }

    fn replaced(&self) -> u64 {
        self.ground.replaced()
    }

    fn is_writable(&self) -> Result<bool> {
        self.ground.is_writable()
    }

    fn bad_copies(&self) -> Result<Vec<StoreError>> {
        let turn = self.ground.turn()?;
        let state = self.catch_up(&mut self.known.write(), &turn)?;
        let [map, mirror] = Side::BOTH.map(|side| readers::read_whole(&turn, side, &state, false).err());
        let bad = match [&map, &mirror] {
            [Some(error), None] if is_bad(error) => Some(Side::Map),
            [None, Some(error)] if is_bad(error) => Some(Side::Mirror),
            _ => None,
        };
        let surface = turn.journal()?;
        if let Some(side) = bad.filter(|_| turn.is_writable())
            && journal::marked(&*surface)?.is_none()
        {
            // It is made anew with the next commit.
            journal::mark(&*surface, side)?;
        }
        Ok(map.into_iter().chain(mirror).collect())
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

fn nothing_known() -> StoreError {
    StoreError::Engine("a commit without a state".to_owned())
}

fn damaged(what: &str) -> StoreError {
    StoreError::Damaged { what: what.to_owned() }
}

#[cfg(test)]
#[path = "tests/shared.rs"]
mod tests;
