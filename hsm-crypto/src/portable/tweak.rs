//! Sums on a curve: a scalar or a point with a second scalar, for keys in trees.
//!
//! Called from [`crate::kdf::tree`]. Both engines use this: AWS-LC's safe interface has no such sums.

use crate::ec::Curve;
use crate::secret::SecretBytes;

/// One module for one curve; the crates share their shape and no common name for it.
macro_rules! sums {
    ($module:ident, $library:ident) => {
        mod $module {
            use super::SecretBytes;
            use zeroize::Zeroizing;
            use $library::elliptic_curve::PrimeField;
            use $library::elliptic_curve::sec1::ToSec1Point;
            use $library::{FieldBytes, ProjectivePoint, PublicKey, Scalar};

            fn number(bytes: &[u8]) -> Option<Zeroizing<Scalar>> {
                let bytes = FieldBytes::try_from(bytes).ok()?;
                Option::from(Scalar::from_repr(bytes)).map(Zeroizing::new)
            }

            pub(super) fn scalars(first: &[u8], second: &[u8]) -> Option<SecretBytes> {
                let sum = Zeroizing::new(*number(first)? + *number(second)?);
                let bytes = Zeroizing::new(sum.to_repr());
                let sum = SecretBytes::copy_of(&bytes);
                sum.expose().iter().any(|byte| *byte != 0).then_some(sum)
            }

            pub(super) fn point(point: &[u8], scalar: &[u8]) -> Option<Vec<u8>> {
                let point = PublicKey::from_sec1_bytes(point).ok()?.to_projective();
                let sum = point + ProjectivePoint::GENERATOR * *number(scalar)?;
                let sum = PublicKey::from_affine(sum.to_affine()).ok()?;
                Some(sum.to_sec1_point(false).as_bytes().to_vec())
            }
        }
    };
}

sums!(secp256k1, k256);
sums!(nist_p256, p256);

/// The sum of two scalars modulo the order of the curve; `None` when one is not below the order, the sum is zero, or no sums
/// are needed on the curve.
pub(crate) fn scalars(curve: Curve, first: &[u8], second: &[u8]) -> Option<SecretBytes> {
    match curve {
        Curve::K256 => secp256k1::scalars(first, second),
        Curve::P256 => nist_p256::scalars(first, second),
        _ => None,
    }
}

/// A point and the base point times a scalar, uncompressed; `None` as for [`scalars`], and for the identity.
pub(crate) fn point(curve: Curve, point: &[u8], scalar: &[u8]) -> Option<Vec<u8>> {
    match curve {
        Curve::K256 => secp256k1::point(point, scalar),
        Curve::P256 => nist_p256::point(point, scalar),
        _ => None,
    }
}
