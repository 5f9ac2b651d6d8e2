//! The hostile caller: a catalogue of what made other tokens crash, hang or give in, run on any module.
//!
//! Owns: the options. Without any, all cases run on the module under test, each must be `ok`, and `docs/conformance.md` must
//! know each item; what libtest prints at its end is printed here, too. `docs/testing.md` tells the rest.
//! Does not know: what is inside the module; it is loaded as any client loads it.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a test talks to the person who runs it")]
#![allow(clippy::unreachable, reason = "a name that is not in a table of this program is a slip in it")]

mod answers;
mod arguments;
mod attacks;
mod begin;
mod calls;
mod cases;
mod ciphers;
mod contestant;
mod fence;
mod generators;
mod growth;
mod keys;
mod life;
mod messages;
mod objects;
mod operations;
mod orders;
mod orders_messages;
mod orders_pairs;
mod parameters;
mod regressions;
mod report;
mod runner;
mod shortage;
mod shortage_scenes;
mod states;
mod target;
mod values;
mod walk;

use contestant::{Contestant, Prepare, Via};
use perilune_tests::{Place, module, outside};
use runner::Outcome;
use std::process::ExitCode;

#[global_allocator]
static FENCE: fence::Fence = fence::Fence;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match options(&words).and_then(|options| act(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("hostile: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// What the person wants.
#[derive(Default)]
struct Options {
    modules: Vec<Contestant>,
    /// Runs this case in this process.
    case: Option<String>,
    place: Option<String>,
    /// Which of the processes of that case this is.
    role: String,
    markdown: Option<String>,
    json: bool,
    list: bool,
    /// Runs each case once, with nothing between.
    direct: bool,
    /// Only cases with one of these in their title.
    filters: Vec<String>,
}

fn options(words: &[String]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().cloned().ok_or_else(|| format!("{word}: no value"));
        match word.as_str() {
            "--module" => options.modules.push(Contestant::parse(&value()?)?),
            "--case" => options.case = Some(value()?),
            "--role" => options.role = value()?,
            "--place" => options.place = Some(value()?),
            "--markdown" => options.markdown = Some(value()?),
            "--json" => options.json = true,
            "--list" => options.list = true,
            "--direct" => options.direct = true,
            // What `cargo test` hands on to every test program.
            word if word.starts_with("--") => {}
            word => options.filters.push(word.into()),
        }
    }
    Ok(options)
}

fn act(options: &Options) -> Result<(), String> {
    if let Some(case) = &options.case {
        let [contestant] = &options.modules[..] else { return Err("a case needs one module".into()) };
        let place = options.place.as_ref().ok_or("a case needs a place")?;
        runner::child(contestant.clone(), case, &options.role, Place::existing(place.as_ref()));
        return Ok(());
    }
    let mut cases = cases::all();
    cases.retain(|case| options.filters.is_empty() || options.filters.iter().any(|word| case.title().contains(word)));
    let mut short = if options.modules.is_empty() { shortage::cases() } else { Vec::new() };
    short.retain(|case| options.filters.is_empty() || options.filters.iter().any(|word| case.title().contains(word)));
    if options.list {
        short.iter().for_each(|case| println!("{}: test", case.title()));
        cases.iter().for_each(|case| println!("{}: test", case.title()));
        return Ok(());
    }
    if !options.modules.is_empty() {
        return compare(options, &cases);
    }
    test(&cases, &short, options)
}

/// All cases on each module; the report, when one is wanted.
fn compare(options: &Options, cases: &[cases::Case]) -> Result<(), String> {
    let mut columns = Vec::new();
    for contestant in &options.modules {
        println!("{}:", contestant.name);
        let verdicts = runner::run(contestant, cases, &|verdict| report::say(verdict, options.json));
        println!("{}: {}", contestant.name, report::summary(&verdicts));
        columns.push((contestant, verdicts));
    }
    match &options.markdown {
        Some(file) => std::fs::write(file, report::markdown(&columns)).map_err(|error| format!("{file}: {error}")),
        None => Ok(()),
    }
}

/// All cases on the module under test, directly, through p11-kit's server and through OpenSC's spy, where nothing but `ok` will do.
fn test(cases: &[cases::Case], short: &[cases::Case], options: &Options) -> Result<(), String> {
    let begin = std::time::Instant::now();
    let direct = Contestant::parse(&format!("name=Perilune,path={}", module::path().display()))?;
    println!("\nrunning {} tests", cases.len() + short.len());
    let mut verdicts = runner::run(&direct, cases, &|verdict| report::say(verdict, false));
    match shortage::absent() {
        None => verdicts.extend(runner::run(&direct, short, &|verdict| report::say(verdict, false))),
        Some(why) => outside::skip("hostile (memory)", why),
    }
    let has_server = outside::has("p11-kit") && std::path::Path::new(contestant::CLIENT).exists();
    let carriers = [
        (Via::Server, Prepare::Perilune, "p11-kit's server", has_server),
        (Via::Spy, Prepare::InitToken, "OpenSC's spy", std::path::Path::new(contestant::SPY).exists()),
    ];
    for (via, prepare, name, is_there) in carriers {
        if options.direct {
            break;
        }
        if !is_there || !module::is_perilune() {
            outside::skip(&format!("hostile (through {name})"), "it is not here");
            continue;
        }
        println!("through {name}:");
        let carried = Contestant { via, prepare, ..direct.clone() };
        let excused = |verdict: &runner::Verdict| verdict.outcome == Outcome::Absent || report::is_excused(verdict);
        verdicts.extend(runner::run(&carried, cases, &|verdict| {
            if !excused(verdict) {
                report::say(verdict, false);
            }
        }));
        verdicts.retain(|verdict| verdict.via == Via::Nothing || !excused(verdict));
    }
    let failed = verdicts.iter().filter(|verdict| verdict.outcome != Outcome::Ok).count();
    let document = if options.filters.is_empty() { report::check(cases) } else { Ok(()) };
    let word = if failed == 0 && document.is_ok() { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {} passed; {} failed; 0 ignored; 0 measured; 0 filtered out; finished in {:.2}s\n",
        verdicts.len() - failed,
        failed + usize::from(document.is_err()),
        begin.elapsed().as_secs_f64()
    );
    document?;
    if failed == 0 { Ok(()) } else { Err(format!("{failed} cases are not ok")) }
}
