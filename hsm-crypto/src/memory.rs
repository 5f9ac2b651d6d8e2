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
use core::cell::Cell;
use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::TryReserveError;

/// What is no larger than this is small, whoever decides its size, and is taken without asking.
const SMALL_BYTES: usize = 64 << 10;

/// Whether the system has refused memory since it was last found to have some.
static SHORT: AtomicBool = AtomicBool::new(false);

/// Whether memory is short.
#[must_use]
#[inline]
pub fn is_short() -> bool {
    SHORT.load(Ordering::Relaxed) || secret_memory::is_spent()
}

/// Puts by again what the pages of secrets live on while the system gives none ([`secret_memory::refill`]). Whether that worked.
pub fn refill() -> bool {
    secret_memory::refill()
}

thread_local! {
    /// Whether this thread is where a refusal would end the process.
    static UNREFUSED: Cell<bool> = const { Cell::new(false) };
}

/// Runs code of others that takes large pieces without asking, and would end the process without them: it gets what was put by.
pub fn unrefused<T>(work: impl FnOnce() -> T) -> T {
    struct Back(bool);
    impl Drop for Back {
        fn drop(&mut self) {
            UNREFUSED.set(self.0);
        }
    }
    let _back = Back(UNREFUSED.replace(true));
    work()
}

/// Whether who asks in this thread for a large piece can be told that there is none.
#[must_use]
pub fn may_be_refused() -> bool {
    !UNREFUSED.get()
}

/// Says that memory is short, or is not any more.
pub fn set_short(short: bool) {
    SHORT.store(short, Ordering::Relaxed);
}

/// Asks before the next piece of work that takes memory, or before a step that cannot be undone.
///
/// # Errors
/// `OutOfMemory` while memory is short.
#[inline]
pub fn enough() -> Result<()> {
    if is_short() { Err(CryptoError::OutOfMemory) } else { Ok(()) }
}

/// What the standard library says in place of memory.
#[must_use]
pub fn refused(_amount: TryReserveError) -> CryptoError {
    CryptoError::OutOfMemory
}

/// Makes an empty vector with room for exactly `count` elements.
///
/// # Errors
/// `OutOfMemory`.
#[inline]
pub fn with_room<T>(count: usize) -> Result<Vec<T>> {
    if count <= SMALL_BYTES / size_of::<T>().max(1) {
        return Ok(Vec::with_capacity(count));
    }
    let mut out = Vec::new();
    out.try_reserve_exact(count).map_err(refused)?;
    Ok(out)
}

/// Makes `bytes` zero bytes.
///
/// # Errors
/// `OutOfMemory`.
#[inline]
pub fn zeroed(bytes: usize) -> Result<Vec<u8>> {
    if bytes <= SMALL_BYTES {
        return Ok(vec![0; bytes]);
    }
    let mut out = with_room(bytes)?;
    out.resize(bytes, 0);
    Ok(out)
}

/// Copies elements into a vector of their own.
///
/// # Errors
/// `OutOfMemory`.
#[inline]
pub fn copied<T: Clone>(elements: &[T]) -> Result<Vec<T>> {
    if size_of_val(elements) <= SMALL_BYTES {
        return Ok(elements.to_vec());
    }
    let mut out = with_room(elements.len())?;
    out.extend_from_slice(elements);
    Ok(out)
}

/// Makes room for `count` more elements, and more than that when the vector grows step by step.
///
/// # Errors
/// `OutOfMemory`; the vector is as it was.
pub fn reserve<T>(out: &mut Vec<T>, count: usize) -> Result<()> {
    out.try_reserve(count).map_err(refused)
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
