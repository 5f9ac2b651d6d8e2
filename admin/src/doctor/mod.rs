//! `perilune doctor`: checks the installation and says what each client needs to be told.
//!
//! Owns: the order of the checks and how findings are printed. Does not know: the checks themselves
//! (`places`, `tokens`, `damage`) and the clients (`clients`). Changes nothing: a store that is not there is not made.

mod clients;
mod damage;
mod places;
mod tokens;

use crate::cli::Doctor;
use crate::failure::{EXIT_FAILED, Failure};
use crate::output::{self, printable};
use clients::Client;
use hsm_platform::Settings;
use serde::Serialize;
use std::process::ExitCode;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Good to know.
    Info,
    /// Works, and could be better.
    Warning,
    /// Does not work, or is not safe.
    Problem,
}

/// What a check found.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// What was checked: `configuration`, `store`, `device-key`, `secret-pages`, `module`, `token`.
    pub check: &'static str,
    /// How it ended.
    pub status: Status,
    /// What was found.
    pub text: String,
    /// What to do; empty where nothing needs to be done.
    pub advice: String,
}

impl Finding {
    /// A finding that needs no advice.
    pub fn new(check: &'static str, status: Status, text: impl Into<String>) -> Self {
        Self { check, status, text: text.into(), advice: String::new() }
    }

    /// The same with advice.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }
}

/// All that doctor says.
#[derive(Serialize)]
struct Report {
    problems: usize,
    findings: Vec<Finding>,
    module: Option<String>,
    clients: Vec<Client>,
}

/// Examines everything and prints it.
///
/// # Errors
/// Only when the output cannot be written; what is wrong with the installation is printed, and is in the exit code.
pub fn run(args: &Doctor) -> Result<ExitCode, Failure> {
    let mut findings = Vec::new();
    let mut first_token = None;
    match Settings::load() {
        Ok(settings) => {
            hsm_platform::start_log(&settings);
            places::configuration(&settings, &mut findings);
            if places::store(&settings, &mut findings) {
                first_token = tokens::examine(&settings, args, &mut findings);
            }
        }
        Err(error) => findings.push(
            Finding::new("configuration", Status::Problem, error.to_string())
                .advise("no application can use the module until this is put right"),
        ),
    }
    places::secret_pages(&mut findings);
    let module = places::module(args.module.as_deref(), &mut findings);
    let problems = findings.iter().filter(|finding| finding.status == Status::Problem).count();
    let clients = clients::all(module.as_deref(), first_token.as_ref());
    let module = module.map(|path| path.display().to_string());
    let report = Report { problems, findings, module, clients };
    match args.json {
        true => output::print_json("doctor", &report)?,
        false => output::print(&text(&report))?,
    }
    Ok(if report.problems == 0 { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}

/// The report as text.
fn text(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let status = match finding.status {
            Status::Ok => "ok",
            Status::Info => "info",
            Status::Warning => "warning",
            Status::Problem => "PROBLEM",
        };
        text.push_str(&format!("{status:8} {:14} {}\n", finding.check, printable(&finding.text)));
        if !finding.advice.is_empty() {
            text.push_str(&format!("{:24}-> {}\n", "", printable(&finding.advice)));
        }
    }
    text.push_str(&match report.problems {
        0 => "\nNo problem was found.\n".to_owned(),
        1 => "\n1 problem was found.\n".to_owned(),
        many => format!("\n{many} problems were found.\n"),
    });
    text.push_str("\nWhat each client needs to be told:\n");
    for client in &report.clients {
        let found = client.found.as_deref().unwrap_or("not found on this machine");
        text.push_str(&format!("\n--- {} ({found})\n", client.name));
        for line in client.lines.lines() {
            text.push_str(&format!("    {line}\n"));
        }
    }
    text
}
