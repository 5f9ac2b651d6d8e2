//! A disk that exists in memory only and fails on command: for tests that try every moment of a crash.
//!
//! Owns: what a disk and its page cache hold, what is lost when the power is cut or a process dies, faults at a
//! chosen step, all decided by a seed. Does not know: the order of steps of a commit, which it is there to test.
//! Called from the simulations of the store and of the core.
//!
//! The medium on it is the very code that runs on the real disk (`shared`); only the ground is another one.
//! What it assumes of a disk is written in docs/testing.md, "Simulation".

use crate::error::{Result, StoreError};
use crate::medium::Each;
use crate::medium::ground::{Announced, Ground, Map, Pace, Side, Turn, generation_of};
use crate::medium::journal::{Changes, Header, Surface};
use crate::medium::lock::Gate;
use crate::medium::shared::Shared;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What goes wrong at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The power is cut: whatever was not made durable is there in part or not at all.
    PowerCut,
    /// The process dies; what it wrote so far stays in the page cache.
    Kill,
    /// No space is left; holds until [`SimulatedDisk::heal`].
    Full,
    /// The disk answers an error, once. After a failed sync the system takes the data for written, which it is not.
    Io,
}

/// A disk; clones share it.
#[derive(Clone)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

/// The medium of one simulated process.
pub type Simulated = Shared<SimulatedProcess>;

struct State {
    dice: Dice,
    /// The bytes that survive everything, and the same with what is in the page cache.
    journal: Option<Pages>,
    number: Option<u64>,
    under_way: bool,
    maps: [Shadowed; 2],
    steps: u64,
    fault: Option<(u64, Fault)>,
    full: bool,
    hurried: bool,
    off: bool,
    taken: bool,
}

#[derive(Default)]
struct Pages {
    durable: Vec<u8>,
    cached: Vec<u8>,
    dirty: Vec<(usize, Vec<u8>)>,
}

#[derive(Default)]
struct Shadowed {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Written since it was last closed. Whoever dies then leaves a wreck: the engine promises more, and is not believed.
    open: bool,
    /// Cannot be opened.
    unreadable: bool,
    /// Nobody closed it: it holds anything.
    wreck: bool,
}

impl SimulatedDisk {
    /// An empty disk; `seed` decides what a crash leaves.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State {
            dice: Dice(seed),
            journal: None,
            number: None,
            under_way: false,
            maps: Default::default(),
            steps: 0,
            fault: None,
            full: false,
            hurried: false,
            off: false,
            taken: false,
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// A process that begins to use the disk; it folds its journal at `fold_bytes`.
    #[must_use]
    pub fn process(&self, fold_bytes: u64) -> Simulated {
        let process = SimulatedProcess {
            disk: self.clone(),
            alive: Arc::new(AtomicBool::new(true)),
            gate: Gate::default(),
            place: PathBuf::from("simulated"),
        };
        Shared::on(process, fold_bytes)
    }

    /// Makes the step that is `after` steps from now fail.
    pub fn plan(&self, after: u64, fault: Fault) {
        let mut state = self.0.lock();
        state.fault = Some((state.steps + after, fault));
    }

    /// Ends every fault that lasts, and takes back what was planned.
    pub fn heal(&self) {
        let mut state = self.0.lock();
        (state.fault, state.full) = (None, false);
    }

    /// Lets a map go bad where the other one is good.
    pub fn rot(&self) {
        let mut state = self.0.lock();
        let side = Side::BOTH[usize::from(state.dice.one_in(2))];
        let other = &state.maps[side.other() as usize];
        if !other.open && !other.unreadable && !other.wreck {
            state.maps[side as usize].unreadable = true;
        }
    }

    /// Lets no fold take longer than it must from now on.
    pub fn hurry(&self) {
        self.0.lock().hurried = true;
    }

    /// How many steps (writes, syncs, announcements) there were so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.0.lock().steps
    }

    /// Whether the power is off.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.0.lock().off
    }

    /// Cuts the power now.
    pub fn cut_power(&self) {
        self.0.lock().off = true;
    }

    /// Turns the power on again; what was not durable is there in part, as the seed has it. No process lives on.
    pub fn power_on(&self) {
        let mut state = self.0.lock();
        let state = &mut *state;
        if let Some(pages) = &mut state.journal {
            pages.lose(&mut state.dice);
        }
        Side::BOTH.into_iter().for_each(|side| state.lose(side));
        // Never made durable, so any number that it had may be there, or half of one.
        state.number =
            state.number.filter(|_| !state.dice.one_in(4)).map(|number| number - state.dice.below(number + 1));
        state.under_way = state.dice.one_in(2);
        (state.off, state.taken, state.fault, state.full) = (false, false, None, false);
    }
}

impl State {
    /// What is left of a map when nobody closed it. Where the other one has gone bad, all of it: two misfortunes at
    /// once are too many, and the engine does keep its promise nearly always.
    fn lose(&mut self, side: Side) {
        let bad = self.maps[side.other() as usize].unreadable;
        let map = &mut self.maps[side as usize];
        if !core::mem::take(&mut map.open) || bad {
            return;
        }
        let dice = &mut self.dice;
        (map.wreck, map.unreadable) = (true, dice.one_in(2));
        // The generation too may be lost, or stand while the values do not.
        map.values.retain(|_, _| !dice.one_in(3));
    }

    /// Counts a step, which may be the one that fails.
    fn step(&mut self, alive: &AtomicBool) -> core::result::Result<(), Fault> {
        if self.off || !alive.load(Ordering::SeqCst) {
            return Err(Fault::PowerCut);
        }
        self.steps += 1;
        let Some((at, fault)) = self.fault else { return Ok(()) };
        if self.steps < at {
            return Ok(());
        }
        self.fault = None;
        match fault {
            Fault::PowerCut => self.off = true,
            Fault::Kill => alive.store(false, Ordering::SeqCst),
            Fault::Full => self.full = true,
            Fault::Io => {}
        }
        Err(fault)
    }
}

impl Pages {
    fn write(&mut self, bytes: &[u8], at: usize) {
        put(&mut self.cached, bytes, at);
        self.dirty.push((at, bytes.to_vec()));
    }

    fn sync(&mut self) {
        for (at, bytes) in self.dirty.drain(..) {
            put(&mut self.durable, &bytes, at);
        }
        self.durable.truncate(self.cached.len());
    }

    /// Lets some sectors of some writes through, and forgets the rest.
    fn lose(&mut self, dice: &mut Dice) {
        let dirty = core::mem::take(&mut self.dirty);
        let luck = dice.below(4);
        for (at, bytes) in dirty {
            let mut from = at;
            while from < at + bytes.len() {
                let to = ((from / SECTOR + 1) * SECTOR).min(at + bytes.len());
                if dice.below(4) < luck {
                    put(&mut self.durable, &bytes[from - at..to - at], from);
                }
                from = to;
            }
        }
        self.cached = self.durable.clone();
    }
}

/// One process's hands on the disk.
pub struct SimulatedProcess {
    disk: SimulatedDisk,
    alive: Arc<AtomicBool>,
    gate: Gate,
    place: PathBuf,
}

impl SimulatedProcess {
    fn check(&self) -> Result<()> {
        let off = self.disk.0.lock().off;
        if off || !self.alive.load(Ordering::SeqCst) { Err(error_of(Fault::PowerCut)) } else { Ok(()) }
    }
}

impl Ground for SimulatedProcess {
    type Turn<'a> = SimulatedTurn<'a>;

    fn gate(&self) -> &Gate {
        &self.gate
    }

    fn announced(&self) -> Result<Option<Announced>> {
        self.check()?;
        let state = self.disk.0.lock();
        Ok(state.number.map(|number| Announced { number, under_way: state.under_way }))
    }

    fn is_in_place(&self) -> Result<bool> {
        self.check().map(|()| true)
    }

    fn is_writable(&self) -> Result<bool> {
        self.check().map(|()| true)
    }

    /// Often a fold ends in the middle.
    fn pace(&self) -> Pace {
        let mut state = self.disk.0.lock();
        let hurried = state.hurried || state.dice.one_in(2);
        Pace { time: if hurried { Duration::ZERO } else { Duration::MAX }, step_bytes: 700 }
    }

    fn place(&self) -> &Path {
        &self.place
    }

    fn turn(&self) -> Result<SimulatedTurn<'_>> {
        self.check()?;
        let mut state = self.disk.0.lock();
        if core::mem::replace(&mut state.taken, true) {
            // One process acts at a time in a simulation, so nobody would ever give it back.
            return Err(StoreError::Busy { path: self.place.clone(), waited_ms: 0 });
        }
        Ok(SimulatedTurn { process: self })
    }
}

/// The lock of the simulated disk.
pub struct SimulatedTurn<'a> {
    process: &'a SimulatedProcess,
}

impl Drop for SimulatedTurn<'_> {
    fn drop(&mut self) {
        self.process.disk.0.lock().taken = false;
    }
}

impl Turn for SimulatedTurn<'_> {
    fn number(&self) -> u64 {
        self.process.disk.0.lock().number.unwrap_or(0)
    }

    fn announce(&self, number: u64) -> Result<()> {
        let mut state = self.process.disk.0.lock();
        state.step(&self.process.alive).map_err(error_of)?;
        (state.number, state.under_way) = (Some(number), false);
        Ok(())
    }

    fn is_under_way(&self) -> bool {
        self.process.disk.0.lock().under_way
    }

    fn begin(&self) -> Result<()> {
        let mut state = self.process.disk.0.lock();
        state.step(&self.process.alive).map_err(error_of)?;
        state.under_way = true;
        Ok(())
    }

    fn is_writable(&self) -> bool {
        true
    }

    fn journal(&self) -> Result<Arc<dyn Surface>> {
        self.process.check()?;
        let surface = Arc::new(SimulatedSurface { disk: self.process.disk.clone(), alive: self.process.alive.clone() });
        if self.process.disk.0.lock().journal.is_none() {
            // Made aside and renamed on the real disk: whole or absent.
            let bases = Side::BOTH.map(|side| generation_of(&*self.map(side)?));
            let base = bases.into_iter().try_fold(0, |base, one| Ok::<_, StoreError>(base.max(one?)))?;
            let mut state = self.process.disk.0.lock();
            state.step(&self.process.alive).map_err(error_of)?;
            state.journal = Some(Pages::default());
            let planned = state.fault.take();
            drop(state);
            let made = Header::create(&*surface, base);
            self.process.disk.0.lock().fault = planned;
            made?;
        }
        Ok(surface)
    }

    fn map(&self, side: Side) -> Result<Box<dyn Map + '_>> {
        self.process.check()?;
        let mut state = self.process.disk.0.lock();
        state.lose(side);
        state.step(&self.process.alive).map_err(error_of)?;
        if state.maps[side as usize].unreadable {
            return Err(StoreError::Engine("it does not open".to_owned()));
        }
        Ok(Box::new(SimulatedMap { process: self.process, side }))
    }

    fn spared(&self, side: Side) -> Result<Box<dyn Map + '_>> {
        self.process.check()?;
        let mut state = self.process.disk.0.lock();
        state.step(&self.process.alive).map_err(error_of)?;
        if state.maps[side as usize].unreadable {
            return Err(StoreError::Engine("it does not open".to_owned()));
        }
        Ok(Box::new(SimulatedMap { process: self.process, side }))
    }

    fn remake(&self, side: Side) -> Result<()> {
        let mut state = self.process.disk.0.lock();
        state.maps[side as usize].open = true;
        state.step(&self.process.alive).map_err(error_of)?;
        if state.full && state.dice.one_in(2) {
            return Err(error_of(Fault::Full));
        }
        let values = state.maps[side.other() as usize].values.clone();
        state.maps[side as usize] = Shadowed { values, open: true, ..Shadowed::default() };
        state.step(&self.process.alive).map_err(error_of)?;
        state.maps[side as usize].open = false;
        Ok(())
    }
}

struct SimulatedSurface {
    disk: SimulatedDisk,
    alive: Arc<AtomicBool>,
}

impl SimulatedSurface {
    fn with<T>(
        &self,
        act: impl FnOnce(&mut Pages, &mut Dice, core::result::Result<(), Fault>) -> Result<T>,
    ) -> Result<T> {
        let mut state = self.disk.0.lock();
        let state = &mut *state;
        // The dead write nothing, not even in part.
        if state.off || !self.alive.load(Ordering::SeqCst) {
            return Err(error_of(Fault::PowerCut));
        }
        let outcome = state.step(&self.alive);
        let pages = state.journal.as_mut().ok_or_else(|| error_of(Fault::Io))?;
        act(pages, &mut state.dice, outcome)
    }

    fn look<T>(&self, act: impl FnOnce(&Pages) -> T) -> Result<T> {
        let state = self.disk.0.lock();
        if state.off || !self.alive.load(Ordering::SeqCst) {
            return Err(error_of(Fault::PowerCut));
        }
        state.journal.as_ref().map(act).ok_or_else(|| error_of(Fault::Io))
    }
}

impl Surface for SimulatedSurface {
    fn identity(&self) -> (u64, u64) {
        (0, 0)
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<usize> {
        self.look(|pages| {
            let there = usize::try_from(at).ok().and_then(|at| pages.cached.get(at..)).unwrap_or_default();
            let read = there.len().min(buffer.len());
            buffer[..read].copy_from_slice(&there[..read]);
            read
        })
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> Result<()> {
        let full = self.disk.0.lock().full;
        let at = usize::try_from(at).map_err(|_| error_of(Fault::Full))?;
        self.with(|pages, dice, outcome| match outcome {
            // What is there already can be written over on a full disk.
            Ok(()) if full && at + bytes.len() > pages.cached.len() => Err(error_of(Fault::Full)),
            Ok(()) => {
                pages.write(bytes, at);
                Ok(())
            }
            Err(fault) => {
                let written = usize::try_from(dice.below(bytes.len() as u64 + 1)).unwrap_or(0);
                pages.write(&bytes[..written], at);
                Err(error_of(fault))
            }
        })
    }

    fn sync(&self) -> Result<()> {
        self.with(|pages, dice, outcome| match outcome {
            Ok(()) => {
                pages.sync();
                Ok(())
            }
            Err(fault @ (Fault::Io | Fault::Full)) => {
                // Taken for clean from now on, whatever reached the disk.
                let cached = core::mem::take(&mut pages.cached);
                pages.lose(dice);
                pages.cached = cached;
                Err(error_of(fault))
            }
            Err(fault) => Err(error_of(fault)),
        })
    }

    fn length(&self) -> Result<u64> {
        self.look(|pages| pages.cached.len() as u64)
    }

    fn cut(&self, length: u64) -> Result<()> {
        self.with(|pages, _, outcome| {
            outcome.map_err(error_of)?;
            pages.cached.truncate(usize::try_from(length).unwrap_or(usize::MAX));
            Ok(())
        })
    }

    fn step(&self) -> u64 {
        4 << 10
    }
}

struct SimulatedMap<'a> {
    process: &'a SimulatedProcess,
    side: Side,
}

impl Map for SimulatedMap<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.process.check()?;
        Ok(self.process.disk.0.lock().maps[self.side as usize].values.get(key).cloned())
    }

    fn scan(&self, prefix: &[u8], each: &mut Each<'_>) -> Result<()> {
        self.process.check()?;
        // A copy: `each` may ask for another key.
        let values = self.process.disk.0.lock().maps[self.side as usize].values.clone();
        let below = values.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix));
        below.into_iter().try_for_each(|(key, value)| each(key, value))
    }

    fn is_small(&self) -> bool {
        self.process.disk.0.lock().dice.one_in(2)
    }

    fn apply(&mut self, changes: Changes) -> Result<()> {
        self.process.check()?;
        let mut state = self.process.disk.0.lock();
        if state.full {
            return Err(error_of(Fault::Full));
        }
        let outcome = state.step(&self.process.alive);
        let map = &mut state.maps[self.side as usize];
        map.open = true;
        apply(&mut map.values, changes);
        outcome.map_err(error_of)
    }

    fn close(self: Box<Self>) -> Result<()> {
        let mut state = self.process.disk.0.lock();
        if state.maps[self.side as usize].open {
            state.step(&self.process.alive).map_err(error_of)?;
            state.maps[self.side as usize].open = false;
        }
        Ok(())
    }
}

fn put(target: &mut Vec<u8>, bytes: &[u8], at: usize) {
    if target.len() < at + bytes.len() {
        target.resize(at + bytes.len(), 0);
    }
    target[at..at + bytes.len()].copy_from_slice(bytes);
}

fn apply(map: &mut BTreeMap<Vec<u8>, Vec<u8>>, changes: Changes) {
    for (key, value) in changes {
        match value {
            Some(value) => map.insert(key, value),
            None => map.remove(&key),
        };
    }
}

fn error_of(fault: Fault) -> StoreError {
    let path = PathBuf::from("simulated");
    match fault {
        Fault::Full => StoreError::Full { path },
        Fault::PowerCut | Fault::Kill => {
            StoreError::Io { action: "reach", path, source: std::io::ErrorKind::NotConnected.into() }
        }
        Fault::Io => StoreError::Io { action: "write", path, source: std::io::ErrorKind::Other.into() },
    }
}

/// Numbers that look random and follow from a seed (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }

    /// True in one of `count` cases.
    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// What a disk writes whole or not at all, bytes.
const SECTOR: usize = 512;
