//! The life of a token in numbered steps: initialised, PINs set and changed, wrong PINs, again from the start.
//!
//! Owns: the steps, what the token must look like after each, and how one finds out after how many a killed process
//! stopped. Called from `kills`. A step is a version in the ledger: version `9 * cycle + step + 1`.

use perilune_tests::ck::*;
use perilune_tests::ledger::{Entry, Worker};
use perilune_tests::raw::{Answer, answer};
use perilune_tests::{Ledger, Raw, Template, ck};
use std::sync::atomic::Ordering::SeqCst;

const STEPS: u64 = 9;
/// How many wrong PINs lock the user, as the module's configuration says where it says nothing.
const TRIES: u32 = 10;

/// What a token looks like between two steps.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    label: String,
    so_pin: String,
    user_pin: Option<String>,
    failed: u32,
    mark: bool,
}

impl State {
    /// The state after the step that made `version`; `None` before the first.
    fn of(version: u64) -> Option<Self> {
        let (cycle, step) = ((version.checked_sub(1)?) / STEPS, (version - 1) % STEPS);
        Some(Self {
            label: label(cycle),
            so_pin: so_pin(if step == 8 { cycle + 1 } else { cycle }),
            user_pin: match step {
                0 => None,
                1..=2 => Some(user_pin(cycle, "a")),
                _ => Some(user_pin(cycle, "b")),
            },
            failed: if (4..=6).contains(&step) { step as u32 - 3 } else { 0 },
            mark: step >= 2,
        })
    }
}

fn label(cycle: u64) -> String {
    format!("life-{cycle}")
}

fn so_pin(cycle: u64) -> String {
    format!("so-pin-{cycle}")
}

fn user_pin(cycle: u64, which: &str) -> String {
    format!("user-{cycle}-{which}")
}

fn marked(cycle: u64) -> Template {
    Template::new().text(CKA_LABEL, &format!("mark-{cycle}"))
}

/// The victim: one step after the other, for ever, from where the last one stopped.
pub fn live(raw: &Raw, worker: &Worker, entry: &Entry, slot: CK_SLOT_ID) {
    for version in entry.acked() + 1.. {
        entry.begin(version);
        let done = worker.timed(|| take_step(raw, slot, (version - 1) / STEPS, (version - 1) % STEPS));
        assert_eq!(done, Ok(()), "version {version}");
        entry.acknowledge(version);
        worker.turns.fetch_add(1, SeqCst);
    }
}

fn take_step(raw: &Raw, slot: CK_SLOT_ID, cycle: u64, step: u64) -> Answer<()> {
    let (first, second) = (user_pin(cycle, "a"), user_pin(cycle, "b"));
    if step == 0 {
        return raw.init_token(slot, &so_pin(cycle), &label(cycle));
    }
    let session = raw.session(slot);
    let as_user = |pin: &str| raw.login(session, CKU_USER, pin);
    let as_so = || raw.login(session, CKU_SO, &so_pin(cycle));
    let answered = match step {
        1 => as_so().and_then(|()| init_pin(raw, session, &first)),
        2 => as_user(&first).and_then(|()| {
            let mark = marked(cycle).number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true).flag(CKA_PRIVATE, true);
            raw.create(session, mark).map(|_object| ())
        }),
        3 => set_pin(raw, session, &first, &second),
        4..=6 => match as_user("wrong-pin") {
            Err(CKR_PIN_INCORRECT) => Ok(()),
            other => panic!("a wrong PIN: {other:?}"),
        },
        7 => as_user(&second),
        _ => as_so().and_then(|()| set_pin(raw, session, &so_pin(cycle), &so_pin(cycle + 1))),
    };
    assert_eq!(ck!(raw, C_CloseSession, session), CKR_OK);
    answered
}

fn init_pin(raw: &Raw, session: CK_SESSION_HANDLE, pin: &str) -> Answer<()> {
    answer(ck!(raw, C_InitPIN, session, pin.as_ptr().cast_mut(), pin.len() as CK_ULONG))
}

fn set_pin(raw: &Raw, session: CK_SESSION_HANDLE, old: &str, new: &str) -> Answer<()> {
    let (old_length, new_length) = (old.len() as CK_ULONG, new.len() as CK_ULONG);
    answer(ck!(raw, C_SetPIN, session, old.as_ptr().cast_mut(), old_length, new.as_ptr().cast_mut(), new_length))
}

/// The observer of a token's life, in a process that lives on.
pub struct Life<'a> {
    /// Where the token is.
    pub slot: CK_SLOT_ID,
    raw: &'a Raw,
}

impl<'a> Life<'a> {
    /// Takes a slot in which no token is initialised, and the first entry of the ledger.
    pub fn new(raw: &'a Raw, ledger: &Ledger, number: usize) -> Self {
        let empty = |slot: &CK_SLOT_ID| raw.token_info(*slot).is_ok_and(|it| it.flags & CKF_TOKEN_INITIALIZED == 0);
        let slot = raw.slots(true).into_iter().find(empty).expect("a free slot");
        assert_eq!(ledger.begin(number, 0), Some(0), "the first entry");
        Self { slot, raw }
    }

    /// Looks what a killed process left: the state after the last acknowledged step or after the one that was begun.
    /// Leaves the token at the beginning of the next cycle, because to count wrong PINs one has to give more of them.
    /// Answers whether the step begun is there, and whether one was under way.
    pub fn settle(&self, entry: &Entry) -> (bool, bool) {
        let (acked, begun) = (entry.acked(), entry.begun());
        let mut possible = vec![begun, acked];
        possible.dedup();
        self.keep_what_fits(&mut possible);
        let version = *possible.first().unwrap_or_else(|| {
            panic!("the token is neither {:?} nor {:?}", State::of(acked), State::of(begun));
        });
        entry.settle(version);
        if let Some(state) = State::of(version) {
            self.begin_next_cycle(&state, (version - 1) / STEPS + 1);
            entry.settle((version - 1) / STEPS * STEPS + STEPS + 1);
        }
        (version == begun, acked != begun)
    }

    fn begin_next_cycle(&self, state: &State, cycle: u64) {
        let so = so_pin(cycle);
        if state.so_pin != so {
            let session = self.raw.session(self.slot);
            assert_eq!(self.raw.login(session, CKU_SO, &state.so_pin), Ok(()));
            assert_eq!(set_pin(self.raw, session, &state.so_pin, &so), Ok(()));
            assert_eq!(ck!(self.raw, C_CloseSession, session), CKR_OK);
        }
        assert_eq!(self.raw.init_token(self.slot, &so, &label(cycle)), Ok(()));
    }

    fn keep_what_fits(&self, possible: &mut Vec<u64>) {
        let info = self.raw.token_info(self.slot).expect("a token");
        let said = |flag: CK_FLAGS| info.flags & flag != 0;
        let shown = String::from_utf8_lossy(&info.label).trim_end().to_owned();
        possible.retain(|version| match State::of(*version) {
            None => !said(CKF_TOKEN_INITIALIZED),
            Some(state) => {
                state.label == shown
                    && state.user_pin.is_some() == said(CKF_USER_PIN_INITIALIZED)
                    && (state.failed > 0) == said(CKF_USER_PIN_COUNT_LOW)
            }
        });
        if !said(CKF_TOKEN_INITIALIZED) {
            return;
        }
        let session = self.raw.session(self.slot);
        possible.retain(|version| State::of(*version).is_some_and(|state| self.opens(session, CKU_SO, &state.so_pin)));
        if said(CKF_USER_PIN_COUNT_LOW) {
            let failed = TRIES - self.tries_left(session);
            possible.retain(|version| State::of(*version).is_some_and(|state| state.failed == failed));
        } else {
            possible
                .retain(|version| State::of(*version).is_some_and(|state| self.user_fits(session, &state, *version)));
        }
        assert_eq!(ck!(self.raw, C_CloseSession, session), CKR_OK);
    }

    fn user_fits(&self, session: CK_SESSION_HANDLE, state: &State, version: u64) -> bool {
        let Some(pin) = &state.user_pin else { return true };
        if self.raw.login(session, CKU_USER, pin).is_err() {
            return false;
        }
        let marks = self.raw.find(session, marked((version - 1) / STEPS), 10).len();
        assert_eq!(ck!(self.raw, C_Logout, session), CKR_OK);
        marks == usize::from(state.mark)
    }

    fn opens(&self, session: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: &str) -> bool {
        match self.raw.login(session, user, pin) {
            Ok(()) => {
                assert_eq!(ck!(self.raw, C_Logout, session), CKR_OK);
                true
            }
            Err(CKR_PIN_INCORRECT) => false,
            Err(code) => panic!("login: {code:#x}"),
        }
    }

    /// Gives wrong PINs until the user is locked.
    fn tries_left(&self, session: CK_SESSION_HANDLE) -> u32 {
        let mut tries = 0;
        loop {
            match self.raw.login(session, CKU_USER, "wrong-pin") {
                Err(CKR_PIN_INCORRECT) => tries += 1,
                Err(CKR_PIN_LOCKED) => return tries,
                other => panic!("a wrong PIN: {other:?}"),
            }
        }
    }
}
