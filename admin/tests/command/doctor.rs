//! `perilune doctor`: what it finds, what it prints, and that it changes nothing.

use crate::world::{World, below};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use token_store::Medium;
use token_store::medium::{Batch, Reader, SledMedium};

/// A file that passes for the module.
fn module(world: &World) -> String {
    let path = world.write("libperilune_pkcs11.so", b"\x7fELF Perilune C_GetFunctionList");
    path.to_str().unwrap().to_owned()
}

fn doctor(world: &World, more: &[&str]) -> Value {
    let module = module(world);
    world.json(&[&["doctor", "--json", "--module", &module], more].concat(), "doctor")
}

fn problems(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings.filter(|finding| finding["status"] == "problem").map(|finding| finding["text"].to_string()).collect()
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_healthy_installation_has_no_problem() {
    let world = World::with_token("t");
    let module = module(&world);
    let outcome = world.run(&["doctor", "--module", &module, "--pin-env", "USER_PIN"]).ok();
    for part in [
        "perilune.toml",
        "device.key",
        "left out of core dumps",
        "No problem was found",
        "\"t\": all objects open",
        &module,
    ] {
        assert!(outcome.out.contains(part), "{part:?} is not in {}", outcome.out);
    }
}

#[test]
fn wide_permissions_are_found_wherever_they_are() {
    let world = World::with_token("t");
    let store = world.at("store");
    let all: Vec<_> = below(&store).into_iter().chain([store]).collect();
    assert!(all.len() > 4, "{all:?}");
    for path in all {
        let mode = path.metadata().unwrap().permissions().mode() & 0o7777;
        chmod(&path, mode | 0o040);
        let report = doctor(&world, &[]);
        chmod(&path, mode);
        let found = problems(&report);
        assert!(
            found.iter().any(|text| text.contains(path.to_str().unwrap())),
            "{} is not in {found:?}",
            path.display()
        );
        assert!(report["problems"].as_u64() > Some(0));
    }
    assert_eq!(problems(&doctor(&world, &[])), [""; 0]);
}

#[test]
fn a_problem_is_in_the_exit_code_and_comes_with_advice() {
    let world = World::with_token("t");
    chmod(&world.at("store"), 0o755);
    let module = module(&world);
    let outcome = world.run(&["doctor", "--module", &module]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.out.contains("PROBLEM") && outcome.out.contains("chmod 700"), "{}", outcome.out);
}

#[test]
fn a_folder_in_which_others_could_replace_the_store_is_remarked_on() {
    let world = World::with_token("t");
    let folder = world.at("");
    let remarked = |mode: u32| {
        chmod(&folder, mode);
        doctor(&world, &[])["findings"].to_string().contains("others can replace the store")
    };
    assert!(!remarked(0o755));
    assert!(remarked(0o777));
    assert!(!remarked(0o1777), "as /tmp");
}

#[test]
fn a_symbolic_link_in_the_store_is_a_problem() {
    let world = World::with_token("t");
    let key = world.at("store/device.key");
    std::fs::rename(&key, world.at("elsewhere")).unwrap();
    std::os::unix::fs::symlink(world.at("elsewhere"), &key).unwrap();
    assert!(problems(&doctor(&world, &[])).iter().any(|text| text.contains("symbolic link")));
}

#[test]
fn a_missing_device_key_is_a_problem_and_none_is_made() {
    let world = World::with_token("t");
    std::fs::remove_file(world.at("store/device.key")).unwrap();
    assert!(problems(&doctor(&world, &[])).iter().any(|text| text.contains("device.key")));
    assert!(!world.at("store/device.key").exists());
    world.run(&["slots"]).fails(1, &["device key", "device.key", "without it"]);
    assert!(!world.at("store/device.key").exists());
}

#[test]
fn without_a_store_none_is_made() {
    let world = World::new();
    let report = doctor(&world, &[]);
    assert_eq!(problems(&report), [""; 0]);
    assert!(report["findings"].to_string().contains("the first use makes it"));
    assert!(!world.at("store").exists());
}

#[test]
fn a_broken_configuration_is_a_problem_and_the_clients_are_told_all_the_same() {
    let world = World::new();
    world.write("perilune.toml", "nonsense = 1");
    let report = doctor(&world, &[]);
    assert!(problems(&report)[0].contains("line 1, nonsense"));
    assert!(report["clients"].as_array().unwrap().len() > 5);
}

#[test]
fn locked_roles_and_failed_tries_are_reported() {
    let world = World::with_token("t");
    let text = |status: &str| {
        let report = doctor(&world, &[]);
        let findings = report["findings"].as_array().unwrap().clone();
        let found = findings.iter().find(|finding| finding["check"] == "token" && finding["status"] == status);
        found.map(|finding| finding["text"].as_str().unwrap().to_owned()).unwrap_or_default()
    };
    world.run(&["objects", "--pin-env", "WRONG_PIN"]).fails(3, &[]);
    assert!(text("warning").contains("1 wrong user PINs, 9 tries left"), "{}", text("warning"));
    for _ in 0..9 {
        world.run(&["objects", "--pin-env", "WRONG_PIN"]).fails(3, &[]);
    }
    assert!(text("problem").contains("the user is locked"), "{}", text("problem"));
}

/// Turns one bit in the record of every public, or every private, object.
fn damage(world: &World, visibility: u8) {
    let medium = SledMedium::open(&world.at("store")).unwrap();
    let mut work = |reader: &dyn Reader, batch: &mut Batch| {
        reader.scan(b"o", &mut |key, value| {
            if value[VISIBILITY_AT] == visibility {
                let mut damaged = value.to_vec();
                *damaged.last_mut().unwrap() ^= 1;
                batch.changes.insert(key.to_vec(), Some(damaged));
            }
            Ok(())
        })
    };
    medium.transact(&mut work).unwrap();
}

/// Where a stored record says who can open it (docs/format.md, "Values").
const VISIBILITY_AT: usize = 3;

#[test]
fn damaged_records_are_found_private_ones_with_the_pin_only() {
    let world = World::with_token("t");
    world.openssl(&["genpkey", "-algorithm", "ED25519", "-out", "k.pem"]);
    world.import(&["k.pem"]).ok();
    let login = ["--pin-env", "USER_PIN"];
    assert_eq!(problems(&doctor(&world, &login)), [""; 0]);
    damage(&world, 1);
    assert_eq!(problems(&doctor(&world, &[])), [""; 0]);
    let found = problems(&doctor(&world, &login));
    assert!(found.len() == 1 && found[0].contains("does not open"), "{found:?}");
    damage(&world, 0);
    assert_eq!(problems(&doctor(&world, &[])).len(), 1);
    assert_eq!(problems(&doctor(&world, &login)).len(), 2);
    assert_eq!(world.objects().len(), 0);
}

#[test]
fn a_file_that_is_no_module_is_not_recommended() {
    let world = World::new();
    let check = |content: &[u8], expect: &str| {
        let path = world.write("module.so", content);
        let outcome = world.run(&["doctor", "--module", path.to_str().unwrap()]);
        assert_eq!(outcome.code, 1);
        assert!(outcome.out.contains(expect), "{expect:?} is not in {}", outcome.out);
    };
    check(b"#!/bin/sh", "is no PKCS#11 module");
    check(b"\x7fELF C_GetFunctionList", "of another product");
    let path = module(&world);
    chmod(Path::new(&path), 0o666);
    let outcome = world.run(&["doctor", "--module", &path]);
    assert!(outcome.out.contains("can be written by others"), "{}", outcome.out);
}

#[test]
fn every_client_is_told_the_path_of_the_module() {
    let world = World::with_token("my token");
    let module = module(&world);
    let report = doctor(&world, &[]);
    for client in report["clients"].as_array().unwrap() {
        assert!(client["lines"].as_str().unwrap().contains(&module), "{client}");
    }
    let text = report["clients"].to_string();
    for part in ["MODULE_PATH = ", "pkcs11-module-path = ", "/usr/share/p11-kit/modules/perilune.module", "library = "]
    {
        assert!(text.contains(part), "{part:?}");
    }
    assert!(text.contains("slot = 0") && text.contains("token=my%20token") && text.contains("ssh-keygen -D"));
}
