//! Every kind of object with odd attributes: equal in both tokens, and what one made the other can use.

use crate::old::*;
use perilune_tests::ck::*;
use perilune_tests::raw::{Answer, answer, plain, with_bytes};
use perilune_tests::{Place, Raw, SO_PIN, TOKEN_LABEL, Template, USER_PIN, ck, isolated, outside};
use std::collections::BTreeMap;
use std::ptr::null_mut;

#[test]
fn every_kind_of_object_comes_over_with_equal_attributes_and_can_be_used() {
    if !can_migrate() {
        return;
    }
    isolated!(|place, _| {
        let old = start();
        old.new_token();
        populate(place, &old);
        old.finalize();
        let before = snapshot(place);
        let reports = migrated(place, &[]);
        assert_eq!(snapshot(place), before, "SoftHSM2's files are only read");

        let report = &reports[0];
        let left: Vec<_> = report["objects"].as_array().unwrap().iter().filter(|one| one["state"] != "taken").collect();
        let mut left: Vec<_> = left.iter().map(|one| (one["label"].as_str().unwrap(), one["state"].clone())).collect();
        left.sort_by_key(|one| one.0);
        let expected = ["des2", "des3", "dh", "dsa", "x25519", "x25519"];
        assert_eq!(left, expected.map(|label| (label, "unsupported".into())), "{report:#}");
        let without: Vec<_> = report["objects"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| !one["without"].as_array().unwrap().is_empty())
            .collect();
        assert_eq!(without.len(), 0, "{without:#?}");

        let (old, new) = (start(), Raw::start());
        let (there, here) = (user(&old, TOKEN_LABEL), user(&new, TOKEN_LABEL));
        let serial = |raw: &Raw| raw.token_info(raw.slot_of(TOKEN_LABEL).unwrap()).unwrap().serialNumber;
        assert_eq!(serial(&old), serial(&new));
        let (theirs, ours) = (catalogue(&old, there), catalogue(&new, here));
        let taken: BTreeMap<_, _> =
            theirs.iter().filter(|(name, _)| !expected.iter().any(|left| name.1 == left.as_bytes())).collect();
        assert_eq!(ours.keys().collect::<Vec<_>>(), taken.keys().copied().collect::<Vec<_>>());
        assert_eq!(count(report, "taken"), taken.len());
        for (name, their) in taken {
            compare(name, &attributes(&old, there, *their), &attributes(&new, here, ours[name]));
        }
        use_keys(Side { raw: &old, session: there, keys: &theirs }, Side { raw: &new, session: here, keys: &ours });
        pins(&new, here);
    });
}

/// Dates that keys of this test have.
const START: &[u8] = b"20200229";
const END: &[u8] = b"20301231";

/// Class and label.
type Name = (CK_OBJECT_CLASS, Vec<u8>);

/// All objects by class and label.
fn catalogue(raw: &Raw, session: CK_SESSION_HANDLE) -> BTreeMap<Name, CK_OBJECT_HANDLE> {
    let found = raw.find(session, Template::new(), 16);
    let count = found.len();
    let name = |object| {
        let class = raw.attribute(session, object, CKA_CLASS).expect("a class");
        let label = raw.attribute(session, object, CKA_LABEL).expect("a label");
        (CK_ULONG::from_ne_bytes(class.try_into().unwrap()), label)
    };
    let all: BTreeMap<_, _> = found.into_iter().map(|object| (name(object), object)).collect();
    assert_eq!(all.len(), count, "every object of this test has another name");
    all
}

/// What C_GetAttributeValue tells of every attribute that there is; templates as lists of types and values.
fn attributes(raw: &Raw, session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) -> BTreeMap<u64, Answer<Vec<u8>>> {
    let plain = (0..0x0700).filter(|kind| *kind != CKA_UNIQUE_ID).chain([CKA_ALLOWED_MECHANISMS]);
    let templates = [CKA_WRAP_TEMPLATE, CKA_UNWRAP_TEMPLATE];
    let plain = plain.map(|kind| (kind, raw.attribute(session, object, kind)));
    plain.chain(templates.map(|kind| (kind, template(raw, session, object, kind)))).collect()
}

/// A template attribute, its entries sorted.
fn template(raw: &Raw, session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, kind: u64) -> Answer<Vec<u8>> {
    let mut one = CK_ATTRIBUTE { type_: kind, pValue: null_mut(), ulValueLen: 0 };
    answer(ck!(raw, C_GetAttributeValue, session, object, &mut one, 1))?;
    let count = one.ulValueLen as usize / size_of::<CK_ATTRIBUTE>();
    let mut inner: Vec<CK_ATTRIBUTE> =
        (0..count).map(|_| CK_ATTRIBUTE { type_: 0, pValue: null_mut(), ulValueLen: 0 }).collect();
    if count > 0 {
        one.pValue = inner.as_mut_ptr().cast();
        answer(ck!(raw, C_GetAttributeValue, session, object, &mut one, 1))?;
        let mut values: Vec<Vec<u8>> = inner.iter().map(|entry| vec![0; entry.ulValueLen as usize]).collect();
        for (entry, value) in inner.iter_mut().zip(&mut values) {
            entry.pValue = value.as_mut_ptr().cast();
        }
        answer(ck!(raw, C_GetAttributeValue, session, object, &mut one, 1))?;
        let mut entries: Vec<(u64, Vec<u8>)> = inner.iter().map(|entry| entry.type_).zip(values).collect();
        entries.sort();
        return Ok(entries
            .into_iter()
            .flat_map(|(kind, value)| [kind.to_ne_bytes().to_vec(), value].concat())
            .collect());
    }
    Ok(Vec::new())
}

/// Whatever SoftHSM2 knows of an object is the same here. Only where it has an empty value of something that follows
/// from the rest of the object, there may be that.
fn compare(name: &Name, theirs: &BTreeMap<u64, Answer<Vec<u8>>>, ours: &BTreeMap<u64, Answer<Vec<u8>>>) {
    let computed = [CKA_PUBLIC_KEY_INFO, CKA_CHECK_VALUE];
    let of_certificates = [CKA_START_DATE, CKA_END_DATE, CKA_ISSUER, CKA_SERIAL_NUMBER, CKA_SUBJECT];
    let mut compared = 0;
    for (kind, their) in theirs {
        let (their, our) = match (their, &ours[kind]) {
            (Err(CKR_ATTRIBUTE_TYPE_INVALID), _) => continue,
            (Ok(empty), Ok(_)) if empty.is_empty() && computed.contains(kind) => continue,
            (Ok(empty), Ok(_)) if empty.is_empty() && name.0 == CKO_CERTIFICATE && of_certificates.contains(kind) => {
                continue;
            }
            // A scalar is padded to the size of its curve here, and not there.
            (Ok(their), Ok(our)) if *kind == CKA_VALUE && name.0 == CKO_PRIVATE_KEY => {
                (Ok(without_zeros(their)), Ok(without_zeros(our)))
            }
            // SoftHSM2 leaves the dates of private objects in the clear, then fails to decrypt them.
            (Err(CKR_GENERAL_ERROR), Ok(_)) if *kind == CKA_START_DATE => (Ok(START.to_vec()), ours[kind].clone()),
            (Err(CKR_GENERAL_ERROR), Ok(_)) if *kind == CKA_END_DATE => (Ok(END.to_vec()), ours[kind].clone()),
            (their, our) => (their.clone(), our.clone()),
        };
        assert_eq!(our, their, "attribute {kind:#x} of {:#x} {:?}", name.0, String::from_utf8_lossy(&name.1));
        compared += 1;
    }
    assert!(compared >= 10, "{compared} attributes of {name:?}");
}

fn without_zeros(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|byte| *byte == 0).collect()
}

/// One of the two tokens.
struct Side<'a> {
    raw: &'a Raw,
    session: CK_SESSION_HANDLE,
    keys: &'a BTreeMap<Name, CK_OBJECT_HANDLE>,
}

impl Side<'_> {
    fn key(&self, class: CK_OBJECT_CLASS, label: &str) -> CK_OBJECT_HANDLE {
        self.keys[&(class, label.as_bytes().to_vec())]
    }

    fn sign(&self, mechanism: CK_MECHANISM_TYPE, class: CK_OBJECT_CLASS, label: &str) -> Vec<u8> {
        self.raw.sign(self.session, plain(mechanism), self.key(class, label), &MESSAGE[..32]).expect(label)
    }

    fn verifies(&self, mechanism: CK_MECHANISM_TYPE, class: CK_OBJECT_CLASS, label: &str, signature: &[u8]) {
        let (key, message) = (self.key(class, label), &MESSAGE[..32]);
        let verdict = self.raw.verify(self.session, plain(mechanism), key, message, signature);
        assert_eq!(verdict, Ok(()), "{label} {mechanism:#x}");
        let verdict = self.raw.verify(self.session, plain(mechanism), key, &MESSAGE[1..33], signature);
        assert!(verdict.is_err(), "{label} {mechanism:#x}");
    }
}

const MESSAGE: &[u8] = b"a message of three and thirty (33) bytes, cut short where it must be";

/// What each side signs and encrypts, the other verifies and decrypts.
fn use_keys(old: Side<'_>, new: Side<'_>) {
    let pairs = [
        (CKM_SHA256_RSA_PKCS, "rsa"),
        (CKM_SHA256_RSA_PKCS, "rsa imported"),
        (CKM_ECDSA, "p256"),
        (CKM_ECDSA, "p384"),
        (CKM_ECDSA, "p521"),
        (CKM_ECDSA, "k256"),
        (CKM_EDDSA, "ed25519"),
        (CKM_EDDSA, "ed25519 by name"),
    ];
    for (mechanism, label) in pairs {
        new.verifies(mechanism, CKO_PUBLIC_KEY, label, &old.sign(mechanism, CKO_PRIVATE_KEY, label));
        old.verifies(mechanism, CKO_PUBLIC_KEY, label, &new.sign(mechanism, CKO_PRIVATE_KEY, label));
    }
    let tag = old.sign(CKM_SHA256_HMAC, CKO_SECRET_KEY, "generic");
    new.verifies(CKM_SHA256_HMAC, CKO_SECRET_KEY, "generic", &tag);
    for (one, other) in [(&old, &new), (&new, &old)] {
        for label in ["aes128", "aes192", "aes256", "aes imported", "aes public"] {
            let mut iv = *b"sixteen bytes iv";
            let (key, there) = (one.key(CKO_SECRET_KEY, label), other.key(CKO_SECRET_KEY, label));
            let sealed = one.raw.encrypt(one.session, with_bytes(CKM_AES_CBC_PAD, &mut iv), key, MESSAGE).expect(label);
            let opened = other.raw.decrypt(other.session, with_bytes(CKM_AES_CBC_PAD, &mut iv), there, &sealed);
            assert_eq!(opened.as_deref(), Ok(MESSAGE), "{label}");
        }
        let (public, private) = (one.key(CKO_PUBLIC_KEY, "rsa"), other.key(CKO_PRIVATE_KEY, "rsa"));
        let sealed = one.raw.encrypt(one.session, plain(CKM_RSA_PKCS), public, MESSAGE).expect("rsa");
        assert_eq!(other.raw.decrypt(other.session, plain(CKM_RSA_PKCS), private, &sealed).as_deref(), Ok(MESSAGE));
    }
}

/// The old PINs are the new ones, each for its role.
fn pins(new: &Raw, session: CK_SESSION_HANDLE) {
    assert_eq!(ck!(new, C_Logout, session), CKR_OK);
    assert_eq!(new.login(session, CKU_SO, USER_PIN), Err(CKR_PIN_INCORRECT));
    assert_eq!(new.login(session, CKU_SO, SO_PIN), Ok(()));
    assert_eq!(ck!(new, C_Logout, session), CKR_OK);
    assert_eq!(new.login(session, CKU_USER, SO_PIN), Err(CKR_PIN_INCORRECT));
    assert_eq!(new.login(session, CKU_USER, USER_PIN), Ok(()));
}

/// Puts every kind of object into the token, with attributes that a default would not have.
fn populate(place: &Place, raw: &Raw) {
    let session = user(raw, TOKEN_LABEL);
    let named = |label: &str| Template::new().flag(CKA_TOKEN, true).text(CKA_LABEL, label);
    rsa(raw, session);
    let curves = [("p256", P256), ("p384", P384), ("p521", P521), ("k256", K256), ("p224", P224)];
    for (label, curve) in curves {
        let open = named(label).flag(CKA_PRIVATE, label == "p384");
        let open = if label == "p521" { open.bytes(CKA_ID, &[0, 1, 255]) } else { open };
        raw.ec(session, CKM_EC_KEY_PAIR_GEN, curve, &open).expect(label);
    }
    for (label, curve) in
        [("ed25519", ED25519), ("ed25519 by name", ED25519_NAME), ("ed448", ED448), ("x25519", X25519)]
    {
        raw.ec(session, CKM_EC_EDWARDS_KEY_PAIR_GEN, curve, &named(label)).expect(label);
    }
    secrets(raw, session);
    for (label, mechanism) in [("des2", CKM_DES2_KEY_GEN), ("des3", CKM_DES3_KEY_GEN)] {
        secret(raw, session, mechanism, 0, &Template::new().text(CKA_LABEL, label));
    }
    always_asks(raw, session, &named("asks"));
    let dh = Template::new()
        .number(CKA_CLASS, CKO_PRIVATE_KEY)
        .number(CKA_KEY_TYPE, CKK_DH)
        .bytes(CKA_PRIME, &[0xC1; 128])
        .bytes(CKA_BASE, &[2])
        .bytes(CKA_VALUE, &[0x31; 128]);
    raw.create(session, dh.and(&named("dh"))).expect("a DH key");
    let dsa = Template::new()
        .number(CKA_CLASS, CKO_PUBLIC_KEY)
        .number(CKA_KEY_TYPE, CKK_DSA)
        .bytes(CKA_PRIME, &[0xC1; 128])
        .bytes(CKA_SUBPRIME, &[0xC1; 20])
        .bytes(CKA_BASE, &[0x41; 128])
        .bytes(CKA_VALUE, &[0x31; 128]);
    raw.create(session, dsa.and(&named("dsa"))).expect("a DSA key");
    for (label, private) in [("public data", false), ("private data", true)] {
        let more = Template::new().text(CKA_APPLICATION, "tést").bytes(CKA_OBJECT_ID, &[6, 3, 0x2B, 0x65, 0x70]);
        raw.create(session, data(label, private).and(&more)).expect("data");
    }
    let large = Template::new().number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true).flag(CKA_PRIVATE, true);
    let large = large.bytes(CKA_LABEL, b"large \xff\0\n").bytes(CKA_VALUE, &vec![0x5A; 100_000]);
    raw.create(session, large.flag(CKA_MODIFIABLE, false)).expect("large data");
    raw.create(session, data("", false)).expect("data without a name");
    certificates(place, raw, session);
}

fn rsa(raw: &Raw, session: CK_SESSION_HANDLE) {
    let both = Template::new()
        .flag(CKA_TOKEN, true)
        .text(CKA_LABEL, "rsa")
        .bytes(CKA_ID, b"\x01\x02")
        .bytes(CKA_SUBJECT, b"\x30\x00")
        .bytes(CKA_START_DATE, START)
        .bytes(CKA_END_DATE, END);
    let public = both.clone().number(CKA_MODULUS_BITS, 2048).bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1]);
    let public = public.flag(CKA_VERIFY, true).flag(CKA_ENCRYPT, true).flag(CKA_WRAP, false);
    let private = both
        .flag(CKA_PRIVATE, true)
        .flag(CKA_SENSITIVE, true)
        .flag(CKA_SIGN, true)
        .flag(CKA_DECRYPT, true)
        .flag(CKA_UNWRAP, false)
        .flag(CKA_WRAP_WITH_TRUSTED, true)
        .flag(CKA_COPYABLE, false)
        .flag(CKA_DESTROYABLE, false);
    let (public, private) = raw.generate_pair(session, plain(CKM_RSA_PKCS_KEY_PAIR_GEN), public, private).expect("rsa");

    // Sensitive later than from the start, and allowed two mechanisms.
    let open = Template::new().number(CKA_MODULUS_BITS, 2048).bytes(CKA_PUBLIC_EXPONENT, &[3]).flag(CKA_TOKEN, false);
    let secret = Template::new().flag(CKA_SENSITIVE, false).flag(CKA_EXTRACTABLE, true).flag(CKA_TOKEN, false);
    let (from_public, from) =
        raw.generate_pair(session, plain(CKM_RSA_PKCS_KEY_PAIR_GEN), open, secret).expect("a session pair");
    let part = |object, kind| raw.attribute(session, object, kind).expect("a number of the key");
    let mut list: Vec<u8> = CKM_SHA256_RSA_PKCS.to_ne_bytes().to_vec();
    list.extend(CKM_RSA_PKCS.to_ne_bytes());
    let mut template = Template::new()
        .number(CKA_CLASS, CKO_PRIVATE_KEY)
        .number(CKA_KEY_TYPE, CKK_RSA)
        .flag(CKA_TOKEN, true)
        .flag(CKA_PRIVATE, true)
        .flag(CKA_SIGN, true)
        .flag(CKA_SENSITIVE, true)
        .text(CKA_LABEL, "rsa imported")
        .bytes(CKA_ALLOWED_MECHANISMS, &list);
    for kind in [
        CKA_MODULUS,
        CKA_PUBLIC_EXPONENT,
        CKA_PRIVATE_EXPONENT,
        CKA_PRIME_1,
        CKA_PRIME_2,
        CKA_EXPONENT_1,
        CKA_EXPONENT_2,
        CKA_COEFFICIENT,
    ] {
        template = template.bytes(kind, &part(from, kind));
    }
    raw.create(session, template).expect("an imported key");
    let template = Template::new()
        .number(CKA_CLASS, CKO_PUBLIC_KEY)
        .number(CKA_KEY_TYPE, CKK_RSA)
        .flag(CKA_TOKEN, true)
        .flag(CKA_VERIFY, true)
        .text(CKA_LABEL, "rsa imported")
        .bytes(CKA_MODULUS, &part(from_public, CKA_MODULUS))
        .bytes(CKA_PUBLIC_EXPONENT, &part(from_public, CKA_PUBLIC_EXPONENT));
    raw.create(session, template).expect("an imported public key");
    assert!(public != private);
}

/// A pair whose private key asks for the PIN at each use, and may be derived from.
fn always_asks(raw: &Raw, session: CK_SESSION_HANDLE, named: &Template) {
    let public = named.clone().bytes(CKA_EC_PARAMS, P256).flag(CKA_VERIFY, true).flag(CKA_DESTROYABLE, false);
    let private = named.clone().flag(CKA_ALWAYS_AUTHENTICATE, true).flag(CKA_PRIVATE, true).flag(CKA_DERIVE, true);
    raw.generate_pair(session, plain(CKM_EC_KEY_PAIR_GEN), public, private).expect("a pair that asks");
}

fn secrets(raw: &Raw, session: CK_SESSION_HANDLE) {
    let all = |label: &str| Template::new().text(CKA_LABEL, label).flag(CKA_ENCRYPT, true).flag(CKA_DECRYPT, true);
    secret(raw, session, CKM_AES_KEY_GEN, 16, &all("aes128").flag(CKA_SENSITIVE, true).flag(CKA_EXTRACTABLE, false));
    secret(raw, session, CKM_AES_KEY_GEN, 24, &all("aes192").flag(CKA_SENSITIVE, false).flag(CKA_EXTRACTABLE, true));
    secret(raw, session, CKM_AES_KEY_GEN, 32, &all("aes256").flag(CKA_SENSITIVE, true).flag(CKA_EXTRACTABLE, true));
    let hmac = Template::new().text(CKA_LABEL, "generic").flag(CKA_SIGN, true).flag(CKA_VERIFY, true);
    let hmac = hmac.bytes(CKA_ALLOWED_MECHANISMS, &CKM_SHA256_HMAC.to_ne_bytes()).flag(CKA_DERIVE, true);
    secret(raw, session, CKM_GENERIC_SECRET_KEY_GEN, 48, &hmac);
    let open = all("aes public").flag(CKA_SENSITIVE, false);
    let open = open.number(CKA_VALUE_LEN, 16).flag(CKA_TOKEN, true).flag(CKA_PRIVATE, false);
    raw.generate(session, plain(CKM_AES_KEY_GEN), open).expect("a public secret key");

    let template = all("aes imported")
        .number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_AES)
        .flag(CKA_TOKEN, true)
        .flag(CKA_PRIVATE, true)
        .flag(CKA_WRAP, true)
        .flag(CKA_UNWRAP, true)
        .bytes(CKA_VALUE, &[0x42; 32]);
    let within =
        |label: &str| Template::new().flag(CKA_EXTRACTABLE, true).number(CKA_KEY_TYPE, CKK_AES).text(CKA_LABEL, label);
    let mut nested = [(CKA_WRAP_TEMPLATE, within("may leave")), (CKA_UNWRAP_TEMPLATE, within("came in"))];
    create_with(raw, session, template, &mut nested);
}

fn certificates(place: &Place, raw: &Raw, session: CK_SESSION_HANDLE) {
    let make = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];
    let out = ["-subj", "/CN=old", "-keyout", "key.pem", "-out", "cert.der", "-outform", "DER"];
    outside::openssl(place, &[&make[..], &out].concat());
    let der = place.read("cert.der");
    let subject = b"\x30\x0e\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x0c\x03old";
    let base = |label: &str| {
        Template::new()
            .number(CKA_CLASS, CKO_CERTIFICATE)
            .number(CKA_CERTIFICATE_TYPE, CKC_X_509)
            .flag(CKA_TOKEN, true)
            .flag(CKA_PRIVATE, label == "private certificate")
            .text(CKA_LABEL, label)
            .bytes(CKA_SUBJECT, subject)
    };
    raw.create(session, base("certificate").bytes(CKA_VALUE, &der).bytes(CKA_ID, b"\x02")).expect("a certificate");
    raw.create(session, base("private certificate").bytes(CKA_VALUE, &der).number(CKA_CERTIFICATE_CATEGORY, 1))
        .expect("a second certificate");
    let elsewhere = base("elsewhere")
        .bytes(CKA_VALUE, &[])
        .text(CKA_URL, "https://example.org/old.crt")
        .bytes(CKA_HASH_OF_SUBJECT_PUBLIC_KEY, &[1; 20])
        .bytes(CKA_HASH_OF_ISSUER_PUBLIC_KEY, &[2; 20]);
    raw.create(session, elsewhere).expect("a certificate that is elsewhere");
    assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
    assert_eq!(raw.login(session, CKU_SO, SO_PIN), Ok(()));
    let trusted = base("trusted").bytes(CKA_VALUE, &der).flag(CKA_TRUSTED, true).flag(CKA_COPYABLE, false);
    raw.create(session, trusted).expect("a certificate that the SO trusts");
    assert_eq!(ck!(raw, C_Logout, session), CKR_OK);
}
