//! Memory that may not be there: allocations whose size somebody else decides, and whether memory is short.
//!
//! Owns: vectors that are asked for before they are filled, and the word that memory is short. Does not know: where memory comes
//! from, and what is kept back for such times; that is the business of who gives the word ([`set_short`]). Called from every room.
//!
//! Rust's standard library ends the process when an ordinary allocation fails. So whatever is as large as a caller, the store or the number of
//! objects says is made here, and fails with [`CryptoError::OutOfMemory`]. What is small and bounded is left to `Vec` and `Box`: for that
//! the shared library keeps a reserve. Work that takes many small pieces asks [`enough`] for each, so that it
//! ends before the reserve does.

use crate::error::{CryptoError, Result};
use core::sync::atomic::{AtomicBool, Ordering};

/// Whether the system has refused memory since it was last found to have some.
static SHORT: AtomicBool = AtomicBool::new(false);

/// Whether memory is short.
#[must_use]
pub fn is_short() -> bool {
    SHORT.load(Ordering::Relaxed)
}

/// Says that memory is short, or is not any more.
pub fn set_short(short: bool) {
    SHORT.store(short, Ordering::Relaxed);
}

/// Asks before the next piece of work that takes memory, or before a step that cannot be undone.
///
/// # Errors
/// `OutOfMemory` while memory is short.
pub fn enough() -> Result<()> {
    if is_short() { Err(CryptoError::OutOfMemory) } else { Ok(()) }
}

/// Makes an empty vector with room for exactly `count` elements.
///
/// # Errors
/// `OutOfMemory`.
pub fn with_room<T>(count: usize) -> Result<Vec<T>> {
    let mut out = Vec::new();
    // The only way to fail is that there is no such amount of memory.
    out.try_reserve_exact(count).map_err(|_| CryptoError::OutOfMemory)?;
    Ok(out)
}

/// Makes `bytes` zero bytes.
///
/// # Errors
/// `OutOfMemory`.
pub fn zeroed(bytes: usize) -> Result<Vec<u8>> {
    let mut out = with_room(bytes)?;
    out.resize(bytes, 0);
    Ok(out)
}

/// Copies elements into a vector of their own.
///
/// # Errors
/// `OutOfMemory`.
pub fn copied<T: Clone>(elements: &[T]) -> Result<Vec<T>> {
    let mut out = with_room(elements.len())?;
    out.extend_from_slice(elements);
    Ok(out)
}

/// Makes room for `count` more elements, and more than that when the vector grows step by step.
///
/// # Errors
/// `OutOfMemory`; the vector is as it was.
pub fn reserve<T>(out: &mut Vec<T>, count: usize) -> Result<()> {
    // As above.
    out.try_reserve(count).map_err(|_| CryptoError::OutOfMemory)
}

/// Puts one element behind the others.
///
/// # Errors
/// `OutOfMemory`; the vector is as it was.
pub fn push<T>(out: &mut Vec<T>, element: T) -> Result<()> {
    reserve(out, 1)?;
    out.push(element);
    Ok(())
}

/// Collects what an iterator gives, however much it is.
///
/// # Errors
/// `OutOfMemory`.
pub fn collected<T>(elements: impl IntoIterator<Item = T>) -> Result<Vec<T>> {
    let elements = elements.into_iter();
    let mut out = with_room(elements.size_hint().0)?;
    for element in elements {
        push(&mut out, element)?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_memory_can_hold_is_an_error_and_leaves_a_vector_as_it_was() {
        let most = isize::MAX as usize;
        assert_eq!(zeroed(most), Err(CryptoError::OutOfMemory));
        assert_eq!(with_room::<u64>(most), Err(CryptoError::OutOfMemory));
        let mut three = vec![1, 2, 3];
        assert_eq!(reserve(&mut three, most), Err(CryptoError::OutOfMemory));
        assert_eq!(three, [1, 2, 3]);
    }

    #[test]
    fn what_memory_holds_has_its_content() {
        assert_eq!(zeroed(3), Ok(vec![0; 3]));
        assert_eq!(copied(b"abc"), Ok(b"abc".to_vec()));
        assert_eq!(collected((1..4).filter(|number| *number != 2)), Ok(vec![1, 3]));
    }
}
