//! CKM_RSA_PKCS_KEY_PAIR_GEN.
//!
//! 2048 to 8192 bits in steps of 128 (what both engines make exactly), and 1024 for legacy use. The
//! engine proves a fresh pair by one signature before it is given out.
//! Rule source: PKCS#11 v2.40, 2.1.4; FIPS 186-5, A.1.

use super::rsa_pkcs::{RSA_APPROVED_BITS_MIN, RSA_BITS_MIN};
use super::{EVERYTHING, PairMaterial, Row, SizeUnit, named};
use crate::attributes;
use crate::keys::material;
use crate::limits::{RSA_PRIVATE_BITS_MAX, RSA_PUBLIC_EXPONENT_BITS_MAX};
use crate::platform::Env;
use crate::reason::{Reason, Result};
use crate::template::Template;
use crate::types::Params;
use ffi_headers::*;

/// The public exponent where the template names none: 65537.
const PUBLIC_EXPONENT_DEFAULT: [u8; 3] = [1, 0, 1];

pub(super) const ROWS: &[Row] = &[row!(Row {
    unit: SizeUnit::Bits,
    size_min: RSA_BITS_MIN,
    size_max: RSA_PRIVATE_BITS_MAX,
    approved: EVERYTHING,
    approved_size_min: RSA_APPROVED_BITS_MIN,
    vectors: "none can be (random by nature): the test recomputes n = p q, and the pair proves itself",
    generate_pair: Some(generate),
    ..named!(CKM_RSA_PKCS_KEY_PAIR_GEN)
})];

fn generate(env: &Env<'_>, _params: &Params, public: &Template, _private: &Template) -> Result<PairMaterial> {
    let bits = modulus_bits(public)?;
    let exponent = public_exponent(public)?;
    Ok(material::rsa_pair((env.engine.rsa_generate)(bits, exponent, env.random)?))
}

fn modulus_bits(template: &Template) -> Result<usize> {
    let bits = material::number(template, CKA_MODULUS_BITS)?.ok_or(Reason::TemplateIncomplete(CKA_MODULUS_BITS))?;
    usize::try_from(bits).ok().filter(|bits| *bits == 1024 || ((2048..=8192).contains(bits) && bits % 128 == 0)).ok_or(
        Reason::AttributeValue { kind: CKA_MODULUS_BITS, problem: "neither 1024 nor 2048 to 8192 in steps of 128" },
    )
}

fn public_exponent(template: &Template) -> Result<&[u8]> {
    let Some(given) = template.bytes(CKA_PUBLIC_EXPONENT) else { return Ok(&PUBLIC_EXPONENT_DEFAULT) };
    let first = given.iter().position(|byte| *byte != 0).unwrap_or(given.len());
    let exponent = &given[first..];
    let odd = exponent.last().is_some_and(|byte| byte % 2 == 1);
    if odd && exponent != [1] && attributes::bit_length(exponent) <= RSA_PUBLIC_EXPONENT_BITS_MAX {
        Ok(exponent)
    } else {
        Err(Reason::AttributeValue { kind: CKA_PUBLIC_EXPONENT, problem: "not odd, or not from 3 to 33 bits" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modulus_sizes_are_the_listed_ones() {
        let given = |bits: u64| modulus_bits(&Template::default().with_number(CKA_MODULUS_BITS, bits));
        for bits in [1024, 2048, 3072, 4096, 7680, 8192] {
            assert_eq!(given(bits).unwrap() as u64, bits);
        }
        for bits in [0, 512, 1023, 1152, 1536, 2047, 2049, 8193, 8320, 16384, u64::MAX] {
            assert!(matches!(given(bits), Err(Reason::AttributeValue { kind: CKA_MODULUS_BITS, .. })), "{bits}");
        }
        assert!(matches!(modulus_bits(&Template::default()), Err(Reason::TemplateIncomplete(CKA_MODULUS_BITS))));
        let short = Template::default().with(CKA_MODULUS_BITS, &[0, 8]);
        assert!(matches!(modulus_bits(&short), Err(Reason::AttributeValue { .. })));
    }

    #[test]
    fn public_exponents_are_odd_and_moderate() {
        let check = |given: &[u8], expect: Option<&[u8]>| {
            let template = Template::default().with(CKA_PUBLIC_EXPONENT, given);
            assert_eq!(public_exponent(&template).ok(), expect, "{given:02x?}");
        };
        check(&[1, 0, 1], Some(&[1, 0, 1]));
        check(&[0, 0, 1, 0, 1], Some(&[1, 0, 1]));
        check(&[3], Some(&[3]));
        check(&[1, 0, 0, 0, 1], Some(&[1, 0, 0, 0, 1]));
        for bad in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[2, 0, 0, 0, 1]] {
            check(bad, None);
        }
        assert_eq!(public_exponent(&Template::default()).unwrap(), [1, 0, 1]);
    }
}
