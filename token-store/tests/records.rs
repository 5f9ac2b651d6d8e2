//! Partitions and records on the medium in memory: what comes back, what is refused, what is bound to its place.

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
use token_store::medium::Memory;
use token_store::{
    Change, Changes, Damage, Entry, Flaw, PartitionId, Place, RecordContent, RecordId, Store, StoreError, Visibility,
};

fn content(entry: Option<Entry>) -> Option<Result<Vec<u8>, &'static str>> {
    entry.map(|entry| match entry.content {
        RecordContent::Open(bytes) => Ok(bytes.expose().to_vec()),
        RecordContent::Closed => Err("closed"),
        RecordContent::Damaged => Err("damaged"),
    })
}

fn record_key(partition: PartitionId, id: RecordId) -> Vec<u8> {
    [&b"o"[..], &partition.0, &id.0].concat()
}

#[test]
fn records_come_back_after_reopening_as_far_as_the_key_allows() {
    let t = token(10);
    let (public, private) = (t.store.new_record_id().unwrap(), t.store.new_record_id().unwrap());
    t.store
        .transact(|x| {
            x.put_record(t.partition, public, Visibility::Public, None, &secret(b"seen"))?;
            x.put_record(t.partition, private, Visibility::Private, Some(&t.key), &secret(b"hidden"))
        })
        .unwrap();
    drop(t.store);

    let store = open_on(t.medium);
    let key = store.login(t.partition, USER, &secret(b"1234")).unwrap();
    store
        .view(|view| {
            assert_eq!(content(view.record(t.partition, public, None)?), Some(Ok(b"seen".to_vec())));
            assert_eq!(content(view.record(t.partition, private, None)?), Some(Err("closed")));
            assert_eq!(content(view.record(t.partition, private, Some(&key))?), Some(Ok(b"hidden".to_vec())));
            assert_eq!(view.records(t.partition, Some(&key))?.len(), 2);
            assert_eq!(view.records(PartitionId([9; 16]), Some(&key))?.len(), 0);
            Ok(())
        })
        .unwrap();
}

#[test]
fn private_records_are_told_from_public_ones_without_opening_these() {
    let t = token(10);
    let ids: Vec<RecordId> = (0..4).map(|_| t.store.new_record_id().unwrap()).collect();
    t.store
        .transact(|x| {
            for (place, id) in ids.iter().enumerate() {
                let visibility = if place < 2 { Visibility::Public } else { Visibility::Private };
                x.put_record(t.partition, *id, visibility, Some(&t.key), &secret(b"content"))?;
            }
            Ok(())
        })
        .unwrap();
    t.medium.tamper(&record_key(t.partition, ids[0]), Some(vec![0]));
    let found = t.store.view(|view| view.private_records(t.partition, &t.key)).unwrap();
    let mut found: Vec<RecordId> = found.iter().map(|entry| entry.id).collect();
    let mut expected = ids[2..].to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

/// A key remembers what it derived for the first partition it was used with; the second must not get that.
#[test]
fn one_key_in_two_partitions_seals_for_each_of_them_alone() {
    let t = token(10);
    let id = t.store.new_record_id().unwrap();
    let put = |partition: PartitionId| {
        t.store.transact(|x| x.put_record(partition, id, Visibility::Private, Some(&t.key), &secret(b"mine"))).unwrap();
    };
    let (other, _) = t.store.transact(|x| x.create_partition(&secret(b"other"))).unwrap();
    put(t.partition);
    put(other);
    let again = t.store.login(t.partition, USER, &secret(b"1234")).unwrap();
    let read = |partition| t.store.view(|view| view.record(partition, id, Some(&again))).unwrap();
    assert_eq!(content(read(other)), Some(Ok(b"mine".to_vec())));
    assert_eq!(content(read(t.partition)), Some(Ok(b"mine".to_vec())));
    let sealed = t.medium.dump()[&record_key(t.partition, id)].clone();
    t.medium.tamper(&record_key(other, id), Some(sealed));
    assert_eq!(content(read(other)), Some(Err("damaged")));
}

#[test]
fn nothing_stored_shows_its_content() {
    let t = token(10);
    let id = t.store.new_record_id().unwrap();
    t.store
        .transact(|x| x.put_record(t.partition, id, Visibility::Public, None, &secret(b"plain text to look for")))
        .unwrap();
    let values: Vec<u8> = t.medium.dump().into_values().flatten().collect();
    for hidden in [&b"plain text"[..], b"meta", b"1234"] {
        assert!(!values.windows(hidden.len()).any(|window| window == hidden), "{hidden:?} is readable");
    }
}

#[test]
fn partitions_are_listed_in_the_order_they_were_made() {
    let store = open_on(Memory::new());
    let names: Vec<String> = (0..20).map(|n| format!("token {n}")).collect();
    for pair in names.chunks(2) {
        store
            .transact(|t| {
                for name in pair {
                    t.create_partition(&secret(name.as_bytes()))?;
                }
                Ok(())
            })
            .unwrap();
    }
    let entries = store.view(|view| view.partitions()).unwrap();
    store.transact(|t| t.put_partition(entries[3].id, &secret(b"renamed"))).unwrap();
    let listed = store.view(|view| view.partitions()).unwrap();
    let found: Vec<&[u8]> = listed.iter().map(|entry| entry.meta.expose()).collect();
    let mut expected: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
    expected[3] = b"renamed";
    assert_eq!(found, expected);
}

#[test]
fn a_failed_transaction_changes_nothing() {
    let t = token(10);
    let before = t.medium.dump();
    let id = t.store.new_record_id().unwrap();
    let failed = t.store.transact(|x| {
        x.put_record(t.partition, id, Visibility::Public, None, &secret(b"half of a pair"))?;
        x.delete_record(t.partition, id)?;
        x.delete_record(t.partition, RecordId([1; 16]))
    });
    assert!(matches!(failed, Err(StoreError::NoRecord)));
    t.medium.set_full(true);
    let full = t.store.transact(|x| x.put_record(t.partition, id, Visibility::Public, None, &secret(b"x")));
    assert!(matches!(full, Err(StoreError::Full { .. })));
    assert_eq!(t.medium.dump(), before);
}

#[test]
fn an_empty_transaction_commits_nothing() {
    let t = token(10);
    let (commits, generation) = (t.medium.commits(), t.store.generation().unwrap());
    let ((), after) = t.store.transact(|x| x.delete_role(t.partition, SO)).unwrap();
    assert_eq!((t.medium.commits(), after), (commits, generation));
}

#[test]
fn reads_inside_a_transaction_see_the_state_before_it() {
    let t = token(10);
    let id = t.store.new_record_id().unwrap();
    t.store
        .transact(|x| {
            x.put_record(t.partition, id, Visibility::Public, None, &secret(b"x"))?;
            assert!(x.record(t.partition, id, None)?.is_none());
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_a_transaction_made_can_be_used_in_it() {
    let store = open_on(Memory::new());
    let id = store.new_record_id().unwrap();
    let (partition, _) = store
        .transact(|x| {
            let partition = x.create_partition(&secret(b"new"))?;
            x.put_record(partition, id, Visibility::Public, None, &secret(b"first"))?;
            let gone = x.create_partition(&secret(b"gone"))?;
            x.put_record(gone, id, Visibility::Public, None, &secret(b"gone"))?;
            x.delete_partition(gone)?;
            Ok(partition)
        })
        .unwrap();
    let (partitions, records) = store.view(|v| Ok((v.partitions()?, v.records(partition, None)?))).unwrap();
    assert_eq!((partitions.len(), records.len()), (1, 1));
}

#[test]
fn what_has_no_partition_is_refused() {
    let t = token(10);
    let nowhere = PartitionId([9; 16]);
    let id = t.store.new_record_id().unwrap();
    let role = t.store.prepare_role(nowhere, USER, &secret(b"1234"), &t.key, 3).unwrap();
    let mut role = Some(role);
    let answers = [
        t.store.transact(|x| x.put_partition(nowhere, &secret(b"x"))),
        t.store.transact(|x| x.clear_partition(nowhere)),
        t.store.transact(|x| x.delete_partition(nowhere)),
        t.store.transact(|x| x.put_role(role.take().unwrap())),
        t.store.transact(|x| x.delete_role(nowhere, USER)),
        t.store.transact(|x| x.put_record(nowhere, id, Visibility::Public, None, &secret(b"x"))),
        t.store.view(|v| v.partition(nowhere)).map(|_| ((), 0)),
        t.store.login(nowhere, USER, &secret(b"1234")).map(|_| ((), 0)),
    ];
    for answer in answers {
        assert!(matches!(answer, Err(StoreError::NoPartition)), "{answer:?}");
    }
}

#[test]
fn a_private_record_without_its_key_is_refused() {
    let t = token(10);
    let id = t.store.new_record_id().unwrap();
    let answer = t.store.transact(|x| x.put_record(t.partition, id, Visibility::Private, None, &secret(b"x")));
    assert!(matches!(answer, Err(StoreError::Damaged { .. })));
}

#[test]
fn too_large_a_content_is_refused_with_both_sizes() {
    let t = token(10);
    let id = t.store.new_record_id().unwrap();
    let large = secret(&vec![0; token_store::transaction::CONTENT_BYTES_MAX + 1]);
    let answer = t.store.transact(|x| x.put_record(t.partition, id, Visibility::Public, None, &large));
    assert!(matches!(answer, Err(StoreError::TooLarge { bytes, bytes_max }) if bytes == bytes_max + 1), "{answer:?}");
}

#[test]
fn clearing_takes_records_and_roles_and_leaves_the_neighbours() {
    let t = token(10);
    let (other, _) = add_partition(&t.store, 10);
    put_public(&t.store, t.partition, b"one");
    put_public(&t.store, other, b"two");
    t.store.transact(|x| x.clear_partition(t.partition)).unwrap();
    t.store
        .view(|v| {
            assert_eq!(v.partition(t.partition)?.meta, secret(b"meta"));
            assert_eq!((v.records(t.partition, None)?.len(), v.role(t.partition, USER)?), (0, None));
            assert_eq!((v.records(other, None)?.len(), v.role(other, USER)?.is_some()), (1, true));
            Ok(())
        })
        .unwrap();
    t.store.transact(|x| x.delete_partition(t.partition)).unwrap();
    assert_eq!(t.store.view(|v| v.partitions()).unwrap().len(), 1);
}

#[test]
fn every_flipped_byte_of_a_record_is_noticed_and_hides_nothing_else() {
    let t = token(10);
    let id = put_public(&t.store, t.partition, b"content");
    let other = put_public(&t.store, t.partition, b"other");
    let key = record_key(t.partition, id);
    let good = t.medium.dump()[&key].clone();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        t.medium.tamper(&key, Some(bad));
        t.store
            .view(|v| {
                // Offset 3 is the visibility: the record then claims to be private, which its seal contradicts.
                let found = content(v.record(t.partition, id, Some(&t.key))?);
                assert_eq!(found, Some(Err("damaged")), "byte {at}");
                assert_eq!(v.records(t.partition, Some(&t.key))?.len(), 2);
                assert_eq!(content(v.record(t.partition, other, None)?), Some(Ok(b"other".to_vec())));
                Ok(())
            })
            .unwrap();
    }
    for cut in 0..good.len() {
        t.medium.tamper(&key, Some(good[..cut].to_vec()));
        let found = t.store.view(|v| v.record(t.partition, id, Some(&t.key))).unwrap();
        assert_eq!(content(found), Some(Err("damaged")), "cut to {cut} bytes");
    }
}

/// Values of every kind, each byte of them: nothing may panic, and nothing of another value may be lost but what needs it.
#[test]
fn no_byte_of_any_value_can_make_the_store_panic_or_open_wrongly() {
    let t = token(10);
    let public = put_public(&t.store, t.partition, b"public");
    let private = t.store.new_record_id().unwrap();
    t.store
        .transact(|x| x.put_record(t.partition, private, Visibility::Private, Some(&t.key), &secret(b"private")))
        .unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    for (key, good) in t.medium.dump() {
        kinds.insert(key[0]);
        let flips = (0..good.len()).flat_map(|at| [1, 0x80, 0xFF].map(|bits| (at, bits)));
        let flipped = flips.map(|(at, bits)| {
            let mut bad = good.clone();
            bad[at] ^= bits;
            bad
        });
        let cut = (0..good.len()).map(|bytes| good[..bytes].to_vec());
        let longer = [[&good[..], &[0]].concat()];
        for bad in flipped.chain(cut).chain(longer) {
            t.medium.tamper(&key, Some(bad.clone()));
            let opened = Store::open(Box::new(t.medium.clone()), &device_key(7), std::sync::Arc::new(System), CHEAP);
            assert_eq!(opened.is_err(), key == b"h", "key {key:?}, value {bad:?}");
            let Ok(store) = opened else { continue };
            let partitions = store.view(|v| v.partitions()).unwrap();
            assert_eq!((partitions.len(), partitions[0].damaged), (1, key[0] == b'p'));
            let entries = store.view(|v| v.records(t.partition, Some(&t.key))).unwrap();
            let open = entries.iter().filter(|entry| matches!(entry.content, RecordContent::Open(_))).count();
            assert_eq!((entries.len(), open), (2, if key[0] == b'o' { 1 } else { 2 }));
            assert_eq!(store.login(t.partition, USER, &secret(b"1234")).is_err(), key[0] == b'r');
            let changes = store.view(|v| v.changes_since(1)).unwrap();
            assert_eq!(changes == Changes::Everything, key[0] == b'c', "key {key:?}");
        }
        t.medium.tamper(&key, Some(good));
    }
    assert_eq!(kinds, b"hproc".iter().copied().collect(), "a kind was not tried");
    assert!(t.store.view(|v| v.record(t.partition, public, None)).unwrap().is_some());
}

#[test]
fn swapped_or_moved_records_do_not_open() {
    let t = token(10);
    let (other_partition, _) = add_partition(&t.store, 10);
    let (a, b) = (put_public(&t.store, t.partition, b"a"), put_public(&t.store, t.partition, b"b"));
    let dump = t.medium.dump();
    let value = |id| Some(dump[&record_key(t.partition, id)].clone());
    t.medium.tamper(&record_key(t.partition, a), value(b));
    t.medium.tamper(&record_key(t.partition, b), value(a));
    t.medium.tamper(&record_key(other_partition, a), value(a));
    t.store
        .view(|v| {
            assert_eq!(content(v.record(t.partition, a, None)?), Some(Err("damaged")));
            assert_eq!(content(v.record(t.partition, b, None)?), Some(Err("damaged")));
            assert_eq!(content(v.record(other_partition, a, None)?), Some(Err("damaged")));
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_damaged_partition_keeps_its_place_and_blocks_no_other() {
    let t = token(10);
    let (other, _) = add_partition(&t.store, 10);
    let key = [&b"p"[..], &t.partition.0].concat();
    let mut bad = t.medium.dump()[&key].clone();
    *bad.last_mut().unwrap() ^= 1;
    t.medium.tamper(&key, Some(bad));
    let listed = t.store.view(|v| v.partitions()).unwrap();
    let found: Vec<_> = listed.iter().map(|entry| (entry.id, entry.damaged, entry.meta.len())).collect();
    assert_eq!(found, [(t.partition, true, 0), (other, false, 4)]);
    t.store.login(other, USER, &secret(b"1234")).unwrap();
    // It can be made good again.
    t.store.transact(|x| x.put_partition(t.partition, &secret(b"again"))).unwrap();
    assert!(!t.store.view(|v| v.partition(t.partition)).unwrap().damaged);
}

#[test]
fn another_device_key_is_refused_at_once() {
    let t = token(10);
    let opened = Store::open(Box::new(t.medium), &device_key(8), std::sync::Arc::new(System), CHEAP);
    let text = opened.err().map(|error| error.to_string()).unwrap();
    assert!(text.contains("another device key"), "{text}");
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let t = token(10);
    let mut header = t.medium.dump()[&b"h"[..]].clone();
    header[1] = 3;
    t.medium.tamper(b"h", Some(header));
    let before = t.medium.dump();
    let again = Store::open(Box::new(t.medium.clone()), &device_key(7), std::sync::Arc::new(System), CHEAP);
    assert!(matches!(again, Err(StoreError::FormatVersion { found: 3, known: 2 })));
    let running = t.store.transact(|x| x.create_partition(&secret(b"x")));
    assert!(matches!(running, Err(StoreError::FormatVersion { found: 3, known: 2 })));
    assert_eq!(t.medium.dump(), before);
}

#[test]
fn a_store_without_its_header_gets_no_new_one() {
    let t = token(10);
    t.medium.tamper(b"h", None);
    let again = Store::open(Box::new(t.medium.clone()), &device_key(7), std::sync::Arc::new(System), CHEAP);
    assert!(matches!(again, Err(StoreError::Damaged { .. })));
    assert!(!t.medium.dump().contains_key(&b"h"[..]));
}

#[test]
fn a_store_that_was_replaced_underneath_is_noticed() {
    let (t, other) = (token(10), token(10));
    t.medium.tamper(b"h", Some(other.medium.dump()[&b"h"[..]].clone()));
    let answer = t.store.view(|v| v.partitions());
    assert!(matches!(answer, Err(StoreError::Damaged { .. })), "{answer:?}");
}

#[test]
fn changes_name_what_was_written_or_deleted_once() {
    let t = token(10);
    let start = t.store.generation().unwrap();
    let id = put_public(&t.store, t.partition, b"1");
    t.store.transact(|x| x.put_record(t.partition, id, Visibility::Public, None, &secret(b"2"))).unwrap();
    t.store.transact(|x| x.put_partition(t.partition, &secret(b"m"))).unwrap();
    set_pin(&t.store, t.partition, &t.key, b"5678", 10);
    t.store.transact(|x| x.delete_record(t.partition, id)).unwrap();
    let since = |generation| t.store.view(|v| v.changes_since(generation)).unwrap();
    let all = vec![Change::Partition(t.partition), Change::Role(t.partition, USER), Change::Record(t.partition, id)];
    assert_eq!(since(start), Changes::Only(all));
    assert_eq!(since(start + 4), Changes::Only(vec![Change::Record(t.partition, id)]));
    assert_eq!(since(start + 5), Changes::Only(vec![]));
    assert_eq!(since(start + 6), Changes::Everything, "a generation from the future");
}

#[test]
fn the_change_list_goes_back_1024_generations_and_no_further() {
    let t = token(10);
    let start = t.store.generation().unwrap();
    for _ in 0..1025 {
        t.store.transact(|x| x.put_partition(t.partition, &secret(b"again"))).unwrap();
    }
    let since = |generation| t.store.view(|v| v.changes_since(generation)).unwrap();
    assert_eq!(since(start), Changes::Everything);
    assert_eq!(since(start + 1), Changes::Only(vec![Change::Partition(t.partition)]));
    assert_eq!(t.medium.dump().keys().filter(|key| key.starts_with(b"c")).count(), 1024);
}

#[test]
fn a_damaged_change_list_means_everything() {
    let t = token(10);
    let start = t.store.generation().unwrap();
    put_public(&t.store, t.partition, b"1");
    let key = [&b"c"[..], &(start + 1).to_be_bytes()].concat();
    let mut bad = t.medium.dump()[&key].clone();
    *bad.last_mut().unwrap() ^= 1;
    t.medium.tamper(&key, Some(bad));
    assert_eq!(t.store.view(|v| v.changes_since(start)).unwrap(), Changes::Everything);
}

#[test]
fn an_examination_names_what_lost_its_partition_and_leaves_a_whole_store_alone() {
    let t = token(10);
    let id = put_public(&t.store, t.partition, b"content");
    let found = t.store.view(|view| view.examine(&[])).unwrap();
    assert!(found.flaws.is_empty() && found.values > 3, "{found:?}");
    t.medium.tamper(&[&b"p"[..], &t.partition.0].concat(), None);
    let found = t.store.view(|view| view.examine(&[])).unwrap().flaws;
    let orphaned = |place| Flaw { place, damage: Damage::Orphaned };
    assert_eq!(found, [orphaned(Place::Role(t.partition, USER)), orphaned(Place::Record(t.partition, id))]);
}

#[test]
fn an_examination_says_of_a_value_that_is_not_its_own_where_it_is_from() {
    let t = token(10);
    let (one, two) = (put_public(&t.store, t.partition, b"one"), put_public(&t.store, t.partition, b"two"));
    let key = |id| record_key(t.partition, id);
    let values = t.medium.dump();
    t.medium.tamper(&key(one), Some(values[&key(two)].clone()));
    t.medium.tamper(&key(two), Some(values[&[&b"r"[..], &t.partition.0, &[USER.0]].concat()].clone()));
    let found = t.store.view(|view| view.examine(&[])).unwrap().flaws;
    let place = |id| Place::Record(t.partition, id);
    let mut expected = [
        Flaw { place: place(one), damage: Damage::Moved(place(two)) },
        Flaw { place: place(two), damage: Damage::Cut },
    ];
    expected.sort_by_key(|flaw| flaw.place);
    assert_eq!(found, expected);
}
