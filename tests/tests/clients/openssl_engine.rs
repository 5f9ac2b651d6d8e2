//! OpenSSL's pkcs11 engine (libp11): certificates, CMS, signatures, key agreement.
//!
//! Each result is checked by OpenSSL without the engine. TLS has a file of its own.

use perilune_tests::Place;
use perilune_tests::outside::{failure, openssl};

const ENGINE: [&str; 4] = ["-engine", "pkcs11", "-keyform", "engine"];

/// A token with an RSA and a P-256 key pair, labels `rsa` and `ec`.
fn with_keys() -> Place {
    let place = Place::new().with_token();
    place.key_pair("rsa:2048", "01", "rsa");
    place.key_pair("EC:prime256v1", "02", "ec");
    place.write("message", b"what is signed");
    place
}

fn public_key(place: &Place, certificate: &str) {
    openssl(place, &["x509", "-in", certificate, "-noout", "-pubkey", "-out", "public.pem"]);
}

#[test]
fn keys_of_the_token_sign_their_own_certificates() {
    let place = with_keys();
    for label in ["rsa", "ec"] {
        place.self_signed(label, "certificate.pem", "ca");
        let said = openssl(&place, &["verify", "-CAfile", "certificate.pem", "certificate.pem"]);
        assert!(said.contains("certificate.pem: OK"), "{said}");
    }
}

#[test]
fn a_ca_in_the_token_signs_requests() {
    let place = with_keys();
    for (ca, other) in [("rsa", "ec"), ("ec", "rsa")] {
        place.self_signed(ca, "ca.pem", "ca");
        let (ca_key, key) = (Place::engine_key(ca), Place::engine_key(other));
        let request = ["req", "-new", "-key", &key, "-subj", "/CN=leaf", "-sha256", "-out", "leaf.csr"];
        place.engine(&[&request[..1], &ENGINE, &request[1..]].concat());
        let sign = [
            "x509",
            "-req",
            "-in",
            "leaf.csr",
            "-engine",
            "pkcs11",
            "-CA",
            "ca.pem",
            "-CAkey",
            &ca_key,
            "-CAkeyform",
            "engine",
            "-CAcreateserial",
            "-days",
            "30",
            "-sha256",
            "-extfile",
            "engine.cnf",
            "-extensions",
            "leaf",
            "-out",
            "leaf.pem",
        ];
        place.engine(&sign);
        let said = openssl(&place, &["verify", "-CAfile", "ca.pem", "leaf.pem"]);
        assert!(said.contains("leaf.pem: OK"), "{said}");
    }
}

#[test]
fn digests_are_signed() {
    let place = with_keys();
    let pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"];
    for (label, digest, options) in [
        ("rsa", "-sha1", &[][..]),
        ("rsa", "-sha256", &[]),
        ("rsa", "-sha512", &[]),
        ("rsa", "-sha256", &pss),
        ("rsa", "-sha384", &pss),
        ("ec", "-sha256", &[]),
        ("ec", "-sha512", &[]),
    ] {
        place.self_signed(label, "certificate.pem", "leaf");
        public_key(&place, "certificate.pem");
        let key = Place::engine_key(label);
        let sign = ["dgst", digest, "-engine", "pkcs11", "-keyform", "engine", "-sign", &key, "-out", "signature"];
        place.engine(&[&sign[..], options, &["message"]].concat());
        let verify = ["dgst", digest, "-verify", "public.pem", "-signature", "signature"];
        let said = openssl(&place, &[&verify[..], options, &["message"]].concat());
        assert!(said.contains("Verified OK"), "{label} {digest}: {said}");
    }
}

#[test]
fn messages_are_signed_with_cms() {
    let place = with_keys();
    for label in ["rsa", "ec"] {
        place.self_signed(label, "certificate.pem", "leaf");
        let key = Place::engine_key(label);
        let sign = [
            "cms",
            "-sign",
            "-in",
            "message",
            "-signer",
            "certificate.pem",
            "-inkey",
            &key,
            "-nodetach",
            "-outform",
            "DER",
            "-out",
            "signed.p7",
        ];
        place.engine(&[&sign[..2], &ENGINE, &sign[2..]].concat());
        let verify = [
            "cms",
            "-verify",
            "-inform",
            "DER",
            "-in",
            "signed.p7",
            "-CAfile",
            "certificate.pem",
            "-purpose",
            "any",
            "-out",
            "opened",
        ];
        let said = openssl(&place, &verify);
        assert!(said.contains("successful"), "{said}");
        assert!(String::from_utf8_lossy(&place.read("opened")).contains("what is signed"));
    }
}

#[test]
fn messages_for_the_token_are_decrypted_with_cms() {
    let place = with_keys();
    place.self_signed("rsa", "certificate.pem", "leaf");
    let key = Place::engine_key("rsa");
    for options in [
        &[][..],
        &["-keyopt", "rsa_padding_mode:oaep"],
        &["-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"],
    ] {
        let encrypt = [
            "cms",
            "-encrypt",
            "-binary",
            "-aes256",
            "-in",
            "message",
            "-outform",
            "DER",
            "-out",
            "sealed.p7",
            "-recip",
            "certificate.pem",
        ];
        openssl(&place, &[&encrypt[..], options].concat());
        let decrypt = [
            "cms",
            "-decrypt",
            "-inform",
            "DER",
            "-in",
            "sealed.p7",
            "-inkey",
            &key,
            "-recip",
            "certificate.pem",
            "-out",
            "opened",
        ];
        place.engine(&[&decrypt[..2], &ENGINE, &decrypt[2..]].concat());
        assert_eq!(place.read("opened"), b"what is signed", "{options:?}");
    }
}

#[test]
fn a_secret_is_agreed_on() {
    let place = with_keys();
    place.self_signed("ec", "certificate.pem", "leaf");
    public_key(&place, "certificate.pem");
    openssl(&place, &["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "peer.pem"]);
    openssl(&place, &["ec", "-in", "peer.pem", "-pubout", "-out", "peer-public.pem"]);
    openssl(&place, &["pkeyutl", "-derive", "-inkey", "peer.pem", "-peerkey", "public.pem", "-out", "outside"]);
    let key = Place::engine_key("ec");
    place.engine(&[
        "pkeyutl",
        "-derive",
        "-engine",
        "pkcs11",
        "-keyform",
        "engine",
        "-inkey",
        &key,
        "-peerkey",
        "peer-public.pem",
        "-out",
        "inside",
    ]);
    assert_eq!(place.read("inside"), place.read("outside"));
}

#[test]
fn a_wrong_pin_gives_no_key() {
    let place = with_keys();
    let key = Place::engine_key("rsa").replace(perilune_tests::USER_PIN, "wrong-pin");
    let sign =
        ["dgst", "-sha256", "-engine", "pkcs11", "-keyform", "engine", "-sign", &key, "-out", "signature", "message"];
    failure(place.engine_command(&sign));
    assert!(!place.file("signature").exists() || place.read("signature").is_empty());
}
