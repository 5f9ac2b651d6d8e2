//! Cases in processes of their own: started, ended when they hang, and what became of them.
//!
//! Owns: the verdict, the time limit, the places. Does not know: what a case does.

use crate::cases::{Case, all};
use crate::contestant::{Contestant, Prepare, Via};
use crate::target::{Stop, Target, Weight};
use crate::{fence, shortage, walk};
use perilune_tests::Place;
use serde_json::{Value, json};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// How long a case may take. Few take a second on a quiet machine, every order of calls some.
const LIMIT_S: u32 = 120;

/// What became of a case, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Ok,
    Absent,
    NoControl,
    Differently,
    WrongEffect,
    Hung,
    Crashed,
}

impl Outcome {
    /// As the report says it.
    pub fn word(self) -> &'static str {
        OUTCOMES.iter().find(|(one, _)| *one == self).map_or("", |(_, word)| word)
    }
}

const OUTCOMES: [(Outcome, &str); 7] = [
    (Outcome::Ok, "ok"),
    (Outcome::Absent, "not offered"),
    (Outcome::NoControl, "no control"),
    (Outcome::Differently, "refused differently"),
    (Outcome::WrongEffect, "wrong effect"),
    (Outcome::Hung, "hung"),
    (Outcome::Crashed, "crashed"),
];

/// A case and what became of it.
#[derive(Debug, Clone)]
pub struct Verdict {
    pub item: &'static str,
    pub title: String,
    pub outcome: Outcome,
    pub reason: String,
    /// How long it took.
    pub milliseconds: u128,
    /// What stood between.
    pub via: Via,
}

/// Runs these cases on a module, as many at once as there are processors and one more.
pub fn run(contestant: &Contestant, cases: &[Case], each: &(dyn Fn(&Verdict) + Sync)) -> Vec<Verdict> {
    let next = AtomicUsize::new(0);
    let verdicts = Mutex::new(Vec::new());
    let lanes = std::thread::available_parallelism().map_or(2, std::num::NonZero::get) + 1;
    std::thread::scope(|scope| {
        // The cases themselves stay in this thread; the others know only their names.
        let wanted = cases.iter().filter(|case| case.is_remote || contestant.via == Via::Nothing);
        let titles: Vec<_> = wanted.map(|case| (case.item, case.title())).collect();
        let (titles, next, verdicts) = (std::sync::Arc::new(titles), &next, &verdicts);
        for _ in 0..lanes {
            let titles = titles.clone();
            scope.spawn(move || {
                while let Some((item, title)) = titles.get(next.fetch_add(1, SeqCst)) {
                    let begin = std::time::Instant::now();
                    let (outcome, reason) = start(contestant, title);
                    let milliseconds = begin.elapsed().as_millis();
                    let verdict =
                        Verdict { item, title: title.clone(), outcome, reason, milliseconds, via: contestant.via };
                    each(&verdict);
                    verdicts.lock().expect("no panic").push(verdict);
                }
            });
        }
    });
    let mut verdicts = verdicts.into_inner().expect("no panic");
    verdicts.sort_by_key(|verdict| cases.iter().position(|case| case.title() == verdict.title));
    verdicts
}

/// Runs one case in a process of its own.
fn start(contestant: &Contestant, title: &str) -> (Outcome, String) {
    let place = Place::new();
    contestant.prepare(&place);
    let _server = contestant.serve(&place);
    let mut command = command(contestant, &place, title);
    if shortage::is_of(title) {
        command.env("LD_PRELOAD", shortage::shim(&place));
    }
    let output = std::fs::File::create(place.file("output")).expect("a file for the output");
    command.stdin(Stdio::null()).stdout(output.try_clone().expect("the same file")).stderr(output);
    let status = command.status().expect("this program starts");
    judge(status, &String::from_utf8_lossy(&place.read("output")))
}

/// The command that runs a case of a module in a place.
pub fn command(contestant: &Contestant, place: &Place, title: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--module", &contestant.words(), "--case", title]).arg("--place").arg(place.folder());
    if contestant.prepare != Prepare::Exists {
        command.envs(place.environment());
    }
    command.envs(contestant.environment(place));
    command.current_dir(place.folder()).env_remove("PERILUNE_LOG");
    command
}

/// What became of the process of a case, by its end and by what it printed.
pub fn judge(status: ExitStatus, text: &str) -> (Outcome, String) {
    let told = text.lines().rev().find_map(|line| line.strip_prefix("verdict "));
    if let Some(verdict) = told.and_then(|told| serde_json::from_str::<Value>(told).ok())
        && status.success()
    {
        let outcome =
            OUTCOMES.iter().find(|(_, word)| verdict["outcome"] == *word).map_or(Outcome::Crashed, |(one, _)| *one);
        return (outcome, verdict["reason"].as_str().unwrap_or_default().into());
    }
    let place = text.lines().rev().find_map(|line| line.strip_prefix("at ")).unwrap_or("the case itself");
    match status.signal() {
        Some(libc::SIGALRM) => (Outcome::Hung, place.into()),
        Some(signal) => (Outcome::Crashed, format!("{place}: {}", signal_name(signal))),
        None => {
            let code = status.code().unwrap_or_default();
            let said = Some(last(text)).filter(|said| !said.starts_with("at ")).unwrap_or_default();
            (Outcome::Crashed, format!("{place}: the process was ended with {code} {said}").trim_end().into())
        }
    }
}

fn signal_name(signal: i32) -> String {
    let names =
        [(libc::SIGSEGV, "SIGSEGV"), (libc::SIGABRT, "SIGABRT"), (libc::SIGBUS, "SIGBUS"), (libc::SIGFPE, "SIGFPE")];
    names
        .iter()
        .find(|(known, _)| *known == signal)
        .map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).into())
}

fn last(text: &str) -> String {
    text.lines().last().unwrap_or_default().chars().take(200).collect()
}

/// Runs a case in this process, and prints the verdict for the parent.
///
/// # Panics
/// When there is no such case.
pub fn child(contestant: Contestant, title: &str, role: &str, place: Place) {
    // SAFETY: ends this process when it hangs.
    unsafe { libc::alarm(LIMIT_S * shortage::longer() * 30u32.pow(walk::depth().saturating_sub(walk::USUAL_DEPTH))) };
    // SAFETY: a crash leaves no file; the limit outlives the call.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &libc::rlimit { rlim_cur: 0, rlim_max: 0 }) };
    let case =
        all().into_iter().chain(shortage::cases()).find(|case| case.title() == title).expect("a case of this name");
    fence::arm();
    let (outcome, reason) =
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| inside(contestant, &case, role, place))) {
            Ok(verdict) => verdict,
            Err(panic) => {
                let said = panic.downcast_ref::<String>().cloned();
                let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                (Outcome::WrongEffect, format!("a step that must work does not: {}", said.unwrap_or_default()))
            }
        };
    let reason: String = reason.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(400).collect();
    println!("\nverdict {}", json!({ "outcome": outcome.word(), "reason": reason }));
}

fn inside(contestant: Contestant, case: &Case, role: &str, place: Place) -> (Outcome, String) {
    let mut target = match Target::start(contestant, place) {
        Ok(target) => target,
        Err(stop) => return stopped(stop),
    };
    (target.title, target.role) = (case.title(), role.into());
    if let Err(stop) = (case.run)(&target) {
        return stopped(stop);
    }
    target.at("the end of the case");
    target.is_alive();
    let (findings, note) = (target.findings(), target.noted());
    // The process ends as a host does: without C_Finalize, and with the module loaded.
    std::mem::forget(target);
    let Some(worst) = findings.iter().map(|(weight, _)| *weight).max() else { return (Outcome::Ok, note) };
    let outcome = if worst == Weight::WrongEffect { Outcome::WrongEffect } else { Outcome::Differently };
    let mut of_that_weight = findings.into_iter().filter(|(weight, _)| *weight == worst).map(|(_, what)| what);
    let first = of_that_weight.next().unwrap_or_default();
    let more = of_that_weight.count();
    (outcome, if more == 0 { first } else { format!("{first} (and {more} more)") })
}

fn stopped(stop: Stop) -> (Outcome, String) {
    match stop {
        Stop::Absent(what) => (Outcome::Absent, what),
        Stop::Control(what) => (Outcome::NoControl, what),
    }
}
