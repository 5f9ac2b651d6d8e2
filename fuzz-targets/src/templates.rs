//! Templates with attributes of every type, nested ones included, in every call that takes one.
//!
//! Owns: that a made object tells each of its attributes the same way however it is asked: the length alone, the value into
//! exactly so much room, and nothing into less.

use crate::abi::arguments::{Arguments, contains};
use crate::abi::functions;
use crate::abi::memory::Memory;
use crate::abi::stock::{ATTRIBUTES, FIND_BYTES, SECRETS};
use crate::abi::world::{self, World, ck};
use ffi_headers::*;
use std::ptr::null_mut;

const FUNCTIONS: &[&str] = &[
    "C_CreateObject",
    "C_CopyObject",
    "C_SetAttributeValue",
    "C_FindObjectsInit",
    "C_GetAttributeValue",
    "C_GenerateKey",
    "C_UnwrapKey",
    "C_DeriveKey",
    "C_FindObjects",
    "C_FindObjectsFinal",
    "C_DestroyObject",
    "C_GenerateKeyPair",
];
/// Most calls of one program.
const CALLS: usize = 16;

/// Runs a program of such calls.
pub fn run(data: &[u8]) {
    world::with(|world| {
        let clean = !SECRETS.iter().any(|secret| contains(data, &secret[..FIND_BYTES]));
        let session = world.open(CKF_RW_SESSION);
        let mut arguments = Arguments::new(data, vec![session], world.planted.clone());
        for _ in 0..CALLS {
            if arguments.program.is_empty() {
                break;
            }
            let known = arguments.objects.len();
            let name = arguments.program.one(FUNCTIONS);
            functions::call(&mut arguments, world, functions::number(name), clean);
            for object in arguments.objects.split_off(known) {
                tells_all(world, session, object);
                arguments.objects.push(object);
            }
        }
        world.close(&arguments.sessions);
    });
}

/// Asks an object for all attributes, each in three ways.
fn tells_all(world: &World, session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) {
    for kind in ATTRIBUTES {
        let ask = |value: *mut u8, length: CK_ULONG, memory: &mut Memory| {
            let attribute = CK_ATTRIBUTE { type_: *kind, pValue: value.cast(), ulValueLen: length };
            let place = memory.of(&attribute, 0);
            let code = ck!(world.functions, C_GetAttributeValue, session, object, place, 1);
            memory.check("C_GetAttributeValue");
            (code, memory.value::<CK_ATTRIBUTE>(place).ulValueLen)
        };
        let (code, length) = ask(null_mut(), 0, &mut Memory::default());
        if code != CKR_OK {
            // The object may be private to somebody who is no longer logged in.
            let refused =
                matches!(code, CKR_ATTRIBUTE_SENSITIVE | CKR_ATTRIBUTE_TYPE_INVALID | CKR_OBJECT_HANDLE_INVALID);
            assert!(refused, "attribute {kind:#x} answers {code:#x}");
            assert!(code == CKR_OBJECT_HANDLE_INVALID || length == CK_UNAVAILABLE_INFORMATION, "attribute {kind:#x}");
            continue;
        }
        let room = usize::try_from(length).expect("a length of memory");
        let mut memory = Memory::default();
        let value = memory.writable(&vec![0; room], 0);
        let told = ask(value, length, &mut memory);
        assert_eq!(told, (CKR_OK, length), "attribute {kind:#x} into exactly its room");
        if let Some(less) = room.checked_sub(1) {
            let mut memory = Memory::default();
            let value = memory.writable(&vec![0; less], 0);
            let told = ask(value, less as CK_ULONG, &mut memory);
            assert_eq!(told, (CKR_BUFFER_TOO_SMALL, CK_UNAVAILABLE_INFORMATION), "attribute {kind:#x} into less");
        }
    }
}
