//! ECDSA and ECDH of the portable engine: `p224`, `p256`, `p384`, `p521`, `k256`, `bp256`, `bp384` and the curves of
//! [`super::brainpool`] behind the traits of [`crate::ec`].
//!
//! Owns: the lengths of digests, signatures, scalars and points around the crates. Nonces are those of RFC 6979
//! with the caller's randomness mixed in (section 3.6): a weak random source alone cannot betray the key.
//! Called from `portable::PROVIDER`. Rule source: FIPS 186-5 (6.4), SEC 1, SP 800-56A.

use crate::ec::{Curve, EcPair, EcPrivateKey, EcPublicKey, ScalarMethod};
use crate::error::{CryptoError, Result};
use crate::hash::Hash;
use crate::portable::brainpool;
use crate::random::Random;
use crate::secret::{SecretBox, SecretBytes, on_wiped_stack};
use elliptic_curve::Curve as _;
use elliptic_curve::bigint::{BoxedUint, NonZero};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Generates a pair and proves it.
///
/// # Errors
/// `RandomFailed`, or `SelfTest` when the proof fails.
pub(crate) fn generate(curve: Curve, method: ScalarMethod, random: &dyn Random) -> Result<EcPair> {
    let scalar = fresh_scalar(curve, method, random)?;
    let private = private(curve, scalar.expose())?;
    let public = public(curve, &private.public_point())?;
    prove(curve, scalar.expose(), &*public)?;
    Ok(EcPair { scalar, private, public })
}

/// Draws the scalar of a fresh key.
///
/// # Errors
/// `RandomFailed`.
pub(crate) fn fresh_scalar(curve: Curve, method: ScalarMethod, random: &dyn Random) -> Result<SecretBytes> {
    match method {
        ScalarMethod::Rejection => random_scalar(curve, random),
        ScalarMethod::ExtraBits => scalar_with_extra_bits(curve, random),
    }
}

/// Draws a scalar from 1 to the order less one, each equally likely (FIPS 186-5, A.2.2).
///
/// # Errors
/// `RandomFailed`.
fn random_scalar(curve: Curve, random: &dyn Random) -> Result<SecretBytes> {
    let is_scalar = functions(curve).is_scalar;
    // As many bits as the order has: of 528 bits, one number in 128 would be below the order of P-521.
    let surplus = 8 * curve.field_bytes() - curve.bits();
    for _ in 0..DRAWS_MAX {
        let mut scalar = SecretBytes::zeroed(curve.field_bytes());
        random.fill(scalar.expose_mut())?;
        if let [first, ..] = scalar.expose_mut() {
            *first &= 0xFF >> surplus;
        }
        if is_scalar(scalar.expose()) {
            return Ok(scalar);
        }
    }
    Err(CryptoError::RandomFailed)
}

/// Of random numbers, not quite one in two is no scalar of brainpoolP384, and one in 2^32 at most on the curves of NIST. A
/// source that gives so many of them in a row is not random.
const DRAWS_MAX: usize = 128;

/// Makes a scalar from a random number that is 64 bits longer, so that all scalars are equally likely to less than one part
/// in 2^64 (FIPS 186-5, A.2.1).
///
/// # Errors
/// `RandomFailed`.
fn scalar_with_extra_bits(curve: Curve, random: &dyn Random) -> Result<SecretBytes> {
    let mut number = SecretBytes::zeroed(curve.bits().div_ceil(8) + EXTRA_BYTES);
    random.fill(number.expose_mut())?;
    // As many bits as the standard says: 8 more on P-521 would be drawn in vain.
    let surplus = 8 * curve.bits().div_ceil(8) - curve.bits();
    if let [first, ..] = number.expose_mut() {
        *first &= 0xFF >> surplus;
    }
    (functions(curve).scalar_from)(number.expose())
}

/// The 64 additional bits of FIPS 186-5, A.2.1.
const EXTRA_BYTES: usize = 8;

/// Computes the point of a fresh pair from the scalar once more (SP 800-56A revision 3, 5.6.2.1.4, b).
///
/// # Errors
/// `SelfTest` when the public key is another one.
fn prove(curve: Curve, scalar: &[u8], public: &dyn EcPublicKey) -> Result<()> {
    if private(curve, scalar)?.public_point() == public.point() { Ok(()) } else { Err(NOT_A_PAIR) }
}

/// Parses a private scalar.
///
/// # Errors
/// `InvalidKey` unless it is 1 to the order less one.
pub(crate) fn private(curve: Curve, scalar: &[u8]) -> Result<Arc<dyn EcPrivateKey>> {
    let scalar = padded_scalar(curve, scalar)?;
    (functions(curve).private)(scalar.expose())
}

/// Parses a point.
///
/// # Errors
/// `InvalidKey` unless it is a compressed or uncompressed point on the curve other than the identity.
pub(crate) fn public(curve: Curve, point: &[u8]) -> Result<Arc<dyn EcPublicKey>> {
    check_point_form(curve, point)?;
    (functions(curve).public)(point)
}

/// The failure of a fresh pair's proof.
pub(crate) const NOT_A_PAIR: CryptoError = CryptoError::SelfTest("fresh EC key pair");
/// The text for a point that cannot be used.
pub(crate) const BAD_POINT: &str = "the EC point is not a compressed or uncompressed point on the curve";
/// The text for a scalar that cannot be used.
pub(crate) const BAD_SCALAR: &str = "the EC scalar is zero or not below the order of the curve";

/// Brings a scalar to the length of the field.
///
/// # Errors
/// `InvalidKey` when it is longer than the field.
pub(crate) fn padded_scalar(curve: Curve, scalar: &[u8]) -> Result<SecretBytes> {
    let scalar = crate::rsa_parts::trimmed(scalar);
    let mut padded = SecretBytes::zeroed(curve.field_bytes());
    let start = curve.field_bytes().checked_sub(scalar.len()).ok_or(CryptoError::InvalidKey(BAD_SCALAR))?;
    padded.expose_mut()[start..].copy_from_slice(scalar);
    Ok(padded)
}

/// Refuses every form of a point but the compressed and the uncompressed one (SEC 1, 2.3.3).
///
/// # Errors
/// `InvalidKey` for the identity, the hybrid and any other form, and for wrong lengths.
pub(crate) fn check_point_form(curve: Curve, point: &[u8]) -> Result<()> {
    let field = curve.field_bytes();
    let fits = match point.first() {
        Some(2 | 3) => point.len() == 1 + field,
        Some(4) => point.len() == 1 + 2 * field,
        _ => false,
    };
    if fits { Ok(()) } else { Err(CryptoError::InvalidKey(BAD_POINT)) }
}

/// Takes the leftmost bits of a digest, as many as the order has, as a number (FIPS 186-5, 6.4.1, step 2).
///
/// # Errors
/// `InputLength` when `digest` is empty.
pub(crate) fn leftmost_bits(curve: Curve, digest: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    if digest.is_empty() {
        return Err(CryptoError::InputLength);
    }
    let mut value = Zeroizing::new(digest[..digest.len().min(curve.field_bytes())].to_vec());
    // The orders are as long as their fields; only P-521's ends inside a byte.
    let surplus = (value.len() * 8).saturating_sub(curve.bits());
    if surplus > 0 {
        let mut carried = 0;
        for byte in value.iter_mut() {
            let next = *byte << (8 - surplus);
            *byte = (*byte >> surplus) | carried;
            carried = next;
        }
    }
    Ok(value)
}

/// Splits `r || s` and pads both halves to the length of the field.
///
/// # Errors
/// `SignatureLength` unless the halves are equal and between one byte and the field's length.
pub(crate) fn signature_halves(curve: Curve, signature: &[u8]) -> Result<[Vec<u8>; 2]> {
    let half = signature.len() / 2;
    let field = curve.field_bytes();
    if half == 0 || !signature.len().is_multiple_of(2) || half > field {
        return Err(CryptoError::SignatureLength);
    }
    let pad = |part: &[u8]| [vec![0; field - half].as_slice(), part].concat();
    Ok([pad(&signature[..half]), pad(&signature[half..])])
}

/// What a curve's module has.
struct Functions {
    /// Whether bytes as long as the field are a number from 1 to the order less one.
    is_scalar: fn(&[u8]) -> bool,
    /// The number modulo the order less one, plus one, at field length.
    scalar_from: fn(&[u8]) -> Result<SecretBytes>,
    private: fn(&[u8]) -> Result<Arc<dyn EcPrivateKey>>,
    public: fn(&[u8]) -> Result<Arc<dyn EcPublicKey>>,
}

const fn functions(curve: Curve) -> &'static Functions {
    match curve {
        Curve::P224 => &nist_p224::FUNCTIONS,
        Curve::P256 => &nist_p256::FUNCTIONS,
        Curve::P384 => &nist_p384::FUNCTIONS,
        Curve::P521 => &nist_p521::FUNCTIONS,
        Curve::K256 => &secp256k1::FUNCTIONS,
        Curve::BrainpoolP224r1 => &brainpool_p224r1::FUNCTIONS,
        Curve::BrainpoolP224t1 => &brainpool_p224t1::FUNCTIONS,
        Curve::BrainpoolP256r1 => &brainpool_p256r1::FUNCTIONS,
        Curve::BrainpoolP256t1 => &brainpool_p256t1::FUNCTIONS,
        Curve::BrainpoolP320r1 => &brainpool_p320r1::FUNCTIONS,
        Curve::BrainpoolP320t1 => &brainpool_p320t1::FUNCTIONS,
        Curve::BrainpoolP384r1 => &brainpool_p384r1::FUNCTIONS,
        Curve::BrainpoolP384t1 => &brainpool_p384t1::FUNCTIONS,
        Curve::BrainpoolP512r1 => &brainpool_p512r1::FUNCTIONS,
        Curve::BrainpoolP512t1 => &brainpool_p512t1::FUNCTIONS,
    }
}

/// One module for one curve; the crates share their types, and traits whose bounds would be longer than this.
macro_rules! curve {
    ($module:ident, $library:ty, $curve:expr) => {
        mod $module {
            use super::*;
            use crate::portable::random::Source;
            use ecdsa::hazmat::sign_prehashed_rfc6979;
            use ecdsa::signature::hazmat::{PrehashVerifier, RandomizedPrehashSigner};
            use elliptic_curve::ecdh::diffie_hellman;

            type Signature = ecdsa::Signature<$library>;
            type SigningKey = ecdsa::SigningKey<$library>;
            type VerifyingKey = ecdsa::VerifyingKey<$library>;
            type NonZeroScalar = elliptic_curve::NonZeroScalar<$library>;

            pub(super) const FUNCTIONS: Functions = Functions { is_scalar, scalar_from, private, public };

            fn is_scalar(bytes: &[u8]) -> bool {
                NonZeroScalar::try_from(bytes).map(Zeroizing::new).is_ok()
            }

            fn scalar_from(number: &[u8]) -> Result<SecretBytes> {
                super::scalar_from($curve, <$library>::ORDER.as_ref().to_be_bytes().as_ref(), number)
            }

            fn private(scalar: &[u8]) -> Result<Arc<dyn EcPrivateKey>> {
                // The length is right, so the only error is the range.
                let key = SigningKey::from_slice(scalar).map_err(|_| CryptoError::InvalidKey(BAD_SCALAR))?;
                Ok(Arc::new(Private(SecretBox::new(key))))
            }

            fn public(point: &[u8]) -> Result<Arc<dyn EcPublicKey>> {
                // The form is right, so the only error is a point off the curve.
                let key = VerifyingKey::from_sec1_bytes(point).map_err(|_| CryptoError::InvalidKey(BAD_POINT))?;
                Ok(Arc::new(Public(key)))
            }

            /// The crate wipes the scalar on drop.
            struct Private(SecretBox<SigningKey>);

            impl EcPrivateKey for Private {
                fn curve(&self) -> Curve {
                    $curve
                }

                fn public_point(&self) -> Vec<u8> {
                    self.0.verifying_key().to_sec1_point(false).as_bytes().to_vec()
                }

                fn sign(&self, digest: &[u8], random: &dyn Random) -> Result<Vec<u8>> {
                    let value = leftmost_bits($curve, digest)?;
                    // The only error that this signer has is a failing random source.
                    // The crate that makes the nonce keeps its state, and the nonce, on the stack.
                    let signature: Signature =
                        on_wiped_stack(|| self.0.sign_prehash_with_rng(&mut Source(random), &value))
                            .map_err(|_| CryptoError::RandomFailed)?;
                    Ok(signature.to_bytes().to_vec())
                }

                fn sign_deterministic(&self, hash: Hash, digest: &[u8]) -> Result<Vec<u8>> {
                    if digest.len() != hash.output_bytes() {
                        return Err(CryptoError::InputLength);
                    }
                    let scalar = self.0.as_nonzero_scalar();
                    let sign = match hash {
                        Hash::Sha1 => sign_prehashed_rfc6979::<$library, sha1::Sha1>,
                        Hash::Sha224 => sign_prehashed_rfc6979::<$library, sha2::Sha224>,
                        Hash::Sha256 => sign_prehashed_rfc6979::<$library, sha2::Sha256>,
                        Hash::Sha384 => sign_prehashed_rfc6979::<$library, sha2::Sha384>,
                        Hash::Sha512 => sign_prehashed_rfc6979::<$library, sha2::Sha512>,
                        _ => return Err(CryptoError::Unsupported("nonces of RFC 6979 by this hash")),
                    };
                    let (signature, _) = on_wiped_stack(|| sign(scalar, digest, &[]));
                    Ok(signature.to_bytes().to_vec())
                }

                fn agree(&self, peer: &[u8]) -> Result<SecretBytes> {
                    // Both errors mean that the input is no usable point.
                    check_point_form($curve, peer).map_err(|_| CryptoError::InputRange)?;
                    let peer = VerifyingKey::from_sec1_bytes(peer).map_err(|_| CryptoError::InputRange)?;
                    let shared = diffie_hellman(self.0.as_nonzero_scalar(), peer.as_affine());
                    Ok(SecretBytes::copy_of(shared.raw_secret_bytes()))
                }
            }

            struct Public(VerifyingKey);

            impl EcPublicKey for Public {
                fn curve(&self) -> Curve {
                    $curve
                }

                fn point(&self) -> Vec<u8> {
                    self.0.to_sec1_point(false).as_bytes().to_vec()
                }

                fn verify(&self, digest: &[u8], signature: &[u8]) -> Result<()> {
                    let value = leftmost_bits($curve, digest)?;
                    let [r, s] = signature_halves($curve, signature)?;
                    // The lengths are right, so the only error is a half that is zero or not below the order.
                    let signature = Signature::from_slice(&[r, s].concat()).map_err(|_| CryptoError::BadSignature)?;
                    // `k256` refuses high values of s, which ECDSA itself allows; both forms are one signature.
                    let signature = if $curve == Curve::K256 { signature.normalize_s() } else { signature };
                    self.0.verify_prehash(&value, &signature).map_err(|_| CryptoError::BadSignature)
                }
            }
        }
    };
}

curve!(nist_p224, p224::NistP224, Curve::P224);
curve!(nist_p256, p256::NistP256, Curve::P256);
curve!(nist_p384, p384::NistP384, Curve::P384);
curve!(nist_p521, p521::NistP521, Curve::P521);
curve!(secp256k1, k256::Secp256k1, Curve::K256);
curve!(brainpool_p224r1, brainpool::p224::R1, Curve::BrainpoolP224r1);
curve!(brainpool_p224t1, brainpool::p224::T1, Curve::BrainpoolP224t1);
curve!(brainpool_p256r1, bp256::BrainpoolP256r1, Curve::BrainpoolP256r1);
curve!(brainpool_p256t1, bp256::BrainpoolP256t1, Curve::BrainpoolP256t1);
curve!(brainpool_p320r1, brainpool::p320::R1, Curve::BrainpoolP320r1);
curve!(brainpool_p320t1, brainpool::p320::T1, Curve::BrainpoolP320t1);
curve!(brainpool_p384r1, bp384::BrainpoolP384r1, Curve::BrainpoolP384r1);
curve!(brainpool_p384t1, bp384::BrainpoolP384t1, Curve::BrainpoolP384t1);
curve!(brainpool_p512r1, brainpool::p512::R1, Curve::BrainpoolP512r1);
curve!(brainpool_p512t1, brainpool::p512::T1, Curve::BrainpoolP512t1);

/// `number` modulo (`order` - 1), plus 1, at field length; constant time for a number of its length.
fn scalar_from(curve: Curve, order: &[u8], number: &[u8]) -> Result<SecretBytes> {
    let precision = u32::try_from(8 * number.len()).map_err(|_| CryptoError::InputLength)?;
    let integer = |bytes: &[u8]| {
        BoxedUint::from_be_slice(bytes, precision).map_err(|_| CryptoError::EngineFailed("the order does not fit"))
    };
    let one = BoxedUint::one_with_precision(precision);
    // A library writes the order as long as its words; the zeros in front of it are cut.
    let below_order = integer(crate::rsa_parts::trimmed(order))?.wrapping_sub(&one);
    let below_order = Option::from(NonZero::new(below_order)).ok_or(CryptoError::EngineFailed("the order is 1"))?;
    let scalar = Zeroizing::new(Zeroizing::new(integer(number)?).rem(&below_order)).wrapping_add(&one);
    let bytes = Zeroizing::new(Zeroizing::new(scalar).to_be_bytes());
    padded_scalar(curve, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_that_does_not_belong_to_the_scalar_is_no_proof() {
        for curve in Curve::ALL {
            let [point, other] = [3, 4].map(|scalar| private(curve, &[scalar]).unwrap().public_point());
            assert_eq!(prove(curve, &[3], &*public(curve, &point).unwrap()), Ok(()), "{curve:?}");
            assert_eq!(prove(curve, &[3], &*public(curve, &other).unwrap()), Err(NOT_A_PAIR), "{curve:?}");
            // The opposite point has the same x.
            let opposite =
                [&[2 + (1 - (point[2 * curve.field_bytes()] & 1))], &point[1..=curve.field_bytes()]].concat();
            assert_eq!(prove(curve, &[3], &*public(curve, &opposite).unwrap()), Err(NOT_A_PAIR), "{curve:?}");
        }
    }

    /// A source of one byte, for ever.
    struct Same(u8);

    impl Random for Same {
        fn fill(&self, out: &mut [u8]) -> Result<()> {
            out.fill(self.0);
            Ok(())
        }
    }

    #[test]
    fn a_scalar_has_the_bits_of_the_order_and_is_never_zero() {
        for curve in Curve::ALL {
            assert_eq!(random_scalar(curve, &Same(0)), Err(CryptoError::RandomFailed), "{curve:?}");
            // All bits set are above each order.
            assert_eq!(random_scalar(curve, &Same(0xFF)), Err(CryptoError::RandomFailed), "{curve:?}");
            let mut expected = vec![0x5A; curve.field_bytes()];
            if curve == Curve::P521 {
                expected[0] = 0;
            }
            assert!(random_scalar(curve, &Same(0x5A)).unwrap().ct_eq(&expected), "{curve:?}");
        }
    }

    #[test]
    fn the_leftmost_bits_of_a_long_digest_are_taken() {
        let digest: Vec<u8> = (1..=80).collect();
        assert_eq!(*leftmost_bits(Curve::P256, &digest).unwrap(), digest[..32]);
        assert_eq!(*leftmost_bits(Curve::P521, &digest[..65]).unwrap(), digest[..65]);
        let value = leftmost_bits(Curve::P521, &[0xFF; 66]).unwrap();
        assert_eq!(value[..2], [0x01, 0xFF]);
        assert_eq!(value.len(), 66);
        assert_eq!(*leftmost_bits(Curve::P384, &[1]).unwrap(), [1]);
        assert_eq!(leftmost_bits(Curve::P384, &[]), Err(CryptoError::InputLength));
    }
}
