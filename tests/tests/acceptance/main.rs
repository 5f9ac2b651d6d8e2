//! Acceptance: the built module, loaded as any client loads it.
//!
//! Each scenario runs in a process of its own on a store of its own. `PERILUNE_MODULE` names another
//! module to run the same scenarios against, which proves the suite rather than the module.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test talks to the person who runs it")]

mod asynchronous;
mod cancel;
mod dumps;
mod events;
mod exits;
mod finalise;
mod foreign;
mod fork;
mod fork_load;
mod functions;
mod habits;
mod habits_keys;
mod initialise;
mod instances;
mod key_transport;
mod kills;
mod lifetime;
mod login_user;
mod memory;
mod messages;
mod misuse;
mod more_operations;
mod next_call;
mod objects;
mod parameters;
mod pins;
mod processes;
mod quiet;
mod sizes;
mod slots;
mod small_stacks;
mod soak;
mod state;
mod state_keyed;
mod stateful;
mod token_life;
mod trace;
mod watched;
