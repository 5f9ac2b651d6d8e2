//! The encodings of public keys of stateful hash-based signatures.
//!
//! Owns: object identifiers, and that the key stands in its own encoding without a wrapper. Does not know: private keys, which leave in no
//! encoding at all. Rule source: RFC 9802 (HSS, XMSS and XMSS^MT in X.509).

use crate::error::{CryptoError, Result};
use crate::provider::preferred;
use crate::stateful::XmssSet;
use const_oid::ObjectIdentifier;

/// An algorithm of stateful hash-based signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashScheme {
    /// HSS, and LMS as its case of one level.
    Hss,
    /// XMSS.
    Xmss,
    /// XMSS^MT.
    XmssMt,
}

impl HashScheme {
    /// Every algorithm.
    pub const ALL: [HashScheme; 3] = [HashScheme::Hss, HashScheme::Xmss, HashScheme::XmssMt];

    /// Its object identifier.
    #[must_use]
    pub const fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            HashScheme::Hss => "1.2.840.113549.1.9.16.3.17",
            HashScheme::Xmss => "1.3.6.1.5.5.7.6.34",
            HashScheme::XmssMt => "1.3.6.1.5.5.7.6.35",
        })
    }

    /// The algorithm with an object identifier.
    #[must_use]
    pub fn by_oid(oid: ObjectIdentifier) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.oid() == oid)
    }
}

/// The public key, which the engine reads.
pub(super) fn public_of(scheme: HashScheme, key: &[u8]) -> Result<&[u8]> {
    let engine = &preferred().stateful;
    let number = || key.first_chunk().map(|number| u32::from_be_bytes(*number));
    let xmss = |set: Option<XmssSet>| {
        let set = set.ok_or(CryptoError::InvalidKey("an XMSS public key of no known set"))?;
        (engine.xmss_public)(set, key)
    };
    match scheme {
        HashScheme::Hss => (engine.hss_public)(key),
        HashScheme::Xmss => xmss(number().and_then(XmssSet::xmss)),
        HashScheme::XmssMt => xmss(number().and_then(XmssSet::xmss_mt)),
    }
    .map(|_| key)
}

#[cfg(test)]
mod tests {
    use super::super::{PublicForm, decode_spki, encode_spki};
    use super::*;

    #[test]
    fn what_is_encoded_is_read_and_what_is_no_key_is_not() {
        let hss = (preferred().stateful.hss_private)(&[(5, 4)], &[1; 32]).unwrap().public_key().unwrap();
        let set = XmssSet::xmss_mt(0x22).unwrap();
        let xmss = (preferred().stateful.xmss_private)(set, &[1; 72]).unwrap().public_key().unwrap();
        for (scheme, key) in [(HashScheme::Hss, hss), (HashScheme::XmssMt, xmss.clone())] {
            let form = PublicForm::HashBased { scheme, key: key.clone() };
            let info = encode_spki(&form).unwrap();
            assert_eq!(decode_spki(&info).unwrap(), form);
            assert!(encode_spki(&PublicForm::HashBased { scheme, key: key[1..].to_vec() }).is_err());
        }
        // The number of an XMSS^MT set that XMSS has not.
        assert!(encode_spki(&PublicForm::HashBased { scheme: HashScheme::Xmss, key: xmss }).is_err());
    }
}
