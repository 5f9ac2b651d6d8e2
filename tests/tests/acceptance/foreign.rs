//! The module through a client that others wrote: the `cryptoki` crate; results are proved by OpenSSL.
//!
//! Owns: the everyday life of a key. Odd inputs are in the other files.

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::elliptic_curve::{EcKdf, Ecdh1DeriveParams};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsOaepParams, PkcsOaepSource, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, CertificateType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::types::AuthPin;
use perilune_tests::{Place, SO_PIN, TOKEN_LABEL, USER_PIN, isolated, module, outside};

fn pin(text: &str) -> AuthPin {
    AuthPin::new(text.into())
}

/// The module initialised, a token made, its user logged in.
fn user() -> (Pkcs11, Session) {
    let client = Pkcs11::new(module::path()).expect("the module loads");
    client.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).expect("initialised");
    let slot = client.get_all_slots().expect("slots")[0];
    client.init_token(slot, &pin(SO_PIN), TOKEN_LABEL).expect("a token");
    let slot = client.get_slots_with_initialized_token().expect("slots")[0];
    let session = client.open_rw_session(slot).expect("a session");
    session.login(UserType::So, Some(&pin(SO_PIN))).expect("the SO");
    session.init_pin(&pin(USER_PIN)).expect("a user PIN");
    session.logout().expect("logged out");
    session.login(UserType::User, Some(&pin(USER_PIN))).expect("the user");
    (client, session)
}

/// Writes the public key as OpenSSL reads it, from CKA_PUBLIC_KEY_INFO.
fn public_pem(place: &Place, session: &Session, key: ObjectHandle) {
    let found = session.get_attributes(key, &[AttributeType::PublicKeyInfo]).expect("CKA_PUBLIC_KEY_INFO");
    let [Attribute::PublicKeyInfo(spki)] = &found[..] else { panic!("{found:?}") };
    place.write("public.der", spki);
    outside::openssl(place, &["pkey", "-pubin", "-inform", "DER", "-in", "public.der", "-out", "public.pem"]);
}

fn rsa(session: &Session, bits: u64) -> (ObjectHandle, ObjectHandle) {
    let public = [
        Attribute::Token(true),
        Attribute::ModulusBits(bits.into()),
        Attribute::PublicExponent(vec![1, 0, 1]),
        Attribute::Verify(true),
        Attribute::Encrypt(true),
        Attribute::Wrap(true),
        Attribute::Label(b"rsa".to_vec()),
    ];
    let private = [
        Attribute::Token(true),
        Attribute::Sign(true),
        Attribute::Decrypt(true),
        Attribute::Unwrap(true),
        Attribute::Label(b"rsa".to_vec()),
    ];
    session.generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public, &private).expect("an RSA pair")
}

fn ec(session: &Session, mechanism: &Mechanism<'_>, curve: &[u8]) -> (ObjectHandle, ObjectHandle) {
    let public = [Attribute::Token(true), Attribute::EcParams(curve.to_vec())];
    let private = [Attribute::Token(true), Attribute::Derive(true)];
    session.generate_key_pair(mechanism, &public, &private).expect("a pair on a curve")
}

const P256: &[u8] = &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22];
const P521: &[u8] = &[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23];
const K256: &[u8] = &[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x0A];
const ED25519: &[u8] = &[0x06, 0x03, 0x2B, 0x65, 0x70];

#[test]
fn the_token_tells_who_it_is() {
    isolated!(|_, _| {
        let (client, session) = user();
        let library = client.get_library_info().expect("information");
        assert!(library.library_description().contains("Perilune"), "{library:?}");
        let slot = session.get_session_info().expect("session information").slot_id();
        let token = client.get_token_info(slot).expect("token information");
        assert_eq!(token.label(), TOKEN_LABEL);
        assert_eq!(token.serial_number().len(), 16);
        assert!(token.user_pin_initialized() && token.login_required() && token.rng() && token.token_initialized());
        assert_eq!(session.get_session_info().expect("state").session_state(), SessionState::RwUser);
        let mechanisms = client.get_mechanism_list(slot).expect("mechanisms");
        for wanted in [MechanismType::RSA_PKCS, MechanismType::ECDSA, MechanismType::AES_GCM, MechanismType::EDDSA] {
            assert!(mechanisms.contains(&wanted), "{wanted:?}");
        }
        client.finalize().expect("finalised");
    });
}

#[test]
fn rsa_signatures_verify_outside_the_token() {
    isolated!(|place, _| {
        let (_client, session) = user();
        let (public, private) = rsa(&session, 2048);
        public_pem(place, &session, public);
        let message = b"a message that OpenSSL reads too";
        place.write("message", message);
        let pss = |hash_alg, mgf, bytes: u64| PkcsPssParams { hash_alg, mgf, s_len: bytes.into() };
        for (mechanism, digest, padding, salt) in [
            (Mechanism::Sha1RsaPkcs, "-sha1", "pkcs1", ""),
            (Mechanism::Sha224RsaPkcs, "-sha224", "pkcs1", ""),
            (Mechanism::Sha256RsaPkcs, "-sha256", "pkcs1", ""),
            (Mechanism::Sha384RsaPkcs, "-sha384", "pkcs1", ""),
            (Mechanism::Sha512RsaPkcs, "-sha512", "pkcs1", ""),
            (Mechanism::Sha1RsaPkcsPss(pss(MechanismType::SHA1, PkcsMgfType::MGF1_SHA1, 20)), "-sha1", "pss", "20"),
            (
                Mechanism::Sha256RsaPkcsPss(pss(MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, 32)),
                "-sha256",
                "pss",
                "32",
            ),
            (
                Mechanism::Sha384RsaPkcsPss(pss(MechanismType::SHA384, PkcsMgfType::MGF1_SHA384, 0)),
                "-sha384",
                "pss",
                "0",
            ),
            (
                Mechanism::Sha512RsaPkcsPss(pss(MechanismType::SHA512, PkcsMgfType::MGF1_SHA512, 64)),
                "-sha512",
                "pss",
                "64",
            ),
        ] {
            let signature = session.sign(&mechanism, private, message).expect("signed");
            place.write("signature", &signature);
            let padding = format!("rsa_padding_mode:{padding}");
            let salt = format!("rsa_pss_saltlen:{salt}");
            let mut arguments =
                vec!["dgst", digest, "-verify", "public.pem", "-signature", "signature", "-sigopt", &padding];
            if padding.ends_with("pss") {
                arguments.extend(["-sigopt", &salt]);
            }
            arguments.push("message");
            assert!(outside::openssl(place, &arguments).contains("Verified OK"));
            session.verify(&mechanism, public, message, &signature).expect("verified inside");
            assert!(session.verify(&mechanism, public, b"another message", &signature).is_err());
        }
    });
}

#[test]
fn ecdsa_signatures_verify_outside_the_token() {
    isolated!(|place, _| {
        let (_client, session) = user();
        let message = b"a message that OpenSSL reads too";
        place.write("message", message);
        for curve in [P256, P384, P521, K256] {
            let (public, private) = ec(&session, &Mechanism::EccKeyPairGen, curve);
            public_pem(place, &session, public);
            for (mechanism, digest) in [
                (Mechanism::EcdsaSha1, "-sha1"),
                (Mechanism::EcdsaSha224, "-sha224"),
                (Mechanism::EcdsaSha256, "-sha256"),
                (Mechanism::EcdsaSha384, "-sha384"),
                (Mechanism::EcdsaSha512, "-sha512"),
            ] {
                let signature = session.sign(&mechanism, private, message).expect("signed");
                session.verify(&mechanism, public, message, &signature).expect("verified inside");
                place.write("signature", outside::ecdsa_to_der(&signature));
                let arguments = ["dgst", digest, "-verify", "public.pem", "-signature", "signature", "message"];
                assert!(outside::openssl(place, &arguments).contains("Verified OK"), "{curve:x?} {digest}");
            }
        }
    });
}

#[test]
fn ed25519_signatures_verify_outside_the_token() {
    isolated!(|place, _| {
        let (_client, session) = user();
        let (public, private) = ec(&session, &Mechanism::EccEdwardsKeyPairGen, ED25519);
        public_pem(place, &session, public);
        let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
        place.write("message", b"message");
        place.write("signature", session.sign(&mechanism, private, b"message").expect("signed"));
        let arguments = [
            "pkeyutl",
            "-verify",
            "-pubin",
            "-inkey",
            "public.pem",
            "-rawin",
            "-in",
            "message",
            "-sigfile",
            "signature",
        ];
        assert!(outside::openssl(place, &arguments).contains("Verified Successfully"));
    });
}

#[test]
fn what_openssl_encrypts_the_token_decrypts() {
    isolated!(|place, _| {
        let (_client, session) = user();
        let (public, private) = rsa(&session, 3072);
        public_pem(place, &session, public);
        place.write("plain", b"for the token only");
        let oaep = |hash, mgf| Mechanism::RsaPkcsOaep(PkcsOaepParams::new(hash, mgf, PkcsOaepSource::empty()));
        for (mechanism, options) in [
            (Mechanism::RsaPkcs, &["rsa_padding_mode:pkcs1"][..]),
            (oaep(MechanismType::SHA1, PkcsMgfType::MGF1_SHA1), &["rsa_padding_mode:oaep"]),
            (oaep(MechanismType::SHA256, PkcsMgfType::MGF1_SHA256), &["rsa_padding_mode:oaep", "rsa_oaep_md:sha256"]),
            (
                oaep(MechanismType::SHA512, PkcsMgfType::MGF1_SHA1),
                &["rsa_padding_mode:oaep", "rsa_oaep_md:sha512", "rsa_mgf1_md:sha1"],
            ),
        ] {
            let mut arguments =
                vec!["pkeyutl", "-encrypt", "-pubin", "-inkey", "public.pem", "-in", "plain", "-out", "sealed"];
            arguments.extend(options.iter().flat_map(|option| ["-pkeyopt", option]));
            outside::openssl(place, &arguments);
            let opened = session.decrypt(&mechanism, private, &place.read("sealed")).expect("decrypted");
            assert_eq!(opened, b"for the token only");
            let mut broken = place.read("sealed");
            broken[100] ^= 1;
            // PKCS#1 v1.5 may answer with other bytes instead of an error (implicit rejection), never with the text.
            let broken = session.decrypt(&mechanism, private, &broken);
            let implicit = matches!(mechanism, Mechanism::RsaPkcs);
            assert!(broken.map_or(true, |other| implicit && other != opened));
        }
    });
}

#[test]
fn aes_agrees_with_openssl() {
    isolated!(|place, _| {
        let (_client, session) = user();
        let value: Vec<u8> = (0..32).collect();
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Value(value.clone()),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::Sign(true),
        ];
        let key = session.create_object(&template).expect("a known key");
        let text = b"some text of no particular length";
        place.write("plain", text);
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let sealed = session.encrypt(&Mechanism::AesCbcPad([9; 16]), key, text).expect("encrypted");
        let (key_hex, iv_hex) = (hex(&value), hex(&[9; 16]));
        outside::openssl(
            place,
            &["enc", "-aes-256-cbc", "-K", &key_hex, "-iv", &iv_hex, "-in", "plain", "-out", "cbc"],
        );
        assert_eq!(sealed, place.read("cbc"));
        assert_eq!(session.decrypt(&Mechanism::AesCbcPad([9; 16]), key, &sealed).expect("decrypted"), text);

        let mut iv = [3; 12];
        let gcm = Mechanism::AesGcm(GcmParams::new(&mut iv, b"header", 128.into()).expect("parameters"));
        let sealed = session.encrypt(&gcm, key, text).expect("encrypted");
        assert_eq!(session.decrypt(&gcm, key, &sealed).expect("decrypted"), text);
        let mut other = [3; 12];
        let gcm = Mechanism::AesGcm(GcmParams::new(&mut other, b"Header", 128.into()).expect("parameters"));
        assert!(session.decrypt(&gcm, key, &sealed).is_err(), "the header is authenticated");

        let mac = session.sign(&Mechanism::AesCMac, key, text).expect("a MAC");
        let said = outside::openssl(
            place,
            &["mac", "-cipher", "AES-256-CBC", "-macopt", &format!("hexkey:{key_hex}"), "-in", "plain", "CMAC"],
        );
        assert!(said.to_lowercase().contains(&hex(&mac)), "{said}");
    });
}

#[test]
fn digests_and_macs_agree_with_openssl() {
    isolated!(|place, _| {
        let (_client, session) = user();
        place.write("plain", b"abc");
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::GENERIC_SECRET),
            Attribute::Value(b"short".to_vec()),
            Attribute::Sign(true),
            Attribute::Verify(true),
        ];
        let key = session.create_object(&template).expect("a short HMAC key");
        for (digest, mac, name) in [
            (Mechanism::Sha1, Mechanism::Sha1Hmac, "-sha1"),
            (Mechanism::Sha224, Mechanism::Sha224Hmac, "-sha224"),
            (Mechanism::Sha256, Mechanism::Sha256Hmac, "-sha256"),
            (Mechanism::Sha384, Mechanism::Sha384Hmac, "-sha384"),
            (Mechanism::Sha512, Mechanism::Sha512Hmac, "-sha512"),
        ] {
            let value = session.digest(&digest, b"abc").expect("a digest");
            assert!(outside::openssl(place, &["dgst", name, "plain"]).contains(&hex(&value)));
            let value = session.sign(&mac, key, b"abc").expect("a MAC");
            assert!(outside::openssl(place, &["dgst", name, "-hmac", "short", "plain"]).contains(&hex(&value)));
            session.verify(&mac, key, b"abc", &value).expect("verified");
            assert!(session.verify(&mac, key, b"abd", &value).is_err());
        }
    });
}

#[test]
fn ecdh_agrees_with_openssl() {
    isolated!(|place, _| {
        let (_client, session) = user();
        let (public, private) = ec(&session, &Mechanism::EccKeyPairGen, P256);
        public_pem(place, &session, public);
        outside::openssl(place, &["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "peer.pem"]);
        outside::openssl(place, &["ec", "-in", "peer.pem", "-pubout", "-outform", "DER", "-out", "peer.der"]);
        outside::openssl(
            place,
            &["pkeyutl", "-derive", "-inkey", "peer.pem", "-peerkey", "public.pem", "-out", "shared"],
        );
        // The last 65 bytes of the SubjectPublicKeyInfo are the point.
        let peer = place.read("peer.der");
        let point = &peer[peer.len() - 65..];
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::GENERIC_SECRET),
            Attribute::ValueLen(32.into()),
            Attribute::Sensitive(false),
            Attribute::Extractable(true),
        ];
        let mechanism = Mechanism::Ecdh1Derive(Ecdh1DeriveParams::new(EcKdf::null(), point));
        let secret = session.derive_key(&mechanism, private, &template).expect("derived");
        let found = session.get_attributes(secret, &[AttributeType::Value]).expect("the value");
        assert_eq!(found, [Attribute::Value(place.read("shared"))]);
    });
}

#[test]
fn keys_are_wrapped_and_unwrapped() {
    isolated!(|_, _| {
        let (_client, session) = user();
        let secret = [
            Attribute::ValueLen(32.into()),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::Wrap(true),
            Attribute::Unwrap(true),
            Attribute::Extractable(true),
        ];
        let open = [&secret[..], &[Attribute::Sensitive(false)]].concat();
        let wrapped = session.generate_key(&Mechanism::AesKeyGen, &open).expect("a key");
        let wrapping = session.generate_key(&Mechanism::AesKeyGen, &secret).expect("a key");
        let (public, private) = rsa(&session, 2048);
        let sealed = session.encrypt(&Mechanism::AesEcb, wrapped, &[1; 16]).expect("encrypted");
        let oaep = Mechanism::RsaPkcsOaep(PkcsOaepParams::new(
            MechanismType::SHA256,
            PkcsMgfType::MGF1_SHA256,
            PkcsOaepSource::empty(),
        ));
        let again =
            [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::KeyType(KeyType::AES), Attribute::Decrypt(true)];
        for (mechanism, with, back) in [
            (&Mechanism::AesKeyWrap, wrapping, wrapping),
            (&Mechanism::AesKeyWrapPad, wrapping, wrapping),
            (&Mechanism::AesCbcPad([4; 16]), wrapping, wrapping),
            (&Mechanism::RsaPkcs, public, private),
            (&oaep, public, private),
        ] {
            let bytes = session.wrap_key(mechanism, with, wrapped).expect("wrapped");
            let key = session.unwrap_key(mechanism, back, &bytes, &again).expect("unwrapped");
            assert_eq!(session.decrypt(&Mechanism::AesEcb, key, &sealed).expect("decrypted"), [1; 16]);
        }
    });
}

#[test]
fn objects_are_found_read_changed_copied_and_destroyed() {
    isolated!(|_, _| {
        let (_client, session) = user();
        let (public, private) = rsa(&session, 2048);
        let keys = session.find_objects(&[Attribute::Label(b"rsa".to_vec())]).expect("found");
        assert_eq!(keys.len(), 2);
        let wanted = [AttributeType::Modulus, AttributeType::PublicExponent, AttributeType::ModulusBits];
        let found = session.get_attributes(public, &wanted).expect("attributes");
        assert!(matches!(&found[0], Attribute::Modulus(modulus) if modulus.len() == 256), "{found:?}");
        assert_eq!(found[1..], [Attribute::PublicExponent(vec![1, 0, 1]), Attribute::ModulusBits(2048.into())]);
        assert!(session.get_attributes(private, &[AttributeType::PrivateExponent]).unwrap_or_default().is_empty());
        session.update_attributes(private, &[Attribute::Id(vec![1, 2, 3])]).expect("changed");
        let copy = session.copy_object(private, &[Attribute::Label(b"copy".to_vec())]).expect("copied");
        let found = session.get_attributes(copy, &[AttributeType::Id, AttributeType::Label]).expect("attributes");
        assert_eq!(found, [Attribute::Id(vec![1, 2, 3]), Attribute::Label(b"copy".to_vec())]);
        session.destroy_object(copy).expect("destroyed");
        assert!(session.get_attributes(copy, &[AttributeType::Id]).is_err());
        assert_eq!(session.find_objects(&[Attribute::Id(vec![1, 2, 3])]).expect("found").len(), 1);
    });
}

#[test]
fn a_certificate_is_filled_from_its_der() {
    isolated!(|place, _| {
        let (_client, session) = user();
        let arguments = [
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "key.pem",
            "-subj",
            "/CN=filled/O=Perilune",
            "-days",
            "30",
            "-outform",
            "DER",
            "-out",
            "certificate.der",
        ];
        outside::openssl(place, &arguments);
        let der = place.read("certificate.der");
        let template = [
            Attribute::Class(ObjectClass::CERTIFICATE),
            Attribute::CertificateType(CertificateType::X_509),
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Value(der.clone()),
        ];
        let certificate = session.create_object(&template).expect("only the value is given");
        let wanted = [AttributeType::Subject, AttributeType::Issuer, AttributeType::SerialNumber, AttributeType::Value];
        let found = session.get_attributes(certificate, &wanted).expect("attributes");
        assert_eq!(found.len(), 4, "{found:?}");
        let [Attribute::Subject(subject), Attribute::Issuer(issuer), Attribute::SerialNumber(serial), _] = &found[..]
        else {
            panic!("{found:?}")
        };
        assert_eq!(subject, issuer, "it signed itself");
        assert_eq!(subject[0], 0x30, "a name in DER");
        assert_eq!(serial[0], 0x02, "an INTEGER in DER");
        assert!(der.windows(subject.len()).any(|part| part == subject));
        assert!(der.windows(serial.len()).any(|part| part == serial));
        let by_name = [Attribute::Issuer(issuer.clone()), Attribute::SerialNumber(serial.clone())];
        assert_eq!(session.find_objects(&by_name).expect("found"), [certificate]);
    });
}

#[test]
fn random_bytes_differ() {
    isolated!(|_, _| {
        let (_client, session) = user();
        let one = session.generate_random_vec(64).expect("random");
        assert_ne!(one, session.generate_random_vec(64).expect("random"));
    });
}
