//! The numbers of an RSA key: checked, completed, compared. Both engines take their limits and their words for what is wrong
//! from this file, so that they accept and refuse the same ones.
//!
//! Owns: size limits, consistency of `n, e, d, p, q` and the CRT numbers, and their recovery from `d` (SP 800-56B
//! revision 2, appendix C). Does not know: padding and operations. The arithmetic is that of the `rsa` crate.

use crate::error::{CryptoError, Result};
use crate::rsa::RsaParts;
use crate::secret::SecretBytes;
use p256::elliptic_curve::bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use p256::elliptic_curve::bigint::{BoxedUint, CheckedSub, ConcatenatingMul, Gcd, NonZero, Odd, Resize};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use zeroize::Zeroizing;

/// The smallest modulus that is parsed, in bits.
pub(crate) const MODULUS_BITS_MIN: usize = 1024;
/// The largest modulus of a private key, in bits.
pub(crate) const PRIVATE_BITS_MAX: usize = 8192;
/// The largest modulus of a public key, in bits.
pub(crate) const PUBLIC_BITS_MAX: usize = 16384;
/// The largest public exponent has so many bits. Longer ones make verification a way to keep a machine busy, and
/// neither engine takes them.
const EXPONENT_BITS_MAX: usize = 33;

/// Drops leading zeros.
pub(crate) fn trimmed(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

/// Counts the significant bits of a big-endian number.
pub(crate) fn bit_length(bytes: &[u8]) -> usize {
    let bytes = trimmed(bytes);
    bytes.first().map_or(0, |first| bytes.len() * 8 - first.leading_zeros() as usize)
}

/// Checks modulus and public exponent by themselves.
///
/// # Errors
/// `InvalidKey` for an even or wrongly sized modulus, an even exponent or one outside 3 to 2^33 - 1.
pub(crate) fn check_public(modulus: &[u8], public_exponent: &[u8], bits_max: usize) -> Result<()> {
    let bits = bit_length(modulus);
    if bits < MODULUS_BITS_MIN {
        return Err(CryptoError::InvalidKey("the RSA modulus has less than 1024 bits"));
    }
    if bits > bits_max {
        return Err(CryptoError::InvalidKey("the RSA modulus is too long"));
    }
    if modulus.last().is_none_or(|last| last & 1 == 0) {
        return Err(CryptoError::InvalidKey("the RSA modulus is even"));
    }
    check_exponent(public_exponent)
}

/// Checks a public exponent by itself.
///
/// # Errors
/// `InvalidKey` unless it is odd and 3 to 2^33 - 1.
pub(crate) fn check_exponent(public_exponent: &[u8]) -> Result<()> {
    let exponent = trimmed(public_exponent);
    if exponent.last().is_none_or(|last| last & 1 == 0) || exponent == [1] {
        return Err(CryptoError::InvalidKey("the RSA public exponent is not odd and above 1"));
    }
    if bit_length(exponent) > EXPONENT_BITS_MAX {
        return Err(CryptoError::InvalidKey("the RSA public exponent is 2^33 or more"));
    }
    Ok(())
}

/// Checks a private key that has all its numbers: their sizes, and each against the others. No number is kept longer than this takes.
///
/// The same as AWS-LC checks and that `d` is less than `n`, and in a time that does not depend on the numbers either; but it finds a remainder bit by bit, and with
/// that an RSA-2048 key was unwrapped in 172 microseconds instead of 41.
///
/// # Errors
/// `InvalidKey` as [`check_public`], for a prime of more than half the modulus' length, and for numbers that do not belong together.
#[cfg(feature = "aws-lc")]
pub(crate) fn check_whole(parts: &RsaParts) -> Result<()> {
    check_public(&parts.modulus, &parts.public_exponent, PRIVATE_BITS_MAX)?;
    let prime_bits_max = bit_length(&parts.modulus).div_ceil(2);
    if [&parts.prime_1, &parts.prime_2].iter().any(|prime| bit_length(prime.expose()) > prime_bits_max) {
        return Err(refusal(rsa::Error::InvalidPrime));
    }
    let secret = |part: &SecretBytes| number(part.expose()).map(Zeroizing::new);
    let (prime_1, prime_2) = (secret(&parts.prime_1)?, secret(&parts.prime_2)?);
    let modulus = number(&parts.modulus)?;
    if *Zeroizing::new(prime_1.concatenating_mul(&*prime_2)) != modulus {
        return Err(refusal(rsa::Error::InvalidModulus));
    }
    let public_exponent = number(&parts.public_exponent)?;
    let private_exponent = secret(&parts.private_exponent)?;
    // RFC 8017, 3.2.
    if *private_exponent >= modulus {
        return Err(refusal(rsa::Error::InvalidExponent));
    }
    for (prime, exponent) in [(&prime_1, &parts.exponent_1), (&prime_2, &parts.exponent_2)] {
        let exponent = secret(exponent)?;
        let order = Zeroizing::new(prime.wrapping_sub(BoxedUint::one()));
        if remainder(&private_exponent, &order)? != exponent {
            return Err(refusal(rsa::Error::InvalidExponent));
        }
        let product = Zeroizing::new(exponent.concatenating_mul(&public_exponent));
        if !bool::from(remainder(&product, &order)?.is_one()) {
            return Err(refusal(rsa::Error::InvalidExponent));
        }
    }
    let coefficient = secret(&parts.coefficient)?;
    let belongs = *coefficient < *prime_1
        && bool::from(remainder(&Zeroizing::new(prime_2.concatenating_mul(&*coefficient)), &prime_1)?.is_one());
    if belongs { Ok(()) } else { Err(CryptoError::InvalidKey(WRONG_CRT)) }
}

/// The remainder of a division, in a time that depends on the widths alone.
#[cfg(feature = "aws-lc")]
fn remainder(dividend: &BoxedUint, divisor: &BoxedUint) -> Result<Zeroizing<BoxedUint>> {
    let divisor = NonZero::new(divisor.clone()).into_option().ok_or(refusal(rsa::Error::InvalidPrime))?;
    let (quotient, remainder) = dividend.div_rem(&divisor);
    drop((Zeroizing::new(quotient), Zeroizing::new(divisor.get())));
    Ok(Zeroizing::new(remainder))
}

const WRONG_CRT: &str = "the RSA CRT numbers do not belong to the primes";

/// Parses a private key, recovering what is missing and checking what is there; returns it with all its numbers.
///
/// # Errors
/// `InvalidKey` with what is wrong.
pub(crate) fn parse(parts: &RsaParts) -> Result<(rsa::PrivateKey, RsaParts)> {
    check_public(&parts.modulus, &parts.public_exponent, PRIVATE_BITS_MAX)?;
    let modulus = number(&parts.modulus)?;
    let exponent = number(&parts.public_exponent)?;
    let private = number(parts.private_exponent.expose())?;
    let primes = match (parts.prime_1.is_empty(), parts.prime_2.is_empty()) {
        (false, false) => vec![number(parts.prime_1.expose())?, number(parts.prime_2.expose())?],
        (true, true) => recover_primes(&modulus, &exponent, &private)?,
        _ => return Err(CryptoError::InvalidKey("one of the two RSA primes is missing")),
    };
    let key = rsa::PrivateKey::from_components(modulus, exponent, private, primes).map_err(refusal)?;
    let computed = complete(&key)?;
    check_crt(parts, &computed)?;
    Ok((key, computed))
}

/// Writes out every number of a parsed key.
///
/// # Errors
/// `InvalidKey` if the crate did not prepare the CRT numbers, which it does for every two-prime key.
pub(crate) fn complete(key: &rsa::PrivateKey) -> Result<RsaParts> {
    let [prime_1, prime_2] = key.primes() else { return Err(NOT_TWO_PRIMES) };
    Ok(RsaParts {
        modulus: key.n_bytes().into(),
        public_exponent: key.e_bytes().into(),
        private_exponent: secret(key.d()),
        prime_1: secret(prime_1.as_ref()),
        prime_2: secret(prime_2.as_ref()),
        exponent_1: secret(key.dp().ok_or(NOT_TWO_PRIMES)?),
        exponent_2: secret(key.dq().ok_or(NOT_TWO_PRIMES)?),
        coefficient: secret(&Zeroizing::new(key.crt_coefficient().ok_or(NOT_TWO_PRIMES)?)),
    })
}

/// Whether any of the numbers after the private exponent is missing.
pub(crate) fn lacks_crt(parts: &RsaParts) -> bool {
    [&parts.prime_1, &parts.prime_2, &parts.exponent_1, &parts.exponent_2, &parts.coefficient]
        .into_iter()
        .any(SecretBytes::is_empty)
}

const NOT_TWO_PRIMES: CryptoError = CryptoError::InvalidKey("the RSA key does not have two primes");

/// Refuses CRT numbers that were given and differ from the computed ones.
fn check_crt(parts: &RsaParts, computed: &RsaParts) -> Result<()> {
    let pairs = [
        (&parts.exponent_1, &computed.exponent_1),
        (&parts.exponent_2, &computed.exponent_2),
        (&parts.coefficient, &computed.coefficient),
    ];
    for (given, right) in pairs {
        if !given.is_empty() && !right.ct_eq(trimmed(given.expose())) {
            return Err(CryptoError::InvalidKey(WRONG_CRT));
        }
    }
    Ok(())
}

/// Factors the modulus with the help of the private exponent.
fn recover_primes(modulus: &BoxedUint, exponent: &BoxedUint, private: &BoxedUint) -> Result<Vec<BoxedUint>> {
    if exponent.bit_width() > 16 {
        // An empty list asks the crate to recover them: SP 800-56B, appendix C.2, for exponents above 2^16.
        return Ok(Vec::new());
    }
    recover_primes_by_roots(modulus, exponent, private)
        .map(Vec::from)
        .ok_or(CryptoError::InvalidKey("the RSA primes cannot be recovered from the private exponent"))
}

/// Finds a square root of one other than ±1 (SP 800-56B, appendix C.1); it gives a factor away.
///
/// Each base has one chance in two at least, so a hundred of them fail on wrong keys only.
fn recover_primes_by_roots(modulus: &BoxedUint, exponent: &BoxedUint, private: &BoxedUint) -> Option<[BoxedUint; 2]> {
    let bits = modulus.bits_precision();
    let odd_modulus = Odd::new(modulus.clone()).into_option()?;
    let product = Zeroizing::new(private.concatenating_mul(exponent));
    // `d e - 1` is even for every right key; a zero product has no predecessor.
    let multiple =
        Zeroizing::new(product.checked_sub(&BoxedUint::one_with_precision(product.bits_precision())).into_option()?);
    let halvings = multiple.trailing_zeros();
    if halvings == 0 || bool::from(multiple.is_zero()) {
        return None;
    }
    let odd_part = Zeroizing::new(multiple.shr(halvings));

    let params = BoxedMontyParams::new(odd_modulus);
    let one = BoxedMontyForm::one(&params);
    let minus_one = -one.clone();
    for base in 2..102_u32 {
        let base = BoxedUint::from(base).resize_unchecked(bits);
        let mut root = BoxedMontyForm::new(base, &params).pow(&odd_part);
        for _ in 0..halvings {
            if root == one || root == minus_one {
                break;
            }
            let square = root.square();
            if square == one {
                let factor = (root - one).retrieve().gcd(modulus);
                let cofactor = modulus / NonZero::new(factor.clone()).into_option()?;
                return Some([factor, cofactor]);
            }
            root = square;
        }
    }
    None
}

/// Reads a number at its own width, rounded up to whole limbs.
pub(crate) fn number(bytes: &[u8]) -> Result<BoxedUint> {
    let bytes = trimmed(bytes);
    let bits = u32::try_from(bytes.len() * 8).map_err(|_| CryptoError::InvalidKey("an RSA number is too long"))?;
    // The only errors are about a width that is too small, and the width is the number's own.
    BoxedUint::from_be_slice(bytes, bits.next_multiple_of(64))
        .map_err(|_| CryptoError::InvalidKey("an RSA number is too long"))
}

fn secret(number: &BoxedUint) -> SecretBytes {
    let bytes = Zeroizing::new(number.to_be_bytes());
    SecretBytes::copy_of(trimmed(&bytes))
}

/// Says which part of a key the `rsa` crate refused.
pub(crate) fn refusal(error: rsa::Error) -> CryptoError {
    CryptoError::InvalidKey(match error {
        rsa::Error::InvalidPrime => "the RSA primes are not valid or differ too much in length",
        rsa::Error::InvalidModulus => "the RSA modulus is not the product of the primes",
        rsa::Error::InvalidExponent => "the RSA exponents do not belong together",
        rsa::Error::InvalidArguments => "the RSA primes cannot be recovered from the private exponent",
        rsa::Error::ModulusTooSmall => "the RSA modulus is too short",
        rsa::Error::ModulusTooLarge => "the RSA modulus is too long",
        rsa::Error::PublicExponentTooSmall | rsa::Error::PublicExponentTooLarge => {
            "the RSA public exponent is out of range"
        }
        _ => "the RSA key is malformed",
    })
}
