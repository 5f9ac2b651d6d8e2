//! The roles of a token, one row each.
//!
//! A row says which `CKU_*` logs in as it and where its PIN stands in the store. Rows for Luna's
//! Crypto User, Limited Crypto Officer and Auditor are ready; they cannot be given a PIN yet.

use token_store::RoleId;

/// A role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Security Officer: initialises the token and the user PIN.
    SecurityOfficer,
    /// The normal user, Luna's Crypto Officer.
    CryptoOfficer,
    /// Luna's Crypto User: uses keys, makes none.
    CryptoUser,
    /// Luna's Limited Crypto Officer.
    LimitedCryptoOfficer,
    /// Luna's Auditor.
    Auditor,
}

/// One row of the role table.
#[derive(Debug)]
pub struct RoleRow {
    /// The role.
    pub role: Role,
    /// Name for logs and the command.
    pub name: &'static str,
    /// The `CKU_*` that C_Login takes.
    pub user_type: u64,
    /// Its place in the store.
    pub store_id: RoleId,
    /// Whether this version lets it log in.
    pub available: bool,
}

/// The role table.
pub const ROLES: [RoleRow; 5] = [
    RoleRow {
        role: Role::SecurityOfficer,
        name: "Security Officer",
        user_type: ffi_headers::CKU_SO,
        store_id: RoleId(1),
        available: true,
    },
    RoleRow {
        role: Role::CryptoOfficer,
        name: "Crypto Officer",
        user_type: ffi_headers::CKU_USER,
        store_id: RoleId(0),
        available: true,
    },
    RoleRow {
        role: Role::CryptoUser,
        name: "Crypto User",
        user_type: ffi_headers::vendor::CKU_LIMITED_USER,
        store_id: RoleId(5),
        available: false,
    },
    RoleRow {
        role: Role::LimitedCryptoOfficer,
        name: "Limited Crypto Officer",
        user_type: ffi_headers::vendor::CKU_LIMITED_CRYPTO_OFFICER,
        store_id: RoleId(9),
        available: false,
    },
    RoleRow {
        role: Role::Auditor,
        name: "Auditor",
        user_type: ffi_headers::vendor::CKU_AUDIT,
        store_id: RoleId(8),
        available: false,
    },
];

impl Role {
    /// The role's row.
    #[must_use]
    pub const fn row(self) -> &'static RoleRow {
        match self {
            Role::SecurityOfficer => &ROLES[0],
            Role::CryptoOfficer => &ROLES[1],
            Role::CryptoUser => &ROLES[2],
            Role::LimitedCryptoOfficer => &ROLES[3],
            Role::Auditor => &ROLES[4],
        }
    }
}
