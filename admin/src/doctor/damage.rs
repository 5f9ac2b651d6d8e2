//! What is damaged in the store, told so that a person can act on it.
//!
//! Owns: the words for each kind of value and damage, and the advice. Does not know: how damage is found
//! ([`hsm_core::Hsm::examine`]). Called from `tokens`.

use super::Finding;
use super::Status::{Info, Problem, Warning};
use crate::output::hex;
use hsm_core::role::Role;
use hsm_core::{Damage, Examined, PartitionId, Place, SlotId, StoreFlaw, Wrong};

/// Adds what is damaged in a token; answers the roles among it.
pub fn of_token(name: &str, slot: SlotId, examined: &Examined, findings: &mut Vec<Finding>) -> Vec<Role> {
    let flaws: Vec<_> = examined.flaws.iter().filter(|flaw| flaw.slot == Some(slot)).collect();
    for flaw in &flaws {
        let text = format!("{name}: {} {}", what(flaw.place), wrong(flaw));
        findings.push(Finding::new("token", Problem, text).advise(advice(flaw)));
    }
    flaws.iter().filter_map(|flaw| role(flaw.place)).collect()
}

/// Adds what is damaged and belongs to none of the tokens that were `told` of, and how much was looked at when anything
/// is damaged at all.
pub fn elsewhere(told: &[SlotId], examined: &Examined, findings: &mut Vec<Finding>) {
    for flaw in examined.flaws.iter().filter(|flaw| flaw.slot.is_none_or(|slot| !told.contains(&slot))) {
        let status = match flaw.place {
            // Nothing is lost with these.
            Place::Changes(_) | Place::Unknown => Warning,
            Place::Partition(_) | Place::Origin(_) | Place::Role(..) | Place::Record(..) => Problem,
        };
        let place = match flaw.place {
            Place::Role(partition, _) | Place::Record(partition, _) => {
                format!("{} of partition {}", what(flaw.place), id(partition))
            }
            _ => what(flaw.place),
        };
        let text = format!("{place} {}", wrong(flaw));
        findings.push(Finding::new("store", status, text).advise(advice(flaw)));
    }
    for copy in &examined.bad_copies {
        let text = format!("one of the two copies that the store keeps is damaged: {copy}");
        let advice = "nothing is lost, the other one holds the same; the next change makes this one anew";
        findings.push(Finding::new("store", Warning, text).advise(advice));
    }
    if !examined.flaws.is_empty() {
        let good = examined.values.saturating_sub(examined.flaws.len());
        let text = format!("{good} of {} values in the store are as they should be", examined.values);
        findings.push(Finding::new("store", Info, text));
    }
}

/// Names a value.
fn what(place: Place) -> String {
    match place {
        Place::Partition(partition) => format!("the description of partition {}", id(partition)),
        Place::Origin(partition) => format!("the birthplace of partition {}", id(partition)),
        Place::Role(..) => match role(place) {
            Some(Role::SecurityOfficer) => "the PIN record of the so".to_owned(),
            Some(Role::CryptoOfficer) => "the PIN record of the user".to_owned(),
            Some(_) | None => "the PIN record of a role".to_owned(),
        },
        Place::Record(_, record) => format!("object {}", hex(&record.0)),
        Place::Changes(generation) => format!("the change list of generation {generation}"),
        Place::Unknown => "a value under a key of no known kind".to_owned(),
    }
}

/// Says what is wrong with it.
fn wrong(flaw: &StoreFlaw) -> String {
    match flaw.wrong {
        Wrong::Content => "opens and cannot be read".to_owned(),
        Wrong::Sealed(Damage::Cut) => "does not open: it is cut off or overwritten".to_owned(),
        Wrong::Sealed(Damage::Edited) => "does not open: it was edited, or is from another store".to_owned(),
        Wrong::Sealed(Damage::Orphaned) => "is left over: its partition is not there".to_owned(),
        Wrong::Sealed(Damage::Moved(from)) => {
            let partition = from.partition().filter(|partition| Some(*partition) != flaw.place.partition());
            let of = partition.map(|partition| format!(" of partition {}", id(partition))).unwrap_or_default();
            format!("does not open: it was moved, and is the value of {}{of}", what(from))
        }
    }
}

fn advice(flaw: &StoreFlaw) -> String {
    let slot = flaw.slot.map(|slot| slot.0);
    match (flaw.place, slot) {
        (Place::Record(_, record), Some(slot)) => format!(
            "the other objects work; bring this one back from a backup, or remove it: perilune delete --slot {slot} \
             --record {}",
            hex(&record.0)
        ),
        (Place::Role(..), Some(slot)) => match role(flaw.place) {
            Some(Role::SecurityOfficer) => {
                "bring the token back from a backup; until then the user works on, and nobody can reset his PIN"
                    .to_owned()
            }
            _ => format!(
                "`perilune pin reset --slot {slot}` with the Security Officer's PIN makes a new one; all keys stay"
            ),
        },
        (Place::Changes(_), _) => "nothing needs to be done: running programs read everything anew once".to_owned(),
        (Place::Unknown, _) => "nothing uses it".to_owned(),
        (Place::Partition(_) | Place::Origin(_) | Place::Role(..) | Place::Record(..), _) => {
            "bring the token back from a backup; the other tokens work".to_owned()
        }
    }
}

fn role(place: Place) -> Option<Role> {
    match place {
        Place::Role(_, role) => Role::by_store_id(role).map(|row| row.role),
        Place::Partition(_) | Place::Origin(_) | Place::Record(..) | Place::Changes(_) | Place::Unknown => None,
    }
}

fn id(partition: PartitionId) -> String {
    hex(&partition.0)
}
