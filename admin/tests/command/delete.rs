//! `perilune delete`: what goes, what stays, what needs a confirmation.

use crate::world::World;

fn two_keys() -> World {
    let world = World::with_token("t");
    for (file, label) in [("a.pem", "a"), ("b.pem", "b")] {
        world.openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", file]);
        world.import(&[file, "--label", label]).ok();
    }
    world
}

fn labels(world: &World) -> Vec<String> {
    let mut labels: Vec<String> = world
        .objects()
        .iter()
        .map(|object| format!("{} {}", object["class"], object["label"]).replace('"', ""))
        .collect();
    labels.sort();
    labels
}

#[test]
fn exactly_the_objects_that_fit_all_criteria_go() {
    let world = two_keys();
    let delete = |criteria: &[&str]| world.run(&[&["delete", "--pin-env", "USER_PIN"], criteria].concat());
    delete(&["--label", "a", "--class", "public-key"]).ok();
    assert_eq!(labels(&world), ["private-key a", "private-key b", "public-key b"]);
    let id = world.objects().iter().find(|object| object["label"] == "b").unwrap()["id"].as_str().unwrap().to_owned();
    delete(&["--id", &id]).ok();
    assert_eq!(labels(&world), ["private-key a"]);
    delete(&["--label", "b"]).fails(1, &["nothing was deleted", "no such object"]);
    assert_eq!(labels(&world), ["private-key a"]);
}

#[test]
fn too_much_needs_a_confirmation() {
    let world = two_keys();
    let delete = |criteria: &[&str]| world.run(&[&["delete", "--pin-env", "USER_PIN"], criteria].concat());
    delete(&[]).fails(2, &["say what to delete"]);
    delete(&["--class", "private-key"]).fails(2, &["--yes"]);
    assert_eq!(labels(&world).len(), 4);
    delete(&["--class", "private-key", "--yes"]).ok();
    assert_eq!(labels(&world), ["public-key a", "public-key b"]);
}

#[test]
fn a_wrong_pin_deletes_nothing() {
    let world = two_keys();
    world.run(&["delete", "--label", "a", "--pin-env", "WRONG_PIN"]).fails(3, &["wrong PIN, 9 tries left"]);
    assert_eq!(labels(&world).len(), 4);
}

#[test]
fn a_whole_token_goes_only_when_named_and_confirmed() {
    let world = two_keys();
    let serial = world.json(&["slots", "--json"], "slots")[0]["serial"].clone();
    world.run(&["delete", "--whole-token", "--yes"]).fails(2, &["--token or --slot"]);
    world.run(&["delete", "--whole-token", "--token", "t"]).fails(2, &["with all its keys", "--yes"]);
    assert_eq!(labels(&world).len(), 4);
    world.run(&["delete", "--whole-token", "--token", "t", "--yes"]).ok();
    let slot = world.json(&["slots", "--json"], "slots")[0].clone();
    assert_eq!((&slot["initialised"], &slot["serial"]), (&false.into(), &serial));
    world.token("again");
    assert_eq!(world.objects().len(), 0);
}
