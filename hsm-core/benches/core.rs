//! What an operation costs in the core: session, rules and handles, without the C interface and without a disk.
//!
//! The same names as in `hsm-crypto/benches/engine.rs` and `pkcs11-module/benches/abi.rs`. Keys are session objects; what is searched for are
//! a thousand token objects on a medium in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a measurement fails by panicking")]

use criterion::{Criterion, criterion_group, criterion_main};
use ffi_headers::*;
use hsm_core::template::Template;
use hsm_core::*;
use hsm_crypto::kdf::Argon2Cost;
use hsm_crypto::{CryptoError, Random, SecretBytes};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use token_store::medium::Memory;
use token_store::{DeviceKey, Store};

struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, out: &mut [u8]) -> hsm_crypto::Result<()> {
        getrandom::fill(out).map_err(|_| CryptoError::RandomFailed)
    }
}

struct Noon;

impl Clock for Noon {
    fn unix_seconds(&self) -> i64 {
        1_709_208_000
    }
}

const SIZES: [(usize, &str); 3] = [(64, "64 B"), (1024, "1 KiB"), (1 << 20, "1 MiB")];
const OBJECTS: u64 = 1000;

/// An HSM in memory with a token and a session of its user.
fn hsm() -> (Hsm, SessionHandle) {
    let pin = SecretBytes::copy_of(b"pin-1234");
    let device_key = DeviceKey::new(SecretBytes::new(vec![7; 32])).unwrap();
    let cost = Argon2Cost { memory_kib: 8, passes: 1, lanes: 1 };
    let store = Store::open(Box::new(Memory::new()), &device_key, Arc::new(OsRandom), cost).unwrap();
    let platform = Platform {
        engine: hsm_crypto::preferred(),
        random: Arc::new(OsRandom),
        clock: Arc::new(Noon),
        store: Arc::new(store),
    };
    let hsm = Hsm::new(platform, Config::default()).unwrap();
    hsm.init_token(SlotId(0), &pin, b"bench                           ").unwrap();
    let session = hsm.open_session(SlotId(0), true).unwrap();
    hsm.login(session, CKU_SO, &pin).unwrap();
    hsm.init_pin(session, &pin).unwrap();
    hsm.logout(session).unwrap();
    hsm.login(session, CKU_USER, &pin).unwrap();
    (hsm, session)
}

fn plain(kind: u64) -> Mechanism {
    Mechanism { kind, params: Params::None }
}

fn aes(token: bool, id: u64) -> Template {
    Template::default()
        .with_number(CKA_CLASS, CKO_SECRET_KEY)
        .with_number(CKA_KEY_TYPE, CKK_AES)
        .with_flag(CKA_TOKEN, token)
        .with_flag(CKA_ENCRYPT, true)
        .with(CKA_ID, &id.to_be_bytes())
        .with(CKA_VALUE, &[0x4B; 32])
}

fn core(criterion: &mut Criterion) {
    let (hsm, session) = hsm();
    let mut group = criterion.benchmark_group("core");
    let mut sign = |name: &str, kind: u64, key: ObjectHandle, data: &[u8]| {
        let how = plain(kind);
        group.bench_function(name, |bench| {
            bench.iter(|| {
                hsm.sign_init(session, &how, key).unwrap();
                hsm.sign(session, black_box(data), Room::Bytes(512)).unwrap()
            });
        });
    };
    const P256: [u8; 10] = [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
    let public = Template::default().with(CKA_EC_PARAMS, &P256);
    let private = Template::default().with_flag(CKA_SIGN, true);
    let (_, key) = hsm.generate_key_pair(session, &plain(CKM_EC_KEY_PAIR_GEN), &public, &private).unwrap();
    sign("P-256 sign", CKM_ECDSA, key, &[7; 32]);
    let public = Template::default().with_number(CKA_MODULUS_BITS, 2048);
    let (_, key) = hsm.generate_key_pair(session, &plain(CKM_RSA_PKCS_KEY_PAIR_GEN), &public, &private).unwrap();
    sign("RSA-2048 sign", CKM_RSA_PKCS, key, &[7; 51]);

    let key = hsm.create_object(session, &aes(false, 0)).unwrap();
    let gcm = Params::Gcm { iv: vec![1; 12], aad: Vec::new(), tag_bits: 128 };
    let how = Mechanism { kind: CKM_AES_GCM, params: gcm };
    for (bytes, size) in SIZES {
        let data = vec![7; bytes];
        group.bench_function(format!("AES-GCM {size}"), |bench| {
            bench.iter(|| {
                hsm.encrypt_init(session, &how, key).unwrap();
                hsm.encrypt(session, black_box(&data), Room::Bytes(bytes + 16)).unwrap()
            });
        });
    }
    let how = plain(CKM_SHA256);
    group.bench_function("SHA-256 64 B", |bench| {
        bench.iter(|| {
            hsm.digest_init(session, &how).unwrap();
            hsm.digest(session, black_box(&[7; 64]), Room::Bytes(32)).unwrap()
        });
    });
    for id in 1..=OBJECTS {
        hsm.create_object(session, &aes(true, id)).unwrap();
    }
    let mut id = 0_u64;
    group.bench_function("find by id", |bench| {
        bench.iter(|| {
            id = id % OBJECTS + 1;
            let template = Template::default().with_number(CKA_CLASS, CKO_SECRET_KEY).with(CKA_ID, &id.to_be_bytes());
            hsm.find_init(session, &template).unwrap();
            let found = hsm.find(session, 16).unwrap();
            hsm.find_final(session).unwrap();
            assert_eq!(found.len(), 1);
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = core
}
criterion_main!(benches);
