//! Backup files: the age header, the stream behind it, the content in it, and what a restore makes of that.
//!
//! Owns: that anything is refused or restored whole, and that a content which is read is written as the same bytes.

use crate::bytes::Bytes;
use crate::records::Token;
use hsm_core::{Backup, BackupToken};
use hsm_crypto::SecretBytes;
use hsm_crypto::age::{self, Header, Identity, Lock, Recipient, Unlock};
use hsm_platform::OsRandom;
use std::io::{Read, Write};

/// The identity of the kept files; it opens nothing else.
pub const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";

/// Reads the input as what its first byte says.
pub fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    match bytes.byte() {
        0x00..0x60 => file(bytes.rest()),
        0x60..0x80 => texts(bytes.rest()),
        0x80..0xa0 => encrypted(bytes.rest()),
        0xa0..0xe0 => content(bytes.rest(), false),
        _ => content(bytes.rest(), true),
    }
}

/// A file from its first byte on.
fn file(mut input: &[u8]) {
    let Ok(header) = Header::read(&mut input) else { return };
    // A passphrase is stretched for as long as the file says: up to a minute, as with the `age` program.
    if header.wants_passphrase() {
        let identity = identity();
        let refused = header.open(&Unlock::Identities(&[identity]), input);
        assert!(refused.is_err(), "an identity opens what is locked with a passphrase");
        return;
    }
    if let Ok(mut content) = header.open(&Unlock::Identities(&[identity()]), input) {
        let _backup = Backup::read(&mut content);
    }
}

fn texts(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let _recipient = Recipient::parse(text);
    if let Some(identity) = Identity::parse(text) {
        let _its_recipient = identity.recipient();
    }
}

/// What is encrypted comes back; cut anywhere, it does not.
fn encrypted(content: &[u8]) {
    let identity = identity();
    let recipient = identity.recipient().expect("the recipient of an identity");
    let mut file = Vec::new();
    let mut writer = age::encrypt(&Lock::Recipients(&[recipient]), &OsRandom, &mut file).expect("a file");
    writer.write_all(content).expect("written");
    let _out = writer.finish().expect("finished");
    let open = |mut file: &[u8]| {
        let header = Header::read(&mut file).ok()?;
        let mut reader = header.open(&Unlock::Identities(&[self::identity()]), file).ok()?;
        let mut read = Vec::new();
        reader.read_to_end(&mut read).ok()?;
        Some(read)
    };
    assert_eq!(open(&file).as_deref(), Some(content), "what was encrypted does not come back");
    let cut =
        content.iter().fold(0, |sum: usize, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte))) % file.len();
    assert_eq!(open(&file[..cut]), None, "a file that was cut off at byte {cut} is read");
}

/// The content of a backup.
fn content(mut input: &[u8], restore: bool) {
    let whole = input;
    let Ok(backup) = Backup::read(&mut input) else { return };
    let mut written = Vec::new();
    backup.write(&mut written).expect("written into memory");
    assert!(written == whole, "a backup changes when it is written again");
    for partition in &backup.partitions {
        let _described = BackupToken::of(partition);
        let _shown = (partition.roles(), partition.private_records(), partition.public_records().count());
    }
    if restore {
        let token = Token::new();
        let hsm = token.hsm();
        let before = token.medium.dump();
        let partitions: Vec<_> = backup.partitions.iter().collect();
        match hsm.restore(&partitions, false) {
            Ok(slots) => {
                assert_eq!(slots.len(), partitions.len(), "a slot for each token");
                for slot in slots {
                    hsm.token_info(slot).expect("a restored token");
                    let Ok(session) = hsm.open_session(slot, true) else { continue };
                    if hsm.find_init(session, &hsm_core::template::Template::default()).is_ok() {
                        let _objects = hsm.find(session, 100);
                    }
                }
            }
            Err(_) => assert!(token.medium.dump() == before, "a restore that was refused has written something"),
        }
    }
}

fn identity() -> Identity {
    Identity::parse(IDENTITY).expect("the identity of the kept files")
}

/// A real backup of a token with one object, encrypted for the identity, and its content: seeds for the corpus.
pub fn samples() -> (Vec<u8>, Vec<u8>) {
    let token = Token::new();
    let hsm = token.hsm();
    let session = hsm.open_session(hsm_core::SlotId(0), true).expect("a session");
    hsm.login(session, ffi_headers::CKU_USER, &SecretBytes::copy_of(b"1234")).expect("a login");
    for private in [false, true] {
        let template = hsm_core::template::Template::default()
            .with_number(ffi_headers::CKA_CLASS, ffi_headers::CKO_DATA)
            .with_flag(ffi_headers::CKA_TOKEN, true)
            .with_flag(ffi_headers::CKA_PRIVATE, private)
            .with(ffi_headers::CKA_VALUE, b"backed up");
        hsm.create_object(session, &template).expect("an object");
    }
    let (backup, _left_out) = hsm.backup(None).expect("a backup");
    let mut content = Vec::new();
    backup.write(&mut content).expect("written");
    let recipient = identity().recipient().expect("a recipient");
    let mut file = Vec::new();
    let mut writer = age::encrypt(&Lock::Recipients(&[recipient]), &OsRandom, &mut file).expect("a file");
    writer.write_all(&content).expect("written");
    let _out = writer.finish().expect("finished");
    (file, content)
}
