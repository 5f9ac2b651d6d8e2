//! Tokens that a real SoftHSM2 made, taken over by `perilune migrate`.
//!
//! SoftHSM2's library makes tokens and objects over its own C interface; the command takes them over; then
//! the module under test answers for them, beside SoftHSM2 itself. Where the module under test is another one,
//! there is nothing to migrate to.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test talks to the person who runs it")]

mod everything;
mod interruption;
mod old;
mod refusals;
