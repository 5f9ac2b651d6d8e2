//! AES-256: GCM, CBC, CTR and CMAC on four sizes, in one call and in four parts.
//!
//! Owns: the rows. The key's value is known, so what the module answers is compared with the portable engine's answer.

use super::{Operation, Prepared, message, size, unchecked};
use crate::bench::desk::{Calling, Desk, Keys, Trouble};
use ffi_headers::*;
use hsm_crypto::cipher::{Direction, GcmParams, Mode};
use hsm_crypto::{SymmetricKey, portable};
use pkcs11_client::{Mechanism, Parameter};

const FAMILY: &str = "AES-256";

/// The sizes that operations on data are measured with.
pub(super) const SIZES: [usize; 4] = [64, 1024, 16 * 1024, 1024 * 1024];
/// An operation in parts has so many.
pub(super) const PARTS: usize = 4;

const KEY: [u8; 32] = [0x4B; 32];
const IV: [u8; 16] = [0x10; 16];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gcm,
    Cbc,
    Ctr,
    Cmac,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Once,
    InParts,
    Back,
}

/// The rows.
pub fn operations() -> Vec<Operation> {
    let mut list = Vec::new();
    for (kind, name) in [(Kind::Gcm, "GCM"), (Kind::Cbc, "CBC"), (Kind::Ctr, "CTR"), (Kind::Cmac, "CMAC")] {
        let verb = if kind == Kind::Cmac { "" } else { " encrypt" };
        let back = matches!(kind, Kind::Gcm | Kind::Cbc);
        for (way, words) in [(Way::Once, verb.to_owned()), (Way::InParts, format!("{verb} in 4 parts"))]
            .into_iter()
            .chain(back.then(|| (Way::Back, " decrypt".to_owned())))
        {
            for bytes in SIZES {
                let quick = way == Way::Once && bytes == 1024 || kind == Kind::Gcm && way == Way::Once && bytes == 64;
                let name = format!("AES-{name}{words} {}", size(bytes));
                list.push(
                    Operation::new(FAMILY, name, move |desk| prepare(desk, kind, way, bytes))
                        .of_bytes(bytes)
                        .quick_if(quick),
                );
            }
        }
    }
    list
}

fn mechanism(kind: Kind) -> Mechanism {
    match kind {
        Kind::Gcm => Mechanism::new(CKM_AES_GCM, Parameter::Gcm(IV[..12].to_vec(), Vec::new(), 128)),
        Kind::Cbc => Mechanism::new(CKM_AES_CBC, Parameter::Bytes(IV.to_vec())),
        Kind::Ctr => Mechanism::new(CKM_AES_CTR, Parameter::Counter(128, IV)),
        Kind::Cmac => Mechanism::plain(CKM_AES_CMAC),
    }
}

/// What the answer has to be.
fn expected(kind: Kind, data: &[u8]) -> Result<Vec<u8>, hsm_crypto::CryptoError> {
    let key = SymmetricKey::copy_of(&KEY);
    let mut out = Vec::new();
    let mode = match kind {
        Kind::Gcm => {
            let gcm = GcmParams { iv: &IV[..12], aad: &[], tag_bytes: 16 };
            let mut cipher = (portable().gcm)(&gcm, Direction::Encrypt, &key)?;
            cipher.update(data, &mut out)?;
            cipher.finish(&mut out)?;
            return Ok(out);
        }
        Kind::Cmac => {
            let mut mac = (portable().cmac)(&key)?;
            mac.update(data)?;
            return mac.finish();
        }
        Kind::Cbc => Mode::Cbc { iv: IV },
        Kind::Ctr => Mode::Ctr { block: IV, counter_bits: 128 },
    };
    let mut cipher = (portable().cipher)(&mode, Direction::Encrypt, &key)?;
    cipher.update(data, &mut out)?;
    cipher.finish(&mut out)?;
    Ok(out)
}

fn prepare(desk: &mut Desk, kind: Kind, way: Way, bytes: usize) -> Result<Prepared, Trouble> {
    let how = mechanism(kind);
    desk.either(&[how.kind])?;
    let (key, _) = key(desk)?;
    let text = message(bytes);
    let sealed = expected(kind, &text).map_err(unchecked)?;
    let (data, answer) = if way == Way::Back { (sealed, text) } else { (text, sealed) };
    let part = bytes / PARTS;
    let room = bytes + 64;
    let (prepared, what) = match (kind, way) {
        (Kind::Cmac, Way::InParts) => (
            Prepared::new(room, move |module, session, hand| {
                hand.length = module.sign_in_parts(session, &how, key, (&data, part), &mut hand.out)?;
                Ok(())
            }),
            "C_SignUpdate",
        ),
        (Kind::Cmac, _) => (
            Prepared::new(room, move |module, session, hand| {
                hand.length = module.sign(session, &how, key, &data, &mut hand.out)?;
                Ok(())
            }),
            "C_Sign",
        ),
        (_, Way::Once) => (
            Prepared::new(room, move |module, session, hand| {
                hand.length = module.encrypt(session, &how, key, &data, &mut hand.out)?;
                Ok(())
            }),
            "C_Encrypt",
        ),
        (_, Way::InParts) => (
            Prepared::new(room, move |module, session, hand| {
                hand.length = module.encrypt_in_parts(session, &how, key, (&data, part), &mut hand.out)?;
                Ok(())
            }),
            "C_EncryptUpdate",
        ),
        (_, Way::Back) => (
            Prepared::new(room, move |module, session, hand| {
                hand.length = module.decrypt(session, &how, key, &data, &mut hand.out)?;
                Ok(())
            }),
            "C_Decrypt",
        ),
    };
    prepared.proved(desk, what, |output| Ok(output == answer))
}

/// The family's key.
fn key(desk: &mut Desk) -> Result<Keys, Trouble> {
    desk.keys("aes", |desk| {
        let template = desk
            .own()
            .number(CKA_CLASS, CKO_SECRET_KEY)
            .number(CKA_KEY_TYPE, CKK_AES)
            .bytes(CKA_VALUE, &KEY)
            .flag(CKA_ENCRYPT, true)
            .flag(CKA_DECRYPT, true)
            .flag(CKA_SIGN, true)
            .flag(CKA_VERIFY, true);
        let key = desk.module.create(desk.session, &template).calling("C_CreateObject")?;
        Ok((key, key))
    })
}
