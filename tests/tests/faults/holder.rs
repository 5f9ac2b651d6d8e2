//! A process that holds the store's lock, or waits for it, and is stopped there.
//!
//! Owns: catching another process in the middle of a write with SIGSTOP. Rule source: docs/format.md, "Files in the
//! folder"; the wait is bounded by `lock.wait_ms`.

use crate::witness::{WAIT_MS, Witness};
use perilune_tests::child::{self, Running};
use perilune_tests::ck::*;
use perilune_tests::{Place, USER_PIN};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// Far longer than the configured wait, far shorter than a hang.
const SOON: Duration = Duration::from_secs(60);

/// Takes a lock of the store as another process would; `None` when it is held.
fn flock(path: &Path) -> Option<File> {
    let file = File::open(path).expect("a lock file");
    // SAFETY: a call on an open descriptor.
    let code = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    (code == 0).then_some(file)
}

fn signal(process: &Running, signal: i32) {
    // SAFETY: the process is our own child and not waited for yet.
    assert_eq!(unsafe { libc::kill(process.id() as libc::pid_t, signal) }, 0);
}

/// Waits until the kernel shows the process as stopped.
fn await_stop(process: &Running) {
    let begin = Instant::now();
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).expect("a process");
        if stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')) {
            return;
        }
        assert!(begin.elapsed() < SOON, "not stopped: {stat}");
        std::thread::yield_now();
    }
}

/// Starts a writer and stops it at a moment when it holds the lock.
fn stopped_writer(place: &Place) -> Running {
    let mut writer = child::role(place, "writer", "theirs");
    let begin = Instant::now();
    loop {
        signal(&writer, libc::SIGSTOP);
        await_stop(&writer);
        if flock(&place.store().join("lock")).is_none() {
            return writer;
        }
        signal(&writer, libc::SIGCONT);
        assert!(begin.elapsed() < SOON && !writer.has_ended(), "the writer never held the lock");
        // Another moment of its write each time.
        std::thread::sleep(Duration::from_micros(u64::from(begin.elapsed().subsec_micros() % 3000)));
    }
}

/// Lets the writer go on and takes over what it says it was told.
fn finish_writer(witness: &mut Witness<'_>, writer: Running) {
    std::fs::write(witness.place.file("enough"), "").expect("a file");
    let said = writer.succeed();
    for line in said.lines() {
        if let Some((_, label)) = line.split_once("TRIED ") {
            witness.note(said.contains(&format!("WRITTEN {label}\n")), label.to_owned());
        }
    }
}

/// Expects an answer after the configured wait and not much later.
fn bounded<T>(call: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let answer = call();
    assert!(begin.elapsed() < SOON, "no end of waiting: {:?}", begin.elapsed());
    answer
}

#[test]
fn while_a_process_is_stopped_in_the_middle_of_a_write_others_answer_in_time_and_afterwards_nothing_is_lost() {
    fault!(|place| {
        let mut witness = Witness::start(place);
        let writer = stopped_writer(place);
        let begin = Instant::now();
        bounded(|| witness.refuses(CKR_FUNCTION_FAILED, &["C_CreateObject", "CKR_FUNCTION_FAILED", "busy", "lock"]));
        assert!(begin.elapsed() >= Duration::from_millis(WAIT_MS), "waited {:?} only", begin.elapsed());
        // A look may need what the stopped one was about to say; then it is refused in the same words.
        match bounded(|| witness.labels()) {
            Ok(labels) => assert!(labels.iter().any(|label| label == "private half")),
            Err(code) => assert_eq!(code, CKR_FUNCTION_FAILED),
        }
        let opener = bounded(|| child::role(place, "opener", "").succeed());
        assert!(opener.contains("OPENED") || opener.contains(&format!("REFUSED {CKR_FUNCTION_FAILED:#x}")), "{opener}");
        signal(&writer, libc::SIGCONT);
        finish_writer(&mut witness, writer);
        witness.recovers();
    });
}

#[test]
fn a_stopped_process_that_is_killed_gives_the_store_free() {
    fault!(|place| {
        let mut witness = Witness::start(place);
        let writer = stopped_writer(place);
        signal(&writer, libc::SIGKILL);
        let report = writer.finish();
        assert!(!report.success());
        for line in report.text.lines() {
            if let Some((_, label)) = line.split_once("TRIED ") {
                witness.note(report.text.contains(&format!("WRITTEN {label}\n")), label.to_owned());
            }
        }
        witness.recovers();
    });
}

#[test]
fn reading_and_logging_in_need_nothing_of_a_stuck_holder_while_the_store_is_quiet() {
    fault!(|place| {
        let mut witness = Witness::start(place);
        let lock = flock(&place.store().join("lock")).expect("nobody writes");
        witness.sees_everything();
        assert_eq!(perilune_tests::raw::answer(perilune_tests::ck!(witness.raw, C_Logout, witness.session)), Ok(()));
        assert_eq!(witness.raw.login(witness.session, CKU_USER, USER_PIN), Ok(()));
        witness.sees_everything();
        bounded(|| witness.refuses(CKR_FUNCTION_FAILED, &["busy", "lock"]));
        drop(lock);
        witness.recovers();
    });
}

#[test]
fn a_process_stopped_while_it_waits_in_the_queue_holds_others_up_no_longer_than_their_wait() {
    fault!(|place| {
        let mut witness = Witness::start(place);
        let store = place.store();
        let lock = flock(&store.join("lock")).expect("nobody writes");
        let writer = child::role(place, "writer", "theirs");
        let begin = Instant::now();
        while flock(&store.join("queue")).is_some() {
            assert!(begin.elapsed() < SOON, "the writer never came to the queue");
            std::thread::sleep(Duration::from_micros(300));
        }
        signal(&writer, libc::SIGSTOP);
        await_stop(&writer);
        drop(lock);
        // It may have been stopped between two tries, when it had just left the queue.
        let stuck = flock(&store.join("queue")).is_none();
        if stuck {
            bounded(|| witness.refuses(CKR_FUNCTION_FAILED, &["busy", "queue"]));
        }
        witness.sees_everything();
        signal(&writer, libc::SIGCONT);
        finish_writer(&mut witness, writer);
        witness.recovers();
    });
}
