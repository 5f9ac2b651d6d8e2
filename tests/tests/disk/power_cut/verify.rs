//! Opening what a power cut left: it must be one of the states that are allowed, it must take a further change, and keep it.
//!
//! Owns: the look at a store from outside, with calls of the module only. Does not know: disks. An answer is an error in words.

use super::workload::{Object, State, Step, Token, USER_TRIES, content, label_of, labelled};
use perilune_tests::ck::*;
use perilune_tests::disk::mark;
use perilune_tests::raw::{answer, plain};
use perilune_tests::{Raw, Template, ck};
use std::collections::BTreeMap;
use std::ptr::null_mut;

type Verdict<T> = Result<T, String>;

/// Opens the store, which must be in one of `allowed`; changes it, opens it again.
pub fn verify(raw: &Raw, allowed: &[&State]) -> Verdict<()> {
    let verdict = opened(raw, || {
        let state = find_state(raw, allowed)?;
        change(raw, state, "after the power cut", || ())
    });
    let state = verdict?;
    opened(raw, || find_state(raw, &[&state]).map(drop)).map_err(|problem| format!("opened once more: {problem}"))
}

/// Opens the store, which must be in one of `allowed`, and changes it; marks which it is, and the beginning and the end of the change.
pub fn recover(raw: &Raw, allowed: &[&State]) -> Verdict<()> {
    opened(raw, || {
        let state = find_state(raw, allowed)?;
        let number = allowed.iter().position(|allowed| *allowed == state).ok_or("a state")?;
        mark(&format!("seen {number}"));
        change(raw, state, WHILE_RECOVERING, || mark("begin"))?;
        mark("done");
        Ok(())
    })
}

/// The state after the change that [`recover`] makes.
pub fn recovered(state: &State) -> State {
    state.after(&further_step(state, WHILE_RECOVERING))
}

const WHILE_RECOVERING: &str = "while recovering";

fn opened<T>(raw: &Raw, work: impl FnOnce() -> Verdict<T>) -> Verdict<T> {
    said("C_Initialize", answer(ck!(raw, C_Initialize, null_mut())))?;
    // A failed expectation of the calls' own must not leave the module initialised for the next image.
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    let ended = answer(ck!(raw, C_Finalize, null_mut()));
    match done {
        Ok(done) => done.and_then(|done| said("C_Finalize", ended).map(|()| done)),
        Err(panic) => Err(format!("a call failed: {}", panic.downcast_ref::<String>().map_or("?", String::as_str))),
    }
}

fn said<T>(call: &str, answer: Result<T, CK_RV>) -> Verdict<T> {
    answer.map_err(|code| format!("{call}: {code:#x}"))
}

/// The one of `allowed` that the store is in.
pub fn find_state<'a>(raw: &Raw, allowed: &[&'a State]) -> Verdict<&'a State> {
    let tokens = tokens(raw)?;
    let mut problems = Vec::new();
    // The flags come first for all: looking with a PIN that is not the right one counts as a try.
    let (fitting, others): (Vec<&State>, Vec<&State>) = allowed.iter().copied().partition(|state| fits(state, &tokens));
    if !others.is_empty() {
        let expected = others.iter().map(|state| state.token.as_ref().map(|token| (token.label, flags(token))));
        problems.push(format!("tokens {tokens:x?}, and not {:x?}", expected.collect::<Vec<_>>()));
    }
    for state in fitting {
        let Some(token) = &state.token else { return Ok(state) };
        match look(raw, token) {
            Ok(()) => return Ok(state),
            Err(problem) => problems.push(problem),
        }
    }
    Err(problems.join("; or: "))
}

fn fits(state: &State, tokens: &[(String, CK_FLAGS)]) -> bool {
    match (&state.token, tokens) {
        (None, []) => true,
        (Some(token), [(label, found)]) => label == token.label && *found == flags(token),
        _ => false,
    }
}

/// Labels of the initialised tokens, and how many tries their users have left.
fn tokens(raw: &Raw) -> Verdict<Vec<(String, CK_FLAGS)>> {
    let infos = raw.slots(true).into_iter().map(|slot| said("C_GetTokenInfo", raw.token_info(slot)));
    let mut tokens = Vec::new();
    for info in infos {
        let info = info?;
        if info.flags & CKF_TOKEN_INITIALIZED != 0 {
            tokens.push((String::from_utf8_lossy(&info.label).trim_end().to_owned(), info.flags & TRIES));
        }
    }
    Ok(tokens)
}

fn session_of(raw: &Raw, token: &Token) -> Verdict<CK_SESSION_HANDLE> {
    let slot = raw.slot_of(token.label).ok_or("the token is gone")?;
    said("C_OpenSession", raw.open(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION))
}

/// Looks at everything, as the SO and as the user.
fn look(raw: &Raw, token: &Token) -> Verdict<()> {
    let session = session_of(raw, token)?;
    let looked = look_in(raw, session, token);
    said("C_CloseSession", answer(ck!(raw, C_CloseSession, session)))?;
    looked
}

const TRIES: CK_FLAGS =
    CKF_USER_PIN_INITIALIZED | CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED;

fn flags(token: &Token) -> CK_FLAGS {
    let mut flags = 0;
    if token.user_pin.is_some() {
        flags |= CKF_USER_PIN_INITIALIZED;
    }
    if token.wrong > 0 {
        flags |= CKF_USER_PIN_COUNT_LOW;
    }
    if token.wrong >= USER_TRIES {
        flags |= CKF_USER_PIN_LOCKED;
    } else if token.user_pin.is_some() && token.wrong + 1 == USER_TRIES {
        flags |= CKF_USER_PIN_FINAL_TRY;
    }
    flags
}

/// Looks with the SO's eyes and, where he can log in, with the user's. Nothing is changed: the user does not log in while his
/// wrong PINs are counted.
fn look_in(raw: &Raw, session: CK_SESSION_HANDLE, token: &Token) -> Verdict<()> {
    said("C_Login of the SO", raw.login(session, CKU_SO, token.so_pin))?;
    said("C_Logout", answer(ck!(raw, C_Logout, session)))?;
    let sees_all = token.wrong == 0 && token.user_pin.is_some();
    if let (true, Some(pin)) = (sees_all, token.user_pin) {
        said("C_Login of the user", raw.login(session, CKU_USER, pin))?;
    }
    let mut found = BTreeMap::new();
    for object in raw.find(session, Template::new(), 100) {
        let name = name_of(raw, session, object)?;
        if found.insert(name.clone(), object).is_some() {
            return Err(format!("{name} is there twice"));
        }
    }
    let visible =
        |object: &Object| sees_all || matches!(object, Object::Data { private: false, .. } | Object::PublicKey);
    let expected: BTreeMap<_, _> = token.objects.iter().filter(|(_, object)| visible(object)).collect();
    let names: Vec<_> = found.keys().map(String::as_str).collect();
    let wanted: Vec<_> = expected.keys().map(|name| name.as_str()).collect();
    if names != wanted {
        return Err(difference(&names, &wanted));
    }
    expected.into_iter().try_for_each(|(name, object)| {
        use_object(raw, session, &found, name, object).map_err(|problem| format!("{name}: {problem}"))
    })
}

fn difference(names: &[&str], wanted: &[&str]) -> String {
    let beside = |one: &[&str], other: &[&str]| {
        one.iter().filter(|name| !other.contains(name)).copied().collect::<Vec<_>>().join(", ")
    };
    format!("objects missing: [{}], too many: [{}]", beside(wanted, names), beside(names, wanted))
}

fn name_of(raw: &Raw, session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) -> Verdict<String> {
    let label = said("C_GetAttributeValue", raw.attribute(session, object, CKA_LABEL))?;
    let class = said("C_GetAttributeValue", raw.attribute(session, object, CKA_CLASS))?;
    let label = String::from_utf8_lossy(&label).into_owned();
    Ok(match CK_OBJECT_CLASS::from_ne_bytes(class.try_into().map_err(|_| "a class of another length")?) {
        CKO_PUBLIC_KEY => format!("{label}/public"),
        CKO_PRIVATE_KEY => format!("{label}/private"),
        _ => label,
    })
}

fn use_object(
    raw: &Raw,
    session: CK_SESSION_HANDLE,
    found: &BTreeMap<String, CK_OBJECT_HANDLE>,
    name: &str,
    object: &Object,
) -> Verdict<()> {
    let handle = found[name];
    match object {
        Object::Data { bytes, made_as, .. } => {
            let value = said("C_GetAttributeValue", raw.attribute(session, handle, CKA_VALUE))?;
            if value == content(made_as, *bytes) { Ok(()) } else { Err("another value".to_owned()) }
        }
        Object::Key => {
            let block = said("C_Encrypt", raw.encrypt(session, plain(CKM_AES_ECB), handle, &[7; 16]))?;
            let back = said("C_Decrypt", raw.decrypt(session, plain(CKM_AES_ECB), handle, &block))?;
            if back == [7; 16] { Ok(()) } else { Err("decrypts to something else".to_owned()) }
        }
        Object::PrivateKey => {
            let signature = said("C_Sign", raw.sign(session, plain(CKM_ECDSA), handle, &[7; 32]))?;
            match found.get(&format!("{}/public", label_of(name))) {
                Some(public) => said("C_Verify", raw.verify(session, plain(CKM_ECDSA), *public, &[7; 32], &signature)),
                None => Ok(()),
            }
        }
        Object::PublicKey => said("C_GetAttributeValue", raw.attribute(session, handle, CKA_EC_POINT)).map(drop),
    }
}

/// A step that is possible whatever the state: without a token one is made, else a public object, which needs no login that would set
/// the count of wrong PINs back.
fn further_step(state: &State, label: &str) -> Step {
    match &state.token {
        None => Step::InitToken("later", "so-pin-9"),
        Some(_) => Step::Create(label.to_owned(), 500, false),
    }
}

/// Takes the further step, for the store must take one; returns what must be there then.
fn change(raw: &Raw, state: &State, label: &str, begin: impl FnOnce()) -> Verdict<State> {
    let step = further_step(state, label);
    match (&step, &state.token) {
        (Step::Create(_, bytes, _), Some(token)) => {
            let session = session_of(raw, token)?;
            let object = labelled(label).number(CKA_CLASS, CKO_DATA).bytes(CKA_VALUE, &content(label, *bytes));
            begin();
            said("C_CreateObject", raw.create(session, object.flag(CKA_PRIVATE, false)))?;
        }
        _ => {
            let slot = *raw.slots(true).first().ok_or("no slot")?;
            begin();
            said("C_InitToken", raw.init_token(slot, "so-pin-9", "later"))?;
        }
    }
    Ok(state.after(&step))
}
