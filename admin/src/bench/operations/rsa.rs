//! RSA: signatures in four forms, verification, decryption.
//!
//! Owns: the rows. The module generates the pair; its public key is read from the token, and signatures are verified outside.

use super::{Operation, Prepared, message, unchecked};
use crate::bench::desk::{Calling, Desk, Keys, Trouble};
use ffi_headers::*;
use hsm_crypto::rsa::{OaepParams, PssParams, RsaPublicKey};
use hsm_crypto::{Hash, portable};
use hsm_platform::OsRandom;
use pkcs11_client::{Mechanism, Parameter, Template};
use std::sync::Arc;

pub(super) const FAMILY: &str = "RSA";

/// One form of a signature: its name, the mechanism, what is signed, and how it is verified outside.
struct Form {
    name: &'static str,
    how: fn() -> Mechanism,
    data: fn(usize) -> Vec<u8>,
    verify: fn(&dyn RsaPublicKey, &[u8], &[u8]) -> bool,
}

const FORMS: [Form; 4] = [
    Form {
        name: "sign PKCS",
        how: || Mechanism::plain(CKM_RSA_PKCS),
        data: |_| digest_info(),
        verify: |key, data, signature| key.verify_pkcs1(data, signature).is_ok(),
    },
    Form {
        name: "sign SHA256-PKCS",
        how: || Mechanism::plain(CKM_SHA256_RSA_PKCS),
        data: |_| message(64),
        verify: |key, data, signature| key.verify_pkcs1(&info_of(data), signature).is_ok(),
    },
    Form {
        name: "sign SHA256-PSS",
        how: || Mechanism::new(CKM_SHA256_RSA_PKCS_PSS, Parameter::Pss(CKM_SHA256, CKG_MGF1_SHA256, 32)),
        data: |_| message(64),
        verify: |key, data, signature| {
            let pss = PssParams { hash: Hash::Sha256, mgf_hash: Hash::Sha256, salt_bytes: 32 };
            key.verify_pss(&pss, &sha256(data), signature).is_ok()
        },
    },
    Form {
        name: "sign raw",
        how: || Mechanism::plain(CKM_RSA_X_509),
        data: padded,
        verify: |key, data, signature| key.raw(signature).is_ok_and(|block| block == data),
    },
];

/// The rows.
pub fn operations() -> Vec<Operation> {
    let mut list = Vec::new();
    for bits in [2048, 3072, 4096] {
        for form in &FORMS {
            let quick = bits == 2048 && form.name == "sign SHA256-PKCS";
            list.push(
                Operation::new(FAMILY, format!("RSA-{bits} {}", form.name), move |desk| sign(desk, bits, form))
                    .quick_if(quick),
            );
        }
        list.push(
            Operation::new(FAMILY, format!("RSA-{bits} verify"), move |desk| verify(desk, bits)).quick_if(bits == 2048),
        );
        list.push(Operation::new(FAMILY, format!("RSA-{bits} decrypt OAEP"), move |desk| decrypt_oaep(desk, bits)));
        list.push(Operation::new(FAMILY, format!("RSA-{bits} decrypt PKCS"), move |desk| decrypt_pkcs(desk, bits)));
    }
    list
}

fn sign(desk: &mut Desk, bits: usize, form: &Form) -> Result<Prepared, Trouble> {
    let how = (form.how)();
    desk.either(&[how.kind])?;
    let (public, private) = pair(desk, bits)?;
    let outside = public_key(desk, public)?;
    let data = (form.data)(bits / 8);
    let signed = data.clone();
    Prepared::new(bits / 8, move |module, session, hand| {
        hand.length = module.sign(session, &how, private, &data, &mut hand.out)?;
        Ok(())
    })
    .proved(desk, "C_Sign", |signature| Ok((form.verify)(&*outside, &signed, signature)))
}

fn verify(desk: &mut Desk, bits: usize) -> Result<Prepared, Trouble> {
    let how = Mechanism::plain(desk.either(&[CKM_SHA256_RSA_PKCS])?);
    let (public, private) = pair(desk, bits)?;
    let data = message(64);
    let mut signature = vec![0; bits / 8];
    desk.module.sign(desk.session, &how, private, &data, &mut signature).calling("C_Sign")?;
    let mut wrong = signature.clone();
    wrong[bits / 16] ^= 1;
    let refused = desk.module.verify(desk.session, &how, public, &data, &wrong).is_err();
    Prepared::new(0, move |module, session, _| module.verify(session, &how, public, &data, &signature)).proved(
        desk,
        "C_Verify",
        |_| Ok(refused),
    )
}

fn decrypt_oaep(desk: &mut Desk, bits: usize) -> Result<Prepared, Trouble> {
    // SHA-1, because it is the one that every module has.
    let how = Mechanism::new(desk.either(&[CKM_RSA_PKCS_OAEP])?, Parameter::Oaep(CKM_SHA_1, CKG_MGF1_SHA1));
    let oaep = OaepParams { hash: Hash::Sha1, mgf_hash: Hash::Sha1, label: Vec::new() };
    decrypt(desk, bits, how, |key, text| key.encrypt_oaep(&oaep, text, &OsRandom))
}

fn decrypt_pkcs(desk: &mut Desk, bits: usize) -> Result<Prepared, Trouble> {
    let how = Mechanism::plain(desk.either(&[CKM_RSA_PKCS])?);
    decrypt(desk, bits, how, |key, text| key.encrypt_pkcs1(text, &OsRandom))
}

/// Decrypts what `seal` encrypted outside.
fn decrypt(
    desk: &mut Desk,
    bits: usize,
    how: Mechanism,
    seal: impl Fn(&dyn RsaPublicKey, &[u8]) -> hsm_crypto::Result<Vec<u8>>,
) -> Result<Prepared, Trouble> {
    let (public, private) = pair(desk, bits)?;
    let text = message(32);
    let sealed = seal(&*public_key(desk, public)?, &text).map_err(unchecked)?;
    Prepared::new(bits / 8, move |module, session, hand| {
        hand.length = module.decrypt(session, &how, private, &sealed, &mut hand.out)?;
        Ok(())
    })
    .proved(desk, "C_Decrypt", |output| Ok(output == text))
}

/// The family's pair of so many bits.
fn pair(desk: &mut Desk, bits: usize) -> Result<Keys, Trouble> {
    desk.keys(&format!("rsa-{bits}"), |desk| generate(desk, bits, false))
}

/// A new pair for everything; the private key can leave the token if it is to be wrapped.
pub(super) fn generate(desk: &mut Desk, bits: usize, extractable: bool) -> Result<Keys, Trouble> {
    let how = Mechanism::plain(desk.either(&[CKM_RSA_PKCS_KEY_PAIR_GEN])?);
    let (public, private) = templates(desk, bits, false, extractable);
    desk.module.generate_pair(desk.session, &how, &public, &private).calling("C_GenerateKeyPair")
}

/// The templates of a pair.
pub(super) fn templates(desk: &Desk, bits: usize, token: bool, extractable: bool) -> (Template, Template) {
    let public = desk
        .own_in(token)
        .number(CKA_MODULUS_BITS, bits as CK_ULONG)
        .bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1])
        .flag(CKA_VERIFY, true)
        .flag(CKA_ENCRYPT, true)
        .flag(CKA_WRAP, true);
    let private = desk
        .own_in(token)
        // What may be wrapped is readable: the wrapping key comes from outside, and a careful token wraps nothing sensitive with it.
        .flag(CKA_SENSITIVE, !extractable)
        .flag(CKA_EXTRACTABLE, extractable)
        .flag(CKA_SIGN, true)
        .flag(CKA_DECRYPT, true)
        .flag(CKA_UNWRAP, true);
    (public, private)
}

/// A public key as the checking engine has it.
pub(super) fn public_key(desk: &Desk, public: u64) -> Result<Arc<dyn RsaPublicKey>, Trouble> {
    let (modulus, exponent) = (desk.attribute(public, CKA_MODULUS)?, desk.attribute(public, CKA_PUBLIC_EXPONENT)?);
    (portable().rsa_public)(without_zeros(&modulus), without_zeros(&exponent)).map_err(unchecked)
}

fn without_zeros(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|byte| **byte == 0).count()..]
}

fn sha256(data: &[u8]) -> Vec<u8> {
    let mut digest = (portable().digest)(Hash::Sha256);
    digest.update(data);
    digest.finish()
}

/// The DER DigestInfo of a message's SHA-256.
fn info_of(data: &[u8]) -> Vec<u8> {
    const SHA256: [u8; 19] = [0x30, 0x31, 0x30, 0x0D, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20];
    [&SHA256[..], &sha256(data)].concat()
}

fn digest_info() -> Vec<u8> {
    info_of(&message(64))
}

/// A whole block as a client pads it.
fn padded(bytes: usize) -> Vec<u8> {
    let info = digest_info();
    let mut block = vec![0xFF; bytes - info.len()];
    block[0] = 0;
    block[1] = 1;
    if let Some(last) = block.last_mut() {
        *last = 0;
    }
    block.extend_from_slice(&info);
    block
}
