//! The first key of the README: what a newcomer types, typed by the test.
//!
//! Owns: what differs from a newcomer: the build that is there, nothing installed, PINs that are not asked for.

use perilune_tests::outside::output;
use perilune_tests::{Place, SO_PIN, USER_PIN, module};

/// The commands of the section, a line each.
fn commands() -> Vec<String> {
    let text = std::fs::read_to_string(module::workspace().join("README.md")).expect("README.md");
    let section = text.split("## The first key in five minutes").nth(1).expect("the section");
    let section = section.split("\n## ").next().expect("its end");
    section.lines().filter_map(|line| line.strip_prefix("    ")).map(str::to_owned).collect()
}

#[test]
fn the_first_key_of_the_readme_is_made_in_the_way_it_says() {
    let place = Place::new();
    let commands = commands();
    assert!(commands.iter().any(|line| line.contains("--keypairgen")), "{commands:?}");
    let mut script = String::from("set -eu\n");
    for line in &commands {
        if line.contains("apt-get install") || line.starts_with("make ") {
            continue;
        }
        let line = if line.starts_with("MODULE=") { "MODULE=$BUILT_MODULE".to_owned() } else { line.clone() };
        let line = line
            .replace("target/release/perilune init", "$BUILT_COMMAND init --so-pin-env SO_PIN --pin-env USER_PIN")
            .replace("--login", "--login --pin $USER_PIN");
        script.push_str(&line);
        script.push('\n');
    }
    let mut command = place.command("bash");
    command.args(["-c", &script]);
    command.env("BUILT_MODULE", module::path()).env("BUILT_COMMAND", module::admin());
    command.env("SO_PIN", SO_PIN).env("USER_PIN", USER_PIN);
    let said = output(command);
    assert!(said.contains("Verified OK"), "{said}");
}
