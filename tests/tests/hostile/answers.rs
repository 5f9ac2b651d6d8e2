//! Cases about return values and about what the module says of itself. Items 4.2.13 and 4.2.14.
//!
//! Rule source: PKCS#11 3.2, 5.1 (return values), 5.5 (C_GetMechanismList, C_GetMechanismInfo).

use crate::calls::{Call, begin_with};
use crate::cases::Cases;
use crate::target::{Done, Stop, Target, is_refusal, word};
use perilune_tests::ck::*;
use perilune_tests::raw::plain;
use perilune_tests::{Template, ck};
use std::ptr::null_mut;

/// A function that begins something, and the flag of the mechanisms that may.
const FLAGS: [(&str, CK_FLAGS); 12] = [
    ("C_EncryptInit", CKF_ENCRYPT),
    ("C_DecryptInit", CKF_DECRYPT),
    ("C_DigestInit", CKF_DIGEST),
    ("C_SignInit", CKF_SIGN),
    ("C_SignRecoverInit", CKF_SIGN_RECOVER),
    ("C_VerifyInit", CKF_VERIFY),
    ("C_VerifyRecoverInit", CKF_VERIFY_RECOVER),
    ("C_MessageEncryptInit", CKF_MESSAGE_ENCRYPT),
    ("C_MessageDecryptInit", CKF_MESSAGE_DECRYPT),
    ("C_MessageSignInit", CKF_MESSAGE_SIGN),
    ("C_MessageVerifyInit", CKF_MESSAGE_VERIFY),
    ("C_GenerateKey", CKF_GENERATE),
];

pub fn cases(cases: &mut Cases) {
    cases.add_remote("4.2.13", "the wrong key, no key, the wrong mechanism", words);
    cases.add("4.2.13", "wrong signatures and ciphertexts", wrong_data);
    for (init, _) in FLAGS.into_iter().filter(|(init, _)| *init != "C_GenerateKey") {
        cases.add("4.2.13", format!("{init}, every mechanism with keys of other kinds"), move |target| {
            every_mechanism(target, init)
        });
    }
    for (init, flag) in FLAGS {
        cases.add("4.2.14", init, move |target| flags(target, init, flag));
    }
    for name in PARAMETERS {
        cases.add("4.1.6", format!("{name}, every mechanism, one word over and over"), move |target| {
            one_word(target, name)
        });
    }
    cases.add("4.2.14", "the list and the information", list);
}

/// Functions that take a mechanism with a parameter.
const PARAMETERS: [&str; 16] = [
    "C_EncryptInit",
    "C_DecryptInit",
    "C_DigestInit",
    "C_SignInit",
    "C_VerifyInit",
    "C_SignRecoverInit",
    "C_MessageEncryptInit",
    "C_MessageSignInit",
    "C_VerifySignatureInit",
    "C_GenerateKey",
    "C_GenerateKeyPair",
    "C_WrapKey",
    "C_UnwrapKey",
    "C_DeriveKey",
    "C_WrapKeyAuthenticated",
    "C_UnwrapKeyAuthenticated",
];

/// Parameters that are one word over and over: nothing, or an address, which is a length without end, too. Some pointers have no length
/// beside them, so that any other word would be a lie that no module can see through.
fn one_word(target: &Target, name: &'static str) -> Done {
    Call::new(target, name)?.control()?;
    target.begin_again()?;
    let keys = [target.aes()?, target.rsa()?.1];
    let takes_key = name != "C_DigestInit" && !name.starts_with("C_Gen");
    let call = Call::new(target, name)?;
    let call = match name {
        // Room enough for whatever wraps, told anew for each call.
        "C_WrapKey" => call.with(4, target.room(1 << 12) as usize),
        _ => call,
    };
    let address = target.room(1 << 16) as u64;
    let room = target.value((1 << 12) as CK_ULONG);
    let call = if name == "C_WrapKey" { call.with(5, room as usize) } else { call };
    // Made once, because memory between unreadable pages is slow: each parameter, and a call with it and each key.
    let mut spoilt = Vec::new();
    for word in [0, address] {
        let parameter: Vec<u8> = word.to_ne_bytes().iter().copied().cycle().take(96).collect();
        for size in [8, 16, 24, 32, 40, 48, 56, 64, 72, 96] {
            let mechanism = target.mechanism(0, &parameter[..size]);
            let hostile = call.with(1, mechanism as usize);
            let calls = match takes_key {
                true => keys.map(|key| hostile.with(2, key as usize)).into(),
                false => vec![hostile],
            };
            spoilt.push((word, size, mechanism, calls));
        }
    }
    for kind in mechanisms(target)? {
        target.at(&format!("{name} with {kind:#x}"));
        for (word, size, mechanism, calls) in &spoilt {
            // SAFETY: the mechanism's own memory, of which the first word is its kind.
            unsafe { mechanism.cast::<CK_MECHANISM_TYPE>().write_unaligned(kind) };
            for hostile in calls {
                // SAFETY: the length's own memory, told anew for each call.
                unsafe { room.write_unaligned(1 << 12) };
                match hostile.run() {
                    CKR_OK | CKR_OPERATION_ACTIVE => {
                        // An operation that began is given up, whatever its parameter meant.
                        let _there_may_be_none = begin_with(target, name, null_mut(), 0);
                    }
                    code if is_refusal(code) => {}
                    code => target.refused(&format!("{kind:#x} and {size} bytes of {word:#x}"), code),
                }
            }
        }
    }
    Ok(())
}

fn mechanisms(target: &Target) -> Result<Vec<CK_MECHANISM_TYPE>, Stop> {
    let (slot, mut count) = (target.slot.get(), 0);
    target.need("C_GetMechanismList", ck!(target.raw, C_GetMechanismList, slot, null_mut(), &mut count))?;
    let mut list = vec![0; count as usize];
    target.need("C_GetMechanismList", ck!(target.raw, C_GetMechanismList, slot, list.as_mut_ptr(), &mut count))?;
    list.truncate(count as usize);
    Ok(list)
}

fn words(target: &Target) -> Done {
    let (aes, rsa, ec) = (target.aes()?, target.rsa()?, target.ec()?);
    let locked = Template::new().number(CKA_VALUE_LEN, 32).flag(CKA_ENCRYPT, false).flag(CKA_DECRYPT, true);
    let locked = target.generate(CKM_AES_KEY_GEN, &locked)?;
    let only = CKM_AES_CBC.to_ne_bytes();
    let picky = Template::new().number(CKA_VALUE_LEN, 32).flag(CKA_ENCRYPT, true).bytes(CKA_ALLOWED_MECHANISMS, &only);
    let picky = target.generate(CKM_AES_KEY_GEN, &picky)?;
    let key_type = [CKR_KEY_TYPE_INCONSISTENT];
    // The standard does not say which of two faults is told.
    let key_or_usage = [CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_KEY_HANDLE_INVALID];
    for (init, kind, key, allowed) in [
        ("C_EncryptInit", CKM_AES_ECB, 0, &[CKR_KEY_HANDLE_INVALID][..]),
        ("C_EncryptInit", 0x7FFF_FFFF, 0, &[CKR_MECHANISM_INVALID, CKR_KEY_HANDLE_INVALID]),
        ("C_EncryptInit", 0x7FFF_FFFF, aes, &[CKR_MECHANISM_INVALID]),
        ("C_EncryptInit", CKM_SHA256, aes, &[CKR_MECHANISM_INVALID]),
        ("C_EncryptInit", CKM_AES_ECB, locked, &[CKR_KEY_FUNCTION_NOT_PERMITTED]),
        ("C_EncryptInit", CKM_AES_ECB, picky, &[CKR_MECHANISM_INVALID, CKR_KEY_FUNCTION_NOT_PERMITTED]),
        ("C_EncryptInit", CKM_AES_ECB, rsa.0, &key_type),
        ("C_SignInit", CKM_ECDSA, rsa.1, &key_type),
        ("C_SignInit", CKM_RSA_PKCS, ec.1, &key_type),
        ("C_SignInit", CKM_ECDSA, ec.0, &key_or_usage),
        ("C_VerifyInit", CKM_ECDSA, ec.1, &key_or_usage),
        ("C_SignInit", CKM_AES_ECB, aes, &[CKR_MECHANISM_INVALID]),
        ("C_DigestInit", CKM_AES_ECB, 0, &[CKR_MECHANISM_INVALID]),
    ] {
        let code = begin_with(target, init, target.plain(kind), key)?;
        target.expect(&format!("{init} with {kind:#x} and the key {key:#x}"), code, allowed);
        if code == CKR_OK {
            target.begin_again()?;
            return Ok(());
        }
    }
    Ok(())
}

fn wrong_data(target: &Target) -> Done {
    let session = target.session();
    let (ec, rsa, aes) = (target.ec()?, target.rsa()?, target.aes()?);
    for (kind, key, bytes) in [(CKM_ECDSA, ec.0, 64), (CKM_RSA_PKCS, rsa.0, 256)] {
        for (signature, what) in [(vec![0; bytes], "zeros"), (vec![0xFF; bytes], "ones"), (vec![1; bytes], "noise")] {
            let code = target.raw.verify(session, plain(kind), key, &[5; 32], &signature).err().unwrap_or(CKR_OK);
            target.expect(&format!("a signature of {what} for {kind:#x}"), code, &[CKR_SIGNATURE_INVALID]);
        }
        for bytes in [0, 1, bytes - 1, bytes + 1] {
            let code = target.raw.verify(session, plain(kind), key, &[5; 32], &vec![1; bytes]).err().unwrap_or(CKR_OK);
            let allowed = [CKR_SIGNATURE_LEN_RANGE, CKR_SIGNATURE_INVALID];
            target.expect(&format!("a signature of {bytes} bytes for {kind:#x}"), code, &allowed);
        }
    }
    for bytes in [1, 15, 17] {
        let code = target.raw.decrypt(session, plain(CKM_AES_ECB), aes, &vec![1; bytes]).err().unwrap_or(CKR_OK);
        target.expect(&format!("a ciphertext of {bytes} bytes"), code, &[CKR_ENCRYPTED_DATA_LEN_RANGE]);
    }
    let code = target.raw.sign(session, plain(CKM_RSA_PKCS), rsa.1, &[5; 246]).err().unwrap_or(CKR_OK);
    target.expect("too much for CKM_RSA_PKCS", code, &[CKR_DATA_LEN_RANGE]);
    let code = target.raw.decrypt(session, plain(CKM_RSA_PKCS), rsa.1, &[5; 255]).err().unwrap_or(CKR_OK);
    target.expect("a short ciphertext of RSA", code, &[CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_ENCRYPTED_DATA_INVALID]);
    Ok(())
}

/// Keys of every kind with every mechanism that is not theirs: refused by a word that helps, and nothing is left active.
fn every_mechanism(target: &Target, init: &'static str) -> Done {
    let (aes, rsa, ec) = (target.aes()?, target.rsa()?, target.ec()?);
    let keys = [0, aes, rsa.0, rsa.1, ec.0, ec.1, target.secret(&[9; 32])?];
    let (plain, odd) = (target.plain(0), target.mechanism(0, &[0; 3]));
    for kind in mechanisms(target)? {
        target.at(&format!("{init} with {kind:#x}"));
        for key in keys {
            for mechanism in [plain, odd] {
                // SAFETY: the mechanism's own memory, of which the first word is its kind.
                unsafe { mechanism.cast::<CK_MECHANISM_TYPE>().write_unaligned(kind) };
                let what = || format!("{init} with {kind:#x} and the key {key:#x}");
                match begin_with(target, init, mechanism, key)? {
                    CKR_FUNCTION_NOT_SUPPORTED => return Err(Stop::Absent(init.into())),
                    CKR_OK => {
                        let cancelled = begin_with(target, init, null_mut(), 0)?;
                        if cancelled != CKR_OK {
                            // Without such a cancel the session is replaced, and the keys with it.
                            return Ok(());
                        }
                    }
                    CKR_OPERATION_ACTIVE => {
                        target.effect(&format!("{}: something was left active", what()), false);
                        return Ok(());
                    }
                    code if is_refusal(code) => {}
                    code => target.refused(&what(), code),
                }
            }
        }
    }
    Ok(())
}

/// What a mechanism says that it may do it does not refuse as unknown, and what it does not say it refuses.
fn flags(target: &Target, init: &'static str, flag: CK_FLAGS) -> Done {
    for kind in mechanisms(target)? {
        let mut info = CK_MECHANISM_INFO::default();
        target.need("C_GetMechanismInfo", ck!(target.raw, C_GetMechanismInfo, target.slot.get(), kind, &mut info))?;
        let code = if init == "C_GenerateKey" {
            let mut key = 0;
            ck!(target.raw, C_GenerateKey, target.session(), target.plain(kind), null_mut(), 0, &mut key)
        } else {
            begin_with(target, init, target.plain(kind), 0)?
        };
        let says = info.flags & flag != 0;
        let what = format!("{init}: {kind:#x} says {}, and answers {}", if says { "yes" } else { "no" }, word(code));
        match code {
            CKR_FUNCTION_NOT_SUPPORTED => return Err(Stop::Absent(init.into())),
            CKR_MECHANISM_INVALID => target.effect(&what, !says),
            // Without a key only a digest can begin.
            CKR_OK => {
                target.effect(&what, says && ["C_DigestInit", "C_GenerateKey"].contains(&init));
                target.begin_again()?;
            }
            // Another fault may be told before that of the mechanism.
            code => target.refused(&what, code),
        }
    }
    Ok(())
}

fn list(target: &Target) -> Done {
    let list = mechanisms(target)?;
    let mut sorted = list.clone();
    sorted.sort_unstable();
    sorted.dedup();
    target.effect("a mechanism stands twice in the list", sorted.len() == list.len());
    for kind in [0x7FFF_FFFF, CK_UNAVAILABLE_INFORMATION, 0x0FFF] {
        let code = ck!(target.raw, C_GetMechanismInfo, target.slot.get(), kind, &mut CK_MECHANISM_INFO::default());
        target.expect(&format!("information of {kind:#x}"), code, &[CKR_MECHANISM_INVALID]);
    }
    for kind in &list {
        let mut info = CK_MECHANISM_INFO::default();
        let code = ck!(target.raw, C_GetMechanismInfo, target.slot.get(), *kind, &mut info);
        target.expect(&format!("information of {kind:#x}"), code, &[CKR_OK]);
        target.effect(&format!("{kind:#x}: smallest key above the largest"), info.ulMinKeySize <= info.ulMaxKeySize);
        target.effect(&format!("{kind:#x}: no flag"), info.flags != 0);
    }
    Ok(())
}
