//! Damaged and swapped values of a real store: what `perilune doctor` says of each, that the rest stays usable, and
//! how the damaged one is removed.
//!
//! Owns: changing values of a closed store. Keys and shapes are those of docs/format.md, "Keys of the map" and "Values".

use crate::world::World;
use serde_json::Value;
use std::collections::BTreeMap;
use token_store::Medium;
use token_store::medium::SledMedium;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// A token with two public and two private objects: two Ed25519 pairs, "one" and "two".
fn world() -> World {
    let world = World::with_token("t");
    pairs(&world, "t");
    world
}

fn pairs(world: &World, token: &str) {
    for label in ["one", "two"] {
        world.openssl(&["genpkey", "-algorithm", "ED25519", "-out", "k.pem"]);
        world.import(&["k.pem", "--label", label, "--token", token]).ok();
    }
}

/// All keys and values of the store.
fn read(world: &World) -> Map {
    let medium = SledMedium::open(&world.at("store")).unwrap();
    let mut map = Map::new();
    medium
        .view(&mut |reader| {
            reader.scan(b"", &mut |key, value| {
                map.insert(key.to_vec(), value.to_vec());
                Ok(())
            })
        })
        .unwrap();
    map
}

/// Puts values behind the store's back.
fn put(world: &World, changes: &[(Vec<u8>, Vec<u8>)]) {
    let medium = SledMedium::open(&world.at("store")).unwrap();
    medium
        .transact(&mut |_, batch| {
            batch.changes.extend(changes.iter().map(|(key, value)| (key.clone(), Some(value.clone()))));
            Ok(())
        })
        .unwrap();
}

/// Takes a value away behind the store's back.
fn remove(world: &World, key: &[u8]) {
    let medium = SledMedium::open(&world.at("store")).unwrap();
    medium
        .transact(&mut |_, batch| {
            batch.changes.insert(key.to_vec(), None);
            Ok(())
        })
        .unwrap();
}

/// The values whose keys begin with `first`; of records those of one visibility.
fn of(map: &Map, first: u8, visibility: Option<u8>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let fits = |key: &[u8], value: &[u8]| key[0] == first && visibility.is_none_or(|wanted| value[3] == wanted);
    map.iter().filter(|(key, value)| fits(key, value)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

const PUBLIC: Option<u8> = Some(0);
const PRIVATE: Option<u8> = Some(1);

fn flipped(value: &[u8]) -> Vec<u8> {
    let mut bad = value.to_vec();
    *bad.last_mut().unwrap() ^= 1;
    bad
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The name of a record in the words of doctor: the second half of its key.
fn name(key: &[u8]) -> String {
    hex(&key[17..])
}

fn doctor(world: &World, more: &[&str]) -> (Vec<Value>, i32) {
    let module = world.write("libperilune_pkcs11.so", b"\x7fELF Perilune C_GetFunctionList");
    let args = [&["doctor", "--json", "--module", module.to_str().unwrap()], more].concat();
    let findings = world.json(&args, "doctor")["findings"].as_array().unwrap().clone();
    (findings, world.run(&args).code)
}

/// The problems that doctor names, each with its advice, and its exit code.
fn problems(world: &World, more: &[&str]) -> (Vec<String>, i32) {
    let (findings, code) = doctor(world, more);
    let problems = findings.iter().filter(|finding| finding["status"] == "problem");
    (problems.map(|finding| format!("{} -> {}", finding["text"], finding["advice"])).collect(), code)
}

#[track_caller]
fn check(world: &World, more: &[&str], expected: &[&[&str]]) {
    let (found, code) = problems(world, more);
    assert_eq!(code, i32::from(!expected.is_empty()), "{found:?}");
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for words in expected {
        let named = found.iter().any(|text| words.iter().all(|word| text.contains(word)));
        assert!(named, "{words:?} is not in {found:#?}");
    }
}

const LOGIN: &[&str] = &["--token", "t", "--pin-env", "USER_PIN"];

fn labels(world: &World) -> Vec<String> {
    let mut labels: Vec<_> =
        world.objects().iter().map(|object| object["label"].as_str().unwrap().to_owned()).collect();
    labels.sort();
    labels
}

#[test]
fn an_edited_or_cut_object_is_named_and_the_others_stay_usable() {
    let world = world();
    let map = read(&world);
    for (visibility, more) in [(PUBLIC, &[][..]), (PRIVATE, LOGIN)] {
        let [(key, value), _] = &of(&map, b'o', visibility)[..] else { panic!("two of a kind") };
        let edited = "does not open: it was edited";
        for (bad, word) in [
            (flipped(value), edited),
            (value[..value.len() - 1].to_vec(), edited),
            (value[..20].to_vec(), "does not open: it is cut off"),
            (Vec::new(), "does not open: it is cut off"),
            ([&value[..2], &[9], &value[3..]].concat(), "does not open: it is cut off or overwritten"),
        ] {
            put(&world, &[(key.clone(), bad)]);
            check(&world, more, &[&["slot 0", "\\\"t\\\"", &name(key), word, "the other objects work", "--record"]]);
            assert_eq!(labels(&world).len(), 3, "three of four are there");
        }
        put(&world, &[(key.clone(), value.clone())]);
        check(&world, more, &[]);
    }
    pairs(&world, "t");
    assert_eq!(world.objects().len(), 8);
}

#[test]
fn values_that_changed_places_are_named_with_the_place_they_are_from() {
    let world = world();
    let map = read(&world);
    for (visibility, more) in [(PUBLIC, &[][..]), (PRIVATE, LOGIN)] {
        let [one, two] = &of(&map, b'o', visibility)[..] else { panic!("two of a kind") };
        put(&world, &[(one.0.clone(), two.1.clone()), (two.0.clone(), one.1.clone())]);
        let moved = |to: &[u8], from: &[u8]| [name(to), format!("moved, and is the value of object {}", name(from))];
        let (first, second) = (moved(&one.0, &two.0), moved(&two.0, &one.0));
        check(&world, more, &[&[&first[0], &first[1]], &[&second[0], &second[1]]]);
        assert_eq!(labels(&world).len(), 2);
        put(&world, &[one.clone(), two.clone()]);
    }
    check(&world, LOGIN, &[]);
}

#[test]
fn an_object_carried_into_another_token_or_store_does_not_open_there() {
    let world = world();
    world.token("other");
    let before = read(&world);
    let (key, value) = of(&before, b'o', PUBLIC)[0].clone();
    // Into the other token, and into the spare slot that has none.
    let others: Vec<_> = of(&before, b'p', None).into_iter().filter(|(id, _)| id[1..] != key[1..17]).collect();
    assert_eq!(others.len(), 2);
    for (other, _) in others {
        let carried = [b"o", &other[1..], &key[17..]].concat();
        put(&world, &[(carried.clone(), value.clone())]);
        let from = format!("of partition {}", hex(&key[1..17]));
        check(&world, &[], &[&[&name(&carried), "moved", &from]]);
        remove(&world, &carried);
    }
    let foreign = World::with_token("t");
    pairs(&foreign, "t");
    let theirs = of(&read(&foreign), b'o', PUBLIC)[0].1.clone();
    put(&world, &[(key.clone(), theirs)]);
    let (found, _) = problems(&world, &[]);
    assert!(found.iter().any(|text| text.contains(&name(&key)) && text.contains("from another store")), "{found:?}");
}

#[test]
fn without_the_pin_a_damaged_private_object_is_not_seen_and_doctor_says_what_it_did_not_look_at() {
    let world = world();
    let (key, value) = of(&read(&world), b'o', PRIVATE)[0].clone();
    put(&world, &[(key, flipped(&value))]);
    let (findings, code) = doctor(&world, &[]);
    assert_eq!(code, 0);
    let text = findings.iter().map(|finding| finding["text"].to_string()).collect::<String>();
    assert!(text.contains("2 private ones need the user's PIN"), "{text}");
    assert_eq!(doctor(&world, LOGIN).1, 1);
}

#[test]
fn a_damaged_object_is_removed_by_name_and_a_whole_one_is_not() {
    let world = world();
    let map = read(&world);
    let [bad, good] = &of(&map, b'o', PUBLIC)[..] else { panic!("two of a kind") };
    let private = &of(&map, b'o', PRIVATE)[0];
    put(&world, &[(bad.0.clone(), flipped(&bad.1)), (private.0.clone(), flipped(&private.1))]);
    world.run(&["delete", "--record", &name(&good.0)]).fails(1, &["not damaged", &name(&good.0)]);
    world.run(&["delete", "--record", &"0".repeat(32)]).fails(1, &["no such record"]);
    assert_eq!(world.run(&["delete", "--record", "0011"]).code, 2);
    assert_eq!(labels(&world).len(), 2, "nothing is gone so far");
    world.run(&["delete", "--record", &name(&bad.0)]).ok();
    check(&world, LOGIN, &[&[&name(&private.0)]]);
    // Only the user sees that it is damaged, so it takes the user to remove it.
    let refused = world.run(&["delete", "--record", &name(&private.0)]);
    assert_ne!(refused.code, 0, "{refused:?}");
    world.run(&["delete", "--record", &name(&private.0), "--pin-env", "USER_PIN"]).ok();
    check(&world, LOGIN, &[]);
    assert_eq!(labels(&world).len(), 2);
}

#[test]
fn a_damaged_pin_record_locks_that_role_alone_and_the_user_gets_a_new_one_from_the_security_officer() {
    let world = world();
    let map = read(&world);
    let roles = of(&map, b'r', None);
    let role = |number: u8| roles.iter().find(|(key, _)| key[17] == number).unwrap();
    let (user, so) = (role(0), role(1));
    put(&world, &[(user.0.clone(), flipped(&user.1))]);
    check(&world, &[], &[&["the PIN record of the user", "was edited", "perilune pin reset --slot 0"]]);
    world.run(&["objects", "--pin-env", "USER_PIN"]).fails(1, &["role 0", "damaged"]);
    world.run(&["objects"]).ok();
    world.run(&["pin", "reset", "--so-pin-env", "SO_PIN", "--new-pin-env", "USER_PIN"]).ok();
    check(&world, LOGIN, &[]);
    assert_eq!(labels(&world).len(), 4, "the keys are what they were");
    put(&world, &[(so.0.clone(), so.1[..30].to_vec())]);
    check(&world, LOGIN, &[&["the PIN record of the so", "cut off", "the user works on"]]);
    assert_eq!(labels(&world).len(), 4);
}

#[test]
fn a_damaged_description_hides_its_token_and_no_other() {
    let world = world();
    let mine = of(&read(&world), b'o', PUBLIC)[0].0[1..17].to_vec();
    world.token("other");
    pairs(&world, "other");
    let map = read(&world);
    let key = [b"p", &mine[..]].concat();
    put(&world, &[(key.clone(), flipped(&map[&key]))]);
    check(&world, &[], &[&["the description of partition", &hex(&mine), "edited", "the other tokens work"]]);
    let slots = world.run(&["slots"]).ok().out;
    assert!(slots.contains("other"), "{slots}");
    let objects = world.json(&["objects", "--json", "--token", "other", "--pin-env", "USER_PIN"], "objects");
    assert_eq!(objects.as_array().unwrap().len(), 4);
    put(&world, &[(key.clone(), map[&key].clone())]);
    check(&world, LOGIN, &[]);
}

#[test]
fn a_damaged_change_list_and_a_foreign_key_are_remarked_on_and_harm_nothing() {
    let world = world();
    let lists = of(&read(&world), b'c', None);
    let (key, value) = lists.last().unwrap();
    put(&world, &[(key.clone(), flipped(value)), (b"zzz".to_vec(), b"zzz".to_vec())]);
    let (findings, code) = doctor(&world, LOGIN);
    let warnings: Vec<_> = findings.iter().filter(|finding| finding["status"] == "warning").collect();
    assert_eq!((warnings.len(), code), (2, 0), "{findings:?}");
    assert!(warnings.iter().any(|finding| finding["text"].to_string().contains("the change list of generation")));
    assert!(warnings.iter().any(|finding| finding["text"].to_string().contains("no known kind")));
    assert_eq!(labels(&world).len(), 4);
}

#[test]
fn a_damaged_header_is_a_problem_and_nothing_is_written_over_it() {
    let world = world();
    let good = read(&world)[&b"h"[..]].clone();
    put(&world, &[(b"h".to_vec(), flipped(&good))]);
    check(&world, &[], &[&["the store header", "damaged"]]);
    world.run(&["slots"]).fails(1, &["the store header"]);
    put(&world, &[(b"h".to_vec(), good)]);
    check(&world, LOGIN, &[]);
}

#[test]
fn a_damaged_copy_of_the_store_is_named_and_costs_nothing_and_is_made_anew() {
    let world = world();
    let (same, store) = (of(&read(&world), b'h', None), world.at("store"));
    let fold = || {
        let medium = SledMedium::open_folding_at(&store, std::time::Duration::from_secs(10), 0).unwrap();
        // A slow disk does not get through all of it at once.
        for _ in 0..4 {
            let again = same.iter().map(|(key, value)| (key.clone(), Some(value.clone())));
            let written = medium.transact(&mut |_, batch| {
                batch.changes.extend(again.clone());
                Ok(())
            });
            written.unwrap();
        }
    };
    fold();
    let whole = labels(&world);
    for copy in ["mirror", "map"] {
        check(&world, LOGIN, &[]);
        std::fs::write(store.join(copy).join("db"), b"nothing that was there before").unwrap();
        let (findings, code) = doctor(&world, LOGIN);
        let named = findings.iter().find(|finding| finding["status"] == "warning" && finding["check"] == "store");
        let text = named.unwrap_or_else(|| panic!("{findings:#?}")).to_string();
        assert!(text.contains("one of the two copies") && text.contains("nothing is lost"), "{text}");
        assert_eq!((code, labels(&world)), (0, whole.clone()), "{copy}");
        fold();
    }
    assert!(doctor(&world, LOGIN).0.iter().all(|finding| finding["status"] != "warning"));
}
