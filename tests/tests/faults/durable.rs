//! After a failed fsync the kernel may drop what was written and call it clean: a later success proves nothing of it.
//!
//! Owns: the disk as it is in the worst case after failed calls of fsync, built from the record of all changes. Stands on
//! the preloaded shim of `perilune_tests::disk`. Rule source: docs/format.md, "Journal".

use crate::witness::{Witness, chmod, fresh_labels};
use perilune_tests::disk::{Disk, log, mark};
use perilune_tests::{Place, child, isolated};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What the process marks in the record: a call failed; a round is over and its list is in the file of this name.
const FAILED: &str = "failed";

#[test]
fn what_is_acknowledged_after_a_failed_fsync_does_not_need_what_the_kernel_dropped() {
    isolated!(|place, role| {
        let disk = Disk::of(place);
        match role {
            "main" => {
                let both = [disk.recording(), disk.failing()].concat();
                let said = child::role_with(place, "victim", "", &both).succeed();
                let rounds = said.lines().filter_map(|line| Some(line.split_once("ROUND ")?.1)).collect::<Vec<_>>();
                assert!(rounds.len() > 3, "{rounds:?}");
                for round in rounds {
                    holds_what_was_acknowledged(place, &disk, round);
                }
            }
            "victim" => rounds(place, &disk),
            other => crate::witness::play(place, other),
        }
    });
}

/// Lets one fsync of each round fail: the first, the second, and so on, until a round has no more.
fn rounds(place: &Place, disk: &Disk) {
    let mut witness = Witness::start_under_shim(place);
    for after in 0.. {
        disk.plan(&[&format!("sync * EIO after {after} count 1")]);
        let mut felt = false;
        for call in 0..3 {
            let answer = match call {
                0 => witness.write(),
                1 => witness.write_of(20_000),
                _ => witness.destroy(),
            };
            if answer.is_err() {
                mark(FAILED);
                felt = true;
            }
        }
        disk.heal();
        witness.restock();
        let round = format!("round-{after}");
        std::fs::write(place.file(&round), witness.promised().join("\n")).expect("a file");
        mark(&round);
        println!("\nROUND {round}");
        if !felt {
            return;
        }
    }
}

/// Puts the worst disk of that moment in the place of the store, and expects all that was acknowledged by then.
fn holds_what_was_acknowledged(place: &Place, disk: &Disk, round: &str) {
    let _gone = std::fs::remove_dir_all(place.store());
    Replay::up_to(&log::read(disk.log()), round).write(&place.store());
    let found: BTreeSet<String> = fresh_labels(place).into_iter().collect();
    let promised = String::from_utf8(place.read(round)).expect("text");
    let lost: Vec<_> = promised.lines().filter(|label| !found.contains(*label)).collect();
    assert!(lost.is_empty(), "after {round}: acknowledged and not on the disk: {lost:?}");
}

/// The files as they are durably. Names are taken as durable at once: they are another scenario's business.
#[derive(Default)]
struct Replay {
    folders: Vec<String>,
    names: BTreeMap<String, u64>,
    durable: BTreeMap<u64, Vec<u8>>,
    /// Changes since the last good fsync of the file.
    pending: BTreeMap<u64, Vec<log::Change>>,
}

impl Replay {
    fn up_to(changes: &[log::Change], round: &str) -> Self {
        let mut replay = Self::default();
        for change in changes {
            if *change == log::Change::Mark(round.to_owned()) {
                return replay;
            }
            replay.take(change);
        }
        panic!("no mark {round}");
    }

    fn take(&mut self, change: &log::Change) {
        match change {
            log::Change::Create { file, path } => {
                self.names.insert(path.clone(), *file);
                self.durable.insert(*file, Vec::new());
            }
            log::Change::Write { file, .. }
            | log::Change::Truncate { file, .. }
            | log::Change::Allocate { file, .. }
            | log::Change::Punch { file, .. } => self.pending.entry(*file).or_default().push(change.clone()),
            log::Change::Rename { from, to } => {
                if let Some(file) = self.names.remove(from) {
                    self.names.insert(to.clone(), file);
                }
            }
            log::Change::Link { from, to } => {
                let file = self.names[from];
                self.names.insert(to.clone(), file);
            }
            log::Change::Unlink { path } => drop(self.names.remove(path)),
            log::Change::MakeFolder { path } => self.folders.push(path.clone()),
            log::Change::Sync { file, .. } => self.settle(*file),
            log::Change::SyncAll => {
                self.pending.keys().copied().collect::<Vec<_>>().into_iter().for_each(|f| self.settle(f))
            }
            log::Change::Mark(what) if what == FAILED => self.pending.clear(),
            log::Change::Mark(_) => {}
            log::Change::Exchange { .. } | log::Change::RemoveFolder { .. } | log::Change::Unseen { .. } => {
                panic!("a store does not do this: {change:?}")
            }
        }
    }

    fn settle(&mut self, file: u64) {
        let content = self.durable.entry(file).or_default();
        let at_least = |content: &mut Vec<u8>, length: usize| {
            if content.len() < length {
                content.resize(length, 0);
            }
        };
        for change in self.pending.remove(&file).unwrap_or_default() {
            match change {
                log::Change::Write { offset, data, .. } => {
                    let (from, to) = (offset as usize, offset as usize + data.len());
                    at_least(content, to);
                    content[from..to].copy_from_slice(&data);
                }
                log::Change::Truncate { length, .. } => content.resize(length as usize, 0),
                log::Change::Allocate { length, .. } => at_least(content, length as usize),
                log::Change::Punch { offset, length, .. } => {
                    let to = content.len().min((offset + length) as usize);
                    content[to.min(offset as usize)..to].fill(0);
                }
                _ => {}
            }
        }
    }

    fn write(&self, store: &Path) {
        for folder in &self.folders {
            std::fs::create_dir_all(store.join(folder)).expect("a folder");
            chmod(&store.join(folder), 0o700);
        }
        for (name, file) in &self.names {
            std::fs::write(store.join(name), &self.durable[file]).expect("a file");
            chmod(&store.join(name), 0o600);
        }
    }
}
