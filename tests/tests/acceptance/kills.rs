//! SIGKILL at any moment: what was acknowledged is there, what was not is whole or absent, the store opens at once.
//!
//! Owns: who is killed when. One process writes, or four do and the others go on; the referee is a process that looks
//! all the time and is never killed. `PERILUNE_KILLS` says how many; `PERILUNE_SEED` brings the same plan again (the
//! moments are as exact as the machine is).

use crate::token_life::{self, Life};
use perilune_tests::ck::*;
use perilune_tests::hand::{Hand, Handles, Kind};
use perilune_tests::raw::{Answer, answer};
use perilune_tests::{
    Dice, Ledger, Place, Raw, SO_PIN, TOKEN_LABEL, Template, USER_PIN, child, ck, dice, isolated, module, report,
};
use std::sync::Mutex;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

const KILLS: &str = "PERILUNE_KILLS";
const KILLS_USUAL: u64 = 20;
/// Writers in the phase where the others go on.
const WRITERS: usize = 4;
/// The worker number of the process that initialises a token and sets PINs.
const LIFE: usize = WRITERS;
const REFEREE: usize = WRITERS + 1;
/// A victim lives so long at most, from its start or from its first turn on.
const AFTER_START: Duration = Duration::from_millis(120);
const AFTER_TURN: Duration = Duration::from_millis(40);
/// From so many things on, victims rather destroy than make.
const ALIVE_MAX: u64 = 150;
/// The longest that looking at the store may take after a kill; what a busy machine takes, not what the store does.
const OPEN_MAX: Duration = Duration::from_secs(60);

fn kills() -> u64 {
    std::env::var(KILLS).map_or(KILLS_USUAL, |text| text.parse().expect("a number of kills"))
}

#[test]
fn a_kill_at_any_moment_loses_nothing_acknowledged_and_leaves_nothing_half_done() {
    isolated!(|place, role| {
        let ledger = Ledger::open(place, "ledger");
        let words: Vec<u64> = child::word().split_whitespace().map(|word| word.parse().expect("a number")).collect();
        match role {
            "writer" => write(ledger, words[0] as usize, words[1]),
            "life" => token_life::live(&Raw::start(), ledger.worker(LIFE), ledger.entry(0), words[0]),
            _ => referee(place, ledger),
        }
    });
}

fn referee(place: &Place, ledger: &'static Ledger) {
    let seed = dice::seed();
    report!("{}={seed} {KILLS}={}", dice::SEED, kills());
    let raw = Raw::start();
    raw.new_token();
    let life = Life::new(&raw, ledger, LIFE);
    let handles = Mutex::new(Handles::default());
    let hand = Hand::new(&raw, ledger, REFEREE, &handles);
    let mut game = Game { place, ledger, hand, life, dice: Dice::new(seed), generation: 0, tally: Tally::default() };
    for _ in 0..kills() * 3 / 10 {
        let victim = game.start(0);
        game.kill(victim, 0);
    }
    for _ in 0..kills() * 2 / 10 {
        let victim = game.start(LIFE);
        game.kill(victim, LIFE);
    }
    let mut victims: Vec<_> = (0..=LIFE).map(|number| Some(game.start(number))).collect();
    while game.tally.kills < kills() {
        let number = game.dice.below(victims.len() as u64) as usize;
        let victim = victims[number].take().expect("a victim");
        game.kill(victim, number);
        victims[number] = Some(game.start(number));
    }
    for (number, victim) in victims.into_iter().enumerate() {
        game.kill(victim.expect("a victim"), number);
    }
    let objects = game.hand.check_all();
    game.hand.make(Kind::Pair).expect("the store can still be written");
    game.tally.tell(objects);
}

/// What the referee holds in hand.
struct Game<'a> {
    place: &'a Place,
    ledger: &'static Ledger,
    hand: Hand<'a>,
    life: Life<'a>,
    dice: Dice,
    generation: u64,
    tally: Tally,
}

/// What came out.
#[derive(Default)]
struct Tally {
    kills: u64,
    /// Changes that were under way at the kill and are there, and those that are not.
    there: u64,
    absent: u64,
    looked_longest: Duration,
    started_longest: Duration,
}

impl Tally {
    fn tell(&self, objects: usize) {
        report!(
            "{} kills; of the changes under way {} are there and {} are not; {objects} objects at the end",
            self.kills,
            self.there,
            self.absent
        );
        report!(
            "longest first look after a kill {} ms, longest start and login {} ms",
            self.looked_longest.as_millis(),
            self.started_longest.as_millis()
        );
    }
}

impl Game<'_> {
    fn start(&mut self, number: usize) -> child::Running {
        self.ledger.worker(number).turns.store(0, SeqCst);
        let seed = self.dice.number();
        if number == LIFE {
            child::role(self.place, "life", &self.life.slot.to_string())
        } else {
            child::role(self.place, "writer", &format!("{number} {seed}"))
        }
    }

    /// Kills a victim at a moment that the dice choose, and looks what it left behind.
    fn kill(&mut self, mut victim: child::Running, number: usize) {
        let worker = self.ledger.worker(number);
        let from_start = self.dice.below(4) == 0;
        let span = if from_start { AFTER_START } else { AFTER_TURN };
        let delay = Duration::from_micros(self.dice.below(span.as_micros() as u64));
        let begin = Instant::now();
        while !from_start && worker.turns.load(SeqCst) == 0 && !victim.has_ended() {
            std::thread::sleep(Duration::from_micros(500));
        }
        if worker.turns.load(SeqCst) != 0 {
            self.tally.started_longest = self.tally.started_longest.max(begin.elapsed());
        }
        std::thread::sleep(delay);
        assert!(!victim.has_ended(), "the victim ended by itself:\n{}", victim.finish().text);
        // SAFETY: the victim is our own child and not waited for yet.
        assert_eq!(unsafe { libc::kill(victim.id() as libc::pid_t, libc::SIGKILL) }, 0);
        let report = victim.finish();
        assert!(!report.text.contains("panicked"), "the victim had failed already:\n{}", report.text);
        self.tally.kills += 1;
        self.look_after(number);
    }

    fn look_after(&mut self, number: usize) {
        let begin = Instant::now();
        self.hand.raw.find(self.hand.session, Template::new().text(CKA_LABEL, "not there"), 1);
        let took = begin.elapsed();
        assert!(took < OPEN_MAX, "the first look took {took:?}");
        self.tally.looked_longest = self.tally.looked_longest.max(took);
        // A change that was whole and not yet announced at the kill comes with the next write, and then for good.
        self.hand.make(Kind::Data);
        if number == LIFE {
            let (there, under_way) = self.life.settle(self.ledger.entry(0));
            self.count(there, under_way);
        }
        for thing in 1..self.ledger.used() {
            let entry = self.ledger.entry(thing);
            if number != LIFE && entry.owner() == Some(number) {
                let (begun, under_way) = (entry.begun(), entry.begun() != entry.acked());
                self.count(self.hand.settle(thing) == begun, under_way);
            }
        }
        for _ in 0..5 {
            let used = self.ledger.used() as u64;
            self.hand.look(used.saturating_sub(1 + self.dice.below(used.clamp(1, 2 * ALIVE_MAX))) as usize);
        }
        self.generation_rises();
    }

    fn count(&mut self, there: bool, under_way: bool) {
        self.tally.there += u64::from(under_way && there);
        self.tally.absent += u64::from(under_way && !there);
    }

    /// The number of the last change, as docs/format.md says it stands in the file.
    fn generation_rises(&mut self) {
        if !module::is_perilune() {
            return;
        }
        let mut number = [0; 8];
        number.copy_from_slice(&self.place.read("store/generation")[..8]);
        let number = u64::from_be_bytes(number);
        assert!(number > self.generation, "generation {number} after {}", self.generation);
        self.generation = number;
    }
}

/// A victim: writes in every way, for ever.
fn write(ledger: &'static Ledger, number: usize, seed: u64) {
    let raw = Raw::start();
    let handles = Mutex::new(Handles::default());
    let hand = Hand::new(&raw, ledger, number, &handles);
    let mut dice = Dice::new(seed);
    loop {
        let used = ledger.used() as u64;
        let recent = used.saturating_sub(1 + dice.below(used.clamp(1, 2 * ALIVE_MAX))) as usize;
        let thing = recent != 0 && ledger.entry(recent).kind.load(SeqCst) != 0;
        let full = ledger.alive.load(SeqCst) > ALIVE_MAX;
        match dice.below(10) {
            0..=4 if !full => drop(hand.make(*dice.one(&Kind::ALL))),
            0..=6 if thing => drop(hand.destroy(recent)),
            7..=8 if thing => drop(hand.change(recent)),
            _ if thing => hand.look(recent),
            _ => {}
        }
        hand.worker().turns.fetch_add(1, SeqCst);
    }
}

#[test]
fn a_kill_while_the_store_is_made_leaves_one_that_opens() {
    isolated!(|_, role| {
        match role {
            "founder" => {
                let raw = Raw::start();
                let slot = raw.new_token();
                let session = raw.session(slot);
                for number in 0.. {
                    let object = Template::new().number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true);
                    raw.create(session, object.text(CKA_LABEL, &number.to_string())).expect("an object");
                }
            }
            "heir" => inherit(),
            _ => {
                let mut dice = Dice::new(dice::seed());
                for _ in 0..(kills() / 5).max(3) {
                    let fresh = Place::new();
                    let founder = child::role(&fresh, "founder", "");
                    std::thread::sleep(Duration::from_micros(dice.below(AFTER_START.as_micros() as u64)));
                    // SAFETY: the founder is our own child and not waited for yet.
                    assert_eq!(unsafe { libc::kill(founder.id() as libc::pid_t, libc::SIGKILL) }, 0);
                    let _ = founder.finish();
                    child::role(&fresh, "heir", "").succeed();
                }
            }
        }
    });
}

/// Takes over what a killed founder left, whatever that is, and works with it.
fn inherit() {
    let raw = Raw::start();
    let slot = raw.slot_of(TOKEN_LABEL).unwrap_or_else(|| raw.new_token());
    if raw.token_info(slot).expect("a token").flags & CKF_USER_PIN_INITIALIZED == 0 {
        let session = raw.session(slot);
        assert_eq!(raw.login(session, CKU_SO, SO_PIN), Ok(()), "a token that has a label has its SO");
        let set: Answer<()> =
            answer(ck!(raw, C_InitPIN, session, USER_PIN.as_ptr().cast_mut(), USER_PIN.len() as CK_ULONG));
        assert_eq!(set, Ok(()));
        assert_eq!(ck!(raw, C_CloseSession, session), CKR_OK);
    }
    let session = raw.session(slot);
    assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
    raw.aes(session, 32);
    let label = Template::new().text(CKA_LABEL, "heir");
    raw.create(session, label.clone().number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true)).expect("an object");
    assert_eq!(raw.find(session, label, 10).len(), 1);
}
