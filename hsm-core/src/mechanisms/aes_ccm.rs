//! CKM_AES_CCM.
//!
//! `ulDataLen` is the length of the plaintext in both directions, and a message of another length is refused. Encryption in parts
//! gives out each part at once; decryption gives out nothing before the tag is checked.
//! Rule source: PKCS#11 v3.0 and later, "AES-CCM"; NIST SP 800-38C, RFC 3610.

use super::aes_gcm::operation;
use super::aes_modes::AES;
use super::messages::{Message, Messages};
use super::parts::crypt_and_wrap;
use super::{Crypter, EVERYTHING, Row, Wraps, rules};
use crate::message::{MessageParams, MessageShape};
use crate::object::Object;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::types::{ParamShape, Params};
use ffi_headers::*;
use hsm_crypto::cipher::{Aead, AeadParams, CcmParams, Direction};
use hsm_crypto::secret::SecretBox;

pub(super) const ROWS: &[Row] = &[row!(crypt_and_wrap!(
    |env, params, key| start(env, params, Direction::Encrypt, key),
    |env, params, key| start(env, params, Direction::Decrypt, key),
    Wraps::SecretAndPrivateKeys,
    Row {
        kind: CKM_AES_CCM,
        name: "CKM_AES_CCM",
        shape: ParamShape::Ccm,
        judge: |params| parse(params).map(|_| ()),
        approved: EVERYTHING,
        vectors: "Wycheproof aes_ccm; NIST SP 800-38C, C.1 to C.3",
        messages: Some(Messages { shape: MessageShape::Ccm, judge: judge_message, start: start_message }),
        ..AES
    }
))];

fn start(env: &Env<'_>, params: &Params, direction: Direction, key: &Object) -> Result<Box<dyn Crypter>> {
    let params = AeadParams::Ccm(parse(params)?);
    let aead = rules::with_secret(env, key, |key| Ok((env.engine.aead)(&params, direction, key)?))?;
    Ok(operation(aead, direction))
}

/// A message's parameter as that of a whole encryption, without associated data.
fn whole(params: &MessageParams) -> Result<Params> {
    let data_bytes = params.data_bytes.ok_or(Reason::MechanismParam("CK_CCM_MESSAGE_PARAMS is needed"))?;
    Ok(Params::Ccm { data_bytes, nonce: params.iv.clone(), aad: Vec::new(), mac_bytes: params.tag_bits / 8 })
}

fn judge_message(params: &MessageParams) -> Result<()> {
    parse(&whole(params)?).map(|_| ())
}

fn start_message(
    env: &Env<'_>,
    message: &Message<'_>,
    direction: Direction,
    key: &Object,
) -> Result<SecretBox<dyn Aead>> {
    let message_bytes = message.data_bytes.ok_or(Reason::MechanismParam("CK_CCM_MESSAGE_PARAMS is needed"))?;
    let params = CcmParams { nonce: message.iv, aad: message.aad, tag_bytes: message.tag_bytes, message_bytes };
    rules::with_secret(env, key, |key| Ok((env.engine.aead)(&AeadParams::Ccm(params), direction, key)?))
}

fn parse(params: &Params) -> Result<CcmParams<'_>> {
    let Params::Ccm { data_bytes, nonce, aad, mac_bytes } = params else {
        return Err(Reason::MechanismParam("CK_CCM_PARAMS is needed"));
    };
    if !(7..=13).contains(&nonce.len()) {
        return Err(Reason::MechanismParam("ulNonceLen is not from 7 to 13"));
    }
    let tag_bytes = usize::try_from(*mac_bytes)
        .ok()
        .filter(|bytes| (4..=16).contains(bytes) && bytes % 2 == 0)
        .ok_or(Reason::MechanismParam("ulMACLen is not 4, 6, 8, 10, 12, 14 or 16"))?;
    // Nonce and length share 15 bytes (L of RFC 3610 is what the nonce leaves).
    let length_bits = 8 * (15 - nonce.len()) as u32;
    if data_bytes.checked_shr(length_bits).is_some_and(|above| above != 0) {
        return Err(Reason::MechanismParam("ulDataLen is too long for a nonce of ulNonceLen bytes"));
    }
    Ok(CcmParams { nonce, aad, tag_bytes, message_bytes: *data_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonce_length_and_tag_are_within_the_limits_of_ccm() {
        let given = |nonce: usize, data_bytes, mac_bytes| {
            parse(&Params::Ccm { data_bytes, nonce: vec![0; nonce], aad: vec![], mac_bytes }).is_ok()
        };
        for (nonce, most) in [(13, 0xFFFF), (12, 0xFF_FFFF), (11, 0xFFFF_FFFF), (8, (1 << 56) - 1)] {
            assert!(given(nonce, most, 16) && !given(nonce, most + 1, 16), "{nonce}");
        }
        assert!(given(7, u64::MAX, 4));
        for nonce in [0, 1, 6, 14, 15, 16] {
            assert!(!given(nonce, 0, 16), "{nonce}");
        }
        for mac in [0, 1, 2, 3, 5, 15, 17, 18, u64::MAX] {
            assert!(!given(13, 0, mac), "{mac}");
        }
    }
}
