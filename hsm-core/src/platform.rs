//! What the HSM stands on: engine, randomness, clock and store, all handed in.

use hsm_crypto::{Provider, Random};
use std::sync::Arc;
use token_store::Store;

/// A source of wall-clock time.
pub trait Clock: Send + Sync {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    fn unix_seconds(&self) -> i64;
}

/// Everything the HSM needs from outside.
#[derive(Clone)]
pub struct Platform {
    /// The crypto engine.
    pub engine: &'static Provider,
    /// The random source.
    pub random: Arc<dyn Random>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The store.
    pub store: Arc<Store>,
}

/// What a mechanism may use of the platform.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// The crypto engine.
    pub engine: &'static Provider,
    /// The random source.
    pub random: &'a dyn Random,
}

impl Platform {
    /// The part that mechanisms see.
    #[must_use]
    pub fn env(&self) -> Env<'_> {
        Env { engine: self.engine, random: &*self.random }
    }
}
