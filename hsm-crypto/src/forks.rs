//! What the engines must be told of `fork`, so that a child never waits for a thread that only its parent has.
//!
//! Owns: the lock under which something is done for the first time in a process, and the hand on it during a fork. Does not
//! know: who forks. Called from the fork handlers of `pkcs11-module`, through hsm-core, and from the self-test gate.
//!
//! Self-tests, and whatever a library computes in them once and for all, may be under way in another thread when a thread
//! forks. In the child that would stay "being computed" for ever. So a first use holds a fork off; it takes milliseconds, once
//! in a process. The locks inside AWS-LC are the other half: see `aws_lc/locks.rs`.

use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

static FIRST_USES: RwLock<()> = RwLock::new(());

/// Does something for the first time in this process; no fork comes between.
pub(crate) fn first_use<T>(work: impl FnOnce() -> T) -> T {
    let _inside = FIRST_USES.read().unwrap_or_else(PoisonError::into_inner);
    work()
}

/// A hand on the engines while the process forks.
pub struct Held(RwLockWriteGuard<'static, ()>);

/// Waits until nothing is done for the first time and holds such things off; for the handler before a fork.
#[must_use]
pub fn hold() -> Held {
    Held(FIRST_USES.write().unwrap_or_else(PoisonError::into_inner))
}

impl Held {
    /// Lets go in the parent.
    pub fn release_in_parent(self) {
        drop(self.0);
    }

    /// Lets go in the child.
    pub fn release_in_child(self) {
        drop(self.0);
    }
}

/// For the handler of every child, before anything else: its only thread is the one that forked.
pub fn begin_child() {
    secret_memory::begin_child();
    #[cfg(feature = "aws-lc")]
    crate::aws_lc::forget_other_threads();
}
