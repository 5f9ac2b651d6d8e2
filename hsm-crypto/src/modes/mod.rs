//! Framing that both engines share: what has to be held back, counted and padded around a block cipher.
//!
//! Owns: cutting a stream into blocks, PKCS#7 padding, the range of a counter, the order of events in GCM.
//! Does not know: AES. An engine supplies the transformation of whole blocks through a small trait; so the two
//! engines cannot differ in lengths, refusals and errors.

pub(crate) mod block;
#[cfg(feature = "aws-lc")]
pub(crate) mod cmac;
pub(crate) mod counter;
pub(crate) mod galois;
