//! HSS: trees of LMS in levels, each signing the public keys of the next.
//!
//! Owns: which tree and leaf an index means, where the seeds of trees come from, the bytes of keys and signatures. Does not know: which
//! index is free, who keeps the seed.
//! Rule source: RFC 8554, 6; SP 800-208, 4 and 6.
//!
//! All trees come from one seed, by HKDF over level and number of the tree (SP 800-56C; RFC 5869, 2.3). So an index alone says
//! what to sign with, and what signs the public key of a lower tree signs the same bytes each time: its randomizer is
//! of the seed, too, as in the implementation of the standard's authors.

use super::lms::{ID_BYTES, Tree, TreePublic, TreeSet};
use super::{HSS_LEVELS_MAX, HSS_SEED_BYTES, StatefulPrivateKey, StatefulPublicKey, TOTAL_HEIGHT_MAX, take_number};
use crate::error::{CryptoError, Result};
use crate::secret::SecretBytes;
use hkdf::Hkdf;
use sha2::Sha256;
use std::sync::{Arc, Mutex, PoisonError};

/// What the seeds of trees are derived for.
const TREE_LABEL: &[u8] = b"HSS tree";
/// Smallest and largest tree of a level below the top: its public key, signature and the sum of both.
const LOWER_BYTES_MIN: usize = 48 + 780;
const LOWER_BYTES_MAX: usize = 56 + 9324;

/// A public key.
struct HssPublic {
    levels: u32,
    top: TreePublic,
}

/// Parses a public key.
///
/// # Errors
/// `InvalidKey`.
pub(super) fn public(key: &[u8]) -> Result<Arc<dyn StatefulPublicKey>> {
    const MALFORMED: CryptoError = CryptoError::InvalidKey("not an HSS public key of known types");
    let mut rest = key;
    let levels = take_number(&mut rest).ok_or(MALFORMED)?;
    let top = TreePublic::take(&mut rest).ok_or(MALFORMED)?;
    let fits = usize::try_from(levels).is_ok_and(|levels| (1..=HSS_LEVELS_MAX).contains(&levels));
    if fits && rest.is_empty() { Ok(Arc::new(HssPublic { levels, top })) } else { Err(MALFORMED) }
}

impl HssPublic {
    /// Refuses a length that no signature has.
    fn check_length(&self, signature: &[u8]) -> Result<()> {
        // At most 8 levels, as the parser has seen.
        let lower = self.levels as usize - 1;
        let top = 4 + self.top.set().signature_bytes();
        let fits = (top + lower * LOWER_BYTES_MIN..=top + lower * LOWER_BYTES_MAX).contains(&signature.len());
        if fits { Ok(()) } else { Err(CryptoError::SignatureLength) }
    }
}

impl StatefulPublicKey for HssPublic {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        self.check_length(signature)?;
        let mut rest = signature;
        if take_number(&mut rest) != Some(self.levels - 1) {
            return Err(CryptoError::BadSignature);
        }
        let (mut key, mut steps) = (self.top.clone(), Vec::new());
        for _ in 1..self.levels {
            let signed = key.take_signature(&mut rest)?;
            let from = rest;
            let next = TreePublic::take(&mut rest).ok_or(CryptoError::BadSignature)?;
            let (bytes, _) = from.split_at_checked(next.set().public_bytes()).ok_or(CryptoError::SignatureLength)?;
            steps.push((core::mem::replace(&mut key, next), bytes, signed));
        }
        let last = key.take_signature(&mut rest)?;
        if !rest.is_empty() {
            return Err(CryptoError::SignatureLength);
        }
        for (key, next, signed) in &steps {
            key.verify(next, signed)?;
        }
        key.verify(message, &last)
    }
}

/// A tree and its number in its level, if one has been grown.
type Grown = Option<(u64, Arc<Tree>)>;

/// A private key.
struct HssPrivate {
    levels: Vec<TreeSet>,
    seed: SecretBytes,
    /// The tree of each level that was used last.
    trees: Mutex<Vec<Grown>>,
}

/// Makes a private key.
///
/// # Errors
/// `InvalidParameter` for types that are none or do not fit together, for levels and heights that are too many; `InvalidKey` for a seed
/// of another length.
pub(super) fn private(types: &[(u32, u32)], seed: &[u8]) -> Result<Arc<dyn StatefulPrivateKey>> {
    if !(1..=HSS_LEVELS_MAX).contains(&types.len()) {
        return Err(CryptoError::InvalidParameter("HSS has 1 to 8 levels"));
    }
    let known = types.iter().map(|(lms, lmots)| TreeSet::of(*lms, *lmots)).collect::<Option<Vec<_>>>();
    let levels =
        known.ok_or(CryptoError::InvalidParameter("not a type of LMS with one of LM-OTS of the same hash function"))?;
    if levels.iter().map(|level| level.height()).sum::<u32>() > TOTAL_HEIGHT_MAX {
        return Err(CryptoError::InvalidParameter("the heights of all levels are more than 60 together"));
    }
    if seed.len() != HSS_SEED_BYTES {
        return Err(CryptoError::InvalidKey("the seed of an HSS key has 32 bytes"));
    }
    let trees = Mutex::new(levels.iter().map(|_| None).collect());
    Ok(Arc::new(HssPrivate { levels, seed: SecretBytes::copy_of(seed), trees }))
}

impl HssPrivate {
    /// The tree of a level: the one that was used last, or one that is grown now.
    fn tree(&self, level: usize, number: u64) -> Result<Arc<Tree>> {
        // One thread grows, and others that sign with this key wait. A panic leaves only whole trees behind.
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(place), Some(set)) = (trees.get_mut(level), self.levels.get(level)) else {
            return Err(CryptoError::InputRange);
        };
        if let Some((_, tree)) = place.as_ref().filter(|(known, _)| *known == number) {
            return Ok(Arc::clone(tree));
        }
        let (id, seed) = self.origin(level, number)?;
        let tree = Arc::new(Tree::grow(*set, id, seed)?);
        *place = Some((number, Arc::clone(&tree)));
        Ok(tree)
    }

    /// Identifier and seed of a tree.
    fn origin(&self, level: usize, number: u64) -> Result<([u8; ID_BYTES], SecretBytes)> {
        const TOO_SHORT: CryptoError = CryptoError::EngineFailed("HKDF took a seed or length that it takes always");
        let mut made = SecretBytes::zeroed(ID_BYTES + HSS_SEED_BYTES);
        let info = [TREE_LABEL, &(level as u64).to_be_bytes(), &number.to_be_bytes()].concat();
        // The seed is uniform and as long as the hash, and the output far below 255 hashes: neither step can fail.
        let hkdf = Hkdf::<Sha256>::from_prk(self.seed.expose()).map_err(|_| TOO_SHORT)?;
        hkdf.expand(&info, made.expose_mut()).map_err(|_| TOO_SHORT)?;
        let (id, seed) = made.expose().split_first_chunk().ok_or(TOO_SHORT)?;
        Ok((*id, SecretBytes::copy_of(seed)))
    }
}

impl StatefulPrivateKey for HssPrivate {
    fn signatures(&self) -> u64 {
        1 << self.levels.iter().map(|level| level.height()).sum::<u32>()
    }

    fn signature_bytes(&self) -> usize {
        let lower = self.levels.iter().skip(1).map(|level| level.public_bytes()).sum::<usize>();
        4 + lower + self.levels.iter().map(|level| level.signature_bytes()).sum::<usize>()
    }

    fn public_key(&self) -> Result<Vec<u8>> {
        let levels = u32::try_from(self.levels.len()).map_err(|_| CryptoError::InputRange)?;
        Ok([&levels.to_be_bytes()[..], &self.tree(0, 0)?.public_key()].concat())
    }

    fn sign(&self, index: u64, message: &[u8]) -> Result<Vec<u8>> {
        if index >= self.signatures() {
            return Err(CryptoError::InputRange);
        }
        let lower = u32::try_from(self.levels.len() - 1).map_err(|_| CryptoError::InputRange)?;
        // From the bottom up: a tree is known before what signs its public key.
        let (mut above, mut below, mut parts) = (index, None, Vec::new());
        for (level, set) in self.levels.iter().enumerate().rev() {
            let leaf = u32::try_from(above & ((1 << set.height()) - 1)).map_err(|_| CryptoError::InputRange)?;
            above >>= set.height();
            let tree = self.tree(level, above)?;
            parts.push(tree.sign(leaf, below.as_deref().unwrap_or(message)));
            if level > 0 {
                parts.push(below.insert(tree.public_key()).clone());
            }
        }
        let mut signature = lower.to_be_bytes().to_vec();
        parts.iter().rev().for_each(|part| signature.extend_from_slice(part));
        Ok(signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_lower_level_is_smaller_or_larger_than_the_bounds() {
        let sets = (5..25).flat_map(|lms| (1..17).filter_map(move |lmots| TreeSet::of(lms, lmots)));
        let sizes: Vec<usize> = sets.map(|set| set.public_bytes() + set.signature_bytes()).collect();
        assert_eq!(sizes.len(), 80);
        assert_eq!(sizes.iter().min(), Some(&LOWER_BYTES_MIN));
        assert_eq!(sizes.iter().max(), Some(&LOWER_BYTES_MAX));
    }

    #[test]
    fn only_whole_descriptions_make_a_private_key() {
        let seed = [7; HSS_SEED_BYTES];
        for wrong in [&[][..], &[(5, 5)], &[(4, 1)], &[(9, 4), (9, 4), (8, 4)], &[(5, 4); 9]] {
            assert!(matches!(private(wrong, &seed), Err(CryptoError::InvalidParameter(_))), "{wrong:?}");
        }
        assert!(matches!(private(&[(5, 4)], &seed[1..]), Err(CryptoError::InvalidKey(_))));
        assert!(private(&[(9, 4), (9, 4), (6, 4)], &seed).is_ok());
    }

    #[test]
    fn each_index_is_a_leaf_of_its_own_and_the_next_is_none() {
        let key = private(&[(5, 4), (10, 8)], &[9; HSS_SEED_BYTES]).unwrap();
        assert_eq!(key.signatures(), 1024);
        assert!(matches!(key.sign(1024, b""), Err(CryptoError::InputRange)));
        let verifier = public(&key.public_key().unwrap()).unwrap();
        let mut leaves = std::collections::BTreeSet::new();
        for index in [0, 1, 31, 32, 33, 1023] {
            let signature = key.sign(index, b"message").unwrap();
            assert_eq!(signature.len(), key.signature_bytes());
            verifier.verify(b"message", &signature).unwrap();
            assert_eq!(verifier.verify(b"messagf", &signature), Err(CryptoError::BadSignature));
            assert_eq!(key.sign(index, b"message").unwrap(), signature);
            // The leaf of the top, and that of the bottom.
            let bottom = signature.len() - TreeSet::of(10, 8).unwrap().signature_bytes();
            assert!(leaves.insert((signature[4..8].to_vec(), signature[bottom..bottom + 4].to_vec())));
        }
    }
}
