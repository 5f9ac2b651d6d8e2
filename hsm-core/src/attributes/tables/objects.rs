//! The tables of objects that are no keys and hold no certificate: trust, domain parameters, and what the token has by itself.
//!
//! Owns: their rows. Does not know: what the token has by itself (`built_in`), how domain parameters are completed.
//! Rule source: PKCS#11 3.2, 4.3 (hardware features), 4.7 (trust), 4.12 (domain parameters), 4.13 (mechanisms), 4.14 (profiles), 4.15 (validations),
//! 6.2.4, 6.4.4 and 6.4.5 (the domain parameters of DSA, DH and X9.42 DH).

use super::super::row::{Change, Fill, Form, Give, Row, origin, row};
use super::{ANY, Group, STORAGE, Table};
use ffi_headers::*;

/// Why an object of this class cannot be made, where nothing of what a template says could change that.
#[must_use]
pub fn unmakeable(class: u64) -> Option<&'static str> {
    match class {
        CKO_HW_FEATURE | CKO_MECHANISM | CKO_PROFILE => Some("the token alone has objects of this class"),
        CKO_VALIDATION => Some("the configuration declares who has validated the token, and no application can"),
        CKO_OTP_KEY => Some("the token makes no one-time passwords and keeps no keys for them"),
        _ => None,
    }
}

/// An attribute of what the token has by itself.
const fn fixed(kind: u64, form: Form) -> Row {
    row(kind, form).gives(Give::Never, Give::Never, Give::Never, Give::Never).changes(Change::Never, Change::Never)
}

/// Trust in a certificate for one purpose.
const fn trust(kind: u64) -> Row {
    row(kind, Form::Number(CKT_TRUST_MUST_VERIFY_TRUST as u64))
        .fill(Fill::Number(CKT_TRUST_UNKNOWN as u64))
        .changes(Change::Yes, Change::Yes)
        .created()
}

/// Which purposes a certificate is trusted for. The certificate need not be in the token.
pub static TRUST: Group = Group {
    title: "Trust in a certificate",
    rows: &[
        row(CKA_ISSUER, Form::Der).gives(Give::Must, Give::Never, Give::Never, Give::Never),
        row(CKA_SERIAL_NUMBER, Form::Der).gives(Give::Must, Give::Never, Give::Never, Give::Never),
        // Required as soon as anything is trusted; `check_trust` sees to that, also after a change.
        row(CKA_HASH_OF_CERTIFICATE, Form::Bytes).fill(Fill::Empty).changes(Change::Yes, Change::Yes).created(),
        row(CKA_NAME_HASH_ALGORITHM, Form::Number(ANY))
            .fill(Fill::Number(CKM_SHA_1))
            .changes(Change::Yes, Change::Yes)
            .created(),
        trust(CKA_TRUST_SERVER_AUTH),
        trust(CKA_TRUST_CLIENT_AUTH),
        trust(CKA_TRUST_CODE_SIGNING),
        trust(CKA_TRUST_EMAIL_PROTECTION),
        trust(CKA_TRUST_IPSEC_IKE),
        trust(CKA_TRUST_TIME_STAMPING),
        trust(CKA_TRUST_OCSP_SIGNING),
    ],
};

/// Attributes of all domain parameters.
pub static DOMAIN: Group = Group {
    title: "Domain parameters",
    rows: &[
        row(CKA_KEY_TYPE, Form::Number(ANY)).gives(Give::Must, Give::Never, Give::Never, Give::Never),
        origin(CKA_LOCAL, Form::Flag),
        row(CKA_PRIME, Form::BigInteger).gives(Give::Must, Give::Never, Give::Never, Give::Never),
        row(CKA_BASE, Form::BigInteger).gives(Give::Must, Give::Never, Give::Never, Give::Never),
        bits(CKA_PRIME_BITS),
    ],
};

/// The order of the subgroup, which DSA and X9.42 DH have.
pub static SUBPRIME: Group = Group {
    title: "Domain parameters with a subprime (DSA, X9.42 DH)",
    rows: &[row(CKA_SUBPRIME, Form::BigInteger).gives(Give::Must, Give::Never, Give::Never, Give::Never)],
};

/// The length of the subprime, which X9.42 DH tells.
pub static SUBPRIME_BITS: Group = Group { title: "Domain parameters of X9.42 DH", rows: &[bits(CKA_SUBPRIME_BITS)] };

/// A length that follows from the number itself.
const fn bits(kind: u64) -> Row {
    row(kind, Form::Number(ANY)).fill(Fill::Computed).gives(Give::Same, Give::Never, Give::Never, Give::Never)
}

/// The clock; its value is that of C_GetTokenInfo.
pub static CLOCK: Group = Group {
    title: "Hardware feature (the clock)",
    rows: &[
        fixed(CKA_CLASS, Form::Number(ANY)),
        fixed(CKA_HW_FEATURE_TYPE, Form::Number(ANY)),
        fixed(CKA_VALUE, Form::Text),
    ],
};

/// A mechanism of the token.
pub static MECHANISM: Group = Group {
    title: "Mechanism",
    rows: &[fixed(CKA_CLASS, Form::Number(ANY)), fixed(CKA_MECHANISM_TYPE, Form::Number(ANY))],
};

/// A profile whose conditions the token meets.
pub static PROFILE: Group = Group { title: "Profile", rows: &[fixed(CKA_PROFILE_ID, Form::Number(ANY))] };

/// What an authority has validated, by the configuration.
pub static VALIDATION: Group = Group {
    title: "Validation",
    rows: &[
        fixed(CKA_VALIDATION_TYPE, Form::Number(ANY)),
        fixed(CKA_VALIDATION_VERSION, Form::Bytes),
        fixed(CKA_VALIDATION_LEVEL, Form::Number(ANY)),
        fixed(CKA_VALIDATION_MODULE_ID, Form::Text),
        fixed(CKA_VALIDATION_FLAG, Form::Number(ANY)),
        fixed(CKA_VALIDATION_AUTHORITY_TYPE, Form::Number(ANY)),
        fixed(CKA_VALIDATION_COUNTRY, Form::Text),
        fixed(CKA_VALIDATION_CERTIFICATE_IDENTIFIER, Form::Text),
        fixed(CKA_VALIDATION_CERTIFICATE_URI, Form::Text),
        fixed(CKA_VALIDATION_VENDOR_URI, Form::Text),
        fixed(CKA_VALIDATION_PROFILE, Form::Text),
    ],
};

const fn table(class: u64, key_type: Option<u64>, groups: &'static [&'static Group], material: u64) -> Table {
    Table { class, key_type, groups, usages: &[], material }
}

/// The groups of this file, in the order of the printed document.
pub(super) static GROUPS: [&Group; 8] =
    [&TRUST, &DOMAIN, &SUBPRIME, &SUBPRIME_BITS, &CLOCK, &MECHANISM, &PROFILE, &VALIDATION];

/// The tables of this file.
pub(super) static TABLES: [Table; 8] = [
    table(CKO_TRUST, None, &[&STORAGE, &TRUST], CKA_ISSUER),
    table(CKO_DOMAIN_PARAMETERS, Some(CKK_DSA), &[&STORAGE, &DOMAIN, &SUBPRIME], CKA_PRIME),
    table(CKO_DOMAIN_PARAMETERS, Some(CKK_DH), &[&STORAGE, &DOMAIN], CKA_PRIME),
    table(CKO_DOMAIN_PARAMETERS, Some(CKK_X9_42_DH), &[&STORAGE, &DOMAIN, &SUBPRIME, &SUBPRIME_BITS], CKA_PRIME),
    table(CKO_HW_FEATURE, None, &[&CLOCK], CKA_HW_FEATURE_TYPE),
    table(CKO_MECHANISM, None, &[&MECHANISM], CKA_MECHANISM_TYPE),
    table(CKO_PROFILE, None, &[&STORAGE, &PROFILE], CKA_PROFILE_ID),
    table(CKO_VALIDATION, None, &[&STORAGE, &VALIDATION], CKA_VALIDATION_TYPE),
];
