//! Runs of messages through the C interface: what is written back into the caller's parameter, and when.
//!
//! Rule source: PKCS#11 3.1, 5.9, 5.11, 5.14, 5.16 and 6.13; 3.2, 5.18 (authenticated wrapping).

use perilune_tests::ck::*;
use perilune_tests::hand::P256;
use perilune_tests::raw::{input, plain, with};
use perilune_tests::{Raw, Template, ck, ck3, isolated};
use std::ptr::{from_mut, null_mut};

/// A `CK_GCM_MESSAGE_PARAMS` with its memory.
struct Gcm {
    iv: [u8; 12],
    tag: [u8; 16],
    fixed_bits: CK_ULONG,
    generator: CK_GENERATOR_FUNCTION,
}

impl Gcm {
    fn new(generator: CK_GENERATOR_FUNCTION) -> Self {
        Self { iv: *b"fixd________", tag: [0; 16], fixed_bits: 32, generator }
    }

    fn params(&mut self) -> CK_GCM_MESSAGE_PARAMS {
        CK_GCM_MESSAGE_PARAMS {
            pIv: self.iv.as_mut_ptr(),
            ulIvLen: 12,
            ulIvFixedBits: self.fixed_bits,
            ivGenerator: self.generator,
            pTag: self.tag.as_mut_ptr(),
            ulTagBits: 128,
        }
    }
}

const SIZE: CK_ULONG = size_of::<CK_GCM_MESSAGE_PARAMS>() as CK_ULONG;
const MESSAGE: &[u8] = b"a message of some length, longer than one block";

fn begin(raw: &Raw, session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) {
    assert_eq!(ck3!(raw, C_MessageEncryptInit, session, &mut plain(CKM_AES_GCM), key), CKR_OK);
    // The standard's own example gives a parameter to the beginning, too.
    let mut params = Gcm::new(CKG_GENERATE).params();
    assert_eq!(ck3!(raw, C_MessageDecryptInit, session, &mut with(CKM_AES_GCM, &mut params), key), CKR_OK);
}

#[test]
fn iv_and_tag_are_written_back_with_the_message_and_not_before() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 32);
        begin(&raw, session, key);
        let (data, length) = input(MESSAGE);
        let (aad, aad_length) = input(b"associated");
        let mut seen = Vec::new();
        for generator in [CKG_GENERATE, CKG_GENERATE, CKG_GENERATE] {
            let mut gcm = Gcm::new(generator);
            let mut params = gcm.params();
            let mut encrypt = |out: *mut CK_BYTE, room: &mut CK_ULONG| {
                let params = from_mut(&mut params).cast();
                ck3!(raw, C_EncryptMessage, session, params, SIZE, aad, aad_length, data, length, out, room)
            };
            let mut room = 0;
            assert_eq!((encrypt(null_mut(), &mut room), room), (CKR_OK, length));
            let mut text = vec![0xA5; MESSAGE.len() + 8];
            room -= 1;
            assert_eq!((encrypt(text.as_mut_ptr(), &mut room), room), (CKR_BUFFER_TOO_SMALL, length));
            // SAFETY: plain memory of this test, which the module was lent and gave back.
            let iv = unsafe { *params.pIv.cast::<[u8; 12]>() };
            // SAFETY: as above.
            let tag = unsafe { *params.pTag.cast::<[u8; 16]>() };
            assert_eq!((&iv, tag), (b"fixd________", [0; 16]), "nothing is written before the message is");
            let mut encrypt = |out: *mut CK_BYTE, room: &mut CK_ULONG| {
                let params = from_mut(&mut params).cast();
                ck3!(raw, C_EncryptMessage, session, params, SIZE, aad, aad_length, data, length, out, room)
            };
            assert_eq!(encrypt(text.as_mut_ptr(), &mut room), CKR_OK);
            assert_eq!((room, &text[MESSAGE.len()..]), (length, &[0xA5; 8][..]));
            text.truncate(MESSAGE.len());
            assert!(gcm.iv.starts_with(b"fixd") && gcm.iv != *b"fixd________" && gcm.tag != [0; 16]);
            assert!(!seen.contains(&gcm.iv));
            seen.push(gcm.iv);

            // The older functions come to the same.
            let mut older = CK_GCM_PARAMS {
                pIv: gcm.iv.as_mut_ptr(),
                ulIvLen: 12,
                ulIvBits: 96,
                pAAD: aad,
                ulAADLen: aad_length,
                ulTagBits: 128,
            };
            let whole = raw.encrypt(session, with(CKM_AES_GCM, &mut older), key, MESSAGE).expect("encrypted");
            assert_eq!(whole, [&text[..], &gcm.tag].concat());

            // And back, in place; then with a tag that is wrong.
            let place = text.as_mut_ptr();
            let mut params = gcm.params();
            let decrypt = |tag_of: &mut CK_GCM_MESSAGE_PARAMS, room: &mut CK_ULONG| {
                let params = from_mut(tag_of).cast();
                ck3!(raw, C_DecryptMessage, session, params, SIZE, aad, aad_length, place, length, place, room)
            };
            assert_eq!((decrypt(&mut params, &mut room), room), (CKR_OK, length));
            assert_eq!(text, MESSAGE);
            assert_eq!(decrypt(&mut params, &mut room), CKR_AEAD_DECRYPT_FAILED, "it is plaintext now");
        }
        assert_eq!(ck3!(raw, C_MessageEncryptFinal, session), CKR_OK);
        assert_eq!(ck3!(raw, C_MessageDecryptFinal, session), CKR_OK);
        assert_eq!(ck3!(raw, C_MessageEncryptFinal, session), CKR_OPERATION_NOT_INITIALIZED);
    });
}

#[test]
fn a_message_in_parts_has_its_iv_at_the_beginning_and_its_tag_at_the_end() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 16);
        begin(&raw, session, key);
        let (aad, aad_length) = input(b"associated");
        let mut gcm = Gcm::new(CKG_GENERATE_COUNTER);
        let mut params = gcm.params();
        let parameter = from_mut(&mut params).cast();
        assert_eq!(ck3!(raw, C_EncryptMessageBegin, session, parameter, SIZE, aad, aad_length), CKR_OK);
        assert_eq!(&gcm.iv, b"fixd\0\0\0\0\0\0\0\0");
        let mut text = vec![0; MESSAGE.len()];
        for (number, (piece, place)) in MESSAGE.chunks(20).zip(text.chunks_mut(20)).enumerate() {
            let flags = if number == 2 { CKF_END_OF_MESSAGE } else { 0 };
            assert_eq!(gcm.tag, [0; 16]);
            let ((data, length), mut room) = (input(piece), piece.len() as CK_ULONG);
            let out = place.as_mut_ptr();
            let mut next =
                |flags| ck3!(raw, C_EncryptMessageNext, session, parameter, SIZE, data, length, out, &mut room, flags);
            assert_eq!(next(flags), CKR_OK);
        }
        assert_ne!(gcm.tag, [0; 16]);
        assert_eq!(ck3!(raw, C_DecryptMessageBegin, session, parameter, SIZE, aad, aad_length), CKR_OK);
        let (data, length) = input(&text);
        let mut out = vec![0xA5; MESSAGE.len()];
        let mut next = |from: usize, bytes: CK_ULONG, room: &mut CK_ULONG, flags| {
            let data = data.wrapping_add(from);
            ck3!(raw, C_DecryptMessageNext, session, parameter, SIZE, data, bytes, out.as_mut_ptr(), room, flags)
        };
        let mut room = length;
        assert_eq!((next(0, 30, &mut room, 0), room), (CKR_OK, 0), "nothing comes before the tag was checked");
        let mut room = 3;
        assert_eq!((next(30, length - 30, &mut room, CKF_END_OF_MESSAGE), room), (CKR_BUFFER_TOO_SMALL, length));
        assert_eq!((next(30, length - 30, &mut room, CKF_END_OF_MESSAGE), room), (CKR_OK, length));
        assert_eq!(out, MESSAGE);
    });
}

#[test]
fn bad_parameters_and_flags_are_refused_and_the_run_goes_on() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 16);
        let mut short = [0; 16];
        let mut mechanism = perilune_tests::raw::with_bytes(CKM_AES_GCM, &mut short);
        assert_eq!(ck3!(raw, C_MessageEncryptInit, session, &mut mechanism, key), CKR_MECHANISM_PARAM_INVALID);
        assert_eq!(ck3!(raw, C_MessageEncryptInit, session, &mut plain(CKM_AES_CBC), key), CKR_MECHANISM_INVALID);
        assert_eq!(ck3!(raw, C_MessageEncryptInit, session, null_mut(), key), CKR_ARGUMENTS_BAD);
        begin(&raw, session, key);
        let (data, length) = input(MESSAGE);
        let mut out = [0; 64];
        let mut encrypt = |params: &mut CK_GCM_MESSAGE_PARAMS, size: CK_ULONG| {
            let params = from_mut(params).cast();
            let place = out.as_mut_ptr();
            ck3!(raw, C_EncryptMessage, session, params, size, null_mut(), 0, data, length, place, &mut 64)
        };
        let mut gcm = Gcm::new(CKG_GENERATE);
        let good = gcm.params();
        assert_eq!(encrypt(&mut { good }, SIZE - 8), CKR_MECHANISM_PARAM_INVALID);
        for bad in [
            CK_GCM_MESSAGE_PARAMS { pTag: null_mut(), ..good },
            CK_GCM_MESSAGE_PARAMS { pIv: null_mut(), ..good },
            CK_GCM_MESSAGE_PARAMS { ulIvLen: 0, ..good },
            CK_GCM_MESSAGE_PARAMS { ulIvLen: CK_ULONG::MAX, ..good },
            CK_GCM_MESSAGE_PARAMS { ulIvFixedBits: 96, ..good },
            CK_GCM_MESSAGE_PARAMS { ivGenerator: 99, ..good },
            CK_GCM_MESSAGE_PARAMS { ulTagBits: 0, ..good },
            CK_GCM_MESSAGE_PARAMS { ulTagBits: CK_ULONG::MAX, ..good },
        ] {
            assert_eq!(encrypt(&mut { bad }, SIZE), CKR_MECHANISM_PARAM_INVALID);
        }
        assert_eq!(encrypt(&mut { good }, SIZE), CKR_OK);
        let mut params = gcm.params();
        let parameter = from_mut(&mut params).cast();
        assert_eq!(ck3!(raw, C_EncryptMessageBegin, session, parameter, SIZE, null_mut(), 4), CKR_ARGUMENTS_BAD);
        assert_eq!(ck3!(raw, C_EncryptMessageBegin, session, parameter, SIZE, null_mut(), 0), CKR_OK);
        let mut next = |flags| {
            let place = out.as_mut_ptr();
            ck3!(raw, C_EncryptMessageNext, session, parameter, SIZE, data, length, place, &mut 64, flags)
        };
        assert_eq!(next(2), CKR_ARGUMENTS_BAD);
        assert_eq!(next(CKF_END_OF_MESSAGE), CKR_OPERATION_NOT_INITIALIZED, "an error ends the message");
        assert_eq!(
            ck3!(raw, C_EncryptMessageBegin, session, parameter, SIZE, null_mut(), 0),
            CKR_OK,
            "the run goes on"
        );
        assert_eq!(ck3!(raw, C_SessionCancel, session, CKF_MESSAGE_ENCRYPT), CKR_OK);
        assert_eq!(next(0), CKR_OPERATION_NOT_INITIALIZED);
        assert_eq!(ck3!(raw, C_MessageDecryptInit, session, null_mut(), 0), CKR_OK);
        assert_eq!(ck3!(raw, C_MessageDecryptFinal, session), CKR_OPERATION_NOT_INITIALIZED);
        let mut info = CK_MECHANISM_INFO::default();
        let slot = raw.slot_of(perilune_tests::TOKEN_LABEL).expect("the token");
        assert_eq!(ck!(raw, C_GetMechanismInfo, slot, CKM_AES_GCM, &mut info), CKR_OK);
        let messages = CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT | CKF_MULTI_MESSAGE;
        assert_eq!(info.flags & messages, messages);
    });
}

#[test]
fn many_messages_are_signed_after_one_beginning() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let pair = raw.ec(session, CKM_EC_KEY_PAIR_GEN, P256, &Template::new()).expect("a pair");
        let mut mechanism = plain(CKM_ECDSA_SHA256);
        assert_eq!(ck3!(raw, C_MessageSignInit, session, &mut mechanism, pair.1), CKR_OK);
        assert_eq!(ck3!(raw, C_MessageVerifyInit, session, &mut mechanism, pair.0), CKR_OK);
        let sign = |data: &[u8], parameter_length| {
            let ((data, length), mut out, mut room) = (input(data), [0; 64], 64);
            let mut parameter = 0u64;
            let pointer = from_mut(&mut parameter).cast();
            let place = out.as_mut_ptr();
            let code = ck3!(raw, C_SignMessage, session, pointer, parameter_length, data, length, place, &mut room);
            (code, out)
        };
        let verify = |data: &[u8], signature: &[u8]| {
            let ((data, length), (proof, proof_length)) = (input(data), input(signature));
            ck3!(raw, C_VerifyMessage, session, null_mut(), 0, data, length, proof, proof_length)
        };
        assert_eq!(sign(b"data", 8).0, CKR_MECHANISM_PARAM_INVALID);
        for message in [&b"one"[..], b"two", b""] {
            let (code, signature) = sign(message, 0);
            assert_eq!((code, verify(message, &signature)), (CKR_OK, CKR_OK));
            assert_eq!(verify(b"other", &signature), CKR_SIGNATURE_INVALID);
            assert_eq!(raw.verify(session, mechanism, pair.0, message, &signature), Ok(()));
        }
        // In parts: no length, more to follow; a length, the last one.
        assert_eq!(ck3!(raw, C_SignMessageBegin, session, null_mut(), 0), CKR_OK);
        let (data, length) = input(b"part");
        let (mut out, mut room) = ([0; 64], 0);
        let next = |out: *mut CK_BYTE, room: *mut CK_ULONG| {
            ck3!(raw, C_SignMessageNext, session, null_mut(), 0, data, length, out, room)
        };
        assert_eq!(next(null_mut(), null_mut()), CKR_OK);
        assert_eq!((next(null_mut(), &mut room), room), (CKR_OK, 64));
        assert_eq!(next(out.as_mut_ptr(), &mut room), CKR_OK);
        assert_eq!(next(out.as_mut_ptr(), &mut room), CKR_OPERATION_NOT_INITIALIZED);
        assert_eq!(verify(b"partpart", &out), CKR_OK);
        assert_eq!(ck3!(raw, C_VerifyMessageBegin, session, null_mut(), 0), CKR_OK);
        let (proof, proof_length) = input(&out);
        let next = |proof: *mut CK_BYTE, proof_length| {
            ck3!(raw, C_VerifyMessageNext, session, null_mut(), 0, data, length, proof, proof_length)
        };
        assert_eq!(next(null_mut(), 0), CKR_OK);
        assert_eq!(next(proof, proof_length), CKR_OK);
        assert_eq!(next(proof, proof_length), CKR_OPERATION_NOT_INITIALIZED);
        assert_eq!(ck3!(raw, C_MessageSignFinal, session), CKR_OK);
        assert_eq!(ck3!(raw, C_MessageVerifyFinal, session), CKR_OK);
        assert_eq!(sign(b"one", 0).0, CKR_OPERATION_NOT_INITIALIZED);
    });
}

#[test]
fn a_key_is_wrapped_with_a_generated_iv_and_associated_data() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (wrapping, key) = (raw.aes(session, 32), raw.aes(session, 16));
        let value = raw.attribute(session, key, CKA_VALUE).expect("its value");
        let (aad, aad_length) = input(b"associated");
        let mut gcm = Gcm::new(CKG_GENERATE);
        let mut params = gcm.params();
        let mut mechanism = with(CKM_AES_GCM, &mut params);
        let mut wrap = |out: *mut CK_BYTE, room: &mut CK_ULONG| {
            ck3!(raw, C_WrapKeyAuthenticated, session, &mut mechanism, wrapping, key, aad, aad_length, out, room)
        };
        let mut room = 0;
        assert_eq!((wrap(null_mut(), &mut room), room), (CKR_OK, 16));
        let mut wrapped = [0; 16];
        assert_eq!((wrap(wrapped.as_mut_ptr(), &mut room), room), (CKR_OK, 16));
        assert!(gcm.iv.starts_with(b"fixd") && gcm.iv != *b"fixd________" && gcm.tag != [0; 16]);
        let mut older = CK_GCM_PARAMS {
            pIv: gcm.iv.as_mut_ptr(),
            ulIvLen: 12,
            ulIvBits: 96,
            pAAD: aad,
            ulAADLen: aad_length,
            ulTagBits: 128,
        };
        let whole = raw.encrypt(session, with(CKM_AES_GCM, &mut older), wrapping, &value).expect("encrypted");
        assert_eq!(whole, [&wrapped[..], &gcm.tag].concat(), "the tag is apart");

        let template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
        let mut template = template.flag(CKA_SENSITIVE, false).flag(CKA_EXTRACTABLE, true);
        let mut list = template.attributes();
        let (entries, count) = (list.as_mut_ptr(), list.len() as CK_ULONG);
        let mut params = gcm.params();
        let mut mechanism = with(CKM_AES_GCM, &mut params);
        let place = wrapped.as_mut_ptr();
        let mut unwrap = |aad_length, key: *mut CK_OBJECT_HANDLE| {
            let mechanism = from_mut(&mut mechanism);
            ck3!(
                raw,
                C_UnwrapKeyAuthenticated,
                session,
                mechanism,
                wrapping,
                place,
                16,
                entries,
                count,
                aad,
                aad_length,
                key
            )
        };
        let mut back = 0;
        assert_eq!(unwrap(aad_length, null_mut()), CKR_ARGUMENTS_BAD);
        assert_eq!(unwrap(aad_length - 1, &mut back), CKR_WRAPPED_KEY_INVALID);
        assert_eq!(unwrap(aad_length, &mut back), CKR_OK);
        assert_eq!(raw.attribute(session, back, CKA_VALUE), Ok(value));
    });
}
