//! The fast engine: AWS-LC for the hot operations, the portable engine for the rest.
//!
//! Owns: [`PROVIDER`], the one table that says which engine serves which operation, and why. Called through
//! `provider::preferred` when the feature `aws-lc` is on.
//!
//! Forks, threads, exit: AWS-LC starts no thread and registers no `atexit` handler. Its random generator notices a fork by
//! itself (a page that the kernel wipes in the child, or `pthread_atfork`) and reseeds, and cached blinding values are
//! thrown away in the child. Its error queue and generator state live in a `pthread` key with a destructor, so a library
//! that contains this crate must stay mapped until the last thread is gone (link it with `-z nodelete`).

mod allocator;
mod cipher;
mod ec;
mod edwards;
mod hash;
mod object;
mod rsa;

use crate::portable;
use crate::provider::Provider;

/// Which engine serves which operation.
pub(crate) static PROVIDER: Provider = Provider {
    name: "AWS-LC",
    // AWS-LC: hashing with the CPU's instructions, 1.2 to 4 times as fast.
    digest: hash::digest,
    hmac: hash::hmac,
    // Portable: CMAC is a chain of single blocks, bound by the latency of one AES instruction, so nothing is gained.
    cmac: portable::hash::cmac,
    // AWS-LC: 3 to 10 times as fast. Portable for what AWS-LC does not generate (sizes that are no multiple of 128 bits,
    // exponents of 33 bits), for decryption of PKCS#1 v1.5 (implicit rejection) and for the raw fixed points 0, 1, n - 1.
    rsa_generate: rsa::generate,
    rsa_private: rsa::private,
    rsa_public: rsa::public,
    // AWS-LC: 2.5 to 6 times as fast; the scalar of a new key is drawn by the portable engine from the caller's source.
    ec_generate: ec::generate,
    ec_private: ec::private,
    ec_public: ec::public,
    // AWS-LC: signs twice as fast; public keys are read by the portable engine, which is stricter.
    ed25519_private: edwards::ed25519_private,
    ed25519_public: edwards::ed25519_public,
    x25519_private: edwards::x25519_private,
    // AWS-LC: 1.5 to 3 times as fast; framing, padding and limits are shared code.
    cipher: cipher::cipher,
    gcm: cipher::gcm,
    // Portable: a wrapped key is short, and AWS-LC has no AES-192 here and no initial value of KWP to choose.
    key_wrap: portable::key_wrap::key_wrap,
    key_unwrap: portable::key_wrap::key_unwrap,
};
