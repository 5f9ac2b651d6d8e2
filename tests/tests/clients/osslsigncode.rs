//! osslsigncode: Authenticode signatures with a key that stays in the token.
//!
//! Each signature is verified by osslsigncode and, extracted, by plain OpenSSL. The programs that are signed
//! come from Debian packages or are made here by gcab and msibuild.

use perilune_tests::outside::{has, openssl, output, skip};
use perilune_tests::{Place, USER_PIN, module};
use std::path::PathBuf;
use std::process::Command;

/// A token with a CA and a code-signing certificate for the key `label` of this kind.
fn with_certificate(kind: &str, label: &str) -> Place {
    let place = Place::new().with_token();
    place.key_pair("rsa:2048", "0c", "ca");
    place.key_pair(kind, "01", label);
    place.self_signed("ca", "ca.pem", "ca");
    let (ca, key) = (Place::engine_key("ca"), Place::engine_key(label));
    place.engine(&[
        "req",
        "-new",
        "-engine",
        "pkcs11",
        "-keyform",
        "engine",
        "-key",
        &key,
        "-subj",
        "/CN=signer",
        "-out",
        "signer.csr",
    ]);
    place.engine(&[
        "x509",
        "-req",
        "-in",
        "signer.csr",
        "-engine",
        "pkcs11",
        "-CA",
        "ca.pem",
        "-CAkey",
        &ca,
        "-CAkeyform",
        "engine",
        "-CAcreateserial",
        "-days",
        "30",
        "-extfile",
        "engine.cnf",
        "-extensions",
        "code",
        "-out",
        "signer.pem",
    ]);
    openssl(&place, &["x509", "-in", "signer.pem", "-outform", "DER", "-out", "signer.der"]);
    place.pkcs11_tool_user(&["--write-object", "signer.der", "--type", "cert", "--id", "01", "--label", label]);
    place
}

/// The engine, where Debian keeps it.
fn engine() -> PathBuf {
    let output = Command::new("openssl").args(["version", "-e"]).output().expect("openssl");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    PathBuf::from(text.split('"').nth(1).expect("ENGINESDIR")).join("pkcs11.so")
}

/// Signs `input` to `output`; `certificate` names it in the token or in a file.
fn sign(place: &Place, label: &str, certificate: [&str; 2], input: &str, signed: &str) {
    let mut command = place.command("osslsigncode");
    command.args(["sign", "-pkcs11engine"]).arg(engine()).arg("-pkcs11module").arg(module::path());
    command.args(certificate).args(["-key", &Place::engine_key(label), "-pass", USER_PIN, "-h", "sha256"]);
    command.args(["-n", "Perilune test", "-in", input, "-out", signed]);
    let said = output(command);
    assert!(said.contains("Succeeded"), "{said}");
}

/// Verifies with osslsigncode, and the extracted PKCS#7 with plain OpenSSL.
fn verify(place: &Place, signed: &str) {
    let mut command = place.command("osslsigncode");
    command.args(["verify", "-CAfile", "ca.pem", "-in", signed]);
    let said = output(command);
    assert!(said.contains("Signature verification: ok") && said.contains("Succeeded"), "{said}");
    let mut command = place.command("osslsigncode");
    command.args(["extract-signature", "-in", signed, "-out", "signature.p7"]);
    output(command);
    let content = indirect_data(&place.read("signature.p7"));
    place.write("content", content);
    let said = openssl(
        place,
        &[
            "smime",
            "-verify",
            "-inform",
            "DER",
            "-in",
            "signature.p7",
            "-content",
            "content",
            "-binary",
            "-CAfile",
            "ca.pem",
            "-purpose",
            "any",
            "-out",
            "verified",
        ],
    );
    assert!(said.contains("successful"), "{said}");
}

/// The value of the SpcIndirectDataContent: what Authenticode signs, without its outer tag and length.
///
/// PKCS#7 signs the content's value only, and Authenticode's content is no OCTET STRING, which is why OpenSSL
/// is given it separately (Microsoft, "Windows Authenticode Portable Executable Signature Format").
fn indirect_data(pkcs7: &[u8]) -> Vec<u8> {
    let oid = [0x06, 0x0A, 0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x04];
    let at = pkcs7.windows(oid.len()).position(|part| part == oid).expect("SpcIndirectDataContent") + oid.len();
    let (explicit, _) = value(&pkcs7[at..]);
    value(explicit).0.to_vec()
}

/// The value of the first DER element, and what follows it.
fn value(der: &[u8]) -> (&[u8], &[u8]) {
    let first = usize::from(der[1]);
    let (header, length) = if first < 0x80 {
        (2, first)
    } else {
        let bytes = first - 0x80;
        (2 + bytes, der[2..2 + bytes].iter().fold(0, |all, &byte| all << 8 | usize::from(byte)))
    };
    der[header..].split_at(length)
}

/// A real Windows program: the launcher in the wheel of Debian's python3-setuptools-whl.
fn windows_program(place: &Place) -> Option<String> {
    let wheels = std::fs::read_dir("/usr/share/python-wheels").ok()?;
    let wheel =
        wheels.flatten().map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("/setuptools-"))?;
    let mut command = place.command("unzip");
    command.args(["-o", "-j", "-q"]).arg(wheel).args(["setuptools/cli-64.exe", "-d", "."]);
    output(command);
    Some("cli-64.exe".into())
}

fn program(kind: &str, label: &str) {
    let place = with_certificate(kind, label);
    let Some(program) = windows_program(&place) else {
        return skip("osslsigncode", "python3-setuptools-whl is not here");
    };
    let in_token = Place::engine_key(label).replace("type=private", "type=cert");
    sign(&place, label, ["-pkcs11cert", &in_token], &program, "signed.exe");
    verify(&place, "signed.exe");
    assert!(place.read("signed.exe").len() > place.read(&program).len());
    // One changed byte of the program, and the signature does not hold.
    let mut broken = place.read("signed.exe");
    broken[0x400] ^= 1;
    place.write("broken.exe", broken);
    let mut command = place.command("osslsigncode");
    command.args(["verify", "-CAfile", "ca.pem", "-in", "broken.exe"]);
    perilune_tests::outside::failure(command);
}

#[test]
fn a_windows_program_is_signed_with_an_rsa_key() {
    program("rsa:3072", "rsa");
}

#[test]
fn a_windows_program_is_signed_with_a_p_256_key() {
    program("EC:prime256v1", "ec");
}

#[test]
fn a_cabinet_is_signed() {
    if !has("gcab") {
        return skip("cabinet", "gcab is not here");
    }
    let place = with_certificate("rsa:2048", "rsa");
    place.write("inside.txt", b"what the cabinet holds");
    let mut command = place.command("gcab");
    command.args(["--create", "plain.cab", "inside.txt"]);
    output(command);
    sign(&place, "rsa", ["-certs", "signer.pem"], "plain.cab", "signed.cab");
    verify(&place, "signed.cab");
}

#[test]
fn an_installer_is_signed() {
    if !has("msibuild") {
        return skip("installer", "msibuild is not here");
    }
    let place = with_certificate("EC:prime256v1", "ec");
    for arguments in [
        &[
            "-q",
            "CREATE TABLE `Property` (`Property` CHAR(72) NOT NULL, `Value` CHAR(0) NOT NULL PRIMARY KEY `Property`)",
        ][..],
        &["-q", "INSERT INTO `Property` (`Property`, `Value`) VALUES ('ProductName', 'Perilune')"],
        &["-s", "Perilune test", "Perilune", ";1033", "{00000000-0000-0000-0000-000000000001}"],
    ] {
        let mut command = place.command("msibuild");
        command.arg("plain.msi").args(arguments);
        output(command);
    }
    sign(&place, "ec", ["-certs", "signer.pem"], "plain.msi", "signed.msi");
    verify(&place, "signed.msi");
}

#[test]
fn a_script_is_signed() {
    let place = with_certificate("rsa:2048", "rsa");
    let version = output({
        let mut command = place.command("osslsigncode");
        command.arg("--version");
        command
    });
    // Scripts are signed since 2.8; Debian 12 itself has 2.5.
    let minor: u32 =
        version.split("2.").nth(1).and_then(|rest| rest.split([',', ' ', '\n', '.']).next()?.parse().ok()).unwrap_or(0);
    if minor < 8 {
        return skip("script", "this osslsigncode does not sign scripts");
    }
    place.write("plain.ps1", b"Write-Output 'signed'\r\n");
    sign(&place, "rsa", ["-certs", "signer.pem"], "plain.ps1", "signed.ps1");
    verify(&place, "signed.ps1");
    assert!(String::from_utf8_lossy(&place.read("signed.ps1")).contains("SIG # Begin signature block"));
}
