//! Names and shapes of what stands in the map: keys, values, change lists.
//!
//! Owns: every offset and label of docs/format.md. Does not know: files, transactions, algorithms
//! beyond the sealing key it is handed. Pure functions only.
//! Called from `keys`, `login`, `view` and `transaction`. Rule source: docs/format.md.

use crate::error::Result;
use crate::store::{Change, Changes, PartitionId, RecordId, RoleId};
use hsm_crypto::aead::{NONCE_BYTES, SealKey, TAG_BYTES};
use hsm_crypto::kdf::Argon2Cost;
use hsm_crypto::{CryptoError, Random, SecretBytes, memory};
use std::collections::BTreeSet;

/// The version of every value but the header, the only one so far.
pub(crate) const VERSION: u16 = 1;
/// The version of a store, in its header, that holds what `VERSION` knows.
pub(crate) const STORE_PLAIN: u16 = 1;
/// The version of a store that holds a partition with an origin, and the newest that this program reads.
pub(crate) const STORE_WITH_ORIGINS: u16 = 2;
/// How many generations the change list goes back.
pub(crate) const CHANGES_KEPT: u64 = 1024;
/// Longest change list of one generation; a longer one is stored as "everything".
pub(crate) const CHANGES_LISTED_MAX: usize = 4096;
/// What the header's seal holds.
pub(crate) const CHECK_VALUE: &[u8] = b"perilune";
/// Length of ids.
pub(crate) const ID_BYTES: usize = 16;
/// Length of the fixed part in front of every value: version, kind, seal.
pub(crate) const HEAD_BYTES: usize = 4;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Header = 1,
    Partition = 2,
    Role = 3,
    Record = 4,
    Changes = 5,
    /// Never a value of its own: the wrapped key inside a role.
    Wrap = 6,
    Origin = 7,
}

/// Which family of keys sealed a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seal {
    Device = 0,
    Partition = 1,
    Pin = 2,
}

impl Kind {
    /// Length of the clear part between the fixed part and the nonce.
    const fn clear_bytes(self) -> usize {
        match self {
            Self::Header => ID_BYTES,
            Self::Partition => 8,
            Self::Role | Self::Record | Self::Changes | Self::Wrap | Self::Origin => 0,
        }
    }

    /// The newest version of such a value that this program reads.
    const fn newest(self) -> u16 {
        match self {
            Self::Header => STORE_WITH_ORIGINS,
            Self::Partition | Self::Role | Self::Record | Self::Changes | Self::Wrap | Self::Origin => VERSION,
        }
    }
}

/// The key of the header.
pub(crate) const HEADER_KEY: &[u8] = b"h";
/// What the keys of all partitions begin with.
pub(crate) const PARTITION_PREFIX: &[u8] = b"p";

/// The key of a partition.
pub(crate) fn partition_key(id: PartitionId) -> Vec<u8> {
    [PARTITION_PREFIX, &id.0].concat()
}

/// What the keys of all roles of a partition begin with.
pub(crate) fn role_prefix(partition: PartitionId) -> Vec<u8> {
    [&b"r"[..], &partition.0].concat()
}

/// The key of a role.
pub(crate) fn role_key(partition: PartitionId, role: RoleId) -> Vec<u8> {
    [&b"r"[..], &partition.0, &[role.0]].concat()
}

/// What the keys of all records of a partition begin with.
pub(crate) fn record_prefix(partition: PartitionId) -> Vec<u8> {
    [RECORD_PREFIX, &partition.0].concat()
}

/// The key of a record.
pub(crate) fn record_key(partition: PartitionId, id: RecordId) -> Vec<u8> {
    [RECORD_PREFIX, &partition.0, &id.0].concat()
}

/// What the keys of all records begin with.
pub(crate) const RECORD_PREFIX: &[u8] = b"o";

/// The key of the origin of a partition that was born elsewhere.
pub(crate) fn origin_key(partition: PartitionId) -> Vec<u8> {
    [&b"g"[..], &partition.0].concat()
}

/// What the keys of all marks of restores under way begin with.
pub(crate) const STAGING_PREFIX: &[u8] = b"s";

/// The key of the mark of a restore that is under way.
pub(crate) fn staging_key(partition: PartitionId) -> Vec<u8> {
    [STAGING_PREFIX, &partition.0].concat()
}

/// The value of such a mark.
pub(crate) const STAGING_MARK: &[u8] = &[1];

/// The key of the change list of a generation.
pub(crate) fn changes_key(generation: u64) -> Vec<u8> {
    [&b"c"[..], &generation.to_be_bytes()].concat()
}

/// The id at the end of a key; `None` when the key is not of that shape.
pub(crate) fn id_after(prefix_bytes: usize, key: &[u8]) -> Option<[u8; ID_BYTES]> {
    key.get(prefix_bytes..)?.try_into().ok()
}

/// A value taken apart, its seal still closed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sealed<'a> {
    /// Which family of keys sealed it.
    pub seal: Seal,
    /// The clear part after the fixed part.
    pub clear: &'a [u8],
    front: &'a [u8],
    nonce: &'a [u8; NONCE_BYTES],
    body: &'a [u8],
}

impl<'a> Sealed<'a> {
    /// Takes a value apart; `None` when it is not a value of this kind, or of a version that this program reads.
    pub(crate) fn parse(kind: Kind, value: &'a [u8]) -> Option<Self> {
        let version = version_of(value)?;
        let seal = match *value.get(3)? {
            0 => Seal::Device,
            1 => Seal::Partition,
            _ => return None,
        };
        if version == 0 || version > kind.newest() || *value.get(2)? != kind as u8 {
            return None;
        }
        let (front, rest) = value.split_at_checked(HEAD_BYTES + kind.clear_bytes())?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_BYTES>()?;
        (body.len() >= TAG_BYTES).then_some(Self { seal, clear: &front[HEAD_BYTES..], front, nonce, body })
    }

    /// Opens the seal; `None` when the value was changed, moved, or sealed with another key.
    pub(crate) fn open(&self, store: &[u8; ID_BYTES], map_key: &[u8], key: &SealKey) -> Option<SecretBytes> {
        // Whatever the algorithm answers, the meaning is the same: this value does not open with this key.
        key.open(self.nonce, &associated(self.front, store, map_key), self.body).ok()
    }

    /// As [`open`](Self::open), for a value of any size.
    ///
    /// # Errors
    /// `Crypto(OutOfMemory)`: that says nothing about the value.
    pub(crate) fn try_open(
        &self,
        store: &[u8; ID_BYTES],
        map_key: &[u8],
        key: &SealKey,
    ) -> Result<Option<SecretBytes>> {
        match key.open(self.nonce, &associated(self.front, store, map_key), self.body) {
            Ok(content) => Ok(Some(content)),
            Err(CryptoError::OutOfMemory) => Err(CryptoError::OutOfMemory.into()),
            // As above.
            Err(_) => Ok(None),
        }
    }
}

/// The format version that a value names; `None` when it is too short to name one.
pub(crate) fn version_of(value: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(*value.first_chunk()?))
}

/// Makes a value: seals `content` with `key` for the place `map_key`.
///
/// # Errors
/// `Crypto(RandomFailed)`, `Crypto(InputLength)`.
pub(crate) fn seal_value(
    place: (u16, Kind, Seal, &[u8]),
    store: &[u8; ID_BYTES],
    map_key: &[u8],
    key: &SealKey,
    random: &dyn Random,
    content: &[u8],
) -> Result<Vec<u8>> {
    let (version, kind, seal, clear) = place;
    debug_assert_eq!(clear.len(), kind.clear_bytes(), "the clear part has the length that its kind promises");
    let mut nonce = [0; NONCE_BYTES];
    random.fill(&mut nonce)?;
    let mut value = memory::with_room(HEAD_BYTES + clear.len() + NONCE_BYTES + content.len() + TAG_BYTES)?;
    value.extend_from_slice(&front(version, kind, seal));
    value.extend_from_slice(clear);
    let sealed = key.seal(&nonce, &associated(&value, store, map_key), content)?;
    value.extend_from_slice(&nonce);
    value.extend_from_slice(&sealed);
    Ok(value)
}

/// The fixed part in front of a value.
pub(crate) fn front(version: u16, kind: Kind, seal: Seal) -> [u8; HEAD_BYTES] {
    let [high, low] = version.to_be_bytes();
    [high, low, kind as u8, seal as u8]
}

/// What a seal is bound to: everything in front of the nonce, the store, the place in the map.
pub(crate) fn associated(front: &[u8], store: &[u8; ID_BYTES], map_key: &[u8]) -> Vec<u8> {
    [front, store, map_key].concat()
}

/// The content of a role's record.
#[derive(Clone)]
pub(crate) struct Role {
    /// Salt of Argon2id.
    pub salt: [u8; 16],
    /// Cost of Argon2id.
    pub cost: Argon2Cost,
    /// Failed logins since the last good one.
    pub failed: u32,
    /// Failed logins that lock the role.
    pub failed_max: u32,
    /// Nonce of the wrap.
    pub nonce: [u8; NONCE_BYTES],
    /// The wrapped partition key.
    pub wrapped: [u8; WRAPPED_BYTES],
}

/// Length of a wrapped partition key.
pub(crate) const WRAPPED_BYTES: usize = 32 + TAG_BYTES;
/// Length of the content of a role's record.
pub(crate) const ROLE_BYTES: usize = 16 + 5 * 4 + NONCE_BYTES + WRAPPED_BYTES;

impl Role {
    pub(crate) fn encode(&self) -> SecretBytes {
        let mut out = Vec::with_capacity(ROLE_BYTES);
        out.extend_from_slice(&self.salt);
        let numbers = [self.cost.memory_kib, self.cost.passes, self.cost.lanes, self.failed, self.failed_max];
        for number in numbers {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&self.nonce);
        out.extend_from_slice(&self.wrapped);
        SecretBytes::new(out)
    }

    /// Reads what `encode` made; `None` for any other length.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; ROLE_BYTES] = bytes.try_into().ok()?;
        let number = |at: usize| -> Option<u32> { Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?)) };
        Some(Self {
            salt: bytes.get(..16)?.try_into().ok()?,
            cost: Argon2Cost { memory_kib: number(16)?, passes: number(20)?, lanes: number(24)? },
            failed: number(28)?,
            failed_max: number(32)?,
            nonce: bytes.get(36..48)?.try_into().ok()?,
            wrapped: bytes.get(48..)?.try_into().ok()?,
        })
    }

    /// Whether `other` is the same role with the same PIN, whatever the counters say.
    pub(crate) fn same_pin_as(&self, other: &Self) -> bool {
        self.salt == other.salt && self.nonce == other.nonce && self.wrapped == other.wrapped
    }
}

/// The content of the change list of one generation.
pub(crate) fn encode_changes(changes: &BTreeSet<Change>) -> Vec<u8> {
    if changes.len() > CHANGES_LISTED_MAX {
        return vec![0];
    }
    let mut out = Vec::with_capacity(changes.len() * 33);
    for change in changes {
        match change {
            Change::Partition(partition) => {
                out.push(1);
                out.extend_from_slice(&partition.0);
            }
            Change::Role(partition, role) => {
                out.push(2);
                out.extend_from_slice(&partition.0);
                out.push(role.0);
            }
            Change::Record(partition, record) => {
                out.push(3);
                out.extend_from_slice(&partition.0);
                out.extend_from_slice(&record.0);
            }
        }
    }
    out
}

/// Reads what `encode_changes` made into `into`; anything unclear means everything.
pub(crate) fn decode_changes(mut bytes: &[u8], into: &mut BTreeSet<Change>) -> Option<()> {
    while let Some((&kind, rest)) = bytes.split_first() {
        let (partition, rest) = rest.split_first_chunk::<ID_BYTES>()?;
        let partition = PartitionId(*partition);
        let (change, rest) = match kind {
            1 => (Change::Partition(partition), rest),
            2 => {
                let (&role, rest) = rest.split_first()?;
                (Change::Role(partition, RoleId(role)), rest)
            }
            3 => {
                let (record, rest) = rest.split_first_chunk::<ID_BYTES>()?;
                (Change::Record(partition, RecordId(*record)), rest)
            }
            _ => return None,
        };
        into.insert(change);
        bytes = rest;
    }
    Some(())
}

/// The collected changes in the form of the interface.
pub(crate) fn listed(changes: BTreeSet<Change>) -> Changes {
    Changes::Only(changes.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: PartitionId = PartitionId([1; 16]);
    const R: RecordId = RecordId([2; 16]);

    #[test]
    fn change_lists_come_back_as_they_were() {
        let changes = BTreeSet::from([Change::Partition(P), Change::Role(P, RoleId(7)), Change::Record(P, R)]);
        let mut back = BTreeSet::new();
        assert_eq!(decode_changes(&encode_changes(&changes), &mut back), Some(()));
        assert_eq!(back, changes);
    }

    #[test]
    fn unclear_change_lists_mean_everything() {
        let whole = encode_changes(&BTreeSet::from([Change::Record(P, R)]));
        for bytes in [&[0][..], &[9; 40], &whole[..whole.len() - 1], &whole[..1]] {
            assert_eq!(decode_changes(bytes, &mut BTreeSet::new()), None, "{bytes:?}");
        }
    }

    #[test]
    fn too_many_changes_are_stored_as_everything() {
        let many = (0..=CHANGES_LISTED_MAX as u128).map(|n| Change::Record(P, RecordId(n.to_be_bytes()))).collect();
        assert_eq!(encode_changes(&many), [0]);
    }

    #[test]
    fn a_role_of_another_length_is_not_read() {
        assert!(Role::decode(&[0; ROLE_BYTES]).is_some());
        assert!(Role::decode(&[0; ROLE_BYTES - 1]).is_none());
        assert!(Role::decode(&[0; ROLE_BYTES + 1]).is_none());
    }
}
