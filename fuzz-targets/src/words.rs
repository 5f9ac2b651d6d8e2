//! What the command `perilune` takes and gives: its words, PKCS#11 URIs, files for import, SoftHSM2's files.
//!
//! Owns: a second reader of URIs (RFC 7512), to hold the printed ones against. The module reads none itself.

use crate::bytes::Bytes;
use hsm_core::TokenInfo;
use perilune_admin::fuzzing;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Reads the input as what its first byte says.
pub fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    match bytes.byte() {
        0x00..0x40 => uri(&mut bytes),
        0x40..0x70 => {
            let words = bytes.rest().split(|byte| *byte == 0).map(|word| OsStr::from_bytes(word).to_owned());
            let words: Vec<OsString> = [OsString::from("perilune")].into_iter().chain(words.take(64)).collect();
            let _is_one = fuzzing::command_line(&words);
        }
        0x70..0xa0 => {
            if let Err(line) = fuzzing::import(bytes.rest()) {
                assert!(!line.is_empty() && !line.contains('\n'), "a failure is one line: {line:?}");
            }
        }
        0xa0..0xd0 => {
            let _attributes = fuzzing::softhsm_object(bytes.rest());
        }
        _ => {
            let (token, pin) = (bytes.long(), bytes.counted());
            let _template = fuzzing::softhsm_template(token, pin, bytes.rest());
        }
    }
}

/// What is printed says the same to another reader.
fn uri(bytes: &mut Bytes<'_>) {
    let kind = bytes.one(&[None, Some("private"), Some("public"), Some("cert"), Some("secret-key"), Some("data")]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let info = TokenInfo {
        label: padded(bytes.take(32)),
        manufacturer: text(bytes.counted()),
        model: text(bytes.counted()),
        serial: padded(bytes.take(16)),
        flags: 0,
        sessions_max: 0,
        sessions: 0,
        rw_sessions_max: 0,
        rw_sessions: 0,
        pin_bytes_max: 0,
        pin_bytes_min: 0,
        hardware: (0, 0),
        firmware: (0, 0),
        utc_time: [b' '; 16],
    };
    let (id, label) = (bytes.counted(), text(bytes.rest()));
    let printed = fuzzing::object_uri(&info, id, &label, kind);
    let read = read_uri(&printed);
    let part = |name: &str| read.iter().find(|(found, _)| *found == name).map(|(_, value)| value.clone());
    let trimmed = |bytes: &[u8]| text(bytes).trim_end_matches(' ').as_bytes().to_vec();
    assert_eq!(part("token"), Some(trimmed(&info.label)), "{printed}");
    assert_eq!(part("serial"), Some(trimmed(&info.serial)), "{printed}");
    assert_eq!(part("model"), Some(info.model.trim_end().as_bytes().to_vec()), "{printed}");
    assert_eq!(part("manufacturer"), Some(info.manufacturer.trim_end().as_bytes().to_vec()), "{printed}");
    assert_eq!(part("id"), (!id.is_empty()).then(|| id.to_vec()), "{printed}");
    assert_eq!(part("object"), (!label.is_empty()).then(|| label.into_bytes()), "{printed}");
    assert_eq!(part("type"), kind.map(|kind| kind.as_bytes().to_vec()), "{printed}");
}

fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut padded = [b' '; N];
    padded[..bytes.len()].copy_from_slice(bytes);
    padded
}

/// The attributes of a URI (RFC 7512, 2.3).
fn read_uri(uri: &str) -> Vec<(&str, Vec<u8>)> {
    let path = uri.strip_prefix("pkcs11:").expect("the scheme");
    let parts: Vec<_> = path
        .split(';')
        .map(|part| {
            let (name, value) = part.split_once('=').expect("name and value");
            (name, decoded(value))
        })
        .collect();
    let names: std::collections::BTreeSet<_> = parts.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), parts.len(), "no attribute stands twice in {uri}");
    parts
}

fn decoded(value: &str) -> Vec<u8> {
    let (mut decoded, mut rest) = (Vec::new(), value.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            // unreserved / pk11-res-avail
            let allowed = first.is_ascii_alphanumeric() || b"-._~:[]@!$'()*+,=&".contains(first);
            assert!(allowed, "{value} has a character that it may not have");
            decoded.push(*first);
            continue;
        }
        let digits = rest.split_off(..2).and_then(|digits| str::from_utf8(digits).ok()).expect("two digits");
        decoded.push(u8::from_str_radix(digits, 16).expect("two digits"));
    }
    decoded
}
