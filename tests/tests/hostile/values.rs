//! Cases about buffers that overlap, templates in templates, values of a wrong kind, texts. Items 4.1.7 and 4.1.9 to 4.1.11.
//!
//! Rule source: PKCS#11 3.2, 4 (attributes), 5.2 and 5.7.

use crate::calls::{Arg, Call};
use crate::cases::Cases;
use crate::target::{Done, Target, read_bytes, word};
use perilune_tests::ck::*;
use perilune_tests::raw::plain;
use perilune_tests::{Template, ck};
use std::ptr::null_mut;

pub fn cases(cases: &mut Cases) {
    for (name, kind, bytes) in [
        ("CKM_AES_ECB", CKM_AES_ECB, 64),
        ("CKM_AES_CBC", CKM_AES_CBC, 64),
        ("CKM_AES_CBC_PAD, 61 bytes", CKM_AES_CBC_PAD, 61),
        ("CKM_AES_CBC_PAD, 64 bytes", CKM_AES_CBC_PAD, 64),
        ("CKM_AES_CTR", CKM_AES_CTR, 61),
        ("CKM_AES_GCM", CKM_AES_GCM, 61),
    ] {
        cases.add_remote("4.1.7", name, move |target| in_place(target, kind, bytes));
        cases.add("4.1.7", format!("{name}, shifted"), move |target| shifted(target, kind, bytes));
    }
    for name in ["C_CreateObject", "C_GenerateKey", "C_UnwrapKey", "C_FindObjectsInit", "C_SetAttributeValue"] {
        for shape in ["deep", "in itself", "wide"] {
            cases.add("4.1.9", format!("{name}, {shape}"), move |target| nested(target, name, shape));
        }
    }
    for (index, (what, _)) in bad_values().into_iter().enumerate() {
        cases.add_remote("4.1.10", what, move |target| bad_value(target, &bad_values()[index].1));
    }
    for value in [2, 0x80, 0xFF] {
        cases.add("4.1.10", format!("a CK_BBOOL of {value:#x}"), move |target| odd_flag(target, value));
    }
    cases.add_remote("4.1.10", "no mechanism allowed", no_mechanism_allowed);
    cases.add_remote("4.1.11", "a token's label of 32 bytes", |target| token_label(target, &[b'L'; 32]));
    cases.add_remote("4.1.11", "a token's label of blanks", |target| token_label(target, &[b' '; 32]));
    cases.add_remote("4.1.11", "a token's label that is not UTF-8", |target| token_label(target, &[0xC3; 32]));
    cases.add_remote("4.1.11", "a token's label with a NUL inside", |target| {
        token_label(target, &[b"ab\0", &[b' '; 29][..]].concat())
    });
    cases.add_remote("4.1.11", "labels of objects", object_labels);
    cases.add_remote("4.1.11", "PINs with NUL, and not in UTF-8", odd_pins);
}

/// A cipher's mechanism with its usual parameter.
pub fn cipher(target: &Target, kind: CK_MECHANISM_TYPE) -> *mut CK_MECHANISM {
    let iv = [5; 16];
    match kind {
        CKM_AES_ECB => target.plain(kind),
        CKM_AES_CTR => target.with(kind, CK_AES_CTR_PARAMS { ulCounterBits: 128, cb: iv }),
        CKM_AES_GCM => {
            let parameter = CK_GCM_PARAMS {
                pIv: target.bytes(&iv[..12]),
                ulIvLen: 12,
                ulIvBits: 96,
                pAAD: null_mut(),
                ulAADLen: 0,
                ulTagBits: 128,
            };
            target.with(kind, parameter)
        }
        _ => target.mechanism(kind, &iv),
    }
}

fn start(target: &Target, kind: CK_MECHANISM_TYPE, encrypts: bool) -> Done {
    let (session, key) = (target.session(), target.aes()?);
    let mechanism = cipher(target, kind);
    if encrypts {
        target.need("C_EncryptInit", ck!(target.raw, C_EncryptInit, session, mechanism, key))
    } else {
        target.need("C_DecryptInit", ck!(target.raw, C_DecryptInit, session, mechanism, key))
    }
}

/// The same result in one buffer as in two, there and back.
fn in_place(target: &Target, kind: CK_MECHANISM_TYPE, bytes: usize) -> Done {
    let session = target.session();
    let plaintext: Vec<u8> = (0..bytes as u8).collect();
    let mut room = 128;
    let apart = target.room(128);
    start(target, kind, true)?;
    let code = ck!(target.raw, C_Encrypt, session, target.bytes(&plaintext), bytes as CK_ULONG, apart, &mut room);
    target.need("C_Encrypt", code)?;
    let sealed = read_bytes(apart, room as usize);

    let mut buffer = plaintext.clone();
    buffer.resize(sealed.len(), 0);
    let (place, length) = (target.bytes(&buffer), target.value(sealed.len() as CK_ULONG));
    start(target, kind, true)?;
    let code = ck!(target.raw, C_Encrypt, session, place, bytes as CK_ULONG, place, length);
    target.expect("encryption in place", code, &[CKR_OK]);
    target.effect("encryption in place gives another ciphertext", read_bytes(place, sealed.len()) == sealed);

    let (place, length) = (target.bytes(&sealed), target.value(sealed.len() as CK_ULONG));
    start(target, kind, false)?;
    let code = ck!(target.raw, C_Decrypt, session, place, sealed.len() as CK_ULONG, place, length);
    target.expect("decryption in place", code, &[CKR_OK]);
    target.effect("decryption in place gives another plaintext", read_bytes(place, bytes) == plaintext);

    // In parts, each of which replaces itself.
    start(target, kind, true)?;
    let (mut whole, half) = (Vec::new(), sealed.len() / 2);
    for part in [&plaintext[..half.min(bytes)], &plaintext[half.min(bytes)..]] {
        let mut buffer = part.to_vec();
        buffer.resize(part.len() + 16, 0);
        let (place, length) = (target.bytes(&buffer), target.value(buffer.len() as CK_ULONG));
        let code = ck!(target.raw, C_EncryptUpdate, session, place, part.len() as CK_ULONG, place, length);
        target.expect("a part in place", code, &[CKR_OK]);
        whole.extend(read_bytes(place, crate::target::read(length) as usize));
    }
    let (place, length) = (target.room(64), target.value(64 as CK_ULONG));
    target.expect("the end", ck!(target.raw, C_EncryptFinal, session, place, length), &[CKR_OK]);
    whole.extend(read_bytes(place, crate::target::read(length) as usize));
    target.effect("parts in place give another ciphertext", whole == sealed);
    Ok(())
}

/// An output that begins in the middle of the input: no promise what comes out, but nothing else is touched.
fn shifted(target: &Target, kind: CK_MECHANISM_TYPE, bytes: usize) -> Done {
    for shift in [1, 8, 16, 17] {
        let place = target.room(bytes + 64);
        for (from, to) in [(0, shift), (shift, 0)] {
            start(target, kind, true)?;
            let mut room = (bytes + 64 - to) as CK_ULONG;
            let (data, out) = (place.wrapping_add(from), place.wrapping_add(to));
            target.at(&format!("an output {shift} bytes beside the input"));
            let code = ck!(target.raw, C_Encrypt, target.session(), data, bytes as CK_ULONG, out, &mut room);
            if code != CKR_OK {
                target.refused("an output beside the input", code);
            }
        }
    }
    Ok(())
}

/// Templates in templates: 50,000 deep, in a circle, or 64 to the power of 16 attributes.
fn nested(target: &Target, name: &'static str, shape: &str) -> Done {
    Call::new(target, name)?.control()?;
    target.begin_again()?;
    let before = target.objects();
    let size = size_of::<CK_ATTRIBUTE>();
    let entry = |place: *mut u8, count: usize| CK_ATTRIBUTE {
        type_: CKA_WRAP_TEMPLATE,
        pValue: place.cast(),
        ulValueLen: (count * size) as CK_ULONG,
    };
    let outermost = match shape {
        "deep" => {
            // One array instead of 50,000 pieces with pages of their own.
            let levels = target.room(50_001 * size).cast::<CK_ATTRIBUTE>();
            for level in 1..=50_000 {
                let inner = levels.wrapping_add(level - 1).cast();
                // SAFETY: the array has that many entries.
                unsafe { levels.wrapping_add(level).write_unaligned(entry(inner, usize::from(level > 1))) };
            }
            crate::target::read(levels.wrapping_add(50_000))
        }
        "in itself" => {
            let place = target.room(size);
            // SAFETY: room for one entry.
            unsafe { place.cast::<CK_ATTRIBUTE>().write_unaligned(entry(place, 1)) };
            entry(place, 1)
        }
        _ => (0..16).fold(entry(target.room(0), 0), |inner, _| {
            let place = target.room(64 * size);
            for index in 0..64 {
                // SAFETY: room for 64 entries.
                unsafe { place.cast::<CK_ATTRIBUTE>().wrapping_add(index).write_unaligned(inner) };
            }
            entry(place, 64)
        }),
    };
    let call = Call::new(target, name)?;
    let index = call.args.iter().position(|arg| matches!(arg, Arg::Count(_))).expect("a template");
    let Arg::Pointer(list, _) = call.args[index - 1] else { unreachable!("the template") };
    let Arg::Count(count) = call.args[index] else { unreachable!("its number") };
    let mut entries: Vec<CK_ATTRIBUTE> =
        (0..count).map(|one| crate::target::read((list as *const CK_ATTRIBUTE).wrapping_add(one))).collect();
    entries.push(outermost);
    target.at(&format!("{name} with templates in templates, {shape}"));
    let code = call.with(index - 1, entries.as_mut_ptr() as usize).with(index, entries.len()).run();
    let allowed = [
        CKR_ARGUMENTS_BAD,
        CKR_ATTRIBUTE_VALUE_INVALID,
        CKR_ATTRIBUTE_TYPE_INVALID,
        CKR_TEMPLATE_INCONSISTENT,
        CKR_ATTRIBUTE_READ_ONLY,
    ];
    target.expect(&format!("templates in templates, {shape}"), code, &allowed);
    target.begin_again()?;
    target.effect("refused, and yet an object was made", target.objects() <= before);
    Ok(())
}

/// Attributes of a generated AES key that no module may take.
fn bad_values() -> Vec<(&'static str, Template)> {
    let base = || Template::new().number(CKA_VALUE_LEN, 32);
    vec![
        ("a CK_BBOOL of 8 bytes", base().bytes(CKA_TOKEN, &[0; 8])),
        ("a CK_BBOOL of no bytes", base().bytes(CKA_TOKEN, &[])),
        ("a CK_ULONG of 1 byte", Template::new().bytes(CKA_VALUE_LEN, &[32])),
        ("a CK_ULONG of 4 bytes", Template::new().bytes(CKA_VALUE_LEN, &[32, 0, 0, 0])),
        (
            "a CK_ULONG of 16 bytes",
            Template::new().bytes(CKA_VALUE_LEN, &[32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ),
        ("a class of 4 bytes", base().bytes(CKA_CLASS, &[4, 0, 0, 0])),
        ("a key type of 1 byte", base().bytes(CKA_KEY_TYPE, &[0x1F])),
        ("a date of 4 bytes", base().bytes(CKA_START_DATE, b"2026")),
        ("a date that is none", base().bytes(CKA_START_DATE, b"2026ABCD")),
        ("a date of month 13", base().bytes(CKA_END_DATE, b"20261301")),
        ("mechanisms of 9 bytes", base().bytes(CKA_ALLOWED_MECHANISMS, &[0; 9])),
        ("a template of 7 bytes", base().bytes(CKA_WRAP_TEMPLATE, &[0; 7])),
        ("a key of 0 bytes", Template::new().number(CKA_VALUE_LEN, 0)),
        ("a key of 7 bytes", Template::new().number(CKA_VALUE_LEN, 7)),
        ("a key of 33 bytes", Template::new().number(CKA_VALUE_LEN, 33)),
        ("a key of 2^32 + 32 bytes", Template::new().number(CKA_VALUE_LEN, (1 << 32) + 32)),
        ("a key without end", Template::new().number(CKA_VALUE_LEN, CK_ULONG::MAX)),
        ("a key of 2^63 bytes", Template::new().number(CKA_VALUE_LEN, 1 << 63)),
        ("no length", Template::new()),
        ("another class", base().number(CKA_CLASS, CKO_PRIVATE_KEY)),
        ("another key type", base().number(CKA_KEY_TYPE, CKK_RSA)),
        ("a class that there is not", base().number(CKA_CLASS, 0x7777_7777)),
        ("one attribute with two values", base().text(CKA_LABEL, "one").text(CKA_LABEL, "two")),
        ("an attribute that there is not", base().bytes(0x7FFF_1234, b"x")),
        ("a value for a key to be made", base().bytes(CKA_VALUE, &[1; 32])),
        ("a public exponent for an AES key", base().bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1])),
    ]
}

fn bad_value(target: &Target, template: &Template) -> Done {
    let right = Template::new().number(CKA_VALUE_LEN, 32);
    target.generate(CKM_AES_KEY_GEN, &right)?;
    let before = target.objects();
    let made = target.raw.generate(target.session(), plain(CKM_AES_KEY_GEN), template.clone());
    let code = made.err().unwrap_or(CKR_OK);
    let allowed = [
        CKR_ATTRIBUTE_VALUE_INVALID,
        CKR_ATTRIBUTE_TYPE_INVALID,
        CKR_TEMPLATE_INCONSISTENT,
        CKR_TEMPLATE_INCOMPLETE,
        CKR_KEY_SIZE_RANGE,
        CKR_ATTRIBUTE_READ_ONLY,
        CKR_ARGUMENTS_BAD,
    ];
    target.expect("C_GenerateKey", code, &allowed);
    target.effect("refused, and yet an object was made", code == CKR_OK || target.objects() == before);
    Ok(())
}

/// Refused, or taken as true and told as CK_TRUE.
fn odd_flag(target: &Target, value: u8) -> Done {
    let template = Template::new().number(CKA_VALUE_LEN, 32).bytes(CKA_DERIVE, &[value]);
    match target.raw.generate(target.session(), plain(CKM_AES_KEY_GEN), template) {
        Ok(key) => {
            let told = target.raw.attribute(target.session(), key, CKA_DERIVE);
            target.effect(&format!("taken, and told as {told:x?}"), told == Ok(vec![CK_TRUE]));
        }
        Err(code) => target.expect("C_GenerateKey", code, &[CKR_ATTRIBUTE_VALUE_INVALID, CKR_ARGUMENTS_BAD]),
    }
    Ok(())
}

/// A key for which no mechanism is allowed is refused or allows none.
fn no_mechanism_allowed(target: &Target) -> Done {
    let template = Template::new().number(CKA_VALUE_LEN, 32).flag(CKA_ENCRYPT, true).bytes(CKA_ALLOWED_MECHANISMS, &[]);
    match target.raw.generate(target.session(), plain(CKM_AES_KEY_GEN), template) {
        Ok(key) => {
            let told = target.raw.attribute(target.session(), key, CKA_ALLOWED_MECHANISMS);
            let used = target.raw.encrypt(target.session(), plain(CKM_AES_ECB), key, &[0; 16]);
            let other = target.aes()?;
            let of_any_key = target.raw.attribute(target.session(), other, CKA_ALLOWED_MECHANISMS);
            // Where every key tells an empty list, it means that nothing was said.
            let consistent = told == of_any_key || used.is_err();
            target.effect("told as empty, other than for any key, and yet a mechanism is allowed", consistent);
        }
        Err(code) => target.expect("C_GenerateKey", code, &[CKR_ATTRIBUTE_VALUE_INVALID, CKR_TEMPLATE_INCONSISTENT]),
    }
    Ok(())
}

/// A token's label is taken as it is or refused, and told as it is.
fn token_label(target: &Target, label: &[u8]) -> Done {
    Call::new(target, "C_InitToken")?.control()?;
    target.begin_again()?;
    target.need("C_CloseAllSessions", ck!(target.raw, C_CloseAllSessions, target.slot.get()))?;
    let pin = target.contestant.so_pin.clone();
    let (place, bytes) = (target.bytes(pin.as_bytes()), pin.len() as CK_ULONG);
    let code = ck!(target.raw, C_InitToken, target.slot.get(), place, bytes, target.bytes(label));
    if code == CKR_OK {
        let told = target.answer("C_GetTokenInfo", target.raw.token_info(target.slot.get()))?.label;
        // Many callers give a C string in a field of 32 bytes: to end at its NUL is as good as to take it whole.
        let mut cut = [b' '; 32];
        let end = label.iter().position(|byte| *byte == 0).unwrap_or(32);
        cut[..end].copy_from_slice(&label[..end]);
        target.effect(&format!("told as {told:x?}"), told == *label || told == cut);
    } else {
        target.expect("C_InitToken", code, &[CKR_ARGUMENTS_BAD]);
    }
    Ok(())
}

/// Labels of objects are bytes: found by exactly them, told as exactly them.
fn object_labels(target: &Target) -> Done {
    let long = vec![b'x'; 100_000];
    for label in [&b""[..], b"\0", b"a", b"a\0", b"a\0b", b"a ", &[0xFF, 0xFE], &[b'x'; 32], &long] {
        let template = Template::new().number(CKA_CLASS, CKO_DATA).bytes(CKA_LABEL, label);
        match target.raw.create(target.session(), template.clone()) {
            Ok(object) => {
                let shown = format!("a label of {} bytes", label.len());
                let told = target.raw.attribute(target.session(), object, CKA_LABEL);
                target.effect(&format!("{shown} is told otherwise"), told.as_deref() == Ok(label));
                let found = target.raw.find(target.session(), template, 10);
                target.effect(&format!("{shown} finds {}", found.len()), found == [object]);
            }
            Err(code) => {
                let what = format!("a label of {} bytes: {}", label.len(), word(code));
                target.expect(&what, code, &[CKR_ATTRIBUTE_VALUE_INVALID]);
            }
        }
    }
    Ok(())
}

/// A PIN is taken whole or refused: what stands behind a NUL counts.
fn odd_pins(target: &Target) -> Done {
    let session = target.session();
    let old = target.contestant.pin.clone();
    for pin in [&b"half\0one"[..], b"\xFF\xFE\xFD\xFCabcd", b"        "] {
        let set = |from: &[u8], to: &[u8]| {
            let (from, from_bytes, to, to_bytes) = (target.bytes(from), from.len(), target.bytes(to), to.len());
            ck!(target.raw, C_SetPIN, session, from, from_bytes as CK_ULONG, to, to_bytes as CK_ULONG)
        };
        let code = set(old.as_bytes(), pin);
        if code != CKR_OK {
            target.expect(&format!("the PIN {pin:x?}"), code, &[CKR_PIN_INVALID, CKR_PIN_LEN_RANGE, CKR_ARGUMENTS_BAD]);
            continue;
        }
        target.need("C_Logout", ck!(target.raw, C_Logout, session))?;
        let log_in = |pin: &[u8]| ck!(target.raw, C_Login, session, CKU_USER, target.bytes(pin), pin.len() as CK_ULONG);
        target.expect(
            &format!("the first half of {pin:x?}"),
            log_in(&pin[..4]),
            &[CKR_PIN_INCORRECT, CKR_PIN_LEN_RANGE],
        );
        target.expect(&format!("the PIN {pin:x?}"), log_in(pin), &[CKR_OK]);
        target.expect("the old PIN again", set(pin, old.as_bytes()), &[CKR_OK]);
    }
    Ok(())
}
