//! What objects tell, and what searches find.

use super::*;

/// Every sensitive attribute of each key type, walked by the table: told only when the key is open.
#[test]
fn secrets_are_told_only_when_not_sensitive_and_extractable() {
    let mut walked = 0;
    for material in private_materials().into_iter().chain(secret_materials()) {
        for (sensitive, extractable) in [(true, true), (true, false), (false, false), (false, true)] {
            let template = flags(&[(CKA_SENSITIVE, sensitive), (CKA_EXTRACTABLE, extractable)]);
            let object = generate(&template, material.clone()).unwrap();
            let table = tables::find(object.class(), object.key_type()).unwrap();
            for row in table.rows().filter(|row| row.sensitive) {
                walked += 1;
                let found = answer(&object, row.kind);
                if !sensitive && extractable {
                    assert_eq!(found, Answer::Bytes(SecretBytes::copy_of(object.bytes(row.kind).unwrap())));
                } else {
                    assert_eq!(found, Answer::Sensitive, "{object:?} {:#x}", row.kind);
                }
            }
        }
    }
    // RSA has six secrets; seventeen keys on curves and twenty-six secret keys have one each; four states.
    assert_eq!(walked, (6 + 17 + 26) * 4);
}

/// A record that lost its flags must not open the key.
#[test]
fn a_key_without_the_flags_tells_nothing() {
    let object = Object::new(&secret_material(CKK_AES, &[1; 16]));
    assert_eq!(answer(&object, CKA_VALUE), Answer::Sensitive);
    let mut attributes = object.attributes();
    attributes.insert(CKA_EXTRACTABLE, Value::Flag(true));
    assert_eq!(answer(&Object::new(&attributes), CKA_VALUE), Answer::Sensitive);
}

#[test]
fn values_are_told_in_native_form() {
    let object = aes(&none().with(CKA_LABEL, b"key"));
    assert_eq!(told(&object, CKA_CLASS), CKO_SECRET_KEY.to_ne_bytes());
    assert_eq!(told(&object, CKA_KEY_TYPE), CKK_AES.to_ne_bytes());
    assert_eq!(told(&object, CKA_VALUE_LEN), 16_u64.to_ne_bytes());
    assert_eq!(told(&object, CKA_ENCRYPT), [1]);
    assert_eq!(told(&object, CKA_TOKEN), [0]);
    assert_eq!(told(&object, CKA_LABEL), b"key");
    assert_eq!(told(&object, CKA_ID), b"");
    assert_eq!(told(&object, CKA_START_DATE), b"");
    assert_eq!(told(&object, CKA_ALLOWED_MECHANISMS), b"");
}

#[test]
fn what_the_class_has_not_is_invalid() {
    let object = aes(&none());
    for kind in [CKA_MODULUS, CKA_SUBJECT, CKA_EC_POINT, CKA_CERTIFICATE_TYPE, CKA_APPLICATION, 0x8000_0001, u64::MAX] {
        assert_eq!(answer(&object, kind), Answer::Invalid, "{kind:#x}");
    }
    let data = create(&data_template()).unwrap();
    for kind in [CKA_ID, CKA_KEY_TYPE, CKA_SENSITIVE, CKA_ALLOWED_MECHANISMS] {
        assert_eq!(answer(&data, kind), Answer::Invalid, "{kind:#x}");
    }
    assert_eq!(answer(&Object::new(&Attributes::new()), CKA_CLASS), Answer::Invalid);
}

#[test]
fn every_attribute_of_a_table_has_an_answer() {
    for material in private_materials().into_iter().chain(secret_materials()) {
        let object = generate(&none(), material).unwrap();
        for row in tables::find(object.class(), object.key_type()).unwrap().rows() {
            assert_ne!(answer(&object, row.kind), Answer::Invalid, "{object:?} {:#x}", row.kind);
        }
    }
}

#[test]
fn a_search_finds_exact_values_of_every_form() {
    let object = aes(&none().with(CKA_LABEL, b"key").with(CKA_ID, &[1, 2]));
    let found: &[Template] = &[
        none(),
        of(CKO_SECRET_KEY, CKK_AES),
        none().with(CKA_LABEL, b"key"),
        none().with(CKA_LABEL, b"key").with(CKA_ID, &[1, 2]).with_number(CKA_CLASS, CKO_SECRET_KEY),
        flags(&[(CKA_TOKEN, false), (CKA_ENCRYPT, true)]),
        none().with_number(CKA_VALUE_LEN, 16),
        none().with(CKA_START_DATE, b""),
        none().with(CKA_ALLOWED_MECHANISMS, b""),
        none().with(CKA_WRAP_TEMPLATE, b""),
    ];
    for template in found {
        assert!(matches(&object, template), "{template:?}");
    }
    let missed: &[Template] = &[
        none().with_number(CKA_CLASS, CKO_PUBLIC_KEY),
        none().with(CKA_LABEL, b"ke"),
        none().with(CKA_LABEL, b"key\0"),
        none().with(CKA_LABEL, b""),
        none().with(CKA_ID, &[1, 2]).with(CKA_LABEL, b"other"),
        none().with(CKA_CLASS, &[4]),
        none().with(CKA_ENCRYPT, &[1, 0, 0, 0]),
        none().with(CKA_ENCRYPT, &[2]),
        none().with_number(CKA_VALUE_LEN, 17),
        none().with(0x8000_0001, b""),
        none().with(CKA_SUBJECT, b""),
    ];
    for template in missed {
        assert!(!matches(&object, template), "{template:?}");
    }
}

#[test]
fn a_search_is_no_oracle_for_secrets() {
    for material in private_materials().into_iter().chain(secret_materials()) {
        for open in [false, true] {
            let template = flags(&[(CKA_SENSITIVE, !open), (CKA_EXTRACTABLE, open)]);
            let object = generate(&template, material.clone()).unwrap();
            for row in tables::find(object.class(), object.key_type()).unwrap().rows().filter(|row| row.sensitive) {
                let right = none().with(row.kind, object.bytes(row.kind).unwrap());
                assert!(!matches(&object, &right), "{object:?} {:#x}", row.kind);
            }
        }
    }
}

#[test]
fn a_point_is_found_with_and_without_its_wrapping() {
    let object = generate(&none(), private_materials().pop().unwrap()).unwrap();
    let wrapped = told(&object, CKA_EC_POINT);
    let raw = curves::octet_string_content(&wrapped).unwrap();
    assert!(matches(&object, &none().with(CKA_EC_POINT, &wrapped)));
    assert!(matches(&object, &none().with(CKA_EC_POINT, raw)));
    assert!(!matches(&object, &none().with(CKA_EC_POINT, &raw[1..])));
    assert!(!matches(&object, &none().with(CKA_EC_POINT, b"")));
}

#[test]
fn an_object_prints_its_class_and_type_and_nothing_of_its_content() {
    let object = aes(&none().with(CKA_LABEL, b"payroll"));
    let printed = format!("{object:?}");
    assert_eq!(printed, "Object { class: \"CKO_SECRET_KEY\", key_type: \"CKK_AES\", label_bytes: 7, .. }");
}
