//! Partitions that leave one store and enter another: what is the same afterwards, what is refused, what a crash leaves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use token_store::medium::{Batch, Memory, Reader};
use token_store::{
    Backup, Changes, Medium, PartitionId, PartitionKey, Placement, RecordContent, RecordId, Result, Store, StoreError,
    Visibility,
};

/// A store with a device key of its own.
fn store_with_key(byte: u8) -> (Memory, Store) {
    let medium = Memory::new();
    let store = Store::open(Box::new(medium.clone()), &device_key(byte), Arc::new(System), CHEAP).unwrap();
    (medium, store)
}

fn put(store: &Store, partition: PartitionId, key: Option<&PartitionKey>, content: &[u8]) -> RecordId {
    let id = store.new_record_id().unwrap();
    let visibility = if key.is_some() { Visibility::Private } else { Visibility::Public };
    store.transact(|t| t.put_record(partition, id, visibility, key, &secret(content))).unwrap();
    id
}

/// What the records hold, as far as the key opens them.
fn contents(store: &Store, partition: PartitionId, key: Option<&PartitionKey>) -> Vec<Vec<u8>> {
    let mut contents: Vec<Vec<u8>> = store
        .view(|v| v.records(partition, key))
        .unwrap()
        .into_iter()
        .map(|entry| match entry.content {
            RecordContent::Open(content) => content.expose().to_vec(),
            RecordContent::Closed => b"(closed)".to_vec(),
            RecordContent::Damaged => b"(damaged)".to_vec(),
        })
        .collect();
    contents.sort();
    contents
}

fn export(store: &Store, partition: PartitionId) -> Backup {
    let (backup, left_out) = store.export(0, |_| Ok(vec![partition])).unwrap();
    assert_eq!(left_out, Vec::<String>::new());
    backup
}

/// The backup as it is after its way through a file.
fn through_bytes(backup: &Backup) -> Backup {
    Backup::read(&mut bytes_of(backup).as_slice()).unwrap()
}

fn bytes_of(backup: &Backup) -> Vec<u8> {
    let mut bytes = Vec::new();
    backup.write(&mut bytes).unwrap();
    bytes
}

/// Puts the partition of the backup into the store, in place of another or beside all.
fn restore(store: &Store, backup: &Backup, replaces: Option<PartitionId>) -> Result<PartitionId> {
    let ids = store.restore(&[&backup.partitions[0]], |_| {
        Ok(Ok::<_, ()>(vec![Placement { meta: secret(b"restored"), replaces }]))
    })?;
    Ok(ids.unwrap()[0])
}

fn pin_wrong(store: &Store, partition: PartitionId) {
    assert!(matches!(store.login(partition, USER, &secret(b"9999")), Err(StoreError::PinWrong { .. })));
}

/// One private and one public record, and a wrong PIN counted.
fn sample() -> (Memory, Store, PartitionId) {
    let (medium, store) = store_with_key(1);
    let (partition, key) = add_partition(&store, 10);
    put(&store, partition, None, b"certificate");
    put(&store, partition, Some(&key), b"private key");
    pin_wrong(&store, partition);
    (medium, store, partition)
}

#[test]
fn a_restored_partition_opens_under_another_device_key_with_the_pin_it_had() {
    let (_, from, partition) = sample();
    let (_, to) = store_with_key(2);
    let restored = restore(&to, &through_bytes(&export(&from, partition)), None).unwrap();
    assert_eq!(contents(&to, restored, None), [b"(closed)".to_vec(), b"certificate".to_vec()]);
    assert_eq!(to.view(|v| v.role(restored, USER)).unwrap().unwrap().failed, 1, "wrong PINs come along");
    assert!(matches!(to.login(restored, USER, &secret(b"0000")), Err(StoreError::PinWrong { tries_left: 8 })));
    let key = to.login(restored, USER, &secret(b"1234")).unwrap();
    assert_eq!(contents(&to, restored, Some(&key)), [b"certificate".to_vec(), b"private key".to_vec()]);
    assert_eq!(to.view(|v| v.partition(restored)).unwrap().meta, secret(b"restored"));
}

#[test]
fn what_is_written_after_a_restore_is_there_for_every_later_login_and_backup() {
    let (_, from, partition) = sample();
    let (_, second) = store_with_key(2);
    let restored = restore(&second, &export(&from, partition), None).unwrap();
    let key = second.login(restored, USER, &secret(b"1234")).unwrap();
    let id = put(&second, restored, Some(&key), b"made later");
    put(&second, restored, None, b"a public one");
    set_pin(&second, restored, &key, b"a new PIN", 10);
    assert!(matches!(second.login(restored, USER, &secret(b"1234")), Err(StoreError::PinWrong { .. })));
    let again = second.login(restored, USER, &secret(b"a new PIN")).unwrap();
    let entry = second.view(|v| v.record(restored, id, Some(&again))).unwrap().unwrap();
    assert!(matches!(entry.content, RecordContent::Open(content) if content == secret(b"made later")));

    let (_, third) = store_with_key(3);
    let restored = restore(&third, &through_bytes(&export(&second, restored)), None).unwrap();
    let key = third.login(restored, USER, &secret(b"a new PIN")).unwrap();
    let expected: [&[u8]; 4] = [b"a public one", b"certificate", b"made later", b"private key"];
    assert_eq!(contents(&third, restored, Some(&key)), expected);
}

#[test]
fn two_restored_copies_in_one_store_live_side_by_side() {
    let (_, store, partition) = sample();
    let backup = export(&store, partition);
    let copy = restore(&store, &backup, None).unwrap();
    let key = store.login(copy, USER, &secret(b"1234")).unwrap();
    put(&store, copy, Some(&key), b"only in the copy");
    let key = store.login(partition, USER, &secret(b"1234")).unwrap();
    assert_eq!(contents(&store, partition, Some(&key)), [b"certificate".to_vec(), b"private key".to_vec()]);
}

#[test]
fn a_partition_that_is_cleared_has_no_origin_any_more() {
    let (_, from, partition) = sample();
    let (medium, to) = store_with_key(2);
    let restored = restore(&to, &export(&from, partition), None).unwrap();
    let origins = || medium.dump().keys().filter(|key| key[0] == b'g').count();
    assert_eq!(origins(), 1);
    let key = to.new_partition_key().unwrap();
    let mut role = Some(to.prepare_role(restored, USER, &secret(b"fresh"), &key, 10).unwrap());
    to.transact(|t| {
        t.clear_partition(restored)?;
        t.put_role(role.take().unwrap())
    })
    .unwrap();
    assert_eq!(origins(), 0);
    let key = to.login(restored, USER, &secret(b"fresh")).unwrap();
    put(&to, restored, Some(&key), b"new life");
    assert_eq!(contents(&to, restored, Some(&key)), [b"new life".to_vec()]);
}

#[test]
fn a_role_whose_pin_nobody_could_use_is_refused() {
    let (_, from, partition) = sample();
    let (_, to) = store_with_key(2);
    let restored = restore(&to, &export(&from, partition), None).unwrap();
    let (old, fresh) = (to.login(restored, USER, &secret(b"1234")).unwrap(), to.new_partition_key().unwrap());
    let put = |key: &PartitionKey| {
        let mut role = Some(to.prepare_role(restored, SO, &secret(b"so"), key, 10).unwrap());
        to.transact(|t| t.put_role(role.take().unwrap()))
    };
    assert!(matches!(put(&fresh), Err(StoreError::Changed { .. })), "born here, and the partition was not");
    put(&old).unwrap();
    to.transact(|t| t.clear_partition(restored)).unwrap();
    assert!(matches!(put(&old), Err(StoreError::Changed { .. })), "born elsewhere, and the partition is no longer");
}

#[test]
fn a_locked_role_is_locked_after_the_restore() {
    let (_, from) = store_with_key(1);
    let (partition, _) = add_partition(&from, 1);
    pin_wrong(&from, partition);
    let (_, to) = store_with_key(2);
    let restored = restore(&to, &export(&from, partition), None).unwrap();
    assert!(matches!(to.login(restored, USER, &secret(b"1234")), Err(StoreError::RoleLocked)));
}

#[test]
fn an_old_backup_does_not_take_back_the_wrong_pins_of_what_it_replaces() {
    let (_, store) = store_with_key(1);
    let (partition, key) = add_partition(&store, 2);
    let backup = export(&store, partition);
    pin_wrong(&store, partition);
    pin_wrong(&store, partition);
    let locked = restore(&store, &backup, Some(partition)).unwrap();
    assert!(matches!(store.login(locked, USER, &secret(b"1234")), Err(StoreError::RoleLocked)));

    // Another PIN is another matter: the tries were made at that one.
    let (other, _) = add_partition(&store, 2);
    set_pin(&store, other, &key, b"another", 2);
    pin_wrong(&store, other);
    let free = restore(&store, &backup, Some(other)).unwrap();
    assert_eq!(store.view(|v| v.role(free, USER)).unwrap().unwrap().failed, 0);
}

#[test]
fn replacing_is_one_batch_that_others_hear_of() {
    let (medium, store, partition) = sample();
    let backup = export(&store, partition);
    put(&store, partition, None, b"made after the backup");
    let (commits, generation) = (medium.commits(), store.generation().unwrap());
    let restored = restore(&store, &backup, Some(partition)).unwrap();
    assert_eq!(medium.commits(), commits + 1);
    assert!(matches!(store.view(|v| v.partition(partition)), Err(StoreError::NoPartition)));
    assert_eq!(contents(&store, restored, None).len(), 2);
    let Changes::Only(changes) = store.view(|v| v.changes_since(generation)).unwrap() else { panic!() };
    for id in [partition, restored] {
        assert!(changes.contains(&token_store::Change::Partition(id)), "{changes:?}");
    }
    let left: Vec<_> = medium.dump().into_keys().filter(|key| key.len() > 16 && key[1..17] == partition.0).collect();
    assert_eq!(left, Vec::<Vec<u8>>::new());
}

#[test]
fn the_first_restore_keeps_older_programs_away_and_nobody_else() {
    let (_, from, partition) = sample();
    let (medium, to) = store_with_key(2);
    let version = || medium.dump()[&b"h"[..]][..2].to_vec();
    assert_eq!(version(), [0, 1]);
    restore(&to, &export(&from, partition), None).unwrap();
    assert_eq!(version(), [0, 2]);
    to.view(|v| v.partitions()).unwrap();
    let again = Store::open(Box::new(medium.clone()), &device_key(2), Arc::new(System), CHEAP).unwrap();
    assert_eq!(again.view(|v| v.partitions()).unwrap().len(), 1);
}

#[test]
fn a_changed_or_moved_origin_is_damage_and_no_wrong_pin() {
    let (_, from, partition) = sample();
    let (medium, to) = store_with_key(2);
    let restored = restore(&to, &export(&from, partition), None).unwrap();
    let key = [b"g", &restored.0[..]].concat();
    let mut value = medium.dump()[&key].clone();
    *value.last_mut().unwrap() ^= 1;
    medium.tamper(&key, Some(value));
    let answer = to.login(restored, USER, &secret(b"1234"));
    assert!(matches!(&answer, Err(StoreError::Damaged { what }) if what.contains("origin")), "{answer:?}");
    assert_eq!(to.view(|v| v.role(restored, USER)).unwrap().unwrap().failed, 1, "and costs no try");
}

#[test]
fn what_is_damaged_is_left_out_and_named() {
    let (medium, store, partition) = sample();
    for (key, mut value) in medium.dump() {
        if key[0] == b'r' || (key[0] == b'o' && value[3] == 0) {
            *value.last_mut().unwrap() ^= 1;
            medium.tamper(&key, Some(value));
        }
    }
    let (backup, left_out) = store.export(0, |_| Ok(vec![partition])).unwrap();
    assert_eq!(left_out.len(), 2, "{left_out:?}");
    assert_eq!((backup.partitions[0].public_records().count(), backup.partitions[0].private_records()), (0, 1));
}

#[test]
fn a_partition_whose_origin_is_damaged_keeps_no_other_from_its_backup() {
    let (_, from, partition) = sample();
    let (medium, to) = store_with_key(2);
    let (restored, beside) = (restore(&to, &export(&from, partition), None).unwrap(), add_partition(&to, 10).0);
    let key = [b"g", &restored.0[..]].concat();
    medium.tamper(&key, Some(vec![0; 40]));
    let (backup, left_out) = to.export(0, |_| Ok(vec![restored, beside])).unwrap();
    assert_eq!(backup.partitions.len(), 1);
    assert!(left_out.len() == 1 && left_out[0].contains("origin"), "{left_out:?}");
}

#[test]
fn a_refused_or_failed_restore_changes_nothing() {
    let (_, from, partition) = sample();
    let backup = export(&from, partition);
    let (medium, to) = store_with_key(2);
    let before = medium.dump();
    let refused = to.restore(&[&backup.partitions[0]], |_| Ok(Err("no")));
    assert_eq!(refused.unwrap().unwrap_err(), "no");
    medium.set_full(true);
    assert!(matches!(restore(&to, &backup, None), Err(StoreError::Full { .. })));
    assert_eq!(medium.dump(), before);
}

// --- more than one batch ---

/// A medium whose process dies at the commit after so many.
#[derive(Clone)]
struct Mortal(Memory, Arc<AtomicI64>);

impl Medium for Mortal {
    fn generation(&self) -> Result<u64> {
        self.0.generation()
    }

    fn view(&self, work: &mut dyn FnMut(&dyn Reader) -> Result<()>) -> Result<()> {
        self.0.view(work)
    }

    fn transact(&self, work: &mut dyn FnMut(&dyn Reader, &mut Batch) -> Result<()>) -> Result<u64> {
        if self.1.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return Err(StoreError::Engine("dead".to_owned()));
        }
        self.0.transact(work)
    }
}

/// A backup of 40 MiB.
fn large() -> Backup {
    let (_, from) = store_with_key(1);
    let (partition, key) = add_partition(&from, 10);
    let big = vec![b'x'; 8 << 20];
    for _ in 0..5 {
        put(&from, partition, None, &big);
    }
    put(&from, partition, Some(&key), b"private key");
    export(&from, partition)
}

#[test]
fn a_restore_of_several_batches_is_whole_or_invisible_wherever_it_dies() {
    let backup = large();
    let mut died = 0;
    for life in 1.. {
        let medium = Memory::new();
        let years = Arc::new(AtomicI64::new(i64::MAX));
        let mortal = Mortal(medium.clone(), years.clone());
        let open = || Store::open(Box::new(mortal.clone()), &device_key(2), Arc::new(System), CHEAP).unwrap();
        let store = open();
        let (old, _) = add_partition(&store, 10);
        put(&store, old, None, b"old");
        let before = medium.dump();
        years.store(life, Ordering::SeqCst);
        let answer = restore(&store, &backup, Some(old));
        years.store(i64::MAX, Ordering::SeqCst);
        let store = open();
        let partitions = store.view(|v| v.partitions()).unwrap();
        assert_eq!(partitions.len(), 1);
        match answer {
            Ok(restored) => {
                assert_eq!(partitions[0].id, restored);
                let key = store.login(restored, USER, &secret(b"1234")).unwrap();
                assert_eq!(contents(&store, restored, Some(&key)).len(), 6);
                assert!(medium.dump().keys().all(|key| key[0] != b's'), "the mark is gone");
                break;
            }
            Err(_) => {
                died += 1;
                assert_eq!(partitions[0].id, old);
                assert_eq!(contents(&store, old, None), [b"old".to_vec()]);
                let small = export(&store, old);
                let new = restore(&store, &small, None).unwrap();
                store.transact(|t| t.delete_partition(new)).unwrap();
                let kinds = |map: &std::collections::BTreeMap<Vec<u8>, Vec<u8>>| {
                    map.keys().filter(|key| key[0] != b'c').cloned().collect::<Vec<_>>()
                };
                assert_eq!(kinds(&medium.dump()), kinds(&before), "the next restore clears up");
            }
        }
    }
    assert!(died >= 3, "it had several batches to die in: {died}");
}

#[test]
fn a_large_restore_that_fails_clears_up_after_itself() {
    let backup = large();
    let (medium, to) = store_with_key(2);
    let before = medium.dump();
    let mut asked = 0;
    let refused = to.restore(&[&backup.partitions[0]], |_| {
        asked += 1;
        // Another process brought the same partition in between.
        if asked == 1 { Ok(Ok(vec![Placement { meta: secret(b"x"), replaces: None }])) } else { Ok(Err("there now")) }
    });
    assert_eq!(refused.unwrap().unwrap_err(), "there now");
    let after: Vec<_> = medium.dump().into_keys().filter(|key| key[0] != b'c').collect();
    let before: Vec<_> = before.into_keys().filter(|key| key[0] != b'c').collect();
    assert_eq!(after, before);
}

/// Does something once, in front of the commit after so many: what another process does in the middle.
struct Meddled(Memory, AtomicI64, Box<dyn Fn() + Send + Sync>);

impl Medium for Meddled {
    fn generation(&self) -> Result<u64> {
        self.0.generation()
    }

    fn view(&self, work: &mut dyn FnMut(&dyn Reader) -> Result<()>) -> Result<()> {
        self.0.view(work)
    }

    fn transact(&self, work: &mut dyn FnMut(&dyn Reader, &mut Batch) -> Result<()>) -> Result<u64> {
        if self.1.fetch_sub(1, Ordering::SeqCst) == 0 {
            (self.2)();
        }
        self.0.transact(work)
    }
}

#[test]
fn of_two_large_restores_at_once_the_later_one_wins_and_nothing_is_halved() {
    for after in 1..=3 {
        let (medium, _) = store_with_key(2);
        let others = medium.clone();
        let meddle = Box::new(move || {
            let other = Store::open(Box::new(others.clone()), &device_key(2), Arc::new(System), CHEAP).unwrap();
            restore(&other, &large(), None).unwrap();
        });
        let meddled = Meddled(medium.clone(), AtomicI64::new(after), meddle);
        let first = Store::open(Box::new(meddled), &device_key(2), Arc::new(System), CHEAP).unwrap();
        let answer = restore(&first, &large(), None);
        assert!(matches!(answer, Err(StoreError::Changed { .. })), "after {after}: {answer:?}");
        let partitions = first.view(|v| v.partitions()).unwrap();
        assert_eq!(partitions.len(), 1, "after {after}");
        assert_eq!(contents(&first, partitions[0].id, None).len(), 6);
        let left = medium.dump().keys().filter(|key| key[0] == b's' || key[0] == b'o').count();
        assert_eq!(left, 6, "after {after}: no mark and no record of the first one");
    }
}

// --- the content's form ---

#[test]
fn every_shortened_content_is_refused() {
    let (_, store, partition) = sample();
    let whole = bytes_of(&export(&store, partition));
    for len in 0..whole.len() {
        assert!(Backup::read(&mut &whole[..len]).is_err(), "{len} of {} bytes", whole.len());
    }
    assert!(Backup::read(&mut [whole.as_slice(), &[0]].concat().as_slice()).is_err());
}

#[test]
fn a_content_with_any_byte_changed_is_read_or_refused_but_breaks_nothing() {
    let (_, store, partition) = sample();
    let whole = bytes_of(&export(&store, partition));
    for at in 0..whole.len() {
        for bits in [0x01, 0x80, 0xff] {
            let mut changed = whole.clone();
            changed[at] ^= bits;
            let Ok(backup) = Backup::read(&mut changed.as_slice()) else { continue };
            let (_, to) = store_with_key(2);
            for partition in &backup.partitions {
                let restored = to
                    .restore(&[partition], |_| Ok(Ok::<_, ()>(vec![Placement { meta: secret(b""), replaces: None }])));
                drop(restored.unwrap().unwrap());
            }
        }
    }
}

#[test]
fn arbitrary_bytes_are_refused() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..2000_usize {
        let mut bytes: Vec<u8> = (0..next() % 400).map(|_| next() as u8).collect();
        // Half of them begin well, so that what follows is looked at.
        if round % 2 == 0 {
            bytes = [&b"perilune backup\0\x01"[..], &[0; 32], &[0, 1 + next() as u8 % 3], &bytes].concat();
        }
        assert!(Backup::read(&mut bytes.as_slice()).is_err(), "{bytes:?}");
    }
}

#[test]
fn a_newer_version_is_named() {
    let (_, store, partition) = sample();
    let mut bytes = bytes_of(&export(&store, partition));
    bytes[16] = 2;
    let answer = Backup::read(&mut bytes.as_slice()).map(drop).unwrap_err().to_string();
    assert!(answer.contains("version 2"), "{answer}");
}
