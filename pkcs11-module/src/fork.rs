//! What happens around `fork`.
//!
//! Owns: the three handlers of `pthread_atfork`. Before the fork they wait until no C_Initialize,
//! C_Finalize or transaction runs, so that a child never inherits a lock on the store; in the child they
//! leave the inherited state behind, so that every function answers CKR_CRYPTOKI_NOT_INITIALIZED until the
//! child calls C_Initialize. Does not know: what the store locks. Called by the C library.
//! Rule source: PKCS#11 v2.40, 6.6.1 (a child must call C_Initialize itself); DESIGN section 7.
//!
//! A child made without the handlers (`vfork`, bare `clone`) may only `exec`; should it call C_Initialize all
//! the same, the process number tells it from its parent.
#![allow(unsafe_code, reason = "registering handlers is a call to the C library")]

use core::cell::Cell;
use core::mem::ManuallyDrop;
use core::sync::atomic::{AtomicBool, Ordering};

use hsm_core::{Reason, Result};
use parking_lot::MutexGuard;

use crate::lifecycle::{self, Changes};
use crate::panics;

thread_local! {
    /// The lock on the life cycle, from the first handler to the last. Without a destructor, so that exit
    /// handlers may fork, and so that the child drops nothing of its parent's.
    static HELD: Cell<Option<ManuallyDrop<MutexGuard<'static, Changes>>>> = const { Cell::new(None) };
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
        let Some(process) = lifecycle::current_process() else { return };
        let mut changes = process.changes.lock();
        changes.stopped = process.used_instances(&changes);
        for hsm in &changes.stopped {
            hsm.fork_prepare();
        }
        HELD.set(Some(ManuallyDrop::new(changes)));
    });
}

extern "C" fn parent() {
    let _ = panics::contain(|| {
        let Some(mut changes) = HELD.take().map(ManuallyDrop::into_inner) else { return };
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
    HELD.set(None);
    lifecycle::forget_process();
}
