//! Encrypts and decrypts a file with an AES-256 key that never leaves the token.
//!
//!     encrypt_file encrypt FILE SEALED
//!     encrypt_file decrypt SEALED FILE
//!
//! AES-GCM: a sealed file that was changed anywhere is refused. The sealed file is the 12 bytes of the IV,
//! then the ciphertext with its 16-byte tag. Uses the token `examples` and in it the key `file key`; makes
//! each when there is none.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the example speaks to the person who runs it")]

use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use perilune_examples::{Outcome, load, open_token};

const IV_BYTES: usize = 12;
const TAG_BITS: u64 = 128;
/// Bound to each file, so that nothing made for another purpose with this key is taken for one.
const PURPOSE: &[u8] = b"perilune example: file, version 1";

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [verb, from, to] = &arguments[..] else {
        return Err("usage: encrypt_file encrypt|decrypt FROM TO".into());
    };
    let client = load()?;
    let session = open_token(&client, "examples")?;
    let key = file_key(&session)?;
    let content = std::fs::read(from)?;
    let result = match verb.as_str() {
        "encrypt" => encrypt(&session, key, &content)?,
        "decrypt" => decrypt(&session, key, &content)?,
        other => return Err(format!("encrypt or decrypt, not {other}").into()),
    };
    std::fs::write(to, &result)?;
    println!("{verb}ed {from} ({} bytes) to {to} ({} bytes) with a key of the token", content.len(), result.len());
    Ok(())
}

/// The key, found by its name or generated in the token.
fn file_key(session: &Session) -> Outcome<ObjectHandle> {
    let name = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Label(b"file key".to_vec())];
    if let Some(found) = session.find_objects(&name)?.first() {
        return Ok(*found);
    }
    let mut template = name.to_vec();
    template.extend([
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::ValueLen(32.into()),
    ]);
    Ok(session.generate_key(&Mechanism::AesKeyGen, &template)?)
}

/// An IV must never come twice with one key, so the token draws a fresh one for each file.
fn encrypt(session: &Session, key: ObjectHandle, content: &[u8]) -> Outcome<Vec<u8>> {
    let mut iv = session.generate_random_vec(IV_BYTES as u32)?;
    let mut sealed = iv.clone();
    let parameters = GcmParams::new(&mut iv, PURPOSE, TAG_BITS.into())?;
    sealed.extend(session.encrypt(&Mechanism::AesGcm(parameters), key, content)?);
    Ok(sealed)
}

fn decrypt(session: &Session, key: ObjectHandle, sealed: &[u8]) -> Outcome<Vec<u8>> {
    let (iv, ciphertext) = sealed.split_at_checked(IV_BYTES).ok_or("the file is too short to be a sealed one")?;
    let mut iv = iv.to_vec();
    let parameters = GcmParams::new(&mut iv, PURPOSE, TAG_BITS.into())?;
    Ok(session.decrypt(&Mechanism::AesGcm(parameters), key, ciphertext)?)
}
