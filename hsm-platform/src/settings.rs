//! The settings of one run: which file is read, what it says, and what holds where it is silent.
//!
//! Owns: the order `PERILUNE_CONF`, the user's file, the system's file, defaults; the defaults
//! themselves. Does not know: the file's syntax (`file`), what the settings do. One file is read,
//! never two merged: whoever looks at it sees all that was set.

use crate::StartError;
use crate::environment::{Environment, HOME, PERILUNE_CONF, PERILUNE_LOG};
use crate::file::{self, DeviceKeyText, Said};
use crate::log::{self, Level, Log, Target};
use crate::one_line;
use hsm_core::Policy;
use hsm_crypto::kdf::Argon2Cost;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The settings of one run and where they came from.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The configuration file that was read, if there was one.
    pub file: Option<PathBuf>,
    /// Folder of the store.
    pub store: PathBuf,
    /// Whether a configuration names the store; else it is the one in the home folder.
    pub store_named: bool,
    /// Where the device key is.
    pub device_key: DeviceKeyPlace,
    /// Settings of the HSM itself.
    pub hsm: hsm_core::Config,
    /// What one derivation from a PIN costs, for PINs set from now on.
    pub kdf: Argon2Cost,
    /// How long to wait for another process that holds the store.
    pub lock_wait: Duration,
    /// The log, from `PERILUNE_LOG` or the file; `None` is silent.
    pub log: Option<Log>,
}

/// Where the device key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceKeyPlace {
    /// In this file, which is made at first use.
    File(PathBuf),
    /// Behind this file descriptor of the process: 32 bytes.
    Descriptor(u32),
}

impl fmt::Display for DeviceKeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceKeyPlace::File(path) => f.write_str(&one_line::name(path)),
            DeviceKeyPlace::Descriptor(number) => write!(f, "fd:{number}"),
        }
    }
}

impl Settings {
    /// Finds and reads the configuration: `PERILUNE_CONF`, else the user's file, else the system's, else defaults.
    ///
    /// When that fails and `PERILUNE_LOG` asks for a log, the reason is written to it, because an
    /// application sees only a return value.
    ///
    /// # Errors
    /// `Config`, `Place`.
    pub fn load() -> Result<Self, StartError> {
        let environment = Environment::of_process();
        let settings = Self::of(&environment);
        if let Err(error) = &settings {
            if let Some(log) = log_of(&environment) {
                log::start(&log);
            }
            tracing::error!("{error}");
        }
        settings
    }

    /// Finds and reads the configuration as an environment says.
    ///
    /// # Errors
    /// `Config`, `Place`.
    pub fn of(environment: &Environment) -> Result<Self, StartError> {
        let (file, said) = match find(environment)? {
            Some((file, said)) => (Some(file), said),
            None => (None, Said::default()),
        };
        let store_named = said.store.is_some();
        let store = said.store.or_else(|| environment.store()).ok_or_else(|| {
            StartError::Place(
                "no place for the store: neither XDG_DATA_HOME nor HOME is an absolute path; \
                 set one of them, or `store` in a file that PERILUNE_CONF names"
                    .to_owned(),
            )
        })?;
        let device_key = match said.device_key {
            None => DeviceKeyPlace::File(store.join(DEVICE_KEY_FILE)),
            Some(DeviceKeyText::File(path)) => DeviceKeyPlace::File(path),
            Some(DeviceKeyText::Descriptor(number)) => DeviceKeyPlace::Descriptor(number),
        };
        let kdf = Argon2Cost {
            memory_kib: said.memory_kib.unwrap_or(DEFAULT_COST.memory_kib),
            passes: said.passes.unwrap_or(DEFAULT_COST.passes),
            lanes: said.lanes.unwrap_or(DEFAULT_COST.lanes),
        };
        if let (Some(path), true) = (&file, kdf.memory_kib < 8 * kdf.lanes) {
            let problem = format!(
                "kdf.memory_kib: {} lanes need {} KiB at least, not {}",
                kdf.lanes,
                8 * kdf.lanes,
                kdf.memory_kib
            );
            return Err(StartError::Config { path: path.clone(), problem });
        }
        let defaults = hsm_core::Config::default();
        let hsm = hsm_core::Config {
            spare_slot: said.spare_slot.unwrap_or(defaults.spare_slot),
            pin_bytes_min: said.pin_bytes_min.map_or(defaults.pin_bytes_min, |bytes| bytes as usize),
            so_tries_max: said.so_tries.unwrap_or(defaults.so_tries_max),
            user_tries_max: said.user_tries.unwrap_or(defaults.user_tries_max),
            policy: Policy {
                approved: said.approved.unwrap_or(defaults.policy.approved),
                legacy: said.legacy.unwrap_or(defaults.policy.legacy),
                compatible: said.compatible.unwrap_or(defaults.policy.compatible),
            },
            validations: said.validations,
        };
        let lock_wait = said.wait_ms.map_or(DEFAULT_LOCK_WAIT, |wait_ms| Duration::from_millis(wait_ms.into()));
        let log = if environment.value(PERILUNE_LOG).is_some() {
            log_of(environment)
        } else {
            log_in_file(said.log_level, said.log_file)
        };
        Ok(Self { file, store, store_named, device_key, hsm, kdf, lock_wait, log })
    }
}

/// Finds the file that counts and reads it.
fn find(environment: &Environment) -> Result<Option<(PathBuf, Said)>, StartError> {
    let home = environment.folder(HOME);
    if let Some(named) = environment.value(PERILUNE_CONF) {
        let path = PathBuf::from(named);
        return match file::read(&path, home)? {
            Some(said) => Ok(Some((path, said))),
            None => Err(StartError::Config { path, problem: "PERILUNE_CONF names it, and it is not there".to_owned() }),
        };
    }
    for path in environment.user_file().into_iter().chain([environment.system_file().to_owned()]) {
        // A service that runs under its own user with root's HOME cannot look into that folder: the file is then not
        // its own, and the next one counts. A file that it can see and not read is an error.
        if hidden(&path) {
            continue;
        }
        if let Some(said) = file::read(&path, home)? {
            return Ok(Some((path, said)));
        }
    }
    Ok(None)
}

/// Whether this user may not even see if the file is there.
fn hidden(path: &Path) -> bool {
    matches!(std::fs::metadata(path), Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied)
}

/// The log that `PERILUNE_LOG` asks for.
fn log_of(environment: &Environment) -> Option<Log> {
    Log::parse(&environment.value(PERILUNE_LOG)?.to_string_lossy())
}

/// The log that a file asks for; a file name alone means the level `info`.
fn log_in_file(level: Option<Level>, file: Option<PathBuf>) -> Option<Log> {
    let level = match (level, &file) {
        (None, None) | (Some(Level::Off), _) => return None,
        (None, Some(_)) => Level::Info,
        (Some(level), _) => level,
    };
    Some(Log { level, target: file.map_or(Target::Stderr, Target::File) })
}

/// Name of the device key's file in the store's folder.
const DEVICE_KEY_FILE: &str = "device.key";
/// OWASP's first recommendation for Argon2id: 19 MiB, two passes, one lane; some 20 ms a login.
const DEFAULT_COST: Argon2Cost = Argon2Cost { memory_kib: 19 * 1024, passes: 2, lanes: 1 };
/// Long enough for eight processes that all write; short enough that a person sees why nothing happens.
const DEFAULT_LOCK_WAIT: Duration = Duration::from_millis(10_000);

#[cfg(test)]
mod tests;
