//! The result of a bench: what every form of the report is made of.
//!
//! Owns: the values that are written as JSON and read again, and what is computed from them. Fields are added, never renamed.
//! Does not know: how they are shown (`table`, `svg`, `markdown`).

pub mod markdown;
pub mod svg;
pub mod table;
pub mod targets;

use super::machine::Machine;
use super::statistics;
use serde::{Deserialize, Serialize};

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// When it began, in UTC.
    pub date: String,
    /// The command that was given, without PINs.
    pub command: String,
    /// Version of the command.
    pub bench_version: String,
    /// Where.
    pub machine: Machine,
    /// Rounds of each measurement; figures are medians of them.
    pub rounds: usize,
    /// Seconds of each measurement.
    pub seconds: f64,
    /// How long all of it took.
    pub took_seconds: u64,
    /// The modules; the first is compared with the others.
    pub modules: Vec<ModuleLine>,
    /// One for each operation and number of threads.
    pub operations: Vec<Line>,
    /// One for each number of threads.
    pub means: Vec<Mean>,
}

/// A module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModuleLine {
    /// Its name in this report.
    pub name: String,
    /// The library's file.
    pub path: String,
    /// What the library says of itself.
    pub description: String,
    /// The library's version.
    pub version: String,
    /// What the command line says of it.
    pub note: Option<String>,
}

/// An operation with so many threads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The family.
    pub family: String,
    /// The operation.
    pub operation: String,
    /// Bytes that one operation works on; 0 where that is not what makes it long.
    pub bytes: usize,
    /// Threads.
    pub threads: usize,
    /// In the order of the modules.
    pub results: Vec<Figures>,
    /// The first module's rate as a multiple of the best of the others.
    pub ratio: Option<f64>,
    /// Which module that was.
    pub against: Option<String>,
    /// The least median latency of the others as a multiple of the first module's. Where other programs take the processor away
    /// from time to time, rates suffer and medians hardly do.
    pub ratio_p50: Option<f64>,
}

/// What was measured of one module.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// The module.
    pub module: String,
    /// Operations a second of all threads together; the median of the rounds.
    pub ops_per_second: Option<f64>,
    /// The rounds.
    pub rounds: Vec<f64>,
    /// The difference of the best and the worst round as a part of the median.
    pub spread: Option<f64>,
    /// Operations that were timed in all rounds.
    pub calls: u64,
    /// Half of the operations took at most so many nanoseconds.
    pub p50_ns: Option<u64>,
    /// 99 of 100 took at most so many.
    pub p99_ns: Option<u64>,
    /// Why it is not supported, then all of the above are empty.
    pub missing: Option<String>,
    /// Why it failed or was wrong, then likewise.
    pub failed: Option<String>,
}

/// The mean of the ratios.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// Threads.
    pub threads: usize,
    /// Geometric mean of the ratios that there are.
    pub ratio: Option<f64>,
    /// How many.
    pub counted: usize,
    /// How many operations have no ratio, because the first module or all of the others lack them.
    pub not_counted: usize,
}

impl Line {
    /// Makes a line and its ratio.
    pub fn new(family: &str, operation: &str, bytes: usize, threads: usize, results: Vec<Figures>) -> Self {
        let rates: Vec<_> = results.iter().map(|figures| figures.ops_per_second).collect();
        let compared = statistics::ratio(&rates);
        let against = compared.and_then(|(_, index)| results.get(index)).map(|figures| figures.module.clone());
        let ratio = compared.map(|(ratio, _)| ratio);
        let frequencies: Vec<_> = results.iter().map(|one| one.p50_ns.map(|time| 1.0 / time.max(1) as f64)).collect();
        let ratio_p50 = statistics::ratio(&frequencies).map(|(ratio, _)| ratio);
        let (family, operation) = (family.to_owned(), operation.to_owned());
        Self { family, operation, bytes, threads, results, ratio, against, ratio_p50 }
    }
}

impl Report {
    /// The numbers of threads, in their order.
    pub fn threads(&self) -> Vec<usize> {
        let mut threads: Vec<_> = self.operations.iter().map(|line| line.threads).collect();
        threads.sort_unstable();
        threads.dedup();
        threads
    }

    /// The lines with so many threads.
    pub fn with_threads(&self, threads: usize) -> impl Iterator<Item = &Line> {
        self.operations.iter().filter(move |line| line.threads == threads)
    }

    /// How much faster the first module is with these threads than with one.
    pub fn scaling(&self, line: &Line) -> Option<f64> {
        let rate = |line: &Line| line.results.first().and_then(|figures| figures.ops_per_second);
        let one = self.with_threads(1).find(|one| one.operation == line.operation && one.family == line.family)?;
        Some(rate(line)? / rate(one)?)
    }

    /// The means of all lines, one for each number of threads.
    pub fn means_of(lines: &[Line]) -> Vec<Mean> {
        let mut threads: Vec<_> = lines.iter().map(|line| line.threads).collect();
        threads.sort_unstable();
        threads.dedup();
        let mean = |threads: usize| {
            let all = || lines.iter().filter(|line| line.threads == threads);
            let ratios: Vec<f64> = all().filter_map(|line| line.ratio).collect();
            let not_counted = all().count() - ratios.len();
            Mean { threads, ratio: statistics::geometric_mean(&ratios), counted: ratios.len(), not_counted }
        };
        threads.into_iter().map(mean).collect()
    }
}

impl Figures {
    /// The rate as it is shown: with a mark where the rounds are far apart, a dash where there is none.
    pub fn shown_rate(&self) -> String {
        let noisy = self.spread.is_some_and(|spread| spread > SPREAD_MAX);
        match (&self.failed, self.ops_per_second) {
            (Some(_), _) => "failed".to_owned(),
            (None, Some(value)) => format!("{}{}", if noisy { "~" } else { "" }, rate(value)),
            (None, None) => "-".to_owned(),
        }
    }
}

/// Rounds that are further apart than this were disturbed, or the operation is a matter of luck, as finding primes is.
const SPREAD_MAX: f64 = 0.25;

/// A rate with three digits or more: `0.87`, `12.3`, `1,234`, `1.23 M`.
pub fn rate(value: f64) -> String {
    match value {
        _ if value < 10.0 => format!("{value:.2}"),
        _ if value < 100.0 => format!("{value:.1}"),
        _ if value < 999.5 => format!("{value:.0}"),
        _ if value < 999_500.0 => {
            let whole = value.round() as u64;
            format!("{},{:03}", whole / 1000, whole % 1000)
        }
        _ => format!("{:.2} M", value / 1e6),
    }
}

/// A time: `870 ns`, `12.3 µs`, `4.56 ms`, `1.20 s`.
pub fn time(nanoseconds: u64) -> String {
    let value = nanoseconds as f64;
    match nanoseconds {
        0..1_000 => format!("{nanoseconds} ns"),
        1_000..1_000_000 => format!("{} µs", three(value / 1e3)),
        1_000_000..1_000_000_000 => format!("{} ms", three(value / 1e6)),
        _ => format!("{} s", three(value / 1e9)),
    }
}

/// A ratio: `0.97`, `12.3`, `1,234`.
pub fn ratio(value: f64) -> String {
    if value < 10.0 { format!("{value:.2} x") } else { format!("{} x", rate(value)) }
}

fn three(value: f64) -> String {
    match value {
        _ if value < 10.0 => format!("{value:.2}"),
        _ if value < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    fn figures(module: &str, rate: Option<f64>) -> Figures {
        let measured = Figures {
            module: module.to_owned(),
            ops_per_second: rate,
            rounds: rate.into_iter().collect(),
            spread: rate.map(|_there| 0.0),
            calls: 100,
            p50_ns: Some(1000),
            p99_ns: Some(2000),
            ..Figures::default()
        };
        let missing = Some("no CKM_ECDSA".to_owned());
        if rate.is_some() { measured } else { Figures { module: module.to_owned(), missing, ..Figures::default() } }
    }

    /// A small report of two modules.
    pub fn sample() -> Report {
        let line = |operation: &str, threads, one, other| {
            Line::new("Family <A>", operation, 0, threads, vec![figures("ours", one), figures("theirs", other)])
        };
        let operations = vec![
            line("twice", 1, Some(2000.0), Some(1000.0)),
            line("half", 1, Some(5.0), Some(10.0)),
            line("alone", 1, Some(5.0), None),
            line("lacking", 1, None, Some(3.0)),
            line("twice", 2, Some(3900.0), Some(1000.0)),
        ];
        let module = |name: &str| ModuleLine {
            name: name.to_owned(),
            path: format!("/lib/{name}.so"),
            description: "A module".to_owned(),
            version: "1.2".to_owned(),
            note: Some("as packaged".to_owned()),
        };
        Report {
            date: "2026-11-23 10:15".to_owned(),
            command: "perilune bench".to_owned(),
            bench_version: "0.1.0".to_owned(),
            machine: Machine {
                cpu: "A processor".to_owned(),
                cpus: 2,
                kernel: "Linux 6".to_owned(),
                system: "Debian".to_owned(),
                load: Some(0.1),
            },
            rounds: 3,
            seconds: 0.5,
            took_seconds: 60,
            modules: vec![module("ours"), module("theirs")],
            means: Report::means_of(&operations),
            operations,
        }
    }

    #[test]
    fn what_a_module_lacks_is_not_counted_in_the_mean() {
        let report = sample();
        assert_eq!((report.means[0].counted, report.means[0].not_counted), (2, 2));
        assert!((report.means[0].ratio.unwrap() - 1.0).abs() < 1e-12);
        assert!((report.means[1].ratio.unwrap() - 3.9).abs() < 1e-12);
        assert_eq!(report.operations[2].ratio, None);
    }

    #[test]
    fn the_gain_of_threads_is_against_one_thread_of_the_same_module() {
        let report = sample();
        assert!((report.scaling(&report.operations[4]).unwrap() - 1.95).abs() < 1e-12);
    }

    #[test]
    fn a_report_shows_the_same_after_writing_and_reading() {
        let text = serde_json::to_string(&sample()).unwrap();
        let read: Report = serde_json::from_str(&text).unwrap();
        assert_eq!(markdown::page(&read, None), markdown::page(&sample(), None));
        assert_eq!(svg::picture(&read), svg::picture(&sample()));
        assert_eq!(table::text(&read), table::text(&sample()));
    }

    #[test]
    fn a_rate_whose_rounds_are_far_apart_is_marked() {
        let mut one = figures("ours", Some(2000.0));
        assert_eq!(one.shown_rate(), "2,000");
        one.spread = Some(0.3);
        assert_eq!(one.shown_rate(), "~2,000");
        assert_eq!(figures("ours", None).shown_rate(), "-");
    }

    #[test]
    fn figures_have_three_digits() {
        assert_eq!([0.871, 12.34, 345.6, 1234.0, 2_345_678.0].map(rate), ["0.87", "12.3", "346", "1,234", "2.35 M"]);
        assert_eq!([870, 12_345, 4_560_000, 1_200_000_000].map(time), ["870 ns", "12.3 µs", "4.56 ms", "1.20 s"]);
        assert_eq!([0.5, 12.3, 1234.0].map(ratio), ["0.50 x", "12.3 x", "1,234 x"]);
    }
}
