//! Secrets in the memory of the host: there while they are needed, gone afterwards.
//!
//! Each secret is found first while it is in use, which proves the search; then its use ends in one way or another, and nothing of it
//! may be left, neither in the heap nor on a stack.

use perilune_tests::ck::*;
use perilune_tests::hand::P256;
use perilune_tests::image::Planted;
use perilune_tests::raw::{Answer, answer, input, plain, sized, with, with_bytes};
use perilune_tests::{Raw, TOKEN_LABEL, Template, USER_PIN, ck, ck3, isolated, module};

/// How the use of a key ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Logout,
    Destroy,
    CloseSession,
    Finalize,
}

/// A kind of key that is brought from outside.
pub struct Kind {
    pub name: &'static str,
    pub template: fn() -> Template,
    /// The attribute that is the secret, and its length.
    pub secret: (CK_ATTRIBUTE_TYPE, usize),
    pub shape: fn(u8) -> u8,
    /// Uses it, so that the engine has prepared it.
    pub work: fn(&Raw, CK_SESSION_HANDLE, CK_OBJECT_HANDLE) -> Answer<()>,
}

pub fn secret(kind: CK_KEY_TYPE) -> Template {
    Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, kind)
}

fn private(kind: CK_KEY_TYPE, parameters: &[u8]) -> Template {
    let template = Template::new().number(CKA_CLASS, CKO_PRIVATE_KEY).number(CKA_KEY_TYPE, kind);
    template.bytes(CKA_EC_PARAMS, parameters)
}

macro_rules! hmac {
    ($name:literal, $mechanism:ident) => {
        Kind {
            name: $name,
            template: || secret(CKK_GENERIC_SECRET).flag(CKA_SIGN, true),
            secret: (CKA_VALUE, 40),
            shape: |byte| byte,
            work: |raw, session, key| raw.sign(session, plain($mechanism), key, &[1; 100]).map(drop),
        }
    };
}

const SECP256K1: &[u8] = &[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x0A];
const ED448: &[u8] = &[0x06, 0x03, 0x2B, 0x65, 0x71];
const X25519: &[u8] = &[0x06, 0x03, 0x2B, 0x65, 0x6E];
const ED25519: &[u8] = &[0x06, 0x03, 0x2B, 0x65, 0x70];

pub const KINDS: [Kind; 13] = [
    Kind {
        name: "AES",
        template: || secret(CKK_AES).flag(CKA_ENCRYPT, true).flag(CKA_DECRYPT, true).flag(CKA_SIGN, true),
        secret: (CKA_VALUE, 32),
        shape: |byte| byte,
        work: |raw, session, key| {
            for _ in 0..3 {
                raw.encrypt(session, with_bytes(CKM_AES_CBC_PAD, &mut [7; 16]), key, &[1; 100])?;
                let mut gcm = Gcm::default();
                raw.encrypt(session, gcm.mechanism(), key, &[1; 100])?;
                raw.sign(session, plain(CKM_AES_CMAC), key, &[1; 100])?;
            }
            Ok(())
        },
    },
    // Each by itself: the second would overwrite what the first has left on the stack.
    hmac!("HMAC with SHA-1", CKM_SHA_1_HMAC),
    hmac!("HMAC with SHA-256", CKM_SHA256_HMAC),
    hmac!("HMAC with SHA-512", CKM_SHA512_HMAC),
    hmac!("HMAC with SHA3-256", CKM_SHA3_256_HMAC),
    Kind {
        name: "ChaCha20",
        template: || secret(CKK_CHACHA20).flag(CKA_ENCRYPT, true),
        secret: (CKA_VALUE, 32),
        shape: |byte| byte,
        work: |raw, session, key| {
            let mut nonce = [3; 12];
            let mut params = CK_SALSA20_CHACHA20_POLY1305_PARAMS {
                pNonce: nonce.as_mut_ptr(),
                ulNonceLen: 12,
                pAAD: std::ptr::null_mut(),
                ulAADLen: 0,
            };
            let mechanism = with(CKM_CHACHA20_POLY1305, &mut params);
            raw.encrypt(session, mechanism, key, &[1; 100]).map(drop)
        },
    },
    Kind {
        name: "P-256",
        template: || private(CKK_EC, P256).flag(CKA_SIGN, true).flag(CKA_DERIVE, true),
        secret: (CKA_VALUE, 32),
        // Below the order in any case.
        shape: |byte| byte & 0x7F,
        work: |raw, session, key| raw.sign(session, plain(CKM_ECDSA), key, &[1; 32]).map(drop),
    },
    Kind {
        name: "secp256k1",
        template: || private(CKK_EC, SECP256K1).flag(CKA_SIGN, true),
        secret: (CKA_VALUE, 32),
        shape: |byte| byte & 0x7F,
        work: |raw, session, key| raw.sign(session, plain(CKM_ECDSA), key, &[1; 32]).map(drop),
    },
    Kind {
        name: "Ed25519",
        template: || private(CKK_EC_EDWARDS, ED25519).flag(CKA_SIGN, true),
        secret: (CKA_VALUE, 32),
        shape: |byte| byte,
        work: |raw, session, key| raw.sign(session, plain(CKM_EDDSA), key, &[1; 32]).map(drop),
    },
    Kind {
        name: "Ed448",
        template: || private(CKK_EC_EDWARDS, ED448).flag(CKA_SIGN, true),
        secret: (CKA_VALUE, 57),
        shape: |byte| byte,
        work: |raw, session, key| raw.sign(session, plain(CKM_EDDSA), key, &[1; 32]).map(drop),
    },
    Kind {
        name: "X25519",
        template: || private(CKK_EC_MONTGOMERY, X25519).flag(CKA_DERIVE, true),
        secret: (CKA_VALUE, 32),
        // As the function reads a scalar.
        shape: |byte| byte & 0x78 | 0x40,
        work: |raw, session, key| {
            let mut point = [9; 32];
            let mut params = CK_ECDH1_DERIVE_PARAMS {
                kdf: CKD_NULL,
                ulSharedDataLen: 0,
                pSharedData: std::ptr::null_mut(),
                ulPublicDataLen: 32,
                pPublicData: point.as_mut_ptr(),
            };
            let mut mechanism = with(CKM_ECDH1_DERIVE, &mut params);
            let mut template = secret(CKK_GENERIC_SECRET).flag(CKA_TOKEN, false).number(CKA_VALUE_LEN, 32);
            let (mut attributes, mut derived) = (template.attributes(), 0);
            let (list, count) = (attributes.as_mut_ptr(), attributes.len() as CK_ULONG);
            answer(ck!(raw, C_DeriveKey, session, &mut mechanism, key, list, count, &mut derived))
        },
    },
    Kind {
        name: "ML-DSA-65",
        template: || parameter_set(CKK_ML_DSA, CKP_ML_DSA_65).flag(CKA_SIGN, true),
        secret: (CKA_SEED, 32),
        shape: |byte| byte,
        work: |raw, session, key| raw.sign(session, plain(CKM_ML_DSA), key, &[1; 32]).map(drop),
    },
    Kind {
        name: "ML-KEM-768",
        template: || parameter_set(CKK_ML_KEM, CKP_ML_KEM_768).flag(CKA_DECAPSULATE, true),
        secret: (CKA_SEED, 64),
        shape: |byte| byte,
        work: |raw, session, key| {
            // Of any ciphertext there is some secret (FIPS 203, 6.3).
            let mut template = secret(CKK_GENERIC_SECRET).flag(CKA_TOKEN, false).number(CKA_VALUE_LEN, 32);
            let (mut attributes, mut derived) = (template.attributes(), 0);
            let (list, count) = (attributes.as_mut_ptr(), attributes.len() as CK_ULONG);
            let (text, length) = (&mut [7; 1088], 1088);
            let text = text.as_mut_ptr();
            let mut kem = plain(CKM_ML_KEM);
            answer(ck3!(raw, C_DecapsulateKey, session, &mut kem, key, list, count, text, length, &mut derived))
        },
    },
];

fn parameter_set(kind: CK_KEY_TYPE, set: CK_ULONG) -> Template {
    let template = Template::new().number(CKA_CLASS, CKO_PRIVATE_KEY).number(CKA_KEY_TYPE, kind);
    template.number(CKA_PARAMETER_SET, set)
}

/// The parameter of a GCM encryption.
struct Gcm([u8; 12], Option<CK_GCM_PARAMS>);

impl Default for Gcm {
    fn default() -> Self {
        Self([5; 12], None)
    }
}

impl Gcm {
    fn mechanism(&mut self) -> CK_MECHANISM {
        let params = CK_GCM_PARAMS {
            pIv: self.0.as_mut_ptr(),
            ulIvLen: 12,
            ulIvBits: 96,
            pAAD: std::ptr::null_mut(),
            ulAADLen: 0,
            ulTagBits: 128,
        };
        with(CKM_AES_GCM, self.1.insert(params))
    }
}

pub fn attribute(kind: CK_ATTRIBUTE_TYPE, bytes: &mut [u8]) -> CK_ATTRIBUTE {
    CK_ATTRIBUTE { type_: kind, pValue: bytes.as_mut_ptr().cast(), ulValueLen: bytes.len() as CK_ULONG }
}

/// C_CreateObject with a value that stands nowhere else.
pub fn create(
    raw: &Raw,
    session: CK_SESSION_HANDLE,
    template: Template,
    kind: CK_ATTRIBUTE_TYPE,
    value: &Planted,
) -> Answer<CK_OBJECT_HANDLE> {
    value.lend(|bytes| {
        let mut template = template;
        let mut attributes = template.attributes();
        attributes.push(attribute(kind, bytes));
        let mut handle = 0;
        let (list, count) = (attributes.as_mut_ptr(), attributes.len() as CK_ULONG);
        answer(ck!(raw, C_CreateObject, session, list, count, &mut handle)).map(|()| handle)
    })
}

/// Why the portable engine does not keep this promise.
const LEAVES_COPIES: &str = "the crates of the portable engine leave copies of keys and blocks on the stack";

#[test]
fn of_a_key_nothing_is_left_in_memory_when_its_use_has_ended() {
    if !module::has_aws_lc("of_a_key_nothing_is_left_in_memory_when_its_use_has_ended", LEAVES_COPIES) {
        return;
    }
    let ends = [
        (End::Logout, true),
        (End::Destroy, true),
        (End::Destroy, false),
        (End::CloseSession, false),
        (End::Finalize, true),
    ];
    isolated!(|_, _| {
        let raw = Raw::start();
        let slot = raw.new_token();
        let mut left = Vec::new();
        for kind in &KINDS {
            for (end, on_token) in ends {
                // Another one keeps the login where the first is closed.
                let other = raw.session(slot);
                assert_eq!(raw.login(other, CKU_USER, USER_PIN), Ok(()));
                let session = raw.session(slot);
                let value = Planted::random(kind.secret.1, kind.shape);
                let template =
                    (kind.template)().flag(CKA_TOKEN, on_token).flag(CKA_PRIVATE, true).flag(CKA_SENSITIVE, true);
                let key = create(&raw, session, template, kind.secret.0, &value)
                    .unwrap_or_else(|code| panic!("{}: {code:#x}", kind.name));
                assert_eq!((kind.work)(&raw, session, key), Ok(()), "{}", kind.name);
                assert!(!value.places().is_empty(), "{}: the search finds what is in use", kind.name);
                match end {
                    End::Logout => assert_eq!(ck!(raw, C_Logout, session), CKR_OK),
                    End::Destroy => assert_eq!(raw.destroy(session, key), Ok(())),
                    End::CloseSession => assert_eq!(ck!(raw, C_CloseSession, session), CKR_OK),
                    End::Finalize => {
                        raw.finalize();
                        assert_eq!(ck!(raw, C_Initialize, std::ptr::null_mut()), CKR_OK);
                    }
                }
                left.extend(value.places().into_iter().map(|place| format!("{} after {end:?}: {place}", kind.name)));
                if end != End::Finalize {
                    assert_eq!(ck!(raw, C_CloseAllSessions, slot), CKR_OK);
                }
            }
        }
        assert!(left.is_empty(), "{left:#?}");
    });
}

#[test]
fn of_an_rsa_key_nothing_is_left_in_memory_when_it_is_destroyed() {
    if !module::has_aws_lc("of_an_rsa_key_nothing_is_left_in_memory_when_it_is_destroyed", LEAVES_COPIES) {
        return;
    }
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let public = Template::new().number(CKA_MODULUS_BITS, 2048).flag(CKA_VERIFY, true);
        let private = Template::new().flag(CKA_SIGN, true).flag(CKA_SENSITIVE, false).flag(CKA_EXTRACTABLE, true);
        let pair = raw.generate_pair(session, plain(CKM_RSA_PKCS_KEY_PAIR_GEN), public, private);
        let (_, key) = pair.expect("a pair");
        let parts = [CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT];
        let planted = parts.map(|kind| {
            Planted::taken(|room| {
                let mut attribute = attribute(kind, room);
                assert_eq!(ck!(raw, C_GetAttributeValue, session, key, &mut attribute, 1), CKR_OK);
                usize::try_from(attribute.ulValueLen).expect("a length")
            })
        });
        for mechanism in [CKM_SHA256_RSA_PKCS, CKM_SHA256_RSA_PKCS] {
            raw.sign(session, plain(mechanism), key, b"message").expect("a signature");
        }
        assert!(planted.iter().all(|part| !part.places().is_empty()), "the search finds what is in use");
        assert_eq!(raw.destroy(session, key), Ok(()));
        let left: Vec<_> = planted.iter().zip(parts).filter(|(part, _)| !part.places().is_empty()).collect();
        let left: Vec<_> = left.into_iter().map(|(part, kind)| (kind, part.places())).collect();
        assert!(left.is_empty(), "{left:#x?}");
    });
}

#[test]
fn of_a_pin_nothing_is_left_in_memory_whether_it_was_right_or_wrong() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let slot = raw.new_token();
        let session = raw.session(slot);
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        let printable = |byte| b'!' + byte % 90;
        let (pin, wrong) = (Planted::random(24, printable), Planted::random(24, printable));
        let (old, old_length) = input(USER_PIN.as_bytes());
        let changed =
            pin.lend(|new| ck!(raw, C_SetPIN, session, old, old_length, new.as_mut_ptr(), new.len() as CK_ULONG));
        assert_eq!((changed, pin.places()), (CKR_OK, vec![]), "after C_SetPIN");
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        let login = |pin: &Planted| {
            pin.lend(|pin| ck!(raw, C_Login, session, CKU_USER, pin.as_mut_ptr(), pin.len() as CK_ULONG))
        };
        assert_eq!((login(&wrong), wrong.places()), (CKR_PIN_INCORRECT, vec![]), "after a wrong PIN");
        assert_eq!((login(&pin), pin.places()), (CKR_OK, vec![]), "after the right PIN");
        assert!(raw.slot_of(TOKEN_LABEL).is_some());
    });
}

#[test]
fn of_a_key_that_was_refused_nothing_is_left_in_memory() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        for kind in &KINDS {
            let value = Planted::random(kind.secret.1, kind.shape);
            // The token says by itself where a key comes from.
            let refused = create(&raw, session, (kind.template)().flag(CKA_LOCAL, true), kind.secret.0, &value);
            assert!(refused.is_err(), "{}", kind.name);
            assert_eq!(value.places(), Vec::<String>::new(), "{}", kind.name);
        }
    });
}

#[test]
fn of_what_was_decrypted_nothing_is_left_in_memory() {
    if !module::has_aws_lc("of_what_was_decrypted_nothing_is_left_in_memory", LEAVES_COPIES) {
        return;
    }
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let key = raw.aes(session, 32);
        let text = Planted::random(64, |byte| byte);
        let encrypt = |mechanism: &mut CK_MECHANISM| {
            text.lend(|text| {
                assert_eq!(ck!(raw, C_EncryptInit, session, mechanism, key), CKR_OK);
                let (from, length) = (text.as_mut_ptr(), text.len() as CK_ULONG);
                sized(|out, room| ck!(raw, C_Encrypt, session, from, length, out, room)).expect("encrypted")
            })
        };
        let mut iv = [9; 16];
        let padded = encrypt(&mut with_bytes(CKM_AES_CBC_PAD, &mut iv));
        let mut gcm = Gcm::default();
        let mut sealed = encrypt(&mut gcm.mechanism());
        assert_eq!(text.places(), Vec::<String>::new(), "after the encryptions");

        // In one part, in parts, and with a tag that is wrong.
        let out = Planted::taken(|room| {
            let mut length = room.len() as CK_ULONG;
            assert_eq!(ck!(raw, C_DecryptInit, session, &mut with_bytes(CKM_AES_CBC_PAD, &mut iv), key), CKR_OK);
            let (from, count) = input(&padded);
            assert_eq!(ck!(raw, C_Decrypt, session, from, count, room.as_mut_ptr(), &mut length), CKR_OK);
            usize::try_from(length).expect("a length")
        });
        assert_eq!((out.places(), text.places()), (vec![], vec![]), "after a decryption");
        let parts = Planted::taken(|room| {
            assert_eq!(ck!(raw, C_DecryptInit, session, &mut with_bytes(CKM_AES_CBC_PAD, &mut iv), key), CKR_OK);
            let mut done = 0;
            for part in padded.chunks(24) {
                let mut length = (room.len() - done) as CK_ULONG;
                let ((from, count), to) = (input(part), room[done..].as_mut_ptr());
                assert_eq!(ck!(raw, C_DecryptUpdate, session, from, count, to, &mut length), CKR_OK);
                done += usize::try_from(length).expect("a length");
            }
            let mut length = (room.len() - done) as CK_ULONG;
            assert_eq!(ck!(raw, C_DecryptFinal, session, room[done..].as_mut_ptr(), &mut length), CKR_OK);
            done + usize::try_from(length).expect("a length")
        });
        assert_eq!((parts.places(), text.places()), (vec![], vec![]), "after a decryption in parts");
        *sealed.last_mut().expect("a tag") ^= 1;
        let _room = Planted::taken(|room| {
            let mut length = room.len() as CK_ULONG;
            assert_eq!(ck!(raw, C_DecryptInit, session, &mut gcm.mechanism(), key), CKR_OK);
            let (from, count) = input(&sealed);
            let answer = ck!(raw, C_Decrypt, session, from, count, room.as_mut_ptr(), &mut length);
            assert_eq!(answer, CKR_ENCRYPTED_DATA_INVALID);
            text.lend(|text| assert!(!room.windows(12).any(|window| window == &text[..12]), "released before the tag"));
            16
        });
        assert_eq!(text.places(), Vec::<String>::new(), "after a wrong tag");
    });
}
