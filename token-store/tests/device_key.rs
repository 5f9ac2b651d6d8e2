//! The device key's file: made once, whole, private.

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
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Barrier;
use token_store::medium::Memory;
use token_store::{DeviceKey, Store, StoreError};

fn refusal(path: &Path) -> String {
    match DeviceKey::load_or_create(path, &System).err() {
        Some(StoreError::Unsafe { problem, .. }) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_key_is_made_once_with_its_folders_and_read_again() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("a/b/device.key");
    assert!(DeviceKey::load(&path).unwrap().is_none());
    let medium = Memory::new();
    let open = || {
        let key = DeviceKey::load_or_create(&path, &System).unwrap();
        Store::open(Box::new(medium.clone()), &key, std::sync::Arc::new(System), CHEAP)
    };
    open().unwrap();
    let bytes = fs::read(&path).unwrap();
    open().unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(bytes.len(), 32);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(parent.path().join("a")).unwrap().mode() & 0o7777, 0o700);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft stays behind");
}

#[test]
fn many_that_make_it_at_once_get_the_same_key() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("device.key");
    let medium = Memory::new();
    let start = Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                let key = DeviceKey::load_or_create(&path, &System).unwrap();
                // All of them open one store, which another key could not.
                Store::open(Box::new(medium.clone()), &key, std::sync::Arc::new(System), CHEAP).map(drop).unwrap();
            });
        }
    });
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
}

#[test]
fn wider_modes_links_and_wrong_lengths_are_refused_and_left_alone() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("device.key");
    fs::write(&path, [5; 32]).unwrap();
    for bad in [0o640, 0o604, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(bad)).unwrap();
        assert!(refusal(&path).contains("chmod 600"));
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(DeviceKey::load_or_create(&path, &System).is_ok());

    let link = parent.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(refusal(&link).contains("symbolic link"));
    symlink(parent.path().join("nowhere"), parent.path().join("dangling")).unwrap();
    assert!(refusal(&parent.path().join("dangling")).contains("symbolic link"));
    assert!(refusal(parent.path()).contains("is not a file"));

    for (length, expected) in [(0, "it has 0 bytes"), (31, "it has 31 bytes"), (33, "it has more bytes")] {
        let short = parent.path().join(format!("short-{length}"));
        fs::write(&short, vec![1; length]).unwrap();
        fs::set_permissions(&short, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(refusal(&short).contains(expected), "{length}");
        assert_eq!(fs::read(&short).unwrap().len(), length);
    }
}

#[test]
fn a_key_from_a_descriptor_is_read_to_its_end() {
    let name = Path::new("fd:7");
    assert!(DeviceKey::read_from(&mut &[9_u8; 32][..], name).is_ok());
    for wrong in [&[9_u8; 31][..], &[9; 33]] {
        let answer = DeviceKey::read_from(&mut &wrong[..], name).err();
        assert!(matches!(answer, Some(StoreError::Unsafe { path, .. }) if path == name));
    }
    assert!(DeviceKey::new(secret(&[1; 16])).is_err());
}
