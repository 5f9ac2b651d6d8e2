//! Faults: what the built module answers when the ground under it gives way, and how it recovers.
//!
//! Each scenario is one process on a store of its own that stays up through the fault: it must answer with the
//! right return value and a log line that names path and reason, lose nothing that it acknowledged, and work
//! again in the same session when the cause is gone. `witness` is that process's account of what it was told.
//! The table of faults and answers is in docs/testing.md.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test talks to the person who runs it")]

/// Runs the rest of the test as the process that lives through the fault; `witness::play` has the other parts.
macro_rules! fault {
    ($body:expr) => {
        fault!(&[], $body)
    };
    ($environment:expr, $body:expr) => {
        perilune_tests::isolated!($environment, |place, role| match role {
            "main" => $body(place),
            other => crate::witness::play(place, other),
        })
    };
}

/// As `fault`, with the process under the shim of `perilune_tests::disk`, whose plan it writes itself.
macro_rules! injected {
    ($body:expr) => {
        perilune_tests::isolated!(|place, role| {
            let disk = perilune_tests::disk::Disk::of(place);
            match role {
                "main" => drop(perilune_tests::child::role_with(place, "victim", "", &disk.failing()).succeed()),
                _ => $body(place, &disk),
            }
        })
    };
}

mod clock;
mod denied;
mod disk;
mod durable;
mod folder;
mod holder;
mod injected;
mod limits;
mod replaced;
mod witness;
