//! Arrays of `CK_ATTRIBUTE` as templates.
//!
//! Owns: counts, lengths and depth; null pointers; which attributes are templates themselves. Does not know:
//! which attributes exist or what their values mean: those are judged by the attribute table in the core.
//! Rule source: PKCS#11 v2.40, 4.1 (attributes) and 5.7; `limits` against hostile counts and nesting.

use ffi_headers::*;
use hsm_core::template::{Entry, Given, Template};
use hsm_core::{Reason, Result, SecretBytes, limits, memory};

use crate::memory::Raw;

/// Decodes a template; null with count 0 is an empty one.
///
/// # Errors
/// `ArgumentsBad` for null with a count or a length, for too many attributes and too deep nesting;
/// `AttributeValue` for a value that is too long.
pub fn decode(attributes: Raw<'_, CK_ATTRIBUTE>, count: CK_ULONG) -> Result<Template> {
    let mut entries_left = limits::TEMPLATE_ENTRIES_MAX;
    decode_level(attributes, count, limits::TEMPLATE_DEPTH_MAX, &mut entries_left)
}

/// Whether the value of an attribute is a template.
pub fn is_template(kind: CK_ATTRIBUTE_TYPE) -> bool {
    // CKF_ARRAY_ATTRIBUTE alone does not tell: CKA_ALLOWED_MECHANISMS has it and is a list of numbers.
    matches!(
        kind,
        CKA_WRAP_TEMPLATE
            | CKA_UNWRAP_TEMPLATE
            | CKA_DERIVE_TEMPLATE
            | CKA_ENCAPSULATE_TEMPLATE
            | CKA_DECAPSULATE_TEMPLATE
    )
}

fn decode_level(
    attributes: Raw<'_, CK_ATTRIBUTE>,
    count: CK_ULONG,
    levels_left: usize,
    entries_left: &mut usize,
) -> Result<Template> {
    let Some(levels_left) = levels_left.checked_sub(1) else {
        return Err(Reason::ArgumentsBad("templates are nested too deeply"));
    };
    let array =
        attributes.array(count, *entries_left, "the template is null with a count, or has too many attributes")?;
    *entries_left -= array.count();
    let mut template = Template { entries: Vec::with_capacity(array.count()) };
    for place in array.places() {
        // A thousand values of a MiB each are more than the reserve.
        memory::enough()?;
        let attribute = place.read("the template is null")?;
        let value = if is_template(attribute.type_) {
            let (nested, count) = place.nested(&attribute).ok_or(Reason::AttributeValue {
                kind: attribute.type_,
                problem: "the length is not that of a number of CK_ATTRIBUTE",
            })?;
            Given::Template(decode_level(nested, count, levels_left, entries_left)?)
        } else {
            Given::Bytes(decode_value(place, &attribute)?)
        };
        template.entries.push(Entry { kind: attribute.type_, value });
    }
    Ok(template)
}

fn decode_value(place: Raw<'_, CK_ATTRIBUTE>, attribute: &CK_ATTRIBUTE) -> Result<SecretBytes> {
    let value = place.value(attribute);
    let longest = limits::ATTRIBUTE_BYTES_MAX;
    if !value.is_null() && usize::try_from(attribute.ulValueLen).unwrap_or(usize::MAX) > longest {
        return Err(Reason::AttributeValue { kind: attribute.type_, problem: "the value is too long" });
    }
    let bytes = value.input(attribute.ulValueLen).bytes(longest, "pValue of an attribute is null with a length")?;
    Ok(SecretBytes::try_copy_of(bytes)?)
}

#[cfg(test)]
#[path = "tests/template.rs"]
mod tests;
