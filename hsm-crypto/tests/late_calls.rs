//! Calls after the library's own destructors have run, as a library that was loaded later may make them at exit.
//!
//! AWS-LC closes its random generator in destructors; a signature after that, or in another thread at that moment, once killed
//! the host or never came back. Each test runs itself again as a child, in which a destructor that comes after all others
//! uses every operation that needs randomness, or waits for threads that have not stopped doing so.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, and not what they share")]
#![allow(clippy::print_stdout, reason = "the child tells its parent that the destructor ran")]

mod common;

use common::System;
use hsm_crypto::ec::{Curve, EcPrivateKey, EcPublicKey, ScalarMethod};
use hsm_crypto::random::Generator;
use hsm_crypto::rsa::{OaepParams, PssParams, RsaPrivateKey, RsaPublicKey};
use hsm_crypto::{Hash, Random, preferred};
use std::process::{Command, abort, exit};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

struct Keys {
    rsa: Arc<dyn RsaPrivateKey>,
    rsa_public: Arc<dyn RsaPublicKey>,
    ec: Vec<(Arc<dyn EcPrivateKey>, Arc<dyn EcPublicKey>)>,
}

/// Keys made in time; set in the child only, so that the destructor does nothing in other processes.
static KEYS: OnceLock<Keys> = OnceLock::new();

const CHILD: &str = "HSM_CRYPTO_LATE_CALLS_CHILD";

/// Threads that draw random numbers until they are told to stop.
static THREADS: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());
static STOP: AtomicBool = AtomicBool::new(false);
/// How often they did.
static DRAWS: AtomicUsize = AtomicUsize::new(0);

// Destructors with a number run after all those without one.
#[used]
#[unsafe(link_section = ".fini_array.00101")]
static LAST_DESTRUCTOR: extern "C" fn() = last_moments;

extern "C" fn last_moments() {
    let Some(keys) = KEYS.get() else { return };
    let threads = std::mem::take(&mut *THREADS.lock().unwrap());
    if threads.is_empty() {
        use_every_operation(keys);
    } else {
        await_draws(DRAWS.load(Ordering::SeqCst) + 1000);
        STOP.store(true, Ordering::SeqCst);
        for thread in threads {
            thread.join().unwrap();
        }
    }
    println!("late calls done");
}

fn keys() -> Keys {
    let engine = preferred();
    let parts = (engine.rsa_generate)(1024, &[1, 0, 1], &System).unwrap().parts;
    let pair = |curve| {
        let scalar = (engine.ec_generate)(curve, ScalarMethod::Rejection, &System).unwrap().scalar;
        let key = (engine.ec_private)(curve, scalar.expose()).unwrap();
        let public = (engine.ec_public)(curve, &key.public_point()).unwrap();
        (key, public)
    };
    Keys {
        rsa: (engine.rsa_private)(&parts).unwrap(),
        rsa_public: (engine.rsa_public)(&parts.modulus, &parts.public_exponent).unwrap(),
        ec: Curve::ALL.into_iter().map(pair).collect(),
    }
}

fn use_every_operation(keys: &Keys) {
    let mut bytes = [[0; 16]; 2];
    bytes.iter_mut().for_each(|bytes| Generator::new(System).fill(bytes).unwrap());
    assert_ne!(bytes[0], bytes[1]);
    // AWS-LC draws new blinding values after 32 operations.
    for _ in 0..40 {
        let signature = keys.rsa.sign_pkcs1(b"payload", &System).unwrap();
        assert_eq!(keys.rsa_public.verify_pkcs1(b"payload", &signature), Ok(()));
    }
    let pss = PssParams { hash: Hash::Sha256, mgf_hash: Hash::Sha1, salt_bytes: 32 };
    let signature = keys.rsa.sign_pss(&pss, &[1; 32], &System).unwrap();
    assert_eq!(keys.rsa_public.verify_pss(&pss, &[1; 32], &signature), Ok(()));
    let oaep = OaepParams { hash: Hash::Sha256, mgf_hash: Hash::Sha1, label: b"label".to_vec() };
    let ciphertext = keys.rsa_public.encrypt_oaep(&oaep, b"plain", &System).unwrap();
    assert_eq!(keys.rsa.decrypt_oaep(&oaep, &ciphertext, &System).unwrap().expose(), b"plain");
    let ciphertext = keys.rsa_public.encrypt_pkcs1(b"plain", &System).unwrap();
    assert_eq!(keys.rsa.decrypt_pkcs1(&ciphertext, &System).unwrap().expose(), b"plain");
    let raised = keys.rsa.raw(&[7; 128], &System).unwrap();
    assert_eq!(keys.rsa_public.raw(raised.expose()).unwrap(), [7; 128]);
    for (key, public) in &keys.ec {
        let signature = key.sign(&[1; 32], &System).unwrap();
        assert_eq!(public.verify(&[1; 32], &signature), Ok(()));
        assert_eq!(key.agree(&public.point()).unwrap().len(), key.curve().field_bytes());
    }
    let fresh = self::keys();
    assert_eq!(fresh.rsa.modulus_bytes(), 128);
}

fn await_draws(count: usize) {
    while DRAWS.load(Ordering::SeqCst) < count {
        sleep(Duration::from_millis(1));
    }
}

/// What a thread does that is drawing random numbers most of the time; now and then it proves that the work is right.
fn draw(keys: &Keys, turn: usize) {
    Generator::new(System).fill(&mut [0; 64]).unwrap();
    let ciphertext = keys.rsa_public.encrypt_pkcs1(b"plain", &System).unwrap();
    if turn.is_multiple_of(1000) {
        assert_eq!(keys.rsa.decrypt_pkcs1(&ciphertext, &System).unwrap().expose(), b"plain");
        for (key, public) in &keys.ec {
            let signature = key.sign(&[1; 32], &System).unwrap();
            assert_eq!(public.verify(&[1; 32], &signature), Ok(()));
        }
    }
    DRAWS.fetch_add(1, Ordering::SeqCst);
}

/// Draws until told to stop.
fn draw_on() {
    for turn in 0.. {
        if STOP.load(Ordering::SeqCst) {
            return;
        }
        draw(KEYS.get().unwrap(), turn);
    }
}

/// The same, each time in a thread that has never drawn before.
fn draw_in_fresh_threads() {
    for turn in 1.. {
        if STOP.load(Ordering::SeqCst) {
            return;
        }
        spawn(move || draw(KEYS.get().unwrap(), turn)).join().unwrap();
    }
}

/// Leaves while threads are in the middle of drawing, and one perhaps in that of a search for large primes.
fn leave_while_threads_draw(primes: bool) {
    spawn(|| {
        // More than anything here takes; a process that hangs has no other end.
        sleep(Duration::from_secs(120));
        abort();
    });
    assert!(KEYS.set(keys()).is_ok());
    let works = [draw_on, draw_in_fresh_threads, draw_in_fresh_threads].into_iter().cycle().take(24);
    *THREADS.lock().unwrap() = works.map(spawn).collect();
    if primes {
        spawn(|| (preferred().rsa_generate)(8192, &[1, 0, 1], &System).unwrap());
    }
    await_draws(100);
    exit(0);
}

/// Runs a test of this program in a process of its own; it must end well, and the destructor must have run.
fn play(name: &str, way: &str) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, way)
        .output()
        .unwrap();
    let (text, errors) = (String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success(), "{}: {text}{errors}", child.status);
    assert!(text.contains("late calls done"), "the destructor did not run: {text}{errors}");
}

#[test]
fn operations_that_need_randomness_work_after_the_destructors() {
    if std::env::var_os(CHILD).is_some() {
        assert!(KEYS.set(keys()).is_ok());
        use_every_operation(KEYS.get().unwrap());
        exit(0);
    }
    play("operations_that_need_randomness_work_after_the_destructors", "");
}

#[test]
fn threads_that_draw_while_the_process_exits_go_on_and_the_last_destructor_can_wait_for_them() {
    if let Some(way) = std::env::var_os(CHILD) {
        leave_while_threads_draw(way == "primes");
    }
    for way in ["primes", "", "", "", "", "", "", "", "", ""] {
        play("threads_that_draw_while_the_process_exits_go_on_and_the_last_destructor_can_wait_for_them", way);
    }
}
