//! What is made from the command line's types: the manual page and the completions.

use crate::world::World;
use std::path::Path;

#[test]
fn the_manual_page_is_the_one_in_docs() {
    let page = World::new().run(&["man"]).ok().out;
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/man/perilune.1");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&golden).unwrap();
    assert!(page == kept, "docs/man/perilune.1 is out of date; UPDATE_GOLDEN=1 writes it anew");
}

#[test]
fn the_manual_page_names_every_command() {
    let page = World::new().run(&["man"]).ok().out;
    for command in
        ["INIT", "SLOTS", "OBJECTS", "IMPORT", "MIGRATE", "DELETE", "PIN CHANGE", "PIN RESET", "PIN STATUS", "DOCTOR"]
    {
        assert!(page.contains(&format!(".SH \"PERILUNE {command}\"")), "{command}");
    }
}

#[test]
fn completions_are_valid_for_their_shell() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = world.run(&["completions", shell]).ok().out;
        assert!(script.contains("so-pin-file"), "{shell}");
    }
    world.write("completions", world.run(&["completions", "bash"]).out);
    let output = world.command("bash", &["-n", "completions"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn unknown_words_are_wrong_usage() {
    assert_eq!(World::new().run(&["frobnicate"]).code, 2);
    assert_eq!(World::new().run(&["--help"]).code, 0);
    assert_eq!(World::new().run(&["delete", "--id", "0"]).code, 2);
}
