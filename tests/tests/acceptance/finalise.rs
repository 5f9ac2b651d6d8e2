//! C_Finalize in the middle of things: other threads sign, search, generate, log in, wait for another process.
//!
//! Rule source: PKCS#11 v2.40, 5.4 leaves open what happens then; hosts do it all the same when they shut down or reload
//! (p11-kit, OpenSSL's exit handlers). The rule of this house: C_Finalize comes back within a moment, calls that began
//! before it end by themselves, later ones hear CKR_CRYPTOKI_NOT_INITIALIZED, and C_Initialize works at once.

use perilune_tests::ck::*;
use perilune_tests::raw::{Answer, answer, plain};
use perilune_tests::{Place, Raw, TOKEN_LABEL, Template, USER_PIN, child, ck, isolated};
use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::ptr::null_mut;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a thread of a scenario may need for anything; only a hang takes longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a call may answer that meets the end of its instance. A handle may even have become that of another
/// thread's session in the next instance, which then has an operation more or less than its owner thinks.
const ENDED: [CK_RV; 10] = [
    CKR_CRYPTOKI_NOT_INITIALIZED,
    CKR_SESSION_HANDLE_INVALID,
    CKR_OBJECT_HANDLE_INVALID,
    CKR_KEY_HANDLE_INVALID,
    CKR_SLOT_ID_INVALID,
    CKR_OPERATION_NOT_INITIALIZED,
    CKR_OPERATION_ACTIVE,
    CKR_USER_NOT_LOGGED_IN,
    CKR_USER_ALREADY_LOGGED_IN,
    CKR_SESSION_CLOSED,
];

const P256: [u8; 10] = [6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < PATIENCE, "{what}: still not after {PATIENCE:?}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn labelled(label: &str) -> Template {
    Template::new().text(CKA_LABEL, label)
}

fn data(label: &str) -> Template {
    labelled(label).number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true)
}

/// A session of the user, by a thread that does not know whether the library is initialised.
fn enter(raw: &Raw) -> Answer<CK_SESSION_HANDLE> {
    let mut count = 16;
    let mut slots = [0; 16];
    answer(ck!(raw, C_GetSlotList, CK_TRUE, slots.as_mut_ptr(), &mut count))?;
    // The token is in the first slot: slot numbers never change.
    let session = raw.open(slots[0], CKF_SERIAL_SESSION | CKF_RW_SESSION)?;
    match raw.login(session, CKU_USER, USER_PIN) {
        Ok(()) | Err(CKR_USER_ALREADY_LOGGED_IN) => Ok(session),
        Err(code) => Err(code),
    }
}

fn search(raw: &Raw, session: CK_SESSION_HANDLE, mut template: Template) -> Answer<Vec<CK_OBJECT_HANDLE>> {
    let mut list = template.attributes();
    answer(ck!(raw, C_FindObjectsInit, session, list.as_mut_ptr(), list.len() as CK_ULONG))?;
    let (mut found, mut count) = ([0; 64], 0);
    answer(ck!(raw, C_FindObjects, session, found.as_mut_ptr(), 64, &mut count))?;
    answer(ck!(raw, C_FindObjectsFinal, session))?;
    Ok(found[..count as usize].to_vec())
}

fn pair(raw: &Raw, session: CK_SESSION_HANDLE) -> Answer<[CK_OBJECT_HANDLE; 2]> {
    let of = |class| search(raw, session, labelled("pair").number(CKA_CLASS, class));
    let (private, public) = (of(CKO_PRIVATE_KEY)?, of(CKO_PUBLIC_KEY)?);
    // Another thread's logout hides the private key.
    Ok([*private.first().ok_or(CKR_USER_NOT_LOGGED_IN)?, public[0]])
}

fn with_pair(raw: &Raw) {
    let session = raw.user_session();
    let both = labelled("pair").flag(CKA_TOKEN, true);
    raw.ec(session, CKM_EC_KEY_PAIR_GEN, &P256, &both).expect("a pair");
}

/// The whole of it once, in a library that must work.
fn check_that_all_works(raw: &Raw) {
    let session = enter(raw).expect("a session of the user");
    let [private, public] = pair(raw, session).expect("the pair is there");
    let signature = raw.sign(session, plain(CKM_ECDSA), private, &[7; 32]).expect("signed");
    assert_eq!(raw.verify(session, plain(CKM_ECDSA), public, &[7; 32], &signature), Ok(()));
    let object = raw.create(session, data("probe")).expect("an object");
    assert_eq!(raw.destroy(session, object), Ok(()));
    assert_eq!(ck!(raw, C_CloseSession, session), CKR_OK);
}

/// One kind of work, done again and again; answers whatever call failed first.
type Work = fn(&Raw, &Mutex<BTreeSet<String>>, &str) -> Answer<()>;

fn sign_and_verify(raw: &Raw, _: &Mutex<BTreeSet<String>>, _: &str) -> Answer<()> {
    let session = enter(raw)?;
    let [private, public] = pair(raw, session)?;
    // One signature only: the thread that logs out takes the key away, and a slow engine must get on all the same.
    let signature = raw.sign(session, plain(CKM_ECDSA), private, &[5; 32])?;
    raw.verify(session, plain(CKM_ECDSA), public, &[5; 32], &signature)?;
    answer(ck!(raw, C_CloseSession, session))
}

fn look_around(raw: &Raw, _: &Mutex<BTreeSet<String>>, _: &str) -> Answer<()> {
    let session = enter(raw)?;
    for _ in 0..20 {
        let public = labelled("pair").number(CKA_CLASS, CKO_PUBLIC_KEY);
        assert_eq!(search(raw, session, public)?.len(), 1, "a search finds what is there or says why not");
        raw.token_info(raw_slot(raw)?)?;
    }
    answer(ck!(raw, C_CloseSession, session))
}

fn raw_slot(raw: &Raw) -> Answer<CK_SLOT_ID> {
    let (mut slots, mut count) = ([0; 16], 16);
    answer(ck!(raw, C_GetSlotList, CK_TRUE, slots.as_mut_ptr(), &mut count))?;
    Ok(slots[0])
}

fn generate(raw: &Raw, _: &Mutex<BTreeSet<String>>, _: &str) -> Answer<()> {
    let session = enter(raw)?;
    raw.ec(session, CKM_EC_KEY_PAIR_GEN, &P256, &Template::new())?;
    let secret = Template::new().number(CKA_VALUE_LEN, 32);
    raw.generate(session, plain(CKM_AES_KEY_GEN), secret)?;
    answer(ck!(raw, C_CloseSession, session))
}

/// Writes into the token; what was acknowledged is noted and must be there for ever.
fn write(raw: &Raw, acknowledged: &Mutex<BTreeSet<String>>, name: &str) -> Answer<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let session = enter(raw)?;
    let label = format!("{name}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    raw.create(session, data(&label))?;
    acknowledged.lock().expect("the list").insert(label);
    answer(ck!(raw, C_CloseSession, session))
}

fn begin_and_end_logins(raw: &Raw, _: &Mutex<BTreeSet<String>>, _: &str) -> Answer<()> {
    let session = enter(raw)?;
    answer(ck!(raw, C_Logout, session))?;
    // Long enough for the others to be logged in again and do something.
    std::thread::sleep(Duration::from_millis(20));
    answer(ck!(raw, C_CloseSession, session))
}

/// Runs the work in a loop until told to stop; counts what succeeds; refuses answers that no ending explains.
fn labour(raw: &Raw, work: Work, name: &str, stop: &AtomicBool, done: &AtomicU64, noted: &Mutex<BTreeSet<String>>) {
    while !stop.load(Ordering::Relaxed) {
        match work(raw, noted, name) {
            Ok(()) => {
                done.fetch_add(1, Ordering::Relaxed);
            }
            Err(code) => {
                assert!(ENDED.contains(&code), "{name}: {code:#x}");
                std::thread::yield_now();
            }
        }
    }
}

#[test]
fn finalise_and_initialise_at_once_while_threads_do_everything() {
    isolated!(|_, _| {
        let rounds = std::env::var("PERILUNE_ROUNDS").map_or(25, |rounds| rounds.parse().expect("a number"));
        let raw = Raw::start();
        with_pair(&raw);
        let (stop, acknowledged) = (AtomicBool::new(false), Mutex::new(BTreeSet::new()));
        let works: [(Work, &str); 6] = [
            (sign_and_verify, "signer"),
            (sign_and_verify, "second signer"),
            (look_around, "searcher"),
            (generate, "generator"),
            (write, "writer"),
            (begin_and_end_logins, "login"),
        ];
        let counts = works.map(|_| AtomicU64::new(0));
        std::thread::scope(|scope| {
            for ((work, name), done) in works.iter().zip(&counts) {
                let (raw, stop, acknowledged) = (&raw, &stop, &acknowledged);
                scope.spawn(move || labour(raw, *work, name, stop, done, acknowledged));
            }
            let now = || counts.each_ref().map(|count| count.load(Ordering::Relaxed));
            for round in 0_u64..rounds {
                let before = now();
                if round % 8 == 0 {
                    until("every thread gets on", || now().iter().zip(&before).all(|(now, before)| now > before));
                } else {
                    // Somebody has got on; not everybody, so that many are in the middle of something.
                    let enough = before.iter().sum::<u64>() + round % 7;
                    until("the threads work", || now().iter().sum::<u64>() > enough);
                }
                assert_eq!(ck!(raw, C_Finalize, null_mut()), CKR_OK, "round {round}");
                assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK, "round {round}");
            }
            stop.store(true, Ordering::Relaxed);
        });
        let counts = counts.map(AtomicU64::into_inner);
        assert!(counts.iter().all(|&count| count > 0), "everybody got something done: {counts:?}");
        raw.finalize();
        assert_eq!(ck!(raw, C_GetInfo, &mut CK_INFO::default()), CKR_CRYPTOKI_NOT_INITIALIZED);
        assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK);
        check_that_all_works(&raw);
        let session = enter(&raw).expect("a session");
        for label in acknowledged.into_inner().expect("the list") {
            assert_eq!(raw.find(session, labelled(&label), 10).len(), 1, "{label} was acknowledged");
        }
    });
}

/// An RSA-4096 pair into the token.
fn large_pair(raw: &Raw, session: CK_SESSION_HANDLE, label: &str) -> Answer<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
    let both = labelled(label).flag(CKA_TOKEN, true);
    let public = Template::new().number(CKA_MODULUS_BITS, 4096).bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1]);
    raw.generate_pair(session, plain(CKM_RSA_PKCS_KEY_PAIR_GEN), public.and(&both), both)
}

/// Processor time of one thread of this process, in ticks; `None` when it has ended.
fn ticks_of(thread: i32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).ok()?;
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    Some(fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum())
}

#[test]
fn finalise_during_slow_key_generations_leaves_whole_pairs_or_none() {
    isolated!(|_, _| {
        let raw = Raw::start();
        with_pair(&raw);
        for round in 0..2 {
            let threads = Mutex::new(Vec::new());
            let answers = std::thread::scope(|scope| {
                let makers: Vec<_> = (0..3)
                    .map(|number| {
                        let (raw, threads) = (&raw, &threads);
                        scope.spawn(move || {
                            let session = enter(raw).expect("a session");
                            // SAFETY: asks for this thread's number and touches nothing.
                            threads.lock().expect("the list").push(unsafe { libc::gettid() });
                            let label = format!("large-{round}-{number}");
                            (label.clone(), large_pair(raw, session, &label).map(|_| ()))
                        })
                    })
                    .collect();
                until("all threads generate", || {
                    let threads = threads.lock().expect("the list");
                    // One that was lucky with its primes has ended before the others began.
                    let busy_or_done = |&thread: &i32| ticks_of(thread).is_none_or(|ticks| ticks >= 3);
                    threads.len() == 3 && threads.iter().all(busy_or_done)
                });
                raw.finalize();
                assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK);
                check_that_all_works(&raw);
                makers.into_iter().map(|maker| maker.join().expect("a maker")).collect::<Vec<_>>()
            });
            let session = enter(&raw).expect("a session");
            for (label, answer) in answers {
                assert!(answer.is_ok_and(|()| true) || answer.is_err_and(|code| ENDED.contains(&code)), "{answer:?}");
                let found = raw.find(session, labelled(&label), 10).len();
                assert!(found == if answer.is_ok() { 2 } else { 0 }, "{label}: {answer:?}, {found} objects");
            }
            assert_eq!(ck!(raw, C_CloseSession, session), CKR_OK);
        }
        raw.finalize();
    });
}

/// Takes the store's lock as another process that writes; it lives until the file `release` appears.
fn hold_store(place: &Place) -> child::Running {
    let _ = std::fs::remove_file(place.file("release"));
    let mut holder = child::role(place, "holder", "");
    until("another process holds the store", || place.file("held").exists() || holder.has_ended());
    holder
}

/// What the process in the role "holder" does.
fn hold(place: &Place) {
    let lock = File::open(place.store().join("lock")).expect("the lock");
    // SAFETY: an open file of our own.
    assert_eq!(unsafe { libc::flock(lock.as_raw_fd(), libc::LOCK_EX) }, 0);
    place.write("held", "");
    until("release", || place.file("release").exists());
    std::fs::remove_file(place.file("held")).expect("a file");
}

/// Whether some call of this process waits for the store: the first that waits is alone in the queue.
fn somebody_waits(place: &Place) -> bool {
    let queue = File::open(place.store().join("queue")).expect("the queue");
    // SAFETY: an open file of our own.
    unsafe { libc::flock(queue.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) != 0 }
}

#[test]
fn finalise_while_calls_wait_for_another_process_comes_back_and_so_do_they() {
    isolated!(|place, role| {
        if role == "holder" {
            return hold(place);
        }
        let raw = Raw::start();
        with_pair(&raw);
        let session = enter(&raw).expect("a session");
        let fresh = || raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
        let sessions = [fresh(), fresh(), fresh()];
        let holder = hold_store(place);
        let answers = std::thread::scope(|scope| {
            let raw = &raw;
            let waiters = [
                scope.spawn(move || raw.create(sessions[0], data("waited-0")).map(|_| ())),
                scope.spawn(move || {
                    let both = labelled("waited-1").flag(CKA_TOKEN, true);
                    raw.ec(sessions[1], CKM_EC_KEY_PAIR_GEN, &P256, &both).map(|_| ())
                }),
                scope.spawn(move || {
                    let (old, new) = (USER_PIN.as_ptr().cast_mut(), USER_PIN.as_ptr().cast_mut());
                    let length = USER_PIN.len() as CK_ULONG;
                    answer(ck!(raw, C_SetPIN, sessions[2], old, length, new, length))
                }),
            ];
            until("a call waits", || somebody_waits(place));
            let begin = Instant::now();
            raw.finalize();
            assert!(begin.elapsed() < PATIENCE, "C_Finalize does not wait for another process");
            assert!(place.file("held").exists(), "the other process still holds the store");
            assert_eq!(ck!(raw, C_CloseSession, session), CKR_CRYPTOKI_NOT_INITIALIZED);
            assert!(waiters.iter().any(|waiter| !waiter.is_finished()), "a call was still waiting");
            place.write("release", "");
            waiters.map(|waiter| waiter.join().expect("a waiter"))
        });
        holder.succeed();
        assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK);
        check_that_all_works(&raw);
        let session = enter(&raw).expect("a session");
        // Whoever began in time got through; the others were told so, and left nothing.
        assert!(
            answers.iter().all(|answer| matches!(answer, Ok(()) | Err(CKR_CRYPTOKI_NOT_INITIALIZED))),
            "{answers:?}"
        );
        assert!(answers.contains(&Ok(())), "at least the one that was seen waiting began in time");
        for (answer, (label, count)) in answers.iter().zip([("waited-0", 1), ("waited-1", 2)]) {
            assert_eq!(raw.find(session, labelled(label), 10).len(), if answer.is_ok() { count } else { 0 }, "{label}");
        }
    });
}

/// A call that outlives its instance writes later than anybody thinks of. A child forked in that moment would inherit the
/// store's lock with the open file, and the parent would wait for a child that never writes.
#[test]
fn a_fork_waits_for_the_transaction_of_a_call_that_outlived_its_instance() {
    isolated!(|place, role| {
        if role == "holder" {
            return hold(place);
        }
        let raw = Raw::start();
        with_pair(&raw);
        let sessions = [0; 6].map(|_| raw.session(raw.slot_of(TOKEN_LABEL).expect("the token")));
        for round in 0..2 {
            let sessions = if round == 0 { sessions } else { [0; 6].map(|_| enter(&raw).expect("a session")) };
            let holder = hold_store(place);
            let mut children = Vec::new();
            std::thread::scope(|scope| {
                let raw = &raw;
                let writers = sessions.map(|session| scope.spawn(move || raw.create(session, data("late"))));
                until("a call waits", || somebody_waits(place));
                raw.finalize();
                place.write("release", "");
                // Children that live on and never touch the store, made while the late calls write.
                while writers.iter().any(|writer| !writer.is_finished()) && children.len() < 100 {
                    children.push(idle_child());
                    // A fork holds writers off; without a gap in between none would get on.
                    std::thread::sleep(Duration::from_millis(1));
                }
                let answers = writers.map(|writer| writer.join().expect("a writer").map(|_| ()));
                assert!(answers.contains(&Ok(())), "the call that was seen waiting got through: {answers:?}");
            });
            holder.succeed();
            assert!(!children.is_empty());
            assert_eq!(
                ck!(raw, C_Initialize, null_mut()),
                CKR_OK,
                "nobody holds the store, {} children",
                children.len()
            );
            check_that_all_works(&raw);
            for child in children {
                // SAFETY: our own child, which waits to be ended.
                assert_eq!(unsafe { libc::kill(child, libc::SIGKILL) }, 0);
                let mut status = 0;
                // SAFETY: our own child; `status` outlives the call.
                assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            }
        }
    });
}

/// A child that does nothing until it is ended.
fn idle_child() -> libc::pid_t {
    // SAFETY: the child only waits; it touches neither the module nor the test program.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork");
    if child == 0 {
        // SAFETY: the default of SIGALRM ends a child that its parent forgot.
        unsafe { libc::alarm(120) };
        loop {
            // SAFETY: waits for a signal.
            unsafe { libc::pause() };
        }
    }
    child
}
