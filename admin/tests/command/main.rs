//! The built command, run as a person or a script runs it, on stores of its own.

mod delete;
mod doctor;
mod generated;
mod import;
mod init;
mod listing;
mod pin;
mod world;
