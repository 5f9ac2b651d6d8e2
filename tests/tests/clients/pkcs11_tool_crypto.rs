//! pkcs11-tool: signatures, ciphers, derivation and wrapping, proved by OpenSSL.

use perilune_tests::outside::openssl;
use perilune_tests::{Place, TOKEN_LABEL};

/// A token with a key pair of this kind under ID 01; its public key is in `public.pem`.
fn with_pair(kind: &str) -> Place {
    let place = Place::new().with_token();
    let usage = if kind.starts_with("rsa") {
        vec!["--usage-sign", "--usage-decrypt"]
    } else if kind.contains("curve25519") {
        vec!["--usage-derive"]
    } else if kind.contains("edwards") {
        vec!["--usage-sign"]
    } else {
        vec!["--usage-sign", "--usage-derive"]
    };
    let mut arguments = vec!["--keypairgen", "--key-type", kind, "--id", "01", "--label", "pair"];
    arguments.extend(usage);
    place.pkcs11_tool_user(&arguments);
    if !kind.contains("curve25519") {
        place.public_pem("01");
    }
    place.write("message", b"a message that is signed in the token and verified outside");
    place
}

/// Signs `input` with the pair, verifies it in the token; the signature is in `signature`.
fn sign_and_verify(place: &Place, mechanism: &str, input: &str, more: &[&str]) {
    let what = ["-m", mechanism, "--id", "01", "-i", input];
    place.pkcs11_tool_user(&[&["--sign"], &what[..], &["-o", "signature"], more].concat());
    let said = place.pkcs11_tool_user(&[&["--verify"], &what[..], &["--signature-file", "signature"], more].concat());
    assert!(said.contains("Signature is valid"), "{mechanism}: {said}");
}

fn verified_by_openssl(place: &Place, arguments: &[&str]) {
    let said = openssl(place, arguments);
    assert!(said.contains("Verified OK") || said.contains("Verified Successfully"), "{said}");
}

#[test]
fn rsa_signs_in_every_form() {
    let place = with_pair("rsa:2048");
    for digest in ["sha1", "sha224", "sha256", "sha384", "sha512"] {
        let name = digest.to_uppercase();
        sign_and_verify(&place, &format!("{name}-RSA-PKCS"), "message", &[]);
        let digest = format!("-{digest}");
        verified_by_openssl(&place, &["dgst", &digest, "-verify", "public.pem", "-signature", "signature", "message"]);
        if name == "SHA224" {
            continue; // pkcs11-tool 0.23 has no name for PSS with SHA-224.
        }
        sign_and_verify(&place, &format!("{name}-RSA-PKCS-PSS"), "message", &[]);
        let pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"];
        let verify = ["dgst", &digest, "-verify", "public.pem", "-signature", "signature"];
        verified_by_openssl(&place, &[&verify[..], &pss, &["message"]].concat());
    }
}

#[test]
fn rsa_signs_what_is_already_hashed() {
    let place = with_pair("rsa:2048");
    openssl(&place, &["dgst", "-sha256", "-binary", "-out", "digest", "message"]);
    sign_and_verify(&place, "RSA-PKCS-PSS", "digest", &["--hash-algorithm", "SHA256", "--salt-len", "20"]);
    let pss = ["-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "digest:sha256", "-pkeyopt", "rsa_pss_saltlen:20"];
    let verify = ["pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-in", "digest", "-sigfile", "signature"];
    verified_by_openssl(&place, &[&verify[..], &pss].concat());
    sign_and_verify(&place, "RSA-PKCS", "digest", &[]);
    verified_by_openssl(&place, &verify);
    // The raw operation on a block of the full length.
    let mut block = vec![0x01; 256];
    block[0] = 0;
    place.write("block", &block);
    sign_and_verify(&place, "RSA-X-509", "block", &[]);
    let recover = [
        "pkeyutl",
        "-verifyrecover",
        "-pubin",
        "-inkey",
        "public.pem",
        "-in",
        "signature",
        "-pkeyopt",
        "rsa_padding_mode:none",
        "-out",
        "recovered",
    ];
    openssl(&place, &recover);
    assert_eq!(place.read("recovered"), block);
}

#[test]
fn ecdsa_signs_on_every_curve() {
    for kind in ["EC:prime256v1", "EC:secp384r1", "EC:secp521r1", "EC:secp256k1"] {
        let place = with_pair(kind);
        for digest in ["sha1", "sha224", "sha256", "sha384", "sha512"] {
            sign_and_verify(&place, &format!("ECDSA-{}", digest.to_uppercase()), "message", &["-f", "openssl"]);
            let digest = format!("-{digest}");
            verified_by_openssl(
                &place,
                &["dgst", &digest, "-verify", "public.pem", "-signature", "signature", "message"],
            );
        }
        openssl(&place, &["dgst", "-sha256", "-binary", "-out", "digest", "message"]);
        sign_and_verify(&place, "ECDSA", "digest", &["-f", "openssl"]);
        verified_by_openssl(
            &place,
            &["pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-in", "digest", "-sigfile", "signature"],
        );
    }
}

#[test]
fn ed25519_signs() {
    let place = with_pair("EC:edwards25519");
    sign_and_verify(&place, "EDDSA", "message", &[]);
    assert_eq!(place.read("signature").len(), 64);
    let verify = ["pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-rawin", "-in", "message"];
    verified_by_openssl(&place, &[&verify[..], &["-sigfile", "signature"]].concat());
}

#[test]
fn a_signature_of_something_else_is_not_valid() {
    let place = with_pair("EC:prime256v1");
    sign_and_verify(&place, "ECDSA-SHA256", "message", &[]);
    place.write("other", b"something else");
    let verify = ["--verify", "-m", "ECDSA-SHA256", "--id", "01", "-i", "other", "--signature-file", "signature"];
    let mut all = vec!["--login", "--pin", perilune_tests::USER_PIN, "--token-label", TOKEN_LABEL];
    all.extend(verify);
    let (_, said) = perilune_tests::outside::run(&mut place.pkcs11_tool_command(&all));
    assert!(said.contains("Invalid signature"), "{said}");
}

#[test]
fn what_openssl_encrypted_is_decrypted() {
    let place = with_pair("rsa:2048");
    place.write("plain", b"for the token only");
    let encrypt = |options: &[&str]| {
        let base = ["pkeyutl", "-encrypt", "-pubin", "-inkey", "public.pem", "-in", "plain", "-out", "sealed"];
        let options: Vec<&str> = options.iter().flat_map(|option| ["-pkeyopt", option]).collect();
        openssl(&place, &[&base[..], &options].concat());
    };
    let decrypt = |mechanism: &str, more: &[&str]| {
        let base = ["--decrypt", "-m", mechanism, "--id", "01", "-i", "sealed", "-o", "opened"];
        place.pkcs11_tool_user(&[&base[..], more].concat());
        assert_eq!(place.read("opened"), b"for the token only", "{mechanism}");
    };
    encrypt(&["rsa_padding_mode:pkcs1"]);
    decrypt("RSA-PKCS", &[]);
    encrypt(&["rsa_padding_mode:oaep"]);
    decrypt("RSA-PKCS-OAEP", &["--hash-algorithm", "SHA-1"]);
    encrypt(&["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256"]);
    decrypt("RSA-PKCS-OAEP", &["--hash-algorithm", "SHA256", "--mgf", "MGF1-SHA256"]);
    encrypt(&["rsa_padding_mode:oaep", "rsa_oaep_md:sha512", "rsa_mgf1_md:sha512"]);
    decrypt("RSA-PKCS-OAEP", &["--hash-algorithm", "SHA512", "--mgf", "MGF1-SHA512"]);
}

#[test]
fn aes_agrees_with_openssl_in_both_directions() {
    let place = Place::new().with_token();
    let key: Vec<u8> = (0..32).collect();
    let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let iv = "000102030405060708090a0b0c0d0e0f";
    place.write("key", &key);
    place.write("plain", b"sixteen bytes ok"); // One block, so that each mode takes it.
    place.pkcs11_tool_user(&[
        "--write-object",
        "key",
        "--type",
        "secrkey",
        "--key-type",
        "AES:32",
        "--id",
        "02",
        "--label",
        "known",
        "--usage-decrypt",
    ]);
    for (mechanism, cipher, options) in [
        ("AES-CBC-PAD", "-aes-256-cbc", &[][..]),
        ("AES-CBC", "-aes-256-cbc", &["-nopad"]),
        ("AES-ECB", "-aes-256-ecb", &["-nopad"]),
    ] {
        let iv_options: &[&str] = if mechanism == "AES-ECB" { &[] } else { &["--iv", iv] };
        let what = ["-m", mechanism, "--id", "02"];
        place.pkcs11_tool_user(&[&["--encrypt", "-i", "plain", "-o", "sealed"], &what[..], iv_options].concat());
        let mut arguments = vec!["enc", cipher, "-K", &digits, "-in", "plain", "-out", "expected"];
        if mechanism != "AES-ECB" {
            arguments.extend(["-iv", iv]);
        }
        arguments.extend(options);
        openssl(&place, &arguments);
        assert_eq!(place.read("sealed"), place.read("expected"), "{mechanism}");
        place.pkcs11_tool_user(&[&["--decrypt", "-i", "expected", "-o", "opened"], &what[..], iv_options].concat());
        assert_eq!(place.read("opened"), place.read("plain"), "{mechanism}");
    }
}

#[test]
fn digests_agree_with_openssl() {
    let place = Place::new().with_token();
    place.write("message", vec![0x61; 100_000]);
    for digest in ["sha1", "sha224", "sha256", "sha384", "sha512"] {
        let name = if digest == "sha1" { "SHA-1".into() } else { digest.to_uppercase() };
        place.pkcs11_tool(&["--token-label", TOKEN_LABEL, "--hash", "-m", &name, "-i", "message", "-o", "inside"]);
        openssl(&place, &["dgst", &format!("-{digest}"), "-binary", "-out", "outside", "message"]);
        assert_eq!(place.read("inside"), place.read("outside"), "{digest}");
    }
}

#[test]
fn ecdh_agrees_with_openssl() {
    for (kind, curve) in [("EC:prime256v1", "prime256v1"), ("EC:secp384r1", "secp384r1")] {
        let place = with_pair(kind);
        openssl(&place, &["ecparam", "-name", curve, "-genkey", "-noout", "-out", "peer.pem"]);
        openssl(&place, &["ec", "-in", "peer.pem", "-pubout", "-outform", "DER", "-out", "peer.der"]);
        openssl(&place, &["pkeyutl", "-derive", "-inkey", "peer.pem", "-peerkey", "public.pem", "-out", "outside"]);
        for format in [&[][..], &["--derive-pass-der"]] {
            let base = ["--derive", "-m", "ECDH1-DERIVE", "--id", "01", "-i", "peer.der", "-o", "inside"];
            place.pkcs11_tool_user(&[&base[..], format].concat());
            assert_eq!(place.read("inside"), place.read("outside"), "{kind} {format:?}");
        }
    }
}

#[test]
fn keys_are_wrapped_and_unwrapped() {
    let place = with_pair("rsa:2048");
    // An AES key wrapped for the token by OpenSSL's public key operation, unwrapped inside, used.
    let key: Vec<u8> = (100..132).collect();
    let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    place.pkcs11_tool_user(&[
        "--keypairgen",
        "--key-type",
        "rsa:2048",
        "--id",
        "05",
        "--label",
        "wrapping",
        "--usage-wrap",
    ]);
    place.public_pem("05");
    place.write("key", &key);
    openssl(&place, &["pkeyutl", "-encrypt", "-pubin", "-inkey", "public.pem", "-in", "key", "-out", "wrapped"]);
    let unwrap = [
        "--unwrap",
        // What a key of the token has wrapped stays sensitive; the tool asks for the contrary otherwise.
        "--sensitive",
        "-m",
        "RSA-PKCS",
        "--id",
        "05",
        "-i",
        "wrapped",
        "--key-type",
        "AES:",
        "--application-id",
        "06",
        "--application-label",
        "unwrapped",
        "--usage-decrypt",
        "--extractable",
    ];
    place.pkcs11_tool_user(&unwrap);
    place.write("plain", b"sixteen bytes ok");
    openssl(&place, &["enc", "-aes-256-ecb", "-nopad", "-K", &digits, "-in", "plain", "-out", "sealed"]);
    place.pkcs11_tool_user(&["--decrypt", "-m", "AES-ECB", "--id", "06", "-i", "sealed", "-o", "opened"]);
    assert_eq!(place.read("opened"), b"sixteen bytes ok");
    // And out again, wrapped with the same pair.
    place.pkcs11_tool_user(&["--wrap", "-m", "RSA-PKCS", "--id", "05", "--application-id", "06", "-o", "again"]);
    assert_eq!(place.read("again").len(), 256);
}
