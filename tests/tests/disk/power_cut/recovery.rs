//! A power cut while the store is opened after a power cut: the opening is recorded too, and cut off at each of its syncs.
//!
//! Owns: the choice of first cuts, the recorded opening, what may be there after the second cut. Does not know: the store's files.

use super::verify::{recover, recovered};
use super::workload::{self, State, Step, states};
use super::{Choice, Point, allowed, at_each_point, checker, configure, count, keep, prove_same, record, verify_in};
use perilune_tests::disk::Disk;
use perilune_tests::disk::cuts::cuts;
use perilune_tests::disk::image::{self, Disk as Replayed, Random, Tree};
use perilune_tests::disk::log::{self, Change};
use perilune_tests::{Place, Raw, child};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// How many images a sync of an opening is given, at least.
const EACH: usize = 4;
/// One of so many syncs of an opening is looked at.
const SYNCS_FOR_ONE: usize = 4;

/// Looks at openings of so many images, unless the environment says another number.
pub fn scenario(place: &Place, role: &str, steps: &[Step], openings: usize) {
    match role {
        "record" => workload::run(steps, 0),
        "recover" => open_once(steps),
        "check" => check(place, steps, &Choice::of_environment(openings, "store/map")),
        _ => {
            record(place);
            let (checker, _folder) = checker(place, 0);
            let report = checker.finish();
            assert!(report.success(), "{}", report.text);
            count("power cuts after a power cut", &[report]);
        }
    }
}

/// Opens what the first cut left, under the recorder; the word says which states are allowed.
fn open_once(steps: &[Step]) {
    let states = states(steps);
    let allowed: Vec<_> =
        child::word().split(' ').map(|number| &states[number.parse::<usize>().expect("a number")]).collect();
    recover(&Raw::load(), &allowed).unwrap_or_else(|problem| panic!("{problem}"));
}

fn check(place: &Place, steps: &[Step], choice: &Choice) {
    let changes = log::read(&place.file("disk.log"));
    let states = states(steps);
    let folder = PathBuf::from(std::env::var_os("PERILUNE_POWER_FOLDER").expect("the folder of the images"));
    let mut checker = Checker { place, folder, raw: Raw::load(), images: 0, points: 0 };
    let mut openings = 0;
    let chosen = chosen(&changes, steps, choice);
    at_each_point(&changes, |point| {
        if let Some(seed) = chosen.iter().find_map(|(number, seed)| (*number == point.number).then_some(*seed)) {
            let all = cuts(&point.pending, 12, seed);
            let cut = &all[Random(seed).below(all.len())];
            let tree = point.disk.cut(&point.pending, &cut.fates, cut.lengths);
            let numbers: Vec<_> =
                if point.begun == point.done { vec![point.done] } else { vec![point.done, point.begun] };
            checker.opening(&tree, &allowed(&states, &point), &numbers, seed).unwrap_or_else(|problem| {
                let kept = keep(&place.file("disk.log"));
                panic!("first {}then {problem}\nthe first run: {}", super::described(&point, cut), kept.display())
            });
            openings += 1;
        }
    });
    println!(
        "\nchecked {} images at {} sync points of {openings} openings, seed {}",
        checker.images, checker.points, choice.seed
    );
}

/// The points of the first cuts, each with a seed: where the map is written, and where no PIN is being changed, because
/// looking which one counts is a try with the other.
fn chosen(changes: &[Change], steps: &[Step], choice: &Choice) -> Vec<(usize, u64)> {
    let mut candidates = Vec::new();
    let suits = |point: &Point<'_>| {
        let under_way = (point.begun > point.done).then(|| &steps[point.done]);
        let pin = matches!(under_way, Some(Step::InitPin(_) | Step::ChangePin(_) | Step::ChangeSoPin(_) | Step::Login));
        !pin && point.pending.iter().any(|pending| pending.text.starts_with(choice.focus))
    };
    at_each_point(changes, |point| candidates.extend(suits(&point).then_some(point.number)));
    let mut random = Random(choice.seed);
    let mut chosen = Vec::new();
    while chosen.len() < choice.images && !candidates.is_empty() {
        chosen.push((candidates.swap_remove(random.below(candidates.len())), random.next()));
    }
    assert!(!chosen.is_empty(), "the run left nothing in {} pending", choice.focus);
    chosen
}

struct Checker<'a> {
    place: &'a Place,
    folder: PathBuf,
    raw: Raw,
    images: usize,
    points: usize,
}

impl Checker<'_> {
    /// Opens the image in a process that records, and cuts that off at each of its syncs.
    fn opening(&mut self, tree: &Tree, allowed: &[&State], numbers: &[usize], seed: u64) -> Result<(), String> {
        let (root, log) = (self.place.file("again"), self.place.file("again.log"));
        let configuration = self.place.file("again.toml");
        std::fs::create_dir(&root).expect("a folder for the image");
        image::lay_out(tree, &root).expect("the image");
        let number = |name: &str| std::fs::metadata(root.join(name)).expect("the file").ino();
        let mut disk = Replayed::with(tree, number);
        configure(&configuration, &root.join("store"));
        let shim = Disk::of(self.place).watching(root.clone()).logging(log.clone());
        let mut environment = shim.recording();
        environment.push(("PERILUNE_CONF", configuration.into()));
        let numbers: Vec<_> = numbers.iter().map(usize::to_string).collect();
        let report = child::role_with(self.place, "recover", &numbers.join(" "), &environment).finish();
        if !report.success() {
            return Err(format!("it does not open: {}", report.text));
        }
        let changes = log::read(&log);
        self.cut_off(&mut disk, &changes, allowed, seed)?;
        prove_same(&disk, &root);
        std::fs::remove_dir_all(&root).expect("the image is removed");
        std::fs::remove_file(&log).map_err(|error| error.to_string())
    }

    fn cut_off(
        &mut self,
        disk: &mut Replayed,
        changes: &[Change],
        allowed: &[&State],
        seed: u64,
    ) -> Result<(), String> {
        let mut may_be: Vec<State> = allowed.iter().map(|state| (*state).clone()).collect();
        for (number, change) in changes.iter().enumerate() {
            if super::is_sync(change) && Random(seed.rotate_left(7) ^ number as u64).below(SYNCS_FOR_ONE) == 0 {
                self.points += 1;
                let pending = disk.pending();
                for cut in cuts(&pending, EACH, seed ^ number as u64) {
                    self.images += 1;
                    let tree = disk.cut(&pending, &cut.fates, cut.lengths);
                    let states: Vec<_> = may_be.iter().collect();
                    let verdict = verify_in(&self.folder, &self.raw, &tree, &states);
                    verdict.map_err(|problem| {
                        let fates = pending
                            .iter()
                            .zip(&cut.fates)
                            .map(|(pending, fate)| format!("    {fate:?}: {}\n", pending.text));
                        format!(
                            "a cut of its opening, lengths {:?}\n{}{problem}",
                            cut.lengths,
                            fates.collect::<String>()
                        )
                    })?;
                }
            }
            if let Change::Mark(text) = change {
                match text.as_str() {
                    "begin" => may_be.push(recovered(&may_be[0])),
                    "done" => drop(may_be.remove(0)),
                    seen => may_be = vec![may_be[usize::from(seen == "seen 1")].clone()],
                }
            }
            disk.apply(change);
        }
        Ok(())
    }
}
