//! `docs/mechanisms.md`, printed from the rows.
//!
//! Called from the golden-file test and from `xtask`.

use super::{KeyRule, Row, SizeUnit, Wraps, all};
use crate::types::ParamShape;
use ffi_headers::names;
use std::fmt::Write as _;

/// Prints every row as a table in Markdown.
#[must_use]
pub fn document() -> String {
    let mut text = String::from(HEAD);
    for row in all() {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | {:#x} | {} | {} | {} | {} | {} |",
            row.name,
            row.kind,
            keys(row),
            sizes(row),
            shape(row.shape),
            functions(row),
            row.vectors
        );
    }
    text
}

const HEAD: &str = "\
# Mechanisms

Printed from the rows of `hsm-core/src/mechanisms`; a test compares (`UPDATE_GOLDEN=1` rewrites).
A `*` after *wrap* says that private keys (PKCS#8) can be wrapped too.

| mechanism | number | keys | key size | parameter | functions | test vectors |
|---|---|---|---|---|---|---|
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
    let unit = match row.unit {
        SizeUnit::None => return "-".to_owned(),
        SizeUnit::Bits => "bits",
        SizeUnit::Bytes => "bytes",
    };
    if row.size_min == row.size_max {
        format!("{} {unit}", row.size_min)
    } else {
        format!("{} to {} {unit}", row.size_min, row.size_max)
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
        ParamShape::OptionalEddsa => "none or `CK_EDDSA_PARAMS`".to_owned(),
        ParamShape::Derive(shape) => format!("`{}`", shape.name()),
    }
}

fn functions(row: &Row) -> String {
    let private = if row.wraps == Wraps::SecretAndPrivateKeys { "wrap\\*" } else { "wrap" };
    let columns = [
        ("digest", row.digest.is_some()),
        ("sign", row.sign.is_some()),
        ("verify", row.verify.is_some()),
        ("encrypt", row.encrypt.is_some()),
        ("decrypt", row.decrypt.is_some()),
        (private, row.wrap.is_some()),
        ("unwrap", row.unwrap.is_some()),
        ("derive", row.derive.is_some()),
        ("generate key", row.generate.is_some()),
        ("generate pair", row.generate_pair.is_some()),
    ];
    columns.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect::<Vec<_>>().join(", ")
}
