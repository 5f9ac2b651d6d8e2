//! brainpoolP224, P320 and P512, which no crate has, as types of `primeorder` and `primefield`.
//!
//! Owns: the glue between those two crates, which compute (complete addition formulas and Montgomery arithmetic in
//! constant time), and the numbers in [`crate::brainpool`]. It is what `bp256` and `bp384` consist of when they are built with
//! their backend `bigint`. Called from `portable::ec`. Rule source: RFC 5639.

use crate::brainpool;
use elliptic_curve::bigint::{Odd, U256, U384, U512};
use elliptic_curve::consts::{U28, U40, U64};

/// The two curves over one field. The `nonresidues` are the smallest numbers that are no squares modulo `p` and `n`.
macro_rules! sisters {
    (
        $module:ident,
        $uint:ty,
        $bytes:ty,
        $hash:ty,
        $r1:expr,
        $t1:expr,
        nonresidues: $of_field:literal,
        $of_order:literal
    ) => {
        pub(super) mod $module {
            use super::*;
            use elliptic_curve::hazmat::FieldArithmetic;
            use elliptic_curve::{CurveArithmetic, PrimeCurveArithmetic};
            use field::FieldElement;
            use primeorder::{PrimeCurveParams, mul_backend, point_arithmetic, wnaf};
            use scalar::Scalar;

            const ORDER: Odd<$uint> = Odd::<$uint>::from_be_hex($r1.n);

            #[allow(clippy::expl_impl_clone_on_copy, deprecated, reason = "macros of the crate write it")]
            mod field {
                use super::*;
                use elliptic_curve::ff::PrimeField;
                use elliptic_curve::ops::BatchInvert;
                use elliptic_curve::subtle::{Choice, ConstantTimeEq, CtOption};

                primefield::monty_field_params! {
                    name: FieldParams,
                    modulus: $r1.p,
                    uint: $uint,
                    byte_order: primefield::ByteOrder::BigEndian,
                    multiplicative_generator: $of_field,
                    doc: "The field's modulus."
                }

                primefield::monty_field_element! {
                    name: FieldElement,
                    params: FieldParams,
                    uint: $uint,
                    doc: "Element of the field."
                }

                primefield::monty_field_arithmetic! {
                    name: FieldElement,
                    params: FieldParams,
                    uint: $uint
                }

                impl BatchInvert for FieldElement {}
            }

            #[allow(clippy::expl_impl_clone_on_copy, deprecated, reason = "macros of the crate write it")]
            mod scalar {
                use super::*;
                use elliptic_curve::FieldBytes;
                use elliptic_curve::ff::PrimeField;
                use elliptic_curve::field::bytes_to_uint;
                use elliptic_curve::ops::Reduce;
                use elliptic_curve::scalar::{FromUintUnchecked, IsHigh};
                use elliptic_curve::subtle::{Choice, ConstantTimeEq, ConstantTimeGreater, CtOption};

                primefield::monty_field_params! {
                    name: ScalarParams,
                    modulus: $r1.n,
                    uint: $uint,
                    byte_order: primefield::ByteOrder::BigEndian,
                    multiplicative_generator: $of_order,
                    doc: "The order."
                }

                primefield::monty_field_element! {
                    name: Scalar,
                    params: ScalarParams,
                    uint: $uint,
                    doc: "Number modulo the order."
                }

                primefield::monty_field_arithmetic! {
                    name: Scalar,
                    params: ScalarParams,
                    uint: $uint
                }

                // The conversion into Montgomery form reduces.
                impl Reduce<$uint> for Scalar {
                    fn reduce(number: &$uint) -> Self {
                        Self::from_uint_unchecked(*number)
                    }
                }

                impl Reduce<FieldBytes<R1>> for Scalar {
                    fn reduce(bytes: &FieldBytes<R1>) -> Self {
                        Self::from_uint_unchecked(bytes_to_uint::<R1>(bytes))
                    }
                }

                impl AsRef<Scalar> for Scalar {
                    fn as_ref(&self) -> &Scalar {
                        self
                    }
                }

                impl FromUintUnchecked for Scalar {
                    type Uint = $uint;

                    fn from_uint_unchecked(uint: $uint) -> Self {
                        Self::from_uint_unchecked(uint)
                    }
                }

                impl IsHigh for Scalar {
                    fn is_high(&self) -> Choice {
                        const HALF: $uint = ORDER.as_ref().shr_vartime(1);
                        self.to_canonical().ct_gt(&HALF)
                    }
                }
            }

            const fn element(digits: &str) -> FieldElement {
                FieldElement::from_uint_unchecked(<$uint>::from_be_hex(digits))
            }

            mod glue {
                use super::*;
                use elliptic_curve::ff::PrimeField;

                elliptic_curve::scalar_impls!(R1, Scalar);
                elliptic_curve::scalar_impls!(T1, Scalar);
                wnaf::impl_wnaf_size_for_scalar!(Scalar);
            }

            sisters!(curve R1, $uint, $bytes, $hash, $r1, EquationAIsGeneric);
            sisters!(curve T1, $uint, $bytes, $hash, $t1, EquationAIsMinusThree);
        }
    };
    (curve $curve:ident, $uint:ty, $bytes:ty, $hash:ty, $domain:expr, $equation:ident) => {
        /// The curve.
        #[derive(Copy, Clone, Debug, Default, Eq, PartialEq, PartialOrd, Ord)]
        pub struct $curve;

        impl elliptic_curve::Curve for $curve {
            type FieldBytesSize = $bytes;
            type Uint = $uint;
            const ORDER: Odd<$uint> = ORDER;
        }

        impl elliptic_curve::PrimeCurve for $curve {}

        impl elliptic_curve::point::PointCompression for $curve {
            const COMPRESS_POINTS: bool = false;
        }

        impl CurveArithmetic for $curve {
            type AffinePoint = primeorder::AffinePoint<$curve>;
            type ProjectivePoint = primeorder::ProjectivePoint<$curve>;
            type Scalar = Scalar;
        }

        impl PrimeCurveArithmetic for $curve {
            type CurveGroup = primeorder::ProjectivePoint<$curve>;
        }

        impl FieldArithmetic for $curve {
            type FieldElement = FieldElement;
        }

        impl PrimeCurveParams for $curve {
            type PointArithmetic = point_arithmetic::$equation;
            type Backend = mul_backend::VariableOnly;

            const EQUATION_A: FieldElement = element($domain.a);
            const EQUATION_B: FieldElement = element($domain.b);
            const GENERATOR: (FieldElement, FieldElement) =
                (element($domain.x), element($domain.y));
        }

        impl ecdsa::EcdsaCurve for $curve {
            const NORMALIZE_S: bool = false;
        }

        impl ecdsa::DigestAlgorithm for $curve {
            type Digest = $hash;
        }
    };
}

sisters!(p224, U256, U28, sha2::Sha224, brainpool::P224R1, brainpool::P224T1, nonresidues: 3, 3);
sisters!(p320, U384, U40, sha2::Sha384, brainpool::P320R1, brainpool::P320T1, nonresidues: 5, 3);
sisters!(p512, U512, U64, sha2::Sha512, brainpool::P512R1, brainpool::P512T1, nonresidues: 2, 7);
