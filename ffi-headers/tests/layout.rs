//! Size and offsets of every structure of the standard, in C and in Rust.
//!
//! The list below makes both sides: a C program, compiled against the installed headers with all warnings as
//! errors, prints what the C compiler says; Rust's `size_of` and `offset_of` say what the module works with.

mod compiler;

use core::mem::{offset_of, size_of};
use ffi_headers::vendor::{CK_KDF_PRF_PARAMS, CK_KMAC_PARAMS};
use ffi_headers::*;
use std::fmt::Write as _;

/// One structure: its name, its size and its fields with their offsets.
struct Layout {
    name: &'static str,
    size: usize,
    fields: Vec<(&'static str, usize)>,
}

macro_rules! layouts {
    ($($name:ident { $($field:ident)* })*) => {
        fn layouts() -> Vec<Layout> {
            vec![$(Layout {
                name: stringify!($name),
                size: size_of::<$name>(),
                fields: vec![$((stringify!($field), offset_of!($name, $field))),*],
            }),*]
        }
    };
}

#[test]
fn c_and_rust_agree_on_every_structure() {
    let mut program =
        String::from("#include <stddef.h>\n#include <stdio.h>\n#include \"perilune.h\"\nint main(void) {\n");
    let mut expected = String::new();
    for Layout { name, size, fields } in layouts() {
        let kind = c_type(name);
        writeln!(program, "    printf(\"{name} %zu\\n\", sizeof({kind}));").unwrap();
        writeln!(expected, "{name} {size}").unwrap();
        for (field, offset) in fields {
            let c_field = field.trim_end_matches('_');
            writeln!(program, "    printf(\"{name}.{field} %zu\\n\", offsetof({kind}, {c_field}));").unwrap();
            writeln!(expected, "{name}.{field} {offset}").unwrap();
        }
    }
    program.push_str("    return 0;\n}\n");
    assert_eq!(compiler::output_of("layout", &program), expected);
}

#[test]
fn no_structure_of_the_header_is_forgotten() {
    let header = include_str!("../include/pkcs11.h");
    let known: Vec<_> = layouts().iter().map(|layout| layout.name).collect();
    // A definition begins in the first column; the macro that declares the typedefs does too.
    let begun = header
        .lines()
        .filter_map(|line| line.strip_prefix("struct "))
        .filter(|rest| rest.starts_with("CK_") && !rest.ends_with(';'));
    let defined: Vec<_> = begun.map(|rest| rest.trim_end_matches(['{', ' '])).collect();
    assert!(defined.len() > 90, "the header is not read as expected");
    let forgotten: Vec<_> = defined.into_iter().filter(|name| !known.contains(name)).collect();
    assert_eq!(forgotten, Vec::<&str>::new());
}

/// The type as C names it: one structure has no typedef.
fn c_type(name: &str) -> String {
    if name == "specifiedParams" { format!("struct {name}") } else { name.to_owned() }
}

layouts! {
    CK_ATTRIBUTE { type_ pValue ulValueLen }
    CK_C_INITIALIZE_ARGS { CreateMutex DestroyMutex LockMutex UnlockMutex flags pReserved }
    CK_DATE { year month day }
    CK_DERIVED_KEY { pTemplate ulAttributeCount phKey }
    CK_VERSION { major minor }
    CK_INFO { cryptokiVersion manufacturerID flags libraryDescription libraryVersion }
    CK_INTERFACE { pInterfaceName pFunctionList flags }
    CK_MECHANISM { mechanism pParameter ulParameterLen }
    CK_MECHANISM_INFO { ulMinKeySize ulMaxKeySize flags }
    CK_SESSION_INFO { slotID state flags ulDeviceError }
    CK_SLOT_INFO { slotDescription manufacturerID flags hardwareVersion firmwareVersion }
    CK_TOKEN_INFO { label manufacturerID model serialNumber flags ulMaxSessionCount ulSessionCount
        ulMaxRwSessionCount ulRwSessionCount ulMaxPinLen ulMinPinLen ulTotalPublicMemory ulFreePublicMemory
        ulTotalPrivateMemory ulFreePrivateMemory hardwareVersion firmwareVersion utcTime }
    CK_AES_CBC_ENCRYPT_DATA_PARAMS { iv pData length }
    CK_AES_CCM_PARAMS { ulDataLen pNonce ulNonceLen pAAD ulAADLen ulMACLen }
    CK_AES_CTR_PARAMS { ulCounterBits cb }
    CK_AES_GCM_PARAMS { pIv ulIvLen ulIvBits pAAD ulAADLen ulTagBits }
    CK_ARIA_CBC_ENCRYPT_DATA_PARAMS { iv pData length }
    CK_ASYNC_DATA { ulVersion pValue ulValue hObject hAdditionalObject }
    CK_CAMELLIA_CBC_ENCRYPT_DATA_PARAMS { iv pData length }
    CK_CAMELLIA_CTR_PARAMS { ulCounterBits cb }
    CK_CCM_MESSAGE_PARAMS { ulDataLen pNonce ulNonceLen ulNonceFixedBits nonceGenerator pMAC ulMACLen }
    CK_CCM_PARAMS { ulDataLen pNonce ulNonceLen pAAD ulAADLen ulMACLen }
    CK_CCM_WRAP_PARAMS { ulDataLen pNonce ulNonceLen ulNonceFixedBits nonceGenerator pAAD ulAADLen ulMACLen }
    CK_CHACHA20_PARAMS { pBlockCounter blockCounterBits pNonce ulNonceBits }
    CK_CMS_SIG_PARAMS { certificateHandle pSigningMechanism pDigestMechanism pContentType pRequestedAttributes
        ulRequestedAttributesLen pRequiredAttributes ulRequiredAttributesLen }
    CK_DES_CBC_ENCRYPT_DATA_PARAMS { iv pData length }
    CK_DSA_PARAMETER_GEN_PARAM { hash pSeed ulSeedLen ulIndex }
    CK_ECDH_AES_KEY_WRAP_PARAMS { ulAESKeyBits kdf ulSharedDataLen pSharedData }
    CK_ECDH1_DERIVE_PARAMS { kdf ulSharedDataLen pSharedData ulPublicDataLen pPublicData }
    CK_ECDH2_DERIVE_PARAMS { kdf ulSharedDataLen pSharedData ulPublicDataLen pPublicData ulPrivateDataLen
        hPrivateData ulPublicDataLen2 pPublicData2 }
    CK_ECMQV_DERIVE_PARAMS { kdf ulSharedDataLen pSharedData ulPublicDataLen pPublicData ulPrivateDataLen
        hPrivateData ulPublicDataLen2 pPublicData2 publicKey }
    CK_EDDSA_PARAMS { phFlag ulContextDataLen pContextData }
    CK_GCM_MESSAGE_PARAMS { pIv ulIvLen ulIvFixedBits ivGenerator pTag ulTagBits }
    CK_GCM_PARAMS { pIv ulIvLen ulIvBits pAAD ulAADLen ulTagBits }
    CK_GCM_WRAP_PARAMS { pIv ulIvLen ulIvFixedBits ivGenerator pAAD ulAADLen ulTagBits }
    CK_GOSTR3410_DERIVE_PARAMS { kdf pPublicData ulPublicDataLen pUKM ulUKMLen }
    CK_GOSTR3410_KEY_WRAP_PARAMS { pWrapOID ulWrapOIDLen pUKM ulUKMLen hKey }
    CK_HASH_SIGN_ADDITIONAL_CONTEXT { hedgeVariant pContext ulContextLen hash }
    CK_HKDF_PARAMS { bExtract bExpand prfHashMechanism ulSaltType pSalt ulSaltLen hSaltKey pInfo ulInfoLen }
    CK_IKE_PRF_DERIVE_PARAMS { prfMechanism bDataAsKey bRekey pNi ulNiLen pNr ulNrLen hNewKey }
    CK_IKE1_EXTENDED_DERIVE_PARAMS { prfMechanism bHasKeygxy hKeygxy pExtraData ulExtraDataLen }
    CK_IKE1_PRF_DERIVE_PARAMS { prfMechanism bHasPrevKey hKeygxy hPrevKey pCKYi ulCKYiLen pCKYr ulCKYrLen keyNumber }
    CK_IKE2_PRF_PLUS_DERIVE_PARAMS { prfMechanism bHasSeedKey hSeedKey pSeedData ulSeedDataLen }
    CK_KMAC_PARAMS { ulMacLen pCustomization ulCustomizationLen }
    CK_KDF_PRF_PARAMS {
        prfType pLabel ulLabelLen pContext ulContextLen ulCounter ulEncodingScheme
    }
    CK_KEA_DERIVE_PARAMS { isSender ulRandomLen RandomA RandomB ulPublicDataLen PublicData }
    CK_KEY_DERIVATION_STRING_DATA { pData ulLen }
    CK_KEY_WRAP_SET_OAEP_PARAMS { bBC pX ulXLen }
    CK_KIP_PARAMS { pMechanism hKey pSeed ulSeedLen }
    CK_OTP_PARAM { type_ pValue ulValueLen }
    CK_OTP_PARAMS { pParams ulCount }
    CK_OTP_SIGNATURE_INFO { pParams ulCount }
    CK_PBE_PARAMS { pInitVector pPassword ulPasswordLen pSalt ulSaltLen ulIteration }
    CK_PKCS5_PBKD2_PARAMS { saltSource pSaltSourceData ulSaltSourceDataLen iterations prf pPrfData ulPrfDataLen
        pPassword ulPasswordLen }
    CK_PKCS5_PBKD2_PARAMS2 { saltSource pSaltSourceData ulSaltSourceDataLen iterations prf pPrfData ulPrfDataLen
        pPassword ulPasswordLen }
    CK_PRF_DATA_PARAM { type_ pValue ulValueLen }
    CK_RC2_CBC_PARAMS { ulEffectiveBits iv }
    CK_RC2_MAC_GENERAL_PARAMS { ulEffectiveBits ulMacLength }
    CK_RC5_CBC_PARAMS { ulWordsize ulRounds pIv ulIvLen }
    CK_RC5_MAC_GENERAL_PARAMS { ulWordsize ulRounds ulMacLength }
    CK_RC5_PARAMS { ulWordsize ulRounds }
    CK_RSA_AES_KEY_WRAP_PARAMS { ulAESKeyBits pOAEPParams }
    CK_RSA_PKCS_OAEP_PARAMS { hashAlg mgf source pSourceData ulSourceDataLen }
    CK_RSA_PKCS_PSS_PARAMS { hashAlg mgf sLen }
    CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS { pNonce ulNonceLen pTag }
    CK_SALSA20_CHACHA20_POLY1305_PARAMS { pNonce ulNonceLen pAAD ulAADLen }
    CK_SALSA20_PARAMS { pBlockCounter pNonce ulNonceBits }
    CK_SEED_CBC_ENCRYPT_DATA_PARAMS { iv pData length }
    CK_SIGN_ADDITIONAL_CONTEXT { hedgeVariant pContext ulContextLen }
    CK_SKIPJACK_PRIVATE_WRAP_PARAMS { ulPasswordLen pPassword ulPublicDataLen pPublicData ulPAndGLen ulQLen
        ulRandomLen pRandomA pPrimeP pBaseG pSubprimeQ }
    CK_SKIPJACK_RELAYX_PARAMS { ulOldWrappedXLen pOldWrappedX ulOldPasswordLen pOldPassword ulOldPublicDataLen
        pOldPublicData ulOldRandomLen pOldRandomA ulNewPasswordLen pNewPassword ulNewPublicDataLen pNewPublicData
        ulNewRandomLen pNewRandomA }
    CK_SP800_108_COUNTER_FORMAT { bLittleEndian ulWidthInBits }
    CK_SP800_108_DKM_LENGTH_FORMAT { dkmLengthMethod bLittleEndian ulWidthInBits }
    CK_SP800_108_FEEDBACK_KDF_PARAMS { prfType ulNumberOfDataParams pDataParams ulIVLen pIV ulAdditionalDerivedKeys
        pAdditionalDerivedKeys }
    CK_TLS12_EXTENDED_MASTER_KEY_DERIVE_PARAMS { prfHashMechanism pSessionHash ulSessionHashLen pVersion }
    CK_SP800_108_KDF_PARAMS { prfType ulNumberOfDataParams pDataParams ulAdditionalDerivedKeys
        pAdditionalDerivedKeys }
    CK_X2RATCHET_INITIALIZE_PARAMS { sk peer_public_prekey peer_public_identity own_public_identity bEncryptedHeader
        eCurve aeadMechanism kdfMechanism }
    CK_X2RATCHET_RESPOND_PARAMS { sk own_prekey initiator_identity own_public_identity bEncryptedHeader eCurve
        aeadMechanism kdfMechanism }
    CK_X3DH_INITIATE_PARAMS { kdf pPeer_identity pPeer_prekey pPrekey_signature pOnetime_key pOwn_identity
        pOwn_ephemeral }
    CK_X3DH_RESPOND_PARAMS { kdf pIdentity_id pPrekey_id pOnetime_id pInitiator_identity pInitiator_ephemeral }
    CK_X9_42_DH1_DERIVE_PARAMS { kdf ulOtherInfoLen pOtherInfo ulPublicDataLen pPublicData }
    CK_X9_42_DH2_DERIVE_PARAMS { kdf ulOtherInfoLen pOtherInfo ulPublicDataLen pPublicData ulPrivateDataLen
        hPrivateData ulPublicDataLen2 pPublicData2 }
    CK_X9_42_MQV_DERIVE_PARAMS { kdf ulOtherInfoLen OtherInfo ulPublicDataLen PublicData ulPrivateDataLen
        hPrivateData ulPublicDataLen2 PublicData2 publicKey }
    CK_XEDDSA_PARAMS { hash }
    CK_SSL3_KEY_MAT_OUT { hClientMacSecret hServerMacSecret hClientKey hServerKey pIVClient pIVServer }
    CK_SSL3_RANDOM_DATA { pClientRandom ulClientRandomLen pServerRandom ulServerRandomLen }
    CK_SSL3_KEY_MAT_PARAMS { ulMacSizeInBits ulKeySizeInBits ulIVSizeInBits bIsExport RandomInfo
        pReturnedKeyMaterial }
    CK_SSL3_MASTER_KEY_DERIVE_PARAMS { RandomInfo pVersion }
    CK_TLS_KDF_PARAMS { prfMechanism pLabel ulLabelLength RandomInfo pContextData ulContextDataLength }
    CK_TLS_MAC_PARAMS { prfHashMechanism ulMacLength ulServerOrClient }
    CK_TLS_PRF_PARAMS { pSeed ulSeedLen pLabel ulLabelLen pOutput pulOutputLen }
    CK_TLS12_KEY_MAT_PARAMS { ulMacSizeInBits ulKeySizeInBits ulIVSizeInBits bIsExport RandomInfo
        pReturnedKeyMaterial prfHashMechanism }
    CK_TLS12_MASTER_KEY_DERIVE_PARAMS { RandomInfo pVersion prfHashMechanism }
    CK_WTLS_KEY_MAT_OUT { hMacSecret hKey pIV }
    CK_WTLS_RANDOM_DATA { pClientRandom ulClientRandomLen pServerRandom ulServerRandomLen }
    CK_WTLS_KEY_MAT_PARAMS { DigestMechanism ulMacSizeInBits ulKeySizeInBits ulIVSizeInBits ulSequenceNumber
        bIsExport RandomInfo pReturnedKeyMaterial }
    CK_WTLS_MASTER_KEY_DERIVE_PARAMS { DigestMechanism RandomInfo pVersion }
    CK_WTLS_PRF_PARAMS { DigestMechanism pSeed ulSeedLen pLabel ulLabelLen pOutput pulOutputLen }
    CK_FUNCTION_LIST_3_2 { version C_Initialize C_Finalize C_GetInfo C_GetFunctionList C_GetSlotList C_GetSlotInfo
        C_GetTokenInfo C_GetMechanismList C_GetMechanismInfo C_InitToken C_InitPIN C_SetPIN C_OpenSession
        C_CloseSession C_CloseAllSessions C_GetSessionInfo C_GetOperationState C_SetOperationState C_Login C_Logout
        C_CreateObject C_CopyObject C_DestroyObject C_GetObjectSize C_GetAttributeValue C_SetAttributeValue
        C_FindObjectsInit C_FindObjects C_FindObjectsFinal C_EncryptInit C_Encrypt C_EncryptUpdate C_EncryptFinal
        C_DecryptInit C_Decrypt C_DecryptUpdate C_DecryptFinal C_DigestInit C_Digest C_DigestUpdate C_DigestKey
        C_DigestFinal C_SignInit C_Sign C_SignUpdate C_SignFinal C_SignRecoverInit C_SignRecover C_VerifyInit
        C_Verify C_VerifyUpdate C_VerifyFinal C_VerifyRecoverInit C_VerifyRecover C_DigestEncryptUpdate
        C_DecryptDigestUpdate C_SignEncryptUpdate C_DecryptVerifyUpdate C_GenerateKey C_GenerateKeyPair C_WrapKey
        C_UnwrapKey C_DeriveKey C_SeedRandom C_GenerateRandom C_GetFunctionStatus C_CancelFunction
        C_WaitForSlotEvent C_GetInterfaceList C_GetInterface C_LoginUser C_SessionCancel C_MessageEncryptInit
        C_EncryptMessage C_EncryptMessageBegin C_EncryptMessageNext C_MessageEncryptFinal C_MessageDecryptInit
        C_DecryptMessage C_DecryptMessageBegin C_DecryptMessageNext C_MessageDecryptFinal C_MessageSignInit
        C_SignMessage C_SignMessageBegin C_SignMessageNext C_MessageSignFinal C_MessageVerifyInit C_VerifyMessage
        C_VerifyMessageBegin C_VerifyMessageNext C_MessageVerifyFinal C_EncapsulateKey C_DecapsulateKey
        C_VerifySignatureInit C_VerifySignature C_VerifySignatureUpdate C_VerifySignatureFinal
        C_GetSessionValidationFlags C_AsyncComplete C_AsyncGetID C_AsyncJoin C_WrapKeyAuthenticated
        C_UnwrapKeyAuthenticated }
    CK_FUNCTION_LIST_3_0 { version C_Initialize C_Finalize C_GetInfo C_GetFunctionList C_GetSlotList C_GetSlotInfo
        C_GetTokenInfo C_GetMechanismList C_GetMechanismInfo C_InitToken C_InitPIN C_SetPIN C_OpenSession
        C_CloseSession C_CloseAllSessions C_GetSessionInfo C_GetOperationState C_SetOperationState C_Login C_Logout
        C_CreateObject C_CopyObject C_DestroyObject C_GetObjectSize C_GetAttributeValue C_SetAttributeValue
        C_FindObjectsInit C_FindObjects C_FindObjectsFinal C_EncryptInit C_Encrypt C_EncryptUpdate C_EncryptFinal
        C_DecryptInit C_Decrypt C_DecryptUpdate C_DecryptFinal C_DigestInit C_Digest C_DigestUpdate C_DigestKey
        C_DigestFinal C_SignInit C_Sign C_SignUpdate C_SignFinal C_SignRecoverInit C_SignRecover C_VerifyInit
        C_Verify C_VerifyUpdate C_VerifyFinal C_VerifyRecoverInit C_VerifyRecover C_DigestEncryptUpdate
        C_DecryptDigestUpdate C_SignEncryptUpdate C_DecryptVerifyUpdate C_GenerateKey C_GenerateKeyPair C_WrapKey
        C_UnwrapKey C_DeriveKey C_SeedRandom C_GenerateRandom C_GetFunctionStatus C_CancelFunction
        C_WaitForSlotEvent C_GetInterfaceList C_GetInterface C_LoginUser C_SessionCancel C_MessageEncryptInit
        C_EncryptMessage C_EncryptMessageBegin C_EncryptMessageNext C_MessageEncryptFinal C_MessageDecryptInit
        C_DecryptMessage C_DecryptMessageBegin C_DecryptMessageNext C_MessageDecryptFinal C_MessageSignInit
        C_SignMessage C_SignMessageBegin C_SignMessageNext C_MessageSignFinal C_MessageVerifyInit C_VerifyMessage
        C_VerifyMessageBegin C_VerifyMessageNext C_MessageVerifyFinal }
    CK_FUNCTION_LIST { version C_Initialize C_Finalize C_GetInfo C_GetFunctionList C_GetSlotList C_GetSlotInfo
        C_GetTokenInfo C_GetMechanismList C_GetMechanismInfo C_InitToken C_InitPIN C_SetPIN C_OpenSession
        C_CloseSession C_CloseAllSessions C_GetSessionInfo C_GetOperationState C_SetOperationState C_Login C_Logout
        C_CreateObject C_CopyObject C_DestroyObject C_GetObjectSize C_GetAttributeValue C_SetAttributeValue
        C_FindObjectsInit C_FindObjects C_FindObjectsFinal C_EncryptInit C_Encrypt C_EncryptUpdate C_EncryptFinal
        C_DecryptInit C_Decrypt C_DecryptUpdate C_DecryptFinal C_DigestInit C_Digest C_DigestUpdate C_DigestKey
        C_DigestFinal C_SignInit C_Sign C_SignUpdate C_SignFinal C_SignRecoverInit C_SignRecover C_VerifyInit
        C_Verify C_VerifyUpdate C_VerifyFinal C_VerifyRecoverInit C_VerifyRecover C_DigestEncryptUpdate
        C_DecryptDigestUpdate C_SignEncryptUpdate C_DecryptVerifyUpdate C_GenerateKey C_GenerateKeyPair C_WrapKey
        C_UnwrapKey C_DeriveKey C_SeedRandom C_GenerateRandom C_GetFunctionStatus C_CancelFunction
        C_WaitForSlotEvent }
}
