//! C_GetAttributeValue: the answers, written into the caller's template.
//!
//! Owns: which answer goes where: every entry is answered, a refused or too small one is marked with
//! CK_UNAVAILABLE_INFORMATION and the others are filled in all the same. Never a byte beyond `ulValueLen`.
//! Does not know: which attribute an object has or reveals.
//! Rule source: PKCS#11 v2.40, 5.7 (C_GetAttributeValue, cases 1 to 5), and its last paragraphs for array attributes.

use core::mem::size_of;

use ffi_headers::*;
use hsm_core::template::{Given, Template};
use hsm_core::{Answer, Reason, Result, limits};

use crate::memory::Raw;

/// Asks for the attributes of a template and writes the answers.
///
/// # Errors
/// `ArgumentsBad`, those of `ask`, and for entries that could not be filled in, in this order:
/// `AttributeSensitive`, `AttributeUnknown`, `BufferTooSmall`.
pub fn answer(
    attributes: Raw<'_, CK_ATTRIBUTE>,
    count: CK_ULONG,
    ask: impl FnOnce(&[u64]) -> Result<Vec<Answer>>,
) -> Result<()> {
    let array = attributes.array(
        count,
        limits::TEMPLATE_ENTRIES_MAX,
        "the template is null with a count, or has too many attributes",
    )?;
    let kinds = array
        .places()
        .map(|place| place.read("the template is null").map(|attribute| attribute.type_))
        .collect::<Result<Vec<_>>>()?;
    let answers = ask(&kinds)?;
    if answers.len() != kinds.len() {
        return Err(Reason::Internal("an attribute was not answered"));
    }
    let mut refusals = Refusals::default();
    for ((place, kind), answer) in array.places().zip(kinds).zip(answers) {
        match answer {
            Answer::Bytes(value) => refusals.write_value(place, value.expose())?,
            Answer::Template(template) => refusals.write_template(place, &template)?,
            Answer::Sensitive => refusals.mark(place, Reason::AttributeSensitive(kind)),
            Answer::Invalid => refusals.mark(place, Reason::AttributeUnknown(kind)),
        }
    }
    refusals.outcome()
}

/// What could not be filled in.
#[derive(Default)]
struct Refusals {
    worst: Option<Reason>,
}

impl Refusals {
    /// Marks an entry as not available.
    fn mark(&mut self, place: Raw<'_, CK_ATTRIBUTE>, reason: Reason) {
        place.value_length().write(CK_UNAVAILABLE_INFORMATION);
        if self.worst.as_ref().is_none_or(|worst| rank(&reason) > rank(worst)) {
            self.worst = Some(reason);
        }
    }

    fn write_value(&mut self, place: Raw<'_, CK_ATTRIBUTE>, value: &[u8]) -> Result<()> {
        let attribute = place.read("the template is null")?;
        if place.value(&attribute).is_null() {
            place.value_length().write(value.len() as CK_ULONG);
        } else if attribute.ulValueLen < value.len() as CK_ULONG {
            self.mark(place, Reason::BufferTooSmall { need: value.len() });
        } else {
            place.value(&attribute).fill(value);
            place.value_length().write(value.len() as CK_ULONG);
        }
        Ok(())
    }

    /// Writes a template into the array of attributes that the entry points to; each of those has a buffer of
    /// its own, by the same rules. The caller asks three times: for the count, for the lengths, for the values.
    fn write_template(&mut self, place: Raw<'_, CK_ATTRIBUTE>, template: &Template) -> Result<()> {
        let attribute = place.read("the template is null")?;
        let need = template.entries.len() * size_of::<CK_ATTRIBUTE>();
        if place.value(&attribute).is_null() {
            place.value_length().write(need as CK_ULONG);
            return Ok(());
        }
        if attribute.ulValueLen < need as CK_ULONG {
            self.mark(place, Reason::BufferTooSmall { need });
            return Ok(());
        }
        let exact = CK_ATTRIBUTE { ulValueLen: need as CK_ULONG, ..attribute };
        let (nested, count) = place.nested(&exact).ok_or(Reason::Internal("a template has no whole length"))?;
        let array =
            nested.array(count, template.entries.len(), "a template in the template reaches beyond the memory")?;
        for (place, entry) in array.places().zip(&template.entries) {
            place.kind().write(entry.kind);
            match &entry.value {
                Given::Bytes(value) => self.write_value(place, value.expose())?,
                Given::Template(template) => self.write_template(place, template)?,
            }
        }
        place.value_length().write(need as CK_ULONG);
        Ok(())
    }

    fn outcome(self) -> Result<()> {
        self.worst.map_or(Ok(()), Err)
    }
}

/// Which of several refusals the return value tells; the standard leaves the choice.
fn rank(reason: &Reason) -> u8 {
    match reason {
        Reason::AttributeSensitive(_) => 2,
        Reason::AttributeUnknown(_) => 1,
        _ => 0,
    }
}

#[cfg(test)]
#[path = "tests/attributes.rs"]
mod tests;
