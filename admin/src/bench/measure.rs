//! One measurement: so many threads do one operation again and again for a span of time.
//!
//! Owns: the clock, the histogram of latencies, when a measurement ends. Does not know: what the operation is. The clock is read
//! once an operation, between two, so that a reading costs every module the same twentieth of a microsecond.

use hdrhistogram::Histogram;
use pkcs11_client::{Answer, Module, Rv};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

/// One operation, done once: with a session, and a hand of the thread's own.
pub type Call = Arc<dyn Fn(&Module, u64, &mut Hand) -> Answer<()> + Send + Sync>;

/// What one thread works with.
#[derive(Default)]
pub struct Hand {
    /// Room for outputs.
    pub out: Vec<u8>,
    /// How much of it the last operation filled.
    pub length: usize,
    /// How long the part that counts took, where that is not all of the operation.
    pub counted: Option<Duration>,
    /// Objects to be destroyed after the measurement.
    pub made: Vec<u64>,
    /// How many operations this thread has done.
    pub turn: usize,
}

impl Hand {
    /// A hand with room for so many bytes.
    pub fn new(room: usize) -> Self {
        Self { out: vec![0; room], ..Self::default() }
    }

    /// What the last operation filled.
    pub fn output(&self) -> &[u8] {
        &self.out[..self.length.min(self.out.len())]
    }

    /// Runs the part of an operation that counts.
    pub fn count<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let value = work();
        self.counted = Some(begin.elapsed());
        value
    }
}

/// The figures of one measurement.
pub struct Sample {
    /// Operations a second of all threads together.
    pub rate: f64,
    /// Nanoseconds of each operation.
    pub histogram: Histogram<u64>,
}

/// One thread's figures.
struct Part {
    rate: f64,
    histogram: Histogram<u64>,
    made: Vec<u64>,
}

/// Measures with one thread for each session.
///
/// # Errors
/// The first failure of an operation.
pub fn measure(
    call: &Call,
    room: usize,
    module: &Module,
    sessions: &[u64],
    span: Duration,
    stop: &AtomicBool,
) -> Answer<Sample> {
    let barrier = Barrier::new(sessions.len());
    let parts: Vec<(u64, Answer<Part>)> = std::thread::scope(|scope| {
        let start = |&session: &u64| {
            let (barrier, call) = (&barrier, call.clone());
            (session, scope.spawn(move || part(&call, room, module, session, span, barrier, stop)))
        };
        let threads: Vec<_> = sessions.iter().map(start).collect();
        // A thread that panics has no figures; what it was doing is in the panic's own message.
        let lost = || Err(Rv(ffi_headers::CKR_GENERAL_ERROR));
        threads.into_iter().map(|(session, thread)| (session, thread.join().unwrap_or_else(|_panic| lost()))).collect()
    });
    let mut sample = Sample { rate: 0.0, histogram: new_histogram()? };
    let mut outcome = Ok(());
    for (session, part) in parts {
        match part {
            Ok(part) => {
                sample.rate += part.rate;
                // Both have the same precision, and an auto-resizing histogram takes in any value.
                let _ = sample.histogram.add(&part.histogram);
                outcome = outcome.and(part.made.iter().try_for_each(|&object| module.destroy(session, object)));
            }
            Err(rv) => outcome = outcome.and(Err(rv)),
        }
    }
    outcome.map(|()| sample)
}

/// A histogram of nanoseconds with three digits.
///
/// # Errors
/// None in practice: three digits are within what the crate takes.
pub fn new_histogram() -> Answer<Histogram<u64>> {
    Histogram::new(3).map_err(|_impossible| Rv(ffi_headers::CKR_GENERAL_ERROR))
}

fn part(
    call: &Call,
    room: usize,
    module: &Module,
    session: u64,
    span: Duration,
    barrier: &Barrier,
    stop: &AtomicBool,
) -> Answer<Part> {
    let mut hand = Hand::new(room);
    let warm = warm_up(call, module, session, span / WARM_UP_PART, &mut hand, stop);
    // Also a thread that failed goes through the barrier, or the others would wait for it.
    barrier.wait();
    warm?;
    let mut histogram = new_histogram()?;
    let (mut operations, mut counted) = (0_u64, Duration::ZERO);
    let begin = Instant::now();
    let mut last = begin;
    loop {
        hand.turn += 1;
        call(module, session, &mut hand)?;
        let now = Instant::now();
        let took = hand.counted.take().unwrap_or(now - last);
        last = now;
        operations += 1;
        counted += took;
        // An auto-resizing histogram takes in any value that a clock can give.
        let _ = histogram.record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        let elapsed = now - begin;
        let enough = elapsed >= span && (operations >= OPERATIONS_MIN || elapsed >= span * SPANS_MAX);
        if enough || stop.load(Ordering::Relaxed) {
            break;
        }
    }
    Ok(Part { rate: operations as f64 / counted.as_secs_f64().max(1e-9), histogram, made: hand.made })
}

/// At least one operation, so that what is made at the first use of a thread is there.
fn warm_up(
    call: &Call,
    module: &Module,
    session: u64,
    span: Duration,
    hand: &mut Hand,
    stop: &AtomicBool,
) -> Answer<()> {
    let begin = Instant::now();
    loop {
        hand.turn += 1;
        call(module, session, hand)?;
        hand.counted = None;
        if begin.elapsed() >= span || stop.load(Ordering::Relaxed) {
            return Ok(());
        }
    }
}

/// Each measurement is preceded by this part of its span.
const WARM_UP_PART: u32 = 10;
/// A slow operation is done so often, if that does not take too many spans.
const OPERATIONS_MIN: u64 = 3;
/// Then it ends all the same.
const SPANS_MAX: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_tells_a_microsecond_from_a_second() {
        let mut histogram = new_histogram().unwrap();
        for _ in 0..99 {
            histogram.record(1_000).unwrap();
        }
        histogram.record(1_000_000_000).unwrap();
        let near = |quantile: f64, value: u64| histogram.value_at_quantile(quantile).abs_diff(value) <= value / 500;
        assert!(near(0.5, 1_000) && near(0.99, 1_000) && near(1.0, 1_000_000_000), "{histogram:?}");
    }
}
