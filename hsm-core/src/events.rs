//! Slot events that nobody has heard of yet, and the wait for the next one.
//!
//! Owns: one mark a slot, and who sleeps until there is one. Does not know: what an event is (the catalogue raises them), the store.
//! Called from the catalogue and from `api/slots`.
//! Rule source: PKCS#11 v2.40, 5.5 (C_WaitForSlotEvent).

use crate::lock::Mutex;
use crate::reason::{Reason, Result};
use crate::types::SlotId;
use std::collections::BTreeSet;
use std::sync::{Condvar, PoisonError};
use std::time::Duration;

/// The events of one HSM.
#[derive(Default)]
pub struct Events {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Slots with an event that nobody has heard of.
    marked: BTreeSet<SlotId>,
    /// The HSM is no longer in use.
    closed: bool,
}

impl Events {
    /// Marks a slot; whoever sleeps wakes up.
    pub fn raise(&self, slot: SlotId) {
        self.state.lock().marked.insert(slot);
        self.changed.notify_all();
    }

    /// Forgets all marks: what was found at the start is no event.
    pub fn clear(&self) {
        self.state.lock().marked.clear();
    }

    /// Takes the mark of one slot.
    ///
    /// # Errors
    /// `NotInitialized` once the HSM is out of use.
    pub fn take(&self) -> Result<Option<SlotId>> {
        let mut state = self.state.lock();
        if state.closed { Err(Reason::NotInitialized) } else { Ok(state.marked.pop_first()) }
    }

    /// Sleeps until there is a mark, the HSM is out of use, or the time is over.
    pub fn sleep(&self, span: Duration) {
        let state = self.state.lock();
        let quiet = |state: &mut State| state.marked.is_empty() && !state.closed;
        // What is found afterwards is asked for by `take`; as everywhere, a lock that a panic went through is used on.
        drop(self.changed.wait_timeout_while(state, span, quiet).unwrap_or_else(PoisonError::into_inner));
    }

    /// Ends all waiting, now and later.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }

    /// Whether all waiting has been ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state.lock().closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn each_slot_has_one_mark_however_much_happened_and_it_is_taken_once() {
        let events = Events::default();
        for slot in [7, 3, 7] {
            events.raise(SlotId(slot));
        }
        assert_eq!(events.take().unwrap(), Some(SlotId(3)));
        assert_eq!(events.take().unwrap(), Some(SlotId(7)));
        assert_eq!(events.take().unwrap(), None);
        events.raise(SlotId(3));
        events.clear();
        assert_eq!(events.take().unwrap(), None);
    }

    #[test]
    fn a_sleeper_wakes_up_for_a_mark_and_for_the_end() {
        let events = Events::default();
        std::thread::scope(|scope| {
            let begin = Instant::now();
            for wake in [&(|| events.raise(SlotId(1))) as &(dyn Fn() + Sync), &|| events.close()] {
                let sleeper = scope.spawn(|| events.sleep(Duration::from_secs(600)));
                std::thread::sleep(Duration::from_millis(20));
                wake();
                sleeper.join().unwrap();
                let _ = events.take();
            }
            assert!(begin.elapsed() < Duration::from_secs(300));
        });
        assert!(matches!(events.take(), Err(Reason::NotInitialized)) && events.is_closed());
        events.sleep(Duration::from_secs(600));
    }
}
