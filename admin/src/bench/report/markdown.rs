//! The report as a page: docs/performance.md.
//!
//! Owns: its text around the figures. Every figure comes from the report. Does not know: how they came about.

use super::{Line, Report, ratio, table, targets, time};
use std::fmt::Write as _;

/// The page; `picture` is the path of the chart as seen from it.
pub fn page(report: &Report, picture: Option<&str>) -> String {
    let mut page = String::from("# Performance\n\n");
    // Writing to a string cannot fail.
    let _ = writeln!(page, "{INTRODUCTION}");
    if let Some(picture) = picture {
        let _ = writeln!(page, "![Ratios of all operations]({picture})\n");
    }
    setting(&mut page, report);
    if let Some(busy) = table::busy(report) {
        let _ = writeln!(page, "**{busy}**\n");
    }
    means(&mut page, report);
    shortfalls(&mut page, report);
    for threads in report.threads() {
        section(&mut page, report, threads);
    }
    let notes = table::notes(report);
    if !notes.is_empty() {
        let _ = writeln!(page, "## Notes\n");
        for line in notes.lines() {
            let _ = writeln!(page, "- {line}");
        }
        page.push('\n');
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

const INTRODUCTION: &str = "\
What `make bench` measured: the same operations on each module, in one process, interleaved (each round goes over all modules, every
other one backwards); a figure is the median of the rounds. A ratio is Perilune's rate divided by that of the best of
the others; the column by p50 is the same of median latencies. Each result was checked once for each module before it was measured. Keys are session objects, except where it says
token; objects that are searched for are in the token. This page is written by the bench, from its JSON; how to run it is in
[testing.md](testing.md).
";

fn setting(page: &mut String, report: &Report) {
    let machine = &report.machine;
    let _ = writeln!(page, "| | |\n|---|---|");
    let load = machine.load.map(|load| format!(", load {load} at the start")).unwrap_or_default();
    let _ = writeln!(page, "| machine | {}, {} CPUs{load} |", machine.cpu, machine.cpus);
    let _ = writeln!(page, "| system | {}, {} |", machine.system, machine.kernel);
    for module in &report.modules {
        let note = module.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
        let _ = writeln!(page, "| {} | {}, version {}{note} |", module.name, module.description, module.version);
    }
    let (rounds, seconds, took) = (report.rounds, report.seconds, report.took_seconds.div_ceil(60));
    let _ = writeln!(page, "| run | {} UTC, {rounds} rounds of {seconds} s, {took} minutes |", report.date);
    let _ = writeln!(page, "| command | `{}` |\n", without_outputs(&report.command));
}

/// A command without the files that its reports went to.
fn without_outputs(command: &str) -> String {
    let mut words = command.split(' ');
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "--json" | "--svg" | "--markdown" => drop(words.next()),
            _ => kept.push(word),
        }
    }
    kept.join(" ")
}

fn means(page: &mut String, report: &Report) {
    for mean in &report.means {
        let Some(value) = mean.ratio else { continue };
        let threads = words(mean.threads);
        let _ = writeln!(page, "Geometric mean of {} operations, {threads}: **{}**.  ", mean.counted, ratio(value));
    }
    let _ = writeln!(page, "\nThe targets: each operation as in the column, the mean {}.\n", ratio(targets::MEAN));
}

fn words(threads: usize) -> String {
    if threads == 1 { "one thread".to_owned() } else { format!("{threads} threads") }
}

/// What is below its target with one thread.
fn shortfalls(page: &mut String, report: &Report) {
    let below: Vec<&Line> =
        report.with_threads(1).filter(|line| line.ratio.is_some_and(|value| value < targets::target(line))).collect();
    if below.is_empty() {
        return;
    }
    let _ = writeln!(page, "## Below the target\n\n| operation | ratio | target | against |\n|---|---:|---:|---|");
    for line in below {
        let value = line.ratio.map(ratio).unwrap_or_default();
        let against = line.against.as_deref().unwrap_or("-");
        let _ = writeln!(page, "| {} | {value} | {} | {against} |", line.operation, ratio(targets::target(line)));
    }
    page.push('\n');
}

fn section(page: &mut String, report: &Report, threads: usize) {
    let title = words(threads);
    let _ = writeln!(page, "## {}{}\n", title[..1].to_uppercase(), &title[1..]);
    let mut head = String::from("| operation |");
    let mut rule = String::from("|---|");
    for module in &report.modules {
        let _ = write!(head, " {} ops/s | p50 | p99 |", module.name);
        rule.push_str("---:|---:|---:|");
    }
    head.push_str(if threads == 1 { " ratio | by p50 | target |" } else { " ratio | by p50 | scaling |" });
    rule.push_str("---:|---:|---:|");
    let _ = writeln!(page, "{head}\n{rule}");
    let mut family = "";
    for line in report.with_threads(threads) {
        if line.family != family {
            family = &line.family;
            let empty = " |".repeat(report.modules.len() * 3 + 3);
            let _ = writeln!(page, "| **{family}** |{empty}");
        }
        row(page, report, line, threads);
    }
    page.push('\n');
}

fn row(page: &mut String, report: &Report, line: &Line, threads: usize) {
    let dash = || "-".to_owned();
    let _ = write!(page, "| {} |", line.operation);
    for figures in &line.results {
        let value = figures.shown_rate();
        let (half, most) = (figures.p50_ns.map_or_else(dash, time), figures.p99_ns.map_or_else(dash, time));
        let _ = write!(page, " {value} | {half} | {most} |");
    }
    let last = match threads {
        1 => line.ratio.map(|_there| ratio(targets::target(line))),
        _ => report.scaling(line).map(ratio),
    };
    let (by_rate, by_median) = (line.ratio.map_or_else(dash, ratio), line.ratio_p50.map_or_else(dash, ratio));
    let _ = writeln!(page, " {by_rate} | {by_median} | {} |", last.unwrap_or_else(dash));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_reports_went_is_not_told() {
        let command = "perilune bench --json /x/run.json --rounds 3 --svg a.svg --markdown b.md";
        assert_eq!(without_outputs(command), "perilune bench --rounds 3");
    }

    #[test]
    fn the_page_names_machine_versions_every_operation_and_what_falls_short() {
        let page = page(&crate::bench::report::tests::sample(), Some("performance.svg"));
        for part in [
            "](performance.svg)",
            "A processor, 2 CPUs",
            "A module, version 1.2 (as packaged)",
            "| twice | 2,000 | 1.00 µs | 2.00 µs | 1,000 | 1.00 µs | 2.00 µs | 2.00 x | 1.00 x | 1.00 x |",
            "| half | 0.50 x | 1.00 x | theirs |",
            "theirs does not support: alone",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        assert!(!page.split("## One thread").next().unwrap().contains("| twice |"), "{page}");
    }
}
