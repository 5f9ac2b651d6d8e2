//! A real disk that is full, and one that becomes read-only.
//!
//! Owns: a small file system in memory for one scenario, in a mount namespace of its own. Where the machine does not
//! allow that (no root, no user namespaces) the tests say so and are skipped; the limits of `limits` and the
//! injected errors of `injected` run everywhere.

use crate::witness::{Witness, fresh_labels};
use perilune_tests::ck::*;
use perilune_tests::{Place, outside};
use std::ffi::CString;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Size of the file system: room for the store with everything it lays out beforehand.
const DISK_BYTES: usize = 48 << 20;

/// Mounts a file system of its own in the place of the store's folder; `false` where that is not allowed.
fn mounted(place: &Place) -> bool {
    let own = std::fs::metadata("/proc/self").expect("the entry of this process");
    let (user, group) = (own.uid(), own.gid());
    let spaces = if user == 0 { libc::CLONE_NEWNS } else { libc::CLONE_NEWNS | libc::CLONE_NEWUSER };
    // SAFETY: this process only; it has one purpose.
    if unsafe { libc::unshare(spaces) } != 0 {
        return false;
    }
    if user != 0 {
        let denied = std::fs::write("/proc/self/setgroups", "deny").is_err()
            || std::fs::write("/proc/self/uid_map", format!("0 {user} 1")).is_err()
            || std::fs::write("/proc/self/gid_map", format!("0 {group} 1")).is_err();
        if denied {
            return false;
        }
    }
    std::fs::create_dir_all(place.store()).expect("a folder");
    mount("none", Path::new("/"), libc::MS_REC | libc::MS_PRIVATE, "")
        && mount("tmpfs", &place.store(), 0, &format!("size={DISK_BYTES},mode=0700"))
}

fn mount(kind: &str, place: &Path, flags: libc::c_ulong, options: &str) -> bool {
    let [kind, options] = [kind, options].map(|text| CString::new(text).expect("text"));
    let place = CString::new(place.to_str().expect("text")).expect("text");
    // SAFETY: four strings that outlive the call.
    let code = unsafe { libc::mount(kind.as_ptr(), place.as_ptr(), kind.as_ptr(), flags, options.as_ptr().cast()) };
    code == 0
}

/// Makes the file system read-only, or writable again.
fn remount(place: &Place, read_only: bool) {
    let flags = libc::MS_REMOUNT | if read_only { libc::MS_RDONLY } else { 0 };
    let options = format!("size={DISK_BYTES},mode=0700");
    let done = mount("tmpfs", &place.store(), flags, &options);
    assert!(done, "remount: {}", std::io::Error::last_os_error());
}

/// The store on a disk of its own; the note of a skipped test where there can be none.
fn on_a_disk<'a>(place: &'a Place, test: &str) -> Option<Witness<'a>> {
    if !mounted(place) {
        outside::skip(test, "this user may not mount a file system");
        return None;
    }
    Some(Witness::start(place))
}

/// Takes all the room that is left.
fn fill(place: &Place) {
    let mut file = std::fs::File::create(place.store().join("filler")).expect("a file");
    for bytes in [1 << 20, 4096, 1] {
        while file.write_all(&vec![0; bytes]).is_ok() {}
    }
}

#[test]
fn a_full_disk_is_named_and_with_room_again_the_same_session_writes_on() {
    fault!(|place: &Place| {
        let Some(mut witness) = on_a_disk(place, "a_full_disk") else { return };
        for round in 0..3 {
            fill(place);
            assert_eq!(witness.write_until_refused(300_000, 500), CKR_DEVICE_MEMORY, "round {round}");
            witness.log_says(0, &["CKR_DEVICE_MEMORY", "no space left", place.store().to_str().expect("text")]);
            witness.sees_everything();
            // Still full, asked again: the same answer, and nothing worse.
            witness.refuses_of(300_000, CKR_DEVICE_MEMORY, &["no space left"]);
            // A process that begins now reads it, too.
            witness.agrees();
            std::fs::remove_file(place.store().join("filler")).expect("removed");
            witness.recovers();
        }
    });
}

#[test]
fn a_disk_that_becomes_read_only_is_write_protected_and_writable_again_when_it_is() {
    fault!(|place: &Place| {
        let Some(mut witness) = on_a_disk(place, "a_read_only_disk") else { return };
        let protected = |witness: &Witness<'_>| {
            let slot = witness.raw.slot_of(perilune_tests::TOKEN_LABEL).expect("the token");
            witness.raw.token_info(slot).expect("a token").flags & CKF_WRITE_PROTECTED != 0
        };
        assert!(!protected(&witness));
        remount(place, true);
        witness.refuses(CKR_TOKEN_WRITE_PROTECTED, &["read-only", place.store().to_str().expect("text")]);
        assert!(protected(&witness));
        witness.sees_everything();
        let mine = witness.labels().expect("a search");
        assert_eq!(fresh_labels(place), mine, "a process that begins now reads it, too");
        remount(place, false);
        assert!(!protected(&witness));
        witness.recovers();
    });
}
