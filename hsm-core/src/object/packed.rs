//! The attributes of one object in the bytes of its record, with a table of where each begins.
//!
//! Owns: the two allocations that an object in memory consists of, and finding an attribute in them.
//! Does not know: what attributes mean; the encoding itself, which is `encoding`'s. Called from `object` alone.
//!
//! A token may hold a hundred thousand objects. As a map of separately allocated values each would take several
//! KiB; like this it takes the record and four bytes an attribute, and opening a record allocates next to nothing.

use super::encoding;
use super::{Attributes, ValueRef};
use crate::reason::Result;
use core::convert::Infallible;
use hsm_crypto::{SecretBytes, memory};

/// Attributes, encoded and found by type.
pub(super) struct Packed {
    /// The record's content (docs/format.md); wiped when dropped.
    content: SecretBytes,
    /// Where in `content` each attribute begins, in the order of their types.
    places: Box<[u32]>,
}

impl Packed {
    /// Encodes attributes that are the library's own, and few.
    pub(super) fn of(attributes: &Attributes) -> Self {
        let Ok((content, places)) =
            encoding::encode(attributes, |bytes| Ok::<_, Infallible>(Vec::with_capacity(bytes)));
        Self { content, places: places.into_boxed_slice() }
    }

    /// Encodes attributes that are a caller's, of any size.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub(super) fn try_of(attributes: &Attributes) -> hsm_crypto::Result<Self> {
        let (content, places) = encoding::encode(attributes, memory::with_room)?;
        Ok(Self { content, places: places.into_boxed_slice() })
    }

    /// Takes over the content of a record; nothing is copied.
    ///
    /// # Errors
    /// `Damaged` with what is wrong.
    pub(super) fn parse(content: SecretBytes) -> Result<Self> {
        let places = encoding::places(content.expose())?.into_boxed_slice();
        Ok(Self { content, places })
    }

    /// The content of the record.
    pub(super) fn content(&self) -> &SecretBytes {
        &self.content
    }

    /// The value of an attribute.
    pub(super) fn get(&self, kind: u64) -> Option<ValueRef<'_>> {
        let content = self.content.expose();
        let begin = self.places.partition_point(|place| encoding::kind_at(content, *place).is_some_and(|at| at < kind));
        let (found, value) = encoding::attribute_at(content, *self.places.get(begin)?)?;
        (found == kind).then_some(value)
    }

    /// All attributes in the order of their types.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, ValueRef<'_>)> {
        // Every place was made where an attribute was written or read: none is left out here.
        self.places.iter().filter_map(|place| encoding::attribute_at(self.content.expose(), *place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Value;

    /// Types of one, two, five and ten bytes, as close together as they can be.
    fn sample() -> Attributes {
        let kinds = [0, 1, 3, 0x7f, 0x80, 0x102, 0x3fff, 0x4000, 0x8000_0000, 0x8000_0002, u64::MAX];
        kinds.iter().map(|kind| (*kind, Value::Number(*kind))).collect()
    }

    #[test]
    fn every_attribute_is_found_by_its_type_and_no_other_type_is() {
        let (attributes, packed) = (sample(), Packed::of(&sample()));
        for (kind, _) in &attributes {
            assert!(matches!(packed.get(*kind), Some(ValueRef::Number(number)) if number == *kind), "{kind:#x}");
            for other in [kind.wrapping_sub(1), kind.wrapping_add(1)] {
                assert_eq!(packed.get(other).is_some(), attributes.contains(other), "{other:#x}");
            }
        }
        assert!(Packed::of(&Attributes::new()).get(0).is_none());
    }

    /// Nothing that was judged may get lost on the way into the packed form.
    #[test]
    fn what_is_longer_than_a_record_may_be_is_found_in_memory_and_refused_as_a_record() {
        let bytes = Value::Bytes(SecretBytes::zeroed(crate::limits::ATTRIBUTE_BYTES_MAX + 1));
        let list = Value::Mechanisms(vec![1; crate::limits::TEMPLATE_ENTRIES_MAX + 1].into());
        for value in [bytes, list] {
            let packed = Packed::of(&Attributes::from([(7, value.clone())]));
            assert_eq!(packed.get(7).unwrap().into_owned(), value);
            assert!(Packed::parse(packed.content().clone()).is_err());
        }
    }

    #[test]
    fn a_record_that_is_read_gives_the_attributes_that_were_written() {
        let written = Packed::of(&sample());
        let read = Packed::parse(written.content().clone()).unwrap();
        assert_eq!(read.places, written.places);
        let attributes: Attributes = read.iter().map(|(kind, value)| (kind, value.into_owned())).collect();
        assert_eq!(attributes, sample());
    }
}
