//! The fold: what the journal holds is brought into the maps, one after the other, and the journal is begun anew.
//!
//! Owns: the order of steps, and how a map that is worth nothing is made anew from the other one. Does not know: files and
//! engines (`ground`), when a fold is due (`shared`). Called from `shared`.
//! Rule source: docs/format.md, "The fold".

use crate::error::{Result, StoreError};
use crate::medium::ground::{GENERATION_KEY, Map, Pace, Side, Turn, is_bad};
use crate::medium::journal::{self, Changes, Frames, Header, Position, Surface};
use crate::medium::known::Known;
use crate::medium::readers::{State, open_fit, read_whole};
use std::sync::Arc;
use std::time::Instant;

/// Brings the maps closer to the state that is known, and begins the journal anew when both hold all of it.
///
/// Others may be waiting, so this stops after a while; but it takes in more than the last commit added, so that
/// the journal comes to its end however large the commits are.
///
/// # Errors
/// The ground's; everything is in the journal as before.
pub(crate) fn fold<T: Turn>(known: &mut Known, turn: &T, pace: Pace, header: &Header, added_bytes: u64) -> Result<()> {
    let surface = turn.journal()?;
    let end = known.position().ok_or_else(|| StoreError::Engine("a fold without a state".to_owned()))?;
    // Both maps fall behind by what was added.
    let mut fold = Fold { turn, surface, header, end, pace, begun: Instant::now(), bytes: 4 * added_bytes };
    while let Some(side) = fold.next(known)? {
        if fold.is_over() {
            return Ok(());
        }
        let reached = fold.bring(side, known)?;
        known.set_folded(side, reached);
    }
    let header = header.restart(&*fold.surface, end)?;
    known.attach(fold.surface, &header);
    Ok(())
}

struct Fold<'a, T> {
    turn: &'a T,
    surface: Arc<dyn Surface>,
    header: &'a Header,
    end: Position,
    pace: Pace,
    begun: Instant,
    /// How much of the journal is taken in at least.
    bytes: u64,
}

impl<'a, T: Turn> Fold<'a, T> {
    /// The map that needs it most; `None` when both hold everything.
    fn next(&self, known: &Known) -> Result<Option<Side>> {
        let doubtful = journal::marked(&*self.surface)?;
        let reached = |side: &Side| known.folded(*side).map_or(0, |position| position.offset);
        let behind = Side::BOTH.into_iter().filter(|side| known.folded(*side) != Some(self.end)).min_by_key(reached);
        Ok(doubtful.or(behind))
    }

    /// Whether it is others' turn.
    fn is_over(&self) -> bool {
        self.bytes == 0 && self.begun.elapsed() >= self.pace.time
    }

    /// Brings a map closer; answers up to where.
    fn bring(&mut self, side: Side, known: &mut Known) -> Result<Position> {
        let (mut map, present) = self.open(side)?;
        let folded = known.folded(side).filter(|folded| folded.generation <= present);
        let mut at = folded.unwrap_or_else(|| self.header.start());
        while at != self.end && !self.is_over() {
            at = self.step(&mut *map, at, present)?;
        }
        map.close()?;
        journal::unmark(&*self.surface)?;
        Ok(at)
    }

    /// Opens a map to write it, and makes it anew before where it is bad.
    fn open(&self, side: Side) -> Result<(Box<dyn Map + 'a>, u64)> {
        let doubtful = journal::marked(&*self.surface)? == Some(side);
        journal::mark(&*self.surface, side)?;
        if !doubtful {
            let opened = self.open_fit(side);
            let Err(error) = &opened else { return opened };
            if error.is_shortage() {
                // The engine may have been interrupted in the middle of a change.
                return opened;
            }
            if !is_bad(error) {
                // It was not touched.
                let _best_effort = journal::unmark(&*self.surface);
                return opened;
            }
        }
        match read_whole(self.turn, side.other(), &self.state(), true) {
            Ok(()) => self.turn.remake(side)?,
            // What is left of this one is all there is.
            Err(error) if is_bad(&error) => read_whole(self.turn, side, &self.state(), true)?,
            Err(error) => return Err(error),
        }
        self.open_fit(side)
    }

    fn open_fit(&self, side: Side) -> Result<(Box<dyn Map + 'a>, u64)> {
        open_fit(self.turn, side, &self.state())
    }

    fn state(&self) -> State {
        State { header: *self.header, generation: self.end.generation }
    }

    /// Takes in some frames behind `from`; the map holds those up to generation `present` already.
    fn step(&mut self, map: &mut dyn Map, from: Position, present: u64) -> Result<Position> {
        let mut changes = Changes::new();
        let mut frames = Frames::behind(&*self.surface, from);
        while frames.position() != self.end && frames.position().offset - from.offset < self.pace.step_bytes {
            let shorter = || StoreError::Damaged { what: "the journal (it became shorter)".to_owned() };
            let frame = frames.next()?.ok_or_else(shorter)?;
            if frame.generation > present {
                changes.extend(frame.changes);
            }
        }
        let at = frames.position();
        if at.generation > present {
            changes.insert(GENERATION_KEY.to_vec(), Some(at.generation.to_be_bytes().to_vec()));
            map.apply(changes)?;
            // What the map held already is no progress.
            self.bytes = self.bytes.saturating_sub(at.offset - from.offset);
        }
        Ok(at)
    }
}
