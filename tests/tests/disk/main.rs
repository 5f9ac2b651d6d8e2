//! The disk below the store: recorded, replayed, cut off and made to fail, by a shim under the built module.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test talks to the person who runs it")]

mod power_cut;
mod shim;
