//! Habits of real clients: how they open sessions, search, and ask for attributes.
//!
//! Owns: what no rule of the standard forces anyone to do and yet some client does at every start. The table
//! "What clients bring along" of docs/testing.md says which client. What they do with keys is in `habits_keys.rs`.

use perilune_tests::ck::*;
use perilune_tests::raw::{input, plain};
use perilune_tests::{Place, Raw, SO_PIN, TOKEN_LABEL, Template, USER_PIN, ck, isolated, outside};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};

const P256: &[u8] = &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];

/// CKO_NSS_CRL, _SMIME, _TRUST, _BUILTIN_ROOT_LIST and their neighbours.
const VENDOR_CLASSES: std::ops::RangeInclusive<CK_ULONG> = 0xCE53_4350..=0xCE53_4356;

fn of_class(class: CK_ULONG) -> Template {
    Template::new().number(CKA_CLASS, class)
}

fn token_data(label: &str) -> Template {
    of_class(CKO_DATA).flag(CKA_TOKEN, true).text(CKA_LABEL, label)
}

/// A token pair whose both halves have this ID.
fn token_pair(raw: &Raw, session: CK_SESSION_HANDLE, id: &[u8]) -> (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
    let both = Template::new().flag(CKA_TOKEN, true).bytes(CKA_ID, id);
    raw.ec(session, CKM_EC_KEY_PAIR_GEN, P256, &both).expect("a pair")
}

/// A certificate that OpenSSL made, in DER.
fn certificate(place: &Place) -> Vec<u8> {
    let request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-subj", "/CN=found"];
    outside::openssl(place, &[&request[..], &["-outform", "DER", "-out", "certificate.der"]].concat());
    place.read("certificate.der")
}

fn certificate_template(der: &[u8]) -> Template {
    of_class(CKO_CERTIFICATE).number(CKA_CERTIFICATE_TYPE, CKC_X_509).flag(CKA_TOKEN, true).bytes(CKA_VALUE, der)
}

static NOTIFIED: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn notify(_: CK_SESSION_HANDLE, _: CK_NOTIFICATION, _: *mut std::ffi::c_void) -> CK_RV {
    NOTIFIED.fetch_add(1, Ordering::Relaxed);
    CKR_OK
}

#[test]
fn a_session_takes_a_notify_callback_and_never_calls_it() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let slot = raw.new_token();
        let mut session = 0;
        let mut word = 0u64;
        let application = std::ptr::from_mut(&mut word).cast();
        let flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
        assert_eq!(ck!(raw, C_OpenSession, slot, flags, application, Some(notify), &mut session), CKR_OK);
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        let (public, private) = token_pair(&raw, session, b"notified");
        let signature = raw.sign(session, plain(CKM_ECDSA), private, &[1; 32]).expect("signed");
        assert_eq!(raw.verify(session, plain(CKM_ECDSA), public, &[1; 32], &signature), Ok(()));
        assert_eq!(ck!(raw, C_CloseAllSessions, slot), CKR_OK);
        assert_eq!((NOTIFIED.load(Ordering::Relaxed), word), (0, 0));
    });
}

#[test]
fn a_slot_without_an_initialised_token_gives_no_session_and_disturbs_nobody() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let token = raw.slot_of(TOKEN_LABEL).expect("the token");
        let spare = raw.slots(false).into_iter().find(|&slot| slot != token).expect("the spare slot");
        for flags in [CKF_SERIAL_SESSION, CKF_SERIAL_SESSION | CKF_RW_SESSION] {
            assert_eq!(raw.open(spare, flags), Err(CKR_TOKEN_NOT_RECOGNIZED));
        }
        // NSS closes all sessions of every slot before it ends.
        assert_eq!(ck!(raw, C_CloseAllSessions, spare), CKR_OK);
        raw.create(session, token_data("still here")).expect("the other token's session lives and is logged in");
    });
}

#[test]
fn before_login_public_objects_are_found_and_other_modules_classes_are_not() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (public, _) = token_pair(&raw, session, b"pair");
        let shown = raw.create(session, token_data("shown").flag(CKA_PRIVATE, false)).expect("an object");
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        for on_token in [Template::new(), Template::new().flag(CKA_TOKEN, true)] {
            let find = |class| raw.find(session, of_class(class).and(&on_token), 8192);
            assert_eq!(find(CKO_PUBLIC_KEY), [public]);
            assert_eq!(find(CKO_DATA), [shown]);
            for class in VENDOR_CLASSES.chain([CKO_PRIVATE_KEY, CKO_VALIDATION]) {
                assert_eq!(find(class), [], "{class:#x}");
            }
        }
    });
}

#[test]
fn a_trust_object_of_nss_is_refused_and_leaves_nothing_behind() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.session(raw.new_token());
        // CKO_NSS_TRUST with CKA_NSS_CERT_SHA1_HASH and CKA_NSS_TRUST_SERVER_AUTH = CKT_NSS_TRUSTED_DELEGATOR.
        let trust = || {
            of_class(0xCE53_4353)
                .flag(CKA_TOKEN, true)
                .bytes(CKA_ISSUER, &[0x30, 0])
                .bytes(CKA_SERIAL_NUMBER, &[2, 1, 1])
                .bytes(0xCE53_63B4, &[7; 20])
                .number(0xCE53_6358, 0xCE53_4352)
        };
        let early = raw.create(session, trust());
        assert!(matches!(early, Err(CKR_ATTRIBUTE_VALUE_INVALID | CKR_USER_NOT_LOGGED_IN)), "{early:?}");
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        assert_eq!(raw.create(session, trust()), Err(CKR_ATTRIBUTE_VALUE_INVALID), "after it");
        assert_eq!(raw.find(session, Template::new(), 10), []);
        let vendor = token_data("data").number(0xCE53_6358, 1);
        assert_eq!(raw.create(session, vendor), Err(CKR_ATTRIBUTE_TYPE_INVALID), "a known class, a foreign attribute");
        raw.create(session, token_data("data")).expect("the session goes on");
    });
}

#[test]
fn a_certificate_is_found_by_issuer_and_serial_by_subject_and_by_value() {
    isolated!(|place, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let der = certificate(place);
        let made = raw.create(session, certificate_template(&der).text(CKA_LABEL, "alias")).expect("a certificate");
        let value = |kind| raw.attribute(session, made, kind).expect("an attribute of a certificate");
        let (issuer, serial, subject) = (value(CKA_ISSUER), value(CKA_SERIAL_NUMBER), value(CKA_SUBJECT));
        assert_eq!(value(CKA_VALUE), der);
        let find = |more: Template| raw.find(session, of_class(CKO_CERTIFICATE).flag(CKA_TOKEN, true).and(&more), 1);
        let by_number =
            |serial: &[u8]| find(Template::new().bytes(CKA_ISSUER, &issuer).bytes(CKA_SERIAL_NUMBER, serial));
        assert_eq!(by_number(&serial), [made], "the serial number as a DER INTEGER");
        assert_eq!(by_number(&serial[2..]), [], "NSS tries the bare bytes too: no match, no error");
        assert_eq!(find(Template::new().bytes(CKA_SUBJECT, &subject)), [made]);
        assert_eq!(find(Template::new().bytes(CKA_VALUE, &der)), [made]);
        assert_eq!(find(Template::new().bytes(CKA_VALUE, &der[1..])), []);
        assert_eq!(find(Template::new().text(CKA_LABEL, "alias").flag(CKA_TRUSTED, false)), [made], "SunPKCS11");
    });
}

#[test]
fn the_so_marks_a_certificate_as_trusted_and_says_its_category_and_the_user_may_not() {
    isolated!(|place, _| {
        let raw = Raw::start();
        let session = raw.session(raw.new_token());
        let der = certificate(place);
        let anchor = || {
            let category = CK_CERTIFICATE_CATEGORY_AUTHORITY;
            certificate_template(&der).flag(CKA_TRUSTED, true).number(CKA_CERTIFICATE_CATEGORY, category)
        };
        assert_eq!(raw.login(session, CKU_SO, SO_PIN), Ok(()));
        let made = raw.create(session, anchor().flag(CKA_PRIVATE, false)).expect("written by the SO");
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        assert!(raw.flag(session, made, CKA_TRUSTED), "everybody reads it");
        let category = CK_CERTIFICATE_CATEGORY_AUTHORITY.to_ne_bytes().to_vec();
        assert_eq!(raw.attribute(session, made, CKA_CERTIFICATE_CATEGORY), Ok(category));
        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        assert_eq!(raw.create(session, anchor()), Err(CKR_ATTRIBUTE_READ_ONLY));
        assert_eq!(raw.find(session, of_class(CKO_CERTIFICATE).flag(CKA_TRUSTED, true), 10), [made]);
    });
}

/// Asks all `kinds` in one call as OpenSSH does: the lengths with NULL buffers, then the values.
fn together(raw: &Raw, session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, kinds: [CK_ULONG; 3]) -> [Vec<u8>; 3] {
    let mut list = kinds.map(|type_| CK_ATTRIBUTE { type_, pValue: null_mut(), ulValueLen: 0 });
    assert_eq!(ck!(raw, C_GetAttributeValue, session, object, list.as_mut_ptr(), 3), CKR_OK);
    let mut values = list.map(|entry| vec![0; entry.ulValueLen as usize]);
    for (entry, value) in list.iter_mut().zip(&mut values) {
        entry.pValue = value.as_mut_ptr().cast();
    }
    assert_eq!(ck!(raw, C_GetAttributeValue, session, object, list.as_mut_ptr(), 3), CKR_OK);
    assert_eq!(list.map(|entry| entry.ulValueLen as usize), [0, 1, 2].map(|index| values[index].len()));
    values
}

#[test]
fn openssh_reads_public_keys_before_login_and_finds_the_key_that_signs_by_id() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let id = |name: &[u8]| Template::new().flag(CKA_TOKEN, true).bytes(CKA_ID, name);
        let rsa = |name: &[u8], signs| {
            let public = id(name).number(CKA_MODULUS_BITS, 2048).bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1]);
            let private = id(name).flag(CKA_SIGN, signs).flag(CKA_DECRYPT, true);
            raw.generate_pair(session, plain(CKM_RSA_PKCS_KEY_PAIR_GEN), public, private).expect("a pair")
        };
        let (public, _) = rsa(b"signs", true);
        rsa(b"decrypts", false);
        let (curve, _) = token_pair(&raw, session, b"curve");
        assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
        let [name, modulus, exponent] = together(&raw, session, public, [CKA_ID, CKA_MODULUS, CKA_PUBLIC_EXPONENT]);
        assert_eq!((&name[..], modulus.len(), &exponent[..]), (&b"signs"[..], 256, &[1, 0, 1][..]));
        let [name, point, parameters] = together(&raw, session, curve, [CKA_ID, CKA_EC_POINT, CKA_EC_PARAMS]);
        assert_eq!((&name[..], &point[..3], point.len()), (&b"curve"[..], &[4, 65, 4][..], 67));
        assert_eq!(parameters, P256);

        assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()));
        let signer =
            |name: &[u8]| raw.find(session, of_class(CKO_PRIVATE_KEY).bytes(CKA_ID, name).flag(CKA_SIGN, true), 1);
        let [signs] = signer(b"signs")[..] else { panic!("the key that signs was not found") };
        assert_eq!(signer(b"decrypts"), []);
        assert!(!raw.flag(session, signs, CKA_ALWAYS_AUTHENTICATE));
    });
}

#[test]
fn seven_attributes_asked_at_once_are_filled_in_beside_the_one_that_is_not_there() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let object = raw.create(session, token_data("seven")).expect("an object");
        let kinds = [CKA_CLASS, CKA_KEY_TYPE, CKA_TOKEN, CKA_ID, CKA_PRIVATE, CKA_LABEL, CKA_MODIFIABLE];
        let mut values = [[0xAAu8; 16]; 7];
        let mut index = 0;
        let mut list = kinds.map(|type_| {
            let entry = CK_ATTRIBUTE { type_, pValue: values[index].as_mut_ptr().cast(), ulValueLen: 16 };
            index += 1;
            entry
        });
        let code = ck!(raw, C_GetAttributeValue, session, object, list.as_mut_ptr(), 7);
        assert_eq!(code, CKR_ATTRIBUTE_TYPE_INVALID);
        let none = CK_UNAVAILABLE_INFORMATION;
        assert_eq!(list.map(|entry| entry.ulValueLen), [8, none, 1, none, 1, 5, 1]);
        assert_eq!(values[0][..8], CKO_DATA.to_ne_bytes());
        assert_eq!((values[2][0], values[6][0]), (CK_TRUE, CK_TRUE));
        assert_eq!(&values[5][..5], b"seven");
        assert_eq!((values[1], values[3]), ([0xAA; 16], [0xAA; 16]), "what is not there is not written");
    });
}

#[test]
fn any_attribute_of_any_object_is_answered_or_refused_by_name() {
    isolated!(|place, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let (public, private) = token_pair(&raw, session, b"pair");
        let edwards = raw.ec(session, CKM_EC_EDWARDS_KEY_PAIR_GEN, &[6, 3, 0x2B, 0x65, 0x70], &Template::new());
        let edwards = edwards.expect("an Edwards pair");
        let secret = raw.aes(session, 32);
        let data = raw.create(session, token_data("data")).expect("an object");
        let document = raw.create(session, certificate_template(&certificate(place))).expect("a certificate");
        // GnuTLS asks some fifteen of whatever there is, PyKCS11 every one that it knows.
        for object in [public, private, edwards.0, edwards.1, secret, data, document] {
            let mut answered = 0;
            for kind in (0..0x0700).chain([CKA_WRAP_TEMPLATE, CKA_UNWRAP_TEMPLATE, CKA_ALLOWED_MECHANISMS]) {
                match raw.attribute(session, object, kind) {
                    Ok(_) => answered += 1,
                    Err(code) => assert!(
                        matches!(code, CKR_ATTRIBUTE_TYPE_INVALID | CKR_ATTRIBUTE_SENSITIVE),
                        "{kind:#x}: {code:#x}"
                    ),
                }
            }
            assert!(answered > 6, "only {answered} attributes");
        }
        // libp11 and pkcs11-provider ask the private key for its point; others would answer that it has none.
        for (public, private) in [(public, private), edwards] {
            let point = raw.attribute(session, public, CKA_EC_POINT).expect("a point");
            assert_eq!(raw.attribute(session, private, CKA_EC_POINT), Ok(point));
        }
        for key in [public, private, edwards.0, edwards.1, secret] {
            let allowed = raw.attribute(session, key, CKA_ALLOWED_MECHANISMS);
            assert!([Ok(vec![]), Err(CKR_ATTRIBUTE_TYPE_INVALID)].contains(&allowed), "{allowed:?}");
        }
    });
}

#[test]
fn openvpn_logs_out_closes_and_comes_back_to_the_same_token_and_key() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let slot = raw.slot_of(TOKEN_LABEL).expect("the token");
        token_pair(&raw, session, b"vpn");
        let name = || {
            let info = raw.token_info(slot).expect("a token");
            (info.manufacturerID, info.model, info.serialNumber, info.label)
        };
        let before = name();
        assert_eq!(ck!(raw, C_CloseSession, session), CKR_OK);
        for round in 0..5 {
            let session = raw.session(slot);
            assert_eq!(raw.login(session, CKU_USER, USER_PIN), Ok(()), "round {round}");
            let found = raw.find(session, of_class(CKO_PRIVATE_KEY).bytes(CKA_ID, b"vpn"), 100);
            assert_eq!(found.len(), 1);
            let public = raw.find(session, of_class(CKO_PUBLIC_KEY).bytes(CKA_ID, b"vpn"), 100)[0];
            // Which of these four is true decides what pkcs11-helper tries.
            assert!(raw.flag(session, found[0], CKA_SIGN));
            for kind in [CKA_SIGN_RECOVER, CKA_DECRYPT, CKA_UNWRAP] {
                let said = raw.attribute(session, found[0], kind);
                assert!(matches!(&said, Err(CKR_ATTRIBUTE_TYPE_INVALID)) || said.is_ok_and(|flag| flag.len() == 1));
            }
            let signature = raw.sign(session, plain(CKM_ECDSA), found[0], &[3; 32]).expect("signed");
            assert_eq!(raw.verify(session, plain(CKM_ECDSA), public, &[3; 32], &signature), Ok(()));
            assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
            let code = raw.sign(session, plain(CKM_ECDSA), found[0], &[3; 32]);
            assert!(matches!(code, Err(CKR_KEY_HANDLE_INVALID | CKR_OBJECT_HANDLE_INVALID)), "{code:?}");
            assert_eq!(ck!(raw, C_CloseSession, session), CKR_OK);
            assert_eq!(name(), before);
        }
    });
}

#[test]
fn a_seed_before_login_is_answered_and_random_bytes_are_given() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.open(raw.new_token(), CKF_SERIAL_SESSION).expect("a read-only session");
        let (seed, length) = input(b"a seed as NSS gives one at every start");
        let code = ck!(raw, C_SeedRandom, session, seed, length);
        assert!([CKR_OK, CKR_RANDOM_SEED_NOT_SUPPORTED].contains(&code), "{code:#x}");
        let mut random = [[0; 8]; 2];
        for out in &mut random {
            assert_eq!(ck!(raw, C_GenerateRandom, session, out.as_mut_ptr(), 8), CKR_OK);
        }
        assert_ne!(random[0], random[1]);
    });
}

#[test]
fn mechanisms_that_are_not_there_are_named_so_when_asked_for_or_tried() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        let slot = raw.slot_of(TOKEN_LABEL).expect("the token");
        // KEA stands in the lists of many clients; DSA and GOST are tried by the test command of libhsm.
        for kind in [CKM_KEA_KEY_PAIR_GEN, CKM_DSA_KEY_PAIR_GEN, CKM_GOSTR3410_KEY_PAIR_GEN] {
            let info = ck!(raw, C_GetMechanismInfo, slot, kind, &mut CK_MECHANISM_INFO::default());
            assert_eq!(info, CKR_MECHANISM_INVALID, "{kind:#x}");
            let pair = raw.generate_pair(session, plain(kind), Template::new(), Template::new());
            assert_eq!(pair, Err(CKR_MECHANISM_INVALID), "{kind:#x}");
        }
        assert_eq!(raw.find(session, Template::new(), 10), []);
    });
}
