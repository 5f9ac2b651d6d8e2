//! One process of a measurement: loads the module as any client does, works, and prints its figures as JSON.
//!
//! Owns: what is timed. Does not know: on which store, and what the figures are compared with.

use perilune_tests::ck::*;
use perilune_tests::hand::P256;
use perilune_tests::{Raw, Template, USER_PIN, ck};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The first word of a worker's command line; then module, work and amount follow.
pub const WORD: &str = "--worker";

/// Does what the words say.
pub fn run(words: &[String]) -> Value {
    let [module, work, amount] = words else { panic!("{words:?}") };
    let amount: f64 = amount.parse().expect("a number");
    let before = resident();
    let raw = Raw::load_path(Path::new(module));
    if work == "start" {
        return start(&raw, before);
    }
    initialize(&raw);
    let figures = match work.as_str() {
        "token" => {
            raw.new_token();
            json!({})
        }
        "fill" => {
            let session = open(&raw);
            (0..amount as u64).for_each(|number| pair(&raw, session, number));
            json!({})
        }
        "burst-1" => burst(&raw, 1, &end_after(amount)),
        "burst-4" => burst(&raw, 4, &end_after(amount)),
        "burst-until" => burst(&raw, 1, &end_of_input()),
        "turns" => turns(&raw, Duration::from_secs_f64(amount)),
        _ => panic!("{work}"),
    };
    raw.finalize();
    figures
}

/// C_Initialize for several threads, which SoftHSM2 must be told.
fn initialize(raw: &Raw) {
    let mut arguments = CK_C_INITIALIZE_ARGS { flags: CKF_OS_LOCKING_OK, ..CK_C_INITIALIZE_ARGS::default() };
    assert_eq!(ck!(raw, C_Initialize, std::ptr::from_mut(&mut arguments).cast()), CKR_OK);
}

fn token(raw: &Raw) -> CK_SLOT_ID {
    let initialised = |slot: &CK_SLOT_ID| raw.token_info(*slot).is_ok_and(|it| it.flags & CKF_TOKEN_INITIALIZED != 0);
    raw.slots(true).into_iter().find(initialised).expect("a token")
}

fn open(raw: &Raw) -> CK_SESSION_HANDLE {
    let session = raw.session(token(raw));
    match raw.login(session, CKU_USER, USER_PIN) {
        Ok(()) | Err(CKR_USER_ALREADY_LOGGED_IN) => session,
        other => panic!("login: {other:?}"),
    }
}

fn pair(raw: &Raw, session: CK_SESSION_HANDLE, number: u64) {
    let more = Template::new()
        .flag(CKA_TOKEN, true)
        .text(CKA_LABEL, &format!("made-{number:08}"))
        .bytes(CKA_ID, &number.to_be_bytes());
    raw.ec(session, CKM_EC_KEY_PAIR_GEN, P256, &more).expect("a pair");
}

/// Generates pairs until the end; says that it has begun after the first.
fn burst(raw: &Raw, threads: u64, ended: &(dyn Fn() -> bool + Sync)) -> Value {
    let sessions: Vec<_> = (0..threads).map(|_| open(raw)).collect();
    pair(raw, sessions[0], u64::MAX);
    let made = AtomicU64::new(0);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for session in &sessions {
            scope.spawn(|| {
                while !ended() {
                    pair(raw, *session, made.fetch_add(1, Ordering::Relaxed));
                }
            });
        }
    });
    json!({ "rate": made.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64() })
}

fn end_after(seconds: f64) -> impl Fn() -> bool + Sync {
    let end = std::sync::OnceLock::new();
    move || Instant::now() >= *end.get_or_init(|| Instant::now() + Duration::from_secs_f64(seconds))
}

/// Says so on standard output when the burst begins, and ends it when standard input ends.
fn end_of_input() -> impl Fn() -> bool + Sync {
    static OVER: AtomicBool = AtomicBool::new(false);
    let begun = std::sync::Once::new();
    move || {
        begun.call_once(|| {
            println!("begun");
            std::io::stdout().flush().expect("standard output");
            std::thread::spawn(|| {
                let _ = std::io::stdin().read_to_end(&mut Vec::new());
                OVER.store(true, Ordering::Release);
            });
        });
        OVER.load(Ordering::Acquire)
    }
}

/// Comes again and again while another process writes: looks, writes one object, waits a moment.
fn turns(raw: &Raw, span: Duration) -> Value {
    let session = open(raw);
    let (mut looks, mut writes) = (Vec::new(), Vec::new());
    let begin = Instant::now();
    while begin.elapsed() < span {
        let look = Instant::now();
        raw.find(session, Template::new().text(CKA_LABEL, "not there"), 1);
        looks.push(look.elapsed().as_secs_f64() * 1000.0);
        let write = Instant::now();
        let object = Template::new().number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true);
        raw.create(session, object.text(CKA_LABEL, "turn")).expect("an object");
        writes.push(write.elapsed().as_secs_f64() * 1000.0);
        // Not in step with the other's writes.
        std::thread::sleep(Duration::from_micros(5_000 + 1_337 * (writes.len() as u64 % 11)));
    }
    looks.sort_by(f64::total_cmp);
    writes.sort_by(f64::total_cmp);
    let at = |list: &[f64], part: f64| list[((list.len() - 1) as f64 * part) as usize];
    json!({
        "turn_p50_ms": at(&writes, 0.5), "turn_p99_ms": at(&writes, 0.99), "turn_max_ms": at(&writes, 1.0),
        "look_p50_ms": at(&looks, 0.5), "look_max_ms": at(&looks, 1.0),
    })
}

/// A fresh process: start, login, searches, memory.
fn start(raw: &Raw, before: f64) -> Value {
    let initialize = timed(|| initialize(raw));
    let session = raw.session(token(raw));
    let login = timed(|| assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(())));
    let search = timed(|| drop(raw.find(session, Template::new().text(CKA_LABEL, "pair-00000000"), 10)));
    let all = timed(|| drop(raw.find(session, Template::new(), 10_000)));
    let resident = resident() - before;
    raw.finalize();
    json!({ "initialize_ms": initialize, "login_ms": login, "search_ms": search, "all_ms": all, "resident": resident })
}

fn timed(work: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    work();
    begin.elapsed().as_secs_f64() * 1000.0
}

/// Bytes of this process that are in memory.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the kernel tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") * 1024.0
}
