//! A function that goes on without its caller, in a session that was opened for that.
//!
//! Owns: which functions can, and what a session remembers of the one that does. Does not know: threads (whoever calls the HSM brings
//! them), how keys are made. The session keeps it under its own lock; `api/jobs` begins and ends it.
//! Rule source: PKCS#11 3.2, 5.21 (asynchronous functions) and 5.6 (C_OpenSession, C_CloseSession, C_SessionCancel).
//!
//! A session has one at most. With the session it is gone, and what it makes then is thrown away.

use crate::attributes::Actor;
use crate::keys;
use crate::object::Object;
use crate::platform::Env;
use crate::policy::Policy;
use crate::reason::Result;
use crate::template::Template;
use crate::types::{Mechanism, ObjectHandle, SessionHandle};

/// The functions that go on by themselves: those that may take seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// C_GenerateKey.
    GenerateKey,
    /// C_GenerateKeyPair.
    GenerateKeyPair,
}

/// What the caller hears of a function that went on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// The key that C_GenerateKey made.
    Key(ObjectHandle),
    /// The public and the private key that C_GenerateKeyPair made.
    Pair(ObjectHandle, ObjectHandle),
}

/// What a session remembers of it.
pub struct Job {
    /// Tells it from those that the session had before.
    pub(crate) number: u64,
    /// The function.
    pub(crate) kind: JobKind,
    /// `Standing::ended` when it began.
    pub(crate) login: u64,
    /// Its outcome, once there is one.
    pub(crate) outcome: Option<Result<Done>>,
}

/// The work of a function that goes on by itself. It is the caller's to run, on a thread that can take its time.
pub struct Work {
    pub(crate) session: SessionHandle,
    pub(crate) number: u64,
    /// What the token might do when it began.
    pub(crate) policy: Policy,
    pub(crate) actor: Actor,
    pub(crate) mechanism: Mechanism,
    pub(crate) task: Task,
}

/// What is to be made, of which templates.
pub(crate) enum Task {
    Key(Template),
    Pair { public: Template, private: Template },
}

/// What was made, and is not kept yet.
pub(crate) enum Made {
    Key(Object),
    Pair(Object, Object),
}

impl JobKind {
    /// All of them.
    pub const ALL: [JobKind; 2] = [JobKind::GenerateKey, JobKind::GenerateKeyPair];

    /// The function's name as C_AsyncComplete takes it, with the zero that ends it.
    #[must_use]
    pub const fn name(self) -> &'static [u8] {
        match self {
            JobKind::GenerateKey => b"C_GenerateKey\0",
            JobKind::GenerateKeyPair => b"C_GenerateKeyPair\0",
        }
    }
}

impl Work {
    /// The session that it belongs to.
    #[must_use]
    pub fn session(&self) -> SessionHandle {
        self.session
    }

    /// Makes the keys. No lock is held.
    pub(crate) fn make(&self, env: &Env<'_>) -> Result<Made> {
        match &self.task {
            Task::Key(template) => keys::generate_key(env, self.actor, &self.mechanism, template).map(Made::Key),
            Task::Pair { public, private } => {
                let (public, private) = keys::generate_key_pair(env, self.actor, &self.mechanism, public, private)?;
                Ok(Made::Pair(public, private))
            }
        }
    }
}
