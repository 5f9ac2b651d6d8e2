//! The log: one line an event, to a file or to standard error.
//!
//! Owns: level, target and form of a line. Does not know: what is logged; secrets never get here, their
//! type prints its length only. Makes no thread, keeps nothing in thread-local storage (a call may come
//! from an exit handler, when that is gone), and writes each line with one system call, so lines of
//! several processes do not mix. The subscriber is small enough to be our own for these reasons.

use crate::Settings;
use crate::one_line::{name, one_line};
use rustix::fs::{Mode, OFlags};
use rustix::process::geteuid;
use serde::Deserialize;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// What is logged and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The least important events that are logged.
    pub level: Level,
    /// Where the lines go.
    pub target: Target,
}

/// Where the lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Standard error of the application.
    Stderr,
    /// Appended to this file; made with mode 0600.
    File(PathBuf),
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing.
    Off,
    /// Failures inside the module.
    Error,
    /// What a person should look into.
    Warn,
    /// What happens seldom: start, login, a token initialised.
    Info,
    /// Every call with handles, return value and reason.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// The level of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "off" => Level::Off,
            "error" => Level::Error,
            "warn" => Level::Warn,
            "info" => Level::Info,
            "debug" => Level::Debug,
            "trace" => Level::Trace,
            _ => return None,
        })
    }

    const fn filter(self) -> LevelFilter {
        match self {
            Level::Off => LevelFilter::OFF,
            Level::Error => LevelFilter::ERROR,
            Level::Warn => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
            Level::Debug => LevelFilter::DEBUG,
            Level::Trace => LevelFilter::TRACE,
        }
    }
}

impl Log {
    /// Understands `PERILUNE_LOG`: a level, `level:file`, `level:stderr`, or a target alone; `None` for `off`.
    ///
    /// Whoever sets it looks for a fault, so nothing is refused: what is no level is taken as a target at
    /// level debug (`1`, `on` and `stderr` as standard error).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (level, target) = match text.split_once(':') {
            Some((level, target)) if Level::named(level).is_some() => (Level::named(level), target),
            _ => match Level::named(text) {
                Some(level) => (Some(level), "stderr"),
                None => (None, text),
            },
        };
        let level = level.unwrap_or(Level::Debug);
        let target = match target {
            "" | "stderr" | "1" | "on" => Target::Stderr,
            path => Target::File(PathBuf::from(path)),
        };
        (level != Level::Off).then_some(Self { level, target })
    }
}

/// Starts the log that the settings ask for; later calls change nothing. Never starts a thread.
///
/// A log file that cannot be opened is told on standard error, because the person who asked for a log waits for it.
pub fn start_log(settings: &Settings) {
    if let Some(log) = &settings.log {
        start(log);
    }
}

/// Starts a log, unless one has been started in this process.
pub(crate) fn start(log: &Log) {
    if STARTED.swap(true, Ordering::AcqRel) {
        return;
    }
    let sink = match &log.target {
        Target::Stderr => Sink::Stderr,
        Target::File(path) => match open(path) {
            Ok(file) => Sink::File(file),
            Err(error) => {
                let line = format!("perilune: log {}: {error}; logging to standard error\n", name(path));
                write_line(rustix::stdio::stderr(), &line);
                Sink::Stderr
            }
        },
    };
    // An error means that the program has set a subscriber of its own; the events go there then.
    let _ = tracing::subscriber::set_global_default(Lines { filter: log.level.filter(), sink });
}

/// Whether the log of this process has been started; tracing takes one for the life of the process.
static STARTED: AtomicBool = AtomicBool::new(false);

/// Opens a log file for appending: a regular file of this user, no symbolic link.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
    // Not blocking: a pipe without a reader must be an error, not a wait.
    let file = File::from(rustix::fs::open(path, flags | OFlags::NONBLOCK, Mode::RUSR | Mode::WUSR)?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("is not a regular file"));
    }
    if metadata.uid() != geteuid().as_raw() {
        return Err(io::Error::other(format!("belongs to user {}", metadata.uid())));
    }
    Ok(file)
}

/// Where an open log writes to.
#[derive(Debug)]
enum Sink {
    Stderr,
    File(File),
}

/// The subscriber that writes one line an event.
struct Lines {
    filter: LevelFilter,
    sink: Sink,
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.filter
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.filter)
    }

    fn event(&self, event: &Event<'_>) {
        let line = line(event, SystemTime::now());
        match &self.sink {
            Sink::Stderr => write_line(rustix::stdio::stderr(), &line),
            Sink::File(file) => write_line(file.as_fd(), &line),
        }
    }

    // Spans are never enabled, so the functions about them have nothing to do.
    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}

/// Writes a line whole, or drops it: a full disk or a closed pipe must never fail the call that is logged.
fn write_line(to: BorrowedFd<'_>, line: &str) {
    while let Err(rustix::io::Errno::INTR) = rustix::io::write(to, line.as_bytes()) {}
}

/// The line of an event: time, level, process, target, message, fields; control characters are escaped.
fn line(event: &Event<'_>, now: SystemTime) -> String {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let level = event.metadata().level();
    let target = event.metadata().target();
    let text = format!("{} {level:5} [{}] {target}:{}{}", stamp(now), std::process::id(), fields.message, fields.rest);
    let mut line = one_line(&text);
    line.push('\n');
    line
}

/// Collects message and fields of an event.
#[derive(Default)]
struct Fields {
    message: String,
    rest: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String fails only when a Debug implementation does; what it wrote so far is kept.
        let _ = if field.name() == "message" {
            write!(self.message, " {value:?}")
        } else {
            write!(self.rest, " {}={value:?}", field.name())
        };
    }
}

/// A moment as `2025-11-23T20:45:01.123456Z`.
fn stamp(now: SystemTime) -> String {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = date(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:06}Z",
        second / 3600,
        second / 60 % 60,
        second % 60,
        since.subsec_micros()
    )
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
///
/// Counts in years that begin on the first of March, so that the leap day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // from 0000-03-01
    let era = days / 146_097; // 400 years
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests;
