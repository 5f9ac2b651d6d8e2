//! What Perilune wants to reach, as multiples of the best peer in the same run.
//!
//! Owns: the table of targets, for docs/performance.md. Does not know: what was reached.

use super::Line;

/// Words that are all in an operation's name, and the least ratio; the first row that fits counts.
const TARGETS: &[(&[&str], f64)] = &[
    (&["RSA-2048", "sign"], 1.5),
    (&["RSA-2048", "decrypt"], 1.5),
    (&["RSA-3072", "sign"], 1.7),
    (&["RSA-3072", "decrypt"], 1.7),
    (&["RSA-4096", "sign"], 1.7),
    (&["RSA-4096", "decrypt"], 1.7),
    (&["ECDSA P-256 sign"], 1.8),
    (&["ECDSA P-256 verify"], 1.3),
    (&["ECDSA P-384"], 2.5),
    (&["ECDSA P-521"], 1.3),
    (&["Ed25519 sign"], 5.0),
    (&["ECDH"], 1.5),
    (&["GCM", "1 MiB"], 1.1),
    (&["GCM"], 2.0),
    (&["SHA", " 64 B"], 1.5),
    (&["CMAC", " 64 B"], 1.5),
    // All stand at the hardware's limit there.
    (&["SHA-", "KiB"], 0.97),
    (&["SHA-", "MiB"], 0.97),
    (&["CBC encrypt", "KiB"], 0.97),
    (&["CBC encrypt", "MiB"], 0.97),
    (&["Find by id among 1,000"], 1000.0),
    (&["P-256 pair, token"], 25.0),
    (&[], 1.0),
];

/// The geometric mean that is wanted.
pub const MEAN: f64 = 3.0;

/// The least ratio that is wanted.
pub fn target(line: &Line) -> f64 {
    let fits = |words: &&[&str]| words.iter().all(|word| line.operation.contains(word));
    TARGETS.iter().find(|(words, _)| fits(words)).map_or(1.0, |(_, least)| *least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_row_that_fits_counts() {
        let target = |name: &str| target(&Line::new("", name, 0, 1, Vec::new()));
        assert!((target("AES-GCM encrypt 1 MiB") - 1.1).abs() < 1e-9);
        assert!((target("AES-GCM encrypt 64 B") - 2.0).abs() < 1e-9);
        assert!((target("Find by id among 1,000") - 1000.0).abs() < 1e-9);
        assert!((target("Login") - 1.0).abs() < 1e-9);
    }
}
