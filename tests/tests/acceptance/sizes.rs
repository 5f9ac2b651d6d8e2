//! The size protocol: how outputs ask for room, what keeps an operation and what ends it.
//!
//! Rule source: PKCS#11 2.40, 5.2. A NULL output asks for the size, too little room is told with the size;
//! both keep the operation. Every other error ends it. No byte beyond the room is written.

use perilune_tests::ck::*;
use perilune_tests::raw::{Answer, answer, input, plain, with_bytes};
use perilune_tests::{Raw, ck, isolated};
use std::ptr::null_mut;

const GUARD: u8 = 0xA5;

/// A call that gives an output: `(out, room)` to return value.
type Call<'a> = &'a mut dyn FnMut(*mut CK_BYTE, *mut CK_ULONG) -> CK_RV;

/// Walks a call through the protocol and returns the output: asks with NULL, tries with too little room,
/// then with what was asked for; behind the room lie guard bytes.
fn walk(what: &str, call: Call<'_>) -> Vec<u8> {
    let mut asked = CK_ULONG::MAX;
    assert_eq!(call(null_mut(), &mut asked), CKR_OK, "{what}: the question");
    let mut out = vec![GUARD; asked as usize + 64];
    if asked > 0 {
        for small in [0, asked - 1] {
            let mut room = small;
            let code = call(out.as_mut_ptr(), &mut room);
            assert_eq!(code, CKR_BUFFER_TOO_SMALL, "{what}: room for {small} of {asked}");
            assert!(room > small && room <= asked, "{what}: told {room}, asked {asked}");
            assert!(out.iter().all(|&byte| byte == GUARD), "{what}: wrote into a buffer that was too small");
        }
    }
    let mut room = asked;
    assert_eq!(call(out.as_mut_ptr(), &mut room), CKR_OK, "{what}: the room that was asked for");
    assert!(room <= asked, "{what}");
    assert!(out[asked as usize..].iter().all(|&byte| byte == GUARD), "{what}: wrote beyond its room");
    out.truncate(room as usize);
    out
}

/// After its end an operation is not there any more.
fn ended(what: &str, call: Call<'_>) {
    let mut out = [0; 1024];
    let mut room = out.len() as CK_ULONG;
    assert_eq!(call(out.as_mut_ptr(), &mut room), CKR_OPERATION_NOT_INITIALIZED, "{what}: it goes on");
}

#[test]
fn digests_follow_the_size_protocol() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (data, length) = input(b"abc");
        for (mechanism, bytes) in
            [(CKM_SHA_1, 20), (CKM_SHA224, 28), (CKM_SHA256, 32), (CKM_SHA384, 48), (CKM_SHA512, 64)]
        {
            assert_eq!(ck!(raw, C_DigestInit, session, &mut plain(mechanism)), CKR_OK);
            let call: Call<'_> = &mut |out, room| ck!(raw, C_Digest, session, data, length, out, room);
            assert_eq!(walk("C_Digest", call).len(), bytes);
            ended("C_Digest", call);

            assert_eq!(ck!(raw, C_DigestInit, session, &mut plain(mechanism)), CKR_OK);
            assert_eq!(ck!(raw, C_DigestUpdate, session, data, length), CKR_OK);
            let call: Call<'_> = &mut |out, room| ck!(raw, C_DigestFinal, session, out, room);
            assert_eq!(walk("C_DigestFinal", call).len(), bytes);
            ended("C_DigestFinal", call);
        }
    });
}

#[test]
fn signatures_follow_the_size_protocol() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (public, private) = raw.rsa(session);
        let (data, length) = input(b"a message to be signed");
        let mut mechanism = plain(CKM_SHA256_RSA_PKCS);

        assert_eq!(ck!(raw, C_SignInit, session, &mut mechanism, private), CKR_OK);
        let call: Call<'_> = &mut |out, room| ck!(raw, C_Sign, session, data, length, out, room);
        let one = walk("C_Sign", call);
        ended("C_Sign", call);

        assert_eq!(ck!(raw, C_SignInit, session, &mut mechanism, private), CKR_OK);
        assert_eq!(ck!(raw, C_SignUpdate, session, data, 5), CKR_OK);
        assert_eq!(ck!(raw, C_SignUpdate, session, data.wrapping_add(5), length - 5), CKR_OK);
        let call: Call<'_> = &mut |out, room| ck!(raw, C_SignFinal, session, out, room);
        let parts = walk("C_SignFinal", call);
        ended("C_SignFinal", call);

        assert_eq!(one, parts, "PKCS#1 v1.5 is deterministic");
        assert_eq!(raw.verify(session, mechanism, public, b"a message to be signed", &one), Ok(()));
    });
}

#[test]
fn ciphers_follow_the_size_protocol() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 32);
        for bytes in [0, 1, 15, 16, 17, 1000] {
            let plaintext = vec![7; bytes];
            let (data, length) = input(&plaintext);
            let mut iv = [3; 16];
            let mut mechanism = with_bytes(CKM_AES_CBC_PAD, &mut iv);

            assert_eq!(ck!(raw, C_EncryptInit, session, &mut mechanism, key), CKR_OK);
            let call: Call<'_> = &mut |out, room| ck!(raw, C_Encrypt, session, data, length, out, room);
            let ciphertext = walk("C_Encrypt", call);
            ended("C_Encrypt", call);
            assert_eq!(ciphertext.len(), bytes / 16 * 16 + 16);

            let (sealed, sealed_length) = input(&ciphertext);
            assert_eq!(ck!(raw, C_DecryptInit, session, &mut mechanism, key), CKR_OK);
            let call: Call<'_> = &mut |out, room| ck!(raw, C_Decrypt, session, sealed, sealed_length, out, room);
            assert_eq!(decrypt_walk(call), plaintext);
            ended("C_Decrypt", call);
        }
    });
}

/// As `walk`, but too little room is tried with none at all: the exact size is known only after decrypting.
fn decrypt_walk(call: Call<'_>) -> Vec<u8> {
    let mut asked = 0;
    assert_eq!(call(null_mut(), &mut asked), CKR_OK);
    let mut out = vec![GUARD; asked as usize + 64];
    let mut room = asked;
    assert_eq!(call(out.as_mut_ptr(), &mut room), CKR_OK);
    assert!(out[asked as usize..].iter().all(|&byte| byte == GUARD), "wrote beyond its room");
    out.truncate(room as usize);
    out
}

#[test]
fn multi_part_ciphers_follow_the_size_protocol() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 16);
        let plaintext: Vec<u8> = (0..100).collect();
        let mut iv = [9; 16];
        let mut mechanism = with_bytes(CKM_AES_CBC_PAD, &mut iv);
        let whole = raw.encrypt(session, mechanism, key, &plaintext).expect("one call");

        assert_eq!(ck!(raw, C_EncryptInit, session, &mut mechanism, key), CKR_OK);
        let mut sealed = Vec::new();
        for part in plaintext.chunks(33) {
            let (data, length) = input(part);
            sealed.extend(walk("C_EncryptUpdate", &mut |out, room| {
                ck!(raw, C_EncryptUpdate, session, data, length, out, room)
            }));
        }
        let call: Call<'_> = &mut |out, room| ck!(raw, C_EncryptFinal, session, out, room);
        sealed.extend(walk("C_EncryptFinal", call));
        ended("C_EncryptFinal", call);
        assert_eq!(sealed, whole);

        assert_eq!(ck!(raw, C_DecryptInit, session, &mut mechanism, key), CKR_OK);
        let mut opened = Vec::new();
        for part in sealed.chunks(33) {
            let (data, length) = input(part);
            opened.extend(decrypt_walk(&mut |out, room| ck!(raw, C_DecryptUpdate, session, data, length, out, room)));
        }
        let call: Call<'_> = &mut |out, room| ck!(raw, C_DecryptFinal, session, out, room);
        opened.extend(decrypt_walk(call));
        ended("C_DecryptFinal", call);
        assert_eq!(opened, plaintext);
    });
}

#[test]
fn wrapping_follows_the_size_protocol() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (wrapping, wrapped) = (raw.aes(session, 32), raw.aes(session, 24));
        for mechanism in [CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_KWP] {
            let call: Call<'_> =
                &mut |out, room| ck!(raw, C_WrapKey, session, &mut plain(mechanism), wrapping, wrapped, out, room);
            assert_eq!(walk("C_WrapKey", call).len(), 32, "{mechanism:#x}");
        }
    });
}

#[test]
fn input_and_output_may_be_the_same_buffer() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 32);
        let mut iv = [5; 16];
        for (mechanism, bytes, grows) in
            [(CKM_AES_CBC, 64usize, 0usize), (CKM_AES_CBC_PAD, 61, 3), (CKM_AES_CBC_PAD, 64, 16)]
        {
            let plaintext: Vec<u8> = (0..bytes as u8).collect();
            let mut mechanism = with_bytes(mechanism, &mut iv);
            let apart = raw.encrypt(session, mechanism, key, &plaintext).expect("two buffers");
            let mut buffer = plaintext.clone();
            buffer.resize(bytes + grows, 0);
            let pointer = buffer.as_mut_ptr();
            let mut room = buffer.len() as CK_ULONG;
            assert_eq!(ck!(raw, C_EncryptInit, session, &mut mechanism, key), CKR_OK);
            assert_eq!(ck!(raw, C_Encrypt, session, pointer, bytes as CK_ULONG, pointer, &mut room), CKR_OK);
            assert_eq!(buffer, apart);

            assert_eq!(ck!(raw, C_DecryptInit, session, &mut mechanism, key), CKR_OK);
            let length = buffer.len() as CK_ULONG;
            let pointer = buffer.as_mut_ptr();
            assert_eq!(ck!(raw, C_Decrypt, session, pointer, length, pointer, &mut room), CKR_OK);
            assert_eq!(&buffer[..room as usize], plaintext);
        }
    });
}

#[test]
fn any_other_error_ends_the_operation() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 32);
        let (public, private) = raw.rsa(session);
        let mut iv = [5; 16];
        let mut cbc = with_bytes(CKM_AES_CBC, &mut iv);
        let odd = [1; 17];
        let (data, length) = input(&odd);
        let mut out = [0; 512];
        let mut room = out.len() as CK_ULONG;

        assert_eq!(ck!(raw, C_EncryptInit, session, &mut cbc, key), CKR_OK);
        assert_eq!(ck!(raw, C_Encrypt, session, data, length, out.as_mut_ptr(), &mut room), CKR_DATA_LEN_RANGE);
        ended("C_Encrypt", &mut |out, room| ck!(raw, C_Encrypt, session, data, length, out, room));

        assert_eq!(ck!(raw, C_DecryptInit, session, &mut cbc, key), CKR_OK);
        let code = ck!(raw, C_Decrypt, session, data, length, out.as_mut_ptr(), &mut room);
        assert_eq!(code, CKR_ENCRYPTED_DATA_LEN_RANGE);
        ended("C_Decrypt", &mut |out, room| ck!(raw, C_Decrypt, session, data, length, out, room));

        // C_Verify ends whatever it answers, also for a length that cannot be right.
        for proof in [&[0u8; 256][..], &[0; 10], &[]] {
            let (proof, proof_length) = input(proof);
            assert_eq!(ck!(raw, C_VerifyInit, session, &mut plain(CKM_SHA256_RSA_PKCS), public), CKR_OK);
            let code = ck!(raw, C_Verify, session, data, length, proof, proof_length);
            assert!(matches!(code, CKR_SIGNATURE_INVALID | CKR_SIGNATURE_LEN_RANGE), "{code:#x}");
            let code = ck!(raw, C_Verify, session, data, length, proof, proof_length);
            assert_eq!(code, CKR_OPERATION_NOT_INITIALIZED);
        }

        // A NULL message with a length is a bad argument, and ends the operation as every error does.
        assert_eq!(ck!(raw, C_SignInit, session, &mut plain(CKM_SHA256_RSA_PKCS), private), CKR_OK);
        assert_eq!(ck!(raw, C_Sign, session, null_mut(), 5, out.as_mut_ptr(), &mut room), CKR_ARGUMENTS_BAD);
        ended("C_Sign", &mut |out, room| ck!(raw, C_Sign, session, data, length, out, room));
    });
}

#[test]
fn a_refused_init_leaves_no_operation_behind() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (public, private) = raw.rsa(session);
        let sign = |mechanism: CK_MECHANISM_TYPE, key| ck!(raw, C_SignInit, session, &mut plain(mechanism), key);
        assert_eq!(sign(0x7FFF_0000, private), CKR_MECHANISM_INVALID);
        assert_eq!(sign(CKM_SHA256_RSA_PKCS, 0), CKR_KEY_HANDLE_INVALID);
        assert_eq!(sign(CKM_SHA256_RSA_PKCS, CK_ULONG::MAX), CKR_KEY_HANDLE_INVALID);
        assert_eq!(sign(CKM_ECDSA, private), CKR_KEY_TYPE_INCONSISTENT);
        let code = sign(CKM_SHA256_RSA_PKCS, public);
        assert!(matches!(code, CKR_KEY_TYPE_INCONSISTENT | CKR_KEY_FUNCTION_NOT_PERMITTED), "{code:#x}");
        assert_eq!(sign(CKM_SHA256_RSA_PKCS, private), CKR_OK, "nothing was left active");
        assert_eq!(sign(CKM_SHA256_RSA_PKCS, private), CKR_OPERATION_ACTIVE);
    });
}

#[test]
fn single_part_and_multi_part_calls_do_not_mix() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (data, length) = input(b"abc");
        let digest: Call<'_> = &mut |out, room| ck!(raw, C_Digest, session, data, length, out, room);
        assert_eq!(ck!(raw, C_DigestInit, session, &mut plain(CKM_SHA256)), CKR_OK);
        assert_eq!(ck!(raw, C_DigestUpdate, session, data, length), CKR_OK);
        let mut out = [0; 64];
        let mut room = 64;
        let code = digest(out.as_mut_ptr(), &mut room);
        assert!(matches!(code, CKR_OPERATION_ACTIVE | CKR_OPERATION_NOT_INITIALIZED), "{code:#x}");
        // Final without an update is the digest of nothing.
        let fresh = raw.session(raw.slot_of(perilune_tests::TOKEN_LABEL).expect("the token"));
        assert_eq!(ck!(raw, C_DigestInit, fresh, &mut plain(CKM_SHA256)), CKR_OK);
        room = 64;
        assert_eq!(ck!(raw, C_DigestFinal, fresh, out.as_mut_ptr(), &mut room), CKR_OK);
        assert_eq!(out[..4], [0xE3, 0xB0, 0xC4, 0x42]);
    });
}

#[test]
fn slot_and_mechanism_lists_follow_the_size_protocol() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let slot = raw.new_token();
        let list = |out: *mut CK_MECHANISM_TYPE, count: &mut CK_ULONG| ck!(raw, C_GetMechanismList, slot, out, count);
        let mut count = 0;
        assert_eq!(list(null_mut(), &mut count), CKR_OK);
        let mut found = vec![CK_ULONG::MAX; count as usize + 1];
        let mut few = count - 1;
        assert_eq!(list(found.as_mut_ptr(), &mut few), CKR_BUFFER_TOO_SMALL);
        assert_eq!(few, count);
        assert_eq!(list(found.as_mut_ptr(), &mut count), CKR_OK);
        assert_eq!(found.pop(), Some(CK_ULONG::MAX));
        let mut sorted = found.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), found.len(), "each mechanism is listed once");
        for mechanism in found {
            let mut info = CK_MECHANISM_INFO::default();
            assert_eq!(ck!(raw, C_GetMechanismInfo, slot, mechanism, &mut info), CKR_OK, "{mechanism:#x}");
            assert!(info.ulMinKeySize <= info.ulMaxKeySize);
            assert_ne!(info.flags, 0, "{mechanism:#x} does nothing");
        }
        let unknown = ck!(raw, C_GetMechanismInfo, slot, 0x7FFF_0000, &mut CK_MECHANISM_INFO::default());
        assert_eq!(unknown, CKR_MECHANISM_INVALID);

        let (mut one, mut too_few) = ([0; 1], 1);
        let code = ck!(raw, C_GetSlotList, CK_FALSE, one.as_mut_ptr(), &mut too_few);
        assert_eq!((code, too_few), (CKR_BUFFER_TOO_SMALL, 2), "the token's slot and the spare one");
    });
}

#[test]
fn random_bytes_fill_the_room_and_not_more() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let random = |bytes: usize| -> Answer<Vec<u8>> {
            let mut out = vec![0; bytes + 16];
            answer(ck!(raw, C_GenerateRandom, session, out.as_mut_ptr(), bytes as CK_ULONG))?;
            assert!(out[bytes..].iter().all(|&byte| byte == 0), "wrote beyond its room");
            out.truncate(bytes);
            Ok(out)
        };
        for bytes in [0, 1, 8, 31, 4096, 100_000] {
            let (one, other) = (random(bytes).expect("random"), random(bytes).expect("random"));
            assert!(bytes < 8 || one != other);
        }
        assert!(random(4096).expect("random").iter().any(|&byte| byte != 0));
        let (seed, length) = input(b"a seed as NSS gives one at every start");
        let code = ck!(raw, C_SeedRandom, session, seed, length);
        assert!(matches!(code, CKR_OK | CKR_RANDOM_SEED_NOT_SUPPORTED), "{code:#x}");
    });
}
