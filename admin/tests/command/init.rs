//! `perilune init`: where PINs come from, which slot is taken, what is refused.

use crate::world::{Outcome, PERILUNE, SO_PIN, USER_PIN, World};
use std::io::{Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// The token can be used with exactly the two PINs.
fn check_pins(world: &World, so_pin: &str, user_pin: &str) {
    world.write("user", user_pin);
    world.write("so", so_pin);
    world.run(&["objects", "--pin-file", "user"]).ok();
    world.run(&["pin", "reset", "--so-pin-file", "so", "--new-pin-file", "user"]).ok();
}

#[test]
fn pins_come_from_files_without_their_trailing_newline() {
    let world = World::new();
    world.write("so.pin", "so from file\n");
    world.write("user.pin", "user from file");
    world.run(&["init", "--label", "t", "--so-pin-file", "so.pin", "--pin-file", "user.pin"]).ok();
    check_pins(&world, "so from file", "user from file");
}

#[test]
fn pins_come_from_the_environment() {
    let world = World::new();
    world.run(&["init", "--label", "t", "--so-pin-env", "SO_PIN", "--pin-env", "USER_PIN"]).ok();
    check_pins(&world, SO_PIN, USER_PIN);
}

#[test]
fn pins_come_from_descriptors() {
    let world = World::new();
    world.write("so.pin", "so from fd\n");
    world.write("user.pin", "user from fd\n");
    let script = "exec \"$0\" init --label t --so-pin-fd 7 --pin-fd 0 7<so.pin <user.pin";
    Outcome::of(world.command("sh", &["-c", script, PERILUNE]).output().unwrap()).ok();
    check_pins(&world, "so from fd", "user from fd");
}

/// `script` gives the command a terminal; what is typed comes from its standard input.
pub fn on_a_terminal(world: &World, args: &str, typed: &[&str]) -> Outcome {
    let mut child = world
        .command("script", &["-qec", &format!("tty >terminal; exec {PERILUNE} {args}"), "/dev/null"])
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = Vec::new();
    for line in typed {
        // A person waits for the question; the echo goes off right after it.
        let asked = shown.len();
        while !shown[asked..].ends_with(b": ") && read_byte(&mut output, &mut shown) {}
        await_silence(world);
        writeln!(input, "{line}").unwrap();
    }
    while read_byte(&mut output, &mut shown) {}
    let mut outcome = Outcome::of(child.wait_with_output().unwrap());
    outcome.out = String::from_utf8(shown).unwrap();
    outcome
}

/// Waits until the terminal shows nothing of what is typed, or is gone.
fn await_silence(world: &World) {
    let begin = Instant::now();
    loop {
        let terminal = std::fs::read_to_string(world.at("terminal")).unwrap();
        let settings = world.command("stty", &["-a", "-F", terminal.trim()]).output().unwrap();
        if !settings.status.success() || String::from_utf8_lossy(&settings.stdout).contains(" -echo ") {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "the echo stays on");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn read_byte(from: &mut impl Read, into: &mut Vec<u8>) -> bool {
    let mut byte = [0];
    let read = from.read(&mut byte).unwrap() == 1;
    into.extend(read.then_some(byte[0]));
    read
}

#[test]
fn pins_are_asked_for_twice_and_never_shown() {
    let world = World::new();
    let typed = ["so typed", "so typed", "user typed", "user typed"];
    let outcome = on_a_terminal(&world, "init --label t", &typed).ok();
    assert!(outcome.out.contains("New Security Officer's PIN: "), "{outcome:?}");
    assert!(outcome.out.contains("New user's PIN again: "), "{outcome:?}");
    assert!(!outcome.out.contains("typed"), "{outcome:?}");
    check_pins(&world, "so typed", "user typed");
}

/// A typing error in a PIN that is asked for once would make a token that nobody can administer.
#[test]
fn overwriting_an_empty_slot_asks_twice_too() {
    let world = World::new();
    let typed = ["so typed", "so typed", "user typed", "user typed"];
    let outcome = on_a_terminal(&world, "init --label t --slot 0 --overwrite", &typed).ok();
    assert!(outcome.out.contains("New Security Officer's PIN again: "), "{outcome:?}");
    check_pins(&world, "so typed", "user typed");
}

#[test]
fn two_different_answers_make_no_token() {
    let world = World::new();
    let outcome = on_a_terminal(&world, "init --label t", &["so typed", "so tyqed"]);
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(outcome.out.contains("the two answers differ"), "{outcome:?}");
    assert_eq!(world.json(&["slots", "--json"], "slots")[0]["initialised"], false);
}

#[test]
fn without_a_terminal_nothing_is_asked_and_the_options_are_named() {
    let world = World::new();
    let outcome = world.command("setsid", &["-w", PERILUNE, "init", "--label", "t"]).output().unwrap();
    Outcome::of(outcome).fails(2, &["there is no terminal", "-file, -env or -fd"]);
}

#[test]
fn tokens_go_into_the_free_slot_and_the_next_one_appears() {
    let world = World::new();
    let init = |label| {
        world.json(&["init", "--json", "--label", label, "--so-pin-env", "SO_PIN", "--pin-env", "USER_PIN"], "token")
    };
    let (first, second) = (init("one"), init("two words"));
    assert_eq!((&first["slot"], &second["slot"]), (&0.into(), &1.into()));
    assert_ne!(first["serial"], second["serial"]);
    assert_eq!(first["serial"].as_str().unwrap().len(), 16);
    let uri = second["uri"].as_str().unwrap();
    assert!(uri.starts_with("pkcs11:model=") && uri.ends_with("token=two%20words"), "{uri}");
    let slots = world.json(&["slots", "--json"], "slots");
    let states: Vec<_> = slots.as_array().unwrap().iter().map(|slot| &slot["initialised"]).collect();
    assert_eq!(states, [true, true, false]);
}

#[test]
fn a_token_is_erased_only_with_overwrite_and_its_pin() {
    let world = World::with_token("old");
    let init = ["init", "--label", "new", "--slot", "0", "--pin-env", "USER_PIN"];
    let with = |more: &[&'static str]| world.run(&[&init[..], more].concat());
    with(&["--so-pin-env", "SO_PIN"]).fails(2, &["slot 0 holds the token \"old\"", "--overwrite"]);
    with(&["--so-pin-env", "WRONG_PIN", "--overwrite"]).fails(3, &["wrong PIN, 9 tries left"]);
    assert_eq!(world.json(&["slots", "--json"], "slots")[0]["label"], "old");
    let serial = world.json(&["slots", "--json"], "slots")[0]["serial"].clone();
    with(&["--so-pin-env", "SO_PIN", "--overwrite"]).ok();
    let slot = world.json(&["slots", "--json"], "slots")[0].clone();
    assert_eq!((&slot["label"], &slot["serial"]), (&"new".into(), &serial));
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_written() {
    let world = World::new();
    world.write("short.pin", "123\n");
    world.write("long.pin", "x".repeat(256));
    let long_label = "x".repeat(33);
    let init = |label: &str, so_pin: &str, pin: &str| {
        world.run(&["init", "--label", label, "--so-pin-file", so_pin, "--pin-file", pin])
    };
    world.write("good.pin", "good-pin");
    init(&long_label, "good.pin", "good.pin").fails(2, &["1 to 32 bytes, not 33"]);
    init("", "good.pin", "good.pin").fails(2, &["1 to 32 bytes, not 0"]);
    // No --token could name it afterwards: the blanks that pad a label are not part of it.
    init("  ", "good.pin", "good.pin").fails(2, &["does not end with a blank"]);
    for bad in ["short.pin", "long.pin"] {
        let parts = ["a PIN has 4 to 255 bytes"];
        let error = init("t", "good.pin", bad);
        assert_eq!(error.code, 3, "{error:?}");
        assert!(error.err.contains(parts[0]), "{error:?}");
        assert_eq!(init("t", bad, "good.pin").code, 3);
    }
    world
        .run(&["init", "--label", "t", "--slot", "9", "--so-pin-env", "SO_PIN", "--pin-env", "USER_PIN"])
        .fails(1, &["slot 9"]);
    assert_eq!(world.json(&["slots", "--json"], "slots")[0]["initialised"], false);
}

#[test]
fn the_user_can_be_left_for_later() {
    let world = World::new();
    world.run(&["init", "--label", "t", "--so-pin-env", "SO_PIN", "--without-user"]).ok();
    assert_eq!(world.json(&["slots", "--json"], "slots")[0]["user_pin"], "unset");
    world.run(&["objects", "--pin-env", "USER_PIN"]).fails(1, &["PIN", "perilune pin reset"]);
    world.run(&["pin", "reset", "--so-pin-env", "SO_PIN", "--new-pin-env", "USER_PIN"]).ok();
    world.run(&["objects", "--pin-env", "USER_PIN"]).ok();
}

#[test]
fn a_pin_file_that_others_can_read_is_remarked_on() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::with_token("t");
    let path = world.write("user.pin", USER_PIN);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(world.run(&["objects", "--pin-file", "user.pin"]).ok().err.contains("others can read"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(world.run(&["objects", "--pin-file", "user.pin"]).ok().err, "");
}
