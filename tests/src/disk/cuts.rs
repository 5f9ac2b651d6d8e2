//! Which power cuts are tried: all subsets of few pending changes, a choice that a seed decides of many.
//!
//! Owns: the list of cuts at one point, always the same for the same seed. Does not know: what is in the files. Called from the
//! scenario about power cuts.

use super::image::{Fate, Lengths, Pending, Random};

/// A power cut: what becomes of each pending change.
#[derive(Debug, Clone)]
pub struct Cut {
    /// One for each pending change.
    pub fates: Vec<Fate>,
    /// What becomes of new lengths.
    pub lengths: Lengths,
}

/// The cuts to try at a point with these pending changes, at most about `most`.
#[must_use]
pub fn cuts(pending: &[Pending], most: usize, seed: u64) -> Vec<Cut> {
    let count = pending.len();
    let mut random = Random(seed);
    let mut all = Vec::new();
    let mut add = |fates: Vec<Fate>, lengths| all.push(Cut { fates, lengths });
    for lengths in [Lengths::AsKept, Lengths::New, Lengths::NewOverGarbage] {
        add(vec![Fate::Lost; count], lengths);
    }
    for lengths in [Lengths::AsKept, Lengths::Old] {
        add(vec![Fate::Kept; count], lengths);
    }
    if count < usize::BITS as usize && 1 << count <= most {
        for set in 1..(1 << count) - 1_usize {
            add(
                (0..count).map(|at| if set >> at & 1 == 1 { Fate::Kept } else { Fate::Lost }).collect(),
                Lengths::AsKept,
            );
        }
    } else {
        let mut each = |mut fates_of: Box<dyn FnMut(usize) -> Vec<Fate>>| {
            for at in some(count, most / 4, &mut random) {
                add(fates_of(at), Lengths::AsKept);
            }
        };
        each(Box::new(|at| (0..count).map(|other| if other == at { Fate::Lost } else { Fate::Kept }).collect()));
        each(Box::new(|at| (0..count).map(|other| if other == at { Fate::Kept } else { Fate::Lost }).collect()));
        each(Box::new(|at| (0..count).map(|other| if other <= at { Fate::Kept } else { Fate::Lost }).collect()));
    }
    let large: Vec<usize> = (0..count).filter(|&at| pending[at].sectors() > 1).collect();
    for at in some(large.len(), most / 4, &mut random) {
        let torn = large[at];
        let edge = 1 + random.below(pending[torn].sectors() - 1);
        for fate in [Fate::Front(edge), Fate::Back(edge), Fate::Torn(random.next())] {
            // What came before is there and what came afterwards is not, and the other way round.
            let before = |other: usize| if other < torn { Fate::Kept } else { Fate::Lost };
            let beside = |_: usize| Fate::Kept;
            for others in [&before as &dyn Fn(usize) -> Fate, &beside] {
                add(
                    (0..count).map(|other| if other == torn { fate } else { others(other) }).collect(),
                    Lengths::AsKept,
                );
            }
        }
    }
    if count > 1 {
        for _ in 0..most / 4 {
            let kept_of_8 = 1 + random.below(7);
            let fates = (0..count).map(|_| match random.below(10) {
                0 => Fate::Torn(random.next()),
                _ if random.below(8) < kept_of_8 => Fate::Kept,
                _ => Fate::Lost,
            });
            let fates = fates.collect();
            add(fates, [Lengths::AsKept, Lengths::Old, Lengths::New, Lengths::NewOverGarbage][random.below(4)]);
        }
    }
    all
}

/// At most `most` of the numbers below `count`, in order.
fn some(count: usize, most: usize, random: &mut Random) -> Vec<usize> {
    let mut left = most.min(count);
    let chosen = |at: &usize| {
        let take = random.below(count - at) < left;
        left -= usize::from(take);
        take
    };
    (0..count).filter(chosen).collect()
}
