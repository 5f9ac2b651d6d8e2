//! PINs and their counters on the medium in memory.

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
use hsm_crypto::SecretBytes;
use std::sync::Barrier;
use token_store::{PartitionId, PartitionKey, RecordContent, RoleId, RoleState, StoreError, Visibility};

fn answer(login: Result<PartitionKey, StoreError>) -> String {
    match login {
        Ok(_) => "in".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn failed(t: &Token) -> u32 {
    t.store.view(|v| v.role(t.partition, USER)).unwrap().unwrap().failed
}

#[test]
fn a_login_gives_the_key_and_writes_nothing() {
    let t = token(3);
    let commits = t.medium.commits();
    let key = t.store.login(t.partition, USER, &secret(b"1234")).unwrap();
    assert_eq!(t.medium.commits(), commits);

    let id = t.store.new_record_id().unwrap();
    t.store.transact(|x| x.put_record(t.partition, id, Visibility::Private, Some(&key), &secret(b"x"))).unwrap();
    let entry = t.store.view(|v| v.record(t.partition, id, Some(&t.key))).unwrap().unwrap();
    assert!(matches!(entry.content, RecordContent::Open(bytes) if bytes.expose() == b"x"));
}

#[test]
fn wrong_pins_are_counted_down_and_lock_the_role() {
    let t = token(3);
    let tries: [(&[u8], &str); 6] = [
        (b"0000", "wrong PIN, 2 tries left"),
        (b"", "wrong PIN, 1 tries left"),
        (b"12345", "wrong PIN, 0 tries left"),
        (b"1234", "the role is locked after too many wrong PINs"),
        (b"0000", "the role is locked after too many wrong PINs"),
        (b"1234", "the role is locked after too many wrong PINs"),
    ];
    for (pin, expected) in tries {
        assert_eq!(answer(t.store.login(t.partition, USER, &secret(pin))), expected);
    }
    let state = t.store.view(|v| v.role(t.partition, USER)).unwrap().unwrap();
    assert_eq!(state, RoleState { failed: 3, failed_max: 3 });
    assert!(state.locked());
}

#[test]
fn a_login_that_is_refused_beforehand_counts_nothing_and_is_for_a_partition_that_is_there() {
    let t = token(3);
    let commits = t.medium.commits();
    for role in [USER, RoleId(9)] {
        t.store.login_refused(t.partition, role).unwrap();
    }
    assert_eq!((failed(&t), t.medium.commits()), (0, commits));
    assert_eq!(answer(t.store.login(t.partition, RoleId(9), &secret(b"1234"))), "the role has no PIN yet");
    let elsewhere = PartitionId([7; 16]);
    let nowhere =
        [t.store.login_refused(elsewhere, USER).err(), t.store.login(elsewhere, USER, &secret(b"1234")).err()];
    assert!(nowhere.iter().all(|error| matches!(error, Some(StoreError::NoPartition))), "{nowhere:?}");
    for _ in 0..3 {
        assert!(t.store.login(t.partition, USER, &secret(b"no")).is_err());
    }
    t.store.login_refused(t.partition, USER).unwrap();
    assert_eq!(
        answer(t.store.login(t.partition, USER, &secret(b"1234"))),
        "the role is locked after too many wrong PINs"
    );
    assert_eq!(failed(&t), 3, "a locked role counts no further");
}

#[test]
fn the_right_pin_sets_the_counter_back() {
    let t = token(3);
    for _ in 0..4 {
        assert!(t.store.login(t.partition, USER, &secret(b"no")).is_err());
        assert!(t.store.login(t.partition, USER, &secret(b"nono")).is_err());
        assert_eq!(failed(&t), 2);
        assert_eq!(answer(t.store.login(t.partition, USER, &secret(b"1234"))), "in");
        assert_eq!(failed(&t), 0);
    }
}

#[test]
fn counters_survive_reopening() {
    let t = token(3);
    assert!(t.store.login(t.partition, USER, &secret(b"no")).is_err());
    let again = open_on(t.medium.clone());
    assert_eq!(answer(again.login(t.partition, USER, &secret(b"no"))), "wrong PIN, 1 tries left");
}

#[test]
fn a_new_pin_replaces_the_old_one_and_unlocks() {
    let t = token(1);
    assert_eq!(answer(t.store.login(t.partition, USER, &secret(b"no"))), "wrong PIN, 0 tries left");
    set_pin(&t.store, t.partition, &t.key, b"5678", 2);
    assert_eq!(answer(t.store.login(t.partition, USER, &secret(b"5678"))), "in");
    assert_eq!(answer(t.store.login(t.partition, USER, &secret(b"1234"))), "wrong PIN, 1 tries left");
}

#[test]
fn a_role_without_a_pin_says_so() {
    let t = token(3);
    assert_eq!(answer(t.store.login(t.partition, SO, &secret(b"1234"))), "the role has no PIN yet");
    t.store.transact(|x| x.delete_role(t.partition, USER)).unwrap();
    assert_eq!(answer(t.store.login(t.partition, USER, &secret(b"1234"))), "the role has no PIN yet");
}

#[test]
fn a_wrong_pin_that_cannot_be_counted_is_no_answer() {
    let t = token(3);
    t.medium.set_full(true);
    assert!(matches!(t.store.login(t.partition, USER, &secret(b"no")), Err(StoreError::Full { .. })));
    assert_eq!(answer(t.store.login(t.partition, USER, &secret(b"1234"))), "in", "nothing to write, nothing to fail");
}

/// On a full disk or a read-only store a failure cannot be written down; guessing would otherwise be free there.
#[test]
fn wrong_pins_that_cannot_be_counted_lock_the_role_in_this_process() {
    let t = token(3);
    let login = |pin: &[u8]| answer(t.store.login(t.partition, USER, &secret(pin)));
    t.medium.set_full(true);
    for _ in 0..3 {
        assert_eq!(login(b"no"), "no space left while writing memory");
    }
    assert_eq!(login(b"no"), "the role is locked after too many wrong PINs");
    assert_eq!(login(b"1234"), "the role is locked after too many wrong PINs", "the PIN is not looked at");
    assert_eq!(failed(&t), 0);
    t.medium.set_full(false);
    set_pin(&t.store, t.partition, &t.key, b"5678", 3);
    assert_eq!(login(b"5678"), "in", "a new PIN starts anew");
}

#[test]
fn wrong_pins_that_could_not_be_counted_are_counted_with_the_next_one() {
    let t = token(5);
    t.medium.set_full(true);
    for _ in 0..2 {
        assert!(t.store.login(t.partition, USER, &secret(b"no")).is_err());
    }
    t.medium.set_full(false);
    assert_eq!(answer(t.store.login(t.partition, USER, &secret(b"no"))), "wrong PIN, 2 tries left");
    assert_eq!(failed(&t), 3);
    assert_eq!(answer(t.store.login(t.partition, USER, &secret(b"1234"))), "in");
    assert_eq!(failed(&t), 0);
}

#[test]
fn a_damaged_role_is_named_and_blocks_no_other() {
    let t = token(3);
    let (other, _) = add_partition(&t.store, 3);
    let key = [&b"r"[..], &t.partition.0, &[USER.0]].concat();
    let good = t.medium.dump()[&key].clone();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x80;
        t.medium.tamper(&key, Some(bad));
        let text = answer(t.store.login(t.partition, USER, &secret(b"1234")));
        assert!(text.starts_with("role 1 of partition") && text.contains("damaged"), "byte {at}: {text}");
        assert!(t.store.view(|v| v.role(t.partition, USER)).is_err());
    }
    assert_eq!(answer(t.store.login(other, USER, &secret(b"1234"))), "in");
}

#[test]
fn an_old_counter_put_back_in_another_role_does_not_open() {
    let t = token(3);
    let (other, _) = add_partition(&t.store, 3);
    let key = |partition: PartitionId| [&b"r"[..], &partition.0, &[USER.0]].concat();
    t.medium.tamper(&key(t.partition), Some(t.medium.dump()[&key(other)].clone()));
    assert!(answer(t.store.login(t.partition, USER, &secret(b"1234"))).contains("damaged"));
}

#[test]
fn guessing_in_parallel_gets_no_more_answers_than_the_role_allows() {
    let t = token(5);
    let start = Barrier::new(16);
    let guess = |n: u8| {
        let store = open_on(t.medium.clone());
        start.wait();
        (0..3).map(|_| answer(store.login(t.partition, USER, &SecretBytes::new(vec![n])))).collect::<Vec<_>>()
    };
    let guess = &guess;
    let answers: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|n| scope.spawn(move || guess(n))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let wrong = answers.iter().filter(|text| text.starts_with("wrong PIN")).count();
    let locked = answers.iter().filter(|text| text.contains("locked")).count();
    assert_eq!((wrong, locked), (5, 43));
    assert_eq!(failed(&t), 5);
}
