//! Assembles the HSM on this machine: configuration, places, log, random source, clock and store.
//!
//! Owns: which file is read, where the store lies, what the log looks like. Does not know: PKCS#11
//! calls, raw pointers. Called from `pkcs11-module` and `admin`, so that both always see the same HSM.

use hsm_core::Hsm;
use std::path::PathBuf;
use thiserror::Error;

/// Why the HSM could not be assembled; each text names the file or variable.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration cannot be read or understood.
    #[error("configuration {path}: {problem}")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and key.
        problem: String,
    },
    /// A place cannot be determined (no HOME, no XDG_DATA_HOME).
    #[error("{0}")]
    Place(String),
    /// The store or the core refused to start.
    #[error(transparent)]
    Core(#[from] hsm_core::Reason),
}

/// The settings of one run and where each came from.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The configuration file that was read, if there was one.
    pub file: Option<PathBuf>,
    /// Folder of the store.
    pub store: PathBuf,
    /// File of the device key.
    pub device_key: PathBuf,
    /// Settings of the HSM itself.
    pub hsm: hsm_core::Config,
    /// Log target and level, from `PERILUNE_LOG` or the file; `None` is silent.
    pub log: Option<String>,
}

impl Settings {
    /// Finds and reads the configuration: `PERILUNE_CONF`, else the user's file, else the system's, else defaults.
    ///
    /// # Errors
    /// `Config`, `Place`.
    pub fn load() -> Result<Self, StartError> {
        todo!("contract skeleton")
    }
}

/// Opens the store and starts an HSM on it.
///
/// # Errors
/// The store's and the core's.
pub fn start(_settings: &Settings) -> Result<Hsm, StartError> {
    todo!("contract skeleton")
}

/// Starts the log that the settings ask for; later calls change nothing. Never starts a thread.
pub fn start_log(_settings: &Settings) {
    todo!("contract skeleton")
}
