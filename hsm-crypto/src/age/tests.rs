//! Files against what the specification says of them; the `age` program itself is met in the tests of `admin`.

use super::*;
use std::io::Read;

struct Os;

impl Random for Os {
    fn fill(&self, out: &mut [u8]) -> crate::Result<()> {
        getrandom::fill(out).map_err(|_| CryptoError::RandomFailed)
    }
}

/// The identity of the specification's test vectors.
const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
/// Lengths at which chunks begin and end.
const LENGTHS: [usize; 9] = [0, 1, 65_535, 65_536, 65_537, 131_071, 131_072, 131_073, 300_000];

fn identity() -> Identity {
    Identity::parse(IDENTITY).unwrap()
}

fn other() -> Identity {
    let mut bytes = [0; 32];
    Os.fill(&mut bytes).unwrap();
    Identity::parse(&bech32::encode("age-secret-key-", &bytes).to_uppercase()).unwrap()
}

fn locked(recipients: &[Recipient], content: &[u8]) -> Vec<u8> {
    let mut writer = encrypt(&Lock::Recipients(recipients), &Os, Vec::new()).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

fn to_me(content: &[u8]) -> Vec<u8> {
    locked(&[identity().recipient().unwrap()], content)
}

/// The content, or why there is none.
fn opened(file: &[u8], unlock: &Unlock<'_>) -> Result<Vec<u8>, AgeError> {
    let mut input = file;
    let header = Header::read(&mut input)?;
    let mut content = Vec::new();
    header.open(unlock, input)?.read_to_end(&mut content)?;
    Ok(content)
}

fn by_me(file: &[u8]) -> Result<Vec<u8>, AgeError> {
    opened(file, &Unlock::Identities(&[identity()]))
}

#[test]
fn keys_are_read_and_spelled_as_the_age_program_does() {
    let recipient = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
    assert_eq!(identity().recipient().unwrap().to_string(), recipient);
    assert_eq!(Recipient::parse(recipient), Some(identity().recipient().unwrap()));
    for wrong in [&recipient.to_uppercase(), &recipient[..61], &IDENTITY.to_lowercase(), "age1", ""] {
        assert_eq!(Recipient::parse(wrong), None, "{wrong}");
    }
    for wrong in [&IDENTITY.to_lowercase(), recipient, &IDENTITY[..73], ""] {
        assert!(Identity::parse(wrong).is_none(), "{wrong}");
    }
}

#[test]
fn content_of_every_length_comes_back_to_each_of_its_recipients_and_to_nobody_else() {
    let (first, second) = (other(), identity());
    for len in LENGTHS {
        let content: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
        let file = locked(&[first.recipient().unwrap(), second.recipient().unwrap()], &content);
        assert_eq!(by_me(&file).unwrap(), content);
        assert_eq!(opened(&file, &Unlock::Identities(std::slice::from_ref(&first))).unwrap(), content);
        assert!(matches!(opened(&file, &Unlock::Identities(&[other()])), Err(AgeError::NoMatch(_))));
        assert!(matches!(opened(&file, &Unlock::Passphrase(&SecretBytes::copy_of(b"x"))), Err(AgeError::NoMatch(_))));
    }
}

#[test]
fn a_passphrase_opens_and_another_does_not() {
    let passphrase = SecretBytes::copy_of(b"correct horse");
    let mut writer = encrypt(&Lock::Passphrase(&passphrase), &Os, Vec::new()).unwrap();
    writer.write_all(b"content").unwrap();
    let file = writer.finish().unwrap();
    assert!(Header::read(&mut file.as_slice()).unwrap().wants_passphrase());
    assert_eq!(opened(&file, &Unlock::Passphrase(&passphrase)).unwrap(), b"content");
    let wrong = SecretBytes::copy_of(b"correct house");
    assert!(matches!(opened(&file, &Unlock::Passphrase(&wrong)), Err(AgeError::PassphraseWrong)));
    assert!(matches!(by_me(&file), Err(AgeError::NoMatch(_))));
}

/// A file of the specification's test vectors: key, recipient line and tags were computed elsewhere.
#[test]
fn a_file_made_by_another_program_opens() {
    let identity =
        Identity::parse("AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0").unwrap();
    let header = "age-encryption.org/v1\n-> X25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc\n\
                  hjabGXwSLQ9c3S6Lw2i+S2Tu2fiwQHHslbBN6B41FLE\n--- WyJp9F/9FOZh7gJdheq2WIJcwHgYc8NIVh3ddwhrcNg\n";
    let header = Header::read(&mut header.as_bytes()).unwrap();
    // The content of that file is not here; a header that opens has its code checked, and the content fails at its tag.
    let mut reader = header.open(&Unlock::Identities(&[identity]), &[0_u8; 64][..]).unwrap();
    assert_eq!(reader.read(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[test]
fn every_changed_byte_of_header_and_content_is_noticed() {
    let file = to_me(b"content");
    for at in 0..file.len() {
        for bits in [0x01, 0x20, 0x80] {
            let mut changed = file.clone();
            changed[at] ^= bits;
            assert!(by_me(&changed).is_err(), "byte {at} of {}", file.len());
        }
    }
}

#[test]
fn every_shortened_or_lengthened_file_is_noticed() {
    let file = to_me(b"content");
    for len in 0..file.len() {
        assert!(by_me(&file[..len]).is_err(), "{len} of {}", file.len());
    }
    assert!(by_me(&[&file[..], &[0]].concat()).is_err());
    // At the ends of chunks, too, where what is left is whole in itself.
    let (sealed, file) = (65_552, to_me(&[7; 3 * 65_536]));
    let header = file.len() - 3 * sealed;
    for cut in [header, header + sealed, header + 2 * sealed] {
        assert!(by_me(&file[..cut]).is_err(), "{cut}");
    }
    assert!(by_me(&[&file[..], &file[header + 2 * sealed..]].concat()).is_err());
}

#[test]
fn swapped_doubled_and_left_out_chunks_are_noticed() {
    let (sealed, file) = (65_552, to_me(&[7; 3 * 65_536]));
    let (header, chunks) = file.split_at(file.len() - 3 * sealed);
    let chunks: Vec<&[u8]> = chunks.chunks(sealed).collect();
    let with = |order: &[usize]| -> Vec<u8> {
        [header.to_vec(), order.iter().flat_map(|&chunk| chunks[chunk].to_vec()).collect()].concat()
    };
    assert!(by_me(&with(&[0, 1, 2])).is_ok());
    for order in [&[1, 0, 2][..], &[0, 2], &[1, 2], &[0, 1], &[0, 0, 1, 2], &[0, 1, 2, 2], &[2, 1, 0], &[2]] {
        assert!(by_me(&with(order)).is_err(), "{order:?}");
    }
}

#[test]
fn nothing_is_handed_out_before_it_is_checked() {
    let mut file = to_me(&[7; 70_000]);
    *file.last_mut().unwrap() ^= 1;
    let mut input = file.as_slice();
    let header = Header::read(&mut input).unwrap();
    let mut content = Vec::new();
    let answer = header.open(&Unlock::Identities(&[identity()]), input).unwrap().read_to_end(&mut content);
    assert_eq!(answer.unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert!(content.len() <= 65_536, "of the changed chunk not a byte");
}

#[test]
fn headers_that_the_format_forbids_are_refused_by_name() {
    let file = to_me(b"content");
    let end = file.windows(5).position(|window| window == b"\n--- ").unwrap();
    let text = String::from_utf8(file[..end + 1].to_vec()).unwrap();
    let lock = text.split_once('\n').unwrap().1;
    let check = |changed: String, expected: &str| {
        let changed = [changed.as_bytes(), &file[end + 1..]].concat();
        let answer = by_me(&changed).unwrap_err().to_string();
        assert!(answer.contains(expected), "{answer:?} for {}", String::from_utf8_lossy(&changed));
    };
    check(text.replace("/v1", "/v2"), "version");
    check(text.replace("age-encryption", "gpg-encryption"), "not a file in the age format");
    check(format!("-----BEGIN AGE ENCRYPTED FILE-----\n{lock}"), "armored");
    check("age-encryption.org/v1\n".to_owned(), "locked for nobody");
    check(text.replace("\n-> X", "\r\n-> X"), "version");
    check(text.replace("-> X25519 ", "-> X25519  "), "the words of a lock");
    check(text.replace("-> X25519 ", "->X25519 "), "no lock");
    check(text.replace("-> X25519 ", "-> X25519 more "), "a recipient's lock");
    check(format!("{text}-> scrypt AAAAAAAAAAAAAAAAAAAAAA 10\nAAAA\n"), "locked with a passphrase");
    // Unknown locks are somebody else's, but they are under the code.
    check(format!("{text}-> grease a b c\nAAAA\n"), "the code of the header");
    let long = "A".repeat(65);
    check(format!("{text}-> grease\n{long}\n"), "too long");
    check(format!("{text}-> grease\nAAAA=\n"), "the key in a lock");
    check(format!("{text}-> grease\nAB\n"), "the key in a lock");
}

#[test]
fn a_passphrases_work_is_limited_and_spelled_in_one_way() {
    for factor in ["23", "255", "256", "99999999999999999999", "0", "01", "+10", "-1", "0x10", "10a", "a"] {
        let text = format!(
            "age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA {factor}\n{}\n--- {}\n",
            "A".repeat(43),
            "A".repeat(43)
        );
        let answer = opened(text.as_bytes(), &Unlock::Passphrase(&SecretBytes::copy_of(b"x")));
        assert!(matches!(&answer, Err(AgeError::Header(what)) if what.contains("work factor")), "{factor}: {answer:?}");
    }
    let twice = format!(
        "age-encryption.org/v1\n{0}{0}--- {1}\n",
        format!("-> scrypt AAAAAAAAAAAAAAAAAAAAAA 10\n{}\n", "A".repeat(43)),
        "A".repeat(43)
    );
    let answer = opened(twice.as_bytes(), &Unlock::Passphrase(&SecretBytes::copy_of(b"x")));
    assert!(matches!(answer, Err(AgeError::Header(what)) if what.contains("beside other locks")));
}

#[test]
fn arbitrary_bytes_are_no_file() {
    let mut state = 1_u64;
    for round in 0..5000 {
        let mut bytes = vec![0; round % 300];
        for byte in &mut bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Half of them printable, so that some get past the first checks.
            *byte = if round % 2 == 0 { (state >> 56) as u8 } else { b" ->\nAX25519/+"[(state >> 60) as usize % 13] };
        }
        if round % 4 == 1 {
            bytes = [b"age-encryption.org/v1\n-> ", &bytes[..]].concat();
        }
        assert!(by_me(&bytes).is_err());
    }
}
