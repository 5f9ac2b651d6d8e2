//! Keys as standard bytes: PKCS#8 (RFC 5958) and SubjectPublicKeyInfo (RFC 5280).
//!
//! Owns: which algorithms and curves have an encoding here, and that it is strict DER to the last byte. Does not
//! know: whether a key is any good beyond its shape; the engine's parser says that (an EC point is checked here,
//! since it must belong to its scalar). The DER itself is that of the crates `pkcs8`, `pkcs1`, `sec1` and `spki`.
//! Called from `hsm-core` for wrapping, unwrapping and `CKA_PUBLIC_KEY_INFO`.
//! Rule source: RFC 8017 (A.1), RFC 5915, RFC 5480, RFC 8410; post-quantum keys in `encoding/pq.rs` and `encoding/hash_based.rs`.

mod hash_based;
mod pq;

use crate::ec::Curve;
use crate::error::{CryptoError, Result};
use crate::provider::preferred;
use crate::rsa::RsaParts;
use crate::rsa_parts::{self, trimmed};
use crate::secret::SecretBytes;
use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, BitStringRef, OctetStringRef, UintRef};
use der::{Decode, Encode};
use pkcs8::PrivateKeyInfoRef;
use rsa::pkcs1;
use sec1::{EcParameters, EcPrivateKey};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use std::borrow::Cow;
use zeroize::Zeroizing;

pub use hash_based::HashScheme;
pub use pq::PqSet;

/// A private key in any of the forms that PKCS#8 carries here.
#[derive(Debug, Clone)]
pub enum PrivateForm {
    /// RSA, all parts.
    Rsa(RsaParts),
    /// A scalar on a Weierstrass curve and, where the encoding has it, the SEC1 point.
    Ec {
        /// The curve.
        curve: Curve,
        /// The scalar at full field length.
        scalar: SecretBytes,
        /// The public point, uncompressed, where known.
        point: Option<Vec<u8>>,
    },
    /// The 32-byte seed of an Ed25519 key.
    Ed25519(SecretBytes),
    /// The 32 bytes of an X25519 key.
    X25519(SecretBytes),
    /// The 57-byte seed of an Ed448 key.
    Ed448(SecretBytes),
    /// The 56 bytes of an X448 key.
    X448(SecretBytes),
    /// A post-quantum key: its seed, its full form, or both.
    PostQuantum {
        /// Algorithm and parameter set.
        set: PqSet,
        /// The seed of ML-KEM or ML-DSA.
        seed: Option<SecretBytes>,
        /// The expanded key of ML-KEM or ML-DSA; the key of SLH-DSA.
        key: Option<SecretBytes>,
    },
}

/// A public key in any of the forms that SubjectPublicKeyInfo carries here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicForm {
    /// RSA modulus and exponent, big-endian.
    Rsa {
        /// Modulus.
        modulus: Vec<u8>,
        /// Public exponent.
        public_exponent: Vec<u8>,
    },
    /// A SEC1 point on a Weierstrass curve.
    Ec {
        /// The curve.
        curve: Curve,
        /// The point, uncompressed.
        point: Vec<u8>,
    },
    /// A 32-byte Ed25519 key.
    Ed25519(Vec<u8>),
    /// A 32-byte X25519 key.
    X25519(Vec<u8>),
    /// A 57-byte Ed448 key.
    Ed448(Vec<u8>),
    /// A 56-byte X448 key.
    X448(Vec<u8>),
    /// A post-quantum key.
    PostQuantum {
        /// Algorithm and parameter set.
        set: PqSet,
        /// The key.
        key: Vec<u8>,
    },
    /// A key of stateful signatures, whose bytes name their types.
    HashBased {
        /// Algorithm.
        scheme: HashScheme,
        /// The key.
        key: Vec<u8>,
    },
}

/// Encodes as DER `PrivateKeyInfo` (PKCS#8, version 1).
///
/// EC keys carry their public point, which is computed where it is not given; the missing numbers of an RSA key are
/// recovered.
///
/// # Errors
/// `InvalidKey` when a part cannot be encoded.
pub fn encode_pkcs8(key: &PrivateForm) -> Result<SecretBytes> {
    match key {
        PrivateForm::Rsa(parts) if rsa_parts::lacks_crt(parts) => encode_rsa_private(&rsa_parts::parse(parts)?.1),
        PrivateForm::Rsa(parts) => encode_rsa_private(parts),
        PrivateForm::Ec { curve, scalar, point } => encode_ec_private(*curve, scalar, point.as_deref()),
        PrivateForm::Ed25519(seed) => encode_octets(ED25519, seed),
        PrivateForm::X25519(key) => encode_octets(X25519, key),
        PrivateForm::Ed448(seed) => encode_octets(ED448, seed),
        PrivateForm::X448(key) => encode_octets(X448, key),
        PrivateForm::PostQuantum { set, seed, key } => pq::encode_private(*set, seed.as_ref(), key.as_ref()),
    }
}

/// Decodes DER `PrivateKeyInfo` or `OneAsymmetricKey`; trailing bytes are refused.
///
/// # Errors
/// `InvalidKey` for malformed DER, an unknown algorithm or curve.
pub fn decode_pkcs8(der: &[u8]) -> Result<PrivateForm> {
    let info = PrivateKeyInfoRef::from_der(der).map_err(|error| malformed(error, "the PKCS#8 key is not valid DER"))?;
    let content = info.private_key.as_bytes();
    match info.algorithm.oid {
        RSA => {
            check_null_parameters(&info.algorithm)?;
            decode_rsa_private(content)
        }
        EC => decode_ec_private(named_curve(&info.algorithm)?, content),
        ED25519 => Ok(PrivateForm::Ed25519(decode_octets(&info.algorithm, content)?)),
        X25519 => Ok(PrivateForm::X25519(decode_octets(&info.algorithm, content)?)),
        ED448 => Ok(PrivateForm::Ed448(decode_octets(&info.algorithm, content)?)),
        X448 => Ok(PrivateForm::X448(decode_octets(&info.algorithm, content)?)),
        other => match PqSet::by_oid(other) {
            Some(set) => {
                check_no_parameters(&info.algorithm)?;
                pq::decode_private(set, content)
            }
            None => Err(UNKNOWN_ALGORITHM),
        },
    }
}

/// Encodes as DER `SubjectPublicKeyInfo`.
///
/// # Errors
/// `InvalidKey` when a part cannot be encoded.
pub fn encode_spki(key: &PublicForm) -> Result<Vec<u8>> {
    let not_encodable = |error| malformed(error, "the public key cannot be encoded");
    match key {
        PublicForm::Rsa { modulus, public_exponent } => {
            let rsa_key =
                pkcs1::RsaPublicKey { modulus: integer(modulus)?, public_exponent: integer(public_exponent)? };
            public_info(RSA, Some(AnyRef::NULL), &rsa_key.to_der().map_err(not_encodable)?)
        }
        PublicForm::Ec { curve, point } => {
            let point = uncompressed(*curve, point)?;
            public_info(EC, Some(AnyRef::from(&curve_oid(*curve))), &point)
        }
        PublicForm::Ed25519(key) => public_info(ED25519, None, octets_of(ED25519, key)?),
        PublicForm::X25519(key) => public_info(X25519, None, octets_of(X25519, key)?),
        PublicForm::Ed448(key) => public_info(ED448, None, octets_of(ED448, key)?),
        PublicForm::X448(key) => public_info(X448, None, octets_of(X448, key)?),
        PublicForm::PostQuantum { set, key } => public_info(set.oid(), None, pq::public_of(*set, key)?),
        PublicForm::HashBased { scheme, key } => public_info(scheme.oid(), None, hash_based::public_of(*scheme, key)?),
    }
}

/// Decodes DER `SubjectPublicKeyInfo`.
///
/// # Errors
/// `InvalidKey` for malformed DER, an unknown algorithm or curve.
pub fn decode_spki(der: &[u8]) -> Result<PublicForm> {
    let info =
        SubjectPublicKeyInfoRef::from_der(der).map_err(|error| malformed(error, "the public key is not valid DER"))?;
    let content =
        info.subject_public_key.as_bytes().ok_or(CryptoError::InvalidKey("the public key ends inside a byte"))?;
    match info.algorithm.oid {
        RSA => {
            check_null_parameters(&info.algorithm)?;
            let key = pkcs1::RsaPublicKeyRef::from_der(content)
                .map_err(|error| malformed(error, "the RSA public key is not valid DER"))?;
            Ok(PublicForm::Rsa {
                modulus: key.modulus.as_bytes().to_vec(),
                public_exponent: key.public_exponent.as_bytes().to_vec(),
            })
        }
        EC => {
            let curve = named_curve(&info.algorithm)?;
            let point = (preferred().ec_public)(curve, content)?.point();
            Ok(PublicForm::Ec { curve, point })
        }
        oid @ (ED25519 | X25519 | ED448 | X448) => {
            check_no_parameters(&info.algorithm)?;
            let key = octets_of(oid, content)?.to_vec();
            Ok(match oid {
                ED25519 => PublicForm::Ed25519(key),
                X25519 => PublicForm::X25519(key),
                ED448 => PublicForm::Ed448(key),
                _ => PublicForm::X448(key),
            })
        }
        other => match PqSet::by_oid(other) {
            Some(set) => {
                check_no_parameters(&info.algorithm)?;
                Ok(PublicForm::PostQuantum { set, key: pq::public_of(set, content)?.to_vec() })
            }
            None => {
                let scheme = HashScheme::by_oid(other).ok_or(UNKNOWN_ALGORITHM)?;
                check_no_parameters(&info.algorithm)?;
                Ok(PublicForm::HashBased { scheme, key: hash_based::public_of(scheme, content)?.to_vec() })
            }
        },
    }
}

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const X25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.110");
const ED448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.113");
const X448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.111");

const UNKNOWN_ALGORITHM: CryptoError = CryptoError::InvalidKey("the algorithm of the encoded key is not known here");
const PARAMETERS: CryptoError = CryptoError::InvalidKey("the algorithm parameters of the encoded key are not right");

/// The object identifier of a named curve (RFC 5480, 2.1.1.1; SEC 2; RFC 5639, 3).
#[must_use]
pub const fn curve_oid(curve: Curve) -> ObjectIdentifier {
    match curve {
        Curve::P224 => ObjectIdentifier::new_unwrap("1.3.132.0.33"),
        Curve::P256 => ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
        Curve::P384 => ObjectIdentifier::new_unwrap("1.3.132.0.34"),
        Curve::P521 => ObjectIdentifier::new_unwrap("1.3.132.0.35"),
        Curve::K256 => ObjectIdentifier::new_unwrap("1.3.132.0.10"),
        Curve::BrainpoolP224r1 => ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.5"),
        Curve::BrainpoolP224t1 => ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.6"),
        Curve::BrainpoolP256r1 => ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.7"),
        Curve::BrainpoolP256t1 => ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.8"),
        Curve::BrainpoolP320r1 => ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.9"),
        Curve::BrainpoolP320t1 => ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.10"),
        Curve::BrainpoolP384r1 => ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.11"),
        Curve::BrainpoolP384t1 => ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.12"),
        Curve::BrainpoolP512r1 => ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.13"),
        Curve::BrainpoolP512t1 => ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.14"),
    }
}

/// Finds the curve with an object identifier.
#[must_use]
pub fn curve_by_oid(oid: ObjectIdentifier) -> Option<Curve> {
    Curve::ALL.into_iter().find(|curve| curve_oid(*curve) == oid)
}

/// Turns an error of a DER crate, whose detail is a position nobody acts on, into one that names the thing.
fn malformed<E: core::error::Error>(_detail: E, what: &'static str) -> CryptoError {
    CryptoError::InvalidKey(what)
}

fn integer(bytes: &[u8]) -> Result<UintRef<'_>> {
    UintRef::new(trimmed(bytes)).map_err(|error| malformed(error, "an RSA number is too long"))
}

/// The bytes of a key of RFC 8410, public or private, of the length that its algorithm has.
fn octets_of(oid: ObjectIdentifier, bytes: &[u8]) -> Result<&[u8]> {
    let (length, problem) = match oid {
        ED448 => (57, "an Ed448 key has 57 bytes"),
        X448 => (56, "an X448 key has 56 bytes"),
        _ => (32, "an Ed25519 or X25519 key has 32 bytes"),
    };
    if bytes.len() == length { Ok(bytes) } else { Err(CryptoError::InvalidKey(problem)) }
}

/// A point in the form that is written. An uncompressed one is taken as it is, of the right length.
fn uncompressed(curve: Curve, point: &[u8]) -> Result<Cow<'_, [u8]>> {
    match point.first() {
        Some(4) if point.len() == 1 + 2 * curve.field_bytes() => Ok(Cow::Borrowed(point)),
        _ => (preferred().ec_public)(curve, point).map(|key| Cow::Owned(key.point())),
    }
}

/// RFC 8017 demands NULL; some old encoders left it out, which is not ambiguous.
fn check_null_parameters(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<()> {
    if algorithm.parameters.is_none_or(|parameters| parameters.is_null()) { Ok(()) } else { Err(PARAMETERS) }
}

/// RFC 8410, section 3: the parameters are absent.
fn check_no_parameters(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<()> {
    if algorithm.parameters.is_none() { Ok(()) } else { Err(PARAMETERS) }
}

fn named_curve(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<Curve> {
    let parameters = algorithm.parameters.ok_or(PARAMETERS)?;
    let oid = parameters
        .decode_as::<ObjectIdentifier>()
        .map_err(|error| malformed(error, "the EC key does not name its curve by object identifier"))?;
    curve_by_oid(oid).ok_or(CryptoError::InvalidKey("the curve of the encoded key is not known here"))
}

fn private_info(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>, content: &[u8]) -> Result<SecretBytes> {
    let not_encodable = |error| malformed(error, "the private key cannot be encoded");
    let content = OctetStringRef::new(content).map_err(not_encodable)?;
    let info = PrivateKeyInfoRef::new(AlgorithmIdentifierRef { oid, parameters }, content);
    Ok(SecretBytes::new(info.to_der().map_err(not_encodable)?))
}

fn public_info(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>, content: &[u8]) -> Result<Vec<u8>> {
    let not_encodable = |error| malformed(error, "the public key cannot be encoded");
    let subject_public_key = BitStringRef::from_bytes(content).map_err(not_encodable)?;
    let info = SubjectPublicKeyInfoRef { algorithm: AlgorithmIdentifierRef { oid, parameters }, subject_public_key };
    info.to_der().map_err(not_encodable)
}

fn encode_rsa_private(parts: &RsaParts) -> Result<SecretBytes> {
    let key = pkcs1::RsaPrivateKey {
        modulus: integer(&parts.modulus)?,
        public_exponent: integer(&parts.public_exponent)?,
        private_exponent: integer(parts.private_exponent.expose())?,
        prime1: integer(parts.prime_1.expose())?,
        prime2: integer(parts.prime_2.expose())?,
        exponent1: integer(parts.exponent_1.expose())?,
        exponent2: integer(parts.exponent_2.expose())?,
        coefficient: integer(parts.coefficient.expose())?,
        other_prime_infos: None,
    };
    let der = key.to_der().map_err(|error| malformed(error, "the RSA private key cannot be encoded"))?;
    private_info(RSA, Some(AnyRef::NULL), &Zeroizing::new(der))
}

fn decode_rsa_private(content: &[u8]) -> Result<PrivateForm> {
    let key = pkcs1::RsaPrivateKeyRef::from_der(content)
        .map_err(|error| malformed(error, "the RSA private key is not valid DER"))?;
    if key.other_prime_infos.is_some() {
        return Err(CryptoError::InvalidKey("the RSA key has more than two primes"));
    }
    let secret = |number: UintRef<'_>| SecretBytes::copy_of(number.as_bytes());
    Ok(PrivateForm::Rsa(RsaParts {
        modulus: key.modulus.as_bytes().to_vec(),
        public_exponent: key.public_exponent.as_bytes().to_vec(),
        private_exponent: secret(key.private_exponent),
        prime_1: secret(key.prime1),
        prime_2: secret(key.prime2),
        exponent_1: secret(key.exponent1),
        exponent_2: secret(key.exponent2),
        coefficient: secret(key.coefficient),
    }))
}

fn encode_ec_private(curve: Curve, scalar: &SecretBytes, point: Option<&[u8]>) -> Result<SecretBytes> {
    let right_point = (preferred().ec_private)(curve, scalar.expose())?.public_point();
    if let Some(point) = point {
        check_point(curve, point, &right_point)?;
    }
    let padded = crate::portable::ec::padded_scalar(curve, scalar.expose())?;
    let key = EcPrivateKey { private_key: padded.expose(), parameters: None, public_key: Some(&right_point) };
    let der = key.to_der().map_err(|error| malformed(error, "the EC private key cannot be encoded"))?;
    private_info(EC, Some(AnyRef::from(&curve_oid(curve))), &Zeroizing::new(der))
}

fn decode_ec_private(curve: Curve, content: &[u8]) -> Result<PrivateForm> {
    let key =
        EcPrivateKey::from_der(content).map_err(|error| malformed(error, "the EC private key is not valid DER"))?;
    if key.parameters.is_some_and(|EcParameters::NamedCurve(oid)| oid != curve_oid(curve)) {
        return Err(CryptoError::InvalidKey("the EC private key names two different curves"));
    }
    let scalar = crate::portable::ec::padded_scalar(curve, key.private_key)?;
    let right_point = (preferred().ec_private)(curve, scalar.expose())?.public_point();
    let point = match key.public_key {
        None => None,
        Some(point) => {
            check_point(curve, point, &right_point)?;
            Some(right_point)
        }
    };
    Ok(PrivateForm::Ec { curve, scalar, point })
}

/// Refuses a point that does not belong to the scalar.
fn check_point(curve: Curve, given: &[u8], right: &[u8]) -> Result<()> {
    if (preferred().ec_public)(curve, given)?.point() == right {
        Ok(())
    } else {
        Err(CryptoError::InvalidKey("the EC point does not belong to the scalar"))
    }
}

/// Encodes a key that is an octet string within an octet string (RFC 8410, section 7).
fn encode_octets(oid: ObjectIdentifier, key: &SecretBytes) -> Result<SecretBytes> {
    let inner = OctetStringRef::new(octets_of(oid, key.expose())?)
        .and_then(|octets| octets.to_der())
        .map_err(|error| malformed(error, "the private key cannot be encoded"))?;
    private_info(oid, None, &Zeroizing::new(inner))
}

fn decode_octets(algorithm: &AlgorithmIdentifierRef<'_>, content: &[u8]) -> Result<SecretBytes> {
    check_no_parameters(algorithm)?;
    let inner = <&OctetStringRef>::from_der(content)
        .map_err(|error| malformed(error, "the private key is not an octet string"))?;
    Ok(SecretBytes::copy_of(octets_of(algorithm.oid, inner.as_bytes())?))
}
