//! The state of operations with a key: signatures in parts, MACs and ciphers, taken out of one session and put into another.
//!
//! Rule source: PKCS#11 2.40, 5.6 (C_GetOperationState, C_SetOperationState).

use perilune_tests::ck::*;
use perilune_tests::raw::{Answer, input, plain, sized, with, with_bytes};
use perilune_tests::{Raw, TOKEN_LABEL, Template, USER_PIN, child, ck, isolated, module};

const MESSAGE: [u8; 80] = [0x6D; 80];
/// Not at the end of a block, so that something waits.
const CUT: usize = 37;
const P256: &[u8] = &[6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];

#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Sign,
    Verify,
    Encrypt,
    Decrypt,
}
use Kind::*;

fn init(raw: &Raw, session: CK_SESSION_HANDLE, kind: Kind, mut mechanism: CK_MECHANISM, key: CK_OBJECT_HANDLE) {
    let code = match kind {
        Sign => ck!(raw, C_SignInit, session, &mut mechanism, key),
        Verify => ck!(raw, C_VerifyInit, session, &mut mechanism, key),
        Encrypt => ck!(raw, C_EncryptInit, session, &mut mechanism, key),
        Decrypt => ck!(raw, C_DecryptInit, session, &mut mechanism, key),
    };
    assert_eq!(code, CKR_OK, "{kind:?} with {:#x}", mechanism.mechanism);
}

/// Takes in a part; what comes out.
fn update(raw: &Raw, session: CK_SESSION_HANDLE, kind: Kind, part: &[u8]) -> Vec<u8> {
    let (part, length) = input(part);
    let mut out = vec![0; length as usize + 32];
    let mut room = out.len() as CK_ULONG;
    let code = match kind {
        Sign => ck!(raw, C_SignUpdate, session, part, length),
        Verify => ck!(raw, C_VerifyUpdate, session, part, length),
        Encrypt => ck!(raw, C_EncryptUpdate, session, part, length, out.as_mut_ptr(), &mut room),
        Decrypt => ck!(raw, C_DecryptUpdate, session, part, length, out.as_mut_ptr(), &mut room),
    };
    assert_eq!(code, CKR_OK);
    out.truncate(if matches!(kind, Sign | Verify) { 0 } else { room as usize });
    out
}

/// Ends what makes something.
fn finish(raw: &Raw, session: CK_SESSION_HANDLE, kind: Kind) -> Answer<Vec<u8>> {
    sized(|out, room| match kind {
        Sign => ck!(raw, C_SignFinal, session, out, room),
        Encrypt => ck!(raw, C_EncryptFinal, session, out, room),
        Decrypt => ck!(raw, C_DecryptFinal, session, out, room),
        Verify => CKR_FUNCTION_NOT_SUPPORTED,
    })
}

fn finish_verify(raw: &Raw, session: CK_SESSION_HANDLE, signature: &[u8]) -> CK_RV {
    let (signature, length) = input(signature);
    ck!(raw, C_VerifyFinal, session, signature, length)
}

/// Gives an operation up.
fn end(raw: &Raw, session: CK_SESSION_HANDLE, kind: Kind) {
    let code = match kind {
        Sign => ck!(raw, C_SignInit, session, std::ptr::null_mut(), 0),
        Verify => ck!(raw, C_VerifyInit, session, std::ptr::null_mut(), 0),
        Encrypt => ck!(raw, C_EncryptInit, session, std::ptr::null_mut(), 0),
        Decrypt => ck!(raw, C_DecryptInit, session, std::ptr::null_mut(), 0),
    };
    assert_eq!(code, CKR_OK, "a null mechanism ends it");
}

fn state(raw: &Raw, session: CK_SESSION_HANDLE) -> Answer<Vec<u8>> {
    sized(|out, room| ck!(raw, C_GetOperationState, session, out, room))
}

/// `keys`: for the cipher, for the signature.
fn restore(raw: &Raw, session: CK_SESSION_HANDLE, state: &[u8], keys: (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)) -> CK_RV {
    let (state, length) = input(state);
    ck!(raw, C_SetOperationState, session, state, length, keys.0, keys.1)
}

/// The place of a key in C_SetOperationState.
fn placed(kind: Kind, key: CK_OBJECT_HANDLE) -> (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
    if matches!(kind, Encrypt | Decrypt) { (key, 0) } else { (0, key) }
}

/// Whether the module's HMAC tells its state: where the processor has no instructions for SHA, AWS-LC computes it, which does not.
fn hmac_is_told() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("sha");
    #[cfg(not(target_arch = "x86_64"))]
    return true;
}

fn secret(raw: &Raw, session: CK_SESSION_HANDLE, value: &[u8], more: &Template) -> CK_OBJECT_HANDLE {
    let template = Template::new()
        .number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
        .bytes(CKA_VALUE, value)
        .flag(CKA_SIGN, true)
        .flag(CKA_VERIFY, true)
        .and(more);
    raw.create(session, template).expect("a secret")
}

fn aes(raw: &Raw, session: CK_SESSION_HANDLE, byte: u8, more: &Template) -> CK_OBJECT_HANDLE {
    let mut template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
    for usage in [CKA_SIGN, CKA_VERIFY, CKA_ENCRYPT, CKA_DECRYPT] {
        template = template.flag(usage, true);
    }
    raw.create(session, template.bytes(CKA_VALUE, &[byte; 32]).and(more)).expect("an AES key")
}

/// Why the portable engine has less.
const HIDES_STATE: &str = "the crate cmac of the portable engine hides its state";

#[test]
fn signatures_in_parts_go_on_in_another_session() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let slot = raw.new_token();
        let (one, other) = (raw.session(slot), raw.session(slot));
        assert_eq!(raw.login(one, CKU_USER, USER_PIN), Ok(()));
        let mut pss = CK_RSA_PKCS_PSS_PARAMS { hashAlg: CKM_SHA384, mgf: CKG_MGF1_SHA384, sLen: 20 };
        let rsa = raw.rsa(one);
        let ec = raw.ec(one, CKM_EC_KEY_PAIR_GEN, P256, &Template::new()).expect("a pair");
        let cases = [
            (plain(CKM_SHA256_RSA_PKCS), rsa),
            (plain(CKM_SHA3_512_RSA_PKCS), rsa),
            (with(CKM_SHA384_RSA_PKCS_PSS, &mut pss), rsa),
            (plain(CKM_ECDSA_SHA1), ec),
            (plain(CKM_ECDSA_SHA512), ec),
        ];
        for (mechanism, (public, private)) in cases {
            for cut in [0, CUT, MESSAGE.len()] {
                init(&raw, one, Sign, mechanism, private);
                if cut > 0 {
                    update(&raw, one, Sign, &MESSAGE[..cut]);
                }
                let saved = state(&raw, one).expect("a state");
                // It is sealed, so the same state looks different each time, and taking it out changes nothing.
                assert_ne!(state(&raw, one).as_ref(), Ok(&saved));
                assert_eq!(restore(&raw, other, &saved, (0, private)), CKR_OK, "{:#x}", mechanism.mechanism);
                let mut signatures = Vec::new();
                for session in [one, other] {
                    if cut < MESSAGE.len() {
                        update(&raw, session, Sign, &MESSAGE[cut..]);
                    }
                    signatures.push(finish(&raw, session, Sign).expect("signed"));
                }
                for signature in &signatures {
                    assert_eq!(raw.verify(one, mechanism, public, &MESSAGE, signature), Ok(()));
                    // The verification is saved as well; its signature comes at the end.
                    init(&raw, one, Verify, mechanism, public);
                    if cut > 0 {
                        update(&raw, one, Verify, &MESSAGE[..cut]);
                    }
                    let saved = state(&raw, one).expect("a state");
                    for end in [&MESSAGE[cut..], b"another end"] {
                        assert_eq!(restore(&raw, other, &saved, (0, public)), CKR_OK);
                        if !end.is_empty() {
                            update(&raw, other, Verify, end);
                        }
                        let good = if end == &MESSAGE[cut..] { CKR_OK } else { CKR_SIGNATURE_INVALID };
                        assert_eq!(finish_verify(&raw, other, signature), good);
                    }
                    update(&raw, one, Verify, b"wrong");
                    assert_eq!(finish_verify(&raw, one, signature), CKR_SIGNATURE_INVALID);
                }
            }
        }
    });
}

#[test]
fn macs_and_ciphers_go_on_in_another_session_wherever_they_were_cut() {
    if !module::has_aws_lc("macs_and_ciphers_go_on_in_another_session_wherever_they_were_cut", HIDES_STATE) {
        return;
    }
    isolated!(|_, _| {
        let raw = Raw::start();
        let slot = raw.new_token();
        let (one, other) = (raw.session(slot), raw.session(slot));
        assert_eq!(raw.login(one, CKU_USER, USER_PIN), Ok(()));
        let generic = secret(&raw, one, &[5; 20], &Template::new());
        let key = aes(&raw, one, 7, &Template::new());
        let (mut iv, mut length) = ([9; 16], 5 as CK_ULONG);
        let mut counter = CK_AES_CTR_PARAMS { ulCounterBits: 32, cb: [3; 16] };
        let mut cases = vec![(plain(CKM_AES_CMAC), key, Sign), (with(CKM_AES_CMAC_GENERAL, &mut length), key, Sign)];
        if hmac_is_told() {
            cases.push((plain(CKM_SHA256_HMAC), generic, Sign));
            cases.push((plain(CKM_SHA3_384_HMAC), generic, Sign));
            cases.push((with(CKM_SHA512_HMAC_GENERAL, &mut length), generic, Sign));
        }
        for kind in [Encrypt, Decrypt] {
            cases.push((plain(CKM_AES_ECB), key, kind));
            cases.push((with(CKM_AES_CTR, &mut counter), key, kind));
            for mode in [CKM_AES_CBC, CKM_AES_CBC_PAD, CKM_AES_CTS, CKM_AES_OFB, CKM_AES_CFB8, CKM_AES_CFB128] {
                cases.push((with_bytes(mode, &mut iv), key, kind));
            }
        }
        for (mechanism, key, kind) in cases {
            let message = match kind {
                // A ciphertext that decrypts, padding included.
                Decrypt => raw.encrypt(one, mechanism, key, &MESSAGE).expect("encrypted"),
                Sign | Verify | Encrypt => MESSAGE.to_vec(),
            };
            let whole = match kind {
                Sign | Verify => raw.sign(one, mechanism, key, &message),
                Encrypt => raw.encrypt(one, mechanism, key, &message),
                Decrypt => raw.decrypt(one, mechanism, key, &message),
            };
            let whole = whole.expect("the whole");
            for cut in [0, 1, 15, 16, 17, CUT, 64, 79] {
                init(&raw, one, kind, mechanism, key);
                let begun = if cut > 0 { update(&raw, one, kind, &message[..cut]) } else { Vec::new() };
                let saved = state(&raw, one).expect("a state");
                assert_eq!(restore(&raw, other, &saved, placed(kind, key)), CKR_OK, "{:#x}", mechanism.mechanism);
                for session in [other, one] {
                    let mut out = begun.clone();
                    out.extend(update(&raw, session, kind, &message[cut..]));
                    out.extend(finish(&raw, session, kind).expect("the end"));
                    assert_eq!(out, whole, "{:#x} cut at {cut}", mechanism.mechanism);
                }
            }
            if kind == Sign {
                init(&raw, one, Verify, mechanism, key);
                update(&raw, one, Verify, &message[..CUT]);
                let saved = state(&raw, one).expect("a state");
                assert_eq!(restore(&raw, other, &saved, (0, key)), CKR_OK);
                update(&raw, other, Verify, &message[CUT..]);
                assert_eq!(finish_verify(&raw, other, &whole), CKR_OK);
                assert_eq!(finish_verify(&raw, one, &whole), CKR_SIGNATURE_INVALID, "only the beginning is there");
            }
        }
    });
}

#[test]
fn operations_with_keys_of_the_token_go_on_in_another_process() {
    isolated!(|place, role| {
        let raw = Raw::start();
        let find = |session, class| raw.find(session, Template::new().number(CKA_CLASS, class), 9);
        if role == "other" {
            let session = raw.session(raw.slot_of(TOKEN_LABEL).expect("the token"));
            let (cipher, signature) = (place.read("cipher"), place.read("signature"));
            // The keys are private ones, so what is known of their operations is, too.
            for saved in [&cipher, &signature] {
                assert_eq!(restore(&raw, session, saved, (1, 1)), CKR_SAVED_STATE_INVALID);
            }
            assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
            let [key] = find(session, CKO_SECRET_KEY)[..] else { panic!("one secret key") };
            let [private] = find(session, CKO_PRIVATE_KEY)[..] else { panic!("one private key") };
            assert_eq!(restore(&raw, session, &cipher, (key, 0)), CKR_OK);
            let mut out = place.read("begun");
            out.extend(update(&raw, session, Encrypt, &MESSAGE[CUT..]));
            out.extend(finish(&raw, session, Encrypt).expect("the end"));
            let mut iv = [4; 16];
            assert_eq!(raw.encrypt(session, with_bytes(CKM_AES_CBC_PAD, &mut iv), key, &MESSAGE), Ok(out));
            assert_eq!(restore(&raw, session, &signature, (0, private)), CKR_OK);
            update(&raw, session, Sign, &MESSAGE[CUT..]);
            place.write("signed", finish(&raw, session, Sign).expect("signed"));
            return;
        }
        let slot = raw.new_token();
        let session = raw.session(slot);
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        let kept = Template::new().flag(CKA_TOKEN, true).flag(CKA_PRIVATE, true);
        let key = aes(&raw, session, 7, &kept);
        let (public, private) = raw.ec(session, CKM_EC_KEY_PAIR_GEN, P256, &kept).expect("a pair");
        let mut iv = [4; 16];
        init(&raw, session, Encrypt, with_bytes(CKM_AES_CBC_PAD, &mut iv), key);
        place.write("begun", update(&raw, session, Encrypt, &MESSAGE[..CUT]));
        place.write("cipher", state(&raw, session).expect("a state"));
        assert!(finish(&raw, session, Encrypt).is_ok());
        init(&raw, session, Sign, plain(CKM_ECDSA_SHA256), private);
        update(&raw, session, Sign, &MESSAGE[..CUT]);
        let saved = state(&raw, session).expect("a state");
        place.write("signature", &saved);
        child::role(place, "other", "").succeed();
        let signature = place.read("signed");
        assert_eq!(raw.verify(session, plain(CKM_ECDSA_SHA256), public, &MESSAGE, &signature), Ok(()));

        // After the logout it is nobody's, and after the next login the user's again.
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        assert_eq!(state(&raw, session), Err(CKR_OPERATION_NOT_INITIALIZED));
        assert_eq!(restore(&raw, session, &saved, (0, private)), CKR_SAVED_STATE_INVALID);
        assert_eq!(raw.login(session, CKU_SO, perilune_tests::SO_PIN), Ok(()));
        assert_eq!(restore(&raw, session, &saved, (0, private)), CKR_SAVED_STATE_INVALID);
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        let [private] = find(session, CKO_PRIVATE_KEY)[..] else { panic!("one private key") };
        assert_eq!(restore(&raw, session, &saved, (0, private)), CKR_OK);
        update(&raw, session, Sign, &MESSAGE[CUT..]);
        let signature = finish(&raw, session, Sign).expect("signed");
        assert_eq!(raw.verify(session, plain(CKM_ECDSA_SHA256), public, &MESSAGE, &signature), Ok(()));
    });
}

#[test]
fn the_key_must_be_given_and_be_the_same() {
    if !module::has_aws_lc("the_key_must_be_given_and_be_the_same", HIDES_STATE) {
        return;
    }
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let none = Template::new();
        let (key, same, another) =
            (aes(&raw, session, 7, &none), aes(&raw, session, 7, &none), aes(&raw, session, 8, &none));
        let (public, private) = raw.rsa(session);
        let labelled = aes(&raw, session, 7, &Template::new().text(CKA_LABEL, "the same"));
        for (kind, mechanism) in
            [(Sign, CKM_AES_CMAC), (Verify, CKM_AES_CMAC), (Encrypt, CKM_AES_ECB), (Decrypt, CKM_AES_ECB)]
        {
            init(&raw, session, kind, plain(mechanism), key);
            let begun = update(&raw, session, kind, &MESSAGE[..CUT]);
            let saved = state(&raw, session).expect("a state");
            let other_place = |key| if matches!(kind, Encrypt | Decrypt) { (0, key) } else { (key, 0) };
            for (keys, expected) in [
                ((0, 0), CKR_KEY_NEEDED),
                (other_place(key), CKR_KEY_NEEDED),
                ((key, key), CKR_KEY_NOT_NEEDED),
                (placed(kind, another), CKR_KEY_CHANGED),
                (placed(kind, public), CKR_KEY_CHANGED),
                (placed(kind, private), CKR_KEY_CHANGED),
                (placed(kind, 0xFFFF_FFFF), CKR_KEY_HANDLE_INVALID),
            ] {
                assert_eq!(restore(&raw, session, &saved, keys), expected, "{kind:?}, {keys:?}");
            }
            // A changed state is found before the keys are looked at, and in none of these cases anything was given up.
            for at in 0..saved.len() {
                let mut bad = saved.clone();
                bad[at] ^= 1;
                assert_eq!(restore(&raw, session, &bad, placed(kind, key)), CKR_SAVED_STATE_INVALID, "byte {at}");
                assert_eq!(restore(&raw, session, &saved[..at], placed(kind, key)), CKR_SAVED_STATE_INVALID);
            }
            assert_eq!(
                update(&raw, session, kind, &MESSAGE[CUT..48]).len(),
                48 - begun.len() - if begun.is_empty() { 48 } else { 0 }
            );
            // The same value is the same key, whatever its handle.
            for good in [same, labelled] {
                assert_eq!(restore(&raw, session, &saved, placed(kind, good)), CKR_OK);
            }
            end(&raw, session, kind);
        }
    });
}

#[test]
fn a_destroyed_key_takes_its_states_along() {
    if !module::has_aws_lc("a_destroyed_key_takes_its_states_along", HIDES_STATE) {
        return;
    }
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = aes(&raw, session, 7, &Template::new());
        init(&raw, session, Sign, plain(CKM_AES_CMAC), key);
        update(&raw, session, Sign, b"abc");
        let saved = state(&raw, session).expect("a state");
        assert_eq!(raw.destroy(session, key), Ok(()));
        assert_eq!(state(&raw, session), Err(CKR_STATE_UNSAVEABLE), "nobody can say which key it was");
        assert_eq!(restore(&raw, session, &saved, (0, key)), CKR_KEY_HANDLE_INVALID);
        let again = aes(&raw, session, 7, &Template::new());
        assert_eq!(restore(&raw, session, &saved, (0, again)), CKR_OK);
        let tag = finish(&raw, session, Sign);
        assert_eq!(tag, raw.sign(session, plain(CKM_AES_CMAC), again, b"abc"));
        // A key that may not do it any more.
        let verifies = aes(&raw, session, 7, &Template::new());
        assert_eq!(raw.set(session, verifies, Template::new().flag(CKA_SIGN, false)), Ok(()));
        assert_eq!(restore(&raw, session, &saved, (0, verifies)), CKR_KEY_FUNCTION_NOT_PERMITTED);
    });
}

#[test]
fn operations_side_by_side_are_saved_together() {
    if !module::has_aws_lc("operations_side_by_side_are_saved_together", HIDES_STATE) {
        return;
    }
    isolated!(|_, _| {
        let raw = Raw::start();
        let slot = raw.new_token();
        let (one, other) = (raw.session(slot), raw.session(slot));
        assert_eq!(raw.login(one, CKU_USER, USER_PIN), Ok(()));
        let (key, mac_key) = (aes(&raw, one, 7, &Template::new()), aes(&raw, one, 8, &Template::new()));
        let mut iv = [4; 16];
        init(&raw, one, Encrypt, with_bytes(CKM_AES_CBC, &mut iv), key);
        init(&raw, one, Sign, plain(CKM_AES_CMAC), mac_key);
        assert_eq!(ck!(raw, C_DigestInit, one, &mut plain(CKM_SHA256)), CKR_OK);
        let (part, length) = input(&MESSAGE[..CUT]);
        assert_eq!(ck!(raw, C_DigestUpdate, one, part, length), CKR_OK);
        let mut out = vec![0; 64];
        let mut room = out.len() as CK_ULONG;
        assert_eq!(ck!(raw, C_SignEncryptUpdate, one, part, length, out.as_mut_ptr(), &mut room), CKR_OK);
        out.truncate(room as usize);
        let saved = state(&raw, one).expect("a state");
        assert_eq!(restore(&raw, other, &saved, (mac_key, key)), CKR_KEY_CHANGED);
        assert_eq!(restore(&raw, other, &saved, (key, 0)), CKR_KEY_NEEDED);
        assert_eq!(restore(&raw, other, &saved, (key, mac_key)), CKR_OK);
        out.extend(update(&raw, other, Encrypt, &MESSAGE[CUT..]));
        assert_eq!(finish(&raw, other, Encrypt), Ok(Vec::new()));
        assert_eq!(raw.encrypt(one, with_bytes(CKM_AES_ECB, &mut []), key, &[]).err(), Some(CKR_OPERATION_ACTIVE));
        assert_eq!(raw.encrypt(other, with_bytes(CKM_AES_CBC, &mut iv), key, &MESSAGE), Ok(out));
        let tag = finish(&raw, other, Sign);
        assert_eq!(tag, raw.sign(other, plain(CKM_AES_CMAC), mac_key, &MESSAGE[..CUT]));
        let digest = sized(|out, room| ck!(raw, C_DigestFinal, other, out, room));
        assert_eq!(ck!(raw, C_DigestInit, other, &mut plain(CKM_SHA256)), CKR_OK);
        assert_eq!(digest, sized(|out, room| ck!(raw, C_Digest, other, part, length, out, room)));
        // One handle serves both directions, so two keys have no place.
        init(&raw, one, Decrypt, plain(CKM_AES_ECB), key);
        let saved = state(&raw, one).expect("both with one key");
        assert_eq!(restore(&raw, other, &saved, (key, mac_key)), CKR_OK);
        end(&raw, one, Decrypt);
        init(&raw, one, Decrypt, plain(CKM_AES_ECB), mac_key);
        assert_eq!(state(&raw, one), Err(CKR_STATE_UNSAVEABLE));
    });
}

#[test]
fn what_would_leave_too_much_behind_has_no_state() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = aes(&raw, session, 7, &Template::new());
        let (rsa_public, rsa_private) = raw.rsa(session);
        let edwards = raw.ec(session, CKM_EC_EDWARDS_KEY_PAIR_GEN, &[6, 3, 0x2B, 0x65, 0x70], &Template::new());
        let (_, edwards) = edwards.expect("a pair");
        let mut iv = [4; 16];
        let mut gcm = CK_GCM_PARAMS {
            pIv: iv.as_mut_ptr(),
            ulIvLen: 12,
            ulIvBits: 96,
            pAAD: std::ptr::null_mut(),
            ulAADLen: 0,
            ulTagBits: 128,
        };
        let mut gmac = [4; 12];
        for (kind, mechanism, key) in [
            (Encrypt, with(CKM_AES_GCM, &mut gcm), key),
            (Decrypt, with(CKM_AES_GCM, &mut gcm), key),
            (Sign, with_bytes(CKM_AES_GMAC, &mut gmac), key),
            (Sign, plain(CKM_AES_MAC), key),
            (Sign, plain(CKM_EDDSA), edwards),
            (Sign, plain(CKM_RSA_PKCS), rsa_private),
            (Encrypt, plain(CKM_RSA_PKCS), rsa_public),
        ] {
            init(&raw, session, kind, mechanism, key);
            assert_eq!(state(&raw, session), Err(CKR_STATE_UNSAVEABLE), "{:#x}", mechanism.mechanism);
            if mechanism.mechanism == CKM_AES_GCM {
                update(&raw, session, kind, &MESSAGE);
                assert_eq!(state(&raw, session), Err(CKR_STATE_UNSAVEABLE));
            }
            end(&raw, session, kind);
        }
        assert_eq!(ck!(raw, C_SignRecoverInit, session, &mut plain(CKM_RSA_PKCS), rsa_private), CKR_OK);
        assert_eq!(state(&raw, session), Err(CKR_STATE_UNSAVEABLE));
    });
}

#[test]
fn a_key_that_asks_for_a_login_each_time_asks_for_it_again() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let public = Template::new().bytes(CKA_EC_PARAMS, P256);
        let private = Template::new().flag(CKA_ALWAYS_AUTHENTICATE, true).flag(CKA_PRIVATE, true).flag(CKA_SIGN, true);
        let pair = raw.generate_pair(session, plain(CKM_EC_KEY_PAIR_GEN), public, private);
        let (public, private) = pair.expect("a pair");
        let again = || raw.login(session, CKU_CONTEXT_SPECIFIC, USER_PIN);
        init(&raw, session, Sign, plain(CKM_ECDSA_SHA256), private);
        assert_eq!(again(), Ok(()));
        update(&raw, session, Sign, &MESSAGE[..CUT]);
        let saved = state(&raw, session).expect("a state");
        assert_eq!(restore(&raw, session, &saved, (0, private)), CKR_OK);
        let (part, length) = input(&MESSAGE[CUT..]);
        assert_eq!(ck!(raw, C_SignUpdate, session, part, length), CKR_USER_NOT_LOGGED_IN);
        assert_eq!(restore(&raw, session, &saved, (0, private)), CKR_OK);
        assert_eq!(again(), Ok(()));
        update(&raw, session, Sign, &MESSAGE[CUT..]);
        let signature = finish(&raw, session, Sign).expect("signed");
        assert_eq!(raw.verify(session, plain(CKM_ECDSA_SHA256), public, &MESSAGE, &signature), Ok(()));
    });
}
