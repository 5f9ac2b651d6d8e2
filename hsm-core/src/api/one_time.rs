//! The indices of stateful keys: reserved for good before anything is signed with them.
//!
//! Owns: where the count of a key is kept and when it is written. Does not know: signatures, the form of the count (`stateful`).
//! Called by a signature that is about to be made, under its session's lock.
//! Rule source: PKCS#11 v3.2, 6.65; SP 800-208, 8.1 ("update the state before the signature is released").
//!
//! The next index of a key of the token is read and raised in one transaction of the store, which is synced when this answers. So two
//! threads, processes or machines on one store never have the same index, and a crash at any moment loses an index and never gives one twice.
//! There is no reserve of several: a crash would lose all of it, and a signature takes longer than a sync.

use crate::attributes;
use crate::hsm::Hsm;
use crate::index::Held;
use crate::object::Object;
use crate::platform::{Env, OneTime};
use crate::reason::{Reason, Result};
use crate::stateful;
use crate::template::Template;
use crate::token::Token;
use crate::types::ObjectHandle;
use ffi_headers::CKA_UNIQUE_ID;
use std::sync::Arc;
use token_store::RecordId;

/// The stateful keys of a token.
pub(super) struct Indices<'a> {
    hsm: &'a Hsm,
    token: &'a Token,
}

impl Hsm {
    /// The stateful keys of a token, whose indices its signatures use up.
    pub(super) fn indices<'a>(&'a self, token: &'a Token) -> Indices<'a> {
        Indices { hsm: self, token }
    }

    fn held_by(&self, token: &Token, handle: ObjectHandle) -> Result<Option<Held>> {
        self.catalogue.look(token, |token| token.object(handle))
    }
}

impl<'a> Indices<'a> {
    /// What mechanisms see, these keys among it.
    pub(super) fn env(&'a self) -> Env<'a> {
        Env { one_time: Some(self), ..self.hsm.platform.env(self.token.policy()) }
    }

    /// Takes the next index of a record's key.
    fn of_record(&self, record: RecordId) -> Result<u64> {
        let mut taken = None;
        self.hsm.catalogue.change_record(
            self.token,
            record,
            || Reason::KeyExhausted,
            |present| {
                let (index, rest) = stateful::advance(&present, Some(self.token.partition))?;
                taken = Some(index);
                Ok(rest)
            },
        )?;
        taken.ok_or(Reason::Internal("a transaction ended well and did nothing"))
    }

    /// Takes the next index of a session object. It ends with its session and is in no other process.
    fn of_session_object(&self, handle: ObjectHandle) -> Result<u64> {
        self.hsm.catalogue.in_turn(|| {
            // Read in turn, so that two threads do not take the same.
            let held = self.hsm.held_by(self.token, handle)?.ok_or(Reason::KeyExhausted)?;
            let (index, rest) = stateful::advance(&held.object, None)?;
            self.token.replace_session_object(handle, Arc::new(rest))?;
            Ok(index)
        })
    }
}

impl OneTime for Indices<'_> {
    fn reserve(&self, unique_id: &[u8]) -> Result<u64> {
        let template = Template::default().with(CKA_UNIQUE_ID, unique_id);
        let is_key = |object: &Object| stateful::is_private(object) && attributes::matches(object, &template);
        let found = self.hsm.catalogue.look(self.token, |token| token.search(&template, is_key))??;
        // A key that was destroyed since the operation began has nothing left.
        let handle = *found.first().ok_or(Reason::KeyExhausted)?;
        let held = self.hsm.held_by(self.token, handle)?.ok_or(Reason::KeyExhausted)?;
        match held.record() {
            Some(record) => self.of_record(record),
            None => self.of_session_object(handle),
        }
    }
}
