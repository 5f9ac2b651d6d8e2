//! One object file of SoftHSM2, taken apart.
//!
//! Owns: the file's encoding and its caps. Does not know: what an attribute means, which values are encrypted.
//! Any bytes are taken: what is not an object file is told with the place where it stops being one.
//!
//! All numbers are 64 bits, big-endian. The file begins with a generation number; then come attributes, each a
//! `CKA_*`, a kind, and a value: 1 a flag (one byte, 0 is false), 2 a number, 3 bytes (length, bytes), 4 a map of
//! attributes (length of it in bytes, then attributes of the kinds 1, 2, 3 and 5), 5 mechanisms (count, numbers).

use hsm_crypto::SecretBytes;
use std::collections::BTreeSet;
use thiserror::Error;

/// Largest object file, bytes; far above the largest object that a token takes.
pub const FILE_BYTES_MAX: usize = 8 << 20;
/// Most attributes in one file, those in maps included.
const ATTRIBUTES_MAX: usize = 1024;
/// Most mechanisms in one list.
const MECHANISMS_MAX: usize = 1024;

/// A value as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// `CK_BBOOL`.
    Flag(bool),
    /// `CK_ULONG`.
    Number(u64),
    /// Bytes, encrypted if the object is private.
    Bytes(SecretBytes),
    /// A list of `CKM_*`.
    Mechanisms(Vec<u64>),
    /// A template.
    Map(Attributes),
}

/// Attributes in the order of the file, no type twice.
pub type Attributes = Vec<(u64, Stored)>;

/// Why bytes are no object file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Malformed {
    /// SoftHSM2 makes an object's file empty and fills it then.
    #[error("the file is empty: SoftHSM2 was interrupted while it made the object")]
    Empty,
    /// The bytes end in the middle of something.
    #[error("the file ends at byte {0}, in the middle of an attribute")]
    Ends(usize),
    /// A kind of value that there is not.
    #[error("an unknown kind of value, {kind}, at byte {at}")]
    Kind {
        /// The kind.
        kind: u64,
        /// Where.
        at: usize,
    },
    /// An attribute for the second time.
    #[error("attribute {kind:#x} is there twice, at byte {at}")]
    Twice {
        /// `CKA_*`.
        kind: u64,
        /// Where.
        at: usize,
    },
    /// More than is sensible.
    #[error("too much at byte {0}: more attributes or mechanisms than any object has")]
    TooMuch(usize),
}

/// Takes an object file apart.
///
/// # Errors
/// `Malformed`.
pub fn parse(file: &[u8]) -> Result<Attributes, Malformed> {
    if file.is_empty() {
        return Err(Malformed::Empty);
    }
    let mut reader = Reader { file, at: 0, end: file.len(), attributes_left: ATTRIBUTES_MAX };
    reader.number()?;
    reader.attributes(true)
}

/// A place in a file.
struct Reader<'a> {
    file: &'a [u8],
    at: usize,
    /// Where the part that is being read ends.
    end: usize,
    attributes_left: usize,
}

impl<'a> Reader<'a> {
    /// Reads attributes up to the end; those of a map hold no map themselves.
    fn attributes(&mut self, maps: bool) -> Result<Attributes, Malformed> {
        let (mut attributes, mut seen) = (Attributes::new(), BTreeSet::new());
        while self.at < self.end {
            let at = self.at;
            self.attributes_left = self.attributes_left.checked_sub(1).ok_or(Malformed::TooMuch(at))?;
            let kind = self.number()?;
            if !seen.insert(kind) {
                return Err(Malformed::Twice { kind, at });
            }
            attributes.push((kind, self.value(maps)?));
        }
        Ok(attributes)
    }

    fn value(&mut self, maps: bool) -> Result<Stored, Malformed> {
        let at = self.at;
        match self.number()? {
            1 => Ok(Stored::Flag(self.bytes(1)? != [0])),
            2 => self.number().map(Stored::Number),
            3 => {
                let length = self.length()?;
                Ok(Stored::Bytes(SecretBytes::copy_of(self.bytes(length)?)))
            }
            4 if maps => {
                let length = self.length()?;
                let end =
                    self.at.checked_add(length).filter(|end| *end <= self.end).ok_or(Malformed::Ends(self.end))?;
                let outer = core::mem::replace(&mut self.end, end);
                let map = self.attributes(false)?;
                self.end = outer;
                Ok(Stored::Map(map))
            }
            5 => {
                let count = self.length()?;
                if count > MECHANISMS_MAX {
                    return Err(Malformed::TooMuch(at));
                }
                (0..count).map(|_| self.number()).collect::<Result<_, _>>().map(Stored::Mechanisms)
            }
            kind => Err(Malformed::Kind { kind, at }),
        }
    }

    fn number(&mut self) -> Result<u64, Malformed> {
        let bytes = self.bytes(8)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A length or count; one that no memory could hold ends beyond the file.
    fn length(&mut self) -> Result<usize, Malformed> {
        let end = self.end;
        self.number().and_then(|number| usize::try_from(number).map_err(|_| Malformed::Ends(end)))
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.end).ok_or(Malformed::Ends(self.end))?;
        let bytes = self.file.get(self.at..end).ok_or(Malformed::Ends(self.end))?;
        self.at = end;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A file with generation 1 and these words.
    fn file(words: &[u64]) -> Vec<u8> {
        [1].iter().chain(words).flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn every_kind_of_value_is_read() {
        let mut bytes = file(&[0x100, 2, 31, 3, 3, 2]);
        bytes.extend(b"ab");
        bytes.extend([1_u64, 1].iter().flat_map(|word| word.to_be_bytes()));
        bytes.push(0xff);
        bytes.extend([0x4000_0600_u64, 5, 2, 7, 9].iter().flat_map(|word| word.to_be_bytes()));
        bytes.extend([0x4000_0211_u64, 4, 17, 0x162, 1].iter().flat_map(|word| word.to_be_bytes()));
        bytes.push(0);
        let inner = vec![(0x162, Stored::Flag(false))];
        let expected = vec![
            (0x100, Stored::Number(31)),
            (3, Stored::Bytes(SecretBytes::copy_of(b"ab"))),
            (1, Stored::Flag(true)),
            (0x4000_0600, Stored::Mechanisms(vec![7, 9])),
            (0x4000_0211, Stored::Map(inner)),
        ];
        assert_eq!(parse(&bytes), Ok(expected));
    }

    #[test]
    fn what_is_no_object_file_is_told_with_its_place() {
        let cases: &[(Vec<u8>, Malformed)] = &[
            (Vec::new(), Malformed::Empty),
            (vec![0; 7], Malformed::Ends(7)),
            (file(&[3, 3, 1]), Malformed::Ends(32)),
            (file(&[3, 3, u64::MAX]), Malformed::Ends(32)),
            (file(&[3, 6]), Malformed::Kind { kind: 6, at: 16 }),
            (file(&[3, 2, 0, 3, 2, 0]), Malformed::Twice { kind: 3, at: 32 }),
            (file(&[3, 5, 1 << 40]), Malformed::TooMuch(16)),
            (file(&[3, 4, 24, 5, 4, 0]), Malformed::Kind { kind: 4, at: 40 }),
            (file(&[3, 4, 25, 5, 2, 0]), Malformed::Ends(56)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(parse(bytes).as_ref(), Err(expected), "{bytes:?}");
        }
    }

    #[test]
    fn there_is_an_end_to_the_attributes() {
        let words: Vec<u64> = (0..=ATTRIBUTES_MAX as u64).flat_map(|kind| [kind, 2, 0]).collect();
        assert!(matches!(parse(&file(&words)), Err(Malformed::TooMuch(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = parse(&bytes);
        }

        /// Words from a small stock come much closer to real files than random bytes do.
        #[test]
        fn any_words_are_taken(
            words in proptest::collection::vec(prop_oneof![0..8_u64, 0..0x200_u64, any::<u64>()], 0..64),
            cut in 0..16_usize,
        ) {
            let bytes = file(&words);
            let _ = parse(&bytes[..bytes.len() - cut.min(bytes.len())]);
        }
    }
}
