//! Cases about the life of operations and the sizes of outputs. Items 4.2.1 to 4.2.6, 4.2.8 and 4.2.11.
//!
//! Rule source: PKCS#11 3.2, 5.2 (sizes), 5.6 (C_SessionCancel, C_Logout), 5.8 to 5.13 (what ends an operation).

use crate::arguments::OUTPUTS;
use crate::calls::{Arg, Call, ENDING, begin, begin_with, entry};
use crate::cases::Cases;
use crate::target::{Done, Stop, Target, read, read_bytes};
use crate::values::cipher;
use perilune_tests::ck::*;
use perilune_tests::raw::{call_words, plain};
use perilune_tests::{Template, ck};
use std::ptr::null_mut;

/// The functions that begin something, what they take in these cases, and the flag of C_SessionCancel.
const INITS: [(&str, &str, CK_MECHANISM_TYPE, CK_FLAGS); 12] = [
    ("C_EncryptInit", "C_Encrypt", CKM_AES_ECB, CKF_ENCRYPT),
    ("C_DecryptInit", "C_Decrypt", CKM_AES_ECB, CKF_DECRYPT),
    ("C_DigestInit", "C_Digest", CKM_SHA256, CKF_DIGEST),
    ("C_SignInit", "C_Sign", CKM_SHA256_HMAC, CKF_SIGN),
    ("C_VerifyInit", "C_Verify", CKM_SHA256_HMAC, CKF_VERIFY),
    ("C_SignRecoverInit", "C_SignRecover", CKM_RSA_PKCS, CKF_SIGN_RECOVER),
    ("C_VerifyRecoverInit", "C_VerifyRecover", CKM_RSA_PKCS, CKF_VERIFY_RECOVER),
    ("C_MessageEncryptInit", "C_EncryptMessage", CKM_AES_GCM, CKF_MESSAGE_ENCRYPT),
    ("C_MessageDecryptInit", "C_DecryptMessage", CKM_AES_GCM, CKF_MESSAGE_DECRYPT),
    ("C_MessageSignInit", "C_SignMessage", CKM_ECDSA_SHA256, CKF_MESSAGE_SIGN),
    ("C_MessageVerifyInit", "C_VerifyMessage", CKM_ECDSA_SHA256, CKF_MESSAGE_VERIFY),
    ("C_VerifySignatureInit", "C_VerifySignature", CKM_ECDSA_SHA256, CKF_VERIFY),
];

pub fn cases(cases: &mut Cases) {
    for name in OUTPUTS {
        cases.add_remote("4.2.1", name, move |target| sizes(target, name));
    }
    for (name, kind) in [("HMAC", CKM_SHA256_HMAC), ("ECDSA", CKM_ECDSA_SHA256), ("RSA", CKM_SHA256_RSA_PKCS)] {
        for parts in [false, true] {
            let title = format!("{name}{}", if parts { " in parts" } else { "" });
            cases.add_remote("4.2.2", title, move |target| verification_ends(target, kind, parts));
        }
    }
    for (init, single, kind, flag) in INITS {
        cases.add_remote("4.2.3", init, move |target| failed_init(target, init, kind));
        cases.add_remote("4.2.4", format!("{init}, twice"), move |target| twice(target, init));
        cases.add_remote("4.2.5", format!("{init} with NULL"), move |target| cancelled(target, init, single, None));
        cases.add_remote("4.2.5", format!("{init}, C_SessionCancel"), move |target| {
            cancelled(target, init, single, Some(flag))
        });
        cases.add_remote("4.2.11", format!("{init}, C_Logout"), move |target| logout(target, init, single));
    }
    for (single, update, end) in [
        ("C_Encrypt", "C_EncryptUpdate", "C_EncryptFinal"),
        ("C_Decrypt", "C_DecryptUpdate", "C_DecryptFinal"),
        ("C_Digest", "C_DigestUpdate", "C_DigestFinal"),
        ("C_Sign", "C_SignUpdate", "C_SignFinal"),
        ("C_Verify", "C_VerifyUpdate", "C_VerifyFinal"),
        ("C_VerifySignature", "C_VerifySignatureUpdate", "C_VerifySignatureFinal"),
    ] {
        cases.add_remote("4.2.4", format!("{single}, orders"), move |target| orders(target, single, update, end));
    }
    cases.add_remote("4.2.4", "four kinds in one session", four_kinds);
    cases.add_remote("4.2.5", "C_SessionCancel of nothing, of all, of what there is not", cancel_of_nothing);
    cases.add_remote("4.2.6", "padded CBC byte by byte", padded);
    cases.add_remote("4.2.6", "data that is no multiple of a block", no_multiple);
    cases.add_remote("4.2.6", "nothing at all", empty);
    cases.add("4.2.8", "counters of 0 and 129 bits", counter_bits);
    cases.add("4.2.8", "a counter that comes to its end", counter_end);
    cases.add_remote("4.2.11", "a search of private objects", search_and_logout);
    cases.add_remote("4.2.11", "the session is closed", closed_session);
}

/// The size protocol of one output: a question, too little room, the right room, and the end.
fn sizes(target: &Target, name: &'static str) -> Done {
    let place = |call: &Call<'_>| {
        let index = call.args.iter().position(|arg| matches!(arg, Arg::Room(..))).expect("an output");
        let (Arg::Pointer(out, _), Arg::Room(length, each)) = (call.args[index - 1], call.args[index]) else {
            unreachable!("an output and its length")
        };
        (index - 1, out as *mut u8, length as *mut CK_ULONG, each)
    };
    let call = Call::new(target, name)?;
    call.control()?;
    let real = read(place(&call).2.cast_const());
    target.begin_again()?;
    let call = Call::new(target, name)?;
    let (index, out, length, each) = place(&call);
    let set = |room: CK_ULONG| {
        // SAFETY: the length's own memory.
        unsafe { length.write_unaligned(room) };
    };
    let bytes = real as usize * each;
    set(0x5A5A);
    target.expect("the question for the size", call.with(index, 0).run(), &[CKR_OK]);
    let asked = read(length.cast_const());
    target.effect(&format!("asked: {asked}, needed: {real}"), asked >= real && asked < real + 4096);
    let before = read_bytes(out, bytes);
    for small in [0, real.saturating_sub(1)] {
        if small >= real {
            continue;
        }
        set(small);
        target.expect(&format!("room for {small} of {real}"), call.run(), &[CKR_BUFFER_TOO_SMALL]);
        let told = read(length.cast_const());
        target.effect(&format!("room for {small} of {real}: told {told}"), told >= real && told <= asked.max(real));
        target.effect("something was written into too little room", read_bytes(out, bytes) == before);
    }
    // The buffer has room for what is needed and no more, so that one byte more would be seen.
    set(real);
    let code = call.run();
    let is_bound = code == CKR_BUFFER_TOO_SMALL && asked > real;
    target.effect(&format!("room for {real}: {}", crate::target::word(code)), code == CKR_OK || is_bound);
    let goes_on = name.ends_with("Update") || !ENDING.contains(&name);
    if code == CKR_OK && !goes_on {
        set(real);
        target.expect("after the end", call.run(), &[CKR_OPERATION_NOT_INITIALIZED]);
    }
    Ok(())
}

/// The key pair of a signature mechanism: for signing and for verifying.
fn signers(target: &Target, kind: CK_MECHANISM_TYPE) -> Result<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE), Stop> {
    match kind {
        CKM_SHA256_HMAC => target.secret(&[9; 32]).map(|key| (key, key)),
        CKM_ECDSA_SHA256 => target.ec().map(|(public, private)| (private, public)),
        _ => target.rsa().map(|(public, private)| (private, public)),
    }
}

/// Whatever the signature is like, its verification is over.
fn verification_ends(target: &Target, kind: CK_MECHANISM_TYPE, parts: bool) -> Done {
    let (signs, verifies) = signers(target, kind)?;
    let (session, data) = (target.session(), [7; 50]);
    let right = target.answer("C_Sign", target.raw.sign(session, plain(kind), signs, &data))?;
    let mut wrong = right.clone();
    wrong[3] ^= 1;
    let long = [&right[..], &[0]].concat();
    let invalid = [CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE];
    for (what, signature, allowed) in [
        ("the right signature", Some(&right[..]), &[CKR_OK][..]),
        ("a wrong one", Some(&wrong), &[CKR_SIGNATURE_INVALID]),
        ("a short one", Some(&right[1..]), &invalid),
        ("a long one", Some(&long), &invalid),
        ("one byte", Some(&right[..1]), &invalid),
        ("an empty one", Some(&[]), &[CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE, CKR_ARGUMENTS_BAD]),
        ("NULL", None, &[CKR_ARGUMENTS_BAD, CKR_SIGNATURE_LEN_RANGE, CKR_SIGNATURE_INVALID]),
    ] {
        let (place, bytes) = signature.map_or((null_mut(), right.len()), |one| (target.bytes(one), one.len()));
        let finish = |place: *mut u8, bytes: usize| {
            if parts {
                ck!(target.raw, C_VerifyFinal, session, place, bytes as CK_ULONG)
            } else {
                ck!(target.raw, C_Verify, session, target.bytes(&data), 50, place, bytes as CK_ULONG)
            }
        };
        begin(target, "C_VerifyInit", kind, Some(verifies))?;
        if parts {
            for part in data.chunks(20) {
                let code = ck!(target.raw, C_VerifyUpdate, session, target.bytes(part), part.len() as CK_ULONG);
                target.need("C_VerifyUpdate", code)?;
            }
        }
        target.at(what);
        target.expect(what, finish(place, bytes), allowed);
        let again = finish(target.bytes(&right), right.len());
        target.expect(&format!("the right one after {what}"), again, &[CKR_OPERATION_NOT_INITIALIZED]);
    }
    Ok(())
}

/// Words with which a beginning may refuse what is wrong with its key.
const KEY_REFUSED: [CK_RV; 4] =
    [CKR_KEY_HANDLE_INVALID, CKR_OBJECT_HANDLE_INVALID, CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED];

/// A beginning that failed leaves nothing behind: the right one works at once.
fn failed_init(target: &Target, init: &'static str, kind: CK_MECHANISM_TYPE) -> Done {
    Call::new(target, init)?.control()?;
    target.begin_again()?;
    let template = Template::new().number(CKA_VALUE_LEN, 32);
    let usages = [CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY];
    let template = usages.iter().fold(template, |template, usage| template.flag(*usage, false));
    let useless = target.generate(CKM_AES_KEY_GEN, &template)?;
    let mut bad = vec![
        ("an unknown mechanism", target.plain(0x7FFF_FFFF), None, &[CKR_MECHANISM_INVALID][..]),
        ("a mechanism of another function", target.plain(CKM_AES_KEY_GEN), None, &[CKR_MECHANISM_INVALID]),
        (
            "a parameter where there is none",
            target.mechanism(kind, &[1; 5]),
            None,
            &[CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD],
        ),
    ];
    if init.starts_with("C_Message") {
        // The parameter of a beginning of messages says nothing.
        bad.pop();
    }
    if init != "C_DigestInit" {
        bad.push(("no key", target.plain(kind), Some(0), &KEY_REFUSED));
        bad.push(("another key", target.plain(kind), Some(useless), &KEY_REFUSED));
    }
    for (what, mechanism, key, allowed) in bad {
        let call = Call::new(target, init)?.with(1, mechanism as usize);
        let call = key.map_or_else(|| call.with(1, mechanism as usize), |key| call.with(2, key as usize));
        target.at(what);
        target.expect(what, call.run(), allowed);
        let right = Call::new(target, init)?;
        let code = right.run();
        target.expect(&format!("the right beginning after {what}"), code, &[CKR_OK]);
        target.begin_again()?;
    }
    Ok(())
}

/// A second beginning is refused, and the first operation goes on.
fn twice(target: &Target, init: &'static str) -> Done {
    let call = Call::new(target, init)?;
    call.control()?;
    target.expect("a second beginning", call.run(), &[CKR_OPERATION_ACTIVE]);
    target.expect("a third beginning", call.run(), &[CKR_OPERATION_ACTIVE]);
    Ok(())
}

/// By NULL in the place of the mechanism, or by C_SessionCancel.
fn cancelled(target: &Target, init: &'static str, single: &'static str, flag: Option<CK_FLAGS>) -> Done {
    Call::new(target, single)?.control()?;
    target.begin_again()?;
    let call = Call::new(target, single)?;
    let session = target.session();
    let cancel = || match flag {
        Some(flag) => {
            let words = [session as usize, flag as usize, 0, 0, 0, 0, 0, 0, 0, 0];
            Ok(call_words(entry(target, "C_SessionCancel")?, words))
        }
        None => begin_with(target, init, null_mut(), 0),
    };
    match cancel()? {
        CKR_OK => {}
        CKR_FUNCTION_NOT_SUPPORTED | CKR_ARGUMENTS_BAD if flag.is_none() => {
            return Err(Stop::Absent("NULL cancels nothing: PKCS#11 2.40".into()));
        }
        code => return target.need("the cancelling", code),
    }
    target.expect("the operation that was cancelled", call.run(), &[CKR_OPERATION_NOT_INITIALIZED]);
    target.expect("a new one", Call::new(target, single)?.run(), &[CKR_OK]);
    Ok(())
}

fn cancel_of_nothing(target: &Target) -> Done {
    let session = target.session() as usize;
    let cancel = entry(target, "C_SessionCancel")?;
    for flags in [0, CKF_ENCRYPT, CKF_ENCRYPT | CKF_DIGEST | CKF_SIGN | CKF_FIND_OBJECTS, 1 << 62, CK_FLAGS::MAX] {
        let code = call_words(cancel, [session, flags as usize, 0, 0, 0, 0, 0, 0, 0, 0]);
        let allowed = [CKR_OK, CKR_ARGUMENTS_BAD, CKR_OPERATION_CANCEL_FAILED, CKR_OPERATION_NOT_INITIALIZED];
        target.expect(&format!("C_SessionCancel of {flags:#x} with nothing active"), code, &allowed);
    }
    begin(target, "C_DigestInit", CKM_SHA256, None)?;
    let call = Call::new(target, "C_Encrypt")?;
    let code = call_words(cancel, [session, CKF_DIGEST as usize, 0, 0, 0, 0, 0, 0, 0, 0]);
    target.expect("C_SessionCancel of one of two", code, &[CKR_OK]);
    target.expect("the other goes on", call.run(), &[CKR_OK]);
    Ok(())
}

/// Single-part and multi-part calls in the orders that the standard forbids.
fn orders(target: &Target, single: &'static str, update: &'static str, end: &'static str) -> Done {
    let one = Call::new(target, single)?;
    one.control()?;
    target.begin_again()?;
    let part = Call::new(target, update)?;
    part.control()?;
    target.begin_again()?;
    let last = Call::new(target, end)?;
    last.control()?;
    let none = [CKR_OPERATION_NOT_INITIALIZED];
    for call in [&one, &part, &last] {
        target.expect(&format!("{} with nothing active", call.name), call.run(), &none);
    }
    target.begin_again()?;
    let one = Call::new(target, single)?;
    one.control()?;
    for call in [&one, &part, &last] {
        target.expect(&format!("{} after {single}", call.name), call.run(), &none);
    }
    target.begin_again()?;
    let part = Call::new(target, update)?;
    part.control()?;
    target.expect(
        &format!("{single} after {update}"),
        one.run(),
        &[CKR_OPERATION_ACTIVE, CKR_OPERATION_NOT_INITIALIZED],
    );
    target.begin_again()?;
    let last = Call::new(target, end)?;
    last.control()?;
    for call in [&part, &last] {
        target.expect(&format!("{} after {end}", call.name), call.run(), &none);
    }
    // An end without anything before it is the end of an empty message.
    target.begin_again()?;
    let _begins = Call::new(target, single)?;
    target.at(&format!("{end} without {update}"));
    let code = last.run();
    let allowed = [CKR_OK, CKR_SIGNATURE_INVALID, CKR_ENCRYPTED_DATA_LEN_RANGE];
    target.expect(&format!("{end} without {update}"), code, &allowed);
    target.expect(&format!("{end}, and again"), last.run(), &none);
    Ok(())
}

/// A cipher, its reverse, a digest and a signature at once do not know of each other.
fn four_kinds(target: &Target) -> Done {
    let calls = ["C_Encrypt", "C_Decrypt", "C_Digest", "C_Sign"].map(|name| Call::new(target, name));
    let mut ready = Vec::new();
    for call in calls {
        ready.push(call.map_err(|_| Stop::Absent("no second operation beside the first".into()))?);
    }
    for call in ready.iter().rev() {
        target.expect(call.name, call.run(), &[CKR_OK]);
    }
    for call in &ready {
        target.expect(&format!("{} again", call.name), call.run(), &[CKR_OPERATION_NOT_INITIALIZED]);
    }
    Ok(())
}

/// Messages of 0 to 49 bytes, byte by byte, with exactly the room that each step needs.
fn padded(target: &Target) -> Done {
    let (session, key) = (target.session(), target.aes()?);
    for bytes in 0..50 {
        let plaintext = vec![0x31; bytes];
        // SAFETY: the mechanism was just made.
        let mechanism = unsafe { cipher(target, CKM_AES_CBC_PAD).read_unaligned() };
        let sealed = target.answer("C_Encrypt", target.raw.encrypt(session, mechanism, key, &plaintext))?;
        target.effect(&format!("{bytes} bytes are {} sealed", sealed.len()), sealed.len() == bytes / 16 * 16 + 16);
        target.need("C_DecryptInit", ck!(target.raw, C_DecryptInit, session, cipher(target, CKM_AES_CBC_PAD), key))?;
        let mut opened = Vec::new();
        for byte in &sealed {
            let (data, mut room) = (target.bytes(&[*byte]), 0);
            let asked = ck!(target.raw, C_DecryptUpdate, session, data, 1, null_mut(), &mut room);
            target.expect("the question", asked, &[CKR_OK]);
            let mut out = vec![0; room as usize];
            let code = ck!(target.raw, C_DecryptUpdate, session, data, 1, out.as_mut_ptr(), &mut room);
            target.expect("a byte with the room that was asked for", code, &[CKR_OK]);
            out.truncate(room as usize);
            opened.extend(out);
        }
        let (mut out, mut room) = (vec![0; 16], 16);
        let code = ck!(target.raw, C_DecryptFinal, session, out.as_mut_ptr(), &mut room);
        target.expect(&format!("the end of {bytes} bytes"), code, &[CKR_OK]);
        out.truncate(room as usize);
        opened.extend(out);
        target.effect(&format!("{bytes} bytes come back as {}", opened.len()), opened == plaintext);
    }
    Ok(())
}

fn no_multiple(target: &Target) -> Done {
    for kind in [CKM_AES_ECB, CKM_AES_CBC] {
        for (single, update, end, code) in [
            ("C_EncryptInit", "C_EncryptUpdate", "C_EncryptFinal", CKR_DATA_LEN_RANGE),
            ("C_DecryptInit", "C_DecryptUpdate", "C_DecryptFinal", CKR_ENCRYPTED_DATA_LEN_RANGE),
        ] {
            for bytes in [1, 15, 17, 33] {
                let what = format!("{bytes} bytes, {single} with {kind:#x}");
                let (data, out) = (target.bytes(&vec![7; bytes]), target.room(64));
                let whole = if single == "C_EncryptInit" { "C_Encrypt" } else { "C_Decrypt" };
                target.need(single, begin_with(target, single, cipher(target, kind), target.aes()?)?)?;
                let session = target.session() as usize;
                let call = |name: &str, words: &[usize]| -> Result<CK_RV, Stop> {
                    let mut all = [0; 10];
                    all[0] = session;
                    all[1..=words.len()].copy_from_slice(words);
                    Ok(call_words(entry(target, name)?, all))
                };
                let room = || target.value(64 as CK_ULONG) as usize;
                let told = call(whole, &[data as usize, bytes, out as usize, room()])?;
                target.expect(&what, told, &[code]);
                let told = call(whole, &[data as usize, bytes, out as usize, room()])?;
                target.expect(&format!("{what}, again"), told, &[CKR_OPERATION_NOT_INITIALIZED]);
                target.need(single, begin_with(target, single, cipher(target, kind), target.aes()?)?)?;
                let told = call(update, &[data as usize, bytes, out as usize, room()])?;
                target.expect(&format!("{what}, a part"), told, &[CKR_OK]);
                let told = call(end, &[out as usize, room()])?;
                target.expect(&format!("{what}, the end"), told, &[code]);
                let told = call(end, &[out as usize, room()])?;
                target.expect(&format!("{what}, the end again"), told, &[CKR_OPERATION_NOT_INITIALIZED]);
            }
        }
    }
    Ok(())
}

/// Messages without a byte are messages: digested, signed, encrypted, with a pointer and with NULL.
fn empty(target: &Target) -> Done {
    const OF_NOTHING: [u8; 4] = [0xE3, 0xB0, 0xC4, 0x42];
    let session = target.session();
    for data in [target.bytes(&[]), null_mut()] {
        let (out, room) = (target.room(32), target.value(32 as CK_ULONG));
        begin(target, "C_DigestInit", CKM_SHA256, None)?;
        target.expect("a digest of nothing", ck!(target.raw, C_Digest, session, data, 0, out, room), &[CKR_OK]);
        target.effect("the digest of nothing is another one", read_bytes(out, 4) == OF_NOTHING);
        let key = target.secret(&[9; 32])?;
        begin(target, "C_SignInit", CKM_SHA256_HMAC, Some(key))?;
        target.expect("an update with nothing", ck!(target.raw, C_SignUpdate, session, data, 0), &[CKR_OK]);
        let (mac, room) = (target.room(32), target.value(32 as CK_ULONG));
        target.expect("a signature of nothing", ck!(target.raw, C_SignFinal, session, mac, room), &[CKR_OK]);
        let again = target.raw.verify(session, plain(CKM_SHA256_HMAC), key, &[], &read_bytes(mac, 32));
        target.effect("it does not verify", again == Ok(()));
    }
    Ok(())
}

fn counter_bits(target: &Target) -> Done {
    let key = target.aes()?;
    let start = |bits: CK_ULONG| {
        let parameter = CK_AES_CTR_PARAMS { ulCounterBits: bits, cb: [0; 16] };
        begin_with(target, "C_EncryptInit", target.with(CKM_AES_CTR, parameter), key)
    };
    target.need("C_EncryptInit with 128 bits", start(128)?)?;
    target.begin_again()?;
    let key = target.aes()?;
    for bits in [0, 129, 256, CK_ULONG::MAX] {
        let parameter = CK_AES_CTR_PARAMS { ulCounterBits: bits, cb: [0; 16] };
        let code = begin_with(target, "C_EncryptInit", target.with(CKM_AES_CTR, parameter), key)?;
        target.expect(&format!("{bits} bits"), code, &[CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD]);
    }
    Ok(())
}

/// A counter of eight bits encrypts 256 blocks and not one more: the next one would have the key stream of the first.
fn counter_end(target: &Target) -> Done {
    let (session, key) = (target.session(), target.aes()?);
    let parameter = CK_AES_CTR_PARAMS { ulCounterBits: 8, cb: [0; 16] };
    let start = || begin_with(target, "C_EncryptInit", target.with(CKM_AES_CTR, parameter), key);
    target.need("C_EncryptInit with 8 bits", start()?)?;
    let (data, out, room) = (target.room(257 * 16), target.room(257 * 16), target.value((257 * 16) as CK_ULONG));
    target.need("256 blocks", ck!(target.raw, C_Encrypt, session, data, 256 * 16, out, room))?;
    target.need("C_EncryptInit with 8 bits", start()?)?;
    let room = target.value((257 * 16) as CK_ULONG);
    let code = ck!(target.raw, C_Encrypt, session, data, 257 * 16, out, room);
    if code == CKR_OK {
        let repeats = read_bytes(out, 16) == read_bytes(out.wrapping_add(256 * 16), 16);
        target.effect("the key stream begins anew", !repeats);
    } else {
        target.expect("257 blocks", code, &[CKR_DATA_LEN_RANGE]);
    }
    Ok(())
}

/// With the user an operation with his key goes.
fn logout(target: &Target, init: &'static str, single: &'static str) -> Done {
    Call::new(target, single)?.control()?;
    target.begin_again()?;
    if init == "C_DigestInit" {
        // A digest has no key; it may go on or end.
        let call = Call::new(target, single)?;
        target.need("C_Logout", ck!(target.raw, C_Logout, target.session()))?;
        target.expect("a digest after C_Logout", call.run(), &[CKR_OK, CKR_OPERATION_NOT_INITIALIZED]);
        return target.become_user();
    }
    if init.contains("Verify") {
        // A public key is anybody's.
        return Ok(());
    }
    let call = Call::new(target, single)?;
    target.need("C_Logout", ck!(target.raw, C_Logout, target.session()))?;
    let gone = [CKR_OPERATION_NOT_INITIALIZED, CKR_USER_NOT_LOGGED_IN];
    target.expect("the operation after C_Logout", call.run(), &gone);
    target.become_user()?;
    target.expect("the operation after the next C_Login", call.run(), &[CKR_OPERATION_NOT_INITIALIZED]);
    Ok(())
}

fn search_and_logout(target: &Target) -> Done {
    let session = target.session();
    let template = Template::new().number(CKA_CLASS, CKO_DATA).text(CKA_LABEL, "private").flag(CKA_PRIVATE, true);
    let object = target.answer("C_CreateObject", target.raw.create(session, template.clone().flag(CKA_TOKEN, true)))?;
    target.control("it is found", target.raw.find(session, template.clone(), 10) == [object])?;
    let (list, count) = target.list(&template);
    target.need("C_FindObjectsInit", ck!(target.raw, C_FindObjectsInit, session, list, count as CK_ULONG))?;
    target.need("C_Logout", ck!(target.raw, C_Logout, session))?;
    let (mut found, mut number) = (vec![0; 10], 0);
    let code = ck!(target.raw, C_FindObjects, session, found.as_mut_ptr(), 10, &mut number);
    target.effect("a private object is found after C_Logout", code != CKR_OK || number == 0);
    let _it_may_have_ended = ck!(target.raw, C_FindObjectsFinal, session);
    target.effect("a private object is found by a new search", target.raw.find(session, template, 10).is_empty());
    let value = target.raw.attribute(session, object, CKA_LABEL);
    target.effect("its label is told", value.is_err());
    target.become_user()
}

fn closed_session(target: &Target) -> Done {
    for name in ["C_Encrypt", "C_Sign", "C_Digest", "C_FindObjects"] {
        let call = Call::new(target, name)?;
        let old = target.session();
        target.need("C_CloseSession", ck!(target.raw, C_CloseSession, old))?;
        target.expect(name, call.with(0, old as usize).run(), &[CKR_SESSION_HANDLE_INVALID]);
        target.begin_again()?;
        let none = [CKR_OPERATION_NOT_INITIALIZED];
        target.expect(&format!("{name} in the next session"), call.run(), &none);
    }
    Ok(())
}
