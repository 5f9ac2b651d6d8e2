//! Whatever goes wrong while a PIN is judged, nobody comes in with a wrong one.
//!
//! Owns: every error of the disk, every damaged place of the store, and a system without random numbers, during C_Login, C_SetPIN and
//! C_InitToken with a wrong PIN, of the user and of the Security Officer; and that a right PIN which is refused logs nobody in either.
//! An audit of wolfPKCS11 in 2026 found a check of the SO's PIN that let everybody in when something inside failed.

use crate::witness::{Witness, configure};
use perilune_tests::ck::*;
use perilune_tests::disk::Disk;
use perilune_tests::raw::{Answer, answer};
use perilune_tests::{Place, Raw, SO_PIN, TOKEN_LABEL, Template, USER_PIN, child, ck, isolated};
use std::path::{Path, PathBuf};
use std::ptr::null_mut;

const WRONG: &str = "certainly-not";
const ANY: &str = "open,open-write,create,read,write,truncate,rename,unlink,mkdir,sync,access,lock";
/// The roles, and the states of a read-write session of each.
const ROLES: [(CK_USER_TYPE, &str, CK_STATE); 2] =
    [(CKU_USER, USER_PIN, CKS_RW_USER_FUNCTIONS), (CKU_SO, SO_PIN, CKS_RW_SO_FUNCTIONS)];

/// A process that begins anew, as far as PINs are concerned: nothing of the store is in its memory.
fn begin(raw: &Raw) -> (CK_SLOT_ID, CK_SESSION_HANDLE) {
    assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK);
    let slot = raw.slot_of(TOKEN_LABEL).expect("the token");
    (slot, raw.session(slot))
}

fn state(raw: &Raw, session: CK_SESSION_HANDLE) -> Answer<CK_STATE> {
    let mut info = CK_SESSION_INFO::default();
    answer(ck!(raw, C_GetSessionInfo, session, &mut info)).map(|()| info.state)
}

/// Nobody is logged in, by what the session says and by what it sees.
#[track_caller]
fn nobody(raw: &Raw, session: CK_SESSION_HANDLE, context: &str) {
    assert_eq!(state(raw, session), Ok(CKS_RW_PUBLIC_SESSION), "{context}");
    assert_eq!(so_only(raw, session), CKR_USER_NOT_LOGGED_IN, "{context}");
    nobody_yet(raw, session, context);
}

/// The same while there is a fault: the questions may be refused, too.
#[track_caller]
fn nobody_yet(raw: &Raw, session: CK_SESSION_HANDLE, context: &str) {
    assert_eq!(state(raw, session).unwrap_or(CKS_RW_PUBLIC_SESSION), CKS_RW_PUBLIC_SESSION, "{context}");
    let mut private = Template::new().flag(CKA_PRIVATE, true);
    let (mut list, mut found, mut count) = (private.attributes(), 0, 0);
    if ck!(raw, C_FindObjectsInit, session, list.as_mut_ptr(), list.len() as CK_ULONG) == CKR_OK {
        let searched = ck!(raw, C_FindObjects, session, &mut found, 1, &mut count);
        assert_eq!(ck!(raw, C_FindObjectsFinal, session), CKR_OK);
        assert!(searched != CKR_OK || count == 0, "{context}: a private object is found");
    }
    assert_ne!(so_only(raw, session), CKR_OK, "{context}: the Security Officer's right is given");
}

/// What only the Security Officer may do.
fn so_only(raw: &Raw, session: CK_SESSION_HANDLE) -> CK_RV {
    ck!(raw, C_InitPIN, session, WRONG.as_ptr().cast_mut(), WRONG.len() as CK_ULONG)
}

fn set_pin(raw: &Raw, session: CK_SESSION_HANDLE, old: &str, new: &str) -> CK_RV {
    let (old_at, new_at) = (old.as_ptr().cast_mut(), new.as_ptr().cast_mut());
    ck!(raw, C_SetPIN, session, old_at, old.len() as CK_ULONG, new_at, new.len() as CK_ULONG)
}

/// Both PINs are what they were, and the token is the one that it was; the counters of wrong PINs go back.
#[track_caller]
fn unchanged(raw: &Raw, session: CK_SESSION_HANDLE, context: &str) {
    for (role, pin, inside) in ROLES {
        assert_eq!(raw.login(session, role, pin), Ok(()), "{context}: role {role}");
        assert_eq!(state(raw, session), Ok(inside), "{context}: role {role}");
        let private = raw.find(session, Template::new().flag(CKA_PRIVATE, true), 10);
        assert_eq!(private.is_empty(), role == CKU_SO, "{context}: what role {role} sees");
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK, "{context}");
    }
}

/// Every attempt with a wrong PIN.
type Attempt = (&'static str, fn(&Raw, CK_SLOT_ID, CK_SESSION_HANDLE) -> CK_RV);

const ATTEMPTS: [Attempt; 4] = [
    ("C_Login of the user", |raw, _, session| code(raw.login(session, CKU_USER, WRONG))),
    ("C_Login of the Security Officer", |raw, _, session| code(raw.login(session, CKU_SO, WRONG))),
    ("C_SetPIN", |raw, _, session| set_pin(raw, session, WRONG, "a-new-pin-1")),
    ("C_InitToken", |raw, slot, session| {
        assert_eq!(ck!(raw, C_CloseSession, session), CKR_OK);
        code(raw.init_token(slot, WRONG, TOKEN_LABEL))
    }),
];

fn code(answer: Answer<()>) -> CK_RV {
    answer.err().unwrap_or(CKR_OK)
}

/// One wrong PIN under one fault, in an instance that has just begun.
fn attempt(raw: &Raw, disk: &Disk, (name, attempt): Attempt, rule: &str) -> bool {
    let (slot, session) = begin(raw);
    disk.plan(&[rule]);
    let answer = attempt(raw, slot, session);
    let context = format!("{name} under {rule}: {answer:#x}");
    assert_ne!(answer, CKR_OK, "{context}");
    let session = if name == "C_InitToken" { None } else { Some(session) };
    if let Some(session) = session {
        nobody_yet(raw, session, &context);
    }
    let fired = disk.fired(0) > 0;
    disk.heal();
    let session = session.unwrap_or_else(|| raw.session(raw.slot_of(TOKEN_LABEL).expect("the token")));
    nobody(raw, session, &context);
    unchanged(raw, session, &context);
    raw.finalize();
    fired
}

/// The right PIN under the same fault: in, or refused and not in.
fn right(raw: &Raw, disk: &Disk, (role, pin, inside): (CK_USER_TYPE, &str, CK_STATE), rule: &str) -> bool {
    let (_, session) = begin(raw);
    disk.plan(&[rule]);
    let answer = code(raw.login(session, role, pin));
    let context = format!("the right PIN of role {role} under {rule}: {answer:#x}");
    match answer {
        CKR_OK => assert_eq!(state(raw, session).unwrap_or(inside), inside, "{context}"),
        _ => nobody_yet(raw, session, &context),
    }
    let fired = disk.fired(0) > 0;
    disk.heal();
    if answer == CKR_OK {
        assert_eq!(state(raw, session), Ok(inside), "{context}");
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK, "{context}");
    } else {
        nobody(raw, session, &context);
    }
    unchanged(raw, session, &context);
    raw.finalize();
    fired
}

#[test]
fn a_wrong_pin_is_refused_whatever_call_on_the_disk_fails_meanwhile() {
    isolated!(|place, role| {
        let disk = Disk::of(place);
        if role != "victim" {
            return drop(child::role_with(place, "victim", "", &disk.failing()).succeed());
        }
        let raw = Witness::start_under_shim(place).raw;
        raw.finalize();
        let mut made = 0;
        for error in ["EIO", "ENOSPC", "EMFILE", "EACCES"] {
            for count in ["count 1", ""] {
                let rule = |after: u64| format!("{ANY} * {error} after {after} {count}");
                for one in ATTEMPTS {
                    made += (0..).take_while(|after| attempt(&raw, &disk, one, &rule(*after))).count();
                }
                for role in ROLES {
                    made += (0..).take_while(|after| right(&raw, &disk, role, &rule(*after))).count();
                }
            }
        }
        assert!(made > 100, "only {made} calls failed");
        println!("{made} failing calls");
    });
}

/// The files of the store with their bytes.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the store").flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            let bytes = std::fs::read(&path).expect("a file of the store");
            all.push((path, bytes));
        }
    }
    all
}

/// As if nothing had happened.
fn restored(folder: &Path, pristine: &[(PathBuf, Vec<u8>)]) {
    for (path, _) in files(folder) {
        if !pristine.iter().any(|(known, _)| *known == path) {
            std::fs::remove_file(path).expect("a file that was not there");
        }
    }
    for (path, bytes) in pristine {
        std::fs::write(path, bytes).expect("a file of the store");
    }
}

#[test]
fn a_wrong_pin_is_refused_wherever_the_store_is_damaged() {
    isolated!(|place, _| {
        let raw = Witness::start(place).raw;
        raw.finalize();
        let (folder, mut tried, mut begun) = (place.store(), 0, 0);
        let pristine = files(&folder);
        for (path, bytes) in pristine.iter().filter(|(_, bytes)| !bytes.is_empty()) {
            // Some eighty places of each file, and each with a bit of its own.
            for at in (0..bytes.len()).step_by((bytes.len() / 80).max(1)) {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << (at % 8);
                std::fs::write(path, damaged).expect("a file of the store");
                tried += 1;
                let context = format!("{} damaged at {at}", path.display());
                if ck!(raw, C_Initialize, null_mut()) == CKR_OK {
                    if let Some(slot) = raw.slot_of(TOKEN_LABEL) {
                        begun += 1;
                        let session = raw.session(slot);
                        for (name, attempt) in &ATTEMPTS[..3] {
                            let answer = attempt(&raw, slot, session);
                            assert_ne!(answer, CKR_OK, "{name} with {context}");
                            nobody(&raw, session, &context);
                        }
                        for (role, pin, inside) in ROLES {
                            let answer = code(raw.login(session, role, pin));
                            let right = if answer == CKR_OK { inside } else { CKS_RW_PUBLIC_SESSION };
                            assert_eq!(state(&raw, session), Ok(right), "{context}: {answer:#x}");
                            if answer == CKR_OK {
                                assert_eq!(ck!(raw, C_Logout, session), CKR_OK, "{context}");
                            }
                        }
                    }
                    raw.finalize();
                }
                restored(&folder, &pristine);
            }
        }
        println!("{tried} damaged places, the token was there with {begun} of them");
        assert!(tried > 100 && begun > 50, "{tried} places, {begun} with the token");
        let (_, session) = begin(&raw);
        unchanged(&raw, session, "the store as it was");
    });
}

/// From here on the system gives this thread no random numbers: a filter answers EIO to it.
fn without_random_numbers() {
    let (load, equal, answer) = (0x20, 0x15, 0x06);
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut filter = [
        step(load, 0, 0, 0),
        step(equal, 0, 1, libc::SYS_getrandom as u32),
        step(answer, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EIO as u32),
        step(answer, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: asks for nothing but that no right is gained later, which a filter needs.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: the program outlives the call; the kernel copies it.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) }, 0);
    let mut byte = 0u8;
    // SAFETY: one byte of room.
    assert_eq!(unsafe { libc::getrandom((&raw mut byte).cast(), 1, 0) }, -1, "the filter is there");
}

#[test]
fn a_wrong_pin_is_refused_when_the_system_has_no_random_numbers() {
    isolated!(|place, role| {
        if role == "main" {
            configure(place, 700);
            let raw = Raw::start();
            let session = raw.user_session();
            let private = Template::new().number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true).flag(CKA_PRIVATE, true);
            raw.create(session, private).expect("a private object");
            raw.finalize();
            for (name, _) in ATTEMPTS {
                child::role(place, "victim", name).succeed();
            }
            let (_, session) = begin(&raw);
            return unchanged(&raw, session, "afterwards");
        }
        let raw = Raw::load();
        let (slot, session) = begin(&raw);
        let (name, attempt) = ATTEMPTS.into_iter().find(|(name, _)| *name == child::word()).expect("an attempt");
        without_random_numbers();
        let answer = attempt(&raw, slot, session);
        assert_ne!(answer, CKR_OK, "{name}");
        let session = if name == "C_InitToken" { raw.session(slot) } else { session };
        nobody(&raw, session, name);
        for (role, pin, inside) in ROLES {
            let answer = code(raw.login(session, role, pin));
            let right = if answer == CKR_OK { inside } else { CKS_RW_PUBLIC_SESSION };
            assert_eq!(state(&raw, session), Ok(right), "{name}, then the right PIN of role {role}: {answer:#x}");
            if answer == CKR_OK {
                assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
            }
        }
    });
}

/// The checks above see somebody who is in: without this they could not fail.
#[test]
fn somebody_who_is_logged_in_is_seen_by_the_checks_of_these_tests() {
    isolated!(|place: &Place, _| {
        let witness = Witness::start(place);
        let (raw, session) = (&witness.raw, witness.session);
        let seen = |check: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).is_err();
        assert!(seen(&|| nobody(raw, session, "the user is in")));
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        assert!(!seen(&|| nobody(raw, session, "nobody is in")));
        assert_eq!(raw.login(session, CKU_SO, SO_PIN), Ok(()));
        assert!(seen(&|| nobody(raw, session, "the Security Officer is in")));
    });
}
