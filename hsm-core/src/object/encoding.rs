//! The content of an object's record: all its attributes as bytes.
//!
//! Owns: the encoding of version 1, as docs/format.md states it under "Object content". Does not know:
//! what attributes mean; sealing, which is the store's. Called from `packed`. Reading takes any bytes without panic and
//! without allocating more than a small multiple of the input, and every attribute map has exactly one encoding.
//! What [`places`] has let pass is read by [`attribute_at`] without a copy.

use super::{Attributes, Value, ValueRef};
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

/// Encodes attributes; says also where each begins. What `room` makes is empty, and has as much room as it was asked for.
pub(super) fn encode<E>(
    attributes: &Attributes,
    room: impl FnOnce(usize) -> core::result::Result<Vec<u8>, E>,
) -> core::result::Result<(SecretBytes, Vec<u32>), E> {
    // Room is made once, so that no half-grown copy of a secret is left behind in freed memory.
    let bytes = room_for(attributes);
    let (mut out, mut places) = (room(bytes)?, Vec::with_capacity(attributes.len()));
    out.push(VERSION);
    put_number(&mut out, attributes.len() as u64);
    for (kind, value) in attributes {
        places.push(place_of(out.len()));
        put_number(&mut out, *kind);
        put_value(&mut out, value);
    }
    debug_assert_eq!(out.len(), bytes, "the room was counted right");
    Ok((SecretBytes::new(out), places))
}

/// Checks the whole content of a record, and says where each attribute begins.
///
/// # Errors
/// `Damaged` with what is wrong.
pub(super) fn places(content: &[u8]) -> Result<Vec<u32>> {
    let mut input = Input { rest: content, value_bytes_max: ATTRIBUTE_BYTES_MAX, entries_max: TEMPLATE_ENTRIES_MAX };
    match input.byte()? {
        VERSION => {}
        _ => return Err(Reason::Damaged("written by a newer version")),
    }
    let count = input.count()?;
    let mut places = Vec::with_capacity(count);
    let mut last = None;
    for _ in 0..count {
        places.push(place_of(content.len() - input.rest.len()));
        let kind = input.number()?;
        if last.is_some_and(|last| last >= kind) {
            return Err(Reason::Damaged("attributes out of order"));
        }
        last = Some(kind);
        input.value()?;
    }
    if input.rest.is_empty() { Ok(places) } else { Err(Reason::Damaged("bytes after the last attribute")) }
}

/// The type of the attribute that begins at a place.
pub(super) fn kind_at(content: &[u8], place: u32) -> Option<u64> {
    Input::at(content, place)?.number().ok()
}

/// The attribute that begins at a place.
pub(super) fn attribute_at(content: &[u8], place: u32) -> Option<(u64, ValueRef<'_>)> {
    let mut input = Input::at(content, place)?;
    Some((input.number().ok()?, input.value().ok()?))
}

/// A position in the content. No record is longer than the store's maximum of 8 MiB, nor any object in memory: its attributes
/// are those of one table, each with its maximum. A longer one would not be found again, which harms nobody.
fn place_of(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// The bytes that the attributes take.
fn room_for(attributes: &Attributes) -> usize {
    let each = attributes.iter().map(|(kind, value)| number_bytes(*kind) + 1 + room_for_value(value));
    1 + number_bytes(attributes.len() as u64) + each.sum::<usize>()
}

/// The bytes that a value takes after its tag.
fn room_for_value(value: &Value) -> usize {
    match value {
        Value::Flag(_) => 0,
        Value::Number(number) => number_bytes(*number),
        Value::Bytes(bytes) => room_for_bytes(bytes),
        Value::Mechanisms(list) => {
            number_bytes(list.len() as u64) + list.iter().copied().map(number_bytes).sum::<usize>()
        }
        Value::Template(template) => room_for_template(template),
    }
}

fn room_for_bytes(bytes: &SecretBytes) -> usize {
    number_bytes(bytes.len() as u64) + bytes.len()
}

fn room_for_template(template: &Template) -> usize {
    let entries = template.entries.iter().map(|entry| {
        let value = match &entry.value {
            Given::Bytes(bytes) => room_for_bytes(bytes),
            Given::Template(template) => room_for_template(template),
        };
        number_bytes(entry.kind) + 1 + value
    });
    number_bytes(template.entries.len() as u64) + entries.sum::<usize>()
}

/// The bytes that `put_number` writes.
const fn number_bytes(number: u64) -> usize {
    // One more bit than none for zero, which takes a byte as well; at most 64 of them.
    let bits = u64::BITS - (number | 1).leading_zeros();
    bits.div_ceil(7) as usize
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
    /// Longest value. A record from the store is held to the format's limit; what an object in memory holds was judged when
    /// it was made, and is found whatever its length.
    value_bytes_max: usize,
    /// Most entries of a list or template, as above.
    entries_max: usize,
}

const SHORT: Reason = Reason::Damaged("the record ends too early");

impl<'a> Input<'a> {
    fn at(content: &'a [u8], place: u32) -> Option<Self> {
        let rest = content.get(usize::try_from(place).ok()?..)?;
        Some(Self { rest, value_bytes_max: usize::MAX, entries_max: usize::MAX })
    }

    fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.rest.split_first().ok_or(SHORT)?;
        self.rest = rest;
        Ok(*first)
    }

    #[inline]
    fn number(&mut self) -> Result<u64> {
        // Nearly all counts and lengths take one byte, nearly all types one or two.
        match self.rest {
            [byte @ 0..0x80, rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            [low, high @ 1..0x80, rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(*low & 0x7f) | u64::from(*high) << 7)
            }
            _ => self.long_number(),
        }
    }

    fn long_number(&mut self) -> Result<u64> {
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
            Ok(count) if count > self.entries_max => Err(Reason::Damaged("too many entries")),
            Ok(count) if count <= self.rest.len() => Ok(count),
            // A count that no `usize` holds is more than is left, too.
            Ok(_) | Err(_) => Err(SHORT),
        }
    }

    fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.number()?;
        // A length that no `usize` holds is more than is left, too.
        let length = usize::try_from(length).map_err(|_| SHORT)?;
        if length > self.value_bytes_max {
            return Err(Reason::Damaged("a value is too long"));
        }
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(SHORT)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn value(&mut self) -> Result<ValueRef<'a>> {
        match self.byte()? {
            TAG_FALSE => Ok(ValueRef::Flag(false)),
            TAG_TRUE => Ok(ValueRef::Flag(true)),
            TAG_NUMBER => self.number().map(ValueRef::Number),
            TAG_BYTES => self.bytes().map(ValueRef::Bytes),
            TAG_MECHANISMS => {
                let count = self.count()?;
                (0..count).map(|_| self.number()).collect::<Result<Vec<u64>>>().map(ValueRef::Mechanisms)
            }
            TAG_TEMPLATE => {
                let mut budget = self.entries_max;
                self.template(1, &mut budget).map(ValueRef::Template)
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

    fn encode(attributes: &Attributes) -> SecretBytes {
        let (content, written) = super::encode(attributes, hsm_crypto::memory::with_room).unwrap();
        assert_eq!(places(content.expose()).unwrap(), written, "the places are the same when the content is read");
        content
    }

    fn decode(content: &[u8]) -> Result<Attributes> {
        let decoded = |place: &u32| attribute_at(content, *place).map(|(kind, value)| (kind, value.into_owned()));
        Ok(places(content)?.iter().map(|place| decoded(place).unwrap()).collect())
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
            (CKA_UNWRAP_TEMPLATE, Value::Template(outer.into())),
            (CKA_ALLOWED_MECHANISMS, Value::Mechanisms(Box::new([CKM_RSA_PKCS, CKM_AES_GCM]))),
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
    fn the_room_for_secrets_is_made_once_and_none_is_left_over() {
        let numbers = (0..64).flat_map(|shift| [1_u64 << shift, (1 << shift) - 1, u64::MAX >> shift]);
        let numbers: Attributes = numbers.map(|number| (number, Value::Number(number))).collect();
        for attributes in [sample(), numbers, Attributes::new(), Attributes::from([(1, bytes(&[0; 200]))])] {
            let content = super::encode(&attributes, hsm_crypto::memory::with_room)
                .unwrap()
                .0
                .into_public("this is a test")
                .unwrap();
            assert_eq!(content.len(), room_for(&attributes));
            assert_eq!(content.len(), content.capacity());
        }
    }
}
