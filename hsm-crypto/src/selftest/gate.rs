//! The gate in front of the preferred engine: a family is tested once, before its first use.
//!
//! Owns: what has been tested in this process. After the first time it costs one atomic load for each key or cipher that is
//! made, and nothing in their operations. The state is an atomic byte and not a lock: two threads may test at the same
//! moment, which does no harm. The tests are the first use of what libraries compute once, which is why they hold a fork off.
//! `digest` cannot report a failure; every other function proves its family along with its own.

use crate::cipher::{AeadParams, Mode};
use crate::error::{CryptoError, Result};
use crate::forks::first_use;
use crate::hash::CipherMac;
use crate::post_quantum::PostQuantum;
use crate::provider::Provider;
use crate::selftest::{Family, run};
use crate::stateful::Stateful;
use std::sync::atomic::{AtomicU8, Ordering};

#[cfg(feature = "aws-lc")]
use crate::aws_lc::PROVIDER as ENGINE;
#[cfg(not(feature = "aws-lc"))]
use crate::portable::PROVIDER as ENGINE;

/// The engine of this build behind its self-tests.
pub(crate) static PROVIDER: Provider = Provider {
    name: ENGINE.name,
    digest: ENGINE.digest,
    hmac: |hash, key| proved(Family::Mac).and_then(|()| (ENGINE.hmac)(hash, key)),
    keyed_blake2b: |hash, key| proved(Family::Mac).and_then(|()| (ENGINE.keyed_blake2b)(hash, key)),
    kmac: |params, key| proved(Family::Mac).and_then(|()| (ENGINE.kmac)(params, key)),
    cmac: |key| proved(Family::Mac).and_then(|()| (ENGINE.cmac)(key)),
    rsa_generate: |bits, exponent, random| {
        proved(Family::Rsa).and_then(|()| (ENGINE.rsa_generate)(bits, exponent, random))
    },
    rsa_private: |parts| proved(Family::Rsa).and_then(|()| (ENGINE.rsa_private)(parts)),
    rsa_public: |modulus, exponent| proved(Family::Rsa).and_then(|()| (ENGINE.rsa_public)(modulus, exponent)),
    ec_generate: |curve, method, random| {
        proved(Family::of(curve)).and_then(|()| (ENGINE.ec_generate)(curve, method, random))
    },
    ec_private: |curve, scalar| proved(Family::of(curve)).and_then(|()| (ENGINE.ec_private)(curve, scalar)),
    ec_public: |curve, point| proved(Family::of(curve)).and_then(|()| (ENGINE.ec_public)(curve, point)),
    ed25519_private: |seed| proved(Family::Edwards).and_then(|()| (ENGINE.ed25519_private)(seed)),
    ed25519_public: |key| proved(Family::Edwards).and_then(|()| (ENGINE.ed25519_public)(key)),
    x25519_private: |key| proved(Family::Edwards).and_then(|()| (ENGINE.x25519_private)(key)),
    ed448_private: |seed| proved(Family::Goldilocks).and_then(|()| (ENGINE.ed448_private)(seed)),
    ed448_public: |key| proved(Family::Goldilocks).and_then(|()| (ENGINE.ed448_public)(key)),
    x448_private: |key| proved(Family::Goldilocks).and_then(|()| (ENGINE.x448_private)(key)),
    cipher_mac: |mac, key| proved(family_of_mac(mac)).and_then(|()| (ENGINE.cipher_mac)(mac, key)),
    cipher: |mode, direction, key| proved(family_of(mode)).and_then(|()| (ENGINE.cipher)(mode, direction, key)),
    gcm: |params, direction, key| proved(Family::Gcm).and_then(|()| (ENGINE.gcm)(params, direction, key)),
    aead: |params, direction, key| proved(family_of_aead(params)).and_then(|()| (ENGINE.aead)(params, direction, key)),
    key_wrap: |kind, key, initial, data| {
        proved(Family::KeyWrap).and_then(|()| (ENGINE.key_wrap)(kind, key, initial, data))
    },
    key_unwrap: |kind, key, initial, data| {
        proved(Family::KeyWrap).and_then(|()| (ENGINE.key_unwrap)(kind, key, initial, data))
    },
    pbkdf2: |hash, password, salt, rounds, out| {
        proved(Family::Pbkdf2).and_then(|()| (ENGINE.pbkdf2)(hash, password, salt, rounds, out))
    },
    post_quantum: PostQuantum {
        ml_kem_private: |set, secret| {
            proved(Family::MlKem).and_then(|()| (ENGINE.post_quantum.ml_kem_private)(set, secret))
        },
        ml_kem_public: |set, key| proved(Family::MlKem).and_then(|()| (ENGINE.post_quantum.ml_kem_public)(set, key)),
        ml_dsa_private: |set, secret| {
            proved(Family::MlDsa).and_then(|()| (ENGINE.post_quantum.ml_dsa_private)(set, secret))
        },
        ml_dsa_public: |set, key| proved(Family::MlDsa).and_then(|()| (ENGINE.post_quantum.ml_dsa_public)(set, key)),
        slh_dsa_expand: |set, seeds| {
            proved(Family::SlhDsa).and_then(|()| (ENGINE.post_quantum.slh_dsa_expand)(set, seeds))
        },
        slh_dsa_private: |set, key| {
            proved(Family::SlhDsa).and_then(|()| (ENGINE.post_quantum.slh_dsa_private)(set, key))
        },
        slh_dsa_public: |set, key| proved(Family::SlhDsa).and_then(|()| (ENGINE.post_quantum.slh_dsa_public)(set, key)),
    },
    stateful: Stateful {
        hss_private: |types, seed| proved(Family::Hss).and_then(|()| (ENGINE.stateful.hss_private)(types, seed)),
        hss_public: |key| proved(Family::Hss).and_then(|()| (ENGINE.stateful.hss_public)(key)),
        xmss_private: |set, seeds| proved(Family::Xmss).and_then(|()| (ENGINE.stateful.xmss_private)(set, seeds)),
        xmss_public: |set, key| proved(Family::Xmss).and_then(|()| (ENGINE.stateful.xmss_public)(set, key)),
    },
};

fn family_of(mode: &Mode) -> Family {
    match mode {
        Mode::Ecb | Mode::Cbc { .. } | Mode::CbcPad { .. } | Mode::Ctr { .. } => Family::Cipher,
        Mode::Ofb { .. } | Mode::Cfb8 { .. } | Mode::Cfb128 { .. } | Mode::CbcCs1 { .. } | Mode::Xts { .. } => {
            Family::MoreModes
        }
        Mode::Cfb1 { .. } | Mode::Cfb64 { .. } => Family::MoreModes,
        Mode::TripleDes(_) => Family::TripleDes,
        Mode::Stream(_) => Family::Stream,
    }
}

fn family_of_aead(params: &AeadParams<'_>) -> Family {
    match params {
        AeadParams::Ccm(_) => Family::Ccm,
        AeadParams::ChaCha20Poly1305 { .. } => Family::Stream,
    }
}

fn family_of_mac(mac: &CipherMac<'_>) -> Family {
    match mac {
        CipherMac::Gmac { .. } | CipherMac::AesCbc | CipherMac::AesXcbc => Family::CipherMac,
        CipherMac::TripleDesCmac | CipherMac::TripleDesCbc => Family::TripleDes,
        CipherMac::Poly1305 => Family::Stream,
    }
}

const UNTESTED: u8 = 0;
const PASSED: u8 = 1;
const FAILED: u8 = 2;

/// What is known of each family, in the order of [`Family::ALL`].
static STATES: [AtomicU8; Family::ALL.len()] = [const { AtomicU8::new(UNTESTED) }; Family::ALL.len()];

/// Lets pass when the family has been tested, which happens here the first time.
fn proved(family: Family) -> Result<()> {
    once(&STATES[family as usize], family, || {
        run(&ENGINE, Family::Digest)?;
        run(&ENGINE, Family::Mac)?;
        run(&ENGINE, family)
    })
}

/// Runs `test` unless its outcome is known, and remembers it.
fn once(state: &AtomicU8, family: Family, test: impl FnOnce() -> Result<()>) -> Result<()> {
    match state.load(Ordering::Acquire) {
        PASSED => Ok(()),
        FAILED => Err(CryptoError::SelfTest(family.name())),
        _ => {
            let outcome = first_use(test);
            match outcome {
                Ok(()) => state.store(PASSED, Ordering::Release),
                Err(CryptoError::SelfTest(_)) => state.store(FAILED, Ordering::Release),
                // Nothing was learnt, for instance because memory was short; the next call tries again.
                Err(_) => {}
            }
            outcome
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_tested_once_and_its_failure_is_remembered() {
        let state = AtomicU8::new(UNTESTED);
        let short_of_memory = CryptoError::OutOfMemory;
        assert_eq!(once(&state, Family::Rsa, || Err(short_of_memory)), Err(short_of_memory));
        assert_eq!(once(&state, Family::Rsa, || Ok(())), Ok(()));
        assert_eq!(once(&state, Family::Rsa, || unreachable!("tested twice")), Ok(()));

        let state = AtomicU8::new(UNTESTED);
        let failure = CryptoError::SelfTest(Family::Rsa.name());
        assert_eq!(once(&state, Family::Rsa, || Err(failure)), Err(failure));
        assert_eq!(once(&state, Family::Rsa, || unreachable!("tested twice")), Err(failure));
    }

    #[test]
    fn a_state_belongs_to_each_family() {
        for (place, family) in Family::ALL.into_iter().enumerate() {
            assert_eq!(family as usize, place);
        }
    }
}
