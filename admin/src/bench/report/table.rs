//! The report as a table on the terminal.
//!
//! Owns: its columns, and the notes below. Does not know: how the figures came about.

use super::{Figures, Line, Report, ratio, time};
use crate::output::Table;

/// The whole text.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    for threads in report.threads() {
        text.push_str(&section(report, threads));
        text.push('\n');
    }
    text.push_str(&notes(report));
    text
}

fn section(report: &Report, threads: usize) -> String {
    let mut headings = vec![if threads == 1 { "1 THREAD".to_owned() } else { format!("{threads} THREADS") }];
    for module in &report.modules {
        headings.extend([format!("{} ops/s", module.name), "p50".to_owned(), "p99".to_owned()]);
    }
    let compared = report.modules.len() > 1;
    headings.extend(["RATIO", "BY P50"].iter().filter(|_| compared).map(|word| (*word).to_owned()));
    headings.extend((threads > 1).then(|| "SCALING".to_owned()));
    let mut table = Table::new(&headings.iter().map(String::as_str).collect::<Vec<_>>());
    for line in report.with_threads(threads) {
        let mut cells = vec![line.operation.clone()];
        cells.extend(line.results.iter().flat_map(cells_of));
        let ratios = [line.ratio, line.ratio_p50];
        cells.extend(ratios.iter().filter(|_| compared).map(|value| value.map_or_else(|| "-".to_owned(), ratio)));
        let scaling = || report.scaling(line).map_or_else(|| "-".to_owned(), ratio);
        cells.extend((threads > 1).then(scaling));
        table.row(cells);
    }
    let mut text = table.text();
    for mean in report.means.iter().filter(|mean| mean.threads == threads) {
        if let Some(value) = mean.ratio {
            let counted = mean.counted;
            text.push_str(&format!("Geometric mean of {counted} ratios: {}", ratio(value)));
            if mean.not_counted > 0 {
                text.push_str(&format!(" ({} operations without a ratio are not counted)", mean.not_counted));
            }
            text.push('\n');
        }
    }
    text
}

fn cells_of(figures: &Figures) -> [String; 3] {
    let dash = || "-".to_owned();
    [figures.shown_rate(), figures.p50_ns.map_or_else(dash, time), figures.p99_ns.map_or_else(dash, time)]
}

/// Why something is missing, said once for each reason.
pub fn notes(report: &Report) -> String {
    let mut text = String::new();
    if let Some(busy) = busy(report) {
        text.push_str(&format!("{busy}\n"));
    }
    if report.operations.iter().flat_map(|line| &line.results).any(|figures| figures.shown_rate().starts_with('~')) {
        text.push_str("~ marks a rate whose rounds are more than a quarter of it apart.\n");
    }
    for (index, module) in report.modules.iter().enumerate() {
        for (word, why) in [("does not support", MISSING), ("FAILED at", FAILED)] {
            let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
            for line in &report.operations {
                let Some(reason) = line.results.get(index).and_then(why) else { continue };
                let name = line.operation.as_str();
                match groups.iter_mut().find(|(known, _)| *known == reason) {
                    Some((_, names)) if names.contains(&name) => {}
                    Some((_, names)) => names.push(name),
                    None => groups.push((reason, vec![name])),
                }
            }
            for (reason, names) in groups {
                text.push_str(&format!("{} {word}: {} ({reason})\n", module.name, names.join("; ")));
            }
        }
    }
    text
}

/// What is said when the processors were not all there for the bench.
pub fn busy(report: &Report) -> Option<String> {
    let load = report.machine.load.filter(|load| *load > report.machine.cpus as f64 / 4.0)?;
    Some(format!(
        "The machine was busy with other things (load {load} at the start): latencies are good for a comparison, rates less so."
    ))
}

const MISSING: fn(&Figures) -> Option<&str> = |figures| figures.missing.as_deref();
const FAILED: fn(&Figures) -> Option<&str> = |figures| figures.failed.as_deref();

/// Whether the first module failed at anything; what the others fail at is only told.
pub fn first_failed(report: &Report) -> bool {
    report.operations.iter().filter_map(|line: &Line| line.results.first()).any(|figures| figures.failed.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_machine_is_told() {
        let mut report = crate::bench::report::tests::sample();
        assert!(!text(&report).contains("busy"));
        report.machine.load = Some(6.5);
        assert!(text(&report).contains("busy with other things (load 6.5"));
    }

    #[test]
    fn what_is_missing_is_a_dash_with_a_reason_below_and_never_a_zero() {
        let report = crate::bench::report::tests::sample();
        let text = text(&report);
        let line = text.lines().find(|line| line.starts_with("alone")).unwrap();
        assert_eq!(
            line.split_whitespace().collect::<Vec<_>>(),
            ["alone", "5.00", "1.00", "µs", "2.00", "µs", "-", "-", "-", "-", "-"]
        );
        assert!(text.contains("theirs does not support: alone (no CKM_ECDSA)"), "{text}");
        assert!(text.contains("ours does not support: lacking"), "{text}");
        assert!(text.contains("Geometric mean of 2 ratios: 1.00 x (2 operations without a ratio are not counted)"));
        assert!(text.contains("SCALING") && text.contains("1.95 x"), "{text}");
    }
}
