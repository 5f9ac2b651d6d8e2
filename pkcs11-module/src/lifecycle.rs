//! The life of the one instance that a process has: C_Initialize, C_Finalize, and the question for it.
//!
//! Owns: the only global, a pointer to this process's state. Does not know: what the instance does, which
//! files it reads (`hsm-platform`). Called from the guard (each call) and from `fork`.
//! Rule source: PKCS#11 v2.40, 5.4 (C_Initialize, C_Finalize) and 6.6.1 (applications and threads); DESIGN 7.
//!
//! The state is leaked, never freed: a child of `fork` leaves the parent's state alone, with its locks as they
//! happened to be, and begins a new one. A running call holds the instance it found: C_Finalize refuses new calls
//! at once, waits a moment for the running ones, and leaves a longer one to end by itself. Such an instance is
//! remembered until its last call has ended, because a fork has to wait for that call's transaction as for any other.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use std::{process, thread};

use arc_swap::ArcSwapOption;
use ffi_headers::CKF_LIBRARY_CANT_CREATE_OS_THREADS;
use hsm_core::lock::Mutex;
use hsm_core::{Hsm, Reason, Result};
use hsm_platform::{Settings, StartError};

use crate::memory::Raw;
use crate::{fork, panics, reserve};

/// The state of one process.
pub struct Process {
    /// The process that made it; another one that finds it is a child that no fork handler saw.
    id: u32,
    /// Held by C_Initialize and C_Finalize from start to end, and by the fork handlers.
    pub(crate) changes: Mutex<Changes>,
    /// The instance between C_Initialize and C_Finalize.
    pub(crate) instance: ArcSwapOption<Hsm>,
    /// What this process inherited, and nobody uses; kept so that a search for lost memory in a child finds it.
    _inherited: Option<&'static Process>,
}

/// What only the holder of the lock on the life cycle knows.
#[derive(Default)]
pub struct Changes {
    /// Instances that C_Finalize left to a call which had not ended.
    left: Vec<Weak<Hsm>>,
    /// The instances that a fork under way has stopped; in a child, those of its parent.
    pub(crate) stopped: Vec<Arc<Hsm>>,
}

static PROCESS: AtomicPtr<Process> = AtomicPtr::new(ptr::null_mut());
/// The state of the process that forked this one, until `own_process` takes it over.
static INHERITED: AtomicPtr<Process> = AtomicPtr::new(ptr::null_mut());

impl Process {
    /// Every instance through which a thread may still be using the store.
    pub(crate) fn used_instances(&self, changes: &Changes) -> Vec<Arc<Hsm>> {
        changes.left.iter().filter_map(Weak::upgrade).chain(self.instance.load_full()).collect()
    }
}

/// C_Initialize.
///
/// # Errors
/// `ArgumentsBad`, `AlreadyInitialized`, `Configuration`, the store's and the core's. After an error nothing is left.
pub fn initialize(arguments: Raw<'_, c_void>) -> Result<()> {
    let threads = check_arguments(arguments)?;
    reserve::begin()?;
    fork::register()?;
    let process = own_process();
    // Racing callers wait here, so that those who lose can go on at once with what the winner started.
    let _changes = process.changes.lock();
    if process.instance.load().is_some() {
        return Err(Reason::AlreadyInitialized);
    }
    // Under the lock, for which a fork waits: it takes a lock of the standard library's.
    panics::install_hook();
    let hsm = start()?;
    let hsm = if threads { hsm.with_asynchronous_sessions() } else { hsm };
    process.instance.store(Some(Arc::new(hsm)));
    Ok(())
}

/// C_Finalize.
///
/// # Errors
/// `ArgumentsBad`, `NotInitialized`.
pub fn finalize(reserved: Raw<'_, c_void>) -> Result<()> {
    if !reserved.is_null() {
        return Err(Reason::ArgumentsBad("pReserved is not null"));
    }
    let process = current_process().ok_or(Reason::NotInitialized)?;
    let mut changes = process.changes.lock();
    let instance = process.instance.swap(None).ok_or(Reason::NotInitialized)?;
    instance.close();
    await_running_calls(&instance);
    changes.left.retain(|older| older.strong_count() > 0);
    if Arc::strong_count(&instance) > 1 {
        changes.left.push(Arc::downgrade(&instance));
    }
    Ok(())
}

/// Waits until no other call holds the instance, but not for ever: this may be an exit handler, and the call that
/// runs may be the making of a large key.
fn await_running_calls(instance: &Arc<Hsm>) {
    let end = Instant::now() + RUNNING_CALLS_WAIT;
    while Arc::strong_count(instance) > 1 && Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Runs a body with the instance of this process.
///
/// # Errors
/// `NotInitialized`, and the body's.
pub fn with_hsm(body: impl FnOnce(&Hsm) -> Result<()>) -> Result<()> {
    let process = current_process().ok_or(Reason::NotInitialized)?;
    match process.instance.load().as_deref() {
        Some(hsm) => body(hsm),
        None => Err(Reason::NotInitialized),
    }
}

/// The instance that a running call found, for a thread that outlives the call.
///
/// # Errors
/// `NotInitialized` when C_Finalize has put it out of use meanwhile.
pub fn shared(hsm: &Hsm) -> Result<Arc<Hsm>> {
    let instance = current_process().and_then(|process| process.instance.load_full());
    instance.filter(|instance| ptr::eq(&raw const **instance, hsm)).ok_or(Reason::NotInitialized)
}

/// The state of this process, when there is one.
pub fn current_process() -> Option<&'static Process> {
    behind(&PROCESS)
}

fn behind(pointer: &AtomicPtr<Process>) -> Option<&'static Process> {
    // SAFETY: the pointer is null or comes from `Box::leak` in `own_process`; states are never freed.
    #[allow(unsafe_code, reason = "an atomic pointer is the only global that a fork handler can replace safely")]
    unsafe {
        pointer.load(Ordering::Acquire).as_ref()
    }
}

/// Leaves the inherited state behind; called in the child of a fork. Takes no lock, frees nothing.
pub fn forget_process() {
    let inherited = PROCESS.swap(ptr::null_mut(), Ordering::AcqRel);
    if !inherited.is_null() {
        INHERITED.store(inherited, Ordering::Release);
    }
}

/// The state of this process, made if there is none.
fn own_process() -> &'static Process {
    let id = process::id();
    let found = current_process();
    if let Some(process) = found
        && process.id == id
    {
        return process;
    }
    let fresh = Box::leak(Box::new(Process {
        id,
        changes: Mutex::default(),
        instance: ArcSwapOption::const_empty(),
        _inherited: found.or_else(|| behind(&INHERITED)),
    }));
    let expected = found.map_or(ptr::null_mut(), |process| ptr::from_ref(process).cast_mut());
    match PROCESS.compare_exchange(expected, fresh, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => fresh,
        // Another thread was faster; ours stays unused, which happens at most once per racing thread.
        Err(_) => current_process().unwrap_or(fresh),
    }
}

/// Judges the argument of C_Initialize, and says whether the library may create threads, as it does for asynchronous sessions only.
///
/// All four forms are served alike. The library locks with the operating system's means always: an
/// application that says nothing about threads may have some all the same (Python, Node), and one that
/// brings mutex functions without CKF_OS_LOCKING_OK (strongSwan) could by the standard be refused with
/// CKR_CANT_LOCK, but its threads are this process's threads, which native locks protect just as well.
/// With CKF_LIBRARY_CANT_CREATE_OS_THREADS (NSS, GnuTLS) no session can be asynchronous; nothing else needs threads.
fn check_arguments(arguments: Raw<'_, c_void>) -> Result<bool> {
    if arguments.is_null() {
        return Ok(true);
    }
    let arguments = arguments.initialize_arguments()?;
    if !arguments.pReserved.is_null() {
        return Err(Reason::ArgumentsBad("pReserved is not null"));
    }
    let given = [
        arguments.CreateMutex.is_some(),
        arguments.DestroyMutex.is_some(),
        arguments.LockMutex.is_some(),
        arguments.UnlockMutex.is_some(),
    ];
    if given.contains(&true) && given.contains(&false) {
        return Err(Reason::ArgumentsBad("either all four mutex functions or none must be given"));
    }
    Ok(arguments.flags & CKF_LIBRARY_CANT_CREATE_OS_THREADS == 0)
}

/// Starts the instance that the configuration describes.
fn start() -> Result<Hsm> {
    let settings = Settings::load().map_err(reason_of)?;
    hsm_platform::start_log(&settings);
    hsm_platform::start(&settings).map_err(reason_of)
}

fn reason_of(error: StartError) -> Reason {
    match error {
        StartError::Core(reason) => reason,
        error @ (StartError::Config { .. } | StartError::Place(_) | StartError::DeviceKey { .. }) => {
            Reason::Configuration(error.to_string())
        }
    }
}

/// How long C_Finalize waits for running calls.
const RUNNING_CALLS_WAIT: Duration = Duration::from_secs(1);

#[cfg(test)]
#[path = "tests/lifecycle.rs"]
mod tests;
