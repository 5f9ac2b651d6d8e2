//! GnuTLS's p11tool and certtool: keys, certificates, objects by URL.

use perilune_tests::outside::{has, openssl, output, skip};
use perilune_tests::{Place, SO_PIN, TOKEN_LABEL, USER_PIN, module};

fn p11tool(place: &Place, arguments: &[&str]) -> String {
    let mut command = place.command("p11tool");
    command.arg("--provider").arg(module::path()).args(arguments);
    command.env("GNUTLS_PIN", USER_PIN).env("GNUTLS_SO_PIN", SO_PIN);
    output(command)
}

fn url(more: &str) -> String {
    format!("pkcs11:token={TOKEN_LABEL}{more}")
}

#[test]
fn keys_are_generated_and_listed() {
    if !has("p11tool") {
        return skip("gnutls", "p11tool is not here");
    }
    let place = Place::new().with_token();
    assert!(p11tool(&place, &["--list-tokens"]).contains(TOKEN_LABEL));
    for (kind, size, label) in
        [("rsa", "--bits=2048", "rsa"), ("ecdsa", "--curve=secp256r1", "ec"), ("ed25519", "--bits=256", "edwards")]
    {
        let said = p11tool(
            &place,
            &["--login", "--generate-privkey", kind, size, "--label", label, "--outfile", "public.pem", &url("")],
        );
        assert!(!said.contains("rror"), "{kind}: {said}");
        let said = openssl(&place, &["pkey", "-pubin", "-in", "public.pem", "-noout", "-text"]);
        assert!(said.contains("Public") || said.contains("pub:"), "{kind}: {said}");
        let said = p11tool(&place, &["--login", "--list-all", &url("")]);
        assert!(said.contains(&format!("object={label}")), "{kind}: {said}");
    }
    let said = p11tool(&place, &["--login", "--list-all-privkeys", &url("")]);
    assert_eq!(said.matches("Type: Private key").count(), 3, "{said}");
    p11tool(&place, &["--list-mechanisms", &url("")]);
}

#[test]
fn a_certificate_is_signed_by_certtool_with_the_tokens_key() {
    if !has("certtool") {
        return skip("certtool", "certtool is not here");
    }
    let place = Place::new().with_token();
    place.write("template", "cn = signed by GnuTLS\nca\ncert_signing_key\nexpiration_days = 30\n");
    for (kind, label) in [("rsa:2048", "rsa"), ("EC:prime256v1", "ec"), ("EC:edwards25519", "edwards")] {
        if kind.contains("25519") {
            let generate =
                ["--login", "--generate-privkey", "ed25519", "--label", label, "--outfile", "public.pem", &url("")];
            p11tool(&place, &generate);
        } else {
            place.key_pair(kind, "01", label);
        }
        let key = url(&format!(";object={label};type=private"));
        let mut command = place.command("certtool");
        command.arg("--provider").arg(module::path()).env("GNUTLS_PIN", USER_PIN);
        command.args([
            "--generate-self-signed",
            "--load-privkey",
            &key,
            "--template",
            "template",
            "--outfile",
            "certificate.pem",
        ]);
        if kind.contains("25519") {
            // certtool reads the public half from the token by the same URL.
            command.args(["--load-pubkey", "public.pem"]);
        }
        output(command);
        let said = openssl(&place, &["verify", "-CAfile", "certificate.pem", "certificate.pem"]);
        assert!(said.contains("certificate.pem: OK"), "{kind}: {said}");
        if !kind.contains("25519") {
            place.pkcs11_tool_user(&["--delete-object", "--type", "privkey", "--id", "01"]);
            place.pkcs11_tool_user(&["--delete-object", "--type", "pubkey", "--id", "01"]);
        }
    }
}

#[test]
fn certificates_are_written_trusted_and_exported() {
    if !has("p11tool") {
        return skip("gnutls", "p11tool is not here");
    }
    let place = Place::new().with_token();
    openssl(
        &place,
        &[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "key.pem",
            "-subj",
            "/CN=trusted",
            "-out",
            "certificate.pem",
        ],
    );
    p11tool(&place, &["--login", "--write", "--load-certificate", "certificate.pem", "--label", "plain", &url("")]);
    p11tool(&place, &["--login", "--write", "--load-privkey", "key.pem", "--label", "written", &url("")]);
    // Only the SO may mark a certificate as trusted.
    p11tool(
        &place,
        &[
            "--so-login",
            "--write",
            "--mark-trusted",
            "--load-certificate",
            "certificate.pem",
            "--label",
            "anchor",
            &url(""),
        ],
    );
    let said = p11tool(&place, &["--login", "--list-all", &url("")]);
    assert!(
        said.contains("object=plain") && said.contains("object=written") && said.contains("object=anchor"),
        "{said}"
    );
    assert!(said.contains("CKA_TRUSTED"), "{said}");
    let exported = p11tool(&place, &["--export", &url(";object=plain;type=cert")]);
    let original = String::from_utf8(place.read("certificate.pem")).unwrap();
    assert!(exported.contains(original.lines().nth(1).expect("a line")), "{exported}");
    p11tool(&place, &["--login", "--batch", "--delete", &url(";object=written;type=private")]);
    assert!(!p11tool(&place, &["--login", "--list-all", &url("")]).contains("object=written;type=private"));
}
