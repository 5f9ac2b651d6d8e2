//! LMS: one tree of one-time signatures (LM-OTS).
//!
//! Owns: the types with their sizes, chains, trees, signatures of one tree. Does not know: levels (`hss`).
//! Rule source: RFC 8554, 3 to 5 and appendix A (secrets from a seed); SP 800-208, 4 (the families beside SHA-256/256).

use super::{nodes, take, take_number};
use crate::error::{CryptoError, Result};
use crate::secret::SecretBytes;
use sha2::{Digest as _, Sha256};
use shake::{ExtendableOutput as _, Shake256, Update as _, XofReader as _};
use zeroize::{Zeroize as _, Zeroizing};

/// Length of a tree's identifier in bytes.
pub(super) const ID_BYTES: usize = 16;
/// Length of the longest hash in bytes.
const NODE_BYTES_MAX: usize = 32;
/// What stands before a chain's value in each of its steps: identifier, leaf, chain, step.
const STEP_PREFIX_BYTES: usize = ID_BYTES + 4 + 2 + 1;

const D_PBLC: [u8; 2] = [0x80, 0x80];
const D_MESG: [u8; 2] = [0x81, 0x81];
const D_LEAF: [u8; 2] = [0x82, 0x82];
const D_INTR: [u8; 2] = [0x83, 0x83];
/// The chain whose secret is the randomizer `C`. No set has so many chains.
const RANDOMIZER: u16 = 0xfffd;

/// A hash; bytes after the family's length are 0.
type Node = [u8; NODE_BYTES_MAX];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TreeHash {
    Sha256,
    Shake256,
}

/// A hash function and how many bytes of it are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Family {
    hash: TreeHash,
    bytes: usize,
}

/// The families in the order of the registry: LM-OTS types come by four of each, LMS types by five.
const FAMILIES: [Family; 4] = [
    Family { hash: TreeHash::Sha256, bytes: 32 },
    Family { hash: TreeHash::Sha256, bytes: 24 },
    Family { hash: TreeHash::Shake256, bytes: 32 },
    Family { hash: TreeHash::Shake256, bytes: 24 },
];
const FIRST_LMS: u32 = 5;
const FIRST_LMOTS: u32 = 1;

/// The height of an LMS type's trees; `None` for a number that is no type.
#[must_use]
pub fn lms_height(lms: u32) -> Option<u32> {
    let place = lms.checked_sub(FIRST_LMS)?;
    (place < 20).then_some(5 * (place % 5 + 1))
}

/// The types of one tree: LMS and LM-OTS of the same family, as SP 800-208 asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TreeSet {
    lms: u32,
    lmots: u32,
    family: Family,
    height: u32,
    /// Bits of a digit: 1, 2, 4 or 8.
    width: u32,
    /// Chains of a one-time signature.
    chains: u16,
    /// How far the checksum is shifted to the left.
    shift: u32,
}

impl TreeSet {
    /// The set of two types; `None` when one of them is none, or their families differ.
    pub(super) fn of(lms: u32, lmots: u32) -> Option<Self> {
        let height = lms_height(lms)?;
        let family = *FAMILIES.get(usize::try_from((lms - FIRST_LMS) / 5).ok()?)?;
        let place = lmots.checked_sub(FIRST_LMOTS)?;
        if FAMILIES.get(usize::try_from(place / 4).ok()?) != Some(&family) {
            return None;
        }
        let (width, chains, shift) = match (place % 4, family.bytes) {
            (0, 32) => (1, 265, 7),
            (1, 32) => (2, 133, 6),
            (2, 32) => (4, 67, 4),
            (3, 32) => (8, 34, 0),
            (0, _) => (1, 200, 8),
            (1, _) => (2, 101, 6),
            (2, _) => (4, 51, 4),
            _ => (8, 26, 0),
        };
        Some(Self { lms, lmots, family, height, width, chains, shift })
    }

    pub(super) const fn height(self) -> u32 {
        self.height
    }

    /// Length of a public key in bytes.
    pub(super) const fn public_bytes(self) -> usize {
        8 + ID_BYTES + self.family.bytes
    }

    /// Length of a signature in bytes.
    pub(super) const fn signature_bytes(self) -> usize {
        let chains = self.chains as usize;
        4 + (4 + self.family.bytes * (chains + 1)) + 4 + self.height as usize * self.family.bytes
    }

    /// The largest digit.
    const fn digit_max(self) -> u16 {
        (1 << self.width) - 1
    }

    /// A message's hash and its checksum as digits, one for each chain.
    fn digits(self, hash: &Node) -> Vec<u16> {
        let width = self.width;
        let of =
            |byte: u8| (1..=8 / width).map(move |place| u16::from(byte) >> (8 - width * place) & ((1 << width) - 1));
        let mut digits: Vec<u16> = hash.iter().take(self.family.bytes).copied().flat_map(of).collect();
        // At most 256 digits of 1 bit, or 32 of 8: the sum and its shift fit for every set.
        let checksum = digits.iter().map(|digit| self.digit_max() - digit).sum::<u16>() << self.shift;
        digits.extend(checksum.to_be_bytes().into_iter().flat_map(of));
        digits.truncate(usize::from(self.chains));
        digits
    }
}

impl Family {
    fn hash(self, parts: &[&[u8]]) -> Node {
        let mut node = Node::default();
        match self.hash {
            TreeHash::Sha256 => {
                let mut hasher = Sha256::new();
                parts.iter().for_each(|part| sha2::Digest::update(&mut hasher, part));
                for (to, from) in node.iter_mut().take(self.bytes).zip(hasher.finalize()) {
                    *to = from;
                }
            }
            TreeHash::Shake256 => {
                let mut hasher = Shake256::default();
                parts.iter().for_each(|part| hasher.update(part));
                hasher.finalize_xof().read(&mut node[..self.bytes]);
            }
        }
        node
    }
}

/// The chains of one leaf.
struct Leaf<'a> {
    set: TreeSet,
    id: &'a [u8; ID_BYTES],
    number: u32,
}

impl Leaf<'_> {
    /// The secret at the beginning of a chain.
    fn secret(&self, chain: u16, seed: &SecretBytes) -> Zeroizing<Node> {
        let (leaf, chain) = (self.number.to_be_bytes(), chain.to_be_bytes());
        Zeroizing::new(self.set.family.hash(&[self.id, &leaf, &chain, &[0xff], seed.expose()]))
    }

    /// Goes along a chain from one step to another.
    fn walk(&self, chain: u16, from: u16, to: u16, value: &mut Node) {
        let end = STEP_PREFIX_BYTES + self.set.family.bytes;
        let mut input = [0; STEP_PREFIX_BYTES + NODE_BYTES_MAX];
        input[..ID_BYTES].copy_from_slice(self.id);
        input[ID_BYTES..ID_BYTES + 4].copy_from_slice(&self.number.to_be_bytes());
        input[ID_BYTES + 4..ID_BYTES + 6].copy_from_slice(&chain.to_be_bytes());
        for step in from..to {
            // A digit has at most eight bits, and so has a step.
            input[STEP_PREFIX_BYTES - 1] = step.to_be_bytes()[1];
            input[STEP_PREFIX_BYTES..].copy_from_slice(value);
            *value = self.set.family.hash(&[&input[..end]]);
        }
        input.zeroize();
    }

    /// The node of the leaf, from the ends of all chains.
    fn node(&self, ends: &[u8]) -> Node {
        let family = self.set.family;
        let key = family.hash(&[self.id, &self.number.to_be_bytes(), &D_PBLC, ends]);
        let place = (1 << self.set.height) + self.number;
        family.hash(&[self.id, &place.to_be_bytes(), &D_LEAF, &key[..family.bytes]])
    }

    fn message_hash(&self, randomizer: &[u8], message: &[u8]) -> Node {
        self.set.family.hash(&[self.id, &self.number.to_be_bytes(), &D_MESG, randomizer, message])
    }
}

/// A public key of one tree.
#[derive(Clone)]
pub(super) struct TreePublic {
    set: TreeSet,
    id: [u8; ID_BYTES],
    root: Vec<u8>,
}

/// The parts of a signature, each of the length that its set gives.
pub(super) struct TreeSignature<'a> {
    leaf: u32,
    randomizer: &'a [u8],
    chains: &'a [u8],
    path: &'a [u8],
}

impl TreePublic {
    /// Takes a public key off the front; `None` when there is none.
    pub(super) fn take(rest: &mut &[u8]) -> Option<Self> {
        let set = TreeSet::of(take_number(rest)?, take_number(rest)?)?;
        let id = *take(rest, ID_BYTES)?.first_chunk()?;
        Some(Self { set, id, root: take(rest, set.family.bytes)?.to_vec() })
    }

    pub(super) const fn set(&self) -> TreeSet {
        self.set
    }

    /// Takes a signature off the front.
    ///
    /// # Errors
    /// `SignatureLength` when it is cut off, `BadSignature` when it is of other types or of a leaf that is none.
    pub(super) fn take_signature<'a>(&self, rest: &mut &'a [u8]) -> Result<TreeSignature<'a>> {
        let set = self.set;
        let mut own = take(rest, set.signature_bytes()).ok_or(CryptoError::SignatureLength)?;
        let bytes = set.family.bytes;
        let mut parts = || {
            let (leaf, lmots) = (take_number(&mut own)?, take_number(&mut own)?);
            let (randomizer, chains) = (take(&mut own, bytes)?, take(&mut own, usize::from(set.chains) * bytes)?);
            let lms = take_number(&mut own)?;
            let fits = lmots == set.lmots && lms == set.lms && leaf >> set.height == 0;
            fits.then_some(TreeSignature { leaf, randomizer, chains, path: own })
        };
        parts().ok_or(CryptoError::BadSignature)
    }

    /// Verifies a signature that `take_signature` took.
    ///
    /// # Errors
    /// `BadSignature`.
    pub(super) fn verify(&self, message: &[u8], signature: &TreeSignature<'_>) -> Result<()> {
        let (set, family) = (self.set, self.set.family);
        let leaf = Leaf { set, id: &self.id, number: signature.leaf };
        let digits = set.digits(&leaf.message_hash(signature.randomizer, message));
        let mut ends = Vec::with_capacity(signature.chains.len());
        for ((chain, digit), start) in (0..).zip(digits).zip(signature.chains.chunks_exact(family.bytes)) {
            let mut value = Node::default();
            value[..family.bytes].copy_from_slice(start);
            leaf.walk(chain, digit, set.digit_max(), &mut value);
            ends.extend_from_slice(&value[..family.bytes]);
        }
        let mut node = leaf.node(&ends);
        let mut place = (1_u32 << set.height) + signature.leaf;
        for sibling in signature.path.chunks_exact(family.bytes) {
            let own = &node[..family.bytes];
            let (left, right) = if place % 2 == 1 { (sibling, own) } else { (own, sibling) };
            place /= 2;
            node = family.hash(&[&self.id, &place.to_be_bytes(), &D_INTR, left, right]);
        }
        if node[..family.bytes] == self.root { Ok(()) } else { Err(CryptoError::BadSignature) }
    }
}

/// A tree with all its nodes and the seed of its one-time keys.
pub(super) struct Tree {
    set: TreeSet,
    id: [u8; ID_BYTES],
    seed: SecretBytes,
    /// Node `r` of RFC 8554, 5.3 begins at `r` times the length of a hash; number 0 is unused.
    nodes: Vec<u8>,
}

impl Tree {
    /// Computes all nodes: for each leaf, the number of chains times their length in hashes.
    pub(super) fn grow(set: TreeSet, id: [u8; ID_BYTES], seed: SecretBytes) -> Result<Self> {
        let bytes = set.family.bytes;
        let leaves = 1_u32 << set.height;
        let mut tree = Self { set, id, seed, nodes: nodes(bytes << (set.height + 1))? };
        let mut ends = Vec::with_capacity(usize::from(set.chains) * bytes);
        for number in 0..leaves {
            let leaf = Leaf { set, id: &tree.id, number };
            ends.clear();
            for chain in 0..set.chains {
                let mut value = leaf.secret(chain, &tree.seed);
                leaf.walk(chain, 0, set.digit_max(), &mut value);
                ends.extend_from_slice(&value[..bytes]);
            }
            let node = leaf.node(&ends);
            tree.node_mut(leaves + number).copy_from_slice(&node[..bytes]);
        }
        for place in (1..leaves).rev() {
            let (left, right) = (tree.node(2 * place), tree.node(2 * place + 1));
            let node = set.family.hash(&[&tree.id, &place.to_be_bytes(), &D_INTR, left, right]);
            tree.node_mut(place).copy_from_slice(&node[..bytes]);
        }
        Ok(tree)
    }

    /// The public key as bytes.
    pub(super) fn public_key(&self) -> Vec<u8> {
        [&self.set.lms.to_be_bytes()[..], &self.set.lmots.to_be_bytes(), &self.id, self.node(1)].concat()
    }

    /// Signs with a leaf, which exists.
    pub(super) fn sign(&self, number: u32, message: &[u8]) -> Vec<u8> {
        let (set, bytes) = (self.set, self.set.family.bytes);
        let leaf = Leaf { set, id: &self.id, number };
        // From the seed, so that the signature of a level's public key is the same whenever it is made.
        let randomizer = leaf.secret(RANDOMIZER, &self.seed);
        let randomizer = &randomizer[..bytes];
        let mut signature = Vec::with_capacity(set.signature_bytes());
        signature.extend_from_slice(&number.to_be_bytes());
        signature.extend_from_slice(&set.lmots.to_be_bytes());
        signature.extend_from_slice(randomizer);
        for (chain, digit) in (0..).zip(set.digits(&leaf.message_hash(randomizer, message))) {
            let mut value = leaf.secret(chain, &self.seed);
            leaf.walk(chain, 0, digit, &mut value);
            signature.extend_from_slice(&value[..bytes]);
        }
        signature.extend_from_slice(&set.lms.to_be_bytes());
        let mut place = (1 << set.height) + number;
        while place > 1 {
            signature.extend_from_slice(self.node(place ^ 1));
            place /= 2;
        }
        signature
    }

    fn node(&self, place: u32) -> &[u8] {
        let bytes = self.set.family.bytes;
        &self.nodes[place as usize * bytes..][..bytes]
    }

    fn node_mut(&mut self, place: u32) -> &mut [u8] {
        let bytes = self.set.family.bytes;
        &mut self.nodes[place as usize * bytes..][..bytes]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_types_of_the_registry_exist() {
        for lms in 0..40 {
            for lmots in 0..40 {
                let same_family =
                    (5..25).contains(&lms) && (1..17).contains(&lmots) && (lms - 5) / 5 == (lmots - 1) / 4;
                assert_eq!(TreeSet::of(lms, lmots).is_some(), same_family, "{lms} {lmots}");
            }
        }
        assert!(TreeSet::of(u32::MAX, 1).is_none() && TreeSet::of(5, u32::MAX).is_none());
    }

    #[test]
    fn sizes_are_those_of_the_standards() {
        // RFC 8554, table 1 and 5.4: LMOTS_SHA256_N32_W8 in a tree of height 5, and 2^w chains' sizes of SP 800-208, table 3.
        for (lms, lmots, signature, public) in
            [(5, 4, 1296 - 4, 56), (9, 1, 8516 + 8 + 800, 56), (10, 8, 24 * 27 + 4 + 8 + 120, 48)]
        {
            let set = TreeSet::of(lms, lmots).unwrap();
            assert_eq!((set.signature_bytes(), set.public_bytes()), (signature, public), "{lms} {lmots}");
        }
    }

    #[test]
    fn every_set_has_a_digit_for_each_chain_and_none_is_too_large() {
        for hash in [[0; 32], [0xff; 32], [0x5a; 32]] {
            for lmots in 1..17 {
                let set = TreeSet::of(5 + (lmots - 1) / 4 * 5, lmots).unwrap();
                let digits = set.digits(&hash);
                assert_eq!(digits.len(), usize::from(set.chains), "{lmots}");
                assert!(digits.iter().all(|digit| *digit <= set.digit_max()));
            }
        }
    }

    /// NIST ACVP, LMS-keyGen-1.0: public keys of identifiers and seeds.
    #[test]
    fn trees_grow_from_their_seeds_as_published() {
        for (lms, lmots, seed, public) in [
            (
                10,
                6,
                "863A95143B2F407A888B271D8C66B96FBB30950352043C7ACE311704E4893C4E",
                "0000000A00000006571284648295F8BE3EF86D53828FED4DBA9A7B575BA634DAC138C7D8C3F903BDA344B53230D93C6F",
            ),
            (
                10,
                6,
                "7E91EAC90795F5EB474C027B6310931F4FCD2B4533C4DF2D2829FD3E8B2786D2",
                "0000000A00000006C0B27A8E5C6A7B2ACE4BA15D6C6333A3E7B5B5958E672F8CC0E73C29413DF760BE151C3059EA9615",
            ),
            (
                10,
                6,
                "F623089225CD27C00168AE0516047D02E5BAF6E8C46901B027C76A999278410F",
                "0000000A00000006C855340452D16826E3EDA71CD22BD82D03A63D7895654EFC8794ED3D9CC850900971B883767E094A",
            ),
            (
                11,
                5,
                "FD52DCBEDED24485867D117B1C5651F04A37E47DBCB6C197EF74D6968AC2F8E0",
                "0000000B00000005E5F6FF4CE8FD40EC16D668BF10C6F0568A6048E3C62C4FFA5021E04BFF03B3688B2386A9223D8672",
            ),
            // RFC 8554, appendix F, test case 2, top tree.
            (
                6,
                3,
                "558b8966c48ae9cb898b423c83443aae014a72f1b1ab5cc85cf1d892903b5439",
                "0000000600000003d08fabd4a2091ff0a8cb4ed834e7453432a58885cd9ba0431235466bff9651c6c92124404d45fa53cf161c28f1ad5a8e",
            ),
        ] {
            let public = hex(public);
            let id = *public[8..].first_chunk().unwrap();
            let tree = Tree::grow(TreeSet::of(lms, lmots).unwrap(), id, SecretBytes::new(hex(seed))).unwrap();
            assert_eq!(tree.public_key(), public);
        }
    }

    fn hex(text: &str) -> Vec<u8> {
        let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(digit).collect()
    }
}
