//! Mechanisms with parameters of the right and of the wrong shape.
//!
//! Owns: the layout of each parameter structure as a list of fields; which fields are kept small, because they are a time.
//! Does not know: which values make sense. A shape without a layout here gets fields that the program chooses.
//! Rule source: PKCS#11 v3.1 and v3.2, 6; `ffi-headers/include/pkcs11.h`.

use super::arguments::Arguments;
use super::functions::TRACE;
use super::stock::CHOICES;
use ffi_headers::*;
use hsm_core::mechanisms;
use hsm_core::{DeriveShape, MessageShape, ParamShape};
use std::ptr::null_mut;

/// One field of a structure, or two that belong together.
#[derive(Clone, Copy)]
enum Field {
    /// A `CK_ULONG`, `CKM_*` or the like.
    Number,
    /// A number of rounds: a program shall not take a minute.
    Rounds,
    /// A handle of an object.
    Object,
    /// A `CK_BBOOL` with this many bytes of padding behind it.
    Flag(usize),
    /// So many bytes in the structure itself.
    Raw(usize),
    /// A pointer and its length.
    Bytes,
    /// A length and its pointer.
    Counted,
    /// A pointer and its length in bits.
    Bits,
    /// A pointer to so many bytes that may be written; null as well.
    Place(usize),
    /// A pointer to a place for a result, and one to its length.
    Output,
    /// A pointer to a place for a handle.
    Handle,
    /// A place for a handle in the structure itself.
    Written,
    /// A pointer and its length, or the place of its length, as `CK_PKCS5_PBKD2_PARAMS` of 2.40 has it. A length above all
    /// passwords is an address to the module, so it is one here, too.
    Password,
    /// A template and its count.
    Template,
    /// A pointer to a structure.
    Structure(&'static [Field]),
    /// A count and a pointer to so many structures.
    Structures(&'static [Field]),
    /// A pointer to numbers and their count.
    Numbers,
}
use Field::*;

const OAEP: &[Field] = &[Number, Number, Number, Bytes];
const RANDOM: [Field; 2] = [Bytes, Bytes];
const KEYS_OUT: &[Field] = &[Written, Written, Written, Written, Place(16), Place(16)];
const PRF_FIELD: &[Field] = &[Number, PrfValue];
const DERIVED: &[Field] = &[Template, Handle];
/// The value of a field of a pseudorandom function is a structure of 16 or 24 bytes, a handle, or bytes.
#[allow(non_upper_case_globals, reason = "stands among the variants")]
const PrfValue: Field = Bytes;

/// The fields of a mechanism's parameter.
fn layout(shape: ParamShape) -> Option<&'static [Field]> {
    Some(match shape {
        ParamShape::None => &[],
        ParamShape::Iv16 => &[Raw(16)],
        ParamShape::Iv8 | ParamShape::OptionalIv(8) => &[Raw(8)],
        ParamShape::OptionalIv(4) => &[Raw(4)],
        ParamShape::Ctr => &[Number, Raw(16)],
        ParamShape::Gcm | ParamShape::Gmac => &[Bytes, Number, Bytes, Number],
        ParamShape::Pss | ParamShape::TlsMac => &[Number, Number, Number],
        ParamShape::Oaep => OAEP,
        ParamShape::Ecdh1 => &[Number, Counted, Counted],
        ParamShape::MacLength => &[Number],
        ParamShape::OptionalKmac => &[Number, Bytes],
        ParamShape::OptionalEddsa => &[Flag(7), Counted],
        ParamShape::Ccm => &[Number, Bytes, Bytes, Number],
        ParamShape::ChaCha20 => &[Bits, Bits],
        ParamShape::Salsa20 => &[Place(8), Bits],
        ParamShape::ChaCha20Poly1305 => &[Bytes, Bytes],
        ParamShape::RsaAesWrap => &[Number, Structure(OAEP)],
        ParamShape::EcdhAesWrap => &[Number, Number, Counted],
        ParamShape::OptionalSignContext => &[Number, Bytes],
        ParamShape::HashSignContext => &[Number, Bytes, Number],
        ParamShape::Derive(shape) => return derivation(shape),
        _ => return None,
    })
}

fn derivation(shape: DeriveShape) -> Option<&'static [Field]> {
    Some(match shape {
        DeriveShape::Key => &[Object],
        DeriveShape::Data => &[Bytes],
        DeriveShape::BitOffset => &[Number],
        DeriveShape::Hkdf => &[Flag(0), Flag(6), Number, Number, Bytes, Object, Bytes],
        DeriveShape::PrfKdf => &[Number, Structures(PRF_FIELD), Structures(DERIVED)],
        DeriveShape::FeedbackKdf => &[Number, Structures(PRF_FIELD), Counted, Structures(DERIVED)],
        DeriveShape::CbcData => &[Raw(16), Bytes],
        DeriveShape::Password => &[Number, Bytes, Rounds, Number, Bytes, Password],
        DeriveShape::TlsMaster => &[RANDOM[0], RANDOM[1], Place(2), Number],
        DeriveShape::TlsExtendedMaster => &[Number, Bytes, Place(2)],
        DeriveShape::TlsKeys | DeriveShape::TlsSafeKeys => {
            &[Number, Number, Number, Flag(7), RANDOM[0], RANDOM[1], Structure(KEYS_OUT), Number]
        }
        DeriveShape::TlsKdf => &[Number, Bytes, RANDOM[0], RANDOM[1], Bytes],
        DeriveShape::TreeMaster => &[Template, Template, Written, Written],
        DeriveShape::TreeChild => &[Template, Template, Numbers, Written, Written, Number],
        DeriveShape::Ike => &[Number, Flag(0), Flag(6), Bytes, Bytes, Object],
        DeriveShape::Ike1 => &[Number, Flag(7), Object, Object, Bytes, Bytes, Flag(7)],
        DeriveShape::Ike1Extended | DeriveShape::Ike2Plus => &[Number, Flag(7), Object, Bytes],
        DeriveShape::TlsPrf => &[Bytes, Bytes, Output],
        DeriveShape::LunaKdf => &[Number, Bytes, Bytes, Number, Number],
        #[allow(unreachable_patterns, reason = "a new shape has no layout here until somebody writes one")]
        _ => return None,
    })
}

fn message(shape: MessageShape) -> &'static [Field] {
    match shape {
        MessageShape::Gcm => &[Bytes, Number, Number, Place(16), Number],
        MessageShape::Ccm => &[Number, Bytes, Number, Number, Place(16), Number],
        MessageShape::Poly1305 => &[Bytes, Place(16)],
    }
}

impl Arguments<'_> {
    /// A mechanism; seldom a null pointer.
    pub fn mechanism(&mut self) -> *mut CK_MECHANISM {
        if self.program.byte() == 0xff {
            return null_mut();
        }
        let kind = self.mechanism_type();
        self.mechanism_of(kind)
    }

    /// A mechanism for a function that takes the parameter of a message with it.
    pub fn message_mechanism(&mut self) -> *mut CK_MECHANISM {
        if self.program.byte() == 0xff {
            return null_mut();
        }
        let kind = self.mechanism_type();
        let messages = mechanisms::find(kind).and_then(|row| row.messages);
        self.with_parameter(kind, messages.map(|messages| message(messages.shape)))
    }

    /// `CKM_*`: one that the token has, or any; not those whose keys take seconds.
    pub fn mechanism_type(&mut self) -> CK_MECHANISM_TYPE {
        match self.any_mechanism_type() {
            CKM_SLH_DSA_KEY_PAIR_GEN | CKM_HSS_KEY_PAIR_GEN | CKM_XMSS_KEY_PAIR_GEN | CKM_XMSSMT_KEY_PAIR_GEN => {
                CKM_ML_DSA_KEY_PAIR_GEN
            }
            other => other,
        }
    }

    fn any_mechanism_type(&mut self) -> CK_MECHANISM_TYPE {
        match self.program.byte() {
            0..0x80 => self.program.number(4),
            0x80..0xf0 => {
                let place = usize::from(self.program.short());
                mechanisms::all().nth(place % mechanisms::all().count()).map_or(0, |row| row.kind)
            }
            _ => self.program.any_number(),
        }
    }

    /// The mechanism with a parameter, mostly of its shape.
    pub fn mechanism_of(&mut self, kind: CK_MECHANISM_TYPE) -> *mut CK_MECHANISM {
        self.with_parameter(kind, mechanisms::find(kind).and_then(|row| layout(row.shape)))
    }

    fn with_parameter(&mut self, kind: CK_MECHANISM_TYPE, fields: Option<&'static [Field]>) -> *mut CK_MECHANISM {
        let form = self.program.byte();
        let (parameter, length) = match (form, fields) {
            // No parameter: right for many mechanisms.
            (0..0x20, _) => (null_mut(), 0),
            (0x20..0xf0, Some(fields)) => self.structure(fields),
            // Bytes cannot hold pointers: what they say of addresses would not be true. Two words, the shortest structure with a
            // pointer, are more than this.
            (0x20..0xfe, _) => {
                let content = self.program.counted();
                let content = content[..content.len().min(2 * size_of::<CK_ULONG>() - 1)].to_vec();
                (self.memory.writable(&content, usize::from(form)), content.len() as CK_ULONG)
            }
            _ => (null_mut(), self.program.any_number()),
        };
        if *TRACE {
            let name = mechanisms::find(kind).map_or("no mechanism", |row| row.name);
            eprint!(" {name} with a parameter of {length} bytes");
        }
        let mechanism = CK_MECHANISM { mechanism: kind, pParameter: parameter.cast(), ulParameterLen: length };
        self.memory.of(&mechanism, usize::from(form & 1))
    }

    /// The parameter of a message, for a mechanism that the session may be in the middle of or not.
    pub fn message_parameter(&mut self) -> (*mut u8, CK_ULONG) {
        match self.program.byte() {
            0..0x60 => self.structure(message(MessageShape::Gcm)),
            0x60..0x90 => self.structure(message(MessageShape::Ccm)),
            0x90..0xc0 => self.structure(message(MessageShape::Poly1305)),
            0xc0..0xf0 => (null_mut(), 0),
            _ => (null_mut(), self.program.any_number()),
        }
    }

    fn structure(&mut self, fields: &[Field]) -> (*mut u8, CK_ULONG) {
        let (bytes, handles) = self.fields(fields);
        if bytes.is_empty() {
            return (null_mut(), 0);
        }
        let place = self.memory.writable(&bytes, 0);
        for offset in handles {
            self.result_at(place.wrapping_add(offset).cast());
        }
        (place, bytes.len() as CK_ULONG)
    }

    /// The bytes of a structure, and where in them places for handles are.
    fn fields(&mut self, fields: &[Field]) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut handles) = (Vec::new(), Vec::new());
        for field in fields {
            match *field {
                Number => push(&mut bytes, self.parameter_number()),
                Rounds => push(&mut bytes, u64::from(self.program.byte())),
                Object => push(&mut bytes, self.object()),
                Flag(padding) => {
                    bytes.push(self.program.byte() % 3);
                    bytes.extend(vec![0; padding]);
                }
                Raw(count) => {
                    let mut content = self.program.take(count).to_vec();
                    content.resize(count, 0);
                    bytes.extend(content);
                }
                Bytes | Counted | Bits => {
                    let (data, length) = self.input_for_parameter();
                    let data = data.expose_provenance() as u64;
                    let length = if matches!(field, Bits) { length.wrapping_mul(8) } else { length };
                    let pair = if matches!(field, Counted) { [length, data] } else { [data, length] };
                    pair.into_iter().for_each(|word| push(&mut bytes, word));
                }
                Password => {
                    let content = self.program.counted().to_vec();
                    let data = self.memory.constant(&content, 0);
                    push(&mut bytes, data.expose_provenance() as u64);
                    let length = content.len() as CK_ULONG;
                    match self.program.byte() {
                        0..0x80 => push(&mut bytes, length),
                        _ => push(&mut bytes, self.memory.of(&length, 0).expose_provenance() as u64),
                    }
                }
                Place(count) => {
                    let place = match self.program.byte() {
                        0xf0.. => null_mut(),
                        fill => self.memory.writable(&vec![fill; count], 0),
                    };
                    push(&mut bytes, place.expose_provenance() as u64);
                }
                Output => {
                    let (data, length) = self.output();
                    push(&mut bytes, data.expose_provenance() as u64);
                    push(&mut bytes, length.expose_provenance() as u64);
                }
                Handle => push(&mut bytes, self.handle_place().expose_provenance() as u64),
                Written => {
                    handles.push(bytes.len());
                    push(&mut bytes, 0);
                }
                Template => {
                    let (list, count) = self.template();
                    push(&mut bytes, list.expose_provenance() as u64);
                    push(&mut bytes, count);
                }
                Structure(fields) => {
                    let place = if self.program.byte() == 0xff { null_mut() } else { self.structure(fields).0 };
                    push(&mut bytes, place.expose_provenance() as u64);
                }
                Structures(fields) => {
                    let count = self.program.byte() % 6;
                    let all: Vec<u8> = (0..count).flat_map(|_| self.fields(fields).0).collect();
                    let place = self.memory.writable(&all, 0);
                    push(&mut bytes, u64::from(count));
                    push(&mut bytes, place.expose_provenance() as u64);
                }
                Numbers => {
                    let count = self.program.byte() % 8;
                    let all: Vec<u8> = (0..count).flat_map(|_| self.program.any_number().to_ne_bytes()).collect();
                    push(&mut bytes, self.memory.constant(&all, 0).expose_provenance() as u64);
                    push(&mut bytes, u64::from(count));
                }
            }
        }
        (bytes, handles)
    }

    fn parameter_number(&mut self) -> u64 {
        match self.program.byte() {
            0..0x80 => self.program.one(CHOICES),
            _ => self.program.any_number(),
        }
    }

    /// Bytes that a parameter points to, or a structure of the parts of which a pseudorandom function's input is made.
    fn input_for_parameter(&mut self) -> (*mut u8, CK_ULONG) {
        match self.program.byte() {
            0xff => (null_mut(), 0),
            0xfe => (null_mut(), self.program.any_number()),
            0xe0..0xf0 => self.structure(&[Flag(7), Number]),
            0xf0..0xf8 => self.structure(&[Number, Flag(7), Number]),
            0xf8..0xfe => self.structure(&[Object]),
            form => {
                let content = self.content();
                // Of a message's IV and of a template's neighbours the module may write some.
                (self.memory.writable(&content, usize::from(form >> 5)), content.len() as CK_ULONG)
            }
        }
    }
}

fn push(bytes: &mut Vec<u8>, word: u64) {
    bytes.extend(word.to_ne_bytes());
}
