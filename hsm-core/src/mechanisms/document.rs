//! `docs/mechanisms.md`, printed from the rows.
//!
//! Called from the golden-file test and from `xtask`.

use super::{KeyRule, Row, SizeUnit, Wraps, all};
use crate::policy::with_messages;
use crate::types::ParamShape;
use ffi_headers::*;
use std::fmt::Write as _;

/// Prints every row as a table in Markdown; `engine` tells what serves a row.
#[must_use]
pub fn document(engine: impl Fn(&Row) -> String) -> String {
    let mut text = String::from(HEAD);
    for row in all() {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | {:#x} | {} | {} | {} | {} | {} | {} | {} | {} |",
            row.name,
            row.kind,
            keys(row),
            sizes(row),
            shape(row.shape),
            functions(row, row.info().flags),
            standing(row),
            engine(row),
            row.first_version,
            row.vectors
        );
    }
    text.push_str("\n## Left out\n\n");
    for (what, why) in LEFT_OUT {
        let _ = writeln!(text, "- {what}: {why}.");
    }
    text
}

/// What other tokens have and this one has not, and the reason.
const LEFT_OUT: [(&str, &str); 13] = [
    (
        "DSA",
        "FIPS 186-5 has withdrawn it for new signatures, ECDSA and EdDSA took its place, and no client in use asks a token for it",
    ),
    (
        "DH and X9.42 DH, X3DH, Double Ratchet",
        "ECDH and X25519 took their place in every protocol that reaches a token",
    ),
    ("ECMQV", "no protocol in use has it, and no maintained library offers it"),
    (
        "CKM_RSA_X9_31, CKM_SHA1_RSA_X9_31 and their key pairs",
        "ANSI withdrew X9.31, and neither AWS-LC nor a maintained crate has its padding and primes",
    ),
    ("CKM_RSA_9796 and MD2", "ISO/IEC 9796 is broken, so is MD2, and no client needs them"),
    (
        "RSA signatures with SHA-512/224 and SHA-512/256",
        "the standard has no number for them; with PSS and OAEP the hashes stand in the parameter",
    ),
    (
        "DES, DES2, RC2, RC4, RC5, CAST, IDEA, Blowfish, Skipjack",
        "too short or broken, and asked for by no client in use",
    ),
    ("Camellia, ARIA, SEED, SM4, Twofish", "sound, but no client in use asks a token for them"),
    ("GOST, SM2, SM3", "national algorithms that need certified modules where they are asked for"),
    (
        "SSL 3.0, the keys of TLS 1.0 and 1.1, WTLS",
        "no peer should be met with them; what is left of TLS 1.0 is its function, with the legacy switch",
    ),
    (
        "A KDF of SSH",
        "the standard has no number for one; that of Kryoptic is its own, and OpenSSH derives outside of tokens",
    ),
    (
        "PKCS#12 PBE and CKM_PBA_SHA1_WITH_SHA1_HMAC",
        "made of SHA-1 with RC2, RC4 or triple DES; PBKDF2 took their place, and programs that read such files derive outside of tokens",
    ),
    (
        "HOTP, SecurID, ACTI, CT-KIP, CMS signatures",
        "their keys (CKO_OTP_KEY) belong into personal devices, and no client in use has a token compute them",
    ),
];

const HEAD: &str = "\
# Mechanisms

Printed from the rows of `hsm-core/src/mechanisms`; a test compares (`UPDATE_GOLDEN=1` rewrites).
A `*` after *wrap* says that private keys (PKCS#8) can be wrapped too.
*Approved* is what a token in approved mode does with it, with keys of at least the size that is named (signatures
of smaller ones it still verifies); *legacy* is what a token has only with the legacy switch.
*Engine* is what serves it in the default build, as the objects that do the work say of themselves while the test has them work: AWS-LC, or crates of the
portable engine; after *or*, what does so on processors without instructions for SHA. Several stand for the parts of a mechanism,
sizes of keys and curves. `hsm-crypto/src/aws_lc/mod.rs` says why. The check value of a key that is made (SHA-1, or the key's cipher) is left out. *First version* is that of Perilune.

| mechanism | number | keys | key size | parameter | functions | approved | engine | first version | test vectors |
|---|---|---|---|---|---|---|---|---|---|
";

fn keys(row: &Row) -> String {
    match row.keys {
        KeyRule::None => "-".to_owned(),
        KeyRule::Types(types) => {
            types.iter().map(|kind| names::printable(names::key_type, *kind)).collect::<Vec<_>>().join(", ")
        }
    }
}

fn sizes(row: &Row) -> String {
    if row.unit == SizeUnit::None {
        return "-".to_owned();
    }
    let unit = unit(row.unit);
    if row.size_min == row.size_max {
        format!("{} {unit}", row.size_min)
    } else {
        format!("{} to {} {unit}", row.size_min, row.size_max)
    }
}

fn unit(unit: SizeUnit) -> &'static str {
    match unit {
        SizeUnit::None => "",
        SizeUnit::Bits => "bits",
        SizeUnit::Bytes => "bytes",
    }
}

fn shape(shape: ParamShape) -> String {
    match shape {
        ParamShape::None => "-".to_owned(),
        ParamShape::Iv16 => "16 bytes".to_owned(),
        ParamShape::OptionalIv(bytes) => format!("none or {bytes} bytes"),
        ParamShape::Ctr => "`CK_AES_CTR_PARAMS`".to_owned(),
        ParamShape::Gcm => "`CK_GCM_PARAMS`".to_owned(),
        ParamShape::Pss => "`CK_RSA_PKCS_PSS_PARAMS`".to_owned(),
        ParamShape::Oaep => "`CK_RSA_PKCS_OAEP_PARAMS`".to_owned(),
        ParamShape::Ecdh1 => "`CK_ECDH1_DERIVE_PARAMS`".to_owned(),
        ParamShape::MacLength => "`CK_MAC_GENERAL_PARAMS`".to_owned(),
        ParamShape::OptionalKmac => "none or `CK_KMAC_PARAMS`".to_owned(),
        ParamShape::OptionalSignContext => "none or `CK_SIGN_ADDITIONAL_CONTEXT`".to_owned(),
        ParamShape::HashSignContext => "`CK_HASH_SIGN_ADDITIONAL_CONTEXT`".to_owned(),
        ParamShape::OptionalEddsa => "none or `CK_EDDSA_PARAMS`".to_owned(),
        ParamShape::TlsMac => "`CK_TLS_MAC_PARAMS`".to_owned(),
        ParamShape::Derive(shape) => format!("`{}`", shape.name()),
        ParamShape::Iv8 => "8 bytes".to_owned(),
        ParamShape::Gmac => "12 bytes or `CK_GCM_PARAMS`".to_owned(),
        ParamShape::Ccm => "`CK_CCM_PARAMS`".to_owned(),
        ParamShape::RsaAesWrap => "`CK_RSA_AES_KEY_WRAP_PARAMS`".to_owned(),
        ParamShape::EcdhAesWrap => "`CK_ECDH_AES_KEY_WRAP_PARAMS`".to_owned(),
        ParamShape::ChaCha20 => "`CK_CHACHA20_PARAMS`".to_owned(),
        ParamShape::Salsa20 => "`CK_SALSA20_PARAMS`".to_owned(),
        ParamShape::ChaCha20Poly1305 => "`CK_SALSA20_CHACHA20_POLY1305_PARAMS`".to_owned(),
    }
}

/// How the mechanism stands in approved mode and with the legacy switch.
fn standing(row: &Row) -> String {
    let all = row.info().flags & !row.extra_flags;
    let mut text = match all & with_messages(row.approved) {
        0 => "no".to_owned(),
        some if some == all => "yes".to_owned(),
        some => functions(row, some),
    };
    if row.approved_size_min > row.size_min {
        // Writing to a String cannot fail.
        let _ = write!(text, ", from {} {}", row.approved_size_min, unit(row.unit));
    }
    if row.legacy {
        text.push_str("; legacy");
    }
    text
}

/// The functions of a row that are among `flags`.
fn functions(row: &Row, flags: u64) -> String {
    let private = if row.wraps == Wraps::SecretAndPrivateKeys { "wrap\\*" } else { "wrap" };
    let columns = [
        ("digest", CKF_DIGEST),
        ("sign", CKF_SIGN),
        ("verify", CKF_VERIFY),
        ("sign recover", CKF_SIGN_RECOVER),
        ("verify recover", CKF_VERIFY_RECOVER),
        ("encrypt", CKF_ENCRYPT),
        ("decrypt", CKF_DECRYPT),
        ("messages", CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT),
        (private, CKF_WRAP),
        ("unwrap", CKF_UNWRAP),
        ("derive", CKF_DERIVE),
        ("encapsulate", CKF_ENCAPSULATE),
        ("decapsulate", CKF_DECAPSULATE),
        ("generate key", CKF_GENERATE),
        ("generate pair", CKF_GENERATE_KEY_PAIR),
    ];
    columns.into_iter().filter(|(_, flag)| flags & flag != 0).map(|(name, _)| name).collect::<Vec<_>>().join(", ")
}
