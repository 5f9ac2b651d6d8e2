//! A line logged when the thread's local storage is gone, as an exit handler of the application may cause.
//!
//! In a process of its own, because a process has one log.

use hsm_platform::log::{Level, Log, Target};
use hsm_platform::{Environment, Settings, start_log};
use std::path::Path;

struct Late;

impl Drop for Late {
    fn drop(&mut self) {
        tracing::info!("from a destructor");
    }
}

thread_local! {
    static FIRST: std::cell::RefCell<Option<Late>> = const { std::cell::RefCell::new(None) };
    static LAST: std::cell::RefCell<Option<Late>> = const { std::cell::RefCell::new(None) };
}

#[test]
fn a_late_line_is_written_and_a_second_start_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment::of(&[("HOME", folder.path())], &folder.path().join("none.toml"));
    let mut settings = Settings::of(&environment).unwrap();
    let path = folder.path().join("log");
    settings.log = Some(Log { level: Level::Info, target: Target::File(path.clone()) });
    start_log(&settings);
    settings.log = Some(Log { level: Level::Trace, target: Target::File(folder.path().join("other")) });
    start_log(&settings);

    std::thread::spawn(|| {
        FIRST.with(|late| *late.borrow_mut() = Some(Late));
        tracing::info!("from a living thread");
        LAST.with(|late| *late.borrow_mut() = Some(Late));
    })
    .join()
    .unwrap();

    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches("from a destructor").count(), 2, "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(!Path::new(&folder.path().join("other")).exists());
}
