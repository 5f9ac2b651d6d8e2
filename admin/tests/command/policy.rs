//! `perilune policy`: the approved mode and the legacy switch of a token.

use crate::world::{Outcome, World};

fn shown(world: &World) -> serde_json::Value {
    world.json(&["policy", "show", "--json"], "policy")
}

fn set(world: &World, values: &[&str]) -> Outcome {
    world.run(&[&["policy", "set", "--so-pin-env", "SO_PIN"], values].concat())
}

#[test]
fn a_token_begins_without_either_and_keeps_what_the_security_officer_sets() {
    let world = World::with_token("t");
    let before = shown(&world);
    assert_eq!((&before["approved"], &before["legacy"]), (&false.into(), &false.into()));
    set(&world, &["--legacy", "on"]).ok();
    let with_legacy = shown(&world);
    assert_eq!((&with_legacy["approved"], &with_legacy["legacy"]), (&false.into(), &true.into()));
    set(&world, &["--approved", "on", "--legacy", "off"]).ok();
    let approved = shown(&world);
    assert_eq!((&approved["approved"], &approved["legacy"]), (&true.into(), &false.into()));
    assert!(approved["mechanisms"].as_u64() < before["mechanisms"].as_u64());
    let table = world.run(&["policy", "show"]).ok().out;
    assert!(table.lines().any(|line| line.starts_with("approved") && line.ends_with("on")), "{table}");
}

#[test]
fn the_approved_mode_ends_only_with_a_new_token() {
    let world = World::with_token("t");
    set(&world, &["--approved", "on"]).ok();
    set(&world, &["--approved", "off"]).fails(1, &["cannot set the policy of \"t\"", "initialised anew"]);
    assert_eq!(shown(&world)["approved"], true);
    let again =
        ["init", "--label", "t", "--slot", "0", "--overwrite", "--so-pin-env", "SO_PIN", "--pin-env", "USER_PIN"];
    world.run(&again).ok();
    assert_eq!(shown(&world)["approved"], false);
}

#[test]
fn a_wrong_pin_changes_nothing_and_neither_does_nothing_to_set() {
    let world = World::with_token("t");
    world.run(&["policy", "set", "--approved", "on", "--so-pin-env", "WRONG_PIN"]).fails(3, &["wrong PIN"]);
    assert_eq!(world.run(&["policy", "set", "--so-pin-env", "SO_PIN"]).code, 2);
    assert_eq!(shown(&world)["approved"], false);
}
