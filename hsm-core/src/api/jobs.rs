//! Functions that go on without their caller: asynchronous sessions, C_AsyncComplete and its sisters (3.2, 5.21).
//!
//! Owns: when one begins, when it counts as given up, and who hears of its outcome. Does not know: threads, how keys are made.
//!
//! Arguments, session and login are judged before the function goes on by itself, as far as they can be without making a key; what is
//! wrong with them is answered at once. The making holds no lock, so the session serves other calls meanwhile; keeping the keys
//! does, and by then the session must still be there, and its login the same.

use super::crypto::known;
use crate::access;
use crate::hsm::Hsm;
use crate::job::{Done, Job, JobKind, Made, Task, Work};
use crate::reason::{Reason, Result};
use crate::session::Session;
use crate::stateful;
use crate::template::Template;
use crate::types::{Mechanism, SessionHandle, SlotId};
use std::sync::atomic::Ordering;

impl Hsm {
    /// Lets sessions be asynchronous: whoever calls this brings a thread for each [`Work`] that begins.
    #[must_use]
    pub fn with_asynchronous_sessions(mut self) -> Self {
        self.asynchronous = true;
        self
    }

    /// C_OpenSession with CKF_ASYNC_SESSION.
    ///
    /// # Errors
    /// `SessionAsync` where nobody brings threads, and as `open_session`.
    pub fn open_asynchronous_session(&self, slot: SlotId, read_write: bool) -> Result<SessionHandle> {
        if !self.asynchronous {
            return Err(Reason::SessionAsync);
        }
        let handle = self.open_session(slot, read_write)?;
        self.with_session(handle, |session| {
            session.asynchronous = true;
            Ok(())
        })?;
        self.asynchronous_opened.store(true, Ordering::Release);
        Ok(handle)
    }

    /// Whether functions of this session go on by themselves. Costs a look at one flag as long as no session was opened for that.
    #[must_use]
    pub fn is_asynchronous(&self, session: SessionHandle) -> bool {
        self.asynchronous_opened.load(Ordering::Acquire)
            && self.with_session(session, |session| Ok(session.asynchronous)).unwrap_or(false)
    }

    /// C_GenerateKey that goes on by itself.
    ///
    /// # Errors
    /// `OperationActive` beside another one, and what `generate_key` answers before the key is made.
    pub fn begin_generate_key(&self, session: SessionHandle, mechanism: Mechanism, template: Template) -> Result<Work> {
        self.with_session(session, |session| {
            known(session.policy(), &mechanism)?;
            self.look_for_new(&[&template])?;
            access::check_key_template(session.subject(), &template)?;
            begin(session, JobKind::GenerateKey, mechanism, Task::Key(template))
        })
    }

    /// C_GenerateKeyPair that goes on by itself.
    ///
    /// # Errors
    /// `OperationActive` beside another one, and what `generate_key_pair` answers before the pair is made.
    pub fn begin_generate_key_pair(
        &self,
        session: SessionHandle,
        mechanism: Mechanism,
        public: Template,
        private: Template,
    ) -> Result<Work> {
        self.with_session(session, |session| {
            known(session.policy(), &mechanism)?;
            self.look_for_new(&[&public, &private])?;
            access::check_template(session.subject(), &public)?;
            access::check_key_template(session.subject(), &private)?;
            begin(session, JobKind::GenerateKeyPair, mechanism, Task::Pair { public, private })
        })
    }

    /// Runs the work to its end and leaves the outcome in the session, if that still waits for it.
    pub fn run(&self, work: &Work) {
        let made = work.make(&self.platform.env(work.policy));
        // Without the session, there is nobody to tell.
        let _ = self.with_session(work.session, |session| {
            let waits = |job: &&mut Job| job.number == work.number && !self.catalogue.events().is_closed();
            let Some(login) = session.job.as_mut().filter(waits).map(|job| job.login) else { return Ok(()) };
            let outcome = if session.standing().ended == login {
                made.and_then(|made| self.keep_made(session, made))
            } else {
                Err(Reason::NotLoggedIn)
            };
            if let Some(job) = session.job.as_mut() {
                job.outcome = Some(outcome);
            }
            Ok(())
        });
    }

    /// Gives up what goes on by itself in a session, if it is of one of these kinds: it keeps nothing and tells nobody.
    ///
    /// # Errors
    /// `SessionUnknown`, `SessionFaulted`.
    pub fn cancel_jobs(&self, session: SessionHandle, kinds: &[JobKind]) -> Result<()> {
        self.with_session(session, |session| {
            session.job.take_if(|job| kinds.contains(&job.kind));
            Ok(())
        })
    }

    /// C_AsyncComplete: the outcome, once; afterwards the session may begin another one. `None` is a function that never goes on by
    /// itself.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized` when that function does not go on by itself here, `Pending` while it does, and what
    /// it answered in the end.
    pub fn async_complete(&self, session: SessionHandle, kind: Option<JobKind>) -> Result<Done> {
        self.with_session(session, |session| {
            let job = session.job.take_if(|job| Some(job.kind) == kind && job.outcome.is_some());
            match job.and_then(|job| job.outcome) {
                Some(outcome) => outcome,
                None => Err(active(session, kind).err().unwrap_or(Reason::Pending)),
            }
        })
    }

    /// C_AsyncGetID.
    ///
    /// # Errors
    /// `SessionUnknown`, `OperationNotInitialized`, else always `JobUnsaveable`: the work is a thread of this process.
    pub fn async_id(&self, session: SessionHandle, kind: Option<JobKind>) -> Result<u64> {
        self.with_session(session, |session| active(session, kind).and(Err(Reason::JobUnsaveable)))
    }

    /// C_AsyncJoin.
    ///
    /// # Errors
    /// `SessionUnknown`, else always `JobUnknown`: no number was ever given.
    pub fn async_join(&self, session: SessionHandle) -> Result<()> {
        self.with_session(session, |_| Err(Reason::JobUnknown))
    }

    fn keep_made(&self, session: &Session, made: Made) -> Result<Done> {
        Ok(match made {
            Made::Key(key) => Done::Key(self.keep_one(session, key)?),
            Made::Pair(public, private) => {
                let private = stateful::bind(private, session.token.partition)?;
                let [public, private] = self.keep(session, [public, private])?;
                Done::Pair(public, private)
            }
        })
    }
}

fn begin(session: &mut Session, kind: JobKind, mechanism: Mechanism, task: Task) -> Result<Work> {
    if session.job.is_some() {
        return Err(Reason::OperationActive);
    }
    session.jobs_begun += 1;
    let (number, login) = (session.jobs_begun, session.standing().ended);
    session.job = Some(Job { number, kind, login, outcome: None });
    let (handle, policy, actor) = (session.handle, session.policy(), session.actor());
    Ok(Work { session: handle, number, policy, actor, mechanism, task })
}

/// Refuses unless this very function goes on by itself in the session.
fn active(session: &Session, kind: Option<JobKind>) -> Result<()> {
    let active = session.job.as_ref().is_some_and(|job| Some(job.kind) == kind);
    if active { Ok(()) } else { Err(Reason::OperationNotInitialized) }
}
