//! The documented bytes (docs/format.md), decoded here with code of its own: nothing of the writer is used.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::*;
use hsm_crypto::aead::SealKey;
use hsm_crypto::kdf::{Argon2Cost, argon2id, hkdf_sha256};
use hsm_crypto::{Random, SecretBytes};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use token_store::medium::Memory;
use token_store::{
    Backup, Change, Changes, DeviceKey, Medium, PartitionId, Placement, RecordContent, RecordId, RoleId, Store,
    Visibility,
};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// The store of "Example" in the document, one line a key: key, blank, value, in hexadecimal.
const FIXTURE: &str = include_str!("fixture/v1.txt");

const STORE: [u8; 16] = counted(0xA0);
const PARTITION: [u8; 16] = counted(0xB0);
const PUBLIC: [u8; 16] = counted(0xC0);
const PRIVATE: [u8; 16] = counted(0xD0);
const SALT: [u8; 16] = counted(0x50);
const PARTITION_KEY: [u8; 32] = counted(0xE0);

const fn counted<const N: usize>(first: u8) -> [u8; N] {
    let mut bytes = [0; N];
    let mut at = 0;
    while at < N {
        bytes[at] = first.wrapping_add(at as u8);
        at += 1;
    }
    bytes
}

/// Ids, salt and partition key in the order in which the example asks for them; nonces count.
struct Script {
    ids: Mutex<Vec<[u8; 16]>>,
    nonces: AtomicU8,
}

impl Random for Script {
    fn fill(&self, out: &mut [u8]) -> hsm_crypto::Result<()> {
        match out.len() {
            16 => out.copy_from_slice(&self.ids.lock().unwrap().remove(0)),
            32 => out.copy_from_slice(&PARTITION_KEY),
            12 => out.fill(self.nonces.fetch_add(1, Ordering::SeqCst)),
            other => panic!("nobody asks for {other} bytes"),
        }
        Ok(())
    }
}

/// Writes the example with the crate itself.
fn written() -> Map {
    written_store().0.dump()
}

fn written_store() -> (Memory, Store) {
    let script = Script { ids: Mutex::new(vec![STORE, PARTITION, SALT, PUBLIC, PRIVATE]), nonces: AtomicU8::new(1) };
    let medium = Memory::new();
    let device = DeviceKey::new(SecretBytes::new(counted::<32>(0).to_vec())).unwrap();
    let store = Store::open(Box::new(medium.clone()), &device, Arc::new(script), CHEAP).unwrap();
    let key = store.new_partition_key().unwrap();
    let (partition, _) = store.transact(|t| t.create_partition(&secret(b"first token"))).unwrap();
    set_pin(&store, partition, &key, b"1234", 10);
    assert!(store.login(partition, USER, &secret(b"wrong")).is_err());
    let (public, private) = (store.new_record_id().unwrap(), store.new_record_id().unwrap());
    store
        .transact(|t| {
            t.put_record(partition, public, Visibility::Public, None, &secret(b"a certificate"))?;
            t.put_record(partition, private, Visibility::Private, Some(&key), &secret(b"a private key"))
        })
        .unwrap();
    (medium, store)
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "{hex}");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn fixture() -> Map {
    let lines = FIXTURE.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').unwrap()).map(|(key, value)| (bytes_of(key), bytes_of(value))).collect()
}

/// `derive` of the document.
fn derive(key: &[u8], purpose: &str, bound_to: &[&[u8]]) -> SealKey {
    let info = [purpose.as_bytes(), &bound_to.concat()].concat();
    SealKey::new(hkdf_sha256(key, b"", &info, 32).unwrap()).unwrap()
}

/// Opens a value as the document says; `clear` is the length of its clear part. Answers the clear part and the content.
fn open(map: &Map, map_key: &[u8], kind: u8, seal: u8, clear: usize, key: &SealKey) -> (Vec<u8>, Vec<u8>) {
    let value = &map[map_key];
    assert_eq!(value[..4], [0, 1, kind, seal], "version, kind, seal");
    let (front, rest) = value.split_at(4 + clear);
    let (nonce, body) = rest.split_at(12);
    let associated = [front, &STORE, map_key].concat();
    let content = key.open(nonce.try_into().unwrap(), &associated, body).unwrap();
    (front[4..].to_vec(), content.expose().to_vec())
}

/// Checks every value of the example against the document.
fn check(map: &Map) {
    let device = counted::<32>(0);
    let purpose = |name| derive(&device, name, &[&STORE]);
    assert_eq!(map.len(), 9, "header, partition, role, two records, four change lists");

    let (clear, content) = open(map, b"h", 1, 0, 16, &purpose("perilune/1/header"));
    assert_eq!((clear.as_slice(), content.as_slice()), (&STORE[..], &b"perilune"[..]));

    let partition_key = [b"p", &PARTITION[..]].concat();
    let (clear, content) = open(map, &partition_key, 2, 0, 8, &purpose("perilune/1/partition"));
    assert_eq!((clear.as_slice(), content.as_slice()), (&[0, 0, 0, 0, 0, 0, 0, 1][..], &b"first token"[..]));

    let record_key = |id: [u8; 16]| [b"o", &PARTITION[..], &id].concat();
    let (_, content) = open(map, &record_key(PUBLIC), 4, 0, 0, &purpose("perilune/1/public"));
    assert_eq!(content, b"a certificate");
    let private = derive(&check_role(map, &purpose), "perilune/1/private", &[&STORE, &PARTITION]);
    let (_, content) = open(map, &record_key(PRIVATE), 4, 1, 0, &private);
    assert_eq!(content, b"a private key");

    let role_entry = [&[2][..], &PARTITION, &[1]].concat();
    let lists = [
        (2, [&[1][..], &PARTITION].concat()),
        (3, role_entry.clone()),
        (4, role_entry),
        (5, [&[3][..], &PARTITION, &PUBLIC, &[3], &PARTITION, &PRIVATE].concat()),
    ];
    for (generation, expected) in lists {
        let key = [&b"c"[..], &u64::to_be_bytes(generation)].concat();
        let (_, content) = open(map, &key, 5, 0, 0, &purpose("perilune/1/changes"));
        assert_eq!(content, expected, "generation {generation}");
    }
}

/// Checks the role and unwraps the partition key with the PIN.
fn check_role(map: &Map, purpose: &dyn Fn(&'static str) -> SealKey) -> Vec<u8> {
    let map_key = [b"r", &PARTITION[..], &[1]].concat();
    let (_, role) = open(map, &map_key, 3, 0, 0, &purpose("perilune/1/role"));
    assert_eq!(role.len(), 96);
    assert_eq!(role[..16], SALT);
    let number = |at: usize| u32::from_be_bytes(role[at..at + 4].try_into().unwrap());
    // Cost 8 KiB, 1 pass, 1 lane; one failed login of ten.
    assert_eq!([number(16), number(20), number(24), number(28), number(32)], [8, 1, 1, 1, 10]);
    let cost = Argon2Cost { memory_kib: number(16), passes: number(20), lanes: number(24) };
    let stretched = argon2id(b"1234", &role[..16], cost).unwrap();
    let info = [&b"perilune/1/wrap"[..], &STORE, &map_key].concat();
    let pin_key = purpose("perilune/1/pin");
    let wrap = SealKey::new(hkdf_sha256(stretched.expose(), pin_key.expose(), &info, 32).unwrap()).unwrap();
    let associated = [&[0, 1, 6, 2][..], &STORE, &map_key].concat();
    let key = wrap.open(role[36..48].try_into().unwrap(), &associated, &role[48..]).unwrap();
    assert_eq!(key.expose(), PARTITION_KEY);
    key.expose().to_vec()
}

#[test]
fn the_fixture_decodes_as_the_document_says() {
    check(&fixture());
}

#[test]
fn what_is_written_today_decodes_as_the_document_says() {
    check(&written());
}

#[test]
fn what_is_written_today_is_the_fixture_to_the_byte() {
    let lines: Vec<String> =
        written().iter().map(|(key, value)| format!("{} {}", hex_of(key), hex_of(value))).collect();
    let stored: Vec<&str> = FIXTURE.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines, stored, "\n{}", lines.join("\n"));
}

#[test]
fn a_store_of_version_1_opens_for_ever() {
    let medium = Memory::new();
    medium
        .transact(&mut |_, batch| {
            batch.changes = fixture().into_iter().map(|(key, value)| (key, Some(value))).collect();
            Ok(())
        })
        .unwrap();
    let device = DeviceKey::new(SecretBytes::new(counted::<32>(0).to_vec())).unwrap();
    let store = Store::open(Box::new(medium), &device, Arc::new(System), CHEAP).unwrap();
    let partition = PartitionId(PARTITION);
    let key = store.login(partition, RoleId(1), &secret(b"1234")).unwrap();
    let entries = store.view(|v| v.records(partition, Some(&key))).unwrap();
    let found: Vec<_> = entries.iter().map(|entry| (entry.id, entry.visibility, content(&entry.content))).collect();
    let expected = [
        (RecordId(PUBLIC), Visibility::Public, &b"a certificate"[..]),
        (RecordId(PRIVATE), Visibility::Private, b"a private key"),
    ];
    assert_eq!(found, expected);
    let changes = store.view(|v| v.changes_since(1)).unwrap();
    assert!(matches!(changes, Changes::Only(list) if list.contains(&Change::Role(partition, RoleId(1)))));
}

/// The backup of "Example", 32 bytes a line.
const BACKUP: &str = include_str!("fixture/backup-v1.txt");

#[test]
fn the_backup_of_the_example_is_the_fixture_to_the_byte() {
    let (_, store) = written_store();
    let (backup, left_out) = store.export(1, |_| Ok(vec![PartitionId(PARTITION)])).unwrap();
    assert!(left_out.is_empty());
    let mut bytes = Vec::new();
    backup.write(&mut bytes).unwrap();
    let lines: Vec<String> = bytes.chunks(32).map(hex_of).collect();
    let stored: Vec<&str> = BACKUP.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines, stored, "\n{}", lines.join("\n"));
}

#[test]
fn the_backup_of_the_example_decodes_as_the_document_says() {
    let bytes: Vec<u8> = BACKUP.lines().filter(|line| !line.starts_with('#')).flat_map(bytes_of).collect();
    let mut rest = bytes.as_slice();
    let mut take = |count: usize| {
        let (now, later) = rest.split_at(count);
        rest = later;
        now
    };
    assert_eq!(take(15), b"perilune backup");
    assert_eq!(take(2), [0, 1]);
    assert_eq!(take(16), STORE);
    assert_eq!(take(8), [0, 0, 0, 0, 0, 0, 0, 5]);
    assert_eq!(take(8), [0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(take(2), [0, 1], "one partition");
    assert_eq!((take(16), take(16)), (&STORE[..], &PARTITION[..]));
    let device = counted::<32>(0);
    assert_eq!(take(32), derive(&device, "perilune/1/pin", &[&STORE]).expose());
    assert_eq!((take(4), take(11)), (&[0, 0, 0, 11][..], &b"first token"[..]));
    assert_eq!((take(2), take(1)), (&[0, 1][..], &[1][..]), "one role, number 1");
    let map = fixture();
    let role_key = [b"r", &PARTITION[..], &[1]].concat();
    let (_, role) = open(&map, &role_key, 3, 0, 0, &derive(&device, "perilune/1/role", &[&STORE]));
    assert_eq!(take(96), role);
    assert_eq!(take(4), [0, 0, 0, 2], "two records");
    assert_eq!((take(16), take(1)), (&PUBLIC[..], &[0][..]));
    assert_eq!((take(4), take(13)), (&[0, 0, 0, 13][..], &b"a certificate"[..]));
    assert_eq!((take(16), take(1)), (&PRIVATE[..], &[1][..]));
    let private = &map[&[b"o", &PARTITION[..], &PRIVATE].concat()];
    assert_eq!(take(4), u32::try_from(private.len()).unwrap().to_be_bytes());
    assert_eq!(take(private.len()), private.as_slice());
    assert!(rest.is_empty());
}

/// Whatever later programs do, this backup comes back.
#[test]
fn a_backup_of_version_1_is_restored_for_ever() {
    let bytes: Vec<u8> = BACKUP.lines().filter(|line| !line.starts_with('#')).flat_map(bytes_of).collect();
    let backup = Backup::read(&mut bytes.as_slice()).unwrap();
    let medium = Memory::new();
    let store = open_on(medium.clone());
    let placement = || Placement { meta: secret(b"second token"), replaces: None };
    let ids = store.restore(&[&backup.partitions[0]], |_| Ok(Ok::<_, ()>(vec![placement()]))).unwrap().unwrap();
    let key = store.login(ids[0], RoleId(1), &secret(b"1234")).unwrap();
    let entries = store.view(|v| v.records(ids[0], Some(&key))).unwrap();
    let found: Vec<_> = entries.iter().map(|entry| content(&entry.content)).collect();
    assert_eq!(found, [&b"a certificate"[..], b"a private key"]);
    check_restored(&medium.dump(), ids[0]);
}

/// What stands in the map after a restore: header of version 2, origin, and a private record as it was.
fn check_restored(map: &Map, restored: PartitionId) {
    let header = &map[&b"h"[..]];
    assert_eq!(header[..4], [0, 2, 1, 0], "a store with origins");
    let store = &header[4..20];
    let key = [b"g", &restored.0[..]].concat();
    let value = &map[&key];
    assert_eq!(value[..4], [0, 1, 7, 0]);
    let origin_key = derive(&[7; 32], "perilune/1/origin", &[store]);
    let associated = [&value[..4], store, &key].concat();
    let origin = origin_key.open(value[4..16].try_into().unwrap(), &associated, &value[16..]).unwrap();
    let pin_key = derive(&counted::<32>(0), "perilune/1/pin", &[&STORE]);
    assert_eq!(origin.expose(), [&STORE[..], &PARTITION, pin_key.expose()].concat());
    let private = [b"o", &restored.0[..], &PRIVATE].concat();
    assert_eq!(map[&private], fixture()[&[b"o", &PARTITION[..], &PRIVATE].concat()]);
}

fn content(content: &RecordContent) -> &[u8] {
    let RecordContent::Open(bytes) = content else { panic!("{content:?}") };
    bytes.expose()
}
