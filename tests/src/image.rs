//! The memory of this process, and dumps of it, searched for a secret that should not be there.
//!
//! Owns: secrets that stand in the test itself only under a mask, and the search. Does not know: which secrets, and
//! why they should not be there.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
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
        self.search(|_| true)
    }

    /// As [`places`](Self::places), in the memory that a core dump takes along.
    #[must_use]
    pub fn dumped(&self) -> Vec<String> {
        self.search(|region| !region.has_flag("dd"))
    }

    /// How often the secret is in a file; it is read, not mapped.
    #[must_use]
    pub fn count_in(&self, file: &Path) -> usize {
        let file = File::open(file).expect("the file");
        let length = file.metadata().expect("its length").len();
        let mut scratch = Mapping::new(CHUNK + NEEDLE);
        self.hits(&file, 0..length, scratch.bytes()).len()
    }

    fn search(&self, wanted: impl Fn(&Region) -> bool) -> Vec<String> {
        let mut scratch = Mapping::new(CHUNK + NEEDLE);
        let own = scratch.address();
        let memory = File::open("/proc/self/mem").expect("the memory of this process");
        let mut found = Vec::new();
        for region in regions().iter().filter(|region| region.writable && region.from != own && wanted(region)) {
            let hits = self.hits(&memory, region.from..region.to, scratch.bytes());
            found.extend(hits.into_iter().map(|at| format!("{at:#x} in {}", region.name)));
        }
        found
    }

    fn hits(&self, source: &File, range: Range<u64>, scratch: &mut [u8]) -> Vec<u64> {
        let (first, last) = (&self.masked[..NEEDLE], &self.masked[self.masked.len() - NEEDLE..]);
        let reversed = |needle: &[u8]| needle.iter().rev().copied().collect::<Vec<_>>();
        let needles = [first.to_vec(), last.to_vec(), reversed(first), reversed(last)];
        let mut begins = [false; 256];
        needles.iter().for_each(|needle| begins[usize::from(needle[0] ^ MASK)] = true);
        let (mut at, mut found) = (range.start, Vec::new());
        while at < range.end {
            let wanted = usize::try_from((range.end - at).min((CHUNK + NEEDLE) as u64)).expect("a chunk");
            // What cannot be read is not there: a guard page, or gone since.
            let Ok(read) = source.read_at(&mut scratch[..wanted], at) else { break };
            let bytes = &scratch[..read];
            for offset in 0..read.saturating_sub(NEEDLE - 1) {
                let hit =
                    |needle: &Vec<u8>| bytes[offset..].iter().zip(needle).all(|(byte, masked)| byte ^ MASK == *masked);
                // A table first: most bytes begin nothing.
                if begins[usize::from(bytes[offset])] && needles.iter().any(hit) {
                    found.push(at + offset as u64);
                }
            }
            at += CHUNK as u64;
        }
        found
    }
}

/// A stretch of this process's memory, as `/proc/self/smaps` describes it.
pub struct Region {
    from: u64,
    to: u64,
    name: String,
    writable: bool,
    resident_kib: u64,
    flags: Vec<String>,
}

impl Region {
    /// Whether the kernel says so of it: `dd` for "left out of dumps", `lo` for "locked".
    #[must_use]
    pub fn has_flag(&self, flag: &str) -> bool {
        self.flags.iter().any(|known| known == flag)
    }

    /// Whether it can be written.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// Its length in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.to - self.from
    }

    /// How much of it is in RAM, in KiB.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        self.resident_kib
    }
}

/// All stretches of this process's memory.
#[must_use]
pub fn regions() -> Vec<Region> {
    let mut regions: Vec<Region> = Vec::new();
    for line in std::fs::read_to_string("/proc/self/smaps").expect("its map").lines() {
        if let Some(flags) = line.strip_prefix("VmFlags:") {
            let last = regions.last_mut().expect("flags stand behind their region");
            last.flags = flags.split_whitespace().map(str::to_owned).collect();
        } else if let (Some(resident), Some(last)) = (line.strip_prefix("Rss:"), regions.last_mut()) {
            last.resident_kib = resident.trim().trim_end_matches(" kB").parse().expect("a number of KiB");
        } else if let Some(region) = region(line) {
            regions.push(region);
        }
    }
    regions
}

/// The first line of a region.
fn region(line: &str) -> Option<Region> {
    let (range, rest) = line.split_once(' ')?;
    let (from, to) = range.split_once('-')?;
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let name = line.split_whitespace().nth(5).unwrap_or("memory").to_owned();
    let (from, to, writable) = (number(from)?, number(to)?, rest.starts_with("rw"));
    Some(Region { from, to, name, writable, resident_kib: 0, flags: Vec::new() })
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
