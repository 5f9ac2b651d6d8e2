//! CKM_AES_KEY_GEN.
//!
//! Rule source: PKCS#11 v2.40, 2.8 (AES key generation): CKA_VALUE_LEN must be given.

use super::{EVERYTHING, Row, SizeUnit, named};
use crate::keys::material;
use crate::object::Attributes;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::template::Template;
use crate::types::Params;
use ffi_headers::*;
use hsm_crypto::SecretBytes;

pub(super) const ROWS: &[Row] = &[row!(Row {
    unit: SizeUnit::Bytes,
    size_min: 16,
    size_max: 32,
    approved: EVERYTHING,
    vectors: "none can be (random by nature): the value is the random source's, which the test plays",
    generate: Some(generate),
    ..named!(CKM_AES_KEY_GEN)
})];

fn generate(env: &Env<'_>, _params: &Params, template: &Template) -> Result<Attributes> {
    let bytes = material::value_len(template)?.ok_or(Reason::TemplateIncomplete(CKA_VALUE_LEN))?;
    if !material::fits(CKK_AES, bytes) {
        return Err(Reason::AttributeValue { kind: CKA_VALUE_LEN, problem: "an AES key has 16, 24 or 32 bytes" });
    }
    let mut value = SecretBytes::zeroed(bytes);
    env.random.fill(value.expose_mut())?;
    Ok(material::secret(CKK_AES, value))
}
