//! Sessions, login and PINs: C_InitPIN to C_Logout, random (v2.40, 5.5, 5.6 and 5.15).
//!
//! Owns: the order in which PIN lengths, session states and PINs are judged. Does not know: how a PIN
//! is verified (the store's) or what a login shows (the token's). Argon2 runs under no lock here, and once for each PIN
//! that somebody wants to be let in with: a wrong one, one that is too short or too long, one for a locked role or for a
//! role without a PIN cost the same.

use super::slots::RAN_TWICE;
use crate::hsm::Hsm;
use crate::limits::{PIN_BYTES_MAX, PIN_BYTES_MIN, RANDOM_BYTES_MAX};
use crate::reason::{Reason, Result};
use crate::role::Role;
use crate::token::{Login, Token};
use crate::types::{OperationKind, SessionHandle, SessionInfo, SlotId};
use crate::validation;
use ffi_headers::*;
use hsm_crypto::{SecretBytes, memory};
use std::sync::Arc;
use token_store::StoreError;

impl Hsm {
    /// C_OpenSession.
    ///
    /// # Errors
    /// `SlotUnknown`, `TokenNotInitialized`, `SessionReadWriteSoExists`, `SessionCount`, the store's.
    pub fn open_session(&self, slot: SlotId, read_write: bool) -> Result<SessionHandle> {
        let open = |token: &Arc<Token>| {
            token.admits_session(read_write)?;
            let session = self.sessions.open(token.clone(), read_write)?;
            // Somebody may have logged in in between.
            token.enter(session, read_write).or_else(|reason| self.sessions.close(session, |_| {}).and(Err(reason)))?;
            Ok(session)
        };
        // What another process does to a token ends no session, so one may be opened on what is known. Only a token that
        // is not there yet is worth a look at the store.
        match self.catalogue.with_token(slot, open) {
            Err(Reason::SlotUnknown(_) | Reason::TokenNotInitialized) => open(&self.token(slot)?),
            answer => answer,
        }
    }

    /// C_CloseSession: its operations end, its objects die, and with the last session of a token the login ends.
    ///
    /// # Errors
    /// `SessionUnknown`.
    pub fn close_session(&self, session: SessionHandle) -> Result<()> {
        self.sessions.close(session, |token| token.leave(session))
    }

    /// C_CloseAllSessions of a slot; waits for calls that other threads have under way on them.
    ///
    /// # Errors
    /// `SlotUnknown`, the store's.
    pub fn close_all_sessions(&self, slot: SlotId) -> Result<()> {
        let token = self.token(slot)?;
        for session in token.sessions() {
            match self.close_session(session) {
                // Another thread was faster; closed is closed.
                Ok(()) | Err(Reason::SessionUnknown(_)) => {}
                Err(reason) => return Err(reason),
            }
        }
        Ok(())
    }

    /// C_GetSessionValidationFlags of the type CKS_LAST_VALIDATION_OK: one flag for each validation that the configuration declares,
    /// where the session's last operation met what a validated module may do, which is the approved mode; else none. A session
    /// that was open when its token went into that mode may have begun an operation before, and never has a flag.
    ///
    /// # Errors
    /// `SessionUnknown`, `SessionFaulted`, the store's.
    pub fn last_validation_flags(&self, session: SessionHandle) -> Result<u64> {
        self.catalogue.refresh()?;
        self.with_session(session, |session| {
            let approved = session.approved && session.policy().approved;
            Ok(if approved { validation::flags(self.config.validations.len()) } else { 0 })
        })
    }

    /// C_GetSessionInfo.
    ///
    /// # Errors
    /// `SessionUnknown`, `SessionFaulted`, the store's.
    pub fn session_info(&self, session: SessionHandle) -> Result<SessionInfo> {
        self.catalogue.refresh()?;
        self.with_session(session, |session| {
            let state = match (session.standing().role, session.read_write) {
                (Some(Role::SecurityOfficer), _) => CKS_RW_SO_FUNCTIONS,
                (Some(_), true) => CKS_RW_USER_FUNCTIONS,
                (Some(_), false) => CKS_RO_USER_FUNCTIONS,
                (None, true) => CKS_RW_PUBLIC_SESSION,
                (None, false) => CKS_RO_PUBLIC_SESSION,
            };
            let read_write = if session.read_write { CKF_RW_SESSION } else { 0 };
            let asynchronous = if session.asynchronous { CKF_ASYNC_SESSION } else { 0 };
            Ok(SessionInfo {
                slot: session.token.slot(),
                state,
                flags: CKF_SERIAL_SESSION | read_write | asynchronous,
                device_error: 0,
            })
        })
    }

    /// C_Login, for the whole token in this process; with `CKU_CONTEXT_SPECIFIC` for the operation that asks for it.
    /// Writes nothing to the store unless a counter of wrong PINs changes.
    ///
    /// # Errors
    /// `SessionUnknown`, `UserType`, `AlreadyLoggedIn`, `AnotherLoggedIn`, `SessionReadOnlyExists`,
    /// `UserPinNotInitialized`, `PinLength` (costs no try), `PinIncorrect`, `PinLocked`, `OperationNotInitialized`
    /// (context-specific, costs no try), `TokenChanged`, the store's.
    pub fn login(&self, session: SessionHandle, user_type: u64, pin: &SecretBytes) -> Result<()> {
        let token = self.token_of(session)?;
        self.catalogue.refresh()?;
        if user_type == CKU_CONTEXT_SPECIFIC {
            return self.context_login(session, pin);
        }
        let row = Role::by_user_type(user_type).filter(|row| row.available).ok_or(Reason::UserType(user_type))?;
        let epoch = token.admits(row.role)?;
        self.judge_pin_to_verify(&token, row.role, pin)?;
        let key = self.platform.store.login(token.partition, row.store_id, pin).map_err(pin_reason)?;
        self.catalogue.begin_login(&token, session, Login { role: row.role, key }, epoch)?;
        tracing::debug!(slot = token.slot().0, role = row.name, "logged in");
        Ok(())
    }

    /// Verifies the PIN of whoever is logged in, for the operation of this session that asks for it.
    fn context_login(&self, session: SessionHandle, pin: &SecretBytes) -> Result<()> {
        let (token, role, named) = self.with_session(session, |session| {
            let now = session.standing();
            let named = session.operations.asks_context(now).ok_or(Reason::OperationNotInitialized)?;
            Ok((session.token.clone(), now.role.ok_or(Reason::NotLoggedIn)?, named))
        })?;
        self.judge_pin_to_verify(&token, role, pin)?;
        self.platform.store.login(token.partition, role.row().store_id, pin).map_err(pin_reason)?;
        self.with_session(session, |session| session.operations.grant_context(named))
    }

    /// C_Logout: private objects vanish, private session objects are destroyed, and the operations of all the
    /// token's sessions that depend on the login end.
    ///
    /// # Errors
    /// `SessionUnknown`, `NotLoggedIn`.
    pub fn logout(&self, session: SessionHandle) -> Result<()> {
        let token = self.token_of(session)?;
        token.logout()?;
        // No operation outlives its login in any case; this wipes their keys now and not at their next call.
        for other in token.sessions() {
            let ended = self.sessions.with_faulted(other, |other| {
                let now = other.standing();
                other.operations.end_void(now);
                Ok(())
            });
            match ended {
                Ok(()) | Err(Reason::SessionUnknown(_)) => {}
                Err(reason) => return Err(reason),
            }
        }
        Ok(())
    }

    /// C_InitPIN: gives the user a (new) PIN and unlocks it. The user's objects stay.
    ///
    /// # Errors
    /// `SessionUnknown`, `NotLoggedIn` unless the SO is, `PinLength`, `TokenChanged`, the store's.
    pub fn init_pin(&self, session: SessionHandle, pin: &SecretBytes) -> Result<()> {
        let token = self.token_of(session)?;
        self.catalogue.refresh()?;
        let (epoch, login) = token.login_of_epoch().ok_or(Reason::NotLoggedIn)?;
        if login.role != Role::SecurityOfficer {
            return Err(Reason::NotLoggedIn);
        }
        self.judge_pin_length(pin, self.pin_bytes_min())?;
        let row = Role::CryptoOfficer.row();
        let tries = self.config.user_tries_max;
        let role = self.platform.store.prepare_role(token.partition, row.store_id, pin, &login.key, tries)?;
        let mut role = Some(role);
        self.catalogue.write(&token, epoch, |tx, _| match role.take() {
            Some(role) => Ok(Ok(tx.put_role(role)?)),
            None => Ok(Err(RAN_TWICE)),
        })
    }

    /// C_SetPIN: the PIN of whoever is logged in, the user's in a public session. A wrong `old` counts as a try.
    ///
    /// # Errors
    /// `SessionUnknown`, `SessionReadOnly`, `PinLength` (costs no try), `PinIncorrect`, `PinLocked`,
    /// `UserPinNotInitialized`, `TokenChanged`, the store's.
    pub fn set_pin(&self, session: SessionHandle, old: &SecretBytes, new: &SecretBytes) -> Result<()> {
        let (token, role, read_write) = self.with_session(session, |session| {
            Ok((session.token.clone(), session.standing().role, session.read_write))
        })?;
        if !read_write {
            return Err(Reason::SessionReadOnly);
        }
        self.catalogue.refresh()?;
        let role = role.unwrap_or(Role::CryptoOfficer);
        // The lengths are judged before the PIN, so that a length error never costs a try.
        self.judge_pin_to_verify(&token, role, old)?;
        self.judge_pin_length(new, self.pin_bytes_min())?;
        let tries = match role {
            Role::SecurityOfficer => self.config.so_tries_max,
            Role::CryptoOfficer | Role::CryptoUser | Role::LimitedCryptoOfficer | Role::Auditor => {
                self.config.user_tries_max
            }
        };
        let (store, id) = (&self.platform.store, role.row().store_id);
        let epoch = token.epoch();
        let key = store.login(token.partition, id, old).map_err(pin_reason)?;
        let mut prepared = Some(store.prepare_role(token.partition, id, new, &key, tries)?);
        self.catalogue.write(&token, epoch, |tx, _| match prepared.take() {
            Some(prepared) => Ok(Ok(tx.put_role(prepared)?)),
            None => Ok(Err(RAN_TWICE)),
        })
    }

    /// C_SeedRandom.
    ///
    /// # Errors
    /// `SessionUnknown`, else always `SeedNotSupported`: the system seeds its source, and an answer of success
    /// would say that the caller's seed was mixed in. NSS, which seeds at each start, accepts that.
    pub fn seed_random(&self, session: SessionHandle, _seed: &[u8]) -> Result<()> {
        self.with_session(session, |_| Err(Reason::SeedNotSupported))
    }

    /// C_GenerateRandom.
    ///
    /// # Errors
    /// `SessionUnknown`, `ArgumentsBad` above the limit of one call, `HostMemory`, `Crypto(RandomFailed)`.
    pub fn random(&self, session: SessionHandle, bytes: usize) -> Result<Vec<u8>> {
        self.with_session(session, |_| Ok(()))?;
        if bytes > RANDOM_BYTES_MAX {
            return Err(Reason::ArgumentsBad("more random bytes than one call gives"));
        }
        let mut out = memory::zeroed(bytes)?;
        self.platform.random.fill(&mut out)?;
        Ok(out)
    }

    /// Ends an operation of a session, if both exist; the edge calls it when a call of the operation failed.
    pub fn cancel(&self, session: SessionHandle, operation: OperationKind) {
        // Without such a session there is nothing to end.
        let _ = self.sessions.with_faulted(session, |session| {
            session.operations.cancel(operation);
            Ok(())
        });
    }

    /// Ends an operation of a session at the caller's wish; says whether one was active.
    ///
    /// # Errors
    /// `SessionUnknown`, `SessionFaulted`.
    pub fn cancel_active(&self, session: SessionHandle, operation: OperationKind) -> Result<bool> {
        self.with_session(session, |session| {
            let now = session.standing();
            // Idle is the one good answer: whatever else it says, there is something to end.
            let active = session.operations.ensure_idle(operation, now).is_err();
            session.operations.cancel(operation);
            Ok(active)
        })
    }

    /// C_SessionCancel: ends those of the operations that are active, all in one step.
    ///
    /// # Errors
    /// `SessionUnknown`, `SessionFaulted`.
    pub fn cancel_all(
        &self,
        session: SessionHandle,
        operations: impl IntoIterator<Item = OperationKind>,
    ) -> Result<()> {
        self.with_session(session, |session| {
            operations.into_iter().for_each(|operation| session.operations.cancel(operation));
            Ok(())
        })
    }

    /// Puts a session out of use after a panic went through it: it answers `SessionFaulted` until it is closed.
    pub fn mark_faulted(&self, session: SessionHandle) {
        // Without such a session there is nothing to mark.
        let _ = self.sessions.with_faulted(session, |session| {
            session.faulted = true;
            session.operations = crate::operation::Operations::default();
            session.job = None;
            Ok(())
        });
    }

    /// Length of the shortest new PIN, bytes.
    pub(crate) fn pin_bytes_min(&self) -> usize {
        self.config.pin_bytes_min.clamp(PIN_BYTES_MIN, PIN_BYTES_MAX)
    }

    /// Refuses a PIN that somebody wants to be let in with and that has a length that no PIN can have; after the work that a
    /// wrong one costs, and without a try.
    pub(crate) fn judge_pin_to_verify(&self, token: &Token, role: Role, pin: &SecretBytes) -> Result<()> {
        self.judge_pin_length(pin, PIN_BYTES_MIN).or_else(|refused| {
            self.platform.store.login_refused(token.partition, role.row().store_id)?;
            Err(refused)
        })
    }

    /// Refuses a PIN of a length that no PIN can have, before anything looks at the PIN itself.
    pub(crate) fn judge_pin_length(&self, pin: &SecretBytes, min: usize) -> Result<()> {
        let (bytes, max) = (pin.len(), PIN_BYTES_MAX);
        if (min..=max).contains(&bytes) { Ok(()) } else { Err(Reason::PinLength { bytes, min, max }) }
    }
}

/// Says in the core's words what the store found about a PIN.
pub(super) fn pin_reason(error: StoreError) -> Reason {
    match error {
        StoreError::PinWrong { tries_left } => Reason::PinIncorrect { tries_left },
        StoreError::RoleLocked => Reason::PinLocked,
        StoreError::RoleNotSet => Reason::UserPinNotInitialized,
        other => Reason::Store(other),
    }
}
