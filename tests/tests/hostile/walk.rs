//! The walk through every sequence of calls, and how an answer is held against a model.
//!
//! Owns: which sequences there are, what all kinds need for them, and the set of states in which a module may be, because the standard leaves some things open: an
//! answer rules states out, and one that leaves none is wrong. Does not know: calls, and what is right; `orders`, `orders_messages`
//! and `orders_pairs` do.
//!
//! A sequence begins in a new session. One that closes its session is not continued: what would follow begins in a new session, too,
//! and is a sequence of its own. One that is wrong is not continued either. All others are made, in one process for each kind.

use crate::calls::entry;
use crate::target::{Done, Stop, Target, read, read_bytes, word};
use perilune_tests::ck::*;
use perilune_tests::raw::call_words;
use perilune_tests::{Template, ck};
use std::fmt::Debug;

/// Some ten thousand sequences for each kind; one call more, and it is fifteen times as many.
pub const USUAL_DEPTH: u32 = 4;
/// More would take months.
const MOST: usize = 8;

/// A set of states, a bit each.
pub type States = u64;
/// Nothing is active: the state of a new session.
pub const IDLE: States = 1;

/// How many calls a sequence has: `HOSTILE_DEPTH`.
pub fn depth() -> u32 {
    std::env::var("HOSTILE_DEPTH")
        .ok()
        .and_then(|depth| depth.parse().ok())
        .unwrap_or(USUAL_DEPTH)
        .clamp(1, MOST as u32)
}

/// These states when the answer is right, and none when it is not.
pub fn allow(right: bool, states: States) -> States {
    if right { states } else { 0 }
}

/// A kind of operation with its steps and its model.
pub trait Desk {
    /// A call, or something that happens to the session or the key.
    type Step: Copy + Debug + PartialEq + 'static;
    /// The one that makes everything new.
    const CLOSE: Self::Step;

    /// All that may come next, at any time.
    fn steps(&self) -> &'static [Self::Step];

    /// Makes one step, of which the answer is CKR_OK when it is no call.
    ///
    /// # Errors
    /// When what is no call does not work.
    fn step(&mut self, step: Self::Step) -> Result<CK_RV, Stop>;

    /// The states that may follow this one after this answer: none when the answer is wrong.
    fn next(&self, state: States, step: Self::Step, code: CK_RV) -> States;
}

/// Makes every sequence.
///
/// # Errors
/// When what is no call does not work.
pub fn every_order<D: Desk>(target: &Target, desk: &mut D) -> Done {
    let (steps, depth, begin) = (desk.steps(), depth() as usize, std::time::Instant::now());
    let mut whole = [0; MOST];
    let places = &mut whole[..depth];
    let (mut sequences, mut wrong) = (0u64, 0);
    loop {
        let closed = places[..depth - 1].iter().position(|place| steps[*place] == D::CLOSE);
        let turned = match closed {
            Some(at) => at,
            None => {
                sequences += 1;
                match run(desk, places)? {
                    None => depth - 1,
                    Some((at, what)) => {
                        wrong += 1;
                        target.effect(&what, false);
                        at
                    }
                }
            }
        };
        if wrong > 20 || !turn(places, turned, steps.len()) {
            break;
        }
    }
    let seconds = begin.elapsed().as_secs();
    target.note(format!("{sequences} sequences of {depth} of {} steps in {seconds} s", steps.len()));
    Ok(())
}

/// The next sequence that differs in this place or before it; false after the last.
fn turn(places: &mut [usize], at: usize, steps: usize) -> bool {
    places[at + 1..].fill(0);
    for place in places[..=at].iter_mut().rev() {
        *place += 1;
        if *place < steps {
            return true;
        }
        *place = 0;
    }
    false
}

/// Runs a sequence from a clean beginning; tells where it is wrong, and how.
fn run<D: Desk>(desk: &mut D, places: &[usize]) -> Result<Option<(usize, String)>, Stop> {
    desk.step(D::CLOSE)?;
    let (steps, mut states) = (desk.steps(), IDLE);
    for (at, place) in places.iter().enumerate() {
        let (step, before) = (steps[*place], states);
        let code = desk.step(step)?;
        states = 0;
        let mut left = before;
        while left != 0 {
            let state = left & left.wrapping_neg();
            states |= desk.next(state, step, code);
            left ^= state;
        }
        if states == 0 {
            let shown: Vec<_> = places[..=at].iter().map(|place| steps[*place]).collect();
            return Ok(Some((at, format!("{shown:?} answers {} (from the states {before:#b})", word(code)))));
        }
    }
    Ok(None)
}

/// What every kind of operation needs: a session that comes and goes, a key, room for outputs. Made once, because a sequence takes
/// microseconds.
pub struct Seat<'t> {
    /// The module.
    pub target: &'t Target,
    /// Holds the login and the key while the other session comes and goes.
    keeper: CK_SESSION_HANDLE,
    /// The session in which the calls are made.
    pub session: CK_SESSION_HANDLE,
    cancel: Option<usize>,
    template: Option<(*mut CK_ATTRIBUTE, usize)>,
    /// The key, if the kind has one of its own.
    pub key: CK_OBJECT_HANDLE,
    /// Where outputs go.
    pub out: *mut u8,
    length: *mut CK_ULONG,
}

/// Room for any output of these cases.
pub const ROOM: usize = 256;

impl<'t> Seat<'t> {
    /// A seat with a key of this kind and these usages, public so that it outlives a logout; without any, with no key.
    ///
    /// # Errors
    /// When there is no session, or no such key.
    pub fn new(target: &'t Target, kind: CK_KEY_TYPE, usages: &[CK_ATTRIBUTE_TYPE]) -> Result<Self, Stop> {
        let template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, kind);
        let template = template.bytes(CKA_VALUE, &[9; 32]).flag(CKA_PRIVATE, false);
        let template = usages.iter().fold(template, |template, usage| template.flag(*usage, true));
        let mut seat = Self {
            target,
            keeper: target.session(),
            session: target.enter()?,
            cancel: entry(target, "C_SessionCancel").ok(),
            template: (!usages.is_empty()).then(|| target.list(&template)),
            key: 0,
            out: target.room(ROOM),
            length: target.value(0 as CK_ULONG),
        };
        seat.key = seat.new_key()?;
        Ok(seat)
    }

    /// Always with one value.
    fn new_key(&self) -> Result<CK_OBJECT_HANDLE, Stop> {
        let (Some((list, count)), mut key) = (self.template, 0) else { return Ok(0) };
        let code = ck!(self.target.raw, C_CreateObject, self.keeper, list, count as CK_ULONG, &mut key);
        self.target.need("C_CreateObject", code).map(|()| key)
    }

    /// Whether the module can end operations by C_SessionCancel.
    pub fn cancels(&self) -> bool {
        self.cancel.is_some()
    }

    /// C_SessionCancel.
    pub fn cancel(&self, flag: CK_FLAGS) -> CK_RV {
        self.cancel.map_or(CKR_FUNCTION_NOT_SUPPORTED, |entry| self.call(entry, &[flag as usize]))
    }

    /// Calls a function with the session and these arguments.
    pub fn call(&self, entry: usize, arguments: &[usize]) -> CK_RV {
        let mut words = [0; 10];
        words[0] = self.session as usize;
        words[1..=arguments.len()].copy_from_slice(arguments);
        call_words(entry, words)
    }

    /// Says that there is so much room for the next output; where that is said.
    pub fn room(&self, bytes: usize) -> usize {
        // SAFETY: the length's own memory.
        unsafe { self.length.write_unaligned(bytes as CK_ULONG) };
        self.length as usize
    }

    /// How many bytes the last call says it wrote.
    fn written(&self) -> usize {
        read(self.length.cast_const()) as usize
    }

    /// What the last call wrote.
    pub fn output(&self) -> Vec<u8> {
        read_bytes(self.out, self.written().min(ROOM))
    }

    /// Whether the last call wrote just this; costs no memory, which is slow between unreadable pages.
    pub fn wrote(&self, right: &[u8]) -> bool {
        self.written() == right.len()
            && right.iter().enumerate().all(|(at, byte)| read(self.out.wrapping_add(at)) == *byte)
    }

    /// The user logs out and in again.
    ///
    /// # Errors
    /// When that does not work.
    pub fn log_out(&self) -> Result<CK_RV, Stop> {
        let Target { raw, contestant, .. } = self.target;
        self.target.need("C_Logout", ck!(raw, C_Logout, self.keeper))?;
        self.target.answer("C_Login", raw.login(self.keeper, CKU_USER, &contestant.pin))?;
        Ok(CKR_OK)
    }

    /// The session is closed, and there is another.
    ///
    /// # Errors
    /// When that does not work.
    pub fn close(&mut self) -> Result<CK_RV, Stop> {
        self.target.need("C_CloseSession", ck!(self.target.raw, C_CloseSession, self.session))?;
        self.session = self.target.open()?;
        Ok(CKR_OK)
    }

    /// The key is destroyed, and there is another with the same value.
    ///
    /// # Errors
    /// When that does not work.
    pub fn destroy(&mut self) -> Result<CK_RV, Stop> {
        if self.key != 0 {
            self.target.need("C_DestroyObject", ck!(self.target.raw, C_DestroyObject, self.keeper, self.key))?;
            self.key = self.new_key()?;
        }
        Ok(CKR_OK)
    }
}
