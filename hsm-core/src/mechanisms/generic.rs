//! CKM_GENERIC_SECRET_KEY_GEN.
//!
//! Also makes keys of the MAC key types where the template names one, as before 3.0 no other mechanism did.
//! Rule source: PKCS#11 v2.40, 2.6 (generic secret keys): CKA_VALUE_LEN must be given; sizes are in bits.

use super::{EVERYTHING, Row, SizeUnit, named};
use crate::keys::ciphers::is_cipher_type;
use crate::keys::material;
use crate::limits::SECRET_BYTES_MAX;
use crate::object::Attributes;
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::template::Template;
use crate::types::Params;
use ffi_headers::*;
use hsm_crypto::SecretBytes;

pub(super) const ROWS: &[Row] = &[row!(Row {
    unit: SizeUnit::Bits,
    size_min: 8,
    size_max: 8 * SECRET_BYTES_MAX as u64,
    approved: EVERYTHING,
    approved_size_min: 112,
    vectors: "none can be (random by nature): the value is the random source's, which the test plays",
    generate: Some(generate),
    ..named!(CKM_GENERIC_SECRET_KEY_GEN)
})];

fn generate(env: &Env<'_>, _params: &Params, template: &Template) -> Result<Attributes> {
    let key_type = match material::number(template, CKA_KEY_TYPE)? {
        None => CKK_GENERIC_SECRET,
        Some(key_type) if material::is_secret_type(key_type) && !is_cipher_type(key_type) => key_type,
        Some(_) => {
            return Err(Reason::TemplateInconsistent {
                kind: CKA_KEY_TYPE,
                problem: "the mechanism makes generic secrets and HMAC keys",
            });
        }
    };
    let bytes = material::value_len(template)?.ok_or(Reason::TemplateIncomplete(CKA_VALUE_LEN))?;
    let mut value = SecretBytes::zeroed(bytes);
    env.random.fill(value.expose_mut())?;
    Ok(material::secret(key_type, value))
}
