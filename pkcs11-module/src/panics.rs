//! Where panics end.
//!
//! Owns: the boundary that no panic crosses, and the hook that keeps its message off the host's standard
//! error. Does not know: functions, sessions. Called from the guard, the log and the fork handlers.
//!
//! The library carries its own copy of Rust's standard library, so the hook is for our panics only. It
//! must not panic itself (that would abort the host), so it does not log; it notes where the panic was,
//! and the boundary logs that afterwards. The panic's message is not kept: it may hold data.

use core::cell::Cell;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, Ordering};
use std::panic::{Location, catch_unwind, set_hook, take_hook};

use hsm_core::Reason;

/// A panic that was stopped; the log has been told.
#[derive(Debug)]
pub struct Panicked;

/// Where a panic was, kept without memory of the heap: the end of the file's name, line and column.
#[derive(Clone, Copy)]
struct Place {
    file: [u8; FILE_BYTES],
    file_bytes: usize,
    line: u32,
    column: u32,
}

const FILE_BYTES: usize = 96;
const NOWHERE: Place = Place { file: [0; FILE_BYTES], file_bytes: 0, line: 0, column: 0 };

thread_local! {
    // Neither has a destructor, so they work in exit handlers too, after the thread's destructors have run.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static PLACE: Cell<Place> = const { Cell::new(NOWHERE) };
}

/// Runs `body`; a panic in it ends here.
///
/// # Errors
/// [`Panicked`], after the place of the panic was logged.
pub fn contain<T>(body: impl FnOnce() -> T) -> Result<T, Panicked> {
    quietly(body).inspect_err(|Panicked| {
        let place = PLACE.replace(NOWHERE);
        // The log runs under a boundary of its own: it may be what panicked.
        let _ = quietly(|| {
            let file = String::from_utf8_lossy(&place.file[..place.file_bytes]);
            tracing::error!(target: "perilune", %file, line = place.line, column = place.column, "internal failure");
        });
    })
}

/// As [`contain`], without a word to the log.
///
/// # Errors
/// [`Panicked`].
pub fn quietly<T>(body: impl FnOnce() -> T) -> Result<T, Panicked> {
    DEPTH.set(DEPTH.get() + 1);
    // Unwind safety: what a panic may leave half changed is behind locks that do not poison; the guard marks the
    // session as faulted, and nothing else of the body outlives the call.
    let outcome = catch_unwind(AssertUnwindSafe(body));
    DEPTH.set(DEPTH.get() - 1);
    outcome.map_err(|payload| {
        // Dropping a foreign payload could panic again, outside of any boundary; a leak costs less.
        core::mem::forget(payload);
        Panicked
    })
}

/// Installs the hook; later calls change nothing.
pub fn install_hook() {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if INSTALLED.swap(true, Ordering::AcqRel) {
        return;
    }
    let previous = take_hook();
    set_hook(Box::new(move |info| {
        PLACE.set(info.location().map_or(NOWHERE, Place::of));
        // In the crate's own tests the hook is the test runner's too, which must see failing assertions.
        if cfg!(test) && DEPTH.get() == 0 {
            previous(info);
        }
    }));
}

impl Place {
    fn of(location: &Location<'_>) -> Self {
        let name = location.file().as_bytes();
        let tail = &name[name.len().saturating_sub(FILE_BYTES)..];
        let mut file = [0; FILE_BYTES];
        file[..tail.len()].copy_from_slice(tail);
        Self { file, file_bytes: tail.len(), line: location.line(), column: location.column() }
    }
}

impl From<Panicked> for Reason {
    fn from(Panicked: Panicked) -> Self {
        Reason::Internal("a panic was stopped at the edge; the log names the place")
    }
}
