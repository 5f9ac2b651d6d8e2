//! Constants of the vendor range, with the numbers that Luna clients use.

/// Luna's Crypto User, for C_Login.
pub const CKU_LIMITED_USER: u64 = 0x8000_0001;
/// Luna's Auditor, for C_Login.
pub const CKU_AUDIT: u64 = 0x8000_0002;
/// Luna's Limited Crypto Officer, for C_Login.
pub const CKU_LIMITED_CRYPTO_OFFICER: u64 = 0x8000_0003;
/// AES key wrap (SP 800-38F KW) under Luna's number.
pub const CKM_AES_KW: u64 = 0x8000_0170;
/// AES key wrap with padding (SP 800-38F KWP) under Luna's number.
pub const CKM_AES_KWP: u64 = 0x8000_0171;
