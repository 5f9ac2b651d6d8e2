//! Threads for functions that go on without their caller, and the three functions that ask for their outcome.
//!
//! Owns: the only threads of the library. One lives as long as the making of a key or a pair in a session that the application opened
//! with CKF_ASYNC_SESSION; otherwise there is none. Does not know: what the work is. Called from the rows of the function table.
//! Rule source: PKCS#11 3.2, 5.21 (asynchronous functions); v2.40, 5.4 (CKF_LIBRARY_CANT_CREATE_OS_THREADS).
//!
//! To the rest of the library such a thread is a call that runs: it holds the instance, so C_Finalize waits a moment for it and then
//! leaves it to end by itself, keeping nothing; a fork waits for its transaction and leaves the thread to the parent; `exit` sends it
//! out of AWS-LC with the threads of the host. It takes no signal: those are for the host's threads.
#![allow(unsafe_code, reason = "the mask of signals is set by the C library")]

use core::mem::MaybeUninit;
use core::ptr;
use std::thread;

use ffi_headers::*;
use hsm_core::template::Template;
use hsm_core::{Done, Hsm, JobKind, Mechanism, ObjectHandle, Reason, Result, SessionHandle, Work};

use crate::memory::Raw;
use crate::{lifecycle, panics};

/// Bytes of a thread's stack. Given here, because the standard library would otherwise ask the environment.
const STACK_BYTES: usize = 2 << 20;

/// C_GenerateKey, by itself where the session is for that.
///
/// # Errors
/// `Pending` when it goes on by itself, and the work's.
pub fn generate_key(
    hsm: &Hsm,
    session: SessionHandle,
    mechanism: Mechanism,
    template: Template,
) -> Result<ObjectHandle> {
    if hsm.is_asynchronous(session) {
        return Err(start(hsm, hsm.begin_generate_key(session, mechanism, template)?));
    }
    hsm.generate_key(session, &mechanism, &template)
}

/// C_GenerateKeyPair, by itself where the session is for that.
///
/// # Errors
/// `Pending` when it goes on by itself, and the work's.
pub fn generate_key_pair(
    hsm: &Hsm,
    session: SessionHandle,
    mechanism: Mechanism,
    public: Template,
    private: Template,
) -> Result<(ObjectHandle, ObjectHandle)> {
    if hsm.is_asynchronous(session) {
        return Err(start(hsm, hsm.begin_generate_key_pair(session, mechanism, public, private)?));
    }
    hsm.generate_key_pair(session, &mechanism, &public, &private)
}

/// C_AsyncComplete. The functions that go on by themselves have no output buffer, so `pValue` and `ulValue` stay as they are.
///
/// # Errors
/// `ArgumentsBad`, and as `Hsm::async_complete`.
pub fn complete(
    hsm: &Hsm,
    session: SessionHandle,
    function: Raw<'_, CK_UTF8CHAR>,
    result: Raw<'_, CK_ASYNC_DATA>,
) -> Result<()> {
    let kind = kind_of(function)?;
    let place = result.out("pResult is null")?;
    let done = hsm.async_complete(session, kind)?;
    let (object, additional) = match done {
        Done::Key(key) => (key.0, CK_INVALID_HANDLE),
        Done::Pair(public, private) => (public.0, private.0),
    };
    place.write(CK_ASYNC_DATA { hObject: object, hAdditionalObject: additional, ..place.read() });
    Ok(())
}

/// C_AsyncGetID.
///
/// # Errors
/// `ArgumentsBad`, and as `Hsm::async_id`.
pub fn id(hsm: &Hsm, session: SessionHandle, function: Raw<'_, CK_UTF8CHAR>, id: Raw<'_, CK_ULONG>) -> Result<()> {
    let kind = kind_of(function)?;
    let place = id.out("pulID is null")?;
    place.write(hsm.async_id(session, kind)?);
    Ok(())
}

/// C_AsyncJoin.
///
/// # Errors
/// `ArgumentsBad`, and as `Hsm::async_join`.
pub fn join(hsm: &Hsm, session: SessionHandle, function: Raw<'_, CK_UTF8CHAR>) -> Result<()> {
    kind_of(function)?;
    hsm.async_join(session)
}

/// The function that a caller names; `None` for one that never goes on by itself.
fn kind_of(function: Raw<'_, CK_UTF8CHAR>) -> Result<Option<JobKind>> {
    if function.is_null() {
        return Err(Reason::ArgumentsBad("pFunctionName is null"));
    }
    Ok(JobKind::ALL.into_iter().find(|kind| function.is_string(kind.name())))
}

/// Starts the work on a thread of its own and answers what the caller hears: that it goes on, or why it does not.
fn start(hsm: &Hsm, work: Work) -> Reason {
    let session = work.session();
    let started = lifecycle::shared(hsm).and_then(|hsm| {
        let body = move || {
            // A panic may have left the session half changed, as one in a call of the host's.
            if panics::contain(|| hsm.run(&work)).is_err() {
                hsm.mark_faulted(session);
            }
        };
        spawn(body)
    });
    match started {
        Ok(()) => Reason::Pending,
        Err(reason) => {
            // Whatever the session answers: there is no such job any more.
            let _ = hsm.cancel_jobs(session, &JobKind::ALL);
            reason
        }
    }
}

/// Starts a thread that no signal is delivered to. Nobody waits for its end.
fn spawn(body: impl FnOnce() + Send + 'static) -> Result<()> {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is writable, and the call fills it.
    let filled = unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: `all` was filled above, or the call below is not reached; `before` is writable.
    if filled != 0 || unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) } != 0 {
        return Err(Reason::Internal("the signals of a thread cannot be masked"));
    }
    // The new thread begins with the mask of this one.
    let thread = thread::Builder::new().name("perilune-job".to_owned()).stack_size(STACK_BYTES).spawn(body);
    // SAFETY: `before` was filled by the first call, which succeeded; a set that was in force can be so again.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut()) };
    // The error is dropped: it says only that there is no memory, or no thread, to be had.
    thread.map(drop).map_err(|_| Reason::HostMemory)
}
