//! Cases about the state of an operation that is saved and brought back. Item 4.2.10.
//!
//! Rule source: PKCS#11 3.2, 5.6 (C_GetOperationState, C_SetOperationState).

use crate::calls::begin;
use crate::cases::Cases;
use crate::target::{Done, Stop, Target, read_bytes};
use perilune_tests::ck;
use perilune_tests::ck::*;
use std::ptr::null_mut;

pub fn cases(cases: &mut Cases) {
    cases.add_remote("4.2.10", "in another session", other_session);
    cases.add("4.2.10", "in another process", other_process);
    cases.add_remote("4.2.10", "one bit changed, at each place", changed);
    cases.add_remote("4.2.10", "cut and made longer", cut);
    cases.add_remote("4.2.10", "with keys that it does not need", with_keys);
    cases.add_remote("4.2.10", "of what has none", unsaveable);
}

/// The state of a digest that has seen "ab".
fn state(target: &Target, session: CK_SESSION_HANDLE) -> Result<Vec<u8>, Stop> {
    let mut room = 0;
    target.need("C_GetOperationState", ck!(target.raw, C_GetOperationState, session, null_mut(), &mut room))?;
    let mut state = vec![0; room as usize];
    let code = ck!(target.raw, C_GetOperationState, session, state.as_mut_ptr(), &mut room);
    target.need("C_GetOperationState", code)?;
    state.truncate(room as usize);
    Ok(state)
}

fn saved(target: &Target) -> Result<Vec<u8>, Stop> {
    begin(target, "C_DigestInit", CKM_SHA256, None)?;
    let session = target.session();
    target.need("C_DigestUpdate", ck!(target.raw, C_DigestUpdate, session, target.bytes(b"ab"), 2))?;
    state(target, session)
}

fn set(target: &Target, session: CK_SESSION_HANDLE, state: &[u8]) -> CK_RV {
    ck!(target.raw, C_SetOperationState, session, target.bytes(state), state.len() as CK_ULONG, 0, 0)
}

/// Whether a digest that has seen "ab" becomes that of "abc".
fn goes_on(target: &Target, session: CK_SESSION_HANDLE) -> bool {
    let (out, room) = (target.room(32), target.value(32 as CK_ULONG));
    let updated = ck!(target.raw, C_DigestUpdate, session, target.bytes(b"c"), 1);
    let ended = ck!(target.raw, C_DigestFinal, session, out, room);
    updated == CKR_OK && ended == CKR_OK && read_bytes(out, 4) == [0xBA, 0x78, 0x16, 0xBF]
}

fn other_session(target: &Target) -> Done {
    let state = saved(target)?;
    let other = target.enter()?;
    target.expect("C_SetOperationState", set(target, other, &state), &[CKR_OK]);
    target.effect("it does not go on there", goes_on(target, other));
    target.effect("it does not go on here", goes_on(target, target.session()));
    Ok(())
}

/// It goes on there, or is refused there by name.
fn other_process(target: &Target) -> Done {
    let file = target.place.file("state");
    if target.role == "other" {
        let state = std::fs::read(file).expect("the state");
        let code = set(target, target.session(), &state);
        target.expect("C_SetOperationState", code, &[CKR_OK, CKR_SAVED_STATE_INVALID]);
        target.effect("it does not go on", code != CKR_OK || goes_on(target, target.session()));
        return Ok(());
    }
    std::fs::write(file, saved(target)?).expect("the state");
    target.elsewhere("other")?;
    target.effect("it does not go on here", goes_on(target, target.session()));
    Ok(())
}

/// A changed state is refused, or it is a digest of something else; nothing is read or written beyond it.
fn changed(target: &Target) -> Done {
    let state = saved(target)?;
    target.effect("it does not go on", goes_on(target, target.session()));
    let step = (state.len() / 200).max(1);
    for place in (0..state.len()).step_by(step) {
        let mut changed = state.clone();
        changed[place] ^= 0x80;
        let session = target.open()?;
        target.at(&format!("a bit changed in byte {place}"));
        let code = set(target, session, &changed);
        if code == CKR_OK {
            // Where it is taken it must not be the old one's double with other bytes to come.
            let (out, room) = (target.room(32), target.value(32 as CK_ULONG));
            let _it_may_be_anything = ck!(target.raw, C_DigestFinal, session, out, room);
            target.effect(&format!("a bit changed in byte {place} is accepted"), false);
        } else {
            target.expect(&format!("a bit changed in byte {place}"), code, &[CKR_SAVED_STATE_INVALID]);
        }
        target.need("C_CloseSession", ck!(target.raw, C_CloseSession, session))?;
    }
    Ok(())
}

fn cut(target: &Target) -> Done {
    let state = saved(target)?;
    let long = [&state[..], &[0]].concat();
    let other = target.enter()?;
    for bad in [&state[..1], &state[..state.len() / 2], &state[..state.len() - 1], &long, &[]] {
        target.at(&format!("{} of {} bytes", bad.len(), state.len()));
        let code = set(target, other, bad);
        target.expect(
            &format!("{} of {} bytes", bad.len(), state.len()),
            code,
            &[CKR_SAVED_STATE_INVALID, CKR_ARGUMENTS_BAD],
        );
    }
    target.expect("the whole state afterwards", set(target, other, &state), &[CKR_OK]);
    target.effect("it does not go on", goes_on(target, other));
    Ok(())
}

fn with_keys(target: &Target) -> Done {
    let (state, key) = (saved(target)?, target.aes()?);
    let other = target.enter()?;
    for (cipher, signature) in [(key, 0), (0, key), (key, key), (CK_ULONG::MAX, 0), (0, CK_ULONG::MAX)] {
        let (place, bytes) = (target.bytes(&state), state.len() as CK_ULONG);
        let code = ck!(target.raw, C_SetOperationState, other, place, bytes, cipher, signature);
        let allowed = [CKR_KEY_NOT_NEEDED, CKR_KEY_HANDLE_INVALID];
        target.expect(&format!("with the keys {cipher:#x} and {signature:#x}"), code, &allowed);
    }
    Ok(())
}

/// Nothing active, a search: CKR_OPERATION_NOT_INITIALIZED, and the search goes on.
fn unsaveable(target: &Target) -> Done {
    saved(target)?;
    target.begin_again()?;
    let session = target.session();
    let mut room = 0;
    let code = ck!(target.raw, C_GetOperationState, session, null_mut(), &mut room);
    target.expect("nothing active", code, &[CKR_OPERATION_NOT_INITIALIZED]);
    target.need("C_FindObjectsInit", ck!(target.raw, C_FindObjectsInit, session, null_mut(), 0))?;
    let code = ck!(target.raw, C_GetOperationState, session, null_mut(), &mut room);
    target.expect("a search", code, &[CKR_OPERATION_NOT_INITIALIZED, CKR_STATE_UNSAVEABLE]);
    target.expect("the end of the search", ck!(target.raw, C_FindObjectsFinal, session), &[CKR_OK]);
    Ok(())
}
