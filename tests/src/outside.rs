//! Programs outside the token: run, check their success, return what they printed.
//!
//! Owns: the report of a failed command, and the note that a test was skipped because its program is not
//! on this machine. Called from the tests of real clients.

use std::io::Write;
use std::process::{Command, Output};

/// Runs a command that must succeed and returns its standard output and error together.
pub fn output(mut command: Command) -> String {
    let (success, text) = run(&mut command);
    assert!(success, "failed: {}\n{text}", shown(&command));
    text
}

/// Runs a command that must fail and returns its standard output and error together.
pub fn failure(mut command: Command) -> String {
    let (success, text) = run(&mut command);
    assert!(!success, "succeeded, and must not: {}\n{text}", shown(&command));
    text
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> (bool, String) {
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|error| panic!("{}: {error}", shown(command)));
    let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    (status.success(), if status.success() { text } else { format!("{text}\n{status}") })
}

/// Runs `openssl` in a place, without any engine; it must succeed.
pub fn openssl(place: &crate::Place, arguments: &[&str]) -> String {
    let mut command = place.command("openssl");
    command.args(arguments);
    output(command)
}

/// Whether a program is on the path.
#[must_use]
pub fn has(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// Notes that a test could not run here, for the count at the end.
pub fn skip(test: &str, reason: &str) {
    println!("skipped: {test}: {reason}");
    if let Some(notes) = std::env::var_os("PERILUNE_SKIPPED") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(notes);
        writeln!(file.expect("the notes of skipped tests"), "{test}: {reason}").expect("a note");
    }
}

/// A command line to read.
#[must_use]
pub fn shown(command: &Command) -> String {
    let words: Vec<_> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

/// Turns an ECDSA signature `r || s` into the DER form that OpenSSL takes.
#[must_use]
pub fn ecdsa_to_der(signature: &[u8]) -> Vec<u8> {
    let half = signature.len() / 2;
    let mut body = integer(&signature[..half]);
    body.extend(integer(&signature[half..]));
    tagged(0x30, &body)
}

/// The SubjectPublicKeyInfo of an elliptic key: from `CKA_EC_PARAMS`, and `CKA_EC_POINT` with its octet string around.
///
/// # Panics
/// For a point that is too short to be one.
#[must_use]
pub fn subject_public_key(curve: &[u8], point: &[u8]) -> Vec<u8> {
    const EC: [u8; 9] = [0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
    const ED25519: [u8; 5] = [0x06, 0x03, 0x2B, 0x65, 0x70];
    // An octet string with one or two bytes of length.
    let raw = if point[1] == 0x81 { &point[3..] } else { &point[2..] };
    let algorithm = if raw.len() == 32 { ED25519.to_vec() } else { [&EC, curve].concat() };
    let mut body = tagged(0x30, &algorithm);
    body.extend(tagged(0x03, &[&[0], raw].concat()));
    tagged(0x30, &body)
}

fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|&byte| byte != 0).unwrap_or(bytes.len() - 1);
    let mut value = bytes[start..].to_vec();
    if value[0] & 0x80 != 0 {
        value.insert(0, 0);
    }
    tagged(0x02, &value)
}

fn tagged(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).expect("a short body");
    let mut der = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
    der.extend(body);
    der
}
