//! Medians, ratios and means.
//!
//! Owns: the arithmetic of a report. Does not know: what was measured.

/// The middle value; of an even number of values the mean of the two in the middle. `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        count if count % 2 == 1 => sorted.get(middle).copied(),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// How far apart the values are, as a part of their median; `None` of nothing.
pub fn spread(values: &[f64]) -> Option<f64> {
    let most = values.iter().copied().fold(f64::MIN, f64::max);
    let least = values.iter().copied().fold(f64::MAX, f64::min);
    median(values).map(|middle| (most - least) / middle)
}

/// The geometric mean of positive values; `None` of nothing.
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    Some((values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64).exp())
}

/// The first value as a multiple of the best of the others, with the number of that one; values that are missing take no part.
///
/// `None` when the first is missing, or all others are.
pub fn ratio(values: &[Option<f64>]) -> Option<(f64, usize)> {
    let (first, others) = values.split_first()?;
    let (index, best) = others
        .iter()
        .enumerate()
        .filter_map(|(index, value)| Some((index + 1, (*value)?)))
        .max_by(|(_, one), (_, other)| one.total_cmp(other))?;
    first.map(|first| (first / best, index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_does_not_mind_the_order_or_one_bad_round() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 1000.0, 2.0]), Some(3.0));
    }

    #[test]
    fn the_spread_is_a_part_of_the_median() {
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[5.0]), Some(0.0));
        assert_eq!(spread(&[10.0, 8.0, 11.0]), Some(0.3));
    }

    #[test]
    fn the_geometric_mean_of_twice_and_half_is_one() {
        assert_eq!(geometric_mean(&[]), None);
        assert!((geometric_mean(&[2.0, 0.5]).unwrap() - 1.0).abs() < 1e-12);
        assert!((geometric_mean(&[1.0, 10.0, 100.0]).unwrap() - 10.0).abs() < 1e-9);
    }

    #[test]
    fn the_ratio_is_against_the_best_of_the_others_and_not_against_one_that_is_missing() {
        assert_eq!(ratio(&[Some(6.0), Some(2.0), Some(3.0)]), Some((2.0, 2)));
        assert_eq!(ratio(&[Some(6.0), Some(2.0), None]), Some((3.0, 1)));
        assert_eq!(ratio(&[Some(6.0), None, None]), None);
        assert_eq!(ratio(&[None, Some(2.0)]), None);
        assert_eq!(ratio(&[Some(6.0)]), None);
        assert_eq!(ratio(&[]), None);
    }
}
