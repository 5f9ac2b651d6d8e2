//! What C_CreateObject takes, refuses and fills in, apart from key material and certificates.

use super::*;

#[test]
fn a_data_object_has_every_attribute_of_its_class_by_default() {
    let object = create(&data_template()).unwrap();
    for kind in [CKA_LABEL, CKA_APPLICATION, CKA_OBJECT_ID, CKA_VALUE] {
        assert_eq!(told(&object, kind), b"", "{kind:#x}");
    }
    let defaults = [
        (CKA_TOKEN, false),
        (CKA_PRIVATE, false),
        (CKA_MODIFIABLE, true),
        (CKA_COPYABLE, true),
        (CKA_DESTROYABLE, true),
    ];
    for (kind, flag) in defaults {
        assert_eq!(told(&object, kind), [u8::from(flag)], "{kind:#x}");
    }
}

#[test]
fn private_and_secret_keys_are_private_by_default_and_public_objects_are_not() {
    assert!(aes(&none()).is_private());
    for material in private_materials() {
        assert!(generate(&none(), material).unwrap().is_private());
    }
    let spki = object::public_form(&generate(&none(), private_materials().remove(0)).unwrap().attributes()).unwrap();
    assert!(!generate(&none(), object::public_material(spki)).unwrap().is_private());
    assert!(!create(&aes_template().with_flag(CKA_PRIVATE, false)).unwrap().is_private());
}

#[test]
fn a_template_is_judged_by_the_first_rule_it_breaks() {
    let cases: &[(&str, Template, u64)] = &[
        ("no class", none(), CKR_TEMPLATE_INCOMPLETE),
        ("class of four bytes", none().with(CKA_CLASS, &[0; 4]), CKR_ATTRIBUTE_VALUE_INVALID),
        ("unknown class", none().with_number(CKA_CLASS, 0x7777), CKR_ATTRIBUTE_VALUE_INVALID),
        ("NSS's trust class", none().with_number(CKA_CLASS, 0xCE53_4353), CKR_ATTRIBUTE_VALUE_INVALID),
        ("hardware feature", none().with_number(CKA_CLASS, CKO_HW_FEATURE), CKR_ATTRIBUTE_VALUE_INVALID),
        ("key without type", none().with_number(CKA_CLASS, CKO_SECRET_KEY), CKR_TEMPLATE_INCOMPLETE),
        ("type of another class", of(CKO_SECRET_KEY, CKK_RSA), CKR_ATTRIBUTE_VALUE_INVALID),
        ("unknown type", of(CKO_SECRET_KEY, CKK_SKIPJACK), CKR_ATTRIBUTE_VALUE_INVALID),
        ("unknown attribute", data_template().with(0x1234_5678, b""), CKR_ATTRIBUTE_TYPE_INVALID),
        ("vendor attribute", data_template().with(0x8000_0001, b""), CKR_ATTRIBUTE_TYPE_INVALID),
        ("attribute of another class", data_template().with_flag(CKA_SIGN, true), CKR_ATTRIBUTE_TYPE_INVALID),
        ("flag of eight bytes", data_template().with(CKA_TOKEN, &[1; 8]), CKR_ATTRIBUTE_VALUE_INVALID),
        ("flag of two", data_template().with(CKA_TOKEN, &[2]), CKR_ATTRIBUTE_VALUE_INVALID),
        ("given twice", data_template().with(CKA_LABEL, b"a").with(CKA_LABEL, b"b"), CKR_TEMPLATE_INCONSISTENT),
        ("given twice alike", data_template().with(CKA_LABEL, b"a").with(CKA_LABEL, b"a"), CKR_TEMPLATE_INCONSISTENT),
        ("unique id", data_template().with(CKA_UNIQUE_ID, b"mine"), CKR_ATTRIBUTE_READ_ONLY),
        ("key without value", of(CKO_SECRET_KEY, CKK_AES), CKR_TEMPLATE_INCOMPLETE),
        ("date", aes_template().with(CKA_START_DATE, b"20240230"), CKR_ATTRIBUTE_VALUE_INVALID),
    ];
    for (name, template, expected) in cases {
        assert_eq!(rv(create(template)), *expected, "{name}");
    }
}

#[test]
fn marks_of_origin_cannot_be_given_to_any_operation() {
    for kind in [CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_KEY_GEN_MECHANISM, CKA_UNIQUE_ID] {
        let with = |template: Template| match kind {
            CKA_KEY_GEN_MECHANISM => template.with_number(kind, CKM_AES_KEY_GEN),
            _ => template.with_flag(kind, true),
        };
        assert_eq!(rv(create(&with(aes_template()))), CKR_ATTRIBUTE_READ_ONLY, "create {kind:#x}");
        let derive = Origin::Derive { mechanism: 1, always_sensitive: true, never_extractable: true };
        for origin in [Origin::Generate(1), Origin::Unwrap(1), derive] {
            let material = secret_material(CKK_AES, &[1; 16]);
            let result = build(&env(), USER, origin, &with(none()), material);
            assert_eq!(rv(result), CKR_ATTRIBUTE_READ_ONLY, "{origin:?} {kind:#x}");
        }
        let object = aes(&none());
        assert_eq!(rv(copy(&env(), USER, &object, &with(none()))), CKR_ATTRIBUTE_READ_ONLY, "copy {kind:#x}");
        assert_eq!(rv(modify(&env(), USER, &object, &with(none()))), CKR_ATTRIBUTE_READ_ONLY, "set {kind:#x}");
    }
}

#[test]
fn unique_ids_are_random_and_printable() {
    let ids: Vec<Vec<u8>> = (0..3).map(|_| told(&create(&data_template()).unwrap(), CKA_UNIQUE_ID)).collect();
    assert!(ids.iter().all(|id| id.len() == 32 && id.iter().all(|c| b"0123456789abcdef".contains(c))));
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
}

#[test]
fn only_the_officer_makes_a_key_trusted() {
    let trusted = aes_template().with_flag(CKA_TRUSTED, true);
    assert_eq!(rv(create(&trusted)), CKR_ATTRIBUTE_READ_ONLY);
    assert_eq!(rv(create(&aes_template().with_flag(CKA_TRUSTED, false))), CKR_OK);
    let object = build(&env(), OFFICER, Origin::Create, &trusted, Attributes::new()).unwrap();
    assert!(object.flag(CKA_TRUSTED));
    let generated = build(
        &env(),
        USER,
        Origin::Generate(CKM_AES_KEY_GEN),
        &flags(&[(CKA_TRUSTED, true)]),
        secret_material(CKK_AES, &[1; 16]),
    );
    assert_eq!(rv(generated), CKR_ATTRIBUTE_READ_ONLY);
}

#[test]
fn a_key_may_do_what_its_type_can_where_the_template_is_silent() {
    let usages = [
        CKA_ENCRYPT,
        CKA_DECRYPT,
        CKA_SIGN,
        CKA_SIGN_RECOVER,
        CKA_VERIFY,
        CKA_VERIFY_RECOVER,
        CKA_WRAP,
        CKA_UNWRAP,
        CKA_DERIVE,
    ];
    for material in private_materials().into_iter().chain(secret_materials()) {
        let object = generate(&none(), material).unwrap();
        let table = tables::find(object.class(), object.key_type()).unwrap();
        for usage in usages.iter().filter(|usage| table.row(**usage).is_some()) {
            assert_eq!(object.flag(*usage), table.usages.contains(usage), "{object:?} {usage:#x}");
        }
    }
    let aes = aes(&none());
    assert!(aes.flag(CKA_ENCRYPT) && aes.flag(CKA_UNWRAP) && aes.flag(CKA_SIGN) && !aes.flag(CKA_DERIVE));
}

#[test]
fn explicit_usages_are_kept_even_when_all_are_false_or_the_type_cannot_do_them() {
    let silent = [CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE];
    let object = aes(&flags(&silent.map(|kind| (kind, false))));
    assert!(silent.iter().all(|kind| !object.flag(*kind)));

    // libp11's ECDH result and NSS's pairs ask for what the type has no use for.
    let generic = secret_material(CKK_GENERIC_SECRET, &[1; 32]);
    let object = generate(&flags(&[(CKA_ENCRYPT, true), (CKA_WRAP, true)]), generic).unwrap();
    assert!(object.flag(CKA_ENCRYPT) && object.flag(CKA_WRAP));
    for material in private_materials() {
        let asked = flags(&[(CKA_SIGN, true), (CKA_SIGN_RECOVER, true), (CKA_DERIVE, true), (CKA_UNWRAP, true)]);
        let object = generate(&asked, material).unwrap();
        assert!(object.flag(CKA_SIGN) && object.flag(CKA_SIGN_RECOVER) && object.flag(CKA_DERIVE));
    }
}

#[test]
fn a_key_that_asks_at_each_use_must_be_private() {
    let material = private_materials().remove(0);
    let always = flags(&[(CKA_ALWAYS_AUTHENTICATE, true)]);
    assert!(generate(&always, material.clone()).is_ok());
    assert_eq!(rv(generate(&always.with_flag(CKA_PRIVATE, false), material)), CKR_TEMPLATE_INCONSISTENT);
}

#[test]
fn an_empty_list_of_mechanisms_restricts_nothing_and_is_not_kept() {
    let object = create(&aes_template().with(CKA_ALLOWED_MECHANISMS, b"")).unwrap();
    assert_eq!(object.attributes().get(CKA_ALLOWED_MECHANISMS), None);
    assert_eq!(told(&object, CKA_ALLOWED_MECHANISMS), b"");
    let one = CKM_AES_GCM.to_ne_bytes();
    let object = create(&aes_template().with(CKA_ALLOWED_MECHANISMS, &one)).unwrap();
    assert_eq!(object.attributes().get(CKA_ALLOWED_MECHANISMS), Some(&Value::Mechanisms(Box::new([CKM_AES_GCM]))));
    assert_eq!(told(&object, CKA_ALLOWED_MECHANISMS), one);
}

#[test]
fn nested_templates_are_kept_and_answered() {
    let inner = flags(&[(CKA_EXTRACTABLE, false)]);
    let mut template = aes_template();
    template.entries.push(crate::template::Entry {
        kind: CKA_UNWRAP_TEMPLATE,
        value: crate::template::Given::Template(inner.clone()),
    });
    let object = create(&template).unwrap();
    assert_eq!(answer(&object, CKA_UNWRAP_TEMPLATE), Answer::Template(inner));
    assert_eq!(answer(&object, CKA_WRAP_TEMPLATE), Answer::Template(none()));
    let decoded = Object::decode(object.content().clone()).unwrap();
    assert_eq!(decoded.attributes(), object.attributes());
}
