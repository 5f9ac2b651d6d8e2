//! The module more than once in one process, on one store: under two names, in two namespaces, beside p11-kit.
//!
//! Owns: that two instances know nothing of each other and get on like two processes do. Two copies of the file are two
//! libraries with their own state, fork handlers and locks; the same file loaded twice is one.

use perilune_tests::ck::*;
use perilune_tests::host::{compiled, host};
use perilune_tests::raw::plain;
use perilune_tests::{Place, Raw, TOKEN_LABEL, Template, USER_PIN, child, ck, isolated, module, outside};
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const P256: [u8; 10] = [6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];

fn labelled(label: &str) -> Template {
    Template::new().text(CKA_LABEL, label)
}

fn data(label: &str) -> Template {
    labelled(label).number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true)
}

/// A session of the user; the login is the instance's own.
fn enter(raw: &Raw) -> CK_SESSION_HANDLE {
    let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
    assert!(matches!(raw.login(session, CKU_USER, USER_PIN), Ok(()) | Err(CKR_USER_ALREADY_LOGGED_IN)));
    session
}

fn sign(raw: &Raw, session: CK_SESSION_HANDLE) {
    let of = |class| raw.find(session, labelled("pair").number(CKA_CLASS, class), 2)[0];
    let (private, public) = (of(CKO_PRIVATE_KEY), of(CKO_PUBLIC_KEY));
    let signature = raw.sign(session, plain(CKM_ECDSA), private, &[5; 32]).expect("signed");
    assert_eq!(raw.verify(session, plain(CKM_ECDSA), public, &[5; 32], &signature), Ok(()));
}

/// The module and a copy of it under another name, both initialised; the token holds a pair.
fn both(place: &Place) -> [Raw; 2] {
    let copy = place.file("copy-perilune.so");
    std::fs::copy(module::path(), &copy).expect("a copy");
    let (one, other) = (Raw::start(), Raw::load_path(&copy));
    let session = one.user_session();
    one.ec(session, CKM_EC_KEY_PAIR_GEN, &P256, &labelled("pair").flag(CKA_TOKEN, true)).expect("a pair");
    assert_eq!(ck!(other, C_Initialize, null_mut()), CKR_OK);
    [one, other]
}

/// Two threads through each instance: one writes, one signs. `meanwhile` runs while they do.
fn under_load(instances: &[Raw; 2], meanwhile: impl FnOnce()) {
    let (stop, turns) = (AtomicBool::new(false), [const { AtomicU64::new(0) }; 4]);
    std::thread::scope(|scope| {
        for (number, turns) in turns.iter().enumerate() {
            let (raw, stop) = (&instances[number / 2], &stop);
            scope.spawn(move || {
                let session = enter(raw);
                while !stop.load(Ordering::Relaxed) {
                    if number % 2 == 0 {
                        let object = raw.create(session, data("churn")).expect("an object");
                        assert_eq!(raw.destroy(session, object), Ok(()));
                    } else {
                        sign(raw, session);
                    }
                    turns.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while turns.iter().any(|turns| turns.load(Ordering::Relaxed) == 0) {
            std::thread::yield_now();
        }
        meanwhile();
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn what_one_copy_writes_the_other_sees_at_its_next_call() {
    isolated!(|place, _| {
        let instances = both(place);
        let sessions = [enter(&instances[0]), enter(&instances[1])];
        under_load(&instances, || {
            for round in 0..20 {
                let (writer, reader) = (round % 2, (round + 1) % 2);
                let label = format!("seen-{round}");
                let object = instances[writer].create(sessions[writer], data(&label)).expect("an object");
                let found = instances[reader].find(sessions[reader], labelled(&label), 10);
                assert_eq!(found.len(), 1, "{label}");
                assert_eq!(instances[reader].destroy(sessions[reader], found[0]), Ok(()));
                let gone = instances[writer].destroy(sessions[writer], object);
                assert_eq!(gone, Err(CKR_OBJECT_HANDLE_INVALID), "{label}");
            }
        });
    });
}

#[test]
fn the_end_of_one_copy_leaves_the_other_alone() {
    isolated!(|place, _| {
        let [one, other] = both(place);
        let session = enter(&other);
        for _ in 0..3 {
            one.finalize();
            assert_eq!(ck!(one, C_GetInfo, &mut CK_INFO::default()), CKR_CRYPTOKI_NOT_INITIALIZED);
            sign(&other, session);
            let object = other.create(session, data("alone")).expect("an object");
            assert_eq!(other.destroy(session, object), Ok(()));
            assert_eq!(ck!(one, C_Initialize, null_mut()), CKR_OK);
            sign(&one, enter(&one));
        }
    });
}

/// Each copy has fork handlers of its own, which wait for its own transactions; those may wait for the other copy's.
#[test]
fn a_fork_while_both_copies_write_hangs_neither_side() {
    isolated!(|place, _| {
        let instances = both(place);
        under_load(&instances, || {
            for _ in 0..15 {
                let code = child::forked(|| {
                    for raw in &instances {
                        assert_eq!(ck!(raw, C_GetInfo, &mut CK_INFO::default()), CKR_CRYPTOKI_NOT_INITIALIZED);
                        assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK);
                    }
                    for raw in &instances {
                        let session = enter(raw);
                        sign(raw, session);
                        raw.create(session, data("from a child")).expect("an object");
                    }
                    instances[0].finalize();
                    0
                });
                assert_eq!(code, 0);
            }
        });
        for raw in &instances {
            assert_eq!(raw.find(enter(raw), data("from a child"), 64).len(), 30);
        }
    });
}

#[test]
fn exit_with_both_copies_at_work_is_clean() {
    isolated!(|place, role| {
        if role == "leaver" {
            let instances = [Raw::start(), Raw::load_path(&place.file("copy-perilune.so"))];
            assert_eq!(ck!(instances[1], C_Initialize, null_mut()), CKR_OK);
            under_load(&instances, || {
                // The words that stand for a success, from a process that never gets as far as to say them itself.
                println!("1 passed");
                // SAFETY: leaves in the middle, with all exit handlers, as a host may.
                unsafe { libc::exit(0) }
            });
        }
        let instances = both(place);
        for _ in 0..3 {
            child::role(place, "leaver", "").succeed();
            for raw in &instances {
                sign(raw, enter(raw));
            }
        }
    });
}

#[test]
fn two_namespaces_of_the_loader_hold_two_instances() {
    let place = Place::new();
    assert!(host(&place, &compiled(&place, "two", &[]), &[], &[]).contains("both signed"));
}

#[test]
fn the_same_file_loaded_twice_is_one_instance() {
    isolated!(|_, _| {
        let (one, other) = (Raw::start(), Raw::load());
        let session = one.user_session();
        assert_eq!(ck!(other, C_Initialize, null_mut()), CKR_CRYPTOKI_ALREADY_INITIALIZED);
        assert_eq!(ck!(other, C_GetSessionInfo, session, &mut CK_SESSION_INFO::default()), CKR_OK);
        drop(other);
        assert_eq!(ck!(one, C_GetSessionInfo, session, &mut CK_SESSION_INFO::default()), CKR_OK);
    });
}

fn proxy() -> Option<PathBuf> {
    let places = ["/usr/lib/x86_64-linux-gnu/p11-kit-proxy.so", "/usr/lib/aarch64-linux-gnu/p11-kit-proxy.so"];
    places.map(PathBuf::from).into_iter().find(|path| path.exists())
}

/// As root p11-kit reads no user's configuration, so it is told that this is somebody else.
#[test]
fn through_p11_kit_and_directly_both_sign_and_see_each_other() {
    let Some(proxy) = proxy() else {
        return outside::skip("p11_kit (mixed)", "p11-kit-proxy.so is not here");
    };
    isolated!(|place, role| {
        if role == "mixed" {
            return mixed(place, &proxy, child::word() == "copy");
        }
        let copy = place.file("copy-perilune.so");
        std::fs::copy(module::path(), &copy).expect("a copy");
        let shim = compiled(place, "not_root", &["-shared", "-fPIC"]);
        // SAFETY: this process has no other thread that reads its environment.
        unsafe { std::env::set_var("LD_PRELOAD", shim) };
        // p11-kit reads its configuration once in a process.
        child::role(place, "mixed", "same file").succeed();
        child::role(place, "mixed", "copy").succeed();
    });
}

fn mixed(place: &Place, proxy: &Path, is_copy: bool) {
    let copy = place.file("copy-perilune.so");
    let folder = place.file("config/pkcs11/modules");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(place.file("config/pkcs11/pkcs11.conf"), "user-config: only\n").expect("a file");
    let path = if is_copy { &copy } else { module::path() };
    std::fs::write(folder.join("tested.module"), format!("module: {}\n", path.display())).expect("a file");
    let direct = Raw::start();
    if direct.slot_of(TOKEN_LABEL).is_none() {
        let session = direct.user_session();
        let both = labelled("pair").flag(CKA_TOKEN, true);
        direct.ec(session, CKM_EC_KEY_PAIR_GEN, &P256, &both).expect("a pair");
    }
    let session = enter(&direct);
    let proxied = Raw::load_path(proxy);
    assert_eq!(ck!(proxied, C_Initialize, null_mut()), CKR_OK);
    let through = enter(&proxied);
    for round in 0..5 {
        sign(&direct, session);
        sign(&proxied, through);
        let label = format!("mixed-{is_copy}-{round}");
        direct.create(session, data(&label)).expect("an object");
        assert_eq!(proxied.find(through, labelled(&label), 10).len(), 1, "{label}");
    }
    // p11-kit ends what it began, and the direct user was there first.
    proxied.finalize();
    assert_eq!(ck!(direct, C_GetSessionInfo, session, &mut CK_SESSION_INFO::default()), CKR_OK);
    sign(&direct, session);
    direct.finalize();

    // The other way round the direct user of the same file loses it, and begins again at once; a copy is its own.
    assert_eq!(ck!(proxied, C_Initialize, null_mut()), CKR_OK);
    let code = ck!(direct, C_Initialize, null_mut());
    // With a copy, p11-kit has an instance of its own.
    assert_eq!(code, if is_copy { CKR_OK } else { CKR_CRYPTOKI_ALREADY_INITIALIZED });
    let session = enter(&direct);
    sign(&proxied, enter(&proxied));
    proxied.finalize();
    let code = ck!(direct, C_GetSessionInfo, session, &mut CK_SESSION_INFO::default());
    if !is_copy {
        assert_eq!(code, CKR_CRYPTOKI_NOT_INITIALIZED, "p11-kit began it, so p11-kit ends it");
        assert_eq!(ck!(direct, C_Initialize, null_mut()), CKR_OK);
    }
    sign(&direct, enter(&direct));
    direct.finalize();
}
