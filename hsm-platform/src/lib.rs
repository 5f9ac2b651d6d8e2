//! Assembles the HSM on this machine: configuration, places, log, random source, clock and store.
//!
//! Owns: which file is read, where the store lies, what the log looks like. Does not know: PKCS#11
//! calls, raw pointers, what is in the store. Called from `pkcs11-module` and `admin`, so that both
//! always see the same HSM.
#![forbid(unsafe_code)]

pub mod descriptor;
pub mod environment;
mod file;
pub mod log;
pub mod machine;
mod one_line;
pub mod secret_pages;
pub mod settings;
mod start;

pub use environment::Environment;
pub use log::{Log, start_log};
pub use machine::{OsRandom, SystemClock};
pub use settings::{DeviceKeyPlace, Settings};
pub use start::start;

use std::path::PathBuf;
use thiserror::Error;

/// Why the HSM could not be assembled; each text names the file or variable.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration cannot be read or understood.
    #[error("configuration {}: {problem}", one_line::name(path))]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and key.
        problem: String,
    },
    /// A place cannot be determined (no HOME, no XDG_DATA_HOME).
    #[error("{0}")]
    Place(String),
    /// The device key cannot be read, or is missing beside a store that was sealed with one.
    #[error("device key {place}: {problem}")]
    DeviceKey {
        /// File or descriptor.
        place: DeviceKeyPlace,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The store or the core refused to start.
    #[error(transparent)]
    Core(#[from] hsm_core::Reason),
}
