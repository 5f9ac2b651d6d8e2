//! Which code serves a row: asked of the objects that serve it, while the row's functions are carried out once.
//!
//! Owns: a provider that notes who made what it hands out, the names under which that is printed, and what is known of the maturity of
//! each crate. So the column *engine* of `docs/mechanisms.md` has no list of its own that could be wrong.

use crate::operability;
use crate::support::env;
use hsm_core::mechanisms::Row;
use hsm_crypto::cipher::{DesMode, Direction, Mode};
use hsm_crypto::ec::Curve;
use hsm_crypto::hash::CipherMac;
use hsm_crypto::post_quantum::PostQuantum;
use hsm_crypto::secret::SecretBox;
use hsm_crypto::{Hash, MadeBy, Provider, SymmetricKey, on_processors, portable, preferred};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// The types that served, on processors with instructions for SHA and on those without, and what for.
type Served = BTreeSet<(&'static str, &'static str, Purpose)>;

/// What a type may have served for beside the row that is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Purpose {
    /// Nothing: the row wanted it.
    Row,
    /// The hash of a signature, with which a fresh pair is tried out.
    Digest,
    /// The check value of a key that the row has made, unless its name has one of these parts: SHA-1, or the key's cipher block by block.
    CheckValue([&'static str; 2]),
}

thread_local! {
    static SERVED: RefCell<Served> = const { RefCell::new(BTreeSet::new()) };
}

fn note(name: &'static str) {
    note_both([name, name], Purpose::Row);
}

fn note_both([with, without]: [&'static str; 2], purpose: Purpose) {
    SERVED.with_borrow_mut(|served| served.insert((with, without, purpose)));
}

fn boxed<T: ?Sized + MadeBy>(made: hsm_crypto::Result<SecretBox<T>>) -> hsm_crypto::Result<SecretBox<T>> {
    made.inspect(|made| note((**made).made_by()))
}

fn shared<T: ?Sized + MadeBy>(made: hsm_crypto::Result<Arc<T>>) -> hsm_crypto::Result<Arc<T>> {
    made.inspect(|made| note((**made).made_by()))
}

/// The preferred engine, noting who serves.
static RECORDER: LazyLock<Provider> = LazyLock::new(|| Provider {
    digest: |hash| {
        let purpose = if hash == Hash::Sha1 { Purpose::CheckValue(["SHA1", "SHA_1"]) } else { Purpose::Digest };
        note_both(on_processors().map(|engine| (*(engine.digest)(hash)).made_by()), purpose);
        (preferred().digest)(hash)
    },
    hmac: |hash, key| {
        let made_by =
            on_processors().map(|engine| (*(engine.hmac)(hash, &SymmetricKey::copy_of(&[7; 32])).unwrap()).made_by());
        note_both(made_by, Purpose::Row);
        (preferred().hmac)(hash, key)
    },
    keyed_blake2b: |hash, key| boxed((preferred().keyed_blake2b)(hash, key)),
    kmac: |params, key| boxed((preferred().kmac)(params, key)),
    cmac: |key| boxed((preferred().cmac)(key)),
    cipher_mac: |mac, key| {
        let made = (preferred().cipher_mac)(mac, key)?;
        note(within((*made).made_by(), if *mac == CipherMac::Poly1305 { "poly1305::" } else { "" }));
        Ok(made)
    },
    rsa_generate: |bits, exponent, random| {
        (preferred().rsa_generate)(bits, exponent, random).inspect(|pair| note((*pair.private).made_by()))
    },
    rsa_private: |parts| shared((preferred().rsa_private)(parts)),
    rsa_public: |modulus, exponent| shared((preferred().rsa_public)(modulus, exponent)),
    ec_generate: |curve, method, random| {
        every_curve();
        (preferred().ec_generate)(curve, method, random).inspect(|pair| note((*pair.private).made_by()))
    },
    ec_private: |curve, scalar| {
        every_curve();
        (preferred().ec_private)(curve, scalar)
    },
    ec_public: |curve, point| {
        every_curve();
        (preferred().ec_public)(curve, point)
    },
    ed25519_private: |seed| {
        note(within((*(preferred().ed448_private)(&[7; 57])?).made_by(), "ed448_goldilocks::"));
        shared((preferred().ed25519_private)(seed))
    },
    ed25519_public: |key| shared((preferred().ed25519_public)(key)),
    x25519_private: |key| {
        note(within((*(preferred().x448_private)(&[7; 56])?).made_by(), "x448::"));
        shared((preferred().x25519_private)(key))
    },
    cipher: |mode, direction, key| {
        if let Mode::Xts { .. } = mode {
            let longer = SymmetricKey::new(hsm_crypto::SecretBytes::new((0..64).collect()));
            let _ = boxed((preferred().cipher)(mode, Direction::Encrypt, &longer));
        }
        let cipher = (preferred().cipher)(mode, direction, key)?;
        let purpose = match mode {
            Mode::Ecb => Purpose::CheckValue(["AES_ECB"; 2]),
            Mode::TripleDes(DesMode::Ecb) => Purpose::CheckValue(["DES3_ECB"; 2]),
            _ => Purpose::Row,
        };
        let inner = if matches!(mode, Mode::TripleDes(_)) { "des::" } else { "" };
        note_both([within((*cipher).made_by(), inner); 2], purpose);
        Ok(cipher)
    },
    gcm: |params, direction, key| boxed((preferred().gcm)(params, direction, key)),
    aead: |params, direction, key| boxed((preferred().aead)(params, direction, key)),
    key_wrap: |kind, key, initial, data| {
        let [engine, _] = on_processors();
        note(function(std::ptr::fn_addr_eq(engine.key_wrap, portable().key_wrap), "hsm_crypto::portable::key_wrap::"));
        (preferred().key_wrap)(kind, key, initial, data)
    },
    key_unwrap: |kind, key, initial, data| {
        let [engine, _] = on_processors();
        let same = std::ptr::fn_addr_eq(engine.key_unwrap, portable().key_unwrap);
        note(function(same, "hsm_crypto::portable::key_wrap::"));
        (preferred().key_unwrap)(kind, key, initial, data)
    },
    pbkdf2: |hash, password, salt, rounds, out| {
        let [engine, _] = on_processors();
        note(function(std::ptr::fn_addr_eq(engine.pbkdf2, portable().pbkdf2), "hsm_crypto::portable::pbkdf2::"));
        (preferred().pbkdf2)(hash, password, salt, rounds, out)
    },
    post_quantum: PostQuantum {
        ml_kem_private: |set, secret| shared((preferred().post_quantum.ml_kem_private)(set, secret)),
        ml_kem_public: |set, key| shared((preferred().post_quantum.ml_kem_public)(set, key)),
        ml_dsa_private: |set, secret| shared((preferred().post_quantum.ml_dsa_private)(set, secret)),
        ml_dsa_public: |set, key| shared((preferred().post_quantum.ml_dsa_public)(set, key)),
        slh_dsa_private: |set, key| shared((preferred().post_quantum.slh_dsa_private)(set, key)),
        slh_dsa_public: |set, key| shared((preferred().post_quantum.slh_dsa_public)(set, key)),
        ..preferred().post_quantum
    },
    ..*preferred()
});

/// The crate within a type of the portable engine that does not name it, where the parameter says which one it is.
fn within(made_by: &'static str, inner: &'static str) -> &'static str {
    if inner.is_empty() || made_by.contains("::aws_lc::") { made_by } else { inner }
}

/// A function has no type to ask; it is the portable engine's own, or AWS-LC's.
fn function(portable: bool, name: &'static str) -> &'static str {
    if portable { name } else { "hsm_crypto::aws_lc::" }
}

/// A row that works on one curve works on all. The portable engine's type is one for all of them, so the crate is that of the curve.
fn every_curve() {
    for curve in Curve::ALL {
        let key = (preferred().ec_private)(curve, &[0x21; 20]).unwrap();
        let made_by = (*key).made_by();
        note(match curve {
            _ if made_by.contains("::aws_lc::") => made_by,
            Curve::P224 => "p224::",
            Curve::K256 => "k256::",
            Curve::P256 => "p256::",
            Curve::P384 => "p384::",
            Curve::P521 => "p521::",
            Curve::BrainpoolP256r1 | Curve::BrainpoolP256t1 => "bp256::",
            Curve::BrainpoolP384r1 | Curve::BrainpoolP384t1 => "bp384::",
            _ => "primeorder::",
        });
    }
}

/// What serves a row, as the document prints it.
pub fn engine_of(row: &Row) -> String {
    SERVED.take();
    operability::carry_out(&env(&RECORDER), row);
    let mut labels = BTreeSet::new();
    let makes_keys = row.generate.is_some() || row.generate_pair.is_some() && row.sign.is_none();
    for (with, without, purpose) in SERVED.take() {
        let beside = match purpose {
            Purpose::Row => false,
            Purpose::Digest => makes_keys,
            Purpose::CheckValue(parts) => !parts.iter().any(|part| row.name.contains(part)),
        };
        if beside {
            continue;
        }
        let (with, without) = (labels_of(with), labels_of(without));
        if with == without {
            labels.extend(with);
        } else {
            labels.insert(format!("{} or {}", with.join(", "), without.join(", ")));
        }
    }
    if labels.is_empty() { "-".to_owned() } else { labels.into_iter().collect::<Vec<_>>().join(", ") }
}

/// AWS-LC, or the crates in the path of a type; where the type is one of the portable engine without any in its path, those that its file
/// works with.
fn labels_of(name: &str) -> Vec<String> {
    if name.contains("hsm_crypto::aws_lc::") {
        return vec!["AWS-LC".to_owned()];
    }
    let mut crates = crates_in(name);
    if crates.is_empty() {
        let room = name.rsplit_once("hsm_crypto::portable::").and_then(|(_, rest)| rest.split("::").next());
        let room = room.unwrap_or_else(|| panic!("{name} is in no engine"));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hsm-crypto/src/portable").join(room);
        crates = crates_in(&std::fs::read_to_string(path.with_extension("rs")).unwrap());
    }
    crates.into_iter().map(|name| format!("`{name}`")).collect()
}

/// The crates of [`MATURITY`] that begin a path in a text.
fn crates_in(text: &str) -> BTreeSet<&'static str> {
    let starts = |name: &str| {
        let path = format!("{}::", name.replace('-', "_"));
        text.match_indices(&path).any(|(at, _)| {
            // The crate `aes` lends its traits to everybody.
            !text[at..].starts_with("aes::cipher::")
                && !text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':')
        })
    };
    let crates = MATURITY.iter().map(|(name, library, _)| (*name, if library.is_empty() { *name } else { *library }));
    crates.filter(|(_, library)| starts(library)).map(|(name, _)| name).collect()
}

const NCC: &str = "audited by NCC Group (its README)";
const SILENT: &str = "its README tells of no audit";
const CURVE: &str = "its arithmetic has never been independently audited (its README)";
const NEVER: &str = "never independently audited (its README)";

/// Crate, name of its library where that is another one, and what its authors say of its maturity.
const MATURITY: &[(&str, &str, &str)] = &[
    ("aes", "", NCC),
    ("aes-kw", "", SILENT),
    ("blake2", "", SILENT),
    ("bp256", "", SILENT),
    ("bp384", "", SILENT),
    ("cbc-mac", "", SILENT),
    ("chacha20", "", NCC),
    ("chacha20poly1305", "", NCC),
    ("cmac", "", SILENT),
    ("cshake", "", SILENT),
    ("des", "", NEVER),
    ("ed25519-dalek", "", SILENT),
    ("ed448-goldilocks", "", NEVER),
    ("k256", "", NCC),
    ("md-5", "md5", SILENT),
    ("ml-dsa", "", NEVER),
    ("ml-kem", "", NEVER),
    ("p224", "", CURVE),
    ("p256", "", CURVE),
    ("p384", "", CURVE),
    ("p521", "", CURVE),
    ("pbkdf2", "", SILENT),
    ("poly1305", "", NCC),
    ("primeorder", "", CURVE),
    ("ripemd", "", SILENT),
    ("rsa", "", "audited in 2019 (its README)"),
    ("salsa20", "", NEVER),
    ("sha1", "", SILENT),
    ("sha2", "", SILENT),
    ("sha3", "", SILENT),
    ("shake", "", SILENT),
    ("slh-dsa", "", NEVER),
    ("x25519-dalek", "", SILENT),
    ("x448", "", NEVER),
    ("xts-mode", "", NEVER),
];

/// The crates that a table names, with what is known of them.
pub fn maturity(table: &str) -> String {
    let lock = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock")).unwrap();
    let mut text = String::from("\n## Maturity of the crates\n\n| crate | maturity |\n|---|---|\n");
    for (name, _, audit) in MATURITY.iter().filter(|(name, ..)| table.contains(&format!("`{name}`"))) {
        let entry = format!("name = \"{name}\"\nversion = \"");
        // A pre-release stands alone or beside stable versions that other crates bring along.
        let versions = lock.match_indices(&entry).map(|(at, _)| lock[at + entry.len()..].split('"').next().unwrap());
        let pre_release =
            versions.filter(|version| version.contains('-')).map(|version| format!("pre-release {version}; "));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| `{name}` | {}{audit} |", pre_release.collect::<String>());
    }
    text
}

#[test]
fn names_of_types_tell_engine_and_crate() {
    for (name, labels) in [
        ("hsm_crypto::modes::block::BlockStream<hsm_crypto::aws_lc::cipher::Context>", "AWS-LC"),
        ("hsm_crypto::portable::resumable::Resumable<sha2::Sha256>", "`sha2`"),
        ("hsm_crypto::modes::block::BlockStream<hsm_crypto::portable::cipher::EcbEncrypt<aes::Aes128>>", "`aes`"),
        ("hsm_crypto::portable::key_wrap::", "`aes-kw`"),
    ] {
        assert!(labels_of(name).contains(&labels.to_owned()), "{name}: {:?}", labels_of(name));
    }
}
