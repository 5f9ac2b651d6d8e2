//! Examining the store and removing what is damaged in it, for the operator. No function of PKCS#11 does this.
//!
//! Owns: which slot and object a damaged value belongs to, and the rule that only a damaged record can be removed here.
//! Does not know: how values are sealed (the store says which do not open). Called from `admin`.

use crate::hsm::Hsm;
use crate::object::Object;
use crate::reason::{Reason, Result};
use crate::slot::Description;
use crate::types::{SessionHandle, SlotId};
use std::collections::BTreeMap;
use token_store::{Damage, Examination, PartitionId, Place, RecordContent, RecordId, StoreError, View};

/// What an examination of the whole store found.
#[derive(Debug, Clone, Default)]
pub struct Examined {
    /// How many values were looked at.
    pub values: usize,
    /// Private objects that nobody is logged in for: only their shape was looked at.
    pub closed: BTreeMap<SlotId, usize>,
    /// What is not as it should be.
    pub flaws: Vec<StoreFlaw>,
    /// What the store keeps twice and cannot be read in one place, in words; nothing is lost by that.
    pub bad_copies: Vec<String>,
}

/// A value of the store that is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreFlaw {
    /// The slot it belongs to; `None` when that cannot be told.
    pub slot: Option<SlotId>,
    /// Which value.
    pub place: Place,
    /// What is wrong.
    pub wrong: Wrong,
}

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It does not open.
    Sealed(Damage),
    /// It opens, and what is inside cannot be read.
    Content,
}

impl Hsm {
    /// Looks at every value of the store. Private objects are opened in the tokens where this process is logged in.
    ///
    /// # Errors
    /// The store's; damage is a finding and no error.
    pub fn examine(&self) -> Result<Examined> {
        self.catalogue.refresh()?;
        let tokens = self.catalogue.tokens();
        let opened: Vec<_> =
            tokens.iter().filter_map(|(_, token)| token.private_key().map(|(_, key)| (token.partition, key))).collect();
        let (found, slots, unread) = self.platform.store.view(|view| {
            let mut slots = BTreeMap::new();
            let mut unread = Vec::new();
            for entry in view.partitions()? {
                if let Ok(description) = Description::of(&entry) {
                    slots.insert(entry.id, description.slot);
                } else if !entry.damaged {
                    unread.push(Place::Partition(entry.id));
                }
                let key = opened.iter().find(|(partition, _)| *partition == entry.id).map(|(_, key)| key);
                for record in view.records(entry.id, key)? {
                    if let RecordContent::Open(content) = &record.content
                        && Object::check(content.expose()).is_err()
                    {
                        unread.push(Place::Record(entry.id, record.id));
                    }
                }
            }
            Ok((view.examine(&opened)?, slots, unread))
        })?;
        let bad_copies = self.platform.store.bad_copies()?.iter().map(StoreError::to_string).collect();
        Ok(Examined { bad_copies, ..named(found, &slots, unread) })
    }

    /// Removes one record of a token that does not open or decode. Whole objects are destroyed with C_DestroyObject, by who may.
    ///
    /// # Errors
    /// `Store(NoRecord)`, `NotDamaged`, `NotLoggedIn` for a private record whose damage only its user can see,
    /// `SessionReadOnly`, `TokenChanged`, the store's.
    pub fn remove_damaged(&self, session: SessionHandle, record: RecordId) -> Result<()> {
        let token = self.with_session(session, |session| match session.read_write {
            true => Ok(session.token.clone()),
            false => Err(Reason::SessionReadOnly),
        })?;
        self.catalogue.refresh()?;
        let key = token.private_key().map(|(_, key)| key);
        self.catalogue.write(&token, token.epoch(), |tx, _| {
            let view: &View<'_> = tx;
            let entry = view.record(token.partition, record, key.as_ref())?.ok_or(StoreError::NoRecord)?;
            match entry.content {
                RecordContent::Closed => return Ok(Err(Reason::NotLoggedIn)),
                RecordContent::Open(content) if Object::check(content.expose()).is_ok() => {
                    return Ok(Err(Reason::NotDamaged));
                }
                RecordContent::Open(_) | RecordContent::Damaged => {}
            }
            tx.delete_record(token.partition, record)?;
            Ok(Ok(()))
        })
    }
}

/// Names the slots in what the store found.
fn named(found: Examination, slots: &BTreeMap<PartitionId, SlotId>, unread: Vec<Place>) -> Examined {
    let slot = |place: Place| place.partition().and_then(|partition| slots.get(&partition)).copied();
    let sealed = found.flaws.into_iter().map(|flaw| (flaw.place, Wrong::Sealed(flaw.damage)));
    let content = unread.into_iter().map(|place| (place, Wrong::Content));
    let flaws = sealed.chain(content).map(|(place, wrong)| StoreFlaw { slot: slot(place), place, wrong }).collect();
    let closed = found.closed.iter().filter_map(|(partition, count)| Some((*slots.get(partition)?, *count))).collect();
    Examined { values: found.values, closed, flaws, bad_copies: Vec::new() }
}
