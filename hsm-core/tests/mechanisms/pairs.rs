//! Fresh key pairs are looked at from outside: both halves fit, and the marks are there.

use crate::support::{self, engines, mechanism, sign, verify};
use ffi_headers::*;
use hsm_core::attributes::Actor;
use hsm_core::object::Object;
use hsm_core::platform::Env;
use hsm_core::template::Template;
use hsm_core::{Params, keys};

/// Generates a pair by the public template alone, and uses both halves against each other.
pub fn generated_pair_works(env: &Env<'_>, kind: u64, template: &Template) -> (Object, Object) {
    let actor = Actor { security_officer: false, user: true };
    let levels =
        if kind == CKM_HSS_KEY_PAIR_GEN { crate::vectors_stateful::levels(&[(5, 3)]) } else { Template::default() };
    let (public, private) =
        keys::generate_key_pair(env, actor, &mechanism(kind, &Params::None), template, &levels).unwrap();
    assert_eq!((public.class(), private.class()), (CKO_PUBLIC_KEY, CKO_PRIVATE_KEY));
    assert_eq!(public.key_type(), private.key_type());
    for key in [&public, &private] {
        assert!(key.flag(CKA_LOCAL), "the key was made here");
        assert_eq!(key.number(CKA_KEY_GEN_MECHANISM), Some(kind));
    }
    works(env, &public, &private);
    // The records make the same keys as those that came from the generation, whichever engine reads them.
    let read = |key: &Object| Object::decode(key.content().clone()).unwrap();
    for engine in engines() {
        let env = &support::env(engine);
        works(env, &read(&public), &private);
        works(env, &public, &read(&private));
    }
    (public, private)
}

fn works(env: &Env<'_>, public: &Object, private: &Object) {
    match public.key_type().unwrap() {
        CKK_RSA => signs(env, CKM_SHA256_RSA_PKCS, public, private),
        CKK_EC => signs(env, CKM_ECDSA_SHA256, public, private),
        CKK_EC_EDWARDS => signs(env, CKM_EDDSA, public, private),
        CKK_EC_MONTGOMERY => agrees(env, public, private),
        CKK_ML_KEM => crate::vectors_pq::opens(env, public, private),
        CKK_ML_DSA => signs(env, CKM_ML_DSA, public, private),
        CKK_SLH_DSA => signs(env, CKM_SLH_DSA, public, private),
        CKK_HSS => signs(env, CKM_HSS, public, private),
        CKK_XMSS => signs(env, CKM_XMSS, public, private),
        CKK_XMSSMT => signs(env, CKM_XMSSMT, public, private),
        other => panic!("no pairs of type {other:#x}"),
    }
}

fn signs(env: &Env<'_>, kind: u64, public: &Object, private: &Object) {
    let mechanism = mechanism(kind, &Params::None);
    let signature = sign(env, &mechanism, private, b"message", false).unwrap();
    verify(env, &mechanism, public, b"message", &signature).unwrap();
}

/// The pair agrees with a second fresh one, from both sides.
fn agrees(env: &Env<'_>, public: &Object, private: &Object) {
    let actor = Actor { security_officer: false, user: true };
    let params = Template::default().with(CKA_EC_PARAMS, public.bytes(CKA_EC_PARAMS).unwrap());
    let generation = mechanism(CKM_EC_MONTGOMERY_KEY_PAIR_GEN, &Params::None);
    let (other_public, other_private) =
        keys::generate_key_pair(env, actor, &generation, &params, &Template::default()).unwrap();
    let derive = |base: &Object, peer: &Object| {
        let public = peer.bytes(CKA_EC_POINT).unwrap().to_vec();
        let params = Params::Ecdh1 { kdf: CKD_NULL, shared: Vec::new(), public };
        let template = Template::default();
        let key = support::derive(env, &mechanism(CKM_ECDH1_DERIVE, &params), base, &template).unwrap();
        key.bytes(CKA_VALUE).unwrap().to_vec()
    };
    assert_eq!(derive(private, &other_public), derive(&other_private, public));
}
