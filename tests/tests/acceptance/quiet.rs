//! What a look at the token costs a process: one small read when nothing changed, and only the change when something did.
//!
//! Owns: counting system calls with strace, which sees every file that is touched. Rule source: docs/format.md,
//! "Generation file".

use perilune_tests::ck::*;
use perilune_tests::hand::{P256, open};
use perilune_tests::raw::{input, plain};
use perilune_tests::syscalls::{self, Call, mark};
use perilune_tests::{
    Place, Raw, SO_PIN, TOKEN_LABEL, Template, USER_PIN, child, ck, isolated, module, outside, report,
};
use std::time::{Duration, Instant};

/// How many searches and how many signatures are counted.
const ROUNDS: usize = 10_000;

fn labelled(label: &str) -> Template {
    Template::new().text(CKA_LABEL, label)
}

fn data(label: &str) -> Template {
    labelled(label).number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true)
}

/// Whether the calls of another program can be counted here.
fn can_trace(test: &str) -> bool {
    let works = outside::has("strace")
        && outside::run(std::process::Command::new("strace").args(["-qq", "-o", "/dev/null", "true"])).0;
    if !works {
        outside::skip(test, "strace is not there, or may not trace");
    }
    works && module::is_perilune()
}

#[test]
fn ten_thousand_searches_and_signatures_on_a_quiet_store_read_one_number_each_and_nothing_else() {
    isolated!(|place, role| {
        if role == "reader" {
            search_and_sign();
            return;
        }
        if !can_trace(
            "quiet::ten_thousand_searches_and_signatures_on_a_quiet_store_read_one_number_each_and_nothing_else",
        ) {
            return;
        }
        let raw = Raw::start();
        let session = raw.user_session();
        let pair = labelled("key").flag(CKA_TOKEN, true);
        raw.ec(session, CKM_EC_KEY_PAIR_GEN, P256, &pair).expect("a pair");
        for number in 0..20 {
            raw.create(session, data(&format!("object-{number}"))).expect("an object");
        }
        child::role_under(place, "reader", "", &syscalls::strace(&place.text("trace"))).succeed();
        let stretches = [
            ("find", "sign", "searches", ROUNDS),
            ("sign", "session", "signatures", ROUNDS),
            // No other process can change a session's key: a signature with it asks nobody.
            ("session", "make", "signatures with a session's key", 0),
            ("make", "end", "sessions with a key of their own", 0),
        ];
        for (from, to, what, reads_max) in stretches {
            let calls = syscalls::between(&place.file("trace"), from, to);
            let reads = syscalls::count(&calls, "pread64");
            let harmless = syscalls::without_files(&calls).len();
            // Twice a second: is the store still the one of this name?
            let looks = |call: &&Call| call.name == "statx" && call.line.contains("/store/generation\"");
            let looked = calls.iter().filter(looks).count();
            assert!(looked < ROUNDS / 20, "{looked} looks at the name for {ROUNDS} {what}");
            let rest: Vec<&Call> = calls.iter().filter(|call| call.name != "pread64" && !looks(call)).collect();
            report!(
                "{ROUNDS} {what}: {reads} preads of {} bytes in all, {harmless} calls beside files, {looked} looks at the name",
                syscalls::bytes_read(&calls)
            );
            assert!(reads <= reads_max, "{reads} reads for {ROUNDS} {what}");
            assert_eq!(rest.len(), harmless, "a file is touched: {:?}", without(&rest, &calls));
            assert!(syscalls::bytes_read(&calls) <= 32 * ROUNDS as i64, "small reads");
        }
    });
}

fn without<'a>(rest: &[&'a Call], calls: &[Call]) -> Vec<&'a str> {
    let harmless: Vec<_> = syscalls::without_files(calls).into_iter().map(|call| call.line.clone()).collect();
    rest.iter().map(|call| call.line.as_str()).filter(|line| !harmless.iter().any(|one| one == line)).take(20).collect()
}

/// The reader: everything is looked at once before the first mark.
fn search_and_sign() {
    let raw = Raw::start();
    let session = open(&raw);
    let key = raw.find(session, labelled("key").number(CKA_CLASS, CKO_PRIVATE_KEY), 10)[0];
    let (_, own) = raw.ec(session, CKM_EC_KEY_PAIR_GEN, P256, &Template::new()).expect("a pair of the session");
    let (digest, mut signature) = ([5; 32], [0; 64]);
    let mut sign = |key| {
        let mut mechanism = plain(CKM_ECDSA);
        assert_eq!(ck!(raw, C_SignInit, session, &mut mechanism, key), CKR_OK);
        let ((data, length), mut room) = (input(&digest), 64);
        assert_eq!(ck!(raw, C_Sign, session, data, length, signature.as_mut_ptr(), &mut room), CKR_OK);
    };
    sign(key);
    sign(own);
    let slot = raw.slot_of(TOKEN_LABEL).expect("the token");
    mark("find");
    for round in 0..ROUNDS {
        let found = raw.find(session, labelled(&format!("object-{}", round % 20)), 10);
        assert_eq!(found.len(), 1);
    }
    mark("sign");
    for (key, end) in [(key, "session"), (own, "make")] {
        for _ in 0..ROUNDS {
            sign(key);
        }
        mark(end);
    }
    for _ in 0..ROUNDS {
        let session = raw.session(slot);
        let key =
            raw.generate(session, plain(CKM_AES_KEY_GEN), Template::new().number(CKA_VALUE_LEN, 32)).expect("a key");
        assert_eq!(ck!(raw, C_DestroyObject, session, key), CKR_OK);
        assert_eq!(ck!(raw, C_CloseSession, session), CKR_OK);
    }
    mark("end");
}

/// Objects in the store when one more comes: the cost of seeing it must not depend on them.
const FEW: u64 = 100;
const MANY: u64 = 10_000;

#[test]
fn a_change_by_another_process_costs_a_reader_only_that_change_however_many_objects_there_are() {
    isolated!(|place, role| {
        match role {
            "reader" => return look_before_and_after(place),
            "writer" => {
                let raw = Raw::start();
                raw.create(session_of_filled(&raw), data("news")).expect("an object");
                return;
            }
            _ => {}
        }
        if !can_trace(
            "quiet::a_change_by_another_process_costs_a_reader_only_that_change_however_many_objects_there_are",
        ) {
            return;
        }
        let costs = [FEW, MANY].map(|objects| cost_of_one_change(&Place::new(), objects));
        for ((calls, bytes), objects) in costs.iter().zip([FEW, MANY]) {
            report!("one new object beside {objects}: {calls} calls on files, {bytes} bytes read");
            assert!(*calls <= 30, "{calls} calls on files for one new object beside {objects}");
            assert!(*bytes <= 16 * 1024, "{bytes} bytes for one new object beside {objects}");
        }
    });
}

fn cost_of_one_change(place: &Place, objects: u64) -> (usize, i64) {
    let mut fill = place.command(module::example("hsm-platform", "fill"));
    fill.args([&(objects / 2).to_string(), SO_PIN, USER_PIN]);
    outside::output(fill);
    let reader = child::role_under(place, "reader", "", &syscalls::strace(&place.text("trace")));
    wait_for(place, "ready");
    child::role(place, "writer", "").succeed();
    place.write("go", "");
    reader.succeed();
    let calls = syscalls::between(&place.file("trace"), "look", "seen");
    (calls.len() - syscalls::without_files(&calls).len(), syscalls::bytes_read(&calls))
}

fn session_of_filled(raw: &Raw) -> CK_SESSION_HANDLE {
    let session = raw.session(raw.slot_of("filled").expect("the filled token"));
    assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
    session
}

/// The reader: sees everything, waits until there is something new, sees that.
fn look_before_and_after(place: &Place) {
    let raw = Raw::start();
    let session = session_of_filled(&raw);
    assert_eq!(raw.find(session, labelled("news"), 10), []);
    assert!(raw.find(session, Template::new(), 1000).len() >= FEW as usize);
    place.write("ready", "");
    wait_for(place, "go");
    mark("look");
    let found = raw.find(session, labelled("news"), 10);
    mark("seen");
    assert_eq!(found.len(), 1);
}

fn wait_for(place: &Place, file: &str) {
    let begin = Instant::now();
    while !place.file(file).exists() {
        assert!(begin.elapsed() < Duration::from_secs(120), "{file} never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}
