//! PINs: what a wrong one costs, what a right one writes, and who may set which.
//!
//! Rule source: PKCS#11 2.40, 5.5 (PIN flags), 5.6 (C_Login). Counters count across processes. What a PIN costs is looked at
//! as the processor time of the calling thread, which derives it itself.

use perilune_tests::ck::*;
use perilune_tests::raw::{Answer, answer, plain};
use perilune_tests::{Place, Raw, SO_PIN, TOKEN_LABEL, Template, USER_PIN, child, ck, isolated};
use std::time::Duration;

fn flags(raw: &Raw) -> CK_FLAGS {
    let slot = raw.slot_of(TOKEN_LABEL).expect("the token");
    raw.token_info(slot).expect("a token").flags
}

fn init_pin(raw: &Raw, session: CK_SESSION_HANDLE, pin: &str) -> Answer<()> {
    answer(ck!(raw, C_InitPIN, session, pin.as_ptr().cast_mut(), pin.len() as CK_ULONG))
}

fn set_pin(raw: &Raw, session: CK_SESSION_HANDLE, old: &str, new: &str) -> Answer<()> {
    let (old_length, new_length) = (old.len() as CK_ULONG, new.len() as CK_ULONG);
    answer(ck!(raw, C_SetPIN, session, old.as_ptr().cast_mut(), old_length, new.as_ptr().cast_mut(), new_length))
}

#[test]
fn ten_wrong_pins_over_several_processes_lock_the_user_and_the_so_frees_him() {
    isolated!(|place, role| {
        let raw = Raw::start();
        if role == "guess" {
            let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
            for _ in 0..child::word().parse::<u32>().expect("a number") {
                assert_eq!(raw.login(session, CKU_USER, "wrong-pin"), Err(CKR_PIN_INCORRECT));
            }
            return;
        }
        let slot = raw.new_token();
        let session = raw.session(slot);
        child::role(place, "guess", "4").succeed();
        assert_eq!(raw.login(session, CKU_USER, "wrong-pin"), Err(CKR_PIN_INCORRECT));
        assert_ne!(flags(&raw) & CKF_USER_PIN_COUNT_LOW, 0, "this process sees the other's guesses");
        assert_eq!(flags(&raw) & CKF_USER_PIN_FINAL_TRY, 0);
        child::role(place, "guess", "4").succeed();
        assert_ne!(flags(&raw) & CKF_USER_PIN_FINAL_TRY, 0, "nine of ten are gone");
        assert_eq!(raw.login(session, CKU_USER, "wrong-pin"), Err(CKR_PIN_INCORRECT));
        assert_ne!(flags(&raw) & CKF_USER_PIN_LOCKED, 0);
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Err(CKR_PIN_LOCKED), "the right PIN comes too late");

        assert_eq!(raw.login(session, CKU_SO, SO_PIN), Ok(()));
        assert_eq!(init_pin(&raw, session, "new-user-pin"), Ok(()));
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        assert_eq!(flags(&raw) & (CKF_USER_PIN_LOCKED | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_COUNT_LOW), 0);
        assert_eq!(raw.login(session, CKU_USER, "new-user-pin"), Ok(()));
    });
}

#[test]
fn objects_survive_the_lock_and_the_new_pin() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let template = Template::new().number(CKA_VALUE_LEN, 32).flag(CKA_TOKEN, true).text(CKA_LABEL, "kept");
        let key = raw.generate(session, plain(CKM_AES_KEY_GEN), template).expect("a key");
        let before = raw.encrypt(session, plain(CKM_AES_ECB), key, &[1; 16]).expect("encrypted");
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        for _ in 0..10 {
            assert_eq!(raw.login(session, CKU_USER, "wrong-pin"), Err(CKR_PIN_INCORRECT));
        }
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Err(CKR_PIN_LOCKED));
        assert_eq!(raw.login(session, CKU_SO, SO_PIN), Ok(()));
        assert_eq!(init_pin(&raw, session, "second-pin"), Ok(()));
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        assert_eq!(raw.login(session, CKU_USER, "second-pin"), Ok(()));
        let found = raw.find(session, Template::new().text(CKA_LABEL, "kept"), 10);
        assert_eq!(found.len(), 1);
        assert_eq!(raw.encrypt(session, plain(CKM_AES_ECB), found[0], &[1; 16]), Ok(before));
    });
}

#[test]
fn a_right_pin_resets_the_count() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.session(raw.new_token());
        for _ in 0..3 {
            for _ in 0..9 {
                assert_eq!(raw.login(session, CKU_USER, "wrong-pin"), Err(CKR_PIN_INCORRECT));
            }
            assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
            assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
            assert_eq!(flags(&raw) & CKF_USER_PIN_COUNT_LOW, 0);
        }
    });
}

#[test]
fn ten_wrong_so_pins_lock_the_so_for_good() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let slot = raw.new_token();
        let session = raw.session(slot);
        for _ in 0..10 {
            assert_eq!(raw.login(session, CKU_SO, "wrong-pin"), Err(CKR_PIN_INCORRECT));
        }
        assert_ne!(flags(&raw) & CKF_SO_PIN_LOCKED, 0);
        assert_eq!(raw.login(session, CKU_SO, SO_PIN), Err(CKR_PIN_LOCKED));
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()), "the user is not concerned");
    });
}

#[test]
fn a_pin_of_an_impossible_length_costs_no_try() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.session(raw.new_token());
        let long = "x".repeat(256);
        for _ in 0..CALLS_MAX {
            for pin in ["", "abc", long.as_str()] {
                let code = raw.login(session, CKU_USER, pin);
                assert!(matches!(code, Err(CKR_PIN_LEN_RANGE | CKR_PIN_INCORRECT | CKR_ARGUMENTS_BAD)), "{code:?}");
            }
        }
        assert_eq!(flags(&raw) & CKF_USER_PIN_COUNT_LOW, 0);
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        for pin in ["", "abc", long.as_str()] {
            assert_eq!(set_pin(&raw, session, USER_PIN, pin), Err(CKR_PIN_LEN_RANGE));
        }
        assert_eq!(set_pin(&raw, session, USER_PIN, &"y".repeat(255)), Ok(()));
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        assert_eq!(raw.login(session, CKU_USER, &"y".repeat(255)), Ok(()));
    });
}

#[test]
fn pins_are_changed_by_their_owner_and_by_nobody_else() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let slot = raw.new_token();
        let session = raw.session(slot);
        assert_eq!(init_pin(&raw, session, "1234"), Err(CKR_USER_NOT_LOGGED_IN));
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        assert_eq!(init_pin(&raw, session, "1234"), Err(CKR_USER_NOT_LOGGED_IN));
        assert_eq!(set_pin(&raw, session, "wrong-pin", "1234"), Err(CKR_PIN_INCORRECT));
        assert_eq!(set_pin(&raw, session, USER_PIN, "changed"), Ok(()));
        let reader = raw.open(slot, CKF_SERIAL_SESSION).expect("a session");
        assert_eq!(set_pin(&raw, reader, "changed", "1234"), Err(CKR_SESSION_READ_ONLY));
        assert_eq!(ck!(raw, C_CloseSession, reader), CKR_OK);
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Err(CKR_PIN_INCORRECT));
        assert_eq!(raw.login(session, CKU_USER, "changed"), Ok(()));
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        assert_eq!(raw.login(session, CKU_SO, SO_PIN), Ok(()));
        assert_eq!(set_pin(&raw, session, SO_PIN, "new-so-pin"), Ok(()));
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        assert_eq!(raw.login(session, CKU_SO, SO_PIN), Err(CKR_PIN_INCORRECT));
        assert_eq!(raw.login(session, CKU_SO, "new-so-pin"), Ok(()));
        // A user who is no role of this token.
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        assert_eq!(raw.login(session, 77, USER_PIN), Err(CKR_USER_TYPE_INVALID));
        assert_eq!(raw.login(session, CKU_CONTEXT_SPECIFIC, USER_PIN), Err(CKR_OPERATION_NOT_INITIALIZED));
    });
}

#[test]
fn a_login_writes_nothing_unless_a_counter_changes() {
    isolated!(|place, _| {
        let raw = Raw::start();
        let session = raw.session(raw.new_token());
        let key = Template::new().number(CKA_VALUE_LEN, 32).flag(CKA_TOKEN, true);
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        raw.generate(session, plain(CKM_AES_KEY_GEN), key).expect("a key");
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        // Once before, so that a lease or a first start is not taken for the login's doing.
        raw.finalize();
        assert_eq!(ck!(raw, C_Initialize, std::ptr::null_mut()), CKR_OK);
        let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
        let before = place.store_content();
        assert!(!before.is_empty());
        for _ in 0..5 {
            assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
            assert_eq!(raw.find(session, Template::new(), 10).len(), 1);
            assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        }
        let names =
            |content: &[(std::path::PathBuf, Vec<u8>)]| content.iter().map(|file| file.0.clone()).collect::<Vec<_>>();
        let after = place.store_content();
        assert_eq!(names(&after), names(&before));
        assert!(after == before, "a login changed the store");
        assert_eq!(raw.login(session, CKU_USER, "wrong-pin"), Err(CKR_PIN_INCORRECT));
        assert!(place.store_content() != before, "a wrong PIN is written down");
    });
}

#[test]
fn a_key_that_always_asks_is_used_once_for_each_pin() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let public = Template::new().number(CKA_MODULUS_BITS, 2048);
        let private = Template::new().flag(CKA_ALWAYS_AUTHENTICATE, true).flag(CKA_PRIVATE, true).flag(CKA_SIGN, true);
        let pair = raw.generate_pair(session, plain(CKM_RSA_PKCS_KEY_PAIR_GEN), public, private);
        let (public, private) = pair.expect("a pair");
        assert_eq!(raw.login(session, CKU_CONTEXT_SPECIFIC, USER_PIN), Err(CKR_OPERATION_NOT_INITIALIZED));
        let mut mechanism = plain(CKM_SHA256_RSA_PKCS);
        for _ in 0..2 {
            assert_eq!(raw.sign(session, mechanism, private, b"data"), Err(CKR_USER_NOT_LOGGED_IN));
            assert_eq!(ck!(raw, C_SignInit, session, &mut mechanism, private), CKR_OK);
            assert_eq!(raw.login(session, CKU_CONTEXT_SPECIFIC, "wrong-pin"), Err(CKR_PIN_INCORRECT));
            assert_eq!(raw.login(session, CKU_CONTEXT_SPECIFIC, USER_PIN), Ok(()));
            let (data, length) = perilune_tests::raw::input(b"data");
            let signature = perilune_tests::raw::sized(|out, room| ck!(raw, C_Sign, session, data, length, out, room));
            let signature = signature.expect("signed");
            assert_eq!(raw.verify(session, mechanism, public, b"data", &signature), Ok(()));
        }
    });
}

/// Processor time of this thread since it began.
fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the time to where `time` is.
    let code = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(code, 0, "clock_gettime");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What one derivation costs: a login and a logout on a token that nothing else happens to.
struct One<'a> {
    raw: &'a Raw,
    session: CK_SESSION_HANDLE,
}

impl<'a> One<'a> {
    fn new(raw: &'a Raw) -> Self {
        Self { raw, session: raw.session(raw.new_token_named("one")) }
    }

    fn derive(&self) {
        assert_eq!(self.raw.login(self.session, CKU_USER, USER_PIN), Ok(()));
        assert_eq!(ck!(self.raw, C_Logout, self.session), CKR_OK);
    }

    /// What a call that must be answered with `expected` costs, in derivations: the least of several calls to the least of derivations in
    /// turn with them, because a busy machine makes some longer, none shorter, and all of them for a time.
    fn cost(&self, should: f64, expected: CK_RV, mut call: impl FnMut() -> CK_RV) -> (f64, f64) {
        let (mut least, mut one) = (Duration::MAX, Duration::MAX);
        let mut cost = f64::INFINITY;
        for turn in 0..CALLS_MAX {
            let before = thread_time();
            self.derive();
            let between = thread_time();
            assert_eq!(call(), expected);
            (one, least) = (one.min(between - before), least.min(thread_time() - between));
            cost = least.as_secs_f64() / one.as_secs_f64();
            if turn >= CALLS_MIN && (cost - should).abs() <= MARGIN / 2.0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        (cost, should)
    }
}

/// How far from a whole number of derivations a call may be.
const MARGIN: f64 = 0.5;
/// How often a call is tried before it is judged, and how often before it counts as too dear.
const CALLS_MIN: u32 = 3;
const CALLS_MAX: u32 = 35;

/// A configuration in which a derivation is nearly all that a login costs, and in which the tries of these tests lock nobody.
fn costly(place: &Place) {
    let text = format!("store = {:?}\n[pin]\nuser_tries = 80\nso_tries = 80\n", place.store());
    place.write("perilune.toml", text + "[kdf]\nmemory_kib = 1024\npasses = 10\n");
}

/// Fails with each call that did not cost what it should, with what it did cost.
fn judge(costs: &[(&str, (f64, f64))]) {
    let off = |(_, (is, should)): &&(&str, (f64, f64))| (is - should).abs() > MARGIN;
    let wrong: Vec<_> = costs.iter().filter(off).collect();
    assert!(wrong.is_empty(), "in derivations (call, (is, should be)): {wrong:?}");
}

/// The calls of C_Login and C_SetPIN, whatever becomes of them, in a public session.
struct Door<'a> {
    one: &'a One<'a>,
    session: CK_SESSION_HANDLE,
}

impl Door<'_> {
    fn login(&self, should: f64, user: CK_USER_TYPE, pin: &str, expected: CK_RV) -> (f64, f64) {
        let (place, length) = (pin.as_ptr().cast_mut(), pin.len() as CK_ULONG);
        self.one.cost(should, expected, || ck!(self.one.raw, C_Login, self.session, user, place, length))
    }

    fn change(&self, should: f64, old: &str, new: &str, expected: CK_RV) -> (f64, f64) {
        self.one.cost(should, expected, || set_pin(self.one.raw, self.session, old, new).err().unwrap_or(CKR_OK))
    }
}

#[test]
fn a_refused_pin_costs_one_derivation_whatever_is_wrong_with_it_or_with_its_role() {
    isolated!(|place, _| {
        costly(place);
        let raw = Raw::start();
        let slot = raw.new_token();
        let session = raw.session(slot);
        let one = One::new(&raw);
        let door = Door { one: &one, session };
        let long = "x".repeat(256);
        // The controls: no PIN is looked at, and one that is changed is derived twice.
        judge(&[
            ("no such role", door.login(0.0, 77, USER_PIN, CKR_USER_TYPE_INVALID)),
            ("a change to the same PIN", door.change(2.0, USER_PIN, USER_PIN, CKR_OK)),
        ]);
        judge(&[
            ("user, wrong", door.login(1.0, CKU_USER, "wrong-pin", CKR_PIN_INCORRECT)),
            ("SO, wrong", door.login(1.0, CKU_SO, "wrong-pin", CKR_PIN_INCORRECT)),
            ("user, empty", door.login(1.0, CKU_USER, "", CKR_PIN_LEN_RANGE)),
            ("SO, too short", door.login(1.0, CKU_SO, "abc", CKR_PIN_LEN_RANGE)),
            ("user, too long", door.login(1.0, CKU_USER, &long, CKR_PIN_LEN_RANGE)),
            ("change, wrong", door.change(1.0, "wrong-pin", "new-pin", CKR_PIN_INCORRECT)),
            ("change, too short", door.change(1.0, "abc", "new-pin", CKR_PIN_LEN_RANGE)),
            ("change, too long", door.change(1.0, &long, "new-pin", CKR_PIN_LEN_RANGE)),
        ]);
        for (user, right) in [(CKU_USER, USER_PIN), (CKU_SO, SO_PIN)] {
            while raw.login(session, user, "wrong-pin") != Err(CKR_PIN_LOCKED) {}
            judge(&[
                ("locked, wrong", door.login(1.0, user, "wrong-pin", CKR_PIN_LOCKED)),
                ("locked, right", door.login(1.0, user, right, CKR_PIN_LOCKED)),
                ("locked, too short", door.login(1.0, user, "abc", CKR_PIN_LEN_RANGE)),
            ]);
        }
        judge(&[("locked, change", door.change(1.0, USER_PIN, "new-pin", CKR_PIN_LOCKED))]);
        assert_eq!(ck!(raw, C_CloseSession, session), CKR_OK);
        let again = |should, pin: &str, expected| {
            one.cost(should, expected, || raw.init_token(slot, pin, TOKEN_LABEL).err().unwrap_or(CKR_OK))
        };
        judge(&[
            ("C_InitToken, locked, right", again(1.0, SO_PIN, CKR_PIN_LOCKED)),
            ("C_InitToken, locked, wrong", again(1.0, "wrong-pin", CKR_PIN_LOCKED)),
            ("C_InitToken, too short", again(1.0, "abc", CKR_PIN_LEN_RANGE)),
        ]);
    });
}

#[test]
fn a_role_without_a_pin_and_a_token_that_is_to_be_emptied_cost_a_derivation_too() {
    isolated!(|place, _| {
        costly(place);
        let raw = Raw::start();
        let slot = raw.slots(true)[0];
        assert_eq!(raw.init_token(slot, SO_PIN, TOKEN_LABEL), Ok(()));
        let session = raw.session(slot);
        let one = One::new(&raw);
        let door = Door { one: &one, session };
        judge(&[
            ("no PIN yet", door.login(1.0, CKU_USER, USER_PIN, CKR_USER_PIN_NOT_INITIALIZED)),
            ("no PIN yet, too short", door.login(1.0, CKU_USER, "abc", CKR_PIN_LEN_RANGE)),
            ("no PIN yet, change", door.change(1.0, USER_PIN, "new-pin", CKR_USER_PIN_NOT_INITIALIZED)),
        ]);
        assert_eq!(ck!(raw, C_CloseSession, session), CKR_OK);
        let again = |should, pin: &str, expected| {
            one.cost(should, expected, || raw.init_token(slot, pin, TOKEN_LABEL).err().unwrap_or(CKR_OK))
        };
        judge(&[
            ("C_InitToken, wrong", again(1.0, "wrong-pin", CKR_PIN_INCORRECT)),
            ("C_InitToken, right", again(2.0, SO_PIN, CKR_OK)),
        ]);
    });
}

#[test]
fn the_pin_of_an_operation_that_asks_for_one_costs_the_same_when_it_is_refused() {
    isolated!(|place, _| {
        costly(place);
        let raw = Raw::start();
        let session = raw.user_session();
        let private = Template::new().flag(CKA_ALWAYS_AUTHENTICATE, true).flag(CKA_PRIVATE, true).flag(CKA_SIGN, true);
        let public = Template::new().number(CKA_MODULUS_BITS, 2048);
        let pair = raw.generate_pair(session, plain(CKM_RSA_PKCS_KEY_PAIR_GEN), public, private);
        let mut mechanism = plain(CKM_SHA256_RSA_PKCS);
        assert_eq!(ck!(raw, C_SignInit, session, &mut mechanism, pair.expect("a pair").1), CKR_OK);
        let one = One::new(&raw);
        let door = Door { one: &one, session };
        judge(&[
            ("wrong", door.login(1.0, CKU_CONTEXT_SPECIFIC, "wrong-pin", CKR_PIN_INCORRECT)),
            ("too short", door.login(1.0, CKU_CONTEXT_SPECIFIC, "abc", CKR_PIN_LEN_RANGE)),
        ]);
        while raw.login(session, CKU_CONTEXT_SPECIFIC, "wrong-pin") != Err(CKR_PIN_LOCKED) {}
        judge(&[("locked, right", door.login(1.0, CKU_CONTEXT_SPECIFIC, USER_PIN, CKR_PIN_LOCKED))]);
    });
}
