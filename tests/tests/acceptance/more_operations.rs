//! Two operations in one call, signatures that carry their data, and verification with the signature first.
//!
//! Rule source: PKCS#11 2.40, 5.11 and 5.12; 3.2, 5.15.

use perilune_tests::ck::*;
use perilune_tests::hand::P256;
use perilune_tests::raw::{Answer, answer, input, plain, sized, with_bytes};
use perilune_tests::{Raw, Template, ck, ck3, isolated, outside};
use std::ptr::null_mut;

/// The end of an operation that gives a result.
fn finish(mut call: impl FnMut(*mut CK_BYTE, *mut CK_ULONG) -> CK_RV) -> Answer<Vec<u8>> {
    let (mut out, mut room) = (vec![0; 1024], 1024);
    answer(call(out.as_mut_ptr(), &mut room))?;
    out.truncate(room as usize);
    Ok(out)
}

/// Feeds one part to a dual function, with a question and too small a buffer first: both must leave no trace.
fn part(
    data: &[u8],
    mut call: impl FnMut(*mut CK_BYTE, CK_ULONG, *mut CK_BYTE, *mut CK_ULONG) -> CK_RV,
) -> Answer<Vec<u8>> {
    let (pointer, length) = input(data);
    let mut size = CK_ULONG::MAX;
    answer(call(pointer, length, null_mut(), &mut size))?;
    if size > 0 {
        let (mut small, mut room) = (vec![0; size as usize], size - 1);
        assert_eq!(call(pointer, length, small.as_mut_ptr(), &mut room), CKR_BUFFER_TOO_SMALL);
        assert_eq!(room, size);
    }
    let (mut out, mut room) = (vec![0; size as usize + 1], size);
    answer(call(pointer, length, out.as_mut_ptr(), &mut room))?;
    out.truncate(room as usize);
    Ok(out)
}

const MESSAGE: &[u8] = b"a message that is neither short nor a whole number of blocks long, as messages are";

#[test]
fn a_digest_and_an_encryption_take_the_same_parts_once() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 32);
        let mut iv = [7; 16];
        let digest = |data: &[u8]| {
            assert_eq!(ck!(raw, C_DigestInit, session, &mut plain(CKM_SHA256)), CKR_OK);
            let (data, length) = input(data);
            finish(|out, room| ck!(raw, C_Digest, session, data, length, out, room)).expect("a digest")
        };
        let expected = digest(MESSAGE);
        let ciphertext = raw.encrypt(session, with_bytes(CKM_AES_CBC_PAD, &mut iv), key, MESSAGE).expect("encrypted");

        assert_eq!(ck!(raw, C_DigestInit, session, &mut plain(CKM_SHA256)), CKR_OK);
        assert_eq!(ck!(raw, C_EncryptInit, session, &mut with_bytes(CKM_AES_CBC_PAD, &mut iv), key), CKR_OK);
        let mut made = Vec::new();
        for piece in MESSAGE.chunks(33) {
            made.extend(
                part(piece, |data, length, out, room| {
                    ck!(raw, C_DigestEncryptUpdate, session, data, length, out, room)
                })
                .expect("a part"),
            );
        }
        made.extend(finish(|out, room| ck!(raw, C_EncryptFinal, session, out, room)).expect("the end"));
        assert_eq!(made, ciphertext);
        assert_eq!(finish(|out, room| ck!(raw, C_DigestFinal, session, out, room)), Ok(expected.clone()));

        // Back again: the plaintext is digested as it comes, the last of it by hand, as the standard says.
        assert_eq!(ck!(raw, C_DigestInit, session, &mut plain(CKM_SHA256)), CKR_OK);
        assert_eq!(ck!(raw, C_DecryptInit, session, &mut with_bytes(CKM_AES_CBC_PAD, &mut iv), key), CKR_OK);
        let mut plaintext = Vec::new();
        for piece in ciphertext.chunks(19) {
            plaintext.extend(
                part(piece, |data, length, out, room| {
                    ck!(raw, C_DecryptDigestUpdate, session, data, length, out, room)
                })
                .expect("a part"),
            );
        }
        let last = finish(|out, room| ck!(raw, C_DecryptFinal, session, out, room)).expect("the end");
        let (pointer, length) = input(&last);
        assert_eq!(ck!(raw, C_DigestUpdate, session, pointer, length), CKR_OK);
        plaintext.extend(&last);
        assert_eq!(plaintext, MESSAGE);
        assert_eq!(finish(|out, room| ck!(raw, C_DigestFinal, session, out, room)), Ok(expected));
    });
}

#[test]
fn a_part_may_be_replaced_in_place_and_its_plaintext_is_what_is_signed() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 16);
        let template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
        let template = template.bytes(CKA_VALUE, &[9; 32]).flag(CKA_SIGN, true).flag(CKA_VERIFY, true);
        let hmac = raw.create(session, template).expect("an HMAC key");
        let tag = raw.sign(session, plain(CKM_SHA256_HMAC), hmac, &MESSAGE[..64]).expect("a tag");
        let mut counter = CK_AES_CTR_PARAMS { ulCounterBits: 32, cb: [1; 16] };
        let mut ctr = || perilune_tests::raw::with(CKM_AES_CTR, &mut counter);
        let ciphertext = raw.encrypt(session, ctr(), key, &MESSAGE[..64]).expect("encrypted");

        let mut buffer = MESSAGE[..64].to_vec();
        let place = buffer.as_mut_ptr();
        assert_eq!(ck!(raw, C_SignInit, session, &mut plain(CKM_SHA256_HMAC), hmac), CKR_OK);
        assert_eq!(ck!(raw, C_EncryptInit, session, &mut ctr(), key), CKR_OK);
        let mut room = 64;
        assert_eq!(ck!(raw, C_SignEncryptUpdate, session, place, 64, place, &mut room), CKR_OK);
        assert_eq!((buffer.clone(), room), (ciphertext, 64));
        assert_eq!(finish(|out, room| ck!(raw, C_EncryptFinal, session, out, room)), Ok(vec![]));
        assert_eq!(finish(|out, room| ck!(raw, C_SignFinal, session, out, room)), Ok(tag.clone()));

        let place = buffer.as_mut_ptr();
        assert_eq!(ck!(raw, C_VerifyInit, session, &mut plain(CKM_SHA256_HMAC), hmac), CKR_OK);
        assert_eq!(ck!(raw, C_DecryptInit, session, &mut ctr(), key), CKR_OK);
        assert_eq!(ck!(raw, C_DecryptVerifyUpdate, session, place, 64, place, &mut room), CKR_OK);
        assert_eq!((&buffer[..], room), (&MESSAGE[..64], 64));
        assert_eq!(finish(|out, room| ck!(raw, C_DecryptFinal, session, out, room)), Ok(vec![]));
        let (proof, length) = input(&tag);
        assert_eq!(ck!(raw, C_VerifyFinal, session, proof, length), CKR_OK);
    });
}

#[test]
fn an_error_of_either_ends_both_and_one_alone_is_not_enough() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 16);
        let (public, private) = raw.rsa(session);
        let (data, length) = input(MESSAGE);
        let (mut out, mut room) = ([0; 256], 256);
        let digest = || assert_eq!(ck!(raw, C_DigestInit, session, &mut plain(CKM_SHA256)), CKR_OK);
        let encrypt = |mechanism| assert_eq!(ck!(raw, C_EncryptInit, session, &mut plain(mechanism), key), CKR_OK);
        let mut dual = || {
            let place = out.as_mut_ptr();
            ck!(raw, C_DigestEncryptUpdate, session, data, length, place, &mut room)
        };
        let idle = || {
            assert_eq!(ck!(raw, C_DigestUpdate, session, data, length), CKR_OPERATION_NOT_INITIALIZED);
            let code = ck!(raw, C_EncryptUpdate, session, data, length, null_mut(), &mut 0);
            assert_eq!(code, CKR_OPERATION_NOT_INITIALIZED);
        };
        // One of the two is missing.
        digest();
        assert_eq!(dual(), CKR_OPERATION_NOT_INITIALIZED);
        idle();
        encrypt(CKM_AES_ECB);
        assert_eq!(dual(), CKR_OPERATION_NOT_INITIALIZED);
        idle();
        // The cipher takes no parts.
        digest();
        encrypt(CKM_AES_KEY_WRAP);
        assert_ne!(dual(), CKR_OK);
        idle();
        // The arguments are bad.
        digest();
        encrypt(CKM_AES_ECB);
        assert_eq!(ck!(raw, C_DigestEncryptUpdate, session, null_mut(), 16, null_mut(), &mut 0), CKR_ARGUMENTS_BAD);
        idle();
        // The signature takes no parts: nothing is encrypted.
        assert_eq!(ck!(raw, C_SignInit, session, &mut plain(CKM_RSA_PKCS), private), CKR_OK);
        encrypt(CKM_AES_ECB);
        let mut kept = [0; 256];
        let code = ck!(raw, C_SignEncryptUpdate, session, data, 32, kept.as_mut_ptr(), &mut 256);
        assert_eq!((code, kept), (CKR_FUNCTION_NOT_SUPPORTED, [0; 256]));
        idle();
        assert_eq!(ck!(raw, C_SignInit, session, &mut plain(CKM_RSA_PKCS), private), CKR_OK, "it is over");
        assert_eq!(ck!(raw, C_VerifyInit, session, &mut plain(CKM_RSA_PKCS), public), CKR_OK);
        let code = ck!(raw, C_DecryptVerifyUpdate, session, data, 32, kept.as_mut_ptr(), &mut 256);
        assert_eq!(code, CKR_OPERATION_NOT_INITIALIZED);
        assert_eq!(ck!(raw, C_VerifyInit, session, &mut plain(CKM_RSA_PKCS), public), CKR_OK, "it is over");
    });
}

/// An RSA pair whose signatures may carry their data.
fn recovering(raw: &Raw, session: CK_SESSION_HANDLE) -> (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
    let public = Template::new().number(CKA_MODULUS_BITS, 2048).flag(CKA_VERIFY_RECOVER, true);
    let private = Template::new().flag(CKA_SIGN_RECOVER, true);
    raw.generate_pair(session, plain(CKM_RSA_PKCS_KEY_PAIR_GEN), public, private).expect("an RSA pair")
}

#[test]
fn a_signature_gives_its_data_back_here_and_outside() {
    isolated!(|place, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (public, private) = recovering(&raw, session);
        let (data, length) = input(b"the data of a signature");
        for (mechanism, block) in [(CKM_RSA_PKCS, false), (CKM_RSA_X_509, true)] {
            assert_eq!(ck!(raw, C_SignRecoverInit, session, &mut plain(mechanism), private), CKR_OK);
            let signature =
                sized(|out, room| ck!(raw, C_SignRecover, session, data, length, out, room)).expect("signed");
            assert_eq!(signature.len(), 256);
            let (proof, proof_length) = input(&signature);
            let code = ck!(raw, C_SignRecover, session, data, length, null_mut(), &mut 0);
            assert_eq!(code, CKR_OPERATION_NOT_INITIALIZED, "it is over");

            assert_eq!(ck!(raw, C_VerifyRecoverInit, session, &mut plain(mechanism), public), CKR_OK);
            assert_eq!(ck!(raw, C_VerifyRecoverInit, session, &mut plain(mechanism), public), CKR_OPERATION_ACTIVE);
            let mut room = 3;
            let mut out = [0; 256];
            let verify = |out: &mut [u8; 256], room: &mut CK_ULONG| {
                ck!(raw, C_VerifyRecover, session, proof, proof_length, out.as_mut_ptr(), room)
            };
            assert_eq!(verify(&mut out, &mut room), CKR_BUFFER_TOO_SMALL);
            assert_eq!(room, if block { 256 } else { length });
            assert_eq!(verify(&mut out, &mut room), CKR_OK);
            assert!(out[..room as usize].ends_with(b"the data of a signature"));
            assert_eq!(verify(&mut out, &mut room), CKR_OPERATION_NOT_INITIALIZED);

            if !block {
                place.write("key", raw.attribute(session, public, CKA_PUBLIC_KEY_INFO).expect("the public key"));
                place.write("signature", &signature);
                let shown = outside::openssl(
                    place,
                    &["pkeyutl", "-verifyrecover", "-pubin", "-keyform", "DER", "-inkey", "key", "-in", "signature"],
                );
                assert_eq!(shown, "the data of a signature");
            }
        }
    });
}

#[test]
fn a_bad_signature_outranks_too_small_a_buffer_and_ends_its_verification() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (recoverer, private) = recovering(&raw, session);
        for (length, expected) in [(256, CKR_SIGNATURE_INVALID), (255, CKR_SIGNATURE_LEN_RANGE)] {
            assert_eq!(ck!(raw, C_VerifyRecoverInit, session, &mut plain(CKM_RSA_PKCS), recoverer), CKR_OK);
            let (signature, mut out) = ([1; 256], [0; 1]);
            let verify = |out: &mut [u8; 1]| {
                ck!(raw, C_VerifyRecover, session, signature.as_ptr().cast_mut(), length, out.as_mut_ptr(), &mut 1)
            };
            assert_eq!(verify(&mut out), expected);
            assert_eq!(verify(&mut out), CKR_OPERATION_NOT_INITIALIZED);
        }
        // The usages of a signature without recovery say nothing of one with it, and the other way round.
        let public =
            Template::new().number(CKA_MODULUS_BITS, 2048).flag(CKA_VERIFY, true).flag(CKA_VERIFY_RECOVER, false);
        let signing = Template::new().flag(CKA_SIGN, true).flag(CKA_SIGN_RECOVER, false);
        let pair = raw.generate_pair(session, plain(CKM_RSA_PKCS_KEY_PAIR_GEN), public, signing);
        let (verifier, signer) = pair.expect("an RSA pair");
        assert_eq!(
            ck!(raw, C_SignRecoverInit, session, &mut plain(CKM_RSA_PKCS), signer),
            CKR_KEY_FUNCTION_NOT_PERMITTED
        );
        assert_eq!(
            ck!(raw, C_VerifyRecoverInit, session, &mut plain(CKM_RSA_PKCS), verifier),
            CKR_KEY_FUNCTION_NOT_PERMITTED
        );
        assert_eq!(ck!(raw, C_SignRecoverInit, session, &mut plain(CKM_ECDSA), private), CKR_MECHANISM_INVALID);
        // Null ends it, and C_SessionCancel does.
        for end in [&|| ck!(raw, C_SignRecoverInit, session, null_mut(), 0), &|| {
            ck3!(raw, C_SessionCancel, session, CKF_SIGN_RECOVER)
        }] as [&dyn Fn() -> CK_RV; 2]
        {
            assert_eq!(ck!(raw, C_SignRecoverInit, session, &mut plain(CKM_RSA_PKCS), private), CKR_OK);
            assert_eq!(end(), CKR_OK);
            let code = ck!(raw, C_SignRecover, session, null_mut(), 0, null_mut(), &mut 0);
            assert_eq!(code, CKR_OPERATION_NOT_INITIALIZED);
        }
    });
}

#[test]
fn a_signature_may_be_given_before_its_data() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let pair = raw.ec(session, CKM_EC_KEY_PAIR_GEN, P256, &Template::new()).expect("a pair");
        let mut mechanism = plain(CKM_ECDSA_SHA256);
        let good = raw.sign(session, mechanism, pair.1, MESSAGE).expect("a signature");
        let mut other = good.clone();
        other[40] ^= 1;
        let mut begin = |signature: &[u8]| {
            let (signature, length) = input(signature);
            ck3!(raw, C_VerifySignatureInit, session, &mut mechanism, pair.0, signature, length)
        };
        let (data, length) = input(MESSAGE);
        let at_once = || ck3!(raw, C_VerifySignature, session, data, length);
        let in_parts = || {
            for piece in MESSAGE.chunks(13) {
                let (data, length) = input(piece);
                assert_eq!(ck3!(raw, C_VerifySignatureUpdate, session, data, length), CKR_OK);
            }
            ck3!(raw, C_VerifySignatureFinal, session)
        };
        for (signature, expected) in
            [(&good[..], CKR_OK), (&other, CKR_SIGNATURE_INVALID), (&good[1..], CKR_SIGNATURE_LEN_RANGE)]
        {
            for verify in [&at_once, &in_parts] as [&dyn Fn() -> CK_RV; 2] {
                assert_eq!((begin(signature), begin(signature)), (CKR_OK, CKR_OPERATION_ACTIVE));
                assert_eq!(verify(), expected);
                assert_eq!(at_once(), CKR_OPERATION_NOT_INITIALIZED, "it is over");
            }
        }
        // In one part only before any part; C_Verify does not know of it; null and a cancel end it.
        assert_eq!(begin(&good), CKR_OK);
        assert_eq!(ck3!(raw, C_VerifySignatureUpdate, session, data, length), CKR_OK);
        assert_eq!(at_once(), CKR_OPERATION_ACTIVE);
        assert_eq!(ck3!(raw, C_VerifySignatureFinal, session), CKR_OPERATION_NOT_INITIALIZED);
        assert_eq!(begin(&good), CKR_OK);
        assert_eq!(ck!(raw, C_VerifyUpdate, session, data, length), CKR_OPERATION_NOT_INITIALIZED);
        assert_eq!(ck3!(raw, C_VerifySignatureInit, session, null_mut(), 0, null_mut(), 0), CKR_OK);
        assert_eq!(at_once(), CKR_OPERATION_NOT_INITIALIZED);
        assert_eq!(begin(&good), CKR_OK);
        assert_eq!(ck3!(raw, C_SessionCancel, session, CKF_VERIFY), CKR_OK);
        assert_eq!(at_once(), CKR_OPERATION_NOT_INITIALIZED);
        // A mechanism that takes the whole message at once.
        mechanism = plain(CKM_ECDSA);
        let digest = [5; 32];
        let signature = raw.sign(session, mechanism, pair.1, &digest).expect("a signature");
        let (proof, proof_length) = input(&signature);
        let (data, length) = input(&digest);
        let mut begin = || ck3!(raw, C_VerifySignatureInit, session, &mut mechanism, pair.0, proof, proof_length);
        assert_eq!(begin(), CKR_OK);
        assert_eq!(ck3!(raw, C_VerifySignature, session, data, length), CKR_OK);
        assert_eq!(begin(), CKR_OK);
        assert_eq!(ck3!(raw, C_VerifySignatureUpdate, session, data, length), CKR_FUNCTION_NOT_SUPPORTED);
        assert_eq!(ck3!(raw, C_VerifySignature, session, data, length), CKR_OPERATION_NOT_INITIALIZED);
    });
}
