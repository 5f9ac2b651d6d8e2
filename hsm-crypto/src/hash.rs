//! Hashes and MACs: their names, sizes and the running state of a computation.

use crate::error::{CryptoError, Result};
use crate::made_by::MadeBy;
use crate::secret::SecretBox;
use crate::secret::SecretBytes;
use crate::secret::seen_as;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

pub use crate::portable::resumable::{resume, start as start_resumable};

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hash {
    /// SHA-1 (FIPS 180-4), 20 bytes; legacy.
    Sha1,
    /// SHA-224, 28 bytes.
    Sha224,
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-384, 48 bytes.
    Sha384,
    /// SHA-512, 64 bytes.
    Sha512,
    /// SHA-512/224, 28 bytes.
    Sha512_224,
    /// SHA-512/256, 32 bytes.
    Sha512_256,
    /// SHA3-224 (FIPS 202), 28 bytes.
    Sha3_224,
    /// SHA3-256, 32 bytes.
    Sha3_256,
    /// SHA3-384, 48 bytes.
    Sha3_384,
    /// SHA3-512, 64 bytes.
    Sha3_512,
    /// SHAKE128 with the 32 bytes of output that it has as a message digest (RFC 8702, 2; FIPS 204, 5.4).
    Shake128,
    /// SHAKE256 with the 64 bytes of output that it has as a message digest.
    Shake256,
    /// BLAKE2b (RFC 7693) with 20 bytes of output.
    Blake2b160,
    /// BLAKE2b with 32 bytes.
    Blake2b256,
    /// BLAKE2b with 48 bytes.
    Blake2b384,
    /// BLAKE2b with 64 bytes.
    Blake2b512,
    /// Keccak as it was submitted to NIST, before FIPS 202 changed its padding; 28 bytes.
    Keccak224,
    /// Keccak with 32 bytes, the hash of Ethereum.
    Keccak256,
    /// Keccak with 48 bytes.
    Keccak384,
    /// Keccak with 64 bytes.
    Keccak512,
    /// MD5 (RFC 1321), 16 bytes; broken.
    Md5,
    /// RIPEMD-160, 20 bytes; outlived.
    Ripemd160,
}

impl Hash {
    /// Every hash.
    pub const ALL: [Hash; 23] = [
        Hash::Sha1,
        Hash::Sha224,
        Hash::Sha256,
        Hash::Sha384,
        Hash::Sha512,
        Hash::Sha512_224,
        Hash::Sha512_256,
        Hash::Sha3_224,
        Hash::Sha3_256,
        Hash::Sha3_384,
        Hash::Sha3_512,
        Hash::Shake128,
        Hash::Shake256,
        Hash::Blake2b160,
        Hash::Blake2b256,
        Hash::Blake2b384,
        Hash::Blake2b512,
        Hash::Keccak224,
        Hash::Keccak256,
        Hash::Keccak384,
        Hash::Keccak512,
        Hash::Md5,
        Hash::Ripemd160,
    ];

    /// Length of the digest in bytes.
    #[must_use]
    pub const fn output_bytes(self) -> usize {
        match self {
            Hash::Md5 => 16,
            Hash::Sha1 | Hash::Ripemd160 | Hash::Blake2b160 => 20,
            Hash::Sha224 | Hash::Sha512_224 | Hash::Sha3_224 | Hash::Keccak224 => 28,
            Hash::Sha256 | Hash::Sha512_256 | Hash::Sha3_256 => 32,
            Hash::Shake128 | Hash::Blake2b256 | Hash::Keccak256 => 32,
            Hash::Sha384 | Hash::Sha3_384 | Hash::Blake2b384 | Hash::Keccak384 => 48,
            Hash::Sha512 | Hash::Sha3_512 | Hash::Shake256 | Hash::Blake2b512 | Hash::Keccak512 => 64,
        }
    }

    /// Length of the internal block in bytes, as HMAC uses it.
    #[must_use]
    pub const fn block_bytes(self) -> usize {
        match self {
            Hash::Sha1 | Hash::Sha224 | Hash::Sha256 | Hash::Md5 | Hash::Ripemd160 => 64,
            Hash::Sha384 | Hash::Sha512 | Hash::Sha512_224 | Hash::Sha512_256 => 128,
            Hash::Blake2b160 | Hash::Blake2b256 | Hash::Blake2b384 | Hash::Blake2b512 => 128,
            // A sponge's block is what the capacity of twice the security leaves of 200 bytes.
            Hash::Shake128 => 168,
            Hash::Sha3_224 | Hash::Keccak224 => 144,
            Hash::Sha3_256 | Hash::Keccak256 | Hash::Shake256 => 136,
            Hash::Sha3_384 | Hash::Keccak384 => 104,
            Hash::Sha3_512 | Hash::Keccak512 => 72,
        }
    }
}

/// The two KMACs of SP 800-185.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KmacStrength {
    /// KMAC128.
    Bits128,
    /// KMAC256.
    Bits256,
}

impl KmacStrength {
    /// The length of a tag that has the whole strength against collisions, bytes.
    #[must_use]
    pub const fn usual_tag_bytes(self) -> usize {
        match self {
            KmacStrength::Bits128 => 32,
            KmacStrength::Bits256 => 64,
        }
    }
}

/// Parameters of KMAC (SP 800-185, 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KmacParams<'a> {
    /// Which of the two.
    pub strength: KmacStrength,
    /// The customisation string, usually empty.
    pub customisation: &'a [u8],
    /// Length of the tag in bytes; part of what is computed, so a shorter tag is no beginning of a longer one.
    pub tag_bytes: usize,
}

/// A digest in the making.
pub trait Digest: MadeBy + Send {
    /// Takes in more of the message.
    fn update(&mut self, data: &[u8]);
    /// Returns the digest of everything taken in and starts anew.
    fn finish(&mut self) -> Vec<u8>;
    /// Copies the running state.
    fn fork(&self) -> SecretBox<dyn Digest>;
    /// Whether `save` gives the running state.
    fn is_resumable(&self) -> bool {
        false
    }
    /// The running state, from which [`resume`] goes on; `None` where it cannot be told. It may tell of secrets that were digested.
    fn save(&self) -> Option<SecretBytes> {
        None
    }
}

seen_as!(Digest);

/// A MAC from a cipher, other than AES-CMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CipherMac<'a> {
    /// AES-GMAC (SP 800-38D) with this IV of 1 byte or more.
    Gmac {
        /// Initialisation vector, never used twice with a key.
        iv: &'a [u8],
    },
    /// CBC-MAC of AES over the message filled up with zero bytes (FIPS 113); the message's length must be fixed by other means.
    AesCbc,
    /// AES-XCBC-MAC with a key of 16 bytes (RFC 3566), whole.
    AesXcbc,
    /// CMAC of triple DES (SP 800-38B).
    TripleDesCmac,
    /// CBC-MAC of triple DES, as `AesCbc`.
    TripleDesCbc,
    /// Poly1305 with a key of 32 bytes that is used once (RFC 8439, 2.5).
    Poly1305,
}

/// A MAC in the making; holds key material and wipes it on drop.
pub trait Mac: MadeBy + Send {
    /// Takes in more of the message.
    ///
    /// # Errors
    /// `EngineFailed`, also after `finish` or `verify`.
    fn update(&mut self, data: &[u8]) -> Result<()>;
    /// Returns the full-length tag of everything taken in; the computation is over.
    ///
    /// # Errors
    /// As `update`.
    fn finish(&mut self) -> Result<Vec<u8>>;
    /// Length of the full tag in bytes.
    fn tag_bytes(&self) -> usize;
    /// The running state, from which `resume` goes on; `None` where it cannot be told. Whoever has it knows nothing of the key, and
    /// yet it is a secret: of some MACs it tells what was taken in.
    fn save(&self) -> Option<SecretBytes> {
        None
    }
    /// Goes on from what `save` gave, in a computation that was just started with the same key.
    ///
    /// # Errors
    /// `InvalidParameter` for what is no state of this MAC.
    fn resume(&mut self, _state: &[u8]) -> Result<()> {
        Err(NO_STATE)
    }
    /// Compares in constant time `tag`, which may be a truncation, with the computed one; the computation is over.
    ///
    /// # Errors
    /// `SignatureLength` when `tag` is empty or longer than the full tag, `BadSignature` when it differs; as `update`.
    fn verify(&mut self, tag: &[u8]) -> Result<()> {
        let mut full = self.finish()?;
        let expected = full.get(..tag.len()).filter(|part| !part.is_empty()).ok_or(CryptoError::SignatureLength);
        let same = expected.map(|expected| bool::from(expected.ct_eq(tag)));
        full.zeroize();
        if same? { Ok(()) } else { Err(CryptoError::BadSignature) }
    }
}

seen_as!(Mac);

/// What is wrong with a state.
pub(crate) const NO_STATE: CryptoError = CryptoError::InvalidParameter("not the state of such a computation");

/// The answer of a MAC that has ended.
pub(crate) const MAC_IS_OVER: CryptoError = CryptoError::EngineFailed("the MAC is over");
