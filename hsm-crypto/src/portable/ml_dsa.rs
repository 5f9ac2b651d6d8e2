//! ML-DSA of the portable engine, by the crate `ml-dsa`.
//!
//! Owns: the check of expanded private keys, which the crate takes unseen and would panic over. Called from `portable::PROVIDER`,
//! and from `aws_lc` for signatures that must be deterministic.
//! Rule source: FIPS 204, 6.1 to 6.3, 7.2 (skDecode) and table 1.

use super::random::Source;
use crate::error::{CryptoError, Result};
use crate::post_quantum::{MlDsaPrivateKey, MlDsaPublicKey, MlDsaSet, Mu, Secret};
use crate::random::Random;
use crate::secret::{SecretBox, SecretBytes};
use ml_dsa::SignatureEncoding;
use ml_dsa::{
    ExpandedSigningKey, ExpandedSigningKeyBytes, MlDsa44, MlDsa65, MlDsa87, MlDsaParams, Signature, VerifyingKey,
};
use std::sync::Arc;
use zeroize::Zeroize;

pub(crate) const BAD_SEED: CryptoError = CryptoError::InvalidKey("an ML-DSA seed has 32 bytes");
pub(crate) const BAD_EXPANDED: CryptoError = CryptoError::InvalidKey("not an ML-DSA private key of this set");
pub(crate) const BAD_PUBLIC: CryptoError = CryptoError::InvalidKey("not an ML-DSA public key of this set");

/// Makes a private key.
///
/// # Errors
/// `InvalidKey` for a wrong length, and for an expanded key out of range or whose parts contradict each other.
pub(crate) fn private(set: MlDsaSet, secret: Secret<'_>) -> Result<Arc<dyn MlDsaPrivateKey>> {
    match set {
        MlDsaSet::MlDsa44 => Private::<MlDsa44>::parse(set, secret),
        MlDsaSet::MlDsa65 => Private::<MlDsa65>::parse(set, secret),
        MlDsaSet::MlDsa87 => Private::<MlDsa87>::parse(set, secret),
    }
}

/// Parses a public key; every string of the right length is one.
///
/// # Errors
/// `InvalidKey` for a wrong length.
pub(crate) fn public(set: MlDsaSet, bytes: &[u8]) -> Result<Arc<dyn MlDsaPublicKey>> {
    match set {
        MlDsaSet::MlDsa44 => Public::<MlDsa44>::parse(set, bytes),
        MlDsaSet::MlDsa65 => Public::<MlDsa65>::parse(set, bytes),
        MlDsaSet::MlDsa87 => Public::<MlDsa87>::parse(set, bytes),
    }
}

struct Private<P: MlDsaParams> {
    set: MlDsaSet,
    key: SecretBox<ExpandedSigningKey<P>>,
    public: Vec<u8>,
}

struct Public<P: MlDsaParams> {
    set: MlDsaSet,
    key: VerifyingKey<P>,
}

/// A proof that a private key's parts fit each other signs this representative.
const PROOF: [u8; Mu::BYTES] = [0x5A; Mu::BYTES];

impl<P: MlDsaParams + Send + Sync + 'static> Private<P> {
    fn parse(set: MlDsaSet, secret: Secret<'_>) -> Result<Arc<dyn MlDsaPrivateKey>> {
        let key = match secret {
            Secret::Seed(seed) => {
                let mut seed = ml_dsa::Seed::try_from(seed).map_err(|_| BAD_SEED)?;
                let key = ExpandedSigningKey::<P>::from_seed(&seed);
                seed.zeroize();
                key
            }
            Secret::Expanded(bytes) => Self::parse_expanded(set, bytes)?,
        };
        let public = key.verifying_key().encode().to_vec();
        Ok(Arc::new(Self { set, key: SecretBox::new(key), public }))
    }

    fn parse_expanded(set: MlDsaSet, bytes: &[u8]) -> Result<ExpandedSigningKey<P>> {
        let encoded: &ExpandedSigningKeyBytes<P> = bytes.try_into().map_err(|_| BAD_EXPANDED)?;
        let key_hash = check_expanded(set, bytes)?;
        #[expect(deprecated, reason = "CKA_VALUE of PKCS#11 is the expanded key; its range was checked")]
        let key = ExpandedSigningKey::<P>::from_expanded(encoded);
        let public = key.verifying_key();
        let signature = key.sign_mu_deterministic(&PROOF.into());
        // The hash of the public key is part of the key; a wrong low part of t shows in the signature.
        if Mu::new(&public.encode(), &[]).finish() != Mu::of_key_hash(key_hash)
            || !public.verify_mu(&PROOF.into(), &signature)
        {
            return Err(BAD_EXPANDED);
        }
        Ok(key)
    }
}

/// Checks that the coefficients of `s1` and `s2` are in range, and returns the hash of the public key in the expanded key.
fn check_expanded(set: MlDsaSet, bytes: &[u8]) -> Result<&[u8]> {
    // rho and K have 32 bytes each, tr has 64.
    const HEAD: usize = 128;
    const KEY_HASH: usize = 64;
    // Polynomials of s1 and s2 together, eta, and bits of a coefficient.
    let (polynomials, largest, bits) = match set {
        MlDsaSet::MlDsa44 => (8, 4, 3),
        MlDsaSet::MlDsa65 => (11, 8, 4),
        MlDsaSet::MlDsa87 => (15, 4, 3),
    };
    let vectors = bytes.get(HEAD..HEAD + polynomials * 32 * bits).ok_or(BAD_EXPANDED)?;
    let (mut held, mut count, mut wrong) = (0_u32, 0, false);
    for byte in vectors {
        held |= u32::from(*byte) << count;
        count += 8;
        while count >= bits {
            // No early end: how many coefficients are right is nobody's business.
            wrong |= held & ((1 << bits) - 1) > largest;
            held >>= bits;
            count -= bits;
        }
    }
    if wrong { Err(BAD_EXPANDED) } else { bytes.get(KEY_HASH..HEAD).ok_or(BAD_EXPANDED) }
}

impl<P: MlDsaParams + Send + Sync + 'static> MlDsaPrivateKey for Private<P> {
    fn set(&self) -> MlDsaSet {
        self.set
    }

    fn public_key(&self) -> Vec<u8> {
        self.public.clone()
    }

    fn expanded(&self) -> Result<SecretBytes> {
        #[expect(deprecated, reason = "as above")]
        let mut bytes = self.key.to_expanded();
        let copy = SecretBytes::copy_of(&bytes);
        bytes.zeroize();
        Ok(copy)
    }

    fn sign(&self, mu: &[u8; Mu::BYTES], hedge: Option<&dyn Random>) -> Result<Vec<u8>> {
        let mu = (*mu).into();
        let signature = match hedge {
            None => self.key.sign_mu_deterministic(&mu),
            // The source's failure is all that can go wrong.
            Some(random) => {
                self.key.sign_mu_randomized(&mu, &mut Source(random)).map_err(|_| CryptoError::RandomFailed)?
            }
        };
        Ok(signature.to_vec())
    }
}

impl<P: MlDsaParams + Send + Sync + 'static> Public<P> {
    fn parse(set: MlDsaSet, bytes: &[u8]) -> Result<Arc<dyn MlDsaPublicKey>> {
        let encoded = bytes.try_into().map_err(|_| BAD_PUBLIC)?;
        Ok(Arc::new(Self { set, key: VerifyingKey::decode(encoded) }))
    }
}

impl<P: MlDsaParams + Send + Sync + 'static> MlDsaPublicKey for Public<P> {
    fn set(&self) -> MlDsaSet {
        self.set
    }

    fn public_key(&self) -> Vec<u8> {
        self.key.encode().to_vec()
    }

    fn verify(&self, mu: &[u8; Mu::BYTES], signature: &[u8]) -> Result<()> {
        if signature.len() != self.set.signature_bytes() {
            return Err(CryptoError::SignatureLength);
        }
        let signature = Signature::<P>::try_from(signature).map_err(|_| CryptoError::BadSignature)?;
        if self.key.verify_mu(&(*mu).into(), &signature) { Ok(()) } else { Err(CryptoError::BadSignature) }
    }
}
