//! The caller's memory: the only place where raw pointers are read and written.
//!
//! Owns: null checks, unaligned access, lengths that no honest buffer can have. Does not know: what
//! the bytes mean. A [`Raw`] is made once per pointer, where a call enters ([`Received`]) or where
//! a caller's structure holds a further pointer; all other code of the crate is safe.
//! Rule source: PKCS#11 v2.40, 5.2 (output lengths); DESIGN section 3 (the edge).
#![allow(unsafe_code, reason = "this module is where pointers are followed")]

use core::ffi::c_void;
use core::marker::PhantomData;
use core::mem::{offset_of, size_of};
use core::{ptr, slice};

use ffi_headers::vendor::{CK_KDF_PRF_PARAMS, CK_KMAC_PARAMS};
use ffi_headers::*;
use hsm_core::{Reason, Result};

use crate::derivation::{TreeChildParams, TreeMasterParams};
use crate::mechanism::GcmParamsWithoutIvBits;

/// A pointer that a caller gave, for the length of one call; possibly null, possibly unaligned.
///
/// The caller's promise that comes with it: it is null, or it points to memory of the length that
/// the call states, readable (and for results writable) until the call returns.
pub struct Raw<'call, T> {
    address: *mut T,
    call: PhantomData<&'call ()>,
}

/// What an argument of a C function becomes when the call enters.
pub trait Received<'call> {
    /// The form that the rest of the crate works with.
    type Value;

    /// Takes the argument in.
    ///
    /// # Safety
    /// A pointer must keep the promise of [`Raw`] for `'call`.
    unsafe fn received(self) -> Self::Value;
}

/// Types of which every pattern of bits is a valid value, so that they can be read from anywhere.
///
/// # Safety
/// The implementer answers for that.
pub unsafe trait Plain: Copy {}

/// An array that a caller gave, with a length that was judged.
#[derive(Clone, Copy)]
pub struct Array<'call, T> {
    first: Raw<'call, T>,
    count: usize,
}

/// Bytes that a caller gave, not yet judged: pointer and length as they came.
#[derive(Clone, Copy)]
pub struct Input<'call> {
    bytes: Raw<'call, CK_BYTE>,
    length: CK_ULONG,
}

/// A place for one result; it is known not to be null.
#[derive(Clone, Copy)]
pub struct Out<'call, T> {
    place: Raw<'call, T>,
}

impl<T> Clone for Raw<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Raw<'_, T> {}

impl<'call, T> Raw<'call, T> {
    /// Takes in a pointer.
    ///
    /// # Safety
    /// It must keep the promise of the type for `'call`.
    pub unsafe fn new(address: *mut T) -> Self {
        Self { address, call: PhantomData }
    }

    /// Whether the caller gave a null pointer.
    pub fn is_null(self) -> bool {
        self.address.is_null()
    }

    /// The same place, seen as another type.
    fn cast<U>(self) -> Raw<'call, U> {
        Raw { address: self.address.cast(), call: PhantomData }
    }

    /// A place for one result.
    ///
    /// # Errors
    /// `ArgumentsBad(what)` for a null pointer.
    pub fn out(self, what: &'static str) -> Result<Out<'call, T>> {
        if self.is_null() { Err(Reason::ArgumentsBad(what)) } else { Ok(Out { place: self }) }
    }

    /// An array of `count` elements; null is an array of none.
    ///
    /// # Errors
    /// `ArgumentsBad(what)` for null with a count, or more than `most` elements.
    pub fn array(self, count: CK_ULONG, most: usize, what: &'static str) -> Result<Array<'call, T>> {
        let count =
            checked_length(self.address.addr(), count, most, size_of::<T>()).ok_or(Reason::ArgumentsBad(what))?;
        Ok(Array { first: self, count })
    }

    /// A part of the structure at the place, `bytes` behind its beginning (`offset_of!`).
    pub fn part<U>(self, bytes: usize) -> Raw<'call, U> {
        self.at(bytes).cast()
    }

    /// The place `bytes` further on, which the caller's promise must cover.
    fn at(self, bytes: usize) -> Self {
        Raw { address: self.address.wrapping_byte_add(bytes), call: PhantomData }
    }
}

impl<T: Plain> Raw<'_, T> {
    /// Reads one value, aligned or not.
    ///
    /// # Errors
    /// `ArgumentsBad(what)` for a null pointer.
    pub fn read(self, what: &'static str) -> Result<T> {
        if self.is_null() {
            return Err(Reason::ArgumentsBad(what));
        }
        // SAFETY: not null, so the caller promises a readable T here (see `Raw`); any bits are a T (`Plain`).
        Ok(unsafe { ptr::read_unaligned(self.address) })
    }
}

impl<'call> Raw<'call, CK_BYTE> {
    /// The bytes from here on, `length` of them, not yet judged.
    pub fn input(self, length: CK_ULONG) -> Input<'call> {
        Input { bytes: self, length }
    }

    /// Copies `bytes` to the place; the caller's buffer was found to have room for them.
    ///
    /// A null pointer takes none.
    pub fn fill(self, bytes: &[u8]) {
        if self.is_null() || bytes.is_empty() {
            return;
        }
        // SAFETY: the caller promises a writable buffer of the length it stated, which is at least `bytes.len()`
        // (checked by `Output` and the attribute writer); `bytes` is memory of this library, so nothing overlaps.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.address, bytes.len()) }
    }
}

impl Raw<'_, CK_BYTE> {
    /// Lends the first `bytes` bytes of the caller's buffer, which was found to have them, for writing while `input` is still
    /// read; `None` where it overlaps `input` or the place of the length, and for null.
    pub fn lend<'place>(
        &'place mut self,
        bytes: usize,
        input: &[u8],
        length: Out<'_, CK_ULONG>,
    ) -> Option<&'place mut [u8]> {
        let start = self.address.addr();
        let end = start.checked_add(bytes).filter(|_| !self.is_null() && isize::try_from(bytes).is_ok())?;
        let apart = |other: usize, other_bytes: usize| end <= other || other + other_bytes <= start;
        if !apart(input.as_ptr().addr(), input.len()) || !apart(length.place.address.addr(), size_of::<CK_ULONG>()) {
            return None;
        }
        // SAFETY: not null, and the caller promises a writable buffer of the length it stated, which is at least `bytes`
        // (checked by `Output`), for the call; nothing else of the call lies in it, as was checked, and the slice dies before
        // the length is written.
        Some(unsafe { slice::from_raw_parts_mut(self.address, bytes) })
    }
}

impl<'call> Raw<'call, c_void> {
    /// The bytes from here on, `length` of them, not yet judged.
    pub fn memory(self, length: CK_ULONG) -> Input<'call> {
        Input { bytes: self.cast(), length }
    }
}

impl Raw<'_, c_void> {
    /// Reads the argument of C_Initialize.
    ///
    /// # Errors
    /// `ArgumentsBad` for a null pointer.
    pub fn initialize_arguments(self) -> Result<CK_C_INITIALIZE_ARGS> {
        self.cast().read("the argument is null")
    }
}

impl Raw<'_, CK_UTF8CHAR> {
    /// Whether the place holds this string, its closing zero included; reads no byte beyond the first that differs.
    pub fn is_string(self, expected: &[u8]) -> bool {
        expected.iter().enumerate().all(|(index, byte)| matches!(self.at(index).read(""), Ok(found) if found == *byte))
    }
}

impl<'call> Raw<'call, CK_ATTRIBUTE> {
    /// The place of `type`.
    pub fn kind(self) -> Out<'call, CK_ATTRIBUTE_TYPE> {
        Out { place: self.at(offset_of!(CK_ATTRIBUTE, type_)).cast() }
    }

    /// The place of `ulValueLen`.
    pub fn value_length(self) -> Out<'call, CK_ULONG> {
        Out { place: self.at(offset_of!(CK_ATTRIBUTE, ulValueLen)).cast() }
    }

    /// The value that an attribute points to.
    pub fn value(self, attribute: &CK_ATTRIBUTE) -> Raw<'call, CK_BYTE> {
        debug_assert!(!self.is_null(), "an attribute was read from here");
        // SAFETY: the pointer stands in a structure of the caller, whose promise covers what its structures point to.
        unsafe { Raw::new(attribute.pValue.cast()) }
    }

    /// The attributes that an attribute points to, and their number; `None` when the length is not a whole number.
    pub fn nested(self, attribute: &CK_ATTRIBUTE) -> Option<(Raw<'call, CK_ATTRIBUTE>, CK_ULONG)> {
        const SIZE: CK_ULONG = size_of::<CK_ATTRIBUTE>() as CK_ULONG;
        let whole = attribute.ulValueLen.is_multiple_of(SIZE);
        whole.then(|| (self.value(attribute).cast(), attribute.ulValueLen / SIZE))
    }
}

impl<'call> Raw<'call, CK_MECHANISM> {
    /// The parameter that a mechanism points to, with its length.
    pub fn parameter(self, mechanism: &CK_MECHANISM) -> Input<'call> {
        debug_assert!(!self.is_null(), "a mechanism was read from here");
        self.pointed(mechanism.pParameter, mechanism.ulParameterLen)
    }

    /// The bytes that a mechanism's parameter points to.
    pub fn pointed<T>(self, address: *mut T, length: CK_ULONG) -> Input<'call> {
        // SAFETY: the pointer stands in a structure of the caller, whose promise covers what its structures point to.
        let bytes = unsafe { Raw::new(address.cast::<CK_BYTE>()) };
        bytes.input(length)
    }
}

impl<'call> Raw<'call, CK_MECHANISM> {
    /// The place that a mechanism's parameter points to.
    pub fn pointed_at<T>(self, address: *mut T) -> Raw<'call, T> {
        // SAFETY: the pointer stands in a structure of the caller, whose promise covers what its structures point to.
        unsafe { Raw::new(address) }
    }
}

impl<'call, T> Array<'call, T> {
    /// The number of elements.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The places of the elements in order.
    pub fn places(self) -> impl Iterator<Item = Raw<'call, T>> {
        (0..self.count).map(move |index| self.first.at(index * size_of::<T>()))
    }
}

impl<'call> Array<'call, CK_BYTE> {
    /// The array cut into pieces of so many bytes, the last one shorter: place and length of each.
    pub fn pieces(self, piece_bytes: usize) -> impl Iterator<Item = (Raw<'call, CK_BYTE>, usize)> {
        (0..self.count)
            .step_by(piece_bytes)
            .map(move |start| (self.first.at(start), piece_bytes.min(self.count - start)))
    }
}

impl<T: Plain> Array<'_, T> {
    /// Writes as many elements as fit.
    pub fn write(self, values: impl IntoIterator<Item = T>) {
        for (place, value) in self.places().zip(values) {
            Out { place }.write(value);
        }
    }
}

impl<'call> Input<'call> {
    /// Lends the bytes; null with length 0 is an empty input.
    ///
    /// While the slice lives, nothing of the caller's memory is written but what [`Raw::lend`] has found to be apart from it.
    ///
    /// # Errors
    /// `ArgumentsBad(what)` for null with a length, or a length above `most`.
    pub fn bytes(self, most: usize, what: &'static str) -> Result<&'call [u8]> {
        let length =
            checked_length(self.bytes.address.addr(), self.length, most, 1).ok_or(Reason::ArgumentsBad(what))?;
        if length == 0 {
            return Ok(&[]);
        }
        // SAFETY: not null and of a sane length (checked above), so the caller promises that many readable bytes for
        // the call; no byte of it is written while the slice lives: `Raw::lend` refuses a buffer that overlaps it, and every
        // other result is written when it is dead.
        Ok(unsafe { slice::from_raw_parts(self.bytes.address, length) })
    }

    /// The place that a structure which was read from here points to.
    pub fn pointed(self, address: *mut CK_BYTE) -> Raw<'call, CK_BYTE> {
        debug_assert!(!self.is_null(), "a structure was read from here");
        // SAFETY: the pointer stands in a structure of the caller, whose promise covers what its structures point to.
        unsafe { Raw::new(address) }
    }

    /// A part of the structure that the bytes hold, `bytes` behind its beginning (`offset_of!`).
    pub fn part<U>(self, bytes: usize) -> Raw<'call, U> {
        self.bytes.part(bytes)
    }

    /// Whether there are no bytes by length.
    pub fn is_empty(self) -> bool {
        self.length == 0
    }

    /// Whether the pointer is null.
    pub fn is_null(self) -> bool {
        self.bytes.is_null()
    }

    /// The length as the caller gave it.
    pub fn length(self) -> CK_ULONG {
        self.length
    }

    /// Reads a structure, when the length is exactly its size and the pointer not null.
    pub fn structure<T: Plain>(self) -> Option<T> {
        if usize::try_from(self.length).ok()? != size_of::<T>() {
            return None;
        }
        self.bytes.cast::<T>().read("structure").ok()
    }
}

impl<T: Plain> Out<'_, T> {
    /// Writes the result, aligned or not.
    pub fn write(self, value: T) {
        // SAFETY: `Out` is made of non-null places only, and the caller promises that a T can be written there.
        unsafe { ptr::write_unaligned(self.place.address, value) }
    }

    /// Reads what stands there, for lengths that go in and out.
    pub fn read(self) -> T {
        // SAFETY: as for `write`; in-and-out arguments are readable too, and any bits are a T (`Plain`).
        unsafe { ptr::read_unaligned(self.place.address) }
    }
}

/// The length in elements, if memory at `address` can have that many of them.
fn checked_length(address: usize, count: CK_ULONG, most: usize, size: usize) -> Option<usize> {
    let count = usize::try_from(count).ok().filter(|count| *count <= most)?;
    let bytes = count.checked_mul(size).filter(|bytes| isize::try_from(*bytes).is_ok())?;
    address.checked_add(bytes)?;
    (count == 0 || address != 0).then_some(count)
}

impl<'call, T: 'call> Received<'call> for *mut T {
    type Value = Raw<'call, T>;

    unsafe fn received(self) -> Self::Value {
        // SAFETY: the promise is passed on from the caller of this function.
        unsafe { Raw::new(self) }
    }
}

impl Received<'_> for CK_ULONG {
    type Value = Self;

    unsafe fn received(self) -> Self::Value {
        self
    }
}

impl Received<'_> for CK_BBOOL {
    type Value = Self;

    unsafe fn received(self) -> Self::Value {
        self
    }
}

impl Received<'_> for CK_NOTIFY {
    // Nothing is ever notified: the token cannot be removed, and no function runs for long without the caller.
    type Value = ();

    unsafe fn received(self) -> Self::Value {}
}

macro_rules! plain {
    ($($name:ty),* $(,)?) => { $(
        // SAFETY: made of integers, raw pointers and nullable function pointers (never called) only.
        unsafe impl Plain for $name {}
    )* };
}

plain!(
    CK_BYTE,
    CK_ULONG,
    CK_VERSION,
    CK_INFO,
    CK_SLOT_INFO,
    CK_TOKEN_INFO,
    CK_SESSION_INFO,
    CK_MECHANISM_INFO,
    CK_ATTRIBUTE,
    CK_MECHANISM,
    CK_C_INITIALIZE_ARGS,
    CK_INTERFACE,
    CK_ASYNC_DATA,
    CK_AES_CTR_PARAMS,
    CK_GCM_PARAMS,
    CK_RSA_PKCS_PSS_PARAMS,
    CK_RSA_PKCS_OAEP_PARAMS,
    CK_ECDH1_DERIVE_PARAMS,
    CK_EDDSA_PARAMS,
    CK_KMAC_PARAMS,
    CK_KEY_DERIVATION_STRING_DATA,
    CK_HKDF_PARAMS,
    CK_AES_CBC_ENCRYPT_DATA_PARAMS,
    CK_PKCS5_PBKD2_PARAMS2,
    CK_TLS12_MASTER_KEY_DERIVE_PARAMS,
    CK_TLS12_EXTENDED_MASTER_KEY_DERIVE_PARAMS,
    CK_TLS12_KEY_MAT_PARAMS,
    CK_SSL3_KEY_MAT_OUT,
    CK_TLS_KDF_PARAMS,
    CK_TLS_MAC_PARAMS,
    CK_TLS_PRF_PARAMS,
    CK_IKE_PRF_DERIVE_PARAMS,
    CK_IKE1_PRF_DERIVE_PARAMS,
    CK_IKE1_EXTENDED_DERIVE_PARAMS,
    CK_IKE2_PRF_PLUS_DERIVE_PARAMS,
    CK_KDF_PRF_PARAMS,
    TreeMasterParams,
    TreeChildParams,
    CK_SP800_108_KDF_PARAMS,
    CK_SP800_108_FEEDBACK_KDF_PARAMS,
    CK_SP800_108_COUNTER_FORMAT,
    CK_SP800_108_DKM_LENGTH_FORMAT,
    CK_PRF_DATA_PARAM,
    CK_DERIVED_KEY,
    CK_CCM_PARAMS,
    CK_RSA_AES_KEY_WRAP_PARAMS,
    CK_ECDH_AES_KEY_WRAP_PARAMS,
    CK_CHACHA20_PARAMS,
    CK_SALSA20_PARAMS,
    CK_SALSA20_CHACHA20_POLY1305_PARAMS,
    CK_GCM_MESSAGE_PARAMS,
    CK_CCM_MESSAGE_PARAMS,
    CK_GCM_WRAP_PARAMS,
    CK_CCM_WRAP_PARAMS,
    CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS,
    CK_SIGN_ADDITIONAL_CONTEXT,
    CK_HASH_SIGN_ADDITIONAL_CONTEXT,
    GcmParamsWithoutIvBits,
    *mut CK_FUNCTION_LIST,
    *mut CK_INTERFACE,
    *mut c_void,
);

/// Pointers to the memory of a test.
#[cfg(test)]
pub mod testing {
    use super::*;

    /// A null pointer.
    pub fn null<T>() -> Raw<'static, T> {
        Raw { address: ptr::null_mut(), call: PhantomData }
    }

    /// A pointer to a value.
    pub fn raw<T>(value: &mut T) -> Raw<'_, T> {
        Raw { address: ptr::from_mut(value), call: PhantomData }
    }

    /// A pointer to the first of several values.
    pub fn raw_slice<T>(values: &mut [T]) -> Raw<'_, T> {
        Raw { address: values.as_mut_ptr(), call: PhantomData }
    }

    /// A pointer to a T somewhere in a buffer.
    pub fn raw_inside<T>(buffer: &mut [u8], offset: usize) -> Raw<'_, T> {
        assert!(offset + size_of::<T>() <= buffer.len());
        raw_slice(buffer).at(offset).cast()
    }

    /// Two pointers into one buffer, as a caller who works in place has them.
    pub fn raw_pair<T, U>(buffer: &mut [u8], first: usize, second: usize) -> (Raw<'_, T>, Raw<'_, U>) {
        let start = raw_slice(buffer);
        (start.at(first).cast(), start.at(second).cast())
    }
}

#[cfg(test)]
#[path = "tests/memory.rs"]
mod tests;
