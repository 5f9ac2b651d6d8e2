//! What must not pass: keys, points, parameters and inputs that are wrong, and the error that each gets in every engine.

#![allow(clippy::unwrap_used, reason = "the lint knows test functions, and not what they share")]

mod common;

use common::{Broken, System, engines, hex, random_bytes};
use hsm_crypto::cipher::{Direction, GcmParams, KeyWrap, Mode};
use hsm_crypto::ec::{Curve, ScalarMethod};
use hsm_crypto::rsa::{OaepParams, PssParams, RsaParts};
use hsm_crypto::{CryptoError, Hash, SecretBytes, SymmetricKey, portable, preferred};
use std::sync::OnceLock;

fn key(exponent: &[u8]) -> RsaParts {
    (preferred().rsa_generate)(1024, exponent, &System).unwrap().parts
}

fn usual_key() -> &'static RsaParts {
    static KEY: OnceLock<RsaParts> = OnceLock::new();
    KEY.get_or_init(|| key(&[1, 0, 1]))
}

fn without_crt(parts: &RsaParts) -> RsaParts {
    let empty = SecretBytes::default;
    RsaParts {
        prime_1: empty(),
        prime_2: empty(),
        exponent_1: empty(),
        exponent_2: empty(),
        coefficient: empty(),
        ..parts.clone()
    }
}

fn changed(secret: &SecretBytes) -> SecretBytes {
    let mut bytes = secret.clone();
    let middle = bytes.len() / 2;
    bytes.expose_mut()[middle] ^= 1;
    bytes
}

fn sum(a: &[u8], b: &[u8]) -> Vec<u8> {
    let (long, short) = if a.len() < b.len() { (b, a) } else { (a, b) };
    let mut out = Vec::new();
    let mut carry = 0;
    for (place, digit) in long.iter().rev().enumerate() {
        let other = if place < short.len() { short[short.len() - 1 - place] } else { 0 };
        let digit = u16::from(*digit) + u16::from(other) + carry;
        out.push(digit as u8);
        carry = digit >> 8;
    }
    out.push(carry as u8);
    out.reverse();
    out
}

#[test]
fn rsa_keys_work_without_the_numbers_that_can_be_recovered() {
    for exponent in [&[3][..], &[17], &[1, 0, 1], &[1, 0, 0, 0, 15]] {
        for engine in engines() {
            let parts = (engine.rsa_generate)(1024, exponent, &System).unwrap().parts;
            assert_eq!(parts.public_exponent, exponent);
            let message = random_bytes(20);
            let expected = (engine.rsa_private)(&parts).unwrap().sign_pkcs1(&message, &System).unwrap();
            let only_primes =
                RsaParts { prime_1: parts.prime_1.clone(), prime_2: parts.prime_2.clone(), ..without_crt(&parts) };
            for lacking in [without_crt(&parts), only_primes] {
                let signature = (engine.rsa_private)(&lacking).unwrap().sign_pkcs1(&message, &System).unwrap();
                assert_eq!(signature, expected, "{}, e = {exponent:?}", engine.name);
            }
            let completed = without_crt(&parts).completed().unwrap();
            assert_eq!(completed.modulus, parts.modulus);
            assert!([&parts.prime_1, &parts.prime_2].contains(&&completed.prime_1));
        }
    }
}

#[test]
fn leading_zeros_in_rsa_numbers_change_nothing() {
    let pad = |bytes: &[u8]| [&[0, 0], bytes].concat();
    let secret = |bytes: &SecretBytes| SecretBytes::new(pad(bytes.expose()));
    let parts = usual_key();
    let padded = RsaParts {
        modulus: pad(&parts.modulus),
        public_exponent: pad(&parts.public_exponent),
        private_exponent: secret(&parts.private_exponent),
        prime_1: secret(&parts.prime_1),
        prime_2: secret(&parts.prime_2),
        exponent_1: secret(&parts.exponent_1),
        exponent_2: secret(&parts.exponent_2),
        coefficient: secret(&parts.coefficient),
    };
    for engine in engines() {
        let key = (engine.rsa_private)(&padded).unwrap();
        let public = (engine.rsa_public)(&padded.modulus, &padded.public_exponent).unwrap();
        assert_eq!((key.modulus_bytes(), public.modulus_bytes()), (128, 128));
        let signature = key.sign_pkcs1(b"message", &System).unwrap();
        assert_eq!(public.verify_pkcs1(b"message", &signature), Ok(()));
    }
}

#[test]
fn rsa_private_keys_that_do_not_hold_together_are_refused() {
    let right = usual_key();
    let other = key(&[1, 0, 1]);
    let mut even = right.modulus.clone();
    *even.last_mut().unwrap() ^= 1;
    let unbalanced = || {
        // n = 3 * p * q is as wrong as a key with a tiny prime: its factors are not of half the length.
        RsaParts { prime_1: SecretBytes::new(vec![3]), ..right.clone() }
    };
    let wrong: [(&str, RsaParts); 19] = [
        ("another modulus", RsaParts { modulus: other.modulus.clone(), ..right.clone() }),
        ("an even modulus", RsaParts { modulus: even, ..right.clone() }),
        ("a short modulus", RsaParts { modulus: right.modulus[..127].to_vec(), ..right.clone() }),
        ("no modulus", RsaParts { modulus: vec![], ..right.clone() }),
        ("another exponent", RsaParts { public_exponent: vec![3], ..right.clone() }),
        ("another private exponent", RsaParts { private_exponent: changed(&right.private_exponent), ..right.clone() }),
        (
            "the same without primes",
            RsaParts { private_exponent: changed(&right.private_exponent), ..without_crt(right) },
        ),
        ("another prime", RsaParts { prime_1: other.prime_1.clone(), ..right.clone() }),
        ("the same prime twice", RsaParts { prime_1: right.prime_2.clone(), ..right.clone() }),
        ("a tiny prime", unbalanced()),
        ("one prime only", RsaParts { prime_2: SecretBytes::default(), ..right.clone() }),
        ("a wrong CRT exponent", RsaParts { exponent_1: changed(&right.exponent_1), ..right.clone() }),
        ("the other wrong CRT exponent", RsaParts { exponent_2: changed(&right.exponent_2), ..right.clone() }),
        (
            "a CRT exponent that is not reduced",
            RsaParts { exponent_1: right.private_exponent.clone(), ..right.clone() },
        ),
        ("a wrong coefficient", RsaParts { coefficient: changed(&right.coefficient), ..right.clone() }),
        (
            "a coefficient that is not reduced",
            RsaParts {
                coefficient: SecretBytes::new(sum(right.coefficient.expose(), right.prime_1.expose())),
                ..right.clone()
            },
        ),
        (
            "the primes the other way round",
            RsaParts { prime_1: right.prime_2.clone(), prime_2: right.prime_1.clone(), ..right.clone() },
        ),
        (
            "1 and the modulus as primes",
            RsaParts {
                prime_1: SecretBytes::new(vec![1]),
                prime_2: SecretBytes::new(right.modulus.clone()),
                ..right.clone()
            },
        ),
        ("the private exponent 1", RsaParts { private_exponent: SecretBytes::new(vec![1]), ..right.clone() }),
    ];
    for (what, parts) in wrong {
        for engine in engines() {
            let outcome = (engine.rsa_private)(&parts).map(drop);
            assert!(matches!(outcome, Err(CryptoError::InvalidKey(_))), "{}: {what}: {outcome:?}", engine.name);
        }
    }
}

#[test]
fn rsa_numbers_that_are_nothing_or_of_an_unusual_length_are_refused_one_by_one() {
    let right = usual_key();
    let values: [&[u8]; 6] = [&[0], &[0; 200], &[1], &[2], &[0xFF; 9], &[0xFF; 300]];
    let changes: [fn(&mut RsaParts, &[u8]); 8] = [
        |parts, value| parts.modulus = value.to_vec(),
        |parts, value| parts.public_exponent = value.to_vec(),
        |parts, value| parts.private_exponent = SecretBytes::copy_of(value),
        |parts, value| parts.prime_1 = SecretBytes::copy_of(value),
        |parts, value| parts.prime_2 = SecretBytes::copy_of(value),
        |parts, value| parts.exponent_1 = SecretBytes::copy_of(value),
        |parts, value| parts.exponent_2 = SecretBytes::copy_of(value),
        |parts, value| parts.coefficient = SecretBytes::copy_of(value),
    ];
    for (place, change) in changes.iter().enumerate() {
        for value in values {
            let mut parts = right.clone();
            change(&mut parts, value);
            for engine in engines() {
                let outcome = (engine.rsa_private)(&parts).map(drop);
                let refused = matches!(outcome, Err(CryptoError::InvalidKey(_)));
                assert!(refused, "{}: number {place} is {value:?}: {outcome:?}", engine.name);
            }
        }
    }
}

#[test]
fn an_rsa_private_exponent_may_be_another_that_does_the_same_but_none_from_the_modulus_on() {
    let right = usual_key();
    // Half of (p - 1)(q - 1) = n + 1 - p - q is a multiple of p - 1 and of q - 1.
    let primes = sum(right.prime_1.expose(), right.prime_2.expose());
    let totient = sum(&right.modulus, &[1]);
    let padded = |number: &[u8]| [&vec![0; totient.len() - number.len()], number].concat();
    let totient = subtract(&totient, &padded(&primes));
    let mut low_bit = 0;
    let half: Vec<u8> = totient.iter().map(|byte| byte >> 1 | std::mem::replace(&mut low_bit, byte << 7)).collect();
    let exponent = padded(right.private_exponent.expose());
    let other = if exponent < half { sum(&exponent, &half) } else { subtract(&exponent, &half) };
    let with = |exponent: Vec<u8>| RsaParts { private_exponent: SecretBytes::new(exponent), ..right.clone() };
    for engine in engines() {
        let key = (engine.rsa_private)(&with(other.clone())).unwrap_or_else(|error| panic!("{}: {error}", engine.name));
        let public = (engine.rsa_public)(&right.modulus, &right.public_exponent).unwrap();
        let signature = key.sign_pkcs1(b"message", &System).unwrap();
        assert_eq!(public.verify_pkcs1(b"message", &signature), Ok(()), "{}", engine.name);
        // RFC 8017, 3.2: it is less than the modulus.
        for factor in [2, 65] {
            let large = (0..factor).fold(exponent.clone(), |sum_so_far, _| sum(&sum_so_far, &totient));
            assert!((engine.rsa_private)(&with(large)).is_err(), "{}", engine.name);
        }
    }
}

#[test]
fn rsa_public_keys_outside_the_limits_are_refused() {
    let modulus = |bits: usize| {
        let mut bytes = vec![0xFF; bits.div_ceil(8)];
        bytes[0] = 0xFF >> (bytes.len() * 8 - bits);
        bytes
    };
    let accepted: [(Vec<u8>, &[u8]); 4] = [
        (modulus(1024), &[3]),
        (modulus(1031), &[1, 0, 1]),
        (modulus(16384), &[1, 0, 1]),
        (modulus(2048), &[1, 0xFF, 0xFF, 0xFF, 0xFF]),
    ];
    let mut even = modulus(2048);
    *even.last_mut().unwrap() = 0xFE;
    let refused: [(Vec<u8>, &[u8]); 9] = [
        (modulus(1023), &[1, 0, 1]),
        (modulus(16385), &[1, 0, 1]),
        (even, &[1, 0, 1]),
        (modulus(2048), &[]),
        (modulus(2048), &[0]),
        (modulus(2048), &[1]),
        (modulus(2048), &[1, 0, 0]),
        (modulus(2048), &[2, 0, 0, 0, 1]),
        (vec![], &[1, 0, 1]),
    ];
    for engine in engines() {
        for (modulus, exponent) in &accepted {
            assert!((engine.rsa_public)(modulus, exponent).is_ok(), "{}: {} bytes", engine.name, modulus.len());
        }
        for (modulus, exponent) in &refused {
            let outcome = (engine.rsa_public)(modulus, exponent).map(drop);
            assert!(matches!(outcome, Err(CryptoError::InvalidKey(_))), "{}: {exponent:?}: {outcome:?}", engine.name);
        }
    }
}

#[test]
fn rsa_keys_are_generated_at_the_asked_size_and_no_impossible_one() {
    for engine in engines() {
        for bits in [1024, 1032, 1536] {
            let parts = (engine.rsa_generate)(bits, &[1, 0, 1], &System).unwrap().parts;
            assert_eq!(parts.modulus.len() * 8, bits, "{}", engine.name);
            assert!(parts.modulus[0] >= 0x80, "{}: a modulus shorter than asked", engine.name);
            assert!((portable().rsa_private)(&parts).is_ok());
        }
        for bits in [0, 512, 1023, 1025, 8200, usize::MAX] {
            let outcome = (engine.rsa_generate)(bits, &[1, 0, 1], &System).map(drop);
            assert!(matches!(outcome, Err(CryptoError::InvalidParameter(_))), "{}: {bits}", engine.name);
        }
        for exponent in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[2, 0, 0, 0, 1]] {
            let outcome = (engine.rsa_generate)(1024, exponent, &System).map(drop);
            assert!(matches!(outcome, Err(CryptoError::InvalidKey(_))), "{}: {exponent:?}", engine.name);
        }
    }
}

#[test]
fn the_three_numbers_that_no_exponent_moves_stay_where_they_are() {
    let modulus = &usual_key().modulus;
    let mut one = vec![0; 128];
    one[127] = 1;
    let mut last = modulus.clone();
    last[127] -= 1;
    for engine in engines() {
        let key = (engine.rsa_private)(usual_key()).unwrap();
        for block in [&vec![0; 128], &one, &last] {
            assert_eq!(key.raw(block, &System).unwrap().expose(), block, "{}", engine.name);
        }
    }
}

#[test]
fn rsa_signatures_of_wrong_length_or_value_are_told_apart() {
    let parts = usual_key();
    let pss = PssParams { hash: Hash::Sha256, mgf_hash: Hash::Sha1, salt_bytes: 32 };
    for engine in engines() {
        let public = (engine.rsa_public)(&parts.modulus, &parts.public_exponent).unwrap();
        for (signature, expected) in [
            (vec![], CryptoError::SignatureLength),
            (vec![1; 127], CryptoError::SignatureLength),
            (vec![1; 129], CryptoError::SignatureLength),
            (vec![1; 128], CryptoError::BadSignature),
            (vec![0; 128], CryptoError::BadSignature),
            (vec![0xFF; 128], CryptoError::BadSignature),
            (parts.modulus.clone(), CryptoError::BadSignature),
        ] {
            assert_eq!(public.verify_pkcs1(b"message", &signature), Err(expected), "{}", engine.name);
            for params in [pss, PssParams { mgf_hash: Hash::Sha256, ..pss }] {
                assert_eq!(public.verify_pss(&params, &[7; 32], &signature), Err(expected), "{}", engine.name);
            }
        }
        for digest_bytes in [0, 20, 31, 33] {
            let digest = vec![1; digest_bytes];
            assert_eq!(public.verify_pss(&pss, &digest, &[0; 128]), Err(CryptoError::InputLength));
            let key = (engine.rsa_private)(parts).unwrap();
            assert_eq!(key.sign_pss(&pss, &digest, &System), Err(CryptoError::InputLength));
        }
        let too_long = PssParams { salt_bytes: usize::MAX, ..pss };
        assert!(matches!(public.verify_pss(&too_long, &[7; 32], &[0; 128]), Err(CryptoError::InvalidParameter(_))));
    }
}

#[test]
fn points_off_the_curve_and_in_unusual_forms_are_refused() {
    for curve in Curve::ALL {
        let field = curve.field_bytes();
        let scalar = (preferred().ec_generate)(curve, ScalarMethod::Rejection, &System).unwrap().scalar;
        let point = (preferred().ec_private)(curve, scalar.expose()).unwrap().public_point();
        let parity = point[2 * field] & 1;
        let with_first = |first: u8, rest: &[u8]| [&[first], rest].concat();
        let compressed = with_first(2 + parity, &point[1..=field]);
        let mut off_curve = point.clone();
        off_curve[2 * field] ^= 1;
        let refused = [
            ("nothing", vec![]),
            ("the identity", vec![0]),
            ("the identity at full length", vec![0; 1 + 2 * field]),
            ("a point off the curve", off_curve),
            ("the origin", with_first(4, &vec![0; 2 * field])),
            ("a coordinate above the field", with_first(4, &vec![0xFF; 2 * field])),
            ("the hybrid form", with_first(6 + parity, &point[1..])),
            ("the compact form", with_first(5, &point[1..=field])),
            ("a raw point", point[1..].to_vec()),
            ("a short point", point[..2 * field].to_vec()),
            ("a long point", [point.as_slice(), &[0]].concat()),
            ("a compressed point with a tail", [compressed.as_slice(), &[0]].concat()),
        ];
        for engine in engines() {
            let key = (engine.ec_private)(curve, scalar.expose()).unwrap();
            for (what, bytes) in &refused {
                let outcome = (engine.ec_public)(curve, bytes).map(drop);
                assert!(matches!(outcome, Err(CryptoError::InvalidKey(_))), "{}, {curve:?}: {what}", engine.name);
                assert_eq!(key.agree(bytes), Err(CryptoError::InputRange), "{}, {curve:?}: {what}", engine.name);
            }
            assert_eq!((engine.ec_public)(curve, &compressed).unwrap().point(), point, "{}", engine.name);
            assert_eq!(key.agree(&compressed).unwrap(), key.agree(&point).unwrap(), "{}", engine.name);
        }
    }
}

#[test]
fn scalars_outside_the_order_are_refused_and_short_ones_padded() {
    let orders = [
        (Curve::P256, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
        (
            Curve::P384,
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
        ),
        (
            Curve::P521,
            "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa\
             51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
        ),
        (Curve::K256, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"),
    ];
    for (curve, order) in orders {
        let order = hex(order);
        let mut last = order.clone();
        *last.last_mut().unwrap() -= 1;
        let long = vec![1; curve.field_bytes() + 1];
        for engine in engines() {
            for scalar in
                [&[][..], &[0], &vec![0; curve.field_bytes()], &order, &vec![0xFF; curve.field_bytes()], &long]
            {
                let outcome = (engine.ec_private)(curve, scalar).map(drop);
                assert!(matches!(outcome, Err(CryptoError::InvalidKey(_))), "{}, {curve:?}: {scalar:?}", engine.name);
            }
            let one = (engine.ec_private)(curve, &[1]).unwrap().public_point();
            assert_eq!((engine.ec_private)(curve, &[0, 0, 1]).unwrap().public_point(), one);
            // The scalars 1 and -1 have points with the same x.
            let minus_one = (engine.ec_private)(curve, &last).unwrap().public_point();
            assert_eq!(one[..=curve.field_bytes()], minus_one[..=curve.field_bytes()]);
            assert_ne!(one, minus_one);
        }
    }
}

#[test]
fn ecdsa_accepts_both_forms_of_s_and_short_equal_halves_and_nothing_out_of_range() {
    let order = hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    for engine in engines() {
        let key = (engine.ec_private)(Curve::K256, &[7]).unwrap();
        let public = (engine.ec_public)(Curve::K256, &key.public_point()).unwrap();
        let digest = random_bytes(32);
        let signature = key.sign(&digest, &System).unwrap();
        let (r, s) = signature.split_at(32);
        let both_forms = [signature.clone(), [r, &subtract(&order, s)].concat()];
        for form in &both_forms {
            assert_eq!(public.verify(&digest, form), Ok(()), "{}", engine.name);
        }
        let zero = [0; 32];
        for wrong in [
            [r, &zero].concat(),
            [&zero, s].concat(),
            [r, &order].concat(),
            [&order, s].concat(),
            vec![0xFF; 64],
            vec![1, 1],
            [s, r].concat(),
        ] {
            assert_eq!(public.verify(&digest, &wrong), Err(CryptoError::BadSignature), "{}", engine.name);
        }
        for wrong in [vec![], vec![1], vec![1; 63], vec![1; 65], vec![1; 66]] {
            assert_eq!(public.verify(&digest, &wrong), Err(CryptoError::SignatureLength), "{}", engine.name);
        }
        assert_eq!(public.verify(&[], &signature), Err(CryptoError::InputLength));
    }
}

/// `a - b` for numbers of one length, `a` the greater.
fn subtract(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut out: Vec<u8> = a
        .iter()
        .zip(b)
        .rev()
        .map(|(a, b)| {
            let difference = i32::from(*a) - i32::from(*b) - borrow;
            borrow = i32::from(difference < 0);
            difference.rem_euclid(256) as u8
        })
        .collect();
    out.reverse();
    out
}

#[test]
fn ed25519_keys_of_small_order_or_with_a_second_encoding_are_refused() {
    let refused = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        // y = p + 1 stands for 1; y = p + 3 is a point of large order in a second encoding.
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        // Not a point.
        "0200000000000000000000000000000000000000000000000000000000000000",
        "00",
        "",
    ];
    for engine in engines() {
        for text in refused {
            let outcome = (engine.ed25519_public)(&hex(text)).map(drop);
            assert!(matches!(outcome, Err(CryptoError::InvalidKey(_))), "{}: {text}", engine.name);
        }
        for len in [0, 31, 33, 64] {
            assert!(matches!((engine.ed25519_private)(&vec![1; len]).map(drop), Err(CryptoError::InvalidKey(_))));
            assert!(matches!((engine.x25519_private)(&vec![1; len]).map(drop), Err(CryptoError::InvalidKey(_))));
        }
        let key = (engine.x25519_private)(&[9; 32]).unwrap();
        assert_eq!(key.agree(&[1; 31]), Err(CryptoError::InputLength));
        assert_eq!(key.agree(&[0; 32]), Err(CryptoError::InputRange));
    }
}

#[test]
fn ed25519_signatures_with_a_small_order_r_are_refused() {
    for engine in engines() {
        let seed = [5; 32];
        let public = (engine.ed25519_public)(&(engine.ed25519_private)(&seed).unwrap().public_key()).unwrap();
        let mut signature = (engine.ed25519_private)(&seed).unwrap().sign(b"m").unwrap();
        signature[..32].copy_from_slice(&hex("0100000000000000000000000000000000000000000000000000000000000000"));
        assert_eq!(public.verify(b"m", &signature), Err(CryptoError::BadSignature), "{}", engine.name);
    }
}

#[test]
fn counters_stop_before_they_overflow() {
    let block = |low: u8| {
        let mut block = [0xFF; 16];
        block[15] = low;
        block
    };
    for engine in engines() {
        // Two bits that start at 1 leave three blocks (PKCS#11 v2.40, 2.12.2).
        let run = |mode: &Mode, pieces: &[usize]| -> Result<Vec<u8>, CryptoError> {
            let mut cipher = (engine.cipher)(mode, Direction::Encrypt, &SymmetricKey::copy_of(&[1; 16]))?;
            let mut out = Vec::new();
            for piece in pieces {
                cipher.update(&vec![0; *piece], &mut out)?;
            }
            cipher.finish(&mut out)?;
            Ok(out)
        };
        let two_bits = Mode::Ctr { block: block(0b1111_1101), counter_bits: 2 };
        assert_eq!(run(&two_bits, &[48]).map(|out| out.len()), Ok(48), "{}", engine.name);
        assert_eq!(run(&two_bits, &[1, 31, 16]).map(|out| out.len()), Ok(48), "{}", engine.name);
        assert_eq!(run(&two_bits, &[49]), Err(CryptoError::InputLength), "{}", engine.name);
        assert_eq!(run(&two_bits, &[48, 1]), Err(CryptoError::InputLength), "{}", engine.name);
        let all_ones = Mode::Ctr { block: [0xFF; 16], counter_bits: 128 };
        assert_eq!(run(&all_ones, &[16]).map(|out| out.len()), Ok(16), "{}", engine.name);
        assert_eq!(run(&all_ones, &[17]), Err(CryptoError::InputLength), "{}", engine.name);
        // A carry out of the low 32 bits is right when the counter is wider.
        let carry = Mode::Ctr { block: hex("00000000000000000000000affffffff").try_into().unwrap(), counter_bits: 64 };
        let next = Mode::Ctr { block: hex("00000000000000000000000b00000000").try_into().unwrap(), counter_bits: 64 };
        assert_eq!(run(&carry, &[160]).unwrap()[16..], run(&next, &[144]).unwrap(), "{}", engine.name);
        for counter_bits in [0, 129, u32::MAX] {
            let outcome = run(&Mode::Ctr { block: [0; 16], counter_bits }, &[]);
            assert!(matches!(outcome, Err(CryptoError::InvalidParameter(_))), "{}", engine.name);
        }
    }
}

#[test]
fn aes_keys_and_gcm_parameters_that_do_not_exist_are_refused() {
    let gcm = |iv_bytes, tag_bytes| GcmParams { iv: &[1; 12][..iv_bytes], aad: &[], tag_bytes };
    for engine in engines() {
        for len in [0, 8, 15, 17, 31, 33, 64] {
            let bytes = vec![1; len];
            let key = SymmetricKey::copy_of(&bytes);
            let refused = |outcome: Result<(), CryptoError>| {
                assert!(matches!(outcome, Err(CryptoError::InvalidKey(_))), "{}: {len} bytes", engine.name);
            };
            for mode in [
                Mode::Ecb,
                Mode::Cbc { iv: [0; 16] },
                Mode::CbcPad { iv: [0; 16] },
                Mode::Ctr { block: [0; 16], counter_bits: 128 },
            ] {
                refused((engine.cipher)(&mode, Direction::Encrypt, &key).map(drop));
            }
            refused((engine.gcm)(&gcm(12, 16), Direction::Encrypt, &key).map(drop));
            refused((engine.cmac)(&key).map(drop));
            refused((engine.key_wrap)(KeyWrap::Kw, &bytes, None, &[0; 16]).map(drop));
            refused((engine.key_unwrap)(KeyWrap::Kw, &bytes, None, &[0; 24]).map(drop));
        }
        for params in [gcm(0, 16), gcm(12, 0), gcm(12, 3), gcm(12, 17)] {
            let outcome = (engine.gcm)(&params, Direction::Decrypt, &SymmetricKey::copy_of(&[1; 16])).map(drop);
            assert!(matches!(outcome, Err(CryptoError::InvalidParameter(_))), "{}: {params:?}", engine.name);
        }
    }
}

#[test]
fn block_modes_refuse_partial_blocks_and_give_one_answer_to_bad_padding() {
    let key = SymmetricKey::copy_of(&[1; 16]);
    for engine in engines() {
        for mode in [Mode::Ecb, Mode::Cbc { iv: [0; 16] }] {
            for direction in [Direction::Encrypt, Direction::Decrypt] {
                let mut cipher = (engine.cipher)(&mode, direction, &key).unwrap();
                let mut out = Vec::new();
                cipher.update(&[0; 17], &mut out).unwrap();
                assert_eq!(cipher.finish(&mut out), Err(CryptoError::InputLength), "{}, {mode:?}", engine.name);
            }
        }
        // Every possible last byte over a block of one value: good for one padding only.
        for last in 0..=255_u8 {
            let mut block = [7_u8; 16];
            block[15] = last;
            let mut cipher = (engine.cipher)(&Mode::Cbc { iv: [3; 16] }, Direction::Encrypt, &key).unwrap();
            let mut sealed = Vec::new();
            cipher.update(&block, &mut sealed).unwrap();
            let mut cipher = (engine.cipher)(&Mode::CbcPad { iv: [3; 16] }, Direction::Decrypt, &key).unwrap();
            let mut out = Vec::new();
            cipher.update(&sealed, &mut out).unwrap();
            assert!(out.is_empty(), "the last block left before its padding was checked");
            let expected = match last {
                1 => Ok(15),
                7 => Ok(9),
                _ => Err(CryptoError::DecryptionFailed),
            };
            assert_eq!(cipher.finish(&mut out).map(|()| out.len()), expected, "{}: {last}", engine.name);
        }
        for len in [0, 15, 17] {
            let mut cipher = (engine.cipher)(&Mode::CbcPad { iv: [3; 16] }, Direction::Decrypt, &key).unwrap();
            let mut out = Vec::new();
            cipher.update(&vec![0; len], &mut out).unwrap();
            assert_eq!(cipher.finish(&mut out), Err(CryptoError::InputLength), "{}: {len}", engine.name);
        }
    }
}

#[test]
fn key_wrap_refuses_lengths_that_its_kind_does_not_have() {
    for engine in engines() {
        for (kind, wrong_plain, wrong_wrapped, wrong_initial) in [
            (KeyWrap::Kw, &[0, 1, 8, 15, 17][..], &[0, 8, 16, 23, 25][..], &[0, 4, 7, 9][..]),
            (KeyWrap::Kwp, &[0], &[0, 8, 15, 17], &[0, 3, 5, 8]),
        ] {
            for len in wrong_plain {
                let outcome = (engine.key_wrap)(kind, &[1; 16], None, &vec![0; *len]);
                assert_eq!(outcome, Err(CryptoError::InputLength), "{}, {kind:?}: {len}", engine.name);
            }
            for len in wrong_wrapped {
                let outcome = (engine.key_unwrap)(kind, &[1; 16], None, &vec![0; *len]);
                assert_eq!(outcome, Err(CryptoError::InputLength), "{}, {kind:?}: {len}", engine.name);
            }
            for len in wrong_initial {
                let outcome = (engine.key_wrap)(kind, &[1; 16], Some(&vec![0; *len]), &[0; 16]);
                assert!(matches!(outcome, Err(CryptoError::InvalidParameter(_))), "{}, {kind:?}: {len}", engine.name);
            }
        }
    }
}

/// The engines differ here on purpose: AWS-LC draws salts, seeds and nonces from its own generator.
#[test]
fn a_failing_random_source_fails_whatever_asks_it() {
    let failed = Err(CryptoError::RandomFailed);
    let engine = portable();
    let key = (engine.rsa_private)(usual_key()).unwrap();
    let public = (engine.rsa_public)(&usual_key().modulus, &usual_key().public_exponent).unwrap();
    let pss = PssParams { hash: Hash::Sha1, mgf_hash: Hash::Sha1, salt_bytes: 20 };
    let oaep = OaepParams { hash: Hash::Sha1, mgf_hash: Hash::Sha1, label: vec![] };
    assert_eq!(key.sign_pkcs1(b"m", &Broken), failed);
    assert_eq!(key.sign_pss(&pss, &[1; 20], &Broken), failed);
    assert_eq!(key.sign_pss(&PssParams { mgf_hash: Hash::Sha256, ..pss }, &[1; 20], &Broken), failed);
    assert_eq!(key.raw(&[1; 128], &Broken).map(drop), failed.clone().map(|_: Vec<u8>| ()));
    assert_eq!(public.encrypt_pkcs1(b"m", &Broken), failed);
    assert_eq!(public.encrypt_oaep(&oaep, b"m", &Broken), failed);
    assert_eq!((engine.rsa_generate)(1024, &[1, 0, 1], &Broken).map(drop), Err(CryptoError::RandomFailed));
    for curve in Curve::ALL {
        let key = (engine.ec_private)(curve, &[7]).unwrap();
        assert_eq!(key.sign(&[1; 32], &Broken), failed);
        for engine in engines() {
            assert_eq!(
                (engine.ec_generate)(curve, ScalarMethod::Rejection, &Broken).map(drop),
                Err(CryptoError::RandomFailed),
                "{}",
                engine.name
            );
        }
    }
}
