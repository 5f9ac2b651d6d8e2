//! What is printed: text, tables and JSON on standard output.
//!
//! Owns: column widths, the JSON envelope (`"version": 1` and one named value; fields are added, never
//! renamed). Does not know: what is printed.

use crate::failure::Failure;
use serde::Serialize;
use std::io::{ErrorKind, Write};

/// Prints text as it is.
///
/// # Errors
/// `OutputClosed` when the reader is gone.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => Failure::new("cannot write the output", error, ""),
    })
}

/// Prints `value` under `name` in the JSON envelope.
///
/// # Errors
/// As [`print()`].
pub fn print_json(name: &str, value: &impl Serialize) -> Result<(), Failure> {
    let value = serde_json::to_value(value).map_err(|error| Failure::new("cannot make JSON", error, ""))?;
    let mut envelope = serde_json::Map::new();
    envelope.insert("version".to_owned(), 1.into());
    envelope.insert(name.to_owned(), value);
    print(&format!("{:#}\n", serde_json::Value::Object(envelope)))
}

/// A table with a heading; the last column is not padded.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Makes a table with these headings.
    pub fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|heading| (*heading).to_owned()).collect()] }
    }

    /// Adds a row; control characters, which a label may hold, are escaped so that they cannot play with the terminal.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| printable(&cell)).collect());
    }

    /// The table as text.
    pub fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(&format!("{cell:width$}  "));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Escapes control characters.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["A", "LONG"]);
        table.row(["wider".to_owned(), "x".to_owned()]);
        assert_eq!(table.text(), "A      LONG\nwider  x\n");
    }

    #[test]
    fn a_label_cannot_play_with_the_terminal() {
        let mut table = Table::new(&["A"]);
        table.row(["\u{1b}[2J\n".to_owned()]);
        assert_eq!(table.text(), "A\n\\u{1b}[2J\\n\n");
    }
}
