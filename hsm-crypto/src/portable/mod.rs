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
pub(crate) mod key_wrap;
pub(crate) mod mac;
pub(crate) mod random;
pub(crate) mod rsa;
pub(crate) mod rsa_padding;
pub(crate) mod shake;
pub(crate) mod stealing;
pub(crate) mod stream;
pub(crate) mod xts;

use crate::provider::Provider;

/// Every operation from a maintained crate in Rust.
pub(crate) static PROVIDER: Provider = Provider {
    name: "portable (RustCrypto)",
    digest: hash::digest,
    hmac: hash::hmac,
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
};
