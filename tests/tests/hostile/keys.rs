//! Cases about keys that must not be: private ones without a user, degenerate public ones, weak primes; and about what wraps.
//! Items 4.1.1, 4.1.13, 4.2.5, 4.3.2, 4.3.3, 4.3.5, 4.3.8, 4.5.3, 4.5.5 and 4.6.
//!
//! Owns: what `objects`, `attacks` and `ciphers` have no place for. Rule source: PKCS#11 3.2, 4 to 6; RFC 7748, 6; RFC 8032, 5.1;
//! Nemec and others, "The Return of Coppersmith's Attack" (2017).

use crate::calls::{Arg, Call, aes_template, begin, entry};
use crate::cases::Cases;
use crate::ciphers::{oaep, unwrap};
use crate::target::{Done, Stop, Target, read, read_bytes};
use perilune_tests::ck::*;
use perilune_tests::raw::{call_words, plain, sized};
use perilune_tests::{Template, ck};
use std::ptr::null_mut;

pub fn cases(cases: &mut Cases) {
    cases.add_remote("4.1.1", "no template at all, where that is right", no_template);
    cases.add("4.1.13", "interfaces are the same before, between and after", interfaces);
    cases.add_remote("4.2.5", "C_SessionCancel of a search", cancelled_search);
    cases.add_remote("4.3.3", "an unwrapped key says that it was outside", unwrapped_marks);
    for name in ["C_CopyObject", "C_EncapsulateKey", "C_DecapsulateKey", "C_UnwrapKeyAuthenticated"] {
        cases.add("4.3.5", name, move |target| private_without_user(target, name));
    }
    cases.add_remote("4.3.8", "a curve stays what it was", curve_stays);
    cases.add_remote("4.3.8", "small and unreduced points of Ed25519", edwards);
    cases.add_remote("4.3.8", "small points of X25519", montgomery);
    cases.add("4.5.3", "keys of RSA share no prime and are not of CVE-2017-15361", primes);
    for (name, kind) in [
        ("CKM_RSA_PKCS", CKM_RSA_PKCS),
        ("CKM_RSA_PKCS_OAEP", CKM_RSA_PKCS_OAEP),
        ("CKM_RSA_AES_KEY_WRAP", CKM_RSA_AES_KEY_WRAP),
    ] {
        cases.add("4.5.5", name, move |target| wrapped_by_rsa(target, kind));
    }
    cases.add_remote("4.5.5", "CKM_RSA_X_509 takes no piece of a block for a key", raw_unwrapping);
    cases.add("4.6", "ML-KEM, numbers beyond the modulus", ml_kem_modulus);
}

fn no_template(target: &Target) -> Done {
    let (session, mut made) = (target.session(), 0);
    let object = target.new_aes()?;
    target.expect("C_CopyObject", ck!(target.raw, C_CopyObject, session, object, null_mut(), 0, &mut made), &[CKR_OK]);
    let value = |key| target.raw.attribute(session, key, CKA_VALUE);
    target.effect("the copy is another key", value(made).is_ok() && value(made) == value(object));
    target.expect("C_FindObjectsInit", ck!(target.raw, C_FindObjectsInit, session, null_mut(), 0), &[CKR_OK]);
    let (mut found, mut count) = (vec![0; 100], 0);
    let code = ck!(target.raw, C_FindObjects, session, found.as_mut_ptr(), 100, &mut count);
    target.expect("C_FindObjects", code, &[CKR_OK]);
    let all = &found[..count as usize];
    target.effect("a search of everything finds not all", all.contains(&made) && all.contains(&object));
    target.need("C_FindObjectsFinal", ck!(target.raw, C_FindObjectsFinal, session))?;
    let (list, entries) = target.list(&Template::new().bytes(CKA_EC_PARAMS, perilune_tests::hand::P256));
    let (mut public, mut private) = (0, 0);
    let mechanism = target.plain(CKM_EC_KEY_PAIR_GEN);
    let code = ck!(
        target.raw,
        C_GenerateKeyPair,
        session,
        mechanism,
        list,
        entries as CK_ULONG,
        null_mut(),
        0,
        &mut public,
        &mut private
    );
    target.expect("C_GenerateKeyPair without a private template", code, &[CKR_OK]);
    let empty = target.value([0u8; 8]).cast();
    let code = ck!(target.raw, C_FindObjectsInit, session, empty, 0);
    target.expect("C_FindObjectsInit with an address and no attribute", code, &[CKR_OK]);
    target.need("C_FindObjectsFinal", ck!(target.raw, C_FindObjectsFinal, session))
}

/// Name, version and function list of each interface.
fn told(target: &Target) -> Result<Vec<(Vec<u8>, usize)>, Stop> {
    type List = unsafe extern "C" fn(*mut CK_INTERFACE, *mut CK_ULONG) -> CK_RV;
    // SAFETY: the symbol has this prototype.
    let list = unsafe { target.raw.library().get::<List>(b"C_GetInterfaceList\0") };
    let list = list.map_err(|_| Stop::Absent("C_GetInterfaceList".into()))?;
    let mut count = 0;
    // SAFETY: a question for their number.
    target.need("C_GetInterfaceList", unsafe { list(null_mut(), &mut count) })?;
    let place = target.room(count as usize * size_of::<CK_INTERFACE>()).cast::<CK_INTERFACE>();
    // SAFETY: there is room for so many.
    target.need("C_GetInterfaceList", unsafe { list(place, &mut count) })?;
    let one = |index| {
        let interface: CK_INTERFACE = read(place.wrapping_add(index));
        // SAFETY: a name ends with NUL and lives as long as the module.
        let name = unsafe { std::ffi::CStr::from_ptr(interface.pInterfaceName.cast()) };
        (name.to_bytes().to_vec(), interface.pFunctionList as usize)
    };
    Ok((0..count as usize).map(one).collect())
}

fn interfaces(target: &Target) -> Done {
    let during = told(target)?;
    target.effect("no interface", !during.is_empty());
    target.need("C_Finalize", ck!(target.raw, C_Finalize, null_mut()))?;
    target.effect("others after C_Finalize", told(target)? == during);
    let mut arguments = CK_C_INITIALIZE_ARGS { flags: CKF_OS_LOCKING_OK, ..Default::default() };
    target.need("C_Initialize", ck!(target.raw, C_Initialize, std::ptr::from_mut(&mut arguments).cast()))?;
    target.effect("others after the next C_Initialize", told(target)? == during);
    target.find_slot();
    Ok(())
}

fn cancelled_search(target: &Target) -> Done {
    let session = target.session();
    let cancel = entry(target, "C_SessionCancel")?;
    let call = |flags: CK_FLAGS| call_words(cancel, [session as usize, flags as usize, 0, 0, 0, 0, 0, 0, 0, 0]);
    target.aes()?;
    let next = || {
        let (mut found, mut count) = (0, 0);
        ck!(target.raw, C_FindObjects, session, &mut found, 1, &mut count)
    };
    target.need("C_FindObjectsInit", ck!(target.raw, C_FindObjectsInit, session, null_mut(), 0))?;
    begin(target, "C_DigestInit", CKM_SHA256, None)?;
    target.expect("C_SessionCancel of the digest", call(CKF_DIGEST), &[CKR_OK]);
    target.expect("the search goes on", next(), &[CKR_OK]);
    target.expect("C_SessionCancel of the search", call(CKF_FIND_OBJECTS), &[CKR_OK]);
    target.expect("C_FindObjects afterwards", next(), &[CKR_OPERATION_NOT_INITIALIZED]);
    let ended = ck!(target.raw, C_FindObjectsFinal, session);
    target.expect("C_FindObjectsFinal afterwards", ended, &[CKR_OPERATION_NOT_INITIALIZED]);
    target.need("another search", ck!(target.raw, C_FindObjectsInit, session, null_mut(), 0))?;
    target.need("C_FindObjectsFinal", ck!(target.raw, C_FindObjectsFinal, session))
}

fn unwrapped_marks(target: &Target) -> Done {
    let (session, wrapping) = (target.session(), target.aes()?);
    let template = Template::new().number(CKA_VALUE_LEN, 32).flag(CKA_SENSITIVE, false).flag(CKA_EXTRACTABLE, true);
    let blob = crate::calls::wrap(target, wrapping, target.generate(CKM_AES_KEY_GEN, &template)?)?;
    let hard = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
    let hard = hard.flag(CKA_SENSITIVE, true).flag(CKA_EXTRACTABLE, false);
    let key = target.answer("C_UnwrapKey", unwrap(target, plain(CKM_AES_KEY_WRAP), wrapping, &blob, &hard))?;
    for (name, mark) in [
        ("CKA_LOCAL", CKA_LOCAL),
        ("CKA_ALWAYS_SENSITIVE", CKA_ALWAYS_SENSITIVE),
        ("CKA_NEVER_EXTRACTABLE", CKA_NEVER_EXTRACTABLE),
    ] {
        target.at(&format!("{name} of an unwrapped key"));
        target.effect(&format!("{name} of an unwrapped key"), !target.raw.flag(session, key, mark));
        let said = unwrap(target, plain(CKM_AES_KEY_WRAP), wrapping, &blob, &hard.clone().flag(mark, true));
        target.refused(&format!("{name} is said by the caller"), said.err().unwrap_or(CKR_OK));
    }
    Ok(())
}

/// As 4.3.5 of the other functions: without a user no private object comes into being.
fn private_without_user(target: &Target, name: &'static str) -> Done {
    Call::new(target, name)?.control()?;
    target.begin_again()?;
    let session = target.session();
    let open = |template: Template| template.flag(CKA_PRIVATE, false);
    let value = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
    let usages = [CKA_ENCRYPT, CKA_WRAP, CKA_UNWRAP].iter();
    let value = usages.fold(value.bytes(CKA_VALUE, &[9; 32]), |template, usage| template.flag(*usage, true));
    let secret =
        target.answer("C_CreateObject", target.raw.create(session, open(value.clone().flag(CKA_EXTRACTABLE, true))))?;
    let set = Template::new().number(CKA_PARAMETER_SET, CKP_ML_KEM_512).flag(CKA_ENCAPSULATE, true);
    let call = Call::new(target, name)?;
    let key = match name {
        "C_EncapsulateKey" | "C_DecapsulateKey" => {
            let private = open(Template::new()).flag(CKA_DECAPSULATE, true);
            let pair = target.pair(CKM_ML_KEM_KEY_PAIR_GEN, open(set), private)?;
            if name == "C_EncapsulateKey" { pair.0 } else { pair.1 }
        }
        _ => secret,
    };
    let index = call.args.iter().position(|arg| matches!(arg, Arg::Count(_))).expect("a template");
    let object = call.args.iter().position(|arg| matches!(arg, Arg::Object(_))).expect("a key");
    let template = if name == "C_CopyObject" { Template::new() } else { aes_template() };
    let (list, count) = target.list(&template.flag(CKA_PRIVATE, true));
    target.need("C_Logout", ck!(target.raw, C_Logout, session))?;
    let before = target.objects();
    let code = call.with(object, key as usize).with(index - 1, list as usize).with(index, count).run();
    target.expect(&format!("{name} with CKA_PRIVATE"), code, &[CKR_USER_NOT_LOGGED_IN]);
    target.effect("an object was made", target.objects() == before);
    target.become_user()
}

/// Whichever curve is asked for, the pair is on that one: the OID comes back, and points have its length.
fn curve_stays(target: &Target) -> Done {
    let session = target.session();
    let mut known = 0;
    for (curve, bytes) in [
        (&[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07][..], 32),
        (&[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22], 48),
        (&[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23], 66),
        (&[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x0A], 32),
        (&[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x21], 28),
        (&[0x06, 0x09, 0x2B, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07], 32),
    ] {
        let public = Template::new().bytes(CKA_EC_PARAMS, curve);
        let Ok((public, private)) =
            target.raw.generate_pair(session, plain(CKM_EC_KEY_PAIR_GEN), public, Template::new().flag(CKA_SIGN, true))
        else {
            continue;
        };
        known += 1;
        for key in [public, private] {
            let told = target.raw.attribute(session, key, CKA_EC_PARAMS);
            target.effect(&format!("{curve:x?} became {told:x?}"), told.as_deref() == Ok(curve));
        }
        let point = target.answer("CKA_EC_POINT", target.raw.attribute(session, public, CKA_EC_POINT))?;
        target.effect(
            &format!("{curve:x?} has points of {} bytes", point.len()),
            point.len().abs_diff(2 * bytes + 1) < 4,
        );
        let signature = target.raw.sign(session, plain(CKM_ECDSA), private, &[5; 32]).unwrap_or_default();
        target.effect(&format!("{curve:x?} signs with {} bytes", signature.len()), signature.len() == 2 * bytes);
    }
    target.control("a curve", known > 0)
}

/// Points of an order that divides eight, and coordinates that are not reduced (RFC 8032, 5.1.3).
fn small_points() -> Vec<(&'static str, [u8; 32])> {
    let with = |first: u8, between: u8, last: u8| {
        let mut point = [between; 32];
        (point[0], point[31]) = (first, last);
        point
    };
    vec![
        ("the identity", with(1, 0, 0)),
        ("the identity, signed", with(1, 0, 0x80)),
        ("order 2", with(0xEC, 0xFF, 0x7F)),
        ("order 4", with(0, 0, 0)),
        ("order 4, the other", with(0, 0, 0x80)),
        ("order 8", *b"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05"),
        ("order 8, the other", *b"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a"),
        ("the identity, not reduced", with(0xEE, 0xFF, 0x7F)),
        ("order 4, not reduced", with(0xED, 0xFF, 0x7F)),
    ]
}

/// With such a public key anybody can make a signature of anything: R = B, S = 1 is one under the identity.
fn edwards(target: &Target) -> Done {
    let session = target.session();
    let curve = [0x06, 0x03, 0x2B, 0x65, 0x70];
    let (public, private) = target.pair(
        CKM_EC_EDWARDS_KEY_PAIR_GEN,
        Template::new().bytes(CKA_EC_PARAMS, &curve).flag(CKA_VERIFY, true),
        Template::new().flag(CKA_SIGN, true),
    )?;
    let right = target.answer("CKA_EC_POINT", target.raw.attribute(session, public, CKA_EC_POINT))?;
    let create = |point: &[u8]| {
        let template = Template::new().number(CKA_CLASS, CKO_PUBLIC_KEY).number(CKA_KEY_TYPE, CKK_EC_EDWARDS);
        let template = template.bytes(CKA_EC_PARAMS, &curve).bytes(CKA_EC_POINT, point).flag(CKA_VERIFY, true);
        target.raw.create(session, template)
    };
    let key = target.answer("C_CreateObject", create(&right))?;
    let signature = target.answer("C_Sign", target.raw.sign(session, plain(CKM_EDDSA), private, b"text"))?;
    let verifies = |key, signature: &[u8]| target.raw.verify(session, plain(CKM_EDDSA), key, b"text", signature);
    target.control("the pair's signature", verifies(key, &signature) == Ok(()))?;
    let mut base = [0x66; 32];
    base[0] = 0x58;
    let mut one = [0; 32];
    one[0] = 1;
    for (what, point) in small_points() {
        target.at(what);
        let form = if right.len() == 32 { point.to_vec() } else { [&[0x04, 0x20], &point[..]].concat() };
        let Ok(key) = create(&form) else { continue };
        for (r, s) in [(base, one), (point, [0; 32]), (small_points()[0].1, [0; 32])] {
            let verified = verifies(key, &[r, s].concat());
            target.effect(&format!("{what}: a signature that anybody can make verifies"), verified.is_err());
        }
    }
    Ok(())
}

/// RFC 7748, 6.1: a secret of zeros tells that the other side contributed nothing.
fn montgomery(target: &Target) -> Done {
    let session = target.session();
    let curve = [0x06, 0x03, 0x2B, 0x65, 0x6E];
    let pair = || {
        target.pair(
            CKM_EC_MONTGOMERY_KEY_PAIR_GEN,
            Template::new().bytes(CKA_EC_PARAMS, &curve),
            Template::new().flag(CKA_DERIVE, true),
        )
    };
    let (private, other) = (pair()?.1, pair()?.0);
    let right = target.answer("CKA_EC_POINT", target.raw.attribute(session, other, CKA_EC_POINT))?;
    let derive = |point: &[u8]| {
        let parameter = CK_ECDH1_DERIVE_PARAMS {
            kdf: CKD_NULL,
            ulSharedDataLen: 0,
            pSharedData: null_mut(),
            ulPublicDataLen: point.len() as CK_ULONG,
            pPublicData: target.bytes(point),
        };
        let (list, count) = target.list(&aes_template().number(CKA_VALUE_LEN, 32));
        let (mechanism, mut key) = (target.with(CKM_ECDH1_DERIVE, parameter), 0);
        let code = ck!(target.raw, C_DeriveKey, session, mechanism, private, list, count as CK_ULONG, &mut key);
        (code, key)
    };
    target.need("C_DeriveKey", derive(&right[right.len() - 32..]).0)?;
    let with = |first: u8, between: u8, last: u8| {
        let mut point = [between; 32];
        (point[0], point[31]) = (first, last);
        point
    };
    for (what, point) in [
        ("zero", with(0, 0, 0)),
        ("one", with(1, 0, 0)),
        ("p - 1", with(0xEC, 0xFF, 0x7F)),
        ("p", with(0xED, 0xFF, 0x7F)),
        ("p + 1", with(0xEE, 0xFF, 0x7F)),
        ("zero with the highest bit", with(0, 0, 0x80)),
        ("order 8", *b"\xe0\xeb\x7a\x7c\x3b\x41\xb8\xae\x16\x56\xe3\xfa\xf1\x9f\xc4\x6a\xda\x09\x8d\xeb\x9c\x32\xb1\xfd\x86\x62\x05\x16\x5f\x49\xb8\x00"),
        ("order 8, the other", *b"\x5f\x9c\x95\xbc\xa3\x50\x8c\x24\xb1\xd0\xb1\x55\x9c\x83\xef\x5b\x04\x44\x5c\xc4\x58\x1c\x8e\x86\xd8\x22\x4e\xdd\xd0\x9f\x11\x57"),
    ] {
        for point in [point.to_vec(), [&[0x04, 0x20], &point[..]].concat()] {
            target.at(what);
            let (code, key) = derive(&point);
            let value = target.raw.attribute(session, key, CKA_VALUE).unwrap_or_default();
            let none = if code == CKR_OK { format!("{value:x?}") } else { String::new() };
            target.effect(&format!("{what}: agreed on {none}"), code != CKR_OK);
        }
    }
    Ok(())
}

/// The products of small primes' subgroups that the moduli of CVE-2017-15361 lie in: n is a power of 65537 modulo each of them.
fn is_of_infineon(modulus: &[u8]) -> bool {
    [11u64, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157].iter().all(|prime| {
        let rest = modulus.iter().fold(0, |rest, byte| (rest * 256 + u64::from(*byte)) % prime);
        let mut power = 1;
        (0..*prime).any(|_| {
            power = power * 65537 % prime;
            power == rest
        })
    })
}

fn primes(target: &Target) -> Done {
    // A modulus of those: a power of 65537 modulo all the primes at once, which 65537 itself is.
    target.control("the test knows such a modulus", is_of_infineon(&[1, 0, 1]) && !is_of_infineon(&[1, 0, 2]))?;
    let session = target.session();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let public = Template::new().number(CKA_MODULUS_BITS, 2048).bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1]);
        let private = Template::new().flag(CKA_SENSITIVE, false).flag(CKA_EXTRACTABLE, true);
        let (public, private) = target.pair(CKM_RSA_PKCS_KEY_PAIR_GEN, public, private)?;
        let modulus = target.answer("CKA_MODULUS", target.raw.attribute(session, public, CKA_MODULUS))?;
        target.effect("a modulus has not 2048 bits", modulus.len() == 256 && modulus[0] >= 0x80);
        target.effect("a modulus as of CVE-2017-15361", !is_of_infineon(&modulus));
        for kind in [CKA_PRIME_1, CKA_PRIME_2] {
            let prime = target.answer("a prime", target.raw.attribute(session, private, kind))?;
            target.effect("a prime has not 1024 bits", prime.len() == 128 && prime[0] >= 0x80);
            seen.push(prime);
        }
        let [.., p, q] = &seen[..] else { unreachable!("two primes") };
        // FIPS 186-5, A.1.3: they differ in their first hundred bits.
        target.effect("two primes are close to each other", p[..13] != q[..13]);
    }
    seen.sort_unstable();
    seen.dedup();
    target.effect(&format!("{} primes in three keys", seen.len()), seen.len() == 6);
    Ok(())
}

/// As 4.5.5 of the other mechanisms, under an RSA key.
fn wrapped_by_rsa(target: &Target, kind: CK_MECHANISM_TYPE) -> Done {
    let ((public, private), session) = (target.rsa()?, target.session());
    let inner = read(oaep(target).pParameter.cast::<CK_RSA_PKCS_OAEP_PARAMS>());
    let both = CK_RSA_AES_KEY_WRAP_PARAMS { ulAESKeyBits: 256, pOAEPParams: target.value(inner) };
    let mechanism = match kind {
        CKM_RSA_PKCS => target.plain(kind),
        CKM_RSA_PKCS_OAEP => target.value(oaep(target)),
        _ => target.with(kind, both),
    };
    let most = match kind {
        CKM_RSA_PKCS => 245,
        CKM_RSA_PKCS_OAEP => 214,
        _ => 1024,
    };
    for bytes in [1, 7, 8, 9, 16, 24, 32, 33, most - 1, most] {
        let key = target.secret(&vec![7; bytes])?;
        let mut asked = 0;
        let code = ck!(target.raw, C_WrapKey, session, mechanism, public, key, null_mut(), &mut asked);
        target.need("C_WrapKey", code)?;
        let what = format!("{bytes} bytes");
        let (out, room) = (target.room(asked as usize), target.value(asked));
        let code = ck!(target.raw, C_WrapKey, session, mechanism, public, key, out, room);
        target.expect(&format!("{what} with the room that was asked for"), code, &[CKR_OK]);
        let came = read(room.cast_const());
        target.effect(&format!("{asked} told for {what}, {came} came"), asked == came);
        let blob = read_bytes(out, came.min(asked) as usize);
        let template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
        let template = template.flag(CKA_SENSITIVE, false).flag(CKA_EXTRACTABLE, true);
        match unwrap(target, read(mechanism.cast_const()), private, &blob, &template) {
            Ok(back) => {
                let value = target.raw.attribute(session, back, CKA_VALUE);
                target.effect(&format!("{what} come back as {value:x?}"), value == Ok(vec![7; bytes]));
            }
            Err(CKR_MECHANISM_INVALID) => {}
            Err(code) => target.effect(&format!("{what} do not come back: {}", crate::target::word(code)), false),
        }
        for bad in [&blob[..blob.len() - 1], &blob[1..], &blob[..1], &[], &[&blob[..], &[0]].concat()] {
            let answer = unwrap(target, read(mechanism.cast_const()), private, bad, &template);
            target.refused(&format!("{} of {} bytes unwrapped", bad.len(), blob.len()), answer.err().unwrap_or(CKR_OK));
        }
    }
    if kind != CKM_RSA_AES_KEY_WRAP {
        let key = target.secret(&vec![7; most + 1])?;
        let blob = sized(|out, room| ck!(target.raw, C_WrapKey, session, mechanism, public, key, out, room));
        target.refused(&format!("{} bytes", most + 1), blob.err().unwrap_or(CKR_OK));
    }
    Ok(())
}

/// NSS took the first bytes of a block of raw RSA for the key that was asked for.
fn raw_unwrapping(target: &Target) -> Done {
    let ((public, private), session) = (target.rsa()?, target.session());
    let block: Vec<u8> = (1..=255).chain([7]).collect();
    let sealed = target.answer("C_Encrypt", target.raw.encrypt(session, plain(CKM_RSA_X_509), public, &block))?;
    let opened = target.raw.decrypt(session, plain(CKM_RSA_X_509), private, &sealed);
    target.control("it opens", opened.as_deref() == Ok(&block))?;
    for template in [aes_template().number(CKA_VALUE_LEN, 32), aes_template()] {
        let made = unwrap(target, plain(CKM_RSA_X_509), private, &sealed, &template);
        if let Ok(key) = made {
            let value = target.raw.attribute(session, key, CKA_VALUE).unwrap_or_default();
            target.effect("the first bytes of a block became a key", !block.starts_with(&value));
        } else {
            target.refused("C_UnwrapKey", made.err().unwrap_or(CKR_OK));
        }
    }
    Ok(())
}

/// FIPS 203, 7.2: a key whose numbers are not reduced is none.
fn ml_kem_modulus(target: &Target) -> Done {
    let session = target.session();
    let set = Template::new().number(CKA_PARAMETER_SET, CKP_ML_KEM_512).flag(CKA_ENCAPSULATE, true);
    let public = target.pair(CKM_ML_KEM_KEY_PAIR_GEN, set, Template::new())?.0;
    let right = target.answer("CKA_VALUE", target.raw.attribute(session, public, CKA_VALUE))?;
    let create = |value: &[u8]| {
        let template = Template::new().number(CKA_CLASS, CKO_PUBLIC_KEY).number(CKA_KEY_TYPE, CKK_ML_KEM);
        let template = template.number(CKA_PARAMETER_SET, CKP_ML_KEM_512).flag(CKA_ENCAPSULATE, true);
        target.raw.create(session, template.bytes(CKA_VALUE, value))
    };
    target.answer("C_CreateObject", create(&right))?;
    // Twelve bits a number, the lowest first: 0xD01 is the modulus itself.
    for (what, place, bytes) in [
        ("the modulus, first", 0, [0x01, 0x0D]),
        ("the modulus, last", 765, [0x01, 0x0D]),
        ("all bits, first", 0, [0xFF, 0x0F]),
        ("all bits, in the middle", 384, [0xFF, 0x0F]),
    ] {
        let mut bad = right.clone();
        bad[place..place + 2].copy_from_slice(&bytes);
        target.at(what);
        match create(&bad) {
            Ok(key) => {
                let call = Call::new(target, "C_EncapsulateKey")?.with(2, key as usize);
                target.refused(what, call.run());
            }
            Err(code) => target.refused(what, code),
        }
    }
    Ok(())
}
