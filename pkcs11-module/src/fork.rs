//! What happens around `fork`.
//!
//! Owns: the three handlers of `pthread_atfork`. Before the fork they wait until no C_Initialize,
//! C_Finalize, transaction or first use of an engine runs, so that a child never inherits a lock on the store or a table
//! that is half made; in the child they leave the inherited state behind, so that every function answers
//! CKR_CRYPTOKI_NOT_INITIALIZED until the child calls C_Initialize. Does not know: what the store locks, what an engine is.
//! Called by the C library.
//! Rule source: PKCS#11 v2.40, 6.6.1 (a child must call C_Initialize itself); DESIGN section 7.
//!
//! A child made without the handlers (`vfork`, bare `clone`) may only `exec`; should it call C_Initialize all
//! the same, the process number tells it from its parent.
#![allow(unsafe_code, reason = "registering handlers is a call to the C library")]

use core::cell::Cell;
use core::mem::ManuallyDrop;
use core::sync::atomic::{AtomicBool, Ordering};

use hsm_core::lock::MutexGuard;
use hsm_core::{Reason, Result, engine_forks};

use crate::lifecycle::{self, Changes, Process};
use crate::panics;

/// What the first handler took and the last gives back.
struct Held {
    /// First uses of the engines; the child lets go of them as the parent does.
    engines: engine_forks::Held,
    /// The life cycle; the child leaves it as it is.
    changes: Option<MutexGuard<'static, Changes>>,
}

thread_local! {
    /// Without a destructor, so that exit handlers may fork, and so that the child drops nothing of its parent's.
    static HELD: Cell<Option<ManuallyDrop<Held>>> = const { Cell::new(None) };
}

/// Registers the handlers when the library is loaded: before the first call, so that no fork can come in between.
#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".init_array")]
static REGISTER: extern "C" fn() = register_early;

/// Should it fail, for want of memory, C_Initialize tries again.
#[cfg(target_os = "linux")]
extern "C" fn register_early() {
    let _ = register();
}

/// Registers the handlers, once in the life of the library; children inherit them.
///
/// # Errors
/// `HostMemory`.
pub fn register() -> Result<()> {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if REGISTERED.swap(true, Ordering::AcqRel) {
        return Ok(());
    }
    // SAFETY: the handlers are functions of this library, which is never unloaded (see build.rs).
    let failure = unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    if failure == 0 {
        return Ok(());
    }
    REGISTERED.store(false, Ordering::Release);
    Err(Reason::HostMemory)
}

extern "C" fn prepare() {
    // A panic here would abort the host; without the preparation the fork is merely less careful.
    let _ = panics::contain(|| {
        let changes = lifecycle::current_process().map(stop);
        // Last, because what was waited for may use an engine for the first time.
        let engines = engine_forks::hold();
        HELD.set(Some(ManuallyDrop::new(Held { engines, changes })));
    });
}

/// Waits until no C_Initialize, C_Finalize or transaction runs, and holds new ones off.
fn stop(process: &'static Process) -> MutexGuard<'static, Changes> {
    let mut changes = process.changes.lock();
    changes.stopped = process.used_instances(&changes);
    for hsm in &changes.stopped {
        hsm.fork_prepare();
    }
    changes
}

extern "C" fn parent() {
    let _ = panics::contain(|| {
        let Some(Held { engines, changes }) = HELD.take().map(ManuallyDrop::into_inner) else { return };
        engines.release_in_parent();
        let Some(mut changes) = changes else { return };
        let stopped = core::mem::take(&mut changes.stopped);
        for hsm in &stopped {
            hsm.fork_release();
        }
        // One whose last call has ended meanwhile ends here; nobody needs to wait for that.
        drop(changes);
        drop(stopped);
    });
}

extern "C" fn child() {
    engine_forks::begin_child();
    if let Some(Held { engines, changes }) = HELD.take().map(ManuallyDrop::into_inner) {
        engines.release_in_child();
        core::mem::forget(changes);
    }
    lifecycle::forget_process();
}
