//! Measures what a large store costs a process: start, login, searches, memory. Reads the store that `fill` made.
//!
//!     PERILUNE_CONF=... measure USER_PIN
//!
//! Owns: which steps are timed. Does not know: how they are done. One figure a line, in milliseconds (or as said).
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a program for the command line")]

use ffi_headers::*;
use hsm_core::template::Template;
use hsm_core::{Hsm, Mechanism, ObjectHandle, Params, Room, SecretBytes, SessionHandle};
use hsm_platform::Settings;
use std::error::Error;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [pin] = &words[..] else { return Err("usage: measure USER_PIN".into()) };
    measure(&Settings::load()?, &SecretBytes::copy_of(pin.as_bytes())).map(drop)
}

/// Measures, prints, and answers how many objects there are.
pub fn measure(settings: &Settings, pin: &SecretBytes) -> Result<usize, Box<dyn Error>> {
    let before = resident_kib()?;
    let hsm = step("start", || hsm_platform::start(settings))?;
    let slot = *hsm.slots(false)?.first().ok_or("the HSM has no slot")?;
    let session = step("open a session", || hsm.open_session(slot, false))?;
    step("login", || hsm.login(session, CKU_USER, pin))?;
    let private = Template::default().with_number(CKA_CLASS, CKO_PRIVATE_KEY);
    let last = step("first search, by label", || find(&hsm, session, &labelled(0)))?;
    println!("{:>10} found", last.len());
    let keys = step("search by class", || find(&hsm, session, &private))?;
    let all = step("search for everything", || find(&hsm, session, &Template::default()))?;
    println!("{:>10} private keys of {} objects", keys.len(), all.len());
    // Searches above left vectors of handles, which are gone again; what stays is what the objects cost.
    let resident = resident_kib()?.saturating_sub(before) * 1024;
    println!("{:>10} bytes of memory an object", resident / all.len().max(1) as u64);
    repeated(&hsm, session, keys.len() as u64)?;
    sign(&hsm, session, *keys.first().ok_or("no private key")?)?;
    step("logout", || hsm.logout(session))?;
    step("login again", || hsm.login(session, CKU_USER, pin))?;
    step("first search after it", || find(&hsm, session, &labelled(0)))?;
    Ok(all.len())
}

/// Makes a search for the pair with a number.
type Form = fn(u64) -> Template;

/// The searches that an application makes for each of its requests.
fn repeated(hsm: &Hsm, session: SessionHandle, pairs: u64) -> Result<(), Box<dyn Error>> {
    let number = |round: u32| u64::from(round) * 7_919 % pairs;
    let forms: [(&str, Form); 3] = [
        ("by label and class", |number| labelled(number).with_number(CKA_CLASS, CKO_PRIVATE_KEY)),
        ("by id and class", |number| identified(number).with_number(CKA_CLASS, CKO_PRIVATE_KEY)),
        ("by id alone", identified),
    ];
    for (name, form) in forms {
        each(&format!("a search {name}"), 2_000, |round| {
            let found = find(hsm, session, &form(number(round)))?;
            if found.is_empty() { Err(format!("pair {} is missing", number(round)).into()) } else { Ok(()) }
        })?;
    }
    Ok(())
}

/// An operation on a key that was found: the first one parses the key, the others are the hot path.
fn sign(hsm: &Hsm, session: SessionHandle, key: ObjectHandle) -> Result<(), Box<dyn Error>> {
    let mechanism = Mechanism { kind: CKM_ECDSA, params: Params::None };
    let once = || -> hsm_core::Result<()> {
        hsm.sign_init(session, &mechanism, key)?;
        hsm.sign(session, &[7; 32], Room::Bytes(64)).map(drop)
    };
    step("first signature", once)?;
    each("a signature", 5_000, |_| Ok(once()?))?;
    each("for four attributes", 5_000, |_| {
        hsm.attributes(session, key, &[CKA_LABEL, CKA_ID, CKA_KEY_TYPE, CKA_EC_PARAMS])?;
        Ok(())
    })
}

fn find(hsm: &Hsm, session: SessionHandle, template: &Template) -> hsm_core::Result<Vec<ObjectHandle>> {
    hsm.find_init(session, template)?;
    let found = hsm.find(session, 1_000_000)?;
    hsm.find_final(session)?;
    Ok(found)
}

fn labelled(number: u64) -> Template {
    Template::default().with(CKA_LABEL, format!("pair-{number:08}").as_bytes())
}

fn identified(number: u64) -> Template {
    Template::default().with(CKA_ID, &number.to_be_bytes())
}

/// Times one step; where the machine is busy with other things, the second figure is the one to look at.
fn step<T, E>(name: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let (begin, on_cpu) = (Instant::now(), on_cpu());
    let answer = work()?;
    println!("{:>10.2} ms {name} ({:.2} ms on the CPU)", millis(begin.elapsed()), millis(self::on_cpu() - on_cpu));
    Ok(answer)
}

/// Says how long one of many rounds took.
fn each(
    name: &str,
    rounds: u32,
    mut work: impl FnMut(u32) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let (begin, on_cpu) = (Instant::now(), on_cpu());
    for round in 0..rounds {
        work(round)?;
    }
    let micros = |time: Duration| millis(time) * 1e3 / f64::from(rounds);
    println!("{:>10.2} us {name} ({:.2} us on the CPU)", micros(begin.elapsed()), micros(self::on_cpu() - on_cpu));
    Ok(())
}

/// How long the calling thread has run; zero where the kernel does not say.
fn on_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Memory of this process that is in RAM.
fn resident_kib() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
