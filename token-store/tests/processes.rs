//! Several processes on one store: nothing is lost, everything is noticed, also when they are killed.
//!
//! The tests named `child_*` are the other processes; run on their own they do nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and a child process reports by printing"
)]

mod common;

use common::*;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};
use token_store::medium::SledMedium;
use token_store::{Change, Changes, Medium, PartitionId, RecordContent, RecordId, Store, StoreError, Visibility};

/// Prints on stdout at once, in one line that the parent can find.
fn say(text: &str) {
    println!("\nSAYS {text}");
}

/// Waits for the next thing a child says; `None` when it has ended.
fn hear(from: &mut BufReader<ChildStdout>) -> Option<String> {
    let mut line = String::new();
    loop {
        line.clear();
        if from.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        // A killed child may leave half a line, which is no acknowledgement.
        if let Some(said) = line.strip_suffix('\n').and_then(|line| line.strip_prefix("SAYS ")) {
            return Some(said.to_owned());
        }
    }
}

fn start(name: &str, args: &str) -> (Child, BufReader<ChildStdout>) {
    let mut child = child(name, args).stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

fn run(name: &str, args: &str) -> Vec<u8> {
    let output = child(name, args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn records(store: &Store, partition: PartitionId) -> Vec<(RecordId, Vec<u8>)> {
    let entries = store.view(|v| v.records(partition, None)).unwrap();
    let open = entries.into_iter().map(|entry| match entry.content {
        RecordContent::Open(content) => (entry.id, content.expose().to_vec()),
        other => panic!("{:?}: {other:?}", entry.id),
    });
    open.collect()
}

#[test]
fn another_process_reads_what_this_one_wrote() {
    let folder = private_folder();
    let store = open_in(&folder.path().join("store"));
    let (partition, key) = add_partition(&store, 10);
    let id = store.new_record_id().unwrap();
    store.transact(|t| t.put_record(partition, id, Visibility::Private, Some(&key), &secret(b"far"))).unwrap();
    let path = folder.path().join("store");
    let output = run("child_reads", &format!("{}|{}|{}", path.display(), hex(partition.0), hex(id.0)));
    assert_eq!(marked(&output, "SAYS "), ["far"]);
}

#[test]
fn child_reads() {
    let Some(args) = child_args() else { return };
    let store = open_in(Path::new(&args[0]));
    let (partition, id) = (PartitionId(id_from(&args[1])), RecordId(id_from(&args[2])));
    let key = store.login(partition, USER, &secret(b"1234")).unwrap();
    let entry = store.view(|v| v.record(partition, id, Some(&key))).unwrap().unwrap();
    let RecordContent::Open(content) = entry.content else { panic!("{:?}", entry.content) };
    say(std::str::from_utf8(content.expose()).unwrap());
}

#[test]
fn a_change_by_another_process_shows_in_the_generation_and_in_the_change_list() {
    let folder = private_folder();
    let store = open_in(folder.path());
    let (partition, _) = add_partition(&store, 10);
    let before = store.generation().unwrap();
    let output = run("child_writes", &format!("{}|{}|1", folder.path().display(), hex(partition.0)));
    let id = RecordId(id_from(marked(&output, "SAYS ")[0]));
    assert_eq!(store.generation().unwrap(), before + 1);
    let changes = store.view(|v| v.changes_since(before)).unwrap();
    assert_eq!(changes, Changes::Only(vec![Change::Record(partition, id)]));
}

#[test]
fn processes_that_write_at_once_lose_nothing() {
    let folder = private_folder();
    let store = open_in(folder.path());
    let (partition, _) = add_partition(&store, 10);
    let before = store.generation().unwrap();
    let args = format!("{}|{}|100", folder.path().display(), hex(partition.0));
    let children: Vec<_> = (0..3).map(|_| start("child_writes", &args)).collect();
    let mut written = Vec::new();
    for (mut child, mut output) in children {
        written.extend(std::iter::from_fn(|| hear(&mut output)).map(|id| RecordId(id_from(&id))));
        assert!(child.wait().unwrap().success());
    }
    written.sort();
    let found: Vec<_> = records(&store, partition).into_iter().map(|(id, _)| id).collect();
    assert_eq!(written.len(), 300);
    assert_eq!(found, written);
    assert_eq!(store.generation().unwrap(), before + 300);
    let Changes::Only(changes) = store.view(|v| v.changes_since(before)).unwrap() else { panic!("everything") };
    assert_eq!(changes.len(), 300);
}

#[test]
fn child_writes() {
    let Some(args) = child_args() else { return };
    let store = open_in(Path::new(&args[0]));
    for _ in 0..args[2].parse().unwrap() {
        say(&hex(put_public(&store, PartitionId(id_from(&args[1])), b"x").0));
    }
}

#[test]
fn wrong_pins_are_counted_across_processes() {
    let folder = private_folder();
    let store = open_in(folder.path());
    let (partition, _) = add_partition(&store, 7);
    let args = format!("{}|{}", folder.path().display(), hex(partition.0));
    let children: Vec<_> = (0..4).map(|_| start("child_guesses", &args)).collect();
    let mut wrong = 0;
    for (mut child, mut output) in children {
        wrong += std::iter::from_fn(|| hear(&mut output)).filter(|text| text.starts_with("wrong PIN")).count();
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(wrong, 7);
    assert!(matches!(store.login(partition, USER, &secret(b"1234")), Err(StoreError::RoleLocked)));
}

#[test]
fn child_guesses() {
    let Some(args) = child_args() else { return };
    let store = open_in(Path::new(&args[0]));
    for n in 0..5_u8 {
        let answer = store.login(PartitionId(id_from(&args[1])), USER, &secret(&[n]));
        say(&answer.err().map_or_else(|| "in".to_owned(), |error| error.to_string()));
    }
}

#[test]
fn a_process_that_holds_the_store_too_long_is_named_by_its_lock_file() {
    let folder = private_folder();
    drop(open_in(folder.path()));
    let (mut child, mut output) = start("child_holds", &folder.path().display().to_string());
    assert_eq!(hear(&mut output).as_deref(), Some("holding"));
    let medium = SledMedium::open_with(folder.path(), Duration::from_millis(100)).unwrap();
    let answer = medium.view(&mut |_| Ok(()));
    let lock = folder.path().join("lock");
    assert!(matches!(&answer, Err(StoreError::Busy { path, waited_ms: 100..60_000 }) if *path == lock), "{answer:?}");
    // The number can be read all the same.
    assert!(medium.generation().unwrap() > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    medium.view(&mut |_| Ok(())).unwrap();
}

#[test]
fn child_holds() {
    let Some(args) = child_args() else { return };
    let medium = SledMedium::open(Path::new(&args[0])).unwrap();
    medium
        .view(&mut |_| {
            say("holding");
            std::thread::sleep(Duration::from_secs(60));
            Ok(())
        })
        .unwrap();
}

/// Killed again and again at any moment: every acknowledged pair is there, every pair is whole, every number has risen.
#[test]
fn killed_processes_lose_no_acknowledged_pair_and_leave_no_half_one() {
    let folder = private_folder();
    let store = open_in(folder.path());
    let (partition, _) = add_partition(&store, 10);
    let mut acknowledged = Vec::new();
    for round in 0..20_u64 {
        let seen = store.generation().unwrap();
        let (mut child, mut output) =
            start("child_writes_pairs", &format!("{}|{}|{round}", folder.path().display(), hex(partition.0)));
        let first = hear(&mut output).expect("the first pair is written in time");
        // Spread over the life of one to a few transactions.
        let until = Instant::now() + Duration::from_micros(1500 + round * 1300);
        std::thread::sleep(until - Instant::now());
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.push(first);
        acknowledged.extend(std::iter::from_fn(|| hear(&mut output)));
        assert!(store.generation().unwrap() > seen);

        let found = records(&store, partition);
        let mut names: Vec<_> = found.iter().map(|(_, content)| content.as_slice()).collect();
        names.sort_unstable();
        for pair in names.chunks(2) {
            let [left, right] = pair else { panic!("half a pair: {pair:?}") };
            assert_eq!(left[..left.len() - 1], right[..right.len() - 1], "half a pair");
        }
        for name in &acknowledged {
            let left = [name.as_bytes(), b"a"].concat();
            assert!(names.binary_search(&left.as_slice()).is_ok(), "{name} was acknowledged and is gone");
        }
    }
}

#[test]
fn child_writes_pairs() {
    let Some(args) = child_args() else { return };
    let store = open_in(Path::new(&args[0]));
    let partition = PartitionId(id_from(&args[1]));
    for n in 0.. {
        let name = format!("{:>04}-{n:>06}-", args[2]);
        let ids = [store.new_record_id().unwrap(), store.new_record_id().unwrap()];
        store
            .transact(|t| {
                for (id, half) in ids.iter().zip(["a", "b"]) {
                    let content = secret(format!("{name}{half}").as_bytes());
                    t.put_record(partition, *id, Visibility::Public, None, &content)?;
                }
                Ok(())
            })
            .unwrap();
        say(&name);
    }
}
