//! Processes on a disk that fails on command: plans of calls, made from seeds, against a simple model of a token.
//!
//! Each plan lets three HSMs on one simulated disk create, generate, rename and destroy objects, change PINs, guess wrong ones and
//! initialise the token anew, while at any step the power fails, a process dies, the disk is full or answers an
//! error. After each call all of them must show what the model says; a call that failed has happened or not.
//!
//! `PERILUNE_SEEDS=n` tries n plans, `PERILUNE_SEED=n` replays the one.

use crate::bench::*;
use hsm_core::template::Template;
use hsm_core::*;
use hsm_crypto::kdf::Argon2Cost;
use hsm_crypto::{Random, SecretBytes};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use token_store::medium::simulated::{Dice, Fault, SimulatedDisk};
use token_store::{DeviceKey, Store};

/// How many plans the normal run tries.
const SEEDS: u64 = 1000;
/// A plan that once found a fault: half of a new frame revived one that had been taken back.
const FOUND: [u64; 1] = [743];
/// Calls in a plan.
const CALLS: usize = 25;
/// Short enough that a plan folds its journal several times.
const FOLD_BYTES: u64 = (8 << 10) + 6000;

/// Randomness that follows from a seed, so that a plan can be played again to the letter.
struct Seeded(Mutex<Dice>);

impl Random for Seeded {
    fn fill(&self, out: &mut [u8]) -> hsm_crypto::Result<()> {
        let mut dice = self.0.lock().unwrap();
        out.iter_mut().for_each(|byte| *byte = dice.roll().to_be_bytes()[0]);
        Ok(())
    }
}

/// A clock that runs backwards as often as forwards.
struct Wandering(AtomicI64, AtomicU64);

impl Clock for Wandering {
    fn unix_seconds(&self) -> i64 {
        let step = self.1.fetch_add(1, Ordering::Relaxed) * 7919 % 20_011;
        self.0.fetch_add(i64::try_from(step).unwrap() - 10_000, Ordering::Relaxed)
    }
}

/// What the token is, as far as has been acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Model {
    /// Objects as `label/class`.
    objects: BTreeSet<String>,
    /// The user's PIN; `None` before it is set.
    pin: Option<u64>,
    wrong: u32,
}

/// A call, with the numbers that it was given.
#[derive(Debug, Clone)]
enum Call {
    Create { label: String, private: bool },
    Generate { label: String },
    Rename { from: String, to: String },
    Destroy { object: String },
    ChangePin { to: u64 },
    Guess,
    InitToken,
}

struct World {
    dice: Dice,
    disk: SimulatedDisk,
    processes: [Option<Process>; 3],
    model: Model,
    counter: u64,
}

struct Process {
    hsm: Hsm,
    session: SessionHandle,
}

impl Model {
    /// What the call makes of it.
    fn after(&self, call: &Call) -> Self {
        let mut after = self.clone();
        match call {
            Call::Create { label, .. } => {
                after.objects.insert(format!("{label}/{CKO_DATA}"));
            }
            Call::Generate { label } => {
                after.objects.extend([CKO_PUBLIC_KEY, CKO_PRIVATE_KEY].map(|class| format!("{label}/{class}")));
            }
            Call::Rename { from, to } => {
                let renamed = from.split_once('/').map(|(_, class)| format!("{to}/{class}"));
                after.objects.remove(from);
                after.objects.extend(renamed);
            }
            Call::Destroy { object } => {
                after.objects.remove(object);
            }
            Call::ChangePin { to } => (after.pin, after.wrong) = (Some(*to), 0),
            Call::Guess => after.wrong = self.wrong + 1,
            Call::InitToken => after = Self { objects: BTreeSet::new(), pin: None, wrong: 0 },
        }
        after
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let disk = SimulatedDisk::new(seed ^ 0xC0DE);
        let model = Model { objects: BTreeSet::new(), pin: None, wrong: 0 };
        let mut world = Self { dice: Dice(seed), disk, processes: [None, None, None], model, counter: 0 };
        let hsm = world.start().unwrap();
        hsm.init_token(SLOT, &pin(SO_PIN), LABEL).unwrap();
        world
    }

    fn run(&mut self) {
        self.give_pin();
        for _ in 0..CALLS {
            let call = self.call();
            let who = usize::try_from(self.dice.below(3)).unwrap();
            let faults = [None, None, Some(Fault::PowerCut), Some(Fault::Kill), Some(Fault::Full), Some(Fault::Io)];
            let fault = faults[usize::try_from(self.dice.below(6)).unwrap()];
            if let Some(fault) = fault {
                self.disk.plan(1 + self.dice.below(9), fault);
            }
            let answer = self.perform(who, &call);
            self.recover(who, fault);
            self.settle(&call, answer, fault);
            self.give_pin();
            (0..3).for_each(|who| self.compare(who));
        }
    }

    /// The cause goes away; whoever died begins anew, and the others go on as they are.
    fn recover(&mut self, who: usize, fault: Option<Fault>) {
        let steps = self.disk.steps();
        self.disk.heal();
        match fault {
            Some(Fault::PowerCut) => self.processes = [None, None, None],
            // It may have died, or the step that it would have died at never came.
            Some(Fault::Kill) => self.processes[who] = None,
            Some(Fault::Full | Fault::Io) | None => {}
        }
        if self.disk.is_off() {
            self.disk.power_on();
        }
        assert_eq!(self.disk.steps(), steps);
    }

    /// Takes a call into the model: it has happened, or it failed and a new process tells what became of it.
    fn settle(&mut self, call: &Call, answer: Result<()>, fault: Option<Fault>) {
        let after = self.model.after(call);
        match answer {
            // A wrong PIN is refused also when it could not be written down.
            Ok(()) if fault.is_none() || !matches!(call, Call::Guess) => self.model = after,
            Err(reason) if fault.is_none() => panic!("{call:?}: {reason}"),
            // Which one it is, if it happened, is for the eye that reads a failure.
            answer => {
                println!("{call:?}: {answer:?}, {fault:?}");
                let mut states = vec![self.model.clone(), after];
                if !matches!(call, Call::Guess | Call::InitToken) {
                    // It began with the right PIN, which ends the count of wrong ones by itself.
                    states.push(Model { wrong: 0, ..self.model.clone() });
                }
                self.model = self.look(states);
            }
        }
        if matches!(call, Call::InitToken) {
            // Whoever was logged in to the token of before has nothing of it left.
            for who in 0..3 {
                if self.processes[who].is_some() {
                    self.compare(who);
                }
            }
            self.processes = [None, None, None];
        }
    }

    /// Which of some models is true, by what a new process finds.
    fn look(&mut self, states: Vec<Model>) -> Model {
        let hsm = self.start().unwrap();
        let low = flags(&hsm, CKF_USER_PIN_COUNT_LOW) != 0;
        let session = hsm.open_session(SLOT, true).unwrap();
        let mut fitting = states.into_iter().filter(|model| (model.wrong > 0) == low).filter(|model| {
            // A PIN that is not the right one only counts, until the right one is given.
            match model.pin {
                Some(number) if flags(&hsm, CKF_USER_PIN_INITIALIZED) != 0 => {
                    let entered = hsm.login(session, CKU_USER, &user_pin(number)).is_ok();
                    let shown = names(&hsm, session);
                    entered && hsm.logout(session).is_ok() && shown == model.objects
                }
                Some(_) => false,
                None => flags(&hsm, CKF_USER_PIN_INITIALIZED) == 0,
            }
        });
        let mut model = fitting.next().expect("what was acknowledged, and of the call all or nothing");
        drop(fitting);
        if model.pin.is_some() {
            // The login above made the count of wrong ones 0.
            model.wrong = 0;
        }
        model
    }

    /// Gives the user a PIN where it has none; a fault is never planned here.
    fn give_pin(&mut self) {
        if self.model.pin.is_some() {
            return;
        }
        self.counter += 1;
        let hsm = self.start().unwrap();
        let session = hsm.open_session(SLOT, true).unwrap();
        hsm.login(session, CKU_SO, &pin(SO_PIN)).unwrap();
        hsm.init_pin(session, &user_pin(self.counter)).unwrap();
        (self.model.pin, self.model.wrong) = (Some(self.counter), 0);
    }

    /// Every process shows what the model says, at once.
    fn compare(&mut self, who: usize) {
        let process = self.process(who).unwrap();
        let shown = names(&process.hsm, process.session);
        let low = flags(&process.hsm, CKF_USER_PIN_COUNT_LOW) != 0;
        assert_eq!(shown, self.model.objects, "process {who}");
        assert_eq!(low, self.model.wrong > 0, "wrong PINs, process {who}");
    }

    fn handle(&self, who: usize, object: &str) -> Result<ObjectHandle> {
        let Process { hsm, session } = self.processes[who].as_ref().unwrap();
        let (label, class) = object.split_once('/').unwrap();
        let one = labelled(label).with_number(CKA_CLASS, class.parse().unwrap());
        hsm.find_init(*session, &one)?;
        let found = hsm.find(*session, 2)?;
        hsm.find_final(*session)?;
        let [handle] = found[..] else { panic!("{object}: {found:?}") };
        Ok(handle)
    }

    /// A new HSM on the disk.
    fn start(&mut self) -> Result<Hsm> {
        self.counter += 1;
        let random = Arc::new(Seeded(Mutex::new(Dice(self.dice.roll()))));
        let cost = Argon2Cost { memory_kib: 8, passes: 1, lanes: 1 };
        let device_key = DeviceKey::new(SecretBytes::new(vec![7; 32])).unwrap();
        let store = Store::open(Box::new(self.disk.process(FOLD_BYTES)), &device_key, random.clone(), cost)?;
        let clock = Arc::new(Wandering(AtomicI64::new(1_700_000_000), AtomicU64::new(self.counter)));
        let store = Arc::new(store);
        Hsm::new(Platform { engine: hsm_crypto::portable(), random, clock, store }, Config::default())
    }

    fn call(&mut self) -> Call {
        self.counter += 1;
        let label = format!("object {}", self.counter);
        let objects: Vec<String> = self.model.objects.iter().cloned().collect();
        let chosen = (!objects.is_empty())
            .then(|| objects[usize::try_from(self.dice.below(objects.len() as u64)).unwrap()].clone());
        match (self.dice.below(16), chosen) {
            (0..3, Some(object)) => Call::Destroy { object },
            (3..6, Some(from)) => Call::Rename { from, to: label },
            (6..8, _) => Call::Generate { label },
            (8, _) => Call::ChangePin { to: self.counter },
            (9..11, _) => Call::Guess,
            (11, _) if self.dice.one_in(3) => Call::InitToken,
            _ => Call::Create { label, private: self.dice.one_in(2) },
        }
    }

    /// The process with its user logged in, begun where it is not there; fails only where the disk does.
    fn process(&mut self, who: usize) -> Result<&Process> {
        if self.processes[who].is_none() {
            let hsm = self.start()?;
            let session = hsm.open_session(SLOT, true)?;
            hsm.login(session, CKU_USER, &user_pin(self.model.pin.unwrap()))?;
            self.model.wrong = 0;
            self.processes[who] = Some(Process { hsm, session });
        }
        Ok(self.processes[who].as_ref().unwrap())
    }

    fn perform(&mut self, who: usize, call: &Call) -> Result<()> {
        if matches!(call, Call::Guess | Call::InitToken) {
            // In a process of its own: nobody may be logged in there.
            let hsm = self.start()?;
            return match call {
                Call::Guess => {
                    let session = hsm.open_session(SLOT, true)?;
                    match hsm.login(session, CKU_USER, &pin("certainly wrong")) {
                        Err(Reason::PinIncorrect { .. } | Reason::PinLocked) => Ok(()),
                        other => other,
                    }
                }
                _ => hsm.init_token(SLOT, &pin(SO_PIN), LABEL),
            };
        }
        let old = user_pin(self.model.pin.unwrap());
        self.process(who)?;
        let Process { hsm, session } = self.processes[who].as_ref().unwrap();
        let session = *session;
        match call {
            Call::Create { label, private } => hsm.create_object(session, &data(label, true, *private)).map(drop),
            Call::Generate { label } => {
                let both = labelled(label).with_flag(CKA_TOKEN, true);
                let curve = [6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];
                let public = both.clone().with(CKA_EC_PARAMS, &curve);
                hsm.generate_key_pair(session, &plain(CKM_EC_KEY_PAIR_GEN), &public, &both).map(drop)
            }
            Call::Rename { from, to } => hsm.set_attributes(session, self.handle(who, from)?, &labelled(to)),
            Call::Destroy { object } => hsm.destroy_object(session, self.handle(who, object)?),
            Call::ChangePin { to } => hsm.set_pin(session, &old, &user_pin(*to)),
            Call::Guess | Call::InitToken => Ok(()),
        }
    }
}

fn user_pin(number: u64) -> SecretBytes {
    pin(&format!("user-pin-{number}"))
}

/// Everything that a session sees, as `label/class`; nothing twice.
fn names(hsm: &Hsm, session: SessionHandle) -> BTreeSet<String> {
    let handles = found(hsm, session, &Template::default().with_flag(CKA_TOKEN, true));
    let names: BTreeSet<String> = handles
        .iter()
        .map(|handle| {
            let answers = hsm.attributes(session, *handle, &[CKA_LABEL, CKA_CLASS]).unwrap();
            let [Answer::Bytes(label), Answer::Bytes(class)] = &answers[..] else { panic!("{answers:?}") };
            let class = u64::from_ne_bytes(class.expose().try_into().unwrap());
            format!("{}/{class}", String::from_utf8_lossy(label.expose()))
        })
        .collect();
    assert_eq!(names.len(), handles.len(), "something is there twice");
    names
}

fn check_plan(seed: u64) {
    let outcome = std::panic::catch_unwind(|| World::new(seed).run());
    if let Err(panic) = outcome {
        // The harness shows standard output of failed tests.
        println!("replay with PERILUNE_SEED={seed}");
        std::panic::resume_unwind(panic);
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn whatever_fails_at_any_step_every_process_shows_what_was_acknowledged() {
    match number("PERILUNE_SEED") {
        Some(seed) => check_plan(seed),
        None => FOUND.into_iter().chain(0..number("PERILUNE_SEEDS").unwrap_or(SEEDS)).for_each(check_plan),
    }
}
