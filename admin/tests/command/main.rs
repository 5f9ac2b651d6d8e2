//! The built command, run as a person or a script runs it, on stores of its own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

mod backup;
mod damage;
mod delete;
mod doctor;
mod generated;
mod import;
mod init;
mod listing;
mod pin;
mod policy;
mod world;
