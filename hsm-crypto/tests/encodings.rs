//! Encoded keys: what OpenSSL and the RFCs write is read, and nothing that is not exactly right.

#![allow(clippy::unwrap_used, reason = "the lint knows test functions, and not what they share")]

mod common;

use common::{System, hex};
use hsm_crypto::ec::{Curve, ScalarMethod};
use hsm_crypto::encoding::{
    PrivateForm, PublicForm, curve_by_oid, curve_oid, decode_pkcs8, decode_spki, encode_pkcs8, encode_spki,
};
use hsm_crypto::{CryptoError, SecretBytes, preferred};

const SCALAR: &str = "2471a87950cab24321e0dece3f52994cde1c829d069f78b46aae6afeccd12dab";
const POINT: &str = "042791fa431fca23131ed7507a1bef679689ff2133100ac08fa2f85975f26507ef\
                     5cf86359aabd008caaf32a468ef56b7a163570a850decf2fe095b416816ccfd3";
/// What OpenSSL 3 writes for this key: with the public point, without parameters inside.
const EC_PKCS8: &str = "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420\
                        2471a87950cab24321e0dece3f52994cde1c829d069f78b46aae6afeccd12daba14403420004\
                        2791fa431fca23131ed7507a1bef679689ff2133100ac08fa2f85975f26507ef\
                        5cf86359aabd008caaf32a468ef56b7a163570a850decf2fe095b416816ccfd3";
const EC_PKCS8_WITHOUT_POINT: &str = "3041020100301306072a8648ce3d020106082a8648ce3d03010704273025020101\
                                      04202471a87950cab24321e0dece3f52994cde1c829d069f78b46aae6afeccd12dab";
/// With parameters inside as well, as Java writes them.
const EC_PKCS8_WITH_PARAMETERS: &str = "304d020100301306072a8648ce3d020106082a8648ce3d030107043330310201010420\
                                        2471a87950cab24321e0dece3f52994cde1c829d069f78b46aae6afeccd12dab\
                                        a00a06082a8648ce3d030107";
const EC_SPKI: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200042791fa431fca23131ed7507a1bef679689ff2133100ac08f\
                       a2f85975f26507ef5cf86359aabd008caaf32a468ef56b7a163570a850decf2fe095b416816ccfd3";
const EC_SPKI_COMPRESSED: &str = "3039301306072a8648ce3d020106082a8648ce3d030107032200032791fa431fca23131ed7507a1bef6796\
                                  89ff2133100ac08fa2f85975f26507ef";
/// RFC 8410, 10.1 and 10.3.
const ED25519_SPKI: &str = "302a300506032b657003210019bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
const ED25519_PKCS8: &str =
    "302e020100300506032b657004220420d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842";
const ED25519_PKCS8_V2: &str = "3072020101300506032b657004220420d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842\
                                a01f301d060a2a864886f70d01090914310f0c0d437572646c6520436861697273\
                                81210019bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
const X25519_PKCS8: &str =
    "302e020100300506032b656e04220420f037ed21e8f7aa4b1ddc8d4e5d31856bd1c3b99e67f35a103b92bd988ef4b851";

#[test]
fn ec_private_keys_are_read_in_every_usual_shape_and_written_with_their_point() {
    for (text, has_point) in [(EC_PKCS8, true), (EC_PKCS8_WITHOUT_POINT, false), (EC_PKCS8_WITH_PARAMETERS, false)] {
        let form = decode_pkcs8(&hex(text)).unwrap();
        let PrivateForm::Ec { curve, scalar, point } = &form else { panic!("another kind of key: {form:?}") };
        assert_eq!((*curve, scalar.expose()), (Curve::P256, hex(SCALAR).as_slice()));
        assert_eq!(point.is_some(), has_point);
        assert!(point.as_ref().is_none_or(|point| *point == hex(POINT)));
        assert_eq!(encode_pkcs8(&form).unwrap().expose(), hex(EC_PKCS8));
    }
}

#[test]
fn public_keys_are_read_and_written_uncompressed() {
    let form = PublicForm::Ec { curve: Curve::P256, point: hex(POINT) };
    assert_eq!(decode_spki(&hex(EC_SPKI)), Ok(form.clone()));
    assert_eq!(decode_spki(&hex(EC_SPKI_COMPRESSED)), Ok(form.clone()));
    assert_eq!(encode_spki(&form), Ok(hex(EC_SPKI)));
    let ed25519 = decode_spki(&hex(ED25519_SPKI)).unwrap();
    assert_eq!(ed25519, PublicForm::Ed25519(hex("19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1")));
    assert_eq!(encode_spki(&ed25519), Ok(hex(ED25519_SPKI)));
}

#[test]
fn keys_of_rfc_8410_are_read_in_both_versions_and_written_in_the_first() {
    for text in [ED25519_PKCS8, ED25519_PKCS8_V2] {
        let form = decode_pkcs8(&hex(text)).unwrap();
        assert!(matches!(form, PrivateForm::Ed25519(_)));
        assert_eq!(encode_pkcs8(&form).unwrap().expose(), hex(ED25519_PKCS8));
    }
    let form = decode_pkcs8(&hex(X25519_PKCS8)).unwrap();
    assert!(matches!(form, PrivateForm::X25519(_)));
    assert_eq!(encode_pkcs8(&form).unwrap().expose(), hex(X25519_PKCS8));
}

#[test]
fn generated_keys_come_back_from_their_encoding() {
    for curve in Curve::ALL {
        let scalar = (preferred().ec_generate)(curve, ScalarMethod::Rejection, &System).unwrap().scalar;
        let point = (preferred().ec_private)(curve, scalar.expose()).unwrap().public_point();
        let encoded = encode_pkcs8(&PrivateForm::Ec { curve, scalar: scalar.clone(), point: None }).unwrap();
        let PrivateForm::Ec { curve: read_curve, scalar: read_scalar, point: read_point } =
            decode_pkcs8(encoded.expose()).unwrap()
        else {
            panic!("another kind of key")
        };
        assert_eq!((read_curve, read_scalar, read_point), (curve, scalar, Some(point.clone())));
        let public = PublicForm::Ec { curve, point };
        assert_eq!(decode_spki(&encode_spki(&public).unwrap()), Ok(public));
        assert_eq!(curve_by_oid(curve_oid(curve)), Some(curve));
    }
    let parts = (preferred().rsa_generate)(1024, &[1, 0, 1], &System).unwrap().parts;
    let encoded = encode_pkcs8(&PrivateForm::Rsa(parts.clone())).unwrap();
    let PrivateForm::Rsa(read) = decode_pkcs8(encoded.expose()).unwrap() else { panic!("another kind of key") };
    assert_eq!((&read.modulus, &read.coefficient), (&parts.modulus, &parts.coefficient));
    let public = PublicForm::Rsa { modulus: parts.modulus, public_exponent: parts.public_exponent };
    assert_eq!(decode_spki(&encode_spki(&public).unwrap()), Ok(public));
}

#[test]
fn an_encoding_with_anything_changed_in_length_is_refused() {
    for text in [EC_PKCS8, EC_PKCS8_WITHOUT_POINT, ED25519_PKCS8, ED25519_PKCS8_V2, X25519_PKCS8] {
        let whole = hex(text);
        for len in 0..whole.len() {
            refused(decode_pkcs8(&whole[..len]).map(drop), "cut short");
        }
        refused(decode_pkcs8(&[whole.as_slice(), &[0]].concat()).map(drop), "with a tail");
    }
    for text in [EC_SPKI, EC_SPKI_COMPRESSED, ED25519_SPKI] {
        let whole = hex(text);
        for len in 0..whole.len() {
            refused(decode_spki(&whole[..len]).map(drop), "cut short");
        }
        refused(decode_spki(&[whole.as_slice(), &[0]].concat()).map(drop), "with a tail");
    }
}

fn refused(outcome: Result<(), CryptoError>, what: &str) {
    assert!(matches!(outcome, Err(CryptoError::InvalidKey(_))), "{what}: {outcome:?}");
}

#[test]
fn encodings_that_contradict_themselves_are_refused() {
    let replaced = |text: &str, from: &str, to: &str| {
        let compact: String = text.split_whitespace().collect();
        assert!(compact.contains(from), "{from} is not in the encoding");
        hex(&compact.replacen(from, to, 1))
    };
    let private = [
        ("an unknown algorithm", replaced(EC_PKCS8, "06072a8648ce3d0201", "06072a8648ce3d0207")),
        ("an unknown curve", replaced(EC_PKCS8, "2a8648ce3d030107", "2a8648ce3d030103")),
        ("the point of another key", replaced(EC_PKCS8, "2471a879", "2471a878")),
        (
            "another curve inside",
            replaced(EC_PKCS8_WITH_PARAMETERS, "a00a06082a8648ce3d030107", "a00a06082a8648ce3d030103"),
        ),
        ("another version", replaced(EC_PKCS8, "30818702010030", "30818702010230")),
        (
            "parameters for Ed25519",
            hex("3030020100300706032b6570050004220420d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842"),
        ),
        ("a length in too many bytes", replaced(ED25519_PKCS8, "302e", "30812e")),
    ];
    for (what, der) in private {
        refused(decode_pkcs8(&der).map(drop), what);
    }
    let public = [
        ("a point off the curve", replaced(EC_SPKI, "042791fa43", "042791fa42")),
        ("an unknown algorithm", replaced(ED25519_SPKI, "2b6570", "2b6571")),
        ("unused bits", replaced(ED25519_SPKI, "03210019", "03210119")),
    ];
    for (what, der) in public {
        refused(decode_spki(&der).map(drop), what);
    }
    // A curve spelled out by its numbers instead of its name, from OpenSSL's `-param_enc explicit`.
    let explicit = "30820179020100308201030607\
                    2a8648ce3d02013081f7020101302c06072a8648ce3d0101022100ffffffff00000001000000000000000000000000ffffffffffff\
                    ffffffffffff305b0420ffffffff00000001000000000000000000000000fffffffffffffffffffffffc04205ac635d8aa3a93e7b3\
                    ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b031500c49d360886e704936a6678e1139d26b7819f7e900441046b17d1\
                    f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315e\
                    cecbb6406837bf51f5022100ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551020101046d306b0201\
                    0104209c8c8aa1eac7f025d3b68bebc9e5ccdb2ed10ae7510a11b269ec57193851430ca14403420004c892b1da4780d0ed1d1de8\
                    3e8b299dcb34bf7ee788c1acbf472264e8b8cfdd3b66b90d9e101c478a28e479ea36d41730a1d2aa4a47efa0c850c08208b1da8802";
    assert_eq!(
        decode_pkcs8(&hex(explicit)).map(drop),
        Err(CryptoError::InvalidKey("the EC key does not name its curve by object identifier"))
    );
}

#[test]
fn keys_that_cannot_be_encoded_are_refused() {
    let short = SecretBytes::new(vec![1; 31]);
    refused(encode_pkcs8(&PrivateForm::Ed25519(short.clone())).map(drop), "a short seed");
    refused(encode_pkcs8(&PrivateForm::X25519(short)).map(drop), "a short key");
    let zero = PrivateForm::Ec { curve: Curve::P256, scalar: SecretBytes::zeroed(32), point: None };
    refused(encode_pkcs8(&zero).map(drop), "the scalar zero");
    let foreign =
        PrivateForm::Ec { curve: Curve::P256, scalar: SecretBytes::new(vec![1; 32]), point: Some(hex(POINT)) };
    refused(encode_pkcs8(&foreign).map(drop), "the point of another key");
    refused(
        encode_spki(&PublicForm::Ec { curve: Curve::P384, point: hex(POINT) }).map(drop),
        "a point of another curve",
    );
    refused(encode_spki(&PublicForm::Ed25519(vec![1; 33])).map(drop), "a long key");
}
