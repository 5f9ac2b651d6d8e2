//! The key that a session used last, so that using it again asks nothing that other sessions share.
//!
//! Owns: when that answer still holds. Does not know: who may use the key (asked each time), and keeps no key alive: a
//! destroyed one is gone, and wiped, at once. Called from `api`, under the session's lock.

use crate::object::Object;
use crate::types::ObjectHandle;
use std::sync::{Arc, Weak};

/// What was found behind a handle.
pub struct Recent {
    handle: ObjectHandle,
    /// Whether it is a session object. A handle means one thing for ever, so this never changes.
    in_session: bool,
    /// How often the token's index had changed before the look.
    changes: u64,
    object: Weak<Object>,
}

impl Recent {
    /// Notes what was found behind a handle, after the index had changed so often.
    #[must_use]
    pub fn new(handle: ObjectHandle, in_session: bool, changes: u64, object: &Arc<Object>) -> Self {
        Self { handle, in_session, changes, object: Arc::downgrade(object) }
    }

    /// Whether the handle is that of a session object; `None` when it is another handle.
    #[must_use]
    pub fn in_session(&self, handle: ObjectHandle) -> Option<bool> {
        (self.handle == handle).then_some(self.in_session)
    }

    /// The object behind the handle, if the index has not changed since.
    #[must_use]
    pub fn object(&self, handle: ObjectHandle, changes: u64) -> Option<Arc<Object>> {
        if self.handle == handle && self.changes == changes { self.object.upgrade() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Attributes;

    #[test]
    fn an_object_is_found_by_its_handle_until_the_index_changes() {
        let object = Arc::new(Object::new(&Attributes::new()));
        let recent = Recent::new(ObjectHandle(7), true, 3, &object);
        assert!(recent.object(ObjectHandle(7), 3).is_some_and(|found| Arc::ptr_eq(&found, &object)));
        assert!(recent.object(ObjectHandle(7), 4).is_none() && recent.object(ObjectHandle(8), 3).is_none());
        assert_eq!((recent.in_session(ObjectHandle(7)), recent.in_session(ObjectHandle(8))), (Some(true), None));
    }

    #[test]
    fn an_object_that_is_gone_is_not_kept_for_the_next_use() {
        let object = Arc::new(Object::new(&Attributes::new()));
        let recent = Recent::new(ObjectHandle(7), true, 3, &object);
        assert_eq!(Arc::strong_count(&object), 1);
        drop(object);
        assert!(recent.object(ObjectHandle(7), 3).is_none());
    }
}
