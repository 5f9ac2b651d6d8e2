//! Known answers of the stateful signatures: a key of each, of small trees, signs and verifies.
//!
//! Owns: what is asked of each. Called from [`super::run`]. The keys sign nothing else, so that their indices may be used each time.

use super::known;
use super::post_quantum::sha256;
use crate::error::Result;
use crate::provider::Provider;
use crate::stateful::{HSS_SEED_BYTES, StatefulPrivateKey, StatefulPublicKey, XmssSet};
use std::sync::Arc;

/// Whether a key's signature is the known one, and verifies for its message and no other.
fn signs(
    engine: &Provider,
    private: &Arc<dyn StatefulPrivateKey>,
    public: &Arc<dyn StatefulPublicKey>,
    answer: [u8; 32],
) -> Result<bool> {
    let signature = private.sign(3, b"abc")?;
    let right = sha256(engine, &signature) == answer;
    Ok(right && public.verify(b"abc", &signature).is_ok() && public.verify(b"abd", &signature).is_err())
}

pub(super) fn hss(engine: &Provider) -> Result<bool> {
    for (types, answer) in [
        ((5, 3), known::HSS_SHA256_M32_H5_W4_SHA256),
        ((10, 7), known::HSS_SHA256_M24_H5_W4_SHA256),
        ((20, 15), known::HSS_SHAKE_M24_H5_W4_SHA256),
    ] {
        let private = (engine.stateful.hss_private)(&[types], &[0x5A; HSS_SEED_BYTES])?;
        let public = (engine.stateful.hss_public)(&private.public_key()?)?;
        if !signs(engine, &private, &public, answer)? {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) fn xmss(engine: &Provider) -> Result<bool> {
    // XMSSMT-SHA2_20/4_192.
    let Some(set) = XmssSet::xmss_mt(0x22) else { return Ok(false) };
    let private = (engine.stateful.xmss_private)(set, &[0x5A; 72])?;
    let public = (engine.stateful.xmss_public)(set, &private.public_key()?)?;
    signs(engine, &private, &public, known::XMSSMT_SHA2_20_4_192_SHA256)
}
