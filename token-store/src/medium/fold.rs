//! The fold: what the journal holds is brought into the maps, one after the other, and the journal is begun anew.
//!
//! Owns: the order of steps, and how a map that is worth nothing is made anew from the other one. Does not know: files and
//! engines (`ground`), when a fold is due (`shared`). Called from `shared`.
//! Rule source: docs/format.md, "The fold".

use crate::error::{Result, StoreError};
use crate::medium::ground::{GENERATION_KEY, Map, Side, Turn};
use crate::medium::journal::{self, Changes, Frames, Header, Position, Surface};
use crate::medium::known::Known;
use crate::medium::readers::{State, open_fit, read_whole};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How much of the journal goes into a map as one batch.
const STEP_BYTES: u64 = 128 << 10;
/// After what time a fold lets others have their turn.
const TIME: Duration = Duration::from_millis(25);

/// Brings the maps closer to the state that is known, and begins the journal anew when both hold all of it.
///
/// Others may be waiting, so this stops after a while; but it takes in more than the last commit added, so that
/// the journal comes to its end however large the commits are.
///
/// # Errors
/// The ground's; everything is in the journal as before.
pub(crate) fn fold<T: Turn>(known: &mut Known, turn: &T, header: &Header, added_bytes: u64) -> Result<()> {
    let surface = turn.journal()?;
    let end = known.position().ok_or_else(|| StoreError::Engine("a fold without a state".to_owned()))?;
    // Both maps fall behind by what was added.
    let mut fold = Fold { turn, surface, header, end, begun: Instant::now(), bytes: 4 * added_bytes };
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
    begun: Instant,
    /// How much of the journal is taken in at least.
    bytes: u64,
}

impl<'a, T: Turn> Fold<'a, T> {
    /// The map that needs it most; `None` when both hold everything.
    fn next(&self, known: &Known) -> Result<Option<Side>> {
        let doubtful = journal::marked(&*self.surface)?.or(known.unfit());
        let reached = |side: &Side| known.folded(*side).map_or(0, |position| position.offset);
        let behind = Side::BOTH.into_iter().filter(|side| known.folded(*side) != Some(self.end)).min_by_key(reached);
        Ok(doubtful.or(behind))
    }

    /// Whether it is others' turn.
    fn is_over(&self) -> bool {
        self.bytes == 0 && self.begun.elapsed() >= TIME
    }

    /// Brings a map closer; answers up to where.
    fn bring(&mut self, side: Side, known: &mut Known) -> Result<Position> {
        let (mut map, present) = self.open(side, known)?;
        let folded = known.folded(side).filter(|folded| folded.generation <= present);
        let mut at = folded.unwrap_or_else(|| self.header.start());
        while at != self.end && !self.is_over() {
            at = self.step(&mut *map, at, present)?;
        }
        map.close()?;
        journal::unmark(&*self.surface)?;
        Ok(at)
    }

    /// Opens a map to write it, and makes it anew before where it is not sound.
    fn open(&self, side: Side, known: &mut Known) -> Result<(Box<dyn Map + 'a>, u64)> {
        let wreck = journal::marked(&*self.surface)? == Some(side);
        journal::mark(&*self.surface, side)?;
        let suspect = known.unfit() == Some(side);
        if suspect {
            known.set_unfit(None);
        }
        // Another process may have made anew what this one could not read.
        let sound = !wreck && (!suspect || read_whole(self.turn, side, &self.state()).is_ok());
        if sound && let opened @ (Ok(_) | Err(StoreError::Unsafe { .. })) = self.open_fit(side) {
            return opened;
        }
        // Where the other one is no better, what is left of this one is all there is.
        if read_whole(self.turn, side.other(), &self.state()).is_ok() {
            self.turn.remake(side)?;
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
        while frames.position() != self.end && frames.position().offset - from.offset < STEP_BYTES {
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
        }
        self.bytes = self.bytes.saturating_sub(at.offset - from.offset);
        Ok(at)
    }
}
