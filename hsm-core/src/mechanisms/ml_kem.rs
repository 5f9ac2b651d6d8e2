//! CKM_ML_KEM_KEY_PAIR_GEN and CKM_ML_KEM: key encapsulation.
//!
//! A ciphertext that was not made for the key gives another secret, without a sign (implicit rejection); only a wrong length is told.
//! Rule source: PKCS#11 v3.2, 6.68; FIPS 203.

use super::{EVERYTHING, Encapsulation, KeyRule, Row, SizeUnit, Wanted, named, pq_keygen};
use crate::key::Key;
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::Params;
use ffi_headers::*;
use hsm_crypto::post_quantum::{Encapsulated, MlKemPrivateKey, MlKemPublicKey};
use hsm_crypto::{CryptoError, SecretBytes};
use std::sync::Arc;

/// Smallest and largest encapsulation key.
const SIZES: Row = Row { unit: SizeUnit::Bytes, size_min: 800, size_max: 1568, approved: EVERYTHING, ..Row::BLANK };

pub(super) const ROWS: &[Row] = &[
    row!(Row {
        kind: CKM_ML_KEM_KEY_PAIR_GEN,
        name: "CKM_ML_KEM_KEY_PAIR_GEN",
        vectors: "Wycheproof mlkem_*_keygen_seed (keys of a seed)",
        generate_pair: Some(pq_keygen::ml_kem),
        ..SIZES
    }),
    row!(Row {
        keys: KeyRule::Types(&[CKK_ML_KEM]),
        vectors: "Wycheproof mlkem_*, mlkem_*_encaps, mlkem_*_semi_expanded_decaps",
        encapsulate: Some(Encapsulation { ciphertext_bytes, run: encapsulate }),
        decapsulate: Some(decapsulate),
        kind: CKM_ML_KEM,
        name: named!(CKM_ML_KEM).name,
        ..SIZES
    }),
];

fn ciphertext_bytes(env: &Env<'_>, _: &Params, key: &Object) -> Result<usize> {
    public(env, key).map(|key| key.set().ciphertext_bytes())
}

fn encapsulate(env: &Env<'_>, _: &Params, key: &Object, wanted: Wanted) -> Result<Encapsulated> {
    let mut made = public(env, key)?.encapsulate(env.random)?;
    shorten(&mut made.secret, wanted.bytes)?;
    Ok(made)
}

fn decapsulate(env: &Env<'_>, _: &Params, key: &Object, ciphertext: &[u8], wanted: Wanted) -> Result<SecretBytes> {
    let Key::MlKemPrivate(key) = key.key(env)? else { return Err(Reason::KeyTypeInconsistent) };
    let mut secret = MlKemPrivateKey::decapsulate(&**key, ciphertext).map_err(|error| match error {
        CryptoError::InputLength => Reason::WrappedKeyLength,
        other => Reason::Crypto(other),
    })?;
    shorten(&mut secret, wanted.bytes)?;
    Ok(secret)
}

fn public<'a>(env: &Env<'_>, key: &'a Object) -> Result<&'a Arc<dyn MlKemPublicKey>> {
    match key.key(env)? {
        Key::MlKemPublic(key) => Ok(key),
        _ => Err(Reason::KeyTypeInconsistent),
    }
}

/// Keeps the first bytes of the secret, where fewer are asked for.
fn shorten(secret: &mut SecretBytes, bytes: Option<usize>) -> Result<()> {
    match bytes {
        Some(bytes) if bytes > secret.len() => {
            Err(Reason::AttributeValue { kind: CKA_VALUE_LEN, problem: "longer than the shared secret" })
        }
        Some(bytes) => {
            secret.truncate(bytes);
            Ok(())
        }
        None => Ok(()),
    }
}
