//! The configuration file: its shape, its bounds, and errors that name line and key.
//!
//! Owns: which keys there are (`docs/perilune.toml` shows them all), what values they may have, and that
//! a file which others could have written is not trusted. Does not know: which file is read and what
//! holds when a key is absent; that is `settings`.

use crate::StartError;
use crate::log::Level;
use hsm_core::limits;
use hsm_core::validation::Validation;
use rustix::fs::{Mode, OFlags};
use rustix::process::geteuid;
use serde::Deserialize;
use std::fs::File;
use std::io::Read;
use std::ops::{Range, RangeInclusive};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use toml::Spanned;

mod validation;

/// What a file says; `None` where it is silent. Paths are absolute.
#[derive(Debug, Default)]
pub struct Said {
    pub store: Option<PathBuf>,
    pub device_key: Option<DeviceKeyText>,
    pub spare_slot: Option<bool>,
    pub pin_bytes_min: Option<u32>,
    pub so_tries: Option<u32>,
    pub user_tries: Option<u32>,
    pub memory_kib: Option<u32>,
    pub passes: Option<u32>,
    pub lanes: Option<u32>,
    pub wait_ms: Option<u32>,
    pub approved: Option<bool>,
    pub legacy: Option<bool>,
    pub compatible: Option<bool>,
    pub validations: Vec<Validation>,
    pub log_level: Option<Level>,
    pub log_file: Option<PathBuf>,
}

/// The two forms of `device_key`.
#[derive(Debug)]
pub enum DeviceKeyText {
    File(PathBuf),
    Descriptor(u32),
}

/// Reads the file; `Ok(None)` when there is none.
///
/// # Errors
/// `Config` when it cannot be read, is not safe, or says something that it may not.
pub fn read(path: &Path, home: Option<&Path>) -> Result<Option<Said>, StartError> {
    let config = |problem: String| StartError::Config { path: path.to_owned(), problem };
    // Not blocking, so that a named pipe in the place of the file cannot hold the application up.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(None),
        Err(error) => return Err(config(format!("cannot be opened: {}", std::io::Error::from(error)))),
    };
    let text = text_of(file).map_err(config)?;
    let path = std::path::absolute(path).map_err(|error| config(format!("has no absolute path: {error}")))?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    parse(&text, folder, home).map(Some).map_err(|problem| StartError::Config { path: path.clone(), problem })
}

/// Reads the text of a file that nobody but root and this user can have written.
fn text_of(file: File) -> Result<String, String> {
    let metadata = file.metadata().map_err(|error| format!("cannot be examined: {error}"))?;
    if !metadata.is_file() {
        return Err("is not a regular file".to_owned());
    }
    trusted(metadata.uid(), metadata.mode(), geteuid().as_raw())?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| format!("cannot be read: {error}"))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("is longer than {FILE_BYTES_MAX} bytes"));
    }
    Ok(text)
}

/// Refuses a file whose owner or mode lets others say what this user's HSM does.
fn trusted(owner: u32, mode: u32, user: u32) -> Result<(), String> {
    if owner != 0 && owner != user {
        return Err(format!("belongs to user {owner}; it must belong to root or to you"));
    }
    if mode & 0o022 != 0 {
        return Err(format!("can be written by others (mode {:04o}); chmod go-w makes it safe", mode & 0o7777));
    }
    Ok(())
}

/// Understands the text of a file that lies in `folder`.
///
/// # Errors
/// A text that begins with line and key.
pub fn parse(text: &str, folder: &Path, home: Option<&Path>) -> Result<Said, String> {
    let shape: Shape = toml::from_str(text).map_err(|error| {
        let message = error.message().replace('\n', " ");
        match error.span() {
            Some(span) => format!("line {}{}: {message}", line_of(text, &span), key_at(text, &span)),
            None => message,
        }
    })?;
    let place = |key: &str, given: &Spanned<String>| {
        resolve(given.get_ref(), folder, home)
            .map_err(|problem| format!("line {}, {key}: {problem}", line_of(text, &given.span())))
    };
    let number = |key: &str, given: Option<Spanned<i64>>, bounds: RangeInclusive<u32>| {
        given.map(|given| within(&given, &bounds).ok_or_else(|| out_of(text, key, &given, &bounds))).transpose()
    };
    let device_key = match &shape.device_key {
        None => None,
        Some(given) => Some(match given.get_ref().strip_prefix("fd:") {
            Some(number) => DeviceKeyText::Descriptor(number.parse().map_err(|_| {
                // The parser's answer ("invalid digit") says less than this.
                let line = line_of(text, &given.span());
                format!("line {line}, device_key: after `fd:` comes the number of a file descriptor, not `{number}`")
            })?),
            None => DeviceKeyText::File(place("device_key", given)?),
        }),
    };
    let validations =
        shape.validation.iter().map(|table| validation::read(text, table)).collect::<Result<Vec<_>, _>>()?;
    if validations.len() > limits::VALIDATIONS_MAX {
        return Err(format!("validation: there are more than {}", limits::VALIDATIONS_MAX));
    }
    let pin_bytes = limit(limits::PIN_BYTES_MIN)..=limit(limits::PIN_BYTES_MAX);
    let said = Said {
        store: shape.store.as_ref().map(|given| place("store", given)).transpose()?,
        device_key,
        spare_slot: shape.spare_slot,
        pin_bytes_min: number("pin.bytes_min", shape.pin.bytes_min, pin_bytes)?,
        so_tries: number("pin.so_tries", shape.pin.so_tries, 1..=100)?,
        user_tries: number("pin.user_tries", shape.pin.user_tries, 1..=100)?,
        memory_kib: number("kdf.memory_kib", shape.kdf.memory_kib, 8..=4 * 1024 * 1024)?,
        passes: number("kdf.passes", shape.kdf.passes, 1..=1000)?,
        lanes: number("kdf.lanes", shape.kdf.lanes, 1..=64)?,
        wait_ms: number("lock.wait_ms", shape.lock.wait_ms, 0..=600_000)?,
        approved: shape.policy.approved,
        legacy: shape.policy.legacy,
        compatible: shape.policy.compatible,
        validations,
        log_level: shape.log.level,
        log_file: shape.log.file.as_ref().map(|given| place("log.file", given)).transpose()?,
    };
    Ok(said)
}

/// The place that a path in the file means: absolute, in the home folder after `~/`, else beside the file.
fn resolve(given: &str, folder: &Path, home: Option<&Path>) -> Result<PathBuf, String> {
    if given.is_empty() {
        return Err("the path is empty".to_owned());
    }
    if given == "~" || given.starts_with("~/") {
        let home = home.ok_or("`~` has no meaning here: HOME is not set to an absolute path")?;
        return Ok(home.join(given.trim_start_matches('~').trim_start_matches('/')));
    }
    Ok(folder.join(given))
}

fn within(given: &Spanned<i64>, bounds: &RangeInclusive<u32>) -> Option<u32> {
    u32::try_from(*given.get_ref()).ok().filter(|number| bounds.contains(number))
}

fn out_of(text: &str, key: &str, given: &Spanned<i64>, bounds: &RangeInclusive<u32>) -> String {
    let line = line_of(text, &given.span());
    format!("line {line}, {key}: {} is not from {} to {}", given.get_ref(), bounds.start(), bounds.end())
}

/// A limit of the core as the file's numbers are; all of them are far below 2^32.
fn limit(limit: usize) -> u32 {
    u32::try_from(limit).unwrap_or(u32::MAX)
}

/// The number of the line, from 1, in which a span begins.
fn line_of(text: &str, span: &Range<usize>) -> usize {
    text.as_bytes().iter().take(span.start).filter(|byte| **byte == b'\n').count() + 1
}

/// `, table.key` of the line in which a span begins; empty where the line sets no key.
fn key_at(text: &str, span: &Range<usize>) -> String {
    let before = line_of(text, span) - 1;
    let Some((key, _)) = text.lines().nth(before).and_then(|line| line.split_once('=')) else {
        return String::new();
    };
    let table = text
        .lines()
        .take(before)
        .filter_map(|line| line.trim().strip_prefix('[')?.trim_start_matches('[').split(']').next())
        .last();
    match table {
        Some(table) => format!(", {}.{}", table.trim(), key.trim()),
        None => format!(", {}", key.trim()),
    }
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Shape {
    store: Option<Spanned<String>>,
    device_key: Option<Spanned<String>>,
    spare_slot: Option<bool>,
    pin: Pin,
    kdf: Kdf,
    lock: Lock,
    policy: PolicyTable,
    validation: Vec<validation::Table>,
    log: LogTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Pin {
    bytes_min: Option<Spanned<i64>>,
    so_tries: Option<Spanned<i64>>,
    user_tries: Option<Spanned<i64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Kdf {
    memory_kib: Option<Spanned<i64>>,
    passes: Option<Spanned<i64>>,
    lanes: Option<Spanned<i64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Lock {
    wait_ms: Option<Spanned<i64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PolicyTable {
    approved: Option<bool>,
    legacy: Option<bool>,
    compatible: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LogTable {
    level: Option<Level>,
    file: Option<Spanned<String>>,
}

/// Longest configuration file in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str, problem: &str) {
        let error = parse(text, Path::new("/f"), None).unwrap_err();
        assert!(error.contains(problem), "{text:?} answered {error:?}");
        assert!(!error.contains('\n'), "an error is one line: {error:?}");
    }

    #[test]
    fn errors_name_line_and_key() {
        refused("spare_slot = true\nsaprse = 1\n", "line 2, saprse: unknown field `saprse`");
        refused("[pin]\n\nbytes_mim = 6\n", "line 3, pin.bytes_mim: unknown field `bytes_mim`");
        refused("spare_slot = \"yes\"", "line 1, spare_slot: invalid type: string \"yes\", expected a boolean");
        refused("[kdf]\nmemory_kib = 7", "line 2, kdf.memory_kib: 7 is not from 8 to 4194304");
        refused("[pin]\nbytes_min = -1", "line 2, pin.bytes_min: -1 is not from 4 to 255");
        refused("[pin]\nuser_tries = 0", "line 2, pin.user_tries: 0 is not from 1 to 100");
        refused("[lock]\nwait_ms = 99999999999", "line 2, lock.wait_ms: 99999999999 is not from 0 to 600000");
        refused("[policy]\nlegacy = 1", "line 2, policy.legacy: invalid type: integer `1`, expected a boolean");
        refused("[log]\nlevel = \"loud\"", "line 2, log.level: unknown variant `loud`");
        let declared = "[[validation]]\ntype = \"software\"\nversion = \"3.0\"\nlevel = 1\nmodule = \"m\"\n";
        assert_eq!(parse(declared, Path::new("/f"), None).unwrap().validations.len(), 1);
        refused("[[validation]]\ntype = \"software\"", "missing field `version`");
        refused("[[validation]]\ntype = \"soft\"", "line 2, validation.type: unknown variant `soft`");
        refused(&declared.replace("3.0", "three"), "line 3, validation.version: `three` is not two numbers");
        refused(&declared.replace("3.0", "3.256"), "line 3, validation.version");
        refused(
            &declared.replace("level = 1", "level = -1"),
            "line 4, validation.level: -1 is not from 0 to 4294967295",
        );
        refused(&format!("{declared}country = \"USA\""), "line 6, validation.country: `USA` is not two letters");
        refused(&declared.replace("\"m\"", "\"\""), "line 5, validation.module: it is empty");
        refused(&declared.repeat(33), "more than 32");
        refused("device_key = \"fd:x\"", "line 1, device_key: after `fd:` comes the number");
        refused("\nstore = \"~/p\"", "line 2, store: `~` has no meaning here");
        refused("store = \"\"", "line 1, store: the path is empty");
        refused("[nonsense]\na = 1", "line 1: unknown field `nonsense`");
        refused("a b", "line 1");
    }

    #[test]
    fn paths_are_absolute_or_beside_the_file_or_at_home() {
        let said =
            parse("store = \"s\"\ndevice_key = \"/k\"\n[log]\nfile = \"~/l\"", Path::new("/f"), Some(Path::new("/h")));
        let said = said.unwrap();
        assert_eq!(said.store.unwrap(), Path::new("/f/s"));
        assert_eq!(said.log_file.unwrap(), Path::new("/h/l"));
        assert!(matches!(said.device_key, Some(DeviceKeyText::File(path)) if path == Path::new("/k")));
    }

    #[test]
    fn only_files_of_root_or_the_user_that_nobody_else_can_write_are_trusted() {
        let check =
            |owner, mode, user, trust| assert_eq!(trusted(owner, mode, user).is_ok(), trust, "{owner} {mode:o}");
        check(0, 0o100_644, 1000, true);
        check(1000, 0o100_600, 1000, true);
        check(1001, 0o100_600, 1000, false);
        check(1000, 0o100_600, 0, false);
        check(0, 0o100_664, 0, false);
        check(0, 0o100_646, 0, false);
    }

    #[test]
    fn the_device_key_may_be_a_descriptor() {
        let said = parse("device_key = \"fd:7\"", Path::new("/f"), None).unwrap();
        assert!(matches!(said.device_key, Some(DeviceKeyText::Descriptor(7))));
    }
}
