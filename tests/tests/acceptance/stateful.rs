//! Stateful keys from outside: no index signs twice, whatever happens to the processes that sign.
//!
//! Owns: killed, parallel, forked and later processes with one key; exhaustion. Every leaf that a released signature names is
//! written down by the process that got it. `PERILUNE_KILLS` says how often one is killed.
//! Rule source: PKCS#11 v3.2, 6.65; SP 800-208, 8.1.

use perilune_tests::ck::*;
use perilune_tests::raw::plain;
use perilune_tests::{Dice, Place, Raw, TOKEN_LABEL, Template, USER_PIN, child, ck, dice, isolated, module, report};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::{Duration, Instant};

const LABEL: &str = "stateful";

/// A pair of one level: types of LMS and LM-OTS.
fn pair(raw: &Raw, session: CK_SESSION_HANDLE, lms: CK_ULONG, lmots: CK_ULONG) -> (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
    let private = Template::new()
        .flag(CKA_TOKEN, true)
        .text(CKA_LABEL, LABEL)
        .number(CKA_HSS_LEVELS, 1)
        .bytes(CKA_HSS_LMS_TYPES, &lms.to_ne_bytes())
        .bytes(CKA_HSS_LMOTS_TYPES, &lmots.to_ne_bytes());
    let public = Template::new().flag(CKA_TOKEN, true).text(CKA_LABEL, LABEL);
    raw.generate_pair(session, plain(CKM_HSS_KEY_PAIR_GEN), public, private).expect("a pair")
}

/// A session of the user, and the private key in the token.
fn open(raw: &Raw) -> (CK_SESSION_HANDLE, CK_OBJECT_HANDLE) {
    let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
    assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
    let wanted = Template::new().number(CKA_CLASS, CKO_PRIVATE_KEY).text(CKA_LABEL, LABEL);
    let found = raw.find(session, wanted, 10);
    assert_eq!(found.len(), 1);
    (session, found[0])
}

/// Signs, and says with which leaf.
fn sign(raw: &Raw, session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) -> Result<u32, CK_RV> {
    let signature = raw.sign(session, plain(CKM_HSS), key, b"message")?;
    Ok(u32::from_be_bytes(signature[4..8].try_into().expect("four bytes")))
}

fn remaining(raw: &Raw, session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) -> u64 {
    let bytes = raw.attribute(session, key, CKA_HSS_KEYS_REMAINING).expect("the count");
    u64::from_ne_bytes(bytes.try_into().expect("a CK_ULONG"))
}

/// Signs so often, or without end, and writes each leaf to a file of its own.
fn signer(place: &Place, word: &str) {
    let (name, most) = word.split_once(' ').expect("a name and a number");
    let most: u64 = most.parse().expect("a number");
    let raw = Raw::start();
    let (session, key) = open(&raw);
    let mut file = std::fs::File::create(place.file(name)).expect("a file");
    for _ in 0..most {
        match sign(&raw, session, key) {
            Ok(leaf) => file.write_all(&leaf.to_be_bytes()).expect("written"),
            Err(CKR_KEY_EXHAUSTED) => return,
            Err(code) => panic!("{code:#x}"),
        }
    }
}

/// The leaves in the files that begin so; each is there once.
fn leaves(place: &Place, names: &[String]) -> BTreeSet<u32> {
    let mut all = BTreeSet::new();
    for name in names {
        // A kill may cut the last one, which is then missing here.
        for leaf in place.read(name).as_chunks::<4>().0 {
            let leaf = u32::from_be_bytes(*leaf);
            assert!(all.insert(leaf), "leaf {leaf} has signed twice");
        }
    }
    all
}

#[test]
fn a_kill_at_any_moment_never_brings_an_index_back() {
    if !module::is_perilune() {
        return;
    }
    isolated!(|place, role| {
        if role == "signer" {
            return signer(place, &child::word());
        }
        let kills: u64 = std::env::var("PERILUNE_KILLS").map_or(12, |text| text.parse().expect("a number"));
        let seed = dice::seed();
        report!("{}={seed}", dice::SEED);
        let mut dice = Dice::new(seed);
        let raw = Raw::start();
        let session = raw.user_session();
        let mut made = pair(&raw, session, 11, 6);
        let (mut names, mut last, mut signed) = (Vec::new(), None, 0);
        for number in 0..kills {
            if remaining(&raw, session, made.1) < 512 {
                // What is left might not outlive the next victims.
                signed += leaves(place, &names).len();
                names.clear();
                last = None;
                assert_eq!((raw.destroy(session, made.0), raw.destroy(session, made.1)), (Ok(()), Ok(())));
                made = pair(&raw, session, 11, 6);
            }
            let name = format!("victim{number}");
            let victim = child::role(place, "signer", &format!("{name} {}", u32::MAX));
            let begin = Instant::now();
            let has_signed = || std::fs::metadata(place.file(&name)).is_ok_and(|file| file.len() > 0);
            while !has_signed() {
                assert!(begin.elapsed() < Duration::from_secs(100), "the victim signs");
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_micros(dice.below(20_000)));
            // SAFETY: the victim is our own child and not waited for yet.
            assert_eq!(unsafe { libc::kill(victim.id() as libc::pid_t, libc::SIGKILL) }, 0);
            let said = victim.finish().text;
            assert!(!said.contains("panicked"), "the victim had failed already:\n{said}");
            names.push(name);
            let own = leaves(place, &names[names.len() - 1..]);
            assert!(last < own.first().copied(), "indices only rise");
            let all = leaves(place, &names);
            let next = sign(&raw, session, made.1).expect("a signature");
            assert!(Some(&next) > all.last(), "leaf {next} after a kill");
            assert_eq!(remaining(&raw, session, made.1), 1024 - u64::from(next) - 1);
            last = Some(next);
        }
        signed += leaves(place, &names).len();
        report!("{signed} signatures by {kills} killed processes");
    });
}

#[test]
fn processes_that_sign_at_once_share_out_the_indices() {
    if !module::is_perilune() {
        return;
    }
    isolated!(|place, role| {
        if role == "signer" {
            return signer(place, &child::word());
        }
        let raw = Raw::start();
        let session = raw.user_session();
        let (_, key) = pair(&raw, session, 11, 6);
        let names: Vec<String> = (0..3).map(|number| format!("signer{number}")).collect();
        let signers: Vec<_> = names.iter().map(|name| child::role(place, "signer", &format!("{name} 60"))).collect();
        for signer in signers {
            signer.succeed();
        }
        assert_eq!(leaves(place, &names), (0..180).collect());
        assert_eq!(remaining(&raw, session, key), 1024 - 180, "this process knows of them");
        assert_eq!(sign(&raw, session, key), Ok(180));
    });
}

#[test]
fn a_key_is_used_up_for_every_process_to_come() {
    if !module::is_perilune() {
        return;
    }
    isolated!(|place, role| {
        if role == "signer" {
            return signer(place, &child::word());
        }
        let raw = Raw::start();
        let session = raw.user_session();
        let (public, key) = pair(&raw, session, 5, 3);
        for expected in 0..5 {
            assert_eq!(sign(&raw, session, key), Ok(expected));
        }
        let mut names = vec!["later0".to_owned(), "later1".to_owned()];
        child::role(place, "signer", "later0 20").succeed();
        child::role(place, "signer", "later1 20").succeed();
        assert_eq!(leaves(place, &names), (5..32).collect());
        assert_eq!(sign(&raw, session, key), Err(CKR_KEY_EXHAUSTED));
        assert_eq!(remaining(&raw, session, key), 0);
        child::role(place, "signer", "later2 1").succeed();
        names.push("later2".to_owned());
        assert_eq!(leaves(place, &names).len(), 27, "nothing more was signed");
        assert_eq!(raw.copy(session, key, Template::new()), Err(CKR_ACTION_PROHIBITED));
        assert_eq!(raw.attribute(session, key, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
        assert_eq!(raw.attribute(session, public, CKA_HSS_LMS_TYPE), Ok(5_u64.to_ne_bytes().to_vec()));
        assert_eq!(raw.attribute(session, key, CKA_HSS_LMOTS_TYPES), Ok(3_u64.to_ne_bytes().to_vec()));
    });
}

#[test]
fn a_child_of_a_fork_takes_other_indices_than_its_parent() {
    if !module::is_perilune() {
        return;
    }
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (_, key) = pair(&raw, session, 5, 3);
        assert_eq!(sign(&raw, session, key), Ok(0));
        let mut mechanism = plain(CKM_HSS);
        assert_eq!(ck!(raw, C_SignInit, session, &mut mechanism, key), CKR_OK);
        for round in 0..3 {
            let of_child = child::forked(|| {
                // The parent's session and operation are not the child's.
                assert_eq!(sign(&raw, session, key), Err(CKR_CRYPTOKI_NOT_INITIALIZED));
                assert_eq!(ck!(raw, C_Initialize, std::ptr::null_mut()), CKR_OK);
                let (session, key) = open(&raw);
                sign(&raw, session, key).expect("a signature") as i32
            });
            assert_eq!(of_child, 2 * round + 1);
            // The operation that began before the fork ends with what is next now.
            let signature = perilune_tests::raw::sized(|out, room| {
                ck!(raw, C_Sign, session, b"message".as_ptr().cast_mut(), 7, out, room)
            });
            let signature = signature.expect("a signature");
            assert_eq!(i32::from(signature[7]), 2 * round + 2);
            assert_eq!(ck!(raw, C_SignInit, session, &mut mechanism, key), CKR_OK);
        }
        assert_eq!(remaining(&raw, session, key), 32 - 7);
    });
}
