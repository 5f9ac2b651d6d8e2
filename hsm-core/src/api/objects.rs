//! Objects: create, copy, destroy, read, change and find them (v2.40, 5.7).
//!
//! Owns: where an object is kept (store or session) and in which order access, rules and the store are
//! asked. Does not know: which attribute may have which value (`attributes`), how records are sealed.

use crate::access::{self, Verb};
use crate::attributes::{self, Origin};
use crate::built_in;
use crate::hsm::Hsm;
use crate::index::{Held, Home};
use crate::object::{Attributes, Object};
use crate::operation::Tie;
use crate::reason::{Reason, Result};
use crate::recent::Recent;
use crate::session::Session;
use crate::stateful;
use crate::template::Template;
use crate::together::{Deed, Work};
use crate::token::Standing;
use crate::types::{Answer, ObjectHandle, OperationKind, SessionHandle};
use ffi_headers::{CKA_CLASS, CKA_TOKEN};
use std::sync::Arc;
use token_store::RecordId;

impl Hsm {
    /// C_CreateObject.
    ///
    /// # Errors
    /// `SessionUnknown`, `SessionReadOnly`, `NotLoggedIn`, `Template*`, `Attribute*`, the store's.
    pub fn create_object(&self, session: SessionHandle, template: &Template) -> Result<ObjectHandle> {
        self.with_session(session, |session| {
            self.look_for_new(&[template])?;
            access::check_template(session.subject(), template)?;
            let env = self.platform.env(session.policy());
            let object = attributes::build(&env, session.actor(), Origin::Create, template, Attributes::new())?;
            self.keep_one(session, object)
        })
    }

    /// C_CopyObject; an empty template makes a plain copy.
    ///
    /// # Errors
    /// As `create_object`, and `ObjectUnknown`, `ActionProhibited`, `BuiltIn`.
    pub fn copy_object(
        &self,
        session: SessionHandle,
        object: ObjectHandle,
        template: &Template,
    ) -> Result<ObjectHandle> {
        self.with_session(session, |session| {
            self.catalogue.refresh()?;
            let source = self.held(session, object, Verb::See)?;
            if source.home == Home::BuiltIn {
                return Err(Reason::BuiltIn);
            }
            let source = source.object;
            access::check_template(session.subject(), template)?;
            let copy = attributes::copy(&self.platform.env(session.policy()), session.actor(), &source, template)?;
            self.keep_one(session, copy)
        })
    }

    /// C_DestroyObject: durable before the handle disappears. Operations under way keep the key they began with.
    ///
    /// # Errors
    /// `SessionUnknown`, `ObjectUnknown`, `SessionReadOnly`, `ActionProhibited`, `BuiltIn`, the store's.
    pub fn destroy_object(&self, session: SessionHandle, object: ObjectHandle) -> Result<()> {
        self.with_session(session, |session| {
            if !session.token.is_session_object(object) {
                self.catalogue.refresh()?;
            }
            let held = self.held(session, object, Verb::Change)?;
            attributes::check_destroyable(&held.object)?;
            let Some(record) = held.record() else { return session.token.remove_session_object(object) };
            let token = session.token.clone();
            let deed = Deed { epoch: token.epoch(), token, work: Work::Delete(record, object) };
            let deleted = self.catalogue.write_together(deed);
            deleted.map(|_| ())
        })
    }

    /// C_GetObjectSize: bytes that the object takes in the store, sealing aside.
    ///
    /// # Errors
    /// `SessionUnknown`, `ObjectUnknown`, the store's.
    pub fn object_size(&self, session: SessionHandle, object: ObjectHandle) -> Result<usize> {
        self.with_session(session, |session| {
            self.catalogue.refresh()?;
            Ok(self.held(session, object, Verb::See)?.object.content().len())
        })
    }

    /// C_GetAttributeValue: an answer for each of `kinds`, in their order.
    ///
    /// # Errors
    /// `SessionUnknown`, `ObjectUnknown`, the store's.
    pub fn attributes(&self, session: SessionHandle, object: ObjectHandle, kinds: &[u64]) -> Result<Vec<Answer>> {
        self.with_session(session, |session| {
            self.catalogue.refresh()?;
            let object = self.held(session, object, Verb::See)?.object;
            let partition = session.token.partition;
            let answer = |kind: &u64| {
                stateful::lapsed(&object, partition, *kind).unwrap_or_else(|| attributes::answer(&object, *kind))
            };
            Ok(kinds.iter().map(answer).collect())
        })
    }

    /// C_SetAttributeValue: all changes or none, on what the object is in the store at that moment.
    ///
    /// # Errors
    /// `SessionUnknown`, `ObjectUnknown`, `SessionReadOnly`, `ActionProhibited`, `Attribute*`, `Template*`, the store's.
    pub fn set_attributes(&self, session: SessionHandle, object: ObjectHandle, template: &Template) -> Result<()> {
        self.with_session(session, |session| {
            self.catalogue.refresh()?;
            let held = self.held(session, object, Verb::Change)?;
            match held.record() {
                Some(record) => self.change_record(session, object, record, template),
                None => self.catalogue.in_turn(|| {
                    // Read anew in turn, so that two threads' changes both last.
                    let present = self.held(session, object, Verb::Change)?.object;
                    let changed =
                        attributes::modify(&self.platform.env(session.policy()), session.actor(), &present, template)?;
                    access::check_new(session.subject(), &changed)?;
                    session.token.replace_session_object(object, Arc::new(changed))
                }),
            }
        })
    }

    fn change_record(
        &self,
        session: &Session,
        handle: ObjectHandle,
        record: RecordId,
        template: &Template,
    ) -> Result<()> {
        let env = self.platform.env(session.policy());
        let gone = || Reason::ObjectUnknown(handle.0);
        self.catalogue.change_record(&session.token, record, gone, |present| {
            let changed = attributes::modify(&env, session.actor(), &present, template)?;
            access::check_new(session.subject(), &changed).map(|()| changed)
        })
    }

    /// C_FindObjectsInit: the search sees the objects of this moment, and what the token has by itself where it names the class.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationActive`, the store's.
    pub fn find_init(&self, session: SessionHandle, template: &Template) -> Result<()> {
        self.with_session(session, |session| {
            session.operations.ensure_idle(OperationKind::Find, session.token.standing())?;
            self.catalogue.refresh()?;
            let (subject, now) = (session.subject(), session.standing());
            let fits = |object: &Object| {
                access::check(subject, object, Verb::See).is_ok() && attributes::matches(object, template)
            };
            let by_class = |class| built_in::handles(class, session.policy(), &self.config.validations);
            let found = match template.number(CKA_CLASS).and_then(by_class) {
                Some(handles) => handles
                    .into_iter()
                    .filter(|handle| self.built_in(session, *handle).is_some_and(|object| fits(&object)))
                    .collect(),
                None => self.catalogue.look(&session.token, |token| token.search(template, fits))??,
            };
            let tie = if subject.sees_private() { Tie::to_login(now, false) } else { Tie::FREE };
            session.operations.start_find(found, tie);
            Ok(())
        })
    }

    /// C_FindObjects: the next handles, none when all have been given; objects destroyed meanwhile are left out.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`.
    pub fn find(&self, session: SessionHandle, most: usize) -> Result<Vec<ObjectHandle>> {
        self.with_session(session, |session| {
            let token = session.token.clone();
            let rest = session.operations.found(token.standing())?;
            Ok(token.still_visible(rest, most)?)
        })
    }

    /// C_FindObjectsFinal.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`.
    pub fn find_final(&self, session: SessionHandle) -> Result<()> {
        self.with_session(session, |session| {
            let now = session.standing();
            session.operations.end_find(now)
        })
    }

    /// The object behind a handle, if this session may do that to it.
    pub(super) fn held(&self, session: &Session, handle: ObjectHandle, verb: Verb) -> Result<Held> {
        let held = self.look_up(session, handle)?;
        judge(session, handle, &held.object, verb)?;
        if held.home == Home::BuiltIn && verb == Verb::Change { Err(Reason::BuiltIn) } else { Ok(held) }
    }

    /// The object behind a handle, whatever this session may do to it.
    fn look_up(&self, session: &Session, handle: ObjectHandle) -> Result<Held> {
        if built_in::is_built_in(handle) {
            let object = self.built_in(session, handle).ok_or(Reason::ObjectUnknown(handle.0))?;
            return Ok(Held { object: Arc::new(object), home: Home::BuiltIn });
        }
        let found = self.catalogue.look(&session.token, |token| token.object(handle))?;
        found.ok_or(Reason::ObjectUnknown(handle.0))
    }

    /// An object that the token has by itself.
    fn built_in(&self, session: &Session, handle: ObjectHandle) -> Option<Object> {
        built_in::object(handle, session.policy(), &self.config.validations, &*self.platform.clock)
    }

    /// As `held`, to use it in an operation: asks the index only when that changed since the session's last use of it, and the
    /// store only for an object that other processes may change. Says who was logged in before the look.
    pub(super) fn held_for_use(&self, session: &mut Session, handle: ObjectHandle) -> Result<(Arc<Object>, Standing)> {
        let known = session.recent.as_ref().and_then(|recent| recent.in_session(handle));
        if !known.unwrap_or_else(|| session.token.is_session_object(handle)) {
            self.catalogue.refresh()?;
        }
        // Read before the object: a logout in between voids the operation, it never frees it.
        let standing = session.standing();
        let changes = session.token.index_changes();
        let object = match session.recent.as_ref().and_then(|recent| recent.object(handle, changes)) {
            Some(object) => object,
            None => {
                let held = self.look_up(session, handle)?;
                session.recent = Some(Recent::new(handle, held.record().is_none(), changes, &held.object));
                held.object
            }
        };
        judge(session, handle, &object, Verb::Use)?;
        Ok((object, standing))
    }

    /// Looks at the store before new objects are made of these templates, if one of them asks for the token.
    ///
    /// An object of the session concerns no other process. Should the token be a new one by now, the next look destroys
    /// such objects with all others, and ends the login.
    pub(super) fn look_for_new(&self, templates: &[&Template]) -> Result<()> {
        // A template that says it twice is refused later.
        if templates.iter().any(|template| template.flag(CKA_TOKEN) == Some(true)) {
            self.catalogue.refresh()?;
        }
        Ok(())
    }

    /// Keeps a new object where it belongs.
    pub(super) fn keep_one(&self, session: &Session, object: Object) -> Result<ObjectHandle> {
        let [handle] = self.keep(session, [object])?;
        Ok(handle)
    }

    /// Keeps new objects, those for the store in one batch: after a crash all of them exist, or none.
    pub(super) fn keep<const N: usize>(&self, session: &Session, objects: [Object; N]) -> Result<[ObjectHandle; N]> {
        let objects = objects.map(Arc::new);
        let mut handles = [ObjectHandle(0); N];
        self.keep_at(session, &objects, &mut handles)?;
        Ok(handles)
    }

    /// As `keep`, for any number of objects.
    pub(super) fn keep_all(&self, session: &Session, objects: &[Arc<Object>]) -> Result<Vec<ObjectHandle>> {
        let mut handles = vec![ObjectHandle(0); objects.len()];
        self.keep_at(session, objects, &mut handles)?;
        Ok(handles)
    }

    fn keep_at(&self, session: &Session, objects: &[Arc<Object>], handles: &mut [ObjectHandle]) -> Result<()> {
        for object in objects {
            access::check_new(session.subject(), object)?;
        }
        // What is kept cannot be taken in half.
        session.token.room(objects.len())?;
        let mut in_memory = Vec::new();
        let kept = self.keep_in_memory(session, objects, handles, &mut in_memory);
        let kept = kept.and_then(|()| self.keep_in_store(session, objects, handles));
        if let Err(reason) = kept {
            for handle in in_memory {
                // Gone already when the session's login ended meanwhile, which is as well.
                let _ = session.token.remove_session_object(handle);
            }
            return Err(reason);
        }
        Ok(())
    }

    fn keep_in_memory(
        &self,
        session: &Session,
        objects: &[Arc<Object>],
        handles: &mut [ObjectHandle],
        in_memory: &mut Vec<ObjectHandle>,
    ) -> Result<()> {
        for (object, handle) in objects.iter().zip(handles).filter(|(object, _)| !object.is_token()) {
            *handle = session.token.add_session_object(session.handle, object.clone())?;
            in_memory.push(*handle);
        }
        Ok(())
    }

    fn keep_in_store(&self, session: &Session, objects: &[Arc<Object>], handles: &mut [ObjectHandle]) -> Result<()> {
        let mut new = Vec::new();
        for object in objects.iter().filter(|object| object.is_token()) {
            new.push((self.platform.store.new_record_id()?, object.clone()));
        }
        if new.is_empty() {
            return Ok(());
        }
        let (epoch, key) = session.token.write_key();
        if key.is_none() && new.iter().any(|(_, object)| object.is_private()) {
            return Err(Reason::NotLoggedIn);
        }
        let deed = Deed { token: session.token.clone(), epoch, work: Work::Add(new, key) };
        let given = self.catalogue.write_together(deed)?;
        let places = objects.iter().zip(handles).filter(|(object, _)| object.is_token());
        for ((_, place), handle) in places.zip(given) {
            *place = handle;
        }
        Ok(())
    }
}

/// Whether this session may do that to the object; one that it does not see is unknown to it.
fn judge(session: &Session, handle: ObjectHandle, object: &Object, verb: Verb) -> Result<()> {
    access::check(session.subject(), object, verb).map_err(|reason| match reason {
        Reason::Hidden => Reason::ObjectUnknown(handle.0),
        other => other,
    })
}
