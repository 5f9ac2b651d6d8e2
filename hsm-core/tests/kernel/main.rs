//! The HSM as a value, from C_Initialize's neighbour to C_Sign, on a medium in memory.
//!
//! Each module tests a chapter of the rules; `bench` is the workbench they share. Two `Hsm` values on one
//! medium stand for two processes on one store.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "all of this is test code"
)]

mod attacks;
mod backup;
mod bench;
mod built_in;
mod events;
mod jobs;
mod keys;
mod login;
mod message_rows;
mod messages;
mod migration;
mod objects;
mod operations;
mod policy;
mod processes;
mod reading;
mod sessions;
mod simulation;
mod slots;
mod stateful;
mod threads;
