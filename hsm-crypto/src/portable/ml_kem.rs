//! ML-KEM of the portable engine, by the crate `ml-kem`.
//!
//! Owns: the choice of the crate's types for a set. Called from `portable::PROVIDER`, and from `aws_lc` for the check of expanded
//! keys. Expanded keys are deprecated in the crate and common in PKCS#11: CKA_VALUE is one.
//! Rule source: FIPS 203, 7.1 to 7.3.

use crate::error::{CryptoError, Result};
use crate::post_quantum::{Encapsulated, MlKemPrivateKey, MlKemPublicKey, MlKemSet, Secret};
use crate::random::Random;
use crate::secret::{SecretBox, SecretBytes};
#[expect(deprecated, reason = "CKA_VALUE of PKCS#11 is the expanded key")]
use ml_kem::ExpandedKeyEncoding;
use ml_kem::{B32, Decapsulate, KeyExport, Seed, ml_kem_512, ml_kem_768, ml_kem_1024};
use std::sync::Arc;
use zeroize::Zeroize;

pub(crate) const BAD_SEED: CryptoError = CryptoError::InvalidKey("an ML-KEM seed has 64 bytes");
pub(crate) const BAD_EXPANDED: CryptoError = CryptoError::InvalidKey("not an ML-KEM decapsulation key of this set");
pub(crate) const BAD_PUBLIC: CryptoError = CryptoError::InvalidKey("not an ML-KEM encapsulation key of this set");

/// Makes a decapsulation key.
///
/// # Errors
/// `InvalidKey` for a wrong length, and for an expanded key whose parts contradict each other.
pub(crate) fn private(set: MlKemSet, secret: Secret<'_>) -> Result<Arc<dyn MlKemPrivateKey>> {
    match set {
        MlKemSet::MlKem512 => ml_kem_512_private(secret),
        MlKemSet::MlKem768 => ml_kem_768_private(secret),
        MlKemSet::MlKem1024 => ml_kem_1024_private(secret),
    }
}

/// Parses an encapsulation key.
///
/// # Errors
/// `InvalidKey` for a wrong length and for a number not below the modulus.
pub(crate) fn public(set: MlKemSet, bytes: &[u8]) -> Result<Arc<dyn MlKemPublicKey>> {
    match set {
        MlKemSet::MlKem512 => ml_kem_512_public(bytes),
        MlKemSet::MlKem768 => ml_kem_768_public(bytes),
        MlKemSet::MlKem1024 => ml_kem_1024_public(bytes),
    }
}

struct Private<K>(SecretBox<K>);

struct Public<K>(K);

/// The three sets differ in the crate by types that have no name in common.
macro_rules! of_set {
    ($types:ident, $set:expr, $private:ident, $public:ident) => {
        fn $private(secret: Secret<'_>) -> Result<Arc<dyn MlKemPrivateKey>> {
            let key = match secret {
                Secret::Seed(seed) => {
                    let mut seed = Seed::try_from(seed).map_err(|_| BAD_SEED)?;
                    let key = $types::DecapsulationKey::from_seed(seed);
                    seed.zeroize();
                    key
                }
                Secret::Expanded(bytes) => {
                    let bytes = bytes.try_into().map_err(|_| BAD_EXPANDED)?;
                    #[expect(deprecated, reason = "as above")]
                    let key = $types::DecapsulationKey::from_expanded(bytes);
                    key.map_err(|_| BAD_EXPANDED)?
                }
            };
            Ok(Arc::new(Private(SecretBox::new(key))))
        }

        fn $public(bytes: &[u8]) -> Result<Arc<dyn MlKemPublicKey>> {
            let bytes = bytes.try_into().map_err(|_| BAD_PUBLIC)?;
            let key = $types::EncapsulationKey::new(bytes).map_err(|_| BAD_PUBLIC)?;
            Ok(Arc::new(Public(key)))
        }

        impl MlKemPrivateKey for Private<$types::DecapsulationKey> {
            fn set(&self) -> MlKemSet {
                $set
            }

            fn public_key(&self) -> Vec<u8> {
                self.0.encapsulation_key().to_bytes().to_vec()
            }

            fn expanded(&self) -> Result<SecretBytes> {
                #[expect(deprecated, reason = "as above")]
                let mut bytes = self.0.to_expanded_bytes();
                let copy = SecretBytes::copy_of(&bytes);
                bytes.zeroize();
                Ok(copy)
            }

            fn decapsulate(&self, ciphertext: &[u8]) -> Result<SecretBytes> {
                let ciphertext = ciphertext.try_into().map_err(|_| CryptoError::InputLength)?;
                let mut secret = self.0.decapsulate(ciphertext);
                let copy = SecretBytes::copy_of(&secret);
                secret.zeroize();
                Ok(copy)
            }
        }

        impl MlKemPublicKey for Public<$types::EncapsulationKey> {
            fn set(&self) -> MlKemSet {
                $set
            }

            fn encapsulate(&self, random: &dyn Random) -> Result<Encapsulated> {
                let mut message = B32::default();
                random.fill(&mut message)?;
                let (ciphertext, mut secret) = self.0.encapsulate_deterministic(&message);
                message.zeroize();
                let copy = SecretBytes::copy_of(&secret);
                secret.zeroize();
                Ok(Encapsulated { ciphertext: ciphertext.to_vec(), secret: copy })
            }
        }
    };
}

of_set!(ml_kem_512, MlKemSet::MlKem512, ml_kem_512_private, ml_kem_512_public);
of_set!(ml_kem_768, MlKemSet::MlKem768, ml_kem_768_private, ml_kem_768_public);
of_set!(ml_kem_1024, MlKemSet::MlKem1024, ml_kem_1024_private, ml_kem_1024_public);
