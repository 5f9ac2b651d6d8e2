//! The memory that a call is given: every block between two guards.
//!
//! Owns: that lengths told to the module are true, and what is asked of the memory afterwards: guards whole, inputs as they
//! were, no secret in what was written. Does not know: what a call means.

use core::ptr;

/// The bytes in front of and behind each block.
const GUARD: usize = 32;
const GUARD_BYTE: u8 = 0xA5;

/// Memory of one call.
#[derive(Default)]
pub struct Memory {
    blocks: Vec<Block>,
}

struct Block {
    bytes: Vec<u8>,
    start: usize,
    length: usize,
    /// What must stand there afterwards.
    constant: Option<Vec<u8>>,
}

impl Memory {
    /// A block that the module may write; `skew` bytes off a good alignment.
    pub fn writable(&mut self, content: &[u8], skew: usize) -> *mut u8 {
        let start = GUARD + skew % 8;
        let mut bytes = vec![GUARD_BYTE; start + content.len() + GUARD];
        bytes[start..start + content.len()].copy_from_slice(content);
        let place = bytes[start..].as_mut_ptr();
        self.blocks.push(Block { bytes, start, length: content.len(), constant: None });
        place
    }

    /// A block that the module only reads.
    pub fn constant(&mut self, content: &[u8], skew: usize) -> *mut u8 {
        let place = self.writable(content, skew);
        if let Some(block) = self.blocks.last_mut() {
            block.constant = Some(content.to_vec());
        }
        place
    }

    /// The memory of a value of C, written or read by the module.
    pub fn of<T: Copy>(&mut self, value: &T, skew: usize) -> *mut T {
        let place: *mut T = self.writable(&vec![0; size_of::<T>()], skew).cast();
        // SAFETY: the block has room for a T, and nothing else refers to it.
        unsafe { ptr::write_unaligned(place, *value) };
        place
    }

    /// Looks at all blocks.
    ///
    /// # Panics
    /// When a byte beside a block, or one of an input, was written.
    pub fn check(&self, what: &str) {
        for block in &self.blocks {
            let (front, rest) = block.bytes.split_at(block.start);
            let (content, back) = rest.split_at(block.length);
            let whole = front.iter().chain(back).all(|byte| *byte == GUARD_BYTE);
            assert!(whole, "{what} wrote beside a buffer of {} bytes", block.length);
            if let Some(constant) = &block.constant {
                assert!(constant == content, "{what} changed its input");
            }
        }
    }

    /// What stands in the blocks that may be written.
    pub fn written(&self) -> impl Iterator<Item = &[u8]> {
        let written = self.blocks.iter().filter(|block| block.constant.is_none());
        written.map(|block| &block.bytes[block.start..block.start + block.length])
    }

    /// Reads what a place of this memory holds.
    #[must_use]
    pub(crate) fn value<T: Copy>(&self, place: *const T) -> T {
        debug_assert!(!place.is_null(), "only places of this memory are read");
        // SAFETY: places come from `of` and `writable` with at least the size of a T and live as long as `self`.
        unsafe { ptr::read_unaligned(place) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes one byte, as a module might that is wrong.
    fn write(place: *mut u8) {
        // SAFETY: the guards belong to the block as much as its content.
        unsafe { ptr::write(place, 1) };
    }

    #[test]
    fn good_use_of_memory_is_not_complained_about() {
        let mut memory = Memory::default();
        write(memory.writable(&[0; 4], 3).wrapping_add(3));
        let _input = memory.constant(b"in", 1);
        memory.check("nothing");
        assert_eq!(memory.written().collect::<Vec<_>>(), [&[0, 0, 0, 1][..]]);
    }

    #[test]
    #[should_panic(expected = "wrote beside a buffer of 4 bytes")]
    fn a_byte_behind_a_buffer_is_found() {
        let mut memory = Memory::default();
        write(memory.writable(&[0; 4], 0).wrapping_add(4));
        memory.check("C_Something");
    }

    #[test]
    #[should_panic(expected = "wrote beside a buffer of 4 bytes")]
    fn a_byte_in_front_of_a_buffer_is_found() {
        let mut memory = Memory::default();
        write(memory.writable(&[0; 4], 0).wrapping_sub(1));
        memory.check("C_Something");
    }

    #[test]
    #[should_panic(expected = "changed its input")]
    fn a_changed_input_is_found() {
        let mut memory = Memory::default();
        write(memory.constant(b"input", 0));
        memory.check("C_Something");
    }
}
