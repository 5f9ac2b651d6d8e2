//! Bech32, the spelling of age keys: a name, a `1`, and bytes in groups of five bits with a checksum.
//!
//! Owns: the two directions, with BIP 173's limits of letters and case but not of length. Does not know: what is spelled.
//! Rule source: BIP 173.

/// The 32 letters.
const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// Letters of the checksum.
const CHECK_LETTERS: usize = 6;

/// Spells bytes in lower case.
pub(super) fn encode(name: &str, bytes: &[u8]) -> String {
    let mut groups = regroup(bytes, 8, 5);
    groups.extend_from_slice(&[0; CHECK_LETTERS]);
    let sum = checksum(name, &groups) ^ 1;
    let len = groups.len();
    for (place, group) in groups[len - CHECK_LETTERS..].iter_mut().enumerate() {
        // Five bits of 30, the high ones first.
        *group = (sum >> (5 * (CHECK_LETTERS - 1 - place)) & 31) as u8;
    }
    let letters = groups.iter().map(|&group| char::from(LETTERS[usize::from(group)]));
    [name.to_owned(), "1".to_owned(), letters.collect()].concat()
}

/// Reads what `encode` spelled, in either case but not in both; answers the name in lower case.
pub(super) fn decode(text: &str) -> Option<(String, Vec<u8>)> {
    let mixed = text.bytes().any(|c| c.is_ascii_lowercase()) && text.bytes().any(|c| c.is_ascii_uppercase());
    if mixed || !text.is_ascii() {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let (name, letters) = lower.rsplit_once('1')?;
    let group = |letter: u8| LETTERS.iter().position(|&known| known == letter).and_then(|at| u8::try_from(at).ok());
    let groups = letters.bytes().map(group).collect::<Option<Vec<u8>>>()?;
    if name.is_empty() || groups.len() < CHECK_LETTERS || checksum(name, &groups) != 1 {
        return None;
    }
    let groups = &groups[..groups.len() - CHECK_LETTERS];
    let mut bytes = regroup(groups, 5, 8);
    // What is left over in the last group is fewer than five bits, and they are zero.
    if groups.len() * 5 % 8 >= 5 {
        return None;
    }
    if !(groups.len() * 5).is_multiple_of(8) && bytes.pop() != Some(0) {
        return None;
    }
    Some((name.to_owned(), bytes))
}

/// Bits in groups of `from` as groups of `to`, the last one filled with zeros.
fn regroup(groups: &[u8], from: u32, to: u32) -> Vec<u8> {
    let (mut bits, mut count, mut out) = (0_u32, 0, Vec::new());
    let mask = (1_u32 << to) - 1;
    for &group in groups {
        bits = bits << from | u32::from(group);
        count += from;
        while count >= to {
            count -= to;
            out.push((bits >> count & mask) as u8);
        }
        bits &= (1 << count) - 1;
    }
    if count > 0 {
        out.push((bits << (to - count) & mask) as u8);
    }
    out
}

/// BIP 173's polymod over name and groups.
fn checksum(name: &str, groups: &[u8]) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let high = name.bytes().map(|letter| letter >> 5);
    let low = name.bytes().map(|letter| letter & 31);
    let values = high.chain([0]).chain(low).chain(groups.iter().copied());
    values.fold(1, |sum, value| {
        let next = (sum & 0x01ff_ffff) << 5 ^ u32::from(value);
        GENERATOR.iter().enumerate().fold(
            next,
            |next, (bit, generator)| {
                if sum >> (25 + bit) & 1 == 1 { next ^ generator } else { next }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The age specification's example pair.
    #[test]
    fn a_key_is_spelled_and_read() {
        let identity = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
        let (name, bytes) = decode(identity).unwrap();
        assert_eq!((name.as_str(), bytes.as_slice()), ("age-secret-key-", &[0x42; 32][..]));
        assert_eq!(encode("age-secret-key-", &bytes).to_uppercase(), identity);
    }

    /// From the lists of BIP 173.
    #[test]
    fn valid_and_invalid_strings_are_told_apart() {
        for valid in ["A12UEL5L", "a12uel5l", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", "?1ezyfcl"] {
            assert!(decode(valid).is_some(), "{valid}");
        }
        for invalid in ["A1G7SGD8", "10a06t8", "1qzzfhee", "x1b4n0q5v", "li1dgmt3", "A12uEL5L", "pzry9x0s0muk", "", "1"]
        {
            assert!(decode(invalid).is_none(), "{invalid}");
        }
    }

    #[test]
    fn every_length_comes_back_and_no_changed_letter_is_accepted() {
        for len in 0..40 {
            let bytes: Vec<u8> = (0..len).map(|n| n as u8 ^ 0xA5).collect();
            let text = encode("age", &bytes);
            assert_eq!(decode(&text), Some(("age".to_owned(), bytes)));
            for at in 4..text.len() {
                let mut changed = text.clone().into_bytes();
                changed[at] = if changed[at] == b'q' { b'p' } else { b'q' };
                assert!(decode(&String::from_utf8(changed).unwrap()).is_none(), "{text} at {at}");
            }
        }
    }
}
