//! Calls after the library's own destructors have run, as a library that was loaded later may make them at exit.
//!
//! AWS-LC closes its random generator in a destructor; a signature after that once killed the host. The test runs itself
//! again as a child, in which a destructor that comes after all others uses every operation that needs randomness.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, and not what they share")]
#![allow(clippy::print_stdout, reason = "the child tells its parent that the destructor ran")]

mod common;

use common::System;
use hsm_crypto::ec::{Curve, EcPrivateKey, EcPublicKey};
use hsm_crypto::rsa::{OaepParams, PssParams, RsaPrivateKey, RsaPublicKey};
use hsm_crypto::{Hash, preferred};
use std::process::{Command, exit};
use std::sync::{Arc, OnceLock};

struct Keys {
    rsa: Arc<dyn RsaPrivateKey>,
    rsa_public: Arc<dyn RsaPublicKey>,
    ec: Vec<(Arc<dyn EcPrivateKey>, Arc<dyn EcPublicKey>)>,
}

/// Keys made in time; set in the child only, so that the destructor does nothing in other processes.
static KEYS: OnceLock<Keys> = OnceLock::new();

const CHILD: &str = "HSM_CRYPTO_LATE_CALLS_CHILD";
const NAME: &str = "operations_that_need_randomness_work_after_the_destructors";

// Destructors with a number run after all those without one.
#[used]
#[unsafe(link_section = ".fini_array.00101")]
static LAST_DESTRUCTOR: extern "C" fn() = use_every_operation_late;

extern "C" fn use_every_operation_late() {
    if let Some(keys) = KEYS.get() {
        use_every_operation(keys);
        println!("late calls done");
    }
}

fn keys() -> Keys {
    let engine = preferred();
    let parts = (engine.rsa_generate)(1024, &[1, 0, 1], &System).unwrap();
    let pair = |curve| {
        let scalar = (engine.ec_generate)(curve, &System).unwrap();
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

#[test]
fn operations_that_need_randomness_work_after_the_destructors() {
    if std::env::var_os(CHILD).is_some() {
        assert!(KEYS.set(keys()).is_ok());
        use_every_operation(KEYS.get().unwrap());
        exit(0);
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let (text, errors) = (String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success(), "{}: {text}{errors}", child.status);
    assert!(text.contains("late calls done"), "the destructor did not run: {text}{errors}");
}
