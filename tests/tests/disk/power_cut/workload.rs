//! What is done to the store before the power is cut, step by step, and what must be there after each step.
//!
//! Owns: the steps, their calls of the module, their meaning. Does not know: disks. A step that was answered is
//! marked, so that the log says which ones were.

use super::verify::find_state;
use perilune_tests::ck::*;
use perilune_tests::disk::mark;
use perilune_tests::raw::{Answer, answer, plain};
use perilune_tests::{Raw, Template, ck};
use std::collections::BTreeMap;
use std::ptr::null_mut;

/// Wrong PINs that lock the user: so few that the flags of a token tell each count from the others.
pub const USER_TRIES: u32 = 3;
/// What a wrong PIN is.
const WRONG_PIN: &str = "wrong-pin";
const P256: [u8; 10] = [6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];

/// One change, answered by one call.
#[derive(Debug, Clone)]
pub enum Step {
    /// C_InitToken of the token, with a new label and this SO PIN.
    InitToken(&'static str, &'static str),
    /// C_InitPIN by the SO.
    InitPin(&'static str),
    /// C_SetPIN by the user.
    ChangePin(&'static str),
    /// C_SetPIN by the SO.
    ChangeSoPin(&'static str),
    /// A login that fails.
    WrongPin,
    /// A login that succeeds and resets the count.
    Login,
    /// A data object of this many bytes, private or not.
    Create(String, usize, bool),
    /// A P-256 pair.
    Pair(String),
    /// An AES key.
    Key(String),
    /// Another label for what has this name.
    Rename(String, String),
    /// The end of what has this name.
    Destroy(String),
    /// C_Finalize and C_Initialize.
    Restart,
}

/// What must be there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// The token, when there is one.
    pub token: Option<Token>,
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub label: &'static str,
    pub so_pin: &'static str,
    pub user_pin: Option<&'static str>,
    /// Wrong PINs of the user in a row.
    pub wrong: u32,
    pub objects: BTreeMap<String, Object>,
}

/// An object. Its name is its label; for the keys of a pair `/public` or `/private` follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    Data { bytes: usize, private: bool, made_as: String },
    PublicKey,
    PrivateKey,
    Key,
}

impl State {
    /// The state after a step.
    pub fn after(&self, step: &Step) -> Self {
        let mut next = self.clone();
        if let Step::InitToken(label, so_pin) = step {
            next.token = Some(Token { label, so_pin, user_pin: None, wrong: 0, objects: BTreeMap::new() });
            return next;
        }
        let Some(token) = &mut next.token else { return next };
        match step {
            Step::InitToken(..) | Step::Restart => {}
            Step::InitPin(pin) => {
                token.user_pin = Some(pin);
                token.wrong = 0;
            }
            Step::ChangePin(pin) => token.user_pin = Some(pin),
            Step::ChangeSoPin(pin) => token.so_pin = pin,
            Step::WrongPin => token.wrong += 1,
            Step::Login => token.wrong = 0,
            Step::Create(label, bytes, private) => {
                let object = Object::Data { bytes: *bytes, private: *private, made_as: label.clone() };
                token.objects.insert(label.clone(), object);
            }
            Step::Pair(label) => {
                token.objects.insert(format!("{label}/public"), Object::PublicKey);
                token.objects.insert(format!("{label}/private"), Object::PrivateKey);
            }
            Step::Key(label) => drop(token.objects.insert(label.clone(), Object::Key)),
            Step::Rename(from, to) => {
                let object = token.objects.remove(from).expect("what is renamed is there");
                token.objects.insert(to.clone(), object);
            }
            Step::Destroy(label) => drop(token.objects.remove(label)),
        }
        next
    }
}

/// The steps on a store that stays small: every kind of change.
pub fn every_kind() -> Vec<Step> {
    use Step::*;
    let name = |name: &str| name.to_owned();
    vec![
        InitToken("one", "so-pin-1"),
        InitPin("user-pin-1"),
        Create(name("public"), 100, false),
        Create(name("private"), 3000, true),
        Pair(name("pair")),
        Key(name("key")),
        Rename(name("key"), name("renamed")),
        WrongPin,
        WrongPin,
        Login,
        Create(name("large"), 200_000, false),
        ChangePin("user-pin-2"),
        Restart,
        WrongPin,
        Restart,
        Login,
        Destroy(name("large")),
        Pair(name("second pair")),
        Create(name("empty"), 0, true),
        Destroy(name("public")),
        ChangeSoPin("so-pin-2"),
        WrongPin,
        WrongPin,
        WrongPin,
        InitPin("user-pin-3"),
        Rename(name("pair/private"), name("other/private")),
        Rename(name("pair/public"), name("other/public")),
        Restart,
        Create(name("last"), 20_000, true),
        InitToken("two", "so-pin-2"),
        InitPin("user-pin-4"),
        Pair(name("pair")),
        Create(name("public"), 5000, false),
        Destroy(name("pair/private")),
        Destroy(name("pair/public")),
    ]
}

/// The steps on a store with few objects that are written again and again, so that much is tidied up and little has to be looked
/// at afterwards: from time to time one is made or destroyed, the engine cleans up, a process begins anew.
pub fn much(rounds: usize) -> Vec<Step> {
    let mut steps = vec![Step::InitToken("one", "so-pin-1"), Step::InitPin("user-pin-1")];
    let sizes = [60_000, 150_000, 30_000, 700, 100_000];
    let mut names = Vec::new();
    for (number, bytes) in sizes.into_iter().enumerate() {
        names.push(format!("object {number}"));
        steps.push(Step::Create(names[number].clone(), bytes, number % 2 == 0));
    }
    for round in 0..rounds {
        let (at, number) = (round % names.len(), round / names.len());
        let next = format!("object {at} in round {number}");
        if round % 7 == 6 {
            steps.push(Step::Destroy(names[at].clone()));
            steps.push(Step::Create(next.clone(), sizes[(at + number) % sizes.len()], number % 2 == 0));
        } else {
            steps.push(Step::Rename(names[at].clone(), next.clone()));
        }
        names[at] = next;
        if round % 16 == 15 {
            steps.push(Step::Pair(format!("pair {round}")));
            steps.push(Step::Restart);
        }
        if round % 20 == 19 {
            steps.extend([Step::WrongPin, Step::Login]);
        }
    }
    steps
}

/// The states before, between and after the steps.
pub fn states(steps: &[Step]) -> Vec<State> {
    let mut states = vec![State::default()];
    for step in steps {
        states.push(states[states.len() - 1].after(step));
    }
    states
}

/// Takes the steps and marks each one's beginning and answer. `begun` of them were begun by a process that was killed in the last one:
/// that is taken again if it is not found done.
pub fn run(steps: &[Step], begun: usize) {
    let raw = Raw::start();
    let states = states(steps);
    let mut next = 0;
    if begun > 0 {
        let found =
            find_state(&raw, &[&states[begun], &states[begun - 1]]).unwrap_or_else(|problem| panic!("{problem}"));
        next = if *found == states[begun] { begun } else { begun - 1 };
        if next == begun {
            mark(&format!("done {}", begun - 1));
        }
    }
    for (number, step) in steps.iter().enumerate().skip(next) {
        mark(&format!("begin {number}"));
        take(&raw, &states[number], step).unwrap_or_else(|code| panic!("step {number}, {step:?}: {code:#x}"));
        mark(&format!("done {number}"));
    }
    raw.finalize();
}

/// How many steps were begun and how many answered, after this mark.
pub fn progress(mark: &str, begun: &mut usize, done: &mut usize) {
    let (what, number) = mark.split_once(' ').expect("a mark");
    let count = number.parse::<usize>().expect("a number") + 1;
    *(if what == "begin" { begun } else { done }) = count;
}

fn take(raw: &Raw, state: &State, step: &Step) -> Answer<()> {
    if matches!(step, Step::Restart) {
        raw.finalize();
        return answer(ck!(raw, C_Initialize, null_mut()));
    }
    if let Step::InitToken(label, pin) = step {
        return raw.init_token(slot(raw, state), pin, label);
    }
    let token = state.token.as_ref().expect("a token");
    let session = raw.session(slot(raw, state));
    if let Step::WrongPin = step {
        let answered = raw.login(session, CKU_USER, WRONG_PIN);
        assert_eq!(answered, Err(CKR_PIN_INCORRECT));
        return answer(ck!(raw, C_CloseSession, session));
    }
    if let Step::InitPin(_) | Step::ChangeSoPin(_) = step {
        raw.login(session, CKU_SO, token.so_pin)?;
    } else {
        assert!(token.wrong == 0 || matches!(step, Step::Login), "a good login is a step of its own after wrong ones");
        raw.login(session, CKU_USER, token.user_pin.expect("a user"))?;
    }
    change(raw, session, token, step)?;
    answer(ck!(raw, C_CloseSession, session))
}

fn change(raw: &Raw, session: CK_SESSION_HANDLE, token: &Token, step: &Step) -> Answer<()> {
    let pin = |pin: &str| (pin.as_ptr().cast_mut(), pin.len() as CK_ULONG);
    match step {
        Step::InitToken(..) | Step::WrongPin | Step::Login | Step::Restart => Ok(()),
        Step::InitPin(new) => {
            let (new, length) = pin(new);
            answer(ck!(raw, C_InitPIN, session, new, length))
        }
        Step::ChangePin(new) | Step::ChangeSoPin(new) => {
            let old = if matches!(step, Step::ChangePin(_)) { token.user_pin.expect("a user") } else { token.so_pin };
            let ((old, old_length), (new, length)) = (pin(old), pin(new));
            answer(ck!(raw, C_SetPIN, session, old, old_length, new, length))
        }
        Step::Create(label, bytes, private) => {
            let object = labelled(label).number(CKA_CLASS, CKO_DATA).bytes(CKA_VALUE, &content(label, *bytes));
            raw.create(session, object.flag(CKA_PRIVATE, *private)).map(drop)
        }
        Step::Pair(label) => {
            let public = labelled(label).bytes(CKA_EC_PARAMS, &P256);
            raw.generate_pair(session, plain(CKM_EC_KEY_PAIR_GEN), public, labelled(label)).map(drop)
        }
        Step::Key(label) => {
            raw.generate(session, plain(CKM_AES_KEY_GEN), labelled(label).number(CKA_VALUE_LEN, 32)).map(drop)
        }
        Step::Rename(from, to) => {
            raw.set(session, found(raw, session, from), Template::new().text(CKA_LABEL, label_of(to)))
        }
        Step::Destroy(name) => raw.destroy(session, found(raw, session, name)),
    }
}

/// The slot of the token, or a free one.
fn slot(raw: &Raw, state: &State) -> CK_SLOT_ID {
    match &state.token {
        Some(token) => raw.slot_of(token.label).expect("the token"),
        None => raw.slots(true)[0],
    }
}

/// The one object with this name.
fn found(raw: &Raw, session: CK_SESSION_HANDLE, name: &str) -> CK_OBJECT_HANDLE {
    let wanted = Template::new().text(CKA_LABEL, label_of(name));
    let found = raw.find(
        session,
        match name.rsplit_once('/') {
            Some((_, "public")) => wanted.number(CKA_CLASS, CKO_PUBLIC_KEY),
            Some((_, "private")) => wanted.number(CKA_CLASS, CKO_PRIVATE_KEY),
            _ => wanted,
        },
        10,
    );
    assert_eq!(found.len(), 1, "{name}");
    found[0]
}

/// The label of an object with this name.
pub fn label_of(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

/// The common part of every object's template.
pub fn labelled(label: &str) -> Template {
    Template::new().flag(CKA_TOKEN, true).text(CKA_LABEL, label)
}

/// The value of a data object, a different one for each label.
pub fn content(label: &str, bytes: usize) -> Vec<u8> {
    label.bytes().cycle().enumerate().map(|(at, byte)| byte ^ (at >> 8) as u8).take(bytes).collect()
}
