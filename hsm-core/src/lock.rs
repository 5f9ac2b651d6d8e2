//! The locks of the core: the standard library's, without poisoning.
//!
//! Owns: the choice of lock. A panic is stopped at the edge and marks its session, so a lock that it went through is used on.
//! Does not know: what is locked. Called from the session table, the tokens and the catalogue; their order is in `hsm`.
//!
//! The standard library's lock is a number inside the lock, on which the kernel lets threads sleep. `parking_lot`, which the
//! store uses, keeps the sleepers of all locks in one table of the process, with locks of its own. A fork copies that table
//! while another thread may be in it, and then a child hangs at the first lock for which two of its threads meet. In the store
//! no thread sleeps there during a fork, because a fork waits until no thread is in the store; here they do.

use std::sync::PoisonError;

/// A lock for one thread.
#[derive(Debug, Default)]
pub struct Mutex<T>(std::sync::Mutex<T>);

/// A [`Mutex`] that is held.
pub type MutexGuard<'a, T> = std::sync::MutexGuard<'a, T>;

impl<T> Mutex<T> {
    /// A lock around `value`.
    pub const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    /// Waits for the lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An [`RwLock`] that its writer holds.
pub type RwLockWriteGuard<'a, T> = std::sync::RwLockWriteGuard<'a, T>;

/// A lock for one writer or many readers.
#[derive(Debug, Default)]
pub struct RwLock<T>(std::sync::RwLock<T>);

impl<T> RwLock<T> {
    /// A lock around `value`.
    pub const fn new(value: T) -> Self {
        Self(std::sync::RwLock::new(value))
    }

    /// Waits for the lock as a reader.
    pub fn read(&self) -> std::sync::RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the lock as the writer.
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lock that is held for long and by many in turn: whoever gives it back and wants it again stands behind those who wait.
///
/// The standard library's lock goes to whoever asks first when it is free, which is the thread that has just given it back
/// rather than the one that must wake up first. Here that thread meets, in front of the lock, the one that is next.
#[derive(Debug, Default)]
pub struct Turn {
    next: Mutex<()>,
    turn: Mutex<()>,
}

impl Turn {
    /// Waits for the turn.
    pub fn lock(&self) -> MutexGuard<'_, ()> {
        let _next = self.next.lock();
        self.turn.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    #[test]
    fn a_lock_through_which_a_panic_went_is_used_on() {
        let (one, many) = (Mutex::new(1), RwLock::new(1));
        thread::scope(|scope| {
            let panicked = scope.spawn(|| {
                let (_one, _many) = (one.lock(), many.write());
                std::panic::resume_unwind(Box::new(()));
            });
            assert!(panicked.join().is_err());
        });
        assert_eq!((*one.lock(), *many.read()), (1, 1));
        *many.write() = 2;
        assert_eq!(*many.read(), 2);
    }

    #[test]
    fn a_thread_that_takes_the_turn_again_and_again_lets_others_have_theirs() {
        let (turn, stop) = (Turn::default(), AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let _turn = turn.lock();
                        thread::sleep(std::time::Duration::from_micros(200));
                    }
                });
            }
            for _ in 0..50 {
                drop(turn.lock());
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}
