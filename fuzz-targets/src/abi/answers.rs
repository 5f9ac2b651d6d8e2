//! Which return values a function has.
//!
//! Owns: for each function the values that the standard lists for it, less those that say that the module itself failed
//! (CKR_GENERAL_ERROR, CKR_DEVICE_ERROR and the like): nothing that a program does may bring one of these about.
//! Rule source: PKCS#11 v3.2, 5 (the list at each function) and 5.1.

use ffi_headers::vendor::*;
use ffi_headers::*;

/// Any function.
const ALWAYS: &[CK_RV] = &[CKR_OK, CKR_ARGUMENTS_BAD];
/// Functions of a slot.
const SLOT: &[CK_RV] = &[CKR_SLOT_ID_INVALID, CKR_TOKEN_NOT_PRESENT, CKR_TOKEN_NOT_RECOGNIZED];
/// Functions of a session.
const SESSION: &[CK_RV] = &[CKR_SESSION_HANDLE_INVALID];
/// PINs.
const PIN: &[CK_RV] = &[
    CKR_PIN_INCORRECT,
    CKR_PIN_INVALID,
    CKR_PIN_LEN_RANGE,
    CKR_PIN_LOCKED,
    CKR_SESSION_READ_ONLY,
    CKR_TOKEN_WRITE_PROTECTED,
    CKR_USER_NOT_LOGGED_IN,
    CKR_USER_TYPE_INVALID,
];
const LOGIN: &[CK_RV] = &[
    CKR_OPERATION_NOT_INITIALIZED,
    CKR_PIN_INCORRECT,
    CKR_PIN_LEN_RANGE,
    CKR_PIN_LOCKED,
    CKR_SESSION_READ_ONLY_EXISTS,
    CKR_USER_ALREADY_LOGGED_IN,
    CKR_USER_ANOTHER_ALREADY_LOGGED_IN,
    CKR_USER_PIN_NOT_INITIALIZED,
    CKR_USER_TOO_MANY_TYPES,
    CKR_USER_TYPE_INVALID,
];
/// Objects that are named.
const OBJECT: &[CK_RV] = &[CKR_OBJECT_HANDLE_INVALID];
/// Whatever makes or changes an object.
const TEMPLATE: &[CK_RV] = &[
    CKR_ACTION_PROHIBITED,
    CKR_ATTRIBUTE_READ_ONLY,
    CKR_ATTRIBUTE_TYPE_INVALID,
    CKR_ATTRIBUTE_VALUE_INVALID,
    CKR_CURVE_NOT_SUPPORTED,
    CKR_DEVICE_MEMORY,
    CKR_DOMAIN_PARAMS_INVALID,
    CKR_PARAMETER_SET_NOT_SUPPORTED,
    CKR_SESSION_READ_ONLY,
    CKR_TEMPLATE_INCOMPLETE,
    CKR_TEMPLATE_INCONSISTENT,
    CKR_TOKEN_WRITE_PROTECTED,
    CKR_USER_NOT_LOGGED_IN,
];
const MECHANISM: &[CK_RV] = &[CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID];
/// Keys that are used.
const KEY: &[CK_RV] = &[
    CKR_KEY_FUNCTION_NOT_PERMITTED,
    CKR_KEY_HANDLE_INVALID,
    CKR_KEY_SIZE_RANGE,
    CKR_KEY_TYPE_INCONSISTENT,
    CKR_USER_NOT_LOGGED_IN,
];
/// The beginning of an operation; without a mechanism it ends one.
const BEGIN: &[CK_RV] = &[CKR_OPERATION_ACTIVE, CKR_OPERATION_NOT_INITIALIZED, CKR_OPERATION_CANCEL_FAILED];
/// An operation that is active or not; a mechanism may not work in parts.
const ACTIVE: &[CK_RV] = &[CKR_OPERATION_NOT_INITIALIZED, CKR_FUNCTION_NOT_SUPPORTED, CKR_USER_NOT_LOGGED_IN];
/// A message at once after parts of it: the standard forbids that, and lists no value for it.
const AT_ONCE: &[CK_RV] = &[CKR_OPERATION_ACTIVE];
const ROOM: &[CK_RV] = &[CKR_BUFFER_TOO_SMALL];
const DATA: &[CK_RV] = &[CKR_DATA_INVALID, CKR_DATA_LEN_RANGE];
/// Keys of one-time signatures.
const USED_UP: &[CK_RV] = &[CKR_KEY_EXHAUSTED];
const CIPHERTEXT: &[CK_RV] = &[CKR_ENCRYPTED_DATA_INVALID, CKR_ENCRYPTED_DATA_LEN_RANGE];
const SIGNATURE: &[CK_RV] = &[CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE];
/// Messages: their parameter, and the tag.
const MESSAGE: &[CK_RV] =
    &[CKR_MECHANISM_PARAM_INVALID, CKR_OPERATION_ACTIVE, CKR_FUNCTION_FAILED, CKR_FUNCTION_NOT_SUPPORTED];
const FORGED: &[CK_RV] = &[CKR_AEAD_DECRYPT_FAILED];
const WRAP: &[CK_RV] = &[
    CKR_KEY_HANDLE_INVALID,
    CKR_KEY_NOT_WRAPPABLE,
    CKR_KEY_SIZE_RANGE,
    CKR_KEY_UNEXTRACTABLE,
    CKR_KEY_FUNCTION_NOT_PERMITTED,
    CKR_USER_NOT_LOGGED_IN,
    CKR_WRAPPING_KEY_HANDLE_INVALID,
    CKR_WRAPPING_KEY_SIZE_RANGE,
    CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
    CKR_ACTION_PROHIBITED,
    CKR_FUNCTION_FAILED,
];
const UNWRAP: &[CK_RV] = &[
    CKR_KEY_FUNCTION_NOT_PERMITTED,
    CKR_UNWRAPPING_KEY_HANDLE_INVALID,
    CKR_UNWRAPPING_KEY_SIZE_RANGE,
    CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
    CKR_WRAPPED_KEY_INVALID,
    CKR_WRAPPED_KEY_LEN_RANGE,
];
/// What Luna's own derivations say.
const TREE: &[CK_RV] = &[
    CKR_BIP32_MASTER_SEED_LEN_INVALID,
    CKR_BIP32_MASTER_SEED_INVALID,
    CKR_BIP32_CHILD_INDEX_INVALID,
    CKR_BIP32_INVALID_HARDENED_DERIVATION,
    CKR_BIP32_INVALID_KEY_PATH_LEN,
];
const STATE: &[CK_RV] = &[
    CKR_OPERATION_NOT_INITIALIZED,
    CKR_STATE_UNSAVEABLE,
    CKR_SAVED_STATE_INVALID,
    CKR_KEY_CHANGED,
    CKR_KEY_NEEDED,
    CKR_KEY_NOT_NEEDED,
];
const JOB: &[CK_RV] = &[
    CKR_OPERATION_NOT_INITIALIZED,
    CKR_FUNCTION_NOT_SUPPORTED,
    CKR_SAVED_STATE_INVALID,
    CKR_STATE_UNSAVEABLE,
    CKR_SESSION_ASYNC_NOT_SUPPORTED,
];

/// What a function may answer beyond what any may.
fn lists(function: &str) -> &'static [&'static [CK_RV]] {
    match function {
        "C_GetInfo" => &[],
        "C_GetSlotList" | "C_GetInterfaceList" => &[ROOM],
        "C_GetInterface" => &[&[CKR_FUNCTION_FAILED]],
        "C_GetSlotInfo" | "C_GetTokenInfo" | "C_CloseAllSessions" => &[SLOT],
        "C_GetMechanismList" => &[SLOT, ROOM],
        "C_GetMechanismInfo" => &[SLOT, &[CKR_MECHANISM_INVALID]],
        "C_InitToken" => &[SLOT, PIN, &[CKR_SESSION_EXISTS]],
        "C_InitPIN" | "C_SetPIN" => &[SESSION, PIN],
        "C_OpenSession" => &[
            SLOT,
            &[
                CKR_SESSION_COUNT,
                CKR_SESSION_PARALLEL_NOT_SUPPORTED,
                CKR_SESSION_READ_WRITE_SO_EXISTS,
                CKR_SESSION_ASYNC_NOT_SUPPORTED,
                CKR_TOKEN_WRITE_PROTECTED,
            ],
        ],
        "C_CloseSession" | "C_GetSessionInfo" | "C_GetSessionValidationFlags" => &[SESSION],
        "C_GetFunctionStatus" | "C_CancelFunction" => &[SESSION, &[CKR_FUNCTION_NOT_PARALLEL]],
        "C_GetOperationState" => &[SESSION, STATE, ROOM],
        "C_SetOperationState" => &[SESSION, STATE],
        "C_Login" | "C_LoginUser" => &[SESSION, LOGIN],
        "C_Logout" => &[SESSION, &[CKR_USER_NOT_LOGGED_IN]],
        "C_CreateObject" => &[SESSION, TEMPLATE],
        "C_CopyObject" | "C_SetAttributeValue" => &[SESSION, OBJECT, TEMPLATE],
        "C_DestroyObject" => &[
            SESSION,
            OBJECT,
            &[CKR_ACTION_PROHIBITED, CKR_SESSION_READ_ONLY, CKR_TOKEN_WRITE_PROTECTED, CKR_USER_NOT_LOGGED_IN],
        ],
        "C_GetObjectSize" => &[SESSION, OBJECT, &[CKR_INFORMATION_SENSITIVE]],
        "C_GetAttributeValue" => &[SESSION, OBJECT, ROOM, &[CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID]],
        "C_FindObjectsInit" => {
            &[SESSION, &[CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_VALUE_INVALID, CKR_OPERATION_ACTIVE]]
        }
        "C_FindObjects" | "C_FindObjectsFinal" => &[SESSION, &[CKR_OPERATION_NOT_INITIALIZED]],
        "C_DigestInit" => &[SESSION, MECHANISM, BEGIN],
        "C_EncryptInit"
        | "C_DecryptInit"
        | "C_SignInit"
        | "C_VerifyInit"
        | "C_SignRecoverInit"
        | "C_VerifyRecoverInit"
        | "C_MessageEncryptInit"
        | "C_MessageDecryptInit"
        | "C_MessageSignInit"
        | "C_MessageVerifyInit" => &[SESSION, MECHANISM, KEY, BEGIN],
        "C_VerifySignatureInit" => &[SESSION, MECHANISM, KEY, BEGIN, SIGNATURE],
        "C_Encrypt"
        | "C_EncryptUpdate"
        | "C_EncryptFinal"
        | "C_SignRecover"
        | "C_Sign"
        | "C_SignFinal"
        | "C_Digest"
        | "C_DigestFinal"
        | "C_DigestEncryptUpdate"
        | "C_SignEncryptUpdate" => &[SESSION, ACTIVE, AT_ONCE, ROOM, DATA, USED_UP],
        "C_Decrypt" | "C_DecryptUpdate" | "C_DecryptFinal" | "C_DecryptDigestUpdate" | "C_DecryptVerifyUpdate" => {
            &[SESSION, ACTIVE, AT_ONCE, ROOM, CIPHERTEXT, DATA]
        }
        "C_DigestUpdate" | "C_SignUpdate" | "C_VerifyUpdate" | "C_VerifySignatureUpdate" => &[SESSION, ACTIVE, DATA],
        "C_DigestKey" => &[SESSION, ACTIVE, &[CKR_KEY_HANDLE_INVALID, CKR_KEY_INDIGESTIBLE, CKR_KEY_SIZE_RANGE]],
        "C_Verify" | "C_VerifyFinal" | "C_VerifySignature" | "C_VerifySignatureFinal" => {
            &[SESSION, ACTIVE, AT_ONCE, DATA, SIGNATURE]
        }
        "C_VerifyRecover" => &[SESSION, ACTIVE, ROOM, DATA, SIGNATURE],
        "C_GenerateKey" | "C_GenerateKeyPair" => &[SESSION, MECHANISM, TEMPLATE, &[CKR_KEY_SIZE_RANGE]],
        "C_WrapKey" => &[SESSION, MECHANISM, ROOM, WRAP],
        "C_WrapKeyAuthenticated" => &[SESSION, MECHANISM, ROOM, WRAP, DATA],
        "C_UnwrapKey" => &[SESSION, MECHANISM, UNWRAP, TEMPLATE],
        "C_UnwrapKeyAuthenticated" => &[SESSION, MECHANISM, UNWRAP, TEMPLATE, FORGED],
        "C_DeriveKey" => &[SESSION, MECHANISM, KEY, TEMPLATE, TREE, DATA],
        "C_SeedRandom" => &[SESSION, &[CKR_RANDOM_SEED_NOT_SUPPORTED]],
        "C_GenerateRandom" => &[SESSION],
        "C_WaitForSlotEvent" => &[&[CKR_NO_EVENT]],
        "C_SessionCancel" => &[SESSION, &[CKR_OPERATION_CANCEL_FAILED]],
        "C_EncryptMessage" | "C_EncryptMessageNext" | "C_SignMessage" | "C_SignMessageNext" => {
            &[SESSION, ACTIVE, MESSAGE, ROOM, DATA, USED_UP]
        }
        "C_DecryptMessage" | "C_DecryptMessageNext" => &[SESSION, ACTIVE, MESSAGE, ROOM, CIPHERTEXT, FORGED, DATA],
        "C_EncryptMessageBegin" | "C_DecryptMessageBegin" | "C_SignMessageBegin" | "C_VerifyMessageBegin" => {
            &[SESSION, ACTIVE, MESSAGE]
        }
        "C_VerifyMessage" | "C_VerifyMessageNext" => &[SESSION, ACTIVE, MESSAGE, DATA, SIGNATURE],
        "C_MessageEncryptFinal" | "C_MessageDecryptFinal" | "C_MessageSignFinal" | "C_MessageVerifyFinal" => {
            &[SESSION, ACTIVE, &[CKR_OPERATION_ACTIVE]]
        }
        "C_EncapsulateKey" => &[SESSION, MECHANISM, KEY, TEMPLATE, ROOM],
        "C_DecapsulateKey" => &[SESSION, MECHANISM, KEY, TEMPLATE, UNWRAP, CIPHERTEXT],
        "C_AsyncComplete" | "C_AsyncGetID" | "C_AsyncJoin" => &[SESSION, JOB],
        _ => &[],
    }
}

/// Holds an answer against the list of its function.
///
/// # Panics
/// When it is not there.
pub fn check(function: &str, code: CK_RV) {
    let known = ALWAYS.contains(&code) || lists(function).iter().any(|list| list.contains(&code));
    let name = names::return_value(code);
    assert!(known, "{function} answers {} ({code:#x})", name.unwrap_or("an unknown value"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::functions::NAMES;

    #[test]
    fn every_function_takes_success_and_a_session_that_is_none_as_the_standard_says() {
        for name in NAMES {
            check(name, CKR_OK);
        }
        check("C_Sign", CKR_SESSION_HANDLE_INVALID);
    }

    #[test]
    #[should_panic(expected = "C_Sign answers CKR_GENERAL_ERROR")]
    fn an_internal_failure_is_found() {
        check("C_Sign", CKR_GENERAL_ERROR);
    }

    #[test]
    #[should_panic(expected = "C_EncryptInit answers CKR_ATTRIBUTE_VALUE_INVALID")]
    fn a_value_of_other_functions_is_found() {
        check("C_EncryptInit", CKR_ATTRIBUTE_VALUE_INVALID);
    }

    /// Of the functions of the module none is left out but those of the library's own life and the list of functions.
    #[test]
    fn every_function_of_the_module_can_be_called_by_a_program() {
        let left_out = ["C_Initialize", "C_Finalize", "C_GetFunctionList"];
        let all: Vec<_> = perilune_pkcs11::FUNCTIONS.iter().map(|row| row.name).collect();
        let missing: Vec<_> =
            all.into_iter().filter(|name| !NAMES.contains(name) && !left_out.contains(name)).collect();
        assert_eq!(missing, Vec::<&str>::new());
    }
}
