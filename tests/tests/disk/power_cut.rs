//! Power cuts: what a run did to the disk is recorded, and the disk rebuilt as a cut at each sync may have left it.
//!
//! Owns: the run under the recorder, the proof that the record is whole, the choice of cuts, the report. Does not know: the store's
//! files. Rule source: docs/testing.md, "Power cuts".
//!
//! `PERILUNE_POWER_IMAGES` is how many images to try (about), `PERILUNE_POWER_SEED` which ones. A failure says how one
//! image is looked at again, by `PERILUNE_POWER_LOG` and `PERILUNE_POWER_IMAGE`.

mod recovery;
mod verify;
mod workload;

use perilune_tests::disk::cuts::{Cut, cuts};
use perilune_tests::disk::image::{self, Disk as Replayed, Pending};
use perilune_tests::disk::log::{self, Change};
use perilune_tests::disk::{Disk, Environment};
use perilune_tests::{Place, Raw, child, isolated, module, report};
use std::collections::HashSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use workload::{State, Step, USER_TRIES, states};

#[test]
fn every_answered_change_outlives_a_power_cut() {
    isolated!(|place, role| scenario(place, role, &workload::every_kind(), 1000, "store"));
}

#[test]
fn a_store_whose_journal_is_folded_outlives_a_power_cut_in_the_middle_of_it() {
    isolated!(|place, role| scenario(place, role, &workload::much(110), 300, "store/m"));
}

#[test]
fn a_power_cut_after_processes_were_killed_in_the_middle_of_a_fold_loses_nothing() {
    isolated!(|place, role| match role {
        "main" => oversee(place, record_with_kills),
        _ => scenario(place, role, &workload::much(80), 200, "store/m"),
    });
}

#[test]
fn a_second_power_cut_while_the_store_recovers_from_the_first_loses_nothing() {
    isolated!(|place, role| recovery::scenario(place, role, &workload::much(75), 6));
}

/// The tests above would find a store that syncs too little: here the syncs of its files are taken out of the record.
#[test]
fn a_store_that_would_not_sync_its_files_is_found_out() {
    isolated!(|place, role| {
        let steps = &workload::every_kind()[..6];
        match role {
            "main" => {
                record(place);
                let (checker, _folder) = checker(place, 0);
                let report = checker.finish();
                assert!(!report.success() && report.text.contains("images failed"), "{}", report.text);
            }
            "check" => {
                let synced =
                    |change: &Change| matches!(change, Change::Sync { path, .. } if path.starts_with("store/"));
                let mut changes = log::read(&place.file("disk.log"));
                changes.retain(|change| {
                    !synced(change) || matches!(change, Change::Sync { path, .. } if path.ends_with(".key"))
                });
                check(changes, place, steps, &Choice { images: 400, seed: 1, only: None, focus: "store" });
            }
            _ => scenario(place, role, steps, 0, ""),
        }
    });
}

/// How many processes check images.
const CHECKERS: usize = 2;
/// Failures that one of them reports before it gives up.
const FAILURES_MAX: usize = 10;
/// How often a process is killed while it changes the map.
const KILLS: usize = 12;
/// With how many images a point is worth looking at.
const IMAGES_MIN: usize = 12;
/// So many times as many images as other points is a point given at which what is looked for is pending.
const FOCUS: usize = 8;

/// Tries about so many images, most of them where changes of files whose names begin with `focus` are pending.
fn scenario(place: &Place, role: &str, steps: &[Step], images: usize, focus: &'static str) {
    match role {
        "record" => workload::run(steps, child::word().parse().unwrap_or(0)),
        "check" => check(log::read(&place.file("disk.log")), place, steps, &Choice::of_environment(images, focus)),
        _ => oversee(place, record),
    }
}

fn oversee(place: &Place, record: impl FnOnce(&Place)) {
    match std::env::var_os("PERILUNE_POWER_LOG") {
        Some(log) => drop(std::fs::copy(log, place.file("disk.log")).expect("the log that is looked at again")),
        None => record(place),
    }
    let workers = if Choice::of_environment(0, "").only.is_some() { 1 } else { CHECKERS };
    let workers: Vec<_> = (0..workers).map(|number| checker(place, number)).collect();
    let reports: Vec<_> = workers.into_iter().map(|(worker, _folder)| worker.finish()).collect();
    let failed: Vec<_> = reports.iter().filter(|report| !report.success()).map(|report| report.text.as_str()).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    count("power cuts", &reports);
}

/// Tells how many images were looked at, from the lines that the checkers print.
fn count(what: &str, reports: &[child::Report]) {
    let line = |report: &child::Report| {
        report
            .text
            .lines()
            .find_map(|line| line.strip_prefix("checked ")?.split_once(' '))
            .map(|(count, of)| (count.to_owned(), of.to_owned()))
    };
    let lines: Vec<_> = reports.iter().map(|report| line(report).expect("a count")).collect();
    let sum: usize = lines.iter().map(|(count, _)| count.parse::<usize>().expect("a number")).sum();
    report!("{what}: {sum} {}", lines[0].1);
}

fn record(place: &Place) {
    let disk = Disk::of(place).watching(place.file("disk"));
    std::fs::create_dir(place.file("disk")).expect("a folder");
    configure(&place.file("perilune.toml"), &place.file("disk/store"));
    child::role_with(place, "record", "", &disk.recording()).succeed();
    prove_record(&log::read(disk.log()), &place.file("disk"));
}

/// As [`record`], but from time to time the process is killed while it changes the map, and another one goes on.
fn record_with_kills(place: &Place) {
    let disk = Disk::of(place).watching(place.file("disk"));
    std::fs::create_dir(place.file("disk")).expect("a folder");
    configure(&place.file("perilune.toml"), &place.file("disk/store"));
    let mut random = image::Random(Choice::of_environment(0, "").seed);
    let (mut begun, mut done, mut kills) = (0, 0, 0);
    loop {
        let after = random.below(if kills < KILLS { 40 } else { usize::MAX });
        disk.plan(&[&format!("create,write,truncate,rename,unlink,sync store/m*/* kill after {after} count 1")]);
        let report = child::role_with(place, "record", &begun.to_string(), &disk.recording_and_failing()).finish();
        let changes = log::read(disk.log());
        for change in &changes {
            if let Change::Mark(text) = change {
                workload::progress(text, &mut begun, &mut done);
            }
        }
        if report.success() {
            prove_record(&changes, &place.file("disk"));
            break report!("killed {kills} times while the map was written");
        }
        let signal = std::os::unix::process::ExitStatusExt::signal(&report.status);
        assert_eq!(signal, Some(libc::SIGKILL), "{}", report.text);
        kills += 1;
    }
    assert!(kills > 1, "the map was hardly written");
}

/// What the record says must be there is there, byte for byte: nothing got past the recorder.
fn prove_record(changes: &[Change], folder: &Path) {
    let mut replayed = Replayed::default();
    changes.iter().for_each(|change| replayed.apply(change));
    prove_same(&replayed, folder);
}

fn prove_same(replayed: &Replayed, folder: &Path) {
    let (replayed, real) = (replayed.present(), image::read(folder).expect("the folder"));
    let names = |tree: &image::Tree| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&replayed), names(&real));
    for (name, content) in &real {
        assert!(replayed[name] == *content, "{name} is not what was recorded");
    }
}

/// Starts a process that looks at images, and the folder where it lays them out.
fn checker(place: &Place, number: usize) -> (child::Running, TempDir) {
    // In memory where that is possible: images need no disk, and are written and synced many times.
    let memory = Path::new("/dev/shm");
    let above = if memory.is_dir() { memory } else { place.folder() };
    let folder = tempfile::Builder::new().prefix("perilune-power-").tempdir_in(above).expect("a folder for images");
    let image = folder.path().join("image");
    let configuration = place.file(&format!("checker-{number}.toml"));
    configure(&configuration, &image.join("store"));
    let environment: Environment =
        vec![("PERILUNE_CONF", configuration.into()), ("PERILUNE_POWER_FOLDER", image.into())];
    (child::role_with(place, "check", &number.to_string(), &environment), folder)
}

fn configure(file: &Path, store: &Path) {
    let text = format!("store = {store:?}\n[pin]\nuser_tries = {USER_TRIES}\n[kdf]\nmemory_kib = 64\npasses = 1\n");
    std::fs::write(file, text).expect("a configuration");
}

/// Which images are tried.
struct Choice {
    images: usize,
    seed: u64,
    /// Point and number of the only one, and how many images a point was given.
    only: Option<[usize; 3]>,
    focus: &'static str,
}

impl Choice {
    fn of_environment(images: usize, focus: &'static str) -> Self {
        let number = |name: &str| {
            std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
        };
        let only = std::env::var("PERILUNE_POWER_IMAGE").ok().map(|text| {
            let parts: Vec<_> = text.split(':').filter_map(|part| part.parse().ok()).collect();
            parts.try_into().unwrap_or_else(|_| panic!("PERILUNE_POWER_IMAGE={text}: POINT:NUMBER:EACH"))
        });
        let images = number("PERILUNE_POWER_IMAGES").map_or(images, |number| number as usize);
        Self { images, seed: number("PERILUNE_POWER_SEED").unwrap_or(1), only, focus }
    }
}

/// A moment at which the power may be cut: in front of a sync, or at the end.
struct Point<'a> {
    number: usize,
    disk: &'a Replayed,
    pending: Vec<Pending>,
    begun: usize,
    done: usize,
}

fn check(changes: Vec<Change>, place: &Place, steps: &[Step], choice: &Choice) {
    let shares = shares(&changes, choice.focus);
    let points = shares.len();
    assert!(shares.contains(&FOCUS), "the run left nothing in {} pending, which this test is about", choice.focus);
    let mut checker = Checker::new(steps, choice, shares);
    at_each_point(&changes, |point| checker.check(&point));
    let Checker { checked, failures, each, .. } = checker;
    let looked_at = each.iter().filter(|each| **each > 0).count();
    assert!(!checked.is_empty(), "no image was looked at");
    println!("\nchecked {} images at {looked_at} of {points} sync points, seed {}", checked.len(), choice.seed);
    if !failures.is_empty() {
        let kept = keep(&place.file("disk.log"));
        panic!("{} images failed\n{}\nwith PERILUNE_POWER_LOG={}", failures.len(), failures.join("\n"), kept.display());
    }
}

fn is_sync(change: &Change) -> bool {
    matches!(change, Change::Sync { .. } | Change::SyncAll)
}

/// What share of the images each point gets.
fn shares(changes: &[Change], focus: &str) -> Vec<usize> {
    let mut shares = Vec::new();
    at_each_point(changes, |point| {
        let looked_for = point.pending.iter().any(|pending| pending.text.starts_with(focus));
        shares.push(if looked_for { FOCUS } else { 1 });
    });
    shares
}

/// One of the processes that look at images.
struct Checker<'a> {
    choice: &'a Choice,
    worker: usize,
    folder: PathBuf,
    raw: Raw,
    states: Vec<State>,
    /// How many images each point is given.
    each: Vec<usize>,
    checked: HashSet<(usize, u64)>,
    failures: Vec<String>,
}

impl<'a> Checker<'a> {
    fn new(steps: &[Step], choice: &'a Choice, shares: Vec<usize>) -> Self {
        let all: usize = shares.iter().sum();
        let each = |(point, share): (usize, usize)| {
            let (wanted, least) = (choice.images * share / all, IMAGES_MIN);
            // Where there are fewer images than points, a seed decides which points are left out.
            let lucky =
                image::Random(choice.seed.rotate_left(32) ^ point as u64).below(all * least) < choice.images * share;
            choice.only.map_or(if lucky { wanted.max(least) } else { 0 }, |[_, _, each]| each)
        };
        Self {
            worker: child::word().parse().expect("a number"),
            folder: PathBuf::from(std::env::var_os("PERILUNE_POWER_FOLDER").expect("the folder of the images")),
            raw: Raw::load(),
            states: states(steps),
            each: shares.into_iter().enumerate().map(each).collect(),
            checked: HashSet::new(),
            failures: Vec::new(),
            choice,
        }
    }

    fn check(&mut self, point: &Point<'_>) {
        let mine = match self.choice.only {
            Some([only, ..]) => point.number == only && self.worker == 0,
            None => point.number % CHECKERS == self.worker,
        };
        if !mine || self.each[point.number] == 0 || self.failures.len() >= FAILURES_MAX {
            return;
        }
        for (variant, cut) in
            cuts(&point.pending, self.each[point.number], self.choice.seed ^ point.number as u64).iter().enumerate()
        {
            if self.choice.only.is_some_and(|[_, only, _]| variant != only) {
                continue;
            }
            let tree = point.disk.cut(&point.pending, &cut.fates, cut.lengths);
            // The same image again says more only when more was answered since.
            if self.checked.insert((point.done, image::digest(&tree)))
                && let Err(problem) = self.verify(&tree, point)
            {
                let (number, each, seed) = (point.number, self.each[point.number], self.choice.seed);
                let again = format!("PERILUNE_POWER_IMAGE={number}:{variant}:{each} PERILUNE_POWER_SEED={seed}");
                self.failures.push(format!("{}{problem}\nagain: {again}\n", described(point, cut)));
            }
        }
    }

    fn verify(&self, tree: &image::Tree, point: &Point<'_>) -> Result<(), String> {
        verify_in(&self.folder, &self.raw, tree, &allowed(&self.states, point))
    }
}

/// Lays the image out in the folder that the configuration names, looks at it and removes it.
fn verify_in(folder: &Path, raw: &Raw, tree: &image::Tree, allowed: &[&State]) -> Result<(), String> {
    std::fs::create_dir_all(folder).expect("a folder for the image");
    image::lay_out(tree, folder).expect("the image");
    let verdict = verify::verify(raw, allowed);
    std::fs::remove_dir_all(folder).expect("the image is removed");
    verdict
}

/// What may be there after a cut at this point: with the step under way, or without it.
fn allowed<'a>(states: &'a [State], point: &Point<'_>) -> Vec<&'a State> {
    if point.done == point.begun { vec![&states[point.done]] } else { vec![&states[point.done], &states[point.begun]] }
}

/// Walks through a run and stops at each sync, and at the end.
fn at_each_point(changes: &[Change], mut look: impl FnMut(Point<'_>)) {
    let mut disk = Replayed::default();
    let (mut begun, mut done, mut number) = (0, 0, 0);
    for change in changes.iter().chain([&Change::SyncAll]) {
        if is_sync(change) {
            look(Point { number, disk: &disk, pending: disk.pending(), begun, done });
            number += 1;
        }
        if let Change::Mark(text) = change {
            workload::progress(text, &mut begun, &mut done);
        }
        disk.apply(change);
    }
}

fn described(point: &Point<'_>, cut: &Cut) -> String {
    let mut text =
        format!("power cut with {} steps answered of {} begun, lengths {:?}\n", point.done, point.begun, cut.lengths);
    let mut lines: Vec<(String, usize)> = Vec::new();
    for (pending, fate) in point.pending.iter().zip(&cut.fates) {
        let line = format!("{fate:?}: {}", pending.text);
        match lines.iter_mut().find(|(other, _)| *other == line) {
            Some((_, count)) => *count += 1,
            None => lines.push((line, 1)),
        }
    }
    for (line, count) in lines {
        writeln!(text, "    {line}{}", if count > 1 { format!(" ({count} times)") } else { String::new() })
            .expect("a text");
    }
    text
}

/// Saves the log from the end of the test.
fn keep(log: &Path) -> PathBuf {
    let folder = module::target().join("power");
    std::fs::create_dir_all(&folder).expect("a folder for the log");
    let kept = folder.join(format!("{}.log", std::process::id()));
    std::fs::copy(log, &kept).expect("the log is kept");
    kept
}
