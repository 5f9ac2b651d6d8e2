//! What several processes have done to one token, in memory that all of them share.
//!
//! Owns: for each thing on the token (an object, a pair, a PIN) the last change that was begun and the last that was
//! acknowledged, and the rule what an observer may see between the two. Does not know: PKCS#11.
//!
//! The ledger is a mapped file of atomics: there is one order of all its changes over all processes, no clock is
//! compared, and what a process wrote before SIGKILL stays. A writer notes `begun`, makes the call, notes `acked`. An
//! observer reads the ledger before its call and after it: it must see a version that is not older than what was
//! acknowledged or seen by anybody before its call began, and not newer than what was begun when it ended.

use crate::Place;
use std::fs::OpenOptions;
use std::ops::RangeInclusive;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// The version of a thing that is not there yet.
pub const ABSENT: u64 = 0;
/// The version of a pair whose private half is destroyed and whose public half is not.
pub const HALF: u64 = u64::MAX - 1;
/// The version of a thing that is destroyed.
pub const GONE: u64 = u64::MAX;

/// How many things a ledger has room for.
pub const ENTRIES: usize = 1 << 17;
/// How many workers a ledger has room for.
pub const WORKERS: usize = 64;

/// The shared memory; see the module's head.
#[repr(C)]
pub struct Ledger {
    /// Not 0 when all shall come to an end.
    pub stop: AtomicU64,
    /// Processes that have reached the agreed place.
    pub arrived: AtomicU64,
    /// Entries in use.
    pub used: AtomicU64,
    /// Things that are on the token at this moment.
    pub alive: AtomicU64,
    workers: [Worker; WORKERS],
    entries: [Entry; ENTRIES],
}

/// What one worker (a thread of a process) has done.
#[repr(C, align(64))]
pub struct Worker {
    /// Finished turns.
    pub turns: AtomicU64,
    /// Finished writes.
    pub writes: AtomicU64,
    /// Its longest call, microseconds.
    pub longest_us: AtomicU64,
    /// A number that its scenario gives a meaning.
    pub note: AtomicU64,
}

/// One thing on the token.
#[repr(C, align(64))]
pub struct Entry {
    /// Which worker may change it now, plus 1; 0 for nobody.
    owner: AtomicU64,
    /// What it is; 0 for nothing yet. The meaning is the scenario's.
    pub kind: AtomicU64,
    begun: AtomicU64,
    acked: AtomicU64,
    seen: AtomicU64,
    /// Something by which observers know the thing again, for example a ciphertext; 0 for not yet.
    pub proof: AtomicU64,
}

impl Ledger {
    /// Opens the ledger `name` of a place, and makes it first where it is missing. It stays mapped.
    ///
    /// # Panics
    /// When the file cannot be made or mapped.
    #[must_use]
    pub fn open(place: &Place, name: &str) -> &'static Self {
        let path = place.file(name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.expect("the ledger's file");
        file.set_len(size_of::<Self>() as u64).expect("room for the ledger");
        // SAFETY: a new mapping of a file of this length; nothing else is replaced.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size_of::<Self>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        assert_ne!(memory, libc::MAP_FAILED, "{}: {}", path.display(), std::io::Error::last_os_error());
        // SAFETY: the mapping is as long as the type, is never taken away, and is aligned to a page. The type holds
        // atomics only, for which every bit pattern is a value and which other processes may change at any time.
        unsafe { &*memory.cast::<Self>() }
    }

    /// A worker's own record.
    #[must_use]
    pub fn worker(&self, number: usize) -> &Worker {
        &self.workers[number]
    }

    /// A thing by its number.
    #[must_use]
    pub fn entry(&self, number: usize) -> &Entry {
        &self.entries[number]
    }

    /// How many things were ever begun.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(SeqCst) as usize
    }

    /// Begins a new thing, which `worker` owns; `None` when the ledger is full.
    #[must_use]
    pub fn begin(&self, worker: usize, kind: u64) -> Option<usize> {
        // Never more than there is room for, not even for a moment: others look at any of those in use.
        let next = |used: u64| (used < ENTRIES as u64).then_some(used + 1);
        let number = self.used.fetch_update(SeqCst, SeqCst, next).ok()? as usize;
        let entry = &self.entries[number];
        entry.owner.store(worker as u64 + 1, SeqCst);
        entry.kind.store(kind, SeqCst);
        Some(number)
    }

    /// Whether the run is to end.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stop.load(SeqCst) != 0
    }

    /// Ends the run for all.
    pub fn end(&self) {
        self.stop.store(1, SeqCst);
    }

    /// Says that this process has arrived, and waits until `all` have.
    ///
    /// # Panics
    /// When they do not come within `limit`.
    pub fn meet(&self, all: u64, limit: Duration) {
        self.arrived.fetch_add(1, SeqCst);
        let begin = Instant::now();
        while self.arrived.load(SeqCst) < all {
            assert!(begin.elapsed() < limit, "only {} of {all} processes arrived", self.arrived.load(SeqCst));
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Worker {
    /// Runs a call and keeps its time if none was longer.
    pub fn timed<T>(&self, call: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let answer = call();
        self.longest_us.fetch_max(begin.elapsed().as_micros() as u64, SeqCst);
        answer
    }
}

impl Entry {
    /// Takes the right to change it; `false` when another worker has it.
    #[must_use]
    pub fn claim(&self, worker: usize) -> bool {
        self.owner.compare_exchange(0, worker as u64 + 1, SeqCst, SeqCst).is_ok()
    }

    /// Gives the right to change it back.
    pub fn release(&self) {
        self.owner.store(0, SeqCst);
    }

    /// Who may change it now.
    #[must_use]
    pub fn owner(&self) -> Option<usize> {
        (self.owner.load(SeqCst) as usize).checked_sub(1)
    }

    /// The last acknowledged version.
    #[must_use]
    pub fn acked(&self) -> u64 {
        self.acked.load(SeqCst)
    }

    /// The last version that was begun.
    #[must_use]
    pub fn begun(&self) -> u64 {
        self.begun.load(SeqCst)
    }

    /// Whether it is on the token, as far as has been acknowledged.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        (1..=HALF).contains(&self.acked())
    }

    /// Notes that the owner is about to bring about `version`.
    pub fn begin(&self, version: u64) {
        self.begun.store(version, SeqCst);
    }

    /// Notes that the token acknowledged `version`.
    pub fn acknowledge(&self, version: u64) {
        self.acked.store(version, SeqCst);
    }

    /// Notes what became of a change whose owner was killed: the referee looked, and it is `version` now.
    pub fn settle(&self, version: u64) {
        self.begun.store(version, SeqCst);
        self.acked.store(version, SeqCst);
        self.release();
    }

    /// Begins an observation; to be called before the observing call.
    #[must_use]
    pub fn observe(&self) -> Window<'_> {
        Window { entry: self, least: self.acked.load(SeqCst).max(self.seen.load(SeqCst)) }
    }
}

/// An observation under way.
pub struct Window<'a> {
    entry: &'a Entry,
    least: u64,
}

impl Window<'_> {
    /// Ends the observation: what was seen means that the version is in one of `ranges` (in ascending order).
    ///
    /// # Panics
    /// When no version that the observer may see is in one of them; `shown` says what was seen.
    pub fn saw(self, ranges: &[RangeInclusive<u64>], shown: impl FnOnce() -> String) {
        let most = self.entry.begun.load(SeqCst);
        let fits = |range: &RangeInclusive<u64>| {
            let first = self.least.max(*range.start());
            (first <= most.min(*range.end())).then_some(first)
        };
        match ranges.iter().find_map(fits) {
            Some(version) => {
                self.entry.seen.fetch_max(version, SeqCst);
            }
            None => panic!(
                "{}: seen {ranges:?}, while {:?} was acknowledged or seen before and {most:?} begun",
                shown(),
                self.least
            ),
        }
    }
}

/// What observations mean.
pub mod sight {
    use super::{ABSENT, GONE, HALF};
    use std::ops::RangeInclusive;

    /// Nothing of it is there.
    pub const NOTHING: [RangeInclusive<u64>; 2] = [ABSENT..=ABSENT, GONE..=GONE];
    /// All of it is there.
    pub const WHOLE: [RangeInclusive<u64>; 1] = [1..=HALF - 1];
    /// Only the public half of a pair is there.
    pub const PUBLIC_HALF_ONLY: [RangeInclusive<u64>; 1] = [HALF..=HALF];
    /// The private half of a pair is not there.
    pub const NO_PRIVATE_HALF: [RangeInclusive<u64>; 2] = [ABSENT..=ABSENT, HALF..=GONE];
    /// The public half of a pair is there.
    pub const PUBLIC_HALF: [RangeInclusive<u64>; 1] = [1..=HALF];

    /// It is there in this version.
    #[must_use]
    pub fn version(version: u64) -> [RangeInclusive<u64>; 1] {
        [version..=version]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(before: (u64, u64), begun_after: u64, seen: &[RangeInclusive<u64>]) -> bool {
        let place = Place::new();
        let ledger = Ledger::open(&place, "ledger");
        let entry = ledger.entry(ledger.begin(0, 1).expect("room"));
        entry.acknowledge(before.0);
        entry.begin(before.1);
        let window = entry.observe();
        entry.begin(begun_after);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| window.saw(seen, String::new))).is_ok()
    }

    #[test]
    fn what_was_acknowledged_before_the_call_must_be_seen_and_what_was_begun_may_be() {
        assert!(!judged((1, 1), 1, &sight::NOTHING), "acknowledged and not there");
        assert!(judged((1, 1), 1, &sight::WHOLE));
        assert!(judged((0, 1), 1, &sight::NOTHING), "not acknowledged: may be missing");
        assert!(judged((0, 1), 1, &sight::WHOLE), "not acknowledged: may be there");
        assert!(!judged((0, 0), 0, &sight::WHOLE), "never begun");
        assert!(!judged((2, 3), 3, &sight::version(1)), "older than acknowledged");
        assert!(judged((2, 3), 5, &sight::version(5)), "newer, and begun during the call");
        assert!(!judged((GONE, GONE), GONE, &sight::WHOLE), "destroyed and there");
        assert!(!judged((1, 2), 2, &sight::PUBLIC_HALF_ONLY), "half a pair");
        assert!(judged((4, HALF), GONE, &sight::PUBLIC_HALF_ONLY));
    }

    #[test]
    fn what_one_has_seen_another_may_not_miss_afterwards() {
        let place = Place::new();
        let (here, there) = (Ledger::open(&place, "ledger"), Ledger::open(&place, "ledger"));
        let number = here.begin(0, 1).expect("room");
        here.entry(number).begin(1);
        here.entry(number).observe().saw(&sight::WHOLE, String::new);
        let window = there.entry(number).observe();
        let missed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            window.saw(&sight::NOTHING, String::new);
        }));
        assert!(missed.is_err(), "not acknowledged, but seen before");
    }
}
