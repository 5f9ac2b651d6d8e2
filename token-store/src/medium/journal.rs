//! The journal: what was committed since the map was last brought up to date, one frame a commit.
//!
//! Owns: the bytes of header, mark and frames, the chain of checks that tells a whole frame from a torn or an old one, and the
//! order of writes that makes a frame durable. Does not know: files (it stands on a [`Surface`]), locks, the
//! map, what keys and values mean. Called from `shared`. Rule source: docs/format.md, "Journal".

use crate::error::{Result, StoreError};
use crate::medium::ground::Side;
use hsm_crypto::memory;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Bytes that can be read, written and made durable: a file, or a simulated one.
pub trait Surface: Send + Sync {
    /// What tells this surface from another one that took its name.
    fn identity(&self) -> (u64, u64);
    /// Reads as much as there is at `at`, at most the buffer; 0 at the end.
    ///
    /// # Errors
    /// `Io`.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<usize>;
    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// `Io`, `Full`, `ReadOnly`; some of the bytes may have been written.
    fn write_at(&self, bytes: &[u8], at: u64) -> Result<()>;
    /// Makes what was written durable, with the length.
    ///
    /// # Errors
    /// `Io`, `Full`; what was written since the last success may then be lost even when a later call succeeds.
    fn sync(&self) -> Result<()>;
    /// Bytes from the start to the end.
    ///
    /// # Errors
    /// `Io`.
    fn length(&self) -> Result<u64>;
    /// Cuts what is behind `length`.
    ///
    /// # Errors
    /// `Io`.
    fn cut(&self, length: u64) -> Result<()>;
    /// The turn is over: from now on it is only read.
    fn rest(&self) {}
    /// In what steps room is made ahead, bytes: a frame in room that is there costs one write of data and nothing else.
    fn step(&self) -> u64 {
        256 << 10
    }
}

/// Proves a frame and all before it.
pub type Check = [u8; CHECK_BYTES];
/// What a batch does: a value to put, or `None` to delete, by key.
pub type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A place between two frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Where the next frame stands.
    pub offset: u64,
    /// The check of the frame before, or of the header.
    pub check: Check,
    /// The generation of the frame before, or of the map.
    pub generation: u64,
}

/// What a journal begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    sequence: u64,
    /// The generation that the map had when the journal was begun.
    pub base: u64,
    /// The check of the last frame before that, zeros in a new store.
    pub previous: Check,
    /// Its own check.
    pub check: Check,
}

/// A commit.
#[derive(Debug)]
pub struct Frame {
    /// Its generation.
    pub generation: u64,
    /// What it changed.
    pub changes: Changes,
    /// The place behind it.
    pub next: Position,
}

impl Header {
    /// Reads the header.
    ///
    /// # Errors
    /// `Damaged` when there is none, `Io`.
    pub fn read(surface: &dyn Surface) -> Result<Self> {
        let mut found: Option<Self> = None;
        for slot in 0..SLOTS {
            let mut bytes = [0; HEADER_BYTES];
            if read_full(surface, &mut bytes, slot * SLOT_BYTES)?
                && let Some(header) = Self::parse(&bytes)
                && found.is_none_or(|other| other.sequence < header.sequence)
            {
                found = Some(header);
            }
        }
        found.ok_or_else(|| StoreError::Damaged { what: "the journal (its header does not open)".to_owned() })
    }

    /// Writes the first header of a new journal and makes it durable, on top of a map of generation `base`.
    ///
    /// # Errors
    /// The surface's.
    pub fn create(surface: &dyn Surface, base: u64) -> Result<()> {
        write_zeros(surface, 0, FRAMES_AT + surface.step())?;
        Self::new(0, base, [0; CHECK_BYTES]).write(surface)
    }

    /// Begins the journal anew when the map holds everything before `end`; the frames are worth nothing afterwards.
    ///
    /// # Errors
    /// The surface's; the journal then is as it was, or begun anew.
    pub fn restart(&self, surface: &dyn Surface, end: Position) -> Result<Self> {
        // The other slot: should the power be cut in the middle, this header still stands and its frames with it.
        let next = Self::new(self.sequence + 1, end.generation, end.check);
        next.write(surface).inspect_err(|_| next.cancel(surface))?;
        if surface.length()? > KEPT_BYTES {
            surface.cut(KEPT_BYTES)?;
        }
        Ok(next)
    }

    /// The place of the first frame.
    #[must_use]
    pub fn start(&self) -> Position {
        Position { offset: FRAMES_AT, check: self.check, generation: self.base }
    }

    fn new(sequence: u64, base: u64, previous: Check) -> Self {
        let mut header = Self { sequence, base, previous, check: [0; CHECK_BYTES] };
        header.check = Sha256::digest(header.content()).into();
        header
    }

    /// Writes the header into its slot and makes it durable.
    fn write(&self, surface: &dyn Surface) -> Result<()> {
        surface.write_at(&[&self.content()[..], &self.check].concat(), self.slot())?;
        surface.sync()
    }

    /// Takes back a header that may or may not stand in its slot, as far as the surface lets it.
    fn cancel(&self, surface: &dyn Surface) {
        let _best_effort = surface.write_at(&[0; HEADER_BYTES], self.slot()).and_then(|()| surface.sync());
    }

    fn slot(&self) -> u64 {
        self.sequence % SLOTS * SLOT_BYTES
    }

    fn content(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_be_bytes());
        bytes.extend([0; 6]);
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.base.to_be_bytes());
        bytes.extend(self.previous);
        bytes
    }

    fn parse(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let (content, check) = bytes.split_last_chunk::<CHECK_BYTES>()?;
        let (magic, rest) = content.split_first_chunk::<8>()?;
        let (version, rest) = rest.split_first_chunk::<2>()?;
        let (_, rest) = rest.split_first_chunk::<6>()?;
        let (sequence, rest) = rest.split_first_chunk::<8>()?;
        let (base, rest) = rest.split_first_chunk::<8>()?;
        let known = magic == MAGIC && u16::from_be_bytes(*version) == VERSION;
        if !known || Sha256::digest(content).as_slice() != check {
            return None;
        }
        Some(Self {
            sequence: u64::from_be_bytes(*sequence),
            base: u64::from_be_bytes(*base),
            previous: rest.try_into().ok()?,
            check: *check,
        })
    }
}

/// The map that is being written, or was when its process died, or that could not be read: nobody knows what it holds.
///
/// # Errors
/// `Io`.
pub fn marked(surface: &dyn Surface) -> Result<Option<Side>> {
    let mut mark = [0];
    // A journal in memory may be shorter.
    read_full(surface, &mut mark, MARK_AT)?;
    // Nothing else is ever written; where something else stands, the maps have to show what they are worth.
    Ok(Side::BOTH.into_iter().find(|side| [side.number()] == mark))
}

/// Says, durably, that nobody shall rely on a map: it is going to be written, or could not be read.
///
/// # Errors
/// The surface's.
pub fn mark(surface: &dyn Surface, side: Side) -> Result<()> {
    surface.write_at(&[side.number()], MARK_AT)?;
    surface.sync()
}

/// Says that the map that was being written is closed and durable. Should the power be cut before this is durable
/// itself, the map is made anew for nothing.
///
/// # Errors
/// The surface's.
pub fn unmark(surface: &dyn Surface) -> Result<()> {
    surface.write_at(&[0], MARK_AT)
}

/// Writes a frame behind `at` and makes it durable; returns the place behind it.
///
/// # Errors
/// The surface's, `TooLarge`. The frame is then taken back, as far as the surface lets it.
pub fn append(
    surface: &dyn Surface,
    header: &Header,
    at: Position,
    generation: u64,
    changes: &Changes,
) -> Result<Position> {
    let (bytes, check) = encode(at, generation, changes)?;
    let end = at.offset + bytes.len() as u64;
    let length = surface.length()?;
    if end > length {
        write_zeros(surface, length, end.next_multiple_of(surface.step()))?;
        surface.sync()?;
    }
    if at == header.start() {
        // This frame overwrites one that the header before leads to. Nobody knows whether its own header is durable:
        // whoever wrote it may have seen the sync fail, and died.
        header.write(surface)?;
    }
    let written = surface.write_at(&bytes, at.offset).and_then(|()| surface.sync());
    written.inspect_err(|_| cancel(surface, at))?;
    Ok(Position { offset: end, check, generation })
}

/// Takes back a frame that may or may not stand behind `at`, as far as the surface lets it.
fn cancel(surface: &dyn Surface, at: Position) {
    // After a failed sync the system may hold the frame for written and forget it. Writing it again, here or in the
    // next append, is what makes a later sync mean something.
    let _best_effort = surface.write_at(&[0; HEAD_BYTES], at.offset).and_then(|()| surface.sync());
}

/// Makes frames durable that were found and of which nobody knows whether they are.
///
/// # Errors
/// The surface's.
pub fn confirm(surface: &dyn Surface, from: u64, to: u64) -> Result<()> {
    let mut bytes = memory::zeroed(usize::try_from(to - from).unwrap_or(0))?;
    let read = read_some(surface, &mut bytes, from)?;
    // Of the last one the zeros behind its content may be missing, where the surface ends; it is whole all the same.
    if bytes.len() - read >= ALIGNMENT {
        return Err(StoreError::Damaged { what: "the journal (it became shorter)".to_owned() });
    }
    surface.write_at(&bytes, from)?;
    surface.sync()
}

/// Reads frame after frame.
pub struct Frames<'a> {
    surface: &'a dyn Surface,
    position: Position,
    // What was read ahead, and where it begins.
    buffer: Vec<u8>,
    buffer_at: u64,
    ahead: usize,
}

impl<'a> Frames<'a> {
    /// Begins behind `position`.
    #[must_use]
    pub fn behind(surface: &'a dyn Surface, position: Position) -> Self {
        Self { surface, position, buffer: Vec::new(), buffer_at: position.offset, ahead: AHEAD_BYTES.0 }
    }

    /// The place behind the last frame that was read.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The next frame; `None` when there is no whole frame that continues the chain.
    ///
    /// # Errors
    /// The surface's.
    pub fn next(&mut self) -> Result<Option<Frame>> {
        // There may be thousands of them, and each is kept.
        memory::enough()?;
        let at = self.position;
        let Some(head) = self.bytes(HEAD_BYTES)? else { return Ok(None) };
        let length = head.get(CHECK_BYTES..).and_then(<[u8]>::first_chunk).map(|bytes| u32::from_be_bytes(*bytes));
        let body_bytes = length.map_or(0, |length| length as usize);
        if body_bytes == 0 || body_bytes > BODY_BYTES_MAX {
            return Ok(None);
        }
        let Some(bytes) = self.bytes(HEAD_BYTES + body_bytes)? else { return Ok(None) };
        let Some(frame) = decode(at, bytes)? else { return Ok(None) };
        self.position = frame.next;
        Ok(Some(frame))
    }

    /// The next `count` bytes; `None` when the surface ends before.
    fn bytes(&mut self, count: usize) -> Result<Option<&[u8]>> {
        let mut start = usize::try_from(self.position.offset - self.buffer_at).unwrap_or(usize::MAX);
        if self.buffer.len() < start.saturating_add(count) {
            // What an older frame left here may claim any length.
            if count > self.ahead && self.position.offset + count as u64 > self.surface.length()? {
                return Ok(None);
            }
            self.buffer_at = self.position.offset;
            start = 0;
            let wanted = count.max(self.ahead);
            let more = wanted.saturating_sub(self.buffer.len());
            memory::reserve(&mut self.buffer, more)?;
            self.buffer.resize(wanted, 0);
            let read = read_some(self.surface, &mut self.buffer, self.buffer_at)?;
            self.buffer.truncate(read);
            self.ahead = (self.ahead * 4).min(AHEAD_BYTES.1);
        }
        Ok(self.buffer.get(start..start + count))
    }
}

fn encode(at: Position, generation: u64, changes: &Changes) -> Result<(Vec<u8>, Check)> {
    let entry = |(key, value): (&Vec<u8>, &Option<Vec<u8>>)| 6 + key.len() + value.as_ref().map_or(0, Vec::len);
    let body_bytes = 4 + changes.iter().map(entry).sum::<usize>();
    let too_large = || StoreError::TooLarge { bytes: body_bytes, bytes_max: BODY_BYTES_MAX };
    if body_bytes > BODY_BYTES_MAX {
        return Err(too_large());
    }
    let number = |length: usize| u32::try_from(length).map_err(|_| too_large());
    let mut bytes = memory::with_room(HEAD_BYTES + body_bytes + ALIGNMENT)?;
    bytes.extend([0; CHECK_BYTES]);
    bytes.extend(number(body_bytes)?.to_be_bytes());
    bytes.extend(generation.to_be_bytes());
    bytes.extend(number(changes.len())?.to_be_bytes());
    for (key, value) in changes {
        bytes.extend(u16::try_from(key.len()).map_err(|_| too_large())?.to_be_bytes());
        bytes.extend(value.as_ref().map_or(Ok(DELETED), |value| number(value.len()))?.to_be_bytes());
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value.as_deref().unwrap_or_default());
    }
    let check = check_of(at, &bytes[CHECK_BYTES..]);
    bytes[..CHECK_BYTES].copy_from_slice(&check);
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
    Ok((bytes, check))
}

/// Copies a frame out of what was read; `None` when it is none.
fn decode(at: Position, bytes: &[u8]) -> Result<Option<Frame>> {
    let Some((read, next)) = parse(at, bytes) else { return Ok(None) };
    let mut changes = Changes::new();
    for (key, value) in read {
        changes.insert(key.to_vec(), value.map(memory::copied).transpose()?);
    }
    Ok(Some(Frame { generation: next.generation, changes, next }))
}

/// A key, and its new value.
type Pair<'a> = (&'a [u8], Option<&'a [u8]>);

fn parse(at: Position, bytes: &[u8]) -> Option<(Vec<Pair<'_>>, Position)> {
    let (check, content) = bytes.split_first_chunk::<CHECK_BYTES>()?;
    if check_of(at, content) != *check {
        return None;
    }
    let (_, rest) = content.split_first_chunk::<4>()?;
    let (generation, rest) = rest.split_first_chunk::<8>()?;
    let generation = u64::from_be_bytes(*generation);
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    let mut changes = Vec::new();
    for _ in 0..u32::from_be_bytes(*count) {
        let (key_bytes, after) = rest.split_first_chunk::<2>()?;
        let (value_bytes, after) = after.split_first_chunk::<4>()?;
        let (key, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*key_bytes)))?;
        let (value, after) = match u32::from_be_bytes(*value_bytes) {
            DELETED => (None, after),
            length => after.split_at_checked(length as usize).map(|(value, after)| (Some(value), after))?,
        };
        changes.push((key, value));
        rest = after;
    }
    let whole = rest.is_empty() && generation > at.generation;
    let end = at.offset + bytes.len().next_multiple_of(ALIGNMENT) as u64;
    whole.then_some((changes, Position { offset: end, check: *check, generation }))
}

fn check_of(at: Position, content: &[u8]) -> Check {
    Sha256::new().chain_update(at.check).chain_update(content).finalize().into()
}

/// Fills the buffer as far as the surface goes.
fn read_some(surface: &dyn Surface, buffer: &mut [u8], at: u64) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match surface.read_at(&mut buffer[filled..], at + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

fn read_full(surface: &dyn Surface, buffer: &mut [u8], at: u64) -> Result<bool> {
    Ok(read_some(surface, buffer, at)? == buffer.len())
}

fn write_zeros(surface: &dyn Surface, from: u64, to: u64) -> Result<()> {
    let zeros = [0; 16 << 10];
    let mut at = from;
    while at < to {
        let step = (to - at).min(zeros.len() as u64);
        surface.write_at(&zeros[..usize::try_from(step).unwrap_or(zeros.len())], at)?;
        at += step;
    }
    Ok(())
}

const MAGIC: &[u8; 8] = b"PERIJRNL";
const VERSION: u16 = 1;
const CHECK_BYTES: usize = 32;
const HEADER_BYTES: usize = 96;
/// A header has a block of its own, so that tearing one leaves the other alone.
const SLOT_BYTES: u64 = 4096;
const SLOTS: u64 = 2;
const FRAMES_AT: u64 = SLOTS * SLOT_BYTES;
/// A byte in a sector of its own.
const MARK_AT: u64 = 2048;
/// Check, length of the body, generation.
const HEAD_BYTES: usize = CHECK_BYTES + 12;
/// Frames begin at multiples of this. So much of a frame's check is in its first sector, however that lies, that one of two frames
/// of the same length and generation never goes on with what was left of the other.
const ALIGNMENT: usize = 16;
/// In place of a value's length: the key is deleted.
const DELETED: u32 = u32::MAX;
/// Room for a batch of the largest size, its change list and its keys.
const BODY_BYTES_MAX: usize = 128 << 20;
/// How much room a journal keeps that is begun anew.
const KEPT_BYTES: u64 = FRAMES_AT + (8 << 20);
/// How much is read at once, at first and at most.
const AHEAD_BYTES: (usize, usize) = (4 << 10, 256 << 10);

#[cfg(test)]
#[path = "tests/journal.rs"]
mod tests;
