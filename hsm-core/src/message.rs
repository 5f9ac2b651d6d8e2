//! The parameter of one message of a run of messages with one key, as values, and what a message gives back.
//!
//! Owns: the three structures of the standard in one form. Does not know: pointers, which values make sense for which
//! mechanism. Made at the edge, read by `operation` and `mechanisms`.
//! Rule source: PKCS#11 v3.1, 6.13 (CK_GCM_MESSAGE_PARAMS, CK_CCM_MESSAGE_PARAMS) and 6.61
//! (CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS).

use crate::types::Reply;

/// Which structure a mechanism's messages have; a column of the mechanism table, read by the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageShape {
    /// `CK_GCM_MESSAGE_PARAMS`.
    Gcm,
    /// `CK_CCM_MESSAGE_PARAMS`.
    Ccm,
    /// `CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS`.
    Poly1305,
}

/// The parameter of one message. Constants are as the caller gave them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageParams {
    /// `pIv` or `pNonce`: the IV, or its fixed part and the room for the rest.
    pub iv: Vec<u8>,
    /// `ulIvFixedBits` or `ulNonceFixedBits`.
    pub fixed_bits: u64,
    /// `ivGenerator` or `nonceGenerator`, a `CKG_*`.
    pub generator: u64,
    /// `ulTagBits`, or `ulMACLen` in bits.
    pub tag_bits: u64,
    /// `ulDataLen` of CCM.
    pub data_bytes: Option<u64>,
}

/// What a message, or a part of one, gives back.
#[derive(Debug, PartialEq, Eq)]
pub struct MessageReply {
    /// Ciphertext or plaintext, or the size asked for.
    pub reply: Reply,
    /// The IV, where it was generated.
    pub iv: Option<Vec<u8>>,
    /// The tag, where the message has ended.
    pub tag: Option<Vec<u8>>,
}

impl From<Reply> for MessageReply {
    fn from(reply: Reply) -> Self {
        Self { reply, iv: None, tag: None }
    }
}
