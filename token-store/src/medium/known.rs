//! What this process knows of the shared state: values in memory, and up to where the journal was read.
//!
//! Owns: the values that stand in the journal and not yet in the map, and those of the map that were asked for
//! (all of a small map). Does not know: locks, the map, what keys and values mean. Called from `shared`.
//!
//! A look at the state that is known here opens nothing, takes no file lock and writes nothing.

use crate::error::Result;
use crate::medium::Each;
use crate::medium::ground::{Announced, Side};
use crate::medium::journal::{Changes, Check, Frames, Header, Position, Surface};
use hsm_crypto::memory;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many bytes of keys and values of the map are kept; a map with more is read from the disk each time.
const LEARNT_BYTES_MAX: usize = 256 << 20;

/// The known state, and the journal that it was read from.
#[derive(Default)]
pub(crate) struct Known {
    read: Option<Read>,
    values: BTreeMap<Box<[u8]>, Option<Box<[u8]>>>,
    bytes: usize,
    /// Prefixes of which every key of the state is in `values`.
    complete: Vec<Vec<u8>>,
    /// Whether reading a prefix was given up because it is too large.
    too_large: bool,
}

/// How far the journal was read.
struct Read {
    surface: Arc<dyn Surface>,
    header: Check,
    position: Position,
    /// Up to where this process has folded the journal into each map.
    folded: [Option<Position>; 2],
}

/// What is known of a key.
pub(crate) enum Lookup<'a> {
    /// Its value, or that it has none.
    Known(Option<&'a [u8]>),
    /// The map has to be asked.
    Unknown,
}

impl Known {
    /// The generation of the known state; `None` when nothing is known.
    pub(crate) fn generation(&self) -> Option<u64> {
        self.position().map(|position| position.generation)
    }

    /// The place behind the last frame that was read.
    pub(crate) fn position(&self) -> Option<Position> {
        self.read.as_ref().map(|read| read.position)
    }

    /// Up to where this process has folded the present journal into a map, when it has.
    pub(crate) fn folded(&self, side: Side) -> Option<Position> {
        self.read.as_ref()?.folded[side as usize]
    }

    /// Notes up to where the journal has been folded into a map.
    pub(crate) fn set_folded(&mut self, side: Side, position: Position) {
        if let Some(read) = &mut self.read {
            read.folded[side as usize] = Some(position);
        }
    }

    /// Forgets everything.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Continues with the journal as it is now under its name, or begins anew where what was read is not its past.
    pub(crate) fn attach(&mut self, surface: Arc<dyn Surface>, header: &Header) {
        let same = |read: &&mut Read| read.surface.identity() == surface.identity();
        if let Some(read) = self.read.as_mut().filter(same) {
            read.surface = surface.clone();
            if read.header == header.check {
                return;
            }
            if header.previous == read.position.check && header.base == read.position.generation {
                read.header = header.check;
                read.position = header.start();
                read.folded = [None; 2];
                self.settle();
                return;
            }
        }
        self.forget();
        self.read = Some(Read { surface, header: header.check, position: header.start(), folded: [None; 2] });
    }

    /// Takes in the frames of the journal up to generation `last`, all of them when `None`; returns where the first
    /// one behind `confirmed` stands.
    ///
    /// # Errors
    /// The surface's.
    pub(crate) fn follow(&mut self, confirmed: u64, last: Option<u64>) -> Result<Option<u64>> {
        let Some(read) = &self.read else { return Ok(None) };
        let surface = read.surface.clone();
        let mut frames = Frames::behind(&*surface, read.position);
        let mut unconfirmed = None;
        loop {
            let at = frames.position().offset;
            let Some(frame) = frames.next()? else { return Ok(unconfirmed) };
            if last.is_some_and(|last| frame.generation > last) {
                return Ok(unconfirmed);
            }
            if frame.generation > confirmed && unconfirmed.is_none() {
                unconfirmed = Some(at);
            }
            self.advance(frame.changes, frame.next);
        }
    }

    /// Whether what is known is the state that is announced, and no commit that is under way may have come as far as to
    /// last. (Nobody may act on the state before such a one: its process may be dead, and the next turn would find it.)
    pub(crate) fn is_present(&self, announced: Announced) -> bool {
        self.generation() == Some(announced.number) && !(announced.under_way && self.is_followed())
    }

    /// Whether a whole frame stands behind what is known, or that cannot be told.
    fn is_followed(&self) -> bool {
        let Some(read) = &self.read else { return true };
        // Begun anew since, the journal goes on at its start.
        if !Header::read(&*read.surface).is_ok_and(|header| header.check == read.header) {
            return true;
        }
        !matches!(Frames::behind(&*read.surface, read.position).next(), Ok(None))
    }

    /// Takes in a commit that ends at `next`.
    pub(crate) fn advance(&mut self, changes: Changes, next: Position) {
        for (key, value) in changes {
            self.put(key.into(), value.map(Into::into));
        }
        if let Some(read) = &mut self.read {
            read.position = next;
        }
    }

    /// What is known of a key.
    pub(crate) fn lookup(&self, key: &[u8]) -> Lookup<'_> {
        match self.values.get(key) {
            Some(value) => Lookup::Known(value.as_deref()),
            None if self.is_complete(key) => Lookup::Known(None),
            None => Lookup::Unknown,
        }
    }

    /// Whether every key with this prefix is known.
    pub(crate) fn is_complete(&self, prefix: &[u8]) -> bool {
        self.complete.iter().any(|complete| prefix.starts_with(complete))
    }

    /// Known keys that begin with `prefix`, deleted ones too, in order.
    pub(crate) fn range<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        let from = self.values.range::<[u8], _>((core::ops::Bound::Included(prefix), core::ops::Bound::Unbounded));
        from.map(|(key, value)| (&**key, value.as_deref())).take_while(move |(key, _)| key.starts_with(prefix))
    }

    /// Hands the values of a complete prefix to `each`.
    ///
    /// # Errors
    /// What `each` answers.
    pub(crate) fn scan(&self, prefix: &[u8], each: &mut Each<'_>) -> Result<()> {
        self.range(prefix).filter_map(|(key, value)| Some((key, value?))).try_for_each(|(key, value)| each(key, value))
    }

    /// Keeps what the map holds under a key, where nothing newer is known.
    ///
    /// # Errors
    /// `Crypto(OutOfMemory)`.
    pub(crate) fn learn(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        if self.bytes <= LEARNT_BYTES_MAX && !self.values.contains_key(key) {
            let value = value.map(memory::copied).transpose()?;
            self.put(key.into(), value.map(Into::into));
        }
        Ok(())
    }

    /// Whether everything below a prefix may be learnt; `complete` follows when it has been.
    pub(crate) fn may_learn_all(&self) -> bool {
        !self.too_large
    }

    /// Notes that all keys of the map with this prefix were learnt; answers whether they were all kept.
    pub(crate) fn complete(&mut self, prefix: &[u8]) -> bool {
        if self.bytes > LEARNT_BYTES_MAX {
            self.too_large = true;
            return false;
        }
        self.complete.retain(|other| !other.starts_with(prefix));
        self.complete.push(prefix.to_vec());
        true
    }

    /// The journal was begun anew: the map holds everything that is known, so nothing has to be kept.
    fn settle(&mut self) {
        if self.bytes > LEARNT_BYTES_MAX {
            (self.values, self.bytes, self.complete) = Default::default();
            return;
        }
        // Deleted keys are gone from the map too.
        let bytes = &mut self.bytes;
        self.values.retain(|key, value| {
            if value.is_none() {
                *bytes -= key.len();
            }
            value.is_some()
        });
    }

    fn put(&mut self, key: Box<[u8]>, value: Option<Box<[u8]>>) {
        let size = |value: &Option<Box<[u8]>>| value.as_ref().map_or(0, |value| value.len());
        let key_bytes = key.len();
        self.bytes += key_bytes + size(&value);
        if let Some(old) = self.values.insert(key, value) {
            self.bytes -= key_bytes + size(&old);
        }
    }
}

#[cfg(test)]
#[path = "tests/known.rs"]
mod tests;
