//! The shim itself: what it lets fail fails, as often as planned, in all threads; what it records is in order.
//!
//! Owns: plain file calls of the standard library and of the system. The store is not used here.

use perilune_tests::disk::{Disk, log, mark};
use perilune_tests::{child, isolated};
use std::fs;
use std::io::{ErrorKind, Write};

#[test]
fn calls_fail_as_planned_and_as_usual_again_when_healed() {
    isolated!(|place, role| {
        let disk = Disk::of(place);
        if role == "main" {
            fs::create_dir(place.store()).expect("a folder");
            return drop(child::role_with(place, "victim", "", &disk.failing()).succeed());
        }
        let file = place.store().join("journal");
        let write = |bytes: &[u8]| fs::write(&file, bytes).map_err(|error| error.kind());
        assert_eq!(write(b"before"), Ok(()));
        disk.plan(&["write jour* ENOSPC after 1 count 2", "sync * EIO"]);
        let answers = [(); 5].map(|()| write(b"abc"));
        let full = Err(ErrorKind::StorageFull);
        assert_eq!(answers, [Ok(()), full, full, Ok(()), Ok(())]);
        assert_eq!(disk.fired(0), 2);
        assert_eq!(
            fs::File::open(&file).expect("the file").sync_all().map_err(|e| e.raw_os_error()),
            Err(Some(libc::EIO))
        );
        assert_eq!(disk.fired(1), 1);
        disk.plan(&["create,unlink,mkdir,rename * EROFS", "write * short:2", "open journal EACCES"]);
        let refused =
            |answer: std::io::Result<()>| assert_eq!(answer.map_err(|e| e.raw_os_error()), Err(Some(libc::EROFS)));
        refused(fs::File::create(place.store().join("new")).map(drop));
        refused(fs::remove_file(&file));
        refused(fs::create_dir(place.store().join("folder")));
        refused(fs::rename(&file, place.store().join("renamed")));
        assert_eq!(fs::File::create(&file).expect("the file").write(b"abc").expect("written"), 2);
        assert_eq!(fs::read(&file).map_err(|error| error.kind()), Err(ErrorKind::PermissionDenied));
        fs::write(place.file("elsewhere"), b"abc").expect("other folders are left alone");
        assert_eq!(disk.fired(0), 4);
        disk.heal();
        assert_eq!(fs::read(&file).expect("the file"), b"ab");
        assert_eq!(write(b"after"), Ok(()));
    });
}

#[test]
fn a_call_may_kill_the_process_before_or_after_it_is_made() {
    isolated!(|place, role| {
        let disk = Disk::of(place);
        if role == "victim" {
            fs::write(place.store().join(child::word()), b"abc").expect("written");
            panic!("killed before");
        }
        fs::create_dir(place.store()).expect("a folder");
        for (name, what, written) in [("one", "kill", 0), ("two", "kill-after", 3)] {
            disk.plan(&[&format!("write * {what}")]);
            let report = child::role_with(place, "victim", name, &disk.failing()).finish();
            assert_eq!(
                std::os::unix::process::ExitStatusExt::signal(&report.status),
                Some(libc::SIGKILL),
                "{}",
                report.text
            );
            assert_eq!(fs::read(place.store().join(name)).expect("the file").len(), written);
        }
    });
}

#[test]
fn the_record_has_every_change_of_all_threads_and_children_in_order() {
    isolated!(|place, role| {
        let disk = Disk::of(place);
        let (one, two) = (place.store().join("one"), place.store().join("two"));
        if role == "recorded" {
            fs::create_dir(place.store()).expect("a folder");
            fs::write(&one, b"hello").expect("a file");
            std::thread::scope(|scope| {
                scope.spawn(|| fs::rename(&one, &two).expect("renamed")).join().expect("a thread")
            });
            mark("renamed");
            let appended = child::forked(|| {
                let mut file = fs::File::options().append(true).open(&two).expect("the file");
                file.write_all(b" world").expect("written");
                file.sync_all().expect("synced");
                fs::copy(&two, &one).expect("copied");
                0
            });
            assert_eq!(appended, 0);
            return;
        }
        child::role_with(place, "recorded", "", &disk.recording()).succeed();
        let changes = log::read(disk.log());
        let log::Change::Create { file, .. } = changes[1] else { panic!("{changes:?}") };
        let write =
            |offset, path: &str, data: &[u8]| log::Change::Write { file, path: path.into(), offset, data: data.into() };
        let expected = [
            log::Change::MakeFolder { path: String::new() },
            log::Change::Create { file, path: "one".into() },
            write(0, "one", b"hello"),
            log::Change::Rename { from: "one".into(), to: "two".into() },
            log::Change::Mark("renamed".into()),
            write(5, "two", b" world"),
            log::Change::Sync { file, path: "two".into() },
        ];
        assert_eq!(changes[..7], expected);
        let log::Change::Write { data, .. } = &changes[8] else { panic!("{changes:?}") };
        assert_eq!((changes.len(), data.as_slice()), (9, &b"hello world"[..]));
    });
}
