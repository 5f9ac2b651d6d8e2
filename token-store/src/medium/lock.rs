//! One user of the map at a time: across processes, across threads, and never across a fork.
//!
//! Owns: the files `lock` and `queue`, bounded waiting, the gate that a fork closes. Does not know: what is
//! done under the lock. Called from the sled medium. Rule source: docs/format.md, "Files in the folder".
//!
//! Whoever wants the lock first takes `queue`, then waits for `lock` with `queue` in hand, then lets `queue` go. A
//! program that asks again and again therefore cannot overtake one that waits. Each attempt opens the files
//! anew: a `flock` belongs to the open file, so threads of one process exclude each other the same way.

use crate::error::{Result, StoreError};
use crate::medium::folder::{self, io_error};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a waiter sleeps at first, and at most, while another one is in front of it.
const QUEUE_PAUSE: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(4));
/// How long the first waiter sleeps between two looks at the lock.
const LOCK_PAUSE: Duration = Duration::from_micros(200);
/// How long a fork sleeps between two looks at the gate.
const FORK_PAUSE: Duration = Duration::from_micros(100);

/// The lock of one store, as seen from this process.
pub(crate) struct Lock {
    lock: PathBuf,
    queue: PathBuf,
    wait_max: Duration,
    gate: Gate,
}

/// Proof that nobody else uses the map; ends when dropped.
pub(crate) struct Held<'a> {
    // Dropped first: the file is closed, and with it the lock given up, before the gate opens for a fork.
    _lock: File,
    _inside: Inside<'a>,
}

impl Lock {
    pub(crate) fn new(folder: &Path, wait_max: Duration) -> Self {
        Self { lock: folder.join("lock"), queue: folder.join("queue"), wait_max, gate: Gate::default() }
    }

    /// Waits for the lock.
    ///
    /// # Errors
    /// `Busy` after the waiting limit, `Io`, `Unsafe`.
    pub(crate) fn hold(&self) -> Result<Held<'_>> {
        let start = Instant::now();
        let mut pause = QUEUE_PAUSE.0;
        loop {
            if let Some(held) = self.attempt(start)? {
                return Ok(held);
            }
            self.check_waiting(start, &self.queue)?;
            std::thread::sleep(pause);
            pause = (pause * 2).min(QUEUE_PAUSE.1);
        }
    }

    /// Takes `queue` and waits in it for `lock`; `None` when another one is in the queue, or a fork is under way.
    fn attempt(&self, start: Instant) -> Result<Option<Held<'_>>> {
        let Some(inside) = self.gate.enter() else { return Ok(None) };
        let Some(_first) = try_lock(&self.queue)? else { return Ok(None) };
        loop {
            if let Some(lock) = try_lock(&self.lock)? {
                return Ok(Some(Held { _lock: lock, _inside: inside }));
            }
            if self.gate.fork_pending() {
                return Ok(None);
            }
            self.check_waiting(start, &self.lock)?;
            std::thread::sleep(LOCK_PAUSE);
        }
    }

    /// `held` is the file that another one has.
    fn check_waiting(&self, start: Instant, held: &Path) -> Result<()> {
        let waited = start.elapsed();
        if waited < self.wait_max {
            return Ok(());
        }
        let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        Err(StoreError::Busy { path: held.to_owned(), waited_ms })
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Makes the two files where they are missing.
    pub(crate) fn create_files(&self) -> Result<()> {
        for path in [&self.lock, &self.queue] {
            folder::open_or_create_private_file(path)?;
        }
        Ok(())
    }
}

/// Takes the lock of a file if nobody has it.
fn try_lock(path: &Path) -> Result<Option<File>> {
    // Reading is enough for flock, and all that a read-only medium gives.
    let missing = || io_error("open", path, Errno::NOENT.into());
    let file = folder::open_private_file(path, folder::Access::Read)?.ok_or_else(missing)?;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(file)),
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(io_error("lock", path, errno.into())),
        }
    }
}

/// Counts the threads that hold a lock (a file's, or that of the copy in memory), and the forks that wait for them.
///
/// An atomic and no mutex: a fork may happen at any instant of another thread, and the child must find the gate
/// in a state it can use.
#[derive(Default)]
pub struct Gate(AtomicU64);

/// What one waiting fork adds to the gate; below it is the number of threads inside.
const FORK: u64 = 1 << 32;

impl Gate {
    /// Lets a thread in, unless a fork is pending.
    pub(crate) fn enter(&self) -> Option<Inside<'_>> {
        let entered = self.0.fetch_add(1, Ordering::SeqCst);
        let inside = Inside(self);
        (entered < FORK).then_some(inside)
    }

    fn fork_pending(&self) -> bool {
        self.0.load(Ordering::SeqCst) >= FORK
    }

    /// Holds new threads off and waits until those inside have left.
    pub(crate) fn close_for_fork(&self) {
        self.0.fetch_add(FORK, Ordering::SeqCst);
        while !self.0.load(Ordering::SeqCst).is_multiple_of(FORK) {
            std::thread::sleep(FORK_PAUSE);
        }
    }

    /// Undoes `close_for_fork` in the parent.
    pub(crate) fn open_after_fork(&self) {
        self.0.fetch_sub(FORK, Ordering::SeqCst);
    }

    /// Undoes whatever was under way in the parent: none of its other threads exists here.
    pub(crate) fn reset_in_child(&self) {
        self.0.store(0, Ordering::SeqCst);
    }
}

/// A thread inside the gate.
pub struct Inside<'a>(&'a Gate);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock_in(folder: &Path, wait_ms: u64) -> Lock {
        let lock = Lock::new(folder, Duration::from_millis(wait_ms));
        lock.create_files().unwrap();
        lock
    }

    #[test]
    fn waiting_ends_with_the_name_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (lock_in(folder.path(), 10), lock_in(folder.path(), 30));
        let held = first.hold().unwrap();
        let answer = second.hold().err();
        assert!(
            matches!(&answer, Some(StoreError::Busy { path, waited_ms: 30.. }) if path.ends_with("lock")),
            "{answer:?}"
        );
        drop(held);
        assert!(second.hold().is_ok());
    }

    #[test]
    fn a_fork_waits_for_the_lock_and_holds_others_off() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock_in(folder.path(), 30);
        std::thread::scope(|scope| {
            let held = lock.hold().unwrap();
            let fork = scope.spawn(|| lock.gate().close_for_fork());
            std::thread::sleep(Duration::from_millis(20));
            assert!(!fork.is_finished());
            drop(held);
            fork.join().unwrap();
        });
        assert!(matches!(lock.hold(), Err(StoreError::Busy { .. })));
        lock.gate().open_after_fork();
        assert!(lock.hold().is_ok());
    }

    #[test]
    fn a_child_resets_the_gate_whatever_was_under_way() {
        let gate = Gate::default();
        gate.close_for_fork();
        gate.close_for_fork();
        gate.reset_in_child();
        assert!(gate.enter().is_some());
    }

    #[test]
    fn one_that_asks_again_and_again_does_not_starve_one_that_waits() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock_in(folder.path(), 10_000);
        let greedy = std::sync::atomic::AtomicU32::new(0);
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let _held = lock.hold().unwrap();
                    greedy.fetch_add(1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
            for _ in 0..20 {
                let _held = lock.hold().unwrap();
                std::thread::sleep(Duration::from_millis(1));
            }
            done.store(true, Ordering::SeqCst);
        });
        let greedy = greedy.into_inner();
        assert!(greedy < 100, "20 turns of one waiter cost {greedy} turns of the other");
    }
}
