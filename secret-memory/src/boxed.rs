//! A value in secret pages, and its owner.
//!
//! Owns: [`SecretBox`], which is what `Box` is, for keys that a library has parsed and for operations that hold one. Does not know: what
//! the value is.

use crate::block::wipe;
use crate::source::{ALIGNMENT_MAX, give_back_written, take};
use core::fmt;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};

/// An owned value in secret pages; its memory is wiped after the value was dropped.
///
/// What the value itself points to, it must have put there itself.
pub struct SecretBox<T: ?Sized> {
    value: NonNull<T>,
    /// Not in secret pages, as the system had no more of them; wiped all the same.
    on_heap: bool,
}

// SAFETY: the box owns its value, as `Box` does.
unsafe impl<T: ?Sized + Send> Send for SecretBox<T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync> Sync for SecretBox<T> {}

impl<T> SecretBox<T> {
    /// Moves a value into secret pages, or into other memory where the system gives no more pages. Where there is none
    /// either, it ends the process, as `Box` does.
    ///
    /// The compiler may build the value on the stack first.
    #[inline]
    #[must_use]
    pub fn new(value: T) -> Self {
        const { assert!(align_of::<T>() <= ALIGNMENT_MAX, "an alignment that blocks do not have") };
        let (place, on_heap) = match take(const { room(size_of::<T>(), align_of::<T>()) }) {
            Some(block) => (block.cast::<T>(), false),
            None => (from_heap(heap_layout(size_of::<T>(), align_of::<T>())).cast::<T>(), true),
        };
        // SAFETY: the place is large enough and aligned, and nobody else has it.
        unsafe { place.write(value) };
        Self { value: place, on_heap }
    }

    /// The same value as an object of a trait that it has: `boxed.seen_as(|value| value as &mut dyn Trait)`.
    ///
    /// The standard library's boxes do this by themselves, by a feature that no other crate may use yet.
    ///
    /// # Panics
    /// When `view` answers with something else than the whole value.
    #[inline]
    #[must_use]
    pub fn seen_as<U: ?Sized>(mut self, view: impl FnOnce(&mut T) -> &mut U) -> SecretBox<U> {
        let seen: *mut U = view(&mut self);
        let whole = NonNull::new(seen).filter(|seen| seen.cast() == self.value);
        // SAFETY: `view` has made the pointer from a reference that is as good as the box's own.
        let whole = whole.filter(|seen| size_of_val::<U>(unsafe { seen.as_ref() }) == size_of::<T>());
        let Some(whole) = whole else { other_value() };
        let on_heap = self.on_heap;
        core::mem::forget(self);
        SecretBox { value: whole, on_heap }
    }
}

#[cold]
#[allow(clippy::panic, reason = "a mistake at the call site, which its first use shows")]
fn other_value() -> ! {
    panic!("another value than that of the box")
}

/// The layout of a value outside secret pages; of one byte at least.
fn heap_layout(bytes: usize, alignment: usize) -> Layout {
    // Of a type that exists, so it can be laid out.
    Layout::from_size_align(bytes.max(1), alignment).unwrap_or(Layout::new::<u8>())
}

#[cold]
fn from_heap(layout: Layout) -> NonNull<u8> {
    // SAFETY: the layout has a byte at least.
    NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
}

/// How many bytes to ask for, so that the block is aligned: those whose size is a power of two are.
const fn room(bytes: usize, alignment: usize) -> usize {
    match alignment {
        ..=crate::sizes::ALIGNMENT => bytes,
        _ if bytes < alignment => alignment,
        _ => bytes.next_power_of_two(),
    }
}

impl<T: ?Sized> Deref for SecretBox<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the value is there as long as its owner.
        unsafe { self.value.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for SecretBox<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the value is there as long as its owner, which is borrowed for writing.
        unsafe { self.value.as_mut() }
    }
}

impl<T: ?Sized> Drop for SecretBox<T> {
    fn drop(&mut self) {
        let (bytes, alignment) = (size_of_val::<T>(self), align_of_val::<T>(self));
        // SAFETY: the value is there, and is not used after this.
        unsafe { self.value.drop_in_place() };
        let place = self.value.cast();
        if self.on_heap {
            // SAFETY: as large as the value that was there.
            unsafe { wipe(place, bytes) };
            // SAFETY: the memory came from the heap, with this layout.
            unsafe { dealloc(place.as_ptr(), heap_layout(bytes, alignment)) };
        } else {
            // SAFETY: the memory came from `take`, and no more than the value was written to it.
            unsafe { give_back_written(place, bytes) };
        }
    }
}

impl<T: ?Sized> fmt::Debug for SecretBox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBox")
    }
}
