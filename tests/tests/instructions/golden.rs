//! The document of figures: reading it, judging figures by it, writing it anew.
//!
//! Owns: its form and how much a figure may differ. Does not know: how anything is counted.

use std::fmt;

/// What to do about a difference.
pub const ADVICE: &str = "\
If that is meant (less is meant to stay less, too), write the figures anew and look at the difference:
    UPDATE_GOLDEN=1 cargo test -p perilune-tests --test instructions && git diff docs/instructions.md";

/// How much a figure of a new row may differ, in percent. Runs differ by less than one: seeds of hash tables, blinding.
const TOLERANCE: u64 = 3;
/// How much more a figure may be, in percent, where the module was made by other compilers or runs on another C library.
const TOLERANCE_OF_OTHERS: u64 = 25;

/// What one call takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// What is called.
    pub name: String,
    /// How many instructions it takes.
    pub instructions: u64,
    /// How often it takes memory from the C library.
    pub allocations: u64,
}

/// A figure that is written down, with how much others may differ from it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    figure: Figure,
    percent: u64,
}

/// The document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Golden {
    /// The tools that its figures depend on.
    pub tools: String,
    rows: Vec<Row>,
}

impl Golden {
    /// Reads the document.
    pub fn parse(text: &str) -> Self {
        let tools = text.lines().find_map(|line| line.strip_prefix(TOOLS)).unwrap_or_default();
        let rows = text.lines().filter_map(|line| {
            let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
            let &[name, instructions, percent, allocations] = cells.as_slice() else { return None };
            let instructions = instructions.replace(',', "").parse().ok()?;
            let percent = percent.trim_end_matches(" %").parse().ok()?;
            let allocations = allocations.parse().ok()?;
            Some(Row { figure: Figure { name: name.to_owned(), instructions, allocations }, percent })
        });
        Self { tools: tools.trim_end_matches('.').to_owned(), rows: rows.collect() }
    }

    /// The document with these figures; the tolerances of its rows stay.
    pub fn renewed(&self, figures: &[Figure], tools: &str) -> Self {
        let rows = figures.iter().map(|figure| {
            let percent = self.row(&figure.name).map_or(TOLERANCE, |row| row.percent);
            let instructions = rounded(figure.instructions);
            Row { figure: Figure { instructions, ..figure.clone() }, percent }
        });
        Self { tools: tools.to_owned(), rows: rows.collect() }
    }

    /// What is not as it is written down; with other tools, only what costs much more.
    pub fn differences(&self, figures: &[Figure], tools: &str) -> Vec<String> {
        let same_tools = self.tools == tools;
        let mut found = Vec::new();
        for figure in figures {
            let Some(row) = self.row(&figure.name) else {
                found.push(format!("{}: not in the document", figure.name));
                continue;
            };
            let (is, was) = (figure.instructions, row.figure.instructions);
            let percent = if same_tools { row.percent } else { TOLERANCE_OF_OTHERS };
            let differs = is.abs_diff(was) * 100 > was * percent;
            if differs && (is > was || same_tools) {
                let change = is.abs_diff(was) as f64 * 100.0 / was.max(1) as f64;
                let word = if is > was { "more" } else { "less" };
                found.push(format!("{}: {is} instructions, {change:.1} % {word} than {was}", figure.name));
            }
            let (is, was) = (figure.allocations, row.figure.allocations);
            // Of few, none may differ; of many, some do from run to run, because trees grow and numbers are random.
            if same_tools && is.abs_diff(was) * 100 > was * row.percent {
                found.push(format!("{}: takes memory {is} times, and not {was}", figure.name));
            }
        }
        let gone = self.rows.iter().filter(|row| figures.iter().all(|figure| figure.name != row.figure.name));
        found.extend(gone.map(|row| format!("{}: in the document only", row.figure.name)));
        found
    }

    fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.figure.name == name)
    }
}

const HEAD: &str = "\
# Instructions

How many instructions a call takes in the host's thread, the beginning of its operation included, in the module as the tests build it (`opt-level`
1 for our own code, with debug assertions). A test compares; `UPDATE_GOLDEN=1 cargo test -p perilune-tests --test instructions` rewrites.
The last column is how often it takes memory (`malloc` and its sisters, and that of secret pages), under the same tolerance: few must stay exactly so many. Keys are session objects where nothing
else is said. See [testing.md](testing.md), \"Instructions\".

";
const TOOLS: &str = "Counted with ";

impl fmt::Display for Golden {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{HEAD}{TOOLS}{}.\n\n| call | instructions | may differ by | takes memory |\n|---|---:|---:|---:|\n",
            self.tools
        )?;
        for Row { figure, percent } in &self.rows {
            let (name, allocations) = (&figure.name, figure.allocations);
            writeln!(out, "| {name} | {} | {percent} % | {allocations} |", grouped(figure.instructions))?;
        }
        Ok(())
    }
}

/// Three digits that count, so that writing the same again changes little.
fn rounded(number: u64) -> u64 {
    let unit = 10_u64.pow(number.checked_ilog10().unwrap_or(0).saturating_sub(2));
    (number + unit / 2) / unit * unit
}

/// A number with commas.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(name: &str, instructions: u64) -> Figure {
        Figure { name: name.to_owned(), instructions, allocations: 2 }
    }

    fn golden() -> Golden {
        let row = |name, instructions, percent| Row { figure: figure(name, instructions), percent };
        Golden { tools: "rustc 1, valgrind 2".to_owned(), rows: vec![row("a call", 1_000, 3), row("other", 52_300, 5)] }
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(Golden::parse(&golden().to_string()), golden());
    }

    #[test]
    fn figures_within_the_tolerance_pass_and_beyond_it_fail_in_both_directions() {
        for (first, second, failures) in [
            (1_000, 52_300, 0),
            (1_030, 54_900, 0),
            (970, 49_700, 0),
            (1_031, 52_300, 1),
            (969, 52_300, 1),
            (1_000, 54_916, 1),
            (2_000, 1, 2),
        ] {
            let found =
                golden().differences(&[figure("a call", first), figure("other", second)], "rustc 1, valgrind 2");
            assert_eq!(found.len(), failures, "{first} {second}: {found:?}");
        }
    }

    #[test]
    fn with_other_tools_only_much_more_fails() {
        for (first, failures) in [(1_250, 0), (1_251, 1), (1, 0)] {
            let found =
                golden().differences(&[figure("a call", first), figure("other", 52_300)], "rustc 2, valgrind 2");
            assert_eq!(found.len(), failures, "{first}: {found:?}");
        }
    }

    #[test]
    fn one_allocation_more_or_less_fails() {
        for (allocations, failures) in [(2, 0), (1, 1), (3, 1)] {
            let one = Figure { allocations, ..figure("a call", 1_000) };
            let found = golden().differences(&[one, figure("other", 52_300)], "rustc 1, valgrind 2");
            assert_eq!(found.len(), failures, "{allocations}: {found:?}");
        }
    }

    #[test]
    fn a_row_that_is_new_or_gone_fails() {
        let found = golden().differences(&[figure("a call", 1_000), figure("new", 1)], "rustc 1, valgrind 2");
        assert_eq!(found, ["new: not in the document", "other: in the document only"]);
    }

    #[test]
    fn a_document_that_is_written_anew_keeps_its_tolerances() {
        let written = golden().renewed(&[figure("new", 6_328_387), figure("other", 1_564)], "tools");
        let text = written.to_string();
        assert!(text.contains("| new | 6,330,000 | 3 % | 2 |\n| other | 1,560 | 5 % | 2 |\n"), "{text}");
        assert!(text.contains("\nCounted with tools.\n"), "{text}");
    }
}
