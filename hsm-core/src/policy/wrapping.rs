//! The key policy: which key may leave under which, and what a key is when it comes in wrapped.
//!
//! Owns: the rules that the standard lacks, and without which whoever may call C_WrapKey and C_UnwrapKey reads any extractable key in
//! clear (Clulow 2003, Bortolozzo and others 2010). Does not know: mechanisms but one, the rules of the standard itself (`keys`).
//!
//! All follows from one idea. A sensitive key leaves only under a key that nobody outside can know: one that was generated in the
//! token, or that the SO marked trusted; and not under one that decrypts as well, nor under the public key to such a one. What a
//! key has wrapped under these rules stays sensitive when it is unwrapped. A key does not change sides: neither decryption nor wrapping is
//! ever added to it, and what decrypts and wraps goes on decrypting. A pair on a curve wraps with a key that is agreed on, so derivation and
//! decapsulation are its decryption; an RSA key decapsulates by the rules of unwrapping. CKM_RSA_AES_KEY_WRAP puts an AES key in between,
//! which the private key unwraps with OAEP as well, as a key that decrypts: what is sensitive leaves that way only under a key that the SO
//! marked trusted, so that of a trusted pair no private key should unwrap here. Of the usages that a template leaves open, one of
//! wrapping is not added to one of encryption, nor the other way round. A key that came in, by creation, unwrapping or derivation, may
//! have a value that somebody knows; it unwraps and wraps what is not sensitive, as before.

use super::Policy;
use crate::attributes::bit_length;
use crate::attributes::curves::CurveName;
use crate::object::{Attributes, Object, Value};
use crate::reason::{Reason, Result};
use crate::template::{Entry, Given, Template};
use ffi_headers::*;

/// Keys of this strength in bits are strong enough for any other (SP 800-131A: what is acceptable today).
const STRENGTH_ENOUGH: usize = 112;

impl Policy {
    /// Judges whether a key may leave under another one by this mechanism, beyond what their attributes say for themselves.
    ///
    /// # Errors
    /// `KeyNotWrappable`, `WrappingKeySize`.
    pub fn judge_wrapping(self, mechanism: u64, wrapping: &Object, key: &Object) -> Result<()> {
        if self.compatible || !key.flag(CKA_SENSITIVE) {
            return Ok(());
        }
        if wrapping.flag(CKA_DECRYPT) {
            return Err(Reason::KeyNotWrappable("it is sensitive, and the wrapping key decrypts as well"));
        }
        if !unknown_outside(wrapping) {
            return Err(Reason::KeyNotWrappable(
                "it is sensitive, and the wrapping key is neither generated here nor trusted",
            ));
        }
        if mechanism == CKM_RSA_AES_KEY_WRAP && !wrapping.flag(CKA_TRUSTED) {
            return Err(Reason::KeyNotWrappable(
                "it is sensitive, and the AES key in between could be unwrapped to decrypt: the wrapping key is not trusted",
            ));
        }
        if strength(wrapping)? < strength(key)?.min(STRENGTH_ENOUGH) {
            return Err(Reason::WrappingKeySize);
        }
        Ok(())
    }

    /// Whether a usage that the caller leaves open defaults to what the key type can do: a key that is said to wrap or
    /// unwrap is no key for data, and a secret key for data does not wrap. `given` tells what the caller said to be true.
    #[must_use]
    pub fn defaults_to(self, class: u64, usage: u64, given: impl Fn(u64) -> bool) -> bool {
        if self.compatible || !matches!(class, CKO_SECRET_KEY | CKO_PRIVATE_KEY) {
            return true;
        }
        match usage {
            CKA_UNWRAP if class == CKO_PRIVATE_KEY => true,
            CKA_ENCRYPT | CKA_DECRYPT => !given(CKA_WRAP) && !given(CKA_UNWRAP),
            CKA_WRAP | CKA_UNWRAP => !given(CKA_ENCRYPT) && !given(CKA_DECRYPT),
            _ => true,
        }
    }

    /// The caller's template for the public key of a pair, of which the private key is made.
    ///
    /// # Errors
    /// `TemplateInconsistent` when the two contradict each other.
    pub fn public_template(self, template: &Template, private: &Object) -> Result<Template> {
        let asked = template.flag(CKA_WRAP);
        let reads = match private.key_type() {
            Some(CKK_RSA) => asked != Some(false) && private.flag(CKA_DECRYPT),
            // On a curve the key under which a wrapped one leaves is agreed on, and so it is in these functions.
            Some(CKK_EC | CKK_EC_MONTGOMERY) => {
                asked == Some(true) && (private.flag(CKA_DERIVE) || private.flag(CKA_DECAPSULATE))
            }
            _ => false,
        };
        if !self.compatible && reads { wrapping_in_the_open(template) } else { Ok(template.clone()) }
    }

    /// Judges how the usages of a key, or of its copy, change.
    ///
    /// # Errors
    /// `AttributeReadOnly`.
    pub fn judge_usages(self, before: &Object, after: &Attributes) -> Result<()> {
        if self.compatible || before.key_type().is_none() {
            return Ok(());
        }
        let will = |kind| after.get(kind) == Some(&Value::Flag(true));
        if let Some(kind) = [CKA_DECRYPT, CKA_WRAP].into_iter().find(|kind| !before.flag(*kind) && will(*kind)) {
            return Err(Reason::AttributeReadOnly {
                kind,
                rule: "a key for data and one for wrapping stay what they are",
            });
        }
        let on_a_curve = matches!(before.key_type(), Some(CKK_EC | CKK_EC_MONTGOMERY));
        if let Some(kind) = [CKA_DERIVE, CKA_DECAPSULATE].into_iter().find(|kind| !before.flag(*kind) && will(*kind))
            && on_a_curve
            && before.class() == CKO_PRIVATE_KEY
        {
            return Err(Reason::AttributeReadOnly {
                kind,
                rule: "a key on a curve that agrees and one that unwraps stay what they are",
            });
        }
        if before.flag(CKA_DECRYPT) && before.flag(CKA_WRAP) && !will(CKA_DECRYPT) {
            let rule = "what decrypts and wraps goes on decrypting, so that it never wraps what is sensitive";
            return Err(Reason::AttributeReadOnly { kind: CKA_DECRYPT, rule });
        }
        Ok(())
    }

    /// Judges what a key shall be that comes in wrapped.
    ///
    /// # Errors
    /// `TemplateInconsistent` when it would lose what its like had when it left.
    pub fn judge_unwrapping(self, unwrapping: &Object, template: &Template) -> Result<()> {
        // What decrypts has wrapped nothing sensitive, nor has the public key to it.
        if self.compatible || !unknown_outside(unwrapping) || unwrapping.flag(CKA_DECRYPT) {
            return Ok(());
        }
        let says_no = |kind| {
            let given = template.entries.iter().filter(|entry| entry.kind == kind);
            given
                .map(|entry| &entry.value)
                .any(|value| matches!(value, Given::Bytes(bytes) if bytes.expose() == [CK_FALSE]))
        };
        if says_no(CKA_SENSITIVE) {
            let problem = "what the unwrapping key has wrapped may be sensitive, and stays so";
            return Err(Reason::TemplateInconsistent { kind: CKA_SENSITIVE, problem });
        }
        if unwrapping.flag(CKA_TRUSTED) && says_no(CKA_WRAP_WITH_TRUSTED) {
            let problem = "what a trusted key has wrapped leaves only under a trusted key";
            return Err(Reason::TemplateInconsistent { kind: CKA_WRAP_WITH_TRUSTED, problem });
        }
        Ok(())
    }
}

/// The template of a public key with what keeps it from wrapping sensitive keys, where its private key decrypts or agrees.
///
/// # Errors
/// `TemplateInconsistent` when the caller asks for the contrary.
fn wrapping_in_the_open(template: &Template) -> Result<Template> {
    let open = Template::default().with_flag(CKA_SENSITIVE, false);
    let mut template = template.clone();
    match template.entries.iter_mut().find(|entry| entry.kind == CKA_WRAP_TEMPLATE) {
        None => template.entries.push(Entry { kind: CKA_WRAP_TEMPLATE, value: Given::Template(open) }),
        Some(Entry { value: Given::Template(given), .. }) => match given.flag(CKA_SENSITIVE) {
            None => given.entries.extend(open.entries),
            Some(false) => {}
            Some(true) => {
                let problem = "the private key decrypts or agrees, so the public one wraps nothing sensitive";
                return Err(Reason::TemplateInconsistent { kind: CKA_WRAP_TEMPLATE, problem });
            }
        },
        // No template at all: it is refused where attributes are judged.
        Some(Entry { value: Given::Bytes(_), .. }) => {}
    }
    Ok(template)
}

/// Whether nobody outside can know the value of a key, or of the private key to a public one.
fn unknown_outside(key: &Object) -> bool {
    key.flag(CKA_LOCAL) || key.flag(CKA_TRUSTED)
}

/// The strength of a key in bits (SP 800-57 part 1, tables 2 and 3); what is not in the tables counts by its length.
fn strength(key: &Object) -> Result<usize> {
    let bytes = |kind| key.bytes(kind).unwrap_or_default();
    Ok(match key.key_type() {
        Some(CKK_RSA) => match bit_length(bytes(CKA_MODULUS)) {
            15_360.. => 256,
            7_680.. => 192,
            3_072.. => 128,
            2_048.. => 112,
            1_024.. => 80,
            _ => 0,
        },
        Some(key_type @ (CKK_EC | CKK_EC_EDWARDS | CKK_EC_MONTGOMERY)) => {
            match CurveName::parse_for(key_type, bytes(CKA_EC_PARAMS))? {
                CurveName::Weierstrass(curve) => curve.bits() / 2,
                CurveName::Ed25519 | CurveName::X25519 => 128,
                CurveName::Ed448 | CurveName::X448 => 224,
            }
        }
        Some(CKK_DES3) => 112,
        Some(CKK_DES2) => 80,
        _ => 8 * bytes(CKA_VALUE).len(),
    })
}
