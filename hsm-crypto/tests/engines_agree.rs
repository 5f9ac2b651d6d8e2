//! Differential tests: what one engine makes, every engine takes, and deterministic results are the same bytes.

#![allow(clippy::unwrap_used, reason = "the lint knows test functions, and not what they share")]

mod common;

use common::{System, engines, random_bytes};
use hsm_crypto::cipher::{Direction, GcmParams, KeyWrap, Mode};
use hsm_crypto::ec::{Curve, ScalarMethod};
use hsm_crypto::rsa::{OaepParams, PssParams, RsaParts};
use hsm_crypto::{CryptoError, Hash, Provider, SecretBytes, SymmetricKey, portable, preferred};
use std::sync::OnceLock;

/// One RSA key for all tests of this file, since generation is slow.
fn rsa_key() -> &'static RsaParts {
    static KEY: OnceLock<RsaParts> = OnceLock::new();
    KEY.get_or_init(|| (preferred().rsa_generate)(1024, &[1, 0, 1], &System).unwrap().parts)
}

/// Every ordered pair of engines.
fn pairs() -> Vec<(&'static Provider, &'static Provider)> {
    engines().into_iter().flat_map(|a| engines().into_iter().map(move |b| (a, b))).collect()
}

/// Hashes to mask with: the same one, and one of each construction.
fn masks(hash: Hash) -> Vec<Hash> {
    let others = [Hash::Sha1, Hash::Sha384, Hash::Sha3_512, Hash::Blake2b256];
    [hash].into_iter().chain(others.into_iter().filter(|other| *other != hash)).collect()
}

#[test]
fn rsa_signatures_of_one_engine_verify_in_every_other() {
    for (signer, verifier) in pairs() {
        let key = (signer.rsa_private)(rsa_key()).unwrap();
        let public = (verifier.rsa_public)(&rsa_key().modulus, &rsa_key().public_exponent).unwrap();
        assert_eq!((key.modulus_bytes(), public.modulus_bytes()), (128, 128));
        for payload_bytes in [0, 1, 51, 128 - 11] {
            let payload = random_bytes(payload_bytes);
            let signature = key.sign_pkcs1(&payload, &System).unwrap();
            assert_eq!(public.verify_pkcs1(&payload, &signature), Ok(()));
        }
        assert_eq!(key.sign_pkcs1(&[0; 118], &System), Err(CryptoError::InputLength));
        assert_eq!(public.verify_pkcs1(&[0; 118], &[0; 128]), Err(CryptoError::InputLength));

        for hash in Hash::ALL {
            for mgf_hash in masks(hash) {
                let room = 128 - hash.output_bytes() - 2;
                for salt_bytes in [0, 1, hash.output_bytes().min(room), room] {
                    let params = PssParams { hash, mgf_hash, salt_bytes };
                    let digest = random_bytes(hash.output_bytes());
                    let signature = key.sign_pss(&params, &digest, &System).unwrap();
                    assert_eq!(public.verify_pss(&params, &digest, &signature), Ok(()), "{params:?}");
                    let other_salt = PssParams { salt_bytes: salt_bytes.abs_diff(1), ..params };
                    assert_eq!(public.verify_pss(&other_salt, &digest, &signature), Err(CryptoError::BadSignature));
                    let other = random_bytes(hash.output_bytes());
                    assert_eq!(public.verify_pss(&params, &other, &signature), Err(CryptoError::BadSignature));
                }
                let params = PssParams { hash, mgf_hash, salt_bytes: room + 1 };
                let digest = random_bytes(hash.output_bytes());
                assert!(matches!(key.sign_pss(&params, &digest, &System), Err(CryptoError::InvalidParameter(_))));
            }
        }
    }
}

#[test]
fn rsa_ciphertexts_of_one_engine_decrypt_in_every_other() {
    for (encrypter, decrypter) in pairs() {
        let key = (decrypter.rsa_private)(rsa_key()).unwrap();
        let public = (encrypter.rsa_public)(&rsa_key().modulus, &rsa_key().public_exponent).unwrap();
        for plain_bytes in [0, 1, 117] {
            let plain = random_bytes(plain_bytes);
            let ciphertext = public.encrypt_pkcs1(&plain, &System).unwrap();
            assert_eq!(key.decrypt_pkcs1(&ciphertext, &System).unwrap().expose(), plain);
        }
        assert_eq!(public.encrypt_pkcs1(&[0; 118], &System), Err(CryptoError::InputLength));

        for hash in Hash::ALL {
            for mgf_hash in masks(hash) {
                for label in [b"".as_slice(), b"label"] {
                    let params = OaepParams { hash, mgf_hash, label: label.to_vec() };
                    let Some(room) = 128_usize.checked_sub(2 * hash.output_bytes() + 2) else {
                        assert_eq!(public.encrypt_oaep(&params, &[], &System), Err(CryptoError::InputLength));
                        let outcome = key.decrypt_oaep(&params, &[0; 128], &System);
                        assert_eq!(outcome, Err(CryptoError::DecryptionFailed));
                        continue;
                    };
                    for plain_bytes in [0, 1, room] {
                        let plain = random_bytes(plain_bytes.min(room));
                        let ciphertext = public.encrypt_oaep(&params, &plain, &System).unwrap();
                        assert_eq!(key.decrypt_oaep(&params, &ciphertext, &System).unwrap().expose(), plain);
                        let other = OaepParams { label: b"other".to_vec(), ..params.clone() };
                        let outcome = key.decrypt_oaep(&other, &ciphertext, &System);
                        assert_eq!(outcome, Err(CryptoError::DecryptionFailed));
                    }
                    let outcome = public.encrypt_oaep(&params, &vec![0; room + 1], &System);
                    assert_eq!(outcome, Err(CryptoError::InputLength));
                }
            }
        }
    }
}

#[test]
fn raw_rsa_is_the_same_in_every_engine_and_refuses_what_is_out_of_range() {
    let blocks: Vec<Vec<u8>> = (0..64)
        .map(|_| {
            let mut block = random_bytes(128);
            block[0] &= 0x7F;
            block
        })
        .chain([vec![0; 128]])
        .collect();
    for engine in engines() {
        let key = (engine.rsa_private)(rsa_key()).unwrap();
        let public = (engine.rsa_public)(&rsa_key().modulus, &rsa_key().public_exponent).unwrap();
        let reference = (portable().rsa_private)(rsa_key()).unwrap();
        for block in &blocks {
            let raised = key.raw(block, &System).unwrap();
            assert_eq!(raised, reference.raw(block, &System).unwrap());
            assert_eq!(&public.raw(raised.expose()).unwrap(), block);
            // Hardly any of them has a padding, and the synthetic message is the same in every engine.
            assert_eq!(key.decrypt_pkcs1(block, &System), reference.decrypt_pkcs1(block, &System));
        }
        for (block, refusal) in [
            (rsa_key().modulus.clone(), CryptoError::InputRange),
            (vec![0xFF; 128], CryptoError::InputRange),
            (vec![0; 127], CryptoError::InputLength),
            (vec![0; 129], CryptoError::InputLength),
            (vec![], CryptoError::InputLength),
        ] {
            assert_eq!(key.raw(&block, &System), Err(refusal));
            assert_eq!(public.raw(&block), Err(refusal));
            assert_eq!(key.decrypt_pkcs1(&block, &System), Err(refusal));
            let oaep = OaepParams { hash: Hash::Sha1, mgf_hash: Hash::Sha1, label: vec![] };
            assert_eq!(key.decrypt_oaep(&oaep, &block, &System), Err(refusal));
        }
    }
}

#[test]
fn ecdsa_signatures_of_one_engine_verify_in_every_other() {
    for (signer, verifier) in pairs() {
        for curve in Curve::ALL {
            let scalar = (signer.ec_generate)(curve, ScalarMethod::Rejection, &System).unwrap().scalar;
            assert_eq!(scalar.len(), curve.field_bytes());
            let key = (signer.ec_private)(curve, scalar.expose()).unwrap();
            let public = (verifier.ec_public)(curve, &key.public_point()).unwrap();
            assert_eq!(public.point(), key.public_point());
            for digest_bytes in [1, 16, 20, 28, 32, 48, 64, 65, 66, 67, 100] {
                let digest = random_bytes(digest_bytes);
                let signature = key.sign(&digest, &System).unwrap();
                assert_eq!(signature.len(), 2 * curve.field_bytes());
                assert_eq!(public.verify(&digest, &signature), Ok(()), "{curve:?}, {digest_bytes} bytes");
                let mut changed = signature.clone();
                changed[curve.field_bytes() - 1] ^= 1;
                assert_eq!(public.verify(&digest, &changed), Err(CryptoError::BadSignature));
            }
            assert_eq!(key.sign(&[], &System), Err(CryptoError::InputLength));
        }
    }
}

#[test]
fn agreement_gives_both_sides_the_same_secret() {
    for (one, other) in pairs() {
        for curve in Curve::ALL {
            let ours = (one.ec_private)(
                curve,
                (one.ec_generate)(curve, ScalarMethod::Rejection, &System).unwrap().scalar.expose(),
            )
            .unwrap();
            let theirs = (other.ec_private)(
                curve,
                (other.ec_generate)(curve, ScalarMethod::Rejection, &System).unwrap().scalar.expose(),
            )
            .unwrap();
            let shared = ours.agree(&theirs.public_point()).unwrap();
            assert_eq!(shared, theirs.agree(&ours.public_point()).unwrap());
            assert_eq!(shared.len(), curve.field_bytes());
        }
        let ours = (one.x25519_private)(&random_bytes(32)).unwrap();
        let theirs = (other.x25519_private)(&random_bytes(32)).unwrap();
        assert_eq!(ours.agree(&theirs.public_key()).unwrap(), theirs.agree(&ours.public_key()).unwrap());
    }
}

#[test]
fn ed25519_signatures_are_the_same_in_every_engine() {
    let seed = random_bytes(32);
    for message_bytes in [0, 1, 64, 1000] {
        let message = random_bytes(message_bytes);
        let reference = (portable().ed25519_private)(&seed).unwrap();
        for engine in engines() {
            let key = (engine.ed25519_private)(&seed).unwrap();
            assert_eq!(key.public_key(), reference.public_key());
            let signature = key.sign(&message).unwrap();
            assert_eq!(signature, reference.sign(&message).unwrap());
            let public = (engine.ed25519_public)(&key.public_key()).unwrap();
            assert_eq!(public.verify(&message, &signature), Ok(()));
            assert_eq!(public.verify(&[message.as_slice(), b"!"].concat(), &signature), Err(CryptoError::BadSignature));
            assert_eq!(public.verify(&message, &signature[..63]), Err(CryptoError::SignatureLength));
        }
    }
}

/// Feeds `input` in pieces of the given lengths, checking every announced length on the way.
fn run_cipher(
    engine: &Provider,
    mode: &Mode,
    direction: Direction,
    key: &[u8],
    input: &[u8],
    pieces: &[usize],
) -> Vec<u8> {
    let mut cipher = (engine.cipher)(mode, direction, &SymmetricKey::copy_of(key)).unwrap();
    let mut out = Vec::new();
    let mut rest = input;
    for piece in pieces.iter().cycle() {
        let (now, later) = rest.split_at((*piece).min(rest.len()));
        let announced = cipher.update_bytes(now.len());
        let before = out.len();
        cipher.update(now, &mut out).unwrap();
        assert_eq!(out.len() - before, announced, "{mode:?}");
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    let (before, most) = (out.len(), cipher.finish_bytes_max(0));
    cipher.finish(&mut out).unwrap();
    assert!(out.len() - before <= most, "{mode:?}");
    out
}

#[test]
fn ciphers_give_the_same_bytes_in_every_engine_however_the_input_is_cut() {
    let iv: [u8; 16] = random_bytes(16).try_into().unwrap();
    let modes = [
        Mode::Ecb,
        Mode::Cbc { iv },
        Mode::CbcPad { iv },
        Mode::Ctr { block: [0; 16], counter_bits: 32 },
        Mode::Ctr { block: iv.map(|byte| byte & 0x7F), counter_bits: 128 },
    ];
    for key_bytes in [16, 24, 32] {
        let key = random_bytes(key_bytes);
        for mode in &modes {
            for len in [0, 1, 15, 16, 17, 32, 100, 4096, 4099] {
                let len = if matches!(mode, Mode::Ecb | Mode::Cbc { .. }) { len / 16 * 16 } else { len };
                let plain = random_bytes(len);
                let reference = run_cipher(portable(), mode, Direction::Encrypt, &key, &plain, &[usize::MAX]);
                for engine in engines() {
                    for pieces in [&[usize::MAX][..], &[1], &[16], &[15, 17, 1, 64]] {
                        let sealed = run_cipher(engine, mode, Direction::Encrypt, &key, &plain, pieces);
                        assert_eq!(sealed, reference, "{}, {mode:?}, {len} bytes", engine.name);
                        assert_eq!(run_cipher(engine, mode, Direction::Decrypt, &key, &sealed, pieces), plain);
                    }
                }
            }
        }
    }
}

fn run_gcm(
    engine: &Provider,
    params: &GcmParams<'_>,
    direction: Direction,
    key: &[u8],
    input: &[u8],
    piece: usize,
) -> Result<Vec<u8>, CryptoError> {
    let mut aead = (engine.gcm)(params, direction, &SymmetricKey::copy_of(key))?;
    let mut out = Vec::new();
    for part in input.chunks(piece) {
        let (before, announced) = (out.len(), aead.update_bytes(part.len()));
        aead.update(part, &mut out)?;
        assert_eq!(out.len() - before, announced);
        assert!(direction == Direction::Encrypt || out.is_empty(), "plaintext was released before its tag");
    }
    let (before, announced) = (out.len(), aead.finish_bytes(0));
    aead.finish(&mut out)?;
    assert_eq!(out.len() - before, announced);
    Ok(out)
}

#[test]
fn gcm_gives_the_same_bytes_in_every_engine_and_opens_nothing_changed() {
    for key_bytes in [16, 24, 32] {
        let key = random_bytes(key_bytes);
        for (iv_bytes, tag_bytes, aad_bytes, len) in [
            (12, 16, 0, 0),
            (12, 16, 20, 64),
            (1, 4, 1, 1),
            (8, 8, 16, 15),
            (16, 12, 17, 4099),
            (60, 13, 0, 33),
            (128, 16, 5, 48),
        ] {
            let (iv, aad, longer) = (random_bytes(iv_bytes), random_bytes(aad_bytes), random_bytes(aad_bytes + 1));
            let params = GcmParams { iv: &iv, aad: &aad, tag_bytes };
            let plain = random_bytes(len);
            let reference = run_gcm(portable(), &params, Direction::Encrypt, &key, &plain, usize::MAX).unwrap();
            assert_eq!(reference.len(), len + tag_bytes);
            for engine in engines() {
                for piece in [1, 16, 31, usize::MAX] {
                    let sealed = run_gcm(engine, &params, Direction::Encrypt, &key, &plain, piece).unwrap();
                    assert_eq!(sealed, reference, "{}, {params:?}", engine.name);
                    assert_eq!(run_gcm(engine, &params, Direction::Decrypt, &key, &sealed, piece).unwrap(), plain);
                }
                for place in [0, reference.len() / 2, reference.len() - 1] {
                    let mut changed = reference.clone();
                    changed[place] ^= 0x80;
                    let outcome = run_gcm(engine, &params, Direction::Decrypt, &key, &changed, 16);
                    assert_eq!(outcome, Err(CryptoError::DecryptionFailed));
                }
                let other = GcmParams { aad: &longer, ..params };
                let outcome = run_gcm(engine, &other, Direction::Decrypt, &key, &reference, 16);
                assert_eq!(outcome, Err(CryptoError::DecryptionFailed));
                let short = &reference[..tag_bytes - 1];
                assert_eq!(
                    run_gcm(engine, &params, Direction::Decrypt, &key, short, 16),
                    Err(CryptoError::InputLength)
                );
            }
        }
    }
}

#[test]
fn digests_and_macs_are_the_same_in_every_engine_however_the_input_is_cut() {
    for len in [0, 1, 16, 55, 64, 127, 128, 1024, 1040, 4097] {
        let data = random_bytes(len);
        for hash in Hash::ALL {
            let mut reference = (portable().digest)(hash);
            reference.update(&data);
            let expected = reference.finish();
            for engine in engines() {
                let mut digest = (engine.digest)(hash);
                // The second round shows that `finish` starts anew.
                for _ in 0..2 {
                    let (first, second) = data.split_at(len / 3);
                    digest.update(first);
                    let mut fork = digest.fork();
                    digest.update(second);
                    assert_eq!(digest.finish(), expected, "{}, {hash:?}", engine.name);
                    fork.update(second);
                    assert_eq!(fork.finish(), expected, "{}, {hash:?}", engine.name);
                }
            }
            for key_bytes in [0, 1, 64, 65, 128, 129, 300] {
                let key = SymmetricKey::copy_of(&random_bytes(key_bytes));
                check_macs(|engine| (engine.hmac)(hash, &key).unwrap(), &data);
            }
        }
        for key_bytes in [16, 24, 32] {
            let key = SymmetricKey::copy_of(&random_bytes(key_bytes));
            check_macs(|engine| (engine.cmac)(&key).unwrap(), &data);
        }
    }
}

fn check_macs(start: impl Fn(&Provider) -> hsm_crypto::secret::SecretBox<dyn hsm_crypto::hash::Mac>, data: &[u8]) {
    let mut reference = start(portable());
    reference.update(data).unwrap();
    let expected = reference.finish().unwrap();
    for engine in engines() {
        let after = |piece: usize| {
            let mut mac = start(engine);
            data.chunks(piece).for_each(|part| mac.update(part).unwrap());
            mac
        };
        for piece in [1, 16, 37, usize::MAX] {
            let mut mac = after(piece);
            assert_eq!(mac.tag_bytes(), expected.len());
            assert_eq!(mac.finish().unwrap(), expected, "{}, parts of {piece} bytes", engine.name);
            assert!(mac.finish().is_err() && mac.update(data).is_err(), "{}: a MAC goes on after its tag", engine.name);
        }
        for (tag, outcome) in [
            (expected.as_slice(), Ok(())),
            (&expected[..4], Ok(())),
            (&[], Err(CryptoError::SignatureLength)),
            (&[expected.as_slice(), &[0]].concat(), Err(CryptoError::SignatureLength)),
            (&expected.iter().map(|byte| byte ^ 1).collect::<Vec<u8>>(), Err(CryptoError::BadSignature)),
        ] {
            assert_eq!(after(usize::MAX).verify(tag), outcome, "{}", engine.name);
        }
    }
}

/// The first operation of each kind has a context of its own, the second makes a template, the others start from copies of it.
#[test]
fn operations_with_one_key_do_not_disturb_each_other() {
    let (plain, iv) = (random_bytes(100), random_bytes(16));
    for engine in engines() {
        let key = SymmetricKey::copy_of(&random_bytes(32));
        for _ in 0..2 {
            let seal = |iv: &[u8], aad: &[u8]| {
                let mut aead = (engine.gcm)(&GcmParams { iv, aad, tag_bytes: 16 }, Direction::Encrypt, &key).unwrap();
                let mut out = Vec::new();
                aead.update(&plain[..33], &mut out).unwrap();
                (aead, out)
            };
            let (mut first, mut sealed) = seal(&iv[..12], b"aad");
            let (mut second, mut other) = seal(&iv, b"");
            let mut macs: Vec<_> = (0..3).map(|_| (engine.cmac)(&key).unwrap()).collect();
            macs[0].update(&plain).unwrap();
            macs[1].update(&plain[1..]).unwrap();
            for (aead, out) in [(&mut first, &mut sealed), (&mut second, &mut other)] {
                aead.update(&plain[33..], out).unwrap();
                aead.finish(out).unwrap();
            }
            let alone = |params: &GcmParams<'_>| {
                run_gcm(portable(), params, Direction::Encrypt, key.expose(), &plain, usize::MAX).unwrap()
            };
            assert_eq!(sealed, alone(&GcmParams { iv: &iv[..12], aad: b"aad", tag_bytes: 16 }), "{}", engine.name);
            assert_eq!(other, alone(&GcmParams { iv: &iv, aad: b"", tag_bytes: 16 }), "{}", engine.name);
            for (mac, message) in macs.iter_mut().zip([&plain[..], &plain[1..], &[]]) {
                let mut reference = (portable().cmac)(&SymmetricKey::copy_of(key.expose())).unwrap();
                reference.update(message).unwrap();
                assert_eq!(mac.finish(), reference.finish(), "{}", engine.name);
            }
        }
    }
}

/// Both engines wrap with the same code, so another library has to judge it; AWS-LC's has no AES-192.
#[cfg(feature = "aws-lc")]
#[test]
fn aws_lc_unwraps_what_is_wrapped_here_and_wraps_the_same_bytes() {
    use aws_lc_rs::key_wrap::{AES_128, AES_256, AesKek, KeyWrap as _, KeyWrapPadded as _};
    let engine = portable();
    for (cipher, key_bytes) in [(&AES_128, 16), (&AES_256, 32)] {
        let key = random_bytes(key_bytes);
        let kek = || AesKek::new(cipher, &key).unwrap();
        let mut out = [0; 2048];
        for len in [16, 24, 32, 256, 1216] {
            let plain = random_bytes(len);
            let wrapped = (engine.key_wrap)(KeyWrap::Kw, &key, None, &plain).unwrap();
            assert_eq!(wrapped, kek().wrap(&plain, &mut out).unwrap(), "KW, {len} bytes");
            assert_eq!(plain, kek().unwrap(&wrapped, &mut out).unwrap(), "KW, {len} bytes");
        }
        for len in [1, 7, 8, 9, 16, 31, 1217] {
            let plain = random_bytes(len);
            let wrapped = (engine.key_wrap)(KeyWrap::Kwp, &key, None, &plain).unwrap();
            assert_eq!(wrapped, kek().wrap_with_padding(&plain, &mut out).unwrap(), "KWP, {len} bytes");
            assert_eq!(plain, kek().unwrap_with_padding(&wrapped, &mut out).unwrap(), "KWP, {len} bytes");
        }
    }
}

#[test]
fn wrapped_keys_unwrap_in_every_engine() {
    for (wrapper, unwrapper) in pairs() {
        for key_bytes in [16, 24, 32] {
            let key = random_bytes(key_bytes);
            for (kind, lengths, initial_bytes) in
                [(KeyWrap::Kw, &[16, 24, 32, 256][..], 8), (KeyWrap::Kwp, &[1, 7, 8, 9, 16, 31, 1217], 4)]
            {
                for len in lengths {
                    let plain = random_bytes(*len);
                    let alternate = random_bytes(initial_bytes);
                    for initial in [None, Some(alternate.as_slice())] {
                        let wrapped = (wrapper.key_wrap)(kind, &key, initial, &plain).unwrap();
                        assert_eq!(wrapped.len(), len.next_multiple_of(8) + 8);
                        let unwrapped = (unwrapper.key_unwrap)(kind, &key, initial, &wrapped).unwrap();
                        assert_eq!(unwrapped, SecretBytes::new(plain.clone()));
                        let other = random_bytes(initial_bytes);
                        let outcome = (unwrapper.key_unwrap)(kind, &key, Some(&other), &wrapped);
                        assert_eq!(outcome, Err(CryptoError::DecryptionFailed));
                        for place in 0..wrapped.len().min(40) {
                            let mut changed = wrapped.clone();
                            changed[place] ^= 4;
                            let outcome = (unwrapper.key_unwrap)(kind, &key, initial, &changed);
                            assert_eq!(outcome, Err(CryptoError::DecryptionFailed));
                        }
                    }
                }
            }
        }
    }
}
