//! All maxima of the module, in one place.
//!
//! A limit is here for one of two reasons: the standard or the format has a field of that size, or a
//! hostile caller would otherwise make the host allocate without bound.

/// Shortest PIN by default, bytes.
pub const PIN_BYTES_MIN: usize = 4;
/// Longest PIN, bytes.
pub const PIN_BYTES_MAX: usize = 255;
/// Wrong PINs in a row that lock a role, by default.
pub const TRIES_MAX: u32 = 10;
/// Largest input of one call, bytes: a length above it cannot be honest on a 64-bit host.
pub const INPUT_BYTES_MAX: usize = 1 << 40;
/// Most attributes in one template, those in nested templates included.
pub const TEMPLATE_ENTRIES_MAX: usize = 1024;
/// Deepest template within a template.
pub const TEMPLATE_DEPTH_MAX: usize = 4;
/// Largest value of one attribute, bytes.
pub const ATTRIBUTE_BYTES_MAX: usize = 1 << 20;
/// Largest mechanism parameter field (AAD, label, shared data), bytes.
pub const PARAM_BYTES_MAX: usize = 1 << 24;
/// Longest IV of a message, bytes: what the standard allows for CKM_AES_GCM.
pub const MESSAGE_IV_BYTES_MAX: usize = 256;
/// Longest tag of a message, bytes.
pub const MESSAGE_TAG_BYTES_MAX: usize = 16;
/// Smallest RSA modulus, bits; below 2048 is for old signatures.
pub const RSA_BITS_MIN: u64 = 1024;
/// Smallest RSA modulus in bits that an approved token makes or signs with (SP 800-131A, table 2).
pub const RSA_APPROVED_BITS_MIN: u64 = 2048;
/// Largest RSA modulus, bits: that of a public key, which old roots and archives have. It is the engines' limit.
pub const RSA_BITS_MAX: u64 = 16384;
/// Largest RSA modulus of a private key, bits: one signature with a larger one takes a good part of a second.
pub const RSA_PRIVATE_BITS_MAX: u64 = 8192;
/// Widest public exponent of a generated RSA key, bits: larger ones make verification slow, and engines refuse them.
pub const RSA_PUBLIC_EXPONENT_BITS_MAX: usize = 33;
/// Most random bytes in one call.
pub const RANDOM_BYTES_MAX: usize = 1 << 30;
/// Most sessions open at once in a process.
pub const SESSIONS_MAX: usize = 1 << 16;
/// Most slots.
pub const SLOTS_MAX: usize = 1024;
/// Longest number in a key attribute, bytes: the largest RSA modulus.
pub const BIG_INTEGER_BYTES_MAX: usize = 2048;
/// Longest generic secret or HMAC key, bytes.
pub const SECRET_BYTES_MAX: usize = 1 << 16;
/// Most fields of the input of a pseudorandom function in a derivation's parameter.
pub const PRF_FIELDS_MAX: usize = 256;
/// Most keys that a derivation's parameter asks for beside the call's own.
pub const FURTHER_KEYS_MAX: usize = 64;
/// Deepest key in a tree, and longest path in one call.
pub const TREE_DEPTH_MAX: usize = 255;
/// Most rounds of PBKDF2: about a minute, in which the session answers nothing else.
pub const PBKDF2_ROUNDS_MAX: u32 = 100_000_000;
/// Longest password of PBKDF2, bytes. It is below every address that a pointer can have, which tells the two forms of its parameter apart.
pub const PASSWORD_BYTES_MAX: usize = (1 << 16) - 1;
/// Shortest piece of a key that hides its value which may become a key of its own, bytes (112 bits): a shorter one could be found by
/// trying all values, and the rest of the key piece by piece.
pub const HIDDEN_PIECE_BYTES_MIN: usize = 14;
/// Longest KMAC, bytes: more adds nothing to its strength.
pub const KMAC_BYTES_MAX: usize = 1024;
/// Largest certificate category, and largest MIDP security domain, that the standard names.
pub const CERTIFICATE_CATEGORY_MAX: u64 = 3;
/// Most handles that one C_FindObjects returns; the next call goes on.
pub const FOUND_PER_CALL_MAX: usize = 1 << 20;
/// Most bytes of objects in one transaction when a whole token comes over; a larger one takes several.
pub const MIGRATION_BATCH_BYTES: usize = 32 << 20;
/// Most bytes of a message that is given in parts and must be kept whole until its end (SLH-DSA).
pub const BUFFERED_MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Highest tree of an HSS key that is made here: its leaves take up to 284 million hashes, once in each process that signs.
pub const HSS_TREE_HEIGHT_MAX: u32 = 15;
/// Highest tree of an XMSS or XMSS^MT key that is made here: its leaves take up to six million hashes, once in each process that signs.
pub const XMSS_TREE_HEIGHT_MAX: u32 = 10;
/// Longest key of BLAKE2b, bytes.
pub const BLAKE2B_KEY_BYTES_MAX: usize = 64;
/// Largest field of a curve, bits.
pub const EC_BITS_MAX: u64 = 521;
/// Widest counter of SP 800-108, bits: it ends at 2^32 - 1 rounds.
pub const PRF_COUNTER_BITS_MAX: u64 = 32;
/// Widest length field of SP 800-108, bits.
pub const PRF_LENGTH_BITS_MAX: u64 = 64;
/// Longest IV that is cut from a key block of TLS, bytes.
pub const TLS_IV_BYTES_MAX: usize = 16;
/// Most validations that a configuration can declare; each has a flag, and a `CK_FLAGS` has 32 of them everywhere.
pub const VALIDATIONS_MAX: usize = 32;
/// How many calls of several threads are written in one commit.
pub const COMMIT_CALLS_MAX: usize = 64;
/// How many bytes of objects, unless it is a single call's: little enough that the others do not wait for it long.
pub const COMMIT_OBJECT_BYTES_MAX: usize = 1 << 20;
