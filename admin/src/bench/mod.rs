//! `perilune bench`: the same operations on several PKCS#11 modules, compared.
//!
//! Owns: the order of a run as a whole, interruption, which reports are written. Perilune is a module like the others here: loaded from
//! its file, called through its function list. Does not know: operations (`operations`), the clock (`measure`), the form of
//! a report (`report`). Called from `main`.

mod desk;
mod machine;
mod measure;
mod operations;
mod options;
mod progress;
mod report;
mod run;
mod statistics;

pub use options::{ModuleChoice, module};

use crate::cli::Bench;
use crate::failure::Failure;
use crate::output;
use desk::{Desk, Trouble};
use operations::Operation;
use report::{ModuleLine, Report, markdown, svg, table};
use run::Plan;
use serde_json::Value;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Does what the options say.
///
/// # Errors
/// A module that cannot be used, a report that cannot be written, an interruption.
pub fn run(args: &Bench) -> Result<ExitCode, Failure> {
    if let Some(path) = &args.start_only {
        return output::print(&format!("{}\n", operations::start_once(path)?)).map(|()| ExitCode::SUCCESS);
    }
    if args.list {
        return list(args).map(|()| ExitCode::SUCCESS);
    }
    let report = match &args.from {
        Some(path) => read(path)?,
        None => measured(args)?,
    };
    if let Some(path) = &args.json {
        write(path, &json(&report)?)?;
    }
    if let Some(path) = &args.svg {
        write(path, &svg::picture(&report))?;
    }
    if let Some(path) = &args.markdown {
        let beside = args.svg.as_deref().map(|svg| seen_from(path, svg));
        write(path, &markdown::page(&report, beside.as_deref()))?;
    }
    output::print(&table::text(&report))?;
    Ok(if table::first_failed(&report) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The operations that the options choose.
fn chosen(args: &Bench) -> Result<Vec<Operation>, Failure> {
    let mut list = operations::chosen(&args.operation);
    list.retain(|one| !args.quick || one.quick || !args.operation.is_empty());
    if list.is_empty() {
        let wanted = args.operation.join(", ");
        return Err(Failure::Usage(format!("no operation fits {wanted:?}; `perilune bench --list` lists them")));
    }
    Ok(list)
}

fn list(args: &Bench) -> Result<(), Failure> {
    let mut table = output::Table::new(&["FAMILY", "OPERATION"]);
    for one in chosen(args)? {
        table.row([one.family.to_owned(), one.name]);
    }
    output::print(&table.text())
}

fn measured(args: &Bench) -> Result<Report, Failure> {
    let operations = chosen(args)?;
    let (rounds, seconds, objects) = if args.quick { (3, 0.1, 10) } else { (3, 0.5, 1000) };
    let plan = Plan {
        span: Duration::from_secs_f64(args.seconds.unwrap_or(seconds)),
        rounds: args.rounds.unwrap_or(rounds),
        threads: args.threads.clone(),
    };
    let stop = interruption()?;
    let (date, machine, begin) = (machine::now(), machine::Machine::this(), Instant::now());
    let mut desks = Vec::new();
    for (index, choice) in args.module.iter().enumerate() {
        if args.module[..index].iter().any(|other| other.path == choice.path) {
            let path = choice.path.display();
            return Err(Failure::Usage(format!(
                "{path} is given twice, and a library is loaded once only; copy the file"
            )));
        }
        desks.push(Desk::open(choice, args.objects_max.unwrap_or(objects), &stop)?);
    }
    let modules = desks.iter().map(module_line).collect();
    let outcome = run::run(&operations, &mut desks, &plan);
    let mut left = Ok(());
    for desk in desks {
        left = desk.leave().and(left);
    }
    let operations = outcome.map_err(|trouble| match trouble {
        Trouble::Stopped => Failure::Failed {
            what: "interrupted".to_owned(),
            why: "the bench's objects are removed, there is no report".to_owned(),
            advice: "",
            exit: EXIT_INTERRUPTED,
        },
        other => Failure::new("the bench cannot go on", other, ""),
    });
    left?;
    let operations = operations?;
    Ok(Report {
        date,
        command: format!("perilune {}", options::without_pins(std::env::args().skip(1))),
        bench_version: env!("CARGO_PKG_VERSION").to_owned(),
        machine,
        rounds: plan.rounds,
        seconds: plan.span.as_secs_f64(),
        took_seconds: begin.elapsed().as_secs(),
        modules,
        means: Report::means_of(&operations),
        operations,
    })
}

fn module_line(desk: &Desk) -> ModuleLine {
    let (major, minor) = desk.version.library;
    ModuleLine {
        name: desk.name.clone(),
        path: desk.path.display().to_string(),
        description: desk.version.description.clone(),
        version: format!("{major}.{minor}"),
        note: desk.note.clone(),
    }
}

/// A flag that Ctrl-C and its like set; the second time they end the process at once.
fn interruption() -> Result<Arc<AtomicBool>, Failure> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_shutdown(signal, i32::from(EXIT_INTERRUPTED), stop.clone())
            .and_then(|_id| signal_hook::flag::register(signal, stop.clone()))
            .map_err(|error| Failure::new("cannot watch for interruptions", error, ""))?;
    }
    Ok(stop)
}

/// What shells call a process that Ctrl-C ended.
const EXIT_INTERRUPTED: u8 = 130;

/// The report in the envelope of all JSON of this command.
fn json(report: &Report) -> Result<String, Failure> {
    let failed = |error| Failure::new("cannot make JSON", error, "");
    let value = serde_json::json!({ "version": 1, "bench": serde_json::to_value(report).map_err(failed)? });
    Ok(format!("{value:#}\n"))
}

/// Reads what `--json` wrote.
fn read(path: &Path) -> Result<Report, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("cannot read {}", path.display()), error, "");
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    let mut value: Value = serde_json::from_str(&text).map_err(|error| failed(&error))?;
    serde_json::from_value(value["bench"].take()).map_err(|error| failed(&error))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure::new(format!("cannot write {}", path.display()), error, ""))
}

/// How a page names a file beside it: by its name when it is in the same folder.
fn seen_from(page: &Path, file: &Path) -> String {
    match file.file_name() {
        Some(name) if file.parent() == page.parent() => name.to_string_lossy().into_owned(),
        _ => file.display().to_string(),
    }
}
