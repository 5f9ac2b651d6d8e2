//! Runs each task at once, in the thread that asks for it; see CHANGES.md.

use crate::{OneShot, Result};

/// Executes a task without involving threads.
pub fn spawn<F, R>(work: F) -> Result<OneShot<R>>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static + Sized,
{
    let (promise_filler, promise) = OneShot::pair();
    promise_filler.fill((work)());
    Ok(promise)
}
