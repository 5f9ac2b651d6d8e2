//! Objects that are neither keys nor certificates, checked and completed: domain parameters, trust.
//!
//! Owns: what the numbers of domain parameters have to do with each other, and when trust needs a hash. Does not know:
//! templates, who may give what. Called from `build`, and for changes through `build::check_together`.
//! Rule source: PKCS#11 3.2, 4.7 (trust objects, footnote 2) and 4.12 (domain parameter objects).
//!
//! The token computes nothing with domain parameters: a template for a pair is made from them by the application. So they are
//! looked at for slips, and not proved: whether a prime is one is not asked.

use super::values::bit_length;
use crate::object::{Attributes, Value};
use crate::reason::{Reason, Result};
use ffi_headers::*;

/// Completes domain parameters by the lengths of their numbers.
///
/// # Errors
/// `AttributeValue` for a base or subprime that is not below the prime, and for an even prime.
pub(super) fn complete_domain(attributes: &mut Attributes, has_subprime_bits: bool) -> Result<()> {
    let bytes = |kind| match attributes.get(kind) {
        Some(Value::Bytes(bytes)) => Some(bytes.expose()),
        _ => None,
    };
    let prime = bytes(CKA_PRIME).ok_or(Reason::TemplateIncomplete(CKA_PRIME))?;
    if prime.last().is_none_or(|last| last % 2 == 0) {
        return Err(Reason::AttributeValue { kind: CKA_PRIME, problem: "an even number is no prime of a group" });
    }
    for kind in [CKA_BASE, CKA_SUBPRIME] {
        if bytes(kind).is_some_and(|number| !is_below(number, prime)) {
            return Err(Reason::AttributeValue { kind, problem: "not below the prime" });
        }
    }
    let prime_bits = bit_length(prime) as u64;
    let subprime_bits = bytes(CKA_SUBPRIME).map(|number| bit_length(number) as u64);
    attributes.insert(CKA_PRIME_BITS, Value::Number(prime_bits));
    if let Some(bits) = subprime_bits.filter(|_| has_subprime_bits) {
        attributes.insert(CKA_SUBPRIME_BITS, Value::Number(bits));
    }
    Ok(())
}

/// Refuses trust in a certificate that is named by issuer and serial number alone: another one may have both.
///
/// # Errors
/// `TemplateIncomplete`.
pub(super) fn check_trust(attributes: &Attributes) -> Result<()> {
    let harmless = [CKT_TRUST_UNKNOWN, CKT_NOT_TRUSTED].map(|trust| Value::Number(trust.into()));
    let trusts = PURPOSES.iter().any(|kind| attributes.get(*kind).is_some_and(|trust| !harmless.contains(trust)));
    let hashed = matches!(attributes.get(CKA_HASH_OF_CERTIFICATE), Some(Value::Bytes(hash)) if !hash.is_empty());
    if trusts && !hashed { Err(Reason::TemplateIncomplete(CKA_HASH_OF_CERTIFICATE)) } else { Ok(()) }
}

/// Whether one number without leading zeros is below another.
fn is_below(number: &[u8], bound: &[u8]) -> bool {
    (number.len(), number) < (bound.len(), bound)
}

/// What a certificate can be trusted for.
const PURPOSES: [u64; 7] = [
    CKA_TRUST_SERVER_AUTH,
    CKA_TRUST_CLIENT_AUTH,
    CKA_TRUST_CODE_SIGNING,
    CKA_TRUST_EMAIL_PROTECTION,
    CKA_TRUST_IPSEC_IKE,
    CKA_TRUST_TIME_STAMPING,
    CKA_TRUST_OCSP_SIGNING,
];
