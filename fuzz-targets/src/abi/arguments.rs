//! The arguments of calls, made of the bytes of a program.
//!
//! Owns: handles, inputs, rooms, templates. Does not know: which function takes what; parameters of mechanisms are in
//! `parameters`. Each argument is made of its own bytes, and the lengths that the module is told are always true.

use super::memory::Memory;
use super::stock::*;
use crate::bytes::Bytes;
use ffi_headers::*;
use std::ptr::null_mut;

/// Longest input that a program makes of one repeated byte.
const FILLED_BYTES: u16 = 4096;
/// How many results are kept for later calls.
const RESULTS: usize = 8;
/// Deepest template in a template that a program makes; the module takes four.
const DEPTH: usize = 5;

/// Attributes whose value is a template.
const TEMPLATES: [CK_ATTRIBUTE_TYPE; 5] =
    [CKA_WRAP_TEMPLATE, CKA_UNWRAP_TEMPLATE, CKA_DERIVE_TEMPLATE, CKA_ENCAPSULATE_TEMPLATE, CKA_DECAPSULATE_TEMPLATE];

/// What a program is working with.
pub struct Arguments<'p> {
    pub program: Bytes<'p>,
    pub memory: Memory,
    pub sessions: Vec<CK_SESSION_HANDLE>,
    pub objects: Vec<CK_OBJECT_HANDLE>,
    /// The latest results: signatures, ciphertexts, wrapped keys.
    results: Vec<Vec<u8>>,
    /// The length of the latest answer.
    latest: usize,
    /// The outputs of the call under way.
    outputs: Vec<Output>,
    /// Places for handles in the call under way.
    handles: Vec<*mut CK_OBJECT_HANDLE>,
    /// The place for a session's handle in the call under way.
    opened: Option<*mut CK_SESSION_HANDLE>,
}

/// A place for a result.
struct Output {
    data: *mut u8,
    length: *mut CK_ULONG,
    room: usize,
}

/// An input of some form.
pub type In = (*mut u8, CK_ULONG);
/// A place of some form with the place of its length.
pub type Out = (*mut u8, *mut CK_ULONG);

impl<'p> Arguments<'p> {
    /// Begins a program.
    pub fn new(program: &'p [u8], sessions: Vec<CK_SESSION_HANDLE>, objects: Vec<CK_OBJECT_HANDLE>) -> Self {
        Self {
            program: Bytes::new(program),
            memory: Memory::default(),
            sessions,
            objects,
            results: Vec::new(),
            latest: 0,
            outputs: Vec::new(),
            handles: Vec::new(),
            opened: None,
        }
    }

    /// A session that was opened, or any number.
    pub fn session(&mut self) -> CK_SESSION_HANDLE {
        match self.program.byte() {
            0xf0.. => self.program.any_number(),
            place => self.sessions[usize::from(place) % self.sessions.len()],
        }
    }

    /// An object that was found or made, or any number.
    pub fn object(&mut self) -> CK_OBJECT_HANDLE {
        match self.program.byte() {
            0xf0.. => self.program.any_number(),
            place => self.objects[usize::from(place) % self.objects.len()],
        }
    }

    /// The content of an input.
    pub fn content(&mut self) -> Vec<u8> {
        match self.program.byte() % 8 {
            0 | 1 => self.program.counted().to_vec(),
            2 => self.program.long().to_vec(),
            3 => {
                let byte = self.program.byte();
                vec![byte; usize::from(self.program.short() % FILLED_BYTES)]
            }
            4 | 5 => {
                let place = usize::from(self.program.byte());
                self.results.get(place % RESULTS).or(self.results.last()).cloned().unwrap_or_default()
            }
            6 => self.program.one(VALUES).to_vec(),
            _ => self.program.one(CURVES).to_vec(),
        }
    }

    /// An input; sometimes a null pointer, with and without a length.
    pub fn input(&mut self) -> In {
        match self.program.byte() {
            0xff => (null_mut(), 0),
            0xfe => (null_mut(), self.program.any_number()),
            form => {
                let content = self.content();
                (self.memory.constant(&content, usize::from(form >> 5)), content.len() as CK_ULONG)
            }
        }
    }

    /// A place for a result; sometimes none, to ask for the size, or a null pointer in place of the length.
    pub fn output(&mut self) -> Out {
        let form = self.program.byte();
        let room = match form % 8 {
            0 => return self.ask(0),
            1 => usize::from(self.program.byte()),
            2 | 3 => usize::from(FILLED_BYTES),
            4 => self.latest,
            5 => self.latest.saturating_sub(1),
            6 => return (self.memory.writable(&[0; 64], 0), null_mut()),
            _ => {
                let length = self.program.any_number();
                return self.ask(length);
            }
        };
        self.room(&[], room.min(1 << 16), form)
    }

    /// An input and a place for a result, which may share memory.
    pub fn stream(&mut self) -> (In, Out) {
        let form = self.program.byte();
        if form < 0xc0 {
            return (self.input(), self.output());
        }
        // In place, or a few bytes apart.
        let content = self.content();
        let apart = usize::from(form & 0x1f);
        let mut block = vec![0; apart];
        block.extend_from_slice(&content);
        let room = content.len() + usize::from(self.program.byte());
        let (first, length) = self.room(&block, room.max(block.len()), form >> 5);
        let input = first.wrapping_add(apart);
        ((input, content.len() as CK_ULONG), (first, length))
    }

    fn ask(&mut self, length: CK_ULONG) -> Out {
        let length = self.memory.of(&length, 0);
        self.outputs.push(Output { data: null_mut(), length, room: 0 });
        (null_mut(), length)
    }

    fn room(&mut self, content: &[u8], room: usize, form: u8) -> Out {
        let mut block = content.to_vec();
        block.resize(room, 0);
        let data = self.memory.writable(&block, usize::from(form >> 5));
        let length = self.memory.of(&(room as CK_ULONG), usize::from(form >> 6));
        self.outputs.push(Output { data, length, room });
        (data, length)
    }

    /// A place for a handle that becomes one of the objects; seldom a null pointer.
    pub fn handle_place(&mut self) -> *mut CK_OBJECT_HANDLE {
        if self.program.byte() == 0xff {
            return null_mut();
        }
        self.known_handle_place()
    }

    /// The same, never null.
    pub fn known_handle_place(&mut self) -> *mut CK_OBJECT_HANDLE {
        let place = self.memory.of::<CK_OBJECT_HANDLE>(&0, 0);
        self.handles.push(place);
        place
    }

    /// A place for the handle of a session that becomes one of the sessions; seldom a null pointer.
    pub fn session_place(&mut self) -> *mut CK_SESSION_HANDLE {
        if self.program.byte() == 0xff {
            return null_mut();
        }
        let place = self.memory.of::<CK_SESSION_HANDLE>(&0, 0);
        self.opened = Some(place);
        place
    }

    /// A place for a handle within a structure of this memory.
    pub fn result_at(&mut self, place: *mut CK_OBJECT_HANDLE) {
        self.handles.push(place);
    }

    /// A place for a value of C; seldom a null pointer.
    pub fn place<T: Copy + Default>(&mut self) -> *mut T {
        match self.program.byte() {
            0xff => null_mut(),
            form => self.memory.of(&T::default(), usize::from(form >> 5)),
        }
    }

    /// A template that makes, changes or searches.
    pub fn template(&mut self) -> (*mut CK_ATTRIBUTE, CK_ULONG) {
        match self.program.byte() {
            0xff => (null_mut(), 0),
            0xfe => (null_mut(), self.program.any_number()),
            count => self.attributes(usize::from(count % 32), DEPTH),
        }
    }

    fn attributes(&mut self, count: usize, depth: usize) -> (*mut CK_ATTRIBUTE, CK_ULONG) {
        let list: Vec<CK_ATTRIBUTE> = (0..count).map(|_| self.attribute(depth)).collect();
        (self.list(&list, true), count as CK_ULONG)
    }

    fn attribute(&mut self, depth: usize) -> CK_ATTRIBUTE {
        let type_ = self.attribute_type();
        let form = self.program.byte();
        let (value, mut length) = match form {
            0 => self.scalar(&[CK_FALSE]),
            1 => self.scalar(&[CK_TRUE]),
            2 => self.scalar_number(CLASSES),
            3 => self.scalar_number(KEY_TYPES),
            4 => {
                let number = self.program.any_number();
                self.scalar(&number.to_ne_bytes())
            }
            5 if depth > 0 => {
                let count = usize::from(self.program.byte() % 8);
                let (list, count) = self.attributes(count, depth - 1);
                (list.cast(), count * size_of::<CK_ATTRIBUTE>() as CK_ULONG)
            }
            6 => self.scalar_number(CHOICES),
            7 => {
                let list = self.mechanisms();
                self.scalar(&list)
            }
            0xff => (null_mut(), 0),
            0xfe => (null_mut(), self.program.any_number()),
            form => {
                let content = self.content();
                (self.memory.constant(&content, usize::from(form >> 5)), content.len() as CK_ULONG)
            }
        };
        let whole = length.is_multiple_of(size_of::<CK_ATTRIBUTE>() as CK_ULONG);
        if TEMPLATES.contains(&type_) && form != 5 && whole && length > 0 && !value.is_null() {
            // As attributes these bytes would hold addresses that are none.
            length -= 1;
        }
        if type_ == CKA_MODULUS_BITS && length == size_of::<CK_ULONG>() as CK_ULONG && !value.is_null() {
            // Larger keys take seconds to make.
            let bits: CK_ULONG = self.memory.value(value.cast());
            let (value, length) = self.scalar(&(if bits > 1024 && bits < 1 << 20 { 1024 } else { bits }).to_ne_bytes());
            return CK_ATTRIBUTE { type_, pValue: value.cast(), ulValueLen: length };
        }
        CK_ATTRIBUTE { type_, pValue: value.cast(), ulValueLen: length }
    }

    /// An attribute's type: one that there is, or any.
    pub fn attribute_type(&mut self) -> CK_ATTRIBUTE_TYPE {
        match self.program.byte() {
            0xff => self.program.number(4),
            0xfe => self.program.any_number(),
            place => ATTRIBUTES[usize::from(place) % ATTRIBUTES.len()],
        }
    }

    fn mechanisms(&mut self) -> Vec<u8> {
        let count = self.program.byte() % 8;
        (0..count).flat_map(|_| self.program.number(4).to_ne_bytes()).collect()
    }

    fn scalar(&mut self, bytes: &[u8]) -> In {
        (self.memory.constant(bytes, 0), bytes.len() as CK_ULONG)
    }

    fn scalar_number(&mut self, of: &[u64]) -> In {
        let number = self.program.one(of);
        self.scalar(&number.to_ne_bytes())
    }

    /// The memory of a list of attributes, which the module reads, or writes into as well.
    fn list(&mut self, list: &[CK_ATTRIBUTE], constant: bool) -> *mut CK_ATTRIBUTE {
        let bytes: Vec<u8> = list.iter().flat_map(attribute_bytes).collect();
        let place = if constant { self.memory.constant(&bytes, 0) } else { self.memory.writable(&bytes, 0) };
        place.cast()
    }

    /// A template for C_GetAttributeValue: types with rooms of all sizes, and templates with rooms of their own.
    pub fn question(&mut self) -> (*mut CK_ATTRIBUTE, CK_ULONG) {
        match self.program.byte() {
            0xff => (null_mut(), 0),
            0xfe => (null_mut(), self.program.any_number()),
            count => self.questions(usize::from(count % 32), DEPTH),
        }
    }

    fn questions(&mut self, count: usize, depth: usize) -> (*mut CK_ATTRIBUTE, CK_ULONG) {
        let list: Vec<CK_ATTRIBUTE> = (0..count)
            .map(|_| {
                let type_ = self.attribute_type();
                let (value, length) = match self.program.byte() {
                    0..0x20 => (null_mut(), 0),
                    0x20..0x28 => (null_mut(), self.program.any_number()),
                    0x28..0x40 if depth > 0 => {
                        let count = usize::from(self.program.byte() % 8);
                        let (list, count) = self.questions(count, depth - 1);
                        (list.cast::<u8>(), count * size_of::<CK_ATTRIBUTE>() as CK_ULONG)
                    }
                    // An array of attributes is written into wherever one is asked for: of zeros its pointers are null.
                    form @ 0x40..0xc0 => (self.memory.writable(&[0; 512], usize::from(form >> 5)), 512),
                    form => {
                        let room = usize::from(self.program.byte());
                        (self.memory.writable(&vec![0; room], usize::from(form >> 5)), room as CK_ULONG)
                    }
                };
                CK_ATTRIBUTE { type_, pValue: value.cast(), ulValueLen: length }
            })
            .collect();
        (self.list(&list, false), count as CK_ULONG)
    }

    /// Ends a call: what it gave is kept for later ones, all memory is looked at and given back.
    pub fn settle(&mut self, what: &str, code: CK_RV, clean: bool) {
        self.memory.check(what);
        for output in core::mem::take(&mut self.outputs) {
            let told = self.memory.value(output.length);
            let told = usize::try_from(told).unwrap_or(usize::MAX);
            if code == CKR_OK && output.data.is_null() || code == CKR_BUFFER_TOO_SMALL {
                assert!(told <= 1 << 20 || output.room == 0, "{what} says that {told} bytes are needed");
                self.latest = told.min(1 << 16);
            } else if code == CKR_OK {
                assert!(told <= output.room, "{what} says {told} bytes, and there was room for {}", output.room);
                let result = (0..told).map(|place| self.memory.value(output.data.wrapping_add(place))).collect();
                self.latest = told;
                if self.results.len() == RESULTS {
                    self.results.remove(0);
                }
                self.results.push(result);
            }
        }
        for place in core::mem::take(&mut self.handles) {
            let handle: CK_OBJECT_HANDLE = self.memory.value(place);
            if code == CKR_OK && handle != CK_INVALID_HANDLE {
                self.objects.push(handle);
            }
        }
        if let Some(place) = self.opened.take().filter(|_| code == CKR_OK) {
            self.sessions.push(self.memory.value(place));
        }
        if clean {
            for written in self.memory.written() {
                for secret in SECRETS {
                    let secret = &secret[..FIND_BYTES];
                    assert!(!contains(written, secret), "{what} gave out a secret of the token");
                }
            }
        }
        self.memory = Memory::default();
    }
}

/// The bytes of an attribute as C has it in memory.
fn attribute_bytes(attribute: &CK_ATTRIBUTE) -> Vec<u8> {
    let value = attribute.pValue.expose_provenance() as u64;
    [attribute.type_, value, attribute.ulValueLen].into_iter().flat_map(u64::to_ne_bytes).collect()
}

/// Whether `bytes` has `sought` in it. Not by `windows` and `==`: libFuzzer listens to comparisons, and would learn the secrets.
pub fn contains(bytes: &[u8], sought: &[u8]) -> bool {
    let same = |window: &[u8]| window.iter().zip(sought).fold(0, |differ, (one, other)| differ | (one ^ other)) == 0;
    bytes.windows(sought.len()).any(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(place: impl FnOnce(&mut Arguments<'_>), code: CK_RV) {
        let mut arguments = Arguments::new(&[], vec![1], vec![1]);
        place(&mut arguments);
        arguments.settle("C_Something", code, true);
    }

    #[test]
    #[should_panic(expected = "gave out a secret")]
    fn a_secret_in_any_written_memory_is_found() {
        let leak = |arguments: &mut Arguments<'_>| {
            let _place = arguments.memory.writable(&SECRET_SCALAR[..20], 0);
        };
        settle(leak, CKR_ATTRIBUTE_SENSITIVE);
    }

    #[test]
    fn fifteen_bytes_of_a_secret_may_be_chance() {
        let little = |arguments: &mut Arguments<'_>| {
            let _place = arguments.memory.writable(&SECRET_SCALAR[..15], 0);
        };
        settle(little, CKR_OK);
    }

    #[test]
    #[should_panic(expected = "says 9 bytes, and there was room for 8")]
    fn a_length_above_the_room_is_found() {
        let fill = |arguments: &mut Arguments<'_>| {
            let (_, length) = arguments.room(&[], 8, 0);
            // SAFETY: the place of a length that was just made.
            unsafe { length.write_unaligned(9) };
        };
        settle(fill, CKR_OK);
    }
}
