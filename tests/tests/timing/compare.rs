//! One comparison: a call with inputs of several classes, in turns that dice decide, each pair of classes tested.
//!
//! Owns: the turns, the measuring, what is printed and which finding is a failure. Does not know: what is called.
//! Only the call that the scenario puts between two readings of the clock is measured. Its input is always in the same
//! place, and putting it there reads the same memory whatever the class is: a class with memory of its own pushes other
//! lines out of the cache, which twenty million measurements of half a microsecond do show.

use crate::statistics::{self, CERTAIN, Finding, SUSPICIOUS};
use perilune_tests::{Dice, report};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Inputs that must not be told apart from those of another class by the time that the call takes.
pub struct Class {
    /// What they have in common.
    pub name: &'static str,
    /// Many, so that the habits of a single one do not count.
    pub inputs: Vec<Vec<u8>>,
}

/// How long one comparison goes on.
#[derive(Debug, Clone, Copy)]
pub enum Budget {
    /// So many measurements of all classes together.
    Count(usize),
    /// So much time.
    Time(Duration),
}

impl Budget {
    /// How many inputs a class should have.
    pub fn inputs(self) -> usize {
        match self {
            Budget::Count(_) => 16,
            Budget::Time(_) => 256,
        }
    }
}

/// What the return value tells anyway is shown and never a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Nothing: all classes get the same answer, or answers of which the attacker learns nothing.
    Nothing,
    /// The class.
    ByTheAnswer,
}

/// A pair of classes that was compared.
pub struct Outcome {
    /// The operation and both classes.
    pub text: String,
    /// The finding.
    pub finding: Finding,
    told: Told,
}

impl Outcome {
    /// Whether it is a leak.
    pub fn is_leak(&self) -> bool {
        self.told == Told::Nothing && self.finding.t.abs() >= CERTAIN
    }
}

/// Measurements before which nothing counts.
const WARM_UP: usize = 50;
/// The most measurements of a class. They show a quarter of a nanosecond in half a microsecond; with ten times as many, classes
/// that are the same begin to differ.
const MEASUREMENTS_MAX: usize = 2_000_000;

/// Measures `call` on all classes in random turns, and compares each pair of them.
///
/// `call` returns how long the part of it took that counts.
pub fn compare(
    what: &str,
    budget: Budget,
    told: Told,
    classes: &[Class],
    mut call: impl FnMut(&[u8]) -> Duration,
) -> Vec<Outcome> {
    let mut dice = Dice::new(perilune_tests::dice::seed());
    let pools = Pools::of(classes);
    let mut input = vec![0; pools.longest];
    // One list for all: a list for each class would be memory of its own again.
    let mut log: Vec<(usize, f64)> = Vec::new();
    let begin = Instant::now();
    let ends = |done: usize| match budget {
        Budget::Count(count) => done >= count + WARM_UP,
        Budget::Time(time) => begin.elapsed() >= time || done >= MEASUREMENTS_MAX * classes.len(),
    };
    while !ends(log.len()) {
        let class = dice.below(classes.len() as u64) as usize;
        let number = dice.below(pools.inputs as u64) as usize;
        let length = pools.select(class, number, &mut input);
        let took = call(&input[..length]);
        log.push((class, took.as_nanos() as f64));
    }
    let mut series = vec![Vec::new(); classes.len()];
    for (class, took) in log.into_iter().skip(WARM_UP) {
        series[class].push(took);
    }
    pairs(what, told, classes, &series)
}

/// The inputs of all classes, each of one length with its own length behind it.
struct Pools {
    pools: Vec<Vec<Vec<u8>>>,
    inputs: usize,
    longest: usize,
}

impl Pools {
    fn of(classes: &[Class]) -> Self {
        let inputs = classes.iter().map(|class| class.inputs.len()).min().unwrap_or_default();
        let longest = classes.iter().flat_map(|class| &class.inputs).map(Vec::len).max().unwrap_or_default();
        let padded = |input: &Vec<u8>| [&input[..], &vec![0; longest - input.len()], &[input.len() as u8]].concat();
        assert!(longest <= 256, "an input is too long");
        let pool = |class: &Class| class.inputs.iter().take(inputs).map(padded).collect();
        Self { pools: classes.iter().map(pool).collect(), inputs, longest }
    }

    /// Copies one input of a class, reading that of all others, too, and returns its length.
    fn select(&self, class: usize, number: usize, out: &mut [u8]) -> usize {
        out.fill(0);
        let mut length = 0;
        for (place, pool) in self.pools.iter().enumerate() {
            let mask = black_box(u8::from(place == class).wrapping_neg());
            for (byte, chosen) in out.iter_mut().zip(&pool[number]) {
                *byte |= chosen & mask;
            }
            length |= pool[number][self.longest] & mask;
        }
        // The longest ones of RSA-2048 have 256 bytes.
        if length == 0 { self.longest } else { usize::from(length) }
    }
}

/// The time that one call takes.
pub fn timed<R>(call: impl FnOnce() -> R) -> (R, Duration) {
    let begin = Instant::now();
    let answer = black_box(call());
    (answer, begin.elapsed())
}

fn pairs(what: &str, told: Told, classes: &[Class], series: &[Vec<f64>]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for (first, class) in classes.iter().enumerate() {
        for (second, other) in classes.iter().enumerate().skip(first + 1) {
            let finding = statistics::compare(&series[first], &series[second]);
            let verdict = match (finding.t.abs(), told) {
                (_, Told::ByTheAnswer) => "told by the answer anyway",
                (t, _) if t >= CERTAIN => "LEAK",
                (t, _) if t >= SUSPICIOUS => "suspicious: measure longer",
                _ => "no difference",
            };
            let text = format!(
                "{what}: {} / {}: t = {:.1} at {} %, {:+.2} ns of {:.0} (n = {} + {}; {:.2} ns would be certain): {verdict}",
                class.name,
                other.name,
                finding.t,
                finding.share * 100.0,
                finding.longer_ns,
                statistics::median(&series[first]),
                series[first].len(),
                series[second].len(),
                finding.certain_ns,
            );
            report!("{text}");
            outcomes.push(Outcome { text, finding, told });
        }
    }
    outcomes
}
