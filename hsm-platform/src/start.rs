//! From settings to a running HSM.
//!
//! Owns: the order in which folder, device key and store are opened. Does not know: what is in them.

use crate::{Settings, StartError};
use hsm_core::Hsm;

/// Opens the store and starts an HSM on it.
///
/// # Errors
/// `DeviceKey`, and the store's and the core's.
pub fn start(_settings: &Settings) -> Result<Hsm, StartError> {
    todo!("contract skeleton")
}
