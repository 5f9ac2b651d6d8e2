//! Regions of pages from the system: what is locked and left out of dumps, and how it is divided.
//!
//! Owns: the mappings. A region is a run of chunks with a page that nobody may touch before and behind it. A chunk begins at a multiple
//! of its size, so that the head of the chunk is found from the address of any block in it. The first unit of
//! a chunk is its head; the others are given out in spans. Chunks are never given back to the system, which is why references to
//! their heads live for ever; a block too large to share has a mapping of its own, and that is given back.
//!
//! Nothing here waits: free units are bits, chunks are a list that only grows, and both change in one atomic step. So no fork comes at a
//! wrong moment, and AWS-LC may come here whatever lock it holds.
//! Does not know: threads, and which blocks of a span are free (`shelf`).

use crate::sizes::{self, CLASSES, UNIT, units};
use core::ptr::{self, NonNull, null_mut};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicUsize, Ordering};
use rustix::mm;

/// The size of a chunk, and what it is aligned to, bytes: as large as any system's page.
pub(crate) const CHUNK: usize = 64 << 10;
const UNITS: usize = CHUNK / UNIT;
/// The most chunks that one region gets.
const REGION_CHUNKS_MAX: usize = 16;

/// What stands at the beginning of a chunk, and of a mapping for one large block.
#[repr(C)]
pub(crate) struct Head {
    /// For a large block: the whole mapping, guards included; otherwise null and 0.
    mapping: AtomicPtr<u8>,
    mapping_bytes: AtomicUsize,
    /// For a large block: how many bytes can be used.
    large_bytes: AtomicUsize,
    /// The chunk that was made before this one.
    next: AtomicPtr<Head>,
    /// A bit for each unit that no span has.
    free: AtomicU32,
    /// In which unit the span of each unit begins.
    first: [AtomicU8; UNITS],
    spans: [Span; UNITS],
}

/// A run of units with blocks of one size. Only the thread that has its shelf changes it; what others read does not change while they have
/// a block of it.
pub(crate) struct Span {
    /// The shelf that it belongs to.
    pub(crate) shelf: AtomicPtr<crate::shelf::Shelf>,
    /// The first free block that was used before; each such block names the next.
    pub(crate) returned: AtomicPtr<u8>,
    /// Its neighbours in the shelf's list of spans with room.
    pub(crate) next: AtomicPtr<Span>,
    pub(crate) previous: AtomicPtr<Span>,
    pub(crate) start: AtomicPtr<u8>,
    /// How many blocks are in use, and how many have ever been.
    pub(crate) used: AtomicU16,
    pub(crate) begun: AtomicU16,
    pub(crate) class: AtomicU8,
}

const _: () = assert!(size_of::<Head>() <= UNIT && CLASSES < 256 && UNITS <= 32);

/// The chunk made last, and the one in which units were found last.
static CHUNKS: AtomicPtr<Head> = AtomicPtr::new(null_mut());
static HINT: AtomicPtr<Head> = AtomicPtr::new(null_mut());

static CHUNK_COUNT: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);
static LOCKED: AtomicUsize = AtomicUsize::new(0);
static DUMPED: AtomicBool = AtomicBool::new(false);
/// Whether this process is a fork's child whose inherited pages are not locked.
static INHERITED: AtomicBool = AtomicBool::new(false);

/// A mapped region of [`REGION_CHUNKS_MAX`] chunks that nobody has touched, for when the system gives no more; null while there is none.
static SPARE: AtomicPtr<u8> = AtomicPtr::new(null_mut());
/// Whether it was needed, and there is no other yet.
static SPENT: AtomicBool = AtomicBool::new(false);

/// How the secret pages of this process stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How many bytes of pages there are.
    pub bytes: usize,
    /// How many of them are locked, so that they are never written to the swap.
    pub locked: usize,
    /// How many bytes the process may lock at all (`RLIMIT_MEMLOCK`); `None` for any number.
    pub limit: Option<u64>,
    /// Whether they are left out of core dumps.
    pub left_out_of_dumps: bool,
}

impl Standing {
    /// Whether some pages could not be locked.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.locked < self.bytes
    }
}

/// How the secret pages of this process stand now.
#[must_use]
pub fn standing() -> Standing {
    let (locked, bytes) = (LOCKED.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
    Standing {
        bytes: bytes.max(locked),
        locked,
        limit: rustix::process::getrlimit(rustix::process::Resource::Memlock).current,
        left_out_of_dumps: !DUMPED.load(Ordering::Relaxed),
    }
}

/// Makes the first pages, if there are none, and locks those that a child of `fork` has inherited, as locks are not.
///
/// To be called when an application begins to use secrets; without it, both come with the first secret, and the latter never.
pub fn prepare() -> Standing {
    if CHUNKS.load(Ordering::Acquire).is_null() {
        // What is wrong, the first secret will tell.
        let _ = grow();
    }
    let _ = refill();
    if INHERITED.swap(false, Ordering::AcqRel) {
        let mut chunk = chunk_at(&CHUNKS);
        while let Some(head) = chunk {
            // Refused or not, the standing says it.
            let _ = lock(ptr::from_ref(head).cast_mut().cast(), CHUNK);
            chunk = chunk_at(&head.next);
        }
    }
    standing()
}

/// Whether the system has refused pages since there was a spare region, so that what is taken comes from the last one.
#[must_use]
pub fn is_spent() -> bool {
    SPENT.load(Ordering::Relaxed)
}

/// Puts a spare region by, if there is none. Whether there is one now.
///
/// Without one, [`take`](crate::take) fails when the system gives no more; with one, a call that has begun can end.
pub fn refill() -> bool {
    if SPARE.load(Ordering::Acquire).is_null() {
        let Some(mapping) = map(REGION_CHUNKS_MAX * CHUNK) else { return false };
        let (fresh, none) = (mapping.inside.as_ptr(), null_mut());
        if SPARE.compare_exchange(none, fresh, Ordering::AcqRel, Ordering::Acquire).is_err() {
            // Another thread was first.
            unmap(mapping.whole, mapping.whole_bytes);
        }
    }
    SPENT.store(false, Ordering::Relaxed);
    true
}

/// In the child of a fork: its pages are copies of the parent's and not locked (mlock(2)).
pub fn begin_child() {
    LOCKED.store(0, Ordering::Relaxed);
    INHERITED.store(true, Ordering::Release);
}

fn chunk_at(place: &AtomicPtr<Head>) -> Option<&'static Head> {
    // SAFETY: a list of chunks holds null or heads that were whole when they were published, and that are never unmapped.
    unsafe { place.load(Ordering::Acquire).as_ref() }
}

/// The head of what the block is in.
///
/// # Safety
/// `block` was given out by this crate and not given back since.
#[inline]
pub(crate) unsafe fn head_of<'a>(block: NonNull<u8>) -> &'a Head {
    let head = block.as_ptr().map_addr(|address| address & !(CHUNK - 1));
    // SAFETY: chunks and mappings of large blocks begin with a head, at a multiple of the size of a chunk; a block in a chunk lies in it
    // wholly, and a large one begins in the first one of its mapping. The head is there as long as the block is.
    unsafe { &*head.cast() }
}

impl Span {
    /// How many bytes each of its blocks has.
    #[inline]
    pub(crate) fn block_bytes(&self) -> usize {
        sizes::BYTES[usize::from(self.class.load(Ordering::Relaxed)) % CLASSES]
    }
}

impl Head {
    /// How many bytes the large block of this mapping has; 0 in a chunk.
    #[inline]
    pub(crate) fn large_bytes(&self) -> usize {
        self.large_bytes.load(Ordering::Relaxed)
    }

    /// The span of a block in this chunk.
    #[inline]
    pub(crate) fn span_of(&self, block: NonNull<u8>) -> &Span {
        let unit = (block.addr().get() & (CHUNK - 1)) / UNIT;
        &self.spans[usize::from(self.first[unit].load(Ordering::Relaxed)) % UNITS]
    }

    /// Takes a run of free units and makes it a span.
    fn take(&'static self, class: usize) -> Option<&'static Span> {
        let count = units(class);
        let mut free = self.free.load(Ordering::Acquire);
        loop {
            let mut runs = free;
            for _ in 1..count {
                runs &= runs >> 1;
            }
            if runs == 0 {
                return None;
            }
            let first = runs.trailing_zeros() as usize;
            let taken = ((1 << count) - 1) << first;
            match self.free.compare_exchange_weak(free, free & !taken, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(self.begin(first, class)),
                Err(now) => free = now,
            }
        }
    }

    fn begin(&'static self, first: usize, class: usize) -> &'static Span {
        for unit in first..first + units(class) {
            // Below 16, as the classes are below 256.
            self.first[unit].store(first as u8, Ordering::Relaxed);
        }
        let span = &self.spans[first];
        let start = ptr::from_ref(self).cast::<u8>().cast_mut().wrapping_add(first * UNIT);
        span.start.store(start, Ordering::Relaxed);
        span.returned.store(null_mut(), Ordering::Relaxed);
        span.used.store(0, Ordering::Relaxed);
        span.begun.store(0, Ordering::Relaxed);
        span.class.store(class as u8, Ordering::Relaxed);
        span
    }
}

/// Finds room for a span of this class, or makes it; `None` when the system gives no more memory.
pub(crate) fn span(class: usize) -> Option<&'static Span> {
    find(class).or_else(|| {
        grow()?;
        find(class)
    })
}

/// Finds room for a span of this class in what there is.
pub(crate) fn find(class: usize) -> Option<&'static Span> {
    let hint = chunk_at(&HINT);
    let mut chunk = hint;
    while let Some(head) = chunk {
        if let Some(span) = head.take(class) {
            HINT.store(ptr::from_ref(head).cast_mut(), Ordering::Release);
            return Some(span);
        }
        chunk = chunk_at(&head.next);
    }
    chunk = chunk_at(&CHUNKS);
    while let Some(head) = chunk.filter(|head| !hint.is_some_and(|hint| ptr::eq(*head, hint))) {
        if let Some(span) = head.take(class) {
            HINT.store(ptr::from_ref(head).cast_mut(), Ordering::Release);
            return Some(span);
        }
        chunk = chunk_at(&head.next);
    }
    None
}

/// Gives the units of an empty span back to its chunk; all its bytes are zero.
pub(crate) fn give_back(span: &Span) {
    let start = span.start.load(Ordering::Relaxed);
    let first = (start.addr() & (CHUNK - 1)) / UNIT;
    let count = units(usize::from(span.class.load(Ordering::Relaxed)));
    let Some(start) = NonNull::new(start) else { return };
    // SAFETY: the start of a span lies in its chunk, which is never unmapped.
    let head = unsafe { head_of(start) };
    head.free.fetch_or(((1 << count) - 1) << first, Ordering::Release);
}

/// Gets another region. The first ones are one chunk each, later ones a quarter of what there is, up to a MiB.
fn grow() -> Option<()> {
    let wanted = (CHUNK_COUNT.load(Ordering::Relaxed) / 4).clamp(1, REGION_CHUNKS_MAX);
    let mapped = |count: usize| Some((count, map(count * CHUNK)?.inside));
    let (count, start) = mapped(wanted).or_else(|| mapped(1)).or_else(spend)?;
    BYTES.fetch_add(count * CHUNK, Ordering::Relaxed);
    if !lock(start.as_ptr(), count * CHUNK) && count > 1 {
        // What the limit still allows.
        let mut chunks = (0..count).map(|chunk| start.as_ptr().wrapping_add(chunk * CHUNK));
        while chunks.next().is_some_and(|chunk| lock(chunk, CHUNK)) {}
    }
    for chunk in 0..count {
        publish(start.as_ptr().wrapping_add(chunk * CHUNK).cast());
    }
    Some(())
}

/// Takes the spare region.
#[cold]
fn spend() -> Option<(usize, NonNull<u8>)> {
    SPENT.store(true, Ordering::Relaxed);
    Some((REGION_CHUNKS_MAX, NonNull::new(SPARE.swap(null_mut(), Ordering::AcqRel))?))
}

/// Puts a fresh chunk into the list.
fn publish(chunk: *mut Head) {
    // SAFETY: the chunk is fresh, zero, and aligned to its size; a head of zeros is valid: null pointers and no free unit. It is never
    // unmapped.
    let head: &'static Head = unsafe { &*chunk };
    // All but the one with the head.
    head.free.store(((1 << UNITS) - 1) & !1, Ordering::Relaxed);
    let mut newest = CHUNKS.load(Ordering::Acquire);
    loop {
        head.next.store(newest, Ordering::Relaxed);
        match CHUNKS.compare_exchange_weak(newest, chunk, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => break,
            Err(now) => newest = now,
        }
    }
    CHUNK_COUNT.fetch_add(1, Ordering::Relaxed);
}

/// Pages from the system: those that can be used, between those that nobody may touch.
struct Mapping {
    whole: *mut u8,
    whole_bytes: usize,
    inside: NonNull<u8>,
}

/// Maps pages that can be used, aligned to the size of a chunk, zero, left out of dumps and not locked yet.
fn map(bytes: usize) -> Option<Mapping> {
    let whole_bytes = bytes.checked_add(2 * CHUNK)?;
    // SAFETY: the system chooses an address at which nothing is.
    let whole = unsafe { mm::mmap_anonymous(null_mut(), whole_bytes, mm::ProtFlags::empty(), mm::MapFlags::PRIVATE) };
    let whole = whole.ok()?.cast::<u8>();
    // At least a unit, that is a page, after the beginning, and at most a chunk: a chunk or more remains behind.
    let inside = whole.map_addr(|address| (address + UNIT).next_multiple_of(CHUNK));
    // SAFETY: inside what was mapped just now, to which nobody else has a pointer.
    let opened = unsafe { mm::mprotect(inside.cast(), bytes, mm::MprotectFlags::READ | mm::MprotectFlags::WRITE) };
    let mapping = Mapping { whole, whole_bytes, inside: NonNull::new(inside)? };
    if opened.is_err() {
        unmap(mapping.whole, mapping.whole_bytes);
        return None;
    }
    leave_out_of_dumps(inside, bytes);
    Some(mapping)
}

fn leave_out_of_dumps(start: *mut u8, bytes: usize) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: pages of ours; the advice changes nothing that is in them.
    let advised = unsafe { mm::madvise(start.cast(), bytes, mm::Advice::LinuxDontDump) }.is_ok();
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let advised = (start, bytes) == (null_mut(), 0);
    if !advised {
        DUMPED.store(true, Ordering::Relaxed);
    }
}

/// Locks pages, if the limit allows.
fn lock(start: *mut u8, bytes: usize) -> bool {
    // SAFETY: pages of ours; locking changes nothing that is in them.
    let locked = unsafe { mm::mlock(start.cast(), bytes) }.is_ok();
    if locked {
        LOCKED.fetch_add(bytes, Ordering::Relaxed);
    }
    locked
}

fn unmap(whole: *mut u8, bytes: usize) {
    // SAFETY: a mapping of ours, whole, to which nothing refers any more.
    let unmapped = unsafe { mm::munmap(whole.cast(), bytes) };
    debug_assert!(unmapped.is_ok(), "a mapping of ours is unmapped");
}

/// Where a large block begins in its mapping.
const LARGE_START: usize = 2048;
const _: () = assert!(size_of::<Head>() <= LARGE_START);

/// Maps a block that is too large to share a chunk; `None` when the system gives no more memory.
#[cold]
pub(crate) fn take_large(bytes: usize) -> Option<NonNull<u8>> {
    let mapped = bytes.checked_add(LARGE_START)?.checked_next_multiple_of(page_bytes())?;
    let mapping = map(mapped)?;
    BYTES.fetch_add(mapped, Ordering::Relaxed);
    let locked = lock(mapping.inside.as_ptr(), mapped);
    // SAFETY: fresh, zero and aligned, and longer than a head; a head of zeros is valid.
    let head: &Head = unsafe { mapping.inside.cast().as_ref() };
    head.mapping.store(mapping.whole, Ordering::Relaxed);
    head.mapping_bytes.store(mapping.whole_bytes, Ordering::Relaxed);
    head.large_bytes.store(mapped - LARGE_START, Ordering::Relaxed);
    head.free.store(u32::from(locked), Ordering::Relaxed);
    NonNull::new(mapping.inside.as_ptr().wrapping_add(LARGE_START))
}

/// Gives a large block back to the system.
///
/// # Safety
/// `block` came from [`take_large`], and this is its last use.
#[cold]
pub(crate) unsafe fn give_back_large(block: NonNull<u8>) {
    // SAFETY: as the caller promises.
    let head = unsafe { head_of(block) };
    let (whole, whole_bytes) = (head.mapping.load(Ordering::Relaxed), head.mapping_bytes.load(Ordering::Relaxed));
    let mapped = head.large_bytes() + LARGE_START;
    let less = |count: usize| Some(count.saturating_sub(mapped));
    // The answer is the number before, which nobody asks for; the change itself cannot fail.
    let _ = BYTES.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    if head.free.load(Ordering::Relaxed) == 1 {
        // In a child the lock was the parent's and does not count.
        let _ = LOCKED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
    unmap(whole, whole_bytes);
}

/// The size of the system's pages.
fn page_bytes() -> usize {
    rustix::param::page_size()
}
