//! C_GetOperationState and C_SetOperationState (v2.40, 5.6).
//!
//! Owns: that a state leaves sealed for this token and comes back unchanged or not at all. Does not know: what is in it
//! (`operation`), the keys that seal it (the store's).
//!
//! A state is sealed with a key of the store, so any session of any process on the same token can take it; whoever has the
//! bytes alone learns their length.

use crate::hsm::Hsm;
use crate::mechanisms;
use crate::operation::SavedDigest;
use crate::reason::{Reason, Result};
use crate::types::{Mechanism, Params, Reply, Room, SessionHandle};
use hsm_crypto::hash;

impl Hsm {
    /// C_GetOperationState. Takes the state out without changing it; so asking for its size does the work.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, `StateUnsaveable`, `BufferTooSmall`.
    pub fn operation_state(&self, session: SessionHandle, room: Room) -> Result<Reply> {
        self.with_session(session, |session| {
            let now = session.standing();
            let saved = session.operations.save(now)?;
            let (partition, epoch) = (session.token.partition, session.token.epoch());
            let sealed = self.platform.store.seal_for_partition(partition, &epoch, &saved)?;
            match room {
                Room::Ask => Ok(Reply::Size(sealed.len())),
                Room::Bytes(have) if have < sealed.len() => Err(Reason::BufferTooSmall { need: sealed.len() }),
                Room::Bytes(_) => Ok(Reply::Data(sealed)),
            }
        })
    }

    /// C_SetOperationState; `with_key` when the caller gives a key with it.
    ///
    /// # Errors
    /// `SessionUnknown`, `SavedStateInvalid`, `KeyNotNeeded`, `MechanismNotPermitted`; then nothing has changed.
    pub fn set_operation_state(&self, session: SessionHandle, sealed: &[u8], with_key: bool) -> Result<()> {
        self.with_session(session, |session| {
            let (partition, epoch) = (session.token.partition, session.token.epoch());
            let saved = self.platform.store.open_for_partition(partition, &epoch, sealed);
            let saved = saved.ok_or(Reason::SavedStateInvalid)?;
            let saved = SavedDigest::parse(saved.expose()).ok_or(Reason::SavedStateInvalid)?;
            if with_key {
                return Err(Reason::KeyNotNeeded);
            }
            let mechanism = Mechanism { kind: saved.kind, params: Params::None };
            let mut work = mechanisms::start_digest(&self.platform.env(session.policy()), &mechanism)?;
            if !saved.state.is_empty() {
                // Another version of the library may have sealed what this one does not understand.
                work.1 = hash::resume(work.0, saved.state).map_err(|_| Reason::SavedStateInvalid)?;
            } else if !saved.fresh {
                return Err(Reason::SavedStateInvalid);
            }
            session.operations.restore(work, saved.fresh);
            Ok(())
        })
    }
}
