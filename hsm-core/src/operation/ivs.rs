//! The IVs that the token makes for messages.
//!
//! Owns: what each generator function makes, that no IV comes twice in one run of messages, and when they are used up. Does not
//! know: modes, keys. Called from `messages`, and from the wrapping of keys.
//! Rule source: PKCS#11 v3.1, 6.13.2 (generator functions); NIST SP 800-38D, 8.2 and 8.3.
//!
//! CKG_GENERATE counts from a random start: distinct within the run, and far from those of other runs. CKG_GENERATE_RANDOM
//! ends long before two of its IVs are likely to be the same: with probability 2^-32, as SP 800-38D has it.

use crate::message::MessageParams;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use ffi_headers::*;

/// The IVs of one run of messages.
#[derive(Default)]
pub struct Ivs {
    scheme: Option<Scheme>,
}

/// How the IVs of a run are made; set by the first message that asks for one, and not changed any more.
struct Scheme {
    generator: u64,
    fixed_bits: u64,
    /// What the counter is added to (CKG_GENERATE) or laid over (CKG_GENERATE_COUNTER_XOR).
    base: Vec<u8>,
    /// The IV that was made last; empty before the first.
    last: Vec<u8>,
    made: u64,
}

impl Ivs {
    /// The next IV; `None` when the caller gives it (CKG_NO_GENERATE).
    ///
    /// # Errors
    /// `MechanismParam` for an unknown generator, too many fixed bits, or another way than before; `IvsUsedUp`.
    pub fn next(&mut self, env: &Env<'_>, params: &MessageParams) -> Result<Option<Vec<u8>>> {
        if env.policy.approved {
            judge_approved(params)?;
        }
        if params.generator == CKG_NO_GENERATE {
            self.given()?;
            return Ok(None);
        }
        let free = free_bits(params)?;
        let scheme = match &mut self.scheme {
            Some(scheme) => scheme,
            none => none.insert(Scheme::begin(env, params)?),
        };
        scheme.continues(params)?;
        if scheme.made >= most(params.generator, free) {
            return Err(Reason::IvsUsedUp);
        }
        let fresh = match params.generator {
            CKG_GENERATE => sum(&scheme.base, scheme.made),
            CKG_GENERATE_COUNTER => sum(&vec![0; params.iv.len()], scheme.made),
            CKG_GENERATE_COUNTER_XOR => {
                let counter = sum(&vec![0; params.iv.len()], scheme.made);
                scheme.base.iter().zip(counter).map(|(base, count)| base ^ count).collect()
            }
            _ => random(env, params.iv.len())?,
        };
        let iv: Vec<u8> = (0..)
            .zip(params.iv.iter().zip(fresh))
            .map(|(at, (fixed, fresh))| {
                let mask = fixed_mask(at, params.fixed_bits);
                fixed & mask | fresh & !mask
            })
            .collect();
        scheme.made += 1;
        scheme.last.clone_from(&iv);
        Ok(Some(iv))
    }
}

impl Ivs {
    /// Takes note that the caller gives the IVs of this run, whatever they are.
    fn given(&mut self) -> Result<()> {
        let scheme = self.scheme.get_or_insert_with(|| Scheme {
            generator: CKG_NO_GENERATE,
            fixed_bits: 0,
            base: Vec::new(),
            last: Vec::new(),
            made: 0,
        });
        if scheme.generator == CKG_NO_GENERATE { Ok(()) } else { Err(ANOTHER_WAY) }
    }
}

/// A caller's IV may be one that the token made, or is going to make, and two ways of making them may come to the same one.
const ANOTHER_WAY: Reason = Reason::MechanismParam("the IVs of a run of messages are all made in the same way");

impl Scheme {
    fn begin(env: &Env<'_>, params: &MessageParams) -> Result<Self> {
        let base = match params.generator {
            CKG_GENERATE => random(env, params.iv.len())?,
            _ => params.iv.clone(),
        };
        Ok(Self { generator: params.generator, fixed_bits: params.fixed_bits, base, last: Vec::new(), made: 0 })
    }

    /// Refuses another way of making IVs than that of the first: two ways may come to the same IV.
    fn continues(&self, params: &MessageParams) -> Result<()> {
        let same = (self.generator, self.fixed_bits, self.base.len())
            == (params.generator, params.fixed_bits, params.iv.len());
        if !same {
            return Err(ANOTHER_WAY);
        }
        // What is laid under the counter must not vary. A caller who does not put it back gives the IV that was made last.
        let free_part = |iv: &[u8]| -> Vec<u8> {
            (0..).zip(iv).map(|(at, byte)| byte & !fixed_mask(at, self.fixed_bits)).collect()
        };
        let varies = free_part(&params.iv) != free_part(&self.base) && free_part(&params.iv) != free_part(&self.last);
        if self.generator == CKG_GENERATE_COUNTER_XOR && varies {
            return Err(Reason::MechanismParam("the part of the IV under the counter varies"));
        }
        Ok(())
    }
}

/// Refuses what SP 800-38D, 8.2 does not have: IVs from outside, counters that begin anew with each run, and random fields of
/// less than 96 bits.
fn judge_approved(params: &MessageParams) -> Result<()> {
    let random = matches!(params.generator, CKG_GENERATE | CKG_GENERATE_RANDOM);
    if random && free_bits(params)? >= 96 {
        return Ok(());
    }
    Err(Reason::MechanismParam("an approved token makes 96 bits of the IV at least, from randomness"))
}

/// The bits of an IV that the token makes.
///
/// # Errors
/// `MechanismParam` when they are none, or too few for randomness.
fn free_bits(params: &MessageParams) -> Result<u64> {
    let free = (8 * params.iv.len() as u64).checked_sub(params.fixed_bits).filter(|free| *free > 0);
    let free = free.ok_or(Reason::MechanismParam("every bit of the IV is fixed"))?;
    match params.generator {
        CKG_GENERATE_COUNTER | CKG_GENERATE_COUNTER_XOR => Ok(free),
        CKG_GENERATE | CKG_GENERATE_RANDOM if free >= RANDOM_BITS_MIN => Ok(free),
        CKG_GENERATE | CKG_GENERATE_RANDOM => Err(Reason::MechanismParam("too few bits of the IV are free")),
        _ => Err(Reason::MechanismParam("the generator function is unknown")),
    }
}

/// How many IVs there are in so many bits.
fn most(generator: u64, free: u64) -> u64 {
    match generator {
        // Among 2^n random values of `free` bits two are the same with a probability of 2^(2n - 1 - free).
        CKG_GENERATE_RANDOM => 1 << ((free.clamp(RANDOM_BITS_MIN, 96) - 32) / 2),
        _ if free < u64::BITS.into() => 1 << free,
        _ => u64::MAX,
    }
}

/// The fixed bits of the byte at a place; they are counted from the first byte's highest bit on.
fn fixed_mask(at: u64, fixed_bits: u64) -> u8 {
    match fixed_bits.saturating_sub(8 * at) {
        0 => 0,
        bits @ 1..8 => !(0xff >> bits),
        _ => 0xff,
    }
}

/// A big-endian number and a small one; what does not fit is lost.
fn sum(number: &[u8], small: u64) -> Vec<u8> {
    let mut carry = u128::from(small);
    let mut sum: Vec<u8> = number
        .iter()
        .rev()
        .map(|byte| {
            carry += u128::from(*byte);
            let low = carry.to_le_bytes()[0];
            carry >>= 8;
            low
        })
        .collect();
    sum.reverse();
    sum
}

fn random(env: &Env<'_>, bytes: usize) -> Result<Vec<u8>> {
    let mut random = vec![0; bytes];
    env.random.fill(&mut random)?;
    Ok(random)
}

/// Fewest free bits for random IVs: the shortest nonce of CCM, of which nothing is fixed.
const RANDOM_BITS_MIN: u64 = 56;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;
    use hsm_crypto::Random;
    use std::sync::atomic::{AtomicU8, Ordering};

    /// Random bytes that are known: all 1, then all 2, and so on.
    #[derive(Default)]
    struct Known(AtomicU8);

    impl Random for Known {
        fn fill(&self, out: &mut [u8]) -> hsm_crypto::Result<()> {
            out.fill(self.0.fetch_add(1, Ordering::Relaxed) + 1);
            Ok(())
        }
    }

    fn params(generator: u64, iv: &[u8], fixed_bits: u64) -> MessageParams {
        MessageParams { iv: iv.to_vec(), fixed_bits, generator, tag_bits: 128, data_bytes: None }
    }

    fn next(ivs: &mut Ivs, known: &Known, params: &MessageParams) -> Result<Vec<u8>> {
        next_of(Policy::default(), ivs, known, params)
    }

    fn next_of(policy: Policy, ivs: &mut Ivs, known: &Known, params: &MessageParams) -> Result<Vec<u8>> {
        let env = Env { engine: hsm_crypto::portable(), random: known, policy, one_time: None };
        ivs.next(&env, params).map(Option::unwrap_or_default)
    }

    #[test]
    fn an_approved_token_makes_its_ivs_itself_and_from_randomness() {
        let approved = Policy { approved: true, ..Policy::default() };
        let judged = |generator, fixed_bits| {
            let params = params(generator, &[7; 16], fixed_bits);
            next_of(approved, &mut Ivs::default(), &Known::default(), &params)
        };
        assert!(judged(CKG_GENERATE, 32).is_ok() && judged(CKG_GENERATE_RANDOM, 32).is_ok());
        for (generator, fixed_bits) in [
            (CKG_NO_GENERATE, 0),
            (CKG_GENERATE_COUNTER, 0),
            (CKG_GENERATE_COUNTER_XOR, 0),
            (CKG_GENERATE, 33),
            (CKG_GENERATE_RANDOM, 33),
        ] {
            assert!(matches!(judged(generator, fixed_bits), Err(Reason::MechanismParam(_))), "{generator}");
        }
    }

    #[test]
    fn a_given_iv_is_left_alone() {
        let (mut ivs, known) = (Ivs::default(), Known::default());
        assert_eq!(next(&mut ivs, &known, &params(CKG_NO_GENERATE, &[1; 12], 96)).unwrap(), []);
    }

    #[test]
    fn the_callers_ivs_and_those_of_the_token_do_not_meet_in_one_run() {
        let given = params(CKG_NO_GENERATE, &[0; 12], 0);
        for generator in [CKG_GENERATE, CKG_GENERATE_COUNTER, CKG_GENERATE_COUNTER_XOR, CKG_GENERATE_RANDOM] {
            let made = params(generator, &[0; 12], 0);
            for (first, second) in [(&given, &made), (&made, &given)] {
                let (mut ivs, known) = (Ivs::default(), Known::default());
                next(&mut ivs, &known, first).unwrap();
                assert!(matches!(next(&mut ivs, &known, second), Err(Reason::MechanismParam(_))), "{generator}");
                assert!(next(&mut ivs, &known, first).is_ok(), "{generator}: the first way goes on");
            }
        }
    }

    #[test]
    fn a_counter_begins_at_zero_behind_the_fixed_bits() {
        let (mut ivs, known) = (Ivs::default(), Known::default());
        let given = params(CKG_GENERATE_COUNTER, &[0xff; 4], 12);
        for last in 0..3 {
            assert_eq!(next(&mut ivs, &known, &given).unwrap(), [0xff, 0xf0, 0, last]);
        }
    }

    #[test]
    fn a_counter_is_used_up_when_it_would_come_back_to_its_start() {
        for generator in [CKG_GENERATE_COUNTER, CKG_GENERATE_COUNTER_XOR] {
            let (mut ivs, known) = (Ivs::default(), Known::default());
            let given = params(generator, &[5; 12], 86);
            let made: std::collections::BTreeSet<_> =
                (0..1024).map(|_| next(&mut ivs, &known, &given).unwrap()).collect();
            assert_eq!(made.len(), 1024, "ten bits are free");
            assert!(matches!(next(&mut ivs, &known, &given), Err(Reason::IvsUsedUp)));
        }
    }

    #[test]
    fn a_counter_laid_over_the_iv_is_laid_over_the_first_one_whether_or_not_the_caller_puts_it_back() {
        let (mut ivs, known) = (Ivs::default(), Known::default());
        let base = [9, 9, 9, 9, 9, 9, 9, 3];
        let mut given = params(CKG_GENERATE_COUNTER_XOR, &base, 0);
        for (count, last) in [(0, 3), (1, 2), (2, 1), (3, 0), (4, 7)] {
            let iv = next(&mut ivs, &known, &given).unwrap();
            assert_eq!(iv[7], last, "{count}");
            // Every second time the buffer stays as it was returned.
            given.iv = if count % 2 == 0 { iv } else { base.to_vec() };
        }
        given.iv = vec![8; 8];
        assert!(matches!(next(&mut ivs, &known, &given), Err(Reason::MechanismParam(_))));
    }

    #[test]
    fn generated_ivs_count_from_a_random_start_and_random_ones_are_drawn_each_time() {
        let (mut ivs, known) = (Ivs::default(), Known::default());
        let given = params(CKG_GENERATE, &[7; 12], 32);
        for last in 1..4 {
            assert_eq!(next(&mut ivs, &known, &given).unwrap(), [7, 7, 7, 7, 1, 1, 1, 1, 1, 1, 1, last]);
        }
        let mut ivs = Ivs::default();
        let given = params(CKG_GENERATE_RANDOM, &[0x77; 12], 4);
        for drawn in 2..4 {
            let expected = [&[0x70 | drawn][..], &[drawn; 11]].concat();
            assert_eq!(next(&mut ivs, &known, &given).unwrap(), expected);
        }
    }

    #[test]
    fn random_ivs_end_before_two_are_likely_to_be_the_same() {
        assert_eq!(most(CKG_GENERATE_RANDOM, 96), 1 << 32);
        assert_eq!(most(CKG_GENERATE_RANDOM, 2048), 1 << 32);
        assert_eq!(most(CKG_GENERATE_RANDOM, 64), 1 << 16);
        assert_eq!(most(CKG_GENERATE, 64), u64::MAX);
        assert_eq!(most(CKG_GENERATE_COUNTER, 1), 2);
    }

    #[test]
    fn the_way_cannot_change_and_must_be_one() {
        let known = Known::default();
        for bad in [
            params(CKG_GENERATE, &[0; 12], 97),
            params(CKG_GENERATE, &[0; 12], 96),
            params(CKG_GENERATE, &[0; 12], 41),
            params(CKG_GENERATE_RANDOM, &[0; 6], 0),
            params(CKG_GENERATE_COUNTER, &[0; 12], u64::MAX),
            params(5, &[0; 12], 0),
            params(u64::MAX, &[0; 12], 0),
        ] {
            let answer = next(&mut Ivs::default(), &known, &bad);
            assert!(matches!(answer, Err(Reason::MechanismParam(_))), "{bad:?}");
        }
        let mut ivs = Ivs::default();
        next(&mut ivs, &known, &params(CKG_GENERATE_COUNTER, &[0; 12], 32)).unwrap();
        for other in [
            params(CKG_GENERATE_RANDOM, &[0; 12], 32),
            params(CKG_GENERATE_COUNTER, &[0; 12], 31),
            params(CKG_GENERATE_COUNTER, &[0; 13], 32),
        ] {
            assert!(matches!(next(&mut ivs, &known, &other), Err(Reason::MechanismParam(_))), "{other:?}");
        }
    }
}
