//! Keys in trees: BIP-32 on secp256k1, and SLIP-10 on secp256k1, P-256 and Ed25519.
//!
//! Owns: the step from a seed to a master key and from a key to a child, and what a step that gives no key means: BIP-32 calls it
//! a fault, SLIP-10 tries again. Does not know: paths, serialisation. HMAC, points and keys are the engine's.
//! Rule source: BIP-32; SLIP-0010.

use crate::ec::Curve;
use crate::error::{CryptoError, Result};
use crate::hash::Hash;
use crate::portable::tweak;
use crate::provider::Provider;
use crate::secret::SecretBytes;
use crate::symmetric::SymmetricKey;
use ripemd::{Digest as _, Ripemd160};

/// The first index of hardened children.
pub const HARDENED: u32 = 1 << 31;

/// Which rules a tree follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tree {
    /// BIP-32 on secp256k1.
    Bip32,
    /// SLIP-10 on secp256k1 or P-256.
    Slip10(Curve),
    /// SLIP-10 on Ed25519: hardened children only.
    Slip10Ed25519,
}

/// A key in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The scalar, or the Ed25519 seed, of 32 bytes; `None` for a public key.
    pub secret: Option<SecretBytes>,
    /// The public key: an uncompressed point, or 32 bytes on Ed25519.
    pub public: Vec<u8>,
    /// The chain code, 32 bytes.
    pub chain_code: SecretBytes,
}

/// Length of a scalar, a seed and a chain code.
const HALF: usize = 32;

impl Tree {
    /// The key of the HMAC that makes the master key.
    const fn salt(self) -> &'static [u8] {
        match self {
            Tree::Slip10(Curve::P256) => b"Nist256p1 seed",
            Tree::Slip10Ed25519 => b"ed25519 seed",
            Tree::Bip32 | Tree::Slip10(_) => b"Bitcoin seed",
        }
    }

    const fn curve(self) -> Option<Curve> {
        match self {
            Tree::Bip32 => Some(Curve::K256),
            Tree::Slip10(curve) => Some(curve),
            Tree::Slip10Ed25519 => None,
        }
    }

    /// The public key as it goes into hashes: compressed, or a zero byte and the 32 bytes of Ed25519.
    #[must_use]
    pub fn serialised(self, public: &[u8]) -> Vec<u8> {
        match (self.curve(), public) {
            (Some(_), [4, coordinates @ ..]) => {
                let (x, y) = coordinates.split_at(coordinates.len() / 2);
                let odd = y.last().is_some_and(|byte| byte & 1 == 1);
                [&[2 + u8::from(odd)], x].concat()
            }
            (Some(_), _) => public.to_vec(),
            (None, _) => [&[0], public].concat(),
        }
    }

    /// The identifier of a key: RIPEMD-160 of the SHA-256 of the public key. Its first four bytes are the fingerprint.
    #[must_use]
    pub fn identifier(self, engine: &Provider, public: &[u8]) -> [u8; 20] {
        let mut digest = (engine.digest)(Hash::Sha256);
        digest.update(&self.serialised(public));
        Ripemd160::digest(digest.finish()).into()
    }

    /// The master key of a seed.
    ///
    /// # Errors
    /// `InvalidKey` when a BIP-32 seed gives none; the engine's.
    pub fn master(self, engine: &Provider, seed: &[u8]) -> Result<Node> {
        let mut both = hmac(engine, self.salt(), &[seed])?;
        loop {
            let (secret, chain_code) = halves(&both)?;
            match self.private(engine, secret, chain_code) {
                Err(CryptoError::InvalidKey(_)) if matches!(self, Tree::Slip10(_)) => {
                    both = hmac(engine, self.salt(), &[both.expose()])?;
                }
                outcome => return outcome,
            }
        }
    }

    /// The child of a key at an index: a private key of a private one, a public key of a public one.
    ///
    /// # Errors
    /// `InvalidParameter` for a hardened child of a public key and for any other on Ed25519; `InvalidKey` when BIP-32 has no key there;
    /// the engine's.
    pub fn child(self, engine: &Provider, parent: &Node, index: u32) -> Result<Node> {
        let hardened = index >= HARDENED;
        let chain_code = parent.chain_code.expose();
        let mut both = match (&parent.secret, hardened) {
            (Some(secret), true) => hmac(engine, chain_code, &[&[0], secret.expose(), &index.to_be_bytes()])?,
            (None, true) => return Err(CryptoError::InvalidParameter("a hardened child needs the private key")),
            (_, false) if self == Tree::Slip10Ed25519 => {
                return Err(CryptoError::InvalidParameter("on Ed25519 every child is hardened"));
            }
            (_, false) => hmac(engine, chain_code, &[&self.serialised(&parent.public), &index.to_be_bytes()])?,
        };
        loop {
            let (tweak, chain_code) = halves(&both)?;
            match self.added(engine, parent, tweak, chain_code) {
                Err(CryptoError::InvalidKey(_)) if matches!(self, Tree::Slip10(_)) => {
                    let again: [&[u8]; 3] = [&[1], chain_code, &index.to_be_bytes()];
                    both = hmac(engine, parent.chain_code.expose(), &again)?;
                }
                outcome => return outcome,
            }
        }
    }

    /// A parent's key and the left half of a child's HMAC, as the child.
    fn added(self, engine: &Provider, parent: &Node, tweak: &[u8], chain_code: &[u8]) -> Result<Node> {
        match (self.curve(), &parent.secret) {
            (None, _) => self.private(engine, tweak, chain_code),
            (Some(curve), Some(secret)) => {
                let sum = tweak::scalars(curve, secret.expose(), tweak).ok_or(NO_KEY)?;
                self.private(engine, sum.expose(), chain_code)
            }
            (Some(curve), None) => {
                let public = tweak::point(curve, &parent.public, tweak).ok_or(NO_KEY)?;
                Ok(Node { secret: None, public, chain_code: SecretBytes::copy_of(chain_code) })
            }
        }
    }

    /// A private key with its public one.
    fn private(self, engine: &Provider, secret: &[u8], chain_code: &[u8]) -> Result<Node> {
        let public = match self.curve() {
            Some(curve) => (engine.ec_private)(curve, secret)?.public_point(),
            None => (engine.ed25519_private)(secret)?.public_key().to_vec(),
        };
        Ok(Node { secret: Some(SecretBytes::copy_of(secret)), public, chain_code: SecretBytes::copy_of(chain_code) })
    }
}

/// The answer where the rules of a tree say that there is no key.
const NO_KEY: CryptoError = CryptoError::InvalidKey("the tree has no key there");

fn hmac(engine: &Provider, key: &[u8], parts: &[&[u8]]) -> Result<SecretBytes> {
    let mut mac = (engine.hmac)(Hash::Sha512, &SymmetricKey::copy_of(key))?;
    for part in parts {
        mac.update(part)?;
    }
    mac.finish().map(SecretBytes::new)
}

fn halves(both: &SecretBytes) -> Result<(&[u8], &[u8])> {
    both.expose().split_at_checked(HALF).ok_or(CryptoError::EngineFailed("HMAC-SHA-512 gave fewer than 64 bytes"))
}
