//! What of other people's code is in the delivered module and command, and who vouches for it.
//!
//! Owns: `docs/dependencies.md`, made from cargo's graph and the sources that cargo has fetched; the check that each crate
//! stands in `supply-chain/`, the record that `cargo vet` reads. A new version changes the document, so a build script, unsafe
//! code or a network that was not there before is seen in the difference. Called from `tidy` and `docs`.

use crate::metadata::{self, Delivered};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// The document, as a path below the root.
pub const DOCUMENT: &str = "docs/dependencies.md";

/// What a source can reach, and the words that tell it.
const REACHES: [(&str, &[&str]); 5] = [
    ("files", &["std::fs", "rustix::fs", "File::open", "File::create"]),
    ("network", &["std::net", "TcpStream", "UdpSocket", "UnixStream"]),
    ("processes", &["process::Command", "Command::new"]),
    ("environment", &["std::env", "env::var"]),
    ("C", &["extern \"C\"", "extern \"system\"", "asm!("]),
];

/// The lines that make the document: one a crate, sorted by name.
///
/// # Errors
/// What cargo said, or a source that could not be read.
pub fn document(root: &Path) -> Result<String, String> {
    let delivered = metadata::delivered(root)?;
    let mut lines = String::from(HEAD);
    for one in &delivered {
        let facts = Facts::of(one)?;
        let _ = writeln!(
            lines,
            "| `{}` | {} | {} | {} | {} | {} | {} | {} |",
            one.name,
            one.version,
            one.license,
            one.place.join(", "),
            one.brought_by.join(", "),
            facts.unsafe_code(),
            facts.runs_when_built(),
            list(&facts.reaches),
        );
    }
    let built = delivered.iter().filter(|one| one.build_script || one.macros).count();
    let _ = writeln!(lines, "\n{} crates; {built} of them run code while they are built.", delivered.len());
    Ok(lines)
}

const HEAD: &str = "<!-- Made by `cargo xtask docs`; `cargo xtask tidy` compares. -->
# Dependencies

Every crate of others whose code is in the delivered module or command on Linux, as `Cargo.lock` fixes it, or runs while they are built. What only tests,
benches and other systems use is not here.

- **in**: `module` is `libperilune_pkcs11.so`, `command` is `perilune`, `build` runs on the machine that builds.
- **brought by**: the rooms that ask for it, else the crates that do.
- **unsafe**: lines of its sources with that word outside of comments; `forbidden` where the crate forbids it to itself.
- **when built**: `script` is a build script, `macros` are procedural macros.
- **reaches**: what its sources name, tests of its own included. Most is behind features that are off here.

Each version stands in `supply-chain/`: as audited, or as taken on trust. How a version gets in: [testing.md](testing.md), \"Supply chain\".

| crate | version | licence | in | brought by | unsafe | when built | reaches |
|---|---|---|---|---|---|---|---|
";

/// What reading the sources as text tells.
struct Facts {
    unsafe_lines: usize,
    forbids_unsafe: bool,
    script: bool,
    macros: bool,
    reaches: Vec<&'static str>,
}

impl Facts {
    fn of(one: &Delivered) -> Result<Self, String> {
        let mut unsafe_lines = 0;
        let mut forbids_unsafe = false;
        let mut reached = BTreeSet::new();
        let script = one.folder.join("build.rs");
        let files = crate::tidy::sources(&one.folder.join("src"));
        for file in files.iter().chain(Some(&script).filter(|script| script.is_file())) {
            let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
            let text = String::from_utf8_lossy(&bytes);
            forbids_unsafe |= text.contains("forbid(unsafe_code)");
            for line in text.lines().map(|line| line.split("//").next().unwrap_or_default()) {
                unsafe_lines += usize::from(has_word(line, "unsafe"));
                for (index, (_, words)) in REACHES.iter().enumerate() {
                    if words.iter().any(|word| line.contains(word)) {
                        reached.insert(index);
                    }
                }
            }
        }
        Ok(Self {
            unsafe_lines,
            forbids_unsafe,
            script: one.build_script,
            macros: one.macros,
            reaches: reached.into_iter().map(|index| REACHES[index].0).collect(),
        })
    }

    fn unsafe_code(&self) -> String {
        match (self.unsafe_lines, self.forbids_unsafe) {
            (0, true) => "forbidden".into(),
            (0, false) => "none".into(),
            (lines, _) => lines.to_string(),
        }
    }

    fn runs_when_built(&self) -> &'static str {
        match (self.script, self.macros) {
            (true, true) => "script, macros",
            (true, false) => "script",
            (false, true) => "macros",
            (false, false) => "-",
        }
    }
}

fn list(words: &[&str]) -> String {
    if words.is_empty() { "-".into() } else { words.join(", ") }
}

fn has_word(line: &str, word: &str) -> bool {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    line.match_indices(word).any(|(at, _)| {
        let bytes = line.as_bytes();
        let before = at > 0 && part(bytes[at - 1]);
        let after = bytes.get(at + word.len()).is_some_and(|&byte| part(byte));
        !before && !after
    })
}

/// Compares the document with the checked-in one, and the graph with the record of `cargo vet`.
///
/// # Errors
/// What cargo said, or a file that could not be read.
pub fn check(root: &Path, findings: &mut Vec<String>) -> Result<(), String> {
    let kept = std::fs::read_to_string(root.join(DOCUMENT)).unwrap_or_default();
    if kept != document(root)? {
        findings.push(format!("{DOCUMENT} is not what Cargo.lock and the sources say: run cargo xtask docs, and look"));
    }
    let mut known = BTreeSet::new();
    for (file, table) in [("supply-chain/config.toml", "exemptions"), ("supply-chain/audits.toml", "audits")] {
        let text = std::fs::read_to_string(root.join(file)).map_err(|error| format!("{file}: {error}"))?;
        known.extend(vouched_for(&text, table).map_err(|error| format!("{file}: {error}"))?);
    }
    for package in metadata::packages(root)?.iter().filter(|package| package.foreign) {
        if !known.contains(&(package.name.clone(), package.version.clone())) {
            findings.push(format!(
                "supply-chain/: nobody vouches for {} {}: audit it, or take it on trust (docs/testing.md)",
                package.name, package.version
            ));
        }
    }
    Ok(())
}

/// Names and versions in one table of the record. An audit of a difference counts for where it leads: whether the chain is
/// whole is `cargo vet`'s to say.
fn vouched_for(text: &str, table: &str) -> Result<BTreeSet<(String, String)>, toml::de::Error> {
    let record: Value = toml::from_str(text)?;
    let mut known = BTreeSet::new();
    for (name, entries) in record[table].as_object().into_iter().flatten() {
        for entry in entries.as_array().into_iter().flatten() {
            let version = entry["version"].as_str();
            let reached = entry["delta"].as_str().and_then(|delta| delta.split("->").nth(1));
            if let Some(version) = version.or(reached) {
                known.insert((name.clone(), version.trim().to_owned()));
            }
        }
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::{has_word, vouched_for};

    #[test]
    fn a_word_is_found_as_a_word_only() {
        assert!(has_word("unsafe { a() }", "unsafe"));
        assert!(has_word("pub unsafe fn a()", "unsafe"));
        assert!(!has_word("#![deny(unsafe_code)]", "unsafe"));
        assert!(!has_word("let not_unsafe = 1;", "unsafe"));
    }

    #[test]
    fn versions_are_vouched_for_whole_or_as_the_end_of_a_difference() {
        let record = "[[audits.a]]\nversion = \"1.0.0\"\n[[audits.a]]\ndelta = \"1.0.0 -> 1.1.0\"\n[[other.b]]\nversion = \"2.0.0\"\n";
        let known = vouched_for(record, "audits").unwrap();
        let all: Vec<_> = known.iter().map(|(name, version)| format!("{name} {version}")).collect();
        assert_eq!(all, ["a 1.0.0", "a 1.1.0"]);
    }
}
