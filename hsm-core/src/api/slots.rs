//! Slots and tokens: C_GetInfo to C_InitToken (v2.40, 5.4 and 5.5).
//!
//! Owns: what slots and tokens tell about themselves, initialising and emptying a token. Does not
//! know: how descriptions are stored. All answers come from memory after one look at the generation.

use super::sessions::pin_reason;
use crate::catalogue::add_slot;
use crate::hsm::Hsm;
use crate::limits::PIN_BYTES_MAX;
use crate::mechanisms;
use crate::platform::utc_time;
use crate::policy::Policy;
use crate::reason::{Reason, Result};
use crate::role::Role;
use crate::slot::Description;
use crate::token::{Facts, Token};
use crate::types::{Info, MechanismInfo, SessionHandle, SlotId, SlotInfo, TokenInfo};
use ffi_headers::*;
use hsm_crypto::SecretBytes;
use std::sync::Arc;
use std::time::Duration;
use token_store::{RecordId, RoleState};

const MANUFACTURER: &str = "Perilune";
const MODEL: &str = "Perilune HSM";
const VERSION: (u8, u8) = (number(env!("CARGO_PKG_VERSION_MAJOR")), number(env!("CARGO_PKG_VERSION_MINOR")));

impl Hsm {
    /// C_GetInfo, less the version of the interface.
    #[must_use]
    pub fn info(&self) -> Info {
        Info { manufacturer: MANUFACTURER, description: "Perilune PKCS#11 library", version: VERSION }
    }

    /// C_GetSlotList: all slots by number. Every slot holds a token, initialised or not, so
    /// `token_present` leaves none out; `pkcs11-tool --init-token` relies on that.
    ///
    /// # Errors
    /// The store's.
    pub fn slots(&self, _token_present: bool) -> Result<Vec<SlotId>> {
        self.catalogue.refresh()?;
        Ok(self.catalogue.tokens().into_iter().map(|(slot, _)| slot).collect())
    }

    /// C_GetSlotInfo.
    ///
    /// # Errors
    /// `SlotUnknown`, the store's.
    pub fn slot_info(&self, slot: SlotId) -> Result<SlotInfo> {
        self.token(slot)?;
        Ok(SlotInfo {
            description: format!("Perilune slot {}", slot.0),
            manufacturer: MANUFACTURER.to_owned(),
            flags: CKF_TOKEN_PRESENT,
            hardware: VERSION,
            firmware: VERSION,
        })
    }

    /// C_GetTokenInfo.
    ///
    /// # Errors
    /// `SlotUnknown`, the store's.
    pub fn token_info(&self, slot: SlotId) -> Result<TokenInfo> {
        let facts = self.token(slot)?.facts();
        let protected = if self.platform.store.is_writable()? { 0 } else { CKF_WRITE_PROTECTED };
        let asynchronous = if self.asynchronous { CKF_ASYNC_SESSION_SUPPORTED } else { 0 };
        Ok(TokenInfo {
            label: facts.description.label,
            manufacturer: MANUFACTURER.to_owned(),
            model: MODEL.to_owned(),
            serial: facts.description.serial,
            flags: token_flags(&facts) | protected | asynchronous,
            sessions_max: CK_EFFECTIVELY_INFINITE,
            sessions: facts.sessions as u64,
            rw_sessions_max: CK_EFFECTIVELY_INFINITE,
            rw_sessions: facts.sessions_read_write as u64,
            pin_bytes_max: PIN_BYTES_MAX as u64,
            pin_bytes_min: self.pin_bytes_min() as u64,
            hardware: VERSION,
            firmware: VERSION,
            utc_time: utc_time(self.platform.clock.unix_seconds()),
        })
    }

    /// C_GetMechanismList.
    ///
    /// # Errors
    /// `SlotUnknown`, the store's.
    pub fn mechanism_list(&self, slot: SlotId) -> Result<Vec<u64>> {
        let policy = self.token(slot)?.policy();
        Ok(mechanisms::all().filter(|row| policy.info(row).is_some()).map(|row| row.kind).collect())
    }

    /// C_GetMechanismInfo.
    ///
    /// # Errors
    /// `SlotUnknown`, `MechanismUnknown`, the store's.
    pub fn mechanism_info(&self, slot: SlotId, kind: u64) -> Result<MechanismInfo> {
        let policy = self.token(slot)?.policy();
        mechanisms::find(kind).and_then(|row| policy.info(row)).ok_or(Reason::MechanismUnknown(kind))
    }

    /// What the token in a slot may do with which algorithm.
    ///
    /// # Errors
    /// `SlotUnknown`, the store's.
    pub fn policy(&self, slot: SlotId) -> Result<Policy> {
        Ok(self.token(slot)?.policy())
    }

    /// Decides what the token may do with which algorithm, for the SO who is logged in, from the next operation on in all processes.
    ///
    /// # Errors
    /// `SessionUnknown`, `NotLoggedIn` unless the SO is, `PolicyFixed` when the token would leave the approved mode,
    /// `TokenChanged`, the store's.
    pub fn set_policy(&self, session: SessionHandle, policy: Policy) -> Result<()> {
        let token = self.token_of(session)?;
        self.catalogue.refresh()?;
        let (epoch, login) = token.login_of_epoch().ok_or(Reason::NotLoggedIn)?;
        if login.role != Role::SecurityOfficer {
            return Err(Reason::NotLoggedIn);
        }
        self.catalogue.write(&token, epoch, |tx, description| {
            Ok(match description.policy.judge_change(policy) {
                Ok(()) => {
                    Ok(tx.put_partition(token.partition, &Description { policy, ..description.clone() }.encode())?)
                }
                Err(reason) => Err(reason),
            })
        })
    }

    /// C_InitToken. On a fresh token the PIN becomes the SO's; on an initialised one it must be the SO's,
    /// counts as a try, and everything in the token is destroyed. Slot number and serial stay.
    ///
    /// # Errors
    /// `PinLength` (costs no try), `SlotUnknown`, `SessionExists`, `PinIncorrect`, `PinLocked`, `TokenChanged`, the
    /// store's. A token whose SO is locked can only be emptied by the operator ([`Hsm::remove_token`]).
    pub fn init_token(&self, slot: SlotId, so_pin: &SecretBytes, label: &[u8; 32]) -> Result<()> {
        let token = self.idle_token(slot)?;
        let facts = token.facts();
        let so = Role::SecurityOfficer.row().store_id;
        let store = &self.platform.store;
        if facts.description.initialised {
            // The SO's PIN may be shorter than a minimum that was raised since.
            self.judge_pin_to_verify(&token, Role::SecurityOfficer, so_pin)?;
            store.login(token.partition, so, so_pin).map_err(pin_reason)?;
        } else {
            self.judge_pin_length(so_pin, self.pin_bytes_min())?;
        }
        let key = store.new_partition_key()?;
        let tries = self.config.so_tries_max;
        let mut role = Some(store.prepare_role(token.partition, so, so_pin, &key, tries)?);
        let next = facts.description.initialised(label, self.config.policy, &*self.platform.random)?;
        let blank = Description::new(slot, &*self.platform.random)?;
        self.catalogue.write(&token, facts.description.epoch, |tx, _| {
            let Some(role) = role.take() else { return Ok(Err(RAN_TWICE)) };
            tx.clear_partition(token.partition)?;
            tx.put_partition(token.partition, &next.encode())?;
            tx.put_role(role)?;
            add_slot(tx, &self.config, &blank, Some(token.partition))?;
            Ok(Ok(()))
        })
    }

    /// Empties a slot for the operator, who needs no PIN but the device key and the files: objects and roles are
    /// destroyed, the token is uninitialised again. Slot number and serial stay.
    ///
    /// # Errors
    /// `SlotUnknown`, `SessionExists`, `TokenChanged`, the store's.
    pub fn remove_token(&self, slot: SlotId) -> Result<()> {
        let token = self.idle_token(slot)?;
        let description = token.facts().description;
        let next = description.emptied(&*self.platform.random)?;
        self.catalogue.write(&token, description.epoch, |tx, _| {
            tx.clear_partition(token.partition)?;
            tx.put_partition(token.partition, &next.encode())?;
            Ok(Ok(()))
        })
    }

    /// C_WaitForSlotEvent: the slot of an event that nobody has heard of since the start, the lowest one if there are several.
    ///
    /// The caller's own thread waits, and holds nothing meanwhile: events of this process wake it at once; for those of others it looks
    /// at the generation of the store now and then, less and less often up to a quarter of a second.
    ///
    /// # Errors
    /// `NoEvent` unless it may `block`; `NotInitialized` as soon as the HSM is out of use; the store's.
    pub fn wait_for_slot_event(&self, block: bool) -> Result<SlotId> {
        let events = self.catalogue.events();
        let mut pause = LOOK_AGAIN_MIN;
        loop {
            self.catalogue.refresh()?;
            if let Some(slot) = events.take()? {
                return Ok(slot);
            }
            if !block {
                return Err(Reason::NoEvent);
            }
            events.sleep(pause);
            pause = (pause * 2).min(LOOK_AGAIN_MAX);
        }
    }

    /// Takes the HSM out of use: whoever waits for a slot event leaves, and what goes on by itself keeps nothing any more.
    pub fn close(&self) {
        self.catalogue.events().close();
    }

    /// The stored objects of a token that do not open or decode, private ones only while the user is logged in.
    ///
    /// # Errors
    /// `SlotUnknown`, the store's.
    pub fn damaged_records(&self, slot: SlotId) -> Result<Vec<RecordId>> {
        self.catalogue.look(&*self.token(slot)?, Token::damaged)
    }

    /// How many tries a role has had and may have; `None` when it has no PIN yet. C_GetTokenInfo tells it in three flags.
    ///
    /// # Errors
    /// `SlotUnknown`, the store's.
    pub fn role_state(&self, slot: SlotId, role: Role) -> Result<Option<RoleState>> {
        Ok(self.token(slot)?.facts().role(role))
    }

    /// The token in a slot, up to date.
    pub(crate) fn token(&self, slot: SlotId) -> Result<Arc<Token>> {
        self.catalogue.refresh()?;
        self.catalogue.token(slot)
    }

    /// The token in a slot on which this process has no session.
    fn idle_token(&self, slot: SlotId) -> Result<Arc<Token>> {
        let token = self.token(slot)?;
        if token.sessions().is_empty() { Ok(token) } else { Err(Reason::SessionExists) }
    }
}

/// How soon the first look at the store follows the one before, while a thread waits for a slot event.
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(4);
/// How late a thread that waits for a slot event may hear of what another process did.
const LOOK_AGAIN_MAX: Duration = Duration::from_millis(256);

/// The store promises to run a transaction once; were it to try again, the role's record would be gone.
pub(super) const RAN_TWICE: Reason = Reason::Internal("the store ran a transaction twice");

fn token_flags(facts: &Facts) -> u64 {
    let mut flags = CKF_RNG | CKF_CLOCK_ON_TOKEN;
    if facts.description.initialised {
        flags |= CKF_TOKEN_INITIALIZED | CKF_LOGIN_REQUIRED;
    }
    if let Some(so) = facts.role(Role::SecurityOfficer) {
        flags |= try_flags(so, CKF_SO_PIN_COUNT_LOW, CKF_SO_PIN_FINAL_TRY, CKF_SO_PIN_LOCKED);
    }
    if let Some(user) = facts.role(Role::CryptoOfficer) {
        flags |= CKF_USER_PIN_INITIALIZED;
        flags |= try_flags(user, CKF_USER_PIN_COUNT_LOW, CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED);
    }
    flags
}

fn try_flags(role: RoleState, low: u64, last: u64, locked: u64) -> u64 {
    let mut flags = 0;
    if role.failed > 0 {
        flags |= low;
    }
    if role.locked() {
        flags |= locked;
    } else if role.failed + 1 == role.failed_max {
        flags |= last;
    }
    flags
}

/// A part of the crate's version as a number.
const fn number(text: &str) -> u8 {
    let (mut value, mut place) = (0, 0);
    while place < text.len() {
        value = value * 10 + (text.as_bytes()[place] - b'0');
        place += 1;
    }
    value
}
