//! The configuration file and the environment.
//!
//! Owns: that any file and any variables give settings or one line that says what is wrong, and that settings are in bounds.

use crate::bytes::Bytes;
use hsm_core::limits;
use hsm_platform::{Environment, Log, Settings};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

const NAMES: [&str; 5] = ["PERILUNE_CONF", "PERILUNE_LOG", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "HOME"];

/// Reads the input as variables, then the text of the file.
pub fn run(data: &[u8]) {
    static FOLDER: LazyLock<Mutex<tempfile::TempDir>> = LazyLock::new(|| {
        let shared = Path::new("/dev/shm");
        let folder = if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() };
        Mutex::new(folder.expect("a temporary folder"))
    });
    let folder = FOLDER.lock().unwrap_or_else(PoisonError::into_inner);
    let file = folder.path().join("perilune.toml");
    let mut bytes = Bytes::new(data);
    let which = bytes.byte();
    let mut values: Vec<(&str, PathBuf)> = Vec::new();
    for (place, name) in NAMES.into_iter().enumerate() {
        if which >> place & 1 == 1 {
            values.push((name, Path::new(OsStr::from_bytes(bytes.counted())).to_owned()));
        }
    }
    // A file of this machine shall not be read because a program says so.
    values.retain(|(name, value)| !matches!(*name, "PERILUNE_CONF") || value.as_os_str().is_empty());
    let user_file = which & 0x20 != 0;
    if user_file {
        values.retain(|(name, _)| *name != "XDG_CONFIG_HOME");
        values.push(("XDG_CONFIG_HOME", folder.path().to_owned()));
    } else if !values.iter().any(|(name, _)| *name == "PERILUNE_CONF") {
        values.push(("PERILUNE_CONF", file.clone()));
    }
    std::fs::write(&file, bytes.rest()).expect("a file");
    if user_file {
        let below = folder.path().join("perilune");
        std::fs::create_dir_all(&below).expect("a folder");
        std::fs::rename(&file, below.join("perilune.toml")).expect("a file");
    }
    if let Some((_, log)) = values.iter().find(|(name, _)| *name == "PERILUNE_LOG") {
        let _log = Log::parse(&log.to_string_lossy());
    }
    let variables: Vec<(&str, &Path)> = values.iter().map(|(name, value)| (*name, value.as_path())).collect();
    match Settings::of(&Environment::of(&variables, Path::new("/nonexistent/perilune.toml"))) {
        Ok(settings) => check(&settings),
        Err(error) => {
            let text = error.to_string();
            let file = file.display().to_string();
            assert!(!text.replace(&file, "").contains('\n'), "an error is one line: {text:?}");
        }
    }
}

fn check(settings: &Settings) {
    assert!(settings.store.is_absolute(), "the store is at {:?}", settings.store);
    let pins = limits::PIN_BYTES_MIN..=limits::PIN_BYTES_MAX;
    assert!(pins.contains(&settings.hsm.pin_bytes_min), "{:?}", settings.hsm);
    assert!((1..=100).contains(&settings.hsm.so_tries_max) && (1..=100).contains(&settings.hsm.user_tries_max));
    let cost = settings.kdf;
    assert!(cost.memory_kib >= 8 * cost.lanes && cost.passes >= 1 && cost.lanes >= 1, "{cost:?}");
}
