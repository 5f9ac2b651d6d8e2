//! Text for logs and messages, which are read line by line.
//!
//! Owns: that a line stays one, whatever a file's name or an error brings along. Does not know: what the text says.

use std::path::Path;

/// The text with its control characters escaped.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// The name of a file; what is not UTF-8 in it is replaced.
pub(crate) fn name(path: &Path) -> String {
    one_line(&path.to_string_lossy())
}
