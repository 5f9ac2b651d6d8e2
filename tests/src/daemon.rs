//! Daemons: programs that go into the background by themselves, with workers of their own.
//!
//! Owns: waiting for what a daemon does by itself, who belongs to it, its end, and the evidence when a test fails: its
//! processes and its logs. Does not know: which daemon it is. Called from the tests of daemons.

use crate::outside::output;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long anything may take that a daemon does by itself; much longer than it takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until something is so; `false` when it is not so for too long.
fn becomes_so(mut so: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !so() {
        if start.elapsed() > PATIENCE {
            return false;
        }
        sleep(Duration::from_millis(20));
    }
    true
}

/// Waits until something is so.
///
/// # Panics
/// When it is not so for two minutes.
pub fn wait_until(what: &str, so: impl FnMut() -> bool) {
    assert!(becomes_so(so), "{what}: not after {} s", PATIENCE.as_secs());
}

/// Ends a process that is no child of this one, and waits until it is gone; for the end of a test, also of one that fails.
pub fn end(process: i32) {
    // SAFETY: a process that the caller has started; one that has ended is an error that is no harm.
    unsafe { libc::kill(process, libc::SIGTERM) };
    if !becomes_so(|| !Path::new(&format!("/proc/{process}")).exists()) {
        eprintln!("process {process} does not end");
    }
}

/// A daemon that has gone into the background; ended, with all that it started, when it is dropped.
pub struct Daemon {
    pid_file: PathBuf,
    log: PathBuf,
    /// The process, which leads the session of all others.
    pub leader: i32,
}

impl Daemon {
    /// Runs a command that goes into the background by itself and writes its number to `pid_file`, and what it does to `log`.
    pub fn start(command: Command, pid_file: PathBuf, log: PathBuf) -> Self {
        output(command);
        let mut daemon = Self { pid_file, log, leader: 0 };
        wait_until("a number in the pid file", || {
            let text = std::fs::read_to_string(&daemon.pid_file).unwrap_or_default();
            daemon.leader = text.trim().parse().unwrap_or(0);
            daemon.leader > 0
        });
        daemon
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Sends a signal to the leader.
    ///
    /// # Panics
    /// When it is not there.
    pub fn signal(&self, signal: i32) {
        // SAFETY: a signal to the daemon that this test has started.
        let sent = unsafe { libc::kill(self.leader, signal) };
        assert_eq!(sent, 0, "the daemon is there: {}", std::io::Error::last_os_error());
    }

    /// Numbers of the processes in the daemon's session other than the leader.
    #[must_use]
    pub fn workers(&self) -> BTreeSet<i32> {
        let mut session = self.session();
        session.remove(&self.leader);
        session
    }

    /// Waits until nothing of it is left.
    ///
    /// # Panics
    /// When it stays, or leaves its pid file behind.
    pub fn await_end(&self) {
        wait_until("the end of the daemon", || self.session().is_empty());
        assert!(!self.pid_file.exists(), "a daemon that ends in peace removes its pid file");
    }

    /// The living processes of its session.
    fn session(&self) -> BTreeSet<i32> {
        if self.leader == 0 {
            return BTreeSet::new();
        }
        let mut found = BTreeSet::new();
        for entry in std::fs::read_dir("/proc").expect("the processes").flatten() {
            let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // After the name in parentheses: state, parent, group, session.
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            if fields.len() > 3 && !["Z", "X"].contains(&fields[0]) && fields[3].parse() == Ok(self.leader) {
                found.insert(number);
            }
        }
        found
    }

    /// Its processes and its log, to be read by a person.
    fn evidence(&self) -> String {
        let mut text = format!("the daemon {} at this moment:\n", self.leader);
        for process in self.session() {
            let read = |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}")).unwrap_or_default();
            let command = read("cmdline").replace('\0', " ").trim_end().to_owned();
            text += &format!("{process}: user {:?}, in {:?}: {command}\n", user_of(process), read("wchan"));
        }
        text + &format!("{}:\n{}", self.log.display(), self.log())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.evidence());
        }
        for process in self.session() {
            // SAFETY: a process of the session that our daemon leads; one that has just ended is an error that is no harm.
            unsafe { libc::kill(process, libc::SIGKILL) };
        }
    }
}

/// The user whose rights a process has at this moment; `None` when it is gone.
///
/// The owner of its folder in `/proc` says something else for a moment while it changes its user.
#[must_use]
pub fn user_of(process: i32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
