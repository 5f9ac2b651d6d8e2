//! The locks of AWS-LC, made so that a child of `fork` finds all of them free.
//!
//! AWS-LC guards its random generator with locks of the C library: a few for the whole library, which every draw takes for a
//! moment (a draw is in each ECDSA signature, each key generation, each blinding), and one for each thread's state, which is
//! held while bytes are made. A fork copies them as they are. One that another thread held stays held in the child, where
//! that thread does not exist: the child's first signature, the end of one of its threads, or AWS-LC's destructor at exit then
//! waits for ever. AWS-LC does nothing about that, and its locks cannot be reached from outside.
//!
//! So the library brings the functions of these locks itself, as hidden symbols like the one in `allocator.rs`: AWS-LC's
//! calls end here, those of no other library do. A lock's word says in which *epoch* it was last changed; the child of a fork
//! begins a new epoch, in which every lock of an earlier one counts as free. What such a lock guards stays usable in any
//! half-changed state: numbers that notice the fork anew, generators that are seeded anew before the next draw, and a list
//! whose forward links are whole at every step. Initialisations (`pthread_once`) need no such care, because the C library
//! itself begins an interrupted one again in the child.
//!
//! Owns: the form of a lock, which is 12 bytes of the place that the C library's type has. All zero is free, as with those.
//! Does not know: which locks there are. Called from AWS-LC; `forget` from the fork handler.

use core::ffi::c_int;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use rustix::thread::futex;

/// Counts the forks between the first process that loaded the library and this one.
static EPOCH: AtomicU32 = AtomicU32::new(0);

/// Begins a new epoch: all locks are free. Only for the child of a fork, while it has one thread.
pub(super) fn forget() {
    EPOCH.fetch_add(1, Ordering::Release);
}

/// A lock for one writer or many readers; readers come in whenever there is no writer, as with the C library's.
#[repr(C)]
struct Lock {
    /// The epoch in the upper half; below it who is inside, and whether somebody sleeps.
    word: AtomicU64,
    /// Counts the wakings, for those who fall asleep.
    wakings: AtomicU32,
}

/// The bit of a writer inside; below it is the number of readers.
const WRITER: u32 = 1 << 30;
/// The bit of threads that sleep until the lock is free.
const SLEEPERS: u32 = 1 << 31;
/// Looks at a taken lock before sleeping: most are held for a few instructions.
const LOOKS: u32 = 100;

/// How a lock changes when a reader goes in, if it may.
fn with_reader(state: u32) -> Option<u32> {
    (state & WRITER == 0).then_some(state + 1)
}

/// How a lock changes when a writer goes in, if it may.
fn with_writer(state: u32) -> Option<u32> {
    (state & !SLEEPERS == 0).then_some(state | WRITER)
}

impl Lock {
    /// The word and the state that it means in `epoch`.
    fn look(&self, epoch: u32) -> (u64, u32) {
        let word = self.word.load(Ordering::Acquire);
        // The upper half is the epoch, so both casts keep all of their bits.
        let (changed, state) = ((word >> 32) as u32, word as u32);
        (word, if changed == epoch { state } else { 0 })
    }

    fn change(&self, from: u64, epoch: u32, to: u32) -> bool {
        let to = u64::from(epoch) << 32 | u64::from(to);
        self.word.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn try_enter(&self, epoch: fn() -> u32, enter: fn(u32) -> Option<u32>) -> bool {
        loop {
            let now = epoch();
            let (word, state) = self.look(now);
            match enter(state) {
                Some(entered) if self.change(word, now, entered) => return true,
                Some(_) => {}
                None => return false,
            }
        }
    }

    /// Asks for the epoch at each look: a signal handler may fork while this waits, and the child come back to it. Never answers
    /// that waiting would be a deadlock, as the C library may: AWS-LC aborts then.
    fn enter(&self, epoch: fn() -> u32, enter: fn(u32) -> Option<u32>) {
        let mut looks = 0;
        // Read before the state: a waking that comes after the look at the state ends the sleep before it begins.
        let mut wakings = self.wakings.load(Ordering::Acquire);
        while !self.try_enter(epoch, enter) {
            if looks < LOOKS {
                looks += 1;
                spin_loop();
                continue;
            }
            let now = epoch();
            let (word, state) = self.look(now);
            let taken = enter(state).is_none();
            if taken && (state & SLEEPERS != 0 || self.change(word, now, state | SLEEPERS)) {
                // A sleep that ends early, or none, leads to another look.
                let _ = futex::wait(&self.wakings, futex::Flags::PRIVATE, wakings, None);
            }
            wakings = self.wakings.load(Ordering::Acquire);
        }
    }

    fn leave(&self, epoch: fn() -> u32) {
        loop {
            let now = epoch();
            let (word, state) = self.look(now);
            let inside = state & !SLEEPERS;
            let left = if inside <= 1 || inside == WRITER { 0 } else { state - 1 };
            if !self.change(word, now, left) {
                continue;
            }
            if left == 0 && state & SLEEPERS != 0 {
                self.wakings.fetch_add(1, Ordering::Release);
                // Without sleepers there is nothing to do, and no other failure.
                let _ = futex::wake(&self.wakings, futex::Flags::PRIVATE, i32::MAX as u32);
            }
            return;
        }
    }
}

fn epoch() -> u32 {
    EPOCH.load(Ordering::Acquire)
}

/// `pthread_rwlock_init` and `pthread_rwlock_destroy`: a lock that nobody holds.
unsafe extern "C" fn make_free(lock: &Lock) -> c_int {
    lock.word.store(0, Ordering::Release);
    lock.wakings.store(0, Ordering::Release);
    0
}

unsafe extern "C" fn read(lock: &Lock) -> c_int {
    lock.enter(epoch, with_reader);
    0
}

unsafe extern "C" fn try_read(lock: &Lock) -> c_int {
    /// `EBUSY`, the same number on every Linux.
    const BUSY: c_int = 16;
    if lock.try_enter(epoch, with_reader) { 0 } else { BUSY }
}

unsafe extern "C" fn write(lock: &Lock) -> c_int {
    lock.enter(epoch, with_writer);
    0
}

unsafe extern "C" fn unlock(lock: &Lock) -> c_int {
    lock.leave(epoch);
    0
}

// Everything with a lock that AWS-LC calls; a test of pkcs11-module finds any that is missing here.
hidden! {
    "pthread_rwlock_init" = make_free;
    "pthread_rwlock_destroy" = make_free;
    "pthread_rwlock_rdlock" = read;
    "pthread_rwlock_tryrdlock" = try_read;
    "pthread_rwlock_wrlock" = write;
    "pthread_rwlock_unlock" = unlock;
    "pthread_mutex_lock" = write;
    "pthread_mutex_unlock" = unlock;
}

mod reference {
    use core::ffi::c_int;

    unsafe extern "C" {
        fn pthread_rwlock_rdlock(lock: &super::Lock) -> c_int;
    }

    /// Makes the linker take the symbols from here, before it comes to the C library.
    #[used]
    static RDLOCK: unsafe extern "C" fn(&super::Lock) -> c_int = pthread_rwlock_rdlock;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::thread;
    use std::time::Duration;

    fn lock() -> Lock {
        Lock { word: AtomicU64::new(0), wakings: AtomicU32::new(0) }
    }

    #[test]
    fn a_writer_is_alone_and_every_thread_gets_its_turn() {
        let (lock, inside, sum) = (lock(), AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for number in 0..8 {
                let (lock, inside, sum) = (&lock, &inside, &sum);
                scope.spawn(move || {
                    for _ in 0..20_000 {
                        if number % 2 == 0 {
                            lock.enter(|| 0, with_writer);
                            assert_eq!(inside.fetch_add(1000, Ordering::SeqCst), 0);
                            // A read and a write that a second writer would tear apart.
                            sum.store(sum.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                            inside.fetch_sub(1000, Ordering::SeqCst);
                        } else {
                            lock.enter(|| 0, with_reader);
                            assert!(inside.fetch_add(1, Ordering::SeqCst) < 1000);
                            inside.fetch_sub(1, Ordering::SeqCst);
                        }
                        lock.leave(|| 0);
                    }
                });
            }
        });
        assert_eq!(sum.load(Ordering::SeqCst), 4 * 20_000);
        assert_eq!(lock.look(0).1 & !SLEEPERS, 0);
    }

    #[test]
    fn a_sleeper_is_woken_when_the_last_reader_leaves() {
        let lock = lock();
        lock.enter(|| 0, with_reader);
        lock.enter(|| 0, with_reader);
        thread::scope(|scope| {
            let writer = scope.spawn(|| lock.enter(|| 0, with_writer));
            while lock.look(0).1 & SLEEPERS == 0 {
                thread::sleep(Duration::from_millis(1));
            }
            assert!(lock.try_enter(|| 0, with_reader), "readers come in while a writer waits");
            for _ in 0..3 {
                assert!(!writer.is_finished());
                lock.leave(|| 0);
            }
            writer.join().unwrap();
        });
        assert!(!lock.try_enter(|| 0, with_reader));
    }

    #[test]
    fn what_was_held_in_an_earlier_epoch_is_free() {
        for held in [with_reader, with_writer] {
            let lock = lock();
            lock.enter(|| 3, held);
            assert!(!lock.try_enter(|| 3, with_writer));
            lock.enter(|| 4, with_writer);
            assert!(!lock.try_enter(|| 4, with_reader));
            lock.leave(|| 4);
            assert!(lock.try_enter(|| 4, with_reader));
        }
    }

    #[test]
    fn the_c_librarys_types_have_room_for_a_lock() {
        assert!(size_of::<Lock>() <= 40 && align_of::<Lock>() <= align_of::<f64>());
    }
}
