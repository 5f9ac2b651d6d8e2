//! Whether two series of durations come from the same source: Welch's t-test, on all of them and on the shorter ones.
//!
//! Owns: the arithmetic and the two limits. Does not know: what was measured. Interruptions make a few durations far too
//! long and hide small differences, so the test is made again without the longest of both series, at several limits,
//! and the largest t counts. After: Reparaz, Balasch, Verbauwhede, "Dude, is my code constant time?" (2017).

/// From here on a difference is looked at again with more measurements.
pub const SUSPICIOUS: f64 = 4.5;
/// From here on it is one. Of so many comparisons none gets there by chance.
pub const CERTAIN: f64 = 10.0;

/// Which shares of both series together are kept, the shortest ones.
const SHARES: [f64; 9] = [1.0, 0.999, 0.99, 0.95, 0.9, 0.75, 0.5, 0.25, 0.1];
/// Fewer measurements than this in one series are not tested.
const COUNT_MIN: usize = 50;

/// What the test that showed most found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// Welch's t of the first series against the second.
    pub t: f64,
    /// How much longer the first takes, in nanoseconds.
    pub longer_ns: f64,
    /// Which share of the measurements was kept.
    pub share: f64,
    /// The smallest difference that would have been certain, in nanoseconds, at the limit where that is smallest.
    pub certain_ns: f64,
}

/// Tests two series of nanoseconds.
///
/// # Panics
/// When they are too short for any test.
pub fn compare(first: &[f64], second: &[f64]) -> Finding {
    let mut both: Vec<f64> = first.iter().chain(second).copied().collect();
    both.sort_unstable_by(f64::total_cmp);
    let mut certain_ns = f64::INFINITY;
    let mut most: Option<Finding> = None;
    for share in SHARES {
        let limit = both[((both.len() as f64 * share) as usize).clamp(1, both.len()) - 1];
        let Some((t, longer_ns, error)) = welch(first, second, limit) else { continue };
        certain_ns = certain_ns.min(error * CERTAIN);
        if most.is_none_or(|most| t.abs() > most.t.abs()) {
            most = Some(Finding { t, longer_ns, share, certain_ns });
        }
    }
    let most = most.expect("enough measurements");
    Finding { certain_ns, ..most }
}

/// Welch's t of what is not above `limit`, the difference of both means, and its standard error; `None` where too little is left.
fn welch(first: &[f64], second: &[f64], limit: f64) -> Option<(f64, f64, f64)> {
    let (one, other) = (Series::of(first, limit), Series::of(second, limit));
    if one.count.min(other.count) < COUNT_MIN {
        return None;
    }
    let error = (one.variance / one.count as f64 + other.variance / other.count as f64).sqrt();
    let longer = one.mean - other.mean;
    Some((if longer == 0.0 { 0.0 } else { longer / error }, longer, error))
}

/// The middle one of a series.
pub fn median(series: &[f64]) -> f64 {
    let mut sorted = series.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// Mean and variance of the durations up to a limit.
struct Series {
    count: usize,
    mean: f64,
    variance: f64,
}

impl Series {
    /// One pass in Welford's way, which loses no digits.
    fn of(durations: &[f64], limit: f64) -> Self {
        let (mut count, mut mean, mut squares) = (0_usize, 0.0, 0.0);
        for duration in durations.iter().copied().filter(|duration| *duration <= limit) {
            count += 1;
            let off = duration - mean;
            mean += off / count as f64;
            squares += off * (duration - mean);
        }
        Self { count, mean, variance: squares / count.saturating_sub(1).max(1) as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perilune_tests::Dice;

    /// Durations around `middle` as a busy machine gives them: one in twenty is much too long.
    fn noisy(dice: &mut Dice, middle: f64, count: usize) -> Vec<f64> {
        let mut one = || {
            let sum: u64 = (0..12).map(|_| dice.below(1_000)).sum();
            let late = if dice.below(20) == 0 { dice.below(100_000) as f64 } else { 0.0 };
            middle + (sum as f64 - 5_994.0) / 100.0 + late
        };
        (0..count).map(|_| one()).collect()
    }

    #[test]
    fn welch_t_is_that_of_a_worked_example() {
        // 100 of each; squared distances from the means of 4.25 and 8.5 on average, so variances of 4.293 and 8.586.
        let first: Vec<f64> = (0..100).map(|number| 20.5 + [-2.5, -1.5, 1.5, 2.5][number % 4]).collect();
        let second: Vec<f64> = (0..100).map(|number| 23.0 + [-4.0, -1.0, 1.0, 4.0][number % 4]).collect();
        let (t, longer, error) = welch(&first, &second, f64::INFINITY).unwrap();
        let expected = [(t, -6.966_305), (longer, -2.5), (error, 0.358_870)];
        assert!(expected.iter().all(|(is, should)| (is - should).abs() < 1e-5), "{expected:?}");
        assert_eq!(welch(&first, &second, 18.5), None);
    }

    #[test]
    fn a_small_difference_below_large_noise_is_certain() {
        let mut dice = Dice::new(1);
        let (slow, fast) = (noisy(&mut dice, 1_005.0, 20_000), noisy(&mut dice, 1_000.0, 20_000));
        let found = compare(&slow, &fast);
        assert!(found.t > CERTAIN && found.share < 1.0, "{found:?}");
        assert!((4.0..6.0).contains(&found.longer_ns) && found.certain_ns < 5.0, "{found:?}");
        assert_eq!(compare(&fast, &slow).t, -found.t);
    }

    #[test]
    fn noise_alone_is_not_suspicious() {
        let mut dice = Dice::new(2);
        for _ in 0..50 {
            let found = compare(&noisy(&mut dice, 1_000.0, 2_000), &noisy(&mut dice, 1_000.0, 2_000));
            assert!(found.t.abs() < SUSPICIOUS, "{found:?}");
        }
    }

    #[test]
    fn durations_that_never_vary_are_the_same_or_certainly_not() {
        assert_eq!(compare(&[7.0; 100], &[7.0; 100]).t, 0.0);
        assert_eq!(compare(&[8.0; 100], &[7.0; 100]).t, f64::INFINITY);
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
    }
}
