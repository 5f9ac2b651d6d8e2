//! The fast engine: AWS-LC for the hot operations, the portable engine for the rest.
//!
//! Owns: [`PROVIDER`], the one table that says which engine serves which operation, and why. Called through
//! `provider::preferred` when the feature `aws-lc` is on.
//!
//! Forks: AWS-LC's random generator notices one by itself (a page that the kernel wipes in the child) and reseeds, and cached
//! blinding values are thrown away in the child. Its locks it leaves as they were; [`locks`] frees them in the child. Threads: it starts none; its error queue and generator state live in a
//! `pthread` key with a destructor, so a library that contains this crate must stay mapped until the last thread is gone
//! (link it with `-z nodelete`). Exit: ELF destructors close its generator, which
//! threads that are in it do not survive; see [`exit`] for what is done about that.

#[macro_use]
mod hidden;

mod allocator;
mod cipher;
mod ec;
mod edwards;
mod exit;
mod groups;
mod hash;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod locks;
mod object;
mod pbkdf2;
mod post_quantum;
pub(crate) mod random;
mod rsa;

use crate::ec::Curve;
use crate::error::Result;
use crate::hash::{Digest, Hash, Mac};
use crate::portable;
use crate::post_quantum::PostQuantum;
use crate::provider::Provider;
use crate::secret::SecretBox;
use crate::stateful::STATEFUL;
use crate::symmetric::SymmetricKey;

/// Does what `aws-lc-rs` does once in a process, so that no fork can cut another thread off in the middle of it later.
pub(crate) fn begin() {
    aws_lc_rs::init();
}

/// In the child of a fork: no lock of AWS-LC is held and nobody else is inside it, whatever the parent's other threads were doing.
pub(crate) fn forget_other_threads() {
    exit::forget_others();
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    locks::forget();
}

/// What this engine has prepared from a symmetric key.
#[derive(Default)]
pub(crate) struct Prepared {
    hmacs: hash::PreparedHmacs,
    ciphers: cipher::PreparedCiphers,
}

/// Whether the processor computes SHA-256 by instructions of its own.
fn has_sha_instructions() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("sha");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("sha2");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

/// Starts a digest on a processor with instructions for SHA.
fn digest_with_instructions(hash: Hash) -> SecretBox<dyn Digest> {
    match hash {
        Hash::Sha3_256 | Hash::Sha3_384 | Hash::Sha3_512 => hash::digest(hash),
        other => portable::hash::digest(other),
    }
}

/// Which engine serves which operation.
///
/// The factors were measured through this interface in one process on an AMD EPYC with SHA and AVX-512 instructions, for
/// 16 KiB of data where it has a length; other processors differ.
pub(crate) static PROVIDER: Provider = provider(
    // Portable where the processor has SHA instructions: as fast on long data, 1.1 (digest) to 1.3 times (HMAC) as fast on 64 bytes,
    // because its states are plain memory. AWS-LC elsewhere, where the portable code takes up to twice as long, and for SHA-3,
    // which those instructions do not serve: 1.2 times as fast on long data, 0.9 times on 64 bytes.
    |hash| if has_sha_instructions() { digest_with_instructions(hash) } else { hash::digest(hash) },
    |hash, key| if has_sha_instructions() { portable::hmac::hmac(hash, key) } else { hash::hmac(hash, key) },
);

/// The same as it is on processors with and without instructions for SHA.
pub(crate) static ON_PROCESSORS: [Provider; 2] =
    [provider(digest_with_instructions, portable::hmac::hmac), provider(hash::digest, hash::hmac)];

const fn provider(
    digest: fn(Hash) -> SecretBox<dyn Digest>,
    hmac: fn(Hash, &SymmetricKey) -> Result<SecretBox<dyn Mac>>,
) -> Provider {
    Provider {
        name: "AWS-LC",
        digest,
        hmac,
        // Portable: AWS-LC has BLAKE2b without a key and with 32 bytes only, and no KMAC.
        keyed_blake2b: portable::hash::keyed_blake2b,
        kmac: portable::kmac::kmac,
        // AWS-LC: 1.8 times as fast, because CBC runs over many blocks in one call.
        cmac: cipher::cmac,
        // AWS-LC for GMAC, which is GCM. Portable for the others: AWS-LC has no XCBC-MAC, CBC-MACs and triple DES are outlived, and a Poly1305
        // alone is short.
        cipher_mac: cipher::cipher_mac,
        // AWS-LC: signs 10 and verifies 4 times as fast. Portable for what AWS-LC does not generate (sizes that are no multiple of
        // 128 bits, exponents of 33 bits) and for the raw 0, 1 and n - 1.
        rsa_generate: rsa::generate,
        rsa_private: rsa::private,
        rsa_public: rsa::public,
        // AWS-LC for P-256 (6 times as fast), P-384 (3 to 6) and P-521 (1.3 to 4). Portable for secp256k1, where AWS-LC has no code
        // of its own for the curve and takes 2 to 5 times as long.
        ec_generate: |curve, method, random| match curve {
            Curve::K256 => portable::ec::generate(curve, method, random),
            _ => ec::generate(curve, method, random),
        },
        ec_private: |curve, scalar| match curve {
            Curve::K256 => portable::ec::private(curve, scalar),
            _ => ec::private(curve, scalar),
        },
        ec_public: |curve, point| match curve {
            Curve::K256 => portable::ec::public(curve, point),
            _ => ec::public(curve, point),
        },
        // AWS-LC: signs and agrees 2 times as fast; public keys are read by the portable engine, which is stricter. Portable for
        // Ed25519ctx and Ed25519ph, which are rare.
        ed25519_private: edwards::ed25519_private,
        ed25519_public: edwards::ed25519_public,
        x25519_private: edwards::x25519_private,
        // Portable: AWS-LC has neither curve.
        ed448_private: portable::goldilocks::ed448_private,
        ed448_public: portable::goldilocks::ed448_public,
        x448_private: portable::goldilocks::x448_private,
        // AWS-LC: 1.2 to 4 times as fast, GCM 7 times; framing, padding and limits are shared code.
        // Portable for XTS with AES-128, which AWS-LC lacks, for the end of a message in CS1, for triple DES, and for the stream
        // ciphers, of which AWS-LC has only ChaCha20 and the crate's code for it uses the same vector instructions.
        cipher: cipher::cipher,
        gcm: cipher::gcm,
        // AWS-LC: CCM from its CBC and CTR, put together by shared code; ChaCha20-Poly1305 whole. Portable for the longer
        // nonce, which AWS-LC takes for whole messages only.
        aead: cipher::aead,
        // Portable: a wrapped key is short, and `aws-lc-rs` wraps with neither AES-192 nor another initial value.
        key_wrap: portable::key_wrap::key_wrap,
        key_unwrap: portable::key_wrap::key_unwrap,
        // AWS-LC for the hashes that it has for this; the rounds stay inside one call.
        pbkdf2: pbkdf2::pbkdf2,
        post_quantum: PostQuantum {
            // AWS-LC: vector code for ML-KEM and ML-DSA. Portable for deterministic ML-DSA signatures, which AWS-LC does not make from a
            // message representative, for the checks of imported keys, and for SLH-DSA, which AWS-LC has not.
            ml_kem_private: post_quantum::ml_kem_private,
            ml_kem_public: post_quantum::ml_kem_public,
            ml_dsa_private: post_quantum::ml_dsa_private,
            ml_dsa_public: post_quantum::ml_dsa_public,
            slh_dsa_expand: portable::slh_dsa::expand,
            slh_dsa_private: portable::slh_dsa::private,
            slh_dsa_public: portable::slh_dsa::public,
        },
        // The one implementation of this crate: AWS-LC has neither HSS nor XMSS, and their hashes have one block each, where a call into C costs
        // more than it saves.
        stateful: STATEFUL,
    }
}
