//! Stateful hash-based signatures: HSS with LMS (RFC 8554), XMSS and XMSS^MT (RFC 8391), in all sets of SP 800-208.
//!
//! Owns: parameter sets, one-time signatures, trees and their levels, keys and signatures as bytes. Does not know: which index is free.
//! A private key here signs with the index that it is told, and **an index used for two messages gives the key away**: who calls
//! [`StatefulPrivateKey::sign`] has reserved the index for good. Called from [`crate::Provider`].
//! Rule source: RFC 8554, RFC 8391, NIST SP 800-208.
//!
//! The hash functions are those of the crates `sha2` and `shake`; what is here puts them together. No published crate could serve:
//! `lms-signature` (0.1.0-rc.2) has one level and one of the four families, `hbs-lms` (0.2.0-alpha.1) panics on malformed signatures,
//! and `xmss` (0.1.0-pre.0) does not read public keys of XMSS^MT whose numbers are also numbers of XMSS, which are all of RFC 8391 with SHA-256.
//! The tests compare with the last two, where they are right.
//!
//! Everything that a signature's maker can choose is hashed, never used as a place: lengths and types are checked first, and no input panics.

mod hss;
mod lms;
mod xmss;
mod xmss_sets;
mod xmss_tree;

use crate::error::Result;
use std::sync::Arc;

pub use lms::lms_height;
pub use xmss_sets::XmssSet;

/// Most levels of HSS (RFC 8554, 6).
pub const HSS_LEVELS_MAX: usize = 8;
/// Largest sum of the heights of a private key's trees, so that an index is one number.
pub const TOTAL_HEIGHT_MAX: u32 = 60;
/// Length of the seed that an HSS private key is made of, in bytes.
pub const HSS_SEED_BYTES: usize = 32;

/// A public key.
pub trait StatefulPublicKey: Send + Sync {
    /// Verifies a signature.
    ///
    /// # Errors
    /// `SignatureLength` or `BadSignature`.
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<()>;
}

/// A private key without the count of its signatures; wiped on drop. Trees are grown when they are first needed and kept.
pub trait StatefulPrivateKey: Send + Sync {
    /// How many signatures it makes in its life: indices are below this.
    fn signatures(&self) -> u64;
    /// Length of a signature in bytes.
    fn signature_bytes(&self) -> usize;
    /// The public key; grows the top tree where that has not been done.
    ///
    /// # Errors
    /// `OutOfMemory`.
    fn public_key(&self) -> Result<Vec<u8>>;
    /// Signs with a one-time key that is used for this message and no other, ever. The same message and index give the same signature.
    ///
    /// # Errors
    /// `InputRange` for an index that the key has not; `OutOfMemory`.
    fn sign(&self, index: u64, message: &[u8]) -> Result<Vec<u8>>;
}

/// An engine's stateful signatures as functions.
#[derive(Clone, Copy)]
#[expect(clippy::type_complexity, reason = "the signatures are the interface; a name for each would only hide them")]
pub struct Stateful {
    /// Makes an HSS private key of the types of its levels, top first (LMS, LM-OTS), and of its seed of 32 bytes.
    pub hss_private: fn(&[(u32, u32)], &[u8]) -> Result<Arc<dyn StatefulPrivateKey>>,
    /// Parses an HSS public key (RFC 8554, 6.1).
    pub hss_public: fn(&[u8]) -> Result<Arc<dyn StatefulPublicKey>>,
    /// Makes a private key of a set of XMSS or XMSS^MT and of its three seeds: `SK_SEED`, `SK_PRF`, `SEED`.
    pub xmss_private: fn(XmssSet, &[u8]) -> Result<Arc<dyn StatefulPrivateKey>>,
    /// Parses a public key of a set of XMSS or XMSS^MT, with its number in front (RFC 8391, 4.1.7 and 4.2.3).
    pub xmss_public: fn(XmssSet, &[u8]) -> Result<Arc<dyn StatefulPublicKey>>,
}

/// The one implementation, for both engines.
pub(crate) const STATEFUL: Stateful = Stateful {
    hss_private: hss::private,
    hss_public: hss::public,
    xmss_private: xmss_tree::private,
    xmss_public: xmss::public,
};

/// Takes so many bytes off the front.
fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(bytes)?;
    *rest = left;
    Some(taken)
}

/// Takes a number of four bytes off the front.
fn take_number(rest: &mut &[u8]) -> Option<u32> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(u32::from_be_bytes(*taken))
}

/// Room for the nodes of a tree.
fn nodes(bytes: usize) -> Result<Vec<u8>> {
    crate::memory::zeroed(bytes)
}
