//! Java's SunPKCS11: keytool and jarsigner with keys that stay in the token; skipped where there is no Java.

use perilune_tests::outside::{has, output, skip};
use perilune_tests::{Place, USER_PIN, module};

const TOOLS: [&str; 3] = ["keytool", "jarsigner", "jar"];

fn with_configuration() -> Place {
    let place = Place::new().with_token();
    let slot = place.pkcs11_tool(&["-T"]);
    let slot = slot.split("(0x").nth(1).and_then(|rest| rest.split(')').next()).expect("the slot's number");
    let slot = u64::from_str_radix(slot, 16).expect("a number");
    place.write("java.cfg", format!("name = Tested\nlibrary = {}\nslot = {slot}\n", module::path().display()));
    place
}

fn run(place: &Place, tool: &str, arguments: &[&str]) -> String {
    let mut command = place.command(tool);
    command.args(["-J-Duser.language=en", "-keystore", "NONE", "-storetype", "PKCS11", "-storepass", USER_PIN]);
    command.args(["-providerClass", "sun.security.pkcs11.SunPKCS11", "-providerArg", "java.cfg"]).args(arguments);
    output(command)
}

#[test]
fn keys_are_generated_listed_and_sign_archives() {
    if !TOOLS.iter().all(|tool| has(tool)) {
        return skip("java", "no JDK is here");
    }
    let place = with_configuration();
    for (alias, algorithm, size) in [("rsa", "RSA", ["-keysize", "2048"]), ("ec", "EC", ["-groupname", "secp256r1"])] {
        let generate = ["-genkeypair", "-alias", alias, "-keyalg", algorithm, "-dname", "CN=java", "-validity", "30"];
        run(&place, "keytool", &[&generate[..], &size].concat());
        let said = run(&place, "keytool", &["-list"]);
        assert!(said.contains(&format!("{alias}, PrivateKeyEntry")), "{said}");

        place.write("inside.txt", b"what the archive holds");
        let mut command = place.command("jar");
        command.args(["cf", "plain.jar", "inside.txt"]);
        output(command);
        run(&place, "jarsigner", &["-signedjar", "signed.jar", "plain.jar", alias]);
        // Verified without the token.
        let mut command = place.command("jarsigner");
        command.args(["-J-Duser.language=en", "-verify", "signed.jar"]);
        assert!(output(command).contains("jar verified"));
    }
    run(&place, "keytool", &["-delete", "-alias", "rsa"]);
    let said = run(&place, "keytool", &["-list"]);
    assert!(!said.contains("rsa,") && said.contains("ec, PrivateKeyEntry"), "{said}");
}

#[test]
fn ciphers_and_digests_work_through_the_java_interface() {
    if !has("java") {
        return skip("java", "no Java is here");
    }
    let place = with_configuration();
    let source = module::workspace().join("tests/java/Ciphers.java");
    let mut command = place.command("java");
    command.arg(source).args(["java.cfg", USER_PIN]);
    assert!(output(command).contains("all agree"));
}
