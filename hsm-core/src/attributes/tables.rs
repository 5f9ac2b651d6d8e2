//! The attribute tables: which attributes an object has, and the rules of each.
//!
//! Owns: the rows, in groups as the standard lists them, and per class and key type the groups that
//! apply and the usages that the type can do. Does not know: how rows are applied. Everything that
//! judges a template or answers a question reads these tables; `docs/attributes.md` is printed from them.
//! Rule source: PKCS#11 v3.1, 4.2 to 4.10 (common attributes), 6.1 (RSA), 6.3 (EC), 6.8 (generic secret),
//! 6.10 (AES), 6.20 and on (HMAC keys); v3.2, 6.65 to 6.69 (stateful and post-quantum keys).
//!
//! CKA_ENCAPSULATE and CKA_DECAPSULATE are false by default but for ML-KEM keys: an application that knows versions before 3.2 and forbids a
//! key all uses but one would otherwise have made a key with two.

mod objects;

pub use objects::unmakeable;

use super::row::{Change, Fill, Form, Give, Row, flag, label, material, origin, row, usage};
use crate::limits::CERTIFICATE_CATEGORY_MAX;
use ffi_headers::vendor::*;
use ffi_headers::*;

/// Attributes that go together.
#[derive(Debug)]
pub struct Group {
    /// Heading in the printed document.
    pub title: &'static str,
    /// Its attributes.
    pub rows: &'static [Row],
}

/// The attributes of one class and key type.
#[derive(Debug)]
pub struct Table {
    /// `CKO_*`.
    pub class: u64,
    /// `CKK_*` of keys.
    pub key_type: Option<u64>,
    /// The groups that apply; no attribute is in two of them.
    pub groups: &'static [&'static Group],
    /// The usages that the key type can do: true where a template is silent.
    pub usages: &'static [u64],
    /// The attribute that a fault of the key material is reported on.
    pub material: u64,
}

impl Table {
    /// The row of an attribute, where the object has it.
    #[must_use]
    pub fn row(&self, kind: u64) -> Option<&'static Row> {
        self.rows().find(|row| row.kind == kind)
    }

    /// All rows, in the order of the groups.
    pub fn rows(&self) -> impl Iterator<Item = &'static Row> {
        self.groups.iter().flat_map(|group| group.rows)
    }

    /// Whether objects of this table are keys. Domain parameters have a key type, too, and are none.
    #[must_use]
    pub fn is_key(&self) -> bool {
        self.key_type.is_some() && self.class != CKO_DOMAIN_PARAMETERS
    }

    /// Whether objects of this table are private or secret keys.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.class == CKO_PRIVATE_KEY || self.class == CKO_SECRET_KEY
    }
}

/// Every table.
pub fn all() -> impl Iterator<Item = &'static Table> {
    TABLES.iter().chain(&objects::TABLES)
}

/// Every group once, in the order of the printed document.
pub fn groups() -> impl Iterator<Item = &'static Group> {
    GROUPS.into_iter().chain(objects::GROUPS)
}

/// Finds the table of a class and key type.
#[must_use]
pub fn find(class: u64, key_type: Option<u64>) -> Option<&'static Table> {
    all().find(|table| table.class == class && table.key_type == key_type)
}

/// Whether the token makes objects of this class.
#[must_use]
pub fn has_class(class: u64) -> bool {
    all().any(|table| table.class == class)
}

/// The row of an attribute in whichever table of a key has it, for templates that describe keys.
#[must_use]
pub fn key_row(kind: u64) -> Option<&'static Row> {
    TABLES.iter().filter(|table| table.is_key()).find_map(|table| table.row(kind))
}

/// The widest number.
const ANY: u64 = u64::MAX;

/// Attributes of every object.
pub static STORAGE: Group = Group {
    title: "Every object",
    rows: &[
        row(CKA_CLASS, Form::Number(ANY)).gives(Give::Must, Give::Same, Give::Same, Give::Same),
        flag(CKA_TOKEN, false).changes(Change::Yes, Change::Never),
        row(CKA_PRIVATE, Form::Flag).fill(Fill::KeysPrivate).changes(Change::OnlyTrue, Change::Never),
        flag(CKA_MODIFIABLE, true).changes(Change::Yes, Change::Never),
        label(CKA_LABEL, Form::Text),
        flag(CKA_COPYABLE, true).changes(Change::OnlyFalse, Change::OnlyFalse),
        flag(CKA_DESTROYABLE, true).changes(Change::Yes, Change::Yes),
        origin(CKA_UNIQUE_ID, Form::Text).migrates(Give::Never),
    ],
};

/// Attributes of data objects.
pub static DATA: Group = Group {
    title: "Data",
    rows: &[
        // A derivation can make data objects, too (CKM_HKDF_DATA).
        label(CKA_APPLICATION, Form::Text).created().derived(),
        label(CKA_OBJECT_ID, Form::Der).created().derived(),
        label(CKA_VALUE, Form::Bytes).created().migrates(Give::May),
    ],
};

/// Attributes of X.509 certificates; what a template leaves out is read from CKA_VALUE.
pub static CERTIFICATE: Group = Group {
    title: "X.509 certificate",
    rows: &[
        row(CKA_CERTIFICATE_TYPE, Form::Number(ANY)).fill(Fill::Number(CKC_X_509)).created(),
        flag(CKA_TRUSTED, false).officer_only().changes(Change::Yes, Change::Yes).created(),
        row(CKA_CERTIFICATE_CATEGORY, Form::Number(CERTIFICATE_CATEGORY_MAX))
            .fill(Fill::Number(CK_CERTIFICATE_CATEGORY_UNSPECIFIED))
            .changes(Change::Yes, Change::Yes)
            .created()
            .migrates(Give::Try),
        row(CKA_CHECK_VALUE, Form::Bytes).fill(Fill::Computed).created().migrates(Give::Try),
        row(CKA_START_DATE, Form::Date).fill(Fill::Computed).created().migrates(Give::Try),
        row(CKA_END_DATE, Form::Date).fill(Fill::Computed).created().migrates(Give::Try),
        row(CKA_PUBLIC_KEY_INFO, Form::Der).fill(Fill::Computed).created().migrates(Give::Try),
        row(CKA_SUBJECT, Form::Der)
            .fill(Fill::Computed)
            .changes(Change::Yes, Change::Yes)
            .created()
            .migrates(Give::Try),
        label(CKA_ID, Form::Bytes).created(),
        row(CKA_ISSUER, Form::Der).fill(Fill::Computed).changes(Change::Yes, Change::Yes).created().migrates(Give::Try),
        row(CKA_SERIAL_NUMBER, Form::Der)
            .fill(Fill::Computed)
            .changes(Change::Yes, Change::Yes)
            .created()
            .migrates(Give::Try),
        // Required unless CKA_URL says where the certificate is; the completion of certificates sees to that.
        row(CKA_VALUE, Form::Der).fill(Fill::Empty).created(),
        row(CKA_URL, Form::Text).fill(Fill::Empty).created().migrates(Give::Try),
        row(CKA_HASH_OF_SUBJECT_PUBLIC_KEY, Form::Bytes).fill(Fill::Empty).created().migrates(Give::Try),
        row(CKA_HASH_OF_ISSUER_PUBLIC_KEY, Form::Bytes).fill(Fill::Empty).created().migrates(Give::Try),
        row(CKA_JAVA_MIDP_SECURITY_DOMAIN, Form::Number(CERTIFICATE_CATEGORY_MAX))
            .fill(Fill::Number(0))
            .created()
            .migrates(Give::Try),
        row(CKA_NAME_HASH_ALGORITHM, Form::Number(ANY)).fill(Fill::Number(CKM_SHA_1)).created().migrates(Give::Try),
    ],
};

/// Attributes of every key.
pub static KEY: Group = Group {
    title: "Every key",
    rows: &[
        row(CKA_KEY_TYPE, Form::Number(ANY)).gives(Give::Must, Give::Same, Give::Same, Give::Same),
        label(CKA_ID, Form::Bytes),
        label(CKA_START_DATE, Form::Date),
        label(CKA_END_DATE, Form::Date),
        usage(CKA_DERIVE),
        origin(CKA_LOCAL, Form::Flag),
        origin(CKA_KEY_GEN_MECHANISM, Form::Number(ANY)),
        row(CKA_ALLOWED_MECHANISMS, Form::Mechanisms),
        row(CKA_OBJECT_VALIDATION_FLAGS, Form::Number(ANY))
            .fill(Fill::Always(0))
            .gives(Give::Never, Give::Never, Give::Never, Give::Never)
            .changes(Change::Never, Change::Never),
    ],
};

/// Attributes of every public key.
pub static PUBLIC: Group = Group {
    title: "Every public key",
    rows: &[
        label(CKA_SUBJECT, Form::Der),
        usage(CKA_ENCRYPT),
        usage(CKA_VERIFY),
        usage(CKA_VERIFY_RECOVER),
        usage(CKA_WRAP),
        flag(CKA_TRUSTED, false).officer_only().changes(Change::Yes, Change::Yes),
        row(CKA_WRAP_TEMPLATE, Form::Template),
        row(CKA_PUBLIC_KEY_INFO, Form::Der).fill(Fill::Computed).migrates(Give::Try),
        usage(CKA_ENCAPSULATE),
        row(CKA_ENCAPSULATE_TEMPLATE, Form::Template),
    ],
};

/// Attributes of every private key.
pub static PRIVATE: Group = Group {
    title: "Every private key",
    rows: &[
        label(CKA_SUBJECT, Form::Der),
        flag(CKA_SENSITIVE, true).changes(Change::OnlyTrue, Change::OnlyTrue),
        usage(CKA_DECRYPT),
        usage(CKA_SIGN),
        usage(CKA_SIGN_RECOVER),
        usage(CKA_UNWRAP),
        flag(CKA_EXTRACTABLE, false).changes(Change::OnlyFalse, Change::OnlyFalse),
        origin(CKA_ALWAYS_SENSITIVE, Form::Flag),
        origin(CKA_NEVER_EXTRACTABLE, Form::Flag),
        flag(CKA_WRAP_WITH_TRUSTED, false).changes(Change::OnlyTrue, Change::OnlyTrue),
        row(CKA_UNWRAP_TEMPLATE, Form::Template),
        flag(CKA_ALWAYS_AUTHENTICATE, false).changes(Change::OnlyTrue, Change::Never),
        row(CKA_PUBLIC_KEY_INFO, Form::Der).fill(Fill::Computed).migrates(Give::Try),
        row(CKA_DERIVE_TEMPLATE, Form::Template),
        usage(CKA_DECAPSULATE),
        row(CKA_DECAPSULATE_TEMPLATE, Form::Template),
    ],
};

/// Attributes of every secret key.
pub static SECRET: Group = Group {
    title: "Every secret key",
    rows: &[
        flag(CKA_SENSITIVE, true).changes(Change::OnlyTrue, Change::OnlyTrue),
        usage(CKA_ENCRYPT),
        usage(CKA_DECRYPT),
        usage(CKA_SIGN),
        usage(CKA_VERIFY),
        usage(CKA_WRAP),
        usage(CKA_UNWRAP),
        flag(CKA_EXTRACTABLE, false).changes(Change::OnlyFalse, Change::OnlyFalse),
        origin(CKA_ALWAYS_SENSITIVE, Form::Flag),
        origin(CKA_NEVER_EXTRACTABLE, Form::Flag),
        row(CKA_CHECK_VALUE, Form::Bytes).fill(Fill::Computed).migrates(Give::Try),
        flag(CKA_WRAP_WITH_TRUSTED, false).changes(Change::OnlyTrue, Change::OnlyTrue),
        flag(CKA_TRUSTED, false).officer_only().changes(Change::Yes, Change::Yes),
        row(CKA_WRAP_TEMPLATE, Form::Template),
        row(CKA_UNWRAP_TEMPLATE, Form::Template),
        row(CKA_DERIVE_TEMPLATE, Form::Template),
        material(CKA_VALUE, Form::Bytes).sensitive(),
        row(CKA_VALUE_LEN, Form::Number(ANY)).fill(Fill::Computed).gives(
            Give::Same,
            Give::Same,
            Give::Same,
            Give::Same,
        ),
    ],
};

/// The numbers of an RSA public key.
pub static RSA_PUBLIC: Group = Group {
    title: "RSA public key",
    rows: &[
        material(CKA_MODULUS, Form::BigInteger),
        row(CKA_MODULUS_BITS, Form::Number(ANY)).fill(Fill::Computed).gives(
            Give::Same,
            Give::Same,
            Give::Never,
            Give::Never,
        ),
        row(CKA_PUBLIC_EXPONENT, Form::BigInteger).fill(Fill::Computed).gives(
            Give::May,
            Give::Same,
            Give::Never,
            Give::Never,
        ),
    ],
};

/// A secret number of an RSA private key that can be computed from the others.
const fn rsa_part(kind: u64) -> Row {
    row(kind, Form::BigInteger).fill(Fill::Computed).gives(Give::May, Give::Never, Give::Never, Give::Never).sensitive()
}

/// The numbers of an RSA private key.
pub static RSA_PRIVATE: Group = Group {
    title: "RSA private key",
    rows: &[
        row(CKA_MODULUS, Form::BigInteger).gives(Give::Must, Give::Never, Give::Same, Give::Never),
        row(CKA_PUBLIC_EXPONENT, Form::BigInteger).fill(Fill::Computed).gives(
            Give::May,
            Give::Same,
            Give::Same,
            Give::Never,
        ),
        material(CKA_PRIVATE_EXPONENT, Form::BigInteger).sensitive(),
        rsa_part(CKA_PRIME_1),
        rsa_part(CKA_PRIME_2),
        rsa_part(CKA_EXPONENT_1),
        rsa_part(CKA_EXPONENT_2),
        rsa_part(CKA_COEFFICIENT),
    ],
};

/// Curve and point of a public key on any curve.
pub static EC_PUBLIC: Group = Group {
    title: "Public key on a curve (EC, Edwards, Montgomery)",
    rows: &[
        row(CKA_EC_PARAMS, Form::Der).gives(Give::Must, Give::Same, Give::Never, Give::Never),
        material(CKA_EC_POINT, Form::Der),
    ],
};

/// Curve, point and scalar of a private key on a Weierstrass curve.
pub static EC_PRIVATE: Group = Group {
    title: "EC private key",
    rows: &[EC_PRIVATE_PARAMS, EC_PRIVATE_POINT, material(CKA_VALUE, Form::BigInteger).sensitive()],
};

/// Curve, point and secret bytes of a private key on an Edwards or Montgomery curve.
pub static EC_RAW_PRIVATE: Group = Group {
    title: "Edwards and Montgomery private key",
    rows: &[EC_PRIVATE_PARAMS, EC_PRIVATE_POINT, material(CKA_VALUE, Form::Bytes).sensitive()],
};

/// An attribute of a key in a tree, which only the derivation gives.
const fn tree(kind: u64, form: Form) -> Row {
    row(kind, form).gives(Give::Never, Give::Never, Give::Never, Give::Never)
}

/// The place of a key in its tree.
pub static BIP32: Group = Group {
    title: "Every key in a tree (BIP32)",
    rows: &[
        row(CKA_EC_PARAMS, Form::Der).gives(Give::Never, Give::Never, Give::Never, Give::Same),
        tree(CKA_EC_POINT, Form::Der),
        tree(CKA_BIP32_VERSION_BYTES, Form::Bytes),
        tree(CKA_BIP32_CHILD_INDEX, Form::Number(ANY)),
        tree(CKA_BIP32_CHILD_DEPTH, Form::Number(ANY)),
        tree(CKA_BIP32_ID, Form::Bytes),
        tree(CKA_BIP32_FINGERPRINT, Form::Bytes),
        tree(CKA_BIP32_PARENT_FINGERPRINT, Form::Bytes),
    ],
};

/// What else a public key in a tree has: with it, all its children that are not hardened can be computed.
pub static BIP32_PUBLIC: Group =
    Group { title: "Public key in a tree (BIP32)", rows: &[tree(CKA_BIP32_CHAIN_CODE, Form::Bytes)] };

/// The secrets of a private key in a tree.
pub static BIP32_PRIVATE: Group = Group {
    title: "Private key in a tree (BIP32)",
    rows: &[tree(CKA_VALUE, Form::Bytes).sensitive(), tree(CKA_BIP32_CHAIN_CODE, Form::Bytes).sensitive()],
};

const EC_PRIVATE_PARAMS: Row = row(CKA_EC_PARAMS, Form::Der).gives(Give::Must, Give::Same, Give::Same, Give::Never);
// Not in the standard's table of private keys, but libp11 and pkcs11-provider ask for it, and with it
// they need no public key object beside the private one.
const EC_PRIVATE_POINT: Row =
    row(CKA_EC_POINT, Form::Der).fill(Fill::Computed).gives(Give::May, Give::Never, Give::Same, Give::Never);

/// Set and value of a post-quantum public key.
pub static PQ_PUBLIC: Group = Group {
    title: "ML-KEM, ML-DSA, SLH-DSA, XMSS and XMSSMT public key",
    rows: &[
        row(CKA_PARAMETER_SET, Form::Number(ANY)).gives(Give::Must, Give::Same, Give::Never, Give::Never),
        material(CKA_VALUE, Form::Bytes),
    ],
};

/// Set, seed and value of a lattice private key.
pub static LATTICE_PRIVATE: Group = Group {
    title: "ML-KEM and ML-DSA private key",
    rows: &[
        PQ_PRIVATE_SET,
        // One of the two must be there; the completion sees to that, and computes the value of a seed.
        row(CKA_SEED, Form::Bytes)
            .fill(Fill::Empty)
            .gives(Give::May, Give::Never, Give::Never, Give::Never)
            .sensitive(),
        row(CKA_VALUE, Form::Bytes)
            .fill(Fill::Computed)
            .gives(Give::May, Give::Never, Give::Never, Give::Never)
            .sensitive(),
    ],
};

/// Set and value of an SLH-DSA private key.
pub static SLH_PRIVATE: Group =
    Group { title: "SLH-DSA private key", rows: &[PQ_PRIVATE_SET, material(CKA_VALUE, Form::Bytes).sensitive()] };

/// Levels, types of the top tree and value of an HSS public key.
pub static HSS_PUBLIC: Group = Group {
    title: "HSS public key",
    rows: &[
        hss_computed(CKA_HSS_LEVELS),
        hss_computed(CKA_HSS_LMS_TYPE),
        hss_computed(CKA_HSS_LMOTS_TYPE),
        material(CKA_VALUE, Form::Bytes),
    ],
};

/// Levels, types of all trees, value and count of an HSS private key, which only its generation makes.
pub static HSS_PRIVATE: Group = Group {
    title: "HSS private key",
    rows: &[
        hss_asked(CKA_HSS_LEVELS, Form::Number(ANY)),
        hss_asked(CKA_HSS_LMS_TYPES, Form::Numbers),
        hss_asked(CKA_HSS_LMOTS_TYPES, Form::Numbers),
        tree(CKA_VALUE, Form::Bytes).sensitive(),
        hss_computed(CKA_HSS_KEYS_REMAINING),
    ],
};

/// Set and value of an XMSS or XMSS^MT private key, which only its generation makes.
pub static XMSS_PRIVATE: Group = Group {
    title: "XMSS and XMSSMT private key",
    rows: &[
        row(CKA_PARAMETER_SET, Form::Number(ANY)).gives(Give::Never, Give::Same, Give::Never, Give::Never),
        tree(CKA_VALUE, Form::Bytes).sensitive(),
    ],
};

/// A number that the token alone gives.
const fn hss_computed(kind: u64) -> Row {
    tree(kind, Form::Number(ANY)).fill(Fill::Computed).changes(Change::Never, Change::Never)
}

/// What the generation of a private key is asked for.
const fn hss_asked(kind: u64, form: Form) -> Row {
    row(kind, form).gives(Give::Never, Give::Must, Give::Never, Give::Never)
}

const PQ_PRIVATE_SET: Row =
    row(CKA_PARAMETER_SET, Form::Number(ANY)).gives(Give::Must, Give::Same, Give::Same, Give::Never);

const fn object(class: u64, groups: &'static [&'static Group]) -> Table {
    Table { class, key_type: None, groups, usages: &[], material: CKA_VALUE }
}

const fn public(key_type: u64, groups: &'static [&'static Group], usages: &'static [u64], material: u64) -> Table {
    Table { class: CKO_PUBLIC_KEY, key_type: Some(key_type), groups, usages, material }
}

const fn private(key_type: u64, groups: &'static [&'static Group], usages: &'static [u64], material: u64) -> Table {
    Table { class: CKO_PRIVATE_KEY, key_type: Some(key_type), groups, usages, material }
}

const fn secret(key_type: u64, usages: &'static [u64]) -> Table {
    Table { class: CKO_SECRET_KEY, key_type: Some(key_type), groups: SECRET_GROUPS, usages, material: CKA_VALUE }
}

const RSA_PUBLIC_GROUPS: &[&Group] = &[&STORAGE, &KEY, &PUBLIC, &RSA_PUBLIC];
const RSA_PRIVATE_GROUPS: &[&Group] = &[&STORAGE, &KEY, &PRIVATE, &RSA_PRIVATE];
const EC_PUBLIC_GROUPS: &[&Group] = &[&STORAGE, &KEY, &PUBLIC, &EC_PUBLIC];
const EC_PRIVATE_GROUPS: &[&Group] = &[&STORAGE, &KEY, &PRIVATE, &EC_PRIVATE];
const EC_RAW_PRIVATE_GROUPS: &[&Group] = &[&STORAGE, &KEY, &PRIVATE, &EC_RAW_PRIVATE];
const PQ_PUBLIC_GROUPS: &[&Group] = &[&STORAGE, &KEY, &PUBLIC, &PQ_PUBLIC];
const LATTICE_PRIVATE_GROUPS: &[&Group] = &[&STORAGE, &KEY, &PRIVATE, &LATTICE_PRIVATE];
const SLH_PRIVATE_GROUPS: &[&Group] = &[&STORAGE, &KEY, &PRIVATE, &SLH_PRIVATE];
const XMSS_PRIVATE_GROUPS: &[&Group] = &[&STORAGE, &KEY, &PRIVATE, &XMSS_PRIVATE];
const SECRET_GROUPS: &[&Group] = &[&STORAGE, &KEY, &SECRET];
const MAC: &[u64] = &[CKA_SIGN, CKA_VERIFY];

/// The groups of keys, certificates and data.
static GROUPS: [&Group; 21] = [
    &STORAGE,
    &DATA,
    &CERTIFICATE,
    &KEY,
    &PUBLIC,
    &PRIVATE,
    &SECRET,
    &RSA_PUBLIC,
    &RSA_PRIVATE,
    &EC_PUBLIC,
    &EC_PRIVATE,
    &EC_RAW_PRIVATE,
    &BIP32,
    &BIP32_PUBLIC,
    &BIP32_PRIVATE,
    &PQ_PUBLIC,
    &LATTICE_PRIVATE,
    &SLH_PRIVATE,
    &HSS_PUBLIC,
    &HSS_PRIVATE,
    &XMSS_PRIVATE,
];

/// Every class and key type that the token has.
pub static TABLES: [Table; 50] = [
    object(CKO_DATA, &[&STORAGE, &DATA]),
    object(CKO_CERTIFICATE, &[&STORAGE, &CERTIFICATE]),
    public(CKK_RSA, RSA_PUBLIC_GROUPS, &[CKA_ENCRYPT, CKA_VERIFY, CKA_VERIFY_RECOVER, CKA_WRAP], CKA_MODULUS),
    private(CKK_RSA, RSA_PRIVATE_GROUPS, &[CKA_DECRYPT, CKA_SIGN, CKA_SIGN_RECOVER, CKA_UNWRAP], CKA_PRIVATE_EXPONENT),
    public(CKK_EC, EC_PUBLIC_GROUPS, &[CKA_VERIFY], CKA_EC_POINT),
    private(CKK_EC, EC_PRIVATE_GROUPS, &[CKA_SIGN, CKA_DERIVE], CKA_VALUE),
    public(CKK_EC_EDWARDS, EC_PUBLIC_GROUPS, &[CKA_VERIFY], CKA_EC_POINT),
    private(CKK_EC_EDWARDS, EC_RAW_PRIVATE_GROUPS, &[CKA_SIGN], CKA_VALUE),
    public(CKK_EC_MONTGOMERY, EC_PUBLIC_GROUPS, &[], CKA_EC_POINT),
    private(CKK_EC_MONTGOMERY, EC_RAW_PRIVATE_GROUPS, &[CKA_DERIVE], CKA_VALUE),
    public(CKK_ML_KEM, PQ_PUBLIC_GROUPS, &[CKA_ENCAPSULATE], CKA_VALUE),
    private(CKK_ML_KEM, LATTICE_PRIVATE_GROUPS, &[CKA_DECAPSULATE], CKA_VALUE),
    public(CKK_ML_DSA, PQ_PUBLIC_GROUPS, &[CKA_VERIFY], CKA_VALUE),
    private(CKK_ML_DSA, LATTICE_PRIVATE_GROUPS, &[CKA_SIGN], CKA_VALUE),
    public(CKK_SLH_DSA, PQ_PUBLIC_GROUPS, &[CKA_VERIFY], CKA_VALUE),
    private(CKK_SLH_DSA, SLH_PRIVATE_GROUPS, &[CKA_SIGN], CKA_VALUE),
    public(CKK_HSS, &[&STORAGE, &KEY, &PUBLIC, &HSS_PUBLIC], &[CKA_VERIFY], CKA_VALUE),
    private(CKK_HSS, &[&STORAGE, &KEY, &PRIVATE, &HSS_PRIVATE], &[CKA_SIGN], CKA_VALUE),
    public(CKK_XMSS, PQ_PUBLIC_GROUPS, &[CKA_VERIFY], CKA_VALUE),
    private(CKK_XMSS, XMSS_PRIVATE_GROUPS, &[CKA_SIGN], CKA_VALUE),
    public(CKK_XMSSMT, PQ_PUBLIC_GROUPS, &[CKA_VERIFY], CKA_VALUE),
    private(CKK_XMSSMT, XMSS_PRIVATE_GROUPS, &[CKA_SIGN], CKA_VALUE),
    secret(CKK_AES, &[CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP, CKA_SIGN, CKA_VERIFY]),
    secret(CKK_AES_XTS, &[CKA_ENCRYPT, CKA_DECRYPT]),
    secret(CKK_CHACHA20, &[CKA_ENCRYPT, CKA_DECRYPT]),
    secret(CKK_SALSA20, &[CKA_ENCRYPT, CKA_DECRYPT]),
    secret(CKK_POLY1305, MAC),
    secret(CKK_DES3, &[CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP, CKA_SIGN, CKA_VERIFY]),
    secret(CKK_GENERIC_SECRET, &[CKA_SIGN, CKA_VERIFY, CKA_DERIVE]),
    secret(CKK_HKDF, &[CKA_DERIVE]),
    public(CKK_BIP32, &[&STORAGE, &KEY, &PUBLIC, &BIP32, &BIP32_PUBLIC], &[CKA_VERIFY, CKA_DERIVE], CKA_EC_POINT),
    private(CKK_BIP32, &[&STORAGE, &KEY, &PRIVATE, &BIP32, &BIP32_PRIVATE], &[CKA_SIGN, CKA_DERIVE], CKA_VALUE),
    secret(CKK_SHA_1_HMAC, MAC),
    secret(CKK_SHA224_HMAC, MAC),
    secret(CKK_SHA256_HMAC, MAC),
    secret(CKK_SHA384_HMAC, MAC),
    secret(CKK_SHA512_HMAC, MAC),
    secret(CKK_MD5_HMAC, MAC),
    secret(CKK_RIPEMD160_HMAC, MAC),
    secret(CKK_SHA512_224_HMAC, MAC),
    secret(CKK_SHA512_256_HMAC, MAC),
    secret(CKK_SHA512_T_HMAC, MAC),
    secret(CKK_SHA3_224_HMAC, MAC),
    secret(CKK_SHA3_256_HMAC, MAC),
    secret(CKK_SHA3_384_HMAC, MAC),
    secret(CKK_SHA3_512_HMAC, MAC),
    secret(CKK_BLAKE2B_160_HMAC, MAC),
    secret(CKK_BLAKE2B_256_HMAC, MAC),
    secret(CKK_BLAKE2B_384_HMAC, MAC),
    secret(CKK_BLAKE2B_512_HMAC, MAC),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_object_has_an_attribute_twice() {
        for table in all() {
            let mut seen = BTreeSet::new();
            for row in table.rows() {
                assert!(seen.insert(row.kind), "{:#x} twice in {:#x}/{:?}", row.kind, table.class, table.key_type);
            }
        }
    }

    #[test]
    fn every_attribute_has_a_name_and_every_group_is_printed() {
        for table in all() {
            for row in table.rows() {
                assert!(names::attribute(row.kind).is_some(), "{:#x}", row.kind);
            }
            for group in table.groups {
                assert!(groups().any(|printed| core::ptr::eq(printed, *group)), "{}", group.title);
            }
        }
    }

    #[test]
    fn usages_of_a_type_are_attributes_of_its_table() {
        for table in all() {
            for usage in table.usages {
                assert_eq!(table.row(*usage).map(|row| row.fill), Some(Fill::Usage), "{usage:#x}");
            }
            assert!(table.row(table.material).is_some());
        }
    }

    #[test]
    fn sensitive_attributes_are_never_given_to_a_copy_or_changed() {
        for row in all().flat_map(Table::rows).filter(|row| row.sensitive) {
            assert_eq!((row.copy, row.set), (Change::Never, Change::Never), "{:#x}", row.kind);
        }
    }

    /// The list is written out here a second time on purpose: it is what must not leak.
    #[test]
    fn exactly_the_secrets_of_each_key_type_are_sensitive() {
        let rsa: &[u64] =
            &[CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT];
        for table in all() {
            let found: Vec<u64> = table.rows().filter(|row| row.sensitive).map(|row| row.kind).collect();
            let expected: &[u64] = match (table.class, table.key_type) {
                (CKO_PRIVATE_KEY, Some(CKK_RSA)) => rsa,
                (CKO_PRIVATE_KEY, Some(CKK_BIP32)) => &[CKA_VALUE, CKA_BIP32_CHAIN_CODE],
                (CKO_PRIVATE_KEY, Some(CKK_ML_KEM | CKK_ML_DSA)) => &[CKA_SEED, CKA_VALUE],
                (CKO_PRIVATE_KEY | CKO_SECRET_KEY, _) => &[CKA_VALUE],
                _ => &[],
            };
            assert_eq!(found, expected, "{:#x}/{:?}", table.class, table.key_type);
        }
    }
}
