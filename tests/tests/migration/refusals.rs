//! What stops a migration, and that nothing is there then.

use crate::old::*;
use perilune_tests::ck::*;
use perilune_tests::{Place, Raw, SO_PIN, TOKEN_LABEL, USER_PIN, isolated, outside};

/// The command fails, says all of `parts`, and leaves neither a token nor a trace in SoftHSM2's files.
fn refused(place: &Place, command: std::process::Command, parts: &[&str]) {
    let before = snapshot(place);
    let text = outside::failure(command);
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
    assert_eq!(snapshot(place), before);
    assert!(!place.store().exists(), "nothing was written");
}

#[test]
fn a_wrong_pin_of_either_role_is_refused_and_nothing_is_written() {
    if !can_migrate() {
        return;
    }
    isolated!(|place, _| {
        small_token();
        for (wrong, role) in [("OLD_SO_PIN", "as Security Officer"), ("OLD_USER_PIN", "as user")] {
            for pin in ["", "wrong", SO_PIN, USER_PIN, "so-pin-4711 "] {
                let mut command = migrate(place, &[]);
                if (wrong, pin) == ("OLD_SO_PIN", SO_PIN) || (wrong, pin) == ("OLD_USER_PIN", USER_PIN) {
                    continue;
                }
                command.env(wrong, pin);
                assert_eq!(command.status().unwrap().code(), Some(3), "{wrong} {pin:?}");
                refused(place, command, &[role, "the PIN is wrong"]);
            }
        }
        assert_eq!(count(&migrated(place, &[])[0], "taken"), 4);
    });
}

/// Each of these makes one file unusable; every other object is as it was.
#[test]
fn a_damaged_object_is_named_and_nothing_comes_over_unless_it_is_to_be_left_out() {
    if !can_migrate() {
        return;
    }
    isolated!(|place, _| {
        small_token();
        let files = object_files(place);
        // Generation, class, token, private, label, as SoftHSM2 writes them.
        let (private_at, label_at) = (8 + 24 + 17, 8 + 24 + 17 + 17 + 24);
        let private = files.iter().find(|file| std::fs::read(file).unwrap()[private_at + 16] == 0xff);
        let private = private.expect("a private object");
        let good = std::fs::read(private).unwrap();
        let name = private.file_name().unwrap().to_str().unwrap();
        let mut flipped = good.clone();
        // The end of the vector in front of the label: its only block no longer decrypts to padding.
        flipped[label_at + 15] ^= 0xff;
        let cases: [(&[u8], &str); 5] = [
            (b"", "empty"),
            (&good[..good.len() - 1], "ends at byte"),
            (&good[..9], "ends at byte"),
            (&[&good[..], b"\0\0\0\0\0\0\0\x01"].concat(), "there twice"),
            (&flipped, "does not decrypt"),
        ];
        for (content, why) in cases {
            std::fs::write(private, content).unwrap();
            refused(place, migrate(place, &[]), &[name, why, "--skip-damaged"]);
            refused(place, migrate(place, &["--all"]), &[name]);
        }
        let trial = outside::output(migrate(place, &["--dry-run", "--skip-damaged"]));
        assert!(trial.contains(name) && trial.contains("would take   3 objects"), "{trial}");
        assert!(!place.store().exists());
        let report = migrated(place, &["--skip-damaged"]);
        assert_eq!((count(&report[0], "taken"), count(&report[0], "damaged")), (3, 1));
    });
}

#[test]
fn a_token_is_taken_over_once_unless_told_and_keeps_its_serial_number_the_first_time() {
    if !can_migrate() {
        return;
    }
    isolated!(|place, _| {
        small_token();
        let trial = outside::output(migrate(place, &["--dry-run"]));
        assert!(trial.contains("would take   4 objects") && !place.store().exists(), "{trial}");
        let first = migrated(place, &[]);
        assert_eq!(first[0]["serial"], first[0]["softhsm_serial"]);
        let text = outside::failure(migrate(place, &[]));
        assert!(text.contains("with its serial number") && text.contains("--again"), "{text}");
        assert_eq!(tokens(place).len(), 1);
        let second = migrated(place, &["--again"]);
        assert_ne!(second[0]["serial"], second[0]["softhsm_serial"]);
        assert_eq!(second[0]["same_label"], serde_json::json!([first[0]["slot"]]));
        let tokens = tokens(place);
        assert_eq!(tokens.iter().filter(|token| token["label"] == TOKEN_LABEL).count(), 2, "{tokens:?}");
    });
}

#[test]
fn of_several_tokens_one_is_chosen_by_label_or_serial_or_all_come() {
    if !can_migrate() {
        return;
    }
    isolated!(|place, _| {
        let old = start();
        old.new_token_named("one");
        let serial = old.token_info(old.new_token_named("two")).unwrap().serialNumber;
        let serial = String::from_utf8(serial.to_vec()).unwrap();
        let session = user(&old, "two");
        old.create(session, data("of two", true)).unwrap();
        // A token of which the user's PIN was never set.
        let free = old
            .slots(true)
            .into_iter()
            .find(|slot| old.token_info(*slot).is_ok_and(|info| info.flags & CKF_TOKEN_INITIALIZED == 0));
        old.init_token(free.unwrap(), SO_PIN, "without user").unwrap();
        old.finalize();
        refused(place, migrate(place, &[]), &["3 tokens are meant", "one", "two", &serial]);
        refused(place, migrate(place, &["--token", "three"]), &["no such token", "two"]);
        let report = migrated(place, &["--serial", &serial]);
        assert_eq!((&report[0]["token"], count(&report[0], "taken")), (&"two".into(), 1));
        let folder = report[0]["from"].as_str().unwrap().to_owned();
        let text = outside::failure(migrate(place, &["--all"]));
        assert!(text.contains("\"two\" was not taken over"), "{text}");
        assert_eq!(tokens(place).len(), 1, "all or none");
        std::fs::remove_dir_all(folder).unwrap();
        let report = migrated(place, &["--all", "--from", &place.text("softhsm")]);
        assert_eq!(report.as_array().unwrap().len(), 2);

        let new = Raw::start();
        let slot = new.slot_of("without user").unwrap();
        assert_eq!(new.token_info(slot).unwrap().flags & CKF_USER_PIN_INITIALIZED, 0);
        assert_eq!(new.login(new.session(slot), CKU_SO, SO_PIN), Ok(()));
        user(&new, "one");
        user(&new, "two");
    });
}

#[test]
fn a_folder_that_is_no_token_or_a_database_is_refused_with_what_to_do() {
    if !can_migrate() {
        return;
    }
    isolated!(|place, _| {
        let empty = place.text("softhsm");
        refused(place, migrate(place, &[]), &["found no SoftHSM2 token in", "--from"]);
        refused(place, migrate(place, &["--from", &place.text("nowhere")]), &["nowhere"]);
        let token = place.file("softhsm").join("0a1b");
        std::fs::create_dir(&token).unwrap();
        std::fs::write(token.join("sqlite3.db"), b"SQLite format 3\0").unwrap();
        for from in [&empty, &token.to_string_lossy().into_owned()] {
            refused(place, migrate(place, &["--from", from]), &["sqlite3.db", "objectstore.backend = file"]);
        }
        place.write("softhsm2.conf", format!("directories.tokendir = {empty}\nobjectstore.backend = db\n"));
        refused(place, migrate(place, &[]), &["objectstore.backend = db"]);
        place.write("softhsm2.conf", "log.level = ERROR\n");
        refused(place, migrate(place, &[]), &["directories.tokendir", "--from"]);
        std::fs::remove_file(place.file("softhsm2.conf")).unwrap();
        refused(place, migrate(place, &[]), &["softhsm2.conf", "--from"]);
        std::fs::remove_file(token.join("sqlite3.db")).unwrap();
        for broken in [&b""[..], b"\0\0\0\0\0\0\0\x01", &[0xff; 64]] {
            std::fs::write(token.join("token.object"), broken).unwrap();
            refused(place, migrate(place, &["--from", &empty]), &["token.object"]);
        }
    });
}
