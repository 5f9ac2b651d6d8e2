//! A slot and what the store keeps to describe it.
//!
//! Owns: the "partition description" of docs/format.md (number, serial, label, whether the token is
//! initialised, its epoch) and how a new slot gets its number and serial. Does not know: sessions,
//! objects, when a slot is made. Called from `sync`, which reads and writes descriptions.
//!
//! A slot is a partition of the store. Its number is counted once, its serial is random, and both
//! stay for ever: a token that is initialised anew or emptied keeps them, so that token URIs and
//! application settings stay true. The epoch is what changes: it is random at each initialisation,
//! and every process that sees a new epoch drops its logins and objects.

use crate::limits::SLOTS_MAX;
use crate::policy::Policy;
use crate::reason::{Reason, Result};
use crate::types::SlotId;
use hsm_crypto::{Random, SecretBytes};
use token_store::{PartitionEntry, StoreError};

/// What distinguishes one initialisation of a token from the next.
pub type Epoch = [u8; 16];

/// The description of a slot and its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The slot's number.
    pub slot: SlotId,
    /// The token's serial number, 16 characters.
    pub serial: [u8; 16],
    /// Whether C_InitToken has been called.
    pub initialised: bool,
    /// The token's label, blank-padded; all blanks before the initialisation.
    pub label: [u8; 32],
    /// The epoch; all zeros before the first initialisation.
    pub epoch: Epoch,
    /// What the token may do.
    pub policy: Policy,
}

/// The version this code writes.
const VERSION: u16 = 1;
/// Length of version 1 in bytes.
const BYTES: usize = 71;
/// Bit of the flags byte: the token is initialised.
const INITIALISED: u8 = 1;
/// Where the policy's bits begin in the flags byte.
const POLICY_SHIFT: u32 = 1;

impl Description {
    /// Describes a new slot with an uninitialised token.
    ///
    /// # Errors
    /// `Crypto(RandomFailed)`.
    pub fn new(slot: SlotId, random: &dyn Random) -> Result<Self> {
        let mut raw = [0; 8];
        random.fill(&mut raw)?;
        Ok(Self {
            slot,
            serial: hexadecimal(raw),
            initialised: false,
            label: [b' '; 32],
            epoch: [0; 16],
            policy: Policy::default(),
        })
    }

    /// The same slot after an initialisation with this label and policy.
    ///
    /// # Errors
    /// `Crypto(RandomFailed)`.
    pub fn initialised(&self, label: &[u8; 32], policy: Policy, random: &dyn Random) -> Result<Self> {
        let mut epoch = [0; 16];
        random.fill(&mut epoch)?;
        Ok(Self { slot: self.slot, serial: self.serial, initialised: true, label: *label, epoch, policy })
    }

    /// The same slot with everything in it gone.
    ///
    /// # Errors
    /// `Crypto(RandomFailed)`.
    pub fn emptied(&self, random: &dyn Random) -> Result<Self> {
        let blank = self.initialised(&[b' '; 32], Policy::default(), random)?;
        Ok(Self { initialised: false, ..blank })
    }

    /// Encodes as docs/format.md says under "Partition description".
    #[must_use]
    pub fn encode(&self) -> SecretBytes {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        // `SLOTS_MAX` keeps the number far below 2^32; a description is only ever made with such a number.
        bytes.extend_from_slice(&u32::try_from(self.slot.0).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(&self.serial);
        bytes.push(if self.initialised { INITIALISED } else { 0 } | self.policy.bits() << POLICY_SHIFT);
        bytes.extend_from_slice(&self.label);
        bytes.extend_from_slice(&self.epoch);
        SecretBytes::new(bytes)
    }

    /// Decodes what `encode` made.
    ///
    /// # Errors
    /// `Damaged`; `Store(FormatVersion)` when a newer version wrote it.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let damaged = || Reason::Damaged("the description of a slot is too short or too long");
        let (version, rest) = bytes.split_first_chunk::<2>().ok_or_else(damaged)?;
        let version = u16::from_be_bytes(*version);
        if version != VERSION {
            return Err(StoreError::FormatVersion { found: version, known: VERSION }.into());
        }
        let (number, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        let (serial, rest) = rest.split_first_chunk::<16>().ok_or_else(damaged)?;
        let (flags, rest) = rest.split_first().ok_or_else(damaged)?;
        let (label, rest) = rest.split_first_chunk::<32>().ok_or_else(damaged)?;
        let policy = Policy::of_bits(flags >> POLICY_SHIFT);
        let epoch: &Epoch = rest.try_into().map_err(|_| damaged() /* only the length can be wrong */)?;
        Ok(Self {
            slot: SlotId(u32::from_be_bytes(*number).into()),
            serial: *serial,
            initialised: flags & INITIALISED != 0,
            label: *label,
            epoch: *epoch,
            policy: policy.ok_or(Reason::Damaged("the description of a slot has flags that are not known"))?,
        })
    }

    /// Decodes the description in a partition's entry.
    ///
    /// # Errors
    /// As `decode`.
    pub fn of(entry: &PartitionEntry) -> Result<Self> {
        if entry.damaged {
            return Err(Reason::Damaged("the description of a slot does not open"));
        }
        Self::decode(entry.meta.expose())
    }
}

/// The number that a new slot gets beside these partitions; `None` when there are as many as there may be.
///
/// A description that cannot be read hides its number. Slots are never deleted and are numbered from 0,
/// so the count of partitions is above every number given so far, hidden ones included.
#[must_use]
pub fn next_number(partitions: &[PartitionEntry]) -> Option<SlotId> {
    if partitions.len() >= SLOTS_MAX {
        return None;
    }
    let readable = partitions.iter().filter_map(|entry| Description::of(entry).ok());
    let above = readable.map(|description| description.slot.0 + 1).max().unwrap_or(0);
    Some(SlotId(above.max(partitions.len() as u64)))
}

/// Writes eight bytes as sixteen upper-case digits.
fn hexadecimal(raw: [u8; 8]) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    core::array::from_fn(|place| {
        let byte = raw[place / 2];
        let digit = if place % 2 == 0 { byte >> 4 } else { byte & 15 };
        DIGITS[usize::from(digit)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use token_store::PartitionId;

    fn sample() -> Description {
        Description {
            slot: SlotId(0x0102),
            serial: *b"0123456789ABCDEF",
            initialised: true,
            label: *b"signing                         ",
            epoch: [0xEE; 16],
            policy: Policy { approved: false, legacy: true, compatible: false },
        }
    }

    fn entry(slot: Option<u64>) -> PartitionEntry {
        let meta =
            slot.map_or_else(SecretBytes::default, |slot| Description { slot: SlotId(slot), ..sample() }.encode());
        PartitionEntry { id: PartitionId([0; 16]), meta, damaged: slot.is_none() }
    }

    #[test]
    fn the_encoding_is_byte_for_byte_what_the_format_document_shows() {
        let mut expected = vec![0, 1, 0, 0, 1, 2];
        expected.extend_from_slice(b"0123456789ABCDEF");
        expected.push(0b101);
        expected.extend_from_slice(b"signing                         ");
        expected.extend_from_slice(&[0xEE; 16]);
        assert_eq!(sample().encode().expose(), expected);
        assert_eq!(Description::decode(&expected).unwrap(), sample());
    }

    #[test]
    fn every_shortened_or_lengthened_description_is_damaged() {
        let whole = sample().encode().expose().to_vec();
        for len in 0..whole.len() {
            assert!(matches!(Description::decode(&whole[..len]), Err(Reason::Damaged(_))), "length {len}");
        }
        let longer = [whole.as_slice(), &[0]].concat();
        assert!(matches!(Description::decode(&longer), Err(Reason::Damaged(_))));
    }

    #[test]
    fn a_description_of_a_newer_version_is_refused_by_name() {
        let mut newer = sample().encode().expose().to_vec();
        newer[1] = 2;
        let answer = Description::decode(&newer);
        assert!(matches!(answer, Err(Reason::Store(StoreError::FormatVersion { found: 2, known: 1 }))));
    }

    #[test]
    fn numbers_count_from_zero_and_never_meet_one_that_was_given() {
        assert_eq!(next_number(&[]), Some(SlotId(0)));
        assert_eq!(next_number(&[entry(Some(0))]), Some(SlotId(1)));
        assert_eq!(next_number(&[entry(Some(7)), entry(Some(0))]), Some(SlotId(8)));
        assert_eq!(next_number(&[entry(Some(0)), entry(None)]), Some(SlotId(2)), "a damaged one may have been 1");
    }

    #[test]
    fn there_is_an_end_to_the_slots() {
        let full: Vec<_> = (0..SLOTS_MAX as u64).map(|slot| entry(Some(slot))).collect();
        assert_eq!(next_number(&full), None);
    }

    #[test]
    fn serials_are_upper_case_hexadecimal() {
        assert_eq!(&hexadecimal([0x00, 0x1f, 0xa0, 0xff, 0x12, 0x34, 0x56, 0x78]), b"001FA0FF12345678");
    }
}
