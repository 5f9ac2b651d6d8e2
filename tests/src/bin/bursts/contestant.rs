//! A module with a store of a certain size, and what is measured of it.
//!
//! Owns: the store that every measurement begins with, and the processes of one measurement. Does not know: what they do
//! inside (`worker`).

use crate::{Options, worker};
use perilune_tests::{Place, SO_PIN, USER_PIN};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// One column of the table.
pub struct Contestant {
    /// What stands above it.
    pub name: String,
    module: PathBuf,
    objects: u64,
    /// It is not ours to mend.
    may_fail: bool,
    /// The place that each measurement copies.
    origin: Place,
}

type Figures = BTreeMap<String, f64>;

impl Contestant {
    /// Perilune with so many objects, half of them private keys.
    pub fn perilune(name: String, options: &Options, objects: u64) -> Self {
        let one = Self { name, module: options.module.clone(), objects, may_fail: false, origin: Place::new() };
        if objects > 0 {
            eprintln!("filling a store with {objects} objects");
            let mut fill = one.origin.command(&options.fill);
            fill.args([&(objects / 2).to_string(), SO_PIN, USER_PIN]).stdout(Stdio::null());
            assert!(fill.status().expect("the filling program starts").success(), "{fill:?}");
        } else {
            one.run(&one.origin, "token", 0.0);
        }
        one
    }

    /// Another module with so many objects, made through its own C_GenerateKeyPair.
    pub fn other(name: &str, module: &Path, objects: u64) -> Self {
        let one = Self { name: name.to_owned(), module: module.into(), objects, may_fail: true, origin: Place::new() };
        eprintln!("filling a store of {} with {objects} objects", module.display());
        one.run(&one.origin, "token", 0.0);
        if objects > 0 {
            one.run(&one.origin, "fill", (objects / 2) as f64);
        }
        one
    }

    /// One round. Where another module fails, its figure is missing and the failure stands on standard error.
    pub fn measure(&self, seconds: f64) -> Figures {
        let mut figures = Figures::new();
        for (work, key) in [("burst-1", "pairs_1"), ("burst-4", "pairs_4")] {
            let made = self.or_missing(|| self.run(&self.fresh(), work, seconds));
            figures.extend(made.get("rate").map(|rate| (key.to_owned(), *rate)));
        }
        figures.extend(self.or_missing(|| self.beside(&self.fresh(), seconds)));
        let mut start = self.or_missing(|| self.run(&self.fresh(), "start", 0.0));
        let resident = start.remove("resident").filter(|_| self.objects > 0);
        start.extend(resident.map(|bytes| ("object_bytes".to_owned(), bytes / self.objects as f64)));
        figures.extend(start);
        figures
    }

    fn or_missing(&self, measure: impl FnOnce() -> Figures) -> Figures {
        if !self.may_fail {
            return measure();
        }
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(measure)).unwrap_or_default()
    }

    /// A burst in one process, and another one that wants its turn again and again.
    fn beside(&self, place: &Place, seconds: f64) -> Figures {
        let mut burst = self.spawn(place, "burst-until", 0.0);
        let mut output = BufReader::new(burst.stdout.take().expect("its output"));
        let mut line = String::new();
        output.read_line(&mut line).expect("the burst begins");
        let mut figures = self.run(place, "turns", seconds);
        // The burst ends when its input does.
        drop(burst.stdin.take());
        let mut rest = String::new();
        output.read_to_string(&mut rest).expect("the burst's figures");
        assert!(burst.wait().expect("the burst").success(), "{line}{rest}");
        figures.insert("pairs_beside".to_owned(), parse(&rest)["rate"]);
        figures
    }

    fn run(&self, place: &Place, work: &str, amount: f64) -> Figures {
        let output = self.spawn(place, work, amount).wait_with_output().expect("a worker");
        assert!(output.status.success(), "{}: {work}: {}", self.name, output.status);
        parse(&String::from_utf8_lossy(&output.stdout))
    }

    fn spawn(&self, place: &Place, work: &str, amount: f64) -> Child {
        let mut command: Command = place.command(std::env::current_exe().expect("this program"));
        command.arg(worker::WORD).arg(&self.module).args([work, &amount.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a worker starts")
    }

    /// A place with a copy of the store, all of it on the disk.
    fn fresh(&self) -> Place {
        let place = Place::new();
        for folder in ["store", "softhsm"] {
            let from = self.origin.file(folder);
            if from.exists() {
                let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(place.file(folder)).status();
                assert!(copied.expect("cp starts").success(), "{} is copied", from.display());
            }
        }
        assert!(Command::new("sync").arg("-f").arg(place.folder()).status().expect("sync starts").success());
        place
    }
}

fn parse(text: &str) -> Figures {
    serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"))
}
