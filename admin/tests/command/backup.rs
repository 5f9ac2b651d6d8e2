//! `perilune backup` and `perilune restore`: what comes back elsewhere, what is refused, what is seen from outside.

use crate::init::on_a_terminal;
use crate::world::{Outcome, USER_PIN, World, below};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use token_store::Medium;
use token_store::medium::SledMedium;

/// A pair of age keys, so that most tests need no work factor.
const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\n";
const OTHER_IDENTITY: &str = "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0\n";
const LABEL: &str = "a certain token";

/// A token with a key pair and a certificate.
fn filled() -> World {
    let world = World::with_token(LABEL);
    let new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    world.openssl(&[&new[..], &["-subj", "/CN=someone", "-keyout", "key.pem", "-out", "cert.pem"]].concat());
    world.import(&["key.pem", "--label", "a certain key"]).ok();
    world.import(&["cert.pem", "--label", "a certain certificate"]).ok();
    world
}

/// An empty world with the file in it and the key to it.
fn elsewhere(file: &Path) -> World {
    let world = World::new();
    bring(&world, file);
    world
}

fn bring(world: &World, file: &Path) {
    std::fs::copy(file, world.at("backup.age")).unwrap();
    world.write("identity", format!("# the test's\n{IDENTITY}"));
}

fn backup(world: &World, args: &[&str]) -> Outcome {
    world.run(&[&["backup", "--out", "backup.age", "--recipient", RECIPIENT], args].concat())
}

fn restore(world: &World, args: &[&str]) -> Outcome {
    world.run(&[&["restore", "--in", "backup.age", "--identity-file", "identity"], args].concat())
}

/// The backup of a filled world, in a world of its own.
fn moved() -> (World, World) {
    let from = filled();
    backup(&from, &[]).ok();
    let to = elsewhere(&from.at("backup.age"));
    (from, to)
}

/// What is in a store, without the slot's spare neighbours.
fn tokens(world: &World) -> Vec<serde_json::Value> {
    let mut slots = world.json(&["slots", "--json"], "slots").as_array().unwrap().clone();
    slots.retain(|slot| slot["initialised"] == true);
    slots
}

/// The files of the store and what is in them, as far as a command that changes nothing leaves them.
fn state(world: &World) -> (Vec<serde_json::Value>, Vec<serde_json::Value>) {
    let objects = world.json(&["objects", "--json", "--pin-env", "USER_PIN", "--slot", "0"], "objects");
    (tokens(world), objects.as_array().unwrap().clone())
}

#[test]
fn a_token_is_the_same_in_another_store_with_another_device_key() {
    let (from, to) = moved();
    let restored = to.run(&["restore", "--in", "backup.age", "--identity-file", "identity"]).ok();
    assert!(restored.out.contains(LABEL), "{restored:?}");
    let (theirs, ours) = (std::fs::read(from.at("store/device.key")), std::fs::read(to.at("store/device.key")));
    assert_ne!(theirs.unwrap(), ours.unwrap());
    assert_eq!(state(&to), state(&from));
    // The SO's PIN, and one that is set there afterwards.
    to.run(&["pin", "reset", "--so-pin-env", "SO_PIN", "--new-pin-env", "NEW_PIN"]).ok();
    to.run(&["objects", "--pin-env", "USER_PIN"]).fails(3, &["wrong PIN, 9 tries left"]);
    assert_eq!(to.json(&["objects", "--json", "--pin-env", "NEW_PIN"], "objects").as_array().unwrap().len(), 3);

    // From there it goes on to a third store, with the new PIN.
    to.run(&["backup", "--out", "again.age", "--recipient", RECIPIENT]).ok();
    let third = elsewhere(&to.at("again.age"));
    restore(&third, &[]).ok();
    assert_eq!(third.json(&["objects", "--json", "--pin-env", "NEW_PIN"], "objects").as_array().unwrap().len(), 3);
    third.run(&["objects", "--pin-env", "USER_PIN"]).fails(3, &["wrong PIN"]);
}

#[test]
fn a_locked_user_is_locked_there_and_wrong_pins_count_on() {
    let from = World::with_token("t");
    for _ in 0..10 {
        assert_eq!(from.run(&["objects", "--pin-env", "WRONG_PIN"]).code, 3);
    }
    backup(&from, &[]).ok();
    let to = elsewhere(&from.at("backup.age"));
    restore(&to, &[]).ok();
    to.run(&["objects", "--pin-env", "USER_PIN"]).fails(3, &["locked"]);
    assert_eq!(tokens(&to)[0]["user_pin"], "locked");
    // The way out is the same as before.
    to.run(&["pin", "reset", "--so-pin-env", "SO_PIN", "--new-pin-env", "USER_PIN"]).ok();
    to.run(&["objects", "--pin-env", "USER_PIN"]).ok();
    assert_eq!(to.run(&["objects", "--pin-env", "WRONG_PIN"]).code, 3);

    // Replacing a token by an older state of itself does not give tries back.
    let world = World::with_token("t");
    world.write("identity", IDENTITY);
    backup(&world, &[]).ok();
    for _ in 0..10 {
        assert_eq!(world.run(&["objects", "--pin-env", "WRONG_PIN"]).code, 3);
    }
    restore(&world, &["--replace"]).ok();
    world.run(&["objects", "--pin-env", "USER_PIN"]).fails(3, &["locked"]);
}

#[test]
fn a_token_that_is_there_is_refused_and_replaced_only_when_that_is_said() {
    let (from, _) = moved();
    from.write("identity", IDENTITY);
    let before = state(&from);
    restore(&from, &[]).fails(1, &["nothing was restored", LABEL, "in slot 0 already", "--replace"]);
    assert_eq!(state(&from), before);
    from.run(&["delete", "--pin-env", "USER_PIN", "--label", "a certain key"]).ok();
    from.import(&["key.pem", "--label", "another"]).ok();
    assert_ne!(state(&from), before);
    restore(&from, &["--replace"]).ok();
    assert_eq!(state(&from), before);
}

#[test]
fn a_token_that_was_erased_comes_back_into_its_slot() {
    let (from, _) = moved();
    from.write("identity", IDENTITY);
    let before = state(&from);
    from.run(&["delete", "--whole-token", "--slot", "0", "--yes"]).ok();
    restore(&from, &[]).ok();
    assert_eq!(state(&from), before);
}

#[test]
fn all_tokens_or_chosen_ones_come_and_those_beside_them_stay() {
    let from = World::with_token("one");
    from.token("two");
    from.token("three");
    backup(&from, &["--all"]).ok();
    let to = World::with_token("here already");
    bring(&to, &from.at("backup.age"));
    restore(&to, &["--token", "four"]).fails(1, &["there is no token with the label \"four\"", "--list"]);
    let labels = || -> BTreeSet<String> {
        tokens(&to).iter().map(|token| token["label"].as_str().unwrap().to_owned()).collect()
    };
    let serial = tokens(&from)[2]["serial"].as_str().unwrap().to_owned();
    restore(&to, &["--token", "two", "--serial", &serial]).ok();
    assert_eq!(labels(), ["here already", "two", "three"].map(str::to_owned).into());
    restore(&to, &[]).fails(1, &["\"two\"", "already"]);
    assert_eq!(labels().len(), 3, "the first one has not come either");
    restore(&to, &["--token", "one"]).ok();
    assert_eq!(labels().len(), 4);
    for slot in tokens(&to) {
        to.run(&["objects", "--slot", &slot["slot"].to_string(), "--pin-env", "USER_PIN"]).ok();
    }
}

#[test]
fn what_is_in_a_backup_is_shown_and_checked_without_a_store() {
    let (from, to) = moved();
    let listed: serde_json::Value = serde_json::from_str(&restore(&to, &["--list", "--json"]).ok().out).unwrap();
    let token = &listed["backup"]["tokens"][0];
    assert_eq!(token["label"], LABEL);
    assert_eq!(token["serial"], tokens(&from)[0]["serial"]);
    assert_eq!((&token["public_objects"], &token["private_objects"]), (&2.into(), &1.into()));
    assert!(
        listed["backup"]["generation"].as_u64().unwrap() > 0
            && listed["backup"]["made"].as_str().unwrap().ends_with(" UTC")
    );
    let text = restore(&to, &["--list"]).ok().out;
    assert!(text.contains(LABEL) && text.contains("PRIVATE"), "{text}");
    let text = restore(&to, &["--verify"]).ok().out;
    assert!(text.contains("is whole") && text.contains("3 objects"), "{text}");
    assert!(!to.at("store").exists(), "looking makes no store");
}

#[test]
fn a_passphrase_opens_the_backup_and_another_does_not() {
    let from = filled();
    from.write("pass", "correct horse\n");
    from.run(&["backup", "--out", "backup.age", "--passphrase-file", "pass"]).ok();
    let to = elsewhere(&from.at("backup.age"));
    let with = |pass: &str, args: &[&str]| {
        to.write("pass", pass);
        to.run(&[&["restore", "--in", "backup.age", "--passphrase-file", "pass"], args].concat())
    };
    with("correct house", &[]).fails(3, &["the passphrase is wrong"]);
    restore(&to, &[]).fails(2, &["locked with a passphrase"]);
    assert!(!to.at("store").exists());
    with("correct horse", &[]).ok();
    assert_eq!(state(&to), state(&from));
    from.run(&["backup", "--out", "empty.age", "--passphrase-env", "EMPTY"]).fails(2, &["EMPTY is not set"]);
    from.write("pass", "\n");
    from.run(&["backup", "--out", "empty.age", "--passphrase-file", "pass"]).fails(2, &["empty passphrase"]);
    let mixed = ["backup", "--out", "x.age", "--passphrase-file", "pass", "--recipient", RECIPIENT];
    assert_eq!(from.run(&mixed).code, 2);
    assert!(!from.at("empty.age").exists() && !from.at("x.age").exists());
}

#[test]
fn only_the_identity_of_a_recipient_opens_the_backup() {
    let (_, to) = moved();
    to.write("identity", OTHER_IDENTITY);
    restore(&to, &[]).fails(1, &["locked for none of these identities"]);
    to.write("identity", "nonsense\n");
    restore(&to, &[]).fails(1, &["AGE-SECRET-KEY-1"]);
    to.run(&["restore", "--in", "backup.age"]).fails(2, &["--identity-file"]);
    to.run(&["backup", "--out", "x.age", "--all", "--recipient", "age1nonsense"]).fails(2, &["no age recipient"]);
    assert_eq!(tokens(&to).len(), 0);
}

/// Each region of the file: the first line, the lock, the code over it, the nonce, the content, its tag.
#[test]
fn a_changed_shortened_or_lengthened_file_is_refused_and_changes_nothing() {
    let (_, to) = moved();
    let whole = std::fs::read(to.at("backup.age")).unwrap();
    to.token("here already");
    let before = tokens(&to);
    let refused = |bytes: &[u8], what: &str| {
        to.write("backup.age", bytes);
        let outcome = restore(&to, &[]);
        assert_eq!(outcome.code, 1, "{what}: {outcome:?}");
        assert!(outcome.err.starts_with("perilune: cannot read the backup backup.age: "), "{what}: {outcome:?}");
    };
    let len = whole.len();
    for at in (0..len).step_by(len / 40 + 1).chain([len - 1, len - 16, len - 17]) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        refused(&changed, &format!("byte {at} of {len}"));
    }
    for keep in [0, 1, 21, 22, 100, len / 2, len - 1] {
        refused(&whole[..keep], &format!("{keep} of {len} bytes"));
    }
    refused(&[&whole[..], b"\n"].concat(), "more");
    refused(b"PK\x03\x04 something else", "another format");
    refused(b"-----BEGIN AGE ENCRYPTED FILE-----\n", "armored");
    refused(b"age-encryption.org/v2\n-> X25519 a\n", "newer");
    assert_eq!(tokens(&to), before);
    to.write("backup.age", &whole);
    restore(&to, &[]).ok();
}

/// The `age` program opens what the command wrote, and the command opens what the `age` program wrote.
#[test]
fn the_age_program_reads_and_writes_the_same_files() {
    let (from, to) = moved();
    if to.command("age", &["--version"]).output().is_err() {
        println!("skipped: age is not installed");
        return;
    }
    let age = |args: &[&str]| {
        let output = to.command("age", args).output().unwrap();
        assert!(output.status.success(), "age {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    age(&["-d", "-i", "identity", "-o", "content", "backup.age"]);
    let content = std::fs::read(to.at("content")).unwrap();
    assert_eq!(content[..17], *b"perilune backup\0\x01");
    assert!(find(&content, LABEL.as_bytes()) && find(&content, b"a certain certificate"), "public objects lie open");
    assert!(!find(&content, &scalar(&from)), "private ones do not");
    std::fs::remove_file(to.at("backup.age")).unwrap();
    age(&["-r", RECIPIENT, "-o", "backup.age", "content"]);
    restore(&to, &[]).ok();

    // A newer content in a sound file, and something that is no backup at all.
    let mut newer = content.clone();
    newer[16] = 2;
    for (name, bytes, said) in [("newer", &newer[..], "version 2"), ("other", b"hello", "not the content of a backup")]
    {
        to.write(name, bytes);
        std::fs::remove_file(to.at("backup.age")).unwrap();
        age(&["-r", RECIPIENT, "-o", "backup.age", name]);
        restore(&to, &["--replace"]).fails(1, &[said]);
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// The number that is the private key.
fn scalar(world: &World) -> Vec<u8> {
    let text = world.openssl(&["ec", "-in", "key.pem", "-noout", "-text"]);
    let digits: String = text.split("priv:").nth(1).unwrap().split("pub:").next().unwrap().split_whitespace().collect();
    let scalar: Vec<u8> = digits.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    assert_eq!(scalar.len(), 32);
    scalar
}

#[test]
fn a_backup_shows_nothing_and_appears_whole_for_its_owner_alone() {
    let from = filled();
    backup(&from, &[]).ok();
    let file = std::fs::read(from.at("backup.age")).unwrap();
    for secret in [LABEL.as_bytes(), b"a certain key", b"someone", USER_PIN.as_bytes(), &scalar(&from), b"perilune"] {
        assert!(!find(&file, secret), "{}", String::from_utf8_lossy(secret));
    }
    assert_eq!(std::fs::metadata(from.at("backup.age")).unwrap().permissions().mode() & 0o777, 0o600);
    backup(&from, &[]).fails(2, &["is there already", "--overwrite"]);
    assert_eq!(std::fs::read(from.at("backup.age")).unwrap(), file);
    backup(&from, &["--overwrite"]).ok();
    assert_ne!(std::fs::read(from.at("backup.age")).unwrap(), file, "another key each time");
    from.run(&["backup", "--out", "no/such/folder.age", "--recipient", RECIPIENT])
        .fails(1, &["cannot write the backup"]);
    let left: Vec<_> =
        below(&from.at(".")).into_iter().filter(|path| path.to_string_lossy().contains(".new-")).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

#[test]
fn only_what_is_there_can_be_backed_up() {
    let world = World::new();
    backup(&world, &["--all"]).fails(1, &["nothing to back up"]);
    assert!(!world.at("backup.age").exists());
    world.token("t");
    world.token("u");
    backup(&world, &[]).fails(2, &["there are 2 tokens", "--token"]);
    backup(&world, &["--slot", "9"]).fails(1, &["slot 9"]);
}

#[test]
fn what_is_damaged_in_the_store_is_named_and_the_rest_is_in_the_backup() {
    let from = filled();
    let medium = SledMedium::open(&from.at("store")).unwrap();
    let mut damaged = 0;
    medium
        .transact(&mut |reader, batch| {
            reader.scan(b"o", &mut |key, value| {
                // The public key or the certificate: a private record cannot be told from a sound one without a PIN.
                if value[3] == 0 && damaged == 0 {
                    let mut value = value.to_vec();
                    *value.last_mut().unwrap() ^= 1;
                    batch.changes.insert(key.to_vec(), Some(value));
                    damaged += 1;
                }
                Ok(())
            })
        })
        .unwrap();
    assert_eq!(damaged, 1);
    backup(&from, &[]).fails(1, &["is written", "record", "does not open", "perilune doctor"]);
    let to = elsewhere(&from.at("backup.age"));
    restore(&to, &[]).ok();
    assert_eq!(to.objects().len(), 2);
    // An older backup may hold what is damaged now.
    let first = std::fs::read(from.at("backup.age")).unwrap();
    backup(&from, &["--overwrite"]).fails(1, &["is left as it was", "does not open", "another file"]);
    assert_eq!(std::fs::read(from.at("backup.age")).unwrap(), first);
}

/// A person is asked twice for a new passphrase, and once for one that is there.
#[test]
fn passphrases_are_asked_for_and_never_shown() {
    let from = filled();
    let outcome = on_a_terminal(&from, "backup --out b.age", &["typed once", "typed twice"]);
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(!from.at("b.age").exists());
    let outcome = on_a_terminal(&from, "backup --out b.age", &["typed twice", "typed twice"]).ok();
    assert!(outcome.out.contains("Passphrase of the backup again: ") && !outcome.out.contains("typed"), "{outcome:?}");
    let outcome = on_a_terminal(&from, "restore --in b.age --verify", &["typed twice"]).ok();
    assert!(outcome.out.contains("is whole"), "{outcome:?}");
}
