//! The sizes of blocks that are given out, and how many units of a chunk a span of each takes.
//!
//! Owns: the two tables. Sixteen bytes apart up to 128, then four sizes to a doubling, so that a block is seldom a fifth
//! larger than what was asked for; above four KiB one block is a span. Does not know: where blocks are.

/// What a chunk is divided into, bytes.
pub(crate) const UNIT: usize = 4096;
/// The largest block that shares a chunk with others, bytes; what is larger has a mapping of its own.
pub(crate) const SHARED_MAX: usize = 4 * UNIT;
/// How many sizes there are.
pub(crate) const CLASSES: usize = 31;

/// Each block is at a multiple of this many bytes, and blocks whose size is a power of two at a multiple of that (up to [`UNIT`]).
pub(crate) const ALIGNMENT: usize = 16;

/// The size of the blocks of each class.
pub(crate) const BYTES: [usize; CLASSES] = sizes();

/// How many blocks a span of each class has.
pub(crate) const BLOCKS: [u16; CLASSES] = blocks();

const fn sizes() -> [usize; CLASSES] {
    let mut sizes = [0; CLASSES];
    let mut class = 0;
    while class < CLASSES {
        sizes[class] = match class {
            0..8 => (class + 1) * ALIGNMENT,
            // 160, 192, 224, 256, 320, ... 4096
            8..28 => (5 + (class - 8) % 4) << (5 + (class - 8) / 4),
            _ => (class - 26) * UNIT,
        };
        class += 1;
    }
    sizes
}

const fn blocks() -> [u16; CLASSES] {
    let mut blocks = [0; CLASSES];
    let mut class = 0;
    while class < CLASSES {
        // At most 256.
        blocks[class] = (units(class) * UNIT / BYTES[class]) as u16;
        class += 1;
    }
    blocks
}

/// The class of the smallest blocks with `bytes`, of which there are at most [`SHARED_MAX`].
#[inline]
pub(crate) const fn class(bytes: usize) -> usize {
    if bytes <= 128 {
        return bytes.saturating_sub(1) / ALIGNMENT;
    }
    if bytes > UNIT {
        return 26 + bytes.div_ceil(UNIT);
    }
    let last = bytes - 1;
    let doubling = last.ilog2() as usize;
    // The two bits below the highest one.
    8 + (doubling - 7) * 4 + ((last >> (doubling - 2)) & 3)
}

/// How many units a span of this class takes: enough to waste an eighth of it at most.
pub(crate) const fn units(class: usize) -> usize {
    match BYTES[class] {
        ..=512 => 1,
        513..=1024 => 2,
        1025..=UNIT => 4,
        bytes => bytes / UNIT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_length_gets_the_smallest_blocks_that_hold_it() {
        assert!(BYTES.is_sorted() && BYTES[CLASSES - 1] == SHARED_MAX, "{BYTES:?}");
        for bytes in 0..=SHARED_MAX {
            let class = class(bytes);
            assert!(BYTES[class] >= bytes, "{bytes} bytes in blocks of {}", BYTES[class]);
            assert!(class == 0 || BYTES[class - 1] < bytes, "{bytes} bytes would do with {}", BYTES[class - 1]);
        }
    }

    #[test]
    fn blocks_are_aligned_and_a_span_wastes_an_eighth_at_most() {
        for class in 0..CLASSES {
            let (bytes, whole) = (BYTES[class], units(class) * UNIT);
            assert_eq!(bytes % ALIGNMENT, 0);
            let used = usize::from(BLOCKS[class]) * bytes;
            assert!(used <= whole && (whole - used) * 8 <= whole, "{bytes}: {used} of {whole}");
        }
    }
}
