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
const NUMBER_BYTES_MAX: usize = 10;

const TAG_FALSE: u8 = 0;
const TAG_TRUE: u8 = 1;
const TAG_NUMBER: u8 = 2;
const TAG_BYTES: u8 = 3;
const TAG_MECHANISMS: u8 = 4;
const TAG_TEMPLATE: u8 = 5;

/// Encodes attributes.
pub(super) fn encode(attributes: &Attributes) -> SecretBytes {
    // Room is made once, so that no half-grown copy of a secret is left behind in freed memory.
    let room = attributes.values().map(room_for).sum::<usize>() + 1 + NUMBER_BYTES_MAX;
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
        Value::Number(_) => NUMBER_BYTES_MAX,
        Value::Bytes(bytes) => NUMBER_BYTES_MAX + bytes.len(),
        Value::Mechanisms(list) => NUMBER_BYTES_MAX * (1 + list.len()),
        Value::Template(template) => room_for_template(template),
    };
    NUMBER_BYTES_MAX + 1 + payload
}

fn room_for_template(template: &Template) -> usize {
    let entries = template.entries.iter().map(|entry| {
        NUMBER_BYTES_MAX
            + 1
            + match &entry.value {
                Given::Bytes(bytes) => NUMBER_BYTES_MAX + bytes.len(),
                Given::Template(template) => room_for_template(template),
            }
    });
    NUMBER_BYTES_MAX + entries.sum::<usize>()
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
        for group in 0..NUMBER_BYTES_MAX {
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
