//! From settings to an HSM on a store of its own: what is made, what is refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use hsm_platform::{DeviceKeyPlace, Environment, Settings, StartError, start};
use std::fs::{self, File, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The settings that hold in a home folder without any configuration.
fn settings(home: &Path) -> Settings {
    Settings::of(&Environment::of(&[("HOME", home)], &home.join("none.toml"))).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn refused(settings: &Settings, parts: &[&str]) {
    let text = match start(settings) {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    };
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

#[test]
fn the_first_start_makes_a_private_store_with_one_slot() {
    let home = tempfile::tempdir().unwrap();
    let settings = settings(home.path());
    let hsm = start(&settings).unwrap();
    assert_eq!(hsm.slots(true).unwrap().len(), 1);
    assert_eq!(mode(&settings.store), 0o700);
    let key = settings.store.join("device.key");
    assert_eq!(mode(&key), 0o600);
    assert_eq!(fs::metadata(&key).unwrap().len(), 32);
}

#[test]
fn a_second_start_finds_the_same_slot() {
    let home = tempfile::tempdir().unwrap();
    let settings = settings(home.path());
    let serial = || {
        let hsm = start(&settings).unwrap();
        let slot = hsm.slots(true).unwrap()[0];
        hsm.token_info(slot).unwrap().serial
    };
    assert_eq!(serial(), serial());
}

#[test]
fn a_lost_device_key_is_missed_and_not_replaced() {
    let home = tempfile::tempdir().unwrap();
    let settings = settings(home.path());
    drop(start(&settings).unwrap());
    let key = settings.store.join("device.key");
    fs::remove_file(&key).unwrap();
    refused(&settings, &["device.key", "is not there", "put it back"]);
    assert!(!key.exists());
}

#[test]
fn another_device_key_opens_nothing() {
    let home = tempfile::tempdir().unwrap();
    let settings = settings(home.path());
    drop(start(&settings).unwrap());
    fs::write(settings.store.join("device.key"), [7; 32]).unwrap();
    refused(&settings, &["belongs to another store"]);
}

#[test]
fn the_device_key_may_lie_elsewhere_or_come_from_a_descriptor() {
    let home = tempfile::tempdir().unwrap();
    let mut settings = settings(home.path());
    let elsewhere = home.path().join("keys/perilune.key");
    settings.device_key = DeviceKeyPlace::File(elsewhere.clone());
    drop(start(&settings).unwrap());
    assert!(!settings.store.join("device.key").exists());

    let file = File::open(&elsewhere).unwrap();
    let number = u32::try_from(file.as_raw_fd()).unwrap();
    settings.device_key = DeviceKeyPlace::Descriptor(number);
    assert_eq!(start(&settings).unwrap().slots(true).unwrap().len(), 1);
    assert_eq!(start(&settings).unwrap().slots(true).unwrap().len(), 1, "a file can be read again");
}

#[test]
fn a_descriptor_without_a_key_says_what_is_wrong() {
    let home = tempfile::tempdir().unwrap();
    let mut settings = settings(home.path());
    settings.device_key = DeviceKeyPlace::Descriptor(987_654);
    refused(&settings, &["fd:987654", "cannot be read", "987654< KEYFILE"]);
    assert!(matches!(start(&settings), Err(StartError::DeviceKey { .. })));

    let (reader, writer) = std::io::pipe().unwrap();
    drop(writer);
    settings.device_key = DeviceKeyPlace::Descriptor(u32::try_from(reader.as_raw_fd()).unwrap());
    refused(&settings, &["exactly 32 bytes", "a pipe gives them only once"]);
}

#[test]
fn a_store_that_others_can_reach_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let settings = settings(home.path());
    drop(start(&settings).unwrap());
    fs::set_permissions(&settings.store, Permissions::from_mode(0o750)).unwrap();
    refused(&settings, &[settings.store.to_str().unwrap()]);
    fs::set_permissions(&settings.store, Permissions::from_mode(0o700)).unwrap();
    let key = settings.store.join("device.key");
    fs::set_permissions(&key, Permissions::from_mode(0o640)).unwrap();
    refused(&settings, &[key.to_str().unwrap()]);
}

#[test]
fn root_uses_no_store_of_another_user_that_only_home_leads_to() {
    let home = tempfile::tempdir().unwrap();
    let by_home = settings(home.path());
    drop(start(&by_home).unwrap());
    if std::os::unix::fs::chown(&by_home.store, Some(65_534), None).is_err() {
        return; // Only root gives away, and only root is meant.
    }
    refused(&by_home, &["belongs to user 65534", "runs as root", "PERILUNE_CONF"]);
}
