//! `perilune slots` and `perilune objects`: what is listed, for whom, and in which form.

use crate::world::World;

#[test]
fn slots_tells_the_same_as_table_and_as_json() {
    let world = World::with_token("first token");
    let slots = world.json(&["slots", "--json"], "slots");
    let first = slots[0].as_object().unwrap();
    let keys: Vec<_> = first.keys().map(String::as_str).collect();
    assert_eq!(keys, ["initialised", "label", "model", "serial", "slot", "so_pin", "uri", "user_pin"]);
    assert_eq!((first["label"].as_str(), first["user_pin"].as_str()), (Some("first token"), Some("set")));
    let table = world.run(&["slots"]).ok().out;
    for part in ["SLOT", "first token", first["serial"].as_str().unwrap(), first["uri"].as_str().unwrap(), "(no token)"]
    {
        assert!(table.contains(part), "{part:?} is not in {table}");
    }
}

#[test]
fn private_objects_are_listed_for_the_user_only() {
    let world = World::with_token("t");
    world.openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "k.pem"]);
    world.import(&["k.pem", "--label", "key one", "--id", "0a:0B"]).ok();
    let public = world.json(&["objects", "--json"], "objects");
    assert_eq!(public.as_array().unwrap().len(), 1);
    assert_eq!(public[0]["class"], "public-key");
    let mut classes: Vec<_> =
        world.objects().iter().map(|object| object["class"].as_str().unwrap().to_owned()).collect();
    classes.sort();
    assert_eq!(classes, ["private-key", "public-key"]);
    let table = world.run(&["objects", "--pin-env", "USER_PIN"]).ok().out;
    for part in ["private-key", "P-256", "key one", "0a0b", "sign", "id=%0A%0B;object=key%20one;type=private"] {
        assert!(table.contains(part), "{part:?} is not in {table}");
    }
}

#[test]
fn objects_can_be_narrowed_down() {
    let world = World::with_token("t");
    for (file, label, id) in [("a.pem", "a", "01"), ("b.pem", "b", "02")] {
        world.openssl(&["genpkey", "-algorithm", "ED25519", "-out", file]);
        world.import(&[file, "--label", label, "--id", id]).ok();
    }
    let count = |criteria: &[&str]| {
        let args = [&["objects", "--json", "--pin-env", "USER_PIN"], criteria].concat();
        world.json(&args, "objects").as_array().unwrap().len()
    };
    assert_eq!(count(&[]), 4);
    assert_eq!(count(&["--label", "a"]), 2);
    assert_eq!(count(&["--id", "02", "--class", "private-key"]), 1);
    assert_eq!(count(&["--class", "certificate"]), 0);
}

#[test]
fn a_token_must_be_named_when_there_are_two() {
    let world = World::new();
    world.run(&["objects"]).fails(1, &["there is no token yet", "perilune init"]);
    world.token("one");
    world.run(&["objects"]).ok();
    world.token("two");
    world.run(&["objects"]).fails(2, &["2 tokens", "\"one\", \"two\"", "--token"]);
    world.run(&["objects", "--token", "two"]).ok();
    world.run(&["objects", "--slot", "0"]).ok();
    world.run(&["objects", "--slot", "2"]).fails(1, &["slot 2 holds no token"]);
    world.run(&["objects", "--token", "three"]).fails(1, &["no token with the label \"three\""]);
    world.token("two");
    world.run(&["objects", "--token", "two"]).fails(2, &["2 tokens have the label \"two\"", "--slot (1, 2)"]);
}

#[test]
fn a_broken_configuration_is_named_with_line_and_key() {
    let world = World::new();
    world.write("perilune.toml", "store = \"store\"\n[pin]\nbytes_mni = 5\n");
    world.run(&["slots"]).fails(1, &["perilune.toml", "line 3, pin.bytes_mni", "docs/perilune.toml"]);
}

#[test]
fn a_reader_that_stops_early_is_no_failure() {
    let world = World::with_token("t");
    let script = "\"$0\" slots | head -c 1 >/dev/null; exit ${PIPESTATUS[0]}";
    let output = world.command("bash", &["-c", script, crate::world::PERILUNE]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
