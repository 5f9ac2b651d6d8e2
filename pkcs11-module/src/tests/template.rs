//! Templates at and beyond their limits.

use core::mem::size_of;
use core::ptr;

use super::*;
use crate::memory::testing::*;

fn attribute<T>(kind: CK_ATTRIBUTE_TYPE, value: &mut [T]) -> CK_ATTRIBUTE {
    CK_ATTRIBUTE { type_: kind, pValue: value.as_mut_ptr().cast(), ulValueLen: size_of_val(value) as CK_ULONG }
}

#[test]
fn attributes_come_in_the_callers_order_with_duplicates_and_empty_values() {
    let (mut label, mut id) = (*b"abc", [7_u8]);
    let mut attributes = [
        attribute(CKA_LABEL, &mut label),
        attribute(CKA_ID, &mut id),
        attribute::<u8>(CKA_LABEL, &mut []),
        CK_ATTRIBUTE { type_: CKA_ID, pValue: ptr::null_mut(), ulValueLen: 0 },
    ];
    let expected =
        Template::default().with(CKA_LABEL, b"abc").with(CKA_ID, &[7]).with(CKA_LABEL, b"").with(CKA_ID, b"");
    assert_eq!(decode(raw_slice(&mut attributes), 4).unwrap(), expected);
}

#[test]
fn null_is_an_empty_template_and_nothing_else() {
    assert_eq!(decode(null(), 0).unwrap(), Template::default());
    for count in [1, 2, CK_ULONG::MAX] {
        assert!(matches!(decode(null(), count), Err(Reason::ArgumentsBad(_))), "count {count}");
    }
}

#[test]
fn a_count_beyond_the_limit_is_refused_before_an_entry_is_read() {
    let mut one = CK_ATTRIBUTE::default();
    let size = size_of::<CK_ATTRIBUTE>() as CK_ULONG;
    for count in [1025, CK_ULONG::MAX / size, CK_ULONG::MAX / size + 1, CK_ULONG::MAX] {
        assert!(matches!(decode(raw(&mut one), count), Err(Reason::ArgumentsBad(_))), "count {count}");
    }
    let mut many = vec![CK_ATTRIBUTE::default(); 1024];
    assert_eq!(decode(raw_slice(&mut many), 1024).unwrap().entries.len(), 1024);
}

#[test]
fn a_value_is_there_and_of_a_sane_length() {
    let mut missing = CK_ATTRIBUTE { type_: CKA_ID, pValue: ptr::null_mut(), ulValueLen: 1 };
    assert!(matches!(decode(raw(&mut missing), 1), Err(Reason::ArgumentsBad(_))));
    let mut byte = 1_u8;
    for length in [(1 << 20) + 1, 1 << 63, CK_ULONG::MAX] {
        let mut long = CK_ATTRIBUTE { type_: CKA_ID, pValue: (&raw mut byte).cast(), ulValueLen: length };
        let refused = decode(raw(&mut long), 1);
        assert!(matches!(refused, Err(Reason::AttributeValue { kind: CKA_ID, .. })), "length {length}");
    }
}

#[test]
fn a_template_in_a_template_is_read_as_one() {
    let mut flag = [CK_TRUE];
    let mut inner = [attribute(CKA_SENSITIVE, &mut flag)];
    let mut outer = [attribute(CKA_UNWRAP_TEMPLATE, &mut inner), attribute::<u8>(CKA_WRAP_TEMPLATE, &mut [])];
    let template = decode(raw_slice(&mut outer), 2).unwrap();
    let nested = Template::default().with_flag(CKA_SENSITIVE, true);
    assert_eq!(template.entries[0], Entry { kind: CKA_UNWRAP_TEMPLATE, value: Given::Template(nested) });
    assert_eq!(template.entries[1], Entry { kind: CKA_WRAP_TEMPLATE, value: Given::Template(Template::default()) });
}

#[test]
fn a_list_of_mechanisms_is_bytes_although_it_has_the_array_flag() {
    let mut mechanisms = [CKM_RSA_PKCS, CKM_ECDSA];
    let mut template = [attribute(CKA_ALLOWED_MECHANISMS, &mut mechanisms)];
    let decoded = decode(raw_slice(&mut template), 1).unwrap();
    assert_eq!(decoded.bytes(CKA_ALLOWED_MECHANISMS).unwrap().len(), 16);
}

#[test]
fn a_nested_template_has_a_whole_number_of_attributes() {
    let mut inner = [CK_ATTRIBUTE::default(); 2];
    for length in [1, 23, 25, 47] {
        let mut outer = attribute(CKA_WRAP_TEMPLATE, &mut inner);
        outer.ulValueLen = length;
        let refused = decode(raw(&mut outer), 1);
        assert!(matches!(refused, Err(Reason::AttributeValue { kind: CKA_WRAP_TEMPLATE, .. })), "length {length}");
    }
    let mut null = CK_ATTRIBUTE { type_: CKA_WRAP_TEMPLATE, pValue: ptr::null_mut(), ulValueLen: 24 };
    assert!(matches!(decode(raw(&mut null), 1), Err(Reason::ArgumentsBad(_))));
}

#[test]
#[cfg_attr(
    miri,
    ignore = "two pointers reach a template that holds itself, as a caller may have it and no test in Rust can"
)]
fn nesting_ends_at_its_limit_also_when_a_template_holds_itself() {
    let mut own = CK_ATTRIBUTE { type_: CKA_WRAP_TEMPLATE, pValue: ptr::null_mut(), ulValueLen: 24 };
    own.pValue = (&raw mut own).cast();
    assert!(matches!(decode(raw(&mut own), 1), Err(Reason::ArgumentsBad("templates are nested too deeply"))));
}

#[test]
fn entries_of_nested_templates_count_towards_the_total() {
    let mut inner = vec![CK_ATTRIBUTE::default(); 600];
    let one = attribute(CKA_WRAP_TEMPLATE, &mut inner);
    let mut outer = [one, CK_ATTRIBUTE { type_: CKA_UNWRAP_TEMPLATE, ..one }];
    assert!(decode(raw_slice(&mut outer), 1).is_ok());
    assert!(matches!(decode(raw_slice(&mut outer), 2), Err(Reason::ArgumentsBad(_))));
}

#[test]
#[cfg_attr(miri, ignore = "the address of the value is written as a number")]
fn templates_may_stand_at_odd_addresses() {
    let mut value = *b"x";
    let one = attribute(CKA_LABEL, &mut value);
    let mut buffer = [0_u8; 32];
    let place = raw_inside::<CK_ATTRIBUTE>(&mut buffer, 5);
    place.kind().write(one.type_);
    raw_inside::<CK_ULONG>(&mut buffer, 13).out("pValue").unwrap().write(one.pValue.expose_provenance() as CK_ULONG);
    raw_inside::<CK_ATTRIBUTE>(&mut buffer, 5).value_length().write(1);
    let template = decode(raw_inside(&mut buffer, 5), 1).unwrap();
    assert_eq!(template, Template::default().with(CKA_LABEL, b"x"));
}
