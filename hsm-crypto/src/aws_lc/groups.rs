//! AWS-LC's groups: its own constants, and the Brainpool curves made from their domain parameters.
//!
//! Owns: the Brainpool groups, each made at its first use and kept until the process ends. Does not know: keys.
//! Called from `aws_lc::ec`. Rule source: RFC 5639.
//!
//! A group that AWS-LC has no code of its own for is computed with by its general functions (`ec_GFp_mont_*`), which
//! also serve its secp256k1: Montgomery arithmetic, windows whose entries are picked in constant time, and inversions by
//! exponentiation. Its header advises against groups from elsewhere because their numbers might be wrong; these are
//! constants, and the tests compare every one of them with the portable engine and with published signatures.

use super::object::{NO_MEMORY, Owned, number, succeeded};
use crate::brainpool::{self, Domain};
use crate::ec::Curve;
use crate::error::{CryptoError, Result};
use aws_lc_sys::{
    EC_GROUP, EC_GROUP_new_curve_GFp, EC_GROUP_set_generator, EC_POINT_new, EC_POINT_set_affine_coordinates_GFp,
    EC_group_p224, EC_group_p256, EC_group_p384, EC_group_p521, EC_group_secp256k1,
};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The group of a curve; it lives as long as the process.
///
/// # Errors
/// `OutOfMemory`.
pub(super) fn group(curve: Curve) -> Result<*const EC_GROUP> {
    let (kept, domain) = match curve {
        // SAFETY: these five have no preconditions and return a constant.
        Curve::P224 => return Ok(unsafe { EC_group_p224() }),
        // SAFETY: as above.
        Curve::P256 => return Ok(unsafe { EC_group_p256() }),
        // SAFETY: as above.
        Curve::P384 => return Ok(unsafe { EC_group_p384() }),
        // SAFETY: as above.
        Curve::P521 => return Ok(unsafe { EC_group_p521() }),
        // SAFETY: as above.
        Curve::K256 => return Ok(unsafe { EC_group_secp256k1() }),
        Curve::BrainpoolP224r1 => (&MADE[0], &brainpool::P224R1),
        Curve::BrainpoolP224t1 => (&MADE[1], &brainpool::P224T1),
        Curve::BrainpoolP256r1 => (&MADE[2], &brainpool::P256R1),
        Curve::BrainpoolP256t1 => (&MADE[3], &brainpool::P256T1),
        Curve::BrainpoolP320r1 => (&MADE[4], &brainpool::P320R1),
        Curve::BrainpoolP320t1 => (&MADE[5], &brainpool::P320T1),
        Curve::BrainpoolP384r1 => (&MADE[6], &brainpool::P384R1),
        Curve::BrainpoolP384t1 => (&MADE[7], &brainpool::P384T1),
        Curve::BrainpoolP512r1 => (&MADE[8], &brainpool::P512R1),
        Curve::BrainpoolP512t1 => (&MADE[9], &brainpool::P512T1),
    };
    let made = kept.load(Ordering::Acquire);
    if !made.is_null() {
        return Ok(made);
    }
    // Two threads may make it at the same moment, which does no harm: the second one's is freed. A lock would be held for
    // ever in the child of a fork.
    let group = make(domain)?;
    match kept.compare_exchange(ptr::null_mut(), group.as_ptr(), Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Ok(group.release()),
        Err(other) => Ok(other),
    }
}

/// The Brainpool groups made so far. Nothing changes them afterwards, so that threads share them.
static MADE: [AtomicPtr<EC_GROUP>; 10] = [const { AtomicPtr::new(ptr::null_mut()) }; 10];

fn make(domain: &Domain) -> Result<Owned<EC_GROUP>> {
    let integer = |digits: &str| number(&bytes(digits));
    let (p, a, b) = (integer(domain.p)?, integer(domain.a)?, integer(domain.b)?);
    // SAFETY: the numbers are alive and copied; null asks for a temporary context.
    let group = unsafe { EC_GROUP_new_curve_GFp(p.as_ptr(), a.as_ptr(), b.as_ptr(), ptr::null_mut()) };
    let group = Owned::take(group, NO_MEMORY)?;
    // SAFETY: the group is alive; this is one of the functions that it may be given to before it has a generator.
    let generator = Owned::take(unsafe { EC_POINT_new(group.as_ptr()) }, NO_MEMORY)?;
    let (x, y) = (integer(domain.x)?, integer(domain.y)?);
    // SAFETY: all four are alive, and the point is of the group; AWS-LC checks that the point is on the curve.
    let answer = unsafe {
        EC_POINT_set_affine_coordinates_GFp(group.as_ptr(), generator.as_ptr(), x.as_ptr(), y.as_ptr(), ptr::null_mut())
    };
    succeeded(answer, FAILED)?;
    let (order, cofactor) = (integer(domain.n)?, number(&[1])?);
    // SAFETY: all four are alive and copied; nobody else has the group yet.
    let answer =
        unsafe { EC_GROUP_set_generator(group.as_ptr(), generator.as_ptr(), order.as_ptr(), cofactor.as_ptr()) };
    succeeded(answer, FAILED)?;
    Ok(group)
}

const FAILED: CryptoError = CryptoError::EngineFailed("a Brainpool group");

/// The bytes of the table's hexadecimal digits.
fn bytes(digits: &str) -> Vec<u8> {
    let value = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).unwrap_or(0);
    digits.as_bytes().chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | value(digit))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_sys::{EC_GROUP_get0_generator, EC_POINT_is_at_infinity, EC_POINT_mul};

    #[test]
    fn the_generator_of_every_group_has_the_order_of_the_group() {
        for curve in Curve::ALL {
            let made = group(curve).unwrap();
            assert_eq!(made, group(curve).unwrap(), "{curve:?} is made once");
            let Some(domain) = domain(curve) else { continue };
            let order = number(&bytes(domain.n)).unwrap();
            // SAFETY: the group lives as long as the process.
            let point = Owned::take(unsafe { EC_POINT_new(made) }, NO_MEMORY).unwrap();
            // SAFETY: as above.
            let generator = unsafe { EC_GROUP_get0_generator(made) };
            // SAFETY: all are alive and of one group; the first null stands for no multiple of the generator itself.
            let answer =
                unsafe { EC_POINT_mul(made, point.as_ptr(), ptr::null(), generator, order.as_ptr(), ptr::null_mut()) };
            assert_eq!(answer, 1, "{curve:?}");
            // SAFETY: group and point are alive.
            assert_eq!(unsafe { EC_POINT_is_at_infinity(made, point.as_ptr()) }, 1, "{curve:?}");
        }
    }

    fn domain(curve: Curve) -> Option<&'static Domain> {
        Some(match curve {
            Curve::P224 | Curve::P256 | Curve::P384 | Curve::P521 | Curve::K256 => return None,
            Curve::BrainpoolP224r1 => &brainpool::P224R1,
            Curve::BrainpoolP224t1 => &brainpool::P224T1,
            Curve::BrainpoolP256r1 => &brainpool::P256R1,
            Curve::BrainpoolP256t1 => &brainpool::P256T1,
            Curve::BrainpoolP320r1 => &brainpool::P320R1,
            Curve::BrainpoolP320t1 => &brainpool::P320T1,
            Curve::BrainpoolP384r1 => &brainpool::P384R1,
            Curve::BrainpoolP384t1 => &brainpool::P384T1,
            Curve::BrainpoolP512r1 => &brainpool::P512R1,
            Curve::BrainpoolP512t1 => &brainpool::P512T1,
        })
    }
}
