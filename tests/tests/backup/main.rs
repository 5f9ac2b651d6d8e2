//! Tokens that were backed up and restored, in use: keys sign, pairs are whole, a killed restore leaves no part.
//!
//! The module makes and uses the objects, the command takes and restores the backup. Where the module under test is
//! another one, there is nothing to back up.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use perilune_tests::ck::*;
use perilune_tests::raw::plain;
use perilune_tests::{Place, Raw, TOKEN_LABEL, Template, USER_PIN, child, isolated, module, outside};
use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A pair of age keys, for quick backups.
const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\n";
const P256: &[u8] = &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
const MESSAGE: &[u8] = b"signed before and after";

/// Whether there is something to back up; builds the command, which a scenario's own process does not.
fn can_back_up() -> bool {
    module::is_perilune() && module::admin().is_file()
}

/// The command on a store of this place: the first one, or another by name.
fn perilune(place: &Place, store: &str, arguments: &[&str]) -> Command {
    let mut command = place.command(module::admin());
    command.args(arguments).env("USER_PIN", USER_PIN).env("PERILUNE_CONF", configuration(place, store));
    command
}

/// The configuration of a store; the first one is that of the place.
fn configuration(place: &Place, store: &str) -> String {
    if store.is_empty() {
        return place.text("perilune.toml");
    }
    let text = format!("store = {:?}\n[kdf]\nmemory_kib = 64\npasses = 1\n", place.file(store));
    place.write(&format!("{store}.toml"), text)
}

fn backup(place: &Place, file: &str) {
    let file = place.text(file);
    outside::output(perilune(place, "", &["backup", "--all", "--out", &file, "--recipient", RECIPIENT]));
}

fn restore(place: &Place, store: &str, file: &str, more: &[&str]) -> Command {
    let identity = place.write("identity", IDENTITY);
    let file = place.text(file);
    perilune(place, store, &[&["restore", "--in", &file, "--identity-file", &identity], more].concat())
}

/// What the command lists, private objects too.
fn objects(place: &Place, store: &str) -> Vec<serde_json::Value> {
    let text = outside::output(perilune(place, store, &["objects", "--json", "--pin-env", "USER_PIN"]));
    let listed: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    listed["objects"].as_array().expect("objects").clone()
}

/// The number of tokens in a store.
fn tokens(place: &Place, store: &str) -> usize {
    let text = outside::output(perilune(place, store, &["slots", "--json"]));
    let slots: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    slots["slots"].as_array().expect("slots").iter().filter(|slot| slot["initialised"] == true).count()
}

fn data(label: &str, private: bool, value: &[u8]) -> Template {
    Template::new()
        .number(CKA_CLASS, CKO_DATA)
        .flag(CKA_TOKEN, true)
        .flag(CKA_PRIVATE, private)
        .text(CKA_LABEL, label)
        .bytes(CKA_VALUE, value)
}

fn open(raw: &Raw) -> CK_SESSION_HANDLE {
    let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
    assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
    session
}

fn one(raw: &Raw, session: CK_SESSION_HANDLE, class: CK_OBJECT_CLASS, label: &str) -> CK_OBJECT_HANDLE {
    let found = raw.find(session, Template::new().number(CKA_CLASS, class).text(CKA_LABEL, label), 10);
    assert_eq!(found.len(), 1, "{label}");
    found[0]
}

/// Signs with the key and has OpenSSL verify with the public key that was written down before the backup.
fn sign(place: &Place, raw: &Raw, session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) {
    let signature = raw.sign(session, plain(CKM_ECDSA_SHA256), key, MESSAGE).expect("a signature");
    let signature = place.write("signature", outside::ecdsa_to_der(&signature));
    let (message, public) = (place.write("message", MESSAGE), place.text("public.der"));
    outside::openssl(
        place,
        &["dgst", "-sha256", "-verify", &public, "-keyform", "DER", "-signature", &signature, &message],
    );
}

#[test]
fn a_restored_token_signs_and_shows_what_the_old_one_had() {
    if !can_back_up() {
        return;
    }
    isolated!(|place, role| {
        let raw = Raw::start();
        if role == "elsewhere" {
            let session = open(&raw);
            sign(place, &raw, session, one(&raw, session, CKO_PRIVATE_KEY, "key"));
            for label in ["private", "public"] {
                let object = one(&raw, session, CKO_DATA, label);
                assert_eq!(raw.attribute(session, object, CKA_VALUE).as_deref(), Ok(label.as_bytes()));
            }
            let more = Template::new().flag(CKA_TOKEN, true).text(CKA_LABEL, "made here");
            let (_, key) = raw.ec(session, CKM_EC_KEY_PAIR_GEN, P256, &more).expect("a pair");
            assert!(raw.sign(session, plain(CKM_ECDSA_SHA256), key, MESSAGE).is_ok());
            return;
        }
        let session = raw.user_session();
        let more = Template::new().flag(CKA_TOKEN, true).text(CKA_LABEL, "key");
        let (public, private) = raw.ec(session, CKM_EC_KEY_PAIR_GEN, P256, &more).expect("a pair");
        let point = raw.attribute(session, public, CKA_EC_POINT).expect("a point");
        place.write("public.der", outside::subject_public_key(P256, &point));
        sign(place, &raw, session, private);
        for (label, private) in [("private", true), ("public", false)] {
            raw.create(session, data(label, private, label.as_bytes())).expect("data");
        }
        backup(place, "backup.age");
        outside::output(restore(place, "second", "backup.age", &[]));
        let environment = [("PERILUNE_CONF", configuration(place, "second").into())];
        child::role_with(place, "elsewhere", "", &environment).succeed();
        assert_eq!(objects(place, "second").len(), 6, "the second pair is there for good");
        assert_eq!(objects(place, "").len(), 4, "and not in the first store");
    });
}

/// A key that counts its signatures would count from the backup's moment on again, so it has nothing left where it is restored.
#[test]
fn a_restored_stateful_key_signs_nothing_and_its_public_key_still_verifies() {
    if !can_back_up() {
        return;
    }
    isolated!(|place, role| {
        let raw = Raw::start();
        if role == "restored" {
            let session = open(&raw);
            let key = one(&raw, session, CKO_PRIVATE_KEY, "stateful");
            assert_eq!(raw.attribute(session, key, CKA_HSS_KEYS_REMAINING).as_deref(), Ok(&[0; 8][..]));
            assert_eq!(raw.sign(session, plain(CKM_HSS), key, MESSAGE), Err(CKR_KEY_EXHAUSTED));
            let public = one(&raw, session, CKO_PUBLIC_KEY, "stateful");
            let signature = place.read("stateful.signature");
            assert_eq!(raw.verify(session, plain(CKM_HSS), public, MESSAGE, &signature), Ok(()));
            return;
        }
        let session = raw.user_session();
        let common = Template::new().flag(CKA_TOKEN, true).text(CKA_LABEL, "stateful");
        let private = Template::new()
            .and(&common)
            .number(CKA_HSS_LEVELS, 1)
            .bytes(CKA_HSS_LMS_TYPES, &5_u64.to_ne_bytes())
            .bytes(CKA_HSS_LMOTS_TYPES, &4_u64.to_ne_bytes());
        let (_, key) = raw.generate_pair(session, plain(CKM_HSS_KEY_PAIR_GEN), common, private).expect("a pair");
        place.write("stateful.signature", raw.sign(session, plain(CKM_HSS), key, MESSAGE).expect("a signature"));
        backup(place, "backup.age");
        assert!(raw.sign(session, plain(CKM_HSS), key, MESSAGE).is_ok(), "the backup takes nothing from the key");
        raw.finalize();
        outside::output(restore(place, "second", "backup.age", &[]));
        let environment = [("PERILUNE_CONF", configuration(place, "second").into())];
        child::role_with(place, "restored", "", &environment).succeed();
        outside::output(restore(place, "", "backup.age", &["--replace"]));
        child::role(place, "restored", "").succeed();
    });
}

#[test]
fn backups_of_a_store_under_load_are_of_one_moment_with_no_pair_halved() {
    if !can_back_up() {
        return;
    }
    isolated!(|place, role| {
        let raw = Raw::start();
        if role == "writer" {
            let session = open(&raw);
            for number in 0.. {
                let label = format!("{} {number}", std::process::id());
                let more = Template::new().flag(CKA_TOKEN, true).text(CKA_LABEL, &label);
                let (public, private) = raw.ec(session, CKM_EC_KEY_PAIR_GEN, P256, &more).expect("a pair");
                // Some go again, the private key first: what else stands alone was halved.
                if number % 3 == 0 {
                    assert_eq!(raw.destroy(session, private), Ok(()));
                    assert_eq!(raw.destroy(session, public), Ok(()));
                }
                if place.file("stop").exists() {
                    return;
                }
            }
        }
        raw.user_session();
        let writers = [child::role(place, "writer", ""), child::role(place, "writer", "")];
        let mut sizes = Vec::new();
        for round in 0..3 {
            let begin = Instant::now();
            let before = raw_count(&raw);
            while raw_count(&raw) < before + 6 {
                assert!(begin.elapsed() < Duration::from_secs(120), "the writers write");
                std::thread::sleep(Duration::from_millis(5));
            }
            let (file, store) = (format!("{round}.age"), format!("store{round}"));
            backup(place, &file);
            outside::output(restore(place, &store, &file, &[]));
            let listed = objects(place, &store);
            let labels = |class: &str| -> BTreeSet<String> {
                let of = listed.iter().filter(|object| object["class"] == class);
                of.map(|object| object["label"].as_str().expect("a label").to_owned()).collect()
            };
            let (public, private) = (labels("public-key"), labels("private-key"));
            assert!(private.is_subset(&public), "a private key without its public one: {private:?} {public:?}");
            // Each writer destroys the private key first, so that of each at most one public key may stand alone.
            let alone: Vec<_> = public.difference(&private).collect();
            assert!(alone.len() <= writers.len(), "halved pairs: {alone:?}");
            for label in alone {
                let number: u64 = label.split(' ').nth(1).expect("a number").parse().expect("a number");
                assert_eq!(number % 3, 0, "only what is being destroyed may be halved: {label}");
            }
            sizes.push(listed.len());
        }
        place.write("stop", "");
        for writer in writers {
            writer.succeed();
        }
        assert!(sizes.is_sorted() && sizes[0] > 0, "{sizes:?}");
    });
}

/// How many objects anybody sees.
fn raw_count(raw: &Raw) -> usize {
    let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
    let count = raw.find(session, Template::new(), 1024).len();
    assert_eq!(perilune_tests::ck!(raw, C_CloseSession, session), CKR_OK);
    count
}

/// How many restores there are, of which all but the first are killed; `PERILUNE_RESTORE_KILLS` says another number.
fn kills() -> u32 {
    std::env::var("PERILUNE_RESTORE_KILLS").map_or(6, |text| text.parse().expect("a number"))
}

/// At whatever moment the command is killed: the token is there with all objects, or as it was before, and the next run ends well.
#[test]
fn a_killed_restore_leaves_the_whole_token_or_none_of_it() {
    const OBJECTS: usize = 35;
    if !can_back_up() {
        return;
    }
    isolated!(|place, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        // More than one batch takes.
        let value = vec![b'x'; 1_000_000];
        raw.create(session, data("first", true, b"first")).expect("data");
        backup(place, "small.age");
        for number in 1..OBJECTS {
            raw.create(session, data(&number.to_string(), true, &value)).expect("data");
        }
        backup(place, "large.age");
        raw.finalize();
        let kills = kills();
        let mut whole = Duration::MAX;
        for kill in 0..kills {
            let store = format!("killed{kill}");
            // Half of them replace a token of one object.
            let replace: &[&str] = if kill % 2 == 1 { &["--replace"] } else { &[] };
            if kill % 2 == 1 {
                outside::output(restore(place, &store, "small.age", &[]));
            }
            let begin = Instant::now();
            let mut command = restore(place, &store, "large.age", replace);
            let mut child = command.stdout(Stdio::null()).spawn().expect("the command");
            if kill > 0 {
                // Moments spread over the time that the first, undisturbed run took.
                std::thread::sleep(whole * kill / kills);
                child.kill().expect("killed, or over");
            }
            let status = child.wait().expect("its end");
            whole = if kill == 0 { begin.elapsed() } else { whole };
            let there = if tokens(place, &store) == 1 { objects(place, &store).len() } else { 0 };
            let before = kill as usize % 2;
            assert!(there == before || there == OBJECTS, "{there} of {OBJECTS} objects after {kill}");
            assert!(!status.success() || there == OBJECTS, "a restore that ended well has brought the token");
            if there != OBJECTS {
                outside::output(restore(place, &store, "large.age", replace));
                assert_eq!(objects(place, &store).len(), OBJECTS, "the next run after {kill}");
            }
            std::fs::remove_dir_all(place.file(&store)).expect("the store");
        }
    });
}
