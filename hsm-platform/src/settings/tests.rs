//! Which file counts, what is refused, and what holds without one.

use super::*;
use crate::environment::{XDG_CONFIG_HOME, XDG_DATA_HOME};
use ffi_headers::{
    CKV_AUTHORITY_TYPE_COMMON_CRITERIA, CKV_AUTHORITY_TYPE_NIST_CMVP, CKV_AUTHORITY_TYPE_UNSPECIFIED, CKV_TYPE_HYBRID,
    CKV_TYPE_SOFTWARE,
};
use hsm_core::validation::Validation;
use std::os::unix::fs::PermissionsExt;

/// A folder with places for every file that could count.
struct Places {
    root: tempfile::TempDir,
}

impl Places {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }
    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.at(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        path
    }
    fn load(&self, variables: &[(&str, &str)]) -> Result<Settings, StartError> {
        let variables: Vec<(&str, PathBuf)> = variables
            .iter()
            .map(|(name, value)| (*name, if *name == PERILUNE_LOG { PathBuf::from(value) } else { self.at(value) }))
            .collect();
        let variables: Vec<(&str, &Path)> = variables.iter().map(|(name, path)| (*name, path.as_path())).collect();
        Settings::of(&Environment::of(&variables, &self.at("etc/perilune.toml")))
    }
}

fn refused(result: Result<Settings, StartError>, parts: &[&str]) {
    let text = result.unwrap_err().to_string();
    for part in parts {
        assert!(text.contains(part), "{text:?} lacks {part:?}");
    }
}

#[test]
fn without_any_file_the_defaults_hold() {
    let places = Places::new();
    let settings = places.load(&[(HOME, "h")]).unwrap();
    let store = places.at("h/.local/share/perilune");
    assert_eq!(settings.file, None);
    assert_eq!(settings.device_key, DeviceKeyPlace::File(store.join("device.key")));
    assert_eq!(settings.store, store);
    assert_eq!(settings.hsm, hsm_core::Config::default());
    assert_eq!(settings.kdf, Argon2Cost { memory_kib: 19456, passes: 2, lanes: 1 });
    assert_eq!(settings.lock_wait, Duration::from_secs(10));
    assert_eq!(settings.log, None);
}

#[test]
fn the_named_file_goes_before_the_users_and_the_users_before_the_systems() {
    let places = Places::new();
    let system = places.write("etc/perilune.toml", "store = \"/of-system\"");
    let all = [(PERILUNE_CONF, "named.toml"), (XDG_CONFIG_HOME, "c"), (HOME, "h")];
    assert_eq!(places.load(&all[1..]).unwrap().file, Some(system));

    let home = places.write("h/.config/perilune/perilune.toml", "store = \"/of-home\"");
    assert_eq!(places.load(&all[2..]).unwrap().file, Some(home));

    let user = places.write("c/perilune/perilune.toml", "store = \"/of-user\"");
    assert_eq!(places.load(&all[1..]).unwrap().file, Some(user));

    let named = places.write("named.toml", "store = \"of-named\"");
    let settings = places.load(&all).unwrap();
    assert_eq!(settings.file, Some(named));
    assert_eq!(settings.store, places.at("of-named"));
    assert_eq!(settings.device_key, DeviceKeyPlace::File(places.at("of-named/device.key")));
}

#[test]
fn a_named_file_that_is_missing_is_an_error_and_nothing_else_is_read() {
    let places = Places::new();
    places.write("etc/perilune.toml", "");
    refused(places.load(&[(PERILUNE_CONF, "gone.toml"), (HOME, "h")]), &["gone.toml", "PERILUNE_CONF names it"]);
    refused(places.load(&[(PERILUNE_CONF, "etc"), (HOME, "h")]), &["etc", "is not a regular file"]);
}

#[test]
fn an_error_in_a_file_names_file_line_and_key() {
    let places = Places::new();
    places.write("named.toml", "\n[pin]\nbytes_min = 3\n");
    refused(places.load(&[(PERILUNE_CONF, "named.toml"), (HOME, "h")]), &["named.toml", "line 3, pin.bytes_min"]);
    places.write("etc/perilune.toml", "stor = 1");
    refused(places.load(&[(HOME, "h")]), &["etc/perilune.toml", "line 1, stor: unknown field"]);
    places.write("named.toml", "[kdf]\nmemory_kib = 8\nlanes = 2\n");
    refused(places.load(&[(PERILUNE_CONF, "named.toml"), (HOME, "h")]), &["named.toml", "2 lanes need 16 KiB"]);
}

#[test]
fn a_file_that_others_can_write_is_not_trusted() {
    let places = Places::new();
    let path = places.write("named.toml", "");
    for mode in [0o664, 0o646, 0o666] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let expect = format!("mode {mode:04o}");
        refused(places.load(&[(PERILUNE_CONF, "named.toml"), (HOME, "h")]), &["named.toml", &expect, "chmod go-w"]);
    }
}

#[test]
fn without_a_home_the_store_must_be_named() {
    let places = Places::new();
    refused(places.load(&[]), &["no place for the store", "XDG_DATA_HOME", "HOME"]);
    places.write("etc/perilune.toml", "store = \"/srv/perilune\"");
    assert_eq!(places.load(&[]).unwrap().store, Path::new("/srv/perilune"));
    assert_eq!(places.load(&[(XDG_DATA_HOME, "d")]).unwrap().store, Path::new("/srv/perilune"));
}

#[test]
fn every_key_reaches_its_setting() {
    let places = Places::new();
    let text = "store = \"s\"\ndevice_key = \"fd:9\"\nspare_slot = false\n\
        [pin]\nbytes_min = 8\nso_tries = 3\nuser_tries = 5\n\
        [kdf]\nmemory_kib = 64\npasses = 3\nlanes = 2\n\
        [lock]\nwait_ms = 250\n[policy]\napproved = true\nlegacy = true\ncompatible = true\n[log]\nlevel = \"warn\"\nfile = \"l\"\n\
        [[validation]]\ntype = \"hybrid\"\nversion = \"3.1\"\nlevel = 2\nmodule = \"M\"\nauthority = \"common-criteria\"\n\
        country = \"DE\"\ncertificate = \"c\"\ncertificate_uri = \"u\"\nvendor_uri = \"v\"\nprofile = \"p\"\n\
        [[validation]]\ntype = \"software\"\nversion = \"0.0\"\nlevel = 0\nmodule = \"N\"\n";
    places.write("named.toml", text);
    let settings = places.load(&[(PERILUNE_CONF, "named.toml")]).unwrap();
    assert_eq!(settings.store, places.at("s"));
    assert_eq!(settings.device_key, DeviceKeyPlace::Descriptor(9));
    let hsm = hsm_core::Config {
        spare_slot: false,
        pin_bytes_min: 8,
        so_tries_max: 3,
        user_tries_max: 5,
        policy: Policy { approved: true, legacy: true, compatible: true },
        validations: vec![
            Validation {
                kind: CKV_TYPE_HYBRID,
                version: (3, 1),
                level: 2,
                module: "M".to_owned(),
                authority: CKV_AUTHORITY_TYPE_COMMON_CRITERIA,
                country: "DE".to_owned(),
                certificate: "c".to_owned(),
                certificate_uri: "u".to_owned(),
                vendor_uri: "v".to_owned(),
                profile: "p".to_owned(),
            },
            Validation {
                kind: CKV_TYPE_SOFTWARE,
                version: (0, 0),
                level: 0,
                module: "N".to_owned(),
                authority: CKV_AUTHORITY_TYPE_UNSPECIFIED,
                country: String::new(),
                certificate: String::new(),
                certificate_uri: String::new(),
                vendor_uri: String::new(),
                profile: String::new(),
            },
        ],
    };
    assert_eq!(settings.hsm, hsm);
    assert_eq!(settings.kdf, Argon2Cost { memory_kib: 64, passes: 3, lanes: 2 });
    assert_eq!(settings.lock_wait, Duration::from_millis(250));
    assert_eq!(settings.log, Some(Log { level: Level::Warn, target: Target::File(places.at("l")) }));
}

#[test]
fn the_variable_for_the_log_goes_before_the_file() {
    let places = Places::new();
    places.write("named.toml", "[log]\nlevel = \"warn\"");
    let load =
        |value: &str| places.load(&[(PERILUNE_CONF, "named.toml"), (HOME, "h"), (PERILUNE_LOG, value)]).unwrap().log;
    assert_eq!(load(""), Some(Log { level: Level::Warn, target: Target::Stderr }));
    assert_eq!(load("trace:/x"), Some(Log { level: Level::Trace, target: Target::File(PathBuf::from("/x")) }));
    assert_eq!(load("off"), None);
}

/// The example in docs/ shows every key: as it stands it changes nothing, and with every `#key` line on it is valid.
#[test]
fn the_example_file_is_valid_and_shows_the_defaults() {
    let example = include_str!("../../../docs/perilune.toml");
    let places = Places::new();
    places.write("named.toml", example);
    let named = [(PERILUNE_CONF, "named.toml"), (HOME, "h")];
    let settings = places.load(&named).unwrap();
    let defaults = Places::new().load(&[(HOME, "h")]).unwrap();
    assert_eq!(settings.hsm, defaults.hsm);
    assert_eq!(settings.kdf, defaults.kdf);
    assert_eq!(settings.lock_wait, defaults.lock_wait);
    assert_eq!(settings.log, defaults.log);
    assert!(settings.store.ends_with("h/.local/share/perilune"));

    let on: String = example
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|first: char| first.is_ascii_lowercase() || first == '[') => {
                format!("{rest}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    places.write("named.toml", &on.replace("level = \"off\"", "level = \"info\""));
    let settings = places.load(&named).unwrap();
    assert_eq!(settings.store, Path::new("/var/lib/perilune"));
    assert_eq!(settings.device_key, DeviceKeyPlace::File(PathBuf::from("/etc/perilune/device.key")));
    assert!(matches!(settings.log, Some(Log { target: Target::File(_), .. })));
    assert_eq!(
        (settings.hsm.validations.len(), settings.hsm.validations[0].authority),
        (1, CKV_AUTHORITY_TYPE_NIST_CMVP)
    );
    for key in ["store", "device_key", "spare_slot", "bytes_min", "so_tries", "user_tries"].iter().chain(&[
        "memory_kib",
        "passes",
        "lanes",
        "wait_ms",
        "level",
        "file",
    ]) {
        assert!(on.lines().any(|line| line.starts_with(&format!("{key} = "))), "the example lacks {key}");
    }
}

#[test]
fn a_message_about_a_file_whose_name_has_line_breaks_is_one_line() {
    let places = Places::new();
    places.write("a\nforged line/perilune/perilune.toml", "nothing = 1");
    let text = places.load(&[(XDG_CONFIG_HOME, "a\nforged line")]).unwrap_err().to_string();
    assert!(!text.contains('\n') && text.contains("a\\nforged line/perilune/perilune.toml"), "{text:?}");
}
