//! What views and transactions read from: what is known, and the maps where that is not enough.
//!
//! Owns: which map is read, the other one where it cannot be, the order of known values and the map's. Does not know:
//! how the present state is found (`shared`), how maps are written (`fold`). Called from `shared`.

use crate::error::{Result, StoreError};
use crate::medium::ground::{Map, Side, Turn, generation_of, is_bad};
use crate::medium::journal::{self, Header};
use crate::medium::known::{Known, Lookup};
use crate::medium::{Each, Reader};
use hsm_crypto::memory;
use std::cell::{Cell, OnceCell, RefCell};

/// Reads from what is known, and notes when that is not enough.
pub(crate) struct Remembered<'a> {
    known: &'a Known,
    generation: u64,
    missed: Cell<bool>,
}

impl<'a> Remembered<'a> {
    pub(crate) fn new(known: &'a Known, generation: u64) -> Self {
        Self { known, generation, missed: Cell::new(false) }
    }

    /// Whether something was asked for that is not known.
    pub(crate) fn has_missed(&self) -> bool {
        self.missed.get()
    }

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
            Lookup::Known(value) => Ok(value.map(memory::copied).transpose()?),
            Lookup::Unknown => self.miss(),
        }
    }

    fn scan(&self, prefix: &[u8], each: &mut Each<'_>) -> Result<()> {
        if self.known.is_complete(prefix) { self.known.scan(prefix, each) } else { self.miss() }
    }
}

/// The present state.
#[derive(Clone, Copy)]
pub(crate) struct State {
    /// What the journal was begun on.
    pub(crate) header: Header,
    /// The generation up to which the journal goes.
    pub(crate) generation: u64,
}

/// Opens a map, if it holds the state at a generation to which the journal fits.
///
/// # Errors
/// `Damaged` when it does not, or the map's.
pub(crate) fn open_fit<'a, T: Turn>(turn: &'a T, side: Side, state: &State) -> Result<(Box<dyn Map + 'a>, u64)> {
    fitting(turn.map(side)?, state)
}

fn fitting<'a>(map: Box<dyn Map + 'a>, state: &State) -> Result<(Box<dyn Map + 'a>, u64)> {
    let generation = generation_of(&*map)?;
    // Between what the journal was begun on and what it holds: a fold may have died half-way.
    if generation < state.header.base || generation > state.generation {
        return Err(StoreError::Damaged {
            what: "the store (its maps and its journal are of different times)".to_owned(),
        });
    }
    Ok((map, generation))
}

/// Reads a map from beginning to end; in a copy where it is to be spared.
///
/// # Errors
/// As [`open_fit`], and whatever is met on the way.
pub(crate) fn read_whole<T: Turn>(turn: &T, side: Side, state: &State, spare: bool) -> Result<()> {
    let map = if spare { turn.spared(side)? } else { turn.map(side)? };
    let (map, _) = fitting(map, state)?;
    map.scan(&[], &mut |_, _| Ok(()))?;
    map.close()
}

/// Reads from what is known and from a map, which is opened when it is needed first.
pub(crate) struct InTurn<'a, T> {
    known: RefCell<&'a mut Known>,
    turn: &'a T,
    state: State,
    maps: [OnceCell<Box<dyn Map + 'a>>; 2],
    /// The one to read, when that was found out.
    first: Cell<Option<Side>>,
}

impl<'a, T: Turn> InTurn<'a, T> {
    pub(crate) fn new(known: &'a mut Known, turn: &'a T, state: State) -> Self {
        Self { known: RefCell::new(known), turn, state, maps: [const { OnceCell::new() }; 2], first: Cell::new(None) }
    }

    /// Closes what was opened. It was only read, so whatever goes wrong now has cost nothing.
    pub(crate) fn close(self) {
        for map in self.maps.into_iter().filter_map(OnceCell::into_inner) {
            let _best_effort = map.close();
        }
    }

    /// Runs `read` on a map, and again on the other one where that one cannot be opened or read.
    fn with_map<R>(&self, mut read: impl FnMut(&dyn Map) -> Result<R>) -> Result<R> {
        let surface = self.turn.journal()?;
        let doubtful = journal::marked(&*surface)?;
        let first = self.first.get().unwrap_or_else(|| doubtful.map_or(Side::Map, Side::other));
        let error = match self.map(first, doubtful.is_some()).and_then(&mut read) {
            Ok(answer) => return Ok(answer),
            // The engine may have been interrupted in the middle of a change, and the other one must not be, too.
            Err(error) if error.is_shortage() => return Err(error),
            // Somebody has to look at this, and not past it.
            Err(error @ StoreError::Unsafe { .. }) => return Err(error),
            // What was being written when its process died is better than nothing, and worse than another try.
            Err(error) if doubtful.is_some() && !is_bad(&error) => return Err(error),
            Err(error) => error,
        };
        let answer = match self.map(first.other(), true).and_then(&mut read) {
            Ok(answer) => answer,
            // What stands in the way for now says more than what is bad.
            Err(other) => return Err(if is_bad(&other) { error } else { other }),
        };
        self.first.set(Some(first.other()));
        if is_bad(&error) && doubtful.is_none() && self.turn.is_writable() {
            // It is made anew with the next commit, whoever makes it. Not being able to say so costs nothing.
            let _best_effort = journal::mark(&*surface, first);
        }
        Ok(answer)
    }

    /// A map; `spare` where it may be the only good one.
    fn map(&self, side: Side, spare: bool) -> Result<&dyn Map> {
        let place = &self.maps[side as usize];
        if let Some(map) = place.get() {
            return Ok(&**map);
        }
        let map = if spare { self.turn.spared(side)? } else { self.turn.map(side)? };
        let (map, _) = fitting(map, &self.state)?;
        if map.is_small() {
            self.learn(&*map, &[])?;
        }
        Ok(&**place.get_or_init(|| map))
    }

    /// Reads all keys of the map with this prefix into memory; answers whether they are all known now.
    fn learn(&self, map: &dyn Map, prefix: &[u8]) -> Result<bool> {
        // `scan` may have been called from within a scan, which then reads what is known.
        let Ok(mut known) = self.known.try_borrow_mut() else { return Ok(false) };
        if !known.may_learn_all() {
            return Ok(false);
        }
        map.scan(prefix, &mut |key, value| {
            // There may be a hundred thousand of them.
            memory::enough()?;
            known.learn(key, Some(value))?;
            Ok(())
        })?;
        Ok(known.complete(prefix))
    }

    /// Hands the maps' pairs to `each`, with what is known in front of them.
    fn merge(&self, prefix: &[u8], each: &mut Each<'_>) -> Result<()> {
        let known = self.known.borrow();
        let mut newer = known.range(prefix).peekable();
        let mut last: Option<Vec<u8>> = None;
        let mut refused = None;
        self.with_map(|map| {
            let mut hand = |key: &[u8], value: &[u8]| {
                while let Some((known_key, known_value)) = newer.next_if(|(known_key, _)| *known_key < key) {
                    known_value.map_or(Ok(()), |value| each(known_key, value))?;
                }
                match newer.next_if(|(known_key, _)| *known_key == key) {
                    Some((_, known_value)) => known_value.map_or(Ok(()), |value| each(key, value)),
                    None => each(key, value),
                }
            };
            let scanned = map.scan(prefix, &mut |key, value| {
                // Where one map ended early, the other goes on behind it: both hold the same state.
                if last.as_deref().is_some_and(|last| key <= last) {
                    return Ok(());
                }
                let last = last.get_or_insert_default();
                last.clear();
                last.extend_from_slice(key);
                hand(key, value).map_err(|error| {
                    refused = Some(error);
                    StoreError::Engine("given up".to_owned())
                })
            });
            if refused.is_some() { Ok(()) } else { scanned }
        })?;
        if let Some(error) = refused {
            return Err(error);
        }
        newer.filter_map(|(key, value)| Some((key, value?))).try_for_each(|(key, value)| each(key, value))
    }
}

impl<T: Turn> Reader for InTurn<'_, T> {
    fn generation(&self) -> u64 {
        self.state.generation
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let known = |known: &Known| match known.lookup(key) {
            Lookup::Known(value) => Some(value.map(memory::copied).transpose()),
            Lookup::Unknown => None,
        };
        if let Some(value) = known(&self.known.borrow()) {
            return Ok(value?);
        }
        let value = self.with_map(|map| {
            // Opening it may have brought the value.
            let learnt = known(&self.known.borrow());
            learnt.map_or_else(|| map.get(key), |value| Ok(value?))
        })?;
        if let Ok(mut known) = self.known.try_borrow_mut() {
            // Not being able to keep it costs another look at the map.
            let _best_effort = known.learn(key, value.as_deref());
        }
        Ok(value)
    }

    fn scan(&self, prefix: &[u8], each: &mut Each<'_>) -> Result<()> {
        let complete = || self.known.borrow().is_complete(prefix);
        if !complete() && !self.with_map(|map| Ok(complete() || self.learn(map, prefix)?))? {
            return self.merge(prefix, each);
        }
        self.known.borrow().scan(prefix, each)
    }
}
