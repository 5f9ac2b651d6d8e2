//! A scenario in a process of its own: what loads the module in-process must not meet another test's.
//!
//! Owns: starting this same test program again for one test, its time limit and its report. A scenario
//! has roles: "main" is what the test itself starts, others are further processes on the same place.

use crate::Place;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// How long one process of a scenario may take; a debug build on a busy machine is slow, a hang is longer.
/// `PERILUNE_TEST_LIMIT` says how many seconds instead, for runs that are long on purpose.
const LIMIT: Duration = Duration::from_secs(240);
/// What the long runs take on top: seconds for each unit of these variables.
const LONGER: [(&str, u64); 3] = [("PERILUNE_SOAK_SECONDS", 2), ("PERILUNE_KILLS", 2), ("PERILUNE_TIMING", 4)];

const TEST: &str = "PERILUNE_TEST_CHILD";
const ROLE: &str = "PERILUNE_TEST_ROLE";
const WORD: &str = "PERILUNE_TEST_WORD";
const FOLDER: &str = "PERILUNE_TEST_PLACE";

/// Runs the rest of the test in a process of its own: `isolated!(|place, role| { ... })`.
#[macro_export]
macro_rules! isolated {
    ($body:expr) => {{
        fn here() {}
        $crate::child::scenario(std::any::type_name_of_val(&here), &[], $body)
    }};
    ($environment:expr, $body:expr) => {{
        fn here() {}
        $crate::child::scenario(std::any::type_name_of_val(&here), $environment, $body)
    }};
}

/// The engine of `isolated!`: starts the process, or is in it and runs the body.
pub fn scenario(path: &str, environment: &[(&str, &str)], body: impl FnOnce(&Place, &str)) {
    let test = name(path);
    if std::env::var(TEST).is_ok_and(|child| child == test) {
        let folder = std::env::var_os(FOLDER).expect("the parent names the place");
        let role = std::env::var(ROLE).expect("the parent names the role");
        body(&Place::existing(folder.as_ref()), &role);
        return;
    }
    let place = Place::new();
    let report = Running::start(&place, &test, "main", "", environment).finish();
    assert!(report.success(), "{test}: {}\n{}", report.status, report.text);
    for line in report.text.lines().filter_map(|line| line.split_once(REPORT)) {
        println!("{}", line.1);
    }
}

/// Prints a line that the person who runs the test with `--nocapture` sees, also when all went well.
#[macro_export]
macro_rules! report {
    ($($argument:tt)*) => { println!("{}{}", $crate::child::REPORT, format_args!($($argument)*)) };
}

/// What stands in front of a line that `report!` prints in a process of a scenario.
pub const REPORT: &str = "report: ";

/// Starts another process of the running scenario in `role`; `word` is for it to read with [`word`].
#[must_use]
pub fn role(place: &Place, role: &str, word: &str) -> Running {
    role_with(place, role, word, &[])
}

/// As [`role`], with further variables, such as those of [`crate::disk::Disk`].
#[must_use]
pub fn role_with(place: &Place, role: &str, word: &str, environment: &[(&str, OsString)]) -> Running {
    let test = std::env::var(TEST).expect("only a running scenario has further roles");
    Running::start(place, &test, role, word, environment)
}

/// As [`role`], started by another program such as strace, of which `program` is the command line.
#[must_use]
pub fn role_under(place: &Place, role: &str, word: &str, program: &[String]) -> Running {
    let test = std::env::var(TEST).expect("only a running scenario has further roles");
    let mut command = Command::new(&program[0]);
    command.args(&program[1..]).arg(std::env::current_exe().expect("this program"));
    Running::start_by(command, place, &test, role, word, &[] as &[(&str, &str)])
}

/// The word that this process was started with.
#[must_use]
pub fn word() -> String {
    std::env::var(WORD).unwrap_or_default()
}

/// A process of a scenario that has not ended yet.
pub struct Running {
    child: Child,
    log: std::path::PathBuf,
    /// Whether somebody has learnt how it ended and what it printed.
    told: bool,
}

/// How a process ended and what it printed.
pub struct Report {
    /// Its exit status.
    pub status: ExitStatus,
    /// Standard output and error together.
    pub text: String,
}

impl Report {
    /// Whether the test inside ran and passed.
    #[must_use]
    pub fn success(&self) -> bool {
        self.status.success() && self.text.contains("1 passed")
    }
}

impl Running {
    fn start(place: &Place, test: &str, role: &str, word: &str, environment: &[(&str, impl AsRef<OsStr>)]) -> Self {
        let this = Command::new(std::env::current_exe().expect("this program"));
        Self::start_by(this, place, test, role, word, environment)
    }

    fn start_by(
        mut command: Command,
        place: &Place,
        test: &str,
        role: &str,
        word: &str,
        environment: &[(&str, impl AsRef<OsStr>)],
    ) -> Self {
        command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
        command.envs(place.environment()).envs(environment.iter().map(|(name, value)| (name, value)));
        command.env("PERILUNE_MODULE", crate::module::path());
        command.env(TEST, test).env(ROLE, role).env(WORD, word).env(FOLDER, place.folder());
        Self::spawn(place, command)
    }

    /// Starts any command with its output in a file, so that a full pipe never stops it.
    #[must_use]
    pub fn spawn(place: &Place, mut command: Command) -> Self {
        let unique = format!("output-{:x}", Instant::now().duration_since(start_of_process()).as_nanos());
        let log = place.file(&format!("{unique}-{}", std::process::id()));
        let file = File::create(&log).expect("a file for the output");
        command.stdin(std::process::Stdio::null());
        command.stdout(file.try_clone().expect("the same file")).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, log, told: false }
    }

    /// The number of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended already.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// Waits for its end, at most for the limit.
    pub fn finish(mut self) -> Report {
        let (begin, limit) = (Instant::now(), limit());
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            if begin.elapsed() > limit {
                let where_it_is = stacks(self.id());
                self.child.kill().expect("a child to kill");
                let status = self.child.wait().expect("a child");
                self.told = true;
                panic!("no end after {} s ({status})\n{}\n{where_it_is}", limit.as_secs(), self.said());
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        self.told = true;
        Report { status, text: self.said() }
    }

    /// What it has printed so far.
    #[must_use]
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits for its end, which must be a success, and returns what it printed.
    pub fn succeed(self) -> String {
        let report = self.finish();
        assert!(report.success(), "{}\n{}", report.status, report.text);
        report.text
    }
}

/// In a test that fails for another reason, what this process printed belongs to the evidence, and nobody needs it any more.
impl Drop for Running {
    fn drop(&mut self) {
        if self.told || !std::thread::panicking() {
            return;
        }
        let before = self.child.try_wait();
        // One that has ended already is an error that is no harm.
        let _ = self.child.kill();
        let _ = self.child.wait();
        match before {
            Ok(Some(status)) => eprintln!("process {} had ended: {status}\n{}", self.id(), self.said()),
            _ => eprintln!("process {} was still running\n{}", self.id(), self.said()),
        }
    }
}

/// Where the threads of a process that hangs are: as the kernel says, and as gdb says where there is one.
fn stacks(process: u32) -> String {
    let mut text = String::new();
    for task in std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
        let read = |name: &str| std::fs::read_to_string(task.path().join(name)).unwrap_or_default().trim().to_owned();
        text += &format!("thread {:?} ({}): {} {}\n", task.file_name(), read("comm"), read("wchan"), read("syscall"));
    }
    let mut gdb = Command::new("gdb");
    gdb.args(["-q", "-batch", "-p", &process.to_string(), "-ex", "thread apply all bt 30"]);
    if let Ok(said) = gdb.stdin(std::process::Stdio::null()).output() {
        text += &String::from_utf8_lossy(&said.stdout);
    }
    text
}

/// Runs `body` in a forked child and returns its exit code: what `body` returns, 101 after a panic.
///
/// The child leaves by `_exit`: nothing of the test program runs in it after `body`.
///
/// # Panics
/// When there is no child, or it was ended by a signal.
pub fn forked(body: impl FnOnce() -> i32) -> i32 {
    let limit = forked_limit_s();
    // SAFETY: the child runs `body` and leaves by `_exit`; no lock of the test program is held here.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork");
    if child == 0 {
        // SAFETY: only the time limit of a child that hangs; there is no handler to run.
        unsafe { libc::alarm(limit) };
        let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(101);
        // SAFETY: ends this process.
        unsafe { libc::_exit(code) }
    }
    let mut status = 0;
    // SAFETY: waits for our own child; `status` outlives the call.
    let waited = unsafe { libc::waitpid(child, &mut status, 0) };
    assert_eq!(waited, child, "waitpid");
    assert!(libc::WIFEXITED(status), "the forked child was ended by signal {}", libc::WTERMSIG(status));
    libc::WEXITSTATUS(status)
}

/// How many seconds a forked child may take, half of what its process may; SIGALRM (14) ends one that hangs.
pub fn forked_limit_s() -> u32 {
    u32::try_from(limit().as_secs() / 2).unwrap_or(u32::MAX)
}

fn limit() -> Duration {
    let seconds = std::env::var("PERILUNE_TEST_LIMIT").ok();
    if let Some(seconds) = seconds {
        return Duration::from_secs(seconds.parse().expect("PERILUNE_TEST_LIMIT in seconds"));
    }
    let asked = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    LIMIT + Duration::from_secs(LONGER.iter().map(|(name, each)| asked(name) * each).sum())
}

fn start_of_process() -> Instant {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *START.get_or_init(Instant::now)
}

/// The test's name as libtest knows it: without the program's name in front and `here` behind.
fn name(path: &str) -> String {
    let path = path.strip_suffix("::here").unwrap_or(path);
    let path = path.strip_suffix("::{{closure}}").unwrap_or(path);
    path.split_once("::").map_or(path, |(_, rest)| rest).into()
}
