//! The function lists: complete, honest in their versions, and every entry callable in any state.
//!
//! Rule source: PKCS#11 3.2, 5.1 and 5.4 (lists and interfaces), 5.4.1 (before C_Initialize).

use perilune_tests::ck::*;
use perilune_tests::raw::{call_words, entries};
use perilune_tests::signatures::{COUNT_2_40, COUNT_3_0, FUNCTIONS};
use perilune_tests::{Raw, ck, isolated};
use std::ffi::CStr;
use std::ptr::{from_ref, null_mut};

/// An interface as the module tells it.
struct Interface {
    name: String,
    version: (u8, u8),
    list: *const CK_VERSION,
    flags: CK_FLAGS,
}

fn interfaces(raw: &Raw) -> Vec<Interface> {
    type List = unsafe extern "C" fn(*mut CK_INTERFACE, *mut CK_ULONG) -> CK_RV;
    // SAFETY: the symbol has this prototype.
    let list = unsafe { raw.library().get::<List>(b"C_GetInterfaceList\0") }.expect("C_GetInterfaceList is exported");
    let mut count = 0;
    // SAFETY: NULL asks for the count.
    assert_eq!(unsafe { list(null_mut(), &mut count) }, CKR_OK);
    let mut found =
        vec![CK_INTERFACE { pInterfaceName: null_mut(), pFunctionList: null_mut(), flags: 0 }; count as usize];
    // SAFETY: room for `count` interfaces.
    assert_eq!(unsafe { list(found.as_mut_ptr(), &mut count) }, CKR_OK);
    found.iter().map(told).collect()
}

fn told(interface: &CK_INTERFACE) -> Interface {
    // SAFETY: the module's names are C strings that live as long as it is loaded.
    let name = unsafe { CStr::from_ptr(interface.pInterfaceName.cast()) };
    let list = interface.pFunctionList.cast::<CK_VERSION>().cast_const();
    // SAFETY: every function list begins with its version.
    let version = unsafe { *list };
    Interface {
        name: name.to_str().expect("a name in ASCII").into(),
        version: (version.major, version.minor),
        list,
        flags: interface.flags,
    }
}

fn interface(raw: &Raw, name: Option<&CStr>, version: Option<(u8, u8)>, flags: CK_FLAGS) -> Result<Interface, CK_RV> {
    type One = unsafe extern "C" fn(*mut CK_UTF8CHAR, *mut CK_VERSION, *mut *mut CK_INTERFACE, CK_FLAGS) -> CK_RV;
    // SAFETY: the symbol has this prototype.
    let one = unsafe { raw.library().get::<One>(b"C_GetInterface\0") }.expect("C_GetInterface is exported");
    let name = name.map_or(null_mut(), |name| name.as_ptr().cast_mut().cast());
    let mut version = version.map(|(major, minor)| CK_VERSION { major, minor });
    let version = version.as_mut().map_or(null_mut(), std::ptr::from_mut);
    let mut found = null_mut();
    // SAFETY: all pointers are NULL or outlive the call.
    let code = unsafe { one(name, version, &mut found, flags) };
    if code != CKR_OK {
        return Err(code);
    }
    // SAFETY: after CKR_OK it points to an interface that lives as long as the module.
    Ok(told(unsafe { &*found }))
}

/// The longest list, with the name of each entry.
pub(crate) fn every_entry(raw: &Raw) -> Vec<(usize, &'static str, &'static str)> {
    let newest = interface(raw, Some(c"PKCS 11"), Some((3, 2)), 0).expect("interface 3.2");
    let list = entries(newest.list, FUNCTIONS.len());
    list.into_iter().zip(FUNCTIONS).map(|(entry, (name, kinds))| (entry, name, kinds)).collect()
}

/// Calls a function of the longest list by its name; words that are not given are 0.
pub(crate) fn call(raw: &Raw, name: &str, words: &[usize]) -> CK_RV {
    let entry = every_entry(raw).into_iter().find(|(_, found, _)| *found == name).expect("a function");
    let mut all = [0; 10];
    all[..words.len()].copy_from_slice(words);
    call_words(entry.0, all)
}

/// Functions that work without C_Initialize, or that begin or end it.
pub(crate) const ALWAYS: [&str; 5] =
    ["C_Initialize", "C_Finalize", "C_GetFunctionList", "C_GetInterfaceList", "C_GetInterface"];

#[test]
fn the_function_list_says_2_40_and_has_no_null_entry() {
    isolated!(|_, _| {
        let raw = Raw::load();
        let list = raw.functions();
        assert_eq!((list.version.major, list.version.minor), (2, 40));
        let entries = entries(from_ref(&list.version), COUNT_2_40);
        assert!(entries.iter().all(|&entry| entry != 0));
    });
}

#[test]
fn the_function_list_is_the_same_at_every_call_and_in_every_state() {
    isolated!(|_, _| {
        let raw = Raw::load();
        let first = from_ref(raw.functions());
        let ask = || {
            let mut list = null_mut();
            assert_eq!(ck!(raw, C_GetFunctionList, &mut list), CKR_OK);
            list.cast_const()
        };
        assert_eq!(ask(), first);
        assert_eq!(ck!(raw, C_Initialize, null_mut()), CKR_OK);
        assert_eq!(ask(), first);
        raw.finalize();
        assert_eq!(ask(), first);
        assert_eq!(ck!(raw, C_GetFunctionList, null_mut()), CKR_ARGUMENTS_BAD);
    });
}

#[test]
fn the_interfaces_have_honest_versions_and_no_null_entry() {
    isolated!(|_, _| {
        let raw = Raw::load();
        let found = interfaces(&raw);
        let versions: Vec<_> = found.iter().filter(|one| one.name == "PKCS 11").map(|one| one.version).collect();
        for version in [(2, 40), (3, 0), (3, 2)] {
            assert!(versions.contains(&version), "{version:?} is not among {versions:?}");
        }
        for one in found.iter().filter(|one| one.name == "PKCS 11") {
            let count = match one.version {
                (2, _) => COUNT_2_40,
                (3, 0 | 1) => COUNT_3_0,
                _ => FUNCTIONS.len(),
            };
            let list = entries(one.list, count);
            let null: Vec<_> = list.iter().zip(FUNCTIONS).filter(|(entry, _)| **entry == 0).map(|(_, f)| f.0).collect();
            assert!(null.is_empty(), "{:?}: {null:?}", one.version);
        }
    });
}

#[test]
fn an_interface_is_found_by_name_and_version_and_nothing_else_is() {
    isolated!(|_, _| {
        let raw = Raw::load();
        let default = interface(&raw, None, None, 0).expect("a default interface");
        assert_eq!(default.name, "PKCS 11");
        assert_eq!(default.version.0, 3, "the default is the newest");
        assert_eq!(interface(&raw, Some(c"PKCS 11"), Some((2, 40)), 0).expect("2.40").version, (2, 40));
        assert_eq!(interface(&raw, Some(c"PKCS 11"), Some((3, 0)), 0).expect("3.0").version, (3, 0));
        for (name, version) in
            [(c"PKCS 11", Some((2, 11))), (c"PKCS 11", Some((9, 9))), (c"PKCS 12", None), (c"", None)]
        {
            let code = interface(&raw, Some(name), version, 0).err();
            assert!(matches!(code, Some(CKR_FUNCTION_FAILED | CKR_ARGUMENTS_BAD)), "{name:?} {version:?}: {code:?}");
        }
        // A flag that no interface has must not be promised.
        let known = interfaces(&raw).iter().fold(0, |all, one| all | one.flags);
        let unknown = !known & 0x8000_0000;
        assert!(unknown == 0 || interface(&raw, None, None, unknown).is_err());
    });
}

#[test]
fn every_2_40_symbol_is_exported_and_is_the_one_in_the_list() {
    isolated!(|_, _| {
        let raw = Raw::load();
        let list = entries(from_ref(&raw.functions().version), COUNT_2_40);
        for (entry, (name, _)) in list.into_iter().zip(FUNCTIONS) {
            let symbol = std::ffi::CString::new(name).unwrap();
            // SAFETY: only the address is looked at.
            let address = unsafe { raw.library().get::<*const u8>(symbol.as_bytes_with_nul()) };
            let address = address.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(*address as usize, entry, "{name}");
        }
    });
}

#[test]
fn before_c_initialize_every_function_says_so() {
    isolated!(|_, _| {
        let raw = Raw::load();
        let page = vec![0u64; 1024];
        for (entry, name, _) in every_entry(&raw) {
            if ALWAYS.contains(&name) && name != "C_Finalize" {
                continue;
            }
            for words in [[0; 10], [1; 10].map(|word| word * page.as_ptr() as usize)] {
                let words = if name == "C_Finalize" { [0; 10] } else { words };
                let code = call_words(entry, words);
                let says_so = matches!(code, CKR_CRYPTOKI_NOT_INITIALIZED | CKR_FUNCTION_NOT_PARALLEL);
                assert!(says_so, "{name}: {code:#x}");
            }
        }
    });
}

#[test]
fn the_parallel_functions_of_old_say_that_nothing_is_parallel() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let session = raw.user_session();
        assert_eq!(ck!(raw, C_GetFunctionStatus, session), CKR_FUNCTION_NOT_PARALLEL);
        assert_eq!(ck!(raw, C_CancelFunction, session), CKR_FUNCTION_NOT_PARALLEL);
    });
}

/// Sets of argument words for a function: for its `kinds`, with a session that is good or not.
fn hostile(kinds: &str, session: usize, page: usize) -> Vec<[usize; 10]> {
    let build = |handle: usize, pointer: &dyn Fn(usize) -> usize, number: usize| {
        let mut words = [0; 10];
        for (index, kind) in kinds.chars().enumerate() {
            words[index] = match kind {
                's' | 't' => handle,
                'o' => usize::MAX - 1,
                'p' => pointer(index),
                _ => number,
            };
        }
        words
    };
    let null = |_: usize| 0;
    let zeroed = move |index: usize| page + index * 512;
    let mut sets = Vec::new();
    for handle in [0, 1, session, usize::MAX, 0xDEAD_BEEF] {
        // All pointers NULL, with lengths of nothing, something and the largest there is.
        for number in [0, 1, 32, usize::MAX, usize::MAX / 24, isize::MAX as usize, 1 << 63] {
            sets.push(build(handle, &null, number));
        }
        // All pointers to zeroed memory, with lengths that fit it or are beyond any memory.
        for number in [0, 1, usize::MAX, usize::MAX / 24, isize::MAX as usize, 1 << 63] {
            sets.push(build(handle, &zeroed, number));
        }
        // One pointer NULL at a time.
        for hole in kinds.char_indices().filter(|(_, kind)| *kind == 'p').map(|(index, _)| index) {
            sets.push(build(handle, &move |index| if index == hole { 0 } else { page + index * 512 }, 1));
        }
    }
    sets
}

/// Calls that may well succeed with such arguments, because nothing about them is wrong.
fn may_succeed(name: &str, words: &[usize; 10], session: usize) -> bool {
    let good = words[0] == session;
    match name {
        // They ask nothing but a place for the answer.
        "C_GetInfo" | "C_GetSlotList" | "C_GetFunctionList" | "C_GetInterfaceList" | "C_GetInterface" => true,
        // Slots with small numbers may exist; GnuTLS opens sessions on empty ones.
        "C_GetSlotInfo" | "C_GetTokenInfo" | "C_GetMechanismList" | "C_CloseAllSessions" | "C_OpenSession" => true,
        // Small numbers are mechanisms, too.
        "C_GetMechanismInfo" => words[1] < 0x100,
        // With a good session: the whole store is searched, nothing is mixed in, a session is told of.
        "C_GetSessionInfo" | "C_FindObjectsInit" | "C_FindObjects" | "C_FindObjectsFinal" | "C_SeedRandom"
        | "C_GenerateRandom" | "C_Logout" | "C_CloseSession" | "C_SessionCancel" => good,
        // The making of the token is an event.
        "C_WaitForSlotEvent" => words[0] == 1,
        // One type of flags exists.
        "C_GetSessionValidationFlags" => good && words[1] == 1,
        _ => false,
    }
}

#[test]
fn garbage_arguments_never_crash_and_never_succeed() {
    isolated!(|_, _| {
        let raw = Raw::start();
        let slot = raw.new_token();
        let mut page = vec![0u64; 1024];
        for (entry, name, kinds) in every_entry(&raw) {
            if name == "C_Initialize" || name == "C_Finalize" {
                continue;
            }
            // Each function has its own session, because some of the calls end it.
            let session = raw.session(slot);
            let login = raw.login(session, CKU_USER, perilune_tests::USER_PIN);
            assert!(matches!(login, Ok(()) | Err(CKR_USER_ALREADY_LOGGED_IN)), "{login:?}");
            for words in hostile(kinds, session as usize, page.as_mut_ptr() as usize) {
                if name == "C_GenerateRandom" && words[1] != 0 && words[2] > 4096 && words[2] < 1 << 40 {
                    continue;
                }
                // Answers of earlier calls must not become pointers of this one.
                page.fill(0);
                let code = call_words(entry, words);
                let accepted = code != CKR_OK || may_succeed(name, &words, session as usize);
                assert!(accepted, "{name}({words:x?}) succeeded");
                assert_ne!(code, CKR_GENERAL_ERROR, "{name}({words:x?}): a panic was caught, or an error has no name");
            }
            assert!(matches!(ck!(raw, C_CloseSession, session), CKR_OK | CKR_SESSION_HANDLE_INVALID));
        }
        // After all of that the token still works.
        let session = raw.session(slot);
        assert_eq!(raw.login(session, CKU_USER, perilune_tests::USER_PIN), Ok(()));
        assert_eq!(ck!(raw, C_CloseSession, session), CKR_OK);
        raw.finalize();
    });
}
