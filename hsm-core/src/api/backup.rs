//! Backup and restore of tokens, for the operator. No function of PKCS#11 does this.
//!
//! Owns: which tokens go into a backup, which may come out of it beside those that are there, and which slots they
//! get. Does not know: the form and the encryption of a backup, files, PINs. Called from `admin`.
//! Rule source: docs/format.md, "Content of a backup".

use crate::catalogue::Within;
use crate::hsm::Hsm;
use crate::limits::SLOTS_MAX;
use crate::object::Object;
use crate::reason::{Reason, Result};
use crate::role::Role;
use crate::slot::{Description, next_number};
use crate::types::SlotId;
use std::collections::BTreeSet;
use token_store::{BackedUp, Backup, PartitionId, Placement, RoleState, View};

/// What a token in a backup is.
pub struct BackupToken {
    /// The slot in which it was.
    pub slot: SlotId,
    /// Its label, blank-padded.
    pub label: [u8; 32],
    /// Its serial number.
    pub serial: [u8; 16],
    /// The roles that have a PIN.
    pub roles: Vec<(Role, RoleState)>,
    /// Public objects.
    pub public_objects: usize,
    /// Private objects, which stay sealed.
    pub private_objects: usize,
    /// Public objects that do not decode; they were damaged when the backup was made.
    pub damaged: usize,
}

impl BackupToken {
    /// Reads what a backup says about a token, and decodes all of its public objects.
    ///
    /// # Errors
    /// `Damaged`, `Store(FormatVersion)`.
    pub fn of(token: &BackedUp) -> Result<Self> {
        let description = description(token)?;
        let (mut public_objects, mut damaged) = (0, 0);
        for (_, content) in token.public_records() {
            public_objects += 1;
            damaged += usize::from(Object::check(content.expose()).is_err());
        }
        let roles = token.roles().into_iter();
        let roles = roles.filter_map(|(id, state)| Some((Role::by_store_id(id)?.role, state))).collect();
        Ok(Self {
            slot: description.slot,
            label: description.label,
            serial: description.serial,
            roles,
            public_objects,
            private_objects: token.private_records(),
            damaged,
        })
    }
}

impl Hsm {
    /// Takes a copy of the tokens in these slots, or of all, at one generation; answers also what is left out because it is damaged.
    /// Needs no PIN: private objects and PINs stay sealed in it, and work where the backup is restored.
    ///
    /// # Errors
    /// `SlotUnknown`, `TokenNotInitialized`, the store's.
    pub fn backup(&self, slots: Option<&[SlotId]>) -> Result<(Backup, Vec<String>)> {
        let made = u64::try_from(self.platform.clock.unix_seconds()).unwrap_or(0);
        let mut refused = None;
        let mut unread = Vec::new();
        let taken = self.platform.store.export(made, |view| match choose(view, slots, &mut unread)? {
            Ok(chosen) => Ok(chosen),
            Err(reason) => {
                refused = Some(reason);
                Ok(Vec::new())
            }
        })?;
        match refused {
            Some(reason) => Err(reason),
            None => Ok((taken.0, [unread, taken.1].concat())),
        }
    }

    /// Puts tokens of a backup into the store, all or none, and answers their slots. Serials, labels, PINs and counted wrong
    /// PINs stay. A token gets the slot it had where that is free, else a new one. With `replace` a token that is there already (with the same
    /// serial) is replaced; wrong PINs that were counted for the same PIN stay counted.
    ///
    /// # Errors
    /// `TokenPresent`, `SessionExists` when this process uses what would be replaced, `SlotsFull`, `Damaged`, the store's.
    pub fn restore(&self, tokens: &[&BackedUp], replace: bool) -> Result<Vec<SlotId>> {
        let wanted = tokens.iter().map(|token| description(token)).collect::<Result<Vec<_>>>()?;
        let serials: BTreeSet<_> = wanted.iter().map(|description| description.serial).collect();
        if serials.len() != wanted.len() {
            return Err(Reason::Damaged("two tokens of the backup have the same serial number"));
        }
        // A new epoch each: whoever knew the token before sees that it is another one now.
        let random = &*self.platform.random;
        let wanted = wanted.iter().map(|wanted| wanted.initialised(&wanted.label, wanted.policy, random));
        let wanted = wanted.collect::<Result<Vec<_>>>()?;
        self.catalogue.refresh()?;
        for (_, token) in self.catalogue.tokens() {
            if serials.contains(&token.facts().description.serial) && !token.sessions().is_empty() {
                return Err(Reason::SessionExists);
            }
        }
        let mut slots = Vec::new();
        self.catalogue.replace(|store| {
            store.restore(tokens, |view| {
                Ok(place(view, &wanted, replace)?.map(|places| {
                    slots = places.iter().map(|place| place.0).collect();
                    places.into_iter().map(|place| place.1).collect()
                }))
            })
        })?;
        self.catalogue.add_missing_slot(&self.platform, &self.config)?;
        Ok(slots)
    }
}

/// The description of a token in a backup, which holds initialised ones only.
fn description(token: &BackedUp) -> Result<Description> {
    let description = Description::decode(token.meta.expose())?;
    match description.initialised {
        true => Ok(description),
        false => Err(Reason::Damaged("a token of the backup is not initialised")),
    }
}

/// The partitions of the wanted slots; what cannot be read at all is named in `unread` when everything is wanted.
fn choose(view: &View<'_>, slots: Option<&[SlotId]>, unread: &mut Vec<String>) -> Within<Vec<PartitionId>> {
    let entries = view.partitions()?;
    let mut tokens = Vec::new();
    for entry in &entries {
        match Description::of(entry) {
            Ok(description) => tokens.push((entry.id, description)),
            Err(reason) => unread.push(format!("a slot: {reason}")),
        }
    }
    let Some(slots) = slots else {
        return Ok(Ok(tokens.into_iter().filter(|(_, token)| token.initialised).map(|(id, _)| id).collect()));
    };
    unread.clear();
    let find = |slot: &SlotId| match tokens.iter().find(|(_, token)| token.slot == *slot) {
        None => Err(Reason::SlotUnknown(slot.0)),
        Some((_, token)) if !token.initialised => Err(Reason::TokenNotInitialized),
        Some((id, _)) => Ok(*id),
    };
    Ok(slots.iter().map(find).collect())
}

/// Where each token goes, and its slot.
fn place(view: &View<'_>, wanted: &[Description], replace: bool) -> Within<Vec<(SlotId, Placement)>> {
    let entries = view.partitions()?;
    let mut present: Vec<(PartitionId, Description)> =
        entries.iter().filter_map(|entry| Some((entry.id, Description::of(entry).ok()?))).collect();
    // The slot of a description that does not open is not known, so no number is taken for free then.
    let hidden = entries.len() - present.len();
    // Where there is no next number, there may still be one to replace; the count is looked at in the end.
    let mut next = next_number(&entries).map_or(SLOTS_MAX as u64, |slot| slot.0);
    let mut places = Vec::with_capacity(wanted.len());
    for token in wanted {
        let twin = present.iter().position(|(_, other)| other.serial == token.serial);
        let blank = || present.iter().position(|(_, other)| other.slot == token.slot && never_used(other));
        let held = present.iter().any(|(_, other)| other.slot == token.slot);
        let (slot, replaces) = match twin.or_else(|| blank().filter(|_| hidden == 0)) {
            Some(place) => {
                let (id, other) = &present[place];
                if other.initialised && !replace {
                    return Ok(Err(present_already(other)));
                }
                (other.slot, Some((place, *id)))
            }
            None if !held && hidden == 0 && token.slot.0 < SLOTS_MAX as u64 => (token.slot, None),
            None => (SlotId(next), None),
        };
        next = next.max(slot.0 + 1);
        if let Some((place, _)) = replaces {
            present.remove(place);
        }
        let description = Description { slot, ..token.clone() };
        present.push((PartitionId([0; 16]), description.clone()));
        places.push((slot, Placement { meta: description.encode(), replaces: replaces.map(|(_, id)| id) }));
    }
    if present.len() + hidden > SLOTS_MAX { Ok(Err(Reason::SlotsFull)) } else { Ok(Ok(places)) }
}

/// Whether a slot has never held a token, so that nobody knows its serial number.
fn never_used(description: &Description) -> bool {
    !description.initialised && description.epoch == [0; 16]
}

/// Says which token is in the way of another one.
pub(super) fn present_already(description: &Description) -> Reason {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    Reason::TokenPresent {
        label: text(&description.label),
        serial: text(&description.serial),
        slot: description.slot.0,
    }
}
