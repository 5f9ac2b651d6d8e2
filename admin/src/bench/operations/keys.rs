//! Key generation, as session and as token objects.
//!
//! Owns: the rows. Session keys are destroyed at once, which does not count; token keys after the measurement.

use super::{Operation, Prepared, ec, rsa};
use crate::bench::desk::{Calling, Desk, Trouble};
use ffi_headers::*;
use hsm_crypto::ec::Curve;
use pkcs11_client::{Mechanism, Template};

const FAMILY: &str = "Key generation";

/// The rows.
pub fn operations() -> Vec<Operation> {
    let mut list = Vec::new();
    for (token, place) in [(false, "session"), (true, "token")] {
        for bits in [2048, 3072, 4096] {
            let operation = Operation::new(FAMILY, format!("RSA-{bits} pair, {place}"), move |desk| {
                let templates = rsa::templates(desk, bits, token, false);
                pair(desk, CKM_RSA_PKCS_KEY_PAIR_GEN, templates, token, (CKA_MODULUS, bits / 8))
            });
            // Longer ones take seconds, and threads find their primes independently of each other.
            list.push(if bits == 2048 { operation } else { operation.alone() });
        }
        for (curve, name) in [(Curve::P256, "P-256"), (Curve::P384, "P-384"), (Curve::P521, "P-521")] {
            let operation = Operation::new(FAMILY, format!("{name} pair, {place}"), move |desk| {
                let templates = ec::templates(desk, curve, token);
                pair(desk, CKM_EC_KEY_PAIR_GEN, templates, token, (CKA_EC_POINT, curve.field_bytes() * 2 + 1))
            });
            list.push(operation.quick_if(curve == Curve::P256));
        }
        list.push(Operation::new(FAMILY, format!("AES-256 key, {place}"), move |desk| aes(desk, token)));
    }
    list
}

fn pair(
    desk: &mut Desk,
    kind: u64,
    (public, private): (Template, Template),
    token: bool,
    (proof, bytes): (u64, usize),
) -> Result<Prepared, Trouble> {
    let how = Mechanism::plain(desk.either(&[kind])?);
    let (one, other) = desk.module.generate_pair(desk.session, &how, &public, &private).calling("C_GenerateKeyPair")?;
    let right = is_what_it_should_be(desk, one, token, proof, bytes)
        .and_then(|right| Ok(right && desk.attribute(other, CKA_TOKEN)? == [u8::from(token)]));
    desk.module.destroy(desk.session, one).calling("C_DestroyObject")?;
    desk.module.destroy(desk.session, other).calling("C_DestroyObject")?;
    if !right? {
        return Err(Trouble::Failed("C_GenerateKeyPair: the pair is not what was asked for".to_owned()));
    }
    Ok(Prepared::new(0, move |module, session, hand| {
        let (one, other) = hand.count(|| module.generate_pair(session, &how, &public, &private))?;
        if token {
            hand.made.extend([one, other]);
            return Ok(());
        }
        module.destroy(session, one).and(module.destroy(session, other))
    }))
}

fn aes(desk: &mut Desk, token: bool) -> Result<Prepared, Trouble> {
    let how = Mechanism::plain(desk.either(&[CKM_AES_KEY_GEN])?);
    let template = desk
        .own_in(token)
        .number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_AES)
        .number(CKA_VALUE_LEN, 32)
        .flag(CKA_ENCRYPT, true)
        .flag(CKA_DECRYPT, true);
    let key = desk.module.generate(desk.session, &how, &template).calling("C_GenerateKey")?;
    let length = desk.attribute(key, CKA_VALUE_LEN);
    let place = desk.attribute(key, CKA_TOKEN);
    desk.module.destroy(desk.session, key).calling("C_DestroyObject")?;
    if length? != 32_u64.to_ne_bytes() || place? != [u8::from(token)] {
        return Err(Trouble::Failed("C_GenerateKey: the key is not what was asked for".to_owned()));
    }
    Ok(Prepared::new(0, move |module, session, hand| {
        let key = hand.count(|| module.generate(session, &how, &template))?;
        if token {
            hand.made.push(key);
            return Ok(());
        }
        module.destroy(session, key)
    }))
}

fn is_what_it_should_be(desk: &Desk, key: u64, token: bool, proof: u64, bytes: usize) -> Result<bool, Trouble> {
    Ok(desk.attribute(key, proof)?.len() >= bytes && desk.attribute(key, CKA_TOKEN)? == [u8::from(token)])
}
