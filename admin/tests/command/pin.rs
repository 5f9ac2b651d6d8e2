//! `perilune pin`: change, reset, status, and what wrong PINs do.

use crate::world::World;
use serde_json::json;

fn status(world: &World) -> serde_json::Value {
    world.json(&["pin", "status", "--json"], "roles")
}

fn login(world: &World, variable: &str) -> i32 {
    world.run(&["objects", "--pin-env", variable]).code
}

#[test]
fn the_user_changes_the_own_pin() {
    let world = World::with_token("t");
    let change = ["pin", "change", "--pin-env", "USER_PIN", "--new-pin-env", "NEW_PIN"];
    world.run(&change).ok();
    assert_eq!((login(&world, "NEW_PIN"), login(&world, "USER_PIN")), (0, 3));
    world.run(&change).fails(3, &["cannot log in as user of token \"t\"", "wrong PIN"]);
}

#[test]
fn the_security_officer_changes_the_own_pin() {
    let world = World::with_token("t");
    world.run(&["pin", "change", "--so", "--so-pin-env", "SO_PIN", "--new-pin-env", "NEW_PIN"]).ok();
    world.run(&["pin", "reset", "--so-pin-env", "SO_PIN", "--new-pin-env", "NEW_PIN"]).fails(3, &["wrong PIN, 9"]);
    world.run(&["pin", "reset", "--so-pin-env", "NEW_PIN", "--new-pin-env", "NEW_PIN"]).ok();
    assert_eq!(login(&world, "NEW_PIN"), 0);
}

#[test]
fn options_of_the_other_role_are_refused() {
    let world = World::with_token("t");
    let change = |more: &[&str]| world.run(&[&["pin", "change", "--new-pin-env", "NEW_PIN"], more].concat());
    change(&["--so", "--pin-env", "USER_PIN"]).fails(2, &["--pin-* has no meaning"]);
    change(&["--pin-env", "USER_PIN", "--so-pin-env", "SO_PIN"]).fails(2, &["--so-pin-* has no meaning"]);
    assert_eq!(login(&world, "USER_PIN"), 0);
}

#[test]
fn ten_wrong_pins_lock_the_user_and_the_security_officer_unlocks() {
    let world = World::with_token("t");
    for left in (0..10).rev() {
        assert_eq!(login(&world, "WRONG_PIN"), 3);
        assert_eq!(status(&world)[0]["tries_left"], left);
    }
    assert_eq!(status(&world)[0], json!({"role": "user", "pin": "locked", "tries_left": 0, "tries_max": 10}));
    assert_eq!(status(&world)[1], json!({"role": "so", "pin": "set", "tries_left": 10, "tries_max": 10}));
    world.run(&["objects", "--pin-env", "USER_PIN"]).fails(3, &["locked", "perilune pin reset"]);
    assert_eq!(world.json(&["slots", "--json"], "slots")[0]["user_pin"], "locked");
    world.run(&["pin", "reset", "--so-pin-env", "SO_PIN", "--new-pin-env", "NEW_PIN"]).ok();
    assert_eq!((login(&world, "NEW_PIN"), login(&world, "USER_PIN")), (0, 3));
    assert_eq!(status(&world)[0]["tries_left"], 9);
    let table = world.run(&["pin", "status"]).ok().out;
    assert!(table.contains("9 of 10"), "{table}");
}

#[test]
fn a_new_pin_of_impossible_length_changes_nothing() {
    let world = World::with_token("t");
    world.write("short", "123");
    world
        .run(&["pin", "change", "--pin-env", "USER_PIN", "--new-pin-file", "short"])
        .fails(3, &["4 to 255 bytes, not 3"]);
    assert_eq!(login(&world, "USER_PIN"), 0);
    assert_eq!(status(&world)[0]["tries_left"], 10);
}
