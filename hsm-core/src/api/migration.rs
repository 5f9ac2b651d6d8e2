//! Whole tokens that come from elsewhere, with their PINs and objects.
//!
//! Owns: that such a token is there whole or not at all, its slot and serial number. Does not know: where it
//! comes from, or how its objects were made (`attributes::migrate`). Called from the command.
//!
//! A token that fits into one transaction appears in it. A larger one gets a slot without a token first, its
//! objects then, and becomes a token in the last transaction: until then nobody can open a session on the slot.
//! What an interruption leaves is such a slot, and the next attempt with that serial number takes it anew.

use super::backup::present_already;
use super::slots::RAN_TWICE;
use crate::catalogue::Within;
use crate::hsm::Hsm;
use crate::limits::MIGRATION_BATCH_BYTES;
use crate::object::Object;
use crate::reason::{Reason, Result};
use crate::role::Role;
use crate::slot::{Description, Epoch, next_number};
use crate::types::SlotId;
use hsm_crypto::SecretBytes;
use token_store::{PartitionEntry, PartitionId, PartitionKey, PreparedRole, RecordId, Transaction, Visibility};

/// A token about to be made with everything in it.
#[derive(Debug)]
pub struct NewToken<'a> {
    /// Its label, padded with blanks.
    pub label: [u8; 32],
    /// The serial number that it brings along; without one it gets a new one.
    pub serial: Option<[u8; 16]>,
    /// The Security Officer's PIN.
    pub so_pin: &'a SecretBytes,
    /// The user's PIN, if it is set.
    pub user_pin: Option<&'a SecretBytes>,
    /// Its objects; all of them are token objects.
    pub objects: &'a [Object],
}

/// Where a new token goes.
struct Place {
    partition: PartitionId,
    /// The description of the slot, not initialised, if an interrupted attempt left it.
    left: Option<Description>,
}

/// What one transaction brings.
struct Part<'a> {
    place: &'a Place,
    /// The slot before there is a token in it.
    slot: &'a Description,
    first: bool,
    key: &'a PartitionKey,
    records: Vec<(RecordId, &'a Object)>,
    end: Option<End>,
}

/// What makes a token of the slot.
struct End {
    token: Description,
    roles: Vec<PreparedRole>,
}

impl Hsm {
    /// The slot whose serial number this is, if any; with a token in it or without.
    ///
    /// # Errors
    /// The store's.
    pub fn slot_of_serial(&self, serial: &[u8; 16]) -> Result<Option<SlotId>> {
        self.catalogue.refresh()?;
        let tokens = self.catalogue.tokens();
        let found = tokens.iter().find(|(_, token)| token.facts().description.serial == *serial);
        Ok(found.map(|(slot, _)| *slot))
    }

    /// Makes a token with its PINs and objects in a new slot, whole or not at all.
    ///
    /// # Errors
    /// `PinLength`, `TokenPresent`, `TokenChanged` when somebody else took the slot meanwhile, `SlotsFull`, the store's.
    pub fn add_token(&self, new: &NewToken<'_>) -> Result<SlotId> {
        for pin in [Some(new.so_pin), new.user_pin].into_iter().flatten() {
            self.judge_pin_length(pin, self.pin_bytes_min())?;
        }
        let store = &self.platform.store;
        let place = self.place_for(new.serial)?;
        let key = store.new_partition_key()?;
        let mut roles = vec![self.prepared(&place, Role::SecurityOfficer, new.so_pin, &key)?];
        if let Some(pin) = new.user_pin {
            roles.push(self.prepared(&place, Role::CryptoOfficer, pin, &key)?);
        }
        let mut slot = Description::new(SlotId(0), &*self.platform.random)?;
        slot.serial = new.serial.unwrap_or(slot.serial);
        // The slot's own epoch, so that whoever initialises it meanwhile is noticed.
        slot.epoch = slot.emptied(&*self.platform.random)?.epoch;

        let batches = batches(new.objects, MIGRATION_BATCH_BYTES);
        let last = batches.len() - 1;
        for (number, objects) in batches.into_iter().enumerate() {
            let token = slot.initialised(&new.label, self.config.policy, &*self.platform.random)?;
            let end = (number == last).then(|| End { token, roles: core::mem::take(&mut roles) });
            let records = self.records(objects)?;
            let mut part = Some(Part { place: &place, slot: &slot, first: number == 0, key: &key, records, end });
            let write = |tx: &mut Transaction<'_>| match part.take() {
                Some(part) => part.write(tx),
                None => Ok(Err(RAN_TWICE)),
            };
            slot.slot = self.catalogue.replace(|store| store.transact(write).map(|(answer, _)| answer))?;
        }
        // The slot that an interrupted attempt left counted as the spare one.
        self.catalogue.add_missing_slot(&self.platform, &self.config)?;
        Ok(slot.slot)
    }

    /// A new place, or the one that an interrupted attempt left behind.
    fn place_for(&self, serial: Option<[u8; 16]>) -> Result<Place> {
        let store = &self.platform.store;
        let partitions = store.view(|view| view.partitions())?;
        let same = |entry: &PartitionEntry| {
            Description::of(entry).ok().filter(|found| Some(found.serial) == serial).map(|found| (entry.id, found))
        };
        match partitions.iter().find_map(same) {
            Some((_, found)) if found.initialised => Err(present_already(&found)),
            Some((partition, found)) => Ok(Place { partition, left: Some(found) }),
            None => Ok(Place { partition: store.new_partition_id()?, left: None }),
        }
    }

    fn prepared(&self, place: &Place, role: Role, pin: &SecretBytes, key: &PartitionKey) -> Result<PreparedRole> {
        let tries = match role {
            Role::SecurityOfficer => self.config.so_tries_max,
            Role::CryptoOfficer | Role::CryptoUser | Role::LimitedCryptoOfficer | Role::Auditor => {
                self.config.user_tries_max
            }
        };
        Ok(self.platform.store.prepare_role(place.partition, role.row().store_id, pin, key, tries)?)
    }

    fn records<'a>(&self, objects: &'a [Object]) -> Result<Vec<(RecordId, &'a Object)>> {
        objects.iter().map(|object| Ok((self.platform.store.new_record_id()?, object))).collect()
    }
}

impl Part<'_> {
    /// Writes the part; answers the number of the slot.
    fn write(self, tx: &mut Transaction<'_>) -> Within<SlotId> {
        let partition = self.place.partition;
        let begun = match self.first {
            true => begin(tx, self.place, self.slot)?,
            false => still(tx, self.place, self.slot.epoch)?,
        };
        let slot = match begun {
            Ok(slot) => slot,
            Err(reason) => return Ok(Err(reason)),
        };
        for (record, object) in &self.records {
            let visibility = if object.is_private() { Visibility::Private } else { Visibility::Public };
            tx.put_record(partition, *record, visibility, Some(self.key), object.content())?;
        }
        if let Some(end) = self.end {
            tx.put_partition(partition, &Description { slot, ..end.token }.encode())?;
            for role in end.roles {
                tx.put_role(role)?;
            }
        }
        Ok(Ok(slot))
    }
}

/// Makes the slot, or empties the one that is left from before; answers its number.
fn begin(tx: &mut Transaction<'_>, place: &Place, slot: &Description) -> Within<SlotId> {
    let partitions = tx.partitions()?;
    let others = partitions.iter().filter(|entry| entry.id != place.partition);
    let readable = others.filter_map(|entry| Description::of(entry).ok());
    // Asked again here: another process may have taken the same token over meanwhile.
    if let Some(other) = readable.into_iter().find(|found| found.serial == slot.serial) {
        return Ok(Err(present_already(&other)));
    }
    let Some(left) = &place.left else {
        let Some(number) = next_number(&partitions) else {
            return Ok(Err(Reason::SlotsFull));
        };
        tx.add_partition(place.partition, &Description { slot: number, ..slot.clone() }.encode())?;
        return Ok(Ok(number));
    };
    let number = match still(tx, place, left.epoch)? {
        Ok(number) => number,
        Err(reason) => return Ok(Err(reason)),
    };
    tx.clear_partition(place.partition)?;
    tx.put_partition(place.partition, &Description { slot: number, ..slot.clone() }.encode())?;
    Ok(Ok(number))
}

/// The number of the slot, which must still be without a token and of `epoch`.
fn still(tx: &Transaction<'_>, place: &Place, epoch: Epoch) -> Within<SlotId> {
    let found = Description::of(&tx.partition(place.partition)?);
    Ok(found.and_then(|found| match found.epoch == epoch && !found.initialised {
        true => Ok(found.slot),
        false => Err(Reason::TokenChanged),
    }))
}

/// The objects in parts of at most so many bytes each; one part where there are none.
fn batches(objects: &[Object], bytes_max: usize) -> Vec<&[Object]> {
    let (mut parts, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (number, object) in objects.iter().enumerate() {
        let more = object.content().len() + RECORD_OVERHEAD_BYTES;
        if bytes + more > bytes_max && number > start {
            parts.push(&objects[start..number]);
            (start, bytes) = (number, 0);
        }
        bytes += more;
    }
    parts.push(&objects[start..]);
    parts
}

/// What a record takes beside its content, generously: its key, its seal, its line in the change list.
const RECORD_OVERHEAD_BYTES: usize = 256;
