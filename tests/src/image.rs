//! The memory of this process, searched for a secret that nobody should hold any more.
//!
//! Owns: secrets that stand in the test itself only under a mask, and the search. Does not know: which secrets, and when
//! they should be gone.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::ptr::null_mut;

/// A secret, masked: nothing in the test's own memory looks like it, but while it is lent.
pub struct Planted {
    masked: Vec<u8>,
}

/// How much of a secret's beginning and end counts as the secret, bytes.
const NEEDLE: usize = 12;
const MASK: u8 = 0xA5;
/// How much is read at once.
const CHUNK: usize = 1 << 20;

impl Planted {
    /// A random secret of `length` bytes, each made valid by `shape`.
    #[must_use]
    pub fn random(length: usize, shape: impl Fn(u8) -> u8) -> Self {
        assert!(length >= NEEDLE, "a secret that is too short to be told from other bytes");
        let mut masked = vec![0; length];
        File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut masked)).expect("random bytes");
        masked.iter_mut().for_each(|byte| *byte = shape(*byte) ^ MASK);
        Self { masked }
    }

    /// What `fill` writes into memory that is wiped afterwards; it answers the length.
    #[must_use]
    pub fn taken(fill: impl FnOnce(&mut [u8]) -> usize) -> Self {
        let mut page = Page::new();
        let length = fill(page.bytes());
        Self { masked: page.bytes()[..length].iter().map(|byte| byte ^ MASK).collect() }
    }

    /// Lends the secret, in memory that is wiped afterwards.
    pub fn lend<T>(&self, work: impl FnOnce(&mut [u8]) -> T) -> T {
        let mut page = Page::new();
        let bytes = &mut page.bytes()[..self.masked.len()];
        bytes.iter_mut().zip(&self.masked).for_each(|(byte, masked)| *byte = masked ^ MASK);
        work(bytes)
    }

    /// Where in this process the secret stands: its beginning or its end, forwards, or backwards as numbers are kept.
    #[must_use]
    pub fn places(&self) -> Vec<String> {
        let (first, last) = (&self.masked[..NEEDLE], &self.masked[self.masked.len() - NEEDLE..]);
        let reversed = |needle: &[u8]| needle.iter().rev().copied().collect::<Vec<_>>();
        let needles = [first.to_vec(), last.to_vec(), reversed(first), reversed(last)];
        let mut scratch = Mapping::new(CHUNK + NEEDLE);
        let own = scratch.address();
        let memory = File::open("/proc/self/mem").expect("the memory of this process");
        let mut found = Vec::new();
        for region in std::fs::read_to_string("/proc/self/maps").expect("its map").lines() {
            let Some((from, to)) = writable(region).filter(|(from, _)| *from != own) else { continue };
            let mut at = from;
            while at < to {
                let wanted = usize::try_from((to - at).min((CHUNK + NEEDLE) as u64)).expect("a chunk");
                // What cannot be read is not there: a guard page, or gone since.
                let Ok(read) = memory.read_at(&mut scratch.bytes()[..wanted], at) else { break };
                let windows = scratch.bytes()[..read].windows(NEEDLE).enumerate();
                let hit =
                    |window: &[u8]| needles.iter().any(|needle| window.iter().zip(needle).all(|(a, b)| a ^ MASK == *b));
                found.extend(windows.filter(|(_, window)| hit(window)).map(|(offset, _)| {
                    format!("{:#x} in {}", at + offset as u64, region.split_whitespace().nth(5).unwrap_or("memory"))
                }));
                at += CHUNK as u64;
            }
        }
        found
    }
}

/// From where to where a line of the map goes, if the memory can be written.
fn writable(line: &str) -> Option<(u64, u64)> {
    let (range, rest) = line.split_once(' ')?;
    let (from, to) = range.split_once('-')?;
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    if rest.starts_with("rw") { Some((number(from)?, number(to)?)) } else { None }
}

/// Memory for a secret that is lent; wiped when it goes.
struct Page(Mapping);

impl Page {
    fn new() -> Self {
        Self(Mapping::new(16 << 10))
    }

    fn bytes(&mut self) -> &mut [u8] {
        self.0.bytes()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.bytes().fill(0);
        std::hint::black_box(self.bytes());
    }
}

/// Pages of their own, with one on each side that nobody may touch: so the map of the process tells them from their neighbours.
struct Mapping {
    start: *mut libc::c_void,
    length: usize,
}

/// Larger than any page.
const GUARD: usize = 64 << 10;

impl Mapping {
    fn new(length: usize) -> Self {
        let whole = length.next_multiple_of(GUARD) + 2 * GUARD;
        // SAFETY: fresh anonymous memory, given back when this goes.
        let start =
            unsafe { libc::mmap(null_mut(), whole, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0) };
        assert_ne!(start, libc::MAP_FAILED, "memory");
        let mut this = Self { start, length };
        // SAFETY: the middle of the mapping that was just made.
        let opened = unsafe { libc::mprotect(this.inside(), length, libc::PROT_READ | libc::PROT_WRITE) };
        assert_eq!(opened, 0, "memory to write");
        this
    }

    fn inside(&mut self) -> *mut libc::c_void {
        self.start.wrapping_byte_add(GUARD)
    }

    fn address(&mut self) -> u64 {
        self.inside() as u64
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the middle of the mapping is this long, and this is its only reference.
        unsafe { std::slice::from_raw_parts_mut(self.inside().cast(), self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: nothing refers to it any more.
        unsafe { libc::munmap(self.start, self.length.next_multiple_of(GUARD) + 2 * GUARD) };
    }
}
