//! What a person sees while the bench runs: one line on the terminal.
//!
//! Owns: that line, and the estimate of what is left. Does not know: what is measured. Without a terminal it says nothing.

use std::io::{IsTerminal, Write};
use std::time::Instant;

/// The line.
pub struct Progress {
    shown: bool,
    begin: Instant,
    steps: usize,
    done: usize,
}

impl Progress {
    /// For so many steps.
    pub fn new(steps: usize) -> Self {
        Self { shown: std::io::stderr().is_terminal(), begin: Instant::now(), steps, done: 0 }
    }

    /// Says what is being done now.
    pub fn say(&self, what: &str) {
        if self.shown {
            let line = format!("\r\x1b[K{:3} %  {what}{}", self.done * 100 / self.steps.max(1), self.left());
            // Progress is a courtesy; the bench goes on without it.
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }

    /// One step is done.
    pub fn step(&mut self) {
        self.done += 1;
    }

    fn left(&self) -> String {
        let elapsed = self.begin.elapsed().as_secs();
        if elapsed < 5 || self.done == 0 {
            return String::new();
        }
        let left = elapsed * (self.steps.saturating_sub(self.done)) as u64 / self.done as u64;
        if left < 60 { format!("  ({left} s left)") } else { format!("  ({} min left)", left.div_ceil(60)) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = std::io::stderr().write_all(b"\r\x1b[K");
        }
    }
}
