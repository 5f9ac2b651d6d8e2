//! Parameters of mechanisms: every shape, right and wrong, with the operation that follows.
//!
//! Owns: that an operation which began is used at once, so that what a parameter says takes effect.

use crate::abi::arguments::{Arguments, contains};
use crate::abi::functions;
use crate::abi::stock::{FIND_BYTES, SECRETS};
use crate::abi::world;
use ffi_headers::{CKF_RW_SESSION, CKR_OK};

/// What takes a mechanism, and what follows.
const FUNCTIONS: &[(&str, &str)] = &[
    ("C_EncryptInit", "C_Encrypt"),
    ("C_DecryptInit", "C_Decrypt"),
    ("C_SignInit", "C_Sign"),
    ("C_VerifyInit", "C_Verify"),
    ("C_DigestInit", "C_Digest"),
    ("C_SignRecoverInit", "C_SignRecover"),
    ("C_VerifyRecoverInit", "C_VerifyRecover"),
    ("C_GenerateKey", "C_GetAttributeValue"),
    ("C_GenerateKeyPair", "C_GetAttributeValue"),
    ("C_WrapKey", "C_UnwrapKey"),
    ("C_UnwrapKey", "C_GetAttributeValue"),
    ("C_DeriveKey", "C_GetAttributeValue"),
    ("C_EncapsulateKey", "C_DecapsulateKey"),
    ("C_DecapsulateKey", "C_GetAttributeValue"),
    ("C_MessageEncryptInit", "C_EncryptMessage"),
    ("C_MessageDecryptInit", "C_DecryptMessage"),
    ("C_MessageSignInit", "C_SignMessage"),
    ("C_MessageVerifyInit", "C_VerifyMessage"),
    ("C_VerifySignatureInit", "C_VerifySignature"),
    ("C_WrapKeyAuthenticated", "C_UnwrapKeyAuthenticated"),
    ("C_EncryptInit", "C_EncryptUpdate"),
    ("C_DecryptInit", "C_DecryptUpdate"),
    ("C_SignInit", "C_SignUpdate"),
    ("C_MessageEncryptInit", "C_EncryptMessageBegin"),
    ("C_MessageDecryptInit", "C_DecryptMessageBegin"),
];
/// Most mechanisms of one program.
const MECHANISMS: usize = 12;

/// Runs a program of such calls.
pub fn run(data: &[u8]) {
    world::with(|world| {
        let clean = !SECRETS.iter().any(|secret| contains(data, &secret[..FIND_BYTES]));
        let mut arguments = Arguments::new(data, vec![world.open(CKF_RW_SESSION)], world.planted.clone());
        for _ in 0..MECHANISMS {
            if arguments.program.is_empty() {
                break;
            }
            let (first, then) = arguments.program.one(FUNCTIONS);
            if functions::call(&mut arguments, world, functions::number(first), clean) == CKR_OK {
                functions::call(&mut arguments, world, functions::number(then), clean);
                // An operation that goes on would stand in the way of the next one.
                functions::call_everything_off(&arguments, world);
            }
        }
        world.close(&arguments.sessions);
    });
}

/// The number of a function in programs of this target.
///
/// # Panics
/// When it takes no mechanism.
#[must_use]
pub fn number(name: &str) -> u8 {
    let place = FUNCTIONS.iter().position(|(first, _)| *first == name).expect("a function of the list");
    u8::try_from(place).expect("a byte chooses from the list")
}
