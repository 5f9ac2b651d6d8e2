//! What the library lives on while the system gives no memory: a reserve behind the C library's allocator.
//!
//! Owns: the regions of the reserve, who is served from them, and when memory counts as short. Does not know: what the
//! memory is for. Called by the linker's doing from everything in the library that allocates, and from the guard before each call.
//!
//! Rust's standard library ends the process when an allocation fails, and AWS-LC does so in its random generator. Neither can be told
//! otherwise. So `malloc` and its family are wrapped (`build.rs`), for Rust and for C alike: what the system refuses comes from the
//! reserve, up to [`SMALL_BYTES_MAX`], and memory is said to be short. From then on the guard answers CKR_HOST_MEMORY before a call
//! has done anything, until the system gives again and the reserve is what it was: so each call begins with a reserve that is enough
//! to end it, well or with an error. Larger pieces are served only to who cannot be refused (`hsm_crypto::memory::unrefused`: the
//! engine of the store); everybody else asks first, and gets an error.
//!
//! There is no lock in here: a child of a fork inherits no held one, and finds its parent's regions as they are.
#![allow(unsafe_code, reason = "an allocator hands out memory, and calls the C library's")]

use core::ffi::{c_int, c_void};
use core::ptr::{self, null_mut};
use core::slice;
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use hsm_core::{Reason, Result, memory};

/// The largest piece that everybody has from the reserve.
pub const SMALL_BYTES_MAX: usize = (SMALLEST << (SMALL_CLASSES - 1)) - HEADER;
/// The size of one region: address space, and pages only where it is used.
const REGION_BYTES: usize = 16 << 20;
/// The size of the region for those who cannot be refused.
const LARGE_BYTES: usize = 256 << 20;
/// How much of a region that was never used since it was last empty a call may count on.
const ENOUGH: usize = REGION_BYTES / 2;
/// How many regions there may be: calls that end in need may leave objects in one, and the next call wants another.
const REGIONS: usize = 32;
/// Bytes of the smallest block, header included; each class has blocks of twice the size of the one before.
const SMALLEST: usize = 64;
/// How many classes everybody is served; the others are for those who cannot be refused, up to 64 MiB.
const SMALL_CLASSES: usize = 16;
const CLASSES: usize = 21;
/// In front of each block, and in front of what is handed out.
const HEADER: usize = 16;
/// The alignment of everything.
const ALIGNMENT: usize = 16;
/// What the system must be able to give again before memory is not short any more.
const PROBE_BYTES: usize = SMALL_BYTES_MAX;

/// One region.
struct Region {
    bytes: usize,
    /// Its address; 0 while there is none.
    start: AtomicUsize,
    /// How many blocks are in use, or [`EMPTYING`].
    used: AtomicU64,
    /// How many bytes were cut into blocks.
    cut: AtomicUsize,
    /// The free blocks of each class: a number that grows with every change, and the place of the first one in units of 16 bytes from the
    /// region's start (0: none; no block is there).
    free: [AtomicU64; CLASSES],
}

/// What stands in front of a block and of its content; where the content is aligned further than usual these are two places.
#[repr(C)]
struct Header {
    /// In a free block: the next one, in units of 16 bytes.
    next: AtomicU32,
    class: AtomicU32,
    /// From the block's start to the content.
    distance: AtomicU32,
    /// Bytes that were asked for.
    bytes: AtomicU32,
}

/// Set in `used` while a region without blocks is made whole again.
const EMPTYING: u64 = 1 << 63;

static RESERVE: [Region; REGIONS] = [const { Region::none(REGION_BYTES) }; REGIONS];
/// The region for those who cannot be refused: address space that the system promises nothing for. Where it gives none, they go without.
static LARGE: Region = Region::none(LARGE_BYTES);
/// All regions lie between these two; much else may, too.
static LOWEST: AtomicUsize = AtomicUsize::new(usize::MAX);
static HIGHEST: AtomicUsize = AtomicUsize::new(0);

/// Takes the first region, for the life of the process; a child inherits it.
///
/// # Errors
/// `HostMemory`.
pub fn begin() -> Result<()> {
    if LARGE.start.load(Ordering::Acquire) == 0 {
        LARGE.fill(libc::MAP_NORESERVE);
    }
    if RESERVE.iter().any(|region| region.start.load(Ordering::Acquire) != 0) || take_region() {
        Ok(())
    } else {
        memory::set_short(true);
        Err(Reason::HostMemory)
    }
}

/// Whether a call may begin: memory is not short, or not any more.
///
/// # Errors
/// `HostMemory`.
pub fn enough() -> Result<()> {
    if !memory::is_short() || is_whole_again() { Ok(()) } else { Err(Reason::HostMemory) }
}

/// Asks the system for memory once more, and makes the reserve what it was.
#[cold]
fn is_whole_again() -> bool {
    // SAFETY: any size may be asked for; what comes is given back at once, and null may be, too.
    let probe = unsafe { system::malloc(PROBE_BYTES) };
    if probe.is_null() {
        return false;
    }
    // SAFETY: it came from there.
    unsafe { system::free(probe) };
    every_region().for_each(Region::empty);
    if !memory::refill() || (!RESERVE.iter().any(Region::is_enough) && !take_region()) {
        return false;
    }
    memory::set_short(false);
    true
}

/// Adds a region to the reserve.
fn take_region() -> bool {
    let Some(region) = RESERVE.iter().find(|region| region.start.load(Ordering::Acquire) == 0) else {
        // All are in use, with what earlier calls have kept. Whoever goes on now has what is left of them.
        return RESERVE.iter().any(|region| region.used.load(Ordering::Acquire) & EMPTYING == 0);
    };
    region.fill(0)
}

/// All places for regions.
fn every_region() -> impl Iterator<Item = &'static Region> {
    RESERVE.iter().chain([&LARGE])
}

impl Region {
    const fn none(bytes: usize) -> Self {
        Self {
            bytes,
            start: AtomicUsize::new(0),
            used: AtomicU64::new(EMPTYING),
            cut: AtomicUsize::new(0),
            free: [const { AtomicU64::new(0) }; CLASSES],
        }
    }

    /// Gets the memory of a region that has none. Whether it has some now.
    fn fill(&self, further: c_int) -> bool {
        let (rights, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | further);
        // SAFETY: a new mapping at an address of the system's choice.
        let start = unsafe { libc::mmap(null_mut(), self.bytes, rights, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return false;
        }
        // What stands there may be secret. A kernel that does not know the advice dumps it, as it dumps the heap.
        // SAFETY: the mapping was made above.
        unsafe { libc::madvise(start, self.bytes, libc::MADV_DONTDUMP) };
        LOWEST.fetch_min(start.addr(), Ordering::AcqRel);
        HIGHEST.fetch_max(start.addr() + self.bytes, Ordering::AcqRel);
        let (taken, unused) = (start.expose_provenance(), 0);
        if self.start.compare_exchange(unused, taken, Ordering::AcqRel, Ordering::Acquire).is_err() {
            // Another thread has filled this place; that serves both.
            // SAFETY: nobody has been given any of it.
            unsafe { libc::munmap(start, self.bytes) };
            return true;
        }
        self.cut.store(ALIGNMENT, Ordering::Release);
        self.used.store(0, Ordering::Release);
        true
    }

    /// Whether a call may begin with what was never used.
    fn is_enough(&self) -> bool {
        self.used.load(Ordering::Acquire) & EMPTYING == 0
            && self.bytes - self.cut.load(Ordering::Acquire).min(self.bytes) >= ENOUGH
    }

    /// Makes the region whole again, if none of its blocks is in use, and gives its pages back with what was written there.
    fn empty(&self) {
        let start = self.start.load(Ordering::Acquire);
        if start == 0
            || self.cut.load(Ordering::Acquire) <= ALIGNMENT
            || self.used.compare_exchange(0, EMPTYING, Ordering::AcqRel, Ordering::Acquire).is_err()
        {
            return;
        }
        for list in &self.free {
            // The number goes on, so that a thread that has looked at the list before does not take it for the same.
            let number = list.load(Ordering::Acquire) >> 32;
            list.store((number + 1) << 32, Ordering::Release);
        }
        // SAFETY: this region's own mapping, of which nothing is in use; a thread that has looked at a list before reads zeros, and does
        // not get what it found there.
        unsafe { libc::madvise(ptr::with_exposed_provenance_mut(start), self.bytes, libc::MADV_DONTNEED) };
        self.cut.store(ALIGNMENT, Ordering::Release);
        self.used.store(0, Ordering::Release);
    }

    /// The header at a place, in units of 16 bytes.
    fn header(&self, place: u32) -> &Header {
        let address = self.start.load(Ordering::Acquire) + place as usize * ALIGNMENT;
        // SAFETY: the place was cut from this region, which is never given back, with room for a header; a header is made of atomic
        // integers, for which all bits are values, and it is only ever used as one.
        unsafe { &*ptr::with_exposed_provenance::<Header>(address) }
    }

    /// Takes a block of a class; its place.
    fn take(&self, class: usize) -> Option<u32> {
        let entered = self
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| (used & EMPTYING == 0).then_some(used + 1));
        entered.ok()?;
        let block = self.take_free(class).or_else(|| self.cut(class));
        if block.is_none() {
            self.used.fetch_sub(1, Ordering::AcqRel);
        }
        block
    }

    fn take_free(&self, class: usize) -> Option<u32> {
        let list = self.free.get(class)?;
        let mut head = list.load(Ordering::Acquire);
        loop {
            let place = (head & u64::from(u32::MAX)) as u32;
            if place == 0 {
                return None;
            }
            let next = self.header(place).next.load(Ordering::Acquire);
            let new = ((head >> 32).wrapping_add(1) << 32) | u64::from(next);
            match list.compare_exchange_weak(head, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(place),
                Err(found) => head = found,
            }
        }
    }

    /// Cuts a new block off what is left.
    fn cut(&self, class: usize) -> Option<u32> {
        let bytes = SMALLEST << class;
        let cut = self.cut.fetch_update(Ordering::AcqRel, Ordering::Acquire, |cut| {
            cut.checked_add(bytes).filter(|end| *end <= self.bytes)
        });
        u32::try_from(cut.ok()? / ALIGNMENT).ok()
    }

    /// Gives a block back.
    fn give(&self, place: u32) {
        let header = self.header(place);
        let Some(list) = self.free.get(header.class.load(Ordering::Relaxed) as usize) else { return };
        let mut head = list.load(Ordering::Acquire);
        loop {
            header.next.store((head & u64::from(u32::MAX)) as u32, Ordering::Release);
            let new = ((head >> 32).wrapping_add(1) << 32) | u64::from(place);
            match list.compare_exchange_weak(head, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break,
                Err(found) => head = found,
            }
        }
        self.used.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Serves from the reserve what the system has refused.
#[cold]
fn serve(alignment: usize, bytes: usize) -> *mut c_void {
    memory::set_short(true);
    piece_of(alignment, bytes)
}

/// A piece of the reserve; null where none is large enough.
fn piece_of(alignment: usize, bytes: usize) -> *mut c_void {
    let distance = alignment.max(HEADER);
    let class = bytes.checked_add(distance).and_then(|whole| (0..CLASSES).find(|class| SMALLEST << class >= whole));
    let Some(class) = class else { return null_mut() };
    let regions = match class < SMALL_CLASSES {
        true => &RESERVE[..],
        false if memory::may_be_refused() => &[],
        false => slice::from_ref(&LARGE),
    };
    for region in regions.iter().filter(|region| region.start.load(Ordering::Acquire) != 0) {
        let Some(place) = region.take(class) else { continue };
        let block = region.start.load(Ordering::Acquire) + place as usize * ALIGNMENT;
        // Blocks lie at multiples of 16 only, so what is aligned further begins somewhere behind the header.
        let content = (block + HEADER).next_multiple_of(alignment.max(ALIGNMENT));
        let header = region.header(place);
        header.class.store(class as u32, Ordering::Relaxed);
        let near = region.header(place + ((content - HEADER - block) / ALIGNMENT) as u32);
        near.distance.store((content - block) as u32, Ordering::Relaxed);
        near.bytes.store(bytes as u32, Ordering::Relaxed);
        return ptr::with_exposed_provenance_mut(content);
    }
    null_mut()
}

/// Whether a piece may be from the reserve: what nearly every piece is told by that it is not.
fn is_near(piece: *mut c_void) -> bool {
    let address = piece.addr();
    address >= LOWEST.load(Ordering::Relaxed) && address < HIGHEST.load(Ordering::Relaxed)
}

/// The region that a piece is from, and its place there.
#[cold]
fn region_of(piece: *mut c_void) -> Option<(&'static Region, u32)> {
    let address = piece.addr();
    every_region().find_map(|region| {
        let start = region.start.load(Ordering::Acquire);
        let inside = start != 0 && (start..start + region.bytes).contains(&address);
        inside.then(|| (region, ((address - start) / ALIGNMENT) as u32))
    })
}

/// The header in front of a piece.
fn near_header(region: &Region, place: u32) -> &Header {
    region.header(place - (HEADER / ALIGNMENT) as u32)
}

/// Gives a piece back to the reserve, if it is from there.
#[cold]
fn take_back(piece: *mut c_void) -> bool {
    let Some((region, place)) = region_of(piece) else { return false };
    let distance = near_header(region, place).distance.load(Ordering::Relaxed);
    region.give(place - distance / ALIGNMENT as u32);
    true
}

unsafe extern "C" fn malloc(bytes: usize) -> *mut c_void {
    // SAFETY: any size may be asked for.
    let piece = unsafe { system::malloc(bytes) };
    if piece.is_null() { serve(ALIGNMENT, bytes) } else { piece }
}

unsafe extern "C" fn calloc(count: usize, each: usize) -> *mut c_void {
    // SAFETY: any size may be asked for.
    let piece = unsafe { system::calloc(count, each) };
    if !piece.is_null() {
        return piece;
    }
    let Some(bytes) = count.checked_mul(each) else { return null_mut() };
    let piece = serve(ALIGNMENT, bytes);
    if !piece.is_null() {
        // SAFETY: so many bytes were served, and nobody else knows of them.
        unsafe { ptr::write_bytes(piece.cast::<u8>(), 0, bytes) };
    }
    piece
}

unsafe extern "C" fn realloc(piece: *mut c_void, bytes: usize) -> *mut c_void {
    if is_near(piece)
        && let Some((region, place)) = region_of(piece)
    {
        let before = near_header(region, place).bytes.load(Ordering::Relaxed) as usize;
        // SAFETY: as for any allocation.
        let new = unsafe { malloc(bytes) };
        if !new.is_null() {
            // SAFETY: both have so many bytes, and they are two pieces.
            unsafe { ptr::copy_nonoverlapping(piece.cast::<u8>(), new.cast::<u8>(), before.min(bytes)) };
            take_back(piece);
        }
        return new;
    }
    // SAFETY: the caller passes what it has from the system, or null.
    let new = unsafe { system::realloc(piece, bytes) };
    if !new.is_null() || bytes == 0 { new } else { moved(piece, bytes) }
}

/// Moves a piece of the system's, which cannot grow there, into the reserve.
#[cold]
fn moved(piece: *mut c_void, bytes: usize) -> *mut c_void {
    let new = serve(ALIGNMENT, bytes);
    if !new.is_null() && !piece.is_null() {
        // SAFETY: the system's piece is whole after a refusal.
        let before = unsafe { libc::malloc_usable_size(piece) };
        // SAFETY: both have so many bytes, and they are two pieces.
        unsafe { ptr::copy_nonoverlapping(piece.cast::<u8>(), new.cast::<u8>(), before.min(bytes)) };
        // SAFETY: the caller has the new piece from now on.
        unsafe { system::free(piece) };
    }
    new
}

unsafe extern "C" fn free(piece: *mut c_void) {
    if !is_near(piece) || !take_back(piece) {
        // SAFETY: the caller gives back what it has from the system, or null.
        unsafe { system::free(piece) };
    }
}

unsafe extern "C" fn posix_memalign(place: *mut *mut c_void, alignment: usize, bytes: usize) -> c_int {
    // SAFETY: the caller's arguments are passed on.
    let answer = unsafe { system::posix_memalign(place, alignment, bytes) };
    if answer != libc::ENOMEM {
        return answer;
    }
    let piece = serve(alignment, bytes);
    if piece.is_null() {
        return answer;
    }
    // SAFETY: the caller wants the answer there.
    unsafe { *place = piece };
    0
}

unsafe extern "C" fn aligned_alloc(alignment: usize, bytes: usize) -> *mut c_void {
    // SAFETY: the caller's arguments are passed on.
    let piece = unsafe { system::aligned_alloc(alignment, bytes) };
    if piece.is_null() && alignment.is_power_of_two() { serve(alignment, bytes) } else { piece }
}

/// The C library's own functions, past the wrapping.
mod system {
    use super::{c_int, c_void};

    unsafe extern "C" {
        #[link_name = "perilune_system_malloc"]
        pub fn malloc(bytes: usize) -> *mut c_void;
        #[link_name = "perilune_system_calloc"]
        pub fn calloc(count: usize, each: usize) -> *mut c_void;
        #[link_name = "perilune_system_realloc"]
        pub fn realloc(piece: *mut c_void, bytes: usize) -> *mut c_void;
        #[link_name = "perilune_system_free"]
        pub fn free(piece: *mut c_void);
        #[link_name = "perilune_system_posix_memalign"]
        pub fn posix_memalign(place: *mut *mut c_void, alignment: usize, bytes: usize) -> c_int;
        #[link_name = "perilune_system_aligned_alloc"]
        pub fn aligned_alloc(alignment: usize, bytes: usize) -> *mut c_void;
    }
}

/// The two names of each function that the linker knows: the wrapping one, and the one behind it.
///
/// `ld --wrap=malloc` turns each `malloc` of the library into `__wrap_malloc`, and `__real_malloc` into `malloc`. Both names are hidden
/// from other libraries, which Rust cannot say; each is one jump. Where nothing is wrapped (tests that link this crate), `__real_malloc`
/// does not exist, is weak therefore, and is called by nobody but [`is_whole_again`], which no such program comes to.
macro_rules! wrapped {
    ($jump:literal, $plt:literal: $($name:ident)*) => { $(
        core::arch::global_asm!(
            concat!(".pushsection .text.__wrap_", stringify!($name), ",\"ax\",%progbits"),
            concat!(".globl __wrap_", stringify!($name)),
            concat!(".hidden __wrap_", stringify!($name)),
            concat!(".type __wrap_", stringify!($name), ",%function"),
            concat!("__wrap_", stringify!($name), ":"),
            concat!($jump, " {function}"),
            concat!(".size __wrap_", stringify!($name), ", . - __wrap_", stringify!($name)),
            concat!(".globl perilune_system_", stringify!($name)),
            concat!(".hidden perilune_system_", stringify!($name)),
            concat!(".type perilune_system_", stringify!($name), ",%function"),
            concat!(".weak __real_", stringify!($name)),
            concat!("perilune_system_", stringify!($name), ":"),
            concat!($jump, " __real_", stringify!($name), $plt),
            concat!(".size perilune_system_", stringify!($name), ", . - perilune_system_", stringify!($name)),
            ".popsection",
            function = sym $name,
        );
    )* };
}

#[cfg(target_arch = "x86_64")]
wrapped!("jmp", "@PLT": malloc calloc realloc free posix_memalign aligned_alloc);
#[cfg(target_arch = "aarch64")]
wrapped!("b", "": malloc calloc realloc free posix_memalign aligned_alloc);

#[cfg(test)]
#[path = "tests/reserve.rs"]
mod tests;
