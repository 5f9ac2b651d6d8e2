//! Key material on C_CreateObject: forms, completion, and what makes no key.

use super::*;
use curves::{CurveName, octet_string, octet_string_content};
use hsm_crypto::ec::Curve;
use hsm_crypto::encoding::decode_spki;

fn rsa_public() -> Template {
    of(CKO_PUBLIC_KEY, CKK_RSA).with(CKA_MODULUS, &RSA.modulus)
}

/// An RSA private key with modulus, private exponent and these other parts.
fn rsa_private(others: &[u64]) -> Template {
    let all = object::private_material(PrivateForm::Rsa(RSA.clone()));
    let mut template = of(CKO_PRIVATE_KEY, CKK_RSA);
    for kind in [CKA_MODULUS, CKA_PRIVATE_EXPONENT].iter().chain(others) {
        let Some(Value::Bytes(value)) = all.get(*kind) else { panic!("{kind:#x}") };
        template.push(*kind, value.expose());
    }
    template
}

const CRT: [u64; 5] = [CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT];

fn ec_private(curve: Curve, scalar: &[u8]) -> Template {
    of(CKO_PRIVATE_KEY, CKK_EC).with(CKA_EC_PARAMS, CurveName::Weierstrass(curve).oid_der()).with(CKA_VALUE, scalar)
}

fn ec_public(curve: Curve, point: &[u8]) -> Template {
    of(CKO_PUBLIC_KEY, CKK_EC).with(CKA_EC_PARAMS, CurveName::Weierstrass(curve).oid_der()).with(CKA_EC_POINT, point)
}

/// The uncompressed point of the scalar 2.
fn point_of_two(curve: Curve) -> Vec<u8> {
    (env().engine.ec_private)(curve, &[2]).unwrap().public_point()
}

#[test]
fn an_rsa_public_key_gets_its_size_exponent_and_info() {
    let object = create(&rsa_public()).unwrap();
    assert_eq!(object.number(CKA_MODULUS_BITS), Some(1024));
    assert_eq!(told(&object, CKA_PUBLIC_EXPONENT), [1, 0, 1]);
    let form = decode_spki(&told(&object, CKA_PUBLIC_KEY_INFO)).unwrap();
    assert_eq!(form, object::public_form(&object.attributes()).unwrap());
}

#[test]
fn rsa_numbers_may_have_leading_zeros_and_are_kept_without() {
    let template = of(CKO_PUBLIC_KEY, CKK_RSA)
        .with(CKA_MODULUS, &[&[0, 0], &RSA.modulus[..]].concat())
        .with(CKA_PUBLIC_EXPONENT, &[0, 1, 0, 1])
        .with_number(CKA_MODULUS_BITS, 1024);
    let object = create(&template).unwrap();
    assert_eq!(told(&object, CKA_MODULUS), RSA.modulus);
    assert_eq!(told(&object, CKA_PUBLIC_EXPONENT), [1, 0, 1]);
}

#[test]
fn rsa_public_keys_that_are_none_are_refused() {
    let even = {
        let mut n = RSA.modulus.clone();
        *n.last_mut().unwrap() &= 0xfe;
        n
    };
    let cases = [
        ("no modulus", of(CKO_PUBLIC_KEY, CKK_RSA), CKR_TEMPLATE_INCOMPLETE),
        ("empty", of(CKO_PUBLIC_KEY, CKK_RSA).with(CKA_MODULUS, b""), CKR_ATTRIBUTE_VALUE_INVALID),
        ("zero", of(CKO_PUBLIC_KEY, CKK_RSA).with(CKA_MODULUS, &[0; 128]), CKR_ATTRIBUTE_VALUE_INVALID),
        ("short", of(CKO_PUBLIC_KEY, CKK_RSA).with(CKA_MODULUS, &[0xff; 64]), CKR_ATTRIBUTE_VALUE_INVALID),
        ("even", of(CKO_PUBLIC_KEY, CKK_RSA).with(CKA_MODULUS, &even), CKR_ATTRIBUTE_VALUE_INVALID),
        ("exponent 1", rsa_public().with(CKA_PUBLIC_EXPONENT, &[1]), CKR_ATTRIBUTE_VALUE_INVALID),
        ("exponent 0", rsa_public().with(CKA_PUBLIC_EXPONENT, &[0]), CKR_ATTRIBUTE_VALUE_INVALID),
        ("wrong size", rsa_public().with_number(CKA_MODULUS_BITS, 2048), CKR_TEMPLATE_INCONSISTENT),
    ];
    for (name, template, expected) in cases {
        assert_eq!(rv(create(&template)), expected, "{name}");
    }
}

#[test]
fn rsa_private_keys_are_completed_from_whatever_is_given() {
    let given: &[&[u64]] = &[
        &[CKA_PUBLIC_EXPONENT],
        &[],
        &[CKA_PUBLIC_EXPONENT, CKA_PRIME_1, CKA_PRIME_2],
        &[CKA_PRIME_1, CKA_PRIME_2],
        &CRT,
    ];
    for others in given {
        let object = create(&rsa_private(others)).unwrap();
        let Ok(PrivateForm::Rsa(parts)) = object::private_form(&object) else { panic!("not an RSA key") };
        assert_eq!(parts.public_exponent, RSA.public_exponent);
        let mut primes = [parts.prime_1, parts.prime_2].map(|prime| prime.expose().to_vec());
        let mut expected = [&RSA.prime_1, &RSA.prime_2].map(|prime| prime.expose().to_vec());
        primes.sort();
        expected.sort();
        assert_eq!(primes, expected);
        assert!(decode_spki(&told(&object, CKA_PUBLIC_KEY_INFO)).is_ok());
        assert!(object.key(&env()).is_ok());
    }
}

#[test]
fn inconsistent_rsa_private_keys_are_refused() {
    let all: Vec<u64> = [&[CKA_PUBLIC_EXPONENT][..], &CRT].concat();
    let whole = rsa_private(&all);
    assert_eq!(rv(create(&whole)), CKR_OK);
    for entry in 2..whole.entries.len() {
        let mut template = whole.clone();
        let mut value = SecretBytes::copy_of(template.bytes(template.entries[entry].kind).unwrap());
        *value.expose_mut().last_mut().unwrap() ^= 2;
        template.entries[entry].value = crate::template::Given::Bytes(value);
        let kind = template.entries[entry].kind;
        assert_eq!(rv(create(&template)), CKR_ATTRIBUTE_VALUE_INVALID, "{kind:#x}");
    }
    let other = of(CKO_PRIVATE_KEY, CKK_RSA).with(CKA_MODULUS, &RSA.modulus).with(CKA_PRIVATE_EXPONENT, &[5; 128]);
    assert_eq!(rv(create(&other)), CKR_ATTRIBUTE_VALUE_INVALID);
}

#[test]
fn points_are_taken_in_every_form_and_kept_in_one() {
    for curve in Curve::ALL {
        let point = point_of_two(curve);
        let half = point.len() / 2;
        let compressed = [&[2 + (point[point.len() - 1] & 1)], &point[1..=half]].concat();
        for given in [point.clone(), octet_string(&point), compressed.clone(), octet_string(&compressed)] {
            let object = create(&ec_public(curve, &given)).unwrap();
            assert_eq!(told(&object, CKA_EC_POINT), octet_string(&point), "{curve:?}");
            assert_eq!(told(&object, CKA_EC_PARAMS), CurveName::Weierstrass(curve).oid_der());
            assert!(decode_spki(&told(&object, CKA_PUBLIC_KEY_INFO)).is_ok());
        }
    }
}

#[test]
fn points_that_are_not_on_the_curve_are_refused() {
    for curve in Curve::ALL {
        let mut off = point_of_two(curve);
        *off.last_mut().unwrap() ^= 1;
        let zero = [&[4][..], &vec![0; 2 * curve.field_bytes()]].concat();
        let large = [&[4][..], &vec![0xff; 2 * curve.field_bytes()]].concat();
        for point in [off, zero, large, vec![0], vec![]] {
            assert_eq!(rv(create(&ec_public(curve, &point))), CKR_ATTRIBUTE_VALUE_INVALID, "{curve:?} {point:02x?}");
        }
    }
}

#[test]
fn parameters_are_taken_by_name_and_refused_by_reason() {
    let point = point_of_two(Curve::P256);
    let with =
        |params: &[u8]| create(&of(CKO_PUBLIC_KEY, CKK_EC).with(CKA_EC_PARAMS, params).with(CKA_EC_POINT, &point));
    let named = with(b"\x13\x0aprime256v1").unwrap();
    assert_eq!(told(&named, CKA_EC_PARAMS), CurveName::Weierstrass(Curve::P256).oid_der());
    assert_eq!(rv(with(&[0x30, 0x03, 0x02, 0x01, 0x01])), CKR_CURVE_NOT_SUPPORTED);
    assert_eq!(rv(with(&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x1f])), CKR_CURVE_NOT_SUPPORTED);
    assert_eq!(rv(with(b"garbage")), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_eq!(rv(with(CurveName::Ed25519.oid_der())), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_eq!(rv(with(CurveName::Weierstrass(Curve::P384).oid_der())), CKR_ATTRIBUTE_VALUE_INVALID);
}

#[test]
fn ec_scalars_are_padded_and_their_point_is_computed() {
    for curve in Curve::ALL {
        let long = [&[0; 3][..], &vec![0; curve.field_bytes() - 1], &[2]].concat();
        for scalar in [vec![2], vec![0, 2], long] {
            let object =
                create(&ec_private(curve, &scalar).with_flag(CKA_SENSITIVE, false).with_flag(CKA_EXTRACTABLE, true));
            let object = object.unwrap();
            assert_eq!(told(&object, CKA_VALUE).len(), curve.field_bytes());
            assert_eq!(told(&object, CKA_EC_POINT), octet_string(&point_of_two(curve)));
            assert!(decode_spki(&told(&object, CKA_PUBLIC_KEY_INFO)).is_ok());
        }
    }
}

#[test]
fn ec_scalars_out_of_range_are_refused() {
    for curve in Curve::ALL {
        let field = curve.field_bytes();
        for scalar in [vec![], vec![0], vec![0; field], vec![0xff; field], vec![1; field + 1]] {
            assert_eq!(rv(create(&ec_private(curve, &scalar))), CKR_ATTRIBUTE_VALUE_INVALID, "{curve:?} {scalar:02x?}");
        }
    }
}

#[test]
fn a_point_given_with_a_private_key_must_be_its_own() {
    let right = point_of_two(Curve::P256);
    let wrong = (env().engine.ec_private)(Curve::P256, &[3]).unwrap().public_point();
    assert_eq!(rv(create(&ec_private(Curve::P256, &[2]).with(CKA_EC_POINT, &right))), CKR_OK);
    assert_eq!(rv(create(&ec_private(Curve::P256, &[2]).with(CKA_EC_POINT, &octet_string(&right)))), CKR_OK);
    let mismatch = ec_private(Curve::P256, &[2]).with(CKA_EC_POINT, &wrong);
    assert_eq!(rv(create(&mismatch)), CKR_ATTRIBUTE_VALUE_INVALID);
}

#[test]
fn keys_on_the_25519_curves_keep_the_form_of_their_parameters() {
    let cases: &[(u64, &[u8], &[u8])] = &[
        (CKK_EC_EDWARDS, b"\x13\x0cedwards25519", b"\x13\x0cedwards25519"),
        (CKK_EC_EDWARDS, CurveName::Ed25519.oid_der(), CurveName::Ed25519.oid_der()),
        (CKK_EC_MONTGOMERY, b"\x13\x0acurve25519", b"\x13\x0acurve25519"),
        (CKK_EC_MONTGOMERY, CurveName::X25519.oid_der(), CurveName::X25519.oid_der()),
    ];
    for (key_type, given, kept) in cases {
        let private = of(CKO_PRIVATE_KEY, *key_type).with(CKA_EC_PARAMS, given).with(CKA_VALUE, &[7; 32]);
        let private = create(&private).unwrap();
        assert_eq!(told(&private, CKA_EC_PARAMS), *kept);
        let wrapped = told(&private, CKA_EC_POINT);
        let raw = octet_string_content(&wrapped).unwrap();
        assert_eq!(raw.len(), 32);
        for point in [raw, &wrapped] {
            let public = of(CKO_PUBLIC_KEY, *key_type).with(CKA_EC_PARAMS, given).with(CKA_EC_POINT, point);
            let public = create(&public).unwrap();
            assert_eq!(told(&public, CKA_EC_POINT), wrapped);
            assert_eq!(told(&public, CKA_PUBLIC_KEY_INFO), told(&private, CKA_PUBLIC_KEY_INFO));
        }
        for length in [0, 31, 33, 64] {
            let short = of(CKO_PRIVATE_KEY, *key_type).with(CKA_EC_PARAMS, given).with(CKA_VALUE, &vec![7; length]);
            assert_eq!(rv(create(&short)), CKR_ATTRIBUTE_VALUE_INVALID, "{length}");
        }
    }
}

#[test]
fn an_edwards_point_that_is_none_is_refused() {
    // 2 is the y coordinate of no point on the curve.
    let mut y = [0; 32];
    y[0] = 2;
    let template = of(CKO_PUBLIC_KEY, CKK_EC_EDWARDS).with(CKA_EC_PARAMS, CurveName::Ed25519.oid_der());
    assert_eq!(rv(create(&template.with(CKA_EC_POINT, &y))), CKR_ATTRIBUTE_VALUE_INVALID);
}

#[test]
fn public_key_info_that_is_given_must_be_of_the_key() {
    let info = told(&create(&rsa_public()).unwrap(), CKA_PUBLIC_KEY_INFO);
    let other = told(&create(&ec_public(Curve::P256, &point_of_two(Curve::P256))).unwrap(), CKA_PUBLIC_KEY_INFO);
    assert_eq!(rv(create(&rsa_public().with(CKA_PUBLIC_KEY_INFO, &info))), CKR_OK);
    assert_eq!(told(&create(&rsa_public().with(CKA_PUBLIC_KEY_INFO, b"")).unwrap(), CKA_PUBLIC_KEY_INFO), info);
    for wrong in [&other[..], &info[1..], b"x"] {
        let template = rsa_public().with(CKA_PUBLIC_KEY_INFO, wrong);
        assert_eq!(rv(create(&template)), CKR_ATTRIBUTE_VALUE_INVALID);
    }
}

#[test]
fn aes_keys_have_three_sizes() {
    for length in 0..=40 {
        let template = of(CKO_SECRET_KEY, CKK_AES).with(CKA_VALUE, &vec![1; length]);
        let expected = if [16, 24, 32].contains(&length) { CKR_OK } else { CKR_ATTRIBUTE_VALUE_INVALID };
        assert_eq!(rv(create(&template)), expected, "{length}");
    }
}

#[test]
fn generic_secrets_have_a_byte_at_least_and_64_kib_at_most() {
    for key_type in [
        CKK_GENERIC_SECRET,
        CKK_SHA_1_HMAC,
        CKK_SHA224_HMAC,
        CKK_SHA256_HMAC,
        CKK_SHA384_HMAC,
        CKK_SHA512_HMAC,
        CKK_SHA512_224_HMAC,
        CKK_SHA512_256_HMAC,
        CKK_SHA512_T_HMAC,
        CKK_SHA3_224_HMAC,
        CKK_SHA3_256_HMAC,
        CKK_SHA3_384_HMAC,
        CKK_SHA3_512_HMAC,
        CKK_MD5_HMAC,
        CKK_RIPEMD160_HMAC,
    ] {
        for (length, expected) in [
            (0, CKR_ATTRIBUTE_VALUE_INVALID),
            (1, CKR_OK),
            (1 << 16, CKR_OK),
            ((1 << 16) + 1, CKR_ATTRIBUTE_VALUE_INVALID),
        ] {
            let template = of(CKO_SECRET_KEY, key_type).with(CKA_VALUE, &vec![1; length]);
            assert_eq!(rv(create(&template)), expected, "{key_type:#x} {length}");
        }
    }
}

#[test]
fn keys_of_blake2b_have_a_byte_at_least_and_64_at_most() {
    for key_type in [CKK_BLAKE2B_160_HMAC, CKK_BLAKE2B_256_HMAC, CKK_BLAKE2B_384_HMAC, CKK_BLAKE2B_512_HMAC] {
        for (length, expected) in
            [(0, CKR_ATTRIBUTE_VALUE_INVALID), (1, CKR_OK), (64, CKR_OK), (65, CKR_ATTRIBUTE_VALUE_INVALID)]
        {
            let template = of(CKO_SECRET_KEY, key_type).with(CKA_VALUE, &vec![1; length]);
            assert_eq!(rv(create(&template)), expected, "{key_type:#x} {length}");
        }
    }
}

#[test]
fn a_length_given_with_a_value_must_be_right() {
    assert_eq!(create(&aes_template()).unwrap().number(CKA_VALUE_LEN), Some(16));
    assert_eq!(rv(create(&aes_template().with_number(CKA_VALUE_LEN, 16))), CKR_OK);
    assert_eq!(rv(create(&aes_template().with_number(CKA_VALUE_LEN, 32))), CKR_TEMPLATE_INCONSISTENT);
}

/// AES-128 of a zero block under the zero key starts 66e94b (FIPS 197); SHA-1 of "abc" starts a9993e (FIPS 180-4).
#[test]
fn check_values_are_computed_as_the_standard_says() {
    let zero_aes = of(CKO_SECRET_KEY, CKK_AES).with(CKA_VALUE, &[0; 16]);
    let abc = of(CKO_SECRET_KEY, CKK_GENERIC_SECRET).with(CKA_VALUE, b"abc");
    for (template, check) in [(zero_aes, [0x66, 0xe9, 0x4b]), (abc, [0xa9, 0x99, 0x3e])] {
        assert_eq!(told(&create(&template).unwrap(), CKA_CHECK_VALUE), check);
        assert_eq!(rv(create(&template.clone().with(CKA_CHECK_VALUE, &check))), CKR_OK);
        let silent = create(&template.clone().with(CKA_CHECK_VALUE, b"")).unwrap();
        assert_eq!(told(&silent, CKA_CHECK_VALUE), b"");
        for wrong in [&[1, 2, 3][..], &check[..2], &[check[0], check[1], check[2], 0]] {
            let template = template.clone().with(CKA_CHECK_VALUE, wrong);
            assert_eq!(rv(create(&template)), CKR_ATTRIBUTE_VALUE_INVALID);
        }
    }
}

#[test]
fn attributes_go_through_a_template_and_back() {
    for material in private_materials().into_iter().chain(secret_materials()) {
        let direct = generate(&none(), material.clone()).unwrap();
        let created = create(&object::template(&material)).unwrap();
        for kind in [CKA_VALUE, CKA_PRIVATE_EXPONENT, CKA_EC_POINT, CKA_CHECK_VALUE] {
            assert_eq!(created.bytes(kind), direct.bytes(kind), "{kind:#x}");
        }
    }
}
