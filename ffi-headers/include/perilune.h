/* Vendor constants of Perilune, with the numbers that Luna clients use.
 * Printed from ffi-headers/src/vendor.rs; do not edit.
 * A constant here is no promise that the module supports it. */

#ifndef PERILUNE_H
#define PERILUNE_H

#include "pkcs11.h"

/* User types for C_Login */
#define CKU_LIMITED_USER 0x80000001UL /* Luna's Crypto User, for C_Login. */
#define CKU_AUDIT 0x80000002UL /* Luna's Auditor, for C_Login. */
#define CKU_LIMITED_CRYPTO_OFFICER 0x80000003UL /* Luna's Limited Crypto Officer, for C_Login. */

/* Key types */
#define CKK_EC_EDWARDS_OLD 0x80000012UL /* CKK_EC_EDWARDS before 3.0 gave it a number. */
#define CKK_EC_MONTGOMERY_OLD 0x80000013UL /* CKK_EC_MONTGOMERY before 3.0 gave it a number. */
#define CKK_BIP32 0x80000014UL /* A key in a BIP32 tree. */

/* Mask generation functions */
#define CKG_MGF1_SHA3_224_OLD 0x80000006UL /* CKG_MGF1_SHA3_224 before 3.0 gave it a number. */
#define CKG_MGF1_SHA3_256_OLD 0x80000007UL /* CKG_MGF1_SHA3_256 before 3.0 gave it a number. */
#define CKG_MGF1_SHA3_384_OLD 0x80000008UL /* CKG_MGF1_SHA3_384 before 3.0 gave it a number. */
#define CKG_MGF1_SHA3_512_OLD 0x80000009UL /* CKG_MGF1_SHA3_512 before 3.0 gave it a number. */

/* Attributes */
#define CKA_CCM_PRIVATE 0x80000001UL /* The key may be moved in a controlled module only. */
#define CKA_FINGERPRINT_SHA1 0x80000002UL /* SHA-1 of the public key or the key's value. */
#define CKA_OUID 0x80000005UL /* The object's unique number, 12 bytes. */
#define CKA_EKM_UID 0x80000008UL /* Identifier given by a key manager. */
#define CKA_USAGE_COUNT 0x80000101UL /* How often the key has been used. */
#define CKA_CHECK_VALUE_PTK 0x80000103UL /* Check value as ProtectToolkit computes it. */
#define CKA_BYTES_REMAINING 0x80000105UL /* Bytes that the key may still process. */
#define CKA_USAGE_LIMIT 0x80000200UL /* How often the key may be used. */
#define CKA_GENERIC_1 0x80001000UL /* Bytes for the application's own use. */
#define CKA_GENERIC_2 0x80001001UL /* Bytes for the application's own use. */
#define CKA_GENERIC_3 0x80001002UL /* Bytes for the application's own use. */
#define CKA_FINGERPRINT_SHA256 0x80001003UL /* SHA-256 of the public key or the key's value. */
#define CKA_WARNING_THRESHOLD 0x80001004UL /* Uses left at which a warning is given. */
#define CKA_AUTH_DATA 0x80001005UL /* Authorisation data of the key itself. */
#define CKA_ASSIGNED 0x80001006UL /* The key is assigned and needs its authorisation data. */
#define CKA_KEY_STATUS 0x80001007UL /* State of an assigned key. */
#define CKA_FAILED_KEY_AUTH_COUNT 0x80001008UL /* Failed authorisations of the key in a row. */
#define CKA_BIP32_CHAIN_CODE 0x80001100UL /* BIP32 chain code. */
#define CKA_BIP32_VERSION_BYTES 0x80001101UL /* BIP32 version bytes. */
#define CKA_BIP32_CHILD_INDEX 0x80001102UL /* BIP32 index below the parent. */
#define CKA_BIP32_CHILD_DEPTH 0x80001103UL /* BIP32 depth below the master key. */
#define CKA_BIP32_ID 0x80001104UL /* BIP32 identifier of the key. */
#define CKA_BIP32_FINGERPRINT 0x80001105UL /* First four bytes of the BIP32 identifier. */
#define CKA_BIP32_PARENT_FINGERPRINT 0x80001106UL /* First four bytes of the parent's BIP32 identifier. */

/* Mechanisms */
#define CKM_AES_CFB8_OLD 0x80000118UL /* CKM_AES_CFB8 before the standard gave it a number. */
#define CKM_AES_CFB128_OLD 0x80000119UL /* CKM_AES_CFB128 before the standard gave it a number. */
#define CKM_AES_OFB_OLD 0x8000011AUL /* CKM_AES_OFB before the standard gave it a number. */
#define CKM_AES_GCM_OLD 0x8000011CUL /* CKM_AES_GCM before the standard gave it a number. */
#define CKM_RSA_FIPS_186_3_AUX_PRIME_KEY_PAIR_GEN 0x80000142UL /* RSA key pair by FIPS 186-3 with auxiliary primes. */
#define CKM_RSA_FIPS_186_3_PRIME_KEY_PAIR_GEN 0x80000143UL /* RSA key pair by FIPS 186-3 with probable primes. */
#define CKM_EC_KEY_PAIR_GEN_W_EXTRA_BITS_OLD 0x80000160UL /* EC key pairs with extra random bits before 3.0 gave them a number. */
#define CKM_AES_KW 0x80000170UL /* AES key wrap (SP 800-38F KW) under Luna's number. */
#define CKM_AES_KWP 0x80000171UL /* AES key wrap with padding (SP 800-38F KWP) under Luna's number. */
#define CKM_AES_CBC_CMAC_WRAP 0x80000174UL /* AES-CBC with AES-CMAC as a key wrap. */
#define CKM_EXTMU_ML_DSA 0x80000175UL /* ML-DSA over a message representative that the caller has computed. */
#define CKM_ECIES 0x80000A00UL /* ECIES encryption. */
#define CKM_NIST_PRF_KDF 0x80000A02UL /* Key derivation of SP 800-108. */
#define CKM_PRF_KDF 0x80000A03UL /* Key derivation of SP 800-108 with a free counter. */
#define CKM_AES_XTS_OLD 0x80000A04UL /* CKM_AES_XTS before 3.0 gave it a number. */
#define CKM_EC_EDWARDS_KEY_PAIR_GEN_OLD 0x80000C01UL /* Ed25519 and Ed448 key pairs before 3.0 gave them a number. */
#define CKM_EDDSA_OLD 0x80000C03UL /* CKM_EDDSA before 3.0 gave it a number. */
#define CKM_EC_MONTGOMERY_KEY_PAIR_GEN_OLD 0x80000D01UL /* X25519 and X448 key pairs before 3.0 gave them a number. */
#define CKM_BIP32_MASTER_DERIVE 0x80000E00UL /* BIP32 master key from a seed. */
#define CKM_BIP32_CHILD_DERIVE 0x80000E01UL /* BIP32 key along a path. */

/* Functions of CKM_NIST_PRF_KDF and CKM_PRF_KDF */
#define CK_NIST_PRF_KDF_DES3_CMAC 0x00000001UL /* CMAC of triple DES. */
#define CK_NIST_PRF_KDF_AES_CMAC 0x00000002UL /* CMAC of AES. */
#define CK_PRF_KDF_ARIA_CMAC 0x00000003UL /* CMAC of ARIA. */
#define CK_PRF_KDF_SEED_CMAC 0x00000004UL /* CMAC of SEED. */
#define CK_NIST_PRF_KDF_HMAC_SHA1 0x00000005UL /* HMAC with SHA-1. */
#define CK_NIST_PRF_KDF_HMAC_SHA224 0x00000006UL /* HMAC with SHA-224. */
#define CK_NIST_PRF_KDF_HMAC_SHA256 0x00000007UL /* HMAC with SHA-256. */
#define CK_NIST_PRF_KDF_HMAC_SHA384 0x00000008UL /* HMAC with SHA-384. */
#define CK_NIST_PRF_KDF_HMAC_SHA512 0x00000009UL /* HMAC with SHA-512. */
#define CK_PRF_KDF_HMAC_RIPEMD160 0x0000000AUL /* HMAC with RIPEMD-160. */
#define CK_NIST_PRF_KDF_HMAC_SHA3_224 0x0000000BUL /* HMAC with SHA3-224. */
#define CK_NIST_PRF_KDF_HMAC_SHA3_256 0x0000000CUL /* HMAC with SHA3-256. */
#define CK_NIST_PRF_KDF_HMAC_SHA3_384 0x0000000DUL /* HMAC with SHA3-384. */
#define CK_NIST_PRF_KDF_HMAC_SHA3_512 0x0000000EUL /* HMAC with SHA3-512. */

/* Encodings of CKM_NIST_PRF_KDF and CKM_PRF_KDF */
#define LUNA_PRF_KDF_ENCODING_SCHEME_1 0x00000000UL /* Counter (4 bytes), context, 00, label, length (4 bytes). */
#define LUNA_PRF_KDF_ENCODING_SCHEME_2 0x00000001UL /* Counter (4 bytes), context, label. */
#define LUNA_PRF_KDF_ENCODING_SCHEME_3 0x00000002UL /* Counter (4 bytes), label, 00, context, length (4 bytes). */
#define LUNA_PRF_KDF_ENCODING_SCHEME_4 0x00000003UL /* Counter (4 bytes), label, context. */
#define LUNA_PRF_KDF_ENCODING_SCHEME_SCP03 0x00000004UL /* Label, 00, length (2 bytes), counter (1 byte), context. */
#define LUNA_PRF_KDF_ENCODING_SCHEME_HID_KD 0x00000005UL /* Counter (1 byte), label, 00, context, length (2 bytes). */

/* Digests without a number in the standard, as Luna clients name them */
#define CKM_SHAKE_128 0x80000F00UL /* SHAKE128 with 256 bits of output. */
#define CKM_SHAKE_256 0x80000F01UL /* SHAKE256 with 512 bits of output. */
#define CKM_KECCAK_224 0x80000F08UL /* Keccak-224, as before FIPS 202. */
#define CKM_KECCAK_256 0x80000F09UL /* Keccak-256, as before FIPS 202. */
#define CKM_KECCAK_384 0x80000F0AUL /* Keccak-384, as before FIPS 202. */
#define CKM_KECCAK_512 0x80000F0BUL /* Keccak-512, as before FIPS 202. */

/* Mechanisms of Perilune's own, 0xD0450000 to 0xD045FFFF (Luna's are below 0x80001000) */
#define CKM_KMAC128 0xD0450001UL /* KMAC128 (SP 800-185); no parameter, or CK_KMAC_PARAMS. */
#define CKM_KMAC256 0xD0450002UL /* KMAC256 (SP 800-185); no parameter, or CK_KMAC_PARAMS. */
#define CKM_ECDSA_DETERMINISTIC 0xD0451041UL /* ECDSA of a digest with the nonce of RFC 6979. */
#define CKM_ECDSA_DETERMINISTIC_SHA224 0xD0451043UL /* ECDSA with SHA-224 and the nonce of RFC 6979. */
#define CKM_ECDSA_DETERMINISTIC_SHA256 0xD0451044UL /* ECDSA with SHA-256 and the nonce of RFC 6979. */
#define CKM_ECDSA_DETERMINISTIC_SHA384 0xD0451045UL /* ECDSA with SHA-384 and the nonce of RFC 6979. */
#define CKM_ECDSA_DETERMINISTIC_SHA512 0xD0451046UL /* ECDSA with SHA-512 and the nonce of RFC 6979. */

/* Return values */
#define CKR_RC_ERROR 0x80000004UL /* Failure without a better name. */
#define CKR_CONTAINER_HANDLE_INVALID 0x80000005UL /* No such partition. */
#define CKR_TOO_MANY_CONTAINERS 0x80000006UL /* No more partitions can be made. */
#define CKR_USER_LOCKED_OUT 0x80000007UL /* The user is locked after failed logins. */
#define CKR_WRAPPING_ERROR 0x8000000DUL /* Wrapping failed. */
#define CKR_UNWRAPPING_ERROR 0x8000000EUL /* Unwrapping failed. */
#define CKR_USER_NOT_AUTHORIZED 0x8000001AUL /* The role may not do this. */
#define CKR_MAX_OBJECT_COUNT_EXCEEDED 0x8000001BUL /* No more objects can be made. */
#define CKR_SO_LOGIN_FAILURE_THRESHOLD 0x8000001CUL /* The SO is locked after failed logins. */
#define CKR_PARTITION_DISABLED 0x80000020UL /* The partition is disabled. */
#define CKR_TIMEOUT 0x80000024UL /* It took too long. */
#define CKR_ECC_UNKNOWN_CURVE 0x80000025UL /* No such curve. */
#define CKR_HSM_STORAGE_FULL 0x8000002AUL /* The HSM's storage is full. */
#define CKR_CONTAINER_OBJECT_STORAGE_FULL 0x8000002CUL /* The partition's storage is full. */
#define CKR_ECC_POINT_INVALID 0x8000002FUL /* The point is not on the curve. */
#define CKR_OPERATION_NOT_ALLOWED 0x80000030UL /* A policy forbids it. */
#define CKR_LICENSE_CAPACITY_EXCEEDED 0x80000031UL /* The licence does not reach. */
#define CKR_LOG_FULL 0x80000035UL /* The audit log is full. */
#define CKR_LOG_AUDIT_NOT_INITIALIZED 0x80000039UL /* The audit role is not initialised. */
#define CKR_SLOT_NOT_EMPTY 0x80000043UL /* The slot is not empty. */
#define CKR_USER_ALREADY_ACTIVATED 0x80000044UL /* The user is activated already. */
#define CKR_OBJECT_ALREADY_EXISTS 0x8000006FUL /* There is such an object already. */
#define CKR_HSM_TAMPERED 0x80000076UL /* The HSM was tampered with. */
#define CKR_CONFIG_CHANGE_ILLEGAL 0x80000077UL /* The policy cannot be changed. */
#define CKR_POLICY_ID_INVALID 0x8000007BUL /* No such policy. */
#define CKR_CONFIG_ILLEGAL 0x8000007CUL /* The policies do not fit together. */
#define CKR_CONFIG_FAILS_DEPENDENCIES 0x8000007DUL /* The policy depends on another one. */
#define CKR_BIP32_CHILD_INDEX_INVALID 0x80000083UL /* No key at this BIP32 index. */
#define CKR_BIP32_INVALID_HARDENED_DERIVATION 0x80000084UL /* A hardened BIP32 step needs the private key. */
#define CKR_BIP32_MASTER_SEED_LEN_INVALID 0x80000085UL /* The BIP32 seed has a wrong length. */
#define CKR_BIP32_MASTER_SEED_INVALID 0x80000086UL /* The BIP32 seed gives no key. */
#define CKR_BIP32_INVALID_KEY_PATH_LEN 0x80000087UL /* The BIP32 path has a wrong length. */
#define CKR_ASSIGNED_KEY_REQUIRES_AUTH_DATA 0x8000008FUL /* An assigned key needs authorisation data. */
#define CKR_ROLE_CANNOT_MAKE_KEYS_ASSIGNED 0x80000090UL /* The role may not assign keys. */
#define CKR_ASSIGNED_KEY_CANNOT_BE_MODIFIED 0x80000091UL /* An assigned key cannot be changed. */
#define CKR_AUTH_DATA_TOO_LARGE 0x80000092UL /* The authorisation data is too long. */
#define CKR_AUTH_DATA_TOO_SMALL 0x80000093UL /* The authorisation data is too short. */
#define CKR_KEY_CANNOT_BE_AUTHORIZED 0x80000096UL /* The key cannot be authorised. */
#define CKR_KEY_NOT_AUTHORIZED 0x80000097UL /* The key is not authorised. */
#define CKR_AUTH_DATA_INCORRECT 0x80000098UL /* Wrong authorisation data. */
#define CKR_KEY_NOT_ACTIVE 0x80000136UL /* The key's dates forbid its use now. */

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

#endif /* PERILUNE_H */
