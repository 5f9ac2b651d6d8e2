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

    /// Whether the role is the normal user or stands for it: private objects exist for it.
    #[must_use]
    pub const fn is_user(self) -> bool {
        matches!(self, Role::CryptoOfficer | Role::CryptoUser | Role::LimitedCryptoOfficer)
    }

    /// The row that a `CKU_*` logs in as.
    #[must_use]
    pub fn by_user_type(user_type: u64) -> Option<&'static RoleRow> {
        ROLES.iter().find(|row| row.user_type == user_type)
    }

    /// The row with this place in the store.
    #[must_use]
    pub fn by_store_id(store_id: RoleId) -> Option<&'static RoleRow> {
        ROLES.iter().find(|row| row.store_id == store_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_finds_its_own_row_in_both_directions() {
        for row in &ROLES {
            assert_eq!(row.role.row().name, row.name);
            assert_eq!(Role::by_user_type(row.user_type).map(|found| found.role), Some(row.role));
            assert_eq!(Role::by_store_id(row.store_id).map(|found| found.role), Some(row.role));
        }
    }

    #[test]
    fn context_specific_is_no_role() {
        assert!(Role::by_user_type(ffi_headers::CKU_CONTEXT_SPECIFIC).is_none());
    }
}
