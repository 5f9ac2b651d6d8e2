//! Private keys of XMSS and XMSS^MT: trees grown whole, and signatures.
//!
//! Owns: one-time secrets, trees, signatures. Does not know: which index is free, who keeps the seeds.
//! Rule source: RFC 8391, 4.1.3 to 4.1.9 and 4.2.2 to 4.2.4; SP 800-208, 6.2 (secrets from the seed) and 7.2.

use super::xmss::{Address, DIGIT_MAX, Hashes, Kind, Node, Use, digits, split};
use super::xmss_sets::XmssSet;
use super::{StatefulPrivateKey, nodes};
use crate::error::{CryptoError, Result};
use crate::secret::SecretBytes;
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// A tree with all its nodes.
struct Tree {
    layer: u32,
    number: u64,
    /// Node `r` begins at `r` times the length of a hash: 1 is the root, and `2r` and `2r + 1` are below `r`; 0 is unused.
    nodes: Vec<u8>,
}

/// A private key.
struct XmssPrivate {
    hashes: Hashes,
    /// `SK_SEED`, then `SK_PRF`.
    secrets: SecretBytes,
    /// The tree of each layer that was used last; the lowest first.
    trees: Mutex<Vec<Option<Arc<Tree>>>>,
}

/// Makes a private key.
///
/// # Errors
/// `InvalidKey` for seeds of another length.
pub(super) fn private(set: XmssSet, seeds: &[u8]) -> Result<Arc<dyn StatefulPrivateKey>> {
    if seeds.len() != set.seed_bytes() {
        return Err(CryptoError::InvalidKey("the seeds of an XMSS key are as long as three hashes"));
    }
    let (secrets, seed) = seeds.split_at(2 * set.family().bytes);
    let trees = Mutex::new((0..set.layers()).map(|_| None).collect());
    Ok(Arc::new(XmssPrivate { hashes: Hashes::new(set, seed), secrets: SecretBytes::copy_of(secrets), trees }))
}

impl XmssPrivate {
    fn set(&self) -> XmssSet {
        self.hashes.set
    }

    /// The secret at the beginning of a chain (SP 800-208, 6.2).
    fn secret(&self, address: Address, leaf: u32, chain: u32) -> Zeroizing<Node> {
        let bytes = self.set().family().bytes;
        let key = &self.secrets.expose()[..bytes];
        let parts = [&self.hashes.seed[..], &address.at(leaf, chain, 0).bytes()];
        Zeroizing::new(self.set().family().hash(Use::PrfKeygen, key, &parts))
    }

    /// Walks every chain of a leaf from its secret as far as `steps` says, and puts the values behind each other.
    fn chains(&self, tree: (u32, u64), leaf: u32, steps: impl Iterator<Item = u32>) -> Vec<u8> {
        let bytes = self.set().family().bytes;
        let address = Address::of(tree.0, tree.1, Kind::OneTime);
        let mut values = Vec::with_capacity(self.set().chains() * bytes);
        for (chain, to) in (0..).zip(steps) {
            let mut value = self.secret(address, leaf, chain);
            self.hashes.walk((leaf, chain), address, 0, to, &mut value);
            values.extend_from_slice(&value[..bytes]);
        }
        values
    }

    fn grow(&self, layer: u32, number: u64) -> Result<Tree> {
        let (bytes, height) = (self.set().family().bytes, self.set().tree_height());
        let mut tree = Tree { layer, number, nodes: nodes(bytes << (height + 1))? };
        let leaves = 1_u32 << height;
        let ends = || core::iter::repeat_n(DIGIT_MAX, self.set().chains());
        for leaf in 0..leaves {
            let ends = self.chains((layer, number), leaf, ends());
            let node = self.hashes.leaf(leaf, Address::of(layer, number, Kind::LTree), ends);
            tree.node_mut(leaves + leaf, bytes).copy_from_slice(&node[..bytes]);
        }
        for place in (1..leaves).rev() {
            // How many levels are above this node says how high it is, and its place in the level.
            let depth = place.ilog2();
            let address = Address::of(layer, number, Kind::Inner).at(0, height - depth - 1, place - (1 << depth));
            let node = self.hashes.inner(address, tree.node(2 * place, bytes), tree.node(2 * place + 1, bytes));
            tree.node_mut(place, bytes).copy_from_slice(&node[..bytes]);
        }
        Ok(tree)
    }

    /// The tree of a layer: the one that was used last, or one that is grown now.
    fn tree(&self, layer: u32, number: u64) -> Result<Arc<Tree>> {
        // One thread grows, and others that sign with this key wait. A panic leaves only whole trees behind.
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        let place = trees.get_mut(layer as usize).ok_or(CryptoError::InputRange)?;
        if let Some(tree) = place.as_ref().filter(|tree| tree.number == number) {
            return Ok(Arc::clone(tree));
        }
        let tree = Arc::new(self.grow(layer, number)?);
        *place = Some(Arc::clone(&tree));
        Ok(tree)
    }

    fn top(&self) -> Result<Arc<Tree>> {
        self.tree(self.set().layers() - 1, 0)
    }

    /// Signs a hash with a leaf: the one-time signature and the path.
    fn sign_in(&self, tree: &Tree, leaf: u32, hash: &Node, signature: &mut Vec<u8>) {
        let bytes = self.set().family().bytes;
        signature.extend_from_slice(&self.chains((tree.layer, tree.number), leaf, digits(self.set(), hash)));
        let mut place = (1 << self.set().tree_height()) + leaf;
        while place > 1 {
            signature.extend_from_slice(tree.node(place ^ 1, bytes));
            place /= 2;
        }
    }
}

impl Tree {
    fn node(&self, place: u32, bytes: usize) -> &[u8] {
        &self.nodes[place as usize * bytes..][..bytes]
    }

    fn node_mut(&mut self, place: u32, bytes: usize) -> &mut [u8] {
        &mut self.nodes[place as usize * bytes..][..bytes]
    }

    fn root(&self, bytes: usize) -> Node {
        let mut node = [0; super::xmss::NODE_BYTES_MAX];
        node[..bytes].copy_from_slice(self.node(1, bytes));
        node
    }
}

impl StatefulPrivateKey for XmssPrivate {
    fn signatures(&self) -> u64 {
        self.set().signatures()
    }

    fn signature_bytes(&self) -> usize {
        self.set().signature_bytes()
    }

    fn public_key(&self) -> Result<Vec<u8>> {
        let bytes = self.set().family().bytes;
        Ok([&self.set().number().to_be_bytes()[..], self.top()?.node(1, bytes), &self.hashes.seed].concat())
    }

    fn sign(&self, index: u64, message: &[u8]) -> Result<Vec<u8>> {
        let (set, family) = (self.set(), self.set().family());
        if index >= self.signatures() {
            return Err(CryptoError::InputRange);
        }
        let root = self.top()?.root(family.bytes);
        let mut number = [0; 32];
        number[24..].copy_from_slice(&index.to_be_bytes());
        let randomizer = family.hash(Use::Prf, &self.secrets.expose()[family.bytes..], &[&number]);
        let randomizer = &randomizer[..family.bytes];
        let mut signature = Vec::with_capacity(set.signature_bytes());
        signature.extend_from_slice(&number[32 - set.index_bytes()..]);
        signature.extend_from_slice(randomizer);
        let mut hash = family.message_hash(randomizer, &root[..family.bytes], index, message);
        let mut above = index;
        for layer in 0..set.layers() {
            let (leaf, tree) = split(set, above);
            above = tree;
            let tree = self.tree(layer, tree)?;
            self.sign_in(&tree, leaf, &hash, &mut signature);
            hash = tree.root(family.bytes);
        }
        Ok(signature)
    }
}
