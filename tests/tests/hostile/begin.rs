//! Cases about the beginning and the end of everything. Item 4.1.13.
//!
//! Rule source: PKCS#11 3.2, 5.4.

use crate::calls::{entry, names};
use crate::cases::Cases;
use crate::target::{Done, Target};
use perilune_tests::ck::*;
use perilune_tests::raw::call_words;
use perilune_tests::{Raw, ck};
use std::ptr::{from_ref, null_mut};
use std::sync::Barrier;

pub fn cases(cases: &mut Cases) {
    cases.add("4.1.13", "some of the four callbacks", some_callbacks);
    cases.add("4.1.13", "a reserved pointer", |target| {
        refused_initialise(target, |arguments| {
            arguments.pReserved = std::ptr::dangling_mut::<u64>().cast();
        })
    });
    cases.add("4.1.13", "a second C_Initialize", second);
    cases.add("4.1.13", "C_Initialize of eight threads at once", at_once);
    cases.add("4.1.13", "C_Finalize with an argument", finalize_with_argument);
    cases.add("4.1.13", "a second C_Finalize", second_finalize);
    cases.add("4.1.13", "a hundred beginnings and ends", many);
    cases.add("4.1.13", "the function list is one for ever", one_list);
    cases.add("4.1.13", "every function before C_Initialize and after C_Finalize", not_initialised);
    cases.add("4.1.13", "handles of the time before C_Finalize", old_handles);
}

fn end(target: &Target) -> Done {
    target.need("C_Finalize", ck!(target.raw, C_Finalize, null_mut()))
}

fn start(target: &Target) -> CK_RV {
    let mut arguments = CK_C_INITIALIZE_ARGS { flags: CKF_OS_LOCKING_OK, ..Default::default() };
    let code = ck!(target.raw, C_Initialize, std::ptr::from_mut(&mut arguments).cast());
    if code == CKR_OK {
        target.find_slot();
    }
    code
}

fn is_initialised(target: &Target) -> bool {
    ck!(target.raw, C_GetInfo, &mut CK_INFO::default()) == CKR_OK
}

unsafe extern "C" fn make(_place: CK_VOID_PTR_PTR) -> CK_RV {
    CKR_OK
}

unsafe extern "C" fn use_it(_mutex: CK_VOID_PTR) -> CK_RV {
    CKR_OK
}

/// One to three of the four callbacks are refused, and nothing is begun.
fn some_callbacks(target: &Target) -> Done {
    for mask in 1..15 {
        refused_initialise(target, |arguments| {
            arguments.CreateMutex = (mask & 1 != 0).then_some(make);
            arguments.DestroyMutex = (mask & 2 != 0).then_some(use_it);
            arguments.LockMutex = (mask & 4 != 0).then_some(use_it);
            arguments.UnlockMutex = (mask & 8 != 0).then_some(use_it);
        })?;
    }
    Ok(())
}

fn refused_initialise(target: &Target, spoil: impl Fn(&mut CK_C_INITIALIZE_ARGS)) -> Done {
    end(target)?;
    let mut arguments = CK_C_INITIALIZE_ARGS { flags: CKF_OS_LOCKING_OK, ..Default::default() };
    spoil(&mut arguments);
    let code = ck!(target.raw, C_Initialize, target.value(arguments).cast());
    target.expect("C_Initialize", code, &[CKR_ARGUMENTS_BAD]);
    target.effect("refused, and yet initialised", code == CKR_OK || !is_initialised(target));
    if code != CKR_OK {
        target.need("C_Initialize with right arguments", start(target))?;
    }
    Ok(())
}

fn second(target: &Target) -> Done {
    for _ in 0..3 {
        target.expect("a second C_Initialize", start(target), &[CKR_CRYPTOKI_ALREADY_INITIALIZED]);
    }
    let info = ck!(target.raw, C_GetSessionInfo, target.session(), &mut CK_SESSION_INFO::default());
    target.effect("the session is gone", info == CKR_OK);
    Ok(())
}

fn at_once(target: &Target) -> Done {
    struct Shared<'a>(&'a Raw);
    // SAFETY: the function list is read only, and the standard lets threads call it.
    unsafe impl Sync for Shared<'_> {}
    for _ in 0..10 {
        end(target)?;
        let (barrier, shared) = (Barrier::new(8), &Shared(&target.raw));
        let codes: Vec<CK_RV> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        let Shared(raw) = shared;
                        let mut arguments = CK_C_INITIALIZE_ARGS { flags: CKF_OS_LOCKING_OK, ..Default::default() };
                        barrier.wait();
                        ck!(raw, C_Initialize, std::ptr::from_mut(&mut arguments).cast())
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        let begun = codes.iter().filter(|code| **code == CKR_OK).count();
        let known = codes.iter().all(|code| [CKR_OK, CKR_CRYPTOKI_ALREADY_INITIALIZED].contains(code));
        target.effect(&format!("{begun} of eight began: {codes:x?}"), begun == 1 && known);
    }
    Ok(())
}

fn finalize_with_argument(target: &Target) -> Done {
    let code = ck!(target.raw, C_Finalize, target.room(8).cast());
    target.expect("C_Finalize", code, &[CKR_ARGUMENTS_BAD]);
    target.effect("refused, and yet ended", code == CKR_OK || is_initialised(target));
    if code == CKR_OK { target.need("C_Initialize", start(target)) } else { Ok(()) }
}

fn second_finalize(target: &Target) -> Done {
    end(target)?;
    for _ in 0..3 {
        let code = ck!(target.raw, C_Finalize, null_mut());
        target.expect("a second C_Finalize", code, &[CKR_CRYPTOKI_NOT_INITIALIZED]);
    }
    target.need("C_Initialize", start(target))
}

fn many(target: &Target) -> Done {
    for _ in 0..100 {
        end(target)?;
        target.need("C_Initialize", start(target))?;
    }
    target.begin_again()
}

fn one_list(target: &Target) -> Done {
    let list = from_ref(target.raw.functions());
    let again = || {
        let mut found = null_mut();
        let code = ck!(target.raw, C_GetFunctionList, &mut found);
        (code, found.cast_const())
    };
    let before = again();
    end(target)?;
    let between = again();
    target.need("C_Initialize", start(target))?;
    let after = again();
    let same = [before, between, after].iter().all(|found| *found == (CKR_OK, list));
    target.effect("another list, or none", same);
    Ok(())
}

/// With NULL and 0 for everything, which must not matter.
fn not_initialised(target: &Target) -> Done {
    end(target)?;
    for name in names().filter(|name| !["C_GetFunctionList", "C_GetInterface", "C_GetInterfaceList"].contains(name)) {
        let Ok(entry) = entry(target, name) else { continue };
        target.at(name);
        let code = call_words(entry, [0; 10]);
        // A function that a module does not have at all may say so at any time.
        let allowed = [CKR_CRYPTOKI_NOT_INITIALIZED, CKR_FUNCTION_NOT_PARALLEL, CKR_FUNCTION_NOT_SUPPORTED];
        target.expect(name, code, &allowed);
    }
    target.need("C_Initialize", start(target))
}

/// After a new beginning the old session is none, and nobody is logged in.
fn old_handles(target: &Target) -> Done {
    let old = target.session();
    end(target)?;
    target.need("C_Initialize", start(target))?;
    let code = ck!(target.raw, C_GetSessionInfo, old, &mut CK_SESSION_INFO::default());
    target.expect("the session of before", code, &[CKR_SESSION_HANDLE_INVALID]);
    let (session, mut info) = (target.open()?, CK_SESSION_INFO::default());
    target.need("C_GetSessionInfo", ck!(target.raw, C_GetSessionInfo, session, &mut info))?;
    target.effect("somebody is still logged in", info.state == CKS_RW_PUBLIC_SESSION);
    Ok(())
}
