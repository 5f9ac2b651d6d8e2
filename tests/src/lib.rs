//! What the acceptance tests share: a place of its own for each test, child processes, the raw C interface.
//!
//! Owns: how a test finds the built module and how it is kept apart from the others. Does not know: what
//! is inside the module; it is loaded as any client loads it. `PERILUNE_MODULE` names another module, so
//! that the suite itself can be proved against a token that is known to work.
//!
//! Here a failed expectation is a panic: that is how a test fails.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a test talks to the person who runs it")]

pub mod attribute;
pub mod busy;
pub mod child;
pub mod daemon;
pub mod dice;
pub mod disk;
pub mod hand;
pub mod host;
pub mod image;
pub mod ledger;
pub mod module;
pub mod outside;
pub mod place;
pub mod port;
pub mod raw;
pub mod signatures;
pub mod syscalls;

pub use attribute::Template;
pub use cryptoki_sys as ck;
pub use dice::Dice;
pub use ledger::Ledger;
pub use place::{Place, SO_PIN, TOKEN_LABEL, USER_PIN};
pub use port::Port;
pub use raw::Raw;
