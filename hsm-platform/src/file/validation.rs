//! `[[validation]]`: what an authority has validated.
//!
//! Owns: the table's keys and values. Does not know: what becomes of it (`hsm_core::validation`).

use super::{line_of, out_of, within};
use hsm_core::validation::Validation;
use serde::Deserialize;
use toml::Spanned;

/// The table as it is written; what follows `authority` is optional in the standard, too.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    r#type: Kind,
    version: Spanned<String>,
    level: Spanned<i64>,
    module: Spanned<String>,
    #[serde(default)]
    authority: Authority,
    country: Option<Spanned<String>>,
    #[serde(default)]
    certificate: String,
    #[serde(default)]
    certificate_uri: String,
    #[serde(default)]
    vendor_uri: String,
    #[serde(default)]
    profile: String,
}

/// `CKV_TYPE_*`, in the order of their numbers.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Unspecified,
    Software,
    Hardware,
    Firmware,
    Hybrid,
}

/// `CKV_AUTHORITY_TYPE_*`, in the order of their numbers.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Authority {
    #[default]
    Unspecified,
    NistCmvp,
    CommonCriteria,
}

/// Understands one table of a file with this text.
pub(super) fn read(text: &str, table: &Table) -> Result<Validation, String> {
    let problem = |key: &str, given: &Spanned<String>, problem: &str| {
        let line = line_of(text, &given.span());
        Err(format!("line {line}, validation.{key}: {problem}"))
    };
    let version = table.version.get_ref().split_once('.');
    let Some((Ok(major), Ok(minor))) = version.map(|(major, minor)| (major.parse(), minor.parse())) else {
        let said = format!("`{}` is not two numbers from 0 to 255, as `3.0`", table.version.get_ref());
        return problem("version", &table.version, &said);
    };
    let Some(level) = within(&table.level, &(0..=u32::MAX)) else {
        return Err(out_of(text, "validation.level", &table.level, &(0..=u32::MAX)));
    };
    if table.module.get_ref().is_empty() {
        return problem("module", &table.module, "it is empty");
    }
    if let Some(country) = &table.country
        && !(country.get_ref().len() == 2 && country.get_ref().bytes().all(|letter| letter.is_ascii_uppercase()))
    {
        return problem("country", country, &format!("`{}` is not two letters of ISO 3166", country.get_ref()));
    }
    Ok(Validation {
        kind: table.r#type as u64,
        version: (major, minor),
        level: level.into(),
        module: table.module.get_ref().clone(),
        authority: table.authority as u64,
        country: table.country.as_ref().map(|country| country.get_ref().clone()).unwrap_or_default(),
        certificate: table.certificate.clone(),
        certificate_uri: table.certificate_uri.clone(),
        vendor_uri: table.vendor_uri.clone(),
        profile: table.profile.clone(),
    })
}
