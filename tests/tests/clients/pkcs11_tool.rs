//! pkcs11-tool: tokens, PINs, objects and its own self-tests.

use perilune_tests::outside::{failure, openssl, output, run};
use perilune_tests::{Place, SO_PIN, TOKEN_LABEL, USER_PIN};

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "lacks {part:?}:\n{text}");
    }
}

#[test]
fn a_token_is_set_up_and_shown() {
    let place = Place::new();
    has(&place.pkcs11_tool(&["-L"]), &["uninitialized"]);
    let place = place.with_token();
    has(&place.pkcs11_tool(&["-L"]), &[TOKEN_LABEL, "login required", "rng", "token initialized", "PIN initialized"]);
    has(&place.pkcs11_tool(&["-T"]), &[TOKEN_LABEL, "token manufacturer", "serial num"]);
    has(&place.pkcs11_tool(&["-I"]), &["Cryptoki version", "Library", "Manufacturer"]);
    let mechanisms = place.pkcs11_tool(&["-M", "--token-label", TOKEN_LABEL]);
    has(&mechanisms, &["RSA-PKCS,", "SHA256-RSA-PKCS-PSS", "ECDSA", "EDDSA", "AES-GCM", "RSA-X-509", "ECDH1-DERIVE"]);
}

#[test]
fn the_interfaces_are_listed() {
    let said = Place::new().pkcs11_tool(&["--list-interfaces"]);
    has(&said, &["PKCS 11", "version: 2.40", "version: 3.0", "version: 3.2"]);
}

#[test]
fn pins_are_changed_and_unlocked() {
    let place = Place::new().with_token();
    let token = ["--token-label", TOKEN_LABEL];
    place.pkcs11_tool(
        &[&token[..], &["--change-pin", "--login", "--pin", USER_PIN, "--new-pin", "second-pin"]].concat(),
    );
    let old = [&token[..], &["-O", "--login", "--pin", USER_PIN]].concat();
    has(&failure(place.pkcs11_tool_command(&old)), &["CKR_PIN_INCORRECT"]);
    place.pkcs11_tool(&[&token[..], &["-O", "--login", "--pin", "second-pin"]].concat());
    // The SO gives the user a new PIN.
    let so = ["--init-pin", "--login", "--login-type", "so", "--so-pin", SO_PIN, "--pin", "third-pin"];
    place.pkcs11_tool(&[&token[..], &so].concat());
    place.pkcs11_tool(&[&token[..], &["-O", "--login", "--pin", "third-pin"]].concat());
    // The SO changes his own.
    let change = ["--change-pin", "--login", "--login-type", "so", "--so-pin", SO_PIN, "--new-pin", "so-second"];
    place.pkcs11_tool(&[&token[..], &change].concat());
    has(&failure(place.pkcs11_tool_command(&[&token[..], &so].concat())), &["CKR_PIN_INCORRECT"]);
}

#[test]
fn a_locked_user_is_told_so() {
    let place = Place::new().with_token();
    let wrong = ["--token-label", TOKEN_LABEL, "-O", "--login", "--pin", "wrong-pin"];
    for _ in 0..10 {
        has(&failure(place.pkcs11_tool_command(&wrong)), &["CKR_PIN_INCORRECT"]);
    }
    let right = ["--token-label", TOKEN_LABEL, "-O", "--login", "--pin", USER_PIN];
    has(&failure(place.pkcs11_tool_command(&right)), &["CKR_PIN_LOCKED"]);
    has(&place.pkcs11_tool(&["-L"]), &["user PIN locked"]);
}

#[test]
fn every_kind_of_key_is_generated_listed_and_deleted() {
    let place = Place::new().with_token();
    for (kind, id, shown) in [
        ("rsa:2048", "01", "RSA 2048 bits"),
        ("rsa:3072", "02", "RSA 3072 bits"),
        ("EC:prime256v1", "03", "EC_POINT 256 bits"),
        ("EC:secp384r1", "04", "EC_POINT 384 bits"),
        ("EC:secp521r1", "05", "EC_POINT 528 bits"),
        ("EC:secp256k1", "06", "EC_POINT 256 bits"),
        ("EC:edwards25519", "07", "EC_EDWARDS"),
        ("EC:curve25519", "08", "EC_MONTGOMERY"),
    ] {
        place.pkcs11_tool_user(&["--keypairgen", "--key-type", kind, "--id", id, "--label", kind]);
        let said = place.pkcs11_tool_user(&["-O", "--id", id]);
        has(
            &said,
            &["Public Key Object", "Private Key Object", kind, "sensitive, always sensitive, never extractable, local"],
        );
        if id < "05" || id == "06" {
            has(&said, &[shown]);
        }
        place.pkcs11_tool_user(&["--delete-object", "--type", "privkey", "--id", id]);
        place.pkcs11_tool_user(&["--delete-object", "--type", "pubkey", "--id", id]);
    }
    place.pkcs11_tool_user(&["--keygen", "--key-type", "AES:32", "--id", "20", "--label", "secret"]);
    place.pkcs11_tool_user(&["--keygen", "--key-type", "GENERIC:64", "--id", "21", "--label", "generic"]);
    has(&place.pkcs11_tool_user(&["-O"]), &["AES length 32", "secret", "generic"]);
    place.pkcs11_tool_user(&["--delete-object", "--type", "secrkey", "--id", "20"]);
    place.pkcs11_tool_user(&["--delete-object", "--type", "secrkey", "--id", "21"]);
    let rest = place.pkcs11_tool_user(&["-O"]);
    assert!(!rest.contains("Object"), "something is left:\n{rest}");
}

#[test]
fn private_objects_are_not_shown_without_login() {
    let place = Place::new().with_token();
    place.pkcs11_tool_user(&["--keypairgen", "--key-type", "EC:prime256v1", "--id", "01", "--label", "pair"]);
    let said = place.pkcs11_tool(&["-O", "--token-label", TOKEN_LABEL]);
    has(&said, &["Public Key Object"]);
    assert!(!said.contains("Private Key Object"), "{said}");
}

#[test]
fn certificates_and_data_are_written_read_and_deleted() {
    let place = Place::new().with_token();
    let request = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "key.pem",
        "-subj",
        "/CN=written",
        "-outform",
        "DER",
        "-out",
        "certificate.der",
    ];
    openssl(&place, &request);
    place.pkcs11_tool_user(&[
        "--write-object",
        "certificate.der",
        "--type",
        "cert",
        "--id",
        "0a",
        "--label",
        "written",
    ]);
    place.pkcs11_tool(&[
        "--token-label",
        TOKEN_LABEL,
        "--read-object",
        "--type",
        "cert",
        "--id",
        "0a",
        "-o",
        "again.der",
    ]);
    assert_eq!(place.read("again.der"), place.read("certificate.der"));
    has(&place.pkcs11_tool_user(&["-O", "--type", "cert"]), &["Certificate Object", "written", "CN=written"]);

    place.write("data", b"anything at all");
    place.pkcs11_tool_user(&[
        "--write-object",
        "data",
        "--type",
        "data",
        "--label",
        "note",
        "--application-label",
        "app",
    ]);
    place.pkcs11_tool_user(&["--read-object", "--type", "data", "--label", "note", "-o", "again"]);
    assert_eq!(place.read("again"), b"anything at all");
    place.pkcs11_tool_user(&["--delete-object", "--type", "data", "--label", "note"]);
    let gone = [
        "--login",
        "--pin",
        USER_PIN,
        "--token-label",
        TOKEN_LABEL,
        "--read-object",
        "--type",
        "data",
        "--label",
        "note",
    ];
    failure(place.pkcs11_tool_command(&gone));
}

#[test]
fn keys_made_by_openssl_are_written_and_used() {
    let place = Place::new().with_token();
    place.write("message", b"signed by a key that came from outside");
    for (id, algorithm, option, mechanism) in [
        ("11", "RSA", "rsa_keygen_bits:2048", "SHA256-RSA-PKCS"),
        ("12", "EC", "ec_paramgen_curve:P-256", "ECDSA-SHA256"),
        ("13", "EC", "ec_paramgen_curve:P-384", "ECDSA-SHA256"),
    ] {
        openssl(
            &place,
            &["genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-outform", "DER", "-out", "key.der"],
        );
        openssl(
            &place,
            &["pkey", "-inform", "DER", "-in", "key.der", "-pubout", "-outform", "DER", "-out", "public.der"],
        );
        openssl(&place, &["pkey", "-inform", "DER", "-in", "key.der", "-pubout", "-out", "public.pem"]);
        place.pkcs11_tool_user(&[
            "--write-object",
            "key.der",
            "--type",
            "privkey",
            "--id",
            id,
            "--label",
            "imported",
            "--usage-sign",
        ]);
        place.pkcs11_tool_user(&[
            "--write-object",
            "public.der",
            "--type",
            "pubkey",
            "--id",
            id,
            "--label",
            "imported",
        ]);
        let sign = ["--sign", "-m", mechanism, "--id", id, "-i", "message", "-o", "signature", "-f", "openssl"];
        place.pkcs11_tool_user(&sign);
        let verify = ["dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "message"];
        has(&openssl(&place, &verify), &["Verified OK"]);
        let made = place.read("public.pem");
        place.public_pem(id);
        assert_eq!(place.read("public.pem"), made);
    }
}

#[test]
fn ids_are_set_afterwards() {
    let place = Place::new().with_token();
    place.pkcs11_tool_user(&["--keypairgen", "--key-type", "EC:prime256v1", "--id", "01", "--label", "pair"]);
    place.pkcs11_tool_user(&["--set-id", "beef", "--type", "privkey", "--id", "01"]);
    place.pkcs11_tool_user(&["--set-id", "beef", "--type", "pubkey", "--id", "01"]);
    has(&place.pkcs11_tool_user(&["-O", "--id", "beef"]), &["Private Key Object", "Public Key Object", "beef"]);
}

#[test]
fn random_bytes_are_generated() {
    let place = Place::new().with_token();
    for name in ["one", "two"] {
        place.pkcs11_tool(&["--token-label", TOKEN_LABEL, "--generate-random", "64", "-o", name]);
    }
    assert_eq!(place.read("one").len(), 64);
    assert_ne!(place.read("one"), place.read("two"));
}

#[test]
fn its_self_test_finds_no_error() {
    let place = Place::new().with_token();
    for (kind, id) in [("rsa:2048", "01"), ("EC:prime256v1", "02")] {
        place.pkcs11_tool_user(&[
            "--keypairgen",
            "--key-type",
            kind,
            "--id",
            id,
            "--label",
            kind,
            "--usage-sign",
            "--usage-decrypt",
        ]);
    }
    let said = place.pkcs11_tool_user(&["--test"]);
    has(&said, &["seems to be OK", "Digests:", "Signatures", "Verify", "Decryption", "No errors"]);
}

#[test]
fn its_test_of_elliptic_curves_finds_no_error() {
    let place = Place::new().with_token();
    let said = place.pkcs11_tool_user(&[
        "--session-rw",
        "--test-ec",
        "--key-type",
        "EC:prime256v1",
        "--id",
        "01",
        "--label",
        "made by the test",
    ]);
    assert!(!said.contains("error") && !said.contains("failed"), "{said}");
}

#[test]
fn its_test_of_forks_finds_no_error() {
    let place = Place::new().with_token();
    let said = place.pkcs11_tool(&["--test-fork"]);
    assert!(!said.contains("CKR_") || said.contains("CKR_OK"), "{said}");
}

#[test]
fn its_test_of_threads_ends() {
    let place = Place::new().with_token();
    // Two threads that initialise, list slots and look at token information, again and again.
    for arguments in [&["ILGISLTI0"][..], &["IN", "IN", "IN", "IN"], &["IL", "IL"], &["IO", "IO", "INL1"]] {
        let mut command = place.pkcs11_tool_command(&[]);
        for argument in arguments {
            command.args(["--test-threads", argument]);
        }
        let (success, said) = run(&mut command);
        assert!(success && !said.contains("signal"), "{arguments:?}: {said}");
    }
}

#[test]
fn locking_is_asked_for_and_given() {
    let place = Place::new().with_token();
    let said = output(place.pkcs11_tool_command(&["--use-locking", "-L"]));
    has(&said, &[TOKEN_LABEL]);
}
