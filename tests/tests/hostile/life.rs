//! Cases about threads, processes, forks, the end of a process, memory. Items 4.4.1 to 4.4.5, 4.4.7 and 4.4.8.
//!
//! The kill at every write of the store (4.4.6) is in `tests/disk` and `tests/faults`. Rule source: PKCS#11 3.2, 5.4 and 5.6.

use crate::calls::{entry, names};
use crate::cases::Cases;
use crate::target::{Done, Stop, Target, word};
use perilune_tests::child::forked;
use perilune_tests::ck::*;
use perilune_tests::raw::{call_words, plain};
use perilune_tests::signatures::FUNCTIONS;
use perilune_tests::{Raw, Template, ck};
use std::ptr::null_mut;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

pub fn cases(cases: &mut Cases) {
    cases.add("4.4.1", "C_Finalize while threads sign and search", finalise_under_load);
    cases.add("4.4.1", "C_Finalize while a thread waits for an event", finalise_and_wait);
    cases.add("4.4.2", "one session in four threads", one_session);
    cases.add("4.4.3", "sessions come and go while threads sign", sessions_come_and_go);
    cases.add("4.4.3", "login and logout while threads sign", logins);
    cases.add("4.4.4", "the child calls every function first", child_first);
    cases.add("4.4.4", "the child begins and signs", child_signs);
    cases.add("4.4.4", "the child ends, in three ways", child_ends);
    cases.add("4.4.4", "parent and child draw different numbers", child_draws);
    cases.add("4.4.4", "a child of a child, as a daemon", daemon);
    cases.add("4.4.5", "unloaded and loaded again", reload);
    cases.add("4.4.5", "two copies of the module", two_copies);
    cases.add("4.4.5", "exit without C_Finalize", |target| leave(target, "exit"));
    cases.add("4.4.5", "exit from another thread while threads sign", |target| leave(target, "exit from a thread"));
    cases.add("4.4.7", "three processes of two threads", many_processes);
    for what in ["sessions", "objects", "failed operations", "logins"] {
        cases.add("4.4.8", what, move |target| growth(target, what));
    }
}

/// The module for threads: its function list is read only, and the standard lets threads call it.
struct Shared<'a>(&'a Raw);

// SAFETY: see above.
unsafe impl Sync for Shared<'_> {}

const ENDED: [CK_RV; 6] = [
    CKR_OK,
    CKR_CRYPTOKI_NOT_INITIALIZED,
    CKR_SESSION_HANDLE_INVALID,
    CKR_KEY_HANDLE_INVALID,
    CKR_OPERATION_NOT_INITIALIZED,
    CKR_SESSION_CLOSED,
];

fn start(raw: &Raw) -> CK_RV {
    let mut arguments = CK_C_INITIALIZE_ARGS { flags: CKF_OS_LOCKING_OK, ..Default::default() };
    ck!(raw, C_Initialize, std::ptr::from_mut(&mut arguments).cast())
}

/// A token key of the user that signs with HMAC.
fn token_key(target: &Target) -> Result<CK_OBJECT_HANDLE, Stop> {
    let template = Template::new()
        .number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
        .bytes(CKA_VALUE, &[9; 32])
        .text(CKA_LABEL, "hmac")
        .flag(CKA_TOKEN, true)
        .flag(CKA_SIGN, true);
    target.answer("C_CreateObject", target.raw.create(target.session(), template))
}

fn sign(raw: &Raw, session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) -> CK_RV {
    raw.sign(session, plain(CKM_SHA256_HMAC), key, &[7; 100]).err().unwrap_or(CKR_OK)
}

/// Runs `work` in threads until `meanwhile` is over; returns what they met that they must not.
pub fn beside(
    target: &Target,
    threads: usize,
    allowed: &[CK_RV],
    work: impl Fn(&Raw, usize) -> CK_RV + Sync,
    meanwhile: impl FnOnce() -> Done,
) -> Done {
    let (stop, strange, shared) = (AtomicBool::new(false), Mutex::new(Vec::new()), &Shared(&target.raw));
    let outcome = std::thread::scope(|scope| {
        for thread in 0..threads {
            let (stop, strange, work) = (&stop, &strange, &work);
            scope.spawn(move || {
                let Shared(raw) = shared;
                while !stop.load(SeqCst) {
                    let code = work(raw, thread);
                    if !allowed.contains(&code) {
                        strange.lock().expect("no panic").push(code);
                    }
                }
            });
        }
        let outcome = meanwhile();
        stop.store(true, SeqCst);
        outcome
    });
    let strange = strange.into_inner().expect("no panic");
    let first = strange.first().map(|code| word(*code)).unwrap_or_default();
    target.effect(&format!("a thread was told {first} ({} times)", strange.len()), strange.is_empty());
    outcome
}

fn finalise_under_load(target: &Target) -> Done {
    for _ in 0..5 {
        let key = token_key(target)?;
        let sessions = [target.enter()?, target.enter()?, target.enter()?];
        target.at("C_Finalize under load");
        let work = |raw: &Raw, thread: usize| {
            if thread < 2 {
                return sign(raw, sessions[thread], key);
            }
            let begun = ck!(raw, C_FindObjectsInit, sessions[2], null_mut(), 0);
            let _it_may_be_over = ck!(raw, C_FindObjectsFinal, sessions[2]);
            begun
        };
        beside(target, 3, &ENDED, work, || {
            std::thread::sleep(std::time::Duration::from_millis(30));
            let code = ck!(target.raw, C_Finalize, null_mut());
            std::thread::sleep(std::time::Duration::from_millis(5));
            target.need("C_Finalize", code)
        })?;
        target.need("C_Initialize", start(&target.raw))?;
        target.find_slot();
        target.begin_again()?;
    }
    Ok(())
}

fn finalise_and_wait(target: &Target) -> Done {
    let mut slot = 0;
    loop {
        let code = ck!(target.raw, C_WaitForSlotEvent, CKF_DONT_BLOCK, &mut slot, null_mut());
        match code {
            CKR_OK => {}
            CKR_NO_EVENT => break,
            code => return target.need("C_WaitForSlotEvent", code),
        }
    }
    let shared = &Shared(&target.raw);
    target.at("C_WaitForSlotEvent");
    let code = std::thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            let Shared(raw) = shared;
            let mut slot = 0;
            ck!(raw, C_WaitForSlotEvent, 0, &mut slot, null_mut())
        });
        std::thread::sleep(std::time::Duration::from_millis(200));
        let code = ck!(target.raw, C_Finalize, null_mut());
        (code, waiting.join().expect("no panic"))
    });
    target.expect("C_Finalize", code.0, &[CKR_OK]);
    target.expect("C_WaitForSlotEvent", code.1, &[CKR_CRYPTOKI_NOT_INITIALIZED, CKR_FUNCTION_NOT_SUPPORTED]);
    target.need("C_Initialize", start(&target.raw))?;
    target.find_slot();
    Ok(())
}

/// In one session calls of threads may come in each other's way, but nothing worse.
fn one_session(target: &Target) -> Done {
    let (session, key, aes) = (target.session(), target.secret(&[9; 32])?, target.aes()?);
    let allowed = [CKR_OK, CKR_OPERATION_ACTIVE, CKR_OPERATION_NOT_INITIALIZED, CKR_BUFFER_TOO_SMALL];
    let work = |raw: &Raw, thread: usize| match thread {
        0 => sign(raw, session, key),
        1 => raw.encrypt(session, plain(CKM_AES_ECB), aes, &[7; 64]).err().unwrap_or(CKR_OK),
        2 => raw.decrypt(session, plain(CKM_AES_ECB), aes, &[7; 64]).err().unwrap_or(CKR_OK),
        _ => sign(raw, session, key),
    };
    target.at("four threads in one session");
    beside(target, 4, &allowed, work, || {
        std::thread::sleep(std::time::Duration::from_millis(400));
        Ok(())
    })
}

fn sessions_come_and_go(target: &Target) -> Done {
    let key = token_key(target)?;
    let sessions = [target.enter()?, target.enter()?];
    target.at("sessions come and go");
    beside(
        target,
        2,
        &[CKR_OK],
        |raw, thread| sign(raw, sessions[thread], key),
        || {
            for _ in 0..500 {
                let session = target.open()?;
                target.need("C_CloseSession", ck!(target.raw, C_CloseSession, session))?;
            }
            Ok(())
        },
    )
}

fn logins(target: &Target) -> Done {
    let key = token_key(target)?;
    let sessions = [target.enter()?, target.enter()?];
    let allowed = [
        CKR_OK,
        CKR_USER_NOT_LOGGED_IN,
        CKR_KEY_HANDLE_INVALID,
        CKR_OBJECT_HANDLE_INVALID,
        CKR_OPERATION_NOT_INITIALIZED,
    ];
    target.at("login and logout");
    beside(
        target,
        2,
        &allowed,
        |raw, thread| sign(raw, sessions[thread], key),
        || {
            for _ in 0..50 {
                target.need("C_Logout", ck!(target.raw, C_Logout, target.session()))?;
                target.become_user()?;
            }
            Ok(())
        },
    )
}

/// In a child nothing is initialised, whatever is called first.
fn child_first(target: &Target) -> Done {
    let quiet = ["C_GetFunctionList", "C_GetInterface", "C_GetInterfaceList"];
    for name in names().filter(|name| !quiet.contains(name)) {
        let Ok(entry) = entry(target, name) else { continue };
        target.at(&format!("{name} in the child"));
        let takes_session = FUNCTIONS.iter().any(|(known, kinds)| *known == name && kinds.starts_with('s'));
        let mut words = [0; 10];
        words[0] = if takes_session { target.session() as usize } else { 0 };
        let known = forked(|| {
            let allowed = [CKR_CRYPTOKI_NOT_INITIALIZED, CKR_FUNCTION_NOT_PARALLEL, CKR_FUNCTION_NOT_SUPPORTED];
            i32::from(!allowed.contains(&call_words(entry, words)))
        });
        target.effect(&format!("{name} does not say CKR_CRYPTOKI_NOT_INITIALIZED in a child"), known == 0);
    }
    let code = ck!(target.raw, C_GetSessionInfo, target.session(), &mut CK_SESSION_INFO::default());
    target.expect("the parent's session", code, &[CKR_OK]);
    Ok(())
}

/// What a worker of a server does in its own process.
fn work_in_child(target: &Target) -> i32 {
    let raw = &target.raw;
    if start(raw) != CKR_OK {
        return 1;
    }
    target.find_slot();
    let Ok(session) = raw.open(target.slot.get(), CKF_SERIAL_SESSION) else { return 2 };
    if raw.login(session, CKU_USER, &target.contestant.pin).is_err() {
        return 3;
    }
    let found = raw.find(session, Template::new().text(CKA_LABEL, "hmac"), 2);
    if found.len() != 1 {
        return 4;
    }
    if sign(raw, session, found[0]) == CKR_OK { 0 } else { 5 }
}

fn child_signs(target: &Target) -> Done {
    let key = token_key(target)?;
    target.at("a child that signs");
    for _ in 0..3 {
        let code = forked(|| work_in_child(target));
        target.effect(&format!("the child comes as far as step {code}"), code == 0);
        target.expect("the parent signs", sign(&target.raw, target.session(), key), &[CKR_OK]);
    }
    Ok(())
}

fn child_ends(target: &Target) -> Done {
    let key = token_key(target)?;
    for way in ["C_Finalize", "_exit", "exit"] {
        target.at(&format!("a child that ends by {way}"));
        let code = forked(|| {
            match way {
                "C_Finalize" => drop(ck!(target.raw, C_Finalize, null_mut())),
                "exit" => std::process::exit(0),
                _ => {}
            }
            0
        });
        target.effect(&format!("a child that ends by {way} ends with {code}"), code == 0);
        target.expect(&format!("the parent signs after {way}"), sign(&target.raw, target.session(), key), &[CKR_OK]);
    }
    Ok(())
}

fn child_draws(target: &Target) -> Done {
    let file = target.place.file("drawn");
    let draw = |session| {
        let mut bytes = vec![0; 32];
        (ck!(target.raw, C_GenerateRandom, session, bytes.as_mut_ptr(), 32), bytes)
    };
    target.control("random bytes", draw(target.session()).0 == CKR_OK)?;
    let code = forked(|| {
        if start(&target.raw) != CKR_OK {
            return 1;
        }
        target.find_slot();
        let Ok(session) = target.raw.open(target.slot.get(), CKF_SERIAL_SESSION) else { return 2 };
        let (code, bytes) = draw(session);
        std::fs::write(&file, bytes).expect("a file");
        i32::from(code != CKR_OK)
    });
    target.control(&format!("the child comes as far as step {code}"), code == 0)?;
    let ours = draw(target.session()).1;
    target.effect("the child drew what the parent draws", std::fs::read(&file).expect("a file") != ours);
    Ok(())
}

fn daemon(target: &Target) -> Done {
    let key = token_key(target)?;
    target.at("a daemon");
    let code = forked(|| forked(|| work_in_child(target)));
    target.effect(&format!("the daemon comes as far as step {code}"), code == 0);
    target.expect("the parent signs", sign(&target.raw, target.session(), key), &[CKR_OK]);
    Ok(())
}

fn reload(target: &Target) -> Done {
    let place = target.place.file("copy.so");
    std::fs::copy(&target.contestant.path, &place).expect("a copy");
    target.need("C_Finalize", ck!(target.raw, C_Finalize, null_mut()))?;
    for round in 0..5 {
        target.at(&format!("loaded for the {round}. time"));
        let raw = Raw::load_path(&place);
        target.expect("C_Initialize", start(&raw), &[CKR_OK]);
        target.effect("no slots", !raw.slots(false).is_empty());
        target.expect("C_Finalize", ck!(raw, C_Finalize, null_mut()), &[CKR_OK]);
        drop(raw);
    }
    target.need("C_Initialize", start(&target.raw))?;
    target.find_slot();
    Ok(())
}

fn two_copies(target: &Target) -> Done {
    let (key, place) = (token_key(target)?, target.place.file("copy.so"));
    std::fs::copy(&target.contestant.path, &place).expect("a copy");
    target.at("a second copy");
    let other = Raw::load_path(&place);
    target.expect("C_Initialize of the copy", start(&other), &[CKR_OK]);
    let slot = other.slot_of(&target.contestant.token);
    let slot = slot.ok_or_else(|| Stop::Control("the copy does not see the token".into()))?;
    let session = target.answer("C_OpenSession", other.open(slot, CKF_SERIAL_SESSION))?;
    target.answer("C_Login", other.login(session, CKU_USER, &target.contestant.pin))?;
    let found = other.find(session, Template::new().text(CKA_LABEL, "hmac"), 2);
    target.effect(&format!("{} keys in the copy", found.len()), found.len() == 1);
    target.expect("the copy signs", sign(&other, session, found[0]), &[CKR_OK]);
    target.expect("the first signs", sign(&target.raw, target.session(), key), &[CKR_OK]);
    target.expect("C_Finalize of the copy", ck!(other, C_Finalize, null_mut()), &[CKR_OK]);
    drop(other);
    target.expect("the first signs on", sign(&target.raw, target.session(), key), &[CKR_OK]);
    Ok(())
}

/// A process that leaves, in a role of its own, because nothing can be told after the end.
fn leave(target: &Target, way: &'static str) -> Done {
    if target.role != "leaves" {
        let mut command = crate::runner::command(&target.contestant, &target.place, &target.title);
        let status =
            command.args(["--role", "leaves"]).stdout(std::process::Stdio::null()).status().expect("a process");
        target.effect(&format!("{way}: {status}"), status.code() == Some(7));
        return Ok(());
    }
    let (key, session) = (token_key(target)?, target.session());
    if way == "exit" {
        target.need("C_Sign", sign(&target.raw, session, key))?;
        std::process::exit(7);
    }
    let sessions = [target.enter()?, target.enter()?];
    beside(
        target,
        3,
        &ENDED,
        |raw, thread| match sessions.get(thread) {
            Some(session) => sign(raw, *session, key),
            None => {
                std::thread::sleep(std::time::Duration::from_millis(50));
                std::process::exit(7)
            }
        },
        || {
            std::thread::sleep(std::time::Duration::from_secs(20));
            Ok(())
        },
    )
}

/// Each thread makes thirty objects and destroys every third; all see the same at the end.
fn many_processes(target: &Target) -> Done {
    const EACH: usize = 15;
    let name = |role: &str, thread: usize, number: usize| format!("{role}-{thread}-{number}");
    let make = |role: &str| -> Done {
        let sessions = [target.enter()?, target.enter()?];
        let shared = &Shared(&target.raw);
        let done = std::thread::scope(|scope| {
            let threads = sessions.map(|session| {
                let thread = usize::from(session != sessions[0]);
                scope.spawn(move || {
                    let Shared(raw) = shared;
                    (0..EACH).all(|number| {
                        let label = name(role, thread, number);
                        let object = Template::new().number(CKA_CLASS, CKO_DATA).text(CKA_LABEL, &label);
                        match raw.create(session, object.flag(CKA_TOKEN, true)) {
                            Ok(object) if number % 3 == 0 => raw.destroy(session, object).is_ok(),
                            other => other.is_ok(),
                        }
                    })
                })
            });
            threads.into_iter().all(|thread| thread.join().expect("no panic"))
        });
        target.effect(&format!("{role}: a call was refused"), done);
        Ok(())
    };
    if !target.role.is_empty() {
        return make(&target.role);
    }
    let roles = ["one", "two"].map(|role| {
        let mut command = crate::runner::command(&target.contestant, &target.place, &target.title);
        (role, command.args(["--role", role]).stdout(std::process::Stdio::piped()).spawn().expect("a process"))
    });
    make("three")?;
    for (role, process) in roles {
        let output = process.wait_with_output().expect("its end");
        let (outcome, reason) = crate::runner::judge(output.status, &String::from_utf8_lossy(&output.stdout));
        target.effect(&format!("process {role}: {}: {reason}", outcome.word()), outcome == crate::runner::Outcome::Ok);
    }
    for role in ["one", "two", "three"] {
        for (thread, number) in (0..2).flat_map(|thread| (0..EACH).map(move |number| (thread, number))) {
            let label = name(role, thread, number);
            let found = target.raw.find(target.session(), Template::new().text(CKA_LABEL, &label), 5).len();
            let right = usize::from(number % 3 != 0);
            target.effect(&format!("{label} is there {found} times and not {right}"), found == right);
        }
    }
    Ok(())
}

/// The memory of this process in KiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

/// A thousand rounds of something that leaves nothing behind cost no memory for good.
fn growth(target: &Target, what: &'static str) -> Done {
    let aes = target.aes()?;
    let round = || -> Done {
        let session = target.session();
        match what {
            "sessions" => {
                let session = target.open()?;
                target.need("C_CloseSession", ck!(target.raw, C_CloseSession, session))
            }
            "objects" => {
                let object = Template::new().number(CKA_CLASS, CKO_DATA).bytes(CKA_VALUE, &[7; 1000]);
                let object = target.answer("C_CreateObject", target.raw.create(session, object))?;
                target.need("C_DestroyObject", ck!(target.raw, C_DestroyObject, session, object))
            }
            "failed operations" => {
                let code = ck!(target.raw, C_EncryptInit, session, &mut plain(0x7FFF_FFFF), aes);
                target.control("an unknown mechanism is refused", code != CKR_OK)?;
                let failed = target.raw.decrypt(session, plain(CKM_AES_ECB), aes, &[7; 15]);
                target.control("half a block is refused", failed.is_err())
            }
            _ => {
                target.need("C_Logout", ck!(target.raw, C_Logout, session))?;
                target.become_user()
            }
        }
    };
    let rounds = if what == "logins" { 100 } else { 1000 };
    (0..rounds).try_for_each(|_| round())?;
    let before = memory();
    (0..rounds).try_for_each(|_| round())?;
    let after = memory();
    let grown = after.saturating_sub(before);
    target.effect(&format!("{rounds} rounds cost {grown} KiB"), grown < 512);
    Ok(())
}
