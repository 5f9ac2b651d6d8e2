//! The names of curves and the forms of points, as clients give them and as objects keep them.
//!
//! Owns: CKA_EC_PARAMS as object identifier or printable name, CKA_EC_POINT raw or wrapped. Does not
//! know: whether a point is on its curve (the engine does), templates, objects. Called from the
//! completion of keys and from the mechanisms that make or use EC keys.
//! Rule source: PKCS#11 v3.1, 6.3.3 (ecParameters), SEC 1 2.3.3, RFC 8410 (Ed25519, Ed448, X25519, X448).
//!
//! What objects keep: for Weierstrass curves always the DER object identifier and the DER OCTET STRING
//! of the uncompressed point. For the curves of RFC 8410 the parameters stay in the form the client chose
//! where that is a printable name (pkcs11-tool looks for "edwards25519"), else the object identifier of
//! RFC 8410 (GnuTLS and pkcs11-provider look for it), and the point is an OCTET STRING of the
//! 32, 57 or 56 bytes.

use crate::reason::{Reason, Result};
use der::{Decode, asn1::ObjectIdentifier};
use ffi_headers::vendor::CKK_BIP32;
use ffi_headers::{CKA_EC_PARAMS, CKA_EC_POINT, CKK_EC, CKK_EC_EDWARDS, CKK_EC_MONTGOMERY};
use hsm_crypto::ec::Curve;

/// A curve of any of the three key types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CurveName {
    /// A curve of CKK_EC.
    Weierstrass(Curve),
    /// A curve of CKK_EC_EDWARDS.
    Ed25519,
    /// A curve of CKK_EC_MONTGOMERY.
    X25519,
    /// A curve of CKK_EC_EDWARDS.
    Ed448,
    /// A curve of CKK_EC_MONTGOMERY.
    X448,
}

/// What is known of a curve: its identifiers (the first is the one that is written) and its printable names.
struct CurveRow {
    curve: CurveName,
    key_type: u64,
    oid_der: &'static [u8],
    /// Other bytes that are taken for this curve, and never stored.
    other_oids: &'static [&'static [u8]],
    names: &'static [&'static str],
}

impl CurveName {
    /// Every curve of the token.
    pub const ALL: [CurveName; 19] = [
        CurveName::Weierstrass(Curve::P224),
        CurveName::Weierstrass(Curve::P256),
        CurveName::Weierstrass(Curve::P384),
        CurveName::Weierstrass(Curve::P521),
        CurveName::Weierstrass(Curve::K256),
        CurveName::Weierstrass(Curve::BrainpoolP224r1),
        CurveName::Weierstrass(Curve::BrainpoolP224t1),
        CurveName::Weierstrass(Curve::BrainpoolP256r1),
        CurveName::Weierstrass(Curve::BrainpoolP256t1),
        CurveName::Weierstrass(Curve::BrainpoolP320r1),
        CurveName::Weierstrass(Curve::BrainpoolP320t1),
        CurveName::Weierstrass(Curve::BrainpoolP384r1),
        CurveName::Weierstrass(Curve::BrainpoolP384t1),
        CurveName::Weierstrass(Curve::BrainpoolP512r1),
        CurveName::Weierstrass(Curve::BrainpoolP512t1),
        CurveName::Ed25519,
        CurveName::X25519,
        CurveName::Ed448,
        CurveName::X448,
    ];

    /// Reads CKA_EC_PARAMS: a DER object identifier, or a curve name as PrintableString or UTF8String.
    ///
    /// # Errors
    /// `CurveUnknown` for explicit parameters and for curves the token has not; `AttributeValue` for bytes
    /// that are none of these.
    pub fn parse(params: &[u8]) -> Result<Self> {
        if let Some(row) = CURVES.iter().find(|row| row.oid_der == params || row.other_oids.contains(&params)) {
            return Ok(row.curve);
        }
        match params.first() {
            Some(&TAG_PRINTABLE | &TAG_UTF8) => {
                let name = der_content(params[0], params)
                    .ok_or(Reason::AttributeValue { kind: CKA_EC_PARAMS, problem: "a malformed curve name" })?;
                CURVES
                    .iter()
                    .find(|row| row.names.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name)))
                    .map(|row| row.curve)
                    .ok_or(Reason::CurveUnknown)
            }
            Some(&TAG_OID) if <ObjectIdentifier>::from_der(params).is_ok() => Err(Reason::CurveUnknown),
            // Explicit parameters, and the NULL that stands for parameters inherited from a CA: well known, not supported.
            Some(&(TAG_SEQUENCE | TAG_NULL)) if der_content(params[0], params).is_some() => Err(Reason::CurveUnknown),
            _ => Err(Reason::AttributeValue {
                kind: CKA_EC_PARAMS,
                problem: "neither an object identifier nor a curve name",
            }),
        }
    }

    /// Reads CKA_EC_PARAMS of a key whose type is known.
    ///
    /// # Errors
    /// As [`CurveName::parse`], and `AttributeValue` for a curve of another key type.
    pub fn parse_for(key_type: u64, params: &[u8]) -> Result<Self> {
        let curve = Self::parse(params)?;
        if curve.key_type() == key_type || (key_type == CKK_BIP32 && curve.has_trees()) {
            Ok(curve)
        } else {
            Err(Reason::AttributeValue { kind: CKA_EC_PARAMS, problem: "a curve of another key type" })
        }
    }

    /// Whether keys in trees (CKK_BIP32) can be on the curve (BIP-32, SLIP-10).
    fn has_trees(self) -> bool {
        matches!(self, CurveName::Weierstrass(Curve::K256 | Curve::P256) | CurveName::Ed25519)
    }

    /// The curve's object identifier in DER, for CKA_EC_PARAMS.
    #[must_use]
    pub fn oid_der(self) -> &'static [u8] {
        self.row().oid_der
    }

    /// CKA_EC_PARAMS as an object keeps it, from what the client gave (see the module's head).
    #[must_use]
    pub fn stored_params(self, given: &[u8]) -> Vec<u8> {
        match self {
            CurveName::Weierstrass(_) => self.oid_der().to_vec(),
            _ => match given.first() {
                Some(&(TAG_PRINTABLE | TAG_UTF8)) => given.to_vec(),
                _ => self.oid_der().to_vec(),
            },
        }
    }

    /// The `CKK_*` of keys on this curve.
    #[must_use]
    pub fn key_type(self) -> u64 {
        self.row().key_type
    }

    /// The point of CKA_EC_POINT without its wrapping: SEC1 for Weierstrass curves, else as long as the key.
    ///
    /// Takes the raw point, a DER OCTET STRING of it, and for the curves of RFC 8410 also a DER BIT STRING.
    /// Raw and wrapped forms never have the same length, so the first byte (0x04 in both) does not matter.
    ///
    /// # Errors
    /// `AttributeValue` for any other length or form. Whether the point is on the curve is not looked at.
    pub fn parse_point(self, given: &[u8]) -> Result<&[u8]> {
        if self.fits_raw(given) {
            return Ok(given);
        }
        let content = der_content(TAG_OCTETS, given).or_else(|| match self {
            CurveName::Weierstrass(_) => None,
            _ => der_content(TAG_BITS, given)?.strip_prefix(&[0]),
        });
        content
            .filter(|point| self.fits_raw(point))
            .ok_or(Reason::AttributeValue { kind: CKA_EC_POINT, problem: "not a point of the curve in any known form" })
    }

    /// Length of the secret in bytes; outside the Weierstrass curves the public key is as long.
    #[must_use]
    pub const fn key_bytes(self) -> usize {
        match self {
            CurveName::Weierstrass(curve) => curve.field_bytes(),
            CurveName::Ed25519 | CurveName::X25519 => 32,
            CurveName::Ed448 => 57,
            CurveName::X448 => 56,
        }
    }

    /// Size of a key on the curve in bits, as mechanisms count it.
    #[must_use]
    pub const fn bits(self) -> usize {
        match self {
            CurveName::Weierstrass(curve) => curve.bits(),
            CurveName::Ed25519 | CurveName::X25519 => 255,
            CurveName::Ed448 | CurveName::X448 => 448,
        }
    }

    fn fits_raw(self, point: &[u8]) -> bool {
        match self {
            CurveName::Weierstrass(curve) => match point.first() {
                Some(0x04) => point.len() == 1 + 2 * curve.field_bytes(),
                Some(0x02 | 0x03) => point.len() == 1 + curve.field_bytes(),
                _ => false,
            },
            _ => point.len() == self.key_bytes(),
        }
    }

    fn row(self) -> &'static CurveRow {
        // The rows stand in the order of the enumerations, which a test makes sure of.
        &CURVES[match self {
            CurveName::Weierstrass(curve) => curve as usize,
            CurveName::Ed25519 => Curve::ALL.len(),
            CurveName::X25519 => Curve::ALL.len() + 1,
            CurveName::Ed448 => Curve::ALL.len() + 2,
            CurveName::X448 => Curve::ALL.len() + 3,
        }]
    }
}

/// Wraps a point in a DER OCTET STRING, the form of CKA_EC_POINT.
#[must_use]
pub fn octet_string(point: &[u8]) -> Vec<u8> {
    let length = point.len();
    let mut out = Vec::with_capacity(length + 4);
    out.push(TAG_OCTETS);
    match length.to_be_bytes() {
        [.., low] if length < 0x80 => out.push(low),
        [.., low] if length < 0x100 => out.extend([0x81, low]),
        [.., high, low] => out.extend([0x82, high, low]),
    }
    out.extend_from_slice(point);
    out
}

/// The content of a DER OCTET STRING that fills `bytes` exactly.
#[must_use]
pub fn octet_string_content(bytes: &[u8]) -> Option<&[u8]> {
    der_content(TAG_OCTETS, bytes)
}

/// The content of one DER value with this tag that fills `bytes` exactly; lengths up to 65535.
fn der_content(tag: u8, bytes: &[u8]) -> Option<&[u8]> {
    let (length, content) = match bytes {
        [first, low, content @ ..] if *first == tag && *low < 0x80 => (usize::from(*low), content),
        [first, 0x81, low, content @ ..] if *first == tag && *low >= 0x80 => (usize::from(*low), content),
        [first, 0x82, high, low, content @ ..] if *first == tag && *high != 0 => {
            (usize::from(u16::from_be_bytes([*high, *low])), content)
        }
        _ => return None,
    };
    (content.len() == length).then_some(content)
}

const TAG_BITS: u8 = 0x03;
const TAG_OCTETS: u8 = 0x04;
const TAG_NULL: u8 = 0x05;
const TAG_OID: u8 = 0x06;
const TAG_UTF8: u8 = 0x0c;
const TAG_PRINTABLE: u8 = 0x13;
const TAG_SEQUENCE: u8 = 0x30;

/// The row of a Brainpool curve: 1.3.36.3.3.2.8.1.1 and its number (RFC 5639, 3).
macro_rules! brainpool {
    ($curve:ident, $number:literal, $name:literal) => {
        CurveRow {
            curve: CurveName::Weierstrass(Curve::$curve),
            key_type: CKK_EC,
            oid_der: &[0x06, 0x09, 0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, $number],
            other_oids: &[],
            names: &[$name],
        }
    };
}

const CURVES: [CurveRow; CurveName::ALL.len()] = [
    CurveRow {
        curve: CurveName::Weierstrass(Curve::P224),
        key_type: CKK_EC,
        // 1.3.132.0.33
        oid_der: &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x21],
        other_oids: &[],
        names: &["secp224r1", "P-224", "nistp224"],
    },
    CurveRow {
        curve: CurveName::Weierstrass(Curve::P256),
        key_type: CKK_EC,
        // 1.2.840.10045.3.1.7
        oid_der: &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
        other_oids: &[],
        names: &["secp256r1", "prime256v1", "P-256", "nistp256"],
    },
    CurveRow {
        curve: CurveName::Weierstrass(Curve::P384),
        key_type: CKK_EC,
        // 1.3.132.0.34
        oid_der: &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22],
        other_oids: &[],
        names: &["secp384r1", "P-384", "nistp384"],
    },
    CurveRow {
        curve: CurveName::Weierstrass(Curve::P521),
        key_type: CKK_EC,
        // 1.3.132.0.35
        oid_der: &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23],
        other_oids: &[],
        names: &["secp521r1", "P-521", "nistp521"],
    },
    CurveRow {
        curve: CurveName::Weierstrass(Curve::K256),
        key_type: CKK_EC,
        // 1.3.132.0.10
        oid_der: &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a],
        other_oids: &[],
        names: &["secp256k1"],
    },
    brainpool!(BrainpoolP224r1, 5, "brainpoolP224r1"),
    brainpool!(BrainpoolP224t1, 6, "brainpoolP224t1"),
    brainpool!(BrainpoolP256r1, 7, "brainpoolP256r1"),
    brainpool!(BrainpoolP256t1, 8, "brainpoolP256t1"),
    brainpool!(BrainpoolP320r1, 9, "brainpoolP320r1"),
    brainpool!(BrainpoolP320t1, 10, "brainpoolP320t1"),
    brainpool!(BrainpoolP384r1, 11, "brainpoolP384r1"),
    brainpool!(BrainpoolP384t1, 12, "brainpoolP384t1"),
    brainpool!(BrainpoolP512r1, 13, "brainpoolP512r1"),
    brainpool!(BrainpoolP512t1, 14, "brainpoolP512t1"),
    CurveRow {
        curve: CurveName::Ed25519,
        key_type: CKK_EC_EDWARDS,
        // 1.3.101.112
        oid_der: &[0x06, 0x03, 0x2b, 0x65, 0x70],
        // 1.3.6.1.4.1.11591.15.1, GNU's identifier that OpenSC knows.
        other_oids: &[&[0x06, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01]],
        names: &["edwards25519", "Ed25519"],
    },
    CurveRow {
        curve: CurveName::X25519,
        key_type: CKK_EC_MONTGOMERY,
        // 1.3.101.110
        oid_der: &[0x06, 0x03, 0x2b, 0x65, 0x6e],
        // 1.3.6.1.4.1.3029.1.5.1, the older identifier that OpenSC and GnuPG know; and the name as pkcs11-tool 0.23
        // sends it, with a length that is one too large. No other name can be meant.
        other_oids: &[&[0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x97, 0x55, 0x01, 0x05, 0x01], b"\x13\x0bcurve25519"],
        names: &["curve25519", "X25519"],
    },
    CurveRow {
        curve: CurveName::Ed448,
        key_type: CKK_EC_EDWARDS,
        // 1.3.101.113
        oid_der: &[0x06, 0x03, 0x2b, 0x65, 0x71],
        other_oids: &[],
        names: &["edwards448", "Ed448"],
    },
    CurveRow {
        curve: CurveName::X448,
        key_type: CKK_EC_MONTGOMERY,
        // 1.3.101.111
        oid_der: &[0x06, 0x03, 0x2b, 0x65, 0x6f],
        other_oids: &[],
        names: &["curve448", "X448"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A DER value with a short length.
    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
    }

    #[test]
    fn every_curve_is_known_by_identifier_and_by_each_of_its_names() {
        for curve in CurveName::ALL {
            assert_eq!(curve.row().curve, curve, "the row of a curve is its own");
            assert_eq!(CurveName::parse(curve.oid_der()).unwrap(), curve);
            for oid in curve.row().other_oids {
                assert_eq!(CurveName::parse(oid).unwrap(), curve);
            }
            for name in curve.row().names {
                for tag in [TAG_PRINTABLE, TAG_UTF8] {
                    assert_eq!(CurveName::parse(&tlv(tag, name.as_bytes())).unwrap(), curve, "{name}");
                }
            }
        }
    }

    #[test]
    fn explicit_parameters_and_unknown_curves_are_answered_as_not_supported() {
        let cases: &[&[u8]] = &[
            &[0x30, 0x03, 0x02, 0x01, 0x01],
            &[0x05, 0x00],
            &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x01], // secp192r1
            b"\x13\x0fbrainpoolP192r1",
            b"\x13\x09sect571r1",
        ];
        for params in cases {
            assert!(matches!(CurveName::parse(params), Err(Reason::CurveUnknown)), "{params:02x?}");
        }
    }

    #[test]
    fn garbage_for_parameters_is_an_invalid_value() {
        let cases: &[&[u8]] = &[b"", b"P-256", &[0x06], &[0x06, 0x05, 0x2b], &[0x13, 0x05, b'P'], &[0x30, 0x09, 0x00]];
        for params in cases {
            assert!(
                matches!(CurveName::parse(params), Err(Reason::AttributeValue { kind: CKA_EC_PARAMS, .. })),
                "{params:02x?}"
            );
        }
    }

    #[test]
    fn a_curve_of_another_key_type_is_refused() {
        for curve in CurveName::ALL {
            for key_type in [CKK_EC, CKK_EC_EDWARDS, CKK_EC_MONTGOMERY] {
                assert_eq!(CurveName::parse_for(key_type, curve.oid_der()).is_ok(), key_type == curve.key_type());
            }
        }
    }

    #[test]
    fn printable_names_stay_for_the_25519_curves_only() {
        let p256 = CurveName::Weierstrass(Curve::P256);
        assert_eq!(p256.stored_params(b"\x13\x05P-256"), p256.oid_der());
        assert_eq!(CurveName::Ed25519.stored_params(b"\x13\x0cedwards25519"), b"\x13\x0cedwards25519");
        assert_eq!(CurveName::Ed25519.stored_params(CurveName::Ed25519.oid_der()), CurveName::Ed25519.oid_der());
        assert_eq!(CurveName::X25519.stored_params(CurveName::X25519.row().other_oids[0]), CurveName::X25519.oid_der());
    }

    #[test]
    fn points_are_read_raw_and_wrapped() {
        for curve in Curve::ALL {
            let name = CurveName::Weierstrass(curve);
            // 0x04 followed by what looks like a DER length must still be read as a raw point.
            let mut raw = vec![0x04; 1 + 2 * curve.field_bytes()];
            raw[1] = u8::try_from(2 * curve.field_bytes() - 1).unwrap();
            let compressed = vec![0x02; 1 + curve.field_bytes()];
            for point in [raw, compressed] {
                assert_eq!(name.parse_point(&point).unwrap(), point);
                assert_eq!(name.parse_point(&octet_string(&point)).unwrap(), point);
            }
        }
        for name in [CurveName::Ed25519, CurveName::X25519, CurveName::Ed448, CurveName::X448] {
            let raw = vec![0x5a; name.key_bytes()];
            assert_eq!(name.parse_point(&raw).unwrap(), raw);
            assert_eq!(name.parse_point(&octet_string(&raw)).unwrap(), raw);
            assert_eq!(name.parse_point(&tlv(TAG_BITS, &[&[0], &raw[..]].concat())).unwrap(), raw);
        }
    }

    #[test]
    fn points_of_wrong_length_or_form_are_refused() {
        let p256 = CurveName::Weierstrass(Curve::P256);
        let cases: &[(CurveName, Vec<u8>)] = &[
            (p256, vec![]),
            (p256, vec![0x00]),
            (p256, vec![0x04; 64]),
            (p256, vec![0x04; 66]),
            (p256, [&[0x06], &[1; 64][..]].concat()),
            (p256, octet_string(&[0x04; 64])),
            (p256, [octet_string(&[0x04; 65]), vec![0]].concat()),
            (CurveName::Ed25519, vec![1; 31]),
            (CurveName::Ed25519, octet_string(&[1; 33])),
            (CurveName::X25519, tlv(TAG_BITS, &[&[1], &[7; 32][..]].concat())),
        ];
        for (curve, given) in cases {
            assert!(
                matches!(curve.parse_point(given), Err(Reason::AttributeValue { kind: CKA_EC_POINT, .. })),
                "{given:02x?}"
            );
        }
    }

    #[test]
    fn octet_strings_round_trip_at_every_length_form() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x1ff] {
            let point = vec![9; length];
            assert_eq!(octet_string_content(&octet_string(&point)), Some(&point[..]));
        }
    }
}
