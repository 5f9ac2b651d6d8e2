//! The bodies that rows of the function table share.
//!
//! Owns: the order "result pointers first, then inputs, then the work, then the results", so that a call with a
//! missing pointer changes nothing. Does not know: which function it serves. Called only from the rows.

use core::ffi::c_void;

use ffi_headers::*;
use hsm_core::*;
use zeroize::Zeroizing;

use crate::memory::{Input, Plain, Raw};
use crate::{decode, info, mechanism, output};

/// A function with data in and data out.
///
/// # Errors
/// `ArgumentsBad`, and the work's.
pub fn transform<'call>(
    data: Input<'call>,
    result: Raw<'_, CK_BYTE>,
    result_length: Raw<'_, CK_ULONG>,
    work: impl FnOnce(&'call [u8], Room) -> Result<Reply>,
) -> Result<()> {
    output::produce(result, result_length, |room| work(decode::data(data)?, room))
}

/// As [`transform`], for results that may be long or secret: [`output::stream`].
///
/// # Errors
/// As `transform`.
pub fn stream<'call>(
    data: Input<'call>,
    result: Raw<'_, CK_BYTE>,
    result_length: Raw<'_, CK_ULONG>,
    work: impl FnOnce(&[u8], &mut dyn Destination) -> Result<Reply>,
) -> Result<()> {
    output::stream(result, result_length, || decode::data(data), work)
}

/// A function that starts an operation; null for the mechanism ends one that is active (v3.0, C_EncryptInit and its sisters).
///
/// # Errors
/// `ArgumentsBad` for null when there is none, the mechanism's, and the work's.
pub fn begin(
    hsm: &Hsm,
    session: SessionHandle,
    kind: OperationKind,
    mechanism: Raw<'_, CK_MECHANISM>,
    work: impl FnOnce(&Mechanism) -> Result<()>,
) -> Result<()> {
    begin_or_end(hsm, session, kind, mechanism, |mechanism| work(&mechanism::decode(mechanism)?))
}

/// As `begin`, where the mechanism is not decoded like others.
///
/// # Errors
/// As `begin`.
pub fn begin_or_end(
    hsm: &Hsm,
    session: SessionHandle,
    kind: OperationKind,
    mechanism: Raw<'_, CK_MECHANISM>,
    work: impl FnOnce(Raw<'_, CK_MECHANISM>) -> Result<()>,
) -> Result<()> {
    if !mechanism.is_null() {
        return work(mechanism);
    }
    if hsm.cancel_active(session, kind)? {
        Ok(())
    } else {
        Err(Reason::ArgumentsBad("pMechanism is null, and there is no operation to end"))
    }
}

/// C_SessionCancel: ends the operations that the flags name, as far as they are active, and leaves all others (since v3.0).
///
/// # Errors
/// The work's.
pub fn cancel(hsm: &Hsm, session: SessionHandle, flags: CK_FLAGS) -> Result<()> {
    hsm.cancel_all(session, CANCELLED.into_iter().filter(|(flag, _)| flags & flag != 0).map(|(_, kind)| kind))?;
    let jobs: Vec<JobKind> = JOBS.into_iter().filter(|(flag, _)| flags & flag != 0).map(|(_, kind)| kind).collect();
    hsm.cancel_jobs(session, &jobs)
}

/// A function that makes an object.
///
/// # Errors
/// `ArgumentsBad`, and the work's.
pub fn new_object(place: Raw<'_, CK_OBJECT_HANDLE>, work: impl FnOnce() -> Result<ObjectHandle>) -> Result<()> {
    place_result(place, "the pointer for the object's handle is null", || work().map(|object| object.0))
}

/// C_GenerateKeyPair.
///
/// # Errors
/// `ArgumentsBad`, and the work's.
pub fn new_pair(
    public: Raw<'_, CK_OBJECT_HANDLE>,
    private: Raw<'_, CK_OBJECT_HANDLE>,
    work: impl FnOnce() -> Result<(ObjectHandle, ObjectHandle)>,
) -> Result<()> {
    let public = public.out("phPublicKey is null")?;
    let private = private.out("phPrivateKey is null")?;
    let (public_key, private_key) = work()?;
    public.write(public_key.0);
    private.write(private_key.0);
    Ok(())
}

/// C_DeriveKey. The place for the key's handle is not looked at where the mechanism hands all its keys back through the parameter.
///
/// # Errors
/// `ArgumentsBad`, the mechanism's, and the work's.
pub fn derive(
    mechanism: Raw<'_, CK_MECHANISM>,
    key: Raw<'_, CK_OBJECT_HANDLE>,
    work: impl FnOnce(&Mechanism) -> Result<Derived<ObjectHandle>>,
) -> Result<()> {
    let returns_key = mechanism.read("").map_or(true, |given| mechanisms::derivation_returns_key(given.mechanism));
    let key = if returns_key { Some(key.out("the pointer for the object's handle is null")?) } else { None };
    let (mechanism, places) = mechanism::decode_with_places(mechanism)?;
    let derived = work(&mechanism).inspect_err(|reason| places.mark_fault(reason))?;
    places.write(&derived)?;
    if let (Some(place), Some(made)) = (key, derived.key) {
        place.write(made.0);
    }
    Ok(())
}

/// C_EncapsulateKey: two results, of which the key's handle is not written when the size is asked for.
///
/// # Errors
/// `ArgumentsBad`, and the work's.
pub fn encapsulate(
    ciphertext: Raw<'_, CK_BYTE>,
    ciphertext_length: Raw<'_, CK_ULONG>,
    key: Raw<'_, CK_OBJECT_HANDLE>,
    work: impl FnOnce(Room) -> Result<(Reply, Option<ObjectHandle>)>,
) -> Result<()> {
    let place = if ciphertext.is_null() { None } else { Some(key.out("phKey is null")?) };
    let mut made = None;
    output::produce(ciphertext, ciphertext_length, |room| {
        let (reply, key) = work(room)?;
        made = key;
        Ok(reply)
    })?;
    if let (Some(place), Some(key)) = (place, made) {
        place.write(key.0);
    }
    Ok(())
}

/// C_GetObjectSize.
///
/// # Errors
/// `ArgumentsBad`, and the work's.
pub fn object_size(place: Raw<'_, CK_ULONG>, work: impl FnOnce() -> Result<usize>) -> Result<()> {
    place_result(place, "pulSize is null", || work().map(|bytes| bytes as CK_ULONG))
}

/// C_LoginUser (since v3.0). The token's users are its roles, and none has a name: without one it is C_Login, and a
/// name belongs to nobody, which is said before the PIN is looked at, so that it costs no try.
///
/// # Errors
/// `ArgumentsBad` for a name, and the work's.
pub fn login_user(name: Input<'_>, work: impl FnOnce() -> Result<()>) -> Result<()> {
    if !name.is_empty() {
        return Err(Reason::ArgumentsBad("the token's users are its roles and have no names"));
    }
    work()
}

/// C_GetSessionValidationFlags (since v3.2).
///
/// # Errors
/// `ArgumentsBad` for a null pointer or a type that the standard does not have, and the session's.
pub fn validation_flags(
    hsm: &Hsm,
    session: SessionHandle,
    kind: CK_SESSION_VALIDATION_FLAGS_TYPE,
    flags: Raw<'_, CK_FLAGS>,
) -> Result<()> {
    place_result(flags, "pFlags is null", || {
        if kind != CKS_LAST_VALIDATION_OK {
            return Err(Reason::ArgumentsBad("there are no session validation flags of this type"));
        }
        hsm.last_validation_flags(session)
    })
}

/// C_OpenSession; `pApplication` and `Notify` are not used, as nothing is ever notified.
///
/// # Errors
/// `ArgumentsBad`, `SessionNotSerial`, and the work's.
pub fn open_session(
    place: Raw<'_, CK_SESSION_HANDLE>,
    flags: CK_FLAGS,
    work: impl FnOnce(bool, bool) -> Result<SessionHandle>,
) -> Result<()> {
    let open = || {
        if flags & CKF_SERIAL_SESSION == 0 {
            return Err(Reason::SessionNotSerial);
        }
        work(flags & CKF_RW_SESSION != 0, flags & CKF_ASYNC_SESSION != 0).map(|session| session.0)
    };
    place_result(place, "phSession is null", open)
}

/// C_WaitForSlotEvent.
///
/// # Errors
/// `ArgumentsBad`, and the work's.
pub fn wait_for_slot_event(
    flags: CK_FLAGS,
    slot: Raw<'_, CK_SLOT_ID>,
    reserved: Raw<'_, c_void>,
    work: impl FnOnce(bool) -> Result<SlotId>,
) -> Result<()> {
    if !reserved.is_null() {
        return Err(Reason::ArgumentsBad("pReserved is not null"));
    }
    // A flag that is not known might mean that the call must not block for ever.
    if flags & !CKF_DONT_BLOCK != 0 {
        return Err(Reason::ArgumentsBad("only CKF_DONT_BLOCK is a flag of this function"));
    }
    place_result(slot, "pSlot is null", || work(flags & CKF_DONT_BLOCK == 0).map(|slot| slot.0))
}

/// C_FindObjects.
///
/// # Errors
/// `ArgumentsBad`, and the work's.
pub fn find_objects(
    objects: Raw<'_, CK_OBJECT_HANDLE>,
    most: CK_ULONG,
    count: Raw<'_, CK_ULONG>,
    work: impl FnOnce(usize) -> Result<Vec<ObjectHandle>>,
) -> Result<()> {
    let count = count.out("pulObjectCount is null")?;
    // More handles than a process can have objects are never written, so a larger array is as good as this one.
    let most = most.min(limits::FOUND_PER_CALL_MAX as CK_ULONG);
    let array = objects.array(most, limits::FOUND_PER_CALL_MAX, "phObject is null with a count")?;
    let found = work(array.count())?;
    if found.len() > array.count() {
        return Err(Reason::Internal("more objects than asked for"));
    }
    array.write(found.iter().map(|object| object.0));
    count.write(found.len() as CK_ULONG);
    Ok(())
}

/// C_GenerateRandom. Works in pieces, so that a large request does not take as much memory again.
///
/// # Errors
/// `ArgumentsBad`, and the work's.
pub fn random_bytes(place: Raw<'_, CK_BYTE>, length: CK_ULONG, work: impl Fn(usize) -> Result<Vec<u8>>) -> Result<()> {
    let array = place.array(length, limits::RANDOM_BYTES_MAX, "the buffer is null, or the length is too large")?;
    let mut places = array.pieces(RANDOM_PIECE_BYTES).peekable();
    if places.peek().is_none() {
        // Nothing to write, but the session is judged all the same.
        return work(0).map(drop);
    }
    for (piece, bytes) in places {
        let random = Zeroizing::new(work(bytes)?);
        if random.len() != bytes {
            return Err(Reason::Internal("not as many random bytes as asked for"));
        }
        piece.fill(&random);
    }
    Ok(())
}

/// The slots of C_GetSlotList as the caller's numbers.
pub fn slot_numbers(slots: Vec<SlotId>) -> Vec<CK_SLOT_ID> {
    slots.into_iter().map(|slot| slot.0).collect()
}

/// C_GetInfo.
///
/// # Errors
/// `ArgumentsBad`.
pub fn info_of(place: Raw<'_, CK_INFO>, work: impl FnOnce() -> Info) -> Result<()> {
    place_result(place, "pInfo is null", || Ok(info::library(&work())))
}

/// C_GetSlotInfo.
///
/// # Errors
/// `ArgumentsBad`, and the work's.
pub fn slot_info_of(place: Raw<'_, CK_SLOT_INFO>, work: impl FnOnce() -> Result<SlotInfo>) -> Result<()> {
    place_result(place, "pInfo is null", || work().map(|slot| info::slot(&slot)))
}

/// C_GetTokenInfo.
///
/// # Errors
/// `ArgumentsBad`, and the work's.
pub fn token_info_of(place: Raw<'_, CK_TOKEN_INFO>, work: impl FnOnce() -> Result<TokenInfo>) -> Result<()> {
    place_result(place, "pInfo is null", || work().map(|token| info::token(&token)))
}

/// C_GetSessionInfo.
///
/// # Errors
/// `ArgumentsBad`, and the work's.
pub fn session_info_of(place: Raw<'_, CK_SESSION_INFO>, work: impl FnOnce() -> Result<SessionInfo>) -> Result<()> {
    place_result(place, "pInfo is null", || work().map(|session| info::session(&session)))
}

/// C_GetMechanismInfo.
///
/// # Errors
/// `ArgumentsBad`, and the work's.
pub fn mechanism_info_of(
    place: Raw<'_, CK_MECHANISM_INFO>,
    work: impl FnOnce() -> Result<MechanismInfo>,
) -> Result<()> {
    place_result(place, "pInfo is null", || work().map(|mechanism| info::mechanism(&mechanism)))
}

/// A function with one result of fixed size: its place is checked before the work.
fn place_result<T: Plain>(place: Raw<'_, T>, what: &'static str, work: impl FnOnce() -> Result<T>) -> Result<()> {
    let place = place.out(what)?;
    place.write(work()?);
    Ok(())
}

/// What each flag of C_SessionCancel ends. A flag without a row names nothing that could be active.
const CANCELLED: [(CK_FLAGS, OperationKind); 13] = [
    (CKF_FIND_OBJECTS, OperationKind::Find),
    (CKF_ENCRYPT, OperationKind::Encrypt),
    (CKF_DECRYPT, OperationKind::Decrypt),
    (CKF_DIGEST, OperationKind::Digest),
    (CKF_SIGN, OperationKind::Sign),
    (CKF_VERIFY, OperationKind::Verify),
    (CKF_VERIFY, OperationKind::VerifySignature),
    (CKF_SIGN_RECOVER, OperationKind::SignRecover),
    (CKF_VERIFY_RECOVER, OperationKind::VerifyRecover),
    (CKF_MESSAGE_ENCRYPT, OperationKind::MessageEncrypt),
    (CKF_MESSAGE_DECRYPT, OperationKind::MessageDecrypt),
    (CKF_MESSAGE_SIGN, OperationKind::MessageSign),
    (CKF_MESSAGE_VERIFY, OperationKind::MessageVerify),
];

/// The functions going on by themselves that each flag of C_SessionCancel gives up.
const JOBS: [(CK_FLAGS, JobKind); 2] =
    [(CKF_GENERATE, JobKind::GenerateKey), (CKF_GENERATE_KEY_PAIR, JobKind::GenerateKeyPair)];

/// Bytes of randomness fetched at once.
const RANDOM_PIECE_BYTES: usize = 1 << 16;

#[cfg(test)]
#[path = "tests/calls.rs"]
mod tests;
