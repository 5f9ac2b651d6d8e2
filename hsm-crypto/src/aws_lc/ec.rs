//! ECDSA and ECDH of AWS-LC, on `aws-lc-sys`: `aws-lc-rs` signs messages with a fixed hash for each curve and has no
//! ECDH on secp256k1.
//!
//! Owns: `EC_KEY`s, made once and never changed. Does not know: the lengths of digests, signatures and points, which the
//! portable engine's checks decide for both. AWS-LC draws its nonces from its own generator, which reseeds after a
//! fork, and mixes a hash of key and digest into them; scalars of new keys come from the caller's random source.
//! Called from `aws_lc::PROVIDER`. Rule source: FIPS 186-5 (6.4), SEC 1, SP 800-56A.

use super::exit::Drawing;
use super::groups::group;
use super::object::{NO_MEMORY, Owned, forget_errors, number, number_bytes, succeeded};
use crate::ec::{Curve, EcPair, EcPrivateKey, EcPublicKey, ScalarMethod};
use crate::error::{CryptoError, Result};
use crate::hash::Hash;
use crate::portable::ec::{
    BAD_POINT, BAD_SCALAR, NOT_A_PAIR, check_point_form, fresh_scalar, padded_scalar, signature_halves,
};
use crate::random::Random;
use crate::secret::SecretBytes;
use aws_lc_sys::{
    BIGNUM, BN_bn2bin_padded, EC_KEY, EC_KEY_check_key, EC_KEY_get0_private_key, EC_KEY_get0_public_key, EC_KEY_new,
    EC_KEY_set_group, EC_KEY_set_private_key, EC_KEY_set_public_key, EC_POINT, EC_POINT_mul, EC_POINT_new,
    EC_POINT_oct2point, EC_POINT_point2oct, ECDH_compute_key, ECDSA_SIG, ECDSA_SIG_get0_r, ECDSA_SIG_get0_s,
    ECDSA_SIG_new, ECDSA_SIG_set0, ECDSA_do_sign, ECDSA_do_verify, point_conversion_form_t,
};
use std::ptr;
use std::sync::Arc;

/// Generates a pair and proves it.
///
/// # Errors
/// `RandomFailed`, or `SelfTest` when the proof fails.
pub(super) fn generate(curve: Curve, method: ScalarMethod, random: &dyn Random) -> Result<EcPair> {
    let scalar = fresh_scalar(curve, method, random)?;
    let private = Private::parse(curve, scalar.expose())?;
    let public = Public::parse(curve, &private.point)?;
    prove(scalar.expose(), &public)?;
    Ok(EcPair { scalar, private: Arc::new(private), public: Arc::new(public) })
}

/// Has AWS-LC compute the point of a fresh pair from the scalar once more, and compare (SP 800-56A revision 3,
/// 5.6.2.1.4, b).
///
/// # Errors
/// `SelfTest` when the public key is another one.
fn prove(scalar: &[u8], public: &Public) -> Result<()> {
    let pair = key_of_scalar(public.curve, &number(scalar)?)?;
    // SAFETY: the key is alive, and the point belongs to it.
    let point = unsafe { EC_KEY_get0_public_key(public.key.as_ptr()) };
    // SAFETY: both are alive and of one group; the pair copies the point.
    let answer = unsafe { EC_KEY_set_public_key(pair.as_ptr(), point) };
    succeeded(answer, FAILED)?;
    // SAFETY: the pair is alive.
    succeeded(unsafe { EC_KEY_check_key(pair.as_ptr()) }, NOT_A_PAIR)
}

/// Parses a private scalar.
///
/// # Errors
/// `InvalidKey` unless it is 1 to the order less one.
pub(super) fn private(curve: Curve, scalar: &[u8]) -> Result<Arc<dyn EcPrivateKey>> {
    Ok(Arc::new(Private::parse(curve, scalar)?))
}

/// Parses a point.
///
/// # Errors
/// `InvalidKey` unless it is a compressed or uncompressed point on the curve other than the identity.
pub(super) fn public(curve: Curve, bytes: &[u8]) -> Result<Arc<dyn EcPublicKey>> {
    Ok(Arc::new(Public::parse(curve, bytes)?))
}

/// Refuses the empty digest; AWS-LC itself takes the leftmost bits of a longer one.
fn check_digest(digest: &[u8]) -> Result<()> {
    if digest.is_empty() { Err(CryptoError::InputLength) } else { Ok(()) }
}

const FAILED: CryptoError = CryptoError::EngineFailed("EC");

fn empty_key(curve: Curve) -> Result<Owned<EC_KEY>> {
    // SAFETY: has no preconditions.
    let key = Owned::take(unsafe { EC_KEY_new() }, NO_MEMORY)?;
    let group = group(curve)?;
    // SAFETY: key and group are alive; the key takes a reference or a copy.
    let answer = unsafe { EC_KEY_set_group(key.as_ptr(), group) };
    succeeded(answer, FAILED)?;
    Ok(key)
}

/// A key with its private part alone.
fn key_of_scalar(curve: Curve, scalar: &Owned<BIGNUM>) -> Result<Owned<EC_KEY>> {
    let key = empty_key(curve)?;
    // SAFETY: key and number are alive; the key copies the number.
    let answer = unsafe { EC_KEY_set_private_key(key.as_ptr(), scalar.as_ptr()) };
    succeeded(answer, CryptoError::InvalidKey(BAD_SCALAR))?;
    Ok(key)
}

fn empty_point(curve: Curve) -> Result<Owned<EC_POINT>> {
    let group = group(curve)?;
    // SAFETY: the group is alive; the point takes a reference or a copy.
    let point = unsafe { EC_POINT_new(group) };
    Owned::take(point, NO_MEMORY)
}

/// Reads a SEC1 point; AWS-LC checks that it is on the curve, and the form excludes the identity.
fn parse_point(curve: Curve, bytes: &[u8]) -> Result<Owned<EC_POINT>> {
    check_point_form(curve, bytes)?;
    let (group, point) = (group(curve)?, empty_point(curve)?);
    // SAFETY: group and point are alive, `bytes` is readable at its length, null asks for a temporary context.
    let answer = unsafe { EC_POINT_oct2point(group, point.as_ptr(), bytes.as_ptr(), bytes.len(), ptr::null_mut()) };
    succeeded(answer, CryptoError::InvalidKey(BAD_POINT))?;
    Ok(point)
}

/// Writes a point uncompressed.
fn point_bytes(curve: Curve, point: &Owned<EC_POINT>) -> Result<Vec<u8>> {
    let (group, mut out) = (group(curve)?, vec![0; 1 + 2 * curve.field_bytes()]);
    let form = point_conversion_form_t::POINT_CONVERSION_UNCOMPRESSED;
    // SAFETY: group and point are alive, `out` is writable at its length, null asks for a temporary context.
    let written =
        unsafe { EC_POINT_point2oct(group, point.as_ptr(), form, out.as_mut_ptr(), out.len(), ptr::null_mut()) };
    if written == out.len() { Ok(out) } else { Err(forget_errors(FAILED)) }
}

fn set_point(key: &Owned<EC_KEY>, point: &Owned<EC_POINT>) -> Result<()> {
    // SAFETY: key and point are alive and of one group; the key copies the point.
    let answer = unsafe { EC_KEY_set_public_key(key.as_ptr(), point.as_ptr()) };
    succeeded(answer, FAILED)
}

struct Private {
    curve: Curve,
    key: Owned<EC_KEY>,
    point: Vec<u8>,
}

impl Private {
    fn parse(curve: Curve, scalar: &[u8]) -> Result<Self> {
        let scalar = number(padded_scalar(curve, scalar)?.expose())?;
        let key = key_of_scalar(curve, &scalar)?;
        let (group, point) = (group(curve)?, empty_point(curve)?);
        // SAFETY: group, point and number are alive; the null ones ask for the generator alone and for a temporary context.
        let answer =
            unsafe { EC_POINT_mul(group, point.as_ptr(), scalar.as_ptr(), ptr::null(), ptr::null(), ptr::null_mut()) };
        succeeded(answer, FAILED)?;
        set_point(&key, &point)?;
        let point = point_bytes(curve, &point)?;
        Ok(Self { curve, key, point })
    }

    fn scalar(&self) -> Result<SecretBytes> {
        // SAFETY: the key is alive.
        let scalar = unsafe { EC_KEY_get0_private_key(self.key.as_ptr()) };
        // SAFETY: the number is null or belongs to the key, which is alive.
        unsafe { number_bytes(scalar) }.map(SecretBytes::new)
    }
}

impl EcPrivateKey for Private {
    fn curve(&self) -> Curve {
        self.curve
    }

    fn public_point(&self) -> Vec<u8> {
        self.point.clone()
    }

    /// The nonce comes from AWS-LC's own generator, so `random` is asked only when that one is closed.
    fn sign(&self, digest: &[u8], random: &dyn Random) -> Result<Vec<u8>> {
        check_digest(digest)?;
        let Some(_drawing) = Drawing::begin() else {
            return crate::portable::ec::private(self.curve, self.scalar()?.expose())?.sign(digest, random);
        };
        // SAFETY: `digest` is readable at its length, and the key is alive and has its private part.
        let signature = unsafe { ECDSA_do_sign(digest.as_ptr(), digest.len(), self.key.as_ptr()) };
        let signature = Owned::<ECDSA_SIG>::take(signature, FAILED)?;
        let field = self.curve.field_bytes();
        let mut out = vec![0; 2 * field];
        let (r, s) = out.split_at_mut(field);
        // SAFETY: the signature is alive.
        let number = unsafe { ECDSA_SIG_get0_r(signature.as_ptr()) };
        // SAFETY: the number belongs to the signature, which is alive.
        unsafe { write_padded(number, r) }?;
        // SAFETY: the signature is alive.
        let number = unsafe { ECDSA_SIG_get0_s(signature.as_ptr()) };
        // SAFETY: the number belongs to the signature, which is alive.
        unsafe { write_padded(number, s) }?;
        Ok(out)
    }

    /// AWS-LC has no such signatures.
    fn sign_deterministic(&self, hash: Hash, digest: &[u8]) -> Result<Vec<u8>> {
        crate::portable::ec::private(self.curve, self.scalar()?.expose())?.sign_deterministic(hash, digest)
    }

    fn agree(&self, peer: &[u8]) -> Result<SecretBytes> {
        let peer = parse_point(self.curve, peer).map_err(|error| match error {
            CryptoError::InvalidKey(_) => CryptoError::InputRange,
            other => other,
        })?;
        let mut shared = SecretBytes::zeroed(self.curve.field_bytes());
        let room = shared.expose_mut();
        // SAFETY: `room` is writable at its length; point and key are alive and of one group; no derivation function.
        let written =
            unsafe { ECDH_compute_key(room.as_mut_ptr().cast(), room.len(), peer.as_ptr(), self.key.as_ptr(), None) };
        if usize::try_from(written) == Ok(shared.len()) { Ok(shared) } else { Err(forget_errors(FAILED)) }
    }
}

/// Writes a number with leading zeros to the length of `out`.
///
/// # Safety
/// `number` is a valid number that lives through the call.
unsafe fn write_padded(number: *const BIGNUM, out: &mut [u8]) -> Result<()> {
    // SAFETY: the number is valid as the caller promises; `out` is writable at its length.
    let answer = unsafe { BN_bn2bin_padded(out.as_mut_ptr(), out.len(), number) };
    succeeded(answer, FAILED)
}

struct Public {
    curve: Curve,
    key: Owned<EC_KEY>,
    point: Vec<u8>,
}

impl Public {
    fn parse(curve: Curve, bytes: &[u8]) -> Result<Self> {
        let point = parse_point(curve, bytes)?;
        let key = empty_key(curve)?;
        set_point(&key, &point)?;
        // There is one uncompressed form of a point, and writing it anew costs an inversion.
        let point = if bytes.first() == Some(&4) { bytes.to_vec() } else { point_bytes(curve, &point)? };
        Ok(Self { curve, key, point })
    }
}

impl EcPublicKey for Public {
    fn curve(&self) -> Curve {
        self.curve
    }

    fn point(&self) -> Vec<u8> {
        self.point.clone()
    }

    fn verify(&self, digest: &[u8], signature: &[u8]) -> Result<()> {
        check_digest(digest)?;
        let [r, s] = signature_halves(self.curve, signature)?;
        let signature = signature_of(&r, &s)?;
        // SAFETY: `digest` is readable at its length; signature and key are alive, and the key has its point.
        let answer = unsafe { ECDSA_do_verify(digest.as_ptr(), digest.len(), signature.as_ptr(), self.key.as_ptr()) };
        succeeded(answer, CryptoError::BadSignature)
    }
}

fn signature_of(r: &[u8], s: &[u8]) -> Result<Owned<ECDSA_SIG>> {
    // SAFETY: has no preconditions.
    let signature = Owned::take(unsafe { ECDSA_SIG_new() }, NO_MEMORY)?;
    let (r, s) = (number(r)?, number(s)?);
    // SAFETY: the signature is alive; with two numbers that are not null this cannot fail, and it takes them over.
    let answer = unsafe { ECDSA_SIG_set0(signature.as_ptr(), r.release(), s.release()) };
    succeeded(answer, FAILED)?;
    Ok(signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portable;

    struct System;

    impl Random for System {
        fn fill(&self, out: &mut [u8]) -> Result<()> {
            getrandom::fill(out).map_err(|_| CryptoError::RandomFailed)
        }
    }

    #[test]
    fn a_point_that_does_not_belong_to_the_scalar_is_no_proof() {
        for curve in Curve::ALL {
            let [point, other] = [3, 4].map(|scalar| Private::parse(curve, &[scalar]).unwrap().point);
            assert_eq!(prove(&[3], &Public::parse(curve, &point).unwrap()), Ok(()), "{curve:?}");
            assert_eq!(prove(&[3], &Public::parse(curve, &other).unwrap()), Err(NOT_A_PAIR), "{curve:?}");
            // The opposite point has the same x.
            let opposite =
                [&[2 + (1 - (point[2 * curve.field_bytes()] & 1))], &point[1..=curve.field_bytes()]].concat();
            assert_eq!(prove(&[3], &Public::parse(curve, &opposite).unwrap()), Err(NOT_A_PAIR), "{curve:?}");
        }
    }

    /// The provider takes secp256k1 from the portable engine; here AWS-LC checks that one's work, and the other way round.
    #[test]
    fn both_engines_agree_on_secp256k1() {
        let curve = Curve::K256;
        for _ in 0..10 {
            let scalar = generate(curve, ScalarMethod::Rejection, &System).unwrap().scalar;
            let ours = private(curve, scalar.expose()).unwrap();
            let theirs = (portable().ec_private)(curve, scalar.expose()).unwrap();
            let point = ours.public_point();
            assert_eq!(point, theirs.public_point());
            let digest = [3; 32];
            let signature = ours.sign(&digest, &System).unwrap();
            assert_eq!((portable().ec_public)(curve, &point).unwrap().verify(&digest, &signature), Ok(()));
            let signature = theirs.sign(&digest, &System).unwrap();
            assert_eq!(public(curve, &point).unwrap().verify(&digest, &signature), Ok(()));
            assert_eq!(public(curve, &point).unwrap().verify(&[4; 32], &signature), Err(CryptoError::BadSignature));
            let peer = (portable().ec_private)(curve, &[9]).unwrap().public_point();
            assert_eq!(ours.agree(&peer), theirs.agree(&peer));
        }
    }
}
