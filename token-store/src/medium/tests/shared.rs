//! The order of steps of commits, looks and folds, on a simulated disk.

use super::*;
use crate::medium::simulated::{Fault, Simulated, SimulatedDisk};

/// Folds after every commit, or never.
const ALWAYS: u64 = 0;
const NEVER: u64 = u64::MAX;

fn put(medium: &Simulated, pairs: &[(&str, &str)]) -> Result<u64> {
    medium.transact(&mut |_, batch| {
        for (key, value) in pairs {
            batch.changes.insert(key.as_bytes().to_vec(), Some(value.as_bytes().to_vec()));
        }
        Ok(())
    })
}

fn delete(medium: &Simulated, key: &str) -> Result<u64> {
    medium.transact(&mut |_, batch| {
        batch.changes.insert(key.as_bytes().to_vec(), None);
        Ok(())
    })
}

/// Everything under `prefix`, as `key=value`.
fn all(medium: &Simulated, prefix: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    medium.view(&mut |reader| {
        found.clear();
        reader.scan(prefix.as_bytes(), &mut |key, value| {
            found.push(format!("{}={}", String::from_utf8_lossy(key), String::from_utf8_lossy(value)));
            Ok(())
        })
    })?;
    Ok(found)
}

#[test]
fn one_process_sees_what_another_committed_folded_or_not() {
    for fold_bytes in [ALWAYS, NEVER] {
        let disk = SimulatedDisk::new(1);
        let (one, two) = (disk.process(fold_bytes), disk.process(NEVER));
        assert_eq!(put(&one, &[("a", "1"), ("b", "1")]).unwrap(), 1);
        assert_eq!(all(&two, "").unwrap().len(), if fold_bytes == ALWAYS { 3 } else { 2 });
        put(&two, &[("a", "2")]).unwrap();
        delete(&one, "b").unwrap();
        assert_eq!(all(&two, "a").unwrap(), ["a=2"]);
        assert_eq!(all(&one, "b").unwrap(), [""; 0]);
        assert_eq!((one.generation().unwrap(), two.generation().unwrap()), (3, 3));
    }
}

#[test]
fn looking_again_takes_no_step_and_no_turn() {
    let disk = SimulatedDisk::new(2);
    let (one, two) = (disk.process(NEVER), disk.process(NEVER));
    put(&one, &[("a", "1")]).unwrap();
    all(&two, "").unwrap();
    let steps = disk.steps();
    let taken = one.ground.turn().unwrap();
    assert_eq!(all(&two, "a").unwrap(), ["a=1"], "although another holds the lock");
    drop(taken);
    put(&one, &[("a", "2")]).unwrap();
    let taken = one.ground.turn().unwrap();
    assert_eq!(all(&two, "a").unwrap(), ["a=2"], "a change is followed without the lock, too");
    drop(taken);
    assert_eq!(disk.steps(), steps + 4, "announced to begin, written, synced, announced to be done");
}

#[test]
fn a_failed_sync_is_an_error_and_the_change_does_not_come_back() {
    let disk = SimulatedDisk::new(3);
    let (one, two) = (disk.process(NEVER), disk.process(NEVER));
    put(&one, &[("a", "1")]).unwrap();
    disk.plan(3, Fault::Io);
    assert!(matches!(put(&one, &[("a", "lost")]), Err(StoreError::Io { .. })));
    assert_eq!(all(&two, "a").unwrap(), ["a=1"]);
    put(&two, &[("b", "2")]).unwrap();
    disk.cut_power();
    disk.power_on();
    assert_eq!(all(&disk.process(NEVER), "").unwrap(), ["a=1", "b=2"]);
}

#[test]
fn a_commit_whose_writer_died_before_announcing_it_is_found_and_made_durable() {
    let disk = SimulatedDisk::new(4);
    put(&disk.process(NEVER), &[("a", "1")]).unwrap();
    // The write is done, and the sync is not.
    disk.plan(3, Fault::Kill);
    assert!(put(&disk.process(NEVER), &[("a", "2")]).is_err());
    let next = disk.process(NEVER);
    let seen = all(&next, "a").unwrap();
    disk.cut_power();
    disk.power_on();
    assert_eq!(all(&disk.process(NEVER), "a").unwrap(), seen, "what was seen stays");
}

#[test]
fn a_full_disk_refuses_the_commit_and_keeps_what_was_there() {
    let disk = SimulatedDisk::new(5);
    let one = disk.process(NEVER);
    put(&one, &[("a", "1")]).unwrap();
    disk.plan(2, Fault::Full);
    let large = "x".repeat(1 << 20);
    assert!(matches!(put(&one, &[("b", &large)]), Err(StoreError::Full { .. })));
    assert_eq!(all(&one, "").unwrap(), ["a=1"]);
    assert_eq!(put(&one, &[("a", "2")]).unwrap(), 2, "there is room for a small one");
    disk.heal();
    put(&one, &[("b", &large)]).unwrap();
    assert_eq!(all(&disk.process(NEVER), "").unwrap().len(), 2);
}

#[test]
fn a_fold_that_fails_costs_nothing_and_is_tried_again() {
    for step in 1..24 {
        for fault in [Fault::Io, Fault::Kill, Fault::PowerCut] {
            let disk = SimulatedDisk::new(step);
            let one = disk.process(ALWAYS);
            put(&one, &[("a", "1")]).unwrap();
            // The first six are the commit's: begun, header, sync, frame, sync, announced.
            disk.plan(step + 6, fault);
            let _acknowledged = put(&one, &[("b", "2")]).unwrap();
            if disk.is_off() {
                disk.power_on();
            }
            disk.heal();
            let next = disk.process(ALWAYS);
            let values: Vec<_> = all(&next, "").unwrap().into_iter().filter(|pair| !pair.starts_with('\0')).collect();
            assert_eq!(values, ["a=1", "b=2"], "{fault:?} at step {step}");
            put(&next, &[("c", "3")]).unwrap();
        }
    }
}

/// Of 24 steps a fold does not need all; with a map gone bad before it, it needs more.
#[test]
fn a_fold_that_fails_beside_a_map_gone_bad_costs_nothing_either() {
    for step in 1..24 {
        for fault in [Fault::Io, Fault::Kill, Fault::PowerCut] {
            let disk = SimulatedDisk::new(step);
            put(&disk.process(ALWAYS), &[("a", "1")]).unwrap();
            disk.rot();
            disk.plan(step + 6, fault);
            let _acknowledged = put(&disk.process(ALWAYS), &[("b", "2")]).unwrap();
            if disk.is_off() {
                disk.power_on();
            }
            disk.heal();
            put(&disk.process(ALWAYS), &[("c", "3")]).unwrap();
            // Made anew meanwhile, so that the other one may go bad now.
            for _ in 0..8 {
                disk.rot();
                let values = all(&disk.process(ALWAYS), "").unwrap();
                let values: Vec<_> = values.iter().filter(|pair| !pair.starts_with('\0')).collect();
                assert_eq!(values, ["a=1", "b=2", "c=3"], "{fault:?} at step {step}");
                put(&disk.process(ALWAYS), &[("a", "1")]).unwrap();
            }
        }
    }
}

/// A process died in a fold and left a wreck; then the good map cannot be opened for a moment.
#[test]
fn a_wreck_is_never_taken_for_the_truth_because_the_good_map_cannot_be_read_for_a_moment() {
    for seed in 0..30 {
        for (killed_at, failed_at) in (1..16).flat_map(|killed_at| (1..24).map(move |failed_at| (killed_at, failed_at)))
        {
            let disk = SimulatedDisk::new(seed);
            put(&disk.process(ALWAYS), &[("a", "1")]).unwrap();
            disk.plan(killed_at + 6, Fault::Kill);
            let _acknowledged = put(&disk.process(ALWAYS), &[("b", "2")]).unwrap();
            disk.plan(failed_at, Fault::Io);
            let written = put(&disk.process(ALWAYS), &[("c", "3")]).is_ok();
            disk.heal();
            put(&disk.process(ALWAYS), &[("d", "4")]).unwrap();
            let values = all(&disk.process(NEVER), "").unwrap();
            // One that failed may have happened.
            let wanted = |pair: &&String| !pair.starts_with('\0') && (written || *pair != "c=3");
            let values: Vec<_> = values.iter().filter(wanted).collect();
            let expected = if written { &["a=1", "b=2", "c=3", "d=4"][..] } else { &["a=1", "b=2", "d=4"] };
            assert_eq!(values, expected, "{seed}, {killed_at}, {failed_at}");
        }
    }
}

/// Each new process reads the journal from its beginning, which is no progress.
#[test]
fn the_journal_is_begun_anew_also_where_each_commit_is_the_only_one_of_its_process() {
    let disk = SimulatedDisk::new(6);
    disk.hurry();
    for round in 0..4 {
        let many: Vec<_> = (0..30).map(|number| (number.to_string(), "x".repeat(200))).collect();
        put(&disk.process(NEVER), &many.iter().map(|(key, value)| (&**key, &**value)).collect::<Vec<_>>()).unwrap();
        let base = |disk: &SimulatedDisk| {
            let process = disk.process(NEVER);
            let turn = process.ground.turn().unwrap();
            Header::read(&*turn.journal().unwrap()).unwrap().base
        };
        let before = base(&disk);
        let commits = (1..1000).find(|_| {
            put(&disk.process(ALWAYS), &[("small", "commit")]).unwrap();
            base(&disk) > before
        });
        assert!(commits.is_some_and(|commits| commits < 200), "round {round}: {commits:?}");
    }
}

#[test]
fn a_journal_that_lacks_what_was_announced_is_damaged() {
    let disk = SimulatedDisk::new(7);
    let one = disk.process(NEVER);
    put(&one, &[("a", "1")]).unwrap();
    one.ground.turn().unwrap().announce(2).unwrap();
    let answer = all(&disk.process(NEVER), "");
    assert!(matches!(&answer, Err(StoreError::Damaged { what }) if what.contains("number 2")), "{answer:?}");
    assert!(matches!(put(&one, &[("a", "2")]), Err(StoreError::Damaged { .. })));
}

/// The header of a journal begun anew was in the page cache only, and the first frame overwrote what the header before
/// leads to.
#[test]
fn a_header_that_is_not_known_to_be_durable_is_made_so_before_a_frame_follows_it() {
    for fault in [Fault::Kill, Fault::Io] {
        for seed in 0..20 {
            let disk = SimulatedDisk::new(seed);
            let one = disk.process(NEVER);
            put(&one, &[("a", "1")]).unwrap();
            // Begun, frame, sync, announced; map applied and closed; header written, and its sync fails.
            disk.plan(8, fault);
            put(&disk.process(ALWAYS), &[("b", "2")]).unwrap();
            put(&disk.process(NEVER), &[("c", "3")]).unwrap();
            disk.cut_power();
            disk.power_on();
            let values = all(&disk.process(NEVER), "").unwrap();
            let values: Vec<_> = values.iter().filter(|pair| !pair.starts_with('\0')).collect();
            assert_eq!(values, ["a=1", "b=2", "c=3"], "{fault:?}, {seed}");
        }
    }
}

/// Taking back the first frame of a journal begun anew, when not even the header was durable, took away one of before.
#[test]
fn a_commit_that_fails_at_the_header_leaves_the_frames_of_before_alone() {
    for seed in 0..20 {
        let disk = SimulatedDisk::new(seed);
        put(&disk.process(NEVER), &[("a", "1")]).unwrap();
        disk.plan(8, Fault::Kill);
        put(&disk.process(ALWAYS), &[("b", "2")]).unwrap();
        // Begun, header written, and its sync fails.
        disk.plan(3, Fault::Io);
        assert!(put(&disk.process(NEVER), &[("c", "3")]).is_err());
        disk.cut_power();
        disk.power_on();
        let values = all(&disk.process(NEVER), "").unwrap();
        let values: Vec<_> = values.iter().filter(|pair| !pair.starts_with('\0')).collect();
        assert_eq!(values, ["a=1", "b=2"], "{seed}");
    }
}

/// A look that shows a commit not to have happened must stay true, also when its process died in the middle of it.
#[test]
fn what_was_seen_not_to_have_happened_does_not_happen_later() {
    for fold_bytes in [ALWAYS, NEVER] {
        for step in 1..8 {
            let disk = SimulatedDisk::new(step);
            let one = disk.process(NEVER);
            put(&disk.process(fold_bytes), &[("a", "1")]).unwrap();
            all(&one, "").unwrap();
            let generation = one.generation().unwrap();
            disk.plan(step, Fault::Kill);
            let _killed = put(&disk.process(NEVER), &[("a", "2")]);
            disk.heal();
            let unchanged = one.generation().unwrap() == generation;
            let seen = all(&one, "a").unwrap();
            assert_eq!(unchanged, seen == ["a=1"], "step {step}");
            put(&disk.process(NEVER), &[("b", "3")]).unwrap();
            assert_eq!(all(&one, "a").unwrap(), seen, "step {step}");
        }
    }
}
