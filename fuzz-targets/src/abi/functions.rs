//! One call: which function, with which arguments.
//!
//! Owns: the signature of each function as a list of arguments; the order of the functions, which a byte of a program
//! chooses from (new ones go to the end). Does not know: what is right; every answer goes through `answers`.

use super::answers;
use super::arguments::Arguments;
use super::stock::{SO_PIN, USER_PIN};
use super::world::{World, ck};
use ffi_headers::*;
use std::ptr::null_mut;
use std::sync::LazyLock;

/// Makes the table: for each function what its arguments are, and how it is called with them.
macro_rules! functions {
    ($($name:ident |$args:ident, $world:ident| { $($argument:pat = $value:expr;)* } ($($given:expr),*);)*) => {
        /// The functions, in the order of their numbers.
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];

        type Call = fn(&mut Arguments<'_>, &World) -> CK_RV;

        const CALLS: &[Call] = &[$(
            |$args, $world| {
                let _unused = (&$args, &$world);
                $(let $argument = $value;)*
                ck!($world.functions, $name $(, $given)*)
            }
        ),*];
    };
}

/// Whether each call is printed with its answer, before and after it.
pub static TRACE: LazyLock<bool> = LazyLock::new(|| std::env::var_os("PERILUNE_FUZZ_TRACE").is_some());

/// Reads a call, makes it, and holds its answer against the rules; returns its number.
pub fn call(args: &mut Arguments<'_>, world: &mut World, number: u8, clean: bool) -> CK_RV {
    let number = usize::from(number) % CALLS.len();
    let name = NAMES[number];
    if *TRACE {
        eprint!("{name}");
    }
    let code = CALLS[number](args, world);
    if *TRACE {
        eprintln!(" = {}", names::printable(names::return_value, code));
    }
    answers::check(name, code);
    args.settle(name, code, clean);
    let changes = matches!(name, "C_InitToken" | "C_InitPIN" | "C_SetPIN");
    world.changed |= changes && code == CKR_OK;
    code
}

/// A PIN: the right ones, or any.
fn pin(args: &mut Arguments<'_>) -> (*mut u8, CK_ULONG) {
    let known = match args.program.byte() {
        0..0x50 => USER_PIN,
        0x50..0xa0 => SO_PIN,
        _ => return args.input(),
    };
    (args.memory.constant(known, 0), known.len() as CK_ULONG)
}

/// The slot of the token, the empty one, or any.
fn slot(args: &mut Arguments<'_>, world: &World) -> CK_SLOT_ID {
    match args.program.byte() {
        0xc0.. => args.program.any_number(),
        0x80.. => world.slot + 1,
        _ => world.slot,
    }
}

fn user_type(args: &mut Arguments<'_>) -> CK_USER_TYPE {
    match args.program.byte() {
        place @ 0..0xf0 => [CKU_USER, CKU_SO, CKU_CONTEXT_SPECIFIC][usize::from(place) % 3],
        _ => args.program.any_number(),
    }
}

/// The flags of C_OpenSession: mostly good ones.
fn session_flags(args: &mut Arguments<'_>) -> CK_FLAGS {
    match args.program.byte() {
        0..0x80 => CKF_SERIAL_SESSION | CKF_RW_SESSION,
        0x80..0xf0 => CKF_SERIAL_SESSION,
        _ => args.program.any_number(),
    }
}

/// A list of numbers to be filled: its place, and that of its length.
fn list(args: &mut Arguments<'_>) -> (*mut CK_ULONG, *mut CK_ULONG) {
    let form = args.program.byte();
    let count: CK_ULONG = match form {
        0xff => return (null_mut(), null_mut()),
        0xc0.. => {
            let count = args.program.any_number();
            return (null_mut(), args.memory.of(&count, 0));
        }
        count => CK_ULONG::from(count),
    };
    let places = args.memory.writable(&vec![0; 8 * usize::from(form)], 0);
    (places.cast(), args.memory.of(&count, 0))
}

/// A place of so many bytes whose length is not told back.
fn filled(args: &mut Arguments<'_>) -> (*mut u8, CK_ULONG) {
    match args.program.byte() {
        0xf0.. => (null_mut(), args.program.any_number()),
        _ => {
            let length = args.program.short() % 4096;
            (args.memory.writable(&vec![0; usize::from(length)], 0), CK_ULONG::from(length))
        }
    }
}

/// A string with its zero.
fn string(args: &mut Arguments<'_>) -> *mut u8 {
    if args.program.byte() == 0xff {
        return null_mut();
    }
    let mut content = args.content();
    content.push(0);
    args.memory.constant(&content, 0)
}

/// A result of a function that goes on by itself; no program of these has such a session.
fn asynchronous(args: &mut Arguments<'_>) -> *mut CK_ASYNC_DATA {
    let (data, length) = filled(args);
    if args.program.byte() == 0xff {
        return null_mut();
    }
    let result = CK_ASYNC_DATA { ulVersion: 0, pValue: data, ulValue: length, hObject: 0, hAdditionalObject: 0 };
    args.memory.of(&result, 0)
}

/// A pointer that the standard reserves.
fn reserved(args: &mut Arguments<'_>) -> *mut core::ffi::c_void {
    if args.program.byte() < 0xf0 { null_mut() } else { args.memory.writable(&[0; 8], 0).cast() }
}

/// The label of C_InitToken: 32 bytes.
fn label(args: &mut Arguments<'_>) -> *mut u8 {
    if args.program.byte() == 0xff {
        return null_mut();
    }
    let mut content = args.program.take(32).to_vec();
    content.resize(32, b' ');
    args.memory.constant(&content, 0)
}

functions! {
    C_GetInfo |a, w| { place = a.place::<CK_INFO>(); } (place);
    C_GetSlotList |a, w| { present = a.program.byte(); (slots, count) = list(a); } (present, slots, count);
    C_GetSlotInfo |a, w| { slot = slot(a, w); place = a.place::<CK_SLOT_INFO>(); } (slot, place);
    C_GetTokenInfo |a, w| { slot = slot(a, w); place = a.place::<CK_TOKEN_INFO>(); } (slot, place);
    C_GetMechanismList |a, w| { slot = slot(a, w); (kinds, count) = list(a); } (slot, kinds, count);
    C_GetMechanismInfo |a, w| { slot = slot(a, w); kind = a.mechanism_type(); place = a.place::<CK_MECHANISM_INFO>(); }
        (slot, kind, place);
    C_InitToken |a, w| { slot = slot(a, w); (pin, length) = pin(a); label = label(a); } (slot, pin, length, label);
    C_InitPIN |a, w| { session = a.session(); (pin, length) = pin(a); } (session, pin, length);
    C_SetPIN |a, w| { session = a.session(); (old, old_length) = pin(a); (new, new_length) = pin(a); }
        (session, old, old_length, new, new_length);
    C_OpenSession |a, w| { slot = slot(a, w); flags = session_flags(a); place = a.session_place(); }
        (slot, flags, null_mut(), None, place);
    C_CloseSession |a, w| { session = a.session(); } (session);
    C_CloseAllSessions |a, w| { slot = slot(a, w); } (slot);
    C_GetSessionInfo |a, w| { session = a.session(); place = a.place::<CK_SESSION_INFO>(); } (session, place);
    C_GetOperationState |a, w| { session = a.session(); (data, length) = a.output(); } (session, data, length);
    C_SetOperationState |a, w| { session = a.session(); (data, length) = a.input(); one = a.object(); two = a.object(); none = a.program.byte() < 0x80; }
        (session, data, length, if none { 0 } else { one }, if none { 0 } else { two });
    C_Login |a, w| { session = a.session(); user = user_type(a); (pin, length) = pin(a); } (session, user, pin, length);
    C_Logout |a, w| { session = a.session(); } (session);
    C_CreateObject |a, w| { session = a.session(); (list, count) = a.template(); place = a.handle_place(); }
        (session, list, count, place);
    C_CopyObject |a, w| { session = a.session(); object = a.object(); (list, count) = a.template(); place = a.handle_place(); }
        (session, object, list, count, place);
    C_DestroyObject |a, w| { session = a.session(); object = a.object(); } (session, object);
    C_GetObjectSize |a, w| { session = a.session(); object = a.object(); place = a.place::<CK_ULONG>(); }
        (session, object, place);
    C_GetAttributeValue |a, w| { session = a.session(); object = a.object(); (list, count) = a.question(); }
        (session, object, list, count);
    C_SetAttributeValue |a, w| { session = a.session(); object = a.object(); (list, count) = a.template(); }
        (session, object, list, count);
    C_FindObjectsInit |a, w| { session = a.session(); (list, count) = a.template(); } (session, list, count);
    C_FindObjects |a, w| { session = a.session(); most = a.program.byte() % 128; found = a.memory.writable(&vec![0; 8 * usize::from(most)], 0); place = a.place::<CK_ULONG>(); }
        (session, found.cast(), CK_ULONG::from(most), place);
    C_FindObjectsFinal |a, w| { session = a.session(); } (session);
    C_EncryptInit |a, w| { session = a.session(); mechanism = a.mechanism(); key = a.object(); } (session, mechanism, key);
    C_Encrypt |a, w| { session = a.session(); ((data, length), (out, room)) = a.stream(); } (session, data, length, out, room);
    C_EncryptUpdate |a, w| { session = a.session(); ((data, length), (out, room)) = a.stream(); }
        (session, data, length, out, room);
    C_EncryptFinal |a, w| { session = a.session(); (out, room) = a.output(); } (session, out, room);
    C_DecryptInit |a, w| { session = a.session(); mechanism = a.mechanism(); key = a.object(); } (session, mechanism, key);
    C_Decrypt |a, w| { session = a.session(); ((data, length), (out, room)) = a.stream(); } (session, data, length, out, room);
    C_DecryptUpdate |a, w| { session = a.session(); ((data, length), (out, room)) = a.stream(); }
        (session, data, length, out, room);
    C_DecryptFinal |a, w| { session = a.session(); (out, room) = a.output(); } (session, out, room);
    C_DigestInit |a, w| { session = a.session(); mechanism = a.mechanism(); } (session, mechanism);
    C_Digest |a, w| { session = a.session(); ((data, length), (out, room)) = a.stream(); } (session, data, length, out, room);
    C_DigestUpdate |a, w| { session = a.session(); (data, length) = a.input(); } (session, data, length);
    C_DigestKey |a, w| { session = a.session(); key = a.object(); } (session, key);
    C_DigestFinal |a, w| { session = a.session(); (out, room) = a.output(); } (session, out, room);
    C_SignInit |a, w| { session = a.session(); mechanism = a.mechanism(); key = a.object(); } (session, mechanism, key);
    C_Sign |a, w| { session = a.session(); ((data, length), (out, room)) = a.stream(); } (session, data, length, out, room);
    C_SignUpdate |a, w| { session = a.session(); (data, length) = a.input(); } (session, data, length);
    C_SignFinal |a, w| { session = a.session(); (out, room) = a.output(); } (session, out, room);
    C_SignRecoverInit |a, w| { session = a.session(); mechanism = a.mechanism(); key = a.object(); }
        (session, mechanism, key);
    C_SignRecover |a, w| { session = a.session(); ((data, length), (out, room)) = a.stream(); }
        (session, data, length, out, room);
    C_VerifyInit |a, w| { session = a.session(); mechanism = a.mechanism(); key = a.object(); } (session, mechanism, key);
    C_Verify |a, w| { session = a.session(); (data, length) = a.input(); (signature, bytes) = a.input(); }
        (session, data, length, signature, bytes);
    C_VerifyUpdate |a, w| { session = a.session(); (data, length) = a.input(); } (session, data, length);
    C_VerifyFinal |a, w| { session = a.session(); (data, length) = a.input(); } (session, data, length);
    C_VerifyRecoverInit |a, w| { session = a.session(); mechanism = a.mechanism(); key = a.object(); }
        (session, mechanism, key);
    C_VerifyRecover |a, w| { session = a.session(); ((data, length), (out, room)) = a.stream(); }
        (session, data, length, out, room);
    C_DigestEncryptUpdate |a, w| { session = a.session(); ((data, length), (out, room)) = a.stream(); }
        (session, data, length, out, room);
    C_DecryptDigestUpdate |a, w| { session = a.session(); ((data, length), (out, room)) = a.stream(); }
        (session, data, length, out, room);
    C_SignEncryptUpdate |a, w| { session = a.session(); ((data, length), (out, room)) = a.stream(); }
        (session, data, length, out, room);
    C_DecryptVerifyUpdate |a, w| { session = a.session(); ((data, length), (out, room)) = a.stream(); }
        (session, data, length, out, room);
    C_GenerateKey |a, w| { session = a.session(); mechanism = a.mechanism(); (list, count) = a.template(); place = a.handle_place(); }
        (session, mechanism, list, count, place);
    C_GenerateKeyPair |a, w| { session = a.session(); mechanism = a.mechanism(); (public, public_count) = a.template();
        (private, private_count) = a.template(); one = a.handle_place(); two = a.handle_place(); }
        (session, mechanism, public, public_count, private, private_count, one, two);
    C_WrapKey |a, w| { session = a.session(); mechanism = a.mechanism(); by = a.object(); key = a.object(); (out, room) = a.output(); }
        (session, mechanism, by, key, out, room);
    C_UnwrapKey |a, w| { session = a.session(); mechanism = a.mechanism(); by = a.object(); (data, length) = a.input();
        (list, count) = a.template(); place = a.handle_place(); }
        (session, mechanism, by, data, length, list, count, place);
    C_DeriveKey |a, w| { session = a.session(); mechanism = a.mechanism(); key = a.object(); (list, count) = a.template(); place = a.handle_place(); }
        (session, mechanism, key, list, count, place);
    C_SeedRandom |a, w| { session = a.session(); (data, length) = a.input(); } (session, data, length);
    C_GenerateRandom |a, w| { session = a.session(); (data, length) = filled(a); } (session, data, length);
    C_GetFunctionStatus |a, w| { session = a.session(); } (session);
    C_CancelFunction |a, w| { session = a.session(); } (session);
    // Without this flag it would wait for ever.
    C_WaitForSlotEvent |a, w| { flags = a.program.any_number() | CKF_DONT_BLOCK; place = a.place::<CK_SLOT_ID>(); reserved = reserved(a); }
        (flags, place, reserved);
    C_GetInterfaceList |a, w| { count = CK_ULONG::from(a.program.byte() % 8); ask = a.program.byte() < 0x80;
        places = a.memory.writable(&vec![0; usize::try_from(count).unwrap_or(0) * size_of::<CK_INTERFACE>()], 0); length = a.memory.of(&count, 0); }
        (if ask { null_mut() } else { places.cast() }, length);
    C_GetInterface |a, w| { name = string(a); version = a.place::<CK_VERSION>(); found = a.memory.writable(&[0; 8], 0); flags = a.program.any_number(); }
        (name, version, found.cast(), flags);
    C_LoginUser |a, w| { session = a.session(); user = user_type(a); (pin, length) = pin(a); (name, bytes) = a.input(); }
        (session, user, pin, length, name, bytes);
    C_SessionCancel |a, w| { session = a.session(); flags = a.program.any_number(); wide = a.program.number(4); }
        (session, flags | wide);
    C_MessageEncryptInit |a, w| { session = a.session(); mechanism = a.message_mechanism(); key = a.object(); }
        (session, mechanism, key);
    C_EncryptMessage |a, w| { session = a.session(); (parameter, bytes) = a.message_parameter(); (aad, aad_length) = a.input();
        ((data, length), (out, room)) = a.stream(); }
        (session, parameter.cast(), bytes, aad, aad_length, data, length, out, room);
    C_EncryptMessageBegin |a, w| { session = a.session(); (parameter, bytes) = a.message_parameter(); (aad, aad_length) = a.input(); }
        (session, parameter.cast(), bytes, aad, aad_length);
    C_EncryptMessageNext |a, w| { session = a.session(); (parameter, bytes) = a.message_parameter(); ((data, length), (out, room)) = a.stream();
        flags = a.program.any_number(); }
        (session, parameter.cast(), bytes, data, length, out, room, flags);
    C_MessageEncryptFinal |a, w| { session = a.session(); } (session);
    C_MessageDecryptInit |a, w| { session = a.session(); mechanism = a.message_mechanism(); key = a.object(); }
        (session, mechanism, key);
    C_DecryptMessage |a, w| { session = a.session(); (parameter, bytes) = a.message_parameter(); (aad, aad_length) = a.input();
        ((data, length), (out, room)) = a.stream(); }
        (session, parameter.cast(), bytes, aad, aad_length, data, length, out, room);
    C_DecryptMessageBegin |a, w| { session = a.session(); (parameter, bytes) = a.message_parameter(); (aad, aad_length) = a.input(); }
        (session, parameter.cast(), bytes, aad, aad_length);
    C_DecryptMessageNext |a, w| { session = a.session(); (parameter, bytes) = a.message_parameter(); ((data, length), (out, room)) = a.stream();
        flags = a.program.any_number(); }
        (session, parameter.cast(), bytes, data, length, out, room, flags);
    C_MessageDecryptFinal |a, w| { session = a.session(); } (session);
    C_MessageSignInit |a, w| { session = a.session(); mechanism = a.mechanism(); key = a.object(); } (session, mechanism, key);
    C_SignMessage |a, w| { session = a.session(); (parameter, bytes) = a.message_parameter(); ((data, length), (out, room)) = a.stream(); }
        (session, parameter.cast(), bytes, data, length, out, room);
    C_SignMessageBegin |a, w| { session = a.session(); (parameter, bytes) = a.message_parameter(); }
        (session, parameter.cast(), bytes);
    C_SignMessageNext |a, w| { session = a.session(); (parameter, bytes) = a.message_parameter(); ((data, length), (out, room)) = a.stream(); }
        (session, parameter.cast(), bytes, data, length, out, room);
    C_MessageSignFinal |a, w| { session = a.session(); } (session);
    C_MessageVerifyInit |a, w| { session = a.session(); mechanism = a.mechanism(); key = a.object(); }
        (session, mechanism, key);
    C_VerifyMessage |a, w| { session = a.session(); (parameter, bytes) = a.message_parameter(); (data, length) = a.input(); (signature, count) = a.input(); }
        (session, parameter.cast(), bytes, data, length, signature, count);
    C_VerifyMessageBegin |a, w| { session = a.session(); (parameter, bytes) = a.message_parameter(); }
        (session, parameter.cast(), bytes);
    C_VerifyMessageNext |a, w| { session = a.session(); (parameter, bytes) = a.message_parameter(); (data, length) = a.input(); (signature, count) = a.input(); }
        (session, parameter.cast(), bytes, data, length, signature, count);
    C_MessageVerifyFinal |a, w| { session = a.session(); } (session);
    C_EncapsulateKey |a, w| { session = a.session(); mechanism = a.mechanism(); key = a.object(); (list, count) = a.template();
        (out, room) = a.output(); place = a.handle_place(); }
        (session, mechanism, key, list, count, out, room, place);
    C_DecapsulateKey |a, w| { session = a.session(); mechanism = a.mechanism(); key = a.object(); (list, count) = a.template();
        (data, length) = a.input(); place = a.handle_place(); }
        (session, mechanism, key, list, count, data, length, place);
    C_VerifySignatureInit |a, w| { session = a.session(); mechanism = a.mechanism(); key = a.object(); (data, length) = a.input(); }
        (session, mechanism, key, data, length);
    C_VerifySignature |a, w| { session = a.session(); (data, length) = a.input(); } (session, data, length);
    C_VerifySignatureUpdate |a, w| { session = a.session(); (data, length) = a.input(); } (session, data, length);
    C_VerifySignatureFinal |a, w| { session = a.session(); } (session);
    C_GetSessionValidationFlags |a, w| { session = a.session(); kind = a.program.any_number(); place = a.place::<CK_FLAGS>(); }
        (session, kind, place);
    C_AsyncComplete |a, w| { session = a.session(); name = string(a); result = asynchronous(a); } (session, name, result);
    C_AsyncGetID |a, w| { session = a.session(); name = string(a); place = a.place::<CK_ULONG>(); } (session, name, place);
    C_AsyncJoin |a, w| { session = a.session(); name = string(a); id = a.program.any_number(); (data, length) = filled(a); }
        (session, name, id, data, length);
    C_WrapKeyAuthenticated |a, w| { session = a.session(); mechanism = a.message_mechanism(); by = a.object(); key = a.object();
        (aad, aad_length) = a.input(); (out, room) = a.output(); }
        (session, mechanism, by, key, aad, aad_length, out, room);
    C_UnwrapKeyAuthenticated |a, w| { session = a.session(); mechanism = a.message_mechanism(); by = a.object(); (data, length) = a.input();
        (list, count) = a.template(); (aad, aad_length) = a.input(); place = a.handle_place(); }
        (session, mechanism, by, data, length, list, count, aad, aad_length, place);
}

/// The number of a function.
///
/// # Panics
/// When there is none of that name.
pub fn number(name: &str) -> u8 {
    let place = NAMES.iter().position(|known| *known == name).expect("a function of the table");
    u8::try_from(place).expect("a byte chooses from the table")
}

/// Ends all operations of the first session.
pub fn call_everything_off(args: &Arguments<'_>, world: &World) {
    let all = CK_FLAGS::from(u32::MAX);
    let code = ck!(world.functions, C_SessionCancel, args.sessions[0], all);
    answers::check("C_SessionCancel", code);
}
