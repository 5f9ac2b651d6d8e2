//! SLH-DSA, by the crate `slh-dsa`, for both engines: AWS-LC has none.
//!
//! Owns: the choice of the crate's type for a set. The crate is a release candidate (0.2.0-rc.5), because no stable version has the
//! final FIPS 205 with this generation of the RustCrypto traits; like its sisters it is not audited.
//! Called from both engines' tables. Rule source: FIPS 205, 9 and 10.

use crate::error::{CryptoError, Result};
use crate::post_quantum::{SlhDsaPrivateKey, SlhDsaPublicKey, SlhDsaSet};
use crate::random::Random;
use crate::secret::{SecretBox, SecretBytes};
use slh_dsa::{ParameterSet, Signature, SigningKey, VerifyingKey};
use std::sync::Arc;
use zeroize::Zeroize;

const BAD_SEED: CryptoError = CryptoError::InvalidKey("the SLH-DSA seeds have another length");
const BAD_PRIVATE: CryptoError = CryptoError::InvalidKey("not an SLH-DSA private key of this set");
const BAD_PUBLIC: CryptoError = CryptoError::InvalidKey("not an SLH-DSA public key of this set");

/// Runs `$body` with `$P` standing for the crate's type of `$set`.
macro_rules! with_set {
    ($set:expr, $P:ident => $body:expr) => {
        with_set!(@ $set, $P => $body; Sha2_128s Shake128s Sha2_128f Shake128f Sha2_192s Shake192s Sha2_192f Shake192f
            Sha2_256s Shake256s Sha2_256f Shake256f)
    };
    (@ $set:expr, $P:ident => $body:expr; $($name:ident)+) => {
        match $set {
            $(SlhDsaSet::$name => {
                type $P = slh_dsa::$name;
                $body
            })+
        }
    };
}

/// Makes a private key of its three seeds; computes the root, which takes a good part of a second for the small sets.
///
/// # Errors
/// `InvalidKey` for a wrong length.
pub(crate) fn expand(set: SlhDsaSet, seeds: &[u8]) -> Result<SecretBytes> {
    if seeds.len() != 3 * set.n() {
        return Err(BAD_SEED);
    }
    let (first, rest) = seeds.split_at(set.n());
    let (second, third) = rest.split_at(set.n());
    Ok(with_set!(set, P => {
        let mut bytes = SigningKey::<P>::slh_keygen_internal(first, second, third).to_bytes();
        let copy = SecretBytes::copy_of(&bytes);
        bytes.zeroize();
        copy
    }))
}

/// Parses a private key. Whether its root is that of its seeds is not asked here: see [`expand`].
///
/// # Errors
/// `InvalidKey` for a wrong length.
pub(crate) fn private(set: SlhDsaSet, bytes: &[u8]) -> Result<Arc<dyn SlhDsaPrivateKey>> {
    with_set!(set, P => {
        let key = SigningKey::<P>::try_from(bytes).map_err(|_| BAD_PRIVATE)?;
        Ok(Arc::new(Private { set, key: SecretBox::new(key) }))
    })
}

/// Parses a public key; every string of the right length is one.
///
/// # Errors
/// `InvalidKey` for a wrong length.
pub(crate) fn public(set: SlhDsaSet, bytes: &[u8]) -> Result<Arc<dyn SlhDsaPublicKey>> {
    with_set!(set, P => {
        let key = VerifyingKey::<P>::try_from(bytes).map_err(|_| BAD_PUBLIC)?;
        Ok(Arc::new(Public { set, key }))
    })
}

struct Private<P: ParameterSet> {
    set: SlhDsaSet,
    key: SecretBox<SigningKey<P>>,
}

struct Public<P: ParameterSet> {
    set: SlhDsaSet,
    key: VerifyingKey<P>,
}

impl<P: ParameterSet + Send + Sync + 'static> SlhDsaPrivateKey for Private<P> {
    fn set(&self) -> SlhDsaSet {
        self.set
    }

    fn public_key(&self) -> Vec<u8> {
        let verifying: &VerifyingKey<P> = (*self.key).as_ref();
        verifying.to_vec()
    }

    fn sign(&self, message: &[&[u8]], hedge: Option<&dyn Random>) -> Result<Vec<u8>> {
        let signature = match hedge {
            None => self.key.slh_sign_internal(message, None),
            Some(random) => {
                let mut fresh = vec![0; self.set.n()];
                random.fill(&mut fresh)?;
                self.key.slh_sign_internal(message, Some(&fresh))
            }
        };
        Ok(signature.to_vec())
    }
}

impl<P: ParameterSet + Send + Sync + 'static> SlhDsaPublicKey for Public<P> {
    fn set(&self) -> SlhDsaSet {
        self.set
    }

    fn verify(&self, message: &[&[u8]], signature: &[u8]) -> Result<()> {
        if signature.len() != self.set.signature_bytes() {
            return Err(CryptoError::SignatureLength);
        }
        let signature = Signature::<P>::try_from(signature).map_err(|_| CryptoError::BadSignature)?;
        self.key.slh_verify_internal(message, &signature).map_err(|_| CryptoError::BadSignature)
    }
}
