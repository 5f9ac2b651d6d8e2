//! The content of an object's record: all its attributes as bytes.
//!
//! Owns: the encoding of version 1, as docs/format.md states it under "Object content". Does not know:
//! what attributes mean; sealing, which is the store's. Decoding takes any bytes without panic and
//! without allocating more than a small multiple of the input, and every attribute map has exactly one encoding.

use super::{Attributes, Value};
use crate::limits::{ATTRIBUTE_BYTES_MAX, TEMPLATE_DEPTH_MAX, TEMPLATE_ENTRIES_MAX};
use crate::reason::{Reason, Result};
use crate::template::{Entry, Given, Template};
use hsm_crypto::SecretBytes;

/// The version that is written.
const VERSION: u8 = 1;
/// Most bytes of one number: ten groups of seven bits.
const LONGEST_NUMBER_BYTES: usize = 10;

const TAG_FALSE: u8 = 0;
const TAG_TRUE: u8 = 1;
const TAG_NUMBER: u8 = 2;
const TAG_BYTES: u8 = 3;
const TAG_MECHANISMS: u8 = 4;
const TAG_TEMPLATE: u8 = 5;

/// Encodes attributes.
pub(super) fn encode(attributes: &Attributes) -> SecretBytes {
    // Room is made once, so that no half-grown copy of a secret is left behind in freed memory.
    let room = attributes.values().map(room_for).sum::<usize>() + 1 + LONGEST_NUMBER_BYTES;
    let mut out = Vec::with_capacity(room);
    out.push(VERSION);
    put_number(&mut out, attributes.len() as u64);
    for (kind, value) in attributes {
        put_number(&mut out, *kind);
        put_value(&mut out, value);
    }
    debug_assert!(out.len() <= room, "the room was counted right");
    SecretBytes::new(out)
}

/// Decodes attributes.
///
/// # Errors
/// `Damaged` with what is wrong.
pub(super) fn decode(content: &[u8]) -> Result<Attributes> {
    let mut input = Input { rest: content };
    match input.byte()? {
        VERSION => {}
        _ => return Err(Reason::Damaged("written by a newer version")),
    }
    let count = input.count()?;
    let mut attributes = Attributes::new();
    for _ in 0..count {
        let kind = input.number()?;
        if attributes.last_key_value().is_some_and(|(last, _)| *last >= kind) {
            return Err(Reason::Damaged("attributes out of order"));
        }
        let value = input.value()?;
        attributes.insert(kind, value);
    }
    if input.rest.is_empty() { Ok(attributes) } else { Err(Reason::Damaged("bytes after the last attribute")) }
}

/// An upper bound of the bytes that an attribute takes.
fn room_for(value: &Value) -> usize {
    let payload = match value {
        Value::Flag(_) => 0,
        Value::Number(_) => LONGEST_NUMBER_BYTES,
        Value::Bytes(bytes) => LONGEST_NUMBER_BYTES + bytes.len(),
        Value::Mechanisms(list) => LONGEST_NUMBER_BYTES * (1 + list.len()),
        Value::Template(template) => room_for_template(template),
    };
    LONGEST_NUMBER_BYTES + 1 + payload
}

fn room_for_template(template: &Template) -> usize {
    let entries = template.entries.iter().map(|entry| {
        LONGEST_NUMBER_BYTES
            + 1
            + match &entry.value {
                Given::Bytes(bytes) => LONGEST_NUMBER_BYTES + bytes.len(),
                Given::Template(template) => room_for_template(template),
            }
    });
    LONGEST_NUMBER_BYTES + entries.sum::<usize>()
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Flag(flag) => out.push(if *flag { TAG_TRUE } else { TAG_FALSE }),
        Value::Number(number) => {
            out.push(TAG_NUMBER);
            put_number(out, *number);
        }
        Value::Bytes(bytes) => put_bytes(out, bytes.expose()),
        Value::Mechanisms(list) => {
            out.push(TAG_MECHANISMS);
            put_number(out, list.len() as u64);
            list.iter().for_each(|mechanism| put_number(out, *mechanism));
        }
        Value::Template(template) => put_template(out, template),
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(TAG_BYTES);
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_template(out: &mut Vec<u8>, template: &Template) {
    out.push(TAG_TEMPLATE);
    put_number(out, template.entries.len() as u64);
    for entry in &template.entries {
        put_number(out, entry.kind);
        match &entry.value {
            Given::Bytes(bytes) => put_bytes(out, bytes.expose()),
            Given::Template(template) => put_template(out, template),
        }
    }
}

/// Writes a number in groups of seven bits, the low ones first; all but the last have the high bit set.
fn put_number(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

/// What is left to decode.
struct Input<'a> {
    rest: &'a [u8],
}

const SHORT: Reason = Reason::Damaged("the record ends too early");

impl<'a> Input<'a> {
    fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.rest.split_first().ok_or(SHORT)?;
        self.rest = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u64> {
        let mut number = 0_u64;
        for group in 0..LONGEST_NUMBER_BYTES {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            let shifted = bits << (7 * group);
            if shifted >> (7 * group) != bits {
                return Err(Reason::Damaged("a number is too large"));
            }
            number |= shifted;
            if byte & 0x80 == 0 {
                // One number has one encoding: a last group of zeros would be another one.
                return if byte == 0 && group > 0 { Err(Reason::Damaged("a number is padded")) } else { Ok(number) };
            }
        }
        Err(Reason::Damaged("a number is too long"))
    }

    /// A number of things that follow, each of which takes a byte at least.
    fn count(&mut self) -> Result<usize> {
        let count = self.number()?;
        match usize::try_from(count) {
            Ok(count) if count > TEMPLATE_ENTRIES_MAX => Err(Reason::Damaged("too many entries")),
            Ok(count) if count <= self.rest.len() => Ok(count),
            // A count that no `usize` holds is more than is left, too.
            Ok(_) | Err(_) => Err(SHORT),
        }
    }

    fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.number()?;
        // A length that no `usize` holds is more than is left, too.
        let length = usize::try_from(length).map_err(|_| SHORT)?;
        if length > ATTRIBUTE_BYTES_MAX {
            return Err(Reason::Damaged("a value is too long"));
        }
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(SHORT)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn value(&mut self) -> Result<Value> {
        match self.byte()? {
            TAG_FALSE => Ok(Value::Flag(false)),
            TAG_TRUE => Ok(Value::Flag(true)),
            TAG_NUMBER => self.number().map(Value::Number),
            TAG_BYTES => self.bytes().map(|bytes| Value::Bytes(SecretBytes::copy_of(bytes))),
            TAG_MECHANISMS => {
                let count = self.count()?;
                (0..count).map(|_| self.number()).collect::<Result<Vec<u64>>>().map(Value::Mechanisms)
            }
            TAG_TEMPLATE => {
                let mut budget = TEMPLATE_ENTRIES_MAX;
                self.template(1, &mut budget).map(Value::Template)
            }
            _ => Err(Reason::Damaged("a value of unknown kind")),
        }
    }

    fn template(&mut self, depth: usize, budget: &mut usize) -> Result<Template> {
        if depth > TEMPLATE_DEPTH_MAX {
            return Err(Reason::Damaged("templates within templates too deep"));
        }
        let count = self.count()?;
        *budget = budget.checked_sub(count).ok_or(Reason::Damaged("too many entries"))?;
        let mut template = Template::default();
        for _ in 0..count {
            let kind = self.number()?;
            let value = match self.byte()? {
                TAG_BYTES => Given::Bytes(SecretBytes::copy_of(self.bytes()?)),
                TAG_TEMPLATE => Given::Template(self.template(depth + 1, budget)?),
                _ => return Err(Reason::Damaged("a value of unknown kind in a template")),
            };
            template.entries.push(Entry { kind, value });
        }
        Ok(template)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ffi_headers::*;

    fn bytes(value: &[u8]) -> Value {
        Value::Bytes(SecretBytes::copy_of(value))
    }

    /// An object with a value of every kind.
    fn sample() -> Attributes {
        let inner = Template::default().with_flag(CKA_EXTRACTABLE, false);
        let mut outer = Template::default().with(CKA_LABEL, b"in");
        outer.entries.push(Entry { kind: CKA_UNWRAP_TEMPLATE, value: Given::Template(inner) });
        Attributes::from([
            (CKA_CLASS, Value::Number(CKO_SECRET_KEY)),
            (CKA_TOKEN, Value::Flag(true)),
            (CKA_PRIVATE, Value::Flag(false)),
            (CKA_LABEL, bytes(b"key")),
            (CKA_VALUE_LEN, Value::Number(300)),
            (CKA_KEY_GEN_MECHANISM, Value::Number(u64::MAX)),
            (CKA_UNWRAP_TEMPLATE, Value::Template(outer)),
            (CKA_ALLOWED_MECHANISMS, Value::Mechanisms(vec![CKM_RSA_PKCS, CKM_AES_GCM])),
        ])
    }

    /// The bytes that docs/format.md shows for `sample`.
    const DOCUMENTED: &str = "
        01 08
        00 02 04
        01 01
        02 00
        03 03 03 6b 65 79
        e1 02 02 ac 02
        e6 02 02 ff ff ff ff ff ff ff ff ff 01
        92 84 80 80 04 05 02
            03 03 02 69 6e
            92 84 80 80 04 05 01
                e2 02 03 01 00
        80 8c 80 80 04 04 02 01 87 21";

    fn documented() -> Vec<u8> {
        DOCUMENTED.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
    }

    #[test]
    fn the_documented_bytes_are_written_and_read() {
        assert_eq!(encode(&sample()).expose(), documented());
        assert_eq!(decode(&documented()).unwrap(), sample());
        let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/format.md"));
        for line in DOCUMENTED.lines().map(str::trim).filter(|line| !line.is_empty()) {
            assert!(page.contains(line), "docs/format.md lacks {line}");
        }
    }

    #[test]
    fn an_object_without_attributes_is_two_bytes() {
        assert_eq!(encode(&Attributes::new()).expose(), [1, 0]);
        assert_eq!(decode(&[1, 0]).unwrap(), Attributes::new());
    }

    #[test]
    fn numbers_of_every_size_come_back() {
        for shift in 0..64 {
            for number in [1_u64 << shift, (1_u64 << shift) - 1, u64::MAX >> shift] {
                let attributes = Attributes::from([(number, Value::Number(number))]);
                assert_eq!(decode(encode(&attributes).expose()).unwrap(), attributes);
            }
        }
    }

    #[test]
    fn what_is_not_the_one_encoding_is_damaged() {
        let cases: &[(&str, &[u8])] = &[
            ("nothing", &[]),
            ("newer version", &[2, 0]),
            ("no count", &[1]),
            ("count above the rest", &[1, 5, 0, 0]),
            ("count without bound", &[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
            ("unknown tag", &[1, 1, 0, 6]),
            ("padded number", &[1, 1, 0x80, 0x00, 0]),
            ("number above 64 bits", &[1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0]),
            ("endless number", &[1, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]),
            ("same attribute twice", &[1, 2, 1, 0, 1, 0]),
            ("out of order", &[1, 2, 2, 0, 1, 0]),
            ("length above the rest", &[1, 1, 3, 3, 9, 0]),
            ("length without bound", &[1, 1, 3, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
            ("trailing byte", &[1, 0, 0]),
            ("flag in a template", &[1, 1, 3, 5, 1, 1, 0]),
        ];
        for (name, content) in cases {
            assert!(matches!(decode(content), Err(Reason::Damaged(_))), "{name}");
        }
    }

    #[test]
    fn templates_too_deep_are_damaged() {
        let nested = |depth: usize| [&[1, 1, 3][..], &[5, 1, 3].repeat(depth), &[5, 0]].concat();
        assert!(decode(&nested(TEMPLATE_DEPTH_MAX - 1)).is_ok());
        assert!(matches!(decode(&nested(TEMPLATE_DEPTH_MAX)), Err(Reason::Damaged(_))));
        assert!(matches!(decode(&nested(100_000)), Err(Reason::Damaged(_))));
    }

    /// Whatever decodes encodes to the same bytes: there is one encoding of each object.
    fn check_any(content: &[u8]) {
        if let Ok(attributes) = decode(content) {
            assert_eq!(encode(&attributes).expose(), content);
        }
    }

    #[test]
    fn any_bytes_decode_to_an_answer_and_to_one_encoding() {
        for _ in 0..20_000 {
            let mut noise = [0; 48];
            getrandom::fill(&mut noise).unwrap();
            let length = usize::from(noise[0]) % noise.len();
            // Small values reach further into the decoder than noise does.
            for byte in &mut noise[2..length.max(2)] {
                *byte = if *byte & 0x40 == 0 { *byte & 7 } else { *byte };
            }
            check_any(&[&[1], &noise[2..length.max(2)]].concat());
        }
    }

    #[test]
    fn every_cut_and_every_changed_byte_of_a_record_is_an_answer() {
        let content = documented();
        for length in 0..content.len() {
            assert!(decode(&content[..length]).is_err(), "cut at {length}");
        }
        for place in 0..content.len() {
            for value in 0..=255 {
                let mut changed = content.clone();
                changed[place] = value;
                check_any(&changed);
            }
        }
    }

    #[test]
    fn the_room_for_secrets_is_made_once() {
        let content = encode(&sample());
        let counted: usize = sample().values().map(room_for).sum::<usize>() + 1 + LONGEST_NUMBER_BYTES;
        assert!(content.len() <= counted);
    }
}
