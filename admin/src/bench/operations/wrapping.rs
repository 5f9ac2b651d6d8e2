//! Wrapping and unwrapping keys.
//!
//! Owns: the rows. The wrapping key's value is known, so what is wrapped is opened outside. Unwrapped keys are destroyed at once,
//! which does not count.

use super::{Operation, Prepared, rsa, unchecked};
use crate::bench::desk::{Calling, Desk, Keys, Trouble};
use ffi_headers::*;
use hsm_crypto::SymmetricKey;
use hsm_crypto::cipher::{Direction, KeyWrap, Mode};
use hsm_crypto::rsa::OaepParams;
use hsm_crypto::{Hash, encoding, portable};
use hsm_platform::OsRandom;
use pkcs11_client::{Mechanism, Parameter, Template};

const FAMILY: &str = "Wrapping";

const WRAPPER: [u8; 32] = [0x57; 32];
const VALUE: [u8; 32] = [0x56; 32];

/// The rows.
pub fn operations() -> Vec<Operation> {
    vec![
        Operation::new(FAMILY, "Wrap AES-256 with AES-KW", wrap_aes).quick_if(true),
        Operation::new(FAMILY, "Unwrap AES-256 with AES-KW", unwrap_aes).quick_if(true),
        Operation::new(FAMILY, "Wrap RSA-2048 with AES-KWP", wrap_rsa),
        Operation::new(FAMILY, "Unwrap RSA-2048 with AES-KWP", unwrap_rsa),
        Operation::new(FAMILY, "Wrap AES-256 with RSA-2048 OAEP", wrap_oaep),
        Operation::new(FAMILY, "Unwrap AES-256 with RSA-2048 OAEP", unwrap_oaep),
    ]
}

fn wrap_aes(desk: &mut Desk) -> Result<Prepared, Trouble> {
    let how = Mechanism::plain(desk.either(&[CKM_AES_KEY_WRAP])?);
    let ((with, _), (key, _)) = (wrapper(desk)?, wrapped(desk)?);
    let right = (portable().key_wrap)(KeyWrap::Kw, &WRAPPER, None, &VALUE).map_err(unchecked)?;
    wrapping(how, with, key).proved(desk, "C_WrapKey", |output| Ok(output == right))
}

fn unwrap_aes(desk: &mut Desk) -> Result<Prepared, Trouble> {
    let how = Mechanism::plain(desk.either(&[CKM_AES_KEY_WRAP])?);
    let (with, _) = wrapper(desk)?;
    let sealed = (portable().key_wrap)(KeyWrap::Kw, &WRAPPER, None, &VALUE).map_err(unchecked)?;
    let what = secret(desk);
    unwrapping(desk, how, with, sealed, what, |desk, key| Ok(desk.attribute(key, CKA_VALUE)? == VALUE))
}

fn wrap_rsa(desk: &mut Desk) -> Result<Prepared, Trouble> {
    let how = kwp(desk)?;
    let ((with, _), (_, key)) = (wrapper(desk)?, pair(desk)?);
    wrapping(how, with, key).proved(desk, "C_WrapKey", |output| {
        let opened = (portable().key_unwrap)(KeyWrap::Kwp, &WRAPPER, None, output);
        Ok(opened.is_ok_and(|key| encoding::decode_pkcs8(key.expose()).is_ok()))
    })
}

fn unwrap_rsa(desk: &mut Desk) -> Result<Prepared, Trouble> {
    let how = kwp(desk)?;
    let ((with, _), (public, key)) = (wrapper(desk)?, pair(desk)?);
    let mut sealed = vec![0; 4096];
    let length = desk.module.wrap(desk.session, &how, with, key, &mut sealed).calling("C_WrapKey")?;
    sealed.truncate(length);
    let what = desk
        .own()
        .number(CKA_CLASS, CKO_PRIVATE_KEY)
        .number(CKA_KEY_TYPE, CKK_RSA)
        .flag(CKA_SENSITIVE, true)
        .flag(CKA_SIGN, true);
    let modulus = desk.attribute(public, CKA_MODULUS)?;
    unwrapping(desk, how, with, sealed, what, |desk, key| Ok(desk.attribute(key, CKA_MODULUS)? == modulus))
}

fn wrap_oaep(desk: &mut Desk) -> Result<Prepared, Trouble> {
    let how = oaep(desk)?;
    let ((public, private), (key, _)) = (pair(desk)?, wrapped(desk)?);
    let prepared = wrapping(how.clone(), public, key);
    // Only the module has the private key, so it must open what it wrapped.
    let (module, session) = (desk.module.clone(), desk.session);
    prepared.proved(desk, "C_WrapKey", |output| {
        let mut opened = vec![0; 256];
        let length = module.decrypt(session, &how, private, output, &mut opened).calling("C_Decrypt")?;
        Ok(opened[..length] == VALUE)
    })
}

fn unwrap_oaep(desk: &mut Desk) -> Result<Prepared, Trouble> {
    let how = oaep(desk)?;
    let (public, private) = pair(desk)?;
    let sha1 = OaepParams { hash: Hash::Sha1, mgf_hash: Hash::Sha1, label: Vec::new() };
    let sealed = rsa::public_key(desk, public)?.encrypt_oaep(&sha1, &VALUE, &OsRandom).map_err(unchecked)?;
    // The pair was generated in the token, which keeps what it unwraps with it: the key is known by what it does.
    let what = desk
        .own()
        .number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_AES)
        .flag(CKA_ENCRYPT, true)
        .flag(CKA_SENSITIVE, true);
    unwrapping(desk, how, private, sealed, what, |desk, key| {
        let (block, mut encrypted) = ([0x42; 16], [0; 16]);
        let cipher = Mechanism::plain(CKM_AES_ECB);
        desk.module.encrypt(desk.session, &cipher, key, &block, &mut encrypted).calling("C_Encrypt")?;
        let engine = (portable().cipher)(&Mode::Ecb, Direction::Encrypt, &SymmetricKey::copy_of(&VALUE));
        let mut expected = [0; 16];
        engine.and_then(|mut engine| engine.update_into(&block, &mut expected)).map_err(unchecked)?;
        Ok(encrypted == expected)
    })
}

fn wrapping(how: Mechanism, with: u64, key: u64) -> Prepared {
    Prepared::new(4096, move |module, session, hand| {
        hand.length = module.wrap(session, &how, with, key, &mut hand.out)?;
        Ok(())
    })
}

fn unwrapping(
    desk: &mut Desk,
    how: Mechanism,
    with: u64,
    sealed: Vec<u8>,
    what: Template,
    right: impl FnOnce(&mut Desk, u64) -> Result<bool, Trouble>,
) -> Result<Prepared, Trouble> {
    let key = desk.module.unwrap(desk.session, &how, with, &sealed, &what).calling("C_UnwrapKey")?;
    let right = right(desk, key);
    desk.module.destroy(desk.session, key).calling("C_DestroyObject")?;
    if !right? {
        return Err(Trouble::Failed("C_UnwrapKey: it is not the key that was wrapped".to_owned()));
    }
    Ok(Prepared::new(0, move |module, session, hand| {
        let key = hand.count(|| module.unwrap(session, &how, with, &sealed, &what))?;
        module.destroy(session, key)
    }))
}

/// AES-KWP by its old or its new name.
fn kwp(desk: &Desk) -> Result<Mechanism, Trouble> {
    Ok(Mechanism::plain(desk.either(&[CKM_AES_KEY_WRAP_KWP, CKM_AES_KEY_WRAP_PAD])?))
}

fn oaep(desk: &Desk) -> Result<Mechanism, Trouble> {
    Ok(Mechanism::new(desk.either(&[CKM_RSA_PKCS_OAEP])?, Parameter::Oaep(CKM_SHA_1, CKG_MGF1_SHA1)))
}

/// A readable AES key.
fn secret(desk: &Desk) -> Template {
    desk.own()
        .number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_AES)
        .flag(CKA_ENCRYPT, true)
        .flag(CKA_SENSITIVE, false)
        .flag(CKA_EXTRACTABLE, true)
}

fn wrapper(desk: &mut Desk) -> Result<Keys, Trouble> {
    desk.keys("wrapper", |desk| {
        let template = desk
            .own()
            .number(CKA_CLASS, CKO_SECRET_KEY)
            .number(CKA_KEY_TYPE, CKK_AES)
            .bytes(CKA_VALUE, &WRAPPER)
            .flag(CKA_WRAP, true)
            .flag(CKA_UNWRAP, true);
        let key = desk.module.create(desk.session, &template).calling("C_CreateObject")?;
        Ok((key, key))
    })
}

fn wrapped(desk: &mut Desk) -> Result<Keys, Trouble> {
    desk.keys("wrapped", |desk| {
        let template = secret(desk).bytes(CKA_VALUE, &VALUE);
        let key = desk.module.create(desk.session, &template).calling("C_CreateObject")?;
        Ok((key, key))
    })
}

fn pair(desk: &mut Desk) -> Result<Keys, Trouble> {
    desk.keys("pair", |desk| rsa::generate(desk, 2048, true))
}
