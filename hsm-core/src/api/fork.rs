//! What an HSM does when its process forks.
//!
//! Owns: the wait before the fork. Does not know: handlers of the C library; those are in `pkcs11-module`.
//! In the child the HSM is left as it is, never dropped: a new one is started there.

use crate::Hsm;

impl Hsm {
    /// Waits until no transaction runs in this process and holds new ones off, until `fork_release`.
    pub fn fork_prepare(&self) {
        self.platform.store.fork_prepare();
    }

    /// Ends in the parent what `fork_prepare` began.
    pub fn fork_release(&self) {
        self.platform.store.fork_release();
    }
}
