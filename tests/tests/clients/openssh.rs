//! OpenSSH: public keys from the token, and a certificate signed by a CA key that stays in it.

use perilune_tests::outside::{has, output, skip};
use perilune_tests::{Place, USER_PIN, module};

/// A place in which OpenSSH gets the PIN from a program, as it has no other way without a terminal.
fn with_askpass(place: &Place) {
    let script = place.write("askpass", format!("#!/bin/sh\necho {USER_PIN}\n"));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(script, mode).expect("an executable file");
}

fn ssh_keygen(place: &Place, arguments: &[&str]) -> String {
    let mut command = place.command("ssh-keygen");
    command.env("SSH_ASKPASS", place.file("askpass")).env("SSH_ASKPASS_REQUIRE", "force").env("DISPLAY", ":0");
    command.args(arguments);
    output(command)
}

#[test]
fn public_keys_are_listed_and_certificates_signed() {
    if !has("ssh-keygen") {
        return skip("openssh", "ssh-keygen is not here");
    }
    let place = Place::new().with_token();
    with_askpass(&place);
    place.key_pair("rsa:2048", "01", "rsa");
    place.key_pair("EC:prime256v1", "02", "ec");
    let module = module::path().to_string_lossy();
    let keys = ssh_keygen(&place, &["-D", &module]);
    assert!(keys.contains("ssh-rsa AAAA") && keys.contains("ecdsa-sha2-nistp256 AAAA"), "{keys}");
    ssh_keygen(&place, &["-q", "-t", "ed25519", "-N", "", "-f", "user"]);
    for kind in ["ssh-rsa", "ecdsa-sha2-nistp256"] {
        let line = keys.lines().find(|line| line.starts_with(kind)).expect("the key");
        place.write("ca.pub", format!("{line}\n"));
        ssh_keygen(&place, &["-D", &module, "-s", "ca.pub", "-I", "someone", "-n", "someone", "-V", "+1h", "user.pub"]);
        // ssh-keygen verifies the signature of a certificate when it reads one.
        let said = ssh_keygen(&place, &["-L", "-f", "user-cert.pub"]);
        assert!(said.contains("Signing CA") && said.contains("someone"), "{said}");
        std::fs::remove_file(place.file("user-cert.pub")).expect("the certificate");
    }
}
