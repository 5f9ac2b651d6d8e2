//! `cargo xtask tidy`: the rules of the house that no compiler knows.
//!
//! Owns: the rules and where each holds. Reads the sources as text: a rule here is a tripwire for an
//! honest mistake, not a proof. Every finding names the file, the line and the rule. Rule source:
//! ARCHITECTURE.md.

use crate::dependencies;
use crate::metadata::{self, Package};
use std::path::{Path, PathBuf};

/// Checks every rule and prints what breaks one.
///
/// # Errors
/// How many findings there are.
pub fn run(root: &Path) -> Result<(), String> {
    let packages = metadata::packages(root)?;
    let mut findings = Vec::new();
    arrows(&packages, &mut findings);
    foreign_crates(&packages, &mut findings);
    toolchain(&packages, &mut findings);
    dependencies::check(root, &mut findings)?;
    for room in ROOMS {
        readme(root, room, &mut findings);
        for file in sources(&root.join(room.folder)) {
            let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            let shown = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().replace('\\', "/");
            source(room, &Source::new(shown, &text), &mut findings);
        }
    }
    merges(root, root, &mut findings);
    for finding in &findings {
        eprintln!("tidy: {finding}");
    }
    if findings.is_empty() { Ok(()) } else { Err(format!("tidy: {} findings", findings.len())) }
}

/// One room and what holds in it.
struct Room {
    package: &'static str,
    folder: &'static str,
    /// Rooms that it may depend on.
    may_use: &'static [&'static str],
    /// Files that may hold unsafe code; `None`: the crate root must forbid it.
    unsafe_in: Option<&'static [&'static str]>,
    /// Files that may open files.
    files_in: &'static [&'static str],
}

const EVERYWHERE: &[&str] = &[""];
const NOWHERE: &[&str] = &[];

/// The rooms and the arrows between them: an arrow that is not here has turned.
const ROOMS: &[Room] = &[
    Room { package: "ffi-headers", folder: "ffi-headers", may_use: &[], unsafe_in: Some(NOWHERE), files_in: NOWHERE },
    Room {
        package: "secret-memory",
        folder: "secret-memory",
        may_use: &[],
        // Pages of the system, and memory for libraries in C.
        unsafe_in: Some(&["secret-memory/src/"]),
        files_in: NOWHERE,
    },
    Room {
        package: "hsm-crypto",
        folder: "hsm-crypto",
        may_use: &["secret-memory"],
        // The test brings an allocator, and there is no safe one.
        unsafe_in: Some(&["hsm-crypto/src/aws_lc", "hsm-crypto/tests/wiped_memory.rs"]),
        files_in: NOWHERE,
    },
    Room {
        package: "token-store",
        folder: "token-store",
        may_use: &["hsm-crypto"],
        unsafe_in: None,
        files_in: &["token-store/src/medium/", "token-store/src/device_key.rs"],
    },
    Room {
        package: "hsm-core",
        folder: "hsm-core",
        may_use: &["ffi-headers", "hsm-crypto", "token-store"],
        unsafe_in: None,
        files_in: NOWHERE,
    },
    Room {
        package: "hsm-platform",
        folder: "hsm-platform",
        may_use: &["ffi-headers", "hsm-core", "hsm-crypto", "token-store"],
        unsafe_in: None,
        files_in: EVERYWHERE,
    },
    Room {
        package: "pkcs11-module",
        folder: "pkcs11-module",
        may_use: &["ffi-headers", "hsm-core", "hsm-platform"],
        unsafe_in: Some(&["pkcs11-module/src/"]),
        files_in: NOWHERE,
    },
    Room {
        package: "pkcs11-client",
        folder: "pkcs11-client",
        may_use: &["ffi-headers"],
        // Loading a foreign library and calling its C functions cannot be safe.
        unsafe_in: Some(&["pkcs11-client/src/module.rs"]),
        files_in: NOWHERE,
    },
    Room {
        package: "perilune",
        folder: "admin",
        may_use: &["ffi-headers", "hsm-core", "hsm-crypto", "hsm-platform", "pkcs11-client"],
        unsafe_in: None,
        files_in: EVERYWHERE,
    },
    Room { package: "perilune-examples", folder: "examples", may_use: &[], unsafe_in: None, files_in: EVERYWHERE },
    Room {
        package: "perilune-tests",
        folder: "tests",
        may_use: &["ffi-headers"],
        unsafe_in: Some(EVERYWHERE),
        files_in: EVERYWHERE,
    },
    Room {
        package: "fuzz-targets",
        folder: "fuzz-targets",
        // It is a client of every room that takes foreign bytes, and nothing is a client of it.
        may_use: &["ffi-headers", "hsm-core", "hsm-crypto", "hsm-platform", "perilune", "pkcs11-module", "token-store"],
        // Calls over the C interface, with memory between guards.
        unsafe_in: Some(&["fuzz-targets/src/abi/"]),
        files_in: EVERYWHERE,
    },
    Room { package: "xtask", folder: "xtask", may_use: &[], unsafe_in: None, files_in: EVERYWHERE },
];

/// Crates from outside that only one room may know, so that they can be exchanged.
const ONE_ROOM_ONLY: &[(&str, &[&str])] = &[
    ("sled", &["token-store"]),
    ("aws-lc-rs", &["hsm-crypto"]),
    ("aws-lc-sys", &["hsm-crypto"]),
    ("rsa", &["hsm-crypto"]),
    ("argon2", &["hsm-crypto"]),
    ("chacha20poly1305", &["hsm-crypto"]),
    ("scrypt", &["hsm-crypto"]),
    ("toml", &["hsm-platform", "xtask"]),
    ("libc", &["pkcs11-module", "perilune-tests"]),
    ("libloading", &["perilune-tests", "pkcs11-client"]),
];

const FILE_LINES_MAX: usize = 800;
const README_LINES_MAX: usize = 60;

fn arrows(packages: &[Package], findings: &mut Vec<String>) {
    for package in packages.iter().filter(|package| package.local) {
        let Some(room) = ROOMS.iter().find(|room| room.package == package.name) else {
            findings.push(format!("{}: a room that the table in xtask/src/tidy.rs does not know", package.name));
            continue;
        };
        for used in package.dependencies.iter().filter(|used| ROOMS.iter().any(|room| room.package == used.as_str())) {
            if !room.may_use.contains(&used.as_str()) {
                findings.push(format!("{} -> {used}: an arrow that must not be", room.package));
            }
        }
    }
}

fn foreign_crates(packages: &[Package], findings: &mut Vec<String>) {
    for package in packages.iter().filter(|package| package.local) {
        for (one, rooms) in ONE_ROOM_ONLY {
            if package.dependencies.iter().any(|used| used == one) && !rooms.contains(&package.name.as_str()) {
                findings.push(format!("{}: only {} may know the crate {one}", package.name, rooms.join(", ")));
            }
        }
    }
}

/// The stated minimum toolchain is enough for every dependency, and this one is not older.
fn toolchain(packages: &[Package], findings: &mut Vec<String>) {
    let stated = packages.iter().find(|package| package.local).and_then(|package| package.rust_version.as_deref());
    let Some(stated) = stated else {
        findings.push("Cargo.toml: the workspace states no rust-version".into());
        return;
    };
    for package in packages.iter().filter(|package| package.local) {
        if package.rust_version.as_deref() != Some(stated) {
            findings.push(format!("{}: rust-version differs from the workspace's", package.name));
        }
    }
    for package in packages {
        if let Some(asked) = &package.rust_version
            && version(asked) > version(stated)
        {
            findings.push(format!("{} {} asks for Rust {asked}, we state {stated}", package.name, package.version));
        }
    }
    let rustc = std::process::Command::new("rustc").arg("--version").output();
    let running = rustc.ok().and_then(|said| String::from_utf8(said.stdout).ok()).unwrap_or_default();
    let running = running.split_whitespace().nth(1).unwrap_or_default();
    if version(running) < version(stated) {
        findings.push(format!("this toolchain is Rust {running}, older than the stated {stated}"));
    }
}

/// A version as comparable numbers; what follows a hyphen does not count.
fn version(text: &str) -> Vec<u64> {
    let core = text.split('-').next().unwrap_or_default();
    let mut numbers: Vec<u64> = core.split('.').map(|part| part.parse().unwrap_or_default()).collect();
    numbers.resize(3, 0);
    numbers
}

fn readme(root: &Path, room: &Room, findings: &mut Vec<String>) {
    let file = format!("{}/README.md", room.folder);
    match std::fs::read_to_string(root.join(&file)) {
        Ok(text) if text.lines().count() > README_LINES_MAX => {
            findings.push(format!("{file}: more than {README_LINES_MAX} lines"));
        }
        Ok(_) => {}
        Err(error) => findings.push(format!("{file}: {error}")),
    }
}

/// Every Rust source below a folder, sorted.
pub fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// No text file, script or document holds what a merge left behind.
fn merges(root: &Path, folder: &Path, findings: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_symlink() || [".git", "target"].iter().any(|name| path.ends_with(name)) {
            continue;
        }
        if path.is_dir() {
            merges(root, &path, findings);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let shown = path.strip_prefix(root).unwrap_or(&path).display();
            findings.extend(markers(&text).map(|line| format!("{shown}:{line}: what a merge left behind")));
        }
    }
}

/// The lines with which git shows two versions of a text.
fn markers(text: &str) -> impl Iterator<Item = usize> {
    let marks = |line: &str| ["<", ">", "|"].iter().any(|mark| line.starts_with(&(mark.repeat(7) + " ")));
    text.lines().enumerate().filter(move |(_, line)| marks(line)).map(|(index, _)| index + 1)
}

/// One source file, split into its code and its tests.
struct Source<'a> {
    path: String,
    lines: Vec<&'a str>,
    /// The first line that belongs to tests; all of them do in a file that holds nothing else.
    tests_from: usize,
}

impl<'a> Source<'a> {
    fn new(path: String, text: &'a str) -> Self {
        let lines: Vec<&str> = text.lines().collect();
        let whole = path.contains("/tests/")
            || path.contains("/benches/")
            || path.ends_with("/tests.rs")
            || path.ends_with("_tests.rs");
        let module = lines.windows(2).position(|pair| {
            let cfg =
                pair[0].trim_start().starts_with("#[cfg(test)]") || pair[0].trim_start().starts_with("#[cfg(all(test");
            cfg && pair[1].trim_start().starts_with("mod ") && pair[1].trim_end().ends_with('{')
        });
        let tests_from = if whole { 0 } else { module.unwrap_or(lines.len()) };
        Self { path, lines, tests_from }
    }

    /// Lines with their numbers, comments and tests left out.
    fn code(&self) -> impl Iterator<Item = (usize, &'a str)> {
        self.everything().take_while(|(number, _)| *number <= self.tests_from)
    }

    /// Lines with their numbers, comments left out.
    fn everything(&self) -> impl Iterator<Item = (usize, &'a str)> {
        self.lines
            .iter()
            .enumerate()
            .map(|(index, line)| (index + 1, line.split("//").next().unwrap_or_default()))
            .filter(|(_, line)| !line.trim().is_empty())
    }

    fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.starts_with(place))
    }
}

fn source(room: &Room, file: &Source<'_>, findings: &mut Vec<String>) {
    let mut find = |line: usize, rule: &str| findings.push(format!("{}:{line}: {rule}", file.path));
    if file.lines.len() > FILE_LINES_MAX {
        find(file.lines.len(), "a file has at most 800 lines");
    }
    module_doc(file, &mut find);
    unsafe_code(room, file, &mut find);
    for (line, code) in file.code() {
        for word in ["std::fs", "rustix::fs", "File::open", "File::create", "OpenOptions"] {
            if code.contains(word) && !file.is_in(room.files_in) {
                find(line, "only the medium, the device key and the outer rooms touch files");
            }
        }
        if room.package == "hsm-core" && code.contains("CKR_") && !file.path.ends_with("src/reason.rs") {
            find(line, "only reason.rs maps to CKR_*");
        }
        if is_maximum(code) && room.package == "hsm-core" && !file.path.ends_with("src/limits.rs") {
            find(line, "maxima are in limits.rs");
        }
    }
    if room.package == "xtask" {
        return; // Its own rules name what they forbid.
    }
    for (line, code) in file.everything() {
        for word in ["todo!(", "unimplemented!(", "dbg!("] {
            if code.contains(word) {
                find(line, "unfinished code is not delivered");
            }
        }
        if code.contains("#[ignore]") {
            find(line, "an ignored test says why: #[ignore = \"...\"]");
        }
        if code.contains("fs::canonicalize") || code.contains(".canonicalize()") {
            find(line, "canonicalize frees what libc allocated, which breaks under RTLD_DEEPBIND");
        }
    }
}

/// Every file begins with what it owns.
fn module_doc(file: &Source<'_>, find: &mut impl FnMut(usize, &str)) {
    let first = file.lines.iter().find(|line| !line.trim().is_empty() && !line.starts_with("#!"));
    if !first.is_some_and(|line| line.starts_with("//!")) {
        find(1, "a file begins with its module doc (//!)");
    }
}

fn unsafe_code(room: &Room, file: &Source<'_>, find: &mut impl FnMut(usize, &str)) {
    let root = file.path.ends_with("src/lib.rs") || file.path.ends_with("src/main.rs");
    let forbids = file.lines.iter().any(|line| line.trim() == "#![forbid(unsafe_code)]");
    match room.unsafe_in {
        None if root && !forbids => find(1, "this room forbids unsafe code: #![forbid(unsafe_code)]"),
        None => {}
        Some(places) => {
            for (line, _) in file.everything().filter(|(_, code)| has_unsafe_block(code)) {
                if !file.is_in(places) {
                    find(
                        line,
                        "unsafe code lives in pkcs11-module, in the AWS-LC files of hsm-crypto, in one file of pkcs11-client and in the fuzz targets' calls only",
                    );
                }
                let from = line.saturating_sub(8);
                if !file.lines[from..line].iter().any(|line| line.contains("SAFETY:")) {
                    find(line, "an unsafe block has its SAFETY note");
                }
            }
        }
    }
}

fn has_unsafe_block(code: &str) -> bool {
    code.contains("unsafe {") || code.contains("unsafe impl")
}

/// `const SOMETHING_MAX: usize = 12`, with a number of its own.
fn is_maximum(code: &str) -> bool {
    let Some((name, value)) = code.split_once("const ").and_then(|(_, rest)| rest.split_once('=')) else {
        return false;
    };
    let name = name.split(':').next().unwrap_or_default().trim();
    name.ends_with("_MAX") && value.trim().starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(room: &str, path: &str, text: &str) -> Vec<String> {
        let room = ROOMS.iter().find(|one| one.package == room).unwrap();
        let mut found = Vec::new();
        source(room, &Source::new(path.into(), text), &mut found);
        found
    }

    fn check(room: &str, path: &str, text: &str, rule: &str) {
        let found = findings(room, path, text);
        assert!(found.iter().any(|one| one.contains(rule)), "{found:?} lacks: {rule}");
    }

    #[test]
    fn an_honest_file_has_no_finding() {
        assert_eq!(findings("hsm-core", "hsm-core/src/a.rs", "//! Owns.\nfn a() {}\n"), Vec::<String>::new());
    }

    #[test]
    fn both_ends_of_what_a_merge_left_behind_are_found() {
        let text = format!("a\n{} HEAD\nb\n{}\nc\n{} other\n", "<".repeat(7), "=".repeat(7), ">".repeat(7));
        assert_eq!(markers(&text).collect::<Vec<_>>(), [2, 6]);
        assert_eq!(markers("=======\n<<<<<<<\ncat <<< word\n").count(), 0);
    }

    #[test]
    fn each_rule_finds_its_breach() {
        for (room, path, text, rule) in [
            ("hsm-core", "hsm-core/src/a.rs", "fn a() {}", "module doc"),
            ("hsm-core", "hsm-core/src/lib.rs", "//! A.\n", "forbids unsafe"),
            ("hsm-core", "hsm-core/src/a.rs", "//! A.\nuse std::fs;", "touch files"),
            ("hsm-core", "hsm-core/src/a.rs", "//! A.\nlet a = CKR_OK;", "reason.rs"),
            ("hsm-core", "hsm-core/src/a.rs", "//! A.\nconst A_MAX: usize = 3;", "limits.rs"),
            ("hsm-core", "hsm-core/src/a.rs", "//! A.\ntodo!()", "unfinished"),
            ("hsm-core", "hsm-core/src/a.rs", "//! A.\n#[ignore]", "says why"),
            ("hsm-crypto", "hsm-crypto/src/a.rs", "//! A.\n// SAFETY: x\nunsafe { a() }", "lives in"),
            ("pkcs11-module", "pkcs11-module/src/a.rs", "//! A.\nunsafe { a() }", "SAFETY note"),
        ] {
            check(room, path, text, rule);
        }
    }

    #[test]
    fn an_arrow_that_turns_is_found() {
        let package = |name: &str, uses: &[&str]| Package {
            name: name.into(),
            version: "0.0.0".into(),
            rust_version: None,
            local: true,
            foreign: false,
            dependencies: uses.iter().map(|&one| one.into()).collect(),
        };
        let mut found = Vec::new();
        arrows(&[package("hsm-crypto", &["hsm-core"]), package("hsm-core", &["hsm-crypto"])], &mut found);
        assert_eq!(found, ["hsm-crypto -> hsm-core: an arrow that must not be"]);
    }
}
