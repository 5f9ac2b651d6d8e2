//! What bursts of writes cost, beside another module: durable key pairs a second, the turn of a second process, the start.
//!
//!     cargo build --release -p pkcs11-module -p hsm-platform --examples --lib
//!     cargo run --release -p perilune-tests --bin bursts -- [--rounds N] [--seconds N] [--objects N] [--json]
//!
//! Owns: which measurement runs on which store, and the table. Each measurement is a process of its own (`worker`) on a
//! fresh copy of its store; the rounds go over all modules in turn, and a figure is the median of its rounds. SoftHSM2
//! takes part when it is installed; it cannot be filled with 100,000 objects in a bearable time and gets 1,000.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a measurement fails by panicking")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the command line")]

mod contestant;
mod worker;

use contestant::Contestant;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the command line says.
pub struct Options {
    rounds: usize,
    seconds: f64,
    objects: u64,
    json: bool,
    module: PathBuf,
    fill: PathBuf,
    other: PathBuf,
}

/// One line of the table.
struct Row {
    key: &'static str,
    text: &'static str,
    /// The worst of all rounds counts, not the median.
    worst: bool,
}

const ROWS: [Row; 13] = [
    Row { key: "pairs_1", text: "P-256 pairs a second, 1 thread", worst: false },
    Row { key: "pairs_4", text: "P-256 pairs a second, 4 threads", worst: false },
    Row { key: "pairs_beside", text: "the same, 1 thread, while another process writes", worst: false },
    Row { key: "turn_p50_ms", text: "that other process's write: half are done in (ms)", worst: false },
    Row { key: "turn_p99_ms", text: "  99 of 100 in (ms)", worst: false },
    Row { key: "turn_max_ms", text: "  the longest of all rounds (ms)", worst: true },
    Row { key: "look_p50_ms", text: "its search just before: half are done in (ms)", worst: false },
    Row { key: "look_max_ms", text: "  the longest of all rounds (ms)", worst: true },
    Row { key: "initialize_ms", text: "C_Initialize (ms)", worst: false },
    Row { key: "login_ms", text: "C_Login with a cheap PIN derivation (ms)", worst: false },
    Row { key: "search_ms", text: "first search, by label (ms)", worst: false },
    Row { key: "all_ms", text: "search for everything (ms)", worst: false },
    Row { key: "object_bytes", text: "memory an object, all of them seen (bytes)", worst: false },
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == worker::WORD) {
        println!("{}", worker::run(&words[1..]));
        return;
    }
    let options = Options::parse(&words);
    // SAFETY: the first thing that this process does; it has no other thread.
    unsafe { std::env::set_var("PERILUNE_MODULE", &options.module) };
    let contestants = contestants(&options);
    let mut figures: Vec<BTreeMap<String, Vec<f64>>> = vec![BTreeMap::new(); contestants.len()];
    for round in 0..options.rounds {
        for (contestant, figures) in contestants.iter().zip(&mut figures) {
            eprintln!("round {} of {}: {}", round + 1, options.rounds, contestant.name);
            for (key, value) in contestant.measure(options.seconds) {
                figures.entry(key).or_default().push(value);
            }
        }
    }
    if options.json {
        print_json(&options, &contestants, &figures)
    } else {
        print_table(&options, &contestants, &figures)
    }
}

impl Options {
    fn parse(words: &[String]) -> Self {
        let release = perilune_tests::module::target().join("release");
        let mut options = Self {
            rounds: 3,
            seconds: 3.0,
            objects: 100_000,
            json: false,
            module: release.join("libperilune_pkcs11.so"),
            fill: release.join("examples/fill"),
            other: "/usr/lib/softhsm/libsofthsm2.so".into(),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| usage(word));
            match word.as_str() {
                "--rounds" => options.rounds = value().parse().unwrap_or_else(|_| usage(word)),
                "--seconds" => options.seconds = value().parse().unwrap_or_else(|_| usage(word)),
                "--objects" => options.objects = value().parse().unwrap_or_else(|_| usage(word)),
                "--module" => options.module = value().into(),
                "--fill" => options.fill = value().into(),
                "--other" => options.other = value().into(),
                "--json" => options.json = true,
                _ => usage(word),
            }
        }
        for path in [&options.module, &options.fill] {
            assert!(path.exists(), "{} is missing; build it first (docs/testing.md, \"Bursts\")", path.display());
        }
        options
    }
}

fn usage(word: &str) -> ! {
    panic!(
        "{word}: bursts [--rounds N] [--seconds N] [--objects N] [--json] [--module FILE] [--fill PROGRAM] [--other FILE]"
    )
}

fn contestants(options: &Options) -> Vec<Contestant> {
    let mut list = vec![Contestant::perilune("Perilune, empty".to_owned(), options, 0)];
    if options.objects > 0 {
        list.push(Contestant::perilune(format!("Perilune, {}", options.objects), options, options.objects));
    }
    if options.other.exists() {
        list.push(Contestant::other("SoftHSM2, empty", &options.other, 0));
        list.push(Contestant::other("SoftHSM2, 1000", &options.other, 1000));
    }
    list
}

fn figure(row: &Row, figures: &BTreeMap<String, Vec<f64>>) -> Option<f64> {
    let mut values = figures.get(row.key)?.clone();
    values.sort_by(f64::total_cmp);
    if row.worst { values.last().copied() } else { values.get(values.len() / 2).copied() }
}

fn print_table(options: &Options, contestants: &[Contestant], figures: &[BTreeMap<String, Vec<f64>>]) {
    print!("{:52}", format!("{} rounds of {} s", options.rounds, options.seconds));
    for contestant in contestants {
        print!("{:>20}", contestant.name);
    }
    println!();
    for row in &ROWS {
        print!("{:52}", row.text);
        for figures in figures {
            match figure(row, figures) {
                Some(value) if value < 10.0 => print!("{value:>20.2}"),
                Some(value) => print!("{value:>20.0}"),
                None => print!("{:>20}", "-"),
            }
        }
        println!();
    }
}

fn print_json(options: &Options, contestants: &[Contestant], figures: &[BTreeMap<String, Vec<f64>>]) {
    let mut modules = serde_json::Map::new();
    for (contestant, figures) in contestants.iter().zip(figures) {
        let mut rows = serde_json::Map::new();
        for row in &ROWS {
            let rounds = figures.get(row.key).cloned().unwrap_or_default();
            rows.insert(row.key.to_owned(), serde_json::json!({ "figure": figure(row, figures), "rounds": rounds }));
        }
        modules.insert(contestant.name.clone(), rows.into());
    }
    println!("{}", serde_json::json!({ "rounds": options.rounds, "seconds": options.seconds, "modules": modules }));
}
