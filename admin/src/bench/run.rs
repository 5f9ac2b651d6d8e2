//! The run: which operation, with how many threads, in which round, on which module.
//!
//! Owns: that order. Modules take turns within each round, every other round backwards, so that what slows the machine for a
//! while slows all of them. Does not know: what an operation is, how results are shown.

use super::desk::{Desk, Trouble};
use super::measure::{Sample, measure, new_histogram};
use super::operations::{Operation, Prepared};
use super::progress::Progress;
use super::report::{Figures, Line};
use super::statistics;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long and how often.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Of each measurement.
    pub span: Duration,
    /// Of each operation.
    pub rounds: usize,
    /// Each of these numbers of threads.
    pub threads: Vec<usize>,
}

/// Measures all operations on all modules.
///
/// # Errors
/// `Stopped` when the user interrupted it; other troubles become part of the results.
pub fn run(operations: &[Operation], desks: &mut [Desk], plan: &Plan) -> Result<Vec<Line>, Trouble> {
    let steps = |one: &Operation| numbers_of(one, plan).len() * plan.rounds * desks.len();
    let mut progress = Progress::new(operations.iter().map(steps).sum());
    let mut lines = Vec::new();
    for (index, operation) in operations.iter().enumerate() {
        lines.extend(one(operation, desks, plan, &mut progress)?);
        let next = operations.get(index + 1);
        if next.is_none_or(|next| next.family != operation.family) {
            for desk in desks.iter_mut() {
                progress.say(&format!("{}: {}: removing objects", operation.family, desk.name));
                tidy_up(desk)?;
            }
        }
    }
    Ok(lines)
}

fn numbers_of(operation: &Operation, plan: &Plan) -> Vec<usize> {
    if operation.alone { vec![1] } else { plan.threads.clone() }
}

/// A family's objects are removed at its end, so that the next one begins as the first did.
fn tidy_up(desk: &mut Desk) -> Result<(), Trouble> {
    desk.clear().map_err(|rv| Trouble::Failed(format!("{}: cannot remove the bench's objects: {rv}", desk.name)))
}

/// What a module is ready for, or why not; sessions for the threads.
struct Seat {
    prepared: Result<Prepared, Trouble>,
    samples: Vec<Sample>,
}

fn one(operation: &Operation, desks: &mut [Desk], plan: &Plan, progress: &mut Progress) -> Result<Vec<Line>, Trouble> {
    let mut seats = Vec::new();
    for desk in desks.iter_mut() {
        progress.say(&format!("{}: {}: getting ready", operation.name, desk.name));
        let prepared = operation.prepare(desk);
        desk.go_on()?;
        seats.push(Seat { prepared, samples: Vec::new() });
    }
    let mut lines = Vec::new();
    for threads in numbers_of(operation, plan) {
        for round in 0..plan.rounds {
            for index in turn(desks.len(), round) {
                let (desk, seat) = (&desks[index], &mut seats[index]);
                progress.say(&format!("{}: {} threads: round {}: {}", operation.name, threads, round + 1, desk.name));
                sit(desk, seat, threads, plan.span);
                desk.go_on()?;
                progress.step();
            }
        }
        let results = desks.iter().zip(&mut seats).map(|(desk, seat)| figures(&desk.name, seat)).collect();
        lines.push(Line::new(operation.family, &operation.name, operation.bytes, threads, results));
    }
    for desk in desks.iter_mut() {
        desk.login().map_err(|rv| Trouble::Failed(format!("{}: cannot log in again: {rv}", desk.name)))?;
    }
    Ok(lines)
}

/// In which order modules take their turns in a round.
fn turn(modules: usize, round: usize) -> Vec<usize> {
    let forwards = (0..modules).map(|index| (index + round / 2) % modules);
    if round.is_multiple_of(2) { forwards.collect() } else { forwards.rev().collect() }
}

/// One measurement; a failure takes the module out of this operation.
fn sit(desk: &Desk, seat: &mut Seat, threads: usize, span: Duration) {
    let Ok(prepared) = &seat.prepared else { return };
    let mut sessions = Vec::new();
    let opened = (0..threads).try_for_each(|_| {
        sessions.push(desk.module.open_session(desk.slot, true)?);
        Ok(())
    });
    let sample =
        opened.and_then(|()| measure(&prepared.call, prepared.room, &desk.module, &sessions, span, &desk.stop));
    for session in sessions {
        // A session that cannot be closed is the module's fault and ends with C_Finalize.
        let _ = desk.module.close_session(session);
    }
    match sample {
        Ok(sample) => seat.samples.push(sample),
        Err(_) if desk.stop.load(Ordering::Relaxed) => {}
        Err(rv) => seat.prepared = Err(Trouble::Failed(format!("while it was measured: {rv}"))),
    }
}

fn figures(name: &str, seat: &mut Seat) -> Figures {
    let samples = std::mem::take(&mut seat.samples);
    let mut figures = Figures { module: name.to_owned(), ..Figures::default() };
    match &seat.prepared {
        Err(Trouble::Missing(why)) => figures.missing = Some(why.clone()),
        Err(trouble) => figures.failed = Some(trouble.to_string()),
        Ok(_) => {
            figures.rounds = samples.iter().map(|sample| sample.rate).collect();
            figures.ops_per_second = statistics::median(&figures.rounds);
            figures.spread = statistics::spread(&figures.rounds);
            if let Ok(mut all) = new_histogram() {
                for sample in &samples {
                    // All have the same precision, and an auto-resizing histogram takes in any value.
                    let _ = all.add(&sample.histogram);
                }
                figures.calls = all.len();
                figures.p50_ns = Some(all.value_at_quantile(0.5));
                figures.p99_ns = Some(all.value_at_quantile(0.99));
            }
        }
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::turn;

    #[test]
    fn every_round_goes_over_all_modules_and_every_other_one_backwards() {
        assert_eq!([0, 1, 2, 3].map(|round| turn(2, round)), [[0, 1], [1, 0], [1, 0], [0, 1]]);
        for round in 0..6 {
            let mut order = turn(3, round);
            order.sort_unstable();
            assert_eq!(order, [0, 1, 2]);
        }
    }
}
