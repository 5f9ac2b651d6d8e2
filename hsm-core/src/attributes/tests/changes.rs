//! What C_SetAttributeValue and C_CopyObject may change.

use super::*;

fn set(object: &Object, template: &Template) -> Result<Object> {
    modify(&env(), USER, object, template)
}

fn copied(object: &Object, template: &Template) -> Result<Object> {
    copy(&env(), USER, object, template)
}

#[test]
fn names_dates_and_usages_change_at_any_time() {
    let object = aes(&none());
    let template = none()
        .with(CKA_ID, b"new id")
        .with(CKA_LABEL, b"new label")
        .with(CKA_START_DATE, b"20240101")
        .with(CKA_END_DATE, b"")
        .with_flag(CKA_ENCRYPT, false)
        .with_flag(CKA_DERIVE, true);
    let changed = set(&object, &template).unwrap();
    assert_eq!(told(&changed, CKA_ID), b"new id");
    assert_eq!(told(&changed, CKA_LABEL), b"new label");
    assert_eq!(told(&changed, CKA_START_DATE), b"20240101");
    assert!(!changed.flag(CKA_ENCRYPT) && changed.flag(CKA_DERIVE));
    assert_eq!(told(&changed, CKA_UNIQUE_ID), told(&object, CKA_UNIQUE_ID), "it is still the same object");

    // NSS names private keys after their certificate.
    let private = generate(&none(), private_materials().remove(0)).unwrap();
    assert_eq!(told(&set(&private, &none().with(CKA_SUBJECT, b"0\0")).unwrap(), CKA_SUBJECT), b"0\0");
}

#[test]
fn a_change_is_whole_or_not_at_all() {
    let object = aes(&none());
    let template = none().with(CKA_LABEL, b"changed").with_flag(CKA_TOKEN, true);
    assert_eq!(rv(set(&object, &template)), CKR_ATTRIBUTE_READ_ONLY);
    assert_eq!(told(&object, CKA_LABEL), b"");
}

#[test]
fn what_makes_the_object_never_changes() {
    let object = aes(&none());
    let fixed = [
        none().with_number(CKA_CLASS, CKO_SECRET_KEY),
        none().with_number(CKA_KEY_TYPE, CKK_AES),
        none().with_flag(CKA_TOKEN, false),
        none().with_flag(CKA_PRIVATE, true),
        none().with_flag(CKA_MODIFIABLE, true),
        none().with(CKA_VALUE, &[0x42; 16]),
        none().with_number(CKA_VALUE_LEN, 16),
        none().with(CKA_ALLOWED_MECHANISMS, b""),
        none().with(CKA_CHECK_VALUE, b""),
        none().with(CKA_WRAP_TEMPLATE, b""),
    ];
    for template in fixed {
        assert_eq!(rv(set(&object, &template)), CKR_ATTRIBUTE_READ_ONLY, "{template:?}");
    }
    assert_eq!(rv(set(&object, &none().with(0x8000_0009, b""))), CKR_ATTRIBUTE_TYPE_INVALID);
    assert_eq!(rv(set(&object, &none().with(CKA_SUBJECT, b""))), CKR_ATTRIBUTE_TYPE_INVALID);
    let twice = none().with(CKA_ID, b"a").with(CKA_ID, b"a");
    assert_eq!(rv(set(&object, &twice)), CKR_TEMPLATE_INCONSISTENT);
}

/// The one-way flags: from which value to which, on a change and on a copy alike.
#[test]
fn one_way_flags_turn_one_way() {
    let cases: &[(u64, bool)] =
        &[(CKA_SENSITIVE, true), (CKA_EXTRACTABLE, false), (CKA_WRAP_WITH_TRUSTED, true), (CKA_COPYABLE, false)];
    for (kind, closed) in cases {
        let open = aes(&flags(&[(*kind, !closed)]));
        let close = flags(&[(*kind, *closed)]);
        let reopen = flags(&[(*kind, !closed)]);
        for change in [set, copied] {
            assert_eq!(change(&open, &reopen).unwrap().flag(*kind), !closed, "{kind:#x} stays as it is");
            assert_eq!(change(&open, &close).unwrap().flag(*kind), *closed, "{kind:#x} closes");
        }
        let shut = set(&open, &close).unwrap();
        assert_eq!(set(&shut, &close).unwrap().flag(*kind), *closed);
        assert_eq!(rv(set(&shut, &reopen)), CKR_ATTRIBUTE_READ_ONLY, "{kind:#x} does not reopen");
        if *kind != CKA_COPYABLE {
            assert_eq!(rv(copied(&shut, &reopen)), CKR_ATTRIBUTE_READ_ONLY, "{kind:#x} does not reopen in a copy");
        }
    }
}

#[test]
fn closing_a_key_later_does_not_make_it_always_sensitive() {
    let open = aes(&flags(&[(CKA_SENSITIVE, false), (CKA_EXTRACTABLE, true)]));
    let close = flags(&[(CKA_SENSITIVE, true), (CKA_EXTRACTABLE, false)]);
    for change in [set, copied] {
        let closed = change(&open, &close).unwrap();
        assert!(!closed.flag(CKA_ALWAYS_SENSITIVE) && !closed.flag(CKA_NEVER_EXTRACTABLE));
        assert_eq!(answer(&closed, CKA_VALUE), Answer::Sensitive);
    }
}

#[test]
fn an_object_that_is_not_modifiable_refuses_every_change() {
    let object = aes(&flags(&[(CKA_MODIFIABLE, false)]));
    for template in [none(), none().with(CKA_LABEL, b"x")] {
        assert!(matches!(set(&object, &template), Err(Reason::ActionProhibited(CKA_MODIFIABLE))));
    }
}

#[test]
fn an_object_that_is_not_copyable_refuses_every_copy() {
    let object = aes(&flags(&[(CKA_COPYABLE, false)]));
    assert!(matches!(copied(&object, &none()), Err(Reason::ActionProhibited(CKA_COPYABLE))));
}

#[test]
fn an_object_that_is_not_destroyable_says_so() {
    assert!(check_destroyable(&aes(&none())).is_ok());
    let object = aes(&flags(&[(CKA_DESTROYABLE, false)]));
    assert!(matches!(check_destroyable(&object), Err(Reason::ActionProhibited(CKA_DESTROYABLE))));
}

#[test]
fn a_copy_with_an_empty_template_differs_in_its_unique_id_only() {
    for material in private_materials().into_iter().chain(secret_materials()) {
        let object = generate(&none().with(CKA_LABEL, b"key"), material).unwrap();
        let copy = copied(&object, &none()).unwrap();
        for (kind, value) in object.attributes().iter().filter(|(kind, _)| *kind != CKA_UNIQUE_ID) {
            assert_eq!(copy.attributes().get(*kind), Some(value), "{kind:#x}");
        }
        assert_eq!(copy.attributes().len(), object.attributes().len());
        assert_ne!(told(&copy, CKA_UNIQUE_ID), told(&object, CKA_UNIQUE_ID));
        assert!(copy.key(&env()).is_ok());
    }
}

/// SunPKCS11 and pkcs11-provider copy between session and token.
#[test]
fn a_copy_may_move_between_session_and_token_and_take_names() {
    let object = aes(&none());
    let template = none().with_flag(CKA_TOKEN, true).with(CKA_ID, b"alias").with_flag(CKA_MODIFIABLE, false);
    let copy = copied(&object, &template).unwrap();
    assert!(copy.is_token() && !copy.flag(CKA_MODIFIABLE) && copy.flag(CKA_LOCAL));
    assert_eq!(told(&copy, CKA_ID), b"alias");
    assert!(!copied(&copy, &flags(&[(CKA_TOKEN, false)])).unwrap().is_token());
}

#[test]
fn a_copy_may_become_private_and_not_public() {
    let public = aes(&flags(&[(CKA_PRIVATE, false)]));
    let private = copied(&public, &flags(&[(CKA_PRIVATE, true)])).unwrap();
    assert!(private.is_private());
    assert_eq!(rv(copied(&private, &flags(&[(CKA_PRIVATE, false)]))), CKR_TEMPLATE_INCONSISTENT);
}

#[test]
fn a_copy_may_repeat_what_does_not_change_but_no_secret() {
    let object = aes(&none());
    let same = of(CKO_SECRET_KEY, CKK_AES).with_number(CKA_VALUE_LEN, 16).with(CKA_ALLOWED_MECHANISMS, b"");
    assert!(copied(&object, &same).is_ok());
    let refused = [
        of(CKO_SECRET_KEY, CKK_GENERIC_SECRET),
        none().with_number(CKA_VALUE_LEN, 32),
        none().with(CKA_ALLOWED_MECHANISMS, &CKM_AES_CBC.to_ne_bytes()),
        none().with(CKA_VALUE, &[0x42; 16]),
    ];
    for template in refused {
        assert_eq!(rv(copied(&object, &template)), CKR_ATTRIBUTE_READ_ONLY, "{template:?}");
    }
}

#[test]
fn a_copy_keeps_its_restrictions() {
    let mut template = none().with(CKA_ALLOWED_MECHANISMS, &CKM_AES_GCM.to_ne_bytes());
    template = template.with_flag(CKA_WRAP_WITH_TRUSTED, true);
    let copy = copied(&aes(&template), &none()).unwrap();
    assert_eq!(copy.attributes().get(CKA_ALLOWED_MECHANISMS), Some(&Value::Mechanisms(Box::new([CKM_AES_GCM]))));
    assert!(copy.flag(CKA_WRAP_WITH_TRUSTED));
    let restriction = none().with(CKA_ALLOWED_MECHANISMS, b"");
    assert_eq!(rv(copied(&copy, &restriction)), CKR_ATTRIBUTE_READ_ONLY);
}

#[test]
fn only_the_officer_raises_trusted() {
    let raise = flags(&[(CKA_TRUSTED, true)]);
    let lower = flags(&[(CKA_TRUSTED, false)]);
    let object = aes(&flags(&[(CKA_PRIVATE, false)]));
    assert_eq!(rv(set(&object, &raise)), CKR_ATTRIBUTE_READ_ONLY);
    assert_eq!(rv(copied(&object, &raise)), CKR_ATTRIBUTE_READ_ONLY);
    assert_eq!(rv(set(&object, &lower)), CKR_OK);
    let trusted = modify(&env(), OFFICER, &object, &raise).unwrap();
    assert!(trusted.flag(CKA_TRUSTED));
    assert!(copied(&trusted, &raise).unwrap().flag(CKA_TRUSTED), "a copy of a trusted key is the same key");
    assert!(!set(&trusted, &lower).unwrap().flag(CKA_TRUSTED));
}

#[test]
fn an_always_authenticate_copy_does_not_relax() {
    let private = private_materials().remove(0);
    let object = generate(&flags(&[(CKA_ALWAYS_AUTHENTICATE, true)]), private).unwrap();
    let relax = flags(&[(CKA_ALWAYS_AUTHENTICATE, false)]);
    assert_eq!(rv(copied(&object, &relax)), CKR_ATTRIBUTE_READ_ONLY);
    assert_eq!(rv(set(&object, &relax)), CKR_ATTRIBUTE_READ_ONLY);
}

/// A parsed key moves on to the changed object, so that renaming a key does not cost a parse.
#[test]
fn a_renamed_key_keeps_its_parsed_key() {
    let object = aes(&none());
    let key = object.key(&env()).unwrap();
    let renamed = set(&object, &none().with(CKA_LABEL, b"new")).unwrap();
    assert!(std::ptr::eq(key, renamed.key(&env()).unwrap()));
}
