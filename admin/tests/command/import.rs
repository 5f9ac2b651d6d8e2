//! `perilune import`: files made by OpenSSL, and what comes of them. Signatures made with imported keys
//! are verified by OpenSSL.

use crate::world::{USER_PIN, World};
use ffi_headers::*;
use hsm_core::template::Template;
use hsm_core::{Mechanism, Params, Reply, Room};
use hsm_crypto::SecretBytes;
use hsm_platform::{Environment, Settings};
use serde_json::Value;

/// Signs with the only key of that label, by the core that the module uses.
fn sign(world: &World, label: &str, mechanism: u64, data: &[u8]) -> Vec<u8> {
    let environment = Environment::of(&[("PERILUNE_CONF", &world.at("perilune.toml"))], &world.at("none"));
    let hsm = hsm_platform::start(&Settings::of(&environment).unwrap()).unwrap();
    let slot = hsm.slots(true).unwrap()[0];
    let session = hsm.open_session(slot, false).unwrap();
    hsm.login(session, CKU_USER, &SecretBytes::copy_of(USER_PIN.as_bytes())).unwrap();
    let template = Template::default().with(CKA_LABEL, label.as_bytes()).with_number(CKA_CLASS, CKO_PRIVATE_KEY);
    hsm.find_init(session, &template).unwrap();
    let keys = hsm.find(session, 2).unwrap();
    assert_eq!(keys.len(), 1);
    hsm.find_final(session).unwrap();
    hsm.sign_init(session, &Mechanism { kind: mechanism, params: Params::None }, keys[0]).unwrap();
    match hsm.sign(session, data, Room::Bytes(4096)).unwrap() {
        Reply::Data(signature) => signature,
        other => panic!("room was given, and no memory: {other:?}"),
    }
}

fn one<'a>(objects: &'a [Value], class: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["class"] == class);
    let first = found.next().unwrap_or_else(|| panic!("no {class} in {objects:?}"));
    assert!(found.next().is_none(), "two {class} in {objects:?}");
    first
}

#[test]
fn an_rsa_key_in_pem_signs_as_in_openssl() {
    let world = World::with_token("t");
    world.openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "k.pem"]);
    world.import(&["k.pem"]).ok();
    let objects = world.objects();
    let key = one(&objects, "private-key");
    assert_eq!((&key["type"], &key["bits"], &key["label"]), (&"RSA".into(), &2048.into(), &"k".into()));
    assert_eq!((&key["sensitive"], &key["extractable"], &key["local"]), (&true.into(), &false.into(), &false.into()));
    assert_eq!(key["id"], one(&objects, "public-key")["id"]);
    world.write("message", "hello");
    world.write("signature", sign(&world, "k", CKM_SHA256_RSA_PKCS, b"hello"));
    world.openssl(&["pkey", "-in", "k.pem", "-pubout", "-out", "pub.pem"]);
    world.openssl(&["dgst", "-sha256", "-verify", "pub.pem", "-signature", "signature", "message"]);
}

#[test]
fn an_ed25519_key_in_der_signs_as_in_openssl() {
    let world = World::with_token("t");
    world.openssl(&["genpkey", "-algorithm", "ED25519", "-outform", "DER", "-out", "k.der"]);
    world.import(&["k.der", "--label", "ed"]).ok();
    assert_eq!(one(&world.objects(), "private-key")["type"], "Ed25519");
    world.write("message", "hello");
    world.write("signature", sign(&world, "ed", CKM_EDDSA, b"hello"));
    world.openssl(&["pkey", "-inform", "DER", "-in", "k.der", "-pubout", "-out", "pub.pem"]);
    world.openssl(&[
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        "pub.pem",
        "-rawin",
        "-in",
        "message",
        "-sigfile",
        "signature",
    ]);
}

#[test]
fn every_curve_is_imported() {
    let world = World::with_token("t");
    for (curve, name) in [("P-256", "P-256"), ("P-384", "P-384"), ("P-521", "P-521"), ("secp256k1", "secp256k1")] {
        let file = format!("{name}.pem");
        world.openssl(&[
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            &format!("ec_paramgen_curve:{curve}"),
            "-out",
            &file,
        ]);
        world.import(&[&file]).ok();
    }
    world.openssl(&["genpkey", "-algorithm", "X25519", "-out", "X25519.pem"]);
    world.import(&["X25519.pem"]).ok();
    for object in world.objects() {
        assert_eq!(object["type"], object["label"], "{object}");
    }
    assert_eq!(world.objects().len(), 10);
}

#[test]
fn an_encrypted_key_opens_with_its_password_only() {
    let world = World::with_token("t");
    world.write("password", "secret of the file\n");
    let pkey = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes-256-cbc"];
    world.openssl(&[&pkey[..], &["-pass", "file:password", "-out", "k.pem"]].concat());
    assert!(std::fs::read_to_string(world.at("k.pem")).unwrap().contains("ENCRYPTED PRIVATE KEY"));
    world.import(&["k.pem", "--password-env", "WRONG_PIN"]).fails(1, &["does not decrypt", "password is wrong"]);
    assert_eq!(world.objects().len(), 0);
    world.import(&["k.pem", "--password-file", "password"]).ok();
    let der = ["pkcs8", "-topk8", "-in", "k.pem", "-passin", "file:password", "-passout", "pass:other"];
    world.openssl(&[&der[..], &["-outform", "DER", "-out", "k.der"]].concat());
    world.write("other", "other");
    world.import(&["k.der", "--password-file", "other"]).fails(1, &["already", "choose another --id"]);
    world.import(&["k.der", "--password-file", "other", "--id", "77"]).ok();
    assert_eq!(world.objects().len(), 4);
}

#[test]
fn an_encrypted_key_that_asks_for_all_the_memory_is_refused_and_named() {
    let world = World::with_token("t");
    world.write("password", "secret of the file\n");
    let pkey = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "plain.pem"];
    world.openssl(&pkey);
    let seal = ["pkcs8", "-topk8", "-in", "plain.pem", "-passout", "file:password", "-outform", "DER"];
    world.openssl(&[&seal[..], &["-scrypt", "-out", "good.der"]].concat());
    world.import(&["good.der", "--password-file", "password"]).ok();
    // N = 16384 and r = 8, as INTEGERs one after the other, become N = 2^30.
    let good = std::fs::read(world.at("good.der")).unwrap();
    let at = good.windows(7).position(|window| window == [2, 2, 0x40, 0, 2, 1, 8]).unwrap();
    let mut bad = good.clone();
    bad.splice(at..at + 4, [2, 4, 0x40, 0, 0, 0]);
    // Each structure around it is two bytes longer.
    for (place, byte) in enclosing(&good, at) {
        bad[place] = byte + 2;
    }
    std::fs::write(world.at("bad.der"), &bad).unwrap();
    world.import(&["bad.der", "--password-file", "password", "--id", "77"]).fails(1, &["its scrypt asks for", "1024"]);
}

/// The places and values of the length bytes of all structures of a DER around a place; lengths are below 65536.
fn enclosing(der: &[u8], at: usize) -> Vec<(usize, u8)> {
    let (mut found, mut start) = (Vec::new(), 0);
    while start < at {
        let (head, length) = match der[start + 1] {
            0x81 => (3, usize::from(der[start + 2])),
            0x82 => (4, usize::from(u16::from_be_bytes([der[start + 2], der[start + 3]]))),
            short => (2, usize::from(short)),
        };
        if (start + head..start + head + length).contains(&at) && der[start] == 0x30 {
            found.push((start + head - 1, der[start + head - 1]));
            start += head;
        } else {
            start += head + length;
        }
    }
    found
}

/// A CA, and a certificate that it signed, with the key of the certificate.
fn chain(world: &World) {
    let request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"];
    world.openssl(&[&request[..], &["-subj", "/CN=Test CA", "-keyout", "ca.key", "-out", "ca.pem"]].concat());
    let request = ["req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server", "-keyout", "s.key", "-out", "s.csr"];
    world.openssl(&request);
    world.write("ext", "subjectKeyIdentifier=hash\n");
    let issue = ["x509", "-req", "-in", "s.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30"];
    world.openssl(&[&issue[..], &["-extfile", "ext", "-out", "s.pem"]].concat());
}

/// The subject key identifier of a certificate as OpenSSL prints it, without colons.
fn key_identifier(world: &World, certificate: &str) -> String {
    let text = world.openssl(&["x509", "-in", certificate, "-noout", "-ext", "subjectKeyIdentifier"]);
    text.lines().last().unwrap().trim().replace(':', "").to_lowercase()
}

#[test]
fn a_pkcs12_brings_key_and_certificates_with_matching_ids() {
    let world = World::with_token("t");
    chain(&world);
    world.write("password", "p12 password\n");
    let export =
        ["pkcs12", "-export", "-inkey", "s.key", "-in", "s.pem", "-certfile", "ca.pem", "-passout", "file:password"];
    world.openssl(&[&export[..], &["-name", "friendly", "-out", "s.p12"]].concat());
    world.import(&["s.p12", "--password-env", "WRONG_PIN"]).fails(1, &["PKCS#12 does not open", "password"]);
    world.import(&["s.p12", "--password-file", "password"]).ok();
    let objects = world.objects();
    let id = key_identifier(&world, "s.pem");
    let own: Vec<_> = objects.iter().filter(|object| object["id"] == id.as_str()).collect();
    assert_eq!(own.len(), 3, "key, public key and certificate have the ID {id}: {objects:?}");
    assert!(own.iter().all(|object| object["label"] == "friendly"), "{own:?}");
    let ca = objects.iter().find(|object| object["id"] == key_identifier(&world, "ca.pem").as_str()).unwrap();
    assert_eq!(
        (&ca["class"], &ca["label"], &ca["subject"]),
        (&"certificate".into(), &"Test CA".into(), &"CN=Test CA".into())
    );
    assert_eq!(objects.len(), 4);
    world.write("message", "hello");
    world.write("signature", sign(&world, "friendly", CKM_SHA256_RSA_PKCS, b"hello"));
    world.openssl(&["pkey", "-in", "s.key", "-pubout", "-out", "pub.pem"]);
    world.openssl(&["dgst", "-sha256", "-verify", "pub.pem", "-signature", "signature", "message"]);
}

#[test]
fn a_pkcs12_of_the_past_opens_too() {
    let world = World::with_token("t");
    chain(&world);
    world.write("password", "p12 password\n");
    let export = ["pkcs12", "-export", "-inkey", "s.key", "-in", "s.pem", "-passout", "file:password", "-out", "s.p12"];
    let past = ["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"];
    world.openssl(&[&export[..], &past].concat());
    world.import(&["s.p12", "--password-file", "password", "--label", "past", "--id", "2a"]).ok();
    let objects = world.objects();
    assert!(objects.iter().all(|object| object["id"] == "2a" && object["label"] == "past"), "{objects:?}");
    assert_eq!(objects.len(), 3);
}

#[test]
fn certificates_come_alone_or_many_in_a_file() {
    let world = World::with_token("t");
    chain(&world);
    world.openssl(&["x509", "-in", "ca.pem", "-outform", "DER", "-out", "ca.der"]);
    world.import(&["ca.der", "--label", "authority"]).ok();
    let objects = world.objects();
    let certificate = one(&objects, "certificate");
    assert_eq!((&certificate["label"], &certificate["type"]), (&"authority".into(), &"X.509".into()));
    assert_eq!(certificate["id"], key_identifier(&world, "ca.pem").as_str());
    // OpenSSL writes the certificate as text around the PEM block.
    let text = world.openssl(&["x509", "-in", "s.pem", "-text"]);
    let key = std::fs::read_to_string(world.at("s.key")).unwrap();
    world.write("all.pem", format!("{key}{text}"));
    world.import(&["all.pem", "--label", "all"]).ok();
    assert_eq!(world.objects().len(), 4);
}

#[test]
fn a_key_is_restricted_to_the_usages_that_are_named() {
    let world = World::with_token("t");
    world.openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "k.pem"]);
    world.import(&["k.pem", "--usage", "decrypt,unwrap", "--extractable"]).ok();
    let key = one(&world.objects(), "private-key").clone();
    assert_eq!(key["usage"], serde_json::json!(["decrypt", "unwrap"]));
    assert_eq!(key["extractable"], true);
}

/// The certificate in the file is refused by the core, after the key was taken.
#[test]
fn a_file_is_imported_whole_or_not_at_all() {
    let world = World::with_token("t");
    world.openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:512", "-out", "small.pem"]);
    world.openssl(&["genpkey", "-algorithm", "ED25519", "-out", "good.pem"]);
    let both = [std::fs::read(world.at("good.pem")).unwrap(), std::fs::read(world.at("small.pem")).unwrap()].concat();
    world.write("both.pem", both);
    let outcome = world.import(&["both.pem"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert_eq!(world.objects().len(), 0);
}

#[test]
fn files_that_cannot_be_imported_say_why() {
    let world = World::with_token("t");
    world.openssl(&["genrsa", "-traditional", "-out", "old.pem", "2048"]);
    world.import(&["old.pem"]).fails(1, &["RSA PRIVATE KEY block is not PKCS#8", "openssl pkey -in"]);
    let curve = "ec_paramgen_curve:prime192v1";
    world.openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", curve, "-out", "p192.pem"]);
    world.import(&["p192.pem"]).fails(1, &["p192.pem"]);
    world.write("noise", "neither DER nor PEM");
    world.import(&["noise"]).fails(1, &["its format is not known", "PKCS#12"]);
    world.write("empty.pem", "-----BEGIN PRIVATE KEY-----\n");
    world.import(&["empty.pem"]).fails(1, &["no end line"]);
    world.import(&["missing.pem"]).fails(1, &["missing.pem"]);
    assert_eq!(world.objects().len(), 0);
}
