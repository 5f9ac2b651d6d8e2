//! Values as callers give them, judged by the form that the table states.
//!
//! Owns: lengths, ranges, dates, nested templates. Does not know: which attribute may be given when.
//! Nothing after this file doubts the form of a value again.
//! Rule source: PKCS#11 v3.1, 3.2 and 4.1; limits are those of `limits`.

use super::curves::{CurveName, octet_string_content};
use super::row::{Form, Row};
use super::tables;
use crate::limits::{ATTRIBUTE_BYTES_MAX, BIG_INTEGER_BYTES_MAX, TEMPLATE_DEPTH_MAX, TEMPLATE_ENTRIES_MAX};
use crate::object::Value;
use crate::reason::{Reason, Result};
use crate::template::{Given, Template};
use ffi_headers::{CKA_EC_PARAMS, CKA_EC_POINT};
use hsm_crypto::SecretBytes;

/// Bytes of a `CK_ULONG`.
const NUMBER_BYTES: usize = size_of::<u64>();

/// Judges one value.
///
/// # Errors
/// `AttributeValue` with the rule that it breaks; in nested templates also `AttributeUnknown` and
/// `TemplateInconsistent`.
pub(super) fn judge(row: &Row, given: &Given) -> Result<Value> {
    let mut budget = TEMPLATE_ENTRIES_MAX;
    judge_nested(row, given, 0, &mut budget)
}

/// Refuses a template that has an attribute twice: which of the two counts would be anybody's guess.
///
/// # Errors
/// `TemplateInconsistent`.
pub(super) fn refuse_duplicates(template: &Template) -> Result<()> {
    let mut kinds: Vec<u64> = template.entries.iter().map(|entry| entry.kind).collect();
    kinds.sort_unstable();
    match kinds.array_windows().find(|[one, next]| one == next) {
        None => Ok(()),
        Some([kind, _]) => Err(Reason::TemplateInconsistent { kind: *kind, problem: "given twice" }),
    }
}

/// Whether two judged values of an attribute say the same: equal, or two names of one curve, or a point
/// with and without its OCTET STRING.
pub(super) fn same(kind: u64, left: &Value, right: &Value) -> bool {
    match (kind, left, right) {
        (CKA_EC_PARAMS, Value::Bytes(left), Value::Bytes(right)) => {
            left == right
                || matches!((CurveName::parse(left.expose()), CurveName::parse(right.expose())), (Ok(l), Ok(r)) if l == r)
        }
        (CKA_EC_POINT, Value::Bytes(left), Value::Bytes(right)) => {
            let bare = |point| octet_string_content(point).unwrap_or(point);
            left == right || bare(left.expose()) == bare(right.expose())
        }
        _ => left == right,
    }
}

fn judge_nested(row: &Row, given: &Given, depth: usize, budget: &mut usize) -> Result<Value> {
    let wrong = |problem| Err(Reason::AttributeValue { kind: row.kind, problem });
    let bytes = match (given, row.form) {
        (Given::Template(template), Form::Template) => {
            return judge_template(row.kind, template, depth, budget).map(|template| Value::Template(template.into()));
        }
        (Given::Template(_), _) => return wrong("a template where a plain value belongs"),
        (Given::Bytes(bytes), _) => bytes,
    };
    if bytes.len() > ATTRIBUTE_BYTES_MAX {
        return wrong("longer than an attribute may be");
    }
    match (row.form, bytes.expose()) {
        (Form::Flag, [0]) => Ok(Value::Flag(false)),
        (Form::Flag, [1]) => Ok(Value::Flag(true)),
        (Form::Flag, [_]) => wrong("neither CK_TRUE nor CK_FALSE"),
        (Form::Flag, _) => wrong("a CK_BBOOL has one byte"),
        (Form::Number(most), bytes) => match <[u8; NUMBER_BYTES]>::try_from(bytes) {
            Ok(bytes) if u64::from_ne_bytes(bytes) > most => wrong("out of range"),
            Ok(bytes) => Ok(Value::Number(u64::from_ne_bytes(bytes))),
            // The length is all that can be wrong.
            Err(_) => wrong("a CK_ULONG has eight bytes"),
        },
        (Form::Text | Form::Bytes | Form::Der, _) => Ok(Value::Bytes(bytes.clone())),
        (Form::BigInteger, bytes) => match strip_zeros(bytes) {
            [] => wrong("an empty number, or zero"),
            digits if digits.len() > BIG_INTEGER_BYTES_MAX => wrong("a number longer than any key has"),
            digits => Ok(Value::Bytes(SecretBytes::copy_of(digits))),
        },
        (Form::Date, []) => Ok(Value::Bytes(SecretBytes::default())),
        (Form::Date, date) if is_date(date) => Ok(Value::Bytes(bytes.clone())),
        (Form::Date, _) => wrong("not a date of the calendar as YYYYMMDD"),
        (Form::Mechanisms | Form::Numbers, list) => {
            judge_mechanisms(row.kind, list).map(|list| Value::Mechanisms(list.into()))
        }
        (Form::Template, []) => Ok(Value::Template(Box::default())),
        (Form::Template, _) => wrong("not a template"),
    }
}

/// Cuts the leading zero bytes of a big-endian number.
pub(crate) fn strip_zeros(mut digits: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = digits {
        digits = rest;
    }
    digits
}

/// The number of bits of a big-endian integer, leading zeros not counted.
pub(crate) fn bit_length(integer: &[u8]) -> usize {
    match integer.iter().position(|byte| *byte != 0) {
        // A byte has at most eight leading zeros, so the conversion to usize cannot lose anything.
        Some(first) => 8 * (integer.len() - first) - integer[first].leading_zeros() as usize,
        None => 0,
    }
}

fn judge_mechanisms(kind: u64, list: &[u8]) -> Result<Vec<u64>> {
    let (numbers, rest) = list.as_chunks::<NUMBER_BYTES>();
    if !rest.is_empty() {
        return Err(Reason::AttributeValue { kind, problem: "not a whole number of CK_ULONGs" });
    }
    if numbers.len() > TEMPLATE_ENTRIES_MAX {
        return Err(Reason::AttributeValue { kind, problem: "too many of them" });
    }
    Ok(numbers.iter().map(|bytes| u64::from_ne_bytes(*bytes)).collect())
}

fn judge_template(kind: u64, template: &Template, depth: usize, budget: &mut usize) -> Result<Template> {
    if depth >= TEMPLATE_DEPTH_MAX {
        return Err(Reason::AttributeValue { kind, problem: "templates within templates too deep" });
    }
    *budget = budget
        .checked_sub(template.entries.len())
        .ok_or(Reason::AttributeValue { kind, problem: "too many attributes in nested templates" })?;
    refuse_duplicates(template)?;
    for entry in &template.entries {
        let row = tables::key_row(entry.kind).ok_or(Reason::AttributeUnknown(entry.kind))?;
        judge_nested(row, &entry.value, depth + 1, budget)?;
    }
    Ok(template.clone())
}

/// Whether eight bytes are a day of the Gregorian calendar.
fn is_date(date: &[u8]) -> bool {
    if date.len() != 8 || !date.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let number = |digits: &[u8]| digits.iter().fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    let (year, month, day) = (number(&date[..4]), number(&date[4..6]), number(&date[6..]));
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::super::row::row;
    use super::*;
    use ffi_headers::*;

    fn of(form: Form, bytes: &[u8]) -> Result<Value> {
        judge(&row(CKA_LABEL, form), &Given::Bytes(SecretBytes::copy_of(bytes)))
    }

    fn refused(result: Result<Value>) -> bool {
        matches!(result, Err(Reason::AttributeValue { .. }))
    }

    fn bytes(bytes: &[u8]) -> Value {
        Value::Bytes(SecretBytes::copy_of(bytes))
    }

    #[test]
    fn a_flag_is_one_byte_of_zero_or_one() {
        assert_eq!(of(Form::Flag, &[0]).unwrap(), Value::Flag(false));
        assert_eq!(of(Form::Flag, &[1]).unwrap(), Value::Flag(true));
        for wrong in [&[][..], &[2], &[0xff], &[1, 0], &[1, 0, 0, 0, 0, 0, 0, 0]] {
            assert!(refused(of(Form::Flag, wrong)), "{wrong:?}");
        }
    }

    #[test]
    fn a_number_is_eight_bytes_in_range() {
        assert_eq!(of(Form::Number(5), &5_u64.to_ne_bytes()).unwrap(), Value::Number(5));
        assert!(refused(of(Form::Number(5), &6_u64.to_ne_bytes())));
        for length in [0, 1, 4, 7, 9, 16] {
            assert!(refused(of(Form::Number(u64::MAX), &vec![0; length])), "{length}");
        }
    }

    #[test]
    fn a_big_integer_loses_leading_zeros_and_is_not_zero() {
        assert_eq!(of(Form::BigInteger, &[0, 0, 1, 0, 1]).unwrap(), bytes(&[1, 0, 1]));
        assert_eq!(of(Form::BigInteger, &[0x80, 0]).unwrap(), bytes(&[0x80, 0]));
        for wrong in [vec![], vec![0], vec![0; 500], vec![1; BIG_INTEGER_BYTES_MAX + 1]] {
            assert!(refused(of(Form::BigInteger, &wrong)), "{} bytes", wrong.len());
        }
    }

    #[test]
    fn bit_length_counts_from_the_first_one() {
        for (integer, bits) in
            [(&[][..], 0), (&[0, 0], 0), (&[1], 1), (&[0x80], 8), (&[0, 0x01, 0xff], 9), (&[0xff, 0, 0], 24)]
        {
            assert_eq!(bit_length(integer), bits, "{integer:02x?}");
        }
    }

    #[test]
    fn a_date_is_empty_or_a_day_of_the_calendar() {
        for right in ["", "20240229", "20000229", "19991231", "00010101"] {
            assert_eq!(of(Form::Date, right.as_bytes()).unwrap(), bytes(right.as_bytes()));
        }
        let wrong = [
            "2024",
            "20230229",
            "19000229",
            "20241301",
            "20240001",
            "20240100",
            "20240431",
            "2024022",
            "202402290",
            "2024-2-9",
            "20 40229",
            "\0\0\0\0\0\0\0\0",
        ];
        for wrong in wrong {
            assert!(refused(of(Form::Date, wrong.as_bytes())), "{wrong}");
        }
    }

    #[test]
    fn a_mechanism_list_is_whole_numbers() {
        let two = [CKM_RSA_PKCS.to_ne_bytes(), CKM_ECDSA.to_ne_bytes()].concat();
        assert_eq!(of(Form::Mechanisms, &two).unwrap(), Value::Mechanisms(Box::new([CKM_RSA_PKCS, CKM_ECDSA])));
        assert_eq!(of(Form::Mechanisms, &[]).unwrap(), Value::Mechanisms(Box::default()));
        for length in [1, 7, 9, 15, 8 * (TEMPLATE_ENTRIES_MAX + 1)] {
            assert!(refused(of(Form::Mechanisms, &vec![0; length])), "{length}");
        }
    }

    #[test]
    fn text_is_kept_as_it_is_up_to_the_limit() {
        assert_eq!(of(Form::Text, b"\xff\xfe not UTF-8").unwrap(), bytes(b"\xff\xfe not UTF-8"));
        assert!(of(Form::Text, &vec![b'x'; ATTRIBUTE_BYTES_MAX]).is_ok());
        assert!(refused(of(Form::Text, &vec![b'x'; ATTRIBUTE_BYTES_MAX + 1])));
    }

    fn nested(template: Template) -> Result<Value> {
        judge(&row(CKA_WRAP_TEMPLATE, Form::Template), &Given::Template(template))
    }

    fn within(inner: Template) -> Template {
        let mut outer = Template::default();
        outer.entries.push(crate::template::Entry { kind: CKA_UNWRAP_TEMPLATE, value: Given::Template(inner) });
        outer
    }

    #[test]
    fn a_nested_template_has_known_attributes_with_fitting_values_once() {
        let good = Template::default().with_flag(CKA_EXTRACTABLE, false).with_number(CKA_KEY_TYPE, CKK_AES);
        assert_eq!(nested(good.clone()).unwrap(), Value::Template(good.clone().into()));
        assert!(matches!(nested(good.clone().with(0x8000_1234, b"")), Err(Reason::AttributeUnknown(0x8000_1234))));
        assert!(matches!(nested(good.clone().with(CKA_APPLICATION, b"")), Err(Reason::AttributeUnknown(_))));
        assert!(refused(nested(good.clone().with(CKA_TOKEN, &[7]))));
        assert!(matches!(
            nested(good.with_number(CKA_KEY_TYPE, CKK_AES)),
            Err(Reason::TemplateInconsistent { kind: CKA_KEY_TYPE, .. })
        ));
    }

    #[test]
    fn templates_nest_to_the_limit_and_no_deeper() {
        let mut template = Template::default();
        for _ in 1..TEMPLATE_DEPTH_MAX {
            template = within(template);
        }
        assert!(nested(template.clone()).is_ok());
        assert!(refused(nested(within(template))));
    }

    #[test]
    fn a_template_is_not_a_value_and_a_value_not_a_template() {
        let given = Given::Template(Template::default());
        assert!(refused(judge(&row(CKA_LABEL, Form::Text), &given)));
        assert!(refused(of(Form::Template, &[1, 2, 3])));
        assert_eq!(of(Form::Template, &[]).unwrap(), Value::Template(Box::default()));
    }

    #[test]
    fn two_names_of_one_curve_are_the_same_parameters() {
        let printable = bytes(b"\x13\x0cedwards25519");
        let oid = bytes(CurveName::Ed25519.oid_der());
        assert!(same(CKA_EC_PARAMS, &printable, &oid));
        assert!(!same(CKA_EC_PARAMS, &bytes(CurveName::X25519.oid_der()), &oid));
        assert!(!same(CKA_LABEL, &printable, &oid));
    }
}
