//! Cases about the state of an operation that is saved and brought back. Item 4.2.10.
//!
//! Rule source: PKCS#11 3.2, 5.6 (C_GetOperationState, C_SetOperationState).

use crate::calls::begin;
use crate::cases::Cases;
use crate::target::{Done, Stop, Target, read_bytes};
use perilune_tests::ck;
use perilune_tests::ck::*;
use perilune_tests::raw::plain;
use std::ptr::null_mut;

pub fn cases(cases: &mut Cases) {
    cases.add_remote("4.2.10", "in another session", other_session);
    cases.add("4.2.10", "in another process", other_process);
    cases.add_remote("4.2.10", "one bit changed, at each place", changed);
    cases.add_remote("4.2.10", "cut and made longer", cut);
    cases.add_remote("4.2.10", "with keys that it does not need", with_keys);
    cases.add_remote("4.2.10", "of what has none", unsaveable);
    cases.add_remote("4.2.10", "of a MAC: its key must be given, and be the same", keyed);
    cases.add_remote("4.2.10", "of a MAC: one bit changed, at each place", keyed_changed);
    cases.add_remote("4.2.10", "of a MAC: cut and made longer", keyed_cut);
    cases.add_remote("4.2.10", "of a MAC: after the end of its key", after_its_key);
    cases.add_remote("4.2.10", "beside what is active there already", beside_active);
    cases.add_remote("4.2.10", "of a digest, for a MAC; of bytes that nobody saved", wrong_kind);
    cases.add_remote("4.2.10", "of operations that would leave too much behind", too_much);
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

/// An HMAC key that is not the module's to tell, and the state of a signature with it that has seen "ab".
fn saved_mac(target: &Target) -> Result<(CK_OBJECT_HANDLE, Vec<u8>), Stop> {
    let key = target.secret(&[9; 32])?;
    begin(target, "C_SignInit", CKM_SHA256_HMAC, Some(key))?;
    let session = target.session();
    target.need("C_SignUpdate", ck!(target.raw, C_SignUpdate, session, target.bytes(b"ab"), 2))?;
    Ok((key, state(target, session)?))
}

fn set_with(target: &Target, session: CK_SESSION_HANDLE, state: &[u8], key: CK_OBJECT_HANDLE) -> CK_RV {
    ck!(target.raw, C_SetOperationState, session, target.bytes(state), state.len() as CK_ULONG, 0, key)
}

/// Whether the MAC in this session, given "c", is that of "abc".
fn mac_goes_on(target: &Target, session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) -> Result<bool, Stop> {
    let (out, room) = (target.room(32), target.value(32 as CK_ULONG));
    let updated = ck!(target.raw, C_SignUpdate, session, target.bytes(b"c"), 1);
    let ended = ck!(target.raw, C_SignFinal, session, out, room);
    let right = target.raw.sign(target.enter()?, plain(CKM_SHA256_HMAC), key, b"abc");
    Ok(updated == CKR_OK && ended == CKR_OK && right == Ok(read_bytes(out, 32)))
}

fn keyed(target: &Target) -> Done {
    let (key, state) = saved_mac(target)?;
    let (same, other) = (target.secret(&[9; 32])?, target.secret(&[8; 32])?);
    let session = target.enter()?;
    target.expect("without a key", set_with(target, session, &state, 0), &[CKR_KEY_NEEDED]);
    target.expect("with another key", set_with(target, session, &state, other), &[CKR_KEY_CHANGED]);
    let code = set_with(target, session, &state, target.aes()?);
    target.expect("with an AES key", code, &[CKR_KEY_CHANGED, CKR_KEY_TYPE_INCONSISTENT]);
    let none = [CKR_KEY_HANDLE_INVALID, CKR_KEY_CHANGED, CKR_OBJECT_HANDLE_INVALID];
    target.expect("with a key that there is not", set_with(target, session, &state, CK_ULONG::MAX), &none);
    let (place, bytes) = (target.bytes(&state), state.len() as CK_ULONG);
    let swapped = ck!(target.raw, C_SetOperationState, session, place, bytes, key, 0);
    target.refused("with the key in the place of a cipher's", swapped);
    let none = ck!(target.raw, C_SignUpdate, session, target.bytes(b"c"), 1);
    target.expect("nothing began", none, &[CKR_OPERATION_NOT_INITIALIZED]);
    for (what, key) in [("the key", key), ("a key of the same value", same)] {
        let session = target.enter()?;
        let code = set_with(target, session, &state, key);
        target.expect(&format!("with {what}"), code, &[CKR_OK, CKR_KEY_CHANGED][..1 + usize::from(key == same)]);
        target.effect(&format!("with {what}: another MAC"), code != CKR_OK || mac_goes_on(target, session, key)?);
    }
    Ok(())
}

fn keyed_changed(target: &Target) -> Done {
    let (key, state) = saved_mac(target)?;
    let session = target.enter()?;
    target.need("C_SetOperationState", set_with(target, session, &state, key))?;
    target.control("it goes on", mac_goes_on(target, session, key)?)?;
    let step = (state.len() / 200).max(1);
    for place in (0..state.len()).step_by(step) {
        let mut changed = state.clone();
        changed[place] ^= 0x01;
        let what = format!("a bit changed in byte {place}");
        target.at(&what);
        let session = target.open()?;
        let code = set_with(target, session, &changed, key);
        target.expect(&what, code, &[CKR_SAVED_STATE_INVALID, CKR_KEY_CHANGED]);
        target.need("C_CloseSession", ck!(target.raw, C_CloseSession, session))?;
    }
    Ok(())
}

fn keyed_cut(target: &Target) -> Done {
    let (key, state) = saved_mac(target)?;
    let long = [&state[..], &[0; 16]].concat();
    let session = target.enter()?;
    for bytes in (1..state.len()).step_by((state.len() / 100).max(1)).chain([state.len() + 1, long.len()]) {
        let what = format!("{bytes} of {} bytes", state.len());
        target.at(&what);
        target.expect(&what, set_with(target, session, &long[..bytes], key), &[CKR_SAVED_STATE_INVALID]);
    }
    target.expect("the whole state afterwards", set_with(target, session, &state, key), &[CKR_OK]);
    target.effect("it does not go on", mac_goes_on(target, session, key)?);
    Ok(())
}

fn after_its_key(target: &Target) -> Done {
    let (key, state) = saved_mac(target)?;
    let session = target.enter()?;
    target.need("C_SetOperationState", set_with(target, session, &state, key))?;
    target.need("C_DestroyObject", ck!(target.raw, C_DestroyObject, target.session(), key))?;
    let third = target.enter()?;
    let gone = [CKR_KEY_HANDLE_INVALID, CKR_OBJECT_HANDLE_INVALID, CKR_KEY_CHANGED, CKR_KEY_NEEDED];
    for (what, handle) in [("the destroyed key", key), ("no key", 0)] {
        target.expect(&format!("with {what}"), set_with(target, third, &state, handle), &gone);
    }
    let none = ck!(target.raw, C_SignUpdate, third, target.bytes(b"c"), 1);
    target.expect("nothing began", none, &[CKR_OPERATION_NOT_INITIALIZED]);
    Ok(())
}

/// A state takes the place of what is active in the session, or is refused; a refused one leaves it alone.
fn beside_active(target: &Target) -> Done {
    let state = saved(target)?;
    let other = target.enter()?;
    let start = |session| ck!(target.raw, C_DigestInit, session, target.plain(CKM_SHA256));
    target.need("C_DigestInit", start(other))?;
    target.need("C_DigestUpdate", ck!(target.raw, C_DigestUpdate, other, target.bytes(b"ab"), 2))?;
    let code = set(target, other, &state[..state.len() - 1]);
    target.expect("a bad state", code, &[CKR_SAVED_STATE_INVALID]);
    target.effect("what was active does not go on after a bad state", goes_on(target, other));
    target.need("C_DigestInit", start(other))?;
    target.need("C_DigestUpdate", ck!(target.raw, C_DigestUpdate, other, target.bytes(b"something else"), 14))?;
    let code = set(target, other, &state);
    target.expect("a good state", code, &[CKR_OK, CKR_OPERATION_ACTIVE]);
    target.effect("it is neither", code != CKR_OK || goes_on(target, other));
    Ok(())
}

fn wrong_kind(target: &Target) -> Done {
    let (digest, key) = (saved(target)?, target.secret(&[9; 32])?);
    let other = target.enter()?;
    target.need("the right one", set(target, other, &digest))?;
    target.control("it goes on", goes_on(target, other))?;
    let refused = [CKR_KEY_NOT_NEEDED, CKR_KEY_HANDLE_INVALID];
    target.expect("a digest with a key", set_with(target, other, &digest, key), &refused);
    let none = ck!(target.raw, C_SignUpdate, other, target.bytes(b"c"), 1);
    target.expect("no signature began", none, &[CKR_OPERATION_NOT_INITIALIZED]);
    for (what, bytes) in [("zeros", 0), ("ones", 0xFF), ("noise", 0x5A)] {
        for length in [1, 16, digest.len(), 4096, 1 << 20] {
            let what = format!("{length} bytes of {what}");
            target.at(&what);
            target.expect(&what, set(target, other, &vec![bytes; length]), &[CKR_SAVED_STATE_INVALID]);
            let code = set_with(target, other, &vec![bytes; length], key);
            target.expect(&format!("{what} with a key"), code, &[CKR_SAVED_STATE_INVALID]);
        }
    }
    Ok(())
}

/// An authenticated decryption holds plaintext that nobody may see yet, and a search is none of these operations.
fn too_much(target: &Target) -> Done {
    saved(target)?;
    target.begin_again()?;
    let (session, key) = (target.session(), target.aes()?);
    let mechanism = crate::values::cipher(target, CKM_AES_GCM);
    target.need("C_DecryptInit", ck!(target.raw, C_DecryptInit, session, mechanism, key))?;
    let (out, room) = (target.room(64), target.value(64 as CK_ULONG));
    let data = target.bytes(&[7; 40]);
    target.need("C_DecryptUpdate", ck!(target.raw, C_DecryptUpdate, session, data, 40, out, room))?;
    let mut bytes = 0;
    let code = ck!(target.raw, C_GetOperationState, session, null_mut(), &mut bytes);
    target.expect("of an authenticated decryption", code, &[CKR_STATE_UNSAVEABLE]);
    let room = target.value(64 as CK_ULONG);
    let ended = ck!(target.raw, C_DecryptFinal, session, out, room);
    let forged = [CKR_ENCRYPTED_DATA_INVALID, CKR_AEAD_DECRYPT_FAILED];
    target.expect("it goes on to its end", ended, &forged);
    Ok(())
}
