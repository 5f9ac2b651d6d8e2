//! The vendor range of the C interface, with the numbers that Luna clients use.
//!
//! Owns: one table of constants: name, number and meaning. From it come the Rust constants here and the C
//! header `include/perilune.h` ([`vendor_header`]). Does not know: what the module does with them; a row
//! here is no promise that it is supported. The numbers are those of public Luna client headers and samples,
//! so that programs written for a Luna HSM need no change. What neither the standard nor Luna has begins at 0xD045_0000.

use core::fmt::Write as _;

/// Constants of one kind.
#[derive(Debug)]
pub struct Group {
    /// What they are.
    pub title: &'static str,
    /// The constants.
    pub rows: &'static [Row],
}

/// One constant.
#[derive(Debug)]
pub struct Row {
    /// Its name in C and in Rust.
    pub name: &'static str,
    /// Its number.
    pub number: u64,
    /// What it means.
    pub meaning: &'static str,
}

macro_rules! vendor {
    ($($title:literal { $($name:ident = $number:literal, $meaning:literal;)* })*) => {
        $($(
            #[doc = $meaning]
            pub const $name: u64 = $number;
        )*)*

        /// The whole table.
        pub const GROUPS: &[Group] = &[$(
            Group {
                title: $title,
                rows: &[$(Row { name: stringify!($name), number: $number, meaning: $meaning }),*],
            },
        )*];
    };
}

vendor! {
    "User types for C_Login" {
        CKU_LIMITED_USER = 0x8000_0001, "Luna's Crypto User, for C_Login.";
        CKU_AUDIT = 0x8000_0002, "Luna's Auditor, for C_Login.";
        CKU_LIMITED_CRYPTO_OFFICER = 0x8000_0003, "Luna's Limited Crypto Officer, for C_Login.";
    }
    "Key types" {
        CKK_EC_EDWARDS_OLD = 0x8000_0012, "CKK_EC_EDWARDS before 3.0 gave it a number.";
        CKK_EC_MONTGOMERY_OLD = 0x8000_0013, "CKK_EC_MONTGOMERY before 3.0 gave it a number.";
        CKK_BIP32 = 0x8000_0014, "A key in a BIP32 tree.";
    }
    "Mask generation functions" {
        CKG_MGF1_SHA3_224_OLD = 0x8000_0006, "CKG_MGF1_SHA3_224 before 3.0 gave it a number.";
        CKG_MGF1_SHA3_256_OLD = 0x8000_0007, "CKG_MGF1_SHA3_256 before 3.0 gave it a number.";
        CKG_MGF1_SHA3_384_OLD = 0x8000_0008, "CKG_MGF1_SHA3_384 before 3.0 gave it a number.";
        CKG_MGF1_SHA3_512_OLD = 0x8000_0009, "CKG_MGF1_SHA3_512 before 3.0 gave it a number.";
    }
    "Attributes" {
        CKA_CCM_PRIVATE = 0x8000_0001, "The key may be moved in a controlled module only.";
        CKA_FINGERPRINT_SHA1 = 0x8000_0002, "SHA-1 of the public key or the key's value.";
        CKA_OUID = 0x8000_0005, "The object's unique number, 12 bytes.";
        CKA_EKM_UID = 0x8000_0008, "Identifier given by a key manager.";
        CKA_USAGE_COUNT = 0x8000_0101, "How often the key has been used.";
        CKA_CHECK_VALUE_PTK = 0x8000_0103, "Check value as ProtectToolkit computes it.";
        CKA_BYTES_REMAINING = 0x8000_0105, "Bytes that the key may still process.";
        CKA_USAGE_LIMIT = 0x8000_0200, "How often the key may be used.";
        CKA_GENERIC_1 = 0x8000_1000, "Bytes for the application's own use.";
        CKA_GENERIC_2 = 0x8000_1001, "Bytes for the application's own use.";
        CKA_GENERIC_3 = 0x8000_1002, "Bytes for the application's own use.";
        CKA_FINGERPRINT_SHA256 = 0x8000_1003, "SHA-256 of the public key or the key's value.";
        CKA_WARNING_THRESHOLD = 0x8000_1004, "Uses left at which a warning is given.";
        CKA_AUTH_DATA = 0x8000_1005, "Authorisation data of the key itself.";
        CKA_ASSIGNED = 0x8000_1006, "The key is assigned and needs its authorisation data.";
        CKA_KEY_STATUS = 0x8000_1007, "State of an assigned key.";
        CKA_FAILED_KEY_AUTH_COUNT = 0x8000_1008, "Failed authorisations of the key in a row.";
        CKA_BIP32_CHAIN_CODE = 0x8000_1100, "BIP32 chain code.";
        CKA_BIP32_VERSION_BYTES = 0x8000_1101, "BIP32 version bytes.";
        CKA_BIP32_CHILD_INDEX = 0x8000_1102, "BIP32 index below the parent.";
        CKA_BIP32_CHILD_DEPTH = 0x8000_1103, "BIP32 depth below the master key.";
        CKA_BIP32_ID = 0x8000_1104, "BIP32 identifier of the key.";
        CKA_BIP32_FINGERPRINT = 0x8000_1105, "First four bytes of the BIP32 identifier.";
        CKA_BIP32_PARENT_FINGERPRINT = 0x8000_1106, "First four bytes of the parent's BIP32 identifier.";
    }
    "Mechanisms" {
        CKM_AES_CFB8_OLD = 0x8000_0118, "CKM_AES_CFB8 before the standard gave it a number.";
        CKM_AES_CFB128_OLD = 0x8000_0119, "CKM_AES_CFB128 before the standard gave it a number.";
        CKM_AES_OFB_OLD = 0x8000_011A, "CKM_AES_OFB before the standard gave it a number.";
        CKM_AES_GCM_OLD = 0x8000_011C, "CKM_AES_GCM before the standard gave it a number.";
        CKM_RSA_FIPS_186_3_AUX_PRIME_KEY_PAIR_GEN = 0x8000_0142, "RSA key pair by FIPS 186-3 with auxiliary primes.";
        CKM_RSA_FIPS_186_3_PRIME_KEY_PAIR_GEN = 0x8000_0143, "RSA key pair by FIPS 186-3 with probable primes.";
        CKM_EC_KEY_PAIR_GEN_W_EXTRA_BITS_OLD = 0x8000_0160, "EC key pairs with extra random bits before 3.0 gave them a number.";
        CKM_AES_KW = 0x8000_0170, "AES key wrap (SP 800-38F KW) under Luna's number.";
        CKM_AES_KWP = 0x8000_0171, "AES key wrap with padding (SP 800-38F KWP) under Luna's number.";
        CKM_AES_CBC_CMAC_WRAP = 0x8000_0174, "AES-CBC with AES-CMAC as a key wrap.";
        CKM_EXTMU_ML_DSA = 0x8000_0175, "ML-DSA over a message representative that the caller has computed.";
        CKM_ECIES = 0x8000_0A00, "ECIES encryption.";
        CKM_NIST_PRF_KDF = 0x8000_0A02, "Key derivation of SP 800-108.";
        CKM_PRF_KDF = 0x8000_0A03, "Key derivation of SP 800-108 with a free counter.";
        CKM_AES_XTS_OLD = 0x8000_0A04, "CKM_AES_XTS before 3.0 gave it a number.";
        CKM_EC_EDWARDS_KEY_PAIR_GEN_OLD = 0x8000_0C01, "Ed25519 and Ed448 key pairs before 3.0 gave them a number.";
        CKM_EDDSA_OLD = 0x8000_0C03, "CKM_EDDSA before 3.0 gave it a number.";
        CKM_EC_MONTGOMERY_KEY_PAIR_GEN_OLD = 0x8000_0D01, "X25519 and X448 key pairs before 3.0 gave them a number.";
        CKM_BIP32_MASTER_DERIVE = 0x8000_0E00, "BIP32 master key from a seed.";
        CKM_BIP32_CHILD_DERIVE = 0x8000_0E01, "BIP32 key along a path.";
    }
    "Functions of CKM_NIST_PRF_KDF and CKM_PRF_KDF" {
        CK_NIST_PRF_KDF_DES3_CMAC = 0x0000_0001, "CMAC of triple DES.";
        CK_NIST_PRF_KDF_AES_CMAC = 0x0000_0002, "CMAC of AES.";
        CK_PRF_KDF_ARIA_CMAC = 0x0000_0003, "CMAC of ARIA.";
        CK_PRF_KDF_SEED_CMAC = 0x0000_0004, "CMAC of SEED.";
        CK_NIST_PRF_KDF_HMAC_SHA1 = 0x0000_0005, "HMAC with SHA-1.";
        CK_NIST_PRF_KDF_HMAC_SHA224 = 0x0000_0006, "HMAC with SHA-224.";
        CK_NIST_PRF_KDF_HMAC_SHA256 = 0x0000_0007, "HMAC with SHA-256.";
        CK_NIST_PRF_KDF_HMAC_SHA384 = 0x0000_0008, "HMAC with SHA-384.";
        CK_NIST_PRF_KDF_HMAC_SHA512 = 0x0000_0009, "HMAC with SHA-512.";
        CK_PRF_KDF_HMAC_RIPEMD160 = 0x0000_000A, "HMAC with RIPEMD-160.";
        CK_NIST_PRF_KDF_HMAC_SHA3_224 = 0x0000_000B, "HMAC with SHA3-224.";
        CK_NIST_PRF_KDF_HMAC_SHA3_256 = 0x0000_000C, "HMAC with SHA3-256.";
        CK_NIST_PRF_KDF_HMAC_SHA3_384 = 0x0000_000D, "HMAC with SHA3-384.";
        CK_NIST_PRF_KDF_HMAC_SHA3_512 = 0x0000_000E, "HMAC with SHA3-512.";
    }
    "Encodings of CKM_NIST_PRF_KDF and CKM_PRF_KDF" {
        LUNA_PRF_KDF_ENCODING_SCHEME_1 = 0x0000_0000, "Counter (4 bytes), context, 00, label, length (4 bytes).";
        LUNA_PRF_KDF_ENCODING_SCHEME_2 = 0x0000_0001, "Counter (4 bytes), context, label.";
        LUNA_PRF_KDF_ENCODING_SCHEME_3 = 0x0000_0002, "Counter (4 bytes), label, 00, context, length (4 bytes).";
        LUNA_PRF_KDF_ENCODING_SCHEME_4 = 0x0000_0003, "Counter (4 bytes), label, context.";
        LUNA_PRF_KDF_ENCODING_SCHEME_SCP03 = 0x0000_0004, "Label, 00, length (2 bytes), counter (1 byte), context.";
        LUNA_PRF_KDF_ENCODING_SCHEME_HID_KD = 0x0000_0005, "Counter (1 byte), label, 00, context, length (2 bytes).";
    }
    "Digests without a number in the standard, as Luna clients name them" {
        CKM_SHAKE_128 = 0x8000_0F00, "SHAKE128 with 256 bits of output.";
        CKM_SHAKE_256 = 0x8000_0F01, "SHAKE256 with 512 bits of output.";
        CKM_KECCAK_224 = 0x8000_0F08, "Keccak-224, as before FIPS 202.";
        CKM_KECCAK_256 = 0x8000_0F09, "Keccak-256, as before FIPS 202.";
        CKM_KECCAK_384 = 0x8000_0F0A, "Keccak-384, as before FIPS 202.";
        CKM_KECCAK_512 = 0x8000_0F0B, "Keccak-512, as before FIPS 202.";
    }
    "Mechanisms of Perilune's own, 0xD0450000 to 0xD045FFFF (Luna's are below 0x80001000)" {
        CKM_KMAC128 = 0xD045_0001, "KMAC128 (SP 800-185); no parameter, or CK_KMAC_PARAMS.";
        CKM_KMAC256 = 0xD045_0002, "KMAC256 (SP 800-185); no parameter, or CK_KMAC_PARAMS.";
        CKM_ECDSA_DETERMINISTIC = 0xD045_1041, "ECDSA of a digest with the nonce of RFC 6979.";
        CKM_ECDSA_DETERMINISTIC_SHA224 = 0xD045_1043, "ECDSA with SHA-224 and the nonce of RFC 6979.";
        CKM_ECDSA_DETERMINISTIC_SHA256 = 0xD045_1044, "ECDSA with SHA-256 and the nonce of RFC 6979.";
        CKM_ECDSA_DETERMINISTIC_SHA384 = 0xD045_1045, "ECDSA with SHA-384 and the nonce of RFC 6979.";
        CKM_ECDSA_DETERMINISTIC_SHA512 = 0xD045_1046, "ECDSA with SHA-512 and the nonce of RFC 6979.";
    }
    "Return values" {
        CKR_RC_ERROR = 0x8000_0004, "Failure without a better name.";
        CKR_CONTAINER_HANDLE_INVALID = 0x8000_0005, "No such partition.";
        CKR_TOO_MANY_CONTAINERS = 0x8000_0006, "No more partitions can be made.";
        CKR_USER_LOCKED_OUT = 0x8000_0007, "The user is locked after failed logins.";
        CKR_WRAPPING_ERROR = 0x8000_000D, "Wrapping failed.";
        CKR_UNWRAPPING_ERROR = 0x8000_000E, "Unwrapping failed.";
        CKR_USER_NOT_AUTHORIZED = 0x8000_001A, "The role may not do this.";
        CKR_MAX_OBJECT_COUNT_EXCEEDED = 0x8000_001B, "No more objects can be made.";
        CKR_SO_LOGIN_FAILURE_THRESHOLD = 0x8000_001C, "The SO is locked after failed logins.";
        CKR_PARTITION_DISABLED = 0x8000_0020, "The partition is disabled.";
        CKR_TIMEOUT = 0x8000_0024, "It took too long.";
        CKR_ECC_UNKNOWN_CURVE = 0x8000_0025, "No such curve.";
        CKR_HSM_STORAGE_FULL = 0x8000_002A, "The HSM's storage is full.";
        CKR_CONTAINER_OBJECT_STORAGE_FULL = 0x8000_002C, "The partition's storage is full.";
        CKR_ECC_POINT_INVALID = 0x8000_002F, "The point is not on the curve.";
        CKR_OPERATION_NOT_ALLOWED = 0x8000_0030, "A policy forbids it.";
        CKR_LICENSE_CAPACITY_EXCEEDED = 0x8000_0031, "The licence does not reach.";
        CKR_LOG_FULL = 0x8000_0035, "The audit log is full.";
        CKR_LOG_AUDIT_NOT_INITIALIZED = 0x8000_0039, "The audit role is not initialised.";
        CKR_SLOT_NOT_EMPTY = 0x8000_0043, "The slot is not empty.";
        CKR_USER_ALREADY_ACTIVATED = 0x8000_0044, "The user is activated already.";
        CKR_OBJECT_ALREADY_EXISTS = 0x8000_006F, "There is such an object already.";
        CKR_HSM_TAMPERED = 0x8000_0076, "The HSM was tampered with.";
        CKR_CONFIG_CHANGE_ILLEGAL = 0x8000_0077, "The policy cannot be changed.";
        CKR_POLICY_ID_INVALID = 0x8000_007B, "No such policy.";
        CKR_CONFIG_ILLEGAL = 0x8000_007C, "The policies do not fit together.";
        CKR_CONFIG_FAILS_DEPENDENCIES = 0x8000_007D, "The policy depends on another one.";
        CKR_BIP32_CHILD_INDEX_INVALID = 0x8000_0083, "No key at this BIP32 index.";
        CKR_BIP32_INVALID_HARDENED_DERIVATION = 0x8000_0084, "A hardened BIP32 step needs the private key.";
        CKR_BIP32_MASTER_SEED_LEN_INVALID = 0x8000_0085, "The BIP32 seed has a wrong length.";
        CKR_BIP32_MASTER_SEED_INVALID = 0x8000_0086, "The BIP32 seed gives no key.";
        CKR_BIP32_INVALID_KEY_PATH_LEN = 0x8000_0087, "The BIP32 path has a wrong length.";
        CKR_ASSIGNED_KEY_REQUIRES_AUTH_DATA = 0x8000_008F, "An assigned key needs authorisation data.";
        CKR_ROLE_CANNOT_MAKE_KEYS_ASSIGNED = 0x8000_0090, "The role may not assign keys.";
        CKR_ASSIGNED_KEY_CANNOT_BE_MODIFIED = 0x8000_0091, "An assigned key cannot be changed.";
        CKR_AUTH_DATA_TOO_LARGE = 0x8000_0092, "The authorisation data is too long.";
        CKR_AUTH_DATA_TOO_SMALL = 0x8000_0093, "The authorisation data is too short.";
        CKR_KEY_CANNOT_BE_AUTHORIZED = 0x8000_0096, "The key cannot be authorised.";
        CKR_KEY_NOT_AUTHORIZED = 0x8000_0097, "The key is not authorised.";
        CKR_AUTH_DATA_INCORRECT = 0x8000_0098, "Wrong authorisation data.";
        CKR_KEY_NOT_ACTIVE = 0x8000_0136, "The key's dates forbid its use now.";
    }
}

/// The parameter of CKM_KMAC128 and CKM_KMAC256.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
#[allow(non_camel_case_types, non_snake_case, reason = "named as the structures of the standard")]
pub struct CK_KMAC_PARAMS {
    /// Length of the MAC in bytes, 4 to 1024; it is a part of what is computed.
    pub ulMacLen: cryptoki_sys::CK_ULONG,
    /// The customisation string.
    pub pCustomization: *mut cryptoki_sys::CK_BYTE,
    /// Its length in bytes.
    pub ulCustomizationLen: cryptoki_sys::CK_ULONG,
}

/// The parameter of CKM_NIST_PRF_KDF and CKM_PRF_KDF.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
#[allow(non_camel_case_types, non_snake_case, reason = "named as the structures of the standard")]
pub struct CK_KDF_PRF_PARAMS {
    /// A `CK_NIST_PRF_KDF_*` or `CK_PRF_KDF_*`.
    pub prfType: cryptoki_sys::CK_ULONG,
    /// The label.
    pub pLabel: *mut cryptoki_sys::CK_BYTE,
    /// Its length in bytes.
    pub ulLabelLen: cryptoki_sys::CK_ULONG,
    /// The context.
    pub pContext: *mut cryptoki_sys::CK_BYTE,
    /// Its length in bytes.
    pub ulContextLen: cryptoki_sys::CK_ULONG,
    /// The counter of the first round.
    pub ulCounter: cryptoki_sys::CK_ULONG,
    /// A `LUNA_PRF_KDF_ENCODING_SCHEME_*`.
    pub ulEncodingScheme: cryptoki_sys::CK_ULONG,
}

/// The structures in C.
const STRUCTURES: &str = "
/* The parameter of CKM_KMAC128 and CKM_KMAC256. Without it the MAC has 32 or 64 bytes, and no customisation string. */
typedef struct CK_KMAC_PARAMS {
  CK_ULONG ulMacLen; /* length of the MAC in bytes, 4 to 1024; it is a part of what is computed */
  CK_BYTE_PTR pCustomization;
  CK_ULONG ulCustomizationLen;
} CK_KMAC_PARAMS;

typedef CK_KMAC_PARAMS * CK_KMAC_PARAMS_PTR;

/* The parameter of CKM_NIST_PRF_KDF and CKM_PRF_KDF. */
typedef struct CK_KDF_PRF_PARAMS {
  CK_ULONG prfType; /* a CK_NIST_PRF_KDF_* or CK_PRF_KDF_* */
  CK_BYTE_PTR pLabel;
  CK_ULONG ulLabelLen;
  CK_BYTE_PTR pContext;
  CK_ULONG ulContextLen;
  CK_ULONG ulCounter; /* of the first round: 1 in SP 800-108 */
  CK_ULONG ulEncodingScheme; /* a LUNA_PRF_KDF_ENCODING_SCHEME_* */
} CK_KDF_PRF_PARAMS;

typedef CK_KDF_PRF_PARAMS * CK_KDF_PRF_PARAMS_PTR;
";

/// Prints `include/perilune.h`.
#[must_use]
pub fn vendor_header() -> String {
    let mut text = String::from(
        "/* Vendor constants of Perilune, with the numbers that Luna clients use.\n \
         * Printed from ffi-headers/src/vendor.rs; do not edit.\n \
         * A constant here is no promise that the module supports it. */\n\n\
         #ifndef PERILUNE_H\n#define PERILUNE_H\n\n#include \"pkcs11.h\"\n",
    );
    for group in GROUPS {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n/* {} */\n", group.title);
        for Row { name, number, meaning } in group.rows {
            let _ = writeln!(text, "#define {name} 0x{number:08X}UL /* {meaning} */");
        }
    }
    text.push_str(STRUCTURES);
    text.push_str("\n#endif /* PERILUNE_H */\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_number_is_in_the_vendor_range_and_once_in_its_group() {
        for group in GROUPS {
            let numbers: BTreeSet<u64> = group.rows.iter().map(|row| row.number).collect();
            assert_eq!(numbers.len(), group.rows.len(), "{}", group.title);
            // Values inside a parameter count for themselves.
            let inside = group.rows.iter().all(|row| row.name.contains("PRF_KDF_"));
            assert!(inside || numbers.iter().all(|number| number & 0x8000_0000 != 0), "{}", group.title);
        }
    }

    #[test]
    fn the_header_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/include/perilune.h");
        let printed = vendor_header();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &printed).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == printed, "include/perilune.h is not what the table says; run with UPDATE_GOLDEN=1");
    }
}
