//! The end of the process, as AWS-LC sees it.
//!
//! AWS-LC has two ELF destructors. One frees the source of its generator's seeds: a thread that draws for the first time after
//! that, or whose state is due for a new seed, finds nothing there, and AWS-LC aborts the process. The other locks the state of
//! every thread for ever (a rule of FIPS 140): a thread that draws then never comes back, nor does whoever waits for that
//! thread. Hosts do leave while their threads sign, and make calls that late themselves, from destructors.
//!
//! So a thread that may draw stays inside a [`Drawing`], and a handler of `exit` closes the doors before the first destructor
//! runs: it waits until the threads inside have come out, and from then on nobody goes in. What would draw goes to the portable
//! engine and the caller's random source instead, while and after the destructors run. Nobody stays inside for longer than
//! an RSA operation; the search for primes looks at [`generator_is_closed`] and gives up.
//!
//! The handler is registered when the library is loaded. `exit` calls it after the handlers that came later and before all
//! destructors; an entry of our own beside AWS-LC's could only come after those of AWS-LC, which the linker sees later.
//!
//! Owns: the doors. Called from every function of this engine that needs randomness: RSA's private operations (blinding),
//! paddings, key generation, ECDSA's nonces, and what the process draws from the generator itself (`random`).

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Whether AWS-LC's random generator must not be asked any more.
pub(super) fn generator_is_closed() -> bool {
    my_door().is_closed()
}

/// Only for the child of a fork, while it has one thread: the parent's other threads are not inside here.
pub(super) fn forget_others() {
    for (place, door) in DOORS.iter().enumerate() {
        door.keep_only(mine_at(place));
    }
}

/// The stay of a thread in a part of AWS-LC that may draw random numbers.
pub(super) struct Drawing {
    /// It ends in the thread that began it.
    _thread: PhantomData<*const ()>,
}

impl Drawing {
    /// Goes in; `None` when the process is ending, and the portable engine has to do the work.
    pub(super) fn begin() -> Option<Self> {
        if !my_door().enter() {
            return None;
        }
        MINE.set(MINE.get() + 1);
        Some(Self { _thread: PhantomData })
    }
}

impl Drop for Drawing {
    fn drop(&mut self) {
        MINE.set(MINE.get() - 1);
        my_door().leave();
    }
}

thread_local! {
    /// How often this thread is inside. Without a destructor, so it is there in the last moments of a thread, too.
    static MINE: Cell<u32> = const { Cell::new(0) };
    /// Which door this thread takes, and one more; 0 before it has come to one. Without a destructor as well.
    static PLACE: Cell<usize> = const { Cell::new(0) };
}

/// Several doors, so that threads on different processors do not wait for each other's counting.
static DOORS: [Door; 16] = [const { Door(AtomicU32::new(0)) }; 16];

/// The door of this thread: always the same one.
fn my_door() -> &'static Door {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    if PLACE.get() == 0 {
        PLACE.set(1 + NEXT.fetch_add(1, Ordering::Relaxed) % DOORS.len());
    }
    &DOORS[PLACE.get() - 1]
}

/// How often this thread is inside by the door at `place`.
fn mine_at(place: usize) -> u32 {
    if PLACE.get() == place + 1 { MINE.get() } else { 0 }
}

/// The bit of a closed door; below it is the number of those inside.
const CLOSED: u32 = 1 << 31;
/// How long the process stays for a thread that does not come out, as when a debugger holds it; all others take milliseconds.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Between two looks at who is still inside.
const LOOK: Duration = Duration::from_micros(100);

/// Counts who is inside, in one word with whether anybody may still go in; alone on its cache lines.
#[repr(align(128))]
struct Door(AtomicU32);

impl Door {
    fn is_closed(&self) -> bool {
        self.0.load(Ordering::Acquire) & CLOSED != 0
    }

    fn enter(&self) -> bool {
        // Looks first, so that those who come late do not keep the count from falling.
        if self.is_closed() {
            return false;
        }
        if self.0.fetch_add(1, Ordering::AcqRel) & CLOSED == 0 {
            return true;
        }
        self.leave();
        false
    }

    fn leave(&self) {
        self.0.fetch_sub(1, Ordering::Release);
    }

    /// Lets nobody in any more.
    fn close(&self) {
        self.0.fetch_or(CLOSED, Ordering::AcqRel);
    }

    /// Waits until no more than `own` are inside; gives up at `end`.
    fn await_empty(&self, own: u32, end: Instant) {
        while self.0.load(Ordering::Acquire) & !CLOSED > own && Instant::now() < end {
            std::thread::sleep(LOOK);
        }
    }

    fn keep_only(&self, inside: u32) {
        let closed = self.0.load(Ordering::Relaxed) & CLOSED;
        self.0.store(closed | inside, Ordering::Release);
    }
}

/// Runs in `exit`. A thread that leaves from a signal handler may be inside itself; it never comes out.
#[cfg(target_os = "linux")]
extern "C" fn close() {
    let end = Instant::now() + WAIT_MAX;
    DOORS.iter().for_each(Door::close);
    for (place, door) in DOORS.iter().enumerate() {
        door.await_empty(mine_at(place), end);
    }
}

#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".init_array")]
static REGISTER: extern "C" fn() = register;

#[cfg(target_os = "linux")]
extern "C" fn register() {
    unsafe extern "C" {
        fn atexit(handler: extern "C" fn()) -> std::ffi::c_int;
    }
    // SAFETY: the handler is a function of this library, and one that is unloaded takes its handlers along. Should the
    // C library have no memory for it, the end of the process is as careless as AWS-LC makes it.
    let _ = unsafe { atexit(close) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    const LONG: Duration = Duration::from_secs(600);

    fn door() -> Door {
        Door(AtomicU32::new(0))
    }

    /// Closes and waits, as the handler does with each door.
    fn close(door: &Door, own: u32, limit: Duration) {
        door.close();
        door.await_empty(own, Instant::now() + limit);
    }

    #[test]
    fn a_closing_door_waits_for_those_inside_and_lets_nobody_in() {
        let (door, inside) = (door(), AtomicBool::new(true));
        assert!(door.enter() && door.enter());
        door.leave();
        std::thread::scope(|scope| {
            let closer = scope.spawn(|| {
                close(&door, 0, LONG);
                assert!(!inside.load(Ordering::SeqCst));
            });
            while door.enter() {
                door.leave();
            }
            assert!(!closer.is_finished() && !door.enter());
            inside.store(false, Ordering::SeqCst);
            door.leave();
            closer.join().unwrap();
        });
        assert!(door.is_closed() && !door.enter());
    }

    #[test]
    fn a_thread_that_ends_the_process_while_it_is_inside_does_not_wait_for_itself() {
        let door = door();
        assert!(door.enter());
        let begin = Instant::now();
        close(&door, 1, LONG);
        assert!(begin.elapsed() < LONG / 2);
    }

    #[test]
    fn nobody_waits_for_ever_for_a_thread_that_stays_inside() {
        let door = door();
        assert!(door.enter());
        close(&door, 0, Duration::from_millis(20));
        assert!(door.is_closed());
    }

    #[test]
    fn in_a_child_of_a_fork_only_its_own_thread_is_inside() {
        let door = door();
        assert!(door.enter() && door.enter() && door.enter());
        door.keep_only(1);
        door.leave();
        close(&door, 0, LONG);
        door.keep_only(0);
        assert!(door.is_closed(), "the child of a process that ends has its portable engine, too");
    }

    #[test]
    fn of_many_threads_none_is_inside_when_the_door_is_closed() {
        for _ in 0..200 {
            let (door, inside) = (door(), AtomicU32::new(0));
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        while door.enter() {
                            inside.fetch_add(1, Ordering::SeqCst);
                            inside.fetch_sub(1, Ordering::SeqCst);
                            door.leave();
                        }
                    });
                }
                close(&door, 0, LONG);
                assert_eq!(inside.load(Ordering::SeqCst), 0);
            });
        }
    }
}
