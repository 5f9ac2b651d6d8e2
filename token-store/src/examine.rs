//! Examining a whole store: every value is opened as far as keys are at hand, and what does not open is named.
//!
//! Owns: which values there should be, and what can be said about one that does not open: cut off, edited, moved from
//! another place, left without its partition. Does not know: what records mean; changes nothing.
//! Called from `hsm-core` for `perilune doctor`. Rule source: docs/format.md, "Keys of the map" and "Values".

use crate::error::Result;
use crate::format::{self, ID_BYTES, Kind, Sealed};
use crate::origin::Private;
use crate::store::{PartitionId, PartitionKey, RecordContent, RecordId, RoleId, Visibility};
use crate::view::View;
use hsm_crypto::memory;
use std::collections::{BTreeMap, BTreeSet};

/// A value of the store, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The description of a partition.
    Partition(PartitionId),
    /// Where a partition was born.
    Origin(PartitionId),
    /// A role of a partition.
    Role(PartitionId, RoleId),
    /// A record of a partition.
    Record(PartitionId, RecordId),
    /// The change list of a generation.
    Changes(u64),
    /// A key that no version of this program makes.
    Unknown,
}

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// It is cut off, or no value of this kind.
    Cut,
    /// It has the right shape and its seal does not open: edited, or from another store.
    Edited,
    /// It is the value of another place.
    Moved(Place),
    /// Its partition is not there.
    Orphaned,
}

/// A value that is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flaw {
    /// Where it stands.
    pub place: Place,
    /// What is wrong with it.
    pub damage: Damage,
}

/// What an examination found.
#[derive(Debug, Clone, Default)]
pub struct Examination {
    /// How many values were looked at.
    pub values: usize,
    /// Private records that no given key opens, so that only their shape was looked at.
    pub closed: BTreeMap<PartitionId, usize>,
    /// What is not as it should be.
    pub flaws: Vec<Flaw>,
}

/// How many places are tried for the values that do not open, before their origin stays unknown. A store with this
/// much damage is put back from a copy.
const TRIES_MAX: usize = 200_000;

impl View<'_> {
    /// Looks at every value of the store; private records are opened in the partitions whose key is `opened`.
    ///
    /// # Errors
    /// The medium's errors; damage is a finding and no error.
    pub fn examine(&self, opened: &[(PartitionId, PartitionKey)]) -> Result<Examination> {
        let private = opened.iter().map(|(id, key)| (*id, self.store.keys.private(*id, key))).collect();
        let mut work = Work {
            view: self,
            private,
            found: Examination::default(),
            places: Vec::new(),
            partitions: BTreeSet::new(),
            doubtful: Vec::new(),
        };
        self.reader.scan(&[], &mut |key, value| {
            memory::enough()?;
            work.look(key, value)
        })?;
        Ok(work.finish())
    }
}

/// One examination.
struct Work<'a> {
    view: &'a View<'a>,
    private: BTreeMap<PartitionId, Private>,
    found: Examination,
    /// Every place, to find where a moved value came from.
    places: Vec<Place>,
    /// The partitions that are there, or are being restored.
    partitions: BTreeSet<PartitionId>,
    /// Values that do not open where they stand.
    doubtful: Vec<(Place, Vec<u8>)>,
}

impl Work<'_> {
    fn look(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        if key.starts_with(format::PARTITION_PREFIX) || key.starts_with(format::STAGING_PREFIX) {
            self.partitions.extend(format::id_after(1, key).map(PartitionId));
        }
        let Some(place) = place_of(key) else { return Ok(()) };
        self.found.values += 1;
        self.places.push(place);
        match self.opens(place, value)? {
            Opens::Yes => {}
            Opens::Closed(partition) => *self.found.closed.entry(partition).or_default() += 1,
            Opens::Never(damage) => self.found.flaws.push(Flaw { place, damage }),
            Opens::NotHere => self.doubtful.push((place, memory::copied(value)?)),
        }
        Ok(())
    }

    /// Whether a value opens as that of `place`.
    fn opens(&self, place: Place, value: &[u8]) -> Result<Opens> {
        let keys = &self.view.store.keys;
        let answer = |opens: bool| if opens { Opens::Yes } else { Opens::NotHere };
        let kind = match place {
            Place::Partition(_) => Kind::Partition,
            Place::Origin(_) => Kind::Origin,
            Place::Role(..) => Kind::Role,
            Place::Record(..) => Kind::Record,
            Place::Changes(_) => Kind::Changes,
            Place::Unknown => return Ok(Opens::Never(Damage::Cut)),
        };
        if Sealed::parse(kind, value).is_none() {
            return Ok(Opens::Never(Damage::Cut));
        }
        Ok(match place {
            Place::Partition(id) => answer(keys.open_partition(id, value).is_some()),
            Place::Origin(id) => answer(keys.open_origin(id, value).is_some()),
            Place::Role(id, role) => answer(keys.open_role(id, role, value).is_some()),
            Place::Changes(at) => answer(keys.open_changes(at, Some(value), &mut BTreeSet::new()).is_some()),
            Place::Record(partition, id) => {
                match keys.open_record((partition, id), self.private.get(&partition), value)? {
                    (_, RecordContent::Open(_)) => Opens::Yes,
                    (_, RecordContent::Damaged) => Opens::NotHere,
                    (Visibility::Private | Visibility::Public, RecordContent::Closed) => Opens::Closed(partition),
                }
            }
            Place::Unknown => Opens::Never(Damage::Cut),
        })
    }

    fn finish(mut self) -> Examination {
        let mut tries = 0;
        for (place, value) in &self.doubtful {
            let same_kind = |other: &&Place| std::mem::discriminant(*other) == std::mem::discriminant(place);
            let origin = self.places.iter().filter(same_kind).find(|other| {
                tries += 1;
                tries <= TRIES_MAX && matches!(self.opens(**other, value), Ok(Opens::Yes))
            });
            let damage = origin.map_or(Damage::Edited, |origin| Damage::Moved(*origin));
            self.found.flaws.push(Flaw { place: *place, damage });
        }
        for place in &self.places {
            let lost = place.partition().is_some_and(|partition| !self.partitions.contains(&partition));
            if lost && !self.found.flaws.iter().any(|flaw| flaw.place == *place) {
                self.found.flaws.push(Flaw { place: *place, damage: Damage::Orphaned });
            }
        }
        self.found.flaws.sort_by_key(|flaw| flaw.place);
        self.found
    }
}

impl Place {
    /// The partition that it belongs to.
    #[must_use]
    pub fn partition(self) -> Option<PartitionId> {
        match self {
            Place::Partition(id) | Place::Origin(id) | Place::Role(id, _) | Place::Record(id, _) => Some(id),
            Place::Changes(_) | Place::Unknown => None,
        }
    }
}

/// How far a value opens.
enum Opens {
    Yes,
    /// A private record of a partition whose key is not at hand.
    Closed(PartitionId),
    /// Not at this place.
    NotHere,
    /// At no place.
    Never(Damage),
}

/// The place that a key of the map names; `None` for those that say nothing by themselves: the medium's own, the header
/// (nothing opens without it), the marks of restores under way.
fn place_of(key: &[u8]) -> Option<Place> {
    let (first, rest) = key.split_first()?;
    let whole = || Some(PartitionId(rest.try_into().ok()?));
    let place = match first {
        0 | b'h' | b's' => return None,
        b'p' => whole().map(Place::Partition),
        b'g' => whole().map(Place::Origin),
        b'r' => rest.split_first_chunk::<ID_BYTES>().and_then(|(partition, role)| match role {
            [role] => Some(Place::Role(PartitionId(*partition), RoleId(*role))),
            _ => None,
        }),
        b'o' => rest.split_first_chunk::<ID_BYTES>().and_then(|(partition, record)| {
            Some(Place::Record(PartitionId(*partition), RecordId(record.try_into().ok()?)))
        }),
        b'c' => rest.try_into().ok().map(|at| Place::Changes(u64::from_be_bytes(at))),
        _ => None,
    };
    Some(place.unwrap_or(Place::Unknown))
}
