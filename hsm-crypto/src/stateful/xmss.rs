//! XMSS and XMSS^MT: hash functions under an address, one-time signatures (WOTS+), and verification.
//!
//! Owns: addresses, the keyed hashes, chains, L-trees, the way from a signature to a root. Does not know: private keys (`xmss_tree`).
//! Rule source: RFC 8391, 2.5, 2.7, 3.1, 4.1 and 4.2; SP 800-208, 5 and 6.2. XMSS is XMSS^MT with one layer, and a longer index.

use super::xmss_sets::{Family, Hash, XmssSet};
use super::{StatefulPublicKey, take};
use crate::error::{CryptoError, Result};
use sha2::{Digest as _, Sha256, Sha512};
use shake::{ExtendableOutput as _, Shake128, Shake256, Update as _, XofReader as _};
use std::sync::Arc;

/// Length of the longest hash in bytes.
pub(super) const NODE_BYTES_MAX: usize = 64;
/// The largest digit of a one-time signature, and so the length of a chain in steps.
pub(super) const DIGIT_MAX: u32 = 15;

/// A hash; bytes after the family's length are 0.
pub(super) type Node = [u8; NODE_BYTES_MAX];

/// What a hash is for: its first bytes.
#[derive(Clone, Copy)]
pub(super) enum Use {
    Chain = 0,
    Inner = 1,
    Message = 2,
    Prf = 3,
    PrfKeygen = 4,
}

/// A hash in the making.
#[derive(Clone)]
enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
    Shake128(Shake128),
    Shake256(Shake256),
}

impl Hasher {
    fn new(hash: Hash) -> Self {
        match hash {
            Hash::Sha256 => Hasher::Sha256(Sha256::new()),
            Hash::Sha512 => Hasher::Sha512(Sha512::new()),
            Hash::Shake128 => Hasher::Shake128(Shake128::default()),
            Hash::Shake256 => Hasher::Shake256(Shake256::default()),
        }
    }

    fn update(&mut self, data: &[u8]) {
        match self {
            Hasher::Sha256(hasher) => sha2::Digest::update(hasher, data),
            Hasher::Sha512(hasher) => sha2::Digest::update(hasher, data),
            Hasher::Shake128(hasher) => hasher.update(data),
            Hasher::Shake256(hasher) => hasher.update(data),
        }
    }

    fn finish(self, bytes: usize) -> Node {
        let mut node = [0; NODE_BYTES_MAX];
        let out = &mut node[..bytes];
        let copy = |out: &mut [u8], hash: &[u8]| out.iter_mut().zip(hash).for_each(|(to, from)| *to = *from);
        match self {
            Hasher::Sha256(hasher) => copy(out, &hasher.finalize()),
            Hasher::Sha512(hasher) => copy(out, &hasher.finalize()),
            Hasher::Shake128(hasher) => hasher.finalize_xof().read(out),
            Hasher::Shake256(hasher) => hasher.finalize_xof().read(out),
        }
        node
    }
}

impl Family {
    /// The hash for a use, with the key of that use taken in.
    fn keyed(self, purpose: Use, key: &[u8]) -> Hasher {
        let mut hasher = Hasher::new(self.hash);
        let mut padding = [0; NODE_BYTES_MAX];
        padding[self.padding - 1] = purpose as u8;
        hasher.update(&padding[..self.padding]);
        hasher.update(key);
        hasher
    }

    pub(super) fn hash(self, purpose: Use, key: &[u8], parts: &[&[u8]]) -> Node {
        let mut hasher = self.keyed(purpose, key);
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finish(self.bytes)
    }

    /// An index as a string of the hash's length.
    fn index(self, index: u64) -> Node {
        let mut string = [0; NODE_BYTES_MAX];
        string[self.bytes - 8..self.bytes].copy_from_slice(&index.to_be_bytes());
        string
    }

    /// The hash of a message that is signed (RFC 8391, 4.1.9).
    pub(super) fn message_hash(self, randomizer: &[u8], root: &[u8], index: u64, message: &[u8]) -> Node {
        self.hash(Use::Message, randomizer, &[root, &self.index(index)[..self.bytes], message])
    }
}

/// Which kind of hash an address belongs to.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    OneTime = 0,
    LTree = 1,
    Inner = 2,
}

/// An address (RFC 8391, 2.5): its words.
#[derive(Clone, Copy)]
pub(super) struct Address([u32; 8]);

impl Address {
    /// That of a tree.
    pub(super) fn of(layer: u32, tree: u64, kind: Kind) -> Self {
        let (high, low) = ((tree >> 32) as u32, (tree & 0xffff_ffff) as u32);
        Self([layer, high, low, kind as u32, 0, 0, 0, 0])
    }

    /// With the three words that depend on the kind: leaf, chain and step, or leaf, height and place in its L-tree, or 0, height and place.
    pub(super) const fn at(mut self, first: u32, second: u32, third: u32) -> Self {
        self.0[4] = first;
        self.0[5] = second;
        self.0[6] = third;
        self
    }

    pub(super) fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (out, word) in bytes.chunks_exact_mut(4).zip(self.0) {
            out.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }

    const fn key_and_mask(mut self, which: u32) -> Self {
        self.0[7] = which;
        self
    }
}

/// The hashes of one key pair: a family and its public seed.
#[derive(Clone)]
pub(super) struct Hashes {
    pub set: XmssSet,
    pub seed: Vec<u8>,
    /// The pseudorandom function with the seed taken in.
    prf: Hasher,
}

impl Hashes {
    pub(super) fn new(set: XmssSet, seed: &[u8]) -> Self {
        Self { set, seed: seed.to_vec(), prf: set.family().keyed(Use::Prf, seed) }
    }

    fn prf(&self, address: Address, which: u32) -> Node {
        let mut hasher = self.prf.clone();
        hasher.update(&address.key_and_mask(which).bytes());
        hasher.finish(self.set.family().bytes)
    }

    /// Goes along a chain from one step to another; `address` is that of the chain.
    pub(super) fn walk(&self, (leaf, chain): (u32, u32), address: Address, from: u32, to: u32, value: &mut Node) {
        let bytes = self.set.family().bytes;
        for step in from..to {
            let address = address.at(leaf, chain, step);
            let (key, mask) = (self.prf(address, 0), self.prf(address, 1));
            value.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
            *value = self.set.family().hash(Use::Chain, &key[..bytes], &[&value[..bytes]]);
        }
    }

    /// The node above two nodes.
    pub(super) fn inner(&self, address: Address, left: &[u8], right: &[u8]) -> Node {
        let bytes = self.set.family().bytes;
        let masked = |node: &[u8], which| {
            let mut mask = self.prf(address, which);
            mask.iter_mut().zip(node).for_each(|(mask, byte)| *mask ^= byte);
            mask
        };
        let (left, right) = (masked(left, 1), masked(right, 2));
        let key = self.prf(address, 0);
        self.set.family().hash(Use::Inner, &key[..bytes], &[&left[..bytes], &right[..bytes]])
    }

    /// The leaf over the ends of a one-time key's chains (RFC 8391, 4.1.5), which it uses up.
    pub(super) fn leaf(&self, number: u32, address: Address, mut ends: Vec<u8>) -> Node {
        let bytes = self.set.family().bytes;
        let mut height = 0;
        while ends.len() > bytes {
            let mut above = Vec::with_capacity(ends.len() / 2 + bytes);
            for (place, pair) in (0..).zip(ends.chunks(2 * bytes)) {
                match pair.split_at_checked(bytes) {
                    Some((left, right)) if !right.is_empty() => {
                        let node = self.inner(address.at(number, height, place), left, right);
                        above.extend_from_slice(&node[..bytes]);
                    }
                    _ => above.extend_from_slice(pair),
                }
            }
            ends = above;
            height += 1;
        }
        let mut node = [0; NODE_BYTES_MAX];
        node.iter_mut().zip(ends).for_each(|(to, from)| *to = from);
        node
    }
}

/// The digits of a hash and of its checksum, one for each chain (RFC 8391, 3.1.5).
pub(super) fn digits(set: XmssSet, hash: &Node) -> impl Iterator<Item = u32> {
    let nibbles = |byte: u8| [u32::from(byte >> 4), u32::from(byte & 15)];
    let digits: Vec<u32> = hash.iter().take(set.family().bytes).copied().flat_map(nibbles).collect();
    let sum = digits.iter().map(|digit| DIGIT_MAX - digit).sum::<u32>();
    digits.into_iter().chain([sum >> 8 & 15, sum >> 4 & 15, sum & 15])
}

/// Leaf and tree that what is left of an index means in the lowest of the remaining layers.
pub(super) const fn split(set: XmssSet, index: u64) -> (u32, u64) {
    let height = set.tree_height();
    ((index & ((1 << height) - 1)) as u32, index >> height)
}

/// A public key.
struct XmssPublic {
    hashes: Hashes,
    root: Vec<u8>,
}

/// Parses a public key.
///
/// # Errors
/// `InvalidKey`.
pub(super) fn public(set: XmssSet, key: &[u8]) -> Result<Arc<dyn StatefulPublicKey>> {
    if key.len() != set.public_bytes() {
        return Err(CryptoError::InvalidKey("an XMSS public key of another length than its set has"));
    }
    let (number, rest) = key.split_at(4);
    if number != set.number().to_be_bytes() {
        return Err(CryptoError::InvalidKey("an XMSS public key of another set"));
    }
    let (root, seed) = rest.split_at(set.family().bytes);
    Ok(Arc::new(XmssPublic { hashes: Hashes::new(set, seed), root: root.to_vec() }))
}

impl XmssPublic {
    /// The root of a tree, from what signs `hash` in it.
    fn root(&self, layer: u32, (leaf, tree): (u32, u64), hash: &Node, signature: &[u8]) -> Node {
        let (set, bytes) = (self.hashes.set, self.hashes.set.family().bytes);
        let address = |kind| Address::of(layer, tree, kind);
        let (chains, path) = signature.split_at(set.chains() * bytes);
        let mut ends = Vec::with_capacity(chains.len());
        for ((chain, digit), start) in (0..).zip(digits(set, hash)).zip(chains.chunks_exact(bytes)) {
            let mut value = [0; NODE_BYTES_MAX];
            value[..bytes].copy_from_slice(start);
            self.hashes.walk((leaf, chain), address(Kind::OneTime), digit, DIGIT_MAX, &mut value);
            ends.extend_from_slice(&value[..bytes]);
        }
        let mut node = self.hashes.leaf(leaf, address(Kind::LTree), ends);
        for (height, sibling) in (0..).zip(path.chunks_exact(bytes)) {
            let at = address(Kind::Inner).at(0, height, leaf >> (height + 1));
            let own = &node[..bytes];
            let (left, right) = if leaf >> height & 1 == 1 { (sibling, own) } else { (own, sibling) };
            node = self.hashes.inner(at, left, right);
        }
        node
    }
}

impl StatefulPublicKey for XmssPublic {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        let (set, family) = (self.hashes.set, self.hashes.set.family());
        if signature.len() != set.signature_bytes() {
            return Err(CryptoError::SignatureLength);
        }
        let mut rest = signature;
        let number = take(&mut rest, set.index_bytes()).ok_or(CryptoError::SignatureLength)?;
        let randomizer = take(&mut rest, family.bytes).ok_or(CryptoError::SignatureLength)?;
        let index = number.iter().fold(0, |index, byte| index << 8 | u64::from(*byte));
        if index >> set.height() != 0 {
            return Err(CryptoError::BadSignature);
        }
        let mut node = family.message_hash(randomizer, &self.root, index, message);
        let mut above = index;
        for (layer, part) in (0..).zip(rest.chunks_exact(set.layer_bytes())) {
            let place = split(set, above);
            above = place.1;
            node = self.root(layer, place, &node, part);
        }
        if node[..family.bytes] == self.root { Ok(()) } else { Err(CryptoError::BadSignature) }
    }
}
