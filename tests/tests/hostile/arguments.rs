//! Cases that spoil one argument of a right call: pointers, counts, lengths, addresses, handles. Items 4.1.1 to 4.1.3, 4.1.5,
//! 4.1.8 and 4.1.12.
//!
//! Owns: nothing but loops over functions and their arguments. Rule source: PKCS#11 3.2, 5.1 and 5.2.

use crate::calls::{Arg, Call, ENDING, Null, names};
use crate::cases::Cases;
use crate::target::{Done, Target, read};
use perilune_tests::ck::*;
use perilune_tests::signatures::FUNCTIONS;
use perilune_tests::{Template, ck};

/// Lengths that no memory has.
const LENGTHS: [usize; 4] = [usize::MAX, isize::MAX as usize, 1 << 63, usize::MAX / 2 + 16];
/// Numbers of attributes whose bytes no memory has, or whose product overflows.
const COUNTS: [usize; 5] = [usize::MAX, usize::MAX / 24, usize::MAX / 24 + 1, isize::MAX as usize, 1 << 48];

pub fn cases(cases: &mut Cases) {
    for name in names() {
        let kinds = FUNCTIONS.iter().find(|(known, _)| *known == name).map_or("", |(_, kinds)| kinds);
        cases.add_remote("4.1.0", name, move |target| {
            let call = Call::new(target, name)?;
            assert_eq!(call.args.len(), kinds.len(), "{name}: arguments");
            call.control()
        });
        for index in (0..kinds.len()).filter(|index| kinds.as_bytes()[*index] == b'p') {
            cases.add("4.1.1", format!("{name}, argument {}", index + 1), move |target| null(target, name, index));
        }
        cases.add("4.1.5", name, move |target| {
            target.skewed.set(true);
            Call::new(target, name)?.control()
        });
        if kinds.contains(['s', 't', 'o']) {
            cases.add("4.1.12", name, move |target| handles(target, name));
        }
        if TEMPLATES.contains(&name) {
            cases.add("4.1.2", name, move |target| counts(target, name));
        }
        if OUTPUTS.contains(&name) || (kinds.contains("pn") && !TEMPLATES[..7].contains(&name)) {
            cases.add("4.1.3", name, move |target| lengths(target, name));
        }
        if OUTPUTS.contains(&name) {
            cases.add("4.1.8", name, move |target| outputs(target, name));
        }
    }
}

/// Functions with a template; those that have no length beside it come first.
const TEMPLATES: [&str; 12] = [
    "C_CreateObject",
    "C_CopyObject",
    "C_GetAttributeValue",
    "C_SetAttributeValue",
    "C_FindObjectsInit",
    "C_GenerateKey",
    "C_GenerateKeyPair",
    "C_UnwrapKey",
    "C_DeriveKey",
    "C_EncapsulateKey",
    "C_DecapsulateKey",
    "C_UnwrapKeyAuthenticated",
];

/// Functions with an output whose size can be asked.
pub const OUTPUTS: [&str; 28] = [
    "C_GetSlotList",
    "C_GetMechanismList",
    "C_GetOperationState",
    "C_Encrypt",
    "C_EncryptUpdate",
    "C_EncryptFinal",
    "C_Decrypt",
    "C_DecryptUpdate",
    "C_DecryptFinal",
    "C_Digest",
    "C_DigestFinal",
    "C_Sign",
    "C_SignFinal",
    "C_SignRecover",
    "C_VerifyRecover",
    "C_DigestEncryptUpdate",
    "C_DecryptDigestUpdate",
    "C_SignEncryptUpdate",
    "C_DecryptVerifyUpdate",
    "C_WrapKey",
    "C_GetInterfaceList",
    "C_EncryptMessage",
    "C_EncryptMessageNext",
    "C_DecryptMessage",
    "C_DecryptMessageNext",
    "C_SignMessage",
    "C_EncapsulateKey",
    "C_WrapKeyAuthenticated",
];

/// The positive control, then a fresh right call to spoil.
fn fresh<'t>(target: &'t Target, name: &'static str) -> Result<Call<'t>, crate::target::Stop> {
    Call::new(target, name)?.control()?;
    anew(target, name)
}

/// A right call in a state as if nothing had been called.
fn anew<'t>(target: &'t Target, name: &'static str) -> Result<Call<'t>, crate::target::Stop> {
    target.begin_again()?;
    Call::new(target, name)
}

/// NULL for one pointer, with everything else right.
fn null(target: &Target, name: &'static str, index: usize) -> Done {
    let call = fresh(target, name)?;
    let rule = match call.args[index] {
        Arg::Pointer(_, rule) => rule,
        Arg::Room(..) => Null::Refused,
        // A pointer that the right call leaves NULL, because it is reserved.
        _ => return Ok(()),
    };
    let before = target.objects();
    target.at(&format!("{name} with NULL"));
    let code = call.with(index, 0).run();
    let what = format!("{name} with NULL as argument {}", index + 1);
    match rule {
        // A function that never does anything may say so first.
        Null::Refused if code != CKR_OK && call.expected.contains(&code) => {}
        Null::Refused => target.expect(&what, code, &[CKR_ARGUMENTS_BAD]),
        Null::Parameter => target.expect(&what, code, &[CKR_ARGUMENTS_BAD, CKR_MECHANISM_PARAM_INVALID]),
        Null::Size => target.expect(&what, code, &[CKR_OK]),
        Null::Cancel => {
            let answers = [CKR_OK, CKR_ARGUMENTS_BAD, CKR_MECHANISM_INVALID, CKR_OPERATION_NOT_INITIALIZED];
            target.expect(&what, code, &answers);
        }
        Null::Open => {}
    }
    if code != CKR_OK && name != "C_InitToken" {
        target.effect(&format!("{what}: refused, and yet an object was made"), target.objects() == before);
        if ENDING.contains(&name) {
            let again = call.run();
            let ended = again == CKR_OPERATION_NOT_INITIALIZED;
            target
                .effect(&format!("{what}: an error other than CKR_BUFFER_TOO_SMALL left the operation active"), ended);
        }
    }
    Ok(())
}

/// Numbers of attributes that no memory has.
fn counts(target: &Target, name: &'static str) -> Done {
    let call = fresh(target, name)?;
    let before = target.objects();
    for index in (0..call.args.len()).filter(|index| matches!(call.args[*index], Arg::Count(_))) {
        for count in COUNTS {
            let what = format!("{name} with {count:#x} attributes as argument {}", index + 1);
            target.at(&what);
            target.expect(&what, call.with(index, count).run(), &[CKR_ARGUMENTS_BAD]);
            target.at(&format!("{what}, and NULL"));
            let code = call.with(index, count).with(index - 1, 0).run();
            target.expect(&format!("{what}, and NULL"), code, &[CKR_ARGUMENTS_BAD]);
        }
    }
    target.effect("refused, and yet an object was made", target.objects() == before);
    Ok(())
}

/// Lengths that no memory has, of inputs; and room for outputs that is said to be without end.
fn lengths(target: &Target, name: &'static str) -> Done {
    let count = fresh(target, name)?.args.len();
    for index in 0..count {
        for length in LENGTHS {
            let call = anew(target, name)?;
            let what = format!("{name} with the length {length:#x} as argument {}", index + 1);
            match call.args[index] {
                Arg::Length(_) => {
                    target.at(&what);
                    target.refused(&what, call.with(index, length).run());
                }
                Arg::Room(place, _) => {
                    target.at(&format!("{what} (room)"));
                    // SAFETY: the length's own memory.
                    unsafe { (place as *mut CK_ULONG).write_unaligned(length as CK_ULONG) };
                    let code = call.run();
                    let told: CK_ULONG = read(place as *const CK_ULONG);
                    target.expect(&format!("{what} (room)"), code, &[CKR_OK, CKR_ARGUMENTS_BAD]);
                    target.effect(&format!("{what} (room): the length is not told"), code != CKR_OK || told < 1 << 20);
                }
                _ => break,
            }
        }
    }
    Ok(())
}

/// The length of an output inside that output: whatever comes, nothing lies beyond.
fn outputs(target: &Target, name: &'static str) -> Done {
    let call = fresh(target, name)?;
    for index in 1..call.args.len() {
        let (Arg::Pointer(place, _), Arg::Room(length, each)) = (call.args[index - 1], call.args[index]) else {
            continue;
        };
        let room: CK_ULONG = read(length as *const CK_ULONG);
        if (room as usize) * each < size_of::<CK_ULONG>() {
            continue;
        }
        // SAFETY: the output's own memory, which is large enough.
        unsafe { (place as *mut CK_ULONG).write_unaligned(room) };
        target.at(&format!("{name} with its length inside its output"));
        let code = call.with(index, place).run();
        if code != CKR_OK {
            target.refused(&format!("{name} with its length inside its output"), code);
        }
    }
    Ok(())
}

/// Handles that nobody gave, or that are not any more what they were.
fn handles(target: &Target, name: &'static str) -> Done {
    Call::new(target, name)?.control()?;
    target.begin_again()?;
    let closed = target.open()?;
    target.need("C_CloseSession", ck!(target.raw, C_CloseSession, closed))?;
    let destroyed = target.new_aes()?;
    target.need("C_DestroyObject", ck!(target.raw, C_DestroyObject, target.session(), destroyed))?;
    let label = Template::new().number(CKA_CLASS, CKO_DATA).text(CKA_LABEL, "no key").flag(CKA_TOKEN, true);
    let data = target.answer("C_CreateObject", target.raw.create(target.session(), label))?;
    let call = Call::new(target, name)?;
    for index in 0..call.args.len() {
        let position = index + 1;
        match call.args[index] {
            Arg::Session => {
                for handle in [0, usize::MAX, closed as usize, 1 << 32] {
                    let what = format!("{name} with the session {handle:#x} (closed: {closed:#x})");
                    target.at(&what);
                    target.expect(
                        &what,
                        call.with(index, handle).run(),
                        &[CKR_SESSION_HANDLE_INVALID, CKR_FUNCTION_NOT_PARALLEL],
                    );
                }
            }
            Arg::Slot => {
                for slot in [usize::MAX, 0xDEAD_BEEF, 1 << 32] {
                    let what = format!("{name} with the slot {slot:#x}");
                    target.at(&what);
                    target.expect(&what, call.with(index, slot).run(), &[CKR_SLOT_ID_INVALID]);
                }
            }
            Arg::Object(_) => {
                let mut bad = vec![(0, "0"), (usize::MAX, "the largest"), (destroyed as usize, "a destroyed key")];
                if names_key(name) {
                    bad.push((data as usize, "a data object"));
                }
                for (handle, which) in bad {
                    let call = anew(target, name)?;
                    let what = format!("{name} with {which} as argument {position}");
                    target.at(&what);
                    target.expect(&what, call.with(index, handle).run(), &INVALID);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether the object must be a key.
fn names_key(name: &str) -> bool {
    name.ends_with("Init") || name.contains("Key")
}

const INVALID: [CK_RV; 7] = [
    CKR_KEY_HANDLE_INVALID,
    CKR_OBJECT_HANDLE_INVALID,
    CKR_WRAPPING_KEY_HANDLE_INVALID,
    CKR_UNWRAPPING_KEY_HANDLE_INVALID,
    CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
    CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
    CKR_KEY_TYPE_INCONSISTENT,
];
