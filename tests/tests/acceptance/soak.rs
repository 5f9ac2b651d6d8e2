//! Many processes with many threads on one token, for as long as you like: nothing lost, doubled, late or stuck.
//!
//! Owns: who does what and how often, and that everybody gets a turn. What may be seen when is the ledger's, how it is
//! looked at is the hand's. `PERILUNE_SOAK_SECONDS` says how long; the usual run is short.

use perilune_tests::hand::{Hand, Handles, Kind};
use perilune_tests::{Dice, Ledger, Place, Raw, child, dice, isolated, report};
use std::sync::Mutex;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

const PROCESSES: usize = 8;
const THREADS: usize = 4;
const SECONDS: &str = "PERILUNE_SOAK_SECONDS";
const SECONDS_USUAL: u64 = 8;
/// The longest that one call may take: the usual limit of waiting for the store, and a busy machine on top.
const CALL_MAX: Duration = Duration::from_secs(20);
/// How long the others are waited for at the end; in between each looks at everything.
const MEET_MAX: Duration = Duration::from_secs(120);
/// From so many things on, workers rather destroy than make.
const ALIVE_MAX: u64 = 300;
/// One in so many signatures is verified by OpenSSL.
const OUTSIDE: u64 = 40;
/// What a process says that ends because of another one's failure.
const GIVEN_UP: &str = "given up: another process failed";

fn seconds() -> u64 {
    std::env::var(SECONDS).map_or(SECONDS_USUAL, |text| text.parse().expect("a number of seconds"))
}

#[test]
fn eight_processes_of_four_threads_see_all_that_was_acknowledged_and_nothing_that_was_destroyed() {
    isolated!(|place, role| {
        let ledger = Ledger::open(place, "ledger");
        if role == "worker" {
            let (process, seed) = child::word().split_once(' ').map(|(one, two)| (one.into(), two.into())).unwrap();
            let (process, seed): (String, String) = (process, seed);
            work(place, ledger, process.parse().unwrap(), seed.parse().unwrap());
            return;
        }
        let raw = Raw::start();
        raw.new_token();
        let handles = Mutex::new(Handles::default());
        // Logged in from the beginning, and looks at nothing until all is over.
        let watcher = Hand::new(&raw, ledger, PROCESSES * THREADS, &handles);
        let seed = dice::seed();
        report!("{}={seed} {SECONDS}={}", dice::SEED, seconds());
        let begin = Instant::now();
        let workers: Vec<_> =
            (0..PROCESSES).map(|process| child::role(place, "worker", &format!("{process} {seed}"))).collect();
        let reports: Vec<_> = workers.into_iter().map(child::Running::finish).collect();
        for report in reports {
            assert!(report.success() || report.text.contains(GIVEN_UP), "{}\n{}", report.status, report.text);
        }
        assert!(!ledger.stopped(), "every process gave up, and none said why");
        let objects = watcher.check_all();
        raw.finalize();
        balance(ledger, begin.elapsed(), objects);
        // The same, by one who has never seen any of it.
        let handles = Mutex::new(Handles::default());
        let raw = Raw::start();
        assert_eq!(Hand::new(&raw, ledger, PROCESSES * THREADS, &handles).check_all(), objects);
    });
}

/// One process of the soak.
fn work(place: &Place, ledger: &'static Ledger, process: usize, seed: u64) {
    let raw = Raw::start();
    let handles = Mutex::new(Handles::default());
    let hands: Vec<_> =
        (0..THREADS).map(|thread| Hand::new(&raw, ledger, process * THREADS + thread, &handles)).collect();
    let end = Instant::now() + Duration::from_secs(seconds());
    std::thread::scope(|scope| {
        for (thread, hand) in hands.iter().enumerate() {
            let mut dice = Dice::new(seed ^ ((process * THREADS + thread) as u64) << 32);
            scope.spawn(move || {
                let turns = std::panic::AssertUnwindSafe(|| {
                    while Instant::now() < end && !ledger.stopped() {
                        turn(place, ledger, hand, &mut dice);
                        hand.worker().turns.fetch_add(1, SeqCst);
                    }
                });
                if let Err(failure) = std::panic::catch_unwind(turns) {
                    ledger.end();
                    std::panic::resume_unwind(failure);
                }
            });
        }
    });
    assert!(!ledger.stopped(), "{GIVEN_UP}");
    ledger.meet(PROCESSES as u64, MEET_MAX);
    hands[0].check_all();
}

/// One turn of one worker.
fn turn(place: &Place, ledger: &Ledger, hand: &Hand<'_>, dice: &mut Dice) {
    let used = ledger.used() as u64;
    let number = dice.below(used.max(1)) as usize;
    // A newer one is rather alive than any.
    let recent = used.saturating_sub(1 + dice.below(used.clamp(1, 2 * ALIVE_MAX))) as usize;
    let nothing_yet = [number, recent].iter().any(|number| ledger.entry(*number).kind.load(SeqCst) == 0);
    let full = ledger.alive.load(SeqCst) > ALIVE_MAX;
    match dice.below(20) {
        0..=2 if !full => drop(hand.make(*dice.one(&Kind::ALL))),
        3..=4 if !full => drop(hand.make(Kind::Pair)),
        _ if nothing_yet => {}
        0..=4 => drop(hand.destroy(recent)),
        5..=6 => drop(hand.destroy(recent)),
        7..=8 => drop(hand.change(recent)),
        9..=11 => hand.look(recent),
        12 => hand.look(number),
        13..=14 => hand.read_remembered(dice),
        _ => {
            let outside = (dice.below(OUTSIDE) == 0).then_some(place);
            hand.use_it(recent, outside);
        }
    }
}

/// Tells what was done, and holds against the workers that none was left out.
fn balance(ledger: &Ledger, took: Duration, objects: usize) {
    let of = |process: usize| (0..THREADS).map(move |thread| ledger.worker(process * THREADS + thread));
    let (mut all, mut writes) = (Vec::new(), 0);
    for process in 0..PROCESSES {
        let turns: u64 = of(process).map(|worker| worker.turns.load(SeqCst)).sum();
        let wrote: u64 = of(process).map(|worker| worker.writes.load(SeqCst)).sum();
        let longest = of(process).map(|worker| worker.longest_us.load(SeqCst)).max().unwrap_or(0);
        report!("process {process}: {turns} turns, {wrote} writes, longest call {} ms", longest / 1000);
        assert!(Duration::from_micros(longest) < CALL_MAX, "a call of process {process} waited for {longest} us");
        all.push(turns);
        writes += wrote;
    }
    let sum: u64 = all.iter().sum();
    report!(
        "{sum} turns, {writes} writes on {} things in {} s; {objects} objects at the end",
        ledger.used(),
        took.as_secs()
    );
    for worker in (0..PROCESSES).flat_map(of) {
        assert!(worker.turns.load(SeqCst) > 0, "every thread had a turn");
    }
    let least = all.iter().min().copied().unwrap_or(0);
    assert!(least * 10 * PROCESSES as u64 >= sum, "each process has a tenth of a fair share at least: {all:?}");
}
