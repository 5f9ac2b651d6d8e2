//! The one question "may this session do that to this object".

use crate::object::Object;
use crate::reason::{Reason, Result};
use crate::role::Role;

/// What a session wants to do with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Find it, read its attributes.
    See,
    /// Use it as a key.
    Use,
    /// Make it, change it, destroy it.
    Change,
}

/// Who asks: the state of a session as far as access depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// The role that is logged in, if any.
    pub role: Option<Role>,
    /// Whether the session may change token objects.
    pub read_write: bool,
}

/// Answers the question.
///
/// # Errors
/// `Reason::Hidden` for a private object without the user's login (callers answer as for an unknown
/// handle), `Reason::SessionReadOnly` for a change to a token object in a read-only session.
pub fn check(subject: Subject, object: &Object, verb: Verb) -> Result<()> {
    let user = matches!(subject.role, Some(Role::CryptoOfficer | Role::CryptoUser | Role::LimitedCryptoOfficer));
    if object.is_private() && !user {
        return Err(Reason::Hidden);
    }
    if verb == Verb::Change && object.is_token() && !subject.read_write {
        return Err(Reason::SessionReadOnly);
    }
    Ok(())
}
