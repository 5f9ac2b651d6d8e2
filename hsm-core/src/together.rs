//! Writes of several threads in one commit.
//!
//! Owns: the queue of what waits to be written, and who gets which answer. Does not know: tokens' rules, the index, the order of
//! this process's writes. Called from `catalogue` under its turn.
//!
//! A commit is one `fdatasync`, which takes several times what is written with it. While one thread commits, others come with
//! writes of their own; the first of them to get the turn commits them all. Only writes that read no record can go
//! together: new records, and deletions. A change of a record reads it first and has a commit of its own.

use crate::catalogue::{Within, Written};
use crate::limits::{COMMIT_CALLS_MAX, COMMIT_OBJECT_BYTES_MAX};
use crate::lock::Mutex;
use crate::object::Object;
use crate::reason::{Reason, Result};
use crate::slot::Epoch;
use crate::token::Token;
use crate::types::ObjectHandle;
use std::collections::VecDeque;
use std::sync::Arc;
use token_store::{PartitionId, PartitionKey, RecordId, StoreError, Transaction, Visibility};

/// What one call writes: whole, or not at all.
pub struct Deed {
    /// Where.
    pub token: Arc<Token>,
    /// The token must still be of this epoch.
    pub epoch: Epoch,
    /// What.
    pub work: Work,
}

/// Writes that read no record.
pub enum Work {
    /// New records for objects; the private ones are sealed with the key.
    Add(Vec<(RecordId, Arc<Object>)>, Option<PartitionKey>),
    /// The end of a record, whose object has this handle.
    Delete(RecordId, ObjectHandle),
}

/// A deed that waits, and its outcome.
pub struct Ticket {
    /// The deed.
    pub deed: Deed,
    outcome: Mutex<Option<Outcome>>,
}

/// The handles of the new objects, or why there are none.
pub type Outcome = Result<Vec<ObjectHandle>>;

/// The deeds that wait.
#[derive(Default)]
pub struct Queue(Mutex<VecDeque<Arc<Ticket>>>);

impl Queue {
    /// Puts a deed at the end.
    pub fn join(&self, deed: Deed) -> Arc<Ticket> {
        let ticket = Arc::new(Ticket { deed, outcome: Mutex::new(None) });
        self.0.lock().push_back(ticket.clone());
        ticket
    }

    /// How many deeds wait.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Takes those from the front that go into the next commit; at least one, if any waits.
    pub fn take(&self) -> Vec<Arc<Ticket>> {
        let mut waiting = self.0.lock();
        let mut bytes = 0;
        let fitting = waiting.iter().take(COMMIT_CALLS_MAX).take_while(|ticket| {
            bytes += ticket.deed.bytes();
            bytes <= COMMIT_OBJECT_BYTES_MAX
        });
        let count = fitting.count().max(1).min(waiting.len());
        waiting.drain(..count).collect()
    }
}

impl Ticket {
    /// Says what became of the deed.
    pub fn settle(&self, outcome: Outcome) {
        *self.outcome.lock() = Some(outcome);
    }

    /// What became of the deed, once.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome.lock().take()
    }
}

impl Deed {
    /// Writes it into a transaction on a token of the right epoch. An inner error has written nothing.
    ///
    /// # Errors
    /// The store's; inner: `ObjectUnknown`.
    pub fn write(&self, tx: &mut Transaction<'_>) -> Within<Written> {
        let partition = self.token.partition;
        match &self.work {
            Work::Add(objects, key) => {
                let mut written = Written::with_capacity(objects.len());
                for (record, object) in objects {
                    put(tx, partition, *record, key.as_ref(), object)?;
                    written.push((*record, Some(object.clone())));
                }
                Ok(Ok(written))
            }
            Work::Delete(record, handle) => match tx.delete_record(partition, *record) {
                Ok(()) => Ok(Ok(vec![(*record, None)])),
                // Somebody else was faster; the next look takes the handle away.
                Err(StoreError::NoRecord) => Ok(Err(Reason::ObjectUnknown(handle.0))),
                Err(error) => Err(error),
            },
        }
    }

    fn bytes(&self) -> usize {
        match &self.work {
            Work::Add(objects, _) => objects.iter().map(|(_, object)| object.content().len()).sum(),
            Work::Delete(..) => 0,
        }
    }
}

/// Writes an object's record.
///
/// # Errors
/// The store's.
pub fn put(
    tx: &mut Transaction<'_>,
    partition: PartitionId,
    record: RecordId,
    key: Option<&PartitionKey>,
    object: &Object,
) -> token_store::Result<()> {
    let visibility = if object.is_private() { Visibility::Private } else { Visibility::Public };
    tx.put_record(partition, record, visibility, key, object.content())
}
