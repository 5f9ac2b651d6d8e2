//! What an operation costs over the C interface: the built library, loaded as any client loads it, with a store on a disk.
//!
//! The same names as in `hsm-crypto/benches/engine.rs` and `hsm-core/benches/core.rs`. Keys are session objects; what is searched for are a
//! thousand token objects.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a measurement fails by panicking")]

use criterion::{Criterion, criterion_group};
use ffi_headers::*;
use pkcs11_client::{Mechanism, Module, Parameter, Template};
use std::hint::black_box;
use std::process::Command;
use std::time::Duration;

const SIZES: [(usize, &str); 3] = [(64, "64 B"), (1024, "1 KiB"), (1 << 20, "1 MiB")];
const OBJECTS: u64 = 1000;
const PIN: &[u8] = b"pin-1234";
/// Set in the process that measures; its environment names the store, which a process cannot change for itself safely.
const INSIDE: &str = "PERILUNE_BENCH_INSIDE";

/// The library, which cargo builds beside this program, and a session of the user of a new token.
fn module() -> (Module, u64) {
    let library = std::env::current_exe().unwrap().with_file_name("libperilune_pkcs11.so");
    let module = Module::load(&library).unwrap();
    module.initialize().unwrap();
    let slot = module.slots().unwrap()[0];
    module.init_token(slot, PIN, "bench").unwrap();
    let session = module.open_session(slot, true).unwrap();
    module.login_so(session, PIN).unwrap();
    module.init_pin(session, PIN).unwrap();
    module.logout(session).unwrap();
    module.login(session, PIN).unwrap();
    (module, session)
}

fn aes(token: bool, id: u64) -> Template {
    Template::new()
        .number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_AES)
        .flag(CKA_TOKEN, token)
        .flag(CKA_ENCRYPT, true)
        .bytes(CKA_ID, &id.to_be_bytes())
        .bytes(CKA_VALUE, &[0x4B; 32])
}

fn abi(criterion: &mut Criterion) {
    let (module, session) = module();
    let mut out = vec![0; (1 << 20) + 16];
    let mut group = criterion.benchmark_group("abi");
    const P256: [u8; 10] = [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
    let private = Template::new().flag(CKA_SIGN, true);
    for (name, make, public, how, data) in [
        ("P-256 sign", CKM_EC_KEY_PAIR_GEN, Template::new().bytes(CKA_EC_PARAMS, &P256), CKM_ECDSA, &[7; 32][..]),
        (
            "RSA-2048 sign",
            CKM_RSA_PKCS_KEY_PAIR_GEN,
            Template::new().number(CKA_MODULUS_BITS, 2048),
            CKM_RSA_PKCS,
            &[7; 51],
        ),
    ] {
        let (_, key) = module.generate_pair(session, &Mechanism::plain(make), &public, &private).unwrap();
        let how = Mechanism::plain(how);
        group.bench_function(name, |bench| {
            bench.iter(|| module.sign(session, &how, key, black_box(data), &mut out).unwrap());
        });
    }
    let key = module.create(session, &aes(false, 0)).unwrap();
    let how = Mechanism::new(CKM_AES_GCM, Parameter::Gcm(vec![1; 12], Vec::new(), 128));
    for (bytes, size) in SIZES {
        let data = vec![7; bytes];
        group.bench_function(format!("AES-GCM {size}"), |bench| {
            bench.iter(|| module.encrypt(session, &how, key, black_box(&data), &mut out).unwrap());
        });
    }
    let how = Mechanism::plain(CKM_SHA256);
    group.bench_function("SHA-256 64 B", |bench| {
        bench.iter(|| module.digest(session, &how, black_box(&[7; 64]), &mut out).unwrap());
    });
    for id in 1..=OBJECTS {
        module.create(session, &aes(true, id)).unwrap();
    }
    let wanted: Vec<Template> = (1..=OBJECTS)
        .map(|id| Template::new().number(CKA_CLASS, CKO_SECRET_KEY).bytes(CKA_ID, &id.to_be_bytes()))
        .collect();
    let mut turns = wanted.iter().cycle();
    group.bench_function("find by id", |bench| {
        bench.iter(|| {
            let mut found = 0;
            let template = turns.next().expect("there are templates");
            module.find(session, template, &mut [0; 16], |some| found += some.len()).unwrap();
            assert_eq!(found, 1);
        });
    });
    group.finish();
    module.finalize().unwrap();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = abi
}

fn main() {
    if std::env::var_os(INSIDE).is_some() {
        benches();
        Criterion::default().configure_from_args().final_summary();
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let configuration = place.path().join("perilune.toml");
    std::fs::write(&configuration, "store = \"store\"\n[kdf]\nmemory_kib = 64\npasses = 1\n").unwrap();
    let program = std::env::current_exe().unwrap();
    let mut inside = Command::new(program);
    inside.args(std::env::args_os().skip(1)).env("PERILUNE_CONF", configuration).env(INSIDE, "1");
    let status = inside.status().unwrap();
    // The store is removed before this process ends, whichever way the other one went.
    drop(place);
    assert!(status.success(), "{status}");
}
