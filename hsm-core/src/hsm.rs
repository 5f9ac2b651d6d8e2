//! The HSM as a value.
//!
//! Owns: what an HSM is made of and how it is assembled. The functions of the standard are methods of
//! [`Hsm`] in `api/`, one file a chapter. Does not know: pointers, files, which store or engine it has.
//!
//! Order of locks, outermost first: the instance (the edge's), a session, the catalogue's turn, the
//! store's own; a token's state and index are leaves that are never held while another is asked for,
//! except state before index and state before a free place in the session table. No crypto runs under
//! a token's lock, and after C_SignInit a C_Sign touches its session and its key, nothing else.

use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::platform::Platform;
use crate::reason::Result;
use crate::session::{Session, SessionTable};
use crate::token::Token;
use crate::types::SessionHandle;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A virtual HSM with its slots and sessions. All functions take `&self` and may be called from any thread.
pub struct Hsm {
    pub(crate) platform: Platform,
    pub(crate) config: Config,
    pub(crate) sessions: SessionTable,
    pub(crate) catalogue: Catalogue,
    /// Whether sessions may be asynchronous.
    pub(crate) asynchronous: bool,
    /// Whether one ever was.
    pub(crate) asynchronous_opened: AtomicBool,
}

impl Hsm {
    /// Starts the HSM on a platform: reads the slots, makes the first one. Objects are read when they are asked for.
    ///
    /// # Errors
    /// The store's.
    pub fn new(platform: Platform, config: Config) -> Result<Self> {
        // Made here and not at the first call, where a fork could cut off the thread that makes it.
        crate::mechanisms::make_index();
        let catalogue = Catalogue::start(&platform, &config)?;
        let (sessions, asynchronous_opened) = (SessionTable::default(), AtomicBool::new(false));
        Ok(Self { platform, config, sessions, catalogue, asynchronous: false, asynchronous_opened })
    }

    /// Waits until this process is in no transaction and holds new ones off, for the handler before a `fork`.
    ///
    /// The child leaves this value alone and uses a new one: any lock of it may be held by a thread that the child
    /// does not have.
    pub fn fork_prepare(&self) {
        self.platform.store.fork_prepare();
    }

    /// Ends in the parent what `fork_prepare` began.
    pub fn fork_release(&self) {
        self.platform.store.fork_release();
    }

    /// Runs `work` on a session, under its lock.
    pub(crate) fn with_session<T>(
        &self,
        handle: SessionHandle,
        work: impl FnOnce(&mut Session) -> Result<T>,
    ) -> Result<T> {
        self.sessions.with(handle, work)
    }

    /// The token of a session, for calls that must not hold the session's lock.
    pub(crate) fn token_of(&self, handle: SessionHandle) -> Result<Arc<Token>> {
        self.sessions.with(handle, |session| Ok(session.token.clone()))
    }
}
