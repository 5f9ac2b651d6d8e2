//! Values that random bytes would not find: attribute types, constants, PINs, object identifiers, points.
//!
//! Owns: lists that a byte of a program chooses from. New entries go to the end, so that kept programs mean what they meant.

use ffi_headers::vendor::*;
use ffi_headers::*;

/// The PIN of the Security Officer.
pub const SO_PIN: &[u8] = b"so-pin-fuzz";
/// The PIN of the user.
pub const USER_PIN: &[u8] = b"user-fuzz";

/// Attribute types.
pub const ATTRIBUTES: &[u64] = &[
    CKA_CLASS,
    CKA_TOKEN,
    CKA_PRIVATE,
    CKA_LABEL,
    CKA_UNIQUE_ID,
    CKA_APPLICATION,
    CKA_VALUE,
    CKA_OBJECT_ID,
    CKA_CERTIFICATE_TYPE,
    CKA_ISSUER,
    CKA_SERIAL_NUMBER,
    CKA_AC_ISSUER,
    CKA_OWNER,
    CKA_ATTR_TYPES,
    CKA_TRUSTED,
    CKA_CERTIFICATE_CATEGORY,
    CKA_JAVA_MIDP_SECURITY_DOMAIN,
    CKA_URL,
    CKA_HASH_OF_SUBJECT_PUBLIC_KEY,
    CKA_HASH_OF_ISSUER_PUBLIC_KEY,
    CKA_NAME_HASH_ALGORITHM,
    CKA_CHECK_VALUE,
    CKA_KEY_TYPE,
    CKA_SUBJECT,
    CKA_ID,
    CKA_SENSITIVE,
    CKA_ENCRYPT,
    CKA_DECRYPT,
    CKA_WRAP,
    CKA_UNWRAP,
    CKA_SIGN,
    CKA_SIGN_RECOVER,
    CKA_VERIFY,
    CKA_VERIFY_RECOVER,
    CKA_DERIVE,
    CKA_START_DATE,
    CKA_END_DATE,
    CKA_MODULUS,
    CKA_MODULUS_BITS,
    CKA_PUBLIC_EXPONENT,
    CKA_PRIVATE_EXPONENT,
    CKA_PRIME_1,
    CKA_PRIME_2,
    CKA_EXPONENT_1,
    CKA_EXPONENT_2,
    CKA_COEFFICIENT,
    CKA_PUBLIC_KEY_INFO,
    CKA_PRIME,
    CKA_SUBPRIME,
    CKA_BASE,
    CKA_PRIME_BITS,
    CKA_SUBPRIME_BITS,
    CKA_VALUE_BITS,
    CKA_VALUE_LEN,
    CKA_EXTRACTABLE,
    CKA_LOCAL,
    CKA_NEVER_EXTRACTABLE,
    CKA_ALWAYS_SENSITIVE,
    CKA_KEY_GEN_MECHANISM,
    CKA_MODIFIABLE,
    CKA_COPYABLE,
    CKA_DESTROYABLE,
    CKA_EC_PARAMS,
    CKA_EC_POINT,
    CKA_ALWAYS_AUTHENTICATE,
    CKA_WRAP_WITH_TRUSTED,
    CKA_WRAP_TEMPLATE,
    CKA_UNWRAP_TEMPLATE,
    CKA_DERIVE_TEMPLATE,
    CKA_HW_FEATURE_TYPE,
    CKA_ALLOWED_MECHANISMS,
    CKA_PROFILE_ID,
    CKA_PARAMETER_SET,
    CKA_SEED,
    CKA_ENCAPSULATE,
    CKA_DECAPSULATE,
    CKA_ENCAPSULATE_TEMPLATE,
    CKA_DECAPSULATE_TEMPLATE,
    CKA_TRUST_SERVER_AUTH,
    CKA_TRUST_CLIENT_AUTH,
    CKA_TRUST_CODE_SIGNING,
    CKA_TRUST_EMAIL_PROTECTION,
    CKA_PUBLIC_CRC64_VALUE,
    CKA_VALIDATION_FLAG,
];

/// `CKO_*`.
pub const CLASSES: &[u64] = &[
    CKO_DATA,
    CKO_CERTIFICATE,
    CKO_PUBLIC_KEY,
    CKO_PRIVATE_KEY,
    CKO_SECRET_KEY,
    CKO_HW_FEATURE,
    CKO_DOMAIN_PARAMETERS,
    CKO_MECHANISM,
    CKO_PROFILE,
    CKO_TRUST,
];

/// `CKK_*`.
pub const KEY_TYPES: &[u64] = &[
    CKK_RSA,
    CKK_EC,
    CKK_AES,
    CKK_GENERIC_SECRET,
    CKK_DES3,
    CKK_DES2,
    CKK_AES_XTS,
    CKK_CHACHA20,
    CKK_SALSA20,
    CKK_POLY1305,
    CKK_SHA256_HMAC,
    CKK_SHA512_HMAC,
    CKK_EC_EDWARDS,
    CKK_EC_MONTGOMERY,
    CKK_HKDF,
    CKK_BLAKE2B_256_HMAC,
    CKK_ML_KEM,
    CKK_ML_DSA,
    CKK_SLH_DSA,
    CKK_BIP32,
    CKK_DSA,
    CKK_DH,
    CKK_HSS,
];

/// Hashes and pseudorandom functions as parameters name them, masks, sources and key derivations.
pub const CHOICES: &[u64] = &[
    CKM_SHA_1,
    CKM_SHA224,
    CKM_SHA256,
    CKM_SHA384,
    CKM_SHA512,
    CKM_SHA3_256,
    CKM_SHA256_HMAC,
    CKM_SHA512_HMAC,
    CKM_AES_CMAC,
    CKG_MGF1_SHA1,
    CKG_MGF1_SHA256,
    CKZ_DATA_SPECIFIED,
    CKD_NULL,
    CKD_SHA1_KDF,
    CKD_SHA256_KDF,
    CKF_HKDF_SALT_NULL,
    CKF_HKDF_SALT_DATA,
    CKF_HKDF_SALT_KEY,
    CKP_PKCS5_PBKD2_HMAC_SHA256,
    8,
    12,
    16,
    20,
    32,
    48,
    64,
    96,
    128,
    160,
    192,
    256,
    1024,
    CKM_SHA_1_HMAC,
    CKM_TLS_PRF,
    CKG_NO_GENERATE,
    CKG_GENERATE_COUNTER,
    CKG_GENERATE_RANDOM,
    CKG_GENERATE_COUNTER_XOR,
    CKH_DETERMINISTIC_REQUIRED,
    CKP_ML_DSA_44,
    CKP_ML_DSA_65,
];

/// `CKA_EC_PARAMS`: curves by object identifier and by name.
pub const CURVES: &[&[u8]] = &[
    b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
    b"\x06\x05\x2b\x81\x04\x00\x22",
    b"\x06\x05\x2b\x81\x04\x00\x23",
    b"\x06\x05\x2b\x81\x04\x00\x0a",
    b"\x06\x05\x2b\x81\x04\x00\x21",
    b"\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x07",
    b"\x06\x03\x2b\x65\x70",
    b"\x06\x03\x2b\x65\x6e",
    b"\x06\x03\x2b\x65\x71",
    b"\x06\x03\x2b\x65\x6f",
    b"\x13\x05P-256",
    b"\x13\x0cedwards25519",
    b"\x13\x0acurve25519",
];

/// The base point of P-256, as a DER OCTET STRING.
pub const POINT: &[u8] = b"\x04\x41\x04\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d\
\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\
\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5";

/// Byte strings of which a program may choose one.
pub const VALUES: &[&[u8]] = &[
    b"",
    b"\x01",
    b"\x00",
    b"label",
    POINT,
    b"\x01\x00\x01",
    b"20261231",
    b"\x30\x0b\x31\x09\x30\x07\x06\x03\x55\x04\x03\x0c\x00",
    b"C_GenerateKey\0",
    b"C_GenerateKeyPair\0",
    b"PKCS 11\0",
    &[0x42; 16],
    &[0x42; 24],
    &[0x42; 32],
    &[0x42; 48],
    &[0x42; 64],
    b"00000000",
    b"\x02\x01\x01",
];

/// The planted AES key: it is sensitive, and never leaves the token.
pub const SECRET_AES: [u8; 32] = *b"\x91\x5e\xa3\x0c\xf7\x28\xd4\x6b\x1f\x83\xce\x59\x72\xb0\x4d\xe6\
\x3a\x97\x08\xfd\x65\xc2\x1b\x8e\x54\xaf\x70\xd9\x26\xbb\x13\x48";
/// The planted generic secret.
pub const SECRET_GENERIC: [u8; 48] = *b"\xd7\x31\x8a\x4e\x05\xbc\x69\xf2\x96\x1d\xe8\x53\xa0\x7f\x3c\xc4\
\x0e\xb5\x62\xd9\x47\xfa\x18\x85\x2b\xce\x74\x90\x5f\xa6\x31\xeb\x83\x1c\xd0\x69\xf5\x2e\xb7\x48\x9a\x04\xed\x56\xc1\x7b\x38\xa2";
/// The planted scalar on P-256.
pub const SECRET_SCALAR: [u8; 32] = *b"\x5b\xe2\x09\x9d\x74\xc6\x31\xaf\x88\x1a\xf0\x43\xd5\x2c\x67\xbe\
\x90\x3f\xa4\x15\xce\x78\x02\xdb\x6d\xb9\x51\xe4\x36\x8f\xc0\x27";
/// The planted seed of Ed25519.
pub const SECRET_SEED: [u8; 32] = *b"\xa6\x14\xdf\x70\x3b\x92\xe5\x48\x0d\xc7\x61\xfa\x9e\x25\xb3\x58\
\xe1\x4c\x07\x8a\xd3\x6f\xb8\x12\x95\x2e\xcb\x70\x44\xf9\x1d\xa3";
/// The planted seed of ML-KEM.
pub const SECRET_KEM_SEED: [u8; 64] = *b"\xc3\x58\x1e\xe7\x90\x2d\xb4\x6f\x05\xda\x83\x4a\xf1\x37\x9c\x62\
\x1b\xa8\xd5\x70\x4f\xe3\x0c\x96\x79\xb2\x25\xed\x88\x41\xfc\x13\x6a\xd7\x3e\x95\x02\xbb\x54\xe9\x8d\x20\xf6\x71\xcf\x18\xa3\x5c\
\x97\x4b\xe0\x2a\xd1\x86\x3f\xc5\x60\xfb\x19\x72\xae\x04\xdd\x58";
/// The private RSA key of 1024 bits that the planted one is, in PKCS#8.
pub const SECRET_RSA: &[u8] = include_bytes!("../../data/rsa1024.der");

/// What must not come out: the beginnings of the planted secrets.
pub const SECRETS: [&[u8]; 5] = [&SECRET_AES, &SECRET_GENERIC, &SECRET_SCALAR, &SECRET_SEED, &SECRET_KEM_SEED];
/// So many bytes of a secret are a find; fewer may be chance.
pub const FIND_BYTES: usize = 16;
