//! The store on a disk that fails on command: plans of calls, made from seeds, against a simple model.
//!
//! Each plan lets some processes write, look, die and come back, cuts the power, fills the disk and makes single writes
//! and syncs fail, at any step. After each call the store must hold what was acknowledged, whole; of a call that
//! failed, everything or nothing.
//!
//! `PERILUNE_SEEDS=n` tries n plans, `PERILUNE_SEED=n` replays the one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod common;

use common::*;
use std::collections::BTreeMap;
use token_store::medium::simulated::{Dice, Fault, SimulatedDisk};
use token_store::{Change, Changes, PartitionId, RecordContent, RecordId, Store, StoreError, Visibility};

/// How many plans the normal run tries.
const SEEDS: u64 = 3000;
/// Plans that once found a fault: a header that only the page cache knew; a commit seen after it was seen not to be;
/// a frame taken back that was another one's; a frame without the zeros behind it, at the end of the journal.
const FOUND: [u64; 5] = [53, 726, 1310, 5385, 115_495];
/// Calls in a plan.
const CALLS: usize = 40;
/// After so many failed writes in a row the disk heals: each of them doubles the states that are possible.
const FAILED_MAX: u32 = 10;
/// Short enough that a plan folds its journal several times.
const FOLD_BYTES: u64 = (8 << 10) + 3000;

type Records = BTreeMap<RecordId, Vec<u8>>;

/// A process, and what it has heard of the store: kept up to date by the change list alone.
struct Process {
    store: Store,
    heard: Records,
    generation: u64,
}

/// A state that the store may be in, and which of the calls that failed have happened in it.
#[derive(Clone)]
struct Possible {
    happened: u64,
    records: Records,
}

struct World {
    dice: Dice,
    disk: SimulatedDisk,
    partition: PartitionId,
    processes: Vec<Option<Process>>,
    /// One state, and more of them after calls that failed; the next write that succeeds tells which it was.
    possible: Vec<Possible>,
    /// What was seen since the last write that was begun and the last power cut: nothing else may be seen now.
    settled: Option<Records>,
    failed: u32,
    counter: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let disk = SimulatedDisk::new(seed ^ 0x5EED);
        let store = open_on(disk.process(FOLD_BYTES));
        let (partition, _) = store.transact(|t| t.create_partition(&secret(b"meta"))).unwrap();
        drop(store);
        let possible = vec![Possible { happened: 0, records: Records::new() }];
        let processes = (0..3).map(|_| None).collect();
        Self { dice: Dice(seed), disk, partition, processes, possible, settled: None, failed: 0, counter: 0 }
    }

    fn run(&mut self) {
        for _ in 0..CALLS {
            let who = self.choose(3);
            if self.dice.one_in(5) {
                let fault = [Fault::PowerCut, Fault::Kill, Fault::Full, Fault::Io][self.choose(4)];
                self.disk.plan(1 + self.dice.below(12), fault);
            }
            match self.dice.below(20) {
                0 => self.processes[who] = None,
                1 => self.disk.heal(),
                2 => self.disk.cut_power(),
                3 => self.disk.rot(),
                4..9 => {
                    self.look(who);
                }
                _ => self.write(who),
            }
            if self.disk.is_off() {
                self.processes.iter_mut().for_each(|process| *process = None);
                self.disk.power_on();
                self.settled = None;
            }
        }
        // In the end everything heals, and new processes find what was acknowledged.
        self.disk.heal();
        self.processes.iter_mut().for_each(|process| *process = None);
        // More than one, as a write may meet a record that is gone.
        (0..5).for_each(|_| self.write(0));
        assert_eq!(self.possible.len(), 1, "a write on a healthy disk succeeds");
        (0..3).for_each(|who| assert!(self.look(who).is_some(), "a look on a healthy disk succeeds"));
    }

    fn choose(&mut self, end: usize) -> usize {
        usize::try_from(self.dice.below(end as u64)).unwrap()
    }

    /// The process, begun when it is not there; `None` when it cannot begin.
    fn process(&mut self, who: usize) -> Option<&mut Process> {
        if self.processes[who].is_none() {
            let medium = Box::new(self.disk.process(FOLD_BYTES));
            let store = sound(Store::open(medium, &device_key(7), std::sync::Arc::new(System), CHEAP))?;
            self.processes[who] = Some(Process { store, heard: Records::new(), generation: 0 });
        }
        self.processes[who].as_mut()
    }

    /// Writes a pair, changes a record or deletes one; and finds out which state it was in.
    fn write(&mut self, who: usize) {
        if self.failed >= FAILED_MAX {
            self.disk.heal();
        }
        let (changes, partition) = (self.changes(), self.partition);
        let Some(process) = self.process(who) else { return };
        let mut before = None;
        let answer = process.store.transact(|t| {
            before = Some(opened(t.records(partition, None)?));
            for (id, content) in &changes {
                match content {
                    Some(content) => t.put_record(partition, *id, Visibility::Public, None, &secret(content))?,
                    None => t.delete_record(partition, *id)?,
                }
            }
            Ok(())
        });
        if let Some(found) = &before {
            self.saw(found);
            self.settled = None;
        }
        // A call that seemed to fail had deleted it.
        if matches!(answer, Err(StoreError::NoRecord)) {
            return;
        }
        let done = sound(answer).is_some();
        if done {
            // A commit that lasts makes all of its past last.
            self.possible.retain(|state| Some(&state.records) == before.as_ref());
            self.possible = self.after(&changes);
            self.possible.truncate(1);
            (self.possible[0].happened, self.failed) = (0, 0);
        } else if before.is_some() {
            let after = self.after(&changes);
            self.possible.extend(after);
        }
    }

    fn changes(&mut self) -> Vec<(RecordId, Option<Vec<u8>>)> {
        self.counter += 1;
        let (counter, size) = (self.counter, self.choose(600));
        let content = |half: u8| Some([&counter.to_be_bytes()[..], &vec![half; size]].concat());
        let known: Vec<RecordId> = self.possible[0].records.keys().copied().collect();
        let chosen = known.get(self.choose(known.len() + 1)).copied();
        match chosen {
            Some(id) if self.dice.one_in(2) => vec![(id, None)],
            Some(id) => vec![(id, content(0))],
            None => [1, 2]
                .map(|half| {
                    let id = u128::from(self.dice.roll()) << 64 | u128::from(counter);
                    (RecordId(id.to_be_bytes()), content(half))
                })
                .into(),
        }
    }

    /// The states that are possible if a call has happened.
    fn after(&mut self, changes: &[(RecordId, Option<Vec<u8>>)]) -> Vec<Possible> {
        let mut after = self.possible.clone();
        for state in &mut after {
            state.happened |= 1 << self.failed;
            for (id, content) in changes {
                match content {
                    Some(content) => state.records.insert(*id, content.clone()),
                    None => state.records.remove(id),
                };
            }
        }
        self.failed += 1;
        after
    }

    /// What was seen has happened for good. What was not seen never will, unless it was taken back and the power fails
    /// before that lasts.
    fn saw(&mut self, found: &Records) {
        if let Some(settled) = self.settled.replace(found.clone()) {
            assert_eq!(brief(&settled), brief(found), "seen before, and seen now");
        }
        let seen: Vec<u64> =
            self.possible.iter().filter(|state| state.records == *found).map(|state| state.happened).collect();
        assert!(!seen.is_empty(), "not what was acknowledged: {:?}", brief(found));
        self.possible.retain(|state| seen.iter().any(|seen| state.happened & seen == *seen));
    }

    /// Looks at everything, and compares it with the model and with what the change list told.
    fn look(&mut self, who: usize) -> Option<()> {
        let partition = self.partition;
        let process = self.process(who)?;
        sound(process.hear(partition))?;
        let found = sound(process.store.view(|v| Ok(opened(v.records(partition, None)?))))?;
        assert_eq!(brief(&process.heard), brief(&found), "the change list tells everything");
        self.saw(&found);
        Some(())
    }
}

impl Process {
    /// Brings what was heard up to date by the change list, as the layers above do.
    fn hear(&mut self, partition: PartitionId) -> token_store::Result<()> {
        let (heard, since) = (&mut self.heard, self.generation);
        self.generation = self.store.view(|v| {
            let changes = if since == 0 { Changes::Everything } else { v.changes_since(since)? };
            match changes {
                Changes::Everything => *heard = opened(v.records(partition, None)?),
                Changes::Only(changes) => {
                    for change in changes {
                        let Change::Record(_, id) = change else { continue };
                        match v.record(partition, id, None)? {
                            Some(entry) => heard.insert(id, content(entry.content)),
                            None => heard.remove(&id),
                        };
                    }
                }
            }
            Ok(v.generation())
        })?;
        Ok(())
    }
}

fn opened(entries: Vec<token_store::Entry>) -> Records {
    entries.into_iter().map(|entry| (entry.id, content(entry.content))).collect()
}

fn content(content: RecordContent) -> Vec<u8> {
    let RecordContent::Open(content) = content else { panic!("{content:?}") };
    content.expose().to_vec()
}

/// The answer, if there is one; the only errors are those of the faults.
fn sound<T>(answer: token_store::Result<T>) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(StoreError::Io { .. } | StoreError::Full { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Which call wrote each record last, and how long it is.
fn brief(records: &Records) -> Vec<(u64, usize)> {
    records.values().map(|content| (u64::from_be_bytes(*content.first_chunk().unwrap()), content.len())).collect()
}

/// Tries a plan; on a failure says which one it was.
fn check(seed: u64) {
    let outcome = std::panic::catch_unwind(|| World::new(seed).run());
    if let Err(panic) = outcome {
        println!("replay with PERILUNE_SEED={seed}");
        std::panic::resume_unwind(panic);
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn whatever_fails_at_any_step_what_was_acknowledged_is_there_and_nothing_is_halved() {
    match number("PERILUNE_SEED") {
        Some(seed) => check(seed),
        None => FOUND.into_iter().chain(0..number("PERILUNE_SEEDS").unwrap_or(SEEDS)).for_each(check),
    }
}
