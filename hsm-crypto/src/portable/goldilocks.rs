//! Ed448 and X448: `ed448-goldilocks` and `x448` of RustCrypto behind the traits of [`crate::ec`].
//!
//! Owns: the strict reading of public keys and signatures. Does not know: the other engine, which has neither curve and
//! borrows both from here. Called from the providers. Rule source: RFC 8032 (5.2), RFC 7748 (6.2).
//!
//! Maturity: both crates are pre-releases of RustCrypto that nobody has audited; there is no stable release on the current
//! traits, and no other maintained crate. They pass the vectors of the RFCs and, with the check of encodings here, of Wycheproof
//! in this crate's tests. The crate's own reading of points refuses those outside the subgroup of prime order, which is stricter than RFC 8032 and hurts no
//! honest key.

use crate::ec::{CONTEXT_BYTES_MAX, ED448_BYTES, EdPrivateKey, EdPublicKey, EdScheme, XPrivateKey};
use crate::error::{CryptoError, Result};
use crate::secret::{SecretBox, SecretBytes};
use ed448_goldilocks::shake::Shake256;
use ed448_goldilocks::shake::digest::{ExtendableOutput, Update, XofReader};
use ed448_goldilocks::{AffinePoint, CompressedEdwardsY, PreHash, Signature, SigningKey, VerifyingKey};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use x448::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

/// Makes an Ed448 key from its seed.
///
/// # Errors
/// `InvalidKey` unless the seed has 57 bytes.
pub(crate) fn ed448_private(seed: &[u8]) -> Result<Arc<dyn EdPrivateKey>> {
    // The length is the only error.
    let key = SigningKey::try_from(seed).map_err(|_| CryptoError::InvalidKey("an Ed448 key has 57 bytes"))?;
    Ok(Arc::new(EdPrivate(SecretBox::new(key))))
}

/// Parses an Ed448 public key.
///
/// # Errors
/// `InvalidKey` for anything but the canonical encoding of a point of large order.
pub(crate) fn ed448_public(key: &[u8]) -> Result<Arc<dyn EdPublicKey>> {
    // The only error is the length.
    let bytes = key.try_into().map_err(|_| CryptoError::InvalidKey("an Ed448 key has 57 bytes"))?;
    // The one error of the crate is anything that is not a point of the prime-order group, or its identity.
    let key = VerifyingKey::from_bytes(bytes)
        .map_err(|_| CryptoError::InvalidKey("the Ed448 public key is no point of the curve's large group"))?;
    if key.to_edwards().to_affine().compress().as_bytes() != bytes {
        return Err(CryptoError::InvalidKey("the Ed448 public key is not encoded canonically"));
    }
    Ok(Arc::new(EdPublic(key)))
}

/// Makes an X448 key.
///
/// # Errors
/// `InvalidKey` unless it has 56 bytes.
pub(crate) fn x448_private(key: &[u8]) -> Result<Arc<dyn XPrivateKey>> {
    if key.len() != X448_BYTES {
        return Err(CryptoError::InvalidKey("an X448 key has 56 bytes"));
    }
    let mut bytes = Zeroizing::new([0; X448_BYTES]);
    bytes.copy_from_slice(key);
    Ok(Arc::new(XPrivate(SecretBox::new(StaticSecret::from(*bytes)))))
}

/// Length of an X448 key and of a public value in bytes.
const X448_BYTES: usize = 56;

/// What Ed448ph signs: 64 bytes of SHAKE256 of the message.
struct Hashed([u8; 64]);

impl Hashed {
    fn new(message: &[u8]) -> Self {
        let mut hash = [0; 64];
        let mut state = Shake256::default();
        state.update(message);
        state.finalize_xof().read(&mut hash);
        Self(hash)
    }
}

impl PreHash for Hashed {
    fn fill_bytes(&mut self, out: &mut [u8]) {
        out.copy_from_slice(&self.0);
    }
}

/// The crate wipes the seed and what it expands to on drop.
struct EdPrivate(SecretBox<SigningKey>);

impl EdPrivateKey for EdPrivate {
    fn public_key(&self) -> Vec<u8> {
        self.0.verifying_key().as_bytes().to_vec()
    }

    fn sign_as(&self, scheme: EdScheme<'_>, message: &[u8]) -> Result<Vec<u8>> {
        let signature = match scheme {
            EdScheme::Pure => self.0.sign_ctx(&[], message),
            EdScheme::Context(context) => self.0.sign_ctx(context, message),
            EdScheme::Prehash(context) => self.0.sign_prehashed(Some(context), Hashed::new(message)),
        };
        // The only error is a context that is too long.
        Ok(signature.map_err(|_| CryptoError::InputLength)?.to_bytes().to_vec())
    }

    fn signature_bytes(&self) -> usize {
        ED448_BYTES.2
    }
}

struct EdPublic(VerifyingKey);

impl EdPublicKey for EdPublic {
    fn verify_as(&self, scheme: EdScheme<'_>, message: &[u8], signature: &[u8]) -> Result<()> {
        let (context, prehash) = match scheme {
            EdScheme::Pure => (&[][..], false),
            EdScheme::Context(context) => (context, false),
            EdScheme::Prehash(context) => (context, true),
        };
        if context.len() > CONTEXT_BYTES_MAX {
            return Err(CryptoError::InputLength);
        }
        if signature.len() != ED448_BYTES.2 {
            return Err(CryptoError::SignatureLength);
        }
        // From here on every refusal has but one meaning.
        check_canonical(signature)?;
        let signature = Signature::try_from(signature).map_err(|_| CryptoError::BadSignature)?;
        let outcome = if prehash {
            self.0.verify_prehashed(&signature, Some(context), Hashed::new(message))
        } else {
            self.0.verify_ctx(&signature, context, message)
        };
        outcome.map_err(|_| CryptoError::BadSignature)
    }
}

/// Refuses a second encoding of R; the crate does not look at the seven unused bits of its last byte.
fn check_canonical(signature: &[u8]) -> Result<()> {
    let r = signature.first_chunk::<{ ED448_BYTES.1 }>().ok_or(CryptoError::SignatureLength)?;
    let point = Option::from(CompressedEdwardsY(*r).decompress()).ok_or(CryptoError::BadSignature)?;
    let point: AffinePoint = point;
    if point.compress().as_bytes() == r { Ok(()) } else { Err(CryptoError::BadSignature) }
}

/// The crate wipes the key on drop.
struct XPrivate(SecretBox<StaticSecret>);

impl XPrivateKey for XPrivate {
    fn public_key(&self) -> Vec<u8> {
        PublicKey::from(&*self.0).as_bytes().to_vec()
    }

    fn agree(&self, peer: &[u8]) -> Result<SecretBytes> {
        let peer = PublicKey::from_bytes_unchecked(peer).ok_or(CryptoError::InputLength)?;
        let shared = self.0.diffie_hellman(&peer);
        let zero = shared.as_bytes().ct_eq(&[0; X448_BYTES]);
        if bool::from(zero) { Err(CryptoError::InputRange) } else { Ok(SecretBytes::copy_of(shared.as_bytes())) }
    }
}
