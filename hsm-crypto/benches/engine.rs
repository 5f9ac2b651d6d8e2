//! What an operation costs without a token around it: AWS-LC through its own safe face with a prepared key, and the engine's
//! interface as the core calls it.
//!
//! The same operations, under the same names, are measured in `hsm-core/benches/core.rs` and `pkcs11-module/benches/abi.rs`; the difference
//! is what each layer adds.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a measurement fails by panicking")]

use criterion::{Criterion, criterion_group, criterion_main};
use hsm_crypto::cipher::{Direction, GcmParams};
use hsm_crypto::ec::{Curve, ScalarMethod};
use hsm_crypto::{Hash, Random, SymmetricKey, preferred};
use std::hint::black_box;
use std::time::Duration;

struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, out: &mut [u8]) -> hsm_crypto::Result<()> {
        getrandom::fill(out).map_err(|_| hsm_crypto::CryptoError::RandomFailed)
    }
}

const KEY: [u8; 32] = [0x4B; 32];
const SIZES: [(usize, &str); 3] = [(64, "64 B"), (1024, "1 KiB"), (1 << 20, "1 MiB")];

fn engine(criterion: &mut Criterion) {
    let engine = preferred();
    let mut group = criterion.benchmark_group("engine");
    let scalar = (engine.ec_generate)(Curve::P256, ScalarMethod::Rejection, &OsRandom).unwrap().scalar;
    let ec = (engine.ec_private)(Curve::P256, scalar.expose()).unwrap();
    group.bench_function("P-256 sign", |bench| bench.iter(|| ec.sign(black_box(&[7; 32]), &OsRandom).unwrap()));
    let parts = (engine.rsa_generate)(2048, &[1, 0, 1], &OsRandom).unwrap().parts;
    let rsa = (engine.rsa_private)(&parts).unwrap();
    group.bench_function("RSA-2048 sign", |bench| {
        bench.iter(|| rsa.sign_pkcs1(black_box(&[7; 51]), &OsRandom).unwrap());
    });
    let gcm = GcmParams { iv: &[1; 12], aad: &[], tag_bytes: 16 };
    let key = SymmetricKey::copy_of(&KEY);
    for (bytes, size) in SIZES {
        let data = vec![7; bytes];
        group.bench_function(format!("AES-GCM {size}"), |bench| {
            bench.iter(|| {
                let mut out = Vec::with_capacity(bytes + 16);
                let mut cipher = (engine.gcm)(&gcm, Direction::Encrypt, &key).unwrap();
                cipher.update(black_box(&data), &mut out).unwrap();
                cipher.finish(&mut out).unwrap();
                out
            });
        });
    }
    group.bench_function("SHA-256 64 B", |bench| {
        bench.iter(|| {
            let mut digest = (engine.digest)(Hash::Sha256);
            digest.update(black_box(&[7; 64]));
            digest.finish()
        });
    });
    group.finish();
}

/// The limit: the library alone, keys prepared, results written in place.
#[cfg(feature = "aws-lc")]
fn library(criterion: &mut Criterion) {
    use aws_lc_rs::{aead, digest, rand, rsa, signature};
    let random = rand::SystemRandom::new();
    let mut group = criterion.benchmark_group("aws-lc");
    let pair = signature::EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    // It signs messages, not digests: one block of SHA-256 more.
    group.bench_function("P-256 sign", |bench| bench.iter(|| pair.sign(&random, black_box(&[7; 32])).unwrap()));
    let pair = signature::RsaKeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let mut out = vec![0; 256];
    group.bench_function("RSA-2048 sign", |bench| {
        bench.iter(|| pair.sign(&signature::RSA_PKCS1_SHA256, &random, black_box(&[7; 51]), &mut out).unwrap());
    });
    let key = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_256_GCM, &KEY).unwrap());
    for (bytes, size) in SIZES {
        let mut data = vec![7; bytes];
        group.bench_function(format!("AES-GCM {size}"), |bench| {
            bench.iter(|| {
                let nonce = aead::Nonce::assume_unique_for_key([1; 12]);
                key.seal_in_place_separate_tag(nonce, aead::Aad::empty(), black_box(&mut data)).unwrap()
            });
        });
    }
    group.bench_function("SHA-256 64 B", |bench| bench.iter(|| digest::digest(&digest::SHA256, black_box(&[7; 64]))));
    group.finish();
}

#[cfg(not(feature = "aws-lc"))]
fn library(_: &mut Criterion) {}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = library, engine
}
criterion_main!(benches);
