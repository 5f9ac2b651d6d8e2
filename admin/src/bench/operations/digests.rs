//! SHA-2, HMAC and random bytes.
//!
//! Owns: the rows. The HMAC key's value is known, so answers are compared with the portable engine's.

use super::aes::{PARTS, SIZES};
use super::{Operation, Prepared, message, size, unchecked};
use crate::bench::desk::{Calling, Desk, Keys, Trouble};
use ffi_headers::*;
use hsm_crypto::{Hash, SymmetricKey, portable};
use pkcs11_client::Mechanism;

const FAMILY: &str = "Digests, MACs, random";

const KEY: [u8; 32] = [0x48; 32];

/// The rows.
pub fn operations() -> Vec<Operation> {
    let mut list = Vec::new();
    for (hash, kind, name) in [(Hash::Sha256, CKM_SHA256, "SHA-256"), (Hash::Sha512, CKM_SHA512, "SHA-512")] {
        for in_parts in [false, true] {
            for bytes in SIZES {
                let words = if in_parts { " in 4 parts" } else { "" };
                list.push(
                    Operation::new(FAMILY, format!("{name}{words} {}", size(bytes)), move |desk| {
                        digest(desk, hash, kind, bytes, in_parts)
                    })
                    .of_bytes(bytes)
                    .quick_if(hash == Hash::Sha256 && bytes == 64 && !in_parts),
                );
            }
        }
    }
    for (hash, kind, name) in
        [(Hash::Sha256, CKM_SHA256_HMAC, "HMAC-SHA-256"), (Hash::Sha512, CKM_SHA512_HMAC, "HMAC-SHA-512")]
    {
        for bytes in SIZES {
            list.push(
                Operation::new(FAMILY, format!("{name} {}", size(bytes)), move |desk| hmac(desk, hash, kind, bytes))
                    .of_bytes(bytes)
                    .quick_if(hash == Hash::Sha256 && bytes == 64),
            );
        }
    }
    for bytes in [32, 1024] {
        list.push(
            Operation::new(FAMILY, format!("Random {}", size(bytes)), move |desk| random(desk, bytes))
                .of_bytes(bytes)
                .quick_if(bytes == 32),
        );
    }
    list
}

fn digest(desk: &mut Desk, hash: Hash, kind: u64, bytes: usize, in_parts: bool) -> Result<Prepared, Trouble> {
    let how = Mechanism::plain(desk.either(&[kind])?);
    let data = message(bytes);
    let mut outside = (portable().digest)(hash);
    outside.update(&data);
    let right = outside.finish();
    let part = bytes / PARTS;
    let room = hash.output_bytes();
    let prepared = match in_parts {
        true => Prepared::new(room, move |module, session, hand| {
            hand.length = module.digest_in_parts(session, &how, &data, part, &mut hand.out)?;
            Ok(())
        }),
        false => Prepared::new(room, move |module, session, hand| {
            hand.length = module.digest(session, &how, &data, &mut hand.out)?;
            Ok(())
        }),
    };
    prepared.proved(desk, "C_Digest", |output| Ok(output == right))
}

fn hmac(desk: &mut Desk, hash: Hash, kind: u64, bytes: usize) -> Result<Prepared, Trouble> {
    let how = Mechanism::plain(desk.either(&[kind])?);
    let (key, _) = key(desk, hash)?;
    let data = message(bytes);
    let outside = (portable().hmac)(hash, &SymmetricKey::copy_of(&value(hash)));
    let right = outside.and_then(|mut mac| {
        mac.update(&data)?;
        mac.finish()
    });
    let right = right.map_err(unchecked)?;
    Prepared::new(hash.output_bytes(), move |module, session, hand| {
        hand.length = module.sign(session, &how, key, &data, &mut hand.out)?;
        Ok(())
    })
    .proved(desk, "C_Sign", |output| Ok(output == right))
}

fn random(desk: &mut Desk, bytes: usize) -> Result<Prepared, Trouble> {
    let mut before = vec![0; bytes];
    desk.module.random(desk.session, &mut before).calling("C_GenerateRandom")?;
    Prepared::new(bytes, |module, session, hand| {
        hand.length = hand.out.len();
        module.random(session, &mut hand.out)
    })
    .proved(desk, "C_GenerateRandom", |output| Ok(output != before && output.iter().any(|byte| *byte != 0)))
}

/// As long as the hash, which is what every module takes.
fn value(hash: Hash) -> Vec<u8> {
    KEY.repeat(hash.output_bytes() / KEY.len())
}

fn key(desk: &mut Desk, hash: Hash) -> Result<Keys, Trouble> {
    desk.keys(&format!("hmac-{hash:?}"), |desk| {
        let template = desk
            .own()
            .number(CKA_CLASS, CKO_SECRET_KEY)
            .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
            .bytes(CKA_VALUE, &value(hash))
            .flag(CKA_SIGN, true)
            .flag(CKA_VERIFY, true);
        let key = desk.module.create(desk.session, &template).calling("C_CreateObject")?;
        Ok((key, key))
    })
}
