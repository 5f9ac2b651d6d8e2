//! Checks of the places: configuration, store, device key, module.
//!
//! Owns: which owner and mode each file must have, where the module is looked for. Does not know: what is
//! in the store. Looks at files only; opens none but the module.

use super::Status::{Info, Ok as Good, Problem, Warning};
use super::{Finding, Status};
use hsm_platform::{DeviceKeyPlace, Settings, secret_pages};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Says which configuration counts.
pub fn configuration(settings: &Settings, findings: &mut Vec<Finding>) {
    findings.push(match &settings.file {
        Some(path) => Finding::new("configuration", Good, path.display().to_string()),
        None => Finding::new("configuration", Good, "no file, so the defaults hold (docs/perilune.toml shows them)"),
    });
    if let Some(log) = &settings.log {
        let target = match &log.target {
            hsm_platform::log::Target::Stderr => "standard error".to_owned(),
            hsm_platform::log::Target::File(path) => path.display().to_string(),
        };
        findings.push(Finding::new("log", Info, format!("{:?}, to {target}", log.level).to_lowercase()));
    }
}

/// Examines store and device key; answers whether there is a store that can be opened without changing anything.
pub fn store(settings: &Settings, findings: &mut Vec<Finding>) -> bool {
    let place = &settings.store;
    let metadata = match fs::symlink_metadata(place) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = format!("{} is not there yet; the first use makes it", place.display());
            findings.push(Finding::new("store", Info, text));
            return false;
        }
        Err(error) => {
            findings.push(Finding::new("store", Problem, format!("{}: {error}", place.display())));
            return false;
        }
    };
    let user = user_of_this_process();
    let mut found = Walk { user, seen: 0, findings: Vec::new() };
    found.examine(place, &metadata, 0);
    let (seen, bad) = (found.seen, found.findings.len());
    findings.append(&mut found.findings);
    findings.extend(place.parent().and_then(replaceable));
    if bad == 0 {
        let text = format!("{}: {seen} files and folders, readable by you alone", place.display());
        findings.push(Finding::new("store", Good, text));
    }
    let key = device_key(settings, user, findings);
    bad == 0 && key
}

/// Says whether pages that hold secrets are locked and left out of core dumps, for a process that is started as this one was.
pub fn secret_pages(findings: &mut Vec<Finding>) {
    let standing = secret_pages::prepare();
    let dumps = if standing.left_out_of_dumps { "left out of core dumps" } else { "not left out of core dumps" };
    findings.push(if standing.is_refused() {
        let text = format!("{dumps}; {}", secret_pages::not_locked(&standing));
        Finding::new("secret-pages", Warning, text).advise(LOCK_MORE)
    } else {
        match standing.limit {
            Some(limit) if limit < secret_pages::LIMIT_ENOUGH => {
                let text = format!("{dumps}, and locked up to {} KiB (RLIMIT_MEMLOCK)", limit >> 10);
                Finding::new("secret-pages", Warning, text).advise(LOCK_MORE)
            }
            Some(limit) => Finding::new(
                "secret-pages",
                Good,
                format!("{dumps}, and locked up to {} KiB (RLIMIT_MEMLOCK)", limit >> 10),
            ),
            None => Finding::new("secret-pages", Good, format!("{dumps}, and locked")),
        }
    });
}

const LOCK_MORE: &str =
    "keys in use may be written to the swap; raise the limit (ulimit -l, LimitMEMLOCK= of systemd) or encrypt the swap";

/// A remark when others could put another folder in the store's place.
fn replaceable(parent: &Path) -> Option<Finding> {
    let mode = fs::metadata(parent).ok()?.mode() & 0o7777;
    let (others_write, sticky) = (mode & 0o022 != 0, mode & 0o1000 != 0);
    (others_write && !sticky).then(|| {
        let text =
            format!("others can replace the store, because they can write {} (mode {mode:04o})", parent.display());
        Finding::new("store", Warning, text).advise(format!("chmod go-w {}", parent.display()))
    })
}

/// Examines the device key; answers whether it is there and safe.
fn device_key(settings: &Settings, user: Option<u32>, findings: &mut Vec<Finding>) -> bool {
    let path = match &settings.device_key {
        DeviceKeyPlace::File(path) => path,
        DeviceKeyPlace::Descriptor(number) => {
            let there = Path::new(&format!("/dev/fd/{number}")).exists();
            findings.push(match there {
                true => Finding::new("device-key", Good, format!("file descriptor {number}")),
                false => Finding::new("device-key", Problem, format!("file descriptor {number} is not open"))
                    .advise(format!("start the command with `{number}< KEYFILE`")),
            });
            return there;
        }
    };
    let shown = path.display();
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => {
            let advice = "without its device key a store cannot be read: bring the file back from a backup";
            findings.push(Finding::new("device-key", Problem, format!("{shown}: {error}")).advise(advice));
            return false;
        }
    };
    let problem = unsafe_entry(path, &metadata, user).or_else(|| {
        (metadata.len() != DEVICE_KEY_BYTES).then(|| {
            Finding::new("device-key", Problem, format!("{shown} has {} bytes, not {DEVICE_KEY_BYTES}", metadata.len()))
        })
    });
    if let Some(problem) = problem {
        // The store's walk has reported a key in the store's folder already, except for its length.
        if !path.starts_with(&settings.store) || problem.check == "device-key" {
            findings.push(Finding { check: "device-key", ..problem });
        }
        return false;
    }
    let beside = path.starts_with(&settings.store);
    let text = match beside {
        true => format!("{shown}, in the store's folder: a copy of the folder is protected by the PINs alone"),
        false => format!("{shown}, apart from the store"),
    };
    findings.push(Finding::new("device-key", if beside { Info } else { Good }, text));
    true
}

/// The examination of the store's folder and everything below it.
struct Walk {
    user: Option<u32>,
    seen: usize,
    findings: Vec<Finding>,
}

impl Walk {
    fn examine(&mut self, path: &Path, metadata: &Metadata, depth: usize) {
        self.seen += 1;
        self.findings.extend(unsafe_entry(path, metadata, self.user));
        if !metadata.is_dir() || depth == DEPTH_MAX {
            return;
        }
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => {
                self.findings.push(Finding::new("store", Problem, format!("{}: {error}", path.display())));
                return;
            }
        };
        for entry in entries {
            // An entry may vanish while we look, because applications may be writing.
            let Ok(entry) = entry else { continue };
            let Ok(metadata) = fs::symlink_metadata(entry.path()) else { continue };
            self.examine(&entry.path(), &metadata, depth + 1);
        }
    }
}

/// What is wrong with owner, mode or kind of a file or folder of the store.
fn unsafe_entry(path: &Path, metadata: &Metadata, user: Option<u32>) -> Option<Finding> {
    let shown = path.display();
    let mode = metadata.mode() & 0o7777;
    let (right, word) = if metadata.is_dir() { (0o700, "folder") } else { (0o600, "file") };
    if metadata.file_type().is_symlink() {
        let text = format!("{shown} is a symbolic link");
        return Some(Finding::new("store", Problem, text).advise("put the file itself there; links are not followed"));
    }
    if !metadata.is_dir() && !metadata.is_file() {
        return Some(Finding::new("store", Problem, format!("{shown} is neither file nor folder")).advise("remove it"));
    }
    if user.is_some_and(|user| user != metadata.uid()) {
        let text = format!("the {word} {shown} belongs to user {}", metadata.uid());
        return Some(
            Finding::new("store", Problem, text).advise("it must belong to the user whose store it is: chown"),
        );
    }
    if mode & 0o077 != 0 {
        let text = format!("the {word} {shown} can be reached by others (mode {mode:04o})");
        return Some(Finding::new("store", Problem, text).advise(format!("chmod {right:o} {shown}")));
    }
    if mode & 0o600 != 0o600 {
        let text = format!("the {word} {shown} cannot be read and written by you (mode {mode:04o})");
        return Some(Finding::new("store", Warning, text).advise(format!("chmod {right:o} {shown}")));
    }
    None
}

/// The user of this process, by the owner of its entry in /proc; `None` where there is no /proc.
fn user_of_this_process() -> Option<u32> {
    fs::metadata("/proc/self").map(|metadata| metadata.uid()).ok()
}

/// Finds the module and examines it.
pub fn module(named: Option<&Path>, findings: &mut Vec<Finding>) -> Option<PathBuf> {
    let found = match named {
        Some(path) => Some(path.to_owned()),
        None => candidates().into_iter().find(|path| path.is_file()),
    };
    let Some(path) = found.map(|path| std::path::absolute(&path).unwrap_or(path)) else {
        let advice = "install it beside this command or in /usr/local/lib, or name it with --module";
        findings.push(Finding::new("module", Problem, format!("{MODULE} was not found")).advise(advice));
        return None;
    };
    findings.push(judge_module(&path));
    Some(path)
}

fn judge_module(path: &Path) -> Finding {
    let shown = path.display();
    let problem = |text: String| Finding::new("module", Problem, text);
    let (content, metadata) = match fs::read(path).and_then(|content| Ok((content, fs::metadata(path)?))) {
        Ok(read) => read,
        Err(error) => return problem(format!("{shown}: {error}")),
    };
    let has = |symbol: &[u8]| content.windows(symbol.len()).any(|window| window == symbol);
    if !content.starts_with(b"\x7fELF") || !has(b"C_GetFunctionList") {
        return problem(format!("{shown} is no PKCS#11 module"));
    }
    if !has(b"Perilune") {
        return problem(format!("{shown} is the PKCS#11 module of another product"));
    }
    if metadata.mode() & 0o022 != 0 {
        return problem(format!("{shown} can be written by others (mode {:04o})", metadata.mode() & 0o7777))
            .advise(format!("chmod go-w {shown}; who can write it can have every PIN"));
    }
    Finding::new("module", Status::Ok, shown.to_string())
}

/// Where the module may be: beside the command, in the library folders next to it, in the system's.
fn candidates() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(beside) = std::env::current_exe().ok().as_deref().and_then(Path::parent) {
        folders.push(beside.to_owned());
        if let Some(prefix) = beside.parent() {
            folders.extend(library_folders(&prefix.join("lib")));
        }
    }
    for prefix in ["/usr/local/lib", "/usr/lib", "/usr/lib64"] {
        folders.extend(library_folders(Path::new(prefix)));
    }
    folders.into_iter().map(|folder| folder.join(MODULE)).collect()
}

/// The folders below a library folder in which distributions keep modules.
pub fn library_folders(library: &Path) -> Vec<PathBuf> {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    let bases = [library.to_owned(), library.join(triplet)];
    bases.iter().flat_map(|base| [base.clone(), base.join("pkcs11"), base.join("perilune")]).collect()
}

/// File name of the module.
const MODULE: &str = "libperilune_pkcs11.so";
/// Length of the device key.
const DEVICE_KEY_BYTES: u64 = 32;
/// Deepest folder that is looked into; the store has two levels.
const DEPTH_MAX: usize = 8;
