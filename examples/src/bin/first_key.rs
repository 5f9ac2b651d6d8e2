//! The first key: generates a P-256 pair in a token, signs a file with it, and shows that it stays inside.
//!
//!     first_key FILE SIGNATURE PUBLIC-KEY
//!
//! Writes what a verifier without any token needs. Uses the token `examples`, and makes it when there is
//! none. See `examples/README.md` for the variables.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the example speaks to the person who runs it")]

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeInfo, AttributeType, ObjectHandle};
use cryptoki::session::Session;
use perilune_examples::{Outcome, ecdsa_der, load, open_token};

/// The curve P-256 as an object identifier: 1.2.840.10045.3.1.7.
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, signature_file, public_file] = &arguments[..] else {
        return Err("usage: first_key FILE SIGNATURE PUBLIC-KEY".into());
    };
    let client = load()?;
    let session = open_token(&client, "examples")?;

    let (public, private) = generate(&session)?;
    println!("A P-256 key pair was generated in the token `examples`.");

    let signature = session.sign(&Mechanism::EcdsaSha256, private, &std::fs::read(file)?)?;
    std::fs::write(signature_file, ecdsa_der(&signature))?;
    std::fs::write(public_file, public_key_info(&session, public)?)?;
    println!("The token signed {file}. Anybody can check that:");
    println!("    openssl dgst -sha256 -verify {public_file} -keyform DER -signature {signature_file} {file}");

    match session.get_attributes(private, &[AttributeType::Value]) {
        Ok(found) if found.is_empty() => {}
        Err(Error::Pkcs11(RvError::AttributeSensitive, _)) => {}
        other => return Err(format!("the private key could be read: {other:?}").into()),
    }
    match session.get_attribute_info(private, &[AttributeType::Value])?[..] {
        [AttributeInfo::Sensitive] => {
            println!("The private key itself is not given to anyone (CKR_ATTRIBUTE_SENSITIVE).")
        }
        ref other => return Err(format!("the private key is not protected: {other:?}").into()),
    }
    Ok(())
}

/// A pair that stays in the token; it is named, so that other programs find it.
fn generate(session: &Session) -> Outcome<(ObjectHandle, ObjectHandle)> {
    let name = [Attribute::Token(true), Attribute::Label(b"first key".to_vec()), Attribute::Id(vec![1])];
    let mut public = name.to_vec();
    public.extend([Attribute::EcParams(P256.to_vec()), Attribute::Verify(true)]);
    let mut private = name.to_vec();
    private.push(Attribute::Sign(true));
    Ok(session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private)?)
}

/// The public key in the form that OpenSSL and others read (`SubjectPublicKeyInfo`).
fn public_key_info(session: &Session, key: ObjectHandle) -> Outcome<Vec<u8>> {
    match session.get_attributes(key, &[AttributeType::PublicKeyInfo])?.pop() {
        Some(Attribute::PublicKeyInfo(bytes)) => Ok(bytes),
        other => Err(format!("the token gives no CKA_PUBLIC_KEY_INFO: {other:?}").into()),
    }
}
