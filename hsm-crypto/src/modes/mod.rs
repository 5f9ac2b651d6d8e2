//! Framing that both engines share: what has to be held back, counted and padded around a block cipher.
//!
//! Owns: cutting a stream into blocks, PKCS#7 padding, ciphertext stealing, the range of a counter, the order of events in GCM
//! and CCM. Does not know: AES or any other cipher. An engine supplies the transformation of whole blocks through a small trait; so the two
//! engines cannot differ in lengths, refusals and errors.

pub(crate) mod block;
pub(crate) mod ccm;
pub(crate) mod chain;
pub(crate) mod cmac;
pub(crate) mod counter;
pub(crate) mod feedback;
pub(crate) mod galois;
pub(crate) mod held;
pub(crate) mod stealing;
pub(crate) mod stream;
pub(crate) mod unit;
