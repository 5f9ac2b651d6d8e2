//! Start-up, sessions and login.
//!
//! Owns: the rows. Start-up is loading the library and C_Initialize in a fresh process: this command runs itself, and the
//! child says how long that took it. A login is followed by a logout that does not count.

use super::{Operation, Prepared};
use crate::bench::desk::{Desk, Trouble};
use crate::failure::Failure;
use ffi_headers::CKR_GENERAL_ERROR;
use pkcs11_client::{Module, Rv};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const FAMILY: &str = "Start, sessions, login";

/// The rows.
pub fn operations() -> Vec<Operation> {
    vec![
        Operation::new(FAMILY, "Start-up (load and C_Initialize)", start).alone().quick_if(true),
        Operation::new(FAMILY, "Session open and close", session).quick_if(true),
        Operation::new(FAMILY, "Login", login).alone().quick_if(true),
    ]
}

fn start(desk: &mut Desk) -> Result<Prepared, Trouble> {
    let program = std::env::current_exe().map_err(|error| Trouble::Failed(format!("this program's path: {error}")))?;
    let path = desk.path.clone();
    Prepared::new(0, move |_, _, hand| {
        let output = Command::new(&program).args(["bench", "--start-only"]).arg(&path).output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
        let nanoseconds = text.parse().map_err(|_said_nothing| Rv(CKR_GENERAL_ERROR))?;
        hand.counted = Some(Duration::from_nanos(nanoseconds));
        Ok(())
    })
    .proved(desk, "start-up in a process of its own", |_| Ok(true))
}

/// What the child does: loads and initialises, and answers how many nanoseconds it took.
///
/// # Errors
/// Why it did not start.
pub fn start_once(path: &Path) -> Result<u128, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("cannot start {}", path.display()), error, "");
    let begin = Instant::now();
    let module = Module::load(path).map_err(|error| failed(&error))?;
    module.initialize().map_err(|rv| failed(&rv))?;
    let took = begin.elapsed().as_nanos();
    module.finalize().map_err(|rv| failed(&rv))?;
    Ok(took)
}

fn session(desk: &mut Desk) -> Result<Prepared, Trouble> {
    let slot = desk.slot;
    Prepared::new(0, move |module, _, _| module.close_session(module.open_session(slot, true)?)).proved(
        desk,
        "C_OpenSession",
        |_| Ok(true),
    )
}

fn login(desk: &mut Desk) -> Result<Prepared, Trouble> {
    let pin = desk.pin.clone();
    desk.logout()?;
    let wrong_is_refused = desk.module.login(desk.session, b"certainly not it").is_err();
    // A wrong PIN counts towards the lock; the right one sets the count back.
    Prepared::new(0, move |module, session, hand| {
        hand.count(|| module.login(session, pin.expose()))?;
        module.logout(session)
    })
    .proved(desk, "C_Login", |_| Ok(wrong_is_refused))
}
