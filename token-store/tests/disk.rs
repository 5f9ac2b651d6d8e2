//! The medium on the disk: files and modes, leftovers, broken and full and read-only disks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and a child process reports by printing"
)]

mod common;

use common::*;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use token_store::medium::SledMedium;
use token_store::{Medium, PartitionId, RecordContent, Result, Store, StoreError, Visibility};

const NOBODY: u32 = 65534;

/// Opens the store in `folder` so that every change goes on into the map.
fn open_folding(folder: &Path) -> Store {
    open_on(SledMedium::open_folding_at(folder, std::time::Duration::from_secs(10), 0).unwrap())
}

fn read_all(medium: &SledMedium) -> Result<()> {
    medium.view(&mut |reader| reader.scan(b"", &mut |_, _| Ok(())))
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        }
        found.push(path);
    }
    found
}

fn contents(store: &Store, partition: PartitionId) -> Vec<Vec<u8>> {
    let entries = store.view(|v| v.records(partition, None)).unwrap();
    let open = entries.into_iter().map(|entry| match entry.content {
        RecordContent::Open(content) => content.expose().to_vec(),
        other => panic!("{other:?}"),
    });
    let mut open: Vec<_> = open.collect();
    open.sort_unstable();
    open
}

fn problem<T>(answer: Result<T>) -> String {
    match answer.err() {
        Some(StoreError::Unsafe { path, problem }) => {
            format!("{} {problem}", path.file_name().unwrap().to_string_lossy())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn files_and_folders_are_for_their_owner_only() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("new").join("store");
    let store = open_folding(&folder);
    let (partition, _) = add_partition(&store, 10);
    put_public(&store, partition, &vec![1; 1 << 20]);
    for path in files_below(&parent.path().join("new")) {
        let found = fs::symlink_metadata(&path).unwrap();
        let wanted = if found.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(found.mode() & 0o7777, wanted, "{}", path.display());
    }
    assert!(!files_below(&folder.join("map/blobs")).is_empty(), "a large record lies in a file of its own");
}

#[test]
fn large_records_come_back() {
    let folder = private_folder();
    let store = open_in(folder.path());
    let (partition, _) = add_partition(&store, 10);
    let sizes = [0, 1, 5000, 200_000, 600_000, 3 << 20];
    for size in sizes {
        put_public(&store, partition, &vec![7; size]);
    }
    drop(store);
    let found: Vec<_> = contents(&open_in(folder.path()), partition).iter().map(Vec::len).collect();
    assert_eq!(found, sizes);
}

#[test]
fn wider_modes_are_refused_with_the_remedy() {
    let folder = private_folder();
    drop(open_in(folder.path()));
    let cases = [
        ("", 0o750, "which lets others in; it must not be wider than 0700 (chmod 700)"),
        ("", 0o777, "has mode 0777"),
        ("map", 0o701, "map has mode 0701"),
        ("mirror", 0o755, "mirror has mode 0755"),
        ("generation", 0o640, "generation has mode 0640"),
        ("journal", 0o644, "journal has mode 0644"),
        ("lock", 0o604, "lock has mode 0604, which lets others in; it must not be wider than 0600 (chmod 600)"),
        ("queue", 0o666, "queue has mode 0666"),
    ];
    for (name, bad, expected) in cases {
        let path = folder.path().join(name);
        let good = fs::metadata(&path).unwrap().mode() & 0o777;
        mode(&path, bad);
        let found = problem(SledMedium::open(folder.path()).and_then(|medium| medium.view(&mut |_| Ok(()))));
        assert!(found.contains(expected), "{name}: {found}");
        mode(&path, good);
    }
    drop(open_in(folder.path()));
}

#[test]
fn symbolic_links_are_refused() {
    for name in ["", "map", "map/db", "map/conf", "map/blobs", "mirror", "generation", "journal", "lock", "queue"] {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("store");
        folded(&folder);
        let path = folder.join(name);
        let path = path.components().as_path();
        fs::rename(path, parent.path().join("elsewhere")).unwrap();
        symlink(parent.path().join("elsewhere"), path).unwrap();
        let found = problem(SledMedium::open(&folder).and_then(|medium| read_all(&medium)));
        assert!(found.contains("is a symbolic link"), "{name}: {found}");
    }
}

#[test]
fn a_folder_may_be_reached_through_links_above_it() {
    let parent = tempfile::tempdir().unwrap();
    fs::create_dir(parent.path().join("real")).unwrap();
    symlink(parent.path().join("real"), parent.path().join("link")).unwrap();
    drop(open_in(&parent.path().join("link/store")));
}

#[test]
fn what_belongs_to_another_user_is_refused() {
    let folder = private_folder();
    folded(folder.path());
    if chown(folder.path().join("generation"), Some(NOBODY), None).is_err() {
        eprintln!("skipped: only root can give a file away");
        return;
    }
    for name in ["generation", "journal", "map/db", "lock"] {
        let path = folder.path().join(name);
        chown(&path, Some(NOBODY), None).unwrap();
        let found = problem(SledMedium::open(folder.path()).and_then(|medium| read_all(&medium)));
        assert!(found.contains("belongs to user 65534 and this program runs as user 0"), "{name}: {found}");
        chown(&path, Some(0), None).unwrap();
    }
    drop(open_in(folder.path()));
}

#[test]
fn snapshots_that_a_killed_process_left_unfinished_are_removed() {
    let folder = private_folder();
    let store = open_in(folder.path());
    let (partition, _) = add_partition(&store, 10);
    put_public(&store, partition, b"kept");
    let leftover = folder.path().join("map/snap.00000000FFFFFFFF.generating");
    fs::write(&leftover, b"half").unwrap();
    assert_eq!(contents(&open_in(folder.path()), partition), [b"kept"]);
    assert!(!leftover.exists());
}

#[test]
fn a_generation_file_that_is_torn_behind_or_gone_is_repaired_from_the_journal() {
    let folder = private_folder();
    let store = open_in(folder.path());
    let (partition, _) = add_partition(&store, 10);
    let path = folder.path().join("generation");
    let good = fs::read(&path).unwrap();
    let number = store.generation().unwrap();
    let behind = [&(number - 1).to_be_bytes()[..], &(!(number - 1)).to_be_bytes(), &[0]].concat();
    for bad in [vec![], vec![0; 17], good[..9].to_vec(), behind] {
        fs::write(&path, &bad).unwrap();
        store.view(|_| Ok(())).unwrap();
        assert_eq!(fs::read(&path).unwrap()[..16], good[..16], "{bad:?}");
    }
    fs::write(&path, b"torn").unwrap();
    assert_eq!(store.generation().unwrap(), number, "asked without a view before");
    fs::remove_file(&path).unwrap();
    store.view(|_| Ok(())).unwrap();
    assert_eq!(store.generation().unwrap(), number);
    assert_eq!(store.view(|v| v.partitions()).unwrap()[0].id, partition);
}

/// What remains of the journal when its last sectors go bad.
#[test]
fn changes_that_were_made_and_are_not_in_the_journal_are_missed() {
    let folder = private_folder();
    let store = open_in(folder.path());
    let (partition, _) = add_partition(&store, 10);
    put_public(&store, partition, b"before");
    let journal = folder.path().join("journal");
    let before = fs::read(&journal).unwrap();
    let number = store.generation().unwrap();
    put_public(&store, partition, b"lost");
    let mut bad = fs::read(&journal).unwrap();
    let first = bad.iter().zip(&before).position(|(new, old)| new != old).unwrap();
    bad[first + 100] ^= 1;
    fs::write(&journal, bad).unwrap();
    let opened = || {
        let medium = Box::new(SledMedium::open(folder.path()).unwrap());
        Store::open(medium, &device_key(7), std::sync::Arc::new(System), CHEAP)
    };
    let Err(error) = opened() else { panic!("the loss went unnoticed") };
    let text = error.to_string();
    assert!(text.contains(&format!("changes up to number {} were made", number + 1)), "{text}");
    assert!(text.contains("remove the file `generation`"), "{text}");
    fs::remove_file(folder.path().join("generation")).unwrap();
    let store = opened().unwrap();
    assert_eq!(contents(&store, partition), [b"before"]);
    put_public(&store, partition, b"after");
    assert_eq!(contents(&open_in(folder.path()), partition).len(), 2);
}

#[test]
fn a_journal_that_is_missing_is_named_and_can_be_given_up() {
    let folder = private_folder();
    let store = open_folding(folder.path());
    let (partition, _) = add_partition(&store, 10);
    put_public(&store, partition, b"folded");
    put_public(&open_in(folder.path()), partition, b"in the journal");
    drop(store);
    let journal = folder.path().join("journal");
    fs::rename(&journal, folder.path().join("elsewhere")).unwrap();
    let opened = SledMedium::open(folder.path()).and_then(|medium| read_all(&medium));
    let text = opened.err().unwrap().to_string();
    assert!(text.contains("journal (it is missing") && text.contains("empty file of that name"), "{text}");
    assert!(!journal.exists(), "nothing was made in its place");
    fs::rename(folder.path().join("elsewhere"), &journal).unwrap();
    assert_eq!(contents(&open_in(folder.path()), partition).len(), 2);

    fs::write(&journal, b"").unwrap();
    fs::remove_file(folder.path().join("generation")).unwrap();
    assert_eq!(contents(&open_in(folder.path()), partition), [b"folded"]);
}

#[test]
fn a_store_of_before_there_were_journals_gets_one() {
    let folder = private_folder();
    let store = open_folding(folder.path());
    let (partition, _) = add_partition(&store, 10);
    put_public(&store, partition, b"old");
    let number = store.generation().unwrap();
    drop(store);
    fs::remove_file(folder.path().join("journal")).unwrap();
    let store = open_in(folder.path());
    assert_eq!(contents(&store, partition), [b"old"]);
    put_public(&store, partition, b"new");
    assert_eq!((store.generation().unwrap(), contents(&open_in(folder.path()), partition).len()), (number + 1, 2));
}

/// The file is not sealed, and a number at the end of its range has no successor.
#[test]
fn a_generation_file_with_an_impossible_number_is_repaired_from_the_journal() {
    let folder = private_folder();
    let store = open_in(folder.path());
    let (partition, _) = add_partition(&store, 10);
    let number = store.generation().unwrap();
    for wild in [u64::MAX, u64::MAX - 1, 1 << 63] {
        let bytes = [&wild.to_be_bytes()[..], &(!wild).to_be_bytes(), &[0]].concat();
        fs::write(folder.path().join("generation"), bytes).unwrap();
        assert_eq!(store.generation().unwrap(), number, "{wild}");
    }
    put_public(&store, partition, b"x");
    assert_eq!(store.generation().unwrap(), number + 1);
}

#[test]
fn no_thread_is_started() {
    let folder = private_folder();
    // In a process of its own: the other tests here are threads.
    let output = child("child_counts_threads", &folder.path().display().to_string()).output().unwrap();
    let found = marked(&output.stdout, "THREADS ");
    assert_eq!(found.len(), 3, "{output:?}");
    assert!(found.iter().all(|count| *count == found[0]), "{found:?}");
}

#[test]
fn child_counts_threads() {
    let Some(args) = child_args() else { return };
    let count = || println!("\nTHREADS {}", fs::read_dir("/proc/self/task").unwrap().count());
    count();
    let store = open_in(Path::new(&args[0]));
    let (partition, _) = add_partition(&store, 10);
    for _ in 0..20 {
        put_public(&store, partition, &[0; 100_000]);
    }
    store
        .transact(|_| {
            count();
            Ok(())
        })
        .unwrap();
    count();
}

#[test]
fn a_full_disk_is_named_and_costs_nothing_that_was_acknowledged() {
    let folder = private_folder();
    let store = open_in(folder.path());
    let (partition, _) = add_partition(&store, 10);
    let args = format!("{}|{}", folder.path().display(), hex(partition.0));
    let program = child("child_fills_the_disk", &args);
    // A limit on file sizes stands for the full disk; the shell is there to set it and to ignore its signal.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 2500; exec \"$0\" \"$@\""])
        .arg(program.get_program())
        .args(program.get_args())
        .envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .output()
        .unwrap();
    let written = marked(&output.stdout, "WRITTEN ");
    let errors = marked(&output.stdout, "ERROR ");
    assert!(output.status.success(), "{output:?}");
    assert!(written.len() > 5, "{} written, {errors:?}", written.len());
    assert_eq!(errors.len(), 3);
    assert!(errors.iter().all(|text| text.contains("no space left while writing")), "{errors:?}");
    let found = contents(&store, partition);
    for name in &written {
        assert!(found.iter().any(|content| content.starts_with(name.as_bytes())), "{name} is gone");
    }
    put_public(&store, partition, b"room again");
    assert!(contents(&store, partition).len() > written.len());
}

#[test]
fn child_fills_the_disk() {
    let Some(args) = child_args() else { return };
    let store = open_in(Path::new(&args[0]));
    let mut failed = 0;
    for n in 0..1000 {
        let content = [format!("record {n:>05} ").as_bytes(), &[0x5A; 40_000]].concat();
        let id = store.new_record_id().unwrap();
        let partition = PartitionId(id_from(&args[1]));
        match store.transact(|t| t.put_record(partition, id, Visibility::Public, None, &secret(&content))) {
            Ok(_) => println!("\nWRITTEN record {n:>05} "),
            Err(error) => {
                println!("\nERROR {error}");
                failed += 1;
            }
        }
        if failed == 3 {
            return;
        }
    }
}

#[test]
fn a_read_only_store_can_be_read_and_says_so_when_written() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("store");
    let store = open_in(&folder);
    let (partition, _) = add_partition(&store, 10);
    put_public(&store, partition, b"seen");
    let everything = [files_below(&folder), vec![folder.clone()]].concat();
    let root = chown(&folder, Some(NOBODY), None).is_ok();
    for path in &everything {
        if root {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        mode(path, if path.is_dir() { 0o500 } else { 0o400 });
    }
    mode(parent.path(), 0o755);
    let mut command = child("child_reads_only", &format!("{}|{}", folder.display(), hex(partition.0)));
    if root {
        // Modes do not bind root.
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let expected = ["seen", "in", "read-only", "read-only", "closed"];
    assert_eq!(marked(&output.stdout, "SAYS "), expected);
    for path in &everything {
        mode(path, 0o700);
    }
}

#[test]
fn child_reads_only() {
    let Some(args) = child_args() else { return };
    let folder = Path::new(&args[0]);
    let store = open_in(folder);
    let partition = PartitionId(id_from(&args[1]));
    println!("\nSAYS {}", String::from_utf8(contents(&store, partition).remove(0)).unwrap());
    println!("\nSAYS {}", store.login(partition, USER, &secret(b"1234")).map_or("out", |_| "in"));
    let read_only = |answer| match answer {
        Err(StoreError::ReadOnly { path }) if path == folder => "read-only",
        _ => "something else",
    };
    println!("\nSAYS {}", read_only(store.transact(|t| t.put_partition(partition, &secret(b"x"))).map(drop)));
    println!("\nSAYS {}", read_only(store.login(partition, USER, &secret(b"0000")).map(drop)));
    let made = SledMedium::open(&folder.join("another"));
    println!("\nSAYS {}", if made.is_err() { "closed" } else { "made" });
}

#[test]
fn root_looks_at_the_store_of_another_user_and_leaves_nothing_in_it() {
    let folder = private_folder();
    let store = open_in(folder.path());
    let (partition, _) = add_partition(&store, 10);
    put_public(&store, partition, b"seen");
    drop(store);
    let everything = || [files_below(folder.path()), vec![folder.path().to_owned()]].concat();
    for path in everything() {
        if chown(path, Some(NOBODY), Some(NOBODY)).is_err() {
            eprintln!("skipped: only root can give a file away");
            return;
        }
    }
    let store = open_in(folder.path());
    assert_eq!(contents(&store, partition), [b"seen"]);
    assert!(store.login(partition, USER, &secret(b"1234")).is_ok());
    let written = store.transact(|t| t.put_partition(partition, &secret(b"x")));
    assert!(matches!(written, Err(StoreError::ReadOnly { .. })));
    drop(store);
    for path in everything() {
        assert_eq!(fs::metadata(&path).unwrap().uid(), NOBODY, "{}", path.display());
    }
    // Another's file in root's own store stays refused, and so does a file of a third user.
    chown(folder.path().join("generation"), Some(NOBODY - 1), None).unwrap();
    let found = problem(SledMedium::open(folder.path()).and_then(|medium| read_all(&medium)));
    assert!(found.contains("belongs to user 65533"), "{found}");
}

/// A store with 30 records in its maps and none in its journal, and its files.
fn folded(folder: &Path) -> (PartitionId, Vec<(PathBuf, Vec<u8>)>) {
    let store = open_folding(folder);
    let (partition, _) = add_partition(&store, 10);
    for n in 0..30_u8 {
        put_public(&store, partition, &[n; 700]);
    }
    drop(store);
    let files = files_below(folder).into_iter().filter(|path| path.is_file());
    (partition, files.map(|path| (path.clone(), fs::read(&path).unwrap())).collect())
}

/// Puts the files back, but for 16 bytes of each data file of `maps`.
fn damage(folder: &Path, good: &[(PathBuf, Vec<u8>)], maps: &[&str], at: usize) {
    for path in files_below(folder).iter().filter(|path| path.is_file()) {
        fs::remove_file(path).unwrap();
    }
    for (path, bytes) in good {
        let mut bytes = bytes.clone();
        if maps.iter().any(|map| *path == folder.join(map).join("db")) {
            bytes.iter_mut().skip(at).take(16).for_each(|byte| *byte ^= 0x55);
        }
        fs::write(path, bytes).unwrap();
        mode(path, 0o600);
    }
}

#[test]
fn what_is_damaged_in_one_map_is_read_from_the_other_and_made_anew() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("store");
    let (partition, good) = folded(&folder);
    for at in (0..40).map(|n| n * n * 20) {
        for map in ["map", "mirror"] {
            damage(&folder, &good, &[map], at);
            let store = open_in(&folder);
            assert_eq!(contents(&store, partition).len(), 30, "{map} at {at}");
            // Folds bring both up to date, so that the other one may be lost now.
            put_public(&open_folding(&folder), partition, b"more");
            put_public(&open_folding(&folder), partition, b"and more");
            let other = if map == "map" { "mirror" } else { "map" };
            fs::write(folder.join(other).join("db"), b"nothing").unwrap();
            assert_eq!(contents(&open_in(&folder), partition).len(), 32, "{map} at {at}");
        }
    }
}

#[test]
fn damage_in_both_maps_is_an_error_and_never_a_panic() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("store");
    let (partition, good) = folded(&folder);
    let length = good.iter().find(|(path, _)| path.ends_with("map/db")).unwrap().1.len();
    let mut refused = 0;
    for at in (0..40).map(|n| n * n * 20).filter(|at| *at < length) {
        damage(&folder, &good, &["map", "mirror"], at);
        let opened = SledMedium::open(&folder)
            .and_then(|medium| Store::open(Box::new(medium), &device_key(7), std::sync::Arc::new(System), CHEAP));
        let answer = opened.and_then(|store| store.view(|v| v.records(partition, None)));
        refused += u32::from(answer.is_err());
    }
    assert!(refused > 0, "no damage was noticed at all");
}

/// A mark says only that a map may be worth nothing.
#[test]
fn a_marked_map_is_used_where_the_other_one_turns_out_to_be_damaged() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("store");
    let (partition, good) = folded(&folder);
    for at in (0..40).map(|n| n * n * 20) {
        damage(&folder, &good, &["mirror"], at);
        let journal = fs::OpenOptions::new().write(true).open(folder.join("journal")).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&journal, &[1], 2048).unwrap();
        put_public(&open_folding(&folder), partition, b"more");
        assert_eq!(contents(&open_in(&folder), partition).len(), 31, "at {at}");
    }
}

#[test]
fn a_copy_that_is_found_to_be_bad_is_made_anew_with_the_next_change() {
    for map in ["map", "mirror"] {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("store");
        let (partition, _) = folded(&folder);
        put_public(&open_folding(&folder), partition, &vec![5; 400_000]);
        // A fold ends after a while, and the next one goes on.
        for _ in 0..5 {
            put_public(&open_folding(&folder), partition, b"folded");
        }
        // All of them: some may be left over from pages that were written anew.
        let large = files_below(&folder.join(map).join("blobs"));
        assert!(!large.is_empty(), "the large value stands in a file of its own");
        large.iter().for_each(|file| fs::remove_file(file).unwrap());
        let found = open_in(&folder).bad_copies().unwrap();
        assert!(found.len() == 1 && found[0].to_string().contains(&format!("/{map}")), "{found:?}");
        put_public(&open_in(&folder), partition, b"the next change");
        assert!(open_in(&folder).bad_copies().unwrap().is_empty(), "{map}");
        assert_eq!(contents(&open_in(&folder), partition).len(), 37, "{map}");
    }
}

/// All that is left is a map that does not open for now; a person gave up journal and number.
#[test]
fn an_empty_map_never_stands_for_one_that_cannot_be_read() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("store");
    let (partition, _) = folded(&folder);
    fs::remove_dir_all(folder.join("mirror")).unwrap();
    fs::remove_file(folder.join("generation")).unwrap();
    fs::write(folder.join("journal"), b"").unwrap();
    let settings = folder.join("map/conf");
    let good = fs::read(&settings).unwrap();
    fs::write(&settings, [0xFF; 40]).unwrap();
    let opened = SledMedium::open(&folder).and_then(|medium| {
        medium.transact(&mut |_, batch| {
            batch.changes.insert(b"x".to_vec(), Some(Vec::new()));
            Ok(())
        })
    });
    assert!(opened.is_err(), "{opened:?}");
    fs::write(&settings, good).unwrap();
    assert_eq!(contents(&open_in(&folder), partition).len(), 30);
}

#[test]
fn an_older_journal_beside_newer_maps_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("store");
    let (partition, good) = folded(&folder);
    for _ in 0..4 {
        put_public(&open_folding(&folder), partition, b"newer");
    }
    for (path, bytes) in good.iter().filter(|(path, _)| path.ends_with("journal") || path.ends_with("generation")) {
        fs::write(path, bytes).unwrap();
    }
    let answer = SledMedium::open(&folder).and_then(|medium| read_all(&medium));
    assert!(matches!(&answer, Err(StoreError::Damaged { what }) if what.contains("different times")), "{answer:?}");
}

#[test]
fn a_map_that_is_gone_is_made_anew_from_the_other() {
    for (name, other) in [("map", "mirror"), ("mirror", "map")] {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("store");
        let (partition, _) = folded(&folder);
        put_public(&open_in(&folder), partition, b"in the journal");
        fs::remove_dir_all(folder.join(name)).unwrap();
        assert_eq!(contents(&open_in(&folder), partition).len(), 31, "without {name}");
        put_public(&open_folding(&folder), partition, b"folded");
        fs::remove_dir_all(folder.join(other)).unwrap();
        assert_eq!(contents(&open_in(&folder), partition).len(), 32, "without {other}");
    }
}

#[test]
fn a_folder_that_disappeared_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("store");
    let store = open_in(&folder);
    fs::remove_dir_all(&folder).unwrap();
    let answer = store.transact(|tx| tx.create_partition(&secret(b"meta")));
    let text = answer.err().map(|error| error.to_string()).unwrap();
    assert!(text.contains("store") && text.contains("No such file"), "{text}");
}

#[test]
fn a_store_put_back_from_a_copy_is_seen_at_the_next_look() {
    let folder = private_folder();
    let store = open_in(&folder.path().join("store"));
    let (partition, _) = add_partition(&store, 10);
    put_public(&store, partition, b"old");
    copy_all(&folder.path().join("store"), &folder.path().join("copy"));
    put_public(&store, partition, b"new");
    assert_eq!(contents(&store, partition).len(), 2);
    fs::rename(folder.path().join("store"), folder.path().join("away")).unwrap();
    assert!(store.view(|_| Ok(())).is_err(), "there is no store");
    fs::rename(folder.path().join("copy"), folder.path().join("store")).unwrap();
    assert_eq!(contents(&store, partition), [b"old"]);
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    mode(to, 0o700);
    for path in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_all(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn a_fork_waits_for_a_look_at_what_nobody_changed() {
    let folder = private_folder();
    let store = open_in(folder.path());
    add_partition(&store, 10);
    store.view(|_| Ok(())).unwrap();
    let (begun, end) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            store.view(|_| {
                begun.wait();
                end.wait();
                Ok(())
            })
        });
        begun.wait();
        let fork = scope.spawn(|| store.fork_prepare());
        std::thread::sleep(std::time::Duration::from_millis(30));
        let waits = !fork.is_finished();
        end.wait();
        fork.join().unwrap();
        store.fork_release();
        assert!(waits, "a child would have inherited the lock on the copy in memory");
    });
}

#[test]
fn a_fork_waits_until_nothing_is_under_way() {
    let folder = private_folder();
    let store = open_in(folder.path());
    store.fork_prepare();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| add_partition(&store, 10));
        std::thread::sleep(std::time::Duration::from_millis(30));
        assert!(!other.is_finished());
        store.fork_release();
        other.join().unwrap();
    });
    store.fork_prepare();
    store.fork_child();
    add_partition(&store, 10);
}

#[test]
fn looking_at_what_nobody_changed_and_logging_in_touch_no_file() {
    let folder = private_folder();
    let (partition, _) = add_partition(&open_in(folder.path()), 10);
    let store = open_in(folder.path());
    store.view(|v| v.partitions()).unwrap();
    let times = || {
        let stat =
            |path: &PathBuf| fs::metadata(path).map(|found| (found.mtime(), found.mtime_nsec(), found.ctime_nsec()));
        files_below(folder.path()).into_iter().map(|path| (stat(&path).unwrap(), path)).collect::<Vec<_>>()
    };
    let before = times();
    assert!(store.view(|v| v.records(partition, None)).unwrap().is_empty());
    store.login(partition, USER, &secret(b"1234")).unwrap();
    assert_eq!(times(), before);
    // The control: what writes is seen by the same measure, in this process and from another opening.
    put_public(&store, partition, b"new");
    assert_ne!(times(), before);
    assert_eq!(contents(&store, partition), [b"new"]);
    put_public(&open_in(folder.path()), partition, b"newer");
    assert_eq!(contents(&store, partition).len(), 2);
}
