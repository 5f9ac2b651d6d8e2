//! Key encapsulation (v3.2, 5.18.8 and 5.18.9).
//!
//! Owns: which handles are looked up as what, and that access is judged before a secret is made in vain. Does not know: the rules of
//! templates and mechanisms (`keys`). A ciphertext leaves only together with the handle of its key.

use super::crypto::known;
use crate::access;
use crate::hsm::Hsm;
use crate::keys::{self, Enclosed};
use crate::reason::{Reason, Result};
use crate::template::Template;
use crate::types::{Mechanism, ObjectHandle, Reply, Room, SessionHandle};

impl Hsm {
    /// C_EncapsulateKey: the ciphertext, and the handle of the new key unless the size alone was asked for.
    ///
    /// # Errors
    /// As `create_object`, `KeyUnknown`, `BufferTooSmall`, and as `keys::encapsulate_key`.
    pub fn encapsulate_key(
        &self,
        session: SessionHandle,
        mechanism: &Mechanism,
        public: ObjectHandle,
        template: &Template,
        room: Room,
    ) -> Result<(Reply, Option<ObjectHandle>)> {
        self.with_session(session, |session| {
            known(session.policy(), mechanism)?;
            self.catalogue.refresh()?;
            let public = self.key(session, public, Reason::KeyUnknown)?;
            access::check_template(session.subject(), template)?;
            let env = self.platform.env(session.policy());
            match keys::encapsulate_key(&env, session.actor(), mechanism, &public, template, room)? {
                Enclosed::Size(bytes) => Ok((Reply::Size(bytes), None)),
                Enclosed::Made(ciphertext, key) => {
                    let handle = self.keep_one(session, *key)?;
                    Ok((Reply::Data(ciphertext), Some(handle)))
                }
            }
        })
    }

    /// C_DecapsulateKey.
    ///
    /// # Errors
    /// As `create_object`, `UnwrappingKeyUnknown`, and as `keys::decapsulate_key`.
    pub fn decapsulate_key(
        &self,
        session: SessionHandle,
        mechanism: &Mechanism,
        private: ObjectHandle,
        ciphertext: &[u8],
        template: &Template,
    ) -> Result<ObjectHandle> {
        self.with_session(session, |session| {
            known(session.policy(), mechanism)?;
            self.catalogue.refresh()?;
            let private = self.key(session, private, Reason::UnwrappingKeyUnknown)?;
            access::check_template(session.subject(), template)?;
            let env = self.platform.env(session.policy());
            let key = keys::decapsulate_key(&env, session.actor(), mechanism, &private, ciphertext, template)?;
            self.keep_one(session, key)
        })
    }
}
