//! The encodings of post-quantum keys.
//!
//! Owns: object identifiers; the three forms of a lattice key's secret (seed, expanded key, both). Does not know: whether both
//! belong together, which the engine's parser and `hsm-core` say. What has a seed and an expanded key is written with both: then
//! every reader finds the form that it knows.
//! Rule source: RFC 9935 (ML-KEM), RFC 9881 (ML-DSA), RFC 9909 (SLH-DSA).

use super::{PrivateForm, malformed, private_info};
use crate::error::{CryptoError, Result};
use crate::post_quantum::{MlDsaSet, MlKemSet, SlhDsaSet};
use crate::secret::SecretBytes;
use const_oid::ObjectIdentifier;
use der::asn1::{ContextSpecificRef, OctetStringRef};
use der::{Decode, Encode, Header, Reader, Sequence, TagMode, TagNumber};
use zeroize::Zeroizing;

/// Algorithm and parameter set of a post-quantum key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PqSet {
    /// ML-KEM.
    MlKem(MlKemSet),
    /// ML-DSA.
    MlDsa(MlDsaSet),
    /// SLH-DSA.
    SlhDsa(SlhDsaSet),
}

impl PqSet {
    /// Every set of every algorithm.
    pub fn all() -> impl Iterator<Item = PqSet> {
        let kems = MlKemSet::ALL.into_iter().map(PqSet::MlKem);
        kems.chain(MlDsaSet::ALL.into_iter().map(PqSet::MlDsa)).chain(SlhDsaSet::ALL.into_iter().map(PqSet::SlhDsa))
    }

    /// Its object identifier.
    #[must_use]
    pub const fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            PqSet::MlKem(MlKemSet::MlKem512) => "2.16.840.1.101.3.4.4.1",
            PqSet::MlKem(MlKemSet::MlKem768) => "2.16.840.1.101.3.4.4.2",
            PqSet::MlKem(MlKemSet::MlKem1024) => "2.16.840.1.101.3.4.4.3",
            PqSet::MlDsa(MlDsaSet::MlDsa44) => "2.16.840.1.101.3.4.3.17",
            PqSet::MlDsa(MlDsaSet::MlDsa65) => "2.16.840.1.101.3.4.3.18",
            PqSet::MlDsa(MlDsaSet::MlDsa87) => "2.16.840.1.101.3.4.3.19",
            PqSet::SlhDsa(SlhDsaSet::Sha2_128s) => "2.16.840.1.101.3.4.3.20",
            PqSet::SlhDsa(SlhDsaSet::Sha2_128f) => "2.16.840.1.101.3.4.3.21",
            PqSet::SlhDsa(SlhDsaSet::Sha2_192s) => "2.16.840.1.101.3.4.3.22",
            PqSet::SlhDsa(SlhDsaSet::Sha2_192f) => "2.16.840.1.101.3.4.3.23",
            PqSet::SlhDsa(SlhDsaSet::Sha2_256s) => "2.16.840.1.101.3.4.3.24",
            PqSet::SlhDsa(SlhDsaSet::Sha2_256f) => "2.16.840.1.101.3.4.3.25",
            PqSet::SlhDsa(SlhDsaSet::Shake128s) => "2.16.840.1.101.3.4.3.26",
            PqSet::SlhDsa(SlhDsaSet::Shake128f) => "2.16.840.1.101.3.4.3.27",
            PqSet::SlhDsa(SlhDsaSet::Shake192s) => "2.16.840.1.101.3.4.3.28",
            PqSet::SlhDsa(SlhDsaSet::Shake192f) => "2.16.840.1.101.3.4.3.29",
            PqSet::SlhDsa(SlhDsaSet::Shake256s) => "2.16.840.1.101.3.4.3.30",
            PqSet::SlhDsa(SlhDsaSet::Shake256f) => "2.16.840.1.101.3.4.3.31",
        })
    }

    /// The set with an object identifier.
    #[must_use]
    pub fn by_oid(oid: ObjectIdentifier) -> Option<Self> {
        Self::all().find(|set| set.oid() == oid)
    }

    /// Length of a public key in bytes.
    #[must_use]
    pub const fn public_bytes(self) -> usize {
        match self {
            PqSet::MlKem(set) => set.public_bytes(),
            PqSet::MlDsa(set) => set.public_bytes(),
            PqSet::SlhDsa(set) => set.public_bytes(),
        }
    }

    /// Length of a private key in bytes: the expanded one of ML-KEM and ML-DSA.
    #[must_use]
    pub const fn private_bytes(self) -> usize {
        match self {
            PqSet::MlKem(set) => set.private_bytes(),
            PqSet::MlDsa(set) => set.private_bytes(),
            PqSet::SlhDsa(set) => set.private_bytes(),
        }
    }

    /// Length of a seed in bytes, where private keys have one.
    #[must_use]
    pub const fn seed_bytes(self) -> Option<usize> {
        match self {
            PqSet::MlKem(_) => Some(MlKemSet::SEED_BYTES),
            PqSet::MlDsa(_) => Some(MlDsaSet::SEED_BYTES),
            PqSet::SlhDsa(_) => None,
        }
    }
}

const BAD_LENGTH: CryptoError = CryptoError::InvalidKey("the post-quantum key has a wrong length");
const BAD_FORM: &str = "the post-quantum private key is not valid DER";
const SEED_TAG: TagNumber = TagNumber(0);

/// The public key, of the right length.
pub(super) fn public_of(set: PqSet, key: &[u8]) -> Result<&[u8]> {
    if key.len() == set.public_bytes() { Ok(key) } else { Err(BAD_LENGTH) }
}

/// `ML-KEM-*-PrivateKey` and `ML-DSA-*-PrivateKey` with both alternatives inside.
#[derive(Sequence)]
struct Both<'a> {
    seed: &'a OctetStringRef,
    expanded: &'a OctetStringRef,
}

/// Encodes as PKCS#8.
///
/// # Errors
/// `InvalidKey` for a wrong length, or when there is nothing to encode.
pub(super) fn encode_private(set: PqSet, seed: Option<&SecretBytes>, key: Option<&SecretBytes>) -> Result<SecretBytes> {
    let seed = seed.map(|seed| seed_of(set, seed.expose())).transpose()?;
    let key = key.map(|key| key_of(set, key.expose())).transpose()?;
    let inner = match (set, seed, key) {
        (PqSet::SlhDsa(_), _, Some(key)) => Ok(key.to_vec()),
        (_, Some(seed), Some(key)) => {
            octets(seed).and_then(|seed| octets(key).and_then(|expanded| to_der(&Both { seed, expanded })))
        }
        (_, Some(seed), None) => octets(seed).and_then(|value| {
            to_der(&ContextSpecificRef { tag_number: SEED_TAG, tag_mode: TagMode::Implicit, value: &value })
        }),
        (_, None, Some(key)) => octets(key).and_then(|key| to_der(&key)),
        (_, _, None) => Err(CryptoError::InvalidKey("a part of the key is missing")),
    };
    private_info(set.oid(), None, &Zeroizing::new(inner?))
}

/// Decodes the content of PKCS#8's `privateKey`.
///
/// # Errors
/// `InvalidKey`.
pub(super) fn decode_private(set: PqSet, content: &[u8]) -> Result<PrivateForm> {
    let secret = |bytes: &[u8]| Some(SecretBytes::copy_of(bytes));
    let wrong = |error| malformed(error, BAD_FORM);
    let (seed, key) = match (set, content.first()) {
        (PqSet::SlhDsa(_), _) => (None, secret(key_of(set, content)?)),
        (_, Some(0x80)) => {
            let seed = implicit_octets(content).map_err(wrong)?;
            (secret(seed_of(set, seed)?), None)
        }
        (_, Some(0x30)) => {
            let both = Both::from_der(content).map_err(wrong)?;
            (secret(seed_of(set, both.seed.as_bytes())?), secret(key_of(set, both.expanded.as_bytes())?))
        }
        _ => {
            let key = <&OctetStringRef>::from_der(content).map_err(wrong)?;
            (None, secret(key_of(set, key.as_bytes())?))
        }
    };
    Ok(PrivateForm::PostQuantum { set, seed, key })
}

/// The content of `[0] IMPLICIT OCTET STRING`, which a seed is.
fn implicit_octets(der: &[u8]) -> der::Result<&[u8]> {
    let mut reader = der::SliceReader::new(der)?;
    let header = Header::decode(&mut reader)?;
    let content = reader.read_slice(header.length())?;
    reader.finish()?;
    Ok(content)
}

fn octets(bytes: &[u8]) -> Result<&OctetStringRef> {
    OctetStringRef::new(bytes).map_err(|error| malformed(error, "the post-quantum key is too long"))
}

fn to_der(value: &impl Encode) -> Result<Vec<u8>> {
    value.to_der().map_err(|error| malformed(error, "the post-quantum key cannot be encoded"))
}

fn seed_of(set: PqSet, seed: &[u8]) -> Result<&[u8]> {
    if set.seed_bytes() == Some(seed.len()) { Ok(seed) } else { Err(BAD_LENGTH) }
}

fn key_of(set: PqSet, key: &[u8]) -> Result<&[u8]> {
    if key.len() == set.private_bytes() { Ok(key) } else { Err(BAD_LENGTH) }
}
