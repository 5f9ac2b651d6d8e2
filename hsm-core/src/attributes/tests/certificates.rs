//! Certificates: what is read from their DER, what is kept as given, what is refused.

use super::*;

/// A self-signed P-256 certificate made with OpenSSL: C=DE, O=Example, CN=signer, serial 00C0FFEE.
const SIGNER: &[u8] = include_bytes!("signer.der");
const NAME: &[u8] =
    b"\x30\x30\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02DE\x31\x10\x30\x0e\x06\x03\x55\x04\x0a\x0c\x07Example\
    \x31\x0f\x30\x0d\x06\x03\x55\x04\x03\x0c\x06signer";

fn certificate() -> Template {
    none().with_number(CKA_CLASS, CKO_CERTIFICATE).with_number(CKA_CERTIFICATE_TYPE, CKC_X_509)
}

/// A DER value.
fn tlv(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let length = u8::try_from(content.len()).unwrap();
    if length < 0x80 { [&[tag, length], &content[..]].concat() } else { [&[tag, 0x81, length], &content[..]].concat() }
}

/// A certificate of the fields that matter, with this validity and extra element.
fn made_of(validity: &[u8], extra: &[u8]) -> Vec<u8> {
    let algorithm = tlv(0x30, &[&[0x06, 0x03, 0x2b, 0x65, 0x70]]);
    let name = tlv(0x30, &[]);
    let key = tlv(0x30, &[&algorithm, &tlv(0x03, &[&[0], &[7; 32]])]);
    let fields: &[&[u8]] = &[&[0x02, 0x01, 0x05], &algorithm, &name, validity, &name, &key, extra];
    tlv(0x30, &[&tlv(0x30, fields), &algorithm, &tlv(0x03, &[&[0, 1]])])
}

fn days(from: &[u8], to: &[u8], tag: u8) -> Vec<u8> {
    tlv(0x30, &[&tlv(tag, &[from]), &tlv(tag, &[to])])
}

#[test]
fn what_the_template_leaves_out_is_read_from_the_certificate() {
    let object = create(&certificate().with(CKA_VALUE, SIGNER)).unwrap();
    let expected: &[(u64, &[u8])] = &[
        (CKA_SUBJECT, NAME),
        (CKA_ISSUER, NAME),
        (CKA_SERIAL_NUMBER, &[0x02, 0x04, 0x00, 0xc0, 0xff, 0xee]),
        (CKA_START_DATE, b"20261123"),
        (CKA_END_DATE, b"20361120"),
        (CKA_CHECK_VALUE, &[0x78, 0x96, 0x8c]),
        (CKA_ID, b""),
        (CKA_LABEL, b""),
        (CKA_TRUSTED, &[0]),
        (CKA_PRIVATE, &[0]),
        (CKA_CERTIFICATE_CATEGORY, &[0; 8]),
        (CKA_JAVA_MIDP_SECURITY_DOMAIN, &[0; 8]),
        (CKA_URL, b""),
    ];
    for (kind, value) in expected {
        assert_eq!(told(&object, *kind), *value, "{kind:#x}");
    }
    assert_eq!(told(&object, CKA_NAME_HASH_ALGORITHM), CKM_SHA_1.to_ne_bytes());
    let info = told(&object, CKA_PUBLIC_KEY_INFO);
    assert_eq!((info.len(), &info[..4]), (91, &[0x30, 0x59, 0x30, 0x13][..]));
    assert!(SIGNER.windows(info.len()).any(|window| window == info));
}

#[test]
fn names_and_serial_number_are_kept_as_given() {
    let template = certificate()
        .with(CKA_VALUE, SIGNER)
        .with(CKA_SUBJECT, b"anything")
        .with(CKA_ISSUER, b"")
        .with(CKA_SERIAL_NUMBER, &[0xc0, 0xff, 0xee]);
    let object = create(&template).unwrap();
    assert_eq!(told(&object, CKA_SUBJECT), b"anything");
    assert_eq!(told(&object, CKA_ISSUER), NAME, "given empty, it is filled");
    assert_eq!(told(&object, CKA_SERIAL_NUMBER), [0xc0, 0xff, 0xee]);
}

/// NSS tries the serial number as DER and bare; only the kept form is found.
#[test]
fn a_serial_number_is_found_in_its_kept_form() {
    let object = create(&certificate().with(CKA_VALUE, SIGNER)).unwrap();
    let search = |serial: &[u8]| matches(&object, &none().with(CKA_ISSUER, NAME).with(CKA_SERIAL_NUMBER, serial));
    assert!(search(&[0x02, 0x04, 0x00, 0xc0, 0xff, 0xee]));
    assert!(!search(&[0x00, 0xc0, 0xff, 0xee]));
    assert!(matches(&object, &none().with(CKA_VALUE, SIGNER)));
}

#[test]
fn the_type_is_x_509_where_it_is_not_given() {
    let object = create(&none().with_number(CKA_CLASS, CKO_CERTIFICATE).with(CKA_VALUE, SIGNER)).unwrap();
    assert_eq!(object.number(CKA_CERTIFICATE_TYPE), Some(CKC_X_509));
    for other in [CKC_X_509_ATTR_CERT, CKC_WTLS, 0x8000_0000] {
        let template = none().with_number(CKA_CLASS, CKO_CERTIFICATE).with_number(CKA_CERTIFICATE_TYPE, other);
        assert_eq!(rv(create(&template.with(CKA_VALUE, SIGNER))), CKR_ATTRIBUTE_VALUE_INVALID);
    }
}

#[test]
fn what_is_not_one_certificate_is_refused() {
    let longer = [SIGNER, &[0]].concat();
    let cases: &[&[u8]] = &[b"garbage", &[0x30], &[0x30, 0x00], &SIGNER[..SIGNER.len() - 1], &longer, NAME];
    for value in cases {
        assert_eq!(rv(create(&certificate().with(CKA_VALUE, value))), CKR_ATTRIBUTE_VALUE_INVALID, "{value:02x?}");
    }
    assert_eq!(rv(create(&certificate())), CKR_TEMPLATE_INCOMPLETE);
    assert_eq!(rv(create(&certificate().with(CKA_VALUE, b""))), CKR_TEMPLATE_INCOMPLETE);
}

#[test]
fn no_cut_or_changed_certificate_makes_the_reader_panic() {
    for length in 0..SIGNER.len() {
        assert!(crate::certificate::parse(&SIGNER[..length]).is_err(), "{length}");
    }
    for place in 0..SIGNER.len() {
        for value in [0x00, 0x7f, 0x80, 0xff] {
            let mut changed = SIGNER.to_vec();
            changed[place] = value;
            // Many such changes leave a certificate; all that is asked here is an answer.
            let _answer = crate::certificate::parse(&changed);
        }
    }
}

#[test]
fn check_value_and_public_key_that_are_given_must_be_the_certificates() {
    let value = certificate().with(CKA_VALUE, SIGNER);
    let info = told(&create(&value).unwrap(), CKA_PUBLIC_KEY_INFO);
    let good = [
        value.clone().with(CKA_CHECK_VALUE, &[0x78, 0x96, 0x8c]),
        value.clone().with(CKA_CHECK_VALUE, b""),
        value.clone().with(CKA_PUBLIC_KEY_INFO, &info),
        value.clone().with(CKA_PUBLIC_KEY_INFO, b""),
    ];
    for template in good {
        let object = create(&template).unwrap();
        assert_eq!(told(&object, CKA_PUBLIC_KEY_INFO), info);
    }
    let bad = [
        value.clone().with(CKA_CHECK_VALUE, &[0x78, 0x96, 0x8d]),
        value.clone().with(CKA_CHECK_VALUE, &[0x78]),
        value.clone().with(CKA_PUBLIC_KEY_INFO, &info[1..]),
        value.with_number(CKA_CERTIFICATE_CATEGORY, 4),
    ];
    for template in bad {
        assert_eq!(rv(create(&template)), CKR_ATTRIBUTE_VALUE_INVALID, "{template:?}");
    }
}

#[test]
fn dates_are_read_from_both_time_forms_and_left_empty_where_there_are_none() {
    let cases: &[(Vec<u8>, &[u8], &[u8])] = &[
        (days(b"240229000000Z", b"491231235959Z", 0x17), b"20240229", b"20491231"),
        (days(b"20500101000000Z", b"99991231235959Z", 0x18), b"20500101", b"99991231"),
        (days(b"500101000000Z", b"600101000000Z", 0x17), b"", b""),
        (days(b"nonsense", b"nonsense", 0x17), b"", b""),
    ];
    for (validity, start, end) in cases {
        let object = create(&certificate().with(CKA_VALUE, &made_of(validity, b""))).unwrap();
        assert_eq!((&*told(&object, CKA_START_DATE), &*told(&object, CKA_END_DATE)), (*start, *end));
    }
    let given = certificate().with(CKA_VALUE, SIGNER).with(CKA_START_DATE, b"20200101");
    assert_eq!(told(&create(&given).unwrap(), CKA_START_DATE), b"20200101");
}

/// Certificates whose extensions are not strict DER are in use; a token is not their judge.
#[test]
fn unusual_extensions_do_not_matter() {
    let validity = days(b"240229000000Z", b"340228235959Z", 0x17);
    let extensions = tlv(0xa3, &[&tlv(0x30, &[&tlv(0x30, &[&[0x06, 0x01, 0x2a], &[0x01, 0x01, 0x00]])])]);
    assert!(create(&certificate().with(CKA_VALUE, &made_of(&validity, &extensions))).is_ok());
}

#[test]
fn a_certificate_that_is_elsewhere_needs_its_address_and_hashes() {
    let elsewhere = certificate()
        .with(CKA_URL, b"http://example.test/c.der")
        .with(CKA_SUBJECT, NAME)
        .with(CKA_HASH_OF_SUBJECT_PUBLIC_KEY, &[1; 20]);
    assert_eq!(rv(create(&elsewhere)), CKR_TEMPLATE_INCOMPLETE);
    let object = create(&elsewhere.with(CKA_HASH_OF_ISSUER_PUBLIC_KEY, &[2; 20])).unwrap();
    assert_eq!(told(&object, CKA_VALUE), b"");
    assert_eq!(told(&object, CKA_CHECK_VALUE), b"");
}

/// GnuTLS as SO marks certificates as trusted and sets their category.
#[test]
fn the_officer_trusts_certificates_and_their_owner_renames_them() {
    let object = create(&certificate().with(CKA_VALUE, SIGNER)).unwrap();
    let trust = none().with_flag(CKA_TRUSTED, true).with_number(CKA_CERTIFICATE_CATEGORY, 2);
    assert_eq!(rv(modify(&env(), USER, &object, &trust)), CKR_ATTRIBUTE_READ_ONLY);
    let trusted = modify(&env(), OFFICER, &object, &trust).unwrap();
    assert!(trusted.flag(CKA_TRUSTED));
    assert_eq!(trusted.number(CKA_CERTIFICATE_CATEGORY), Some(2));
    let names = none().with(CKA_ID, b"id").with(CKA_LABEL, b"label").with(CKA_SUBJECT, b"subject");
    assert_eq!(told(&modify(&env(), USER, &object, &names).unwrap(), CKA_SUBJECT), b"subject");
    for fixed in [none().with(CKA_VALUE, SIGNER), none().with_number(CKA_CERTIFICATE_TYPE, 0)] {
        assert_eq!(rv(modify(&env(), USER, &object, &fixed)), CKR_ATTRIBUTE_READ_ONLY);
    }
}
