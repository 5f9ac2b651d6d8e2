//! What the log writes, and where it refuses to write.

use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};

fn parsed(text: &str, expect: Option<(Level, Target)>) {
    assert_eq!(Log::parse(text), expect.map(|(level, target)| Log { level, target }), "{text:?}");
}

#[test]
fn the_variable_takes_a_level_a_target_or_both() {
    let file = |path: &str| Target::File(PathBuf::from(path));
    parsed("off", None);
    parsed("debug", Some((Level::Debug, Target::Stderr)));
    parsed("info:/tmp/p.log", Some((Level::Info, file("/tmp/p.log"))));
    parsed("trace:stderr", Some((Level::Trace, Target::Stderr)));
    parsed("stderr", Some((Level::Debug, Target::Stderr)));
    parsed("1", Some((Level::Debug, Target::Stderr)));
    parsed("/tmp/a:b", Some((Level::Debug, file("/tmp/a:b"))));
    parsed("off:/tmp/p.log", None);
}

#[test]
fn moments_are_written_as_utc_dates() {
    let check = |seconds: u64, expect: &str| {
        assert_eq!(stamp(UNIX_EPOCH + Duration::from_micros(seconds * 1_000_000 + 7)), expect);
    };
    check(0, "1970-01-01T00:00:00.000007Z");
    check(951_782_400, "2000-02-29T00:00:00.000007Z");
    check(1_709_251_199, "2024-02-29T23:59:59.000007Z");
    check(1_735_689_600, "2025-01-01T00:00:00.000007Z");
    check(4_107_542_400, "2100-03-01T00:00:00.000007Z");
}

#[test]
fn an_event_is_one_line_with_its_fields_and_nothing_of_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let lines = Lines { filter: LevelFilter::DEBUG, sink: Sink::File(open(&path).unwrap()) };
    let pin = hsm_crypto::SecretBytes::copy_of(b"hunter2");
    tracing::subscriber::with_default(lines, || {
        tracing::debug!(session = 7, name = "a\nb", ?pin, "C_Login\x1b[31m");
        tracing::trace!("not asked for");
    });
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.ends_with(" session=7 name=\"a\\nb\" pin=SecretBytes(7 bytes)\n"), "{text}");
    assert!(text.contains("DEBUG [") && text.contains("C_Login\\u{1b}[31m"), "{text}");
    assert!(!text.contains("hunter2"));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_log_is_appended_to_and_never_reached_through_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    std::fs::write(&path, "before\n").unwrap();
    write_line(open(&path).unwrap().as_fd(), "after\n");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "before\nafter\n");
    let link = folder.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(open(&link).is_err());
    assert!(open(folder.path()).is_err());
}
