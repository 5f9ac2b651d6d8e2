//! The machine on which a bench ran, as a report names it.
//!
//! Owns: where Linux tells its name, processor and load, and the date. Does not know: what was measured.

use serde::{Deserialize, Serialize};

/// The machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// How many processors.
    pub cpus: usize,
    /// The kernel's name and release.
    pub kernel: String,
    /// The distribution.
    pub system: String,
    /// Processes that wanted to run, on average, in the minute before the run.
    pub load: Option<f64>,
}

impl Machine {
    /// This machine; what the system does not tell is "unknown".
    pub fn this() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let unknown = || "unknown".to_owned();
        let info = read("/proc/cpuinfo");
        let field = |name: &str| {
            let line = info.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name));
            line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
        };
        // Virtual machines often name the maker alone; family and model say which processor it is.
        let cpu = field("model name").map(|name| match (field("cpu family"), field("model")) {
            (Some(family), Some(model)) => format!("{name} (family {family}, model {model})"),
            _ => name,
        });
        let release = read("/etc/os-release");
        let pretty = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
        let kernel = read("/proc/sys/kernel/osrelease");
        Self {
            cpu: cpu.unwrap_or_else(unknown),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: if kernel.is_empty() { unknown() } else { format!("Linux {}", kernel.trim()) },
            system: pretty.map_or_else(unknown, |name| name.trim_matches('"').to_owned()),
            load: read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()),
        }
    }
}

/// The present time in UTC, `2026-11-23 10:15`.
pub fn now() -> String {
    let clock = hsm_platform::SystemClock;
    let digits = hsm_core::platform::utc_time(hsm_core::Clock::unix_seconds(&clock));
    let text = String::from_utf8_lossy(&digits).into_owned();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    format!("{}-{}-{} {}:{}", part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 12))
}
