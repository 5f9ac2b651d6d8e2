//! The report as a picture: one bar an operation, its ratio on a logarithmic scale.
//!
//! Owns: the drawing. Colours follow the reader's light or dark setting. Does not know: how the figures came about.

use super::{Line, Report, rate, ratio};
use std::fmt::Write as _;

/// The picture; the lines with one thread, or with the fewest there are.
pub fn picture(report: &Report) -> String {
    let threads = report.threads().first().copied().unwrap_or(1);
    let lines: Vec<&Line> = report.with_threads(threads).filter(|line| line.ratio.is_some()).collect();
    let scale = Scale::of(&lines);
    let mut families: Vec<&str> = lines.iter().map(|line| line.family.as_str()).collect();
    families.dedup();
    let height = TOP + lines.len() as f64 * ROW + families.len() as f64 * (GAP + ROW) + BOTTOM;
    let mut svg = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-labelledby="title">
<title id="title">{}</title>
<style>{STYLE}</style>
<rect class="paper" width="{WIDTH}" height="{height}" rx="8"/>
"#,
        escaped(&title(report))
    );
    heading(&mut svg, report, threads);
    grid(&mut svg, &scale, height - BOTTOM);
    let mut y = TOP;
    let mut family = "";
    for line in lines {
        if line.family != family {
            family = &line.family;
            y += GAP;
            let _ = writeln!(
                svg,
                r#"<text class="family" x="{MARGIN}" y="{:.1}">{}</text>"#,
                y + ROW - 5.0,
                escaped(family)
            );
            y += ROW;
        }
        bar(&mut svg, &scale, line, y);
        y += ROW;
    }
    let _ = writeln!(
        svg,
        r#"<text class="small" x="{MARGIN}" y="{:.1}">{}</text>"#,
        height - 16.0,
        escaped(&format!(
            "{}, {} CPUs. {}. Medians of {} rounds of {} s.",
            report.machine.cpu, report.machine.cpus, report.date, report.rounds, report.seconds
        ))
    );
    svg.push_str("</svg>\n");
    svg
}

fn title(report: &Report) -> String {
    let names: Vec<&str> = report.modules.iter().map(|module| module.name.as_str()).collect();
    match names.as_slice() {
        [first, others @ ..] if !others.is_empty() => format!("{first} beside {}", others.join(" and ")),
        _ => names.join(""),
    }
}

fn heading(svg: &mut String, report: &Report, threads: usize) {
    let mean = report.means.iter().find(|mean| mean.threads == threads).and_then(|mean| mean.ratio);
    let mean = mean.map(|mean| format!(" Geometric mean {}.", ratio(mean))).unwrap_or_default();
    let words = if threads == 1 { "one thread".to_owned() } else { format!("{threads} threads") };
    let text =
        format!("Operations a second as a multiple of the best of the others, {words}; logarithmic scale.{mean}");
    let _ = writeln!(svg, r#"<text class="title" x="{MARGIN}" y="34">{}</text>"#, escaped(&title(report)));
    let _ = writeln!(svg, r#"<text class="small" x="{MARGIN}" y="56">{}</text>"#, escaped(&text));
}

/// Where a ratio lies.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// Whole decades are too coarse for small differences, so the ends are the next of 1, 2 and 5.
    fn of(lines: &[&Line]) -> Self {
        let ratios = || lines.iter().filter_map(|line| line.ratio);
        let low = ratios().fold(0.5, f64::min);
        let high = ratios().fold(2.0, f64::max);
        let steps = || STEPS.into_iter();
        Self {
            low: steps().filter(|step| *step <= low).fold(STEPS[0], f64::max),
            high: steps().filter(|step| *step >= high).fold(STEPS[STEPS.len() - 1], f64::min),
        }
    }

    fn x(&self, ratio: f64) -> f64 {
        let part = (ratio.clamp(self.low, self.high) / self.low).ln() / (self.high / self.low).ln();
        LEFT + part * (WIDTH - LEFT - RIGHT)
    }

    /// The lines of the grid: all steps while they are few, else the decades.
    fn marks(&self) -> Vec<f64> {
        let within = |step: &f64| (self.low..=self.high).contains(step);
        let all: Vec<f64> = STEPS.into_iter().filter(within).collect();
        if all.len() <= 9 {
            all
        } else {
            all.into_iter().filter(|step| (step.log10() - step.log10().round()).abs() < 1e-9).collect()
        }
    }
}

fn grid(svg: &mut String, scale: &Scale, bottom: f64) {
    for mark in scale.marks() {
        let (x, class) = (scale.x(mark), if mark == 1.0 { "one" } else { "line" });
        let _ =
            writeln!(svg, r#"<line class="{class}" x1="{x:.1}" y1="{:.1}" x2="{x:.1}" y2="{bottom:.1}"/>"#, TOP - 2.0);
        let _ = writeln!(svg, r#"<text class="mark" x="{x:.1}" y="{:.1}">{mark}×</text>"#, TOP - 8.0);
    }
}

fn bar(svg: &mut String, scale: &Scale, line: &Line, y: f64) {
    let Some(value) = line.ratio else { return };
    let (one, x) = (scale.x(1.0), scale.x(value));
    let (from, width) = (one.min(x), (x - one).abs().max(1.0));
    let class = if value >= 1.0 { "fast" } else { "slow" };
    let middle = y + ROW / 2.0 + 4.0;
    let own = line.results.first().and_then(|figures| figures.ops_per_second).map(rate).unwrap_or_default();
    let rates: Vec<String> = line
        .results
        .iter()
        .map(|figures| format!("{}: {}", figures.module, figures.ops_per_second.map_or_else(|| "-".to_owned(), rate)))
        .collect();
    let _ = writeln!(
        svg,
        "<g><title>{}</title>",
        escaped(&format!("{} ({} operations a second)", line.operation, rates.join(", ")))
    );
    let _ = writeln!(
        svg,
        r#"<text class="name" x="{:.1}" y="{middle:.1}">{}</text>"#,
        LEFT - 10.0,
        escaped(&line.operation)
    );
    let _ = writeln!(
        svg,
        r#"<rect class="{class}" x="{from:.1}" y="{:.1}" width="{width:.1}" height="{:.1}" rx="2"/>"#,
        y + 3.0,
        ROW - 6.0
    );
    let _ = writeln!(
        svg,
        r#"<text class="value" x="{:.1}" y="{middle:.1}">{}</text>"#,
        one.max(x) + 6.0,
        escaped(&ratio(value).replace(" x", "×"))
    );
    let _ =
        writeln!(svg, r#"<text class="rate" x="{:.1}" y="{middle:.1}">{}/s</text></g>"#, WIDTH - MARGIN, escaped(&own));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const WIDTH: f64 = 900.0;
const MARGIN: f64 = 24.0;
/// Where the bars begin; names are to the left.
const LEFT: f64 = 290.0;
/// Room for values and rates.
const RIGHT: f64 = 160.0;
const ROW: f64 = 20.0;
const GAP: f64 = 10.0;
const TOP: f64 = 96.0;
const BOTTOM: f64 = 44.0;

const STEPS: [f64; 25] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0,
    2000.0, 5000.0, 10_000.0, 20_000.0, 50_000.0, 100_000.0,
];

/// Colours are written out twice, because not every viewer knows CSS variables.
const STYLE: &str = "
text{font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',Helvetica,Arial,sans-serif;font-size:12.5px;fill:#1f2933}
.title{font-size:21px;font-weight:600}.family{font-size:13.5px;font-weight:600}.value{font-weight:600}
.name,.rate{text-anchor:end}.mark{text-anchor:middle}.mark,.rate{font-size:11.5px}.small,.mark,.rate{fill:#616e7c}
.paper{fill:#ffffff}.line{stroke:#e4e7eb}.one{stroke:#7b8794;stroke-width:1.4}.fast{fill:#2f7f86}.slow{fill:#c2683b}
@media (prefers-color-scheme:dark){text{fill:#e4e7eb}.small,.mark,.rate{fill:#9aa5b1}.paper{fill:#12181f}
.line{stroke:#2b3641}.fast{fill:#4fb0b5}.slow{fill:#e08a5b}}
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::report::tests::sample;

    #[test]
    fn every_ratio_has_its_bar_and_names_cannot_break_the_picture() {
        let svg = picture(&sample());
        assert_eq!(svg.matches("class=\"fast\"").count(), 1, "{svg}");
        assert_eq!(svg.matches("class=\"slow\"").count(), 1, "{svg}");
        assert!(svg.contains("Family &lt;A&gt;") && !svg.contains("<A>"), "{svg}");
        assert!(svg.contains(">2.00×<") && svg.contains(">0.50×<"), "{svg}");
    }

    #[test]
    fn one_is_where_bars_begin_and_more_lies_to_the_right() {
        let scale = Scale { low: 0.5, high: 10.0 };
        assert!(scale.x(0.5) < scale.x(1.0) && scale.x(1.0) < scale.x(2.0));
        assert!((scale.x(0.5) - LEFT).abs() < 1e-9 && (scale.x(10.0) - (WIDTH - RIGHT)).abs() < 1e-9);
        // As far from 1 to 2 as from 2 to 4.
        assert!((scale.x(4.0) - scale.x(2.0) - scale.x(2.0) + scale.x(1.0)).abs() < 1e-9);
    }
}
