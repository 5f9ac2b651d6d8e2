//! Right calls of the functions that take a message at a time, and of authenticated wrapping.
//!
//! Owns: as `calls`, which calls this. Rule source: PKCS#11 3.2, 5.9, 5.11, 5.14, 5.16, 5.18 and 6.13.

use crate::calls::{Arg, Arguments, Call, Null, aes_template, begin};
use crate::target::{Stop, Target, read_bytes};
use perilune_tests::ck::*;
use perilune_tests::raw::plain;
use std::ptr::null_mut;

const HANDLE: usize = size_of::<CK_OBJECT_HANDLE>();
const MESSAGE: [u8; 16] = [7; 16];
const AAD: &[u8] = b"associated";

/// The parameter of one GCM message: the caller's IV, a tag of 128 bits.
pub fn gcm(target: &Target, generator: CK_GENERATOR_FUNCTION, tag: &[u8]) -> CK_GCM_MESSAGE_PARAMS {
    CK_GCM_MESSAGE_PARAMS {
        pIv: target.bytes(b"fixd________"),
        ulIvLen: 12,
        ulIvFixedBits: 32,
        ivGenerator: generator,
        pTag: target.bytes(tag),
        ulTagBits: 128,
    }
}

/// The arguments of a function with "Message" in its name.
pub fn arguments<'t>(args: Arguments<'t>, name: &str) -> Result<Arguments<'t>, Stop> {
    if name.contains("crypt") { ciphers(args, name) } else { signatures(args, name) }
}

fn parameter<'t>(args: Arguments<'t>, tag: &[u8]) -> Arguments<'t> {
    let place = args.target.value(gcm(args.target, CKG_NO_GENERATE, tag));
    args.pointer(place, Null::Parameter).number(size_of::<CK_GCM_MESSAGE_PARAMS>() as CK_ULONG)
}

fn associated(args: Arguments<'_>) -> Arguments<'_> {
    let place = args.target.bytes(AAD);
    args.pointer(place, Null::Refused).arg(Arg::Length(AAD.len()))
}

fn ciphers<'t>(args: Arguments<'t>, name: &str) -> Result<Arguments<'t>, Stop> {
    let target = args.target;
    let aes = target.aes()?;
    if name.ends_with("Init") {
        return Ok(args.session().begins(target.plain(CKM_AES_GCM)).object(aes));
    }
    let encrypts = name.contains("Encrypt");
    let init = if encrypts { "C_MessageEncryptInit" } else { "C_MessageDecryptInit" };
    let (sealed, tag) = if encrypts { (MESSAGE.to_vec(), vec![0; 16]) } else { sealed(target, aes)? };
    if name.ends_with("Next") {
        let start = if encrypts { "C_EncryptMessageBegin" } else { "C_DecryptMessageBegin" };
        let start = Call::new(target, start)?;
        start.control()?;
        // The same parameter goes through all parts of a message.
        let [_, Arg::Pointer(parameter, _), ..] = start.args[..] else { unreachable!("the parameter") };
        if !encrypts {
            let params: CK_GCM_MESSAGE_PARAMS = crate::target::read(parameter as *const _);
            // SAFETY: the tag's memory, made a moment ago.
            unsafe { params.pTag.copy_from_nonoverlapping(tag.as_ptr(), 16) };
        }
        let next = args.session().pointer(parameter as *mut u8, Null::Parameter);
        let next = next.number(size_of::<CK_GCM_MESSAGE_PARAMS>() as CK_ULONG);
        return Ok(next.data(&sealed).output(16).number(CKF_END_OF_MESSAGE));
    }
    begin(target, init, CKM_AES_GCM, Some(aes))?;
    if name.ends_with("Final") {
        return Ok(args.session());
    }
    let begun = associated(parameter(args.session(), &tag));
    Ok(if name.ends_with("Begin") { begun } else { begun.data(&sealed).output(16) })
}

/// The message sealed by the module: ciphertext and tag.
fn sealed(target: &Target, aes: CK_OBJECT_HANDLE) -> Result<(Vec<u8>, Vec<u8>), Stop> {
    let older = CK_GCM_PARAMS {
        pIv: target.bytes(b"fixd________"),
        ulIvLen: 12,
        ulIvBits: 96,
        pAAD: target.bytes(AAD),
        ulAADLen: AAD.len() as CK_ULONG,
        ulTagBits: 128,
    };
    // SAFETY: the mechanism was just made.
    let mechanism = unsafe { target.with(CKM_AES_GCM, older).read_unaligned() };
    let mut sealed = target.answer("C_Encrypt", target.raw.encrypt(target.session(), mechanism, aes, &MESSAGE))?;
    let tag = sealed.split_off(16);
    Ok((sealed, tag))
}

fn signatures<'t>(args: Arguments<'t>, name: &str) -> Result<Arguments<'t>, Stop> {
    let target = args.target;
    let (public, private) = target.ec()?;
    let verifies = name.contains("Verify");
    let key = if verifies { public } else { private };
    if name.ends_with("Init") {
        return Ok(args.session().begins(target.plain(CKM_ECDSA_SHA256)).object(key));
    }
    if name.ends_with("Next") {
        Call::new(target, if verifies { "C_VerifyMessageBegin" } else { "C_SignMessageBegin" })?.control()?;
    } else {
        let init = if verifies { "C_MessageVerifyInit" } else { "C_MessageSignInit" };
        begin(target, init, CKM_ECDSA_SHA256, Some(key))?;
    }
    if name.ends_with("Final") {
        return Ok(args.session());
    }
    let none = args.session().pointer(null_mut::<u8>(), Null::Open).number(0);
    if name.ends_with("Begin") {
        return Ok(none);
    }
    let data = none.data(&MESSAGE);
    if name == "C_SignMessageNext" {
        // NULL in the place of the length says that more is to follow; so does NULL in the place of a signature.
        let (place, length) = (target.room(64), target.value(64 as CK_ULONG));
        return Ok(data.pointer(place, Null::Size).pointer(length, Null::Open));
    }
    if !verifies {
        return Ok(data.output(64));
    }
    let signature = target.raw.sign(target.session(), plain(CKM_ECDSA_SHA256), private, &MESSAGE);
    let signature = target.answer("C_Sign", signature)?;
    Ok(match name {
        "C_VerifyMessageNext" => data.pointer(target.bytes(&signature), Null::Open).arg(Arg::Length(signature.len())),
        _ => data.data(&signature),
    })
}

/// C_WrapKeyAuthenticated and C_UnwrapKeyAuthenticated with GCM.
pub fn wrapping<'t>(args: Arguments<'t>, name: &str) -> Result<Arguments<'t>, Stop> {
    let target = args.target;
    let (wrapping, key) = (target.aes()?, target.new_aes()?);
    if name == "C_WrapKeyAuthenticated" {
        let mechanism = target.with(CKM_AES_GCM, gcm(target, CKG_NO_GENERATE, &[0; 16]));
        let wrap = args.session().mechanism(mechanism).object(wrapping).object(key);
        return Ok(associated(wrap).output(32));
    }
    let wrap = Call::new(target, "C_WrapKeyAuthenticated")?.with(2, wrapping as usize);
    wrap.control()?;
    let [_, Arg::Pointer(mechanism, _), _, _, _, _, Arg::Pointer(wrapped, _), ..] = wrap.args[..] else {
        unreachable!("mechanism and wrapped key")
    };
    let wrapped = read_bytes(wrapped as *const u8, 32);
    let unwrap = args.session().mechanism(mechanism as *mut CK_MECHANISM).object(wrapping).data(&wrapped);
    Ok(associated(unwrap.template(&aes_template())).out(HANDLE))
}
