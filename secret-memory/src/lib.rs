//! Memory for secrets: pages that are locked and left out of core dumps.
//!
//! Owns: the pages, from the system to single blocks. [`Block`] is bytes, [`SecretBox`] a value, [`take`] and [`give_back`] are for libraries in C. All memory
//! is zero when it is given out and wiped when it comes back. Does not know: keys, algorithms, sessions, the log. Called from `hsm-crypto`.
//!
//! Pages are locked (`mlock`) as far as `RLIMIT_MEMLOCK` allows, and always left out of dumps (`MADV_DONTDUMP`); [`standing`] tells how it went.
//! Taking and giving back costs what `malloc` costs: no call of the system, no lock, no exchange between threads.
//! Where the system gives no more memory, [`take`] and [`Block::try_zeroed`] say so; a [`SecretBox`] then falls back on the heap.

#![cfg_attr(any(miri, perilune_watched), allow(dead_code, reason = "blocks come from the heap, where tools see each"))]

mod block;
mod boxed;
mod pages;
mod region;
mod shelf;
mod sizes;
#[cfg(test)]
mod tests;
#[cfg(any(miri, perilune_watched))]
mod watched;

#[cfg(not(any(miri, perilune_watched)))]
use pages as source;
#[cfg(any(miri, perilune_watched))]
use watched as source;

pub use block::Block;
pub use boxed::SecretBox;
pub use region::{Standing, begin_child, is_spent, prepare, refill, standing};
pub use source::{give_back, take, usable_bytes};
