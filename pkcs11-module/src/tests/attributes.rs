//! C_GetAttributeValue on templates with every kind of answer at once, with guard bytes behind each buffer.

use core::ptr;

use super::*;
use crate::memory::testing::*;
use hsm_core::SecretBytes;

fn entry(kind: CK_ATTRIBUTE_TYPE, buffer: &mut [u8], room: usize) -> CK_ATTRIBUTE {
    CK_ATTRIBUTE { type_: kind, pValue: buffer.as_mut_ptr().cast(), ulValueLen: room as CK_ULONG }
}

fn query(kind: CK_ATTRIBUTE_TYPE) -> CK_ATTRIBUTE {
    CK_ATTRIBUTE { type_: kind, pValue: ptr::null_mut(), ulValueLen: 99 }
}

fn bytes(value: &[u8]) -> Answer {
    Answer::Bytes(SecretBytes::copy_of(value))
}

#[test]
fn every_entry_is_answered_whatever_becomes_of_the_others() {
    let mut label = [0xEE; 8];
    let mut short = [0xEE; 8];
    let mut secret = [0xEE; 8];
    let mut template = [
        entry(CKA_VALUE, &mut secret, 8),
        entry(CKA_LABEL, &mut label, 8),
        entry(CKA_MODULUS, &mut secret, 8),
        entry(CKA_ID, &mut short, 2),
        query(CKA_ID),
    ];
    let outcome = answer(raw_slice(&mut template), 5, |kinds| {
        assert_eq!(kinds, [CKA_VALUE, CKA_LABEL, CKA_MODULUS, CKA_ID, CKA_ID]);
        Ok(vec![Answer::Sensitive, bytes(b"abc"), Answer::Invalid, bytes(b"123"), bytes(b"123")])
    });
    assert!(matches!(outcome, Err(Reason::AttributeSensitive(CKA_VALUE))));
    let lengths = template.map(|attribute| attribute.ulValueLen);
    let none = CK_UNAVAILABLE_INFORMATION;
    assert_eq!(lengths, [none, 3, none, none, 3]);
    assert_eq!(&label, b"abc\xEE\xEE\xEE\xEE\xEE");
    assert_eq!((short, secret), ([0xEE; 8], [0xEE; 8]));
}

#[test]
fn the_return_value_names_the_gravest_refusal() {
    let mut buffer = [0; 1];
    let answers: [(&[Answer], CK_RV); 4] = [
        (&[bytes(b"1"), bytes(b"12")], CKR_BUFFER_TOO_SMALL),
        (&[bytes(b"12"), Answer::Invalid], CKR_ATTRIBUTE_TYPE_INVALID),
        (&[Answer::Invalid, Answer::Sensitive], CKR_ATTRIBUTE_SENSITIVE),
        (&[Answer::Sensitive, Answer::Invalid], CKR_ATTRIBUTE_SENSITIVE),
    ];
    for (given, rv) in answers {
        let mut template = [entry(CKA_ID, &mut buffer, 1); 2];
        let outcome = answer(raw_slice(&mut template), 2, |_| Ok(given.to_vec()));
        assert_eq!(outcome.map_err(|reason| reason.rv()), Err(rv), "{given:?}");
    }
}

#[test]
fn an_empty_template_asks_nothing_but_the_object() {
    answer(null(), 0, |kinds| {
        assert!(kinds.is_empty());
        Ok(Vec::new())
    })
    .unwrap();
    assert!(matches!(answer(null(), 0, |_| Err(Reason::ObjectUnknown(1))), Err(Reason::ObjectUnknown(1))));
    assert!(matches!(answer(null(), 1, |_| panic!("no work")), Err(Reason::ArgumentsBad(_))));
    let mut one = query(CKA_ID);
    let huge = answer(raw(&mut one), CK_ULONG::MAX / 24, |_| panic!("no work"));
    assert!(matches!(huge, Err(Reason::ArgumentsBad(_))));
}

#[test]
fn an_error_of_the_work_leaves_the_template_alone() {
    let mut template = [query(CKA_ID)];
    let outcome = answer(raw_slice(&mut template), 1, |_| Err(Reason::ObjectUnknown(5)));
    assert!(matches!(outcome, Err(Reason::ObjectUnknown(5))));
    assert_eq!(template[0].ulValueLen, 99);
}

/// A template with one flag and one label.
fn nested() -> Answer {
    Answer::Template(Template::default().with_flag(CKA_SENSITIVE, true).with(CKA_LABEL, b"abc"))
}

#[test]
fn a_template_is_asked_for_its_count_then_its_lengths_then_its_values() {
    let mut outer = [query(CKA_WRAP_TEMPLATE)];
    answer(raw_slice(&mut outer), 1, |_| Ok(vec![nested()])).unwrap();
    assert_eq!(outer[0].ulValueLen, 48);

    let mut inner = [query(0), query(0), query(77)];
    outer[0].pValue = inner.as_mut_ptr().cast();
    answer(raw_slice(&mut outer), 1, |_| Ok(vec![nested()])).unwrap();
    let told = inner.map(|attribute| (attribute.type_, attribute.ulValueLen));
    assert_eq!(told, [(CKA_SENSITIVE, 1), (CKA_LABEL, 3), (77, 99)]);

    let (mut flag, mut label) = ([9], [0xEE; 4]);
    let mut inner = [entry(0, &mut flag, 1), entry(0, &mut label, 3), query(77)];
    outer[0].pValue = inner.as_mut_ptr().cast();
    outer[0].ulValueLen = 72;
    answer(raw_slice(&mut outer), 1, |_| Ok(vec![nested()])).unwrap();
    assert_eq!((flag, &label, outer[0].ulValueLen, inner[2].type_), ([1], b"abc\xEE", 48, 77));
}

#[test]
fn too_small_arrays_and_buffers_of_a_template_are_told_and_not_written() {
    let mut inner = [query(5)];
    let mut outer = [CK_ATTRIBUTE { type_: CKA_WRAP_TEMPLATE, pValue: inner.as_mut_ptr().cast(), ulValueLen: 24 }];
    let outcome = answer(raw_slice(&mut outer), 1, |_| Ok(vec![nested()]));
    assert!(matches!(outcome, Err(Reason::BufferTooSmall { need: 48 })));
    assert_eq!((outer[0].ulValueLen, inner[0].type_), (CK_UNAVAILABLE_INFORMATION, 5));

    let (mut flag, mut label) = ([9], [0xEE; 4]);
    let mut inner = [entry(0, &mut flag, 1), entry(0, &mut label, 2)];
    outer[0].pValue = inner.as_mut_ptr().cast();
    outer[0].ulValueLen = 48;
    let outcome = answer(raw_slice(&mut outer), 1, |_| Ok(vec![nested()]));
    assert!(matches!(outcome, Err(Reason::BufferTooSmall { need: 3 })));
    assert_eq!((flag, label, inner[1].ulValueLen), ([1], [0xEE; 4], CK_UNAVAILABLE_INFORMATION));
}
