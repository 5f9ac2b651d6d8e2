//! The settings of the HSM as values; `hsm-platform` reads them from a file.

use crate::limits;
use crate::policy::Policy;
use crate::validation::Validation;

/// Settings; `Config::default()` is what works with no configuration at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Keep one uninitialised slot ready beside the initialised ones.
    pub spare_slot: bool,
    /// Shortest PIN in bytes, 4 to 255.
    pub pin_bytes_min: usize,
    /// Wrong PINs in a row that lock the SO.
    pub so_tries_max: u32,
    /// Wrong PINs in a row that lock the user.
    pub user_tries_max: u32,
    /// What a token that is initialised may do.
    pub policy: Policy,
    /// What an authority has validated, [`limits::VALIDATIONS_MAX`] at most.
    pub validations: Vec<Validation>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            spare_slot: true,
            pin_bytes_min: limits::PIN_BYTES_MIN,
            so_tries_max: limits::TRIES_MAX,
            user_tries_max: limits::TRIES_MAX,
            policy: Policy::default(),
            validations: Vec::new(),
        }
    }
}
