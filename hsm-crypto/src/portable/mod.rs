//! The portable engine: RustCrypto and dalek crates, complete on every platform, without C code.
//!
//! Owns: [`PROVIDER`], one function for each operation of the list. Does not know: the other engine.
//! Called through `provider::portable`, and from `aws_lc` for the operations that stay here.

pub(crate) mod brainpool;
pub(crate) mod ccm;
pub(crate) mod cipher;
pub(crate) mod des;
pub(crate) mod ec;
pub(crate) mod edwards;
pub(crate) mod feedback;
pub(crate) mod goldilocks;
pub(crate) mod hash;
pub(crate) mod hmac;
pub(crate) mod key_wrap;
pub(crate) mod kmac;
pub(crate) mod mac;
pub(crate) mod ml_dsa;
pub(crate) mod ml_kem;
mod narrow;
pub(crate) mod pbkdf2;
pub(crate) mod random;
pub(crate) mod resumable;
pub(crate) mod rsa;
pub(crate) mod rsa_padding;
pub(crate) mod shake;
pub(crate) mod slh_dsa;
pub(crate) mod stealing;
pub(crate) mod stream;
pub(crate) mod tweak;
pub(crate) mod xts;

use crate::post_quantum::PostQuantum;
use crate::provider::Provider;
use crate::stateful::STATEFUL;

/// Every operation from a maintained crate in Rust.
pub(crate) static PROVIDER: Provider = Provider {
    name: "portable (RustCrypto)",
    digest: hash::digest,
    hmac: hmac::hmac,
    keyed_blake2b: hash::keyed_blake2b,
    kmac: kmac::kmac,
    cmac: hash::cmac,
    cipher_mac: mac::cipher_mac,
    rsa_generate: rsa::generate,
    rsa_private: rsa::private,
    rsa_public: rsa::public,
    ec_generate: ec::generate,
    ec_private: ec::private,
    ec_public: ec::public,
    ed25519_private: edwards::ed25519_private,
    ed25519_public: edwards::ed25519_public,
    x25519_private: edwards::x25519_private,
    ed448_private: goldilocks::ed448_private,
    ed448_public: goldilocks::ed448_public,
    x448_private: goldilocks::x448_private,
    cipher: cipher::cipher,
    gcm: cipher::gcm,
    aead: ccm::aead,
    key_wrap: key_wrap::key_wrap,
    key_unwrap: key_wrap::key_unwrap,
    pbkdf2: pbkdf2::pbkdf2,
    post_quantum: PostQuantum {
        ml_kem_private: ml_kem::private,
        ml_kem_public: ml_kem::public,
        ml_dsa_private: ml_dsa::private,
        ml_dsa_public: ml_dsa::public,
        slh_dsa_expand: slh_dsa::expand,
        slh_dsa_private: slh_dsa::private,
        slh_dsa_public: slh_dsa::public,
    },
    stateful: STATEFUL,
};
