//! What the shared medium stands on: a lock, a number, a journal and two maps, each in the simplest terms.
//!
//! Owns: the traits, and nothing else. Does not know: the order of steps that makes them one medium (`shared`).
//! The disk is one such ground (`sled`), a simulated disk another (`simulated`).

use crate::error::{Result, StoreError};
use crate::medium::Each;
use crate::medium::journal::{Changes, Surface};
use crate::medium::lock::Gate;
use rustix::io::Errno;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The parts of a medium that processes share.
pub trait Ground: Send + Sync {
    /// Proof that nobody else is at it.
    type Turn<'a>: Turn
    where
        Self: 'a;

    /// The gate that a fork closes.
    fn gate(&self) -> &Gate;

    /// What is announced, without the lock; `None` when nothing readable is.
    ///
    /// # Errors
    /// `Io`.
    fn announced(&self) -> Result<Option<Announced>>;

    /// Whether what `announced` reads is still the thing that has this name.
    ///
    /// # Errors
    /// `Io`.
    fn is_in_place(&self) -> Result<bool>;

    /// As `is_in_place`, for a look that must cost next to nothing: the answer may be a moment old.
    ///
    /// # Errors
    /// `Io`.
    fn was_in_place_lately(&self) -> Result<bool> {
        self.is_in_place()
    }

    /// How often another thing was found under this name than before.
    fn replaced(&self) -> u64 {
        0
    }

    /// Whether it can be written, as far as can be told without writing.
    ///
    /// # Errors
    /// `Io`.
    fn is_writable(&self) -> Result<bool>;

    /// How folds go about it.
    fn pace(&self) -> Pace {
        Pace { time: Duration::from_millis(25), step_bytes: 128 << 10 }
    }

    /// What errors name.
    fn place(&self) -> &Path;

    /// Waits until nobody else is at it.
    ///
    /// # Errors
    /// `Busy`, `Unsafe`, `Io`.
    fn turn(&self) -> Result<Self::Turn<'_>>;
}

/// What every process may read at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// The generation of the last commit that is durable.
    pub number: u64,
    /// Whether another commit was begun. Should its process die, it stays so until somebody has looked what became of it.
    pub under_way: bool,
}

/// The parts while nobody else is at them.
pub trait Turn {
    /// The announced generation; 0 when nothing readable is announced.
    fn number(&self) -> u64;

    /// Whether a commit was begun and its end not announced.
    fn is_under_way(&self) -> bool;

    /// Says that a commit is begun; it need not be durable.
    ///
    /// # Errors
    /// `Io`.
    fn begin(&self) -> Result<()>;

    /// Announces a generation, and that no commit is under way; it need not be durable.
    ///
    /// # Errors
    /// `Io`.
    fn announce(&self, number: u64) -> Result<()>;

    /// Whether it can be written.
    fn is_writable(&self) -> bool;

    /// The journal, made where there never was one.
    ///
    /// # Errors
    /// `Damaged`, `Io`, `Full`.
    fn journal(&self) -> Result<Arc<dyn Surface>>;

    /// Opens one of the maps.
    ///
    /// # Errors
    /// `Engine`, `Io`, `Full`.
    fn map(&self, side: Side) -> Result<Box<dyn Map + '_>>;

    /// Opens one of the maps to be read where it is the only good one: as a copy, so that nothing happens to it whatever
    /// becomes of the engine.
    ///
    /// # Errors
    /// As `map`.
    fn spared(&self, side: Side) -> Result<Box<dyn Map + '_>>;

    /// Makes one map anew from the other, which is not open; durable afterwards.
    ///
    /// # Errors
    /// `Io`, `Full`; the map then is worth nothing.
    fn remake(&self, side: Side) -> Result<()>;
}

/// The two maps. Each holds the state at some generation; never are both written at a time, so that whatever happens in
/// the middle of it, the other one and the journal hold everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that is read where both are fit.
    Map,
    /// The other one.
    Mirror,
}

impl Side {
    /// What the journal calls it.
    pub(crate) fn number(self) -> u8 {
        self as u8 + 1
    }

    /// Both of them.
    pub const BOTH: [Self; 2] = [Self::Map, Self::Mirror];

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Map => Self::Mirror,
            Self::Mirror => Self::Map,
        }
    }
}

/// Whether an error says that a map is bad, and not that something else stands in the way of reading it.
pub(crate) fn is_bad(error: &StoreError) -> bool {
    match error {
        StoreError::Engine(_) | StoreError::Damaged { .. } => true,
        // A file is gone, or a sector bad.
        StoreError::Io { source, .. } => {
            let found = source.raw_os_error();
            [Errno::NOENT, Errno::IO].iter().any(|errno| found == Some(errno.raw_os_error()))
        }
        _ => false,
    }
}

/// How much is folded at a time, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// After what time a fold lets others have their turn.
    pub time: Duration,
    /// How much of the journal goes into a map as one batch, bytes.
    pub step_bytes: u64,
}

/// An open map.
pub trait Map {
    /// The value of a key.
    ///
    /// # Errors
    /// `Engine`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// All pairs whose key begins with `prefix`, in order.
    ///
    /// # Errors
    /// `Engine`, or what `each` answers.
    fn scan(&self, prefix: &[u8], each: &mut Each<'_>) -> Result<()>;

    /// Whether all of it may well be read when a part is asked for.
    fn is_small(&self) -> bool;

    /// Applies changes whole or not at all; durable after `close`.
    ///
    /// # Errors
    /// `Engine`, `Io`, `Full`.
    fn apply(&mut self, changes: Changes) -> Result<()>;

    /// Closes it; what was applied is durable afterwards.
    ///
    /// # Errors
    /// `Engine`, `Io`, `Full`.
    fn close(self: Box<Self>) -> Result<()>;
}

/// The map's key of its generation; keys of the store never begin with a zero byte.
pub(crate) const GENERATION_KEY: &[u8] = &[0];

/// The generation that the map holds; 0 for an empty one.
///
/// # Errors
/// `Engine`; `Damaged` when what stands there is no number.
pub(crate) fn generation_of(map: &dyn Map) -> Result<u64> {
    let Some(value) = map.get(GENERATION_KEY)? else { return Ok(0) };
    // The engine has checksums of its own, so this is a program's mistake and no damage.
    let wrong = |_| StoreError::Damaged { what: "the generation in the map".to_owned() };
    value.as_slice().try_into().map(u64::from_be_bytes).map_err(wrong)
}
