//! The free blocks of a thread.
//!
//! Owns: which blocks are free. A thread has a shelf of its own, so taking and giving back meet no other thread and need no atomic
//! exchange. A block that another thread gives back is put on a stack of the shelf that it came from, from where its owner takes it when it runs
//! short. When a thread ends, its shelf waits for the next thread that has none. All blocks on a shelf are zero but for
//! the first word, which names the next one.
//!
//! In the child of a fork the shelf of the thread that forked goes on. Those of the parent's other threads belong to nobody any more, in
//! whatever state they are: they are never touched again, except for the stacks, which are whole at every step.
//! Does not know: where spans come from (`region`), and what is in a block.

use crate::region::{self, Span};
use crate::sizes::{BLOCKS, BYTES, CLASSES};
use core::cell::Cell;
use core::ptr::{self, NonNull, null_mut};
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::alloc::{Layout, alloc_zeroed};

/// The free blocks of one thread.
pub(crate) struct Shelf {
    /// Whether some thread has it; only that thread touches `rooms`.
    owned: AtomicBool,
    /// The shelf that was made before this one.
    next: AtomicPtr<Shelf>,
    /// Blocks that other threads gave back.
    foreign: AtomicPtr<u8>,
    /// The spans with room, of each class.
    rooms: [AtomicPtr<Span>; CLASSES],
}

/// The shelf made last. Shelves live for ever.
static SHELVES: AtomicPtr<Shelf> = AtomicPtr::new(null_mut());

thread_local! {
    /// The shelf of this thread. Without a destructor, so it can be asked in the last moments of a thread, too.
    static MINE: Cell<Option<&'static Shelf>> = const { Cell::new(None) };
    static LEAVING: Leaving = const { Leaving };
}

/// Leaves the shelf to others when its thread ends.
struct Leaving;

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some(shelf) = MINE.take() {
            shelf.leave();
        }
    }
}

/// Takes a block of this class, all zero; `None` when the system gives no more memory.
#[inline]
pub(crate) fn take(class: usize) -> Option<NonNull<u8>> {
    match MINE.get() {
        Some(shelf) => shelf.take(class),
        None => take_first(class),
    }
}

/// Gives a block back to where it came from.
///
/// # Safety
/// `block` came from [`take`], `span` is its span, all its bytes are zero, and this is its last use.
#[inline]
pub(crate) unsafe fn give_back(span: &Span, block: NonNull<u8>) {
    let from = span.shelf.load(Ordering::Relaxed);
    match MINE.get() {
        Some(shelf) if ptr::eq(shelf, from) => {
            // SAFETY: as the caller promises; the span is of this shelf, which is this thread's.
            unsafe { shelf.put(span, block) }
        }
        _ => {
            // SAFETY: shelves live for ever, and each span that blocks are taken from has one.
            let shelf = unsafe { &*from };
            // SAFETY: as the caller promises.
            unsafe { shelf.put_foreign(block) }
        }
    }
}

/// Takes a block in a thread that has no shelf: in its first moments, or in its last.
#[cold]
fn take_first(class: usize) -> Option<NonNull<u8>> {
    let shelf = Shelf::adopt()?;
    if LEAVING.try_with(|_| ()).is_ok() {
        MINE.set(Some(shelf));
        return shelf.take(class);
    }
    // The thread is so near its end that nobody would leave the shelf for it.
    let block = shelf.take(class);
    shelf.leave();
    block
}

/// The first word of a free block: the next one.
fn link(block: NonNull<u8>) -> *mut *mut u8 {
    block.as_ptr().cast()
}

impl Shelf {
    /// Takes a shelf that no thread has, or makes one.
    fn adopt() -> Option<&'static Self> {
        let mut shelf = shelf_at(&SHELVES);
        while let Some(candidate) = shelf {
            if candidate.enter() {
                return Some(candidate);
            }
            shelf = shelf_at(&candidate.next);
        }
        Self::make()
    }

    fn make() -> Option<&'static Self> {
        // SAFETY: a shelf is not of size zero.
        let place = unsafe { alloc_zeroed(Layout::new::<Self>()) }.cast::<Self>();
        // SAFETY: null, or fresh memory of the right size and alignment, which is never freed; a shelf of zeros is valid.
        let shelf: &'static Self = unsafe { place.as_ref() }?;
        shelf.owned.store(true, Ordering::Relaxed);
        let mut newest = SHELVES.load(Ordering::Acquire);
        loop {
            shelf.next.store(newest, Ordering::Relaxed);
            match SHELVES.compare_exchange_weak(newest, place, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(shelf),
                Err(now) => newest = now,
            }
        }
    }

    fn enter(&self) -> bool {
        self.owned.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    fn leave(&self) {
        self.owned.store(false, Ordering::Release);
    }

    #[inline]
    fn take(&'static self, class: usize) -> Option<NonNull<u8>> {
        let span = match span_at(&self.rooms[class]) {
            Some(span) => span,
            None => self.refill(class)?,
        };
        let returned = span.returned.load(Ordering::Relaxed);
        let used = span.used.load(Ordering::Relaxed) + 1;
        span.used.store(used, Ordering::Relaxed);
        let block = match NonNull::new(returned) {
            Some(block) => {
                // SAFETY: a free block of this shelf, which has its first word for this, and belongs to this thread.
                let next = unsafe { link(block).read() };
                span.returned.store(next, Ordering::Relaxed);
                // SAFETY: as above.
                unsafe { link(block).write(null_mut()) };
                block
            }
            None => {
                let begun = span.begun.load(Ordering::Relaxed);
                span.begun.store(begun + 1, Ordering::Relaxed);
                let start = span.start.load(Ordering::Relaxed);
                NonNull::new(start.wrapping_add(usize::from(begun) * BYTES[class]))?
            }
        };
        if used == BLOCKS[class] {
            self.remove(class, span);
        }
        Some(block)
    }

    /// # Safety
    /// As [`give_back`], and the span is of this shelf, which is the calling thread's.
    #[inline]
    unsafe fn put(&'static self, span: &Span, block: NonNull<u8>) {
        let class = usize::from(span.class.load(Ordering::Relaxed)) % CLASSES;
        // SAFETY: the block is free, and its first word is for this.
        unsafe { link(block).write(span.returned.load(Ordering::Relaxed)) };
        span.returned.store(block.as_ptr(), Ordering::Relaxed);
        let used = span.used.load(Ordering::Relaxed);
        span.used.store(used - 1, Ordering::Relaxed);
        if used == BLOCKS[class] {
            self.insert(class, span);
        }
        // The last span of its class with room stays.
        if used == 1
            && !(span.next.load(Ordering::Relaxed).is_null() && span.previous.load(Ordering::Relaxed).is_null())
        {
            self.emptied(class, span);
        }
    }

    /// # Safety
    /// As [`give_back`]; any thread.
    #[cold]
    unsafe fn put_foreign(&self, block: NonNull<u8>) {
        let mut newest = self.foreign.load(Ordering::Relaxed);
        loop {
            // SAFETY: the block is free and in no list yet; its first word is for this.
            unsafe { link(block).write(newest) };
            match self.foreign.compare_exchange_weak(newest, block.as_ptr(), Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => newest = now,
            }
        }
    }

    /// Takes home what other threads gave back; only by the thread that has the shelf. Whether there was any.
    fn collect(&'static self) -> bool {
        let mut block = NonNull::new(self.foreign.swap(null_mut(), Ordering::Acquire));
        let any = block.is_some();
        while let Some(returned) = block {
            // SAFETY: the block is free, and its first word names the next one.
            block = NonNull::new(unsafe { link(returned).read() });
            // SAFETY: a block of this crate, and in no list any more.
            let head = unsafe { region::head_of(returned) };
            // SAFETY: a block on this stack came from a span of this shelf, and is zero but for the first word, which is written anew.
            unsafe { self.put(head.span_of(returned), returned) };
        }
        any
    }

    /// Finds a span with room for a class that has none.
    #[cold]
    fn refill(&'static self, class: usize) -> Option<&'static Span> {
        if self.collect()
            && let Some(span) = span_at(&self.rooms[class])
        {
            return Some(span);
        }
        let span = region::find(class).or_else(|| {
            // Before the system is asked: what ended threads have left, and nobody has taken home.
            let mut shelf = shelf_at(&SHELVES);
            while let Some(other) = shelf {
                if !other.foreign.load(Ordering::Relaxed).is_null() && other.enter() {
                    other.collect();
                    other.leave();
                }
                shelf = shelf_at(&other.next);
            }
            region::span(class)
        })?;
        span.shelf.store(ptr::from_ref(self).cast_mut(), Ordering::Relaxed);
        self.insert(class, span);
        Some(span)
    }

    /// A span has no block in use any more: it goes back.
    #[cold]
    fn emptied(&'static self, class: usize, span: &Span) {
        self.remove(class, span);
        let mut block = NonNull::new(span.returned.swap(null_mut(), Ordering::Relaxed));
        while let Some(free) = block {
            // SAFETY: a free block of this shelf, whose first word names the next one.
            block = NonNull::new(unsafe { link(free).read() });
            // SAFETY: as above; the next owner of the units finds zeros.
            unsafe { link(free).write(null_mut()) };
        }
        region::give_back(span);
    }

    fn insert(&self, class: usize, span: &Span) {
        let first = span_at(&self.rooms[class]);
        let this = ptr::from_ref(span).cast_mut();
        span.previous.store(null_mut(), Ordering::Relaxed);
        span.next.store(self.rooms[class].load(Ordering::Relaxed), Ordering::Relaxed);
        if let Some(first) = first {
            first.previous.store(this, Ordering::Relaxed);
        }
        self.rooms[class].store(this, Ordering::Relaxed);
    }

    fn remove(&self, class: usize, span: &Span) {
        let (previous, next) = (span_at(&span.previous), span_at(&span.next));
        let next_at = span.next.load(Ordering::Relaxed);
        match previous {
            Some(previous) => previous.next.store(next_at, Ordering::Relaxed),
            None => self.rooms[class].store(next_at, Ordering::Relaxed),
        }
        if let Some(next) = next {
            next.previous.store(span.previous.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

fn shelf_at(place: &AtomicPtr<Shelf>) -> Option<&'static Shelf> {
    // SAFETY: null, or a shelf that was whole when it was published and lives for ever.
    unsafe { place.load(Ordering::Acquire).as_ref() }
}

fn span_at(place: &AtomicPtr<Span>) -> Option<&'static Span> {
    // SAFETY: null, or a span in the head of a chunk, which lives for ever.
    unsafe { place.load(Ordering::Relaxed).as_ref() }
}
