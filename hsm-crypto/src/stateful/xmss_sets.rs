//! The parameter sets of XMSS and XMSS^MT.
//!
//! Owns: which number is which set, and the sizes that follow. Does not know: trees.
//! Rule source: RFC 8391, 5.3 and 5.4 with the registry of its section 8; SP 800-208, 5. The numbers of RFC 8391 with SHA-512 and SHAKE are
//! here as well, which SP 800-208 does not approve: signatures with them exist.

/// A parameter set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XmssSet {
    /// Its number in the registry of XMSS or of XMSS^MT.
    number: u32,
    family: Family,
    height: u32,
    layers: u32,
}

/// A hash function, how many bytes of it are used, and how many bytes tell its uses apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Family {
    pub hash: Hash,
    pub bytes: usize,
    pub padding: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha512,
    Shake128,
    Shake256,
}

const fn family(hash: Hash, bytes: usize) -> Family {
    // RFC 8391, 5.1, and SP 800-208, 5.2 and 5.4.
    let padding = if bytes == 24 { 4 } else { bytes };
    Family { hash, bytes, padding }
}

/// The families in the order of both registries, which begin with 1.
const FAMILIES: [Family; 7] = [
    family(Hash::Sha256, 32),
    family(Hash::Sha512, 64),
    family(Hash::Shake128, 32),
    family(Hash::Shake256, 64),
    family(Hash::Sha256, 24),
    family(Hash::Shake256, 32),
    family(Hash::Shake256, 24),
];
/// Heights of XMSS, within a family.
const HEIGHTS: [u32; 3] = [10, 16, 20];
/// Heights and layers of XMSS^MT, within a family.
const LAYERED: [(u32, u32); 8] = [(20, 2), (20, 4), (40, 2), (40, 4), (40, 8), (60, 3), (60, 6), (60, 12)];
/// Digits of the checksum of a one-time signature.
const CHECKSUM_DIGITS: usize = 3;

impl XmssSet {
    /// The set of XMSS with a number.
    #[must_use]
    pub fn xmss(number: u32) -> Option<Self> {
        let (family, place) = split(number, HEIGHTS.len())?;
        Some(Self { number, family, height: *HEIGHTS.get(place)?, layers: 1 })
    }

    /// The set of XMSS^MT with a number.
    #[must_use]
    pub fn xmss_mt(number: u32) -> Option<Self> {
        let (family, place) = split(number, LAYERED.len())?;
        let (height, layers) = *LAYERED.get(place)?;
        Some(Self { number, family, height, layers })
    }

    /// Its number in its registry.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.number
    }

    /// Height of one tree.
    #[must_use]
    pub const fn tree_height(self) -> u32 {
        self.height / self.layers
    }

    /// How many signatures a private key of it makes in its life.
    #[must_use]
    pub const fn signatures(self) -> u64 {
        1 << self.height
    }

    /// Whether SP 800-208 approves of it: SHA-256 and SHAKE256 with 24 or 32 bytes.
    #[must_use]
    pub const fn approved(self) -> bool {
        matches!(self.family.hash, Hash::Sha256 | Hash::Shake256) && self.family.bytes <= 32
    }

    /// Length of a public key in bytes, its number included.
    #[must_use]
    pub const fn public_bytes(self) -> usize {
        4 + 2 * self.family.bytes
    }

    /// Length of the three seeds of a private key in bytes.
    #[must_use]
    pub const fn seed_bytes(self) -> usize {
        3 * self.family.bytes
    }

    /// Length of a signature in bytes.
    #[must_use]
    pub const fn signature_bytes(self) -> usize {
        let layer = self.layer_bytes();
        self.index_bytes() + self.family.bytes + self.layers as usize * layer
    }

    /// Length of the index in a signature.
    pub(super) const fn index_bytes(self) -> usize {
        if self.layers == 1 { 4 } else { self.height.div_ceil(8) as usize }
    }

    /// One-time signature and path of one layer in a signature.
    pub(super) const fn layer_bytes(self) -> usize {
        (self.chains() + self.tree_height() as usize) * self.family.bytes
    }

    /// Chains of a one-time signature: a digit of four bits each, and the checksum.
    pub(super) const fn chains(self) -> usize {
        2 * self.family.bytes + CHECKSUM_DIGITS
    }

    pub(super) const fn family(self) -> Family {
        self.family
    }

    pub(super) const fn height(self) -> u32 {
        self.height
    }

    pub(super) const fn layers(self) -> u32 {
        self.layers
    }
}

/// The family of a number, and its place in that.
fn split(number: u32, in_family: usize) -> Option<(Family, usize)> {
    let place = usize::try_from(number).ok()?.checked_sub(1)?;
    Some((*FAMILIES.get(place / in_family)?, place % in_family))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registries_begin_with_1_and_have_no_more_than_these() {
        assert!((1..=21).all(|number| XmssSet::xmss(number).is_some()));
        assert!((1..=56).all(|number| XmssSet::xmss_mt(number).is_some()));
        for number in [0, 57, u32::MAX] {
            assert!(XmssSet::xmss(number).is_none() && XmssSet::xmss_mt(number).is_none(), "{number}");
        }
        assert!(XmssSet::xmss(22).is_none());
    }

    #[test]
    fn sizes_are_those_of_the_standards() {
        // RFC 8391, table 2 and 4; SP 800-208, tables 10 to 13.
        for (set, bytes) in [(1, 2500), (3, 2820), (4, 9092), (6, 9732), (0x0d, 1492), (0x15, 1732)] {
            assert_eq!(XmssSet::xmss(set).unwrap().signature_bytes(), bytes, "{set}");
        }
        for (set, bytes) in [(1, 4963), (8, 27688), (9, 18115), (0x10, 104520), (0x21, 2955), (0x38, 16160)] {
            assert_eq!(XmssSet::xmss_mt(set).unwrap().signature_bytes(), bytes, "{set}");
        }
    }
}
