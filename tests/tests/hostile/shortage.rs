//! Every allocation of every function fails once, and all from there on, and all large ones: the host lives, and nothing changes.
//!
//! Owns: the sweep, and what must be so after each point of it. Stands on the right calls of `calls` and on the preloaded shim
//! of `tests/c/memory_shim.c`. These cases are of this module alone: they are not in the catalogue. Short by default; with
//! `PERILUNE_SHORTAGE=all` each point has its turn, and with `PERILUNE_SHORTAGE_POINTS=FILE` each case writes there how many there were.

use crate::calls::{Arg, Call, names};
use crate::cases::{Case, Cases};
use crate::target::{Done, Stop, Target, read, read_bytes, word};
use crate::{growth, shortage_scenes};
use perilune_tests::ck::*;
use perilune_tests::{Place, ck, module, outside};
use std::io::Write as _;
use std::path::PathBuf;
use std::ptr::null_mut;

/// What the titles of these cases begin with.
pub const ITEM: &str = "memory";

/// Which allocations fail.
#[derive(Debug, Clone, Copy)]
struct Mode {
    name: &'static str,
    /// How many from the point on; 0 for all.
    count: i64,
    /// Only those of so many bytes.
    bytes: usize,
}

const MODES: [Mode; 3] = [
    Mode { name: "one", count: 1, bytes: 0 },
    Mode { name: "all from one on", count: 0, bytes: 0 },
    // What is taken for data rather than for the work itself.
    Mode { name: "all large ones from one on", count: 0, bytes: 96 << 10 },
];

/// How many points of a function have their turn in the short run, in each mode; the first ones all do.
const POINTS: i64 = 12;

/// The role in which a second process looks at the token afterwards.
const AFTER: &str = "after";

/// A case for each function.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::default();
    for name in names() {
        cases.add(ITEM, name, move |target| sweep(target, name));
    }
    shortage_scenes::cases(&mut cases);
    growth::cases(&mut cases);
    cases.add(ITEM, "C_Initialize", begin);
    cases.add(ITEM, "C_Finalize", end);
    cases.0
}

/// Whether each point has its turn.
fn all() -> bool {
    std::env::var("PERILUNE_SHORTAGE").is_ok_and(|value| value == "all")
}

/// How many times longer a case may take than usual.
pub fn longer() -> u32 {
    if all() { 20 } else { 1 }
}

/// Builds the shim for a case's place.
pub fn shim(place: &Place) -> PathBuf {
    let library = place.file("memory_shim.so");
    let mut cc = place.command("cc");
    cc.args(["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-shared", "-o"]);
    cc.arg(&library).arg(module::workspace().join("tests/c/memory_shim.c"));
    outside::output(cc);
    library
}

/// The functions of the shim in this process.
#[derive(Clone, Copy)]
struct Shim {
    fail: unsafe extern "C" fn(i64, i64, usize),
    stop: unsafe extern "C" fn(*mut i64) -> i64,
}

impl Shim {
    fn of_this_process() -> Self {
        let address = |name: &std::ffi::CStr| {
            // SAFETY: a name and a handle that are right.
            let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
            assert!(!address.is_null(), "this process runs without the shim");
            address
        };
        // SAFETY: the shim's functions have these types.
        let fail = unsafe {
            std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn(i64, i64, usize)>(address(
                c"memory_shim_fail",
            ))
        };
        // SAFETY: as above.
        let stop = unsafe {
            std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn(*mut i64) -> i64>(address(
                c"memory_shim_stop",
            ))
        };
        Self { fail, stop }
    }

    /// Runs `work` while the allocations behind the first `after` fail; what it returns, how many failed, and how many there were.
    fn during<T>(self, after: i64, mode: Mode, work: impl FnOnce() -> T) -> (T, i64, i64) {
        let mut seen = 0;
        // SAFETY: the shim takes any numbers.
        unsafe { (self.fail)(after, mode.count, mode.bytes) };
        let answer = work();
        // SAFETY: the place is there.
        let refused = unsafe { (self.stop)(&mut seen) };
        (answer, refused, seen)
    }
}

/// What must not be otherwise after a call that was refused.
#[derive(Debug, PartialEq, Eq)]
struct State {
    session: (CK_RV, CK_STATE, CK_FLAGS),
    objects: usize,
    /// Whether PINs are counted down, locked, set.
    token: Option<CK_FLAGS>,
}

impl State {
    fn of(target: &Target) -> Self {
        let mut info = CK_SESSION_INFO::default();
        let token = target.raw.token_info(target.slot.get()).ok().map(|info| info.flags);
        let code = ck!(target.raw, C_GetSessionInfo, target.session(), &mut info);
        Self { session: (code, info.state, info.flags), objects: target.objects(), token }
    }
}

/// What a call may write: each output's room and the place of its length, as they are before.
fn outputs(call: &Call<'_>) -> Vec<(usize, CK_ULONG, Vec<u8>)> {
    let rooms = call.args.windows(2).filter_map(|pair| match pair {
        [Arg::Pointer(place, _), Arg::Room(length, each)] => Some((*place, *length, *each)),
        _ => None,
    });
    rooms
        .map(|(place, length, each)| {
            let room: CK_ULONG = read(length as *const CK_ULONG);
            let content = if place == 0 { Vec::new() } else { read_bytes(place as *const u8, room as usize * each) };
            (length, room, content)
        })
        .collect()
}

/// Whether a refused call has written nothing: what was there is there, or was wiped.
fn is_untouched(call: &Call<'_>, before: &[(usize, CK_ULONG, Vec<u8>)]) -> bool {
    before.iter().all(|(length, room, _)| read::<CK_ULONG>(*length as *const CK_ULONG) == *room)
        && outputs(call)
            .iter()
            .zip(before)
            .all(|((.., now), (.., then))| now == then || now.iter().all(|byte| *byte == 0))
}

/// The step from one point to the next, when there are so many.
fn step_of(points: i64) -> i64 {
    if all() { 1 } else { (points / POINTS).max(1) }
}

/// A call that is ready to be made.
pub struct Step<'t> {
    /// Makes it.
    pub run: Box<dyn Fn() -> CK_RV + 't>,
    /// What it answers when nothing is wrong.
    pub expected: &'static [CK_RV],
    /// Sees whether a refused call has left its outputs alone.
    pub is_untouched: Box<dyn Fn() -> bool + 't>,
}

/// The right call of a function.
fn sweep(target: &Target, name: &'static str) -> Done {
    points(target, name, &|target| {
        if name == "C_InitToken" {
            target.open()?;
        }
        let call = std::rc::Rc::new(Call::new(target, name)?);
        let (before, again) = (outputs(&call), call.clone());
        let expected = call.expected;
        let is_untouched = move || is_untouched(&call, &before);
        Ok(Step { run: Box::new(move || again.run()), expected, is_untouched: Box::new(is_untouched) })
    })
}

/// Lets each point of a step fail, in each mode.
pub fn points<'t>(
    target: &'t Target,
    name: &'static str,
    prepare: &dyn Fn(&'t Target) -> Result<Step<'t>, Stop>,
) -> Done {
    if target.role == AFTER {
        // It has started and logged in: the store opens, and the PIN is what it was.
        return Ok(());
    }
    let shim = Shim::of_this_process();
    // It keeps the user logged in while the session of the calls comes and goes.
    target.open()?;
    let control = || -> Done {
        target.begin_again()?;
        let step = prepare(target)?;
        let code = (step.run)();
        if step.expected.contains(&code) { Ok(()) } else { target.need(name, code) }
    };
    control()?;
    control()?;
    let mut tried = 0;
    for mode in MODES {
        let (mut after, mut points) = (0, 0);
        loop {
            target.begin_again()?;
            let step = prepare(target)?;
            let before = State::of(target);
            target.at(&format!("{name}, {} (number {after} of {points}) fails", mode.name));
            let (code, refused, seen) = shim.during(after, mode, || (step.run)());
            let is_right = step.expected.contains(&code);
            if refused == 0 {
                target.effect(&format!("{name} does not work when memory is back: {}", word(code)), is_right);
                break;
            }
            tried += 1;
            points = points.max(seen);
            let context = format!("{name}, {} (number {after} of {seen}) failed: {}", mode.name, word(code));
            target.effect(&context, is_right || code == CKR_HOST_MEMORY);
            if !is_right {
                target.effect(&format!("{context}: an output was written"), (step.is_untouched)());
                if !is_ending(name) {
                    let now = State::of(target);
                    target.effect(&format!("{context}: {before:?} became {now:?}"), now == before);
                }
            }
            after += step_of(points);
            // A store that lacked memory in each of its folds would have more to do in every one.
            if all() {
                control()?;
                control()?;
            }
        }
        control()?;
    }
    note(name, tried);
    target.elsewhere(AFTER)
}

/// Functions after which session or objects are others anyway, however they end.
fn is_ending(name: &str) -> bool {
    ["C_CloseSession", "C_CloseAllSessions", "C_Logout"].contains(&name)
}

fn note(name: &str, points: i64) {
    if let Some(file) = std::env::var_os("PERILUNE_SHORTAGE_POINTS") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(file);
        writeln!(file.expect("the file of points"), "{name} {points}").expect("a line");
    }
}

/// C_Initialize, with each of its allocations missing; what is begun is ended, and begun again with all memory.
fn begin(target: &Target) -> Done {
    restarted(target, "C_Initialize")
}

/// C_Finalize likewise: it must always work.
fn end(target: &Target) -> Done {
    restarted(target, "C_Finalize")
}

fn restarted(target: &Target, name: &'static str) -> Done {
    if target.role == AFTER {
        return Ok(());
    }
    let shim = Shim::of_this_process();
    let mut tried = 0;
    for mode in MODES {
        let (mut after, mut points) = (0, 0);
        loop {
            target.at(&format!("{name}, {} (number {after} of {points}) fails", mode.name));
            let refused = if name == "C_Finalize" {
                let (code, refused, seen) = shim.during(after, mode, || ck!(target.raw, C_Finalize, null_mut()));
                target.expect(&format!("C_Finalize, number {after} of {seen} failed"), code, &[CKR_OK]);
                points = points.max(seen);
                refused
            } else {
                target.need("C_Finalize", ck!(target.raw, C_Finalize, null_mut()))?;
                let (code, refused, seen) = shim.during(after, mode, || ck!(target.raw, C_Initialize, null_mut()));
                let context = format!("C_Initialize, {} (number {after} of {seen}) failed: {}", mode.name, word(code));
                target.effect(&context, code == CKR_HOST_MEMORY || code == CKR_OK);
                if code == CKR_OK {
                    target.need("C_Finalize", ck!(target.raw, C_Finalize, null_mut()))?;
                }
                points = points.max(seen);
                refused
            };
            target.need("C_Initialize", ck!(target.raw, C_Initialize, null_mut()))?;
            target.find_slot();
            if refused == 0 {
                break;
            }
            tried += 1;
            after += step_of(points);
        }
        target.begin_again()?;
        target.aes().map(drop)?;
    }
    note(name, tried);
    target.elsewhere(AFTER)
}

/// Whether the process of a case needs the shim.
pub fn is_of(title: &str) -> bool {
    title.starts_with("memory/")
}

/// Why these cases cannot run here, if they cannot: the shim is for the C library of GNU.
pub fn absent() -> Option<&'static str> {
    let has_compiler = outside::has("cc");
    if cfg!(all(target_os = "linux", target_env = "gnu")) && has_compiler {
        None
    } else {
        Some("no C compiler, or not glibc")
    }
}
