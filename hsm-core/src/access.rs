//! The one question "may this session do that to this object".
//!
//! Owns: the table of PKCS#11 v2.40, 5.6 (which session state reaches which kind of object). Does
//! not know: attributes beyond TOKEN and PRIVATE, mechanisms, the store. Called from `api/` before
//! anything is done to an object; a later policy (usage counters, HA, audit) asks here too.

use crate::object::Object;
use crate::reason::{Reason, Result};
use crate::role::Role;
use crate::template::Template;
use ffi_headers::{CKA_PRIVATE, CKA_TOKEN};

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

impl Subject {
    /// Whether private objects exist for this session.
    #[must_use]
    pub fn sees_private(self) -> bool {
        self.role.is_some_and(Role::is_user)
    }
}

/// Answers the question for an object that exists.
///
/// # Errors
/// `Reason::Hidden` for a private object without the user's login (callers answer as for an unknown
/// handle), `Reason::SessionReadOnly` for a change to a token object in a read-only session.
pub fn check(subject: Subject, object: &Object, verb: Verb) -> Result<()> {
    if object.is_private() && !subject.sees_private() {
        return Err(Reason::Hidden);
    }
    if verb == Verb::Change && object.is_token() && !subject.read_write {
        return Err(Reason::SessionReadOnly);
    }
    Ok(())
}

/// Answers the question for an object about to be made.
///
/// # Errors
/// `Reason::NotLoggedIn` for a private object without the user's login, `Reason::SessionReadOnly` for
/// a token object in a read-only session.
pub fn check_new(subject: Subject, object: &Object) -> Result<()> {
    may_make(subject, object.is_token(), object.is_private())
}

/// Answers early, from what a template says outright, so that no key is generated in vain.
///
/// # Errors
/// As `check_new`; what the template leaves to defaults is judged by `check_new` afterwards.
pub fn check_template(subject: Subject, template: &Template) -> Result<()> {
    may_make(subject, template.flag(CKA_TOKEN) == Some(true), template.flag(CKA_PRIVATE) == Some(true))
}

/// As `check_template` for a template of a private or secret key, which is private unless the template denies it.
///
/// # Errors
/// As `check_new`.
pub fn check_key_template(subject: Subject, template: &Template) -> Result<()> {
    may_make(subject, template.flag(CKA_TOKEN) == Some(true), template.flag(CKA_PRIVATE) != Some(false))
}

fn may_make(subject: Subject, token: bool, private: bool) -> Result<()> {
    if token && !subject.read_write {
        return Err(Reason::SessionReadOnly);
    }
    if private && !subject.sees_private() {
        return Err(Reason::NotLoggedIn);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Value;

    const RO_PUBLIC: Subject = Subject { role: None, read_write: false };
    const RO_USER: Subject = Subject { role: Some(Role::CryptoOfficer), read_write: false };
    const RW_PUBLIC: Subject = Subject { role: None, read_write: true };
    const RW_USER: Subject = Subject { role: Some(Role::CryptoOfficer), read_write: true };
    const RW_SO: Subject = Subject { role: Some(Role::SecurityOfficer), read_write: true };

    fn object(token: bool, private: bool) -> Object {
        Object::new(&[(CKA_TOKEN, Value::Flag(token)), (CKA_PRIVATE, Value::Flag(private))].into())
    }

    fn word(answer: Result<()>) -> &'static str {
        match answer {
            Ok(()) => "ok",
            Err(Reason::Hidden) => "hidden",
            Err(Reason::SessionReadOnly) => "read-only",
            Err(Reason::NotLoggedIn) => "no login",
            Err(other) => panic!("unexpected {other:?}"),
        }
    }

    /// Columns: public session, private session, public token, private token object.
    #[test]
    fn changing_objects_follows_the_table_of_the_standard() {
        let table: [(Subject, [&str; 4]); 5] = [
            (RO_PUBLIC, ["ok", "hidden", "read-only", "hidden"]),
            (RO_USER, ["ok", "ok", "read-only", "read-only"]),
            (RW_PUBLIC, ["ok", "hidden", "ok", "hidden"]),
            (RW_USER, ["ok", "ok", "ok", "ok"]),
            (RW_SO, ["ok", "hidden", "ok", "hidden"]),
        ];
        for (subject, expected) in table {
            let kinds = [(false, false), (false, true), (true, false), (true, true)];
            let found = kinds.map(|(token, private)| word(check(subject, &object(token, private), Verb::Change)));
            assert_eq!(found, expected, "{subject:?}");
        }
    }

    #[test]
    fn seeing_and_using_need_the_login_for_private_objects_only() {
        for verb in [Verb::See, Verb::Use] {
            for token in [false, true] {
                assert_eq!(word(check(RO_PUBLIC, &object(token, false), verb)), "ok");
                assert_eq!(word(check(RO_PUBLIC, &object(token, true), verb)), "hidden");
                assert_eq!(word(check(RW_SO, &object(token, true), verb)), "hidden");
                assert_eq!(word(check(RO_USER, &object(token, true), verb)), "ok");
            }
        }
    }

    #[test]
    fn making_objects_is_judged_from_the_template_and_again_from_the_object() {
        let cases = [
            (RO_PUBLIC, true, false, "read-only"),
            (RO_PUBLIC, false, true, "no login"),
            (RW_SO, true, true, "no login"),
            (RW_SO, true, false, "ok"),
            (RW_USER, true, true, "ok"),
            (RO_USER, false, true, "ok"),
        ];
        for (subject, token, private, expected) in cases {
            let template = Template::default().with_flag(CKA_TOKEN, token).with_flag(CKA_PRIVATE, private);
            assert_eq!(word(check_template(subject, &template)), expected, "{subject:?}");
            assert_eq!(word(check_new(subject, &object(token, private))), expected, "{subject:?}");
        }
        assert_eq!(word(check_template(RO_PUBLIC, &Template::default())), "ok", "defaults are judged later");
    }
}
