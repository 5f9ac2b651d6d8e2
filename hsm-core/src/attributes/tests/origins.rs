//! Where keys come from: generation, unwrapping and derivation against creation.

use super::*;

const DERIVED: Origin = Origin::Derive { mechanism: CKM_ECDH1_DERIVE, always_sensitive: true, never_extractable: true };

fn made(origin: Origin, template: &Template) -> Object {
    build(&env(), USER, origin, template, secret_material(CKK_AES, &[3; 32])).unwrap()
}

/// LOCAL, ALWAYS_SENSITIVE, NEVER_EXTRACTABLE.
fn marks(object: &Object) -> [bool; 3] {
    [CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE].map(|kind| object.flag(kind))
}

#[test]
fn a_generated_key_is_local_and_knows_its_mechanism() {
    let object = made(Origin::Generate(CKM_AES_KEY_GEN), &none());
    assert_eq!(marks(&object), [true, true, true]);
    assert_eq!(object.number(CKA_KEY_GEN_MECHANISM), Some(CKM_AES_KEY_GEN));
    let open = flags(&[(CKA_SENSITIVE, false), (CKA_EXTRACTABLE, true)]);
    assert_eq!(marks(&made(Origin::Generate(CKM_AES_KEY_GEN), &open)), [true, false, false]);
}

#[test]
fn created_and_unwrapped_keys_have_been_in_the_open() {
    for origin in [Origin::Create, Origin::Unwrap(CKM_AES_KEY_WRAP)] {
        let object = made(origin, &none());
        assert!(object.flag(CKA_SENSITIVE) && !object.flag(CKA_EXTRACTABLE));
        assert_eq!(marks(&object), [false, false, false]);
        assert_eq!(object.number(CKA_KEY_GEN_MECHANISM), Some(CK_UNAVAILABLE_INFORMATION));
    }
}

#[test]
fn a_derived_key_keeps_the_marks_of_its_base_only_while_it_is_as_closed() {
    let open_base = Origin::Derive { mechanism: 1, always_sensitive: false, never_extractable: false };
    let cases: &[(Origin, bool, bool, [bool; 3])] = &[
        (DERIVED, true, false, [false, true, true]),
        (DERIVED, false, false, [false, false, true]),
        (DERIVED, true, true, [false, true, false]),
        (open_base, true, false, [false, false, false]),
    ];
    for (origin, sensitive, extractable, expected) in cases {
        let object = made(*origin, &flags(&[(CKA_SENSITIVE, *sensitive), (CKA_EXTRACTABLE, *extractable)]));
        assert_eq!(marks(&object), *expected);
    }
}

#[test]
fn a_template_may_repeat_what_the_operation_makes_and_nothing_else() {
    let repeated = of(CKO_SECRET_KEY, CKK_AES).with_number(CKA_VALUE_LEN, 32);
    let contradictions = [
        of(CKO_SECRET_KEY, CKK_GENERIC_SECRET),
        none().with_number(CKA_CLASS, CKO_PRIVATE_KEY),
        none().with_number(CKA_VALUE_LEN, 16),
    ];
    for origin in [Origin::Generate(CKM_AES_KEY_GEN), Origin::Unwrap(CKM_AES_KEY_WRAP), DERIVED] {
        assert_eq!(made(origin, &repeated).number(CKA_VALUE_LEN), Some(32));
        for contradiction in &contradictions {
            let result = build(&env(), USER, origin, contradiction, secret_material(CKK_AES, &[3; 32]));
            assert_eq!(rv(result), CKR_TEMPLATE_INCONSISTENT, "{origin:?} {contradiction:?}");
        }
        let result = build(&env(), USER, origin, &none().with(CKA_VALUE, &[3; 32]), secret_material(CKK_AES, &[3; 32]));
        assert_eq!(rv(result), CKR_ATTRIBUTE_READ_ONLY, "{origin:?}");
    }
}

#[test]
fn a_generation_template_may_repeat_sizes_exponents_and_curves_in_any_form() {
    let rsa = object::public_material(hsm_crypto::encoding::PublicForm::Rsa {
        modulus: RSA.modulus.clone(),
        public_exponent: RSA.public_exponent.clone(),
    });
    let good = none().with_number(CKA_MODULUS_BITS, 1024).with(CKA_PUBLIC_EXPONENT, &[0, 1, 0, 1]);
    assert_eq!(generate(&good, rsa.clone()).unwrap().number(CKA_MODULUS_BITS), Some(1024));
    let bad = [none().with_number(CKA_MODULUS_BITS, 2048), none().with(CKA_PUBLIC_EXPONENT, &[3])];
    for bad in bad {
        assert_eq!(rv(generate(&bad, rsa.clone())), CKR_TEMPLATE_INCONSISTENT);
    }

    let ed = private_materials().remove(1);
    let point = told(&generate(&none(), ed).unwrap(), CKA_EC_POINT);
    let public = Attributes::from([
        (CKA_CLASS, Value::Number(CKO_PUBLIC_KEY)),
        (CKA_KEY_TYPE, Value::Number(CKK_EC_EDWARDS)),
        (CKA_EC_PARAMS, bytes(curves::CurveName::Ed25519.oid_der())),
        (CKA_EC_POINT, bytes(&point)),
    ]);
    let printable = b"\x13\x0cedwards25519";
    let object = generate(&none().with(CKA_EC_PARAMS, printable), public.clone()).unwrap();
    assert_eq!(told(&object, CKA_EC_PARAMS), printable, "the client finds the form it gave");
    let other = none().with(CKA_EC_PARAMS, curves::CurveName::X25519.oid_der());
    assert_eq!(rv(generate(&other, public)), CKR_TEMPLATE_INCONSISTENT);
}

/// SunPKCS11 makes session pairs with hardly a template at all.
#[test]
fn a_pair_needs_no_class_type_or_token_in_its_templates() {
    for material in private_materials() {
        let object = generate(&none(), material).unwrap();
        assert!(!object.is_token() && object.flag(CKA_SENSITIVE) && !object.flag(CKA_EXTRACTABLE));
    }
}

#[test]
fn wrapped_bytes_that_make_no_key_are_told_as_such() {
    let unwrap = |material| rv(build(&env(), USER, Origin::Unwrap(1), &none(), material));
    assert_eq!(unwrap(secret_material(CKK_AES, &[1; 20])), CKR_WRAPPED_KEY_INVALID);
    assert_eq!(unwrap(secret_material(CKK_GENERIC_SECRET, &[])), CKR_WRAPPED_KEY_INVALID);
    let mut parts = RSA.clone();
    parts.exponent_1 = SecretBytes::new(vec![5]);
    assert_eq!(unwrap(object::private_material(PrivateForm::Rsa(parts))), CKR_WRAPPED_KEY_INVALID);
}

#[test]
fn an_unwrapped_private_key_is_the_one_that_was_wrapped() {
    for material in private_materials() {
        let object = generate(&none(), material).unwrap();
        let der = hsm_crypto::encoding::encode_pkcs8(&object::private_form(&object).unwrap()).unwrap();
        let form = hsm_crypto::encoding::decode_pkcs8(der.expose()).unwrap();
        // NSS gives the attributes that name the key; the values come from the wrapped bytes.
        let template = none().with(CKA_ID, b"id").with_flag(CKA_TOKEN, true);
        let unwrapped = build(&env(), USER, Origin::Unwrap(1), &template, object::private_material(form)).unwrap();
        for kind in [CKA_VALUE, CKA_PRIVATE_EXPONENT, CKA_COEFFICIENT, CKA_EC_POINT, CKA_PUBLIC_KEY_INFO] {
            assert_eq!(unwrapped.bytes(kind), object.bytes(kind), "{object:?} {kind:#x}");
        }
    }
}

#[test]
fn only_keys_are_made_by_anything_but_create_and_data_by_derivation() {
    for (class, by_derivation) in [(CKO_DATA, CKR_OK), (CKO_CERTIFICATE, CKR_ATTRIBUTE_VALUE_INVALID)] {
        let material = Attributes::from([(CKA_CLASS, Value::Number(class))]);
        for origin in [Origin::Generate(1), Origin::Unwrap(1)] {
            assert_eq!(rv(build(&env(), USER, origin, &none(), material.clone())), CKR_ATTRIBUTE_VALUE_INVALID);
        }
        assert_eq!(rv(build(&env(), USER, DERIVED, &none(), material)), by_derivation);
    }
}
