//! The disk below a store, recorded or made to fail: the preloaded shim of `tests/c/disk_shim.c` as tests use it.
//!
//! Owns: building the shim, its environment and its plan of faults, marks in its log. Does not know: what a store is. Called from
//! the scenarios about faults and power cuts. A process under the shim may fork, but not start other programs.

pub mod cuts;
pub mod image;
pub mod log;

use crate::{Place, module, outside};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Variables for a process under the shim.
pub type Environment = Vec<(&'static str, OsString)>;

/// The shim, built for one place, over the place's store.
pub struct Disk {
    library: PathBuf,
    root: PathBuf,
    log: PathBuf,
    plan: PathBuf,
}

impl Disk {
    /// Builds the shim where it is not built yet.
    ///
    /// # Panics
    /// Without a C compiler.
    #[must_use]
    pub fn of(place: &Place) -> Self {
        let library = place.file("disk_shim.so");
        if !library.exists() {
            let draft = place.file(&format!("disk_shim-{}.so", std::process::id()));
            let mut cc = place.command("cc");
            cc.args([
                "-std=c11",
                "-D_GNU_SOURCE",
                "-Wall",
                "-Wextra",
                "-Werror",
                "-O1",
                "-g",
                "-fPIC",
                "-shared",
                "-o",
            ]);
            cc.arg(&draft).arg(module::workspace().join("tests/c/disk_shim.c"));
            outside::output(cc);
            std::fs::rename(&draft, &library).expect("the shim gets its name");
        }
        Self { library, root: place.store(), log: place.file("disk.log"), plan: place.file("disk.plan") }
    }

    /// The same with another folder to watch, which must be in a folder that is there.
    #[must_use]
    pub fn watching(self, root: PathBuf) -> Self {
        Self { root, ..self }
    }

    /// The same with another file for the log.
    #[must_use]
    pub fn logging(self, log: PathBuf) -> Self {
        Self { log, ..self }
    }

    /// What makes a process record its changes of the store in the log.
    #[must_use]
    pub fn recording(&self) -> Environment {
        vec![self.preload(), self.rooted(), ("DISK_SHIM_LOG", self.log.clone().into())]
    }

    /// What makes a process follow the plan of faults, also one that is made later.
    #[must_use]
    pub fn failing(&self) -> Environment {
        vec![self.preload(), self.rooted(), ("DISK_SHIM_PLAN", self.plan.clone().into())]
    }

    /// Both at once.
    #[must_use]
    pub fn recording_and_failing(&self) -> Environment {
        let mut environment = self.recording();
        environment.push(("DISK_SHIM_PLAN", self.plan.clone().into()));
        environment
    }

    /// Where the log is.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Lets calls fail from now on, each of `rules` being a line as `tests/c/disk_shim_plan.h` describes it, in place of all rules so far.
    pub fn plan(&self, rules: &[&str]) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // A rule that is given again counts anew.
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let text: String = rules.iter().map(|rule| format!("{rule} id {process}{id:06}\n")).collect();
        let draft = self.plan.with_extension("new");
        std::fs::write(&draft, text).expect("the plan");
        // Renamed, so that a call never finds half a plan.
        std::fs::rename(&draft, &self.plan).expect("the plan gets its name");
    }

    /// Lets all calls go as usual again.
    pub fn heal(&self) {
        self.plan(&[]);
    }

    /// How many calls the rule number `rule` (from 0) of the present plan has made fail, in all processes: a test of a fault asks
    /// it to be sure that the fault happened. 0 while no call has matched it.
    #[must_use]
    pub fn fired(&self, rule: usize) -> u64 {
        let plan = std::fs::read_to_string(&self.plan).expect("the plan");
        let line = plan.lines().nth(rule).expect("a rule of this number");
        let shared = std::fs::read(self.plan.with_extension("plan.shared")).unwrap_or_default();
        let number =
            |at: usize| shared.get(at..at + 8).map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().expect("8")));
        // `struct shared` of the shim: a lock, then for each rule its hash, how often it matched, how often it fired.
        let at = 8 + rule * 24;
        let hash = line
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        if number(at) == hash { number(at + 16) } else { 0 }
    }

    fn preload(&self) -> (&'static str, OsString) {
        ("LD_PRELOAD", self.library.clone().into())
    }

    fn rooted(&self) -> (&'static str, OsString) {
        ("DISK_SHIM_ROOT", self.root.clone().into())
    }
}

/// Writes `text` into the log, behind everything that happened before and in front of everything that happens afterwards.
///
/// # Panics
/// In a process that does not record.
pub fn mark(text: &str) {
    let answer = std::fs::File::open(format!("/disk-shim/mark/{text}")).expect_err("a mark is no file");
    assert_eq!(answer.raw_os_error(), Some(libc::ESTALE), "this process does not record: {answer}");
}
