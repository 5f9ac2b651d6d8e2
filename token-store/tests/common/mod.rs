//! What the tests of the store share: a device key, randomness, a cheap PIN cost.

#![allow(dead_code, reason = "each test program uses its own part")]

use hsm_crypto::kdf::Argon2Cost;
use hsm_crypto::{CryptoError, Random, SecretBytes};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use token_store::medium::{Memory, SledMedium};
use token_store::{DeviceKey, Medium, PartitionId, PartitionKey, RoleId, Store, Visibility};

pub const CHEAP: Argon2Cost = Argon2Cost { memory_kib: 8, passes: 1, lanes: 1 };
pub const USER: RoleId = RoleId(1);
pub const SO: RoleId = RoleId(0);

pub struct System;

impl Random for System {
    fn fill(&self, out: &mut [u8]) -> hsm_crypto::Result<()> {
        getrandom::fill(out).map_err(|_| CryptoError::RandomFailed)
    }
}

pub fn device_key(byte: u8) -> DeviceKey {
    DeviceKey::new(SecretBytes::new(vec![byte; 32])).unwrap()
}

pub fn open_on(medium: impl Medium + 'static) -> Store {
    Store::open(Box::new(medium), &device_key(7), Arc::new(System), CHEAP).unwrap()
}

pub fn secret(bytes: &[u8]) -> SecretBytes {
    SecretBytes::copy_of(bytes)
}

/// A store in memory with one partition whose user has the PIN "1234".
pub struct Token {
    pub medium: Memory,
    pub store: Store,
    pub partition: PartitionId,
    pub key: PartitionKey,
}

pub fn token(failed_max: u32) -> Token {
    let medium = Memory::new();
    let store = open_on(medium.clone());
    let (partition, key) = add_partition(&store, failed_max);
    Token { medium, store, partition, key }
}

/// Adds a partition whose user has the PIN "1234".
pub fn add_partition(store: &Store, failed_max: u32) -> (PartitionId, PartitionKey) {
    let key = store.new_partition_key().unwrap();
    let (partition, _) = store.transact(|t| t.create_partition(&secret(b"meta"))).unwrap();
    set_pin(store, partition, &key, b"1234", failed_max);
    (partition, key)
}

pub fn set_pin(store: &Store, partition: PartitionId, key: &PartitionKey, pin: &[u8], failed_max: u32) {
    let role = store.prepare_role(partition, USER, &secret(pin), key, failed_max).unwrap();
    let mut role = Some(role);
    store.transact(|t| t.put_role(role.take().unwrap())).unwrap();
}

pub fn put_public(store: &Store, partition: PartitionId, content: &[u8]) -> token_store::RecordId {
    let id = store.new_record_id().unwrap();
    store.transact(|t| t.put_record(partition, id, Visibility::Public, None, &secret(content))).unwrap();
    id
}

/// An empty folder that a store may lie in.
pub fn private_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    folder
}

/// Opens the store in `folder` with the key of the tests.
pub fn open_in(folder: &Path) -> Store {
    open_on(SledMedium::open(folder).unwrap())
}

/// Runs the test `name` of this program in another process, with `args` in the environment.
pub fn child(name: &str, args: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, args);
    command
}

/// The arguments of a child; `None` in the parent, where the tests named in `child` do nothing.
pub fn child_args() -> Option<Vec<String>> {
    let args = std::env::var(CHILD).ok()?;
    Some(args.split('|').map(str::to_owned).collect())
}

/// The lines a child printed that begin with `mark`, without it.
pub fn marked<'a>(output: &'a [u8], mark: &str) -> Vec<&'a str> {
    let text = std::str::from_utf8(output).unwrap();
    text.lines().filter_map(|line| Some(line.split_once(mark)?.1)).collect()
}

pub fn id_from(hex: &str) -> [u8; 16] {
    u128::from_str_radix(hex, 16).unwrap().to_be_bytes()
}

pub fn hex(id: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(id))
}

const CHILD: &str = "TOKEN_STORE_TEST_CHILD";
