//! The post-quantum algorithms as the engines offer them: ML-KEM (FIPS 203), ML-DSA (FIPS 204) and SLH-DSA (FIPS 205).
//!
//! Owns: the parameter sets with their sizes, the traits of parsed keys, and the framing of messages that ML-DSA and SLH-DSA share
//! (context, hash of a pre-hashed message). Does not know: lattices and hash trees, which the crates and AWS-LC compute.
//! Called from [`crate::Provider`] and, for the framing, from `hsm-core`.
//! Rule source: FIPS 203 (7), FIPS 204 (5.2 to 5.4, 6), FIPS 205 (10).

use crate::error::{CryptoError, Result};
use crate::hash::Hash;
use crate::made_by::MadeBy;
use crate::random::Random;
use crate::secret::SecretBytes;
use shake::{ExtendableOutput, Shake256, Update, XofReader};
use std::sync::Arc;

/// A parameter set of ML-KEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MlKemSet {
    /// ML-KEM-512, category 1.
    MlKem512,
    /// ML-KEM-768, category 3.
    MlKem768,
    /// ML-KEM-1024, category 5.
    MlKem1024,
}

impl MlKemSet {
    /// Every set, smallest first.
    pub const ALL: [MlKemSet; 3] = [MlKemSet::MlKem512, MlKemSet::MlKem768, MlKemSet::MlKem1024];
    /// Length of the seed `d || z` in bytes.
    pub const SEED_BYTES: usize = 64;
    /// Length of the shared secret in bytes.
    pub const SECRET_BYTES: usize = 32;

    /// Length of the encapsulation key in bytes.
    #[must_use]
    pub const fn public_bytes(self) -> usize {
        match self {
            MlKemSet::MlKem512 => 800,
            MlKemSet::MlKem768 => 1184,
            MlKemSet::MlKem1024 => 1568,
        }
    }

    /// Length of the expanded decapsulation key in bytes.
    #[must_use]
    pub const fn private_bytes(self) -> usize {
        match self {
            MlKemSet::MlKem512 => 1632,
            MlKemSet::MlKem768 => 2400,
            MlKemSet::MlKem1024 => 3168,
        }
    }

    /// Length of a ciphertext in bytes.
    #[must_use]
    pub const fn ciphertext_bytes(self) -> usize {
        match self {
            MlKemSet::MlKem512 => 768,
            MlKemSet::MlKem768 => 1088,
            MlKemSet::MlKem1024 => 1568,
        }
    }
}

/// A parameter set of ML-DSA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MlDsaSet {
    /// ML-DSA-44, category 2.
    MlDsa44,
    /// ML-DSA-65, category 3.
    MlDsa65,
    /// ML-DSA-87, category 5.
    MlDsa87,
}

impl MlDsaSet {
    /// Every set, smallest first.
    pub const ALL: [MlDsaSet; 3] = [MlDsaSet::MlDsa44, MlDsaSet::MlDsa65, MlDsaSet::MlDsa87];
    /// Length of the seed in bytes.
    pub const SEED_BYTES: usize = 32;

    /// Length of the public key in bytes.
    #[must_use]
    pub const fn public_bytes(self) -> usize {
        match self {
            MlDsaSet::MlDsa44 => 1312,
            MlDsaSet::MlDsa65 => 1952,
            MlDsaSet::MlDsa87 => 2592,
        }
    }

    /// Length of the expanded private key in bytes.
    #[must_use]
    pub const fn private_bytes(self) -> usize {
        match self {
            MlDsaSet::MlDsa44 => 2560,
            MlDsaSet::MlDsa65 => 4032,
            MlDsaSet::MlDsa87 => 4896,
        }
    }

    /// Length of a signature in bytes.
    #[must_use]
    pub const fn signature_bytes(self) -> usize {
        match self {
            MlDsaSet::MlDsa44 => 2420,
            MlDsaSet::MlDsa65 => 3309,
            MlDsaSet::MlDsa87 => 4627,
        }
    }
}

/// A parameter set of SLH-DSA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of FIPS 205, table 2")]
pub enum SlhDsaSet {
    Sha2_128s,
    Shake128s,
    Sha2_128f,
    Shake128f,
    Sha2_192s,
    Shake192s,
    Sha2_192f,
    Shake192f,
    Sha2_256s,
    Shake256s,
    Sha2_256f,
    Shake256f,
}

impl SlhDsaSet {
    /// Every set, in the order of PKCS#11's numbers.
    pub const ALL: [SlhDsaSet; 12] = [
        SlhDsaSet::Sha2_128s,
        SlhDsaSet::Shake128s,
        SlhDsaSet::Sha2_128f,
        SlhDsaSet::Shake128f,
        SlhDsaSet::Sha2_192s,
        SlhDsaSet::Shake192s,
        SlhDsaSet::Sha2_192f,
        SlhDsaSet::Shake192f,
        SlhDsaSet::Sha2_256s,
        SlhDsaSet::Shake256s,
        SlhDsaSet::Sha2_256f,
        SlhDsaSet::Shake256f,
    ];

    /// The security parameter `n` in bytes: the length of each seed and of the root.
    #[must_use]
    pub const fn n(self) -> usize {
        match self {
            SlhDsaSet::Sha2_128s | SlhDsaSet::Shake128s | SlhDsaSet::Sha2_128f | SlhDsaSet::Shake128f => 16,
            SlhDsaSet::Sha2_192s | SlhDsaSet::Shake192s | SlhDsaSet::Sha2_192f | SlhDsaSet::Shake192f => 24,
            SlhDsaSet::Sha2_256s | SlhDsaSet::Shake256s | SlhDsaSet::Sha2_256f | SlhDsaSet::Shake256f => 32,
        }
    }

    /// Length of the public key in bytes.
    #[must_use]
    pub const fn public_bytes(self) -> usize {
        2 * self.n()
    }

    /// Length of the private key in bytes: three seeds and the root.
    #[must_use]
    pub const fn private_bytes(self) -> usize {
        4 * self.n()
    }

    /// Length of a signature in bytes.
    #[must_use]
    pub const fn signature_bytes(self) -> usize {
        match self {
            SlhDsaSet::Sha2_128s | SlhDsaSet::Shake128s => 7856,
            SlhDsaSet::Sha2_128f | SlhDsaSet::Shake128f => 17_088,
            SlhDsaSet::Sha2_192s | SlhDsaSet::Shake192s => 16_224,
            SlhDsaSet::Sha2_192f | SlhDsaSet::Shake192f => 35_664,
            SlhDsaSet::Sha2_256s | SlhDsaSet::Shake256s => 29_792,
            SlhDsaSet::Sha2_256f | SlhDsaSet::Shake256f => 49_856,
        }
    }
}

/// The two forms of a lattice key's secret.
#[derive(Clone, Copy)]
pub enum Secret<'a> {
    /// The seed that all is made of.
    Seed(&'a [u8]),
    /// The expanded key.
    Expanded(&'a [u8]),
}

/// A ciphertext and the secret in it.
pub struct Encapsulated {
    /// What goes to the holder of the private key.
    pub ciphertext: Vec<u8>,
    /// What both sides then know.
    pub secret: SecretBytes,
}

/// An ML-KEM decapsulation key, parsed and checked once; wiped on drop.
pub trait MlKemPrivateKey: MadeBy + Send + Sync {
    /// The parameter set.
    fn set(&self) -> MlKemSet;
    /// The encapsulation key.
    fn public_key(&self) -> Vec<u8>;
    /// The expanded decapsulation key.
    ///
    /// # Errors
    /// `EngineFailed`.
    fn expanded(&self) -> Result<SecretBytes>;
    /// Takes the secret out of a ciphertext. One that was not made for this key gives another secret, without a sign (implicit
    /// rejection, FIPS 203, 6.3).
    ///
    /// # Errors
    /// `InputLength`.
    fn decapsulate(&self, ciphertext: &[u8]) -> Result<SecretBytes>;
}

/// An ML-KEM encapsulation key, parsed and checked once (FIPS 203, 7.2).
pub trait MlKemPublicKey: MadeBy + Send + Sync {
    /// The parameter set.
    fn set(&self) -> MlKemSet;
    /// Makes a secret and its ciphertext.
    ///
    /// # Errors
    /// The random source's.
    fn encapsulate(&self, random: &dyn Random) -> Result<Encapsulated>;
}

/// An ML-DSA private key, parsed and checked once; wiped on drop.
pub trait MlDsaPrivateKey: MadeBy + Send + Sync {
    /// The parameter set.
    fn set(&self) -> MlDsaSet;
    /// The public key.
    fn public_key(&self) -> Vec<u8>;
    /// The expanded private key.
    ///
    /// # Errors
    /// `EngineFailed`.
    fn expanded(&self) -> Result<SecretBytes>;
    /// Signs a message representative (see [`Mu`]); hedged with fresh random bytes, or deterministically.
    ///
    /// # Errors
    /// The random source's.
    fn sign(&self, mu: &[u8; Mu::BYTES], hedge: Option<&dyn Random>) -> Result<Vec<u8>>;
}

/// An ML-DSA public key.
pub trait MlDsaPublicKey: MadeBy + Send + Sync {
    /// The parameter set.
    fn set(&self) -> MlDsaSet;
    /// The public key's bytes.
    fn public_key(&self) -> Vec<u8>;
    /// Verifies a signature of a message representative.
    ///
    /// # Errors
    /// `SignatureLength` or `BadSignature`.
    fn verify(&self, mu: &[u8; Mu::BYTES], signature: &[u8]) -> Result<()>;
}

/// An SLH-DSA private key; wiped on drop.
pub trait SlhDsaPrivateKey: MadeBy + Send + Sync {
    /// The parameter set.
    fn set(&self) -> SlhDsaSet;
    /// The public key.
    fn public_key(&self) -> Vec<u8>;
    /// Signs the parts of a framed message (see [`framing`]) as one; hedged with fresh random bytes, or deterministically.
    ///
    /// # Errors
    /// The random source's.
    fn sign(&self, message: &[&[u8]], hedge: Option<&dyn Random>) -> Result<Vec<u8>>;
}

/// An SLH-DSA public key.
pub trait SlhDsaPublicKey: MadeBy + Send + Sync {
    /// The parameter set.
    fn set(&self) -> SlhDsaSet;
    /// Verifies a signature of the parts of a framed message.
    ///
    /// # Errors
    /// `SignatureLength` or `BadSignature`.
    fn verify(&self, message: &[&[u8]], signature: &[u8]) -> Result<()>;
}

/// An engine's post-quantum algorithms as functions.
#[derive(Clone, Copy)]
#[expect(clippy::type_complexity, reason = "the signatures are the interface; a name for each would only hide them")]
pub struct PostQuantum {
    /// Makes a decapsulation key of its seed, or parses and checks an expanded one (FIPS 203, 7.3).
    pub ml_kem_private: fn(MlKemSet, Secret<'_>) -> Result<Arc<dyn MlKemPrivateKey>>,
    /// Parses and checks an encapsulation key: length and modulus (FIPS 203, 7.2).
    pub ml_kem_public: fn(MlKemSet, &[u8]) -> Result<Arc<dyn MlKemPublicKey>>,
    /// Makes a private key of its seed, or parses and checks an expanded one.
    pub ml_dsa_private: fn(MlDsaSet, Secret<'_>) -> Result<Arc<dyn MlDsaPrivateKey>>,
    /// Parses a public key.
    pub ml_dsa_public: fn(MlDsaSet, &[u8]) -> Result<Arc<dyn MlDsaPublicKey>>,
    /// Makes a private key, encoded, of its three seeds (`SK.seed`, `SK.prf`, `PK.seed`).
    pub slh_dsa_expand: fn(SlhDsaSet, &[u8]) -> Result<SecretBytes>,
    /// Parses a private key.
    pub slh_dsa_private: fn(SlhDsaSet, &[u8]) -> Result<Arc<dyn SlhDsaPrivateKey>>,
    /// Parses a public key.
    pub slh_dsa_public: fn(SlhDsaSet, &[u8]) -> Result<Arc<dyn SlhDsaPublicKey>>,
}

/// The last arc of a hash's object identifier under 2.16.840.1.101.3.4.2, for the hashes of HashML-DSA and HashSLH-DSA.
const fn hash_arc(hash: Hash) -> Option<u8> {
    match hash {
        Hash::Sha256 => Some(1),
        Hash::Sha384 => Some(2),
        Hash::Sha512 => Some(3),
        Hash::Sha224 => Some(4),
        Hash::Sha512_224 => Some(5),
        Hash::Sha512_256 => Some(6),
        Hash::Sha3_224 => Some(7),
        Hash::Sha3_256 => Some(8),
        Hash::Sha3_384 => Some(9),
        Hash::Sha3_512 => Some(10),
        Hash::Shake128 => Some(11),
        Hash::Shake256 => Some(12),
        _ => None,
    }
}

/// Longest context of a signature, bytes.
pub const CONTEXT_BYTES_MAX: usize = 255;

/// What stands before a message, or before the digest of a pre-hashed one (FIPS 204, 5.2 and 5.4; FIPS 205, 10.2).
///
/// # Errors
/// `InvalidParameter` for a context above [`CONTEXT_BYTES_MAX`], and for a hash that the standards do not name.
pub fn framing(context: &[u8], hash: Option<Hash>) -> Result<Vec<u8>> {
    let Ok(length) = u8::try_from(context.len()) else {
        return Err(CryptoError::InvalidParameter("a context has at most 255 bytes"));
    };
    let mut frame = vec![u8::from(hash.is_some()), length];
    frame.extend_from_slice(context);
    if let Some(hash) = hash {
        let arc = hash_arc(hash).ok_or(CryptoError::InvalidParameter("not a hash of pre-hashed signatures"))?;
        frame.extend_from_slice(&[0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, arc]);
    }
    Ok(frame)
}

/// The message representative of ML-DSA in the making (FIPS 204, algorithm 7, line 6): a hash of the public key, the frame and
/// the message.
pub struct Mu(Shake256);

impl Mu {
    /// Its length in bytes.
    pub const BYTES: usize = 64;

    /// Begins with the public key and what [`framing`] gives.
    #[must_use]
    pub fn new(public_key: &[u8], frame: &[u8]) -> Self {
        let mut key_hash = [0; Self::BYTES];
        let mut hasher = Shake256::default();
        hasher.update(public_key);
        hasher.finalize_xof().read(&mut key_hash);
        let mut hasher = Shake256::default();
        hasher.update(&key_hash);
        hasher.update(frame);
        Self(hasher)
    }

    /// Takes in more of the message.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// What a hash of the public key, which an expanded private key carries, gives for an empty frame and message.
    pub(crate) fn of_key_hash(key_hash: &[u8]) -> [u8; Self::BYTES] {
        let mut hasher = Shake256::default();
        hasher.update(key_hash);
        Self(hasher).finish()
    }

    /// The representative of everything taken in.
    #[must_use]
    pub fn finish(&self) -> [u8; Self::BYTES] {
        let mut mu = [0; Self::BYTES];
        self.0.clone().finalize_xof().read(&mut mu);
        mu
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_of_255_bytes_is_the_longest() {
        assert_eq!(framing(&[7; 255], None).unwrap()[..3], [0, 255, 7]);
        assert!(matches!(framing(&[7; 256], None), Err(CryptoError::InvalidParameter(_))));
        assert!(matches!(framing(b"", Some(Hash::Sha1)), Err(CryptoError::InvalidParameter(_))));
    }

    #[test]
    fn the_frame_names_the_hash_of_a_prehashed_message() {
        let frame = framing(b"ab", Some(Hash::Shake128)).unwrap();
        assert_eq!(frame, [1, 2, b'a', b'b', 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 11]);
    }
}
