//! Cases after faults that were mended in other tokens, clients and carriers in 2026. Item 4.5.6.
//!
//! NSS (bugs 2029448, 2029432, 2030564, 2030573, 2029740, 2029439, 2024785, 2008112), openCryptoki (CVE-2026-40253), p11-kit
//! (CVE-2026-2100), the crate `cryptoki` (GHSA-r6vc-97x9-63vv). What each was is known from its notes; the cases are ours.

use crate::calls::{Call, aes_template, begin_with, entry};
use crate::cases::Cases;
use crate::ciphers::unwrap;
use crate::life::beside;
use crate::target::{Done, Stop, Target, read, read_bytes, word};
use crate::values::cipher;
use perilune_tests::ck::*;
use perilune_tests::raw::{call_words, plain, sized};
use perilune_tests::{Template, ck};
use std::ptr::null_mut;

pub fn cases(cases: &mut Cases) {
    cases.add_remote("4.5.6", "NSS 2029448: padded CBC that is shorter than a block", short_padded);
    cases.add("4.5.6", "NSS 2029432: parameters of ChaCha20-Poly1305 messages", chacha_messages);
    cases.add_remote("4.5.6", "NSS 2030564: lengths of the X9.63 derivation", x963);
    cases.add("4.5.6", "NSS 2030573: a length of 4 GiB and a little, in a search", truncated_search);
    cases.add("4.5.6", "NSS 2030573: a length of 4 GiB and a little, of a PIN", truncated_pin);
    for name in ["C_EncapsulateKey", "C_DecapsulateKey"] {
        cases.add("4.5.6", format!("NSS 2029740: {name} with objects of every kind"), move |target| {
            other_kinds(target, name)
        });
    }
    for name in TEMPLATES {
        cases.add_remote("4.5.6", format!("NSS 2029439: {name} with an attribute twice"), move |target| {
            twice(target, name)
        });
    }
    cases.add("4.5.6", "NSS 2024785: what is told of token and session while others log in", told_meanwhile);
    for (name, key) in [("ML-DSA", ML_DSA), ("ML-KEM", ML_KEM), ("SLH-DSA", SLH_DSA)] {
        cases.add_remote("4.5.6", format!("NSS 2008112: {name} keys of every wrong length"), move |target| {
            imported(target, &key)
        });
    }
    cases.add_remote("4.5.6", "CVE-2026-2100: C_DeriveKey without a parameter", derive_without);
    cases.add_remote("4.5.6", "CVE-2026-40253: DER of points, cut and with wrong lengths", points_in_der);
    cases.add("4.5.6", "CVE-2026-40253: DER of an unwrapped private key, cut and with wrong lengths", pkcs8);
    cases.add_remote("4.5.6", "GHSA-r6vc-97x9-63vv: lists of mechanisms are whole words", whole_words);
}

const SHORT: [CK_RV; 2] = [CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_ENCRYPTED_DATA_INVALID];

fn short_padded(target: &Target) -> Done {
    let (session, key) = (target.session(), target.aes()?);
    let padded = || cipher(target, CKM_AES_CBC_PAD);
    let start = || begin_with(target, "C_DecryptInit", padded(), key);
    let sealed = target.answer("C_Encrypt", target.raw.encrypt(session, read(padded().cast_const()), key, b"text"))?;
    let opened = target.raw.decrypt(session, read(padded().cast_const()), key, &sealed);
    target.control("a whole block", opened.as_deref() == Ok(b"text"))?;
    for bytes in 0..16 {
        let what = format!("{bytes} bytes");
        let data = target.bytes(&sealed[..bytes]);
        target.at(&what);
        if start()? != CKR_OK {
            target.effect("an error left the operation active", false);
            return Ok(());
        }
        let (out, room) = (target.room(16), target.value(16 as CK_ULONG));
        target.expect(&what, ck!(target.raw, C_Decrypt, session, data, bytes as CK_ULONG, out, room), &SHORT);
        if start()? != CKR_OK {
            target.effect("an error left the operation active", false);
            return Ok(());
        }
        let room = target.value(16 as CK_ULONG);
        let code = ck!(target.raw, C_DecryptUpdate, session, data, bytes as CK_ULONG, out, room);
        target.expect(&format!("{what}, a part"), code, &[CKR_OK]);
        let room = target.value(16 as CK_ULONG);
        let code = ck!(target.raw, C_DecryptFinal, session, out, room);
        target.expect(&format!("{what}, the end"), code, &SHORT);
        target.effect(&format!("{what}: something was written"), read_bytes(out, 16) == [0; 16]);
        let made = unwrap(target, read(padded().cast_const()), key, &sealed[..bytes], &aes_template());
        target.refused(&format!("{what}, unwrapped"), made.err().unwrap_or(CKR_OK));
    }
    Ok(())
}

fn chacha_messages(target: &Target) -> Done {
    let template = Template::new().flag(CKA_ENCRYPT, true).flag(CKA_DECRYPT, true);
    let key = target.generate(CKM_CHACHA20_KEY_GEN, &template)?;
    let begun = begin_with(target, "C_MessageEncryptInit", target.plain(CKM_CHACHA20_POLY1305), key)?;
    target.need("C_MessageEncryptInit", begun)?;
    let (nonce, tag) = (target.bytes(&[5; 12]), target.room(16));
    let right = CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS { pNonce: nonce, ulNonceLen: 12, pTag: tag };
    const SIZE: usize = size_of::<CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS>();
    let out = target.room(16);
    let encrypt = |params: CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS, size: usize| {
        let (params, data, room) = (target.value(params), target.bytes(&[7; 16]), target.value(16 as CK_ULONG));
        let session = target.session() as usize;
        let words = [session, params as usize, size, 0, 0, data as usize, 16, out as usize, room as usize, 0];
        entry(target, "C_EncryptMessage").map(|entry| call_words(entry, words))
    };
    target.need("C_EncryptMessage", encrypt(right, SIZE)?)?;
    let sealed = read_bytes(out, 16);
    let refused = [CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD];
    let long = target.bytes(&[5; 64]);
    for length in [0, 1, 7, 11, 13, 23, 25, 64, 1 << 32 | 12, 1 << 63, CK_ULONG::MAX] {
        let what = format!("a nonce of {length} bytes");
        target.at(&what);
        let code =
            encrypt(CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS { pNonce: long, ulNonceLen: length, ..right }, SIZE)?;
        target.expect(&what, code, &refused);
    }
    for (what, params) in [
        ("no nonce", CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS { pNonce: null_mut(), ..right }),
        ("no place for the tag", CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS { pTag: null_mut(), ..right }),
    ] {
        target.at(what);
        target.expect(what, encrypt(params, SIZE)?, &refused);
    }
    for size in [0, 1, 8, SIZE - 1, SIZE + 1, size_of::<CK_GCM_MESSAGE_PARAMS>(), usize::MAX] {
        let what = format!("a parameter of {size:#x} bytes");
        target.at(&what);
        target.expect(&what, encrypt(right, size)?, &refused);
    }
    target.expect("the right one afterwards", encrypt(right, SIZE)?, &[CKR_OK]);
    target.effect("it gives another ciphertext", read_bytes(out, 16) == sealed);
    Ok(())
}

fn x963(target: &Target) -> Done {
    let (public, private) = target.ec()?;
    let session = target.session();
    let point = target.answer("CKA_EC_POINT", target.raw.attribute(session, public, CKA_EC_POINT))?;
    let derive = |kdf: CK_ULONG, bytes: CK_ULONG| {
        let parameter = CK_ECDH1_DERIVE_PARAMS {
            kdf,
            ulSharedDataLen: 4,
            pSharedData: target.bytes(b"info"),
            ulPublicDataLen: point.len() as CK_ULONG - 2,
            pPublicData: target.bytes(&point[2..]),
        };
        let template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
        let template = template.flag(CKA_SENSITIVE, false).flag(CKA_EXTRACTABLE, true).number(CKA_VALUE_LEN, bytes);
        let (list, count) = target.list(&template);
        let (mechanism, mut key) = (target.with(CKM_ECDH1_DERIVE, parameter), 0);
        let code = ck!(target.raw, C_DeriveKey, session, mechanism, private, list, count as CK_ULONG, &mut key);
        (code, key)
    };
    for (kdf, hash) in [(CKD_SHA1_KDF, 20), (CKD_SHA256_KDF, 32), (CKD_SHA384_KDF, 48), (CKD_SHA512_KDF, 64)] {
        let (code, short) = derive(kdf, 32);
        target.need("C_DeriveKey", code)?;
        let short = target.answer("CKA_VALUE", target.raw.attribute(session, short, CKA_VALUE))?;
        for bytes in [1, hash - 1, hash, hash + 1, 3 * hash] {
            let (code, key) = derive(kdf, bytes);
            target.expect(&format!("{bytes} bytes with {kdf}"), code, &[CKR_OK]);
            let value = target.raw.attribute(session, key, CKA_VALUE).unwrap_or_default();
            let (less, more) = if value.len() < 32 { (&value, &short) } else { (&short, &value) };
            let right = value.len() as u64 == bytes && more.starts_with(less);
            target.effect(&format!("{bytes} bytes with {kdf} are another stream"), right);
        }
        for bytes in [0, 1 << 32 | 32, 1 << 40, i64::MAX as u64, CK_ULONG::MAX] {
            let what = format!("{bytes:#x} bytes with {kdf}");
            target.at(&what);
            target.refused(&what, derive(kdf, bytes).0);
        }
    }
    for kdf in [0, 99, CK_ULONG::MAX] {
        target.refused(&format!("the derivation {kdf:#x}"), derive(kdf, 32).0);
    }
    Ok(())
}

/// 4 GiB and these bytes of readable memory that begins with them: where a length is cut to 32 bits, they are all of it.
///
/// A module that wants to copy them does not get the memory.
fn large(target: &Target, begin: &[u8]) -> Result<(*mut u8, CK_ULONG), Stop> {
    let length = (1 << 32) + begin.len();
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping that nobody else has.
    let place = unsafe { libc::mmap(null_mut(), length, libc::PROT_READ, flags, -1, 0) };
    target.control("4 GiB of addresses", place != libc::MAP_FAILED)?;
    // SAFETY: the first page of that mapping.
    let writable = unsafe { libc::mprotect(place, 4096, libc::PROT_READ | libc::PROT_WRITE) };
    target.control("a page to write to", writable == 0)?;
    // SAFETY: the page is longer than that.
    unsafe { std::ptr::copy_nonoverlapping(begin.as_ptr(), place.cast(), begin.len()) };
    // SAFETY: the limit outlives the call.
    unsafe { libc::setrlimit(libc::RLIMIT_DATA, &libc::rlimit { rlim_cur: 1 << 30, rlim_max: 1 << 30 }) };
    Ok((place.cast(), length as CK_ULONG))
}

fn truncated_search(target: &Target) -> Done {
    let session = target.session();
    let template = Template::new().number(CKA_CLASS, CKO_DATA).bytes(CKA_OBJECT_ID, &[6, 3, 42, 3, 4]);
    let object =
        target.answer("C_CreateObject", target.raw.create(session, template.clone().text(CKA_LABEL, "secret")))?;
    target.control("it is found", target.raw.find(session, template, 2) == [object])?;
    for (kind, value) in [(CKA_OBJECT_ID, &[6, 3, 42, 3, 4][..]), (CKA_LABEL, b"secret")] {
        let (place, length) = large(target, value)?;
        let list = target.value(CK_ATTRIBUTE { type_: kind, pValue: place.cast(), ulValueLen: length });
        target.at(&format!("a search for {length:#x} bytes"));
        let code = ck!(target.raw, C_FindObjectsInit, session, list, 1);
        if code == CKR_OK {
            let (mut found, mut count) = (0, 0);
            let _it_may_be_refused = ck!(target.raw, C_FindObjects, session, &mut found, 1, &mut count);
            target.effect(&format!("{length:#x} bytes are taken for {}", value.len()), count == 0);
            target.need("C_FindObjectsFinal", ck!(target.raw, C_FindObjectsFinal, session))?;
        } else {
            target.expect(
                &format!("a search for {length:#x} bytes"),
                code,
                &[CKR_ARGUMENTS_BAD, CKR_ATTRIBUTE_VALUE_INVALID],
            );
        }
    }
    Ok(())
}

fn truncated_pin(target: &Target) -> Done {
    let session = target.session();
    let pin = target.contestant.pin.clone();
    target.need("C_Logout", ck!(target.raw, C_Logout, session))?;
    target.become_user()?;
    target.need("C_Logout", ck!(target.raw, C_Logout, session))?;
    let (place, length) = large(target, pin.as_bytes())?;
    target.at(&format!("a PIN of {length:#x} bytes"));
    let code = ck!(target.raw, C_Login, session, CKU_USER, place, length);
    let allowed = [CKR_PIN_LEN_RANGE, CKR_PIN_INCORRECT, CKR_PIN_INVALID, CKR_ARGUMENTS_BAD];
    target.expect(&format!("a PIN of {length:#x} bytes"), code, &allowed);
    let mut info = CK_SESSION_INFO::default();
    target.need("C_GetSessionInfo", ck!(target.raw, C_GetSessionInfo, session, &mut info))?;
    target.effect("it logged in", info.state == CKS_RW_PUBLIC_SESSION);
    if code == CKR_OK { Ok(()) } else { target.become_user() }
}

/// Refusals of a key that is none, or not for this.
const NO_KEY: [CK_RV; 6] = [
    CKR_KEY_HANDLE_INVALID,
    CKR_OBJECT_HANDLE_INVALID,
    CKR_KEY_TYPE_INCONSISTENT,
    CKR_KEY_FUNCTION_NOT_PERMITTED,
    CKR_UNWRAPPING_KEY_HANDLE_INVALID,
    CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
];

fn other_kinds(target: &Target, name: &'static str) -> Done {
    Call::new(target, name)?.control()?;
    let call = Call::new(target, name)?;
    let data = Template::new().number(CKA_CLASS, CKO_DATA).text(CKA_LABEL, "no key");
    let pair = |public: Template, private: Template| {
        let set = public.number(CKA_PARAMETER_SET, CKP_ML_KEM_512);
        target.pair(CKM_ML_KEM_KEY_PAIR_GEN, set, private)
    };
    let open = pair(Template::new(), Template::new())?;
    let shut = pair(Template::new().flag(CKA_ENCAPSULATE, false), Template::new().flag(CKA_DECAPSULATE, false))?;
    let signs = Template::new().number(CKA_PARAMETER_SET, CKP_ML_DSA_44).flag(CKA_VERIFY, true);
    let signs = target.pair(CKM_ML_DSA_KEY_PAIR_GEN, signs, Template::new().flag(CKA_SIGN, true))?;
    let other_half = if name == "C_EncapsulateKey" { open.1 } else { open.0 };
    let keys = [
        ("the other half of the pair", other_half),
        ("a key without that usage", if name == "C_EncapsulateKey" { shut.0 } else { shut.1 }),
        ("a public key for signatures", signs.0),
        ("a private key for signatures", signs.1),
        ("a public EC key", target.ec()?.0),
        ("a private EC key", target.ec()?.1),
        ("an AES key", target.aes()?),
        ("a generic secret", target.secret(&[9; 32])?),
        ("a data object", target.answer("C_CreateObject", target.raw.create(target.session(), data))?),
        ("nothing", 0),
        ("the largest number", CK_OBJECT_HANDLE::MAX),
    ];
    let before = target.objects();
    for (what, key) in keys {
        target.at(what);
        target.expect(what, call.with(2, key as usize).run(), &NO_KEY);
    }
    target.effect("refused, and yet an object was made", target.objects() == before);
    Ok(())
}

/// Functions with a template, and where it is among their arguments.
const TEMPLATES: [&str; 7] = [
    "C_CreateObject",
    "C_CopyObject",
    "C_SetAttributeValue",
    "C_GenerateKey",
    "C_GenerateKeyPair",
    "C_UnwrapKey",
    "C_DeriveKey",
];

/// The same attribute twice is refused as a whole, however often, and each value has one owner: a module that frees one twice
/// does not live to the end.
fn twice(target: &Target, name: &'static str) -> Done {
    Call::new(target, name)?.control()?;
    target.begin_again()?;
    let call = Call::new(target, name)?;
    let places: Vec<_> =
        (0..call.args.len()).filter(|index| matches!(call.args[*index], crate::calls::Arg::Count(_))).collect();
    let before = target.objects();
    for place in places {
        let (crate::calls::Arg::Pointer(list, _), crate::calls::Arg::Count(count)) =
            (call.args[place - 1], call.args[place])
        else {
            continue;
        };
        let list = list as *const CK_ATTRIBUTE;
        for (one, other) in [(&b"one"[..], &b"another"[..]), (&[7; 4096], &[8; 4096]), (b"", b"x")] {
            for round in 0..20 {
                let mut all: Vec<CK_ATTRIBUTE> = (0..count).map(|index| read(list.wrapping_add(index))).collect();
                all.retain(|entry| entry.type_ != CKA_LABEL);
                for value in [one, other] {
                    let place = target.bytes(value).cast();
                    let entry = CK_ATTRIBUTE { type_: CKA_LABEL, pValue: place, ulValueLen: value.len() as CK_ULONG };
                    all.insert(if round % 2 == 0 { 0 } else { all.len() }, entry);
                }
                let (entries, count) = (all.leak(), count + 2);
                let count = entries.len().min(count);
                let code = call.with(place - 1, entries.as_mut_ptr() as usize).with(place, count).run();
                let allowed = [CKR_TEMPLATE_INCONSISTENT, CKR_ATTRIBUTE_VALUE_INVALID, CKR_ARGUMENTS_BAD];
                target.expect(&format!("{name} with a label twice"), code, &allowed);
            }
        }
    }
    target.effect("refused, and yet an object was made", target.objects() == before);
    Ok(())
}

/// What is told while a PIN is tried, wrongly and rightly, is always something that was true at some moment.
fn told_meanwhile(target: &Target) -> Done {
    let (slot, sessions) = (target.slot.get(), [target.open()?, target.open()?]);
    let always = CKF_TOKEN_INITIALIZED | CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED;
    let never = CKF_USER_PIN_LOCKED | CKF_SO_PIN_LOCKED | CKF_SO_PIN_COUNT_LOW | CKF_SO_PIN_FINAL_TRY;
    let first = target.answer("C_GetTokenInfo", target.raw.token_info(slot))?;
    target.control("the flags of a token with a PIN", first.flags & always == always && first.flags & never == 0)?;
    target.at("token and session information beside logins");
    beside(
        target,
        2,
        &[CKR_OK],
        |raw, thread| {
            let mut session = CK_SESSION_INFO::default();
            let code = ck!(raw, C_GetSessionInfo, sessions[thread], &mut session);
            let Ok(token) = raw.token_info(slot) else { return CKR_TOKEN_NOT_RECOGNIZED };
            let known = [CKS_RW_PUBLIC_SESSION, CKS_RW_USER_FUNCTIONS].contains(&session.state);
            let right = token.flags & always == always && token.flags & never == 0 && session.slotID == slot;
            if known && right { code } else { CKR_DATA_INVALID }
        },
        || {
            for _ in 0..40 {
                target.need("C_Logout", ck!(target.raw, C_Logout, target.session()))?;
                let wrong = target.raw.login(target.session(), CKU_USER, "certainly not");
                target.expect("a wrong PIN", wrong.err().unwrap_or(CKR_OK), &[CKR_PIN_INCORRECT]);
                target.become_user()?;
            }
            Ok(())
        },
    )
}

/// A kind of key that is made and brought in again.
#[derive(Clone, Copy)]
struct Key {
    kind: CK_KEY_TYPE,
    generation: CK_MECHANISM_TYPE,
    set: CK_ULONG,
    /// Sets whose keys have other lengths.
    others: [CK_ULONG; 2],
    usages: (CK_ATTRIBUTE_TYPE, CK_ATTRIBUTE_TYPE),
}

const ML_DSA: Key = Key {
    kind: CKK_ML_DSA,
    generation: CKM_ML_DSA_KEY_PAIR_GEN,
    set: CKP_ML_DSA_44,
    others: [CKP_ML_DSA_65, CKP_ML_DSA_87],
    usages: (CKA_VERIFY, CKA_SIGN),
};
const ML_KEM: Key = Key {
    kind: CKK_ML_KEM,
    generation: CKM_ML_KEM_KEY_PAIR_GEN,
    set: CKP_ML_KEM_512,
    others: [CKP_ML_KEM_768, CKP_ML_KEM_1024],
    usages: (CKA_ENCAPSULATE, CKA_DECAPSULATE),
};
const SLH_DSA: Key = Key {
    kind: CKK_SLH_DSA,
    generation: CKM_SLH_DSA_KEY_PAIR_GEN,
    set: CKP_SLH_DSA_SHA2_128F,
    others: [CKP_SLH_DSA_SHA2_192F, CKP_SLH_DSA_SHAKE_256F],
    usages: (CKA_VERIFY, CKA_SIGN),
};

/// Values of every length near the right one, at an unreadable page, with the parameter set that they do not belong to and without.
fn imported(target: &Target, key: &Key) -> Done {
    let session = target.session();
    let public = Template::new().number(CKA_PARAMETER_SET, key.set).flag(key.usages.0, true);
    let private = Template::new().flag(key.usages.1, true).flag(CKA_SENSITIVE, false).flag(CKA_EXTRACTABLE, true);
    let pair = target.pair(key.generation, public, private)?;
    for (class, object) in [(CKO_PUBLIC_KEY, pair.0), (CKO_PRIVATE_KEY, pair.1)] {
        let right = target.answer("CKA_VALUE", target.raw.attribute(session, object, CKA_VALUE))?;
        let template = |set: Option<CK_ULONG>, value: &[u8]| {
            let template = Template::new().number(CKA_CLASS, class).number(CKA_KEY_TYPE, key.kind);
            let template = set.map_or(template.clone(), |set| template.number(CKA_PARAMETER_SET, set));
            template.bytes(CKA_VALUE, value)
        };
        target.answer("C_CreateObject", target.raw.create(session, template(Some(key.set), &right)))?;
        let long = [&right[..], &right[..]].concat();
        let half = right.len() / 2;
        let lengths = [0, 1, 31, 32, 33, half, right.len() - 1, right.len() + 1, long.len()];
        for bytes in lengths.into_iter().filter(|bytes| *bytes != right.len()) {
            let what = format!("a value of {bytes} bytes instead of {} in class {class}", right.len());
            target.at(&what);
            let (list, count) = target.list(&template(Some(key.set), &long[..bytes]));
            let mut made = 0;
            let code = ck!(target.raw, C_CreateObject, session, list, count as CK_ULONG, &mut made);
            target.refused(&what, code);
        }
        for set in [Some(key.others[0]), Some(key.others[1]), Some(0), Some(CK_ULONG::MAX), None] {
            let what = format!("the parameter set {set:x?} in class {class}");
            target.at(&what);
            let made = target.raw.create(session, template(set, &right));
            target.refused(&what, made.err().unwrap_or(CKR_OK));
        }
    }
    if key.kind == CKK_SLH_DSA {
        return Ok(());
    }
    for bytes in [0, 1, 31, 33, 63, 65, 4096] {
        let what = format!("a seed of {bytes} bytes");
        target.at(&what);
        let template = Template::new().number(CKA_CLASS, CKO_PRIVATE_KEY).number(CKA_KEY_TYPE, key.kind);
        let template = template.number(CKA_PARAMETER_SET, key.set).bytes(CKA_SEED, &vec![7; bytes]);
        target.refused(&what, target.raw.create(session, template).err().unwrap_or(CKR_OK));
    }
    Ok(())
}

/// The parameter is NULL, or there is none, or it is of nothing but zeros.
fn derive_without(target: &Target) -> Done {
    Call::new(target, "C_DeriveKey")?.control()?;
    let (call, keys) = (Call::new(target, "C_DeriveKey")?, [target.aes()?, target.ec()?.1, target.secret(&[9; 32])?]);
    let before = target.objects();
    for kind in [
        CKM_ECDH1_DERIVE,
        CKM_ECDH1_COFACTOR_DERIVE,
        CKM_AES_ECB_ENCRYPT_DATA,
        CKM_AES_CBC_ENCRYPT_DATA,
        CKM_CONCATENATE_BASE_AND_DATA,
        CKM_CONCATENATE_DATA_AND_BASE,
        CKM_CONCATENATE_BASE_AND_KEY,
        CKM_XOR_BASE_AND_DATA,
        CKM_EXTRACT_KEY_FROM_KEY,
        CKM_HKDF_DERIVE,
        CKM_SP800_108_COUNTER_KDF,
        CKM_SP800_108_FEEDBACK_KDF,
        CKM_SP800_108_DOUBLE_PIPELINE_KDF,
        CKM_TLS12_MASTER_KEY_DERIVE,
    ] {
        for (place, bytes) in [(null_mut(), 0), (null_mut(), 40), (target.room(0), 0), (target.room(8), 8)] {
            let mechanism = CK_MECHANISM { mechanism: kind, pParameter: place.cast(), ulParameterLen: bytes };
            for key in keys {
                let what = format!("{kind:#x} with {bytes} bytes at {place:?}");
                target.at(&what);
                let code = call.with(1, target.value(mechanism) as usize).with(2, key as usize).run();
                // A word of zeros is a place in a key.
                if kind != CKM_EXTRACT_KEY_FROM_KEY || bytes != 8 {
                    target.refused(&what, code);
                }
            }
        }
    }
    target.effect("refused, and yet an object was made", target.objects() <= before + 3);
    Ok(())
}

/// DER of which something is missing, and lengths that say more than there is.
fn spoilt(der: &[u8]) -> Vec<(String, Vec<u8>)> {
    let cut = (0..der.len()).map(|bytes| (format!("{bytes} of {} bytes", der.len()), der[..bytes].to_vec()));
    let at = |place: usize, new: &[u8]| [&der[..place], new, &der[place + 1..]].concat();
    let lengths: [&[u8]; 7] = [
        &[0x80],
        &[0xFF],
        &[0x84, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0x88, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0x89, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0x82, 0x01],
        &[0x7F],
    ];
    let wrong = lengths.iter().map(|length| (format!("the length {length:x?}"), at(1, length)));
    cut.chain(wrong).collect()
}

fn points_in_der(target: &Target) -> Done {
    let (session, public) = (target.session(), target.ec()?.0);
    let point = target.answer("CKA_EC_POINT", target.raw.attribute(session, public, CKA_EC_POINT))?;
    let create = |params: &[u8], point: &[u8]| {
        let template = Template::new().number(CKA_CLASS, CKO_PUBLIC_KEY).number(CKA_KEY_TYPE, CKK_EC);
        target.raw.create(session, template.bytes(CKA_EC_PARAMS, params).bytes(CKA_EC_POINT, point))
    };
    let curve = perilune_tests::hand::P256;
    target.answer("C_CreateObject", create(curve, &point))?;
    let before = target.objects();
    for (what, bad) in spoilt(&point) {
        target.at(&format!("a point: {what}"));
        let made = create(curve, &bad);
        target.refused(&format!("a point: {what}"), made.err().unwrap_or(CKR_OK));
    }
    for (what, bad) in spoilt(curve) {
        target.at(&format!("a curve: {what}"));
        let made = create(&bad, &point);
        target.refused(&format!("a curve: {what}"), made.err().unwrap_or(CKR_OK));
    }
    target.effect("refused, and yet an object was made", target.objects() == before);
    Ok(())
}

/// RFC 5958 and RFC 5915: a key on P-256 without its point.
const PKCS8: [u8; 67] = [
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A,
    0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20, 9, 9, 9, 9, 9, 9,
    9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9,
];
/// Where its lengths are.
const PKCS8_LENGTHS: [usize; 10] = [1, 3, 6, 8, 17, 27, 29, 31, 34, 40];

/// The bytes come in as a secret, are wrapped, and unwrapped as a private key.
fn pkcs8(target: &Target) -> Done {
    let (session, wrapping) = (target.session(), target.aes()?);
    let open = |der: &[u8]| {
        let secret = target.secret(der)?;
        let mechanism = target.plain(CKM_AES_KEY_WRAP_KWP);
        let blob = sized(|out, room| ck!(target.raw, C_WrapKey, session, mechanism, wrapping, secret, out, room));
        let blob = target.answer("C_WrapKey", blob)?;
        target.need("C_DestroyObject", ck!(target.raw, C_DestroyObject, session, secret))?;
        let template = Template::new().number(CKA_CLASS, CKO_PRIVATE_KEY).number(CKA_KEY_TYPE, CKK_EC);
        Ok(unwrap(target, plain(CKM_AES_KEY_WRAP_KWP), wrapping, &blob, &template.flag(CKA_SIGN, true)))
    };
    let key = target.answer("C_UnwrapKey", open(&PKCS8)?)?;
    target.answer("C_Sign", target.raw.sign(session, plain(CKM_ECDSA), key, &[5; 32]))?;
    let before = target.objects();
    for (what, bad) in spoilt(&PKCS8).into_iter().filter(|(_, bad)| !bad.is_empty()) {
        target.at(&what);
        target.refused(&what, open(&bad)?.err().unwrap_or(CKR_OK));
    }
    for place in PKCS8_LENGTHS {
        for value in [0, PKCS8[place].wrapping_sub(1), PKCS8[place].wrapping_add(1), 0x7F, 0x80, 0xFF] {
            let mut bad = PKCS8;
            bad[place] = value;
            let what = format!("{value:#x} at byte {place}");
            target.at(&what);
            let made = open(&bad)?;
            // Inside the scalar any byte is one.
            if place < 35 {
                target.effect(&format!("{what}: {}", word(made.err().unwrap_or(CKR_OK))), made.is_err());
            } else if let Ok(key) = made {
                target.need("C_DestroyObject", ck!(target.raw, C_DestroyObject, session, key))?;
            }
        }
    }
    target.effect("refused, and yet an object was made", target.objects() == before);
    Ok(())
}

fn whole_words(target: &Target) -> Done {
    let session = target.session();
    let allowed: Vec<u8> = [CKM_AES_ECB, CKM_AES_CBC, CKM_AES_GCM].iter().flat_map(|kind| kind.to_ne_bytes()).collect();
    let template = Template::new().number(CKA_VALUE_LEN, 32).bytes(CKA_ALLOWED_MECHANISMS, &allowed);
    let key = target.generate(CKM_AES_KEY_GEN, &template)?;
    let told = target.answer("CKA_ALLOWED_MECHANISMS", target.raw.attribute(session, key, CKA_ALLOWED_MECHANISMS))?;
    target.effect(&format!("{} bytes are told", told.len()), told == allowed);
    for room in [1, 8, 16, 23] {
        let place = target.bytes(&vec![0xA5; room]);
        let entry = CK_ATTRIBUTE { type_: CKA_ALLOWED_MECHANISMS, pValue: place.cast(), ulValueLen: room as CK_ULONG };
        let list = target.value(entry);
        let code = ck!(target.raw, C_GetAttributeValue, session, key, list, 1);
        target.expect(&format!("room for {room} bytes"), code, &[CKR_BUFFER_TOO_SMALL]);
        target.effect("a part of it is told", read_bytes(place, room).iter().all(|byte| *byte == 0xA5));
    }
    let open = target.aes()?;
    let none = target.raw.attribute(session, open, CKA_ALLOWED_MECHANISMS).unwrap_or_default();
    target.effect(&format!("{} bytes for no restriction", none.len()), none.len().is_multiple_of(8));
    Ok(())
}
